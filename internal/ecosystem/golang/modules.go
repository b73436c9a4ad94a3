package golang

import (
	"bytes"
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
	"golang.org/x/mod/semver"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// maxModFile bounds a go.mod and a go.work. The largest of public repositories have some 200 KB; go itself reads 16 MiB.
// A vendor/modules.txt has the same bound.
const maxModFile = 4 << 20

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
}

func (p pins) present() bool { return p.mods+p.works > 0 }

// main is one go.mod of the checkout with the go.sum and the vendor/modules.txt beside it.
type main struct {
	file lockfile.File
	mod  *modfile.File
	// replaced has no version where every version is.
	replaced, sums, vendored map[module.Version]bool
	// works are the workspaces that use it.
	works []*workspace
}

// workspace is one go.work. Inside it the go command joins the replacements and sums of all its members, takes the
// members' modules from their directories, and looks at the vendor directory beside it alone.
type workspace struct{ replaced, sums, vendored map[module.Version]bool }

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
	versions := map[module.Version]bool{}
	sums := func(path string) map[module.Version]bool {
		file, err := v.co.Read(path, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return map[module.Version]bool{}
		}
		var lines []SumLine
		if err == nil {
			v.files = append(v.files, path)
			lines, err = ParseSum(file)
		}
		if err != nil {
			problems = append(problems, err)
		}
		have := make(map[module.Version]bool, len(lines)/2)
		for _, l := range lines {
			m := module.Version{Path: l.Module, Version: l.Version}
			have[m], versions[m] = true, true
		}
		return have
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
		m.vendored, m.replaced = v.readVendored(name), replacedBy(m.mod.Replace)
		mains[name], order = m, append(order, m)
		if m.mod.Module != nil {
			v.own = append(v.own, m.mod.Module.Mod.Path)
		}
		v.addReplaces(file, m.mod.Replace)
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
		w := &workspace{replaced: replacedBy(work.Replace), sums: sums(path.Join(path.Dir(name), "go.work.sum")), vendored: v.readVendored(name)}
		for _, use := range work.Use {
			m := mains[path.Join(path.Dir(name), use.Path, "go.mod")]
			if m == nil || path.IsAbs(use.Path) || len(m.works) > 0 && m.works[len(m.works)-1] == w {
				continue
			}
			if joined += 1 + len(m.mod.Require) + len(m.replaced) + len(m.sums); joined > maxJoined {
				problems = append(problems, problem.New(problem.Usage, source.Plain(name, 0), "check a smaller directory",
					"the modules that this and other workspaces join have more than %d lines", maxJoined))
				break
			}
			m.works = append(m.works, w)
			maps.Copy(w.replaced, m.replaced)
			maps.Copy(w.sums, m.sums)
			if m.mod.Module != nil {
				w.replaced[module.Version{Path: m.mod.Module.Mod.Path}] = true
			}
		}
		v.addReplaces(file, work.Replace)
	}
	v.modules = len(versions)
	for _, m := range order {
		v.addUnsummed(m)
	}
	if above := v.workspaceAbove(); above != "" && len(v.unsummed) > 0 {
		v.notes = append(v.notes, fmt.Sprintf("%d of the required modules have no line in go.sum here, which was not judged: %s has a go.work, whose go.work.sum may hold them; check that directory", len(v.unsummed), above))
		v.unsummed = nil
	}
	slices.Sort(v.required)
	v.required = slices.Compact(v.required)
	return errors.Join(problems...)
}

// readVendored is what the vendor directory beside a go.mod or go.work lists; nil where there is none, and with a note
// where its list cannot be read.
func (v *view) readVendored(beside string) map[module.Version]bool {
	name := path.Join(path.Dir(beside), "vendor/modules.txt")
	file, err := v.co.Read(name, maxModFile)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			v.notes = append(v.notes, fmt.Sprintf("vendored modules are not known: %s", source.Plain(err.Error(), 300)))
		}
		return nil
	}
	v.files = append(v.files, name)
	return vendored(file.Data)
}

// vendored reads the modules of a vendor/modules.txt, "# path version" (go 1.26, modload.readVendorList). The go command
// takes their packages from the vendor directory and needs no line in go.sum for them.
func vendored(data []byte) map[module.Version]bool {
	out := map[module.Version]bool{}
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "# ") {
			continue
		}
		if f := strings.Fields(line); len(f) >= 3 && semver.IsValid(f[2]) {
			out[module.Version{Path: f[1], Version: f[2]}] = true
		}
	}
	return out
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
		v.replaces = append(v.replaces, replacement(file, r))
	}
}

// replacement is one replace directive. A local path is judged by its text alone; nothing is looked up.
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
		local := strings.ReplaceAll(r.New.Path, `\`, "/")
		joined := path.Join(path.Dir(file.Path), local)
		out.Kind = "local"
		out.Outside = path.IsAbs(local) || len(local) > 1 && local[1] == ':' || joined == ".." || strings.HasPrefix(joined, "../")
		return out
	}
	out.Host = host(r.New.Path)
	out.Foreign = out.Host != host(r.Old.Path) || second(r.New.Path) != second(r.Old.Path)
	return out
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

// addUnsummed finds the requirements of one module that are not vendored and that no go.sum line covers. Every required
// version has at least the line of its go.mod (https://go.dev/ref/mod#go-sum-files). Within a workspace the files of all
// members count, as for the go command.
func (v *view) addUnsummed(m *main) {
	for _, r := range m.mod.Require {
		every := module.Version{Path: r.Mod.Path}
		replaced := m.replaced[r.Mod] || m.replaced[every]
		summed := m.sums[r.Mod] || m.vendored[r.Mod]
		for _, w := range m.works {
			replaced = replaced || w.replaced[r.Mod] || w.replaced[every]
			summed = summed || w.sums[r.Mod] || w.vendored[r.Mod]
		}
		if replaced {
			continue
		}
		v.required = append(v.required, r.Mod.Path)
		if !summed {
			v.unsummed = append(v.unsummed, decide.Unsummed{Module: r.Mod.Path, Version: r.Mod.Version,
				Sum: path.Join(path.Dir(m.file.Path), "go.sum"), Position: position(m.file, r.Syntax.Start)})
		}
	}
}

// Hosts are the names by which a checkout, as some commit has it, knows what it replaces: the Key of every replace
// directive (see decide.Replace), and the canonical hosts that directives lead to. A file that cannot be read or
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
			}
		} else if work, err := modfile.ParseWork(name, file.Data, nil); err == nil {
			list = work.Replace
		}
		for _, r := range list {
			d := replacement(file, r)
			names[d.Key] = true
			if d.Kind == "module" {
				names[d.Host] = true
			}
		}
	}
	return names, nil
}
