package git

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/problem"
)

// Names mean what git says they mean: loose and packed, in a worktree and in a bare clone's checkout.
func TestNamed(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		o := newOrigin(t, "--object-format="+format)
		gitIn(t, o.dir, "", "update-ref", "refs/heads/base", o.base)
		tmp := t.TempDir()
		loose := filepath.Join(tmp, "loose")
		gitIn(t, "", "", "clone", "-q", "--no-checkout", fileURL(o.dir), loose)
		gitIn(t, loose, "", "branch", "topic/a", o.base)
		gitIn(t, loose, "", "tag", "v1", o.base)
		gitIn(t, loose, "", "tag", "-a", "-m", "x", "v2", o.base)
		gitIn(t, loose, "", "tag", "-a", "-m", "x", "v3", "v2")
		gitIn(t, loose, "", "branch", "deadbeef", o.base)
		packedDir := filepath.Join(tmp, "packed")
		gitIn(t, "", "", "clone", "-q", "--no-checkout", loose, packedDir)
		for _, name := range []string{"topic/a", "deadbeef"} {
			gitIn(t, packedDir, "", "branch", name, "origin/"+name)
		}
		gitIn(t, packedDir, "", "pack-refs", "--all", "--prune")
		worktree := filepath.Join(tmp, "worktree")
		gitIn(t, packedDir, "", "worktree", "add", "-q", "--no-checkout", "--detach", worktree, o.base)
		for _, dir := range []string{loose, packedDir, worktree} {
			r := Repository{Machine: machine(), Dir: dir, Fence: dir, Temp: t.TempDir()}
			for _, name := range []string{o.base, o.head, "HEAD", "main", "topic/a", "heads/topic/a", "refs/heads/topic/a", "v1", "v2", "v3", "refs/tags/v2", "origin/main", "origin", "deadbeef"} {
				want := gitIn(t, dir, "", "rev-parse", name+"^{commit}")
				c, err := r.Named(t.Context(), name, "")
				if err != nil {
					t.Errorf("%s %s: %v", dir, name, err)
					continue
				}
				if c.SHA() != want {
					t.Errorf("%s %s is %s, git says %s", dir, name, c.SHA(), want)
				}
				closed(t, c)
			}
			for name, says := range map[string]string{"HEAD~1": "git rev-parse", "none": "no branch or tag", o.base[:10]: "no branch or tag", "": "neither", "../x": "neither", "refs/../HEAD": "neither",
				"-x\n": "neither", "ORIG_HEAD": "no branch or tag", "topic": "no branch or tag", "/etc/passwd": "neither", "refs/tags/topic/a": "no branch or tag"} {
				if _, err := r.Named(t.Context(), name, ""); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), says) || strings.ContainsAny(err.Error(), "\n") {
					t.Errorf("%q: %v", name, err)
				}
			}
			if left, _ := os.ReadDir(r.Temp); len(left) != 0 {
				t.Errorf("left behind %v", left)
			}
		}
	}
}

