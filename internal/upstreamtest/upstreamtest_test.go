package upstreamtest

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	uuid        = "github.com/google/uuid"
	uuidModHash = "h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=" // of the real one
)

var plain = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello "+r.Host) })

// soon is a limit for what fails by it however slow the machine is.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// client talks to Start's servers and leaves no connection behind.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// download asks the real go for one module in an empty directory with an environment of its own.
func download(t *testing.T, env ...string) (sum, modSum string, err error) {
	t.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), goTool, "mod", "download", "-json", uuid+"@v1.6.0")
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{
		"PATH=" + filepath.Dir(goTool), "GOPATH=" + home, "GOMODCACHE=" + filepath.Join(home, "mod"),
		"GOCACHE=" + filepath.Join(home, "cache"), "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local", "GOENV=off", // without HOME there is no telemetry, whose child outlives go
	}, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, runErr := cmd.Output()
	var answer struct{ Sum, GoModSum, Error string }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("go said %q, %q: %v", out, &stderr, err)
	}
	if answer.Error != "" {
		return "", "", errors.New(answer.Error)
	}
	return answer.Sum, answer.GoModSum, runErr
}

func TestModuleProxyServesTheRealGo(t *testing.T) {
	t.Parallel()
	proxy := NewModuleProxy(t, ModuleProxyOptions{})
	relay := Start(t, proxy)
	noRelay := NewModuleProxy(t, ModuleProxyOptions{NoSumDB: true})
	zip, mod := proxy.Sum(uuid, "v1.6.0")
	if mod != uuidModHash {
		t.Errorf("go.mod has hash %s, want the real one's %s", mod, uuidModHash)
	}
	cases := map[string]struct{ proxy, sumdb, fails string }{
		"database by its address": {relay, proxy.VerifierKey() + " " + relay + "/sumdb/sum.test", ""},
		"database by the relay":   {relay, proxy.VerifierKey(), ""},
		"database alone":          {Start(t, noRelay), noRelay.VerifierKey() + " " + Start(t, noRelay.SumDB()), ""},
		"no relay":                {Start(t, noRelay), noRelay.VerifierKey(), "sum.test"},
		"another log's key":       {relay, noRelay.VerifierKey(), "no verifiable signatures"},
		"tampered":                {Start(t, Tamper(proxy)), proxy.VerifierKey(), "SECURITY ERROR"},
		"status":                  {Start(t, Status(http.StatusForbidden)), proxy.VerifierKey(), "403 Forbidden"},
		"truncated":               {Start(t, Truncate(proxy)), proxy.VerifierKey(), "unexpected"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// a forward proxy that does not answer keeps go from the real network
			z, m, err := download(t, "GOPROXY="+c.proxy, "GOSUMDB="+c.sumdb, "HTTPS_PROXY=http://127.0.0.1:1")
			switch {
			case c.fails == "" && err != nil:
				t.Fatal(err)
			case c.fails == "" && (z != zip || m != mod):
				t.Errorf("go has sums %s, %s; want %s, %s", z, m, zip, mod)
			case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
				t.Errorf("go says %v, want an error with %q", err, c.fails)
			}
		})
	}
}

func TestRealGoThroughForwardProxy(t *testing.T) {
	t.Parallel()
	w, proxy := NewWorld(t), NewModuleProxy(t, ModuleProxyOptions{})
	w.Serve("official.test", proxy)
	w.Fence(false)
	spy := NewCA(t)
	cases := map[string]struct {
		opts ForwardProxyOptions
		ca   *CA
		want string
	}{
		"credentials": {ForwardProxyOptions{User: "ci", Password: "p@ss/word"}, w.CA, ""},
		"intercepted": {ForwardProxyOptions{Intercept: spy}, spy, ""},
		"not trusted": {ForwardProxyOptions{Intercept: spy}, w.CA, "certificate"},
		"not allowed": {ForwardProxyOptions{Allow: func(string) bool { return false }}, w.CA, "Forbidden"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fp := w.ForwardProxy(t, c.opts)
			roots := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(roots, c.ca.PEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := download(t, "GOPROXY=https://official.test", "GOSUMDB="+proxy.VerifierKey(),
				"HTTPS_PROXY="+fp.URL(), "SSL_CERT_FILE="+roots, "SSL_CERT_DIR="+t.TempDir())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("go says %v, want an error with %q", err, c.want)
			}
			if got := slices.Compact(fp.Connects()); !slices.Equal(got, []string{"official.test:443"}) {
				t.Errorf("tunnels to %q, want official.test:443 alone", got)
			}
		})
	}
}

