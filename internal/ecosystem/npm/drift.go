package npm

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// berry tells a lock file of yarn 2 and later.
func (l *lockFile) berry() bool { return l.manager == "yarn" && l.Version != "" && l.Version != "1" }

// pinned finds the package.json files that a lock file pins: those that it says it was made from, the one beside it, and
// those of its workspaces, which are among those below.
func pinned(lock *lockFile, byDir map[string]*project, below []*project) {
	dir := path.Dir(lock.file)
	of := &pinning{lockFile: lock, members: map[string]bool{}, replaced: map[string]bool{}}
	add := func(p *project, wants map[string]string) {
		of.members[p.name] = true
		p.pins = append(p.pins, known{of, wants})
	}
	var patterns []string
	if top := byDir[dir]; top != nil {
		of.top = top.packageJSON
		patterns = directories(of.top.workspaces)
		for _, w := range of.top.overrides {
			of.replaced[w.target()] = true
		}
	}
	told := map[string]bool{}
	for _, root := range lock.Roots {
		at := path.Join(dir, root.Dir)
		if p := byDir[at]; p != nil && !told[at] {
			add(p, root.Wants)
		}
		told[at] = true
	}
	if lock.manager == "pnpm" {
		return // it tells of all, and the rest is another's
	}
	if lock.manager == "yarn" && !lock.berry() && lock.Asked == nil {
		lock.Asked = map[string]bool{} // the empty file
	}
	var wants map[string]string
	if lock.Asked == nil && !(lock.manager == "npm" && lock.Version == "1") {
		wants = map[string]string{} // what it does not name it does not pin
	}
	for _, p := range below {
		if !told[p.dir] && (p.dir == dir || inWorkspace(patterns, dir, p.dir)) {
			add(p, wants)
		}
	}
}

// directories are the patterns of workspaces, with their braces written out; those that take away begin with "!".
func directories(workspaces []string) (out []string) {
	for _, text := range workspaces {
		text, not := strings.CutPrefix(text, "!")
		if len(text) > maxPattern {
			continue
		}
		for _, p := range braces(strings.Trim(strings.TrimPrefix(text, "./"), "/"), 0) {
			if len(out) == maxWorkspaces {
				return out
			}
			if not {
				p = "!" + p
			}
			out = append(out, p)
		}
	}
	return out
}

// inWorkspace tells whether a directory below another is one that patterns take in.
func inWorkspace(patterns []string, from, dir string) (found bool) {
	if from != "." {
		dir = strings.TrimPrefix(dir, from+"/")
	}
	parts := strings.Split(dir, "/")
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		if found == not && matchDir(strings.Split(p, "/"), parts) {
			found = !not
		}
	}
	return found
}

// maxWorkspaces bounds the patterns that are looked at, and maxPattern the length of each.
const (
	maxWorkspaces = 100
	maxPattern    = 300
)

// braces writes out {a,b}, up to a few.
func braces(pattern string, depth int) []string {
	open := strings.IndexByte(pattern, '{')
	end := strings.IndexByte(pattern[max(open, 0):], '}')
	if open < 0 || end < 0 || depth > 3 {
		return []string{pattern}
	}
	var out []string
	for one := range strings.SplitSeq(pattern[open+1:open+end], ",") {
		if len(out) < maxWorkspaces {
			out = append(out, braces(pattern[:open]+one+pattern[open+end+1:], depth+1)...)
		}
	}
	return out
}

// matchDir matches the parts of a path; ** stands for any number of them.
func matchDir(pattern, dir []string) bool {
	// which beginnings of dir the pattern so far takes in
	reach := make([]bool, len(dir)+1)
	reach[0] = true
	for _, p := range pattern {
		next := make([]bool, len(dir)+1)
		for i := range reach {
			switch {
			case p == "**":
				next[i] = reach[i] || i > 0 && next[i-1]
			case i > 0 && reach[i-1]:
				next[i], _ = path.Match(p, dir[i-1]) // a bad pattern matches nothing
			}
		}
		reach = next
	}
	return reach[len(dir)]
}

