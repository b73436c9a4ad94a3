package decide

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/org/goproxy-action/internal/problem"
)

// reserved is where the default rules live; no policy of the user's may add to it.
const reserved = "goproxy"

// defaultTimeout bounds one evaluation. The default rules need milliseconds; what needs two seconds will not end.
const defaultTimeout = 2 * time.Second

// Options tune an Engine. The zero value runs the default rules as they are.
type Options struct {
	// Severities are error, warning, note or off by rule id.
	Severities map[string]string
	// UnknownRules lets severities name rules that there are not: where policies are of another commit than severities.
	UnknownRules bool
	// Timeout bounds one evaluation; zero means two seconds.
	Timeout time.Duration
	// User are the user's policies. Tests among them (_test.rego) are left out.
	User []Module
	// UserData is what they read below data.
	UserData map[string]any
	// UserOnly leaves out what the default rules find, and all namespaces but these where some are named.
	UserOnly   bool
	Namespaces []string
	// Print is where print() of a policy writes; nil is nowhere.
	Print io.Writer
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
	book       *rulebook
	ready      *compiled // of the default rules
	mine       []part    // of the user's, one at most
	compiler   func(user bool) (*ast.Compiler, error)
	store      storage.Store
	bundle     fs.FS
	modules    map[string]*ast.Module // of the user's, as they were written
	version    ast.RegoVersion        // of the user's policies
	rules      map[string]Rule
	own        map[string]bool // ids of the default rules
	sets       []set           // what is asked for, in the order of the parts
	spaces     map[string]bool // packages that have a set, whether it is asked for or not
	user       []string        // paths of the user's policies
	severities map[string]string
	timeout    time.Duration
	memory     uint64
	print      io.Writer
	raw        bool // policies are another's, of conftest's conventions alone
	filed      bool // the user's data says which file is judged
}

// New compiles the default rules of bundle (see policy.FS) and the user's. Errors are Problems: Usage for the user's
// data, severities and policies, Bug for the bundle.
func New(bundle fs.FS, data Data, opts Options) (*Engine, error) {
	document, err := data.document(opts.Severities)
	if err != nil {
		return nil, err
	}
	e := newEngine(opts)
	if err := e.learn(bundle); err != nil {
		return nil, err
	}
	if _, taken := opts.UserData[reserved]; taken {
		return nil, problem.New(problem.Usage, "data."+reserved, "choose another name", "it is kept for the data of the default rules")
	}
	if err := e.adopt(opts.User); err != nil {
		return nil, err
	}
	if err := e.gather(); err != nil {
		return nil, err
	}
	if err := e.checkSeverities(opts.UnknownRules); err != nil {
		return nil, err
	}
	if err := e.choose(opts); err != nil {
		return nil, err
	}
	maps.Copy(document, opts.UserData)
	return e, e.prepare(document, func(user bool) (*ast.Compiler, error) { return newCompiler(bundle, user) })
}

func newEngine(opts Options) *Engine {
	return &Engine{book: &rulebook{}, ready: &compiled{}, modules: map[string]*ast.Module{}, spaces: map[string]bool{}, version: ast.RegoV1, rules: map[string]Rule{}, own: map[string]bool{}, severities: opts.Severities, timeout: cmp.Or(opts.Timeout, defaultTimeout), memory: maxMemory, print: opts.Print}
}

// learn takes in the default rules, as far as they have to be known before there is an input.
func (e *Engine) learn(bundle fs.FS) (err error) {
	e.bundle = bundle
	if e.book, err = readRules(bundle); err != nil {
		return e.explain(err, "default policies")
	}
	for _, f := range e.book.files {
		for _, r := range f.Rules {
			e.rules[r.ID], e.own[r.ID] = r, true
		}
	}
	return nil
}

// whole are all modules as they were written, those of the default rules among them.
func (e *Engine) whole() (map[string]*ast.Module, error) {
	modules := maps.Clone(e.modules)
	for _, f := range e.book.files {
		m, err := parse(f.Path, f.text, ast.RegoV1)
		if err != nil {
			return nil, e.explain(err, "default policies")
		}
		modules[f.Path] = m
	}
	return modules, nil
}

