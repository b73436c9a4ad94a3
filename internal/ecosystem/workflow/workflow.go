// Package workflow reads what the workflows and pipelines of a checkout do about packages: those of GitHub (and of Gitea
// and Forgejo, which took over its form), GitLab and CircleCI.
//
// Commands and variables are known by their looks. Nothing is run, no expression (${{ … }}) is evaluated, and no file
// outside of the checkout is asked for, so that a hit can be a false one, and what wants to hide can.
package workflow

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// Name is the ecosystem's.
const Name = "workflow"

const (
	// maxFiles, maxActions and maxSteps bound what is read, told and followed: through aliases and references few lines
	// can stand for very many.
	maxFiles   = 2000
	maxActions = 2000
	maxSteps   = 200_000
	// maxBytes bounds all files: a parsed one takes some hundred times its size. The workflows of PyTorch have 3 MB.
	maxBytes = 16 << 20
)

// Kinds of decide.Action beside those of ecosystem.Command.
const early = "early"

// room is what was read.
type room struct {
	co   *lockfile.Checkout
	find finder
	// documents are what was read, nil for a file that is not there; names are theirs in the order of reading.
	documents map[string]*document
	names     []string
	// order are the jobs of GitHub and CircleCI; entries are the names of the top-level entries of GitLab's files, and
	// jobs these entries: any file's may extend another's.
	order   []ordered
	entries []string
	jobs    map[string][]line
	// scripts are those that were judged: several aliases can stand for one.
	scripts map[*yaml.Node]bool
	heard   map[*yaml.Node]*heard
	actions []decide.Action
	seen    map[string]bool
	notes   []string
	// bytes is the size of all documents.
	bytes int
	// steps are what was spent of maxSteps, withheld how many actions were not told.
	steps, withheld int
}

// New reads the workflows of the checkout. The error is a *problem.Problem for a file that is there and cannot be read.
func New(m ecosystem.Machine, co *lockfile.Checkout) (*ecosystem.Ecosystem, error) {
	r, err := look(co)
	if err != nil {
		return nil, err
	}
	return &ecosystem.Ecosystem{
		Name: Name, Files: r.names, Notes: r.notes,
		Fill: func(in *decide.Input, after *choose.Choice) {
			in.Workflows = append(in.Workflows, slices.Clone(r.actions)...)
		},
		Hosts: func(co *lockfile.Checkout) (map[string]bool, error) {
			r, _ := look(co) // what cannot be understood has no keys
			keys := map[string]bool{}
			for _, a := range r.actions {
				keys[a.Key] = true
			}
			return keys, nil
		},
	}, nil
}

// Files are the paths of the checkout that New reads. What cannot be read is New's to tell of.
func Files(co *lockfile.Checkout) []string {
	r, _ := look(co)
	return r.names
}

func look(co *lockfile.Checkout) (*room, error) {
	r := &room{co: co, find: finder{co: co}, documents: map[string]*document{}, seen: map[string]bool{}, scripts: map[*yaml.Node]bool{}, heard: map[*yaml.Node]*heard{}, jobs: map[string][]line{}}
	github, gitlab, circle := r.find.start()
	for _, names := range []struct {
		files []string
		judge func(*document) (more []string)
	}{{github, r.github}, {circle, r.circle}, {gitlab, r.gather}} {
		for queue := names.files; len(queue) > 0; queue = queue[1:] {
			if _, known := r.documents[queue[0]]; known {
				continue
			}
			if len(r.documents) == maxFiles {
				return r, problem.New(problem.Usage, co.Dir(), "check a smaller directory", "has workflows and pipelines that name more than %d files", maxFiles)
			}
			d, err := r.read(queue[0])
			if err != nil {
				return r, err
			}
			if d != nil {
				if r.bytes += len(d.Data); r.bytes > maxBytes {
					return r, problem.New(problem.Usage, co.Dir(), "check a smaller directory", "has workflows and pipelines of more than %d MB", maxBytes>>20)
				}
				queue = append(queue, names.judge(d)...)
			}
		}
	}
	r.gitlab()
	r.early()
	if r.steps > maxSteps {
		return r, problem.New(problem.Usage, co.Dir(), "write out what the aliases and references of its workflows stand for",
			"has workflows that hold more than %d steps by way of aliases and references", maxSteps)
	}
	if r.find.exceeded {
		r.notes = append(r.notes, fmt.Sprintf("workflows and pipelines: more than %d directories would have to be looked through, so not all that they name was judged", maxDirs))
	}
	if r.withheld > 0 {
		r.notes = append(r.notes, fmt.Sprintf("workflows and pipelines: %d findings more were left out", r.withheld))
	}
	slices.SortStableFunc(r.actions, func(a, b decide.Action) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	return r, nil
}

func (r *room) note(file, text string) {
	r.notes = append(r.notes, source.Plain(file, 200)+" "+text)
}

// spend counts steps, and tells whether there may be more.
func (r *room) spend(steps int) bool {
	r.steps += steps
	return r.steps <= maxSteps
}

// pairs are the keys and values of a mapping, with those that << merges into it behind them.
func (r *room) pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(k, v *yaml.Node) bool) { r.merged(n, 0, yield) }
}

