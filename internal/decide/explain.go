package decide

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxTries bounds what is told of each text of a rule: solutions, and examples of where it stopped.
	maxTries = 5
	// maxValues and maxValue bound the values that are told with an expression, and the length of one.
	maxValues, maxValue = 6, 120
)

// Explanation says how a rule came to what it found, or to nothing.
type Explanation struct {
	Rule     Rule      `json:"rule"`
	Findings []Finding `json:"findings"`
	// Texts are the places where the rule is written: each objects by itself.
	Texts []RuleText `json:"texts"`
}

// RuleText is one `... contains ... if { ... }`.
type RuleText struct {
	File string `json:"file"`
	Line int    `json:"line"`
	// Objected is how many times all its expressions held; Objections are the first of these.
	Objected   int   `json:"objected"`
	Objections []Try `json:"objections"`
	// Stopped are the expressions at which it ended without an objection.
	Stopped []Stop `json:"stopped"`
}

// Try is one way through a text: its expressions in the order in which they were evaluated.
type Try struct {
	Steps []Step `json:"steps"`
}

// Step is one expression.
type Step struct {
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Held   bool   `json:"held"`
	Values []Pair `json:"values,omitempty"`
}

// Pair is what something in an expression stood for.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Stop is an expression that did not hold.
type Stop struct {
	Line  int    `json:"line"`
	Text  string `json:"text"`
	Count int    `json:"count"`
	// Examples are the first ways to it.
	Examples []Try `json:"examples"`
}

// Explain evaluates one rule on in and says which of its expressions held.
func (e *Engine) Explain(ctx context.Context, in Input, id string) (Explanation, error) {
	modules, err := e.whole()
	if err != nil {
		return Explanation{}, err
	}
	rule, ok := e.rules[id]
	sets, places := e.written(modules, id)
	if !ok && len(sets) > 0 {
		rule.ID = id
	} else if !ok {
		var known []string
		for _, r := range e.Rules() {
			known = append(known, r.ID)
		}
		return Explanation{}, problem.New(problem.Usage, "rule "+source.Plain(id, 100), "known are "+strings.Join(known, ", "), "there is no such rule")
	}
	if len(sets) == 0 {
		return Explanation{}, problem.New(problem.Usage, "rule "+id, "explain the place of one of its findings (FILE:LINE)", "no text of a rule names this id")
	}
	found, err := e.Eval(ctx, in)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{Rule: rule, Findings: slices.DeleteFunc(found, func(f Finding) bool { return f.ID != id })}
	input, err := in.value()
	if err != nil {
		return Explanation{}, err
	}
	t := &tracer{input: input, texts: map[*ast.Rule]*text{}}
	slow := *e
	slow.timeout, slow.print = 10*e.timeout, nil // to tell takes longer than to judge
	parts, err := e.defaultParts(nil)
	if err != nil {
		return Explanation{}, err
	}
	for _, p := range slices.Concat(parts, e.mine) {
		asked := slices.DeleteFunc(slices.Clone(p.sets), func(s set) bool {
			return !slices.ContainsFunc(sets, func(other set) bool { return other.ref.Equal(s.ref) })
		})
		if len(asked) == 0 {
			continue
		}
		for _, m := range p.compiler.Modules {
			for _, r := range m.Rules {
				if at := r.Location; at != nil && places[spot{at.File, at.Row}] != nil {
					t.texts[r] = &text{RuleText{File: at.File, Line: at.Row, Objections: []Try{}, Stopped: []Stop{}}, places[spot{at.File, at.Row}]}
				}
			}
		}
		q, err := e.ask(ctx, &p, asked)
		if err != nil {
			return Explanation{}, err
		}
		t.bodies = map[uint64]*body{}
		if _, err := slow.run(ctx, q, rego.EvalParsedInput(input), rego.EvalQueryTracer(t), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false)); err != nil {
			return Explanation{}, err
		}
	}
	for _, text := range t.texts {
		slices.SortFunc(text.Stopped, func(a, b Stop) int { return a.Line - b.Line })
		// a text that several parts need is evaluated in one of them
		i := slices.IndexFunc(x.Texts, func(other RuleText) bool { return other.File == text.File && other.Line == text.Line })
		switch {
		case i < 0:
			x.Texts = append(x.Texts, text.RuleText)
		case text.Objected+len(text.Stopped) > 0:
			x.Texts[i] = text.RuleText
		}
	}
	slices.SortFunc(x.Texts, func(a, b RuleText) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return x, nil
}

