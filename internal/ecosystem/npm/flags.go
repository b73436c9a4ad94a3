package npm

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// flags are the packages that something sets apart, in the order of the files.
type flags struct {
	flagged []decide.Flagged
	// counts are by kind, those of listed scripts apart: what is allowed leaves room for what is not.
	counts map[flagKind]int
	// scripts may run; nil where nobody said which.
	scripts map[string]bool
	// pinned are the packages of registries, each as it was met first.
	pinned map[pin]*lockfile.Entry
}

type flagKind struct {
	kind   string
	listed bool
}

type pin struct{ name, version string }

func newFlags(scripts []string, packages int) flags {
	f := flags{counts: map[flagKind]int{}, pinned: make(map[pin]*lockfile.Entry, packages)}
	if scripts != nil {
		f.scripts = map[string]bool{}
	}
	for _, s := range scripts {
		f.scripts[s] = true
	}
	return f
}

func (f *flags) put(p decide.Flagged) {
	k := flagKind{p.Kind, p.Listed}
	if f.counts[k]++; f.counts[k] > maxItems {
		return
	}
	p.Ecosystem, p.Origin = source.NPM, source.Checkout
	p.Name, p.Version = shownName(p.Name), shownVersion(p.Version)
	if p.Key == "" {
		p.Key = p.Kind + " " + p.Name + "@" + p.Version
	}
	f.flagged = append(f.flagged, p)
}

// flag looks at one entry. other is what is fetched in its place.
func (f *flags) flag(e *lockfile.Entry, kind, other string) {
	if other != "" {
		f.put(decide.Flagged{Name: e.Name, Version: e.Version, Kind: decide.FlagOther, Position: e.At, Key: otherKey(e.Name, e.Version, other),
			Detail: "is fetched as " + source.Plain(other, 300) + ", which its address is of"})
	}
	if e.InstallScript {
		// what a package that has one already does in its next version is no news
		f.put(decide.Flagged{Name: e.Name, Version: e.Version, Kind: decide.FlagScript, Detail: "runs a script when it is installed",
			Listed: f.mayRun(e), ListSet: f.scripts != nil, Key: "script " + e.Name, Position: e.At})
	}
	if kind == kindRegistry && e.Integrity != "" && !e.Own {
		f.compare(e)
	}
}

// mayRun is true for what the user's list has: a name, name@version, or @scope/*.
func (f *flags) mayRun(e *lockfile.Entry) bool {
	scope, _, _ := strings.Cut(e.Name, "/")
	return f.scripts[e.Name] || f.scripts[e.Name+"@"+e.Version] || scope != "" && scope[0] == '@' && f.scripts[scope+"/*"]
}

// compare looks for another hash of the same version, which has one content only.
func (f *flags) compare(e *lockfile.Entry) {
	k := pin{e.Name, e.Version}
	first := f.pinned[k]
	if first == nil {
		f.pinned[k] = e
		return
	}
	if algorithm := clash(first.Integrity, e.Integrity); algorithm != "" {
		f.put(decide.Flagged{Name: e.Name, Version: e.Version, Kind: decide.FlagClash, Position: e.IntegrityAt,
			Detail: fmt.Sprintf("has another %s than in %s:%d", algorithm, source.Plain(first.IntegrityAt.File, 200), first.IntegrityAt.Line)})
	}
}

// substitute flags what stands for a package of another name, or for one of a registry.
func (f *flags) substitute(s lockfile.Substitute) {
	what, detail := decide.FlagOther, "is fetched as "+shownName(s.Name)+"@"+shownVersion(s.Version)+", which nobody asks for by that name"
	if s.From != "" || s.Dir != "" {
		// what lies in node_modules is no file of the checkout, but another package
		if kind, _, _ := locateEntry("", s.From); (s.Dir != "" || kind == kindFile) && !slices.Contains(strings.Split(s.Dir, "/"), "node_modules") {
			what = decide.FlagFile
		}
		detail = "comes from " + source.Plain(source.Redact(cmp.Or(s.From, s.Dir)), 200) + ", where nobody asks for it"
	}
	f.put(decide.Flagged{Name: s.For, Version: s.Version, Kind: what, Position: s.At, Detail: detail,
		Key: otherKey(s.For, s.Version, s.Name+s.From+s.Dir)})
}

// command flags a script that stands in the lock file.
func (f *flags) command(s lockfile.Script) {
	f.put(decide.Flagged{Name: s.Name, Version: s.Version, Kind: decide.FlagCommand, Position: s.At,
		Detail: "has a script of the lock file's own, which npm runs (" + s.Event + ")",
		Key:    strings.Join([]string{decide.FlagCommand, s.Name, s.Event, s.Command}, "\x00")})
}

