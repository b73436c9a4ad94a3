package detect_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const page = "module github.com/google/uuid\n"

// target is a source whose content is one known page.
func target(id, url string) detect.Target {
	s := source.Source{ID: id, Ecosystem: source.Go, URL: url, Public: true}
	return detect.Target{Source: s, Check: func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
		r, err := fetch(ctx, s.URL+"/github.com/google/uuid/@v/v1.6.0.mod", 4096)
		switch {
		case err != nil:
			return detect.Verdict{}, err
		case r.Status != 200:
			return detect.Verdict{Reason: "answered " + http.StatusText(r.Status), Fault: detect.StatusFault}, nil
		case string(r.Body) != page:
			return detect.Verdict{Reason: "answered with another page", Content: detect.No, Fault: detect.PageFault}, nil
		}
		return detect.Verdict{OK: true, Content: detect.Yes}, nil
	}}
}

func good() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(page)) })
}

// lookup plays an environment.
func lookup(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func settings(pairs ...string) detect.Settings {
	return detect.ProxySettings(lookup(pairs...), detect.Setting{}, detect.Setting{}, detect.Setting{})
}

func dialer(w *upstreamtest.World) *egress.Dialer {
	return &egress.Dialer{Resolve: w.Resolve, Dial: w.Dial, Roots: w.CA.Pool()}
}

// The situations that a runner can be in: what is played, and the class that must come out.
func TestClass(t *testing.T) {
	t.Parallel()
	proxied := func(t *testing.T, w *upstreamtest.World, o upstreamtest.ForwardProxyOptions) []string {
		return []string{"HTTPS_PROXY", w.ForwardProxy(t, o).URL()}
	}
	tests := []struct {
		name        string
		play        func(t *testing.T, w *upstreamtest.World) []string
		class       detect.Class
		reason      string // of the first row
		via         string
		intercepted detect.Answer
	}{
		{"direct", func(t *testing.T, w *upstreamtest.World) []string { return nil }, detect.Direct, "", detect.ViaDirect, detect.No},
		{"one mirror down is direct", func(t *testing.T, w *upstreamtest.World) []string { w.Refuse("b.test"); return nil }, detect.Direct, "", detect.ViaDirect, detect.No},
		{"official cut off", func(t *testing.T, w *upstreamtest.World) []string { w.Hole("official.test"); return nil },
			detect.Restricted, "no connection within", detect.ViaDirect, detect.No},
		{"nothing", func(t *testing.T, w *upstreamtest.World) []string { w.Fence(false); return nil },
			detect.Offline, "the name has no address", detect.ViaDirect, detect.NotKnown},
		{"nothing, packets dropped", func(t *testing.T, w *upstreamtest.World) []string { w.Fence(true); return nil },
			detect.Offline, "no connection within", detect.ViaDirect, detect.NotKnown},
		{"proxy", func(t *testing.T, w *upstreamtest.World) []string {
			w.Fence(false)
			return proxied(t, w, upstreamtest.ForwardProxyOptions{User: "ci", Password: "hush:c/r#t"})
		}, detect.Proxied, "", detect.ViaProxy, detect.No},
		{"proxy, wrong password", func(t *testing.T, w *upstreamtest.World) []string {
			w.Fence(false)
			p := w.ForwardProxy(t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "correct"})
			return []string{"HTTPS_PROXY", strings.Replace(p.URL(), "correct", "mistaken", 1)}
		}, detect.Restricted, "asks for credentials (407), it offers Basic", detect.ViaProxy, detect.NotKnown},
		{"proxy refuses", func(t *testing.T, w *upstreamtest.World) []string {
			w.Fence(false)
			return proxied(t, w, upstreamtest.ForwardProxyOptions{Allow: func(string) bool { return false }})
		}, detect.Restricted, "the proxy refuses it (403)", detect.ViaProxy, detect.NotKnown},
		{"dead proxy", func(t *testing.T, w *upstreamtest.World) []string {
			w.Fence(false)
			return []string{"HTTPS_PROXY", "http://127.0.0.1:1"}
		}, detect.Offline, "the proxy: connection refused", detect.ViaProxy, detect.NotKnown},
		{"captive portal", func(t *testing.T, w *upstreamtest.World) []string {
			for _, h := range hosts {
				w.Serve(h, upstreamtest.CaptivePortal())
			}
			return nil
		}, detect.Captive, "another page", detect.ViaDirect, detect.No},
		{"unknown CA", func(t *testing.T, w *upstreamtest.World) []string {
			other := upstreamtest.NewCA(t)
			for _, h := range hosts {
				w.ServeTLS(h, other.Leaf(h), good())
			}
			return nil
		}, detect.Restricted, "does not trust its certificate (issued by", detect.ViaDirect, detect.Yes},
		{"expired", func(t *testing.T, w *upstreamtest.World) []string {
			for _, h := range hosts {
				w.ServeTLS(h, w.CA.Expired(h), good())
			}
			return nil
		}, detect.Restricted, "has expired", detect.ViaDirect, detect.NotKnown},
		{"accepts and says nothing", func(t *testing.T, w *upstreamtest.World) []string {
			for _, h := range hosts {
				w.Silent(h)
			}
			return nil
		}, detect.Restricted, "", detect.ViaDirect, detect.NotKnown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := upstreamtest.NewWorld(t)
			for _, h := range hosts {
				w.Serve(h, good())
			}
			env := tt.play(t, w)
			o := detect.Options{Dialer: dialer(w), Settings: settings(env...), Interception: detect.Interception{Public: w.CA.Pool()}, Budget: 400 * time.Millisecond}
			o.More = func([]detect.Row) ([]detect.Target, bool) {
				return []detect.Target{target(source.Official, "https://official.test"), target("b", "https://b.test"), target("c", "https://c.test")}, true
			}
			began := time.Now()
			r := detect.Measure(context.Background(), o)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %v for a budget of 400 ms", took)
			}
			if r.Class != tt.class || r.Intercepted != tt.intercepted {
				t.Errorf("class %s, intercepted %v, want %s, %v; rows %+v", r.Class, r.Intercepted, tt.class, tt.intercepted, r.Rows)
			}
			if !strings.Contains(r.Rows[0].Reason, tt.reason) || (tt.reason == "" && tt.class != detect.Restricted && r.Rows[0].Reason != "") {
				t.Errorf("reason %q, want %q", r.Rows[0].Reason, tt.reason)
			}
			if r.Rows[0].Via != tt.via {
				t.Errorf("via %s, want %s", r.Rows[0].Via, tt.via)
			}
			if len(r.Evidence) == 0 {
				t.Error("no evidence")
			}
			for _, text := range append(r.Evidence, r.Rows[0].Reason) {
				if strings.Contains(text, "hush") || strings.Contains(text, "mistaken") {
					t.Errorf("a password is shown: %s", text)
				}
			}
		})
	}
}

