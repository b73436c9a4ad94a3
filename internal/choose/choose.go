package choose

import (
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

// Wish is what Choose has to know of one ecosystem.
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
	// Health is what earlier probes and this one say of sources, by id; a hint that may be nil.
	Health map[string]Health
	// Allowed tells whether policy accepts a source; nil accepts all.
	Allowed func(source.Source) bool
	// Via is the way that the settings in force give a source.
	Via func(source.Source) string
}

// Keep is the strategy "keep": what is in force stays if it answers with verified content and policy accepts it;
// otherwise the best of the candidates. It returns the choice and the hosts that need an entry in NO_PROXY.
func Keep(w Wish, rows []detect.Row) (Choice, []string) { return Choose(Terms{}, w, rows) }

// Choose is the road of all strategies: what is in force, which sources may be taken, in which order, and which of them
// has a sound checksum database. It returns the choice and the hosts that need an entry in NO_PROXY. Whatever the strategy,
// nothing is taken that was not probed or failed, that policy does not accept or the ecosystem guards against, and nothing
// new that is plain http off this machine.
func Choose(t Terms, w Wish, rows []detect.Row) (Choice, []string) {
	name, because := t.resolve(w, rows)
	s := strategies[name]
	choice := Choice{Ecosystem: w.Ecosystem, Strategy: name}
	best := answers(w, rows)
	first, asItIs := inForce(w, rows, best)
	direct, relay, host := sumDB(w, best)
	sound := func(a answer) bool {
		return len(w.SumDB) == 0 || direct || (a.row.ChecksumDB == detect.Yes && w.SumDBFixed == "")
	}
	stand := standing(w, rows, best)
	relays := func(p Picked) bool { return p.ChecksumDB }
	// the go command asks the entries one after the other for the database as well
	listed := asItIs && first != nil && (sound(*first) || w.SumDBFixed == "" && slices.ContainsFunc(stand, relays))
	keep := func(why string) Choice {
		choice.Kept, choice.Why = true, joined(because, why)
		choice.Sources = picked(w.InForce, best)
		choice.SumDBReached = direct || listed && slices.ContainsFunc(stand, relays)
		return choice
	}

	switch {
	case asItIs && first == nil: // nobody in the list has what was asked for, and it goes on to the version control hosts
		return keep("what is in force answers, and has not got the module that sources are proven by"), nil
	case listed && s.stays && w.DirectRefused && w.Frozen == "":
		choice.Why = joined(because, works+", but "+refused)
		choice.Sources, choice.SumDBReached, choice.InForce, choice.Chosen = stand, true, true, first.id()
		return choice, nil
	case listed && s.stays:
		return keep(works), nil
	}
	why := "what is in force does not work: " + failure(w, rows)
	switch {
	case listed && w.DirectRefused:
		why = refused
	case listed:
		why = ""
	case len(w.InForce) == 0:
		why = "nothing is in force"
	case asItIs:
		why = fmt.Sprintf("%s answers, but the checksum database can be asked neither through it nor at its own address", shown(first.row.Source))
	case !w.allowed(w.InForce[0]):
		why = fmt.Sprintf("policy does not accept %s", shown(w.InForce[0]))
	}
	fail := func(reason string) Choice {
		choice.Failing = true
		return keep(why + "; nothing is changed, because " + reason)
	}
	if w.Frozen != "" {
		return fail(w.Frozen), nil
	}

	list, said := s.order(t, w, usable(w, best, s.stays))
	sources, sumDB := arrange(w, list, s.single, sound, relay, host)
	choice.SumDB = sumDB
	switch {
	case len(sources) > 0:
		choice.SumDBReached, choice.Chosen = true, sources[0].id()
		if said != "" && sources[0].row.Source.URL != list[0].row.Source.URL {
			said = "it is the first in order with which the checksum database can be asked"
		}
	case listed && !w.DirectRefused:
		return keep(works + ", and no other source may take its place"), nil
	case w.Guarded != "" && len(w.InForce) > 0:
		return fail(w.Guarded), nil
	default:
		choice.Why = joined(because, why, nothing(list))
		return choice, nil
	}
	same := func(p Picked, s source.Source) bool { return p.URL == s.URL }
	still := asItIs && sources[0].row.Source.URL == first.row.Source.URL && (s.stays || !w.DirectRefused && (!s.single || len(w.InForce) == 1))
	switch {
	case still && listed:
		choice.SumDB = ""
		return keep("what is in force stays: " + shown(first.row.Source) + ", because " + said), nil
	case still && len(sources) == 1: // only the database's address changes
		chosen := choice
		choice = keep(why + "; it is asked at " + chosen.SumDB)
		choice.SumDBReached = chosen.SumDBReached
		return choice, nil
	}
	var noProxy []string
	choice.Sources = compose(s, stand, best, sources)
	var told []string
	for _, p := range choice.Sources {
		name := shown(p.Source)
		if a, ok := best[p.URL]; ok {
			name = fmt.Sprintf("%s (%d ms)", name, a.row.FirstByte.Milliseconds())
			if loc, err := source.Locate(p.URL); err == nil && a.way == detect.ViaDirect && w.Via(p.Source) == detect.ViaProxy {
				noProxy = append(noProxy, loc.Host)
			}
		}
		told = append(told, name)
	}
	if r, ok := best[w.DirectID]; ok && w.Direct && w.DirectID != "" {
		choice.GoDirect = r.row.OK
	}
	choice.Why = joined(because, why, "chosen: "+strings.Join(told, ", then "))
	switch {
	case said == "":
	case len(told) == 1:
		choice.Why += ", because " + said
	default:
		choice.Why += "; " + shown(sources[0].source) + ", because " + said
	}
	if choice.SumDB != "" {
		choice.Why += "; the checksum database is asked at " + choice.SumDB
	}
	if choice.SumDB == "" && slices.EqualFunc(choice.Sources, w.InForce, same) {
		choice.Kept = s.stays || !w.DirectRefused // only the way to it changes
		choice.InForce = !choice.Kept
	}
	choice.Diverted = diverted(w.InForce, choice.Sources)
	return choice, noProxy
}

