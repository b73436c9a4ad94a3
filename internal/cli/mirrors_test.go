package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/cli"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/upstreamtest"
	"github.com/org/goproxy-action/policy"
)

type mirrored struct {
	Mirrors []struct {
		ID, URL, Via, Why, Ecosystem, Off string
		Place                             *int
		Verified                          bool
		Samples, Succeeded                int
		ChecksumDB                        *bool `json:"checksum_db"`
		Cold, Warm, LogLookup             *struct{ N int }
		Newest                            *string
	}
	NotAsked []string `json:"not_asked"`
}

func (e ended) mirrors(t *testing.T) mirrored {
	t.Helper()
	var m mirrored
	if err := json.Unmarshal([]byte(e.stdout), &m); err != nil {
		t.Fatalf("%v\n%s%s", err, e.stdout, e.stderr)
	}
	return m
}

// The verified ones come first, with what was measured of them; what is switched off is not even looked up.
func TestMirrors(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Serve("goproxy.io", upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{NoSumDB: true}))
	s.world.Serve("mirrors.aliyun.com", upstreamtest.CaptivePortal())
	s.world.Serve("mirrors.tencent.com", http.StripPrefix("/go", upstreamtest.Tamper(s.proxy)))
	s.world.Serve("proxy.golang.com.cn", s.proxy)
	s.world.Refuse("mirrors.huaweicloud.com")
	e := s.run("mirrors", "DIR", "--samples", "3", "--format", "json", "--output", "markdown="+filepath.Join(s.home, "m.md"))
	e.want(t, 0, nil, nil)
	m := e.mirrors(t)
	var good, bad []string
	for _, r := range m.Mirrors {
		switch {
		case strings.HasPrefix(r.ID, "sum."):
		case r.Verified:
			good = append(good, r.ID)
		default:
			bad = append(bad, r.ID+": "+r.Why)
		}
	}
	slices.Sort(good) // which of them is the fastest is luck
	if want := []string{"goproxy.cn", "goproxy.io", "official"}; !slices.Equal(good, want) || m.Mirrors[0].Why != "" || m.Mirrors[2].Why == "" {
		t.Errorf("%v, want %v", good, want)
	}
	if diff := cmp.Diff([]string{"mirrors.aliyun.com: answered with a page that is not the module asked for", "mirrors.huaweicloud.com: connection refused",
		"mirrors.tencent.com: served another go.mod for github.com/google/uuid v1.6.0 than the checksum database knows"}, bad); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, r := range m.Mirrors[:3] {
		relays := r.ID != "goproxy.io"
		if r.Samples != 3 || r.Succeeded != 3 || r.Cold == nil || r.Cold.N != 3 || r.Warm == nil || r.Warm.N != 3 || r.ChecksumDB == nil || *r.ChecksumDB != relays || r.Place == nil {
			t.Errorf("%+v", r)
		}
	}
	if slices.Contains(s.world.Resolved(), "proxy.golang.com.cn") || !strings.Contains(strings.Join(m.NotAsked, "\n"), "proxy.golang.com.cn for go: it is switched off") {
		t.Errorf("what is off was asked: %v", m.NotAsked)
	}
	page, err := os.ReadFile(filepath.Join(s.home, "m.md"))
	if err != nil || !bytes.Contains(page, []byte("▏")) && !bytes.Contains(page, []byte("█")) {
		t.Errorf("%v\n%s", err, page)
	}
	s.env["GOPROXY"] = "https://proxy.golang.com.cn/"
	s.run("mirrors", "DIR", "--samples", "1", "--sizes", "small").want(t, 0, []string{"switched off: its operator could not be confirmed"}, nil)
	if s.world.Hits("proxy.golang.com.cn") == 0 {
		t.Error("what is in force was not asked")
	}
	delete(s.env, "GOPROXY")
	before := s.world.Hits("proxy.golang.com.cn")
	all := s.run("mirrors", "DIR", "--samples", "1", "--sizes", "small", "--all")
	all.want(t, 0, []string{"switched off: its operator could not be confirmed", "goproxy-action: go: "}, nil)
	if s.world.Hits("proxy.golang.com.cn") == before {
		t.Error("--all leaves one out")
	}
}

// One that fails now and then stands behind those that do not, and one that hangs keeps nobody waiting.
func TestMirrorsThatFailNowAndThen(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var asked atomic.Int64
	s.world.Serve("goproxy.cn", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%3 == 0 {
			upstreamtest.Status(503).ServeHTTP(w, r)
		} else {
			s.proxy.ServeHTTP(w, r)
		}
	}))
	s.world.Serve("official.test", upstreamtest.Slow(20*time.Millisecond, s.proxy))
	m := s.run("mirrors", "DIR", "--samples", "6", "--sizes", "small", "--format", "json").mirrors(t)
	if m.Mirrors[0].ID != "official" || m.Mirrors[1].ID != "goproxy.cn" || m.Mirrors[1].Succeeded >= m.Mirrors[1].Samples ||
		!strings.Contains(m.Mirrors[1].Why, "of 6 samples failed: answered 503") || m.Mirrors[1].Cold.N != m.Mirrors[1].Succeeded {
		t.Errorf("%+v", m.Mirrors[:2])
	}
}

// Exit 3 where nobody answers for one of the package managers, with the table.
func TestMirrorsUnanswered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file("package.json", `{"name":"x","version":"1.0.0"}`)
	for _, h := range []string{"npm.official.test", "registry.npmmirror.com"} {
		s.world.Refuse(h)
	}
	e := s.run("mirrors", "DIR", "--samples", "1")
	e.want(t, 3, []string{"connection refused", "no source for npm gave what was asked for", "go: "}, nil)
	if e.stderr != "" {
		t.Errorf("told twice: %s", e.stderr)
	}
	s.run("mirrors", "DIR", "--samples", "1", "--tools", "go").want(t, 0, nil, nil)
}

