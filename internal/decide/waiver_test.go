package decide

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/problem"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// waivers are written as RULE MATCH EXPIRES, one a line; the owner is the line's letter.
func waivers(t *testing.T, lines ...string) []config.Waiver {
	t.Helper()
	text := "waivers:\n"
	for i, l := range lines {
		f := strings.Fields(l)
		text += fmt.Sprintf("- {rule: %s, match: {%s}, reason: it is, owner: %c, expires: %s}\n", f[0], strings.Join(f[1:len(f)-1], " "), 'a'+i, f[len(f)-1])
	}
	all, err := config.LoadWaivers([]byte(text), "w.yaml", false, noon, 180)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return all
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	bad := Finding{ID: "LCK002", Severity: Error, Status: Active, Subject: "@corp/a@1.0.0", Message: "@corp/a@1.0.0 comes from a.test over http", Position: at("web/package-lock.json", 3, 5)}
	with := func(change func(*Finding)) Finding { f := bad; change(&f); return f }
	env := Finding{ID: "GO003", Severity: Error, Status: Active, Subject: "GOINSECURE", Message: "is set"}
	unknown := with(func(f *Finding) { f.Status = StatusUnknown })
	const w = "w.yaml"
	for _, tt := range []struct {
		name    string
		waivers []string
		change  []string
		judged  bool
		before  []Finding
		after   []Finding
		want    Verdict
		status  string // of the first finding
		waiver  string // its owner and end
		counts  Counts
		notes   []string
	}{
		{name: "none", after: []Finding{bad}, want: Deny, status: Active, counts: Counts{Errors: 1}},
		{name: "waived", waivers: []string{"LCK002 file: web/*.json, subject: '@corp/*', message: '*over http' 2026-12-01"}, after: []Finding{bad},
			want: Allow, status: Waived, waiver: "a 2026-12-01", counts: Counts{Waived: 1}},
		{name: "the last day", waivers: []string{"LCK002 subject: '@corp/*' 2026-11-22"}, after: []Finding{bad}, want: Allow, status: Waived, waiver: "a 2026-11-22", counts: Counts{Waived: 1}},
		{name: "the day after", waivers: []string{"LCK002 subject: '@corp/*' 2026-11-21"}, after: []Finding{bad}, want: Deny, status: Expired, waiver: "a 2026-11-21", counts: Counts{Errors: 1}},
		{name: "a warning again", waivers: []string{"LCK002 subject: '@corp/*' 2026-11-21"}, after: []Finding{with(func(f *Finding) { f.Severity = Warning })},
			want: Allow, status: Expired, waiver: "a 2026-11-21", counts: Counts{Warnings: 1}},
		{name: "one that has not ended counts", waivers: []string{"LCK002 subject: '@corp/*' 2026-01-01", "LCK002 file: web/** 2026-12-01", "LCK002 file: '**' 2026-12-02"}, after: []Finding{bad},
			want: Allow, status: Waived, waiver: "b 2026-12-01", counts: Counts{Waived: 1}},
		{name: "other rule, file, subject, message", waivers: []string{"LCK001 subject: '@corp/*' 2026-12-01", "LCK002 file: package-lock.json 2026-12-01", "LCK002 file: web/**, subject: '@corp/b*' 2026-12-01", "LCK002 message: '*over https' 2026-01-01"},
			after: []Finding{bad}, want: Deny, status: Active, counts: Counts{Errors: 1}, notes: []string{
				w + ":2:10: the waiver of LCK001 by a takes in nothing that was found; remove it, or correct its match",
				w + ":3:10: the waiver of LCK002 by b takes in nothing that was found; remove it, or correct its match",
				w + ":4:10: the waiver of LCK002 by c takes in nothing that was found; remove it, or correct its match",
				w + ":5:10: the waiver of LCK002 by d ended on 2026-01-01 and takes in nothing that was found; remove it"}},
		{name: "a file's pattern takes in no setting of the environment", waivers: []string{"GO003 file: '**' 2026-12-01"}, after: []Finding{env}, want: Deny, status: Active, counts: Counts{Errors: 1},
			notes: []string{w + ":2:10: the waiver of GO003 by a takes in nothing that was found; remove it, or correct its match"}},
		{name: "a setting of the environment", waivers: []string{"GO003 subject: GOINSECURE 2026-12-01"}, after: []Finding{env}, want: Allow, status: Waived, waiver: "a 2026-12-01", counts: Counts{Waived: 1}},
		{name: "unanswered", waivers: []string{"LCK002 subject: '@corp/*' 2026-12-01"}, after: []Finding{unknown}, want: Failed, status: StatusUnknown},
		{name: "mended", waivers: []string{"LCK002 subject: '@corp/*' 2026-12-01"}, before: []Finding{bad}, want: Allow, status: Mended, counts: Counts{Mended: 1}},
		{name: "a note", waivers: []string{"LCK002 subject: '@corp/*' 2026-12-01"}, after: []Finding{with(func(f *Finding) { f.Severity = Note })}, want: Allow, status: Waived, waiver: "a 2026-12-01", counts: Counts{Waived: 1}},

		{name: "a change has the same", judged: true, waivers: []string{"LCK002 subject: '@corp/*' 2026-12-01"}, change: []string{"LCK002 subject: '@corp/*' 2026-12-01"}, after: []Finding{bad},
			want: Allow, status: Waived, waiver: "a 2026-12-01", counts: Counts{Waived: 1}},
		{name: "a change gives itself none", judged: true, change: []string{"LCK002 subject: '@corp/*' 2026-12-01"}, after: []Finding{bad}, want: Deny, status: Active, counts: Counts{Errors: 1}},
		{name: "a change does not make one longer", judged: true, waivers: []string{"LCK002 subject: '@corp/*' 2026-11-01"}, change: []string{"LCK002 subject: '@corp/*' 2026-12-01"}, after: []Finding{bad},
			want: Deny, status: Expired, waiver: "a 2026-11-01", counts: Counts{Errors: 1}},
		{name: "a change makes one shorter", judged: true, waivers: []string{"LCK002 subject: '@corp/*' 2026-12-24"}, change: []string{"LCK002 file: web/** 2026-11-30", "LCK002 subject: '**' 2026-12-01"}, after: []Finding{bad},
			want: Allow, status: Waived, waiver: "a 2026-12-01", counts: Counts{Waived: 1}},
		{name: "a change takes one back", judged: true, waivers: []string{"LCK002 subject: '@corp/*' 2026-12-01"}, change: []string{"LCK002 subject: '@corp/b*' 2026-12-01"}, after: []Finding{bad},
			want: Deny, status: Active, counts: Counts{Errors: 1}, notes: []string{w + ":2:10: the waiver of LCK002 by a does not count for all that it takes in, since this change has none for it; if that is not meant, bring the branch up to date"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			terms := Terms{Mode: Enforce, Waivers: Waivers{List: waivers(t, tt.waivers...), Change: waivers(t, tt.change...), Judged: tt.judged, Now: noon}}
			d := Decide(terms, tt.before, tt.after, Input{})
			f := d.Findings[0]
			got := ""
			if f.Waiver != nil {
				got = f.Waiver.Owner + " " + f.Waiver.Expires
				if f.Waiver.Reason != "it is" {
					t.Error(f.Waiver.Reason)
				}
			}
			if d.Verdict != tt.want || f.Status != tt.status || got != tt.waiver || d.Counts != tt.counts {
				t.Errorf("%v, %s by %q, %+v", d.Verdict, f.Status, got, d.Counts)
			}
			if diff := cmp.Diff(tt.notes, d.Notes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What the base commit has already does not count; what was waived stays waived, and a question stays open.
func TestKnown(t *testing.T) {
	t.Parallel()
	finding := func(subject, severity, status string) Finding {
		return Finding{ID: "LCK002", Subject: subject, Severity: severity, Status: status, Message: "x", Position: at("package-lock.json", 1, 1)}
	}
	terms := Terms{Known: func(f Finding) bool { return strings.HasPrefix(f.Subject, "old") },
		Waivers: Waivers{List: waivers(t, "LCK002 subject: old-waived 2026-12-01", "LCK002 subject: old-expired 2026-01-01"), Now: noon}}
	d := Decide(terms, nil, []Finding{finding("old", Error, Active), finding("old-waived", Error, Active), finding("old-expired", Error, Active), finding("old-open", Warning, StatusUnknown), finding("new", Warning, Active)}, Input{})
	got := map[string]string{}
	for _, f := range d.Findings {
		got[f.Subject] = f.Status
	}
	if diff := cmp.Diff(map[string]string{"old": Known, "old-waived": Waived, "old-expired": Known, "old-open": StatusUnknown, "new": Active}, got); diff != "" {
		t.Error(diff)
	}
	if d.Verdict != Allow || d.Counts != (Counts{Known: 2, Waived: 1, Warnings: 1}) {
		t.Errorf("%v %+v", d.Verdict, d.Counts)
	}
}

func TestCheckWaivers(t *testing.T) {
	t.Parallel()
	all := waivers(t, "GO001 subject: GOSUMDB 2026-12-01", "GO999 subject: x 2026-12-01")
	e := engine(t, Data{}, Options{})
	if err := e.CheckWaivers(all[:1]); err != nil {
		t.Error(err)
	}
	err := e.CheckWaivers(all)
	if problem.CodeOf(err) != problem.Usage || !strings.HasPrefix(err.Error(), "w.yaml:3:10: there is no rule GO999; known are ") {
		t.Error(err)
	}
}

// BenchmarkWaivers: a thousand waivers of one rule and 50,000 findings.
func BenchmarkWaivers(b *testing.B) {
	text := "waivers:\n"
	for i := range 1000 {
		text += fmt.Sprintf("- {rule: LCK002, match: {subject: 'p%d@*'}, reason: r, owner: o, expires: 2026-12-01}\n", i)
	}
	list, err := config.LoadWaivers([]byte(text), "w.yaml", false, noon, 180)
	if err != nil {
		b.Fatal(err)
	}
	all := make([]Finding, 50_000)
	for i := range all {
		all[i] = Finding{ID: "LCK002", Status: Active, Subject: fmt.Sprintf("p%d@1.0.0", i), Message: "x", Position: at("package-lock.json", i, 1)}
	}
	for b.Loop() {
		Waivers{List: list, Now: noon}.apply(all)
	}
}
