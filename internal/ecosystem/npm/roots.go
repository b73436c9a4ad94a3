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

// bareRange takes away the "npm:" that yarn 2 and later put before a range, and leaves it before an alias.
func bareRange(wanted string) string {
	if bare, ok := strings.CutPrefix(wanted, "npm:"); ok && !strings.Contains(bare, "@") {
		return bare
	}
	return wanted
}
