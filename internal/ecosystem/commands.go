package ecosystem

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/org/goproxy-action/internal/source"
)

// Kinds of Command.
const (
	// CommandSource changes where packages come from, or what of them is checked.
	CommandSource = "source"
	// CommandPipe runs what it downloads.
	CommandPipe = "pipe"
	// CommandAdhoc installs or runs packages that no lock file pins.
	CommandAdhoc = "adhoc"
)

// Pip names Python's packages. Nothing else is known of them.
const Pip = "pip"

// Command is one command, or one assignment of a variable, that a script's text seems to hold.
type Command struct {
	// Kind is CommandSource, CommandPipe or CommandAdhoc.
	Kind string
	// Ecosystem is source.Go, source.NPM, source.Git or Pip; empty for CommandPipe.
	Ecosystem string
	// Fault says it in words that go on from Text: "sets another npm registry".
	Fault string
	// Addresses are those that it names, raw but without userinfo. A command of kind CommandSource that has some is as
	// good as they are.
	Addresses []string
	// Unchecked is true for a command of kind CommandSource after which something is believed that nothing has verified.
	Unchecked bool
	// Offset is where the offending part begins, in bytes.
	Offset int
	// Text is the offending part on one line. It is put together from what is told of it, holds no secret, and is short.
	Text string
}

// maxCommands bounds how many are told of one text.
const maxCommands = 1000

// Commands finds commands by their looks: text is read as a shell would read it, crudely, and nothing of it is run,
// expanded or believed. A hit may be a false one, and what wants to hide can.
func Commands(text string) []Command {
	s := &scan{exported: strings.Contains(text, "GITHUB_ENV") || strings.Contains(text, "BASH_ENV"), rc: strings.Contains(text, "npmrc")}
	s.script(text, 0, true, 0)
	slices.SortStableFunc(s.found, func(a, b Command) int { return a.Offset - b.Offset })
	// what stands in a substitution in a word that is a script of its own was read twice
	return slices.CompactFunc(s.found, func(a, b Command) bool { return a.Offset == b.Offset && a.Text == b.Text && a.Fault == b.Fault })
}

// Variable judges the assignment of one variable of the environment.
func Variable(name, value string) (Command, bool) {
	c, ok := variable(name, value)
	if ok {
		if slices.Contains(commandVariables, strings.ToUpper(name)) { // what is behind the program may be a secret
			program, _, more := strings.Cut(strings.TrimSpace(value), " ")
			if value = program; more {
				value += " …"
			}
		}
		c.Kind, c.Text = CommandSource, shown(name+"="+cmp.Or(c.Text, masked(value)))
	}
	return c, ok
}

// commandVariables hold commands that go starts.
var commandVariables = []string{"GOAUTH", "GOCACHEPROG"}

// scan gathers what is found.
type scan struct {
	found []Command
	// exported and rc tell that the text writes the file of variables for later steps, or an .npmrc.
	exported, rc bool
}

// script judges the text of a script that begins at the offset; where the text is not a piece of the source, all of it
// stands there.
func (s *scan) script(text string, offset int, piece bool, depth int) {
	const deepest = 3
	if depth > deepest {
		return
	}
	at := func(i int) int {
		if piece {
			return offset + i
		}
		return offset
	}
	for _, c := range shellCommands(text) {
		if len(s.found) >= maxCommands {
			return
		}
		args, assigned := c.head()
		j := judge{scan: s, c: c, args: args, at: at, depth: depth}
		for _, w := range assigned {
			if name, value, _ := strings.Cut(w.text, "="); len(args) == 0 || name != "GOFLAGS" || value != "-mod=mod" { // for one command it is no lasting change
				j.assign(w, w.text)
			}
		}
		j.command()
	}
}

