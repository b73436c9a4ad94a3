package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

const (
	// maxIncludes is how deep git follows includes, and maxConfigs how many files are read in all.
	maxIncludes, maxConfigs = 10, 100
	// maxCount is how many settings are read of GIT_CONFIG_COUNT.
	maxCount = 1000
)

// gitConfig gathers what git reads outside of a repository, the weakest first.
type gitConfig struct {
	r     *reader
	found []gitSetting
	files int
	// quiet leaves out the notes, where another reading has told them.
	quiet bool
}

type gitSetting struct {
	toolfile.Variable
	file, origin string
}

// git reads the system's and the user's files and the environment (git 2.51: config.c, http.c). The repository's own
// file is not read: it is a part of the checkout.
func (r *reader) git() {
	g := &gitConfig{r: r}
	for _, file := range r.gitFiles() {
		g.read(file, 0)
	}
	g.environment()
	if v, set := r.Lookup("GIT_SSL_CAINFO"); set { // an empty one counts, too: git then finds no certificates at all
		r.add(Setting{Tool: Git, Kind: CABundle, Key: "GIT_SSL_CAINFO", Value: v, Origin: "GIT_SSL_CAINFO"})
	}
	if v, set := r.Lookup("GIT_SSL_NO_VERIFY"); set { // whatever its value
		r.add(Setting{Tool: Git, Kind: Insecure, Key: "GIT_SSL_NO_VERIFY", Value: v, Origin: "GIT_SSL_NO_VERIFY"})
	}
	for _, s := range slices.Backward(g.found) {
		key := s.Section + "." + s.Name
		out := Setting{Tool: Git, For: s.Sub, Key: s.Key, Value: s.Value, Origin: s.origin}
		switch {
		case key == "http.proxy":
			out.Kind = AllProxy
			r.add(out)
		case key == "remote.proxy":
			out.Kind, out.For = AllProxy, "remote "+s.Sub
			r.add(out)
		case key == "http.sslcainfo" || key == "http.sslcapath":
			if out.Kind = CABundle; s.Value != "" {
				out.Value = r.gitPath(s.Value, s.file)
				r.add(out)
			} else {
				r.hide(Git, CABundle, s.Sub)
			}
		case key == "http.sslverify":
			on, ok := s.On()
			if out.Value == "" {
				out.Value = strconv.FormatBool(on)
			}
			r.switched(out, ok && !on)
		}
	}
}

// gitFiles are the system's and the user's, the weakest first.
func (r *reader) gitFiles() []string {
	system, set := r.Lookup("GIT_CONFIG_SYSTEM")
	if !set {
		system = "/etc/gitconfig"
		if exe, _ := r.tool("git"); exe != "" && (r.OS == "windows" || filepath.Dir(exe) != "/usr/bin" && filepath.Dir(exe) != "/bin") {
			system = filepath.Join(filepath.Dir(filepath.Dir(exe)), "etc", "gitconfig")
		}
	}
	var out []string
	if on, _ := (toolfile.Variable{Value: r.get("GIT_CONFIG_NOSYSTEM")}).On(); !on {
		out = append(out, system)
	}
	if global, set := r.Lookup("GIT_CONFIG_GLOBAL"); set {
		return append(out, global)
	}
	return append(out, r.xdg("git", "config"), r.home(".gitconfig"))
}

func (g *gitConfig) read(file string, depth int) {
	if g.files++; g.files > maxConfigs || depth > maxIncludes {
		g.r.note(g.r.shownPath(file) + " is included too deep or by too many files, and is not read")
		return
	}
	data, ok := g.r.read(file)
	if !ok {
		return
	}
	found, err := toolfile.Git(data)
	if err != nil {
		g.r.missed(g.r.shownPath(file), err)
		return
	}
	for _, v := range found {
		g.take(gitSetting{v, file, g.r.at(file, v.At.Line)}, depth)
	}
}

func (g *gitConfig) take(s gitSetting, depth int) {
	g.found = append(g.found, s)
	switch {
	case s.Name != "path" || s.Value == "":
	case s.Key == "include.path":
		if path := g.r.gitPath(s.Value, s.file); filepath.IsAbs(path) {
			g.read(path, depth+1)
		}
	case s.Section == "includeif" && !g.quiet:
		g.r.note(fmt.Sprintf("%s includes %s in some repositories only, and is not followed", s.origin, source.Plain(safe(s.Value), 200)))
	}
}

// gitPath is a path as git understands it in a file.
func (r *reader) gitPath(path, file string) string {
	path = r.expandHome(path)
	if filepath.IsAbs(path) || file == "" || strings.HasPrefix(path, "~") || strings.HasPrefix(path, "%(") || strings.Contains(path, "://") {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

// environment takes over GIT_CONFIG_COUNT and, what counts more, GIT_CONFIG_PARAMETERS.
func (g *gitConfig) environment() {
	count := 0
	if raw := g.r.get("GIT_CONFIG_COUNT"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 0 || n > maxCount {
			g.r.conflict(Conflict{ID: "git-count", Tool: Git, Text: "GIT_CONFIG_COUNT is " + strconv.Quote(source.Plain(safe(raw), 20)) + ", which is no count; every git command fails with it",
				Fix: "set it to the number of the GIT_CONFIG_KEY_n variables, or unset it", Origins: []string{"GIT_CONFIG_COUNT"}})
		} else {
			count = n
		}
	}
	for i := range count {
		name := fmt.Sprintf("GIT_CONFIG_KEY_%d", i)
		key, hasKey := g.r.Lookup(name)
		value, hasValue := g.r.Lookup(fmt.Sprintf("GIT_CONFIG_VALUE_%d", i))
		if !hasKey || !hasValue {
			g.r.conflict(Conflict{ID: "git-count", Tool: Git, Text: fmt.Sprintf("GIT_CONFIG_COUNT is %d, and GIT_CONFIG_KEY_%d or its value is missing; every git command fails with it", count, i),
				Fix: "set it to the number of the GIT_CONFIG_KEY_n variables that are there, each with its GIT_CONFIG_VALUE_n", Origins: []string{"GIT_CONFIG_COUNT"}})
			break
		}
		g.variable(key, value, false, name)
	}
	for i, pair := range toolfile.GitParameters(g.r.get("GIT_CONFIG_PARAMETERS")) {
		if i >= maxCount {
			break
		}
		key, value, has := strings.Cut(pair, "=")
		g.variable(strings.TrimSpace(key), value, !has, "GIT_CONFIG_PARAMETERS")
	}
}

func (g *gitConfig) variable(key, value string, bare bool, from string) {
	first, last := strings.IndexByte(key, '.'), strings.LastIndexByte(key, '.')
	if first < 0 {
		return
	}
	v := toolfile.Variable{Section: strings.ToLower(key[:first]), Name: strings.ToLower(key[last+1:]), Value: value, Bare: bare}
	if v.Key = v.Section + "." + v.Name; last > first {
		v.Sub = key[first+1 : last]
		v.Key = v.Section + "." + v.Sub + "." + v.Name
	}
	g.take(gitSetting{v, "", from}, 0)
}

// isDir tells whether a path is a directory that may be looked at.
func (r *reader) isDir(path string) (bool, error) {
	if r.inside(path) {
		return false, errFenced
	}
	info, err := os.Stat(r.real(path))
	if err != nil {
		return false, reason(err)
	}
	return info.IsDir(), nil
}

var errNoCertificate = errors.New("holds no certificate")
