package npm

import (
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
)

// corepackName is a file that corepack 0.34 reads beside the package.json whose packageManager it obeys; variables of the
// machine are stronger.
const corepackName = ".corepack.env"

// corepack are its variables.
var corepack = map[string]meaning{
	"COREPACK_NPM_REGISTRY":              {kind: aboutRegistry},
	"COREPACK_NPM_TOKEN":                 {kind: aboutCredential},
	"COREPACK_NPM_PASSWORD":              {kind: aboutCredential},
	"COREPACK_INTEGRITY_KEYS":            {aboutIntegrity, among("lets corepack run package managers that the registry's own keys have not signed", func(string) bool { return true })},
	"COREPACK_ENABLE_UNSAFE_CUSTOM_URLS": {aboutProtection, is("lets packageManager name an address", "1")},
	"COREPACK_HOME":                      {aboutIntegrity, among("has corepack run what lies in another directory, unverified", func(dir string) bool { return dir != "" })},
}

// corepackValues are the settings of a .corepack.env, which is read as Node 20 and later read such files.
func (s *settings) corepackValues(file lockfile.File) ([]value, error) {
	var out []value
	for _, l := range envLeaves(string(file.Data), file.Path) {
		if m, known := corepack[l.name()]; known {
			out = s.put(out, l, l.name(), m, "corepack")
		}
	}
	return out, nil
}

// envLeaves reads NAME=value lines: "export " may stand before a name, a value may stand in quotes, and in these go over
// several lines, and what follows the quotes, or a #, is a comment. Node refuses nothing.
func envLeaves(text, name string) (out []leaf) {
	lineEnd := func(i int) int {
		if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
			return i + n
		}
		return len(text)
	}
	open := map[byte]bool{} // quotes that none closes any more
	for i, line := 0, 1; i < len(text); line++ {
		bol, end := i, lineEnd(i)
		i = end + 1
		key, rest, ok := strings.Cut(text[bol:end], "=")
		if key = strings.TrimSpace(key); !ok || key == "" || key[0] == '#' {
			continue
		}
		from := end - len(strings.TrimLeft(rest, " \t"))
		at := lockfile.Position{File: name, Line: line, Column: max(min(from, end-1)-bol, 0) + 1} // of nothing it is the sign before
		value, _, _ := strings.Cut(text[from:end], "#")
		value = strings.TrimSpace(value)
		if from < end && strings.IndexByte("\"'`", text[from]) >= 0 && !open[text[from]] {
			if n := strings.IndexByte(text[from+1:], text[from]); n >= 0 {
				value = text[from+1 : from+1+n]
				line += strings.Count(value, "\n")
				i = lineEnd(from+1+n) + 1
			} else {
				open[text[from]] = true
			}
		}
		key = strings.TrimSpace(strings.TrimPrefix(key, "export "))
		out = append(out, leaf{path: []field{{text: key, at: at}}, text: value, at: at})
	}
	return out
}
