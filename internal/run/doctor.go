package run

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/diagnose"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// Doctor walks the chain of what the job needs, or of the one thing that is named: an address, a Go module or an npm
// package at a version. It fails with problem.Unanswered where a link is broken.
func (p Process) Doctor(ctx context.Context, thing string) (report.Outcome, error) {
	start := time.Now()
	j, err := p.open(ctx, Ask{Scope: ScopeAll}, true)
	if err != nil {
		return report.Outcome{Command: "doctor", Problem: err, Duration: time.Since(start)}, err
	}
	defer j.checkout.Close()
	o := j.outcome("doctor", start)
	err = j.doctor(ctx, thing, &o)
	o.Notes, o.NotAsked, o.Problem, o.Duration = j.notes, j.notAsked, err, time.Since(start)
	err = j.conceal(&o, err)
	return o, err
}

func (j *job) doctor(ctx context.Context, thing string, o *report.Outcome) error {
	subject, err := j.wanted(thing)
	if err != nil {
		return err
	}
	engine, err := j.engine()
	if err != nil {
		return err
	}
	j.config.Probe.V, j.config.Strategy.V, j.deep = config.ProbeAll, config.StrategyKeep, true
	j.readMachine()
	j.proxies.Broken = nil // the rows tell
	if j.extra, err = j.accepted(ctx, engine, subject); err != nil {
		return err
	}
	seen, plan, err := j.look(ctx, engine)
	if err != nil {
		return err
	}
	o.Detect, o.Machine = &seen, j.told
	in, err := j.input(nil, &seen)
	if err != nil {
		return err
	}
	findings, err := engine.Eval(ctx, in)
	if err != nil {
		return err
	}
	facts := diagnose.Facts{Network: seen, Alternatives: j.alternatives(seen.Rows)}
	for _, c := range j.told.Conflicts {
		facts.Conflicts = append(facts.Conflicts, c.Text+"; "+c.Fix)
	}
	if subject.name != "" {
		facts.Subjects = j.thingSubjects(subject, seen)
	} else {
		facts.Subjects = j.subjects(seen, plan, findings)
	}
	d := diagnose.Examine(facts)
	o.Diagnosis = &d
	if !d.Healthy {
		return problem.New(problem.Unanswered, "", "", "not healthy: %s", d.Causes[0].Why)
	}
	return nil
}

// wanted is what the user named: nothing, an address, or a module or package at a version.
type wanted struct {
	name    string
	tool    string
	targets []detect.Target
	item    *ecosystem.Item
}

func (j *job) wanted(thing string) (wanted, error) {
	if thing == "" {
		return wanted{}, nil
	}
	if strings.Contains(thing, "://") {
		loc, err := source.Locate(thing)
		if err != nil || loc.Scheme != "https" && loc.Scheme != "http" {
			return wanted{}, problem.New(problem.Usage, "argument", "write https://host/path", "%q is no http or https address", source.Plain(source.Redact(thing), 100))
		}
		for _, secret := range source.Secrets(thing) {
			j.mask(secret)
		}
		s := source.Source{ID: loc.HostPort(), Role: "address", URL: thing, Origin: source.User}
		return wanted{name: source.Plain(source.Redact(thing), 200), targets: []detect.Target{{Source: s, Check: anyPage(thing)}}}, nil
	}
	at := strings.LastIndexByte(thing, '@')
	if at <= 0 || at == len(thing)-1 {
		return wanted{}, problem.New(problem.Usage, "argument", "write https://host/path, github.com/owner/module@v1.2.3 or package@1.2.3",
			"%q is neither an address nor a module or package at a version", source.Plain(thing, 100))
	}
	name, version := thing[:at], thing[at+1:]
	tool := source.NPM
	if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") && !strings.HasPrefix(name, "@") {
		tool = source.Go
	}
	w := wanted{name: source.Plain(thing, 200), tool: tool}
	for _, e := range j.every {
		if e.Name != tool || e.Item == nil {
			continue
		}
		item, err := e.Item(name, version)
		if err != nil {
			return wanted{}, problem.New(problem.Usage, "argument", "check name and version", "%w", err)
		}
		w.item = &item
		if item.Private != "" {
			return w, nil
		}
		for _, s := range e.InForce {
			if item.Assumed != "" && s.Public {
				continue
			}
			w.targets = append(w.targets, item.Target(s))
		}
	}
	if w.item == nil {
		return wanted{}, problem.New(problem.Usage, "argument", "leave tools out of the settings, or add "+tool, "%s is not looked at here", tool)
	}
	return w, nil
}