var (
	assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\+?=`)
	duration   = regexp.MustCompile(`^[0-9.]+[smhd]?$`)
	// exact is a full version, of npm or of Go; commit is long enough for one.
	exact  = regexp.MustCompile(`^[v=]?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?$`)
	commit = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	scoped = regexp.MustCompile(`^@[^/@:\s]+:registry$`)
	// written is an address with its scheme.
	written = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
)

// head takes from a command what stands in front of the program: words of the shell, assignments, and programs that
// start another one.
func (c *shellCommand) head() (args, assigned []shellWord) {
	wrapped := false
	words := c.words
	for len(words) > 0 {
		w := words[0].text
		switch {
		case assignment.MatchString(w):
			assigned = append(assigned, words[0])
		case slices.Contains([]string{"{", "!", "if", "then", "elif", "else", "while", "until", "do", "time", "&"}, w):
		case slices.Contains([]string{"sudo", "doas", "env", "exec", "command", "builtin", "nohup", "nice", "timeout", "gtimeout", "xargs", "xvfb-run", "cross-env", "cross-env-shell"}, base(w)):
			wrapped = true
		case wrapped && slices.Contains([]string{"-u", "-g", "-I", "-k"}, w) && len(words) > 1:
			words = words[1:]
		case wrapped && (strings.HasPrefix(w, "-") || duration.MatchString(w) || w == "{}"):
		default:
			return words, assigned
		}
		words = words[1:]
	}
	return nil, assigned
}

// base is the name of a program.
func base(w string) string {
	w = w[strings.LastIndexAny(w, `/\`)+1:]
	for _, ext := range []string{".exe", ".cmd"} {
		w = strings.TrimSuffix(w, ext)
	}
	return w
}

// judge looks at one command.
type judge struct {
	*scan
	c     *shellCommand
	args  []shellWord
	at    func(int) int
	depth int
}

func (j *judge) tell(c Command, w shellWord) {
	if len(j.found) < maxCommands {
		c.Offset = j.at(w.at)
		j.found = append(j.found, c)
	}
}

// assign judges NAME=VALUE in a word.
func (j *judge) assign(w shellWord, text string) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return
	}
	if c, ok := Variable(strings.TrimSuffix(name, "+"), value); ok {
		j.tell(c, w)
	}
}

func (j *judge) command() {
	j.embedded()
	if j.downloads(); len(j.args) == 0 {
		return
	}
	args := j.args[1:]
	switch tool := base(j.args[0].text); tool {
	case "export", "declare", "typeset", "local", "readonly", "set", "make", "gmake":
		for _, w := range args {
			if assignment.MatchString(w.text) {
				j.assign(w, w.text)
			}
		}
	case "docker", "podman", "nerdctl", "buildah":
		for i, w := range args {
			if i > 0 && slices.Contains([]string{"-e", "--env", "--build-arg"}, args[i-1].text) {
				j.assign(w, w.text)
			}
		}
	case "echo", "printf", "cat", "tee":
		for _, w := range append(slices.Clone(args), j.c.docs...) {
			j.lines(w)
		}
	case "npm", "pnpm", "yarn", "yarnpkg", "bun", "npx", "pnpx", "bunx", "corepack":
		j.npm(tool, args)
	case "go":
		j.golang(args)
	case "git":
		j.git(args)
	case "pip", "pip2", "pip3", "pipx", "uvx", "uv":
		j.pip(tool, args)
	case "python", "python3", "py":
		if len(args) > 1 && args[0].text == "-m" && args[1].text == Pip {
			j.pip(Pip, args[2:])
		}
	}
}

// embedded judges what shells are given to run as one word.
func (j *judge) embedded() {
	shell, eval := false, false
	for i, w := range j.c.words {
		name := base(w.text)
		switch {
		case slices.Contains([]string{"sh", "bash", "dash", "zsh", "ksh", "ash"}, name):
			shell = true
		case name == "eval":
			eval = true
		case eval, shell && strings.HasPrefix(j.c.words[i-1].text, "-") && strings.HasSuffix(j.c.words[i-1].text, "c"):
			if strings.ContainsAny(w.text, " \t\n=") { // else one word at most
				j.script(w.text, j.at(max(w.inner, w.at)), w.inner >= 0, j.depth+1)
			}
		}
	}
	if shell {
		for _, d := range j.c.docs {
			j.script(d.text, j.at(d.at), true, j.depth+1)
		}
	}
}

// lines judges what is written into the file of variables, or into an .npmrc.
func (j *judge) lines(w shellWord) {
	if !j.exported && !j.rc {
		return
	}
	offset := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(w.text, `\n`, "\n"), "\n") {
		part := w
		if w.inner >= 0 && !strings.Contains(w.text, `\n`) {
			part.at = w.inner + offset
		}
		offset += len(line) + 1
		line = strings.TrimSpace(line)
		if j.exported && assignment.MatchString(line) {
			j.assign(part, line)
		}
		if key, value, ok := strings.Cut(line, "="); ok && j.rc {
			j.setting("", strings.TrimSpace(key), strings.TrimSpace(value), part)
		}
	}
}

// interpreters run what they read. The letters are of the options by which they are given a program in the command line.
func interpreter(name string) (options string, ok bool) {
	switch strings.ToLower(name) {
	case "sh", "bash", "dash", "zsh", "ksh", "ash", "fish":
		return "c", true
	case "python", "python2", "python3":
		return "cm", true
	case "node", "nodejs", "bun", "deno":
		return "ep", true
	case "perl", "ruby":
		return "enp", true
	case "php":
		return "r", true
	case "iex", "invoke-expression":
		return "", true
	}
	return "", false
}

// downloads tells of what is run as it comes from the network: curl … | sh, bash <(curl …), eval "$(curl …)".
func (j *judge) downloads() {
	c := j.c
	if c.from != nil {
		c.fetched, c.downloader = c.from.fetched, c.from.downloader
	}
	if len(j.args) == 0 {
		return
	}
	first := j.args[0]
	name := base(first.text)
	switch strings.ToLower(name) {
	case "curl", "wget", "iwr", "irm", "invoke-webrequest", "invoke-restmethod":
		at := first
		at.text = "" // what is no address may be a password, or a header with one
		for _, w := range j.args[1:] {
			if written.MatchString(w.text) {
				at.text = w.text
				break
			}
		}
		at.at = j.at(first.at)
		c.fetched, c.downloader = &at, name
		return
	}
	tell := func(from *shellCommand, how string) bool {
		if from == nil || from.fetched == nil {
			return false
		}
		found := Command{Kind: CommandPipe, Fault: "runs what it downloads", Offset: from.fetched.at}
		from.fetched.text, _, _ = strings.Cut(from.fetched.text, "?")
		found.Text = strings.ReplaceAll(shown(strings.ReplaceAll(how, "%", from.downloader+" "+from.fetched.text)), "  ", " ")
		if a, ok := address(from.fetched.text); ok {
			found.Addresses = []string{a}
		}
		if len(j.found) < maxCommands {
			j.found = append(j.found, found)
		}
		return true
	}
	options, runs := interpreter(name)
	if runs && c.from != nil && reads(name, options, j.args[1:]) {
		tell(c.from, "% | "+name)
	}
	takes := slices.Contains([]string{"eval", "source", ".", "iex"}, name)
	if !runs && !takes {
		return
	}
	given := takes
	for _, w := range j.args[1:] {
		for _, run := range w.runs {
			if (w.process || given) && tell(run, name+" $(%)") {
				return
			}
		}
		given = takes || hasOption(w.text, options)
	}
	for _, w := range c.fed {
		for _, run := range w.runs {
			if tell(run, name+" <<< $(%)") {
				return
			}
		}
	}
}

// reads tells whether an interpreter with these arguments runs what it reads.
func reads(name, options string, args []shellWord) bool {
	if (name == "bun" || name == "deno") && (len(args) == 0 || args[0].text != "run" || args[len(args)-1].text != "-") {
		return false
	}
	for _, w := range args {
		switch {
		case w.text == "-" || w.text == "/dev/stdin" || w.text == "--":
			return true
		case hasOption(w.text, options) || w.text == "--eval" || w.text == "--print" || w.text == "--version":
			return false
		case strings.HasPrefix(w.text, "-") && !strings.HasPrefix(w.text, "--") && strings.Contains(w.text, "s"):
			return true // -s: what follows are the script's own arguments
		case strings.HasPrefix(w.text, "-") || w.text == "run":
		default:
			return false
		}
	}
	return true
}

// hasOption tells whether a word is an option with one of the letters in it.
func hasOption(w, letters string) bool {
	return len(w) > 1 && w[0] == '-' && w[1] != '-' && strings.ContainsAny(w, letters)
}

// shown is text for a message.
func shown(text string) string {
	return source.Plain(source.Redact(text), 180)
}

// bare is an entry of a list of addresses up to its last @.
var bare = regexp.MustCompile(`[^\s,|]*@`)

// masked is an address, or a list of them, without userinfo. source.Redact finds that by "://", and tools take addresses
// without a scheme as well.
func masked(value string) string {
	return bare.ReplaceAllStringFunc(source.Redact(value), func(s string) string {
		if strings.Contains(s, "://") {
			return s
		}
		return "***@"
	})
}

// dynamic tells that the shell, or the CI system, would put something in the place of a part of the text.
func dynamic(text string) bool {
	return strings.ContainsAny(text, "$`") || strings.Contains(text, "%{")
}

// address is an address without userinfo; a host that is not written out is none.
func address(text string) (string, bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return "", false
	}
	host, tail, slash := rest, "", ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, tail, slash = rest[:i], rest[i+1:], "/"
		if strings.Contains(tail, "@") && strings.Contains(host, ":") && dynamic(host) {
			return "", false // a password that is not written out may hold anything
		}
	}
	host = host[strings.LastIndexByte(host, '@')+1:]
	if host == "" || dynamic(host) || dynamic(scheme) {
		return "", false
	}
	if tail, _, _ = strings.Cut(tail, "?"); dynamic(tail) {
		tail = ""
	}
	return scheme + "://" + host + slash + tail, true
}

