package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, situation, name, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "testdata", "report", situation, name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs from %s (-want +got; go test -update rewrites it):\n%s", name, path, d)
	}
}

func render(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSituations(t *testing.T) {
	t.Parallel()
	for name, o := range situations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := render(t, func(w io.Writer) error { return Text(w, o, Style{}) })
			doc := render(t, func(w io.Writer) error { return JSON(w, o) })
			page := Markdown(o, 0)
			var remarks strings.Builder
			for _, a := range Annotations(o) {
				fmt.Fprintf(&remarks, "%s %q:%d:%d %s: %q\n", a.Level, a.File, a.Line, a.Column, a.Title, a.Message)
			}
			golden(t, name, "report.txt", text)
			golden(t, name, "report.json", doc)
			golden(t, name, "report.md", page)
			golden(t, name, "annotations.txt", remarks.String())
			for format, out := range map[string]string{"text": text, "json": doc, "markdown": page, "annotations": remarks.String()} {
				if strings.Contains(out, "hunter") {
					t.Errorf("%s shows a secret", format)
				}
				if strings.ContainsAny(out, "\x1b\r\u202e\u200b") {
					t.Errorf("%s holds a character that deceives a terminal", format)
				}
			}
			checkLog(t, text)
			checkPage(t, page)
			if again := Markdown(o, 0); again != page {
				t.Error("the page differs from one rendering to the next")
			}
		})
	}
}

// checkLog fails where a CI runner would take a line for a command.
func checkLog(t *testing.T, text string) {
	t.Helper()
	for l := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(l), "::") || strings.Contains(l, "##[") {
			t.Errorf("the line %q is a command to a runner", l)
		}
	}
}

// notText is what a page's reader looks for no links in: code and entities.
var notText = regexp.MustCompile("`[^`]*`|&#[0-9]+;")

// checkPage fails where a stranger's text breaks a table or becomes markup or a link.
func checkPage(t *testing.T, page string) {
	t.Helper()
	columns := 0
	for l := range strings.Lines(page) {
		l = strings.TrimSuffix(l, "\n")
		if n := strings.Count(l, "|"); strings.HasPrefix(l, "|") {
			if columns == 0 {
				columns = n
			}
			if n != columns || !strings.HasSuffix(l, "|") {
				t.Errorf("the row %q has %d separators, not %d", l, n, columns)
			}
		} else {
			if n != 0 {
				t.Errorf("a separator outside of a table: %q", l)
			}
			columns = 0
		}
		if strings.ContainsAny(l, "<>\r") {
			t.Errorf("the line %q holds a tag or a line end", l)
		}
		if strings.Count(l, "`")%2 != 0 {
			t.Errorf("the line %q does not end its code", l)
		}
		rest := notText.ReplaceAllString(l, "")
		rest = strings.TrimLeft(rest, "#") // a heading of ours
		for _, link := range []string{"@", "#", "://", "www.", "$", "["} {
			if strings.Contains(rest, link) {
				t.Errorf("the line %q holds %q outside of code", l, link)
			}
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	all := situations()
	quietOne := all["allDirect"]
	noted := quietOne
	d := *noted.Decision
	d.Findings = []decide.Finding{{ID: "SRC001", Severity: decide.Note, Status: decide.Active}, {ID: "LCK001", Severity: decide.Error, Status: waived}}
	noted.Decision, noted.NotAsked = &d, []string{"addresses behind the proxy"}
	checked := Outcome{Command: "check", Decision: quietOne.Decision, Duration: 58 * msec}
	bare := Outcome{Command: "check", Decision: &decide.Decision{Verdict: decide.Allow, Mode: decide.Audit}, Duration: msec}
	for _, tt := range []struct {
		name string
		o    Outcome
		want string
	}{
		{"setup", quietOne, "goproxy-action: direct network, go via official (38 ms, checksum database relayed), npm via official (41 ms); 312 modules and 2149 packages allowed; nothing changed (212 ms)"},
		{"notes", noted, "goproxy-action: direct network, go via official (38 ms, checksum database relayed), npm via official (41 ms); 312 modules and 2149 packages allowed; nothing changed; not asked: addresses behind the proxy; 1 note in the JSON report (212 ms)"},
		{"check", checked, "goproxy-action: 312 modules and 2149 packages allowed (58 ms)"},
		{"nothing pinned", bare, "goproxy-action: nothing pinned here, settings allowed (audit mode) (1.0 ms)"},
		{"restore", Outcome{Command: "restore", Duration: 2 * msec}, "goproxy-action: nothing to restore (2.0 ms)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Line(tt.o); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := render(t, func(w io.Writer) error { return Text(w, tt.o, Style{}) }); got != tt.want+"\n" {
				t.Errorf("Text is not this one line: %q", got)
			}
		})
	}
}

