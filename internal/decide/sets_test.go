package decide

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/policy"
)

// conftest's conventions over our input: names, members, places, ids and severities.
func TestConventions(t *testing.T) {
	t.Parallel()
	user := []Module{{"main.rego", `package main

deny contains "a text" if true

deny_git contains {"msg": "comes from git", "group": g.id, "code": 7} if {
	some g in input.entries
	g.kind == "git"
}

warn contains {"msg": "with a place", "_loc": {"file": "go.mod", "line": 3}, "subject": "s"} if true

violation_host contains {"msg": s.host, "id": "CORP9", "severity": "note", "fix": "mend it"} if {
	some s in input.sources
	goproxy.host_match(data.hosts.bad, s.host)
}

deny_helper(x) := x

deny_old contains deny_helper("excepted") if true

exception contains ["old"]
`}, {"corp/corp.rego", `package corp.rules

import data.main

# METADATA
# title: Titled
# custom:
#   id: CORP001
#   fix: do so
warn contains "described" if count(main.deny) > 0

finding contains {"id": "CORP002", "msg": "native"} if true
`}}
	opts := Options{User: user, UserData: map[string]any{"hosts": map[string]any{"bad": []any{".test"}}}, Severities: map[string]string{"main.deny": Warning}}
	var got []string
	for _, f := range eval(t, engine(t, Data{Builtin: builtin}, opts), ill()) {
		if strings.Contains(f.ID, ".") || strings.HasPrefix(f.ID, "CORP") {
			got = append(got, fmt.Sprintf("%s %s %s:%d [%s] %s (%s)", f.Severity, f.ID, f.File, f.Line, f.Subject, f.Message, f.Fix))
		}
	}
	want := []string{
		"error CORP002 :0 [] native ()",
		"error main.deny_git package-lock.json:30 [git@1.0.0] git@1.0.0 comes from git ()",
		"warning CORP001 :0 [] described (do so)",
		"warning main.deny :0 [] a text ()",
		"warning main.warn go.mod:3 [s] with a place ()",
		"note CORP9 :0 [] npm.evil.test (mend it)",
		"note CORP9 :0 [] proxy.test (mend it)",
		"note main.deny_old :0 [] excepted (excepted by the policy's own exception) ()",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	opts.UserOnly, opts.Namespaces, opts.Severities = true, []string{"corp.rules"}, nil
	only := engine(t, Data{Builtin: builtin}, opts)
	if found := eval(t, only, ill()); len(found) != 2 || found[0].ID != "CORP002" {
		t.Errorf("one namespace: %s", lines(found))
	}
	opts.Namespaces = []string{"corp"}
	if _, err := New(policy.FS(), Data{}, opts); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "known are corp.rules, main") {
		t.Errorf("unknown namespace: %v", err)
	}
	opts.Namespaces, opts.User = []string{"main"}, append(user[:1:1], Module{"other.rego", "package other\n\ndeny contains \"not asked\" if true\n"})
	if found := eval(t, engine(t, Data{Builtin: builtin}, opts), ill()); len(found) == 0 || strings.Contains(lines(found), "not asked") {
		t.Errorf("one namespace of two that know nothing of each other: %s", lines(found))
	}
	weak := engine(t, Data{}, Options{User: user, UserData: opts.UserData, Severities: map[string]string{"main.deny_git": Off, "SRC001": Note}}).Weakened()
	if diff := cmp.Diff([]string{"SRC001 is note instead of error", "main.deny_git is off instead of error"}, weak); diff != "" {
		t.Errorf("weakened (-want +got):\n%s", diff)
	}
}

