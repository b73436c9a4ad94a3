package main

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// entry is one package of a lock file that comes from a registry and has a sha512.
type entry struct {
	name, version string
	// key is the line that names it, self the name as written.
	key  *line
	self string
	// url and sum are the lines that hold its address and its integrity, ver that of the version; nil where the format has
	// none of its own. Their values stand beside them, with quotes where they have some.
	url, sum, ver             *line
	urlText, sumText, verText string
}

// spot is the part of a line that a finding has to point at.
type spot struct {
	line *line
	part string
}

// dialect is what a planter has to know of a kind of lock file.
type dialect struct {
	formats []string
	entries func(t *text) []*entry
	// set gives an entry another address, or another integrity, which is an SRI. An empty one stays, gone takes it away.
	// The spots are where the address stands, or, where there is none, the entry; and where the integrity stands.
	set func(p *plot, e *entry, address, integrity string) (url, sum spot)
	// script makes an entry one that runs a script; nil where the format does not say it.
	script func(p *plot, e *entry) spot
	// field puts a field into an entry, and returns its line.
	field func(p *plot, e *entry, text string) *line
	// bundle puts a package into the tarball of an entry, and returns where that is told: at the version of the lock file.
	bundle func(p *plot, e *entry) spot
	// claim puts a package there by its own word alone, so that it is fetched, and returns its key.
	claim func(p *plot, e *entry) spot
	// insert puts a package of that name, from the default registry, before an entry, and returns where it is told.
	insert func(p *plot, e *entry, name string) spot
	// strong is true where there is but one kind of integrity.
	strong bool
}

const (
	gone    = "-"
	foreign = "packages.a.test"
	commit  = "0123456789abcdef0123456789abcdef01234567"
)

// tarball is where a registry keeps a version of a package.
func tarball(registry, name, version string) string {
	return fmt.Sprintf("%s/%s/-/%s-%s.tgz", registry, name, name[strings.LastIndexByte(name, '/')+1:], version)
}

// repository is the address of a commit, as all tools have it in one form or another.
func repository(name string) string {
	return "git+https://github.com/planted/" + name[strings.LastIndexByte(name, '/')+1:] + ".git#" + commit
}

// hash is well formed, and that of nothing.
func hash(algorithm string, size int, seed string) string {
	sum := sha512.Sum512([]byte(seed))
	return algorithm + "-" + base64.StdEncoding.EncodeToString(sum[:size])
}

