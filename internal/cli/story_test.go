package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/org/goproxy-action/internal/cli"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/upstreamtest"
	"github.com/org/goproxy-action/policy"
)

// TestMain gives journals and reports a directory that goes away.
func TestMain(m *testing.M) {
	temp, err := os.MkdirTemp("", "cli-test-")
	if err == nil {
		err = os.Setenv("TMPDIR", temp)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(temp)
		os.Exit(code)
	}))
}

// stage is a machine with a checkout in a played Internet: official.test is the toolchain's default module proxy and
// registry, goproxy.cn and registry.npmmirror.com are mirrors.
type stage struct {
	t     *testing.T
	world *upstreamtest.World
	proxy *upstreamtest.ModuleProxy
	dir   string // the checkout
	home  string
	env   map[string]string
	now   func() time.Time // nil is the machine's
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, world: upstreamtest.NewWorld(t), proxy: upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{}), dir: t.TempDir(), home: t.TempDir()}
	registry := upstreamtest.NewRegistry(t)
	s.world.Serve("official.test", s.proxy)
	s.world.Serve("npm.official.test", registry)
	s.world.Serve("goproxy.cn", s.proxy)
	s.world.Serve("registry.npmmirror.com", registry)
	goroot := filepath.Join(s.home, "goroot")
	s.write(filepath.Join(goroot, "go.env"), "GOPROXY=https://official.test,direct\nGOSUMDB="+s.proxy.VerifierKey()+"\n")
	s.env = map[string]string{"HOME": s.home, "GOROOT": goroot, "PATH": filepath.Join(s.home, "bin"), "TMPDIR": filepath.Join(s.home, "tmp")}
	s.file(".goproxy/config.yaml", "checksum-database:\n  keys: [\""+s.proxy.VerifierKey()+"\"]\nofficial:\n  npm: https://npm.official.test\n")
	s.file("go.mod", "module example.test/app\n\ngo 1.26\n\nrequire github.com/google/uuid v1.6.0\n")
	zip, mod := s.proxy.Sum("github.com/google/uuid", "v1.6.0")
	s.file("go.sum", "github.com/google/uuid v1.6.0 "+zip+"\ngithub.com/google/uuid v1.6.0/go.mod "+mod+"\n")
	return s
}

func (s *stage) write(path, data string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) file(name, data string) { s.t.Helper(); s.write(filepath.Join(s.dir, name), data) }

type ended struct {
	code           int
	stdout, stderr string
}

// run starts the program as a process would be; DIR in args is the checkout.
func (s *stage) run(args ...string) ended {
	s.t.Helper()
	return s.runIn(context.Background(), args...)
}

func (s *stage) runIn(ctx context.Context, args ...string) ended {
	s.t.Helper()
	var out, errs bytes.Buffer
	for i, a := range args {
		if a == "DIR" {
			args[i] = s.dir
		}
	}
	var environ []string
	for k, v := range s.env {
		environ = append(environ, k+"="+v)
	}
	code := cli.Main(ctx, cli.Process{Args: args, Environ: environ, Stdout: &out, Stderr: &errs, OS: "linux", Version: "test",
		Policies: policy.FS(), Public: s.world.CA.Pool(), Now: s.now,
		Dialer: &egress.Dialer{Resolve: s.world.Resolve, Dial: s.world.Dial, Roots: s.world.CA.Pool()}})
	return ended{code, out.String(), errs.String()}
}

func (e ended) want(t *testing.T, code int, stdout, stderr []string) {
	t.Helper()
	if e.code != code {
		t.Errorf("exit %d, want %d", e.code, code)
	}
	for _, w := range stdout {
		if !strings.Contains(e.stdout, w) {
			t.Errorf("stdout lacks %q", w)
		}
	}
	for _, w := range stderr {
		if !strings.Contains(e.stderr, w) {
			t.Errorf("stderr lacks %q", w)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", e.stdout, e.stderr)
	}
}

// Where all is well we are not felt: one line, nothing changed, no third host.
func TestAllIsWell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e := s.run("setup", "DIR")
	e.want(t, 0, nil, []string{"direct", "official"})
	if e.stdout != "" || strings.Count(e.stderr, "\n") != 1 {
		t.Errorf("stdout %q, stderr %q: want one line", e.stdout, e.stderr)
	}
	if got := s.world.Hosts(); len(got) == 0 || slices.ContainsFunc(got, func(h string) bool { return h != "official.test" }) {
		t.Errorf("contacted %q", got)
	}
	if left, _ := os.ReadDir(s.env["TMPDIR"]); len(left) != 0 {
		t.Errorf("left behind %v", left)
	}
}

