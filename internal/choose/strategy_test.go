package choose

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// The settings allow exactly the strategies that there are.
func TestStrategiesAreThoseOfTheSettings(t *testing.T) {
	t.Parallel()
	for _, s := range config.Settings() {
		if s.Name == "strategy" && !slices.Equal(s.Allowed, Strategies()) {
			t.Errorf("settings %q, strategies %q", s.Allowed, Strategies())
		}
	}
	for _, name := range Strategies() {
		if _, ok := strategies[name]; !ok && name != Auto {
			t.Errorf("%s cannot choose", name)
		}
	}
}

// world is one random case.
type world struct {
	t    Terms
	w    Wish
	rows []detect.Row
	// refused are the URLs that policy does not accept.
	refused map[string]bool
}

// random makes a world of up to eleven sources of every kind; many of its cases are ones that no real network has.
func random(r *rand.Rand, strategy string) world {
	x := world{refused: map[string]bool{}}
	coin := func(percent int) bool { return r.IntN(100) < percent }
	way := func() string {
		if coin(70) {
			return detect.ViaDirect
		}
		return detect.ViaProxy
	}
	ways := map[string]string{}
	var all []source.Source
	for i := range r.IntN(12) {
		s := source.Source{ID: fmt.Sprintf("s%d", i), Ecosystem: source.Go, URL: fmt.Sprintf("https://s%d.test", i), Origin: source.Builtin,
			Public: true, Region: []string{"", "CN", "global, CN", "EU"}[r.IntN(4)]}
		switch {
		case i == 0:
			s.ID = source.Official
		case coin(15):
			s.Origin, s.Public = source.User, false
		case coin(10):
			s.Origin, s.Public = source.Runner, false
		case coin(10):
			s.URL = fmt.Sprintf("http://s%d.test", i)
		case coin(5):
			s.URL = fmt.Sprintf("http://127.0.0.1:%d", 3000+i)
		case coin(5):
			s.URL += "/a|b"
		case coin(10):
			s.Off = "its operator could not be confirmed"
		}
		x.refused[s.URL] = coin(10)
		ways[s.URL] = way()
		all = append(all, s)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	n := min(r.IntN(4), len(all))
	for i := range n {
		all[i].Off = "" // that is for what we would take by ourselves
	}
	x.w = Wish{Ecosystem: source.Go, InForce: slices.Clone(all[:n]), Candidates: slices.Clone(all[n:]), Health: map[string]Health{},
		Allowed: func(s source.Source) bool { return !x.refused[s.URL] }, Via: func(s source.Source) string { return ways[s.URL] }}
	if coin(70) {
		x.w.SumDB = []source.Source{{ID: "log", URL: "https://log.test"}, {ID: "log2", URL: "https://log2.test"}}
		if coin(15) {
			x.w.SumDBFixed = "sum.test"
		}
	}
	if coin(10) {
		x.w.Frozen = "the project names its own"
	}
	if coin(15) {
		x.w.Guarded = "entries lack sha512"
	}
	if x.w.Direct = coin(50); x.w.Direct {
		x.w.DirectID = "vcs"
		all = append(all, source.Source{ID: "vcs", URL: "https://vcs.test"})
	}
	x.w.DirectRefused = !x.w.Direct && coin(20)
	pick := func() string { return fmt.Sprintf("s%d", r.IntN(12)) }
	if coin(50) {
		x.w.Previous = pick()
	}
	for _, s := range slices.Concat(all, x.w.SumDB) {
		if ways[s.URL] == "" {
			ways[s.URL] = way()
		}
		for _, via := range []string{detect.ViaDirect, detect.ViaProxy} {
			row := detect.Row{Source: s, Via: via, FirstByte: time.Duration(r.IntN(400_000_000)) + time.Millisecond, ChecksumDB: detect.Answer(r.IntN(3))}
			switch {
			case coin(20):
				continue
			case coin(50):
				row.OK, row.Content = true, detect.Yes
			case coin(20):
				row.Absent, row.Reason = true, "answered 404"
			default:
				row.Reason, row.Fault = "connection refused", detect.DialFault
			}
			if coin(60) {
				row.Throughput, row.Newest = r.Int64N(50_000_000), noon.Add(-time.Duration(r.IntN(96))*time.Hour)
			}
			x.rows = append(x.rows, row)
		}
		for h := (Health{}); coin(40); x.w.Health[s.ID] = h {
			h = h.After(coin(60), h.At.Add(Interval))
		}
	}
	x.t = Terms{Strategy: strategy, Region: "cn", Jobs: r.IntN(16), Consistent: coin(30), Key: fmt.Sprint(r.Uint64()), Now: noon}
	for coin(60) {
		x.t.Order = append(x.t.Order, pick())
	}
	for coin(60) {
		if x.t.Weights == nil {
			x.t.Weights = map[string]int{}
		}
		x.t.Weights[pick()] = r.IntN(5)
	}
	return x
}

// told and String are a choice and a world in few words.
func told(c Choice) string {
	return fmt.Sprintf("choice by %s: %s, chosen %q, kept %t, sumdb %q: %s\n", c.Strategy, urls(c), c.Chosen, c.Kept, c.SumDB, c.Why)
}

func (x world) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "terms %+v\nfrozen %q, guarded %q, direct %t, refused %t, previous %q, sumdb %d %s, health %v\n", x.t, x.w.Frozen, x.w.Guarded, x.w.Direct, x.w.DirectRefused, x.w.Previous,
		len(x.w.SumDB), x.w.SumDBFixed, x.w.Health)
	for i, s := range slices.Concat(x.w.InForce, x.w.Candidates) {
		fmt.Fprintf(&b, "in force %t, %s %s, origin %s, public %t, off %q, refused %t, via %s\n", i < len(x.w.InForce), s.ID, s.URL, s.Origin, s.Public, s.Off, x.refused[s.URL], x.w.Via(s))
	}
	for _, r := range x.rows {
		fmt.Fprintf(&b, "row %s via %s: ok %t, absent %t, %v, relay %d, %d B/s, %s\n", r.Source.ID, r.Via, r.OK, r.Absent, r.FirstByte, r.ChecksumDB, r.Throughput, r.Newest)
	}
	return b.String()
}

