package cli_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

const (
	corpToken    = "corp-t0ken.hidden"
	corpPassword = "c0rp-passw0rd&hidden"
)

// guarded is a host that answers who shows what it wants, and keeps what it was shown.
type guarded struct {
	want  string // of the header Authorization; empty takes anybody
	serve http.Handler

	mu    sync.Mutex
	shown []string
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := r.Header.Get("Authorization")
	g.mu.Lock()
	g.shown = append(g.shown, got+r.Header.Get("X-Key"))
	g.mu.Unlock()
	if g.want != "" && got != g.want {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, "who is %q?", got)
		return
	}
	g.serve.ServeHTTP(w, r)
}

// all is what it was shown, each once.
func (g *guarded) all() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(g.shown)))
}

func basicHeader(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// secretForms are those that a careless program would print.
func secretForms() []string {
	return []string{corpToken, corpPassword, "c0rp-passw0rd%26hidden", base64.StdEncoding.EncodeToString([]byte("ci:" + corpPassword)),
		base64.StdEncoding.EncodeToString([]byte(corpToken)), `c0rp-passw0rd\u0026hidden`, "c0rp-passw0rd&amp;hidden"}
}

func (s *stage) configured(text string) {
	s.t.Helper()
	s.file(".goproxy/config.yaml", "checksum-database:\n  keys: [\""+s.proxy.VerifierKey()+"\"]\nofficial:\n  npm: https://npm.official.test\n"+text)
}

func leaks(t *testing.T, where, text string) {
	t.Helper()
	for _, form := range secretForms() {
		if strings.Contains(text, form) {
			t.Errorf("%s holds %q:\n%s", where, form, text)
		}
	}
}

// Private sources are asked with their credentials; go and npm are told by files of the run, which restore removes.
func TestPrivateSources(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	goproxy := &guarded{want: basicHeader("ci", corpPassword), serve: s.proxy}
	npm := &guarded{want: "Bearer " + corpToken, serve: upstreamtest.NewRegistry(t)}
	s.world.Serve("goproxy.corp.test", goproxy)
	s.world.Serve("npm.corp.test", http.StripPrefix("/team", npm))
	s.configured(`credentials:
  - {source: https://goproxy.corp.test, type: basic, username: ci, password-env: CORP_PASSWORD}
  - {source: https://npm.corp.test/team, type: bearer, token-env: CORP_TOKEN}
`)
	s.file("package.json", "{}")
	s.write(filepath.Join(s.home, ".netrc"), "machine other.test login me password mine\ndefault login x password y\n")
	s.write(filepath.Join(s.home, ".npmrc"), "//other.test/:_authToken=${OTHER}\n[section]\na=b\n")
	if err := os.Mkdir(s.env["TMPDIR"], 0o700); err != nil {
		t.Fatal(err)
	}
	maps.Copy(s.env, map[string]string{"GOPROXY": "https://goproxy.corp.test", "npm_config_registry": "https://npm.corp.test/team/", "CORP_PASSWORD": corpPassword, "CORP_TOKEN": corpToken + "\n"})
	report := filepath.Join(s.home, "report.json")
	e := s.run("setup", "--credentials", "--output", "json="+report, "DIR")
	e.want(t, 0, []string{"export NETRC='", "export npm_config_userconfig='"}, []string{"goproxy.corp.test (.goproxy/config.yaml:6)", "npm.corp.test (.goproxy/config.yaml:7)"})
	json, _ := os.ReadFile(report)
	leaks(t, "stdout", e.stdout)
	leaks(t, "stderr", e.stderr)
	leaks(t, "the report", string(json))
	for _, g := range []*guarded{goproxy, npm} {
		if got := g.all(); len(got) != 1 || got[0] != g.want {
			t.Errorf("shown %q", got)
		}
	}

	after := s.eval(e.stdout, "NETRC", "npm_config_userconfig", "GOPROXY_ACTION_JOURNAL")
	for name, want := range map[string]string{
		"NETRC":                 "machine goproxy.corp.test login ci password " + corpPassword + "\nmachine other.test login me password mine\ndefault login x password y\n",
		"npm_config_userconfig": "//other.test/:_authToken=${OTHER}\n//npm.corp.test/team/:_authToken=" + corpToken + "\n[section]\na=b\n",
	} {
		data, err := os.ReadFile(after[name])
		info, e := os.Stat(after[name])
		dir, d := os.Stat(filepath.Dir(after[name]))
		if err != nil || e != nil || d != nil || string(data) != want || info.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
			t.Errorf("%s: %q, %v, want %q", name, data, err, want)
		}
	}
	before := maps.Clone(s.env)
	maps.Copy(s.env, after)
	if again := s.run("setup", "--credentials", "DIR"); again.code != 0 || again.stdout != "" {
		t.Errorf("a second run changes something: %+v", again)
	}
	back := s.run("restore")
	back.want(t, 0, []string{"unset NETRC", "unset npm_config_userconfig"}, nil)
	if left, _ := os.ReadDir(s.env["TMPDIR"]); len(left) != 0 {
		t.Errorf("left behind %v", left)
	}

	// what somebody wrote to meanwhile is left
	s.env = before
	e = s.run("setup", "--credentials", "DIR")
	maps.Copy(s.env, s.eval(e.stdout, "NETRC", "npm_config_userconfig", "GOPROXY_ACTION_JOURNAL"))
	if err := os.WriteFile(s.env["npm_config_userconfig"], []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("restore").want(t, 0, nil, []string{s.env["npm_config_userconfig"] + " was changed by somebody else since"})
	if _, err := os.Stat(s.env["NETRC"]); err == nil {
		t.Error("the netrc is left")
	}
}

// A token for the go command is told by a command of GOAUTH, which prints what go wants; what no tool can show is said.
func TestTokenForGo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	g := &guarded{want: "Bearer " + corpToken, serve: s.proxy}
	s.world.Serve("goproxy.corp.test", http.StripPrefix("/go", g))
	s.configured("credentials: [{source: https://goproxy.corp.test/go, type: bearer, token-env: CORP_TOKEN}]\n")
	if err := os.Mkdir(s.env["TMPDIR"], 0o700); err != nil {
		t.Fatal(err)
	}
	maps.Copy(s.env, map[string]string{"GOPROXY": "https://goproxy.corp.test/go", "CORP_TOKEN": corpToken})
	e := s.run("setup", "--credentials", "DIR")
	e.want(t, 0, []string{"export GOAUTH='/bin/sh ", ";netrc'"}, nil)
	leaks(t, "stdout", e.stdout)
	leaks(t, "stderr", e.stderr)
	maps.Copy(s.env, s.eval(e.stdout, "GOAUTH", "GOPROXY_ACTION_JOURNAL"))
	if got := s.eval(strings.TrimSuffix(s.env["GOAUTH"], ";netrc")+" https://goproxy.corp.test/go/x >&2; X=$("+strings.TrimSuffix(s.env["GOAUTH"], ";netrc")+"; echo .)", "X")["X"]; got != "https://goproxy.corp.test/go\n\nAuthorization: Bearer "+corpToken+"\n\n." {
		t.Errorf("go is told %q", got)
	}
	again := s.run("setup", "--credentials", "DIR")
	if again.code != 0 || again.stdout != "" || strings.Contains(again.stderr, "GO008") {
		t.Errorf("a second run changes something: %+v", again)
	}
	s.run("restore").want(t, 0, []string{"unset GOAUTH"}, nil)
	if left, _ := os.ReadDir(s.env["TMPDIR"]); len(left) != 0 {
		t.Errorf("left behind %v", left)
	}
}

