package golang

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxItems is how many modules of one group are told one by one; Count tells of them all.
	maxItems = 10_000
	// maxExamples is how many of them a policy sees.
	maxExamples = 5
)

// requirements gathers modules into the few groups that rules tell apart, so that policies cost the same for a module of
// ten requirements and one of ten thousand.
type requirements struct {
	// hosts and prefixes are the configuration's; nil where it lists none.
	hosts, prefixes []string
	groups          []decide.Requirement
	// all are the modules one by one.
	all []decide.Package
}

func (r *requirements) add(path, version string, at lockfile.Position) {
	kind, otherHost := kindOf(version), r.hosts != nil && !listed(r.hosts, host(path))
	r.all = append(r.all, decide.Package{Ecosystem: source.Go, Name: path, Version: version, Kind: kind, Position: at})
	otherPrefix := r.prefixes != nil && !module.MatchPrefixPatterns(strings.Join(r.prefixes, ","), path)
	i := slices.IndexFunc(r.groups, func(g decide.Requirement) bool {
		return g.Kind == kind && g.UnlistedHost == otherHost && g.UnlistedPrefix == otherPrefix
	})
	if i < 0 {
		i = len(r.groups)
		r.groups = append(r.groups, decide.Requirement{ID: fmt.Sprintf("go-%d", i+1), Kind: kind,
			UnlistedHost: otherHost, UnlistedPrefix: otherPrefix, Position: at})
	}
	g := &r.groups[i]
	if g.Count++; g.Count > maxItems {
		return
	}
	subject := source.Plain(path, 200) + "@" + source.Plain(version, 100)
	g.Items = append(g.Items, decide.Item{Subject: subject, At: at})
	if len(g.Examples) < maxExamples {
		g.Examples = append(g.Examples, subject)
	}
}

// notes say which groups are not told whole.
func (r *requirements) notes() (out []string) {
	for _, g := range r.groups {
		if g.Count > len(g.Items) {
			out = append(out, fmt.Sprintf("of %d required modules that are alike (%s), the first %d are told one by one", g.Count, g.Kind, len(g.Items)))
		}
	}
	return out
}

// listed tells whether a host is on a list, where a leading dot takes in all names below a domain.
func listed(list []string, host string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		return entry == host || strings.HasPrefix(entry, ".") && strings.HasSuffix(host, entry)
	})
}

// kindOf says what a version stands for: a release, or a commit that nobody released, or the like.
func kindOf(version string) string {
	switch {
	case module.IsPseudoVersion(version):
		return "pseudo"
	case strings.HasSuffix(version, "+incompatible"):
		return "incompatible"
	case semver.Prerelease(version) != "":
		return "prerelease"
	}
	return "release"
}

// pathList are module paths in the order of their first mention.
type pathList struct {
	order []string
	at    map[string]lockfile.Position
}

func (l *pathList) add(path string, at lockfile.Position) {
	if _, ok := l.at[path]; !ok {
		l.order, l.at[path] = append(l.order, path), at
	}
}

// lookalikes are the paths that can be taken for another one of the list, each of them: which one is meant is not known
// here. A path with other characters than ASCII is none at all (module.CheckPath), whatever it looks like.
func (l *pathList) lookalikes() []decide.Lookalike {
	var out []decide.Lookalike
	byCase, byLook := make(map[string][]int, len(l.order)), make(map[string][]int, len(l.order))
	looks := make([]string, len(l.order))
	for i, p := range l.order {
		folded := strings.ToLower(p)
		looks[i] = source.Skeleton(p)
		byCase[folded], byLook[looks[i]] = append(byCase[folded], i), append(byLook[looks[i]], i)
	}
	for n, p := range l.order {
		found := decide.Lookalike{Module: p, Origin: source.Checkout, Position: l.at[p]}
		other, fault := -1, ""
		if i := strings.IndexFunc(p, func(r rune) bool { return r >= utf8.RuneSelf }); i >= 0 {
			r, _ := utf8.DecodeRuneInString(p[i:])
			found.Kind, found.Fault = "foreign", fmt.Sprintf("is no module path: it holds %U, whatever that looks like", r)
		} else if other = otherOf(byCase[strings.ToLower(p)], n); other >= 0 {
			found.Kind, fault = "case", "differs from %s (%s:%d) in case only"
		} else if other = otherOf(byLook[looks[n]], n); other >= 0 {
			found.Kind, fault = "similar", "can be taken for %s (%s:%d)"
		} else {
			continue
		}
		if other >= 0 {
			found.Other = l.order[other]
			found.Fault = fmt.Sprintf(fault, found.Other, l.at[found.Other].File, l.at[found.Other].Line)
		}
		found.Key = pathKey(p)
		out = append(out, found)
	}
	return out
}

// otherOf is the first of a list that is not n, and -1 where there is none.
func otherOf(list []int, n int) int {
	for _, i := range list {
		if i != n {
			return i
		}
	}
	return -1
}

// pathKey is how another commit knows a module path.
func pathKey(path string) string { return "module " + path }
