package lockfile

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// marked is an excerpt with a caret in front of the place.
func marked(e Excerpt, ok bool) string {
	if !ok {
		return "none"
	}
	return e.Text[:e.Caret] + "^" + e.Text[e.Caret:]
}

func TestExcerptAt(t *testing.T) {
	t.Parallel()
	long := `{"a":"` + strings.Repeat("x", 1000) + `","resolved":"http://evil.test/a.tgz","b":"` + strings.Repeat("y", 100_000) + `"}`
	column := strings.Index(long, "http://") + 1
	for _, tt := range []struct {
		name, data   string
		line, column int
		want         string
	}{
		{"a line", "a\n  \"resolved\": \"http://evil.test/a.tgz\",\r\nb", 2, 16, "  \"resolved\": \"^http://evil.test/a.tgz\","},
		{"tabs", "\trequire\tx v1\n", 1, 10, "\trequire\t^x v1"},
		{"no column", "\n\t  go 1.26\n", 2, 0, "\t  ^go 1.26"},
		{"end of the line", "abc", 1, 4, "abc^"},
		{"behind the line", "abc", 1, 5, "none"},
		{"no such line", "a\nb", 3, 1, "none"},
		{"blank", "a\n  \n", 2, 1, "none"},
		{"no line", "a", 0, 0, "none"},
		{"inside of a character", "é=x", 1, 2, "^é=x"},
		{"no text", "a\xffb", 1, 3, "a\xff^b"},
		{"one long line", long, 1, column, "…" + strings.Repeat("x", 40-14) + `","resolved":"^http://evil.test/a.tgz","b":"` + strings.Repeat("y", 51) + "…"},
		{"its begin", long, 1, 1, `^{"a":"` + strings.Repeat("x", 74) + "…"},
		{"its end", long, 1, len(long), "…" + strings.Repeat("y", 39) + `"^}`},
		{"userinfo at the place", "registry=https://ci:hunter2@npm.test/\n", 1, 10, "registry=^https://***@npm.test/"},
		{"userinfo before the place", `{"a":"https://ci:hunter2@npm.test/","b":1}`, 1, 37, `{"a":"https://***@npm.test/",^"b":1}`},
		{"a place in a secret", "registry=https://ci:hunter2@npm.test/\n", 1, 22, "none"},
		{"a value that is a secret", "//npm.test/:_authToken=hunter2", 1, 24, "//npm.test/:_authToken=^***"},
		{"in the middle of a secret value", "//npm.test/:_authToken=hunter2", 1, 26, "none"},
	} {
		if got := marked(ExcerptAt([]byte(tt.data), Position{Line: tt.line, Column: tt.column})); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	e := Excerpt{strings.Repeat("a", 40) + strings.Repeat("b", 80), 40}
	for columns, want := range map[int]string{
		200: strings.Repeat("a", 40) + "^" + strings.Repeat("b", 80),
		60:  "…" + strings.Repeat("a", 19) + "^" + strings.Repeat("b", 39) + "…",
		1:   "…" + strings.Repeat("a", 5) + "^" + strings.Repeat("b", 13) + "…",
	} {
		if got := marked(e.Fit(columns), true); got != want {
			t.Errorf("%d columns: %q", columns, got)
		}
	}
	if got := marked(Excerpt{"\t\tab", 2}.Fit(20), true); got != "\t\t^ab" {
		t.Errorf("%q", got)
	}
}

// The files of all tools that hold secrets, and lines that only look so.
func TestMask(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"//npm.corp.test/:_authToken=hunter2":                     "//npm.corp.test/:_authToken=***",
		"//npm.corp.test:8443/x/:_password = hunter2 hunter3":     "//npm.corp.test:8443/x/:_password = ***",
		"//npm.corp.test/:username=hunter":                        "//npm.corp.test/:username=***",
		"//npm.corp.test/:certfile=/hunter":                       "//npm.corp.test/:certfile=***",
		"_auth=aHVudGVyMg==":                                      "_auth=***",
		"_auth = \"hunter2\"":                                     "_auth = ***",
		"key=-----BEGIN PRIVATE KEY-----\\nhunter2":               "key=***",
		"proxy=ci:hunter2@proxy.test:3128":                        "proxy=***@proxy.test:3128",
		"https-proxy = http://ci:hunter2@proxy.test":              "https-proxy = http://***@proxy.test",
		`"//npm.corp.test/:_authToken" "hunter2"`:                 `"//npm.corp.test/:_authToken" ***`,
		`"//npm.corp.test/:_authToken" hunter2`:                   `"//npm.corp.test/:_authToken" ***`,
		"  npmAuthToken: hunter2":                                 "  npmAuthToken: ***",
		`  npmAuthIdent: "ci:hunter2" # x`:                        `  npmAuthIdent: *** # x`,
		`token = "hunter2"`:                                       `token = ***`,
		`scope = { token = "$T", url = "https://a.test" }`:        `scope = { token = ***, url = "https://a.test" }`,
		`{"password":"hun\"ter2","b":"c"}`:                        `{"password":***,"b":"c"}`,
		"run: npm config set //a.test/:_authToken=hunter2":        "run: npm config set //a.test/:_authToken=***",
		"run: npm config set //a.test/:_authToken hunter2":        "run: npm config set //a.test/:_authToken ***",
		"run: curl -H 'Authorization: Bearer hunter2hunter2' x":   "run: curl -H 'Authorization: ***",
		"run: curl -H Bearer\thunter2hunter2 x":                   "run: curl -H Bearer *** x",
		"run: tool --token hunter2 --password='hunter3' x":        "run: tool --token *** --password=*** x",
		"  NPM_TOKEN: hunter2":                                    "  NPM_TOKEN: ***",
		"run: echo ghp_hunterhunterhunter2 | x":                   "run: echo *** | x",
		"url = //ci:hunter2@git.test/x":                           "url = //***@git.test/x",
		"GOAUTH=netrc":                                            "GOAUTH=***",
		"machine a.test login ci password hunter2":                "machine a.test login ci password ***",
		"https://a.test/x?token=hunter2&b=c":                      "https://a.test/x?token=***",
		"\tgolang.org/x/oauth2 v0.30.0 // indirect":               "\tgolang.org/x/oauth2 v0.30.0 // indirect",
		`    "node_modules/js-tokens": {`:                         `    "node_modules/js-tokens": {`,
		`      "resolved": "https://a.test/js-tokens-4.0.0.tgz",`: `      "resolved": "https://a.test/js-tokens-4.0.0.tgz",`,
		`  resolution: "foo@npm:bar@1.0.0"`:                       `  resolution: "foo@npm:bar@1.0.0"`,
		"replace example.test/auth => ../auth":                    "replace example.test/auth => ../auth",
		"github.com/x/token v1.0.0 h1:abc=":                       "github.com/x/token *** h1:abc=", // dearer than a secret that is shown
	} {
		if got := mask(line); got != want {
			t.Errorf("%q\n got %q\nwant %q", line, got, want)
		}
	}
}

