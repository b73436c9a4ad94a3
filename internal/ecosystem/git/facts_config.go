package git

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

const (
	// maxIncludes is how deep git follows includes, and maxFiles how many files are read in all.
	maxIncludes, maxFiles = 10, 200
	// maxPattern bounds the pattern of a conditional include.
	maxPattern = 4096
)

// configuration is what git would go by in the repository, in the order in which it reads it: of a setting that is given
// twice the last counts. Nothing is started for it.
type configuration struct {
	m  ecosystem.Machine
	co *lockfile.Checkout
	// root is the repository's directory, dir its git directory and common the one that this shares with other worktrees;
	// empty where there is none that was found.
	root, dir, common string
	settings          []setting
	// hostile are the files that the author of the checkout may have written.
	hostile []setting
	// unread are the files of the clone that git reads and that are not known here.
	unread []decide.GitFile
	notes  []string
	// files counts those that were read.
	files int
	// modules are the submodules of .gitmodules.
	modules []decide.Submodule
	// remotes are the addresses of all remotes, which conditions ask for; nil until one does.
	remotes []string
}

// setting is one variable with what it was read from.
type setting struct {
	variable
	holder
	// text is the path that a file is named by, where the setting is about a file.
	text string
}

// holder is a file, or the environment.
type holder struct {
	// path is absolute; empty for the environment.
	path string
	// from names it for people.
	from string
	// clone is true for .git/config and what that includes, hostile where the author of the checkout may have written
	// the file.
	clone, hostile bool
}

// readConfiguration reads the files that git reads (2.51: config.c, path.c), in its order, and the environment.
func readConfiguration(m ecosystem.Machine, co *lockfile.Checkout, root string) configuration {
	c := configuration{m: m, co: co, root: root}
	c.gather()
	return c
}

func (c *configuration) gather() {
	own := c.clone()
	for _, file := range c.machineFiles() {
		c.read(holder{path: file, from: c.shown(file)}, 0)
	}
	for _, o := range own {
		c.read(o, 0)
	}
	c.environment()
}

// clone finds the git directory and its files. What a worktree or submodule is led to outside of the fence is not followed.
func (c *configuration) clone() []holder {
	if c.root == "" {
		return nil
	}
	const elsewhere = "git's configuration of this clone is not judged: "
	dir := filepath.Join(c.root, ".git")
	info, err := os.Lstat(dir)
	if err == nil && info.Mode().IsRegular() {
		text, _ := ecosystem.ReadFile(dir, maxPointer)
		target := filepath.FromSlash(strings.TrimSpace(strings.TrimPrefix(string(text), "gitdir:")))
		if !filepath.IsAbs(target) {
			target = filepath.Join(c.root, target)
		}
		if !ecosystem.Inside(c.co.Fence, target) {
			c.notes = append(c.notes, elsewhere+"it is a worktree or a submodule, and its git directory lies elsewhere")
			return nil
		}
		dir = target
		info, err = os.Lstat(dir)
	} else if err == nil && info.Mode()&fs.ModeSymlink != 0 { // git follows it
		main := holder{path: filepath.Join(dir, "config"), from: ".git", clone: true}
		if dir = resolve(dir); !ecosystem.Inside(c.co.Fence, dir) {
			c.missed(main, "is reached by a symbolic link to elsewhere", false)
			return nil
		}
		info, err = os.Lstat(dir)
	}
	if err != nil || !info.IsDir() {
		c.notes = append(c.notes, elsewhere+".git is no directory")
		return nil
	}
	common := dir
	if text, err := ecosystem.ReadFile(filepath.Join(dir, "commondir"), maxPointer); err == nil {
		if common = filepath.FromSlash(strings.TrimSpace(string(text))); !filepath.IsAbs(common) {
			common = filepath.Join(dir, common)
		}
		if !ecosystem.Inside(c.co.Fence, common) {
			c.notes = append(c.notes, elsewhere+"it shares its git directory with one that lies elsewhere")
			return nil
		}
	}
	c.dir, c.common = dir, common
	main := holder{path: filepath.Join(common, "config"), from: ".git/config", clone: true}
	out := []holder{main}
	data, err := c.load(main)
	if found, e := parseConfig(lockfile.File{Data: data}); err == nil && e == nil && slices.ContainsFunc(found, func(v variable) bool {
		on, _ := v.on()
		return on && v.key == "extensions.worktreeconfig"
	}) {
		out = append(out, holder{path: filepath.Join(dir, "config.worktree"), from: ".git/config.worktree", clone: true})
	}
	return out
}

