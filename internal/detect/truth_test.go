package detect_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

// addresses plays this machine's interfaces.
func addresses(list ...string) func() ([]net.Addr, error) {
	return func() ([]net.Addr, error) {
		var out []net.Addr
		for _, a := range list {
			ip, n, err := net.ParseCIDR(a)
			if err != nil {
				return nil, err
			}
			out = append(out, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		return out, nil
	}
}

const random = "xnobodyhasthis.com"

// deep measures a world as doctor does: everything at once, and what no job asks.
func deep(t *testing.T, w *upstreamtest.World, change func(*detect.Options)) detect.Report {
	t.Helper()
	o := detect.Options{Dialer: dialer(w), Interception: detect.Interception{Public: w.CA.Pool()}, Budget: 2 * time.Second,
		Deep:       detect.Deep{Hosts: hosts, Random: random},
		Machine:    detect.Machine{Lookup: lookup(), Exists: func(string) bool { return false }},
		Interfaces: addresses("127.0.0.1/8", "192.0.2.200/24")}
	for _, h := range hosts {
		o.Now = append(o.Now, target(strings.TrimSuffix(h, ".test"), "https://"+h))
	}
	if change != nil {
		change(&o)
	}
	return detect.Measure(t.Context(), o)
}

func serve(w *upstreamtest.World) {
	for _, h := range hosts {
		w.Serve(h, good())
	}
}

// dated is a good source whose clock is off.
func dated(by time.Duration) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
		rw.Write([]byte(page))
	})
}

