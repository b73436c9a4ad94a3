package decide

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
)

func TestReads(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`deny contains p.name if some p in input.packages`:                                  true,
		`deny contains "x" if input.packages[0].name == "a"`:                                true,
		`deny contains "x" if count(object.get(input, "packages", [])) == 1`:                true,
		`deny contains "x" if walk(input, [_, "x"])`:                                        true,
		`deny contains "x" if { all := input; all.packages }`:                               true,
		`deny contains "x" if { some key in ["packages"]; input[key] }`:                     true,
		`deny contains "x" if { f(input) }` + "\n" + `f(x) if x.packages`:                   true,
		"import input.packages as all\n" + `deny contains p.name if some p in all`:          true,
		`deny contains "x" if not has` + "\n" + `has if count(input["packages"]) > 0`:       true,
		`deny contains "x" if input.npm.locks[_].packages > 3`:                              false,
		`deny contains g.id if some g in input.entries`:                                     false,
		`deny contains "x" if { packages := 1; packages == 1 }`:                             false,
		`deny contains p.label if { some s in input.sources; p := {"label": "a", "s": s} }`: false,
	} {
		e := engine(t, Data{}, Options{User: []Module{{"p.rego", "package p\n\n" + text + "\n"}}})
		if got := e.Reads("packages"); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
	if engine(t, Data{}, Options{}).Reads("packages") {
		t.Error("without policies of the user's: true")
	}
	modules, err := engine(t, Data{}, Options{}).whole()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			if ref.HasPrefix(ast.InputRootRef) && reaches(ref[1:], []string{"packages"}) {
				t.Errorf("%s: a default rule reads packages, which are not there", position(ref[0].Location))
			}
			return false
		})
	}
}

// Terms that we make are those that the library would.
func TestPackageTerms(t *testing.T) {
	t.Parallel()
	all := []Package{{}}
	for i := range 3 {
		p := Package{Ecosystem: "npm", Name: fmt.Sprintf("@a/\"%d", i), Version: "1.0.0", Purl: "pkg:npm/x", Alias: "b", Host: "a.test", LockURL: "https://a.test/x", EffectiveURL: "https://b.test/x", Kind: "registry", Integrity: "sha512", Script: i == 1}
		p.File, p.Line, p.Column = "package-lock.json", 7+i, 3
		all = append(all, p)
	}
	want, err := ast.InterfaceToValue(all)
	if err != nil {
		t.Fatal(err)
	}
	if got := packageTerms(all).Value; got.Compare(want) != 0 || got.Hash() != want.Hash() {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	in := well()
	for _, packages := range [][]Package{nil, {}, all} {
		in.Packages, in.Schema = packages, Schema
		want, err := ast.InterfaceToValue(in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := in.value()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("%d packages (-want +got):\n%s", len(packages), diff)
		}
	}
}

// What a policy costs that reads each of many packages.
func BenchmarkPackages(b *testing.B) {
	in := well()
	for i := range 50_000 {
		in.Packages = append(in.Packages, Package{Ecosystem: "npm", Name: fmt.Sprintf("package-%d", i), Version: "4.17.20", Purl: "pkg:npm/x", Kind: "registry", Integrity: "sha512"})
	}
	text := "package p\n\ndeny contains p.name if {\n\tsome p in input.packages\n\tp.name == \"lodash\"\n\tgoproxy.semver_compare(p.version, \"4.17.21\") < 0\n}\n"
	e := engine(b, Data{Builtin: builtin}, Options{User: []Module{{"p.rego", text}}})
	b.ReportAllocs()
	for b.Loop() {
		if found := eval(b, e, in); strings.Contains(lines(found), "p.deny") {
			b.Fatal(lines(found))
		}
	}
}