func lockRecipes() (out []recipe) {
	for _, d := range []dialect{npmOld, npmNew, classic, berry, pnpm, bun} {
		for _, format := range d.formats {
			add := func(name string, plant func(p *plot, e *entry)) {
				out = append(out, recipe{format: format, name: name, plant: func(p *plot) bool {
					if p.packages == nil {
						p.packages = d.entries(p.text)
					}
					e, ok := third(p, p.packages)
					if ok {
						plant(p, e)
					}
					return ok
				}})
			}
			from := func(p *plot, e *entry, registry string, rules ...string) {
				at, _ := d.set(p, e, tarball(registry, e.name, e.version), "")
				for _, rule := range rules {
					p.mark(rule, at)
				}
			}
			add("a registry that nobody trusts", func(p *plot, e *entry) { from(p, e, "https://"+foreign, "LCK001") })
			add("a registry behind a name and a password", func(p *plot, e *entry) { from(p, e, "https://user:secret@"+foreign, "LCK001") })
			add("another port of the default registry", func(p *plot, e *entry) { from(p, e, p.registry+":8443", "LCK001") })
			add("a host that begins like the default registry", func(p *plot, e *entry) { from(p, e, p.registry+".a.test", "LCK001") })
			add("the default registry over http", func(p *plot, e *entry) {
				from(p, e, "http:"+strings.TrimPrefix(p.registry, "https:"), "LCK002")
			})
			add("another registry over http", func(p *plot, e *entry) { from(p, e, "http://"+foreign+":8080/npm", "LCK001", "LCK002") })
			add("an address of no host", func(p *plot, e *entry) { from(p, e, "https://", "LCK002") })
			add("a commit of a repository", func(p *plot, e *entry) {
				at, _ := d.set(p, e, repository(e.name), gone)
				p.mark("LCK002", at)
				p.mark("LCK005", at) // nobody asks for it there
			})
			if format != "yarn berry" { // which packs such a file anew, and refuses what is not the same then
				add("a tarball of the checkout", func(p *plot, e *entry) {
					at, _ := d.set(p, e, "file:planted.tgz", "")
					p.mark("LCK005", at)
				})
			}
			add("no integrity", func(p *plot, e *entry) {
				at, _ := d.set(p, e, "", gone)
				p.mark("LCK003", at)
			})
			add("an integrity that is cut off", func(p *plot, e *entry) {
				_, at := d.set(p, e, "", "sha512-AAAA")
				p.mark("LCK004", at)
			})
			add("another registry and an integrity that is cut off", func(p *plot, e *entry) {
				url, sum := d.set(p, e, tarball("https://"+foreign, e.name, e.version), "sha512-AAAA")
				p.mark("LCK001", url)
				p.mark("LCK004", sum)
			})
			add("the address of another package", func(p *plot, e *entry) {
				at, _ := d.set(p, e, tarball(p.registry, "planted", "6.6.6"), "")
				p.mark("LCK005", at)
			})
			add("the address of another version", func(p *plot, e *entry) {
				at, _ := d.set(p, e, tarball(p.registry, e.name, "6.6.6"), "")
				p.mark("LCK005", at)
			})
			if d.script != nil && format != "pnpm 9" { // which does not say it any more
				add("a package that runs a script", func(p *plot, e *entry) { p.mark("LCK007", d.script(p, e)) })
				out[len(out)-1].config = func(*plot) string { return "scripts: {npm: [planted]}\n" }
			}
			if d.field != nil {
				add("a script in the lock file", func(p *plot, e *entry) {
					p.mark("LCK007", spot{d.field(p, e, `"scripts": {"postinstall": "planted"},`), `"planted"`})
				})
				add("an address in another field", func(p *plot, e *entry) {
					address := `"` + tarball("https://"+foreign, e.name, e.version) + `"`
					at := spot{d.field(p, e, `"_resolved": `+address+","), address}
					p.text.dropField(e.url)
					p.mark("LCK001", at)
				})
				add("another package in the place of the version", func(p *plot, e *entry) {
					other := fmt.Sprintf(`"npm:planted%d@6.6.6"`, p.n)
					e.ver.replace(e.verText, other)
					p.text.dropField(e.url)
					p.mark("LCK005", spot{e.ver, other})
				})
			}
			if d.bundle != nil {
				add("a package in the tarball of another one", func(p *plot, e *entry) { p.mark("LCK011", d.bundle(p, e)) })
				out[len(out)-1].alone = true
				add("a package in the tarball of one that has no other", func(p *plot, e *entry) { p.mark("LCK003", d.claim(p, e)) })
			}
			if d.insert != nil {
				add("one of your own names, from the default registry", func(p *plot, e *entry) { p.mark("LCK013", d.insert(p, e, fmt.Sprint("@planted/example", p.n))) })
				out[len(out)-1].config = func(*plot) string { return "scopes: {\"@planted\": npm.corp.test}\n" }
			}
			if d.strong {
				continue
			}
			add("another hash than in another lock file", func(p *plot, e *entry) {
				_, at := d.set(p, e, "", hash("sha512", 64, e.name))
				p.mark("LCK006", at)
			})
			out[len(out)-1].twin = true
			add("an integrity by sha1 alone", func(p *plot, e *entry) {
				_, at := d.set(p, e, "", hash("sha1", 20, e.name))
				p.mark("LCK004", at)
			})
		}
	}
	return out
}

// field reads `  "name": "value",` of JSON, and the value with its quotes.
var field = regexp.MustCompile(`^(\s+)"([^"]+)": ("[^"]*"),?$`)

