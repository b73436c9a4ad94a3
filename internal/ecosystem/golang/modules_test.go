package golang

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/ecosystem"
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
	want := []SumLine{{"a.test/m", "v1.0.0", false, zipHash, 2, 17}, {"a.test/m", "v1.0.0", true, modHash, 4, 27}, {"a.test/m", "v1.0.0", false, zipHash, 5, 17},
		{"new.test", "v2.0.0+incompatible", false, "h2:whatever", 7, 30}}
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
			if fields := strings.Fields(all[l.Line-1]); !cmp.Equal(fields, []string{l.Module, version, l.Hash}) || !strings.HasPrefix(all[l.Line-1][l.Column-1:], l.Hash) {
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
		co, err := lockfile.Open(dir, "", Names()...)
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
	if want := "[{b.test/b v1.0.0 all go.sum {go.mod 3 1}} {c.test/c/v2 v2.0.0 all go.sum {go.mod 9 2}}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	in = facts(read1(t, nil, map[string]string{"go.mod": "module a.test/a\n\nrequire b.test/b v1.0.0\n", "go.sum": "b.test/b v1.0.0 " + zipHash + "\n"}), nil)
	if got, want := fmt.Sprint(in.Go.Unsummed), "[{b.test/b v1.0.0 gomod go.sum {go.mod 3 1}}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if in = facts(read1(t, nil, map[string]string{"go.mod": "module a.test/a\n"}), nil); len(in.Go.Unsummed) != 0 {
		t.Errorf("nothing is required, and %v", in.Go.Unsummed)
	}
}

