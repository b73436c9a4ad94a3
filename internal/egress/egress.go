// Package egress resolves, judges and dials. It is the only opener of outward sockets of this program, so that the
// address that was judged is the address that is dialled.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	// ConnectTimeout is hard: no tool downstream has a useful one of its own, and a healthy path needs two round trips.
	ConnectTimeout = 2500 * time.Millisecond
	// headStart is given to an address before the next one is tried beside it (RFC 8305 recommends 250 ms).
	headStart = 250 * time.Millisecond
	// maxHeader bounds the header of an answer.
	maxHeader = 64 << 10
)

// Dialer opens connections. The zero value uses the system's resolver and certificates and allows every address.
type Dialer struct {
	// Resolve gives the addresses of a host; nil is the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Judge refuses an address by an error; nil allows all. It is asked about a source's own addresses, not about the
	// address of a forward proxy.
	Judge func(netip.Addr) error
	// Dial opens a connection to an address in numbers; nil is the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the certificates to trust; nil is the system's.
	Roots *x509.CertPool
}

// ErrRefusedAddress is what an error of DialContext wraps when Judge refused all addresses.
var ErrRefusedAddress = errors.New("address is not allowed")

// ErrInward is what an error of a Client wraps when a redirect led to a name whose addresses are all of this machine, or of
// its link alone, as that of a cloud's metadata is.
var ErrInward = errors.New("address of this machine")

// led marks the context of a request that another host's redirect has made.
type led struct{}

// inward tells whether an address is one that only this machine has, or its link.
func inward(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
}

// redirected tells whether a request is for another host than the one that the chain of redirects began with.
func redirected(r *http.Request) bool {
	first := r
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return first.URL.Hostname() != r.URL.Hostname()
}

// Trace collects what happened on the way to one source. It is safe for concurrent use; the first connection counts.
type Trace struct {
	mu                            sync.Mutex
	name, connect, tls, firstByte time.Duration
	named, connected, shaken      bool
	ips                           []string
	address                       string
	peers                         []*x509.Certificate
	proxyStatus                   int
	proxyAuth                     []string
}

// Seen is what a Trace collected.
type Seen struct {
	// Name, Connect and TLS are the durations of the steps of the first connection; FirstByte counts from the start of
	// the request to the earliest answer. Zero where a step did not happen.
	Name, Connect, TLS, FirstByte time.Duration
	// IPs are the addresses of the source in the order of dialling; empty behind a proxy.
	IPs []string
	// Address is the one of IPs that the first connection went to.
	Address string
	// Connected is true when a connection came about.
	Connected bool
	// Peers is the chain that the source (or who stands for it) showed, the leaf first.
	Peers []*x509.Certificate
	// ProxyStatus is what a forward proxy answered to CONNECT, 0 where none was asked; ProxyAuth are the schemes it
	// offered with a 407.
	ProxyStatus int
	ProxyAuth   []string
}

// Seen returns what has been collected so far.
func (t *Trace) Seen() Seen {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Seen{Name: t.name, Connect: t.connect, TLS: t.tls, FirstByte: t.firstByte, IPs: slices.Clone(t.ips), Address: t.address,
		Connected: t.connected, Peers: slices.Clone(t.peers), ProxyStatus: t.proxyStatus, ProxyAuth: slices.Clone(t.proxyAuth)}
}

func (t *Trace) locked(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// Client returns a client for one source by one way: through proxy, or directly where proxy is nil. Close frees its
// connections. What happens is written to trace.
func (d *Dialer) Client(proxy *url.URL, trace *Trace) (client *http.Client, close func()) {
	transport := d.tracedTransport(proxy, trace)
	return &http.Client{Transport: &traced{transport, trace}}, transport.CloseIdleConnections
}

// Certified is Client with a certificate that is shown to those hosts alone that only accepts, over connections of their
// own: neither to the target of a redirect nor to a forward proxy that is itself reached by TLS.
func (d *Dialer) Certified(proxy *url.URL, trace *Trace, certificate *tls.Certificate, only func(*url.URL) bool) (client *http.Client, close func()) {
	plain, shown := d.tracedTransport(proxy, trace), d.tracedTransport(proxy, trace)
	if proxy != nil && proxy.Scheme == "https" {
		own := shown.TLSClientConfig.Clone()
		// net/http asks it for the connection to the proxy, and uses TLSClientConfig within the tunnel
		shown.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			return d.dialTLS(ctx, network, address, own, trace)
		}
	}
	shown.TLSClientConfig.Certificates = []tls.Certificate{*certificate}
	pick := picking(func(r *http.Request) http.RoundTripper {
		if only(r.URL) {
			return shown
		}
		return plain
	})
	return &http.Client{Transport: &traced{pick, trace}}, func() { plain.CloseIdleConnections(); shown.CloseIdleConnections() }
}

