package report

import (
	"cmp"
	"io"
	"path"
	"strconv"

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
// say that a run did not come to its end; a blocker does. GitLab names no limit and shows what a browser can; one remark
// counts what is over SARIF's. The error is the writer's.
func CodeQuality(w io.Writer, o Outcome) error {
	return writeJSON(w, []degradation{}, "[]", func(yield func(any) bool) {
		seen := fingerprints{}
		remark := func(l line, severity, text, file string, row int) bool {
			d := degradation{Description: text, Check: plain(l.ID), Fingerprint: seen.of(l, file), Severity: severity}
			d.Location.Path, d.Location.Lines.Begin = bounded(file, 0), row
			return yield(d)
		}
		general := func(severity, message, hint string) bool {
			return remark(line{Finding: decide.Finding{ID: "goproxy-action", Message: message}}, severity, withFix(plain(message), hint), path.Join(o.Prefix, config.File), 1)
		}
		for _, c := range troubles(o) {
			if !general("blocker", cause(c), c.Hint) {
				return
			}
		}
		severities := map[string]string{decide.Error: "critical", decide.Warning: "major", decide.Note: "info"}
		shown, over, gravest := 0, 0, ""
		for l := range lines(o.Decision) {
			severity := severities[l.grade(o.Decision.Mode)]
			switch {
			case l.excused():
			case shown == maxResults:
				over++
				gravest = cmp.Or(gravest, severity)
			default:
				shown++
				name, row, _ := o.file(l)
				if !remark(l, severity, l.remark(), name, row) {
					return
				}
			}
		}
		if over > 0 {
			general(gravest, count(over, "finding")+" left out here: this report takes "+strconv.Itoa(maxResults)+" (all are in the JSON report)", "")
		}
	})
}