// A checkout that lists credentials gets none of this machine's in a terminal; a login of netrc goes where netrc says.
func TestCheckoutAsksForSecrets(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	evil := &guarded{serve: s.proxy}
	s.world.Serve("evil.test", evil)
	s.configured(`sources: {go: [https://evil.test]}
credentials:
  - {source: https://evil.test, type: bearer, token-env: CORP_TOKEN}
  - {source: https://evil.test, type: mtls, cert-file: /etc/hostname, key-file: /etc/hostname}
`)
	s.env["CORP_TOKEN"] = corpToken
	e := s.run("detect", "DIR")
	e.want(t, 0, []string{"evil.test", ".goproxy/config.yaml:7, .goproxy/config.yaml:8 are not used", "--credentials"}, nil)
	if got := evil.all(); len(got) != 1 || got[0] != "" {
		t.Errorf("shown %q", got)
	}
}

// On a pull request the credentials of the base commit count: one that the change sends to its own host stays here.
func TestPullRequestAsksForSecrets(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	evil, corp := &guarded{serve: s.proxy}, &guarded{want: "Bearer " + corpToken, serve: s.proxy}
	s.world.Serve("evil.test", evil)
	s.world.Serve("goproxy.corp.test", corp)
	s.git("init", "-q")
	commit := func(host string) string {
		s.configured("credentials: [{source: https://" + host + ", type: bearer, token-env: CORP_TOKEN}]\nsources: {go: [https://" + host + "]}\n")
		s.git("add", "-A")
		s.git("commit", "-q", "-m", "x")
		return s.git("rev-parse", "HEAD")
	}
	base, head := commit("goproxy.corp.test"), commit("evil.test")
	temp := t.TempDir()
	summary := filepath.Join(temp, "summary")
	for _, f := range []string{"env", "output", "state", "summary"} {
		s.write(filepath.Join(temp, f), "")
	}
	s.write(filepath.Join(temp, "event.json"), fmt.Sprintf(`{"number": 7, "pull_request": {"number": 7, "base": {"sha": %q}, "head": {"sha": %q}}}`, base, head))
	maps.Copy(s.env, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": filepath.Join(temp, "event.json"),
		"GITHUB_REPOSITORY": "o/r", "RUNNER_TEMP": temp, "GITHUB_WORKSPACE": s.dir, "INPUT_DIRECTORY": s.dir, "PATH": os.Getenv("PATH"),
		"GITHUB_ENV": filepath.Join(temp, "env"), "GITHUB_OUTPUT": filepath.Join(temp, "output"), "GITHUB_STATE": filepath.Join(temp, "state"), "GITHUB_STEP_SUMMARY": summary,
		"GOPROXY": "https://evil.test,https://goproxy.corp.test", "CORP_TOKEN": corpToken})
	e := s.run("detect", "DIR")
	e.want(t, 0, []string{"credentials that this change adds or alters are not used", "::add-mask::" + corpToken}, nil)
	if got := evil.all(); len(got) != 1 || got[0] != "" {
		t.Errorf("the change's host was shown %q", got)
	}
	if got := corp.all(); len(got) != 1 || got[0] != corp.want {
		t.Errorf("the base's host was shown %q", got)
	}
	if _, unmasked, _ := strings.Cut(e.stdout, "\n\n"); strings.Contains(unmasked, corpToken) || strings.Contains(e.stderr, corpToken) {
		t.Errorf("printed:\n%s%s", e.stdout, e.stderr)
	}
}

