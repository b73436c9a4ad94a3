package choose

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// Strategies by their names in settings and reports.
const (
	// Stay is the strategy "keep": what is in force stays as long as it works, and nobody else is asked.
	Stay       = "keep"
	Latency    = "latency"
	Throughput = "throughput"
	Weighted   = "weighted"
	Failover   = "failover"
	Consistent = "consistent"
	Regional   = "regional"
	// Auto is one of the others, by what was seen and wished.
	Auto = "auto"
)

// ManyJobs is how many parallel jobs are a fleet: below it one source bears them as it bears one developer, whose tools
// open up to this many connections each.
const ManyJobs = 8

// Terms are what the user wishes of a choice. The zero value is the strategy "keep".
type Terms struct {
	// Strategy is one of the names above; empty means keep.
	Strategy string
	// Weights are by the id of a source or by its host; nil means equal ones. Zero is for what is chosen only where nothing
	// else works. Sources without one come after those that have one.
	Weights map[string]int
	// Order are ids of sources or hosts, the first choice first; sources that it lacks come behind.
	Order []string
	// Region is compared with the parts of the catalogue's column, without regard to case.
	Region string
	// MaxLag is how far a replica may lie behind the newest one; zero is DefaultMaxLag.
	MaxLag time.Duration
	// Consistent tells Auto that all jobs shall see the same versions.
	Consistent bool
	// Jobs is how many jobs run in parallel, as far as that is known; zero where it is not.
	Jobs int
	// Key tells one job from another, and is the same in each run of a job.
	Key string
	// Now is the time of the choice: a replica's newest version is not believed to come from the future. Zero believes it.
	Now time.Time
}

// DefaultMaxLag is a day: mirrors that copy once a night are behind by as much at most, and what a mirror lacks for longer
// it has stopped to copy.
const DefaultMaxLag = 24 * time.Hour

// skew is how far the clock of a runner may be wrong.
const skew = time.Hour

// strategy is what tells one strategy from another on the common road of Choose.
type strategy struct {
	// order gives the sources in order of preference, from usable ones in the order of the wish; it may leave some out. said
	// is why the first one is the first, in words that follow its name.
	order func(t Terms, w Wish, list []answer) (ordered []answer, said string)
	// stays is true where what is in force is not left as long as it works.
	stays bool
	// single is true where packages come from one source alone.
	single bool
}

var strategies = map[string]strategy{
	Stay:       {order: keeping, stays: true},
	Latency:    {order: fastest},
	Throughput: {order: widest},
	Weighted:   {order: drawn},
	Failover:   {order: inTurn},
	Consistent: {order: freshest, single: true},
	Regional:   {order: nearest},
}

// Strategies are the names of all strategies, the default first.
func Strategies() []string {
	return []string{Stay, Latency, Throughput, Weighted, Failover, Consistent, Regional, Auto}
}

// Eager tells whether these terms ask every source that may be chosen, whatever is in force: all strategies but keep do,
// and auto where it will not be keep even if all is well.
func (t Terms) Eager() bool {
	if t.Strategy == Auto {
		return t.Jobs >= ManyJobs || t.Consistent
	}
	return t.name() != Stay
}

func (t Terms) name() string { return cmp.Or(t.Strategy, Stay) }

// Loads tells whether the terms need Row.Throughput.
func (t Terms) Loads() bool { return t.Strategy == Throughput }

// Dates tells whether the terms need Row.Newest.
func (t Terms) Dates() bool {
	return t.Strategy == Consistent || t.Strategy == Auto && t.Consistent && t.Jobs < ManyJobs
}

// resolve is the strategy that decides, and why it does where Auto took it. Where nothing may be changed that is keep.
func (t Terms) resolve(w Wish, rows []detect.Row) (name, why string) {
	switch {
	case w.Frozen != "":
		return Stay, ""
	case t.Strategy != Auto:
		return t.name(), ""
	}
	if failed := t.failed(w, rows); failed != "" {
		return Failover, "auto takes failover, because " + failed
	}
	switch {
	case t.Jobs >= ManyJobs:
		return Weighted, fmt.Sprintf("auto takes weighted, because %d jobs run in parallel", t.Jobs)
	case t.Consistent:
		return Consistent, "auto takes consistent, because a greatest lag is set"
	}
	return Stay, "auto takes keep, because nothing failed and nothing else is asked for"
}

