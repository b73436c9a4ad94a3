package golang

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// names are the settings that are read, in the order in which they are reported.
var names = [...]string{"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOFLAGS",
	"GO111MODULE", "GOENV", "GOVCS", "GOTOOLCHAIN", "GOAUTH", "GOCACHEPROG"}

// maxEnvFile bounds GOROOT/go.env and the file that go env -w writes. Both have some 20 lines.
const maxEnvFile = 64 << 10

// setting is one effective setting of the go command with where it comes from.
type setting struct {
	name, value string
	// origin is source.Builtin, Runner or Checkout; Builtin too where the setting is set nowhere.
	origin string
	// from is "the environment", "the plan", a file's path, or empty where the setting is set nowhere.
	from string
	at   lockfile.Position
}

const (
	fromEnvironment = "the environment"
	fromPlan        = "the plan"
)

// origins is where a setting comes from, as policies see it.
func (s setting) origins() decide.From {
	f := decide.From{Origin: s.origin, Setting: s.name, Position: s.at}
	switch s.from {
	case "":
	case fromPlan:
		f.Setting = "plan"
	default:
		f.Setting += " in " + s.from
	}
	return f
}

type settings map[string]setting

// get is the zero setting of that name, of origin builtin, where there is none.
func (s settings) get(name string) setting {
	if v, ok := s[name]; ok {
		return v
	}
	return setting{name: name, origin: source.Builtin}
}

// with is s as it will be after changes.
func (s settings) with(changes []inject.Change) settings {
	s = maps.Clone(s)
	for _, c := range changes {
		s[c.Name] = setting{name: c.Name, value: c.Value, origin: source.Builtin, from: fromPlan}
	}
	return s
}

// readSettings finds what the go command would find (go 1.26, cmd/go/internal/cfg): a variable that is not empty, else
// the line of the GOENV file, else the line of GOROOT/go.env.
func (v *view) readSettings() {
	file, lines, origin := v.envFile()
	v.official = source.Source{ID: source.Official, Ecosystem: source.Go, Role: source.ModuleProxy, Origin: source.Builtin}
	var goroot string
	for _, l := range lines {
		if l.key == "GOROOT" && origin != source.Checkout {
			goroot = l.value
		}
	}
	path, defaults := v.toolchain(goroot)
	v.set = settings{}
	if !v.m.RepoOnly {
		v.set.apply(defaults, path, source.Builtin)
		v.set.apply(lines, file, origin)
		for _, name := range names {
			if value, _ := v.m.Lookup(name); value != "" {
				v.set[name] = setting{name: name, value: value, origin: source.Runner, from: fromEnvironment}
			}
		}
		for _, name := range names {
			if strings.HasSuffix(v.set[name].value, "\r") {
				v.notes = append(v.notes, fmt.Sprintf("%s in %s ends with a carriage return, which the go command takes as part of the value", name, source.Plain(v.set[name].from, 200)))
			}
		}
	}
	v.findOfficial(defaults)
	if v.set["GOPROXY"].value == "" && v.official.URL != "" && !v.m.RepoOnly {
		v.set["GOPROXY"] = setting{name: "GOPROXY", value: v.official.URL + ",direct", origin: source.Builtin}
	}
}

func (s settings) apply(lines []envLine, file, origin string) {
	for _, l := range lines {
		if l.key == "GOENV" {
			continue // the go command reads it from the environment alone
		}
		s[l.key] = setting{name: l.key, value: l.value, origin: origin, from: file,
			at: lockfile.Position{File: file, Line: l.line, Column: len(l.key) + 2}}
	}
}

// findOfficial takes the user's word, else the first module proxy of GOROOT/go.env, else what the build stamped in.
func (v *view) findOfficial(defaults []envLine) {
	candidates := []string{v.m.Official}
	for _, l := range defaults {
		if l.key != "GOPROXY" {
			continue
		}
		for _, p := range parseProxies(l.value, v.m.OS) {
			if p.Kind == "url" {
				candidates = append(candidates, p.raw)
				break
			}
		}
	}
	for i, raw := range append(candidates, v.m.Stamped) {
		if raw == "" {
			continue
		}
		if loc, err := source.Locate(raw); err == nil {
			v.official.URL, v.official.Public = trimBase(raw), i > 0 && !loc.Loopback
			return
		}
	}
	v.notes = append(v.notes, "the default module proxy of the Go toolchain is not known (no Go found): name it with official.go in the configuration, if it shall be a candidate")
}

