package ecosystem

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
)

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 minutes", time.Minute: "1 minute", 90 * time.Minute: "90 minutes", 2 * time.Hour: "2 hours", 47 * time.Hour: "47 hours",
		48 * time.Hour: "2 days", 71 * time.Hour: "2 days", 72 * time.Hour: "3 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}

// An age that is reached to the second is enough.
func TestTooYoung(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600))
	q := Inquiry{Now: now, Age: 72 * time.Hour}
	r := Release{Name: "x", Version: "1", Origin: "change", At: []lockfile.Position{{File: "a", Line: 1}, {File: "b", Line: 2}}}
	if got := q.TooYoung("npm", r, now.Add(-72*time.Hour), "published"); got != nil {
		t.Errorf("%+v", got)
	}
	got := q.TooYoung("npm", r, now.Add(-72*time.Hour+time.Second), "published")
	if len(got) != 2 || got[1].File != "b" || got[0].Detail != "was published 2 days ago (2026-11-20T11:00Z); at least 3 days are asked for" {
		t.Errorf("%+v", got)
	}
}

// A date may lie as far away as it likes.
func TestFarDates(t *testing.T) {
	t.Parallel()
	q := Inquiry{Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Age: time.Hour}
	got := q.TooYoung("go", Release{At: make([]lockfile.Position, 1)}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), "committed")
	if len(got) != 1 || got[0].Detail != "was committed 106751 days from now (9999-01-01T00:00Z); at least 60 minutes are asked for" {
		t.Errorf("%+v", got)
	}
	if got := q.TooYoung("go", Release{At: make([]lockfile.Position, 1)}, time.Date(-9999, 1, 1, 0, 0, 0, 0, time.UTC), "committed"); got != nil {
		t.Errorf("%+v", got)
	}
}

func TestGather(t *testing.T) {
	t.Parallel()
	fact := func(name, kind, detail string) []decide.Flagged {
		return []decide.Flagged{{Name: name, Kind: kind, Detail: detail}}
	}
	var all [][]decide.Flagged
	for i := range maxFacts + 5 {
		all = append(all, fact(fmt.Sprint(i), decide.FlagYoung, "is young"), fact(fmt.Sprint(i), decide.FlagUnknown, "may be young: a.test answered 503"))
	}
	all = append(all, fact("x", decide.FlagUnknown, "may be young: a.test does not have it"), nil, fact("x", decide.FlagDeprecated, "is deprecated"))
	got, untold := Gather(all)
	if len(got) != maxFacts+3 || untold != 5 {
		t.Errorf("%d facts, %d untold", len(got), untold)
	}
	tail := append(got[1:2:2], got[maxFacts+1:]...)
	want := []decide.Flagged{{Name: "0", Kind: decide.FlagUnknown, Detail: fmt.Sprintf("and %d more may be young: a.test answered 503", maxFacts+4)},
		{Name: "x", Kind: decide.FlagUnknown, Detail: "may be young: a.test does not have it"}, {Name: "x", Kind: decide.FlagDeprecated, Detail: "is deprecated"}}
	if d := cmp.Diff(want, tail); d != "" {
		t.Error(d)
	}
}

// Each is called once, the first alone.
func TestEach(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 100} {
		var calls [100]atomic.Int32
		var first atomic.Bool
		Each(n, 7, func(i int) {
			if i > 0 && !first.Load() {
				t.Errorf("%d before the first has ended", i)
			}
			calls[i].Add(1)
			first.Store(true)
		})
		for i := range calls {
			if want := int32(min(1, max(0, n-i))); calls[i].Load() != want {
				t.Errorf("%d of %d was called %d times", i, n, calls[i].Load())
			}
		}
	}
}
