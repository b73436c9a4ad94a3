package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

func TestMirrors(t *testing.T) {
	t.Parallel()
	c := load(t, `mode: audit
mirrors:
  - url: https://ci:s3cret@go.corp.example/x/
    ecosystem: go
    operator: Corp
    relay: no
  - {url: "https://pypi.corp.example/simple", ecosystem: pypi, off: closed}
`)
	want := []source.Source{
		{ID: "go.corp.example", Ecosystem: "go", Role: "module-proxy", URL: "https://ci:s3cret@go.corp.example/x", Origin: "user", Operator: "Corp", Relay: "no"},
		{ID: "pypi.corp.example", Ecosystem: "pypi", Role: "registry", URL: "https://pypi.corp.example/simple", Origin: "user", Off: "closed"},
	}
	if diff := cmp.Diff(want, c.Mirrors.V); diff != "" || c.Mirrors.Origin != File+":3" {
		t.Error(c.Mirrors.Origin, diff)
	}
	if !slices.Contains(c.Secrets(), "s3cret") {
		t.Errorf("secrets %q", c.Secrets())
	}
	if c := load(t, "mirrors: []\n"); c.Mirrors.Given() {
		t.Errorf("%+v", c.Mirrors)
	}
	row := func(text string) string { return "mirrors: [{" + text + "}]\n" }
	for text, want := range map[string]string{
		"mirrors: https://a.test\n":                                                                 ":1:10: mirrors has plain text as its value; write a list, such as [{url:",
		"mirrors: [https://a.test]\n":                                                               ":1:11: a row of mirrors is plain text, not a mapping",
		row(`url: "https://a.test"`):                                                                ":1:11: mirrors: a row has no ecosystem; a row needs url and ecosystem",
		row(`url: "https://a.test", ecosystem: ruby`):                                               `:1:46: mirrors: "ruby" is not allowed as ecosystem; allowed: go, npm, pypi, crates, maven`,
		row(`url: "http://ci:s3cret@a.test", ecosystem: go`):                                        `:1:17: mirrors: "http://***@a.test" is not reached over https`,
		row(`url: "https://a.test", ecosystem: go, weight: 3`):                                      `:1:50: mirrors: "weight" is no column of the catalogue; allowed: url, ecosystem, role, operator`,
		row(`url: "https://a.test", ecosystem: go, off: [x]`):                                       `has a list as its value`,
		row(`url: "https://a.test", ecosystem: go, off: ''`):                                        `is empty`,
		row(`url: "https://a.test", url: "https://b.test"`):                                         `is written twice`,
		row(`url: "https://a.test", ecosystem: go}, {url: "https://A.test/", ecosystem: go`):        `mirrors: a row is of an address that has a row already`,
		"mirrors:\n" + strings.Repeat("  - {url: https://a.test, ecosystem: go}\n", 1) + "  - {}\n": "mirrors: a row has no url",
	} {
		_, err := Load([]byte(text), File, false, nil, nil)
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v\nwant %s", text, err, want)
		}
	}
}

// A change may switch places off; places that it adds do not count.
func TestMirrorsOfAChange(t *testing.T) {
	t.Parallel()
	base := load(t, `mirrors:
  - {url: "https://a.test", ecosystem: go, operator: A}
  - {url: "https://b.test", ecosystem: go, off: closed}
`)
	head := load(t, `mirrors:
  - {url: "https://evil.test", ecosystem: go}
  - {url: "https://a.test/", ecosystem: go, operator: Evil, off: slow}
  - {url: "https://b.test", ecosystem: go}
  - {url: "https://goproxy.cn", ecosystem: go, off: far}
`)
	var got []string
	strict := base.Stricter(head)
	for _, m := range strict.Mirrors.V {
		got = append(got, strings.Join([]string{m.URL, m.Operator, m.Off}, "|"))
	}
	if diff := cmp.Diff([]string{"https://a.test|A|slow", "https://b.test||closed", "https://goproxy.cn||far"}, got); diff != "" {
		t.Error(diff)
	}
	if base.Mirrors.V[0].Off != "" || !strings.Contains(strict.Mirrors.Origin, "stricter") {
		t.Errorf("%+v", strict.Mirrors)
	}
}