// newCompiler returns a compiler without builtins that reach outside. Checked, it is strict and knows the schema of the
// input: a field that does not exist is then a compile error. Unchecked, it leaves out what only finds mistakes, and what
// changes nothing in the default rules as they are written, which together is half of the time: our tests check them, and
// that they become the same both ways.
func newCompiler(bundle fs.FS, checked bool) (*ast.Compiler, error) {
	c := ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(checked).WithDefaultRegoVersion(ast.RegoV1)
	if !checked {
		return c.WithSkipStages(ast.StageCheckUnusedImports, ast.StageCheckKeywordOverrides, ast.StageCheckDuplicateImports, ast.StageCheckVoidCalls,
			ast.StageParseMetadataBlocks, ast.StageSetAnnotationSet, ast.StageRewriteRegoMetadataCalls, ast.StageSetGraph, ast.StageCheckRuleConflicts,
			ast.StageCheckUndefinedFuncs, ast.StageCheckSafetyRuleHeads, ast.StageCheckSafetyRuleBodies, ast.StageCheckRecursion, ast.StageCheckTypes,
			ast.StageCheckUnsafeBuiltins, ast.StageCheckDeprecatedBuiltins, ast.StageBuildRequiredCapabilities), nil
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

func parse(path, text string, version ast.RegoVersion) (*ast.Module, error) {
	m, err := ast.ParseModuleWithOpts(path, text, ast.ParserOptions{ProcessAnnotation: true, RegoVersion: version})
	if err == nil && m == nil {
		err = errors.New("the file is empty")
	}
	return m, err
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.rego") }

var ruleID = regexp.MustCompile(`^[A-Z][A-Z0-9_-]{1,31}$`)

// describe takes in what the rules of a module say of themselves.
func (e *Engine) describe(m *ast.Module) (rules []Rule, err error) {
	for _, a := range m.Annotations {
		if a.Custom["id"] == nil {
			continue
		}
		text := func(key string) string { s, _ := a.Custom[key].(string); return s }
		r := Rule{ID: text("id"), Title: a.Title, Description: a.Description, Severity: cmp.Or(text("severity"), Error), Fix: text("fix")}
		if e.raw { // its author's, for whoever reads it
			r.Severity = Error
			if _, taken := e.rules[r.ID]; r.ID != "" && !taken {
				e.rules[r.ID], rules = r, append(rules, r)
			}
			continue
		}
		fault := func(hint, format string, args ...any) ([]Rule, error) {
			return nil, problem.New(problem.Usage, position(a.Location), hint, format, args...)
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
		e.rules[r.ID], rules = r, append(rules, r)
	}
	return rules, nil
}

// levels are the severities, the gravest first.
var levels = []string{Error, Warning, Note, Off}

func (e *Engine) checkSeverities(unknown bool) error {
	known := slices.Sorted(maps.Keys(e.rules))
	for _, id := range slices.Sorted(maps.Keys(e.severities)) {
		if !slices.Contains(known, id) {
			if unknown {
				continue
			}
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

// Written is the severity that a rule was written with, and whether it is a default rule.
func (e *Engine) Written(id string) (severity string, own bool) {
	return e.rules[id].Severity, e.own[id]
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
	value, err := in.value()
	if err != nil {
		return nil, err
	}
	groups := make(map[string]*Group, len(in.Entries))
	for i := range in.Entries {
		groups[in.Entries[i].ID] = &in.Entries[i]
	}
	if in.Go != nil {
		for _, r := range in.Go.Requires {
			groups[r.ID] = &Group{ID: r.ID, Examples: r.Examples, Position: r.Position, Items: r.Items}
		}
	}
	return e.eval(ctx, value, groups)
}

// eval asks for all sets.
func (e *Engine) eval(ctx context.Context, input ast.Value, groups map[string]*Group) ([]Finding, error) {
	parts, err := e.defaultParts(input)
	if err != nil {
		return nil, err
	}
	var values []any // of sets
	var sets []set
	for _, p := range slices.Concat(parts, e.mine) {
		results, err := e.run(ctx, p.query, rego.EvalParsedInput(input))
		if err != nil {
			return nil, err
		}
		if len(results) != 1 {
			return nil, problem.New(e.blame(), "policies", "", "the rules gave no answer")
		}
		of, _ := results[0].Bindings["x"].([]any)
		for i := range of {
			if defined, _ := of[i].([]any); e.raw && len(defined) > 0 {
				of[i] = defined[0]
			}
		}
		values, sets = append(values, of...), append(sets, p.sets...)
	}
	excepted, err := exceptions(sets, values)
	if err != nil {
		return nil, err
	}
	var all []Finding
	for i, value := range values {
		members, ok := value.([]any)
		if !ok {
			return nil, problem.New(e.blame(), position(sets[i].at), "write: "+sets[i].name+" contains ... if { ... }", "%s is neither a set nor a list", sets[i].name)
		}
		s := sets[i]
		for _, m := range members {
			before := len(all)
			if s.word == exception {
				continue
			} else if s.word == "" {
				all, err = e.add(all, m, groups, s.user)
			} else {
				all, err = e.addByConvention(all, m, groups, s)
			}
			if err != nil {
				return nil, err
			}
			if excepted[s.rule()] {
				for j := range all[before:] {
					all[before+j].Severity, all[before+j].Message = Note, all[before+j].Message+" (excepted by the policy's own exception)"
				}
			}
		}
	}
	sortFindings(all)
	return all, nil
}

// run evaluates within the time and the memory that are given.
func (e *Engine) run(ctx context.Context, q rego.PreparedEvalQuery, opts ...rego.EvalOption) (rego.ResultSet, error) {
	if e.print != nil {
		opts = append(opts, rego.EvalPrintHook(topdown.NewPrintHook(e.print)))
	}
	limited, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	var results rego.ResultSet
	err := e.bounded(limited, cancel, func() (err error) {
		results, err = q.Eval(limited, opts...)
		return err
	})
	switch {
	case err == nil:
		return results, nil
	case errors.Is(err, errMemory):
		return nil, problem.New(problem.Usage, "policies", "check a smaller directory, or simplify your policy", "an answer takes more than %d MiB of memory", e.memory>>20)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, problem.New(problem.Usage, "policies", "check a smaller directory, or simplify your policy", "no answer within %s", e.timeout)
	}
	return nil, e.explain(err, "policies")
}

const (
	// maxMemory bounds what one evaluation may add to the heap, in bytes. The default rules need 30 MB for 100,000 packages.
	maxMemory = 2 << 30
	// patience is how long an evaluation may take to notice that it has been told to stop.
	patience = 500 * time.Millisecond
)

var errMemory = errors.New("takes too much memory")

// bounded calls eval, and stops it (cancel) when it takes too much. Some of OPA's builtins do not listen: what they keep
// busy is left behind, since the process ends with the error. One that panics has been given what it cannot do.
func (e *Engine) bounded(ctx context.Context, cancel func(), eval func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- problem.New(e.blame(), "policies", "correct the policy", "a builtin of OPA's failed: %v", r)
			}
		}()
		done <- eval()
	}()
	begun, look := heap(), time.NewTicker(20*time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-look.C:
			if heap() < begun+e.memory {
				continue
			}
			cancel()
			leave(done)
			return errMemory
		case <-ctx.Done():
			leave(done)
			return ctx.Err()
		}
	}
}

// leave waits a moment for what was told to stop.
func leave(done <-chan error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-done: //nolint:errcheck // what ended it is told already
	case <-limit.C:
	}
}

// heap is how much of it is in use, in bytes.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
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
	// Part is "integrity" where that of each entry of the group is meant, and not its address.
	Part   string `json:"part"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

const shape = `write {"id": ..., "severity": "error" | "warning" | "note", "msg": ..., "subject": ..., "fix": ..., ` +
	`"file": ..., "line": ..., "column": ...}, or "group" in place of subject and position, and with it "part": "integrity" for the place of the integrity`

const partIntegrity = "integrity"

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
	case f.Line < 0 || f.Column < 0:
		return nil, problem.New(e.blame(), "policies", shape, "a finding of %s has a negative line or column", f.ID)
	case !slices.Contains(levels, f.Severity):
		return nil, problem.New(e.blame(), "policies", shape, "a finding of %s has the severity %q", f.ID, f.Severity)
	case o.Part != "" && o.Part != partIntegrity:
		return nil, problem.New(e.blame(), "policies", shape, "a finding of %s has the part %q", f.ID, o.Part)
	case f.Status != Active && f.Status != StatusUnknown:
		return nil, problem.New(e.blame(), "policies", shape, "a finding of %s has the status %q", f.ID, f.Status)
	}
	return e.spread(all, f, o.Group, o.Part, groups)
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
		list = slices.SortedStableFunc(slices.Values(list), func(a, b *ast.Error) int { return a.Location.Compare(b.Location) })
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
		if strings.HasPrefix(message, "undefined ref: input.") {
			p.Hint += "; one for other files is run by goproxy-action policy eval --raw"
		}
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
	return fmt.Sprintf("%s:%d:%d", at.File, max(at.Row, 1), max(at.Col, 1)) // OPA gives the end of a file the column 0, an empty one the line 0
}
