package decide

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/policy"
)

// settings are the keys of the configuration that data.goproxy is made of; % stands for the ecosystems of the rule.
var settings = map[string]string{
	"trusted": "trusted.%", "trusted_set": "trusted.%", "addresses": "trusted.addresses", "addresses_set": "trusted.addresses",
	"require_address": "trusted.require-address", "direct_denied": "direct", "builtin": "", "tuned": "", "official_unknown": "official.%",
}

// groups are the chapters, by the letters of the ids.
var groups = []struct{ letters, title, ecosystems string }{
	{"SRC", "Sources: where the job would fetch from", "go npm"},
	{"GO", "Go's settings", "go"},
	{"MOD", "What go.mod, go.sum, go.work and vendor pin", "go"},
	{"SUM", "The checksum database", "go"},
	{"LCK", "What lock files pin", "npm"},
	{"NPM", "Settings of the npm family", "npm"},
	{"GIT", "git", "git"},
	{"WFL", "Workflows and pipelines", "go npm"},
}

// TestRulesDocumentation holds docs/rules.md to the METADATA; with -update it writes it.
func TestRulesDocumentation(t *testing.T) {
	t.Parallel()
	const file = "../../docs/rules.md"
	want := []byte(rulesDocumentation(t))
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/rules.md differs from the rules (%v); run: go test ./internal/decide -update\n%s", err, cmp.Diff(string(want), string(got)))
	}
}

func rulesDocumentation(t *testing.T) string {
	e := engine(t, Data{Builtin: builtin}, Options{})
	var b strings.Builder
	b.WriteString(`<!-- Made from the METADATA of policy/goproxy by: go test ./internal/decide -update -->
# Rules

The default rules, each with its id, which is never used for anything else. The severity is the gravest that the rule reports; it may report less where less is at stake. An error fails the job, a warning and a note do not.

Every rule can be tuned in ` + "`.goproxy/config.yaml`, and one finding can be waived for a time in `.goproxy/waivers.yaml`" + ` ([waivers](waivers.md)):

` + "```yaml" + `
severity:
  LCK004: warning   # off, note, warning or error; whatever is weakened is listed in each report
` + "```" + `
` + "```yaml" + `
waivers:
  - rule: LCK004
    match: {file: package-lock.json, subject: "left-pad@*"}
    reason: the registry has no sha512 for it
    owner: build@corp.example
    expires: 2027-01-31
` + "```" + `

` + "`goproxy-action policy explain ID`" + ` shows on your own checkout why a rule objects, or why it does not. Rules of your own: [policies](policies.md).
`)
	seen := map[string]bool{}
	for _, g := range groups {
		first := true
		for _, r := range e.Rules() {
			if strings.TrimRight(r.ID, "0123456789") != g.letters {
				continue
			}
			if first {
				fmt.Fprintf(&b, "\n## %s\n", g.title)
				first = false
			}
			seen[r.ID] = true
			fmt.Fprintf(&b, "\n### %s\n\n**%s.** %s\n\n- Severity: %s\n- Fix: %s\n", r.ID, r.Title, r.Description, r.Severity, r.Fix)
			fmt.Fprintf(&b, "- Tune: `severity: {%s: ...}`", r.ID)
			for _, s := range tunedBy(t, e, r.ID, g.ecosystems) {
				fmt.Fprintf(&b, ", `%s`", s)
			}
			b.WriteString(" in [the configuration](inputs.md#the-configuration-file), or a waiver\n")
		}
	}
	for _, r := range e.Rules() {
		if !seen[r.ID] {
			t.Errorf("%s belongs to no chapter: add its letters to groups", r.ID)
		}
	}
	return b.String()
}

// tunedBy are the settings that a rule reads, itself or by what it calls.
func tunedBy(t *testing.T, e *Engine, id, ecosystems string) []string {
	t.Helper()
	modules, err := e.whole()
	if err != nil {
		t.Fatal(err)
	}
	_, places := e.written(modules, id)
	var queue []*ast.Rule
	compiler, err := newCompiler(policy.FS(), false)
	if err != nil {
		t.Fatal(err)
	}
	compiler.Compile(modules)
	for _, m := range compiler.Modules {
		for _, r := range m.Rules {
			if places[spot{r.Location.File, r.Location.Row}] != nil {
				queue = append(queue, r)
			}
		}
	}
	if len(queue) == 0 {
		t.Errorf("%s: no text of a rule names it", id)
	}
	seen, found := map[*ast.Rule]bool{}, map[string]bool{}
	for len(queue) > 0 {
		r := queue[0]
		queue = queue[1:]
		if seen[r] {
			continue
		}
		seen[r] = true
		ast.WalkRefs(r, func(ref ast.Ref) bool {
			if !ref.HasPrefix(ast.DefaultRootRef) || len(ref) < 3 {
				return false
			}
			if rules := compiler.GetRules(ref.GroundPrefix()); len(rules) > 0 {
				queue = append(queue, rules...)
				return false
			}
			key := str(ref[2])
			setting, ok := settings[key]
			if !ok {
				t.Errorf("%s reads data.goproxy.%s: add to settings which one it is made of", id, key)
			}
			for eco := range strings.SplitSeq(ecosystems, " ") {
				if s := strings.ReplaceAll(setting, "%", eco); s != "" {
					found[s] = true
				}
			}
			return false
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// The documentation of policies names every builtin of ours, and every field of the input is in the schema it points to.
func TestPoliciesDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range extensions() {
		if !strings.Contains(string(text), "`"+x.decl.Name+"(") {
			t.Errorf("docs/policies.md does not tell of %s", x.decl.Name)
		}
	}
	// its example compiles, and its test passes
	var modules []Module
	for i, part := range strings.Split(string(text), "```rego\n")[1:] {
		code, _, _ := strings.Cut(part, "```")
		name := fmt.Sprintf("example%d.rego", i)
		if strings.Contains(code, "\ntest_") {
			name = fmt.Sprintf("example%d_test.rego", i)
		}
		modules = append(modules, Module{name, code})
	}
	p := Policies{Modules: modules, Data: map[string]any{"corp": map[string]any{"prefixes": []any{"git.corp.example"}}}}
	if _, err := New(policy.FS(), Data{}, Options{User: p.Modules, UserData: p.Data}); err != nil {
		t.Error(err)
	}
	if r, err := Test(t.Context(), policy.FS(), p, TestOptions{}); err != nil || r.Failed > 0 || r.Passed == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
