package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/ecosystem/git"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// proveTimeout bounds one proof: a tool that starts, asks one small thing and verifies it needs a second or two.
const proveTimeout = 20 * time.Second

// Setup runs all stages once: detect, choose, decide, inject, prove. The outcome is whole even where an error is
// returned; the error is the exit code's reason.
func (p Process) Setup(ctx context.Context) (report.Outcome, error) {
	start := time.Now()
	j, err := p.open(ctx, Ask{Scope: ScopeAll}, false)
	if err != nil {
		return report.Outcome{Command: "setup", Problem: err, Duration: time.Since(start)}, err
	}
	defer j.checkout.Close()
	o, err := j.setup(ctx, start)
	o.Problem = err
	if o.Detect != nil && o.Decision != nil {
		if e := j.publish(o); err == nil {
			err = e
		}
	}
	o.Notes, o.NotAsked, o.Unavailable, o.Problem, o.Duration = j.notes, j.notAsked, j.unavailable, err, time.Since(start)
	err = j.conceal(&o, err)
	return o, err
}

func (j *job) setup(ctx context.Context, start time.Time) (report.Outcome, error) {
	o := j.outcome("setup", start)
	engine, err := j.engine()
	if err != nil {
		return o, err
	}
	if err := j.checkWaivers(engine); err != nil {
		return o, err
	}
	o.Rules = engine.Rules()
	j.notes = append(j.notes, engine.Weakened()...)
	seen, plan, err := j.look(ctx, engine)
	o.Detect, o.Plan = &seen, &plan
	if err != nil {
		return o, err
	}

	if err := j.proxyWorks(seen.Rows); err != nil {
		return o, err
	}
	changes, err := j.changes(plan, seen.Rows)
	if err != nil {
		return o, err
	}
	changes = append(changes, j.handOver(ctx, plan)...)
	if err := j.inquire(ctx, engine, &plan); err != nil {
		return o, err
	}
	if err := j.consult(ctx, engine, &plan, seen.Rows); err != nil {
		return o, err
	}
	decision, err := j.decide(ctx, engine, &plan, &seen, len(changes) > 0)
	o.Decision, o.Changes, o.Log = &decision, changes, j.log.told()
	if err != nil {
		return o, err
	}
	o.Excerpts = j.excerpts(&decision)
	if err := verdict(decision); err != nil {
		o.Problem = err
		return o, err
	}
	if err := j.usable(plan, seen); err != nil && decision.Mode == decide.Enforce {
		return o, err
	} else if err != nil {
		j.notes = append(j.notes, "enforce would have failed: "+err.Error())
	}
	if len(changes) == 0 && j.config.Strategy.V != choose.Stay {
		j.remember(plan)
	}
	if len(changes) == 0 || j.Front.Export == nil {
		return o, nil
	}
	dir, err := inject.NewDir(j.Front.TempDir)
	if err != nil {
		return o, err
	}
	if changes, err = j.place(changes, dir); err == nil {
		o.Changes = changes
		o.Proof, err = j.prove(ctx, changes)
	}
	if err == nil {
		err = j.export(changes, dir)
	}
	if err != nil {
		os.RemoveAll(dir)
		return o, err
	}
	o.Applied, o.Where = true, j.Front.Where
	j.remember(plan)
	return o, nil
}

