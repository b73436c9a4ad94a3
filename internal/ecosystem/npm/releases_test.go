package npm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

// noon is when these tests take place.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func inquiry(change func(*ecosystem.Inquiry)) ecosystem.Inquiry {
	q := ecosystem.Inquiry{All: true, Client: detect.Options{Dialer: &egress.Dialer{}}.Client, Now: noon, Age: 72 * time.Hour,
		AnyAge: func(name string) bool { return name == "any" }, Permitted: func(string) bool { return true }}
	if change != nil {
		change(&q)
	}
	return q
}

// listener notes what it is asked for.
type listener struct {
	http.Handler
	mu    sync.Mutex
	paths []string
}

func (s *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	form := ""
	if strings.Contains(r.Header.Get("Accept"), "install-v1") {
		form = " short"
	}
	s.paths = append(s.paths, r.URL.EscapedPath()+form)
	s.mu.Unlock()
	s.Handler.ServeHTTP(w, r)
}

func (s *listener) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.paths))
}

func registry(t *testing.T) (*listener, string) {
	t.Helper()
	s := &listener{Handler: upstreamtest.NewRegistry(t,
		upstreamtest.Package{Name: "old", Version: "1.0.0", Deprecated: "use\n\x1b[31mnew", Published: noon.AddDate(-1, 0, 0)},
		upstreamtest.Package{Name: "old", Version: "2.0.0", Published: noon.Add(-5 * time.Hour)},
		upstreamtest.Package{Name: "@a/b", Version: "1.0.0", Published: noon.Add(-71 * time.Hour)},
		upstreamtest.Package{Name: "any", Version: "1.0.0", Published: noon.Add(-time.Hour), Deprecated: "gone"},
		upstreamtest.Package{Name: "dateless", Version: "1.0.0"})}
	return s, upstreamtest.Start(t, s)
}

// locks is a package-lock.json of packages from the default registry, each as name@version or name@version=url.
func lockOf(packages ...string) string {
	var b strings.Builder
	b.WriteString("{\"lockfileVersion\":3,\"packages\":{\n\"\":{}")
	for i, p := range packages {
		p, url, _ := strings.Cut(p, "=")
		n := strings.LastIndexByte(p, '@')
		fmt.Fprintf(&b, ",\n\"node_modules/x%d/node_modules/%s\":{\"version\":%q,\"resolved\":%q}", i, p[:n], p[n+1:], url)
	}
	return b.String() + "}}\n"
}

func told(said ecosystem.Said) []string {
	var out []string
	for _, f := range said.Flagged {
		out = append(out, fmt.Sprintf("%s:%d:%d %s@%s %s%s %s: %s", f.File, f.Line, f.Column, f.Name, f.Version, f.Kind, strings.TrimSuffix(" "+f.Question, " "), f.Origin, f.Detail))
	}
	return out
}

func TestReleases(t *testing.T) {
	t.Parallel()
	server, url := registry(t)
	files := map[string]string{
		"package-lock.json":     lockOf("old@1.0.0", "old@2.0.0", "old@1.0.0", "@a/b@1.0.0", "any@1.0.0", "dateless@1.0.0", "old@3.0.0", "none@1.0.0"),
		"web/package-lock.json": lockOf("old@1.0.0"),
	}
	said := open(t, machine("npm_config_registry="+url+"/"), files).Releases(t.Context(), inquiry(nil))
	host := strings.TrimPrefix(url, "http://")
	want := []string{
		"package-lock.json:3:1 old@1.0.0 deprecated checkout: is deprecated: use \\x1b[31mnew",
		"web/package-lock.json:3:1 old@1.0.0 deprecated checkout: is deprecated: use \\x1b[31mnew",
		"package-lock.json:4:1 old@2.0.0 young checkout: was published 5 hours ago (2026-11-23T07:00Z); at least 3 days are asked for",
		"package-lock.json:9:1 old@3.0.0 unknown age checkout: may be too young: the registry does not have this version",
		"package-lock.json:6:1 @a/b@1.0.0 young checkout: was published 2 days ago (2026-11-20T13:00Z); at least 3 days are asked for",
		"package-lock.json:7:1 any@1.0.0 deprecated checkout: is deprecated: gone",
		"package-lock.json:8:1 dateless@1.0.0 unknown age checkout: may be too young: the registry has no date of it",
		"package-lock.json:10:1 none@1.0.0 unknown age checkout: may be too young: " + host + " does not have it",
	}
	if d := cmp.Diff(want, told(said)); d != "" || said.Asked != 7 || said.Late != 0 || said.NotAsked != nil {
		t.Errorf("%+v\n%s", said, d)
	}
	if d := cmp.Diff([]string{"/@a%2fb", "/any short", "/dateless", "/none", "/old"}, server.all()); d != "" {
		t.Errorf("asked for (-want +got)\n%s", d)
	}
	// without an age the short form will do
	server, url = registry(t)
	said = open(t, machine("npm_config_registry="+url), files).Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.Age = 0 }))
	if got := server.all(); slices.ContainsFunc(got, func(p string) bool { return !strings.HasSuffix(p, " short") }) || len(got) != 5 {
		t.Errorf("asked for %v", got)
	}
	if got := strings.Join(told(said), "\n"); strings.Contains(got, "young") || !strings.Contains(got, "none@1.0.0 unknown state checkout: may be deprecated: ") || strings.Contains(got, "dateless") {
		t.Error(got)
	}
}

