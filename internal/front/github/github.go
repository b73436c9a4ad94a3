// Package github is the front of a step of GitHub Actions, and of runners that speak its protocol.
package github

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	actions "github.com/sethvargo/go-githubactions"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// maxSummary is what GitHub takes for the summary of one step (docs.github.com, "Workflow commands", step isolation and
// limits).
const maxSummary = 1 << 20

// Detect is true in a step of GitHub Actions.
func Detect(lookup func(string) (string, bool)) bool {
	v, _ := lookup("GITHUB_ACTIONS")
	return v == "true"
}

// host is the step we are in.
type host struct {
	machine        ecosystem.Machine
	getenv         func(string) string
	context        *actions.GitHubContext
	stdout, stderr io.Writer
	// masked are the lines that the runner hides already; each is told once. New makes it, and copies of the host share it.
	masked map[string]bool
	// directory is the input of this name: the checkout, absolute or as seen from the workspace.
	directory string
}

// New returns the front of the step that the machine's environment describes. Commands to the runner go to stdout.
// httpClient, which has a Transport, asks GitHub's API and is not changed; nil means that the base commit is not
// available. The error is a Problem for an API address that is none.
func New(m ecosystem.Machine, stdout, stderr io.Writer, httpClient *http.Client, version string) (*front.Front, error) {
	h := host{machine: m, stdout: stdout, stderr: stderr, masked: map[string]bool{}, getenv: func(name string) string { v, _ := m.Lookup(name); return v }}
	action := actions.New(actions.WithWriter(stdout), actions.WithGetenv(func(name string) string {
		if name == "GITHUB_EVENT_PATH" { // the library would read it whole, whatever it is
			return ""
		}
		return h.getenv(name)
	}))
	// its errors are about numbers and switches that we do not use
	h.context, _ = action.Context()
	input := func(name string) (string, bool) {
		v := action.GetInput(name)
		return v, v != ""
	}
	f := &front.Front{
		Name:      "github",
		Event:     h.context.EventName,
		Untrusted: strings.HasPrefix(h.context.EventName, "pull_request") || h.context.EventName == "merge_group",
		Input:     input,
		Mask:      h.mask,
		Export:    h.export,
		Where:     "for the following steps of this job",
		Output: func(name, value string) error {
			return h.set("GITHUB_OUTPUT", name, value)
		},
		SaveState: func(name, value string) error {
			return h.set("GITHUB_STATE", name, value)
		},
		State:    func(name string) string { return h.getenv("STATE_" + name) },
		Annotate: h.annotate,
		TempDir:  absolute(h.getenv("RUNNER_TEMP")),
		// a directory that is an input is named by the workflow, but a change may turn it into a link
		Workspace: absolute(h.getenv("GITHUB_WORKSPACE")),
		Hosts: front.Named(m.Lookup, "server", "GITHUB_SERVER_URL", "api", "GITHUB_API_URL", "artifacts and cache", "ACTIONS_RESULTS_URL",
			"cache", "ACTIONS_CACHE_URL", "runtime", "ACTIONS_RUNTIME_URL", "tokens", "ACTIONS_ID_TOKEN_REQUEST_URL"),
	}
	if dir := absolute(h.getenv("RUNNER_TOOL_CACHE")); dir != "" {
		f.StateDir = filepath.Join(dir, "goproxy-action")
	}
	if h.context.StepSummary != "" {
		f.Summary = h.summary
	}
	api, err := url.Parse(h.context.APIURL)
	if err != nil || api.Host == "" || api.Scheme != "https" && api.Scheme != "http" {
		return nil, problem.New(problem.Usage, "GITHUB_API_URL", "leave it as the runner sets it", "is no http or https address")
	}
	if httpClient != nil {
		token, ok := input("token")
		if !ok {
			token = h.getenv("GITHUB_TOKEN")
		}
		h.directory, _ = input("directory")
		if base := h.base(api, token, httpClient, "goproxy-action/"+version); base != nil {
			f.Base = func(ctx context.Context) (*front.Base, error) { return base(ctx, false) }
			f.BaseHere = func(ctx context.Context) (*front.Base, error) { return base(ctx, true) }
		}
	}
	return f, nil
}

// absolute leaves out a directory that would lie in whatever checkout we stand in.
func absolute(dir string) string {
	if !filepath.IsAbs(dir) {
		return ""
	}
	return dir
}

// mask registers each line of a secret with the runner; a command has one line.
func (h host) mask(secret string) {
	if err := h.masks(secret); err != nil {
		fmt.Fprintln(h.stderr, "goproxy-action: a secret could not be masked in this log")
	}
}

// masks registers what is not registered yet. The error is a Problem; nothing counts as masked then.
func (h host) masks(secrets ...string) error {
	var b strings.Builder
	var fresh []string
	for _, s := range secrets {
		for l := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.TrimSpace(l) != "" && !h.masked[l] {
				h.masked[l] = true
				fresh = append(fresh, l)
				b.WriteString((&actions.Command{Name: "add-mask", Message: l}).String() + "\n")
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	_, err := io.WriteString(h.stdout, b.String())
	if err != nil {
		for _, l := range fresh {
			delete(h.masked, l)
		}
		return problem.New(problem.Usage, "mask secrets in the log", "let standard output of the step be open", "%w", err)
	}
	return nil
}

// secrets are those of all addresses in a value, which may be a list.
func secrets(value string) []string {
	found := source.Secrets(value)
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(",| \t\r\n", r) }) {
		found = append(found, source.Secrets(part)...)
	}
	return slices.DeleteFunc(found, func(s string) bool { return s == "***" || s == "%2A%2A%2A" || s == "KioqOg==" }) // masked already
}