// picking is a transport that another one stands behind for each request.
type picking func(*http.Request) http.RoundTripper

func (p picking) RoundTrip(r *http.Request) (*http.Response, error) { return p(r).RoundTrip(r) }

// dialTLS connects to a forward proxy that is reached by TLS.
func (d *Dialer) dialTLS(ctx context.Context, network, address string, config *tls.Config, trace *Trace) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address, true, trace)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
		conn.Close()
		return nil, err
	}
	config.NextProtos = nil // CONNECT is of HTTP/1
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func (d *Dialer) tracedTransport(proxy *url.URL, trace *Trace) *http.Transport {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return d.dial(ctx, network, address, proxy != nil, trace)
		},
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{RootCAs: d.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    ConnectTimeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    32, // of HTTP/1, where many questions are put at once
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
			trace.locked(func() {
				trace.proxyStatus = response.StatusCode
				trace.proxyAuth = response.Header.Values("Proxy-Authenticate")
			})
			return nil
		},
	}
	if proxy != nil {
		transport.Proxy = http.ProxyURL(proxy)
	}
	return transport
}

// Transport is a plain transport over the dialer, for requests that are no measurement. proxy is as in http.Transport.
func (d *Dialer) Transport(proxy func(*http.Request) (*url.URL, error)) http.RoundTripper {
	return &http.Transport{
		Proxy: proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return d.dial(ctx, network, address, true, new(Trace))
		},
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{RootCAs: d.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    ConnectTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// traced writes the steps of each request to a Trace.
type traced struct {
	next  http.RoundTripper
	trace *Trace
}

func (t *traced) RoundTrip(request *http.Request) (*http.Response, error) {
	start := time.Now()
	var shake time.Time
	hooks := &httptrace.ClientTrace{
		TLSHandshakeStart: func() { shake = time.Now() },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			t.trace.locked(func() {
				if err == nil && !t.trace.shaken {
					t.trace.shaken, t.trace.tls = true, time.Since(shake)
				}
				var unverified *tls.CertificateVerificationError
				if errors.As(err, &unverified) && t.trace.peers == nil {
					t.trace.peers = unverified.UnverifiedCertificates
				}
			})
		},
		GotFirstResponseByte: func() {
			t.trace.locked(func() {
				if t.trace.firstByte == 0 {
					t.trace.firstByte = time.Since(start)
				}
			})
		},
	}
	ctx := httptrace.WithClientTrace(request.Context(), hooks)
	if redirected(request) {
		ctx = context.WithValue(ctx, led{}, true)
	}
	response, err := t.next.RoundTrip(request.WithContext(ctx))
	t.trace.locked(func() {
		var unverified *tls.CertificateVerificationError
		switch {
		case err == nil && response.TLS != nil && t.trace.peers == nil:
			t.trace.peers = response.TLS.PeerCertificates
		case errors.As(err, &unverified) && t.trace.peers == nil:
			t.trace.peers = unverified.UnverifiedCertificates
		}
	})
	return response, err
}

// maxAddresses is how many addresses of a name are taken: a name server may give thousands, each of which would be dialled
// and shown. The largest mirrors have a dozen.
const maxAddresses = 32

// Addresses resolves a host, by the same resolver that dialling uses, to 32 addresses at most.
func (d *Dialer) Addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	ips, err := d.resolve(ctx, host)
	return ips[:min(len(ips), maxAddresses)], err
}

