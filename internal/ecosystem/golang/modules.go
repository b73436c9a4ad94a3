package golang

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// maxModFile bounds a go.mod and a go.work. The largest of public repositories have some 200 KB; go itself reads 16 MiB.
// What is read of 2 MiB of the worst takes some 700 MB.
const maxModFile = 2 << 20

// maxAbove is how many directories above the checkout are looked at for a go.work, where no .git ends the way earlier.
const maxAbove = 10

// maxJoined bounds the lines of the modules that workspaces join, counted once for each workspace: a module can be used
// by many. 400 modules with 2,000 lines each stay below it, and what it allows takes about a second.
const maxJoined = 1 << 20

// pins are the facts about the checkout's own files.
type pins struct {
	files []string
	// mods and works are how many go.mod and go.work files there are, modules how many module versions all go.sum and
	// go.work.sum files name.
	mods, works, modules int
	// own are the paths of the checkout's modules, required those of what they require and do not replace.
	own, required []string
	replaces      []decide.Replace
	unsummed      []decide.Unsummed
	excludes      []decide.Exclude
	tools         []decide.Tool
	uses          []decide.Use
	debug         []decide.Debug
	directives    []decide.Directive
	vendor        []decide.Vendored
	vendored      []ecosystem.LogLine
	clashes       []decide.Clash
	lookalikes    []decide.Lookalike
	requires      requirements
	// summed are the lines of all go.sum and go.work.sum files.
	summed []sumFile
	wants  []want
	// fetched are the modules that will be downloaded.
	fetched []fetched
}

func (p pins) present() bool { return p.mods+p.works > 0 }

// main is one go.mod of the checkout with the go.sum and the vendor/modules.txt beside it.
type main struct {
	file lockfile.File
	mod  *modfile.File
	// replaced has no version where every version is.
	replaced map[module.Version]bool
	sums     sums
	vendor   *vendorList
	// works are the workspaces that use it.
	works []*workspace
}

// workspace is one go.work. Inside it the go command joins the replacements and sums of all its members, takes the
// members' modules from their directories, and looks at the vendor directory beside it alone.
type workspace struct {
	file     lockfile.File
	work     *modfile.WorkFile
	members  []*main
	replaced map[module.Version]bool
	sums     sums
	vendor   *vendorList
	// missing is a directory that it uses and that is not known here; empty where there is none.
	missing string
}

// replacedBy are the modules that a list replaces.
func replacedBy(list []*modfile.Replace) map[module.Version]bool {
	out := make(map[module.Version]bool, len(list))
	for _, r := range list {
		out[r.Old] = true
	}
	return out
}