// A dead GOPROXY is replaced by one that answers, and the lines can be evaluated and taken back.
func TestDeadProxyIsReplaced(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["GOPROXY"] = "https://dead.test,direct"
	if err := os.Mkdir(s.env["TMPDIR"], 0o700); err != nil {
		t.Fatal(err)
	}
	e := s.run("setup", "DIR")
	e.want(t, 0, []string{"export GOPROXY='https://"}, []string{"dead.test"})
	after := s.eval(e.stdout, "GOPROXY", "GOPROXY_ACTION_JOURNAL")
	if g := after["GOPROXY"]; g != "https://official.test" && g != "https://goproxy.cn" {
		t.Errorf("GOPROXY=%s", g)
	}
	maps.Copy(s.env, after)
	if again := s.run("setup", "DIR"); again.code != 0 || again.stdout != "" {
		t.Errorf("a second run changes something: %+v", again)
	}
	back := s.run("restore")
	back.want(t, 0, []string{"export GOPROXY='https://dead.test,direct'", "unset GOPROXY_ACTION_JOURNAL"}, nil)
	if left, _ := os.ReadDir(s.env["TMPDIR"]); len(left) != 0 {
		t.Errorf("left behind %v", left)
	}
}

// eval gives lines to a real shell and asks it for variables.
func (s *stage) eval(lines string, names ...string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, n := range names {
		cmd := exec.Command("sh", "-c", lines+"\nprintf %s \"$"+n+"\"")
		for k, v := range s.env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		data, err := cmd.Output()
		if err != nil {
			s.t.Fatalf("the lines cannot be evaluated: %v\n%s", err, lines)
		}
		out[n] = string(data)
	}
	return out
}

// A broken lock file does not keep the network from being looked at.
func TestDetectInABrokenCheckout(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file("package-lock.json", "{")
	s.run("detect", "DIR").want(t, 0, []string{"official.test", "package-lock.json:1:"}, nil)
}

// Lines that deny make an evaluating shell fail.
func TestDeniedFailsTheShell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file("package.json", `{"name":"x","version":"1.0.0"}`)
	s.file("package-lock.json", poisoned)
	e := s.run("setup", "DIR")
	e.want(t, 1, []string{"(exit 1)"}, []string{"LCK002", "LCK003", "LCK004", "package-lock.json"})
	if strings.Contains(e.stdout, "export") {
		t.Errorf("something is injected: %s", e.stdout)
	}
	if err := exec.Command("sh", "-ec", e.stdout+"\ntrue").Run(); err == nil {
		t.Error("eval does not fail")
	}
	audit := s.run("setup", "DIR", "--mode", "audit")
	audit.want(t, 0, nil, []string{"LCK002"})
}

const poisoned = `{
  "name": "x",
  "version": "1.0.0",
  "lockfileVersion": 3,
  "packages": {
    "": {"name": "x", "version": "1.0.0"},
    "node_modules/a": {
      "version": "1.0.0",
      "resolved": "http://registry.evil.test/a/-/a-1.0.0.tgz",
      "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
    },
    "node_modules/b": {
      "version": "1.0.0",
      "resolved": "https://registry.npmmirror.com/b/-/b-1.0.0.tgz"
    },
    "node_modules/c": {
      "version": "1.0.0",
      "resolved": "https://registry.npmmirror.com/c/-/c-1.0.0.tgz",
      "integrity": "sha512-AAAA"
    }
  }
}
`