// failed names a source that failed now or lately, of those in force and those that the user names: that some mirror of
// the catalogue is out of reach says nothing of what the job needs. Empty where none did.
func (t Terms) failed(w Wish, rows []detect.Row) string {
	for i, s := range slices.Concat(w.InForce, w.Candidates) {
		if i >= len(w.InForce) && s.Origin != source.User && rankOf(t.Order, s) < 0 && t.weight(s) == nil || !w.allowed(s) {
			continue
		}
		for _, r := range rows {
			if r.Source.URL == s.URL && r.Via == w.Via(s) && !r.OK && !r.Absent && r.Fault != detect.PolicyFault {
				return shown(s) + " failed"
			}
		}
		if i < len(w.InForce) && w.Health[s.ID].Doubtful() {
			return shown(s) + " failed lately"
		}
	}
	return ""
}

// answer is the best row of one source.
type answer struct {
	row detect.Row
	way string
	// source is the one of the wish.
	source source.Source
	// group is 0 for what is in force, 1 for the user's further sources, 2 for the rest; place is that in the wish.
	group, place int
}

// own is 0 for a source that may hold modules or packages of the user's own, and 1 for the others: whatever the strategy,
// those are not left for a public one by themselves, which lacks what they hold and would be told its name.
func (a answer) own() int {
	if own(a.source) {
		return 0
	}
	return 1
}

func own(s source.Source) bool { return s.Origin == source.User || !s.Public }

func (a answer) id() string { return a.row.Source.ID }

// byFirstByte is the last word of most orders.
func byFirstByte(a, b answer) int {
	return cmp.Or(cmp.Compare(a.row.FirstByte, b.row.FirstByte), cmp.Compare(a.id(), b.id()), cmp.Compare(a.place, b.place))
}

// clearlyFaster tells whether it is worth leaving b for a.
func clearlyFaster(a, b answer) bool {
	gain := b.row.FirstByte - a.row.FirstByte
	return gain >= clearGain && gain*100 >= b.row.FirstByte*clearGainPart
}

// clearlyWider tells whether a's throughput makes it worth leaving b.
func clearlyWider(a, b answer) bool {
	gain := a.row.Throughput - b.row.Throughput
	return gain > 0 && float64(gain)*100 >= float64(b.row.Throughput)*clearGainPart
}

// stick moves the previous choice to the front unless the first one is of a better group, or clearly better.
func stick(list []answer, previous string, group func(answer) int, better func(a, b answer) bool) (sorted []answer, stuck bool) {
	i := slices.IndexFunc(list, func(a answer) bool { return a.id() == previous })
	if previous == "" || i <= 0 || group(list[i]) != group(list[0]) || better(list[0], list[i]) {
		return list, false
	}
	a := list[i]
	return slices.Insert(slices.Delete(list, i, i+1), 0, a), true
}

// incumbent is what was chosen before, else what is in force.
func (w Wish) incumbent() string {
	if w.Previous == "" && len(w.InForce) > 0 {
		return w.InForce[0].ID
	}
	return w.Previous
}

// keeping: what is in force, the user's own further sources, then by latency.
func keeping(_ Terms, w Wish, list []answer) ([]answer, string) {
	group := func(a answer) int { return a.group }
	slices.SortStableFunc(list, func(a, b answer) int { return cmp.Or(cmp.Compare(a.group, b.group), byFirstByte(a, b)) })
	list, _ = stick(list, w.Previous, group, clearlyFaster)
	return list, ""
}

// fastest: by the time to the first byte.
func fastest(_ Terms, w Wish, list []answer) ([]answer, string) {
	return speediest(w, list, answer.own)
}

// speediest is by a group, then by the time to the first byte.
func speediest(w Wish, list []answer, group func(answer) int) ([]answer, string) {
	slices.SortStableFunc(list, func(a, b answer) int { return cmp.Or(cmp.Compare(group(a), group(b)), byFirstByte(a, b)) })
	list, stuck := stick(list, w.incumbent(), group, clearlyFaster)
	switch {
	case len(list) == 0:
		return nil, ""
	case stuck:
		return list, "it was in use, and no other is clearly faster"
	case slices.ContainsFunc(list[1:], func(a answer) bool { return clearlyFaster(a, list[0]) }):
		return list, "it is your own, which comes before public ones"
	}
	return list, "its first byte came earliest of " + count(len(list))
}

func count(n int) string {
	if n == 1 {
		return "the 1 source that answers"
	}
	return fmt.Sprintf("the %d sources that answer", n)
}