// FuzzExcerpt: whatever stands around it, a secret is not shown, and what is shown is short and one line.
func FuzzExcerpt(f *testing.F) {
	f.Add("{\"a\": \"", "\"}\n", 1, 3)
	f.Add("a\n\té\xff", " b", 2, 1)
	f.Fuzz(func(t *testing.T, head, tail string, line, column int) {
		for _, secret := range []string{" //a.test/:_authToken=hunter2", " https://ci:hunter2@a.test/", " npmAuthToken: hunter2", " \"_password\": \"hunter2\""} {
			if strings.Contains(head+tail, "hunter") {
				return
			}
			e, ok := ExcerptAt([]byte(head+secret+tail), Position{Line: line % 10, Column: column % 20000})
			if !ok {
				continue
			}
			if strings.Contains(e.Text, "hunter2") || strings.Contains(e.Text, "\n") || e.Caret < 0 || e.Caret > len(e.Text) || utf8.RuneCountInString(e.Text) > excerptBefore+excerptAfter+2 {
				t.Errorf("%q %d", e.Text, e.Caret)
			}
		}
	})
}

func BenchmarkExcerpt(b *testing.B) {
	data := []byte(strings.Repeat("x", 20<<20))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		ExcerptAt(data, Position{Line: 1, Column: 10 << 20})
	}
}
