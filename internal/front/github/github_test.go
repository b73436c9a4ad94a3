package github

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	actions "github.com/sethvargo/go-githubactions"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
)

// machine is a runner of which nothing is known but the environment.
func machine(env map[string]string) ecosystem.Machine {
	m := ecosystem.Machine{OS: runtime.GOOS, Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	for name, value := range env {
		m.Environ = append(m.Environ, name+"="+value)
	}
	return m
}

func open(t *testing.T, env map[string]string, stdout io.Writer) *front.Front {
	t.Helper()
	f, err := New(machine(env), stdout, io.Discard, &http.Client{Transport: http.DefaultTransport}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// file makes one of the runner's files.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// parse reads a file command as the runner does (actions/runner, FileCommandManager).
func parse(t *testing.T, text string) [][2]string {
	t.Helper()
	var out [][2]string
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		if l == "" {
			continue
		}
		equals, heredoc := strings.Index(l, "="), strings.Index(l, "<<")
		switch {
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			out = append(out, [2]string{l[:equals], l[equals+1:]})
		case heredoc > 0:
			end := l[heredoc+2:]
			var value []string
			for i++; i < len(lines) && lines[i] != end; i++ {
				value = append(value, lines[i])
			}
			if i == len(lines) {
				t.Fatalf("%q never ends", l)
			}
			out = append(out, [2]string{l[:heredoc], strings.Join(value, "\n")})
		default:
			t.Fatalf("the runner refuses the line %q", l)
		}
	}
	return out
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]bool{"true": true, "": false, "false": false, "1": false} {
		if got := Detect(machine(map[string]string{"GITHUB_ACTIONS": v}).Lookup); got != want {
			t.Errorf("GITHUB_ACTIONS=%q is %v", v, got)
		}
	}
}

func TestFront(t *testing.T) {
	t.Parallel()
	f := open(t, map[string]string{"GITHUB_EVENT_NAME": "pull_request_target", "INPUT_HTTPS-PROXY": " http://p.test:3128 ", "INPUT_PROBE": "",
		"STATE_binary": "/b", "RUNNER_TEMP": "/tmp/r", "RUNNER_TOOL_CACHE": "relative"}, io.Discard)
	if v, ok := f.Input("https-proxy"); !ok || v != "http://p.test:3128" {
		t.Errorf("the input https-proxy is %q, %v", v, ok)
	}
	if v, ok := f.Input("probe"); ok || v != "" {
		t.Errorf("an empty input is %q, %v", v, ok)
	}
	if f.State("binary") != "/b" || f.State("other") != "" {
		t.Error("state is lost or made up")
	}
	if !f.Untrusted || f.Event != "pull_request_target" {
		t.Error("a pull request is trusted")
	}
	if f.StateDir != "" {
		t.Errorf("a relative tool cache is used: %s", f.StateDir)
	}
	if f.Summary != nil {
		t.Error("there is a summary without a file for it")
	}
	if runtime.GOOS != "windows" && f.TempDir != "/tmp/r" {
		t.Errorf("TempDir is %q", f.TempDir)
	}
	for event, want := range map[string]bool{"push": false, "merge_group": true, "pull_request": true, "workflow_dispatch": false} {
		if f := open(t, map[string]string{"GITHUB_EVENT_NAME": event}, io.Discard); f.Untrusted != want {
			t.Errorf("%s: untrusted is %v", event, f.Untrusted)
		}
	}
	for _, address := range []string{"ftp://x.test", "::", "https:"} {
		if _, err := New(machine(map[string]string{"GITHUB_API_URL": address}), io.Discard, io.Discard, nil, ""); problem.CodeOf(err) != problem.Usage {
			t.Errorf("GITHUB_API_URL=%s is %v", address, err)
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	name := file(t, "BEFORE=1") // without a line end
	var log bytes.Buffer
	f := open(t, map[string]string{"GITHUB_ENV": name}, &log)
	err := f.Export([]inject.Change{
		{Name: "GOPROXY", Value: "https://a.test,https://ci:s3cret%2Fx@b.test|direct"},
		{Name: "HTTPS_PROXY", Value: "http://token@p.test"},
		{Name: "GIT_CONFIG_VALUE_0", Value: "two\nlines\nLD_PRELOAD<<x", Shown: "***"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]string{{"BEFORE", "1"}, {"GOPROXY", "https://a.test,https://ci:s3cret%2Fx@b.test|direct"}, {"HTTPS_PROXY", "http://token@p.test"}, {"GIT_CONFIG_VALUE_0", "two\nlines\nLD_PRELOAD<<x"}}
	if d := cmp.Diff(want, parse(t, read(t, name))); d != "" {
		t.Errorf("the runner reads something else (-want +got):\n%s", d)
	}
	for _, secret := range []string{"s3cret/x", "s3cret%252Fx", "token", "two", "lines"} {
		if !strings.Contains(log.String(), "::add-mask::"+secret+"\n") {
			t.Errorf("%s is not masked:\n%s", secret, log.String())
		}
	}
	if before := len(read(t, name)); f.Export(nil) != nil || len(read(t, name)) != before {
		t.Error("no change writes something")
	}
}

// What is refused leaves the file as it was: the good changes beside it are not written either.
func TestExportRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []inject.Change{
		{Name: "NODE_OPTIONS", Value: "x"}, {Name: "Node_Options", Value: "x"}, {Name: "", Value: "x"}, {Name: "A=B", Value: "x"}, {Name: "A\nB", Value: "x"},
		{Name: "A<<B", Value: "x"}, {Name: "1A", Value: "x"}, {Name: "A-B", Value: "x"}, {Name: "A", Value: "a\x00b"},
	} {
		name := file(t, "BEFORE=1\n")
		err := open(t, map[string]string{"GITHUB_ENV": name}, io.Discard).Export([]inject.Change{{Name: "GOPROXY", Value: "off"}, c})
		if _, ok := errors.AsType[*problem.Problem](err); !ok {
			t.Errorf("%q=%q: %v is no problem", c.Name, c.Value, err)
		}
		if got := read(t, name); got != "BEFORE=1\n" {
			t.Errorf("%q=%q: half of it was written: %q", c.Name, c.Value, got)
		}
	}
	if _, err := entry("GITHUB_ENV", pair{"A", "x\nD\nLD_PRELOAD=y"}, "D"); problem.CodeOf(err) != problem.Usage {
		t.Errorf("a value with the delimiter is %v", err)
	}
	if err := open(t, map[string]string{"GITHUB_ENV": file(t, "")}, broken{}).Export([]inject.Change{{Name: "A", Value: "https://u:secret@h.test"}}); problem.CodeOf(err) != problem.Usage {
		t.Errorf("secrets are exported though they could not be masked: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestRunnersFiles(t *testing.T) {
	t.Parallel()
	target := file(t, "secret\n")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, path, want string }{
		{"unset", "", "GITHUB_ENV: is not set although GITHUB_ACTIONS is true; run this in a step of a workflow, or unset GITHUB_ACTIONS"},
		{"missing", filepath.Join(t.TempDir(), "no"), "GITHUB_ENV: names a file that cannot be found: no such file or directory; leave it as the runner sets it"},
		{"directory", t.TempDir(), "GITHUB_ENV: names a link, a directory or a device, and only a regular file is written to; leave it as the runner sets it"},
		{"link", link, "GITHUB_ENV: names a link, a directory or a device, and only a regular file is written to; leave it as the runner sets it"},
	} {
		err := open(t, map[string]string{"GITHUB_ENV": tt.path}, io.Discard).Export([]inject.Change{{Name: "A", Value: "x"}})
		if err == nil || problem.CodeOf(err) != problem.Usage || runtime.GOOS != "windows" && err.Error() != tt.want {
			t.Errorf("%s: %v\nwant %s", tt.name, err, tt.want)
		}
	}
	if got := read(t, target); got != "secret\n" {
		t.Errorf("the link was followed: %q", got)
	}
	output, state := file(t, ""), file(t, "")
	f := open(t, map[string]string{"GITHUB_OUTPUT": output, "GITHUB_STATE": state}, io.Discard)
	if err := errors.Join(f.Output("npm-registry", "a\nb"), f.Output("changed", ""), f.SaveState("binary", "/x")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][2]string{{"npm-registry", "a\nb"}, {"changed", ""}}, parse(t, read(t, output))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][2]string{{"binary", "/x"}}, parse(t, read(t, state))); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"", "-a", "a b", "a\nb", "a=b"} {
		if f.Output(bad, "x") == nil {
			t.Errorf("%q is taken for the name of an output", bad)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	open(t, nil, &log).Mask("100%\r\nline ::error::x\n\n")
	if want := "::add-mask::100%25\n::add-mask::line ::error::x\n"; log.String() != want {
		t.Errorf("got %q, want %q", log.String(), want)
	}
}

// A secret is told to the runner once, whoever names it, and before a value that holds it is written.
func TestMaskOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	output := file(t, "")
	f := open(t, map[string]string{"GITHUB_OUTPUT": output, "GITHUB_STATE": file(t, ""), "GITHUB_ENV": file(t, "")}, &log)
	value := "https://a.test,https://ci:s3cret@b.test,direct"
	if err := errors.Join(f.Output("goproxy", value), f.SaveState("x", value), f.Export([]inject.Change{{Name: "GOPROXY", Value: value}})); err != nil {
		t.Fatal(err)
	}
	f.Mask("s3cret")
	f.Mask("other\ns3cret\nother")
	for _, secret := range []string{"s3cret", "ci:s3cret", "other"} {
		if n := strings.Count("\n"+log.String(), "\n::add-mask::"+secret+"\n"); n != 1 {
			t.Errorf("%s is masked %d times:\n%s", secret, n, log.String())
		}
	}
	// what could not be masked is not written, and is tried again
	stdout := &flaky{broken: true}
	f = open(t, map[string]string{"GITHUB_OUTPUT": output}, stdout)
	before := read(t, output)
	if err := f.Output("goproxy", value); problem.CodeOf(err) != problem.Usage || read(t, output) != before {
		t.Errorf("an output is written though its secret could not be masked: %v", err)
	}
	stdout.broken = false
	if err := f.Output("goproxy", value); err != nil || !strings.Contains(stdout.log.String(), "::add-mask::s3cret\n") {
		t.Errorf("the secret is taken for masked: %v, %q", err, stdout.log.String())
	}
}

type flaky struct {
	log    bytes.Buffer
	broken bool
}

func (f *flaky) Write(b []byte) (int, error) {
	if f.broken {
		return 0, errors.New("closed")
	}
	return f.log.Write(b)
}

func outcome(dir, name, message string) report.Outcome {
	return report.Outcome{Command: "check", Dir: dir, Decision: &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce, Findings: []decide.Finding{
		{ID: "LCK003", Severity: decide.Error, Status: decide.Active, Message: message, Fix: "do: this", Position: lockfile.Position{File: name, Line: 12, Column: 15}}}}}
}

func TestAnnotate(t *testing.T) {
	t.Parallel()
	f := open(t, map[string]string{"GITHUB_WORKSPACE": "/w"}, io.Discard)
	for _, tt := range []struct{ dir, file, want string }{
		{".", "package-lock.json", "package-lock.json"}, {"web", "package-lock.json", "web/package-lock.json"}, {"/w/a/b", "go.mod", "a/b/go.mod"},
		{"/other", "go.mod", "go.mod"}, {".", "a,b:c.json", "a%2Cb%3Ac.json"},
	} {
		if runtime.GOOS == "windows" && strings.HasPrefix(tt.dir, "/") {
			continue
		}
		var log bytes.Buffer
		f.Annotate(&log, outcome(tt.dir, tt.file, "100% bad"))
		if want := "::error col=15,file=" + tt.want + ",line=12,title=goproxy-action LCK003::100%25 bad%0Afix: do: this\n"; log.String() != want {
			t.Errorf("got  %s\nwant %s", log.String(), want)
		}
	}
	var log bytes.Buffer
	f.Annotate(&log, report.Outcome{Problem: problem.New(problem.Usage, "go.mod:1:1", "", "bad")})
	if want := "::error title=goproxy-action::go.mod:1:1: bad\n"; log.String() != want {
		t.Errorf("a problem: got %q", log.String())
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	name := file(t, "# others\n")
	f := open(t, map[string]string{"GITHUB_STEP_SUMMARY": name}, io.Discard)
	if err := f.Summary(outcome(".", "go.mod", "bad")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, name); !strings.HasPrefix(got, "# others\n## goproxy-action: denied\n") {
		t.Errorf("got %q", got)
	}
	full := file(t, strings.Repeat("x", maxSummary-200))
	f = open(t, map[string]string{"GITHUB_STEP_SUMMARY": full}, io.Discard)
	if err := f.Summary(outcome(".", "go.mod", "bad")); err != nil {
		t.Fatal(err)
	}
	if n := len(read(t, full)); n > maxSummary {
		t.Errorf("%d bytes, and GitHub takes %d", n, maxSummary)
	}
	for range 3 { // until nothing fits
		_ = f.Summary(outcome(".", "go.mod", "bad"))
	}
	if err := f.Summary(outcome(".", "go.mod", "bad")); problem.CodeOf(err) != problem.Usage || len(read(t, full)) > maxSummary {
		t.Errorf("a full page is %v", err)
	}
}

var command = regexp.MustCompile(`^::(error|warning|notice|add-mask)( [a-z]+=[^,:\r\n]*(,[a-z]+=[^,:\r\n]*)*)?::[^\r\n]*$`)

// Whatever stands in a name or a message, it stays within one command.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{"x", "a\n::error::b", "\r##[error]", "%0A::x", "a::b,file=c", "\u2028::error::x", "::", "\x00", "secret\nline"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var log bytes.Buffer
		h := host{stdout: &log, stderr: &log, context: &actions.GitHubContext{}, masked: map[string]bool{}}
		h.annotate(&log, outcome(a, a, b))
		h.mask(a)
		if log.Len() == 0 {
			t.Fatal("the finding is lost")
		}
		for i, l := range strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n") {
			if m := command.FindStringSubmatch(l); m == nil || (i == 0) != (m[1] == "error") {
				t.Fatalf("line %d is %q", i, l)
			}
		}
	})
}

// The runner reads back what was written, and nothing beside it.
func FuzzEntry(f *testing.F) {
	f.Add("GOPROXY", "https://goproxy.cn,direct")
	f.Add("A", "x\nD\nLD_PRELOAD=y")
	f.Add("A<<D", "")
	f.Add("A", "\r\n\n=<<")
	f.Fuzz(func(t *testing.T, name, value string) {
		text, err := entry("GITHUB_ENV", pair{name, value}, "D")
		if err != nil || !variableName(name) {
			return
		}
		if got := parse(t, text); len(got) != 1 || got[0] != [2]string{name, value} {
			t.Fatalf("%q=%q is read as %q", name, value, got)
		}
	})
}
