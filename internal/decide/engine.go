package decide

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/org/goproxy-action/internal/problem"
)

// reserved is where the default rules live; no policy of the user's may add to it.
const reserved = "goproxy"

// defaultTimeout bounds one evaluation. The default rules need milliseconds; what needs two seconds will not end.
const defaultTimeout = 2 * time.Second

// Module is a policy of the user's: package policy, with a set named finding of the same shape as in the default rules.
type Module struct {
	// Path is the file as errors name it.
	Path   string
	Source string
}

// Options tune an Engine. The zero value runs the default rules as they are.
type Options struct {
	// Severities are error, warning, note or off by rule id.
	Severities map[string]string
	// Timeout bounds one evaluation; zero means two seconds.
	Timeout time.Duration
	// User are the user's policies. Tests among them (_test.rego) are left out.
	User []Module
}

// Rule is what a rule says of itself in its METADATA.
type Rule struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	// Severity is the gravest that the rule reports; Fix is what to do where the finding says nothing better.
	Severity string `json:"severity"`
	Fix      string `json:"fix"`
}

// Engine holds compiled rules. It may be used by several goroutines at once.
type Engine struct {
	query      rego.PreparedEvalQuery
	rules      map[string]Rule
	own        map[string]bool // ids of the default rules
	sets       []string        // the sets that the query asks for, in its order
	user       []string        // paths of the user's policies
	severities map[string]string
	timeout    time.Duration
}

// New compiles the default rules of bundle (see policy.FS) and the user's. Errors are Problems: Usage for the user's
// data, severities and policies, Bug for the bundle.
func New(bundle fs.FS, data Data, opts Options) (*Engine, error) {
	document, err := data.document(opts.Severities)
	if err != nil {
		return nil, err
	}
	e := &Engine{rules: map[string]Rule{}, own: map[string]bool{}, severities: opts.Severities, timeout: cmp.Or(opts.Timeout, defaultTimeout)}
	modules, err := e.defaults(bundle)
	if err != nil {
		return nil, e.explain(err, "default policies")
	}
	if err := e.adopt(opts.User, modules); err != nil {
		return nil, err
	}
	if err := e.checkSeverities(); err != nil {
		return nil, err
	}
	compiler, err := newCompiler(bundle, len(e.user) > 0)
	if err != nil {
		return nil, e.explain(err, "default policies")
	}
	if compiler.Compile(modules); compiler.Failed() {
		return nil, e.explain(compiler.Errors, "policies")
	}
	e.query, err = rego.New(
		rego.Compiler(compiler),
		rego.Store(inmem.NewFromObjectWithOpts(document, inmem.OptRoundTripOnWrite(false))),
		rego.StrictBuiltinErrors(true),
		rego.ParsedQuery(e.ask(modules)),
	).PrepareForEval(context.Background())
	if err != nil {
		return nil, e.explain(err, "policies")
	}
	return e, nil
}

// defaults parses the default rules.
func (e *Engine) defaults(bundle fs.FS) (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	err := fs.WalkDir(bundle, reserved, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".rego") || isTest(path) {
			return err
		}
		text, err := fs.ReadFile(bundle, path)
		if err != nil {
			return err
		}
		if modules[path], err = parse(path, string(text)); err != nil {
			return err
		}
		return e.describe(modules[path])
	})
	for id := range e.rules {
		e.own[id] = true
	}
	return modules, err
}

// adopt parses the policies of the user's into modules, and refuses those that would change the default rules.
func (e *Engine) adopt(user []Module, modules map[string]*ast.Module) error {
	var contributes bool
	for i, m := range user {
		if isTest(m.Path) {
			continue
		}
		e.user = append(e.user, m.Path)
		module, err := parse(m.Path, m.Source)
		if err != nil {
			return e.explain(err, m.Path)
		}
		if module.Package.Path[1].Equal(ast.StringTerm(reserved)) {
			return problem.New(problem.Usage, position(module.Package.Location),
				"write package policy", "package %s is kept for the default rules", reserved)
		}
		if err := e.describe(module); err != nil {
			return err
		}
		contributes = contributes || finds(module) && module.Package.Path.String()+".finding" == users
		modules[fmt.Sprintf("user/%d/%s", i, m.Path)] = module // two files of one path are two modules
	}
	if len(e.user) > 0 && !contributes {
		return problem.New(problem.Usage, strings.Join(e.user, ", "),
			`write package policy, and in it: finding contains {"id": ..., "msg": ..., "subject": ...} if { ... }`,
			"no policy has a set named finding in package policy")
	}
	return nil
}

