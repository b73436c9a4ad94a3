package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
)

// formats are those for other programs, by the name of their files.
var formats = map[string]func(io.Writer, Outcome) error{
	"sarif": SARIF, "junit.xml": JUnit, "codequality.json": CodeQuality,
	"env": func(w io.Writer, o Outcome) error { _, err := Dotenv(w, o); return err },
}

// kept are the formats whose files are kept; a long lock file is enough in one.
var kept = map[string][]string{
	"restrictedSwitched": {"sarif", "junit.xml", "codequality.json", "env"},
	"interceptedDenied":  {"junit.xml"},
	"offline":            {"sarif", "junit.xml", "codequality.json"},
	"hostileNames":       {"sarif", "junit.xml", "codequality.json"},
	"waivedAndKnown":     {"sarif", "junit.xml", "codequality.json"},
	"proxiedWithAuth":    {"env"},
}

// checkFormat fails where a format is broken by what stands in it, or deceives a terminal or a runner's log.
func checkFormat(t *testing.T, format, text string) {
	t.Helper()
	if format != "env" { // GitLab reads it, and shows it nowhere
		checkLog(t, text)
	}
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\r\u202e\u200b") {
		t.Errorf("%s holds a character that it must not: %q", format, text)
	}
	if strings.Contains(text, "hunter") {
		t.Errorf("%s shows a secret", format)
	}
	switch format {
	case "sarif":
		checkSARIF(t, readSARIF(t, text))
	case "junit.xml":
		checkJUnit(t, readJUnit(t, text))
	case "codequality.json":
		checkCodeQuality(t, readCodeQuality(t, text))
	case "env":
		checkDotenv(t, text)
	}
}

func readSARIF(t *testing.T, text string) sarifRun {
	t.Helper()
	var doc sarifLog
	if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.Version != "2.1.0" || len(doc.Runs) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	return doc.Runs[0]
}

// checkSARIF holds what the standard and GitHub ask for; testdata/doors/reports.sh asks the schema itself.
func checkSARIF(t *testing.T, run sarifRun) {
	t.Helper()
	for _, r := range run.Tool.Driver.Rules {
		for _, text := range []string{r.ID, r.Short.Text, r.Full.Text, r.Help.Text, r.Help.Markdown} {
			if text == "" || utf8.RuneCountInString(r.Short.Text) > 1024 || utf8.RuneCountInString(r.Full.Text) > 1024 {
				t.Errorf("rule %+v has a text that is empty or too long", r)
			}
		}
	}
	names := map[string]bool{}
	for _, r := range run.Results {
		if r.Index >= len(run.Tool.Driver.Rules) || run.Tool.Driver.Rules[r.Index].ID != r.Rule {
			t.Errorf("%s is not rule %d", r.Rule, r.Index)
		}
		if !slices.Contains([]string{decide.Error, decide.Warning, decide.Note}, r.Level) || r.Message.Text == "" || strings.Contains(r.Message.Text, "](") {
			t.Errorf("level %q, text %q", r.Level, r.Message.Text)
		}
		at := r.Locations[0].Physical
		if u, err := url.Parse(at.Artifact.URI); err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "/") || slices.Contains(strings.Split(u.Path, "/"), "..") {
			t.Errorf("%q is no address below the root: %v", at.Artifact.URI, err)
		}
		if at.Region != nil && (at.Region.Line < 1 || at.Region.Column < 1) || at.Region == nil && r.Fingerprints["primaryLocationLineHash"] == "" {
			t.Errorf("%s stands at %+v", r.Rule, at)
		}
		name := r.Fingerprints["goproxyAction/v1"]
		if name == "" || names[name] {
			t.Errorf("the fingerprint %q is not one result's own", name)
		}
		names[name] = true
	}
	if run.Results == nil || len(run.Invocations) != 1 || !strings.HasSuffix(run.Automation.ID, "/") {
		t.Errorf("results %v, invocations %v, id %q", run.Results, run.Invocations, run.Automation.ID)
	}
}

func readJUnit(t *testing.T, text string) junitSuites {
	t.Helper()
	var doc junitSuites
	if err := xml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return doc
}

