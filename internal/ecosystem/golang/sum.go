package golang

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/semver"

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
	// Line starts at 1.
	Line int
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
		l := SumLine{Module: fields[0], Hash: fields[2], Line: n}
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
