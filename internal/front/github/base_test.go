package github

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/problem"
)

var (
	baseSHA = strings.Repeat("a", 40)
	headSHA = strings.Repeat("b", 40)
	zeros   = strings.Repeat("0", 40)
)

const token = "ghs_secret"

var pullEvent = fmt.Sprintf(`{"number": 7, "pull_request": {"number": 7, "base": {"sha": %q}, "head": {"sha": %q}}}`, baseSHA, headSHA)

// played is GitHub, as far as a test needs it: answers by path and query.
type played struct {
	answers map[string]http.HandlerFunc
	mu      sync.Mutex
	asked   []string
	tokens  []string
}

func (p *played) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.URL.RequestURI())
	p.tokens = append(p.tokens, r.Header.Get("Authorization"))
	p.mu.Unlock()
	if h := p.answers[r.URL.RequestURI()]; h != nil {
		h(w, r)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"message": "Not Found"}`)
}

func (p *played) seen() (asked, tokens []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.tokens
}

func answer(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func ok(body string) http.HandlerFunc {
	return answer(http.StatusOK, "application/json; charset=utf-8", body)
}

func raw(body string) http.HandlerFunc {
	return answer(http.StatusOK, "application/vnd.github.raw+json; charset=utf-8", body)
}

const (
	files  = "/repos/org/repo/pulls/7/files?page=1&per_page=100"
	files2 = "/repos/org/repo/pulls/7/files?page=2&per_page=100"
)

func compare(base, head string) string {
	return "/repos/org/repo/compare/" + base + "..." + head + "?per_page=1"
}

func contents(path string) string { return "/repos/org/repo/contents/" + path + "?ref=" + baseSHA }

func commitOf() string { return "/repos/org/repo/git/commits/" + baseSHA }

func entryOf(name, previous, status, sha string) map[string]string {
	return map[string]string{"filename": name, "previous_filename": previous, "status": status, "contents_url": "https://api.test/contents/" + name + "?ref=" + sha}
}

func list(entries ...map[string]string) string {
	data, _ := json.Marshal(entries)
	return string(data)
}

func baseOf(t *testing.T, name, payload string, answers map[string]http.HandlerFunc) (*front.Front, *played) {
	t.Helper()
	p := &played{answers: answers}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	f, err := New(machine(map[string]string{"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": file(t, payload), "GITHUB_REPOSITORY": "org/repo",
		"GITHUB_API_URL": server.URL, "INPUT_TOKEN": token}), &strings.Builder{}, &strings.Builder{}, server.Client(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return f, p
}

func TestChanged(t *testing.T) {
	t.Parallel()
	paged := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s>; rel="next", <http://%s%s>; rel="last"`, r.Host, files2, r.Host, files2))
		ok(list(entryOf("go.mod", "", "modified", headSHA)))(w, r)
	}
	huge := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s/x?page=2>; rel="next", <http://%s/x?page=11>; rel="last"`, r.Host, r.Host))
		ok(list(entryOf("go.mod", "", "modified", headSHA)))(w, r)
	}
	comparison := func(status string, entries ...map[string]string) http.HandlerFunc {
		return ok(fmt.Sprintf(`{"status": %q, "files": %s}`, status, list(entries...)))
	}
	many := make([]map[string]string, compareFiles)
	for i := range many {
		many[i] = entryOf(fmt.Sprint(i), "", "added", headSHA)
	}
	push := fmt.Sprintf(`{"before": %q, "after": %q}`, baseSHA, headSHA)
	for _, tt := range []struct {
		name, event, payload string
		answers              map[string]http.HandlerFunc
		want                 map[string]bool
	}{
		{"pull request", "pull_request", pullEvent, map[string]http.HandlerFunc{files: paged,
			files2: ok(list(entryOf("new.json", "old.json", "renamed", headSHA), entryOf("gone", "", "removed", baseSHA)))},
			map[string]bool{"go.mod": true, "new.json": true, "old.json": true, "gone": true}},
		{"pushed to meanwhile", "pull_request", pullEvent, map[string]http.HandlerFunc{files: ok(list(entryOf("README.md", "", "modified", strings.Repeat("c", 40))))}, nil},
		{"made empty meanwhile", "pull_request_target", pullEvent, map[string]http.HandlerFunc{files: ok("[]")}, nil},
		{"too many files", "pull_request", pullEvent, map[string]http.HandlerFunc{files: huge}, nil},
		{"push", "push", push, map[string]http.HandlerFunc{compare(baseSHA, headSHA): comparison("ahead", entryOf("go.sum", "", "modified", headSHA))}, map[string]bool{"go.sum": true}},
		{"push of nothing", "push", push, map[string]http.HandlerFunc{compare(baseSHA, headSHA): comparison("identical")}, map[string]bool{}},
		{"forced push", "push", push, map[string]http.HandlerFunc{compare(baseSHA, headSHA): comparison("diverged", entryOf("go.sum", "", "modified", headSHA))}, nil},
		{"push of too many files", "push", push, map[string]http.HandlerFunc{compare(baseSHA, headSHA): comparison("ahead", many...)}, nil},
		{"merge queue", "merge_group", fmt.Sprintf(`{"merge_group": {"base_sha": %q, "head_sha": %q}}`, baseSHA, headSHA),
			map[string]http.HandlerFunc{compare(baseSHA, headSHA): comparison("ahead", entryOf("go.sum", "", "modified", headSHA))}, map[string]bool{"go.sum": true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, p := baseOf(t, tt.event, tt.payload, tt.answers)
			b, err := f.Base(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if b.Commit != baseSHA {
				t.Errorf("the base is %s", b.Commit)
			}
			if d := cmp.Diff(tt.want, b.Changed); d != "" {
				t.Errorf("changed (-want +got):\n%s", d)
			}
			if _, tokens := p.seen(); tokens[0] != "Bearer "+token {
				t.Errorf("the API was sent %q", tokens[0])
			}
		})
	}
}

