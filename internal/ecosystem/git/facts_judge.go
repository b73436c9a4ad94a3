package git

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// maxTold bounds how many settings policies have to judge, and maxWords how many words of a command are looked at.
const maxTold, maxWords = 2000, 200

// facts are what policies see of the configuration: settings that are judged by their value, and the rest by what they
// do. Values of http.*.extraheader and of credentials are told nowhere.
func (c *configuration) facts() ([]decide.Setting, decide.Git) {
	told := decide.Git{Submodules: []decide.Submodule{}, Rewrites: []decide.Rewrite{}, Programs: []decide.GitProgram{}, Files: []decide.GitFile{}}
	var settings []decide.Setting
	last := map[string]int{}
	for i, s := range c.settings {
		last[s.key] = i
	}
	for i, s := range c.settings {
		if len(settings)+len(told.Rewrites)+len(told.Programs) >= maxTold {
			c.missed(s.holder, fmt.Sprintf("holds the last of more than %d settings", maxTold), true)
			break
		}
		many := s.section == "url" || s.section == "credential" || s.key == "safe.directory" || s.key == "core.gitproxy"
		if !many && last[s.key] != i {
			continue
		}
		switch {
		case s.section == "url" && s.sub != "" && (s.name == "insteadof" || s.name == "pushinsteadof"):
			told.Rewrites = append(told.Rewrites, c.rewrite(s))
		case s.section == "submodule" && s.name == "url" && s.clone && s.value != "":
			told.Rewrites = append(told.Rewrites, c.moved(s)...)
		case s.section == "remote" && s.name == "proxy":
			settings = append(settings, c.http(s, &told)...)
		case s.section == "http":
			settings = append(settings, c.http(s, &told)...)
		case s.section == "protocol" && s.name == "allow", s.key == "safe.directory":
			settings = append(settings, s.setting(strings.ToLower(s.value)))
		default:
			if command, ok := c.command(s); ok {
				told.Programs = append(told.Programs, c.program(s, command)...)
			}
		}
	}
	told.Programs = append(told.Programs, c.variables(&settings, &told)...)
	for _, s := range c.hostile {
		told.Files = append(told.Files, c.file(s))
	}
	told.Files = append(told.Files, c.unread...)
	return settings, told
}

// name is the setting's, without a secret.
func (s setting) shown() string { return source.Plain(source.Redact(s.key), 200) }

// told is where a setting stands. What .git/config says has the origin of the checkout, though no commit holds it: it was
// written for this one clone, by whoever worked in it before.
func (s setting) told() decide.From {
	f := decide.From{Origin: source.Runner, Setting: s.from, Position: s.at}
	if s.clone || s.hostile {
		f.Origin = source.Checkout
	}
	if s.key != "" && s.from != s.key {
		f.Setting = s.shown() + " in " + s.from
	}
	return f
}

func (s setting) setting(value string) decide.Setting {
	f := s.told()
	return decide.Setting{Ecosystem: source.Git, Name: s.shown(), Value: source.Plain(source.Redact(value), 300), Origin: f.Origin, From: s.from, Position: f.Position}
}

// http are the settings of how a server is reached over http and https.
func (c *configuration) http(s setting, told *decide.Git) []decide.Setting {
	switch s.name {
	case "sslverify":
		on, ok := s.on()
		if loc, err := source.Locate(s.sub); !ok || err == nil && loc.Loopback {
			return nil
		}
		return []decide.Setting{s.setting(map[bool]string{true: "true", false: "false"}[on])}
	case "proxy":
		out := s.setting(s.value)
		if strings.Contains(s.value, "://") {
			place := decide.PlaceOf(s.value)
			out.Place = &place
		}
		return []decide.Setting{out}
	case "curloptresolve":
		return []decide.Setting{s.setting(s.value)}
	case "sslcainfo", "sslcapath":
		// a relative one is none beside the file that it stands in: git hands it on as it is (2.39)
		if s.text = c.inRoot(s.value); s.value != "" && !strings.HasPrefix(s.value, "%(") && c.theirs(s.text) {
			told.Files = append(told.Files, c.file(s))
		}
	}
	return nil
}