// The JSON keys that others rely on.
func TestJSON(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file("package.json", `{"name":"x","version":"1.0.0"}`)
	s.file("package-lock.json", poisoned)
	decode := func(e ended) map[string]any {
		t.Helper()
		var v map[string]any
		if err := json.Unmarshal([]byte(e.stdout), &v); err != nil {
			t.Fatalf("no JSON: %v\n%s%s", err, e.stdout, e.stderr)
		}
		return v
	}
	keys := func(where string, v any, names ...string) {
		t.Helper()
		m, ok := v.(map[string]any)
		if list, isList := v.([]any); isList && len(list) > 0 {
			m, ok = list[0].(map[string]any)
		}
		for _, n := range names {
			if _, has := m[n]; !ok || !has {
				t.Errorf("%s lacks %q: %v", where, n, v)
			}
		}
	}
	row := []string{"id", "ecosystem", "url", "via", "ok", "reason", "content_verified", "checksum_db", "connect_ms", "tls_ms", "ttfb_ms", "ips"}
	finding := []string{"id", "severity", "status", "message", "file", "line", "column", "subject", "fix"}
	d := decode(s.run("detect", "DIR", "--format", "json"))
	keys("detect", d, "class", "tls", "proxies", "sources", "evidence", "duration_ms")
	keys("tls", d["tls"], "intercepted", "issuer")
	keys("sources", d["sources"], row...)
	c := decode(s.run("check", "DIR", "--format", "json"))
	keys("check", c, "decision", "mode", "findings", "counts", "duration_ms")
	keys("findings", c["findings"], finding...)
	keys("counts", c["counts"], "packages", "modules", "sources", "errors", "warnings", "mended", "waived")
	s.env["GOPROXY"] = "https://dead.test"
	u := decode(s.run("setup", "DIR", "--format", "json", "--mode", "audit"))
	keys("setup", u, "detect", "plan", "decision", "findings", "changes", "duration_ms")
	keys("plan", u["plan"], "sources")
	keys("changes", u["changes"], "kind", "name", "value", "why")
}

// The network is gone: the class says so, and the exit is 3, within the budget.
func TestOffline(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Fence(false)
	e := s.run("setup", "DIR")
	e.want(t, 3, []string{"(exit 3)"}, []string{"offline"})
	if c := s.run("check", "DIR", "--offline"); c.code != 0 || !strings.Contains(c.stdout, "not asked") {
		t.Errorf("check --offline: %+v", c)
	}
}

// Behind a forward proxy with credentials: found, used, and never shown.
func TestForwardProxyWithCredentials(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Fence(true)
	p := s.world.ForwardProxy(t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "hush@hush"})
	s.env["HTTPS_PROXY"], s.env["https_proxy"] = p.URL(), p.URL()
	s.env["GOPROXY"] = "https://dead.test"
	e := s.run("setup", "DIR")
	e.want(t, 0, []string{"export GOPROXY='https://"}, []string{"proxied"})
	for _, secret := range []string{"hush", "aHVzaEBodXNo"} {
		if strings.Contains(e.stderr+e.stdout, secret) {
			t.Errorf("%q is shown:\n%s%s", secret, e.stdout, e.stderr)
		}
	}
}

// A captive portal answers 200 to everything, and nothing of it is believed.
func TestCaptivePortal(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, h := range []string{"official.test", "goproxy.cn", "goproxy.io"} {
		s.world.Serve(h, upstreamtest.CaptivePortal())
	}
	s.run("setup", "DIR").want(t, 3, nil, []string{"captive"})
}

// Settings that are bad on the machine are mended where they can be, and denied where not.
func TestMachineSettings(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["GOSUMDB"] = "off"
	s.run("check", "DIR").want(t, 1, []string{"GO001"}, nil)
	s.env["GOSUMDB"] = ""
	s.env["GOINSECURE"] = "*.corp.test"
	s.run("check", "DIR").want(t, 1, []string{"GO003"}, nil)
	s.run("check", "DIR", "--scope", "repo").want(t, 0, nil, nil)
	delete(s.env, "GOINSECURE")
	s.env["GO111MODULE"] = "off"
	e := s.run("setup", "DIR")
	e.want(t, 0, []string{"export GO111MODULE='on'"}, []string{"GO009", "mended"})
}

