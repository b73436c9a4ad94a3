// Package cli parses the command line, wires the concrete parts, and names the exit.
package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/front/github"
	"github.com/org/goproxy-action/internal/front/gitlab"
	"github.com/org/goproxy-action/internal/front/shell"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/run"
	"github.com/org/goproxy-action/internal/source"
)

// Process is the process as Main sees it; cmd fills it from the system, tests from what they play.
type Process struct {
	// Args are the arguments without the program's name.
	Args []string
	// Environ is the environment as NAME=VALUE; the last of two entries counts.
	Environ        []string
	Stdout, Stderr io.Writer
	// Terminal is true when Stderr and Stdout, in this order, are terminals; Width is the terminal's, 0 when not known.
	StdoutTerminal, StderrTerminal bool
	Width                          int
	// OS is runtime.GOOS.
	OS string
	// Executable names a file with this program's bytes.
	Executable string
	// Version is this program's, and Official the toolchains' default sources by ecosystem as the release was stamped.
	Version  string
	Official map[string]string
	// Policies is the default bundle.
	Policies fs.FS
	// Dialer opens all connections; nil is the system's. Public are the public roots; nil is the bundle.
	Dialer *egress.Dialer
	Public *x509.CertPool
	// Now is the time; nil asks the machine's clock.
	Now func() time.Time
}

// Main runs the program and returns its exit code.
func Main(ctx context.Context, p Process) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(p.Stderr, "goproxy-action: bug: %s\nplease report it with this trace:\n%s", source.Plain(fmt.Sprint(r), 500), debug.Stack())
			code = int(problem.Bug)
		}
	}()
	if p.Dialer == nil {
		p.Dialer = &egress.Dialer{}
	}
	m := &program{Process: p, env: environment(p.Environ, p.OS)}
	// As long as it is not known that stdout holds something else than lines for a shell, a shell that evaluates them has
	// to fail with us: with bad use and a mistyped command, too.
	m.shellLines = !github.Detect(m.env) && !slices.ContainsFunc(p.Args, func(a string) bool {
		return slices.Contains([]string{"check", "verify", "detect", "doctor", "mirrors", "policy", "version", "completion", "help"}, a)
	})
	root := m.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && m.watching {
		return int(m.ending)
	}
	if ctx.Err() != nil {
		return m.interrupted(context.Cause(ctx))
	}
	if err == nil {
		return int(problem.Clean)
	}
	var known *problem.Problem
	if !errors.As(err, &known) && !m.started { // cobra's own: an unknown command, flag or argument
		err = problem.New(problem.Usage, "", "run goproxy-action --help", "%s", source.Plain(strings.Join(strings.Fields(err.Error()), " "), 300))
	}
	if !m.reported {
		report.Error(m.Stderr, err)
	}
	return m.fail(int(problem.CodeOf(err)))
}

// interrupted says that a signal ended the run. The exit code is the shell's for a process that the signal ended.
func (m *program) interrupted(cause error) int {
	code := 143 // SIGTERM
	if strings.Contains(cause.Error(), "interrupt") {
		code = 130
	}
	fmt.Fprintf(m.Stderr, "goproxy-action: ended before it was finished: %s\n", source.Plain(cause.Error(), 100))
	return m.fail(code)
}

// fail makes a shell fail that evaluates what we print.
func (m *program) fail(code int) int {
	if m.shellLines {
		_ = shell.Fail(m.Stdout, code) // the exit code says it, too
	}
	return code
}

// environment is the last value of each variable; on Windows names are told apart without case.
func environment(environ []string, os string) func(string) (string, bool) {
	fold := func(s string) string { return s }
	if os == "windows" {
		fold = strings.ToUpper
	}
	m := make(map[string]string, len(environ))
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			m[fold(name)] = value
		}
	}
	return func(name string) (string, bool) {
		v, ok := m[fold(name)]
		return v, ok
	}
}

type program struct {
	Process
	env     func(string) (string, bool)
	started bool
	front   *front.Front
	// shellLines is true when stdout is evaluated by a shell, which has to fail with us.
	shellLines bool
	// outputs are the further reports, exported what was given to their env.
	outputs  outputs
	exported []inject.Change
	// reported is true when the report has shown the error already.
	reported bool
	// watching is true when what is shown goes on until it is interrupted, which then is no failure; ending is the outcome
	// of what was shown last.
	watching bool
	ending   problem.Code
}

