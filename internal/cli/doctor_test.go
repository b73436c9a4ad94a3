package cli_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

// doctor runs it over JSON.
func (s *stage) doctor(args ...string) (e ended, r struct {
	Healthy bool
	Chains  []struct {
		Subject string
		OK      bool
		Steps   []struct{ Name, Status, Tried, Saw string }
	}
	Diagnoses []struct {
		Cause, Why, Fix, Command, Who string
		Subjects, Evidence            []string
	}
	Detect struct {
		Class  string
		Traits []struct {
			Name   string
			Answer *bool
		}
		ProxyChecks []struct{ URL string } `json:"proxy_checks"`
	}
}) {
	s.t.Helper()
	e = s.run(append([]string{"doctor", "--directory", s.dir, "--format", "json"}, args...)...)
	if err := json.Unmarshal([]byte(e.stdout), &r); err != nil {
		s.t.Fatalf("%v\n%s\n%s", err, e.stdout, e.stderr)
	}
	return e, r
}

// What a person with a bad day asks, and what is played.
func TestDoctor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		play     func(s *stage)
		args     []string
		code     int
		broken   string // link of the first chain that is broken
		cause    string
		who      string
		evidence string // of fix, command and evidence
	}{
		"healthy": {func(*stage) {}, nil, 0, "", "", "", ""},
		"dead":    {func(s *stage) { s.world.Refuse("official.test") }, nil, 3, "connect", "connect-refused", "network-team", "setup"},
		"named":   {func(s *stage) { s.env["GOPROXY"] = "https://gone.test,direct" }, nil, 3, "name", "dns-unknown-name", "developer", "correct the address (GOPROXY in the environment)"},
		"silent":  {func(s *stage) { s.world.Silent("official.test") }, nil, 3, "tls", "", "", ""},
		"captive": {func(s *stage) {
			for _, h := range []string{"official.test", "npm.official.test", "goproxy.cn", "registry.npmmirror.com"} {
				s.world.Serve(h, upstreamtest.CaptivePortal())
			}
		}, nil, 3, "content", "captive-portal", "network-team", "log in"},
		"proxy with a wrong password": {func(s *stage) {
			s.world.Fence(false)
			p := s.world.ForwardProxy(s.t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "hush"})
			s.env["HTTPS_PROXY"] = strings.Replace(p.URL(), "hush", "wr0ng", 1)
		}, nil, 3, "proxy", "proxy-credentials", "developer", "407"},
		"proxy that cannot be read": {func(s *stage) { s.env["HTTPS_PROXY"] = "http://ci:pa/ss@h:1" }, nil, 3, "settings", "proxy-setting", "runner-admin", "HTTPS_PROXY is no address of a proxy"},
		"a proxy that git knows": {func(s *stage) {
			s.world.Fence(false)
			p := s.world.ForwardProxy(s.t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "hush"})
			s.write(filepath.Join(s.home, ".gitconfig"), "[http]\n\tproxy = "+p.URL()+"\n")
		}, nil, 3, "name", "dns-unknown-name", "developer", "~/.gitconfig:2 names"},
		"unavailable":                  {func(s *stage) { s.world.Serve("official.test", upstreamtest.Status(503)) }, nil, 3, "content", "source-down", "source-operator", "503"},
		"an address":                   {func(*stage) {}, []string{"https://official.test/github.com/google/uuid/@v/list"}, 0, "", "", "", ""},
		"an address that is not there": {func(*stage) {}, []string{"https://ci:hush@nowhere.test/x?token=hush2"}, 3, "name", "dns-unknown-name", "developer", "nowhere.test"},
		"a module":                     {func(*stage) {}, []string{"github.com/google/uuid@v1.6.0"}, 0, "", "", "", ""},
		"a proxy that nobody needs":    {func(s *stage) { s.env["HTTPS_PROXY"] = "http://127.0.0.1:1" }, nil, 3, "connect", "proxy-dead", "developer", "unset HTTPS_PROXY https_proxy"},
		"a registry of the environment": {func(s *stage) {
			s.write(filepath.Join(s.dir, "package.json"), "{}")
			s.env["npm_config_registry"] = "https://gone.test"
		}, nil, 3, "name", "dns-unknown-name", "developer", "(registry in npm_config_registry)"},
		"a version that is not there":  {func(*stage) {}, []string{"github.com/google/uuid@v9.9.9"}, 3, "content", "source-lacks", "developer", "github.com/google/uuid@v9.9.9"},
		"a module with another go.mod": {func(s *stage) { s.world.Serve("official.test", upstreamtest.Tamper(s.proxy)) }, []string{"github.com/google/uuid@v1.6.0"}, 3, "content", "content-rewritten", "source-operator", "another go.mod"},
		"a private module":             {func(s *stage) { s.env["GOPRIVATE"] = "corp.test" }, []string{"corp.test/x@v1.0.0"}, 0, "", "", "", ""},
		"a package":                    {func(*stage) {}, []string{"is-number@7.0.0"}, 0, "", "", "", ""},
		"a package that is not there":  {func(*stage) {}, []string{"no-such-thing@1.0.0"}, 3, "content", "source-lacks", "developer", "no-such-thing@1.0.0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tt.play(s)
			e, r := s.doctor(tt.args...)
			if e.code != tt.code || r.Healthy != (tt.code == 0) || r.Healthy != (len(r.Diagnoses) == 0) || len(r.Chains) == 0 {
				t.Fatalf("exit %d, want %d\n%s%s", e.code, tt.code, e.stdout, e.stderr)
			}
			broken := ""
			for _, c := range r.Chains {
				for _, st := range c.Steps {
					if st.Status == "failed" && broken == "" {
						broken = st.Name
					}
				}
			}
			if tt.broken != "tls" && broken != tt.broken {
				t.Errorf("broken at %q, want %q", broken, tt.broken)
			}
			for _, leak := range []string{"hush", "wr0ng", "pa/ss"} {
				if strings.Contains(e.stdout+e.stderr, leak) {
					t.Errorf("%s is shown:\n%s", leak, e.stdout)
				}
			}
			if r.Healthy {
				return
			}
			d := r.Diagnoses[0]
			all := strings.Join(append([]string{d.Why, d.Fix, d.Command}, d.Evidence...), "\n")
			if tt.cause != "" && (d.Cause != tt.cause || d.Who != tt.who) || !strings.Contains(all, tt.evidence) {
				t.Errorf("%s for %s: %q; want %s for %s with %q", d.Cause, d.Who, all, tt.cause, tt.who, tt.evidence)
			}
			text := s.run(append([]string{"doctor", "--directory", s.dir}, tt.args...)...)
			if text.code != tt.code || !strings.Contains(text.stdout, "Most likely: ") || !strings.Contains(text.stdout, "fix: ") {
				t.Errorf("exit %d\n%s", text.code, text.stdout)
			}
		})
	}
}

