//go:build unix

package lockfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/org/goproxy-action/internal/problem"
)

// A hostile checkout reaches nothing outside, and no read hangs or fills the memory.
func TestReadHostile(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{"secret": "top secret"})
	dir := tree(t, map[string]string{"fine": "hello", "sub/fine": "x"})
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link(filepath.Join(outside, "secret"), "absolute")
	link("../"+filepath.Base(filepath.Dir(outside))+"/x", "relative")
	link("nowhere", "dangling")
	link("fine", "inside")
	link("self", "self")
	link(outside, "dir")
	if err := os.MkdirAll(filepath.Join(dir, ".x/app"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".x/app/wanted"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link(".x/app", "app")
	link(".", "loop")
	big, err := os.Create(filepath.Join(dir, "big"))
	if err != nil {
		t.Fatal(err)
	}
	if err := big.Truncate(200 << 20); err != nil {
		t.Fatal(err)
	}
	big.Close()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}

	c, err := Open(dir, "", "wanted", "secret")
	if err != nil {
		t.Fatal(err)
	}
	// a directory behind a link counts where it lies inside, since tools that are started there follow the link
	if got := append(c.Files("wanted"), c.Files("secret")...); len(got) != 1 || got[0] != "app/wanted" {
		t.Errorf("found %q", got)
	}
	// a workspace is not left by a link in the name of the directory
	link(outside, "out")
	if _, err := Open(filepath.Join(dir, "out"), dir); problem.CodeOf(err) != problem.Usage {
		t.Errorf("a link out of the workspace: %v", err)
	}
	if in, err := Open(filepath.Join(dir, "app"), dir, "wanted"); err != nil || len(in.Files("wanted")) != 1 {
		t.Errorf("a link inside the workspace: %v", err)
	} else {
		in.Close()
	}
	defer c.Close()
	for name, want := range map[string]string{
		"absolute": "symbolic link", "relative": "symbolic link", "dangling": "symbolic link", "self": "symbolic link", "dir/secret": "symbolic link",
		"big": "200 MB, and at most 64 MB", "pipe": "named pipe", "sub": "directory", "../" + filepath.Base(outside) + "/secret": "escapes",
	} {
		f, err := c.Read(name, 0)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "top secret") {
			t.Errorf("Read(%s) = %q, %v, want %q", name, f.Data, err, want)
		}
		if problem.CodeOf(err) != problem.Usage {
			t.Errorf("Read(%s): code %d", name, problem.CodeOf(err))
		}
	}
	if _, err := c.Read("missing", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if f, err := c.Read("inside", 0); err != nil || !f.Linked || string(f.Data) != "hello" {
		t.Errorf("a link inside: %+v, %v", f, err)
	}
	if f, err := c.Read("fine", 0); err != nil || f.Linked {
		t.Errorf("a file: %+v, %v", f, err)
	}
	if _, err := Open(filepath.Join(dir, "nowhere"), ""); problem.CodeOf(err) != problem.Usage {
		t.Errorf("no directory: %v", err)
	}
}
