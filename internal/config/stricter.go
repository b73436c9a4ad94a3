package config

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/source"
)

// Stricter is base, the configuration of the commit that a change is measured against, with head, that of the change,
// allowed to be stricter and nothing else: a pull request cannot weaken its own gate. Both are loaded with the same
// flags and inputs. What counts of head:
//   - mode enforce; and where base's file says enforce, no flag or input of the change takes it back;
//   - a severity that is raised; where base says nothing of the rule only error is known to raise it;
//   - trusted hosts that base trusts too; where base has no list only an empty one is known to be narrower;
//   - hosts and prefixes of modules that base allows too, where base has a list, and any list where it has none;
//   - scripts that base allows too; where base has no list only an empty one is known to be narrower;
//   - addresses that base allows too; require-address; direct: deny;
//   - rows of mirrors that switch a place off;
//   - names of packages in scopes that base does not have;
//   - fewer days for waivers;
//   - verify that compares more, a younger head of the log, fewer modules that are public;
//   - more releases that are asked about, a greater age, fewer names that may be of any age; where base asks for no age,
//     head's own names.
//
// Sources are chosen as base says: no strategy is stricter than another, and a change that brings its own could lead a job
// to the mirror that it likes.
// Credentials of head never count: it could send a secret of the job to a host of its own.
func (base Config) Stricter(head Config) Config {
	const by = " (stricter than the base commit)"
	out := base
	switch {
	case base.FileMode.V == Enforce:
		out.Mode = base.FileMode
	case base.Mode.V == Audit && head.Mode.V == Enforce:
		out.Mode = Value[string]{Enforce, head.Mode.Origin + by}
	}
	out.Severity = maps.Clone(base.Severity)
	for rule, h := range head.Severity {
		b, known := base.Severity[rule]
		if known && slices.Index(severities, h.V) > slices.Index(severities, b.V) || !known && h.V == "error" {
			put(&out.Severity, rule, Value[string]{h.V, h.Origin + by})
		}
	}
	out.Scopes = maps.Clone(base.Scopes)
	for name, h := range head.Scopes {
		if _, known := base.Scopes[name]; !known {
			put(&out.Scopes, name, Value[string]{h.V, h.Origin + by})
		}
	}
	out.Mirrors.V = slices.Clone(base.Mirrors.V)
	for _, h := range head.Mirrors.V {
		i := slices.IndexFunc(out.Mirrors.V, func(b source.Source) bool { return catalogue.Same(b, h) })
		switch {
		case h.Off == "":
			continue
		case i < 0:
			out.Mirrors.V = append(out.Mirrors.V, h)
		case out.Mirrors.V[i].Off == "":
			out.Mirrors.V[i].Off = h.Off
		default:
			continue
		}
		out.Mirrors.Origin = head.Mirrors.Origin + by
	}
	out.Trusted = maps.Clone(base.Trusted)
	for ecosystem, h := range head.Trusted {
		b, known := base.Trusted[ecosystem]
		if hosts := common(b.V, h.V); known && !slices.Equal(hosts, b.V) || !known && len(h.V) == 0 {
			put(&out.Trusted, ecosystem, Value[[]string]{hosts, h.Origin + by})
		}
	}
	if h := head.Addresses; h.Given() {
		nets := h.V
		if base.Addresses.Given() {
			nets = overlap(base.Addresses.V, h.V)
		}
		if !base.Addresses.Given() || !slices.Equal(nets, base.Addresses.V) {
			out.Addresses = Value[[]netip.Prefix]{nets, h.Origin + by}
		}
	}
	for _, list := range [...]struct {
		head, base, out *Value[[]string]
		common          func(base, head []string) []string
	}{
		{&head.ModuleHosts, &base.ModuleHosts, &out.ModuleHosts, common},
		{&head.ModulePrefixes, &base.ModulePrefixes, &out.ModulePrefixes, commonPrefixes},
	} {
		narrow := list.head.V
		if list.base.Given() {
			narrow = list.common(list.base.V, narrow)
		}
		if list.head.Given() && !(list.base.Given() && slices.Equal(narrow, list.base.V)) {
			*list.out = Value[[]string]{narrow, list.head.Origin + by}
		}
	}
	if h := head.Scripts; h.Given() {
		narrow := commonScripts(base.Scripts.V, h.V)
		if base.Scripts.Given() && !slices.Equal(narrow, base.Scripts.V) || !base.Scripts.Given() && len(h.V) == 0 {
			out.Scripts = Value[[]string]{narrow, h.Origin + by}
		}
	}
	if head.RequireAddress.V && !base.RequireAddress.V {
		out.RequireAddress = Value[bool]{true, head.RequireAddress.Origin + by}
	}
	if !head.Direct.V && base.Direct.V {
		out.Direct = Value[bool]{false, head.Direct.Origin + by}
	}
	if head.WaiverDays.V < base.WaiverDays.V {
		out.WaiverDays = Value[int]{head.WaiverDays.V, head.WaiverDays.Origin + by}
	}
	if slices.Index(releases, head.Releases.V) > slices.Index(releases, base.Releases.V) {
		out.Releases = Value[string]{head.Releases.V, head.Releases.Origin + by}
	}
	if slices.Index(verifies, head.Verify.V) > slices.Index(verifies, base.Verify.V) {
		out.Verify = Value[string]{head.Verify.V, head.Verify.Origin + by}
	}
	if head.HeadAge.V < base.HeadAge.V {
		out.HeadAge = Value[time.Duration]{head.HeadAge.V, head.HeadAge.Origin + by}
	}
	if h := head.ModulePublic; h.Given() && base.ModulePublic.Given() {
		if names := commonPrefixes(base.ModulePublic.V, h.V); !slices.Equal(names, base.ModulePublic.V) {
			out.ModulePublic = Value[[]string]{names, h.Origin + by}
		}
	}
	out.Age = maps.Clone(base.Age)
	for ecosystem, h := range head.Age {
		if h.V > base.Age[ecosystem].V {
			put(&out.Age, ecosystem, Value[time.Duration]{h.V, h.Origin + by})
		}
	}
	if h := head.AgeExclude; h.Given() {
		names := h.V
		if len(base.Age) > 0 {
			names = commonNames(base.AgeExclude.V, h.V)
		}
		if !slices.Equal(names, base.AgeExclude.V) {
			out.AgeExclude = Value[[]string]{names, h.Origin + by}
		}
	}
	return out
}