func urls(c Choice) (out []string) {
	for _, p := range c.Sources {
		out = append(out, p.URL)
	}
	return out
}

// wrong is what is wrong with a choice, whatever the strategy; empty where nothing is.
func (x world) wrong(c Choice) string {
	has := func(list []source.Source, url string) *source.Source {
		if i := slices.IndexFunc(list, func(s source.Source) bool { return s.URL == url }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	ok := func(url, via string) bool {
		return slices.ContainsFunc(x.rows, func(r detect.Row) bool { return r.Source.URL == url && r.OK && (via == "" || r.Via == via) })
	}
	lacks := func(s source.Source) bool {
		return slices.ContainsFunc(x.rows, func(r detect.Row) bool {
			return r.Source.URL == s.URL && r.Absent && r.Via == x.w.Via(s)
		})
	}
	plain := func(url string) bool {
		return strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "http://127.")
	}
	switch {
	case c.Why == "" || c.Strategy == "" || c.Strategy == Auto:
		return "says neither why nor by which strategy"
	case x.t.Strategy != Auto && x.w.Frozen == "" && c.Strategy != x.t.Strategy:
		return "another strategy decided"
	case x.w.Frozen != "" && (!c.Kept || c.SumDB != ""):
		return "changes what is frozen"
	case c.GoDirect && (!x.w.Direct || len(c.Sources) == 0):
		return "direct stands alone or was not wished"
	case c.Kept && len(c.Sources) != len(x.w.InForce):
		return "keeps, and not all"
	case plain(c.SumDB):
		return "the checksum database by plain http"
	case c.Kept && c.Chosen != "" && x.w.DirectRefused && c.Strategy != Stay:
		return "keeps direct, which policy refuses"
	}
	if c.Chosen != "" && !slices.ContainsFunc(c.Sources, func(p Picked) bool { return p.ID == c.Chosen }) {
		return "chose what is not in its list"
	}
	if c.Kept {
		return ""
	}
	real := 0
	relayed := false
	for _, p := range c.Sources {
		now, next := has(x.w.InForce, p.URL), has(x.w.Candidates, p.URL)
		relayed = relayed || p.ChecksumDB
		switch {
		case x.refused[p.URL]:
			return "policy refuses " + p.ID
		case now != nil && lacks(*now) && !ok(p.URL, p.Via):
			continue
		case !ok(p.URL, p.Via):
			return p.ID + " was not probed, or failed"
		case p.Via != x.w.Via(p.Source) && x.w.Via(p.Source) == detect.ViaDirect:
			return p.ID + " would need an entry of NO_PROXY taken out"
		case (now == nil || c.Strategy != Stay) && (plain(p.URL) || strings.ContainsAny(p.URL, "|,")):
			return p.ID + " by plain http, or with a separator"
		case now == nil && next.Off != "":
			return p.ID + " is off"
		case now == nil && x.w.Guarded != "" && p.ID != source.Official && p.Origin != source.User:
			return p.ID + " is a mirror, though no mirror may be chosen"
		}
		real++
	}
	if real > 1 && c.Strategy == Consistent {
		return "more sources than one"
	}
	if real > 0 && len(x.w.SumDB) > 0 && !(relayed && x.w.SumDBFixed == "") && c.SumDB == "" && !ok("https://log.test", x.w.Via(x.w.SumDB[0])) {
		return "the checksum database is out of reach"
	}
	return ""
}

// Whatever the strategy and whatever was seen: see wrong. Beside that the order of the rows does not matter, the choice
// stays when it is made again, and again when it is in force.
func TestInvariants(t *testing.T) {
	t.Parallel()
	for _, name := range Strategies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(6, uint64(len(name))))
			changed, kept := 0, 0
			for i := range 2_000 {
				x := random(r, name)
				before := slices.Clone(x.rows)
				c, no := Choose(x.t, x.w, x.rows)
				if !reflect.DeepEqual(before, x.rows) {
					t.Fatalf("case %d: the rows were changed", i)
				}
				if wrong := x.wrong(c); wrong != "" {
					t.Fatalf("case %d: %s\n%s%s", i, wrong, told(c), x)
				}
				r.Shuffle(len(x.rows), func(i, j int) { x.rows[i], x.rows[j] = x.rows[j], x.rows[i] })
				if again, no2 := Choose(x.t, x.w, x.rows); !reflect.DeepEqual(again, c) || !slices.Equal(no, no2) {
					t.Fatalf("case %d: shuffled rows\n%s%s%s", i, told(c), told(again), x)
				}
				if c.Kept {
					kept++
				}
				if c.Kept || len(c.Sources) == 0 || c.Chosen == "" {
					continue
				}
				changed++
				x.w.Previous = c.Chosen
				if again, _ := Choose(x.t, x.w, x.rows); !slices.Equal(urls(again), urls(c)) && !again.Kept {
					t.Fatalf("case %d: made again with the previous choice\n%s%s%s", i, told(c), told(again), x)
				}
				rest := slices.DeleteFunc(slices.Concat(x.w.InForce, x.w.Candidates), func(s source.Source) bool { return slices.Contains(urls(c), s.URL) })
				x.w.InForce, x.w.Candidates, x.w.DirectRefused = nil, rest, false
				for _, p := range c.Sources {
					x.w.InForce = append(x.w.InForce, p.Source)
				}
				if again, _ := Choose(x.t, x.w, x.rows); !slices.Equal(urls(again), urls(c)) && again.Strategy == c.Strategy {
					t.Fatalf("case %d: in force, and left again\n%s%s%s", i, told(c), told(again), x)
				}
			}
			if changed < 200 || kept < 50 {
				t.Errorf("%d cases change something and %d keep it: too few to prove anything", changed, kept)
			}
		})
	}
}

