package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

const noGit = `package corp

# METADATA
# title: No replaced modules
# custom:
#   id: CORP001
#   fix: drop the directive
deny contains {"msg": "is replaced", "subject": r.module, "_loc": object.filter(r, ["file", "line", "column"])} if {
	some r in input.go.replaces
	not r.module in data.corp.allowed
}
`

func (s *stage) replaced() {
	s.t.Helper()
	s.file("go.mod", "module example.test/app\n\ngo 1.26\n\nrequire github.com/google/uuid v1.6.0\n\nreplace github.com/google/uuid => ./uuid\n")
	s.file("uuid/go.mod", "module github.com/google/uuid\n")
}

// A policy of the user's counts beside the default rules, in check and in setup, from each place that can be named.
func TestPolicies(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.replaced()
	s.run("check", "--offline", "DIR").want(t, 0, nil, nil)
	s.file(".goproxy/policy/corp.rego", noGit)
	s.file(".goproxy/policy/corp/data.yaml", "allowed: []\n")
	want := []string{"error CORP001 go.mod:7:1 github.com/google/uuid: is replaced", "fix: drop the directive"}
	s.run("check", "--offline", "DIR").want(t, 1, want, nil)
	s.run("setup", "--probe", "none", "DIR").want(t, 1, nil, want)

	// tuned like any other, and said
	config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.file(".goproxy/config.yaml", string(config)+"severity: {CORP001: note}\n")
	s.run("check", "--offline", "--format", "json", "DIR").want(t, 0, []string{`"id": "CORP001"`, "CORP001 is note instead of error"}, nil)

	// named in the configuration, and nothing else is taken then
	s.file(".goproxy/config.yaml", string(config)+"policies: []\n")
	s.run("check", "--offline", "DIR").want(t, 0, nil, nil)
	s.run("check", "--offline", "--policy", ".goproxy/policy", "DIR").want(t, 1, want, nil)
	s.file(".goproxy/config.yaml", string(config)+"policies: [.goproxy/policy/corp.rego, .goproxy/policy]\n")
	s.run("check", "--offline", "--policy", filepath.Join(s.dir, ".goproxy/policy"), "DIR").want(t, 1, want, nil) // named thrice
	s.file(".goproxy/config.yaml", string(config)+"policies: []\n")
	outside := filepath.Join(t.TempDir(), "all.rego")
	s.write(outside, "package all\n\nwarn contains \"from the machine\" if true\n")
	s.run("check", "--offline", "--policy", outside, "DIR").want(t, 0, []string{"warning all.warn", "from the machine"}, nil)
	s.file(".goproxy/config.yaml", string(config)+"policies: [ci/none]\n")
	s.run("check", "--offline", "DIR").want(t, 2, nil, []string{"ci/none is not there in the checkout"})

	// what cannot be read or understood is never passed over
	s.file(".goproxy/config.yaml", string(config))
	for text, want := range map[string]string{
		strings.Replace(noGit, "r.module in", "r.modul in", 1):      ".goproxy/policy/corp.rego:10:6: undefined ref: r.modul",
		strings.Replace(noGit, "data.corp.allowed", "data.crop", 1): "data.crop is undefined",
		"package corp\n": "no policy has a set named deny",
		strings.Replace(noGit, "corp\n", "goproxy.src\n", 1): "corp.rego:1:1: package goproxy is kept",
	} {
		s.file(".goproxy/policy/corp.rego", text)
		s.run("check", "--offline", "DIR").want(t, 2, nil, []string{want})
	}
	// but what measures goes on
	s.run("detect", "DIR").want(t, 0, []string{"the policies were left out"}, nil)

	// nothing is read through a link
	if err := os.Remove(filepath.Join(s.dir, ".goproxy/policy/corp.rego")); err != nil {
		t.Fatal(err)
	}
	s.file("secret", "hush, all")
	if err := os.Symlink("../../secret", filepath.Join(s.dir, ".goproxy/policy/corp.rego")); err != nil {
		t.Fatal(err)
	}
	e := s.run("check", "--offline", "DIR")
	e.want(t, 2, nil, []string{"reached by a symbolic link"})
	if strings.Contains(e.stderr, "hush") {
		t.Error("a file behind a link is quoted")
	}
}

