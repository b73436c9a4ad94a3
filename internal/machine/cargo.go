package machine

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// cargo reads variables and the file in its home. It also takes git's http.proxy, from git's files and not from
// GIT_CONFIG_GLOBAL, before it takes the environment's. Of the two names of its file it prefers the old one.
func (r *reader) cargo() {
	if v, set := r.Lookup("CARGO_HTTP_PROXY"); set { // an empty one is "directly"
		r.add(Setting{Tool: Cargo, Kind: AllProxy, Key: "http.proxy", Value: v, Origin: "CARGO_HTTP_PROXY"})
	}
	if v := r.get("CARGO_HTTP_CAINFO"); v != "" {
		r.add(Setting{Tool: Cargo, Kind: CABundle, Key: "http.cainfo", Value: v, Origin: "CARGO_HTTP_CAINFO"})
	}
	dir := r.get("CARGO_HOME")
	if dir == "" {
		dir = r.home(".cargo")
	}
	if dir == "" {
		return
	}
	file := filepath.Join(dir, "config")
	if _, _, err := r.load(file); errors.Is(err, fs.ErrNotExist) {
		file = filepath.Join(dir, "config.toml")
	}
	for _, l := range r.toml(file) {
		s := Setting{Tool: Cargo, Key: l.Name(), Value: l.Text, Origin: r.at(file, l.At.Line)}
		switch s.Key {
		case "http.proxy":
			s.Kind = AllProxy
			r.add(s)
		case "http.cainfo":
			if s.Kind = CABundle; !filepath.IsAbs(s.Value) && !strings.Contains(s.Value, "://") { // relative to the directory that holds .cargo
				s.Value = filepath.Join(filepath.Dir(dir), s.Value)
			}
			r.add(s)
		}
	}
	g := &gitConfig{r: r, quiet: true}
	for _, file := range []string{"/etc/gitconfig", r.xdg("git", "config"), r.home(".gitconfig")} {
		g.read(file, 0)
	}
	for _, s := range slices.Backward(g.found) {
		if s.Key == "http.proxy" && s.Value != "" {
			r.add(Setting{Tool: Cargo, Kind: AllProxy, Key: "http.proxy of git", Value: s.Value, Origin: s.origin})
			return
		}
	}
}
