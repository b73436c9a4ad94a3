package npm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
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
	// loose is true where the name itself holds a variable: nobody knows here which lines it replaces.
	loose bool
	// tool is yarn, pnpm or bun for a setting of a file of their own, and empty for npm's.
	tool string
	// kind is what the setting decides, and fault what is wrong with its text; of npm's own they follow from the name.
	kind, fault string
	// main is true for a default registry in a file of yarn, pnpm or bun.
	main bool
	// program is the file of the checkout that the tool would start, and sum the digest of what it holds.
	program, sum string
	// linked is true for a file that was reached by a link, of which nothing is shown.
	linked bool
}

// means is what the setting decides, and what is wrong with its value.
func (v value) means() (kind, fault string) {
	if v.kind != "" {
		return v.kind, v.fault
	}
	switch v.name {
	case "NODE_TLS_REJECT_UNAUTHORIZED":
		return aboutTLS, is("switches TLS verification off in all of Node", "0")(v.text)
	case "NODE_EXTRA_CA_CERTS":
		return aboutAuthority, ""
	}
	m := meaningOf(v.name)
	switch {
	case m == nil:
		return "", ""
	case m.kind == aboutFile && v.broken != "":
		return m.kind, "sends npm to another file for its settings, which was not read: it " + v.broken
	case m.fault == nil || v.broken != "":
		return m.kind, ""
	}
	return m.kind, m.fault(v.text)
}

// place is where a setting stands: a variable, or a file with its line.
func (v value) place() string {
	place := source.Plain(v.from, 200)
	if v.at.Line > 0 {
		place = fmt.Sprintf("%s:%d", place, v.at.Line)
	}
	return place
}

// key is what a setting of the checkout is found again by in another commit; empty where its file may not be the one that
// another commit has there.
func (v value) key() string {
	if v.origin != source.Checkout || !slices.Contains(Names(), path.Base(v.at.File)) {
		return ""
	}
	return strings.Join([]string{"setting", v.at.File, v.name, v.text, v.program, v.sum}, "\x00")
}

// relevant names the settings that decide where packages come from and what is checked on the way.
var relevant = []string{"registry", "strict-ssl", "cafile", "ca", "proxy", "https-proxy", "noproxy",
	"replace-registry-host", "omit-lockfile-registry-resolved"}

// redirects are settings by which a project's .npmrc makes npm read another file, measured with npm 11.
var redirects = []string{"userconfig", "globalconfig", "prefix"}

const (
	// maxSettings bounds what of one file of the checkout policies have to judge.
	maxSettings = 1000
	// maxSent bounds how many files are looked for on the word of the checkout.
	maxSent = 1000
	// maxShown bounds a value that is searched for secrets and shown.
	maxShown = 4096
)

func isScope(name string) bool {
	return strings.HasPrefix(name, "@") && strings.HasSuffix(name, ":registry")
}

// settings collects what npm would read, the strongest first.
type settings struct {
	m  ecosystem.Machine
	co *lockfile.Checkout
	// values are what counts on this machine, and what each file of the checkout says though something else may count
	// here: the file is judged for itself.
	values []value
	// files are those of the checkout, and read tells which they are.
	files []string
	read  map[string]bool
	notes []string
	errs  []error
	// decided are the names that a stronger place has set.
	decided map[string]bool
	// following is true where npm's way to further files of the checkout is followed; sent counts these.
	following bool
	sent      int
	// packages are the directories of the checkout that npm takes for packages.
	packages []string
}

func readSettings(m ecosystem.Machine, co *lockfile.Checkout, following bool) *settings {
	s := &settings{m: m, co: co, read: map[string]bool{}, decided: map[string]bool{}, following: following}
	isPackage := map[string]bool{}
	for _, file := range co.Files("package.json") {
		s.packages = append(s.packages, path.Dir(file))
		isPackage[path.Dir(file)] = true
	}
	env := s.environment()
	s.add(env, true)
	project := s.project(rcName)
	s.add(project, true)
	s.follow(project, ".", true)
	if !m.RepoOnly {
		user := s.machineFile(s.userConfig(env))
		s.add(user, true)
		s.follow(user, ".", true)
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
		for _, name := range []string{"YARN_ENABLE_STRICT_SSL", "YARN_STRICT_SSL", "PNPM_CONFIG_STRICT_SSL", "pnpm_config_strict_ssl"} {
			if text, _ := m.Lookup(name); text != "" {
				s.values = append(s.values, value{name: name, text: text, origin: source.Runner, from: name, kind: aboutTLS, fault: plain["strict-ssl"].fault(text)})
			}
		}
	}
	for _, file := range co.Files(rcName) {
		dir := path.Dir(file)
		if s.read[file] || !isPackage[dir] {
			continue // npm reads no .npmrc elsewhere
		}
		below := s.project(file)
		s.add(below, false)
		s.follow(below, dir, false)
	}
	s.readOthers()
	return s
}

