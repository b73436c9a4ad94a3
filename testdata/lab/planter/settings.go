package main

import (
	"slices"
	"strings"
)

// npmrc are lines that weaken an .npmrc, the value last.
var npmrc = []struct{ rule, line, value string }{
	{"NPM001", "registry=", "https://" + foreign + "/"},
	{"NPM001", "registry = ", "https://user:secret@" + foreign},
	{"NPM001", "registry=", `"https://` + foreign + `"`},
	{"NPM001", "@corp:registry=", "https://" + foreign},
	{"NPM001", "registry=", "not-an-address"},
	{"NPM001", "strict-ssl=", "false"},
	{"NPM001", "https-proxy=", "https://" + foreign + ":3128"},
	{"NPM001", "cafile=", "./ca.pem"},
	{"NPM001", "userconfig=", "/tmp/planted/npmrc"},
}

func settingRecipes() (out []recipe) {
	for _, s := range npmrc {
		out = append(out, recipe{format: ".npmrc", name: s.line + s.value, alone: true, plant: func(p *plot) bool {
			if _, ok := p.beside("package.json"); !ok {
				return false // npm does not read it
			}
			list := slices.DeleteFunc(slices.Clone(p.text.lines), func(l *line) bool { return l.text == "" })
			l, ok := third(p, list)
			if ok {
				at := spot{p.text.after(l, s.line+s.value)[0], s.value}
				p.mark(s.rule, at)
				if strings.Contains(s.value, "secret") { // of a name and a password it warns beside
					p.mark(s.rule, at)
				}
			}
			return ok
		}})
	}
	return out
}
