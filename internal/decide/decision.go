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
}

// Decision is the answer with its reasons.
type Decision struct {
	Verdict  Verdict
	Mode     string
	Findings []Finding
	Counts   Counts
	Duration time.Duration
}

// Counts sums up. Errors and Warnings count active findings.
type Counts struct {
	Packages int `json:"packages"`
	Modules  int `json:"modules"`
	Sources  int `json:"sources"`
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Mended   int `json:"mended"`
	Waived   int `json:"waived"`
}