const (
	works   = "what is in force answers with verified content"
	refused = "policy does not allow downloads to end at version control hosts (direct)"
)

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "; ")
}

// usable are the sources that a strategy may take, in the order of the wish: they answered with verified content, policy
// accepts them, and nothing speaks against taking them by ourselves. stays leaves what is in force to policy alone.
func usable(w Wish, best map[string]answer, stays bool) []answer {
	var list []answer
	seen := map[string]bool{}
	for group, sources := range [][]source.Source{w.InForce, w.Candidates} {
		for _, s := range sources {
			a, ok := best[s.URL]
			if !ok || seen[s.URL] || !w.allowed(s) || (s.Off != "" && group > 0) || !(stays && group == 0 || fit(s)) {
				continue
			}
			if w.Guarded != "" && group > 0 && s.ID != source.Official && s.Origin != source.User {
				continue
			}
			seen[s.URL] = true
			a.source, a.group, a.place = s, group, len(list)
			if group > 0 && s.Origin != source.User {
				a.group = 2
			}
			list = append(list, a)
		}
	}
	return list
}

// arrange takes the first of a list by which the checksum database can be asked: through it or at the database's own host,
// through another one of the list behind it, or else at the address that it returns. No sources where that leads nowhere.
func arrange(w Wish, list []answer, single bool, sound func(answer) bool, relay, host *answer) (sources []answer, sumDB string) {
	listed := relay != nil && slices.ContainsFunc(list, func(o answer) bool { return o.row.Source.URL == relay.row.Source.URL })
	for _, a := range list {
		switch {
		case sound(a):
			return []answer{a}, ""
		case relay != nil && w.SumDBFixed != "" && host == nil:
			return []answer{a}, relay.row.Source.URL + "/sumdb/" + w.SumDBFixed
		case listed && w.SumDBFixed == "" && !single && relay.row.Source.URL != a.row.Source.URL:
			return []answer{a, *relay}, ""
		case host != nil:
			return []answer{a}, host.row.Source.URL
		}
	}
	return nil, ""
}

// fit tells whether an address may be written into settings: it is https or on this machine, and holds none of GOPROXY's
// separators.
func fit(s source.Source) bool {
	loc, err := source.Locate(s.URL)
	return err == nil && (loc.Scheme == "https" || loc.Scheme == "http" && loc.Loopback) && !strings.ContainsAny(s.URL, ",|")
}

// compose is the list to be asked. Of a list in force what works stays where it is, before what is new, where the strategy
// is to keep it; else what may hold the user's own stays: before all others where it lacks what everybody has, and behind
// them where it was not chosen, unless there shall be one source alone.
func compose(s strategy, stand []Picked, best map[string]answer, sources []answer) []Picked {
	var out, behind []Picked
	for _, p := range stand {
		_, answered := best[p.URL]
		switch {
		case s.stays:
			out = append(out, p)
		case !own(p.Source) || !fit(p.Source):
		case !answered:
			out = append(out, p)
		case !s.single:
			behind = append(behind, p)
		}
	}
	add := func(p Picked) {
		if !slices.ContainsFunc(out, func(o Picked) bool { return o.URL == p.URL }) {
			out = append(out, p)
		}
	}
	for _, a := range sources {
		add(pick(a))
	}
	for _, p := range behind {
		add(p)
	}
	return out
}

// diverted tells whether a public source that was not asked before a private one is so now.
func diverted(before []source.Source, after []Picked) bool {
	for i, private := range before {
		if private.Public {
			continue
		}
		at := slices.IndexFunc(after, func(p Picked) bool { return p.URL == private.URL })
		for j, p := range after {
			was := slices.IndexFunc(before, func(s source.Source) bool { return s.URL == p.URL })
			if p.Public && (was < 0 && (at < 0 || j < at) || was > i && j < at) {
				return true
			}
		}
	}
	return false
}

// inForce walks the list in force as the go command does: an entry that has not got what is asked for (404, 410) lets the
// next one be asked, anything else ends the walk. asItIs is true when that works; first is the entry that answered, nil
// where the list ends without one and goes on to the version control hosts, unless those do not answer.
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
	return nil, len(w.InForce) > 0 && w.Direct && directFault(w, rows) == ""
}

// directFault is why the version control hosts do not answer; empty where they do, and where nobody asked them.
func directFault(w Wish, rows []detect.Row) string {
	for _, r := range rows {
		if w.DirectID != "" && r.Source.ID == w.DirectID && r.Via == w.Via(r.Source) && !r.OK {
			return r.Reason
		}
	}
	return ""
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
		} else if w.allowed(s) && absent(w, rows, s) && !s.Public { // a public one that lacks what everybody has is broken
			out = append(out, Picked{Source: s, Via: w.Via(s)})
		}
	}
	return out
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
			if ok && a.row.ChecksumDB == detect.Yes && s.Off == "" && w.allowed(s) && fit(s) && (relay == nil || a.row.FirstByte < relay.row.FirstByte) {
				relay = &a
			}
		}
	}
	return direct, relay, host
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