func TestReleasesOfAChange(t *testing.T) {
	t.Parallel()
	co := checkout(t, map[string]string{"package-lock.json": lockOf("old@1.0.0", "old@2.0.0"), "web/package-lock.json": lockOf("any@1.0.0")})
	base := co.At(map[string][]byte{"package-lock.json": []byte(lockOf("old@1.0.0"))})
	for _, tt := range []struct {
		name string
		base *lockfile.Checkout
		all  bool
		want string
	}{
		{"changed", base, false, "old@2.0.0 change"},
		{"all", base, true, "old@1.0.0 base, old@2.0.0 change, any@1.0.0 base"},
		{"moved", co.At(map[string][]byte{"web/package-lock.json": []byte(lockOf("old@2.0.0", "any@1.0.0")), "package-lock.json": []byte(lockOf("old@1.0.0"))}), false, ""},
		{"the same", co, false, ""},
		{"no base", nil, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, url := registry(t)
			e, err := New(machine("npm_config_registry="+url), co)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range e.Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.Base, q.All = tt.base, tt.all })).Flagged {
				got = append(got, f.Name+"@"+f.Version+" "+f.Origin)
			}
			if g := strings.Join(got, ", "); g != tt.want {
				t.Errorf("got %s, want %s", g, tt.want)
			}
			if tt.want == "" && len(server.all()) > 0 {
				t.Errorf("asked for %v", server.all())
			}
		})
	}
}

