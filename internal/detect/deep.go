package detect

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
)

// Deep are questions that no job asks, and that only a person's command puts. The zero value asks nothing.
type Deep struct {
	// Hosts are the hosts of known sources, whose names are asked for; Random is a name that nobody has.
	Hosts  []string
	Random string
	// Needed are the targets in force; each of Proxies is asked for them.
	Needed  []Target
	Proxies []Candidate
	// Bundles are the certificates of tools, to be compared with what is seen.
	Bundles []Bundle
}

// Candidate is a forward proxy that a tool of this machine is told of, and that is not the one in force.
type Candidate struct {
	// URL is raw and may hold secrets.
	URL string
	// Origins are who names it ("~/.gitconfig:12").
	Origins []string
}

// ProxyCheck is what one of the Candidates lets through.
type ProxyCheck struct {
	// URL is masked.
	URL     string
	Origins []string
	// Rows are those of Needed, asked through it.
	Rows []Row
}

// collected are the results of n questions that are put at once, as far as they come before over ends; get waits for them.
func collected[T any](over context.Context, n int, missing func(i int) T, ask func(i int) T) (get func() []T) {
	type result struct {
		i int
		v T
	}
	results := make(chan result, n) // nobody blocks who comes late
	for i := range n {
		go func() { results <- result{i, ask(i)} }()
	}
	return func() []T {
		out := make([]T, n)
		for i := range out {
			out[i] = missing(i)
		}
		for range n {
			select {
			case r := <-results:
				out[r.i] = r.v
			case <-over.Done():
				return out
			}
		}
		return out
	}
}

// dig puts the deep questions, beside all others; finish completes the report by their answers.
func (m *measurement) dig(ctx, over context.Context) (finish func(*Report)) {
	hosts := m.Deep.Hosts
	if m.Deep.Random != "" {
		hosts = append(slices.Clip(hosts), m.Deep.Random)
	}
	name := func(i int, n Name) Name {
		n.Host, n.Random = hosts[i], hosts[i] == m.Deep.Random
		return n
	}
	names := collected(over, len(hosts), func(i int) Name { return name(i, Name{Cause: NamesDown}) },
		func(i int) Name { return name(i, resolve(ctx, m.Dialer, hosts[i])) })

	var jobs []job
	for _, c := range m.Deep.Proxies {
		proxy, err := parseProxy(c.URL)
		for _, t := range m.Deep.Needed {
			jobs = append(jobs, job{target: t, proxy: proxy, via: ViaProxy, err: err, trace: new(egress.Trace), began: time.Now()})
		}
	}
	rows := collected(over, len(jobs), func(i int) Row { return jobs[i].unanswered() }, func(i int) Row {
		row, _ := m.ask(ctx, jobs[i], func(Row, egress.Seen) {})
		return row
	})
	files := readBundles(over, m.Deep.Bundles)
	return func(r *Report) {
		r.Names, m.files = names(), files()
		answers := rows()
		for i, c := range m.Deep.Proxies {
			n := len(m.Deep.Needed)
			r.ProxyChecks = append(r.ProxyChecks, ProxyCheck{shownProxy(c.URL), c.Origins, answers[i*n : (i+1)*n]})
		}
	}
}

// lastResort asks for a captive portal where nothing else has answered, and time is left.
func (m *measurement) lastResort(ctx context.Context) {
	var hosts []string
	seen := map[string]bool{}
	for _, r := range m.rows() {
		if r.OK {
			return
		}
		if loc, err := source.Locate(r.Source.URL); err == nil && r.Source.Public && loc.Scheme == "https" && !seen[loc.Host] {
			seen[loc.Host] = true
			hosts = append(hosts, loc.Host)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, portalTime)
	defer cancel()
	m.portal = collected(ctx, 1, func(int) string { return "" }, func(int) string { return findPortal(ctx, m.Dialer, hosts, m.UserAgent) })()[0]
}

// SameProxy tells whether two proxies are the same place, whoever is asked to log in.
func SameProxy(a, b string) bool {
	x, errX := parseProxy(a)
	y, errY := parseProxy(b)
	same := func(u *url.URL) string { return u.Scheme + "://" + u.Host }
	return errX == nil && errY == nil && same(x) == same(y)
}