// place is a source with its row in one: "id ms MB/s hours-behind flags", as row has them; "o" is of region CN.
func place(w *Wish, text string) detect.Row {
	var id, flags string
	var ms, wide, behind int
	_, _ = fmt.Sscan(text, &id, &ms, &wide, &behind, &flags)
	r := row(fmt.Sprintf("%s %d %s", id, ms, flags))
	r.Throughput = int64(wide) * 1_000_000
	if behind >= 0 {
		r.Newest = noon.Add(-time.Duration(behind) * time.Hour)
	}
	if strings.Contains(flags, "o") {
		r.Source.Region = "global, CN"
	}
	if !slices.ContainsFunc(w.InForce, func(s source.Source) bool { return s.ID == id }) {
		w.Candidates = append(w.Candidates, r.Source)
	}
	return r
}

func TestStrategies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		terms    Terms
		previous string
		sources  string // divided by semicolons; "now" and "own-now" are in force
		want     string // as ids has it
		why      string
	}{
		{"latency", Terms{Strategy: Latency}, "", "now 200 0 0; a 90 0 0; b 30 0 0", "b", "earliest of the 3 sources that answer"},
		{"latency, no clear gain", Terms{Strategy: Latency}, "", "now 70 0 0; a 30 0 0", "keep now", "no other is clearly faster"},
		{"latency, no clear gain on the previous one", Terms{Strategy: Latency}, "a", "now 20 0 0; a 60 0 0", "a", "no other is clearly faster"},
		{"latency, the fastest failed", Terms{Strategy: Latency}, "", "now 200 0 0; a 0 0 0 !; b 50 0 0", "b", "of the 2 sources"},
		{"latency, one's own is not left for a public one", Terms{Strategy: Latency}, "", "own-now 200 0 0; a 20 0 0", "keep own-now", "your own"},
		{"latency, one's own is not left when dead either, but replaced", Terms{Strategy: Latency}, "", "own-now 0 0 0 !; a 20 0 0", "a", "does not work"},
		{"latency, one's own lacks public ones", Terms{Strategy: Latency}, "", "own-now 5 0 0 404; a 20 0 0", "own-now,a", ""},
		{"throughput", Terms{Strategy: Throughput}, "", "now 10 5 0; a 90 20 0; b 30 9 0", "a", "20.0 MB/s"},
		{"throughput, not measured comes last", Terms{Strategy: Throughput}, "", "now 10 0 0; a 90 1 0", "a", "1.0 MB/s"},
		{"throughput, no clear gain", Terms{Strategy: Throughput}, "", "now 10 10 0; a 90 12 0", "keep now", "clearly more"},
		{"throughput, nobody measured", Terms{Strategy: Throughput}, "", "now 300 0 0; a 30 0 0", "a", "no throughput could be measured"},
		{"weighted, all weight on one", Terms{Strategy: Weighted, Weights: map[string]int{"b": 1}}, "", "now 10 0 0; a 20 0 0; b 300 0 0", "b", "by weight (1 of 1)"},
		{"weighted by host", Terms{Strategy: Weighted, Weights: map[string]int{"b.test": 7}}, "", "now 10 0 0; b 300 0 0", "b", "(7 of 7)"},
		{"weighted, the one with the weight failed", Terms{Strategy: Weighted, Weights: map[string]int{"b": 9, "a": 0}}, "", "now 10 0 0; a 5 0 0; b 0 0 0 !", "keep now", ""},
		{"weighted, weight 0 is the last resort", Terms{Strategy: Weighted, Weights: map[string]int{"a": 0}}, "", "now 0 0 0 !; a 5 0 0", "a", ""},
		{"weighted, slow ones have none by themselves", Terms{Strategy: Weighted}, "", "now 10 0 0; a 900 0 0; b 800 0 0", "keep now", "(1 of 1)"},
		{"failover, the first in force", Terms{Strategy: Failover}, "", "now 300 0 0; a 5 0 0", "keep now", "first in turn"},
		{"failover in the user's order", Terms{Strategy: Failover, Order: []string{"b", "a.test"}}, "", "now 10 0 0; a 20 0 0; b 30 0 0", "b", "first in turn"},
		{"failover, the first failed", Terms{Strategy: Failover, Order: []string{"b", "a.test"}}, "", "now 10 0 0; a 20 0 0; b 30 0 0 !", "a", "first in turn"},
		{"consistent stays, whatever the speed", Terms{Strategy: Consistent, Now: noon}, "a", "now 10 0 0; a 900 0 20", "a", "lags by 20.0 h"},
		{"consistent passes over a lagging replica", Terms{Strategy: Consistent, Now: noon}, "a", "now 10 0 1; a 5 0 30; b 5 0 0", "keep now", "passed over: a, which lags by 30.0 h"},
		{"consistent, a limit of one's own", Terms{Strategy: Consistent, MaxLag: time.Hour, Now: noon}, "", "now 10 0 2; a 5 0 0", "a", "lags by nothing"},
		{"consistent, a date from the future is not believed", Terms{Strategy: Consistent, Now: noon}, "now", "now 10 0 0; a 5 0 -40", "keep now", ""},
		{"consistent, nobody's lag is known", Terms{Strategy: Consistent, Now: noon}, "", "now 10 0 -1; a 5 0 -1", "keep now", "nobody knows how fresh"},
		{"consistent, one's own is not left for being old", Terms{Strategy: Consistent, Now: noon}, "", "own-now 10 0 99; a 5 0 0", "keep own-now", "lags by 4 days"},
		{"regional", Terms{Strategy: Regional, Region: "cn"}, "", "now 10 0 0; a 300 0 0 o; b 90 0 0 o", "b", "of the region cn"},
		{"regional, nobody there", Terms{Strategy: Regional, Region: "EU"}, "", "now 300 0 0; a 20 0 0 o", "a", "no source of the region EU answers"},
		{"regional, those there failed", Terms{Strategy: Regional, Region: "CN"}, "", "now 10 0 0; a 20 0 0 o!", "keep now", "no source of the region CN"},
		{"auto, all is well", Terms{Strategy: Auto}, "", "now 300 0 0; a 20 0 0", "keep now", "auto takes keep"},
		{"auto, what is in force failed", Terms{Strategy: Auto}, "", "now 300 0 0 !; a 90 0 0; b 20 0 0", "a", "auto takes failover, because now failed"},
		{"auto, a mirror of the catalogue failed", Terms{Strategy: Auto}, "", "now 300 0 0; a 90 0 0 !", "keep now", "auto takes keep"},
		{"auto, a source that the user names failed", Terms{Strategy: Auto, Order: []string{"a"}}, "", "now 300 0 0; a 90 0 0 !", "keep now", "auto takes failover, because a failed"},
		{"auto, a fleet", Terms{Strategy: Auto, Jobs: ManyJobs, Weights: map[string]int{"a": 1}}, "", "now 30 0 0; a 20 0 0", "a", "auto takes weighted, because 8 jobs"},
		{"auto, no fleet", Terms{Strategy: Auto, Jobs: ManyJobs - 1, Weights: map[string]int{"a": 1}}, "", "now 30 0 0; a 20 0 0", "keep now", "auto takes keep"},
		{"auto, consistency", Terms{Strategy: Auto, Consistent: true, MaxLag: time.Hour, Now: noon}, "", "now 30 0 9; a 20 0 0", "a", "auto takes consistent"},
		{"auto, a failure before a fleet, a fleet before consistency", Terms{Strategy: Auto, Jobs: 99, Consistent: true}, "", "now 30 0 0 !; a 20 0 0", "a", "auto takes failover"},
		{"auto, a fleet before consistency", Terms{Strategy: Auto, Jobs: 99, Consistent: true}, "", "now 30 0 0; a 900 0 0", "keep now", "auto takes weighted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := Wish{Ecosystem: source.Go, Previous: tt.previous, Via: func(source.Source) string { return detect.ViaDirect }}
			var rows []detect.Row
			for text := range strings.SplitSeq(tt.sources, "; ") {
				if id, _, _ := strings.Cut(text, " "); strings.HasSuffix(id, "now") {
					w.InForce = append(w.InForce, src(id))
				}
				rows = append(rows, place(&w, text))
			}
			c, _ := Choose(tt.terms, w, rows)
			if ids(c) != tt.want || !strings.Contains(c.Why, tt.why) {
				t.Errorf("%s: %q because %q; want %q because %q", c.Strategy, ids(c), c.Why, tt.want, tt.why)
			}
		})
	}
}

