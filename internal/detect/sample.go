package detect

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// DefaultSamples are enough for a median that one odd sample does not move, and no more than a job asks in a second.
	DefaultSamples = 5
	// MaxSamples bounds what a source is asked: its operator pays for it.
	MaxSamples = 50
	// MaxParallel bounds how many sources are asked at once, so that they do not measure each other.
	MaxParallel = 8
	// SampleBudget bounds the whole sampling.
	SampleBudget = time.Minute
	// patienceOfSample bounds one question of a sample: twice what a connection may take (egress.ConnectTimeout).
	patienceOfSample = 5 * time.Second
	// patienceOfLoad bounds a load: some 200 KB at 16 KiB/s, below which a source is of no use.
	patienceOfLoad = 15 * time.Second
	// silences is how many samples in a row may get no answer at all, or find no address, before a source is asked no more.
	silences = 2
	// maxTold is how many hosts are told that a source sends on to: one that names another each time would fill pages.
	maxTold = 8
	// future is by how much a newest version may be younger than this machine's clock.
	future = 24 * time.Hour
)

// Sampling is how a set of sources is measured often enough to say more than that they answer.
type Sampling struct {
	Dialer    *egress.Dialer
	Settings  Settings
	UserAgent string
	// Credentials are as in Options.
	Credentials *credential.Store
	Targets     []Target
	// Samples is how often each target is asked, by each way; 0 is DefaultSamples, and more than MaxSamples are not taken.
	Samples int
	// Loads is how many of the samples load a file of some hundred kilobytes as well, where the target has one; 0 is none.
	Loads int
	// Newest asks each target once how old its newest version is.
	Newest bool
	// Parallel is how many sources are asked at once; 0, and whatever is more, is MaxParallel.
	Parallel int
	// Budget bounds all of it; 0 is SampleBudget. Patience bounds one question of it; 0 is five seconds.
	Budget, Patience time.Duration
	// Progress is told how many samples are done, of how many, by several goroutines at once; nil is told nothing.
	Progress func(done, of int)
}

// Series is what one source said by one way, again and again. A sample is a question over a new connection, and the same
// one over the connection kept; what each brings is verified. A sample that failed in part has failed, and counts in no
// Spread.
type Series struct {
	Source source.Source
	// Via is ViaDirect or ViaProxy.
	Via string
	// Tried is how many samples were taken, Succeeded how many of them were verified. A sample that the end of the budget
	// broke off is not taken.
	Tried, Succeeded int
	// Cut is true where the budget ended before all samples were taken, GaveUp where the source was silent, or without
	// an address, so often that it was asked no more.
	Cut, GaveUp bool
	// Cold and Warm are the times to the header of the verified answer, redirects included: over a new connection, its making
	// included, and over the kept one. Warm has fewer than Succeeded where the source keeps no connection.
	Cold, Warm Spread
	// Name, Connect and TLS are the steps of the new connection: of that to the proxy, where Via is ViaProxy, but for TLS.
	// Total is until the cold answer was read and verified.
	Name, Connect, TLS, Total Spread
	// LogLookup is the time to the answer of a record of the checksum database over the kept connection.
	LogLookup Spread
	// Throughput is of the loads, in bytes per second.
	Throughput Rates
	// LoadReason is why the first load that failed did; empty where none did. A failed load is no failed sample.
	LoadReason string
	// Content says whether what came was always what was asked for: No where it was not once. ChecksumDB is as in Row.
	Content, ChecksumDB Answer
	// Addresses are those that connections went to, in their order; behind a proxy they are not known. Where no connection
	// came about they are those that the name has.
	Addresses []string
	// Redirects are the hosts that the source sent us on to.
	Redirects []string
	// Failures are why samples failed, the most frequent first: each has one reason.
	Failures []Failure
	// Newest is as in Row.
	Newest time.Time
}

// Failure is one reason of failed samples, in words fit for a person, and how many it failed.
type Failure struct {
	Reason string
	Fault  Fault
	Count  int
}

// Spread is how N durations are spread. Percentiles are by nearest rank, so each is one that was measured: P95 of fewer
// than 20 is the longest.
type Spread struct {
	N                int
	Min, Median, P95 time.Duration
}

// Rates is the same of bytes per second, where Min is the worst.
type Rates struct {
	N                int
	Min, Median, P95 int64
}

