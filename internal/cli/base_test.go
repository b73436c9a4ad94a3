package cli_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

// A pull request whose base commit the checkout has is judged by it without GitHub. If that commit was forged by an
// earlier job on the runner, nothing is decided, whatever the mode.
func TestBaseOfTheCheckout(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	api := upstreamtest.NewGitHubAPI(t)
	s.world.Serve("api.github.com", api)
	git := s.git
	config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	commit := func(settings string) string {
		s.file(".goproxy/config.yaml", string(config)+settings)
		git("add", "-A")
		git("commit", "-q", "-m", "x")
		return git("rev-parse", "HEAD")
	}
	git("init", "-q")
	base := commit("mode: enforce\n")
	s.file("package.json", `{}`)
	s.file("package-lock.json", poisoned)
	head := commit("mode: audit\nseverity: {LCK002: off, LCK003: off, LCK004: off}\n")

	temp := t.TempDir()
	s.write(filepath.Join(temp, "event.json"), fmt.Sprintf(`{"number": 7, "pull_request": {"number": 7, "base": {"sha": %q}, "head": {"sha": %q}}}`, base, head))
	maps.Copy(s.env, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": filepath.Join(temp, "event.json"),
		"GITHUB_REPOSITORY": "o/r", "RUNNER_TEMP": temp, "GITHUB_WORKSPACE": s.dir, "INPUT_DIRECTORY": s.dir, "PATH": os.Getenv("PATH")})
	s.run("check", "DIR").want(t, 1, []string{"LCK001", "LCK002", "LCK003", "LCK004"}, nil)

	weak := git("rev-parse", head+":.goproxy/config.yaml")
	strong := git("rev-parse", base+":.goproxy/config.yaml")
	loose := func(hash string) string { return filepath.Join(s.dir, ".git", "objects", hash[:2], hash[2:]) }
	if err := os.Remove(loose(strong)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(loose(weak), loose(strong)); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"enforce", "audit"} {
		s.run("check", "--mode", mode, "DIR").want(t, 4, nil, []string{strong, "other content than the hash says"})
	}
	if asked := api.Requests(); len(asked) > 0 {
		t.Errorf("GitHub was asked: %v", asked)
	}
}

// A commit hook in the pipeline of a change goes by the base commit that the checkout has, and asks nobody. Without one
// the built-in policy counts, and a note says what is missing; a gate does not pass then.
func TestHookInPipeline(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	api := upstreamtest.NewGitHubAPI(t)
	s.world.Serve("api.github.com", api)
	s.file("package.json", `{}`)
	s.file("package-lock.json", `{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0",
  "resolved": "https://npm.corp.test/a/-/a-1.0.0.tgz",
  "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}}}`)
	config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.file(".goproxy/config.yaml", string(config)+"trusted: {npm: [npm.corp.test, npm.official.test]}\nseverity: {LCK001: error}\n")
	s.git("init", "-q")
	commit := func() string {
		s.git("add", "-A")
		s.git("commit", "-q", "--allow-empty", "-m", "x")
		return s.git("rev-parse", "HEAD")
	}
	base, head := commit(), commit()

	temp := t.TempDir()
	s.write(filepath.Join(temp, "event.json"), fmt.Sprintf(`{"number": 7, "pull_request": {"number": 7, "base": {"sha": %q}, "head": {"sha": %q}}}`, base, head))
	github := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": filepath.Join(temp, "event.json"),
		"GITHUB_REPOSITORY": "o/r", "RUNNER_TEMP": temp, "GITHUB_WORKSPACE": s.dir}
	gitlab := map[string]string{"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "merge_request_event", "CI_PROJECT_DIR": s.dir, "TMPDIR": temp,
		"CI_REPOSITORY_URL": "https://gitlab.test/o/r.git", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
	plain := s.env
	doors := map[string]map[string]string{"here": {}, "github": github, "gitlab": gitlab}
	for name, vars := range doors {
		s.env = maps.Clone(plain)
		maps.Copy(s.env, vars)
		s.env["PATH"] = os.Getenv("PATH")
		if e := s.run("check", "--scope", "repo", "--offline", "DIR"); e.code != 0 || strings.Contains(e.stdout, "base commit") {
			t.Errorf("%s: exit %d\n%s%s", name, e.code, e.stdout, e.stderr)
		}
		s.run("check", "--offline", "DIR").want(t, 0, nil, nil)
	}
	if err := os.RemoveAll(filepath.Join(s.dir, ".git")); err != nil { // a clone of another commit alone
		t.Fatal(err)
	}
	s.git("init", "-q")
	for name, want := range map[string]string{"github": "fetch-depth: 0", "gitlab": "GIT_DEPTH: 0"} {
		s.env = maps.Clone(plain)
		maps.Copy(s.env, doors[name])
		s.env["PATH"] = os.Getenv("PATH")
		s.run("check", "--scope", "repo", "--offline", "DIR").want(t, 1, []string{"LCK001", "without the checkout's own lists of trusted hosts", want}, nil)
		s.run("check", "--offline", "DIR").want(t, 2, nil, []string{"the commit it is measured against", want})
	}
	if hosts := s.world.Hosts(); len(hosts) > 0 {
		t.Errorf("contacted %q", hosts)
	}
}
