package choose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// A source is left for another one only for a clear gain: jitter between two good mirrors would otherwise change the
// choice from run to run, which defeats caches and cannot be explained. Both must hold.
const (
	clearGain     = 50 * time.Millisecond
	clearGainPart = 30 // per cent
)

// Wish is what Keep has to know of one ecosystem.
type Wish struct {
	Ecosystem string
	// InForce are the sources that are asked now, in order; the first one must work.
	InForce []source.Source
	// Candidates are the others: the user's own, the toolchain's default, the catalogue.
	Candidates []source.Source
	// SumDB are the hosts of the checksum database, its own first; empty where none is asked.
	SumDB []source.Source
	// SumDBFixed is the database's name where the setting gives it an address of its own, so that no source's relay is
	// asked; empty otherwise.
	SumDBFixed string
	// Frozen and Guarded are why nothing may be changed, or why no mirror may be chosen by itself; empty if it may.
	Frozen, Guarded string
	// Direct is true when "direct" is in force and policy allows it; DirectID names the row that tells whether the
	// version control hosts answer.
	Direct   bool
	DirectID string
	// DirectRefused is true when "direct" is in force and policy does not allow it.
	DirectRefused bool
	// Previous is the id chosen by an earlier run; a hint.
	Previous string
	// Allowed tells whether policy accepts a source; nil accepts all.
	Allowed func(source.Source) bool
	// Via is the way that the settings in force give a source.
	Via func(source.Source) string
}

