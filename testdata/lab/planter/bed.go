package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// recipe is one way to spoil a file of a format.
type recipe struct {
	format, name string
	// alone is true where one copy bears one of it.
	alone bool
	// change is true for what only a change is blamed for: the untouched files are the commit that it is measured against.
	change bool
	// config is the .goproxy/config.yaml that the rule takes.
	config func(p *plot) string
	// twin is true where the untouched checkout has to have the file twice, the second one in the directory named twin.
	twin bool
	// plant does it once, at the place p.n of three. It is false where the file has no room for three.
	plant func(p *plot) bool
}

// plot is one copy under way.
type plot struct {
	*bed
	recipe recipe
	// text is the file that the recipe is for, others those that have to change with it.
	text   *text
	others map[string]*text
	// created are files by name that the copy alone has.
	created map[string]string
	// n is 0, 1 or 2: the first place, the middle one, the last.
	n     int
	marks []mark
	// packages are the file's as it was at first.
	packages []*entry
	lines    []*line
	needs    []require
}

type mark struct {
	rule string
	text *text
	spot
}

// mark notes that a rule has to object to a part of a line.
func (p *plot) mark(rule string, at spot) { p.markIn(p.text, rule, at) }

func (p *plot) markIn(t *text, rule string, at spot) {
	p.marks = append(p.marks, mark{rule, t, at})
}

// other is a further file of the copy.
func (p *plot) other(name string) *text {
	if name == p.text.path {
		return p.text
	}
	if p.others[name] == nil {
		t, err := readText(p.dir(), name)
		if err != nil {
			panic(err)
		}
		p.others[name] = t
	}
	return p.others[name]
}

// create puts a file into the copy. The rule objects to a part of it, or to the file as a whole where that is empty.
func (p *plot) create(rule, name, content, part string) {
	p.created[name] = content
	if rule == "" {
		return
	}
	t := &text{path: name}
	m := mark{rule: rule, text: t}
	for _, row := range strings.Split(content, "\n") {
		l := &line{text: row}
		t.lines = append(t.lines, l)
		if part != "" && m.line == nil && strings.Contains(row, part) {
			m.spot = spot{l, part}
		}
	}
	p.marks = append(p.marks, m)
}

// third is the first, the middle or the last of a list of three or more.
func third[T any](p *plot, list []T) (one T, ok bool) {
	if len(list) < 3 {
		return one, false
	}
	return list[[]int{0, len(list) / 2, len(list) - 1}[p.n]], true
}

// bed is one checkout, and what came of it.
type bed struct {
	options
	// source is the checkout as it is, work holds the copy.
	source, work string
	files        []string
	// before is what is found in the untouched copy, by what the runs differ in.
	before    map[string][]place
	committed bool

	rows table
	all  []planted
	// fits are the recipes for files of this checkout, true for those that were carried out.
	fits   map[string]bool
	faults []string
	copies int
	err    error
}

func (b *bed) dir() string { return filepath.Join(b.work, "checkout") }

func (b *bed) plantAll() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if err := b.copy(); err != nil {
		return err
	}
	const most = 4 // files of one format: a repository can have a hundred workflows
	count := map[string]int{}
	for _, file := range b.files {
		t, err := readText(b.dir(), file)
		if err != nil {
			return err
		}
		format := formatOf(t)
		if count[format]++; count[format] > most {
			continue
		}
		for _, r := range recipes() {
			name := r.format + ": " + r.name
			if r.format != format || !strings.Contains(name, b.only) {
				continue
			}
			fit, err := b.carryOut(r, file)
			if err != nil {
				return fmt.Errorf("%s in %s: %w", r.name, file, err)
			}
			b.fits[name] = b.fits[name] || fit
		}
	}
	return nil
}

// names are the files that matter.
var names = []string{
	"go.mod", "go.sum", "go.work", "go.work.sum", "go.env", "package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml",
	"bun.lock", "bun.lockb", ".npmrc", ".yarnrc", ".yarnrc.yml", "bunfig.toml", "pnpm-workspace.yaml", ".pnpmfile.cjs", ".gitmodules", ".gitlab-ci.yml", "action.yml", "action.yaml",
}

