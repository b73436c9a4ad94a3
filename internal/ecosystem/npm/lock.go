package npm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// maxDepth bounds the nesting of objects and arrays. A version 1 lock file takes two levels for each nested package;
// real ones stay below ten packages.
const maxDepth = 64

// maxPackages bounds the entries of one file. A package with a place and an integrity takes 200 bytes and more, so that
// the largest file that is read has fewer.
const maxPackages = 500_000

// ParseLock reads package-lock.json or npm-shrinkwrap.json of lockfileVersion 1, 2 or 3. Its entries are the packages that
// npm would fetch, in the file's order. A position is that of the opening quote of the address, the integrity, or the
// entry's key.
//
// Left out is what npm takes from the checkout or from another package's tarball: the root, links, workspaces, bundled
// packages. It is left out only as long as it names no address: npm fetches a bundled package of the root, for one, and
// the word of a file that may be hostile is no proof.
//
// The entries point into the file's data, which must not change any more. The error is a *problem.Problem of code Usage.
func ParseLock(file lockfile.File) (lockfile.Lock, error) {
	// a copy would cost a sixth of the time
	text := strings.TrimPrefix(unsafe.String(unsafe.SliceData(file.Data), len(file.Data)), "\ufeff") //nolint:gosec // the bytes are never written again
	s := &scanner{text: text, file: file, manager: "npm", line: 1}
	return s.result(s.lock())
}

// result is what was read, unless there was a fault.
func (s *scanner) result(l lockfile.Lock) (lockfile.Lock, error) {
	if s.err != nil {
		return lockfile.Lock{}, s.err
	}
	return l, nil
}

// scanner walks JSON once and keeps positions. It decodes nothing that no rule reads. After a fault err is set, and all
// methods return false.
type scanner struct {
	text    string
	file    lockfile.File
	manager string
	// loose is true where a comma may stand behind the last value.
	loose bool
	i     int
	// line is where i stands, bol the offset of its first byte. Line ends stand only between tokens.
	line, bol int
	depth     int
	// packages counts the entries.
	packages int
	// asking are the requirements of packages, which are read where a substitute makes one want to know.
	asking  []mark
	bundles bundles
	// renamed are the packages that overrides of the file ask for by another name.
	renamed renamed
	// nested counts the packages of version 1 that the current one lies in.
	nested int
	err    error
}

// mark is where the scanner stood.
type mark struct{ i, line, bol int }

func (s *scanner) mark() mark   { return mark{s.i, s.line, s.bol} }
func (s *scanner) back(to mark) { s.i, s.line, s.bol = to.i, to.line, to.bol }
func (s *scanner) peek() byte   { return s.byteAt(s.i) }
func (s *scanner) at() (p lockfile.Position) {
	return lockfile.Position{File: s.file.Path, Line: s.line, Column: s.i - s.bol + 1}
}

// byteAt is 0 behind the end; a NUL is no part of JSON outside of strings either.
func (s *scanner) byteAt(i int) byte {
	if i < len(s.text) {
		return s.text[i]
	}
	return 0
}

const lockHint = "restore the file from version control, or remove it and run npm install"

func (s *scanner) fail(format string, args ...any) bool { return s.failAt(s.at(), format, args...) }

func (s *scanner) failAt(at lockfile.Position, format string, args ...any) bool {
	if s.err == nil {
		s.err = syntaxError(s.file, at, s.manager, s.text[min(s.bol, len(s.text)):], format, args...)
	}
	return false
}

// unexpected reports the byte at the current position.
func (s *scanner) unexpected(want string) bool {
	switch {
	case s.i >= len(s.text):
		return s.fail("ends where %s must stand", want)
	case strings.HasPrefix(s.text[s.i:], "<<<<<<<"):
		return s.fail("holds an unresolved merge conflict")
	}
	for _, r := range s.text[s.i:] {
		return s.fail("holds %q where %s must stand", r, want)
	}
	return false
}

func (s *scanner) space() {
	for s.i < len(s.text) {
		switch s.text[s.i] {
		case ' ', '\t', '\r':
			s.i++
		case '\n':
			s.i++
			s.line++
			s.bol = s.i
		default:
			return
		}
	}
}

