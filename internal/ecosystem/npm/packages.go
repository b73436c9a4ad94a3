package npm

import (
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/source"
)

// packages tells what the lock files pin one by one, where a policy reads it.
func (r *room) packages(in *decide.Input) {
	if !in.Each {
		return
	}
	g := grouping{origins: map[string]origin{}}
	for _, lock := range r.locks {
		for i := range lock.Entries {
			e := &lock.Entries[i]
			j := g.judge(e)
			name, version := shownName(e.Name), shownVersion(e.Version)
			p := decide.Package{Ecosystem: source.NPM, Name: name, Version: version, Purl: decide.PURL(source.NPM, name, version),
				Kind: j.kind, Integrity: j.class, Script: e.InstallScript, Position: e.At}
			if j.place.Host != "" {
				p.Host = source.Location{Host: j.place.Host, Port: j.place.Port}.HostPort()
			}
			in.Packages = append(in.Packages, p)
		}
	}
}
