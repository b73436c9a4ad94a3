package npm

import (
	"maps"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
)

// wantKinds are the fields of package.json that hold requirements, in the order in which npm reads them: of two that name
// one package the later one counts.
var wantKinds = [...]string{"peerDependencies", "dependencies", "optionalDependencies", "devDependencies"}

// wantKind is the place of a field in that order, -1 for any other.
func wantKind(field string) int { return slices.Index(wantKinds[:], field) }

// wants are the requirements of one package.json, by kind and name.
type wants [len(wantKinds)]map[string]string

func (w *wants) add(kind int, name, wanted string) {
	if w[kind] == nil {
		w[kind] = map[string]string{}
	}
	w[kind][name] = wanted
}

// find is the requirement of a name.
func (w *wants) find(name string) (wanted string, ok bool) {
	for i := len(w) - 1; i >= 0 && !ok; i-- {
		wanted, ok = w[i][name]
	}
	return wanted, ok
}

// merged are the requirements that count, by name.
func (w *wants) merged() map[string]string {
	all := map[string]string{}
	for _, kind := range w {
		maps.Copy(all, kind)
	}
	return all
}

// wants reads the requirements of one kind. What is no text is none.
func (s *scanner) wants(w *wants, kind string) bool {
	if s.peek() != '{' {
		return s.skip()
	}
	return s.object(func(name string, _ lockfile.Position) bool {
		if s.peek() != '"' {
			return s.skip()
		}
		wanted, ok := s.str()
		w.add(wantKind(kind), name, wanted)
		return ok
	})
}

// renamed are the packages that are asked for by another name, as "alias name", and those asked for by an address, a
// repository or a path, as "alias ".
type renamed map[string]bool

// ask notes a requirement.
func (r *renamed) ask(alias, wanted string) {
	name, isAlias := strings.CutPrefix(wanted, "npm:")
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		name = name[:i]
	}
	switch {
	case !isAlias && !asksForPlace(wanted):
		return
	case !isAlias:
		name = ""
	}
	if *r == nil {
		*r = renamed{}
	}
	(*r)[alias+" "+name] = true
}

// asksForPlace is true for a requirement that no registry answers.
func asksForPlace(wanted string) bool {
	return hasAddress(wanted) && !slices.ContainsFunc([]string{"npm:", "workspace:", "catalog:", "jsr:"}, func(protocol string) bool {
		return strings.HasPrefix(wanted, protocol)
	})
}

// has tells whether somebody asked for a substitute.
func (r renamed) has(s lockfile.Substitute) bool { return r[s.For+" "+s.Name] || r[s.For+" "] }

// asks passes over requirements of a package.
func (s *scanner) asks() bool {
	s.asking = append(s.asking, s.mark())
	return s.skip()
}

// unasked leaves the substitutes that nobody asked for. Of what a package.json itself asks for no word of another package
// counts; of the rest it does.
func (s *scanner) unasked(l *lockfile.Lock) {
	if len(l.Substitutes) == 0 || s.err != nil {
		return
	}
	roots, others := map[string]map[string]string{}, renamed{}
	for _, root := range l.Roots {
		roots[root.Dir] = root.Wants
		for name, wanted := range root.Wants {
			others.ask(name, wanted)
		}
	}
	end, depth := s.mark(), s.depth
	for _, at := range s.asking {
		s.back(at)
		var asked wants
		s.wants(&asked, wantKinds[0])
		for name, wanted := range asked[0] {
			others.ask(name, wanted)
		}
	}
	s.back(end)
	s.depth = depth
	left := l.Substitutes[:0]
	for _, x := range l.Substitutes {
		asked := others
		wanted, known := roots[x.By][x.For]
		if known {
			asked = renamed{}
			asked.ask(x.For, wanted)
		}
		x.Said = asked.has(x) || s.renamed.has(x)
		if !x.Said || known && x.By == "." && s.manager == "npm" {
			left = append(left, x)
		}
	}
	l.Substitutes = left
}

// bareRange takes away the "npm:" that yarn 2 and later put before a range, and leaves it before an alias.
func bareRange(wanted string) string {
	if bare, ok := strings.CutPrefix(wanted, "npm:"); ok && !strings.Contains(bare, "@") {
		return bare
	}
	return wanted
}