// Nobody is contacted whom the policies do not accept by name.
func TestMirrorsAsksPolicyFirst(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file(".goproxy/config.yaml", "checksum-database:\n  keys: [\""+s.proxy.VerifierKey()+"\"]\ntrusted:\n  go: [official.test]\n")
	e := s.run("mirrors", "DIR", "--samples", "1", "--all")
	e.want(t, 0, []string{"goproxy.cn for go: the policies do not accept it by its name"}, nil)
	if got := s.world.Resolved(); !slices.Equal(got, []string{"official.test", "sum.test"}) { // the log that the configuration trusts
		t.Errorf("looked up %v", got)
	}
}

// Both ways are measured, and no secret of a source or a proxy is shown.
func TestMirrorsBothWaysWithoutSecrets(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Serve("mirror.corp.test", s.proxy)
	s.file(".goproxy/config.yaml", "checksum-database:\n  keys: [\""+s.proxy.VerifierKey()+"\"]\nsources:\n  go: [\"https://ci:hunter2@mirror.corp.test\"]\n")
	p := s.world.ForwardProxy(t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "hunter3"})
	s.env["HTTPS_PROXY"] = p.URL()
	for _, format := range []string{"json", "text"} {
		e := s.run("mirrors", "DIR", "--samples", "1", "--format", format, "--output", "markdown="+filepath.Join(s.home, "m.md"))
		page, err := os.ReadFile(filepath.Join(s.home, "m.md"))
		if all := e.stdout + e.stderr + string(page); err != nil || strings.Contains(all, "hunter") || !strings.Contains(all, "mirror.corp.test") {
			t.Errorf("%v\n%s", err, all)
		}
		if format != "json" {
			continue
		}
		var ways []string
		for _, r := range e.mirrors(t).Mirrors {
			if r.ID == "official" || r.ID == "mirror.corp.test" {
				ways = append(ways, r.ID+" "+r.Via)
				if !r.Verified {
					t.Errorf("%+v", r)
				}
			}
		}
		slices.Sort(ways)
		if want := []string{"mirror.corp.test direct", "mirror.corp.test proxy", "official direct", "official proxy"}; !slices.Equal(ways, want) {
			t.Errorf("%v", ways)
		}
	}
}

func TestMirrorsFlags(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for flags, want := range map[string]string{
		"--samples 0": "1 to 50", "--samples 51": "1 to 50", "--parallel 9": "1 to 8", "--sizes huge": `"huge" is no size`, "--sizes=": "nothing is asked for",
		"--interval 30s": "add --watch", "--watch --interval 1s": "10s or more", "--watch --format json": "--output json=FILE", "--output sarif=x": "names no format",
	} {
		s.run(append([]string{"mirrors", "DIR"}, strings.Fields(flags)...)...).want(t, 2, nil, []string{want})
	}
	if got := s.world.Resolved(); len(got) > 0 {
		t.Errorf("looked up %v", got)
	}
}

// A load is asked for once, and with --samples and --sizes once for each; with --watch not at all.
func TestMirrorsLoads(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]int{"--samples 3": 1, "--sizes small,load": 1, "--samples 3 --sizes load": 3, "--samples 3 --sizes small": 0} {
		s := newStage(t)
		s.run(append([]string{"mirrors", "DIR"}, strings.Fields(flags)...)...).want(t, 0, nil, nil)
		got := 0
		for _, r := range s.world.Requests("official.test") {
			if strings.HasSuffix(r, ".zip") {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d loads, want %d", flags, got, want)
		}
	}
}

// stopping ends a run when so much was written.
type stopping struct {
	bytes.Buffer
	end string
	by  func()
}

func (s *stopping) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if strings.Contains(s.String(), s.end) {
		s.by()
	}
	return n, err
}

// --watch goes on until it is interrupted, which is no failure.
func TestMirrorsWatch(t *testing.T) {
	t.Parallel()
	for name, terminal := range map[string]bool{"a file": false, "a terminal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			ctx, stop := context.WithCancelCause(context.Background())
			out := &stopping{end: "goproxy-action: go: ", by: func() { stop(errors.New("interrupt signal received")) }}
			var errs bytes.Buffer
			environ := []string{"HOME=" + s.home, "GOROOT=" + s.env["GOROOT"], "PATH=", "TMPDIR=" + s.home}
			code := cli.Main(ctx, cli.Process{Args: []string{"mirrors", s.dir, "--watch", "--samples", "1"}, Environ: environ, Stdout: out, Stderr: &errs,
				StdoutTerminal: terminal, OS: "linux", Version: "test", Policies: policy.FS(), Public: s.world.CA.Pool(),
				Dialer: &egress.Dialer{Resolve: s.world.Resolve, Dial: s.world.Dial, Roots: s.world.CA.Pool()}})
			text := out.String()
			if code != 0 || errs.Len() > 0 || strings.HasPrefix(text, "\x1b[H") != terminal || strings.Contains(text, "Mirrors: go\n") != terminal || !terminal && strings.Count(text, "\n") != 1 {
				t.Errorf("exit %d\n%q\n%s", code, text, &errs)
			}
			for _, r := range s.world.Requests("official.test") {
				if strings.HasSuffix(r, ".zip") {
					t.Error("something is loaded at each round")
				}
			}
		})
	}
	s := newStage(t)
	ctx, stop := context.WithCancelCause(context.Background())
	stop(errors.New("interrupt signal received"))
	if e := s.runIn(ctx, "mirrors", "DIR", "--watch"); e.code != 130 || !strings.Contains(e.stderr, "ended before it was finished") {
		t.Errorf("%+v", e)
	}
}