// A name that may be somebody's secret is sent to no registry but its own.
func TestReleasesThatAreNotAsked(t *testing.T) {
	t.Parallel()
	const secret = "secret@1.0.0"
	pnpm := "lockfileVersion: '9.0'\npackages:\n  secret@1.0.0:\n    resolution: {integrity: sha512-" + strings.Repeat("A", 86) + "==}\nsnapshots:\n  secret@1.0.0: {}\n"
	berry := "__metadata:\n  version: 8\n  cacheKey: 10\n\n\"secret@npm:^1.0.0\":\n  version: 1.0.0\n  resolution: \"secret@npm:1.0.0\"\n  checksum: 10/" + strings.Repeat("a", 128) + "\n  languageName: node\n  linkType: hard\n"
	bun := "{\"lockfileVersion\":1,\"workspaces\":{\"\":{}},\"packages\":{\"secret\":[\"secret@1.0.0\",\"\",{},\"sha512-" + strings.Repeat("A", 86) + "==\"]}}"
	for _, tt := range []struct {
		name  string
		env   []string
		files map[string]string
		asked bool
	}{
		{"asked, to begin with", nil, map[string]string{"package-lock.json": lockOf(secret)}, true},
		{"from the default registry's own host", nil, map[string]string{"package-lock.json": lockOf(secret + "=" + official + "/secret/-/secret-1.0.0.tgz")}, true},
		{"from yarn's name for it", nil, map[string]string{"package-lock.json": lockOf(secret + "=https://registry.yarnpkg.com/secret/-/secret-1.0.0.tgz")}, true},
		{"from another host", nil, map[string]string{"package-lock.json": lockOf(secret + "=https://npm.corp.test/secret/-/secret-1.0.0.tgz")}, false},
		{"tarball", nil, map[string]string{"package-lock.json": lockOf(secret + "=" + official + "/secret.tgz")}, false},
		{"git", nil, map[string]string{"package-lock.json": lockOf(secret + "=git+ssh://git@git.corp.test/secret.git#0123456789012345678901234567890123456789")}, false},
		{"scope of the checkout", nil, map[string]string{"package-lock.json": lockOf("@corp/" + secret), ".npmrc": "@corp:registry=https://npm.corp.test\n"}, false},
		{"another scope", nil, map[string]string{"package-lock.json": lockOf("@corps/" + secret), ".npmrc": "@corp:registry=https://npm.corp.test\n"}, true},
		{"scope of the machine", []string{"npm_config_@corp:registry=https://npm.corp.test"}, map[string]string{"package-lock.json": lockOf("@corp/" + secret)}, false},
		{"scope that nobody knows", nil, map[string]string{"package-lock.json": lockOf("@corp/" + secret), ".npmrc": "${SCOPE}:registry=https://npm.corp.test\n"}, false},
		{"scope of yarn's", nil, map[string]string{"package-lock.json": lockOf("@corp/" + secret), ".yarnrc.yml": "npmScopes:\n  corp:\n    npmRegistryServer: https://npm.corp.test\n"}, false},
		{"pnpm", nil, map[string]string{"pnpm-lock.yaml": pnpm, "pnpm-workspace.yaml": "packages: ['*']\n"}, true},
		{"pnpm with settings", nil, map[string]string{"pnpm-lock.yaml": pnpm, "pnpm-workspace.yaml": "registries: {default: https://npm.corp.test}\n"}, false},
		{"pnpm by a variable", []string{"pnpm_config_registry=https://npm.corp.test"}, map[string]string{"pnpm-lock.yaml": pnpm}, false},
		{"yarn", nil, map[string]string{"yarn.lock": berry, ".yarnrc.yml": "nodeLinker: node-modules\n"}, true},
		{"yarn with settings", nil, map[string]string{"yarn.lock": berry, ".yarnrc.yml": "npmScopes:\n  corp: {}\n"}, false},
		{"yarn of the user", []string{"HOME=" + write(t, map[string]string{".yarnrc.yml": "npmRegistryServer: https://npm.corp.test\n"})}, map[string]string{"yarn.lock": berry}, false},
		{"bun", nil, map[string]string{"bun.lock": bun}, true},
		{"bun with settings", nil, map[string]string{"bun.lock": bun, "bunfig.toml": "[install]\nregistry = \"https://npm.corp.test\"\n"}, false},
		{"a way out", nil, map[string]string{"package-lock.json": `{"lockfileVersion": 3, "packages": {"node_modules/x": {"name": "../../secret", "version": "1.0.0", "integrity": "` + probeIntegrity + `", "resolved": "` + official + `/../../secret/-/secret-1.0.0.tgz"}}}`}, false},
		{"a query", nil, map[string]string{"package-lock.json": lockOf("secret?x@1.0.0=" + official + "/secret?x/-/secret-1.0.0.tgz")}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, url := registry(t)
			said := open(t, machine(append(tt.env, "npm_config_registry="+url)...), tt.files).Releases(t.Context(), inquiry(nil))
			if asked := strings.Contains(strings.Join(server.all(), " "), "secret"); asked != tt.asked {
				t.Errorf("asked for %v", server.all())
			}
			if tt.name == "from another host" && (len(said.NotAsked) != 1 || !strings.Contains(said.NotAsked[0], "from another one than 127.0.0.1:")) {
				t.Errorf("not asked: %v", said.NotAsked)
			}
		})
	}
	for own, asked := range map[string]bool{"@corp": false, "@corp/secret": false, "@corp/se*": false, "@corps": true, "@corp/sec": true} {
		server, url := registry(t)
		m := machine("npm_config_registry=" + url)
		m.Scopes = map[string]string{own: "npm.corp.test"}
		open(t, m, map[string]string{"package-lock.json": lockOf("@corp/" + secret)}).Releases(t.Context(), inquiry(nil))
		if len(server.all()) > 0 != asked {
			t.Errorf("%s: asked for %v", own, server.all())
		}
	}
	m := machine()
	m.RepoOnly = true
	if said := open(t, m, map[string]string{"package-lock.json": lockOf(secret)}).Releases(t.Context(), inquiry(nil)); len(said.NotAsked) != 1 || said.Flagged != nil {
		t.Errorf("%+v", said)
	}
}

