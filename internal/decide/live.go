package decide

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// rulebook is the default rules as they were parsed, with what each of them cannot do without. Most of what they look
// for is nowhere in an honest repository: a rule over all replace directives finds nothing where there is none. Such
// rules are not compiled, which is what an engine spends its time on. What is left out is decided by the input alone,
// and by the meaning of the language: a body holds only where all its expressions are defined and none is false.
type rulebook struct {
	names    map[string][]*clause // by goproxy.GROUP.RULE
	modules  map[string]*ast.Module
	document map[string]any
}

// clause is one definition of a rule.
type clause struct {
	rule *ast.Rule
	key  string // of its module
	// needs are the conditions without which it is undefined, or adds nothing to its set; members are those without
	// which its value, a comprehension, is empty.
	needs, members []condition
	// uses are names of rules, or beginnings of them, that stand anywhere in it.
	uses []string
}

// condition is that something is there.
type condition struct {
	path []string // behind input or data
	root string   // input or data
	// inside is true where something in it is asked for, so that an empty one is as good as none.
	inside bool
	// holds is true where false will not do either.
	holds bool
}

// state of what a condition is about.
type state int

const (
	filled state = iota
	untrue
	empty
	absent
)

func (c condition) met(s state) bool {
	return s == filled || s == untrue && !c.holds || s == empty && !c.inside
}

// newRulebook reads the default rules among modules. Where a rule replaces the input of another (with), nothing that is
// read here would be true, so that no rule has conditions.
func newRulebook(modules map[string]*ast.Module, document map[string]any) *rulebook {
	b := &rulebook{names: map[string][]*clause{}, modules: modules, document: document}
	replaced := false
	own := map[string]map[ast.Var]string{} // names of rules by package
	for key, m := range modules {
		if isUser(key) {
			continue
		}
		ast.WalkWiths(m, func(*ast.With) bool { replaced = true; return true })
		space := namespace(m)
		if own[space] == nil {
			own[space] = map[ast.Var]string{}
		}
		for _, r := range m.Rules {
			v := r.Head.Ref()[0].Value.(ast.Var)
			name := space + "." + string(v)
			own[space][v] = name
			b.names[name] = append(b.names[name], &clause{rule: r, key: key})
		}
	}
	for _, all := range b.names {
		for _, c := range all {
			m := modules[c.key]
			s := scope{b, c, m, own[namespace(m)], nil}
			s.uses()
			if !replaced {
				s.locals = locals(c.rule)
				s.read()
			}
		}
	}
	return b
}

// needed are the rules that can find something in an input, and those that they use; all for nil.
func (b *rulebook) needed(sets []set, input ast.Value) map[*ast.Rule]*clause {
	out := map[*ast.Rule]*clause{}
	view := view{b, input, map[string]state{}}
	var queue []string
	for _, s := range sets {
		queue = append(queue, s.namespace+"."+s.name)
	}
	asked := len(queue)
	seen := map[string]bool{}
	for i := 0; i < len(queue); i++ {
		if seen[queue[i]] {
			continue
		}
		seen[queue[i]] = true
		clauses := b.names[queue[i]]
		live := slices.DeleteFunc(slices.Clone(clauses), func(c *clause) bool { return !view.all(c.needs) })
		if len(live) == 0 && i >= asked {
			live = clauses // what names it has to find it
		}
		for _, c := range live {
			out[c.rule] = c
			queue = append(queue, c.uses...)
		}
	}
	return out
}

// keep are the modules with no other rules than these.
func (b *rulebook) keep(rules map[*ast.Rule]*clause) map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for _, c := range rules {
		if out[c.key] != nil {
			continue
		}
		m := *b.modules[c.key]
		m.Rules, m.Annotations, m.Comments = nil, nil, nil
		for _, r := range b.modules[c.key].Rules {
			if rules[r] != nil {
				m.Rules = append(m.Rules, r)
			}
		}
		out[c.key] = &m
	}
	return out
}

// view is the rules on one input.
type view struct {
	*rulebook
	input ast.Value
	known map[string]state // of names
}

func (v view) all(needs []condition) bool {
	return v.input == nil || !slices.ContainsFunc(needs, func(c condition) bool { return !c.met(v.state(c)) })
}

