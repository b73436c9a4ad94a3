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
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
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
			for format, write := range formats {
				out := render(t, func(w io.Writer) error { return write(w, o) })
				checkFormat(t, format, out)
				if slices.Contains(kept[name], format) {
					golden(t, name, "report."+format, out)
				}
			}
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
	d.Findings = []decide.Finding{{ID: "SRC001", Severity: decide.Note, Status: decide.Active}}
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

// On a narrow terminal an excerpt is cut around its place, and the caret stays below it.
func TestExcerptWidth(t *testing.T) {
	t.Parallel()
	long := exceptions()
	place := at("go.mod", 9, 10)
	long.Excerpts[place] = lockfile.Excerpt{Text: strings.Repeat("x", 60) + "HERE" + strings.Repeat("y", 60), Caret: 60}
	for _, width := range []int{0, 40, 80, 200} {
		shown := strings.Split(render(t, func(w io.Writer) error { return Text(w, long, Style{Width: width}) }), "\n")
		i := slices.IndexFunc(shown, func(l string) bool { return strings.Contains(l, "HERE") })
		if i < 0 || width > 0 && utf8.RuneCountInString(shown[i]) > width || len([]rune(shown[i][:strings.Index(shown[i], "HERE")])) != strings.Index(shown[i+1], "^") {
			t.Errorf("%d columns:\n%s", width, strings.Join(shown, "\n"))
		}
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
		"expired": finding(decide.Warning, decide.Expired),
		"waived":  finding(decide.Error, decide.Waived),
		"known":   finding(decide.Error, decide.Known),
		// these two were one line once
		"unknown note": finding(decide.Note, decide.StatusUnknown),
		"failing": func(o *Outcome) {
			o.Plan = &choose.Plan{Choices: []choose.Choice{{Ecosystem: "go", Kept: true, Failing: true, Sources: []choose.Picked{{Source: goOfficial}}}}}
		},
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

// replaced is a finding about a replace directive of one go.mod.
func replaced(module, target, file string) decide.Finding {
	return decide.Finding{ID: "MOD001", Severity: decide.Error, Status: decide.Active, Subject: module, Position: at(file, 7, 1), Fix: "drop the replace directive",
		Message: module + " is replaced by " + target + ", which lies outside the checkout"}
}

// Many findings are a few lines, and a hundred harmless ones hide none that is another.
func TestManyFindings(t *testing.T) {
	t.Parallel()
	o := Outcome{Command: "check", Dir: ".", Decision: &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce, Counts: decide.Counts{Errors: 621, Warnings: 1}}}
	add := func(f ...decide.Finding) { o.Decision.Findings = append(o.Decision.Findings, f...) }
	for i := range 220 {
		file := fmt.Sprintf("svc%03d/go.mod", i)
		add(replaced("corp.test/lib", "../../lib", file))
		if i == 100 {
			add(replaced("corp.test/login", "/tmp/evil", file))
		}
	}
	host := func(name, subject string, line int) decide.Finding {
		return decide.Finding{ID: "LCK001", Severity: decide.Error, Status: decide.Active, Subject: subject, Position: at("package-lock.json", line, 1),
			Message: subject + " comes from " + name + ", which is not in the list trusted.npm", Fix: "add " + name}
	}
	for i := range 200 {
		add(host("mirror.corp.test", fmt.Sprintf("a%d@1.0.0", i), i+1), host("mirror.corp.test", fmt.Sprintf("b%d@1.0.0", i), i+1))
	}
	add(host("evil.test", "c@1.0.0", 500))
	warned := replaced("corp.test/old", "../../old", "go.mod")
	warned.Severity = decide.Warning
	add(warned)
	want := `Findings
  error LCK001 package-lock.json:1:1 a0@1.0.0 comes from mirror.corp.test, which is not in the list trusted.npm (and 399 more)
    fix: add mirror.corp.test
  error LCK001 package-lock.json:500:1 c@1.0.0 comes from evil.test, which is not in the list trusted.npm
    fix: add evil.test
  error MOD001 svc000/go.mod:7:1 corp.test/lib is replaced by ../../lib, which lies outside the checkout
  error MOD001 svc100/go.mod:7:1 corp.test/login is replaced by /tmp/evil, which lies outside the checkout
  error MOD001 svc001/go.mod:7:1 corp.test/lib is replaced by ../../lib, which lies outside the checkout
    fix: drop the replace directive
  … and 218 more of MOD001 in 218 files (all are in the JSON report)
  warning MOD001 go.mod:7:1 corp.test/old is replaced by ../../old, which lies outside the checkout
goproxy-action: denied: 621 errors, 1 warning (0.0 ms)
`
	if d := cmp.Diff(want, render(t, func(w io.Writer) error { return Text(w, o, Style{}) })); d != "" {
		t.Errorf("the text differs (-want +got):\n%s", d)
	}
	page := Markdown(o, 0)
	checkPage(t, page)
	for part, n := range map[string]int{"\n| error |": 5, "\n| warning |": 1, "/tmp/evil": 1, "evil.test": 2, "drop the replace directive": 1,
		"|  | `MOD001` |  | … and 218 more of MOD001 in 218 files (all are in the JSON report) |  |\n": 1} {
		if got := strings.Count(page, part); got != n {
			t.Errorf("%q stands %d times on the page, not %d:\n%s", part, got, n, page)
		}
	}
	// each rule has its turn among the ten
	remarks := Annotations(o)
	var first []string
	for _, a := range remarks[:4] {
		first = append(first, a.File+strings.TrimPrefix(a.Title, "goproxy-action"))
	}
	if d := cmp.Diff([]string{"package-lock.json LCK001", "svc000/go.mod MOD001", "package-lock.json LCK001", "svc100/go.mod MOD001"}, first); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
	if len(remarks) != maxAnnotations+1 || remarks[10].Level != levelWarning {
		t.Errorf("%d annotations", len(remarks))
	}
	if doc := render(t, func(w io.Writer) error { return JSON(w, o) }); strings.Count(doc, `"id":`) != len(o.Decision.Findings) {
		t.Error("the JSON report lacks findings")
	}
}

// A run that was not finished has allowed nothing, in any format.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		verdict decide.Verdict
		code    problem.Code
		want    string
	}{
		{decide.Allow, problem.Clean, "allow"}, {decide.Allow, problem.Unanswered, "error"}, {decide.Allow, problem.Security, "error"}, {decide.Allow, problem.Usage, "error"},
		{decide.Allow, problem.Bug, "error"}, {decide.Deny, problem.Violations, "deny"}, {decide.Deny, problem.Bug, "deny"}, {decide.Failed, problem.Unanswered, "error"}, {decide.Undecided, problem.Clean, "deny"},
	} {
		o := Outcome{Command: "setup", Decision: &decide.Decision{Verdict: tt.verdict, Mode: decide.Enforce, Counts: decide.Counts{Modules: 3}}}
		if tt.code != problem.Clean {
			o.Problem = problem.New(tt.code, "prove", "", "no answer")
		}
		var got struct{ Decision string }
		if err := json.Unmarshal([]byte(render(t, func(w io.Writer) error { return JSON(w, o) })), &got); err != nil {
			t.Fatal(err)
		}
		if got.Decision != tt.want {
			t.Errorf("%v with problem %d is %s in JSON, not %s", tt.verdict, tt.code, got.Decision, tt.want)
		}
		for _, text := range []string{render(t, func(w io.Writer) error { return Text(w, o, Style{}) }), Markdown(o, 0)} {
			if strings.Contains(text, " modules allowed") != (tt.want == "allow") {
				t.Errorf("%v with problem %d is told as\n%s", tt.verdict, tt.code, text)
			}
		}
	}
	asked := render(t, func(w io.Writer) error {
		return Text(w, Outcome{Command: "detect", Detect: &detect.Report{Class: detect.Unknown}, Duration: msec}, Style{})
	})
	if !strings.HasSuffix(asked, "\ngoproxy-action: no source was asked (1.0 ms)\n") {
		t.Errorf("nothing measured is told as %q", asked)
	}
	o := Outcome{Command: "setup", Problem: problem.New(problem.Usage, ".goproxy/config.yaml:1:1", "remove it", "key is not known"), Duration: msec}
	want := "error: .goproxy/config.yaml:1:1: key is not known\n  fix: remove it\ngoproxy-action: not finished; nothing changed (1.0 ms)\n"
	if d := cmp.Diff(want, render(t, func(w io.Writer) error { return Text(w, o, Style{}) })); d != "" {
		t.Errorf("a problem without a decision (-want +got):\n%s", d)
	}
}

