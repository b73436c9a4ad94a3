package detect_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

func sample(w *upstreamtest.World, s detect.Sampling, hosts ...string) []detect.Series {
	s.Dialer = dialer(w)
	for _, h := range hosts {
		s.Targets = append(s.Targets, target(h, "https://"+h+".test"))
	}
	return detect.Sample(context.Background(), s)
}

// every lets a handler answer in the place of another, each time that the number of the request is a multiple of n.
func every(n int64, then, other http.Handler) http.Handler {
	var asked atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%n == 0 {
			then.ServeHTTP(w, r)
		} else {
			other.ServeHTTP(w, r)
		}
	})
}

func closing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		h.ServeHTTP(w, r)
	})
}

func TestSpread(t *testing.T) {
	t.Parallel()
	ms := func(n ...int) (out []time.Duration) {
		for _, d := range n {
			out = append(out, time.Duration(d)*time.Millisecond)
		}
		return out
	}
	for name, tt := range map[string]struct {
		all  []time.Duration
		want detect.Spread
	}{
		"none": {nil, detect.Spread{}},
		"one":  {ms(7), detect.Spread{1, ms(7)[0], ms(7)[0], ms(7)[0]}},
		"even": {ms(4, 1, 3, 2), detect.Spread{4, ms(1)[0], ms(2)[0], ms(4)[0]}},
		"five": {ms(5, 4, 3, 2, 1), detect.Spread{5, ms(1)[0], ms(3)[0], ms(5)[0]}},
	} {
		if got := detect.SpreadOf(tt.all); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	var hundred []time.Duration
	for _, n := range rand.Perm(100) {
		hundred = append(hundred, time.Duration(n+1))
	}
	before := slices.Clone(hundred)
	if got := detect.SpreadOf(hundred); got != (detect.Spread{N: 100, Min: 1, Median: 50, P95: 95}) {
		t.Errorf("%v", got)
	}
	if !slices.Equal(before, hundred) {
		t.Error("the caller's order is gone")
	}
	if got := detect.RatesOf([]int64{300, 100, 200}); got != (detect.Rates{N: 3, Min: 100, Median: 200, P95: 300}) {
		t.Errorf("%v", got)
	}
}

var varying = regexp.MustCompile(` \(issued by.*| [0-9.]+m?s$`)

// What sources do, and what is told of them. Each sample asks twice.
func TestSample(t *testing.T) {
	t.Parallel()
	type told struct {
		Tried, Succeeded, Cold, Warm int
		Content                      detect.Answer
		Cut, GaveUp                  bool
		Failures                     []detect.Failure
		Redirects                    []string
	}
	for name, tt := range map[string]struct {
		play func(w *upstreamtest.World)
		want told
	}{
		"well":          {func(w *upstreamtest.World) { w.Serve("a.test", good()) }, told{Tried: 6, Succeeded: 6, Cold: 6, Warm: 6, Content: detect.Yes}},
		"keeps nothing": {func(w *upstreamtest.World) { w.Serve("a.test", closing(good())) }, told{Tried: 6, Succeeded: 6, Cold: 6, Content: detect.Yes}},
		"503 in a third": {func(w *upstreamtest.World) { w.Serve("a.test", every(3, upstreamtest.Status(503), good())) },
			// requests: 1 2 | 3 | 4 5 | 6 | 7 8 | 9
			told{Tried: 6, Succeeded: 3, Cold: 3, Warm: 3, Content: detect.Yes, Failures: []detect.Failure{{"answered Service Unavailable", detect.StatusFault, 3}}}},
		"503 over the kept connection": {func(w *upstreamtest.World) { w.Serve("a.test", every(2, upstreamtest.Status(503), good())) },
			told{Tried: 6, Failures: []detect.Failure{{"answered Service Unavailable", detect.StatusFault, 6}}}},
		"one lie": {func(w *upstreamtest.World) { w.Serve("a.test", every(5, upstreamtest.CaptivePortal(), good())) },
			// requests: 1 2 | 3 4 | 5 | 6 7 | 8 9 | 10
			told{Tried: 6, Succeeded: 4, Cold: 4, Warm: 4, Content: detect.No, Failures: []detect.Failure{{"answered with another page", detect.PageFault, 2}}}},
		"refuses":    {func(w *upstreamtest.World) { w.Refuse("a.test") }, told{Tried: 6, Failures: []detect.Failure{{"connection refused", detect.DialFault, 6}}}},
		"no name":    {func(*upstreamtest.World) {}, told{Tried: 2, GaveUp: true, Failures: []detect.Failure{{"the name has no address", detect.NameFault, 2}}}},
		"hole":       {func(w *upstreamtest.World) { w.Hole("a.test") }, told{Tried: 2, GaveUp: true, Failures: []detect.Failure{{"no connection within", detect.DialFault, 2}}}},
		"mute":       {func(w *upstreamtest.World) { w.Mute("a.test") }, told{Tried: 2, GaveUp: true, Failures: []detect.Failure{{"the name server does not answer", detect.NameFault, 2}}}},
		"silent":     {func(w *upstreamtest.World) { w.Serve("a.test", upstreamtest.Silence()) }, told{Tried: 2, GaveUp: true, Failures: []detect.Failure{{"connected, then no answer within", detect.SilentFault, 2}}}},
		"cut":        {func(w *upstreamtest.World) { w.Serve("a.test", upstreamtest.Reset()) }, told{Tried: 6, Failures: []detect.Failure{{"the connection was cut", detect.OtherFault, 6}}}},
		"half of it": {func(w *upstreamtest.World) { w.Serve("a.test", upstreamtest.Truncate(good())) }, told{Tried: 6, Failures: []detect.Failure{{"the connection was cut", detect.OtherFault, 6}}}},
		"expired": {func(w *upstreamtest.World) { w.ServeTLS("a.test", w.CA.Expired("a.test"), good()) }, told{Tried: 6, Failures: []detect.Failure{
			{`its certificate has expired or is not valid yet, or the clock is wrong`, detect.TLSFault, 6}}}},
		"elsewhere": {func(w *upstreamtest.World) {
			w.Serve("b.test", good())
			w.Serve("a.test", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "https://b.test"+r.URL.Path, http.StatusFound)
			}))
		}, told{Tried: 6, Succeeded: 6, Cold: 6, Warm: 6, Content: detect.Yes, Redirects: []string{"b.test"}}},
		"somewhere else each time": {func(w *upstreamtest.World) {
			var asked atomic.Int64
			for i := range 12 {
				w.Serve(fmt.Sprintf("s%d.test", i), good())
			}
			w.Serve("a.test", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, fmt.Sprintf("https://s%d.test%s", asked.Add(1)-1, r.URL.Path), http.StatusFound)
			}))
		}, told{Tried: 6, Succeeded: 6, Cold: 6, Content: detect.Yes, Redirects: []string{"s0.test", "s1.test", "s2.test", "s3.test", "s4.test", "s5.test", "s6.test", "s7.test"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := upstreamtest.NewWorld(t)
			tt.play(w)
			patience := 10 * time.Second
			if tt.want.GaveUp {
				patience = 500 * time.Millisecond
			}
			got := sample(w, detect.Sampling{Samples: 6, Patience: patience}, "a")[0]
			for i := range got.Failures { // whose certificate it is matters to another test, and how long it took is luck
				got.Failures[i].Reason = varying.ReplaceAllString(got.Failures[i].Reason, "")
			}
			is := told{got.Tried, got.Succeeded, got.Cold.N, got.Warm.N, got.Content, got.Cut, got.GaveUp, got.Failures, got.Redirects}
			if diff := cmp.Diff(tt.want, is); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			failures := 0
			for _, f := range got.Failures {
				failures += f.Count
			}
			if failures != got.Tried-got.Succeeded || got.Name.N != got.Cold.N || got.Connect.N != got.Cold.N || got.TLS.N != got.Cold.N || got.Total.N != got.Cold.N {
				t.Errorf("%d failures, %+v", failures, got)
			}
			if got.Succeeded > 0 && (got.Cold.Median <= 0 || got.Total.Median < got.Cold.Median || len(got.Addresses) == 0) {
				t.Errorf("%+v", got)
			}
			if name == "refuses" && !slices.Equal(got.Addresses, []string{"192.0.2.1"}) { // what was tried
				t.Errorf("addresses %v", got.Addresses)
			}
		})
	}
}

