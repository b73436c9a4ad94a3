package npm

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	manifestName = "package.json"
	// maxManifest bounds one package.json; those of the registry stay below 1 MB.
	maxManifest = 8 << 20
	// maxWants bounds what is told of one package.json.
	maxWants = 20_000
	// manifestHint is the next step where npm, too, would fail.
	manifestHint = "mend the file: npm, yarn, pnpm and bun all refuse it"
)

// packageJSON is what a package.json says of where packages come from. Of equal keys JavaScript takes the last and other
// readers the first; here all are kept.
type packageJSON struct {
	file string
	// linked is true where the file is reached by a link: nothing of it is quoted.
	linked bool
	name   string
	// workspaces are the patterns of directories that belong to it.
	workspaces []string
	// wants are the requirements, with the field as setting; overrides are what is put in the place of others.
	wants, overrides []want
	managers         []want
	scripts          []want
}

// want is a name with a text that is asked for.
type want struct {
	setting, name, text string
	// at is the opening quote of the text.
	at lockfile.Position
	// raw is the text as JSON has it.
	raw string
}

// overriding are fields with settings that put one package in the place of another, at any depth.
var overriding = []string{"overrides", "resolutions", "patchedDependencies", "catalog", "catalogs"}

// parseManifest reads a package.json. The error is a *problem.Problem of code Usage.
func parseManifest(file lockfile.File) (*packageJSON, error) {
	s := &scanner{text: strings.TrimPrefix(string(file.Data), "\ufeff"), file: file, manager: "npm", line: 1}
	m := &packageJSON{file: file.Path, linked: file.Linked}
	s.space()
	s.object(func(key string, _ lockfile.Position) bool { return m.field(s, key) })
	if s.space(); s.err == nil && s.i < len(s.text) {
		s.unexpected("the end of the file")
	}
	if p, ok := errors.AsType[*problem.Problem](s.err); ok {
		if p.Hint = manifestHint; file.Linked {
			p.Err = errors.New("is no package.json (what stands behind a link is not shown)")
		}
	}
	return m, s.err
}

func (m *packageJSON) field(s *scanner, key string) bool {
	switch {
	case key == "name":
		return s.texts(key, 0, func(_ string, w want) { m.name = w.text })
	case key == "packageManager":
		return s.texts(key, 0, func(_ string, w want) { m.managers = append(m.managers, w) })
	case key == "devEngines":
		return s.inner(func(key string) bool {
			if key == "packageManager" {
				return m.devEngines(s)
			}
			return s.skip()
		})
	case wantKind(key) >= 0:
		return s.texts(key, 1, func(name string, w want) {
			w.name = name
			m.wants = append(m.wants, w)
		})
	case key == "scripts":
		return s.texts(key, 1, func(name string, w want) {
			w.name = name
			m.scripts = append(m.scripts, w)
		})
	case key == "workspaces":
		return m.workspace(s)
	case key == "pnpm":
		return s.inner(func(key string) bool {
			if slices.Contains(overriding, key) || key == "packageExtensions" {
				return m.override(s, "pnpm."+key)
			}
			return s.skip()
		})
	case slices.Contains(overriding, key):
		return m.override(s, key)
	}
	return s.skip()
}

func (m *packageJSON) override(s *scanner, setting string) bool {
	return s.texts(setting, maxDepth, func(name string, w want) {
		w.name = name
		m.overrides = append(m.overrides, w)
	})
}

// workspace reads "workspaces": a list of patterns, or an object with such a list as "packages" and catalogs beside it.
func (m *packageJSON) workspace(s *scanner) bool {
	patterns := func() bool {
		if s.peek() != '[' {
			return s.skip()
		}
		return s.texts("workspaces", 1, func(_ string, w want) { m.workspaces = append(m.workspaces, w.text) })
	}
	if s.peek() != '{' {
		return patterns()
	}
	return s.inner(func(key string) bool {
		switch key {
		case "packages":
			return patterns()
		case "catalog", "catalogs":
			return m.override(s, "workspaces."+key)
		}
		return s.skip()
	})
}

// devEngines reads devEngines.packageManager, an object or a list of such, into the form of packageManager.
func (m *packageJSON) devEngines(s *scanner) bool {
	one := func() bool {
		var name, version want
		ok := s.inner(func(key string) bool {
			return s.texts("devEngines.packageManager", 0, func(_ string, w want) {
				switch key {
				case "name":
					name = w
				case "version":
					version = w
				}
			})
		})
		if name.text != "" {
			if name.text += "@" + version.text; version.text != "" {
				name.at = version.at
			} else {
				name.text += "*"
			}
			m.managers = append(m.managers, name)
		}
		return ok
	}
	if s.peek() != '[' {
		return one()
	}
	return s.array(one)
}

// inner visits the values of an object, and passes over what is none.
func (s *scanner) inner(visit func(key string) bool) bool {
	if s.peek() != '{' {
		return s.skip()
	}
	return s.object(func(key string, _ lockfile.Position) bool { return visit(key) })
}

// array calls visit for each element, which it has to consume.
func (s *scanner) array(visit func() bool) bool {
	if !s.open('[', "an array") {
		return false
	}
	if s.peek() == ']' {
		s.i++
		s.depth--
		return true
	}
	for {
		if !visit() {
			return false
		}
		if !s.more(']') {
			return s.err == nil
		}
	}
}

// texts visits the strings of a value down to a depth, with the keys that lead to each, joined by ">". All else is passed
// over.
func (s *scanner) texts(setting string, depth int, visit func(name string, w want)) bool {
	var walk func(name string, depth int) bool
	walk = func(name string, depth int) bool {
		switch c := s.peek(); {
		case c == '"':
			if s.packages++; s.packages > maxWants {
				return s.fail("holds more than %d texts that are looked at", maxWants)
			}
			at, start := s.at(), s.i
			text, ok := s.str()
			if ok {
				visit(name, want{setting: setting, text: text, at: at, raw: s.text[start+1 : s.i-1]})
			}
			return ok
		case c == '{' && depth > 0:
			return s.object(func(key string, _ lockfile.Position) bool {
				if name != "" {
					key = name + ">" + key
				}
				return walk(key, depth-1)
			})
		case c == '[' && depth > 0:
			return s.array(func() bool { return walk(name, depth-1) })
		}
		return s.skip()
	}
	return walk("", depth)
}

// shown is text of the file as it may be told.
func (m *packageJSON) shown(text string) string {
	if m.linked {
		return "(behind a link)"
	}
	return source.Plain(source.Redact(text), 200)
}

// within is the place of a byte of the text.
func (w want) within(offset int) lockfile.Position {
	at := w.at
	at.Column += 1 + rawOffset(w.raw, offset)
	return at
}

// rawOffset is where in the text of a JSON string the byte of its value comes from that has the given offset.
func rawOffset(raw string, offset int) int {
	for i, n := 0, 0; i < len(raw); {
		if n >= offset {
			return i
		}
		switch {
		case raw[i] != '\\' || i+1 == len(raw):
			i, n = i+1, n+1
		case raw[i+1] != 'u' || i+6 > len(raw):
			i, n = i+2, n+1
		default:
			unit, _ := strconv.ParseUint(raw[i+2:i+6], 16, 16)
			i += 6
			switch r := rune(unit); {
			case r >= 0xd800 && r < 0xdc00 && strings.HasPrefix(raw[i:], `\u`):
				n++ // the first half of four bytes
			case r >= 0xdc00 && r < 0xe000:
				n += 3
			default:
				n += utf8.RuneLen(r)
			}
		}
	}
	return len(raw)
}
