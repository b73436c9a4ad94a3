package diagnose_test

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/diagnose"
	"github.com/org/goproxy-action/internal/source"
)

var mirror = source.Source{ID: "mirror", Ecosystem: source.Go, Role: source.ModuleProxy, URL: "https://mirror.test", Public: true}

// row is what the mirror answered directly.
func row(cause detect.Cause, reason string) detect.Row {
	return detect.Row{Source: mirror, Via: detect.ViaDirect, OK: cause == detect.NoCause, Cause: cause, Reason: reason, IPs: []string{"192.0.2.1"},
		Address: "192.0.2.1", Name: time.Millisecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond, FirstByte: 9 * time.Millisecond}
}

func proxied(cause detect.Cause, reason string) detect.Row {
	r := row(cause, reason)
	r.Via, r.Proxy, r.IPs, r.Address = detect.ViaProxy, "http://***@proxy.test:3128", nil, ""
	return r
}

func trait(name string, evidence string) detect.Trait {
	return detect.Trait{Name: name, Answer: detect.Yes, Evidence: []string{evidence}}
}

// Each cause breaks one link, what comes before holds, and what comes after is skipped; the advice says who does what.
func TestCauses(t *testing.T) {
	t.Parallel()
	intercepted := detect.Report{Intercepted: detect.Yes, Issuer: "CN=Corp", SPKI: "abc=", Traits: []detect.Trait{trait(detect.TLSIntercepted, "TLS is intercepted: it is")}}
	tests := []struct {
		name   string
		row    detect.Row
		change func(*diagnose.Facts)
		link   string
		id     string
		who    string
		words  []string // of why, fix, command and evidence
	}{
		{"broken proxy setting", proxied(detect.ProxySetting, "the proxy setting is no address of a proxy"), nil, diagnose.Settings, "proxy-setting", diagnose.RunnerAdmin, []string{"percent-encoded"}},
		{"proxy without a name", proxied(detect.ProxyName, "the proxy: the name has no address"), nil, diagnose.Name, "proxy-name", diagnose.RunnerAdmin, []string{"the name of the proxy http://***@proxy.test:3128 has no address"}},
		{"dead proxy", proxied(detect.ProxyDead, "the proxy: connection refused"), nil, diagnose.Connect, "proxy-dead", diagnose.RunnerAdmin, []string{"proxy.test:3128: connection refused"}},
		{"dead proxy that nobody needs", proxied(detect.ProxyDead, "the proxy: connection refused"), func(f *diagnose.Facts) { r := row("", ""); f.Subjects[0].Other = &r }, diagnose.Connect, "proxy-dead", diagnose.Developer, []string{"unset HTTPS_PROXY https_proxy"}},
		{"silent proxy", proxied(detect.ProxySilent, "the proxy: connected, then no answer"), nil, diagnose.Proxy, "proxy-silent", diagnose.NetworkTeam, []string{"never answers CONNECT"}},
		{"login", func() detect.Row {
			r := proxied(detect.ProxyCredentials, "407")
			r.Auth = []string{"Basic", "NTLM"}
			return r
		}(), nil,
			diagnose.Proxy, "proxy-credentials", diagnose.Developer, []string{"as name:password@host:port"}},
		{"a login that no tool speaks", func() detect.Row {
			r := proxied(detect.ProxyCredentials, "407")
			r.Auth = []string{"NTLM", "Negotiate"}
			return r
		}(), nil,
			diagnose.Proxy, "proxy-credentials", diagnose.NetworkTeam, []string{"NTLM and Negotiate only", "cntlm"}},
		{"proxy refuses", proxied(detect.ProxyRefuses, "the proxy refuses it (403)"), nil, diagnose.Proxy, "proxy-refuses", diagnose.NetworkTeam, []string{"does not let mirror.test through"}},
		{"proxy fails", proxied(detect.ProxyFails, "the proxy does not reach it (503)"), nil, diagnose.Proxy, "proxy-fails", diagnose.NetworkTeam, []string{"cannot reach mirror.test itself"}},
		{"names down", row(detect.NamesDown, "the name server does not answer"), nil, diagnose.Name, "dns-down", diagnose.NetworkTeam, []string{"resolv.conf"}},
		{"names down, without a network", row(detect.NamesDown, "the name server does not answer"), func(f *diagnose.Facts) {
			f.Network.Traits = []detect.Trait{{Name: detect.IPv6Only, Evidence: []string{"this machine has no address to go out with"}}}
		}, diagnose.Name, "offline", diagnose.RunnerAdmin, []string{"not connected"}},
		{"unknown name that a setting has", row(detect.NameUnknown, "the name has no address"), func(f *diagnose.Facts) { f.Subjects[0].Named = "GOPROXY in the environment" }, diagnose.Name, "dns-unknown-name", diagnose.Developer, []string{"correct the address (GOPROXY in the environment)"}},
		{"unknown name", row(detect.NameUnknown, "the name has no address"), func(f *diagnose.Facts) {
			f.Network.Names = []detect.Name{{Host: "a", IPs: []netip.Addr{netip.MustParseAddr("192.0.2.9")}}, {Host: "mirror.test", Cause: detect.NameUnknown}}
		}, diagnose.Name, "dns-unknown-name", diagnose.Developer, []string{"the name of mirror.test has no address"}},
		{"no public names", row(detect.NameUnknown, "the name has no address"), func(f *diagnose.Facts) {
			f.Network.Names = []detect.Name{{Host: "a", Cause: detect.NameUnknown}, {Host: "b", Cause: detect.NameUnknown}, {Host: "x", Random: true, Cause: detect.NameUnknown}}
		}, diagnose.Name, "dns-unknown-name", diagnose.NetworkTeam, []string{"knows no public names", "none of 2 public names"}},
		{"no network", row(detect.NameUnknown, "the name has no address"), func(f *diagnose.Facts) {
			f.Network.Traits = []detect.Trait{{Name: detect.IPv6Only, Evidence: []string{"this machine has no address to go out with"}}}
		}, diagnose.Name, "offline", diagnose.RunnerAdmin, []string{"not connected"}},
		{"false addresses", row(detect.UnknownCA, "not trusted"), func(f *diagnose.Facts) {
			f.Network.Traits = []detect.Trait{trait(detect.NamesHijacked, "the name server gives the address 198.51.100.1 to x.com")}
		}, diagnose.TLS, "dns-hijacked", diagnose.NetworkTeam, []string{"false addresses", "x.com"}},
		{"address refused", row(detect.AddressRefused, "not in the allowlist"), nil, diagnose.Address, "policy-denied", diagnose.Developer, []string{"trusted.addresses"}},
		{"no route", row(detect.NoRoute, "no route"), nil, diagnose.Connect, "no-route", diagnose.NetworkTeam, []string{"HTTPS_PROXY"}},
		{"refused", row(detect.ConnectRefused, "connection refused"), nil, diagnose.Connect, "connect-refused", diagnose.NetworkTeam, []string{"mirror.test refuses"}},
		{"dropped", row(detect.ConnectDropped, "no connection within 2.5 s"), nil, diagnose.Connect, "connect-dropped", diagnose.NetworkTeam, []string{"packets to mirror.test vanish"}},
		{"local filter", row(detect.ConnectForbidden, "a local filter"), nil, diagnose.Connect, "connect-forbidden", diagnose.RunnerAdmin, []string{"nftables"}},
		{"intercepted", row(detect.UnknownCA, "not trusted"), func(f *diagnose.Facts) { f.Network = intercepted }, diagnose.TLS, "tls-intercepted-untrusted", diagnose.RunnerAdmin,
			[]string{"CN=Corp", "abc=", "update-ca-certificates", "never switch verification off"}},
		{"own authority", func() detect.Row { r := row(detect.UnknownCA, "not trusted"); r.Source.Public = false; return r }(), nil, diagnose.TLS, "tls-unknown-ca", diagnose.RunnerAdmin, []string{"SSL_CERT_FILE"}},
		{"own authority behind an interceptor", func() detect.Row {
			r := row(detect.UnknownCA, "not trusted")
			r.Source.Public, r.Issuer = false, "CN=Mine"
			return r
		}(), func(f *diagnose.Facts) { f.Network = intercepted }, diagnose.TLS, "tls-unknown-ca", diagnose.RunnerAdmin, []string{"SSL_CERT_FILE"}},
		{"all are silent", row(detect.SourceSilent, "no answer"), func(f *diagnose.Facts) {
			other := row(detect.SourceSilent, "no answer")
			other.Source.URL = "https://other.example"
			unknown := row(detect.NameUnknown, "no address")
			unknown.Source.URL = "https://unknown.example"
			f.Network.Rows = []detect.Row{row(detect.SourceSilent, "no answer"), other, unknown}
		}, diagnose.FirstByte, "source-silent", diagnose.NetworkTeam, []string{"all of 2 known sources of this kind", "something in between"}},
		{"one of two is silent", row(detect.SourceSilent, "no answer"), func(f *diagnose.Facts) {
			other := row(detect.NoCause, "")
			other.Source.URL = "https://other.example"
			f.Network.Rows = []detect.Row{row(detect.SourceSilent, "no answer"), other}
		}, diagnose.FirstByte, "source-silent", diagnose.SourceOperator, nil},
		{"a portal that gives all names one address", row(detect.ConnectRefused, "connection refused"), func(f *diagnose.Facts) {
			f.Network.Traits = []detect.Trait{trait(detect.NamesHijacked, "it lies"), trait(detect.CaptivePortal, "all lead to login")}
		}, diagnose.Connect, "captive-portal", diagnose.NetworkTeam, []string{"all lead to login"}},
		{"expired", row(detect.Expired, "expired"), nil, diagnose.TLS, "certificate-expired", diagnose.SourceOperator, []string{"renewed"}},
		{"clock", row(detect.Expired, "expired"), func(f *diagnose.Facts) {
			f.Network.Traits = []detect.Trait{trait(detect.ClockWrong, "all are valid in 2020")}
		}, diagnose.TLS, "clock-wrong", diagnose.RunnerAdmin, []string{"timedatectl", "all are valid in 2020"}},
		{"other name", row(detect.WrongName, "another name"), nil, diagnose.TLS, "certificate-name", diagnose.SourceOperator, []string{"another name"}},
		{"no TLS", row(detect.Handshake, "it does not speak TLS"), nil, diagnose.TLS, "tls-handshake", diagnose.NetworkTeam, []string{"it does not speak TLS"}},
		{"silent", row(detect.SourceSilent, "no answer"), nil, diagnose.FirstByte, "source-silent", diagnose.SourceOperator, []string{"never answers"}},
		{"cut", row(detect.ConnectionCut, "cut"), nil, diagnose.FirstByte, "connection-cut", diagnose.NetworkTeam, []string{"goes by names"}},
		{"forbidden", func() detect.Row { r := row(detect.SourceRefuses, "answered 403"); r.Status = 403; return r }(), nil, diagnose.Content, "source-refuses", diagnose.Developer, []string{"answers 403", "netrc"}},
		{"lacks", row(detect.SourceLacks, "answered 404"), nil, diagnose.Content, "source-lacks", diagnose.Developer, []string{"path"}},
		{"lacks the item", row(detect.SourceLacks, "answered 404"), func(f *diagnose.Facts) { f.Subjects[0].Item = "a.test/b@v1" }, diagnose.Content, "source-lacks", diagnose.Developer, []string{"no a.test/b@v1", "GOPRIVATE"}},
		{"down", row(detect.SourceDown, "answered 503"), nil, diagnose.Content, "source-down", diagnose.SourceOperator, []string{"503"}},
		{"portal", row(detect.AnotherPage, "another page"), func(f *diagnose.Facts) {
			f.Network.Traits = []detect.Trait{trait(detect.CaptivePortal, "all lead to login")}
		}, diagnose.Content, "captive-portal", diagnose.NetworkTeam, []string{"log in", "all lead to login"}},
		{"the proxy's page", row(detect.AnotherPage, "another page"), func(f *diagnose.Facts) { f.Network = intercepted }, diagnose.Content, "content-rewritten", diagnose.NetworkTeam, []string{"shows its own"}},
		{"a page", row(detect.AnotherPage, "another page"), nil, diagnose.Content, "source-down", diagnose.SourceOperator, []string{"page for people"}},
		{"other content", row(detect.OtherContent, "served another go.mod"), nil, diagnose.Content, "content-rewritten", diagnose.SourceOperator, []string{"it served another go.mod"}},
		{"redirect", row(detect.Redirected, "redirects to plain http"), nil, diagnose.Content, "redirected", diagnose.NetworkTeam, []string{"it redirects to plain http"}},
		{"other", row(detect.OtherCause, "odd"), nil, diagnose.Content, "other", diagnose.Developer, []string{"--bundle"}},
		{"another proxy helps", row(detect.ConnectDropped, "no connection"), func(f *diagnose.Facts) {
			f.Network.ProxyChecks = []detect.ProxyCheck{{URL: "http://***@p.test:1", Origins: []string{"~/.gitconfig:2"}, Rows: []detect.Row{proxied(detect.NoCause, "")}}}
		}, diagnose.Connect, "connect-dropped", diagnose.Developer, []string{"export HTTPS_PROXY='http://***@p.test:1'", "~/.gitconfig:2 names"}},
		{"directly it answers", proxied(detect.ProxyRefuses, "403"), func(f *diagnose.Facts) { r := row("", ""); f.Subjects[0].Other = &r }, diagnose.Proxy, "proxy-refuses", diagnose.Developer, []string{"NO_PROXY", `export NO_PROXY="${NO_PROXY:+$NO_PROXY,}mirror.test"`}},
		{"through the proxy it answers", row(detect.ConnectDropped, "no"), func(f *diagnose.Facts) { r := proxied("", ""); f.Subjects[0].Other = &r }, diagnose.Connect, "connect-dropped", diagnose.Developer, []string{"take its host out of NO_PROXY"}},
		{"others answer", row(detect.SourceDown, "answered 503"), func(f *diagnose.Facts) {
			f.Alternatives = map[string][]string{source.Go: {"a (3 ms)", "b (4 ms)", "c (5 ms)", "d (6 ms)"}}
		}, diagnose.Content, "source-down", diagnose.SourceOperator, []string{"verified meanwhile: a (3 ms), b (4 ms), c (5 ms)", `eval "$(goproxy-action setup)"`}},
		{"log", row("", ""), func(f *diagnose.Facts) {
			f.Subjects[0].Log = diagnose.LogState{Wanted: true, How: "sum.test: no connection"}
		}, diagnose.Log, "log-unreachable", diagnose.NetworkTeam, []string{"never set GOSUMDB=off", "sum.test: no connection"}},
		{"policy", row("", ""), func(f *diagnose.Facts) {
			f.Subjects[0].Denied, f.Subjects[0].DeniedFix = "SRC001: not trusted", "trust it"
		}, diagnose.Policy, "policy-denied", diagnose.Developer, []string{"SRC001", "trust it", "goproxy-action check"}},
		{"setting", row("", ""), func(f *diagnose.Facts) {
			f.Subjects[0].Broken, f.Subjects[0].BrokenFix = "HTTPS_PROXY is no address", "write it anew"
		}, diagnose.Settings, "setting-broken", diagnose.Developer, []string{"write it anew"}},
		{"npm's own certificates", row("", ""), func(f *diagnose.Facts) {
			f.Network = intercepted
			f.Network.Bundles = []detect.Bundle{{Tool: "go", Trusts: detect.Yes}, {Tool: "npm", Own: true, Trusts: detect.No}}
			f.Subjects[0].Tool = "npm"
		}, diagnose.TLS, "tls-intercepted-untrusted", diagnose.RunnerAdmin, []string{"NODE_EXTRA_CA_CERTS", "CN=Corp"}},
		{"a bundle that is not there", row("", ""), func(f *diagnose.Facts) {
			f.Network.Bundles = []detect.Bundle{{Tool: "go", Path: "/etc/x.pem", Origin: "SSL_CERT_FILE", Broken: "does not exist", Trusts: detect.No}}
		}, diagnose.TLS, "setting-broken", diagnose.RunnerAdmin, []string{"correct SSL_CERT_FILE", "/etc/x.pem (SSL_CERT_FILE), which go is told to go by, does not exist"}},
		{"a bundle without public roots", row("", ""), func(f *diagnose.Facts) {
			f.Network.Bundles = []detect.Bundle{{Tool: "go", Path: "/etc/x.pem", Origin: "SSL_CERT_FILE", Certificates: 1, Trusts: detect.No}}
		}, diagnose.TLS, "tls-unknown-ca", diagnose.RunnerAdmin, []string{"take SSL_CERT_FILE out"}},
	}
	causes := map[string]bool{}
	for _, tt := range tests {
		causes[tt.id] = true
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := diagnose.Facts{Network: detect.Report{Proxies: []detect.Proxy{{Scheme: "https"}}},
				Subjects: []diagnose.Subject{{Name: "go: mirror", Tool: "go", Source: tt.row.Source, Row: &tt.row, Setting: "GOPROXY=mirror"}}}
			if tt.change != nil {
				tt.change(&f)
			}
			d := diagnose.Examine(f)
			if d.Healthy || len(d.Causes) != 1 || len(d.Chains) != 1 || d.Chains[0].OK {
				t.Fatalf("%+v", d)
			}
			c := d.Causes[0]
			if c.ID != tt.id || c.Who != tt.who || !slices.Equal(c.Subjects, []string{"go: mirror"}) {
				t.Errorf("%s for %s (%q), want %s for %s", c.ID, c.Who, c.Subjects, tt.id, tt.who)
			}
			text := strings.Join(append([]string{c.Why, c.Fix, c.Command}, c.Evidence...), "\n")
			for _, w := range tt.words {
				if !strings.Contains(text, w) {
					t.Errorf("%q lacks %q", text, w)
				}
			}
			if c.Why == "" || c.Fix == "" || strings.ContainsAny(c.Why+c.Fix, "{") {
				t.Errorf("why %q, fix %q", c.Why, c.Fix)
			}
			checkChain(t, d.Chains[0], tt.link)
		})
	}
	for _, id := range []string{"proxy-setting", "proxy-name", "proxy-dead", "proxy-silent", "proxy-credentials", "proxy-refuses", "dns-down", "dns-unknown-name", "dns-hijacked", "no-route",
		"connect-refused", "connect-dropped", "tls-intercepted-untrusted", "tls-unknown-ca", "certificate-expired", "clock-wrong", "tls-handshake", "captive-portal", "content-rewritten",
		"source-down", "source-silent", "source-refuses", "source-lacks", "connection-cut", "log-unreachable", "policy-denied", "setting-broken", "offline"} {
		if !causes[id] {
			t.Errorf("%s has no row", id)
		}
	}
}

