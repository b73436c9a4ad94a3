package lockfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func TestWalk(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"go.mod": "", "b/go.mod": "", "a/x/go.mod": "", "vendor/x/go.mod": "", "node_modules/y/go.mod": "",
		"testdata/go.mod": "", ".hidden/go.mod": "", "_old/go.mod": "", "a/other.txt": ""})
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir, "", "go.mod", "go.sum")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if diff := cmp.Diff([]string{"go.mod", "b/go.mod", "a/x/go.mod"}, c.Files("go.mod")); diff != "" {
		t.Error(diff)
	}
	base := c.At(map[string][]byte{"b/go.mod": nil, "c/go.mod": []byte("module c")})
	if diff := cmp.Diff([]string{"go.mod", "c/go.mod", "a/x/go.mod"}, base.Files("go.mod")); diff != "" {
		t.Error(diff)
	}
	if f, err := base.Read("c/go.mod", 0); err != nil || string(f.Data) != "module c" {
		t.Errorf("%q, %v", f.Data, err)
	}
	names, err := c.List(".")
	slices.Sort(names)
	if diff := cmp.Diff([]string{".hidden/", "_old/", "a/", "b/", "go.mod", "loop", "node_modules/", "testdata/", "vendor/"}, names); err != nil || diff != "" {
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
