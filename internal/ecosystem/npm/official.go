package npm

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/org/goproxy-action/internal/ecosystem"
)

// defaultRegistry matches the definition in npm 7 and later.
var defaultRegistry = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:new Definition|define)\('registry',\s*\{\s*default:\s*['"](https?://[A-Za-z0-9.:/_-]{1,200})['"]`)
})

// definitions is where npm keeps it: npm 9 and later, and 7 to 8.
var definitions = [...]string{"node_modules/@npmcli/config/lib/definitions/definitions.js", "lib/utils/config/definitions.js"}

// OfficialRegistry is npm's own default registry without a trailing slash: as the user configured it, else as the npm on
// the PATH has it in its files, else as stamped into this build. It is empty where nobody knows. Nothing is run, and an
// npm inside dir, the checkout, is not looked at.
func OfficialRegistry(m ecosystem.Machine, dir string) string {
	if m.Official != "" {
		return strings.TrimRight(m.Official, "/")
	}
	if _, root := find(m, dir); root != "" {
		for _, name := range definitions {
			text, err := ecosystem.ReadFile(filepath.Join(root, filepath.FromSlash(name)), 1<<20) // npm 11's has 80 KB
			if err != nil {
				continue
			}
			if found := defaultRegistry().FindSubmatch(text); found != nil {
				return strings.TrimRight(string(found[1]), "/")
			}
		}
	}
	return strings.TrimRight(m.Stamped, "/")
}

// find returns the npm that the PATH names, and the root of its package; either may be empty.
func find(m ecosystem.Machine, dir string) (exe, root string) {
	name := "npm"
	if m.OS == "windows" {
		name = "npm.cmd"
	}
	exe, real := m.Tool(dir, name)
	if exe == "" {
		return "", ""
	}
	root = filepath.Dir(filepath.Dir(real)) // of …/npm/bin/npm-cli.js
	if m.OS == "windows" {
		root = filepath.Join(filepath.Dir(real), "node_modules", "npm")
	}
	if _, err := os.Stat(filepath.Join(root, "bin", "npm-cli.js")); err != nil || ecosystem.Inside(dir, root) {
		return exe, "" // a version manager's stand-in
	}
	return exe, root
}
