package golang

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
)

// The module cache is where the go command would look for it.
func TestCacheDir(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	at := func(elem ...string) string { return filepath.Join(append([]string{base}, elem...)...) }
	file := at("env")
	if err := os.WriteFile(file, []byte("GOMODCACHE="+at("of-file")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	home := "HOME"
	if runtime.GOOS == "windows" {
		home = "USERPROFILE"
	}
	for name, tt := range map[string]struct {
		env  map[string]string
		want string
	}{
		"none":            {nil, ""},
		"home":            {map[string]string{home: at("h")}, at("h", "go", "pkg", "mod")},
		"GOPATH":          {map[string]string{home: at("h"), "GOPATH": at("p") + string(filepath.ListSeparator) + at("q")}, at("p", "pkg", "mod")},
		"GOMODCACHE":      {map[string]string{"GOPATH": at("p"), "GOMODCACHE": at("m"), "GOENV": file}, at("m")},
		"go env -w":       {map[string]string{"GOPATH": at("p"), "GOENV": file}, at("of-file")},
		"a relative path": {map[string]string{"GOMODCACHE": "mod"}, ""},
	} {
		v, err := read(machine(t, tt.env), checkout(t, oneModule))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.cacheDir(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	// a file of the checkout does not say where to look
	co := checkout(t, map[string]string{"go.mod": oneModule["go.mod"], "go.sum": oneModule["go.sum"], "env": "GOMODCACHE=/etc\n"})
	v, err := read(machine(t, map[string]string{"GOENV": filepath.Join(co.Dir(), "env")}), co)
	if err != nil || v.cacheDir() != "" {
		t.Errorf("%v %q", err, v.cacheDir())
	}
	m := machine(t, map[string]string{"GOMODCACHE": at("m")})
	m.RepoOnly = true
	if v, err := read(m, checkout(t, oneModule)); err != nil || v.cacheDir() != "" {
		t.Errorf("%v %q", err, v.cacheDir())
	}
}

// What is no file of a module cache is a fault, and never read.
func TestCacheFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	write := func(name, data string) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cache/download/a.test/x/@v/v1.0.0.zip", "PK")
	write("cache/download/a.test/x/@v/v1.0.0.mod", "module a.test/x\n")
	if err := os.MkdirAll(filepath.Join(dir, "cache/download/a.test/x/@v/v1.0.0.ziphash"), 0o700); err != nil {
		t.Fatal(err)
	}
	hash := modSum([]byte("module a.test/x\n"))
	held, found := modCache{root}.compare(context.Background(), []checksumdb.Line{{Module: "a.test/x", Version: "v1.0.0", Hash: hash},
		{Module: "a.test/x", Version: "v1.0.0/go.mod", Hash: hash}, {Module: "../x", Version: "v1.0.0", Hash: hash},
		{Module: "a.test/y", Version: "v1.0.0", Hash: hash}, {Module: "a.test/x", Version: "v1.0.0", Hash: "h2:x"}})
	var faults []string
	for _, f := range found {
		faults = append(faults, strings.TrimPrefix(f.Path, dir+string(filepath.Separator))+": "+f.Fault)
	}
	at := filepath.FromSlash("cache/download/a.test/x/@v/v1.0.0.")
	want := []string{at + "ziphash: cannot be read in the module cache (it holds what is no regular file)",
		at + "zip: cannot be read in the module cache (zip: not a valid zip file)"}
	if diff := cmp.Diff(want, faults); diff != "" || held != 2 {
		t.Errorf("%d %s", held, diff)
	}
}

// Vendored modules are told by what is really in the directory: a replacement, and nothing local.
func TestLogVendored(t *testing.T) {
	t.Parallel()
	e := read1(t, nil, map[string]string{
		"go.mod": "module a.test/a\n\ngo 1.26\n\nrequire (\n\tb.test/b v1.0.0\n\tc.test/c v1.0.0\n\td.test/d v1.0.0\n)\n\nreplace (\n\tc.test/c => e.test/e v1.2.0\n\td.test/d => ./d\n)\n",
		"go.sum": "b.test/b v1.0.0 " + "h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\n",
		"vendor/modules.txt": "# b.test/b v1.0.0\n## explicit\nb.test/b\n# c.test/c v1.0.0 => e.test/e v1.2.0\n## explicit\nc.test/c\n# d.test/d v1.0.0 => ./d\n## explicit\nd.test/d\n" +
			"# c.test/c => e.test/e v1.2.0\n# d.test/d => ./d\n",
	})
	line := func(path, version string, n int) ecosystem.LogLine {
		return ecosystem.LogLine{Line: checksumdb.Line{Module: path, Version: version}, At: lockfile.Position{File: "vendor/modules.txt", Line: n, Column: 3}}
	}
	if diff := cmp.Diff([]ecosystem.LogLine{line("b.test/b", "v1.0.0", 1), line("e.test/e", "v1.2.0", 4)}, e.Log.Vendored); diff != "" {
		t.Error(diff)
	}
}

// What cannot be read of a base commit's lines is as if it were not there.
func TestLogLines(t *testing.T) {
	t.Parallel()
	const hash = "h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0="
	co := checkout(t, map[string]string{"go.sum": "a.test/x v1.0.0 " + hash + "\n", "b/go.sum": "broken\n", "go.work.sum": "a.test/y v1.0.0/go.mod " + hash + "\n"})
	want := []checksumdb.Line{{Module: "a.test/x", Version: "v1.0.0", Hash: hash}, {Module: "a.test/y", Version: "v1.0.0/go.mod", Hash: hash}}
	if diff := cmp.Diff(want, LogLines(co)); diff != "" {
		t.Error(diff)
	}
}
