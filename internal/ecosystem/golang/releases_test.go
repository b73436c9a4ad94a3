package golang

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

// noon is when these tests take place.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// inquiry asks for an age of three days, of all that is required.
func inquiry(change func(*ecosystem.Inquiry)) ecosystem.Inquiry {
	q := ecosystem.Inquiry{All: true, Client: detect.Options{Dialer: &egress.Dialer{}}.Client, Now: noon, Age: 72 * time.Hour,
		AnyAge: func(name string) bool { return name == "any.test/x" }, Permitted: func(string) bool { return true }}
	if change != nil {
		change(&q)
	}
	return q
}

// seen notes the paths that it is asked for.
type seen struct {
	http.Handler
	mu    sync.Mutex
	paths []string
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.paths = append(s.paths, r.URL.Path)
	s.mu.Unlock()
	s.Handler.ServeHTTP(w, r)
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.paths))
}

func proxied(tb testing.TB, opts upstreamtest.ModuleProxyOptions) (*seen, string) {
	tb.Helper()
	s := &seen{Handler: upstreamtest.NewModuleProxy(tb, opts)}
	return s, upstreamtest.Start(tb, s)
}

// history has a module whose last version takes itself and another one back and is deprecated, and one of this morning.
var history = upstreamtest.ModuleProxyOptions{
	Modules: map[string]map[string]string{
		"a.test/Old@v1.0.0":    {"go.mod": "module a.test/Old\n"},
		"a.test/Old@v1.1.0":    {"go.mod": "module a.test/Old\n"},
		"a.test/Old@v1.2.0-rc": {"go.mod": "module a.test/Old\n"},
		"a.test/Old@v1.1.1": {"go.mod": "// Deprecated: use\n// a.test/new instead.\nmodule a.test/Old\n\nretract (\n\t// It deletes\n\t// \x1b[31mfiles.\n\tv1.0.0\n\t[v1.1.1, v1.1.1]\n)\n" +
			"\nsome future thing\n"},
		"b.test/y@v1.0.0":   {},
		"b.test/y@v1.1.0":   {},
		"any.test/x@v1.0.0": {},
	},
	Times: map[string]time.Time{"b.test/y@v1.1.0": noon.Add(-5 * time.Hour), "b.test/y@v1.0.0": noon.Add(-72 * time.Hour),
		"any.test/x@v1.0.0": noon.Add(-time.Minute), "a.test/Old@v1.1.1": noon.Add(26 * time.Hour)},
}

// told is what was said, with its place.
func told(said ecosystem.Said) []string {
	var out []string
	for _, f := range said.Flagged {
		out = append(out, fmt.Sprintf("%s:%d:%d %s@%s %s%s %s: %s", f.File, f.Line, f.Column, f.Name, f.Version, f.Kind, strings.TrimSuffix(" "+f.Question, " "), f.Origin, f.Detail))
	}
	return out
}

