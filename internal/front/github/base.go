package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/org/goproxy-action/internal/ecosystem/git"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxEvent bounds the event file: GitHub caps payloads at 25 MB (docs.github.com, "Webhook events and payloads").
	maxEvent = 25 << 20
	// maxBody bounds one answer of the API, a file of the base commit among them; it is as much as is read of a file of
	// the checkout.
	maxBody = 64 << 20
	// apiTime bounds all that is asked of the API, from the first question on.
	apiTime = 10 * time.Second
	// compareFiles is how many files GitHub lists of a comparison; there may be more.
	compareFiles = 300
	// maxEntries is how many names GitHub lists of a directory (docs.github.com, "Get repository content"); there may be
	// more.
	maxEntries = 1000
	// pullFiles is how many files of a pull request are listed, 100 a page. GitHub lists up to 3000, but to take all
	// files for changed is then quicker than to ask for 30 pages.
	pullFiles = 1000
)

const wantPermissions = "give the job permissions: contents: read, pull-requests: read, or set the input token, or let actions/checkout fetch the base commit (fetch-depth: 0)"

var (
	commit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	word   = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// event is what we read of the event's payload.
type event struct {
	Number      int    `json:"number"`
	Before      string `json:"before"`
	After       string `json:"after"`
	PullRequest *struct {
		Number int `json:"number"`
		Base   struct {
			SHA string `json:"sha"`
		} `json:"base"`
		Head struct {
			SHA string `json:"sha"`
		} `json:"head"`
	} `json:"pull_request"`
	MergeGroup *struct {
		BaseSHA string `json:"base_sha"`
		HeadSHA string `json:"head_sha"`
	} `json:"merge_group"`
}

// span is a change: what it is measured against, and where it leads. number is the pull request's, else zero.
type span struct {
	base, head string
	number     int
}

// base returns what finds the base commit; nil where the event has none. The checkout's own objects are asked first, the
// API where they lack the commit or cannot be read, unless only what is here counts. Objects that are not what their hash
// says are the end: whoever wrote them meant to be believed.
func (h host) base(address *url.URL, token string, client *http.Client, agent string) func(ctx context.Context, here bool) (*front.Base, error) {
	name := h.context.EventName
	if !strings.HasPrefix(name, "pull_request") && name != "merge_group" && name != "push" {
		return nil
	}
	s, err := spanOf(name, h.getenv("GITHUB_EVENT_PATH"))
	if err == nil && s.base == "" {
		return nil
	}
	return func(ctx context.Context, here bool) (*front.Base, error) {
		if err != nil {
			return nil, err
		}
		reach := sync.OnceValues(func() (*api, error) {
			owner, repo := h.context.Repo()
			for _, w := range []string{owner, repo} {
				if !word.MatchString(w) || strings.Trim(w, ".") == "" {
					return nil, problem.New(problem.Usage, "GITHUB_REPOSITORY", "leave it as the runner sets it", "is not of the form owner/name")
				}
			}
			a := newAPI(address, token, client, agent)
			a.owner, a.repo, a.base = owner, repo, s.base
			return a, nil
		})
		if c, err := h.local(ctx, s.base, name != "push"); err == nil {
			// a clone may lack files of the commits that it has (input filter of actions/checkout)
			read := func(ctx context.Context, name string) ([]byte, error) {
				data, err := c.Read(ctx, name)
				if errors.Is(err, git.ErrMissing) && !here {
					a, err := reach()
					if err != nil {
						return nil, err
					}
					return a.read(ctx, name)
				}
				return data, err
			}
			list := func(ctx context.Context, dir string) ([]string, error) {
				names, err := c.List(ctx, dir)
				if errors.Is(err, git.ErrMissing) && !here {
					a, err := reach()
					if err != nil {
						return nil, err
					}
					return a.list(ctx, dir)
				}
				return names, err
			}
			return &front.Base{Commit: s.base, Read: read, List: list, Close: c.Close}, nil
		} else if here || problem.CodeOf(err) == problem.Security {
			return nil, err
		}
		a, err := reach()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithDeadline(ctx, a.deadline)
		defer cancel()
		changed, err := a.changed(ctx, s)
		if err != nil {
			return nil, err
		}
		return &front.Base{Commit: s.base, Changed: changed, Read: a.read, List: a.list}, nil
	}
}

// local opens a commit from the objects of the repository that the checkout lies in: that of the directory with .git
// which is the nearest on the way up to the workspace, and for a stranger's proposal no submodule of another.
func (h host) local(ctx context.Context, sha string, proposed bool) (*git.Commit, error) {
	workspace := absolute(h.getenv("GITHUB_WORKSPACE"))
	dir := h.directory
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(workspace, dir)
	}
	for rel, err := filepath.Rel(workspace, dir); workspace != "" && err == nil && filepath.IsLocal(rel); rel = filepath.Dir(rel) {
		dir = filepath.Join(workspace, rel)
		if root := git.Root(dir, workspace); proposed && root != "" {
			dir = root
		}
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			r := git.Repository{Machine: h.machine, Dir: dir, Fence: workspace, Temp: absolute(h.getenv("RUNNER_TEMP"))}
			return r.Commit(ctx, sha, "")
		}
		if rel == "." {
			break
		}
	}
	return nil, problem.New(problem.Usage, "commit "+sha, "let actions/checkout put the checkout with its .git below the workspace", "%w", git.ErrMissing)
}

