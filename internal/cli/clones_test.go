package cli_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

// In every kind of clone that a CI system makes, a change is judged by the policy, the waivers and the mode of the commit
// it is measured against, whatever it makes of its own. What it tries is of use elsewhere: without a change it counts.
func TestBaseRefInClones(t *testing.T) {
	t.Parallel()
	const strict = "package corp\n\ndeny contains {\"msg\": \"is replaced\", \"id\": \"CORP001\", \"subject\": r.module} if some r in input.go.replaces\n"
	attempts := map[string]func(s *stage, config string){
		"waives itself": func(s *stage, _ string) {
			own := strings.TrimPrefix(strings.ReplaceAll(waivers(inDays(9), "CORP001"), "file: '**/package-lock.json'", "subject: '**'"), "waivers:\n")
			s.file(".goproxy/waivers.yaml", waivers(inDays(9), "LCK001", "LCK002", "LCK003", "LCK004")+own)
		},
		"mode audit": func(s *stage, config string) {
			s.file(".goproxy/config.yaml", strings.Replace(config, "mode: enforce", "mode: audit", 1))
		},
		"replaces the policy": func(s *stage, config string) {
			s.file(".goproxy/policy/corp.rego", strings.Replace(strict, "in input.go.replaces", "in []", 1))
			s.file(".goproxy/config.yaml", config+"severity: {LCK001: off, LCK002: off, LCK003: off, LCK004: off}\n")
		},
	}
	for attempt, try := range attempts {
		t.Run(attempt, func(t *testing.T) {
			t.Parallel()
			s := newRepository(t)
			text, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			config := string(text) + "mode: enforce\n"
			s.file(".goproxy/config.yaml", config)
			s.file(".goproxy/policy/corp.rego", strict)
			base := s.commit()
			s.git("branch", "base")
			s.git("checkout", "-q", "-b", "topic")
			s.replaced()
			s.file("package-lock.json", poisoned)
			try(s, config)
			head := s.commit()
			origin, tmp := s.dir, t.TempDir()
			plain := s.env
			full, shallow := filepath.Join(tmp, "full"), filepath.Join(tmp, "shallow")
			s.git("clone", "-q", "--branch=topic", "file://"+origin, full)
			s.git("clone", "-q", "--branch=topic", "--depth=1", "file://"+origin, shallow)

			s.dir = full
			s.run("check", "--offline", "DIR").want(t, 0, nil, nil) // at home it is the author's affair

			api := upstreamtest.NewGitHubAPI(t)
			api.Head = head
			s.world.Serve("api.github.com", api)
			s.dir = shallow
			host := func(play func()) {
				s.env = maps.Clone(plain)
				play()
			}
			// nobody has the base commit: nothing is decided
			host(func() { s.pullRequest(base, head) })
			s.run("check", "DIR").want(t, 2, nil, []string{"that could not be read"})
			host(func() { s.mergeRequest(base) })
			s.run("check", "DIR").want(t, 2, nil, []string{"that could not be read"})
			for f := range strings.FieldsSeq(s.git("-C", origin, "ls-tree", "-r", "--name-only", base)) {
				api.SetFile(base, f, s.git("-C", origin, "show", base+":"+f)+"\n")
			}
			api.SetChanged(7, strings.Fields(s.git("-C", origin, "diff", "--name-only", base, head))...)
			for _, dir := range []string{full, shallow} {
				s.dir = dir
				for name, play := range map[string]func(){
					"pull request": func() { s.pullRequest(base, head) },
					"merge request": func() {
						s.mergeRequest(base)
						s.env["CI_REPOSITORY_URL"] = "file://" + origin
					},
				} {
					before := len(api.Requests())
					host(play)
					e := s.run("check", "DIR")
					if e.want(t, 1, []string{"denied: ", "error CORP001", "error LCK002", "error LCK003"}, nil); strings.Contains(e.stdout, "waived ") {
						t.Errorf("%s: something is waived:\n%s", name, e.stdout)
					}
					if t.Failed() {
						t.Fatalf("%s, %s", name, filepath.Base(dir))
					}
					if asked := len(api.Requests()) > before; asked != (dir == shallow && name == "pull request") {
						t.Errorf("%s, %s: GitHub was asked: %t", name, filepath.Base(dir), asked)
					}
				}
			}
		})
	}
}

// A change that puts a submodule in the place of the directory that is checked does not come by another policy, not even
// where the submodule brings the base commit along.
func TestSubmoduleInPlaceOfTheCheckout(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	root := s.dir
	s.file("svc/go.mod", "module example.test/svc\n\ngo 1.26\n")
	s.file("svc/.goproxy/policy/corp.rego", "package corp\n\ndeny contains {\"msg\": \"of the base commit\", \"id\": \"CORP001\"}\n")
	base := s.commit()
	sub := t.TempDir()
	s.git("-C", sub, "init", "-q")
	s.write(filepath.Join(sub, "go.mod"), "module example.test/svc\n\ngo 1.26\n")
	s.git("-C", sub, "add", "-A")
	s.git("-C", sub, "commit", "-q", "-m", "x")
	s.git("rm", "-rq", "svc")
	s.git("submodule", "--quiet", "add", "file://"+sub, "svc")
	s.git("-C", filepath.Join(root, "svc"), "fetch", "-q", "file://"+root, base)
	head := s.commit()
	for name, play := range map[string]func(){
		"pull request":  func() { s.pullRequest(base, head) },
		"merge request": func() { s.mergeRequest(base) },
	} {
		s.dir = root
		play()
		s.dir = filepath.Join(root, "svc")
		if e := s.run("check", "--offline", "DIR"); e.code != 1 || !strings.Contains(e.stdout, "error CORP001 of the base commit") {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