func (s *settings) npmRoot() string {
	_, root := find(s.m, s.co.Fence)
	return root
}

// add takes over what one place says of packages and connections.
func (s *settings) add(place []value, ranked bool) {
	first := len(s.values)
	for _, v := range place {
		if v.origin != source.Checkout && !slices.Contains(relevant, v.name) && !isScope(v.name) {
			continue // what the machine's owner wants of checks is his own
		}
		if !slices.Contains(redirects, v.name) && (v.origin == source.Checkout || !s.decided[v.name]) {
			v.nested = !ranked
			s.values = append(s.values, v)
		}
	}
	for _, v := range s.values[first:] {
		if ranked {
			s.decided[v.name] = true
		}
	}
}

// counting are the values of one place that matter and count: of equal names the last, of a list all, and all that are
// loose.
func counting(place []value) []value {
	lists, last := map[string]bool{}, map[string]int{}
	place = slices.DeleteFunc(place, func(v value) bool { return !matters(v.name) })
	for i, v := range place {
		if v.from == listMark {
			lists[v.name] = true
		}
		if !v.loose {
			last[v.name] = i
		}
	}
	out := place[:0]
	for i, v := range place {
		if !v.loose && !lists[v.name] && last[v.name] != i {
			continue
		}
		if v.from == listMark {
			v.from = v.at.File
		}
		out = append(out, v)
	}
	return out
}

func matters(name string) bool { return meaningOf(name) != nil }

// listMark stands in value.from between reading and counting.
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
		if isSecret(key) {
			continue
		}
		key = strings.ToLower(key[:1] + strings.ReplaceAll(key[1:], "_", "-"))
		out = append(out, s.machineValue(value{name: key, text: text, from: name}))
	}
	return counting(out)
}

// machineValue expands variables as npm does.
func (s *settings) machineValue(v value) value {
	v.origin = source.Runner
	v.name = toolfile.ExpandRC(v.name, s.m.Lookup)
	if v.text = toolfile.ExpandRC(toolfile.TrimJS(v.text), s.m.Lookup); strings.Contains(v.text, "${") {
		v.broken = "holds a variable that is not set"
	}
	return v
}

// project reads an .npmrc of the checkout; a path that is not there is empty.
func (s *settings) project(name string) []value {
	file, err := s.co.Read(name, maxRC)
	if err == nil {
		s.files, s.read[name] = append(s.files, name), true
		var lines []line
		if lines, err = parseRC(file); err == nil {
			values := s.programs(counting(checkoutValues(lines)))
			for i := range values {
				values[i].linked = file.Linked
			}
			if len(values) <= maxSettings {
				return values
			}
			err = problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(name, 200), values[maxSettings].at.Line, values[maxSettings].at.Column),
				"leave what this project needs", "holds more than %d settings of registries and connections", maxSettings)
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		s.errs = append(s.errs, err)
	}
	return nil
}

// programs finds the files that npm would start and the stores in the checkout, and leaves out those of the machine.
func (s *settings) programs(values []value) []value {
	out := values[:0]
	for _, v := range values {
		switch m := meaningOf(v.name); m.kind {
		case aboutProgram:
			if v.kind = m.kind; !s.judgeProgram(&v) {
				continue
			}
		case aboutStore:
			if !s.judgeStore(&v) {
				continue
			}
		}
		out = append(out, v)
	}
	return out
}

func checkoutValues(lines []line) []value {
	out := make([]value, 0, len(lines))
	for _, l := range lines {
		v := value{name: l.key, text: toolfile.TrimJS(l.value), origin: source.Checkout, from: l.at.File, at: l.at}
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
			v.broken, v.loose = "is set under a name that holds a variable, which is not expanded here", true
		}
		if m := meaningOf(v.name); m != nil && !ofTheRunner(m.kind, v.text) {
			if m.kind == aboutCredential {
				if v.text = hidden; !l.clear {
					continue // a variable, as it should be
				}
				v.kind, v.fault, v.broken = m.kind, inClear, ""
			}
			out = append(out, v)
		}
	}
	return out
}

// bareName is what a name with variables may mean: without them where that is a known one, else the one that matters
// most.
func bareName(name string) string {
	bare := toolfile.ExpandRC(name, func(string) (string, bool) { return "", true })
	if slices.Contains(relevant, bare) || isScope(bare) {
		return bare
	}
	if strings.HasSuffix(bare, ":registry") {
		return "@?:registry"
	}
	return "registry"
}