// Bad input is told by place, with the right exit, and nothing is half-written.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(s *stage)
		args  []string
		code  int
		says  []string
		not   string
	}{
		"go.mod":        {spoil: func(s *stage) { s.file("go.mod", "module x\n\nrequire (\n") }, says: []string{"go.mod:"}, code: 2},
		"go.sum":        {spoil: func(s *stage) { s.file("go.sum", "a b\n") }, says: []string{"go.sum:1"}, code: 2},
		"lock":          {spoil: func(s *stage) { s.file("package-lock.json", `{"packages": {"node_modules/a": {`) }, says: []string{"package-lock.json:1:"}, code: 2},
		"config key":    {spoil: func(s *stage) { s.file(".goproxy/config.yaml", "mode: audit\nmodus: x\n") }, says: []string{".goproxy/config.yaml:2:1", "modus"}, code: 2},
		"config value":  {spoil: func(s *stage) { s.file(".goproxy/config.yaml", "mode: maybe\n") }, says: []string{"config.yaml:1:", "enforce"}, code: 2},
		"config syntax": {spoil: func(s *stage) { s.file(".goproxy/config.yaml", "mode: [\n") }, says: []string{"config.yaml:"}, code: 2},
		"unknown rule":  {spoil: func(s *stage) { s.file(".goproxy/config.yaml", "severity: {XYZ999: off}\n") }, says: []string{"XYZ999"}, code: 2},
		"go.sum links to a secret": {spoil: func(s *stage) {
			s.write(filepath.Join(s.home, "secret"), "the secret\n")
			os.Remove(filepath.Join(s.dir, "go.sum"))
			os.Symlink(filepath.Join(s.home, "secret"), filepath.Join(s.dir, "go.sum"))
		}, says: []string{"go.sum", "symbolic link"}, not: "the secret", code: 2},
		"go.sum links inside": {spoil: func(s *stage) {
			s.file(".env", "TOKEN=the secret\n")
			os.Remove(filepath.Join(s.dir, "go.sum"))
			os.Symlink(".env", filepath.Join(s.dir, "go.sum"))
		}, says: []string{"go.sum:1"}, not: "the secret", code: 2},
		"config links inside": {spoil: func(s *stage) {
			s.file(".env", "TOKEN: the secret\n")
			os.Remove(filepath.Join(s.dir, ".goproxy/config.yaml"))
			os.Symlink("../.env", filepath.Join(s.dir, ".goproxy/config.yaml"))
		}, says: []string{"config.yaml"}, not: "the secret", code: 2},
		"200 MB lock": {spoil: func(s *stage) {
			s.file("package-lock.json", "{}")
			os.Truncate(filepath.Join(s.dir, "package-lock.json"), 200<<20)
		}, says: []string{"package-lock.json", "200 MB"}, code: 2},
		"no directory":    {spoil: func(s *stage) { s.dir += "/nowhere" }, says: []string{"nowhere"}, code: 2},
		"unknown command": {args: []string{"frobnicate"}, says: []string{"frobnicate", "--help"}, code: 2},
		"unknown flag":    {args: []string{"setup", "--frob"}, says: []string{"--frob"}, code: 2},
		"unknown format":  {args: []string{"setup", "--format", "xml"}, says: []string{"xml"}, code: 2},
		"HOME unset":      {spoil: func(s *stage) { delete(s.env, "HOME") }, code: 0},
		"GITHUB_ENV unset": {spoil: func(s *stage) {
			s.env["GITHUB_ACTIONS"], s.env["GOPROXY"] = "true", "https://dead.test"
			s.env["GITHUB_STATE"] = filepath.Join(s.home, "state")
			s.write(s.env["GITHUB_STATE"], "")
		}, says: []string{"GITHUB_ENV"}, code: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			if tt.spoil != nil {
				tt.spoil(s)
			}
			if tt.args == nil {
				tt.args = []string{"setup", "DIR"}
			}
			e := s.run(tt.args...)
			e.want(t, tt.code, nil, tt.says)
			if tt.not != "" && strings.Contains(e.stdout+e.stderr, tt.not) {
				t.Errorf("shows %q", tt.not)
			}
			if strings.Contains(e.stdout, "export") {
				t.Errorf("something is injected: %s", e.stdout)
			}
		})
	}
}

// A checkout that cannot be written does not matter: nothing is written there.
func TestReadOnlyWorkspace(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before := listing(t, s.dir)
	s.env["GOPROXY"] = "https://dead.test"
	s.env["TMPDIR"] = t.TempDir()
	if err := os.Chmod(s.dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(s.dir, 0o755) })
	s.run("setup", "DIR").want(t, 0, []string{"export GOPROXY="}, nil)
	if after := listing(t, s.dir); after != before {
		t.Errorf("the checkout changed:\n%s\n%s", before, after)
	}
}