// str reads a string and decodes it only where it holds an escape.
func (s *scanner) str() (string, bool) {
	start, escaped, ok := s.skipString()
	if !ok {
		return "", false
	}
	if !escaped {
		return s.text[start+1 : s.i-1], true
	}
	var out string
	if err := json.Unmarshal([]byte(s.text[start:s.i]), &out); err != nil {
		return "", s.fail("holds a string with an invalid escape")
	}
	return out, true
}

func (s *scanner) skipString() (start int, escaped, ok bool) {
	if s.peek() != '"' {
		return 0, false, s.unexpected(`a string in double quotes`)
	}
	text, i := s.text, s.i+1
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			start, s.i = s.i, i+1
			return start, escaped, true
		case c == '\\':
			escaped = true
			i++
			if i < len(text) && strings.IndexByte(`"\/bfnrtu`, text[i]) < 0 {
				s.i = i
				return 0, false, s.fail(`holds the escape \%c, which JSON does not have`, text[i])
			}
			if i < len(text) && text[i] == 'u' {
				for n := 1; n <= 4; n++ {
					if c := s.byteAt(i + n); !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
						s.i = min(i+n, len(text))
						return 0, false, s.unexpected("a hexadecimal digit")
					}
				}
				i += 4
			}
		case c < 0x20:
			s.i = i
			return 0, false, s.unexpected("the end of a string")
		}
	}
	s.i = len(text)
	return 0, false, s.unexpected("the end of a string")
}

// open and shut keep count of the depth.
func (s *scanner) open(c byte, what string) bool {
	if s.peek() != c {
		return s.unexpected(what)
	}
	if s.depth++; s.depth > maxDepth {
		return s.fail("nests deeper than %d levels", maxDepth)
	}
	s.i++
	s.space()
	return true
}

// more is called behind a value: true where another one follows.
func (s *scanner) more(end byte) bool {
	s.space()
	switch s.peek() {
	case ',':
		s.i++
		s.space()
		if !s.loose || s.peek() != end {
			return true
		}
		fallthrough
	case end:
		s.i++
		s.depth--
		return false
	}
	return s.unexpected(fmt.Sprintf(`"," or %q`, rune(end)))
}

// object calls visit for each key, with the scanner on the value, which visit has to consume.
func (s *scanner) object(visit func(key string, at lockfile.Position) bool) bool {
	if !s.open('{', "an object") {
		return false
	}
	if s.peek() == '}' {
		s.i++
		s.depth--
		return true
	}
	for {
		at := s.at()
		key, ok := s.str()
		if !ok || !s.colon() || !visit(key, at) {
			return false
		}
		if !s.more('}') {
			return s.err == nil
		}
	}
}

func (s *scanner) colon() bool {
	s.space()
	if s.peek() != ':' {
		return s.unexpected(`":"`)
	}
	s.i++
	s.space()
	return true
}

// skip consumes a value of any kind, and checks that it is one.
func (s *scanner) skip() bool {
	switch c := s.peek(); {
	case c == '"':
		_, _, ok := s.skipString()
		return ok
	case c == '{':
		if !s.open('{', "an object") {
			return false
		}
		if s.peek() == '}' {
			s.i++
			s.depth--
			return true
		}
		for {
			if _, _, ok := s.skipString(); !ok || !s.colon() || !s.skip() {
				return false
			}
			if !s.more('}') {
				return s.err == nil
			}
		}
	case c == '[':
		if !s.open('[', "an array") {
			return false
		}
		if s.peek() == ']' {
			s.i++
			s.depth--
			return true
		}
		for {
			if !s.skip() {
				return false
			}
			if !s.more(']') {
				return s.err == nil
			}
		}
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	return s.word()
}

// word reads true, false or null.
func (s *scanner) word() bool {
	for _, w := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[s.i:], w) {
			s.i += len(w)
			return true
		}
	}
	return s.unexpected("a value")
}

