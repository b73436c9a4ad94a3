package git

import (
	"errors"
	"fmt"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

// maxConfigFile bounds one file in git's configuration format. Chromium's .gitmodules has 40 KB.
const maxConfigFile = 4 << 20

// variable is one setting of a file in git's configuration format.
type variable struct {
	// key is the canonical name, "url.https://a.test/.insteadof".
	key string
	// section and name are in lower case; sub, the subsection, is as written, and in lower case where it stands behind a
	// dot.
	section, sub, name string
	// value is decoded; empty where there is no =, which means true to a switch.
	value string
	bare  bool
	// at is the place of the value, or of the name where there is none; header that of the section's subsection, or of
	// the section where it has none.
	at, header lockfile.Position
}

// on reads a switch as git does; ok is false for what is none, with which git ends.
func (v variable) on() (on, ok bool) { return toolfile.Variable{Value: v.value, Bare: v.bare}.On() }

// parseConfig reads a file. The error is a *problem.Problem of code Usage, and quotes nothing of it.
func parseConfig(file lockfile.File) ([]variable, error) {
	found, err := toolfile.Git(file.Data)
	if f, ok := errors.AsType[*toolfile.Fault](err); ok {
		return nil, problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(file.Path, 200), f.At.Line, f.At.Column),
			"write it as git config does, or see what git config --list --file says", "%s", f.Text)
	}
	place := func(at toolfile.Place) lockfile.Position {
		return lockfile.Position{File: file.Path, Line: at.Line, Column: at.Column}
	}
	out := make([]variable, 0, len(found))
	for _, v := range found {
		out = append(out, variable{v.Key, v.Section, v.Sub, v.Name, v.Value, v.Bare, place(v.At), place(v.Header)})
	}
	return out, nil
}