// A new connection takes a round trip for its name, itself, TLS and the question each; the kept one takes one.
func TestSampleTellsColdFromWarm(t *testing.T) {
	t.Parallel()
	const trip = 40 * time.Millisecond
	w := upstreamtest.NewWorld(t)
	w.Serve("a.test", good())
	resolve, dial := w.Far(trip)
	at := target("a", "https://a.test")
	at.Small, at.Lookup = at.Check, at.Check
	at.Check = func(context.Context, detect.Fetch) (detect.Verdict, error) {
		return detect.Verdict{OK: true, ChecksumDB: detect.Yes}, nil
	}
	got := detect.Sample(t.Context(), detect.Sampling{Dialer: &egress.Dialer{Resolve: resolve, Dial: dial, Roots: w.CA.Pool()}, Samples: 3, Targets: []detect.Target{at}})[0]
	for name, is := range map[string]struct {
		spread detect.Spread
		least  time.Duration
	}{
		"name": {got.Name, trip}, "connect": {got.Connect, trip}, "tls": {got.TLS, trip}, "cold": {got.Cold, 4 * trip}, "total": {got.Total, 4 * trip},
		"warm": {got.Warm, trip}, "look-up": {got.LogLookup, trip}} {
		if is.spread.N != 3 || is.spread.Min < is.least || is.spread.Min > is.spread.Median || is.spread.Median > is.spread.P95 {
			t.Errorf("%s: %+v", name, is.spread)
		}
	}
}

