// Labnet is one HTTPS and HTTP server that plays any number of hosts, told apart by SNI and Host.
// It makes a throw-away certificate authority at start and signs a certificate per host on demand.
//
// The rules file holds one host per line: a name and its actions, separated by blanks. It is read anew for each request,
// so that a test changes the Internet by writing it.
//
//	gomod[=/prefix]  pass on to the module proxy given by -gomod, after cutting the prefix
//	npm              pass on to the registry given by -npm
//	status=503       answer this status (with body=, if given)
//	body=TEXT        answer 200 with this text (no blanks in it), whatever the path
//	delay=200ms      wait before answering
//	rst              reset the connection in the TLS handshake
//	hang             accept, then say nothing in the TLS handshake for ten minutes
//	badcert          present a certificate that expired an hour ago
package main

import (
	"bufio"
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

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template("goproxy lab CA")
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

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-48 * time.Hour),
		NotAfter:     time.Now().Add(240 * time.Hour),
	}
}

func (a *authority) certificate(host string, expired bool) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := fmt.Sprint(host, " ", expired)
	if c := a.issued[id]; c != nil {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template(host)
	t.DNSNames = []string{host}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if expired {
		t.NotAfter = time.Now().Add(-time.Hour)
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
	rulesFile  string
	ca         *authority
	gomod, npm *url.URL
}

func (l *lab) rule(host string) (rule, bool) {
	rules, err := readRules(l.rulesFile)
	if err != nil {
		fmt.Println("rules:", err)
	}
	r, ok := rules[host]
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
	return l.ca.certificate(hello.ServerName, r.has("badcert"))
}

func (l *lab) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	start := time.Now()
	host := req.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	r, _ := l.rule(host)
	if d, err := time.ParseDuration(r["delay"]); err == nil {
		time.Sleep(d)
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
	case r.has("gomod"):
		did = l.gomod.Host
		forward(w, req, l.gomod, r["gomod"])
	case r.has("npm"):
		did = l.npm.Host
		forward(w, req, l.npm, "")
	case r.has("body"):
		did = "body"
		fmt.Fprintln(w, r["body"])
	default:
		http.NotFound(w, req)
	}
	fmt.Printf("%s %s %s %s -> %s %v\n", req.RemoteAddr, req.Method, host, req.URL.Path, did, time.Since(start).Round(time.Millisecond))
}

func forward(w http.ResponseWriter, req *http.Request, to *url.URL, prefix string) {
	p := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Path = strings.TrimPrefix(p.Out.URL.Path, prefix)
		p.Out.URL.RawPath = ""
		p.SetURL(to)
		p.Out.Host = to.Host
	}}
	p.ServeHTTP(w, req)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("labnet: ")
	listen := flag.String("listen", "127.0.0.1", "address to listen on, ports 80 and 443")
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
	if l.ca, err = newAuthority(); err != nil {
		log.Fatal(err)
	}
	if err = os.WriteFile(*caFile, l.ca.pem(), 0o644); err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.ListenAndServe(net.JoinHostPort(*listen, "80"), l)) }()
	s := &http.Server{
		Addr:      net.JoinHostPort(*listen, "443"),
		Handler:   l,
		TLSConfig: &tls.Config{GetCertificate: l.getCertificate},
	}
	fmt.Println("up")
	log.Fatal(s.ListenAndServeTLS("", ""))
}
