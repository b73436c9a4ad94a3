package decide

import (
	"cmp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
)

// Terms are what findings are weighed by beside the rules.
type Terms struct {
	// Mode is Enforce or Audit.
	Mode    string
	Waivers Waivers
	// Known tells what the commit has already that a change is measured against; nil where all counts.
	Known func(Finding) bool
}

// Decide weighs the findings of a job as it would have been (before) and as it will be after the plan (after). What the
// plan mended, what is waived and what was known before are kept for the report and do not count. One active error
// denies; without one, an error-level rule that could not be answered fails. The verdict does not depend on mode: what
// audit means for the exit is the caller's. Counts.Packages and Counts.Modules are the caller's too.
func Decide(terms Terms, before, after []Finding, in Input) Decision {
	type key struct {
		id, subject string
		at          lockfile.Position
	}
	keyOf := func(f Finding) key { return key{f.ID, f.Subject, f.Position} }
	d := Decision{Verdict: Allow, Mode: terms.Mode, Findings: slices.Clone(after), Counts: Counts{Sources: len(in.Sources)}}
	left := map[key]bool{}
	for _, f := range after {
		left[keyOf(f)] = true
	}
	for _, f := range before {
		// a question that has an answer by now was never a fault
		if f.Status == Active && !left[keyOf(f)] {
			f.Status = Mended
			d.Findings = append(d.Findings, f)
		}
	}
	d.Notes = terms.Waivers.apply(d.Findings)
	for i := range d.Findings {
		if f := &d.Findings[i]; f.Counting() && terms.Known != nil && terms.Known(*f) {
			f.Status = Known
		}
	}
	sortFindings(d.Findings)
	for _, f := range d.Findings {
		switch {
		case f.Status == Mended:
			d.Counts.Mended++
		case f.Status == Waived:
			d.Counts.Waived++
		case f.Status == Known:
			d.Counts.Known++
		case f.Status == StatusUnknown && f.Severity == Error && d.Verdict == Allow:
			d.Verdict = Failed
		case f.Counting() && f.Severity == Error:
			d.Counts.Errors++
			d.Verdict = Deny
		case f.Counting() && f.Severity == Warning:
			d.Counts.Warnings++
		}
	}
	return d
}

// sortFindings orders by severity, place, rule and subject.
func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			slices.Index(levels, a.Severity)-slices.Index(levels, b.Severity),
			strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column,
			strings.Compare(a.ID, b.ID), strings.Compare(a.Subject, b.Subject),
			strings.Compare(a.Message, b.Message), strings.Compare(a.Status, b.Status),
		)
	})
}
