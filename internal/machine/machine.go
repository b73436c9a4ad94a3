// Package machine says what the tools of this machine are told about the network outside of any checkout: proxies, who
// is exempt from them, certificate bundles, and whether certificates are checked at all.
//
// It reads the environment and the files of the user and the system as each tool does, starts nothing, and asks no
// network. What it finds is told, never followed: which proxy works is for others to measure.
package machine

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/source"
)

// Kind is what a setting is about.
type Kind string

// The kinds of settings.
const (
	// HTTPSProxy and HTTPProxy are proxies for addresses of that scheme, AllProxy is one for both.
	HTTPSProxy Kind = "https-proxy"
	HTTPProxy  Kind = "http-proxy"
	AllProxy   Kind = "all-proxy"
	// NoProxy is a list of hosts that are asked directly.
	NoProxy Kind = "no-proxy"
	// CABundle is a file or directory of certificates that are trusted.
	CABundle Kind = "ca-bundle"
	// Insecure is a setting that switches the check of certificates off.
	Insecure Kind = "insecure"
	// PAC is the address of a script that chooses the proxy, or a program that does.
	PAC Kind = "pac"
)

// The tools by their names in Setting.Tool. Yarn is version 1, Berry is yarn 2 and later.
const (
	Environment = "environment"
	Git         = "git"
	NPM         = "npm"
	PNPM        = "pnpm"
	Yarn        = "yarn"
	Berry       = "berry"
	Bun         = "bun"
	Pip         = "pip"
	Cargo       = "cargo"
	Java        = "java"
	Maven       = "maven"
	Gradle      = "gradle"
	Docker      = "docker"
	Apt         = "apt"
	Runner      = "runner"
	System      = "system"
)

// Setting is one thing that one tool is told.
type Setting struct {
	// Tool is one of the tools' names above. Environment are the variables that no tool has for itself.
	Tool string
	Kind Kind
	// For is what it is narrowed to, safe to print: the address of git's http.<url>.proxy, a host, a daemon of docker, a
	// network service of macOS. Empty means everything.
	For string
	// Key is the tool's own name for it: http.proxy, https-proxy, HTTPS_PROXY.
	Key string
	// Value is as the tool takes it. It may hold a secret and is never printed. For a proxy that is told in parts (host,
	// port, user) it is the address made of them. Empty is a value where the tool takes it for "directly".
	Value string
	// Shown is the value without secrets, fit for one line.
	Shown string
	// Origin is the variable's name, or the file as its user writes it, with the line: "~/.gitconfig:12".
	Origin string
	// InForce is true where the tool goes by it: nothing that counts more hides it. Of the two cases of a variable both
	// are, each for some of the tools.
	InForce bool
}

// Conflict is a contradiction or a trap in the settings. All of it is safe to print.
type Conflict struct {
	// ID is short and stable; see conflicts.go.
	ID string
	// Tool is the one that is concerned; Environment where many are.
	Tool string
	// Text says what is the matter and who follows what, Fix what to do; both without a full stop.
	Text, Fix string
	// Origins are the places of the settings concerned.
	Origins []string
}

// Reading is what was found.
type Reading struct {
	// Settings are ordered by tool, and within a tool by what counts most.
	Settings  []Setting
	Conflicts []Conflict
	// Notes tell of files that could not be read or understood, with file and line; safe to print.
	Notes []string
}

// Options are what the reading depends on; equal options and files give an equal reading.
type Options struct {
	// Lookup finds a variable of the environment, as os.LookupEnv does; nil finds none.
	Lookup func(string) (string, bool)
	// OS is runtime.GOOS.
	OS string
	// Home is the user's directory as HOME names it, on Windows USERPROFILE; empty asks Lookup for these.
	Home string
	// Account is the user's directory as the system's list of users has it, which is what Java goes by; empty means Home.
	Account string
	// Root is put before all paths, for tests; empty means none.
	Root string
	// Fence is a directory that the author of a checkout may have written; nothing in it is read. Empty means none.
	Fence string
	// Registry finds a value of the registry of Windows: numbers in decimal, binary values as their bytes. Nil asks the
	// system, where it has one.
	Registry func(key, name string) (string, bool)
}

// maxNotes bounds the notes, and maxSettings the settings that are kept.
const maxNotes, maxSettings = 50, 2000