// named puts the addresses of a value into c, or says that they are not written out.
func named(c Command, values ...string) Command {
	for _, v := range values {
		a, ok := address(v)
		if !ok {
			c.Addresses = nil
			if dynamic(v) {
				c.Fault += ", to what a variable holds"
			}
			return c
		}
		c.Addresses = append(c.Addresses, a)
	}
	return c
}

func isOff(value string) bool {
	return slices.Contains([]string{"false", "0", "no", "off"}, strings.ToLower(value))
}

// variable judges a value; a value that only hands on what is set already is none.
func variable(name, value string) (Command, bool) {
	value = strings.TrimSpace(value)
	if value == "" && !strings.EqualFold(name, "COREPACK_INTEGRITY_KEYS") || strings.Trim(value, "${}") == name {
		return Command{}, false
	}
	is := func(eco, fault string) (Command, bool) { return Command{Ecosystem: eco, Fault: fault}, true }
	unchecked := func(eco, fault string) (Command, bool) {
		return Command{Ecosystem: eco, Fault: fault, Unchecked: true}, true
	}
	none := Command{}
	switch upper := strings.ToUpper(name); upper {
	case "GOPROXY":
		return proxies(value)
	case "GOSUMDB":
		switch value {
		case "off":
			return unchecked(source.Go, "switches the checksum database off")
		case "sum.golang.org", "sum.golang.google.cn":
			return none, false
		}
		return unchecked(source.Go, "names another checksum database")
	case "GONOSUMDB", "GOPRIVATE":
		if public(value) {
			return unchecked(source.Go, "takes public modules out of the checksum database's reach")
		}
	case "GONOPROXY":
		if public(value) {
			return is(source.Go, "lets go fetch public modules from version control hosts")
		}
	case "GOINSECURE":
		return unchecked(source.Go, "lets go fetch modules without TLS verification")
	case "GO111MODULE":
		if value == "off" {
			return is(source.Go, "switches modules off, and with them go.sum")
		}
	case "GOFLAGS":
		for flag := range strings.FieldsSeq(strings.Trim(value, `"'`)) {
			// what else stands there, as in -ldflags, may be a secret
			switch flag, to, _ := strings.Cut(strings.TrimLeft(strings.Trim(flag, `"'`), "-"), "="); {
			case flag == "insecure":
				return Command{Ecosystem: source.Go, Fault: "switches go's verification off", Unchecked: true, Text: "-insecure"}, true
			case flag == "mod" && to == "mod":
				return Command{Ecosystem: source.Go, Fault: "lets go commands change go.mod and go.sum", Text: "-mod=mod"}, true
			case flag == "modfile" || flag == "overlay" || flag == "toolexec" || flag == "exec":
				return Command{Ecosystem: source.Go, Fault: "lets go commands run or take something else (" + flag + ")", Text: "-" + flag}, true
			}
		}
	case "GOENV":
		if value != "off" {
			return is(source.Go, "lets go commands go by the settings in that file")
		}
	case "GOAUTH":
		for command := range strings.SplitSeq(value, ";") {
			if words := strings.Fields(command); len(words) > 0 && !slices.Contains([]string{"off", "netrc", "git"}, words[0]) {
				return is(source.Go, "lets go commands start a program for credentials")
			}
		}
	case "GOCACHEPROG":
		return is(source.Go, "lets go commands start a program that holds their cache")
	case "GOVCS":
		for entry := range strings.SplitSeq(value, ",") {
			pattern, tools, _ := strings.Cut(strings.TrimSpace(entry), ":")
			risky := func(tool string) bool {
				return slices.Contains([]string{"all", "svn", "bzr", "fossil"}, strings.TrimSpace(tool))
			}
			if (pattern == "public" || pattern != "private" && public(pattern)) && slices.ContainsFunc(strings.Split(tools, "|"), risky) {
				return is(source.Go, "lets public modules be fetched by other tools than git and hg")
			}
		}
	case "NPM_CONFIG_REGISTRY", "PNPM_CONFIG_REGISTRY", "YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER", "BUN_CONFIG_REGISTRY", "COREPACK_NPM_REGISTRY":
		return named(Command{Ecosystem: source.NPM, Fault: "sets another npm registry"}, value), true
	case "NPM_CONFIG_STRICT_SSL", "PNPM_CONFIG_STRICT_SSL", "YARN_STRICT_SSL", "YARN_ENABLE_STRICT_SSL":
		if isOff(value) {
			return unchecked(source.NPM, "switches TLS verification off")
		}
	case "NODE_TLS_REJECT_UNAUTHORIZED":
		if value == "0" {
			return unchecked(source.NPM, "switches TLS verification off in all of Node")
		}
	case "COREPACK_INTEGRITY_KEYS":
		if value == "0" || value == "" {
			return unchecked(source.NPM, "lets corepack run package managers without a signature")
		}
	case "YARN_CHECKSUM_BEHAVIOR":
		if value != "throw" {
			return unchecked(source.NPM, "lets yarn take packages that do not have their checksum")
		}
	case "YARN_ENABLE_IMMUTABLE_INSTALLS":
		if isOff(value) {
			return is(source.NPM, "lets yarn change its lock file")
		}
	case "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL":
		return named(Command{Ecosystem: Pip, Fault: "names another index of Python packages"}, strings.Fields(value)...), true
	case "PIP_TRUSTED_HOST", "UV_INSECURE_HOST":
		return unchecked(Pip, "lets pip fetch packages without TLS verification")
	case "GIT_SSL_NO_VERIFY":
		return unchecked(source.Git, "switches TLS verification off")
	}
	return none, false
}