// Both ways are measured where a proxy is configured, and secrets do not come out.
func TestSampleBothWays(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("a.test", good())
	w.Serve("b.test", good())
	p := w.ForwardProxy(t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "hush"})
	got := sample(w, detect.Sampling{Samples: 2, Settings: settings("HTTPS_PROXY", p.URL(), "NO_PROXY", "b.test")}, "a", "b")
	var ways []string
	for _, s := range got {
		ways = append(ways, fmt.Sprintf("%s %s %d/%d %v", s.Source.ID, s.Via, s.Succeeded, s.Tried, s.Addresses))
	}
	want := []string{"a proxy 2/2 []", "a direct 2/2 [192.0.2.1]", "b direct 2/2 [192.0.2.2]", "b proxy 2/2 []"}
	if diff := cmp.Diff(want, ways); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	broken := sample(w, detect.Sampling{Samples: 2, Settings: settings("HTTPS_PROXY", "http://ci:hush@a b")}, "a")
	if len(broken) != 1 || broken[0].Tried != 2 || broken[0].Failures[0].Fault != detect.ProxyFault || strings.Contains(broken[0].Failures[0].Reason, "hush") {
		t.Errorf("%+v", broken)
	}
}

// A source is asked one thing at a time, several are asked at once, and no more than were allowed.
func TestSampleIsPolite(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	var mu sync.Mutex
	now, most := map[string]int{}, map[string]int{}
	count := func(by int, keys ...string) {
		mu.Lock()
		defer mu.Unlock()
		for _, k := range keys {
			now[k] += by
			most[k] = max(most[k], now[k])
		}
	}
	names := []string{"a", "b", "c", "d", "e", "f"}
	for _, n := range names {
		w.Serve(n+".test", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			count(1, n, "all")
			defer count(-1, n, "all")
			upstreamtest.Slow(10*time.Millisecond, good()).ServeHTTP(rw, r)
		}))
	}
	s := detect.Sampling{Samples: 3, Parallel: 3, Loads: 3, Newest: true}
	var told []int
	s.Progress = func(done, of int) {
		if told = append(told, done); of != 18 {
			t.Errorf("of %d", of)
		}
	}
	for _, n := range names {
		at := target(n, "https://"+n+".test")
		at.Small = at.Check
		at.Check = func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) { // asks for three things at once
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() { _, _ = at.Small(ctx, fetch) })
			}
			group.Wait()
			return detect.Verdict{OK: true, ChecksumDB: detect.Yes}, nil
		}
		at.Lookup = at.Small
		at.Load = func(ctx context.Context, fetch detect.Fetch) (detect.Loaded, error) {
			v, err := at.Small(ctx, fetch)
			return detect.Loaded{Verdict: v, Bytes: 1000, Took: time.Millisecond}, err
		}
		at.Newest = func(ctx context.Context, fetch detect.Fetch) (time.Time, error) {
			_, err := at.Small(ctx, fetch)
			return time.Unix(1_700_000_000, 0), err
		}
		s.Targets = append(s.Targets, at)
	}
	for _, got := range sample(w, s) {
		if got.Succeeded != 3 || got.LogLookup.N != 3 || got.Throughput != (detect.Rates{3, 1_000_000, 1_000_000, 1_000_000}) ||
			got.Newest.Unix() != 1_700_000_000 || got.ChecksumDB != detect.Yes || got.Warm.N != 3 {
			t.Errorf("%+v", got)
		}
		// cold, warm, lookup and load of each sample, the whole check and the newest version once
		if host := got.Source.ID + ".test"; w.Hits(host) != 3*4+3+1 {
			t.Errorf("%s was asked %d times", host, w.Hits(host))
		}
	}
	for _, n := range names {
		if most[n] != 1 {
			t.Errorf("%s had %d requests at a time", n, most[n])
		}
	}
	if most["all"] < 2 || most["all"] > 3 {
		t.Errorf("%d sources were asked at once", most["all"])
	}
	if len(told) != 18 || !slices.IsSorted(told) || told[17] != 18 {
		t.Errorf("progress %v", told)
	}
}

