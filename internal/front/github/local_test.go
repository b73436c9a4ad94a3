package github

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/problem"
)

// gitIn runs git in dir.
func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@a.test", "-c", "init.defaultBranch=main", "-c", "gc.auto=0"}, args...)...)
	cmd.Dir = dir
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GIT_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// repository has a base commit and one that follows.
func repository(t *testing.T, dir string) (base string) {
	t.Helper()
	gitIn(t, "", "init", "-q", dir)
	for _, content := range []string{"module base\n", "module head\n"} {
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		gitIn(t, dir, "add", "go.mod")
		gitIn(t, dir, "commit", "-q", "-m", "x")
	}
	return gitIn(t, dir, "rev-parse", "HEAD~1")
}

// step is a step of a pull request's job on a runner with git.
func step(t *testing.T, base, workspace, directory string, answers map[string]http.HandlerFunc) (f *front.Front, p *played, temp string) {
	t.Helper()
	p, temp = &played{answers: answers}, t.TempDir()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	f, err := New(machine(map[string]string{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": file(t, strings.Replace(pullEvent, baseSHA, base, 1)),
		"GITHUB_REPOSITORY": "org/repo", "GITHUB_API_URL": server.URL, "GITHUB_WORKSPACE": workspace, "RUNNER_TEMP": temp, "INPUT_DIRECTORY": directory,
		"PATH": os.Getenv("PATH")}), &strings.Builder{}, &strings.Builder{}, server.Client(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return f, p, temp
}

// A base commit that the checkout has is read from there, and GitHub is not asked.
func TestLocal(t *testing.T) {
	t.Parallel()
	workspace, nested := t.TempDir(), t.TempDir()
	base := repository(t, workspace)
	inner := repository(t, filepath.Join(nested, "checkout"))
	for _, dir := range []string{filepath.Join(workspace, "a", "b"), filepath.Join(nested, "checkout", "a")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ base, workspace, directory string }{
		{base, workspace, ""}, {base, workspace, "."}, {base, workspace, "a/b"}, {base, workspace, filepath.Join(workspace, "a")}, {base, workspace, "no"},
		{inner, nested, "checkout"}, {inner, nested, "checkout/a"},
	} {
		f, p, temp := step(t, tt.base, tt.workspace, tt.directory, nil)
		b, err := f.Base(t.Context())
		if err != nil {
			t.Errorf("%q: %v", tt.directory, err)
			continue
		}
		data, err := b.Read(t.Context(), "go.mod")
		if err != nil || string(data) != "module base\n" || b.Changed != nil || b.Commit != tt.base {
			t.Errorf("%q: %q, %v, changed %v, commit %s", tt.directory, data, err, b.Changed, b.Commit)
		}
		if _, err := b.Read(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", tt.directory, err)
		}
		b.Close()
		if asked, _ := p.seen(); len(asked) > 0 {
			t.Errorf("%q: asked %v", tt.directory, asked)
		}
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("%q: left %v, %v", tt.directory, left, err)
		}
	}
}

// Where the checkout lacks the commit or a file of it, GitHub is asked.
func TestLocalLacks(t *testing.T) {
	t.Parallel()
	origin, workspace, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	base := repository(t, origin)
	gitIn(t, origin, "config", "uploadpack.allowFilter", "true")
	gitIn(t, "", "clone", "-q", "--depth=1", "file://"+filepath.ToSlash(origin), filepath.Join(workspace, "shallow"))
	gitIn(t, "", "clone", "-q", "--filter=blob:none", "file://"+filepath.ToSlash(origin), filepath.Join(workspace, "blobless"))
	contents := func(path string) string { return "/repos/org/repo/contents/" + path + "?ref=" + base }
	answers := map[string]http.HandlerFunc{files: ok(list(entryOf("go.mod", "", "modified", headSHA))), contents("go.mod"): raw("module base\n")}
	for directory, want := range map[string][]string{
		"shallow": {files, contents("go.mod")}, "": {files, contents("go.mod")}, elsewhere: {files, contents("go.mod")}, "..": {files, contents("go.mod")},
		origin: {files, contents("go.mod")}, "blobless": {contents("go.mod")},
	} {
		f, p, _ := step(t, base, workspace, directory, answers)
		b, err := f.Base(t.Context())
		if err != nil {
			t.Errorf("%q: %v", directory, err)
			continue
		}
		if data, err := b.Read(t.Context(), "go.mod"); err != nil || string(data) != "module base\n" {
			t.Errorf("%q: %q, %v", directory, data, err)
		}
		if b.Close != nil {
			b.Close()
		}
		if asked, _ := p.seen(); fmt.Sprint(asked) != fmt.Sprint(want) {
			t.Errorf("%q: asked %v, want %v", directory, asked, want)
		}

		f, p, _ = step(t, base, workspace, directory, answers)
		if b, err = f.BaseHere(t.Context()); err == nil {
			_, err = b.Read(t.Context(), "go.mod")
			b.Close()
		}
		if asked, _ := p.seen(); err == nil || errors.Is(err, fs.ErrNotExist) || len(asked) > 0 {
			t.Errorf("%q, without a network: asked %v, %v", directory, asked, err)
		}
	}
}

// A commit in the checkout that is not what its hash says ends the search.
func TestLocalForged(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"HEAD~1", "HEAD~1:go.mod"} {
		workspace := t.TempDir()
		base := repository(t, workspace)
		object, other := gitIn(t, workspace, "rev-parse", spec), gitIn(t, workspace, "rev-parse", strings.Replace(spec, "HEAD~1", "HEAD", 1))
		loose := func(hash string) string { return filepath.Join(workspace, ".git", "objects", hash[:2], hash[2:]) }
		if err := os.Remove(loose(object)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(loose(other), loose(object)); err != nil {
			t.Fatal(err)
		}
		f, p, _ := step(t, base, workspace, "", map[string]http.HandlerFunc{files: ok("[]")})
		b, err := f.Base(t.Context())
		if err == nil {
			defer b.Close()
			_, err = b.Read(t.Context(), "go.mod")
		}
		if problem.CodeOf(err) != problem.Security || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", spec, err)
		}
		if asked, _ := p.seen(); len(asked) > 0 {
			t.Errorf("%s: asked %v", spec, asked)
		}
	}
}