func (c *configuration) file(s setting) decide.GitFile {
	f := decide.GitFile{Path: c.shown(s.text), From: s.told()}
	if s.key == "" && s.path != "" { // a file that git looks for by itself
		f.Setting = "git's configuration"
	}
	return f
}

// openHost matches an address that takes its host from what follows.
var openHost = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@]*@)?$`)

// endless matches an address whose host may go on in what follows.
var endless = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/]*$`)

// rewrite says where addresses are led that begin with the setting's value.
func (c *configuration) rewrite(s setting) decide.Rewrite {
	instead := source.Redact(s.value)
	if user, rest, ok := strings.Cut(instead, "@"); ok && user != "git" && !strings.Contains(instead, "://") {
		instead = "***@" + rest
	}
	r := decide.Rewrite{InsteadOf: source.Plain(instead, 200), Push: s.name == "pushinsteadof", From: s.told()}
	r.Position = s.header
	to, from := prefix(s.sub), prefix(s.value)
	switch r.Place = to.place; to.kind {
	case decide.SubmoduleRelative:
		r.Scheme = "file"
	case decide.SubmoduleCommand, decide.SubmoduleRefused, decide.SubmoduleInvalid:
		r.Broken = to.fault
	}
	open := openHost.MatchString(s.sub)
	switch {
	case open && from.place.Host == "":
		r.Place, r.Stays = decide.Place{Scheme: schemeOf(s.sub)}, true
	case open:
		r.Place = decide.Place{Broken: "takes its host from the path of the address"}
	case endless.MatchString(s.sub) && from.place.Host != "" && !endless.MatchString(s.value):
		r.Place = decide.Place{Broken: "goes on with the address in its host: a slash is missing"}
	default:
		r.Stays = to.place.Host != "" && to.place.Host == from.place.Host
	}
	r.Weaker = slices.Contains(plain, r.Scheme) && !r.Loopback && !slices.Contains(plain, schemeOf(s.value))
	where := "*"
	if r.URL != "" {
		where = strings.TrimSuffix(r.URL, "/"+nowhere)
	} else if open {
		where = source.Redact(s.sub)
	}
	r.Name = source.Plain("url."+where+"."+s.name, 200)
	r.From.Setting = r.Name + " in " + s.from
	return r
}

// moved says where a submodule comes from that the clone takes from another host than .gitmodules says: once git has
// taken over an address, it goes by .git/config alone. Which that is for one beside the repository its remote says.
func (c *configuration) moved(s setting) []decide.Rewrite {
	i := slices.IndexFunc(c.modules, func(m decide.Submodule) bool { return m.Name == source.Plain(s.sub, 200) })
	if i < 0 {
		return nil // without a path git takes nothing there
	}
	from, to := c.modules[i].Place, targetOf(s.value)
	if c.modules[i].Relative {
		for _, r := range c.settings {
			if r.key == "remote.origin.url" {
				from = targetOf(r.value).place
			}
		}
	}
	if to.kind == decide.SubmoduleLocal && from.Host == "" || to.kind == decide.SubmoduleRelative {
		return nil
	}
	r := decide.Rewrite{Name: s.shown(), InsteadOf: source.Plain("submodule "+c.modules[i].Name, 200), From: s.told(), Place: to.place}
	r.Stays = to.place.Host != "" && to.place.Host == from.Host
	r.Weaker = slices.Contains(plain, r.Scheme) && !r.Loopback && !slices.Contains(plain, from.Scheme)
	if to.kind != decide.SubmoduleRemote && to.kind != decide.SubmoduleLocal {
		r.Broken = to.fault
	}
	if r.Stays && !r.Weaker {
		return nil
	}
	return []decide.Rewrite{r}
}

// plain are the schemes that anybody on the way can read and change.
var plain = []string{"http", "git", "ftp"}

