package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/run"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// watchEvery is the time from one round of --watch to the next, leastEvery the shortest: sources are others' machines.
	watchEvery = time.Minute
	leastEvery = 10 * time.Second
)

// Sizes of what is measured by.
const (
	sizeSmall = "small"
	sizeLoad  = "load"
)

// mirrorFlags are those of mirrors.
type mirrorFlags struct {
	run.Measuring
	sizes    []string
	watch    bool
	interval time.Duration
}

func (m *program) mirrors() *cobra.Command {
	cmd := &cobra.Command{Use: "mirrors [DIR]", Short: "Measure the sources of packages, again and again, and rank them", Args: cobra.MaximumNArgs(1),
		Long: `mirrors asks what is in force, your own sources and the known mirrors for small files whose content is known, over new
connections and over kept ones, directly and through the proxy, and ranks them: those that always give what was asked for
first, and of them those that answer soonest. It changes nothing.

Exit codes: 0 some source answers for each package manager, 2 bad use, 3 none does for one of them.`,
		Example: `  goproxy-action mirrors
  goproxy-action mirrors --tools go --samples 20 --sizes small
  goproxy-action mirrors --all --output markdown=mirrors.md
  goproxy-action mirrors --watch --interval 30s`}
	flags(cmd, "mode", "probe", "verify", "tools")
	var v mirrorFlags
	f := cmd.Flags()
	f.StringSliceVar(&v.Tools, "tools", nil, "whose sources are measured: "+strings.Join(run.Measurables(), ", ")+" (default those of the checkout, else those that are installed)")
	_ = cmd.RegisterFlagCompletionFunc("tools", cobra.FixedCompletions(run.Measurables(), cobra.ShellCompDirectiveNoFileComp))
	f.IntVar(&v.Samples, "samples", detect.DefaultSamples, fmt.Sprintf("how often each source is asked, 1 to %d", detect.MaxSamples))
	f.IntVar(&v.Parallel, "parallel", detect.MaxParallel, fmt.Sprintf("how many sources are asked at once, 1 to %d; each is asked one thing at a time", detect.MaxParallel))
	f.StringSliceVar(&v.sizes, "sizes", []string{sizeSmall, sizeLoad}, "what is asked for: small files, which prove a source, and load, one file of some 200 kB for each source; with --samples given as well one for each sample")
	f.BoolVar(&v.All, "all", false, "ask sources as well that are switched off")
	f.BoolVar(&v.watch, "watch", false, "measure again and again until interrupted; without load, unless --sizes asks for it")
	f.DurationVar(&v.interval, "interval", watchEvery, "with --watch, from one round to the next, 10s or more")
	_ = cmd.RegisterFlagCompletionFunc("sizes", cobra.FixedCompletions([]string{sizeSmall, sizeLoad, sizeSmall + "," + sizeLoad}, cobra.ShellCompDirectiveNoFileComp))
	m.reports(cmd, func(ctx context.Context, p run.Process, format string) (report.Outcome, error) {
		given := func(name string) bool { return f.Lookup(name).Changed }
		if err := v.settle(format, given); err != nil {
			return report.Outcome{Command: "mirrors"}, err
		}
		flag := p.Flags
		p.Flags = func(name string) (string, bool) { // the setting tools says what is set up
			if name == "tools" {
				return "", false
			}
			return flag(name)
		}
		if v.watch {
			return m.watched(ctx, p, v)
		}
		return m.round(ctx, p, v)
	})
	return cmd
}

// settle checks the flags, and says how much is loaded.
func (v *mirrorFlags) settle(format string, given func(string) bool) error {
	wrong := func(flag, hint, text string, args ...any) error {
		return problem.New(problem.Usage, "flag --"+flag, hint, text, args...)
	}
	for _, s := range v.sizes {
		if s != sizeSmall && s != sizeLoad {
			return wrong("sizes", "write small, load, or both with a comma", "%q is no size", source.Plain(s, 40))
		}
	}
	for _, t := range v.Tools {
		if !slices.Contains(run.Measurables(), t) {
			return wrong("tools", "allowed: "+strings.Join(run.Measurables(), ", "), "%q is no tool whose sources are known", source.Plain(t, 40))
		}
	}
	switch {
	case v.Samples < 1 || v.Samples > detect.MaxSamples:
		return wrong("samples", fmt.Sprintf("write a number from 1 to %d", detect.MaxSamples), "%d is no number of samples", v.Samples)
	case v.Parallel < 1 || v.Parallel > detect.MaxParallel:
		return wrong("parallel", fmt.Sprintf("write a number from 1 to %d", detect.MaxParallel), "%d is no number of sources", v.Parallel)
	case len(v.sizes) == 0:
		return wrong("sizes", "write small, load, or both with a comma", "nothing is asked for")
	case v.watch && format != "text":
		return wrong("watch", "leave --format out, and take --output json=FILE", "it is for people to look at")
	case given("interval") && !v.watch:
		return wrong("interval", "add --watch", "there is one round only")
	case v.interval < leastEvery:
		return wrong("interval", "write "+leastEvery.String()+" or more", "%s is too short for machines of others", v.interval)
	}
	if slices.Contains(v.sizes, sizeLoad) && (!v.watch || given("sizes")) {
		v.Loads = 1
		if given("samples") && given("sizes") {
			v.Loads = v.Samples
		}
	}
	return nil
}

// round measures once.
func (m *program) round(ctx context.Context, p run.Process, v mirrorFlags) (report.Outcome, error) {
	var done func()
	v.Progress, done = m.progress("samples taken")
	o, err := p.Mirrors(ctx, v.Measuring)
	done()
	return o, err
}

// watched measures until it is interrupted, which is its end. Each round is shown: on a terminal in the place of the one
// before, elsewhere by one line. What ends it otherwise is an error that no further round mends.
func (m *program) watched(ctx context.Context, p run.Process, v mirrorFlags) (report.Outcome, error) {
	ticker := time.NewTicker(v.interval)
	defer ticker.Stop()
	for {
		o, err := m.round(ctx, p, v)
		if ctx.Err() != nil || o.Mirrors == nil {
			return o, err
		}
		m.ending = problem.CodeOf(err)
		m.watching = true
		o.Problem, o.Version = err, m.Version
		if e := m.write(&o, err); e != nil {
			m.outputs = nil // which are not tried again
			return o, e
		}
		if e := m.redraw(o); e != nil {
			return o, problem.New(problem.Usage, "write the report", "make the output writable", "%w", e)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return o, ctx.Err()
		}
	}
}

// clear is what a terminal begins a new page by.
const clear = "\x1b[H\x1b[2J\x1b[3J"

func (m *program) redraw(o report.Outcome) error {
	if !m.StdoutTerminal {
		_, err := fmt.Fprintln(m.Stdout, time.Now().UTC().Format(time.RFC3339)+" "+report.Line(o))
		return err
	}
	var b strings.Builder
	b.WriteString(clear)
	if err := report.Text(&b, o, report.Style{Color: m.color(true), Width: m.Width}); err != nil {
		return err
	}
	_, err := fmt.Fprint(m.Stdout, b.String())
	return err
}
