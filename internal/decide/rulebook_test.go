package decide

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/policy"
)

// both asks an engine of all rules, and a new one that compiles what the input needs, and wants the same of them. It
// returns how many clauses the latter left out.
func both(t *testing.T, whole, needed *Engine, input any) int {
	t.Helper()
	value, err := ast.InterfaceToValue(input)
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]*Group{}
	for _, g := range slices.Concat(well().Entries, ill().Entries) {
		groups[g.ID] = &g
	}
	for _, g := range slices.Concat(well().Go.Requires, ill().Go.Requires) {
		groups[g.ID] = &Group{ID: g.ID, Examples: g.Examples}
	}
	if _, err := whole.defaultParts(nil); err != nil {
		t.Fatal(err)
	}
	before := maps.Clone(needed.ready.clauses)
	want, wantErr := whole.eval(t.Context(), value, groups)
	got, err := needed.eval(t.Context(), value, groups)
	if wantErr != nil || err != nil {
		t.Fatalf("%v, %v", wantErr, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		text, _ := json.Marshal(input)
		t.Errorf("%s\n(-all rules +those that are needed):\n%s", text, diff)
	}
	for c := range before {
		if !needed.ready.clauses[c] {
			t.Errorf("%s was compiled, and is not there any more", c.Name)
		}
	}
	return len(whole.ready.clauses) - len(needed.ready.clauses)
}

// What is left out of the default rules could have found nothing, whatever of the input is missing or empty.
func TestNeeded(t *testing.T) {
	t.Parallel()
	data := []Data{{Builtin: builtin}, {Builtin: builtin, AddressesSet: true, Addresses: []string{"192.0.2.0/24"}, DirectDenied: true,
		OfficialUnknown: map[string]bool{"npm": true}, TrustedSet: map[string]bool{"go": true}, Trusted: map[string]map[string]bool{"go": {}}}}
	random := rand.New(rand.NewPCG(1, 2))
	for _, d := range data {
		whole := engine(t, d, Options{})
		parts := engine(t, d, Options{})
		both(t, whole, parts, Input{Go: ill().Go})
		both(t, whole, parts, Input{Entries: ill().Entries})
		for n, in := range []Input{well(), ill()} {
			in.Schema = Schema
			text, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 8 {
				var v map[string]any
				if err := json.Unmarshal(text, &v); err != nil {
					t.Fatal(err)
				}
				if i > 0 {
					thin(random, v, float64(i%4+1)/10)
				}
				// what one input needed does not stand in the way of the next
				needed := engine(t, d, Options{})
				out := both(t, whole, needed, v)
				if n+i == 0 && out < 20 {
					t.Errorf("of an honest repository's input only %d clauses are not needed", out)
				}
				both(t, whole, needed, map[string]any{})
				var all any
				if err := json.Unmarshal(text, &all); err != nil {
					t.Fatal(err)
				}
				both(t, whole, needed, all)
			}
		}
	}
}

// thin takes parts of a document away, or what is in them.
func thin(random *rand.Rand, v map[string]any, share float64) {
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if random.Float64() < share {
			switch v[key].(type) {
			case map[string]any:
				v[key] = map[string]any{}
			case []any:
				v[key] = []any{}
			case bool:
				v[key] = false
			case string:
				v[key] = ""
			}
			if random.IntN(2) == 0 {
				delete(v, key)
			}
			continue
		}
		switch part := v[key].(type) {
		case map[string]any:
			thin(random, part, share)
		case []any:
			for _, p := range part {
				if m, ok := p.(map[string]any); ok {
					thin(random, m, share)
				}
			}
		}
	}
}

