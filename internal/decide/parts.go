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

// prepare compiles all parts side by side. OPA cannot be told to stop; what the user's policies keep busy is left behind,
// since the process ends with the error.
func (e *Engine) prepare(modules map[string]*ast.Module, document map[string]any, compiler func(user bool) (*ast.Compiler, error)) error {
	e.modules = modules
	e.store = inmem.NewFromObjectWithOpts(document, inmem.OptRoundTripOnWrite(false))
	parts := e.divide(modules, min(runtime.GOMAXPROCS(0), 4))
	faults, done := make([]error, len(parts)), make(chan struct{})
	var wait sync.WaitGroup
	for i := range parts {
		wait.Go(func() { faults[i] = e.compile(&parts[i], document, compiler) })
	}
	go func() { wait.Wait(); close(done) }()
	var late <-chan time.Time
	if len(e.user) > 0 {
		limit := time.NewTimer(compileTime)
		defer limit.Stop()
		late = limit.C
	}
	select {
	case <-done:
	case <-late:
		return problem.New(problem.Usage, strings.Join(e.user, ", "), "simplify the policies", "they could not be compiled within %s", compileTime)
	}
	e.parts, e.sets = parts, nil
	for _, p := range parts {
		e.sets = append(e.sets, p.sets...)
	}
	return cmp.Or(faults...)
}

// compile compiles the modules of a part, and the query for its sets.
func (e *Engine) compile(p *part, document map[string]any, compiler func(user bool) (*ast.Compiler, error)) (err error) {
	if p.compiler, err = compiler(p.user); err != nil {
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
		terms = append(terms, ast.NewTerm(s.ref))
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

// divide makes the parts: the default rules that are asked, in at most n of about the same size, and the user's.
func (e *Engine) divide(modules map[string]*ast.Module, n int) []part {
	packages := map[string][]string{} // keys of modules by namespace
	size := map[string]int{}
	for _, key := range slices.Sorted(maps.Keys(modules)) {
		name := namespace(modules[key])
		packages[name] = append(packages[name], key)
		size[name] += len(modules[key].Rules)
	}
	var names []string
	mine := part{user: true, modules: map[string]*ast.Module{}}
	for _, s := range e.sets {
		if s.user {
			mine.sets = append(mine.sets, s)
		} else if !slices.Contains(names, s.namespace) {
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
		for _, s := range e.sets {
			if !s.user && s.namespace == name {
				p.sets = append(p.sets, s)
			}
		}
	}
	if len(e.user) > 0 {
		for key := range modules {
			if strings.HasPrefix(key, userPrefix) {
				take(mine.modules, modules, packages, key)
			}
		}
		parts = slices.Concat(parts, []part{mine})
	}
	return parts
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