// Keep is the strategy "keep": what is in force stays if it answers with verified content and policy accepts it;
// otherwise the best of the candidates. It returns the choice and the hosts that need an entry in NO_PROXY.
func Keep(w Wish, rows []detect.Row) (Choice, []string) {
	choice := Choice{Ecosystem: w.Ecosystem}
	best := answers(w, rows)
	first, asItIs := inForce(w, rows, best)
	direct, relay, host := sumDB(w, best)
	sound := func(a answer) bool {
		return len(w.SumDB) == 0 || direct || (a.row.ChecksumDB == detect.Yes && w.SumDBFixed == "")
	}
	// the go command asks the entries one after the other for the database as well
	listed := asItIs && first != nil && (sound(*first) || slices.ContainsFunc(standing(w, rows, best), func(p Picked) bool { return p.ChecksumDB && w.SumDBFixed == "" }))

	switch {
	case asItIs && first == nil: // nobody in the list has what was asked for, and it goes on to the version control hosts
		choice.Kept, choice.Why = true, "what is in force answers, and has not got the module that sources are proven by"
		choice.Sources, choice.SumDBReached = picked(w.InForce, best), direct
		return choice, nil
	case listed && w.DirectRefused && w.Frozen == "":
		choice.Why = "what is in force answers with verified content, but policy does not allow downloads to end at version control hosts (direct)"
		choice.Sources, choice.SumDBReached, choice.InForce = standing(w, rows, best), true, true
		return choice, nil
	case listed:
		choice.Kept, choice.Why = true, "what is in force answers with verified content"
		choice.SumDBReached = direct || slices.ContainsFunc(standing(w, rows, best), func(p Picked) bool { return p.ChecksumDB })
		choice.Sources = picked(w.InForce, best)
		return choice, nil
	}
	why := "what is in force does not work: " + failure(w, rows)
	switch {
	case len(w.InForce) == 0:
		why = "nothing is in force"
	case asItIs:
		why = fmt.Sprintf("%s answers, but the checksum database can be asked neither through it nor at its own address", shown(first.row.Source))
	case !w.allowed(w.InForce[0]):
		why = fmt.Sprintf("policy does not accept %s", shown(w.InForce[0]))
	}
	keep := func(reason string) (Choice, []string) {
		choice.Kept, choice.Failing, choice.Why = true, true, why+"; nothing is changed, because "+reason
		choice.Sources = picked(w.InForce, best)
		choice.SumDBReached = direct
		return choice, nil
	}
	if w.Frozen != "" {
		return keep(w.Frozen)
	}

	// the order: what is in force, the user's own further sources, then by latency
	var list []answer
	seen := map[string]bool{}
	for rank, group := range [][]source.Source{w.InForce, w.Candidates} {
		for _, s := range group {
			a, ok := best[s.URL]
			if !ok || seen[s.URL] || !w.allowed(s) || (s.Off != "" && rank > 0) {
				continue
			}
			if w.Guarded != "" && rank > 0 && s.ID != source.Official && s.Origin != source.User {
				continue
			}
			seen[s.URL] = true
			switch {
			case rank == 0:
				a.rank = 0
			case s.Origin == source.User:
				a.rank = 1
			default:
				a.rank = 2
			}
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b answer) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.row.FirstByte, b.row.FirstByte), cmp.Compare(a.row.Source.ID, b.row.Source.ID))
	})
	list = stick(list, w.Previous)

	var sources []answer
	for _, a := range list {
		if sound(a) {
			sources = []answer{a}
			choice.SumDBReached = true
			break
		}
		if relay != nil && w.SumDBFixed != "" && host == nil {
			sources = []answer{a}
			choice.SumDB, choice.SumDBReached = relay.row.Source.URL+"/sumdb/"+w.SumDBFixed, true
			break
		}
		if relay != nil && w.SumDBFixed == "" && relay.row.Source.URL != a.row.Source.URL && slices.ContainsFunc(list, func(o answer) bool { return o.row.Source.URL == relay.row.Source.URL }) {
			sources = []answer{a, *relay}
			choice.SumDBReached = true
			break
		}
		if host != nil {
			sources = []answer{a}
			choice.SumDB, choice.SumDBReached = host.row.Source.URL, true
			break
		}
	}
	if len(sources) == 0 {
		if w.Guarded != "" && len(w.InForce) > 0 {
			return keep(w.Guarded)
		}
		choice.Why = why + "; " + nothing(list)
		return choice, nil
	}
	if asItIs && len(sources) == 1 && sources[0].row.Source.URL == first.row.Source.URL { // only the database's address changes
		choice.Kept, choice.Why = true, why+"; it is asked at "+choice.SumDB
		choice.Sources = picked(w.InForce, best)
		return choice, nil
	}
	// what works of the list in force stays where it is, before what is new
	var noProxy []string
	choice.Sources = standing(w, rows, best)
	for _, a := range sources {
		if !slices.ContainsFunc(choice.Sources, func(p Picked) bool { return p.URL == a.row.Source.URL }) {
			choice.Sources = append(choice.Sources, pick(a))
		}
	}
	var names []string
	for _, p := range choice.Sources {
		name := shown(p.Source)
		if a, ok := best[p.URL]; ok {
			name = fmt.Sprintf("%s (%d ms)", name, a.row.FirstByte.Milliseconds())
			if loc, err := source.Locate(p.URL); err == nil && a.way == detect.ViaDirect && w.Via(p.Source) == detect.ViaProxy {
				noProxy = append(noProxy, loc.Host)
			}
		}
		names = append(names, name)
	}
	if r, ok := best[w.DirectID]; ok && w.Direct && w.DirectID != "" {
		choice.GoDirect = r.row.OK
	}
	choice.Why = why + "; chosen: " + strings.Join(names, ", then ")
	if choice.SumDB != "" {
		choice.Why += "; the checksum database is asked at " + choice.SumDB
	}
	same := func(p Picked, s source.Source) bool { return p.URL == s.URL }
	if choice.SumDB == "" && slices.EqualFunc(choice.Sources, w.InForce, same) {
		choice.Kept = true // only the way to it changes
	}
	dead := func(s source.Source) bool {
		return !s.Public && !slices.ContainsFunc(choice.Sources, func(p Picked) bool { return same(p, s) })
	}
	public := func(p Picked) bool {
		return p.Public && !slices.ContainsFunc(w.InForce, func(s source.Source) bool { return same(p, s) })
	}
	choice.Diverted = slices.ContainsFunc(w.InForce, dead) && slices.ContainsFunc(choice.Sources, public)
	return choice, noProxy
}

// inForce walks the list in force as the go command does: an entry that has not got what is asked for (404, 410) lets the
// next one be asked, anything else ends the walk. asItIs is true when that works; first is the entry that answered, nil
// where the list ends without one and goes on to the version control hosts.
func inForce(w Wish, rows []detect.Row, best map[string]answer) (first *answer, asItIs bool) {
	for _, s := range w.InForce {
		if !w.allowed(s) {
			return nil, false
		}
		if a, ok := best[s.URL]; ok {
			return &a, a.way == w.Via(s)
		}
		if !absent(w, rows, s) {
			return nil, false
		}
	}
	return nil, len(w.InForce) > 0 && w.Direct
}

