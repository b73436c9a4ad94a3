package npm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// maxTold bounds the facts of each kind, which policies have to judge.
const maxTold = 5000

// kindAlias is an override that is another package.
const kindAlias = "alias"

// manifestFacts are what package.json files say beside what lock files have of it.
type manifestFacts struct {
	drifts    []decide.Drift
	overrides []decide.Override
	managers  []decide.Manager
	scripts   []decide.Script
	notes     []string
	errs      []error
}

// manifests adds the facts of package.json files.
func (r *room) manifests(n *decide.NPM) {
	n.Drifts = append(n.Drifts, r.facts.drifts...)
	n.Overrides = append(n.Overrides, r.facts.overrides...)
	n.Managers = append(n.Managers, r.facts.managers...)
	n.Scripts = append(n.Scripts, r.facts.scripts...)
}

// keys are what another commit knows the facts by.
func (f *manifestFacts) keys(to map[string]bool) {
	for _, x := range f.drifts {
		to[x.Key] = true
	}
	for _, x := range f.overrides {
		to[x.Key] = true
	}
	for _, x := range f.managers {
		to[x.Key] = true
	}
	for _, x := range f.scripts {
		to[x.Key] = true
	}
}

// project is one package.json with the lock files that it is pinned by.
type project struct {
	*packageJSON
	dir string
	// pins are the lock files that know it.
	pins []known
}

// known is one lock file's knowledge of a package.json.
type known struct {
	*pinning
	// wants are the requirements as the lock file has them; nil where it does not say whose those are that it has.
	wants map[string]string
}

// pinning is a lock file with the package.json files that it pins.
type pinning struct {
	*lockFile
	// top is the package.json beside the lock file; nil where there is none.
	top *packageJSON
	// members are the names of the packages that it pins, replaced those that overrides of the top are of.
	members, replaced map[string]bool
	// fetched are the hosts by name; nil until one is asked for.
	fetched map[string]map[string]bool
}

