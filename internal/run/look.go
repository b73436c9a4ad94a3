package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// look measures what is needed, and chooses.
func (j *job) look(ctx context.Context, engine *decide.Engine) (detect.Report, choose.Plan, error) {
	if j.config.Probe.V == config.ProbeNone {
		j.notAsked = append(j.notAsked, "the sources (probe: none), so nothing is chosen")
		return detect.Report{Class: detect.Unknown, Proxies: j.proxies.Proxies()}, j.asIs("nothing was probed"), nil
	}
	l := &looking{job: j, asked: map[string]bool{}, all: j.config.Probe.V == config.ProbeAll, terms: j.terms(), past: j.recall()}
	var sources []source.Source
	for _, e := range j.systems {
		sources = append(append(append(sources, e.InForce...), e.Catalogue...), e.SumDB...)
	}
	var err error
	if l.allowed, err = j.permittedByName(ctx, engine, sources); err != nil {
		return detect.Report{}, choose.Plan{}, err
	}
	if j.deep {
		for _, e := range j.systems {
			for _, s := range e.InForce {
				if !l.allowed[s.URL] {
					j.notAsked = append(j.notAsked, unaccepted(s))
				}
			}
		}
	}
	if j.proxies.Broken != nil {
		return detect.Report{}, choose.Plan{}, j.proxies.Broken
	}
	l.wish()

	options := detect.Options{Dialer: j.dialer(), Settings: j.proxies, Interception: detect.Interception{Public: j.Public},
		UserAgent: "goproxy-action/" + j.Version, More: l.more, Load: l.terms.Loads(), Newest: l.terms.Dates(), Credentials: j.credentials,
		Machine: detect.Machine{Lookup: j.Lookup, Exists: exists}}
	if j.deep {
		options.Deep = j.dig(l)
	}
	if !l.all {
		options.Now = l.inForce()
	}
	if !l.all && l.terms.Eager() {
		all := l.plan(nil)
		for i, e := range l.systems {
			if e.Frozen != "" {
				all.Choices[i] = choose.Choice{Kept: true} // as with keep: nobody beside what is in force
			}
		}
		options.Now = append(options.Now, l.everything(all)...)
	}
	report := detect.Measure(ctx, options)
	if j.config.Addresses.Given() {
		byAddress, err := j.permitted(ctx, engine, sources, report.Rows)
		if err != nil {
			return report, choose.Plan{}, err
		}
		for url, ok := range byAddress {
			l.allowed[url] = l.allowed[url] && ok
		}
	}
	plan := l.plan(report.Rows)
	if j.config.Strategy.V != choose.Stay {
		j.health = map[string]map[string]choose.Health{}
		for _, w := range l.wishes {
			j.health[w.Ecosystem] = l.advanced(w, report.Rows)
		}
	}
	return report, plan, nil
}

// terms are what the settings wish of a choice.
func (j *job) terms() choose.Terms {
	c := j.config
	t := choose.Terms{Strategy: c.Strategy.V, Weights: values(c.Weights), Order: c.Order.V, Region: c.Region.V, MaxLag: c.MaxLag.V,
		Consistent: c.MaxLag.Given(), Jobs: c.Jobs.V, Now: j.now()}
	if !c.Jobs.Given() {
		text, _ := j.Lookup("CI_NODE_TOTAL")
		t.Jobs, _ = strconv.Atoi(text)
	}
	// what tells the jobs of a fleet apart and is the same in the next run: a job of GitHub's matrix has a runner of its own,
	// one of GitLab's its number in its name
	var key []string
	for _, name := range []string{"GITHUB_REPOSITORY", "GITHUB_WORKFLOW", "GITHUB_JOB", "RUNNER_NAME", "CI_PROJECT_PATH", "CI_JOB_NAME"} {
		text, _ := j.Lookup(name)
		key = append(key, text)
	}
	t.Key = strings.Join(key, "\x00")
	named := slices.Concat(c.Order.V, slices.Sorted(maps.Keys(c.Weights)))
	for _, name := range slices.Compact(slices.Sorted(slices.Values(named))) {
		if !slices.ContainsFunc(j.systems, func(e *ecosystem.Ecosystem) bool {
			return slices.ContainsFunc(slices.Concat(e.InForce, e.Catalogue), func(s source.Source) bool { return choose.Named(s, name) })
		}) {
			j.notes = append(j.notes, fmt.Sprintf("choose.order or choose.weights names %s, which is no source here", source.Plain(name, 100)))
		}
	}
	return t
}

