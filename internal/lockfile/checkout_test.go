package lockfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
)

func tree(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, data := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// However many names a directory has, no more are asked for than may be.
func TestWalkOfManyNames(t *testing.T) {
	t.Parallel()
	c, err := Open(tree(t, map[string]string{"a/1": "", "a/2": "", "a/go.mod": "", "b": ""}), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.walk(map[string]bool{"go.mod": true}, 5); err != nil || len(c.Files("go.mod")) != 1 {
		t.Errorf("five: %v, %v", c.Files("go.mod"), err)
	}
	if err := c.walk(nil, 4); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "more than 4 files and directories") {
		t.Errorf("more than four: %v", err)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "", "b/go.mod": "", "a/x/go.mod": "", "vendor/x/go.mod": "", "node_modules/y/go.mod": "",
		"testdata/go.mod": "", ".hidden/go.mod": "", "_old/go.mod": "", "a/other.txt": "", ".github/actions/a/go.mod": "", ".git/x/go.mod": ""})
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir, "", "go.mod", "go.sum")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if diff := cmp.Diff([]string{"go.mod", "b/go.mod", "a/x/go.mod", ".github/actions/a/go.mod"}, c.Files("go.mod")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"not judged, since in hidden, vendored or test data directories: .hidden/go.mod, _old/go.mod, testdata/go.mod and 1 more"}, c.Notes); diff != "" {
		t.Error(diff)
	}
	base := c.At(map[string][]byte{"b/go.mod": nil, "c/go.mod": []byte("module c")})
	if diff := cmp.Diff([]string{"go.mod", "c/go.mod", "a/x/go.mod", ".github/actions/a/go.mod"}, base.Files("go.mod")); diff != "" {
		t.Error(diff)
	}
	if f, err := base.Read("c/go.mod", 0); err != nil || string(f.Data) != "module c" {
		t.Errorf("%q, %v", f.Data, err)
	}
	names, err := c.List(".")
	slices.Sort(names)
	if diff := cmp.Diff([]string{".git/", ".github/", ".hidden/", "_old/", "a/", "b/", "go.mod", "loop", "node_modules/", "testdata/", "vendor/"}, names); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, name := range []string{"go.mod", "nowhere", "go.mod/x"} {
		if names, err := c.List(name); err == nil {
			t.Errorf("%s: %q", name, names)
		}
	}
	if _, err := base.Read("b/go.mod", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted at the base: %v", err)
	}
}

// A link leads astray wherever it stands in a path; what is not there does not.
func TestEscapes(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "", "a/x/go.mod": ""})
	for name, target := range map[string]string{"in": "a", "out": t.TempDir(), "a/up": "../..", "nowhere": "gone", "loop": "loop", "here": "."} {
		if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, want := range map[string]bool{".": false, "a/x": false, "b/c": false, "in/x": false, "in/y/z": false, "here/here/a": false,
		"out": true, "out/x": true, "a/up": true, "in/up/x": true, "nowhere": true, "loop/x": true} {
		if got := c.Escapes(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
