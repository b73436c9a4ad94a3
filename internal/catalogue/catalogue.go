// Package catalogue is what is known of the places that packages come from before anybody asked one: dated data, which
// the user's configuration extends and takes from.
package catalogue

import (
	_ "embed"
	"slices"
	"sync"

	"github.com/org/goproxy-action/internal/source"
)

//go:embed mirrors.yaml
var mirrors []byte

// builtin is the embedded file. It has no faults: TestBuiltin reads it, in each build's tests.
var builtin = sync.OnceValue(func() []source.Source {
	list, _ := Read("mirrors.yaml", mirrors)
	return list
})

// Builtin are the rows of this program's own catalogue, in its order. The caller may change the result.
func Builtin() []source.Source { return slices.Clone(builtin()) }

// Of are the rows of one ecosystem, with the user's rows own in it. His row for an address that the catalogue has takes
// the place of that row, and what it leaves out is taken from there; with Off it takes the address out, so that nobody
// asks it. Others follow. The caller may change the result.
func Of(ecosystem string, own []source.Source) []source.Source {
	others := func(s source.Source) bool { return s.Ecosystem != ecosystem }
	list := slices.DeleteFunc(Builtin(), others)
	for _, s := range slices.DeleteFunc(slices.Clone(own), others) {
		i := slices.IndexFunc(list, func(known source.Source) bool { return Same(known, s) })
		switch {
		case s.Off == "" && i < 0:
			list = append(list, s)
		case s.Off == "":
			list[i] = over(s, list[i])
		case i >= 0:
			list = slices.Delete(list, i, i+1)
		}
	}
	return list
}

// Same tells whether two rows are of the same address.
func Same(a, b source.Source) bool {
	if a.Ecosystem != b.Ecosystem || a.Role != b.Role {
		return false
	}
	x, errX := source.Locate(a.URL)
	y, errY := source.Locate(b.URL)
	return errX == nil && errY == nil && x.String() == y.String()
}