// A pull request is judged by the policies of its base, whatever it makes of them.
func TestPullRequestCannotReplaceThePolicy(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	s.file(".goproxy/policy/corp.rego", noGit)
	s.file(".goproxy/policy/corp/data.yaml", "allowed: []\n")
	base := s.commit()
	for name, change := range map[string]func(){
		"removed": func() { s.git("rm", "-rq", ".goproxy/policy") },
		"emptied": func() {
			s.file(".goproxy/policy/corp.rego", strings.Replace(noGit, "some r in", "false; some r in", 1))
		},
		"excepted":   func() { s.file(".goproxy/policy/x.rego", "package corp\n\nexception contains [\"\", \"deny\"]\n") },
		"allowed":    func() { s.file(".goproxy/policy/corp/data.yaml", "allowed: [github.com/google/uuid]\n") },
		"unnamed":    func() { s.file(".goproxy/config.yaml", "policies: []\n") },
		"broken":     func() { s.file(".goproxy/policy/corp.rego", "package corp\n{") },
		"tuned down": func() { s.file(".goproxy/config.yaml", "severity: {CORP001: off}\n") },
	} {
		s.replaced()
		change()
		s.pullRequest(base, s.commit())
		e := s.run("check", "--format", "json", "DIR")
		if e.code != 1 || !strings.Contains(e.stdout, `"id": "CORP001"`) {
			t.Errorf("%s: %+v", name, e)
		}
		if !strings.Contains(e.stdout, "the policies that count are those of the base commit") {
			t.Errorf("%s: it is not said which policies count: %s", name, e.stdout)
		}
		s.git("checkout", "-q", base, "--", ".")
	}

	// a first policy counts once it is merged, and its severity stands in nobody's way
	bare := newRepository(t)
	first := bare.commit()
	bare.replaced()
	bare.file(".goproxy/policy/corp.rego", strings.Replace(noGit, "data.corp.allowed", "[]", 1))
	config, err := os.ReadFile(filepath.Join(bare.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	bare.file(".goproxy/config.yaml", string(config)+"severity: {CORP001: error}\n")
	bare.pullRequest(first, bare.commit())
	bare.run("check", "--format", "json", "DIR").want(t, 0, []string{"does not count yet: the base commit has no policies"}, nil)
}

// Where the checkout lacks the base commit, GitHub is asked for its policies.
func TestPoliciesFromGitHub(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	api := upstreamtest.NewGitHubAPI(t)
	s.world.Serve("api.github.com", api)
	const base, head = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{".goproxy/config.yaml": string(config), ".goproxy/policy/corp.rego": noGit, ".goproxy/policy/corp/data.yaml": "allowed: []\n"} {
		api.SetFile(base, name, text)
	}
	api.Head = head
	api.SetChanged(7, "go.mod")
	s.pullRequest(base, head)
	s.replaced()
	s.run("check", "DIR").want(t, 1, []string{"CORP001"}, nil)
}

// The examples of testdata/policy do what they are there for.
func TestPolicyExamples(t *testing.T) {
	t.Parallel()
	const corp, conftest = "../../testdata/policy/corp", "../../testdata/policy/conftest"
	s := newStage(t)
	s.run("policy", "test", "--coverage=100", corp).want(t, 0, []string{"4 passed, 0 failed", "coverage 100.0 %"}, nil)
	s.run("policy", "test", "--raw", conftest).want(t, 0, []string{"2 passed, 0 failed"}, nil)
	s.run("policy", "test", conftest).want(t, 2, nil, []string{"undefined ref: input.", "policy eval --raw"})
	s.run("policy", "eval", "--raw", conftest+"/deployment.yaml", conftest).want(t, 1,
		[]string{"Containers must not run as root in Deployment web", "warning main.warn_latest", "1 error, 1 warning"}, nil)
	s.file("go.mod", "module example.test/app\n\ngo 1.26\n\nreplace example.com/a => github.com/somebody/a v1.0.0\n")
	s.run("check", "--offline", "DIR").want(t, 0, nil, nil)
	path, err := filepath.Abs(corp)
	if err != nil {
		t.Fatal(err)
	}
	s.run("check", "--offline", "--policy", path, "DIR").want(t, 1, []string{"error CORP001 go.mod:5:1 example.com/a: is replaced by github.com/somebody/a"}, nil)
}

func TestPolicyCommands(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.replaced()
	s.file(".goproxy/policy/corp.rego", noGit)
	s.file(".goproxy/policy/corp/data.yaml", "allowed: []\n")
	s.file(".goproxy/policy/corp_test.rego", "package corp_test\n\nimport data.corp\n\ntest_told if count(corp.deny) == 1 with input as {\"go\": {\"replaces\": [{\"module\": \"m\"}]}}\n")
	policies := filepath.Join(s.dir, ".goproxy/policy")

	s.run("policy", "test", policies).want(t, 0, []string{"ok    corp_test.test_told", "1 passed, 0 failed"}, nil)
	s.run("policy", "test", "--coverage=90", policies).want(t, 0, []string{"coverage 100.0 %"}, nil)
	s.run("policy", "test", filepath.Join(policies, "corp.rego")).want(t, 2, nil, []string{"there is no test"})
	for _, percent := range []string{"-1", "101", "NaN"} {
		s.run("policy", "test", "--coverage="+percent, policies).want(t, 2, nil, []string{percent + " is no percentage"})
	}
	bad := filepath.Join(t.TempDir(), "bad_test.rego")
	s.write(bad, "package bad_test\n\ntest_no if 1 == 2\n")
	s.run("policy", "test", bad).want(t, 1, []string{"FAIL  bad_test.test_no"}, []string{"1 of 1 tests failed"})

	s.run("policy", "eval", "--offline", "--dir", "DIR").want(t, 1, []string{"error   CORP001  go.mod:7:1  is replaced", "asked of this checkout: corp"}, nil)
	s.run("policy", "eval", "--offline", "--dir", "DIR", "--namespace", "none").want(t, 2, nil, []string{"known are corp"})

	e := s.run("policy", "input", "--offline", "DIR")
	e.want(t, 0, []string{`"schema": "goproxy.dev/policy-input/v1"`, `"module": "github.com/google/uuid"`}, nil)
	saved := filepath.Join(t.TempDir(), "input.json")
	s.write(saved, e.stdout)
	s.run("policy", "eval", "--input", saved, policies).want(t, 1, []string{"CORP001"}, nil)
	s.write(saved, `{"schema": "goproxy.dev/policy-input/v1", "sauces": []}`)
	s.run("policy", "eval", "--input", saved, policies).want(t, 2, nil, []string{"is no document of goproxy.dev/policy-input/v1"})

	s.run("policy", "explain", "--offline", "CORP001", "DIR").want(t, 0, []string{".goproxy/policy/corp.rego:8", "   9 holds  some r in input.go.replaces", "r.module = \"github.com/google/uuid\""}, nil)
	s.run("policy", "explain", "--offline", "go.mod:7", "DIR").want(t, 0, []string{"CORP001  No replaced modules (error)"}, nil)
	s.run("policy", "explain", "--offline", "go.mod:1", "DIR").want(t, 2, nil, []string{"no rule finds anything there"})
	s.run("policy", "explain", "--offline", "CORP999", "DIR").want(t, 2, nil, []string{"there is no such rule", "SRC001"})
	e = s.run("policy", "explain", "--offline", "--format", "json", "GO001", "DIR")
	if e.code != 0 || !json.Valid([]byte(e.stdout)) || !strings.Contains(e.stdout, `"held": false`) {
		t.Errorf("%+v", e)
	}

	s.run("policy", "rules", "--offline", "DIR").want(t, 0, []string{"CORP001  error    No replaced modules", "SRC001"}, nil)
	e = s.run("policy", "rules", "--offline", "--format", "json", "DIR")
	var rules []struct{ ID, Severity, Written, Origin string }
	if err := json.Unmarshal([]byte(e.stdout), &rules); err != nil || len(rules) == 0 || rules[0].ID != "CORP001" || rules[0].Origin != "user" || rules[1].Origin != "built-in" {
		t.Errorf("%v: %+v", err, rules)
	}
	s.run("policy", "schema").want(t, 0, []string{`"title": "goproxy.dev/policy-input/v1"`}, nil)
	s.run("policy", "capabilities").want(t, 0, []string{`"name": "goproxy.host_match"`, `"allow_net": []`}, nil)
	s.run("policy").want(t, 0, []string{"explain", "capabilities"}, nil)
	s.run("policy", "evil").want(t, 2, nil, []string{"unknown command"})

	raw := t.TempDir()
	s.write(filepath.Join(raw, "p/main.rego"), "package main\n\ndeny contains msg if {\n\tinput.kind == \"Pod\"\n\tmsg := sprintf(\"%s is a pod\\u001b[2J\", [input.name])\n}\n")
	s.write(filepath.Join(raw, "two.yaml"), "kind: Service\n---\nkind: Pod\nname: web\n")
	s.write(filepath.Join(raw, "one.json"), `{"kind": "Service"}`)
	s.write(filepath.Join(raw, "twice.yaml"), "kind: Service\n---\nkind: Pod\nkind: Service\n")
	s.write(filepath.Join(raw, "empty.yaml"), "# nothing\n")
	file := func(name string) string { return filepath.Join(raw, name) }
	e = s.run("policy", "eval", "--raw", file("two.yaml"), "--raw", file("one.json"), file("p"))
	e.want(t, 1, []string{"error   main.deny  " + file("two.yaml") + "  web is a pod", "1 error, 0 warnings"}, nil)
	if strings.Contains(e.stdout, "\x1b") {
		t.Error("an escape sequence is printed")
	}
	s.write(file("q/q.rego"), "package q\n\nwarn contains \"x\" if print(\"one\\n::error::\\u001b[2Jtwo\")\n")
	s.run("policy", "eval", "--raw", file("one.json"), file("q")).want(t, 0, nil, []string{"| one\n| ::error::\\x1b[2Jtwo\n"})
	s.run("policy", "eval", "--raw", file("one.json"), file("p")).want(t, 0, []string{"0 errors, 0 warnings; asked of " + file("one.json") + ": main"}, nil)
	s.run("policy", "eval", "--raw", file("twice.yaml"), file("p")).want(t, 2, nil, []string{file("twice.yaml") + `:4:1: "kind" is written twice`})
	s.run("policy", "eval", "--raw", file("empty.yaml"), file("p")).want(t, 2, nil, []string{"holds no document"})
	s.run("policy", "eval", "--raw", file("none.yaml"), file("p")).want(t, 2, nil, []string{"none.yaml"})
	s.run("policy", "eval", file("p")).want(t, 2, nil, []string{"undefined ref: input.kind"})
}