// What a load brings that is another file is told, and makes no source a verified one; a load that fails is no failed
// sample; and nobody is believed about tomorrow.
func TestSampleBeside(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("a.test", good())
	at := target("a", "https://a.test")
	loads := 0
	at.Load = func(context.Context, detect.Fetch) (detect.Loaded, error) {
		if loads++; loads == 1 {
			return detect.Loaded{Verdict: detect.Verdict{Reason: "answered 404", Fault: detect.StatusFault}}, nil
		}
		return detect.Loaded{Verdict: detect.Verdict{Reason: "served another zip", Content: detect.No}}, nil
	}
	at.Newest = func(context.Context, detect.Fetch) (time.Time, error) { return time.Now().Add(48 * time.Hour), nil }
	got := sample(w, detect.Sampling{Samples: 2, Loads: 1, Newest: true, Targets: []detect.Target{at}})[0]
	if !got.Verified() || got.LoadReason != "answered 404" || got.Throughput.N != 0 || len(got.Failures) != 0 || !got.Newest.IsZero() {
		t.Errorf("%+v", got)
	}
	got = sample(w, detect.Sampling{Samples: 2, Loads: 1, Targets: []detect.Target{at}})[0]
	if got.Verified() || got.Succeeded != 2 || got.LoadReason != "served another zip" {
		t.Errorf("%+v", got)
	}
}

// What hangs costs its own time only, the budget ends everything, and what it broke off is no failure of a source.
func TestSampleBudget(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Serve("quick.test", good())
	w.Silent("silent.test")
	w.Hole("hole.test")
	w.Mute("mute.test")
	w.Serve("stall.test", upstreamtest.Stall(good()))
	names := []string{"silent", "hole", "mute", "stall", "quick"}
	began := time.Now()
	got := sample(w, detect.Sampling{Budget: 2 * time.Second}, names...)
	if took := time.Since(began); took < time.Second || took > 4*time.Second {
		t.Errorf("took %v", took)
	}
	for i, s := range got {
		quick := names[i] == "quick"
		if s.Verified() != quick || s.Cut == quick || len(s.Failures) != 0 || !quick && s.Tried != 0 || quick && s.Tried != detect.DefaultSamples {
			t.Errorf("%s: %+v", names[i], s)
		}
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if got := detect.Sample(over, detect.Sampling{Dialer: dialer(w), Targets: []detect.Target{target("quick", "https://quick.test")}}); len(got) != 1 || !got[0].Cut || got[0].Tried != 0 {
		t.Errorf("%+v", got)
	}
	if got := detect.Sample(t.Context(), detect.Sampling{Dialer: dialer(w)}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestSampleIsBounded(t *testing.T) {
	t.Parallel()
	w := upstreamtest.NewWorld(t)
	w.Refuse("a.test")
	for asked, want := range map[int]int{1000: detect.MaxSamples, -1: detect.DefaultSamples, 0: detect.DefaultSamples} {
		if got := sample(w, detect.Sampling{Samples: asked}, "a")[0]; got.Tried != want {
			t.Errorf("%d samples of %d", got.Tried, asked)
		}
	}
}

func TestLags(t *testing.T) {
	t.Parallel()
	at := func(eco string, day int, ok bool) detect.Series {
		s := detect.Series{Source: source.Source{Ecosystem: eco}}
		if ok {
			s.Succeeded = 1
		}
		if day > 0 {
			s.Newest = time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)
		}
		return s
	}
	all := []detect.Series{at("go", 3, true), at("go", 1, true), at("go", 9, false), at("go", 0, true), at("npm", 2, true)}
	want := map[int]time.Duration{0: 0, 1: 48 * time.Hour, 2: 0, 4: 0}
	if diff := cmp.Diff(want, detect.Lags(all)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
