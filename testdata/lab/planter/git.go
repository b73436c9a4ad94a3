package main

import (
	"fmt"
	"strings"
)

// gitRecipes put submodules between those of a .gitmodules.
func gitRecipes() (out []recipe) {
	for _, s := range []struct {
		name  string
		lines []string
		part  string
	}{
		{"a host that nobody trusts", []string{"path = planted%d", "url = https://" + foreign + "/planted.git"}, "https://" + foreign},
		{"ssh to a host that nobody trusts", []string{"url = git@" + foreign + ":planted.git", "path = planted%d"}, "git@" + foreign},
		{"a forge over http", []string{"path = planted%d", "url = http://github.com/planted/planted.git"}, "http://"},
		{"git's own protocol", []string{"path = planted%d", "url = git://github.com/planted/planted.git"}, "git://"},
		{"a program as an address", []string{"path = planted%d", "url = ext::sh -c planted"}, "ext::"},
		{"an option as an address", []string{"path = planted%d", "url = -planted"}, "-planted"},
		{"a directory of the machine", []string{"path = planted%d", "url = /srv/planted.git"}, "/srv"},
		{"a command for updates", []string{"path = planted%d", "url = ../planted.git", "update = !sh planted"}, "!sh"},
		{"a path out of the checkout", []string{"path = ../planted%d", "url = ../planted.git"}, "../planted%d"},
	} {
		out = append(out, recipe{format: ".gitmodules", name: s.name, plant: func(p *plot) bool {
			gap, ok := third(p, p.before3(func(t *text) []*line { // before each section, and at the end
				list := []*line{nil}
				for i, l := range t.lines {
					if i > 0 && (strings.HasPrefix(l.text, "[") || i == len(t.lines)-1) {
						list = append(list, t.lines[i-1])
					}
				}
				return list
			}))
			if !ok {
				return false
			}
			number := strings.NewReplacer("%d", fmt.Sprint(p.n))
			lines := []string{fmt.Sprintf("[submodule %q]", fmt.Sprint("planted", p.n))}
			for _, l := range s.lines {
				lines = append(lines, "\t"+number.Replace(l))
			}
			for _, l := range p.text.after(gap, lines...) {
				if part := number.Replace(s.part); strings.Contains(l.text, " = "+part) {
					p.mark("GIT001", spot{l, part})
				}
			}
			return true
		}})
	}
	return append(out, configRecipes()...)
}

// configRecipes put sections between those of .git/config.
func configRecipes() (out []recipe) {
	for _, s := range [][3]string{
		{"[http]", "sslVerify = false", "false"},
		{`[http "https://github.com/"]`, "sslVerify = no", "no"},
		{`[url "https://` + foreign + `/"]`, "insteadOf = https://github.com/", "https://" + foreign},
		{`[url "http://github.com/"]`, "insteadOf = https://github.com/", "http://github"},
		{`[protocol "ext"]`, "allow = always", "always"},
		{"[http]", "proxy = http://" + foreign + ":3128", "http://"},
		{"[core]", "sshCommand = ./planted.sh", "./planted"},
		{"[credential]", "helper = !./planted.sh", "!./planted"},
	} {
		out = append(out, recipe{format: ".git/config", name: s[0] + " " + s[1], alone: true, plant: func(p *plot) bool {
			gap, ok := third(p, tables(p.text))
			if ok {
				for _, l := range p.text.after(gap, s[0], "\t"+s[1]) {
					if strings.Contains(l.text, s[2]) {
						p.mark("GIT002", spot{l, s[2]})
					}
				}
			}
			return ok
		}})
	}
	return out
}
