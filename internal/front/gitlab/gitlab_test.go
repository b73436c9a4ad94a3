package gitlab

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/problem"
)

type vars map[string]string

// machine has the environment of the test beneath the variables.
func machine(v vars) ecosystem.Machine {
	m := ecosystem.Machine{OS: runtime.GOOS, Environ: os.Environ()}
	for name, value := range v {
		m.Environ = append(m.Environ, name+"="+value)
	}
	m.Lookup = func(name string) (string, bool) {
		if value, ok := v[name]; ok {
			return value, true
		}
		if name == "PATH" || name == "SYSTEMROOT" {
			return os.LookupEnv(name)
		}
		return "", false
	}
	return m
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  vars
		want bool
	}{
		{vars{"GITLAB_CI": "true"}, true},
		{vars{"GITLAB_CI": "false", "CI_JOB_ID": "42"}, true},
		{vars{"GITLAB_CI": "false"}, false},
		{vars{"CI": "true", "CI_JOB_ID": ""}, false},
		{vars{}, false},
	} {
		if got := Detect(machine(c.env).Lookup); got != c.want {
			t.Errorf("%v: %t", c.env, got)
		}
	}
}

func TestFrontIsAShellsInACheckout(t *testing.T) {
	t.Parallel()
	dir, state := t.TempDir(), t.TempDir()
	shell := &front.Front{Name: "shell", Where: "here", StateDir: state}
	f := New(machine(vars{"CI_PROJECT_DIR": dir + "/", "CI_PIPELINE_SOURCE": "schedule"}), shell)
	got := []any{f.Name, f.Event, f.Workspace, f.StateDir, f.TempDir, f.Where, f.Untrusted, f.Base == nil, f.Mask == nil}
	if d := cmp.Diff([]any{"gitlab", "schedule", dir, state, "", "here", false, true, true}, got); d != "" {
		t.Error(d)
	}
	if shell.Name != "shell" {
		t.Error("the shell's front was changed")
	}
	if f := New(machine(vars{"CI_PROJECT_DIR": "builds/x"}), shell); f.Workspace != "" {
		t.Errorf("a relative workspace: %q", f.Workspace)
	}
}