// Consistent takes one source even where another would relay the checksum database; the others take both.
func TestConsistentIsOne(t *testing.T) {
	t.Parallel()
	w := Wish{InForce: []source.Source{src("now")}, SumDB: []source.Source{src("log"), src("log2")}, Via: func(source.Source) string { return detect.ViaDirect }}
	var rows []detect.Row
	for _, text := range []string{"now 10 0 0", "a 20 0 0 r"} {
		rows = append(rows, place(&w, text))
	}
	for name, want := range map[string]string{Consistent: "a", Latency: "now,a", Stay: "now,a"} {
		if c, _ := Choose(Terms{Strategy: name}, w, rows); ids(c) != want {
			t.Errorf("%s: %s (%s), want %s", name, ids(c), c.Why, want)
		}
	}
	w.InForce = append(w.InForce, src("a"))
	if c, _ := Choose(Terms{Strategy: Consistent}, w, rows); ids(c) != "a" {
		t.Errorf("a list in force: %s (%s)", ids(c), c.Why)
	}
	if c, _ := Choose(Terms{Strategy: Latency}, w, rows); ids(c) != "keep now,a" {
		t.Errorf("a list in force: %s (%s)", ids(c), c.Why)
	}
}

// Each job draws the same source each time, the shares are those of the weights, and where one goes away only the jobs that
// drew it move.
func TestShares(t *testing.T) {
	t.Parallel()
	const keys = 10_000
	for name, weights := range map[string]map[string]int{"by weight": {"now": 5, "a": 3, "b": 2}, "equal": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := Wish{InForce: []source.Source{src("now")}, Via: func(source.Source) string { return detect.ViaDirect }}
			var rows, without []detect.Row
			for _, text := range []string{"now 10 0 0", "a 20 0 0", "b 30 0 0"} {
				r := place(&w, text)
				rows = append(rows, r)
				if r.Source.ID == "a" {
					r.OK = false
				}
				without = append(without, r)
			}
			got := map[string]int{}
			for i := range keys {
				terms := Terms{Strategy: Weighted, Weights: weights, Key: fmt.Sprintf("org/repo\x00test\x00job %d", i)}
				c, _ := Choose(terms, w, rows)
				got[c.Chosen]++
				w.Previous = c.Chosen
				again, _ := Choose(terms, w, rows)
				less, _ := Choose(terms, w, without)
				if again.Chosen != c.Chosen || c.Chosen != "a" && less.Chosen != c.Chosen || less.Chosen == "a" {
					t.Fatalf("job %d drew %s, then %s, and %s where a failed", i, c.Chosen, again.Chosen, less.Chosen)
				}
			}
			for id, n := range map[string]float64{"now": 5, "a": 3, "b": 2} {
				share := n / 10
				if weights == nil {
					share = 1. / 3
				}
				// four standard deviations: the hash is fixed, so this is true always or never
				if d := math.Abs(float64(got[id]) - keys*share); d > 4*math.Sqrt(keys*share*(1-share)) {
					t.Errorf("%s: %d of %d jobs, want %.0f", id, got[id], keys, keys*share)
				}
			}
		})
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	// + and - are outcomes at each Interval, = and _ the same just after the one before
	for _, tt := range []struct{ outcomes, states string }{
		{"", ""}, {"+", "?"}, {"++", "?w"}, {"-", "b"}, {"-++", "bbw"}, {"+-", "?b"},
		{"++---", "?wwwb"}, {"++--+--+--", "?wwwwwwwww"}, {"++---+-+-+", "?wwwbbbbbb"}, {"++---++", "?wwwbbw"},
		{"++-____", "?wwwwww"}, {"++---+====", "?wwwbbbbbb"}, {"++-__-__-", "?wwwwwwwb"}, {"++---+_+_", "?wwwbbbbb"},
	} {
		var h Health
		at, got := noon, ""
		for i, o := range tt.outcomes {
			if i > 0 && strings.ContainsRune("+-", o) {
				at = at.Add(Interval)
			} else {
				at = at.Add(time.Millisecond)
			}
			h = h.After(strings.ContainsRune("+=", o), at)
			switch {
			case h.Well():
				got += "w"
			case h.Bad():
				got += "b"
			default:
				got += "?"
			}
			if h.Run > Rise || h.Run < -Fall {
				t.Errorf("%s: %+v", tt.outcomes, h)
			}
		}
		if got != tt.states {
			t.Errorf("%s: %s, want %s", tt.outcomes, got, tt.states)
		}
	}
	h := Health{}.After(true, noon).After(true, noon.Add(Interval))
	if late := h.After(false, noon); late != h {
		t.Errorf("an outcome older than the last counts: %+v", late)
	}
	if (Health{}).Well() || (Health{}).Bad() || (Health{}).Doubtful() {
		t.Error("the zero value knows something")
	}
}