// No answer is never silence.
func TestReleasesWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	files := map[string]string{"package-lock.json": lockOf("old@1.0.0", "any@1.0.0")}
	answer := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, tt := range []struct {
		name    string
		handler http.Handler
		want    string
	}{
		{"busy", upstreamtest.Status(503), "HOST answered 503"},
		{"unauthorized", upstreamtest.Status(401), "HOST answered 401"},
		{"absent", upstreamtest.Status(404), "HOST does not have it"},
		{"page", upstreamtest.CaptivePortal(), "HOST answered with a page"},
		{"page by its looks", answer("<html>"), "HOST answered with a page"},
		{"no packument", answer("{}"), "HOST answered with what is no packument of at most 64 MB"},
		{"cut", upstreamtest.Truncate(upstreamtest.NewRegistry(t, upstreamtest.Package{Name: "old", Version: "1.0.0"}, upstreamtest.Package{Name: "any", Version: "1.0.0"})), "HOST the connection was cut"},
		{"hang", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }), "the time was up before it was asked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := upstreamtest.Start(t, tt.handler)
			within := t.Context()
			if tt.name == "hang" {
				within = ctx
			}
			said := open(t, machine("npm_config_registry="+url), files).Releases(within, inquiry(nil))
			want := []string{"old@1.0.0 age may be too young: " + tt.want, "any@1.0.0 state may be deprecated: " + tt.want}
			var got []string
			for _, f := range said.Flagged {
				got = append(got, f.Name+"@"+f.Version+" "+f.Question+" "+strings.ReplaceAll(f.Detail, strings.TrimPrefix(url, "http://"), "HOST"))
			}
			if d := cmp.Diff(want, got); d != "" || (said.Late == 2) != (tt.name == "hang") {
				t.Errorf("%d late\n%s", said.Late, d)
			}
		})
	}
}

func TestReleasesAfterAChoice(t *testing.T) {
	t.Parallel()
	was, before := registry(t)
	will, after := registry(t)
	e := open(t, machine("npm_config_registry="+before), map[string]string{"package-lock.json": lockOf("old@1.0.0")})
	pick := choose.Picked{Source: source.Source{ID: "x", Ecosystem: source.NPM, Role: source.Registry, URL: after}}
	said := e.Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.After = &choose.Choice{Sources: []choose.Picked{pick}} }))
	if len(was.all()) > 0 || len(will.all()) != 1 || len(said.Flagged) != 1 {
		t.Errorf("asked %v, then %v: %+v", was.all(), will.all(), said)
	}
	said = e.Releases(t.Context(), inquiry(func(q *ecosystem.Inquiry) { q.Permitted = func(string) bool { return false } }))
	if len(was.all()) > 0 || len(said.Flagged) != 1 || !strings.HasSuffix(said.Flagged[0].Detail, "is not permitted, and was not asked") {
		t.Errorf("asked %v: %+v", was.all(), said)
	}
}

// plainly reads a packument as encoding/json does.
func plainly(text []byte, version string) (c claim, ok bool) {
	var p struct {
		Versions map[string]json.RawMessage
		Time     map[string]any
	}
	if json.Unmarshal(text, &p) != nil {
		return c, false
	}
	var manifest map[string]any
	if raw, ok := p.Versions[version]; ok {
		c.known = true
		_ = json.Unmarshal(raw, &manifest)
	}
	switch d := manifest["deprecated"].(type) {
	case nil:
	case bool:
		c.deprecated = d
	case string:
		c.deprecated, c.reason = d != "", d
	default:
		c.deprecated = true
	}
	if s, _ := p.Time[version].(string); s != "" {
		c.published, _ = time.Parse(time.RFC3339, s)
	}
	return c, true
}

var packuments = []string{
	`{"_id":"x","versions":{"1.0.0":{"a":[1,{"b":"}\\\""}],"deprecated":"use \"y\"\n"},"2.0.0":{}},"time":{"1.0.0":"2026-11-23T07:00:00.000Z"}}`,
	`{"time":{"unpublished":{"a":1},"1.0.0":"2026-11-23T07:00:00.123456+02:00"},"versions":{"1.0.0":{"deprecated":false}},"readme":"x"}`,
	`{"versions":{"1.0.0":{"deprecated":""}},"time":{}}`,
	`{"versions":{"1.0.0":{"deprecated":true}},"time":{"1.0.0":7}}`,
	`{"versions":{"1.0.0":{"deprecated":null}},"time":null}`,
	` { "versions" : { } , "time" : { } } `,
	`{"versions":{"1\u002e0.0":{"deprecated":{"a":[]}}},"time":{}}`,
	`{"versions":{"1.0.0":{}}}`, `{}`, `[]`, `"`, `{"versions"`, `{"a":}`, `{"versions":{"1.0.0":{"deprecated":`, ``,
}