// Where rules of one set have ids of their own, a member that names none is of neither.
func TestSeveralIDs(t *testing.T) {
	t.Parallel()
	text := "package p\n# METADATA\n# custom: {id: A1, severity: note}\ndeny contains \"x\" if true\n# METADATA\n# custom: {id: A2}\ndeny contains {\"msg\": \"y\", \"id\": \"A1\"} if true\n"
	var got []string
	for _, f := range eval(t, engine(t, Data{Builtin: builtin}, Options{User: []Module{{"p.rego", text}}}), well()) {
		got = append(got, f.Severity+" "+f.ID+" "+f.Message)
	}
	if diff := cmp.Diff([]string{"error p.deny x", "note A1 y"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a policy got wrong is an error with its place when it is compiled, and never silence.
func TestPolicyMistakes(t *testing.T) {
	t.Parallel()
	deny := "package main\ndeny contains \"x\" if "
	for _, tt := range []struct{ name, text, want string }{
		{"field", deny + "input.hots", "p.rego:2:22: undefined ref: input.hots, have: "},
		{"helper", deny + "data.lib.hosts.evil", "p.rego:2:22: data.lib.hosts.evil is undefined"},
		{"imported helper", "package main\nimport data.lib\ndeny contains \"x\" if lib.evil", "p.rego:3:22: data.lib.evil is undefined"},
		{"function", deny + "evil(1)", "undefined function evil"},
		{"builtin", deny + "goproxy.hostmatch(\"a\", \"b\")", "undefined function goproxy.hostmatch"},
		{"builtin's argument", deny + "goproxy.host_match(\"a\", 1)", "goproxy.host_match"},
		{"our data", deny + "data.goproxy.trusted_sett.go", "data.goproxy.trusted_sett.go is undefined"},
		{"our rule", deny + "data.goproxy.place.hostporrt", "data.goproxy.place.hostporrt is undefined"},
		{"variable", deny + "x == 1", "var x is unsafe"},
		{"unused variable", deny + "{ x := 1 }", "assigned var x unused"},
		{"environment", deny + "opa.runtime().env.SECRET", "undefined function opa.runtime"},
		{"data and a rule", "package hosts\ndeny contains \"x\" if true", "conflict"},
		{"conflict marker", "package main\n<<<<<<< HEAD\ndeny contains \"x\" if true", "p.rego:2:1: "},
		{"truncated", "package main\ndeny contains \"x", "p.rego:2:"},
	} {
		data := map[string]any{"hosts": map[string]any{"deny": []any{}}}
		_, err := New(policy.FS(), Data{}, Options{User: []Module{{"p.rego", tt.text + "\n"}}, UserData: data})
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v (%d), want %q", tt.name, err, problem.CodeOf(err), tt.want)
		}
	}
	lonely := []Module{{"p.rego", deny + "true\n"}, {"q.rego", "package lib\ndenny contains \"x\" if true\n"}}
	if _, err := New(policy.FS(), Data{}, Options{User: lonely}); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "q.rego:1:1: package lib has no rule that is asked") {
		t.Errorf("a package that nobody asks: %v", err)
	}
	if _, err := New(policy.FS(), Data{}, Options{UserData: map[string]any{"goproxy": 1}}); problem.CodeOf(err) != problem.Usage {
		t.Errorf("data of the default rules: %v", err)
	}
	if _, err := New(policy.FS(), Data{}, Options{Severities: map[string]string{"CORP1": Off}, UnknownRules: true}); err != nil {
		t.Errorf("severity of another commit's rule: %v", err)
	}
}

// A member of the wrong shape is an error when it is asked for.
func TestConventionsFailClosed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ member, want, more string }{
		{`"x"`, "holds something else than lists", "exception contains \"x\"\n"},
		{`7`, "neither a text nor an object", ""},
		{`""`, "no msg", ""},
		{`{"message": "x"}`, "no msg", ""},
		{`{"msg": 7}`, "wrong shape", ""},
		{`{"msg": "x", "_loc": "go.mod:1"}`, "wrong shape", ""},
		{`{"msg": "x", "_loc": {"file": "go.mod", "line": -1}}`, "negative", ""},
		{`{"msg": "x", "severity": "fatal"}`, "fatal", ""},
		{`{"msg": "x", "id": "SRC001"}`, "default rule SRC001", ""},
		{`{"msg": "x", "id": "lower"}`, "lower", ""},
		{`{"msg": "x", "group": "nope"}`, "nope", ""},
	} {
		text := "package main\ndeny contains " + tt.member + " if true\n" + tt.more
		found, err := engine(t, Data{Builtin: builtin}, Options{User: []Module{{"p.rego", text}}}).Eval(t.Context(), well())
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) || found != nil {
			t.Errorf("%s: got %v, %v (%d), want %q", tt.member, found, err, problem.CodeOf(err), tt.want)
		}
	}
}