// envFile reads the file of go env -w. One in the checkout is read as part of it, one elsewhere behind the fence is not
// read: a stranger may have written it.
func (v *view) envFile() (file string, lines []envLine, origin string) {
	if v.m.RepoOnly {
		return "", nil, ""
	}
	name := "GOENV"
	file, _ = v.m.Lookup(name)
	if file == "off" {
		return "", nil, ""
	}
	if file == "" {
		dir := v.configDir()
		if dir == "" {
			return "", nil, ""
		}
		name, file = "the place of go env -w", filepath.Join(dir, "go", "env")
	}
	if !filepath.IsAbs(file) {
		v.notes = append(v.notes, name+" is not an absolute path, so that its file depends on the directory; it was not read")
		return "", nil, ""
	}
	if rel, ok := ecosystem.Rel(v.co.Dir(), file); ok {
		f, err := v.co.Read(filepath.ToSlash(rel), maxEnvFile)
		if err == nil {
			lines = parseEnv(f.Data)
			v.env = envFact(name, f, lines)
			return f.Path, lines, source.Checkout
		}
		if name == "GOENV" || !errors.Is(err, fs.ErrNotExist) {
			v.notes = append(v.notes, name+" leads into the checkout, to a file that cannot be read there")
		}
		return "", nil, ""
	}
	if ecosystem.Inside(v.co.Fence, file) {
		if _, err := os.Lstat(file); name == "GOENV" || err == nil {
			v.env = &decide.EnvFile{By: name, Content: "it was not read", Position: lockfile.Position{File: file}}
			v.notes = append(v.notes, name+" leads to a file beside the checkout in the same repository or workspace, which its author may have written; it was not read, and what it sets is not known")
		}
		return "", nil, ""
	}
	data, err := ecosystem.ReadFile(file, maxEnvFile)
	if err != nil {
		if !os.IsNotExist(err) {
			v.notes = append(v.notes, fmt.Sprintf("%s could not be read: %v", source.Plain(file, 200), reason(err)))
		}
		return "", nil, ""
	}
	return file, parseEnv(data), source.Runner
}

// maxSets is how many names of an environment file are told.
const maxSets = 20

// envFact is an environment file of the checkout, at the first line that sets something.
func envFact(by string, file lockfile.File, lines []envLine) *decide.EnvFile {
	e := &decide.EnvFile{By: by, Position: lockfile.Position{File: file.Path}}
	var sets []string
	for i, l := range lines {
		if i == 0 {
			e.Line, e.Column = l.line, 1
		}
		if name := source.Plain(l.key, 40); len(sets) < maxSets && !slices.Contains(sets, name) {
			sets = append(sets, name)
		}
	}
	switch {
	case len(sets) == 0:
		e.Content = "it sets nothing"
	case file.Linked: // what it holds may be a secret
		e.Content = "it sets something"
	default:
		e.Content = "it sets " + strings.Join(sets, ", ")
	}
	return e
}

// configDir is os.UserConfigDir for a looked-up environment; empty where that has none.
func (v *view) configDir() string {
	get := func(name string) string { value, _ := v.m.Lookup(name); return value }
	below := func(name string, elem ...string) string {
		if dir := get(name); dir != "" {
			return filepath.Join(append([]string{dir}, elem...)...)
		}
		return ""
	}
	switch v.m.OS {
	case "windows":
		return below("AppData")
	case "darwin":
		return below("HOME", "Library", "Application Support")
	}
	if dir := get("XDG_CONFIG_HOME"); dir != "" {
		if !filepath.IsAbs(dir) {
			return ""
		}
		return dir
	}
	return below("HOME", ".config")
}

// toolchain finds the go command on the PATH and the toolchain's own defaults, without starting it. Directories that
// are relative or lie behind the checkout's fence are passed over, before and after links are followed. The path is of
// go.env.
func (v *view) toolchain(goroot string) (path string, defaults []envLine) {
	exe := "go"
	if v.m.OS == "windows" {
		exe = "go.exe"
	}
	var roots []string
	if env, _ := v.m.Lookup("GOROOT"); goroot == "" {
		goroot = env
	}
	if v.trusted(goroot) {
		roots = append(roots, filepath.Clean(goroot))
	}
	tool, real := v.m.Tool(v.co.Fence, exe)
	if v.tool = tool; tool != "" {
		roots = append(roots, filepath.Dir(filepath.Dir(real)))
	}
	for _, root := range roots {
		file := filepath.Join(root, "go.env")
		if data, err := ecosystem.ReadFile(file, maxEnvFile); err == nil {
			v.installed = installed(root)
			return file, parseEnv(data)
		}
	}
	return "", nil
}

// trusted tells whether a path is the machine's own: absolute, and not behind the checkout's fence.
func (v *view) trusted(path string) bool {
	return filepath.IsAbs(path) && !ecosystem.Inside(v.co.Fence, path)
}

// reason takes the path out of an error whose message names it already.
func reason(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

// envLine is one KEY=VALUE of an environment file; line starts at 1.
type envLine struct {
	key, value string
	line       int
}

// parseEnv reads lines as the go command does: no quotes, no trimming, what does not begin with A to Z is skipped, a
// carriage return is part of the value. Of a repeated key all lines are returned, the last counts.
func parseEnv(data []byte) []envLine {
	var out []envLine
	n := 0
	for line := range bytes.Lines(data) {
		n++
		key, value, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("="))
		if ok && len(key) > 0 && 'A' <= key[0] && key[0] <= 'Z' {
			out = append(out, envLine{string(key), string(value), n})
		}
	}
	return out
}
