// Package pypi is what we know of PyPI, so that its mirrors can be measured: which index pip would ask on this machine,
// and how one is proven. Nothing is set up for Python, and no file of a checkout is read.
package pypi

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// usual is the index that pip has built in.
const usual = "https://pypi.org/simple"

// New reads pip's settings on this machine outside of the fence. It starts nothing and asks no network.
func New(m ecosystem.Machine, fence string) *ecosystem.Ecosystem { return read(m, fence, "/etc") }

func read(m ecosystem.Machine, fence, etc string) *ecosystem.Ecosystem {
	e := &ecosystem.Ecosystem{Name: source.PyPI, Catalogue: m.Mirrors, Target: target(genuine()), Trusted: []string{"files.pythonhosted.org"}}
	for _, name := range []string{"pip", "pip3"} {
		if m.OS == "windows" {
			name += ".exe"
		}
		exe, _ := m.Tool(fence, name)
		e.Installed = e.Installed || exe != ""
	}
	raw, origin, notes := index(m, fence, etc)
	e.Notes = notes
	s, err := m.Named(source.PyPI, raw, origin)
	if err != nil {
		e.Notes = append(e.Notes, fmt.Sprintf("the index of pip is left out: %v", err))
		return e
	}
	e.InForce = []source.Source{s}
	e.Effective = map[string]string{"index-url": source.Redact(raw)}
	return e
}

// index is the address in force: PIP_INDEX_URL, else what the files say, else pip's own. A section of pip's command
// counts more than [global], wherever each stands (pip, cli/parser.py).
func index(m ecosystem.Machine, fence, etc string) (raw, origin string, notes []string) {
	if v, _ := m.Lookup("PIP_INDEX_URL"); v != "" {
		return v, source.Runner, nil
	}
	found := map[string]string{}
	for _, name := range files(m, etc) {
		data, err := ecosystem.Settings(fence, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			notes = append(notes, fmt.Sprintf("pip's settings in %s are left out: %v", source.Plain(name, 200), err))
			continue
		}
		for _, section := range []string{"global", "install"} {
			if v := setting(string(data), section, "index-url"); v != "" {
				found[section] = v
			}
		}
	}
	for _, section := range []string{"install", "global"} {
		if v := found[section]; v != "" {
			return v, source.Runner, notes
		}
	}
	return usual, source.Builtin, notes
}

// files are where pip looks, what counts most last (pip, configuration.py): of the system, of the user, of a virtual
// environment, and the one that PIP_CONFIG_FILE names. Where that is there the user's are not read, and where it is the null
// device none is.
func files(m ecosystem.Machine, etc string) []string {
	get := func(name string) string { v, _ := m.Lookup(name); return v }
	name, null := "pip.conf", "/dev/null"
	if m.OS == "windows" {
		name, null = "pip.ini", "nul"
	}
	var out []string
	add := func(dir string, more ...string) {
		if dir != "" {
			out = append(out, filepath.Join(append([]string{dir}, more...)...))
		}
	}
	own := get("PIP_CONFIG_FILE")
	if strings.EqualFold(own, null) {
		return nil
	}
	switch m.OS {
	case "windows":
		add(get("PROGRAMDATA"), "pip", name)
	case "darwin":
		add("/Library/Application Support", "pip", name)
	default:
		for _, dir := range filepath.SplitList(cmp.Or(get("XDG_CONFIG_DIRS"), filepath.Join(etc, "xdg"))) {
			add(dir, "pip", name)
		}
		add(etc, name)
	}
	system := len(out)
	home := get("HOME")
	switch m.OS {
	case "windows":
		add(get("USERPROFILE"), "pip", name)
		add(get("APPDATA"), "pip", name)
	case "darwin":
		add(home, ".pip", name)
		add(home, ".config", "pip", name)
		add(home, "Library", "Application Support", "pip", name)
	default:
		add(home, ".pip", name)
		if dir := get("XDG_CONFIG_HOME"); dir != "" {
			add(dir, "pip", name)
		} else {
			add(home, ".config", "pip", name)
		}
	}
	if _, err := os.Stat(own); err == nil {
		out = out[:system]
	}
	add(get("VIRTUAL_ENV"), name)
	add(own)
	return out
}

// setting reads one key of one section as Python's RawConfigParser does, without values of several lines: an address is
// none. The last one counts; pip writes keys in lower case with dashes.
func setting(text, section, key string) string {
	at, value := "", ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
			continue
		}
		if end := strings.IndexByte(trimmed, ']'); trimmed[0] == '[' && end > 0 {
			at = trimmed[1:end]
			continue
		}
		i := strings.IndexAny(trimmed, "=:")
		if i < 0 || at != section {
			continue
		}
		name := strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(trimmed[:i])), "_", "-"), "--")
		if name == key {
			value = strings.TrimSpace(trimmed[i+1:])
		}
	}
	return value
}
