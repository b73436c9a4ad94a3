package choose

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

func src(id string) source.Source {
	s := source.Source{ID: id, Ecosystem: source.Go, URL: "https://" + id + ".test", Origin: source.Builtin, Public: true}
	if strings.HasPrefix(id, "own") {
		s.Origin, s.Public = source.User, false
	}
	return s
}

// row is "id ms flags": r relays the checksum database, p by the proxy, ! failed.
func row(text string) detect.Row {
	f := strings.Fields(text)
	ms, err := time.ParseDuration(f[1] + "ms")
	if err != nil {
		panic(err)
	}
	flags := ""
	if len(f) > 2 {
		flags = f[2]
	}
	r := detect.Row{Source: src(f[0]), Via: detect.ViaDirect, OK: true, FirstByte: ms, ChecksumDB: detect.No, Content: detect.Yes}
	if strings.Contains(flags, "r") {
		r.ChecksumDB = detect.Yes
	}
	if strings.Contains(flags, "p") {
		r.Via = detect.ViaProxy
	}
	if strings.Contains(flags, "404") {
		r.OK, r.Absent, r.Reason = false, true, "answered 404"
	}
	if strings.Contains(flags, "!") {
		r.OK, r.Reason = false, "connection refused"
	}
	return r
}

func rows(texts ...string) []detect.Row {
	var out []detect.Row
	for _, t := range texts {
		out = append(out, row(t))
	}
	return out
}

func ids(c Choice) string {
	var out []string
	for _, s := range c.Sources {
		out = append(out, s.ID)
	}
	text := strings.Join(out, ",")
	if c.GoDirect {
		text += ",direct"
	}
	if c.SumDB != "" {
		text += " sumdb=" + c.SumDB
	}
	if c.Kept {
		text = "keep " + text
	}
	return text
}