var hosts = []string{"official.test", "b.test", "c.test"}

// An intercepting proxy whose CA this machine trusts is seen by the roots that the public has.
func TestIntercepted(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("official.test", good())
	w.Fence(false)
	spy := upstreamtest.NewCA(t)
	p := w.ForwardProxy(t, upstreamtest.ForwardProxyOptions{Intercept: spy})
	for name, roots := range map[string]bool{"trusted": true, "not trusted": false} {
		t.Run(name, func(t *testing.T) {
			d := dialer(w)
			if roots {
				d.Roots = spy.Pool()
			}
			r := detect.Measure(context.Background(), detect.Options{Dialer: d, Settings: settings("https_proxy", p.URL()),
				Interception: detect.Interception{Public: w.CA.Pool()}, Now: []detect.Target{target(source.Official, "https://official.test")}})
			if r.Intercepted != detect.Yes || !strings.Contains(r.Issuer, spy.Cert.Subject.CommonName) {
				t.Errorf("intercepted %v by %q", r.Intercepted, r.Issuer)
			}
			if r.Rows[0].OK != roots {
				t.Errorf("ok %v: %s", r.Rows[0].OK, r.Rows[0].Reason)
			}
			if r.Proxies[0].Origin != "https_proxy" {
				t.Errorf("proxies %+v", r.Proxies)
			}
		})
	}
}