// Each form of the language that may hold without its parts, or that hides what a name stands for.
func TestNeededForms(t *testing.T) {
	t.Parallel()
	const found = `finding contains {"id": "X001", "msg": "found", "subject": "x"} if `
	for _, c := range []struct {
		name, text string
		out        int // clauses that an empty input leaves out
	}{
		{"some", found + `{ some x in input.go.list; x.y }`, 1},
		{"some with keys", found + `{ some i, x in input.list; i != x }`, 1},
		{"reference", found + `{ input.go.name != "" }`, 1},
		{"index", found + `{ input.list[_].y == 1 }`, 1},
		{"call", found + `{ startswith(input.name, "x") }`, 1},
		{"array", found + `{ [a, b] := [input.a, input.name]; a == b }`, 1},
		{"head", `finding contains {"id": "X001", "msg": "found", "subject": input.text}`, 1},
		{"negated", found + `{ not input.name }`, 0},
		{"negated some", found + `{ not 1 in input.list }`, 0},
		{"comprehension", found + `{ count([x | some x in input.list]) == 0 }`, 0},
		{"every", found + `{ every x in input.list { x } }`, 0},
		{"every of nothing", found + `{ every x in [] { input.name == x } }`, 0},
		{"object.get", found + `{ object.get(input, "name", "x") == "x" }`, 0},
		{"else", `w := "a" if { input.name } else := "b"` + "\n" + found + `{ w == "b" }`, 0},
		{"default", `default w := "b"` + "\n" + `w := "a" if input.name` + "\n" + found + `{ w == "b" }`, 1},
		{"set", `w contains x if some x in input.list` + "\n" + found + `{ some x in w; x }`, 2},
		{"set that is counted", `w contains x if some x in input.list` + "\n" + found + `{ count(w) == 0 }`, 0},
		{"set that is filled elsewhere", `w contains x if some x in input.list` + "\n" + `w contains 1` + "\n" + found + `{ some x in w; x }`, 1},
		{"list", `w := [x | some x in input.list]` + "\n" + found + `{ some x in w; x }`, 2},
		{"list that is counted", `w := [x | some x in input.list]` + "\n" + found + `{ count(w) == 0 }`, 0},
		{"object of parts", `w[x] := 1 if some x in input.list` + "\n" + found + `{ count(w) == 0 }`, 0},
		{"other name that is another's else", `w := input.go if { input.name } else := input` + "\n" + found + `{ some x in w.list; x }`, 0},
		{"other name", `w := input.go` + "\n" + found + `{ some x in w.list; x }`, 2},
		{"other name on a condition", `w := input if input.name == "n"` + "\n" + found + `{ w.name == "n" }`, 2},
		{"function", `f(x) := input.name if x` + "\n" + found + `{ f(true) == "n" }`, 2},
		{"function of an argument", `f(x) := x.name` + "\n" + found + `{ f({"name": 1}) == 1 }`, 0},
		{"local name", `w contains x if some x in input.list` + "\n" + found + `{ w := [1]; some x in w; x }`, 0},
		{"local argument", `w contains x if some x in input.list` + "\n" + `f(w) if some x in w` + "\n" + found + `{ f([1]) }`, 0},
		{"local some", `w contains x if some x in input.list` + "\n" + found + `{ some w in [[1]]; some x in w; x }`, 0},
		{"data that is false", found + `{ data.goproxy.direct_denied }`, 1},
		{"data that is false and asked for so", found + `{ data.goproxy.direct_denied == false }`, 0},
		{"data that is empty", found + `{ some x, true in data.goproxy.trusted; x }`, 1},
		{"data that is not there", found + `{ data.goproxy.nothing }`, 1},
		{"another group", found + `{ some x in data.goproxy.y.list; x }`, 2},
		{"all groups", found + `{ count(data.goproxy.y) == 1 }`, 0},
		{"some group", found + `{ some g in ["y"]; count(data.goproxy[g].list) == 0 }`, 0},
		{"import", "import data.goproxy.y\nimport input.list\n" + found + `{ some x in list; x in y.list }`, 2},
		{"another input", `w contains x if some x in input.list` + "\n" + found + `{ some x in w with input as {"list": [1]}; x }`, 0},
		{"template", found + `{ $"{input.name}" != "" }`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bundle := fstest.MapFS{"goproxy/x/x.rego": {Data: []byte("package goproxy.x\n\n" + c.text + "\n")},
				"goproxy/y/y.rego": {Data: []byte("package goproxy.y\n\nlist contains x if some x in input.list\n")}}
			build := func() *Engine {
				e, err := New(bundle, Data{}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			whole := build()
			if got := both(t, whole, build(), map[string]any{}); got != c.out {
				t.Errorf("left out %d clauses, want %d", got, c.out)
			}
			for _, v := range []string{`{"list": []}`, `{"list": null}`, `{"list": {}}`, `{"list": [1]}`, `{"list": [{"y": 1}]}`, `{"name": ""}`, `{"name": "n", "a": "n"}`,
				`{"name": false}`, `{"text": "t"}`, `{"go": {}}`, `{"go": null}`, `{"go": {"list": []}}`, `{"go": {"list": [{"y": 1}], "name": "n"}}`, `{"name": "n", "list": [1, 2]}`} {
				var in any
				if err := json.Unmarshal([]byte(v), &in); err != nil {
					t.Fatal(err)
				}
				both(t, whole, build(), in)
			}
		})
	}
}

// The stages that are left out for the default rules would change nothing in them.
func TestStages(t *testing.T) {
	t.Parallel()
	e := engine(t, Data{}, Options{})
	text := map[bool]map[string]string{}
	for _, checked := range []bool{false, true} {
		c, err := newCompiler(policy.FS(), checked)
		if err != nil {
			t.Fatal(err)
		}
		modules, err := e.whole()
		if err != nil {
			t.Fatal(err)
		}
		if c.Compile(modules); c.Failed() {
			t.Fatal(c.Errors)
		}
		text[checked] = map[string]string{}
		for key, m := range c.Modules {
			text[checked][key] = m.String()
		}
	}
	if diff := cmp.Diff(text[true], text[false]); diff != "" {
		t.Errorf("write the expressions of a rule in the order in which they are evaluated (-all stages +ours):\n%s", diff)
	}
}
