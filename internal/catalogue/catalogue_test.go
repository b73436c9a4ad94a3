package catalogue

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

var update = flag.Bool("update", false, "write docs/catalogue.md from the catalogue")

// full is a row that says everything.
const full = "- url: https://a.test/go\n  ecosystem: go\n  operator: A\n  trust: confirmed\n  region: EU\n  claim: itself\n  checked: 2026-11-22\n  relay: yes\n  limits: some\n"

// TestBuiltin holds what the embedded data promises.
func TestBuiltin(t *testing.T) {
	t.Parallel()
	list, err := Read("mirrors.yaml", mirrors)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	count := map[string]int{}
	for _, s := range list {
		id := s.Ecosystem + " " + s.Role + " " + s.ID
		if seen[id] || !s.Public || s.Origin != source.Builtin || s.ID == source.Official || !strings.HasPrefix(s.URL, "https://") {
			t.Errorf("%+v", s)
		}
		seen[id] = true
		if s.Off == "" {
			count[s.Ecosystem+" "+s.Role]++
		}
	}
	want := map[string]int{"go module-proxy": 5, "go checksum-db": 2, "npm registry": 3, "pypi registry": 8, "crates registry": 6, "maven registry": 4}
	if diff := gocmp.Diff(want, count); diff != "" {
		t.Errorf("rows that are not off (-want +got)\n%s", diff)
	}
	for _, id := range []string{"goproxy.cn", "proxy.golang.com.cn"} {
		list := Of(source.Go, nil)
		i := 0
		for list[i].ID != id {
			i++
		}
		if off := list[i].Off != ""; off != (id == "proxy.golang.com.cn") || strings.Contains(list[i].Operator, "Aliyun") {
			t.Errorf("%+v", list[i])
		}
	}
}

// TestReadIsYAML: what is read is what any reader of YAML sees.
func TestReadIsYAML(t *testing.T) {
	t.Parallel()
	same(t, mirrors)
}

func same(t *testing.T, data []byte) {
	t.Helper()
	list, err := Read("f", data)
	if err != nil {
		return
	}
	var rows yaml.Node
	if err := yaml.Unmarshal(data, &rows); err != nil {
		t.Fatalf("%q is read, and is no YAML: %v", data, err)
	}
	if len(rows.Content) == 0 {
		if len(list) > 0 {
			t.Fatalf("%q: %+v", data, list)
		}
		return
	}
	for i, row := range rows.Content[0].Content {
		var cells []string
		for _, n := range row.Content {
			cells = append(cells, n.Value)
		}
		s, fault := Row(cells, source.Builtin)
		s.Public = true
		if fault != nil || i >= len(list) || gocmp.Diff(s, list[i]) != "" {
			t.Fatalf("%q: %+v, %+v, not %+v", data, fault, s, list)
		}
	}
	if len(list) != len(rows.Content[0].Content) {
		t.Fatalf("%q: %+v", data, list)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(full)
	f.Add(full + "# a\n\n" + strings.Replace(full, "a.test", "b.test", 1))
	for _, text := range []string{"- url: null", "- url: https://u:p@a.test\n  x: y", "-  url: a", "- url: a: b", "- ? a", "\ufeff- url: x", "- url: a #b", "- url: |\n  x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Read("f", []byte(text)); err != nil && (problem.CodeOf(err) != problem.Usage || strings.ContainsAny(err.Error(), "\n\x1b")) {
			t.Errorf("%q: %q", text, err)
		}
		same(t, []byte(text))
	})
}

