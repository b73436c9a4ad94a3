package npm

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

const rcName = ".npmrc"

// value is one setting with where it stands.
type value struct {
	name string
	// text is raw: it may hold a secret in an address.
	text   string
	origin string
	// from is a variable's name or a file's path.
	from string
	at   lockfile.Position
	// broken is why text is not what npm will see; empty if it is.
	broken string
	// nested is true for a file that does not count at the checkout's root.
	nested bool
}

// relevant names the settings that decide where packages come from and what is checked on the way.
var relevant = []string{"registry", "strict-ssl", "cafile", "ca", "proxy", "https-proxy", "noproxy",
	"replace-registry-host", "omit-lockfile-registry-resolved"}

// redirects are settings by which a project's .npmrc makes npm read another file, measured with npm 11.
var redirects = []string{"userconfig", "globalconfig", "prefix"}

func isScope(name string) bool {
	return strings.HasPrefix(name, "@") && strings.HasSuffix(name, ":registry")
}

func isAddress(name string) bool {
	return name == "registry" || name == "proxy" || name == "https-proxy" || isScope(name)
}

// settings collects what npm would read, the strongest first.
type settings struct {
	m  ecosystem.Machine
	co *lockfile.Checkout
	// values are what counts on this machine, and what each file of the checkout says though something else may count
	// here: the file is judged for itself.
	values []value
	// files are those of the checkout.
	files []string
	notes []string
	errs  []error
	// decided are the names that a stronger place has set.
	decided map[string]bool
}

func readSettings(m ecosystem.Machine, co *lockfile.Checkout) *settings {
	s := &settings{m: m, co: co, decided: map[string]bool{}}
	env := s.environment()
	s.add(env, true)
	project := s.project(rcName)
	s.add(project, true)
	for _, name := range redirects {
		if v, ok := last(project, name); ok {
			s.redirect(v)
		}
	}
	if !m.RepoOnly {
		user := s.machineFile(s.userConfig(env))
		s.add(user, true)
		root := s.npmRoot()
		var builtin []value
		if root != "" {
			builtin = s.machineFile(filepath.Join(root, "npmrc"))
		}
		s.add(s.machineFile(s.globalConfig(env, user, builtin)), true)
		s.add(builtin, true)
		for _, name := range []string{"NODE_TLS_REJECT_UNAUTHORIZED", "NODE_EXTRA_CA_CERTS"} {
			if text, _ := m.Lookup(name); text != "" {
				s.values = append(s.values, value{name: name, text: text, origin: source.Runner, from: name})
			}
		}
	}
	for _, file := range co.Files(rcName) {
		if slices.Contains(s.files, file) || !slices.Contains(co.Files("package.json"), path.Join(path.Dir(file), "package.json")) {
			continue // npm reads no .npmrc elsewhere
		}
		s.add(s.project(file), false)
	}
	return s
}

func (s *settings) npmRoot() string {
	_, root := find(s.m, s.co.Dir())
	return root
}

// add takes over what is relevant of one place. Of equal names the last counts, of lists all.
func (s *settings) add(place []value, ranked bool) {
	var names []string
	for _, v := range place {
		if (slices.Contains(relevant, v.name) || isScope(v.name)) && !slices.Contains(names, v.name) {
			names = append(names, v.name)
		}
	}
	for _, name := range names {
		found := pick(place, name)
		if found[0].origin != source.Checkout && s.decided[name] {
			continue
		}
		if ranked {
			s.decided[name] = true
		}
		for _, v := range found {
			v.nested = !ranked
			s.values = append(s.values, v)
		}
	}
}

// pick returns the last value of that name, or all where one of them is part of a list; at least one must exist.
func pick(place []value, name string) []value {
	var all []value
	list := false
	for _, v := range place {
		if v.name == name {
			all = append(all, v)
			list = list || v.from == listMark
		}
	}
	if !list {
		all = all[len(all)-1:]
	}
	for i := range all {
		if all[i].from == listMark {
			all[i].from = all[i].at.File
		}
	}
	return all
}