func (m *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "goproxy-action",
		Short: "The safest and fastest way for a CI job to reach its dependencies, on any network",
		Long: `goproxy-action looks at the network, chooses package sources that are reachable, fast and trustworthy, decides by policy
whether the dependencies of a checkout may be downloaded, and sets up go, npm and git for the steps that follow.

Exit codes: 0 clean, 1 violations of policy, 2 bad use or configuration, 3 the network did not answer,
4 security (checksum mismatch, forked log), 70 a bug of this program.`,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { m.started = true },
	}
	root.AddCommand(m.setup(), m.check(), m.proveLines(), m.detect(), m.doctor(), m.mirrors(), m.restore(), m.policy(), m.version())
	return root
}

// begin makes the front and the run of one command.
func (m *program) begin(cmd *cobra.Command, args []string) (run.Process, error) {
	p := run.Process{Lookup: m.env, Environ: m.Environ, OS: m.OS, Version: m.Version, Stamped: m.Official, Dialer: m.Dialer,
		Public: m.Public, Policies: m.Policies, Now: m.Now}
	p.Flags = func(name string) (string, bool) {
		for _, s := range config.Settings() {
			if s.Name != name {
				continue
			}
			if s.Argument != "" && len(args) > 0 {
				return args[0], true
			}
			if f := cmd.Flags().Lookup(s.Flag); s.Flag != "" && f != nil && f.Changed {
				return f.Value.String(), true
			}
		}
		return "", false
	}
	if cmd.Flags().Lookup("policy") != nil {
		p.PolicyPaths, _ = cmd.Flags().GetStringArray("policy")
		p.PolicyKey, _ = cmd.Flags().GetString("policy-key")
	}
	p.Credentials, _ = cmd.Flags().GetBool("credentials") // false where there is no such flag
	var err error
	switch {
	case github.Detect(m.env):
		m.front, err = github.New(ecosystem.Machine{Lookup: m.env, Environ: m.Environ, OS: m.OS}, m.Stdout, m.Stderr, m.client(), m.Version)
	case gitlab.Detect(m.env):
		m.front = gitlab.New(ecosystem.Machine{Lookup: m.env, Environ: m.Environ, OS: m.OS}, shell.New(m.env, m.Stdout))
	default:
		m.front = shell.New(m.env, m.Stdout)
	}
	if cmd.Name() != "setup" && err == nil {
		m.front.Input = nil // those are of another action, such as one that runs commit hooks: our launcher starts setup
	}
	p.Front = m.front
	return p, err
}

// client asks GitHub's API, by the way that the environment gives.
func (m *program) client() *http.Client {
	return &http.Client{Transport: run.Transport(m.Dialer, m.env)}
}

// flags adds the flags of the table of settings, without those that mean nothing to the command.
func flags(cmd *cobra.Command, without ...string) {
	cmd.Flags().Bool("credentials", false, "use the credentials that the checkout's settings name in a terminal as well")
	for _, s := range config.Settings() {
		if strings.HasPrefix(s.YAML, "choose.") && slices.Contains(without, "probe") {
			continue // nobody is probed, so nothing is chosen
		}
		if s.Flag != "" && s.Name != "output" && !slices.Contains(without, s.Name) { // which may be repeated
			doc := s.Doc
			if s.Default != "" {
				doc += " (default " + s.Default + ")"
			}
			cmd.Flags().String(s.Flag, "", doc)
			if len(s.Allowed) > 0 {
				_ = cmd.RegisterFlagCompletionFunc(s.Flag, cobra.FixedCompletions(s.Allowed, cobra.ShellCompDirectiveNoFileComp))
			}
		}
	}
}

func format(cmd *cobra.Command) *string {
	f := cmd.Flags().String("format", "text", "text or json")
	cmd.Flags().Lookup("format").DefValue = "text"
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return f
}

func known(format string) error {
	if format != "text" && format != "json" {
		return problem.New(problem.Usage, "flag --format", "write text or json", "%q is no format", source.Plain(format, 40))
	}
	return nil
}

