package npm

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// ownNames are the names of the user's own packages, with the hosts that they come from.
type ownNames struct {
	// scopes and names are of the configuration, and prefixes the beginnings of names.
	scopes, names map[string]string
	prefixes      []ownPrefix
	// looks are scopes and names of the configuration by what they look like.
	looks map[string]string
	// registries are those that settings name for a scope, or for all packages (""), the strongest first.
	registries map[string][]ownRegistry
	// official is npm's own default registry; empty where it is not known. blind is true where the machine's settings are
	// not read, which may name another registry.
	official string
	blind    bool
}

type ownPrefix struct{ text, look, host string }

// ownRegistry is a registry that a setting names.
type ownRegistry struct {
	// host is empty where the setting cannot be judged.
	host string
	// from says where the setting stands, and dir where it counts: below it alone, or everywhere if empty.
	from, dir string
	// tool reads it alone: berry (yarn 2 and later, which reads no other), yarn, pnpm or bun; empty for npm's, which all
	// others read behind their own.
	tool string
}

// newOwnNames is nil where nobody names anything of his own.
func newOwnNames(configured map[string]string, values []value, official string, blind bool) *ownNames {
	o := &ownNames{scopes: map[string]string{}, names: map[string]string{}, looks: map[string]string{}, registries: map[string][]ownRegistry{}, blind: blind}
	if loc, err := source.Locate(official); err == nil {
		o.official = loc.HostPort()
	}
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		host := configured[name]
		prefix, open := strings.CutSuffix(name, "*")
		switch {
		case open:
			o.prefixes = append(o.prefixes, ownPrefix{prefix, look(prefix), host})
		case strings.HasPrefix(name, "@") && !strings.Contains(name, "/"):
			o.scopes[name], o.looks[look(name)] = host, name
		default:
			o.names[name], o.looks[look(name)] = host, name
		}
	}
	scoped := len(configured) > 0
	for _, v := range values {
		scope, r, ok := registryOf(v)
		if !ok || v.text == "" {
			continue
		}
		if loc, err := source.Locate(v.text); v.broken == "" && !v.linked && err == nil {
			r.host = loc.HostPort()
		}
		o.registries[scope] = append(o.registries[scope], r)
		scoped = scoped || scope != ""
	}
	if !scoped {
		return nil
	}
	return o
}

// look is what a name looks like.
func look(name string) string { return strings.ReplaceAll(source.Skeleton(name), ".", "-") }

// registryOf tells which packages a setting names a registry for: those of a scope, or all ("").
func registryOf(v value) (scope string, r ownRegistry, ok bool) {
	r.tool, r.from = v.tool, source.Plain(v.from, 200)
	if v.at.Line > 0 {
		r.from = fmt.Sprintf("%s:%d", r.from, v.at.Line)
	}
	if v.nested {
		r.dir = path.Dir(v.at.File)
	}
	name := strings.TrimSuffix(v.name, ".url")
	switch {
	case name == "registry" || name == "install.registry" || name == "registries.default":
		return "", r, true
	case isScope(name):
		return strings.TrimSuffix(name, ":registry"), r, true
	case strings.HasPrefix(name, "registries.@"):
		return strings.TrimPrefix(name, "registries."), r, true
	case strings.HasPrefix(name, "install.scopes."):
		return "@" + strings.TrimPrefix(strings.TrimPrefix(name, "install.scopes."), "@"), r, true
	case name == "npmRegistryServer":
		r.tool = "berry"
		return "", r, true
	}
	r.tool = "berry"
	scope, ok = strings.CutPrefix(name, "npmScopes.")
	scope, server := strings.CutSuffix(scope, ".npmRegistryServer")
	return "@" + scope, r, ok && server
}

// registry finds the one that a lock file's tool asks for the packages of a scope.
func (o *ownNames) registry(scope string, l *lockFile) (ownRegistry, bool) {
	tools := []string{l.manager, ""}
	if l.berry() {
		tools = []string{"berry"}
	}
	for _, tool := range tools {
		for _, r := range o.registries[scope] {
			if r.tool == tool && (r.dir == "" || r.dir == path.Dir(l.file)) {
				return r, true
			}
		}
	}
	return ownRegistry{}, false
}

// comes tells from which host an entry comes: what it names, else the registry of its scope, else the default one. It is
// not known where that is one of the machine's settings, which were not read.
func (o *ownNames) comes(e *lockfile.Entry, scope string, l *lockFile) (host string, known bool) {
	if e.URL != "" {
		kind, loc, err := locateEntry(e.Name, e.URL)
		return loc.HostPort(), err == nil && kind != kindFile
	}
	if r, ok := o.registry(scope, l); ok && scope != "" {
		return r.host, r.host != ""
	}
	if r, ok := o.registry("", l); ok {
		return r.host, r.host != ""
	}
	return o.official, !o.blind
}

// near is a package whose scope is one letter away from one of the user's.
type near struct {
	entry     *lockfile.Entry
	own, host string
}

