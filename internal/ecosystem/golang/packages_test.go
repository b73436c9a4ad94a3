package golang

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
)

func TestPackages(t *testing.T) {
	t.Parallel()
	e := read1(t, nil, map[string]string{"go.mod": "module a.test/app\n\ngo 1.26\n\nrequire (\n\ta.test/b v1.0.0\n\ta.test/C/v2 v2.0.0-20240102030405-0123456789ab // indirect\n\ta.test/d v1.0.0\n)\n\n" +
		"replace a.test/d => b.test/d v1.1.0-rc.1\n"})
	in := decide.Input{Each: true}
	e.Fill(&in, nil)
	at := func(line, column int) lockfile.Position {
		return lockfile.Position{File: "go.mod", Line: line, Column: column}
	}
	want := []decide.Package{
		{Ecosystem: "go", Name: "a.test/b", Version: "v1.0.0", Purl: "pkg:golang/a.test/b@v1.0.0", Kind: "release", Position: at(6, 2)},
		{Ecosystem: "go", Name: "a.test/C/v2", Version: "v2.0.0-20240102030405-0123456789ab", Purl: "pkg:golang/a.test/C/v2@v2.0.0-20240102030405-0123456789ab", Kind: "pseudo", Position: at(7, 2)},
		{Ecosystem: "go", Name: "b.test/d", Version: "v1.1.0-rc.1", Purl: "pkg:golang/b.test/d@v1.1.0-rc.1", Kind: "prerelease", Position: at(11, 1)},
	}
	if diff := cmp.Diff(want, in.Packages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in = decide.Input{}
	if e.Fill(&in, nil); in.Packages != nil {
		t.Errorf("nobody asked for %v", in.Packages)
	}
}

// Lines of which no rule of ours wants to know more than whether they are bad are told as they are.
func TestDirectives(t *testing.T) {
	t.Parallel()
	e := read1(t, nil, map[string]string{
		"go.mod":  "module a.test/app\n\ngo 1.26\n\ntoolchain go1.26.8\n\ngodebug (\n\tdefault=go1.25\n\ttls10server=1\n)\n\nretract (\n\tv1.0.0 // it leaks\n\t[v1.1.0, v1.2.0]\n)\n",
		"go.work": "go 1.26.1\ngodebug x509sha1=1\nuse .\n",
	})
	var in decide.Input
	e.Fill(&in, nil)
	line := func(file string, line, column int, name, value, comment string) decide.Directive {
		return decide.Directive{Name: name, Value: value, Comment: comment, Position: lockfile.Position{File: file, Line: line, Column: column}}
	}
	want := []decide.Directive{
		line("go.mod", 3, 1, "go", "1.26", ""), line("go.mod", 5, 1, "toolchain", "go1.26.8", ""),
		line("go.mod", 8, 2, "godebug", "default=go1.25", ""), line("go.mod", 9, 2, "godebug", "tls10server=1", ""),
		line("go.mod", 13, 2, "retract", "v1.0.0", "it leaks"), line("go.mod", 14, 2, "retract", "[v1.1.0, v1.2.0]", ""),
		line("go.work", 1, 1, "go", "1.26.1", ""), line("go.work", 2, 1, "godebug", "x509sha1=1", ""),
	}
	if diff := cmp.Diff(want, in.Go.Directives); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
