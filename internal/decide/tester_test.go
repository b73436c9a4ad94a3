package decide

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/policy"
)

const tested = `package corp

deny contains "git" if {
	some g in input.entries
	g.kind == "git"
}

warn contains "never" if {
	input.scope == "repo"
	goproxy.host_match(data.hosts, "a.test")
}
`

func TestTester(t *testing.T) {
	t.Parallel()
	p := Policies{Modules: []Module{{"corp.rego", tested}, {"corp_test.rego", `package corp_test

import data.corp

test_git if count(corp.deny) == 1 with input as {"entries": [{"kind": "git"}]}

test_wrong if {
	print("seen", count(corp.deny))
	count(corp.deny) == 2 with input as {"entries": [{"kind": "git"}]}
}

test_breaks if net.cidr_contains("nonsense", "1.2.3.4")

todo_test_later if false

test_cases[name] if {
	some name, kind in {"git": "git", "tar": "tarball"}
	count(corp.deny) == 1 with input as {"entries": [{"kind": kind}]}
}
`}}, Data: map[string]any{"hosts": []any{"a.test"}}}
	r, err := Test(t.Context(), policy.FS(), p, TestOptions{Cover: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range r.Tests {
		got = append(got, fmt.Sprintf("%s %s %s:%d %s %s", x.Status, x.Name, x.File, x.Line, x.Message, strings.TrimSpace(x.Output)))
	}
	want := []string{
		"pass corp_test.test_git corp_test.rego:5  ",
		"fail corp_test.test_wrong corp_test.rego:7  seen 0",
		"error corp_test.test_breaks corp_test.rego:12 corp_test.rego:12:16: net.cidr_contains: invalid CIDR address: nonsense ",
		"skip corp_test.todo_test_later corp_test.rego:14  ",
		"fail corp_test.test_cases corp_test.rego:16 cases: tar ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.Passed != 1 || r.Failed != 3 || r.Skipped != 1 {
		t.Errorf("counted %+v", r)
	}
	if c := r.Coverage; c == nil || len(c.Files) != 1 || c.Files[0].File != "corp.rego" || c.Percent <= 0 || c.Percent >= 100 || !strings.Contains(strings.Join(c.Files[0].Missed, " "), "10") {
		t.Errorf("coverage %+v", c)
	}
}

// What cannot be run is no success.
func TestTesterRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"package corp_test\nx := 1\n", "there is no test"},
		{"package goproxy.src\ntest_x if true\n", "is kept for the default rules"},
		{"package corp_test\ntest_x if {\n", "x_test.rego:"},
		{"package corp_test\ntest_x if input.hots == 1\n", "x_test.rego:2:11: undefined ref: input.hots"},
		{"package corp_test\ntest_x if http.send({})\n", "undefined function http.send"},
	} {
		_, err := Test(t.Context(), policy.FS(), Policies{Modules: []Module{{"x_test.rego", tt.text}}}, TestOptions{})
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
	if _, err := Test(t.Context(), policy.FS(), Policies{}, TestOptions{}); problem.CodeOf(err) != problem.Usage {
		t.Errorf("nothing at all: %v", err)
	}
	raw := Policies{Modules: []Module{{"x.rego", "package main\n\ndeny[msg] {\n  input.kind == \"Pod\"\n  msg := \"pod\"\n}\n\ntest_pod {\n  deny[\"pod\"] with input as {\"kind\": \"Pod\"}\n}\n"}}}
	if r, err := Test(t.Context(), policy.FS(), raw, TestOptions{Raw: true, V0: true}); err != nil || r.Passed != 1 {
		t.Errorf("conftest's: %+v, %v", r, err)
	}
}
