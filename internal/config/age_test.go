package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

func TestAge(t *testing.T) {
	t.Parallel()
	c := load(t, "releases: all\nage: {go: 72h, npm: 3d, exclude: [github.com/corp, '@corp/*', 'eslint-*', left-pad]}")
	if c.Releases.V != ReleasesAll || c.Age[source.Go].V != 72*time.Hour || c.Age[source.NPM].V != 72*time.Hour {
		t.Errorf("%+v %+v", c.Releases, c.Age)
	}
	for name, want := range map[string]bool{
		"github.com/corp": true, "github.com/corp/x/v2": true, "github.com/corpse": false, "@corp/x": true, "@corps/x": false, "corp/x": false,
		"eslint-plugin-x": true, "@x/eslint-plugin": false, "left-pad": true, "left-pads": false,
	} {
		if got := c.AnyAge(name); got != want {
			t.Errorf("%s may be of any age: %v", name, got)
		}
	}
	if c = load(t, ""); c.Releases.V != ReleasesChanged || c.Age != nil || c.AnyAge("left-pad") {
		t.Errorf("%+v %+v", c.Releases, c.Age)
	}
	for text, want := range map[string]string{
		"age: {go: 3}":              ":1:11: age.go: \"3\" is no age; write whole hours or days",
		"age: {go: 0d}":             "is no age",
		"age: {npm: -3d}":           "is no age",
		"age: {npm: 1.5d}":          "is no age",
		"age: {npm: 3 d}":           "is no age",
		"age: {npm: 3661d}":         "is no age",
		"age: {npm: 3dh}":           "is no age",
		"age: {npm: d}":             "is no age",
		"age: {exclude: ['a/[']}":   ":1:17: age.exclude: \"a/[\" names neither modules nor packages",
		"age: {exclude: [a, b//c]}": "names neither modules nor packages",
		"age: {exclude: ['**']}":    "takes in everything",
		"age: {exclude: ['@*/*']}":  "takes in everything",
		"age: {pip: 3d}":            "pip",
		"releases: some":            "allowed: off, changed, all",
	} {
		if _, err := Load([]byte(text+"\n"), File, false, nil, nil); problem.CodeOf(err) != problem.Usage || !strings.Contains(fmt.Sprintf("%v; %s", err, hintOf(err)), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func hintOf(err error) string {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Hint
	}
	return ""
}

// A change can ask for a greater age and about more versions, never for less.
func TestAgeOfAChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, base, head string
		releases         string
		age              time.Duration
		exclude          []string
	}{
		{"nothing", "", "", ReleasesChanged, 0, nil},
		{"lowered", "releases: all\nage: {go: 3d, exclude: [a.test]}", "releases: off\nage: {go: 1h, exclude: [a.test, b.test]}", ReleasesAll, 72 * time.Hour, []string{"a.test"}},
		{"taken out", "releases: all\nage: {go: 3d, exclude: [a.test]}", "releases: off", ReleasesAll, 72 * time.Hour, []string{"a.test"}},
		{"switched off", "", "releases: off", ReleasesChanged, 0, nil},
		{"raised", "releases: off\nage: {go: 3d, exclude: [a.test, b.test]}", "releases: changed\nage: {go: 4d, exclude: [b.test]}", ReleasesChanged, 96 * time.Hour, []string{"b.test"}},
		{"new", "", "age: {go: 3d, exclude: [a.test]}", ReleasesChanged, 72 * time.Hour, []string{"a.test"}},
	} {
		c := load(t, tt.base).Stricter(load(t, tt.head))
		if c.Releases.V != tt.releases || c.Age[source.Go].V != tt.age || !slices.Equal(c.AgeExclude.V, tt.exclude) {
			t.Errorf("%s: got %v %v %v", tt.name, c.Releases, c.Age, c.AgeExclude)
		}
	}
}

// A change can have more compared with the log, never less, and tell nobody more names.
func TestVerifyOfAChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		base, head, verify string
		age                time.Duration
		public             []string
	}{
		{"", "", VerifyAuto, 168 * time.Hour, nil},
		{"", "verify: off\nchecksum-database: {max-head-age: 30d}\nmodules: {public: [a.test]}", VerifyAuto, 168 * time.Hour, nil},
		{"", "verify: on\nchecksum-database: {max-head-age: 2d}", VerifyOn, 48 * time.Hour, nil},
		{"verify: on\nmodules: {public: [a.test, b.test]}", "verify: off\nmodules: {public: [b.test, c.test]}", VerifyOn, 168 * time.Hour, []string{"b.test"}},
	} {
		c := load(t, tt.base).Stricter(load(t, tt.head))
		if c.Verify.V != tt.verify || c.HeadAge.V != tt.age || !slices.Equal(c.ModulePublic.V, tt.public) {
			t.Errorf("%q, %q: got %v %v %v", tt.base, tt.head, c.Verify, c.HeadAge, c.ModulePublic)
		}
	}
}
