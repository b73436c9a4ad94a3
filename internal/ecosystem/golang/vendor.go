package golang

import (
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// maxVendorFile bounds a vendor/modules.txt, which names every package. Kubernetes' has 100 KB.
const maxVendorFile = 4 << 20

// vendorFile is the list of what a vendor directory holds.
const vendorFile = "vendor/modules.txt"

// vendorList is such a list.
type vendorList struct {
	file lockfile.File
	// workspace is true for the list of go work vendor.
	workspace bool
	modules   map[module.Version]*vendoredModule
	order     []module.Version
}

type vendoredModule struct {
	// explicit: go.mod requires it. packages: some of its packages are vendored.
	explicit, packages bool
	// replacement is zero where there is none.
	replacement module.Version
	line        int
}

// has tells whether a version is listed. The go command takes its packages from the vendor directory, and needs no line
// in go.sum for it.
func (l *vendorList) has(m module.Version) bool { return l != nil && l.modules[m] != nil }

// inForce is the list where the go command goes by it, and nil elsewhere: not where the go line is of a version before
// 1.14, nor a list of the other kind.
func (l *vendorList) inForce(goLine *modfile.Go, workspace bool) *vendorList {
	if l == nil || l.workspace != workspace || goLine == nil || version.Compare("go"+goLine.Version, "go1.14") < 0 {
		return nil
	}
	return l
}

// vendored tells whether the go command takes all modules that it needs for a module from a vendor directory, and whether
// one of them is listed there. In a workspace the one beside go.work counts, whatever the module has.
func (m *main) vendored(r module.Version) (all, listed bool) {
	if len(m.works) == 0 {
		return m.vendor != nil, m.vendor.has(r)
	}
	all, listed = true, true
	for _, w := range m.works {
		all, listed = all && w.vendor != nil, listed && w.vendor.has(r)
	}
	return all, listed
}

// readVendored reads the list in the vendor directory beside a go.mod or go.work; nil where there is none, and with a
// note where it cannot be read.
func (v *view) readVendored(beside string) *vendorList {
	name := path.Join(path.Dir(beside), vendorFile)
	file, err := v.co.Read(name, maxVendorFile)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			v.notes = append(v.notes, fmt.Sprintf("vendored modules are not known: %s", source.Plain(err.Error(), 300)))
		}
		return nil
	}
	v.files = append(v.files, name)
	return parseVendor(file)
}

// parseVendor reads a list as the go command does (go 1.26, modload.readVendorList), which passes over what it does not
// understand: "# path version", "# path version => replacement", "# path => replacement", then "## explicit; go 1.26" and
// the packages.
func parseVendor(file lockfile.File) *vendorList {
	l := &vendorList{file: file, modules: map[module.Version]*vendoredModule{}}
	var current *vendoredModule
	n := 0
	for line := range strings.Lines(string(file.Data)) {
		n++
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "# "):
			if len(f) < 3 {
				continue
			}
			m := module.Version{Path: f[1]}
			if rest := f[2:]; semver.IsValid(f[2]) {
				m.Version, f = f[2], rest[1:]
			} else if f[2] == "=>" {
				f = rest
			} else {
				current = nil
				continue
			}
			if current = l.modules[m]; current == nil {
				current = &vendoredModule{line: n}
				l.modules[m], l.order = current, append(l.order, m)
			}
			if len(f) == 2 && f[0] == "=>" {
				current.replacement = module.Version{Path: f[1]}
			} else if len(f) == 3 && f[0] == "=>" && semver.IsValid(f[2]) {
				current.replacement = module.Version{Path: f[1], Version: f[2]}
			}
		case strings.HasPrefix(line, "## "):
			for entry := range strings.SplitSeq(line[3:], ";") {
				switch strings.TrimSpace(entry) {
				case "workspace":
					l.workspace = l.workspace || n == 1
				case "explicit":
					if current != nil {
						current.explicit = true
					}
				}
			}
		case current != nil && len(f) == 1 && module.CheckImportPath(f[0]) == nil:
			current.packages = true
		}
	}
	return l
}

// addVendor compares a list with the go.mod files that it was made of, as the go command does before it builds from a
// vendor directory (go 1.26, modload.checkVendorConsistency), and asks more: the go command never compares what is
// vendored with go.sum, so a module without a line there can hold anything. w is nil outside a workspace. A list that the
// go command would not use is not judged: of a version before 1.14, or of the other kind.
func (v *view) addVendor(l *vendorList, w *workspace, mods []*main) {
	if l == nil {
		return
	}
	if w != nil {
		if w.missing != "" {
			v.notes = append(v.notes, fmt.Sprintf("%s was not compared with the workspace: it uses %s, which has no go.mod here",
				source.Plain(l.file.Path, 200), source.Plain(w.missing, 200)))
			return
		}
	}
	c := vendorCheck{vendorList: l, required: map[module.Version]bool{}, own: map[string]bool{},
		replaces: map[module.Version]module.Version{}, told: map[module.Version]bool{}, sums: sums{}}
	c.gather(mods, w)
	for _, m := range mods {
		for _, r := range m.mod.Require {
			if d := l.modules[r.Mod]; d == nil || !d.explicit {
				c.at(position(m.file, r.Syntax.Start), r.Mod, "is required, and vendor/modules.txt does not list it as explicit")
			}
		}
		c.compare(m.file, m.mod.Replace)
	}
	if w != nil {
		c.compare(w.file, w.work.Replace)
	}
	for _, m := range l.order {
		c.judge(m, l.modules[m])
	}
	v.vendor, v.vendored = append(v.vendor, c.found...), append(v.vendored, c.held...)
}