// TestReadRefuses: an error names the file, the line, what was found, and what is allowed.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"url: https://a.test\n": "f:1:1: is no line of a row; begin a row with `- url: …`, and go on two spaces deep",
		"  url: a\n":            "f:1:1: is no line of a row",
		"- url https://a.test\n": "f:1:3: is no column with a plain text; write `column: value`, the value without quotes, " +
			"colons before a space, and comments",
		"- url: \"https://a.test\"\n":    "f:1:3: is no column with a plain text",
		"- url: https://a.test # a\n":    "f:1:3: is no column with a plain text",
		"- url: https://a.test\r\n":      "f:1:22: holds a character that is none; save it as plain text in UTF-8",
		"- url: https://a.test\xff\n":    "f:1:22: holds a character that is none",
		"- url: https://a.test\n":        `f:1:1: a row has no ecosystem; a row needs url and ecosystem`,
		full + "  colour: red\n":         `f:10:3: "colour" is no column of the catalogue; allowed: url, ecosystem, role, operator, trust, region, claim, checked, relay, limits, off`,
		full + "  region: US\n":          `f:10:3: "region" is written twice; keep one`,
		full + full:                      `f:10:1: "https://a.test/go" has a row already; keep one`,
		full + "\n- url: x\n":            `f:11:1: a row has no ecosystem`,
		full + "  role: registry\n":      `f:10:9: "registry" is no role of go`,
		full + "  role: king\n":          `f:10:9: "king" is not allowed as role; allowed: module-proxy, registry, checksum-db`,
		full + "  off: " + big + "\n":    `f:10:3: "off" has more than 300 bytes`,
		with("go", "cobol"):              `f:2:14: "cobol" is not allowed as ecosystem; allowed: go, npm, pypi, crates, maven`,
		with("go", "npm"):                `f:8:3: "relay" is said of module proxies alone`,
		with("yes", "maybe"):             `f:8:10: "maybe" is not allowed as relay; allowed: yes, no`,
		with("confirmed", "absolute"):    `f:4:10: "absolute" is not allowed as trust; allowed: confirmed, unconfirmed`,
		with("confirmed", "unconfirmed"): `f:4:10: "unconfirmed" takes a reason under off`,
		with("2026-11-22", "lately"):     `f:7:12: "lately" is no date; write it like 2026-11-22`,
		with("  claim: itself\n", ""):    `f:1:1: a row has no claim; say who runs it, where, who says so, and when that was looked up`,
		with("https:", "http:"):          `f:1:8: "http://a.test/go" is not reached over https`,
		with("a.test", "u:p4ss@a b"):     `is no usable address`,
		with("/go", "/go?x"):             `holds a query`,
		strings.Repeat("#", 300<<10):     `f: has 300 KiB, and at most 256 KiB are read`,
	} {
		_, err := Read("f", []byte(text))
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "p4ss") {
			t.Errorf("%.80q: got %v\nwant %s", text, err, want)
		}
	}
}

var big = strings.Repeat("x", 301)

// with is the full row with the first old replaced.
func with(old, other string) string {
	if old == "go" {
		return strings.Replace(full, "ecosystem: go", "ecosystem: "+other, 1)
	}
	return strings.Replace(full, old, other, 1)
}

// TestOf: the user's rows extend the catalogue, switch rows of it off, and vouch for others.
func TestOf(t *testing.T) {
	t.Parallel()
	user := func(cells ...string) source.Source {
		s, fault := Row(cells, source.User)
		if fault != nil {
			t.Fatal(fault)
		}
		return s
	}
	own := []source.Source{
		user("url", "https://npm.corp.test/", "ecosystem", "npm"),
		user("url", "https://go.corp.test:8443/x", "ecosystem", "go", "operator", "Corp", "relay", "no"),
		user("url", "https://GOPROXY.cn/", "ecosystem", "go", "off", "not wanted", "operator", "nobody"),
		user("url", "https://proxy.golang.com.cn", "ecosystem", "go", "operator", "known to us"),
	}
	got := map[string]source.Source{}
	for _, s := range Of(source.Go, own) {
		if s.Role == source.ModuleProxy {
			got[s.ID] = s
		}
	}
	if n := len(got); n != 6 {
		t.Errorf("%d module proxies", n)
	}
	if s := got["go.corp.test:8443"]; s.Origin != source.User || s.Operator != "Corp" || s.Relay != "no" || s.Public || s.URL != "https://go.corp.test:8443/x" {
		t.Errorf("%+v", s)
	}
	if s, ok := got["goproxy.cn"]; ok {
		t.Errorf("%+v", s)
	}
	if s := got["proxy.golang.com.cn"]; s.Off != "" || s.Origin != source.User || s.Operator != "known to us" || s.Region != "CN" || !s.Public {
		t.Errorf("%+v", s)
	}
	if diff := gocmp.Diff(builtin(), Builtin()); diff != "" || len(Of(source.Go, nil)) != 8 || Of(source.Go, nil)[0].ID != "goproxy.cn" {
		t.Errorf("the catalogue itself was changed: %s", diff)
	}
}