func TestKeep(t *testing.T) {
	t.Parallel()
	base := func(w *Wish) {}
	two := func(w *Wish) { w.InForce = []source.Source{src("own"), src("now")} }
	tests := []struct {
		name string
		wish func(*Wish)
		rows []detect.Row
		want string
		why  string
		no   string // NO_PROXY
	}{
		{"all is well", base, rows("now 40 r"), "keep now", "answers with verified content", ""},
		{"slow but well", base, rows("now 1900 r", "a 1880 r"), "keep now", "", ""},
		{"dead", base, rows("now 0 !", "a 80 r", "b 30 r"), "b", "now: connection refused", ""},
		{"dead, nothing else", base, rows("now 0 !", "a 0 !"), "", "no other source", ""},
		{"no relay, own host answers", base, rows("now 40", "log 20"), "keep now", "", ""},
		{"no relay, another relays", base, rows("now 40", "a 20 r"), "now,a", "neither through it", ""},
		{"no relay, only the other host of the log", base, rows("now 40", "log2 20"), "keep now sumdb=https://log2.test", "", ""},
		{"no relay, no log", base, rows("now 40", "a 20"), "", "out of reach by all", ""},
		{"fastest does not relay", base, rows("now 0 !", "a 10", "b 90 r"), "a,b", "", ""},
		{"the log's fixed address is dead", func(w *Wish) { w.SumDBFixed = "sum.test" }, rows("now 40 r"), "keep now sumdb=https://now.test/sumdb/sum.test", "", ""},
		{"the log's fixed address answers", func(w *Wish) { w.SumDBFixed = "sum.test" }, rows("now 40", "log 9"), "keep now", "", ""},
		{"no log wanted", func(w *Wish) { w.SumDB = nil }, rows("now 0 !", "a 10"), "a", "", ""},
		{"frozen", func(w *Wish) { w.Frozen = "the project names its own" }, rows("now 0 !", "a 10 r"), "keep now", "because the project names its own", ""},
		{"guarded", func(w *Wish) { w.Guarded = "entries lack sha512" }, rows("now 0 !", "a 10 r"), "keep now", "because entries lack sha512", ""},
		{"guarded, official may", func(w *Wish) { w.Guarded = "x" }, rows("now 0 !", "a 10 r", "official 90 r"), "official", "", ""},
		{"own before the catalogue", func(w *Wish) { w.Candidates = append(w.Candidates, src("own")) }, rows("now 0 !", "a 10 r", "own 200 r"), "own", "", ""},
		{"policy refuses", func(w *Wish) { w.Allowed = func(s source.Source) bool { return s.ID != "now" } }, rows("now 5 r", "a 90 r"), "a", "policy does not accept now", ""},
		{"policy refuses all", func(w *Wish) { w.Allowed = func(source.Source) bool { return false } }, rows("now 5 r", "a 90 r"), "", "policy", ""},
		{"previous sticks", func(w *Wish) { w.Previous = "a" }, rows("now 0 !", "a 100 r", "b 60 r"), "a", "", ""},
		{"previous sticks, below 30 %", func(w *Wish) { w.Previous = "a" }, rows("now 0 !", "a 1000 r", "b 800 r"), "a", "", ""},
		{"clear gain", func(w *Wish) { w.Previous = "a" }, rows("now 0 !", "a 200 r", "b 100 r"), "b", "", ""},
		{"previous is gone", func(w *Wish) { w.Previous = "x" }, rows("now 0 !", "a 200 r", "b 100 r"), "b", "", ""},
		{"direct works", func(w *Wish) { w.Direct, w.DirectID = true, "direct" }, rows("now 0 !", "a 9 r", "direct 50"), "a,direct", "", ""},
		{"direct does not", func(w *Wish) { w.Direct, w.DirectID = true, "direct" }, rows("now 0 !", "a 9 r", "direct 0 !"), "a", "", ""},
		{"direct refused by policy", func(w *Wish) { w.DirectRefused = true }, rows("now 9 r"), "now", "policy does not allow", ""},
		{"only past the proxy", func(w *Wish) { w.Via = func(source.Source) string { return detect.ViaProxy } }, rows("now 0 p!", "now 9 r"), "keep now", "", "now.test"},
		{"only by a proxy that is exempted", base, rows("now 0 !", "now 9 rp", "a 90 r"), "a", "", ""},
		{"off by itself", func(w *Wish) { w.Candidates[0].Off = "unconfirmed" }, rows("now 0 !", "a 9 r", "b 90 r"), "b", "", ""},
		{"the first has not got it, the next has", two, rows("own 5 404", "now 40 r"), "keep own,now", "", ""},
		{"the first has not got it, the next is dead", two, rows("own 5 404", "now 0 !", "a 40 r"), "own,a", "now: connection refused", ""},
		{"the first is dead, the next works", two, rows("own 0 !", "now 40 r", "a 5 r"), "now", "own: connection refused", ""},
		{"the first works, the last relays", two, rows("own 5", "now 40 r"), "keep own,now", "verified content", ""},
		{"nobody has it, direct follows", func(w *Wish) { w.InForce, w.Direct = []source.Source{src("own")}, true }, rows("own 5 404"), "keep own", "has not got", ""},
		{"nobody has it, nothing follows", func(w *Wish) { w.InForce = []source.Source{src("own")} }, rows("own 5 404", "a 9 r"), "own,a", "answered 404", ""},
		{"nothing known", func(w *Wish) { w.InForce = nil }, rows("a 9 r"), "a", "nothing is in force", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := Wish{Ecosystem: source.Go, InForce: []source.Source{src("now")}, Candidates: []source.Source{src("a"), src("b"), src("official")},
				SumDB: []source.Source{src("log"), src("log2")}, Via: func(source.Source) string { return detect.ViaDirect }}
			tt.wish(&w)
			got, no := Keep(w, tt.rows)
			if ids(got) != tt.want || !strings.Contains(got.Why, tt.why) || strings.Join(no, ",") != tt.no {
				t.Errorf("%q because %q, NO_PROXY %q; want %q because %q, NO_PROXY %q", ids(got), got.Why, no, tt.want, tt.why, tt.no)
			}
			for range 5 { // the order of the answers does not matter
				shuffled := slices.Clone(tt.rows)
				rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				if again, _ := Keep(w, shuffled); ids(again) != ids(got) {
					t.Errorf("%q, and shuffled %q", ids(got), ids(again))
				}
			}
			for _, s := range got.Sources {
				if !got.Kept && !slices.ContainsFunc(tt.rows, func(r detect.Row) bool { return (r.OK || r.Absent) && r.Source.URL == s.URL }) {
					t.Errorf("chose %s, which did not answer", s.ID)
				}
			}
		})
	}
}

// A choice does not flip with jitter, and follows a lasting change.
func TestNoFlapping(t *testing.T) {
	t.Parallel()
	w := Wish{Ecosystem: source.Go, InForce: []source.Source{src("now")}, Candidates: []source.Source{src("a"), src("b")},
		Via: func(source.Source) string { return detect.ViaDirect }}
	for i, step := range []struct {
		a, b string
		want string
	}{{"50", "60", "a"}, {"70", "45", "a"}, {"90", "45", "a"}, {"200", "60", "b"}, {"55", "80", "b"}, {"40", "95", "a"}, {"40", "120", "a"}, {"0 !", "900", "b"}} {
		got, _ := Keep(w, []detect.Row{row("now 0 !"), row("a " + step.a), row("b " + step.b)})
		if ids(got) != step.want {
			t.Errorf("step %d: %q, want %q", i, ids(got), step.want)
		}
		w.Previous = got.Sources[0].ID
	}
}

// Names of the user's own are not told to public services when a private source fails.
func TestDiverted(t *testing.T) {
	t.Parallel()
	w := Wish{InForce: []source.Source{src("own")}, Candidates: []source.Source{src("a")}, Via: func(source.Source) string { return detect.ViaDirect }}
	if c, _ := Keep(w, rows("own 0 !", "a 9")); !c.Diverted {
		t.Errorf("%+v", c)
	}
	w.InForce[0] = src("now")
	if c, _ := Keep(w, rows("now 0 !", "a 9")); c.Diverted {
		t.Errorf("%+v", c)
	}
}
