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
	var inForce *answer
	if len(w.InForce) > 0 {
		if a, ok := best[w.InForce[0].URL]; ok && w.allowed(w.InForce[0]) && a.way == w.Via(w.InForce[0]) {
			inForce = &a
		}
	}
	direct, relay, host := sumDB(w, best)
	sound := func(a answer) bool {
		return len(w.SumDB) == 0 || direct || (a.row.ChecksumDB == detect.Yes && w.SumDBFixed == "")
	}

	if inForce != nil && sound(*inForce) && w.DirectRefused && w.Frozen == "" {
		choice.Why = "what is in force answers with verified content, but policy does not allow downloads to end at version control hosts (direct)"
		choice.Sources, choice.SumDBReached, choice.InForce = []Picked{pick(*inForce)}, true, true
		return choice, nil
	}
	if inForce != nil && sound(*inForce) {
		choice.Kept, choice.Why = true, "what is in force answers with verified content"
		choice.SumDBReached = inForce.row.ChecksumDB == detect.Yes || direct
		choice.Sources = picked(w.InForce, best)
		return choice, nil
	}
	why := "what is in force does not work: " + failure(w, rows)
	switch {
	case len(w.InForce) == 0:
		why = "nothing is in force"
	case inForce != nil:
		why = fmt.Sprintf("%s answers, but the checksum database can be asked neither through it nor at its own address", shown(w.InForce[0]))
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
		choice.Why = why + "; " + nothing(w, list)
		return choice, nil
	}
	var noProxy []string
	names := make([]string, 0, len(sources))
	for _, a := range sources {
		choice.Sources = append(choice.Sources, pick(a))
		names = append(names, fmt.Sprintf("%s (%d ms)", shown(a.row.Source), a.row.FirstByte.Milliseconds()))
		if loc, err := source.Locate(a.row.Source.URL); err == nil && a.way == detect.ViaDirect && w.Via(a.row.Source) == detect.ViaProxy {
			noProxy = append(noProxy, loc.Host)
		}
	}
	if r, ok := best[w.DirectID]; ok && w.Direct && w.DirectID != "" {
		choice.GoDirect = r.row.OK
	}
	choice.Why = why + "; chosen: " + strings.Join(names, ", then ")
	if choice.SumDB != "" {
		choice.Why += "; the checksum database is asked at " + choice.SumDB
	}
	if len(w.InForce) > 0 && choice.Sources[0].URL == w.InForce[0].URL && len(sources) == 1 && choice.SumDB == "" {
		choice.Kept = true // only the way to it changes
	}
	choice.Diverted = len(w.InForce) > 0 && !w.InForce[0].Public && choice.Sources[0].Public
	return choice, noProxy
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

// failure says why the first source in force does not work.
func failure(w Wish, rows []detect.Row) string {
	if len(w.InForce) == 0 {
		return ""
	}
	for _, r := range rows {
		if r.Source.URL == w.InForce[0].URL && r.Via == w.Via(w.InForce[0]) {
			if r.Reason != "" {
				return fmt.Sprintf("%s: %s", shown(w.InForce[0]), r.Reason)
			}
		}
	}
	return shown(w.InForce[0]) + " was not asked"
}

// nothing says why no source is usable.
func nothing(w Wish, list []answer) string {
	if len(list) == 0 {
		return "and no other source that policy accepts answers"
	}
	return "other sources answer, but the checksum database is out of reach by all of them"
}
