package npm

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// berry reads the format of yarn 2 and later, which is YAML with nothing but texts in it. Of two equal keys yarn takes
// the last.
//
// What yarn takes on trust with --immutable, and so has to be judged: the resolution of a registry's package, of a tarball
// and of a repository, whatever the entry's key asks for; and a missing checksum. What it works out anew each time is
// where patches, files, links and generated packages come from.
func (l *yarnLock) berry(header string) {
	if classicVersion(header) != "" {
		l.fail("is of yarn 2 or later, and the comment above it says that it is of yarn 1")
		return
	}
	b := &berryLock{yarnLock: l, resolutions: make(map[string]struct{}, cap(l.Entries))}
	b.blockMapping(func(key string, at lockfile.Position) bool {
		switch {
		case key == "__metadata":
			return b.metadata(at)
		case b.Version == "":
			return b.failAt(at, "names a package before __metadata")
		}
		return b.entry(key, at)
	})
	if b.err == nil && len(b.asked) > 0 {
		b.forget()
	}
}

type berryLock struct {
	*yarnLock
	// cacheKey is what checksums without a key of their own are for.
	cacheKey string
	// resolutions are those met.
	resolutions map[string]struct{}
}

func (b *berryLock) metadata(at lockfile.Position) bool {
	if b.Version != "" {
		return b.failAt(at, "holds the key %q twice", "__metadata")
	}
	var version, cacheKey field
	var once seen
	ok := b.object(func(key string, at lockfile.Position) bool {
		switch key {
		case "version":
			return b.once(&once, seenVersion, key, at) && b.word(&version)
		case "cacheKey":
			return b.once(&once, seenIntegrity, key, at) && b.word(&cacheKey)
		}
		return b.skip()
	})
	if !ok {
		return false
	}
	switch version.text {
	case "":
		return b.failAt(at, "has no version in __metadata")
	case "4", "5", "6", "7", "8", "9", "10":
	default:
		return b.failAt(version.at, "has version %s, and 4 to 10 can be read", source.Plain(version.text, 20))
	}
	b.Version, b.VersionAt, b.cacheKey = version.text, version.at, cacheKey.text
	return true
}

func (b *berryLock) entry(key string, at lockfile.Position) bool {
	var version, resolution, checksum, conditions, link field
	var once seen
	before := len(b.asked)
	var wanted *wants
	if strings.Contains(key, "@workspace:") {
		wanted = &wants{}
	}
	ok := b.object(func(k string, kat lockfile.Position) bool {
		switch k {
		case "version":
			return b.once(&once, seenVersion, k, kat) && b.word(&version)
		case "resolution":
			return b.once(&once, seenResolved, k, kat) && b.word(&resolution)
		case "checksum":
			return b.once(&once, seenIntegrity, k, kat) && b.word(&checksum)
		case "conditions":
			return b.once(&once, seenFrom, k, kat) && b.word(&conditions)
		case "linkType":
			return b.once(&once, seenLink, k, kat) && b.word(&link)
		case "dependencies":
			return b.once(&once, seenDependencies, k, kat) && b.dependencies(wanted)
		case "peerDependencies":
			if wanted != nil {
				return b.peers(wanted)
			}
		}
		return b.skip()
	})
	switch {
	case !ok:
		return false
	case resolution.text == "":
		return b.failAt(at, "names a package without its resolution")
	case link.text != "hard" && link.text != "soft":
		return b.failAt(at, "names a package without the linkType that ends an entry")
	case strings.IndexFunc(resolution.text, unicode.IsControl) >= 0:
		return b.failAt(resolution.at, "holds a resolution with a control character")
	}
	met := len(b.resolutions)
	if b.resolutions[resolution.text] = struct{}{}; len(b.resolutions) == met {
		return b.failAt(resolution.at, "resolves to %q twice", source.Plain(source.Redact(resolution.text), 120))
	}
	name, reference, ok := splitLocator(resolution.text)
	if !ok {
		return b.failAt(resolution.at, "holds a resolution that is not name@reference")
	}
	asked, alias, placed := name, "", ""
	for rest := key; rest != ""; {
		var pattern string
		pattern, rest, _ = strings.Cut(rest, ",")
		if pattern = strings.Trim(pattern, " "); !b.key(pattern, at) {
			return false
		}
		if wanted := wantedName(pattern); wanted != name {
			asked = wanted
		} else if by, _ := splitPattern(pattern); by != name {
			alias = by
		}
		if _, wanted := splitPattern(pattern); strings.HasPrefix(wanted, "npm:") && placed == "" && outOfRegistry(reference) {
			placed = wantedName(pattern)
		}
	}
	e := lockfile.Entry{Ecosystem: source.NPM, Version: version.text, Alias: alias, At: at, IntegrityAt: at}
	var local bool
	if local = !berryPlace(&e, name, reference, 0); local {
		b.asked = b.asked[:before] // yarn reads them in the checkout
		if dir, ok := strings.CutPrefix(reference, "workspace:"); ok && wanted != nil {
			b.Roots = append(b.Roots, lockfile.Root{Dir: dir, Wants: wanted.merged()})
		}
		return true
	}
	if placed != "" {
		b.Substitutes = append(b.Substitutes, lockfile.Substitute{For: placed, Version: e.Version, From: reference, At: resolution.at})
	}
	if e.Fault == "" && asked != name {
		b.Substitutes = append(b.Substitutes, lockfile.Substitute{For: asked, Name: name, Version: e.Version, At: resolution.at})
	}
	if e.URL != "" || e.Fault != "" || e.Other != "" {
		e.At = resolution.at
	}
	if checksum.text != "" {
		e.Integrity, e.IntegrityAt, e.Own = b.integrity(checksum.text), checksum.at, true
	}
	e.Unpinned = checksum.text == "" && conditions.text != ""
	b.Entries = append(b.Entries, e)
	return true
}

