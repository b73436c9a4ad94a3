package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/cli"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/release"
	"github.com/org/goproxy-action/internal/upstreamtest"
	"github.com/org/goproxy-action/policy"
)

// released is a program on a machine, and the manifest of its release.
type released struct {
	world      *upstreamtest.World
	process    cli.Process
	env        map[string]string
	sha        string
	manifest   release.Manifest
	file       string // the manifest, when a test writes it
	executable string
}

func newReleased(t *testing.T) *released {
	t.Helper()
	r := &released{world: upstreamtest.NewWorld(t), executable: filepath.Join(t.TempDir(), "program"), file: filepath.Join(t.TempDir(), "manifest.json"), env: map[string]string{}}
	program := "the program's bytes"
	if err := os.WriteFile(r.executable, []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	sha, size, err := release.Describe(strings.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	r.sha = sha
	r.manifest = release.Manifest{Version: "v1.2.3", Go: "go1.26.8", URL: release.Downloads + "/v1.2.3", Binaries: map[string]release.Binary{
		runtime.GOOS + "/" + runtime.GOARCH: {Asset: release.Asset(runtime.GOOS, runtime.GOARCH), SHA256: sha, Size: size}}}
	r.process = cli.Process{OS: runtime.GOOS, Executable: r.executable, Version: "v1.2.3", Policies: policy.FS(),
		Dialer: &egress.Dialer{Resolve: r.world.Resolve, Dial: r.world.Dial, Roots: r.world.CA.Pool()}}
	return r
}

func (r *released) encode(t *testing.T) []byte {
	t.Helper()
	data, err := r.manifest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// serve answers at the release's place with text.
func (r *released) serve(text []byte) {
	r.world.Serve("github.com", http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/org/goproxy-action/releases/download/v1.2.3/manifest.json" {
			http.NotFound(w, q)
			return
		}
		_, _ = w.Write(text)
	}))
}

func (r *released) run(args ...string) ended {
	var out, errs bytes.Buffer
	p := r.process
	p.Args, p.Stdout, p.Stderr = append([]string{"version"}, args...), &out, &errs
	for name, value := range r.env {
		p.Environ = append(p.Environ, name+"="+value)
	}
	return ended{cli.Main(context.Background(), p), out.String(), errs.String()}
}

const manifestURL = "https://github.com/org/goproxy-action/releases/download/v1.2.3/manifest.json"

func TestVersionVerifies(t *testing.T) {
	t.Parallel()
	r := newReleased(t)
	r.serve(r.encode(t))
	e := r.run("--verify")
	e.want(t, 0, []string{"goproxy-action v1.2.3", r.sha, manifestURL}, nil)
	if strings.Count(e.stdout, "\n") != 1 || e.stderr != "" {
		t.Errorf("want one line: %q %q", e.stdout, e.stderr)
	}
	var got map[string]any
	e = r.run("--verify", "--format", "json")
	if err := json.Unmarshal([]byte(e.stdout), &got); err != nil {
		t.Fatal(err)
	}
	if e.code != 0 || got["verified"] != true || got["sha256"] != r.sha || got["manifest"] != manifestURL || got["version"] != "v1.2.3" {
		t.Errorf("got %v", got)
	}
	if e := r.run(); e.stdout != "goproxy-action v1.2.3\n" || e.code != 0 {
		t.Errorf("without --verify: %+v", e)
	}
	if e := r.run("--format", "json"); strings.Contains(e.stdout, "verified") || e.code != 0 {
		t.Errorf("without --verify: %+v", e)
	}
}

// What asks the network takes the way of the environment, as everything does.
func TestVersionVerifiesThroughProxy(t *testing.T) {
	t.Parallel()
	r := newReleased(t)
	r.serve(r.encode(t))
	forward := r.world.ForwardProxy(t, upstreamtest.ForwardProxyOptions{})
	r.env["HTTPS_PROXY"] = forward.URL()
	r.run("--verify").want(t, 0, []string{r.sha}, nil)
	if got := forward.Connects(); len(got) != 1 || got[0] != "github.com:443" {
		t.Errorf("tunnels: %q", got)
	}
}

