package decide

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// testTime bounds one test.
const testTime = 5 * time.Second

// TestOptions say how tests are run.
type TestOptions struct {
	// Raw compiles without the default rules and the schema, as NewRaw does; V0 is its v0.
	Raw, V0 bool
	// Cover measures which lines the tests reach.
	Cover bool
}

// TestReport is what tests came to, by place.
type TestReport struct {
	Tests   []TestResult `json:"tests"`
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Skipped int          `json:"skipped"`
	// Coverage is nil where it was not measured.
	Coverage *Coverage `json:"coverage,omitempty"`
}

// TestResult is one test.
type TestResult struct {
	// Name is PACKAGE.RULE.
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
	// Status is pass, fail, error or skip (rules named todo_test_...).
	Status string `json:"status"`
	// Message says why it is an error, or which of its cases failed.
	Message string `json:"message,omitempty"`
	// Output is what it printed.
	Output     string  `json:"output,omitempty"`
	DurationMS float64 `json:"duration_ms"`
}

// Coverage is how much of the policies the tests reach. Tests themselves do not count.
type Coverage struct {
	Percent float64        `json:"percent"`
	Files   []FileCoverage `json:"files"`
}

// FileCoverage is one file's part.
type FileCoverage struct {
	File    string  `json:"file"`
	Percent float64 `json:"percent"`
	// Missed are lines, as 12 or 12-15.
	Missed []string `json:"missed"`
}

// Test runs the tests among policies: rules named test_..., mostly in files that end in _test.rego. They see the default
// rules, the schema of the input, and data.goproxy as it is where nothing is configured. No test at all is an error.
func Test(ctx context.Context, bundle fs.FS, p Policies, opts TestOptions) (TestReport, error) {
	e := newEngine(Options{})
	modules := map[string]*ast.Module{}
	document := map[string]any{}
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(ast.RegoV1)
	if opts.V0 {
		e.version = ast.RegoV0
		compiler = compiler.WithDefaultRegoVersion(ast.RegoV0)
	}
	if !opts.Raw {
		err := e.learn(bundle)
		if err == nil {
			modules, err = e.whole()
		}
		if err != nil {
			return TestReport{}, err
		}
		if compiler, err = newCompiler(bundle, true); err != nil {
			return TestReport{}, e.explain(err, "default policies")
		}
		if document, err = (Data{}).document(nil); err != nil {
			return TestReport{}, err
		}
	}
	maps.Copy(document, p.Data)
	mine, err := e.parseTests(p.Modules, modules)
	if err != nil {
		return TestReport{}, err
	}
	runner := tester.NewRunner().SetCompiler(compiler.WithEnablePrintStatements(true)).RaiseBuiltinErrors(true).SetTimeout(testTime).
		SetStore(inmem.NewFromObjectWithOpts(document, inmem.OptRoundTripOnWrite(false))).SetModules(modules).AddCustomBuiltins(testBuiltins())
	var covered *cover.Cover
	if opts.Cover {
		covered = cover.New()
		runner.SetCoverageQueryTracer(covered).SetCoverageRuns(nil)
	}
	results, err := runner.RunTests(ctx, nil)
	if err != nil {
		return TestReport{}, e.explain(err, "policies")
	}
	var report TestReport
	for r := range results {
		if !slices.Contains(e.user, r.Location.File) {
			continue
		}
		report.add(r)
	}
	if err := ctx.Err(); err != nil {
		return TestReport{}, err
	}
	if len(report.Tests) == 0 {
		return TestReport{}, problem.New(problem.Usage, cmp.Or(strings.Join(e.user, ", "), "policies"), "write rules named test_... in files that end in _test.rego", "there is no test")
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.Name, b.Name))
	})
	if covered != nil {
		report.Coverage = coverage(covered.Report(mine), mine)
	}
	return report, nil
}

// parseTests parses all modules of the user's, tests among them, into modules; mine are those that tests are for, by
// the name of their file.
func (e *Engine) parseTests(user []Module, modules map[string]*ast.Module) (mine map[string]*ast.Module, err error) {
	mine = map[string]*ast.Module{}
	for i, m := range user {
		e.user = append(e.user, m.Path)
		module, err := parse(m.Path, m.Source, e.version)
		if err != nil {
			return nil, e.explain(err, m.Path)
		}
		if err := foreign(module); err != nil {
			return nil, err
		}
		modules[fmt.Sprintf("%s%d/%s", userPrefix, i, m.Path)] = module
		if !isTest(m.Path) {
			mine[m.Path] = module
		}
	}
	return mine, nil
}

func (r *TestReport) add(t *tester.Result) {
	out := TestResult{Name: strings.TrimPrefix(t.Package, "data.") + "." + t.Name, File: t.Location.File, Line: t.Location.Row, Status: "pass",
		Output: string(t.Output), DurationMS: float64(t.Duration.Microseconds()) / 1000}
	switch {
	case t.Skip:
		out.Status = "skip"
		r.Skipped++
	case t.Error != nil:
		out.Status, out.Message = "error", source.Plain(t.Error.Error(), 300)
		if at, ok := errors.AsType[*topdown.Error](t.Error); ok {
			out.Message = source.Plain(at.Message, 300)
			if at.Location != nil {
				out.Message = position(at.Location) + ": " + out.Message
			}
			if topdown.IsCancel(at) {
				out.Message = fmt.Sprintf("it took longer than %s", testTime)
			}
		}
		r.Failed++
	case t.Fail:
		out.Status = "fail"
		var cases []string
		for path, c := range t.SubResults.Iter {
			if c.Fail && len(c.SubResults) == 0 {
				cases = append(cases, strings.Join(path, "/"))
			}
		}
		if slices.Sort(cases); len(cases) > 0 {
			out.Message = "cases: " + source.Plain(strings.Join(cases, ", "), 300)
		}
		r.Failed++
	default:
		r.Passed++
	}
	r.Tests = append(r.Tests, out)
}

// testBuiltins are our builtins for the runner of tests. The compiler knows them already.
func testBuiltins() []*tester.Builtin {
	var out []*tester.Builtin
	for i, give := range functions() {
		out = append(out, &tester.Builtin{Decl: &ast.Builtin{Name: extensions()[i].decl.Name}, Func: func(r *rego.Rego) { give(r) }})
	}
	return out
}

func coverage(r cover.Report, mine map[string]*ast.Module) *Coverage {
	out := &Coverage{Files: []FileCoverage{}}
	var reached, missed int
	for _, name := range slices.Sorted(maps.Keys(mine)) {
		f := r.Files[name]
		if f == nil || f.CoveredLines+f.NotCoveredLines == 0 {
			continue
		}
		c := FileCoverage{File: name, Percent: f.Coverage, Missed: []string{}}
		for _, m := range f.NotCovered {
			text := fmt.Sprint(m.Start.Row)
			if m.End.Row > m.Start.Row {
				text = fmt.Sprintf("%d-%d", m.Start.Row, m.End.Row)
			}
			if !slices.Contains(c.Missed, text) {
				c.Missed = append(c.Missed, text)
			}
		}
		reached, missed = reached+f.CoveredLines, missed+f.NotCoveredLines
		out.Files = append(out.Files, c)
	}
	if reached+missed > 0 {
		out.Percent = 100 * float64(reached) / float64(reached+missed)
	}
	return out
}