// proxies judges GOPROXY.
func proxies(value string) (Command, bool) {
	c := Command{Ecosystem: source.Go, Fault: "sets another Go module proxy"}
	var list []string
	for entry := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == '|' }) {
		switch entry = strings.TrimSpace(entry); {
		case entry == "off" || strings.Trim(entry, "${}") == "GOPROXY" || entry == "$(go env GOPROXY)":
		case entry == "direct" && list == nil:
			return Command{Ecosystem: source.Go, Fault: "lets go fetch modules from version control hosts"}, true
		case entry == "direct":
		case !strings.Contains(entry, "://") && !dynamic(entry):
			list = append(list, "https://"+entry)
		default:
			list = append(list, entry)
		}
	}
	return named(c, list...), list != nil
}

// public tells whether patterns take in modules that belong to nobody in particular.
func public(patterns string) bool {
	for _, path := range []string{"github.com/zz--nobody/x", "gitlab.com/zz--nobody/x", "bitbucket.org/zz--nobody/x", "golang.org/x/zz--nobody", "zz--nobody.com/x", "zz--nobody.org/x"} {
		if module.MatchPrefixPatterns(strings.ReplaceAll(patterns, " ", ""), path) {
			return true
		}
	}
	return false
}

// options splits arguments into options and the rest, up to the first that is no option: what follows may be of another
// program. Some options take a value; it comes with them.
func options(args []shellWord, valued ...string) (opts [][2]shellWord, rest []shellWord) {
	for i := 0; i < len(args); i++ {
		w := args[i]
		name, value, ok := strings.Cut(w.text, "=")
		switch {
		case w.text == "--":
			return opts, args[i+1:]
		case !strings.HasPrefix(w.text, "-"):
			return opts, args[i:]
		case ok:
			opts = append(opts, [2]shellWord{{text: name, at: w.at}, {text: value, at: w.at}})
		case i+1 < len(args) && (slices.Contains(valued, name) || strings.HasSuffix(name, ":registry")):
			i++
			opts = append(opts, [2]shellWord{w, args[i]})
		default:
			opts = append(opts, [2]shellWord{w, {}})
		}
	}
	return opts, nil
}