func TestVersionDoesNotVerify(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("f", 64)
	platform := runtime.GOOS + "/" + runtime.GOARCH
	swap := func(r *released, sha string) {
		b := r.manifest.Binaries[platform]
		b.SHA256 = sha
		r.manifest.Binaries = map[string]release.Binary{platform: b}
	}
	for _, tt := range []struct {
		name   string
		set    func(t *testing.T, r *released)
		args   []string
		code   int
		stderr []string
	}{
		{"other bytes", func(t *testing.T, r *released) { swap(r, other); r.serve(r.encode(t)) }, nil, 4, []string{other, "do not use it"}},
		{"another release's manifest", func(t *testing.T, r *released) { swap(r, other); r.manifest.Version = "v1.2.4"; r.serve(r.encode(t)) }, nil, 4, []string{"v1.2.3", "v1.2.4"}},
		{"the right digest under another version", func(t *testing.T, r *released) { r.manifest.Version = "v1.2.4"; r.serve(r.encode(t)) }, nil, 4, []string{"v1.2.4"}},
		{"no binary for this platform", func(t *testing.T, r *released) {
			maps.DeleteFunc(r.manifest.Binaries, func(string, release.Binary) bool { return true })
			r.manifest.Binaries["plan9/386"] = release.Binary{Asset: "x.gz", SHA256: other, Size: 1}
			r.serve(r.encode(t))
		}, nil, 4, []string{"no binary for this platform"}},
		{"offline", func(*testing.T, *released) {}, nil, 3, []string{manifestURL, "--manifest"}},
		{"no such release", func(_ *testing.T, r *released) { r.world.Serve("github.com", http.NotFoundHandler()) }, nil, 3, []string{"404"}},
		{"a portal's page", func(_ *testing.T, r *released) { r.world.Serve("github.com", upstreamtest.CaptivePortal()) }, nil, 3, []string{"no manifest"}},
		{"half of an answer", func(t *testing.T, r *released) {
			data := r.encode(t)
			r.world.Serve("github.com", upstreamtest.Truncate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })))
		}, nil, 3, []string{"no manifest"}},
		{"an endless answer", func(_ *testing.T, r *released) { r.serve(bytes.Repeat([]byte(" "), 2*release.Limit)) }, nil, 3, []string{"1024 KiB"}},
		{"a redirect to http", func(_ *testing.T, r *released) {
			r.world.Serve("github.com", http.RedirectHandler("http://github.com/manifest.json", http.StatusFound))
		}, nil, 3, []string{"away from https"}},
		{"a redirect in a circle", func(_ *testing.T, r *released) {
			r.world.Serve("github.com", http.RedirectHandler(manifestURL, http.StatusFound))
		}, nil, 3, []string{"too often"}},
		{"words of a stranger", func(_ *testing.T, r *released) { r.serve([]byte("{\"version\": \"\x1b[2J::error::\\n\"}")) }, nil, 3, []string{"no manifest"}},
		{"development", func(_ *testing.T, r *released) { r.process.Version = "devel" }, nil, 2, []string{"--manifest"}},
		{"a commit", func(_ *testing.T, r *released) { r.process.Version = "v0.0.0-20261122210000-0123456789ab" }, nil, 2, []string{"--manifest"}},
		{"plain http", func(*testing.T, *released) {}, []string{"--manifest", "http://mirror.test/manifest.json"}, 2, []string{"https"}},
		{"a file's address", func(*testing.T, *released) {}, []string{"--manifest", "file:///etc/passwd"}, 2, []string{"https"}},
		{"no such file", func(*testing.T, *released) {}, []string{"--manifest", filepath.Join(t.TempDir(), "x")}, 2, []string{"--manifest"}},
		{"a password in the address", func(*testing.T, *released) {}, []string{"--manifest", "https://me:geheim@mirror.test/manifest.json"}, 3, []string{"***@mirror.test"}},
		{"no program to read", func(t *testing.T, r *released) { r.serve(r.encode(t)); r.process.Executable = "" }, nil, 2, []string{"read this program"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReleased(t)
			tt.set(t, r)
			e := r.run(append([]string{"--verify"}, tt.args...)...)
			e.want(t, tt.code, nil, tt.stderr)
			if e.stdout != "" || strings.ContainsAny(e.stderr, "\x1b") || strings.Contains(e.stderr, "geheim") {
				t.Errorf("stdout %q, stderr %q", e.stdout, e.stderr)
			}
			if tt.code == 4 && !strings.Contains(e.stderr, r.sha) {
				t.Errorf("the program's own digest is not named: %s", e.stderr)
			}
		})
	}
}

// Offline, a copy of the manifest will do, and a build of development can be compared with one.
func TestVersionVerifiesByFile(t *testing.T) {
	t.Parallel()
	r := newReleased(t)
	if err := os.WriteFile(r.file, r.encode(t), 0o600); err != nil {
		t.Fatal(err)
	}
	r.run("--verify", "--manifest", r.file).want(t, 0, []string{r.sha, r.file}, nil)
	if err := os.WriteFile(r.executable, []byte("other"), 0o700); err != nil {
		t.Fatal(err)
	}
	e := r.run("--verify", "--manifest", r.file, "--format", "json")
	e.want(t, 4, []string{`"verified":false`, r.sha}, []string{r.sha})
	r.process.Version = "devel"
	r.run("--verify", "--manifest", r.file).want(t, 4, nil, []string{"devel", "v1.2.3", r.sha})
	if err := os.WriteFile(r.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.run("--verify", "--manifest", r.file).want(t, 2, nil, []string{r.file})
	r.run("--manifest", r.file).want(t, 2, nil, []string{"--verify"})
}
