package npm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

// maxHand bounds a settings file of yarn, pnpm or bun. A pnpm-workspace.yaml with a catalog of 2000 packages has 80 KB.
const maxHand = 1 << 20

// leaf is one text of a settings file, or an empty mapping or list.
type leaf struct {
	// path are the keys that lead to it, those of a list's items being [0], [1] and so on.
	path []field
	text string
	// empty is true for a mapping or list without content, which has no text.
	empty bool
	at    lockfile.Position
}

// name is the path as people write it: the items of a list have the list's name.
func (l leaf) name() string {
	var b strings.Builder
	for _, key := range l.path {
		if isIndex(key.text) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(key.text)
	}
	return b.String()
}

func isIndex(key string) bool { return toolfile.IsIndex(key) }

// match tells whether a pattern like "npmScopes.*.npmRegistryServer" means the path: * is any key, [] any item.
func match(pattern string, path []field) bool {
	n := 0
	for part := range strings.SplitSeq(pattern, ".") {
		if n == len(path) || part != path[n].text && !(part == "*" && !isIndex(path[n].text)) && !(part == "[]" && isIndex(path[n].text)) {
			return false
		}
		n++
	}
	return n == len(path)
}

// badSettings says what is wrong with a settings file. Of one that was reached through a link nothing is shown.
func badSettings(file lockfile.File, at lockfile.Position, tool, format string, args ...any) error {
	if file.Linked {
		format, args = "is no settings file of %s (what stands behind a link is not shown)", []any{tool}
	}
	return problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(file.Path, 200), max(at.Line, 1), max(at.Column, 1)),
		"write it so that "+tool+" and this program read the same, or remove it", format, args...)
}

// settingsError gives a fault of a settings file its file and tool; nil stays nil.
func settingsError(file lockfile.File, tool string, err error) error {
	f, ok := errors.AsType[*toolfile.Fault](err)
	if !ok {
		return err
	}
	return badSettings(file, lockfile.Position{Line: f.At.Line, Column: f.At.Column}, tool, "%s", f.Text)
}

// leavesOf takes over what a reader has found.
func leavesOf(file lockfile.File, found []toolfile.Leaf) []leaf {
	place := func(at toolfile.Place) lockfile.Position {
		return lockfile.Position{File: file.Path, Line: at.Line, Column: at.Column}
	}
	var out []leaf
	for _, l := range found {
		one := leaf{text: l.Text, empty: l.Empty, at: place(l.At)}
		for _, key := range l.Path {
			one.path = append(one.path, field{key.Text, place(key.At)})
		}
		out = append(out, one)
	}
	return out
}

// yamlLeaves reads one YAML document that people write. The error is a *problem.Problem of code Usage.
func yamlLeaves(file lockfile.File, tool string) ([]leaf, error) {
	found, err := toolfile.YAML(file.Data, tool)
	return leavesOf(file, found), settingsError(file, tool, err)
}

// tomlLeaves reads a bunfig.toml. The error is a *problem.Problem of code Usage.
func tomlLeaves(file lockfile.File) ([]leaf, error) {
	found, err := toolfile.TOML(file.Data)
	return leavesOf(file, found), settingsError(file, "bun", err)
}
