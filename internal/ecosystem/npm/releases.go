package npm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// atOnce is how many packages are asked about at the same time.
	atOnce = 16
	// installable is the short packument that npm asks for when it installs; it has no dates.
	installable = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"
	whole       = "application/json"
)

// releases asks the registry that npm would ask.
func (r *room) releases(ctx context.Context, q ecosystem.Inquiry) (said ecosystem.Said) {
	if q.Base == nil && !q.All || q.Base != nil && !q.All && r.unchanged(q.Base) {
		return said
	}
	registry := ""
	switch changed := q.After != nil && !q.After.Kept && len(q.After.Sources) > 0; {
	case changed:
		registry = q.After.Sources[0].URL
	case len(r.inForce) > 0:
		registry = r.inForce[0].URL
	}
	if r.m.RepoOnly || registry == "" {
		why := "no registry is known"
		if r.m.RepoOnly {
			why = "the machine's settings, which name the sources, are left out"
		}
		said.NotAsked = append(said.NotAsked, "what the registry says of the versions of packages (LCK014 LCK015): "+why)
		return said
	}
	list, elsewhere := r.pinned(q, registry)
	if elsewhere > 0 {
		said.NotAsked = append(said.NotAsked, fmt.Sprintf("what registries say of the versions of packages that come, or may come, from another one than %s (%d)", hostOf(registry), elsewhere))
	}
	if len(list) == 0 {
		return said
	}
	var names []string
	byName := map[string][]ecosystem.Release{}
	for _, p := range list {
		if byName[p.Name] == nil {
			names = append(names, p.Name)
		}
		byName[p.Name] = append(byName[p.Name], p)
	}
	from, err := q.Registry(registry)
	if err == nil {
		defer from.Close()
	}
	facts, late := make([][]decide.Flagged, len(names)), make([]int, len(names))
	ecosystem.Each(len(names), atOnce, func(i int) {
		versions, failed := byName[names[i]], err
		claims := map[string]*claim{}
		if err == nil {
			claims, failed = ask(ctx, from, versions, q.Dated(names[i]))
		}
		for _, p := range versions {
			facts[i] = append(facts[i], judge(q, p, claims[p.Version], failed)...)
		}
		if failed != nil && ctx.Err() != nil {
			late[i] = len(versions)
		}
	})
	said.Asked = len(list)
	said.Flagged, said.Untold = ecosystem.Gather(facts)
	for _, n := range late {
		said.Late += n
	}
	return said
}

// ask gets what a registry says of some versions of one package.
func ask(ctx context.Context, from *ecosystem.Registry, list []ecosystem.Release, dated bool) (map[string]*claim, error) {
	claims := make(map[string]*claim, len(list))
	for _, p := range list {
		claims[p.Version] = &claim{}
	}
	accept := installable
	if dated {
		accept = whole
	}
	name := strings.Replace(list[0].Name, "/", "%2f", 1) // as npm writes it
	err := from.Get(ctx, name, accept, maxPackument, func(body io.Reader) error { return readPackument(body, claims, dated) })
	return claims, err
}

func judge(q ecosystem.Inquiry, p ecosystem.Release, c *claim, err error) (facts []decide.Flagged) {
	dated := q.Dated(p.Name)
	unknown := func(err error) []decide.Flagged {
		if dated {
			return p.Unknown(source.NPM, decide.AskAge, "may be too young", err)
		}
		return p.Unknown(source.NPM, decide.AskState, "may be deprecated", err)
	}
	switch {
	case err != nil:
		return unknown(err)
	case !c.known:
		return unknown(errors.New("the registry does not have this version"))
	}
	if c.deprecated {
		facts = p.Fact(source.NPM, decide.FlagDeprecated, "", "is deprecated"+ecosystem.Because(c.reason))
	}
	switch {
	case dated && c.published.IsZero():
		facts = append(facts, unknown(errors.New("the registry has no date of it"))...)
	case dated:
		facts = append(facts, q.TooYoung(source.NPM, p, c.published, "published")...)
	}
	return facts
}

