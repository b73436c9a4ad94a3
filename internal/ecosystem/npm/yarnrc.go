package npm

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/toolfile"
)

// yarnLockHeader is what makes yarn 2 to 4 read a .yarnrc.yml as they read a yarn.lock of yarn 1.
var yarnLockHeader = regexp.MustCompile(`(?i)^(?:#.*(?:\r?\n))*?#\s+yarn\s+lockfile\s+v1\r?\n`)

// berryValues are the settings of a .yarnrc.yml, of which yarn 1 obeys yarnPath, too.
func (s *settings) berryValues(file lockfile.File) ([]value, error) {
	if yarnLockHeader.Match(file.Data) {
		return nil, badSettings(file, lockfile.Position{Line: 1, Column: 1}, "yarn", "begins like a yarn.lock, and yarn then reads it as no YAML")
	}
	leaves, err := yamlLeaves(file, "yarn")
	if err != nil {
		return nil, err
	}
	leaves = unwrapped(leaves)
	specs := map[string]leaf{} // of plugins, by the item
	checked := map[string]bool{}
	for _, l := range leaves {
		switch {
		case match("plugins.[].spec", l.path):
			specs[l.path[1].text] = l
		case match("plugins.[].checksum", l.path):
			checked[l.path[1].text] = l.text != ""
		}
	}
	var out []value
	for _, l := range leaves {
		m, known := lookUp(berry, l.path)
		if !known {
			continue
		}
		before := len(out)
		switch name := l.name(); name {
		case "unsafeHttpWhitelist", "npmPreapprovedPackages", "approvedGitRepositories", "injectEnvironmentFiles":
			for part := range strings.SplitSeq(l.text, ",") { // yarn takes a text for a list
				one := l
				one.text = part
				out = s.put(out, one, name, m, "yarn")
			}
		default:
			out = s.put(out, l, name, m, "yarn")
		}
		for i := before; i < len(out); i++ {
			v := &out[i]
			v.main = v.name == "npmRegistryServer"
			if v.name == "plugins" || v.name == "plugins.path" {
				v.name = "plugins"
				if spec := specs[l.path[1].text]; v.sum == "none" && isHTTP(spec.text) {
					switch {
					case strings.HasPrefix(spec.text, "http:"):
						v.fault = "starts what yarn downloads without TLS"
					case !checked[l.path[1].text]:
						v.fault = "starts what yarn downloads, without a checksum"
					}
				}
			}
		}
	}
	return out, nil
}

// lookUp finds what a path means.
func lookUp(table map[string]meaning, path []field) (meaning, bool) {
	m, known := table[leaf{path: path}.name()]
	if known && !anyIndex(path) {
		return m, true
	}
	first := path
	if len(path) > 0 {
		first = path[:1]
	}
	for pattern, m := range table {
		if len(first) > 0 && strings.HasPrefix(pattern, first[0].text) && match(pattern, path) {
			return m, true
		}
	}
	return meaning{}, false
}

func anyIndex(path []field) bool {
	for _, key := range path {
		if isIndex(key.text) {
			return true
		}
	}
	return false
}

// unwrapped undoes what yarn 4 takes for a value: {onConflict: reset, value: …}.
func unwrapped(leaves []leaf) []leaf {
	wrapped := map[string]bool{}
	join := func(path []field) string {
		var b strings.Builder
		for _, key := range path {
			fmt.Fprintf(&b, "%q.", key.text)
		}
		return b.String()
	}
	for _, l := range leaves {
		if n := len(l.path) - 1; n >= 0 && l.path[n].text == "onConflict" {
			wrapped[join(l.path[:n])] = true
		}
	}
	if len(wrapped) == 0 {
		return leaves
	}
	out := leaves[:0]
	for _, l := range leaves {
		var path []field
		for i, key := range l.path {
			if key.text != "value" || !wrapped[join(l.path[:i])] {
				path = append(path, key)
			}
		}
		l.path = path
		out = append(out, l)
	}
	return out
}

// classicValues are the settings of a .yarnrc, which yarn reads as YAML where it cannot read it as its own format. A name
// may be an option of the command line, for one command or for all: --install.ignore-scripts.
func (s *settings) classicValues(file lockfile.File) ([]value, error) {
	leaves, err := classicLeaves(file)
	if err != nil {
		if asYAML, e := yamlLeaves(file, "yarn"); e == nil && !slices.ContainsFunc(asYAML, func(l leaf) bool { return len(l.path) == 0 }) {
			leaves, err = asYAML, nil
		}
	}
	if err != nil {
		return nil, err
	}
	var out []value
	for _, l := range leaves {
		name := l.name()
		plainName := option.ReplaceAllString(name, "")
		m, known := classic[plainName]
		if !known {
			if found := meaningOf(plainName); found != nil {
				m, known = *found, true
			}
		}
		if !known {
			continue
		}
		before := len(out)
		out = s.put(out, l, plainName, m, "yarn")
		for i := before; i < len(out); i++ {
			v := &out[i]
			v.main, v.name = plainName == "registry", name
			if m.kind == aboutFile {
				v.fault = s.led(v.text, path.Dir(file.Path), plainName)
			}
		}
	}
	return out, nil
}

var option = regexp.MustCompile(`^--(?:[a-z*-]+\.)?`)

// led says what is wrong with a directory or file that yarn 1 is sent to.
func (s *settings) led(text, dir, name string) string {
	slashed := strings.ReplaceAll(text, `\`, "/")
	to := path.Join(dir, slashed)
	if text == "" || !strings.HasPrefix(slashed, "/") && filepath.IsLocal(filepath.FromSlash(to)) && name != "use-yarnrc" {
		return "" // what lies in the checkout is judged there
	}
	if name == "lockfile-folder" {
		return "makes yarn obey another lock file, which was not read"
	}
	return "sends yarn to another file for its settings, which was not read"
}

// classicLeaves reads yarn 1's own format. The error is a *problem.Problem of code Usage.
func classicLeaves(file lockfile.File) ([]leaf, error) {
	found, err := toolfile.Yarn(file.Data)
	return leavesOf(file, found), settingsError(file, "yarn", err)
}