// A registry that tells what it was shown does not get it into a report of any format, nor into the document of policies.
func TestEchoedSecret(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ entry, said, header string }{
		"token":    {"type: bearer, token-env: CORP_TOKEN", "Bearer " + corpToken, "Bearer " + corpToken},
		"password": {"type: basic, username: ci, password-env: CORP_PASSWORD", basicHeader("ci", corpPassword) + " that is " + corpPassword, basicHeader("ci", corpPassword)},
	} {
		s := newStage(t)
		g := &guarded{want: tt.header, serve: upstreamtest.NewRegistry(t, upstreamtest.Package{Name: "is-number", Version: "7.0.0", Deprecated: "you sent " + tt.said,
			Integrity: "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="})}
		s.world.Serve("npm.corp.test", g)
		s.configured("releases: all\nseverity: {LCK015: error}\ncredentials: [{source: https://npm.corp.test, " + tt.entry + "}]\n")
		s.file("package.json", `{"dependencies": {"is-number": "7.0.0"}}`)
		s.file("package-lock.json", `{"lockfileVersion": 3, "packages": {"": {"dependencies": {"is-number": "7.0.0"}}, "node_modules/is-number": {"version": "7.0.0",
  "resolved": "https://npm.corp.test/is-number/-/is-number-7.0.0.tgz",
  "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}}}`)
		maps.Copy(s.env, map[string]string{"npm_config_registry": "https://npm.corp.test/", "CORP_TOKEN": corpToken, "CORP_PASSWORD": corpPassword})
		args := []string{"setup", "--credentials"}
		formats := []string{"text", "json", "markdown", "sarif", "junit", "codequality", "env", "dotenv"}
		for _, f := range formats {
			args = append(args, "--output", f+"="+filepath.Join(s.home, f))
		}
		e := s.run(append(args, "DIR")...)
		e.want(t, 1, nil, []string{"LCK015", "you sent", "***"})
		leaks(t, name+": stdout", e.stdout)
		leaks(t, name+": stderr", e.stderr)
		for _, f := range formats {
			data, err := os.ReadFile(filepath.Join(s.home, f))
			if err != nil {
				t.Error(err)
			}
			leaks(t, name+": "+f, string(data))
		}
		document := s.run("policy", "input", "--credentials", "DIR")
		if !strings.Contains(document.stdout, "you sent") {
			t.Errorf("%s: the document lacks what the registry says: %s%s", name, document.stdout, document.stderr)
		}
		leaks(t, name+": the document of policies", document.stdout+document.stderr)
		check := s.run("check", "--credentials", "--format", "json", "DIR")
		if !strings.Contains(check.stdout, "LCK015") {
			t.Errorf("%s: check found nothing: %s%s", name, check.stdout, check.stderr)
		}
		leaks(t, name+": check", check.stdout+check.stderr)
	}
}

