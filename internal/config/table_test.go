package config

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/inputs.md from the table")

const root = "../../"

// TestActionSaysTheSame holds action.yml to the table: names, order, descriptions, defaults.
func TestActionSaysTheSame(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(root + "action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Name, Description, Author string
		Branding                  struct{ Icon, Color string }
		Inputs, Outputs           yaml.MapSlice
		Runs                      struct {
			Using, Main, Post string
			PostIf            string `yaml:"post-if"`
		}
	}
	if err := yaml.UnmarshalWithOptions(data, &action, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var inputs, outputs yaml.MapSlice
	for _, s := range Settings() {
		if s.Input {
			row := map[string]any{"description": s.Doc}
			if s.ActionDefault != "" {
				row["default"] = s.ActionDefault
			}
			inputs = append(inputs, yaml.MapItem{Key: s.Name, Value: row})
		}
	}
	for _, o := range Outputs() {
		outputs = append(outputs, yaml.MapItem{Key: o.Name, Value: map[string]any{"description": o.Doc}})
	}
	if d := gocmp.Diff(inputs, action.Inputs); d != "" {
		t.Errorf("inputs (-table +action.yml)\n%s", d)
	}
	if d := gocmp.Diff(outputs, action.Outputs); d != "" {
		t.Errorf("outputs (-table +action.yml)\n%s", d)
	}
	r := action.Runs
	if r.Using != "node24" || r.PostIf != "always()" {
		t.Errorf("runs: %+v", r)
	}
	for _, script := range []string{r.Main, r.Post} {
		if _, err := os.Stat(root + script); err != nil {
			t.Error(err)
		}
	}
}

// TestDocumentation holds docs/inputs.md to the table; with -update it writes it.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	const file = root + "docs/inputs.md"
	want := []byte(documentation())
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/inputs.md differs from the table (%v); run: go test ./internal/config -update\n%s", err, gocmp.Diff(string(want), string(got)))
	}
}

// TestTable holds the table itself: each row can be said somewhere, its example is good, and it changes something.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range Settings() {
		switch {
		case seen[s.Name] || s.Doc == "" || s.Example == "" || s.set == nil:
			t.Errorf("%s: written twice, or without Doc, Example or set", s.Name)
		case s.YAML == "" && !s.Input:
			t.Errorf("%s can be said nowhere", s.Name)
		case s.Secret && s.Flag != "":
			t.Errorf("%s is a secret and would stand in a command line", s.Name)
		case s.ActionDefault != "" && s.YAML != "":
			t.Errorf("%s: a default in action.yml would hide the file", s.Name)
		}
		seen[s.Name] = true
	}
	c, err := Load([]byte(example()), File, false, nil, nil)
	if err != nil {
		t.Fatalf("the example of the documentation is refused: %v\n%s", err, example())
	}
	if c.Severity["LCK004"].V != "off" || c.Addresses.V == nil || c.HTTPProxy.V == "" {
		t.Errorf("the example was read as %+v", c)
	}
}

// example is a file that says everything, made of the rows' examples.
func example() string {
	var b strings.Builder
	open := ""
	for _, s := range Settings() {
		if s.YAML == "" {
			continue
		}
		key, indent := s.YAML, ""
		if parent, child, ok := strings.Cut(s.YAML, "."); ok {
			if parent != open {
				fmt.Fprintf(&b, "%s:\n", parent)
			}
			key, indent, open = child, "  ", parent
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, key, s.Example)
	}
	return b.String()
}

func documentation() string {
	var b strings.Builder
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	head := func(cells ...string) {
		row(cells...)
		b.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
	}
	b.WriteString(`<!-- Made from the table in internal/config by: go test ./internal/config -update -->
# Settings

One table serves the action's inputs, the command line and the configuration file. A flag comes before an input, an input before the file, the file before the default. An input that is empty counts as not given. Lists are written with commas in flags, and with commas or on several lines in inputs; the flag --output is repeated instead. What may hold a secret has no flag, since a command line can be read by everybody on the machine.

On a pull request the file of the base commit counts. The change's own file may only be stricter: a raised severity, fewer trusted hosts, mirrors or addresses, a greater age, more of releases, ` + "`mode: enforce`, `direct: deny`, `require-address: true`" + `. Its credentials do not count.

## Inputs of the action, and flags

`)
	head("input", "flag", "in the file", "default", "meaning")
	for _, s := range Settings() {
		if s.Input {
			flag := cmp.Or(s.Argument, strings.TrimSuffix("--"+s.Flag, "--"))
			def := cmp.Or(s.ActionDefault, s.Default)
			if s.Kind == Text {
				def = code(def)
			}
			row(code(s.Name), code(flag), code(s.YAML), def, s.Doc)
		}
	}
	b.WriteString("\n## Outputs of the action\n\n")
	head("output", "meaning")
	for _, o := range Outputs() {
		row(code(o.Name), o.Doc)
	}
	b.WriteString("\n## The configuration file\n\n" + code(File) + " in the checkout. Unknown keys, keys that are written twice, anchors, aliases and tags are refused. A list that is there but empty is an empty list: in `trusted` it lets nothing through.\n\n")
	head("key", "default", "meaning")
	for _, s := range Settings() {
		if s.YAML != "" {
			row(code(s.YAML), s.Default, s.Doc)
		}
	}
	b.WriteString("\nA file that says everything:\n\n```yaml\n" + example() + "```\n")
	return b.String()
}