// locked calls visit for each package of the lock files that pass wants. What cannot be understood has none: New has said
// so of the checkout's own files.
func locked(co *lockfile.Checkout, wants func(lockfile.File) bool, visit func(manager string, e lockfile.Entry)) {
	for _, format := range formats {
		for _, name := range co.Files(format.name) {
			file, err := co.Read(name, 0)
			if err != nil || wants != nil && !wants(file) {
				continue
			}
			lock, err := format.parse(file)
			if err != nil {
				continue
			}
			for _, e := range lock.Entries {
				visit(format.manager, e)
			}
		}
	}
}

// same tells whether a commit has a file as it is.
func same(base *lockfile.Checkout, file lockfile.File) bool {
	was, err := base.Read(file.Path, 0)
	return err == nil && bytes.Equal(was.Data, file.Data)
}

// unchanged tells whether a commit has all lock files as they are.
func (r *room) unchanged(base *lockfile.Checkout) bool {
	changed := false
	locked(r.co, func(file lockfile.File) bool { changed = changed || !same(base, file); return false }, nil)
	return !changed
}

// release is what is told apart.
type release struct{ name, version string }

// pinned are the packages that the inquiry is about and that the registry would be asked for, and how many others there
// are.
func (r *room) pinned(q ecosystem.Inquiry, registry string) (list []ecosystem.Release, elsewhere int) {
	known := map[release]bool{}
	if q.Base != nil {
		locked(q.Base, nil, func(_ string, e lockfile.Entry) { known[release{e.Name, e.Version}] = true })
	}
	to := r.route(registry)
	index := map[release]int{}
	locked(r.co, func(file lockfile.File) bool { return q.All || !same(q.Base, file) }, func(manager string, e lockfile.Entry) {
		id := release{e.Name, e.Version}
		if known[id] && !q.All || !exact.MatchString(e.Version) {
			return
		}
		i, ok := index[id]
		if !ok {
			i = -1
			switch to.asks(manager, e) {
			case here:
				origin := source.Checkout
				if known[id] {
					origin = source.Base
				} else if q.Base != nil {
					origin = source.Change
				}
				i, list = len(list), append(list, ecosystem.Release{Name: e.Name, Version: e.Version, Origin: origin})
			case there:
				elsewhere++
			case nowhere:
				return // another entry of it may be of a registry
			}
			index[id] = i
		}
		if i < 0 {
			return
		}
		if at := list[i].At; len(at) == 0 || at[len(at)-1].File != e.At.File {
			list[i].At = append(at, e.At)
		}
	})
	return list, elsewhere
}

