package golang

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/policy"
)

// judged is what the default rules find, as "severity rule place message", those of some rules alone. base are the files
// of the commit that a change is measured against; nil where there is none.
func judged(t *testing.T, m ecosystem.Machine, files, base map[string]string, rules ...string) []string {
	t.Helper()
	return judgedAt(t, m, checkout(t, files), base, rules...)
}

func judgedAt(t *testing.T, m ecosystem.Machine, co *lockfile.Checkout, base map[string]string, rules ...string) []string {
	t.Helper()
	e, err := New(m, co)
	if err != nil {
		t.Fatal(err)
	}
	in := facts(e, nil)
	in.Scope = "all"
	if m.RepoOnly {
		in.Scope = "repo"
	}
	if base != nil {
		known, err := Hosts(checkout(t, base))
		if err != nil {
			t.Fatal(err)
		}
		in.Originate(source.Go, func(key string, origin *string) {
			*origin = source.Change
			if known[key] {
				*origin = source.Base
			}
		})
	}
	engine, err := decide.New(policy.FS(), decide.Data{}, decide.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := engine.Eval(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, f := range found {
		if slices.Contains(rules, f.ID) {
			out = append(out, fmt.Sprintf("%s %s %s:%d:%d %s", f.Severity, f.ID, f.File, f.Line, f.Column, f.Message))
		}
	}
	return out
}

// sum are lines of go.sum for module versions, one hash of the content and one of the go.mod.
func sum(versions ...string) string {
	var b strings.Builder
	for _, v := range versions {
		fmt.Fprintf(&b, "%s %s\n%[1]s/go.mod %[3]s\n", v, zipHash, modHash)
	}
	return b.String()
}

// Rules about the checkout's files, each from the files to the finding at its place.
func TestRulesOnFiles(t *testing.T) {
	t.Parallel()
	const pseudo = "v0.0.0-20240102030405-0123456789ab"
	for name, tt := range map[string]struct {
		rules       string
		files, base map[string]string
		want        []string
	}{
		"a workspace that leads outside": {"MOD001", map[string]string{"go.work": "go 1.26\n\nuse (\n\t./m\n\t../x\n)\n", "m/go.mod": "module a.test/m\n"}, nil,
			[]string{"warning MOD001 go.work:5:2 ../x is used by the workspace, and lies outside the checkout"}},
		"a change that lets it lead outside": {"MOD001", map[string]string{"go.work": "go 1.26\nuse /opt/x\nuse ../../y\n"}, map[string]string{"go.work": "go 1.26\nuse ../../y\n"},
			[]string{"error MOD001 go.work:2:1 /opt/x is used by the workspace, and lies outside the checkout",
				"warning MOD001 go.work:3:1 ../../y is used by the workspace, and lies outside the checkout"}},
		"what is no release": {"MOD002", map[string]string{"go.mod": "module a.test/a\n\nrequire (\n\tb.test/b " + pseudo + "\n\tc.test/c v2.0.0+incompatible\n" +
			"\td.test/d v1.0.0-rc.1 // indirect\n\te.test/e v1.0.0\n\tf.test/f v1.0.0-rc.1\n)\n\nreplace f.test/f => g.test/g v1.0.0-beta\n",
			"m/go.mod": "module a.test/m\nrequire b.test/b " + pseudo + "\n"}, nil,
			[]string{"note MOD002 go.mod:4:2 b.test/b@" + pseudo + " is a commit and no release (pseudo-version)",
				"note MOD002 go.mod:5:2 c.test/c@v2.0.0+incompatible has no go.mod of its major version (+incompatible)",
				"note MOD002 go.mod:6:2 d.test/d@v1.0.0-rc.1 is a prerelease", "note MOD002 go.mod:11:1 g.test/g@v1.0.0-beta is a prerelease",
				"note MOD002 m/go.mod:2:1 b.test/b@" + pseudo + " is a commit and no release (pseudo-version)"}},
		"no list of hosts or prefixes": {"MOD006 MOD007", oneModule, nil, []string{}},
		"excluded":                     {"MOD008", map[string]string{"go.mod": "module a.test/a\n\nexclude b.test/b v1.0.0\nexclude (\n\tc.test/c v1.2.3\n)\n"}, nil, []string{"note MOD008 go.mod:3:1 b.test/b@v1.0.0 is excluded", "note MOD008 go.mod:5:2 c.test/c@v1.2.3 is excluded"}},
		"tools of a change": {"MOD009", map[string]string{"go.mod": "module github.com/own/a\n\ntool (\n\tgithub.com/own/gen\n\tgithub.com/them/gen/cmd/x\n\tb.test/b\n\tc.test/own/c\n)\n"},
			map[string]string{"go.mod": "module github.com/own/a\ntool b.test/b\n"},
			[]string{"warning MOD009 go.mod:5:2 github.com/them/gen/cmd/x is a tool that this change adds, and belongs to somebody else",
				"warning MOD009 go.mod:7:2 c.test/own/c is a tool that this change adds, and belongs to somebody else"}},
		"tools without a change": {"MOD009", map[string]string{"go.mod": "module github.com/own/a\ntool b.test/b\n"}, nil, []string{}},
		"lines of go.sum": {"MOD010", map[string]string{"go.mod": "module a.test/a\n\nrequire (\n\tb.test/b v1.0.0\n\tc.test/c v1.0.0\n\td.test/d v1.0.0\n)\n",
			"go.sum": sum("b.test/b v1.0.0") + "c.test/c v1.0.0 " + zipHash + "\n"}, nil,
			[]string{"error MOD010 go.mod:6:2 d.test/d@v1.0.0 has no line in go.sum", "warning MOD010 go.mod:5:2 c.test/c@v1.0.0 has no /go.mod line in go.sum"}},
		"two hashes": {"MOD012", map[string]string{"go.work": "go 1.26\nuse ./m\nuse ./n\n", "m/go.mod": "module a.test/m\n", "n/go.mod": "module a.test/n\n",
			"m/go.sum": sum("b.test/b v1.0.0", "c.test/c v1.0.0"), "n/go.sum": sum("c.test/c v1.0.0"),
			"go.work.sum": "\nb.test/b v1.0.0 " + modHash + "\nb.test/b v1.0.1 " + modHash + "\nb.test/b v1.0.0/go.mod " + zipHash + "\nc.test/c v1.0.0 h2:other\n"}, nil,
			[]string{"error MOD012 go.work.sum:2:17 b.test/b@v1.0.0 has another hash than in m/go.sum:1",
				"error MOD012 go.work.sum:4:24 b.test/b@v1.0.0/go.mod has another hash than in m/go.sum:2"}},
		"two hashes beside each other": {"MOD012", map[string]string{"a/go.sum": sum("b.test/b v1.0.0"), "b/go.sum": "b.test/b v1.0.0 " + modHash + "\n", "go.mod": "module a.test/a\n"}, nil,
			[]string{"error MOD012 b/go.sum:1:17 b.test/b@v1.0.0 has another hash than in a/go.sum:1"}},
		"paths that look alike": {"MOD013", map[string]string{"go.mod": "module a.test/a\n\nrequire (\n\tgithub.com/Foo/bar v1.0.0\n\tgithub.com/foo/bar v1.0.0\n\tgithub.com/g0rilla/mux v1.0.0\n\tgithub.com/gorilla/mux v1.0.0\n" +
			"\tg\u0456thub.com/own/x v1.0.0\n\tgithub.com/own/x v1.0.0\n\tgithub.com/own/x/v2 v2.0.0\n)\n", "m/go.mod": "module a.test/m\nrequire github.com/own/x v1.1.0\nreplace github.com/own/y => github.com/own/_x v1.0.0\nreplace github.com/own/z => github.com/own/-x v1.0.0\n"}, nil,
			[]string{"error MOD013 go.mod:8:2 g\u0456thub.com/own/x is no module path: it holds U+0456, whatever that looks like",
				"warning MOD013 go.mod:4:2 github.com/Foo/bar differs from github.com/foo/bar (go.mod:5) in case only",
				"warning MOD013 go.mod:5:2 github.com/foo/bar differs from github.com/Foo/bar (go.mod:4) in case only",
				"warning MOD013 go.mod:6:2 github.com/g0rilla/mux can be taken for github.com/gorilla/mux (go.mod:7)",
				"warning MOD013 go.mod:7:2 github.com/gorilla/mux can be taken for github.com/g0rilla/mux (go.mod:6)",
				"warning MOD013 m/go.mod:3:1 github.com/own/_x can be taken for github.com/own/-x (m/go.mod:4)",
				"warning MOD013 m/go.mod:4:1 github.com/own/-x can be taken for github.com/own/_x (m/go.mod:3)"}},
		"a change that adds one": {"MOD013", map[string]string{"go.mod": "module a.test/a\nrequire github.com/own/modern v1.0.0\nrequire github.com/own/modem v1.0.0\n"},
			map[string]string{"go.mod": "module a.test/a\nrequire github.com/own/modern v1.0.0\n"},
			[]string{"error MOD013 go.mod:3:1 github.com/own/modem can be taken for github.com/own/modern (go.mod:2)",
				"warning MOD013 go.mod:2:1 github.com/own/modern can be taken for github.com/own/modem (go.mod:3)"}},
		"settings of GODEBUG": {"MOD014", map[string]string{"go.mod": "module a.test/a\n\ngodebug (\n\tdefault=go1.21\n\ttls10server=1\n\ttlsmaxrsasize=16384\n\twinsymlink=0\n\trsa1024min=1\n)\n", "go.work": "go 1.26\ngodebug tls3des=1\n"}, nil,
			[]string{"warning MOD014 go.mod:5:2 tls10server=1 lets TLS servers accept TLS 1.0",
				"warning MOD014 go.mod:6:2 tlsmaxrsasize=16384 takes RSA keys in TLS that keep a processor busy",
				"warning MOD014 go.work:2:1 tls3des=1 allows cipher suites with 3DES"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t, nil)
			m.RepoOnly = true
			if diff := cmp.Diff(tt.want, judged(t, m, tt.files, tt.base, strings.Fields(tt.rules)...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListsOfModules(t *testing.T) {
	t.Parallel()
	files := map[string]string{"go.mod": "module a.test/a\n\nrequire (\n\tgithub.com/corp/x v1.0.0\n\tgithub.com/them/x v1.0.0\n\tgit.corp.test/x v1.0.0 // indirect\n" +
		"\tevil.test/x v1.0.0-rc.1\n\tlocal.test/x v1.0.0\n\tfork.test/x v1.0.0\n)\n\nreplace local.test/x => ./x\nreplace fork.test/x => evil.test/fork v1.0.0\n"}
	for name, tt := range map[string]struct {
		hosts, prefixes []string
		want            []string
	}{
		"none": {nil, nil, []string{}},
		"hosts": {[]string{"github.com", ".corp.test", "il.test"}, nil, []string{
			"error MOD006 go.mod:7:2 evil.test/x@v1.0.0-rc.1 begins with a host that is not in modules.hosts",
			"error MOD006 go.mod:13:1 evil.test/fork@v1.0.0 begins with a host that is not in modules.hosts"}},
		"prefixes": {nil, []string{"github.com/corp", "*.corp.test", "evil.test/f*"}, []string{
			"error MOD007 go.mod:5:2 github.com/them/x@v1.0.0 has a path that no entry of modules.prefixes takes in",
			"error MOD007 go.mod:7:2 evil.test/x@v1.0.0-rc.1 has a path that no entry of modules.prefixes takes in"}},
	} {
		m := machine(t, nil)
		m.ModuleHosts, m.ModulePrefixes = tt.hosts, tt.prefixes
		if diff := cmp.Diff(tt.want, judged(t, m, files, nil, "MOD006", "MOD007")); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	m := machine(t, nil)
	m.ModuleHosts = []string{}
	if got := judged(t, m, files, nil, "MOD006"); len(got) != 5 {
		t.Errorf("an empty list takes in some of\n%s", strings.Join(got, "\n"))
	}
}

// The faults are those that go 1.26 names for the same files, with its words in the comments, but for the last.
func TestRulesOnVendored(t *testing.T) {
	t.Parallel()
	const mod = "module a.test/a\n\ngo 1.25\n\nrequire (\n\tb.test/b v1.0.0\n\tc.test/c v1.0.0\n)\n\nreplace c.test/c => ../c\n"
	const list = "# b.test/b v1.0.0\n## explicit; go 1.18\nb.test/b\n# c.test/c v1.0.0 => ../c\n## explicit\nc.test/c\n# c.test/c => ../c\n"
	const work = "go 1.25\n\nuse ./m\nuse ./n\n\nreplace d.test/d => ./d\n"
	whole := map[string]string{"go.mod": mod, "vendor/modules.txt": list, "go.sum": sum("b.test/b v1.0.0")}
	joined := map[string]string{"go.work": work, "m/go.mod": mod, "n/go.mod": "module a.test/n\n\ngo 1.25\n\nrequire d.test/d v1.0.0\n", "m/go.sum": sum("b.test/b v1.0.0"),
		"vendor/modules.txt": "## workspace\n" + strings.ReplaceAll(list, "../c", "./c") + "# d.test/d v1.0.0 => ./d\n## explicit\nd.test/d\n# d.test/d => ./d\n"}
	for name, tt := range map[string]struct {
		files          map[string]string
		file, old, new string
		want           []string
	}{
		"all agree":              {whole, "go.mod", "", "", []string{}},
		"a workspace that does":  {joined, "go.work", "", "", []string{}},
		"before Go 1.14":         {whole, "go.mod", "go 1.25\n", "go 1.13\nrequire x.test/x v1.0.0\n", []string{}},
		"the other kind of list": {whole, "vendor/modules.txt", "# b.test/b v1.0.0", "## workspace\n# b.test/b v1.0.1", []string{}},
		"another version": {whole, "go.mod", "b.test/b v1.0.0", "b.test/b v1.0.1", []string{
			"warning MOD011 go.mod:6:2 b.test/b@v1.0.1 is required, and vendor/modules.txt does not list it as explicit", // "is explicitly required in go.mod, but not marked as explicit"
			"warning MOD011 vendor/modules.txt:1:3 b.test/b@v1.0.0 is listed as explicit, and no go.mod requires it"}},   // "is marked as explicit, but not explicitly required"
		"another one listed": {whole, "vendor/modules.txt", "# b.test/b v1.0.0", "# b.test/b v1.0.1", []string{
			"warning MOD011 go.mod:6:2 b.test/b@v1.0.0 is required, and vendor/modules.txt does not list it as explicit",
			"warning MOD011 vendor/modules.txt:1:3 b.test/b@v1.0.1 is listed as explicit, and no go.mod requires it",
			"warning MOD011 vendor/modules.txt:1:3 b.test/b@v1.0.1 is vendored, and no go.sum has a hash of it, so that nothing tells what it should hold"}},
		"another replacement": {whole, "vendor/modules.txt", "# c.test/c => ../c", "# c.test/c => ../evil", []string{
			"warning MOD011 go.mod:10:1 c.test/c is replaced by ../c, and in vendor/modules.txt by ../evil"}},
		"a replacement more": {whole, "vendor/modules.txt", "# c.test/c =>", "# x.test/x => ../c\n# c.test/c =>", []string{
			"warning MOD011 vendor/modules.txt:7:3 x.test/x is listed as replaced, and nothing replaces it"}},
		"a replacement less": {whole, "vendor/modules.txt", "# c.test/c => ../c\n", "", []string{
			"warning MOD011 go.mod:10:1 c.test/c is replaced, and vendor/modules.txt does not say so"}},
		"what go does not look at": {whole, "vendor/modules.txt", "# c.test/c v1.0.0", "# x.test/x v1.0.0\n## go 1.18\nx.test/x\n# c.test/c v1.0.0", []string{
			"warning MOD011 vendor/modules.txt:4:3 x.test/x@v1.0.0 is vendored, and no go.sum has a hash of it, so that nothing tells what it should hold"}},
		"a workspace: a requirement": {joined, "n/go.mod", "d.test/d v1.0.0", "d.test/d v1.0.1", []string{
			"warning MOD011 n/go.mod:5:1 d.test/d@v1.0.1 is required, and vendor/modules.txt does not list it as explicit",
			"warning MOD011 vendor/modules.txt:9:3 d.test/d@v1.0.0 is listed as explicit, and no go.mod requires it"}},
		"a workspace: a replacement": {joined, "go.work", "=> ./d", "=> ./e", []string{
			"warning MOD011 go.work:6:1 d.test/d is replaced by ./e, and in vendor/modules.txt by ./d"}},
		"a workspace: a member that is not here": {joined, "go.work", "use ./n", "use ./gone", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := maps.Clone(tt.files)
			if !strings.Contains(files[tt.file], tt.old) {
				t.Fatalf("%s holds no %q", tt.file, tt.old)
			}
			files[tt.file] = strings.Replace(files[tt.file], tt.old, tt.new, 1)
			if diff := cmp.Diff(tt.want, judged(t, machine(t, nil), files, nil, "MOD011")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a linked list holds is not quoted.
func TestLinkedVendorListIsNotQuoted(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"go.mod": "module a.test/a\n\ngo 1.25\n\nrequire b.test/b v1.0.0\nreplace b.test/b => ./b\n", "vendor/x": "",
		"secret": "# TOKEN v1.2.3\n## explicit\na.test/b\n# b.test/b => ./TOKEN\n# OTHERTOKEN => x\n"})
	if err := os.Symlink("../secret", filepath.Join(dir, "vendor", "modules.txt")); err != nil {
		t.Fatal(err)
	}
	co, err := lockfile.Open(dir, "", Names()...)
	if err != nil {
		t.Fatal(err)
	}
	defer co.Close()
	e, err := New(machine(t, nil), co)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", facts(e, nil).Go.Vendor); strings.Contains(got, "TOKEN") || strings.Count(got, "a module") != 3 {
		t.Errorf("got %s", got)
	}
}

func FuzzParseVendor(f *testing.F) {
	for _, s := range []string{"## workspace\n# b.test/b v1.0.0\n## explicit; go 1.26\nb.test/b\n", "# b v1 => ./c", "#  \n# \xff v1.0.0\r\n", "# a => \n# a v1.0.0 => b v1.0.0\n## explicit"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := parseVendor(lockfile.File{Path: "vendor/modules.txt", Data: []byte(text)})
		lines := strings.Split(text, "\n")
		for _, m := range l.order {
			if line := lines[l.modules[m].line-1]; m.Path == "" || !strings.HasPrefix(line, "# ") || !strings.Contains(line, m.Path) || !strings.Contains(line, m.Version) {
				t.Fatalf("%q: line %d lists %q", text, l.modules[m].line, m)
			}
		}
		if len(l.order) != len(l.modules) {
			t.Fatalf("%d in order, %d in all", len(l.order), len(l.modules))
		}
	})
}

func TestBelow(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{{".", "lib", "./lib"}, {".", ".", "."}, {".", "../lib", "../lib"}, {"w", "w/m/x", "./m/x"}, {"w", "lib", "../lib"}, {"w", "w", "."}, {"w/x", "..", "../../.."}} {
		if got := below(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s seen from %s is %s, want %s", tt[1], tt[0], got, tt[2])
		}
	}
}

// A path that stays in the checkout by its text can leave it by a link.
func TestLinksThatLeadOutside(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"go.work":  "go 1.26\nuse ./m\nuse ./out/w\nuse ./in\n",
		"m/go.mod": "module a.test/m\nreplace a.test/x => ../out/x\nreplace a.test/y => ../in\nreplace a.test/z => ./not/there\n",
	}
	co := checkout(t, files)
	for name, target := range map[string]string{"out": t.TempDir(), "in": "m"} {
		if err := os.Symlink(target, filepath.Join(co.Dir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	for origin, base := range map[string]map[string]string{"warning": nil, "error": files} {
		want := []string{
			origin + " MOD001 go.work:3:1 ./out/w is used by the workspace, and lies outside the checkout",
			origin + " MOD001 m/go.mod:2:1 a.test/x is replaced by ../out/x, which lies outside the checkout",
		}
		if diff := cmp.Diff(want, judgedAt(t, machine(t, nil), co, base, "MOD001")); diff != "" {
			t.Error(diff)
		}
	}
}
