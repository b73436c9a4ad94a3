package npm

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unsafe"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// ParseYarn reads yarn.lock of yarn 1, and of yarn 2 to 4 (lockfile version 4 to 10). Its entries are the packages that
// yarn would fetch, in the file's order. A position is that of the first byte of the address, the integrity, or the entry's
// key. What yarn does was read in yarn 1.22.22 and in @yarnpkg/core 4.9 and yarn 4.18.
//
// Yarn fetches from the addresses in the file as they are: yarn 1 puts its own registry in the place of npm's when it
// writes them, not when it reads them; yarn 2 and later note an address only where it is not the one that the registry
// would have. An address that yarn clones as a git repository though it says https is returned with npm's "git+" before
// it.
//
// Left out are directories of the checkout, as long as they name no address. The entries point into the file's data,
// which must not change any more. The error is a *problem.Problem of code Usage.
func ParseYarn(file lockfile.File) (lockfile.Lock, error) {
	text := strings.TrimPrefix(unsafe.String(unsafe.SliceData(file.Data), len(file.Data)), "\ufeff") //nolint:gosec // the bytes are never written again
	y := newYAML(file, text, "yarn")
	// an entry takes 300 bytes
	l := &yarnLock{yaml: y, Lock: lockfile.Lock{Entries: make([]lockfile.Entry, 0, len(text)/256+1)}, keys: make(map[string]bool, len(text)/256+1)}
	if y.err == nil && y.indent >= 0 {
		if strings.HasPrefix(text[y.i:y.eol], "__metadata") || strings.HasPrefix(text[y.i:y.eol], `"__metadata"`) {
			l.berry(text[:y.i])
		} else {
			l.classic(text[:y.i])
		}
	}
	if y.err == nil && y.i < y.eol {
		y.unexpected("the next entry")
	}
	if y.err != nil {
		return lockfile.Lock{}, y.err
	}
	l.done()
	return l.Lock, nil
}

// yarnLock gathers what a yarn.lock of either kind pins.
type yarnLock struct {
	*yaml
	lockfile.Lock
	// keys are the patterns that have an entry: name@range.
	keys map[string]bool
	// asked are dependencies that name a place, and their patterns.
	asked []asked
	// pins counts patterns and asked.
	pins int
	// patterns are those of one entry.
	patterns []string
}

type asked struct {
	pattern string
	entry   lockfile.Entry
}

func (l *yarnLock) count(at lockfile.Position) bool {
	if l.pins++; l.pins > maxPackages {
		return l.failAt(at, "names more than %d packages", maxPackages)
	}
	return true
}

// key notes a pattern. Of two entries for one pattern yarn takes the last, and people see the first.
func (l *yarnLock) key(pattern string, at lockfile.Position) bool {
	before := len(l.keys)
	if l.keys[pattern] = true; len(l.keys) == before { // one look-up in place of two
		return l.failAt(at, "names the package %q twice", source.Plain(source.Redact(pattern), 120))
	}
	return l.count(at)
}

// ask notes a dependency that names a place of its own.
func (l *yarnLock) ask(name, version, url string, at lockfile.Position) bool {
	l.asked = append(l.asked, asked{name + "@" + version,
		lockfile.Entry{Ecosystem: source.NPM, Name: name, URL: url, At: at, IntegrityAt: at}})
	return l.count(at)
}

// done adds the dependencies that name a place and have no entry: yarn 1 fetches them even with --frozen-lockfile, and
// yarn 4 downloads them before it finds out that --immutable forbids it.
func (l *yarnLock) done() {
	before := len(l.Entries)
	for _, a := range l.asked {
		if !l.keys[a.pattern] {
			l.Entries = append(l.Entries, a.entry)
		}
	}
	if len(l.Entries) > before {
		slices.SortStableFunc(l.Entries, func(a, b lockfile.Entry) int { return a.At.Line - b.At.Line })
	}
}

// unreadable stands for an integrity that yarn can not compare with anything.
const unreadable = "?"

// foreign stands for a checksum of another cache than the lock file's own, which yarn compares with nothing.
const foreign = "foreign"

