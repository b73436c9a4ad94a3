package decide

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/policy"
)

// indexText has a clause in each line.
func indexText(t *testing.T) []byte {
	t.Helper()
	texts, err := ruleTexts(policy.FS())
	if err != nil {
		t.Fatal(err)
	}
	files, err := indexRules(texts)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	encode := func(before string, v any) {
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		out.WriteString(before)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		out.Truncate(out.Len() - 1) // its newline
	}
	for i, f := range files {
		encode(map[bool]string{true: "[", false: ",\n"}[i == 0]+"{\"path\": ", f.Path)
		encode(", \"sum\": ", f.Sum)
		encode(",\n\"head\": ", f.Head)
		out.WriteString(",\n\"rules\": [")
		for i, r := range f.Rules {
			encode(map[bool]string{true: "\n", false: ",\n"}[i == 0], r)
		}
		out.WriteString("],\n\"clauses\": [")
		for i, c := range f.Clauses {
			encode(map[bool]string{true: "\n", false: ",\n"}[i == 0], c)
		}
		out.WriteString("]}")
	}
	out.WriteString("]\n")
	return out.Bytes()
}

// TestIndex holds policy/index.json to the default rules; with -update it writes it.
func TestIndex(t *testing.T) {
	t.Parallel()
	want := indexText(t)
	if *update {
		if err := os.WriteFile("../../policy/"+indexFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("../../policy/" + indexFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("policy/%s is not of these rules (%v); run: go test ./internal/decide -update", indexFile, err)
	}
	var files []*ruleFile
	if err := json.Unmarshal(want, &files); err != nil {
		t.Fatal(err)
	}
	texts, err := ruleTexts(policy.FS())
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := indexRules(texts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fresh, files, cmp.AllowUnexported(condition{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".text" || p.Last().String() == ".file" }, cmp.Ignore())); diff != "" {
		t.Errorf("what is read from the index differs (-rules +index):\n%s", diff)
	}
}

// An index of other files is not believed, and the rules are then read themselves.
func TestStaleIndex(t *testing.T) {
	t.Parallel()
	index, err := fs.ReadFile(policy.FS(), indexFile)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := ruleTexts(policy.FS())
	if err != nil {
		t.Fatal(err)
	}
	var files []*ruleFile // with a new file that nothing is known of
	if err := json.Unmarshal(index, &files); err != nil {
		t.Fatal(err)
	}
	longer, err := json.Marshal(append(files, &ruleFile{Path: "goproxy/new/new.rego"}))
	if err != nil {
		t.Fatal(err)
	}
	texts["goproxy/mod/mod.rego"] = strings.Replace(texts["goproxy/mod/mod.rego"], `"is excluded"`, `"is not to be used"`, 1)
	texts["goproxy/new/new.rego"] = "package goproxy.new\n\n# METADATA\n# title: New\n# custom:\n#   id: NEW001\nfinding contains {\"id\": \"NEW001\", \"msg\": \"found\", \"subject\": input.scope}\n"
	for name, index := range map[string][]byte{"stale": index, "as long": longer, "broken": index[:100], "empty": []byte("[]"), "none": nil} {
		bundle := fstest.MapFS{}
		for path, text := range texts {
			bundle[path] = &fstest.MapFile{Data: []byte(text)}
		}
		if index != nil {
			bundle[indexFile] = &fstest.MapFile{Data: index}
		}
		e, err := New(bundle, Data{Builtin: builtin}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := lines(eval(t, e, ill()))
		if !strings.Contains(found, "NEW001") || !strings.Contains(found, "is not to be used") || strings.Contains(found, "is excluded") {
			t.Errorf("%s index:\n%s", name, found)
		}
		if severity, own := e.Written("NEW001"); severity != Error || !own {
			t.Errorf("%s index: NEW001 is %q, %t", name, severity, own)
		}
	}
}

// Whatever clauses are cut out of a file, those that are left are the same at the same place.
func TestCut(t *testing.T) {
	t.Parallel()
	e := engine(t, Data{}, Options{})
	whole, err := e.whole()
	if err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Text   string
		Row    int
		Column int
	}
	read := func(m *ast.Module) (out []rule) {
		for _, r := range m.Rules {
			r.Annotations = nil
			out = append(out, rule{r.String(), r.Location.Row, r.Location.Col})
		}
		return out
	}
	for _, f := range e.book.files {
		all := read(whole[f.Path])
		if len(all) != len(f.Clauses) {
			t.Fatalf("%s: %d clauses of %d rules", f.Path, len(f.Clauses), len(all))
		}
		for step := 1; step < 4; step++ {
			some, want := map[*clause]bool{}, []rule(nil)
			for i, c := range f.Clauses {
				if i%step == 0 {
					some[c], want = true, append(want, all[i])
				}
			}
			modules, err := e.book.parse(some)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{f.Path}, slices.Collect(maps.Keys(modules))); diff != "" {
				t.Fatal(diff)
			}
			m := modules[f.Path]
			if diff := cmp.Diff(want, read(m)); diff != "" || !m.Package.Equal(whole[f.Path].Package) || len(m.Imports) != len(whole[f.Path].Imports) {
				t.Errorf("%s, each %d (-whole +cut):\n%s", f.Path, step, diff)
			}
		}
	}
}