// Whatever hangs, the budget is kept, and what was not answered is said.
func TestBudget(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("quick.test", good())
	w.Silent("silent.test")
	w.Hole("hole.test")
	w.Mute("mute.test")
	w.Serve("stall.test", upstreamtest.Stall(good()))
	w.Serve("slow.test", upstreamtest.Silence())
	var targets []detect.Target
	for _, h := range []string{"quick", "silent", "hole", "mute", "stall", "slow"} {
		targets = append(targets, target(h, "https://"+h+".test"))
	}
	began := time.Now()
	r := detect.Measure(context.Background(), detect.Options{Dialer: dialer(w), Now: targets, Budget: 300 * time.Millisecond,
		Interception: detect.Interception{Public: w.CA.Pool()}})
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("took %v", took)
	}
	for i, row := range r.Rows {
		if row.OK != (i == 0) || (i > 0) != (row.Reason != "") {
			t.Errorf("%s: %+v", targets[i].Source.ID, row)
		}
	}
	if q := r.Rows[0]; q.Connect <= 0 || q.TLS <= 0 || q.FirstByte < q.TLS || len(q.IPs) != 1 {
		t.Errorf("steps of the quick one: %+v", q)
	}
}

// A source in force that answers in time is asked alone; one that does not has others asked beside it.
func TestRounds(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("now.test", good())
	w.Serve("later.test", good())
	enough := func(rows []detect.Row) bool { return rows[0].OK }
	measure := func() detect.Report {
		return detect.Measure(context.Background(), detect.Options{Dialer: dialer(w), Now: []detect.Target{target("now", "https://now.test")},
			Interception: detect.Interception{Public: w.CA.Pool()}, Budget: 600 * time.Millisecond,
			More: func(rows []detect.Row) ([]detect.Target, bool) {
				if enough(rows) {
					return nil, false
				}
				return []detect.Target{target("later", "https://later.test")}, true
			}})
	}
	if r := measure(); len(r.Rows) != 1 || w.Hits("later.test") != 0 || slices.Contains(w.Hosts(), "later.test") {
		t.Errorf("asked %q, rows %+v", w.Hosts(), r.Rows)
	}
	w.Silent("now.test")
	if r := measure(); len(r.Rows) != 2 || r.Rows[0].OK || !r.Rows[1].OK {
		t.Errorf("rows %+v", r.Rows)
	}
	w.Serve("now.test", upstreamtest.Slow(400*time.Millisecond, good())) // late, but within the budget
	if r := measure(); len(r.Rows) != 2 || !r.Rows[0].OK || !r.Rows[1].OK {
		t.Errorf("rows %+v", r.Rows)
	}
}

// A source that the proxy refuses is also asked directly, in the last round.
func TestOtherWay(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("inside.test", good())
	p := w.ForwardProxy(t, upstreamtest.ForwardProxyOptions{Allow: func(host string) bool { return false }})
	r := detect.Measure(context.Background(), detect.Options{Dialer: dialer(w), Settings: settings("HTTPS_PROXY", p.URL()),
		Interception: detect.Interception{Public: w.CA.Pool()}, Now: []detect.Target{target("inside", "https://inside.test")},
		More: func(rows []detect.Row) ([]detect.Target, bool) { return nil, true }})
	if len(r.Rows) != 2 || r.Rows[0].OK || !r.Rows[1].OK || r.Rows[1].Via != detect.ViaDirect {
		t.Errorf("rows %+v", r.Rows)
	}
}

// The address that is judged is the address that is dialled; one that is refused is not dialled.
func TestJudge(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("a.test", good())
	d := dialer(w)
	d.Judge = func(netip.Addr) error { return http.ErrAbortHandler }
	r := detect.Measure(context.Background(), detect.Options{Dialer: d, Now: []detect.Target{target("a", "https://a.test")}})
	if r.Rows[0].OK || r.Rows[0].Fault != detect.PolicyFault || len(r.Rows[0].IPs) != 1 || w.Hits("a.test") != 0 {
		t.Errorf("row %+v, %d hits", r.Rows[0], w.Hits("a.test"))
	}
}