// What .git says of names is not believed further than a hash goes.
func TestNamesOfAHostileStore(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "the secret\n")
	ref := func(name, content string) {
		write(t, filepath.Join(o.dir, ".git", "refs", filepath.FromSlash(name)), content)
	}
	if err := os.Symlink(secret, filepath.Join(o.dir, ".git", "refs", "heads", "linked")); err != nil {
		t.Fatal(err)
	}
	ref("heads/loop", "ref: refs/heads/loop\n")
	ref("heads/out", "ref: ../../secret\n")
	ref("heads/long", strings.Repeat("a", 1<<20))
	ref("heads/two", o.base+"\n")
	ref("tags/two", o.head+"\n")
	ref("heads/tree", gitIn(t, o.dir, "", "rev-parse", o.base+"^{tree}")+"\n")
	ref("heads/absent", strings.Repeat("1", 40)+"\n")
	ref("heads/bad-tag", gitIn(t, o.dir, "object x\ntype commit\ntag t\n\nm\n", "hash-object", "-w", "--literally", "-t", "tag", "--stdin"))
	r := o.repository(t)
	for name, says := range map[string]string{"linked": "neither a hash", "loop": "more than 5 times", "out": "neither a hash", "long": "no branch or tag", "two": "2 different things",
		"tree": "is a tree", "absent": "does not have it", "bad-tag": "names no object"} {
		_, err := r.Named(t.Context(), name, "")
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, ErrMissing) != (name == "absent") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"refs/heads/two", "heads/two"} {
		c, err := r.Named(t.Context(), name, "")
		if err != nil {
			t.Fatal(err)
		}
		if c.SHA() != o.base {
			t.Errorf("%s is %s", name, c.SHA())
		}
		closed(t, c)
	}
	none := Repository{Machine: machine(), Dir: t.TempDir(), Temp: t.TempDir()}
	if _, err := none.Named(t.Context(), "main", ""); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "there is no .git") {
		t.Error(err)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	for config, want := range map[string]string{
		"": "",
		"[remote \"origin\"]\n\turl = https://a.test/x.git\n":              "https://a.test/x.git",
		"[remote \"origin\"]\r\n\turl=git@a.test:x/y.git\r\n\tfetch = x\n": "git@a.test:x/y.git",
		"[remote \"upstream\"]\n\turl = https://b.test/x\n":                "",
		"[url \"https://b.test/\"]\n\tinsteadOf = https://a.test/\n[remote \"origin\"]\n\tpushurl = https://p.test\n\turl = https://a.test/x\n\turl = https://c.test/x\n": "https://a.test/x",
		"[remote \"origin\"] # x\n\turl = ext::sh -c x\n":             "",
		"[remote \"origin\"]\n\turl = ../x.git\n":                     "",
		"[remote \"origin\"]\n\turl = \"https://a.test/x\"\n":         "",
		"[remote \"origin\"]\n\turl = " + o.dir + "/evil\n":           "",
		"[remote \"origin\"]\n\turl = file://" + o.dir + "/evil\n":    "",
		"[remote \"origin\"]\n\turl = /srv/git/x.git\n":               "/srv/git/x.git",
		"[remote \"origin\"]\n[core]\n\turl = https://a.test/x.git\n": "",
	} {
		write(t, filepath.Join(o.dir, ".git", "config"), config)
		if got := o.repository(t).Origin(); got != want {
			t.Errorf("%q: %q, want %q", config, got, want)
		}
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	for url, want := range map[string]string{
		"https://GitHub.com/Corp/app.git": "github.com/Corp", "git@git.corp.test:team/sub/app.git": "git.corp.test/team",
		"https://job:secret@gitlab.corp.test:8443/team/app": "gitlab.corp.test/team", "ssh://git@git.corp.test:22/team/app": "git.corp.test/team",
		"https://a.test/x.git": "", "https://a.test": "", "/srv/git/x.git": "", "file:///srv/git/x.git": "", "": "",
	} {
		write(t, filepath.Join(o.dir, ".git", "config"), "[remote \"origin\"]\n\turl = "+url+"\n")
		if got := o.repository(t).Owner(); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// FuzzResolve: no name and no store makes it panic, leave .git or say what stands there.
func FuzzResolve(f *testing.F) {
	f.Add("main", "ref: refs/heads/x\n", "# pack-refs\n1111111111111111111111111111111111111111 refs/heads/x\n^2222\n")
	f.Add("HEAD", "hunter2", "x")
	f.Fuzz(func(t *testing.T, name, ref, packed string) {
		dir := t.TempDir()
		for _, d := range []string{"objects", "refs/heads"} {
			if err := os.MkdirAll(filepath.Join(dir, ".git", filepath.FromSlash(d)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for file, text := range map[string]string{"HEAD": ref, "refs/heads/main": ref, "packed-refs": packed} {
			write(t, filepath.Join(dir, ".git", filepath.FromSlash(file)), text)
		}
		hash, err := Repository{Dir: dir}.resolve(name)
		if err == nil && !commitHash.MatchString(hash) || err != nil && (problem.CodeOf(err) != problem.Usage || strings.ContainsAny(err.Error(), "\n\x1b")) {
			t.Errorf("%q: %q, %v", name, hash, err)
		}
	})
}
