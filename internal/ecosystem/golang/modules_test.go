package golang

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
)

const (
	modHash = "h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo="
	zipHash = "h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0="
)

func TestParseSum(t *testing.T) {
	t.Parallel()
	data := "\na.test/m v1.0.0 " + zipHash + "\r\n\n  a.test/m\tv1.0.0/go.mod  " + modHash + "\na.test/m v1.0.0 " + zipHash +
		"\nold.test v0.0.0-20060102150405-0123456789ab+incompatible/go.mod " + emptyGoMod + "\nnew.test v2.0.0+incompatible h2:whatever"
	got, err := ParseSum(lockfile.File{Path: "go.sum", Data: []byte(data)})
	want := []SumLine{{"a.test/m", "v1.0.0", false, zipHash, 2}, {"a.test/m", "v1.0.0", true, modHash, 4}, {"a.test/m", "v1.0.0", false, zipHash, 5},
		{"new.test", "v2.0.0+incompatible", false, "h2:whatever", 7}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestParseSumRefuses(t *testing.T) {
	t.Parallel()
	good := "a.test/m v1.0.0 " + zipHash + "\n"
	for line, want := range map[string]string{
		"a.test/m v1.0.0":                       "go.sum:2:1: the line has 2 fields, and must have 3",
		"a.test/m v1.0.0 " + zipHash + " x":     "go.sum:2:1: the line has 4 fields",
		"a.test/m 1.0.0 " + zipHash:             "go.sum:2:10: the second field is not a version",
		"a.test/m  v1.0.0/go.sum " + zipHash:    "go.sum:2:11: the second field is not a version",
		"a.test/m v1.0.1 h1:NIva":               "go.sum:2:17: the hash is not h1: and the base64 of 32 bytes",
		"a.test/m v1.0.1 " + zipHash + "AAAA":   "go.sum:2:17: the hash is not",
		"a.test/m v1.0.1 sha256-abc":            "go.sum:2:17: the third field is not a hash",
		"<<<<<<< HEAD":                          "go.sum:2:1: the line has 2 fields",
		"a.test/m v1.0.0 " + modHash:            "go.sum:2:1: two different hashes for a.test/m v1.0.0, the other one in line 1",
		"a.test/\x1b[31m v1.0.x \u202e" + "h1:": "go.sum:2:14: the second field is not a version",
	} {
		for _, linked := range []bool{false, true} {
			_, err := ParseSum(lockfile.File{Path: "go.sum", Data: []byte(good + line + "\n"), Linked: linked})
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != problem.Usage || p.Hint == "" {
				t.Fatalf("%q: %v", line, err)
			}
			text := err.Error()
			if linked {
				if p.Excerpt != "" || strings.Contains(text, "a.test") {
					t.Errorf("%q: a linked file is quoted: %q %q", line, p.Excerpt, text)
				}
			} else if !strings.HasPrefix(text, want) || p.Excerpt == "" || strings.ContainsAny(p.Excerpt+text, "\x1b\u202e") {
				t.Errorf("%q: got %q, excerpt %q", line, text, p.Excerpt)
			}
		}
	}
}

func FuzzParseSum(f *testing.F) {
	f.Add([]byte("a.test/m v1.0.0 " + zipHash + "\r\n\na.test/m v1.0.0/go.mod " + modHash))
	f.Add([]byte("a b c\n"))
	f.Add([]byte("\xff v1.0.0 h1:\n\u2028"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := ParseSum(lockfile.File{Path: "go.sum", Data: data})
		if err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != problem.Usage || len(p.Excerpt) > 300 {
				t.Fatalf("%#v", err)
			}
			if linked, err := ParseSum(lockfile.File{Path: "go.sum", Data: data, Linked: true}); linked != nil || err == nil || len(err.Error()) > 300 {
				t.Fatalf("linked: %v", err)
			}
			return
		}
		all := strings.Split(string(data), "\n")
		for _, l := range lines {
			version := l.Version
			if l.GoMod {
				version += "/go.mod"
			}
			if fields := strings.Fields(all[l.Line-1]); !cmp.Equal(fields, []string{l.Module, version, l.Hash}) {
				t.Fatalf("line %d is %q, got %+v", l.Line, fields, l)
			}
		}
	})
}

func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files         map[string]string
		want, excerpt string
	}{
		"a directive":    {map[string]string{"go.mod": "module a.test/a\n\nfrobnicate x\n"}, "go.mod:3:1: unknown directive: frobnicate; mend the line", "frobnicate x"},
		"a version":      {map[string]string{"m/go.mod": "module a.test/a\n\nrequire (\n\tb.test/b master\n)\n"}, "m/go.mod:4:2: require b.test/b: ", `\tb.test/b master`},
		"a merge":        {map[string]string{"go.mod": "module a.test/a\n<<<<<<< HEAD\n"}, "go.mod:2:1: unknown directive: <<<<<<<", "<<<<<<< HEAD"},
		"a quote":        {map[string]string{"go.mod": "module \"a.test/a\n"}, "go.mod:1:", `module "a.test/a`},
		"an escape":      {map[string]string{"go.mod": "module a.test/a\nx\u202e y\n"}, `go.mod:2:2: unexpected input character '\u202e'; mend`, `x\u202e y`},
		"a bad go.work":  {map[string]string{"go.work": "use ./a ./b\n"}, "go.work:1:1: usage: use local/dir", "use ./a ./b"},
		"a bad sum":      {map[string]string{"go.mod": "module a.test/a\n", "go.sum": "x\n"}, "go.sum:1:1: the line has 1 fields", "x"},
		"a bad work sum": {map[string]string{"go.work": "go 1.26\n", "go.work.sum": "x y\n"}, "go.work.sum:1:1: the line has 2 fields", "x y"},
		"many":           {map[string]string{"go.mod": "module a.test/a\na\nb\nc\n"}, "go.mod:2:1: unknown directive: a (and 2 more); mend", "a"},
	} {
		_, err := New(machine(t, nil), checkout(t, tt.files))
		var p *problem.Problem
		if !errors.As(err, &p) || problem.CodeOf(err) != problem.Usage || !strings.HasPrefix(err.Error(), tt.want) || p.Excerpt != tt.excerpt {
			t.Errorf("%s: got %v, excerpt %q", name, err, p.Excerpt)
		}
	}
	// all broken files are told at once
	_, err := New(machine(t, nil), checkout(t, map[string]string{"go.mod": "x\n", "go.sum": "x\n", "b/go.mod": "y\n"}))
	for _, want := range []string{"go.mod:1:1", "go.sum:1:1", "b/go.mod:1:1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}

// What a link leads to is never quoted: it may be a secret.
func TestLinkedFilesAreNotQuoted(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		files := map[string]string{"secret": "TOKEN s3cr3t-value\n"}
		if name == "go.work.sum" {
			files["go.work"] = "go 1.26\n"
		}
		dir := write(t, files)
		if err := os.Symlink("secret", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		co, err := lockfile.Open(dir, Names()...)
		if err != nil {
			t.Fatal(err)
		}
		defer co.Close()
		_, err = New(machine(t, nil), co)
		var p *problem.Problem
		if !errors.As(err, &p) || strings.Contains(fmt.Sprintf("%v %#v %v", err, p, p.Err), "s3cr3t") || strings.Contains(err.Error(), "TOKEN") || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v, %+v", name, err, p)
		}
	}
}

