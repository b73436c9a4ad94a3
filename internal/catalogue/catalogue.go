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

// builtin is the embedded file. A test has read it: what is wrong with it is a bug.
var builtin = sync.OnceValue(func() []source.Source {
	list, err := Read("mirrors.yaml", mirrors)
	if err != nil {
		panic(err)
	}
	return list
})

// Builtin are the rows of this program's own catalogue, in its order. The caller may change the result.
func Builtin() []source.Source { return slices.Clone(builtin()) }

// Of are the rows of one ecosystem, with the user's among them: his row for an address that the catalogue has takes the
// place of that row, and what it leaves out is taken from there; others follow. A row of his that is off takes nothing but
// that from him. The caller may change the result.
func Of(ecosystem string, own []source.Source) []source.Source {
	var out []source.Source
	for _, s := range builtin() {
		if s.Ecosystem == ecosystem {
			out = append(out, s)
		}
	}
	return With(out, own, ecosystem)
}

// With is list with the rows of own that are of the ecosystem, as Of joins them.
func With(list, own []source.Source, ecosystem string) []source.Source {
	for _, s := range own {
		if s.Ecosystem != ecosystem {
			continue
		}
		i := slices.IndexFunc(list, func(known source.Source) bool { return Same(known, s) })
		switch {
		case i < 0:
			list = append(list, s)
		case s.Off != "":
			list[i].Off = s.Off
		default:
			list[i] = over(s, list[i])
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
