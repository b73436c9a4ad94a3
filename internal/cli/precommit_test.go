package cli_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/ecosystem/git"
	"github.com/org/goproxy-action/internal/ecosystem/golang"
	"github.com/org/goproxy-action/internal/ecosystem/npm"
	"github.com/org/goproxy-action/internal/ecosystem/workflow"
)

// TestPreCommitHooks holds .pre-commit-hooks.yaml to the program: a hook starts where a file changes that the program
// reads, and nowhere else, and its command line is one that the program takes and that asks nobody.
func TestPreCommitHooks(t *testing.T) {
	t.Parallel()
	type hook struct {
		ID, Name, Description, Language, Entry, Files string
		Types                                         []string
		PassFilenames                                 bool   `yaml:"pass_filenames"`
		RequireSerial                                 bool   `yaml:"require_serial"`
		Verbose                                       bool   `yaml:"verbose"`
		Minimum                                       string `yaml:"minimum_pre_commit_version"`
	}
	text, err := os.ReadFile("../../.pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []hook
	if err := yaml.UnmarshalWithOptions(text, &got, yaml.Strict()); err != nil {
		t.Fatal(err)
	}

	var names []string
	for _, n := range slices.Concat(golang.Names(), npm.Names(), git.Names(), []string{"vendor/modules.txt"}) {
		names = append(names, regexp.QuoteMeta(n))
	}
	names = append(names, workflow.Patterns()...)
	files := `(^|/)(` + strings.Join(names, "|") + `|\.goproxy/.+)$`
	want := []hook{
		{ID: "goproxy-action", Language: "golang", Entry: "goproxy-action check --scope repo --offline"},
		{ID: "goproxy-action-system", Language: "system", Entry: "goproxy-action check --scope repo --offline"},
		{ID: "goproxy-action-docker", Language: "docker_image", Entry: "--network none --read-only ghcr.io/org/goproxy-action:v1 check --scope repo --offline"},
	}
	for i := range want {
		want[i].Name, want[i].Files, want[i].Types = "goproxy-action", files, []string{}
		want[i].RequireSerial, want[i].Verbose, want[i].Minimum = true, true, "3.0.4"
		if i < len(got) {
			if want[i].Description = got[i].Description; got[i].Description == "" {
				t.Errorf("%s says not what it does", got[i].ID)
			}
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if starts := regexp.MustCompile(files); !starts.MatchString(config.File) || starts.MatchString("docs/go.mod.md") {
		t.Errorf("%s starts a hook where it should not, or not where it should", files)
	}

	s := newStage(t)
	for _, h := range got {
		_, command, _ := strings.Cut(h.Entry, "goproxy-action")
		if _, after, tagged := strings.Cut(command, ":v1"); tagged {
			command = after
		}
		s.run(append(strings.Fields(command), "DIR")...).want(t, 0, []string{"1 module allowed; not asked: "}, nil)
	}
	if hosts := s.world.Hosts(); len(hosts) > 0 {
		t.Errorf("contacted %q", hosts)
	}
}

// A hook may run inside somebody else's action, whose inputs are not ours.
func TestInputsOfAnotherAction(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["GITHUB_ACTIONS"], s.env["GITHUB_EVENT_NAME"] = "true", "push"
	s.env["INPUT_EXTRA-ARGS"], s.env["INPUT_MODE"], s.env["INPUT_OUTPUT"] = "--all-files", "install", "log"
	s.run("check", "--scope", "repo", "--offline", "DIR").want(t, 0, []string{"1 module allowed"}, nil)
	s.run("setup", "DIR").want(t, 2, nil, []string{"input output"})
}

// Where nobody knows npm's default registry, that is one question and no fault of each package; it is no answer either
// where a change introduces the host.
func TestDefaultNotKnown(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file(".goproxy/config.yaml", "mode: enforce\n")
	s.file("package.json", `{}`)
	s.git("init", "-q")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "x")
	base := s.git("rev-parse", "HEAD")
	lock := `{"lockfileVersion": 3, "packages": {"": {}`
	for _, name := range []string{"a", "b", "c"} {
		lock += `, "node_modules/` + name + `": {"version": "1.0.0", "resolved": "https://npm.official.test/` + name + `/-/` + name + `-1.0.0.tgz",
  "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}`
	}
	s.file("package-lock.json", lock+"}}")
	hook := []string{"check", "--scope", "repo", "--offline", "DIR"}
	e := s.run(slices.Clone(hook)...)
	e.want(t, 0, []string{"unknown LCK001 package-lock.json:1:", "3 packages come from npm.official.test; it may be npm's own default registry", "official.npm"}, nil)
	if n := strings.Count(e.stdout, "LCK001"); n != 1 {
		t.Errorf("told %d times:\n%s", n, e.stdout)
	}

	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.env["PATH"], 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(git, filepath.Join(s.env["PATH"], "git")); err != nil { // no npm is there
		t.Fatal(err)
	}
	maps.Copy(s.env, map[string]string{"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "merge_request_event", "CI_PROJECT_DIR": s.dir,
		"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "TMPDIR": t.TempDir()})
	s.run(slices.Clone(hook)...).want(t, 3, []string{"unknown LCK001"}, nil)
	s.file("package-lock.json", strings.ReplaceAll(lock, "npm.official.test", "registry.npmmirror.com")+"}}")
	if e := s.run(slices.Clone(hook)...); e.code != 0 || strings.Contains(e.stdout, "LCK001") {
		t.Errorf("a mirror: exit %d\n%s", e.code, e.stdout)
	}
}