// What is true of a network: what is played, and the answers that differ from those of a plain one.
func TestTraits(t *testing.T) {
	t.Parallel()
	plain := map[string]detect.Answer{detect.TLSIntercepted: detect.No, detect.NamesHijacked: detect.No, detect.ContentRewritten: detect.No,
		detect.CaptivePortal: detect.No, detect.ClockWrong: detect.No, detect.IPv6Only: detect.No, detect.InContainer: detect.No, detect.HostedRunner: detect.NotKnown}
	tests := map[string]struct {
		play     func(t *testing.T, w *upstreamtest.World) func(*detect.Options)
		differ   map[string]detect.Answer
		evidence string // of all traits
		class    detect.Class
	}{
		"plain": {func(*testing.T, *upstreamtest.World) func(*detect.Options) { return nil }, nil, "a name that nobody has gets no address", detect.Direct},
		"every name has an address": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			w.Answer(random, netip.MustParseAddr("198.51.100.9"))
			return nil
		}, map[string]detect.Answer{detect.NamesHijacked: detect.Yes}, "gives the address 198.51.100.9 to " + random, detect.Direct},
		"the name server is silent": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			for _, h := range append(slices.Clone(hosts), random) {
				w.Mute(h)
			}
			return func(o *detect.Options) { o.Budget = 200 * time.Millisecond }
		}, map[string]detect.Answer{detect.NamesHijacked: detect.NotKnown, detect.TLSIntercepted: detect.NotKnown, detect.ContentRewritten: detect.NotKnown,
			detect.CaptivePortal: detect.NotKnown, detect.ClockWrong: detect.NotKnown}, "the name server did not answer", detect.Offline},
		"another file for the known one": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			return func(o *detect.Options) {
				check := o.Now[1].Check
				o.Now[1].Check = func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
					_, err := check(ctx, fetch)
					return detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Status: 200, Reason: "served another go.mod"}, err
				}
			}
		}, map[string]detect.Answer{detect.ContentRewritten: detect.Yes}, "b.test directly served another go.mod", detect.Direct},
		"a login page": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			for _, h := range hosts {
				w.Serve(h, upstreamtest.CaptivePortal())
			}
			return nil
		}, map[string]detect.Answer{detect.CaptivePortal: detect.Yes, detect.ContentRewritten: detect.NotKnown, detect.ClockWrong: detect.NotKnown}, "official.test, b.test, c.test directly: answered with another page", detect.Captive},
		"all certificates of the past": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			w.ServeTLS("official.test", w.CA.Expired("official.test"), good())
			w.ServeTLS("other.example", w.CA.Expired("other.example"), good())
			return func(o *detect.Options) {
				o.Now = []detect.Target{target(source.Official, "https://official.test"), target("other", "https://other.example")}
			}
		}, map[string]detect.Answer{detect.ClockWrong: detect.Yes, detect.CaptivePortal: detect.NotKnown, detect.ContentRewritten: detect.NotKnown, detect.TLSIntercepted: detect.NotKnown}, "is ahead: the certificates of official.test, other.example", detect.Restricted},
		"one certificate of the past": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			w.ServeTLS("official.test", w.CA.Expired("official.test"), good())
			return func(o *detect.Options) { o.Now = o.Now[:1] }
		}, map[string]detect.Answer{detect.ClockWrong: detect.NotKnown, detect.CaptivePortal: detect.NotKnown, detect.ContentRewritten: detect.NotKnown, detect.TLSIntercepted: detect.NotKnown}, "", detect.Restricted},
		"dates of yesterday": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			for _, h := range hosts {
				w.Serve(h, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					rw.Header().Set("Date", time.Now().Add(-24*time.Hour).UTC().Format(http.TimeFormat))
					good().ServeHTTP(rw, r)
				}))
			}
			return nil
		}, map[string]detect.Answer{detect.ClockWrong: detect.Yes}, "clock is 24h0m ahead, by the dates of 3 verified answers", detect.Direct},
		"one of two dates is of last year": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			w.Serve("b.test", dated(-365*24*time.Hour))
			return func(o *detect.Options) { o.Now = append(o.Now[:2], target("again", "https://b.test/x")) }
		}, nil, "the clocks of 2 verified answers are within 5 minutes", detect.Direct},
		"the only date is of next year": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			w.Serve("official.test", dated(365*24*time.Hour))
			return func(o *detect.Options) { o.Now = o.Now[:1] }
		}, map[string]detect.Answer{detect.ClockWrong: detect.NotKnown}, "one source, which alone proves nothing, is 8760h0m from this machine's", detect.Direct},
		"a date out of a cache": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			for _, h := range hosts {
				w.Serve(h, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					rw.Header().Set("Date", time.Now().Add(-24*time.Hour).UTC().Format(http.TimeFormat))
					rw.Header().Set("Age", "86400")
					good().ServeHTTP(rw, r)
				}))
			}
			return nil
		}, map[string]detect.Answer{detect.ClockWrong: detect.NotKnown}, "", detect.Direct},
		"IPv6 alone": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			w.Refuse("b.test")
			return func(o *detect.Options) {
				o.Interfaces = addresses("::1/128", "127.0.0.1/8", "fe80::1/64", "2001:db8::5/64")
			}
		}, map[string]detect.Answer{detect.IPv6Only: detect.Yes}, "has the address 2001:db8::5, and no IPv4 address; b.test: has IPv4 addresses only", detect.Direct},
		"no address at all": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			return func(o *detect.Options) { o.Interfaces = addresses("127.0.0.1/8") }
		}, map[string]detect.Answer{detect.IPv6Only: detect.NotKnown}, "no address to go out with", detect.Direct},
		"addresses that cannot be read": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			return func(o *detect.Options) { o.Interfaces = func() ([]net.Addr, error) { return nil, errors.New("no") } }
		}, map[string]detect.Answer{detect.IPv6Only: detect.NotKnown}, "could not be read", detect.Direct},
		"container": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			return func(o *detect.Options) { o.Machine.Exists = func(p string) bool { return p == "/.dockerenv" } }
		}, map[string]detect.Answer{detect.InContainer: detect.Yes}, "/.dockerenv is there", detect.Direct},
		"pod": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			return func(o *detect.Options) { o.Machine.Lookup = lookup("KUBERNETES_SERVICE_HOST", "10.0.0.1") }
		}, map[string]detect.Answer{detect.InContainer: detect.Yes}, "KUBERNETES_SERVICE_HOST is set", detect.Direct},
		"hosted": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			return func(o *detect.Options) { o.Machine.Lookup = lookup("RUNNER_ENVIRONMENT", "github-hosted") }
		}, map[string]detect.Answer{detect.HostedRunner: detect.Yes}, "RUNNER_ENVIRONMENT=github-hosted", detect.Direct},
		"self-hosted": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			return func(o *detect.Options) { o.Machine.Lookup = lookup("RUNNER_ENVIRONMENT", "self-hosted") }
		}, map[string]detect.Answer{detect.HostedRunner: detect.No}, "RUNNER_ENVIRONMENT=self-hosted", detect.Direct},
		"GitLab of one's own": {func(_ *testing.T, w *upstreamtest.World) func(*detect.Options) {
			return func(o *detect.Options) {
				o.Machine.Lookup = lookup("CI_SERVER_HOST", "git.corp.test", "CI_RUNNER_SHORT_TOKEN", "abc")
			}
		}, map[string]detect.Answer{detect.HostedRunner: detect.No}, "belongs to git.corp.test", detect.Direct},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := upstreamtest.NewWorld(t)
			serve(w)
			r := deep(t, w, tt.play(t, w))
			var said []string
			for _, trait := range r.Traits {
				want, ok := plain[trait.Name]
				if other, differs := tt.differ[trait.Name]; differs {
					want = other
				}
				if !ok || trait.Answer != want {
					t.Errorf("%s is %d, want %d; %q", trait.Name, trait.Answer, want, trait.Evidence)
				}
				said = append(said, strings.Join(trait.Evidence, "; "))
			}
			if len(r.Traits) != len(plain) {
				t.Errorf("%d traits, want %d", len(r.Traits), len(plain))
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, tt.evidence) {
				t.Errorf("evidence %q, want %q", all, tt.evidence)
			}
			if r.Class != tt.class {
				t.Errorf("class %s, want %s: %q", r.Class, tt.class, r.Evidence)
			}
		})
	}
}

