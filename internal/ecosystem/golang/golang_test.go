package golang

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

const goEnv = "# defaults\nGOPROXY=https://official.test,direct\nGOSUMDB=sum.golang.org\nGOTOOLCHAIN=local\n"

// mirrors are the module proxies of the catalogue.
var mirrors = slices.DeleteFunc(catalogue.Of(source.Go, nil), func(s source.Source) bool { return s.Role != source.ModuleProxy })

// write puts files below a new directory and returns it.
func write(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func checkout(tb testing.TB, files map[string]string) *lockfile.Checkout {
	tb.Helper()
	co, err := lockfile.Open(write(tb, files), "", Names()...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { co.Close() })
	return co
}

// machine has a toolchain of its own whose go is never started, and nothing else but env.
func machine(tb testing.TB, env map[string]string) ecosystem.Machine {
	tb.Helper()
	root := write(tb, map[string]string{"go.env": goEnv, "bin/go": "#!/bin/sh\necho started >&2\nexit 1\n"})
	all := map[string]string{"PATH": filepath.Join(root, "bin")}
	maps.Copy(all, env)
	return ecosystem.Machine{OS: runtime.GOOS, Mirrors: catalogue.Of(source.Go, nil), Lookup: func(name string) (string, bool) { v, ok := all[name]; return v, ok }}
}

var oneModule = map[string]string{
	"go.mod": "module github.com/own/app\n\ngo 1.26\n\nrequire github.com/google/uuid v1.6.0\n",
	"go.sum": "github.com/google/uuid v1.6.0 h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\n" +
		"github.com/google/uuid v1.6.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n",
}

func read1(tb testing.TB, env, files map[string]string) *ecosystem.Ecosystem {
	tb.Helper()
	e, err := New(machine(tb, env), checkout(tb, files))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func facts(e *ecosystem.Ecosystem, after *choose.Choice) decide.Input {
	var in decide.Input
	e.Fill(&in, after)
	return in
}

func ids(list []source.Source) string {
	var out []string
	for _, s := range list {
		out = append(out, s.ID+"="+s.URL+"("+s.Origin+")")
	}
	return strings.Join(out, " ")
}

func TestNewOnAPlainRunner(t *testing.T) {
	t.Parallel()
	e := read1(t, nil, oneModule)
	if !e.Present || !e.Installed || e.Modules != 1 || !e.Direct || !e.SumDBWanted || e.Frozen != "" || len(e.Notes) != 0 {
		t.Errorf("got %+v", e)
	}
	if got, want := ids(e.InForce), "official=https://official.test(builtin)"; got != want {
		t.Errorf("in force %s, want %s", got, want)
	}
	if e.Catalogue[0].ID != source.Official || len(e.Catalogue) != 1+len(mirrors) {
		t.Errorf("catalogue %s", ids(e.Catalogue))
	}
	if got, want := ids(e.SumDB), "sum.golang.org=https://sum.golang.org(builtin) sum.golang.google.cn=https://sum.golang.google.cn(builtin)"; got != want {
		t.Errorf("databases %s", got)
	}
	in := facts(e, nil)
	if len(in.Settings) != 0 || len(in.Go.Unsummed) != 0 || in.Go.SumDB.Mode != "on" || !in.Go.SumDB.KeyKnown || in.Go.Modules.Value != "on" {
		t.Errorf("facts %+v", in.Go)
	}
	if changes := e.Changes(choose.Choice{Kept: true, SumDBReached: true, Sources: []choose.Picked{{Source: e.InForce[0]}}}); len(changes) != 0 {
		t.Errorf("changes where all is well: %v", changes)
	}
}

func TestInForce(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]struct {
		sources string
		direct  bool
		frozen  string
	}{
		"https://goproxy.cn,direct":            {"goproxy.cn=https://goproxy.cn(runner)", true, ""},
		"https://goproxy.cn/|https://a.test/x": {"goproxy.cn=https://goproxy.cn(runner) a.test=https://a.test/x(runner)", false, ""},
		" a.test , off,https://b.test":         {"a.test=https://a.test(runner)", false, endsInOff},
		"http://corp.test,off":                 {"corp.test=http://corp.test(runner)", false, endsInOff},
		"http://corp.test|off":                 {"corp.test=http://corp.test(runner)", false, endsInOff},
		"nonsense,off":                         {"", false, endsInOff},
		"https://a.test,direct,off":            {"a.test=https://a.test(runner)", true, ""}, // go stops at direct
		"file:///srv/mod,https://a.test":       {"a.test=https://a.test(runner)", false, namesDirectory},
		"https://a.test|file:///srv/mod":       {"a.test=https://a.test(runner)", false, namesDirectory},
		"https://a.test,file:///srv/mod,off":   {"a.test=https://a.test(runner)", false, endsInOff},
		"https://a.test,direct,file:///srv":    {"a.test=https://a.test(runner)", true, ""},
		"off,u:s3cret@b.test":                  {"", false, "GOPROXY=off,***@b.test asks no module proxy"},
		"https://official.test":                {"official=https://official.test(runner)", false, ""},
		"off":                                  {"", false, "GOPROXY=off asks no module proxy"},
		"direct,https://a.test":                {"", true, "GOPROXY=direct,https://a.test asks no module proxy"},
		"file:///srv/mod":                      {"", false, "GOPROXY=file:///srv/mod asks no module proxy"},
		"nonsense,https://a.test":              {"", false, ""},
	} {
		e := read1(t, map[string]string{"GOPROXY": value}, oneModule)
		if ids(e.InForce) != want.sources || e.Direct != want.direct || e.Frozen != want.frozen {
			t.Errorf("%q: got %s, %v, %q", value, ids(e.InForce), e.Direct, e.Frozen)
		}
	}
}

func TestOfficial(t *testing.T) {
	t.Parallel()
	co := checkout(t, oneModule)
	m := machine(t, nil)
	nothing := m
	nothing.Lookup = func(string) (string, bool) { return "", false }
	stamped, told := nothing, m
	stamped.Stamped, told.Official = "https://stamped.test/", "https://told.test"
	for name, tt := range map[string]struct {
		m               ecosystem.Machine
		official, force string
		notes, direct   bool
	}{
		"toolchain": {m, "https://official.test", "https://official.test", false, true},
		"told":      {told, "https://told.test", "https://official.test", false, true},
		"stamped":   {stamped, "https://stamped.test", "https://stamped.test", false, true},
		"nothing":   {nothing, "", "", true, false},
	} {
		e, err := New(tt.m, co)
		if err != nil {
			t.Fatal(err)
		}
		official, force := "", ""
		if e.Catalogue[0].ID == source.Official {
			official = e.Catalogue[0].URL
		}
		if len(e.InForce) > 0 {
			force = e.InForce[0].URL
		}
		if official != tt.official || force != tt.force || (len(e.Notes) > 0) != tt.notes || e.Direct != tt.direct {
			t.Errorf("%s: official %q, in force %q, direct %v, notes %q", name, official, force, e.Direct, e.Notes)
		}
	}
}

func TestExtraSourcesComeBeforeTheCatalogue(t *testing.T) {
	t.Parallel()
	m := machine(t, nil)
	m.Extra = []string{"https://own.test/go/", "https://goproxy.cn", "not a url"}
	e, err := New(m, checkout(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(e.Catalogue[:4]); !strings.HasPrefix(got, "official=https://official.test(builtin) own.test=https://own.test/go(user) goproxy.cn=https://goproxy.cn(user) goproxy.io=") {
		t.Errorf("catalogue %s", got)
	}
	if len(e.Notes) != 1 || e.Present {
		t.Errorf("notes %q, present %v", e.Notes, e.Present)
	}
}

// Nothing that stands in the checkout is found as the toolchain, whether by PATH, by GOROOT or through a link.
func TestNoToolFromTheCheckout(t *testing.T) {
	t.Parallel()
	co := checkout(t, map[string]string{"go.mod": "module a.test/a\n", "bin/go": "#!/bin/sh\n", "go.env": "GOPROXY=https://evil.test\n"})
	outside := t.TempDir()
	if err := os.Symlink(filepath.Join(co.Dir(), "bin", "go"), filepath.Join(outside, "go")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(co.Dir(), filepath.Join(outside, "root")); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GOROOT": filepath.Join(outside, "root"),
		"PATH": strings.Join([]string{"bin", ".", filepath.Join(co.Dir(), "bin"), outside, filepath.Join(outside, "root", "bin")}, string(filepath.ListSeparator))}
	e, err := New(ecosystem.Machine{OS: runtime.GOOS, Lookup: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}, co)
	if err != nil {
		t.Fatal(err)
	}
	if e.Installed || len(e.InForce) > 0 || strings.Contains(ids(e.Catalogue), "evil") {
		t.Errorf("found a toolchain in the checkout: %v %s", e.Installed, ids(e.Catalogue))
	}
	if err := e.Prove(context.Background(), nil); !errors.Is(err, ecosystem.ErrNoTool) {
		t.Errorf("Prove: %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	home := write(t, map[string]string{".config/go/env": "GOPROXY=https://file.test\nGOSUMDB=off\r\nGOENV=/nowhere\nnoise\n",
		"Library/Application Support/go/env": "GOPROXY=https://mac.test\n", "other": "GONOSUMDB=corp.test\nGOROOT=/nowhere\n", "go/env": "GOPROXY=https://xdg.test\n"})
	file := filepath.Join(home, ".config", "go", "env")
	type row struct {
		Value, Origin, Setting, File string
		Line, Column                 int
	}
	show := func(s setting) row {
		f := s.origins()
		return row{s.value, f.Origin, f.Setting, f.File, f.Line, f.Column}
	}
	for name, tt := range map[string]struct {
		env  map[string]string
		goos string
		key  string
		want row
	}{
		"environment":   {map[string]string{"GOPROXY": "https://env.test", "HOME": home}, "linux", "GOPROXY", row{"https://env.test", "runner", "GOPROXY in the environment", "", 0, 0}},
		"empty is none": {map[string]string{"GOPROXY": "", "HOME": home}, "linux", "GOPROXY", row{"https://file.test", "runner", "GOPROXY in " + file, file, 1, 9}},
		"CR is kept":    {map[string]string{"HOME": home}, "linux", "GOSUMDB", row{"off\r", "runner", "GOSUMDB in " + file, file, 2, 9}},
		"file is off":   {map[string]string{"HOME": home, "GOENV": "off"}, "linux", "GOSUMDB", row{Value: "sum.golang.org", Origin: "builtin"}},
		"file is named": {map[string]string{"HOME": home, "GOENV": filepath.Join(home, "other")}, "linux", "GONOSUMDB", row{"corp.test", "runner", "GONOSUMDB in " + filepath.Join(home, "other"), filepath.Join(home, "other"), 1, 11}},
		"XDG":           {map[string]string{"HOME": home, "XDG_CONFIG_HOME": home}, "linux", "GOPROXY", row{"https://xdg.test", "runner", "GOPROXY in " + filepath.Join(home, "go", "env"), filepath.Join(home, "go", "env"), 1, 9}},
		"relative XDG":  {map[string]string{"HOME": home, "XDG_CONFIG_HOME": "here"}, "linux", "GOPROXY", row{Value: "https://official.test,direct", Origin: "builtin"}},
		"macOS":         {map[string]string{"HOME": home}, "darwin", "GOPROXY", row{"https://mac.test", "runner", "", "", 1, 9}},
		"no home":       {nil, "linux", "GOPROXY", row{Value: "https://official.test,direct", Origin: "builtin"}},
	} {
		m := machine(t, tt.env)
		m.OS = tt.goos
		v, err := read(m, checkout(t, oneModule))
		if err != nil {
			t.Fatal(err)
		}
		got := show(v.set.get(tt.key))
		if tt.want.Setting == "" { // the file is the machine's own
			got.Setting, got.File = "", ""
			if tt.want.Origin == source.Builtin {
				got.Line, got.Column = 0, 0
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		if name == "CR is kept" && !strings.Contains(strings.Join(v.notes, "\n"), "carriage return") {
			t.Errorf("no note of the carriage return: %q", v.notes)
		}
	}
}

// A GOENV that leads into the checkout is a stranger's word: judged, never asked.
func TestGOENVInTheCheckout(t *testing.T) {
	t.Parallel()
	files := maps.Clone(oneModule)
	files["ci/go.env"] = "# x\nGOPROXY=https://evil.test\nGOSUMDB=off\n"
	co := checkout(t, files)
	e, err := New(machine(t, map[string]string{"GOENV": filepath.Join(co.Dir(), "ci", "go.env")}), co)
	if err != nil {
		t.Fatal(err)
	}
	in := facts(e, nil)
	if len(e.InForce) != 0 || e.Frozen == "" || e.Prove != nil || len(in.Sources) != 1 || in.Sources[0].Origin != source.Checkout || in.Sources[0].File != "ci/go.env" || in.Sources[0].Line != 2 {
		t.Errorf("in force %s, frozen %q, sources %+v", ids(e.InForce), e.Frozen, in.Sources)
	}
	if in.Go.SumDB.Mode != "off" || in.Go.SumDB.Origin != source.Checkout {
		t.Errorf("database %+v", in.Go.SumDB)
	}
}

// What its author may have written beside the checkout is neither started nor believed, nor read as part of it.
func TestBesideTheCheckout(t *testing.T) {
	t.Parallel()
	repository := write(t, map[string]string{"app/go.mod": "module a.test/a\n", "bin/go": "#!/bin/sh\n", "go.env": "GOPROXY=https://evil.test\n",
		"ci/env": "GOPROXY=https://evil.test\nGOSUMDB=off\nGOROOT=/nowhere\n", ".config/go/env": "GOPROXY=https://evil.test\n", "empty/x": ""})
	inside := func(name string) string { return filepath.Join(repository, name) }
	co, err := lockfile.Open(inside("app"), "", Names()...)
	if err != nil {
		t.Fatal(err)
	}
	defer co.Close()
	co.Fence = repository
	linked := filepath.Join(t.TempDir(), "env")
	if err := os.Symlink(inside("ci/env"), linked); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env       map[string]string
		installed bool
		note      string
	}{
		"PATH":         {map[string]string{"PATH": inside("bin")}, false, "is not known"},
		"GOROOT":       {map[string]string{"GOROOT": repository}, true, ""},
		"GOENV":        {map[string]string{"GOENV": inside("ci/env")}, true, "GOENV leads to a file beside"},
		"GOENV, none":  {map[string]string{"GOENV": inside("ci/none")}, true, "GOENV leads to a file beside"},
		"GOENV linked": {map[string]string{"GOENV": linked}, true, "GOENV leads to a file beside"},
		"HOME":         {map[string]string{"HOME": repository}, true, "the place of go env -w leads to a file beside"},
		"HOME, none":   {map[string]string{"HOME": inside("empty")}, true, ""},
		"HOME in it":   {map[string]string{"HOME": co.Dir()}, true, ""},
		"HOME is .":    {map[string]string{"HOME": "."}, true, "is not an absolute path"},
	} {
		m := machine(t, tt.env)
		m.OS = "linux"
		e, err := New(m, co)
		if err != nil {
			t.Fatal(err)
		}
		in := facts(e, nil)
		notes := strings.Join(e.Notes, "\n")
		if strings.Contains(ids(e.InForce)+ids(e.Catalogue), "evil") || e.Installed != tt.installed || in.Go.SumDB.Mode != "on" ||
			slices.ContainsFunc(in.Settings, func(s decide.Setting) bool { return s.Name != "GOENV" }) || tt.note == "" && notes != "" || !strings.Contains(notes, tt.note) {
			t.Errorf("%s: installed %v, in force %s, settings %v, notes %q", name, e.Installed, ids(e.InForce), in.Settings, notes)
		}
	}
}

// nothing are facts without any.
func nothing() decide.Go {
	return decide.Go{Proxies: []decide.Proxy{}, Patterns: []decide.Pattern{}, Flags: []decide.Flag{}, Replaces: []decide.Replace{},
		Unsummed: []decide.Unsummed{}, VCS: []decide.VCS{}, Programs: []decide.Program{}, Toolchains: []decide.Toolchain{},
		Requires: []decide.Requirement{}, Lookalikes: []decide.Lookalike{}, Excludes: []decide.Exclude{}, Tools: []decide.Tool{},
		Uses: []decide.Use{}, Debug: []decide.Debug{}, Directives: []decide.Directive{}, Vendor: []decide.Vendored{}, Clashes: []decide.Clash{}}
}

// goLine is the directive of oneModule.
func goLine() []decide.Directive {
	return []decide.Directive{{Name: "go", Value: "1.26", Position: lockfile.Position{File: "go.mod", Line: 3, Column: 1}}}
}

// required is what oneModule requires.
func required() decide.Requirement {
	at := lockfile.Position{File: "go.mod", Line: 5, Column: 1}
	return decide.Requirement{ID: "go-1", Kind: "release", Count: 1, Examples: []string{"github.com/google/uuid@v1.6.0"},
		Position: at, Items: []decide.Item{{Subject: "github.com/google/uuid@v1.6.0", At: at}}}
}

func TestRepoOnlyLeavesTheMachineOut(t *testing.T) {
	t.Parallel()
	m := machine(t, map[string]string{"GOPROXY": "http://bad.test", "GOSUMDB": "off", "GOFLAGS": "-insecure", "GO111MODULE": "off", "GOINSECURE": "*"})
	m.RepoOnly = true
	e, err := New(m, checkout(t, oneModule))
	if err != nil {
		t.Fatal(err)
	}
	in := facts(e, nil)
	want := nothing()
	want.SumDB = decide.SumDB{Value: "sum.golang.org", Mode: "on", Name: "sum.golang.org", KeyKnown: true, From: decide.From{Origin: "builtin", Setting: "GOSUMDB"}}
	want.Modules = decide.Switch{Value: "on", From: decide.From{Origin: "builtin", Setting: "GO111MODULE"}}
	want.Requires, want.Directives = []decide.Requirement{required()}, goLine()
	if diff := cmp.Diff(&want, in.Go); diff != "" {
		t.Error(diff)
	}
	if len(in.Settings)+len(in.Sources)+len(e.InForce) != 0 || e.SumDBWanted || len(e.Changes(choose.Choice{SumDBReached: true})) != 0 {
		t.Errorf("%+v %s", in, ids(e.InForce))
	}
	if e, err = New(m, checkout(t, nil)); err != nil || facts(e, nil).Go != nil {
		t.Errorf("a checkout without Go has facts, or %v", err)
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	e := read1(t, map[string]string{"GOPROXY": "https://u:secret@own.test/go|direct", "GOPRIVATE": "own.test, github.com", "GOFLAGS": `-mod=mod "-ldflags=-X a.b=token"`,
		"GOAUTH": "/bin/token secret", "GOSUMDB": "sum.golang.org https://u:secret@log.test/"}, oneModule)
	in := facts(e, nil)
	from := func(name string) decide.From {
		return decide.From{Origin: "runner", Setting: name + " in the environment"}
	}
	own := decide.Place{URL: "https://own.test/go", Scheme: "https", Host: "own.test", Userinfo: true}
	want := decide.Input{
		Sources: []decide.Source{
			{Place: own, ID: "own.test", Ecosystem: "go", Role: "module-proxy", Origin: "runner", Via: "unknown", IPs: []string{}, Addresses: "not-asked", Setting: "GOPROXY"},
			{Place: decide.Place{URL: "https://log.test", Scheme: "https", Host: "log.test", Userinfo: true}, ID: "log.test", Ecosystem: "go", Role: "checksum-db",
				Origin: "runner", Via: "unknown", IPs: []string{}, Addresses: "not-asked", Setting: "GOSUMDB"}},
		Settings: []decide.Setting{
			{Ecosystem: "go", Name: "GOPROXY", Value: "https://***@own.test/go|direct", Origin: "runner", From: "GOPROXY"},
			{Ecosystem: "go", Name: "GOSUMDB", Value: "sum.golang.org https://***@log.test/", Origin: "runner", From: "GOSUMDB"},
			{Ecosystem: "go", Name: "GOPRIVATE", Value: "own.test, github.com", Origin: "runner", From: "GOPRIVATE"},
			{Ecosystem: "go", Name: "GOFLAGS", Value: "***", Origin: "runner", From: "GOFLAGS"},
			{Ecosystem: "go", Name: "GOAUTH", Value: "***", Origin: "runner", From: "GOAUTH"}},
		Go: new(decide.Go)}
	*want.Go = nothing()
	want.Go.SumDB = decide.SumDB{Value: "sum.golang.org https://***@log.test/", Mode: "on", Name: "sum.golang.org", KeyKnown: true, URL: "https://log.test", From: from("GOSUMDB")}
	want.Go.Proxies = []decide.Proxy{{Kind: "url", Place: &own, From: from("GOPROXY")}, {Kind: "direct", Before: "|", Index: 1, From: from("GOPROXY")}}
	want.Go.Patterns = []decide.Pattern{{Name: "GOPRIVATE", Pattern: "own.test", From: from("GOPRIVATE")},
		{Name: "GOPRIVATE", Pattern: "github.com", Broad: true, Spaced: true, From: from("GOPRIVATE")}}
	want.Go.Flags = []decide.Flag{{Name: "mod", Value: "mod", From: from("GOFLAGS")}, {Name: "ldflags", Value: "***", From: from("GOFLAGS")}}
	want.Go.Modules = decide.Switch{Value: "on", From: decide.From{Origin: "builtin", Setting: "GO111MODULE"}}
	want.Go.Programs = []decide.Program{{Name: "GOAUTH", Kind: "runner", From: from("GOAUTH")}}
	want.Go.Requires, want.Go.Directives = []decide.Requirement{required()}, goLine()
	if diff := cmp.Diff(want, in); diff != "" {
		t.Error(diff)
	}
	if e.SumDBFixed != "sum.golang.org" {
		t.Errorf("SumDBFixed %q", e.SumDBFixed)
	}
}

// The go command takes an address without a scheme too, and whatever it holds of a secret is shown nowhere.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, env := range []map[string]string{
		{"GOPROXY": "https://u:h1dden@own.test/go|direct", "GOSUMDB": "sum.golang.org https://u:h1dden@log.test/"},
		{"GOPROXY": "u:h1dden@own.test/go,direct", "GOSUMDB": "sum.golang.org u:h1dden@log.test"},
		{"GOPROXY": "direct,u:h1dden@own.test", "GOSUMDB": "u:h1dden@log.test"},
		{"GOPROXY": "off,https://a.test/,u:h1/dden@own.test", "GOSUMDB": "https://u:h1dden@log.test"},
		{"GOFLAGS": `-x '-toolexec=sign --token h1dden`}, {"GOFLAGS": `-ldflags=-X token=h1dden`}, {"GOFLAGS": `-exec=x h1dden`},
	} {
		m := machine(t, env)
		m.Extra = []string{"u:h1dden@extra.test"}
		e, err := New(m, checkout(t, oneModule))
		if err != nil {
			t.Fatal(err)
		}
		in := facts(e, nil)
		shown := fmt.Sprintf("%q %q %q %+v %+v", e.Effective, e.Frozen, e.Notes, in.Settings, *in.Go)
		for _, p := range in.Go.Proxies {
			shown += fmt.Sprintf(" %+v", p.Place)
		}
		if strings.Contains(shown, "dden") {
			t.Errorf("%q: %s", env, shown)
		}
	}
}

// Flags that the go command cannot read are a fact that a rule judges.
func TestBrokenFlags(t *testing.T) {
	t.Parallel()
	from := decide.From{Origin: "runner", Setting: "GOFLAGS in the environment"}
	e := read1(t, map[string]string{"GOFLAGS": `-mod=mod "-x`}, oneModule)
	want := []decide.Flag{{Broken: `a quote " is not closed`, From: from}}
	if diff := cmp.Diff(want, facts(e, nil).Go.Flags); diff != "" || len(e.Notes) != 0 {
		t.Errorf("notes %q\n%s", e.Notes, diff)
	}
	want = []decide.Flag{{Name: "mod", Value: "mod", From: from}, {Broken: "word 2 is not a flag", From: from}}
	if diff := cmp.Diff(want, facts(read1(t, map[string]string{"GOFLAGS": "-mod=mod x"}, oneModule), nil).Go.Flags); diff != "" {
		t.Error(diff)
	}
}

func TestFillAfterTheChoice(t *testing.T) {
	t.Parallel()
	e := read1(t, map[string]string{"GOPROXY": "http://dead.test|direct", "GOSUMDB": "off", "GO111MODULE": "off"}, oneModule)
	pick := choose.Picked{Source: mirrors[0], Via: "direct", IPs: []string{"192.0.2.1"}, ChecksumDB: true}
	in := facts(e, &choose.Choice{Sources: []choose.Picked{pick}, GoDirect: true, SumDBReached: true})
	plan := decide.From{Origin: "builtin", Setting: "plan"}
	if len(in.Go.Proxies) != 2 || in.Go.Proxies[1].Before != "," || in.Go.Proxies[0].From != plan || in.Go.SumDB.From != plan || in.Go.SumDB.Mode != "on" ||
		in.Go.Modules.Value != "on" {
		t.Errorf("%+v", in.Go)
	}
	want := []decide.Source{{Place: decide.PlaceOf("https://goproxy.cn"), ID: "goproxy.cn", Ecosystem: "go", Role: "module-proxy", Origin: "builtin", Via: "direct",
		IPs: []string{"192.0.2.1"}, Addresses: "known", Setting: "GOPROXY"}}
	if diff := cmp.Diff(want, in.Sources); diff != "" {
		t.Error(diff)
	}

	// the log is asked at its own host when what was measured does not relay it
	pick.ChecksumDB, pick.IPs, pick.Via = false, nil, "proxy"
	in = facts(e, &choose.Choice{Sources: []choose.Picked{pick}, SumDB: ""})
	if len(in.Sources) != 1 {
		t.Errorf("GOSUMDB is off, and %+v", in.Sources)
	}
	e = read1(t, nil, oneModule)
	in = facts(e, &choose.Choice{Sources: []choose.Picked{pick}, SumDBReached: true})
	if len(in.Sources) != 2 || in.Sources[1].URL != "https://sum.golang.org" || in.Sources[1].Origin != "builtin" || in.Sources[0].Addresses != "behind-proxy" {
		t.Errorf("%+v", in.Sources)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	cn, own := mirrors[0], named("https://u:p4ssw0rd@own.test", source.Runner)
	relays := choose.Picked{Source: cn, ChecksumDB: true}
	for name, tt := range map[string]struct {
		env    map[string]string
		files  map[string]string
		choice choose.Choice
		want   map[string]string
	}{
		"kept":                   {nil, oneModule, choose.Choice{Kept: true, SumDBReached: true}, nil},
		"no usable source":       {nil, oneModule, choose.Choice{}, nil},
		"a mirror":               {nil, oneModule, choose.Choice{Sources: []choose.Picked{relays}, SumDBReached: true}, map[string]string{"GOPROXY": "https://goproxy.cn"}},
		"a mirror and direct":    {nil, oneModule, choose.Choice{Sources: []choose.Picked{relays}, GoDirect: true}, map[string]string{"GOPROXY": "https://goproxy.cn,direct"}},
		"already so":             {map[string]string{"GOPROXY": "goproxy.cn/ , direct"}, oneModule, choose.Choice{Sources: []choose.Picked{relays}, GoDirect: true}, nil},
		"| becomes a comma":      {map[string]string{"GOPROXY": "https://goproxy.cn|direct"}, oneModule, choose.Choice{Sources: []choose.Picked{relays}, GoDirect: true}, map[string]string{"GOPROXY": "https://goproxy.cn,direct"}},
		"userinfo is kept":       {nil, oneModule, choose.Choice{Sources: []choose.Picked{{Source: own}, relays}}, map[string]string{"GOPROXY": "https://u:p4ssw0rd@own.test,https://goproxy.cn"}},
		"database elsewhere":     {nil, oneModule, choose.Choice{Kept: true, SumDB: "https://sum.golang.google.cn"}, map[string]string{"GOSUMDB": "sum.golang.org https://sum.golang.google.cn"}},
		"alias already":          {map[string]string{"GOSUMDB": "sum.golang.google.cn"}, oneModule, choose.Choice{Kept: true, SumDB: "https://sum.golang.google.cn/"}, nil},
		"off is mended":          {map[string]string{"GOSUMDB": "off"}, oneModule, choose.Choice{Kept: true, SumDBReached: true, Sources: []choose.Picked{relays}}, map[string]string{"GOSUMDB": "sum.golang.org"}},
		"off, nothing reached":   {map[string]string{"GOSUMDB": "off"}, oneModule, choose.Choice{Kept: true}, nil},
		"off, not asked for":     {map[string]string{"GOSUMDB": "off", "GOPROXY": "https://goproxy.cn"}, oneModule, choose.Choice{SumDBReached: true, Sources: []choose.Picked{{Source: cn}}}, nil},
		"off, elsewhere":         {map[string]string{"GOSUMDB": "off"}, oneModule, choose.Choice{Kept: true, SumDB: "https://a.test"}, map[string]string{"GOSUMDB": "sum.golang.org https://a.test"}},
		"invalid":                {map[string]string{"GOSUMDB": "a b c"}, oneModule, choose.Choice{Kept: true, SumDBReached: true}, map[string]string{"GOSUMDB": "sum.golang.org"}},
		"unknown key":            {map[string]string{"GOSUMDB": foreignKey}, oneModule, choose.Choice{Kept: true, SumDBReached: true}, map[string]string{"GOSUMDB": "sum.golang.org"}},
		"white space":            {map[string]string{"GOPRIVATE": "a.test, b.test,,c.test "}, oneModule, choose.Choice{Kept: true}, map[string]string{"GOPRIVATE": "a.test,b.test,c.test"}},
		"white space, broad":     {map[string]string{"GONOSUMDB": "a.test, *"}, oneModule, choose.Choice{Kept: true}, nil},
		"modules off":            {map[string]string{"GO111MODULE": "off"}, oneModule, choose.Choice{Kept: true}, map[string]string{"GO111MODULE": "on"}},
		"modules off, none here": {map[string]string{"GO111MODULE": "off"}, nil, choose.Choice{Kept: true}, nil},
		"diverted": {map[string]string{"GONOSUMDB": "b.test"}, oneModule, choose.Choice{Kept: true, Diverted: true},
			map[string]string{"GOPRIVATE": "github.com/own", "GONOSUMDB": "b.test,github.com/own"}},
		"diverted, covered": {map[string]string{"GOPRIVATE": "github.com/own"}, oneModule, choose.Choice{Kept: true, Diverted: true}, nil},
		"diverted, a host": {nil, map[string]string{"go.mod": "module git.corp.test/team/app\n", "b/go.mod": "module git.corp.test/b\n"},
			choose.Choice{Kept: true, Diverted: true}, map[string]string{"GOPRIVATE": "git.corp.test"}},
		"diverted, a public host": {nil, map[string]string{"go.mod": "module go.uber.org/zap\n"}, choose.Choice{Kept: true, Diverted: true}, map[string]string{"GOPRIVATE": "go.uber.org/zap"}},
		"diverted, a trap":        {nil, map[string]string{"go.mod": "module \"a.test,*\"\n"}, choose.Choice{Kept: true, Diverted: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]string{}
			changes := read1(t, tt.env, tt.files).Changes(tt.choice)
			env := maps.Clone(tt.env)
			if env == nil {
				env = map[string]string{}
			}
			for _, c := range changes {
				got[c.Name], env[c.Name] = c.Value, c.Value
				if c.Kind != "env" || c.Ecosystem != source.Go || c.Why == "" || strings.Contains(c.Shown, "p4ssw0rd") {
					t.Errorf("%+v", c)
				}
			}
			if want := tt.want; !maps.Equal(want, got) {
				t.Errorf("got %q, want %q", got, want)
			}
			var none []inject.Change
			if diff := cmp.Diff(none, read1(t, env, tt.files).Changes(tt.choice)); diff != "" {
				t.Errorf("a second run changes more:\n%s", diff)
			}
		})
	}
}

func TestWorkspace(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile(filepath.Join("..", "..", "..", "testdata", "mod", "workspace.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	e := read1(t, nil, files)
	at := func(file string, line, column int) lockfile.Position {
		return lockfile.Position{File: file, Line: line, Column: column}
	}
	local := func(module, target string, line int, outside bool) decide.Replace {
		return decide.Replace{Module: module, Target: target, Kind: "local", Outside: outside, Origin: "checkout", Position: at("b/go.mod", line, 2),
			Key: "replace b/go.mod " + module + " => " + target}
	}
	want := []decide.Replace{
		{Module: "github.com/pkg/errors", Target: "github.com/somebody/errors", TargetVersion: "v0.9.1", Kind: "module", Foreign: true, Host: "github.com", Origin: "checkout", Position: at("a/go.mod", 14, 1),
			Key: "replace a/go.mod github.com/pkg/errors => github.com/somebody/errors@v0.9.1"},
		local("corp.test/up", "../../elsewhere", 6, true), local("corp.test/in", "./sub", 7, false), local("corp.test/beside", "../a", 8, false),
		local("corp.test/abs", "/opt/abs", 9, true),
		{Module: "github.com/own/x", Target: "github.com/own/y", TargetVersion: "v1.2.3", Kind: "module", Host: "github.com", Origin: "checkout", Position: at("b/go.mod", 10, 2),
			Key: "replace b/go.mod github.com/own/x => github.com/own/y@v1.2.3"},
		{Module: "github.com/own/z", Version: "v1.0.0", Target: "evil.test/z", TargetVersion: "v1.0.0", Kind: "module", Foreign: true, Host: "evil.test", Origin: "checkout", Position: at("b/go.mod", 11, 2),
			Key: "replace b/go.mod github.com/own/z@v1.0.0 => evil.test/z@v1.0.0"},
		{Module: "corp.test/old", Version: "v1.0.0", Target: "corp.test/old", TargetVersion: "v1.0.1", Kind: "module", Host: "corp.test", Origin: "checkout", Position: at("go.work", 8, 1),
			Key: "replace go.work corp.test/old@v1.0.0 => corp.test/old@v1.0.1"},
	}
	in := facts(e, nil)
	if diff := cmp.Diff(want, in.Go.Replaces); diff != "" {
		t.Error(diff)
	}
	unsummed := []decide.Unsummed{
		{Module: "corp.test/missing", Version: "v1.0.0", Missing: "all", Sum: "a/go.sum", Position: at("a/go.mod", 6, 2)},
		{Module: "corp.test/onlywork", Version: "v1.0.0", Missing: "all", Sum: "tool/go.sum", Position: at("tool/go.mod", 5, 1)},
	}
	if diff := cmp.Diff(unsummed, in.Go.Unsummed); diff != "" {
		t.Error(diff)
	}
	if e.Modules != 3 {
		t.Errorf("%d modules, want 3", e.Modules)
	}
	co := checkout(t, files)
	names, err := e.Hosts(co.At(map[string][]byte{"go.work": []byte("nonsense ("), "a/go.mod": nil}))
	known := map[string]bool{"evil.test": true, "github.com": true, "module corp.test/onlywork": true, "module evil.test/z": true, "module github.com/own/y": true}
	for _, r := range want {
		if r.File == "b/go.mod" {
			known[r.Key] = true
		}
	}
	if diff := cmp.Diff(known, names); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}