// Read finds all settings. It reads some dozens of files of at most 1 MiB each.
func Read(o Options) Reading {
	if o.Lookup == nil {
		o.Lookup = func(string) (string, bool) { return "", false }
	}
	if o.Registry == nil {
		o.Registry = registry
	}
	r := &reader{Options: o, taken: map[group]bool{}, told: map[string]bool{}}
	if r.Home == "" {
		r.Home = r.get("HOME")
		if r.OS == "windows" && r.get("USERPROFILE") != "" {
			r.Home = r.get("USERPROFILE")
		}
	}
	r.Account = cmp.Or(r.Account, r.Home)
	if r.Home != "" && r.inside(r.Home) {
		r.note("the home directory lies where the checkout's author may have written, so that no settings in it are read")
	}
	r.environment()
	r.git()
	r.npm()
	r.pnpm()
	r.yarn()
	r.berry()
	r.bun()
	r.pip()
	r.cargo()
	r.java()
	r.maven()
	r.gradle()
	r.docker()
	r.apt()
	r.runner()
	r.system()
	r.conflicts()
	return r.out
}

// reader gathers a Reading.
type reader struct {
	Options
	out Reading
	// taken are the groups of settings of which the strongest is known.
	taken map[group]bool
	// told are the files that a note is about already.
	told map[string]bool
	// fences are the fence by its name and by where links lead.
	fences []string
	// npmOwn are the kinds that npm's variables and the user's .npmrc decide.
	npmOwn []Kind
}

// group is what one setting of a tool hides another in.
type group struct {
	tool, scope string
	kind        Kind
}

func (r *reader) get(name string) string {
	v, _ := r.Lookup(name)
	return v
}

// add takes a setting over. Of each tool the strongest must come first. Where a setting is "no setting", hide alone is
// called.
func (r *reader) add(s Setting) {
	if len(r.out.Settings) >= maxSettings {
		r.note(fmt.Sprintf("more than %d settings were found; the rest is not told", maxSettings))
		return
	}
	g := group{s.Tool, s.For, s.Kind}
	s.InForce = s.Tool == Environment || !r.taken[g]
	r.taken[g] = true
	s.For, s.Key, s.Origin = source.Plain(safe(s.For), 300), source.Plain(safe(s.Key), 300), source.Plain(s.Origin, 300)
	if s.Shown == "" {
		s.Shown = shown(s.Kind, s.Value)
	}
	r.out.Settings = append(r.out.Settings, s)
}

// hide says that weaker settings of the kind do not count.
func (r *reader) hide(tool string, kind Kind, scope string) { r.taken[group{tool, scope, kind}] = true }

// switched takes over a switch of the check of certificates.
func (r *reader) switched(s Setting, off bool) {
	if s.Kind = Insecure; off {
		r.add(s)
	} else {
		r.hide(s.Tool, Insecure, s.For)
	}
}

// variable takes over a variable of many tools that is set and not empty.
func (r *reader) variable(kind Kind, name string) {
	if v := r.get(name); v != "" {
		r.add(Setting{Tool: Environment, Kind: kind, Key: name, Value: v, Origin: name})
	}
}

func (r *reader) note(text string) {
	if len(r.out.Notes) < maxNotes && !slices.Contains(r.out.Notes, text) {
		r.out.Notes = append(r.out.Notes, text)
	}
}

// at is the origin of a setting in a file.
func (r *reader) at(file string, line int) string {
	if line < 1 {
		return r.shownPath(file)
	}
	return fmt.Sprintf("%s:%d", r.shownPath(file), line)
}

// shownPath is a path as its user writes it.
func (r *reader) shownPath(file string) string {
	if r.Home != "" {
		if rel, err := filepath.Rel(r.Home, file); err == nil && filepath.IsLocal(rel) {
			file = filepath.Join("~", rel)
		}
	}
	return shown(CABundle, filepath.ToSlash(file))
}

// home is a path below the user's directory; empty where that is not known.
func (r *reader) home(parts ...string) string { return below(r.Home, parts...) }

func below(dir string, parts ...string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// xdg is a path below the user's directory of settings.
func (r *reader) xdg(parts ...string) string {
	if dir := r.get("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return below(dir, parts...)
	}
	return r.home(append([]string{".config"}, parts...)...)
}

// expandHome is a path with ~/ at its begin replaced.
func (r *reader) expandHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && r.Home != "" {
		return filepath.Join(r.Home, filepath.FromSlash(rest))
	}
	return path
}
