package report

import (
	"fmt"
	"io"
	"testing"

	"github.com/org/goproxy-action/internal/decide"
)

// many is a lock file of n entries with one fault each, of two rules.
func many(n int) Outcome {
	d := &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce}
	for i := range n {
		f := decide.Finding{ID: "LCK001", Severity: decide.Error, Status: decide.Active, Subject: fmt.Sprintf("package-%d@1.0.0", i),
			Message: fmt.Sprintf("package-%d@1.0.0 comes from a.test, which is named by this change and in no list of trusted hosts", i),
			Fix:     `use a trusted host, or list "a.test" and all others you use under trusted.npm in .goproxy/config.yaml`, Position: at("package-lock.json", i+1, 19)}
		if i%2 == 1 {
			f.ID, f.Message, f.Fix = "LCK003", fmt.Sprintf("package-%d@1.0.0 has no integrity", i), "delete node_modules and the entry, run npm install, and commit the lock file"
		}
		d.Findings = append(d.Findings, f)
	}
	return Outcome{Command: "check", Version: "v1.0.0", Decision: d, Rules: asked("LCK001", "LCK003")}
}

// What a report of many findings takes, for each of them and at its largest.
func BenchmarkFormats(b *testing.B) {
	for _, n := range []int{10_000, 200_000} {
		o := many(n)
		for _, f := range []struct {
			name  string
			write func(io.Writer, Outcome) error
		}{
			{"json", JSON}, {"sarif", SARIF}, {"codequality", CodeQuality}, {"junit", JUnit},
			{"text", func(w io.Writer, o Outcome) error { return Text(w, o, Style{}) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", f.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := f.write(io.Discard, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
