package report

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// sampled is a source that answers well, each time after about as long.
func sampled(s source.Source, via string, n int, about time.Duration) detect.Series {
	spread := func(trips int) detect.Spread {
		median := about * time.Duration(trips)
		return detect.Spread{N: n, Min: median * 9 / 10, Median: median, P95: median * 14 / 10}
	}
	return detect.Series{Source: s, Via: via, Tried: n, Succeeded: n, Content: detect.Yes, ChecksumDB: detect.Yes, Cold: spread(3), Warm: spread(1),
		Name: detect.Spread{N: n, Min: msec, Median: msec, P95: 2 * msec}, Connect: spread(1), TLS: spread(1), Total: spread(3), LogLookup: spread(1),
		Throughput: detect.Rates{N: 1, Min: 2_400_000, Median: 2_400_000, P95: 2_400_000}, Addresses: []string{"192.0.2.7"}, Newest: time.Unix(1_790_000_000, 0)}
}

// mirrors is what mirrors tells of sources of every kind, some of which a stranger named.
func mirrors() Outcome {
	off := src("proxy.golang.com.cn", source.Go, source.ModuleProxy, "https://proxy.golang.com.cn")
	off.Off = "its operator could not be confirmed"
	cn := goproxyCN
	cn.Operator, cn.Region, cn.Claim, cn.Checked, cn.Origin = "Goproxy.cn", "CN", "its own README", "2026-11-22", source.Builtin
	old := sampled(cn, detect.ViaDirect, 5, 84*msec)
	old.Newest, old.ChecksumDB, old.LogLookup = old.Newest.Add(-31*24*time.Hour), detect.No, detect.Spread{}
	shaky := sampled(withLogin, detect.ViaDirect, 3, 9*msec)
	shaky.Source.Origin = source.User
	shaky.Tried, shaky.Failures = 5, []detect.Failure{{Reason: "answered 503", Fault: detect.StatusFault, Count: 2}}
	shaky.Redirects, shaky.Addresses = []string{"cdn.corp.test"}, []string{"192.0.2.8", "2001:db8::8"}
	shaky.Warm, shaky.Newest, shaky.LoadReason, shaky.Throughput = detect.Spread{}, shaky.Newest.Add(-3*time.Hour), "answered 404", detect.Rates{}
	evil := src("::error::evil\u202e|<b>@me", source.Go, source.ModuleProxy, "https://ci:hunter2@evil.test")
	evil.Operator, evil.Region = "##[error] [x](https://ci:hunter2@evil.test)\x1b[2J", "`|\r"
	liar := sampled(evil, detect.ViaDirect, 5, msec)
	liar.Content, liar.LoadReason, liar.Redirects = detect.No, "served another zip\u202e|`", []string{"https://ci:hunter2@evil.test\x1b"}
	silent := detect.Series{Source: src("slow.test", source.Go, source.ModuleProxy, "https://slow.test"), Via: detect.ViaDirect, Tried: 2, GaveUp: true,
		Failures: []detect.Failure{{Reason: "connected, then no answer within 5s", Fault: detect.SilentFault, Count: 2}}}
	late := detect.Series{Source: src("late.test", source.Go, source.ModuleProxy, "https://late.test"), Via: detect.ViaDirect, Cut: true}
	quiet := sampled(src("half.test", source.Go, source.ModuleProxy, "https://half.test"), detect.ViaDirect, 1, 400*msec)
	quiet.Tried, quiet.GaveUp, quiet.Cut, quiet.Failures = 3, true, true, []detect.Failure{{Reason: "no connection within 2.5s", Fault: detect.DialFault, Count: 2}}
	db := sampled(src("sum.golang.org", source.Go, source.ChecksumDB, "https://sum.golang.org"), detect.ViaProxy, 5, 30*msec)
	db.Source.Origin, db.ChecksumDB, db.LogLookup, db.Throughput, db.Newest = source.Builtin, detect.NotKnown, detect.Spread{}, detect.Rates{}, time.Time{}
	npm := detect.Series{Source: npmOfficial, Via: detect.ViaProxy, Tried: 5, Failures: []detect.Failure{{Reason: "the proxy refuses it (403)", Fault: detect.ProxyFault, Count: 5}}}
	return Outcome{
		Command: "mirrors", Dir: ".", Duration: 7 * time.Second,
		Problem: problem.New(problem.Unanswered, "mirrors", "look at the reasons in the table", "no source for npm gave what was asked for"),
		Mirrors: &Mirrors{Samples: 5, Loads: 1, Sources: choose.Rank([]detect.Series{npm, db, late, silent, liar, shaky, old, quiet,
			sampled(off, detect.ViaDirect, 5, 5*msec), sampled(goOfficial, detect.ViaDirect, 5, 12*msec), sampled(goOfficial, detect.ViaProxy, 5, 20*msec)})},
		NotAsked: []string{"corp.test for go: the policies do not accept it by its name"},
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "", -1: "", 1: "▏", 100: "█", 150: "█▌", 800: "████████"} {
		if got := bar(d, 800); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
	if got := bar(5, 0); got != "" {
		t.Errorf("%q", got)
	}
	for d := range time.Duration(1000) {
		if n := utf8.RuneCountInString(bar(d, 999)); n > barWidth || d > 0 && n == 0 {
			t.Fatalf("%d has %d characters", d, n)
		}
	}
}

// The last line names the best of each, and never one that is none.
func TestBest(t *testing.T) {
	t.Parallel()
	off := npmOfficial
	off.Off = "why"
	for want, all := range map[string][]detect.Series{
		"no source was asked": nil,
		"go: official answers (warm 12 ms, cold 36 ms, through the proxy)": {sampled(goOfficial, detect.ViaProxy, 1, 12*msec)},
		"go: goproxy.cn is the best of 2 (warm 12 ms, cold 36 ms); npm: none of 1 is verified": {sampled(goproxyCN, detect.ViaDirect, 1, 12*msec),
			{Source: goOfficial}, {Source: npmOfficial}},
		"npm: only what is switched off answers": {sampled(off, detect.ViaDirect, 1, msec)},
	} {
		m := &Mirrors{Sources: choose.Rank(all)}
		if got := m.best(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	o := mirrors()
	if got := Line(o); !strings.HasPrefix(got, "goproxy-action: go: official is the best of 8 (warm 12 ms, cold 36 ms); npm: none of 1 is verified; not asked") {
		t.Errorf("%q", got)
	}
	if !o.Mirrors.Answered("go") || o.Mirrors.Answered("npm") || o.Mirrors.Answered("pypi") {
		t.Error("who answered")
	}
	// what failed before anything was measured
	o = Outcome{Command: "mirrors", Problem: errors.New("x")}
	if got := render(t, func(w io.Writer) error { return JSON(w, o) }); !strings.Contains(got, `"mirrors": []`) {
		t.Errorf("%s", got)
	}
}