// listMark stands in value.from between reading and pick.
const listMark = "[]"

func last(place []value, name string) (value, bool) {
	for _, v := range slices.Backward(place) {
		if v.name == name && v.text != "" {
			return v, true
		}
	}
	return value{}, false
}

// environment finds npm_config_* in any spelling. Where several spell one name, the one that comes last in the
// environment counts for npm.
func (s *settings) environment() []value {
	if s.m.RepoOnly {
		return nil
	}
	environ := s.m.Environ
	if len(environ) == 0 {
		for _, name := range slices.Concat(relevant, redirects) {
			name = "npm_config_" + strings.ReplaceAll(name, "-", "_")
			for _, name := range []string{name, strings.ToUpper(name)} {
				if text, ok := s.m.Lookup(name); ok {
					environ = append(environ, name+"="+text)
				}
			}
		}
	}
	const prefix = "npm_config_"
	var out []value
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		if text == "" || len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
			continue
		}
		key := name[len(prefix):]
		if credential(key) {
			continue
		}
		key = strings.ToLower(key[:1] + strings.ReplaceAll(key[1:], "_", "-"))
		out = append(out, s.machineValue(value{name: key, text: text, from: name}))
	}
	return out
}

// machineValue expands variables as npm does.
func (s *settings) machineValue(v value) value {
	v.origin = source.Runner
	v.name = expand(v.name, s.m.Lookup)
	if v.text = expand(strings.TrimSpace(v.text), s.m.Lookup); strings.Contains(v.text, "${") {
		v.broken = "holds a variable that is not set"
	}
	return v
}

// project reads an .npmrc of the checkout; a path that is not there is empty.
func (s *settings) project(name string) []value {
	file, err := s.co.Read(name, maxRC)
	if err == nil {
		s.files = append(s.files, name)
		var lines []line
		if lines, err = parseRC(file); err == nil {
			return checkoutValues(lines)
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		s.errs = append(s.errs, err)
	}
	return nil
}

func checkoutValues(lines []line) []value {
	var out []value
	for _, l := range lines {
		v := value{name: l.key, text: strings.TrimSpace(l.value), origin: source.Checkout, from: l.at.File, at: l.at}
		if l.list {
			v.from = listMark
		}
		if strings.Contains(v.text, "${") {
			v.broken = "holds a variable, which is not expanded here"
		}
		if strings.Contains(v.name, "${") {
			if l.value == hidden {
				continue
			}
			// npm expands names too, and an empty variable hides any of them
			v.name = bareName(v.name)
			v.broken = "is set under a name that holds a variable, which is not expanded here"
		}
		out = append(out, v)
	}
	return out
}

// bareName is what a name with variables may mean: without them where that is a known one, else the one that matters
// most.
func bareName(name string) string {
	bare := expand(name, func(string) (string, bool) { return "", true })
	if slices.Contains(relevant, bare) || isScope(bare) {
		return bare
	}
	if strings.HasSuffix(bare, ":registry") {
		return "@?:registry"
	}
	return "registry"
}

// redirect follows a project's setting to another file of the checkout. One outside is not read on a stranger's word.
func (s *settings) redirect(v value) {
	v.from = v.at.File
	s.values = append(s.values, v)
	target := filepath.ToSlash(v.text)
	if v.name == "prefix" {
		target = path.Join(target, "etc/npmrc")
	}
	if target = path.Clean(target); v.broken != "" || !filepath.IsLocal(target) || strings.HasPrefix(target, "~") {
		s.notes = append(s.notes, fmt.Sprintf("%s:%d makes npm read settings from outside of the checkout (%s), which were not read",
			source.Plain(v.at.File, 200), v.at.Line, v.name))
		return
	}
	if !slices.Contains(s.files, target) {
		s.add(s.project(target), true)
	}
}

// machineFile reads an .npmrc outside of the checkout, or one that a setting of the machine places inside.
func (s *settings) machineFile(name string) []value {
	if name == "" {
		return nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.co.Dir(), name)
	}
	if ecosystem.Inside(s.co.Dir(), name) {
		rel, err := filepath.Rel(s.co.Dir(), name)
		if rel = filepath.ToSlash(rel); err != nil || slices.Contains(s.files, rel) {
			return nil
		}
		return s.project(rel)
	}
	data, err := ecosystem.ReadFile(name, maxRC)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.notes = append(s.notes, source.Plain(name, 200)+" could not be read, so that npm's settings in it are not known")
		}
		return nil
	}
	lines, err := parseRC(lockfile.File{Path: name, Data: data})
	if err != nil {
		s.notes = append(s.notes, err.Error())
		return nil
	}
	var out []value
	for _, l := range lines {
		v := s.machineValue(value{name: l.key, text: l.value, from: name, at: l.at})
		if l.list {
			v.from = listMark
		}
		out = append(out, v)
	}
	return out
}