// changes are all that the plan needs, without what is in force already.
func (j *job) changes(plan choose.Plan, rows []detect.Row) ([]inject.Change, error) {
	var out []inject.Change
	for i, e := range j.systems {
		out = append(out, e.Changes(plan.Choices[i])...)
	}
	c := j.config
	origin := cmp.Or(c.HTTPSProxy.Origin, c.HTTPProxy.Origin)
	proxies := inject.Proxies{HTTPS: c.HTTPSProxy.V, HTTP: c.HTTPProxy.V, Origin: origin, NoProxy: j.proxies.NoProxy.Value,
		Hosts: plan.Direct, Wished: c.NoProxy.Given()}
	out = append(out, proxies.Changes(j.Lookup)...)
	if server := j.gitServer(); server != "" {
		for _, r := range rows {
			if r.Source.URL == server && !r.OK && r.Via == detect.ViaProxy {
				j.notes = append(j.notes, fmt.Sprintf("git is not told of the proxy, because %s does not answer through it: %s", server, r.Reason))
				return out, nil
			}
		}
		more, err := git.Changes(j.Lookup, server, c.HTTPSProxy.V, origin+" names the proxy")
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// gitServer is the host that git is told to reach through the proxy of the configuration; empty where git is left alone.
func (j *job) gitServer() string {
	c := j.config
	if c.HTTPSProxy.V == "" || (c.Tools.V != nil && !slices.Contains(c.Tools.V, source.Git)) {
		return ""
	}
	server, _ := j.Lookup("GITHUB_SERVER_URL")
	if loc, err := source.Locate(server); err != nil || loc.Scheme != "https" {
		return "https://github.com"
	}
	return strings.TrimRight(server, "/")
}

// proxyWorks refuses to hand over a proxy of the configuration through which nothing answers.
func (j *job) proxyWorks(rows []detect.Row) error {
	c := j.config
	if c.HTTPSProxy.V == "" {
		return nil
	}
	reason := ""
	for _, r := range rows {
		if r.Via == detect.ViaProxy && r.OK {
			return nil
		}
		if r.Via == detect.ViaProxy && reason == "" {
			reason = r.Reason
		}
	}
	if reason == "" {
		j.notes = append(j.notes, "the proxy that "+c.HTTPSProxy.Origin+" names was not tried: nothing was asked through it")
		return nil
	}
	return problem.New(problem.Unanswered, c.HTTPSProxy.Origin, "correct the proxy's address and password, or leave the setting out",
		"nothing answers through the proxy that it names: %s", reason)
}

// decide judges the state after the plan; what was bad before and is not any more was mended.
func (j *job) decide(ctx context.Context, engine *decide.Engine, plan *choose.Plan, seen *detect.Report, changed bool) (decide.Decision, error) {
	began := time.Now()
	before, err := j.input(nil, seen)
	if err != nil {
		return decide.Decision{}, err
	}
	was, err := engine.Eval(ctx, before)
	if err != nil {
		return decide.Decision{}, err
	}
	in, is := before, was
	if changed {
		if in, err = j.input(plan, seen); err != nil {
			return decide.Decision{}, err
		}
		if is, err = engine.Eval(ctx, in); err != nil {
			return decide.Decision{}, err
		}
	}
	return j.weigh(nil, was, is, in, began), nil
}

// weigh comes to the decision; known tells what was there before a change, and is nil where all counts.
func (j *job) weigh(known func(decide.Finding) bool, was, is []decide.Finding, in decide.Input, began time.Time) decide.Decision {
	d := decide.Decide(decide.Terms{Mode: j.config.Mode.V, Waivers: j.waivers, Known: known}, was, is, in)
	for _, e := range j.systems {
		d.Counts.Packages += e.Packages
		d.Counts.Modules += e.Modules
	}
	j.notes = append(j.notes, d.Notes...)
	d.Duration = time.Since(began)
	return d
}

// verdict turns a decision into the run's error: nothing in audit mode.
func verdict(d decide.Decision) error {
	if d.Mode == decide.Audit {
		return nil
	}
	switch d.Verdict {
	case decide.Allow:
		return nil
	case decide.Failed:
		return problem.New(problem.Unanswered, "policy", "make the sources reachable, or lower the rule's severity in the configuration",
			"a rule of severity error could not be answered")
	case decide.Deny, decide.Undecided: // what nobody decided is denied
	}
	n := "1 error"
	if d.Counts.Errors != 1 {
		n = fmt.Sprintf("%d errors", d.Counts.Errors)
	}
	if forged(d) {
		return problem.New(problem.Security, "", "", "the transparency log denies what would be built here: %s", n)
	}
	return problem.New(problem.Violations, "", "", "denied by policy: %s", n)
}

// usable says whether the plan leaves the job something to ask, where it has something to ask for.
func (j *job) usable(plan choose.Plan, seen detect.Report) error {
	if j.config.Probe.V == config.ProbeNone {
		return nil
	}
	for i, e := range j.systems {
		c := plan.Choices[i]
		if pins := e.Packages+e.Modules > 0; pins && (c.Failing || !c.Kept && len(c.Sources) == 0) {
			return problem.New(problem.Unanswered, e.Name, "run goproxy-action detect to see why each source fails; behind a proxy set HTTPS_PROXY, or name a source that is reachable in .goproxy/config.yaml (sources), or leave "+e.Name+" out (tools)",
				"no usable source (network: %s): %s", seen.Class, c.Why)
		}
	}
	return nil
}

// withheld is how variables begin that a host gives to this step alone, or that hold its credentials.
var withheld = []string{"INPUT_", "STATE_", "ACTIONS_", "GITHUB_TOKEN=", "GH_TOKEN=",
	"CI_JOB_TOKEN=", "CI_JOB_JWT", "CI_REPOSITORY_URL=", "CI_REGISTRY_PASSWORD=", "CI_DEPLOY_PASSWORD=", "CI_DEPENDENCY_PROXY_PASSWORD="}

// prove makes one real look-up for each ecosystem that the changes concern.
func (j *job) prove(ctx context.Context, changes []inject.Change) (string, error) {
	// the tools that prove have no use for what the host gives to this step alone
	environ := slices.DeleteFunc(slices.Clone(j.Environ), func(v string) bool {
		return slices.ContainsFunc(withheld, func(p string) bool { return strings.HasPrefix(v, p) }) ||
			slices.ContainsFunc(j.config.Credentials.V, func(c config.Credential) bool {
				name, _, _ := strings.Cut(v, "=")
				return slices.Contains(c.Variables(), name)
			})
	})
	concerned := map[string]bool{}
	for _, c := range changes {
		environ = slices.DeleteFunc(environ, func(v string) bool { return strings.HasPrefix(v, c.Name+"=") })
		environ = append(environ, c.Name+"="+c.Value)
		concerned[c.Ecosystem] = true
	}
	var said []string
	for _, e := range j.systems {
		if e.Prove == nil || (!concerned[e.Name] && !concerned["proxy"]) {
			continue
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(ctx, proveTimeout)
		err := e.Prove(ctx, environ)
		cancel()
		switch {
		case errors.Is(err, ecosystem.ErrNoTool):
			j.notes = append(j.notes, fmt.Sprintf("%s is not installed, so its new settings were not proven by it; the sources were verified by the probes", e.Name))
		case err != nil:
			code := problem.CodeOf(err)
			if code == problem.Bug {
				code = problem.Unanswered
			}
			hint := "run goproxy-action detect to see what each source answers; nothing was changed"
			var inner *problem.Problem
			if errors.As(err, &inner) && inner.Hint != "" {
				hint, err = inner.Hint, (&problem.Problem{Op: inner.Op, Err: inner.Err})
			}
			return "", problem.New(code, "prove the "+e.Name+" settings", hint, "a look-up through the new settings failed: %w", err)
		default:
			said = append(said, fmt.Sprintf("%s made a look-up through the new settings in %d ms", e.Name, time.Since(start).Milliseconds()))
		}
	}
	return strings.Join(said, "; "), nil
}

// place makes the files of changes. They hold secrets, so they do not lie where a checkout is packed up or read by others.
func (j *job) place(changes []inject.Change, dir string) ([]inject.Change, error) {
	if slices.ContainsFunc(changes, func(c inject.Change) bool { return c.File != nil }) && ecosystem.Inside(j.checkout.Fence, dir) {
		return nil, problem.New(problem.Usage, "hand over credentials", "set TMPDIR to a directory outside of it", "the directory for generated files lies in the checkout")
	}
	return inject.Place(changes, dir)
}

// export writes the journal into the directory of the run, then gives the changes to what follows.
func (j *job) export(changes []inject.Change, dir string) error {
	var journal inject.Journal
	journal.Parent, _ = j.Lookup(inject.JournalVariable)
	journal.Record(changes, j.Lookup)
	path, err := journal.Write(dir)
	if err != nil {
		return err
	}
	for _, c := range changes {
		for _, secret := range source.Secrets(c.Value) {
			j.mask(secret)
		}
	}
	if j.Front.SaveState != nil {
		err = j.Front.SaveState("journal", path)
	} else {
		changes = append(slices.Clone(changes), inject.Change{Kind: "env", Name: inject.JournalVariable, Value: path, Shown: path})
	}
	if err == nil {
		err = j.Front.Export(changes)
	}
	return err
}

// publish sets the outputs of the host: what the following steps have, whether it was changed or not.
func (j *job) publish(o report.Outcome) error {
	if j.Front.Output == nil {
		return nil
	}
	value := func(name, own string) string {
		for _, c := range o.Changes {
			if c.Name == name && o.Applied {
				return c.Shown
			}
		}
		for _, e := range j.systems {
			if v, ok := e.Effective[own]; ok {
				return v
			}
		}
		return ""
	}
	outputs := [][2]string{{"class", string(o.Detect.Class)}, {"decision", o.Verdict().String()}, {"goproxy", value("GOPROXY", "GOPROXY")},
		{"gosumdb", value("GOSUMDB", "GOSUMDB")}, {"npm-registry", value("npm_config_registry", "registry")}, {"changed", fmt.Sprint(o.Applied)}}
	for _, out := range outputs {
		if err := j.Front.Output(out[0], out[1]); err != nil {
			return err
		}
	}
	return nil
}
