package npm

import (
	"path"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

// pnpmField are the settings that pnpm 10 takes from the field "pnpm" of the root's package.json, as far as they concern
// what is installed and started; overrides are told as such.
var pnpmField = []string{"allowBuilds", "configDependencies", "neverBuiltDependencies", "onlyBuiltDependencies"}

// readPnpmFields reads that field beside each lock file and workspace of pnpm. A package.json that cannot be understood is
// told elsewhere.
func (s *settings) readPnpmFields() {
	seen := map[string]bool{}
	for _, name := range slices.Concat(s.co.Files("pnpm-lock.yaml"), s.co.Files(workspaceName)) {
		name = path.Join(path.Dir(name), manifestName)
		if seen[name] {
			continue
		}
		seen[name] = true
		file, err := s.co.Read(name, maxManifest)
		if err != nil {
			continue
		}
		values := s.workspaceSettings(file, pnpmFieldLeaves(file))
		for i := range values {
			v := &values[i]
			v.name, v.origin, v.from, v.nested, v.linked = "pnpm."+v.name, source.Checkout, v.at.File, true, file.Linked
		}
		s.values = append(s.values, values[:min(len(values), maxSettings)]...)
	}
}

// pnpmFieldLeaves are the texts, switches and empty lists of these settings; nil where the file is no JSON.
func pnpmFieldLeaves(file lockfile.File) (out []leaf) {
	s := &scanner{text: strings.TrimPrefix(string(file.Data), "\ufeff"), file: file, manager: "pnpm", line: 1}
	s.space()
	s.object(func(key string, _ lockfile.Position) bool {
		if key != "pnpm" {
			return s.skip()
		}
		return s.inner(func(key string) bool {
			if !slices.Contains(pnpmField, key) {
				return s.skip()
			}
			return s.leaves(&out, []field{{key, s.at()}})
		})
	})
	if s.err != nil {
		return nil
	}
	return out
}

// leaves reads a value of any kind.
func (s *scanner) leaves(out *[]leaf, below []field) bool {
	at, before := s.at(), len(*out)
	deeper := func(key string) []field { return append(slices.Clip(below), field{key, s.at()}) }
	var ok bool
	switch s.peek() {
	case '{':
		ok = s.object(func(key string, _ lockfile.Position) bool { return s.leaves(out, deeper(key)) })
	case '[':
		n := 0
		ok = s.array(func() bool {
			n++
			return s.leaves(out, deeper(toolfile.Index(n-1)))
		})
	default:
		l, start := leaf{path: below, at: at}, s.i
		if s.peek() == '"' {
			l.text, ok = s.str()
		} else {
			ok = s.skip()
			l.text = s.text[start:s.i]
		}
		if *out = append(*out, l); len(*out) > toolfile.MaxLeaves {
			return s.fail("holds more than %d settings", toolfile.MaxLeaves)
		}
		return ok
	}
	if ok && len(*out) == before {
		*out = append(*out, leaf{path: below, empty: true, at: at})
	}
	return ok
}
