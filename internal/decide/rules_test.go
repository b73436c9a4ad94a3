package decide

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/org/goproxy-action/policy"
)

// bundle parses every file of the default bundle, tests included.
func bundle(t *testing.T) map[string]*ast.Module {
	t.Helper()
	modules := map[string]*ast.Module{}
	err := fs.WalkDir(policy.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".rego") {
			return err
		}
		text, err := fs.ReadFile(policy.FS(), path)
		if err != nil {
			return err
		}
		if tidy, err := format.SourceWithOpts(path, text, format.Opts{RegoVersion: ast.RegoV1}); err != nil {
			return err
		} else if string(tidy) != string(text) {
			t.Errorf("%s is not formatted; opa fmt writes:\n%s", path, tidy)
		}
		modules[path], err = parse(path, string(text), ast.RegoV1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return modules
}

// Every rule has a passing test that fires and one that does not, compiled against the schema of the input.
func TestRules(t *testing.T) {
	t.Parallel()
	compiler, err := newCompiler(policy.FS(), true)
	if err != nil {
		t.Fatal(err)
	}
	results, err := tester.NewRunner().SetCompiler(compiler).RaiseBuiltinErrors(true).SetModules(bundle(t)).RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`^test_([a-z]+[0-9]+)_(fires|silent)`)
	seen := map[string]bool{}
	for r := range results {
		if !r.Pass() {
			t.Errorf("%s %s: %v", r.Location, r.Name, r)
			continue
		}
		if m := named.FindStringSubmatch(r.Name); m != nil {
			seen[strings.ToUpper(m[1])+" "+m[2]] = true
		}
	}
	for _, rule := range engine(t, Data{}, Options{}).Rules() {
		if !seen[rule.ID+" fires"] || !seen[rule.ID+" silent"] {
			t.Errorf("%s: fires %t, silent %t; want a test of each kind", rule.ID, seen[rule.ID+" fires"], seen[rule.ID+" silent"])
		}
		if rule.Title == "" || rule.Description == "" || rule.Fix == "" || strings.HasSuffix(rule.Fix, ".") {
			t.Errorf("%s does not explain itself: %+v", rule.ID, rule)
		}
	}
}

func engine(t testing.TB, data Data, opts Options) *Engine {
	t.Helper()
	e, err := New(policy.FS(), data, opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
