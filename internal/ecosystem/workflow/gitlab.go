package workflow

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// keywords are the top-level keys of a pipeline that are no jobs.
var keywords = []string{"default", "include", "stages", "variables", "workflow", "image", "services", "cache", "spec",
	"before_script", "after_script"}

// scripts are the keys of a job that hold commands.
var scripts = []string{"before_script", "script", "after_script"}

// gather takes in the top-level entries of a file of GitLab's, and returns the files that it includes.
func (r *room) gather(d *document) (more []string) {
	for _, root := range d.roots {
		for k, v := range r.pairs(root) {
			if r.jobs[k.Value] == nil {
				r.entries = append(r.entries, k.Value)
			}
			r.jobs[k.Value] = append(r.jobs[k.Value], line{place: place{document: d}, node: v})
		}
		for _, include := range items(r.get(root, "include")) {
			name := text(r.get(include, "local"))
			if include = real(include); include.Kind == yaml.ScalarNode && !strings.Contains(include.Value, "://") {
				name = include.Value
			}
			if name != "" && !strings.Contains(name, "$") {
				more = append(more, r.find.local(name)...)
			}
		}
	}
	return more
}

// gitlab judges what was gathered.
func (r *room) gitlab() {
	for _, name := range r.entries {
		for _, e := range r.jobs[name] {
			switch p := e.place; {
			case name == "variables":
				r.variables(r.follow(p, e.node))
			case name == "workflow":
				r.rules(p, e.node)
			case name == "before_script" || name == "after_script":
				r.commands(p, e.node)
			case name == "default" || !slices.Contains(keywords, name):
				if name != "default" {
					p.job = name
				}
				r.variables(r.follow(p, r.get(e.node, "variables")))
				r.rules(p, e.node)
				for _, key := range scripts {
					r.commands(p, r.get(e.node, key))
				}
				r.commands(p, r.get(e.node, "hooks", "pre_get_sources_script"))
			}
		}
	}
}

// rules judges the variables that rules set.
func (r *room) rules(p place, n *yaml.Node) {
	for _, rule := range items(r.get(n, "rules")) {
		r.variables(p, r.get(rule, "variables"))
	}
}

func (r *room) commands(p place, n *yaml.Node) {
	for _, l := range r.lines(p, n, 0) {
		r.script(l.place, l.node)
	}
}

// follow leads from an alias or a !reference to what it stands for.
func (r *room) follow(p place, n *yaml.Node) (place, *yaml.Node) {
	for range maxNested {
		if n = real(n); n == nil || n.Tag != "!reference" || len(n.Content) == 0 {
			break
		}
		entries := r.jobs[n.Content[0].Value]
		if len(entries) == 0 {
			return p, nil
		}
		from := entries[len(entries)-1] // of two the one that comes last counts
		keys := []string{}
		for _, key := range n.Content[1:] {
			keys = append(keys, key.Value)
		}
		p, n = place{from.document, p.job}, r.get(from.node, keys...)
	}
	return p, n
}

// lines are the commands of a script, with what aliases, references and lists in lists stand for.
func (r *room) lines(p place, n *yaml.Node, depth int) (out []line) {
	if n = real(n); n == nil || depth > maxNested || !r.spend(1) {
		return nil
	}
	if n.Tag == "!reference" {
		if len(n.Content) == 2 && isGate(n.Content[0].Value) && n.Content[1].Value == scripts[0] {
			return []line{{place: p, node: n, gate: true}}
		}
		from, target := r.follow(p, n)
		return r.lines(from, target, depth+1)
	}
	if n.Kind == yaml.ScalarNode {
		return []line{{place: p, node: n}}
	}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			out = append(out, r.lines(p, item, depth+1)...)
		}
	}
	return out
}

// isGate tells whether a hidden job is one of our component's.
func isGate(name string) bool { return name == ".goproxy-action" || name == ".goproxy-action-image" }

// inherited is what a job has under a key, itself or by extends; gate is true where it is our component's.
func (r *room) inherited(job line, key string, depth int) (from line, gate, found bool) {
	if depth > maxNested || !r.spend(1) {
		return line{}, false, false
	}
	if n := r.get(job.node, key); n != nil {
		return line{place: job.place, node: n}, false, true
	}
	for _, parent := range slices.Backward(items(r.get(job.node, "extends"))) {
		if isGate(text(parent)) {
			return line{}, true, true
		}
		for _, p := range slices.Backward(r.jobs[text(parent)]) {
			p.job = job.job
			if from, gate, found = r.inherited(p, key, depth+1); found {
				return from, gate, true
			}
		}
	}
	return line{}, false, false
}

// extends tells whether a job has our component's among those that it extends.
func (r *room) extends(job *yaml.Node, depth int) bool {
	if depth > maxNested || !r.spend(1) {
		return false
	}
	for _, parent := range items(r.get(job, "extends")) {
		if isGate(text(parent)) || slices.ContainsFunc(r.jobs[text(parent)], func(p line) bool { return r.extends(p.node, depth+1) }) {
			return true
		}
	}
	return false
}
