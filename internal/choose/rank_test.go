package choose

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

func anySeries(r *rand.Rand, i int) detect.Series {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	s := detect.Series{Source: source.Source{URL: fmt.Sprintf("https://%d.test", i), Ecosystem: pick("go", "npm", "pypi"),
		Role: pick(source.ModuleProxy, source.Registry, source.ChecksumDB), Off: pick("", "", "nobody runs it")}, Via: pick("direct", "proxy")}
	s.Tried = r.IntN(6)
	s.Succeeded = r.IntN(s.Tried + 1)
	if s.Tried > s.Succeeded {
		s.Failures = []detect.Failure{{Reason: "answered 503", Fault: detect.StatusFault, Count: s.Tried - s.Succeeded}}
	}
	if s.Succeeded > 0 {
		d := time.Duration(1+r.IntN(4)) * time.Millisecond
		s.Cold = detect.Spread{N: s.Succeeded, Median: 3 * d}
		if r.IntN(2) == 0 {
			s.Warm = detect.Spread{N: s.Succeeded, Median: d}
		}
		s.Content = detect.Yes
		if r.IntN(4) == 0 {
			s.Content, s.LoadReason = detect.No, "served another zip"
		}
		if r.IntN(2) == 0 {
			s.Newest = time.Unix(int64(1_700_000_000+r.IntN(9)*86400), 0)
		}
	}
	return s
}

// Whatever was measured: all are there, verified ones stand before the others of their kind, places count up from 1, the
// order of what comes in makes no difference, and whoever is not first is told why.
func TestRankProperties(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 6)) // the same series at each run
	for range 2000 {
		var all []detect.Series
		for i := range r.IntN(12) {
			all = append(all, anySeries(r, i))
		}
		before := slices.Clone(all)
		ranked := Rank(all)
		if diff := cmp.Diff(before, all); diff != "" {
			t.Fatalf("the input has changed:\n%s", diff)
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if diff := cmp.Diff(ranked, Rank(all)); diff != "" {
			t.Fatalf("it depends on the order:\n%s", diff)
		}
		if len(ranked) != len(all) {
			t.Fatalf("%d of %d", len(ranked), len(all))
		}
		seen := map[string]bool{}
		place := 0
		for i, now := range ranked {
			seen[now.Source.URL] = true
			begins := i == 0 || alike(ranked[i-1], now) != 0
			if begins {
				place = 0
			}
			if !begins {
				last := ranked[i-1]
				if class(last) > class(now) {
					t.Fatalf("%+v stands before %+v", last, now)
				}
				if last.Place > 0 && now.Place > 0 && last.Succeeded*now.Tried < now.Succeeded*last.Tried {
					t.Fatalf("the more reliable comes later: %+v, %+v", last, now)
				}
			}
			good := now.Verified() && now.Source.Off == ""
			if good {
				place++
			}
			if good != (now.Place > 0) || good && now.Place != place {
				t.Fatalf("place %d of %+v", now.Place, now)
			}
			if (now.Why == "") != (now.Place == 1) {
				t.Fatalf("place %d, why %q", now.Place, now.Why)
			}
		}
		if len(seen) != len(all) {
			t.Fatalf("%d of %d are there", len(seen), len(all))
		}
	}
}

func TestRankSaysWhy(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	at := func(id string, tried, ok int, warm time.Duration, reason string) detect.Series {
		s := detect.Series{Source: source.Source{ID: id, URL: "https://" + id, Ecosystem: "go"}, Tried: tried, Succeeded: ok, Content: detect.Yes,
			Cold: detect.Spread{N: ok, Median: 3 * warm}, Warm: detect.Spread{N: ok, Median: warm}}
		if reason != "" {
			s.Failures = []detect.Failure{{Reason: reason, Count: tried - ok}, {Reason: "another", Count: 0}}
		}
		return s
	}
	unconfirmed := at("off", 5, 5, ms, "")
	unconfirmed.Source.Off = "nobody knows who runs it"
	liar := at("liar", 5, 5, ms, "")
	liar.Content, liar.LoadReason = detect.No, "served another zip"
	equal := at("equal", 5, 5, 12*ms, "")
	equal.Cold.Median++
	closes := at("closes", 5, 5, 5*ms, "") // 15 ms for each question
	closes.Warm = detect.Spread{}
	var got []string
	for _, r := range Rank([]detect.Series{at("dead", 5, 0, 0, "connection refused"), liar, unconfirmed, at("shaky", 5, 3, ms, "answered 503"),
		at("slow", 5, 5, 84*ms, ""), at("best", 5, 5, 12*ms, ""), equal, closes, at("late", 0, 0, 0, "")}) {
		got = append(got, fmt.Sprintf("%d %s: %s", r.Place, r.Source.ID, r.Why))
	}
	want := []string{"1 best: ", "2 equal: new connections take longer", "3 closes: slower by 3.0 ms", "4 slow: slower by 72.0 ms",
		"5 shaky: 2 of 5 samples failed: answered 503", "0 off: switched off: nobody knows who runs it", "0 liar: served another zip",
		"0 late: no answer before the time was up", "0 dead: connection refused"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
