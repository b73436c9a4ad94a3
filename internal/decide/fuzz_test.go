package decide

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/policy"
)

// A policy may hold anything: it compiles, or the error says where it does not in one line.
func FuzzPolicy(f *testing.F) {
	for _, body := range []string{"", "package policy", "package goproxy.src\nfinding contains {} if true", "\ufeffpackage policy\nfinding contains 1 if true",
		"package policy\n# METADATA\n# custom: [\nfinding contains {} if true", "package policy[x]", "package policy\nfinding contains {\"id\": input.run.event} if true",
		"package policy\n# METADATA\n# custom: {id: 7}\nfinding := {} if true", "package policy\nfinding contains x if x := " + strings.Repeat("[", 3000), "import rego.v2\npackage policy",
		"package main\nimport data.goproxy.place\ndeny_x contains {\"msg\": place.label(s), \"_loc\": {\"line\": 1}} if some s in input.sources", "package main\nwarn contains input.scope\nexception contains [\"\"]",
		"package a.b[\"c\"]\ndeny contains goproxy.semver(input.scope) if data.a", "package main\ndeny.x contains 1\ndeny(x) := data[x]"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		e, err := New(policy.FS(), Data{}, Options{Timeout: 50 * time.Millisecond, User: []Module{{"p.rego", text}}})
		if err == nil {
			for _, r := range e.Rules() {
				if !ruleID.MatchString(r.ID) && !ownID.MatchString(r.ID) {
					t.Errorf("rule id %q for %q", r.ID, text)
				}
			}
			_, err = e.Eval(t.Context(), well())
		}
		if err != nil && problem.CodeOf(err) != problem.Usage {
			t.Errorf("%v (%d) for %q", err, problem.CodeOf(err), text)
		}
	})
}

// ownID is the id of a set that METADATA gives none.
var ownID = regexp.MustCompile(`^[A-Za-z0-9_.]+\.(deny|violation|warn)(_[a-zA-Z0-9]+)*$`)

// A host that the data may hold is one that an address can have.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"goproxy.cn", ".corp.test", "a:1", "[::1]:8", "::1", "Ａ.test", ".", "a.test:443", "a@b", "1.2.3", "::ffff:1.2.3.4"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if checkHost("trusted.go", host) != nil {
			return
		}
		name := strings.TrimPrefix(host, ".")
		if !strings.HasPrefix(name, "[") && strings.Count(name, ":") > 1 {
			name = "[" + name + "]"
		}
		if loc, err := source.Locate("https://" + name + "/x"); err != nil || "["+loc.HostPort()+"]" != name && loc.HostPort() != name {
			t.Errorf("%q is accepted, and the host of an address is %q (%v)", host, loc.HostPort(), err)
		}
	})
}