// TestDocumentation holds docs/catalogue.md to the catalogue; with -update it writes it.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	const file = "../../docs/catalogue.md"
	want := []byte(documentation())
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/catalogue.md differs from the catalogue (%v); run: go test ./internal/catalogue -update\n%s", err, gocmp.Diff(string(want), string(got)))
	}
}

func documentation() string {
	var b strings.Builder
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	b.WriteString(`<!-- Made from internal/catalogue/mirrors.yaml by: go test ./internal/catalogue -update -->
# The catalogue of mirrors

What is known of the places that packages come from, with the date on which it was looked up. The data is in ` + "`internal/catalogue/mirrors.yaml`" + ` and in the program itself. What a place is worth on a network is measured there, by content ([mirrors.md](mirrors.md)); nothing here is believed without that.

The defaults that the go command and npm have built in are asked of the tools at run time and stand in no table.

## In your configuration

` + "`mirrors`" + ` in ` + "`.goproxy/config.yaml`" + ` has rows of the same columns:

` + "```yaml" + `
mirrors:
  - {url: "https://goproxy.corp.example", ecosystem: go, operator: Corp IT, region: EU}
  - {url: "https://goproxy.io", ecosystem: go, off: not allowed here}
` + "```" + `

- A new address is one more place to choose from when what is in force fails. (` + "`sources.go`" + ` and ` + "`sources.npm`" + ` are asked before the catalogue.) Your own row counts as trusted, as long as ` + "`trusted`" + ` has no list.
- ` + "`off`" + ` with a reason takes the address out: nobody asks it, and its host is no trusted one any more.
- A row for an address of the catalogue without ` + "`off`" + ` takes the place of that row: so you answer for a place whose operator could not be confirmed here.
- In a pull request the rows of the base commit count. Of the change's own rows only those with ` + "`off`" + ` do.

| column | what stands in it |
|---|---|
`)
	for _, c := range Columns() {
		doc := c.Doc
		if c.Allowed != nil {
			doc += " (" + strings.Join(c.Allowed, ", ") + ")"
		}
		row("`"+c.Name+"`", doc)
	}
	b.WriteString("\nOnly `url` and `ecosystem` are needed. A row of the program's own also has operator, trust, region, claim and checked.\n")
	for _, part := range []struct{ ecosystem, title string }{
		{source.Go, "Go"}, {source.NPM, "npm"}, {source.PyPI, "PyPI"}, {source.Crates, "crates.io"}, {source.Maven, "Maven Central"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n", part.title)
		head := []string{"address", "operator", "trust", "region", "who says so", "looked up", "checksum relay", "known limits"}
		if part.ecosystem != source.Go {
			head = append(head[:6], head[7])
		}
		row(head...)
		b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
		for _, s := range Of(part.ecosystem, nil) {
			trust, limits := s.Trust, s.Limits
			if s.Off != "" {
				trust, limits = trust+"; off", strings.TrimPrefix(limits+"; off: "+s.Off, "; ")
			}
			cells := []string{s.URL, s.Operator, trust, s.Region, s.Claim, s.Checked, cmp.Or(s.Relay, "not known"), limits}
			if s.Role == source.ChecksumDB {
				cells[6] = "the log itself"
			}
			if part.ecosystem != source.Go {
				cells = append(cells[:6], cells[7])
			}
			row(cells...)
		}
	}
	b.WriteString(`
## What proves a place

| of | asked for | compared with |
|---|---|---|
| Go | the go.mod of one small module; the checksum database's record of it | the hash in this program; the log's signature |
| npm | one version of one small package | the integrity in this program |
| PyPI | the list of files of one small package | the SHA-256 in this program |
| crates.io | the index's configuration, and its file of one small crate | the checksum in this program |
| Maven Central | one file of 2 KB | the SHA-256 in this program |
`)
	return b.String()
}

func BenchmarkRead(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read("mirrors.yaml", mirrors); err != nil {
			b.Fatal(err)
		}
	}
}