// The go command goes by a go.work and what it uses wherever that lies (go 1.26), and so do we.
func TestJoin(t *testing.T) {
	t.Parallel()
	const evil = "module x.test/evil\n\ngo 1.26\n\nreplace golang.org/x/text => evil.test/text v1.0.0\n"
	dir := write(t, map[string]string{"go.mod": "module a.test/a\n", "go.work": "go 1.26\nuse .\nuse ./_evil\nuse ./testdata/x/\nuse ./gone\nuse ../up\nuse ./out\n",
		"_evil/go.mod": evil, "_evil/go.sum": "", "testdata/x/go.mod": evil, "testdata/y/go.mod": evil})
	if err := os.Symlink(write(t, map[string]string{"go.mod": evil}), filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	co, err := lockfile.Open(dir, "", Names()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { co.Close() })
	if err := Join(co); err != nil {
		t.Fatal(err)
	}
	got := judgedAt(t, machine(t, nil), co, map[string]string{}, "MOD001")
	want := []string{
		"error MOD001 _evil/go.mod:5:1 golang.org/x/text is replaced by evil.test/text, which belongs to somebody else",
		"error MOD001 go.work:6:1 ../up is used by the workspace, and lies outside the checkout",
		"error MOD001 go.work:7:1 ./out is used by the workspace, and lies outside the checkout",
		"error MOD001 testdata/x/go.mod:5:1 golang.org/x/text is replaced by evil.test/text, which belongs to somebody else",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if notes := []string{"not judged, since in hidden, vendored or test data directories: testdata/y/go.mod"}; !slices.Equal(co.Notes, notes) {
		t.Errorf("notes %q", co.Notes)
	}
	many := "go 1.26\n\nuse (\n"
	for i := range maxUses + 1 {
		many += fmt.Sprintf("\t./%d\n", i)
	}
	if err := Join(checkout(t, map[string]string{"go.work": many + ")\n"})); problem.CodeOf(err) != problem.Usage || !strings.HasPrefix(err.Error(), "go.work: uses more than 10000") {
		t.Errorf("many: %v", err)
	}
}

func TestVendored(t *testing.T) {
	t.Parallel()
	const list = "# b.test/b v1.0.0\n## explicit; go 1.26\nb.test/b\n# c.test/c v1.0.0 => ./c\n# d.test/d => ./d\n#e.test/e v1.0.0\n"
	mod := func(requires ...string) string {
		return "module a.test/a\n\ngo 1.26\n\nrequire (\n\t" + strings.Join(requires, "\n\t") + "\n)\n"
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"before 1.14":             {map[string]string{"go.mod": strings.Replace(mod("b.test/b v1.0.0"), "1.26", "1.13", 1), "vendor/modules.txt": list}, "b.test/b v1.0.0"},
		"without a version":       {map[string]string{"go.mod": strings.Replace(mod("b.test/b v1.0.0"), "go 1.26", "", 1), "vendor/modules.txt": list}, "b.test/b v1.0.0"},
		"for a workspace":         {map[string]string{"go.mod": mod("b.test/b v1.0.0"), "vendor/modules.txt": "## workspace\n" + list}, "b.test/b v1.0.0"},
		"of a member alone":       {map[string]string{"go.work": "go 1.26\nuse ./m\n", "m/go.mod": mod("b.test/b v1.0.0"), "m/vendor/modules.txt": list}, "b.test/b v1.0.0"},
		"for a module":            {map[string]string{"go.work": "go 1.26\nuse ./m\n", "m/go.mod": mod("b.test/b v1.0.0"), "vendor/modules.txt": list}, "b.test/b v1.0.0"},
		"listed":                  {map[string]string{"go.mod": mod("b.test/b v1.0.0", "c.test/c v1.0.0"), "vendor/modules.txt": list}, ""},
		"another version":         {map[string]string{"go.mod": mod("b.test/b v1.0.1"), "vendor/modules.txt": list}, "b.test/b v1.0.1"},
		"not listed":              {map[string]string{"go.mod": mod("e.test/e v1.0.0", "d.test/d v1.0.0"), "vendor/modules.txt": list}, "e.test/e v1.0.0 d.test/d v1.0.0"},
		"of another module":       {map[string]string{"go.mod": mod("b.test/b v1.0.0"), "x/go.mod": "module x.test/x\n", "x/vendor/modules.txt": list}, "b.test/b v1.0.0"},
		"of the workspace":        {map[string]string{"go.work": "go 1.26\nuse ./m\n", "m/go.mod": mod("b.test/b v1.0.0"), "vendor/modules.txt": "## workspace\n" + list}, ""},
		"of another's workspace":  {map[string]string{"go.work": "go 1.26\nuse ./x\n", "m/go.mod": mod("b.test/b v1.0.0"), "vendor/modules.txt": "## workspace\n" + list}, "b.test/b v1.0.0"},
		"a directory of the name": {map[string]string{"go.mod": mod("b.test/b v1.0.0"), "vendor/modules.txt/x": list}, "b.test/b v1.0.0"},
		"too large":               {map[string]string{"go.mod": mod("b.test/b v1.0.0"), "vendor/modules.txt": list + strings.Repeat("\n", maxVendorFile)}, "b.test/b v1.0.0"},
	} {
		e := read1(t, nil, tt.files)
		var got []string
		for _, u := range facts(e, nil).Go.Unsummed {
			got = append(got, u.Module+" "+u.Version)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
		if unread := name == "too large" || name == "of another's workspace" || strings.HasPrefix(name, "a directory"); unread != (len(e.Notes) == 1) {
			t.Errorf("%s: notes %q", name, e.Notes)
		}
	}
}

// Whoever looks at one directory of a workspace cannot see its go.work.sum, and is told so; a .git ends the way up.
func TestBelowAWorkspace(t *testing.T) {
	t.Parallel()
	const mod, work = "module a.test/a\n\nrequire b.test/b v1.0.0\n", "go 1.26\n"
	deep := strings.Repeat("d/", maxAbove)
	for name, tt := range map[string]struct {
		files map[string]string
		dir   string
		note  string
	}{
		"a go.work above":           {map[string]string{"go.work": work, "m/go.mod": mod}, "m", ".."},
		"two above, at .git":        {map[string]string{".git/HEAD": "", "go.work": work, "x/m/go.mod": mod}, "x/m", "../.."},
		"above .git":                {map[string]string{"go.work": work, "x/.git/HEAD": "", "x/m/go.mod": mod}, "x/m", ""},
		"a .git file":               {map[string]string{"go.work": work, "m/.git": "gitdir: x", "m/go.mod": mod}, "m", ""},
		"a go.work in it":           {map[string]string{"go.work": work, "m/x/go.work": work, "m/go.mod": mod}, "m", ""},
		"ten above":                 {map[string]string{"go.work": work, deep + "go.mod": mod}, deep, strings.TrimSuffix(strings.Repeat("../", maxAbove), "/")},
		"eleven above":              {map[string]string{"go.work": work, deep + "m/go.mod": mod}, deep + "m", ""},
		"a directory named so":      {map[string]string{"go.work/x": "", "m/go.mod": mod}, "m", ""},
		"nothing above, nor a .git": {map[string]string{"m/go.mod": mod}, "m", ""},
	} {
		co, err := lockfile.Open(filepath.Join(write(t, tt.files), filepath.FromSlash(tt.dir)), "", Names()...)
		if err != nil {
			t.Fatal(err)
		}
		defer co.Close()
		e, err := New(machine(t, nil), co)
		if err != nil {
			t.Fatal(err)
		}
		found := len(facts(e, nil).Go.Unsummed) > 0
		notes := strings.Join(e.Notes, "\n")
		if tt.note == "" && (!found || notes != "") || tt.note != "" && (found || len(e.Notes) != 1 || !strings.Contains(notes, " "+tt.note+" ")) {
			t.Errorf("%s: found %v, notes %q", name, found, notes)
		}
	}
	// where all is pinned, there is nothing to say
	files := map[string]string{"go.work": work}
	for name, text := range oneModule {
		files["m/"+name] = text
	}
	co, err := lockfile.Open(filepath.Join(write(t, files), "m"), "", Names()...)
	if err != nil {
		t.Fatal(err)
	}
	defer co.Close()
	if e, err := New(machine(t, nil), co); err != nil || len(e.Notes) != 0 {
		t.Errorf("%v, notes %q", err, e.Notes)
	}
}

// Files that are made to keep us busy are read whole, or refused. BenchmarkReadLarge tells that the time grows with what
// is read: forty thousand requirements and as many replacements take less than half a second.
func TestReadLarge(t *testing.T) {
	t.Parallel()
	for name, tt := range large() {
		v, err := read(machineAndCheckout(t, tt.files))
		if tt.broken == "" && (err != nil || len(v.unsummed) != tt.unsummed) || tt.broken != "" && (problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.broken)) {
			t.Errorf("%s: %d without a sum, %v", name, len(v.unsummed), err)
		}
	}
}

func BenchmarkReadLarge(b *testing.B) {
	for name, tt := range large() {
		m, co := machineAndCheckout(b, tt.files)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = read(m, co)
			}
		})
	}
}

