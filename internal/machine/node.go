package machine

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/toolfile"
)

// nodeKeys are what npm's keys of the network mean, which pnpm and yarn 1 have taken over.
var nodeKeys = map[string]Kind{"https-proxy": HTTPSProxy, "proxy": HTTPProxy, "http-proxy": HTTPProxy, "noproxy": NoProxy, "no-proxy": NoProxy,
	"cafile": CABundle, "ca": CABundle, "strict-ssl": Insecure}

// nodeNames are those keys in an order that does not change.
var nodeNames = []string{"https-proxy", "proxy", "http-proxy", "noproxy", "no-proxy", "cafile", "ca", "strict-ssl"}

// npm reads what npm 11 reads outside of a project (@npmcli/config): variables, the user's file, the global one, and the
// one that a distribution may have put beside the program. Its proxies hide the environment's, its noproxy is added to NO_PROXY,
// and its proxy for http is taken for https where there is none for that (measured with npm 11).
func (r *reader) npm() {
	r.npmVariables(NPM, "npm_config_", "NPM_CONFIG_")
	user := r.rc(r.npmUserFile())
	r.nodeLines(NPM, user)
	for _, kind := range nodeKeys {
		if r.taken[group{NPM, "", kind}] {
			r.npmOwn = append(r.npmOwn, kind)
		}
	}
	global := r.either("npm_config_globalconfig", "NPM_CONFIG_GLOBALCONFIG")
	if global == "" {
		prefix := r.either("npm_config_prefix", "NPM_CONFIG_PREFIX")
		for _, l := range user {
			if prefix == "" && l.Key == "prefix" {
				prefix = r.expandHome(l.Value)
			}
		}
		if prefix == "" {
			prefix = r.get("PREFIX")
		}
		if _, node := r.tool("node"); prefix == "" && node != "" {
			if prefix = filepath.Dir(node); r.OS != "windows" {
				prefix = filepath.Dir(prefix)
			}
		}
		global = below(prefix, "etc", "npmrc")
	}
	r.nodeLines(NPM, r.rc(global))
	if _, cli := r.tool("npm"); strings.HasSuffix(cli, ".js") {
		r.nodeLines(NPM, r.rc(filepath.Join(filepath.Dir(filepath.Dir(cli)), "npmrc")))
	}
}

func (r *reader) npmUserFile() string {
	if file := r.either("npm_config_userconfig", "NPM_CONFIG_USERCONFIG"); file != "" {
		return r.expandHome(file)
	}
	return r.home(".npmrc")
}

// either is the first of some variables that is set and not empty.
func (r *reader) either(names ...string) string {
	for _, name := range names {
		if v := r.get(name); v != "" {
			return v
		}
	}
	return ""
}

// npmVariables takes over a tool's own variables: npm takes the names in any case, and with dashes for underscores. Where
// both cases are set npm takes the one that comes last in the environment; the upper one is taken here, and a conflict tells.
func (r *reader) npmVariables(tool string, prefixes ...string) {
	for _, key := range nodeNames {
		for _, prefix := range slices.Backward(prefixes) {
			name := prefix + strings.ReplaceAll(key, "-", "_")
			if strings.ToUpper(prefix) == prefix {
				name = strings.ToUpper(name)
			}
			for _, name := range []string{name, prefix + key} {
				if v := r.get(name); v != "" {
					r.nodeSetting(tool, key, v, name)
				}
			}
		}
	}
}

// rcLine is a line of an .npmrc with its origin.
type rcLine struct {
	toolfile.Line
	origin string
}

// rc reads an .npmrc, the last line first, as that counts.
func (r *reader) rc(file string) []rcLine {
	data, ok := r.read(file)
	if !ok {
		return nil
	}
	lines, err := toolfile.RC(data)
	if err != nil {
		r.missed(r.shownPath(file), err)
		return nil
	}
	var out []rcLine
	for _, l := range slices.Backward(lines) {
		l.Key = toolfile.ExpandRC(l.Key, r.Lookup)
		l.Value = toolfile.ExpandRC(l.Value, r.Lookup)
		out = append(out, rcLine{l, r.at(file, l.At.Line)})
	}
	return out
}