// denied are the builtins that reach outside, or that let a policy read more than its input.
var denied = map[string]bool{
	ast.HTTPSend.Name: true, ast.OPARuntime.Name: true, ast.NetLookupIPAddr.Name: true,
	ast.RegoParseModule.Name: true, ast.ProvidersAWSSignReqObj.Name: true,
}

// newCompiler returns a strict compiler without builtins that reach outside. Checked, it knows the schema of the input
// as well: a field that does not exist is then a compile error. It costs a fifth of the time, and the default rules have
// been checked by our tests.
func newCompiler(bundle fs.FS, checked bool) (*ast.Compiler, error) {
	capabilities := ast.CapabilitiesForThisVersion()
	capabilities.Builtins = slices.DeleteFunc(capabilities.Builtins, func(b *ast.Builtin) bool { return denied[b.Name] })
	capabilities.AllowNet = []string{} // nil would allow every host
	c := ast.NewCompiler().WithCapabilities(capabilities).WithStrict(true).WithDefaultRegoVersion(ast.RegoV1)
	if !checked {
		return c, nil
	}
	text, err := fs.ReadFile(bundle, "schema/input.json")
	if err != nil {
		return nil, err
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("schema of the input: %w", err)
	}
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, schema)
	return c.WithSchemas(schemas).WithUseTypeCheckAnnotations(true), nil
}