// Over plain http everybody is led to one place, while TLS leads nowhere.
func TestPortalByRedirect(t *testing.T) {
	t.Parallel()
	for _, honest := range []bool{false, true} {
		w := upstreamtest.NewWorld(t)
		o := []detect.Target{}
		for i, h := range []string{"official.test", "b.example"} {
			to := "http://login.portal.net/"
			if honest {
				to = "https://www." + h + "/"
			}
			w.Serve(h, upstreamtest.RedirectPortal(to)) // over TLS it is no honest redirect, either
			o = append(o, target([]string{source.Official, "b"}[i], "https://"+h))
		}
		r := deep(t, w, func(d *detect.Options) { d.Now = o })
		trait := r.Trait(detect.CaptivePortal)
		if found := trait.Answer == detect.Yes; found == honest || (r.Class == detect.Captive) == honest {
			t.Errorf("honest %v: %+v, class %s", honest, trait, r.Class)
		}
		if !honest && !strings.Contains(r.Evidence[0], "official.test, b.example all lead to login.portal.net") {
			t.Errorf("evidence %q", r.Evidence)
		}
		if w.Hits("login.portal.net") != 0 {
			t.Error("followed the portal")
		}
	}
}

// One address for hosts that have nothing to do with each other, and reserved ones, are told.
func TestOddNames(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("a.example", good())
	w.Serve("b.test", good())
	w.Answer("a.example", netip.MustParseAddr("10.1.2.3"))
	w.Answer("b.test", netip.MustParseAddr("10.1.2.3"))
	r := deep(t, w, func(o *detect.Options) { o.Deep.Hosts = []string{"a.example", "b.test"} })
	all := strings.Join(r.Evidence, "\n")
	for _, want := range []string{"a.example, b.test: the name server gives an address that is private", "a.example, b.test have one address, 10.1.2.3"} {
		if !strings.Contains(all, want) {
			t.Errorf("evidence %q, want %q", all, want)
		}
	}
	for ip, want := range map[string]string{"8.8.8.8": "", "10.0.0.1": "private", "::ffff:10.0.0.1": "private", "100.64.0.1": "of a carrier's network", "2001:db8::1": "kept for documentation", "2a00::1": ""} {
		if got := detect.Reserved(netip.MustParseAddr(ip)); got != want {
			t.Errorf("Reserved(%s) = %q, want %q", ip, got, want)
		}
	}
}

