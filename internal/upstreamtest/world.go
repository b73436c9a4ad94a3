package upstreamtest

import (
	"cmp"
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// World is an Internet: names, addresses, hosts that answer and hosts that do not. A program under test sees it through
// Resolve and Dial, or through a ForwardProxy. A host that nobody set up does not exist.
type World struct {
	// CA signs for every host of Serve. It is what a public root is to the real Internet.
	CA *CA

	tb    testing.TB
	done  context.Context // ends with the test
	quiet string          // address of the listener that never answers

	mu        sync.Mutex
	hosts     map[string]*host
	byAddr    map[netip.Addr]*host
	contacted map[string]bool
	resolved  map[string]bool
	fence     fence
}

type host struct {
	name     string
	addrs    []netip.Addr
	mood     mood
	ports    map[string]string // played port -> address of the listener
	requests []string
}

type mood int

const (
	serving mood = iota
	refusing
	silent
	hole
	mute
)

type fence int

const (
	open fence = iota
	nameless
	dropping
)

// played are the networks that are kept for documentation (RFC 5737): nobody real is ever meant.
var played = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("198.51.100.0/24"),
}

// NewWorld is an Internet without any host: a machine that is offline.
func NewWorld(tb testing.TB) *World {
	tb.Helper()
	done, end := context.WithCancel(context.Background())
	tb.Cleanup(end)
	return &World{
		CA: NewCA(tb), tb: tb, done: done, quiet: sink(tb),
		hosts: map[string]*host{}, byAddr: map[netip.Addr]*host{},
		contacted: map[string]bool{}, resolved: map[string]bool{},
	}
}

// Serve lets a host answer HTTPS on port 443 with a certificate by the world's CA, and HTTP on port 80. It takes back
// what Refuse, Silent, Hole and Mute said before.
func (w *World) Serve(name string, h http.Handler) {
	w.tb.Helper()
	w.ServeTLS(name, w.CA.Leaf(canonical(name)), h)
	addr := start(w.tb, w.counting(name, h), nil)
	w.edit(name, func(p *host) { p.ports["80"] = addr })
}

// ServeTLS lets a host answer HTTPS on port 443 with this certificate; its port 80 refuses.
func (w *World) ServeTLS(name string, cert tls.Certificate, h http.Handler) {
	w.tb.Helper()
	addr := start(w.tb, w.counting(name, h), &tls.Config{Certificates: []tls.Certificate{cert}})
	w.edit(name, func(p *host) { p.mood, p.ports = serving, map[string]string{"443": addr} })
}

// Refuse makes a host refuse every connection.
func (w *World) Refuse(name string) { w.edit(name, func(p *host) { p.mood = refusing }) }

// Silent makes a host accept every connection and never answer.
func (w *World) Silent(name string) { w.edit(name, func(p *host) { p.mood = silent }) }

// Hole makes a host a black hole: its name resolves, a Dial blocks until its context ends.
func (w *World) Hole(name string) { w.edit(name, func(p *host) { p.mood = hole }) }

// Mute makes the name servers of a host never answer: Resolve blocks until its context ends.
func (w *World) Mute(name string) { w.edit(name, func(p *host) { p.mood = mute }) }

// Answer sets the addresses that a name has, in place of the made-up one. A loopback address is really dialled.
func (w *World) Answer(name string, addrs ...netip.Addr) {
	w.edit(name, func(p *host) {
		p.addrs = addrs
		for _, a := range addrs {
			w.byAddr[a] = p
		}
	})
}

// Fence cuts the way out for Dial and Resolve: only forward proxies still reach the hosts, as in many companies. With
// drop names resolve and connections are black holes; without it names do not exist either.
func (w *World) Fence(drop bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fence = nameless
	if drop {
		w.fence = dropping
	}
}

// Resolve is the addresses of a host; an address is its own answer. The error for an unknown name is a *net.DNSError
// with IsNotFound.
func (w *World) Resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	return w.resolve(ctx, name, w.fenced())
}

// Dial connects to host:port or address:port of the world, with errors as net.Dialer has them. Loopback, where forward
// proxies live, is really dialled and counts as no contact.
func (w *World) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return w.dial(ctx, network, addr, w.fenced())
}