func TestReleases(t *testing.T) {
	t.Parallel()
	const mod = "module own.test/app\n\nrequire (\n\ta.test/Old v1.0.0\n\tb.test/y v1.1.0\n\tany.test/x v1.0.0\n)\n"
	files := map[string]string{"go.mod": mod, "tools/go.mod": "module own.test/tools\n\nrequire a.test/Old v1.0.0\nrequire b.test/y v1.0.0\n"}
	want := []string{
		"go.mod:4:2 a.test/Old@v1.0.0 retracted checkout: was retracted by its authors: It deletes \\x1b[31mfiles.",
		"tools/go.mod:3:1 a.test/Old@v1.0.0 retracted checkout: was retracted by its authors: It deletes \\x1b[31mfiles.",
		"go.mod:4:2 a.test/Old@v1.0.0 deprecated checkout: is of a deprecated module: use a.test/new instead.",
		"tools/go.mod:3:1 a.test/Old@v1.0.0 deprecated checkout: is of a deprecated module: use a.test/new instead.",
		"go.mod:5:2 b.test/y@v1.1.0 young checkout: was committed 5 hours ago (2026-11-23T07:00Z); at least 3 days are asked for",
	}
	proxy, url := proxied(t, history)
	said := read1(t, map[string]string{"GOPROXY": url}, files).Releases(t.Context(), inquiry(nil))
	if d := cmp.Diff(want, told(said)); d != "" || said.Asked != 4 || said.Late != 0 || said.NotAsked != nil {
		t.Errorf("%+v\n%s", said, d)
	}
	wanted := []string{"/a.test/!old/@v/list", "/a.test/!old/@v/v1.0.0.info", "/a.test/!old/@v/v1.1.1.mod", "/any.test/x/@v/list", "/any.test/x/@v/v1.0.0.mod",
		"/b.test/y/@v/list", "/b.test/y/@v/v1.0.0.info", "/b.test/y/@v/v1.1.0.info", "/b.test/y/@v/v1.1.0.mod"}
	if d := cmp.Diff(wanted, proxy.all()); d != "" {
		t.Errorf("asked for (-want +got)\n%s", d)
	}
	// without an age no date is asked for
	proxy, url = proxied(t, history)
	said = read1(t, map[string]string{"GOPROXY": url}, files).Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.Age = 0 }))
	if d := cmp.Diff(want[:4], told(said)); d != "" || slices.ContainsFunc(proxy.all(), func(p string) bool { return strings.HasSuffix(p, ".info") }) {
		t.Errorf("%v\n%s", proxy.all(), d)
	}
	// one that is dated in the future is young
	_, url = proxied(t, history)
	said = read1(t, map[string]string{"GOPROXY": url}, map[string]string{"go.mod": "module own.test/app\n\nrequire a.test/Old v1.1.1\n"}).Releases(t.Context(), inquiry(nil))
	if got := strings.Join(told(said), "\n"); !strings.Contains(got, "was committed 26 hours from now (2026-11-24T14:00Z)") || !strings.Contains(got, "retracted by its authors") {
		t.Error(got)
	}
}

// What a base commit has is asked about only where all is, and then its origin tells.
func TestReleasesOfAChange(t *testing.T) {
	t.Parallel()
	files := map[string]string{"go.mod": "module own.test/app\n\nrequire a.test/Old v1.0.0\nrequire b.test/y v1.1.0\nrequire c.test/z v1.0.0\nreplace c.test/z => any.test/x v1.0.0\n"}
	co := checkout(t, files)
	base := co.At(map[string][]byte{"go.mod": []byte("module own.test/app\n\nrequire a.test/Old v1.0.0\nrequire b.test/y v1.0.0\n")})
	for _, tt := range []struct {
		name  string
		base  *lockfile.Checkout
		all   bool
		asked int
		want  string // paths and origins
	}{
		{"changed", base, false, 2, "b.test/y change"},
		{"all", base, true, 3, "a.test/Old base, a.test/Old base, b.test/y change"},
		{"no base", nil, false, 0, ""},
		{"the same", co, false, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			proxy, url := proxied(t, history)
			e, err := New(machine(t, map[string]string{"GOPROXY": url}), co)
			if err != nil {
				t.Fatal(err)
			}
			said := e.Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.Base, q.All = tt.base, tt.all }))
			var got []string
			for _, f := range said.Flagged {
				got = append(got, f.Name+" "+f.Origin)
			}
			if g := strings.Join(got, ", "); g != tt.want || said.Asked != tt.asked {
				t.Errorf("asked about %d, got %s", said.Asked, g)
			}
			if tt.asked == 0 && len(proxy.all()) > 0 {
				t.Errorf("asked for %v", proxy.all())
			}
		})
	}
}