var (
	// givenName takes in the names that registries give, new and old; none leads out of its place in an address.
	givenName = regexp.MustCompile(`^(?:@[A-Za-z0-9~_!'()*-][A-Za-z0-9._~!'()*-]*/)?[A-Za-z0-9~_!'()*-][A-Za-z0-9._~!'()*-]*$`)
	exact     = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?$`)
)

// Where a package comes from.
type whence int

const (
	// nowhere: it is none of a registry.
	nowhere whence = iota
	here
	there
)

// route knows which packages the registry would be asked for. Names of others may be secrets, and are never sent to it.
type route struct {
	grouping
	// hosts are those in whose place the registry stands.
	hosts map[string]bool
	// scopes have registries of their own; anyScope is true where not all of them are known.
	scopes   map[string]bool
	anyScope bool
	// others are the managers whose own settings may name another registry.
	others map[string]bool
	// own are the user's own names; nil where the configuration has none. host is the registry's.
	own  *ownNames
	host string
}

func (r *room) route(registry string) *route {
	to := &route{grouping: grouping{origins: map[string]origin{}}, hosts: map[string]bool{"registry.yarnpkg.com": true, hostOf(registry): true},
		scopes: map[string]bool{}, others: map[string]bool{}, own: newOwnNames(r.m.Scopes, nil, "", false), host: hostOf(registry)}
	if r.official != "" {
		to.hosts[hostOf(r.official)] = true
	}
	for _, v := range r.values {
		if scope, _, ok := registryOf(v); ok && scope != "" {
			to.scopes[scope] = true
			to.anyScope = to.anyScope || v.loose
		}
	}
	for manager := range ownSettings {
		to.others[manager] = r.mayNameAnother(manager, registry)
	}
	return to
}

func hostOf(address string) string {
	loc, err := source.Locate(address)
	if err != nil {
		return ""
	}
	return loc.HostPort()
}

// asks tells where an entry comes from. One that names no place comes from its manager's default registry.
func (t *route) asks(manager string, e lockfile.Entry) whence {
	if e.Fault != "" {
		return nowhere
	}
	scope, _, scoped := strings.Cut(e.Name, "/")
	private := !givenName.MatchString(e.Name) || len(e.Name) > 214 || scoped && (t.anyScope || t.scopes[scope]) || t.claimed(e.Name, scope)
	if e.URL == "" {
		if private || t.others[manager] {
			return there
		}
		return here
	}
	kind, _, place, _ := t.place(&e)
	switch {
	case kind != kindRegistry:
		return nowhere
	case private || !t.hosts[source.Location{Host: place.Host, Port: place.Port}.HostPort()]:
		return there
	}
	return here
}

// claimed tells whether a package has one of the user's own names, and those come from elsewhere.
func (t *route) claimed(name, scope string) bool {
	if t.own == nil {
		return false
	}
	away := func(host string, ok bool) bool { return ok && !isHost(t.host, host) }
	host, ok := t.own.scopes[scope]
	if away(host, ok) {
		return true
	}
	if host, ok = t.own.names[name]; away(host, ok) {
		return true
	}
	return slices.ContainsFunc(t.own.prefixes, func(p ownPrefix) bool { return away(p.host, strings.HasPrefix(name, p.text)) })
}

// ownSettings are where the tools that stand in for npm keep settings of their own: files of the checkout and of the home
// directory, and variables.
var ownSettings = map[string]struct{ files, home, variables []string }{
	"yarn": {[]string{".yarnrc", ".yarnrc.yml"}, []string{".yarnrc", ".yarnrc.yml"}, []string{"YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER"}},
	"pnpm": {[]string{"pnpm-workspace.yaml"}, []string{".config/pnpm/rc", ".config/pnpm/config.yaml", "Library/Preferences/pnpm/rc", "Library/Preferences/pnpm/config.yaml"},
		[]string{"pnpm_config_registry", "PNPM_CONFIG_REGISTRY"}},
	"bun": {[]string{"bunfig.toml"}, []string{".bunfig.toml", ".config/.bunfig.toml"}, []string{"BUN_CONFIG_REGISTRY"}},
}

// naming is what stands in a file that names a registry, in any of the formats.
var naming = regexp.MustCompile(`(?i)regist|scopes`)

// mayNameAnother tells whether settings of a tool may name another registry. They are not read for what they say: where in
// doubt, a name is not sent.
func (r *room) mayNameAnother(manager, registry string) bool {
	own := ownSettings[manager]
	for _, name := range own.variables {
		if text, _ := r.m.Lookup(name); text != "" && strings.TrimRight(text, "/") != strings.TrimRight(registry, "/") {
			return true
		}
	}
	for _, name := range own.files {
		for _, file := range r.co.Files(name) {
			if f, err := r.co.Read(file, maxRC); err != nil || naming.Match(f.Data) {
				return true
			}
		}
	}
	home := (&settings{m: r.m}).home()
	return home != "" && slices.ContainsFunc(own.home, func(name string) bool {
		data, err := ecosystem.ReadFile(filepath.Join(home, name), maxRC)
		return err == nil && naming.Match(data)
	})
}