// spanOf reads the event's payload. A push of a new branch has no base; every other event here has one.
func spanOf(name, file string) (span, error) {
	wrong := func(format string, args ...any) (span, error) {
		return span{}, problem.New(problem.Usage, "GITHUB_EVENT_PATH", "leave it as the runner sets it", format, args...)
	}
	data, err := readEvent(file)
	if err != nil {
		return wrong("%w", bare(err))
	}
	e, err := parseEvent(data)
	if err != nil {
		return wrong("holds no event: %w", err)
	}
	var s span
	switch {
	case name == "push":
		if strings.Trim(e.Before, "0") == "" || strings.Trim(e.After, "0") == "" {
			return span{}, nil
		}
		s = span{base: e.Before, head: e.After}
	case name == "merge_group" && e.MergeGroup != nil:
		s = span{base: e.MergeGroup.BaseSHA, head: e.MergeGroup.HeadSHA}
	case name != "merge_group" && e.PullRequest != nil:
		s = span{base: e.PullRequest.Base.SHA, head: e.PullRequest.Head.SHA, number: max(e.PullRequest.Number, e.Number)}
		if s.number <= 0 {
			return wrong("holds a pull request without a number")
		}
	}
	if !commit.MatchString(s.base) || !commit.MatchString(s.head) {
		return wrong("holds an event %s without the commits it is about", source.Plain(name, 50))
	}
	return s, nil
}

func parseEvent(data []byte) (event, error) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return event{}, errors.New("it is no JSON of the expected form")
	}
	return e, nil
}

func readEvent(name string) ([]byte, error) {
	if name == "" {
		return nil, errors.New("is not set although GITHUB_ACTIONS is true")
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxEvent {
		return nil, fmt.Errorf("names no regular file of at most %d MiB", maxEvent>>20)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxEvent))
}

// api asks GitHub about one repository and one base commit.
type api struct {
	client            *gh.Client
	owner, repo, base string
	deadline          time.Time
	// tokenless is why no token is sent; empty when one is.
	tokenless string

	mu       sync.Mutex
	readable bool // the base commit was seen, so that 404 means "has no such file"
}

func newAPI(address *url.URL, token string, client *http.Client, agent string) *api {
	a := &api{deadline: time.Now().Add(apiTime)}
	root := *address
	root.User, root.RawQuery, root.Fragment = nil, "", ""
	root.Path, root.RawPath = strings.TrimRight(root.Path, "/")+"/", ""
	loc, err := source.Locate(root.String())
	switch {
	case token == "":
		a.tokenless = "there is no token"
	case err != nil || root.Scheme != "https" && !loc.Loopback:
		a.tokenless, token = "the token is not sent over plain http", ""
	}
	own := *client
	own.Transport = &transport{next: client.Transport, root: &root, token: token}
	a.client = gh.NewClient(&own)
	a.client.BaseURL, a.client.UserAgent = &root, agent
	return a
}

