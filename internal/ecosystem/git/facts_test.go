package git

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
	"github.com/org/goproxy-action/policy"
)

// desk is a machine with a user's home, and a clone on it.
type desk struct {
	home, dir string
	// env are variables as NAME=value; none of this machine's own configuration counts.
	env []string
	ecosystem.Machine
}

// newDesk writes files: those with ~/ into the home, $OUT/ beside both, and all others into the clone. $HOME, $DIR and $OUT
// in them are the places.
func newDesk(t *testing.T, files map[string]string, env ...string) *desk {
	t.Helper()
	out := t.TempDir()
	d := &desk{home: filepath.Join(out, "home"), dir: filepath.Join(out, "jobs", "repo")}
	places := strings.NewReplacer("$HOME", d.home, "$DIR", d.dir, "$OUT", out)
	for _, dir := range []string{d.home, filepath.Join(d.dir, ".git")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		switch {
		case strings.HasPrefix(name, "~/"):
			name = filepath.Join(d.home, name[2:])
		case strings.HasPrefix(name, "$OUT/"):
			name = filepath.Join(out, name[5:])
		default:
			name = filepath.Join(d.dir, name)
		}
		write(t, name, places.Replace(text))
	}
	d.env = []string{"HOME=" + d.home, "XDG_CONFIG_HOME=", "GIT_CONFIG_NOSYSTEM=1"}
	for _, pair := range env {
		d.env = append(d.env, places.Replace(pair))
	}
	d.Machine = machine(d.env...)
	return d
}

func (d *desk) open(t *testing.T, dir string) *lockfile.Checkout {
	t.Helper()
	co, err := lockfile.Open(dir, "", Names()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { co.Close() })
	co.Fence = d.dir
	return co
}

func (d *desk) input(t *testing.T) (decide.Input, *ecosystem.Ecosystem) {
	t.Helper()
	e, err := New(d.Machine, d.open(t, d.dir))
	if err != nil {
		t.Fatal(err)
	}
	in := decide.Input{Schema: decide.Schema, Scope: "all", Sources: []decide.Source{}, Settings: []decide.Setting{}, Entries: []decide.Group{},
		Flagged: []decide.Flagged{}, Workflows: []decide.Action{}}
	e.Fill(&in, nil)
	return in, e
}