// peers are noted for a package.json of the checkout alone.
func (b *berryLock) peers(wanted *wants) bool {
	return b.object(func(name string, _ lockfile.Position) bool {
		var peer field
		ok := b.word(&peer)
		wanted.add(wantKind("peerDependencies"), name, bareRange(peer.text))
		return ok
	})
}

// dependencies notes those that name a place, and in of all those of a package.json of the checkout.
func (b *berryLock) dependencies(of *wants) bool {
	return b.object(func(name string, _ lockfile.Position) bool {
		var wanted field
		if !b.word(&wanted) {
			return false
		}
		if of != nil {
			of.add(wantKind("dependencies"), name, bareRange(wanted.text))
		}
		if !hasAddress(wanted.text) {
			return true
		}
		scheme, _, _ := strings.Cut(wanted.text, ":")
		switch scheme {
		case "npm", "jsr", "workspace", "file", "link", "portal", "patch", "virtual":
			return true
		}
		return b.ask(name, wanted.text, berryURL(wanted.text), wanted.at)
	})
}

// forget leaves out what was asked of packages that have an entry: a resolution in package.json replaces a dependency and
// leaves no trace of it in the keys.
func (b *berryLock) forget() {
	names := make(map[string]struct{}, len(b.keys))
	for pattern := range b.keys {
		name, _ := splitPattern(pattern)
		names[name] = struct{}{}
	}
	kept := b.asked[:0]
	for _, a := range b.asked {
		if _, known := names[a.entry.Name]; !known {
			kept = append(kept, a)
		}
	}
	b.asked = kept
}

// integrity makes an SRI of a checksum, which is the sha512 of the zip file that yarn makes of the package for its cache.
// It pins the content as well as the tarball's own would, and is never equal to that: the option says so.
//
// Yarn 4 takes a checksum with another cache key than its own for one of an older yarn, and accepts any content, even with
// --immutable. So a key that is not the file's own makes it worthless.
func (b *berryLock) integrity(checksum string) string {
	key, digest, ok := strings.Cut(checksum, "/")
	if !ok {
		key, digest = b.cacheKey, checksum
	}
	if key == "" || key != b.cacheKey {
		return foreign
	}
	return fromHex("sha512", digest, 64, "?zip")
}

// outOfRegistry is true for a reference that yarn resolves no version of a registry to.
func outOfRegistry(reference string) bool {
	protocol, _, _ := strings.Cut(reference, ":")
	switch protocol {
	case "npm", "jsr", "patch", "virtual", "workspace":
		return false
	}
	return true
}