type spot struct {
	file string
	line int
}

// written finds the rules that report as id: by their METADATA, by a text in their head, or by their set; and the sets
// that have to be asked for them to be evaluated.
func (e *Engine) written(modules map[string]*ast.Module, id string) (sets []set, places map[spot]*ast.Rule) {
	places = map[spot]*ast.Rule{}
	asked := map[string]bool{}
	for _, m := range modules {
		for _, r := range m.Rules {
			i := slices.IndexFunc(e.sets, func(s set) bool { return s.ref.Equal(m.Package.Path.Extend(r.Head.Ref())) })
			own := cmp.Or(headID(r), metadataID(r))
			if own == id || own == "" && (says(r, id) || i >= 0 && e.sets[i].id == id) {
				places[spot{r.Location.File, r.Location.Row}] = r
				asked[namespace(m)] = true
			}
		}
	}
	if len(places) == 0 {
		return nil, nil
	}
	for _, s := range e.sets {
		if asked[s.namespace] {
			sets = append(sets, s)
		}
	}
	if sets == nil { // a part of what others ask
		sets = e.sets
	}
	return sets, places
}

// metadataID is the id that METADATA gives to a rule; empty where it gives none.
func metadataID(r *ast.Rule) string {
	for _, a := range r.Annotations {
		if id, _ := a.Custom["id"].(string); id != "" {
			return id
		}
	}
	return ""
}

// headID is the "id" that a rule writes into its members; empty where it is no plain text.
func headID(r *ast.Rule) string {
	id := ""
	ast.WalkTerms(r.Head, func(t *ast.Term) bool {
		if o, ok := t.Value.(ast.Object); ok && o.Get(ast.StringTerm("id")) != nil {
			id = str(o.Get(ast.StringTerm("id")))
		}
		return id != ""
	})
	return id
}

// says tells whether a text in a rule's head is the id.
func says(r *ast.Rule, id string) bool {
	found := false
	ast.WalkTerms(r.Head, func(t *ast.Term) bool {
		found = found || str(t) == id
		return found
	})
	return found
}

// tracer follows the bodies of some rules, and nothing that they call.
type tracer struct {
	input  ast.Value
	texts  map[*ast.Rule]*text // by the rule as it was compiled
	bodies map[uint64]*body    // by query
}

type text struct {
	RuleText
	rule *ast.Rule // as it was written
}

// body is one evaluation of a rule's body.
type body struct {
	*text
	// way are the expressions that led to where it stands.
	way []*ast.Expr
}

// Enabled is for topdown.
func (*tracer) Enabled() bool { return true }