// Other proxies are asked for what is needed, and say what they let through.
func TestProxyChecks(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	serve(w)
	w.Fence(false)
	open := w.ForwardProxy(t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "hush"})
	closed := w.ForwardProxy(t, upstreamtest.ForwardProxyOptions{Allow: func(string) bool { return false }})
	r := deep(t, w, func(o *detect.Options) {
		o.Deep.Needed = o.Now[:1]
		o.Deep.Proxies = []detect.Candidate{{URL: open.URL(), Origins: []string{"~/.gitconfig:2"}}, {URL: closed.URL(), Origins: []string{"~/.npmrc:1"}},
			{URL: strings.Replace(open.URL(), "hush", "wrong", 1), Origins: []string{"pip.conf:3"}}, {URL: "http://ci:p/w@x", Origins: []string{"broken"}}}
	})
	var causes []detect.Cause
	for _, c := range r.ProxyChecks {
		if len(c.Rows) != 1 || strings.Contains(c.URL, "hush") || strings.Contains(c.Rows[0].Reason+c.Rows[0].Proxy, "hush") || strings.Contains(c.Rows[0].Reason, "wrong") {
			t.Errorf("check %+v", c)
			continue
		}
		causes = append(causes, c.Rows[0].Cause)
	}
	if want := []detect.Cause{detect.NoCause, detect.ProxyRefuses, detect.ProxyCredentials, detect.ProxySetting}; !slices.Equal(causes, want) {
		t.Errorf("causes %q, want %q", causes, want)
	}
	if got := r.ProxyChecks[2].Rows[0].Auth; !slices.Equal(got, []string{"Basic"}) {
		t.Errorf("offered %q", got)
	}
}

