package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
)

func TestScopes(t *testing.T) {
	t.Parallel()
	c, err := Load([]byte("scopes: {'@corp': npm.corp.example, 'corp-*': '.corp.example', '@corp/x*': 'a.example:8443', tool: a.example}\n"), File, false, nil, nil)
	at := File + ":1"
	want := map[string]Value[string]{"@corp": {"npm.corp.example", at}, "corp-*": {".corp.example", at}, "@corp/x*": {"a.example:8443", at}, "tool": {"a.example", at}}
	if diff := cmp.Diff(want, c.Scopes); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for text, said := range map[string]string{
		"'@corp/*': a.example":          `:1:10: scopes: "@corp/*" is not the form that scopes are written in; write "@corp"`,
		"'*': a.example":                "is no name of packages",
		"'co*': a.example":              "is no name of packages",
		"'@*': a.example":               "is no name of packages",
		"'@corp/*/x': a.example":        "is no name of packages",
		"Corp: a.example":               "is no name of packages",
		"'@corp': https://a.example/":   `:1:19: scopes: "https://a.example/" is not the form that hosts are compared in; write "a.example"`,
		"'@corp': 'a b'":                "is no host",
		"'@corp': []":                   "scopes.@corp",
		"'@corp': a.test, '@corp': b.c": "is written twice",
	} {
		_, err := Load([]byte("scopes: {"+text+"}\n"), File, false, nil, nil)
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// A change may add names, and takes none away.
func TestScopesOfAChange(t *testing.T) {
	t.Parallel()
	load := func(text string) Config {
		c, err := Load([]byte("scopes: {"+text+"}\n"), File, false, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	got := values(load("'@a': a.test, '@b': b.test").Stricter(load("'@a': evil.test, '@c': c.test")).Scopes)
	if diff := cmp.Diff(map[string]string{"@a": "a.test", "@b": "b.test", "@c": "c.test"}, got); diff != "" {
		t.Error(diff)
	}
}

func values(m map[string]Value[string]) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v.V
	}
	return out
}
