package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

// git runs git in the checkout, or in another directory that -C in args names.
func (s *stage) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", s.dir, "-c", "user.name=a", "-c", "user.email=a@a.test", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits all that is there.
func (s *stage) commit() string {
	s.t.Helper()
	s.git("add", "-A")
	s.git("commit", "-q", "--allow-empty", "-m", "x")
	return s.git("rev-parse", "HEAD")
}

// newRepository is a stage whose checkout is a repository with one commit, of a package.json and the settings.
func newRepository(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.env["PATH"] = os.Getenv("PATH")
	if err := os.Mkdir(s.env["TMPDIR"], 0o700); err != nil {
		t.Fatal(err)
	}
	s.file("package.json", `{}`)
	s.git("init", "-q")
	s.commit()
	return s
}

// pullRequest makes the environment that of a job for a pull request.
func (s *stage) pullRequest(base, head string) {
	s.t.Helper()
	temp := s.t.TempDir()
	s.write(filepath.Join(temp, "event.json"), fmt.Sprintf(`{"number": 7, "pull_request": {"number": 7, "base": {"sha": %q}, "head": {"sha": %q}}}`, base, head))
	maps.Copy(s.env, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": filepath.Join(temp, "event.json"),
		"GITHUB_REPOSITORY": "o/r", "RUNNER_TEMP": temp, "GITHUB_WORKSPACE": s.dir})
}

// mergeRequest makes it that of a job for a merge request.
func (s *stage) mergeRequest(base string) {
	for name := range s.env {
		if strings.HasPrefix(name, "GITHUB_") {
			delete(s.env, name)
		}
	}
	maps.Copy(s.env, map[string]string{"GITLAB_CI": "true", "CI_JOB_ID": "42", "CI_PIPELINE_SOURCE": "merge_request_event", "CI_PROJECT_DIR": s.dir, "CI_MERGE_REQUEST_IID": "7",
		"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": base})
}

// inDays is a date.
func inDays(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }

// waivers are a file that waives rules in all lock files.
func waivers(expires string, rules ...string) string {
	text := "waivers:\n"
	for _, r := range rules {
		text += "  - rule: " + r + "\n    match: {file: '**/package-lock.json'}\n    reason: the farm has no https\n    owner: build-team\n    expires: " + expires + "\n"
	}
	return text
}