// has tells whether the lock file has an answer to a requirement, or may have one.
func (x known) has(w want) bool {
	if x.Asked != nil {
		return x.Asked[w.name+"@"+w.text] || x.Asked[w.name+"@"+strings.TrimSpace(w.text)]
	}
	if x.wants == nil {
		return true
	}
	locked, ok := x.wants[w.name]
	return ok && sameRange(locked, w.text)
}

// sameRange compares two requirements as far as tools write them in another way.
func sameRange(a, b string) bool {
	return a == b || strings.Join(strings.Fields(bareRange(strings.TrimSpace(a))), " ") == strings.Join(strings.Fields(bareRange(strings.TrimSpace(b))), " ")
}

// drifts tells of requirements that a lock file does not have, or has otherwise. What the tool itself changes on the way
// into its lock file is left out, and so is whatever might be that.
func (p *project) drifts(f *manifestFacts, co *lockfile.Checkout) {
	for _, x := range p.pins {
		fits := func(w want) bool { return x.has(w) || x.leavesOut(w) }
		if !slices.ContainsFunc(p.wants, func(w want) bool { return !fits(w) }) {
			continue
		}
		var found []decide.Drift
		last := map[string]int{} // of several requirements of one name the tool takes one
		fine := map[string]bool{}
		for i, w := range p.wants {
			if last[w.name] = i; fits(w) {
				fine[w.name] = true
			}
		}
		for i, w := range p.wants {
			if fine[w.name] || last[w.name] != i || x.overridden(w.name) {
				continue
			}
			locked, ok := x.wants[w.name]
			if ok && toolsOwn(w.text) {
				continue
			}
			d := decide.Drift{Name: p.shown(w.name), Wanted: p.shown(w.text), Lock: source.Plain(x.file, 200), Origin: source.Checkout, Position: w.at,
				Key: strings.Join([]string{"drift", x.file, p.file, w.name, w.text}, " ")}
			if ok {
				d.Locked = p.shown(locked)
			}
			found = append(found, d)
		}
		if len(found) > 0 && (x.manager != "pnpm" || !hooked(co, path.Dir(x.file))) {
			f.drifts = append(f.drifts, found...)
		}
	}
}

// leavesOut tells of requirements that the tool may not note: peers by yarn 1 and, with auto-install-peers off, by pnpm, and
// optional ones that pnpm is told to ignore.
func (x known) leavesOut(w want) bool {
	return w.setting == "peerDependencies" && (x.Asked != nil || x.manager == "pnpm") ||
		w.setting == "optionalDependencies" && x.manager == "pnpm"
}

// overridden tells whether the lock file has something else for a name on the word of the root: pnpm and yarn 1 write down
// what overrides make of a requirement, and yarn 1 does not write down workspaces.
func (x known) overridden(name string) bool {
	return (x.Asked != nil || x.manager == "pnpm") && x.replaced[name] || x.Asked != nil && x.members[name]
}

// toolsOwn tells of requirements by which a tool finds packages in its own way, and which it may write down otherwise.
func toolsOwn(text string) bool {
	protocol, _, ok := strings.Cut(strings.TrimSpace(text), ":")
	return ok && slices.Contains([]string{"workspace", "catalog", "link", "portal", "file", "patch", "exec"}, protocol)
}

// hooked tells whether code of the checkout may have changed a requirement on its way into pnpm's lock file.
func hooked(co *lockfile.Checkout, dir string) bool {
	for _, hook := range []string{".pnpmfile.cjs", ".pnpmfile.mjs", "pnpmfile.js"} {
		if _, err := co.Read(path.Join(dir, hook), 0); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	file, err := co.Read(path.Join(dir, workspaceName), maxHand)
	text := string(file.Data)
	return err == nil && (strings.Contains(text, "pnpmfile") || strings.Contains(text, "configDependencies"))
}