// An existing policy of conftest's runs on files as they are.
func TestRaw(t *testing.T) {
	t.Parallel()
	v1 := `package main

import data.lib

deny contains msg if {
	input.kind == "Deployment"
	not input.spec.template.spec.securityContext.runAsNonRoot
	msg := sprintf("containers of %s must not run as root", [input.metadata.name])
}

warn_replicas contains {"msg": "one replica", "_loc": {"file": "x.yaml", "line": 2}} if lib.single
`
	lib := "package lib\n\nsingle if input.spec.replicas == data.limits.one\n"
	docs, err := Documents("d.yaml", []byte("kind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n---\nkind: Service\n"))
	if err != nil || len(docs) != 2 {
		t.Fatal(docs, err)
	}
	e, err := NewRaw(Policies{Modules: []Module{{"main.rego", v1}, {"lib.rego", lib}}, Data: map[string]any{"limits": map[string]any{"one": 1}}}, false, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range docs {
		found, err := e.EvalRaw(t.Context(), d, "d.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			got = append(got, fmt.Sprintf("%s %s %s:%d %s", f.Severity, f.ID, f.File, f.Line, f.Message))
		}
	}
	want := []string{"error main.deny d.yaml:0 containers of web must not run as root", "warning main.warn_replicas x.yaml:2 one replica"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// what is the author's own says nothing to us, and stops nothing
	other := Policies{Modules: []Module{{"k8s.rego", `package k8s

# METADATA
# title: No root
# custom:
#   id: AVD-KSV-0012
#   severity: HIGH
deny_root contains {"msg": "root", "severity": "CRITICAL", "group": "pods", "subject": {"a": 1}, "fix": ["x"], "id": 7, "_loc": {"file": 1, "line": "x"}}

# METADATA
# title: The same
# custom:
#   id: AVD-KSV-0012
deny_twice contains {"msg": "", "id": "not one of ours"}

warn_place contains {"msg": sprintf("%s in %s", [data.conftest.file.name, trim_left(data.conftest.file.dir, "/")]), "severity": "off", "_loc": {"file": "x.yaml", "line": 2}}

violation := [{"msg": "listed", "details": {}}, "text"] if input.kind == "Service"

deny_nothing := ["never"] if input.kind == "Pod"
`}, {"unused.rego", "package unused\n\nhelp := 1\n"}}}
	if e, err = NewRaw(other, false, Options{}); err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, file := range []string{"/srv/a.yaml", "/srv/b/c.yaml"} {
		found, err := e.EvalRaw(t.Context(), docs[1], file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			got = append(got, fmt.Sprintf("%s %s %s:%d %s", f.Severity, f.ID, f.File, f.Line, f.Message))
		}
	}
	want = []string{"error AVD-KSV-0012 /srv/a.yaml:0 root", "error k8s.violation /srv/a.yaml:0 listed", "error k8s.violation /srv/a.yaml:0 text", "warning k8s.warn_place x.yaml:2 a.yaml in srv",
		"error AVD-KSV-0012 /srv/b/c.yaml:0 root", "error k8s.violation /srv/b/c.yaml:0 listed", "error k8s.violation /srv/b/c.yaml:0 text", "warning k8s.warn_place x.yaml:2 c.yaml in srv/b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another's metadata (-want +got):\n%s", diff)
	}

	if e, err = NewRaw(Policies{Modules: []Module{{"p.rego", "package p\n\ndeny := true\n"}}}, false, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.EvalRaw(t.Context(), docs[0], "d.yaml"); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "p.rego:3:1: deny is neither a set nor a list") {
		t.Errorf("neither a set nor a list: %v", err)
	}

	v0 := Policies{Modules: []Module{{"old.rego", "package main\n\nname = input.metadata.name\n\ndeny[msg] {\n  input.kind = \"Deployment\"\n  msg = name\n}\n"}}}
	if e, err = NewRaw(v0, true, Options{}); err != nil {
		t.Fatal(err)
	}
	if found, err := e.EvalRaw(t.Context(), docs[0], "d.yaml"); err != nil || len(found) != 1 || found[0].Message != "web" {
		t.Errorf("v0: %v, %v", found, err)
	}
	if _, err = NewRaw(v0, false, Options{}); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "old.rego:5:1") {
		t.Errorf("v0 as v1: %v", err)
	}
	for _, p := range []Policies{{}, {Modules: []Module{{"a.rego", "package a\nallow if true\n"}}}, {Modules: []Module{{"a_test.rego", "package a\ndeny contains 1\n"}}}} {
		if _, err := NewRaw(p, false, Options{}); problem.CodeOf(err) != problem.Usage {
			t.Errorf("nothing to ask: %v", err)
		}
	}
}

// Exceptions name rules as conftest has them.
func TestExceptions(t *testing.T) {
	t.Parallel()
	const rules = "package p\n\ndeny contains 1\n\nwarn contains 1\n\nviolation contains 1\n\ndeny_a contains 1\n\nviolation_a contains 1\n\nwarn_a contains 1\n\ndeny_deny contains 1\n"
	for name, want := range map[string]string{
		"":       "deny violation warn",
		"a":      "deny_a violation_a warn_a",
		"deny":   "deny_deny",
		"deny_a": "",
		"warn":   "",
	} {
		text := strings.ReplaceAll(rules, "contains 1", `contains "x"`) + fmt.Sprintf("\nexception contains [%q]\n", name)
		e, err := NewRaw(Policies{Modules: []Module{{"p.rego", text}}}, false, Options{})
		if err != nil {
			t.Fatal(err)
		}
		found, err := e.EvalRaw(t.Context(), nil, "f")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found {
			if f.Severity == Note {
				got = append(got, strings.TrimPrefix(f.ID, "p."))
			}
		}
		if slices.Sort(got); strings.Join(got, " ") != want {
			t.Errorf("%q takes back %q, want %q", name, got, want)
		}
	}
}