// widest: by throughput; what was not measured comes last.
func widest(_ Terms, w Wish, list []answer) ([]answer, string) {
	slices.SortStableFunc(list, func(a, b answer) int {
		return cmp.Or(cmp.Compare(a.own(), b.own()), cmp.Compare(b.row.Throughput, a.row.Throughput), byFirstByte(a, b))
	})
	list, stuck := stick(list, w.incumbent(), answer.own, func(a, b answer) bool {
		if a.row.Throughput == 0 {
			return clearlyFaster(a, b)
		}
		return clearlyWider(a, b)
	})
	switch {
	case len(list) == 0:
		return nil, ""
	case stuck:
		return list, "it was in use, and no other has clearly more throughput"
	case list[0].row.Throughput == 0:
		return list, "no throughput could be measured, and its first byte came earliest"
	case slices.ContainsFunc(list[1:], func(a answer) bool { return clearlyWider(a, list[0]) }):
		return list, "it is your own, which comes before public ones"
	}
	return list, fmt.Sprintf("it has the most throughput (%.1f MB/s) of %s", float64(list[0].row.Throughput)/1e6, count(len(list)))
}

// drawn: each job draws its source by the weights (rendezvous hashing with weights: the greatest of -weight/ln(hash)), so
// that the same job draws the same one, and one that goes away or comes back moves only the jobs that drew it. Without
// weights all that are not clearly slower than the fastest have the same.
func drawn(t Terms, _ Wish, list []answer) ([]answer, string) {
	if len(list) == 0 {
		return nil, ""
	}
	group := func(a answer) int { // of sources with a weight, without one, and with none
		switch weight := t.weight(a.source); {
		case weight == nil:
			return 1 + a.own()
		case *weight == 0:
			return 3
		}
		return 0
	}
	if len(t.Weights) == 0 {
		quickest := slices.MinFunc(list, func(a, b answer) int { return cmp.Or(cmp.Compare(a.own(), b.own()), byFirstByte(a, b)) })
		group = func(a answer) int {
			if a.own() == quickest.own() && clearlyFaster(quickest, a) {
				return 1
			}
			return 2 * (a.own() - quickest.own())
		}
	}
	type ticket struct {
		group, weight int
		score         float64
	}
	tickets, sum := make(map[string]ticket, len(list)), 0
	for _, a := range list {
		x := ticket{group: group(a), weight: 1}
		if weight := t.weight(a.source); weight != nil {
			x.weight = max(*weight, 1)
		}
		hash := sha256.Sum256([]byte(t.Key + "\x00" + a.id()))
		// 53 bits are what a float64 holds; half a step keeps it off 0 and 1
		x.score = -float64(x.weight) / math.Log((float64(binary.BigEndian.Uint64(hash[:])>>11)+0.5)/(1<<53))
		tickets[a.row.Source.URL] = x
	}
	slices.SortStableFunc(list, func(a, b answer) int {
		x, y := tickets[a.row.Source.URL], tickets[b.row.Source.URL]
		return cmp.Or(cmp.Compare(x.group, y.group), cmp.Compare(y.score, x.score), cmp.Compare(a.id(), b.id()))
	})
	first := tickets[list[0].row.Source.URL]
	for _, x := range tickets {
		if x.group == first.group {
			sum += x.weight
		}
	}
	return list, fmt.Sprintf("this job drew it by weight (%d of %d)", first.weight, sum)
}

// weight is what the user gave a source, or nil.
func (t Terms) weight(s source.Source) *int {
	for _, name := range names(s) {
		if weight, ok := t.Weights[name]; ok {
			return &weight
		}
	}
	return nil
}

// names are those by which a user may mean a source: its id, then its host with the port and without.
func names(s source.Source) []string {
	out := []string{s.ID}
	if loc, err := source.Locate(s.URL); err == nil {
		out = append(out, loc.HostPort(), loc.Host)
	}
	return out
}

// Named tells whether a user means a source by a name in Weights or Order.
func Named(s source.Source, name string) bool { return slices.Contains(names(s), name) }

func rankOf(order []string, s source.Source) int {
	if len(order) == 0 {
		return -1
	}
	all := names(s)
	return slices.IndexFunc(order, func(name string) bool { return slices.Contains(all, name) })
}