// nowhere stands for the path behind "git@a.test:".
const nowhere = "x"

// prefix is where addresses go that begin with text.
func prefix(text string) target {
	if strings.HasSuffix(text, ":") && !strings.Contains(text, "://") {
		text += nowhere
	}
	return targetOf(text)
}

func schemeOf(text string) string {
	if m := scheme.FindStringSubmatch(text); m != nil {
		return strings.ToLower(m[1])
	}
	return ""
}

// command is what a setting has git start; ok is false where it is none of those that are judged, or starts nothing.
// Editors, pagers, aliases and the like, which a person calls for, are left out.
func (c *configuration) command(s setting) (command string, ok bool) {
	command = s.value
	switch {
	case s.bare || command == "":
		return "", false
	case s.key == "core.sshcommand", s.key == "core.askpass", s.key == "core.alternaterefscommand", s.key == "uploadpack.packobjectshook":
	case s.section == "filter" && s.sub != "" && slices.Contains([]string{"clean", "smudge", "process"}, s.name):
	case s.section == "remote" && s.sub != "" && slices.Contains([]string{"uploadpack", "receivepack"}, s.name):
	case s.section == "remote" && s.sub != "" && s.name == "vcs":
		command = "git-remote-" + command
	case s.section == "credential" && s.name == "helper":
	case s.key == "core.fsmonitor":
		if _, is := s.on(); is {
			return "", false
		}
	case s.key == "core.gitproxy":
		command, _, _ = strings.Cut(command, " for ")
		if command == "none" {
			return "", false
		}
	case s.section == "submodule" && s.sub != "" && s.name == "update":
		return strings.CutPrefix(command, "!")
	case s.key == "core.hookspath":
		return command, command != os.DevNull && !(c.dir != "" && ecosystem.Inside(c.dir, c.inRoot(command)))
	default:
		return "", false
	}
	return command, true
}

// inRoot is a path as git sees it, which runs in the root of the repository.
func (c *configuration) inRoot(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		path = filepath.Join(c.home(), rest)
	}
	if filepath.IsAbs(path) {
		return path
	}
	if c.root != "" {
		return filepath.Join(c.root, path)
	}
	return filepath.Join(c.co.Dir(), path)
}

var (
	// usual are the programs that a setting is usually for, by its last name.
	usual = map[string]*regexp.Regexp{
		"sshcommand": regexp.MustCompile(`^(?:ssh|plink|tortoiseplink)(?:\.exe)?$`), "GIT_SSH_COMMAND": regexp.MustCompile(`^ssh(?:\.exe)?$`),
		"clean": filters, "smudge": filters, "process": filters,
		"uploadpack": regexp.MustCompile(`^git-upload-pack$`), "receivepack": regexp.MustCompile(`^git-receive-pack$`),
	}
	filters = regexp.MustCompile(`^(?:git-lfs|git-crypt|nbstripout)(?:\.exe)?$`)
	// unverified matches the options by which ssh takes any key of a host.
	unverified = regexp.MustCompile(`(?i)StrictHostKeyChecking[= "']+(?:no|off)\b|UserKnownHostsFile[= "']+/dev/null`)
	// detour matches the options by which ssh starts something else.
	detour = regexp.MustCompile(`(?i)(?:Proxy|Local|KnownHosts)Command`)
)