// Names that are nobody else's business are asked nowhere, and what is not asked is said.
func TestReleasesThatAreNotAsked(t *testing.T) {
	t.Parallel()
	one := map[string]string{"go.mod": "module own.test/app\n\ngo 1.26\n\nrequire b.test/y v1.1.0\nrequire git.corp.test/secret v1.0.0\n"}
	vendored := map[string]string{"go.mod": one["go.mod"], "vendor/modules.txt": "# b.test/y v1.1.0\n## explicit\nb.test/y\n"}
	for _, tt := range []struct {
		name  string
		env   map[string]string
		files map[string]string
		tune  func(*ecosystem.Inquiry)
		want  string
	}{
		{"GOPRIVATE", map[string]string{"GOPRIVATE": "x.test, *.corp.test"}, one, nil, "what sources say of the versions of modules that GOPRIVATE or GONOPROXY names (1)"},
		{"GONOPROXY", map[string]string{"GOPRIVATE": "b.test", "GONOPROXY": "git.corp.test"}, one, nil, "modules that GOPRIVATE or GONOPROXY names (1)"},
		{"vendored", nil, vendored, nil, "vendored modules (2)"},
		{"off", map[string]string{"GOPROXY": "off"}, one, nil, "(MOD003 MOD004 MOD005): GOPROXY asks no module proxy"},
		{"direct", map[string]string{"GOPROXY": "direct,https://b.test"}, one, nil, "GOPROXY asks no module proxy"},
		{"broken", map[string]string{"GOPROXY": "https://u:hunter2@x@a.test"}, one, nil, "GOPROXY cannot be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			proxy, url := proxied(t, history)
			env := map[string]string{"GOPROXY": url}
			maps.Copy(env, tt.env)
			said := read1(t, env, tt.files).Releases(t.Context(), inquiry(tt.tune))
			if got := strings.Join(said.NotAsked, "\n"); !strings.Contains(got, tt.want) || strings.Contains(got, "hunter2") {
				t.Errorf("not asked: %s", got)
			}
			if strings.Contains(strings.Join(proxy.all(), " "), "secret") {
				t.Errorf("asked for %v", proxy.all())
			}
		})
	}
	// a public proxy is not told the names of the owner's other modules
	proxy, url := proxied(t, history)
	m := machine(t, map[string]string{"GOPROXY": url})
	m.Official = url
	own := map[string]string{"go.mod": "module github.com/corp/app\n\nrequire b.test/y v1.1.0\nrequire github.com/corp/secret v1.0.0\nrequire github.com/corp/open v1.0.0\n"}
	m.Public = []string{"github.com/corp/open"}
	e, err := New(m, checkout(t, own))
	if err != nil {
		t.Fatal(err)
	}
	if said := e.Releases(t.Context(), inquiry(nil)); len(said.NotAsked) != 1 || !strings.Contains(said.NotAsked[0], "may be private (modules.public) (1)") {
		t.Errorf("%+v", said)
	}
	if got := strings.Join(proxy.all(), " "); strings.Contains(got, "secret") || !strings.Contains(got, "/github.com/corp/open/@v/list") {
		t.Errorf("asked for %s", got)
	}
	m = machine(t, nil)
	m.RepoOnly = true
	e, err = New(m, checkout(t, one))
	if err != nil {
		t.Fatal(err)
	}
	if said := e.Releases(t.Context(), inquiry(nil)); len(said.NotAsked) != 1 || said.Flagged != nil || !strings.Contains(said.NotAsked[0], "left out") {
		t.Errorf("%+v", said)
	}
}

// The list is walked as the go command walks it, and no answer is never silence.
func TestReleasesByTheList(t *testing.T) {
	t.Parallel()
	good, empty := upstreamtest.NewModuleProxy(t, history), upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	listless := upstreamtest.ModuleProxyOptions{NoList: true, Modules: map[string]map[string]string{
		"a.test/Old@v1.0.0": {}, "a.test/Old@v1.0.1": {"go.mod": "module a.test/Old\n\nretract [v1.0.0, v1.0.1]\n"}}}
	file := map[string]string{"go.mod": "module own.test/app\n\nrequire a.test/Old v1.0.0\n"}
	const age, state = "may be too young: HOST ", "may be retracted or deprecated: HOST "
	for _, tt := range []struct {
		name          string
		first, second http.Handler
		between       string
		refused       bool
		want          string // details, joined
	}{
		{"absent, then another", empty, good, ",", false, "was retracted"},
		{"failing, then another behind a bar", upstreamtest.Status(503), good, "|", false, "was retracted"},
		{"failing, then another behind a comma", upstreamtest.Status(503), good, ",", false, state + "answered 503; " + age + "answered 503"},
		{"absent everywhere", empty, empty, ",", false, state + "does not have it; " + age + "does not have it"},
		{"a page", upstreamtest.CaptivePortal(), good, ",", false, state + "answered with a page; " + age + "answered with a page"},
		{"not JSON", text("[]"), good, ",", false, state + "answered with what is no .info; " + age + "answered with what is no .info"},
		{"a page by its looks", text("\n <html>"), good, ",", false, state + "answered with a page; " + age + "answered with a page"},
		{"too much", text(strings.Repeat("v", maxInfo+1)), good, ",", false, state + "answered with more than 65536 bytes; " + age + "answered with more than 65536 bytes"},
		{"no date", text(`{"Version":"v1.0.0"}`), nil, "", false, state + "answered with a go.mod of the latest version, v1.0.0, that cannot be read; may be too young: its source has no date of it"},
		{"no list", upstreamtest.NewModuleProxy(t, listless), nil, "", false, "was retracted"},
		{"not permitted", good, nil, "", true, state + "is not permitted, and was not asked; " + age + "is not permitted, and was not asked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			first := upstreamtest.Start(t, tt.first)
			list := first
			if tt.second != nil {
				list += tt.between + upstreamtest.Start(t, tt.second)
			}
			said := read1(t, map[string]string{"GOPROXY": list}, file).Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) {
				q.Permitted = func(string) bool { return !tt.refused }
			}))
			var details []string
			for _, f := range said.Flagged {
				if f.Kind != decide.FlagDeprecated {
					details = append(details, f.Detail)
				}
			}
			got := strings.Join(details, "; ")
			for _, host := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' }) {
				got = strings.ReplaceAll(got, strings.TrimPrefix(host, "http://"), "HOST")
			}
			if !strings.HasPrefix(got, tt.want) || tt.want != "was retracted" && got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) })
}