// A private source that sends its client elsewhere takes the credential nowhere.
func TestPrivateSourceRedirects(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	evil := &guarded{serve: s.proxy}
	s.world.Serve("evil.test", evil)
	s.world.Serve("goproxy.corp.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.test"+r.URL.Path, http.StatusFound)
	}))
	s.configured("credentials: [{source: https://goproxy.corp.test, type: header, header: X-Key, token-env: CORP_TOKEN}]\n")
	maps.Copy(s.env, map[string]string{"GOPROXY": "https://goproxy.corp.test", "CORP_TOKEN": corpToken})
	s.run("setup", "--credentials", "DIR").want(t, 0, nil, nil)
	if got := evil.all(); len(got) != 1 || got[0] != "" {
		t.Errorf("shown %q", got)
	}
}

// The user's netrc is read as the go command reads it: for Go's sources, and with nothing to hand over. One that others can
// write, or that lies in the checkout, is not.
func TestUsersNetrc(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	g := &guarded{want: basicHeader("ci", corpPassword), serve: s.proxy}
	npm := &guarded{serve: upstreamtest.NewRegistry(t)}
	s.world.Serve("goproxy.corp.test", g)
	s.world.Serve("npm.corp.test", npm)
	s.file("package.json", "{}")
	netrc := filepath.Join(s.home, ".netrc")
	s.write(netrc, "machine goproxy.corp.test login ci password "+corpPassword+"\nmachine npm.corp.test login ci password "+corpPassword+"\n")
	maps.Copy(s.env, map[string]string{"GOPROXY": "https://goproxy.corp.test", "npm_config_registry": "https://npm.corp.test/"})
	e := s.run("setup", "DIR")
	e.want(t, 0, nil, []string{"goproxy.corp.test"})
	if e.stdout != "" || !slices.Equal(g.all(), []string{g.want}) || !slices.Equal(npm.all(), []string{""}) {
		t.Errorf("stdout %q, shown %q and %q", e.stdout, g.all(), npm.all())
	}
	s.env["GOAUTH"] = "off"
	g.shown = nil
	s.run("setup", "DIR")
	if got := g.all(); len(got) != 1 || got[0] != "" {
		t.Errorf("with GOAUTH=off shown %q", got)
	}
	delete(s.env, "GOAUTH")
	g.shown = nil
	if err := os.Chmod(netrc, 0o666); err != nil {
		t.Fatal(err)
	}
	s.run("detect", "DIR").want(t, 0, []string{".netrc is not read: its mode 0666 lets others write to it"}, nil)
	s.file(".netrc", "machine goproxy.corp.test login ci password "+corpPassword+"\n")
	s.env["HOME"] = s.dir
	s.run("detect", "DIR").want(t, 0, []string{"the author of the checkout may have written it"}, nil)
	if got := g.all(); len(got) != 1 || got[0] != "" {
		t.Errorf("shown %q", got)
	}
}

