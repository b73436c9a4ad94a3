package golang

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// SumLine is one line of a go.sum or go.work.sum.
type SumLine struct {
	// Module is the path, Version has no "/go.mod" at its end.
	Module, Version string
	// GoMod is true for the hash of the go.mod file alone.
	GoMod bool
	// Hash is "h1:" and base64, as written.
	Hash string
	// Line and Column start at 1; Column is the hash's, in bytes.
	Line, Column int
}

// emptyGoMod is the hash of an empty go.mod, which go once wrote for what is no module. The go command skips such lines
// (cmd/go/internal/modfetch.readGoSum), and so do we.
const emptyGoMod = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY="

// ParseSum reads a go.sum. A line of another shape, and two hashes for one thing, are a *problem.Problem of code Usage at
// file:line:column; what a linked file holds is not quoted. Hashes of algorithms still unknown ("h2:") are kept.
func ParseSum(file lockfile.File) ([]SumLine, error) {
	type key struct {
		module, version, algorithm string
		gomod                      bool
	}
	type first struct {
		hash string
		line int
	}
	seen := map[key]first{}
	var out []SumLine
	n := 0
	for line := range strings.Lines(string(file.Data)) {
		n++
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		wrong := func(field int, hint, format string, args ...any) error {
			column, from := 1, 0
			for i := range min(field+1, len(fields)) {
				from += strings.Index(line[from:], fields[i])
				column = from + 1
				from += len(fields[i])
			}
			p := problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(file.Path, 0), n, column), hint, format, args...)
			if !file.Linked {
				p.Excerpt = source.Plain(source.Redact(strings.TrimRight(line, "\r\n")), 200)
			}
			return p
		}
		const tidy = "run go mod tidy where the modules can be downloaded, and commit the result"
		if len(fields) != 3 {
			return nil, wrong(0, tidy, "the line has %d fields, and must have 3: module, version and hash", len(fields))
		}
		if fields[2] == emptyGoMod {
			continue
		}
		// only space may follow the hash, so its last occurrence in the line is the field
		l := SumLine{Module: fields[0], Hash: fields[2], Line: n, Column: strings.LastIndex(line, fields[2]) + 1}
		l.Version, l.GoMod = strings.CutSuffix(fields[1], "/go.mod")
		if !semver.IsValid(l.Version) {
			return nil, wrong(1, tidy, "the second field is not a version such as v1.2.3 or v1.2.3/go.mod")
		}
		algorithm, sum, ok := strings.Cut(l.Hash, ":")
		if !ok || len(algorithm) < 2 || algorithm[0] != 'h' || strings.Trim(algorithm[1:], "0123456789") != "" {
			return nil, wrong(2, tidy, `the third field is not a hash such as "h1:" and 44 characters of base64`)
		}
		if raw, err := base64.StdEncoding.DecodeString(sum); algorithm == "h1" && (err != nil || len(raw) != 32) {
			return nil, wrong(2, tidy, "the hash is not h1: and the base64 of 32 bytes")
		}
		k := key{l.Module, l.Version, algorithm, l.GoMod}
		if f, ok := seen[k]; !ok {
			seen[k] = first{l.Hash, n}
		} else if f.hash != l.Hash {
			what := "this module"
			if !file.Linked {
				what = source.Plain(fields[0]+" "+fields[1], 200)
			}
			return nil, wrong(0, "find out which of the two is true (go mod verify, the checksum database) and delete the other line",
				"two different hashes for %s, the other one in line %d", what, f.line)
		}
		out = append(out, l)
	}
	return out, nil
}

// sums are which hashes of a module version some go.sum files hold.
type sums map[module.Version]hashed

// hashed is a set of hashes.
type hashed uint8

const (
	zipHashed hashed = 1 << iota
	modHashed
)

func (s sums) join(other sums) {
	for m, h := range other {
		s[m] |= h
	}
}

// ledger is all lines of all go.sum and go.work.sum files.
type ledger struct {
	versions map[module.Version]bool
	files    []sumFile
}

type sumFile struct {
	path  string
	lines []SumLine
}

func (l *ledger) add(path string, lines []SumLine) sums {
	l.files = append(l.files, sumFile{path, lines})
	have := make(sums, len(lines)/2)
	for _, line := range lines {
		m := module.Version{Path: line.Module, Version: line.Version}
		l.versions[m] = true
		if line.GoMod {
			have[m] |= modHashed
		} else {
			have[m] |= zipHashed
		}
	}
	return have
}

// clashes are the lines that another file contradicts. Within one file ParseSum refuses them. Each is told once, at the
// later file, where a go.work.sum comes after all go.sum files.
func (l *ledger) clashes() []decide.Clash {
	if len(l.files) < 2 {
		return nil
	}
	type key struct {
		module.Version
		algorithm string
		gomod     bool
	}
	type first struct {
		hash, path string
		line       int
	}
	seen := map[key]first{}
	var out []decide.Clash
	for _, f := range l.files {
		for _, line := range f.lines {
			algorithm, _, _ := strings.Cut(line.Hash, ":")
			k := key{module.Version{Path: line.Module, Version: line.Version}, algorithm, line.GoMod}
			other, ok := seen[k]
			switch {
			case !ok:
				seen[k] = first{line.Hash, f.path, line.Line}
			case other.hash != line.Hash:
				c := decide.Clash{Module: line.Module, Version: line.Version, Other: fmt.Sprintf("%s:%d", other.path, other.line),
					Position: lockfile.Position{File: f.path, Line: line.Line, Column: line.Column}}
				if line.GoMod {
					c.Version += "/go.mod"
				}
				out = append(out, c)
			}
		}
	}
	return out
}
