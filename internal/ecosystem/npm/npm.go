// Package npm is all we know of npm: its lock files, its settings, its registries, and what has to be set for a mirror.
//
// Nothing of the checkout is run or asked. What npm does with a file is written next to the code that follows it, as
// read in npm 11's own sources.
package npm

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// format is one kind of lock file.
type format struct {
	// name is the file's, manager the tool that writes it.
	name, manager string
	parse         func(lockfile.File) (lockfile.Lock, error)
}

// lockFile is one lock file as it was read.
type lockFile struct {
	lockfile.Lock
	// file is where it stands, manager the tool that it is of.
	file, manager string
}

// formats are the lock files of npm and of those that stand in for it. Where package-lock.json and npm-shrinkwrap.json
// stand in one directory npm reads the latter only; all that are there are judged.
var formats = []format{
	{"package-lock.json", "npm", ParseLock},
	{"npm-shrinkwrap.json", "npm", ParseLock},
	{"yarn.lock", "yarn", ParseYarn},
	{"pnpm-lock.yaml", "pnpm", ParsePNPM},
	{"bun.lock", "bun", ParseBun},
}

// Names are the base names to look for in a checkout.
func Names() []string {
	names := []string{"package.json", rcName, bunBinary}
	for _, o := range others {
		names = append(names, o.name)
	}
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

const registryVariable = "npm_config_registry"

// room is what was read.
type room struct {
	m        ecosystem.Machine
	co       *lockfile.Checkout
	official string
	exe      string
	// rows are the official registry and those of the catalogue by place.
	rows   map[string]source.Source
	values []value
	// registry is the default registry in force; its text is empty where it is not known.
	registry value
	locks    []lockFile
	groups   []decide.Group
	flagged  []decide.Flagged
	facts    manifestFacts
	// unread are binary lock files.
	unread  []string
	inForce []source.Source
}

// New reads the lock files and settings of the checkout and, unless m.RepoOnly, npm's settings on the machine. The error
// joins a *problem.Problem for each file of the checkout that cannot be read or understood.
func New(m ecosystem.Machine, co *lockfile.Checkout) (*ecosystem.Ecosystem, error) {
	locks, errs := readLocks(co)
	s := readSettings(m, co, true)
	g, err := gather(locks, m.Scripts)
	if err != nil {
		errs = append(errs, err)
	}
	facts := readManifests(co, locks)
	errs = append(errs, facts.errs...)
	if errs = append(errs, s.errs...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	official := OfficialRegistry(m, co.Fence)
	own := newOwnNames(m.Scopes, s.values, official, m.RepoOnly)
	own.check(locks, g.put)
	r := &room{m: m, co: co, official: official, values: s.values, locks: locks, groups: g.groups, flagged: g.flagged, facts: facts}
	r.exe, _ = find(m, co.Fence)
	r.rows = map[string]source.Source{}
	for _, row := range append(slices.Clone(m.Mirrors), officialSource(r.official)) {
		if loc, err := source.Locate(row.URL); err == nil {
			r.rows[placeKey(loc)] = row
		}
	}
	r.findRegistry()

	var files []string
	for _, l := range locks {
		files = append(files, l.file)
	}
	e := &ecosystem.Ecosystem{
		Name: source.NPM, Installed: r.exe != "", Files: append(files, s.files...), Notes: s.notes,
		Trusted: []string{"registry.yarnpkg.com"}, // yarn's own name for npm's registry, which it writes into lock files
		InForce: r.inForce, Frozen: r.frozen(), Guarded: guarded(r.groups, len(files) > 0),
		Target: target, Item: r.item, Fill: r.fill, Releases: r.releases, Changes: r.changes, Prove: r.prove,
		Hosts: func(co *lockfile.Checkout) (map[string]bool, error) { return hosts(co, own), nil },
	}
	if !m.RepoOnly {
		e.HandOver = r.handOver
		for _, v := range r.values {
			if isScope(v.name) && v.broken == "" {
				e.Further = append(e.Further, v.text)
			}
		}
	}
	e.Notes = append(e.Notes, facts.notes...)
	for _, l := range locks {
		e.Packages += len(l.Entries)
	}
	if r.unread = unreadLocks(co); len(r.unread) > 0 {
		e.Guarded = cmp.Or(e.Guarded, source.Plain(r.unread[0], 200)+" is binary, so that what it pins is not known")
	}
	e.Present = len(files) > 0 || len(co.Files("package.json")) > 0
	if r.official == "" && e.Present {
		e.Notes = append(e.Notes, "the address of npm's default registry is not known: no npm on the PATH says it, and this build carries none; name it under official.npm in .goproxy/config.yaml")
	}
	e.Effective = r.effective()
	if r.registry.origin != source.Builtin && r.registry.text != "" {
		e.Named = "registry in " + r.registry.place()
	}
	for _, g := range r.groups {
		if g.Count > len(g.Items) {
			e.Notes = append(e.Notes, fmt.Sprintf("%s: of %d packages that come from one place in one way, the first %d are told one by one",
				source.Plain(g.File, 200), g.Count, len(g.Items)))
		}
	}
	e.Notes = append(e.Notes, g.left()...)
	if r.registry.name == "" && e.Frozen == "" {
		e.Frozen = "no registry is set, and npm's own default is not known"
	}
	r.assemble(e)
	return e, nil
}

// assemble puts the candidates in order: npm's default, the user's own, the mirrors; each base once.
func (r *room) assemble(e *ecosystem.Ecosystem) {
	seen := map[string]bool{}
	add := func(s source.Source) {
		s.URL = strings.TrimRight(s.URL, "/")
		loc, err := source.Locate(s.URL)
		if err != nil {
			e.Notes = append(e.Notes, fmt.Sprintf("the registry %s is left out: %v", source.Plain(source.Redact(s.URL), 200), err))
			return
		}
		if s.ID == "" {
			s.ID = loc.HostPort()
		}
		if base := loc.String(); !seen[base] {
			seen[base] = true
			e.Catalogue = append(e.Catalogue, s)
		}
	}
	if r.official != "" {
		add(officialSource(r.official))
	}
	for _, raw := range r.m.Extra {
		add(source.Source{Ecosystem: source.NPM, Role: source.Registry, URL: raw, Origin: source.User})
	}
	for _, s := range r.m.Mirrors {
		add(s)
	}
}

func officialSource(url string) source.Source {
	return source.Source{ID: source.Official, Ecosystem: source.NPM, Role: source.Registry, URL: url, Origin: source.Builtin, Public: true}
}

func readLocks(co *lockfile.Checkout) (locks []lockFile, errs []error) {
	named := namedRegistries(co)
	for _, format := range formats {
		for _, name := range co.Files(format.name) {
			file, err := co.Read(name, 0)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			var read lockfile.Lock
			if err == nil {
				read, err = format.parse(file)
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			resolveNamed(read.Entries, named[path.Dir(name)])
			l := lockFile{read, name, format.manager}
			l.Substitutes = confirmed(co, &l)
			locks = append(locks, l)
		}
	}
	return locks, errs
}

// findRegistry takes the strongest value of "registry", else npm's own default.
func (r *room) findRegistry() {
	for _, v := range r.values {
		if v.name == "registry" && v.text != "" && !v.nested && v.tool == "" {
			r.registry = v
			break
		}
	}
	if r.registry.name == "" && r.official != "" {
		r.registry = value{name: "registry", text: r.official, origin: source.Builtin, from: "npm's own default"}
		r.values = append(r.values, r.registry)
	}
	if r.registry.text == "" || r.registry.broken != "" {
		return
	}
	loc, err := source.Locate(r.registry.text)
	if err != nil {
		return
	}
	s, known := r.known(loc)
	if !known {
		s = source.Source{ID: loc.HostPort(), Ecosystem: source.NPM, Role: source.Registry}
	}
	s.URL, s.Origin = strings.TrimRight(r.registry.text, "/"), r.registry.origin
	r.inForce = []source.Source{s}
}

// known finds the official source or the row of the catalogue that an address means.
func (r *room) known(loc source.Location) (source.Source, bool) {
	row, ok := r.rows[placeKey(loc)]
	return row, ok && !loc.Userinfo
}

func placeKey(loc source.Location) string {
	return loc.Scheme + "://" + loc.HostPort() + "/" + strings.Trim(loc.Path, "/")
}

// effective is the registry in force, in canonical form. What only the checkout names is not handed on to outputs.
func (r *room) effective() map[string]string {
	if len(r.inForce) == 0 {
		return nil
	}
	loc, err := source.Locate(r.inForce[0].URL)
	if _, known := r.known(loc); err != nil || r.inForce[0].Origin == source.Checkout && !known {
		return nil
	}
	return map[string]string{"registry": strings.TrimRight(loc.String(), "/")}
}

// frozen says why no other registry may be set: a variable would overrule the project's or the user's own file, and the
// names and tokens of private packages would go elsewhere.
func (r *room) frozen() string {
	for _, v := range r.values {
		if v.text == "" {
			continue
		}
		place := v.place()
		switch {
		case slices.Contains(redirects, v.name) && v.broken != "":
			return place + " sends npm to another file for its settings, which was not read"
		case isScope(v.name):
			return fmt.Sprintf("%s names a registry of its own for %s", place, source.Plain(strings.TrimSuffix(v.name, ":registry"), 100))
		case v.tool != "" && v.kind == aboutFile && v.fault != "":
			return place + " " + v.fault
		case v.tool != "" && v.kind == aboutRegistry && !v.main:
			return place + " names a registry of its own"
		case (v.name == "registry" || v.main) && v.at.File != "":
			loc, err := source.Locate(v.text)
			if _, known := r.known(loc); v.broken != "" || err != nil || !known {
				return place + " names a registry of its own"
			}
		}
	}
	return ""
}

// guarded says why no mirror may be chosen by itself: only a sha512 in the lock file shows a mirror's tarball to be the
// one that was meant.
func guarded(groups []decide.Group, locked bool) string {
	if !locked {
		return "no lock file pins what a mirror would have to serve"
	}
	open := 0
	example := ""
	for _, g := range groups {
		if g.Kind == kindRegistry && g.Integrity != "sha512" {
			if open == 0 {
				example = g.Examples[0]
			}
			open += g.Count
		}
	}
	if open == 0 {
		return ""
	}
	return fmt.Sprintf("%d of the locked packages have no sha512 integrity (%s), so that a mirror's answer could not be verified", open, example)
}

// Hosts are the canonical hosts, with the port where it is not the scheme's own, that lock files, registries and proxies
// in the checkout's files name, and the keys of its settings. A file that cannot be understood is passed over.
func Hosts(co *lockfile.Checkout) map[string]bool { return hosts(co, nil) }

// hosts are these, and what else tells a fact of the base commit from one that a change brings in.
func hosts(co *lockfile.Checkout, own *ownNames) map[string]bool {
	hosts := map[string]bool{}
	locks, _ := readLocks(co)
	gathered, _ := gather(locks, nil)
	if gathered == nil {
		gathered = &grouping{}
	}
	for _, f := range gathered.flagged {
		hosts[f.Key] = true
	}
	for _, l := range (&room{co: co, locks: locks, unread: unreadLocks(co)}).pins() {
		hosts[l.Key] = true
	}
	for _, g := range gathered.groups {
		if g.Host != "" {
			hosts[source.Location{Host: g.Host, Port: g.Port}.HostPort()] = true
		}
	}
	facts := readManifests(co, locks)
	facts.keys(hosts)
	own.check(locks, func(f decide.Flagged) { hosts[f.Key] = true })
	// files that only a setting names are those of the head, whatever the commit
	for _, v := range readSettings(repositoryAlone(), co, false).values {
		if key := v.key(); key != "" {
			hosts[key] = true
		}
		if kind, _ := v.means(); !isAddress(kind) || v.broken != "" {
			continue
		}
		if loc, err := source.Locate(v.text); err == nil && loc.Host != "" {
			hosts[loc.HostPort()] = true
		}
	}
	return hosts
}

// sets tells whether a file of that name sets the default registry of its tool.
func (r *room) sets(base string) bool {
	return slices.ContainsFunc(r.values, func(v value) bool { return v.main && path.Base(v.at.File) == base })
}

// changes sets the registry for npm and for the tools that stand in for it, each of which reads a variable of its own.
func (r *room) changes(c choose.Choice) []inject.Change {
	if c.Kept || len(c.Sources) == 0 {
		return nil
	}
	url := strings.TrimRight(c.Sources[0].URL, "/")
	why := c.Why
	if why == "" {
		why = "the registry in force does not answer"
	}
	var out []inject.Change
	set := func(name, text, why string) {
		if now, _ := r.m.Lookup(name); now != text {
			out = append(out, inject.Change{Kind: "env", Ecosystem: source.NPM, Name: name, Value: text, Shown: source.Redact(text), Why: why})
		}
	}
	set(registryVariable, url+"/", why)
	if _, ok := r.m.Lookup("NPM_CONFIG_REGISTRY"); ok { // of two spellings npm takes the one that comes last
		set("NPM_CONFIG_REGISTRY", url+"/", why)
	}
	set("pnpm_config_registry", url+"/", why+" (pnpm 12 reads no npm_config_*)")
	for _, other := range []struct{ name, file, tool string }{
		{"YARN_NPM_REGISTRY_SERVER", ".yarnrc.yml", "yarn"}, {"BUN_CONFIG_REGISTRY", "bunfig.toml", "bun"}, {"COREPACK_NPM_REGISTRY", "", "corepack"},
	} {
		if other.file == "" || !r.sets(other.file) { // a file of the project's is not overruled
			set(other.name, url, why+" ("+other.tool+")")
		}
	}
	set("npm_config_omit_lockfile_registry_resolved", "true", "so that the mirror's address does not get into a lock file")
	return out
}