// inTurn: in the user's order, then as the wish has them. A source that is bad comes last, though it answers just now, and
// what stands before the one in use is taken back only when it is well again.
func inTurn(t Terms, w Wish, list []answer) ([]answer, string) {
	turn := make(map[string]int, len(list))
	for _, a := range list {
		i := rankOf(t.Order, a.source)
		if i < 0 {
			i = len(t.Order) + a.group
		}
		turn[a.row.Source.URL] = i
	}
	slices.SortStableFunc(list, func(a, b answer) int {
		return cmp.Or(cmp.Compare(turn[a.row.Source.URL], turn[b.row.Source.URL]), cmp.Compare(a.place, b.place))
	})
	if len(list) == 0 {
		return nil, ""
	}
	top := list[0].source
	previous := slices.IndexFunc(list, func(a answer) bool { return a.id() == w.Previous })
	late := map[string]bool{}
	for i, a := range list {
		h := w.Health[a.id()]
		late[a.row.Source.URL] = h.Bad() || i < previous && h.Doubtful()
	}
	slices.SortStableFunc(list, func(a, b answer) int {
		x, y := late[a.row.Source.URL], late[b.row.Source.URL]
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	})
	switch first := list[0]; {
	case late[first.row.Source.URL]:
		return list, "it failed lately, and so did all others that answer"
	case first.source.URL != top.URL:
		return list, fmt.Sprintf("it is next in turn; %s answers, and is taken back after %d good probes in a row", shown(top), Rise)
	}
	return list, "it is the first in turn that answers"
}

// freshest: the one in use, else what is in force, else as the wish has them, and not by speed, so that all jobs come to
// the same. A replica that lags too far is left out, unless it is the user's own; one whose lag nobody knows comes behind
// those known to be fresh.
func freshest(t Terms, w Wish, list []answer) ([]answer, string) {
	limit := cmp.Or(t.MaxLag, DefaultMaxLag)
	date := func(a answer) time.Time {
		if n := a.row.Newest; t.Now.IsZero() || !n.After(t.Now.Add(skew)) {
			return n
		}
		return time.Time{}
	}
	var newest time.Time
	for _, a := range list {
		if d := date(a); d.After(newest) {
			newest = d
		}
	}
	lags := func(a answer) bool { return !date(a).IsZero() && newest.Sub(date(a)) > limit }
	var lagging []string
	for _, a := range list {
		if lags(a) {
			lagging = append(lagging, fmt.Sprintf("%s, which lags by %s", shown(a.source), span(newest.Sub(date(a)))))
		}
	}
	list = slices.DeleteFunc(list, func(a answer) bool { return lags(a) && !own(a.source) })
	rank := func(a answer) int {
		switch {
		case lags(a):
			return 3 // of the user's own: what only it holds nobody else has at all
		case a.id() == w.Previous:
			return 0
		case !date(a).IsZero() || newest.IsZero():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b answer) int {
		return cmp.Or(cmp.Compare(a.own(), b.own()), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.group, b.group), cmp.Compare(a.place, b.place))
	})
	if len(list) == 0 {
		return nil, ""
	}
	said := "it is the one source of all jobs, and nobody knows how fresh"
	if d := date(list[0]); !d.IsZero() {
		said = "it is the one source of all jobs, and lags by " + span(newest.Sub(d))
	}
	if len(lagging) > 0 && !lags(list[0]) {
		slices.Sort(lagging)
		said += "; passed over: " + strings.Join(lagging, ", ")
	}
	return list, said
}

// span is a lag in words.
func span(d time.Duration) string {
	switch {
	case d == 0:
		return "nothing"
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// nearest: those of the user's region, then by the time to the first byte.
func nearest(t Terms, w Wish, list []answer) ([]answer, string) {
	there := func(a answer) bool {
		return slices.ContainsFunc(strings.Split(a.source.Region, ","), func(part string) bool {
			return t.Region != "" && strings.EqualFold(strings.TrimSpace(part), t.Region)
		})
	}
	list, said := speediest(w, list, func(a answer) int {
		if there(a) {
			return 2 * a.own()
		}
		return 2*a.own() + 1
	})
	region := source.Plain(t.Region, 60)
	switch {
	case len(list) == 0:
		return nil, ""
	case there(list[0]):
		return list, fmt.Sprintf("it is of the region %s; %s", region, said)
	case slices.ContainsFunc(list, there):
		return list, "it is your own, which comes before public ones"
	}
	return list, fmt.Sprintf("no source of the region %s answers; %s", region, said)
}