func (s *scanner) number() bool {
	digits := func() bool {
		start := s.i
		for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
			s.i++
		}
		return s.i > start || s.unexpected("a digit")
	}
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !digits() {
		return false
	}
	if s.peek() == '.' {
		s.i++
		if !digits() {
			return false
		}
	}
	if s.peek()|0x20 == 'e' {
		if s.i++; s.peek() == '+' || s.peek() == '-' {
			s.i++
		}
		return digits()
	}
	return true
}

// lock reads the whole file. Of "packages" and "dependencies" npm looks at the latter only where the former is missing, and
// npm 6 at nothing else. Version 2 has both, so that each can use it: what the latter has apart counts as well.
func (s *scanner) lock() (l lockfile.Lock) {
	var once seen
	var packages bool
	var dependencies mark
	s.space()
	ok := s.object(func(key string, at lockfile.Position) bool {
		switch key {
		case "lockfileVersion":
			return s.once(&once, seenVersion, key, at) && s.version(&l, "1", "2", "3")
		case "packages":
			if !s.once(&once, seenPackages, key, at) {
				return false
			}
			if c := s.peek(); c == 'n' || c == 'f' { // as good as missing
				return s.skip()
			}
			packages = true
			// an entry takes some 350 bytes
			l.Entries = make([]lockfile.Entry, 0, len(s.text)/256+1)
			keys := make(map[string]struct{}, len(s.text)/256+1)
			return s.object(func(key string, at lockfile.Position) bool {
				if _, twice := keys[key]; twice {
					return s.failAt(at, "names the package %q twice", source.Plain(key, 120))
				}
				keys[key] = struct{}{}
				return s.entry(&l, key, at, false)
			})
		case "dependencies":
			if !s.once(&once, seenDependencies, key, at) {
				return false
			}
			if s.peek() == '{' {
				dependencies = s.mark()
			}
		}
		return s.skip()
	})
	if !ok {
		return l
	}
	if s.space(); s.i < len(s.text) {
		s.unexpected("the end of the file")
		return l
	}
	s.unbundled(&l)
	if dependencies.line > 0 {
		old := lockfile.Lock{Entries: make([]lockfile.Entry, 0, len(l.Entries))}
		s.back(dependencies)
		s.depth = 1
		if !s.dependencies(&old) {
			return l
		}
		if before := len(l.Entries); packages {
			old.Entries = append(old.Entries, s.bundles.doubted()...)
			apart(&l, &old)
			if len(l.Entries) > before {
				inOrder(l.Entries)
			}
		} else { // a nested package was read before the one that holds it
			l.Entries, l.Substitutes, l.Bundled, l.Doubted = old.Entries, old.Substitutes, old.Bundled, old.Bundled
			inOrder(l.Entries)
		}
	}
	s.unasked(&l)
	return l
}

func inOrder(entries []lockfile.Entry) {
	slices.SortStableFunc(entries, func(a, b lockfile.Entry) int {
		return cmp.Or(a.At.Line-b.At.Line, a.At.Column-b.At.Column)
	})
}

// apart adds what another reading of the same file has and the first has not.
func apart(l, other *lockfile.Lock) {
	type pinned struct{ name, version, url, integrity string }
	of := func(e *lockfile.Entry) pinned {
		switch {
		case e.URL == "":
			return pinned{e.Name, e.Version, "", e.Integrity}
		case elsewhere(e.URL) || e.ByAddress: // both may have another name for it
			return pinned{"", "", e.URL, e.Integrity}
		}
		return pinned{e.Name, "", e.URL, e.Integrity}
	}
	known := make(map[pinned]struct{}, len(l.Entries))
	for i := range l.Entries {
		e := &l.Entries[i]
		if known[of(e)] = struct{}{}; e.URL != "" && !ofRegistry(e.Name, e.URL) {
			known[pinned{"", "", e.URL, e.Integrity}] = struct{}{}
		}
	}
	for i := range other.Entries {
		if _, is := known[of(&other.Entries[i])]; !is {
			l.Entries = append(l.Entries, other.Entries[i])
		}
	}
	type stands struct{ name, is, version, from string }
	told := map[stands]bool{}
	for _, s := range l.Substitutes {
		told[stands{s.For, s.Name, s.Version, strings.TrimPrefix(s.From, "file:")}] = true
	}
	for _, s := range other.Substitutes {
		if !told[stands{s.For, s.Name, s.Version, strings.TrimPrefix(s.From, "file:")}] {
			l.Substitutes = append(l.Substitutes, s)
		}
	}
}