// What somebody has taken upon himself does not fail, and is told; when it has ended it fails again, and says who it was.
func TestWaivers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file("package.json", `{}`)
	s.file("package-lock.json", poisoned)
	all := []string{"LCK001", "LCK002", "LCK003", "LCK004"}
	s.run("check", "DIR").want(t, 1, append([]string{"denied: 3 errors, 1 warning ("}, all...), nil)

	s.file(".goproxy/waivers.yaml", waivers(inDays(0), all...))
	s.run("check", "DIR").want(t, 0, []string{"waived LCK002 package-lock.json:9:19", "waived by build-team until " + inDays(0) + ": the farm has no https", "allowed, 4 waived"}, nil)
	s.run("setup", "DIR").want(t, 0, nil, []string{"waived LCK002", "4 waived"})
	var report struct {
		Decision string
		Findings []struct {
			ID, Status string
			Waiver     *struct{ Reason, Owner, Expires string }
		}
		Counts struct{ Errors, Waived int }
	}
	e := s.run("check", "DIR", "--format", "json")
	if err := json.Unmarshal([]byte(e.stdout), &report); err != nil || report.Decision != "allow" || report.Counts.Waived != 4 || report.Counts.Errors != 0 {
		t.Errorf("%v: %+v", err, report)
	}
	for _, f := range report.Findings {
		if f.Status != "waived" || f.Waiver == nil || f.Waiver.Owner != "build-team" || f.Waiver.Expires != inDays(0) || f.Waiver.Reason == "" {
			t.Errorf("%+v", f)
		}
	}

	s.file(".goproxy/waivers.yaml", waivers(inDays(-1), "LCK002")+strings.TrimPrefix(waivers(inDays(9), "LCK003", "LCK004", "GO001"), "waivers:\n"))
	s.run("check", "DIR").want(t, 1, []string{"error LCK002", `      |       "resolved": "http://registry.evil.test/a/-/a-1.0.0.tgz",` + "\n      |                   ^\n",
		"the waiver by build-team ended on " + inDays(-1) + ": the farm has no https", "denied: 1 error, 1 warning, 2 waived",
		".goproxy/waivers.yaml:17:11: the waiver of GO001 by build-team takes in nothing that was found; remove it"}, nil)
	if e := s.run("check", "--scope", "repo", "--offline", "DIR"); e.code != 1 || strings.Contains(e.stdout, "takes in nothing") {
		t.Errorf("a commit hook, which does not look for all, says of a waiver that it is of no use: %+v", e)
	}

	for name, tt := range map[string][2]string{
		"no such rule": {waivers(inDays(9), "LCK999"), ".goproxy/waivers.yaml:2:11: there is no rule LCK999\n  fix: known are "},
		"too long":     {waivers(inDays(181), "LCK002"), ".goproxy/waivers.yaml:6:14: waivers[1].expires: " + inDays(181) + " is more than 180 days from now\n"},
		"no reason":    {strings.Replace(waivers(inDays(9), "LCK002"), "reason", "# reason", 1), ".goproxy/waivers.yaml:2:5: waivers[1] lacks reason"},
	} {
		s.file(".goproxy/waivers.yaml", tt[0])
		if e := s.run("check", "DIR"); e.code != 2 || !strings.Contains(e.stderr+e.stdout, tt[1]) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.file(".goproxy/config.yaml", string(config)+"waivers: {max-days: 365}\n")
	s.file(".goproxy/waivers.yaml", waivers(inDays(181), all...))
	s.run("check", "DIR").want(t, 0, []string{"4 waived"}, nil)
	s.run("detect", "DIR").want(t, 0, nil, nil)

	secret := filepath.Join(s.dir, ".env")
	s.write(secret, waivers(inDays(9), all...))
	if err := os.Remove(filepath.Join(s.dir, ".goproxy/waivers.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../.env", filepath.Join(s.dir, ".goproxy/waivers.yaml")); err != nil {
		t.Fatal(err)
	}
	if e := s.run("check", "DIR"); e.code != 2 || strings.Contains(e.stderr+e.stdout, "the farm") {
		t.Errorf("by a link: %+v", e)
	}
}

// A change cannot waive itself, whatever it does to the file or to how long a waiver may last; what the base commit
// waives is waived and listed, and a change may take it back.
func TestChangeCannotWaiveItself(t *testing.T) {
	t.Parallel()
	all := []string{"LCK001", "LCK002", "LCK003", "LCK004"}
	for name, play := range map[string]func(s *stage, base, head string){
		"pull request":  func(s *stage, base, head string) { s.pullRequest(base, head) },
		"merge request": func(s *stage, base, _ string) { s.mergeRequest(base) },
		"pull request without the commit": func(s *stage, base, head string) {
			api := upstreamtest.NewGitHubAPI(s.t)
			api.Head = head
			s.world.Serve("api.github.com", api)
			for _, f := range []string{".goproxy/config.yaml", ".goproxy/waivers.yaml", "go.mod", "go.sum", "package.json"} {
				if s.git("ls-tree", base, "--", f) != "" {
					api.SetFile(base, f, s.git("show", base+":"+f)+"\n")
				}
			}
			api.SetChanged(7, "package-lock.json", ".goproxy/waivers.yaml", ".goproxy/config.yaml")
			if err := os.RemoveAll(filepath.Join(s.dir, ".git")); err != nil {
				s.t.Fatal(err)
			}
			s.pullRequest(base, head)
		},
	} {
		for _, tt := range []struct {
			name       string
			base, head string // waivers
			config     string // what the change adds
			code       int
			says       []string
		}{
			{"none", "", "", "", 1, []string{"denied: "}},
			{"waives itself", "", waivers(inDays(9), all...), "", 1, []string{"denied: ", "error LCK002"}},
			{"waived at the base", waivers(inDays(9), all...), waivers(inDays(9), all...), "", 0, []string{"waived LCK002", "waived by build-team until " + inDays(9), "4 waived"}},
			{"makes it longer", waivers(inDays(-1), all...), waivers(inDays(300), all...), "waivers: {max-days: 365}\n", 1, []string{"error LCK002", "the waiver by build-team ended on " + inDays(-1)}},
			{"takes one back", waivers(inDays(9), all...), waivers(inDays(9), "LCK001", "LCK003", "LCK004"), "", 1, []string{"error LCK002", "the waiver of LCK002 by build-team does not count", "3 waived"}},
			{"takes all back", waivers(inDays(9), all...), "", "", 1, []string{"error LCK002", "does not count"}},
		} {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				s := newRepository(t)
				if tt.base != "" {
					s.file(".goproxy/waivers.yaml", tt.base)
				}
				base := s.commit()
				if err := os.RemoveAll(filepath.Join(s.dir, ".goproxy/waivers.yaml")); err != nil {
					t.Fatal(err)
				}
				if tt.head != "" {
					s.file(".goproxy/waivers.yaml", tt.head)
				}
				config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
				if err != nil {
					t.Fatal(err)
				}
				s.file(".goproxy/config.yaml", string(config)+tt.config)
				s.file("package-lock.json", poisoned)
				play(s, base, s.commit())
				e := s.run("check", "DIR")
				e.want(t, tt.code, tt.says, nil)
			})
		}
	}
}
