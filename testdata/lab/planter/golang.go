package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	requireLine = regexp.MustCompile(`^(?:\t|require )([^\s"()/]+\.[^\s"()/]+/[^\s"()]+) (v[0-9]\S*)(?: //.*)?$`)
	replaceLine = regexp.MustCompile(`^(?:\t|replace )(\S+)(?: v\S+)? => `)
	sumLine     = regexp.MustCompile(`^(\S+) (v[^\s/]+)(/go\.mod)? (h1:\S+)$`)
	vendorLine  = regexp.MustCompile(`^# (\S+) (v\S+)$`)
	major       = regexp.MustCompile(`^v[0-9]+$`)
	goLine      = regexp.MustCompile(`^go [0-9.]+(rc\d+)?$`)
)

// require is one requirement of a go.mod: its line, and the first word of it.
type require struct {
	path, version string
	line          *line
	word          string
}

// requires are the requirements of a go.mod, those that something replaces excepted.
func requires(t *text) (out []require) {
	replaced := map[string]bool{}
	for _, l := range t.lines {
		if m := replaceLine.FindStringSubmatch(l.text); m != nil {
			replaced[m[1]] = true
		}
	}
	block := ""
	for _, l := range t.lines {
		first, _, _ := strings.Cut(l.text, " ")
		switch {
		case strings.HasSuffix(l.text, "("):
			block = first
		case l.text == ")":
			block = ""
		}
		m := requireLine.FindStringSubmatch(l.text)
		if m == nil || replaced[m[1]] || block != "require" && !(block == "" && first == "require") {
			continue
		}
		r := require{path: m[1], version: m[2], line: l, word: m[1]}
		if block == "" {
			r.word = "require"
		}
		out = append(out, r)
	}
	return out
}

// require puts a requirement behind another one, as that is written.
func (r require) require(t *text, module, version string) spot {
	if r.word == "require" {
		return spot{t.after(r.line, "require "+module+" "+version)[0], "require"}
	}
	return spot{t.after(r.line, "\t"+module+" "+version)[0], module}
}

// gaps are the lines of a go.mod or go.work behind which a directive can stand.
func gaps(t *text) (out []*line) {
	if path.Base(t.path) == "go.work" {
		out = append(out, nil) // before the first line
	}
	inside := false
	for _, l := range t.lines {
		switch {
		case strings.HasSuffix(l.text, "("):
			inside = true
		case l.text == ")":
			inside = false
			out = append(out, l)
		case !inside && l.text != "" && !strings.HasPrefix(l.text, "//"):
			out = append(out, l)
		}
	}
	return out
}

// beside tells whether the checkout has a file beside that of the plot, and its name.
func (p *plot) beside(name string) (string, bool) {
	name = path.Join(path.Dir(p.text.path), name)
	return name, slices.Contains(p.files, name)
}

// sums are lines of go.sum for a version that does not exist.
func sums(module, version string) []string {
	of := func(version string) string {
		return module + " " + version + " h1:" + strings.TrimPrefix(hash("h1", 32, module+version), "h1-")
	}
	return []string{of(version), of(version + "/go.mod")}
}

// directive puts one into a go.mod or go.work, at its top level. "%d" in it is a number.
func directive(rule, text string) func(p *plot) bool {
	word, _, _ := strings.Cut(text, " ")
	return func(p *plot) bool {
		gap, ok := third(p, p.before3(gaps))
		if ok {
			p.directive(rule, spot{p.text.after(gap, strings.ReplaceAll(text, "%d", fmt.Sprint(p.n)))[0], word})
		}
		return ok
	}
}

// directive marks one that was put in. Of a replacement a list of vendored modules has to tell.
func (p *plot) directive(rule string, at spot) {
	p.mark(rule, at)
	if _, vendored := p.beside("vendor/modules.txt"); vendored && strings.Contains(at.line.text, "=>") {
		p.mark("MOD011", at)
	}
}

// block puts a directive into a block of its own.
func block(rule, word, text string) func(p *plot) bool {
	first, _, _ := strings.Cut(text, " ")
	return func(p *plot) bool {
		gap, ok := third(p, p.before3(gaps))
		if ok {
			number := strings.NewReplacer("%d", fmt.Sprint(p.n))
			l := p.text.after(gap, word+" (", "\t// planted", "\t"+number.Replace(text), ")")[2]
			p.directive(rule, spot{l, number.Replace(first)})
		}
		return ok
	}
}

// before3 is a list of the untouched file's lines, which holds for all three places.
func (p *plot) before3(list func(*text) []*line) []*line {
	if p.lines == nil {
		p.lines = list(p.text)
	}
	return p.lines
}

