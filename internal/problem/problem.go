// Package problem says what went wrong, why, and what to do next.
//
// An error of this program is read in a red build, far from its documentation. So it carries three things: the
// outcome (which becomes the exit code), the cause, and the next step.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// Code is the outcome of a run as the exit code of the process. The codes are a contract with scripts.
type Code int

const (
	// Clean: nothing to object to.
	Clean Code = 0
	// Violations: a policy said no.
	Violations Code = 1
	// Usage: bad use, bad configuration, or a file that cannot be understood.
	Usage Code = 2
	// Unanswered: an enabled error-level rule, or the proof of a change, could not be answered because of the network.
	Unanswered Code = 3
	// Security: a checksum mismatch or a forked log.
	Security Code = 4
	// Bug: the program is at fault.
	Bug Code = 70
)

// Problem is an error that names the outcome and the next step.
type Problem struct {
	Code Code
	// Op is what was being done, with the file and, where known, line and column ("go.sum:12:1").
	Op string
	// Err is the cause; nil where Op says it all.
	Err error
	// Hint is the next step, a sentence without a full stop; empty where Err already ends with one.
	Hint string
	// Excerpt is the offending text of the file, possibly of several lines, already free of secrets; may be empty.
	Excerpt string
}

// New returns a Problem with a cause made from format and args.
func New(code Code, op, hint, format string, args ...any) *Problem {
	return &Problem{Code: code, Op: op, Err: fmt.Errorf(format, args...), Hint: hint}
}

// Error is "op: cause", and the hint behind a semicolon.
func (p *Problem) Error() string {
	var parts []string
	if p.Op != "" {
		parts = append(parts, p.Op)
	}
	if p.Err != nil {
		parts = append(parts, p.Err.Error())
	}
	text := strings.Join(parts, ": ")
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// CodeOf is the one place where an error becomes an exit code: nil is Clean, a Problem has its own, any other error is
// a Bug. Of several joined problems the gravest counts: Security, Bug, Usage, Violations, Unanswered.
func CodeOf(err error) Code {
	if err == nil {
		return Clean
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		worst := Clean
		for _, e := range joined.Unwrap() {
			if c := CodeOf(e); gravity(c) > gravity(worst) {
				worst = c
			}
		}
		return worst
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	return Bug
}

func gravity(c Code) int {
	switch c {
	case Clean:
		return 0
	case Unanswered:
		return 1
	case Violations:
		return 2
	case Usage:
		return 3
	case Security:
		return 5
	case Bug:
		return 4
	}
	return 4
}