// otherKey is what a package is found again by that is not the one of its name: where another comes in its place, that is a
// change.
func otherKey(name, version, other string) string {
	return strings.Join([]string{decide.FlagOther, name, version, other}, "\x00")
}

// left says what was not told one by one.
func (f *flags) left() (notes []string) {
	for _, k := range slices.SortedFunc(maps.Keys(f.counts), func(a, b flagKind) int { return strings.Compare(a.kind, b.kind) }) {
		if n := f.counts[k]; n > maxItems {
			notes = append(notes, fmt.Sprintf("lock files: of %d packages that are flagged (%s), the first %d are told one by one", n, k.kind, maxItems))
		}
	}
	return notes
}

// clash is the strongest algorithm of which both have a hash, if they have none in common; else it is empty.
func clash(a, b string) string {
	if a == b {
		return ""
	}
	for _, algorithm := range algorithms {
		of := func(integrity string) (hashes []string) {
			for hash := range strings.FieldsSeq(integrity) {
				hash, _, _ = strings.Cut(hash, "?")
				if integrityClass(hash) == algorithm.name {
					hashes = append(hashes, hash)
				}
			}
			return hashes
		}
		if one, two := of(a), of(b); len(one) > 0 && len(two) > 0 {
			if slices.ContainsFunc(one, func(hash string) bool { return slices.Contains(two, hash) }) {
				return ""
			}
			return algorithm.name
		}
	}
	return ""
}

// confirmed are the substitutes of a lock file that its package.json does not ask for either: npm, yarn 1 and pnpm do not
// note what "overrides" and "resolutions" put in the place of a package, nor which directories are workspaces.
func confirmed(co *lockfile.Checkout, l *lockFile) []lockfile.Substitute {
	if len(l.Substitutes) == 0 || l.manager == "bun" || l.berry() {
		return l.Substitutes
	}
	dir := path.Dir(l.file)
	m, read := &packageJSON{}, false
	if file, err := co.Read(path.Join(dir, manifestName), maxManifest); err == nil {
		if parsed, err := parseManifest(file); err == nil {
			m, read = parsed, true
		}
	}
	patterns, from := directories(m.workspaces), dir
	if l.manager == "pnpm" {
		m.besides(co, dir)
		patterns, from = pnpmWorkspaces(co, dir)
	}
	asked, links := m.asks(), 0
	return slices.DeleteFunc(l.Substitutes, func(s lockfile.Substitute) bool {
		switch where := s.From+s.Dir != ""; {
		case asked.has(s), s.Said && !m.takes(s):
			return true
		case !read && patterns == nil && (where || l.manager == "npm" && l.Version == "1"):
			return true // nothing is installed by it, and what was asked nobody knows
		case s.Dir == "":
			return false
		}
		links++
		to := path.Join(dir, s.Dir)
		return links <= maxItems && len(s.Dir) < maxShown && !path.IsAbs(s.Dir) && filepath.IsLocal(filepath.FromSlash(to)) &&
			(l.manager == "pnpm" && to == from || inWorkspace(patterns, from, to))
	})
}

// takes tells whether there is a requirement of the name that npm may find met by a substitute. Else npm ci refuses the
// lock file, and the drift is all there is to tell.
func (m *packageJSON) takes(s lockfile.Substitute) bool {
	return slices.ContainsFunc(m.wants, func(w want) bool {
		asked, version := leadingMajor.FindStringSubmatch(w.text), leadingMajor.FindStringSubmatch(s.Version)
		return w.name == s.For && (asked == nil || version == nil || asked[1] == version[1])
	})
}

// leadingMajor is the major version in an exact version, and in a range of one part that keeps to one.
var leadingMajor = regexp.MustCompile(`^[~^=v]*(\d+)(?:\.[^\s|<>]*)?$`)

// asks are the packages that requirements and overrides ask for by another name, or by a place.
func (m *packageJSON) asks() (asked renamed) {
	wanted := map[string]string{}
	for _, w := range m.wants {
		asked.ask(w.name, w.text)
		wanted[w.name] = w.text
	}
	for _, w := range m.overrides {
		text := w.text
		if name, ok := strings.CutPrefix(text, "$"); ok { // as the root itself asks for that one
			text = wanted[name]
		}
		asked.ask(w.target(), text)
	}
	return asked
}
