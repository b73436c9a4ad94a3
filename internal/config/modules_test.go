package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/problem"
)

func TestModules(t *testing.T) {
	t.Parallel()
	c, err := Load([]byte("modules:\n  hosts: [github.com, .corp.example]\n  prefixes: [github.com/corp, '*.corp.example/x?']\n"), File, false, nil, nil)
	if err != nil || !slices.Equal(c.ModuleHosts.V, []string{"github.com", ".corp.example"}) || !slices.Equal(c.ModulePrefixes.V, []string{"github.com/corp", "*.corp.example/x?"}) {
		t.Errorf("%+v %+v %v", c.ModuleHosts, c.ModulePrefixes, err)
	}
	if c, err = Load([]byte("modules: {hosts: []}\n"), File, false, nil, nil); err != nil || c.ModuleHosts.V == nil || c.ModulePrefixes.V != nil {
		t.Errorf("an empty list is %#v, none %#v, %v", c.ModuleHosts.V, c.ModulePrefixes.V, err)
	}
	for text, want := range map[string]string{
		"modules: {hosts: [GitHub.com]}":          ":1:19: modules.hosts: \"GitHub.com\" is not the form that hosts are compared in; write \"github.com\"",
		"modules: {hosts: ['github.com:443']}":    "is not the form",
		"modules: {hosts: ['github.com:8443']}":   "is no host that a module path can begin with",
		"modules: {hosts: [github.com/corp]}":     "is",
		"modules: {prefixes: ['a.test/[']}":       ":1:22: modules.prefixes: \"a.test/[\" is no beginning of a module path",
		"modules: {prefixes: ['a.test, b.test']}": "is no beginning of a module path",
		"modules: {prefixes: [a.test/]}":          "is no beginning of a module path",
		"modules: {prefix: [a.test]}":             "prefix",
	} {
		if _, err := Load([]byte(text+"\n"), File, false, nil, nil); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// A change may name fewer hosts and prefixes than its base, and any where its base names none.
func TestModulesOfAChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ base, head, want string }{
		{"", "", "-"},
		{"", "[a.test]", "a.test"},
		{"[a.test]", "", "a.test"},
		{"[a.test]", "[a.test, b.test]", "a.test"},
		{"[a.test, b.test]", "[b.test]", "b.test"},
		{"[a.test]", "[b.test]", ""},
		{"[a.test]", "[]", ""},
	} {
		load := func(list, key string) Config {
			if list == "" {
				return defaults()
			}
			c, err := Load([]byte("modules: {"+key+": "+list+"}\n"), File, false, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		shown := func(v Value[[]string]) string {
			if !v.Given() {
				return "-"
			}
			return strings.Join(v.V, " ")
		}
		hosts, prefixes := load(tt.base, "hosts").Stricter(load(tt.head, "hosts")), load(tt.base, "prefixes").Stricter(load(tt.head, "prefixes"))
		if got := shown(hosts.ModuleHosts); got != tt.want {
			t.Errorf("hosts %q, then %q: got %q, want %q", tt.base, tt.head, got, tt.want)
		}
		if got := shown(prefixes.ModulePrefixes); got != tt.want {
			t.Errorf("prefixes %q, then %q: got %q, want %q", tt.base, tt.head, got, tt.want)
		}
	}
	for _, tt := range [][3]string{
		{"github.com/corp", "github.com/corp/x", "github.com/corp/x"},
		{"github.com/corp/x", "github.com/corp", "github.com/corp/x"},
		{"*.test", "a.test", "a.test"},
		{"a.test", "*.test", "a.test"},
		{"*.test", "a.*", ""}, // what both take in cannot be written
		{"github.com/corp", "github.com/corpse", ""},
	} {
		if got := strings.Join(commonPrefixes([]string{tt[0]}, []string{tt[1]}), " "); got != tt[2] {
			t.Errorf("%s and %s: got %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}