func (r *reader) nodeLines(tool string, lines []rcLine) {
	for _, l := range lines {
		r.nodeSetting(tool, l.Key, l.Value, l.origin)
	}
}

// nodeSetting takes over one key. null and false are "no proxy of mine": they hide the key's weaker settings, and the
// environment's proxy counts (measured).
func (r *reader) nodeSetting(tool, key, value, origin string) {
	kind, ok := nodeKeys[key]
	if !ok {
		return
	}
	s := Setting{Tool: tool, Kind: kind, Key: key, Value: value, Origin: origin}
	switch {
	case kind == Insecure:
		r.switched(s, value == "false")
	case value == "" || value == "null" || value == "false" && kind != NoProxy:
		r.hide(tool, kind, "")
	default:
		if key == "cafile" {
			s.Value = r.expandHome(value)
		}
		r.add(s)
	}
}

// pnpm reads what pnpm has for itself; what it takes of npm's files and variables is told of npm. Its rc stands where npm has
// the global file: the user's .npmrc and npm's variables hide it (measured with pnpm 10). Version 12 reads pnpm_config_
// variables and no longer npm's.
func (r *reader) pnpm() {
	r.npmVariables(PNPM, "pnpm_config_", "PNPM_CONFIG_")
	dir := r.xdg("pnpm")
	if r.get("XDG_CONFIG_HOME") == "" {
		switch r.OS {
		case "darwin":
			dir = r.home("Library", "Preferences", "pnpm")
		case "windows":
			dir = below(r.get("LOCALAPPDATA"), "pnpm", "config")
		}
	}
	if dir == "" {
		return
	}
	file := filepath.Join(dir, "config.yaml") // of pnpm 11 and later
	for _, l := range r.yaml(file, "pnpm") {
		key := strings.ReplaceAll(kebab(l.Name()), "_", "-")
		if len(l.Path) == 1 && !l.Empty {
			r.nodeSetting(PNPM, key, toolfile.ExpandRC(l.Text, r.Lookup), r.at(file, l.At.Line))
		}
	}
	for _, kind := range r.npmOwn {
		r.hide(PNPM, kind, "")
	}
	r.nodeLines(PNPM, r.rc(filepath.Join(dir, "rc")))
}