// SpreadOf is the spread of durations, in any order.
func SpreadOf(all []time.Duration) Spread {
	n, low, mid, high := nearest(all)
	return Spread{n, low, mid, high}
}

// RatesOf is the spread of bytes per second, in any order.
func RatesOf(all []int64) Rates {
	n, low, mid, high := nearest(all)
	return Rates{n, low, mid, high}
}

func nearest[T cmp.Ordered](all []T) (n int, low, mid, high T) {
	if len(all) == 0 {
		return 0, low, mid, high
	}
	sorted := slices.Sorted(slices.Values(all))
	at := func(percent int) T { return sorted[(percent*len(sorted)+99)/100-1] }
	return len(sorted), sorted[0], at(50), at(95)
}

// Verified tells whether the source gave what was asked for, and never anything else.
func (s Series) Verified() bool { return s.Succeeded > 0 && s.Content != No }

// Lags are by how much the newest version of each series lies behind the newest of a verified source of the same
// ecosystem; not there where either is not known. A source is believed about its own dates, so a lag is a hint.
func Lags(all []Series) map[int]time.Duration {
	newest := map[string]time.Time{}
	for _, s := range all {
		if s.Verified() && s.Newest.After(newest[s.Source.Ecosystem]) {
			newest[s.Source.Ecosystem] = s.Newest
		}
	}
	out := map[int]time.Duration{}
	for i, s := range all {
		if best := newest[s.Source.Ecosystem]; !s.Newest.IsZero() && !best.IsZero() {
			out[i] = max(0, best.Sub(s.Newest))
		}
	}
	return out
}

// Sample asks each target by the way that the settings give, and by the other one where a proxy is configured. Several
// sources are asked at once, and each is asked one thing after the other. The series are in the order of the targets, for
// each the way in force first. It never takes longer than the budget, and never fails.
func Sample(ctx context.Context, s Sampling) []Series {
	s.Samples = min(cmp.Or(max(s.Samples, 0), DefaultSamples), MaxSamples)
	s.Parallel = min(cmp.Or(max(s.Parallel, 0), MaxParallel), MaxParallel)
	s.Patience = cmp.Or(s.Patience, patienceOfSample)
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Budget, SampleBudget))
	defer cancel()

	var sampled [][]*sampler // by target, each way of it
	of := 0
	for _, t := range s.Targets {
		var ways []*sampler
		for _, j := range s.ways(t) {
			ways = append(ways, newSampler(&s, j))
			of += s.Samples
		}
		sampled = append(sampled, ways)
	}
	var telling sync.Mutex
	done := 0
	tell := func(n int) {
		telling.Lock()
		defer telling.Unlock()
		if done += n; s.Progress != nil && n > 0 {
			s.Progress(done, of)
		}
	}
	var group sync.WaitGroup
	turns := make(chan []*sampler)
	for range min(s.Parallel, len(sampled)) {
		group.Go(func() {
			for ways := range turns {
				for range s.Samples { // by turns, so that both ways see the same minute
					for _, w := range ways {
						w.sample(ctx)
						tell(1)
					}
				}
			}
		})
	}
	for _, ways := range sampled {
		turns <- ways
	}
	close(turns)
	group.Wait()

	var out []Series
	for _, ways := range sampled {
		for _, w := range ways {
			out = append(out, w.series())
		}
	}
	return out
}

// ways are those to one target, the one in force first. Loopback has no other, and where the setting cannot be read nobody
// knows another.
func (s *Sampling) ways(t Target) []job {
	proxy, err := s.Settings.For(t.Source.URL)
	out := []job{{target: t, proxy: proxy, via: way(proxy), err: err}}
	other := job{target: t, via: ViaDirect}
	if proxy == nil {
		other.proxy, other.via = s.Settings.Configured(t.Source.URL), ViaProxy
	}
	loc, unread := source.Locate(t.Source.URL)
	if err == nil && unread == nil && !loc.Loopback && (other.proxy != nil) != (proxy != nil) {
		out = append(out, other)
	}
	return out
}

// sampler takes the samples of one series. It is used by one goroutine.
type sampler struct {
	*Sampling
	job
	got      Series
	fetch    func(client *http.Client) Fetch
	quiet    int // samples without any answer, one after the other
	loads    int
	failures map[Failure]int

	cold, warm, name, connect, tls, total, lookups []time.Duration
	rates                                          []int64
	addresses, redirects                           []string
}