// required puts a requirement in, with its lines in go.sum. The version or the path makes it a bad one.
func required(rule string, module func(p *plot, near require) (path, version string)) func(p *plot) bool {
	return func(p *plot) bool {
		if p.needs == nil {
			p.needs = requires(p.text)
		}
		near, ok := third(p, p.needs)
		sum, summed := p.beside("go.sum")
		if _, vendored := p.beside("vendor/modules.txt"); !ok || !summed || vendored {
			return false
		}
		path, version := module(p, near)
		at := near.require(p.text, path, version)
		p.other(sum).after(nil, sums(path, version)...)
		p.mark(rule, at)
		return true
	}
}

// version makes a requirement of that version.
func version(version string) func(*plot, require) (string, string) {
	return func(p *plot, _ require) (string, string) { return fmt.Sprintf("planted.test/example%d", p.n), version }
}

// hosts and prefixes are a configuration that lists what the file requires, and no more.
func listing(p *plot, setting string, of func(path string) string) string {
	seen := map[string]bool{}
	var list []string
	for _, file := range p.files {
		if path.Base(file) != "go.mod" {
			continue
		}
		t, err := readText(p.dir(), file)
		if err != nil {
			panic(err)
		}
		for _, r := range requires(t) {
			if entry := of(r.path); !seen[entry] {
				seen[entry] = true
				list = append(list, entry)
			}
		}
	}
	return fmt.Sprintf("modules: {%s: [%s]}\n", setting, strings.Join(list, ", "))
}

