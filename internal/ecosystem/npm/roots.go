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
		s.renamed.ask(name, wanted)
		return ok
	})
}

// renamed are the packages that are asked for by another name, as "alias name", those asked for by an address, as
// "alias ", and those asked for as a file, as "alias file:".
type renamed map[string]bool

// ask notes a requirement.
func (r *renamed) ask(alias, wanted string) {
	name, isAlias := strings.CutPrefix(wanted, "npm:")
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		name = name[:i]
	}
	switch {
	case !isAlias && isFile(wanted):
		name = "file:"
	case !isAlias && !isHTTP(wanted):
		return
	case !isAlias:
		name = ""
	}
	if *r == nil {
		*r = renamed{}
	}
	(*r)[alias+" "+name] = true
}

// without are the substitutes that nobody asked for.
func (r renamed) without(all []lockfile.Substitute) []lockfile.Substitute {
	return slices.DeleteFunc(all, func(s lockfile.Substitute) bool {
		if s.File != "" {
			return r[s.For+" file:"]
		}
		return r[s.For+" "+s.Name] || r[s.For+" "]
	})
}

// isFile tells whether npm and yarn 1 take a text for the path of a file or directory.
func isFile(text string) bool {
	if isHTTP(text) || text == "" || text[0] >= '0' && text[0] <= '9' {
		return false
	}
	kind, _, err := locateEntry("", text)
	return err == nil && kind == kindFile
}

// asks notes requirements of a package that ask for another one by its name. Very few do, and the others are passed over.
func (s *scanner) asks() bool {
	start := s.mark()
	if !s.skip() {
		return false
	}
	if text := s.text[start.i:s.i]; !strings.Contains(text, "npm:") && !strings.Contains(text, "://") && !strings.Contains(text, "file:") {
		return true
	}
	end := s.mark()
	s.back(start)
	ok := s.wants(&wants{}, wantKinds[0])
	s.back(end)
	return ok
}

// bareRange takes away the "npm:" that yarn 2 and later put before a range, and leaves it before an alias.
func bareRange(wanted string) string {
	if bare, ok := strings.CutPrefix(wanted, "npm:"); ok && !strings.Contains(bare, "@") {
		return bare
	}
	return wanted
}