// jsonEntries are the entries of a package-lock.json between two lines, whose first line an expression matches: the
// indentation, the key, and the name as what it ends with.
func jsonEntries(lines []*line, key *regexp.Regexp) (out []*entry) {
	for i, l := range lines {
		m := key.FindStringSubmatch(l.text)
		if m == nil {
			continue
		}
		e := &entry{name: m[3], key: l, self: `"` + m[2] + `"`}
		for _, l := range lines[i+1:] {
			f := field.FindStringSubmatch(l.text)
			if f == nil || len(f[1]) <= len(m[1]) {
				break
			}
			switch f[2] {
			case "version":
				e.version, e.ver, e.verText = strings.Trim(f[3], `"`), l, f[3]
			case "resolved":
				e.url, e.urlText = l, f[3]
			case "integrity":
				e.sum, e.sumText = l, f[3]
			}
		}
		if e.ver != nil && e.url != nil && strings.HasPrefix(e.urlText, `"https://`) && strings.HasSuffix(e.urlText, "-"+e.version+`.tgz"`) &&
			strings.Contains(e.urlText, "/"+e.name+"/-/") && e.sum != nil && strings.HasPrefix(e.sumText, `"sha512-`) {
			out = append(out, e)
		}
	}
	return out
}

// between are the lines behind the one that is start, up to the one that is end.
func between(t *text, start, end string) []*line {
	from := -1
	for i, l := range t.lines {
		switch {
		case from < 0 && strings.TrimSpace(l.text) == strings.TrimSpace(start) && len(l.text)-len(strings.TrimLeft(l.text, " \t")) <= 2:
			from = i + 1
		case from >= 0 && strings.TrimRight(l.text, ",") == end:
			return t.lines[from:i]
		}
	}
	if from >= 0 {
		return t.lines[from:]
	}
	return nil
}

var (
	newKey = regexp.MustCompile(`^(\s+)"((?:[^"]*/)?node_modules/((?:@[^/"]+/)?[^/"]+))": \{$`)
	oldKey = regexp.MustCompile(`^(\s+)"(((?:@[^/"]+/)?[^/"]+))": \{$`)
)

// npmNew is lockfileVersion 2 and 3; of the former npm reads "packages" alone.
var npmNew = dialect{
	formats: []string{"package-lock 2", "package-lock 3", "npm-shrinkwrap 2", "npm-shrinkwrap 3"},
	entries: func(t *text) []*entry { return jsonEntries(between(t, `"packages": {`, indentOf(t)+"}"), newKey) },
	set:     setJSON,
	script: func(p *plot, e *entry) spot {
		fieldJSON(p, e, `"hasInstallScript": true,`)
		return spot{e.url, e.urlText}
	},
	field:  fieldJSON,
	insert: func(p *plot, e *entry, name string) spot { return insertJSON(p, e, "node_modules/"+name, name) },
	bundle: func(p *plot, e *entry) spot {
		claimJSON(p, e)
		fieldJSON(p, e, `"bundleDependencies": ["planted"],`)
		for _, l := range p.text.lines {
			if m := lockVersion.FindStringSubmatch(l.text); m != nil {
				return spot{l, m[1]}
			}
		}
		panic("a lock file without a version")
	},
	claim: claimJSON,
}

// fieldJSON puts a field behind the version.
func fieldJSON(p *plot, e *entry, text string) *line {
	unit := indentOf(p.text)
	return p.text.after(e.ver, unit+unit+unit+text)[0]
}

// claimJSON puts a package that says it is bundled into an entry.
func claimJSON(p *plot, e *entry) spot {
	unit := indentOf(p.text)
	key := strings.TrimSuffix(e.self, `"`) + `/node_modules/planted"`
	return spot{p.text.before(e.key, unit+unit+key+": {", unit+unit+unit+`"version": "1.0.0",`, unit+unit+unit+`"inBundle": true`, unit+unit+"},")[0], key}
}