func listing(t *testing.T, dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		b.WriteString(path + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// In a GitHub job: the variables, outputs and state are written, the summary and annotations shown, and post restores.
func TestGitHub(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	temp := t.TempDir()
	for _, name := range []string{"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"} {
		s.env[name] = filepath.Join(temp, name)
		s.write(s.env[name], "")
	}
	s.env["GITHUB_ACTIONS"], s.env["GITHUB_EVENT_NAME"], s.env["RUNNER_TEMP"] = "true", "push", temp
	s.env["GOPROXY"] = "https://dead.test"
	s.env["INPUT_DIRECTORY"] = s.dir
	read := func(name string) string {
		data, err := os.ReadFile(s.env[name])
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	s.run("setup").want(t, 0, nil, nil)
	if e := read("GITHUB_ENV"); !strings.Contains(e, "GOPROXY<<") || !strings.Contains(e, "\nhttps://") {
		t.Errorf("GITHUB_ENV: %s", e)
	}
	for _, name := range []string{"class", "decision", "goproxy", "gosumdb", "npm-registry", "changed", "report"} {
		if !strings.Contains(read("GITHUB_OUTPUT"), name+"<<") {
			t.Errorf("output %s is missing: %s", name, read("GITHUB_OUTPUT"))
		}
	}
	if !strings.Contains(read("GITHUB_STEP_SUMMARY"), "dead.test") {
		t.Errorf("summary: %s", read("GITHUB_STEP_SUMMARY"))
	}
	state := strings.Split(read("GITHUB_STATE"), "\n")
	if len(state) < 2 || !strings.HasPrefix(state[0], "journal<<") {
		t.Fatalf("state: %q", state)
	}
	s.env["STATE_journal"] = state[1]
	s.run("restore").want(t, 0, nil, nil)
	if _, err := os.Stat(state[1]); err == nil {
		t.Error("the journal stays")
	}

	s.file("package.json", `{}`)
	s.file("package-lock.json", poisoned)
	s.write(s.env["GITHUB_ENV"], "")
	e := s.run("setup")
	e.want(t, 1, []string{"::error col=19,file=package-lock.json,line=9,"}, nil)
	if got := read("GITHUB_ENV"); got != "" {
		t.Errorf("denied, and yet injected: %s", got)
	}
}

// A pull request cannot weaken its own gate: the settings of the base commit count.
func TestPullRequestCannotWeakenItsGate(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	api := upstreamtest.NewGitHubAPI(t)
	api.Token = "hush-token"
	s.world.Serve("api.github.com", api)
	temp := t.TempDir()
	for _, name := range []string{"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"} {
		s.env[name] = filepath.Join(temp, name)
		s.write(s.env[name], "")
	}
	s.write(filepath.Join(temp, "event.json"), `{"number": 7, "pull_request": {"number": 7, "base": {"sha": "1111111111111111111111111111111111111111"}, "head": {"sha": "2222222222222222222222222222222222222222"}}, "repository": {"full_name": "o/r"}}`)
	maps.Copy(s.env, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": filepath.Join(temp, "event.json"),
		"GITHUB_REPOSITORY": "o/r", "RUNNER_TEMP": temp, "INPUT_TOKEN": "hush-token", "INPUT_DIRECTORY": s.dir})
	config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const sha = "1111111111111111111111111111111111111111"
	api.SetFile(sha, ".goproxy/config.yaml", string(config)+"mode: enforce\n")
	api.SetChanged(7, ".goproxy/config.yaml", "package-lock.json", "package.json")
	s.file(".goproxy/config.yaml", string(config)+"mode: audit\nseverity: {LCK002: off, LCK003: off, LCK004: off}\n")
	s.file("package.json", `{}`)
	s.file("package-lock.json", poisoned)
	e := s.run("setup")
	e.want(t, 1, []string{"LCK001", "LCK002", "LCK003", "LCK004"}, nil)
	if strings.Contains(e.stdout+e.stderr, "hush-token") && !strings.Contains(e.stdout, "::add-mask::hush-token") {
		t.Errorf("the token is shown:\n%s%s", e.stdout, e.stderr)
	}

	// neither by a configuration below the repository's root, nor from a branch that is older than the base's, nor by a
	// link whose target alone changes: the base's own is asked for
	api.Head = "2222222222222222222222222222222222222222"
	for name, play := range map[string]func(){
		"below the root": func() {
			s.env["GITHUB_WORKSPACE"], s.env["INPUT_DIRECTORY"] = s.dir, filepath.Join(s.dir, "app")
			for _, f := range []string{".goproxy/config.yaml", "package.json", "package-lock.json"} {
				data, err := os.ReadFile(filepath.Join(s.dir, f))
				if err != nil {
					t.Fatal(err)
				}
				s.file("app/"+f, string(data))
			}
			api.SetFile(sha, "app/.goproxy/config.yaml", string(config)+"mode: enforce\n")
			api.SetChanged(7, "app/.goproxy/config.yaml", "app/package-lock.json")
		},
		"older branch": func() { api.SetChanged(7, "package-lock.json") },
	} {
		s.env["GITHUB_WORKSPACE"], s.env["INPUT_DIRECTORY"] = s.dir, s.dir
		play()
		e := s.run("setup")
		if e.code != 1 || !strings.Contains(e.stdout, "LCK002") {
			t.Errorf("%s: %+v", name, e)
		}
	}
	s.env["INPUT_DIRECTORY"] = s.dir

	// without the base commit nothing is decided in its favour
	s.world.Serve("api.github.com", http.NotFoundHandler())
	s.run("setup").want(t, 2, nil, []string{"base commit"})
}

// An allowlist of addresses is kept before anything is dialled; behind a proxy the address is not known, and that is said.
func TestAddresses(t *testing.T) {
	t.Parallel()
	config := func(s *stage, text string) {
		data, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s.file(".goproxy/config.yaml", string(data)+text)
	}
	s := newStage(t)
	config(s, "trusted: {addresses: [10.0.0.0/8]}\n")
	s.run("setup", "DIR").want(t, 1, []string{"(exit 1)"}, []string{"SRC003", "trusted.addresses"})
	if n := s.world.Hits("official.test"); n != 0 {
		t.Errorf("dialled all the same: %d requests", n)
	}
	s.run("check", "DIR").want(t, 1, []string{"SRC003"}, nil)
	s.run("check", "DIR", "--offline").want(t, 0, []string{"Not asked"}, nil)

	s = newStage(t)
	config(s, "trusted: {addresses: [192.0.2.0/24]}\n")
	s.run("setup", "DIR").want(t, 0, nil, []string{"nothing changed"})

	s = newStage(t)
	s.world.Fence(false)
	p := s.world.ForwardProxy(t, upstreamtest.ForwardProxyOptions{})
	s.env["HTTPS_PROXY"] = p.URL()
	config(s, "trusted: {addresses: [192.0.2.0/24]}\n")
	s.run("setup", "DIR").want(t, 0, nil, nil)
	s.run("check", "DIR").want(t, 0, []string{"SRC003", "behind"}, nil)
	s.file(".goproxy/config.yaml", "official: {npm: https://npm.official.test}\nchecksum-database: {keys: [\""+s.proxy.VerifierKey()+"\"]}\ntrusted: {addresses: [192.0.2.0/24], require-address: true}\n")
	s.run("setup", "DIR").want(t, 3, []string{"(exit 3)"}, []string{"SRC003"})
}

// The proxy that an input names reaches every tool: both cases, what NO_PROXY had, and git whatever its files say.
func TestProxyOfTheConfiguration(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Fence(false)
	p := s.world.ForwardProxy(t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "hush"})
	data, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.file(".goproxy/config.yaml", string(data)+"proxy:\n  https: "+p.URL()+"\n  no-proxy: [.corp.test]\n")
	s.world.Serve("github.com", http.NotFoundHandler())
	s.env["NO_PROXY"], s.env["GIT_CONFIG_COUNT"] = "inside.test", "1"
	e := s.run("setup", "DIR")
	e.want(t, 0, []string{"export HTTPS_PROXY='http://ci:hush@", "export https_proxy='http://ci:hush@", "export no_proxy='inside.test,",
		".corp.test", "export GIT_CONFIG_COUNT='2'", "export GIT_CONFIG_KEY_1='http.https://github.com/.proxy'"}, []string{"proxied", "http://***@"})
	if strings.Contains(e.stderr, "hush") {
		t.Errorf("the password is shown:\n%s", e.stderr)
	}
}

// A proxy of the configuration through which nothing answers is not handed over.
func TestDeadProxyOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, tools := range []string{"go", "git"} {
		s := newStage(t)
		s.file(".goproxy/config.yaml", "tools: ["+tools+"]\nproxy: {https: \"http://ci:hush@127.0.0.1:1\"}\n")
		e := s.run("setup", "DIR")
		e.want(t, 3, []string{"(exit 3)"}, []string{"nothing answers through the proxy", "connection refused"})
		if strings.Contains(e.stdout, "export") || strings.Contains(e.stderr+e.stdout, "hush") {
			t.Errorf("%+v", e)
		}
	}
}

