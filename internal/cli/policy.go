package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/run"
	"github.com/org/goproxy-action/internal/source"
)

// maxDocument bounds a file of --raw and --input, in bytes.
const maxDocument = 64 << 20

func (m *program) policy() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Try, test and explain policies", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(m.policyTest(), m.policyEval(), m.policyInput(), m.policyExplain(), m.policyRules(), m.policySchema(), m.policyCapabilities(), m.policyBundle())
	return cmd
}

// policyFlags adds the flags that say which policies count beside those that the settings name.
func policyFlags(cmd *cobra.Command) {
	cmd.Flags().StringArray("policy", nil, "a further policy: a directory, .rego file or bundle, inside of DIR or outside of its repository; may be repeated")
	cmd.Flags().String("policy-key", "", "a file with the public key, in PEM, that bundles are signed with (default what the configuration says)")
}

// facts are the flags of what a check looks at.
type facts struct {
	scope   *string
	offline *bool
	// diff names the commit that a change is measured against.
	diff *string
	// packages are told one by one, whether or not a policy reads them.
	packages bool
}

func factFlags(cmd *cobra.Command) facts {
	f := facts{scope: cmd.Flags().String("scope", run.ScopeAll, "all, or repo to leave this machine's settings out"),
		offline: cmd.Flags().Bool("offline", false, "ask no network, and list what was not asked"),
		diff:    cmd.Flags().String("diff", "", "see what check --diff sees: a hash, a branch, a tag, or auto for the commit that the CI system names")}
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{run.ScopeAll, run.ScopeRepo}, cobra.ShellCompDirectiveNoFileComp))
	return f
}

func (f facts) check() error {
	if *f.scope != run.ScopeAll && *f.scope != run.ScopeRepo {
		return problem.New(problem.Usage, "flag --scope", "write all or repo", "%q is no scope", source.Plain(*f.scope, 40))
	}
	return nil
}

// examine gathers what a check of dir would judge. What there is to say of it goes to stderr.
func (m *program) examine(cmd *cobra.Command, dir []string, f facts, tune func(*decide.Options)) (run.Examined, error) {
	if err := f.check(); err != nil {
		return run.Examined{}, err
	}
	p, err := m.begin(cmd, dir)
	if err != nil {
		return run.Examined{}, err
	}
	x, err := p.Examine(cmd.Context(), run.Ask{Scope: *f.scope, Offline: *f.offline, Packages: f.packages, Diff: *f.diff}, tune)
	for _, n := range x.Notes {
		fmt.Fprintln(m.Stderr, "goproxy-action: "+source.Plain(n, 0))
	}
	for _, n := range x.NotAsked {
		fmt.Fprintln(m.Stderr, "goproxy-action: not asked: "+source.Plain(n, 0))
	}
	return x, err
}

// print writes v as JSON, or what text writes.
func (m *program) print(format string, v any, text func(io.Writer)) error {
	if err := known(format); err != nil {
		return err
	}
	var b strings.Builder
	if format == "json" {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(v); err != nil {
			return problem.New(problem.Bug, "write the answer", "", "%w", err)
		}
	} else {
		text(&b)
	}
	if _, err := io.WriteString(m.Stdout, b.String()); err != nil {
		return problem.New(problem.Usage, "write the answer", "make the output writable", "%w", err)
	}
	return nil
}

