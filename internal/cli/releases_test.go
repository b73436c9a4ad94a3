package cli_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

// published sets up a world in which versions have a history, at noon.
func published(s *stage) {
	s.t.Helper()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return noon }
	const uuid = "github.com/google/uuid"
	s.proxy = upstreamtest.NewModuleProxy(s.t, upstreamtest.ModuleProxyOptions{
		Modules: map[string]map[string]string{
			uuid + "@v1.6.0":    {"go.mod": "module " + uuid + "\n"},
			uuid + "@v1.6.1":    {"go.mod": "module " + uuid + "\n"},
			"old.test/x@v1.0.0": {"go.mod": "module old.test/x\n"},
			"old.test/x@v1.0.1": {"go.mod": "// Deprecated: use new.test/x.\nmodule old.test/x\n\nretract v1.0.0 // deletes files\n"},
		},
		Times: map[string]time.Time{uuid + "@v1.6.1": noon.Add(-5 * time.Hour)},
	})
	s.world.Serve("official.test", s.proxy)
	s.world.Serve("npm.official.test", upstreamtest.NewRegistry(s.t,
		upstreamtest.Package{Name: "is-number", Version: "7.0.0", Published: noon.AddDate(-1, 0, 0), Integrity: goodSHA},
		upstreamtest.Package{Name: "gone", Version: "1.0.0", Published: noon.AddDate(-1, 0, 0), Deprecated: "use new"},
		upstreamtest.Package{Name: "fresh", Version: "1.0.0", Published: noon.Add(-5 * time.Hour)}))
	s.write(s.env["GOROOT"]+"/go.env", "GOPROXY=https://official.test,direct\nGOSUMDB="+s.proxy.VerifierKey()+"\n")
	s.settings("")
	s.requires("github.com/google/uuid v1.6.0")
	s.file("package.json", "{}")
	s.file("package-lock.json", lock())
}

// settings are those of every stage with more behind them. The log is not asked.
func (s *stage) settings(more string) {
	s.file(".goproxy/config.yaml", "verify: off\nchecksum-database:\n  keys: [\""+s.proxy.VerifierKey()+"\"]\nofficial:\n  npm: https://npm.official.test\n"+more)
}

func (s *stage) requires(modules ...string) {
	s.file("go.mod", "module example.test/app\n\ngo 1.26\n\nrequire (\n\t"+strings.Join(modules, "\n\t")+"\n)\n")
	sums := ""
	for _, m := range modules {
		path, version, _ := strings.Cut(m, " ")
		zip, mod := s.proxy.Sum(path, version)
		sums += m + " " + zip + "\n" + m + "/go.mod " + mod + "\n"
	}
	s.file("go.sum", sums)
}

// ofDefault is a package of the default registry as lock takes it.
func ofDefault(name string) [3]string {
	return [3]string{name, "https://npm.official.test/" + name + "/-/" + name + "-1.0.0.tgz", goodSHA}
}

const bothAges = "age: {go: 72h, npm: 3d}\n"

// Asked about all, registries tell what is young, retracted and deprecated, in check and in setup.
func TestReleases(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	published(s)
	s.settings("releases: all\n" + bothAges)
	s.requires("github.com/google/uuid v1.6.1", "old.test/x v1.0.0")
	s.file("package-lock.json", lock(ofDefault("gone"), ofDefault("fresh")))
	want := []string{
		"error MOD005 go.mod:6:2 github.com/google/uuid@v1.6.1 was committed 5 hours ago (2026-11-23T07:00Z); at least 3 days are asked for",
		"error LCK014 package-lock.json:14:19 fresh@1.0.0 was published 5 hours ago (2026-11-23T07:00Z); at least 3 days are asked for",
		"warning MOD003 go.mod:7:2 old.test/x@v1.0.0 was retracted by its authors: deletes files",
		"warning MOD004 go.mod:7:2 old.test/x@v1.0.0 is of a deprecated module: use new.test/x.",
		"warning LCK015 package-lock.json:9:19 gone@1.0.0 is deprecated: use new",
	}
	s.run("check", "DIR").want(t, 1, want, nil)
	s.run("setup", "DIR").want(t, 1, nil, want)
	if got, _ := s.statuses(); !slices.Equal(got, []string{"LCK014 fresh@1.0.0 active", "LCK015 gone@1.0.0 active", "MOD003 old.test/x@v1.0.0 active",
		"MOD004 old.test/x@v1.0.0 active", "MOD005 github.com/google/uuid@v1.6.1 active"}) {
		t.Errorf("%q", got)
	}
	s.settings("releases: all\nage: {go: 72h, npm: 3d, exclude: [github.com/google, fresh]}\n")
	s.run("check", "DIR").want(t, 0, want[2:], nil)
	s.settings("releases: off\n" + bothAges)
	s.run("check", "DIR").want(t, 0, nil, nil)
}