// accepted are the targets whose sources may be asked by name: a registry that the checkout names is told no name of a
// package either.
func (j *job) accepted(ctx context.Context, engine *decide.Engine, w wanted) ([]detect.Target, error) {
	if w.item == nil {
		return w.targets, nil
	}
	var sources []source.Source
	for _, e := range j.every {
		if e.Name == w.tool {
			sources = e.InForce
		}
	}
	allowed, err := j.permittedByName(ctx, engine, sources)
	return slices.DeleteFunc(slices.Clone(w.targets), func(t detect.Target) bool { return !allowed[t.Source.URL] }), err
}

// unasked is why a source has no row.
func (j *job) unasked(s source.Source) string {
	if s.Origin == source.Checkout && !j.listed(s) {
		return "it was not asked, since a file of the checkout names it and no list of trusted hosts has it"
	}
	return "it was not asked"
}

// anyPage asks for an address as it is: any answer that is no refusal will do.
func anyPage(rawurl string) detect.Check {
	return func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
		r, err := fetch(ctx, rawurl, 64<<10)
		switch {
		case err != nil:
			return detect.Verdict{}, err
		case r.Status >= 400:
			return detect.Verdict{Fault: detect.StatusFault, Status: r.Status, Reason: fmt.Sprintf("answered %d", r.Status)}, nil
		}
		return detect.Verdict{OK: true, Status: r.Status}, nil
	}
}

// subjects are the sources in force as the tool walks them: up to the first that answers.
func (j *job) subjects(seen detect.Report, plan choose.Plan, findings []decide.Finding) []diagnose.Subject {
	var out []diagnose.Subject
	for i, e := range j.systems {
		c := plan.Choices[i]
		list := e.InForce
		if len(list) == 0 && e.Direct {
			list = []source.Source{directSource}
		}
		if len(list) == 0 {
			out = append(out, diagnose.Subject{Name: e.Name, Tool: e.Name, Setting: setting(e), Unasked: "no source is in force: " + c.Why})
			continue
		}
		for _, s := range list {
			sub := j.subject(e, s, seen)
			sub.Denied, sub.DeniedFix = denied(findings, s)
			out = append(out, sub)
			if sub.Row != nil && (sub.Row.OK || !sub.Row.Absent) {
				break // the tool does not go on, or has no need to
			}
		}
		if last := &out[len(out)-1]; e.SumDBWanted {
			last.Log = j.logState(e, seen.Rows)
		}
	}
	for _, r := range seen.Rows {
		if r.Source.Role == roleCI && r.Via == j.way(r.Source) {
			out = append(out, diagnose.Subject{Name: "ci: " + r.Source.ID, Source: r.Source, Row: &r, Other: other(seen.Rows, r), Any: true, Setting: "named by the CI system"})
		}
	}
	return out
}

func (j *job) subject(e *ecosystem.Ecosystem, s source.Source, seen detect.Report) diagnose.Subject {
	name := s.ID
	if name == "" {
		name = source.Plain(source.Redact(s.URL), 100)
	}
	sub := diagnose.Subject{Name: e.Name + ": " + name, Tool: e.Name, Source: s, Setting: setting(e), Named: e.Named, Unasked: j.unasked(s)}
	for _, r := range seen.Rows {
		if r.Source.URL == s.URL && r.Via == j.way(s) && r.Source.Role == s.Role {
			sub.Row = &r
			sub.Other = other(seen.Rows, r)
			break
		}
	}
	return sub
}

// other is the row of the same source by the other way.
func other(rows []detect.Row, r detect.Row) *detect.Row {
	for _, o := range rows {
		if o.Source.URL == r.Source.URL && o.Via != r.Via {
			return &o
		}
	}
	return nil
}

// thingSubjects are those of what the user named.
func (j *job) thingSubjects(w wanted, seen detect.Report) []diagnose.Subject {
	var out []diagnose.Subject
	if w.item != nil && w.item.Private != "" {
		return []diagnose.Subject{{Name: w.name, Tool: w.tool, Setting: w.item.Private, Unasked: "it is private, so no public source is told its name"}}
	}
	if w.item != nil && w.item.Assumed != "" && len(w.targets) == 0 {
		return []diagnose.Subject{{Name: w.name, Tool: w.tool, Setting: "as named", Unasked: w.item.Assumed}}
	}
	for _, t := range w.targets {
		sub := diagnose.Subject{Name: w.name, Tool: w.tool, Source: t.Source, Any: true, Setting: "as named", Unasked: j.unasked(t.Source)}
		for _, e := range j.every {
			if w.item != nil && e.Name == w.tool {
				sub.Name, sub.Item, sub.Any = fmt.Sprintf("%s at %s", w.name, t.Source.ID), w.name, false
				sub.Setting, sub.Named = setting(e), e.Named
				if w.item.Logged {
					sub.Log = j.logState(e, seen.Rows)
				}
			}
		}
		for _, r := range seen.Rows {
			if r.Source.Role == t.Source.Role && r.Source.URL == t.Source.URL && r.Via == j.way(t.Source) {
				sub.Row, sub.Other = &r, other(seen.Rows, r)
				break
			}
		}
		out = append(out, sub)
		if sub.Row != nil && sub.Row.OK {
			break
		}
	}
	return out
}

