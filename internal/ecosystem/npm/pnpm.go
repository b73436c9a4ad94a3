package npm

import (
	"cmp"
	"path"
	"strings"
	"unsafe"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// ParsePNPM reads pnpm-lock.yaml of lockfileVersion 5, 6 or 9, as pnpm 3 to 12 write it. Its entries are the packages
// that pnpm would fetch, in the file's order. A position is that of the first byte of the address, the integrity, or the
// entry's key.
//
// pnpm 11 and later put what they need of themselves into a document of its own before the project's; both are read. Left
// out are directories of the checkout. They are left out only as long as they name no address.
//
// The entries point into the file's data, which must not change any more. The error is a *problem.Problem of code Usage.
func ParsePNPM(file lockfile.File) (lockfile.Lock, error) {
	text := strings.TrimPrefix(unsafe.String(unsafe.SliceData(file.Data), len(file.Data)), "\ufeff") //nolint:gosec // the bytes are never written again
	p := &pnpmLock{yaml: newYAML(file, text, "pnpm")}
	// an entry takes 250 bytes, and with its snapshot 400
	p.Entries = make([]lockfile.Entry, 0, len(text)/300+1)
	marked := p.document()
	p.read()
	if p.document() && !marked {
		p.fail(`begins a second YAML document, and the first does not begin with "---" as the one that pnpm writes for itself does`)
	}
	if p.indent >= 0 {
		p.read()
	} else if marked { // pnpm alone is pinned
		p.Roots = nil
	}
	if p.document() {
		p.fail("begins a third YAML document, and pnpm writes one for itself and one for the project")
	}
	if p.err != nil {
		return lockfile.Lock{}, p.err
	}
	for _, x := range p.nested {
		if !p.free && !p.local[x.For+" "+cmp.Or(x.Dir, x.From)] && !p.overrides.has(x) {
			p.Substitutes = append(p.Substitutes, x)
		}
	}
	return p.Lock, nil
}

// pnpmLock reads one document after the other.
type pnpmLock struct {
	*yaml
	lockfile.Lock
	// pinned and snapshots count what stands under "packages" and "snapshots".
	pinned, snapshots int
	// catalogs and overrides are what they ask for by another name, or by a place.
	catalogs, overrides renamed
	// nested are what packages of a registry have from the checkout, local what the package.json files have from there, as
	// "name path".
	nested []lockfile.Substitute
	local  map[string]bool
	// free is true where settings or code may have changed what packages ask for.
	free bool
	// directory is the last one that a resolution names.
	directory field
}

// read reads one document.
//
// Of lockfileVersion 9 pnpm goes through the keys of "snapshots", and adds to each what "packages" has under that key; so
// a resolution counts in both.
func (p *pnpmLock) read() {
	var version field
	var packages, snapshots, importers bool
	var project importer
	before := p.pinned
	p.Roots = nil
	if p.err == nil && p.indent >= 0 {
		p.blockMapping(func(key string, at lockfile.Position) bool {
			switch key {
			case "lockfileVersion":
				return p.version(&version, at)
			case "packageExtensionsChecksum", "pnpmfileChecksum":
				p.free = true
			case "overrides":
				return p.object(func(name string, _ lockfile.Position) bool {
					var wanted field
					ok := p.word(&wanted)
					p.overrides.ask(want{name: name}.target(), wanted.text)
					return ok
				})
			case "catalogs":
				return p.object(func(string, lockfile.Position) bool { return p.object(p.catalog) })
			case "packages":
				return p.once(&packages, key, at) && p.packages(&p.pinned, false)
			case "snapshots":
				return p.once(&snapshots, key, at) && p.packages(&p.snapshots, true)
			case "importers":
				return p.once(&importers, key, at) && p.object(func(dir string, _ lockfile.Position) bool {
					var project importer
					ok := p.object(func(key string, _ lockfile.Position) bool { return p.importer(&project, key) })
					p.root(dir, &project)
					return ok
				})
			}
			return p.importer(&project, key)
		})
	}
	if p.root(".", &project); importers {
		p.Roots = p.Roots[:len(p.Roots)-1]
	}
	p.Version, p.VersionAt = version.text, version.at
	switch {
	case p.err != nil:
	case version.text == "":
		p.fail("ends without a lockfileVersion")
	case version.text[0] == '9' && !snapshots && p.pinned > before:
		p.fail(`ends without the "snapshots" that lockfileVersion 9 has behind its "packages"`)
	}
}

// importer is one package.json of the project. Before lockfileVersion 6 what it asks for stands apart.
type importer struct {
	wants wants
	// found are its dependencies as the lock file names them.
	found []dependency
}

// dependency is what the lock file has for the requirement of that name.
type dependency struct {
	name    string
	version field
}

// importer reads one field of a package.json of the project, which stands at the top where there is but one.
func (p *pnpmLock) importer(to *importer, key string) bool {
	kind := wantKind(key)
	if key == "specifiers" {
		kind = wantKind("dependencies")
	}
	if kind < 0 {
		return p.skip()
	}
	return p.object(func(name string, _ lockfile.Position) bool {
		var wanted, version field
		switch {
		case key == "specifiers":
			ok := p.word(&wanted)
			to.wants.add(kind, name, wanted.text)
			return ok
		case p.i < p.eol && p.text[p.i] != '{':
			ok := p.word(&version)
			to.found = append(to.found, dependency{name, version})
			return ok
		}
		ok := p.object(func(k string, _ lockfile.Position) bool {
			switch k {
			case "specifier":
				return p.word(&wanted)
			case "version":
				return p.word(&version)
			}
			return p.skip()
		})
		if wanted.at.Line > 0 {
			to.wants.add(kind, name, wanted.text)
		}
		to.found = append(to.found, dependency{name, version})
		return ok
	})
}

// catalog notes what a catalog has for a name.
func (p *pnpmLock) catalog(name string, _ lockfile.Position) bool {
	return p.object(func(k string, _ lockfile.Position) bool {
		if k != "specifier" {
			return p.skip()
		}
		var wanted field
		ok := p.word(&wanted)
		p.catalogs.ask(name, wanted.text)
		return ok
	})
}

// root adds what was read of a package.json. Where it asks for a version and has another package, or one that comes from
// no registry, that one is a substitute.
func (p *pnpmLock) root(dir string, from *importer) {
	for _, d := range from.found {
		wanted, known := from.wants.find(d.name)
		text := d.version.text
		if begins(text) {
			continue
		}
		to := p.own(d.name, text, dir)
		if !known || asksForPlace(wanted) || strings.HasPrefix(wanted, "workspace:") && to != "" {
			continue
		}
		x := lockfile.Substitute{For: d.name, By: dir, At: d.version.at}
		switch name, version := pnpmName(text); {
		case name != d.name && plainName(name) && begins(version) && isVersion(version):
			if hasAddress(wanted) && !strings.HasPrefix(wanted, "catalog:") {
				continue // an alias
			}
			x.Name, x.Version = name, version
		case strings.Contains(text, ":"), isCommit(path.Base(text)):
			x.From, x.Dir = text, to
		default:
			continue
		}
		if !strings.HasPrefix(wanted, "catalog:") || !p.catalogs.has(x) {
			p.Substitutes = append(p.Substitutes, x)
		}
	}
	p.Roots = append(p.Roots, lockfile.Root{Dir: dir, Wants: from.wants.merged()})
}

// own notes what a package.json has from the checkout, and returns the directory.
func (p *pnpmLock) own(name, version, dir string) string {
	to := pnpmDirectory(version, dir)
	if p.local == nil {
		p.local = map[string]bool{}
	}
	version, _, _ = strings.Cut(version, "(")
	p.local[name+" "+cmp.Or(to, version)] = true
	return to
}

// pnpmDirectory is the directory of the checkout that stands for a version; empty for any other. What is linked is
// named from the package.json's directory, what is copied from the lock file's.
func pnpmDirectory(version, dir string) string {
	if to, ok := strings.CutPrefix(version, "link:"); ok {
		return path.Join(dir, to)
	}
	version, _, _ = strings.Cut(version, "(")
	if localDirectory(version) {
		return path.Clean(version[len("file:"):])
	}
	return ""
}

// depends notes what a package has from the checkout. Packages of a registry have none of that, unless package.json has the
// same, or settings or code say so.
func (p *pnpmLock) depends() bool {
	return p.object(func(name string, _ lockfile.Position) bool {
		var version field
		ok := p.word(&version)
		if text, _, _ := strings.Cut(version.text, "("); strings.HasPrefix(text, "link:") || strings.HasPrefix(text, "file:") {
			p.nested = append(p.nested, lockfile.Substitute{For: name, From: text, Dir: pnpmDirectory(text, "."), At: version.at})
		}
		return ok
	})
}

func (p *pnpmLock) once(found *bool, key string, at lockfile.Position) bool {
	if *found {
		return p.failAt(at, "holds the key %q twice", key)
	}
	*found = true
	return true
}

// value reads a text that may stand once.
func (p *pnpmLock) value(f *field, key string, at lockfile.Position) bool {
	found := f.at.Line > 0
	return p.once(&found, key, at) && p.field(f, key)
}

// version reads 5.4, '6.0', or the 5.4-inlineSpecifiers that pnpm 7 could be made to write.
func (p *pnpmLock) version(f *field, at lockfile.Position) bool {
	found := f.at.Line > 0
	if !p.once(&found, "lockfileVersion", at) || !p.word(f) {
		return false
	}
	major, minor, _ := strings.Cut(strings.TrimSuffix(f.text, "-inlineSpecifiers"), ".")
	if (major == "5" || major == "6" || major == "9") && len(minor) < 2 && strings.Trim(minor, "0123456789") == "" {
		return true
	}
	return p.failAt(f.at, "has lockfileVersion %s, and 5.0 to 5.4, 6.0, 6.1 and 9.0 can be read", source.Plain(f.text, 20))
}

// packages reads what stands under "packages" or "snapshots".
func (p *pnpmLock) packages(count *int, snapshots bool) bool {
	var known keys
	return p.object(func(key string, at lockfile.Position) bool {
		if !known.add(key) {
			return p.failAt(at, "names the package %q twice", source.Plain(key, 120))
		}
		if *count++; *count > maxPackages {
			return p.failAt(at, "names more than %d packages", maxPackages)
		}
		return p.entry(key, at, snapshots)
	})
}

// keys are the keys of one mapping. As long as they are in order, as pnpm writes them, none can be there twice.
type keys struct {
	ordered []string
	set     map[string]struct{}
}

func (k *keys) add(key string) bool {
	if k.set == nil {
		if n := len(k.ordered); n == 0 || key > k.ordered[n-1] {
			k.ordered = append(k.ordered, key)
			return true
		}
		k.set = make(map[string]struct{}, 2*len(k.ordered))
		for _, old := range k.ordered {
			k.set[old] = struct{}{}
		}
	}
	_, twice := k.set[key]
	k.set[key] = struct{}{}
	return !twice
}

// entry reads one package. Its name and version may stand behind the resolution.
func (p *pnpmLock) entry(key string, at lockfile.Position, snapshot bool) bool {
	var name, version, build field
	var resolved bool
	start, nested := len(p.Entries), len(p.nested)
	p.directory = field{}
	ok := p.object(func(k string, kat lockfile.Position) bool {
		switch k {
		case "resolution":
			return p.once(&resolved, k, kat) && p.resolution(key, at, false)
		case "name":
			return p.value(&name, k, kat)
		case "version":
			return p.value(&version, k, kat)
		case "requiresBuild":
			return p.word(&build)
		case "dependencies", "optionalDependencies":
			return p.depends()
		}
		return p.skip()
	})
	if !ok || !resolved && !snapshot && !p.pin(key, at, &resolution{}) {
		return false
	}
	own, ownVersion := pnpmName(key)
	plain := ownVersion != "" && isVersion(ownVersion)
	if !plain {
		p.nested = p.nested[:nested]
	} else if p.directory.text != "" {
		p.Substitutes = append(p.Substitutes, lockfile.Substitute{For: own, Version: ownVersion, From: p.directory.text, At: p.directory.at})
	}
	if plain && (name.text != "" && name.text != own || version.text != "" && !sameVersion(version.text, ownVersion)) {
		p.Substitutes = append(p.Substitutes, lockfile.Substitute{For: own, Name: cmp.Or(name.text, own),
			Version: cmp.Or(version.text, ownVersion), At: cmp.Or(name, version).at})
	}
	for i := start; i < len(p.Entries); i++ {
		e := &p.Entries[i]
		if plain && e.URL != "" && elsewhere(e.URL) {
			p.Substitutes = append(p.Substitutes, lockfile.Substitute{For: own, Version: ownVersion, From: e.URL, At: e.At})
		}
		e.Name, e.Version, e.ByAddress = own, ownVersion, !plain && name.text == ""
		e.InstallScript = build.text == "true"
		if name.text != "" {
			e.Name = name.text
		}
		if version.text != "" {
			e.Version = version.text
		}
	}
	return true
}

// resolution is where a package comes from.
type resolution struct{ tarball, registry, repo, url, kind, integrity field }

func (p *pnpmLock) resolution(key string, at lockfile.Position, variant bool) bool {
	var r resolution
	var directory, variants bool
	ok := p.object(func(k string, kat lockfile.Position) bool {
		switch k {
		case "integrity":
			return p.value(&r.integrity, k, kat)
		case "tarball":
			return p.value(&r.tarball, k, kat)
		case "registry":
			return p.value(&r.registry, k, kat)
		case "repo":
			return p.value(&r.repo, k, kat)
		case "url":
			return p.value(&r.url, k, kat)
		case "type":
			return p.value(&r.kind, k, kat)
		case "directory":
			directory = true
			return p.word(&p.directory)
		case "variants":
			if variant {
				return p.failAt(kat, "nests variants in variants")
			}
			return p.once(&variants, k, kat) && p.variants(key, at)
		}
		return p.skip()
	})
	if !ok {
		return false
	}
	switch kind := r.kind.text; {
	case kind == "", strings.HasPrefix(kind, "custom:"), kind == "directory" && directory, kind == "variations" && variants,
		kind == "git" && r.repo.text != "", kind == "binary" && r.url.text != "":
		return p.pin(key, at, &r)
	case kind == "directory", kind == "variations", kind == "git", kind == "binary":
		return p.failAt(r.kind.at, "has a resolution of type %s that does not say where", kind)
	default:
		return p.failAt(r.kind.at, "has a resolution of type %q, and directory, git, binary, variations and custom:… can be judged", source.Plain(kind, 40))
	}
}

// variants reads one resolution for each platform.
func (p *pnpmLock) variants(key string, at lockfile.Position) bool {
	return p.list(func() bool {
		var resolved bool
		return p.object(func(k string, kat lockfile.Position) bool {
			if k == "resolution" {
				return p.once(&resolved, k, kat) && p.resolution(key, at, true)
			}
			return p.skip()
		})
	})
}

// pin adds an entry for each address that a resolution names, or else one for the registry.
//
// pnpm takes a tarball's address as it is, or relative to the registry; "registry" is what pnpm before 8 obeyed.
func (p *pnpmLock) pin(key string, at lockfile.Position, r *resolution) bool {
	before := len(p.Entries)
	add := func(url string, urlAt lockfile.Position, integrity *field) *lockfile.Entry {
		e := lockfile.Entry{Ecosystem: source.NPM, URL: url, At: urlAt, IntegrityAt: at}
		if integrity.text != "" {
			e.Integrity, e.IntegrityAt = integrity.text, integrity.at
		}
		p.Entries = append(p.Entries, e)
		return &p.Entries[len(p.Entries)-1]
	}
	name, version := pnpmName(key)
	registry, tarball := strings.TrimRight(r.registry.text, "/"), r.tarball.text
	switch {
	case tarball == "" && registry != "":
		add(registry+"/"+name+"/-/"+base(name)+"-"+version+".tgz", r.registry.at, &r.integrity)
	case tarball == "":
	case hasScheme(tarball):
		add(tarball, r.tarball.at, &r.integrity)
	case !plainRelative(tarball):
		return p.failAt(r.tarball.at, "holds a tarball that is neither an address nor a plain path of the registry")
	case registry != "":
		add(registry+"/"+strings.TrimLeft(tarball, "/"), r.tarball.at, &r.integrity)
	}
	if r.url.text != "" {
		add(r.url.text, r.url.at, &r.integrity)
	}
	if r.repo.text != "" { // nothing compares what git delivers with an integrity
		add(gitAddress(r.repo.text), r.repo.at, &field{})
	}
	if strings.HasPrefix(r.kind.text, "custom:") {
		add("", r.kind.at, &r.integrity).Fault = "code of the repository fetches what is of type " + source.Plain(r.kind.text, 80)
	}
	if len(p.Entries) > before || r.kind.text != "" {
		return true
	}
	var spec string
	if tarball == "" {
		spec = pnpmSpec(key)
	}
	if alias, version, ok := strings.Cut(spec, ":"); ok && version != "" && isVersion(version) {
		add("", at, &r.integrity).Fault = namedFault(alias)
	} else if !localDirectory(spec) {
		e := add(spec, at, &r.integrity)
		if e.Other = other(name, version, tarball); e.Other != "" { // a path below the registry
			e.At = r.tarball.at
		}
	}
	return true
}

// pnpmName splits the key of a package: /name/1.0.0_peers of lockfileVersion 5, /name@1.0.0(peers) of 6, and
// name@1.0.0(peers) of 9. Keys of packages that come from elsewhere are returned whole, or with a version that is an
// address; pnpm notes their name or version beside the resolution.
func pnpmName(key string) (name, version string) {
	rest, old := strings.CutPrefix(key, "/")
	if i := strings.IndexByte(rest, '('); i > 0 && strings.HasSuffix(rest, ")") {
		rest = rest[:i]
	}
	from := 1
	if strings.HasPrefix(rest, "@") {
		from = strings.IndexByte(rest, '/') + 1
	}
	if from == 0 || len(rest) < from {
		return key, ""
	}
	set := "@"
	if old {
		set = "@/"
	}
	i := strings.IndexAny(rest[from:], set)
	if i < 0 {
		return key, ""
	}
	i += from
	name, version = rest[:i], rest[i+1:]
	if rest[i] == '/' {
		version, _, _ = strings.Cut(version, "_")
	}
	return name, version
}

// pnpmSpec is what a key has in place of a version, if it names a place: name@work:1.0.0 comes from the registry that is
// called "work".
func pnpmSpec(key string) string {
	if strings.HasPrefix(key, "file:") {
		return key
	}
	if _, version := pnpmName(key); strings.Contains(version, ":") {
		return version
	}
	return ""
}

// hasScheme is true for what an address resolved against another leaves as it is.
func hasScheme(address string) bool {
	for i := range len(address) {
		switch c := address[i]; {
		case c == ':':
			return i > 0
		case c|0x20 >= 'a' && c|0x20 <= 'z', i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return false
}

// plainRelative is true for a path that stays with the host that it is resolved against.
func plainRelative(path string) bool {
	for i := range len(path) {
		if !plainPath[path[i]] && path[i] != '%' {
			return false
		}
	}
	return !strings.HasPrefix(path, "//")
}

// gitAddress makes an address that git alone can mean of what it is told to clone.
func gitAddress(repo string) string {
	switch {
	case strings.HasPrefix(repo, "git+"):
		return repo
	case strings.Contains(repo, "://"):
		return "git+" + repo
	case strings.ContainsAny(repo, ":@"):
		return "git+ssh://" + repo // git@host:path
	}
	return "file:" + repo
}
