package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// Check is the policy gate alone: facts and decision, no probing.
func (p Process) Check(ctx context.Context, ask Ask) (report.Outcome, error) {
	start := time.Now()
	j, err := p.open(ctx, ask, false)
	if err != nil {
		return report.Outcome{Command: "check", Problem: err, Duration: time.Since(start)}, err
	}
	defer j.checkout.Close()
	o, err := j.check(ctx, start)
	o.Notes, o.NotAsked, o.Problem, o.Duration = j.notes, j.notAsked, err, time.Since(start)
	err = j.conceal(&o, err)
	return o, err
}

func (j *job) check(ctx context.Context, start time.Time) (report.Outcome, error) {
	o := j.outcome("check", start)
	engine, err := j.engine()
	if err != nil {
		return o, err
	}
	if err := j.checkWaivers(engine); err != nil {
		return o, err
	}
	o.Rules = engine.Rules()
	j.notes = append(j.notes, engine.Weakened()...)
	in, err := j.facts(ctx, engine)
	if err != nil {
		return o, err
	}
	findings, err := engine.Eval(ctx, in)
	if err != nil {
		return o, err
	}
	known, err := j.known(ctx, engine, in)
	if err != nil {
		return o, err
	}
	d := j.weigh(known, findings, findings, in, start)
	o.Decision, o.Excerpts, o.Log = &d, j.excerpts(&d), j.log.told()
	return o, verdict(d)
}

// facts is the document that check judges.
func (j *job) facts(ctx context.Context, engine *decide.Engine) (decide.Input, error) {
	if err := j.inquire(ctx, engine, nil); err != nil {
		return decide.Input{}, err
	}
	if err := j.consult(ctx, engine, nil, nil); err != nil {
		return decide.Input{}, err
	}
	in, err := j.input(nil, nil)
	switch {
	case err != nil:
	case j.Offline:
		j.notAsked = append(j.notAsked, "the addresses of the sources (SRC003)", "whether the sources and the checksum database answer")
	case j.config.Addresses.Given():
		j.resolve(ctx, in.Sources)
	}
	return in, err
}

// Detect measures every source by every way. It judges nothing, and so never fails for what it sees.
func (p Process) Detect(ctx context.Context) (report.Outcome, error) {
	start := time.Now()
	j, err := p.open(ctx, Ask{Scope: ScopeAll}, true)
	if err != nil {
		return report.Outcome{Command: "detect", Problem: err, Duration: time.Since(start)}, err
	}
	defer j.checkout.Close()
	o := j.outcome("detect", start)
	engine, err := j.engine()
	if err != nil {
		return o, err
	}
	j.config.Probe.V, j.config.Strategy.V, j.deep = config.ProbeAll, config.StrategyKeep, true // nothing is chosen
	j.readMachine()
	o.Machine = j.told
	seen, _, err := j.look(ctx, engine)
	o.Detect, o.Notes, o.NotAsked, o.Problem, o.Duration = &seen, j.notes, j.notAsked, err, time.Since(start)
	err = j.conceal(&o, err)
	return o, err
}

// Restore takes back what an earlier Setup changed. print shows lines for a shell; nil where the environment ends with
// the job, so that there is nothing to set back.
func (p Process) Restore(print func(set []inject.Change, unset []string) error) (report.Outcome, error) {
	start := time.Now()
	o := report.Outcome{Command: "restore"}
	var path string
	if p.Front.State != nil {
		path = p.Front.State("journal")
	} else {
		path, _ = p.Lookup(inject.JournalVariable)
	}
	journal, err := inject.Journal{}, fs.ErrNotExist
	if path != "" {
		journal, err = inject.ReadJournal(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.Notes = append(o.Notes, "nothing to restore: no change of an earlier setup is known here")
	case err != nil:
		o.Problem, o.Duration = err, time.Since(start)
		return o, err
	default:
		set, unset, kept := journal.Undo(p.Lookup)
		for _, name := range kept {
			o.Notes = append(o.Notes, fmt.Sprintf("%s was changed by somebody else since, and is left as it is", name))
		}
		if print != nil {
			if journal.Parent != "" {
				set = append(set, inject.Change{Kind: "env", Name: inject.JournalVariable, Value: journal.Parent, Shown: journal.Parent})
			} else {
				unset = append(unset, inject.JournalVariable)
			}
			if err := print(set, unset); err != nil {
				return o, err
			}
			names := append([]string{}, unset...)
			for _, c := range set {
				names = append(names, c.Name)
			}
			o.Notes = append(o.Notes, "restored: "+strings.Join(names, ", "))
		} else {
			if len(journal.Files) > 0 {
				o.Notes = append(o.Notes, "the files with the credentials of this job are removed")
			}
			o.Notes = append(o.Notes, fmt.Sprintf("the %d variables of this job end with it; no file of this machine was changed", len(journal.Records)))
		}
		for _, name := range journal.RemoveFiles(path) {
			o.Notes = append(o.Notes, fmt.Sprintf("%s was changed by somebody else since, and is left as it is; it may hold credentials", name))
		}
		if err := inject.Remove(path); err != nil {
			o.Notes = append(o.Notes, err.Error())
		}
	}
	o.Duration = time.Since(start)
	return o, nil
}

// directSource stands for the version control hosts behind GOPROXY's "direct": the one that most modules live on.
var directSource = source.Source{ID: "github.com", Ecosystem: source.Go, Role: "vcs", URL: "https://github.com/google/uuid", Public: true, Origin: source.Builtin}

// directTarget asks it what the go command asks first.
var directTarget = detect.Target{Source: directSource, Check: func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
	r, err := fetch(ctx, directSource.URL+"?go-get=1", 512<<10)
	switch {
	case err != nil:
		return detect.Verdict{}, err
	case r.Status != 200:
		return detect.Verdict{Reason: fmt.Sprintf("answered %d", r.Status), Fault: detect.StatusFault, Status: r.Status}, nil
	case !strings.Contains(string(r.Body), "go-import"):
		return detect.Verdict{Reason: "answered with another page", Content: detect.No, Fault: detect.PageFault}, nil
	}
	return detect.Verdict{OK: true, Content: detect.Yes}, nil
}}

// serverTarget asks the host that git clones from; that it answers at all is enough.
func serverTarget(server string) detect.Target {
	s := source.Source{ID: "git", Ecosystem: source.Git, Role: "vcs", URL: server, Origin: source.Runner}
	return detect.Target{Source: s, Check: func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
		_, err := fetch(ctx, server+"/", 512<<10)
		return detect.Verdict{OK: err == nil}, err
	}}
}

// dialer is the process's, with the allowlist of addresses.
func (j *job) dialer() *egress.Dialer {
	d := *j.Dialer
	d.Judge = j.judgeAddress()
	return &d
}
