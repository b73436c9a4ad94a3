package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/problem"
)

func TestScripts(t *testing.T) {
	t.Parallel()
	c, err := Load([]byte("scripts: {npm: [esbuild, sharp@0.33.5, '@corp/*', '@corp/a@1.0.0-rc.1', JSONStream]}\n"), File, false, nil, nil)
	if want := []string{"esbuild", "sharp@0.33.5", "@corp/*", "@corp/a@1.0.0-rc.1", "JSONStream"}; err != nil || !slices.Equal(c.Scripts.V, want) {
		t.Errorf("%+v %v", c.Scripts, err)
	}
	if c, err = Load([]byte("scripts: {npm: []}\n"), File, false, nil, nil); err != nil || c.Scripts.V == nil {
		t.Errorf("an empty list is %#v, %v", c.Scripts.V, err)
	}
	for _, entry := range []string{"*", "@*/x", "a*", "@corp", "a@^1", "a@latest", "a@1 || 2", "a b", "https://a.test/x.tgz", "../a", "@corp/*@1.0.0"} {
		_, err := Load([]byte("scripts: {npm: ['"+entry+"']}\n"), File, false, nil, nil)
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), ":1:17: scripts.npm: ") || !strings.Contains(err.Error(), "is no package of npm") {
			t.Errorf("%s: got %v", entry, err)
		}
	}
}

// A change may list fewer packages than its base, and none where its base has no list.
func TestScriptsOfAChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ base, head, want string }{
		{"", "", "-"},
		{"", "[a]", "-"},
		{"", "[]", ""},
		{"[a]", "", "a"},
		{"[a]", "[a, b]", "a"},
		{"[a, b]", "[b]", "b"},
		{"[a]", "[]", ""},
		{"[a, '@s/*']", "[a@1.0.0, '@s/x', '@t/y']", "a@1.0.0 @s/x"},
		{"[a@1.0.0]", "[a]", "a@1.0.0"},
		{"['@s/x@2.0.0']", "['@s/*']", "@s/x@2.0.0"},
		{"[a@1.0.0]", "[a@2.0.0]", ""},
	} {
		load := func(list string) Config {
			if list == "" {
				return defaults()
			}
			c, err := Load([]byte("scripts: {npm: "+list+"}\n"), File, false, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		got := "-"
		if v := load(tt.base).Stricter(load(tt.head)).Scripts; v.Given() {
			got = strings.Join(v.V, " ")
		}
		if got != tt.want {
			t.Errorf("base %s, head %s: got %q, want %q", tt.base, tt.head, got, tt.want)
		}
	}
}