// A job's own identity is exchanged for a token, which is shown to its source alone; why it could not be had is told.
func TestExchangedToken(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	g := &guarded{want: "Bearer " + corpToken, serve: s.proxy}
	s.world.Serve("goproxy.corp.test", g)
	s.world.Serve("token.actions.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer request.token" {
			fmt.Fprintf(w, `{"value": "identity.for.%s"}`, r.URL.Query().Get("audience"))
		}
	}))
	refuse := false
	s.world.Serve("sts.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject := r.PostFormValue("subject_token")
		if refuse || subject != "identity.for.corp" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error": "invalid_grant", "error_description": "not %s"}`, subject)
			return
		}
		_, _ = io.WriteString(w, `{"access_token": "`+corpToken+`", "token_type": "Bearer", "expires_in": 600}`)
	}))
	s.configured("credentials: [{source: https://goproxy.corp.test, type: oidc, token-endpoint: https://sts.test/token, audience: corp}]\n")
	maps.Copy(s.env, map[string]string{"GOPROXY": "https://goproxy.corp.test", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.actions.test/?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request.token"})
	e := s.run("setup", "--credentials", "DIR")
	e.want(t, 0, []string{"export GOAUTH="}, []string{"goproxy.corp.test (.goproxy/config.yaml:5, until "})
	leaks(t, "stdout", e.stdout)
	leaks(t, "stderr", e.stderr)
	if n := s.world.Hits("sts.test"); n != 1 || !slices.Equal(g.all(), []string{g.want}) {
		t.Errorf("exchanged %d times, shown %q", n, g.all())
	}
	refuse = true
	e = s.run("detect", "--credentials", "DIR")
	e.want(t, 0, []string{"its credential could not be got: the token endpoint sts.test refused: invalid_grant (not ***)"}, nil)
	if strings.Contains(e.stdout+e.stderr, "identity.for") {
		t.Errorf("the job's identity is told:\n%s", e.stdout)
	}
	delete(s.env, "ACTIONS_ID_TOKEN_REQUEST_URL")
	s.run("detect", "--credentials", "DIR").want(t, 0, []string{"goproxy.corp.test is asked without its credential", "id-token: write"}, nil)
}

// What a variable or file of the settings does not hold is told without what it holds.
func TestCredentialsOfTheMachine(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file("cert.pem", "x")
	for text, want := range map[string]struct {
		code int
		say  string
	}{
		"type: bearer, token-env: NOT_SET":                                       {0, "the variable NOT_SET is not set"},
		"type: bearer, token-env: BROKEN":                                        {2, "holds a character that no token has"},
		"type: mtls, cert-file: /nowhere/c.pem, key-file: /nowhere/k.pem":        {0, "its cert-file does not exist"},
		"type: mtls, cert-file: " + s.dir + "/cert.pem, key-file: /etc/hostname": {2, "cert-file lies in the checkout"},
		"type: mtls, cert-file: /etc/hostname, key-file: /etc/hostname":          {2, "are no pair"},
		"type: netrc": {0, "the user's netrc has no login for it"},
		"type: oidc, token-endpoint: https://sts.test, subject-token-env: NOT_SET": {0, "the variable NOT_SET is not set"},
	} {
		s.configured("credentials: [{source: https://goproxy.corp.test, " + text + "}]\n")
		s.env["BROKEN"] = "se cret " + corpToken
		e := s.run("detect", "--credentials", "DIR")
		if e.code != want.code || !strings.Contains(e.stdout+e.stderr, want.say) {
			t.Errorf("%s: exit %d, without %q:\n%s%s", text, e.code, want.say, e.stdout, e.stderr)
		}
		leaks(t, text, e.stdout+e.stderr)
	}
}