// npmOld is lockfileVersion 1.
var npmOld = dialect{
	formats: []string{"package-lock 1", "npm-shrinkwrap 1"},
	entries: func(t *text) []*entry { return jsonEntries(between(t, `"dependencies": {`, indentOf(t)+"}"), oldKey) },
	set: func(p *plot, e *entry, address, integrity string) (url, sum spot) {
		if !strings.HasPrefix(address, "git+") {
			return setJSON(p, e, address, integrity)
		}
		// a repository stands in place of the version
		p.text.dropField(e.url)
		p.text.dropField(e.sum)
		e.ver.replace(e.verText, `"`+address+`"`)
		return spot{e.ver, `"` + address + `"`}, spot{}
	},
	insert: func(p *plot, e *entry, name string) spot { return insertJSON(p, e, name, name) },
}

// insertJSON puts an entry before one that stands at the same depth.
func insertJSON(p *plot, e *entry, key, name string) spot {
	unit := e.key.text[:strings.IndexByte(e.key.text, '"')]
	address := `"` + tarball(p.registry, name, "1.0.0") + `"`
	inner := unit + indentOf(p.text)
	return spot{p.text.before(e.key, unit+`"`+key+`": {`, inner+`"version": "1.0.0",`, inner+`"resolved": `+address+",",
		inner+`"integrity": "`+hash("sha512", 64, name)+`"`, unit+"},")[2], address}
}

// indentOf is what the second line of a JSON file begins with.
func indentOf(t *text) string {
	s := t.lines[1].text
	return s[:len(s)-len(strings.TrimLeft(s, " \t"))]
}

func setJSON(p *plot, e *entry, address, integrity string) (url, sum spot) {
	url, sum = spot{e.url, e.urlText}, spot{e.sum, e.sumText}
	if address != "" {
		url.part = `"` + address + `"`
		e.url.replace(e.urlText, url.part)
	}
	switch integrity {
	case "":
	case gone:
		p.text.dropField(e.sum)
		sum = url
	default:
		sum.part = `"` + integrity + `"`
		e.sum.replace(e.sumText, sum.part)
	}
	return url, sum
}

var (
	classicKey = regexp.MustCompile(`^"?((?:@[^/@]+/)?[^/@" ]+)@([^:]*)"?:$`)
	classicVer = regexp.MustCompile(`^  version "([^"]+)"$`)
	classicURL = regexp.MustCompile(`^  resolved ("https://[^"#]+(#[0-9a-f]{40})?")$`)
	classicSum = regexp.MustCompile(`^  integrity (sha512-\S+)$`)
)

var classic = dialect{
	formats: []string{"yarn 1"},
	entries: func(t *text) (out []*entry) {
		for i, l := range t.lines {
			m := classicKey.FindStringSubmatch(l.text)
			if m == nil || i+3 >= len(t.lines) {
				continue
			}
			e := &entry{name: m[1], key: l, self: strings.TrimSuffix(l.text, ":"), url: t.lines[i+2], sum: t.lines[i+3]}
			version, address, sum := classicVer.FindStringSubmatch(t.lines[i+1].text), classicURL.FindStringSubmatch(e.url.text), classicSum.FindStringSubmatch(e.sum.text)
			if version == nil || address == nil || sum == nil {
				continue
			}
			e.version, e.urlText, e.sumText = version[1], address[1], sum[1]
			out = append(out, e)
		}
		return out
	},
	set: func(p *plot, e *entry, address, integrity string) (url, sum spot) {
		url, sum = spot{e.url, e.urlText}, spot{e.sum, e.sumText}
		old, fragment, _ := strings.Cut(strings.Trim(e.urlText, `"`), "#")
		if address == "" {
			address = old
		}
		switch integrity {
		case "":
			address += "#" + fragment
		case gone:
			p.text.drop(e.sum)
			sum = url
		default:
			sum.part = integrity
			e.sum.replace(e.sumText, integrity)
		}
		url.part = `"` + strings.TrimSuffix(address, "#") + `"`
		e.url.replace(e.urlText, url.part)
		return url, sum
	},
	insert: func(p *plot, e *entry, name string) spot {
		address := `"` + tarball(p.registry, name, "1.0.0") + `"`
		return spot{p.text.before(e.key, `"`+name+`@^1.0.0":`, `  version "1.0.0"`, "  resolved "+address, "  integrity "+hash("sha512", 64, name), "")[2], address}
	},
}