// Offline, or where nobody knows what a change would be, nobody is asked; who wants ages is told so.
func TestReleasesOfNoChange(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	published(s)
	const asked = "what sources say of versions (MOD003 MOD004 MOD005 LCK014 LCK015)"
	for _, tt := range []struct {
		settings string
		args     []string
		want     string
	}{
		{"", nil, ""},
		{bothAges, nil, asked + ": releases: changed, and the commit that a change is measured against is not known"},
		{"releases: all\n", []string{"--offline"}, asked + ": offline"},
		{"", []string{"--scope", "repo", "--offline"}, ""},
		{bothAges, []string{"--scope", "repo", "--offline"}, asked + ": offline"},
		{"releases: all\n", []string{"--probe", "none"}, asked + ": probe: none"},
		{"releases: all\n", []string{"--scope", "repo"}, "the machine's settings, which name the sources, are left out"},
		{"releases: off\n", []string{"--offline"}, ""},
		{"releases: off\n" + bothAges, nil, asked + ": releases: off"},
	} {
		s.settings(tt.settings)
		e := s.run(append([]string{"check", "DIR", "--format", "json"}, tt.args...)...)
		if got := strings.Contains(e.stdout, "say of"); e.code != 0 || !strings.Contains(e.stdout, tt.want) || got != (tt.want != "") {
			t.Errorf("%q %q: exit %d\n%s%s", tt.settings, tt.args, e.code, e.stdout, e.stderr)
		}
	}
	if got := s.world.Hosts(); len(got) > 0 {
		t.Errorf("contacted %q", got)
	}
}

// Measured against a commit, only what is new is asked about; asked about all, only that fails.
func TestReleasesOfAChange(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	published(s)
	s.settings(bothAges)
	s.requires("old.test/x v1.0.0", "github.com/google/uuid v1.6.1")
	s.file("package-lock.json", lock(ofDefault("fresh")))
	s.commit()
	s.git("branch", "base")
	if got, code := s.statuses("--diff", "base"); len(got) > 0 || code != 0 {
		t.Errorf("exit %d, %q", code, got)
	}
	s.file("package-lock.json", lock(ofDefault("fresh"), ofDefault("gone")))
	if got, code := s.statuses("--diff", "base"); !slices.Equal(got, []string{"LCK015 gone@1.0.0 active"}) || code != 0 {
		t.Errorf("exit %d, %q", code, got)
	}
	if got := append(s.world.Requests("npm.official.test"), s.world.Requests("official.test")...); !slices.Equal(got, []string{"GET /gone"}) {
		t.Errorf("asked for %q", got)
	}
	// what check says so can be explained and looked at
	place := "package-lock.json:14"
	s.run("policy", "explain", "--diff", "base", place, "DIR").want(t, 0, []string{"gone@1.0.0 is deprecated"}, nil)
	s.run("policy", "explain", place, "DIR").want(t, 2, nil, []string{"write the place as check shows it; --diff BASE"})
	s.run("policy", "input", "--diff", "base", "DIR").want(t, 0, []string{`"kind": "deprecated"`}, nil)
	s.settings("releases: all\n" + bothAges)
	want := []string{"LCK014 fresh@1.0.0 known", "LCK015 gone@1.0.0 active", "MOD003 old.test/x@v1.0.0 known",
		"MOD004 old.test/x@v1.0.0 known", "MOD005 github.com/google/uuid@v1.6.1 known"}
	if got, code := s.statuses("--diff", "base"); !slices.Equal(got, want) || code != 0 {
		t.Errorf("exit %d, %q", code, got)
	}
}

// Where an age is asked for, no answer is no allowance; else it is said.
func TestReleasesUnknown(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	published(s)
	s.file("package-lock.json", lock(ofDefault("gone")))
	broken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/gone") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	s.world.Serve("npm.official.test", broken)
	s.settings("releases: all\n")
	s.run("check", "DIR").want(t, 0, []string{"unknown LCK015", "gone@1.0.0 may be deprecated: npm.official.test answered 503"}, nil)
	s.settings("releases: all\nage: {npm: 3d}\n")
	s.run("check", "DIR").want(t, 3, []string{"unknown LCK014", "gone@1.0.0 may be too young: npm.official.test answered 503"}, nil)
	s.settings("releases: all\nage: {npm: 3d}\nseverity: {LCK014: warning}\n")
	s.run("check", "DIR").want(t, 0, []string{"unknown LCK014"}, nil)
}

// A registry that only the checkout names is not asked, and what setup chooses is.
func TestReleasesAskWhatIsInForce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	published(s)
	s.settings("releases: all\n")
	s.file(".npmrc", "registry=https://evil.test/\n")
	s.file("package-lock.json", lock([3]string{"gone", "https://evil.test/gone/-/gone-1.0.0.tgz", goodSHA}))
	s.world.Serve("evil.test", upstreamtest.NewRegistry(t))
	s.run("check", "DIR").want(t, 0, []string{"gone@1.0.0 may be deprecated: evil.test is not permitted, and was not asked"}, nil)
	if got := s.world.Resolved(); slices.Contains(got, "evil.test") {
		t.Errorf("resolved %q", got)
	}

	s = newStage(t)
	published(s)
	s.settings("releases: all\n")
	s.requires("old.test/x v1.0.0")
	s.env["GOPROXY"] = "https://dead.test"
	s.run("setup", "DIR").want(t, 0, []string{"export GOPROXY="}, []string{"MOD003", "old.test/x@v1.0.0 was retracted"})
}