// fromHex makes an SRI of a digest of size bytes in lower case.
func fromHex(algorithm, digest string, size int, option string) string {
	var raw [64]byte
	var out [100]byte
	if len(digest) != 2*size {
		return unreadable
	}
	for i := range size {
		high, low := hexDigit[digest[2*i]], hexDigit[digest[2*i+1]]
		if high == 0 || low == 0 {
			return unreadable
		}
		raw[i] = (high-1)<<4 | (low - 1)
	}
	n := copy(out[:], algorithm)
	out[n] = '-'
	base64.StdEncoding.Encode(out[n+1:], raw[:size])
	n += 1 + base64.StdEncoding.EncodedLen(size)
	n += copy(out[n:], option)
	return string(out[:n])
}

// hexDigit is one more than the value of a digit, and 0 for anything else.
var hexDigit = func() (t [256]byte) {
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i) + 1
	}
	return t
}()

// hasAddress is true for what holds a sign that no version and no tag has.
func hasAddress(wanted string) bool {
	for i := range len(wanted) {
		if wanted[i] == ':' || wanted[i] == '/' {
			return true
		}
	}
	return false
}

// isHTTP is true for an address that begins with http:// or https://.
func isHTTP(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// cloned puts git+ before an address of http.
func cloned(address string) string {
	if isHTTP(address) {
		return "git+" + address
	}
	return address
}

// classic reads the format of yarn 1: a key of several patterns, below it, indented by two, "name value" or "name:" and
// a block of the same indented by four. Yarn's own reader takes a good deal more (two values on a line, "name: value",
// a line of spaces within an entry), and where it fails yarn reads the file as YAML; so anything else is refused.
func (l *yarnLock) classic(header string) {
	if l.Version = classicVersion(header); l.Version != "" && l.Version != "1" {
		l.fail("begins a yarn lockfile of version %s, and version 1 can be read in this form", source.Plain(l.Version, 20))
	}
	l.Asked = l.keys
	for l.err == nil && l.indent >= 0 {
		if l.indent > 0 {
			l.fail("is indented, and no entry is open")
			return
		}
		l.classicEntry()
	}
}

// classicVersion is what the comments at the beginning say: "# yarn lockfile v1".
func classicVersion(header string) (version string) {
	for line := range strings.Lines(header) {
		comment := strings.ToLower(strings.Join(strings.Fields(strings.TrimLeft(line, "# ")), " "))
		if v, ok := strings.CutPrefix(comment, "yarn lockfile v"); ok {
			version = v
		}
	}
	return version
}

func (l *yarnLock) classicEntry() bool {
	at := l.at()
	patterns := l.patterns[:0]
	for {
		keyAt := l.at()
		pattern, ok := l.token()
		switch {
		case !ok || !l.key(pattern, keyAt):
			return false
		case pattern == "", pattern == "__metadata":
			return l.failAt(keyAt, "holds the key %q, which yarn 1 never writes", pattern)
		}
		patterns = append(patterns, pattern)
		if l.spaces(); l.i == l.eol || l.text[l.i] != ',' {
			break
		}
		l.i++
		l.spaces()
	}
	l.patterns = patterns
	var version, resolved, integrity, name field
	var once seen
	last, ok := l.blockStart()
	for ok && l.indent == 2 && l.line == last+1 {
		keyAt := l.at()
		var key string
		if key, ok = l.token(); !ok {
			return false
		}
		if l.i < l.eol && l.text[l.i] == ':' {
			last, ok = l.blockStart()
			for ok && l.indent == 4 && l.line == last+1 {
				last, ok = l.classicDependency(strings.HasSuffix(strings.ToLower(key), "dependencies"))
			}
			continue
		}
		var value field
		last, ok = l.value(&value)
		switch {
		case !ok:
		case key == "version":
			version, ok = value, l.once(&once, seenVersion, key, keyAt)
		case key == "resolved":
			resolved, ok = value, l.once(&once, seenResolved, key, keyAt)
		case key == "integrity":
			integrity, ok = value, l.once(&once, seenIntegrity, key, keyAt)
		case key == "name":
			name, ok = value, l.once(&once, seenName, key, keyAt)
		}
	}
	switch {
	case !ok:
		return false
	case l.indent > 0:
		return l.fail("is indented by %d behind line %d, where yarn never writes that", l.indent, last)
	case version.text == "":
		return l.failAt(at, "names a package without its version")
	}
	return l.classicPackage(at, patterns, version, resolved, integrity, name)
}

func (l *yarnLock) once(all *seen, key seen, name string, at lockfile.Position) bool {
	if *all&key != 0 {
		return l.failAt(at, "holds the key %q twice", name)
	}
	*all |= key
	return true
}

// blockStart reads ":" and the end of the line, and returns the line's number.
func (l *yarnLock) blockStart() (line int, ok bool) {
	if l.i == l.eol || l.text[l.i] != ':' {
		return 0, l.unexpected(`":" behind a key`)
	}
	l.i++
	line = l.line
	return line, l.lineEnd()
}

// value reads a value behind a key, and the end of the line.
func (l *yarnLock) value(f *field) (line int, ok bool) {
	start := l.i
	if l.spaces(); l.i == start {
		return 0, l.unexpected("a space behind a key")
	}
	f.at, line = l.at(), l.line
	if l.i < l.eol && l.text[l.i] != '"' {
		if rest := strings.TrimRight(l.text[l.i:l.eol], " "); rest == "true" || rest == "false" || strings.Trim(rest, "0123456789") == "" {
			f.text, l.i = rest, l.eol
			return line, l.lineEnd()
		}
	}
	if f.text, ok = l.token(); !ok {
		return 0, false
	}
	return line, l.lineEnd()
}

// token reads a text in quotes, or one that ends at a colon, a comma or a space.
func (l *yarnLock) token() (string, bool) {
	start := l.i
	line := l.text[:l.eol]
	if start == l.eol {
		return "", l.unexpected("a text")
	}
	if line[start] == '"' {
		escaped := false
		for i := start + 1; i < len(line); i++ {
			switch c := line[i]; {
			case c == '"':
				l.i = i + 1
				if !escaped {
					return line[start+1 : i], true
				}
				var out string
				if json.Unmarshal([]byte(line[start:i+1]), &out) != nil {
					l.i = start
					return "", l.fail("holds a text with an invalid escape")
				}
				return out, true
			case c == '\\':
				escaped = true
				if i++; i < len(line) && line[i] == '"' {
					l.i = i
					return "", l.fail(`holds an escaped quote, which yarn reads in a way of its own`)
				}
			case c < 0x20:
				l.i = i
				return "", l.unexpected("the end of a text")
			}
		}
		l.i = l.eol
		return "", l.unexpected("the end of a text in quotes")
	}
	if c := line[start]; !(c|0x20 >= 'a' && c|0x20 <= 'z' || c == '/' || c == '.' || c == '-') {
		return "", l.unexpected("a text")
	}
	i := start
	for i < len(line) && !plainEnd[line[i]] {
		i++
	}
	l.i = i
	if i < len(line) && line[i] != ':' && line[i] != ',' && line[i] != ' ' {
		return "", l.unexpected("the end of a text")
	}
	text := line[start:i]
	if strings.HasPrefix(text, "true") || strings.HasPrefix(text, "false") {
		l.i = start
		return "", l.fail("holds a text without quotes that yarn takes for true or false")
	}
	return text, true
}

// plainEnd are what ends a text without quotes, and what yarn never writes without.
var plainEnd = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	for _, c := range []byte(` :,"\[]`) {
		t[c] = true
	}
	return t
}()