var (
	berryKey = regexp.MustCompile(`^"((?:@[^/@]+/)?[^/@" ]+)@npm:[^:]*":$`)
	berryVer = regexp.MustCompile(`^  version: "?([0-9][^"]*)"?$`)
	berryURL = regexp.MustCompile(`^  resolution: ("[^"]+@npm:[0-9][^":]*")$`)
	berrySum = regexp.MustCompile(`^  checksum: ((?:[0-9]+c?[0-9]*/)?[0-9a-f]{128})$`)
)

var berry = dialect{
	formats: []string{"yarn berry"},
	strong:  true,
	entries: func(t *text) (out []*entry) {
		var e *entry
		for _, l := range t.lines {
			if m := berryKey.FindStringSubmatch(l.text); m != nil {
				e = &entry{name: m[1], key: l, self: strings.TrimSuffix(l.text, ":")}
			} else if e == nil {
				continue
			} else if m := berryVer.FindStringSubmatch(l.text); m != nil {
				e.version = m[1]
			} else if m := berryURL.FindStringSubmatch(l.text); m != nil && m[1] == `"`+e.name+"@npm:"+e.version+`"` {
				e.url, e.urlText = l, m[1]
			} else if m := berrySum.FindStringSubmatch(l.text); m != nil && e.url != nil {
				e.sum, e.sumText = l, m[1]
				out = append(out, e)
			} else if strings.HasPrefix(l.text, "  conditions:") {
				out, e = remove(out, e), nil // yarn keeps no checksum of some, by intent
			} else if l.text == "" {
				e = nil
			}
		}
		return out
	},
	set: func(p *plot, e *entry, address, integrity string) (url, sum spot) {
		url, sum = spot{e.key, e.self}, spot{e.sum, e.sumText}
		if address != "" {
			reference := "npm:" + e.version + "::__archiveUrl=" + urlEscape(address)
			if rest, ok := strings.CutPrefix(address, "git+"); ok {
				reference = strings.Replace(rest, "#", "#commit=", 1)
			}
			url = spot{e.url, `"` + e.name + "@" + reference + `"`}
			e.url.replace(e.urlText, url.part)
		}
		switch integrity {
		case "":
		case gone:
			p.text.drop(e.sum)
			sum = url
		default: // of the zip file that yarn makes of the package, in hex
			key, _, keyed := strings.Cut(e.sumText, "/")
			raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(integrity, "sha512-"))
			if err != nil {
				panic(err)
			}
			if sum.part = hex.EncodeToString(raw); keyed {
				sum.part = key + "/" + sum.part
			}
			e.sum.replace(e.sumText, sum.part)
		}
		return url, sum
	},
	insert: func(p *plot, e *entry, name string) spot {
		key, _, keyed := strings.Cut(e.sumText, "/")
		if key += "/"; !keyed {
			key = ""
		}
		at := `"` + name + `@npm:^1.0.0"`
		return spot{p.text.before(e.key, at+":", "  version: 1.0.0", `  resolution: "`+name+`@npm:1.0.0"`, "  checksum: "+key+strings.Repeat("0a", 64),
			"  languageName: node", "  linkType: hard", "")[0], at}
	},
}

// urlEscape stands in for a package whose name is taken where it is needed.
func urlEscape(address string) string { return url.QueryEscape(address) }

// remove takes the last of a list away where it is e.
func remove(list []*entry, e *entry) []*entry {
	if n := len(list); n > 0 && list[n-1] == e {
		return list[:n-1]
	}
	return list
}

var (
	pnpmKey = regexp.MustCompile(`^  ('?/?((?:@[^/@]+/)?[^/@']+)[@/]([0-9][^_('/:]*)(?:_[^']*|\(.*\))?'?):$`)
	pnpmSum = regexp.MustCompile(`^    resolution: (\{integrity: (sha512-[^,}]+)\})$`)
)

