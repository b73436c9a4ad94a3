package cli_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every report is written beside the one that is printed, whatever becomes of the run.
func TestOutputs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, "reports", name) }
	args := []string{"check", "DIR"}
	for _, format := range []string{"text", "json", "markdown", "sarif", "junit", "codequality"} {
		args = append(args, "--output", format+"="+at(format))
	}
	if err := os.Mkdir(filepath.Join(dir, "reports"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.file("package.json", `{}`)
	s.file("package-lock.json", poisoned)
	s.run(args...).want(t, 1, []string{"LCK002"}, nil)
	for _, format := range []string{"text", "json", "markdown", "sarif", "junit", "codequality"} {
		data, err := os.ReadFile(at(format))
		if err != nil || !strings.Contains(string(data), "LCK002") {
			t.Errorf("%s: %v\n%s", format, err, data)
		}
	}
	s.file("go.mod", "module\n")
	s.run("check", "DIR", "--output", "json="+at("json")).want(t, 2, nil, []string{"go.mod:1"})
	data, err := os.ReadFile(at("json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct{ Error struct{ Message string } }
	if err := json.Unmarshal(data, &r); err != nil || !strings.Contains(r.Error.Message, "go.mod:1") {
		t.Errorf("a run that could not be finished tells: %s", data)
	}
}

// A shell that reads the file has the settings, and fails where setup has not ended well.
func TestOutputEnv(t *testing.T) { // journals go below a TMPDIR of its own
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	s := newStage(t)
	journals := func() int {
		found, err := filepath.Glob(filepath.Join(temp, "goproxy-action-*", "journal.json"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	file := filepath.Join(t.TempDir(), "env")
	source := func() (string, error) {
		cmd := exec.Command("sh", "-ec", `. "$1"; printf %s "$GOPROXY"`, "sh", file)
		cmd.Env = []string{"GOPROXY=before"}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	s.run("setup", "DIR", "--output", "env="+file).want(t, 0, nil, []string{"nothing changed"})
	if got, err := source(); err != nil || got != "before" {
		t.Errorf("nothing to change: %q, %v", got, err)
	}

	s.env["GOPROXY"] = "https://dead.test"
	e := s.run("setup", "DIR", "--output", "env="+file)
	e.want(t, 0, nil, []string{"for the shell that reads " + file})
	if e.stdout != "" {
		t.Errorf("stdout: %q", e.stdout)
	}
	if got, err := source(); err != nil || !strings.HasPrefix(got, "https://") {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: it may hold secrets", info.Mode(), err)
	}
	if e := s.run("setup", "DIR", "--output", "env="+file, "--format", "json"); e.code != 0 || !strings.Contains(e.stdout, `"applied": true`) {
		t.Errorf("with --format json: %+v", e)
	}

	// denied, unusable, or with a further report that cannot be written: the shell fails, and has nothing
	before := journals()
	if before == 0 {
		t.Error("no journal of what was handed over")
	}
	blocked := filepath.Join(t.TempDir(), "missing", "report")
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"a report that cannot be written", []string{"--output", "json=" + blocked}},
		{"a broken file", []string{"--config", "none.yaml"}},
		{"a denial", nil},
	} {
		name, args := tt.name, tt.args
		if name == "a denial" {
			s.file("package.json", `{}`)
			s.file("package-lock.json", poisoned)
		}
		if e := s.run(append([]string{"setup", "DIR", "--output", "env=" + file}, args...)...); e.code == 0 {
			t.Errorf("%s: %+v", name, e)
		}
		if got, err := source(); err == nil {
			t.Errorf("%s: the shell goes on with %q", name, got)
		}
		if n := journals(); n != before {
			t.Errorf("%s: %d journals, want %d", name, n, before)
		}
	}
}

// In a job of GitHub the input names the files, and no link that a change planted leads out of the workspace.
func TestOutputOfAnInput(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	temp, outside := t.TempDir(), t.TempDir()
	for _, name := range []string{"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"} {
		s.env[name] = filepath.Join(temp, name)
		s.write(s.env[name], "")
	}
	s.env["GITHUB_ACTIONS"], s.env["RUNNER_TEMP"], s.env["GITHUB_WORKSPACE"], s.env["INPUT_DIRECTORY"] = "true", temp, s.dir, s.dir
	s.write(filepath.Join(outside, "precious"), "mine")
	for link, to := range map[string]string{"dir": outside, "file": filepath.Join(outside, "precious")} {
		if err := os.Symlink(to, filepath.Join(s.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	s.env["INPUT_OUTPUT"] = "sarif=" + filepath.Join(s.dir, "out", "r.sarif") + "\n  json=" + filepath.Join(s.dir, "file") + ", "
	s.run("setup").want(t, 0, nil, nil)
	for _, f := range []string{"out/r.sarif", "file"} {
		if info, err := os.Lstat(filepath.Join(s.dir, f)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v", f, err)
		}
	}
	s.env["INPUT_OUTPUT"] = "json=" + filepath.Join(s.dir, "dir", "precious")
	s.run("setup").want(t, 2, nil, []string{"json=", "leads out of the checkout"})
	if data, err := os.ReadFile(filepath.Join(outside, "precious")); err != nil || string(data) != "mine" {
		t.Errorf("a file outside was written: %s, %v", data, err)
	}
}

func TestOutputMistakes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for want, args := range map[string][]string{
		`"xml=a" names no format`:   {"check", "--output", "xml=a"},
		`"json=" names no file`:     {"check", "--output", "json="},
		`"json" names no file`:      {"check", "--output", "json"},
		`a is named twice`:          {"check", "--output", "json=a", "--output", "text=./a"},
		`"env=a" names no format`:   {"check", "--output", "env=a"},
		`"sarif=a" names no format`: {"detect", "--output", "sarif=a"},
		`env is asked for twice`:    {"setup", "DIR", "--output", "env=a", "--output", "env=b"},
		`names several reports`:     {"check", "--output", "json=a,text=b"},
		`names no file`:             {"check", "--output", "json=a\nb"},
		`it is a directory`:         {"check", "DIR", "--output", "json=" + t.TempDir()},
	} {
		if e := s.run(args...); e.code != 2 || !strings.Contains(e.stdout+e.stderr, want) || !strings.Contains(e.stdout+e.stderr, "fix: ") {
			t.Errorf("%v: %+v", args, e)
		}
	}
}

// Reports go to streams, devices and pipes as they are, and nothing there is replaced.
func TestOutputToWhatIsNoFile(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["GOPROXY"] = "https://dead.test"
	for _, file := range []string{"-", "/dev/stdout", "/dev/fd/1"} {
		e := s.run("setup", "DIR", "--output", "env="+file)
		e.want(t, 0, []string{"export GOPROXY='https://"}, nil)
		if strings.Contains(e.stdout, "(exit") {
			t.Errorf("%s: a shell that evaluates it fails: %s", file, e.stdout)
		}
	}
	s.run("setup", "DIR", "--config", "none.yaml", "--output", "env=-").want(t, 2, []string{"(exit 2)\n"}, nil)
	s.run("check", "DIR", "--output", "json=/dev/stderr").want(t, 0, nil, []string{`"decision": "allow"`})

	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Fatal(err)
	}
	s.run("check", "DIR", "--output", "json="+pipe).want(t, 2, []string{"nobody reads the pipe"}, nil)
	s.run("setup", "DIR", "--output", "env="+pipe).want(t, 2, nil, []string{"may hold secrets"})
	read := exec.Command("cat", pipe)
	out, err := read.StdoutPipe()
	if err == nil {
		err = read.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(pipe, os.O_RDWR, 0) // so that cat and we need not wait for one another
	if err != nil {
		t.Fatal(err)
	}
	s.run("check", "DIR", "--output", "json="+pipe).want(t, 0, nil, nil)
	held.Close()
	data, err := io.ReadAll(out)
	if e := read.Wait(); err != nil || e != nil || !strings.Contains(string(data), `"decision": "allow"`) {
		t.Errorf("%v, %v: %s", err, e, data)
	}
	s.run("check", "DIR", "--output", "json=/dev/null").want(t, 0, nil, nil)
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("/dev/null: %v, %v", info, err)
	}
}

// However a place below the directory that we stand in is spelt, no planted link leads out of it, and nothing that is
// judged is overwritten.
func TestOutputStaysInside(t *testing.T) { // stands in a directory of its own
	s := newStage(t)
	real := t.TempDir()
	outside, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	for path, to := range map[string]string{filepath.Join(real, "l"): outside, link: real} {
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{".git", "sub"} {
		if err := os.Mkdir(filepath.Join(real, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for cwd, files := range map[string][]string{
		real:                       {"l/x", "./sub/../l/x", real + "/l/x", link + "/l/x", "../" + filepath.Base(real) + "/l/x", "go.mod", ".git/config", ".goproxy/config.yaml"},
		link:                       {real + "/l/x", link + "/l/x"},
		filepath.Join(real, "sub"): {"../l/x", "../package-lock.json"},
	} {
		t.Chdir(cwd)
		for _, file := range files {
			s.run("check", "DIR", "--output", "json="+file).want(t, 2, []string{"could not be written"}, nil)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("written outside: %v, %v", left, err)
	}
	t.Chdir(real)
	s.run("check", "DIR", "--output", "json=r", "--output", "text="+link+"/r").want(t, 2, nil, []string{"is named twice"})
	s.run("check", "DIR", "--output", "json=new/dir/r").want(t, 0, nil, nil)
}
