package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/source"
)

// maxConflicts bounds the conflicts; a machine has a handful.
const maxConflicts = 100

// The conflicts by their ids, in the order in which they are looked for:
//
//	git-count        GIT_CONFIG_COUNT is no count, or larger than what is there
//	case-differs     the two cases of a variable differ
//	httpoxy          REQUEST_METHOD is set with HTTP_PROXY
//	http-only        HTTP_PROXY is set, and no proxy for https
//	all-only         ALL_PROXY alone is set
//	proxy-quoted     quotes or spaces are a part of an address
//	proxy-broken     an address cannot be understood
//	password-raw     a password holds characters that must be percent-encoded
//	tool-differs     a tool's own proxy is not the environment's
//	tool-alone       a tool has a proxy of its own, and the environment has none
//	java-direct      the environment has a proxy, and Java, which does not read that, has none
//	no-proxy-form    entries of NO_PROXY that some clients do not understand
//	no-proxy-ignored the tool's own proxy counts for the hosts of NO_PROXY, too
//	loopback-proxied npm asks this machine itself through the proxy
//	bundle-empty     GIT_SSL_CAINFO is set and empty
//	bundle-broken    a bundle is not there, cannot be read, or holds no certificate
//	bundle-hidden    npm's cafile hides NODE_EXTRA_CA_CERTS
//	bundle-foreign   a bundle lies where the checkout's author may have written
func (r *reader) conflicts() {
	r.cases()
	r.schemes()
	r.addresses()
	r.differing()
	r.exempt()
	r.certificates()
}

func (r *reader) conflict(c Conflict) {
	if len(r.out.Conflicts) < maxConflicts && !slices.ContainsFunc(r.out.Conflicts, func(o Conflict) bool { return o.Text == c.Text }) {
		r.out.Conflicts = append(r.out.Conflicts, c)
	}
}

// named are the settings of variables of the environment.
func (r *reader) named(name string) (upper, lower Setting) {
	for _, s := range r.out.Settings {
		if s.Tool == Environment && s.Key == name {
			upper = s
		} else if s.Tool == Environment && s.Key == strings.ToLower(name) {
			lower = s
		}
	}
	return upper, lower
}

func (r *reader) cases() {
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"} {
		upper, lower := r.named(name)
		if upper.Value == "" || lower.Value == "" || upper.Value == lower.Value {
			continue
		}
		low := strings.ToLower(name)
		who := "Go and yarn 1 follow the first, curl, git, wget, pip and GitHub's runner the second, npm the one that comes last in the environment"
		if name == "HTTP_PROXY" {
			who = "Go and yarn 1 follow the first, curl, git, wget, apt, pip and GitHub's runner the second"
		}
		shown := fmt.Sprintf(" (%s and %s)", upper.Shown, lower.Shown)
		if upper.Shown == lower.Shown {
			shown = " in the name or password"
		}
		r.conflict(Conflict{ID: "case-differs", Tool: Environment, Origins: []string{name, low},
			Text: name + " and " + low + " differ" + shown + ": " + who, Fix: "set " + name + " and " + low + " to the same value"})
	}
	for _, key := range nodeNames { // npm takes the one that was put into the environment last (measured with npm 11)
		low := "npm_config_" + strings.ReplaceAll(key, "-", "_")
		if a, b := r.get(strings.ToUpper(low)), r.get(low); a != "" && b != "" && a != b && r.OS != "windows" {
			r.conflict(Conflict{ID: "case-differs", Tool: NPM, Origins: []string{strings.ToUpper(low), low},
				Text: strings.ToUpper(low) + " and " + low + " differ: npm takes the one that comes last in the environment", Fix: "unset one of them"})
		}
	}
	upper, _ := r.named("HTTP_PROXY")
	if _, cgi := r.Lookup("REQUEST_METHOD"); cgi && upper.Value != "" {
		r.conflict(Conflict{ID: "httpoxy", Tool: Environment, Origins: []string{"HTTP_PROXY", "REQUEST_METHOD"},
			Text: "REQUEST_METHOD is set beside HTTP_PROXY, as for a program that a web server starts: Go then refuses http:// addresses, and Python's clients ignore the proxy",
			Fix:  "unset REQUEST_METHOD"})
	}
}

