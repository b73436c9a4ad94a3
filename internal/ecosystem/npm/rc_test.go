package npm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/toolfile"
)

func TestParseRC(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string // key|value line:column
	}{
		"plain":                      {"registry=https://r.test/\n", []string{"registry|https://r.test/ 1:10"}},
		"spaces":                     {"\n  registry \t=  https://r.test/ \r\n", []string{"registry|https://r.test/ 2:16"}},
		"comments":                   {"; a=b\n # c=d\nregistry = https://r.test/ ; not this\n", []string{"registry|https://r.test/ 3:12"}},
		"a comment in a key":         {"registry;x=https://r.test/", []string{"registry|https://r.test/ 1:12"}},
		"escapes":                    {`a=b\;c\#d\\e\f`, []string{`a|b;c#d\e\f 1:3`}},
		"double quotes":              {`registry="https://r.test/;x\u0041"`, []string{"registry|https://r.test/;xA 1:10"}},
		"single quotes":              {`'registry' = 'https://r.test/;x'`, []string{"registry|https://r.test/;x 1:14"}},
		"a list as a name":           {`'["registry"]'=https://r.test/`, []string{"registry|https://r.test/ 1:16"}},
		"broken quotes":              {`a="b`, []string{`a|"b 1:3`}},
		"key without value":          {"save-exact\nempty=\n", []string{"save-exact|true 1:1", "empty| 2:1"}},
		"list":                       {"ca[]=one\nca[] = two", []string{"ca[]|one 1:6", "ca[]|two 2:8"}},
		"equals sign in the value":   {"a=b=c", []string{"a|b=c 1:3"}},
		"a section means nothing":    {"a=1\n[other]\nregistry=https://r.test/\n", []string{"a|1 1:3"}},
		"brackets within":            {" [a]=b\n", []string{"[a]|b 1:6"}},
		"lone carriage return":       {"a=1\rregistry=https://r.test/\nb=2", []string{"a|1 1:3", "registry|https://r.test/ 1:14", "b|2 2:3"}},
		"a space to JavaScript":      {"a=1\n\ufeffregistry\ufeff=\ufeffhttps://r.test/\ufeff;x\n\ufeff#b=1", []string{"a|1 1:3", "registry|https://r.test/ 2:16"}},
		"no space to JavaScript":     {"registry\u0085=https://r.test/\u0085", []string{"registry\u0085|https://r.test/\u0085 1:12"}},
		"byte order mark":            {"\ufeffa=1", []string{"a|1 1:3"}},
		"credentials are not kept":   {"//r.test/:_authToken=s3cret\n_auth=s3cret\n_password = s3cret\nusername=s3cret\nemail=s3cret\n@x:_authToken=s3cret\n${A}//r.test/:_authToken=s3cret", []string{"//r.test/:_authToken|*** 1:22", "_auth|*** 2:7", "_password|*** 3:13", "username|*** 4:10", "email|*** 5:7", "@x:_authToken|*** 6:15", "${A}//r.test/:_authToken|*** 7:26"}},
		"variables are not expanded": {"registry=${HOME}", []string{"registry|${HOME} 1:10"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, err := parseRC(lockfile.File{Path: ".npmrc", Data: []byte(c.text)})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range lines {
				key := l.key
				if l.list {
					key += "[]"
				}
				got = append(got, fmt.Sprintf("%s|%s %d:%d", key, l.value, l.at.Line, l.at.Column))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseRCRefusesWhatIsNoText(t *testing.T) {
	t.Parallel()
	for text, where := range map[string]string{
		"\xff\xfer\x00e\x00":     ".npmrc:1:1",
		"a=1\nregistry=x\x00y\n": ".npmrc:2:1",
	} {
		_, err := parseRC(lockfile.File{Path: ".npmrc", Data: []byte(text)})
		var p *problem.Problem
		if !errors.As(err, &p) || p.Code != problem.Usage || p.Op != where {
			t.Errorf("%q: got %v, want a problem at %s", text, err, where)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "a", "EMPTY": ""}[name]
		return v, ok
	}
	for text, want := range map[string]string{
		"x":               "x",
		"${A}":            "a",
		"x${A}y${A}z":     "xayaz",
		"${EMPTY}":        "",
		"${NONE}":         "${NONE}",
		"${NONE?}x":       "x",
		`\${A}`:           "${A}",
		`\\${A}`:          `\a`,
		"${A":             "${A",
		"${${A}}":         "${a}",
		"${}":             "${}",
		"${NONE} and ${A": "${NONE} and ${A",
	} {
		if got := toolfile.ExpandRC(text, lookup); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func FuzzParseRC(f *testing.F) {
	f.Add([]byte("registry=https://r.test/ ; c\r\n@s:registry = 'x'\n//r.test/:_authToken=${T}\n[s]\na[]=\"b\"\n"))
	f.Add([]byte("'\n=\n[]=\n\\=\\\n\"\"=''\n"))
	f.Add([]byte("${${A?}}\\${=${"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := parseRC(lockfile.File{Path: ".npmrc", Data: data})
		if err != nil {
			return
		}
		rows := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
		for _, l := range lines {
			if l.at.Line < 1 || l.at.Line > len(rows) || l.at.Column < 1 || l.at.Column > len(rows[l.at.Line-1]) {
				t.Fatalf("%+v is outside of the file", l)
			}
			if isSecret(l.key) && l.value != hidden {
				t.Fatalf("%+v is shown", l)
			}
			if got := toolfile.ExpandRC(l.value, func(string) (string, bool) { return "", true }); len(got) > len(l.value) {
				t.Fatalf("%q grew to %q", l.value, got)
			}
		}
		for _, v := range checkoutValues(lines) {
			v.setting()
		}
	})
}
