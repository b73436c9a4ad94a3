package npm

import (
	"net/url"
	"path"
	"strings"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// packages tells what the lock files pin one by one, where a policy reads it: as things are (nil), or as they will be
// after the choice.
func (r *room) packages(in *decide.Input, after *choose.Choice) {
	if !in.Each {
		return
	}
	g := grouping{origins: map[string]origin{}}
	to := r.registries(after)
	for i := range r.locks {
		lock := &r.locks[i]
		for i := range lock.Entries {
			e := &lock.Entries[i]
			j := g.judge(e)
			name, version := shownName(e.Name), shownVersion(e.Version)
			p := decide.Package{Ecosystem: source.NPM, Name: name, Version: version, Purl: decide.PURL(source.NPM, name, version),
				Alias: shownName(e.Alias), Kind: j.kind, Integrity: j.class, Script: e.InstallScript, Position: e.At}
			if j.place.Host != "" {
				p.Host = source.Location{Host: j.place.Host, Port: j.place.Port}.HostPort()
			}
			switch p.LockURL = g.address(e, &j); {
			case e.URL == "" && e.Fault == "":
				p.EffectiveURL = to.address(e.Name, lock)
			case lock.manager == "npm" && (j.kind == kindRegistry || j.kind == kindTarball):
				p.EffectiveURL = to.replaced(p.LockURL)
			default:
				p.EffectiveURL = p.LockURL
			}
			in.Packages = append(in.Packages, p)
		}
	}
}

// maxAddress bounds an address that is told.
const maxAddress = 1000

// address is that of an entry as policies see it; empty where it has none, or none that can be judged.
func (g *grouping) address(e *lockfile.Entry, j *judged) string {
	switch {
	case e.URL == "" || j.place.Broken != "":
		return ""
	case j.kind == kindFile:
		return "file:" + source.Plain(strings.TrimPrefix(e.URL, "file:"), maxAddress)
	}
	if head, path, ok := splitOrigin(e.URL); ok && g.origins[head].ok && j.kind != kindGit {
		return source.Plain(g.origins[head].place.URL+path, maxAddress)
	}
	_, loc, err := locateEntry(e.Name, e.URL)
	if err != nil {
		return ""
	}
	text := loc.String()
	if _, commit, _ := strings.Cut(e.URL, "#"); j.kind == kindGit && isCommit(commit) {
		text += "#" + commit
	}
	return source.Plain(text, maxAddress)
}

// registries are those that will be asked, and what npm makes of an address in a lock file.
type registries struct {
	// fallback is npm's default registry, which yarn 1, pnpm and bun ask as well, and of yarn 2 and later.
	fallback, berry string
	// set are those that settings name for a scope, or for all packages of one tool (""), the strongest first.
	set map[string][]setRegistry
	// host and path are of the addresses in whose place npm puts its registry, as it writes them; every host if all is true.
	host, path string
	all        bool
}

type setRegistry struct {
	ownRegistry
	url string
}

// ownVariables name the registries of tools that have a variable of their own for it.
var ownVariables = map[string]string{"berry": "YARN_NPM_REGISTRY_SERVER", "yarn": "YARN_REGISTRY", "pnpm": "pnpm_config_registry", "bun": "BUN_CONFIG_REGISTRY"}

func (r *room) registries(after *choose.Choice) *registries {
	changed := after != nil && !after.Kept && len(after.Sources) > 0
	official := canonical(r.official)
	to := &registries{berry: official, set: map[string][]setRegistry{}}
	if r.registry.broken == "" {
		to.fallback = canonical(r.registry.text)
	}
	if changed {
		to.fallback = canonical(after.Sources[0].URL)
		to.berry = to.fallback
	} else if !r.m.RepoOnly {
		for tool, name := range ownVariables {
			if text, _ := r.m.Lookup(name); text != "" {
				to.set[""] = append(to.set[""], setRegistry{ownRegistry{tool: tool}, canonical(text)})
			}
		}
	}
	replace := ""
	for _, v := range r.values {
		if v.name == "replace-registry-host" && v.tool == "" && !v.nested && v.broken == "" && replace == "" {
			replace = v.text
		}
		scope, of, ok := registryOf(v)
		nested := of.dir != "" && !changed && (r.registry.at.File != "" || r.registry.origin == source.Builtin) // a variable counts everywhere
		if !ok || v.text == "" || scope == "" && (of.tool == "" && !nested || changed && v.origin != source.Checkout) {
			continue
		}
		named := setRegistry{ownRegistry: of}
		if v.broken == "" && !v.linked {
			named.url = canonical(v.text)
		}
		to.set[scope] = append(to.set[scope], named)
	}
	switch u, err := url.Parse(replace); {
	case replace == "always":
		to.all = true
	case replace == "" || replace == "npmjs":
		to.host = hostname(official)
	case err == nil && u.Scheme != "" && u.Host != "":
		to.host, to.path = u.Hostname(), strings.TrimSuffix(u.EscapedPath(), "/")
	default:
		to.host = replace
	}
	return to
}

// canonical is an address without userinfo and query; empty for one that cannot be judged.
func canonical(address string) string {
	loc, err := source.Locate(address)
	if err != nil {
		return ""
	}
	return source.Plain(strings.TrimRight(loc.String(), "/"), maxAddress)
}

func hostname(address string) string {
	loc, _ := source.Locate(address) // the zero one has no host
	return loc.Host
}

// address is that of the registry which a lock file's tool asks for a package.
func (to *registries) address(name string, l *lockFile) string {
	tools, fallback := []string{l.manager, ""}, to.fallback
	if l.berry() {
		tools, fallback = []string{"berry"}, to.berry
	}
	scopes := []string{""}
	if scope, _, ok := strings.Cut(name, "/"); ok && strings.HasPrefix(scope, "@") {
		scopes = []string{scope, ""}
	}
	for _, scope := range scopes {
		for _, tool := range tools {
			for _, r := range to.set[scope] {
				if r.tool == tool && (r.dir == "" || r.dir == path.Dir(l.file)) {
					return r.url
				}
			}
		}
	}
	return fallback
}

// replaced is the address that npm fetches in the place of one in its lock file (@npmcli/arborist 9.x, reify.js, of npm
// 11.19): scheme, host and port become the registry's, and its path stands in front.
func (to *registries) replaced(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if scheme != "https" && scheme != "http" || to.fallback == "" || !to.all && (to.host == "" || hostname(scheme+"://"+host) != to.host || !below(path, to.path)) {
		return address
	}
	loc, err := source.Locate(to.fallback)
	if err != nil {
		return address
	}
	switch own := strings.TrimSuffix(loc.Path, "/"); {
	case to.path != "":
		loc.Path = own + path[len(to.path):]
	case below(path, own):
		loc.Path = path
	default:
		loc.Path = own + path
	}
	return source.Plain(loc.String(), maxAddress)
}

// below tells whether a path is another one, or lies below it.
func below(path, prefix string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}