func (m *program) policyTest() *cobra.Command {
	cmd := &cobra.Command{Use: "test [PATH]...", Short: "Run the tests of policies",
		Long: `Runs the rules named test_... of directories, .rego files and bundles; without a path, of the policies that the settings of
this directory name, as they are written. Tests see the default rules and the schema of the input. A test that fails,
and too little coverage, is exit code 1; no test at all is exit code 2.`,
		Example: `  goproxy-action policy test
  goproxy-action policy test --coverage=90 .goproxy/policy`}
	f := format(cmd)
	policyFlags(cmd)
	raw := cmd.Flags().Bool("raw", false, "compile without the default rules and the schema, as policy eval --raw does")
	v0 := cmd.Flags().Bool("v0", false, "with --raw: read the language as it was before OPA 1.0")
	least := cmd.Flags().Float64("coverage", -1, "measure which lines are reached, and fail below this percentage")
	cmd.Flags().Lookup("coverage").NoOptDefVal, cmd.Flags().Lookup("coverage").DefValue = "0", "0"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := known(*f); err != nil {
			return err
		}
		if cmd.Flags().Changed("coverage") && !(*least >= 0 && *least <= 100) { // not a number is neither
			return problem.New(problem.Usage, "flag --coverage", "write 0 to 100", "%v is no percentage", *least)
		}
		p, err := m.begin(cmd, nil)
		if err != nil {
			return err
		}
		var policies decide.Policies
		if len(args) > 0 {
			policies, err = run.LoadPolicies(cmd.Context(), append(args, p.PolicyPaths...), p.PolicyKey)
		} else {
			policies, err = p.WrittenPolicies(cmd.Context())
		}
		if err != nil {
			return err
		}
		report, err := decide.Test(cmd.Context(), m.Policies, policies, decide.TestOptions{Raw: *raw || *v0, V0: *v0, Cover: *least >= 0})
		if err != nil {
			return err
		}
		if err := m.print(*f, report, func(w io.Writer) { testText(w, report) }); err != nil {
			return err
		}
		switch {
		case report.Failed > 0:
			return problem.New(problem.Violations, "policy test", "correct the policy or the test", "%d of %d tests failed", report.Failed, len(report.Tests))
		case report.Coverage != nil && report.Coverage.Percent < *least:
			return problem.New(problem.Violations, "policy test", "write tests for the lines that are not reached", "the coverage is %.1f %%, and %.1f %% are wanted", report.Coverage.Percent, *least)
		}
		return nil
	}
	return cmd
}