// effective is the environment's proxy for a scheme, as most tools that are not Go see it.
func (r *reader) effective(scheme string) (Setting, bool) {
	for _, name := range []string{scheme + "_PROXY", "ALL_PROXY"} {
		upper, lower := r.named(name)
		if lower.Value != "" {
			return lower, true
		}
		if upper.Value != "" {
			return upper, true
		}
	}
	return Setting{}, false
}

func (r *reader) schemes() {
	set := func(name string) []string {
		var out []string
		upper, lower := r.named(name)
		for _, s := range []Setting{upper, lower} {
			if s.Value != "" {
				out = append(out, s.Key)
			}
		}
		return out
	}
	http, https, all := set("HTTP_PROXY"), set("HTTPS_PROXY"), set("ALL_PROXY")
	switch {
	case len(http) > 0 && len(https) == 0 && len(all) == 0:
		r.conflict(Conflict{ID: "http-only", Tool: Environment, Origins: http,
			Text: strings.Join(http, " and ") + " is set and HTTPS_PROXY is not: https:// addresses, which nearly all package sources have, are asked directly",
			Fix:  "set HTTPS_PROXY and https_proxy, too; the proxy's own address may begin with http://"})
	case len(all) > 0 && len(https) == 0:
		r.conflict(Conflict{ID: "all-only", Tool: Environment, Origins: all,
			Text: strings.Join(all, " and ") + " is set and HTTPS_PROXY is not: curl and git follow it, while Go, npm and apt ignore it and ask directly",
			Fix:  "set HTTPS_PROXY, https_proxy, HTTP_PROXY and http_proxy, too"})
	}
}

func (r *reader) addresses() {
	for _, s := range r.out.Settings {
		if !s.isProxy() {
			continue
		}
		a := parseAddress(s.Value)
		trimmed := strings.Trim(s.Value, " \t\r\n\"'")
		switch odd := a.odd(); {
		case !a.ok && trimmed != s.Value && parseAddress(trimmed).ok:
			r.conflict(Conflict{ID: "proxy-quoted", Tool: s.Tool, Origins: []string{s.Origin},
				Text: s.Key + " in " + s.Origin + " begins or ends with a quote or white space, which is a part of the address to the tools", Fix: "write the address without it"})
		case !a.ok:
			r.conflict(Conflict{ID: "proxy-broken", Tool: s.Tool, Origins: []string{s.Origin},
				Text: s.Key + " in " + s.Origin + " is no address of a proxy", Fix: "write it as name:password@host:port, with # @ / : ? and % in name and password percent-encoded (%23 %40 %2F %3A %3F %25)"})
		case odd != "" && a.userinfo != "" && !parts(s.Tool):
			r.conflict(Conflict{ID: "password-raw", Tool: s.Tool, Origins: []string{s.Origin},
				Text: "the password in " + s.Key + " (" + s.Origin + ") holds " + spaced(odd) + " as it is, and tools take the address for different ones", Fix: "percent-encode the password: " + encoded(odd)})
		}
	}
}

// parts tells which tools are told name and password apart from the address.
func parts(tool string) bool {
	return tool == Java || tool == Maven || tool == Gradle
}

func spaced(chars string) string { return strings.Join(strings.Split(chars, ""), " ") }

func encoded(chars string) string {
	var out []string
	for _, c := range []byte(chars) {
		out = append(out, fmt.Sprintf("%c is %%%02X", c, c))
	}
	return strings.Join(out, ", ")
}

