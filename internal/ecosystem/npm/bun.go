package npm

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"unsafe"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// ParseBun reads bun.lock of lockfileVersion 0 to 3. Its entries are the packages that bun would fetch, in the file's order. A
// position is that of the opening quote of the address, of the text that holds it, of the integrity, or of the entry's
// key. bun reads comments, too, and does not write them; they are refused.
//
// Left out are links, workspaces and directories of the checkout. Packages that are bundled in others are told with the
// rest: bun notes their integrity, too, and the file's word alone makes them bundled.
//
// The entries point into the file's data, which must not change any more. The error is a *problem.Problem of code Usage.
func ParseBun(file lockfile.File) (lockfile.Lock, error) {
	text := strings.TrimPrefix(unsafe.String(unsafe.SliceData(file.Data), len(file.Data)), "\ufeff") //nolint:gosec // the bytes are never written again
	s := &scanner{text: text, file: file, manager: "bun", loose: true, line: 1}
	return s.result(s.bunLock())
}

func (s *scanner) bunLock() (l lockfile.Lock) {
	var once seen
	s.space()
	ok := s.object(func(key string, at lockfile.Position) bool {
		switch key {
		case "lockfileVersion":
			return s.once(&once, seenVersion, key, at) && s.version(&l, "0", "1", "2", "3")
		case "workspaces":
			return s.once(&once, seenWorkspaces, key, at) && s.object(func(dir string, _ lockfile.Position) bool { return s.bunRoot(&l, dir) })
		case "overrides", "resolutions", "catalog", "catalogs":
			return s.bunRenames()
		case "packages":
			if !s.once(&once, seenPackages, key, at) {
				return false
			}
			// an entry takes some 200 bytes
			l.Entries = make([]lockfile.Entry, 0, len(s.text)/200+1)
			keys := make(map[string]struct{}, len(s.text)/200+1)
			return s.object(func(key string, at lockfile.Position) bool {
				if _, twice := keys[key]; twice {
					return s.failAt(at, "names the package %q twice", source.Plain(key, 120))
				}
				keys[key] = struct{}{}
				return s.bunEntry(&l, key, at)
			})
		}
		return s.skip()
	})
	if !ok {
		return l
	}
	if s.space(); s.i < len(s.text) {
		s.unexpected("the end of the file")
	} else if once&seenVersion == 0 {
		s.fail("ends without a lockfileVersion")
	}
	s.unasked(&l)
	return l
}

// bunRenames reads what replaces requirements wherever they stand, which may nest.
func (s *scanner) bunRenames() bool {
	if s.peek() != '{' {
		return s.skip()
	}
	return s.object(func(name string, _ lockfile.Position) bool {
		if s.peek() != '"' {
			return s.bunRenames()
		}
		wanted, ok := s.str()
		s.renamed.ask(name, wanted)
		return ok
	})
}

// bunRoot reads one package.json as bun.lock has it.
func (s *scanner) bunRoot(l *lockfile.Lock, dir string) bool {
	var wanted wants
	ok := s.object(func(key string, _ lockfile.Position) bool {
		if wantKind(key) < 0 {
			return s.skip()
		}
		return s.wants(&wanted, key)
	})
	l.Roots = append(l.Roots, lockfile.Root{Dir: cmp.Or(dir, "."), Wants: wanted.merged()})
	return ok
}

