package run

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// inquiryBudget bounds all asking about versions. A change brings some, which takes a second; what does not suffice for
// all that is locked is said.
const inquiryBudget = 10 * time.Second

// versionRules are those that need what sources say of versions, by ecosystem.
func versionRules(ecosystem string) []string {
	return map[string][]string{source.Go: {"MOD003", "MOD004", "MOD005"}, source.NPM: {"LCK014", "LCK015"}}[ecosystem]
}

// inquire asks the sources that will be in force what they say of the versions that the checkout pins: how old they are,
// whether they were retracted or are deprecated. From then on that is a fact for the policies.
func (j *job) inquire(ctx context.Context, engine *decide.Engine, plan *choose.Plan) error {
	var asked []*ecosystem.Ecosystem
	var rules []string
	for _, e := range j.systems {
		if e.Releases != nil && e.Present {
			asked, rules = append(asked, e), append(rules, versionRules(e.Name)...)
		}
	}
	mode, wanted, why := j.config.Releases.V, len(j.config.Age) > 0, ""
	all := mode == config.ReleasesAll
	switch {
	case len(asked) == 0 || mode == config.ReleasesOff && !wanted:
		return nil
	case j.base == nil && !all && !wanted:
		return nil // it is said where somebody counts on it
	case mode == config.ReleasesOff:
		why = "releases: off"
	case j.Offline:
		why = "offline"
	case j.config.Probe.V == config.ProbeNone:
		why = "probe: none"
	case j.base == nil && !all:
		why = "releases: changed, and the commit that a change is measured against is not known"
	}
	if why != "" {
		j.notAsked = append(j.notAsked, fmt.Sprintf("what sources say of versions (%s): %s", strings.Join(rules, " "), why))
		return nil
	}
	permitted := sync.OnceValues(func() (map[string]bool, error) { return j.permittedNow(ctx, engine, plan) })
	options := detect.Options{Dialer: j.dialer(), Settings: j.proxies, UserAgent: "goproxy-action/" + j.Version, Credentials: j.credentials}
	within, cancel := context.WithTimeout(ctx, inquiryBudget)
	defer cancel()
	answers := make([]ecosystem.Said, len(asked))
	var group sync.WaitGroup
	for i, e := range asked {
		q := ecosystem.Inquiry{Base: j.base, All: all, Client: options.Client, Now: j.now(), Age: j.config.Age[e.Name].V, AnyAge: j.config.AnyAge,
			Permitted: func(url string) bool {
				allowed, _ := permitted() // its error ends the run
				return allowed[strings.TrimRight(url, "/")]
			}}
		if plan != nil {
			for i := range plan.Choices {
				if plan.Choices[i].Ecosystem == e.Name {
					q.After = &plan.Choices[i]
				}
			}
		}
		group.Go(func() { answers[i] = e.Releases(within, q) })
	}
	group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(j.credentials.Secrets()) > 0 {
		mask(reflect.ValueOf(answers), j.credentials.Mask)
	}
	for i, e := range asked {
		a := answers[i]
		if a.Asked > 0 {
			if _, err := permitted(); err != nil {
				return err
			}
		}
		j.said, j.notAsked = append(j.said, a.Flagged...), append(j.notAsked, a.NotAsked...)
		if a.Late > 0 {
			j.notes = append(j.notes, fmt.Sprintf("of %d versions for %s, %d were not asked about within %s", a.Asked, e.Name, a.Late, inquiryBudget))
		}
		if a.Untold > 0 {
			j.notes = append(j.notes, fmt.Sprintf("of what sources say of versions for %s, %d more are not told one by one", e.Name, a.Untold))
		}
	}
	return nil
}

// permittedNow tells of the sources that are or will be in force, by address, which policy accepts.
func (j *job) permittedNow(ctx context.Context, engine *decide.Engine, plan *choose.Plan) (map[string]bool, error) {
	var sources []source.Source
	for _, e := range j.systems {
		sources = append(sources, e.InForce...)
	}
	if plan != nil {
		for _, c := range plan.Choices {
			for _, p := range c.Sources {
				sources = append(sources, p.Source)
			}
		}
	}
	allowed, err := j.permittedByName(ctx, engine, sources)
	for url, ok := range maps.Clone(allowed) {
		allowed[strings.TrimRight(url, "/")] = ok
	}
	return allowed, err
}

func (p Process) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// older tells findings about versions that the base commit has, too.
func (j *job) older() func(decide.Finding) bool {
	type version struct{ id, subject string }
	had := map[version]bool{}
	for _, f := range j.said {
		if f.Origin == source.Base {
			for _, id := range versionRules(f.Ecosystem) {
				had[version{id, f.Name + "@" + f.Version}] = true
			}
		}
	}
	return func(f decide.Finding) bool { return had[version{f.ID, f.Subject}] }
}