// splitLocator splits name@reference.
func splitLocator(locator string) (name, reference string, ok bool) {
	from := 0
	if strings.HasPrefix(locator, "@") {
		if from = strings.IndexByte(locator, '/') + 1; from < 3 {
			return "", "", false
		}
	}
	i := strings.IndexByte(locator[from:], '@') + from
	if i <= from || i+1 == len(locator) || strings.IndexByte(locator[from:i], '/') >= 0 {
		return "", "", false
	}
	return locator[:i], locator[i+1:], true
}

// wantedName is the name of the package that a pattern asks for: bar in foo@npm:bar@^1.
func wantedName(pattern string) string {
	name, wanted := splitPattern(pattern)
	for _, protocol := range [...]string{"npm:", "jsr:"} {
		if alias, ok := strings.CutPrefix(wanted, protocol); ok {
			if real, _, ok := splitLocator(alias); ok {
				return real
			}
		}
	}
	return name
}

// berryPlace fills in name, version and address of what yarn fetches for a locator, and is false for what comes from the
// checkout.
func berryPlace(e *lockfile.Entry, name, reference string, depth int) bool {
	e.Name = name
	protocol, rest, _ := strings.Cut(reference, ":")
	if depth > 8 {
		e.Fault = "it nests too many patches"
		return true
	}
	switch protocol {
	case "workspace", "link", "portal":
		return false
	case "npm":
		e.Version, e.URL, e.Fault = berryVersion(rest)
		if path, ok := strings.CutPrefix(e.URL, "/"); ok { // below the registry
			e.URL, e.Other = "", other(name, e.Version, path)
		}
	case "jsr":
		// the scope @jsr has a registry of its own by default
		e.Version, e.URL, e.Fault = berryVersion(rest)
		e.Name = "@jsr/" + strings.Replace(strings.TrimPrefix(name, "@"), "/", "__", 1)
		if e.URL == "" {
			e.URL = "https://npm.jsr.io/" + e.Name + "/-/" + e.Version + ".tgz"
		}
	case "virtual":
		_, inner, _ := strings.Cut(rest, "#")
		return berryPlace(e, name, inner, depth+1)
	case "patch":
		inner, _, patched := strings.Cut(rest, "#")
		inner, err := url.PathUnescape(inner)
		if name, reference, ok := splitLocator(inner); patched && err == nil && ok && !strings.Contains(inner, "::") {
			return berryPlace(e, name, reference, depth+1)
		}
		e.Fault = "its patch does not say of what"
	case "file":
		path, _, _ := strings.Cut(rest, "::")
		path, _, _ = strings.Cut(path, "#")
		if e.URL = "file:" + path; localDirectory(e.URL) {
			return false
		}
	case "exec":
		e.Fault = "a program of the checkout makes the package (exec:)"
	default:
		e.URL, e.ByAddress = berryURL(reference), true
	}
	return true
}

// berryVersion reads what stands behind "npm:": a version, and, bound to it, the address where it is not the one that the
// registry would have. Yarn fetches nothing else.
func berryVersion(reference string) (version, address, fault string) {
	const nothing = "yarn fetches no such reference"
	version, bindings, bound := strings.Cut(reference, "::")
	if version == "" || version[0] < '0' || version[0] > '9' || strings.ContainsFunc(version, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || r == '.' || r == '-' || r == '+')
	}) {
		return "", "", nothing
	}
	if !bound {
		return version, "", ""
	}
	for binding := range strings.SplitSeq(bindings, "&") {
		k, v, _ := strings.Cut(binding, "=")
		k, err := url.QueryUnescape(k)
		if err != nil {
			return version, "", nothing
		}
		if k != "__archiveUrl" {
			continue
		}
		if v, err = url.QueryUnescape(v); err != nil || v == "" || address != "" {
			return version, "", nothing
		}
		address = v
	}
	if address == "" || address[0] != '/' && elsewhere(address) {
		return version, "", nothing
	}
	return version, address, ""
}

// berryURL is an address as it is, with git+ before what yarn clones.
func berryURL(reference string) string {
	if address, _, _ := strings.Cut(reference, "#"); strings.HasSuffix(address, ".git") {
		return cloned(reference)
	}
	return reference
}
