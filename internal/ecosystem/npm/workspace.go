package npm

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

// workspaceLeaves are all texts of a pnpm-workspace.yaml.
func workspaceLeaves(file lockfile.File) ([]leaf, error) { return yamlLeaves(file, "pnpm") }

// workspaceValues are the settings of a pnpm-workspace.yaml. pnpm expands variables in the names of settings, too.
func (s *settings) workspaceValues(file lockfile.File) ([]value, error) {
	leaves, err := workspaceLeaves(file)
	return s.workspaceSettings(file, leaves), err
}

// workspaceSettings are those that such leaves make.
func (s *settings) workspaceSettings(file lockfile.File, leaves []leaf) (out []value) {
	declared := map[string]bool{}
	for _, l := range leaves {
		if len(l.path) == 0 || l.path[0].text == "$schema" {
			continue
		}
		if strings.Contains(l.path[0].text, "${") { // with a variable that is not set it may be any name
			out = append(out, value{tool: "pnpm", name: l.name(), text: l.text, kind: aboutRegistry, at: l.at, loose: true,
				broken: "is set under a name that holds a variable, which is not expanded here"})
			continue
		}
		name, before := dashed(l.path[0].text), len(out)
		switch path := append([]field{{name, l.path[0].at}}, l.path[1:]...); {
		case name == "registries" && len(path) > 1 && namesRegistry(path[1].text): // what is said of one registry
			if key := path[1]; !declared[key.text] {
				declared[key.text] = true
				out = s.put(out, leaf{text: key.text, at: key.at}, "registries", meaning{kind: aboutRegistry}, "pnpm")
			}
			for i := before; i < len(out); i++ {
				out[i].main = true
			}
		case name == "include":
			if v, ok := s.include(file, path[1:], l); ok {
				out = append(out, v)
			}
		case name == "config-dependencies" && len(path) == 2 && isPlugin(path[1].text):
			out = append(out, value{tool: "pnpm", name: l.name(), text: l.text, kind: aboutCaution, at: l.at,
				fault: "lets a package change what pnpm resolves and starts"})
		case name == "allow-builds" && len(path) == 2:
			if every := all("lets every package run scripts when it is installed"); isOn(l.text) && every(path[1].text) != "" {
				out = append(out, value{tool: "pnpm", name: l.name(), text: l.text, kind: aboutProtection, at: l.at, fault: every(path[1].text)})
			}
		case name == "never-built-dependencies" && l.empty:
			out = append(out, value{tool: "pnpm", name: l.name(), text: "[]", kind: aboutProtection, at: l.at,
				fault: "lets every package run scripts when it is installed"})
		case (name == "remote-cache" || name == "remote-side-effects-cache" || name == "side-effects-cache") && strings.Contains(l.text, "://"):
			out = s.put(out, l, l.name(), meaning{kind: aboutMirror}, "pnpm")
		case name == "lockfile-dir":
			v := value{tool: "pnpm", name: l.name(), text: l.text, kind: aboutFile, at: l.at}
			if s.led(l.text, dirOf(file), "lockfile-folder") != "" {
				v.fault = "makes pnpm obey another lock file, which was not read"
			}
			out = append(out, v)
		default:
			m, known := lookUp(workspace, path)
			if !known && len(path) == 1 {
				if found := meaningOf(name); found != nil {
					m, known = *found, true
				}
			}
			if known {
				out = s.put(out, l, l.name(), m, "pnpm")
			}
		}
		for i := before; i < len(out); i++ {
			out[i].main = out[i].main || name == "registry" || out[i].name == "registries.default"
		}
	}
	return out
}

func dirOf(file lockfile.File) string { return path.Dir(file.Path) }

// namesRegistry tells the address of a registry from a scope.
func namesRegistry(key string) bool {
	return strings.Contains(key, "://") || strings.HasPrefix(key, "//")
}

// isPlugin is true for the config dependencies whose pnpmfile pnpm loads.
func isPlugin(name string) bool {
	return strings.HasPrefix(name, "pnpm-plugin-") || strings.HasPrefix(name, "@pnpm/plugin-") ||
		strings.HasPrefix(name, "@") && strings.Contains(name, "/pnpm-plugin-")
}

