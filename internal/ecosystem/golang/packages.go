package golang

import (
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/source"
)

// packages tells the required modules one by one, where a policy reads them: those that are replaced by what replaces
// them.
func (v *view) packages(in *decide.Input) {
	if !in.Each {
		return
	}
	for _, p := range v.requires.all {
		p.Name, p.Version = source.Plain(p.Name, 200), source.Plain(p.Version, 100)
		p.Purl = decide.PURL(source.Go, p.Name, p.Version)
		in.Packages = append(in.Packages, p)
	}
}
