// Package gitlab is the front of a job of GitLab CI/CD. It is a shell's front that knows which change the job is for:
// settings reach the job's script through its shell. GitLab has no masks, outputs and annotations at run time; its
// reports are files (--output).
package gitlab

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/ecosystem/git"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/problem"
)

// baseTime bounds the search for the base commit: room for two fetches of one commit that time out, since git gives up
// by itself only after minutes.
const baseTime = 45 * time.Second

// Detect is true in a job of GitLab CI/CD. CI_JOB_ID alone will do: gitlab-ci-local sets GITLAB_CI to false.
func Detect(lookup func(string) (string, bool)) bool {
	v, _ := lookup("GITLAB_CI")
	id, _ := lookup("CI_JOB_ID")
	return v == "true" || id != ""
}

// job is the job that we are in.
type job struct {
	machine ecosystem.Machine
	// dir is the checkout; empty where it is not known.
	dir string
}

// New returns the front of the job that m's environment describes. It is made of a shell's, which is not changed.
func New(m ecosystem.Machine, shell *front.Front) *front.Front {
	j := job{machine: m}
	if dir := j.get("CI_PROJECT_DIR"); filepath.IsAbs(dir) {
		j.dir = filepath.Clean(dir)
	}
	f := *shell
	f.Name, f.Event, f.Workspace = "gitlab", j.get("CI_PIPELINE_SOURCE"), j.dir
	f.Untrusted, f.Base, f.BaseHere = j.base()
	f.TempDir = j.tempDir()
	f.Hosts = front.Named(m.Lookup, "server", "CI_SERVER_URL", "api", "CI_API_V4_URL")
	if j.planted(f.StateDir) { // a cache of GitLab's has to lie in the checkout
		f.StateDir = ""
	}
	return &f
}

func (j job) get(name string) string {
	v, _ := j.machine.Lookup(name)
	return v
}

// planted tells whether a directory, which need not be there yet, lies where the checkout's author may have written.
func (j job) planted(dir string) bool {
	if dir == "" || j.dir == "" || !filepath.IsAbs(dir) {
		return dir != "" && !filepath.IsAbs(dir)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if ecosystem.Inside(j.dir, dir) {
			return true
		}
	}
	return false
}

// tempDir is empty, which is the system's, unless variables put that into the checkout.
func (j job) tempDir() string {
	names, other := []string{"TMPDIR"}, "/tmp"
	if j.machine.OS == "windows" {
		names, other = []string{"TMP", "TEMP"}, filepath.Dir(j.dir)
	}
	for _, name := range names {
		if dir := j.get(name); dir != "" {
			if j.planted(dir) {
				return other
			}
			return "" // the first that is set counts
		}
	}
	return ""
}

// target is what GitLab tells of the change that a merge request's pipeline is for.
type target struct {
	sha, branch, ancestor string
	// here leaves out the branch: only the checkout is asked.
	here bool
}

// base tells whether the checkout may be a stranger's proposal, and returns what finds the commit that the change is
// measured against, with a network and without; nil where the pipeline is for no change. For a merge request it is never
// nil: without a base only the built-in policy counts.
func (j job) base() (untrusted bool, find, here func(context.Context) (*front.Base, error)) {
	const mr, external = "CI_MERGE_REQUEST_", "CI_EXTERNAL_PULL_REQUEST_"
	var t target
	address := j.repository()
	switch source := j.get("CI_PIPELINE_SOURCE"); {
	case source == "external_pull_request_event" || j.get(external+"IID") != "":
		untrusted, t = true, target{sha: j.get(external + "TARGET_BRANCH_SHA"), branch: j.get(external + "TARGET_BRANCH_NAME")}
	case source == "merge_request_event" || j.get(mr+"IID") != "":
		if project := j.get(mr + "PROJECT_ID"); project != "" && project != j.get("CI_PROJECT_ID") {
			// the pipeline of a fork: the target is another project, which does not know this job's token
			address = j.get(mr+"PROJECT_URL") + ".git"
		}
		untrusted, t = true, target{sha: j.get(mr + "TARGET_BRANCH_SHA"), branch: j.get(mr + "TARGET_BRANCH_NAME"), ancestor: j.get(mr + "DIFF_BASE_SHA")}
	case source == "push":
		if t.sha = j.get("CI_COMMIT_BEFORE_SHA"); strings.Trim(t.sha, "0") == "" {
			return false, nil, nil
		}
	default:
		return false, nil, nil
	}
	return untrusted, j.finder(address, t), j.finder("", target{sha: t.sha, ancestor: t.ancestor, here: true})
}

// repository is the address that the runner has cloned from. Where it holds no login (the runner's feature flag
// FF_GIT_URLS_WITHOUT_TOKENS), the job's own is one, for the job's own server.
func (j job) repository() string {
	address := j.get("CI_REPOSITORY_URL")
	u, err := url.Parse(address)
	if token := j.get("CI_JOB_TOKEN"); err == nil && token != "" && u.User == nil && strings.HasPrefix(u.Scheme, "http") && u.Host == j.get("CI_SERVER_FQDN") {
		u.User = url.UserPassword("gitlab-ci-token", token)
		return u.String()
	}
	return address
}

// finder opens the target's commit: as the pipeline found it (known where GitLab has merged already), else as the branch
// is now, else the last that the change has in common with it. A commit whose content is not what its name says ends
// the search.
func (j job) finder(address string, t target) func(context.Context) (*front.Base, error) {
	return func(ctx context.Context) (*front.Base, error) {
		if j.dir == "" {
			return nil, problem.New(problem.Usage, "CI_PROJECT_DIR", "leave it as the runner sets it", "is no absolute path, so the checkout's commits are not found")
		}
		ctx, cancel := context.WithTimeout(ctx, baseTime)
		defer cancel()
		r := git.Repository{Machine: j.machine, Dir: j.dir, Fence: j.dir, Temp: j.tempDir()}
		tries := []struct {
			name string
			open func(context.Context, string, string) (*git.Commit, error)
		}{{t.sha, r.Commit}, {t.branch, r.Tip}, {t.ancestor, r.Commit}}
		var first error
		for _, try := range tries {
			if try.name == "" {
				continue
			}
			c, err := try.open(ctx, try.name, address)
			if err == nil {
				return &front.Base{Commit: c.SHA(), Read: c.Read, List: c.List, Close: c.Close}, nil
			}
			if first == nil {
				first = err
			}
			if problem.CodeOf(err) == problem.Security || ctx.Err() != nil {
				return nil, err
			}
		}
		switch {
		case first == nil && t.here:
			first = problem.New(problem.Usage, "merge request", "let it be asked: leave --offline out", "GitLab names no commit that the checkout may have, only the target branch")
		case first == nil:
			first = problem.New(problem.Usage, "merge request", "let the pipeline run for the merge request itself", "GitLab names neither the target branch nor its commit")
		}
		return nil, first
	}
}
