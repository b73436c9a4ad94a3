package cargo

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

var (
	listed    = genuine().listed
	big       = upstreamtest.Artifact{Package: "big", Version: "1.2.3", Data: []byte(strings.Repeat("crate", 40_000))}
	published = time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC)
)

// measure is what detect makes of a server, with a crate of our own to load.
func measure(t *testing.T, h http.Handler) detect.Row {
	t.Helper()
	k := knownCrates{listed, ecosystem.Known{Package: big.Package, Version: big.Version, Name: "big-1.2.3.crate", SHA256: big.Sum()}}
	s := source.Source{ID: "x", Ecosystem: source.Crates, Role: source.Registry, URL: upstreamtest.Start(t, h)}
	return detect.Measure(t.Context(), detect.Options{Dialer: &egress.Dialer{}, Now: []detect.Target{target(k)(s)}, Load: true, Newest: true}).Rows[0]
}

func TestTarget(t *testing.T) {
	t.Parallel()
	good := upstreamtest.Artifact{Package: listed.Package, Version: listed.Version, SHA256: listed.SHA256}
	beside, other := good, good
	beside.Version, other.SHA256 = "0.1.10", strings.Repeat("0", 64)
	newer := upstreamtest.Artifact{Package: dated, Version: "1.2.40", Published: published}
	older := upstreamtest.Artifact{Package: dated, Version: "1.2.41", Published: published.Add(-time.Hour)}
	for name, tt := range map[string]struct {
		server     http.Handler
		fault      detect.Fault
		reason     string
		loads, new bool
	}{
		"good":         {upstreamtest.Crates("", beside, good, big, newer, older), "", "", true, true},
		"as it comes":  {upstreamtest.Crates(""), "", "", false, false},
		"template":     {upstreamtest.Crates("/api/v1/crates/{crate}/{version}/download", good, big), "", "", true, false},
		"inner host":   {upstreamtest.Crates("http://10.0.0.1/crates", good, big), "", "", false, false},
		"other digest": {upstreamtest.Crates("", beside, other), detect.OtherFault, "has another cfg-if-1.0.0.crate than the one that was published", false, false},
		"other crates": {upstreamtest.Crates("", beside), detect.PageFault, "answered with a page that is not the index's file of cfg-if", false, false},
		"no settings":  {without("/config.json", upstreamtest.Crates("", good)), detect.StatusFault, "answered 404", false, false},
		"page":         {upstreamtest.CaptivePortal(), detect.PageFault, "answered with a page that is not the index's file of cfg-if", false, false},
		"404":          {upstreamtest.Status(404), detect.StatusFault, "answered 404", false, false},
		"503":          {upstreamtest.Status(503), detect.StatusFault, "answered 503", false, false},
	} {
		row := measure(t, tt.server)
		if row.OK != (tt.fault == "") || row.Fault != tt.fault || row.Reason != tt.reason || (row.Throughput > 0) != tt.loads || row.Newest.Equal(published) != tt.new || row.Newest.IsZero() == tt.new {
			t.Errorf("%s: %+v", name, row)
		}
	}
}

// without is a server that lacks one path.
func without(path string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func TestPlace(t *testing.T) {
	t.Parallel()
	for crate, want := range map[string]string{"a": "1/a", "cc": "2/cc", "syn": "3/s/syn", "cfg-if": "cf/g-/cfg-if", "rand": "ra/nd/rand"} {
		if got := place(crate); got != want {
			t.Errorf("%s: %s", crate, got)
		}
	}
	k := ecosystem.Known{Package: "rand", Version: "1", SHA256: "00"}
	if got := address("https://a.test/{prefix}/{lowerprefix}/{crate}-{version}-{sha256-checksum}.crate", k); got != "https://a.test/ra/nd/ra/nd/rand-1-00.crate" {
		t.Error(got)
	}
}

// TestInForce: what cargo would ask, by the file in its home.
func TestInForce(t *testing.T) {
	t.Parallel()
	const usually = "index.crates.io https://index.crates.io builtin Rust Foundation"
	for name, tt := range map[string]struct {
		file, text string
		env        map[string]string
		want, note string
	}{
		"nothing": {want: usually},
		"replaced": {file: ".cargo/config.toml", text: "[source.crates-io]\nreplace-with = 'a'\n[source.a]\nreplace-with = \"b\"\n[source]\nb = { registry = \"sparse+https://rsproxy.cn/index/\" }\n",
			want: "rsproxy.cn https://rsproxy.cn/index runner ByteDance"},
		"older name": {file: ".cargo/config", text: "source.crates-io.replace-with = 'a'\nregistries.a.index = 'sparse+https://ci:s3cret@a.test/x/'\n",
			want: "a.test https://ci:s3cret@a.test/x runner "},
		"registry of a variable": {file: ".cargo/config.toml", text: "source.crates-io.replace-with = 'my-own'\n", env: map[string]string{"CARGO_REGISTRIES_MY_OWN_INDEX": "sparse+https://own.test/"},
			want: "own.test https://own.test runner "},
		"git":        {file: ".cargo/config.toml", text: "source.crates-io.replace-with = 'a'\nsource.a.registry = 'https://git.test/index'\n", note: "source a is a git repository, which is not measured"},
		"by git":     {file: ".cargo/config.toml", text: "registries.crates-io.protocol = 'git'\n", note: "it is asked by git"},
		"directory":  {file: ".cargo/config.toml", text: "source.crates-io.replace-with = 'a'\nsource.a.directory = 'vendor'\n", note: "source a is a directory"},
		"circle":     {file: ".cargo/config.toml", text: "source.crates-io.replace-with = 'a'\nsource.a.replace-with = 'crates-io'\n", note: "without an end"},
		"nowhere":    {file: ".cargo/config.toml", text: "source.crates-io.replace-with = \"a\\n::error::\"\n", note: `source a\n::error:: has no address`},
		"broken":     {file: ".cargo/config.toml", text: "[source\n", want: usually, note: "config.toml are left out: 1:8:"},
		"fenced":     {file: "fence/config.toml", text: "source.crates-io.replace-with = 'a'\n", env: map[string]string{"CARGO_HOME": "fence"}, want: usually, note: "the author of the checkout"},
		"no address": {file: ".cargo/config.toml", text: "source.crates-io.replace-with = 'a'\nsource.a.registry = 'sparse+https://a@b@c/'\n", note: "more than one @"},
	} {
		dir := t.TempDir()
		if tt.file != "" {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(tt.file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m := ecosystem.Machine{OS: "linux", Mirrors: catalogue.Of(source.Crates, nil), Lookup: func(n string) (string, bool) {
			v, ok := tt.env[n]
			if n == "HOME" || n == "CARGO_HOME" && ok {
				return filepath.Join(dir, v), true
			}
			return v, ok
		}}
		e := New(m, filepath.Join(dir, "fence"))
		got := ""
		for _, s := range e.InForce {
			got = strings.Join([]string{s.ID, s.URL, s.Origin, s.Operator}, " ")
		}
		notes := strings.Join(e.Notes, "\n")
		if got != tt.want || (tt.note == "") != (notes == "") || !strings.Contains(notes, tt.note) || strings.Contains(notes+e.Effective["index"], "s3cret") {
			t.Errorf("%s: %q, %q", name, got, e.Notes)
		}
	}
}

func FuzzVersions(f *testing.F) {
	f.Add([]byte(`{"name":"a","vers":"1","cksum":"0","pubtime":"2026-11-20T01:02:03Z"}` + "\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range versions(data, "a") {
			if v.Name != "a" {
				t.Errorf("%+v", v)
			}
		}
	})
}