// Config asks for the values of variables.
func (*tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent takes in one event.
func (t *tracer) TraceEvent(event topdown.Event) {
	if r, ok := event.Node.(*ast.Rule); ok && event.Op == topdown.EnterOp && t.texts[r] != nil {
		t.bodies[event.QueryID] = &body{text: t.texts[r]}
		return
	}
	b := t.bodies[event.QueryID]
	if b == nil {
		return
	}
	switch node := event.Node.(type) {
	case *ast.Rule:
		if event.Op == topdown.ExitOp {
			if b.Objected++; b.Objected <= maxTries {
				b.Objections = append(b.Objections, t.try(b, true, event))
			}
		}
	case *ast.Expr:
		if event.Op != topdown.EvalOp && event.Op != topdown.FailOp {
			return
		}
		for len(b.way) > 0 && b.way[len(b.way)-1].Index >= node.Index {
			b.way = b.way[:len(b.way)-1]
		}
		b.way = append(b.way, node)
		if event.Op == topdown.FailOp {
			t.stop(b, event)
		}
	}
}

func (t *tracer) stop(b *body, event topdown.Event) {
	line, text, _ := b.written(b.way[len(b.way)-1])
	i := slices.IndexFunc(b.Stopped, func(s Stop) bool { return s.Line == line && s.Text == text })
	if i < 0 {
		i = len(b.Stopped)
		b.Stopped = append(b.Stopped, Stop{Line: line, Text: text, Examples: []Try{}})
	}
	s := &b.Stopped[i]
	if s.Count++; s.Count <= maxTries {
		s.Examples = append(s.Examples, t.try(b, false, event))
	}
}

// written is the expression of the policy that x is, or is a part of: the compiler takes long ones apart. What belongs
// to none makes the finding.
func (t *text) written(x *ast.Expr) (line int, text string, condition bool) {
	at := x.Location
	if at == nil {
		return 0, x.String(), false
	}
	for _, whole := range t.rule.Body {
		if w := whole.Location; w != nil && w.Offset <= at.Offset && at.Offset < w.Offset+len(w.Text) {
			at, condition = w, true
			break
		}
	}
	return at.Row, source.Plain(strings.Join(strings.Fields(string(at.Text)), " "), 200), condition
}

// try tells a way with the values that the variables have at its end, each value once.
func (t *tracer) try(b *body, held bool, event topdown.Event) Try {
	out := Try{Steps: []Step{}}
	told := map[Pair]bool{}
	for i, x := range b.way {
		line, text, condition := b.written(x)
		stopped := !held && i == len(b.way)-1
		if !condition && !stopped {
			continue
		}
		n := slices.IndexFunc(out.Steps, func(s Step) bool { return s.Line == line && s.Text == text })
		if n < 0 {
			n = len(out.Steps)
			out.Steps = append(out.Steps, Step{Line: line, Text: text, Held: true})
		}
		s := &out.Steps[n]
		s.Held = s.Held && !stopped
		for _, v := range t.values(x, event) {
			if !told[v] && len(s.Values) < maxValues {
				told[v] = true
				s.Values = append(s.Values, v)
			}
		}
	}
	return out
}

// values are what variables and references of an expression stand for.
func (t *tracer) values(x *ast.Expr, event topdown.Event) []Pair {
	var out []Pair
	add := func(name string, v ast.Value) {
		p := Pair{name, source.Plain(v.String(), maxValue)}
		if len(out) < maxValues && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	local := func(v ast.Var) (string, ast.Value) {
		name := string(event.LocalMetadata[v].Name)
		if name == "" || strings.HasPrefix(name, "__local") || strings.HasPrefix(name, ast.WildcardPrefix) || event.Locals == nil {
			return "", nil
		}
		return name, event.Locals.Get(v)
	}
	whole := map[ast.Var]bool{}
	parts := map[ast.Var]bool{}
	var walk func(node any)
	walk = func(node any) {
		ast.WalkTerms(node, func(term *ast.Term) bool {
			switch v := term.Value.(type) {
			case ast.Var:
				whole[v] = true
			case ast.Ref:
				head, ok := v[0].Value.(ast.Var)
				if !ok {
					return false
				}
				rest := v.GroundPrefix()[1:]
				name, value := local(head)
				if v[0].Equal(ast.InputRootDocument) {
					name, value = "input", t.input
				} else {
					parts[head] = true
				}
				if value != nil && len(rest) > 0 && len(rest) == len(v)-1 {
					if found, err := value.Find(rest); err == nil {
						add(name+strings.TrimPrefix(append(ast.Ref{ast.VarTerm("x")}, rest...).String(), "x"), found)
					} else {
						add(name+strings.TrimPrefix(append(ast.Ref{ast.VarTerm("x")}, rest...).String(), "x"), ast.String("undefined"))
					}
				}
				for _, part := range v[1:] {
					walk(part)
				}
				return true
			case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
				return true
			}
			return false
		})
	}
	walk(x)
	var plain []ast.Var
	for v := range whole {
		if !parts[v] {
			plain = append(plain, v)
		}
	}
	slices.Sort(plain)
	for _, v := range plain {
		if name, value := local(v); value != nil {
			if _, isVar := value.(ast.Var); !isVar {
				add(name, value)
			}
		}
	}
	return out
}

// named tells whether text is the place of a finding as reports show it: FILE:LINE, or FILE:LINE:COLUMN.
func (f Finding) named(text string) bool {
	return text != "" && (text == fmt.Sprintf("%s:%d", f.File, f.Line) || text == fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column))
}

// At are the ids of the rules that found something at a place, written FILE:LINE or FILE:LINE:COLUMN.
func At(found []Finding, text string) []string {
	var out []string
	for _, f := range found {
		if f.named(text) && !slices.Contains(out, f.ID) {
			out = append(out, f.ID)
		}
	}
	return out
}
