package npm

import (
	"path"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
)

// envNames are the files that bun 1.4 takes variables from before it installs anything, measured.
var envNames = []string{".env", ".env.local", ".env.production", ".env.production.local"}

// bunEnv are those that count for an install.
var bunEnv = map[string]meaning{
	"BUN_CONFIG_REGISTRY":           {kind: aboutRegistry},
	"NPM_CONFIG_REGISTRY":           {kind: aboutRegistry},
	"npm_config_registry":           {kind: aboutRegistry},
	"BUN_CONFIG_TOKEN":              {kind: aboutCredential},
	"NPM_CONFIG_TOKEN":              {kind: aboutCredential},
	"npm_config_token":              {kind: aboutCredential},
	"HTTP_PROXY":                    {kind: aboutProxy},
	"http_proxy":                    {kind: aboutProxy},
	"HTTPS_PROXY":                   {kind: aboutProxy},
	"https_proxy":                   {kind: aboutProxy},
	"NODE_TLS_REJECT_UNAUTHORIZED":  {aboutTLS, is("switches TLS verification off", "0")},
	"BUN_CONFIG_NO_VERIFY":          {aboutIntegrity, on("lets packages in that are not what was locked")},
	"BUN_CONFIG_SKIP_LOAD_LOCKFILE": {aboutIntegrity, on("has bun pass over its lock file")},
	"BUN_INSTALL_CACHE_DIR":         {kind: aboutStore},
}

// bunEnvValues are the settings in a file of variables, which bun reads where it is started. Elsewhere the file is that of
// the project's own programs.
func (s *settings) bunEnvValues(file lockfile.File) ([]value, error) {
	dir := path.Dir(file.Path)
	if !slices.ContainsFunc([]string{"bun.lock", bunBinary, "bunfig.toml"}, func(name string) bool {
		return slices.Contains(s.co.Files(name), path.Join(dir, name))
	}) {
		return nil, nil
	}
	var out []value
	for _, l := range bunEnvLeaves(string(file.Data), file.Path) {
		if m, known := bunEnv[l.name()]; known {
			out = s.put(out, l, l.name(), m, "bun")
		}
	}
	return out, nil
}

// bunEnvLeaves reads NAME=value lines. bun has a way of its own with quotes, colons and ends of lines, so each line counts
// that looks like one, even where it lies in the text of another variable.
func bunEnvLeaves(text, name string) (out []leaf) {
	bol, from := 0, 0
	for line := 1; from < len(text); {
		end := len(text)
		if n := strings.IndexAny(text[from:], "\n\r"); n >= 0 {
			end = from + n
		}
		row := text[from:end]
		if sign := strings.IndexAny(row, "=:"); sign >= 0 {
			key := strings.Trim(row[:sign], " \t\ufeff")
			if rest, ok := strings.CutPrefix(key, "export"); ok && rest != "" && strings.IndexByte(" \t", rest[0]) >= 0 {
				key = strings.Trim(rest, " \t")
			}
			start := sign + 1
			for start < len(row) && (row[start] == ' ' || row[start] == '\t') {
				start++
			}
			at := lockfile.Position{File: name, Line: line, Column: from - bol + min(start, len(row)-1) + 1} // of nothing it is the sign before
			out = append(out, leaf{path: []field{{text: key, at: at}}, text: bunEnvValue(row[start:]), at: at})
		}
		if from = end + 1; end < len(text) && text[end] == '\n' {
			line++
			bol = from
		}
	}
	return out
}

// bunEnvValue takes quotes and a comment off.
func bunEnvValue(text string) string {
	if text != "" && strings.IndexByte("\"'`", text[0]) >= 0 {
		value, _, _ := strings.Cut(text[1:], text[:1])
		return strings.TrimSpace(value)
	}
	value, _, _ := strings.Cut(text, "#")
	return strings.TrimSpace(value)
}