func checkJUnit(t *testing.T, doc junitSuites) {
	t.Helper()
	var counts junitCounts
	skipped, suite := 0, doc.Suites[0]
	for _, c := range suite.Cases {
		counts.Tests++
		switch {
		case c.Failure != nil:
			counts.Failures++
		case c.Error != nil:
			counts.Errors++
		case c.Skipped != nil:
			skipped++
		}
		if _, err := strconv.ParseFloat(c.Time, 64); err != nil || c.Name == "" || !strings.HasPrefix(c.Class, "goproxy-action") {
			t.Errorf("case %+v", c)
		}
	}
	counts.Time = suite.Time
	if suite.junitCounts != counts || doc.junitCounts != counts || suite.Skipped != skipped {
		t.Errorf("counted %+v and %d skipped, not %+v and %d", counts, skipped, suite.junitCounts, suite.Skipped)
	}
}

func readCodeQuality(t *testing.T, text string) (all []degradation) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &all); err != nil || text[0] != '[' {
		t.Fatalf("%v: %s", err, text)
	}
	return all
}

func checkCodeQuality(t *testing.T, all []degradation) {
	t.Helper()
	names := map[string]bool{}
	for _, d := range all {
		if d.Description == "" || d.Location.Path == "" || d.Location.Lines.Begin < 1 || d.Fingerprint == "" || names[d.Fingerprint] ||
			!slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, d.Severity) {
			t.Errorf("%+v", d)
		}
		names[d.Fingerprint] = true
	}
}

