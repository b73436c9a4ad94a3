package decide

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/org/goproxy-action/internal/problem"
)

// NewRaw compiles policies that are written for another input than ours, as conftest's are: apart from the default
// rules, and without the schema. v0 reads the language as it was before OPA 1.0. Errors are as New's.
func NewRaw(p Policies, v0 bool, opts Options) (*Engine, error) {
	e := newEngine(opts)
	e.raw = true
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
	data := map[string]any{fileData: map[string]any{"file": map[string]any{}}}
	_, e.filed = p.Data[fileData]
	maps.Copy(data, p.Data)
	return e, e.prepare(data, func(bool) (*ast.Compiler, error) {
		return ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(e.version), nil
	})
}

// fileData is where conftest tells policies which file they judge: data.conftest.file has its name and its dir.
const fileData = "conftest"

// tell puts the file into the data, unless the user's own data has that place.
func (e *Engine) tell(ctx context.Context, file string) error {
	if e.filed {
		return nil
	}
	abs, err := filepath.Abs(file)
	if err == nil {
		err = storage.WriteOne(ctx, e.store, storage.ReplaceOp, storage.Path{fileData, "file"}, map[string]any{"name": filepath.Base(abs), "dir": filepath.Dir(abs)})
	}
	if err != nil {
		return problem.New(problem.Bug, "data."+fileData, "", "%w", err)
	}
	return nil
}

// EvalRaw judges one document, such as YAML or JSON decodes to, one at a time. Findings without a place are of the file.
func (e *Engine) EvalRaw(ctx context.Context, document any, file string) ([]Finding, error) {
	value, err := ast.InterfaceToValue(document)
	if err != nil {
		return nil, problem.New(problem.Usage, file, "give a file of YAML or JSON", "is no document that policies can read: %w", err)
	}
	if err := e.tell(ctx, file); err != nil {
		return nil, err
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
