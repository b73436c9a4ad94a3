package git

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
)

// environ is the test's own environment without what git reads of it.
func environ(extra ...string) []string {
	var out []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GIT_") {
			out = append(out, pair)
		}
	}
	return append(out, extra...)
}

func machine(extra ...string) ecosystem.Machine {
	env := environ(extra...)
	return ecosystem.Machine{OS: runtime.GOOS, Environ: env, Lookup: func(name string) (string, bool) {
		for _, pair := range slices.Backward(env) {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}}
}

// gitIn runs git in dir, with an input if it is not empty, and returns what it prints.
func gitIn(tb testing.TB, dir, input string, args ...string) string {
	tb.Helper()
	cmd := exec.Command("git", append([]string{"-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", "-c", "gc.auto=0"}, args...)...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = environ("GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@a.test",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@a.test", "GIT_AUTHOR_DATE=2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(tb testing.TB, name, content string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// odd is a path that has to be quoted everywhere else.
const odd = "dir \xff\"'\n$(x)/go.mod"

// origin is a repository with two commits; the files of the first are known.
type origin struct{ dir, base, head string }

var atBase = map[string]string{"go.mod": "module base\n", "a/b/c/go.sum": "sum\n", odd: "odd\n"}

func newOrigin(tb testing.TB, args ...string) origin {
	tb.Helper()
	o := origin{dir: filepath.Join(tb.TempDir(), "origin")}
	gitIn(tb, "", "", append([]string{"init", "-q", o.dir}, args...)...)
	o.base = o.commit(tb, atBase)
	o.head = o.commit(tb, map[string]string{"go.mod": "module head\n", "a/b/c/go.sum": "sum\n"})
	gitIn(tb, o.dir, "", "update-ref", "refs/heads/main", o.head)
	return o
}

// commit makes a commit of these files without a working tree, which could not hold each name on each system.
func (o origin) commit(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dirs := map[string]map[string]string{}
	for name, content := range files {
		dir, file := "", name
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			dir, file = name[:i], name[i+1:]
		}
		if dirs[dir] == nil {
			dirs[dir] = map[string]string{}
		}
		dirs[dir][file] = "100644 blob " + gitIn(tb, o.dir, content, "hash-object", "-w", "--stdin")
	}
	return o.seal(tb, o.tree(tb, "", dirs))
}

func (o origin) tree(tb testing.TB, at string, dirs map[string]map[string]string) string {
	tb.Helper()
	var b strings.Builder
	for name, e := range dirs[at] {
		fmt.Fprintf(&b, "%s\t%s\x00", e, name)
	}
	below := map[string]bool{}
	for dir := range dirs {
		if rest, ok := strings.CutPrefix(dir, at); ok && rest != "" && (at == "" || rest[0] == '/') {
			first, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
			below[first] = true
		}
	}
	for name := range below {
		fmt.Fprintf(&b, "040000 tree %s\t%s\x00", o.tree(tb, strings.TrimPrefix(at+"/"+name, "/"), dirs), name)
	}
	return gitIn(tb, o.dir, b.String(), "mktree", "-z", "--missing")
}

func (o origin) seal(tb testing.TB, tree string) string {
	tb.Helper()
	return gitIn(tb, o.dir, "", "commit-tree", "-m", "x", tree)
}

func (o origin) repository(tb testing.TB) Repository {
	return Repository{Machine: machine(), Dir: o.dir, Fence: o.dir, Temp: tb.TempDir()}
}

// opened opens a commit, and proves at the end that nothing of it is left behind.
func opened(tb testing.TB, r Repository, sha, url string) *Commit {
	tb.Helper()
	c, err := r.Commit(tb.Context(), sha, url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closed(tb, c) })
	return c
}

func closed(tb testing.TB, c *Commit) {
	c.Close()
	c.Close()
	if _, err := os.Stat(c.dir); !errors.Is(err, fs.ErrNotExist) {
		tb.Errorf("%s is left: %v", c.dir, err)
	}
}

func wantFiles(t *testing.T, c *Commit, want map[string]string) {
	t.Helper()
	for name, content := range want {
		got, err := c.Read(t.Context(), name)
		if err != nil || string(got) != content {
			t.Errorf("%q: %q, %v; want %q", name, got, err, content)
		}
	}
	for _, name := range []string{"none", "a", "a/b", "a/none/go.sum", "go.mod/x", "go.mo", "GO.MOD"} {
		if got, err := c.Read(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %q, %v; want none", name, got, err)
		}
	}
	for _, name := range []string{"", "/go.mod", "a//b", "./go.mod", "a/../go.mod", "..", "go.mod\x00", "a/"} {
		if got, err := c.Read(t.Context(), name); problem.CodeOf(err) != problem.Usage || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %q, %v; want a refusal", name, got, err)
		}
	}
}

func fileURL(dir string) string {
	if dir = filepath.ToSlash(dir); dir[0] != '/' {
		dir = "/" + dir
	}
	return "file://" + dir
}

func TestCheckouts(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		o := newOrigin(t, "--object-format="+format)
		filtering := newOrigin(t, "--object-format="+format)
		gitIn(t, filtering.dir, "", "config", "uploadpack.allowFilter", "true")
		gitIn(t, filtering.dir, "", "update-ref", "refs/heads/base", filtering.base)
		gitIn(t, o.dir, "", "update-ref", "refs/heads/base", o.base)
		tmp := t.TempDir()
		clone := func(name string, from origin, args ...string) string {
			dir := filepath.Join(tmp, name)
			gitIn(t, "", "", append(append([]string{"clone", "-q", "--no-checkout"}, args...), fileURL(from.dir), dir)...)
			return dir
		}
		full := clone("full", o)
		packed := clone("packed", o)
		gitIn(t, packed, "", "repack", "-adq")
		worktree := filepath.Join(tmp, "worktree")
		gitIn(t, full, "", "worktree", "add", "-q", "--no-checkout", "--detach", worktree, o.head)
		super := filepath.Join(tmp, "super")
		gitIn(t, "", "", "init", "-q", "--object-format="+format, super)
		gitIn(t, super, "", "update-index", "--add", "--cacheinfo", "160000,"+o.base+",sub")
		if err := os.Mkdir(filepath.Join(super, ".git", "modules"), 0o755); err != nil {
			t.Fatal(err)
		}
		gitIn(t, "", "", "clone", "-q", "--no-checkout", "--separate-git-dir", filepath.Join(super, ".git", "modules", "sub"), fileURL(o.dir), filepath.Join(super, "sub"))
		borrowing := clone("borrowing", o, "--shared")
		strange := clone("strange:\"\\ü", o)
		bare := filepath.Join(tmp, "nothing")
		if err := os.Mkdir(bare, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name, dir, url string
			sha            string
		}{
			{"full", full, "", o.base}, {"packed", packed, "", o.base}, {"worktree", worktree, "", o.base}, {"submodule", filepath.Join(super, "sub"), "", o.base},
			{"alternates", borrowing, "", o.base}, {"strange path", strange, "", o.base},
			{"shallow", clone("shallow", o, "--depth=1", "--branch=main"), fileURL(o.dir), o.base},
			{"shallow, by path", clone("shallow2", o, "--depth=1", "--branch=main"), o.dir, o.base},
			{"shallow, only what is asked for", clone("shallow3", filtering, "--depth=1", "--branch=main"), fileURL(filtering.dir), filtering.base},
			{"without files", clone("blobless", filtering, "--filter=blob:none"), fileURL(filtering.dir), filtering.base},
			{"without directories", clone("treeless", filtering, "--filter=tree:0"), fileURL(filtering.dir), filtering.base},
			{"no checkout", bare, fileURL(o.dir), o.base},
		} {
			t.Run(format+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				r := Repository{Machine: machine(), Dir: tt.dir, Fence: tt.dir, Temp: t.TempDir()}
				c := opened(t, r, tt.sha, tt.url)
				wantFiles(t, c, atBase)
				if c.SHA() != tt.sha {
					t.Errorf("the commit is %s", c.SHA())
				}
				from := tt.url
				if from == "" {
					from = o.dir
				}
				tip, err := r.Tip(t.Context(), "base", from)
				if err != nil && tt.name != "no checkout" { // which does not say that it is SHA-256
					t.Fatal(err)
				} else if err == nil {
					defer closed(t, tip)
					wantFiles(t, tip, atBase)
					if tip.SHA() != tt.sha {
						t.Errorf("the tip is %s", tip.SHA())
					}
				}
			})
		}
	}
}