// copy takes over the files that matter.
func (b *bed) copy() error {
	err := filepath.WalkDir(b.source, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(b.source, name)
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			hidden := strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "node_modules" || base == "testdata"
			if rel != "." && hidden && base != ".github" {
				return filepath.SkipDir
			}
			return nil
		}
		dir := path.Dir(rel)
		vendored := strings.Contains("/"+dir+"/", "/vendor/")
		wanted := !vendored && (slices.Contains(names, base) || dir == ".github/workflows" || strings.HasPrefix(dir, ".github/actions/")) ||
			vendored && base == "modules.txt" && path.Base(dir) == "vendor"
		if !wanted || !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		b.files = append(b.files, rel)
		return b.write(rel, data)
	})
	if err := errors.Join(err, os.MkdirAll(filepath.Join(b.work, "home"), 0o700)); err != nil || !slices.Contains(b.files, ".gitmodules") {
		return err
	}
	b.files = append(b.files, ".git/config")
	return b.git([]string{"init", "-q"}, []string{"config", "user.name", "planter"}, []string{"remote", "add", "origin", "https://github.com/planted/planted"})
}

// git runs git several times.
func (b *bed) git(commands ...[]string) error {
	for _, args := range commands {
		if out, err := b.command("git", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %s", args[0], out)
		}
	}
	return nil
}