// judged are the findings of the default rules as "severity RULE file:line:column message", with the places of newDesk.
func (d *desk) judged(t *testing.T, in decide.Input, e *ecosystem.Ecosystem) []string {
	t.Helper()
	builtin := map[string]bool{}
	for _, host := range e.Trusted {
		builtin[host] = true
	}
	engine, err := decide.New(policy.FS(), decide.Data{Builtin: map[string]map[string]bool{source.Git: builtin}}, decide.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := engine.Eval(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range found {
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
		}
		text := fmt.Sprintf("%s %s %s %s", f.Severity, f.ID, place, f.Message)
		text = strings.NewReplacer(d.home, "$HOME", d.dir, "$DIR", filepath.Dir(d.home), "$OUT").Replace(text)
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func TestSubmodules(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"url = https://github.com/a/b":                     nil,
		"url = git@github.com:a/b.git":                     nil,
		"url = ssh://git@ssh.github.com:443/a/b":           nil,
		"url = git+ssh://git@gitlab.com/a":                 nil,
		"url = ssh+git://git@gitlab.com/a":                 nil,
		"url = ../b.git":                                   nil,
		"url = ./b":                                        nil,
		"url =":                                            nil,
		"path = a/b\nupdate = rebase\nbranch = .":          nil,
		"url = https://a.test/b":                           {"warning 2:7 comes from a.test, which is named by the checkout and in no list of trusted hosts"},
		"url = git@a.test:b":                               {"warning 2:7 comes from a.test, which is named by the checkout and in no list of trusted hosts"},
		"url = a:b":                                        {"warning 2:7 comes from a, which is named by the checkout and in no list of trusted hosts"},
		"url = \"https://github.com@a.test/b\"":            {"note 2:7 has a name or a password in its address", "warning 2:7 comes from a.test, which is named by the checkout and in no list of trusted hosts"},
		"url = https://github.com:8443/b":                  {"warning 2:7 comes from github.com:8443, which is named by the checkout and in no list of trusted hosts"},
		"url = http://github.com/a/b":                      {"warning 2:7 comes from github.com over http, neither https nor ssh"},
		"url = git://github.com/a/b":                       {"warning 2:7 comes from github.com over git, neither https nor ssh"},
		"url = file:///srv/b":                              {"warning 2:7 comes from a directory, which is another one on each machine"},
		"url = /srv/b":                                     {"warning 2:7 comes from a directory, which is another one on each machine"},
		"url = b/c:d":                                      {"warning 2:7 comes from a directory, which is another one on each machine"},
		"url = https://a b/":                               {"warning 2:7 has an address that cannot be judged: address holds the character ' ', which clients read in different ways"},
		"url = ssh://-oProxyCommand=x/b":                   {"warning 2:7 has an address that cannot be judged: address holds a host that is no valid name"},
		"url = -u./x":                                      {"error 2:7 has an address that begins with a dash, as an option does"},
		"url = ext::sh -c x":                               {"error 2:7 would have git start git-remote-ext (ext::)"},
		"url = hg://a.test/b":                              {"error 2:7 would have git start git-remote-hg (hg://)"},
		"update = !touch x":                                {"error 2:10 would have git start a command (update = !…)"},
		"path = ../x":                                      {"error 2:8 has a path that leads out of the checkout or into .git"},
		"path = x/.GIT./hooks":                             {"error 2:8 has a path that leads out of the checkout or into .git"},
		"path = -x":                                        {"error 2:8 has a path that begins with a dash, as an option does"},
		"url = https://github.com/a\nurl=https://a.test/b": {"warning 3:5 comes from a.test, which is named by the checkout and in no list of trusted hosts"},
	} {
		d := newDesk(t, map[string]string{modules: "[submodule \"lib\"]\n" + text + "\n"})
		in, e := d.input(t)
		var got []string
		for _, line := range d.judged(t, in, e) {
			got = append(got, strings.NewReplacer("GIT001 .gitmodules:", "", "submodule lib ", "").Replace(line))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -want +got:\n%s", text, diff)
		}
	}
}

func TestNameOfASubmodule(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{"../../modules": true, `a\\..\\b`: true, "..": true, "a..b": false, "a/b": false} {
		d := newDesk(t, map[string]string{modules: "[submodule \"" + name + "\"]\n\turl = https://github.com/a/b\n\tpath = x\n"})
		in, e := d.input(t)
		got := d.judged(t, in, e)
		if refused != (len(got) == 1 && strings.HasPrefix(got[0], "error GIT001 .gitmodules:1:13 ")) || !refused && len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What the base commit has is known by scheme and host, and what cannot be judged by what stands there.
func TestOriginOfSubmodules(t *testing.T) {
	t.Parallel()
	d := newDesk(t, map[string]string{modules: `
[submodule "a"]
	url = https://a.test/new
[submodule "b"]
	url = git@a.test:new
[submodule "c"]
	url = https://b.test/c
[submodule "d"]
	url = /srv/d
[submodule "e"]
	url = https://u:p@a.test/e
`})
	co := d.open(t, d.dir)
	e, err := New(d.Machine, co)
	if err != nil {
		t.Fatal(err)
	}
	var in decide.Input
	e.Fill(&in, nil)
	base := co.At(map[string][]byte{modules: []byte("[submodule \"a\"]\nurl = https://a.test/old\n[submodule \"d\"]\nurl = /srv/d\n")})
	for range 2 { // the facts are filled in once more for what will be after the plan
		keys, err := e.Hosts(base)
		if err != nil {
			t.Fatal(err)
		}
		in.Originate(source.Git, func(key string, origin *string) {
			if *origin = source.Change; keys[key] {
				*origin = source.Base
			}
		})
		var got []string
		for _, s := range in.Git.Submodules {
			got = append(got, s.Name+" "+s.Origin)
		}
		if diff := cmp.Diff([]string{"a base", "b change", "c change", "d base", "e change"}, got); diff != "" {
			t.Error(diff)
		}
		in = decide.Input{}
		e.Fill(&in, nil)
		if in.Git.Submodules[0].Origin != source.Checkout {
			t.Error("an origin stays over from the facts before")
		}
	}
	broken := co.At(map[string][]byte{modules: []byte("[")})
	if keys, err := e.Hosts(broken); len(keys) > 0 || err != nil {
		t.Errorf("a base commit whose .gitmodules git cannot read knows %v, %v", keys, err)
	}
}

func TestModulesThatGitDoesNotRead(t *testing.T) {
	t.Parallel()
	const foreign = "[submodule \"a\"]\nurl = https://a.test/\n"
	d := newDesk(t, map[string]string{"elsewhere": foreign, "svc/.gitmodules": foreign})
	if err := os.Symlink("elsewhere", filepath.Join(d.dir, modules)); err != nil {
		t.Fatal(err)
	}
	in, e := d.input(t)
	if got := d.judged(t, in, e); len(got) > 0 || len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "symbolic link") {
		t.Errorf("behind a link: %q, %q", got, e.Notes)
	}
	e, err := New(d.Machine, d.open(t, filepath.Join(d.dir, "svc")))
	if err != nil || e.Present || len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "lies above the directory") {
		t.Errorf("below the root: %+v, %v", e, err)
	}
	d = newDesk(t, map[string]string{modules: "[submodule \"a\"]\nurl = \"https://hunter2\n"})
	if _, err := New(d.Machine, d.open(t, d.dir)); problem.CodeOf(err) != problem.Usage || !strings.HasPrefix(err.Error(), ".gitmodules:2:") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("broken: %v", err)
	}
	var many strings.Builder
	for i := range maxSubmodules + 1 {
		fmt.Fprintf(&many, "[submodule \"%d\"]\nurl=../%d\n", i, i)
	}
	d = newDesk(t, map[string]string{modules: many.String()})
	if _, err := New(d.Machine, d.open(t, d.dir)); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "more than 10000") {
		t.Errorf("many: %v", err)
	}
}