// Client is an HTTP client that lives in the world, trusts its CA and does not follow redirects.
func (w *World) Client() *http.Client {
	t := w.transport(w.Dial)
	w.tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Hits counts the requests that reached a host.
func (w *World) Hits(name string) int { return len(w.Requests(name)) }

// Requests are the requests that reached a host, in order, as "GET /path?query".
func (w *World) Requests(name string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.hosts[canonical(name)]; p != nil {
		return slices.Clone(p.requests)
	}
	return nil
}

// Hosts are the hosts that somebody tried to connect to, a forward proxy included, sorted. An address that belongs to no
// host is listed as such; loopback is not.
func (w *World) Hosts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.contacted))
}

// Resolved are the names whose addresses somebody asked for, by Dial or Resolve, sorted: what the name servers know of us.
func (w *World) Resolved() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.resolved))
}

func (w *World) transport(dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: w.CA.Pool()}, DisableCompression: true}
}

func (w *World) counting(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.edit(name, func(p *host) { p.requests = append(p.requests, r.Method+" "+r.URL.RequestURI()) })
		h.ServeHTTP(rw, r)
	})
}

// edit changes a host under the lock; a new host gets the next free address.
func (w *World) edit(name string, change func(*host)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name = canonical(name)
	p := w.hosts[name]
	if p == nil {
		n := len(w.hosts)
		if n >= len(played)*254 {
			w.tb.Fatalf("a world has at most %d hosts", n)
		}
		bytes := played[n/254].Addr().As4()
		bytes[3] = byte(n%254 + 1)
		a := netip.AddrFrom4(bytes)
		p = &host{name: name, addrs: []netip.Addr{a}, ports: map[string]string{}}
		w.hosts[name], w.byAddr[a] = p, p
	}
	change(p)
}

func (w *World) fenced() fence {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fence
}

func (w *World) resolve(ctx context.Context, name string, f fence) ([]netip.Addr, error) {
	name = canonical(name)
	if ip, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{ip}, nil
	}
	if name == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	w.mu.Lock()
	w.resolved[name] = true
	var addrs []netip.Addr
	mood := serving
	if p := w.hosts[name]; p != nil {
		addrs, mood = slices.Clone(p.addrs), p.mood
	}
	w.mu.Unlock()
	if mood == mute && f != nameless {
		err := w.wait(ctx)
		return nil, &net.DNSError{Err: err.Error(), Name: name, UnwrapErr: err, IsTimeout: true, IsTemporary: true}
	}
	if len(addrs) == 0 || f == nameless {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return addrs, ctx.Err()
}

func (w *World) dial(ctx context.Context, network, addr string, f fence) (net.Conn, error) {
	fail := func(to net.Addr, err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: to, Err: err}
	}
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fail(nil, err)
	}
	name = canonical(name)
	addrs, err := w.resolve(ctx, name, f)
	if err == nil && addrs[0].IsLoopback() {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(addrs[0].String(), port))
	}

	w.mu.Lock()
	p := w.hosts[name]
	if p == nil && len(addrs) > 0 {
		p = w.byAddr[addrs[0]]
	}
	var to string
	mood := hole
	if p != nil {
		name, mood, to = p.name, p.mood, p.ports[port]
	}
	if mood == silent {
		to = w.quiet
	}
	w.contacted[name] = true
	w.mu.Unlock()

	if err != nil {
		return fail(nil, err)
	}
	service, err := net.LookupPort(network, port)
	if err != nil {
		return fail(nil, err)
	}
	remote := net.TCPAddrFromAddrPort(netip.AddrPortFrom(addrs[0], uint16(service)))
	switch {
	case p == nil:
		return fail(remote, os.NewSyscallError("connect", syscall.EHOSTUNREACH))
	case f != open || mood == hole:
		return fail(remote, w.wait(ctx))
	case mood == refusing || to == "":
		return fail(remote, os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	return conn{c.(*net.TCPConn), remote}, nil
}

// wait blocks until the context, or the test, ends.
func (w *World) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-w.done.Done():
	}
	return cmp.Or(ctx.Err(), w.done.Err())
}

// conn shows the played address of the other side.
type conn struct {
	*net.TCPConn
	remote net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.remote }

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