func goRecipes() (out []recipe) {
	add := func(format, name string, plant func(p *plot) bool) {
		out = append(out, recipe{format: format, name: name, plant: plant})
	}
	one := func(format, name string, plant func(p *plot) bool) {
		out = append(out, recipe{format: format, name: name, plant: plant, alone: true})
	}
	for _, format := range []string{"go.mod", "go.work"} {
		add(format, "a replacement by somebody else's module", directive("MOD001", "replace planted.test/one%d => evil.test/one%d v1.0.0"))
		add(format, "a replacement of one version", directive("MOD001", "replace planted.test/one%d v1.2.3 => evil.test/one%d v1.0.0"))
		add(format, "a replacement outside the checkout", directive("MOD001", "replace planted.test/one%d => ../../../../../../../../../../../../outside%d"))
		add(format, "a replacement by an absolute path", directive("MOD001", "replace planted.test/one%d => /tmp/outside%d"))
		add(format, "a replacement in a block", block("MOD001", "replace", "planted.test/one%d => evil.test/one%d v1.0.0"))
		add(format, "a godebug line", directive("MOD014", "godebug x509sha1=1"))
		add(format, "a godebug line in a block", block("MOD014", "godebug", "tls10server=1"))
	}
	add("go.work", "a directory outside the checkout", directive("MOD001", "use ../../../../../../../../../../../../outside%d"))
	add("go.mod", "an exclude", directive("MOD008", "exclude planted.test/one%d v1.0.0"))
	add("go.mod", "an exclude in a block", block("MOD008", "exclude", "planted.test/one%d v1.0.0"))
	out = append(out, recipe{format: "go.mod", name: "a tool", change: true, plant: directive("MOD009", "tool planted.test/one%d/cmd/tool")})
	out = append(out, recipe{format: "go.mod", name: "a tool in a block", change: true, plant: block("MOD009", "tool", "planted.test/one%d/cmd/tool")})

	add("go.mod", "a commit for a version", required("MOD002", version("v0.0.0-20250102030405-0123456789ab")))
	add("go.mod", "a prerelease", required("MOD002", version("v1.0.0-rc.1")))
	add("go.mod", "a version without a go.mod", required("MOD002", version("v2.0.0+incompatible")))
	add("go.mod", "a path of other letters", required("MOD013", func(p *plot, _ require) (string, string) {
		return fmt.Sprintf("planted.test/ex\u0430mple%d", p.n), "v1.0.0" // a Cyrillic a
	}))
	for _, l := range []struct {
		rule, setting string
		of            func(string) string
	}{
		{"MOD006", "hosts", func(path string) string { host, _, _ := strings.Cut(path, "/"); return host }},
		{"MOD007", "prefixes", func(path string) string { return strings.Join(strings.SplitN(path, "/", 3)[:2], "/") }},
	} {
		out = append(out, recipe{format: "go.mod", name: "a module that modules." + l.setting + " does not list", plant: required(l.rule, version("v1.0.0")),
			config: func(p *plot) string { return listing(p, l.setting, l.of) }})
	}
	alike := func(name string, change func(path string) string) {
		one("go.mod", name, func(p *plot) bool {
			list := slices.DeleteFunc(requires(p.text), func(r require) bool {
				return change(r.path) == r.path || strings.ContainsAny(r.version, "-+") || p.elsewhere(r.path)
			})
			near, ok := third(p, list)
			sum, summed := p.beside("go.sum")
			if _, vendored := p.beside("vendor/modules.txt"); !ok || !summed || vendored {
				return false
			}
			path := change(near.path)
			at := near.require(p.text, path, near.version)
			p.other(sum).after(nil, sums(path, near.version)...)
			p.mark("MOD013", at)
			p.mark("MOD013", spot{near.line, near.word}) // which of the two is meant is not known
			return true
		})
	}
	alike("a path of another case", func(path string) string {
		i := strings.IndexByte(path, '/') + 1
		if major.MatchString(path[i:]) {
			return path
		}
		return path[:i] + strings.ToUpper(path[i:i+1]) + path[i+1:]
	})
	alike("a path that looks alike", func(path string) string {
		i := strings.LastIndexByte(path, '/') + 1
		return path[:i] + strings.Replace(path[i:], "m", "rn", 1)
	})
	for _, missing := range []struct{ name, suffix string }{{"no line in go.sum", ""}, {"no line of its go.mod in go.sum", "/go.mod"}} {
		add("go.mod", missing.name, func(p *plot) bool {
			if p.needs == nil {
				p.needs = requires(p.text)
			}
			r, ok := third(p, p.needs)
			_, summed := p.beside("go.sum")
			if _, vendored := p.beside("vendor/modules.txt"); !ok || !summed || vendored {
				return false
			}
			for _, file := range p.files {
				switch path.Base(file) {
				case "go.sum", "go.work.sum": // within a workspace any of them counts
					t := p.other(file)
					for _, l := range slices.Clone(t.lines) {
						if m := sumLine.FindStringSubmatch(l.text); m != nil && m[1] == r.path && m[2] == r.version && (missing.suffix == "" || m[3] == missing.suffix) {
							t.drop(l)
						}
					}
				case "go.mod":
					t := p.other(file)
					for _, other := range requires(t) {
						if other.path == r.path && other.version == r.version && !p.marked(other.line) {
							p.markIn(t, "MOD010", spot{other.line, other.word})
						}
					}
				}
			}
			return true
		})
	}
	one("go.sum", "another hash than in the other go.sum", clash)
	for _, format := range []string{"go.mod", "go.work"} {
		one(format, "a newer go line", func(p *plot) bool {
			for _, l := range p.text.lines {
				if goLine.MatchString(l.text) && p.chooses() {
					l.text, l.edited = fmt.Sprintf("go 1.%d.%d", 97+p.n, p.n), true
					p.mark("GO007", spot{l, "go"})
					return true
				}
			}
			return false
		})
		toolchain := directive("GO007", "toolchain go1.99.%d")
		one(format, "a newer toolchain line", func(p *plot) bool {
			for _, l := range slices.Clone(p.text.lines) {
				if strings.HasPrefix(l.text, "toolchain ") {
					p.text.drop(l)
				}
			}
			return p.chooses() && toolchain(p)
		})
	}

	add("vendor/modules.txt", "a module that nobody requires", func(p *plot) bool {
		l, ok := third(p, p.before3(vendored))
		if !ok || !p.compared() {
			return false
		}
		module := fmt.Sprintf("planted.test/one%d", p.n)
		put := p.text.after(l, "# "+module+" v1.0.0", "## explicit; go 1.20", module)
		// no go.mod requires it, and no go.sum knows it
		p.mark("MOD011", spot{put[0], module})
		p.mark("MOD011", spot{put[0], module})
		return true
	})
	add("vendor/modules.txt", "another version than go.mod has", func(p *plot) bool {
		l, ok := third(p, p.before3(explicit))
		if !ok || !p.compared() {
			return false
		}
		m := vendorLine.FindStringSubmatch(l.text)
		for _, file := range p.files {
			if path.Base(file) != "go.mod" {
				continue
			}
			for _, r := range requires(p.other(file)) {
				if r.path == m[1] && r.version == m[2] {
					p.markIn(p.other(file), "MOD011", spot{r.line, r.word})
				}
			}
		}
		l.replace(m[2], "v0.0.1")
		p.mark("MOD011", spot{l, m[1]})
		p.mark("MOD011", spot{l, m[1]})
		return true
	})
	for _, e := range []struct{ rule, name, value string }{
		{"GO001", "GOSUMDB", "off"},
		{"GO001", "GOSUMDB", "sum.a.test"},
		{"GO002", "GOPRIVATE", "*"},
		{"GO002", "GONOSUMDB", "github.com/*"},
		{"GO003", "GOINSECURE", "corp.a.test"},
		{"GO004", "GOPROXY", "https://goproxy.cn|direct"},
		{"GO005", "GOFLAGS", "-insecure"},
		{"GO005", "GOFLAGS", "-modfile=other.mod"},
		{"GO006", "GOVCS", "*:all"},
		{"GO008", "GOAUTH", "./bin/auth"},
		{"GO008", "GOCACHEPROG", "./bin/cache"},
		{"GO009", "GO111MODULE", "off"},
		{"SRC001", "GOPROXY", "https://" + foreign},
		{"SRC002", "GOPROXY", "http://goproxy.cn"},
	} {
		one("go.env", e.name+"="+e.value, func(p *plot) bool {
			for _, l := range slices.Clone(p.text.lines) { // of two lines the last counts
				if strings.HasPrefix(l.text, e.name+"=") {
					p.text.drop(l)
				}
			}
			l, ok := third(p, slices.DeleteFunc(slices.Clone(p.text.lines), func(l *line) bool { return !strings.Contains(l.text, "=") }))
			if !ok {
				return false
			}
			p.mark(e.rule, spot{p.text.after(l, e.name+"="+e.value)[0], e.value})
			return true
		})
	}
	return out
}