// TestNothingIsKeptInTheCheckout: its author could read it, or have made it a link.
func TestNothingIsKeptInTheCheckout(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	link := filepath.Join(outside, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	temp, other := "TMPDIR", "/tmp"
	if runtime.GOOS == "windows" {
		temp, other = "TMP", filepath.Dir(dir)
	}
	for _, c := range []struct {
		state, tmp, wantState, wantTemp string
	}{
		{outside, outside, outside, ""},
		{filepath.Join(dir, ".cache"), filepath.Join(dir, "tmp"), "", other},
		{filepath.Join(link, ".cache"), link, "", other},
		{dir, dir, "", other},
		{dir + "-other", dir + "-other", dir + "-other", ""},
		{"cache", "tmp", "", other},
		{"", "", "", ""},
	} {
		f := New(machine(vars{"CI_PROJECT_DIR": dir, temp: c.tmp}), &front.Front{StateDir: c.state})
		if f.StateDir != c.wantState || f.TempDir != c.wantTemp {
			t.Errorf("%q, %q: got %q, %q", c.state, c.tmp, f.StateDir, f.TempDir)
		}
	}
}

// project is a repository of a server and a shallow clone of its branch topic, as a runner makes it. main went on after
// topic had left it.
type project struct{ server, clone, fork, tip, head string }

func newProject(t *testing.T) project {
	t.Helper()
	dir := t.TempDir()
	p := project{server: filepath.Join(dir, "server.git"), clone: filepath.Join(dir, "clone")}
	work := filepath.Join(dir, "work")
	gitIn(t, dir, "init", "-q", "-b", "main", work)
	commit := func(text string) string {
		if err := os.WriteFile(filepath.Join(work, "file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		gitIn(t, work, "add", "-A")
		gitIn(t, work, "-c", "user.name=t", "-c", "user.email=t@example.test", "commit", "-q", "-m", text)
		return gitIn(t, work, "rev-parse", "HEAD")
	}
	p.fork = commit("fork")
	gitIn(t, work, "checkout", "-q", "-b", "topic")
	p.head = commit("head")
	gitIn(t, work, "checkout", "-q", "main")
	p.tip = commit("tip")
	gitIn(t, dir, "clone", "-q", "--bare", work, p.server)
	gitIn(t, p.server, "config", "uploadpack.allowAnySHA1InWant", "true")
	gitIn(t, dir, "clone", "-q", "--depth", "1", "--branch", "topic", "file://"+filepath.ToSlash(p.server), p.clone)
	return p
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GIT_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestBase(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	none := strings.Repeat("0", 40)
	gone := strings.Repeat("a", 40)
	const mr, external = "CI_MERGE_REQUEST_", "CI_EXTERNAL_PULL_REQUEST_"
	for _, c := range []struct {
		name      string
		env       vars
		untrusted bool
		want      string // a commit; else the code of the error
		code      problem.Code
	}{
		{"merged results", vars{"CI_PIPELINE_SOURCE": "merge_request_event", mr + "TARGET_BRANCH_SHA": p.tip, mr + "TARGET_BRANCH_NAME": "topic", mr + "DIFF_BASE_SHA": p.fork}, true, p.tip, 0},
		{"detached", vars{"CI_PIPELINE_SOURCE": "merge_request_event", mr + "TARGET_BRANCH_SHA": "", mr + "TARGET_BRANCH_NAME": "main", mr + "DIFF_BASE_SHA": p.fork}, true, p.tip, 0},
		{"branch is gone", vars{"CI_PIPELINE_SOURCE": "merge_request_event", mr + "TARGET_BRANCH_NAME": "gone", mr + "DIFF_BASE_SHA": p.fork}, true, p.fork, 0},
		{"target was rewritten", vars{"CI_PIPELINE_SOURCE": "merge_request_event", mr + "TARGET_BRANCH_SHA": gone, mr + "TARGET_BRANCH_NAME": "main"}, true, p.tip, 0},
		{"child pipeline", vars{"CI_PIPELINE_SOURCE": "parent_pipeline", mr + "IID": "7", mr + "TARGET_BRANCH_NAME": "main"}, true, p.tip, 0},
		{"external", vars{"CI_PIPELINE_SOURCE": "external_pull_request_event", external + "TARGET_BRANCH_SHA": p.tip}, true, p.tip, 0},
		{"external, detached", vars{"CI_PIPELINE_SOURCE": "external_pull_request_event", external + "TARGET_BRANCH_NAME": "main", mr + "DIFF_BASE_SHA": p.fork}, true, p.tip, 0},
		{"nothing is named", vars{"CI_PIPELINE_SOURCE": "merge_request_event"}, true, "", problem.Usage},
		{"not to be found", vars{"CI_PIPELINE_SOURCE": "merge_request_event", mr + "DIFF_BASE_SHA": gone}, true, "", problem.Unanswered},
		{"branch is an option", vars{"CI_PIPELINE_SOURCE": "merge_request_event", mr + "TARGET_BRANCH_NAME": "--upload-pack=touch pwned"}, true, "", problem.Usage},
		{"branch is a pattern", vars{"CI_PIPELINE_SOURCE": "merge_request_event", mr + "TARGET_BRANCH_NAME": "*"}, true, "", problem.Usage},
		{"fork's pipeline", vars{"CI_PIPELINE_SOURCE": "merge_request_event", mr + "PROJECT_ID": "1", "CI_PROJECT_ID": "2", "CI_REPOSITORY_URL": p.clone,
			mr + "PROJECT_URL": strings.TrimSuffix(p.server, ".git"), mr + "TARGET_BRANCH_NAME": "main"}, true, p.tip, 0},
		{"push", vars{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": p.fork}, false, p.fork, 0},
		{"push, not to be found", vars{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": gone}, false, "", problem.Unanswered},
		{"push, no hash", vars{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": "HEAD"}, false, "", problem.Usage},
		{"push of a new branch", vars{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": none}, false, "none", 0},
		{"push, nothing said", vars{"CI_PIPELINE_SOURCE": "push"}, false, "none", 0},
		{"schedule", vars{"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BEFORE_SHA": p.fork}, false, "none", 0},
		{"web", vars{"CI_PIPELINE_SOURCE": "web"}, false, "none", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := vars{"CI_PROJECT_DIR": p.clone, "CI_REPOSITORY_URL": p.server}
			maps.Copy(env, c.env)
			f := New(machine(env), &front.Front{})
			if f.Untrusted != c.untrusted {
				t.Errorf("untrusted: %t", f.Untrusted)
			}
			if (f.Base == nil) != (c.want == "none") {
				t.Fatalf("there is a base: %t", f.Base != nil)
			} else if f.Base == nil {
				return
			}
			base, err := f.Base(t.Context())
			if c.want == "" {
				if known, ok := errors.AsType[*problem.Problem](err); !ok || known.Code != c.code || known.Hint == "" {
					t.Fatalf("got %+v, want code %d and a hint", err, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer base.Close()
			words := map[string]string{p.fork: "fork", p.tip: "tip"}
			data, err := base.Read(t.Context(), "file")
			if base.Commit != c.want || err != nil || string(data) != words[c.want] || base.Changed != nil {
				t.Errorf("got %s with %q, %v; want %s", base.Commit, data, err, c.want)
			}
			if _, err := base.Read(t.Context(), "other"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file that is not there: %v", err)
			}
		})
	}
}

// TestForgedBaseEndsTheSearch: an earlier job on the same runner has written another commit in the base's place.
func TestForgedBaseEndsTheSearch(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	gitIn(t, p.clone, "fetch", "-q", "origin", p.tip)
	object := func(sha string) string { return filepath.Join(p.clone, ".git", "objects", sha[:2], sha[2:]) }
	for _, pack := range []string{"*.pack", "*.idx", "*.rev"} { // loose objects are the easier ones to write over
		names, err := filepath.Glob(filepath.Join(p.clone, ".git", "objects", "pack", pack))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if err := os.Rename(n, filepath.Join(p.clone, filepath.Base(n))); err != nil {
				t.Fatal(err)
			}
		}
	}
	packs, err := filepath.Glob(filepath.Join(p.clone, "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pack := range packs {
		data, err := os.ReadFile(pack)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "unpack-objects", "-q")
		cmd.Dir, cmd.Stdin = p.clone, bytes.NewReader(data)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	data, err := os.ReadFile(object(p.head))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(object(p.tip)), os.WriteFile(object(p.tip), data, 0o444)); err != nil {
		t.Fatal(err)
	}
	f := New(machine(vars{"CI_PROJECT_DIR": p.clone, "CI_REPOSITORY_URL": p.server, "CI_PIPELINE_SOURCE": "merge_request_event",
		"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": p.tip, "CI_MERGE_REQUEST_DIFF_BASE_SHA": p.fork}), &front.Front{})
	if base, err := f.Base(t.Context()); problem.CodeOf(err) != problem.Security {
		t.Errorf("got %+v, %v; want a Problem of code Security", base, err)
	}
}

func TestEndedRunEndsTheSearch(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := New(machine(vars{"CI_PROJECT_DIR": p.clone, "CI_REPOSITORY_URL": p.server, "CI_PIPELINE_SOURCE": "merge_request_event",
		"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_DIFF_BASE_SHA": p.fork}), &front.Front{})
	if base, err := f.Base(ctx); err == nil {
		t.Errorf("got %+v", base)
	}
	if _, err := New(machine(vars{"CI_PIPELINE_SOURCE": "merge_request_event"}), &front.Front{}).Base(t.Context()); problem.CodeOf(err) != problem.Usage {
		t.Errorf("no checkout is known: %v", err)
	}
}

func TestRepositoryHasALogin(t *testing.T) {
	t.Parallel()
	for _, c := range [][4]string{ // CI_REPOSITORY_URL, CI_SERVER_FQDN, CI_JOB_TOKEN, want
		{"https://gitlab-ci-token:t0ken@gitlab.example/a/b.git", "gitlab.example", "t0ken", "https://gitlab-ci-token:t0ken@gitlab.example/a/b.git"},
		{"https://gitlab.example/a/b.git", "gitlab.example", "t0ken", "https://gitlab-ci-token:t0ken@gitlab.example/a/b.git"},
		{"https://gitlab.example:8443/a/b.git", "gitlab.example:8443", "t@/", "https://gitlab-ci-token:t%40%2F@gitlab.example:8443/a/b.git"},
		{"https://gitlab.example/a/b.git", "gitlab.example", "", "https://gitlab.example/a/b.git"},
		{"https://elsewhere.example/a/b.git", "gitlab.example", "t0ken", "https://elsewhere.example/a/b.git"},
		{"git@gitlab.example:a/b.git", "gitlab.example", "t0ken", "git@gitlab.example:a/b.git"},
		{"ssh://gitlab.example/a/b.git", "gitlab.example", "t0ken", "ssh://gitlab.example/a/b.git"},
		{"/srv/a/b.git", "", "t0ken", "/srv/a/b.git"},
		{"", "", "t0ken", ""},
	} {
		j := job{machine: machine(vars{"CI_REPOSITORY_URL": c[0], "CI_SERVER_FQDN": c[1], "CI_JOB_TOKEN": c[2]})}
		if got := j.repository(); got != c[3] {
			t.Errorf("%q: got %q, want %q", c[0], got, c[3])
		}
	}
}

// TestTemplateSaysTheSame holds the component's inputs to the table of settings: names, allowed values, and words,
// to which the component may add.
func TestTemplateSaysTheSame(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../templates/goproxy-action/template.yml")
	if err != nil {
		t.Fatal(err)
	}
	type input struct {
		Description, Default, Regex, Type string
		Options                           []string
	}
	var header struct {
		Spec struct{ Inputs yaml.MapSlice }
	}
	var inputs struct {
		Spec struct{ Inputs map[string]input }
	}
	if err := errors.Join(yaml.Unmarshal(data, &header), yaml.Unmarshal(data, &inputs)); err != nil {
		t.Fatal(err)
	}
	settings := map[string]config.Setting{}
	var want, got []string
	for _, s := range config.Settings() {
		settings[s.Name] = s
		if s.Flag != "" || s.Argument != "" || strings.HasPrefix(s.Name, "binary") {
			want = append(want, s.Name)
		}
	}
	for _, item := range header.Spec.Inputs {
		name := item.Key.(string)
		got = append(got, name)
		in, s := inputs.Spec.Inputs[name], settings[name]
		if in.Description == "" || in.Type != "" || (in.Regex == "") == (in.Options == nil) {
			t.Errorf("%s: wants a description, and is a string with a regex or options", name)
		}
		if !strings.HasPrefix(in.Description, s.Doc) {
			t.Errorf("%s: described as %q, in the table as %q", name, in.Description, s.Doc)
		}
		if s.YAML != "" && in.Default != "" {
			t.Errorf("%s: a default would hide the configuration file", name)
		}
		if s.Allowed != nil && cmp.Diff(append([]string{""}, s.Allowed...), in.Options) != "" {
			t.Errorf("%s: options %q, in the table %q", name, in.Options, s.Allowed)
		}
	}
	sorted := cmp.Transformer("sort", func(in []string) map[string]bool {
		out := map[string]bool{}
		for _, s := range in {
			out[s] = true
		}
		return out
	})
	// output is the component's own; image is where a component's job runs
	if d := cmp.Diff(append(want, "image"), append(got, "output"), sorted); d != "" {
		t.Errorf("inputs (-table +template)\n%s", d)
	}
}
