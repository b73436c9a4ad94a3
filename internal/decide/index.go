package decide

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/internal/problem"
)

// indexRules reads in full what the index tells at once.
func indexRules(texts map[string]string) ([]*ruleFile, error) {
	var files []*ruleFile
	modules := map[string]*ast.Module{}
	own := map[string]map[ast.Var]string{} // names of rules by package
	e := newEngine(Options{})              // which refuses an id that is taken
	replaced := false
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		m, err := parse(path, texts[path], ast.RegoV1)
		if err != nil {
			return nil, err
		}
		modules[path] = m
		f := &ruleFile{Path: path, Sum: sumOf(texts[path]), text: texts[path]}
		rules, err := e.describe(m)
		if err != nil {
			return nil, err
		}
		f.Rules = append([]Rule{}, rules...)
		if _, err := contributes(m, false, false); err != nil {
			return nil, err
		}
		files = append(files, f)
		// where a rule replaces the input of another, nothing that is read here would be true
		ast.WalkWiths(m, func(*ast.With) bool { replaced = true; return true })
		space := namespace(m)
		if own[space] == nil {
			own[space] = map[ast.Var]string{}
		}
		for _, r := range m.Rules {
			v := r.Head.Ref()[0].Value.(ast.Var)
			own[space][v] = space + "." + string(v)
		}
	}
	known := map[string]bool{}
	for _, names := range own {
		for _, name := range names {
			known[name] = true
		}
	}
	for _, f := range files {
		m := modules[f.Path]
		f.Head = append(f.Head, f.span(m, m.Package.Location))
		for _, i := range m.Imports {
			f.Head = append(f.Head, f.span(m, i.Location))
		}
		for _, r := range m.Rules {
			names := own[namespace(m)]
			c := &clause{Name: names[r.Head.Ref()[0].Value.(ast.Var)], Text: f.span(m, r.Location), Set: r.Head.RuleKind() == ast.MultiValue}
			if r.Location.Col != 1 || len(f.Clauses) > 0 && f.Clauses[len(f.Clauses)-1].Text[0] == c.Text[0] {
				return nil, problem.New(problem.Bug, position(r.Location), "begin each rule on a line of its own", "does not begin a line")
			}
			s := scope{clause: c, rule: r, module: m, own: names, known: known}
			s.uses()
			if !replaced {
				s.read()
			}
			f.Clauses = append(f.Clauses, c)
		}
	}
	return files, nil
}

// span is what begins at a place and ends where the next statement or comment begins a line.
func (f *ruleFile) span(m *ast.Module, at *ast.Location) span {
	end := len(f.text)
	next := func(l *ast.Location) {
		if l.Offset > at.Offset && l.Col == 1 {
			end = min(end, l.Offset)
		}
	}
	for _, i := range m.Imports {
		next(i.Location)
	}
	for _, r := range m.Rules {
		next(r.Location)
	}
	for _, c := range m.Comments {
		next(c.Location)
	}
	return span{at.Offset, end}
}

// scope is where a clause is read.
type scope struct {
	clause *clause
	rule   *ast.Rule
	module *ast.Module
	own    map[ast.Var]string // the rules of its package
	known  map[string]bool    // those of all
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
	found := map[string]bool{}
	ast.WalkVars(s.rule, func(v ast.Var) bool {
		if name := s.own[v]; name != "" {
			found[name] = true
		}
		return false
	})
	ast.WalkRefs(s.rule, func(ref ast.Ref) bool {
		root, path := s.resolve(ref)
		if root != "data" {
			return false
		}
		for i := len(path); i > 2; i-- {
			if name := strings.Join(path[:i], "."); s.known[name] {
				found[name] = true
				return false
			}
		}
		for name := range s.known {
			if strings.HasPrefix(name, strings.Join(append(path, ""), ".")) {
				found[name] = true
			}
		}
		return false
	})
	delete(found, s.clause.Name)
	s.clause.Uses = slices.Sorted(maps.Keys(found))
}

// resolve says what a reference is about: input or data, and the path behind it as far as it is written in texts. The
// root is empty for what is neither.
func (s scope) resolve(ref ast.Ref) (root string, path []string) {
	head, ok := ref[0].Value.(ast.Var)
	switch {
	case !ok:
		return "", nil
	case ast.RootDocumentNames.Contains(ref[0]):
		return string(head), ground(ref)
	case s.locals[head]:
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

// read finds the conditions of a clause. What has another way to hold (else) has none, nor has an object that is made of
// parts.
func (s scope) read() {
	r := s.rule
	if r.Else != nil || len(r.Head.Ref()) > 1 {
		return
	}
	s.locals = locals(r)
	s.clause.Needs = s.body(r.Body)
	for _, t := range []*ast.Term{r.Head.Key, r.Head.Value} {
		s.strict(&s.clause.Needs, t)
	}
	s.clause.Needs = distinctConditions(s.clause.Needs)
	if r.Head.Value == nil {
		return
	}
	switch v := r.Head.Value.Value.(type) {
	case ast.Ref:
		if v.HasPrefix(ast.InputRootRef) && len(ground(v)) == len(v)-1 {
			s.clause.Same = strings.Join(append([]string{"input"}, ground(v)...), ".")
		}
	case *ast.ArrayComprehension:
		s.clause.Members = distinctConditions(s.body(v.Body))
	case *ast.SetComprehension:
		s.clause.Members = distinctConditions(s.body(v.Body))
	case *ast.ObjectComprehension:
		s.clause.Members = distinctConditions(s.body(v.Body))
	}
}

func distinctConditions(all []condition) []condition {
	var out []condition
	for _, c := range all {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
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
	if len(ref) == 0 || len(ground(ref)) < len(ref)-1 {
		s.strict(out, t)
	} else {
		s.add(out, ref, c)
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
		s.add(out, ast.Ref{t}, condition{})
	case ast.Ref:
		for _, part := range v[1:] {
			s.strict(out, part)
		}
		s.add(out, v, condition{inside: len(ground(v)) < len(v)-1})
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

// add leaves out what has a dot in a part, which cannot be written as a path.
func (s scope) add(out *[]condition, ref ast.Ref, c condition) {
	root, path := s.resolve(ref)
	if len(path) > 0 && !slices.ContainsFunc(path, func(p string) bool { return strings.Contains(p, ".") }) {
		c.path = strings.Join(append([]string{root}, path...), ".")
		*out = append(*out, c)
	}
}
