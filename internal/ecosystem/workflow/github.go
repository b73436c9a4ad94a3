package workflow

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// foreign are the programs in `shell` whose language is none that a shell's looks like.
var foreign = regexp.MustCompile(`(?i)\b(?:python[0-9.]*|node|deno|bun|perl|ruby|php|rscript|julia)\b`)

// github judges a workflow or a composite action, and returns the actions of this repository that it uses.
func (r *room) github(d *document) (more []string) {
	for _, root := range d.roots {
		p := place{document: d}
		r.variables(p, r.get(root, "env"))
		shell := text(r.get(root, "defaults", "run", "shell"))
		for name, job := range r.pairs(r.get(root, "jobs")) {
			p := place{d, name.Value}
			r.variables(p, r.get(job, "env"))
			r.variables(p, r.get(job, "container", "env"))
			own := text(r.get(job, "defaults", "run", "shell"))
			if own == "" {
				own = shell
			}
			more = append(more, r.jobSteps(p, r.get(job, "steps"), own)...)
			r.order = append(r.order, ordered{p, r.get(job, "steps")})
		}
		r.variables(p, r.get(root, "runs", "env"))
		more = append(more, r.jobSteps(p, r.get(root, "runs", "steps"), "")...)
	}
	return more
}

func (r *room) jobSteps(p place, steps *yaml.Node, shell string) (more []string) {
	for _, step := range items(steps) {
		if !r.spend(1) {
			return more
		}
		r.variables(p, r.get(step, "env"))
		if own := text(r.get(step, "shell")); own != "" && !foreign.MatchString(own) || own == "" && !foreign.MatchString(shell) {
			r.script(p, r.get(step, "run"))
		}
		uses := r.get(step, "uses")
		r.with(p, text(uses), r.get(step, "with"))
		more = append(more, local(text(uses))...)
	}
	return more
}

// local are the files, of which there is one at most, that hold an action of this repository.
func local(uses string) []string {
	dir, ok := strings.CutPrefix(uses, "./")
	if !ok || strings.Contains(uses, "${{") {
		return nil
	}
	if dir = path.Clean("/" + dir)[1:]; isYAML.MatchString(dir) {
		return nil // a workflow, which is read anyway
	}
	return []string{path.Join(dir, "action.yml"), path.Join(dir, "action.yaml")}
}

// input is what an input of an action that sets up a tool does.
type input struct {
	ecosystem, fault string
	// own are the hosts that the action asks without it.
	own []string
}

// inputs are by action and input.
var inputs = map[string]input{
	"actions/setup-node registry-url":       {source.NPM, "sets another npm registry", nil},
	"oven-sh/setup-bun registry-url":        {source.NPM, "sets another npm registry", nil},
	"actions/setup-node mirror":             {"", "takes Node from another place", []string{"nodejs.org"}},
	"actions/setup-go go-download-base-url": {"", "takes Go from another place", []string{"go.dev", "dl.google.com", "storage.googleapis.com"}},
	"oven-sh/setup-bun bun-download-url":    {"", "takes bun from another place", []string{"github.com"}},
}

// with judges what a step gives to an action.
func (r *room) with(p place, uses string, with *yaml.Node) {
	for k, v := range r.pairs(with) {
		if !r.spend(1) {
			return
		}
		what, ok := inputs[strings.ToLower(actionOf(uses)+" "+k.Value)]
		if value := text(v); ok && value != "" {
			c := ecosystem.Input(what.ecosystem, what.fault, k.Value, value)
			elsewhere := func(address string) bool {
				loc, err := source.Locate(address)
				return err != nil || loc.Scheme != "https" || !slices.Contains(what.own, loc.HostPort())
			}
			if len(c.Addresses) == 0 || slices.ContainsFunc(c.Addresses, elsewhere) {
				r.tell(p, p.begin(p.offset(k)), c)
			}
		}
	}
}

// assigned is an assignment in PowerShell: $env:NAME = "value".
var assigned = regexp.MustCompile(`(?i)\$env:(\w+)[ \t]*=[ \t]*(?:"([^"\r\n]*)"|'([^'\r\n]*)'|([^\s"';|]+))`)

// powerShell finds assignments of variables in the form of PowerShell's, whatever shell the step names: what it is
// without one depends on the runner.
func powerShell(script string) (found []ecosystem.Command) {
	if !strings.Contains(script, "$") {
		return nil
	}
	for _, m := range assigned.FindAllStringSubmatchIndex(script, maxActions) {
		value := ""
		for g := 2; g < len(m)/2; g++ {
			if m[2*g] >= 0 {
				value = script[m[2*g]:m[2*g+1]]
			}
		}
		if c, ok := ecosystem.Variable(script[m[2]:m[3]], value); ok {
			c.Offset = m[0]
			found = append(found, c)
		}
	}
	return found
}