// transport sends the token to the API and to nobody that the API redirects to (go-github's own would), and bounds the
// answers.
type transport struct {
	next  http.RoundTripper
	root  *url.URL
	token string
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if t.token != "" && r.URL.Scheme == t.root.Scheme && r.URL.Host == t.root.Host {
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxBody+1), resp.Body}
	}
	return resp, err
}

// changed are the paths that differ between base and head; nil where they are not known for sure.
func (a *api) changed(ctx context.Context, s span) (map[string]bool, error) {
	if s.number == 0 {
		return a.compared(ctx, s)
	}
	changed := map[string]bool{}
	for page := 1; page != 0; {
		files, resp, err := a.client.PullRequests.ListFiles(ctx, a.owner, a.repo, s.number, &gh.ListOptions{Page: page, PerPage: 100})
		if err != nil {
			return nil, a.explain("list the files of the pull request", err)
		}
		if resp.LastPage*100 > pullFiles || page*100 > pullFiles {
			return nil, nil
		}
		for _, f := range files {
			// the list is of the pull request as it is now: a push after the event must not hide what the event brought
			if f.GetStatus() != "removed" && !strings.HasSuffix(f.GetContentsURL(), "?ref="+s.head) {
				return nil, nil
			}
		}
		add(changed, files)
		page = resp.NextPage
	}
	if len(changed) == 0 {
		return nil, nil
	}
	return changed, nil
}

// compared asks for the difference of two commits. Where head does not follow base, GitHub compares with what they have
// in common, which says nothing of the base.
func (a *api) compared(ctx context.Context, s span) (map[string]bool, error) {
	c, _, err := a.client.Repositories.CompareCommits(ctx, a.owner, a.repo, s.base, s.head, &gh.ListOptions{PerPage: 1})
	if err != nil {
		return nil, a.explain("compare the commits of the event", err)
	}
	if status := c.GetStatus(); status != "ahead" && status != "identical" || len(c.Files) >= compareFiles {
		return nil, nil
	}
	changed := map[string]bool{}
	add(changed, c.Files)
	return changed, nil
}

func add(changed map[string]bool, files []*gh.CommitFile) {
	for _, f := range files {
		changed[f.GetFilename()] = true
		if old := f.GetPreviousFilename(); old != "" {
			changed[old] = true
		}
	}
}

// read gets one file of the base commit.
func (a *api) read(ctx context.Context, name string) ([]byte, error) {
	op := "read " + source.Plain(name, 200) + " of the base commit"
	if name == "." {
		return nil, problem.New(problem.Usage, op, "name a file", "is the root of the repository")
	}
	data, kind, err := a.contents(ctx, op, name, "application/vnd.github.raw+json")
	// a directory and a submodule come as JSON, and so does everything from Gitea, which knows no raw form
	if err == nil && kind == "application/json" {
		return a.decode(op, data)
	}
	return data, err
}

// list gets the names in a directory of the base commit.
func (a *api) list(ctx context.Context, dir string) ([]string, error) {
	op := "list " + source.Plain(dir, 200) + " of the base commit"
	data, _, err := a.contents(ctx, op, dir, "application/vnd.github.object+json")
	if err != nil {
		return nil, err
	}
	var entries []*gh.RepositoryContent
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) { // Gitea
		err = json.Unmarshal(data, &entries)
	} else {
		var object struct {
			Type    string                  `json:"type"`
			Entries []*gh.RepositoryContent `json:"entries"`
		}
		if err = json.Unmarshal(data, &object); err == nil && object.Type != "dir" {
			return nil, fs.ErrNotExist
		}
		entries = object.Entries
	}
	if err != nil {
		return nil, problem.New(problem.Unanswered, op, "run the job again", "the answer holds no list that can be read")
	}
	if len(entries) >= maxEntries {
		return nil, problem.New(problem.Usage, op, "let actions/checkout fetch the base commit (fetch-depth: 0), or name a smaller directory", "GitHub lists no more than %d names", maxEntries)
	}
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		name := e.GetName()
		if name == "" || strings.ContainsAny(name, "/\x00") {
			return nil, problem.New(problem.Unanswered, op, "run the job again", "the answer holds no list that can be read")
		}
		if e.GetType() == "dir" {
			name += "/"
		}
		out = append(out, name)
	}
	return out, nil
}

