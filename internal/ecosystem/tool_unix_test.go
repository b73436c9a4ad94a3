//go:build unix

package ecosystem

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPresentable(t *testing.T) {
	t.Parallel()
	c := Child{Environ: []string{"GOPROXY=https://user:hunter22@a.test,direct", "NODE_AUTH_TOKEN=npm_abcdef", "X=1"}}
	got := c.Presentable(strings.Repeat("x", 500) + "\n\x1b[31m hunter22 npm_abcdef https://q:z@b.test/ dXNlcjpodW50ZXIyMg==\n")
	for _, bad := range []string{"hunter22", "npm_abcdef", "q:z", "dXNlcjpodW50ZXIyMg", "\x1b"} {
		if strings.Contains(got, bad) {
			t.Errorf("shows %q: %q", bad, got)
		}
	}
	if len(got) > 450 {
		t.Errorf("%d bytes", len(got))
	}
	var end tail
	for range 100 {
		if n, err := io.Copy(&end, strings.NewReader(strings.Repeat("y", 5000))); n != 5000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if end.end.Len() != tailSize || end.text() != "" {
		t.Errorf("kept %d bytes, text %q", end.end.Len(), end.text())
	}
}

// Nothing of the checkout is started, by whatever way the PATH leads there.
func TestTool(t *testing.T) {
	t.Parallel()
	checkout, machine := t.TempDir(), t.TempDir()
	program := func(dir string) string {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	inside, outside := program(filepath.Join(checkout, "bin")), program(filepath.Join(machine, "bin"))
	link := func(name, target string) string {
		dir := filepath.Join(machine, name)
		if err := os.Symlink(target, dir); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	linked := link("linked", inside)
	single := filepath.Join(machine, "single")
	if err := os.Mkdir(single, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(inside, "go"), filepath.Join(single, "go")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"": "", "bin": "", ".": "", inside: "", linked: "", single: "",
		strings.Join([]string{".", inside, linked, single, outside}, string(filepath.ListSeparator)): filepath.Join(outside, "go"),
	} {
		m := Machine{OS: "linux", Lookup: func(string) (string, bool) { return path, true }}
		if exe, _ := m.Tool(checkout, "go"); exe != want {
			t.Errorf("PATH=%s: %q, want %q", path, exe, want)
		}
	}
	out, _, err := Child{Exe: "/bin/sh", Args: []string{"-c", "echo $PATH"}, Dir: machine, Checkout: checkout,
		Environ: []string{"PATH=.:" + inside + ":" + outside}}.Run(t.Context())
	if err != nil || strings.TrimSpace(string(out)) != outside {
		t.Errorf("a child's PATH is %q, %v", out, err)
	}
}