var pnpm = dialect{
	formats: []string{"pnpm 5", "pnpm 6", "pnpm 9"},
	entries: func(t *text) (out []*entry) {
		for i, l := range t.lines {
			m := pnpmKey.FindStringSubmatch(l.text)
			if m == nil || i+1 == len(t.lines) {
				continue
			}
			if s := pnpmSum.FindStringSubmatch(t.lines[i+1].text); s != nil {
				out = append(out, &entry{name: m[2], version: m[3], key: l, self: m[1], sum: t.lines[i+1], urlText: s[1], sumText: s[2]})
			}
		}
		return out
	},
	set: func(p *plot, e *entry, address, integrity string) (url, sum spot) {
		url, sum = spot{e.key, e.self}, spot{e.sum, e.sumText}
		if address == "" && integrity == gone { // pnpm takes no resolution that says nothing
			address = tarball(p.registry, e.name, e.version)
		}
		if integrity != "" {
			sum.part = integrity
		}
		resolution := "integrity: " + sum.part
		switch rest, git := strings.CutPrefix(address, "git+"); {
		case git:
			repo, commit, _ := strings.Cut(rest, "#")
			url, resolution = spot{e.sum, repo}, "type: git, repo: "+repo+", commit: "+commit
		case integrity == gone:
			url, resolution = spot{e.sum, address}, "tarball: "+address
		case address != "":
			url, resolution = spot{e.sum, address}, resolution+", tarball: "+address
		}
		e.sum.replace(e.urlText, "{"+resolution+"}")
		return url, sum
	},
	script: func(p *plot, e *entry) spot {
		p.text.after(e.sum, "    requiresBuild: true")
		return spot{e.key, e.self}
	},
	insert: func(p *plot, e *entry, name string) spot {
		at := map[byte]string{'5': "/" + name + "/1.0.0", '6': "/" + name + "@1.0.0", '9': "'" + name + "@1.0.0'"}[formatOf(p.text)[5]]
		return spot{p.text.before(e.key, "  "+at+":", "    resolution: {integrity: "+hash("sha512", 64, name)+"}", "")[0], at}
	},
}

var bunKey = regexp.MustCompile(`^    "([^"]+)": \["((?:@[^/@"]+/)?[^/@"]+)@([0-9][^"]*)", "", (\{.*\}), "(sha512-[^"]+)"\],?$`)

var bun = dialect{
	formats: []string{"bun 0", "bun 1", "bun 2", "bun 3"},
	entries: func(t *text) (out []*entry) {
		for _, l := range t.lines {
			if m := bunKey.FindStringSubmatch(l.text); m != nil {
				out = append(out, &entry{name: m[2], version: m[3], key: l, self: `"` + m[1] + `"`, urlText: m[4], sumText: m[5]})
			}
		}
		return out
	},
	set: func(p *plot, e *entry, address, integrity string) (url, sum spot) {
		url, sum = spot{e.key, e.self}, spot{e.key, `"` + e.sumText + `"`}
		if address != "" {
			url.part = `"` + address + `"`
		}
		switch integrity {
		case "":
			integrity = e.sumText
		case gone:
			integrity, sum = "", url
		default:
			sum.part = `"` + integrity + `"`
		}
		rest := fmt.Sprintf(`["%s@%s", "%s", %s, "%s"]`, e.name, e.version, address, e.urlText, integrity)
		if _, commit, _ := strings.Cut(address, "#"); strings.HasPrefix(address, "git+") {
			url.part = `"` + e.name + "@" + address + `"`
			rest = fmt.Sprintf(`[%s, %s, "%s"]`, url.part, e.urlText, commit)
		}
		if strings.HasSuffix(e.key.text, ",") {
			rest += ","
		}
		e.key.text, e.key.edited = "    "+e.self+": "+rest, true
		return url, sum
	},
	script: func(p *plot, e *entry) spot {
		if e.urlText == "{}" {
			e.key.replace(`, {}, "sha`, `, { "hasInstallScript": true }, "sha`)
		} else {
			e.key.replace(` }, "sha`, `, "hasInstallScript": true }, "sha`)
		}
		return spot{e.key, e.self}
	},
	insert: func(p *plot, e *entry, name string) spot {
		return spot{p.text.before(e.key, fmt.Sprintf(`    "%s": ["%s@1.0.0", "", {}, "%s"],`, name, name, hash("sha512", 64, name)), "")[0], `"` + name + `"`}
	},
}
