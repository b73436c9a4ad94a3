// Package cargo is what we know of crates.io, so that its mirrors can be measured: which index cargo would ask on this
// machine, and how one is proven. Nothing is set up for Rust, and no file of a checkout is read.
package cargo

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

// usual is the sparse index that cargo has built in, since 1.70.
const usual = "https://index.crates.io"

// maxSteps bounds how often one source is replaced by another; cargo ends with an error where they go in a circle.
const maxSteps = 10

// New reads cargo's settings in its home outside of the fence. It starts nothing and asks no network. What a project's
// .cargo/config.toml says is a checkout's, and is not read.
func New(m ecosystem.Machine, fence string) *ecosystem.Ecosystem {
	e := &ecosystem.Ecosystem{Name: source.Crates, Catalogue: m.Mirrors, Target: target(genuine()), Trusted: []string{"static.crates.io", "crates.io"}}
	name := "cargo"
	if m.OS == "windows" {
		name = "cargo.exe"
	}
	exe, _ := m.Tool(fence, name)
	e.Installed = exe != ""
	values, notes := settings(m, fence)
	e.Notes = notes
	raw, origin, err := index(m, values)
	if err == nil {
		var s source.Source
		if s, err = m.Named(source.Crates, raw, origin); err == nil {
			e.InForce = []source.Source{s}
			e.Effective = map[string]string{"index": source.Redact(raw)}
			return e
		}
	}
	e.Notes = append(e.Notes, fmt.Sprintf("the index of cargo is left out: %v", err))
	return e
}

// settings are cargo's by their names, of the one file that it reads in its home: config before config.toml.
func settings(m ecosystem.Machine, fence string) (map[string]string, []string) {
	home, _ := m.Lookup("CARGO_HOME")
	if home == "" {
		user := "HOME"
		if m.OS == "windows" {
			user = "USERPROFILE"
		}
		if home, _ = m.Lookup(user); home == "" {
			return nil, nil
		}
		home = filepath.Join(home, ".cargo")
	}
	for _, base := range []string{"config", "config.toml"} {
		name := filepath.Join(home, base)
		data, err := ecosystem.Settings(fence, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var leaves []toolfile.Leaf
		if err == nil {
			leaves, err = toolfile.TOML(data)
		}
		if err != nil {
			return nil, []string{fmt.Sprintf("cargo's settings in %s are left out: %v", source.Plain(name, 200), err)}
		}
		out := map[string]string{}
		for _, l := range leaves {
			out[l.Name()] = l.Text
		}
		return out, nil
	}
	return nil, nil
}

// index is the base of the index in force: crates-io, or what replaces it. Environment variables replace no source
// (measured with cargo 1.95.0), but name the index of a registry that does.
func index(m ecosystem.Machine, values map[string]string) (raw, origin string, err error) {
	name := "crates-io"
	for range maxSteps {
		next := values["source."+name+".replace-with"]
		if next == "" {
			break
		}
		name = next
	}
	shown := source.Plain(name, 100)
	if values["source."+name+".replace-with"] != "" {
		return "", "", errors.New("sources replace one another without an end")
	}
	for _, kind := range []string{"directory", "local-registry", "git"} {
		if values["source."+name+"."+kind] != "" {
			return "", "", fmt.Errorf("source %s is a %s, which is no index", shown, kind)
		}
	}
	raw = values["source."+name+".registry"]
	if raw == "" {
		if raw, _ = m.Lookup("CARGO_REGISTRIES_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_INDEX"); raw == "" {
			raw = values["registries."+name+".index"]
		}
	}
	switch sparse, ok := strings.CutPrefix(raw, "sparse+"); {
	case ok:
		return sparse, source.Runner, nil
	case raw != "":
		return "", "", fmt.Errorf("source %s is a git repository, which is not measured", shown)
	case name != "crates-io":
		return "", "", fmt.Errorf("source %s has no address", shown)
	}
	protocol, _ := m.Lookup("CARGO_REGISTRIES_CRATES_IO_PROTOCOL")
	if protocol == "git" || protocol == "" && values["registries.crates-io.protocol"] == "git" {
		return "", "", errors.New("it is asked by git, which is not measured")
	}
	return usual, source.Builtin, nil
}
