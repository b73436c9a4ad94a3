package decide

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	finding := func(id, severity, status string) Finding {
		return Finding{ID: id, Severity: severity, Status: status, Subject: id, Message: id}
	}
	bad, weak, note := finding("A1", Error, Active), finding("A2", Warning, Active), finding("A3", Note, Active)
	open, asked := finding("A4", Error, StatusUnknown), finding("A5", Note, StatusUnknown)
	mended := func(f Finding) Finding { f.Status = Mended; return f }
	moved := bad
	moved.Line = 7
	for _, tt := range []struct {
		name          string
		before, after []Finding
		want          Verdict
		findings      []Finding
		counts        Counts
	}{
		{"nothing", nil, nil, Allow, nil, Counts{}},
		{"error", nil, []Finding{bad}, Deny, []Finding{bad}, Counts{Errors: 1}},
		{"warning and note", nil, []Finding{note, weak}, Allow, []Finding{weak, note}, Counts{Warnings: 1}},
		{"unanswered error", nil, []Finding{open, weak}, Failed, []Finding{open, weak}, Counts{Warnings: 1}},
		{"unanswered note", nil, []Finding{asked}, Allow, []Finding{asked}, Counts{}},
		{"error beside unanswered", nil, []Finding{open, bad}, Deny, []Finding{bad, open}, Counts{Errors: 1}},
		{"unanswered before error", nil, []Finding{open, moved}, Deny, []Finding{open, moved}, Counts{Errors: 1}},
		{"mended", []Finding{bad, weak}, []Finding{weak}, Allow, []Finding{mended(bad), weak}, Counts{Warnings: 1, Mended: 1}},
		{"not mended", []Finding{bad}, []Finding{bad}, Deny, []Finding{bad}, Counts{Errors: 1}},
		{"answered", []Finding{open}, nil, Allow, nil, Counts{}},
		{"other position", []Finding{bad}, []Finding{moved}, Deny, []Finding{mended(bad), moved}, Counts{Errors: 1, Mended: 1}},
	} {
		in := well()
		tt.counts.Sources = len(in.Sources)
		got := Decide(Terms{Mode: Audit}, tt.before, tt.after, in)
		if len(got.Findings) == 0 {
			got.Findings = nil
		}
		if diff := cmp.Diff(Decision{Verdict: tt.want, Mode: Audit, Findings: tt.findings, Counts: tt.counts}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// One fault in ten thousand settings stays one fault, and the slices of the caller stay as they are.
func TestDecideLeavesItsArgumentsAlone(t *testing.T) {
	t.Parallel()
	after := []Finding{{ID: "B1", Severity: Note, Status: Active}, {ID: "A1", Severity: Error, Status: Active}}
	Decide(Terms{Mode: Enforce}, []Finding{{ID: "C1", Severity: Error, Status: Active}}, after, Input{})
	if after[0].ID != "B1" {
		t.Error("Decide sorted its argument")
	}
}
