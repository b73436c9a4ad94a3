package git

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// modules is the file of the checkout that git takes submodules from.
const modules = ".gitmodules"

// Names are the base names of the files that are read of a checkout.
func Names() []string { return []string{modules} }

// forges are the hosts that are trusted where the user has no list: whoever works with git has code from there.
var forges = []string{"github.com", "gist.github.com", "gitlab.com", "bitbucket.org", "codeberg.org"}

// New reads what the checkout tells git, and what the configuration of this machine and of the clone does.
func New(m ecosystem.Machine, co *lockfile.Checkout) (*ecosystem.Ecosystem, error) {
	e := &ecosystem.Ecosystem{Name: source.Git, Trusted: slices.Clone(forges), Hosts: known}
	root := repository(co)
	subs, err := readModules(co)
	switch {
	case errors.Is(err, errLinked):
		e.Notes = append(e.Notes, modules+" is reached by a symbolic link, which git refuses to read")
	case err != nil:
		return nil, err
	case root != "" && root != co.Dir():
		subs = nil // git reads that of the repository's root alone
		if _, err := os.Lstat(filepath.Join(root, modules)); err == nil && !m.RepoOnly {
			e.Notes = append(e.Notes, "the submodules of the repository are not judged: "+modules+" lies above the directory that is checked")
		}
	}
	e.Present = len(subs) > 0
	var c configuration
	if !m.RepoOnly {
		c = readConfiguration(m, co, root)
		c.modules = subs
	}
	settings, told := c.facts()
	e.Notes = append(e.Notes, c.notes...)
	told.Submodules = append(told.Submodules, subs...)
	e.Fill = func(in *decide.Input, _ *choose.Choice) {
		in.Settings = append(in.Settings, settings...)
		judged := slices.ContainsFunc(settings, func(s decide.Setting) bool { return s.Name != "safe.directory" })
		if judged || len(told.Submodules)+len(told.Rewrites)+len(told.Programs)+len(told.Files) > 0 {
			git := told
			git.Submodules = append([]decide.Submodule{}, told.Submodules...) // their origins are told later
			in.Git = &git
		}
	}
	return e, nil
}

// repository is the nearest directory that holds .git, from the checkout up to its fence; empty where there is none.
func repository(co *lockfile.Checkout) string {
	for dir := co.Dir(); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == co.Fence || dir == filepath.Dir(dir) || !ecosystem.Inside(co.Fence, dir) {
			return ""
		}
	}
}

var errLinked = errors.New("is reached by a symbolic link")

// readModules reads .gitmodules.
func readModules(co *lockfile.Checkout) ([]decide.Submodule, error) {
	file, err := co.Read(modules, maxConfigFile)
	switch {
	case file.Linked || err != nil && co.Linked(modules):
		return nil, fmt.Errorf("%s %w", modules, errLinked)
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return submodules(file)
}

// known are the keys of the submodules that a commit has. One whose .gitmodules cannot be read knows none: git reads none
// of it either, and the change that mends it is judged whole.
func known(co *lockfile.Checkout) (map[string]bool, error) {
	subs, err := readModules(co)
	if err != nil {
		return nil, nil
	}
	keys := map[string]bool{}
	for _, s := range subs {
		keys[s.Key] = true
	}
	return keys, nil
}