// version reads the format's version, which has to be one of those that are known.
func (s *scanner) version(l *lockfile.Lock, known ...string) bool {
	at, start := s.at(), s.i
	if !s.skip() {
		return false
	}
	l.Version, l.VersionAt = s.text[start:s.i], at
	return slices.Contains(known, l.Version) ||
		s.failAt(at, "has lockfileVersion %s, and %s to %s can be read", source.Plain(l.Version, 20), known[0], known[len(known)-1])
}

func (s *scanner) dependencies(l *lockfile.Lock) bool {
	keys := map[string]struct{}{}
	return s.object(func(key string, at lockfile.Position) bool {
		if _, twice := keys[key]; twice {
			return s.failAt(at, "names the package %q twice", source.Plain(key, 120))
		}
		keys[key] = struct{}{}
		return s.entry(l, key, at, true)
	})
}

// seen are the keys that were met in one object. JSON readers differ in which of two equal keys counts.
type seen uint16

const (
	seenVersion seen = 1 << iota
	seenName
	seenResolved
	seenIntegrity
	seenFrom
	seenLink
	seenBundled
	seenDependencies
	seenPackages
	seenScript
	seenWorkspaces
)

func (s *scanner) once(all *seen, key seen, name string, at lockfile.Position) bool {
	if *all&key != 0 {
		return s.failAt(at, "holds the key %q twice", name)
	}
	*all |= key
	return true
}

// field is a value of an entry with its place.
type field struct {
	text string
	at   lockfile.Position
}

// text reads a string; true, false and null count as missing (npm writes them), and what JavaScript would make a string
// of by itself is refused.
func (s *scanner) field(f *field, key string) bool {
	f.at = s.at()
	var ok bool
	switch s.peek() {
	case '"':
		f.text, ok = s.str()
	case 't', 'f', 'n':
		ok = s.word()
	default:
		ok = s.fail("holds no string as %q", key)
	}
	return ok
}