// Failover goes to the next one at once where a probe fails, stays there while the first is in doubt, and takes it back
// after Rise good probes in a row. One that is bad (Fall in a row) is passed over though it answers.
func TestFailoverTable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ probes, want string }{ // of "now"; want is who is chosen
		{"+++", "nnn"}, {"+-+++", "naann"}, {"++---+++", "nnaaaann"}, {"-+-+-+-+++", "aaaaaaaann"}, {"-+--++", "aaaaan"},
	} {
		w := Wish{InForce: []source.Source{src("now")}, Candidates: []source.Source{src("a")}, Health: map[string]Health{},
			Via: func(source.Source) string { return detect.ViaDirect }}
		got := ""
		for i, p := range tt.probes {
			rows := []detect.Row{row("now 10"), row("a 20")}
			if p == '-' {
				rows[0] = row("now 0 !")
			}
			for _, r := range rows {
				w.Health[r.Source.ID] = w.Health[r.Source.ID].After(r.OK, noon.Add(time.Duration(i)*time.Hour))
			}
			c, _ := Choose(Terms{Strategy: Failover}, w, rows)
			w.Previous = c.Chosen
			got += c.Chosen[:1]
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.probes, got, tt.want)
		}
	}
}

// Over 100 runs with jitter no strategy goes from one source to another, and where one goes bad and well again it does so
// a few times, not each time that a probe fails.
func TestNoStrategyFlaps(t *testing.T) {
	t.Parallel()
	for _, name := range Strategies() {
		for _, tt := range []struct {
			name string
			bad  func(step int) bool // whether "a" fails
			most int
		}{
			{"jitter", func(int) bool { return false }, 0},
			{"bad for a while", func(step int) bool { return step >= 30 && step < 60 }, 2},
			{"bad twice", func(step int) bool { return step >= 30 && step < 40 || step >= 60 && step < 70 }, 4},
		} {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(1, 2))
				w := Wish{InForce: []source.Source{src("a")}, Candidates: []source.Source{src("b"), src("c")}, Health: map[string]Health{},
					Via: func(source.Source) string { return detect.ViaDirect }}
				terms := Terms{Strategy: name, Key: "job 0", Region: "CN", Now: noon, Weights: map[string]int{"a": 5, "b": 1}}
				switches, last := 0, ""
				for step := range 100 {
					var rows []detect.Row
					for i, id := range []string{"a", "b", "c"} {
						x := row(fmt.Sprintf("%s %d", id, 50+5*i+r.IntN(30)))
						x.Throughput, x.Newest = 10_000_000+r.Int64N(1_500_000), noon.Add(-time.Duration(r.IntN(20))*time.Hour)
						if id == "a" && tt.bad(step) {
							x.OK, x.Fault, x.Reason = false, detect.DialFault, "connection refused"
						}
						rows = append(rows, x)
						w.Health[id] = w.Health[id].After(x.OK, noon.Add(time.Duration(step)*time.Minute))
					}
					c, _ := Choose(terms, w, rows)
					now := c.Sources[0].ID
					if last != "" && now != last {
						switches++
					}
					last = now
					if c.Chosen != "" {
						w.Previous = c.Chosen
					}
				}
				if switches > tt.most {
					t.Errorf("%d switches, at most %d are wanted", switches, tt.most)
				}
			})
		}
	}
}

