// Package report renders one frozen outcome in each format. It decides nothing.
package report

import (
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/diagnose"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/machine"
)

// Outcome is all that a run has to tell. Nil parts did not happen.
type Outcome struct {
	// Command is setup, check, verify, detect, doctor, mirrors or restore.
	Command string
	// Dir is the checkout as the user named it.
	Dir string
	// Prefix is where the checkout lies in its repository, with a slash at its end; empty for the root.
	Prefix string
	// Version is this program's.
	Version string
	Detect  *detect.Report
	// Mirrors are the sources that were sampled.
	Mirrors  *Mirrors
	Plan     *choose.Plan
	Decision *decide.Decision
	// Diagnosis is what doctor found.
	Diagnosis *diagnose.Diagnosis
	// Machine is what the tools of this machine are told about the network.
	Machine *machine.Reading
	// Log is what the transparency log said of the lines of go.sum.
	Log *Log
	// Base names the commit that findings were compared with; empty where all count.
	Base string
	// Excerpts are lines of the checkout's files by the places of findings, for those of Quoted.
	Excerpts map[lockfile.Position]lockfile.Excerpt
	// Rules are all rules that were asked, by id; nil where none was.
	Rules []decide.Rule
	// Changes are what was injected, or would have been where Applied is false.
	Changes []inject.Change
	Applied bool
	// Proof says how the changes were proven ("go fetched github.com/google/uuid v1.6.0 in 310 ms"); empty where nothing
	// changed.
	Proof string
	// Where says where the changes went ("for the following steps of this job", "printed for this shell").
	Where string
	// NotAsked lists questions that were not put, and why.
	NotAsked []string
	// Notes are things to say that are no findings.
	Notes []string
	// Unavailable lists what the front or a tool cannot do though it is wished.
	Unavailable []string
	// Problem is why the run could not be finished; nil when it was.
	Problem  error
	Duration time.Duration
}

// Verdict is the decision as it came about: an allowance of a run that was not finished is none, and neither is no
// decision at all. Both are decide.Failed.
func (o Outcome) Verdict() decide.Verdict {
	if o.Decision == nil || o.Decision.Verdict == decide.Allow && o.Problem != nil {
		return decide.Failed
	}
	return o.Decision.Verdict
}