// contents asks for what stands at a path of the base commit; kind is the media type of the answer.
func (a *api) contents(ctx context.Context, op, name, accept string) (data []byte, kind string, err error) {
	ctx, cancel := context.WithDeadline(ctx, a.deadline)
	defer cancel()
	if !fs.ValidPath(name) {
		return nil, "", problem.New(problem.Usage, op, "rename it", "is no path that GitHub can be asked for")
	}
	segments := strings.Split(name, "/")
	if name == "." {
		segments = nil
	}
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	req, err := a.client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/contents/%s?ref=%s", a.owner, a.repo, strings.Join(segments, "/"), a.base), nil)
	if err != nil {
		return nil, "", problem.New(problem.Usage, op, "rename it", "is no path that GitHub can be asked for")
	}
	req.Header.Set("Accept", accept)
	resp, err := a.client.BareDo(ctx, req)
	if err != nil {
		if e, ok := errors.AsType[*gh.ErrorResponse](err); ok && e.Response.StatusCode == http.StatusNotFound {
			if err := a.sees(ctx); err != nil {
				return nil, "", err
			}
			return nil, "", fs.ErrNotExist
		}
		return nil, "", a.explain(op, err)
	}
	defer resp.Body.Close()
	if data, err = io.ReadAll(resp.Body); err != nil {
		return nil, "", a.explain(op, err)
	}
	if len(data) > maxBody {
		return nil, "", problem.New(problem.Usage, op, "remove it", "has more than %d MiB", maxBody>>20)
	}
	kind, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return data, kind, nil
}

func (a *api) decode(op string, data []byte) ([]byte, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) { // a directory
		return nil, fs.ErrNotExist
	}
	var c gh.RepositoryContent
	err := json.Unmarshal(data, &c)
	if err == nil && c.GetType() != "" && c.GetType() != "file" {
		return nil, fs.ErrNotExist
	}
	if err == nil && c.GetType() == "file" {
		if text, err := c.GetContent(); err == nil {
			return []byte(text), nil
		}
	}
	return nil, problem.New(problem.Unanswered, op, "run the job again", "the answer holds no content that can be read")
}

// sees fails where the token may not read the commit: GitHub then says 404 to everything, and a policy of the base
// would seem not to be there.
func (a *api) sees(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.readable {
		return nil
	}
	if _, _, err := a.client.Git.GetCommit(ctx, a.owner, a.repo, a.base); err != nil {
		return a.explain("read the base commit", err)
	}
	a.readable = true
	return nil
}

// explain makes a Problem of what go met: code Usage where permissions are missing, else Unanswered. It takes over
// no address, since one that GitHub redirects to may hold a secret.
func (a *api) explain(op string, err error) error {
	op = "GitHub API: " + op
	if resp, ok := errors.AsType[*gh.ErrorResponse](err); ok {
		status := resp.Response.StatusCode
		said := ""
		if resp.Message != "" {
			said = " (" + source.Plain(source.Redact(resp.Message), 200) + ")"
		}
		if a.tokenless != "" {
			said += "; " + a.tokenless
		}
		switch status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
			return problem.New(problem.Usage, op, wantPermissions, "answered %d%s", status, said)
		}
		return problem.New(problem.Unanswered, op, "run the job again when GitHub answers", "answered %d%s", status, said)
	}
	if limit, ok := errors.AsType[*gh.RateLimitError](err); ok {
		return problem.New(problem.Unanswered, op, "set the input token, or run the job again then", "the rate limit is used up until %s", limit.Rate.Reset.UTC().Format(time.TimeOnly+" MST"))
	}
	if _, ok := errors.AsType[*gh.AbuseRateLimitError](err); ok {
		return problem.New(problem.Unanswered, op, "run the job again later", "the secondary rate limit is used up")
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return problem.New(problem.Unanswered, op, "run the job again when GitHub answers", "no answer within %s: %w", apiTime, err)
	case errors.Is(err, context.Canceled):
		return problem.New(problem.Unanswered, op, "", "%w", err)
	}
	return problem.New(problem.Unanswered, op, "let the runner reach "+path.Join(a.client.BaseURL.Host, a.client.BaseURL.Path)+", through HTTPS_PROXY if need be", "%s", source.Plain(source.Redact(err.Error()), 300))
}
