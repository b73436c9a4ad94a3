// Package inject applies changes with a journal, and takes them back.
package inject

import (
	"path/filepath"
	"slices"

	"github.com/org/goproxy-action/internal/problem"
)

// Change is one environment variable that the following steps shall have.
type Change struct {
	// Kind is "env".
	Kind string `json:"kind"`
	// Ecosystem is what needs it ("go", "npm", "git", "proxy").
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	// Value is raw and may hold a secret; reports show Shown.
	Value string `json:"-"`
	// Shown is Value with secrets masked.
	Shown string `json:"value"`
	// Why is the reason, in words.
	Why string `json:"why"`
	// File is a file of this run that Value leads to; nil where there is none. Place makes it, and the Value.
	File *File `json:"-"`
}

// File is a file of the run.
type File struct {
	// Name is its base name; two changes may have the same file.
	Name string
	// Data is its content, which may hold secrets.
	Data []byte
	// Value makes the variable's value of the file's path; nil takes the path itself, and empty means that the path cannot
	// be told.
	Value func(path string) string
}

// NotYet is what is shown of a Value whose file is not made.
const NotYet = "a file of this run"

// Place makes the files of changes in the directory of the run, 0600, and returns the changes with their values.
func Place(changes []Change, dir string) ([]Change, error) {
	out := slices.Clone(changes)
	for i, c := range out {
		if c.File == nil {
			continue
		}
		path := filepath.Join(dir, c.File.Name)
		out[i].Value = path
		if c.File.Value != nil {
			out[i].Value = c.File.Value(path)
		}
		if out[i].Value == "" {
			return nil, problem.New(problem.Usage, "hand over "+c.Name, "set TMPDIR to a directory with a plain name", "the path of the directory for generated files holds a character that the setting cannot hold")
		}
		out[i].Shown = out[i].Value
		if err := WriteFile(path, c.File.Data); err != nil {
			return nil, problem.New(problem.Usage, "write "+c.File.Name, "set TMPDIR to a directory that can be written", "%w", err)
		}
	}
	return out, nil
}