// A redirect never leads down to plain http, or into this network; and what a proxy echoes is not shown.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("down.test", upstreamtest.RedirectPortal("http://login.test/"))
	w.Serve("inside.test", upstreamtest.RedirectPortal("https://169.254.169.254/"))
	w.Serve("login.test", good())
	w.Answer("metadata.test", netip.MustParseAddr("169.254.169.254"))
	w.Answer("loopback.test", netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"))
	w.Serve("to-metadata.test", upstreamtest.RedirectPortal("https://metadata.test/"))
	w.Serve("to-loopback.test", upstreamtest.RedirectPortal("https://loopback.test/"))
	w.Serve("mapped.test", upstreamtest.RedirectPortal("https://[::ffff:169.254.169.254]/"))
	var targets []detect.Target
	for _, name := range []string{"down", "inside", "to-metadata", "to-loopback", "mapped"} {
		targets = append(targets, target(name, "https://"+name+".test"))
	}
	r := detect.Measure(context.Background(), detect.Options{Dialer: dialer(w), Now: targets})
	for i, want := range []string{"redirects to plain http", "redirects to an address of this network", "redirects to an address of this machine", "redirects to an address of this machine",
		"redirects to an address of this network"} {
		if r.Rows[i].OK || !strings.Contains(r.Rows[i].Reason, want) {
			t.Errorf("row %+v, want %q", r.Rows[i], want)
		}
	}
	if w.Hits("login.test") != 0 {
		t.Error("followed to plain http")
	}
	if got := w.Hosts(); slices.Contains(got, "metadata.test") || slices.Contains(got, "loopback.test") {
		t.Errorf("connected to %q", got)
	}
	// where a redirect leads, nobody learns what was asked for by the Referer
	referer := make(chan string, 1)
	w.Serve("on.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		referer <- r.Header.Get("Referer")
		good().ServeHTTP(w, r)
	}))
	w.Serve("from.test", http.RedirectHandler("https://on.test/", http.StatusFound))
	r = detect.Measure(context.Background(), detect.Options{Dialer: dialer(w), Now: []detect.Target{target("from", "https://from.test")}})
	if got := <-referer; got != "" || !r.Rows[0].OK {
		t.Errorf("Referer %q, %+v", got, r.Rows[0])
	}
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 502 %s\r\nContent-Length: 0\r\n\r\n", strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic "))
	}))
	defer echo.Close()
	r = detect.Measure(context.Background(), detect.Options{Dialer: dialer(w), Now: []detect.Target{target("a", "https://a.test")},
		Settings: settings("HTTPS_PROXY", strings.Replace(echo.URL, "http://", "http://ci:hush@", 1))})
	if strings.Contains(r.Rows[0].Reason+strings.Join(r.Evidence, ""), "Y2k6aHVzaA") {
		t.Errorf("shows what the proxy echoes: %s", r.Rows[0].Reason)
	}
}

func TestProxySettings(t *testing.T) {
	t.Parallel()
	s := settings("HTTPS_PROXY", "http://ci:s3cret@a:1", "https_proxy", "http://b:2", "NO_PROXY", "inside.test")
	if got := s.Proxies(); len(got) != 1 || got[0].URL != "http://***@a:1" || got[0].Origin != "HTTPS_PROXY" || len(s.Notes) != 1 {
		t.Errorf("proxies %+v, notes %q", got, s.Notes)
	}
	for url, want := range map[string]bool{"https://x.test": true, "http://x.test": false, "https://inside.test": false, "https://127.0.0.1:8": false, "https://localhost": false} {
		if p, err := s.For(url); err != nil || (p != nil) != want {
			t.Errorf("For(%s) = %v, %v", url, p, err)
		}
	}
	merged := detect.ProxySettings(lookup("no_proxy", "a.test"), detect.Setting{}, detect.Setting{}, detect.Setting{Value: "b.test", Origin: "flag --no-proxy"})
	if merged.NoProxy.Value != "a.test,b.test" {
		t.Errorf("NO_PROXY %q", merged.NoProxy.Value)
	}
	for _, bad := range []string{"http://ci:pa/ss@h:1", "ftp://h", "http://", "http://ci:p#q@h:1", "http://ci:s3cret@h:1/x"} {
		s := settings("HTTPS_PROXY", bad)
		if _, err := s.For("https://x.test"); err == nil || s.Broken == nil || strings.Contains(s.Broken.Error()+err.Error(), "s3cret") {
			t.Errorf("%s: %v, broken %v", bad, err, s.Broken)
		}
	}
	if s := settings("HTTPS_PROXY", "proxy:3128"); s.Proxies()[0].URL != "http://proxy:3128" {
		t.Errorf("proxies %+v", s.Proxies())
	}
}