func (b *bed) write(name string, data []byte) error {
	file := filepath.Join(b.dir(), name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// carryOut plants at three places, in one copy or in three.
func (b *bed) carryOut(r recipe, file string) (fit bool, err error) {
	turns := [][]int{{0, 1, 2}}
	if r.alone {
		turns = [][]int{{0}, {1}, {2}}
	}
	if r.twin {
		data, err := os.ReadFile(filepath.Join(b.dir(), file))
		if err != nil {
			return false, err
		}
		file = path.Join("twin", file)
		defer os.RemoveAll(filepath.Join(b.dir(), "twin"))
		if err := b.write(file, data); err != nil {
			return false, err
		}
	}
	for _, turn := range turns {
		t, err := readText(b.dir(), file)
		if err != nil {
			return false, err
		}
		p := &plot{bed: b, recipe: r, text: t, others: map[string]*text{}, created: map[string]string{}}
		for _, p.n = range turn {
			if !r.plant(p) {
				return false, nil
			}
		}
		if err := b.compare(p); err != nil {
			return false, err
		}
	}
	return true, nil
}

// compare runs the program on a plot, and holds what it finds against what was planted and what was there before.
func (b *bed) compare(p *plot) error {
	config := ""
	if p.recipe.config != nil {
		config = p.recipe.config(p)
	}
	if p.recipe.twin {
		config += "# with " + p.text.path // a checkout of its own
	}
	before, err := b.untouched(p.recipe, config)
	if err != nil {
		return err
	}
	texts := []*text{p.text}
	for _, t := range p.others {
		texts = append(texts, t)
	}
	for _, t := range texts {
		was, err := os.ReadFile(filepath.Join(b.dir(), t.path))
		if err != nil {
			return err
		}
		defer b.write(t.path, was)
		if err := b.write(t.path, t.bytes()); err != nil {
			return err
		}
	}
	for name, content := range p.created {
		defer os.Remove(filepath.Join(b.dir(), name))
		if err := b.write(name, []byte(content)); err != nil {
			return err
		}
	}
	found, err := b.findings(p.recipe)
	if err != nil {
		return err
	}
	b.copies++

	left := map[place]int{}
	for _, f := range found {
		left[f]++
	}
	r := b.rows.row(p.recipe.format)
	fault := func(what string, at any) {
		b.faults = append(b.faults, fmt.Sprintf("%s: %s: %s: %v", p.recipe.format, p.recipe.name, what, at))
	}
	for _, m := range p.marks {
		at := place{Rule: m.rule, File: m.text.path} // the file as a whole
		if m.line != nil {
			if !strings.Contains(m.line.text, m.part) {
				return fmt.Errorf("%q is not in %q", m.part, m.line.text)
			}
			at.Line, at.Column = m.text.number(m.line), strings.Index(m.line.text, m.part)+1
		}
		r.planted++
		r.rules[m.rule] = true
		b.all = append(b.all, planted{at, p.recipe.name, p.recipe.format, filepath.Base(b.source)})
		if left[at] == 0 {
			fault("missed", at)
			continue
		}
		r.found++
		left[at]--
	}
	for _, at := range b.moved(before, texts) {
		if left[at] == 0 && slices.ContainsFunc(texts, func(t *text) bool { return t.path == at.File && at.Line > 0 && t.lines[at.Line-1].edited }) {
			for other, n := range left { // what stands behind the edit has moved with it
				if n > 0 && other.Rule == at.Rule && other.File == at.File && other.Line == at.Line {
					at = other
				}
			}
		}
		left[at]--
	}
	for at, n := range left {
		if n > 0 {
			r.alarms += n
			fault("neither planted nor there before", at)
		}
	}
	return nil
}

// moved are places of the untouched files as they are now.
func (b *bed) moved(before []place, texts []*text) (now []place) {
	for _, at := range before {
		for _, t := range texts {
			if t.path == at.File && at.Line > 0 {
				i := slices.IndexFunc(t.lines, func(l *line) bool { return l.was == at.Line })
				if at.Line = i + 1; i < 0 {
					at.Line = -1
				}
			}
		}
		if at.Line >= 0 {
			now = append(now, at)
		}
	}
	return now
}

// untouched is what is found in the copy as it is, with the configuration of a recipe.
func (b *bed) untouched(r recipe, config string) ([]place, error) {
	if err := b.write(".goproxy/config.yaml", []byte(config)); err != nil {
		return nil, err
	}
	if r.change && !b.committed {
		b.committed = true
		if err := b.git([]string{"init", "-q"}, []string{"add", "-Af", "."},
			[]string{"-c", "user.name=planter", "-c", "user.email=planter@a.test", "commit", "-q", "-m", "untouched"}); err != nil {
			return nil, err
		}
	}
	key := fmt.Sprint(r.change, config)
	if _, ok := b.before[key]; !ok {
		found, err := b.findings(r)
		if err != nil {
			return nil, err
		}
		b.before[key] = found
	}
	return b.before[key], nil
}

// command is one that this machine's settings do not reach.
func (b *bed) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = b.dir()
	env := "off"
	if slices.Contains(b.files, "go.env") {
		env = filepath.Join(b.dir(), "go.env")
	}
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(b.work, "home"), "GOENV=" + env, "GOTOOLCHAIN=auto",
		"GIT_CONFIG_NOSYSTEM=1"}
	return c
}

// findings runs the program. Whatever it finds, it must not fail.
func (b *bed) findings(r recipe) ([]place, error) {
	args := []string{"check", "--offline", "--format", "json"}
	if r.change {
		args = append(args, "--diff", "HEAD")
	}
	c := b.command(b.binary, args...)
	var out, complaint bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaint
	err := c.Run()
	if code := c.ProcessState.ExitCode(); code != 0 && code != 1 {
		return nil, fmt.Errorf("%w: %s%s", err, out.Bytes(), complaint.Bytes())
	}
	var report struct {
		Findings []struct {
			ID string `json:"id"`
			place
		} `json:"findings"`
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		return nil, err
	}
	var found []place
	for _, f := range report.Findings {
		f.Rule = f.ID
		if rel, err := filepath.Rel(b.dir(), f.File); err == nil && filepath.IsAbs(f.File) && filepath.IsLocal(rel) {
			f.File = rel
		}
		found = append(found, f.place)
	}
	return found, nil
}
