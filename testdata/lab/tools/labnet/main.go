// Labnet is one HTTPS and HTTP server that plays any number of hosts, told apart by SNI and Host.
// It makes throw-away certificate authorities at start and signs a certificate per host on demand.
//
// The rules file holds one host per line: a name and its actions, separated by blanks; the name * is every other host. It
// is read anew for each request, so that a test changes the Internet by writing it.
//
//	gomod[=/prefix]  pass on to the module proxy given by -gomod, after cutting the prefix
//	sumdb            pass on to the checksum database behind that proxy
//	npm              pass on to the registry given by -npm
//	norelay          404 for the checksum database's part of a module proxy
//	tamper           a line more in every go.mod
//	status=503       answer this status (with body=, if given)
//	body=TEXT        answer 200 with this text (no blanks in it), whatever the path
//	page             answer 200 with a page for people, whatever the path
//	redirect=URL     answer 302 to URL
//	delay=200ms      wait before answering
//	rst              reset the connection in the TLS handshake
//	hang             accept, then say nothing in the TLS handshake for ten minutes
//	expired          present a certificate that expired an hour ago
//	clock=24h        the host lives that much ahead of us: its certificates are valid around its now, its Date is its now
//	otherca          present a certificate of an authority that nobody knows
//	as=NAME          present the certificate of another host
//
// Where a host's address leads is the name server's affair, that is net.sh's: drop, refuse, noroute.
package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// rule maps an action to its argument, which may be empty.
type rule map[string]string

func (r rule) has(action string) bool { _, ok := r[action]; return ok }

// duration is an action's argument; 0 where there is none that can be read.
func (r rule) duration(action string) time.Duration {
	d, _ := time.ParseDuration(r[action])
	return d
}

func readRules(name string) (map[string]rule, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rules := map[string]rule{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || strings.HasPrefix(words[0], "#") {
			continue
		}
		r := rule{}
		for _, action := range words[1:] {
			k, v, _ := strings.Cut(action, "=")
			r[k] = v
		}
		rules[words[0]] = r
	}
	return rules, lines.Err()
}

// authority signs the certificates of the hosts in the rules.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	mu     sync.Mutex
	issued map[string]*tls.Certificate
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// valid in every year in which a rule may put a host
	t := template(name, -10*year, 10*year)
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, issued: map[string]*tls.Certificate{}}, nil
}

const year = 365 * 24 * time.Hour

// template is valid from and to, counted from now.
func template(name string, from, to time.Duration) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(from),
		NotAfter:     time.Now().Add(to),
	}
}

// certificate is for a host that lives ahead of us. It is good for some hours around that host's now.
func (a *authority) certificate(host string, ahead time.Duration, expired bool) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := fmt.Sprint(host, ahead, expired)
	if c := a.issued[id]; c != nil {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template(host, ahead-6*time.Hour, ahead+6*time.Hour)
	t.DNSNames = []string{host}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if expired {
		t.NotAfter = time.Now().Add(ahead - time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	a.issued[id] = c
	return c, nil
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

type lab struct {
	rulesFile   string
	ca, unknown *authority
	gomod, npm  *url.URL
	memory      memory
}

func (l *lab) rule(host string) (rule, bool) {
	rules, err := readRules(l.rulesFile)
	if err != nil {
		fmt.Println("rules:", err)
	}
	r, ok := rules[host]
	if !ok {
		r, ok = rules["*"]
	}
	return r, ok
}

func (l *lab) getCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	r, ok := l.rule(hello.ServerName)
	switch {
	case !ok:
		return nil, fmt.Errorf("no such host in the rules: %q", hello.ServerName)
	case r.has("rst"):
		if c, ok := hello.Conn.(*net.TCPConn); ok {
			c.SetLinger(0)
			c.Close()
		}
		return nil, errors.New("reset")
	case r.has("hang"):
		time.Sleep(10 * time.Minute)
		return nil, errors.New("hung")
	}
	ca, name := l.ca, hello.ServerName
	if r.has("otherca") {
		ca = l.unknown
	}
	if r.has("as") {
		name = r["as"]
	}
	return ca.certificate(name, r.duration("clock"), r.has("expired"))
}

func (l *lab) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	start := time.Now()
	host := req.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	r, _ := l.rule(host)
	time.Sleep(r.duration("delay"))
	if r.has("clock") {
		w.Header().Set("Date", time.Now().Add(r.duration("clock")).UTC().Format(http.TimeFormat))
	}
	did := "not found"
	switch {
	case r.has("status"):
		did = r["status"]
		code, err := strconv.Atoi(did)
		if err != nil {
			code = http.StatusInternalServerError
		}
		w.WriteHeader(code)
		fmt.Fprintln(w, r["body"])
	case r.has("page"):
		did = "page"
		fmt.Fprintln(w, "<html><title>Welcome</title><form>Log in</form></html>")
	case r.has("redirect"):
		did = r["redirect"]
		http.Redirect(w, req, did, http.StatusFound)
	case r.has("norelay") && strings.Contains(req.URL.Path, "/sumdb/"):
		http.NotFound(w, req)
	case r.has("gomod"):
		did = l.gomod.Host
		l.forward(w, req, l.gomod, strings.TrimPrefix(req.URL.Path, r["gomod"]), r.has("tamper"))
	case r.has("sumdb"):
		did = l.gomod.Host
		l.forward(w, req, l.gomod, "/sumdb/sum.golang.org"+req.URL.Path, false)
	case r.has("npm"):
		did = l.npm.Host
		l.forward(w, req, l.npm, req.URL.Path, false)
	case r.has("body"):
		did = "body"
		fmt.Fprintln(w, r["body"])
	default:
		http.NotFound(w, req)
	}
	fmt.Printf("%s %s %s %s -> %s %v\n", req.RemoteAddr, req.Method, host, req.URL.Path, did, time.Since(start).Round(time.Millisecond))
}

func (l *lab) forward(w http.ResponseWriter, req *http.Request, to *url.URL, path string, tamper bool) {
	p := &httputil.ReverseProxy{Transport: &l.memory, Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Path, p.Out.URL.RawPath = path, ""
		p.SetURL(to)
		p.Out.Host = to.Host
	}}
	p.ModifyResponse = func(r *http.Response) error {
		r.Header.Del("Date") // ours
		if tamper && strings.HasSuffix(path, ".mod") {
			r.Body = readCloser{io.MultiReader(r.Body, strings.NewReader("\n// a line more\n")), r.Body}
			r.ContentLength = -1
			r.Header.Del("Content-Length")
		}
		return nil
	}
	p.ServeHTTP(w, req)
}