// setting says in words where a tool's source is named.
func setting(e *ecosystem.Ecosystem) string {
	var parts []string
	for _, name := range []string{"GOPROXY", "GOSUMDB", "registry"} {
		if v := e.Effective[name]; v != "" {
			parts = append(parts, name+"="+source.Plain(v, 200))
		}
	}
	return strings.Join(parts, " ")
}

// denied is what an active error of the policies says of a source.
func denied(findings []decide.Finding, s source.Source) (why, fix string) {
	loc, err := source.Locate(s.URL)
	for _, f := range findings {
		if f.Severity == decide.Error && f.Status == decide.Active && strings.HasPrefix(f.ID, "SRC") && err == nil && strings.Contains(f.Subject+" "+f.Message, loc.Host) {
			return f.ID + ": " + f.Message, f.Fix
		}
	}
	return "", ""
}

// logState is how the checksum database is reached by the settings in force: relayed by a source, or at its own address.
func (j *job) logState(e *ecosystem.Ecosystem, rows []detect.Row) diagnose.LogState {
	out := diagnose.LogState{Wanted: true, How: "nobody relays it, and its own address is not known"}
	for _, r := range rows {
		if r.Via != j.way(r.Source) {
			continue
		}
		named := func(list []source.Source) bool {
			return slices.ContainsFunc(list, func(s source.Source) bool { return s.URL == r.Source.URL && s.Role == r.Source.Role })
		}
		switch {
		case r.OK && r.ChecksumDB == detect.Yes && e.SumDBFixed == "" && named(e.InForce):
			return diagnose.LogState{Wanted: true, Reached: true, How: "relayed by " + r.Source.ID}
		case len(e.SumDB) > 0 && named(e.SumDB[:1]) && r.OK:
			out.Reached, out.How = true, r.Source.ID+" answers"
		case len(e.SumDB) > 0 && named(e.SumDB[:1]):
			out.How = r.Source.ID + ": " + r.Reason
		}
	}
	return out
}

// alternatives are what answers with verified content, by ecosystem, the soonest first.
func (j *job) alternatives(rows []detect.Row) map[string][]string {
	out := map[string][]string{}
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b detect.Row) int { return cmp.Compare(a.FirstByte, b.FirstByte) })
	for _, r := range sorted {
		if r.OK && r.Content == detect.Yes && r.Source.Off == "" && (r.Source.Role == source.ModuleProxy || r.Source.Role == source.Registry) && r.Via == j.way(r.Source) {
			out[r.Source.Ecosystem] = append(out[r.Source.Ecosystem], fmt.Sprintf("%s (%d ms)", r.Source.ID, r.FirstByte.Milliseconds()))
		}
	}
	return out
}

// roleCI is a host that the CI system itself needs.
const roleCI = "ci"

// ciTargets are the CI system's own hosts: that they answer at all is enough.
func (j *job) ciTargets() []detect.Target {
	var out []detect.Target
	for _, h := range j.Front.Hosts {
		s := source.Source{ID: h.What, Ecosystem: "ci", Role: roleCI, URL: h.URL, Origin: source.Runner}
		out = append(out, detect.Target{Source: s, Check: func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
			r, err := fetch(ctx, h.URL, 4<<10)
			return detect.Verdict{OK: err == nil, Status: r.Status}, err
		}})
	}
	return out
}

// dig is what is asked beside what a job would ask: only of names that policy allows.
func (j *job) dig(l *looking) detect.Deep {
	var deep detect.Deep
	for _, e := range l.systems {
		for _, s := range slices.Concat(e.InForce, e.Catalogue, e.SumDB) {
			if loc, err := source.Locate(s.URL); err == nil && s.Public && s.Off == "" && l.allowed[s.URL] && !slices.Contains(deep.Hosts, loc.Host) {
				deep.Hosts = append(deep.Hosts, loc.Host)
			}
		}
		if len(e.InForce) > 0 && l.allowed[e.InForce[0].URL] {
			deep.Needed = append(deep.Needed, e.Target(e.InForce[0]))
		}
	}
	if len(deep.Hosts) > 0 {
		deep.Random = randomName()
	}
	deep.Proxies, deep.Bundles = j.otherProxies(), j.bundles()
	return deep
}

// randomName is one that nobody has: 26 random letters and digits below .com, where a registry says so for all of them.
func randomName() string {
	return strings.ToLower(rand.Text()) + ".com"
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