func TestMissingSum(t *testing.T) {
	t.Parallel()
	in := facts(read1(t, nil, map[string]string{"go.mod": "module a.test/a\n\nrequire b.test/b v1.0.0\n\nreplace c.test/c v1.0.0 => ./c\n\nrequire (\n\tc.test/c v1.0.0\n\tc.test/c/v2 v2.0.0 // indirect\n)\n"}), nil)
	got := fmt.Sprint(in.Go.Unsummed)
	if want := "[{b.test/b v1.0.0 go.sum {go.mod 3 1}} {c.test/c/v2 v2.0.0 go.sum {go.mod 9 2}}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if in = facts(read1(t, nil, map[string]string{"go.mod": "module a.test/a\n"}), nil); len(in.Go.Unsummed) != 0 {
		t.Errorf("nothing is required, and %v", in.Go.Unsummed)
	}
}

func TestReplacement(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"./x": "local", "../x": "local", "../../x": "local outside", "..": "local", "../..": "local outside", ".": "local", `..\..\x`: "local outside",
		`C:\x`: "local outside", "/x": "local outside", `\x`: "local outside", "../../m": "local outside", "./a/../../../x": "local outside",
		"github.com/own/y": "module", "github.com/other/x": "module foreign", "GitHub.com/own/x": "module", "evil.test/own/x": "module foreign",
	} {
		r := &modfile.Replace{Old: module.Version{Path: "github.com/own/x"}, New: module.Version{Path: target}}
		d := replacement(lockfile.File{Path: "m/go.mod"}, r)
		got := d.Kind
		if d.Outside {
			got += " outside"
		}
		if d.Foreign {
			got += " foreign"
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
}

func BenchmarkParseSum(b *testing.B) {
	var s strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&s, "example.test/module-%d v1.2.%d %s\nexample.test/module-%[1]d v1.2.%[2]d/go.mod %[4]s\n", i, i, zipHash, modHash)
	}
	file := lockfile.File{Path: "go.sum", Data: []byte(s.String())}
	b.SetBytes(int64(len(file.Data)))
	for b.Loop() {
		if _, err := ParseSum(file); err != nil {
			b.Fatal(err)
		}
	}
}