// After a choice its sources are asked, and no longer those that were in force.
func TestReleasesAfterAChoice(t *testing.T) {
	t.Parallel()
	was, before := proxied(t, history)
	will, after := proxied(t, history)
	e := read1(t, map[string]string{"GOPROXY": before}, map[string]string{"go.mod": "module own.test/app\n\nrequire a.test/Old v1.0.0\n"})
	pick := choose.Picked{Source: source.Source{ID: "x", Ecosystem: source.Go, Role: source.ModuleProxy, URL: after}}
	said := e.Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.After = &choose.Choice{Sources: []choose.Picked{pick}} }))
	if len(was.all()) > 0 || len(will.all()) == 0 || len(said.Flagged) != 2 {
		t.Errorf("asked %v, then %v: %+v", was.all(), will.all(), said)
	}
}

// When the time is up all that is left is unknown, as one fact, and counted.
func TestReleasesInTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mod := "module own.test/app\n\nrequire (\n"
	for i := range 100 {
		mod += fmt.Sprintf("\tm%d.test/x v1.0.0\n", i)
	}
	url := upstreamtest.Start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel() // all hang, and the time is up
		<-r.Context().Done()
	}))
	said := read1(t, map[string]string{"GOPROXY": url}, map[string]string{"go.mod": mod + ")\n"}).Releases(ctx, inquiry(nil))
	want := []string{
		"go.mod:4:2 m0.test/x@v1.0.0 unknown state checkout: and 99 more may be retracted or deprecated: the time was up before it was asked",
		"go.mod:4:2 m0.test/x@v1.0.0 unknown age checkout: and 99 more may be too young: the time was up before it was asked",
	}
	if d := cmp.Diff(want, told(said)); d != "" || said.Late != 100 || said.Asked != 100 {
		t.Errorf("%d of %d late\n%s", said.Late, said.Asked, d)
	}
}

// A source that always fails is left in peace after some tries.
func TestReleasesOfADeadSource(t *testing.T) {
	t.Parallel()
	mod := "module own.test/app\n\nrequire (\n"
	for i := range 300 {
		mod += fmt.Sprintf("\tm%d.test/x v1.0.0\n", i)
	}
	s := &seen{Handler: upstreamtest.Status(503)}
	url := upstreamtest.Start(t, s)
	said := read1(t, map[string]string{"GOPROXY": url}, map[string]string{"go.mod": mod + ")\n"}).Releases(t.Context(), inquiry(nil))
	if n := len(s.all()); n < 10 || n > 10+atOnce || len(said.Flagged) != 2 || !strings.HasPrefix(said.Flagged[0].Detail, "and 299 more may be ") {
		t.Errorf("%d requests; %v", n, told(said))
	}
}

