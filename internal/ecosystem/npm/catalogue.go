package npm

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// Catalogue are the public mirrors of the npm registry that are known to this program. The official registry is not
// among them: its address is asked of npm itself.
func Catalogue() []source.Source {
	const checked = "2026-11-22"
	row := func(id, url, operator, claim string) source.Source {
		return source.Source{ID: id, Ecosystem: source.NPM, Role: source.Registry, URL: url, Origin: source.Builtin,
			Operator: operator, Region: "China", Claim: claim, Checked: checked, Public: true}
	}
	return []source.Source{
		row("registry.npmmirror.com", "https://registry.npmmirror.com", "npmmirror (cnpm, Alibaba Cloud)", "https://npmmirror.com"),
		row("mirrors.huaweicloud.com", "https://mirrors.huaweicloud.com/repository/npm", "Huawei Cloud", "https://mirrors.huaweicloud.com/home"),
		row("mirrors.cloud.tencent.com", "https://mirrors.cloud.tencent.com/npm", "Tencent Cloud", "https://mirrors.cloud.tencent.com/help/npm.html"),
	}
}

// defaultRegistry matches the definition in npm 7 and later.
var defaultRegistry = regexp.MustCompile(`(?:new Definition|define)\('registry',\s*\{\s*default:\s*['"](https?://[A-Za-z0-9.:/_-]{1,200})['"]`)

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
			text, err := readBounded(filepath.Join(root, filepath.FromSlash(name)), 1<<20) // npm 11's has 80 KB
			if err != nil {
				continue
			}
			if found := defaultRegistry.FindSubmatch(text); found != nil {
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
	exe, real := onPath(m, dir, name)
	if exe == "" {
		return "", ""
	}
	root = filepath.Dir(filepath.Dir(real)) // of …/npm/bin/npm-cli.js
	if m.OS == "windows" {
		root = filepath.Join(filepath.Dir(real), "node_modules", "npm")
	}
	if _, err := os.Stat(filepath.Join(root, "bin", "npm-cli.js")); err != nil || inside(dir, root) {
		return exe, "" // a version manager's stand-in
	}
	return exe, root
}

// onPath finds a program and what it is a link to. A relative directory and one inside the checkout are passed over:
// nothing of the checkout is started.
func onPath(m ecosystem.Machine, dir, name string) (exe, real string) {
	for _, d := range safePath(m, dir) {
		exe := filepath.Join(d, name)
		real, err := filepath.EvalSymlinks(exe)
		if err != nil || inside(dir, real) {
			continue
		}
		info, err := os.Stat(real)
		if err == nil && info.Mode().IsRegular() && (m.OS == "windows" || info.Mode()&0o111 != 0) {
			return exe, real
		}
	}
	return "", ""
}

// safePath is the PATH without relative directories and those of the checkout.
func safePath(m ecosystem.Machine, dir string) []string {
	path, _ := m.Lookup("PATH")
	var out []string
	for _, d := range filepath.SplitList(path) {
		if filepath.IsAbs(d) && !inside(dir, d) {
			out = append(out, d)
		}
	}
	return out
}

// inside tells whether path is dir or below it, with symbolic links followed as far as they exist.
func inside(dir, path string) bool {
	resolve := func(p string) string {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return real
		}
		return filepath.Clean(p)
	}
	rel, err := filepath.Rel(resolve(dir), resolve(path))
	return err == nil && filepath.IsLocal(rel)
}

// readBounded reads a regular file of the machine.
func readBounded(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name) // before open, which would wait for a writer of a named pipe
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, os.ErrInvalid
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
