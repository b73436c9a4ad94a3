package decide

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/org/goproxy-action/internal/problem"
)

// compileTime bounds the compilation of the user's policies, which takes a millisecond for 20 lines.
const compileTime = 10 * time.Second

// part is some of the modules with all that they refer to, compiled by itself. The default rules are several parts, since
// a compiler works on one processor; the user's policies are one, which alone is checked.
type part struct {
	compiler *ast.Compiler
	query    rego.PreparedEvalQuery
	sets     []set
	modules  map[string]*ast.Module
	user     bool
}

// prepare compiles the user's policies, and gets the default rules ready to be. OPA cannot be told to stop; what the
// user's policies keep busy is left behind, since the process ends with the error.
func (e *Engine) prepare(document map[string]any, compiler func(user bool) (*ast.Compiler, error)) error {
	e.compiler = compiler
	e.store = inmem.NewFromObjectWithOpts(document, inmem.OptRoundTripOnWrite(false))
	e.book.document = document
	if len(e.user) == 0 {
		return nil
	}
	mine, err := e.ofUser()
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- e.compile(&mine, document) }()
	limit := time.NewTimer(compileTime)
	defer limit.Stop()
	select {
	case err := <-done:
		e.mine = []part{mine}
		return err
	case <-limit.C:
		return problem.New(problem.Usage, strings.Join(e.user, ", "), "simplify the policies", "they could not be compiled within %s", compileTime)
	}
}

// defaultParts are the default rules that can find something in an input, compiled; all of them for nil. What was
// compiled for one input serves for the next that needs no more.
func (e *Engine) defaultParts(input ast.Value) ([]part, error) {
	var asked []set
	for _, s := range e.sets {
		if !s.user {
			asked = append(asked, s)
		}
	}
	needed := e.book.needed(asked, input)
	e.ready.Lock()
	defer e.ready.Unlock()
	missing := false
	for c := range needed {
		missing = missing || !e.ready.clauses[c]
	}
	if !missing {
		return e.ready.parts, nil
	}
	maps.Copy(needed, e.ready.clauses)
	modules, err := e.book.parse(needed)
	if err != nil {
		return nil, e.explain(err, "default policies")
	}
	parts := e.divide(modules, min(runtime.GOMAXPROCS(0), 4))
	faults := make([]error, len(parts))
	var wait sync.WaitGroup
	for i := range parts {
		wait.Go(func() { faults[i] = e.compile(&parts[i], nil) })
	}
	wait.Wait()
	if err := cmp.Or(faults...); err != nil {
		return nil, err
	}
	e.ready.clauses, e.ready.parts = needed, parts
	return parts, nil
}

// compile compiles the modules of a part, and the query for its sets.
func (e *Engine) compile(p *part, document map[string]any) (err error) {
	if p.compiler, err = e.compiler(p.user); err != nil {
		return e.explain(err, "default policies")
	}
	if p.user {
		p.compiler.WithEnablePrintStatements(e.print != nil).
			WithPathConflictsCheck(func(path []string) (bool, error) { return holds(document, path), nil })
	}
	if p.compiler.Compile(p.modules); p.compiler.Failed() {
		return e.explain(p.compiler.Errors, "policies")
	}
	if p.user {
		if err := e.resolve(p, document); err != nil {
			return err
		}
	}
	p.query, err = e.ask(context.Background(), p, p.sets)
	return err
}

// ask prepares the query for some sets of a part at once: x = [data.goproxy.src.finding, ...].
func (e *Engine) ask(ctx context.Context, p *part, sets []set) (rego.PreparedEvalQuery, error) {
	var terms []*ast.Term
	for _, s := range sets {
		term := ast.NewTerm(s.ref)
		if e.raw { // a list may be undefined: [v | v = data.main.deny]
			term = ast.ArrayComprehensionTerm(ast.VarTerm("v"), ast.NewBody(ast.Equality.Expr(ast.VarTerm("v"), term)))
		}
		terms = append(terms, term)
	}
	query, err := rego.New(append(functions(),
		rego.Compiler(p.compiler),
		rego.Store(e.store),
		rego.StrictBuiltinErrors(true),
		rego.ParsedQuery(ast.NewBody(ast.Equality.Expr(ast.VarTerm("x"), ast.ArrayTerm(terms...)))),
	)...).PrepareForEval(ctx)
	if err != nil {
		return query, e.explain(err, "policies")
	}
	return query, nil
}

// divide makes the parts: the default rules that are asked, in at most n of about the same size.
func (e *Engine) divide(modules map[string]*ast.Module, n int) []part {
	packages := byNamespace(modules)
	size := map[string]int{}
	for name, keys := range packages {
		for _, key := range keys {
			size[name] += len(modules[key].Rules)
		}
	}
	var names []string
	var sets []set
	for _, s := range e.sets {
		written := func(key string) bool {
			return slices.ContainsFunc(modules[key].Rules, func(r *ast.Rule) bool { return r.Head.Ref()[0].Equal(ast.VarTerm(s.name)) })
		}
		if s.user || !slices.ContainsFunc(packages[s.namespace], written) {
			continue
		}
		if sets = append(sets, s); !slices.Contains(names, s.namespace) {
			names = append(names, s.namespace)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return size[b] - size[a] })
	parts, weight := make([]part, min(n, len(names))), make([]int, min(n, len(names)))
	for _, name := range names { // the largest first, each into the lightest part
		i := slices.Index(weight, slices.Min(weight))
		weight[i] += size[name]
		p := &parts[i]
		if p.modules == nil {
			p.modules = map[string]*ast.Module{}
		}
		for _, key := range packages[name] {
			take(p.modules, modules, packages, key)
		}
		for _, s := range sets {
			if s.namespace == name {
				p.sets = append(p.sets, s)
			}
		}
	}
	return parts
}

// ofUser is the user's policies, with all that they refer to.
func (e *Engine) ofUser() (part, error) {
	mine := part{user: true, modules: map[string]*ast.Module{}}
	for _, s := range e.sets {
		if s.user {
			mine.sets = append(mine.sets, s)
		}
	}
	modules := e.modules
	for _, m := range e.modules {
		ours := false
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			path := append(ground(ref), reserved)
			ours = ours || ref.HasPrefix(ast.DefaultRootRef) && path[0] == reserved
			return ours
		})
		if ours {
			var err error
			if modules, err = e.whole(); err != nil {
				return mine, err
			}
			break
		}
	}
	packages := byNamespace(modules)
	for key := range e.modules {
		take(mine.modules, modules, packages, key)
	}
	return mine, nil
}

// byNamespace are the keys of modules.
func byNamespace(modules map[string]*ast.Module) map[string][]string {
	out := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(modules)) {
		name := namespace(modules[key])
		out[name] = append(out[name], key)
	}
	return out
}

// take puts a module into a part, and all modules that it refers to.
func take(part, modules map[string]*ast.Module, packages map[string][]string, key string) {
	if part[key] != nil {
		return
	}
	m := modules[key]
	part[key] = m
	follow := func(name string) {
		for _, k := range packages[name] {
			take(part, modules, packages, k)
		}
	}
	follow(namespace(m)) // its package's other files
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		if !ref.HasPrefix(ast.DefaultRootRef) {
			return false
		}
		to := strings.Join(ground(ref), ".") + "."
		for name := range packages {
			if strings.HasPrefix(to, name+".") || to == "." || strings.HasPrefix(name+".", to) {
				follow(name)
			}
		}
		return false
	})
}

// compiled are clauses that were compiled, and the parts that hold them.
type compiled struct {
	sync.Mutex
	clauses map[*clause]bool
	parts   []part
}