// follow reads the files to which a file of the checkout sends npm, and those to which these do. npm takes a relative path
// from where it is started: in base, or in a package below it. A file that was not read is a fault of the line.
func (s *settings) follow(place []value, base string, ranked bool) {
	if !s.following {
		return
	}
	for _, v := range place {
		if v.origin != source.Checkout || !slices.Contains(redirects, v.name) || v.text == "" && v.name != "prefix" {
			continue // an empty name is that of a directory, of which npm reads nothing
		}
		i := len(s.values)
		s.values = append(s.values, v)
		if v.broken != "" {
			continue
		}
		target := filepath.FromSlash(v.text)
		if v.name == "prefix" {
			target = filepath.Join(target, "etc", "npmrc")
		}
		switch {
		case strings.HasPrefix(v.text, "~/") || strings.HasPrefix(v.text, `~\`):
			s.values[i].broken = "is in the home directory"
		case filepath.VolumeName(target) != "" || os.IsPathSeparator(target[0]):
			s.values[i].broken = s.visit(target, base, ranked)
		default:
			s.values[i].broken = s.visit(filepath.Join(s.co.Dir(), base, target), base, ranked)
			for _, dir := range s.packages {
				if base == "." && dir != "." || strings.HasPrefix(dir, base+"/") {
					if s.sent >= maxSent {
						s.values[i].broken = fmt.Sprintf("is one of more than %d", maxSent)
						break
					}
					s.visit(filepath.Join(s.co.Dir(), dir, target), base, ranked)
				}
			}
		}
	}
}

// visit reads one such file. It returns why it did not; empty if it did.
func (s *settings) visit(file, base string, ranked bool) string {
	name, err := filepath.Rel(s.co.Dir(), file)
	if err != nil || !filepath.IsLocal(name) {
		var inside bool
		if name, inside = ecosystem.Rel(s.co.Dir(), filepath.Clean(file)); !inside {
			return "is outside of the checkout"
		}
	}
	if name = filepath.ToSlash(name); s.read[name] {
		return ""
	}
	s.sent++
	found := s.project(name)
	if !s.read[name] {
		return "does not exist"
	}
	s.add(found, ranked)
	s.follow(found, base, ranked)
	return ""
}

// machineFile reads an .npmrc outside of the checkout, or one that a setting of the machine places inside.
func (s *settings) machineFile(name string) []value {
	if name == "" {
		return nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.co.Dir(), name)
	}
	if rel, inside := ecosystem.Rel(s.co.Dir(), name); inside { // by where links lead: the home may be one to the checkout
		if rel = filepath.ToSlash(rel); s.read[rel] {
			return nil
		}
		return s.project(rel)
	}
	if ecosystem.Inside(s.co.Fence, name) {
		s.notes = append(s.notes, source.Plain(name, 200)+" lies in the repository, but outside the directory that is looked at; npm's settings in it were not read")
		return nil
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
	return counting(out)
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

// globalConfig is {prefix}/etc/npmrc where nothing of the machine names another file.
func (s *settings) globalConfig(places ...[]value) string {
	for _, place := range places {
		if v, ok := last(place, "globalconfig"); ok && v.origin != source.Checkout {
			return s.tilde(v.text)
		}
	}
	for _, place := range places {
		if v, ok := last(place, "prefix"); ok && v.origin != source.Checkout {
			return filepath.Join(s.tilde(v.text), "etc", "npmrc")
		}
	}
	if prefix, _ := s.m.Lookup("PREFIX"); prefix != "" {
		return filepath.Join(prefix, "etc", "npmrc")
	}
	// node's own place: …/bin/node, or …\node.exe
	if s.m.OS == "windows" {
		if _, real := s.m.Tool(s.co.Fence, "node.exe"); real != "" {
			return filepath.Join(filepath.Dir(real), "etc", "npmrc")
		}
		return ""
	}
	if _, real := s.m.Tool(s.co.Fence, "node"); real != "" {
		destdir, _ := s.m.Lookup("DESTDIR")
		return filepath.Join(destdir, filepath.Dir(filepath.Dir(real)), "etc", "npmrc")
	}
	return ""
}

// setting is the value as policies see it.
func (v value) setting() decide.Setting {
	kind, fault := v.means()
	out := decide.Setting{Ecosystem: source.NPM, Name: source.Plain(source.Redact(v.name), 200), Kind: kind, Fault: fault, Origin: v.origin,
		From: source.Plain(v.from, 300), Key: v.key(), Position: v.at}
	text := v.text
	if len(text) > maxShown {
		text = fmt.Sprintf("a value of %d bytes", len(text))
	}
	switch {
	case v.linked && kind != aboutTLS:
		text = hidden
	case v.name == "strict-ssl":
		text = boolean(v.text)
	case kind == aboutAuthority && strings.Contains(v.text, "BEGIN"):
		text = "a certificate"
	}
	switch {
	case kind == aboutFile && v.broken != "":
		out.Place = &decide.Place{Broken: v.broken}
	case isAddress(kind) && v.text != "" && v.text != "null" && v.text != "false":
		place := decide.PlaceOf(v.text)
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