func TestNoBase(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ event, payload string }{
		{"push", fmt.Sprintf(`{"before": %q, "after": %q}`, zeros, headSHA)},
		{"push", fmt.Sprintf(`{"before": %q, "after": %q}`, baseSHA, zeros)},
		{"push", `{}`}, {"workflow_dispatch", `{}`}, {"schedule", ``}, {"", ``},
	} {
		if f, _ := baseOf(t, tt.event, tt.payload, nil); f.Base != nil {
			t.Errorf("%s %s has a base", tt.event, tt.payload)
		}
	}
	for _, tt := range []struct{ event, payload, want string }{
		{"pull_request", `{}`, "without the commits"}, {"pull_request", `[`, "no JSON"}, {"merge_group", pullEvent, "without the commits"},
		{"pull_request", strings.Replace(pullEvent, baseSHA, "../../x", 1), "without the commits"},
		{"pull_request", strings.ReplaceAll(pullEvent, ": 7", ": 0"), "without a number"},
		{"push", `{"before": "x", "after": "y"}`, "without the commits"},
	} {
		f, p := baseOf(t, tt.event, tt.payload, nil)
		_, err := f.Base(t.Context())
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v", tt.event, tt.payload, err)
		}
		if asked, _ := p.seen(); len(asked) > 0 {
			t.Errorf("%s: asked %v", tt.event, asked)
		}
	}
	for name, path := range map[string]string{"unset": "", "missing": filepath.Join(t.TempDir(), "no"), "directory": t.TempDir()} {
		f := open(t, map[string]string{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": path}, &strings.Builder{})
		if _, err := f.Base(t.Context()); problem.CodeOf(err) != problem.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := open(t, map[string]string{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": file(t, pullEvent), "GITHUB_REPOSITORY": "../x"}, &strings.Builder{})
	if _, err := f.Base(t.Context()); problem.CodeOf(err) != problem.Usage {
		t.Errorf("a repository that leads elsewhere: %v", err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	hostile := "a b/#?%2e%/ü&ref=x"
	gitea := fmt.Sprintf(`{"type": "file", "encoding": "base64", "content": %q}`, base64.StdEncoding.EncodeToString([]byte("from Gitea")))
	f, p := baseOf(t, "pull_request", pullEvent, map[string]http.HandlerFunc{
		files:              ok(list(entryOf("go.mod", "", "modified", headSHA))),
		contents("go.mod"): raw("module x\n"),
		contents("a%20b/%23%3F%252e%25/%C3%BC&ref=x"): raw("hostile"),
		contents("lock.json"):                         raw(`{"type": "dir"}`),
		contents("dir"):                               ok(`[{"type": "file"}]`),
		contents("sub"):                               ok(`{"type": "submodule"}`),
		contents("gitea"):                             ok(gitea),
		contents("broken"):                            ok(`{`),
		contents("secret"):                            answer(http.StatusForbidden, "application/json", `{"message": "Resource not accessible by integration\u001b[2J"}`),
		contents("down"):                              answer(http.StatusBadGateway, "text/html", "<html>"),
		commitOf():                                    ok(`{}`),
	})
	b, err := f.Base(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"go.mod": "module x\n", hostile: "hostile", "lock.json": `{"type": "dir"}`, "gitea": "from Gitea"} {
		if got, err := b.Read(t.Context(), name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"dir", "sub", "none", "none2"} {
		if _, err := b.Read(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]problem.Code{"broken": problem.Unanswered, "secret": problem.Usage, "down": problem.Unanswered,
		"../x": problem.Usage, "/etc/passwd": problem.Usage, ".": problem.Usage, "": problem.Usage, "a\xff": problem.Usage} {
		_, err := b.Read(t.Context(), name)
		if problem.CodeOf(err) != want || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", name, err)
		}
	}
	asked, _ := p.seen()
	commits := 0
	for _, a := range asked {
		if a == commitOf() {
			commits++
		}
	}
	if commits != 1 {
		t.Errorf("the commit was asked for %d times", commits)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	many := make([]string, maxEntries)
	for i := range many {
		many[i] = fmt.Sprintf(`{"type": "file", "name": "%d"}`, i)
	}
	f, _ := baseOf(t, "pull_request", pullEvent, map[string]http.HandlerFunc{
		files:              ok(list(entryOf("go.mod", "", "modified", headSHA))),
		contents("dir"):    ok(`{"type": "dir", "entries": [{"type": "file", "name": "a.rego"}, {"type": "dir", "name": "sub"}, {"type": "symlink", "name": "l"}]}`),
		contents("gitea"):  ok(`[{"type": "file", "name": "a.rego"}]`),
		contents("file"):   ok(`{"type": "file", "name": "file", "content": ""}`),
		contents("many"):   ok(`{"type": "dir", "entries": [` + strings.Join(many, ",") + `]}`),
		contents("out"):    ok(`{"type": "dir", "entries": [{"type": "file", "name": "../../x"}]}`),
		contents("broken"): ok(`{`),
		commitOf():         ok(`{}`),
	})
	b, err := f.Base(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{"dir": "a.rego sub/ l", "gitea": "a.rego"} {
		if got, err := b.List(t.Context(), dir); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
	for _, dir := range []string{"file", "none"} {
		if got, err := b.List(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
	for dir, want := range map[string]problem.Code{"many": problem.Usage, "out": problem.Unanswered, "broken": problem.Unanswered, "../x": problem.Usage} {
		if got, err := b.List(t.Context(), dir); problem.CodeOf(err) != want {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
}

// A token without permission is told 404 for everything; a policy of the base must not seem to be absent then.
func TestReadWithoutPermission(t *testing.T) {
	t.Parallel()
	f, _ := baseOf(t, "pull_request", pullEvent, map[string]http.HandlerFunc{files: ok("[]")})
	b, err := f.Base(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Read(t.Context(), ".goproxy/config.yaml")
	if errors.Is(err, fs.ErrNotExist) || problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "contents: read") {
		t.Errorf("got %v", err)
	}
}

func TestTokenStaysHome(t *testing.T) {
	t.Parallel()
	elsewhere := &played{answers: map[string]http.HandlerFunc{"/moved": raw("moved")}}
	other := httptest.NewServer(elsewhere)
	t.Cleanup(other.Close)
	f, _ := baseOf(t, "pull_request", pullEvent, map[string]http.HandlerFunc{files: ok("[]"),
		contents("go.mod"): func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/moved", http.StatusFound)
		},
		contents("bad"): func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/?token=hunter2", http.StatusFound)
		}})
	b, err := f.Base(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Read(t.Context(), "go.mod"); err != nil || string(got) != "moved" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, tokens := elsewhere.seen(); tokens[0] != "" {
		t.Errorf("another host was sent %q", tokens[0])
	}
	if _, err := b.Read(t.Context(), "bad"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret of a redirect: %v", err)
	}
	// a name that is no loopback address, over plain http: the question goes without the token
	var sent []string
	client := &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.Header.Get("Authorization"))
		return nil, errors.New("refused")
	})}
	plain, err := New(machine(map[string]string{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": file(t, pullEvent), "GITHUB_REPOSITORY": "org/repo",
		"GITHUB_API_URL": "http://ghe.test/api/v3", "GITHUB_TOKEN": token}), &strings.Builder{}, &strings.Builder{}, client, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Base(t.Context()); problem.CodeOf(err) != problem.Unanswered || !strings.Contains(err.Error(), "ghe.test/api/v3") {
		t.Errorf("got %v", err)
	}
	if len(sent) != 1 || sent[0] != "" {
		t.Errorf("plain http was sent %q", sent)
	}
}

type trip func(*http.Request) (*http.Response, error)

func (t trip) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestAPIProblems(t *testing.T) {
	t.Parallel()
	limited := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", "1800000000")
		answer(http.StatusForbidden, "application/json", `{"message": "API rate limit exceeded"}`)(w, r)
	}
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		code problem.Code
		want string
	}{
		"bad token": {answer(401, "application/json", `{"message": "Bad credentials"}`), problem.Usage, "answered 401 (Bad credentials); give the job permissions: contents: read, pull-requests: read"},
		"forbidden": {answer(403, "application/json", `{"message": "Resource not accessible by integration"}`), problem.Usage, "pull-requests: read"},
		"limited":   {limited, problem.Unanswered, "rate limit is used up until"},
		"down":      {answer(500, "text/html", "oops"), problem.Unanswered, "answered 500"},
		"garbage":   {answer(200, "application/json", "<html>"), problem.Unanswered, "GitHub API"},
	} {
		f, _ := baseOf(t, "pull_request", pullEvent, map[string]http.HandlerFunc{files: tt.h})
		_, err := f.Base(t.Context())
		if problem.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, _ := baseOf(t, "pull_request", pullEvent, nil)
	if _, err := f.Base(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(pullEvent))
	f.Add([]byte(`{"before": null, "merge_group": {}}`))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseEvent(data) })
}