// program is what is known of a command. It is not quoted: it may hold a secret. What the runner has for its usual end is
// left out: on most machines that is all there is.
func (c *configuration) program(s setting, command string) []decide.GitProgram {
	p := decide.GitProgram{Name: s.shown(), Kind: "runner", From: s.told()}
	if p.Name == "" {
		p.Name = s.from
	}
	ssh := strings.HasSuffix(strings.ToLower(strings.ReplaceAll(p.Name, "_", "")), "sshcommand")
	p.Unverified = ssh && unverified.MatchString(command)
	all := words(command)
	first := program(command)
	if re := usual[s.name]; re != nil {
		p.Usual = re.MatchString(filepath.Base(filepath.ToSlash(first))) && !(ssh && detour.MatchString(command))
	}
	inside := ""
	switch {
	case s.key == "core.hookspath":
		if c.theirs(c.inRoot(command)) {
			inside, p.Usual = command, s.clone // husky and its like; for one clone, somebody there has wanted it
		}
	case s.section == "credential" && !strings.HasPrefix(command, "!") && !filepath.IsAbs(first):
		p.Usual = true // git-credential-NAME
	default:
		inside = c.startsInside(all)
		p.Usual = (p.Usual || s.section == "credential") && inside == ""
	}
	switch {
	case inside != "" || s.hostile:
		p.Kind, p.Path = "checkout", source.Plain(source.Redact(inside), 200)
	case s.clone:
		p.Kind = "clone"
	case p.Usual && !p.Unverified:
		return nil
	}
	return []decide.GitProgram{p}
}

// words are those of a command, however they are quoted.
func words(command string) []string {
	found := strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'`=!;&|()<>{}", r) })
	return found[:min(len(found), maxWords)]
}

// program is the first word of a command; one in quotes may hold spaces.
func program(command string) string {
	command = strings.TrimLeft(command, " \t!")
	if command != "" && (command[0] == '"' || command[0] == '\'') {
		if first, _, ok := strings.Cut(command[1:], command[:1]); ok {
			return first
		}
	}
	if all := words(command); len(all) > 0 {
		return all[0]
	}
	return ""
}

// startsInside is the word of a command that names what the author of the checkout may have written; empty where none
// does.
func (c *configuration) startsInside(all []string) string {
	for i, word := range all {
		path := c.inRoot(word)
		switch {
		case filepath.IsAbs(word), strings.HasPrefix(word, "~/"):
			if c.theirs(path) {
				return word
			}
		case strings.ContainsAny(word, `/\`) && (i == 0 || exists(path)), i > 0 && strings.Contains(word, ".") && exists(path):
			if c.theirs(path) {
				return word
			}
		case i == 0 && c.onPath(word):
			return word
		}
	}
	return ""
}

// onPath tells whether a program is found in a directory of the PATH that lies in the checkout.
func (c *configuration) onPath(program string) bool {
	dirs, _ := c.m.Lookup("PATH")
	for _, dir := range filepath.SplitList(dirs) {
		if exe := filepath.Join(dir, program); exists(exe) {
			return !filepath.IsAbs(dir) || c.theirs(exe)
		}
	}
	return false
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// variables are those of the environment that have a setting of their own.
func (c *configuration) variables(settings *[]decide.Setting, told *decide.Git) []decide.GitProgram {
	if c.m.Lookup == nil { // nothing was read
		return nil
	}
	of := func(name, value string) setting {
		return setting{variable: variable{value: value}, holder: holder{from: name}}
	}
	var out []decide.GitProgram
	if _, set := c.m.Lookup("GIT_SSL_NO_VERIFY"); set { // git asks for no value (http.c)
		s := of("GIT_SSL_NO_VERIFY", "")
		s.key = s.from
		*settings = append(*settings, s.setting("true"))
	}
	if value, set := c.m.Lookup("GIT_ALLOW_PROTOCOL"); set {
		s := of("GIT_ALLOW_PROTOCOL", "")
		s.key = s.from
		*settings = append(*settings, s.setting(value))
	}
	for _, name := range []string{"GIT_SSL_CAINFO", "GIT_SSL_CAPATH"} {
		if value, _ := c.m.Lookup(name); value != "" && c.theirs(c.inRoot(value)) {
			s := of(name, value)
			s.text = c.inRoot(value)
			told.Files = append(told.Files, c.file(s))
		}
	}
	for _, name := range []string{"GIT_SSH_COMMAND", "GIT_SSH", "GIT_PROXY_COMMAND", "GIT_ASKPASS"} {
		if value, _ := c.m.Lookup(name); value != "" {
			s := of(name, value)
			s.name = name
			out = append(out, c.program(s, value)...)
		}
	}
	return out
}
