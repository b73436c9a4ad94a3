package decide

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/internal/problem"
)

// NewRaw compiles policies that are written for another input than ours, as conftest's are: apart from the default
// rules, and without the schema. v0 reads the language as it was before OPA 1.0. Errors are as New's.
func NewRaw(p Policies, v0 bool, opts Options) (*Engine, error) {
	e := newEngine(opts)
	if v0 {
		e.version = ast.RegoV0
	}
	if err := e.adopt(p.Modules); err != nil {
		return nil, err
	}
	if err := e.gather(); err != nil {
		return nil, err
	}
	opts.UserOnly = true
	if err := e.choose(opts); err != nil {
		return nil, err
	}
	return e, e.prepare(p.Data, func(bool) (*ast.Compiler, error) {
		return ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(e.version), nil
	})
}

// EvalRaw judges one document, such as YAML or JSON decodes to. Findings without a place are of the file.
func (e *Engine) EvalRaw(ctx context.Context, document any, file string) ([]Finding, error) {
	value, err := ast.InterfaceToValue(document)
	if err != nil {
		return nil, problem.New(problem.Usage, file, "give a file of YAML or JSON", "is no document that policies can read: %w", err)
	}
	found, err := e.eval(ctx, value, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i := range found {
		if found[i].File == "" {
			found[i].File = file
		}
	}
	return found, nil
}