// options are those of a measurement of the same kind.
func (s *Sampling) options() Options {
	return Options{Dialer: s.Dialer, Settings: s.Settings, UserAgent: s.UserAgent, Credentials: s.Credentials}
}

func newSampler(s *Sampling, j job) *sampler {
	m := &measurement{Options: s.options()}
	return &sampler{Sampling: s, job: j, failures: map[Failure]int{}, got: Series{Source: j.target.Source, Via: j.via},
		fetch: func(client *http.Client) Fetch { return m.fetch(client, j.target.Source.URL) }}
}

func (s *sampler) series() Series {
	out := s.got
	out.Cold, out.Warm, out.Total, out.LogLookup = SpreadOf(s.cold), SpreadOf(s.warm), SpreadOf(s.total), SpreadOf(s.lookups)
	out.Name, out.Connect, out.TLS, out.Throughput = SpreadOf(s.name), SpreadOf(s.connect), SpreadOf(s.tls), RatesOf(s.rates)
	out.Addresses, out.Redirects = s.addresses, s.redirects
	for f, n := range s.failures {
		f.Count = n
		out.Failures = append(out.Failures, f)
	}
	slices.SortFunc(out.Failures, func(a, b Failure) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Fault, b.Fault))
	})
	return out
}

// asked is what one question brought.
type asked struct {
	// first is until the header of the first answer, took until the answer was verified. kept is true where all of it went
	// over a connection that was there before.
	first, took time.Duration
	kept        bool
}

// sample takes one sample. What of it is beside the source's answer, such as the load, does not make it fail.
func (s *sampler) sample(ctx context.Context) {
	if s.got.GaveUp || s.got.Cut {
		return
	}
	if ctx.Err() != nil {
		s.got.Cut = true
		return
	}
	if s.err != nil {
		s.failed(ProxyFault, "the proxy setting "+s.err.Error())
		return
	}
	trace := new(egress.Trace)
	client, free := s.options().client(s.target.Source.URL, s.proxy, trace)
	defer free()
	v := &visit{sampler: s, ctx: ctx, trace: trace, fetch: s.fetch(client), turn: make(chan struct{}, 1)}
	client.CheckRedirect = v.redirect

	small := s.target.Small
	if small == nil {
		small = s.target.Check
	}
	cold, ok := v.ask(small, s.Patience)
	var warm asked
	seen := trace.Seen()
	if ok {
		warm, ok = v.ask(small, s.Patience)
	}
	if len(s.addresses) == 0 && s.proxy == nil {
		s.addresses = seen.IPs
	}
	if !ok {
		return
	}
	s.quiet = 0
	s.got.Tried++
	s.got.Succeeded++
	if s.got.Content == NotKnown {
		s.got.Content = Yes
	}
	s.cold, s.total = append(s.cold, cold.first), append(s.total, cold.took)
	s.name, s.connect = append(s.name, seen.Name), append(s.connect, seen.Connect)
	if seen.TLS > 0 {
		s.tls = append(s.tls, seen.TLS)
	}
	if warm.kept {
		s.warm = append(s.warm, warm.first)
	}
	v.beside()
}

// visit is one sample under way: one client, asked one thing after the other.
type visit struct {
	*sampler
	ctx   context.Context // of the sample, which ends before the visit
	trace *egress.Trace
	fetch Fetch
	turn  chan struct{}

	mu    sync.Mutex // of what hooks of the transport write
	first time.Duration
	fresh bool
}

// ask puts one question. It is false where the sample has failed, which has been noted then.
func (v *visit) ask(check Check, patience time.Duration) (asked, bool) {
	began := time.Now()
	var verdict Verdict
	var err error
	v.question(patience, func(ctx context.Context) { verdict, err = check(ctx, v.one) })
	a := asked{took: time.Since(began)}
	v.mu.Lock()
	a.first, a.kept = v.first, !v.fresh
	v.mu.Unlock()
	switch {
	case err == nil && verdict.OK:
		return a, true
	case err == nil:
		if verdict.Content == No {
			v.got.Content = No
		}
		v.quiet = 0
		v.failed(verdict.Fault, v.Credentials.Mask(masked(source.Plain(verdict.Reason, 300), v.target.Source.URL, v.proxy)))
	case v.ctx.Err() != nil: // not the source's fault
		v.got.Cut = true
	default:
		fault, _, reason := explain(err, v.trace.Seen(), v.job, a.took.Round(time.Second/2))
		if timeout(err) || fault == NameFault {
			v.quiet++
		} else {
			v.quiet = 0
		}
		v.failed(fault, v.Credentials.Mask(masked(reason, v.target.Source.URL, v.proxy)))
		v.got.GaveUp = v.quiet >= silences
	}
	return a, false
}