func TestReadPackument(t *testing.T) {
	t.Parallel()
	for _, text := range packuments {
		want, valid := plainly([]byte(text), "1.0.0")
		c := &claim{}
		err := readPackument(iotest.OneByteReader(strings.NewReader(text)), map[string]*claim{"1.0.0": c}, true)
		if wanted := valid && strings.Contains(text, "versions"); (err == nil) != wanted {
			t.Errorf("%s: %v", text, err)
		} else if wanted && !reflect.DeepEqual(*c, want) {
			t.Errorf("%s: got %+v, want %+v", text, *c, want)
		}
	}
	long := `{"versions":{"1.0.0":{"deprecated":"` + strings.Repeat("x", 1<<20) + `"}},"time":{"` + strings.Repeat("y", 1<<20) + `":"","1.0.0":"2026-11-23T07:00:00Z"}}`
	c := &claim{}
	if err := readPackument(strings.NewReader(long), map[string]*claim{"1.0.0": c}, true); err != nil || !c.deprecated || c.reason != "" || c.published.IsZero() {
		t.Errorf("%v %+v", err, c)
	}
	if err := readPackument(strings.NewReader(strings.Repeat(`{"a":`, 2000)), nil, true); err == nil {
		t.Error("2,000 levels were read")
	}
	c = &claim{}
	if err := readPackument(strings.NewReader(`{"versions":["1.0.0"],"time":"1.0.0"}`), map[string]*claim{"1.0.0": c}, true); err != nil || c.known {
		t.Errorf("%v %+v", err, c)
	}
	// what is behind is not read
	rest := strings.NewReader(`{"versions":{},"time":{},"readme":"` + strings.Repeat("x", 1<<20))
	if err := readPackument(rest, nil, true); err != nil || rest.Len() < 1<<19 {
		t.Errorf("%v, %d bytes are left", err, rest.Len())
	}
	if err := readPackument(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(packuments[0]))), nil, true); err == nil {
		t.Error("a broken connection is an answer")
	}
}

// FuzzPackument: it never panics, and says the same as encoding/json of all that is JSON without a key twice.
func FuzzPackument(f *testing.F) {
	for _, text := range packuments {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &claim{}
		err := readPackument(strings.NewReader(text), map[string]*claim{"1.0.0": c}, true)
		want, valid := plainly([]byte(text), "1.0.0")
		if err != nil || !valid || !c.known || strings.Count(text, "1.0.0") > 2 || strings.Count(text, "deprecated") > 1 || strings.Contains(text, `\u`) ||
			strings.Count(strings.ToLower(text), "time") > 1 || strings.Count(strings.ToLower(text), "versions") > 1 || strings.ToValidUTF8(text, "") != text {
			return // of a key that stands twice the one or the other counts, and encoding/json knows no case
		}
		if c.deprecated != want.deprecated || c.reason != want.reason && c.reason != "" {
			t.Errorf("%q: got %+v, want %+v", text, *c, want)
		}
	})
}

// BenchmarkPackument reads 40 MB, the size of the largest ones.
func BenchmarkPackument(b *testing.B) {
	version := `{"name":"x","dist":{"integrity":"sha512-` + strings.Repeat("A", 88) + `","files":[1,2,3]},"description":"` + strings.Repeat("a b ", 1000) + `"}`
	var text strings.Builder
	text.WriteString(`{"versions":{"0.0.0":` + version)
	for i := 0; text.Len() < 40<<20; i++ {
		fmt.Fprintf(&text, `,"0.0.%d":%s`, i, version)
	}
	text.WriteString(`},"time":{"1.0.0":"2026-11-23T07:00:00Z"}}`)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		c := &claim{}
		if err := readPackument(io.NopCloser(strings.NewReader(text.String())), map[string]*claim{"1.0.0": c}, true); err != nil || c.published.IsZero() {
			b.Fatal(err, c)
		}
	}
}