// kebab makes https-proxy of httpsProxy.
func kebab(name string) string {
	var b strings.Builder
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('-')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// yaml reads a YAML file, the last leaf first.
func (r *reader) yaml(file, tool string) []toolfile.Leaf {
	data, ok := r.read(file)
	if !ok {
		return nil
	}
	leaves, err := toolfile.YAML(data, tool)
	if err != nil {
		r.missed(r.shownPath(file), silent(err, "is no YAML that "+tool+" reads"))
		return nil
	}
	slices.Reverse(leaves)
	return leaves
}

// silent keeps the place of a fault whose text may quote the file.
func silent(err error, text string) error {
	if f, ok := errors.AsType[*toolfile.Fault](err); ok {
		return &toolfile.Fault{At: f.At, Text: text}
	}
	return errors.New(text)
}

// yarn reads what yarn 1 has for itself; what it does not find there it takes of npm's files and variables.
func (r *reader) yarn() {
	r.npmVariables(Yarn, "yarn_", "YARN_")
	file := r.home(".yarnrc")
	data, ok := r.read(file)
	if !ok {
		return
	}
	leaves, err := toolfile.Yarn(data)
	if err != nil {
		asYAML, e := toolfile.YAML(data, "yarn") // as yarn does
		if e != nil || slices.ContainsFunc(asYAML, func(l toolfile.Leaf) bool { return len(l.Path) == 0 }) {
			r.missed(r.shownPath(file), silent(err, "is not in yarn's format"))
			return
		}
		leaves = asYAML
	}
	for _, l := range slices.Backward(leaves) {
		if len(l.Path) == 1 && !l.Empty {
			r.nodeSetting(Yarn, l.Name(), l.Text, r.at(file, l.At.Line))
		}
	}
}

// berryKeys are the settings of yarn 2 and later, and their variables. Yarn reads neither the environment's proxies nor
// NO_PROXY.
var berryKeys = []struct {
	key, variable string
	kind          Kind
}{
	{"httpsProxy", "YARN_HTTPS_PROXY", HTTPSProxy},
	{"httpProxy", "YARN_HTTP_PROXY", HTTPProxy},
	{"httpsCaFilePath", "YARN_HTTPS_CA_FILE_PATH", CABundle},
	{"caFilePath", "YARN_CA_FILE_PATH", CABundle}, // yarn 2 and 3
	{"enableStrictSsl", "YARN_ENABLE_STRICT_SSL", Insecure},
}

// berry reads ~/.yarnrc.yml. Yarn looks for that file in all directories above the project, too, of which nothing is known
// here.
func (r *reader) berry() {
	put := func(s Setting) {
		switch {
		case s.Kind == Insecure:
			r.switched(s, s.Value == "false" || s.Value == "0")
		case s.Value == "" || s.Value == "null":
			r.hide(Berry, s.Kind, s.For)
		default:
			r.add(s)
		}
	}
	for _, k := range berryKeys {
		// yarn 1 has the names of the first two as well
		if v := r.get(k.variable); v != "" {
			put(Setting{Tool: Berry, Kind: k.kind, Key: k.key, Value: v, Origin: k.variable})
		}
	}
	file := r.home(".yarnrc.yml")
	for _, l := range r.yaml(file, "yarn") {
		scope, key := "", l.Name()
		if len(l.Path) == 3 && l.Path[0].Text == "networkSettings" {
			scope, key = l.Path[1].Text, l.Path[2].Text
		} else if len(l.Path) != 1 {
			continue
		}
		for _, k := range berryKeys {
			if k.key == key && !l.Empty {
				put(Setting{Tool: Berry, Kind: k.kind, For: scope, Key: key, Value: expandBerry(l.Text, r.Lookup), Origin: r.at(file, l.At.Line)})
			}
		}
	}
}

// expandBerry replaces ${NAME}, ${NAME-default} and ${NAME:-default} as yarn 4 does; a name that is not set and has no
// default stays, which is an error to yarn.
func expandBerry(text string, lookup func(string) (string, bool)) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(before)
		name, fallback, has := strings.Cut(name, "-")
		plain, colon := strings.CutSuffix(name, ":")
		value, set := lookup(plain)
		switch {
		case set && (value != "" || !colon):
			b.WriteString(value)
		case has:
			b.WriteString(fallback)
		default:
			b.WriteString(text[len(before) : len(text)-len(after)])
		}
		text = after
	}
}

// bun reads bun's own file, which has no proxy: for that it goes by the environment. Behind it counts the user's .npmrc, and
// neither npm's global file nor its variables (measured with bun 1.4).
func (r *reader) bun() {
	file := r.home(".bunfig.toml")
	if dir := r.get("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		file = filepath.Join(dir, ".bunfig.toml")
	}
	for _, l := range r.toml(file) {
		if name := l.Name(); (name == "install.cafile" || name == "install.ca") && l.Text != "" {
			r.add(Setting{Tool: Bun, Kind: CABundle, Key: name, Value: l.Text, Origin: r.at(file, l.At.Line)})
		}
	}
	for _, l := range r.rc(r.npmUserFile()) {
		if nodeKeys[l.Key] == CABundle {
			r.nodeSetting(Bun, l.Key, l.Value, l.origin)
		}
	}
}

// toml reads a TOML file, the last leaf first.
func (r *reader) toml(file string) []toolfile.Leaf {
	data, ok := r.read(file)
	if !ok {
		return nil
	}
	leaves, err := toolfile.TOML(data)
	if err != nil {
		r.missed(r.shownPath(file), err)
		return nil
	}
	slices.Reverse(leaves)
	return leaves
}