// differing compares the tools' own proxies with the environment's.
func (r *reader) differing() {
	for _, tool := range []string{Git, NPM, PNPM, Yarn, Berry, Pip, Cargo, Java, Maven, Gradle, Docker, Apt, Runner} {
		scheme, kinds := "HTTPS", []Kind{HTTPSProxy, AllProxy}
		if tool == Apt { // its archives are http
			scheme, kinds = "HTTP", []Kind{HTTPProxy, AllProxy}
		}
		own := r.out.own(tool, kinds...)
		if len(own) == 0 {
			if tool == NPM { // it takes its proxy for http for https, too
				own = r.out.own(tool, HTTPProxy)
			}
			if len(own) == 0 {
				continue
			}
		}
		s := own[0]
		env, has := r.effective(scheme)
		if !has {
			if !s.isProxy() {
				continue
			}
			others := "Go and all others that go by the environment ask directly"
			r.conflict(Conflict{ID: "tool-alone", Tool: tool, Origins: []string{s.Origin},
				Text: fmt.Sprintf("%s goes through %s (%s), and the environment has no proxy for %s: %s", tool, s.Shown, s.Origin, strings.ToLower(scheme), others),
				Fix:  "if this network needs the proxy, set HTTPS_PROXY, HTTP_PROXY and NO_PROXY in both cases; if not, remove " + s.Key + " from " + s.Origin})
			continue
		}
		if a, b := parseAddress(s.Value), parseAddress(env.Value); a.String() == b.String() && a.userinfo == b.userinfo && s.isProxy() {
			continue
		}
		goes := "through " + s.Shown
		if !s.isProxy() {
			goes = "directly"
		}
		text := fmt.Sprintf("%s goes %s (%s), and the environment names %s (%s)", tool, goes, s.Origin, env.Shown, env.Origin)
		if s.Shown == env.Shown {
			text = fmt.Sprintf("%s goes through %s with another name or password (%s) than the environment has (%s)", tool, s.Shown, s.Origin, env.Origin)
		}
		r.conflict(Conflict{ID: "tool-differs", Tool: tool, Origins: []string{s.Origin, env.Origin}, Text: text,
			Fix: "keep the one that works, and remove " + s.Key + " from " + s.Origin + " or set it to the same"})
	}
	env, has := r.effective("HTTPS")
	if !has {
		return
	}
	java := len(r.out.own(Java, HTTPSProxy, AllProxy)) > 0
	for _, tool := range []string{Maven, Gradle} {
		if !java && len(r.out.own(tool, HTTPSProxy, AllProxy)) == 0 && r.usesJava(tool) {
			r.conflict(Conflict{ID: "java-direct", Tool: tool, Origins: []string{env.Origin},
				Text: tool + " does not read " + env.Origin + ", and no property of Java names a proxy: it asks directly",
				Fix:  "add -Dhttps.proxyHost=HOST -Dhttps.proxyPort=PORT, the same for http, and -Dhttp.nonProxyHosts='localhost|127.*' to JAVA_TOOL_OPTIONS"})
		}
	}
}

// usesJava tells whether somebody uses the tool here.
func (r *reader) usesJava(tool string) bool {
	dir, options := below(r.Account, ".m2"), "MAVEN_OPTS"
	if tool == Gradle {
		dir, options = below(r.Account, ".gradle"), "GRADLE_OPTS"
	}
	is, _ := r.isDir(dir)
	return is || r.get(options) != ""
}