func (m *program) setup() *cobra.Command {
	cmd := &cobra.Command{Use: "setup [DIR]", Short: "Detect, choose, decide, and set up the tools for what follows", Args: cobra.MaximumNArgs(1),
		Example: `  eval "$(goproxy-action setup)"      # this shell
  goproxy-action setup --output env=FILE && . FILE
  goproxy-action setup --mode audit   # report what enforce would do`}
	flags(cmd)
	policyFlags(cmd)
	m.reports(cmd, func(ctx context.Context, p run.Process, format string) (report.Outcome, error) {
		terminal, file := m.front.SaveState == nil, m.outputs.file(formatEnv)
		m.shellLines = terminal && format != "json" && file == ""
		switch {
		case file != "":
			if err := m.exportTo(file); err != nil {
				return report.Outcome{Command: "setup"}, err
			}
		case terminal && !m.shellLines:
			m.front.Export, m.front.Where = nil, "nowhere: with --format json they are only shown"
		}
		return p.Setup(ctx)
	})
	return cmd
}

func (m *program) check() *cobra.Command {
	cmd := &cobra.Command{Use: "check [DIR]", Short: "Decide whether the dependencies of a checkout may be downloaded", Args: cobra.MaximumNArgs(1),
		Example: `  goproxy-action check
  goproxy-action check --scope repo --offline services/api
  goproxy-action check --diff main`}
	flags(cmd)
	policyFlags(cmd)
	scope := cmd.Flags().String("scope", run.ScopeAll, "all, or repo to leave this machine's settings out")
	offline := cmd.Flags().Bool("offline", false, "ask no network, and list what was not asked")
	diff := cmd.Flags().String("diff", "", "fail only for what is new since a commit: a hash, a branch, a tag, or auto for the one that the CI system names")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{run.ScopeAll, run.ScopeRepo}, cobra.ShellCompDirectiveNoFileComp))
	m.reports(cmd, func(ctx context.Context, p run.Process, _ string) (report.Outcome, error) {
		if *scope != run.ScopeAll && *scope != run.ScopeRepo {
			err := problem.New(problem.Usage, "flag --scope", "write all or repo", "%q is no scope", source.Plain(*scope, 40))
			return report.Outcome{Command: "check"}, err
		}
		return p.Check(ctx, run.Ask{Scope: *scope, Offline: *offline, Diff: *diff})
	})
	return cmd
}

func (m *program) detect() *cobra.Command {
	cmd := &cobra.Command{Use: "detect [DIR]", Short: "Measure the network and every known source", Args: cobra.MaximumNArgs(1)}
	flags(cmd, "probe", "mode")
	m.reports(cmd, func(ctx context.Context, p run.Process, _ string) (report.Outcome, error) { return p.Detect(ctx) })
	return cmd
}

// reports makes a command of what ends in an outcome.
func (m *program) reports(cmd *cobra.Command, do func(ctx context.Context, p run.Process, format string) (report.Outcome, error)) {
	f, further := format(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := known(*f); err != nil {
			return err
		}
		p, err := m.begin(cmd, args)
		if err != nil {
			return err
		}
		if m.outputs, err = parseOutputs(cmd.Name(), *further, m.front.Input); err != nil {
			return err
		}
		o, err := do(cmd.Context(), p, *f)
		if cmd.Context().Err() != nil {
			return err // half an outcome is none; Main says what ended it
		}
		return m.show(o, *f, err)
	}
}

func (m *program) restore() *cobra.Command {
	cmd := &cobra.Command{Use: "restore", Short: "Take back what setup changed", Args: cobra.NoArgs,
		Example: `  eval "$(goproxy-action restore)"    # this shell`}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := m.begin(cmd, args)
		if err != nil {
			return err
		}
		var print func([]inject.Change, []string) error
		if m.shellLines {
			print = func(set []inject.Change, unset []string) error {
				lines, err := shell.Lines(set, unset)
				if err == nil {
					_, err = io.WriteString(m.Stdout, lines)
				}
				return err
			}
		}
		o, err := p.Restore(print)
		for _, n := range o.Notes {
			fmt.Fprintln(m.Stderr, "goproxy-action: "+source.Plain(n, 0))
		}
		return err
	}
	return cmd
}