// check flags packages that have one of the user's own names, or one that can be taken for it, and come from elsewhere. It
// costs a look at each name, and nothing where there are none of the user's own.
func (o *ownNames) check(locks []lockFile, put func(decide.Flagged)) {
	if o == nil {
		return
	}
	var nears []near
	mine := map[string]bool{}           // names that come from where they should
	similar := map[string]resemblance{} // by scope
	for i := range locks {
		l := &locks[i]
		for j := range l.Entries {
			e := &l.Entries[j]
			scope := ""
			if strings.HasPrefix(e.Name, "@") {
				scope, _, _ = strings.Cut(e.Name, "/")
			} else if len(o.prefixes)+len(o.names) == 0 {
				continue
			}
			if e.Fault != "" || o.own(e, scope, l, mine, put) {
				continue
			}
			own := o.unscoped(e.Name)
			if scope != "" && own == "" {
				r, met := similar[scope]
				if !met {
					r = o.resembles(scope)
					similar[scope] = r
				}
				if own = r.own; r.near && len(nears) < maxItems {
					host, known := o.comes(e, scope, l)
					if !known || !isHost(host, o.scopes[own]) {
						nears = append(nears, near{e, own, host})
					}
					continue
				}
			}
			if own != "" {
				if host, known := o.comes(e, scope, l); !known || !isHost(host, o.hostOf(own)) {
					put(lookalike(e, own, host))
				}
			}
		}
	}
	for _, n := range nears {
		if _, rest, _ := strings.Cut(n.entry.Name, "/"); mine[n.own+"/"+rest] {
			put(lookalike(n.entry, n.own+"/"+rest, n.host))
		}
	}
}

// own judges a package that has one of the user's own names; false for any other.
func (o *ownNames) own(e *lockfile.Entry, scope string, l *lockFile, mine map[string]bool, put func(decide.Flagged)) bool {
	var hosts []string
	if host, ok := o.scopes[scope]; ok {
		hosts = append(hosts, host)
	}
	if host, ok := o.names[e.Name]; ok {
		hosts = append(hosts, host)
	}
	for _, p := range o.prefixes {
		if strings.HasPrefix(e.Name, p.text) {
			hosts = append(hosts, p.host)
		}
	}
	listed, why := len(hosts) > 0, ""
	if !listed {
		r, ok := o.registry(scope, l)
		if !ok || scope == "" || r.host == "" {
			return false
		}
		hosts, why = []string{r.host}, " as "+r.from+" says"
	}
	from, known := o.comes(e, scope, l)
	if !known {
		return true
	}
	wrong := slices.IndexFunc(hosts, func(host string) bool { return !isHost(from, host) })
	if wrong < 0 {
		mine[e.Name] = true
		return true
	}
	put(decide.Flagged{Name: e.Name, Version: e.Version, Kind: decide.FlagScope, ListSet: listed, Position: e.At, Key: "scope " + e.Name + " " + from,
		Detail: fmt.Sprintf("has one of your own names and comes from %s, not from %s%s", hostName(from), hosts[wrong], why)})
	return true
}

func lookalike(e *lockfile.Entry, own, from string) decide.Flagged {
	return decide.Flagged{Name: e.Name, Version: e.Version, Kind: decide.FlagLookalike, ListSet: true, Position: e.At, Key: "lookalike " + e.Name + " " + from,
		Detail: fmt.Sprintf("can be taken for %s, which is one of your own names, and comes from %s", own, hostName(from))}
}

func hostName(host string) string {
	if host == "" {
		return "the default registry"
	}
	return host
}

// isHost tells whether a host is one that is written as those of trusted are.
func isHost(host, want string) bool {
	name, _, _ := strings.Cut(host, ":")
	return host != "" && (host == want || name == want || strings.HasPrefix(want, ".") && strings.HasSuffix(name, want))
}

func (o *ownNames) hostOf(own string) string {
	for _, p := range o.prefixes {
		if own == p.text+"*" {
			return p.host
		}
	}
	if host, ok := o.names[own]; ok {
		return host
	}
	return o.scopes[own]
}

// unscoped is the name, or beginning of names, that a name can be taken for; empty where there is none.
func (o *ownNames) unscoped(name string) string {
	if len(o.prefixes)+len(o.names) == 0 {
		return ""
	}
	looks := look(name)
	for _, p := range o.prefixes {
		if strings.HasPrefix(looks, p.look) {
			return p.text + "*"
		}
	}
	return o.looks[looks]
}

// resemblance is the scope of the user's that another can be taken for; near where it is one letter away, which honest
// scopes are as well.
type resemblance struct {
	own  string
	near bool
}

func (o *ownNames) resembles(scope string) resemblance {
	if own := o.looks[look(scope)]; own != "" {
		return resemblance{own: own}
	}
	for _, own := range slices.Sorted(maps.Keys(o.scopes)) {
		if len(own) > 3 && oneEdit(own, scope) {
			return resemblance{own, true}
		}
	}
	return resemblance{}
}

// oneEdit tells whether two names differ in one letter: another one, one more, one less, or two in each other's place.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		return i < len(a) && (a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:])
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}