// What honest tools write, and honest people.
func TestHonestConfigurations(t *testing.T) {
	t.Parallel()
	const cloned = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n[remote \"origin\"]\n\turl = https://github.com/a/b\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
	const credentials = "[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic aHVudGVyMg==\n"
	const lfs = "[lfs]\n\trepositoryformatversion = 0\n[filter \"lfs\"]\n\tsmudge = git-lfs smudge -- %f\n\tprocess = git-lfs filter-process\n\trequired = true\n\tclean = git-lfs clean -- %f\n"
	for name, d := range map[string]*desk{
		"a clone": newDesk(t, map[string]string{".git/config": cloned}),
		"actions/checkout 4": newDesk(t, map[string]string{".git/config": cloned + "[gc]\n\tauto = 0\n" + credentials + lfs +
			"[core]\n\tsshCommand = \"/usr/bin/ssh\" -i \"$OUT/_temp/key\" -o StrictHostKeyChecking=yes -o CheckHostIP=no -o \"UserKnownHostsFile=$OUT/_temp/known_hosts\"\n",
			"~/.gitconfig": "[safe]\n\tdirectory = $DIR\n\tdirectory = *\n"}),
		"actions/checkout 6": newDesk(t, map[string]string{".git/config": cloned + "[includeIf \"gitdir:$DIR/.git\"]\n\tpath = $OUT/_temp/git-credentials-1.config\n" +
			"[includeIf \"gitdir:/github/workspace/.git\"]\n\tpath = /github/runner_temp/git-credentials-1.config\n[extensions]\n\tworktreeConfig = true\n",
			".git/config.worktree":                "[core]\n\tsparseCheckout = true\n",
			"$OUT/_temp/git-credentials-1.config": credentials + "[url \"https://github.com/\"]\n\tinsteadOf = git@github.com:\n\tinsteadOf = org-1@github.com:\n"}),
		"gitlab-runner": newDesk(t, map[string]string{".git/config": "[fetch]\n\trecurseSubmodules = false\n[credential]\n\tinteractive = never\n[gc]\n\tautoDetach = false\n[include]\n\tpath = $DIR.tmp/.gitlab-runner.ext.conf\n" + cloned,
			"$OUT/jobs/repo.tmp/.gitlab-runner.ext.conf": "[http \"https://gitlab.corp.test\"]\n\tsslCAInfo = $DIR.tmp/CI_SERVER_TLS_CA_FILE\n" +
				"[credential \"https://gitlab.corp.test\"]\n\tusername = gitlab-ci-token\n\thelper =\n\thelper = \"!f(){ if [ \\\"$1\\\" = \\\"get\\\" ] ; then echo \\\"password=${CI_JOB_TOKEN}\\\" ; fi ; } ; f\"\n" +
				"[url \"https://gitlab-ci-token:hunter2@gitlab.corp.test\"]\n\tinsteadOf = https://gitlab.corp.test\n" +
				"[url \"https://gitlab-ci-token:hunter2@gitlab.corp.test/\"]\n\tinsteadOf = ssh://git@gitlab.corp.test/\n\tinsteadOf = git@gitlab.corp.test:\n"}),
		"husky, pre-commit, fsmonitor, git-crypt": newDesk(t, map[string]string{".husky/_/h": "", ".git/config": cloned +
			"[core]\n\thooksPath = .husky/_\n\tfsmonitor = true\n\tsshCommand = ssh -i ~/.ssh/jobs\n[filter \"git-crypt\"]\n\tsmudge = \\\"git-crypt\\\" smudge\n\tclean = \\\"/usr/bin/git-crypt\\\" clean\n" +
			"[submodule \"a\"]\n\turl = https://github.com/a/a\n\tupdate = rebase\n[remote \"origin\"]\n\tuploadpack = git-upload-pack\n[credential]\n\thelper = cache --timeout=3600\n\thelper = /usr/lib/git-core/git-credential-libsecret\n"}),
		"a developer": newDesk(t, map[string]string{"~/.gitconfig": `[user]
	name = A
[url "git@github.com:"]
	insteadOf = https://github.com/
	pushInsteadOf = gh:
[url "https://"]
	insteadOf = git://
[url "https://oauth2:hunter2@github.com/a/"]
	insteadOf = https://github.com/a/
[core]
	hooksPath = ~/.githooks
	fsmonitor = /opt/watch
	sshCommand = /opt/own-ssh --x
	gitProxy = none for a.test
	gitProxy = /opt/proxy for b.test
[credential]
	helper = "!/usr/bin/gh auth git-credential"
	helper = osxkeychain
[http]
	proxy = http://proxy.corp.test:3128
	sslCAInfo = /etc/ssl/corp.pem
	extraHeader = "X-Token: hunter2"
[http "https://localhost:8443/"]
	sslVerify = false
[filter "x"]
	clean = python3 /opt/x.py
[protocol "file"]
	allow = always
[includeIf "gitdir:~/other/"]
	path = off
[includeIf "onbranch:nowhere/"]
	path = off
[includeIf "hasconfig:remote.*.url:https://other.test/**"]
	path = off
[include]
	path = .gitconfig.local
	path = missing
`, "~/off": "[http]\n\tsslVerify = false\n", "~/.gitconfig.local": "[http]\n\tsslVerify = 0\n", "~/.config/git/config": "[http]\nsslVerify=false", ".git/config": cloned, ".git/HEAD": "ref: refs/heads/main\n"},
			"GIT_SSH_COMMAND=ssh -o BatchMode=yes", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.sslVerify", "GIT_CONFIG_VALUE_0=true", "GIT_ASKPASS=/opt/askpass"),
		"nothing at all":    newDesk(t, nil, "HOME=/dev/null/x", "GIT_CONFIG_GLOBAL=/dev/null"),
		"a broken variable": newDesk(t, map[string]string{".git/config": "[http]\nsslVerify = perhaps\n"}),
	} {
		in, e := d.input(t)
		if got := d.judged(t, in, e); len(got) > 0 || len(e.Notes) > 0 {
			t.Errorf("%s: %q, notes %q", name, got, e.Notes)
		}
		if text := fmt.Sprintf("%+v", in); strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
			t.Errorf("%s: a secret is told: %s", name, text)
		}
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	const clone, user = ".git/config", "~/.gitconfig"
	type files = map[string]string
	for name, tt := range map[string]struct {
		files files
		env   []string
		want  []string
	}{
		"verification off by the user": {files{user: "[http]\n\tsslVerify = no\n"}, nil, []string{"error GIT002 $HOME/.gitconfig:2:14 http.sslverify in ~/.gitconfig switches TLS verification off in git"}},
		"for one host in the clone": {files{clone: "[http \"https://u:hunter2@a.test/\"]sslVerify=0"}, nil,
			[]string{"error GIT002 $DIR/.git/config:1:45 http.https://***@a.test/.sslverify in .git/config switches TLS verification off in git"}},
		"by the environment": {nil, []string{"GIT_SSL_NO_VERIFY="}, []string{"error GIT002  GIT_SSL_NO_VERIFY switches TLS verification off in git"}},
		"by git -c":          {nil, []string{"GIT_CONFIG_PARAMETERS='http.sslverify'='false' 'a.b=it'\\''s'"}, []string{"error GIT002  http.sslverify in GIT_CONFIG_PARAMETERS switches TLS verification off in git"}},
		"by GIT_CONFIG_COUNT": {files{clone: "[http]sslVerify=true"}, []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=HTTP.sslVERIFY", "GIT_CONFIG_VALUE_0=off"},
			[]string{"error GIT002  http.sslverify in GIT_CONFIG_KEY_0 switches TLS verification off in git"}},
		"by an include on a condition": {files{user: "[includeIf \"gitdir:~/../jobs/\"]\npath=no\n[includeIf \"gitdir/i:**/REPO/.git\"]\npath=b\n", "~/b": "[http]\nsslVerify=false"}, nil,
			[]string{"error GIT002 $HOME/b:2:11 http.sslverify in ~/b switches TLS verification off in git"}},
		"by branch": {files{user: "[includeIf \"onbranch:feature/\"]path=b", "~/b": "[http]sslVerify=false", ".git/HEAD": "ref: refs/heads/feature/x/y\n"}, nil,
			[]string{"error GIT002 $HOME/b:1:17 http.sslverify in ~/b switches TLS verification off in git"}},
		"by remote": {files{user: "[includeIf \"hasconfig:remote.*.url:https://*/**\"]path=b", "~/b": "[http]sslVerify=false", clone: "[remote \"x\"]url=https://a.test/b/c"}, nil,
			[]string{"error GIT002 $HOME/b:1:17 http.sslverify in ~/b switches TLS verification off in git"}},

		"led elsewhere by the user": {files{user: "[url \"https://a.test/\"]\n\tinsteadOf = https://github.com/\n"}, nil,
			[]string{"note GIT002 $HOME/.gitconfig:1:7 url.https://a.test/.insteadof in ~/.gitconfig leads https://github.com/ to a.test, which is named by the runner and in no list of trusted hosts"}},
		"led elsewhere in the clone": {files{clone: "[url \"hunter2@a.test:x/\"]\n\tinsteadOf = hunter2@github.com:\n"}, nil,
			[]string{"warning GIT002 $DIR/.git/config:1:7 url.ssh://a.test/x/.insteadof in .git/config leads ***@github.com: to a.test, which is named by the checkout and in no list of trusted hosts"}},
		"all of it": {files{clone: "[url \"https://a.test/\"]\n\tinsteadOf = https://\n\tpushInsteadOf = \"\""}, nil, []string{
			"warning GIT002 $DIR/.git/config:1:7 url.https://a.test/.insteadof in .git/config leads https:// to a.test, which is named by the checkout and in no list of trusted hosts",
			"warning GIT002 $DIR/.git/config:1:7 url.https://a.test/.pushinsteadof in .git/config leads every address to a.test, which is named by the checkout and in no list of trusted hosts"}},
		"over http": {files{user: "[url \"http://github.com/\"]\n\tinsteadOf = https://github.com/\n[url \"http://\"]insteadOf=git://"}, nil,
			[]string{"error GIT002 $HOME/.gitconfig:1:7 url.http://github.com/.insteadof in ~/.gitconfig leads https://github.com/ over http, neither https nor ssh"}},
		"all over http": {files{user: "[url \"http://\"]insteadOf=https://"}, nil,
			[]string{"error GIT002 $HOME/.gitconfig:1:7 url.http://.insteadof in ~/.gitconfig leads https:// over http, neither https nor ssh"}},
		"without a slash": {files{clone: "[url \"https://github.com\"]insteadOf=https://github.com/"}, nil,
			[]string{"warning GIT002 $DIR/.git/config:1:7 url.*.insteadof in .git/config, for https://github.com/, goes on with the address in its host: a slash is missing"}},
		"host from the path": {files{clone: "[url \"https://\"]insteadOf=https://github.com/"}, nil,
			[]string{"warning GIT002 $DIR/.git/config:1:7 url.https://.insteadof in .git/config, for https://github.com/, takes its host from the path of the address"}},
		"to a directory": {files{clone: "[url \"/srv/\"]insteadOf=https://github.com/"}, nil, []string{"warning GIT002 $DIR/.git/config:1:7 url.*.insteadof in .git/config leads https://github.com/ to a directory"}},
		"to a program":   {files{clone: "[url \"ext::sh -c hunter2 \"]insteadOf=https://github.com/"}, nil, []string{"warning GIT002 $DIR/.git/config:1:7 url.*.insteadof in .git/config, for https://github.com/, would have git start git-remote-ext (ext::)"}},

		"ssh of the checkout":      {files{clone: "[core]sshCommand=./tools/ssh hunter2"}, nil, []string{"error GIT002 $DIR/.git/config:1:18 core.sshcommand in .git/config starts what the author of the checkout may have written: ./tools/ssh"}},
		"by its absolute path":     {files{user: "[core]fsmonitor='$DIR/x y'"}, nil, []string{"error GIT002 $HOME/.gitconfig:1:17 core.fsmonitor in ~/.gitconfig starts what the author of the checkout may have written: $DIR/x"}},
		"a script":                 {files{user: "[credential \"https://a.test\"]helper=!python3 x.py", "x.py": ""}, nil, []string{"error GIT002 $HOME/.gitconfig:1:37 credential.https://a.test.helper in ~/.gitconfig starts what the author of the checkout may have written: x.py"}},
		"a filter of the checkout": {files{user: "[filter \"x\"]clean=tools/x %f"}, nil, []string{"warning GIT002 $HOME/.gitconfig:1:19 filter.x.clean in ~/.gitconfig starts what the author of the checkout may have written: tools/x"}},
		"ssh with a file of it":    {nil, []string{"GIT_SSH_COMMAND=ssh -F $DIR/cfg"}, []string{"error GIT002  GIT_SSH_COMMAND starts what the author of the checkout may have written: $DIR/cfg"}},
		"by the PATH":              {files{"bin/x": ""}, []string{"PATH=$DIR/bin", "GIT_PROXY_COMMAND=x"}, []string{"error GIT002  GIT_PROXY_COMMAND starts what the author of the checkout may have written: x"}},
		"hooks for all":            {files{user: "[core]hooksPath=.hooks"}, nil, []string{"warning GIT002 $HOME/.gitconfig:1:17 core.hookspath in ~/.gitconfig starts what the author of the checkout may have written: .hooks"}},
		"a program in the clone":   {files{clone: "[core]sshCommand=curl hunter2|sh\n[filter \"x\"]process=y\n[submodule \"s\"]update=!z\n[core]alternateRefsCommand=w"}, nil, []string{"note GIT002 $DIR/.git/config:2:21 filter.x.process in .git/config starts a program by the word of whoever worked in this clone before", "warning GIT002 $DIR/.git/config:1:18 core.sshcommand in .git/config starts a program by the word of whoever worked in this clone before", "warning GIT002 $DIR/.git/config:3:23 submodule.s.update in .git/config starts a program by the word of whoever worked in this clone before", "warning GIT002 $DIR/.git/config:4:28 core.alternaterefscommand in .git/config starts a program by the word of whoever worked in this clone before"}},
		"ssh on a detour":          {files{clone: "[core]sshCommand=ssh -o ProxyCommand=x"}, nil, []string{"warning GIT002 $DIR/.git/config:1:18 core.sshcommand in .git/config starts a program by the word of whoever worked in this clone before"}},
		"ssh without keys":         {nil, []string{"GIT_SSH_COMMAND=ssh -oStrictHostKeyChecking=no -i hunter2"}, []string{"warning GIT002  GIT_SSH_COMMAND takes any key for that of a host"}},
		"proxy of a remote":        {files{clone: "[remote \"o\"]proxy=http://u:hunter2@a.test:1"}, nil, []string{"warning GIT002 $DIR/.git/config:1:19 remote.o.proxy in .git/config decides whom git asks on the way"}},
		"helper of a remote":       {files{clone: "[remote \"o\"]vcs=x"}, nil, []string{"warning GIT002 $DIR/.git/config:1:17 remote.o.vcs in .git/config starts a program by the word of whoever worked in this clone before"}},
		"submodules taken elsewhere": {files{modules: "[submodule \"a\"]\npath=a\nurl=https://github.com/x/a\n[submodule \"b\"]\npath=b\nurl=../b\n[submodule \"c\"]\npath=c\nurl=../c\n[submodule \"d\"]\npath=d\nurl=https://github.com/x/d",
			clone: "[remote \"origin\"]\nurl=git@corp.test:x/y\n[submodule \"a\"]\nurl=https://u:hunter2@a.test/x/a\n[submodule \"b\"]\nurl=ssh://git@corp.test/x/b\n[submodule \"c\"]\nurl=https://b.test/c\n[submodule \"d\"]\nurl=http://github.com/x/d\n[submodule \"e\"]\nurl=https://a.test"}, nil, []string{
			"error GIT002 $DIR/.git/config:10:5 submodule.d.url in .git/config leads submodule d over http, neither https nor ssh",
			"warning GIT002 $DIR/.git/config:4:5 submodule.a.url in .git/config leads submodule a to a.test, which is named by the checkout and in no list of trusted hosts",
			"warning GIT002 $DIR/.git/config:8:5 submodule.c.url in .git/config leads submodule c to b.test, which is named by the checkout and in no list of trusted hosts"}},
		"proxy in the clone":          {files{clone: "[http]proxy=http://u:hunter2@a.test:1"}, nil, []string{"warning GIT002 $DIR/.git/config:1:13 http.proxy in .git/config decides whom git asks on the way"}},
		"protocols":                   {files{user: "[protocol]allow=always", clone: "[protocol \"ext\"]allow=ALWAYS"}, []string{"GIT_ALLOW_PROTOCOL=ext:https"}, []string{"error GIT002 $DIR/.git/config:1:23 protocol.ext.allow in .git/config lets an address start a program (ext::)", "warning GIT002  GIT_ALLOW_PROTOCOL lets an address start a program (ext::)", "warning GIT002 $HOME/.gitconfig:1:17 protocol.allow in ~/.gitconfig lets an address start a program (ext::)"}},
		"authorities of the checkout": {files{clone: "[http]sslCAInfo=./ca.pem", user: "[http]sslCAPath=cas"}, []string{"GIT_SSL_CAPATH=$DIR/certs", "GIT_SSL_CAINFO=x.pem"}, []string{"warning GIT002  GIT_SSL_CAINFO leads git to a file that the author of the checkout may have written: x.pem", "warning GIT002  GIT_SSL_CAPATH leads git to a file that the author of the checkout may have written: certs", "warning GIT002 $DIR/.git/config:1:17 http.sslcainfo in .git/config leads git to a file that the author of the checkout may have written: ca.pem", "warning GIT002 $HOME/.gitconfig:1:17 http.sslcapath in ~/.gitconfig leads git to a file that the author of the checkout may have written: cas"}},
		"authorities beside it":       {files{clone: "[http]sslCAInfo=../ca.pem"}, []string{"GIT_SSL_CAINFO=/etc/ca.pem"}, nil},
		"an include of the checkout": {files{clone: "[include]path=../.gitconfig", ".gitconfig": "[core]\nsshCommand=curl x\n[filter \"x\"]clean=y\n[credential]helper=store"}, nil, []string{
			"error GIT002 $DIR/.gitconfig:2:12 core.sshcommand in .gitconfig starts what the author of the checkout may have written: ",
			"warning GIT002 $DIR/.git/config:1:15 include.path in .git/config leads git to a file that the author of the checkout may have written: .gitconfig",
			"warning GIT002 $DIR/.gitconfig:3:19 filter.x.clean in .gitconfig starts what the author of the checkout may have written: "}},
		"a home in the checkout": {files{"h/.gitconfig": "[http]proxy=http://a.test:1"}, []string{"HOME=$DIR/h"}, []string{
			"warning GIT002 $DIR/h/.gitconfig git's configuration leads git to a file that the author of the checkout may have written: h/.gitconfig",
			"warning GIT002 $DIR/h/.gitconfig:1:13 http.proxy in h/.gitconfig decides whom git asks on the way"}},
	} {
		d := newDesk(t, tt.files, tt.env...)
		in, e := d.input(t)
		got := d.judged(t, in, e)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if text := fmt.Sprintf("%+v", in); strings.Contains(text, "hunter2") {
			t.Errorf("%s: a secret is told: %s", name, text)
		}
		if len(e.Notes) > 0 {
			t.Errorf("%s: notes %q", name, e.Notes)
		}
		d.RepoOnly = true // a commit hook's answer is that of the repository
		if in, e := d.input(t); in.Git != nil && tt.files[modules] == "" || len(in.Settings) > 0 || len(e.Notes) > 0 {
			t.Errorf("%s: with scope repo: %+v, notes %q", name, in, e.Notes)
		}
	}
}

// A worktree of the same workspace has its configuration beside.
func TestWorktree(t *testing.T) {
	t.Parallel()
	d := newDesk(t, map[string]string{"main/.git/config": "[http]\n\tsslVerify = false\n[extensions]\nworktreeConfig\n", "main/.git/worktrees/w/commondir": "../..\n",
		"main/.git/worktrees/w/config.worktree": "[core]\n\tgitProxy = x\n", "w/.git": "gitdir: ../main/.git/worktrees/w\n"})
	fence := d.dir
	d.dir = filepath.Join(d.dir, "w")
	co := d.open(t, d.dir)
	co.Fence = fence
	e, err := New(d.Machine, co)
	if err != nil {
		t.Fatal(err)
	}
	in := decide.Input{Sources: []decide.Source{}, Entries: []decide.Group{}, Flagged: []decide.Flagged{}, Workflows: []decide.Action{}}
	e.Fill(&in, nil)
	d.dir = fence
	want := []string{"error GIT002 $DIR/main/.git/config:2:14 http.sslverify in .git/config switches TLS verification off in git",
		"warning GIT002 $DIR/main/.git/worktrees/w/config.worktree:2:13 core.gitproxy in .git/config.worktree starts a program by the word of whoever worked in this clone before"}
	if diff := cmp.Diff(want, d.judged(t, in, e)); diff != "" || len(e.Notes) > 0 {
		t.Errorf("-want +got:\n%s\nnotes %q", diff, e.Notes)
	}
}

// What cannot be read is said, and nothing behind a link is.
func TestConfigurationNotRead(t *testing.T) {
	t.Parallel()
	const off = "[http]\n\tsslVerify = false\n"
	chain := map[string]string{".git/config": "[include]path=c1", ".git/c11": off}
	for i := range 10 {
		chain[fmt.Sprintf(".git/c%d", i+1)] = fmt.Sprintf("[include]path=c%d", i+2)
	}
	const unknown = " could not be read, so that git's settings in it are not known: "
	many, junk := map[string]string{".git/config": "", ".git/evil": off}, ""
	for i := range maxFiles {
		many[fmt.Sprintf(".git/j%d", i)] = "[a]\n"
		many[".git/config"] += fmt.Sprintf("[include]\npath = j%d\n", i)
	}
	many[".git/config"] += "[include]\npath = evil\n"
	for i := range maxTold {
		junk += fmt.Sprintf("[safe]\ndirectory = /x%d\n", i)
	}
	for name, tt := range map[string]struct {
		files map[string]string
		play  func(*desk) error
		want  string
		note  string
	}{
		"broken": {map[string]string{".git/config": off + "[hunter2"}, nil, "warning GIT002 $DIR/.git/config .git/config" + unknown + "$DIR/.git/config:3:8: ", ""},
		"a link": {map[string]string{"$OUT/secret": off}, func(d *desk) error { return os.Symlink("../../../secret", filepath.Join(d.dir, ".git/config")) },
			"warning GIT002 $DIR/.git/config .git/config" + unknown + "is reached by a symbolic link", ""},
		"included link": {map[string]string{"$OUT/secret": off, ".git/config": "[include]path=../x"}, func(d *desk) error { return os.Symlink("../../secret", filepath.Join(d.dir, "x")) },
			"warning GIT002 $DIR/x x" + unknown + "is reached by a symbolic link", ""},
		"a linked git directory": {map[string]string{"$OUT/other/config": off}, func(d *desk) error {
			if err := os.Remove(filepath.Join(d.dir, ".git")); err != nil {
				return err
			}
			return os.Symlink("../../other", filepath.Join(d.dir, ".git"))
		}, "warning GIT002 $DIR/.git/config .git" + unknown + "is reached by a symbolic link to elsewhere", ""},
		"worktree": {map[string]string{"$OUT/main/.git/worktrees/w/config": off}, func(d *desk) error {
			if err := os.Remove(filepath.Join(d.dir, ".git")); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(d.dir, ".git"), []byte("gitdir: ../../main/.git/worktrees/w\n"), 0o600)
		}, "", "git's configuration of this clone is not judged: it is a worktree or a submodule, and its git directory lies elsewhere"},
		"shared": {map[string]string{".git/commondir": "../../../main/.git\n", "$OUT/main/.git/config": off}, nil, "",
			"git's configuration of this clone is not judged: it shares its git directory with one that lies elsewhere"},
		"a linked directory": {map[string]string{"real/x": off, ".git/config": "[include]path=../linked/x"}, func(d *desk) error { return os.Symlink("real", filepath.Join(d.dir, "linked")) },
			"warning GIT002 $DIR/linked/x linked/x" + unknown + "is reached by a symbolic link", ""},
		"deep":          {chain, nil, "warning GIT002 $DIR/.git/c11 .git/c11" + unknown + "lies deeper than git follows includes", ""},
		"in circles":    {map[string]string{".git/config": "[include]path=config"}, nil, "warning GIT002 $DIR/.git/config .git/config" + unknown + "lies deeper than git follows includes", ""},
		"many files":    {many, nil, "error GIT002 $DIR/.git/evil .git/evil" + unknown + "is one of more than 200 files", ""},
		"many settings": {map[string]string{".git/config": junk + off}, nil, "error GIT002 $DIR/.git/config .git/config" + unknown + "holds the last of more than 2000 settings", ""},
		"too large":     {map[string]string{".git/config": off + strings.Repeat("#", maxConfigFile)}, nil, "error GIT002 $DIR/.git/config .git/config" + unknown + "it has more than 4096 KiB", ""},
		"the user's":    {map[string]string{"~/.gitconfig": "[hunter2"}, nil, "", "~/.gitconfig" + unknown},
	} {
		d := newDesk(t, tt.files)
		if tt.play != nil {
			if err := tt.play(d); err != nil {
				t.Fatal(err)
			}
		}
		in, e := d.input(t)
		got := d.judged(t, in, e)
		got = slices.DeleteFunc(got, func(line string) bool {
			return strings.Contains(line, "include.path") || strings.HasPrefix(line, "error GIT002 $DIR/.git/j")
		})
		said, notes := strings.Join(got, "\n"), strings.Join(e.Notes, "\n")
		said = strings.ReplaceAll(said, d.dir, "$DIR")
		if len(got)+len(e.Notes) != 1 || !strings.HasPrefix(said, tt.want) || !strings.HasPrefix(notes, tt.note) || strings.Contains(said+notes, "hunter2") {
			t.Errorf("%s: %q, notes %q", name, said, notes)
		}
	}
}

// git itself reads the same files in the same order, with the same includes.
func TestConfigurationAsGit(t *testing.T) {
	t.Parallel()
	d := newDesk(t, map[string]string{
		"~/.gitconfig": "[a]\nb=user\n[includeIf \"gitdir:~/../jobs/\"]\npath=never\n[includeIf \"gitdir:$OUT/jobs/\"]\npath=inc/one\n[includeIf \"onbranch:fea*/**\"]path=inc/two\n" +
			"[includeIf \"hasconfig:remote.*.url:https://a.test/**\"]path=inc/three\n[includeIf \"gitdir:./jobs/\"]path=never\n[includeIf \"gitdir:repo/\"]path=inc/four\n[includeIf \"gitdir/i:**/RE[oP]?\"]path=never\n[includeIf \"gitdir/i:**/RE[!oq]?/.GIT\"]path=inc/five\n" +
			"[includeIf \"gitdir:**/[[:alpha:]]epo/.git\"]path=inc/six\n[includeIf \"gitdir:**/re[]m-q[:]o/.git\"]path=inc/seven\n[includeIf \"gitdir:**/repo[!x].git\"]path=never\n" +
			"[includeIf \"gitdir:**/[[:nope:]]epo/.git\"]path=never\n[includeIf \"gitdir:**/[^[:digit:]]epo[.-0].git\"]path=never\n[includeIf \"gitdir:**/[\\\\r]epo/.git\"]path=inc/eight\n" +
			"[include]path=inc/remotes\n[includeIf \"hasconfig:remote.*.url:https://inc.test/**\"]path=inc/nine\n",
		"~/never":              "[a]\nb=never\n",
		"~/inc/one":            "[a]\nb=one\n[include]path=two\n",
		"~/inc/two":            "[a]\nb=two\n",
		"~/inc/three":          "[a]\nb=three\n",
		"~/inc/four":           "[a]\nb=four\n",
		"~/inc/five":           "[a]\nb=five\n",
		"~/inc/six":            "[a]\nb=six\n",
		"~/inc/seven":          "[a]\nb=seven\n",
		"~/inc/eight":          "[a]\nb=eight\n",
		"~/inc/nine":           "[a]\nb=nine\n",
		"~/inc/remotes":        "[remote \"i\"]\nurl=https://inc.test/x\n",
		"~/xdg/git/config":     "[a]\nb=xdg\n[include]path=~/inc/two\n",
		".git/config.worktree": "[a]\nb=worktree\n",
	}, "XDG_CONFIG_HOME=$HOME/xdg", "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=A.b", "GIT_CONFIG_VALUE_0=count", "GIT_CONFIG_KEY_1=url.https://X.test/.insteadOf", "GIT_CONFIG_VALUE_1=y",
		"GIT_CONFIG_PARAMETERS='a.b'='it'\\''s' 'c.D.e=f=g'  'h.i'")
	if err := os.RemoveAll(filepath.Join(d.dir, ".git/config")); err != nil {
		t.Fatal(err)
	}
	gitIn(t, d.dir, "", "init", "-q")
	gitIn(t, d.dir, "", "symbolic-ref", "HEAD", "refs/heads/feature/x")
	gitIn(t, d.dir, "", "config", "--local", "remote.origin.url", "https://a.test/b/c")
	gitIn(t, d.dir, "", "config", "--local", "extensions.worktreeConfig", "true")
	cmd := exec.Command("git", "config", "--list", "--includes", "-z")
	cmd.Dir, cmd.Env = d.dir, environ(d.env...)
	want, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	co := d.open(t, d.dir)
	c := readConfiguration(d.Machine, co, repository(co))
	var found []variable
	for _, s := range c.settings {
		found = append(found, s.variable)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\x00"), strings.Split(ours(found), "\x00")); diff != "" || len(c.notes) > 0 {
		t.Errorf("-git +we:\n%s\nnotes %q", diff, c.notes)
	}
	if n := strings.Count(string(want), "a.b\n"); n < 16 || strings.Contains(string(want), "a.b\nnever") {
		t.Errorf("git follows other includes than this test is about:\n%q", want)
	}
}

// The system's file is where git looks for it.
func TestMachineFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t, map[string]string{"$OUT/opt/bin/git": "#!/bin/sh\n"})
	exe := filepath.Join(filepath.Dir(d.home), "opt/bin/git")
	if err := os.Chmod(exe, 0o755); err != nil {
		t.Fatal(err)
	}
	user := []string{"~/.config/git/config", "~/.gitconfig"}
	for name, tt := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"beside git": {map[string]string{"PATH": filepath.Dir(exe)}, append([]string{"$OUT/opt/etc/gitconfig"}, user...)},
		"no git":     {map[string]string{"PATH": "/nowhere"}, user},
		"named":      {map[string]string{"GIT_CONFIG_SYSTEM": "/x/s", "GIT_CONFIG_GLOBAL": "/x/g", "GIT_CONFIG_NOSYSTEM": "false"}, []string{"/x/s", "/x/g"}},
		"none":       {map[string]string{"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": ""}, nil},
		"xdg":        {map[string]string{"PATH": "", "XDG_CONFIG_HOME": "/x"}, []string{"/x/git/config", "~/.gitconfig"}},
	} {
		env := map[string]string{"HOME": d.home}
		maps.Copy(env, tt.env)
		c := configuration{m: ecosystem.Machine{OS: "linux", Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}, co: d.open(t, d.dir)}
		var got []string
		for _, file := range c.machineFiles() {
			got = append(got, strings.NewReplacer(d.home, "~", filepath.Dir(d.home), "$OUT").Replace(file))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func FuzzSubmodules(f *testing.F) {
	for _, url := range []string{"https://a.test/", "git@a.test:b", "../x", "ext::x", "-x", "[::1]:x", "ssh://u:p@h:1/", "C:\\x", "a\x00:b"} {
		f.Add("[submodule \"a\"]\nurl = " + url)
	}
	f.Fuzz(func(t *testing.T, text string) {
		subs, err := submodules(lockfile.File{Path: modules, Data: []byte(text)})
		if err != nil && problem.CodeOf(err) != problem.Usage {
			t.Errorf("%q: %v", text, err)
		}
		for _, s := range subs {
			if s.Line < 1 || s.Column < 1 || s.Key == "" || s.Kind == "" || strings.ContainsAny(s.Name+s.Path+s.Fault+s.URL, "\n\x1b") {
				t.Errorf("%q: %+v", text, s)
			}
		}
	})
}

func FuzzCommand(f *testing.F) {
	f.Add("ssh -i 'x y' \"$HOME\"", "~/x/**", "'a.b'='c'")
	f.Add("\"a b\"", "[!a-]*?\\", "'")
	f.Fuzz(func(t *testing.T, command, pattern, parameters string) {
		if n := len(words(command)); n > maxWords {
			t.Errorf("%q: %d words", command, n)
		}
		program(command)
		glob(pattern, true).MatchString(command)
		toolfile.GitParameters(parameters)
		prefix(command)
	})
}
