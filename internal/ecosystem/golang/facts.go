package golang

import (
	"cmp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/source"
)

// fill adds the facts to a policy's input: as they are, or as they will be once the changes of a choice are in force.
// Where the machine is left out there are no settings and no sources, and the switches have their defaults.
func (v *view) fill(in *decide.Input, after *choose.Choice) {
	if v.m.RepoOnly && !v.present() {
		return
	}
	set := v.set
	if after != nil && !v.m.RepoOnly {
		set = set.with(v.changes(*after))
	}
	for _, name := range names {
		if s := set.get(name); s.value != "" && (s.origin != source.Builtin || s.from == fromPlan) {
			in.Settings = append(in.Settings, reported(s))
		}
	}
	proxies := set.get("GOPROXY")
	g := &decide.Go{Proxies: []decide.Proxy{}, Patterns: []decide.Pattern{}, Flags: []decide.Flag{},
		Replaces: list(v.replaces), Unsummed: list(v.unsummed), Excludes: list(v.excludes), Tools: list(v.tools), Uses: list(v.uses),
		Debug: list(v.debug), Directives: list(v.directives), Vendor: list(v.vendor), Clashes: list(v.clashes), Lookalikes: list(v.lookalikes),
		Requires: list(v.requires.groups), VCS: list(parseVCS(set.get("GOVCS"))), EnvFile: v.env,
		Programs:   list(append(v.authPrograms(set.get("GOAUTH")), v.cachePrograms(set.get("GOCACHEPROG"))...)),
		Toolchains: list(v.toolchains(set.get("GOTOOLCHAIN")))}
	for _, p := range parseProxies(proxies.value, v.m.OS) {
		p.From = proxies.origins()
		g.Proxies = append(g.Proxies, p.Proxy)
	}
	for _, name := range [...]string{"GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE"} {
		g.Patterns = append(g.Patterns, parsePatterns(set.get(name))...)
	}
	g.Flags = append(g.Flags, parseFlags(set.get("GOFLAGS"))...)
	g.Modules = decide.Switch{Value: on, From: set.get("GO111MODULE").origins()}
	if set.get("GO111MODULE").value == off {
		g.Modules.Value = off
	}
	sum := set.get("GOSUMDB")
	db := parseSumDB(sum.value, v.m.SumDBKeys)
	g.SumDB = decide.SumDB{Value: shown(cmp.Or(sum.value, defaultDB)), Mode: db.mode, Name: db.name, KeyKnown: db.known, From: sum.origins()}
	if db.url != "" {
		g.SumDB.URL = decide.PlaceOf(db.url).URL
	}
	in.Go = g
	v.packages(in)
	if v.m.RepoOnly {
		return
	}
	in.Sources = append(in.Sources, v.sources(proxies, after)...)
	if s, ok := v.askedDatabase(db, sum, after); ok {
		in.Sources = append(in.Sources, described(choose.Picked{Source: s}, sum))
	}
}

// reported is a setting as policies and reports see it. What may hold a secret is kept back.
func reported(s setting) decide.Setting {
	out := decide.Setting{Ecosystem: source.Go, Name: s.name, Value: source.Redact(s.value), Origin: s.origin, From: s.from, Position: s.at}
	if s.from == fromEnvironment {
		out.From = s.name
	}
	switch s.name {
	case "GOPROXY", "GOSUMDB":
		out.Value = shown(s.value)
	case "GOAUTH", "GOCACHEPROG": // may be a command with a secret among its arguments
		if s.value != "off" && s.value != "netrc" {
			out.Value = "***"
		}
	case "GOFLAGS":
		unreadable := func(f decide.Flag) bool { return f.Broken != "" }
		if strings.Contains(s.value, "-ldflags") || slices.ContainsFunc(parseFlags(s), unreadable) {
			out.Value = "***"
		}
	}
	return out
}

// sources are the module proxies that will be asked, with what was measured of them.
func (v *view) sources(proxies setting, after *choose.Choice) []decide.Source {
	var out []decide.Source
	list, _, _ := v.inForce(proxies)
	for _, s := range list {
		p := choose.Picked{Source: s}
		if after != nil {
			at := slices.IndexFunc(after.Sources, func(p choose.Picked) bool { return trimBase(p.URL) == s.URL })
			if at >= 0 {
				p = after.Sources[at]
			}
		}
		out = append(out, described(p, proxies))
	}
	return out
}

func described(p choose.Picked, from setting) decide.Source {
	s := decide.Source{Place: decide.PlaceOf(p.URL), ID: p.ID, Ecosystem: source.Go, Role: p.Role, Origin: p.Origin, Via: cmp.Or(p.Via, "unknown"),
		IPs: append([]string{}, p.IPs...), Position: from.at, Setting: from.name}
	switch {
	case len(p.IPs) > 0:
		s.Addresses = "known"
	case p.Via == "":
		s.Addresses = "not-asked"
	case p.Via == "proxy":
		s.Addresses = "behind-proxy"
	default:
		s.Addresses = "no-answer"
	}
	return s
}

// askedDatabase is the place of its own at which the checksum database will be asked: the URL of GOSUMDB, or the log's
// own host where the sources were measured and none relays it.
func (v *view) askedDatabase(db database, from setting, after *choose.Choice) (source.Source, bool) {
	url := db.url
	if url == "" {
		relayed := after == nil || slices.ContainsFunc(after.Sources, func(p choose.Picked) bool { return p.Via == "" || p.ChecksumDB })
		if relayed || len(after.Sources) == 0 || !v.anyPublic() {
			return source.Source{}, false
		}
		url = "https://" + db.name
	}
	if db.mode != on {
		return source.Source{}, false
	}
	s := named(url, from.origin)
	if s.URL == "https://"+defaultDB || s.URL == "https://"+aliasDB {
		s.Origin = source.Builtin
	}
	s.Role = source.ChecksumDB
	return s, true
}

// list is a copy that is never nil: policies see a list wherever there can be one, and may change its origins.
func list[T any](s []T) []T { return append([]T{}, s...) }