// readManifests reads all package.json files. One that is no JSON fails every install that it is the root of, and is an
// error there as a broken lock file is. Elsewhere nobody is known to read it, as in a directory of test cases, and it is a
// note.
func readManifests(co *lockfile.Checkout, locks []lockFile) (f manifestFacts) {
	byDir, broken, yaml := map[string]*project{}, map[string]error{}, map[string]bool{}
	for _, name := range co.Files(workspaceName) {
		yaml[path.Dir(name)] = true
	}
	var order []*project
	for _, name := range co.Files(manifestName) {
		file, err := co.Read(name, maxManifest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var m *packageJSON
		if err == nil {
			m, err = parseManifest(file)
		}
		dir := path.Dir(name)
		if err != nil {
			broken[dir] = err
			continue
		}
		if yaml[dir] {
			m.besides(co, dir)
		}
		byDir[dir] = &project{packageJSON: m, dir: dir}
		order = append(order, byDir[dir])
	}
	locked := map[string]bool{}
	for _, l := range locks {
		dir := path.Dir(l.file)
		locked[dir] = true
		if err := broken[dir]; err != nil {
			f.errs = append(f.errs, err)
			delete(broken, dir)
		}
	}
	below := map[string][]*project{} // by the nearest directory above, or their own, that has a lock file
	for _, p := range order {
		dir := p.dir
		for dir != "." && !locked[dir] {
			dir = path.Dir(dir)
		}
		below[dir] = append(below[dir], p)
	}
	for i := range locks {
		pinned(&locks[i], byDir, below[path.Dir(locks[i].file)])
	}
	for i, dir := range slices.Sorted(maps.Keys(broken)) {
		if i == maxBroken {
			f.notes = append(f.notes, fmt.Sprintf("%d more package.json files cannot be read, and were not judged", len(broken)-i))
			break
		}
		f.notes = append(f.notes, broken[dir].Error()+" (no lock file belongs to it, so it was not judged)")
	}
	for _, p := range order {
		p.drifts(&f, co)
		p.places(&f)
		if p.installed() {
			p.versions(&f)
			p.commands(&f)
		}
	}
	f.bound()
	return f
}

// maxBroken is how many files that are no JSON are named.
const maxBroken = 5

// bound keeps what policies have to judge within bounds. Scripts in which nothing was seen are told as long as there is
// room; too much of the rest is an error, since what is left out might be what matters.
func (f *manifestFacts) bound() {
	if len(f.scripts) > maxTold {
		f.scripts = slices.DeleteFunc(f.scripts, func(s decide.Script) bool { return s.Fault == "" })
	}
	for _, x := range []struct {
		n    int
		what string
	}{
		{len(f.drifts), "requirements that lock files do not have"}, {len(f.overrides), "places in the stead of versions"},
		{len(f.managers), "package managers"}, {len(f.scripts), "scripts with a fault"},
	} {
		if x.n > maxTold {
			f.errs = append(f.errs, problem.New(problem.Usage, manifestName, "check a smaller directory", "the files of that name hold more than %d %s", maxTold, x.what))
		}
	}
}

// installed tells whether an install of this repository is known to run with this package.json.
func (p *project) installed() bool { return len(p.pins) > 0 || p.dir == "." }

// places tells of requirements and overrides that name no version but a place, as long as no lock file tells of the same.
func (p *project) places(f *manifestFacts) {
	top := len(p.pins) == 0 || slices.ContainsFunc(p.pins, func(x known) bool { return x.top == p.packageJSON })
	for _, w := range p.wants {
		if o, ok := p.place(w); ok && o.Kind != kindAlias && (o.Kind == kindFile || !p.locked(func(x known) bool { return x.has(w) })) {
			f.overrides = append(f.overrides, o)
		}
	}
	for _, w := range p.overrides {
		if !top {
			break // only those of the root count
		}
		if o, ok := p.place(w); ok && (o.Kind == kindFile || o.Kind == kindAlias || !p.locked(func(x known) bool { return x.fetches(w.target(), o.Host) })) {
			f.overrides = append(f.overrides, o)
		}
	}
}

// locked tells whether all lock files have something; false where there is none.
func (p *project) locked(has func(known) bool) bool {
	return len(p.pins) > 0 && !slices.ContainsFunc(p.pins, func(x known) bool { return !has(x) })
}

// fetches tells whether the lock file has that package from that host.
func (x *pinning) fetches(name, host string) bool {
	if x.fetched == nil {
		x.fetched = map[string]map[string]bool{}
		for _, e := range x.Entries {
			if e.URL == "" {
				continue
			}
			if x.fetched[e.Name] == nil {
				x.fetched[e.Name] = map[string]bool{}
			}
			if _, loc, err := locateEntry(e.Name, e.URL); err == nil {
				x.fetched[e.Name][loc.Host] = true
			}
		}
	}
	return host != "" && x.fetched[name][host]
}

// target is the name of the package that an override is of: of "a>b@1" it is b, of "a" > "." it is a, of "a/b" b.
func (w want) target() string {
	parts := strings.Split(w.name, ">")
	last := parts[len(parts)-1]
	if last == "." && len(parts) > 1 {
		last = parts[len(parts)-2]
	}
	if w.setting == "resolutions" {
		parts = strings.Split(last, "/")
		n := len(parts)
		if last = parts[n-1]; n > 1 && strings.HasPrefix(parts[n-2], "@") {
			last = parts[n-2] + "/" + last
		}
	}
	if i := strings.IndexByte(last[min(1, len(last)):], '@'); i >= 0 {
		last = last[:i+1]
	}
	return last
}

// place is what a text asks for in the stead of a version; false where that is a version, or lies in the checkout.
func (p *project) place(w want) (decide.Override, bool) {
	kind, place, ok := locateWant(w.target(), w.text, strings.HasSuffix(w.setting, "patchedDependencies"), 0)
	if ok && kind == kindFile {
		ok = outside(p.dir, place.URL)
		place.URL = source.Plain(place.URL, 200)
	}
	if !ok {
		return decide.Override{}, false
	}
	if p.linked {
		place = decide.Place{Broken: "stands behind a link, and is not shown"}
	}
	return decide.Override{Place: place, Setting: w.setting, Name: p.shown(w.name), Kind: kind, Origin: source.Checkout, Position: w.at,
		Key: strings.Join([]string{"place", p.file, w.setting, w.name, w.text}, " ")}, true
}

// locateWant tells what a requirement names. patched is true for the path of a patch.
func locateWant(name, text string, patched bool, depth int) (kind string, place decide.Place, ok bool) {
	text = strings.TrimSpace(text)
	if repo, _, ok := strings.Cut(text, "#"); ok && strings.Count(repo, "/") == 1 && !strings.Contains(repo, ":") {
		text = repo // of github.com, with "#semver:^1" behind it
	}
	protocol, rest, _ := strings.Cut(text, ":")
	file := func(name string) (string, decide.Place, bool) {
		return kindFile, decide.Place{Scheme: "file", URL: name}, true
	}
	switch {
	case patched:
		return file(text)
	case !strings.ContainsAny(text, ":/") || text[0] == '$' || depth > 8:
		return "", place, false
	}
	switch protocol {
	case "workspace", "catalog", "runtime", "exec":
		return "", place, false
	case "npm", "jsr":
		of, _, found := splitLocator(rest)
		itself := found && of == name || !found && strings.IndexAny(rest, "0123456789^~<>=*") == 0 // yarn 4 writes npm: before a version
		return kindAlias, place, protocol == "jsr" || !itself
	case "link", "portal":
		return file(rest)
	case "patch":
		inner, _, _ := strings.Cut(rest, "#")
		inner, err := url.PathUnescape(inner)
		of, reference, found := splitLocator(inner)
		if err != nil || !found {
			return "", place, false
		}
		kind, place, ok = locateWant(of, reference, false, depth+1)
		return kind, place, ok && kind != kindAlias
	}
	kind, loc, err := locateEntry(name, text)
	switch {
	case err != nil && !strings.Contains(text, "://"):
		return "", place, false // a protocol that only its tool knows
	case err != nil:
		return kindInvalid, broken(err), true
	case kind == kindFile:
		return file(strings.TrimPrefix(strings.TrimPrefix(text, "file:"), "//"))
	case kind == kindRegistry:
		kind = kindTarball
	}
	return kind, decide.PlaceAt(loc), true
}

// outside tells whether a path from a directory leads out of the checkout.
func outside(dir, name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	if name, _, _ = strings.Cut(name, "#"); strings.HasPrefix(name, "~/") && !strings.HasPrefix(name, "~/.yarn/") { // "~/" of yarn is the project
		return true
	}
	clean := path.Join(dir, name)
	return path.IsAbs(name) || len(name) > 1 && name[1] == ':' || clean == ".." || strings.HasPrefix(clean, "../")
}

var (
	fullVersion = regexp.MustCompile(`^[v=]?[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?$`)
	hashSizes   = map[string]int{"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}
)

// versions tells which package managers are asked for, as corepack 0.34 reads it: packageManager, and devEngines where
// there is none.
func (p *project) versions(f *manifestFacts) {
	only := slices.ContainsFunc(p.managers, func(w want) bool { return w.setting == "packageManager" })
	for _, w := range p.managers {
		if only && w.setting != "packageManager" {
			continue
		}
		name, version, _ := strings.Cut(w.text, "@")
		m := decide.Manager{Setting: w.setting, Name: p.shown(name), Origin: source.Checkout, Position: w.at,
			Key: strings.Join([]string{"manager", p.file, w.text}, " ")}
		var hash string
		if strings.Contains(version, "://") {
			version, hash, _ = strings.Cut(version, "#")
			place := decide.PlaceOf(version)
			if p.linked {
				place = decide.Place{Broken: "stands behind a link, and is not shown"}
			}
			m.Place, m.Exact = &place, true
		} else {
			version, hash, _ = strings.Cut(version, "+")
			m.Version, m.Exact = p.shown(version), fullVersion.MatchString(version)
		}
		if algorithm, digest, ok := strings.Cut(hash, "."); ok {
			if sum, err := hex.DecodeString(digest); err == nil && len(sum) > 0 && len(sum) == hashSizes[algorithm] {
				m.Hash = algorithm
			}
		}
		f.managers = append(f.managers, m)
	}
}

// lifecycle are the scripts that an install runs of the project itself, with npm 11, pnpm 12, yarn or bun.
var lifecycle = []string{"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare", "dependencies", "pnpm:devPreinstall"}

// commands tells of the scripts, and of what their commands seem to do.
func (p *project) commands(f *manifestFacts) {
	for _, w := range p.scripts {
		if !slices.Contains(lifecycle, w.name) {
			continue
		}
		script := decide.Script{Name: w.name, Origin: source.Checkout, Position: w.at, Key: strings.Join([]string{"script", p.file, w.name}, " ")}
		found := ecosystem.Commands(w.text)
		if len(found) == 0 {
			f.scripts = append(f.scripts, script)
		}
		for _, c := range found {
			hit := script
			hit.Kind, hit.Position, hit.Key = c.Kind, w.within(c.Offset), script.Key+" "+c.Text
			if hit.Fault = fmt.Sprintf("runs %q, which %s", c.Text, c.Fault); p.linked {
				hit.Fault = "runs a command that " + c.Fault
			}
			if c.Kind == ecosystem.CommandSource && len(c.Addresses) > 0 && !p.linked {
				for _, a := range c.Addresses {
					place := decide.PlaceOf(a)
					one := hit
					one.Place, one.Ecosystem = &place, c.Ecosystem
					f.scripts = append(f.scripts, one)
				}
				continue
			}
			f.scripts = append(f.scripts, hit)
		}
	}
}
