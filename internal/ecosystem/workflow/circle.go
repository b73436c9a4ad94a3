package workflow

import "go.yaml.in/yaml/v3"

// circle judges the configuration of CircleCI.
func (r *room) circle(d *document) []string {
	for _, root := range d.roots {
		for _, kind := range []string{"jobs", "commands"} {
			for name, job := range r.pairs(r.get(root, kind)) {
				p := place{d, name.Value}
				r.variables(p, r.get(job, "environment"))
				for _, image := range items(r.get(job, "docker")) {
					r.variables(p, r.get(image, "environment"))
				}
				r.circleSteps(p, r.get(job, "steps"), 0)
				if kind == "jobs" {
					r.order = append(r.order, ordered{p, r.get(job, "steps")})
				}
			}
		}
		for _, executor := range r.pairs(r.get(root, "executors")) {
			r.variables(place{document: d}, r.get(executor, "environment"))
		}
	}
	return nil
}

func (r *room) circleSteps(p place, steps *yaml.Node, depth int) {
	for _, step := range items(steps) {
		if depth > maxNested || !r.spend(1) {
			return
		}
		run := r.get(step, "run")
		if run != nil && run.Kind == yaml.MappingNode {
			r.variables(p, r.get(run, "environment"))
			if foreign.MatchString(text(r.get(run, "shell"))) {
				continue
			}
			run = r.get(run, "command")
		}
		r.script(p, run)
		for _, key := range []string{"when", "unless"} {
			r.circleSteps(p, r.get(step, key, "steps"), depth+1)
		}
	}
}