// chooses tells whether the go command looks for its toolchain in a file: in a workspace that is its go.work alone.
func (p *plot) chooses() bool {
	return path.Base(p.text.path) == "go.work" || !slices.ContainsFunc(p.files, func(f string) bool { return path.Base(f) == "go.work" })
}

// compared tells whether the go command compares a list of vendored modules with the go.mod beside it: not where that has
// no go line.
func (p *plot) compared() bool {
	for _, name := range []string{"go.work", "go.mod"} {
		if file := path.Join(path.Dir(path.Dir(p.text.path)), name); slices.Contains(p.files, file) {
			return slices.ContainsFunc(p.other(file).lines, func(l *line) bool { return goLine.MatchString(l.text) })
		}
	}
	return false
}

// marked tells whether a line was marked.
func (p *plot) marked(l *line) bool {
	return slices.ContainsFunc(p.marks, func(m mark) bool { return m.line == l })
}

// elsewhere tells whether another go.mod or a replacement mentions a path.
func (p *plot) elsewhere(module string) bool {
	n := 0
	for _, file := range p.files {
		if path.Base(file) == "go.mod" || path.Base(file) == "go.work" {
			n += strings.Count(string(p.other(file).bytes()), module)
		}
	}
	return n > 1
}

// clash changes a hash in the second of two go.sum files that have it.
func clash(p *plot) bool {
	first := map[string]string{}
	var common []*line
	for _, file := range sortedByDepth(p.files) {
		if path.Base(file) != "go.sum" {
			continue
		}
		if file == p.text.path {
			for _, l := range p.text.lines {
				if m := sumLine.FindStringSubmatch(l.text); m != nil && first[m[1]+m[2]+m[3]] == m[4] {
					common = append(common, l)
				}
			}
			break
		}
		for _, l := range p.other(file).lines {
			if m := sumLine.FindStringSubmatch(l.text); m != nil {
				first[m[1]+m[2]+m[3]] = m[4]
			}
		}
	}
	l, ok := third(p, common)
	if !ok {
		return false
	}
	m := sumLine.FindStringSubmatch(l.text)
	other := "h1:" + strings.TrimPrefix(hash("h1", 32, l.text), "h1-")
	l.replace(m[4], other)
	p.mark("MOD012", spot{l, other})
	return true
}

// sortedByDepth has the files nearest to the root first.
func sortedByDepth(files []string) []string {
	out := slices.Clone(files)
	slices.SortStableFunc(out, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return out
}

// vendored are the lines behind which a module can be put into a vendor/modules.txt.
func vendored(t *text) (out []*line) {
	for i, l := range t.lines {
		if i+1 < len(t.lines) && (strings.HasPrefix(t.lines[i+1].text, "# ") || t.lines[i+1].text == "") && !strings.HasPrefix(l.text, "#") {
			out = append(out, l)
		}
	}
	return out
}

// explicit are the lines of modules that go.mod requires and of which packages are vendored.
func explicit(t *text) (out []*line) {
	for i, l := range t.lines {
		if vendorLine.MatchString(l.text) && i+2 < len(t.lines) && strings.HasPrefix(t.lines[i+1].text, "## explicit") && !strings.HasPrefix(t.lines[i+2].text, "#") {
			out = append(out, l)
		}
	}
	return out
}