// A list in force is judged as the go command walks it.
func TestListInForce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Serve("private.test", http.NotFoundHandler())
	s.env["GOPROXY"] = "https://private.test,https://official.test,direct"
	s.run("setup", "DIR").want(t, 0, nil, []string{"nothing changed"})
	s.env["GOPROXY"] = "https://private.test,https://dead.test"
	e := s.run("setup", "DIR")
	e.want(t, 0, []string{"export GOPROXY='https://private.test,https://"}, nil)
	s.env["GOPROXY"] = "https://private.test,off"
	e = s.run("setup", "DIR")
	e.want(t, 3, nil, []string{"off"})
	if strings.Contains(e.stdout, "official.test") {
		t.Errorf("off is opened: %s", e.stdout)
	}
}

// A shell that evaluates the lines fails with bad use too; a program that reads JSON gets no shell lines.
func TestBadUseFailsTheShell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, args := range [][]string{{"setup", "--bogus"}, {"setup", "a", "b"}, {"setup", "--format", "yaml"}, {"restore", "--bogus"},
		{"--bogus", "setup"}, {"stup"}, {"--mode=x", "setup"}, {"setup", "--format=json", "--format=text", "nowhere"}, {"setup", "--", "--format=json"}} {
		s.run(args...).want(t, 2, []string{"(exit 2)\n"}, nil)
	}
	if e := s.run("setup", "nowhere", "--format", "json"); e.code != 2 || strings.Contains(e.stdout, "(exit") {
		t.Errorf("%+v", e)
	}
}