// The one thing that is named is verified by the log where that can be, and is not called verified where it cannot; and
// nothing is said of files that no doctor judges.
func TestDoctorAboutOneThing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.write(filepath.Join(s.dir, "testdata", "go.mod"), "module x\n")
	for thing, want := range map[string][]string{
		"github.com/google/uuid@v1.6.0":                        {"content     ok            github.com/google/uuid@v1.6.0: verified", "log         ok            the checksum database: relayed by official"},
		"https://official.test/github.com/google/uuid/@v/list": {"content     ok            any answer that is no refusal: it came; nothing here says whether it is what was published"},
	} {
		e := s.run("doctor", "--directory", s.dir, thing)
		e.want(t, 0, want, nil)
		if strings.Contains(e.stdout+e.stderr, "not judged") {
			t.Errorf("%s", e.stdout)
		}
	}
}

// What policy does not let anybody ask is told: else a network would look offline that nobody has looked at.
func TestDetectTellsWhatItDidNotAsk(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.write(filepath.Join(s.dir, ".goproxy", "config.yaml"), "trusted: {go: [corp.test]}\n")
	s.run("detect", s.dir).want(t, 0, []string{"official for go: the policies do not accept it by its name"}, nil)
}

// A private name is told to nobody, and what may be one to none of everybody's.
func TestDoctorKeepsPrivateNames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		play        func(s *stage)
		thing, said string
	}{
		"GOPRIVATE":              {func(s *stage) { s.env["GOPRIVATE"] = "corp.test" }, "corp.test/secret@v1.0.0", "it is private"},
		"GOPRIVATE with a space": {func(s *stage) { s.env["GOPRIVATE"] = "other.test, corp.test" }, "corp.test/secret@v1.0.0", "it is private"},
		"the owner's":            {func(s *stage) { s.file("go.mod", "module github.com/corp/app\n\ngo 1.26\n"); s.file("go.sum", "") }, "github.com/corp/secret@v1.0.0", "may be private"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tt.play(s)
			s.run("doctor", "--directory", s.dir, tt.thing).want(t, 0, []string{tt.said}, nil)
			for _, h := range s.world.Hosts() {
				if slices.ContainsFunc(s.world.Requests(h), func(r string) bool { return strings.Contains(r, "secret") }) || strings.Contains(h, "corp.test") {
					t.Errorf("%s was told", h)
				}
			}
			if slices.ContainsFunc(s.world.Resolved(), func(n string) bool { return strings.Contains(n, "corp") }) {
				t.Errorf("resolved %q", s.world.Resolved())
			}
		})
	}
	// a proxy of one's own is asked
	s := newStage(t)
	s.world.Serve("athens.test", s.proxy)
	s.env["GOPROXY"] = "https://athens.test"
	s.file("go.mod", "module github.com/google/app\n\ngo 1.26\n")
	s.file("go.sum", "")
	s.run("doctor", "--directory", s.dir, "github.com/google/uuid@v1.6.0").want(t, 0, []string{"github.com/google/uuid@v1.6.0 at athens.test"}, nil)
	got := s.world.Requests("athens.test")
	if !slices.Contains(got, "GET /github.com/google/uuid/@v/v1.6.0.zip") {
		t.Errorf("asked %q", got)
	}
}