// exempt looks at the lists of hosts that are asked directly. Who understands what was measured with Go 1.26, curl 7.88,
// git 2.39, wget 1.21, requests 2.34, pip 23, npm 11, pnpm 10 and 12, yarn 1, bun 1.4, Node 24 and GitHub's toolkit 4.
func (r *reader) exempt() {
	for _, s := range r.out.Settings {
		if s.Kind == NoProxy && s.Tool == Environment {
			r.forms(s)
		}
	}
	list, listed := "", "NO_PROXY"
	upper, lower := r.named("NO_PROXY")
	for _, s := range []Setting{upper, lower} {
		list += "," + s.Value
	}
	for _, s := range r.out.own(NPM, NoProxy) { // both count (measured with npm 11)
		list, listed = list+","+s.Value, listed+" and npm's "+s.Key
	}
	env, has := r.effective("HTTPS")
	if !has {
		env, has = r.effective("HTTP")
	}
	for _, s := range r.out.own(NPM, HTTPSProxy, HTTPProxy) {
		env, has = s, true
		break
	}
	var missing []string
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if !slices.ContainsFunc(strings.FieldsFunc(list, func(c rune) bool { return c == ',' }), func(e string) bool { return strings.Trim(strings.TrimSpace(e), ".") == host }) {
			missing = append(missing, host)
		}
	}
	if has && len(missing) > 0 {
		r.conflict(Conflict{ID: "loopback-proxied", Tool: NPM, Origins: []string{env.Origin},
			Text: fmt.Sprintf("%s without %s: npm and pnpm ask a registry on this machine itself through the proxy, as do curl, git and pip", listed, strings.Join(missing, " and ")),
			Fix:  "add localhost,127.0.0.1,::1,[::1] to NO_PROXY and no_proxy"})
	}
	if pip := r.out.own(Pip, AllProxy); len(pip) > 0 && upper.Value+lower.Value != "" {
		r.conflict(Conflict{ID: "no-proxy-ignored", Tool: Pip, Origins: []string{pip[0].Origin, "NO_PROXY"},
			Text: "pip goes by its own proxy (" + pip[0].Origin + ") and ignores NO_PROXY for it", Fix: "remove " + pip[0].Key + " and let pip go by HTTPS_PROXY"})
	}
	for _, berry := range r.out.own(Berry, HTTPSProxy, HTTPProxy) {
		if upper.Value+lower.Value != "" {
			r.conflict(Conflict{ID: "no-proxy-ignored", Tool: Berry, Origins: []string{berry.Origin, "NO_PROXY"},
				Text: "yarn 2 and later goes by its own proxy (" + berry.Origin + ") and knows no NO_PROXY", Fix: "set networkSettings of the hosts that are asked directly, in ~/.yarnrc.yml"})
			break
		}
	}
}

// forms tells of entries of NO_PROXY that some clients do not understand, by kind.
func (r *reader) forms(s Setting) {
	type form struct{ what, who, fix string }
	found := map[form][]string{}
	var order []form
	add := func(f form, entry string) {
		if _, ok := found[f]; !ok {
			order = append(order, f)
		}
		found[f] = append(found[f], shown(NoProxy, entry))
	}
	if strings.Contains(s.Value, "@") { // parts of it may be a secret
		r.conflict(Conflict{ID: "no-proxy-form", Tool: Environment, Origins: []string{s.Origin},
			Text: s.Key + " holds an @: nobody understands it", Fix: "write hosts alone, without names and passwords"})
		return
	}
	for raw := range strings.SplitSeq(s.Value, ",") {
		entry := strings.TrimSpace(raw)
		host, port, _ := strings.Cut(entry, ":")
		_, noIP := netip.ParseAddr(strings.Trim(entry, "[]"))
		_, noPrefix := netip.ParsePrefix(entry)
		switch {
		case entry == "":
		case strings.ContainsAny(entry, " \t;|"):
			add(form{"entries without commas between them", "only curl, git and Node's fetch take spaces for commas, and nobody takes ; or |", "separate the entries by commas"}, entry)
		case strings.Contains(entry, "://"):
			add(form{"an address with a scheme", "nobody understands it", "write the host alone"}, entry)
		case entry == "*":
			add(form{"* for everything", "npm, pnpm and wget do not understand it", "unset the proxy variables"}, entry)
		case strings.HasPrefix(entry, "*."):
			add(form{"a star", "curl, git, wget, pip, npm, pnpm and yarn 1 do not understand it", "write example.com,.example.com for *.example.com"}, entry)
		case strings.Contains(entry, "*"):
			add(form{"a star that does not stand at the begin", "nobody understands it", "name each host, or the domain with a dot before it"}, entry)
		case noPrefix == nil:
			add(form{"a range of addresses", "npm, pnpm, yarn 1, Node, wget and GitHub's toolkit do not understand it", "name the single addresses beside it"}, entry)
		case noIP == nil:
		case strings.HasSuffix(entry, "."):
			add(form{"a dot at the end", "nearly nobody understands it", "write the name without it"}, entry)
		case port != "" && !strings.Contains(port, ":") && host != "":
			add(form{"a port", "curl, git, npm, pnpm and wget do not understand it", "write the host without the port, for all ports"}, entry)
		case strings.ToLower(entry) != entry:
			add(form{"capital letters", "npm and pnpm compare letters as they are", "write names in lower case"}, entry)
		}
	}
	for _, f := range order {
		entries, more := found[f], ""
		if n := len(entries); n > 5 {
			entries, more = entries[:5], fmt.Sprintf(" and %d more", n-5)
		}
		r.conflict(Conflict{ID: "no-proxy-form", Tool: Environment, Origins: []string{s.Origin},
			Text: fmt.Sprintf("%s has %s (%s%s): %s", s.Key, f.what, strings.Join(entries, ", "), more, f.who), Fix: f.fix})
	}
}