// interspersed is options where those may stand anywhere.
func interspersed(args []shellWord, valued ...string) (opts [][2]shellWord, rest []shellWord) {
	for len(args) > 0 {
		more, left := options(args, valued...)
		opts = append(opts, more...)
		if args = nil; len(left) > 0 {
			rest, args = append(rest, left[0]), left[1:]
		}
	}
	return opts, rest
}

// setting judges a setting of npm, pnpm, yarn or bun.
func (j *judge) setting(command, key, value string, w shellWord) {
	c := Command{Kind: CommandSource, Ecosystem: source.NPM, Text: shown(command + key + "=" + masked(value))}
	switch {
	case key == "registry" || scoped.MatchString(key) || key == "npmRegistryServer" || strings.HasSuffix(key, ".npmRegistryServer"):
		c.Fault = "sets another npm registry"
		c = named(c, value)
	case (key == "strict-ssl" || key == "enableStrictSsl") && isOff(value):
		c.Fault, c.Unchecked = "switches TLS verification off", true
	case key == "unsafeHttpWhitelist":
		c.Fault, c.Unchecked = "lets packages be fetched over plain http", true
	case key == "checksumBehavior" && value != "throw":
		c.Fault, c.Unchecked = "lets yarn take packages that do not have their checksum", true
	case key == "enableImmutableInstalls" && isOff(value):
		c.Fault = "lets yarn change its lock file"
	case slices.Contains([]string{"proxy", "https-proxy", "cafile", "ca", "httpProxy", "httpsProxy", "httpsCaFilePath"}, key):
		c.Fault = "decides whom npm trusts or asks on the way"
		c.Text = shown(command + key) // a proxy's address may hold a password in any form
	default:
		return
	}
	j.tell(c, w)
}