// machineFiles are the system's and the user's files.
func (c *configuration) machineFiles() []string {
	var out []string
	name := "git"
	if c.m.OS == "windows" {
		name = "git.exe"
	}
	system, set := c.m.Lookup("GIT_CONFIG_SYSTEM")
	if exe, _ := c.m.Tool(c.co.Fence, name); !set && exe != "" {
		system = filepath.Join(filepath.Dir(filepath.Dir(exe)), "etc", "gitconfig")
		if dir := filepath.Dir(exe); c.m.OS != "windows" && (dir == "/usr/bin" || dir == "/bin") {
			system = "/etc/gitconfig"
		}
	}
	without, _ := c.m.Lookup("GIT_CONFIG_NOSYSTEM")
	if on, _ := (variable{value: without}).on(); !on {
		out = append(out, system)
	}
	if global, set := c.m.Lookup("GIT_CONFIG_GLOBAL"); set {
		out = append(out, global)
	} else if home := c.home(); home != "" {
		xdg, _ := c.m.Lookup("XDG_CONFIG_HOME")
		if xdg == "" {
			xdg = filepath.Join(home, ".config")
		}
		out = append(out, filepath.Join(xdg, "git", "config"), filepath.Join(home, ".gitconfig"))
	}
	return slices.DeleteFunc(out, func(file string) bool { return !filepath.IsAbs(file) || file == os.DevNull })
}

func (c *configuration) home() string {
	home, _ := c.m.Lookup("HOME")
	if home == "" && c.m.OS == "windows" {
		home, _ = c.m.Lookup("USERPROFILE")
	}
	return home
}

// shown is a path for people.
func (c *configuration) shown(path string) string {
	if rel, ok := c.within(path); ok {
		path = rel
	} else if home := c.home(); home != "" {
		if rel, err := filepath.Rel(home, path); err == nil && filepath.IsLocal(rel) {
			path = filepath.Join("~", rel)
		}
	}
	return source.Plain(filepath.ToSlash(path), 200)
}

// within is a path relative to the checkout: by its name, which shows links on the way, else by where it leads.
func (c *configuration) within(path string) (string, bool) {
	if rel, err := filepath.Rel(c.co.Dir(), path); err == nil && filepath.IsLocal(rel) {
		return rel, true
	}
	return ecosystem.Rel(c.co.Dir(), path)
}

// theirs tells whether the author of the checkout may have written a path: what lies in the fence, and not in the git
// directory, which no commit can hold.
func (c *configuration) theirs(path string) bool {
	return ecosystem.Inside(c.co.Fence, path) && (c.dir == "" || !ecosystem.Inside(c.dir, path) && !ecosystem.Inside(c.common, path))
}

// load reads a file of the configuration. What lies in the checkout or in its git directory is read only where it is no
// link: what that leads to may be a secret.
func (c *configuration) load(o holder) ([]byte, error) {
	if info, err := os.Lstat(o.path); ecosystem.Inside(c.co.Fence, o.path) && err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, errLinked
	}
	if rel, ok := c.within(o.path); ok && o.hostile {
		file, err := c.co.Read(filepath.ToSlash(rel), maxConfigFile)
		if err == nil && file.Linked {
			err = errLinked
		}
		return file.Data, err
	}
	return ecosystem.ReadFile(o.path, maxConfigFile)
}

// read takes over a file with all that it includes. One that is not there is none.
func (c *configuration) read(o holder, depth int) {
	o.hostile = o.hostile || c.theirs(o.path)
	if c.files++; c.files > maxFiles {
		c.missed(o, fmt.Sprintf("is one of more than %d files", maxFiles), true)
		return
	}
	if depth > maxIncludes { // git ends there
		c.missed(o, "lies deeper than git follows includes", false)
		return
	}
	data, err := c.load(o)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return
	}
	if o.hostile && depth == 0 {
		c.hostile = append(c.hostile, setting{holder: o, text: o.path, variable: variable{at: lockfile.Position{File: o.path}}})
	}
	var found []variable
	if err == nil {
		found, err = parseConfig(lockfile.File{Path: o.path, Data: data})
	}
	if err != nil {
		info, e := os.Stat(o.path)
		c.missed(o, source.Plain(err.Error(), 300), e == nil && info.Mode().IsRegular() && info.Size() > maxConfigFile)
		return
	}
	for _, v := range found {
		c.take(setting{variable: v, holder: o}, depth)
	}
}

