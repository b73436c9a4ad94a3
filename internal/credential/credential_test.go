package credential_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/credential"
)

const secret = `hush/"&+c%r t`

func basic(t *testing.T) credential.Credential {
	t.Helper()
	c, err := credential.NewBasic("ci", secret)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func token(t *testing.T, s string) credential.Credential {
	t.Helper()
	c, err := credential.NewBearer(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// However it is printed, alone or within something else, no form of the secret is seen.
func TestMasksItself(t *testing.T) {
	t.Parallel()
	header, err := credential.NewHeader("x-jfrog-art-api", "AKCp8hidden")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []credential.Credential{basic(t), token(t, "eyJhbGciOi.hidden"), header} {
		type public struct {
			C  credential.Credential
			P  *credential.Credential
			M  map[string]credential.Credential
			in credential.Credential
		}
		around := public{c, &c, map[string]credential.Credential{"a": c}, c}
		entry := credential.Entry{Source: "https://a.test", Credential: c}
		store, err := credential.NewStore(nil, entry)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		for _, v := range []any{c, &c, around, &around, entry, store, credential.Grant{Credential: c}, []credential.Credential{c}, credential.Machine{Credential: c}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			if data, err := json.Marshal(v); err == nil {
				out.Write(data)
			}
			for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(h).Info("x", "v", v)
			}
		}
		if data, err := xml.Marshal(c); err == nil {
			out.Write(data)
		}
		fmt.Fprintln(&out, c.String(), c.GoString(), fmt.Errorf("%w: %v", io.EOF, c))
		for _, form := range c.Secrets() {
			if strings.Contains(out.String(), form) {
				t.Errorf("%v: %q is seen in\n%s", c, form, out.String())
			}
		}
		if !strings.Contains(out.String(), string(c.Kind())+" ***") {
			t.Errorf("the kind is not told: %s", out.String())
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	got := basic(t).Secrets()
	for _, want := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte("ci:" + secret)),
		base64.RawURLEncoding.EncodeToString([]byte(secret)), `hush/\"\u0026+c%r t`} {
		if !slices.Contains(got, want) {
			t.Errorf("without %q: %q", want, got)
		}
	}
	if slices.Contains(got, "ci") || (credential.Credential{}).Secrets() != nil {
		t.Errorf("a name is no secret: %q", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func() (credential.Credential, error){
		"a colon in a name":    func() (credential.Credential, error) { return credential.NewBasic("a:b", secret) },
		"no password":          func() (credential.Credential, error) { return credential.NewBasic("a", "") },
		"a line end":           func() (credential.Credential, error) { return credential.NewBasic("a", secret+"\r\nX: y") },
		"no token":             func() (credential.Credential, error) { return credential.NewBearer("") },
		"a token with a space": func() (credential.Credential, error) { return credential.NewBearer("a secret") },
		"a token too long":     func() (credential.Credential, error) { return credential.NewBearer(strings.Repeat("a", 9000)) },
		"no header":            func() (credential.Credential, error) { return credential.NewHeader("a b", "secret") },
		"a header of others":   func() (credential.Credential, error) { return credential.NewHeader("proxy-authorization", "secret") },
		"a value of two lines": func() (credential.Credential, error) { return credential.NewHeader("a", "secret\nX: y") },
		"no certificate": func() (credential.Credential, error) {
			return credential.NewMTLS([]byte("secret"), []byte("secret"), "", "")
		},
	} {
		if c, err := make(); err == nil || strings.Contains(err.Error(), "secret") || c.Kind() != credential.None {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

// Only the source itself gets it.
func TestFor(t *testing.T) {
	t.Parallel()
	store, err := credential.NewStore(nil,
		credential.Entry{Source: "https://a.test", Credential: token(t, "root")},
		credential.Entry{Source: "https://a.test/team/", Credential: token(t, "team")},
		credential.Entry{Source: "https://a.test:8443/x", Credential: token(t, "port")},
		credential.Entry{Source: "https://only.test/x", Credential: token(t, "only")},
		credential.Entry{Source: "http://127.0.0.1:9", Credential: token(t, "here")},
		credential.Entry{Source: "https://[2001:db8::1]", Credential: token(t, "six")})
	if err != nil {
		t.Fatal(err)
	}
	for rawurl, want := range map[string]string{
		"https://a.test":                   "root",
		"https://A.TEST.:443/x":            "root",
		"https://a.test/team":              "team",
		"https://a.test/team/b":            "team",
		"https://a.test/teams":             "root",
		"https://a.test/team/../b":         "root",
		"https://a.test/team/%2e%2E/b":     "root",
		"https://a.test:8443/x/y":          "port",
		"https://a.test:8443/y":            "",
		"https://only.test/x/a":            "only",
		"https://only.test/x/../y":         "",
		"https://only.test/x/%2e./y":       "",
		"https://only.test/x/..;a/y":       "",
		"https://only.test/x%2fy":          "",
		"https://only.test/X":              "",
		"http://a.test/":                   "",
		"https://b.a.test/":                "",
		"https://a.test.evil.test/":        "",
		"https://a.test@evil.test/":        "",
		"https://evil.test/https://a.test": "",
		"http://127.0.0.1:9/x":             "here",
		"https://127.0.0.1:9/x":            "",
		"http://127.0.0.1:10/x":            "",
		"https://[2001:DB8::1]/x":          "six",
		"":                                 "",
		"https://a.test\\@evil.test":       "",
	} {
		c, ok, err := store.For(t.Context(), rawurl)
		got, _ := c.Token()
		if got != want || ok != (want != "") || err != nil || store.Has(rawurl) != ok {
			t.Errorf("For(%q) = %q, %v, %v, want %q", rawurl, got, ok, err, want)
		}
	}
	if c, ok, err := (*credential.Store)(nil).For(t.Context(), "https://a.test"); ok || err != nil || c.Kind() != credential.None {
		t.Error("no store gives something")
	}
	for _, bad := range []string{"http://a.test", "a.test", "https://u:p@a.test", "https://a.test/x?y", "https://a.test/x/../y", "https://", "ftp://a.test"} {
		if _, err := credential.NewStore(nil, credential.Entry{Source: bad, Credential: token(t, "x"), From: "f:1"}); err == nil || !strings.HasPrefix(err.Error(), "f:1: the source ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// recorder is a network: it answers with redirects and keeps what it was shown.
type recorder struct {
	mu    sync.Mutex
	next  map[string]string
	shown map[string]string
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := q.URL.String()
	r.shown[at] += ""
	for name := range q.Header {
		if name != "Referer" {
			r.shown[at] += name + "=" + q.Header.Get(name) + ";"
		}
	}
	a := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: q}
	if to := r.next[at]; to != "" {
		a.StatusCode = http.StatusFound
		a.Header.Set("Location", to)
	}
	return a, nil
}

// A redirect takes a credential nowhere: not to another host, another port, a subdomain or plain http, and not back.
func TestRedirects(t *testing.T) {
	t.Parallel()
	header, err := credential.NewHeader("X-JFrog-Art-Api", "key")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []credential.Credential{token(t, "tok"), basic(t), header} {
		store, err := credential.NewStore(nil, credential.Entry{Source: "https://a.test/go", Credential: c},
			credential.Entry{Source: "https://other.test", Credential: token(t, "other")})
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := c.Header()
		own := name + "=" + value + ";"
		for to, want := range map[string]string{
			"https://evil.test/x":        "",
			"https://a.test:8443/go/x":   "",
			"http://a.test/go/x":         "",
			"https://b.a.test/go/x":      "",
			"https://other.test/x":       "", // has one of its own, but a stranger asks for it
			"https://a.test/elsewhere":   "",
			"https://a.test/go/../other": "",
			"https://a.test/go/final":    own,
			"/go/final":                  own,
		} {
			r := &recorder{next: map[string]string{"https://a.test/go/start": to}, shown: map[string]string{}}
			client := &http.Client{Transport: store.Transport("https://a.test/go", r)}
			if _, err := client.Get("https://a.test/go/start"); err != nil {
				t.Fatal(err)
			}
			for at, shown := range r.shown {
				if at == "https://a.test/go/start" && shown != own || at != "https://a.test/go/start" && shown != want {
					t.Errorf("%v: %s, by a redirect to %s, was shown %q", c, at, to, shown)
				}
			}
			if len(r.shown) != 2 {
				t.Errorf("asked %v", r.shown)
			}
		}
		// away and back
		r := &recorder{next: map[string]string{"https://a.test/go/start": "https://evil.test/", "https://evil.test/": "https://a.test/go/secret"}, shown: map[string]string{}}
		if _, err := (&http.Client{Transport: store.Transport("https://a.test/go", r)}).Get("https://a.test/go/start"); err != nil {
			t.Fatal(err)
		}
		if got := r.shown["https://a.test/go/secret"] + r.shown["https://evil.test/"]; got != "" {
			t.Errorf("%v: shown %q", c, got)
		}
	}
}

// What an address says itself is left as it is.
func TestTransportLeavesUserinfo(t *testing.T) {
	t.Parallel()
	store, err := credential.NewStore(nil, credential.Entry{Source: "https://a.test", Credential: token(t, "tok")})
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{shown: map[string]string{}}
	if _, err := (&http.Client{Transport: store.Transport("https://u:p@a.test", r)}).Get("https://u:p@a.test/"); err != nil {
		t.Fatal(err)
	}
	for _, shown := range r.shown {
		if shown != "Authorization=Basic dTpw;" {
			t.Errorf("shown %q", shown)
		}
	}
	if store.Transport("https://b.test", r) == nil || (*credential.Store)(nil).Transport("https://a.test", r) != http.RoundTripper(r) {
		t.Error("no transport")
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	var told []string
	store, err := credential.NewStore(func(s string) { told = append(told, s) }, credential.Entry{Source: "https://a.test", Credential: basic(t)},
		credential.Entry{Source: "https://b.test", Credential: token(t, "abc")})
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := basic(t).Header()
	for in, want := range map[string]string{
		"you sent " + value + "!": "you sent Basic ***!",
		"a " + secret + " b":      "a *** b",
		"abc":                     "abc", // too short to be told from other words
		"nothing":                 "nothing",
	} {
		if got := store.Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
	if !slices.Contains(told, secret) || slices.Contains(told, "abc") {
		t.Errorf("told %q", told)
	}
	store.Hide("another-token")
	if got := store.Mask("another-token"); got != "***" {
		t.Errorf("hidden: %q", got)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	store, err := credential.NewStore(nil, credential.Entry{Source: "https://a.test/go/", Credential: token(t, "tok"), From: "f:1"},
		credential.Entry{Source: "https://b.test", Credential: token(t, "known"), Ambient: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Grants(t.Context(), "https://a.test/go/x")
	if err != nil || len(got) != 1 || got[0].At.String() != "https://a.test/go" || got[0].From != "f:1" {
		t.Errorf("%v, %v", got, err)
	}
	for _, u := range []string{"https://b.test", "https://c.test"} {
		if got, err := store.Grants(t.Context(), u); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", u, got, err)
		}
	}
}

// The forms that the go command reads, as its source (go 1.26, cmd/go/internal/auth) has them.
func TestNetrc(t *testing.T) {
	t.Parallel()
	const file = `# a comment
machine a.test login u1 password p1
machine a.test login later password later
machine b.test
	login u2
	password p2
machine c.test:8443 login u3 password p3 account x
machine d.test/team login u4 password p4
machine e.test password p5 login u5
machine "f.test" login u6 password p6
machine g.test login u7
machine h.test login u8 password p8
macdef init
machine i.test login u9 password p9

default login any password any
machine j.test login u10 password p10
default
machine k.test login u11 password p11
`
	n := credential.ParseNetrc(file)
	for rawurl, want := range map[string]string{
		"https://a.test": "u1 p1", "https://a.test/x/y": "u1 p1", "http://a.test": "", "https://a.test:443/": "",
		"https://b.test/": "u2 p2", "https://c.test": "", "https://c.test:8443/x": "u3 p3",
		"https://d.test": "", "https://d.test/team/x": "u4 p4", "https://d.test/teams": "",
		"https://e.test": "u5 p5", "https://f.test": "", "https://g.test": "", "https://h.test": "u8 p8", "https://i.test": "",
		"https://j.test": "u10 p10", "https://k.test": "", "https://unknown.test": "", "https://sub.a.test": "", "": "",
	} {
		c, ok := n.For(rawurl)
		user, password, _ := c.Login()
		if got := strings.TrimSpace(user + " " + password); got != want || ok != (want != "") {
			t.Errorf("For(%q) = %q, %v, want %q", rawurl, got, ok, want)
		}
	}
	for _, c := range []credential.Credential{basic(t), token(t, "x")} {
		if line, ok := credential.NetrcLine("a.test", c); ok {
			t.Errorf("a line for %v: %q", c, line)
		}
	}
	c, err := credential.NewBasic("u", "p'\"#\\")
	if err != nil {
		t.Fatal(err)
	}
	line, ok := credential.NetrcLine("a.test:1", c)
	if back, found := credential.ParseNetrc(line).For("https://a.test:1/x"); !ok || !found || !back.Same(c) {
		t.Errorf("%q does not come back", line)
	}
}

func FuzzParseNetrc(f *testing.F) {
	f.Add("machine a login b password c\nmacdef x\n\ndefault")
	f.Add("machine\x00 a login\tb password \xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range credential.ParseNetrc(text) {
			if m.Kind() != credential.Basic || m.Name == "" || strings.ContainsAny(m.Name, " \n") {
				t.Errorf("%q: %v", m.Name, m)
			}
			if line, ok := credential.NetrcLine(m.Name, m.Credential); ok && len(credential.ParseNetrc(line)) != 1 {
				t.Errorf("%q is not read back", line)
			}
		}
	})
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	write := func(mode os.FileMode) {
		if err := errors.Join(os.WriteFile(file, []byte("text"), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	for mode, fault := range map[os.FileMode]string{0o600: "", 0o644: "", 0o620: "lets others write", 0o602: "lets others write"} {
		write(mode)
		data, err := credential.ReadFile(file, 10)
		if fault == "" && (err != nil || string(data) != "text") || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
			t.Errorf("mode %#o: %q, %v", mode, data, err)
		}
	}
	write(0o600)
	if _, err := credential.ReadFile(file, 3); err == nil {
		t.Error("read more than the limit")
	}
	if _, err := credential.ReadFile(dir, 3); err == nil {
		t.Error("read a directory")
	}
	if _, err := credential.ReadFile(file+"x", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

// endpoint plays a token endpoint.
type endpoint struct {
	*httptest.Server
	asked  atomic.Int32
	status int
	answer string
	forms  []url.Values
}

func newEndpoint(t *testing.T, status int, answer string) *endpoint {
	e := &endpoint{status: status, answer: answer}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		_ = r.ParseForm()
		e.forms = append(e.forms, r.PostForm)
		if e.status/100 == 3 {
			w.Header().Set("Location", "http://127.0.0.1:1/")
		}
		w.WriteHeader(e.status)
		_, _ = io.WriteString(w, e.answer)
	}))
	t.Cleanup(e.Close)
	return e
}

func TestExchange(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, 200, `{"access_token":"fresh.token","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"bearer","expires_in":300}`)
	now := time.Unix(1_700_000_000, 0)
	x, err := credential.NewExchange(credential.ExchangeRequest{Endpoint: e.URL + "/token", Audience: "corp", Scope: "read", SubjectType: "id_token",
		Subject: func(context.Context) (string, error) { return "subject.token", nil }, Transport: http.DefaultTransport, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	store, err := credential.NewStore(nil, credential.Entry{Source: "https://a.test", Exchange: x})
	if err != nil {
		t.Fatal(err)
	}
	want := func(asked int32) {
		t.Helper()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				c, ok, err := store.For(t.Context(), "https://a.test/x")
				if got, _ := c.Token(); got != "fresh.token" || !ok || err != nil {
					t.Errorf("got %q, %v, %v", got, ok, err)
				}
			})
		}
		all.Wait()
		if n := e.asked.Load(); n != asked {
			t.Errorf("asked %d times, want %d", n, asked)
		}
	}
	want(1)
	now = now.Add(269 * time.Second)
	want(1)
	now = now.Add(2 * time.Second) // 30 s before its end
	want(2)
	f := e.forms[0]
	for name, value := range map[string]string{"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "subject.token",
		"subject_token_type": "urn:ietf:params:oauth:token-type:id_token", "audience": "corp", "scope": "read"} {
		if f.Get(name) != value {
			t.Errorf("%s = %q, want %q", name, f.Get(name), value)
		}
	}
	if f.Has("resource") {
		t.Error("an empty resource was sent")
	}
	if got := store.Mask("fresh.token subject.token"); got != "*** ***" {
		t.Errorf("not masked: %s", got)
	}
	if _, ok, _ := store.For(t.Context(), "https://b.test"); ok {
		t.Error("another got it")
	}
}

// What an endpoint answers in place of a token is told, escaped and without what was sent; a failure is not asked for again
// at once.
func TestExchangeFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status       int
		answer, want string
	}{
		"refused":        {400, `{"error":"invalid_grant","error_description":"bad\n\u001b[31m subject.token here"}`, `refused: invalid_grant (bad\n\x1b[31m *** here)`},
		"error with 200": {200, `{"error":"invalid_target"}`, "refused: invalid_target"},
		"a page":         {200, "<html>", "no JSON of a token"},
		"a server error": {503, "busy", "answered 503"},
		"a redirect":     {302, "", "answered 302, and a redirect is not followed"},
		"no bearer":      {200, `{"access_token":"x","token_type":"N_A"}`, `type "N_A"`},
		"no type":        {200, `{"access_token":"x"}`, `type ""`},
		"no token":       {200, `{"token_type":"Bearer"}`, "what cannot be a token"},
		"a header in it": {200, `{"access_token":"a\r\nX: y","token_type":"Bearer"}`, "what cannot be a token"},
		"too much":       {200, strings.Repeat(" ", 70<<10), "more than 64 KiB"},
		"wrong types":    {200, `{"access_token":1}`, "no JSON of a token"},
	} {
		e := newEndpoint(t, tt.status, tt.answer)
		x, err := credential.NewExchange(credential.ExchangeRequest{Endpoint: e.URL, Transport: http.DefaultTransport,
			Subject: func(context.Context) (string, error) { return "subject.token", nil }})
		if err != nil {
			t.Fatal(err)
		}
		store, err := credential.NewStore(nil, credential.Entry{Source: "https://a.test", Exchange: x})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, ok, err := store.For(t.Context(), "https://a.test")
			if ok || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "subject.token") {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		}
		if n := e.asked.Load(); n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
	for _, bad := range []string{"http://sts.test/token", "https://u:p@sts.test", ""} {
		if _, err := credential.NewExchange(credential.ExchangeRequest{Endpoint: bad}); err == nil {
			t.Errorf("%q is an endpoint", bad)
		}
	}
}

// An endpoint that never answers does not hold up more than the question.
func TestExchangeHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	x, err := credential.NewExchange(credential.ExchangeRequest{Endpoint: server.URL, Transport: http.DefaultTransport,
		Subject: func(context.Context) (string, error) { return "subject", nil }})
	if err != nil {
		t.Fatal(err)
	}
	store, err := credential.NewStore(nil, credential.Entry{Source: "https://a.test", Exchange: x})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, _, err := store.For(ctx, "https://a.test"); err == nil || !strings.Contains(err.Error(), "in time") {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
}

func FuzzTokenAnswer(f *testing.F) {
	f.Add(200, `{"access_token":"a","token_type":"bearer","expires_in":"3600"}`)
	f.Add(400, `{"error":"x","error_description":"\u0000"}`)
	f.Add(200, `{"access_token":"a","token_type":"Bearer","expires_in":1e300}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		c, life, err := credential.ParseToken(status, []byte(body))
		if err == nil && (c.Kind() != credential.Bearer || life < 0) {
			t.Errorf("%v, %v", c, life)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b\x00") {
			t.Errorf("%q", err)
		}
	})
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer request-token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Query().Get("audience") == "empty":
			_, _ = io.WriteString(w, "{}")
		default:
			_, _ = io.WriteString(w, `{"value":"for.`+r.URL.Query().Get("audience")+"."+r.URL.Query().Get("api-version")+`"}`)
		}
	}))
	defer server.Close()
	ask := func(address, token, audience string) (string, error) {
		return credential.GitHub(address, token, audience, http.DefaultTransport, "agent")(t.Context())
	}
	if got, err := ask(server.URL+"/t?api-version=2", "request-token", "a b&c"); err != nil || got != "for.a b&c.2" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range [][3]string{{server.URL, "wrong-token", ""}, {server.URL, "request-token", "empty"}, {"http://evil.test", "request-token", ""},
		{"https://u:p@evil.test", "request-token", ""}, {server.URL, "request\ntoken", ""}} {
		if got, err := ask(bad[0], bad[1], bad[2]); err == nil || strings.Contains(err.Error(), "token-") || got != "" {
			t.Errorf("%v: %q, %v", bad, got, err)
		}
	}
}