// What is not there is said to be not there, and what to do.
func TestMissing(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	gitIn(t, o.dir, "", "config", "uploadpack.allowFilter", "true")
	tmp := t.TempDir()
	shallow, blobless := filepath.Join(tmp, "shallow"), filepath.Join(tmp, "blobless")
	gitIn(t, "", "", "clone", "-q", "--no-checkout", "--depth=1", fileURL(o.dir), shallow)
	gitIn(t, "", "", "clone", "-q", "--no-checkout", "--filter=blob:none", fileURL(o.dir), blobless)
	gitIn(t, blobless, "", "fetch", "-q", "--filter=blob:none", "origin", o.base)
	at := func(dir string) Repository {
		return Repository{Machine: machine(), Dir: dir, Fence: dir, Temp: t.TempDir()}
	}
	for _, dir := range []string{shallow, tmp} {
		_, err := at(dir).Commit(t.Context(), o.base, "")
		if !errors.Is(err, ErrMissing) || problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "fetch-depth: 0") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	// a clone without files must not begin to fetch them by itself
	c := opened(t, at(blobless), o.base, "")
	if _, err := c.Read(t.Context(), "go.mod"); !errors.Is(err, ErrMissing) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was not cloned: %v", err)
	}
	if _, err := c.Read(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is in no tree: %v", err)
	}
	closed := "http://127.0.0.1:9/o/r.git" // nothing listens there
	for name, url := range map[string]string{"no such repository": fileURL(filepath.Join(tmp, "no")), "no such server": closed, "no such commit": fileURL(shallow)} {
		_, err := at(shallow).Commit(t.Context(), o.base, url)
		if problem.CodeOf(err) != problem.Unanswered || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "GIT_DEPTH: 0") {
			t.Errorf("%s: %v", name, err)
		}
		if reach := strings.Contains(err.Error(), "NO_PROXY"); reach != (name != "no such commit") {
			t.Errorf("%s: a word on the way there: %t: %v", name, reach, err)
		}
	}
	for _, sha := range []string{"", "main", o.base[:39], "--all", o.base + "\n", strings.ToUpper(o.base)} {
		if _, err := at(shallow).Commit(t.Context(), sha, ""); problem.CodeOf(err) != problem.Usage {
			t.Errorf("commit %q: %v", sha, err)
		}
	}
	tree := gitIn(t, o.dir, "", "rev-parse", o.base+"^{tree}")
	if _, err := at(o.dir).Commit(t.Context(), tree, ""); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "is a tree") {
		t.Errorf("a tree in a commit's place: %v", err)
	}
	empty := at(o.dir)
	empty.Machine.Lookup = func(string) (string, bool) { return "", false }
	if _, err := empty.Commit(t.Context(), o.base, ""); !errors.Is(err, ecosystem.ErrNoTool) {
		t.Errorf("without git: %v", err)
	}
	fenced := at(o.dir)
	fenced.Fence = string(filepath.Separator)
	if _, err := fenced.Commit(t.Context(), o.base, ""); !errors.Is(err, ecosystem.ErrNoTool) {
		t.Errorf("git from behind the fence: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := at(o.dir).Commit(cancelled, o.base, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// An error of git or of the file system must never look like "the base commit has no policy".
func TestBrokenIsNotAbsent(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	c := opened(t, o.repository(t), o.base, "")
	c.hangUp()
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context(), "go.mod"); err == nil || errors.Is(err, fs.ErrNotExist) || problem.CodeOf(err) == problem.Bug {
		t.Errorf("without the private directory: %v", err)
	}
	r := o.repository(t)
	r.Temp = filepath.Join(r.Temp, "no")
	if _, err := r.Commit(t.Context(), o.base, ""); problem.CodeOf(err) != problem.Usage || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a temporary directory: %v", err)
	}
	r = o.repository(t)
	if _, err := r.Commit(t.Context(), o.base, fileURL(r.Temp)); err != nil {
		t.Errorf("an address that is not needed: %v", err)
	}
}

