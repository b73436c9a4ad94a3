package run

import (
	"slices"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/ecosystem/cargo"
	"github.com/org/goproxy-action/internal/ecosystem/maven"
	"github.com/org/goproxy-action/internal/ecosystem/pypi"
	"github.com/org/goproxy-action/internal/source"
)

// measured are the ecosystems that are measured and never set up: no setup asks their sources.
var measured = map[string]func(m ecosystem.Machine, fence string) *ecosystem.Ecosystem{
	source.PyPI: pypi.New, source.Crates: cargo.New, source.Maven: maven.New,
}

// Measurables are the names that measurable knows, in its order.
func Measurables() []string {
	return []string{source.Go, source.NPM, source.PyPI, source.Crates, source.Maven}
}

// measurable are the ecosystems whose sources can be measured, whether or not the checkout has files of them: those
// named, else those that the setting tools names, else all. Of each there is InForce, Catalogue, Target, and Notes that are
// not told yet. The error is that of a file of the checkout that cannot be understood.
func (j *job) measurable(names ...string) ([]*ecosystem.Ecosystem, error) {
	if len(names) == 0 {
		names = j.config.Tools.V
	}
	if len(names) == 0 {
		names = Measurables()
	}
	var out []*ecosystem.Ecosystem
	for _, name := range Measurables() {
		if !slices.Contains(names, name) {
			continue
		}
		i := slices.IndexFunc(j.systems, func(e *ecosystem.Ecosystem) bool { return e.Name == name })
		var e *ecosystem.Ecosystem
		switch {
		case i >= 0:
			e = j.systems[i]
		case measured[name] != nil:
			e = measured[name](j.machine(name), j.checkout.Fence)
		default:
			var err error
			if e, err = systems[name](j.machine(name), j.checkout); err != nil {
				return nil, err
			}
		}
		j.maskSources(e)
		out = append(out, e)
	}
	return out, nil
}