// missed tells of a file that git reads and that is not known. For one that belongs to the machine's owner a note will do.
func (c *configuration) missed(o holder, why string, exceeds bool) {
	if !o.clone && !o.hostile && !exceeds {
		c.note(fmt.Sprintf("%s could not be read, so that git's settings in it are not known: %s", o.from, why))
		return
	}
	s := setting{holder: o, variable: variable{at: lockfile.Position{File: o.path}}}
	f := decide.GitFile{Path: o.from, Unread: why, Exceeds: exceeds, From: s.told()}
	if len(c.unread) < maxFiles && !slices.Contains(c.unread, f) {
		c.unread = append(c.unread, f)
	}
}

func (c *configuration) note(text string) {
	if !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
}

// take keeps a setting, and follows it where it is an include.
func (c *configuration) take(s setting, depth int) {
	c.settings = append(c.settings, s)
	if s.name != "path" || s.value == "" || s.key != "include.path" && !(s.section == "includeif" && c.holds(s)) {
		return
	}
	file := c.path(s)
	if file == "" {
		return
	}
	if s.text = file; c.theirs(file) && !s.hostile {
		c.hostile = append(c.hostile, s)
	}
	c.read(holder{path: file, from: c.shown(file), clone: s.clone, hostile: s.hostile}, depth+1)
}

// path is the absolute path that a setting names; empty where that is not known.
func (c *configuration) path(s setting) string {
	rest, home := strings.CutPrefix(s.value, "~/")
	switch {
	case home && c.home() != "":
		return filepath.Join(c.home(), rest)
	case home, strings.HasPrefix(s.value, "~"), strings.HasPrefix(s.value, "%("):
		return ""
	case filepath.IsAbs(s.value):
		return filepath.Clean(s.value)
	case s.path == "": // in the environment, git refuses it
		return ""
	}
	return filepath.Join(filepath.Dir(s.path), s.value)
}

// holds tells whether the condition of an include is true.
func (c *configuration) holds(s setting) bool {
	condition, pattern, _ := strings.Cut(s.sub, ":")
	if len(pattern) > maxPattern || c.dir == "" {
		return false
	}
	switch condition {
	case "gitdir", "gitdir/i":
		return c.holdsDir(s, pattern, condition == "gitdir/i")
	case "onbranch":
		head, _ := ecosystem.ReadFile(filepath.Join(c.dir, "HEAD"), maxPointer)
		branch, ok := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: refs/heads/")
		if strings.HasSuffix(pattern, "/") {
			pattern += "**"
		}
		return ok && glob(pattern, false).MatchString(branch)
	case "hasconfig":
		pattern, ok := strings.CutPrefix(pattern, "remote.*.url:")
		return ok && slices.ContainsFunc(c.addresses(), glob(pattern, false).MatchString)
	}
	return false
}

// addresses are those of all remotes, wherever they are set but in what such a condition includes: there git allows none.
func (c *configuration) addresses() []string {
	if c.remotes == nil {
		all := configuration{m: c.m, co: c.co, root: c.root, remotes: []string{}}
		all.gather()
		c.remotes = []string{}
		for _, s := range all.settings {
			if s.section == "remote" && s.name == "url" {
				c.remotes = append(c.remotes, s.value)
			}
		}
	}
	return c.remotes
}

func (c *configuration) holdsDir(s setting, pattern string, fold bool) bool {
	prefix := ""
	if rest, ok := strings.CutPrefix(pattern, "~/"); ok {
		prefix, pattern = resolve(c.home()), "/"+rest
	} else if rest, ok := strings.CutPrefix(pattern, "./"); ok && s.path != "" {
		prefix, pattern = resolve(filepath.Dir(s.path)), "/"+rest
	} else if !filepath.IsAbs(pattern) {
		pattern = "**/" + pattern
	}
	if strings.HasSuffix(pattern, "/") {
		pattern += "**"
	}
	for _, dir := range []string{resolve(c.dir), c.dir} {
		dir, ok := strings.CutPrefix(filepath.ToSlash(dir), filepath.ToSlash(prefix))
		if ok && glob(pattern, fold).MatchString(dir) {
			return true
		}
	}
	return false
}

func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// nothing matches nothing.
var nothing = regexp.MustCompile(`[^\s\S]`)

