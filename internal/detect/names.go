package detect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
)

// Name is what a name server answered for one name.
type Name struct {
	Host string
	// Random is true for a name that nobody has.
	Random bool
	// IPs are its addresses, in the order of the answer; empty where there were none.
	IPs []netip.Addr
	// Cause is NamesDown or NameUnknown where IPs is empty.
	Cause Cause
	Took  time.Duration
}

// resolve asks for one name.
func resolve(ctx context.Context, d *egress.Dialer, host string) Name {
	n := Name{Host: host}
	began := time.Now()
	var err error
	n.IPs, err = d.Addresses(ctx, host)
	n.Took = time.Since(began)
	switch {
	case err == nil && len(n.IPs) > 0:
	case namesDown(err):
		n.IPs, n.Cause = nil, NamesDown
	default:
		n.IPs, n.Cause = nil, NameUnknown
	}
	return n
}

// namesDown tells whether a look-up failed since no name server answered: it is silent, or cannot be reached, which the
// resolver calls temporary. That there is no such name is an answer, and so is that the server fails (SERVFAIL, which is
// temporary to the resolver, too): many a company's has no other for names of the Internet.
func namesDown(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsTimeout {
		return dns.IsTemporary && !dns.IsNotFound && dns.Err != "server misbehaving"
	}
	return timeout(err)
}

// reserved are the ranges that no public host has an address of (RFC 6890, RFC 6598, RFC 5737, RFC 2544, RFC 4193, RFC 3849).
var reserved = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "of a carrier's network"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("192.0.2.0/24"), "kept for documentation"},
	{netip.MustParsePrefix("198.51.100.0/24"), "kept for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "kept for documentation"},
	{netip.MustParsePrefix("2001:db8::/32"), "kept for documentation"},
	{netip.MustParsePrefix("198.18.0.0/15"), "kept for benchmarks"},
}

// Reserved says what kind of address this is that no public host can have; empty for all others.
func Reserved(ip netip.Addr) string {
	for _, r := range reserved {
		if r.prefix.Contains(ip.Unmap()) {
			return r.what
		}
	}
	return ""
}

// oddNames says what is odd about the addresses of public hosts: who stands for them answers at reserved addresses, or
// at one for hosts that have nothing to do with each other.
func oddNames(names []Name) []string {
	var out []string
	kinds := map[string][]string{}
	hosts := map[netip.Addr][]string{}
	for _, n := range names {
		if n.Random || len(n.IPs) == 0 {
			continue
		}
		if what := Reserved(n.IPs[0]); what != "" {
			kinds[what] = append(kinds[what], n.Host)
		}
		hosts[n.IPs[0]] = append(hosts[n.IPs[0]], n.Host)
	}
	for _, r := range reserved {
		if list := kinds[r.what]; list != nil {
			out = append(out, fmt.Sprintf("%s: the name server gives an address that is %s, as a proxy in between does that nobody has to configure", some(list), r.what))
			delete(kinds, r.what)
		}
	}
	for _, n := range names { // in the order of the questions
		if len(n.IPs) == 0 {
			continue
		}
		if list := hosts[n.IPs[0]]; unrelated(list) {
			out = append(out, fmt.Sprintf("%s have one address, %s, though they have nothing to do with each other", some(list), n.IPs[0]))
			delete(hosts, n.IPs[0])
		}
	}
	return out
}

// some names a few of many.
func some(list []string) string {
	const few = 3
	shown := list[:min(len(list), few)]
	for i := range shown {
		shown[i] = source.Plain(shown[i], 100)
	}
	if rest := len(list) - len(shown); rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), rest)
	}
	return strings.Join(shown, ", ")
}

// unrelated is true for two hosts at least whose last two labels differ.
func unrelated(hosts []string) bool {
	return len(hosts) > 1 && slices.ContainsFunc(hosts, func(h string) bool { return domain(h) != domain(hosts[0]) })
}

// domain is a host's last two labels: good enough to tell strangers from relatives.
func domain(host string) string {
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

// asking is the names of one measurement: each is asked for once, whoever wants to know it, since name servers and what
// stands before them drop packets where many come at once.
type asking struct {
	ctx    context.Context
	dialer *egress.Dialer
	// turn holds one for each question that is under way.
	turn  chan struct{}
	mu    sync.Mutex
	names map[string]*answered
}

type answered struct {
	done chan struct{}
	ips  []netip.Addr
	err  error
}

const (
	// atOnce is how many names are asked for at once, as long as they are answered; turnTime is how long one waits for its
	// turn. Name servers answer in some 10 ms; where they do not, waiting costs less than a lost packet (500 ms).
	atOnce   = 4
	turnTime = 40 * time.Millisecond
)

// once is a dialer that asks for each name once, until ctx ends.
func once(ctx context.Context, d *egress.Dialer) *egress.Dialer {
	a := &asking{ctx: ctx, dialer: d, turn: make(chan struct{}, atOnce), names: map[string]*answered{}}
	out := *d
	out.Resolve = a.resolve
	return &out
}

func (a *asking) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	a.mu.Lock()
	n := a.names[host]
	if n == nil {
		n = &answered{done: make(chan struct{})}
		a.names[host] = n
		go func() {
			defer close(n.done)
			wait := time.NewTimer(turnTime)
			defer wait.Stop()
			select {
			case a.turn <- struct{}{}:
				defer func() { <-a.turn }()
			case <-wait.C: // who is silent about one name keeps nobody from the next
			}
			n.ips, n.err = a.dialer.Addresses(a.ctx, host)
		}()
	}
	a.mu.Unlock()
	select {
	case <-n.done:
		return slices.Clone(n.ips), n.err
	case <-ctx.Done():
		return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, UnwrapErr: ctx.Err(), IsTimeout: true}
	}
}
