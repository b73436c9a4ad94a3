package decide

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
)

func told(x Explanation) string {
	var b strings.Builder
	try := func(t Try) {
		for _, s := range t.Steps {
			fmt.Fprintf(&b, "    %d %t %s", s.Line, s.Held, s.Text)
			for _, v := range s.Values {
				fmt.Fprintf(&b, " [%s=%s]", v.Name, v.Value)
			}
			b.WriteString("\n")
		}
	}
	for _, t := range x.Texts {
		fmt.Fprintf(&b, "%s:%d objected %d\n", t.File, t.Line, t.Objected)
		for _, o := range t.Objections {
			try(o)
		}
		for _, s := range t.Stopped {
			fmt.Fprintf(&b, "  stopped %d times at %d %s\n", s.Count, s.Line, s.Text)
			try(s.Examples[0])
		}
	}
	return b.String()
}

func TestExplain(t *testing.T) {
	t.Parallel()
	text := `package corp

# METADATA
# title: Few hosts
# custom: {id: CORP1}
deny contains msg if {
	some s in input.sources
	s.scheme == "https"
	not allowed(s.host)
	bad := {x | some x in ["npm.evil.test", "b.test"]; x == s.host}
	count(bad) > 0
	msg := sprintf("%s is bad", [s.host])
}

allowed(host) if endswith(host, ".cn")

warn contains {"msg": x, "id": "CORP2"} if {
	x := input.run.front
	x == "github"
}

warn contains "plain" if input.scope == "all"
`
	object := regexp.MustCompile(`\[s=\{.*"host": "([^"]*)".*\]`)
	e := engine(t, Data{Builtin: builtin}, Options{User: []Module{{"corp.rego", text}}})
	for id, want := range map[string]string{
		"CORP1": `corp.rego:6 objected 1
    7 true some s in input.sources [s={"host": "npm.evil.test", "scheme": "https"}]
    8 true s.scheme == "https" [s.scheme="https"]
    9 true not allowed(s.host) [s.host="npm.evil.test"]
    10 true bad := {x | some x in ["npm.evil.test", "b.test"]; x == s.host} [bad={"npm.evil.test"}]
    11 true count(bad) > 0
    12 true msg := sprintf("%s is bad", [s.host]) [msg="npm.evil.test is bad"]
  stopped 1 times at 8 s.scheme == "https"
    7 true some s in input.sources [s={"host": "c.test", "scheme": "http"}]
    8 false s.scheme == "https" [s.scheme="http"]
  stopped 2 times at 9 not allowed(s.host)
    7 true some s in input.sources [s={"host": "a.cn", "scheme": "https"}]
    8 true s.scheme == "https" [s.scheme="https"]
    9 false not allowed(s.host) [s.host="a.cn"]
  stopped 1 times at 11 count(bad) > 0
    7 true some s in input.sources [s={"host": "d.test", "scheme": "https"}]
    8 true s.scheme == "https" [s.scheme="https"]
    9 true not allowed(s.host) [s.host="d.test"]
    10 true bad := {x | some x in ["npm.evil.test", "b.test"]; x == s.host} [bad=set()]
    11 false count(bad) > 0
`,
		"CORP2": `corp.rego:17 objected 0
  stopped 1 times at 19 x == "github"
    18 true x := input.run.front [input.run.front="shell"] [x="shell"]
    19 false x == "github"
`,
		"corp.warn": `corp.rego:22 objected 1
    22 true input.scope == "all" [input.scope="all"]
`,
	} {
		in := well()
		in.Sources = nil
		for _, url := range []string{"https://a.cn", "https://b.cn", "http://c.test", "https://d.test", "https://npm.evil.test"} {
			in.Sources = append(in.Sources, Source{Place: PlaceOf(url), Ecosystem: "go"})
		}
		x, err := e.Explain(t.Context(), in, id)
		if err != nil {
			t.Error(err)
			continue
		}
		got := told(x)
		// objects are shown whole, and cut
		got = object.ReplaceAllStringFunc(got, func(s string) string {
			host := object.FindStringSubmatch(s)[1]
			return fmt.Sprintf(`[s={"host": %q, "scheme": %q}]`, host, map[bool]string{true: "http", false: "https"}[host == "c.test"])
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

// Every default rule that objects can be explained, and says where.
func TestExplainDefaults(t *testing.T) {
	t.Parallel()
	e := engine(t, Data{Builtin: builtin, Addresses: []string{"192.0.2.0/24"}, AddressesSet: true, DirectDenied: true}, Options{})
	in := ill()
	for _, r := range e.Rules() {
		x, err := e.Explain(t.Context(), in, r.ID)
		if err != nil {
			t.Error(err)
			continue
		}
		objected := 0
		for _, text := range x.Texts {
			objected += text.Objected
			for _, o := range text.Objections {
				for _, s := range o.Steps {
					if !s.Held || s.Line < text.Line || s.Text == "" {
						t.Errorf("%s: %+v", r.ID, s)
					}
				}
			}
			for _, s := range text.Stopped {
				if last := s.Examples[0].Steps; len(last) == 0 || last[len(last)-1].Held {
					t.Errorf("%s: stopped at %+v", r.ID, s)
				}
			}
		}
		if len(x.Findings) > 0 && objected == 0 {
			t.Errorf("%s: %d findings, and no text objected", r.ID, len(x.Findings))
		}
	}
	found := eval(t, e, in)
	if ids := At(found, "package-lock.json:10"); len(ids) == 0 || ids[0] != "LCK001" {
		t.Errorf("by place: %v", ids)
	}
	if ids := At(found, "package-lock.json:10:7"); len(ids) == 0 {
		t.Error("by place with a column: none")
	}
	if ids := At(found, "package-lock.json:99"); len(ids) > 0 {
		t.Errorf("by a place without a finding: %v", ids)
	}
	if _, err := e.Explain(t.Context(), in, "NOPE1"); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "SRC001") {
		t.Errorf("no rule: %v", err)
	}
}