// classicDependency reads "name range" of a block.
func (l *yarnLock) classicDependency(counts bool) (line int, ok bool) {
	name, ok := l.token()
	if !ok {
		return 0, false
	}
	var wanted field
	if line, ok = l.value(&wanted); !ok || !counts || !hasAddress(wanted.text) {
		return line, ok
	}
	if url := classicKind(wanted.text).address(wanted.text); url != "" {
		return line, l.ask(name, wanted.text, url, wanted.at)
	}
	return line, true
}

// Where yarn 1 has a pattern from.
type classicSource int

const (
	fromRegistry classicSource = iota
	fromDisk
	fromTarball
	fromGit
	// fromForge is an archive of a commit, which the forge makes.
	fromForge
)

// address is what yarn 1 asks for a range that has no address of its own in the file; empty for the registry and the disk.
func (s classicSource) address(wanted string) string {
	switch s {
	case fromGit, fromForge:
		return cloned(wanted)
	case fromTarball:
		return wanted
	case fromRegistry, fromDisk:
	}
	return ""
}

// classicKind says what yarn 1 makes of a range, in the order of its resolvers. What it would take for a tag of the
// registry though it looks like an address is judged as an address.
func classicKind(wanted string) classicSource {
	if !hasAddress(wanted) && !strings.HasSuffix(wanted, "gz") {
		return fromRegistry
	}
	address, fragment, _ := strings.Cut(wanted, "#")
	tarball := strings.HasSuffix(wanted, ".tgz") || strings.HasSuffix(wanted, ".tar.gz")
	scheme, rest, named := strings.Cut(wanted, ":")
	switch {
	case !named && strings.IndexByte(wanted, '/') < 0:
		if tarball {
			return fromDisk
		}
		return fromRegistry
	case !named && (tarball || wanted[0] == '/' || strings.HasPrefix(wanted, "./") || strings.HasPrefix(wanted, "../")),
		scheme == "file", scheme == "link":
		return fromDisk
	case !named && strings.Count(address, "/") == 1 && wanted[0] != '.' && wanted[0] != '-':
		return fromForge // user/project
	case !named, scheme == "npm", scheme == "yarn", scheme == "workspace":
		return fromRegistry
	case scheme == "git", scheme == "ssh", scheme == "gist", strings.HasPrefix(scheme, "git+"):
		return fromGit
	case isHTTP(wanted) && (strings.HasSuffix(address, ".git") || strings.Contains(fragment, ".git#")), strings.HasPrefix(rest, "//") && onForge(wanted):
		return fromGit
	case hosted[scheme] != "":
		return fromForge
	}
	return fromTarball
}

