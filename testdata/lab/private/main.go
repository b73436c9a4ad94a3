// Command private plays private sources on loopback: module proxies and registries that relay the official ones to whoever
// shows what each of them wants, a token endpoint, and a host that asks for nothing. It prints "NAME ADDRESS" for each.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

var (
	dir      = flag.String("dir", ".", "where ca.pem, client.pem, client.key and log are written")
	upstream = map[string]*string{"/go": flag.String("go", "", "the module proxy that is relayed"), "/npm": flag.String("npm", "", "the registry that is relayed")}
)

func main() {
	flag.Parse()
	env := os.Getenv
	authority, key, err := issue(nil, nil, true)
	check(err)
	leaf, leafKey, err := issue(authority, key, false)
	check(err)
	server := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}
	client, clientKey, err := issue(authority, key, false)
	check(err)
	der, err := x509.MarshalPKCS8PrivateKey(clientKey)
	check(err)
	write("ca.pem", "CERTIFICATE", authority.Raw)
	write("client.pem", "CERTIFICATE", client.Raw)
	write("client.key", "PRIVATE KEY", der)
	seen, err := os.OpenFile(filepath.Join(*dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	check(err)
	pool := x509.NewCertPool()
	pool.AddCert(authority)

	header := func(name, value string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Header.Get(name) == value }
	}
	wants := []struct {
		name string
		good func(*http.Request) bool
	}{
		{"elsewhere", func(*http.Request) bool { return true }},
		{"basic", func(r *http.Request) bool {
			user, password, ok := r.BasicAuth()
			return ok && user == "ci" && password == env("CORP_PASSWORD")
		}},
		{"token", header("Authorization", "Bearer "+env("CORP_TOKEN"))},
		{"key", header("X-Key", env("CORP_KEY"))},
		{"mtls", func(r *http.Request) bool { return len(r.TLS.PeerCertificates) > 0 }},
		{"oidc", header("Authorization", "Bearer "+env("EXCHANGED"))},
		{"hop", header("X-Key", env("CORP_KEY"))},
	}
	var mu sync.Mutex
	var last sync.WaitGroup
	addresses := map[string]string{}
	for _, w := range wants {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		addresses[w.name] = "https://" + ln.Addr().String()
		handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			good := w.good(r)
			mu.Lock()
			fmt.Fprintf(seen, "%s %v %s authorization=%q key=%q certificate=%v\n", w.name, good, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("X-Key"), len(r.TLS.PeerCertificates) > 0)
			mu.Unlock()
			switch {
			case w.name == "oidc" && r.URL.Path == "/identity":
				if r.Header.Get("Authorization") == "Bearer "+env("REQUEST_TOKEN") {
					fmt.Fprintf(rw, `{"value": %q}`, env("IDENTITY")+"."+r.URL.Query().Get("audience"))
				}
			case w.name == "oidc" && r.URL.Path == "/token":
				if r.Method == http.MethodPost && r.PostFormValue("subject_token") == env("IDENTITY")+".corp" && r.PostFormValue("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange" {
					fmt.Fprintf(rw, `{"access_token": %q, "token_type": "Bearer", "expires_in": 3600}`, env("EXCHANGED"))
				} else {
					rw.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(rw, `{"error": "invalid_grant"}`)
				}
			case !good:
				http.Error(rw, "who is "+r.Header.Get("Authorization")+r.Header.Get("X-Key")+"?", http.StatusUnauthorized)
			case w.name == "hop":
				http.Redirect(rw, r, addresses["elsewhere"]+r.URL.Path, http.StatusFound)
			default:
				relay(rw, r, addresses[w.name])
			}
		})
		s := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}}
		last.Go(func() { check(s.ServeTLS(ln, "", "")) })
	}
	for _, w := range wants {
		fmt.Println(w.name, addresses[w.name])
	}
	last.Wait()
}

// relay answers with what the official source has; addresses of tarballs become our own.
func relay(w http.ResponseWriter, r *http.Request, own string) {
	for prefix, base := range upstream {
		rest, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix+"/")
		if !ok {
			continue
		}
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, *base+"/"+rest, nil)
		check(err)
		request.Header.Set("Accept", r.Header.Get("Accept"))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			http.Error(w, "upstream", http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			http.Error(w, "upstream", http.StatusBadGateway)
			return
		}
		if prefix == "/npm" && strings.Contains(response.Header.Get("Content-Type"), "json") {
			body = bytes.ReplaceAll(body, []byte(*base+"/"), []byte(own+"/npm/"))
		}
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(body)
		return
	}
	http.NotFound(w, r)
}

func issue(parent *x509.Certificate, signer *ecdsa.PrivateKey, authority bool) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "private " + serial.String()}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: authority, KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if authority {
		template.KeyUsage, template.ExtKeyUsage, template.IPAddresses, parent, signer = x509.KeyUsageCertSign, nil, nil, template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func write(name, kind string, der []byte) {
	check(os.WriteFile(filepath.Join(*dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