// checkChain: all links in their order, each once; one failed, those before it hold or do not exist here, those behind are
// skipped.
func checkChain(t *testing.T, c diagnose.Chain, link string) {
	t.Helper()
	var names []string
	failed := false
	for _, s := range c.Steps {
		names = append(names, s.Name)
		switch {
		case s.Status == diagnose.Failed:
			failed = true
			if s.Name != link || s.Saw == "" {
				t.Errorf("%s failed (%q), want %s", s.Name, s.Saw, link)
			}
		case failed && s.Status != diagnose.Skipped, !failed && s.Status != diagnose.OK && s.Status != diagnose.Skipped:
			t.Errorf("%s is %s", s.Name, s.Status)
		case s.Status == diagnose.Skipped && s.Saw == "":
			t.Errorf("%s is skipped without a reason", s.Name)
		}
	}
	if want := []string{"settings", "name", "address", "connect", "proxy", "tls", "first-byte", "content", "log", "policy"}; !slices.Equal(names, want) {
		t.Errorf("links %q", names)
	}
	if failed != (link != "") || c.Broken().Name != link {
		t.Errorf("broken %q, want %q", c.Broken().Name, link)
	}
}

// What is well is healthy, and one cause is told once for all that it breaks.
func TestHealthy(t *testing.T) {
	t.Parallel()
	good := row("", "")
	s := diagnose.Subject{Name: "go: mirror", Tool: "go", Source: mirror, Row: &good, Log: diagnose.LogState{Wanted: true, Reached: true, How: "relayed by mirror"}}
	d := diagnose.Examine(diagnose.Facts{Subjects: []diagnose.Subject{s, {Name: "npm", Unasked: "no source is in force"}}, Conflicts: []string{"two spellings differ"},
		Network: detect.Report{Traits: []detect.Trait{trait(detect.NamesHijacked, "it lies")}}})
	if !d.Healthy || len(d.Causes) != 0 || !slices.Equal(d.Notes, []string{"two spellings differ", "it lies"}) {
		t.Errorf("%+v", d)
	}
	checkChain(t, d.Chains[0], "")
	if st := d.Chains[1].Steps[1]; st.Status != diagnose.Unknown || st.Saw != "no source is in force" {
		t.Errorf("what was not asked: %+v", st)
	}
	bad, worse := row(detect.NamesDown, "the name server does not answer"), row(detect.NamesDown, "the name server does not answer")
	d = diagnose.Examine(diagnose.Facts{Subjects: []diagnose.Subject{{Name: "a", Source: mirror, Row: &bad}, {Name: "b", Source: mirror, Row: &worse}}})
	if len(d.Causes) != 1 || !slices.Equal(d.Causes[0].Subjects, []string{"a", "b"}) || len(d.Causes[0].Evidence) != 1 {
		t.Errorf("%+v", d.Causes)
	}
}

