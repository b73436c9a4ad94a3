package egress_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

// asking is a server that asks each client for a certificate, and counts who showed one.
func asking(t *testing.T, ca *upstreamtest.CA, h http.Handler) (server *httptest.Server, shown *atomic.Int32) {
	t.Helper()
	shown = new(atomic.Int32)
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			shown.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Leaf("127.0.0.1", "proxy.test")}, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, shown
}

// A client certificate is shown to its own origin: not to where that leads, and not to a forward proxy that asks for one.
func TestCertified(t *testing.T) {
	t.Parallel()
	ca := upstreamtest.NewCA(t)
	certificate := ca.Leaf("client.test")
	other, otherShown := asking(t, ca, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	own, ownShown := asking(t, ca, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusFound)
	}))
	tunnel := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		in, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			out.Close()
			return
		}
		_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { defer out.Close(); _, _ = io.Copy(out, bufio.NewReader(buffered)) }()
		go func() { defer in.Close(); _, _ = io.Copy(in, out) }()
	})
	proxy, proxyShown := asking(t, ca, tunnel)
	way, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	ours := func(u *url.URL) bool { return "https://"+u.Host == own.URL }
	for _, via := range []*url.URL{nil, way} {
		ownShown.Store(0)
		d := &egress.Dialer{Roots: pool}
		client, free := d.Certified(via, new(egress.Trace), &certificate, ours)
		response, err := client.Get(own.URL)
		if err != nil {
			t.Fatalf("via %v: %v", via, err)
		}
		response.Body.Close()
		free()
		if ownShown.Load() != 1 || otherShown.Load() != 0 || proxyShown.Load() != 0 {
			t.Errorf("via %v: shown to the source %d times, to another %d, to the proxy %d", via, ownShown.Load(), otherShown.Load(), proxyShown.Load())
		}
	}
}