func TestModuleProxyProtocol(t *testing.T) {
	t.Parallel()
	base := Start(t, NewModuleProxy(t, ModuleProxyOptions{Modules: map[string]map[string]string{
		"example.test/Upper@v1.10.0": {"a.go": "package a\n"},
		"example.test/Upper@v1.9.0":  {"a.go": "package a\n"},
	}}))
	for path, want := range map[string]struct {
		code int
		body string
	}{
		"/example.test/!upper/@v/list":                     {200, "v1.9.0\nv1.10.0\n"},
		"/example.test/!upper/@latest":                     {200, `{"Version":"v1.10.0","Time":"2023-11-14T22:13:20Z"}` + "\n"},
		"/example.test/!upper/@v/v1.9.0.info":              {200, `{"Version":"v1.9.0","Time":"2023-11-14T22:13:20Z"}` + "\n"},
		"/example.test/!upper/@v/v1.9.0.mod":               {200, "module example.test/Upper\n"},
		"/example.test/!upper/@v/v2.0.0.mod":               {404, "not found: no such version\n"},
		"/example.test/!upper/@v/":                         {404, "not found: no such version\n"},
		"/example.test/other/@v/list":                      {404, "not found: no such module\n"},
		"/":                                                {404, "not found: no such module\n"},
		"/sumdb/sum.test/supported":                        {200, ""},
		"/sumdb/other.test/supported":                      {404, "404 page not found\n"},
		"/sumdb/sum.test/lookup/example.test/other@v1.0.0": {404, "file does not exist\n"},
	} {
		if code, body := get(t, client(t), base+path); code != want.code || body != want.body {
			t.Errorf("%s: got %d %q, want %d %q", path, code, body, want.code, want.body)
		}
	}
}