// What each tool would say of the certificates that are shown here.
func TestBundles(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("official.test", good())
	w.Fence(false)
	spy := upstreamtest.NewCA(t)
	p := w.ForwardProxy(t, upstreamtest.ForwardProxyOptions{Intercept: spy})
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	encode := func(c *x509.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	withSpy, withCA := file("spy.pem", encode(spy.Cert)), file("ca.pem", encode(w.CA.Cert))
	empty := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "capath"), 0o700); err != nil {
		t.Fatal(err)
	}
	file("capath/spy.pem", encode(spy.Cert))
	// many names for one large file: what is read is bounded by all of them together
	many := t.TempDir()
	large := file("large.pem", bytes.Repeat(encode(w.CA.Cert), 4<<20/len(encode(w.CA.Cert))))
	for i := range 500 {
		if err := os.Link(large, filepath.Join(many, strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	d := dialer(w)
	d.Roots = spy.Pool()
	r := detect.Measure(t.Context(), detect.Options{Dialer: d, Settings: settings("HTTPS_PROXY", p.URL()), Interception: detect.Interception{Public: w.CA.Pool()},
		Now: []detect.Target{target(source.Official, "https://official.test")},
		Deep: detect.Deep{Bundles: []detect.Bundle{{Tool: "go"}, {Tool: "npm", Own: true}, {Tool: "npm with", Own: true, Adds: true, Path: withSpy}, {Tool: "bun", Adds: true, Path: withCA}, {Tool: "git", Path: withCA},
			{Tool: "pip", Path: withSpy}, {Tool: "cargo", Path: filepath.Join(dir, "none.pem")}, {Tool: "curl", Path: file("empty.pem", nil)}, {Tool: "dir", Path: empty}, {Tool: "capath", Path: filepath.Join(dir, "capath")},
			{Tool: "many", Path: many}}}})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	want := []struct {
		trusts detect.Answer
		n      int
		broken string
	}{{detect.Yes, 0, ""}, {detect.No, 0, ""}, {detect.Yes, 1, ""}, {detect.Yes, 1, ""}, {detect.No, 1, ""}, {detect.Yes, 1, ""}, {detect.No, 0, "does not exist"}, {detect.No, 0, "holds no certificate"}, {detect.No, 0, "is a directory without certificates"}, {detect.Yes, 1, ""},
		{detect.No, 0, "has more than 8 MB"}}
	for i, b := range r.Bundles {
		if b.Trusts != want[i].trusts || b.Certificates != want[i].n || b.Broken != want[i].broken {
			t.Errorf("%s: trusts %d, %d certificates, %q; want %+v", b.Tool, b.Trusts, b.Certificates, b.Broken, want[i])
		}
	}
	if len(r.Bundles) != len(want) {
		t.Errorf("%d bundles", len(r.Bundles))
	}
}

// Whatever hangs, the deep questions keep to the budget as well.
func TestDeepBudget(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	for _, h := range hosts {
		w.Silent(h)
	}
	w.Mute(random)
	w.Mute("proxy.test")
	began := time.Now()
	r := deep(t, w, func(o *detect.Options) {
		o.Budget = 300 * time.Millisecond
		o.Deep.Needed, o.Deep.Proxies = o.Now, []detect.Candidate{{URL: "http://proxy.test:3128", Origins: []string{"x"}}}
	})
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if len(r.Names) != 4 || len(r.ProxyChecks) != 1 || len(r.ProxyChecks[0].Rows) != 3 || r.ProxyChecks[0].Rows[0].OK {
		t.Errorf("report %+v", r)
	}
}

func TestSameProxy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{{"http://a:1", "http://ci:x@a:1/", true}, {"a:1", "http://a:1", true}, {"http://a:1", "http://a:2", false}, {"http://a:1", "https://a:1", false}, {"::", "::", false}} {
		if got := detect.SameProxy(tt.a, tt.b); got != tt.want {
			t.Errorf("SameProxy(%s, %s) = %v", tt.a, tt.b, got)
		}
	}
}

// A source whose file takes too long is well all the same; its speed is not known.
func TestLoadTakesTooLong(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("official.test", good())
	o := detect.Options{Dialer: dialer(w), Interception: detect.Interception{Public: w.CA.Pool()}, Budget: 400 * time.Millisecond, Load: true,
		Now: []detect.Target{target(source.Official, "https://official.test")}}
	o.Now[0].Load = func(ctx context.Context, _ detect.Fetch) (detect.Loaded, error) {
		<-ctx.Done()
		return detect.Loaded{}, ctx.Err()
	}
	if r := detect.Measure(t.Context(), o); !r.Rows[0].OK || r.Rows[0].Throughput != 0 || r.Class != detect.Direct {
		t.Errorf("%+v", r)
	}
	o.Now[0].Load = func(context.Context, detect.Fetch) (detect.Loaded, error) {
		return detect.Loaded{Verdict: detect.Verdict{OK: true}, Bytes: 1000, Took: time.Second / 2}, nil
	}
	if r := detect.Measure(t.Context(), o); r.Rows[0].Throughput != 2000 {
		t.Errorf("%+v", r.Rows[0])
	}
}

// That a name server says nothing, that none can be reached and that it fails is one thing, and that there is no such name
// is another: for the sources as for the names.
func TestNamesDown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  *net.DNSError
		want detect.Cause
	}{
		"silent":      {&net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}, detect.NamesDown},
		"unreachable": {&net.DNSError{Err: "dial udp: network is unreachable", IsTemporary: true}, detect.NamesDown},
		"no name":     {&net.DNSError{Err: "no such host", IsNotFound: true}, detect.NameUnknown},
		"fails":       {&net.DNSError{Err: "server misbehaving", IsTemporary: true}, detect.NameUnknown},
		"nothing yet": {&net.DNSError{Err: "no such host", IsNotFound: true, IsTemporary: true}, detect.NameUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := detect.Measure(t.Context(), detect.Options{Budget: time.Second, Now: []detect.Target{target(source.Official, "https://official.test")}, Deep: detect.Deep{Hosts: []string{"official.test"}},
				Dialer: &egress.Dialer{Resolve: func(context.Context, string) ([]netip.Addr, error) { return nil, tt.err }}})
			if got := r.Rows[0].Cause; got != tt.want || r.Names[0].Cause != tt.want {
				t.Errorf("the source %q, the name %q, want %q", got, r.Names[0].Cause, tt.want)
			}
		})
	}
}

// A proxy whose address nobody can read says nothing about the network.
func TestNothingAsked(t *testing.T) {
	t.Parallel()
	class, evidence := detect.Classify([]detect.Row{{Via: detect.ViaProxy, Fault: detect.ProxyFault, Cause: detect.ProxySetting, Reason: "the proxy setting HTTPS_PROXY is no address"}}, nil)
	if class != detect.Unknown || len(evidence) != 1 {
		t.Errorf("%s, %q", class, evidence)
	}
}