func (v view) state(c condition) state {
	if c.root == "input" {
		return stateOf(v.input, c.path)
	}
	for i := len(c.path); i > 2; i-- {
		name := strings.Join(c.path[:i], ".")
		if clauses := v.names[name]; clauses != nil {
			s, ok := v.known[name]
			if !ok {
				s = v.stateOf(clauses)
				v.known[name] = s
			}
			if value := clauses[0].rule.Head.Value; s == filled && len(clauses) == 1 && value != nil && i < len(c.path) {
				// a rule that is another name of a part of the input
				if ref, ok := value.Value.(ast.Ref); ok && ref.HasPrefix(ast.InputRootRef) && ref.IsGround() {
					return stateOf(v.input, append(ground(ref), c.path[i:]...))
				}
			}
			return s
		}
	}
	if len(c.path) > 1 && c.path[0] == reserved && !v.begins(strings.Join(c.path, ".")) {
		return dataState(v.document, c.path)
	}
	return filled
}

// begins tells whether rules have names below a path, or groups do.
func (b *rulebook) begins(path string) bool {
	for name := range b.names {
		if strings.HasPrefix(name, path+".") || strings.HasPrefix(path, name[:strings.LastIndexByte(name, '.')+1]) {
			return true
		}
	}
	return false
}

// stateOf is that of all definitions of a name: a set is empty where none of them adds to it, and all else is absent.
func (v view) stateOf(clauses []*clause) state {
	out := absent
	if clauses[0].rule.Head.RuleKind() == ast.MultiValue {
		out = empty
	}
	for _, c := range clauses {
		if !v.all(c.needs) {
			continue
		}
		if v.all(c.members) {
			return filled
		}
		out = empty
	}
	return out
}

func stateOf(value ast.Value, path []string) state {
	for _, p := range path {
		o, ok := value.(ast.Object)
		if !ok {
			return absent
		}
		t := o.Get(ast.StringTerm(p))
		if t == nil {
			return absent
		}
		value = t.Value
	}
	n := 1
	switch v := value.(type) {
	case ast.Boolean:
		if !v {
			return untrue
		}
	case ast.Null:
		n = 0
	case *ast.Array:
		n = v.Len()
	case ast.Object:
		n = v.Len()
	case ast.Set:
		n = v.Len()
	}
	if n == 0 {
		return empty
	}
	return filled
}

func dataState(document map[string]any, path []string) state {
	var value any = document
	for _, p := range path {
		m, _ := value.(map[string]any)
		var ok bool
		if value, ok = m[p]; !ok {
			return absent
		}
	}
	switch v := value.(type) {
	case bool:
		if !v {
			return untrue
		}
	case map[string]any:
		if len(v) == 0 {
			return empty
		}
	case []any:
		if len(v) == 0 {
			return empty
		}
	}
	return filled
}

// scope is where a clause is read.
type scope struct {
	book   *rulebook
	clause *clause
	module *ast.Module
	own    map[ast.Var]string // the rules of its package
	locals map[ast.Var]bool
}

// locals are the variables that a rule declares, which may have the name of another rule.
func locals(r *ast.Rule) map[ast.Var]bool {
	out := map[ast.Var]bool{}
	declare := func(terms ...*ast.Term) {
		for _, t := range terms {
			if t == nil { // every x in ... has no key
				continue
			}
			ast.WalkVars(t, func(v ast.Var) bool { out[v] = true; return false })
		}
	}
	ast.WalkRules(r, func(r *ast.Rule) bool { declare(r.Head.Args...); return false })
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		switch t := e.Terms.(type) {
		case *ast.SomeDecl:
			for _, s := range t.Symbols {
				if call, ok := s.Value.(ast.Call); ok {
					declare(call[1 : len(call)-1]...)
				} else {
					declare(s)
				}
			}
		case *ast.Every:
			declare(t.Key, t.Value)
		default:
			if e.IsAssignment() {
				declare(e.Operand(0))
			}
		}
		return false
	})
	return out
}

// uses finds the names of rules that stand anywhere in the clause; a reference to a whole group is one to all its rules.
func (s scope) uses() {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			s.clause.uses = append(s.clause.uses, name)
		}
	}
	ast.WalkVars(s.clause.rule, func(v ast.Var) bool {
		if name := s.own[v]; name != "" {
			add(name)
		}
		return false
	})
	ast.WalkRefs(s.clause.rule, func(ref ast.Ref) bool {
		root, path := s.resolve(ref, nil)
		if root != "data" {
			return false
		}
		for i := len(path); i > 2; i-- {
			if name := strings.Join(path[:i], "."); s.book.names[name] != nil {
				add(name)
				return false
			}
		}
		for name := range s.book.names {
			if strings.HasPrefix(name, strings.Join(append(path, ""), ".")) {
				add(name)
			}
		}
		return false
	})
}