// A registry that the checkout names is told nothing, the name of a package least of all.
func TestDoctorAsksNobodyTheCheckoutNames(t *testing.T) {
	t.Parallel()
	for _, thing := range []string{"left-pad@1.3.0", ""} {
		s := newStage(t)
		s.world.Serve("evil.test", upstreamtest.NewRegistry(t))
		s.file("package.json", `{"name":"x"}`)
		s.file(".npmrc", "registry=https://evil.test/\nhttps-proxy=http://evil.test:3128\n")
		s.file(".gitconfig", "[http]\n\tproxy = http://evil.test:3128\n")
		e, r := s.doctor(strings.Fields(thing)...)
		if len(s.world.Requests("evil.test")) != 0 || slices.Contains(s.world.Resolved(), "evil.test") {
			t.Errorf("%q: asked %q", thing, s.world.Requests("evil.test"))
		}
		if e.code != 3 || len(r.Diagnoses) == 0 || !strings.Contains(r.Diagnoses[0].Why, "a file of the checkout names it") {
			t.Errorf("%q: exit %d, %+v", thing, e.code, r.Diagnoses)
		}
	}
}

// A home that is a link to the checkout is the checkout's.
func TestDoctorWithTheCheckoutAsHome(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file(".npmrc", "fund=false\n")
	s.file(".netrc", "machine official.test login ci password hush\n")
	s.env["HOME"] = filepath.Join(s.home, "link")
	if err := os.Symlink(s.dir, s.env["HOME"]); err != nil {
		t.Fatal(err)
	}
	s.run("doctor", "--directory", s.dir).want(t, 0, []string{"no settings in it are read", ".netrc is not read"}, nil)
}

func TestDoctorMistakes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for arg, want := range map[string]string{"left-pad": "neither an address nor", "ftp://h/x": "no http or https address", "github.com/google/uuid@latest!": "no version",
		"a.test/b@1.0": "no version", "@x@1.0.0": "no name", "UPPER CASE@1.0.0": "no name", "x@": "neither"} {
		e := s.run("doctor", "--directory", s.dir, arg)
		e.want(t, 2, nil, []string{want, "fix: "})
	}
	if got := s.world.Hosts(); len(got) != 0 {
		t.Errorf("asked %q", got)
	}
}