// hostile is a checkout that an earlier job prepared. Whatever of it git obeyed would make the file "touched".
func hostile(t *testing.T, o origin) (dir, touched string) {
	t.Helper()
	dir, touched = filepath.Join(t.TempDir(), "checkout"), filepath.Join(t.TempDir(), "touched")
	gitIn(t, "", "", "clone", "-q", fileURL(o.dir), dir)
	gitIn(t, dir, "", "fetch", "-q", "origin", o.base)
	// replacements: of the commit, of its tree and of a file
	for _, spec := range []string{"", "^{tree}", ":go.mod"} {
		gitIn(t, dir, "", "update-ref", "refs/replace/"+gitIn(t, o.dir, "", "rev-parse", o.base+spec), gitIn(t, o.dir, "", "rev-parse", o.head+spec))
	}
	run := "touch '" + touched + "' #"
	for _, key := range []string{"core.fsmonitor", "core.sshCommand", "core.alternateRefsCommand", "core.pager", "core.editor", "core.askPass", "credential.helper",
		"alias.cat-file", "alias.fetch", "gpg.program", "diff.external", "filter.x.smudge", "filter.x.clean", "uploadpack.packObjectsHook"} {
		gitIn(t, dir, "", "config", key, run)
	}
	gitIn(t, dir, "", "config", "core.hooksPath", filepath.Join(dir, "hooks"))
	gitIn(t, dir, "", "config", "url."+filepath.Join(dir, "no")+".insteadOf", fileURL(o.dir))
	gitIn(t, dir, "", "config", "extensions.partialClone", "origin")
	gitIn(t, dir, "", "config", "remote.origin.url", "ext::sh -c "+strings.ReplaceAll(run, " ", "% "))
	for _, hook := range []string{"reference-transaction", "post-checkout", "pre-auto-gc", "post-index-change"} {
		for _, hooks := range []string{"hooks", ".git/hooks"} {
			write(t, filepath.Join(dir, hooks, hook), "#!/bin/sh\n"+run+"\n")
			if err := os.Chmod(filepath.Join(dir, hooks, hook), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, program := range []string{"git", "ssh", "git-remote-https", "git-cat-file", "sh"} {
		write(t, filepath.Join(dir, "bin", program), "#!/bin/sh\n"+run+"\n")
		if err := os.Chmod(filepath.Join(dir, "bin", program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, ".git", "info", "attributes"), "* filter=x diff=x export-subst\n")
	write(t, filepath.Join(dir, ".git", "info", "grafts"), o.base+" "+o.head+"\n")
	return dir, touched
}

func TestHostileCheckout(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	dir, touched := hostile(t, o)
	if got := gitIn(t, dir, "", "cat-file", "blob", o.base+":go.mod"); got != "module head" {
		t.Fatalf("git itself reads %q: the replacements do not work", got)
	}
	if _, err := os.Lstat(touched); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the preparation touched it: %v", err)
	}
	bin := filepath.Join(dir, "bin")
	path := bin + string(filepath.ListSeparator) + os.Getenv("PATH")
	extra := []string{"PATH=" + path, "HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "GIT_DIR=" + filepath.Join(dir, ".git"), "GIT_WORK_TREE=" + dir, "GIT_EXEC_PATH=" + bin,
		"GIT_OBJECT_DIRECTORY=" + filepath.Join(dir, "no"), "GIT_REPLACE_REF_BASE=refs/replace/", "GIT_CONFIG_GLOBAL=" + filepath.Join(dir, ".git", "config"),
		"GIT_TRACE=" + touched, "GIT_SSH_COMMAND=" + filepath.Join(bin, "ssh") + " -x", "GIT_ASKPASS=" + filepath.Join(bin, "ssh"), "GIT_NAMESPACE=x",
		"GIT_DEFAULT_HASH=sha256", "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=" + filepath.Join(dir, "hooks"),
		"GIT_CONFIG_KEY_1=credential.helper", "GIT_CONFIG_VALUE_1=!" + filepath.Join(bin, "ssh"), "GIT_CONFIG_PARAMETERS='core.fsmonitor'='" + bin + "/git'"}
	r := Repository{Machine: machine(extra...), Dir: dir, Fence: dir, Temp: t.TempDir()}
	c := opened(t, r, o.base, "")
	wantFiles(t, c, atBase)

	// and nothing of it is obeyed by a fetch
	if err := os.RemoveAll(filepath.Join(dir, ".git", "objects")); err != nil {
		t.Fatal(err)
	}
	c = opened(t, r, o.base, fileURL(o.dir))
	wantFiles(t, c, atBase)
	tip, err := r.Tip(t.Context(), "main", o.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, tip)
	wantFiles(t, tip, map[string]string{"go.mod": "module head\n"})
	if _, err := os.Lstat(touched); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something of the checkout was started: %v", err)
	}
}

// loose is where git keeps an object that is in no pack.
func loose(dir, hash string) string {
	return filepath.Join(dir, ".git", "objects", hash[:2], hash[2:])
}

// forge puts content in the place of an object.
func forge(t *testing.T, dir, hash, kind, content string) {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	fmt.Fprintf(w, "%s %d\x00%s", kind, len(content), content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	place(t, loose(dir, hash), b.String())
}

func place(t *testing.T, name, content string) {
	t.Helper()
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is read-only
		t.Fatal(err)
	}
	write(t, name, content)
}

// forgePack adds a pack whose index calls its one object by another hash.
func forgePack(t *testing.T, dir, hash, content string) {
	t.Helper()
	other := gitIn(t, dir, content, "hash-object", "-w", "--stdin")
	prefix := filepath.Join(dir, ".git", "objects", "pack", "pack")
	name := prefix + "-" + gitIn(t, dir, other+"\n", "pack-objects", "-q", prefix) + ".idx"
	index, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(hash)
	if err != nil {
		t.Fatal(err)
	}
	// version 2: 8 bytes of head, how many hashes begin with at most byte i, the hashes
	for i := range 256 {
		index[8+4*i+3] = 0
		if i >= int(raw[0]) {
			index[8+4*i+3] = 1
		}
	}
	copy(index[8+4*256:], raw)
	place(t, name, string(index))
	for _, h := range []string{hash, other} {
		if err := os.Remove(loose(dir, h)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestForged(t *testing.T) {
	t.Parallel()
	const weak = "mode: audit\n"
	for _, tt := range []struct {
		name  string
		forge func(t *testing.T, o origin, hash func(spec string) string)
		// atOnce: the commit is not even opened
		atOnce bool
		// code 0: git itself sees that the object is broken, and says that it is missing
		code problem.Code
	}{
		{"file", func(t *testing.T, o origin, hash func(string) string) { forge(t, o.dir, hash(":go.mod"), "blob", weak) }, false, problem.Security},
		{"file in a pack", func(t *testing.T, o origin, hash func(string) string) { forgePack(t, o.dir, hash(":go.mod"), weak) }, false, problem.Security},
		{"directory", func(t *testing.T, o origin, hash func(string) string) {
			forge(t, o.dir, hash("^{tree}"), "tree", "")
		}, false, problem.Security},
		{"commit", func(t *testing.T, o origin, hash func(string) string) {
			forge(t, o.dir, o.base, "commit", gitIn(t, o.dir, "", "cat-file", "commit", o.head))
		}, true, problem.Security},
		{"commit as a tag", func(t *testing.T, o origin, hash func(string) string) {
			forge(t, o.dir, o.base, "tag", "object "+o.head)
		}, true, problem.Security},
		{"empty file", func(t *testing.T, o origin, hash func(string) string) { place(t, loose(o.dir, o.base), "") }, true, 0},
		{"cut file", func(t *testing.T, o origin, hash func(string) string) {
			name := loose(o.dir, hash(":go.mod"))
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			place(t, name, string(data[:len(data)-3]))
		}, false, problem.Usage},
		{"no zlib", func(t *testing.T, o origin, hash func(string) string) {
			place(t, loose(o.dir, hash(":go.mod")), "hello\x1b[2J")
		}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			tt.forge(t, o, func(spec string) string { return gitIn(t, o.dir, "", "rev-parse", o.base+spec) })
			source := fileURL(newOrigin(t).dir)
			for _, url := range []string{"", source} {
				c, err := o.repository(t).Commit(t.Context(), o.base, url)
				var data []byte
				if err == nil {
					defer closed(t, c)
					data, err = c.Read(t.Context(), "go.mod")
				}
				switch {
				case tt.code == 0 && url != "": // and then a fetch makes it good
					if err != nil || string(data) != "module base\n" {
						t.Errorf("fetched: %q, %v", data, err)
					}
				case tt.code == 0 && !errors.Is(err, ErrMissing), tt.code != 0 && problem.CodeOf(err) != tt.code,
					data != nil, tt.atOnce != (c == nil), errors.Is(err, fs.ErrNotExist), strings.Contains(fmt.Sprint(err), "\x1b"):
					t.Errorf("from %q: %q, %v (exit %d, want %d)", url, data, err, problem.CodeOf(err), tt.code)
				}
			}
		})
	}
}

// An object that keeps git busy or waiting costs the time that there is, and nothing else: git is stopped, and started
// again for the next file.
func TestStuck(t *testing.T) {
	t.Parallel()
	for name, stick := range stuck {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			object := loose(o.dir, gitIn(t, o.dir, "", "rev-parse", o.base+":go.mod"))
			if err := os.Remove(object); err != nil {
				t.Fatal(err)
			}
			stick(t, object)
			c := opened(t, o.repository(t), o.base, "")
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := c.Read(ctx, "go.mod")
			if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrMissing) || problem.CodeOf(err) == problem.Bug {
				t.Errorf("got %v", err)
			}
			if data, err := c.Read(t.Context(), "a/b/c/go.sum"); err != nil || string(data) != "sum\n" {
				t.Errorf("the next file: %q, %v", data, err)
			}
		})
	}
}

// stuck puts something in an object's place.
var stuck = map[string]func(t *testing.T, name string){
	"lie about the size": func(t *testing.T, name string) { // git 2.39 never ends
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		fmt.Fprint(w, "blob 1000\x00x")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, name, b.String())
	},
}

