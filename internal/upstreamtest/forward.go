package upstreamtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// ForwardProxyOptions say how a forward proxy behaves. The zero value lets everybody reach everything.
type ForwardProxyOptions struct {
	// User and Password are asked for by Basic authentication (407) where User is not empty.
	User, Password string
	// Allow tells which hosts may be reached; others get 403. Nil allows all.
	Allow func(host string) bool
	// Intercept opens the TLS of every tunnel with leaves of this authority and speaks TLS with the upstream itself.
	// Nil passes bytes through.
	Intercept *CA
}

// ForwardProxy is what companies have in front of the Internet: CONNECT, and requests with absolute addresses.
type ForwardProxy struct {
	w         *World
	opts      ForwardProxyOptions
	addr      string
	transport *http.Transport
	absolute  *httputil.ReverseProxy
	tunnels   sync.WaitGroup

	mu                 sync.Mutex
	connects, forwards []string
}

// ForwardProxy starts a proxy on loopback that reaches the world, a Fence notwithstanding.
func (w *World) ForwardProxy(tb testing.TB, opts ForwardProxyOptions) *ForwardProxy {
	tb.Helper()
	p := &ForwardProxy{w: w, opts: opts, transport: w.transport(w.dialOpen)}
	p.absolute = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		Transport:     p.transport,
		FlushInterval: -1,
		ErrorLog:      silentLog(),
		ErrorHandler:  func(rw http.ResponseWriter, _ *http.Request, _ error) { badGateway(rw) },
	}
	// after the server's own end, which ends the tunnels
	tb.Cleanup(func() {
		p.tunnels.Wait()
		p.transport.CloseIdleConnections()
	})
	p.addr = start(tb, p, nil)
	return p
}

// URL is the proxy's address as HTTPS_PROXY wants it, with the credentials where it asks for them.
func (p *ForwardProxy) URL() string {
	u := url.URL{Scheme: "http", Host: p.addr}
	if p.opts.User != "" {
		u.User = url.UserPassword(p.opts.User, p.opts.Password)
	}
	return u.String()
}

// Connects are the host:port of the tunnels that were asked for with valid credentials, refused hosts included, in order.
func (p *ForwardProxy) Connects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.connects)
}

// Forwards are the requests with an absolute address, with valid credentials, as "GET http://host/path", in order.
func (p *ForwardProxy) Forwards() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.forwards)
}

// ServeHTTP answers one request of a client.
func (p *ForwardProxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if p.opts.User != "" {
		as := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
		if user, password, ok := as.BasicAuth(); !ok || user != p.opts.User || password != p.opts.Password {
			rw.Header().Set("Proxy-Authenticate", `Basic realm="upstreamtest"`)
			http.Error(rw, "Proxy Authentication Required", http.StatusProxyAuthRequired)
			return
		}
	}
	connect := r.Method == http.MethodConnect
	if !connect && !r.URL.IsAbs() {
		http.Error(rw, "this is a forward proxy", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	if connect {
		p.connects = append(p.connects, r.Host)
	} else {
		p.forwards = append(p.forwards, r.Method+" "+r.URL.String())
	}
	p.mu.Unlock()
	if host := r.URL.Hostname(); p.opts.Allow != nil && !p.opts.Allow(host) {
		http.Error(rw, "the proxy does not allow this host", http.StatusForbidden)
		return
	}
	if connect {
		p.tunnel(rw, r)
	} else {
		p.absolute.ServeHTTP(rw, r)
	}
}

func (p *ForwardProxy) tunnel(rw http.ResponseWriter, r *http.Request) {
	p.tunnels.Add(1)
	defer p.tunnels.Done()
	up, err := p.w.dialOpen(r.Context(), "tcp", r.Host)
	if err != nil {
		badGateway(rw)
		return
	}
	defer up.Close()
	client, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		badGateway(rw)
		return
	}
	defer client.Close()
	ctx := r.Context() // after the hijack it ends with the test only
	defer context.AfterFunc(ctx, func() {
		client.Close()
		up.Close()
	})()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	if p.opts.Intercept != nil {
		up.Close()
		p.intercept(ctx, tunnelConn{client, buffered}, r.Host)
		return
	}
	var back sync.WaitGroup
	back.Go(func() { pass(client, up) })
	pass(up, buffered)
	back.Wait()
}

// intercept answers the client's handshake in the name of the host it wants, and asks the upstream in its place.
func (p *ForwardProxy) intercept(ctx context.Context, client net.Conn, target string) {
	host, _, _ := net.SplitHostPort(target)
	tc := tls.Server(client, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		name := hello.ServerName
		if name == "" {
			name = host
		}
		cert, err := p.opts.Intercept.leaf(time.Now().Add(-time.Hour), []string{name})
		return &cert, err
	}})
	defer tc.Close()
	for in := bufio.NewReader(tc); ; {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		req.URL.Scheme, req.URL.Host, req.RequestURI = "https", target, ""
		resp, err := p.transport.RoundTrip(req.WithContext(ctx))
		if err != nil {
			resp = &http.Response{StatusCode: http.StatusBadGateway, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, Close: true}
		}
		err = resp.Write(tc)
		resp.Body.Close()
		if err != nil || req.Close || resp.Close {
			return
		}
	}
}

// dialOpen is Dial as from the other side of the Fence.
func (w *World) dialOpen(ctx context.Context, network, addr string) (net.Conn, error) {
	return w.dial(ctx, network, addr, open)
}

// pass copies until one side ends, and tells the other side that no more comes.
func pass(to io.Writer, from io.Reader) {
	_, _ = io.Copy(to, from)
	if c, ok := to.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// tunnelConn reads what the server had already read before the hijack first.
type tunnelConn struct {
	net.Conn
	in io.Reader
}

func (c tunnelConn) Read(b []byte) (int, error) { return c.in.Read(b) }

func badGateway(rw http.ResponseWriter) {
	http.Error(rw, "the proxy cannot reach this host", http.StatusBadGateway)
}
