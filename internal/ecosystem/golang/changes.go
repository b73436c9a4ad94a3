package golang

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/source"
)

// changes are the variables that put a choice into force, and those that mend what needs no choice. What is in force
// already is not among them, so that a second run with their values changes nothing.
func (v *view) changes(c choose.Choice) []inject.Change {
	var out []inject.Change
	if v.m.RepoOnly {
		return nil
	}
	set := func(name, value, why string) {
		out = append(out, inject.Change{Kind: "env", Ecosystem: source.Go, Name: name, Value: value, Shown: source.Redact(value), Why: why})
	}

	if !c.Kept && len(c.Sources) > 0 {
		var list []string
		for _, p := range c.Sources {
			list = append(list, trimBase(p.URL))
		}
		if c.GoDirect {
			list = append(list, "direct")
		}
		// a comma: behind "|" the go command would go on after a tampered answer
		value := strings.Join(list, ",")
		if renderProxies(parseProxies(v.set.get("GOPROXY").value, v.m.OS)) != value {
			set("GOPROXY", value, cmp.Or(c.Why, "what is in force did not answer as it should"))
		}
	}

	db := parseSumDB(v.set.get("GOSUMDB").value, v.m.SumDBKeys)
	wanted, why := db, "the checksum database answers neither through the chosen sources nor at its own host"
	if !db.sound() {
		wanted, why = parseSumDB("", nil), "the checksum database was "+map[string]string{on: "one whose key nobody vouches for", off: "off", invalid: "set to what go cannot use"}[db.mode]+", and the genuine one answers"
	}
	reached := c.SumDBReached
	if db.mode == off && !c.Kept { // a choice that did not ask for the database takes it for reached
		reached = slices.ContainsFunc(c.Sources, func(p choose.Picked) bool { return p.ChecksumDB })
	}
	if wanted.url = cmp.Or(trimBase(c.SumDB), wanted.url); wanted != db && (reached || c.SumDB != "") {
		set("GOSUMDB", wanted.setting(wanted.url), why)
	}

	for _, name := range [...]string{"GOPRIVATE", "GONOPROXY", "GONOSUMDB"} {
		old := v.set.get(name).value
		value, why := normalPatterns(old), "white space kept a pattern from matching, so that private names would go to public services"
		if c.Diverted && (old != "" || name == "GOPRIVATE") {
			if more := v.ownPrefixes(value); len(more) > 0 {
				value, why = addPatterns(value, more...), "public sources now stand in for your own, and your modules' names must not be asked there"
			}
		}
		if value != old {
			set(name, value, why)
		}
	}
	if v.set.get("GO111MODULE").value == off && v.present() {
		set("GO111MODULE", on, "with off the go command reads neither go.mod nor go.sum")
	}
	return out
}

// ownPrefixes are the patterns that the checkout's own modules need and that a list does not cover: host and owner at a
// forge, else the host, and the module alone where that would take in public modules. A path with other characters than
// a module's is passed over: go.mod may be a stranger's, and "a.example,*" would switch the checksum database off.
func (v *view) ownPrefixes(patterns string) []string {
	var out []string
	have := map[string]bool{} // no list of patterns, which would be walked for every module
	covered := func(own string) bool {
		for p := own; p != "."; p = path.Dir(p) {
			if have[p] {
				return true
			}
		}
		return module.MatchPrefixPatterns(patterns, own)
	}
	for _, own := range v.own {
		first, rest, _ := strings.Cut(own, "/")
		if module.CheckPath(own) != nil || covered(own) {
			continue
		}
		prefix := first
		if owner, _, _ := strings.Cut(rest, "/"); owner != "" && slices.Contains(forges[:], first) {
			prefix += "/" + owner
		}
		if broad(prefix) {
			prefix = own
		}
		out, have[prefix] = append(out, prefix), true
	}
	return out
}