// vendorCheck is one comparison under way.
type vendorCheck struct {
	*vendorList
	required map[module.Version]bool
	own      map[string]bool
	// replaces are the replacements in force, local ones relative to the directory of the list's go.mod or go.work.
	replaces map[module.Version]module.Version
	told     map[module.Version]bool
	sums     sums
	found    []decide.Vendored
	// held are the modules that the directory has packages of.
	held []ecosystem.LogLine
}

func (c *vendorCheck) gather(mods []*main, w *workspace) {
	for _, m := range mods {
		if m.mod.Module != nil {
			c.own[m.mod.Module.Mod.Path] = true
		}
		for _, r := range m.mod.Require {
			c.required[r.Mod] = true
		}
		for _, r := range m.mod.Replace {
			to := r.New
			if w != nil && to.Version == "" && !path.IsAbs(to.Path) {
				to.Path = below(path.Dir(w.file.Path), path.Join(path.Dir(m.file.Path), to.Path))
			}
			c.replaces[r.Old] = to
		}
		c.sums.join(m.sums)
	}
	if w != nil {
		for _, r := range w.work.Replace {
			c.replaces[r.Old] = r.New
		}
		c.sums.join(w.sums)
	}
}

// below is name relative to dir, both relative to the checkout, as the go command writes it: with ./ or ../ in front.
func below(dir, name string) string {
	rel, err := filepath.Rel(filepath.FromSlash(dir), filepath.FromSlash(name))
	if err != nil {
		return name
	}
	if rel = filepath.ToSlash(rel); modfile.IsDirectoryPath(rel) {
		return rel
	}
	return "./" + rel
}

// replacement is what stands for a module; zero where nothing does.
func (c *vendorCheck) replacement(m module.Version) module.Version {
	if c.own[m.Path] && m.Version == "" {
		return module.Version{}
	}
	if to, ok := c.replaces[m]; ok {
		return to
	}
	return c.replaces[module.Version{Path: m.Path}]
}

func (c *vendorCheck) compare(file lockfile.File, list []*modfile.Replace) {
	for _, r := range list {
		to := c.replacement(r.Old)
		if c.told[r.Old] || to == (module.Version{}) {
			continue
		}
		c.told[r.Old] = true
		at := position(file, r.Syntax.Start)
		switch d := c.modules[r.Old]; {
		case d == nil || d.replacement == (module.Version{}):
			c.at(at, r.Old, "is replaced, and vendor/modules.txt does not say so")
		case d.replacement != to && c.file.Linked:
			c.at(at, r.Old, "is replaced by another module than in vendor/modules.txt")
		case d.replacement != to:
			c.at(at, r.Old, fmt.Sprintf("is replaced by %s, and in vendor/modules.txt by %s", spelled(to), spelled(d.replacement)))
		}
	}
}

// judge looks at one module of the list itself.
func (c *vendorCheck) judge(m module.Version, d *vendoredModule) {
	none := module.Version{}
	at, shown, to := lockfile.Position{File: c.file.Path, Line: d.line, Column: len("# ") + 1}, m, c.replacement(m)
	if c.file.Linked {
		shown = module.Version{Path: "a module"}
	}
	if d.replacement != none && to == none {
		c.at(at, shown, "is listed as replaced, and nothing replaces it")
		return
	}
	if !d.packages {
		return
	}
	if d.explicit && !c.required[m] {
		c.at(at, shown, "is listed as explicit, and no go.mod requires it")
	}
	if to == none {
		to = m
	}
	if to.Version != "" {
		c.held = append(c.held, ecosystem.LogLine{Line: checksumdb.Line{Module: to.Path, Version: to.Version}, At: at})
	}
	if to.Version != "" && c.sums[to]&zipHashed == 0 {
		c.at(at, shown, "is vendored, and no go.sum has a hash of it, so that nothing tells what it should hold")
	}
}

func (c *vendorCheck) at(at lockfile.Position, m module.Version, fault string) {
	c.found = append(c.found, decide.Vendored{Module: spelled(m), Fault: fault, Position: at})
}

// spelled is path@version, and the path alone where there is no version.
func spelled(m module.Version) string {
	if m.Version == "" {
		return m.Path
	}
	return m.Path + "@" + m.Version
}
