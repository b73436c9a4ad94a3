package cli

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/run"
	"github.com/org/goproxy-action/internal/source"
)

// maxHeads bounds --heads: there are not that many sources.
const maxHeads = 10

// formatProof is the format of --write-proof, which is no report.
const formatProof = "proof"

func (m *program) proveLines() *cobra.Command {
	cmd := &cobra.Command{Use: "verify [DIR]", Short: "Prove every line of go.sum against the transparency log of the checksum database", Args: cobra.MaximumNArgs(1),
		Long: `verify compares every line of every go.sum and go.work.sum of a checkout with the transparency log of the checksum
database, which the go command does for new lines only. Private modules are named to nobody.

Exit codes: 0 all lines are verified or private, or not in the log (a warning), 2 bad use, 3 some could not be compared,
4 a line is not what the log has, or the log itself lies.`,
		Example: `  goproxy-action verify
  goproxy-action verify --write-proof go.sum.proof
  goproxy-action verify --proof go.sum.proof --offline
  goproxy-action verify --diff main --modcache`}
	flags(cmd, "mode", "probe", "tools", "verify")
	var v run.Verification
	var write string
	f := cmd.Flags()
	f.BoolVar(&v.Offline, "offline", false, "ask no network: what is remembered and the proof file have to suffice")
	f.BoolVar(&v.Anyway, "ask", false, "ask the genuine log though GOSUMDB says that none is to be asked")
	f.IntVar(&v.Heads, "heads", 1, "compare the heads of so many sources")
	f.StringVar(&v.Proof, "proof", "", "a proof file, which proves its lines without any network")
	f.StringVar(&write, "write-proof", "", "write a proof file of all that is verified")
	f.StringVar(&v.Cache, "cache", "", "the directory of what is remembered (default: the user's cache, or the runner's tool cache)")
	f.StringVar(&v.Diff, "diff", "", "leave out the lines that a commit has already: a hash, a branch, a tag, or auto for the one that the CI system names")
	f.BoolVar(&v.ModCache, "modcache", false, "compare the module cache of this machine with the log as well")
	m.reports(cmd, func(ctx context.Context, p run.Process, _ string) (report.Outcome, error) {
		if err := mistaken(v, write); err != nil {
			return report.Outcome{Command: "verify"}, err
		}
		v.Write = write != ""
		var done func()
		v.Progress, done = m.progress("versions compared with the log")
		o, err := p.Verify(ctx, v)
		done()
		if write != "" && o.Log != nil && ctx.Err() == nil {
			err = m.writeProof(&o, write, err)
		}
		return o, err
	})
	return cmd
}

// mistaken tells what of the flags makes no sense.
func mistaken(v run.Verification, write string) error {
	switch {
	case v.Heads < 1 || v.Heads > maxHeads:
		return problem.New(problem.Usage, "flag --heads", fmt.Sprintf("write a number from 1 to %d", maxHeads), "%d is no number of heads", v.Heads)
	case v.Offline && v.Heads > 1:
		return problem.New(problem.Usage, "flag --heads", "leave --offline out", "offline there are no heads to compare")
	case v.Offline && v.Anyway:
		return problem.New(problem.Usage, "flag --ask", "leave one of them out", "--ask asks the network, and --offline does not")
	case write != "" && v.Diff != "":
		return problem.New(problem.Usage, "flag --write-proof", "leave --diff out", "a proof file is of all lines, and --diff leaves some out")
	case write != "" && v.Proof != "":
		return problem.New(problem.Usage, "flag --write-proof", "leave --proof out", "what is proven by a proof file is not proven anew")
	}
	return nil
}

// writeProof puts the proof file where it was asked for. What it does not prove is said.
func (m *program) writeProof(o *report.Outcome, file string, err error) error {
	l := o.Log
	l.Noted = true
	if l.Proof == nil {
		o.Notes = append(o.Notes, source.Plain(file, 200)+" was not written: no line is verified")
		return err
	}
	if e := m.put("--write-proof "+source.Plain(file, 200), output{formatProof, file}, l.Proof); e != nil {
		if problem.CodeOf(err) == problem.Security {
			o.Notes = append(o.Notes, e.Error())
			return err
		}
		return e
	}
	text := fmt.Sprintf("%s proves %d lines (%d bytes)", source.Plain(file, 200), l.Lines.Verified, len(l.Proof))
	if rest := l.Lines.Total - l.Lines.Verified - l.Lines.Private; rest > 0 {
		text += fmt.Sprintf(", and %d it does not", rest)
	}
	o.Notes = append(o.Notes, text)
	return err
}

const (
	// quietTime is how long work may take before it is felt, redrawTime how long a line of progress stays as it is.
	quietTime  = time.Second
	redrawTime = 100 * time.Millisecond
)

// progress shows on a terminal how far long work is, in one line that goes away at the end. Both results may be called in
// any case.
func (m *program) progress(what string) (tell func(done, of int), end func()) {
	if !m.StderrTerminal {
		return nil, func() {}
	}
	p := &progress{out: m.Stderr, what: what, next: time.Now().Add(quietTime)}
	return p.tell, p.end
}

type progress struct {
	mu    sync.Mutex
	out   io.Writer
	what  string
	next  time.Time
	shown bool
}

func (p *progress) tell(done, of int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.After(p.next) {
		p.next, p.shown = now.Add(redrawTime), true
		fmt.Fprintf(p.out, "\r%d of %d %s\x1b[K", done, of, p.what)
	}
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.shown, p.next = false, time.Now().Add(time.Hour) // who answers late is not heard
}
