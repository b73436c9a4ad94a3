package golang

import (
	"go/version"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// authPrograms are what GOAUTH starts (go 1.26, cmd/go/internal/auth): a list with semicolons of off, netrc, "git DIR" and
// commands. Where it is set nowhere it is netrc.
func (v *view) authPrograms(s setting) []decide.Program {
	var out []decide.Program
	for command := range strings.SplitSeq(s.value, ";") {
		words := strings.Fields(command)
		switch {
		case len(words) == 0 || words[0] == off || words[0] == netrcWord || ownAuth(command) != "":
		case words[0] == "git":
			// elsewhere it is the machine's own git with the machine's own settings
			if len(words) == 2 && ecosystem.Inside(v.co.Fence, words[1]) {
				out = append(out, decide.Program{Name: s.name, Kind: "git", Path: words[1], From: s.origins()})
			}
		default:
			out = append(out, v.program(command, s))
		}
	}
	return out
}

// cachePrograms is what GOCACHEPROG starts (go 1.26, cmd/go/internal/cache): a command.
func (v *view) cachePrograms(s setting) []decide.Program {
	if strings.TrimSpace(s.value) == "" {
		return nil
	}
	return []decide.Program{v.program(s.value, s)}
}

func (v *view) program(command string, s setting) decide.Program {
	p := decide.Program{Name: s.name, Kind: "runner", From: s.origins()}
	words, err := splitFlags(command) // quoted as GOFLAGS is; what cannot be split the go command refuses
	if err == nil && len(words) > 0 && v.startsInside(words[0]) {
		p.Kind, p.Path = "checkout", words[0]
	}
	return p
}

// startsInside tells whether a program is found where the author of the checkout may have written it. A relative path
// depends on the directory in which go is started, and a job's is the checkout. In a relative directory of the PATH the
// go command finds nothing (os/exec.ErrDot).
func (v *view) startsInside(program string) bool {
	if filepath.IsAbs(program) {
		return ecosystem.Inside(v.co.Fence, program)
	}
	if strings.ContainsAny(program, `/\`) {
		return true
	}
	dirs, _ := v.m.Lookup("PATH")
	for _, dir := range filepath.SplitList(dirs) {
		exe := filepath.Join(dir, program)
		if info, err := os.Stat(exe); filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && (v.m.OS == "windows" || info.Mode()&0o111 != 0) {
			return ecosystem.Inside(v.co.Fence, exe)
		}
	}
	return false
}

// want is what a go.mod or go.work asks of the toolchain: the version of its go line with "go" in front and the name in
// its toolchain line, empty where there is none.
type want struct {
	version, name     string
	versionAt, nameAt lockfile.Position
}

func wanted(file lockfile.File, goLine *modfile.Go, toolchain *modfile.Toolchain) want {
	var w want
	if goLine != nil {
		w.version, w.versionAt = "go"+goLine.Version, position(file, goLine.Syntax.Start)
	}
	if toolchain != nil {
		w.name, w.nameAt = toolchain.Name, position(file, toolchain.Syntax.Start)
	}
	return w
}

// toolchains are those that the go command would download and run, as it selects them (go 1.26,
// cmd/go/internal/toolchain.Select): not with GOTOOLCHAIN=local and path, and not those that lie on the PATH. What is
// downloaded is verified by the checksum database in any case. Where the installed one is not known, nothing is.
func (v *view) toolchains(s setting) []decide.Toolchain {
	least, mode, plus := strings.Cut(s.value, "+")
	switch {
	case !version.IsValid(v.installed) || s.value == "":
		return nil
	case !plus && (s.value == "auto" || s.value == "path"):
		least, mode = "local", s.value
	}
	var out []decide.Toolchain
	add := func(name, by string, from decide.From) {
		if tool, _ := v.m.Tool(v.co.Fence, name); tool == "" && mode != "path" {
			out = append(out, decide.Toolchain{Name: name, Installed: v.installed, By: by, From: from})
		}
	}
	if least == "local" {
		least = v.installed
	} else if least != v.installed {
		add(least, "setting", s.origins())
	}
	if mode != "auto" {
		return out
	}
	newer := func(a, b string) bool { return version.IsValid(a) && version.Compare(a, b) > 0 }
	for _, w := range v.wants {
		by, name, at := "the toolchain line", w.name, w.nameAt
		if newer(w.version, w.name) { // any version is newer than none
			if by, name, at = "the go line", w.version, w.versionAt; version.Lang(name) == name && !newer("go1.21", name) {
				name += ".0" // there is no toolchain of a language version
			}
			if !newer(w.version, least) {
				continue
			}
		}
		if w.name != "default" && newer(name, least) {
			add(name, "line", decide.From{Origin: source.Checkout, Setting: by, Position: at})
		}
	}
	return out
}

// installed is the name of the toolchain at a GOROOT, which is the first word of its VERSION file; empty where there is
// none, as in a toolchain built from a working copy.
func installed(root string) string {
	data, err := ecosystem.ReadFile(filepath.Join(root, "VERSION"), maxEnvFile)
	if fields := strings.Fields(string(data)); err == nil && len(fields) > 0 {
		return fields[0]
	}
	return ""
}