// onForge is true for the address of a repository at a host that yarn 1 clones from whatever the address ends in.
func onForge(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	host, _, _ = strings.Cut(host, ":")
	switch strings.ToLower(host) {
	case "github.com", "gitlab.com", "bitbucket.com", "bitbucket.org":
		path, _, _ = strings.Cut(path, "#")
		return len(strings.FieldsFunc(path, func(r rune) bool { return r == '/' })) == 2
	}
	return false
}

// classicPattern splits name@range. An alias, foo@npm:bar@1, has the name of the package that is fetched; the first
// versions of yarn wrote addresses without a name.
func classicPattern(pattern string) (name, wanted string) {
	name, wanted = splitPattern(pattern)
	if name[0] != '@' && hasAddress(name) {
		return "", pattern
	}
	if alias, ok := strings.CutPrefix(wanted, "npm:"); ok {
		return splitPattern(alias[strings.LastIndexByte(alias, ':')+1:])
	}
	return name, wanted
}

func splitPattern(pattern string) (name, wanted string) {
	if i := strings.IndexByte(pattern[min(1, len(pattern)):], '@'); i >= 0 {
		return pattern[:i+1], pattern[i+2:]
	}
	return pattern, ""
}

// classicPackage adds an entry, or several where the patterns have different names or are fetched in different ways.
//
// Without "resolved" yarn 1 asks for the pattern again, takes what it gets, and looks at no integrity of the file's.
func (l *yarnLock) classicPackage(at lockfile.Position, patterns []string, version, resolved, integrity, alias field) bool {
	start := len(l.Entries)
	placed := slices.ContainsFunc(patterns, func(p string) bool {
		_, wanted := classicPattern(p)
		return classicKind(wanted) != fromRegistry
	})
	var replaced map[string]string
	if len(patterns) > 1 && resolved.text != "" {
		replaced = replacements(patterns)
	}
	for _, pattern := range patterns {
		name, wanted := classicPattern(pattern)
		if name == "" {
			name = alias.text
		}
		if real := replaced[name]; real != "" && real != name && !hasAddress(wanted) {
			l.Substitutes = append(l.Substitutes, lockfile.Substitute{For: name, Name: real, Version: version.text, At: at})
			name = real
		}
		e := lockfile.Entry{Ecosystem: source.NPM, Name: name, Version: version.text, At: at, IntegrityAt: at}
		if asked, spec := splitPattern(pattern); asked != name && strings.HasPrefix(spec, "npm:") {
			e.Alias = asked
		}
		kind := classicKind(wanted)
		e.ByAddress = kind == fromTarball
		if resolved.text == "" {
			if e.URL = kind.address(wanted); kind == fromDisk {
				continue
			}
		} else if !classicResolved(&e, kind, resolved, integrity) {
			continue
		} else if !placed && e.URL != "" && elsewhere(e.URL) {
			l.Substitutes = append(l.Substitutes, lockfile.Substitute{For: name, Version: version.text, From: e.URL, At: e.At})
			placed = true // one is enough
		}
		if n := len(l.Entries); n == start || name != l.Entries[n-1].Name || e.URL != l.Entries[n-1].URL {
			l.Entries = append(l.Entries, e)
		}
	}
	return true
}