func (j *judge) npm(tool string, args []shellWord) {
	valued := []string{"--registry", "--strict-ssl", "--prefix", "-C", "--dir", "--filter", "-F", "--cwd", "--workspace", "--package", "-p", "--call",
		"--location", "-L", "--loglevel", "--cache", "--tag", "--userconfig"}
	opts, rest := options(args, valued...)
	sub := ""
	if tool != "npx" && tool != "pnpx" && tool != "bunx" {
		if len(rest) == 0 {
			return
		}
		if sub, rest = rest[0].text, rest[1:]; tool == "corepack" && slices.Contains([]string{"npm", "pnpm", "yarn"}, sub) {
			j.npm(sub, rest)
			return
		}
		if sub == "global" && len(rest) > 0 {
			sub, rest = rest[0].text, rest[1:]
		}
	}
	runs := sub == "" || sub == "dlx" || sub == "create" || tool == "npm" && (sub == "exec" || sub == "x" || sub == "init") || tool == "bun" && sub == "x"
	split := interspersed
	if runs {
		split = options
	}
	if sub != "" {
		more, left := split(rest, valued...)
		opts, rest = append(opts, more...), left
	}
	command := strings.TrimSpace(tool+" "+source.Plain(sub, 40)) + " "
	switch sub {
	case "config", "c", "set":
		if sub != "set" {
			if len(rest) == 0 || rest[0].text != "set" {
				return
			}
			command, rest = command+"set ", rest[1:]
		}
		for i := 0; i < len(rest); i++ {
			w := rest[i]
			key, value, ok := strings.Cut(w.text, "=")
			if !ok {
				if i++; i == len(rest) {
					break
				}
				value = rest[i].text
			}
			j.setting(command, key, value, w)
		}
		return
	case "publish", "login", "logout", "adduser", "add-user", "whoami", "dist-tag", "dist-tags", "deprecate", "unpublish",
		"owner", "access", "team", "token", "profile", "org", "star", "ping", "view", "info", "show", "v", "search":
		return // they install nothing
	}
	// npx, bunx and npm exec take what is installed, unless it is said what they shall fetch
	fetches := tool == "pnpx" || sub == "dlx" || sub == "create" || sub == "init"
	var packages []shellWord
	for _, o := range opts {
		switch name := strings.TrimLeft(o[0].text, "-"); {
		case name == "registry" || name == "strict-ssl" || scoped.MatchString(name):
			j.setting(command+"--", name, o[1].text, o[0])
		case name == "no-strict-ssl":
			j.setting(command+"--", "strict-ssl", "false", o[0])
		case runs && (name == "package" || name == "p"):
			packages, fetches = append(packages, o[1]), true
		case name == "y" || name == "yes":
			fetches = true
		case runs && (name == "no" || name == "no-install"):
			return
		}
	}
	switch {
	case runs && packages == nil:
		packages = rest[:min(len(rest), 1)]
	case runs:
	case slices.Contains([]string{"install", "i", "in", "add", "isntall"}, sub), tool == "corepack" && (sub == "prepare" || sub == "use"):
		packages, fetches = rest, true
	}
	for _, w := range packages {
		if fault, addresses := loose(w.text, fetches); fault != "" {
			j.tell(Command{Kind: CommandAdhoc, Ecosystem: source.NPM, Fault: fault, Addresses: addresses, Text: shown(command + w.text)}, w)
		}
	}
}