func absent(w Wish, rows []detect.Row, s source.Source) bool {
	return slices.ContainsFunc(rows, func(r detect.Row) bool { return r.Absent && r.Source.URL == s.URL && r.Via == w.Via(s) })
}

// standing are the entries in force that work: those that answer, and those that have not got what was asked for.
func standing(w Wish, rows []detect.Row, best map[string]answer) []Picked {
	var out []Picked
	for _, s := range w.InForce {
		if a, ok := best[s.URL]; ok && w.allowed(s) {
			out = append(out, pick(a))
		} else if w.allowed(s) && absent(w, rows, s) {
			out = append(out, Picked{Source: s, Via: w.Via(s)})
		}
	}
	return out
}

// answer is the best row of one source.
type answer struct {
	row  detect.Row
	way  string
	rank int
}

// answers are the good rows by the URL of their source (and by the id for DirectID), the way in force before the other.
// A source that needs the proxy while the settings exempt it cannot be used: entries are never taken out of NO_PROXY.
func answers(w Wish, rows []detect.Row) map[string]answer {
	out := map[string]answer{}
	for _, r := range rows {
		if !r.OK {
			continue
		}
		inForce := w.Via(r.Source)
		if r.Via != inForce && inForce == detect.ViaDirect {
			continue
		}
		if _, ok := out[r.Source.URL]; !ok || r.Via == inForce {
			out[r.Source.URL] = answer{row: r, way: r.Via}
			if r.Source.ID == w.DirectID && r.Via == inForce {
				out[r.Source.ID] = answer{row: r, way: r.Via}
			}
		}
	}
	return out
}

// sumDB says whether the database's own host answers, which of the sources relays it best, and which other host of it
// answers.
func sumDB(w Wish, best map[string]answer) (direct bool, relay, host *answer) {
	for i, s := range w.SumDB {
		a, ok := best[s.URL]
		if !ok || a.way != w.Via(s) {
			continue
		}
		if i == 0 {
			direct = true
		} else if host == nil {
			host = &a
		}
	}
	for _, group := range [][]source.Source{w.InForce, w.Candidates} {
		for _, s := range group {
			a, ok := best[s.URL]
			if ok && a.row.ChecksumDB == detect.Yes && s.Off == "" && w.allowed(s) && (relay == nil || a.row.FirstByte < relay.row.FirstByte) {
				relay = &a
			}
		}
	}
	return direct, relay, host
}

// stick moves the previous choice to the front of its rank unless the first one is clearly better.
func stick(list []answer, previous string) []answer {
	i := slices.IndexFunc(list, func(a answer) bool { return a.row.Source.ID == previous })
	if previous == "" || i <= 0 || list[i].rank != list[0].rank {
		return list
	}
	gain := list[i].row.FirstByte - list[0].row.FirstByte
	if gain >= clearGain && gain*100 >= list[i].row.FirstByte*clearGainPart {
		return list
	}
	a := list[i]
	return slices.Insert(slices.Delete(list, i, i+1), 0, a)
}

func (w Wish) allowed(s source.Source) bool { return w.Allowed == nil || w.Allowed(s) }

func pick(a answer) Picked {
	return Picked{Source: a.row.Source, Via: a.way, Latency: a.row.FirstByte, IPs: a.row.IPs, ChecksumDB: a.row.ChecksumDB == detect.Yes}
}

func picked(sources []source.Source, best map[string]answer) []Picked {
	var out []Picked
	for _, s := range sources {
		if a, ok := best[s.URL]; ok {
			out = append(out, pick(a))
		} else {
			out = append(out, Picked{Source: s})
		}
	}
	return out
}

func shown(s source.Source) string {
	if s.ID != "" {
		return source.Plain(s.ID, 100)
	}
	return source.Plain(source.Redact(s.URL), 100)
}

// failure says why the list in force does not work: the first entry of it that neither answers nor lets the next one be
// asked.
func failure(w Wish, rows []detect.Row) string {
	said := ""
	for _, s := range w.InForce {
		said = shown(s) + " was not asked"
		for _, r := range rows {
			if r.Source.URL == s.URL && r.Via == w.Via(s) && r.Reason != "" {
				said = fmt.Sprintf("%s: %s", shown(s), r.Reason)
			}
		}
		if !absent(w, rows, s) {
			break
		}
	}
	return said
}

// nothing says why no source is usable.
func nothing(list []answer) string {
	if len(list) == 0 {
		return "and no other source that policy accepts answers"
	}
	return "other sources answer, but the checksum database is out of reach by all of them"
}
