package cli_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
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
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", s.dir, "-c", "user.name=a", "-c", "user.email=a@a.test"}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
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