// readPins reads all files, and goes on behind one that cannot be understood, so that a user is told of all.
func (v *view) readPins() error {
	var problems []error
	ledger := ledger{versions: map[module.Version]bool{}}
	sums := func(path string) sums {
		file, err := v.co.Read(path, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return sums{}
		}
		var lines []SumLine
		if err == nil {
			v.files = append(v.files, path)
			lines, err = ParseSum(file)
		}
		if err != nil {
			problems = append(problems, err)
		}
		return ledger.add(path, lines)
	}

	mains := map[string]*main{}
	var order []*main
	for _, name := range v.co.Files("go.mod") {
		file, err := v.co.Read(name, maxModFile)
		m := &main{file: file}
		if err == nil {
			v.files = append(v.files, name)
			if m.mod, err = modfile.Parse(name, file.Data, nil); err != nil {
				err = syntaxProblem(file, err)
			}
		}
		v.mods++
		if err != nil {
			problems = append(problems, err)
			continue
		}
		m.vendor, m.replaced = v.readVendored(name).inForce(m.mod.Go, false), replacedBy(m.mod.Replace)
		mains[name], order = m, append(order, m)
		if m.mod.Module != nil {
			v.own = append(v.own, m.mod.Module.Mod.Path)
		}
		v.addReplaces(file, m.mod.Replace)
		v.addDirectives(m)
	}
	for _, name := range v.co.Files("go.sum") {
		have := sums(name)
		if m := mains[path.Join(path.Dir(name), "go.mod")]; m != nil {
			m.sums = have
		}
	}
	joined := 0
	for _, name := range v.co.Files("go.work") {
		v.works++
		file, err := v.co.Read(name, maxModFile)
		var work *modfile.WorkFile
		if err == nil {
			v.files = append(v.files, name)
			if work, err = modfile.ParseWork(name, file.Data, nil); err != nil {
				err = syntaxProblem(file, err)
			}
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		w := &workspace{file: file, work: work, replaced: replacedBy(work.Replace),
			sums: sums(path.Join(path.Dir(name), "go.work.sum")), vendor: v.readVendored(name).inForce(work.Go, true)}
		for _, use := range work.Use {
			m := mains[path.Join(path.Dir(name), use.Path, "go.mod")]
			if m == nil || path.IsAbs(use.Path) {
				w.missing = cmp.Or(w.missing, use.Path)
				v.addUse(file, use)
				continue
			}
			if len(m.works) > 0 && m.works[len(m.works)-1] == w {
				continue
			}
			if joined += 1 + len(m.mod.Require) + len(m.replaced) + len(m.sums); joined > maxJoined {
				problems = append(problems, problem.New(problem.Usage, source.Plain(name, 0), "check a smaller directory",
					"the modules that this and other workspaces join have more than %d lines", maxJoined))
				break
			}
			m.works, w.members = append(m.works, w), append(w.members, m)
			maps.Copy(w.replaced, m.replaced)
			w.sums.join(m.sums)
			if m.mod.Module != nil {
				w.replaced[module.Version{Path: m.mod.Module.Mod.Path}] = true
			}
		}
		v.addReplaces(file, work.Replace)
		v.addDebug(file, work.Godebug)
		v.addLines(file, work.Go, work.Toolchain, work.Godebug, nil)
		v.wants = append(v.wants, wanted(file, work.Go, work.Toolchain))
		v.addVendor(w.vendor, w, w.members)
	}
	read := map[string]bool{}
	for _, f := range ledger.files {
		read[f.path] = true
	}
	for _, name := range v.co.Files("go.work.sum") {
		if !read[name] { // its go.work is not committed
			sums(name)
		}
	}
	v.modules, v.clashes, v.summed = len(ledger.versions), ledger.clashes(), ledger.files
	paths := pathList{at: map[string]lockfile.Position{}}
	v.requires = requirements{hosts: v.m.ModuleHosts, prefixes: v.m.ModulePrefixes}
	for _, m := range order {
		v.addRequired(m, &paths)
		if len(m.works) == 0 {
			v.wants = append(v.wants, wanted(m.file, m.mod.Go, m.mod.Toolchain))
		}
		v.addVendor(m.vendor, nil, []*main{m})
	}
	vendors := map[string]bool{} // by file
	for _, m := range order {
		vendors[m.file.Path], _ = m.vendored(module.Version{})
		for _, w := range m.works {
			vendors[w.file.Path] = w.vendor != nil
		}
	}
	for _, r := range v.replaces {
		if r.Kind == "module" {
			v.requires.add(r.Target, r.TargetVersion, r.Position)
			paths.add(r.Target, r.Position)
			v.fetched = append(v.fetched, fetched{module.Version{Path: r.Target, Version: r.TargetVersion}, r.Position, vendors[r.File]})
		}
	}
	v.lookalikes = paths.lookalikes()
	v.notes = append(v.notes, v.requires.notes()...)
	if above := v.workspaceAbove(); above != "" && len(v.unsummed) > 0 {
		v.notes = append(v.notes, fmt.Sprintf("%d of the required modules have no line in go.sum here, which was not judged: %s has a go.work, whose go.work.sum may hold them; check that directory", len(v.unsummed), above))
		v.unsummed = nil
	}
	slices.Sort(v.required)
	v.required = slices.Compact(v.required)
	return errors.Join(problems...)
}

// workspaceAbove is the way from the checkout to the nearest directory above it, within the same repository, that has a
// go.work ("../.."); empty where there is none, or a go.work in the checkout. Only names are looked at, nothing is read.
func (v *view) workspaceAbove() string {
	if v.works > 0 {
		return ""
	}
	dir, way := v.co.Dir(), ""
	for range maxAbove {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			break
		}
		dir, way = filepath.Dir(dir), path.Join(way, "..")
		if info, err := os.Lstat(filepath.Join(dir, "go.work")); err == nil && !info.IsDir() {
			return way
		}
	}
	return ""
}