func (d *Dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	if d.Resolve != nil {
		return d.Resolve(ctx, host)
	}
	return repeatedly(ctx, func(ctx context.Context) ([]netip.Addr, error) {
		// a resolver of its own: look-ups of one name within one resolver are merged
		ips, err := new(net.Resolver).LookupNetIP(ctx, "ip", host)
		for i := range ips {
			ips[i] = ips[i].Unmap()
		}
		return ips, err
	})
}

// askAgain is when a name is asked for a second and a third time beside the first: the resolver itself asks again only
// after five seconds (resolv.conf's timeout), and one lost packet would make a network look offline.
var askAgain = [...]time.Duration{500 * time.Millisecond, time.Second}

// repeatedly asks again beside a question that stays open. The first answer wins, that there is no such name among them;
// any other error only when it is the last.
func repeatedly(ctx context.Context, question func(context.Context) ([]netip.Addr, error)) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		ips []netip.Addr
		err error
	}
	results := make(chan result, 1+len(askAgain))
	ask := func() {
		ips, err := question(ctx)
		results <- result{ips, err}
	}
	go ask()
	start, open := time.Now(), 1
	timer := time.NewTimer(askAgain[0])
	defer timer.Stop()
	for again := 0; ; {
		select {
		case r := <-results:
			if open--; r.err == nil || open == 0 || unknownName(r.err) {
				return r.ips, r.err
			}
		case <-timer.C:
			go ask()
			open++
			if again++; again < len(askAgain) {
				timer.Reset(askAgain[again] - time.Since(start))
			}
		}
	}
}

// unknownName tells that a name server has answered, and knows no such name.
func unknownName(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound && !dns.IsTimeout && !dns.IsTemporary
}

func (d *Dialer) dial(ctx context.Context, network, address string, toProxy bool, trace *Trace) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	ips, err := d.Addresses(ctx, host)
	trace.locked(func() {
		if !trace.named {
			trace.named, trace.name = true, time.Since(start)
			if !toProxy {
				for _, ip := range ips {
					trace.ips = append(trace.ips, ip.String())
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if d.Judge != nil && !toProxy {
		var refusal error
		ips = slices.DeleteFunc(slices.Clone(ips), func(ip netip.Addr) bool {
			err := d.Judge(ip)
			if err != nil {
				refusal = err
			}
			return err != nil
		})
		if len(ips) == 0 && refusal != nil {
			return nil, errors.Join(ErrRefusedAddress, refusal)
		}
	}
	if ctx.Value(led{}) != nil && !toProxy {
		outward := slices.DeleteFunc(slices.Clone(ips), inward)
		if len(outward) == 0 && len(ips) > 0 {
			return nil, ErrInward
		}
		ips = outward
	}
	if len(ips) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	start = time.Now()
	conn, err := d.race(ctx, network, ips, port)
	if err != nil {
		return nil, err
	}
	trace.locked(func() {
		if !trace.connected {
			trace.connected, trace.connect = true, time.Since(start)
			if remote, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && !toProxy {
				trace.address = remote.Addr().Unmap().String()
			}
		}
	})
	return conn, nil
}

// race tries the addresses one after the other, the next one beside a silent one, and the first connection wins.
func (d *Dialer) race(ctx context.Context, network string, ips []netip.Addr, port string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	dial := d.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	next, running := 0, 0
	start := func() {
		address := net.JoinHostPort(ips[next].String(), port)
		next++
		running++
		go func() {
			conn, err := dial(ctx, network, address)
			select {
			case results <- result{conn, err}:
			case <-ctx.Done():
				if conn != nil {
					conn.Close()
				}
			}
		}()
	}
	start()
	timer := time.NewTimer(headStart)
	defer timer.Stop()
	var first error
	for {
		select {
		case r := <-results:
			if r.err == nil {
				return r.conn, nil
			}
			running--
			if first == nil {
				first = r.err
			}
			if next < len(ips) {
				start()
				timer.Reset(headStart)
			} else if running == 0 {
				return nil, first
			}
		case <-timer.C:
			if next < len(ips) {
				start()
				timer.Reset(headStart)
			}
		case <-ctx.Done():
			if first == nil {
				first = ctx.Err()
			}
			return nil, &net.OpError{Op: "dial", Net: network, Err: first}
		}
	}
}
