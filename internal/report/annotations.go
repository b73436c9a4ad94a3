package report

import (
	"fmt"
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

// Annotations are the active findings, one for each rule and file, and what kept the run from its end. Notes appear
// only where they have a line to stand at. Where there are more than GitHub shows, the last of a level counts the rest.
// In audit mode nothing is an error.
func Annotations(o Outcome) []Annotation {
	var all []Annotation
	for _, c := range troubles(o) {
		all = append(all, Annotation{Level: levelError, Title: "goproxy-action", Message: withFix(plain(cause(c)), c.Hint)})
	}
	for _, l := range lines(o.Decision) {
		a := Annotation{Title: "goproxy-action " + plain(l.ID), Message: withFix(plain(l.text())+l.more(), l.Fix)}
		if filepath.IsLocal(l.File) {
			a.File, a.Line, a.Column = bounded(l.File, 0), l.Line, l.Column
		} else if l.File != "" {
			a.Message = plain(l.place()) + ": " + a.Message
		}
		switch {
		case l.word() == decide.Error, l.word() == decide.StatusUnknown && l.Severity == decide.Error:
			a.Level = levelError
			if o.Decision.Mode == decide.Audit {
				a.Level = levelWarning
			}
		case l.word() == decide.Warning:
			a.Level = levelWarning
		case l.word() == decide.Note && a.File != "":
			a.Level = levelNotice
		default:
			continue
		}
		all = append(all, a)
	}
	return capped(all)
}

func withFix(message, fix string) string {
	if fix == "" {
		return message
	}
	return message + "\nfix: " + plain(fix)
}

func capped(all []Annotation) []Annotation {
	total, seen := map[string]int{}, map[string]int{}
	for _, a := range all {
		total[a.Level]++
	}
	var out []Annotation
	for _, a := range all {
		seen[a.Level]++
		switch n := seen[a.Level]; {
		case n < maxAnnotations, total[a.Level] == maxAnnotations:
			out = append(out, a)
		case n == maxAnnotations:
			out = append(out, Annotation{Level: a.Level, Title: "goproxy-action",
				Message: fmt.Sprintf("%s more in the log and the job summary", count(total[a.Level]-n+1, a.Level))})
		}
	}
	return out
}
