package cli_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// In a job of GitLab the settings go to a file that the job's shell reads, and take effect there alone.
func TestGitLab(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["GOPROXY"] = "https://dead.test,direct"
	maps.Copy(s.env, map[string]string{"GITLAB_CI": "true", "CI_JOB_ID": "42", "CI_PIPELINE_SOURCE": "push", "CI_PROJECT_DIR": s.dir, "TMPDIR": t.TempDir()})
	file := filepath.Join(t.TempDir(), "env")
	e := s.run("setup", "--output", "env="+file, "--output", "json="+filepath.Join(s.dir, "report.json"), "DIR")
	e.want(t, 0, nil, []string{"dead.test", "for the shell that reads "})
	lines, err := os.ReadFile(file)
	if err != nil || e.stdout != "" {
		t.Fatalf("%v; stdout %q, want nothing", err, e.stdout)
	}
	maps.Copy(s.env, s.eval(string(lines), "GOPROXY", "GOPROXY_ACTION_JOURNAL"))
	s.run("restore").want(t, 0, []string{"export GOPROXY='https://dead.test,direct'"}, []string{"restored: "})
	if left, _ := os.ReadDir(s.env["TMPDIR"]); len(left) != 0 {
		t.Errorf("left behind %v", left)
	}

	s.env["CI_PIPELINE_SOURCE"] = "merge_request_event"
	s.run("check", "--mode", "audit", "DIR").want(t, 0, []string{"only the built-in policy counts"}, nil)
	s.run("check", "DIR").want(t, 2, nil, []string{"the commit it is measured against", "GitLab names neither"})

	// a runner that says both is GitHub's
	maps.Copy(s.env, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": s.dir})
	s.file("package.json", `{}`)
	s.file("package-lock.json", poisoned)
	s.run("check", "DIR").want(t, 1, []string{"::error "}, nil)
}