// One that does not answer at all is asked once.
func TestReleasesOfASilentSource(t *testing.T) {
	t.Parallel()
	s := &seen{Handler: upstreamtest.Silence()}
	url := upstreamtest.Start(t, s)
	files := map[string]string{"go.mod": "module own.test/app\n\nrequire (\n\ta.test/x v1.0.0\n\tb.test/x v1.0.0\n)\n"}
	said := read1(t, map[string]string{"GOPROXY": url}, files).Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.Patience = 10 * time.Millisecond }))
	want := []string{
		"go.mod:4:2 a.test/x@v1.0.0 unknown state checkout: and 1 more may be retracted or deprecated: HOST gave no answer within 10ms",
		"go.mod:4:2 a.test/x@v1.0.0 unknown age checkout: and 1 more may be too young: HOST gave no answer within 10ms",
	}
	got := strings.Split(strings.ReplaceAll(strings.Join(told(said), "\n"), strings.TrimPrefix(url, "http://"), "HOST"), "\n")
	if d := cmp.Diff(want, got); d != "" || len(s.all()) > 1 || said.Late != 0 {
		t.Errorf("asked for %v\n%s", s.all(), d)
	}
}

// The latest version is that whose retractions count for the go command.
// A go.mod of the mirror's is bounded, and versions are not compared with its retractions for longer than there is time.
func TestReleasesOfALargeModule(t *testing.T) {
	t.Parallel()
	_, url := proxied(t, upstreamtest.ModuleProxyOptions{Modules: map[string]map[string]string{
		"b.test/y@v1.0.0": {"go.mod": "module b.test/y\n" + strings.Repeat("a\n", maxLatest/2)}}})
	files := map[string]string{"go.mod": "module own.test/app\n\nrequire b.test/y v1.0.0\n"}
	said := read1(t, map[string]string{"GOPROXY": url}, files).Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.Age = 0 }))
	if got := strings.Join(told(said), "\n"); !strings.Contains(got, "answered with more than 1048576 bytes") {
		t.Error(got)
	}
	_, url = proxied(t, history)
	files["go.mod"] += "\nrequire c.test/c v1.0.0\n\nreplace c.test/c => b.test/y v1.1.0\n"
	ctx, cancel := context.WithCancel(t.Context())
	said = read1(t, map[string]string{"GOPROXY": url}, files).Releases(ctx, inquiry(func(q *ecosystem.Inquiry) {
		q.AnyAge = func(string) bool { cancel(); return true } // the time is up behind the first version
	}))
	want := []string{"go.mod:7:1 b.test/y@v1.1.0 unknown state checkout: may be retracted or deprecated: the time was up before it was asked"}
	if d := cmp.Diff(want, told(said)); d != "" || said.Late != 1 {
		t.Errorf("%d late\n%s", said.Late, d)
	}
}

func TestHighest(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"v1.0.0\nv1.10.0\nv1.9.0\n":           "v1.10.0",
		"v1.0.0 2020-01-01T00:00:00Z\r\n":     "v1.0.0",
		"v2.0.0+incompatible\nv1.0.0":         "v1.0.0",
		"v1.0.1-rc.1\nv1.0.0":                 "v1.0.0",
		"v1.0.0-rc.2\nv1.0.0-rc.10":           "v1.0.0-rc.10",
		"v0.0.0-20240102030405-0123456789ab":  "",
		"":                                    "",
		"not found\n<html>\nv1\nv1.2\nlatest": "",
		"v1.0.0-rc.1\nv0.9.0\nv1.0.0-rc.2\nv3.0.0+incompatible": "v0.9.0",
	} {
		if got := highest(list); got != want {
			t.Errorf("%q: got %q, want %q", list, got, want)
		}
	}
}

// Both ends of a range are retracted, and nothing beyond.
func TestStandingReleases(t *testing.T) {
	t.Parallel()
	latest, err := modfile.ParseLax("go.mod", []byte("module a.test/x\n\nretract [v1.1.0, v1.2.0]\nretract v1.4.0\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]bool{"v1.0.9": false, "v1.1.0-rc.1": false, "v1.1.0": true, "v1.1.5": true, "v1.2.0": true, "v1.2.1-rc.1": false,
		"v1.3.0": false, "v1.4.0": true, "v1.4.1": false} {
		r := ecosystem.Release{Name: "a.test/x", Version: version, At: []lockfile.Position{{File: "go.mod"}}}
		if got := standing(r, latest); (len(got) > 0) != want || want && got[0].Detail != "was retracted by its authors" {
			t.Errorf("%s: %+v", version, got)
		}
	}
}