func TestWorld(t *testing.T) {
	t.Parallel()
	w := NewWorld(t)
	for _, h := range []string{"good.test", "Refused.test.", "silent.test", "hole.test", "mute.test"} {
		w.Serve(h, plain)
	}
	w.ServeTLS("old.test", w.CA.Expired("old.test"), plain)
	w.Refuse("refused.test")
	w.Silent("silent.test")
	w.Hole("hole.test")
	w.Mute("mute.test")
	w.Answer("inside.test", netip.MustParseAddr("10.0.0.7"))
	c := w.Client()

	for _, address := range []string{"https://good.test/a?b=c", "http://GOOD.test./"} {
		if code, body := get(t, c, address); code != 200 || !strings.HasPrefix(body, "hello ") {
			t.Errorf("%s: %d %q", address, code, body)
		}
	}
	if diff := cmp.Diff([]string{"GET /a?b=c", "GET /"}, w.Requests("good.test")); diff != "" || w.Hits("good.test") != 2 {
		t.Error(diff)
	}

	addrs, err := w.Resolve(t.Context(), "good.test")
	if err != nil || len(addrs) != 1 || !played[0].Contains(addrs[0]) {
		t.Fatalf("good.test is %v, %v", addrs, err)
	}
	to := netip.AddrPortFrom(addrs[0], 443).String()
	byAddr, err := w.Dial(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	if got := byAddr.RemoteAddr().String(); got != to {
		t.Errorf("connected to %s, want %s", got, to)
	}
	byAddr.Close()

	var notFound *net.DNSError
	if _, err := w.Resolve(t.Context(), "nowhere.test"); !errors.As(err, &notFound) || !notFound.IsNotFound {
		t.Errorf("nowhere.test: %v", err)
	}
	fails := map[string]error{
		"refused.test:443": syscall.ECONNREFUSED, "good.test:8443": syscall.ECONNREFUSED, "old.test:80": syscall.ECONNREFUSED,
		"inside.test:443": syscall.ECONNREFUSED, "10.0.0.7:443": syscall.ECONNREFUSED, "198.18.0.1:443": syscall.EHOSTUNREACH,
		"hole.test:443": context.DeadlineExceeded, "mute.test:443": context.DeadlineExceeded,
	}
	for addr, want := range fails {
		ctx := t.Context()
		if errors.Is(want, context.DeadlineExceeded) {
			ctx = soon(t)
		}
		var op *net.OpError
		if _, err := w.Dial(ctx, "tcp", addr); !errors.Is(err, want) || !errors.As(err, &op) {
			t.Errorf("%s: got %v, want %v", addr, err, want)
		}
	}
	req, _ := http.NewRequestWithContext(soon(t), http.MethodGet, "http://silent.test/", nil)
	if _, err := c.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent.test: %v", err)
	}
	var invalid x509.CertificateInvalidError
	if _, err := c.Get("https://old.test/"); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("old.test: %v", err)
	}

	hosts := []string{"198.18.0.1", "good.test", "hole.test", "inside.test", "mute.test", "old.test", "refused.test", "silent.test"}
	if diff := cmp.Diff(hosts, w.Hosts()); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(w.Resolved(), "nowhere.test") {
		t.Errorf("resolved %q, want nowhere.test among them", w.Resolved())
	}
	w.Fence(true)
	if _, err := w.Dial(soon(t), "tcp", "good.test:443"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind the fence: %v", err)
	}
}

