package report

import (
	"io"
	"path"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
)

// degradation is one remark of GitLab's code quality report; name and keys are GitLab's.
type degradation struct {
	Description string `json:"description"`
	Check       string `json:"check_name"`
	// Fingerprint is what GitLab compares two branches by; of two equal ones it shows one.
	Fingerprint string `json:"fingerprint"`
	// Severity is info, minor, major, critical or blocker.
	Severity string `json:"severity"`
	Location struct {
		Path  string `json:"path"`
		Lines struct {
			Begin int `json:"begin"`
		} `json:"lines"`
	} `json:"location"`
}

// CodeQuality writes what counts for GitLab's code quality report, a subset of Code Climate's format. The format can not
// say that a run did not come to its end; a blocker does. The error is the writer's.
func CodeQuality(w io.Writer, o Outcome) error {
	all, seen := []degradation{}, fingerprints{}
	add := func(l line, severity, text, file string, row int) {
		d := degradation{Description: text, Check: plain(l.ID), Fingerprint: seen.of(l, file), Severity: severity}
		d.Location.Path, d.Location.Lines.Begin = bounded(file, 0), row
		all = append(all, d)
	}
	for _, c := range troubles(o) {
		add(line{Finding: decide.Finding{ID: "goproxy-action", Message: cause(c)}}, "blocker", withFix(plain(cause(c)), c.Hint), path.Join(o.Prefix, config.File), 1)
	}
	severities := map[string]string{decide.Error: "critical", decide.Warning: "major", decide.Note: "info"}
	for _, l := range lines(o.Decision) {
		if l.excused() {
			continue
		}
		name, row, _ := o.file(l)
		add(l, severities[l.grade(o.Decision.Mode)], l.remark(), name, row)
	}
	return writeJSON(w, all)
}
