//go:build unix

package machine

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A pipe in a file's place, or behind a link, is not opened: nobody would ever write into it.
func TestPipe(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	home := filepath.Join(root, "home/u")
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(home, ".npmrc"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{".gitconfig": ".npmrc", ".yarnrc": "/dev/null"} {
		if err := os.Symlink(to, filepath.Join(home, link)); err != nil {
			t.Fatal(err)
		}
	}
	r := Read(Options{OS: "linux", Home: "/home/u", Root: root})
	want := []string{"~/.gitconfig is not a regular file, so that its settings are not known", "~/.npmrc is not a regular file, so that its settings are not known", "~/.yarnrc is not a regular file, so that its settings are not known"}
	if diff := cmp.Diff(want, r.Notes); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkRead reads a machine with a file in nearly every place.
func BenchmarkRead(b *testing.B) {
	root := b.TempDir()
	w := planted("hunter2")
	for name, text := range w.files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	o := Options{OS: "linux", Home: "/home/u", Root: root, Fence: "/work", Lookup: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok }}
	for b.Loop() {
		Read(o)
	}
}