func testText(w io.Writer, r decide.TestReport) {
	words := map[string]string{"pass": "ok   ", "fail": "FAIL ", "error": "ERROR", "skip": "skip "}
	for _, t := range r.Tests {
		fmt.Fprintf(w, "%s %s  %s:%d  %.1f ms\n", words[t.Status], source.Plain(t.Name, 0), source.Plain(t.File, 0), t.Line, t.DurationMS)
		if t.Message != "" {
			fmt.Fprintf(w, "      %s\n", source.Plain(t.Message, 0))
		}
		for line := range strings.Lines(t.Output) {
			fmt.Fprintf(w, "      | %s\n", source.Plain(strings.TrimRight(line, "\n"), 0))
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed", r.Passed, r.Failed)
	if r.Skipped > 0 {
		fmt.Fprintf(w, ", %d skipped", r.Skipped)
	}
	fmt.Fprintln(w)
	if r.Coverage == nil {
		return
	}
	fmt.Fprintf(w, "coverage %.1f %%\n", r.Coverage.Percent)
	for _, c := range r.Coverage.Files {
		missed := ""
		if len(c.Missed) > 0 {
			missed = "  not reached: " + strings.Join(c.Missed, ", ")
		}
		fmt.Fprintf(w, "  %5.1f %%  %s%s\n", c.Percent, source.Plain(c.File, 0), missed)
	}
}

func (m *program) policyEval() *cobra.Command {
	cmd := &cobra.Command{Use: "eval [PATH]", Short: "Ask policies what they object to",
		Long: `Evaluates the policies at PATH, or those that the settings name, and nothing else: on the input of a check of this directory, on
one that "policy input" has written (--input), or on files as they are (--raw). With --raw the policies are compiled apart, without
the default rules and the schema, so that an existing policy of conftest's can be run. An error is exit code 1.`,
		Example: `  goproxy-action policy eval .goproxy/policy
  goproxy-action policy eval --raw deployment.yaml policy/`, Args: cobra.MaximumNArgs(1)}
	f := format(cmd)
	flags(cmd, "mode", "probe")
	policyFlags(cmd)
	facts := factFlags(cmd)
	raw := cmd.Flags().StringArray("raw", nil, "a file of YAML or JSON that is the input; may be repeated")
	v0 := cmd.Flags().Bool("v0", false, "with --raw: read the language as it was before OPA 1.0")
	input := cmd.Flags().String("input", "", "a file that policy input has written")
	namespaces := cmd.Flags().StringArray("namespace", nil, "a package to ask; may be repeated (default all)")
	dir := cmd.Flags().String("dir", "", "the directory to check (default this one)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := known(*f); err != nil {
			return err
		}
		if len(*raw) > 0 && *input != "" || *v0 && len(*raw) == 0 {
			return problem.New(problem.Usage, "policy eval", "leave one out", "--input is for the schema's input, --raw and --v0 for any other")
		}
		var where []string
		if *dir != "" {
			where = []string{*dir}
		}
		p, err := m.begin(cmd, where)
		if err != nil {
			return err
		}
		var policies *decide.Policies
		if len(args) > 0 {
			all, err := run.LoadPolicies(cmd.Context(), append(args, p.PolicyPaths...), p.PolicyKey)
			if err != nil {
				return err
			}
			policies = &all
		} else if len(*raw) > 0 || *input != "" {
			all, err := p.WrittenPolicies(cmd.Context())
			if err != nil {
				return err
			}
			policies = &all
		}
		opts := decide.Options{UserOnly: true, Namespaces: *namespaces, Print: printed{m.Stderr}}
		var asked evaluated
		switch {
		case len(*raw) > 0:
			asked, err = evalRaw(cmd.Context(), *policies, *v0, opts, *raw)
		case *input != "":
			asked, err = m.evalInput(cmd.Context(), *policies, opts, *input)
		default:
			asked, err = m.evalHere(cmd, where, facts, policies, opts)
		}
		if err != nil {
			return err
		}
		if err := m.print(*f, asked, asked.text); err != nil {
			return err
		}
		if asked.Errors > 0 {
			return problem.New(problem.Violations, "policy eval", "see the findings", "the policies object: %s", count(asked.Errors, "error"))
		}
		return nil
	}
	return cmd
}

// printed is where policies print to, which may print what a stranger wrote: behind a bar it is no command to a CI system.
type printed struct{ to io.Writer }

func (p printed) Write(text []byte) (int, error) {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		b.WriteString("| " + source.Plain(strings.TrimRight(line, "\n"), 0) + "\n")
	}
	if _, err := io.WriteString(p.to, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// evaluated is what policies said.
type evaluated struct {
	Namespaces []string         `json:"namespaces"`
	Inputs     []string         `json:"inputs"`
	Errors     int              `json:"errors"`
	Warnings   int              `json:"warnings"`
	Findings   []decide.Finding `json:"findings"`
}

func newEvaluated(e *decide.Engine, namespaces, inputs []string, found []decide.Finding) evaluated {
	out := evaluated{Namespaces: e.Namespaces(), Inputs: inputs, Findings: found}
	if len(namespaces) > 0 {
		out.Namespaces = namespaces
	}
	if out.Findings == nil {
		out.Findings = []decide.Finding{}
	}
	for _, f := range found {
		switch f.Severity {
		case decide.Error:
			out.Errors++
		case decide.Warning:
			out.Warnings++
		}
	}
	return out
}

func (v evaluated) text(w io.Writer) {
	findingsText(w, v.Findings)
	fmt.Fprintf(w, "%s, %s; asked of %s: %s\n", count(v.Errors, "error"), count(v.Warnings, "warning"),
		source.Plain(strings.Join(v.Inputs, ", "), 0), source.Plain(strings.Join(v.Namespaces, ", "), 0))
}

func findingsText(w io.Writer, all []decide.Finding) {
	for _, f := range all {
		fmt.Fprintf(w, "%-7s %s  %s\n", f.Severity, f.ID, source.Plain(strings.TrimSpace(placeOf(f)+"  "+f.Message), 0))
		if f.Fix != "" {
			fmt.Fprintf(w, "        fix: %s\n", source.Plain(f.Fix, 0))
		}
	}
}

// placeOf is FILE:LINE:COLUMN as far as it is known.
func placeOf(f decide.Finding) string {
	out := f.File
	for _, n := range []int{f.Line, f.Column} {
		if n == 0 || out == "" {
			break
		}
		out += ":" + strconv.Itoa(n)
	}
	return out
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func evalRaw(ctx context.Context, p decide.Policies, v0 bool, opts decide.Options, files []string) (evaluated, error) {
	e, err := decide.NewRaw(p, v0, opts)
	if err != nil {
		return evaluated{}, err
	}
	var all []decide.Finding
	for _, file := range files {
		data, err := document("flag --raw", file)
		if err != nil {
			return evaluated{}, err
		}
		docs, err := decide.Documents(file, data)
		if err == nil && len(docs) == 0 {
			err = problem.New(problem.Usage, file, "give a file of YAML or JSON", "holds no document")
		}
		if err != nil {
			return evaluated{}, err
		}
		for _, d := range docs {
			found, err := e.EvalRaw(ctx, d, file)
			if err != nil {
				return evaluated{}, err
			}
			all = append(all, found...)
		}
	}
	return newEvaluated(e, opts.Namespaces, files, all), nil
}

// document reads a file that the user names.
func document(flag, file string) ([]byte, error) {
	data, err := ecosystem.ReadFile(file, maxDocument)
	if err != nil {
		return nil, problem.New(problem.Usage, flag+" "+source.Plain(file, 200), "name a regular file of at most "+strconv.Itoa(maxDocument>>20)+" MiB that can be read", "%w", err)
	}
	return data, nil
}

func (m *program) evalInput(ctx context.Context, p decide.Policies, opts decide.Options, file string) (evaluated, error) {
	data, err := document("flag --input", file)
	if err != nil {
		return evaluated{}, err
	}
	var in decide.Input
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || in.Schema != decide.Schema {
		return evaluated{}, problem.New(problem.Usage, "flag --input "+source.Plain(file, 200), "write it with goproxy-action policy input", "is no document of %s", decide.Schema)
	}
	opts.User, opts.UserData = p.Modules, p.Data
	e, err := decide.New(m.Policies, decide.Data{}, opts)
	if err != nil {
		return evaluated{}, err
	}
	if in.Packages == nil && e.Reads("packages") {
		return evaluated{}, problem.New(problem.Usage, "flag --input "+source.Plain(file, 200), "write it with goproxy-action policy input --packages",
			"a policy reads input.packages, which the document does not have")
	}
	found, err := e.Eval(ctx, in)
	return newEvaluated(e, opts.Namespaces, []string{file}, found), err
}

func (m *program) evalHere(cmd *cobra.Command, dir []string, f facts, p *decide.Policies, opts decide.Options) (evaluated, error) {
	x, err := m.examine(cmd, dir, f, func(o *decide.Options) {
		if p != nil {
			o.User, o.UserData, o.UnknownRules = p.Modules, p.Data, true
		}
		o.UserOnly, o.Namespaces, o.Print = opts.UserOnly, opts.Namespaces, opts.Print
	})
	if err != nil {
		return evaluated{}, err
	}
	found, err := x.Engine.Eval(cmd.Context(), x.Input)
	return newEvaluated(x.Engine, opts.Namespaces, []string{"this checkout"}, found), err
}

func (m *program) policyInput() *cobra.Command {
	cmd := &cobra.Command{Use: "input [DIR]", Short: "Print the document that policies see, as JSON", Args: cobra.MaximumNArgs(1)}
	flags(cmd, "mode", "probe")
	policyFlags(cmd)
	facts := factFlags(cmd)
	cmd.Flags().BoolVar(&facts.packages, "packages", false, "tell all packages and modules one by one, as a policy sees them that reads input.packages")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		x, err := m.examine(cmd, args, facts, nil)
		if err != nil {
			return err
		}
		return m.print("json", x.Input, nil)
	}
	return cmd
}

func (m *program) policyExplain() *cobra.Command {
	cmd := &cobra.Command{Use: "explain RULE|FILE:LINE [DIR]", Short: "Say why a rule objects, or why it does not", Args: cobra.RangeArgs(1, 2),
		Long: `Evaluates one rule on the input of a check and shows each of its conditions, in the order of evaluation, with the values it saw:
for every objection, and for each condition at which the rule ended without one. FILE:LINE is the place of a finding as check shows it.`,
		Example: `  goproxy-action policy explain LCK001
  goproxy-action policy explain package-lock.json:12`}
	f := format(cmd)
	flags(cmd, "mode", "probe")
	policyFlags(cmd)
	facts := factFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := known(*f); err != nil {
			return err
		}
		x, err := m.examine(cmd, args[1:], facts, nil)
		if err != nil {
			return err
		}
		ids := []string{args[0]}
		if !slices.ContainsFunc(x.Engine.Rules(), func(r decide.Rule) bool { return r.ID == args[0] }) && strings.Contains(args[0], ":") {
			found, err := x.Engine.Eval(cmd.Context(), x.Input)
			if err != nil {
				return err
			}
			if ids = decide.At(found, args[0]); len(ids) == 0 {
				hint := "write the place as check shows it, or the id of a rule"
				if *facts.diff == "" {
					hint = "write the place as check shows it; --diff BASE, if that had it; or the id of a rule"
				}
				return problem.New(problem.Usage, source.Plain(args[0], 200), hint, "no rule finds anything there")
			}
		}
		all := []decide.Explanation{}
		for _, id := range ids {
			e, err := x.Engine.Explain(cmd.Context(), x.Input, id)
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return m.print(*f, all, func(w io.Writer) {
			for _, e := range all {
				explainText(w, e)
			}
		})
	}
	return cmd
}

func explainText(w io.Writer, e decide.Explanation) {
	plain := func(s string) string { return source.Plain(s, 0) }
	fmt.Fprintf(w, "%s  %s (%s)\n", e.Rule.ID, plain(e.Rule.Title), e.Rule.Severity)
	if e.Rule.Description != "" {
		fmt.Fprintf(w, "    %s\n", plain(e.Rule.Description))
	}
	fmt.Fprintln(w)
	if len(e.Findings) == 0 {
		fmt.Fprintln(w, "It finds nothing here.")
	}
	findingsText(w, e.Findings)
	steps := func(t decide.Try) {
		for _, s := range t.Steps {
			holds := "holds"
			if !s.Held {
				holds = "FAILS"
			}
			fmt.Fprintf(w, "    %4d %s  %s\n", s.Line, holds, plain(s.Text))
			for _, v := range s.Values {
				fmt.Fprintf(w, "                 %s = %s\n", plain(v.Name), plain(v.Value))
			}
		}
	}
	for _, t := range e.Texts {
		fmt.Fprintf(w, "\n%s:%d\n", plain(t.File), t.Line)
		for i, o := range t.Objections {
			fmt.Fprintf(w, "  objection %d of %d\n", i+1, t.Objected)
			steps(o)
		}
		for _, s := range t.Stopped {
			fmt.Fprintf(w, "  no objection, %s, since line %d does not hold", times(s.Count), s.Line)
			if s.Count > 1 {
				fmt.Fprint(w, "; the first")
			}
			fmt.Fprintln(w)
			steps(s.Examples[0])
		}
		if len(t.Objections)+len(t.Stopped) == 0 {
			fmt.Fprintln(w, "  was not evaluated: there is nothing of the kind in the input")
		}
	}
	fmt.Fprintln(w)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// listed is a rule as policy rules shows it.
type listed struct {
	decide.Rule
	// Written is the severity that the rule was written with.
	Written string `json:"written"`
	// Origin is built-in or user.
	Origin string `json:"origin"`
}

func (m *program) policyRules() *cobra.Command {
	cmd := &cobra.Command{Use: "rules [DIR]", Short: "List the rules that count, with their severities", Args: cobra.MaximumNArgs(1)}
	f := format(cmd)
	flags(cmd, "mode", "probe")
	policyFlags(cmd)
	facts := factFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := known(*f); err != nil {
			return err
		}
		x, err := m.examine(cmd, args, facts, nil)
		if err != nil {
			return err
		}
		all := []listed{}
		for _, r := range x.Engine.Rules() {
			written, own := x.Engine.Written(r.ID)
			all = append(all, listed{r, written, map[bool]string{true: "built-in", false: "user"}[own]})
		}
		return m.print(*f, all, func(w io.Writer) {
			width := 0
			for _, r := range all {
				width = max(width, len(r.ID))
			}
			for _, r := range all {
				note := ""
				if r.Severity != r.Written {
					note = "  (instead of " + r.Written + ")"
				}
				fmt.Fprintf(w, "%-*s  %-7s  %s%s\n", width, r.ID, r.Severity, source.Plain(r.Title, 0), note)
			}
		})
	}
	return cmd
}

func (m *program) policySchema() *cobra.Command {
	return &cobra.Command{Use: "schema", Short: "Print the JSON schema of the document that policies see", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := fs.ReadFile(m.Policies, "schema/input.json")
			if err != nil {
				return problem.New(problem.Bug, "schema", "", "%w", err)
			}
			_, err = m.Stdout.Write(text)
			return err
		}}
}

func (m *program) policyCapabilities() *cobra.Command {
	return &cobra.Command{Use: "capabilities", Short: "Print what policies may use of Rego, for opa, regal and conftest", Args: cobra.NoArgs,
		Long: `Prints the builtins that policies may call, those of goproxy-action among them, in the form of OPA's capabilities:

  goproxy-action policy capabilities > capabilities.json
  opa check --capabilities capabilities.json --schema schema.json .goproxy/policy`,
		RunE: func(*cobra.Command, []string) error {
			text, err := decide.Capabilities()
			if err != nil {
				return err
			}
			_, err = m.Stdout.Write(text)
			return err
		}}
}
