package golang

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// log is what go.sum files say, and who is asked about it. Where the database in force is off, has a key that nobody vouches
// for, or is not known, the genuine log is the one that could prove them; whether it is asked is the user's to say.
func (v *view) log() *ecosystem.Log {
	n := 0
	for _, f := range v.summed {
		n += len(f.lines)
	}
	if n == 0 {
		return nil
	}
	set := v.set.get("GOSUMDB")
	db := parseSumDB(set.value, v.m.SumDBKeys)
	hidden := v.privateSetting()
	l := &ecosystem.Log{Key: db.key, Private: v.private, Vendored: v.vendored, Cached: v.cached(), Lines: make([]ecosystem.LogLine, 0, n)}
	switch {
	case v.m.RepoOnly:
		l.Off = "which modules are private is a setting of the machine, and those are left out"
	case hidden.origin == source.Checkout:
		l.Off = hidden.name + " is set by a file of the checkout, " + source.Plain(hidden.from, 200)
	case db.mode == off:
		l.Off = "GOSUMDB=off (" + source.Plain(cmp.Or(set.from, set.origin), 200) + ")"
	case !db.sound():
		l.Off = "GOSUMDB names no checksum database that anybody vouches for"
	}
	if !db.sound() {
		l.Key = defaultKey
	}
	l.Public = l.Key == defaultKey
	for _, f := range v.summed {
		for _, line := range f.lines {
			l.Lines = append(l.Lines, ecosystem.LogLine{Line: line.logLine(), At: lockfile.Position{File: f.path, Line: line.Line, Column: line.Column}})
		}
	}
	return l
}

// privateSetting is the setting that says which modules are private.
func (v *view) privateSetting() setting {
	if s := v.set.get("GONOSUMDB"); s.value != "" {
		return s
	}
	return v.set.get("GOPRIVATE")
}

// private tells which module paths are told nobody: those of GONOSUMDB or GOPRIVATE, and, since many forget to set these,
// those that belong to the owner of the repository or of the checkout's own modules, unless the configuration calls them
// public. Where it is known the base commit says which modules these are: a change that calls its module by a stranger's
// name would hide the stranger's lines. A setting of the checkout's own hides nothing; nobody is asked then (see Off).
func (v *view) private(base *lockfile.Checkout) func(string) bool {
	set, assumed := v.privateSetting(), v.owners(base)
	if set.origin == source.Checkout {
		set.value = ""
	}
	named := patterns(set.value)
	return func(path string) bool { return module.MatchPrefixPatterns(named, path) || assumed(path) }
}

// owners tells which module paths belong to the owner of the repository or of the checkout's own modules, and are not called
// public. What belongs to nobody in particular is not believed to be his. The case of letters makes no difference: to most
// forges it makes none.
func (v *view) owners(base *lockfile.Checkout) func(string) bool {
	paths := v.own
	if base != nil {
		paths = own(base)
	}
	prefixes := map[string]bool{}
	for _, path := range append(slices.Clone(paths), v.m.Owner) {
		path = strings.ToLower(path)
		if slices.Contains(forges[:], host(path)) && second(path) != "" {
			path = host(path) + "/" + second(path)
		}
		if path != "" && !strings.ContainsAny(path, `*?[\,`) && !broad(path) {
			prefixes[path] = true
		}
	}
	assumed, public := strings.Join(slices.Sorted(maps.Keys(prefixes)), ","), strings.Join(v.m.Public, ",")
	return func(path string) bool {
		return module.MatchPrefixPatterns(assumed, strings.ToLower(path)) && !module.MatchPrefixPatterns(public, path)
	}
}

// own are the paths of a checkout's modules. A file that cannot be understood is passed over.
func own(co *lockfile.Checkout) []string {
	var out []string
	for _, name := range co.Files("go.mod") {
		if file, err := co.Read(name, maxModFile); err == nil {
			if path := modfile.ModulePath(file.Data); path != "" {
				out = append(out, path)
			}
		}
	}
	return out
}

// LogLines are the lines of all go.sum and go.work.sum files of a checkout, as some commit has it. A file that cannot be
// understood is passed over.
func LogLines(co *lockfile.Checkout) (out []checksumdb.Line) {
	for _, name := range append(co.Files("go.sum"), co.Files("go.work.sum")...) {
		file, err := co.Read(name, 0)
		if err != nil {
			continue
		}
		lines, err := ParseSum(file)
		if err != nil {
			continue
		}
		for _, l := range lines {
			out = append(out, l.logLine())
		}
	}
	return out
}

// logLine is a line as the log knows it.
func (l SumLine) logLine() checksumdb.Line {
	version := l.Version
	if l.GoMod {
		version += "/go.mod"
	}
	return checksumdb.Line{Module: l.Module, Version: version, Hash: l.Hash}
}
