package decide

import (
	"time"

	"github.com/org/goproxy-action/internal/lockfile"
)

// Verdict is the answer. The zero value is no answer, and is treated as Deny.
type Verdict int

// Verdicts.
const (
	Undecided Verdict = iota
	Allow
	Deny
	// Failed: the question could not be decided; never an allowance.
	Failed
)

// String is allow, deny or error.
func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case Failed:
		return "error"
	case Undecided, Deny:
		return "deny"
	}
	return "deny"
}

// Modes.
const (
	Enforce = "enforce"
	Audit   = "audit"
)

// Severities.
const (
	Error   = "error"
	Warning = "warning"
	Note    = "note"
	Off     = "off"
)

// Statuses of a finding.
const (
	// Active counts.
	Active = "active"
	// Mended: a setting found bad that the plan overrides.
	Mended = "mended"
	// StatusUnknown: the rule could not be answered.
	StatusUnknown = "unknown"
	// Waived: somebody has taken it upon himself, for a time; it does not count.
	Waived = "waived"
	// Expired: the waiver has ended, so that it counts again.
	Expired = "expired"
	// Known: the commit that a change is measured against has it already; it does not count.
	Known = "known"
)

// Finding is one thing a rule objects to.
type Finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Status   string `json:"status"`
	Message  string `json:"message"`
	lockfile.Position
	// Subject is what it is about: a module, a package, a host, a setting.
	Subject string `json:"subject"`
	// Fix is the next step.
	Fix string `json:"fix"`
	// Waiver is who has waived it, where the status is Waived, or had, where it is Expired.
	Waiver *Waiver `json:"waiver,omitempty"`
}

// Counting tells whether it counts: it is active, for the first time or again.
func (f Finding) Counting() bool { return f.Status == Active || f.Status == Expired }

// Decision is the answer with its reasons.
type Decision struct {
	Verdict  Verdict
	Mode     string
	Findings []Finding
	Counts   Counts
	// Notes say which waivers were of no use.
	Notes    []string
	Duration time.Duration
}

// Counts sums up. Errors and Warnings count findings that count.
type Counts struct {
	Packages int `json:"packages"`
	Modules  int `json:"modules"`
	Sources  int `json:"sources"`
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Mended   int `json:"mended"`
	Waived   int `json:"waived"`
	Known    int `json:"known"`
}