// loose says what is wrong with the package that npm is asked for: no version, or a place. What has no version at all is
// taken from what is installed, unless it is always fetched.
func loose(spec string, always bool) (fault string, addresses []string) {
	if i := strings.Index(spec[min(1, len(spec)):], "@npm:"); i >= 0 {
		spec = spec[i+1+len("@npm:"):]
	}
	name, version, ok := spec, "", false
	if i := strings.LastIndexByte(spec, '@'); i > 0 {
		name, version, ok = spec[:i], spec[i+1:], true
	}
	switch {
	case spec == "" || strings.HasPrefix(spec, ".") || strings.HasPrefix(spec, "/") || strings.HasPrefix(spec, "~"),
		strings.HasPrefix(spec, "file:") || strings.HasPrefix(spec, "link:") || strings.HasPrefix(spec, "workspace:"),
		dynamic(name) && !strings.Contains(name, "://"):
		return "", nil
	case strings.Contains(spec, "://") || strings.HasPrefix(spec, "github:") || !strings.HasPrefix(spec, "@") && strings.Contains(name, "/") && !strings.HasSuffix(spec, ".tgz"):
		if a, ok := address(strings.TrimPrefix(spec, "git+")); ok {
			addresses = []string{a}
		}
		return "installs what no lock file pins, from a place of its own", addresses
	case strings.HasSuffix(spec, ".tgz") || strings.HasSuffix(spec, ".tar.gz"):
		return "", nil
	case ok && (dynamic(version) || exact.MatchString(version)), !ok && !always:
		return "", nil
	}
	return "takes what no lock file pins, in whatever version is the newest", nil
}

func (j *judge) golang(args []shellWord) {
	if _, args = options(args, "-C"); len(args) == 0 {
		return
	}
	sub := args[0].text
	opts, rest := options(args[1:], "-C", "-tags", "-ldflags", "-gcflags", "-asmflags", "-o", "-exec", "-modfile", "-p")
	update := false
	for _, o := range opts {
		switch name := strings.TrimLeft(o[0].text, "-"); {
		case name == "insecure":
			j.tell(Command{Kind: CommandSource, Ecosystem: source.Go, Fault: "switches go's verification off", Unchecked: true, Text: "go " + shown(sub) + " -insecure"}, o[0])
		case sub == "env" && name == "w":
			for _, w := range rest {
				if name, value, ok := strings.Cut(w.text, "="); ok {
					if c, ok := Variable(name, value); ok {
						c.Text = "go env -w " + c.Text
						j.tell(c, w)
					}
				}
			}
		case name == "u":
			update = true
		}
	}
	if sub == "run" {
		rest = rest[:min(len(rest), 1)]
	} else if sub != "install" && sub != "get" {
		return
	}
	for _, w := range rest {
		path, version, ok := strings.Cut(w.text, "@")
		first, _, _ := strings.Cut(path, "/")
		if dynamic(path) || dynamic(version) || strings.HasPrefix(path, ".") || !strings.Contains(first, ".") || strings.HasSuffix(path, ".go") {
			continue
		}
		if ok && !exact.MatchString(version) && !commit.MatchString(version) && version != "none" || !ok && sub == "get" && update {
			j.tell(Command{Kind: CommandAdhoc, Ecosystem: source.Go, Fault: "takes what go.mod does not pin, in whatever version is the newest", Text: shown("go " + sub + " " + w.text)}, w)
		}
	}
}

func (j *judge) git(args []shellWord) {
	opts, rest := options(args, "-c", "-C", "--git-dir", "--work-tree")
	for _, o := range opts {
		if key, value, ok := strings.Cut(o[1].text, "="); ok && o[0].text == "-c" {
			j.gitSetting("git -c ", key, value, o[0])
		}
	}
	if len(rest) == 0 || rest[0].text != "config" {
		return
	}
	if _, rest = interspersed(rest[1:], "-f", "--file", "--blob"); len(rest) > 0 && rest[0].text == "set" {
		rest = rest[1:]
	}
	if len(rest) > 1 {
		j.gitSetting("git config ", rest[0].text, rest[1].text, rest[0])
	}
}

func (j *judge) gitSetting(command, key, value string, w shellWord) {
	const url, instead, verify = "url.", ".insteadof", ".sslverify"
	ends := func(suffix string) bool {
		return len(key) > len(suffix) && strings.EqualFold(key[len(key)-len(suffix):], suffix)
	}
	c := Command{Kind: CommandSource, Ecosystem: source.Git}
	switch {
	case ends(instead) && len(key) > len(url)+len(instead) && strings.EqualFold(key[:len(url)], url):
		to := key[len(url) : len(key)-len(instead)]
		there, known := gitHost(to)
		here, _ := gitHost(value)
		switch plain := strings.HasPrefix(to, "http:") || strings.HasPrefix(to, "git:"); {
		case plain:
			c.Fault, c.Unchecked = "sends git over an unencrypted connection", true
		case known && there == here, there == "" && !dynamic(to): // another way to the same host
			return
		case known:
			c.Fault, c.Addresses = "sends git to another place", []string{"https://" + there + "/"}
		default:
			c.Fault = "sends git to what a variable holds"
		}
		c.Text = shown(command + url + there + ".insteadOf " + here)
	case ends(verify) && strings.EqualFold(key[:5], "http.") && isOff(value), strings.EqualFold(key, "http.sslVerify") && isOff(value):
		c.Fault, c.Unchecked, c.Text = "switches TLS verification off", true, shown(command+key+" "+value)
	default:
		return
	}
	j.tell(c, w)
}

