package machine

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// property is one -Dname=value of Java, or one line of a file of properties.
type property struct {
	name, value, origin string
}

// java reads the variables that Java itself goes by, what counts most first. It ignores the environment's proxies.
func (r *reader) java() {
	for _, name := range []string{"_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"} {
		r.properties(Java, javaOptions(r.get(name), name))
	}
}

// javaOptions finds the properties among options; of two of one name the last counts.
func javaOptions(text, origin string) []property {
	var out []property
	for _, word := range shellWords(text) {
		if rest, ok := strings.CutPrefix(word, "-D"); ok {
			name, value, _ := strings.Cut(rest, "=")
			out = append(out, property{name, value, origin})
		}
	}
	return out
}

// shellWords splits at white space outside of quotes.
func shellWords(text string) []string {
	var out []string
	var b strings.Builder
	var quote rune
	word := false
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, word = c, true
		case quote == 0 && strings.ContainsRune(" \t\r\n", c):
			if word {
				out = append(out, b.String())
			}
			b.Reset()
			word = false
		default:
			b.WriteRune(c)
			word = true
		}
	}
	if word {
		out = append(out, b.String())
	}
	return out
}

// properties takes over the proxies, exceptions and trust store that properties name for a tool. The user and password
// are no properties of Java's own, but of Maven and Gradle.
func (r *reader) properties(tool string, all []property) {
	find := func(name string) (property, bool) {
		for _, p := range slices.Backward(all) {
			if p.name == name {
				return p, true
			}
		}
		return property{}, false
	}
	value := func(name string) string {
		p, _ := find(name)
		return p.value
	}
	for _, scheme := range []string{"https", "http"} {
		kind := map[string]Kind{"https": HTTPSProxy, "http": HTTPProxy}[scheme]
		if p, ok := find(scheme + ".proxyHost"); ok {
			if p.value == "" {
				r.hide(tool, kind, "")
				continue
			}
			r.add(Setting{Tool: tool, Kind: kind, Key: p.name, Origin: p.origin,
				Value: assembled("http", p.value, cmp.Or(value(scheme+".proxyPort"), map[string]string{"https": "443", "http": "80"}[scheme]), value(scheme+".proxyUser"), value(scheme+".proxyPassword"))})
		}
	}
	if p, ok := find("socksProxyHost"); ok && p.value != "" {
		r.add(Setting{Tool: tool, Kind: AllProxy, Key: p.name, Origin: p.origin,
			Value: assembled("socks5", p.value, cmp.Or(value("socksProxyPort"), "1080"), value("java.net.socks.username"), value("java.net.socks.password"))})
	}
	for _, name := range []string{"http.nonProxyHosts", "https.nonProxyHosts"} { // Java itself has the first one only, for both
		if p, ok := find(name); ok && p.value != "" {
			r.add(Setting{Tool: tool, Kind: NoProxy, For: strings.TrimSuffix(strings.TrimSuffix(name, ".nonProxyHosts"), "http"), Key: name, Value: p.value, Origin: p.origin})
		}
	}
	if p, ok := find("javax.net.ssl.trustStore"); ok && p.value != "" {
		r.add(Setting{Tool: tool, Kind: CABundle, Key: p.name, Value: p.value, Origin: p.origin})
	}
	for _, check := range [][2]string{{"maven.wagon.http.ssl.insecure", "true"}, {"aether.connector.https.securityMode", "insecure"}} {
		if p, ok := find(check[0]); ok && tool != Gradle {
			r.switched(Setting{Tool: tool, Key: p.name, Value: p.value, Origin: p.origin}, p.value == check[1])
		}
	}
}

