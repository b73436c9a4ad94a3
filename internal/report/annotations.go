package report

import (
	"path/filepath"

	"github.com/org/goproxy-action/internal/decide"
)

// Levels of an annotation, as GitHub calls them.
const (
	levelError   = "error"
	levelWarning = "warning"
	levelNotice  = "notice"
)

// maxAnnotations is how many of each level GitHub shows for a step.
const maxAnnotations = 10

// Annotation is one remark on a line of a file of the checkout.
type Annotation struct {
	// Level is error, warning or notice.
	Level string
	// File is relative to the checkout, with slashes; empty where the remark is on no file of it.
	File string
	// Line and Column start at 1; zero means the file as a whole.
	Line, Column int
	Title        string
	// Message may have several lines.
	Message string
}

// Annotations are the active findings, and what kept the run from its end, the gravest first; entries of one lock file
// with the same fault are one. Each rule has its turn before any has a second, so that a rule with many findings leaves
// room for the others: where there are more than GitHub shows, the last of a level counts the rest. Notes appear only
// where they have a line to stand at. In audit mode nothing is an error.
func Annotations(o Outcome) []Annotation {
	var all []Annotation
	for _, c := range troubles(o) {
		all = append(all, Annotation{Level: levelError, Title: "goproxy-action", Message: withFix(plain(cause(c)), c.Hint)})
	}
	found, longest := blocks(o.Decision), 0
	for _, b := range found {
		longest = max(longest, len(b))
	}
	for turn := range longest {
		for _, b := range found {
			if turn < len(b) {
				all = append(all, b[turn].annotation(o.Decision.Mode))
			}
		}
	}
	return capped(all)
}

// annotation has no level where the finding is not to be shown.
func (l line) annotation(mode string) Annotation {
	a := Annotation{Title: "goproxy-action " + plain(l.ID), Message: l.remark()}
	if filepath.IsLocal(l.File) {
		a.File, a.Line, a.Column = bounded(l.File, 0), l.Line, l.Column
	}
	switch word := l.word(); {
	case l.Status == decide.Known: // what the change is not about
	case word == decide.Error, word == decide.StatusUnknown && l.Severity == decide.Error:
		a.Level = levelError
		if mode == decide.Audit {
			a.Level = levelWarning
		}
	case word == decide.Warning:
		a.Level = levelWarning
	case word == decide.Note && a.File != "":
		a.Level = levelNotice
	}
	return a
}

// capped sorts by level, and leaves of each what GitHub shows.
func capped(all []Annotation) []Annotation {
	var out []Annotation
	for _, level := range []string{levelError, levelWarning, levelNotice} {
		var some []Annotation
		for _, a := range all {
			if a.Level == level {
				some = append(some, a)
			}
		}
		if n := len(some); n > maxAnnotations {
			some = append(some[:maxAnnotations-1], Annotation{Level: level, Title: "goproxy-action",
				Message: count(n-maxAnnotations+1, level) + " more (all are in the JSON report)"})
		}
		out = append(out, some...)
	}
	return out
}