func TestForwardProxy(t *testing.T) {
	t.Parallel()
	w := NewWorld(t)
	w.Serve("good.test", plain)
	fp := w.ForwardProxy(t, ForwardProxyOptions{User: "ci", Password: "s3cret", Allow: func(h string) bool { return h != "bad.test" }})
	through := func(proxy string) *http.Client {
		u, err := url.Parse(proxy)
		if err != nil {
			t.Fatal(err)
		}
		tr := w.transport(w.Dial)
		tr.Proxy = http.ProxyURL(u)
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	known, stranger := through(fp.URL()), through(strings.Replace(fp.URL(), "s3cret", "wrong", 1))
	for address, want := range map[string]int{"http://good.test/": 200, "https://good.test/": 200, "http://bad.test/": 403, "http://gone.test/": 502} {
		if code, _ := get(t, known, address); code != want {
			t.Errorf("%s: %d, want %d", address, code, want)
		}
	}
	if code, _ := get(t, stranger, "http://good.test/"); code != http.StatusProxyAuthRequired {
		t.Errorf("wrong password: %d", code)
	}
	if _, err := stranger.Get("https://good.test/"); err == nil || !strings.Contains(err.Error(), "Proxy Authentication Required") {
		t.Errorf("wrong password: %v", err)
	}
	if diff := cmp.Diff([]string{"good.test:443"}, fp.Connects()); diff != "" {
		t.Error(diff)
	}
	if got := fp.Forwards(); len(got) != 3 || !slices.Contains(got, "GET http://good.test/") {
		t.Errorf("forwarded %q", got)
	}
	if diff := cmp.Diff([]string{"gone.test", "good.test"}, w.Hosts()); diff != "" {
		t.Error(diff)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	fetch := func(ctx context.Context, h http.Handler) (*http.Response, []byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, Start(t, h)+"/x.mod", nil)
		if err != nil {
			t.Fatal(err)
		}
		c := client(t)
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := c.Do(req)
		if err != nil {
			return nil, nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp, body, err
	}
	body := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "module x\n") })

	for name, c := range map[string]struct {
		h    http.Handler
		want error
		got  string
	}{
		"slow":     {Slow(time.Minute, body), context.DeadlineExceeded, ""},
		"silence":  {Silence(), context.DeadlineExceeded, ""},
		"truncate": {Truncate(body), io.ErrUnexpectedEOF, "modu"},
		"reset":    {Reset(), syscall.ECONNRESET, ""},
		"tamper":   {Tamper(body), nil, "module x\n// tampered\n"},
		"quick":    {Slow(0, body), nil, "module x\n"},
	} {
		ctx := t.Context()
		if errors.Is(c.want, context.DeadlineExceeded) {
			ctx = soon(t)
		}
		if _, got, err := fetch(ctx, c.h); !errors.Is(err, c.want) || string(got) != c.got {
			t.Errorf("%s: got %q, %v; want %q, %v", name, got, err, c.got, c.want)
		}
	}
	if resp, page, err := fetch(t.Context(), CaptivePortal()); err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("<html>")) {
		t.Errorf("captive portal: %v %q %v", resp, page, err)
	}
	if resp, _, err := fetch(t.Context(), RedirectPortal("http://portal.test/")); err != nil || resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "http://portal.test/" {
		t.Errorf("redirect portal: %v %v", resp, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, Start(t, Stall(body)), nil)
	resp, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 4)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "modu" || resp.ContentLength != 9 {
		t.Errorf("stall: %q %v", first, err)
	}
	cancel()
	if _, err := resp.Body.Read(first); !errors.Is(err, context.Canceled) {
		t.Errorf("stall: %v after the first half", err)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	c := client(t)
	var manifest struct {
		Name string
		Dist struct{ Integrity, Tarball string }
	}
	read := func(address string) {
		t.Helper()
		code, body := get(t, c, address)
		if err := json.Unmarshal([]byte(body), &manifest); err != nil || code != 200 {
			t.Fatalf("%s: %d %q", address, code, body)
		}
	}
	read(Start(t, NewRegistry(t)) + "/is-number/7.0.0")
	if !strings.HasPrefix(manifest.Dist.Integrity, "sha512-41Cifkg6e8Ty") {
		t.Errorf("is-number has integrity %s", manifest.Dist.Integrity)
	}

	reg := NewRegistry(t, Package{Name: "@org/x", Version: "1.0.0"}, Package{Name: "@org/x", Version: "1.1.0"})
	base := Start(t, reg)
	read(base + "/@org%2fx/latest")
	if manifest.Dist.Integrity != reg.Integrity("@org/x", "1.1.0") || manifest.Dist.Tarball != base+"/@org/x/-/x-1.1.0.tgz" {
		t.Errorf("got %+v", manifest)
	}
	if code, body := get(t, c, base+"/@org/x"); code != 200 || !strings.Contains(body, `"dist-tags":{"latest":"1.1.0"}`) || !strings.Contains(body, `"1.0.0":{`) {
		t.Errorf("packument: %d %s", code, body)
	}
	if code, body := get(t, c, manifest.Dist.Tarball); code != 200 || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("tarball: %d", code)
	}
	if code, _ := get(t, c, base+"/other"); code != 404 {
		t.Errorf("other: %d", code)
	}
	read(Start(t, Tamper(reg)) + "/@org/x/1.1.0")
	if manifest.Dist.Integrity == reg.Integrity("@org/x", "1.1.0") {
		t.Error("a tampered registry claims the true integrity")
	}
}