// What was not verified is not called so.
func TestNotVerified(t *testing.T) {
	t.Parallel()
	came, verified := row("", ""), row("", "")
	verified.Content = detect.Yes
	d := diagnose.Examine(diagnose.Facts{Subjects: []diagnose.Subject{{Name: "a", Source: mirror, Row: &came, Any: true}, {Name: "b", Source: mirror, Row: &verified}}})
	for i, want := range []string{"any answer that is no refusal: it came; nothing here says whether it is what was published", "a known file with a known hash: verified"} {
		if s := d.Chains[i].Steps[7]; s.Tried+": "+s.Saw != want {
			t.Errorf("%+v, want %q", s, want)
		}
	}
}

// An empty subject, as a caller's mistake would be, is not known and never healthy by accident of a panic.
func TestNothing(t *testing.T) {
	t.Parallel()
	if d := diagnose.Examine(diagnose.Facts{}); !d.Healthy || len(d.Chains) != 0 {
		t.Errorf("%+v", d)
	}
	zero := detect.Row{}
	for _, s := range []diagnose.Subject{{}, {Row: &zero}, {Denied: "no"}, {Source: mirror, Unasked: "it was not asked"}} {
		d := diagnose.Examine(diagnose.Facts{Subjects: []diagnose.Subject{s}})
		if len(d.Chains[0].Steps) != 10 || d.Healthy != (s.Row == nil && s.Denied == "" && s.Source.URL == "") {
			t.Errorf("%+v", d)
		}
	}
}

// The page that explains the causes has all of them.
func TestDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/network.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../detect/report.go")
	if err != nil {
		t.Fatal(err)
	}
	causes := regexp.MustCompile(`(?m)^\t\w+ +Cause = "([a-z-]+)"`).FindAllSubmatch(source, -1)
	if len(causes) < 20 {
		t.Fatalf("found %d causes", len(causes))
	}
	for _, c := range causes {
		if id := string(c[1]); id != string(detect.AnotherPage) && !regexp.MustCompile(`(?m)^\|[a-z -]*\b`+id+`\b`).Match(page) {
			t.Errorf("docs/network.md lacks %s", id)
		}
	}
}