func (s *scanner) entry(l *lockfile.Lock, key string, at lockfile.Position, v1 bool) bool {
	if c := s.peek(); c != '{' {
		part := "packages"
		if v1 {
			part = "dependencies"
		}
		want := fmt.Sprintf("an object that describes %q of %q", source.Plain(key, 120), part)
		if c == '"' && v1 { // npm 7 and later pass over it where "packages" stands; npm ci of npm 6.14.18 does this, without a hash
			return s.fail("holds a text where %s must stand; npm 6 would install the newest version", want)
		}
		return s.unexpected(want)
	}
	if s.packages++; s.packages > maxPackages {
		return s.failAt(at, "names more than %d packages", maxPackages)
	}
	var (
		name, version, resolved, integrity, from field
		inPackage                                field
		link, isBundled, script                  bool
		scripts                                  []lockfile.Script
		once                                     seen
		wanted                                   wants
	)
	if !v1 { // on Windows npm takes both for the same
		key = strings.ReplaceAll(key, `\`, "/")
	}
	if key != "" && path.Clean(key) != key || key == "." { // which npm takes for another one's place, and no rule does
		return s.failAt(at, "names the package %q in a way that npm does not write", source.Plain(key, 120))
	}
	inner, before := strings.LastIndex(key, "node_modules/"), len(s.asking)
	root := !v1 && inner < 0
	flag := func(to *bool) bool {
		start := s.i
		ok := s.skip()
		*to = truthy(s.text[start:s.i])
		return ok
	}
	ok := s.object(func(k string, at lockfile.Position) bool {
		switch k {
		case "version":
			return s.once(&once, seenVersion, k, at) && s.field(&version, k)
		case "resolved":
			return s.once(&once, seenResolved, k, at) && s.field(&resolved, k)
		case "_resolved": // npm 7 and later take it for that of the package.json, which counts where there is no other
			if !v1 {
				return s.field(&inPackage, k)
			}
		case "integrity":
			return s.once(&once, seenIntegrity, k, at) && s.field(&integrity, k)
		case "name":
			if !v1 {
				return s.once(&once, seenName, k, at) && s.field(&name, k)
			}
		case "from":
			if v1 {
				return s.once(&once, seenFrom, k, at) && s.field(&from, k)
			}
		case "link":
			if !v1 {
				return s.once(&once, seenLink, k, at) && flag(&link)
			}
		case "inBundle", "bundled":
			if v1 == (k == "bundled") {
				return s.once(&once, seenBundled, k, at) && flag(&isBundled)
			}
		case "bundleDependencies":
			if !v1 && !root {
				return s.bundles.list(s, key)
			}
		case "dependencies":
			if v1 {
				if !s.once(&once, seenDependencies, k, at) {
					return false
				}
				if s.peek() == '{' {
					s.nested++
					ok := s.dependencies(l)
					s.nested--
					return ok
				}
			}
			fallthrough
		case "devDependencies", "optionalDependencies", "peerDependencies":
			if root {
				return s.wants(&wanted, k)
			}
			return s.asks()
		case "requires":
			if v1 && s.peek() == '{' {
				return s.asks()
			}
		case "scripts": // no tool writes it, and npm 11 runs what it says in place of the package's own
			if !v1 && !root && s.peek() == '{' {
				return s.object(func(event string, _ lockfile.Position) bool {
					if s.peek() != '"' || !slices.Contains(installEvents, event) {
						return s.skip()
					}
					at := s.at()
					command, ok := s.str()
					scripts = append(scripts, lockfile.Script{Event: event, Command: command, At: at})
					return ok
				})
			}
		case "hasInstallScript":
			return s.once(&once, seenScript, k, at) && flag(&script)
		}
		return s.skip()
	})
	if !ok {
		return false
	}
	if resolved.text == "" && inPackage.text != "" {
		resolved = inPackage
	}
	if root {
		l.Roots = append(l.Roots, lockfile.Root{Dir: cmp.Or(key, "."), Wants: wanted.merged()})
	}
	e := lockfile.Entry{Ecosystem: source.NPM, Version: version.text, Integrity: integrity.text, At: at, IntegrityAt: at, InstallScript: script}
	if integrity.text != "" {
		e.IntegrityAt = integrity.at
	}
	add := func(url field) bool {
		e.URL = url.text
		if e.At = at; url.text != "" {
			e.At = url.at
		}
		l.Entries = append(l.Entries, e)
		return true
	}
	substitute := func(with lockfile.Substitute) { l.Substitutes = append(l.Substitutes, with) }
	alias := func(asked, by string) {
		other, is := strings.CutPrefix(e.Version, "npm:")
		if !is {
			return
		}
		e.Name, e.Version = other, ""
		if i := strings.LastIndexByte(other, '@'); i > 0 {
			e.Alias, e.Name, e.Version = asked, other[:i], other[i+1:]
		}
		if e.Name != asked {
			substitute(lockfile.Substitute{For: asked, By: by, Name: e.Name, Version: e.Version, At: version.at})
		}
	}
	instead := func(asked, by string) {
		if name, is := served(pathOf(e.Version)); name != "" && name != e.Name {
			substitute(lockfile.Substitute{For: asked, By: by, Name: name, Version: is, At: version.at})
		} else if elsewhere(e.Version) {
			substitute(lockfile.Substitute{For: asked, By: by, From: e.Version, At: version.at})
		}
	}
	if v1 {
		e.Name = key
		by := ""
		if s.nested == 0 {
			by = "."
		}
		alias(key, by)
		if resolved.text != "" && elsewhere(resolved.text) {
			substitute(lockfile.Substitute{For: key, By: by, From: resolved.text, At: resolved.at})
		}
		switch {
		case isSpec(e.Version):
			if localDirectory(e.Version) && resolved.text == "" {
				substitute(lockfile.Substitute{For: key, By: by, From: e.Version, Dir: e.Version[len("file:"):], At: version.at})
				return true // a link
			}
			instead(key, by)
			e.ByAddress = true
			// whether npm asks the one or the other hangs on further fields
			if resolved.text != "" && resolved.text != e.Version {
				add(resolved)
			}
			return add(field{e.Version, version.at})
		case resolved.text != "":
			return add(resolved)
		case integrity.text == "" && isSpec(fromSpec(from.text, key)):
			return add(field{fromSpec(from.text, key), from.at})
		case isBundled && s.nested > 0: // npm fetches those of the root
			l.Bundled++
			s.bundles.old = append(s.bundles.old, e)
			return true
		}
		return add(field{})
	}
	e.Name = key
	by := ""
	if inner >= 0 {
		e.Name = key[inner+len("node_modules/"):]
		if by = strings.TrimSuffix(key[:inner], "/"); by == "" {
			by = "."
		}
	}
	asked := e.Name
	if name.text != "" && name.text != e.Name {
		if !root && !strings.HasPrefix(resolved.text, "git") && !strings.HasPrefix(resolved.text, "file:") {
			substitute(lockfile.Substitute{For: e.Name, By: by, Name: name.text, Version: version.text, At: name.at})
		}
		if inner >= 0 {
			e.Alias = e.Name
		}
		e.Name = name.text
	}
	for _, own := range scripts {
		own.Name, own.Version = e.Name, e.Version
		l.Scripts = append(l.Scripts, own)
	}
	switch local := link || inner < 0; {
	case key == "":
		return true
	case resolved.text != "" && !(local && !strings.Contains(resolved.text, ":")):
		if !root && elsewhere(resolved.text) {
			substitute(lockfile.Substitute{For: asked, By: by, From: resolved.text, At: resolved.at})
		}
		return add(resolved)
	case local:
		if !root {
			substitute(lockfile.Substitute{For: asked, By: by, From: resolved.text, Dir: cmp.Or(resolved.text, "."), At: cmp.Or(resolved.at, at)})
		}
		return true
	case !plainName(asked) && version.text+integrity.text == "":
		return true // what an override's link leads to, below a package
	case isBundled && strings.Contains(key[:inner], "node_modules/"):
		s.bundles.said = append(s.bundles.said, bundled{key, around(key, inner), asked, s.asking[before:len(s.asking):len(s.asking)], e})
		return true
	case isSpec(e.Version): // npm asks for name@version, whatever the version is, where package.json asks for any
		instead(asked, by)
		e.ByAddress = true
		return add(field{e.Version, version.at})
	case !plainName(name.text):
		return add(field{name.text, name.at})
	}
	alias(asked, by)
	return add(field{})
}

// installEvents are the scripts of a package that npm runs when it installs it.
var installEvents = []string{"preinstall", "install", "postinstall", "prepare"}

// truthy tells what JavaScript takes a JSON value for where it wants a switch.
func truthy(value string) bool {
	switch value {
	case "", "false", "null", `""`:
		return false
	}
	number, err := strconv.ParseFloat(value, 64)
	return err != nil || number != 0
}

// isSpec tells whether what stands for a version names a place instead, as npm sees it (npm-package-arg 13).
func isSpec(version string) bool {
	return (strings.ContainsAny(version, `:/\`) || strings.HasPrefix(version, ".") || isTarball(version)) && !strings.HasPrefix(version, "npm:")
}

// isTarball tells a file by its name.
func isTarball(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.gz")
}

// fromSpec is what npm 2 to 4 noted as "name@spec" or as the spec alone, if it names a place.
func fromSpec(from, name string) string {
	return strings.TrimPrefix(from, name+"@")
}

// localDirectory tells a directory, which npm links, from a tarball by its name, as npm does.
func localDirectory(spec string) bool {
	name, ok := strings.CutPrefix(strings.ToLower(spec), "file:")
	return ok && !strings.HasPrefix(name, "//") && !isTarball(name)
}

// plainName is true for name and @scope/name; npm takes anything else for a place to fetch from.
func plainName(name string) bool {
	if scoped, ok := strings.CutPrefix(name, "@"); ok {
		_, name, _ = strings.Cut(scoped, "/")
	}
	return !strings.ContainsAny(name, ":/@")
}