// What could not be answered is told even where it is but a note.
func TestUnknownNote(t *testing.T) {
	t.Parallel()
	o := Outcome{Command: "check", Duration: msec, Decision: &decide.Decision{Verdict: decide.Allow, Mode: decide.Enforce, Counts: decide.Counts{Modules: 1, Warnings: 1}, Findings: []decide.Finding{
		{ID: "SRC003", Severity: decide.Note, Status: decide.StatusUnknown, Subject: "official", Message: "its addresses are not known"},
		{ID: "GO002", Severity: decide.Warning, Status: decide.Active, Subject: "GOPRIVATE", Message: "takes in public modules"}}}}
	want := `Findings
  warning GO002 GOPRIVATE: takes in public modules
  unknown SRC003 official: its addresses are not known
goproxy-action: 1 module allowed, 1 warning (1.0 ms)
`
	if d := cmp.Diff(want, render(t, func(w io.Writer) error { return Text(w, o, Style{}) })); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	inForce := []choose.Picked{{Source: goOfficial}}
	for _, tt := range []struct {
		c    choose.Choice
		want string
	}{
		{choose.Choice{Kept: true, Sources: inForce, GoDirect: true}, "official, direct (left as it is)"},
		{choose.Choice{Kept: true, Sources: inForce, SumDB: "https://sum.test"}, "official (left as it is); only GOSUMDB changes; checksum database by https://sum.test"},
		{choose.Choice{Sources: inForce, SumDB: "https://sum.test"}, "official; checksum database by https://sum.test"},
		{choose.Choice{Kept: true, Failing: true, Sources: inForce}, "official (left as it is, though it does not work)"},
		{choose.Choice{Kept: true, Failing: true}, "left as it is, though it does not work"},
		{choose.Choice{}, "no usable source"},
	} {
		if got := choice(tt.c); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	failing := Outcome{Command: "setup", Plan: &choose.Plan{Choices: []choose.Choice{{Ecosystem: "go", Kept: true, Failing: true, Sources: inForce}}}}
	if page := Markdown(failing, 0); !strings.Contains(page, "go via official, which does not work") {
		t.Errorf("the page does not say that what is in force fails:\n%s", page)
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	r := &detect.Report{Class: detect.Restricted, Intercepted: detect.Yes, Issuer: "CN=Corp"}
	for i := range 11 {
		r.Evidence = append(r.Evidence, fmt.Sprintf("source %d answers", i))
	}
	r.Evidence = append(r.Evidence, "TLS is intercepted by CN=Corp, who signs for source 0")
	page := Markdown(Outcome{Command: "detect", Detect: r}, 0)
	for part, want := range map[string]int{" answers\n": 8, "- and 4 more\n": 1, "- TLS is intercepted by CN=Corp\n": 1} {
		if got := strings.Count(page, part); got != want {
			t.Errorf("%q stands %d times on the page, not %d:\n%s", part, got, want, page)
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
		"mirrorsRanked": `samples loads mirrors.id mirrors.ecosystem mirrors.role mirrors.url mirrors.origin mirrors.via mirrors.place mirrors.why mirrors.off mirrors.verified
			mirrors.samples mirrors.succeeded mirrors.cut mirrors.gave_up mirrors.content_verified mirrors.checksum_db mirrors.cold.n mirrors.cold.min_ms mirrors.cold.median_ms
			mirrors.cold.p95_ms mirrors.warm.n mirrors.name.n mirrors.connect.n mirrors.tls.n mirrors.total.n mirrors.log_lookup.n mirrors.throughput.n
			mirrors.throughput.min_bytes_per_s mirrors.throughput.median_bytes_per_s mirrors.throughput.p95_bytes_per_s mirrors.load_reason mirrors.newest mirrors.lag_ms
			mirrors.addresses mirrors.redirects mirrors.failures mirrors.operator mirrors.region mirrors.claim mirrors.checked mirrors.limits not_asked notes duration_ms error.exit_code`,
		"hostileNames": `decision mode findings.id findings.severity findings.status findings.message findings.file findings.line findings.column findings.subject findings.fix
			counts.packages counts.modules counts.sources counts.errors counts.warnings counts.mended counts.waived counts.known base findings.waiver not_asked notes duration_ms error.message error.hint error.exit_code`,
		"restrictedSwitched": `detect.class detect.duration_ms detect.sources.id plan.sources.id plan.sources.ecosystem plan.sources.url plan.sources.via plan.sources.why plan.sources.latency_ms
			plan.sources.checksum_db plan.choices.ecosystem plan.choices.kept plan.choices.why decision mode findings counts.modules changes.kind changes.ecosystem changes.name changes.value
			changes.why applied proof not_asked notes error duration_ms`,
	} {
		var document any
		if err := json.Unmarshal([]byte(render(t, func(w io.Writer) error { return JSON(w, situations()[situation]) })), &document); err != nil {
			t.Fatal(err)
		}
		for key := range strings.FieldsSeq(keys) {
			has(t, document, key)
		}
	}
	// nothing known at all: no array is null, nothing is allowed, unknown stays unknown
	for _, command := range []string{"setup", "check", "detect", "mirrors", "restore"} {
		doc := render(t, func(w io.Writer) error { return JSON(w, Outcome{Command: command}) })
		for key := range strings.SplitSeq("proxies sources mirrors evidence ips findings changes choices not_asked notes unavailable", " ") {
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
		o.Decision.Findings = append(o.Decision.Findings, decide.Finding{ID: fmt.Sprintf("CORP%d", i), Severity: decide.Error, Status: decide.Active,
			Message: "has no integrity", Position: at(fmt.Sprintf("%d/package-lock.json", i), 1, 1)})
	}
	wordy := o
	wordy.Decision = &decide.Decision{Verdict: decide.Deny, Findings: slices.Clone(o.Decision.Findings)}
	for i := range wordy.Decision.Findings {
		wordy.Decision.Findings[i].Subject = strings.Repeat("é", 3000)
	}
	if page := Markdown(wordy, 1<<20); len(page) > 1<<20 || len(page) < 1<<19 || !strings.Contains(page, "left out here") {
		t.Errorf("%d bytes of what has several MiB", len(page))
	}
	if page := Markdown(o, 0); strings.Count(page, "\n| error |") != 3000 || strings.Contains(page, "left out here") {
		t.Errorf("without a limit there are %d rows of 3000", strings.Count(page, "\n| error |"))
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
	if len(got) != maxAnnotations || got[9].Message != "16 errors more (all are in the JSON report)" {
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

// hostile is an outcome in which strangers' words stand wherever they may.
func hostile(a, b string) Outcome {
	found := func(status, id, message, subject, file string, line int) decide.Finding {
		return decide.Finding{ID: id, Severity: decide.Error, Status: status, Message: message, Subject: subject, Fix: a, Position: at(file, line, line)}
	}
	return Outcome{
		Command: "setup", Version: b, Prefix: "a/", Where: b, Proof: a, Applied: true, Notes: []string{a, b}, NotAsked: []string{b}, Unavailable: []string{a},
		Rules: []decide.Rule{{ID: "X1", Title: a, Description: b, Severity: decide.Error, Fix: a}, {ID: "X2", Title: b, Severity: decide.Note}, {ID: "X3", Severity: decide.Off}},
		Detect: &detect.Report{Class: detect.Class("direct"), Intercepted: detect.Yes, Issuer: a, Evidence: []string{b},
			Proxies: []detect.Proxy{{Scheme: "https", URL: a, Origin: b}}, Rows: []detect.Row{{Source: src(a, b, "", b), Via: "direct", Reason: a}}},
		Plan: &choose.Plan{Choices: []choose.Choice{{Ecosystem: a, Why: b, Sources: []choose.Picked{{Source: src(b, a, "", a)}}}}},
		Decision: &decide.Decision{Verdict: decide.Deny, Findings: []decide.Finding{
			found(decide.Active, "X"+a, a, b, b, 1), found(decide.Active, "X1", b, a, "go.mod", 7), found(decide.StatusUnknown, "X1", a, b, "", 0),
			found(decide.Mended, "X2", a, a, a, -1), found(decide.Waived, "X2", b, b, "/"+b, 0), found(decide.Known, "X1", b, a, "go.mod", 7),
			{ID: "X1", Severity: decide.Error, Status: decide.Expired, Message: b, Subject: a, Position: at("go.mod", 7, 7), Waiver: &decide.Waiver{Reason: a, Owner: b, Expires: "2026-12-31"}}}},
		Base: b, Excerpts: map[lockfile.Position]lockfile.Excerpt{at("go.mod", 7, 7): {Text: masked(a + b), Caret: 0}},
		Changes: []inject.Change{{Name: a, Value: b, Shown: b, Why: a}, {Name: "A", Value: a, Shown: a}, {Name: "GIT_CONFIG_VALUE_0", Value: b, Shown: b}},
		Problem: &problem.Problem{Code: problem.Usage, Op: a, Err: errors.New(b), Hint: a, Excerpt: b},
	}
}

// masked is a line as an excerpt has it.
func masked(s string) string {
	e, _ := lockfile.ExcerptAt([]byte(strings.ReplaceAll(s, "\n", " ")), at("", 1, 1))
	return e.Text
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{"left-pad@1.0.0", "a|b\n`c` <b> [x](y) @m #1", "::error::x", "##[error]", "\\", "`", "\\|", "- x", "1. x", "https://u:p@h/?token=x", "\u202e\xff\x00", ":a:", "  ", "$`x`$"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		o := hostile(a, b)
		page, doc := Markdown(o, 0), render(t, func(w io.Writer) error { return JSON(w, o) })
		checkPage(t, page)
		checkLog(t, render(t, func(w io.Writer) error { return Text(w, o, Style{Color: true, Width: 40}) }))
		for _, text := range []string{page, doc, Line(o), render(t, func(w io.Writer) error { return Text(w, o, Style{}) })} {
			checkLog(t, text)
			if !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\r\u202e\u200b") {
				t.Errorf("a character that deceives a terminal: %q", text)
			}
		}
		if !json.Valid([]byte(doc)) {
			t.Error("no JSON")
		}
		for _, limit := range []int{10, 200, 1000} {
			if n := len(Markdown(o, limit)); n > limit {
				t.Errorf("%d bytes, at most %d allowed", n, limit)
			}
		}
		for _, a := range Annotations(o) {
			checkLog(t, a.Title+"\n"+a.Message)
			if !utf8.ValidString(a.File+a.Title+a.Message) || strings.ContainsAny(a.File+a.Title+a.Message, "\x1b\r") || len(a.Title) > 255 || len(a.Message) > 4000 {
				t.Errorf("annotation %+v", a)
			}
		}
	})
}