// gitHost is the host of an address as git takes it; empty where there is none, and not known where it is not written out.
func gitHost(text string) (host string, known bool) {
	_, rest, ok := strings.Cut(text, "://")
	if !ok {
		rest, _, _ = strings.Cut(text, ":")
	}
	rest, _, _ = strings.Cut(rest[strings.LastIndexByte(rest, '@')+1:], "/")
	if ok {
		if h, port, cut := strings.Cut(rest, ":"); cut && (port == "22" || port == "443" || port == "") {
			rest = h
		}
	}
	return strings.ToLower(rest), rest != "" && !dynamic(rest)
}

func (j *judge) pip(tool string, args []shellWord) {
	valued := []string{"-i", "--index-url", "--extra-index-url", "--default-index", "--index", "--trusted-host", "--allow-insecure-host",
		"-f", "--find-links", "-r", "--requirement", "--requirements", "-c", "--constraint", "-e", "--editable", "-t", "--target", "--prefix", "--root",
		"--python", "-p", "--spec", "--from", "--with", "--cache-dir", "--timeout", "--platform", "--python-version"}
	opts, rest := options(args, valued...)
	sub := ""
	for tool != "uvx" && len(rest) > 0 {
		sub, rest = rest[0].text, rest[1:]
		if tool != "uv" || sub != Pip && sub != "tool" {
			break
		}
	}
	runs := tool == "uvx" || sub == "run"
	split := interspersed
	if runs {
		split = options
	}
	more, rest := split(rest, valued...)
	if opts = append(opts, more...); runs {
		rest = rest[:min(len(rest), 1)]
	}
	command := strings.TrimSpace(tool+" "+source.Plain(sub, 40)) + " "
	tell := func(w shellWord, text, fault string, values ...string) {
		c := Command{Kind: CommandSource, Ecosystem: Pip, Fault: fault, Unchecked: len(values) == 0, Text: shown(text)}
		if len(values) > 0 {
			c = named(c, values...)
		}
		j.tell(c, w)
	}
	if sub == "config" && len(rest) > 2 && rest[0].text == "set" {
		_, key, _ := strings.Cut(rest[1].text, ".")
		switch key {
		case "index-url", "extra-index-url", "find-links":
			tell(rest[1], command+"set "+rest[1].text+" "+masked(rest[2].text), "names another index of Python packages", rest[2].text)
		case "trusted-host":
			tell(rest[1], command+"set "+rest[1].text+" "+rest[2].text, "lets pip fetch packages without TLS verification")
		}
		return
	}
	hashed := false
	for _, o := range opts {
		text := command + o[0].text + " " + masked(o[1].text)
		switch o[0].text {
		case "-i", "--index-url", "--extra-index-url", "--default-index", "--index":
			tell(o[0], text, "names another index of Python packages", o[1].text)
		case "-f", "--find-links":
			if strings.Contains(o[1].text, "://") {
				tell(o[0], text, "names another index of Python packages", o[1].text)
			}
		case "--trusted-host", "--allow-insecure-host":
			tell(o[0], text, "lets pip fetch packages without TLS verification")
		case "--require-hashes":
			hashed = true
		}
	}
	if hashed || tool == "uv" && sub == "run" || !runs && !slices.Contains([]string{"install", "download", "wheel"}, sub) {
		return
	}
	for _, w := range rest {
		_, at, _ := strings.Cut(w.text, "@")
		switch {
		case w.text == "" || strings.HasPrefix(w.text, ".") || strings.HasPrefix(w.text, "/") || path.Ext(w.text) == ".whl" && !strings.Contains(w.text, "://"),
			strings.Contains(w.text, "==") || exact.MatchString(at) || dynamic(w.text):
			continue
		}
		c := Command{Kind: CommandAdhoc, Ecosystem: Pip, Fault: "takes what nothing pins, in whatever version is the newest", Text: shown(command + w.text)}
		if a, ok := address(strings.TrimPrefix(w.text, "git+")); ok {
			c.Addresses = []string{a}
		}
		j.tell(c, w)
	}
}
