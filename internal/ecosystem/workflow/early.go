package workflow

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/org/goproxy-action/internal/ecosystem"
)

// line is one command or step of a job in the order of the job, or an entry of GitLab's.
type line struct {
	place
	node *yaml.Node
	// gate is true for a step that is our action or our component; installs for another's that downloads packages.
	gate, installs bool
}

// ordered is a job of GitHub's or CircleCI's whose steps are to be looked at in their order.
type ordered struct {
	place
	steps *yaml.Node
}

const (
	tooEarly = "downloads before goproxy-action has judged anything in this job"
	replaced = "takes the place of goproxy-action's, so that nothing is judged in this job"
)

var (
	gateAction  = regexp.MustCompile(`(?i)(?:^|/)goproxy-action(?:[@:/]|$)`)
	gateCommand = regexp.MustCompile(`(?:^|[\s/;&|("'` + "`" + `])goproxy-action(?:\.exe)?["']?(?:[ \t]+[^\s;&|]+){0,8}?[ \t]+(?:setup|check)\b`)
)

// installers are actions that download modules or packages by themselves.
var installers = []string{"bahmutov/npm-install", "borales/actions-yarn", "cypress-io/github-action", "dominikh/staticcheck-action",
	"github/codeql-action/autobuild", "golang/govulncheck-action", "golangci/golangci-lint-action", "goreleaser/goreleaser-action"}

// early finds what downloads before our gate, in those jobs that have it.
func (r *room) early() {
	for _, job := range r.order {
		r.before(r.flat(job.place, job.steps, 0))
	}
	for _, name := range r.entries {
		if strings.HasPrefix(name, ".") || slices.Contains(keywords, name) {
			continue
		}
		for _, job := range r.jobs[name] {
			job.job = name
			before, gate, found := r.inherited(job, scripts[0], 0)
			if gate {
				continue
			}
			lines := r.lines(before.place, before.node, 0)
			if script, _, ok := r.inherited(job, scripts[1], 0); ok {
				lines = append(lines, r.lines(script.place, script.node, 0)...)
			}
			if !r.before(lines) && found && r.extends(job.node, 0) {
				n := items(before.node)[0]
				r.tell(before.place, before.begin(before.offset(n)), ecosystem.Command{Kind: early, Fault: replaced, Text: scripts[0]})
			}
		}
	}
}

// heard is what a script holds. Many jobs can share one, through an alias or a reference.
type heard struct {
	// gate is where the command begins that is our gate; -1 where there is none.
	gate      int
	downloads []ecosystem.Command
	way       scalar
}

func (r *room) hear(l line) *heard {
	n := real(l.node)
	if h := r.heard[n]; h != nil {
		return h
	}
	h := &heard{gate: -1}
	script := text(n)
	if strings.Contains(script, "goproxy-action") {
		if m := gateCommand.FindStringIndex(script); m != nil {
			h.gate = 1 + strings.LastIndexAny(script[:m[0]], "\n;&|(") // go run ./cmd/goproxy-action is the gate itself
		}
	}
	switch {
	case n == nil:
	case l.installs:
		h.downloads = []ecosystem.Command{{Text: actionOf(script)}}
	default:
		h.downloads = ecosystem.Installs(script)
	}
	if len(h.downloads) > 0 {
		h.way = l.scalar(n)
	}
	r.heard[n] = h
	return h
}

// before tells of the downloads that come before the gate, and whether there is one.
func (r *room) before(lines []line) bool {
	for i, l := range lines {
		at := 0
		if !l.gate {
			if at = r.hear(l).gate; at < 0 {
				continue
			}
		}
		for _, earlier := range lines[:i] {
			r.installs(earlier, len(text(earlier.node)))
		}
		r.installs(l, at)
		return true
	}
	return false
}

// installs tells of the downloads in a line up to byte end of its text.
func (r *room) installs(l line, end int) {
	if l.gate {
		return
	}
	h := r.hear(l)
	for _, c := range h.downloads {
		if c.Offset < end && r.spend(1) {
			c.Kind, c.Fault = early, tooEarly
			r.tell(l.place, h.way.at(c.Offset), c)
		}
	}
}

// flat are the steps of a job with those of this repository's own actions in their place.
func (r *room) flat(p place, steps *yaml.Node, depth int) (out []line) {
	for _, step := range items(steps) {
		if depth > maxNested || !r.spend(1) {
			break
		}
		uses := r.get(step, "uses")
		name := text(uses)
		own, isOwn := r.own(name)
		switch {
		case gateAction.MatchString(name) || isOwn && text(r.get(own.roots[0], "name")) == "goproxy-action":
			out = append(out, line{place: p, node: uses, gate: true})
		case isOwn:
			out = append(out, r.flat(place{own, p.job}, r.get(own.roots[0], "runs", "steps"), depth+1)...)
		case slices.Contains(installers, strings.ToLower(actionOf(name))):
			out = append(out, line{place: p, node: uses, installs: true})
		case uses == nil && !foreign.MatchString(text(r.get(step, "shell"))):
			run := r.get(step, "run")
			if command := r.get(run, "command"); command != nil { // CircleCI's long form
				run = command
			}
			if real(run) != nil && real(run).Kind == yaml.ScalarNode {
				out = append(out, line{place: p, node: run})
			}
		}
	}
	return out
}

// own is the document of an action of this repository.
func (r *room) own(uses string) (*document, bool) {
	for _, name := range local(uses) {
		if d := r.documents[name]; d != nil && len(d.roots) > 0 {
			return d, true
		}
	}
	return nil, false
}

// actionOf is the name of an action without its version.
func actionOf(uses string) string {
	name, _, _ := strings.Cut(uses, "@")
	return name
}