var dotenvLine = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=([^\s$]([^$\n]*[^\s$])?)?$`)

func checkDotenv(t *testing.T, text string) {
	t.Helper()
	if n := strings.Count(text, "\n"); len(text) >= 5<<10 || n > 20 || text != "" && !strings.HasSuffix(text, "\n") {
		t.Errorf("%d bytes in %d lines", len(text), n)
	}
	for l := range strings.Lines(text) {
		if !dotenvLine.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("the line %q", l)
		}
	}
}

func one(f decide.Finding) *decide.Decision {
	return &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce, Findings: []decide.Finding{f}}
}

// A finding is known again wherever its line has moved to, and no two are taken for one.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	f := decide.Finding{ID: "LCK003", Severity: decide.Error, Status: decide.Active, Subject: "left-pad@1.0.0", Message: "left-pad@1.0.0 has no integrity (entry 3)", Position: at("package-lock.json", 12, 15)}
	of := func(change func(*decide.Finding)) string {
		f := f
		change(&f)
		return fingerprints{}.of(line{Finding: f}, f.File)
	}
	first := of(func(*decide.Finding) {})
	for name, change := range map[string]func(*decide.Finding){
		"line": func(f *decide.Finding) { f.Position = at("package-lock.json", 99, 1) }, "number": func(f *decide.Finding) { f.Message = "left-pad@1.0.0 has no integrity (entry 40)" },
		"severity": func(f *decide.Finding) { f.Severity = decide.Note }, "status": func(f *decide.Finding) { f.Status = decide.Waived }, "fix": func(f *decide.Finding) { f.Fix = "x" },
	} {
		if of(change) != first {
			t.Errorf("another %s, and the finding is another", name)
		}
	}
	for name, change := range map[string]func(*decide.Finding){
		"rule": func(f *decide.Finding) { f.ID = "LCK004" }, "version": func(f *decide.Finding) { f.Subject = "left-pad@1.0.1" },
		"file": func(f *decide.Finding) { f.File = "a/package-lock.json" }, "text": func(f *decide.Finding) { f.Message = "has a weak integrity" },
	} {
		if of(change) == first {
			t.Errorf("another %s, and the finding is the same", name)
		}
	}
	seen := fingerprints{}
	if a, b := seen.of(line{Finding: f}, f.File), seen.of(line{Finding: f}, f.File); a != first || !strings.HasSuffix(a, ":1") || !strings.HasSuffix(b, ":2") {
		t.Errorf("two equal ones are %s and %s", a, b)
	}
	secret := func(password string) string {
		return of(func(f *decide.Finding) { f.Subject = "https://ci:" + password + "@mirror.test" })
	}
	if secret("hunter2") != secret("hunter3") {
		t.Error("a password goes into a fingerprint")
	}
}

// What stands on no file gets one, and is told apart from others of its rule there.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, uri, path, message string
		region                   *sarifRegion
	}{
		{"sub dir/päck#1.json", "svc/sub%20dir/p%C3%A4ck%231.json", "svc/sub dir/päck#1.json", "GOPROXY: x", &sarifRegion{7, 3}},
		{"a/../go.mod", "svc/go.mod", "svc/go.mod", "GOPROXY: x", &sarifRegion{7, 3}},
		{"", "svc/.goproxy/config.yaml", "svc/.goproxy/config.yaml", "GOPROXY: x", nil},
		{"/etc/npmrc", "svc/.goproxy/config.yaml", "svc/.goproxy/config.yaml", "/etc/npmrc:7:3: GOPROXY: x", nil},
		{"../../outside", "svc/.goproxy/config.yaml", "svc/.goproxy/config.yaml", "../../outside:7:3: GOPROXY: x", nil},
	} {
		o := Outcome{Command: "check", Prefix: "svc/", Decision: one(decide.Finding{ID: "X1", Severity: decide.Error, Status: decide.Active, Subject: "GOPROXY", Message: "x", Position: at(tt.file, 7, 3)})}
		r := readSARIF(t, render(t, func(w io.Writer) error { return SARIF(w, o) })).Results[0]
		if got := r.Locations[0].Physical; got.Artifact.URI != tt.uri || !cmp.Equal(got.Region, tt.region) || r.Message.Text != tt.message {
			t.Errorf("%q stands at %+v %+v: %s", tt.file, got.Artifact, got.Region, r.Message.Text)
		}
		if tt.region == nil && r.Fingerprints["primaryLocationLineHash"] != r.Fingerprints["goproxyAction/v1"] {
			t.Errorf("%q: %v", tt.file, r.Fingerprints)
		}
		d := readCodeQuality(t, render(t, func(w io.Writer) error { return CodeQuality(w, o) }))[0]
		if line := map[bool]int{true: 1, false: 7}[tt.region == nil]; d.Location.Path != tt.path || d.Location.Lines.Begin != line || d.Description != tt.message {
			t.Errorf("%q stands at %+v: %s", tt.file, d.Location, d.Description)
		}
	}
	bare := Outcome{Command: "check", Decision: one(decide.Finding{ID: "X1", Severity: decide.Error, Status: decide.Active, Message: "x", Position: at("a:b/go.mod", 0, 0)})}
	if got := readSARIF(t, render(t, func(w io.Writer) error { return SARIF(w, bare) })).Results[0].Locations[0].Physical; got.Artifact.URI != "./a:b/go.mod" || *got.Region != (sarifRegion{1, 1}) {
		t.Errorf("%+v %+v", got.Artifact, got.Region)
	}
}

// How the run ended, and that nothing is an error in audit mode, is told in each format.
func TestEnds(t *testing.T) {
	t.Parallel()
	active := decide.Finding{ID: "SRC003", Severity: decide.Error, Status: decide.Active, Message: "is not allowed", Subject: "a.test"}
	unknown, mended, noted := active, active, active
	unknown.Status, mended.Status, noted.Severity = decide.StatusUnknown, decide.Mended, decide.Note
	ann := &decide.Waiver{Reason: "it is", Owner: "ann", Expires: "2026-12-31"}
	waived, expired, known := active, active, active
	waived.Status, waived.Waiver = decide.Waived, ann
	expired.Status, expired.Waiver = decide.Expired, ann
	known.Status = decide.Known
	both := one(active)
	both.Findings = append(both.Findings, expired)
	audit := one(active)
	audit.Mode = decide.Audit
	for _, tt := range []struct {
		name     string
		o        Outcome
		ok       bool
		exit     int
		results  string // levels; s for suppressed ones
		quality  string
		run, src string // what the cases are
	}{
		{"denied", Outcome{Decision: one(active), Problem: problem.New(problem.Violations, "check", "", "1 error")}, true, 1, "error", "critical", "ok", "failure"},
		{"audit", Outcome{Decision: audit}, true, 0, "warning", "major", "ok", "out"},
		{"not answered", Outcome{Decision: one(unknown), Problem: problem.New(problem.Unanswered, "check", "", "no answer")}, false, 3, "error", "blocker,critical", "error", "error"},
		{"mended", Outcome{Decision: one(mended)}, true, 0, "error s", "", "ok", "out"},
		{"waived", Outcome{Decision: one(waived)}, true, 0, "error s", "", "ok", "out"},
		{"expired", Outcome{Decision: one(expired), Problem: problem.New(problem.Violations, "check", "", "1 error")}, true, 1, "error", "critical", "ok", "failure"},
		{"active and expired", Outcome{Decision: both, Problem: problem.New(problem.Violations, "check", "", "2 errors")}, true, 1, "error" + " error", "critical,critical", "ok", "failure"},
		{"known", Outcome{Decision: one(known), Base: "main"}, true, 0, "error unchanged", "critical", "ok", "out"},
		{"noted", Outcome{Decision: one(noted)}, true, 0, "note", "info", "ok", "out"},
		{"broken", Outcome{Problem: errors.Join(problem.New(problem.Usage, "go.mod:1", "mend it", "bad"), errors.New("worse"))}, false, 70, "", "blocker,blocker", "error", "skipped"},
		{"not asked", Outcome{Decision: &decide.Decision{Verdict: decide.Allow}, NotAsked: []string{"the addresses of the sources (SRC003)"}}, true, 0, "", "", "ok", "skipped"},
		{"another rule is not asked", Outcome{Decision: &decide.Decision{Verdict: decide.Allow}, NotAsked: []string{"SRC0031, XSRC003"}}, true, 0, "", "", "ok", "ok"},
		{"well", Outcome{Decision: &decide.Decision{Verdict: decide.Allow}}, true, 0, "", "", "ok", "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := tt.o
			o.Command, o.Rules = "check", asked("SRC003", "LCK006")
			run := readSARIF(t, render(t, func(w io.Writer) error { return SARIF(w, o) }))
			var levels []string
			for _, r := range run.Results {
				levels = append(levels, r.Level)
				if r.Suppressions != nil {
					levels = append(levels, "s")
				}
				if r.Baseline != "" {
					levels = append(levels, r.Baseline)
				}
			}
			if got := run.Invocations[0]; got.Successful != tt.ok || got.ExitCode != tt.exit || strings.Join(levels, " ") != tt.results {
				t.Errorf("%+v, results %v", got, levels)
			}
			if got := len(run.Invocations[0].Notifications); got != len(troubles(o))+len(o.NotAsked) {
				t.Errorf("%d notifications", got)
			}
			var severities []string
			for _, d := range readCodeQuality(t, render(t, func(w io.Writer) error { return CodeQuality(w, o) })) {
				severities = append(severities, d.Severity)
			}
			if got := strings.Join(severities, ","); got != tt.quality {
				t.Errorf("code quality has %q", got)
			}
			cases := map[string]string{}
			for _, c := range readJUnit(t, render(t, func(w io.Writer) error { return JUnit(w, o) })).Suites[0].Cases {
				id, _, _ := strings.Cut(c.Name, " ")
				cases[id] = "ok"
				for what, is := range map[string]bool{"failure": c.Failure != nil, "error": c.Error != nil, "skipped": c.Skipped != nil, "out": c.Out != nil && id != "run"} {
					if is {
						cases[id] = what
					}
				}
			}
			if d := cmp.Diff(map[string]string{"run": tt.run, "SRC003": tt.src, "LCK006": "skipped"}, cases); d != "" {
				t.Error(d)
			}
		})
	}
}

// What is over a limit is counted, and is never the gravest.
func TestResultsLimit(t *testing.T) {
	t.Parallel()
	o := Outcome{Command: "check", Decision: &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce}}
	for i := range maxResults {
		o.Decision.Findings = append(o.Decision.Findings, decide.Finding{ID: "X1", Severity: decide.Warning, Status: decide.Active, Subject: strconv.Itoa(i), Message: "is old", Position: at("go.sum", i+1, 1)})
	}
	o.Decision.Findings = append(o.Decision.Findings, decide.Finding{ID: "X2", Severity: decide.Error, Status: decide.Active, Message: "is evil", Position: at("go.sum", 1, 1)})
	run := readSARIF(t, render(t, func(w io.Writer) error { return SARIF(w, o) }))
	if len(run.Results) != maxResults || run.Results[0].Rule != "X2" {
		t.Errorf("%d results, the first is %+v", len(run.Results), run.Results[0])
	}
	want := []sarifNotification{{decide.Warning, sarifText{Text: "1 finding left out here: code scanning takes 25000 (all are in the JSON report)"}}}
	if d := cmp.Diff(want, run.Invocations[0].Notifications); d != "" {
		t.Error(d)
	}
	all := readCodeQuality(t, render(t, func(w io.Writer) error { return CodeQuality(w, o) }))
	checkCodeQuality(t, all)
	if last := all[len(all)-1]; len(all) != maxResults+1 || all[0].Check != "X2" || last.Severity != "major" || last.Location.Path != ".goproxy/config.yaml" ||
		last.Description != "1 finding left out here: this report takes 25000 (all are in the JSON report)" {
		t.Errorf("%d remarks, the first is %+v, the last %+v", len(all), all[0], last)
	}
	o.Decision.Findings = o.Decision.Findings[:shownResults+1]
	if got := readSARIF(t, render(t, func(w io.Writer) error { return SARIF(w, o) })).Invocations[0].Notifications; len(got) != 1 || got[0].Message.Text != "of 5001 findings code scanning shows the 5000 gravest" {
		t.Errorf("%v", got)
	}
	failure := readJUnit(t, render(t, func(w io.Writer) error { return JUnit(w, o) })).Suites[0].Cases[1].Out.Text
	if !strings.HasSuffix(failure, "… and 4901 lines more (all are in the JSON report)") {
		t.Errorf("a case has %d bytes", len(failure))
	}
}

func TestDotenv(t *testing.T) {
	t.Parallel()
	change := func(name, value string) inject.Change { return inject.Change{Name: name, Value: value, Shown: value} }
	var many []inject.Change
	for i := range 22 {
		many = append(many, change(fmt.Sprintf("V%d", i), "x"))
	}
	git := []inject.Change{change("GIT_CONFIG_KEY_0", "http.proxy"), change("GIT_CONFIG_VALUE_0", "http://proxy.test:3128"), change("GIT_CONFIG_COUNT", "1")}
	long := change("LONG", strings.Repeat("x", 5<<10-len("LONG=\n")))
	fits := change("LONG", long.Value[1:])
	for _, tt := range []struct {
		name    string
		changes []inject.Change
		want    string
		left    []string
	}{
		{"plain", []inject.Change{change("GOPROXY", "https://goproxy.cn,https://goproxy.io"), change("GONOSUMDB", ""), change("NO_PROXY", "localhost,127.0.0.1,::1,[::1]"), change("GOFLAGS", "-mod=mod -x")},
			"GOPROXY=https://goproxy.cn,https://goproxy.io\nGONOSUMDB=\nNO_PROXY=localhost,127.0.0.1,::1,[::1]\nGOFLAGS=-mod=mod -x\n", nil},
		{"secrets", []inject.Change{{Name: "A", Value: "http://ci:hunter2@p:1", Shown: "http://***@p:1"}, {Name: "B", Value: "hunter2"}, change("C", "https://a.test,https://ci:hunter2@p:1"), change("D", "ci:hunter2@p:1")},
			"", []string{"A: it holds a secret", "B: it holds a secret", "C: it holds a secret", "D: it holds a secret"}},
		{"this machine", []inject.Change{change(inject.JournalVariable, "x"), change("A", "/etc/ca.pem"), change("B", "-modfile=/tmp/x"), change("C", "https://a.test|http://127.0.0.1:8080/x"), change("D", "localhost:3128"), change("E", "file:///srv")},
			"", []string{inject.JournalVariable + ": it names a file of this machine", "A: it names a file of this machine", "B: it names a file of this machine", "C: it leads to this machine", "D: it leads to this machine", "E: it names a file of this machine"}},
		{"format", []inject.Change{change("A", "a\nB=c"), change("B", "$HOME"), change("C", " x"), change("D", "x\xff"), change("1A", "x"), change("E-F", "x"), change("", "x"), change("A\nB", "x")}, "",
			[]string{"A: the format has no line ends, other control characters or spaces around a value", "B: GitLab reads what follows a $ as a variable", "C: the format has no line ends, other control characters or spaces around a value",
				"D: the format has no line ends, other control characters or spaces around a value", "1A: GitLab takes ASCII letters, digits and _ in a name", "E-F: GitLab takes ASCII letters, digits and _ in a name",
				": GitLab takes ASCII letters, digits and _ in a name", `A\nB: GitLab takes ASCII letters, digits and _ in a name`}},
		{"too many", many, "V0=x\nV1=x\nV2=x\nV3=x\nV4=x\nV5=x\nV6=x\nV7=x\nV8=x\nV9=x\nV10=x\nV11=x\nV12=x\nV13=x\nV14=x\nV15=x\nV16=x\nV17=x\nV18=x\nV19=x\n",
			[]string{"V20: GitLab takes no more than 20 variables and 5 KiB", "V21: GitLab takes no more than 20 variables and 5 KiB"}},
		{"too long", []inject.Change{long, change("A", "x")}, "A=x\n", []string{"LONG: GitLab takes no more than 20 variables and 5 KiB"}},
		{"just fits", []inject.Change{fits}, "LONG=" + fits.Value + "\n", nil},
		{"git", git, "GIT_CONFIG_KEY_0=http.proxy\nGIT_CONFIG_VALUE_0=http://proxy.test:3128\nGIT_CONFIG_COUNT=1\n", nil},
		{"git is one", append(slices.Clone(many[:18]), git...), "V0=x\nV1=x\nV2=x\nV3=x\nV4=x\nV5=x\nV6=x\nV7=x\nV8=x\nV9=x\nV10=x\nV11=x\nV12=x\nV13=x\nV14=x\nV15=x\nV16=x\nV17=x\n",
			[]string{"GIT_CONFIG_KEY_0: GitLab takes no more than 20 variables and 5 KiB", "GIT_CONFIG_VALUE_0: GitLab takes no more than 20 variables and 5 KiB", "GIT_CONFIG_COUNT: GitLab takes no more than 20 variables and 5 KiB"}},
		{"git with others before", []inject.Change{change("GIT_CONFIG_KEY_1", "http.proxy"), change("GIT_CONFIG_VALUE_1", "http://proxy.test:3128"), change("GIT_CONFIG_COUNT", "2")}, "",
			[]string{"GIT_CONFIG_KEY_1: it follows settings that this job had before", "GIT_CONFIG_VALUE_1: it follows settings that this job had before", "GIT_CONFIG_COUNT: it follows settings that this job had before"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			left, err := Dotenv(&b, Outcome{Command: "setup", Applied: true, Changes: tt.changes})
			if err != nil || b.String() != tt.want {
				t.Errorf("%v\n%s", err, cmp.Diff(tt.want, b.String()))
			}
			if d := cmp.Diff(tt.left, left); d != "" {
				t.Errorf("left out (-want +got):\n%s", d)
			}
			checkDotenv(t, b.String())
		})
	}
	for _, o := range []Outcome{{Command: "setup", Changes: git}, {Command: "restore", Applied: true, Changes: git}} {
		if got := render(t, func(w io.Writer) error { return formats["env"](w, o) }); got != "" {
			t.Errorf("%s that changed nothing for later jobs passes on %q", o.Command, got)
		}
	}
}

// Whatever strangers write, a format stays what it is, shows no secret and is no command to a runner.
func FuzzFormats(f *testing.F) {
	for _, s := range []string{"left-pad@1.0.0", "]]>\n</failure><x>", "::error::x", "##[error]", "\x1b[31m", "\u202e\xff\x00\ufffe", "a\r\n::x", "[a](https://e.test)", "../../x", "c:d", "%", "$(x)", "=", "  ", "https://u:p@h"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains(a+b, "hunter") {
			return
		}
		const secret = " https://ci:hunter2@mirror.test/?token=hunter3 "
		for format, write := range formats {
			checkFormat(t, format, render(t, func(w io.Writer) error { return write(w, hostile(a+secret, b+secret)) }))
			checkFormat(t, format, render(t, func(w io.Writer) error { return write(w, hostile(a, b)) }))
		}
		left, err := Dotenv(io.Discard, hostile(a, b+secret))
		for _, l := range left {
			checkLog(t, l)
			if err != nil || strings.Contains(l, "hunter") || !utf8.ValidString(l) {
				t.Errorf("%v, left %q", err, l)
			}
		}
	})
}