// bunEntry reads one package, whose kind the first text decides:
//
//	["name@1.0.0", "tarball, empty for the registry in force", {…}, "integrity"]
//	["name@https://… or ./file.tgz", {…}, "integrity"]
//	["name@git+… or github:…", {…}, "commit", "integrity"]
//	["name@link:…, workspace:…, file:… or root:", {…}]
func (s *scanner) bunEntry(l *lockfile.Lock, key string, at lockfile.Position) bool {
	if s.packages++; s.packages > maxPackages {
		return s.failAt(at, "names more than %d packages", maxPackages)
	}
	var what field
	var texts [3]field
	var script, info bool
	n, before := 0, 0 // texts, and those that stand before the object
	if !s.open('[', "an array that describes a package") || !s.bunText(&what, "a text that says what the package is") {
		return false
	}
	for s.more(']') {
		switch c := s.peek(); {
		case c == '{' && !info:
			info, before = true, n
			if !s.bunInfo(&script) {
				return false
			}
		case n == len(texts):
			return s.unexpected(`"]"`)
		default:
			if !s.bunText(&texts[n], "a text or an object") {
				return false
			}
			n++
		}
	}
	if s.err != nil {
		return false
	}
	e := lockfile.Entry{Ecosystem: source.NPM, Name: what.text, At: at, IntegrityAt: at, InstallScript: script}
	var spec string
	if i := strings.IndexByte(what.text[min(1, len(what.text)):], '@'); i >= 0 {
		e.Name, spec = what.text[:i+1], what.text[i+2:]
	}
	if strings.HasPrefix(what.text, "@root:") {
		spec = what.text[1:]
	}
	var integrity field
	var ok bool
	switch {
	case spec == "":
		return s.failAt(what.at, "describes no package: %q holds no name and version", source.Plain(source.Redact(what.text), 120))
	case isVersion(spec):
		e.Version, integrity, ok = spec, texts[1], n == 2 && before == 1
		if alias := lastName(key); alias != e.Name {
			e.Alias = alias
			l.Substitutes = append(l.Substitutes, lockfile.Substitute{For: alias, By: bunAsker(key), Name: e.Name, Version: spec, At: what.at})
		}
		if e.URL = texts[0].text; e.URL != "" {
			if e.At = texts[0].at; elsewhere(e.URL) {
				l.Substitutes = append(l.Substitutes, lockfile.Substitute{For: lastName(key), By: bunAsker(key), Version: spec, From: e.URL, At: e.At})
			}
		}
	case strings.HasPrefix(spec, "link:"), strings.HasPrefix(spec, "workspace:"), strings.HasPrefix(spec, "file:"), strings.HasPrefix(spec, "root:"):
		if spec[0] == 'l' || spec[0] == 'f' {
			l.Substitutes = append(l.Substitutes, lockfile.Substitute{For: lastName(key), By: bunAsker(key), From: spec, At: what.at})
		}
		return n == 0 || s.failAt(texts[0].at, "holds a text more than bun writes for what lies in the checkout")
	default:
		kind, _, _ := locateEntry(e.Name, spec)
		e.URL, e.At, e.ByAddress = spec, what.at, true
		l.Substitutes = append(l.Substitutes, lockfile.Substitute{For: lastName(key), By: bunAsker(key), From: spec, At: what.at})
		if kind == kindGit {
			integrity, ok = texts[1], (n == 1 || n == 2) && before == 0
		} else {
			integrity, ok = texts[0], n <= 1 && before == 0
		}
	}
	if !ok || !info {
		return s.failAt(what.at, "describes a package of this kind in another way than bun does")
	}
	if integrity.text != "" {
		e.Integrity, e.IntegrityAt = bunIntegrity(integrity.text), integrity.at
	}
	l.Entries = append(l.Entries, e)
	return true
}

// bunAsker is the package.json that a package is for: that of the root where the key names no other package before it.
func bunAsker(key string) string {
	if lastName(key) == key {
		return "."
	}
	return ""
}

func (s *scanner) bunText(f *field, want string) (ok bool) {
	if s.peek() != '"' {
		return s.unexpected(want)
	}
	f.at = s.at()
	f.text, ok = s.str()
	return ok
}

// bunInfo reads the object of a package.
func (s *scanner) bunInfo(script *bool) bool {
	return s.object(func(key string, _ lockfile.Position) bool {
		switch {
		case key == "hasInstallScript":
			*script = s.peek() == 't'
		case wantKind(key) >= 0:
			return s.asks()
		}
		return s.skip()
	})
}

// isVersion tells a version from what bun would fetch elsewhere.
func isVersion(spec string) bool {
	return spec[0] >= '0' && spec[0] <= '9' && !strings.ContainsAny(spec, ":/")
}

// bunIntegrity is the integrity as bun understands it. Of several hashes, and of an algorithm that it does not know, it
// checks none and says nothing; what it passes over is made what nobody reads.
func bunIntegrity(integrity string) string {
	algorithm, _, _ := strings.Cut(integrity, "-")
	switch algorithm {
	case "sha1", "sha256", "sha384", "sha512":
		if !strings.ContainsAny(integrity, " \t\r\n?") {
			return integrity
		}
	}
	return "unread:" + strings.Join(strings.Fields(integrity), ",")
}

// bunBinary is bun's lock file before 1.2, an image of its memory, which has no description to judge it by.
const bunBinary = "bun.lockb"

// unreadLocks are those that bun would read; it does not where bun.lock stands beside.
func unreadLocks(co *lockfile.Checkout) (names []string) {
	texts := co.Files("bun.lock")
	for _, name := range co.Files(bunBinary) {
		if !slices.Contains(texts, path.Join(path.Dir(name), "bun.lock")) {
			names = append(names, name)
		}
	}
	return names
}