// position turns a place of modfile into ours: lines and byte columns from 1.
func position(file lockfile.File, p modfile.Position) lockfile.Position {
	if p.Line == 0 || p.Byte > len(file.Data) {
		return lockfile.Position{File: file.Path}
	}
	return lockfile.Position{File: file.Path, Line: p.Line, Column: p.Byte - bytes.LastIndexByte(file.Data[:p.Byte], '\n')}
}

// syntaxProblem words what modfile objects to. modfile quotes the file, which must not happen for a linked one.
func syntaxProblem(file lockfile.File, err error) error {
	kind := path.Base(file.Path)
	p := &problem.Problem{Code: problem.Usage, Op: source.Plain(file.Path, 0), Err: fmt.Errorf("cannot be read as a %s file", kind),
		Hint: fmt.Sprintf("mend the line, or restore the file from a commit that builds (https://go.dev/ref/mod#%s-file)", strings.ReplaceAll(kind, ".", "-"))}
	var list modfile.ErrorList
	if !errors.As(err, &list) || len(list) == 0 {
		return p
	}
	first := list[0]
	if at := position(file, first.Pos); at.Line > 0 {
		p.Op = fmt.Sprintf("%s:%d:%d", p.Op, at.Line, at.Column)
		if lines := bytes.SplitN(file.Data, []byte("\n"), at.Line+1); !file.Linked && at.Line <= len(lines) {
			p.Excerpt = source.Plain(source.Redact(strings.TrimRight(string(lines[at.Line-1]), "\r")), 200)
		}
	}
	if !file.Linked {
		first.Filename, first.Pos = "", modfile.Position{}
		p.Err = fmt.Errorf("%s", source.Plain(source.Redact(first.Error()), 300))
		if more := len(list) - 1; more > 0 {
			p.Err = fmt.Errorf("%w (and %d more)", p.Err, more)
		}
	}
	return p
}

func (v *view) addReplaces(file lockfile.File, list []*modfile.Replace) {
	for _, r := range list {
		d := replacement(file, r)
		if d.Kind == "local" && !d.Outside && v.escapes(file, d.Target) {
			d.Outside, d.Key = true, d.Key+linked
		}
		v.replaces = append(v.replaces, d)
	}
}

// linked ends the key of what a link leads out of the checkout: no commit knows what the link of today leads to.
const linked = " through a link"