// certificates looks at the bundles themselves.
func (r *reader) certificates() {
	for _, s := range r.out.Settings {
		if s.Kind != CABundle || !s.InForce {
			continue
		}
		if s.Value == "" {
			r.conflict(Conflict{ID: "bundle-empty", Tool: s.Tool, Origins: []string{s.Origin},
				Text: s.Key + " is set and empty: git then trusts no certificate, and every https:// address fails", Fix: "unset it"})
			continue
		}
		for _, path := range s.paths(r.OS) {
			err := r.bundle(s, r.expandHome(path))
			if err == nil {
				continue
			}
			c := Conflict{ID: "bundle-broken", Tool: s.Tool, Origins: []string{s.Origin}, Fix: "correct the path in " + s.Origin + ", make the file readable, or remove the setting"}
			name := shown(CABundle, path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				c.Text = fmt.Sprintf("%s (%s) names %s, which does not exist", s.Key, s.Origin, name)
			case errors.Is(err, errFenced):
				c.ID, c.Fix = "bundle-foreign", "keep certificates that are trusted outside of the checkout"
				c.Text = fmt.Sprintf("%s (%s) names %s, which lies where the checkout's author may have written", s.Key, s.Origin, name)
			default:
				c.Text = fmt.Sprintf("%s (%s) names %s, which %s", s.Key, s.Origin, name, source.Plain(err.Error(), 200))
			}
			r.conflict(c)
		}
	}
	extra := r.get("NODE_EXTRA_CA_CERTS")
	if own := r.out.own(NPM, CABundle); len(own) > 0 && extra != "" && extra != own[0].Value {
		r.conflict(Conflict{ID: "bundle-hidden", Tool: NPM, Origins: []string{own[0].Origin, "NODE_EXTRA_CA_CERTS"},
			Text: own[0].Key + " in " + own[0].Origin + " replaces all certificates of npm and pnpm, so that NODE_EXTRA_CA_CERTS has no effect there",
			Fix:  "add the certificates of NODE_EXTRA_CA_CERTS to that file, or remove " + own[0].Key})
	}
}

// paths are the files or directories of a bundle; none where the certificates stand in the setting itself.
func (s Setting) paths(os string) []string {
	separator := ":"
	if os == "windows" {
		separator = ";"
	}
	switch {
	case s.Key == "SSL_CERT_DIR":
		return slices.DeleteFunc(strings.Split(s.Value, separator), func(p string) bool { return p == "" })
	case s.Key == "ca" || s.Key == "install.ca" || strings.Contains(s.Value, "-----BEGIN"):
		return nil
	}
	return []string{s.Value}
}

// bundle is why one cannot serve; nil where it can, or where that depends on the directory in which a tool is started.
func (r *reader) bundle(s Setting, path string) error {
	if !filepath.IsAbs(path) {
		return nil
	}
	if is, err := r.isDir(path); err != nil || is {
		directory := s.Key == "SSL_CERT_DIR" || strings.HasSuffix(strings.ToLower(s.Key), "capath") || s.Key == "REQUESTS_CA_BUNDLE" || s.Tool == Pip
		if err == nil && !directory {
			err = errors.New("is a directory, where a file is wanted")
		}
		return err
	}
	data, _, err := r.load(path)
	if err == nil && !parts(s.Tool) && !bytes.Contains(data, []byte("CERTIFICATE-----")) { // Java has formats of its own
		err = errNoCertificate
	}
	return err
}