// permittedByName is permitted before anything was asked: a name that the checkout gives is not even resolved before a list
// has it.
func (j *job) permittedByName(ctx context.Context, engine *decide.Engine, sources []source.Source) (map[string]bool, error) {
	allowed, err := j.permitted(ctx, engine, sources, nil)
	for _, s := range sources {
		if s.Origin == source.Checkout && !j.listed(s) {
			delete(allowed, s.URL)
		}
	}
	return allowed, err
}

// looking is one measurement under way: what may be asked, what was, and what is wished.
type looking struct {
	*job
	// all is true when every known source is asked, whatever is in force.
	all bool
	// allowed and asked are by URL.
	allowed, asked map[string]bool
	wishes         []choose.Wish // one for each of systems
	terms          choose.Terms
	// past is what an earlier run left.
	past state
}

func (l *looking) wish() {
	for _, e := range l.systems {
		w := choose.Wish{Ecosystem: e.Name, InForce: e.InForce, Candidates: e.Catalogue, Frozen: e.Frozen, Guarded: e.Guarded,
			Previous: l.past.Choices[e.Name], Health: l.past.Health[e.Name], Allowed: func(s source.Source) bool { return l.allowed[s.URL] }, Via: l.way}
		if e.SumDBWanted {
			w.SumDB, w.SumDBFixed = e.SumDB, e.SumDBFixed
		}
		if e.Direct && l.config.Direct.V {
			w.Direct, w.DirectID = true, directSource.ID
		}
		w.DirectRefused = e.Direct && !l.config.Direct.V
		l.wishes = append(l.wishes, w)
	}
}

// plan is what the rows so far lead to.
func (l *looking) plan(rows []detect.Row) choose.Plan {
	var p choose.Plan
	for i, w := range l.wishes {
		e := l.systems[i]
		switch {
		case e.Frozen != "" && len(w.InForce) == 0: // GOPROXY=off or direct: there is no source to choose
			p.Choices = append(p.Choices, l.sourceless(e, rows))
		case e.Frozen != "" && w.InForce[0].Origin == source.Checkout && !l.allowed[w.InForce[0].URL]:
			p.Choices = append(p.Choices, choose.Choice{Ecosystem: w.Ecosystem, Kept: true, Sources: []choose.Picked{{Source: w.InForce[0]}},
				Why: "it is left as it is, and not asked, because " + e.Frozen})
		default:
			w.Health = l.advanced(w, rows)
			c, direct := choose.Choose(l.terms, w, rows)
			p.Choices = append(p.Choices, c)
			p.Direct = append(p.Direct, direct...)
		}
	}
	return p
}

// target is how a source is asked, unless it was already or may not be.
func (l *looking) target(e *ecosystem.Ecosystem, s source.Source) []detect.Target {
	if l.asked[s.URL] || !l.allowed[s.URL] || (s.Off != "" && !l.all) {
		return nil
	}
	l.asked[s.URL] = true
	return []detect.Target{e.Target(s)}
}

// inForce are the targets without which the job cannot work.
func (l *looking) inForce() []detect.Target {
	var out []detect.Target
	if server := l.gitServer(); server != "" {
		out = append(out, serverTarget(server))
	}
	for _, e := range l.systems {
		if len(e.InForce) > 0 {
			out = append(out, l.target(e, e.InForce[0])...)
		} else if e.Direct { // GOPROXY=direct: the version control hosts and the log are asked
			out = append(out, l.direct()...)
			if e.SumDBWanted && len(e.SumDB) > 0 {
				out = append(out, l.target(e, e.SumDB[0])...)
			}
		}
	}
	return out
}

// direct is the target that stands for version control hosts, once.
func (l *looking) direct() []detect.Target {
	if l.asked[directSource.URL] {
		return nil
	}
	l.asked[directSource.URL] = true
	return []detect.Target{directTarget}
}

// sourceless is the choice where the settings name no source: nothing can be chosen, but what the job will ask must
// answer.
func (l *looking) sourceless(e *ecosystem.Ecosystem, rows []detect.Row) choose.Choice {
	c := choose.Choice{Ecosystem: e.Name, Kept: true, Why: e.Frozen, SumDBReached: len(e.SumDB) > 0 && answered(rows, e.SumDB[0].URL)}
	for _, r := range rows {
		wanted := r.Source.ID == directSource.ID || (e.SumDBWanted && len(e.SumDB) > 0 && r.Source.URL == e.SumDB[0].URL)
		if e.Direct && wanted && !r.OK && r.Via == l.way(r.Source) {
			c.Failing = true
			c.Why += fmt.Sprintf("; %s does not answer: %s", r.Source.ID, r.Reason)
		}
	}
	return c
}

