package npm

import (
	"path"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// npm is what concerns the family beyond what lock files pin; nil where there is nothing of it.
func (r *room) npm() *decide.NPM {
	if len(r.locks)+len(r.unread) == 0 && len(r.co.Files("package.json")) == 0 {
		return nil
	}
	n := &decide.NPM{Locks: r.pins(), Drifts: []decide.Drift{}, Overrides: []decide.Override{}, Managers: []decide.Manager{}, Scripts: []decide.Script{}}
	r.manifests(n)
	return n
}

// pins are the lock files, those that cannot be read last.
func (r *room) pins() []decide.Lock {
	out := []decide.Lock{}
	for _, l := range r.locks {
		pins := decide.Lock{Manager: l.manager, Version: source.Plain(l.Version, 40), Packages: len(l.Entries), Bundled: l.Bundled, Doubted: l.Doubted, Position: l.VersionAt}
		if pins.File = l.file; l.manager == "npm" && l.Version < "2" {
			pins.Fault = "is of lockfileVersion 1, which says neither what package.json asks for nor which packages run a script"
			pins.ListSet = r.m.Scripts != nil
		}
		out = append(out, pins)
	}
	for _, file := range r.unread {
		out = append(out, decide.Lock{Manager: "bun", Fault: "is binary, so that the packages in it are not judged", Position: lockfile.Position{File: file}})
	}
	in := map[string][]decide.Lock{}
	for _, l := range out {
		in[path.Dir(l.File)] = append(in[path.Dir(l.File)], l)
	}
	for i := range out {
		l := &out[i]
		l.Beside = []string{}
		for _, other := range in[path.Dir(l.File)] { // six at most
			if other.Manager != l.Manager {
				l.Beside = append(l.Beside, other.File)
			}
		}
		slices.Sort(l.Beside)
		kind := "lock"
		if l.Fault != "" { // a file that says less than it did is another one
			kind = "blind lock"
		}
		l.Origin, l.Key = source.Checkout, strings.Join(append([]string{kind, l.File}, l.Beside...), " ")
	}
	return out
}