func TestGitHubAPI(t *testing.T) {
	t.Parallel()
	g := NewGitHubAPI(t)
	g.Token = "t0ken"
	content := strings.Repeat("registry=https://official.test\n", 9)
	g.SetFile("c0ffee", "web/.npmrc", content)
	g.SetFile("c0ffee", "large.json", strings.Repeat("x", 1<<20))
	g.SetChanged(7, "a", "b", "c")
	g.SetCompare("base", "head", "go.sum")
	base := Start(t, g) + "/repos/o/r"
	call := func(path, accept string) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer t0ken")
		req.Header.Set("Accept", accept)
		resp, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	if code, _ := get(t, client(t), base+"/pulls/7/files"); code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", code)
	}
	if resp, body := call("/contents/web/.npmrc?ref=c0ffee", "application/vnd.github.raw+json"); resp.StatusCode != http.StatusOK || body != content {
		t.Errorf("raw: %d %q", resp.StatusCode, body)
	}
	var file struct {
		Encoding, Content, Path string
		Size                    int
	}
	_, body := call("/contents/web/.npmrc?ref=c0ffee", "application/vnd.github+json")
	if err := json.Unmarshal([]byte(body), &file); err != nil {
		t.Fatal(err)
	}
	if got, err := base64.StdEncoding.DecodeString(file.Content); err != nil || string(got) != content || file.Encoding != "base64" {
		t.Errorf("json: %+v %v", file, err)
	}
	_, body = call("/contents/large.json?ref=c0ffee", "application/vnd.github+json")
	if err := json.Unmarshal([]byte(body), &file); err != nil || file.Encoding != "none" || file.Content != "" || file.Size != 1<<20 {
		t.Errorf("large: %+v %v", file, err)
	}
	for path, want := range map[string]int{
		"/contents/web/.npmrc?ref=other": 404, "/pulls/8/files": 404, "/compare/head...base": 404, "/compare/base...head": 200,
	} {
		if resp, _ := call(path, ""); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	var names []string
	for page, want := range []string{`<` + base + `/pulls/7/files?page=2&per_page=2>; rel="next"`, ""} {
		resp, body := call("/pulls/7/files?per_page=2&page="+strconv.Itoa(page+1), "")
		if link := resp.Header.Get("Link"); !strings.HasPrefix(link, want) || (want == "") != (link == "") {
			t.Errorf("page %d links to %q", page+1, link)
		}
		var list []struct{ Filename string }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			names = append(names, f.Filename)
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, names); diff != "" {
		t.Error(diff)
	}
	if g.Hits() != 10 || g.Requests()[0] != "GET /repos/o/r/pulls/7/files" {
		t.Errorf("counted %d: %q", g.Hits(), g.Requests())
	}
}

// What lies far away takes a round trip for each step, and ends like any other.
func TestFar(t *testing.T) {
	t.Parallel()
	const trip = 30 * time.Millisecond
	w := NewWorld(t)
	w.Serve("a.test", Status(http.StatusTeapot))
	resolve, dial := w.Far(trip)
	took := func(what string, do func()) {
		began := time.Now()
		if do(); time.Since(began) < trip {
			t.Errorf("%s took %v", what, time.Since(began))
		}
	}
	took("a name", func() {
		if addrs, err := resolve(t.Context(), "a.test"); err != nil || len(addrs) != 1 {
			t.Errorf("%v, %v", addrs, err)
		}
	})
	var c net.Conn
	var err error
	took("a connection", func() { c, err = dial(t.Context(), "tcp", "a.test:80") })
	if err != nil {
		t.Fatal(err)
	}
	took("a question", func() {
		_, _ = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		if all, err := io.ReadAll(c); err != nil || !strings.Contains(string(all), "418") {
			t.Errorf("%q, %v", all, err)
		}
	})
	c.Close()
	if c, err = dial(t.Context(), "tcp", "a.test:80"); err != nil {
		t.Fatal(err)
	}
	go c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a closed connection gives something")
	}
	if _, err := dial(t.Context(), "tcp", "nobody.test:80"); err == nil {
		t.Error("nobody is there")
	}
}