// more is what to ask after the rows so far: nobody where what is in force will do, the checksum database itself where a
// source answers without relaying it, and the rest of the list in force where its first entry lets it be asked (the job
// asks them then, too), and everybody else.
func (l *looking) more(rows []detect.Row) (targets []detect.Target, last bool) {
	if l.all {
		targets = l.everything(choose.Plan{})
		if server := l.gitServer(); server != "" {
			targets = append(targets, serverTarget(server))
		}
		targets = append(targets, l.extra...)
		if l.deep {
			targets = append(targets, l.ciTargets()...)
		}
		return targets, true
	}
	for _, e := range l.systems { // who has not got what everybody has sends the go command on to the version control hosts
		absent := func(s source.Source) bool {
			return slices.ContainsFunc(rows, func(r detect.Row) bool { return r.Absent && r.Source.URL == s.URL })
		}
		if e.Direct && l.config.Direct.V && e.Frozen == "" && len(e.InForce) > 0 && !slices.ContainsFunc(e.InForce, func(s source.Source) bool { return !absent(s) }) {
			targets = append(targets, l.direct()...)
		}
	}
	p := l.plan(rows)
	if l.settled(p.Choices...) && len(p.Direct) == 0 {
		return targets, false
	}
	for i, e := range l.systems {
		if len(e.InForce) == 0 || l.settled(p.Choices[i]) {
			continue
		}
		ok := answered(rows, e.InForce[0].URL)
		if ok || slices.ContainsFunc(rows, func(r detect.Row) bool { return r.Absent && r.Source.URL == e.InForce[0].URL }) {
			for _, s := range e.InForce[1:] { // the go command asks these next
				targets = append(targets, l.target(e, s)...)
			}
		}
		if ok && e.SumDBWanted && len(e.SumDB) > 0 {
			targets = append(targets, l.target(e, e.SumDB[0])...)
		}
	}
	if len(targets) > 0 {
		return targets, false
	}
	return l.everything(p), true
}

// everything is all that could be chosen for the ecosystems that the plan does not settle yet. Mirrors are left alone
// where none would be chosen.
func (l *looking) everything(p choose.Plan) []detect.Target {
	var out []detect.Target
	for i, e := range l.systems {
		if !l.all && l.settled(p.Choices[i]) {
			continue
		}
		for _, list := range [][]source.Source{e.InForce, e.Catalogue, e.SumDB} {
			for _, s := range list {
				own := s.ID == source.Official || s.Origin != source.Builtin || s.Role == source.ChecksumDB
				if l.all || (e.Frozen == "" && (e.Guarded == "" || own)) {
					out = append(out, l.target(e, s)...)
				}
			}
		}
		if e.Direct && l.config.Direct.V {
			out = append(out, l.direct()...)
		}
	}
	return out
}

// settled tells whether choices need no other source to be asked. For keep those in force suffice; for another strategy all
// have to have been asked, and one to do.
func (l *looking) settled(choices ...choose.Choice) bool {
	return !slices.ContainsFunc(choices, func(c choose.Choice) bool {
		if c.Strategy != choose.Stay && c.Strategy != "" {
			return !l.terms.Eager() || !c.Kept && len(c.Sources) == 0
		}
		return c.Failing || !c.Kept && !c.InForce
	})
}

func answered(rows []detect.Row, url string) bool {
	return slices.ContainsFunc(rows, func(r detect.Row) bool { return r.Source.URL == url && r.OK })
}

// asIs is the plan that changes nothing.
func (j *job) asIs(why string) choose.Plan {
	var p choose.Plan
	for _, e := range j.systems {
		c := choose.Choice{Ecosystem: e.Name, Kept: true, Why: why}
		for _, s := range e.InForce {
			c.Sources = append(c.Sources, choose.Picked{Source: s})
		}
		p.Choices = append(p.Choices, c)
	}
	return p
}

// listed tells whether a source is of the catalogue, or its host in the user's list.
func (j *job) listed(s source.Source) bool {
	loc, err := source.Locate(s.URL)
	if err != nil {
		return false
	}
	if list, ok := j.config.Trusted[s.Ecosystem]; ok {
		return slices.ContainsFunc(list.V, func(t string) bool {
			return t == loc.HostPort() || t == loc.Host || (strings.HasPrefix(t, ".") && strings.HasSuffix(loc.Host, t))
		})
	}
	return j.data().Builtin[s.Ecosystem][loc.HostPort()]
}

// way is how the settings in force send a request to a source.
func (j *job) way(s source.Source) string {
	if proxy, err := j.proxies.For(s.URL); err != nil || proxy != nil {
		return detect.ViaProxy
	}
	return detect.ViaDirect
}