func (s *settings) home() string {
	home, _ := s.m.Lookup("HOME")
	if home == "" && s.m.OS == "windows" {
		home, _ = s.m.Lookup("USERPROFILE")
	}
	return home
}

func (s *settings) tilde(name string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if s.home() == "" {
			return ""
		}
		return filepath.Join(s.home(), rest)
	}
	return name
}

func (s *settings) userConfig(env []value) string {
	if v, ok := last(env, "userconfig"); ok {
		return s.tilde(v.text)
	}
	if home := s.home(); home != "" {
		return filepath.Join(home, rcName)
	}
	return ""
}

// globalConfig is {prefix}/etc/npmrc where nothing names another file.
func (s *settings) globalConfig(places ...[]value) string {
	for _, place := range places {
		if v, ok := last(place, "globalconfig"); ok {
			return s.tilde(v.text)
		}
	}
	for _, place := range places {
		if v, ok := last(place, "prefix"); ok {
			return filepath.Join(s.tilde(v.text), "etc", "npmrc")
		}
	}
	if prefix, _ := s.m.Lookup("PREFIX"); prefix != "" {
		return filepath.Join(prefix, "etc", "npmrc")
	}
	// node's own place: …/bin/node, or …\node.exe
	if s.m.OS == "windows" {
		if _, real := s.m.Tool(s.co.Dir(), "node.exe"); real != "" {
			return filepath.Join(filepath.Dir(real), "etc", "npmrc")
		}
		return ""
	}
	if _, real := s.m.Tool(s.co.Dir(), "node"); real != "" {
		destdir, _ := s.m.Lookup("DESTDIR")
		return filepath.Join(destdir, filepath.Dir(filepath.Dir(real)), "etc", "npmrc")
	}
	return ""
}

// setting is the value as policies see it.
func (v value) setting() decide.Setting {
	out := decide.Setting{Ecosystem: source.NPM, Name: source.Plain(v.name, 100), Origin: v.origin,
		From: source.Plain(v.from, 300), Position: v.at}
	text := v.text
	switch {
	case v.name == "strict-ssl":
		text = boolean(text)
	case v.name == "ca" && strings.Contains(text, "BEGIN"):
		text = "a certificate"
	case isAddress(v.name) && text != "" && text != "null" && text != "false":
		place := decide.PlaceOf(text)
		if v.broken != "" {
			place = decide.Place{Broken: v.broken}
		}
		out.Place = &place
	}
	out.Value = source.Plain(source.Redact(text), 300)
	return out
}

// boolean reads a switch as npm's option parser does: 0, false and null are off, in any notation of zero.
func boolean(text string) string {
	if text == "false" || text == "null" {
		return "false"
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && n == 0 {
		return "false"
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil && n == 0 {
		return "false"
	}
	return "true"
}