func (r *room) merged(n *yaml.Node, depth int, yield func(k, v *yaml.Node) bool) bool {
	n = real(n)
	if n == nil || n.Kind != yaml.MappingNode || depth > maxNested {
		return true
	}
	if depth > 0 && !r.spend(1+len(n.Content)/2) {
		return false
	}
	var more []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k, v := n.Content[i], n.Content[i+1]; k.Value == "<<" && k.Style == 0 {
			more = append(more, v)
		} else if !yield(k, v) {
			return false
		}
	}
	for _, v := range more {
		for _, m := range items(v) {
			if !r.merged(m, depth+1, yield) {
				return false
			}
		}
	}
	return true
}

// get is the value that keys lead to; nil where there is none.
func (r *room) get(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if n == nil || !r.spend(len(n.Content)/100) {
			return nil
		}
		var found *yaml.Node
		for k, v := range r.pairs(n) {
			if k.Value == key {
				found = v
				break
			}
		}
		n = real(found)
	}
	return n
}

// place is where something stands that is told of: in a job of a document.
type place struct {
	*document
	job string
}

// tell keeps one fact. Where the document is reached by a link, nothing of it is quoted.
func (r *room) tell(p place, offset int, c ecosystem.Command) {
	id := fmt.Sprintf("%s %d %s %s", p.Path, offset, c.Kind, c.Fault)
	if r.seen[id] {
		return // an alias, or an action of this repository that several jobs use
	}
	if r.seen[id] = true; len(r.actions) == maxActions {
		r.withheld++
		return
	}
	a := decide.Action{Kind: c.Kind, Ecosystem: c.Ecosystem, Unchecked: c.Unchecked, Job: source.Plain(p.job, 100), Command: c.Text, Fault: c.Fault,
		Places: []decide.Place{}, Origin: source.Checkout, Position: p.position(offset)}
	for _, address := range c.Addresses {
		a.Places = append(a.Places, decide.PlaceOf(address))
	}
	if p.Linked {
		a.Job, a.Command, a.Places = "", "a command", []decide.Place{}
	}
	a.Key = strings.Join([]string{a.Kind, a.File, a.Command, a.Fault}, " ")
	r.actions = append(r.actions, a)
}

// script judges a text that a shell is given.
func (r *room) script(p place, n *yaml.Node) {
	n = real(n)
	if n == nil || n.Kind != yaml.ScalarNode || r.scripts[n] {
		return
	}
	r.scripts[n] = true
	found := slices.Concat(ecosystem.Commands(n.Value), powerShell(n.Value))
	if len(found) == 0 {
		return
	}
	way := p.scalar(n)
	for _, c := range found {
		r.tell(p, way.at(c.Offset), c)
	}
}

// variables judges the variables that a workflow sets.
func (r *room) variables(p place, n *yaml.Node) {
	var all map[string]*yaml.Node // of variables that belong together
	for k, v := range r.pairs(n) {
		if !r.spend(1) {
			return
		}
		value := text(v)
		if inner := r.get(v, "value"); inner != nil { // GitLab's long form
			value = text(inner)
		}
		c, ok := ecosystem.Variable(k.Value, value)
		if index, is := strings.CutPrefix(k.Value, "GIT_CONFIG_KEY_"); is {
			if all == nil {
				all = map[string]*yaml.Node{}
				for k, v := range r.pairs(n) {
					all[k.Value] = v
				}
			}
			c, ok = gitConfig(value, text(all["GIT_CONFIG_VALUE_"+index]))
		}
		if ok {
			r.tell(p, p.begin(p.offset(k)), c)
		}
	}
}

// gitConfig judges a setting of git's that stands in the environment, as if it were written by git config.
func gitConfig(key, value string) (ecosystem.Command, bool) {
	if strings.ContainsAny(key+value, "'") {
		return ecosystem.Command{}, false
	}
	found := ecosystem.Commands("git config '" + key + "' '" + value + "'")
	if len(found) != 1 {
		return ecosystem.Command{}, false
	}
	return found[0], true
}