// resolve says what a reference is about: input or data, and the path behind it as far as it is written in texts. The
// root is empty for what is neither. Variables of locals stand for no rule.
func (s scope) resolve(ref ast.Ref, locals map[ast.Var]bool) (root string, path []string) {
	head, ok := ref[0].Value.(ast.Var)
	switch {
	case !ok:
		return "", nil
	case ast.RootDocumentNames.Contains(ref[0]):
		return string(head), ground(ref)
	case locals[head]:
		return "", nil
	}
	for _, i := range s.module.Imports {
		if to, ok := i.Path.Value.(ast.Ref); ok && i.Name() == head && ast.RootDocumentNames.Contains(to[0]) {
			return string(to[0].Value.(ast.Var)), append(ground(to), ground(ref)...)
		}
	}
	if name := s.own[head]; name != "" {
		return "data", append(strings.Split(name, "."), ground(ref)...)
	}
	return "", nil
}

// read finds the conditions of a clause. What has another way to hold (else, default) has none, nor has an object that is
// made of parts.
func (s scope) read() {
	r := s.clause.rule
	if r.Default || r.Else != nil || len(r.Head.Ref()) > 1 {
		return
	}
	s.clause.needs = s.body(r.Body)
	for _, t := range []*ast.Term{r.Head.Key, r.Head.Value} {
		s.strict(&s.clause.needs, t)
	}
	if r.Head.Value == nil || len(r.Head.Args) > 0 {
		return
	}
	switch v := r.Head.Value.Value.(type) {
	case *ast.ArrayComprehension:
		s.clause.members = s.body(v.Body)
	case *ast.SetComprehension:
		s.clause.members = s.body(v.Body)
	case *ast.ObjectComprehension:
		s.clause.members = s.body(v.Body)
	}
}

func (s scope) body(b ast.Body) []condition {
	var out []condition
	for _, e := range b {
		if e.Negated {
			continue
		}
		switch t := e.Terms.(type) {
		case *ast.Term:
			s.whole(&out, t, condition{holds: true})
		case []*ast.Term:
			for _, t := range t {
				s.strict(&out, t)
			}
		case *ast.SomeDecl:
			for _, symbol := range t.Symbols {
				if call, ok := symbol.Value.(ast.Call); ok { // some x in ...
					s.whole(&out, call[len(call)-1], condition{inside: true})
				}
			}
		}
	}
	return out
}

// whole is strict for a term of which more is known, where all of it is one name or reference.
func (s scope) whole(out *[]condition, t *ast.Term, c condition) {
	ref, _ := t.Value.(ast.Ref)
	if _, ok := t.Value.(ast.Var); ok {
		ref = ast.Ref{t}
	}
	if len(ref) == 0 || !ref.IsGround() || len(ground(ref)) < len(ref)-1 {
		s.strict(out, t)
	} else if c.root, c.path = s.resolve(ref, s.locals); len(c.path) > 0 {
		*out = append(*out, c)
	}
}

// strict adds what has to be defined for a term to be. Comprehensions and whatever else may be defined without its parts
// add nothing.
func (s scope) strict(out *[]condition, t *ast.Term) {
	if t == nil {
		return
	}
	switch v := t.Value.(type) {
	case ast.Var:
		s.add(out, ast.Ref{t})
	case ast.Ref:
		for _, part := range v[1:] {
			s.strict(out, part)
		}
		s.add(out, v)
	case ast.Call:
		for _, part := range v {
			s.strict(out, part)
		}
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { s.strict(out, t) })
	case ast.Set:
		v.Foreach(func(t *ast.Term) { s.strict(out, t) })
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) { s.strict(out, key); s.strict(out, value) })
	}
}

func (s scope) add(out *[]condition, ref ast.Ref) {
	if root, path := s.resolve(ref, s.locals); len(path) > 0 {
		*out = append(*out, condition{path: path, root: root, inside: len(ground(ref)) < len(ref)-1})
	}
}
