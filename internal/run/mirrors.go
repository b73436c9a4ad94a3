package run

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// Measuring is what Mirrors is asked for.
type Measuring struct {
	// Samples, Loads and Parallel are as in detect.Sampling.
	Samples, Loads, Parallel int
	// Tools are the ecosystems whose sources are measured, among Measurables; empty means those of the checkout, else those
	// whose tools are installed.
	Tools []string
	// All measures sources as well that are switched off.
	All bool
	// Progress is as in detect.Sampling.
	Progress func(done, of int)
}

// Mirrors samples what is in force, the user's sources and the catalogue of each ecosystem, and ranks them. It changes
// nothing. Where nobody answers for one of the ecosystems, the error is a *problem.Problem of code Unanswered, with the
// outcome.
func (p Process) Mirrors(ctx context.Context, ask Measuring) (report.Outcome, error) {
	start := time.Now()
	j, err := p.open(ctx, Ask{Scope: ScopeAll}, true)
	if err != nil {
		return report.Outcome{Command: "mirrors", Problem: err, Duration: time.Since(start)}, err
	}
	defer j.checkout.Close()
	o := j.outcome("mirrors", start)
	engine, err := j.engine()
	if err == nil {
		o.Mirrors, err = j.mirrors(ctx, engine, ask)
	}
	o.Notes, o.NotAsked, o.Problem, o.Duration = j.notes, j.notAsked, err, time.Since(start)
	err = j.conceal(&o, err)
	return o, err
}

func (j *job) mirrors(ctx context.Context, engine *decide.Engine, ask Measuring) (*report.Mirrors, error) {
	if len(ask.Tools) > 0 {
		var err error
		if j.systems, err = j.measurable(ask.Tools...); err != nil {
			return nil, err
		}
		for _, e := range j.systems {
			j.notes = append(j.notes, e.Notes...)
		}
	}
	if len(j.systems) == 0 {
		return nil, problem.New(problem.Usage, "mirrors", "name some with --tools", "neither the checkout nor this machine has a package manager that is known")
	}
	if j.proxies.Broken != nil {
		return nil, j.proxies.Broken
	}
	targets, err := j.candidates(ctx, engine, ask.All)
	if err != nil {
		return nil, err
	}
	series := detect.Sample(ctx, detect.Sampling{Dialer: j.dialer(), Settings: j.proxies, UserAgent: "goproxy-action/" + j.Version, Credentials: j.credentials, Targets: targets,
		Samples: ask.Samples, Loads: ask.Loads, Newest: true, Parallel: ask.Parallel, Progress: ask.Progress})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m := &report.Mirrors{Sources: choose.Rank(series), Samples: ask.Samples, Loads: ask.Loads}
	var silent []string
	for _, e := range j.systems {
		if !m.Answered(e.Name) {
			silent = append(silent, e.Name)
		}
	}
	if len(silent) > 0 {
		return m, problem.New(problem.Unanswered, "mirrors", "look at the reasons in the table; goproxy-action detect says what the network is like",
			"no source for %s gave what was asked for", strings.Join(silent, " and "))
	}
	return m, nil
}

// candidates are the sources that policy lets be asked by name, each once; of the others it is said why not. What is
// switched off is asked where it is in force all the same.
func (j *job) candidates(ctx context.Context, engine *decide.Engine, all bool) ([]detect.Target, error) {
	var sources []source.Source
	for _, e := range j.systems {
		sources = slices.Concat(sources, e.InForce, e.Catalogue, e.SumDB)
	}
	allowed, err := j.permittedByName(ctx, engine, sources)
	if err != nil {
		return nil, err
	}
	var out []detect.Target
	seen := map[[3]string]bool{}
	for _, e := range j.systems {
		for i, s := range slices.Concat(e.InForce, e.Catalogue, e.SumDB) {
			key := [3]string{e.Name, s.Role, s.URL}
			if loc, err := source.Locate(s.URL); err == nil {
				key[2] = strings.TrimRight(loc.String(), "/")
			}
			if seen[key] {
				continue
			}
			seen[key] = true
			switch {
			case !allowed[s.URL]:
				j.notAsked = append(j.notAsked, unaccepted(s))
			case s.Off != "" && !all && i >= len(e.InForce):
				j.notAsked = append(j.notAsked, fmt.Sprintf("%s for %s: it is switched off, since %s (--all asks it)", source.Plain(s.ID, 100), e.Name, s.Off))
			default:
				out = append(out, e.Target(s))
			}
		}
	}
	return out, nil
}

// unaccepted says that a source was not asked.
func unaccepted(s source.Source) string {
	return fmt.Sprintf("%s for %s: the policies do not accept it by its name", source.Plain(s.ID, 100), s.Ecosystem)
}