// include reads a file that a pnpm-workspace.yaml leaves settings to, as pnpm 12.15 does; not those that this one names.
// It is true for what has to be told.
func (s *settings) include(file lockfile.File, rest []field, l leaf) (value, bool) {
	if len(rest) == 0 {
		return value{}, false
	}
	from := rest[0]
	v := value{tool: "pnpm", name: "include", text: from.text, kind: aboutFile, at: from.at}
	if !strings.HasPrefix(from.text, ".") {
		v.text, v.kind, v.fault = from.text, aboutCaution, "lets a package set what pnpm does"
		return v, !isIndex(from.text) && (l.empty || len(rest) == 1 || rest[1].text == toolfile.Index(0))
	}
	name := path.Join(dirOf(file), from.text)
	switch {
	case !filepath.IsLocal(filepath.FromSlash(name)):
		v.fault = "leaves settings to a file outside the checkout, which was not read"
	case path.Base(name) == workspaceName || s.read[name]:
		return v, false
	case !s.following:
		return v, false
	case s.sent >= maxSent:
		v.fault = fmt.Sprintf("leaves settings to one of more than %d files, which was not read", maxSent)
	default:
		if s.sent++; !s.readOther(name, (*settings).includedValues) {
			v.fault = "leaves settings to a file that is not there"
		}
	}
	return v, v.fault != ""
}

// includedValues are those of an included file, which includes no other.
func (s *settings) includedValues(file lockfile.File) ([]value, error) {
	before := s.following
	s.following = false
	defer func() { s.following = before }()
	return s.workspaceValues(file)
}

// pnpmWorkspaces are the patterns of the workspace that a directory lies in, and the workspace's own directory.
func pnpmWorkspaces(co *lockfile.Checkout, dir string) (patterns []string, from string) {
	for from = dir; ; from = path.Dir(from) {
		file, err := co.Read(path.Join(from, workspaceName), maxHand)
		if err == nil {
			leaves, _ := workspaceLeaves(file)
			var packages []string
			for _, l := range leaves {
				if match("packages.[]", l.path) {
					packages = append(packages, l.text)
				}
			}
			return directories(packages), from
		}
		if from == "." {
			return nil, dir
		}
	}
}

// besides adds what a pnpm-workspace.yaml beside the package.json puts in the place of packages. One that cannot be
// understood is an error of the settings.
func (m *packageJSON) besides(co *lockfile.Checkout, dir string) {
	file, err := co.Read(path.Join(dir, workspaceName), maxHand)
	if err != nil {
		return
	}
	leaves, _ := workspaceLeaves(file)
	for _, l := range leaves {
		if n := len(l.path); n > 1 && slices.Contains(overriding, l.path[0].text) {
			m.linked = m.linked || file.Linked
			m.overrides = append(m.overrides, want{setting: l.path[0].text, name: l.path[n-1].text, text: l.text, at: l.at})
		}
	}
}

// namedRegistries are the registries to which pnpm-workspace.yaml files give a name, by the directory and the name. A
// file that cannot be understood names none.
func namedRegistries(co *lockfile.Checkout) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, name := range co.Files(workspaceName) {
		file, err := co.Read(name, maxHand)
		if err != nil {
			continue
		}
		leaves, err := workspaceLeaves(file)
		if err != nil {
			continue
		}
		named := map[string]string{}
		for _, l := range leaves {
			switch {
			case match("namedRegistries.*", l.path):
				if _, known := named[l.path[1].text]; !known {
					named[l.path[1].text] = l.text
				}
			case match("registries.*.prefix", l.path), match("registries.*.prefix.[]", l.path):
				named[l.text] = l.path[1].text
			}
		}
		out[path.Dir(name)] = named
	}
	return out
}

// resolveNamed puts the addresses of registries that pnpm's settings name into the entries of a pnpm-lock.yaml.
func resolveNamed(entries []lockfile.Entry, named map[string]string) {
	if len(named) == 0 {
		return
	}
	byFault := make(map[string]string, len(named))
	for alias, url := range named {
		byFault[namedFault(alias)] = strings.TrimRight(url, "/")
	}
	for i := range entries {
		e := &entries[i]
		if base := byFault[e.Fault]; base != "" && e.Fault != "" && !holdsVariable(base) {
			_, version, _ := strings.Cut(e.Version, ":")
			e.Fault, e.URL = "", base+"/"+e.Name+"/-/"+e.Name[strings.LastIndexByte(e.Name, '/')+1:]+"-"+version+".tgz"
			e.Version = version
		}
	}
}

// namedFault is what an entry lacks as long as nobody knows the registry.
func namedFault(alias string) string {
	return fmt.Sprintf("the settings of pnpm say where the registry %q is", source.Plain(alias, 80))
}
