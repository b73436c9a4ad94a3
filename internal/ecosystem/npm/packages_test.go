package npm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
)

// Packages are told one by one, each with what its group says of it, only where they are asked for.
func TestPackages(t *testing.T) {
	t.Parallel()
	at := func(line, column int) lockfile.Position {
		return lockfile.Position{File: "package-lock.json", Line: line, Column: column}
	}
	sum := "sha512-" + strings.Repeat("A", 86) + "=="
	e := open(t, machine(), map[string]string{"package-lock.json": `{"lockfileVersion": 3, "packages": {
"": {"name": "app"},
"node_modules/a": {"version": "1.0.0", "integrity": "` + sum + `"},
"node_modules/@s/b": {"version": "2.0.0-rc.1", "resolved": "http://b.test:8080/@s/b/-/b-2.0.0-rc.1.tgz", "hasInstallScript": true},
"node_modules/c": {"version": "git+ssh://git:secret@github.com/c/c.git#0123456789012345678901234567890123456789"},
"node_modules/d": {"name": "e", "version": "3.0.0", "resolved": "file:e.tgz", "integrity": "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
}}`})
	in := decide.Input{Each: true}
	e.Fill(&in, nil)
	want := []decide.Package{
		{Ecosystem: "npm", Name: "a", Version: "1.0.0", Purl: "pkg:npm/a@1.0.0", Kind: "registry", Integrity: "sha512", Position: at(3, 1)},
		{Ecosystem: "npm", Name: "@s/b", Version: "2.0.0-rc.1", Purl: "pkg:npm/%40s/b@2.0.0-rc.1", Host: "b.test:8080", Kind: "registry", Integrity: "none", Script: true, Position: at(4, 60)},
		{Ecosystem: "npm", Name: "c", Purl: "pkg:npm/c", Host: "github.com", Kind: "git", Integrity: "none", Position: at(5, 31)},
		{Ecosystem: "npm", Name: "e", Version: "3.0.0", Purl: "pkg:npm/e@3.0.0", Kind: "file", Integrity: "sha1", Position: at(6, 65)},
	}
	if diff := cmp.Diff(want, in.Packages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in = decide.Input{}
	if e.Fill(&in, nil); in.Packages != nil {
		t.Errorf("nobody asked for %v", in.Packages)
	}
}

// The packages of a lock file of each manager are as many as its groups say, and of the same kinds.
func TestPackagesOfAllManagers(t *testing.T) {
	t.Parallel()
	var files []string
	for _, f := range formats {
		found, err := filepath.Glob("../../../testdata/npm/*/" + f.name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 12 {
		t.Fatalf("found only %v", files)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		in := decide.Input{Each: true}
		open(t, machine(), map[string]string{filepath.Base(file): string(text)}).Fill(&in, nil)
		type class struct{ kind, integrity string }
		want, got := map[class]int{}, map[class]int{}
		for _, g := range in.Entries {
			want[class{g.Kind, g.Integrity}] += g.Count
		}
		for _, p := range in.Packages {
			got[class{p.Kind, p.Integrity}]++
			if p.Name == "" || p.Purl == "" || p.Line == 0 {
				t.Errorf("%s: %+v", file, p)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("%s (-groups +packages):\n%s", file, diff)
		}
	}
}