func machineAndCheckout(tb testing.TB, files map[string]string) (ecosystem.Machine, *lockfile.Checkout) {
	return machine(tb, nil), checkout(tb, files)
}

type largeFiles struct {
	files    map[string]string
	unsummed int
	broken   string
}

func large() map[string]largeFiles {
	var requires, replaces, uses strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&requires, "\tr%d.test/m v1.0.0\n", i)
		fmt.Fprintf(&replaces, "\tx%d.test/m v1.0.0 => ./x\n", i)
	}
	pairs := map[string]string{"go.mod": "module a.test/a\n\nrequire (\n" + requires.String() + ")\n\nreplace (\n" + replaces.String() + ")\n"}
	members := map[string]string{}
	for i := range 400 {
		var own strings.Builder
		for n := range 500 {
			fmt.Fprintf(&own, "\tr%d.test/m v1.0.%d\n", n, i)
		}
		members[fmt.Sprintf("m%d/go.mod", i)] = fmt.Sprintf("module a.test/m%d\n\nrequire (\n%s)\n%s", i, &own, strings.Repeat("\nreplace x.test/m => ./x\n", 20))
		fmt.Fprintf(&uses, "use ./m%d\n", i)
	}
	members["go.work"] = "go 1.26\n" + uses.String() + uses.String()
	shared := map[string]string{"m/go.mod": "module a.test/a\n\nrequire (\n" + requires.String() + ")\n"}
	for i := range 400 {
		shared[fmt.Sprintf("w%d/go.work", i)] = "go 1.26\nuse ../m\n"
	}
	return map[string]largeFiles{
		"requirements and replacements": {pairs, 40_000, ""},
		"a workspace of many":           {members, 200_000, ""},
		"a module in many workspaces":   {shared, 0, "check a smaller directory"},
	}
}

// Two directives have one key only if they are the same.
func TestReplaceKey(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, d := range [][5]string{
		{"go.mod", "a.test/a", "", "../lib", ""}, {"go.mod", "a.test/a", "v1.0.0", "../lib", ""}, {"go.mod", "a.test/a", "", "../../lib", ""},
		{"svc/go.mod", "a.test/a", "", "../lib", ""}, {"go.mod", "a.test/a", "", "b.test/one/a", "v1.0.0"}, {"go.mod", "a.test/a", "", "b.test/two/a", "v1.0.0"},
		{"go.mod", "a.test/a", "", "b.test/two/a", "v1.0.1"}, {"go.mod a.test/a => /x/go.mod", "b.test/b", "", "../lib", ""},
		{"go.mod", "a.test/a", "", "/x/go.mod b.test/b => ../lib", ""},
	} {
		r := replacement(lockfile.File{Path: d[0]}, &modfile.Replace{Old: module.Version{Path: d[1], Version: d[2]}, New: module.Version{Path: d[3], Version: d[4]}})
		if other, ok := seen[r.Key]; ok || !strings.HasPrefix(r.Key, "replace ") {
			t.Errorf("%q and %q have the key %q", d, other, r.Key)
		}
		seen[r.Key] = fmt.Sprint(d)
	}
	r := replacement(lockfile.File{Path: "svc/go.mod"}, &modfile.Replace{Old: module.Version{Path: "example.com/a", Version: "v1"}, New: module.Version{Path: "../lib"}})
	if want := "replace svc/go.mod example.com/a@v1 => ../lib"; r.Key != want {
		t.Errorf("key %q, want %q", r.Key, want)
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