// The file for whoever can help has all, and no secret.
func TestDoctorBundle(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	p := s.world.ForwardProxy(t, upstreamtest.ForwardProxyOptions{User: "ci", Password: "s3cret/x"})
	s.env["HTTPS_PROXY"], s.env["ACTIONS_RUNTIME_TOKEN"], s.env["RUNNER_TOKEN"] = p.URL(), "t0ken", "t0ken2"
	s.env["GOPROXY"] = "https://user:hush@private.test|https://official.test,direct"
	s.env["https_proxy"], s.env["ALL_PROXY"], s.env["NO_PROXY"] = "http://ci:hu,sh|hush@127.0.0.1:1", "ci:hush@127.0.0.1:1", "127.0.0.1,hush@x"
	s.env["GOFLAGS"] = "-mod=mod '-ldflags=-X a.b=hush -X=c.d=hush' -toolexec=/bin/t,-phush -trimpath"
	for _, name := range []string{"HTTPS_PROXY_PASSWORD", "http_proxy_user", "GOPROXY_KEY", "RUNNER_PASSWORD", "RUNNER_PAT", "PIP_PROXY_PASSWORD", "npm_config_registry__password",
		"SSL_CERT_PASSWORD", "GIT_SSL_CERT_PASS", "NODE_USE_KEY", "GITHUB_ACTIONS_KEY", "GITLAB_CI_KEY", "CURL_CA_BUNDLE_KEY"} {
		s.env[name] = "hush"
	}
	file := filepath.Join(t.TempDir(), "support.tar.gz")
	e := s.run("doctor", "--directory", s.dir, "--bundle", file)
	if e.code != 3 || !strings.Contains(e.stdout, "holds the report for whoever can help") {
		t.Errorf("exit %d\n%s%s", e.code, e.stdout, e.stderr)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(data)
	}
	for name, want := range map[string]string{"goproxy-action/about.txt": "goproxy-action test, linux/", "goproxy-action/report.txt": "Most likely", "goproxy-action/report.json": `"diagnoses": [`,
		"goproxy-action/environment.txt": "HTTPS_PROXY=http://***@127.0.0.1:"} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s lacks %q:\n%s", name, want, files[name])
		}
	}
	for _, want := range []string{"GOFLAGS=-mod=mod *** -trimpath\n", "https_proxy=http://***@127.0.0.1:1\n", "ALL_PROXY=***@127.0.0.1:1\n", "GOPROXY=https://***@private.test,https://official.test,direct\n"} {
		if !strings.Contains(files["goproxy-action/environment.txt"], want) {
			t.Errorf("no %q:\n%s", want, files["goproxy-action/environment.txt"])
		}
	}
	for name, data := range files {
		for _, secret := range []string{"s3cret", "hush", "t0ken", "hu,sh"} {
			if strings.Contains(data, secret) {
				t.Errorf("%s holds %s:\n%s", name, secret, data)
			}
		}
	}
	s.run("doctor", "--directory", s.dir, "--bundle", t.TempDir()).want(t, 2, []string{"--bundle", "it is a directory"}, nil)
}

// The CI system's own hosts are asked as well.
func TestDoctorInCI(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["GITLAB_CI"], s.env["CI_JOB_ID"], s.env["CI_PROJECT_DIR"], s.env["CI_SERVER_URL"], s.env["CI_API_V4_URL"] = "true", "1", s.dir, "https://git.test", "https://git.test/api/v4"
	e, r := s.doctor()
	if last := r.Chains[len(r.Chains)-1]; e.code != 3 || last.Subject != "ci: server" || last.OK || r.Diagnoses[0].Cause != "dns-unknown-name" {
		t.Errorf("exit %d, %+v", e.code, r)
	}
	s.world.Serve("git.test", upstreamtest.Status(404))
	if e, r := s.doctor(); e.code != 0 {
		t.Errorf("exit %d, %+v", e.code, r)
	}
	if got := s.world.Requests("git.test"); !slices.Equal(got, []string{"GET /"}) {
		t.Errorf("asked %q", got)
	}
}