// one is a Fetch that waits for its turn, and tells what it saw.
func (v *visit) one(ctx context.Context, rawurl string, limit int64) (Response, error) {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return Response{}, ctx.Err()
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if !got.Reused {
			v.fresh = true
		}
		if host, _, err := net.SplitHostPort(got.Conn.RemoteAddr().String()); err == nil && v.proxy == nil {
			if ip, err := netip.ParseAddr(host); err == nil {
				v.addresses = addOnce(v.addresses, ip.Unmap().String())
			}
		}
	}})
	r, err := v.fetch(ctx, rawurl, limit)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil && v.first == 0 {
		v.first = r.FirstByte
	}
	return r, err
}

func (v *visit) redirect(request *http.Request, via []*http.Request) error {
	err := redirect(request, via)
	if err == nil && request.URL.Host != via[0].URL.Host {
		v.mu.Lock()
		defer v.mu.Unlock()
		if len(v.redirects) >= maxTold {
			return nil
		}
		v.redirects = addOnce(v.redirects, source.Plain(request.URL.Host, 200))
	}
	return err
}

// beside asks, over the kept connection, for what else is known of the source; once what does not change, after the first
// sample that was good.
func (v *visit) beside() {
	once := v.got.Succeeded == 1
	if once && v.target.Small != nil { // whether the log is relayed as the go command wants it, the whole check says
		v.question(v.Patience, func(ctx context.Context) {
			if verdict, err := v.target.Check(ctx, v.one); err == nil {
				v.got.ChecksumDB = verdict.ChecksumDB
			}
		})
	}
	if v.target.Lookup != nil && v.got.ChecksumDB == Yes {
		v.question(v.Patience, func(ctx context.Context) {
			switch verdict, err := v.target.Lookup(ctx, v.one); {
			case err == nil && verdict.OK:
				v.lookups = append(v.lookups, v.first)
			case err == nil && verdict.Content == No:
				v.got.ChecksumDB = No
			}
		})
	}
	if v.loads < v.Loads && v.target.Load != nil {
		v.loads++
		v.load()
	}
	if once && v.Newest && v.target.Newest != nil {
		v.question(v.Patience, func(ctx context.Context) {
			if made, err := v.target.Newest(ctx, v.one); err == nil && made.Before(time.Now().Add(future)) {
				v.got.Newest = made
			}
		})
	}
}

// load measures the throughput. A file that is another one than was asked for is no better than another page.
func (v *visit) load() {
	began := time.Now()
	var l Loaded
	var err error
	v.question(max(patienceOfLoad, v.Patience), func(ctx context.Context) { l, err = v.target.Load(ctx, v.one) })
	reason := l.Reason
	switch {
	case err != nil && v.ctx.Err() != nil:
		return
	case err != nil:
		_, _, reason = explain(err, v.trace.Seen(), v.job, time.Since(began).Round(time.Second/2))
	case !l.OK && l.Content == No:
		v.got.Content = No
	case l.OK && l.Took > 0:
		v.rates = append(v.rates, int64(float64(l.Bytes)/l.Took.Seconds()))
	}
	if (err != nil || !l.OK) && v.got.LoadReason == "" {
		v.got.LoadReason = v.Credentials.Mask(masked(source.Plain(reason, 300), v.target.Source.URL, v.proxy))
	}
}

// question bounds one, and forgets what the one before has seen.
func (v *visit) question(patience time.Duration, put func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	v.mu.Lock()
	v.first, v.fresh = 0, false
	v.mu.Unlock()
	put(ctx)
}

func (s *sampler) failed(fault Fault, reason string) {
	s.got.Tried++
	s.failures[Failure{Reason: reason, Fault: fault}]++
}

func addOnce(all []string, s string) []string {
	if slices.Contains(all, s) {
		return all
	}
	return append(all, s)
}