// What is not known to be well is never told as if it were.
func TestNotQuiet(t *testing.T) {
	t.Parallel()
	well := situations()["allDirect"]
	finding := func(severity, status string) func(*Outcome) {
		return func(o *Outcome) {
			d := *o.Decision
			d.Findings = []decide.Finding{{ID: "X", Severity: severity, Status: status}}
			o.Decision = &d
		}
	}
	for name, change := range map[string]func(*Outcome){
		"no decision": func(o *Outcome) { o.Decision = nil },
		"zero decision": func(o *Outcome) {
			o.Decision = &decide.Decision{}
		},
		"problem": func(o *Outcome) { o.Problem = errors.New("x") },
		"change":  func(o *Outcome) { o.Changes = []inject.Change{{Name: "GOPROXY"}} },
		"warning": finding(decide.Warning, decide.Active),
		"mended":  finding(decide.Error, decide.Mended),
		"unknown": finding(decide.Error, decide.StatusUnknown),
		"expired": finding(decide.Warning, expired),
		"captive": func(o *Outcome) { o.Detect = &detect.Report{Class: detect.Captive} },
		"failed": func(o *Outcome) {
			o.Detect = &detect.Report{Class: detect.Direct, Rows: []detect.Row{{Source: goOfficial}}}
		},
		"not kept":    func(o *Outcome) { o.Plan = &choose.Plan{Choices: []choose.Choice{{Ecosystem: "go"}}} },
		"detect":      func(o *Outcome) { o.Command = "detect" },
		"audit, deny": func(o *Outcome) { o.Decision = &decide.Decision{Verdict: decide.Deny, Mode: decide.Audit} },
	} {
		o := well
		change(&o)
		if quiet(o) {
			t.Errorf("%s: one line is not enough", name)
		}
	}
}

func TestColorAndWidth(t *testing.T) {
	t.Parallel()
	o := situations()["interceptedDenied"]
	painted := render(t, func(w io.Writer) error { return Text(w, o, Style{Color: true}) })
	bare := render(t, func(w io.Writer) error { return Text(w, o, Style{}) })
	if got := regexp.MustCompile(`\x1b\[3[123]m(error|warning|unknown|ok|mended|failed)\x1b\[0m`).ReplaceAllString(painted, "$1"); got != bare {
		t.Errorf("colour stands on other words, or moves the columns:\n%s", cmp.Diff(bare, got))
	}
	wrapped := render(t, func(w io.Writer) error { return Text(w, o, Style{Color: true, Width: 60}) })
	for l := range strings.Lines(wrapped) {
		if n := width(strings.TrimSuffix(l, "\n")); n > 60 && strings.HasPrefix(l, "    fix") {
			t.Errorf("%d columns: %q", n, l)
		}
	}
	if d := cmp.Diff(strings.Fields(painted), strings.Fields(wrapped)); d != "" {
		t.Errorf("wrapping changes words: %s", d)
	}
	o = Outcome{Command: "check", Notes: []string{"aaaa bbbb ::error::x cccc"}}
	checkLog(t, render(t, func(w io.Writer) error { return Text(w, o, Style{Width: 10}) }))
}

func TestJSONKeys(t *testing.T) {
	t.Parallel()
	has := func(t *testing.T, document any, path string) {
		t.Helper()
		v := document
		for key := range strings.SplitSeq(path, ".") {
			if list, ok := v.([]any); ok {
				if len(list) == 0 {
					t.Fatalf("%s: the array is empty", path)
				}
				v = list[0]
			}
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("%s: no object before %s", path, key)
			}
			if v, ok = m[key]; !ok {
				t.Fatalf("%s is missing", path)
			}
		}
	}
	for situation, keys := range map[string]string{
		"captive": `class tls.intercepted tls.issuer tls.spki proxies sources.id sources.ecosystem sources.url sources.via sources.ok sources.reason
			sources.content_verified sources.checksum_db sources.name_ms sources.connect_ms sources.tls_ms sources.ttfb_ms sources.ips evidence duration_ms error`,
		"hostileNames": `decision mode findings.id findings.severity findings.status findings.message findings.file findings.line findings.column findings.subject findings.fix
			counts.packages counts.modules counts.sources counts.errors counts.warnings counts.mended counts.waived not_asked notes duration_ms error.message error.hint error.exit_code`,
		"restrictedSwitched": `detect.class detect.duration_ms detect.sources.id plan.sources.id plan.sources.ecosystem plan.sources.url plan.sources.via plan.sources.why plan.sources.latency_ms
			plan.sources.checksum_db plan.choices.ecosystem plan.choices.kept plan.choices.why decision mode findings counts.modules changes.kind changes.ecosystem changes.name changes.value
			changes.why applied proof not_asked notes error duration_ms`,
	} {
		var document any
		if err := json.Unmarshal([]byte(render(t, func(w io.Writer) error { return JSON(w, situations()[situation]) })), &document); err != nil {
			t.Fatal(err)
		}
		for _, key := range strings.Fields(keys) {
			has(t, document, key)
		}
	}
	// nothing known at all: no array is null, nothing is allowed, unknown stays unknown
	for _, command := range []string{"setup", "check", "detect", "restore"} {
		doc := render(t, func(w io.Writer) error { return JSON(w, Outcome{Command: command}) })
		for key := range strings.SplitSeq("proxies sources evidence ips findings changes choices not_asked notes unavailable", " ") {
			if strings.Contains(doc, `"`+key+`": null`) {
				t.Errorf("%s: %s is null", command, key)
			}
		}
		if strings.Contains(doc, `"allow"`) {
			t.Errorf("%s: no decision is an allowance", command)
		}
	}
}