// glob is a pattern of git's for paths (wildmatch.c with WM_PATHNAME): a star stays within a part of the path, two take
// in many parts.
func glob(pattern string, fold bool) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	if fold {
		b.WriteString(`(?i)`)
	}
	for i := 0; i < len(pattern); i++ {
		part := i == 0 || pattern[i-1] == '/'
		switch rest := pattern[i:]; {
		case part && strings.HasPrefix(rest, "**/"):
			b.WriteString(`(?:[^/]*/)*`)
			i += 2
		case part && rest == "**":
			b.WriteString(`.*`)
			i++
		case rest[0] == '*':
			b.WriteString(`[^/]*`)
		case rest[0] == '?':
			b.WriteString(`[^/]`)
		case rest[0] == '[':
			set, size := bracket(rest)
			if size == 0 {
				return nothing
			}
			b.WriteString(set)
			i += size - 1
		case rest[0] == '\\' && len(rest) > 1:
			b.WriteString(regexp.QuoteMeta(rest[1:2]))
			i++
		default:
			_, size := utf8.DecodeRuneInString(rest)
			b.WriteString(regexp.QuoteMeta(rest[:size]))
			i += size - 1
		}
	}
	compiled, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return nothing
	}
	return compiled
}

// classes are the named ones of a bracket.
var classes = []string{"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"}

// bracket is the set at the begin of a pattern as a regular expression, and its length in the pattern; 0 where git takes
// the whole pattern for broken. A slash is never in it.
func bracket(text string) (set string, size int) {
	i, not := 1, ""
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		i, not = i+1, "^/"
	}
	var b strings.Builder
	add := func(from, to byte) {
		for _, span := range [][2]byte{{from, min(to, '/'-1)}, {max(from, '/'+1), to}} {
			if span[0] <= span[1] {
				fmt.Fprintf(&b, `\x{%x}-\x{%x}`, span[0], span[1])
			}
		}
	}
	for first := true; i < len(text); first = false {
		switch rest := text[i:]; {
		case rest[0] == ']' && !first:
			if b.Len() == 0 && not == "" {
				return nothing.String(), i + 1
			}
			return "[" + not + b.String() + "]", i + 1
		case strings.HasPrefix(rest, "[:"):
			name, _, ok := strings.Cut(rest[2:], "]")
			class, named := strings.CutSuffix(name, ":")
			if !ok || named && !slices.Contains(classes, class) {
				return "", 0
			}
			if !named { // no class, but two of the signs
				add('[', '[')
				i++
				continue
			}
			in := regexp.MustCompile("[[:" + class + ":]]")
			for c := range byte(utf8.RuneSelf) {
				if in.MatchString(string(rune(c))) {
					add(c, c)
				}
			}
			i += len("[:") + len(name) + len("]")
		default:
			from, next, ok := sign(text, i)
			to := from
			if ok && next+1 < len(text) && text[next] == '-' && text[next+1] != ']' {
				to, next, ok = sign(text, next+1)
			}
			if !ok {
				return "", 0
			}
			add(from, to)
			i = next
		}
	}
	return "", 0
}

// sign is one of a bracket, behind a backslash or not, and where the next begins.
func sign(text string, i int) (c byte, next int, ok bool) {
	if text[i] == '\\' {
		i++
	}
	if i >= len(text) {
		return 0, i, false
	}
	return text[i], i + 1, true
}

// environment takes over GIT_CONFIG_COUNT and, what counts more, GIT_CONFIG_PARAMETERS.
func (c *configuration) environment() {
	raw, _ := c.m.Lookup("GIT_CONFIG_COUNT")
	count, _ := strconv.Atoi(raw) // with what is no count, every git command fails
	for i := range min(count, maxConfig) {
		key, _ := c.m.Lookup(fmt.Sprintf("GIT_CONFIG_KEY_%d", i))
		value, _ := c.m.Lookup(fmt.Sprintf("GIT_CONFIG_VALUE_%d", i))
		c.variable(key, value, false, fmt.Sprintf("GIT_CONFIG_KEY_%d", i))
	}
	const parameters = "GIT_CONFIG_PARAMETERS"
	text, _ := c.m.Lookup(parameters)
	for i, pair := range toolfile.GitParameters(text) {
		if i >= maxConfig {
			break
		}
		key, value, has := strings.Cut(pair, "=")
		c.variable(strings.TrimSpace(key), value, !has, parameters)
	}
}

func (c *configuration) variable(key, value string, bare bool, from string) {
	first, last := strings.IndexByte(key, '.'), strings.LastIndexByte(key, '.')
	if first < 0 {
		return
	}
	v := variable{section: strings.ToLower(key[:first]), name: strings.ToLower(key[last+1:]), value: value, bare: bare}
	if v.key = v.section + "." + v.name; last > first {
		v.sub = key[first+1 : last]
		v.key = v.section + "." + v.sub + "." + v.name
	}
	c.take(setting{variable: v, holder: holder{from: from}}, 0)
}