// escapes tells whether a link on the way to a local path, which by its text lies in the checkout, leads out of it.
func (v *view) escapes(file lockfile.File, local string) bool {
	return v.co.Escapes(path.Join(path.Dir(file.Path), strings.ReplaceAll(local, `\`, "/")))
}

// replacement is one replace directive. A local path is judged by its text alone.
func replacement(file lockfile.File, r *modfile.Replace) decide.Replace {
	out := decide.Replace{Module: r.Old.Path, Version: r.Old.Version, Target: r.New.Path, TargetVersion: r.New.Version,
		Kind: "module", Origin: source.Checkout, Position: lockfile.Position{File: file.Path}}
	if r.Syntax != nil {
		out.Position = position(file, r.Syntax.Start)
	}
	named := func(m module.Version) string {
		if m.Version == "" {
			return modfile.AutoQuote(m.Path)
		}
		return modfile.AutoQuote(m.Path) + "@" + m.Version
	}
	out.Key = fmt.Sprintf("replace %s %s => %s", modfile.AutoQuote(file.Path), named(r.Old), named(r.New))
	if r.New.Version == "" && modfile.IsDirectoryPath(r.New.Path) {
		out.Kind, out.Outside = "local", outside(file, r.New.Path)
		return out
	}
	out.Host = host(r.New.Path)
	out.Foreign = out.Host != host(r.Old.Path) || second(r.New.Path) != second(r.Old.Path)
	return out
}

// outside tells whether a local path in a file leads out of the checkout.
func outside(file lockfile.File, local string) bool {
	local = strings.ReplaceAll(local, `\`, "/")
	joined := path.Join(path.Dir(file.Path), local)
	return path.IsAbs(local) || len(local) > 1 && local[1] == ':' || joined == ".." || strings.HasPrefix(joined, "../")
}

// host is the canonical host that a module path begins with; its first element as written where that is no host.
func host(modulePath string) string {
	first, _, _ := strings.Cut(modulePath, "/")
	if loc, err := source.Locate("https://" + first); err == nil {
		return loc.HostPort()
	}
	return first
}

// second is the second element of a module path, at most hosts the owner.
func second(modulePath string) string {
	_, rest, _ := strings.Cut(modulePath, "/")
	owner, _, _ := strings.Cut(rest, "/")
	return owner
}

// addRequired takes in the requirements of one module, and finds those that are not vendored and that no go.sum line
// covers. Every required version has at least the line of its go.mod (https://go.dev/ref/mod#go-sum-files). Within a
// workspace the files of all members count, as for the go command.
func (v *view) addRequired(m *main, paths *pathList) {
	for _, r := range m.mod.Require {
		at := position(m.file, r.Syntax.Start)
		paths.add(r.Mod.Path, at)
		every := module.Version{Path: r.Mod.Path}
		replaced := m.replaced[r.Mod] || m.replaced[every]
		summed := m.sums[r.Mod]
		allVendored, vendored := m.vendored(r.Mod)
		for _, w := range m.works {
			replaced = replaced || w.replaced[r.Mod] || w.replaced[every]
			summed |= w.sums[r.Mod]
		}
		if replaced {
			continue
		}
		v.required = append(v.required, r.Mod.Path)
		v.requires.add(r.Mod.Path, r.Mod.Version, at)
		v.fetched = append(v.fetched, fetched{r.Mod, at, allVendored})
		if !vendored && summed&modHashed == 0 {
			missing := "all"
			if summed != 0 {
				missing = "gomod"
			}
			v.unsummed = append(v.unsummed, decide.Unsummed{Module: r.Mod.Path, Version: r.Mod.Version, Missing: missing,
				Sum: path.Join(path.Dir(m.file.Path), "go.sum"), Position: at})
		}
	}
}

// Hosts are the names by which a checkout, as some commit has it, knows what its files name: the Key of every directive
// (see decide.Go.Originate), and the canonical hosts that replace directives lead to. A file that cannot be read or
// understood names nothing. The error is always nil.
func Hosts(co *lockfile.Checkout) (map[string]bool, error) {
	names := map[string]bool{}
	for _, name := range append(co.Files("go.mod"), co.Files("go.work")...) {
		file, err := co.Read(name, maxModFile)
		if err != nil {
			continue
		}
		var list []*modfile.Replace
		if path.Base(name) == "go.mod" {
			if mod, err := modfile.Parse(name, file.Data, nil); err == nil {
				list = mod.Replace
				for _, r := range mod.Require {
					names[pathKey(r.Mod.Path)] = true
				}
				for _, t := range mod.Tool {
					names[toolKey(file, t)] = true
				}
			}
		} else if work, err := modfile.ParseWork(name, file.Data, nil); err == nil {
			list = work.Replace
			for _, u := range work.Use {
				names[useKey(file, u)] = true
			}
		}
		for _, r := range list {
			d := replacement(file, r)
			names[d.Key] = true
			if d.Kind == "module" {
				names[d.Host], names[pathKey(d.Target)] = true, true
			}
		}
	}
	return names, nil
}
