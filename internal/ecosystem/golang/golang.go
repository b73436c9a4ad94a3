// Package golang is all we know of Go modules: where they come from, how a source of them is proven, what go.mod,
// go.sum and go.work pin, and the settings that the go command reads. The go command itself is started only by Prove,
// in an empty directory: asked inside a checkout it may download and run another one.
package golang

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// Names are the base names of the files that New reads in a checkout.
func Names() []string { return []string{"go.mod", "go.sum", "go.work", "go.work.sum"} }

// Beside are the files that New reads beside one of Names, which no walk finds: vendor directories are passed over.
func Beside(name string) []string {
	if base := path.Base(name); base == "go.mod" || base == "go.work" {
		return []string{path.Join(path.Dir(name), vendorFile)}
	}
	return nil
}

// maxUses bounds the directories that one go.work uses: each is looked for. Kubernetes uses 33.
const maxUses = 10_000

// Join adds to the files of a checkout those of the modules that a go.work uses in a directory that is passed over
// otherwise (_x, testdata): the go command reads them as it does any other's, with their replacements. The error is a
// *problem.Problem of code Usage where there are too many. A go.work that cannot be read is New's to tell of.
func Join(co *lockfile.Checkout) error {
	known := map[string]bool{}
	for _, name := range Names() {
		for _, file := range co.Files(name) {
			known[file] = true
		}
	}
	for _, name := range co.Files("go.work") {
		file, err := co.Read(name, maxModFile)
		if err != nil {
			continue
		}
		work, err := modfile.ParseWork(name, file.Data, nil)
		if err != nil {
			continue
		}
		if len(work.Use) > maxUses {
			return problem.New(problem.Usage, source.Plain(name, 0), "check a smaller directory", "uses more than %d directories", maxUses)
		}
		for _, use := range work.Use {
			if outside(file, use.Path) {
				continue
			}
			for _, base := range []string{"go.mod", "go.sum"} {
				member := path.Join(path.Dir(name), use.Path, base)
				if known[member] {
					continue
				}
				if _, err := co.Read(member, maxModFile); errors.Is(err, fs.ErrNotExist) || co.Escapes(member) {
					continue
				}
				known[member] = true
				if err := co.Add(member); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// view is what was read of Go on one machine and in one checkout.
type view struct {
	m     ecosystem.Machine
	co    *lockfile.Checkout
	notes []string
	// tool is the absolute path of the go command; empty where there is none.
	tool string
	// installed is the toolchain's name, "go1.26.8"; empty where it is not known.
	installed string
	// env is the file of go env -w where the author of the checkout may have written it; nil elsewhere.
	env *decide.EnvFile
	// official is the toolchain's own default; its URL is empty when unknown.
	official  source.Source
	catalogue []source.Source
	set       settings
	pins
	known known
}

// New reads the machine's settings and the checkout's files. It starts nothing and asks no network. A file that cannot
// be understood is an error that joins a *problem.Problem of code Usage per file.
func New(m ecosystem.Machine, co *lockfile.Checkout) (*ecosystem.Ecosystem, error) {
	v, err := read(m, co)
	if err != nil {
		return nil, err
	}
	e := &ecosystem.Ecosystem{
		Name: source.Go, Present: v.present(), Installed: v.tool != "", Files: v.files, Modules: v.modules,
		Catalogue: v.catalogue, SumDB: v.databases(), Notes: v.notes,
		Effective: map[string]string{"GOPROXY": shown(v.set.get("GOPROXY").value), "GOSUMDB": shown(v.set.get("GOSUMDB").value)},
		Target:    v.target, Item: v.item, Fill: v.fill, Releases: v.releases, Hosts: Hosts, Changes: v.changes, Log: v.log(),
	}
	if v.tool != "" {
		e.Prove = v.prove
	} else {
		e.Prove = absent
	}
	if m.RepoOnly {
		return e, nil
	}
	proxies := v.set.get("GOPROXY")
	if proxies.from != "" {
		e.Named = "GOPROXY in " + source.Plain(proxies.from, 200)
	}
	if proxies.origin == source.Checkout {
		e.Frozen = "GOPROXY is set by a file of the checkout, " + source.Plain(proxies.from, 200)
		e.Prove = nil // through other sources than those in force nothing would be proven
	} else {
		var valid bool
		e.InForce, e.Direct, valid = v.inForce(proxies)
		if proxies.value == "" && len(e.InForce) == 0 {
			e.Frozen = "GOPROXY is set nowhere, and the default of the toolchain is not known"
		} else if valid && len(e.InForce) == 0 {
			e.Frozen = "GOPROXY=" + source.Plain(shown(proxies.value), 100) + " asks no module proxy"
		} else {
			e.Frozen = closed(parseProxies(proxies.value, m.OS))
		}
	}
	e.Netrc, e.HandOver = slices.Contains(v.authWords(), netrcWord), v.handOver
	db := parseSumDB(v.set.get("GOSUMDB").value, m.SumDBKeys)
	e.SumDBWanted = db.mode != off && v.anyPublic()
	if db.sound() && db.url != "" {
		e.SumDBFixed = db.name
	}
	return e, nil
}

func read(m ecosystem.Machine, co *lockfile.Checkout) (*view, error) {
	v := &view{m: m, co: co, known: genuine()}
	v.readSettings()
	v.assemble()
	return v, v.readPins()
}

// anyPublic tells whether a required module is one that the checksum database may be asked about. Without any
// requirement the answer is yes: what a job installs by name is not known here.
func (v *view) anyPublic() bool {
	named := v.privateSetting().value
	for _, path := range v.required {
		if !module.MatchPrefixPatterns(named, path) {
			return true
		}
	}
	return len(v.required) == 0
}

// assemble puts the candidates in order: the toolchain's default, the user's own, the mirrors; each base once.
func (v *view) assemble() {
	seen := map[string]bool{}
	add := func(s source.Source) {
		if loc, err := source.Locate(s.URL); err != nil {
			v.notes = append(v.notes, fmt.Sprintf("the Go source %s is left out: %v", source.Plain(shown(s.URL), 200), err))
		} else if !seen[loc.String()] {
			seen[loc.String()] = true
			v.catalogue = append(v.catalogue, s)
		}
	}
	if v.official.URL != "" {
		add(v.official)
	}
	for _, raw := range v.m.Extra {
		add(named(raw, source.User))
	}
	for _, s := range v.m.Mirrors {
		if s.Role == source.ModuleProxy {
			add(s)
		}
	}
}

// named is a module proxy that somebody names, with its host as ID.
func named(raw, origin string) source.Source {
	s := source.Source{Ecosystem: source.Go, Role: source.ModuleProxy, URL: trimBase(raw), Origin: origin}
	if loc, err := source.Locate(raw); err == nil {
		s.ID = loc.HostPort()
	}
	return s
}

// inForce are the module proxies of a GOPROXY value that the go command can come to ask, in order: all up to "direct"
// or "off", since it goes on at least when a module is not found. It also tells whether "direct" ends the list, and
// whether the list is valid: one invalid entry makes the go command refuse it as a whole.
func (v *view) inForce(proxies setting) (list []source.Source, direct, valid bool) {
	for _, p := range parseProxies(proxies.value, v.m.OS) {
		switch p.Kind {
		case "invalid":
			return nil, false, false
		case "direct":
			return list, true, true
		case "off":
			return list, false, true
		case "url":
			list = append(list, v.recognise(named(p.raw, proxies.origin)))
		}
	}
	return list, false, true
}

const (
	endsInOff      = "GOPROXY ends in off, so nothing else may be asked"
	namesDirectory = "GOPROXY names a directory of this machine"
)

// closed is why no source may be added to a list, though it asks module proxies or is invalid: its author wants no
// other than these, or names a directory, which a choice would lose. What stands behind "direct" the go command does not
// look at. Empty where the list is open.
func closed(list []proxy) string {
	why := ""
	for _, p := range list {
		switch p.Kind {
		case "off":
			return endsInOff
		case "direct":
			return why
		case "file":
			why = namesDirectory
		}
	}
	return why
}

// recognise gives a source the identity that the catalogue has for its address. Who named it stays as it is.
func (v *view) recognise(s source.Source) source.Source {
	loc, err := source.Locate(s.URL)
	if err != nil {
		return s
	}
	for _, c := range v.catalogue {
		if known, err := source.Locate(c.URL); err == nil && known.String() == loc.String() {
			c.URL, c.Origin = s.URL, s.Origin
			return c
		}
	}
	return s
}

// databases are the places of the checksum database that is in force, or that will be when the one in force is none or
// has a key that nobody vouches for.
func (v *view) databases() []source.Source {
	from := v.set.get("GOSUMDB")
	db := parseSumDB(from.value, v.m.SumDBKeys)
	row := func(url, origin string) source.Source {
		s := named(url, origin)
		s.Role, s.Public = source.ChecksumDB, origin == source.Builtin
		return s
	}
	own := v.logHosts()
	if !db.sound() {
		return own
	}
	if db.name != defaultDB {
		return []source.Source{row(cmp.Or(db.url, "https://"+db.name), from.origin)}
	}
	if db.url == "" {
		return own
	}
	list := []source.Source{row(db.url, from.origin)}
	for _, s := range own {
		if s.ID == list[0].ID && s.URL == list[0].URL {
			list[0] = s
		} else {
			list = append(list, s)
		}
	}
	return list
}

// logHosts are the hosts of the log that the go command has built in: its own, then those that the catalogue knows beside
// it.
func (v *view) logHosts() []source.Source {
	first := named("https://"+defaultDB, source.Builtin)
	first.Role, first.Public = source.ChecksumDB, true
	list := []source.Source{first}
	for _, s := range v.m.Mirrors {
		switch {
		case s.Role != source.ChecksumDB:
		case s.ID == first.ID:
			list[0] = s
		case s.Off == "":
			list = append(list, s)
		}
	}
	return list
}