type readCloser struct {
	io.Reader
	io.Closer
}

// memory answers from memory what it has fetched before, so that what a test sees of a host is the rules' and not the
// weather's on the way to the official sources. Large answers are passed on.
type memory struct {
	mu    sync.Mutex
	known map[string]*remembered
}

type remembered struct {
	header http.Header
	body   []byte
}

func (m *memory) RoundTrip(req *http.Request) (*http.Response, error) {
	key := fmt.Sprint(req.URL, req.Header["Accept"])
	m.mu.Lock()
	k := m.known[key]
	m.mu.Unlock()
	if k != nil && req.Method == http.MethodGet && req.Header.Get("Range") == "" {
		return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: k.header.Clone(),
			Body: io.NopCloser(bytes.NewReader(k.body)), ContentLength: int64(len(k.body)), Request: req}, nil
	}
	r, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || r.StatusCode != http.StatusOK || req.Method != http.MethodGet || r.ContentLength < 0 || r.ContentLength > 1<<20 {
		return r, err
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]*remembered{}
	}
	m.known[key] = &remembered{r.Header.Clone(), body}
	return r, nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("labnet: ")
	listen := flag.String("listen", "127.0.0.1", "`addresses` to listen on, ports 80 and 443, separated by commas")
	rules := flag.String("rules", "", "rules `file`")
	caFile := flag.String("ca-out", "lab-ca.pem", "`file` to write the certificate of the authority to")
	gomod := flag.String("gomod", "", "`URL` of the module proxy behind 'gomod' hosts")
	npm := flag.String("npm", "", "`URL` of the registry behind 'npm' hosts")
	flag.Parse()

	l := &lab{rulesFile: *rules}
	var err error
	if _, err = readRules(*rules); err != nil {
		log.Fatal(err)
	}
	if l.gomod, err = url.Parse(*gomod); err != nil || l.gomod.Host == "" {
		log.Fatalf("-gomod must be a URL, not %q", *gomod)
	}
	if l.npm, err = url.Parse(*npm); err != nil || l.npm.Host == "" {
		log.Fatalf("-npm must be a URL, not %q", *npm)
	}
	if l.ca, err = newAuthority("goproxy lab CA"); err != nil {
		log.Fatal(err)
	}
	if l.unknown, err = newAuthority("an authority that nobody knows"); err != nil {
		log.Fatal(err)
	}
	if err = os.WriteFile(*caFile, l.ca.pem(), 0o644); err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	for address := range strings.SplitSeq(*listen, ",") {
		go func() { ended <- http.ListenAndServe(net.JoinHostPort(address, "80"), l) }()
		s := &http.Server{
			Addr:      net.JoinHostPort(address, "443"),
			Handler:   l,
			TLSConfig: &tls.Config{GetCertificate: l.getCertificate},
		}
		go func() { ended <- s.ListenAndServeTLS("", "") }()
	}
	fmt.Println("up")
	log.Fatal(<-ended)
}