func parse(path, text string) (*ast.Module, error) {
	m, err := ast.ParseModuleWithOpts(path, text, ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
	if err == nil && m == nil {
		err = errors.New("the file is empty")
	}
	return m, err
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.rego") }

func finds(m *ast.Module) bool {
	return slices.ContainsFunc(m.Rules, func(r *ast.Rule) bool { return r.Head.Ref().GroundPrefix().Equal(finding) })
}

var finding = ast.Ref{ast.VarTerm("finding")}

// users is the set that policies of the user's add to.
const users = "data.policy.finding"

// ask is the query for all sets named finding at once: x = [data.goproxy.src.finding, ...].
func (e *Engine) ask(modules map[string]*ast.Module) ast.Body {
	refs := map[string]*ast.Term{}
	for _, m := range modules {
		ref := m.Package.Path.Append(ast.StringTerm("finding"))
		if name := ref.String(); finds(m) && (m.Package.Path[1].Equal(ast.StringTerm(reserved)) || name == users) {
			refs[name] = ast.NewTerm(ref)
		}
	}
	e.sets = slices.Sorted(maps.Keys(refs))
	var terms []*ast.Term
	for _, name := range e.sets {
		terms = append(terms, refs[name])
	}
	return ast.NewBody(ast.Equality.Expr(ast.VarTerm("x"), ast.ArrayTerm(terms...)))
}

var ruleID = regexp.MustCompile(`^[A-Z][A-Z0-9_-]{1,31}$`)

// describe takes in what the rules of a module say of themselves.
func (e *Engine) describe(m *ast.Module) error {
	for _, a := range m.Annotations {
		if a.Custom["id"] == nil {
			continue
		}
		text := func(key string) string { s, _ := a.Custom[key].(string); return s }
		r := Rule{ID: text("id"), Title: a.Title, Description: a.Description, Severity: cmp.Or(text("severity"), Error), Fix: text("fix")}
		fault := func(hint, format string, args ...any) error {
			return problem.New(problem.Usage, position(a.Location), hint, format, args...)
		}
		if !ruleID.MatchString(r.ID) {
			return fault("write something like CORP001", "rule id %q is not of capital letters and digits", r.ID)
		}
		if _, ok := e.rules[r.ID]; ok {
			return fault("give each rule an id of its own", "rule id %s is taken", r.ID)
		}
		if !slices.Contains(levels, r.Severity) {
			return fault("write one of "+strings.Join(levels, ", "), "severity %q of rule %s is not known", r.Severity, r.ID)
		}
		e.rules[r.ID] = r
	}
	return nil
}

// levels are the severities, the gravest first.
var levels = []string{Error, Warning, Note, Off}

func (e *Engine) checkSeverities() error {
	known := slices.Sorted(maps.Keys(e.rules))
	for _, id := range slices.Sorted(maps.Keys(e.severities)) {
		if !slices.Contains(known, id) {
			return problem.New(problem.Usage, "severity."+id, "known are "+strings.Join(known, ", "), "there is no such rule")
		}
		if !slices.Contains(levels, e.severities[id]) {
			return problem.New(problem.Usage, "severity."+id, "write one of "+strings.Join(levels, ", "), "%q is no severity", e.severities[id])
		}
	}
	return nil
}

// Rules are all rules that have METADATA with an id, by id, with the severities that were asked for.
func (e *Engine) Rules() []Rule {
	rules := slices.SortedFunc(maps.Values(e.rules), func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	for i, r := range rules {
		rules[i].Severity = cmp.Or(e.severities[r.ID], r.Severity)
	}
	return rules
}

// Weakened says which rules report less gravely than they were written to, or not at all.
func (e *Engine) Weakened() []string {
	var out []string
	for _, r := range e.Rules() {
		if written := e.rules[r.ID].Severity; slices.Index(levels, r.Severity) > slices.Index(levels, written) {
			out = append(out, fmt.Sprintf("%s is %s instead of %s", r.ID, r.Severity, written))
		}
	}
	return out
}

// Eval returns what the rules object to in in, with the severities that were asked for, the gravest first and otherwise
// by place. A question that cannot be decided (a failing builtin, a policy that takes too long, a finding of the wrong
// shape) is an error and never an empty answer.
func (e *Engine) Eval(ctx context.Context, in Input) ([]Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in.Schema = Schema
	value, err := ast.InterfaceToValue(in)
	if err != nil {
		return nil, problem.New(problem.Bug, "policy input", "", "%w", err)
	}
	limited, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	results, err := e.query.Eval(limited, rego.EvalParsedInput(value))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && limited.Err() != nil:
		return nil, problem.New(problem.Usage, "policies", "check a smaller directory, or simplify your policy", "no answer within %s", e.timeout)
	case err != nil:
		return nil, e.explain(err, "policies")
	case len(results) != 1:
		return nil, problem.New(problem.Bug, "policies", "", "the rules gave no answer")
	}
	sets, _ := results[0].Bindings["x"].([]any)
	groups := make(map[string]*Group, len(in.Entries))
	for i := range in.Entries {
		groups[in.Entries[i].ID] = &in.Entries[i]
	}
	var all []Finding
	for i, set := range sets {
		members, ok := set.([]any)
		if !ok {
			return nil, problem.New(e.blame(), "policies", "write: finding contains {...} if { ... }", "finding is not a set")
		}
		for _, m := range members {
			if all, err = e.add(all, m, groups, e.sets[i] == users); err != nil {
				return nil, err
			}
		}
	}
	sortFindings(all)
	return all, nil
}

// objection is a finding as a rule writes it.
type objection struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Status   string `json:"status"`
	Msg      string `json:"msg"`
	Subject  string `json:"subject"`
	Fix      string `json:"fix"`
	Group    string `json:"group"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
}

const shape = `write {"id": ..., "severity": "error" | "warning" | "note", "msg": ..., "subject": ..., "fix": ..., ` +
	`"file": ..., "line": ..., "column": ...}, or "group" in place of subject and position`

// add appends the findings that one member of a set stands for: one, or one for each entry of its group.
func (e *Engine) add(all []Finding, member any, groups map[string]*Group, user bool) ([]Finding, error) {
	text, err := json.Marshal(member)
	if err != nil {
		return nil, problem.New(problem.Bug, "policies", "", "%w", err)
	}
	var o objection
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return nil, problem.New(e.blame(), "policies", shape, "a finding has the wrong shape: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	rule := e.rules[o.ID]
	f := Finding{ID: o.ID, Severity: cmp.Or(e.severities[o.ID], o.Severity, rule.Severity, Error), Status: cmp.Or(o.Status, Active),
		Message: o.Msg, Subject: o.Subject, Fix: cmp.Or(o.Fix, rule.Fix)}
	f.File, f.Line, f.Column = o.File, o.Line, o.Column
	switch {
	case !ruleID.MatchString(f.ID):
		return nil, problem.New(e.blame(), "policies", shape, "a finding has the id %q", f.ID)
	case user && e.own[f.ID]:
		return nil, problem.New(problem.Usage, "policies", "give it an id of its own", "a policy of yours reports as the default rule %s", f.ID)
	case f.Message == "":
		return nil, problem.New(e.blame(), "policies", shape, "a finding of %s has no msg", f.ID)
	case !slices.Contains(levels, f.Severity):
		return nil, problem.New(e.blame(), "policies", shape, "a finding of %s has the severity %q", f.ID, f.Severity)
	case f.Status != Active && f.Status != StatusUnknown:
		return nil, problem.New(e.blame(), "policies", shape, "a finding of %s has the status %q", f.ID, f.Status)
	case f.Severity == Off:
		return all, nil
	case o.Group == "":
		return append(all, f), nil
	}
	g := groups[o.Group]
	if g == nil {
		return nil, problem.New(e.blame(), "policies", "use the id of one of input.entries", "a finding of %s names the group %q", f.ID, o.Group)
	}
	items := g.Items
	if len(items) == 0 {
		items = []Item{{Subject: cmp.Or(strings.Join(g.Examples, ", "), g.URL, g.ID), At: g.Position}}
	}
	for _, item := range items {
		f.Subject, f.Position, f.Message = item.Subject, item.At, item.Subject+" "+o.Msg
		all = append(all, f)
	}
	return all, nil
}

// blame is whose fault a bad answer is: the user's where there are policies of the user's, else ours.
func (e *Engine) blame() problem.Code {
	if len(e.user) > 0 {
		return problem.Usage
	}
	return problem.Bug
}

// explain turns an error of OPA into a Problem that names file, line and column. Where the place is no file of the
// user's, it is our bug.
func (e *Engine) explain(err error, op string) error {
	if known, ok := errors.AsType[*problem.Problem](err); ok {
		return known
	}
	var at *ast.Location
	message := err.Error()
	var list ast.Errors
	var single *ast.Error
	var eval *topdown.Error
	switch {
	case errors.As(err, &list) && len(list) > 0:
		at, message = list[0].Location, describeError(list[0])
		if len(list) > 1 {
			message += fmt.Sprintf(" (and %d more)", len(list)-1)
		}
	case errors.As(err, &single):
		at, message = single.Location, describeError(single)
	case errors.As(err, &eval):
		at, message = eval.Location, eval.Message
	}
	p := problem.New(problem.Bug, cmp.Or(position(at), op), "", "%s", message)
	switch {
	case at != nil && slices.Contains(e.user, at.File) || at == nil && slices.Contains(e.user, op):
		p.Code, p.Hint = problem.Usage, "correct the policy"
	case at == nil:
		p.Code = e.blame()
	}
	return p
}

// describeError is the message of a compile error with its details in one line, without those that repeat the source
// above a caret.
func describeError(e *ast.Error) string {
	if e.Details == nil || e.Code == ast.ParseErr {
		return e.Message
	}
	details := e.Details.Lines()
	caret := slices.IndexFunc(details, func(line string) bool { return strings.TrimSpace(line) == "^" })
	return e.Message + ", " + strings.Join(strings.Fields(strings.Join(details[caret+1:], "; ")), " ")
}

// position is file:line:column, and empty for nil.
func position(at *ast.Location) string {
	if at == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", at.File, at.Row, max(at.Col, 1)) // OPA gives the end of a file the column 0
}