// replacements are the packages that stand for all of one name in an entry, by that name: where package.json has a
// resolution for a, its entry is "a@^1, a@npm:b@2".
func replacements(patterns []string) map[string]string {
	var out map[string]string
	for _, p := range patterns {
		if name, wanted := splitPattern(p); strings.HasPrefix(wanted, "npm:") {
			if out == nil {
				out = map[string]string{}
			}
			out[name], _ = classicPattern(p)
		}
	}
	return out
}

// mirrored is what a file of the offline mirror holds, "evil-1.0.0", where its name does not say that it is the package.
// Yarn puts the scope before the name.
func mirrored(name, version, file string) string {
	text, ok := strings.CutSuffix(file, ".tgz")
	i := strings.LastIndexByte(text, '-')
	if !ok || i < 0 || !begins(text[i+1:]) || version == "" || strings.HasSuffix(text, base(name)+"-"+version) {
		return ""
	}
	return text
}

// classicResolved fills in what "resolved" and "integrity" say, and is false for what comes from the checkout.
//
// Yarn 1 cuts off a fragment: behind a tarball it is the sha1, which counts beside the integrity, and behind a repository
// the commit. A name of a file alone is looked for in the offline mirror, and then at the registry.
func classicResolved(e *lockfile.Entry, kind classicSource, resolved, integrity field) bool {
	address, hash, _ := strings.Cut(resolved.text, "#")
	hash, _, _ = strings.Cut(hash, "#")
	scheme, rest, named := strings.Cut(address, ":")
	tarball := strings.HasSuffix(address, ".tgz") || strings.HasSuffix(address, ".tar.gz")
	if kind == fromDisk && (!named && !tarball || scheme == "file" && localDirectory(address)) {
		return false
	}
	e.At, e.URL = resolved.at, resolved.text
	switch {
	case (scheme == "git" || strings.HasPrefix(scheme, "git+")) && strings.HasPrefix(rest, "//"),
		kind == fromGit && named && !tarball && integrity.text == "":
		e.URL = cloned(resolved.text)
		return true
	case address == "":
		return true
	case kind == fromGit && !named && !tarball:
		e.URL = "./" + address // a bundle in the offline mirror
		return true
	case !named && strings.IndexByte("./\\", address[0]) < 0:
		if e.URL = ""; kind == fromRegistry {
			e.Other = mirrored(e.Name, e.Version, address)
		}
	}
	if integrity.text != "" {
		e.Integrity, e.IntegrityAt = integrity.text, integrity.at
	}
	if hash == "" {
		return true
	}
	if isCommit(hash) && e.URL != "" {
		e.URL = address
	}
	if e.Integrity == "" {
		e.Integrity, e.IntegrityAt = fromHex("sha1", strings.ToLower(hash), 20, ""), resolved.at
	}
	return true
}
