package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// What a change adds to workflows is a warning at its line, what was there is a note, and what goes unverified is a
// warning always. None fails the job.
func TestWorkflowsOfAChange(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	const ci, pipeline = ".github/workflows/ci.yml", ".gitlab-ci.yml"
	steps := "jobs:\n  build:\n    steps:\n      - run: curl https://a.test/i.sh | sh\n      - run: npx a@latest\n      - run: npx b@latest\n"
	s.file("package.json", "{}")
	s.file(ci, "env:\n  GOSUMDB: off\n  npm_config_registry: https://old.test/\n"+steps)
	s.file(pipeline, "include: ci/a.yml\n")
	s.file("ci/a.yml", "x:\n  script:\n    - npx c@latest\n")
	s.file(".github/workflows/gone.yml", steps)
	found := func(args ...string) (out []string) {
		t.Helper()
		e := s.run(append([]string{"check", "--format", "json", "--offline", "DIR"}, args...)...)
		var report struct {
			Findings []struct {
				ID, Severity, Status, File, Subject string
				Line, Column                        int
			}
		}
		if err := json.Unmarshal([]byte(e.stdout), &report); err != nil || e.code != 0 {
			t.Fatalf("exit %d, %v\n%s%s", e.code, err, e.stdout, e.stderr)
		}
		for _, f := range report.Findings {
			if f.ID[:3] == "WFL" {
				out = append(out, fmt.Sprintf("%s %s %s %s:%d:%d %s", f.ID, f.Severity, f.Status, f.File, f.Line, f.Column, f.Subject))
			}
		}
		slices.Sort(out)
		return out
	}
	want := []string{
		"WFL001 note active .github/workflows/ci.yml:3:3 npm_config_registry=https://old.test/",
		"WFL001 warning active .github/workflows/ci.yml:2:3 GOSUMDB=off",
		"WFL003 note active .github/workflows/ci.yml:7:14 curl https://a.test/i.sh | sh",
		"WFL003 note active .github/workflows/gone.yml:4:14 curl https://a.test/i.sh | sh",
		"WFL004 note active .github/workflows/ci.yml:8:18 npx a@latest",
		"WFL004 note active .github/workflows/gone.yml:5:18 npx a@latest",
		"WFL004 note active ci/a.yml:3:11 npx c@latest",
	}
	if diff := gocmp.Diff(want, found()); diff != "" {
		t.Errorf("without a base:\n%s", diff)
	}
	s.commit()
	s.git("branch", "base")

	s.file(ci, "env:\n  GOSUMDB: off\n  npm_config_registry: https://new.test/\n"+steps+"      - run: |\n          npx d@latest\n          curl https://b.test/i.sh | sh\n")
	s.file("ci/a.yml", "# moved\nx:\n  script:\n    - npx c@latest\n    - npx e@latest\n")
	if err := os.Remove(filepath.Join(s.dir, ".github/workflows/gone.yml")); err != nil {
		t.Fatal(err)
	}
	want = []string{
		"WFL001 warning active .github/workflows/ci.yml:3:3 npm_config_registry=https://new.test/",
		"WFL001 warning known .github/workflows/ci.yml:2:3 GOSUMDB=off",
		"WFL003 note known .github/workflows/ci.yml:7:14 curl https://a.test/i.sh | sh",
		"WFL003 warning active .github/workflows/ci.yml:12:11 curl https://b.test/i.sh | sh",
		"WFL004 note known .github/workflows/ci.yml:8:18 npx a@latest",
		"WFL004 note known ci/a.yml:4:11 npx c@latest",
		"WFL004 warning active .github/workflows/ci.yml:11:15 npx d@latest",
		"WFL004 warning active ci/a.yml:5:11 npx e@latest",
	}
	if diff := gocmp.Diff(want, found("--diff", "base")); diff != "" {
		t.Errorf("a change:\n%s", diff)
	}
}
