package decide

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/policy"
)

// However many parts there are, each set is asked once, and what it refers to is compiled with it.
func TestDivide(t *testing.T) {
	t.Parallel()
	user := []Module{{"a.rego", "package a\n\nimport data.goproxy.place\nimport data.lib\n\ndeny contains place.label(s) if {\n\tsome s in input.sources\n\tlib.x\n}\n"}, {"lib.rego", "package lib\n\nx if true\n"}}
	for n := 1; n < 9; n++ {
		e := engine(t, Data{Builtin: builtin}, Options{User: user})
		var want, got []string
		for _, s := range e.sets {
			want = append(want, s.ref.String())
		}
		modules, err := e.book.parse(e.book.needed(e.sets, nil))
		if err != nil {
			t.Fatal(err)
		}
		parts := e.divide(modules, n)
		if len(parts) > n {
			t.Errorf("%d parts, want %d", len(parts), n)
		}
		for _, p := range append(parts, e.mine...) {
			for _, s := range p.sets {
				got = append(got, s.ref.String())
			}
			c, err := newCompiler(policy.FS(), true) // which knows undefined functions
			if err != nil {
				t.Fatal(err)
			}
			if c.Compile(p.modules); c.Failed() {
				t.Errorf("%d parts: %v", n, c.Errors)
			}
			var names []string
			for key := range p.modules {
				names = append(names, key)
			}
			slices.Sort(names)
			if diff := cmp.Diff([]string{"goproxy/place/place.rego", "user/0/a.rego", "user/1/lib.rego"}, names); p.user && diff != "" {
				t.Errorf("the user's part (-want +got):\n%s", diff)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d parts (-want +got):\n%s", n, diff)
		}
	}
	all := engine(t, Data{}, Options{User: []Module{{"a.rego", "package a\n\ndeny contains x if some x in object.keys(data.goproxy)\n"}}})
	found := eval(t, all, well())
	var names []string
	for _, f := range found {
		if f.ID == "a.deny" {
			names = append(names, f.Message)
		}
	}
	if text := fmt.Sprint(names); !strings.Contains(text, "src") || !strings.Contains(text, "place") {
		t.Errorf("a reference to all packages sees %s", text)
	}
}