// set gives a value to one of the runner's files; its secrets are masked before.
func (h host) set(variable, name, value string) error {
	if err := h.masks(secrets(value)...); err != nil {
		return err
	}
	return h.append(variable, keyName, pair{name, value})
}

// export masks before it writes: the runner prints what it reads from the file when it debugs.
func (h host) export(changes []inject.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var hide []string
	pairs := make([]pair, len(changes))
	for i, c := range changes {
		pairs[i] = pair{c.Name, c.Value}
		if strings.EqualFold(c.Name, "NODE_OPTIONS") {
			return problem.New(problem.Bug, "GITHUB_ENV", "", "the runner refuses NODE_OPTIONS")
		}
		found := secrets(c.Value)
		if len(found) == 0 && strings.Contains(c.Shown, "***") {
			found = []string{c.Value} // a secret that is no address
		}
		hide = append(hide, found...)
	}
	if err := h.masks(hide...); err != nil {
		return err
	}
	return h.append("GITHUB_ENV", variableName, pairs...)
}

// append adds the pairs to one of the runner's files, all or none.
func (h host) append(variable string, valid func(string) bool, pairs ...pair) error {
	var b strings.Builder
	for _, p := range pairs {
		if !valid(p.name) {
			return problem.New(problem.Bug, variable, "", "%q is no name that the runner reads", source.Plain(p.name, 100))
		}
		text, err := entry(variable, p, "goproxy_action_"+rand.Text())
		if err != nil {
			return err
		}
		b.WriteString(text)
	}
	return appendFile(variable, h.getenv(variable), func(int64) (string, error) { return b.String(), nil })
}

// entry is a pair as the runner reads it. The delimiter is random for each value, so that no value can end its own entry
// and begin another.
func entry(variable string, p pair, delimiter string) (string, error) {
	if strings.Contains(p.name, delimiter) || strings.Contains(p.value, delimiter) || strings.ContainsRune(p.value, 0) {
		return "", problem.New(problem.Usage, variable, "remove it from the setting that the value comes from",
			"the value of %s holds a NUL or the delimiter of its entry, and is not passed on", source.Plain(p.name, 100))
	}
	return p.name + "<<" + delimiter + "\n" + p.value + "\n" + delimiter + "\n", nil
}

func (h host) summary(o report.Outcome) error {
	return appendFile("GITHUB_STEP_SUMMARY", h.context.StepSummary, func(size int64) (string, error) {
		room := maxSummary - int(min(size, maxSummary)) - 1 // a line end may come before
		if page := report.Markdown(o, max(room, 1)); page != "" {
			return page, nil
		}
		return "", problem.New(problem.Usage, "GITHUB_STEP_SUMMARY", "write less to the job summary in this step", "is full: GitHub shows 1 MiB")
	})
}

// annotate writes the commands that show findings at their lines; the runner wants files relative to the workspace.
func (h host) annotate(w io.Writer, o report.Outcome) {
	if w == nil {
		w = h.stdout
	}
	var b strings.Builder
	for _, a := range report.Annotations(o) {
		c := actions.Command{Name: a.Level, Message: a.Message, Properties: actions.CommandProperties{}}
		for name, value := range map[string]string{"title": a.Title, "file": h.inWorkspace(o.Dir, a.File), "line": number(a.Line), "col": number(a.Column)} {
			if value != "" && (a.File != "" || name == "title") {
				c.Properties[name] = value
			}
		}
		b.WriteString(c.String() + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		fmt.Fprintln(h.stderr, "goproxy-action: the annotations could not be written")
	}
}

// inWorkspace is a file of the checkout dir as seen from the workspace, which is where a step stands.
func (h host) inWorkspace(dir, file string) string {
	if file == "" {
		return ""
	}
	if filepath.IsAbs(dir) {
		rel, err := filepath.Rel(h.context.Workspace, dir)
		if err != nil || !filepath.IsLocal(rel) {
			return file
		}
		dir = rel
	}
	return path.Join(filepath.ToSlash(dir), file)
}

func number(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

type pair struct{ name, value string }

// variableName: what a shell can read.
func variableName(s string) bool { return s != "" && !digit(s[0]) && only(s, "_") }

// keyName: what an expression can read; outputs may have hyphens.
func keyName(s string) bool { return s != "" && !digit(s[0]) && s[0] != '-' && only(s, "_-") }

func digit(c byte) bool { return '0' <= c && c <= '9' }

func only(s, others string) bool {
	return !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return !digit(c) && !('a' <= c && c <= 'z') && !('A' <= c && c <= 'Z') && strings.IndexByte(others, c) < 0
	})
}