func TestMarkdownLimit(t *testing.T) {
	t.Parallel()
	o := Outcome{Command: "check", Decision: &decide.Decision{Verdict: decide.Deny}}
	for i := range 3000 {
		o.Decision.Findings = append(o.Decision.Findings, decide.Finding{ID: "LCK003", Severity: decide.Error, Status: decide.Active,
			Message: "has no integrity", Position: at(fmt.Sprintf("%d/package-lock.json", i), 1, 1)})
	}
	for _, limit := range []int{1 << 20, 20_000, 2_000, 300, 100, 40, 5} {
		page := Markdown(o, limit)
		if len(page) > limit {
			t.Errorf("%d bytes, and at most %d may be", len(page), limit)
		}
		if limit > 100 && !strings.Contains(page, "left out here") {
			t.Errorf("limit %d: it is not said that something is left out", limit)
		}
		if limit > 40 && !strings.Contains(page, "denied") {
			t.Errorf("limit %d: the decision is lost", limit)
		}
	}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	many := Outcome{Decision: &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce}}
	for i := range 25 {
		many.Decision.Findings = append(many.Decision.Findings, decide.Finding{ID: "LCK003", Severity: decide.Error, Status: decide.Active,
			Message: "x", Position: at(fmt.Sprintf("%d/package-lock.json", i), 1, 1)})
	}
	got := Annotations(many)
	if len(got) != maxAnnotations || got[9].Message != "16 errors more in the log and the job summary" {
		t.Errorf("25 files: %d annotations, the last %q", len(got), got[len(got)-1].Message)
	}
	many.Decision.Findings = many.Decision.Findings[:10]
	if got = Annotations(many); len(got) != 10 || got[9].File != "9/package-lock.json" {
		t.Errorf("10 files are %d annotations, the last at %q", len(got), got[len(got)-1].File)
	}
	many.Decision.Mode = decide.Audit
	if got = Annotations(many); got[0].Level != levelWarning {
		t.Errorf("in audit mode an error is shown as %s", got[0].Level)
	}
	for _, file := range []string{"/etc/passwd", "../x", "a/../../x"} {
		o := Outcome{Decision: &decide.Decision{Findings: []decide.Finding{{ID: "X", Severity: decide.Error, Status: decide.Active, Position: at(file, 1, 1)}}}}
		if got := Annotations(o); got[0].File != "" {
			t.Errorf("%s is no file of the checkout", file)
		}
	}
	if got := Annotations(Outcome{Decision: &decide.Decision{Findings: []decide.Finding{{Severity: decide.Error, Status: decide.Mended}}}}); len(got) != 0 {
		t.Errorf("a mended finding is shown: %v", got)
	}
	if got := Annotations(Outcome{Problem: problem.New(problem.Usage, "x", "do y", "bad")}); len(got) != 1 || got[0].Message != "x: bad\nfix: do y" {
		t.Errorf("a problem is %v", got)
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{"left-pad@1.0.0", "a|b\n`c` <b> [x](y) @m #1", "::error::x", "##[error]", "\\", "`", "\\|", "- x", "1. x", "https://u:p@h/?token=x", "\u202e\xff\x00", ":a:", "  ", "$`x`$"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		o := Outcome{
			Command: "setup", Where: b, Proof: a, Applied: true, Notes: []string{a, b}, NotAsked: []string{b}, Unavailable: []string{a},
			Detect: &detect.Report{Class: detect.Class("direct"), Intercepted: detect.Yes, Issuer: a, Evidence: []string{b},
				Proxies: []detect.Proxy{{Scheme: "https", URL: a, Origin: b}}, Rows: []detect.Row{{Source: src(a, b, "", b), Via: "direct", Reason: a}}},
			Plan:     &choose.Plan{Choices: []choose.Choice{{Ecosystem: a, Why: b, Sources: []choose.Picked{{Source: src(b, a, "", a)}}}}},
			Decision: &decide.Decision{Verdict: decide.Deny, Findings: []decide.Finding{{ID: a, Severity: decide.Error, Status: decide.Active, Message: a, Subject: b, Fix: a, Position: at(b, 1, 1)}}},
			Changes:  []inject.Change{{Name: a, Value: b, Shown: b, Why: a}},
			Problem:  &problem.Problem{Code: problem.Usage, Op: a, Err: errors.New(b), Hint: a, Excerpt: b},
		}
		checkPage(t, Markdown(o, 0))
		checkLog(t, render(t, func(w io.Writer) error { return Text(w, o, Style{Color: true, Width: 40}) }))
		checkLog(t, Line(o))
		if !json.Valid([]byte(render(t, func(w io.Writer) error { return JSON(w, o) }))) {
			t.Error("no JSON")
		}
		for _, limit := range []int{10, 200, 1000} {
			if n := len(Markdown(o, limit)); n > limit {
				t.Errorf("%d bytes, at most %d allowed", n, limit)
			}
		}
		Annotations(o)
	})
}