// maven reads settings.xml of the user, of the installation, and MAVEN_OPTS. The home directory is Java's, which is not
// HOME. Proxies of the files beat those of properties; of the files' the first active one of a protocol counts, and that
// of http is taken for https where there is none (measured with Maven 3.8.7).
func (r *reader) maven() {
	var all []mavenProxy
	seen := map[string]bool{}
	for _, file := range r.mavenFiles() {
		data, ok := r.read(file)
		if !ok {
			continue
		}
		found, err := parseMaven(data)
		if err != nil {
			r.missed(r.shownPath(file), err)
			continue
		}
		ids := map[string]bool{}
		for _, p := range found {
			if p.origin = r.at(file, p.line); seen[p.id] { // the user's of the same name replaces it
				continue
			}
			ids[p.id] = true
			all = append(all, p)
		}
		for id := range ids {
			seen[id] = true
		}
	}
	https := slices.ContainsFunc(all, func(p mavenProxy) bool { return p.active && strings.EqualFold(r.mavenText(p.protocol), "https") })
	for _, p := range all {
		host := r.mavenText(p.host)
		if !p.active || host == "" {
			continue
		}
		s := Setting{Tool: Maven, Kind: HTTPProxy, Key: "proxies.proxy", Origin: p.origin,
			Value: assembled("http", host, r.mavenText(p.port), r.mavenText(p.username), r.mavenText(p.password))}
		switch protocol := strings.ToLower(r.mavenText(p.protocol)); {
		case protocol == "https":
			s.Kind = HTTPSProxy
		case protocol != "http":
			continue
		case !https:
			s.Kind = AllProxy
		}
		r.add(s)
		if s.Kind == AllProxy {
			r.hide(Maven, HTTPProxy, "")
			r.hide(Maven, HTTPSProxy, "")
		}
		if p.exempt != "" {
			scope := map[Kind]string{HTTPSProxy: "https", HTTPProxy: "http"}[s.Kind]
			r.add(Setting{Tool: Maven, Kind: NoProxy, For: scope, Key: "proxies.proxy.nonProxyHosts", Value: r.mavenText(p.exempt), Origin: p.origin})
		}
	}
	r.properties(Maven, javaOptions(r.get("MAVEN_OPTS"), "MAVEN_OPTS"))
	r.properties(Maven, javaOptions(r.get("MAVEN_ARGS"), "MAVEN_ARGS")) // from Maven 3.9 on
}

// mavenFiles are the user's file and the installation's.
func (r *reader) mavenFiles() []string {
	out := []string{below(r.Account, ".m2", "settings.xml")}
	home := r.either("MAVEN_HOME", "M2_HOME")
	if _, mvn := r.tool("mvn"); home == "" && mvn != "" {
		home = filepath.Dir(filepath.Dir(mvn))
	}
	return append(out, below(home, "conf", "settings.xml"))
}

// mavenText replaces ${env.NAME} as Maven does; what is not set stays.
func (r *reader) mavenText(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${env.")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			b.WriteString(text)
			return strings.TrimSpace(b.String())
		}
		b.WriteString(before)
		if value, set := r.Lookup(name); set {
			b.WriteString(value)
		} else {
			b.WriteString("${env." + name + "}")
		}
		text = after
	}
}

// gradle reads gradle.properties of its home, where systemProp. sets a property of Java, and GRADLE_OPTS. Not tested with
// gradle; the order is that of its documentation.
func (r *reader) gradle() {
	file := below(r.get("GRADLE_USER_HOME"), "gradle.properties")
	if file == "" {
		file = below(r.Account, ".gradle", "gradle.properties")
	}
	var all []property
	if data, ok := r.read(file); ok {
		for _, l := range parseProperties(data) {
			if name, ok := strings.CutPrefix(l.key, "systemProp."); ok {
				all = append(all, property{name, l.value, r.at(file, l.line)})
			}
			if l.key == "org.gradle.jvmargs" {
				all = append(javaOptions(l.value, r.at(file, l.line)), all...)
			}
		}
	}
	r.properties(Gradle, all)
	r.properties(Gradle, javaOptions(r.get("GRADLE_OPTS"), "GRADLE_OPTS"))
}