// commonNames are the patterns of both lists.
func commonNames(base, head []string) []string {
	return slices.DeleteFunc(slices.Clone(base), func(entry string) bool { return !slices.Contains(head, entry) })
}

// common is what both lists trust: base's entries that head takes in, then head's narrower ones.
func common(base, head []string) []string {
	out := []string{}
	for _, entry := range base {
		if covered(head, entry) {
			out = append(out, entry)
		}
	}
	for _, entry := range head {
		if covered(base, entry) && !covered(out, entry) {
			out = append(out, entry)
		}
	}
	return out
}

// commonPrefixes are the patterns of both lists, and those of head that lie below one of base without any sign that
// matches more than itself.
func commonPrefixes(base, head []string) []string {
	below := func(by []string, entry string) bool {
		return slices.Contains(by, entry) ||
			!strings.ContainsAny(entry, `*?[\`) && module.MatchPrefixPatterns(strings.Join(by, ","), entry)
	}
	out := []string{}
	for _, entry := range base {
		if below(head, entry) {
			out = append(out, entry)
		}
	}
	for _, entry := range head {
		if below(base, entry) && !below(out, entry) {
			out = append(out, entry)
		}
	}
	return out
}

// commonScripts are the packages of both lists, and those of one that an entry of the other takes in.
func commonScripts(base, head []string) []string {
	below := func(by []string, entry string) bool {
		name := entry
		if i := strings.LastIndexByte(entry, '@'); i > 0 {
			name = entry[:i]
		}
		scope, _, _ := strings.Cut(entry, "/")
		return slices.Contains(by, entry) || slices.Contains(by, name) || slices.Contains(by, scope+"/*")
	}
	out := []string{}
	for _, entry := range base {
		if below(head, entry) {
			out = append(out, entry)
		}
	}
	for _, entry := range head {
		if below(base, entry) && !below(out, entry) {
			out = append(out, entry)
		}
	}
	return out
}

// covered tells whether all that entry trusts is trusted by some other entry, too. A host without a port stands for all
// its ports.
func covered(by []string, entry string) bool {
	host, port, _ := strings.Cut(entry, ":")
	for _, wide := range by {
		if wide == entry || strings.HasPrefix(wide, ".") && strings.HasSuffix(host, wide) ||
			wide == host && !strings.Contains(port, ":") {
			return true
		}
	}
	return false
}

// overlap are the networks that lie in both lists, in base's order.
func overlap(base, head []netip.Prefix) []netip.Prefix {
	out := []netip.Prefix{}
	for _, b := range base {
		for _, h := range head {
			if p := b; b.Overlaps(h) {
				if h.Bits() > b.Bits() {
					p = h
				}
				if !slices.Contains(out, p) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}
