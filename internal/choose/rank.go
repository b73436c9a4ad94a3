package choose

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// Ranked is a series at its place.
type Ranked struct {
	detect.Series
	// Place counts from 1 among the sources of one ecosystem and one kind that are verified and on; 0 for all others.
	Place int
	// Why is why it is not the first, in words fit for a person; empty for the first.
	Why string
	// Lag is by how much its newest version lies behind that of the others; nil where that is not known.
	Lag *time.Duration
}

// Rank puts the best first for each ecosystem, module proxies and registries before checksum databases: those that are
// verified before those that are switched off, and these before those that are not verified; then those of whose samples
// fewer failed, since one failure costs a build more than any slowness; then those that answer sooner over a kept
// connection, which most of a job's questions go over. The result does not depend on the order of all, and holds all.
func Rank(all []detect.Series) []Ranked {
	lags := detect.Lags(all)
	out := make([]Ranked, len(all))
	for i, s := range all {
		out[i].Series = s
		if lag, ok := lags[i]; ok {
			out[i].Lag = &lag
		}
	}
	slices.SortStableFunc(out, func(a, b Ranked) int {
		return cmp.Or(alike(a, b), class(a)-class(b), less(a, b), strings.Compare(a.Source.URL, b.Source.URL), strings.Compare(a.Via, b.Via),
			strings.Compare(a.Source.ID, b.Source.ID))
	})
	first := 0
	for i := range out {
		r := &out[i]
		if i == 0 || alike(out[i-1], *r) != 0 {
			first = i
		}
		if class(*r) == sound {
			r.Place = i - first + 1
		}
		if i > first || r.Place == 0 {
			r.Why = why(*r, out[first])
		}
	}
	return out
}

// alike is 0 for two sources that stand in for each other.
func alike(a, b Ranked) int {
	last := func(r Ranked) int {
		if r.Source.Role == source.ChecksumDB {
			return 1
		}
		return 0
	}
	return cmp.Or(strings.Compare(a.Source.Ecosystem, b.Source.Ecosystem), last(a)-last(b))
}

const (
	sound = iota
	off
	unverified
)

func class(r Ranked) int {
	switch {
	case !r.Verified():
		return unverified
	case r.Source.Off != "":
		return off
	}
	return sound
}

// less compares what was measured.
func less(a, b Ranked) int {
	return cmp.Or(
		cmp.Compare((a.Tried-a.Succeeded)*max(b.Tried, 1), (b.Tried-b.Succeeded)*max(a.Tried, 1)), // as fractions
		cmp.Compare(b.Succeeded, a.Succeeded),
		cmp.Compare(soon(a), soon(b)),
		cmp.Compare(a.Cold.Median, b.Cold.Median),
		cmp.Compare(b.Throughput.Median, a.Throughput.Median))
}

// soon is how long a question of many takes: where no connection is kept, each takes a new one.
func soon(r Ranked) time.Duration {
	if r.Warm.N == 0 {
		return r.Cold.Median
	}
	return r.Warm.Median
}

func why(r, first Ranked) string {
	var out []string
	failed := r.Tried - r.Succeeded
	switch {
	case r.Content == detect.No && r.LoadReason != "" && len(r.Failures) == 0:
		return r.LoadReason
	case r.Succeeded == 0 && len(r.Failures) == 0:
		return "no answer before the time was up"
	case r.Succeeded == 0:
		return r.Failures[0].Reason
	case failed > 0 && len(r.Failures) > 0:
		out = append(out, fmt.Sprintf("%d of %d samples failed: %s", failed, r.Tried, r.Failures[0].Reason))
	}
	if r.Source.Off != "" {
		out = append(out, "switched off: "+r.Source.Off)
	}
	if later := soon(r) - soon(first); len(out) == 0 && later > 0 {
		out = append(out, "slower by "+strconv.FormatFloat(float64(later)/float64(time.Millisecond), 'f', 1, 64)+" ms")
	} else if len(out) == 0 {
		out = append(out, "new connections take longer")
	}
	return strings.Join(out, "; ")
}