// The first of three mirrors fails each second time: failover and auto leave it once.
func TestUnsteady(t *testing.T) {
	t.Parallel()
	for _, name := range []string{Failover, Auto} {
		w := Wish{InForce: []source.Source{src("a")}, Candidates: []source.Source{src("b")}, Health: map[string]Health{},
			Via: func(source.Source) string { return detect.ViaDirect }}
		switches, last := 0, "a"
		for step := range 100 {
			rows := []detect.Row{row("a 10"), row("b 20")}
			if step%2 == 1 {
				rows[0] = row("a 0 !")
			}
			for _, x := range rows {
				w.Health[x.Source.ID] = w.Health[x.Source.ID].After(x.OK, noon.Add(time.Duration(step)*time.Minute))
			}
			c, _ := Choose(Terms{Strategy: name}, w, rows)
			if now := c.Sources[0].ID; now != last {
				switches, last = switches+1, now
			}
			w.Previous = c.Chosen
		}
		if switches != 1 {
			t.Errorf("%s: %d switches", name, switches)
		}
	}
}

func BenchmarkChoose(b *testing.B) {
	w := Wish{InForce: []source.Source{src("s0")}, SumDB: []source.Source{src("log")}, Via: func(source.Source) string { return detect.ViaDirect }}
	rows := []detect.Row{row("log 10")}
	for i := range 20 {
		rows = append(rows, place(&w, fmt.Sprintf("s%d %d %d %d r", i, 300-i, 1+i, i)))
	}
	for _, name := range Strategies() {
		b.Run(name, func(b *testing.B) {
			terms := Terms{Strategy: name, Region: "CN", Key: "job", Order: []string{"s9", "s3"}}
			for b.Loop() {
				if c, _ := Choose(terms, w, rows); len(c.Sources) == 0 {
					b.Fatal(c.Why)
				}
			}
		})
	}
}