// A signal is no bug.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Silent("official.test")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(errors.New("interrupt signal received")) })
	e := s.runIn(ctx, "setup", "DIR")
	e.want(t, 130, nil, []string{"interrupt"})
	if strings.Contains(e.stdout, "export") || strings.Contains(e.stderr, "bug") || strings.Contains(e.stderr, "denied") || !strings.Contains(e.stdout, "(exit 130)") {
		t.Errorf("%+v", e)
	}
}

// A replace that the change brings is an error, one that the base has is not, though both lead to the same host.
func TestReplaceOfAChange(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const base, head = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	api := upstreamtest.NewGitHubAPI(t)
	api.Head = head
	s.world.Serve("api.github.com", api)
	temp := t.TempDir()
	s.write(filepath.Join(temp, "event.json"), `{"pull_request": {"number": 7, "base": {"sha": "`+base+`"}, "head": {"sha": "`+head+`"}}, "number": 7}`)
	maps.Copy(s.env, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": filepath.Join(temp, "event.json"),
		"GITHUB_REPOSITORY": "o/r", "RUNNER_TEMP": temp, "GITHUB_WORKSPACE": s.dir})
	mod, err := os.ReadFile(filepath.Join(s.dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	api.SetFile(base, ".goproxy/config.yaml", string(config))
	old := string(mod) + "replace example.test/a => github.com/good/a v1.0.0\nreplace example.test/b => ../b\n"
	api.SetFile(base, "go.mod", old)
	api.SetChanged(7, "README.md")
	s.file("go.mod", old)
	s.run("check", "DIR").want(t, 0, []string{"warning MOD001"}, nil)
	api.SetChanged(7, "go.mod")
	s.file("go.mod", old+"replace github.com/google/uuid => github.com/evil/uuid v1.6.0\n")
	s.run("check", "DIR").want(t, 1, []string{"error MOD001", "github.com/evil/uuid"}, nil)
}

func TestVersionAndCompletion(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.run("version").want(t, 0, []string{"goproxy-action test"}, nil)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		s.run("completion", shell).want(t, 0, []string{"goproxy-action"}, nil)
	}
	s.run("--help").want(t, 0, []string{"Exit codes"}, nil)
}