func TestHuge(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	name := filepath.Join(t.TempDir(), "huge")
	write(t, name, "")
	hash := func(size int64) string {
		if err := os.Truncate(name, size); err != nil {
			t.Fatal(err)
		}
		return gitIn(t, o.dir, "", "-c", "core.compression=1", "hash-object", "-w", name)
	}
	fits, over, small := hash(maxObject), hash(maxObject+1), hash(3)
	sha := o.seal(t, gitIn(t, o.dir, "100644 blob "+over+"\tover\n100644 blob "+fits+"\tfits\n100644 blob "+small+"\tsmall\n", "mktree"))
	c := opened(t, o.repository(t), sha, "")
	if _, err := c.Read(t.Context(), "over"); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("got %v", err)
	}
	for name, want := range map[string]int{"small": 3, "fits": maxObject} {
		if data, err := c.Read(t.Context(), name); err != nil || len(data) != want {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	blob := func(content string) string { return gitIn(t, o.dir, content, "hash-object", "-w", "--stdin") }
	var root strings.Builder
	link := func(name, target string) {
		fmt.Fprintf(&root, "120000 blob %s\t%s\n", blob(target), name)
	}
	inner := gitIn(t, o.dir, fmt.Sprintf("100755 blob %s\tfile\n120000 blob %s\tup\n120000 blob %s\tout\n", blob("x"), blob("../sub/./file"), blob("../../etc/passwd")), "mktree")
	fmt.Fprintf(&root, "040000 tree %s\tsub\n160000 commit %s\tmodule\n", inner, o.base)
	link("c0", "sub/file")
	for i := range 9 {
		link(fmt.Sprintf("c%d", i+1), fmt.Sprintf("c%d", i))
	}
	link("dir", "sub")
	link("dirs", "sub//")
	link("self", "self")
	link("absolute", "/sub/file")
	link("nowhere", "no")
	link("none", "")
	link("module2", "module")
	link("long", strings.Repeat("./", maxTarget)+"sub/file")
	link("slash", "sub/file/")
	sha := o.seal(t, gitIn(t, o.dir, root.String(), "mktree", "--missing"))
	c := opened(t, o.repository(t), sha, "")
	for name, there := range map[string]bool{"c0": true, "c7": true, "c8": false, "c9": false, "dir/file": true, "dirs/file": true, "dir/up": true, "sub/up": true,
		"sub/out": false, "dir/out": false, "dir": false, "self": false, "self/x": false, "absolute": false, "nowhere": false, "none": false,
		"module": false, "module/x": false, "module2": false, "long": false, "slash": false, "c0/x": false} {
		data, err := c.Read(t.Context(), name)
		if there && (err != nil || string(data) != "x") || !there && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v; want there: %v", name, data, err, there)
		}
	}
	for _, dir := range []string{"sub", "dir", "dirs"} {
		names, err := c.List(t.Context(), dir)
		if diff := cmp.Diff([]string{"file", "out", "up"}, names); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", dir, err, diff)
		}
	}
	names, err := c.List(t.Context(), ".")
	if err != nil || !slices.Contains(names, "sub/") || !slices.Contains(names, "dir/") || !slices.Contains(names, "c0") || slices.Contains(names, "module") {
		t.Errorf("the root: %q, %v", names, err)
	}
	for _, dir := range []string{"c0", "sub/file", "nowhere", "self", "absolute", "module", "no/way"} {
		if names, err := c.List(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", dir, names, err)
		}
	}
	for _, dir := range []string{"", "..", "/sub", "sub/../sub", "a\x00"} {
		if _, err := c.List(t.Context(), dir); problem.CodeOf(err) != problem.Usage {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

func TestTip(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	r := o.repository(t)
	gitIn(t, o.dir, "", "update-ref", "refs/heads/release/1.x-ü", o.base)
	gitIn(t, o.dir, "", "update-ref", "refs/heads/-x", o.base)
	for branch, want := range map[string]string{"main": o.head, "release/1.x-ü": o.base, "-x": o.base} {
		c, err := r.Tip(t.Context(), branch, fileURL(o.dir))
		if err != nil {
			t.Errorf("%s: %v", branch, err)
			continue
		}
		defer closed(t, c)
		if c.SHA() != want {
			t.Errorf("%s is %s, want %s", branch, c.SHA(), want)
		}
	}
	for _, branch := range []string{"", "a b", "a..b", "a:refs/heads/b", "*", "re*", "^main", "a~1", "/a", "a/", "a//b", ".a", "a.lock", "a.", "a@{1}", "a\nb", "a\\b", strings.Repeat("a", 2000)} {
		if _, err := r.Tip(t.Context(), branch, fileURL(o.dir)); problem.CodeOf(err) != problem.Usage {
			t.Errorf("branch %q: %v", branch, err)
		}
	}
	if _, err := r.Tip(t.Context(), "none", fileURL(o.dir)); problem.CodeOf(err) != problem.Unanswered || !strings.Contains(err.Error(), "none") {
		t.Errorf("no such branch: %v", err)
	}
	if _, err := r.Tip(t.Context(), "main", ""); problem.CodeOf(err) != problem.Usage {
		t.Errorf("no address: %v", err)
	}
	if left, _ := os.ReadDir(r.Temp); len(left) != 3 {
		t.Errorf("%d private directories, want those of the 3 open commits", len(left))
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]remote{
		"https://git.test/a.git":                        {url: "https://git.test/a.git"},
		"https://job:glpat%2Fx@git.test:8443/a.git":     {url: "https://git.test:8443/a.git", credentials: "https://job:glpat%2Fx@git.test:8443\n"},
		"https://ghp_token@git.test/a.git":              {url: "https://git.test/a.git", credentials: "https://ghp_token:@git.test\n"},
		"ssh://git:hunter22@git.test/a.git":             {url: "ssh://git@git.test/a.git"},
		"git@git.test:a/b.git":                          {url: "git@git.test:a/b.git"},
		fileURL(filepath.FromSlash("/srv/a \"b\\.git")): {},
	} {
		got, err := newRemote(address)
		if want.url == "" {
			if err == nil {
				t.Errorf("%s is taken", address)
			}
			continue
		}
		if err != nil || got.url != want.url || got.credentials != want.credentials {
			t.Errorf("%s: %+v, %v", address, got, err)
		}
	}
	for _, address := range []string{"ext::sh -c x", "git://git.test/a", "https://git.test/a\n[core]\nx=y", "a/b", "../a", "-x", "ftp://git.test/a", "https://a:b@c@git.test/", "javascript:x"} {
		if r, err := newRemote(address); err == nil {
			t.Errorf("%q is taken: %+v", address, r)
		} else if strings.Contains(err.Error(), "a:b") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
	if got := (remote{url: `/a"b\c`}).config(); got != "[remote \"goproxy-action\"]\n\turl = \"/a\\\"b\\\\c\"\n" {
		t.Errorf("the configuration is %q", got)
	}
}

func TestEnviron(t *testing.T) {
	t.Parallel()
	fence := t.TempDir()
	in := func(name string) string { return filepath.Join(fence, name) }
	r := Repository{Fence: fence}
	env := []string{"PATH=/bin", "HTTPS_PROXY=http://p.test", "HOME=" + in("home"), "SSH_ASKPASS=" + in("ask"), "GIT_DIR=/x", "GIT_EXEC_PATH=/x", "GIT_TRACE=1",
		"GIT_ALTERNATE_OBJECT_DIRECTORIES=/x", "GIT_CONFIG_GLOBAL=/x", "GIT_CONFIG_PARAMETERS='a.b'='c'", "GIT_SSL_CAINFO=/etc/ca.pem", "GIT_SSL_CERT=" + in("cert"),
		"GIT_SSH_COMMAND=ssh -i " + fence + ".key", "GIT_SSH=" + in("ssh"), "GIT_CONFIG_COUNT=4", "GIT_CONFIG_KEY_0=core.sshCommand", "GIT_CONFIG_VALUE_0=\"" + in("ssh") + "\" -v",
		"GIT_CONFIG_KEY_1=http.proxy", "GIT_CONFIG_VALUE_1=http://p.test", "GIT_CONFIG_KEY_2=include.path", "GIT_CONFIG_VALUE_2=" + in("x"),
		"GIT_CONFIG_KEY_3=http.sslCAInfo", "GIT_CONFIG_VALUE_3=" + fence + ".tmp/ca.pem"}
	r.Machine = ecosystem.Machine{Environ: env, Lookup: func(name string) (string, bool) {
		for _, pair := range env {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}}
	if d := cmp.Diff([]string{"PATH=/bin", "HTTPS_PROXY=http://p.test"}, r.environ(false)); d != "" {
		t.Errorf("to read (-want +got):\n%s", d)
	}
	want := []string{"PATH=/bin", "HTTPS_PROXY=http://p.test", "GIT_SSL_CAINFO=/etc/ca.pem", "GIT_SSH_COMMAND=ssh -i " + fence + ".key",
		"GIT_CONFIG_KEY_0=http.proxy", "GIT_CONFIG_VALUE_0=http://p.test", "GIT_CONFIG_KEY_1=http.sslCAInfo", "GIT_CONFIG_VALUE_1=" + fence + ".tmp/ca.pem", "GIT_CONFIG_COUNT=2"}
	if d := cmp.Diff(want, r.environ(true)); d != "" {
		t.Errorf("to fetch (-want +got):\n%s", d)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("\x01", 20)
	for name, tt := range map[string]struct {
		data string
		want []entry
	}{
		"empty":        {"", nil},
		"zero-padded":  {"040000 a\x00" + hash + "100644 b\x00" + hash, []entry{{0o40000, "a", strings.Repeat("01", 20)}, {0o100644, "b", strings.Repeat("01", 20)}}},
		"with a space": {"100644 a b\x00" + hash, []entry{{0o100644, "a b", strings.Repeat("01", 20)}}},
	} {
		got, err := parseTree([]byte(tt.data), 20)
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(entry{})); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
	for _, bad := range []string{"100644", "100644 a", "100644 a\x00" + hash[1:], "100644 \x00" + hash, "100644\x00" + hash, "x a\x00" + hash, "-1 a\x00" + hash, "888 a\x00" + hash,
		"7777777777777777 a\x00" + hash, " a\x00" + hash, "100644 a/b\x00" + hash, "100644 a\x00" + hash + "40000 a\x00" + hash} {
		if got, err := parseTree([]byte(bad), 20); err == nil {
			t.Errorf("%q is taken: %v", bad, got)
		}
	}
}

// What is read of a tree, written again, is the tree.
func FuzzTree(f *testing.F) {
	f.Add([]byte("100644 go.mod\x00"+strings.Repeat("\x01", 20)+"40000 dir\x00"+strings.Repeat("\x00", 20)), false)
	f.Add([]byte("120000 l\x00"+strings.Repeat("\xff", 32)), true)
	f.Add([]byte("040000 \xff\x00"), false)
	f.Fuzz(func(t *testing.T, data []byte, long bool) {
		size := 20
		if long {
			size = 32
		}
		entries, err := parseTree(data, size)
		if err != nil {
			return
		}
		rest := data
		for _, e := range entries {
			raw, err := hex.DecodeString(e.hash)
			if err != nil || len(raw) != size || e.name == "" || strings.ContainsAny(e.name, "/\x00") {
				t.Fatalf("%+v", e)
			}
			tail := append([]byte(fmt.Sprintf("%o %s\x00", e.mode, e.name)), raw...)
			rest = bytes.TrimLeft(rest, "0")
			if e.mode == 0 {
				tail = tail[1:]
			}
			var ok bool
			if rest, ok = bytes.CutPrefix(rest, tail); !ok {
				t.Fatalf("%+v is not what stands there", e)
			}
		}
		if len(rest) != 0 {
			t.Fatalf("%d bytes were passed over", len(rest))
		}
	})
}

// BenchmarkRead opens a commit of the checkout's own and reads 5 files.
func BenchmarkRead(b *testing.B) {
	o := newOrigin(b)
	files := map[string]string{}
	for i := range 5 {
		files[fmt.Sprintf("a/b/%d/go.sum", i)] = strings.Repeat("golang.org/x/mod v0.1.0 h1:abc\n", 2000)
	}
	sha := o.commit(b, files)
	r := o.repository(b)
	for b.Loop() {
		c, err := r.Commit(b.Context(), sha, "")
		if err != nil {
			b.Fatal(err)
		}
		for name, content := range files {
			if data, err := c.Read(b.Context(), name); err != nil || len(data) != len(content) {
				b.Fatal(len(data), err)
			}
		}
		c.Close()
	}
}

// A submodule is of the repository that holds it; a worktree is none, nor is a repository that lies in another.
func TestRoot(t *testing.T) {
	t.Parallel()
	outer, sub := t.TempDir(), t.TempDir()
	for _, dir := range []string{outer, sub} {
		gitIn(t, dir, "", "init", "-q")
		gitIn(t, dir, "", "commit", "-q", "--allow-empty", "-m", "x")
	}
	gitIn(t, outer, "", "submodule", "--quiet", "add", fileURL(sub), "a/sub")
	gitIn(t, outer, "", "worktree", "add", "-q", "--detach", "wt")
	gitIn(t, outer, "", "init", "-q", "other")
	at := func(name string) string { return filepath.Join(outer, filepath.FromSlash(name)) }
	for dir, want := range map[string]string{".": ".", "a": ".", "a/sub": ".", "a/sub/x": ".", "wt": "wt", "wt/x": "wt", "other/x": "other"} {
		if got := Root(at(dir), outer); got != at(want) {
			t.Errorf("%s: %s, want %s", dir, got, at(want))
		}
	}
	if got := Root(at("a/sub"), at("a")); got != at("a/sub") {
		t.Errorf("nothing holds it: %s", got)
	}
	if got := Root(at("a"), at("a")); got != "" {
		t.Errorf("no repository: %s", got)
	}
}
