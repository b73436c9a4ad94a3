package golang

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/source"
)

// foreignKey is a valid verifier key that nobody vouches for.
const foreignKey = "other.test+eccdbb2a+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"

func TestParseProxies(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                          "",
		"https://a.test,direct":     "url:https://a.test ,direct:direct",
		"https://a.test|b.test":     "url+:https://a.test |url:https://b.test",
		"a.test:8080/x":             "url:https://a.test:8080/x",
		" off , https://a.test":     "off+:off ,url:https://a.test",
		"direct|https://a.test":     "direct+:direct |url:https://a.test",
		",|, ":                      "invalid:",
		"word":                      "invalid:word",
		"ftp://a.test":              "invalid:ftp://a.test",
		"file:///srv":               "file:file:///srv",
		"file:///srv?x":             "invalid:file:///srv?x",
		"/srv/mod":                  "invalid:/srv/mod",
		"https://a.test,,|b.test":   "url+:https://a.test ,url:https://b.test",
		`https://a.test\@b.test`:    `invalid:https://a.test\@b.test`,
		"https://user:p@a.test/go/": "url:https://user:p@a.test/go/",
	} {
		var got []string
		for _, p := range parseProxies(value, "linux") {
			kind := p.Kind
			if p.Followed {
				kind += "+"
			}
			got = append(got, p.Before+kind+":"+p.raw)
			if (p.Place == nil) != (p.Kind == "direct" || p.Kind == "off" || p.Kind == "file") || p.Kind == "invalid" && p.Place.Broken == "" {
				t.Errorf("%q: place %+v", value, p.Place)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

func TestParseSumDB(t *testing.T) {
	t.Parallel()
	genuine := database{mode: on, name: defaultDB, key: defaultKey, known: true}
	at := func(d database, url string) database { d.url = url; return d }
	other := database{mode: on, name: "other.test", key: foreignKey}
	trusted := other
	trusted.known = true
	for _, tt := range []struct {
		value   string
		trusted []string
		want    database
	}{
		{"", nil, genuine},
		{"sum.golang.org", nil, genuine},
		{" sum.golang.org ", nil, genuine},
		{defaultKey, nil, genuine},
		{"sum.golang.google.cn", nil, at(genuine, "https://sum.golang.google.cn")},
		{"sum.golang.org https://log.test/x/", nil, at(genuine, "https://log.test/x")},
		{"off", nil, database{mode: off}},
		{"off ", nil, database{mode: invalid}},
		{"sum.golang.org\r", nil, genuine},
		{foreignKey, nil, other},
		{foreignKey, []string{foreignKey}, trusted},
		{foreignKey + " http://127.0.0.1:8080", nil, at(other, "http://127.0.0.1:8080")},
		{"sum.golang.org+00000000+" + defaultKey[24:], nil, database{mode: invalid}},
		{"gosum.io", nil, database{mode: invalid}},
		{"sum.golang.org https://a.test b", nil, database{mode: invalid}},
		{"sum.golang.org ftp://a.test", nil, database{mode: invalid}},
		{"sum.golang.org nonsense", nil, database{mode: invalid}},
	} {
		if diff := cmp.Diff(tt.want, parseSumDB(tt.value, tt.trusted), cmp.AllowUnexported(database{})); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", tt.value, diff)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "off": "off", "https://a.test/x,direct": "https://a.test/x,direct", "a.test|direct": "a.test|direct",
		"https://u:p@a.test|direct": "https://***@a.test|direct", "u:p@a.test/x,direct": "***@a.test/x,direct", "a.test u:p@b.test": "a.test ***@b.test",
		"https://a.test/,u:p/q@b.test": "https://a.test/,***@b.test", "u:p@q@b.test": "***@b.test", "https://a.test/m@v1": "https://a.test/m@v1",
	} {
		if got := shown(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestBroad(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"*", "**", "?*", "*/*", "*.*", "*.com", "*.cn", "*.co.uk", "*.com/*", "github.com", "github.com/", "github.com/*", "github.com/*/*",
		"git*", "g[a-z]*.com", "golang.org", "golang.org/x", "golang.org/x/*", "gopkg.in", "go.uber.org/*", "k8s.io", "bitbucket.org"} {
		if !broad(p) {
			t.Errorf("%s is not broad", p)
		}
	}
	for _, p := range []string{"corp.test", "*.corp.test", "*.corp", "*.internal", "github.com/own", "github.com/own/*", "github.com/*/private", "*.gitlab.com",
		"golang.org/x/mod", "errors", "none", "[", "git.corp.test/*", "*.example.com"} {
		if broad(p) {
			t.Errorf("%s is broad", p)
		}
	}
}

func TestParsePatterns(t *testing.T) {
	t.Parallel()
	want := []decide.Pattern{{Pattern: "a.test"}, {Pattern: "b.test", Spaced: true}, {Pattern: "errors", Hostless: true}, {Pattern: "*corp"},
		{Pattern: "*", Spaced: true, Broad: true}}
	got := parsePatterns(setting{value: "none,a.test, b.test ,,errors,*corp, *"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseFlags(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                              "",
		"-mod=mod --modcacherw":         "mod=mod modcacherw=",
		`'-exec=a b' "-overlay=c d"	-x`: "exec=a b overlay=c d x=",
		"-ldflags=-X=a.b=token":         "ldflags=***",
		"-toolexec=https://u:p@a.test":  "toolexec=https://***@a.test",
		`"-mod=mod`:                     "!",
		`-x '-mod=mod secret`:           "!",
		"-ldflags=-X secret=1":          "ldflags=*** !",
		"---x":                          "!",
		"-":                             "!",
		"-=x":                           "!",
	} {
		var got []string
		for _, f := range parseFlags(setting{value: value}) {
			if f.Broken == "" {
				got = append(got, f.Name+"="+f.Value)
			} else if got = append(got, "!"); f.Name+f.Value != "" || strings.Contains(f.Broken, "secret") {
				t.Errorf("%q: quoted in %+v", value, f)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

func FuzzParseProxies(f *testing.F) {
	for _, s := range []string{"https://a.test,direct", "a.test|off", ",,|", "file:///x", "\x00", "https://[::1]:80/|x", ":/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		list := parseProxies(value, "linux")
		if len(list) > len(value)/2+1 {
			t.Fatalf("%d entries of %d bytes", len(list), len(value))
		}
		valid := true
		for _, p := range list {
			valid = valid && p.Kind != "invalid"
			if p.Kind == "url" {
				if loc, err := source.Locate(p.raw); err != nil || loc.Scheme != "http" && loc.Scheme != "https" {
					t.Fatalf("%q is a url, and %v %v", p.raw, loc, err)
				}
			}
		}
		if again := parseProxies(renderProxies(list), "linux"); valid && renderProxies(again) != renderProxies(list) {
			t.Fatalf("%q is not stable: %q, %q", value, renderProxies(list), renderProxies(again))
		}
	})
}

func FuzzParseSumDB(f *testing.F) {
	for _, s := range []string{"", "off", defaultKey, "sum.golang.org https://a.test", foreignKey + " x", "a+b+c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d := parseSumDB(value, nil)
		if d.known && d.key != defaultKey {
			t.Fatalf("%q: vouched for %q", value, d.key)
		}
		if d.mode == on && parseSumDB(d.setting(d.url), nil) != d {
			t.Fatalf("%q: %+v is written as %q", value, d, d.setting(d.url))
		}
	})
}

func FuzzPatterns(f *testing.F) {
	for _, s := range []string{"a.test, b.test", "*", " *,[", "*.co.uk/", "github.com/*", "a.test,\u00a0*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wasBroad := map[string]bool{}
		for _, p := range parsePatterns(setting{value: value}) {
			wasBroad[p.Pattern] = p.Broad && !p.Spaced || wasBroad[p.Pattern]
		}
		normal := normalPatterns(value)
		if normalPatterns(normal) != normal {
			t.Fatalf("%q is not stable: %q", value, normal)
		}
		for _, p := range parsePatterns(setting{value: normal}) {
			if p.Broad && !p.Spaced && !wasBroad[p.Pattern] {
				t.Fatalf("%q: mending made %q broad", value, p.Pattern)
			}
		}
	})
}

func FuzzSplitFlags(f *testing.F) {
	for _, s := range []string{"-a -b", `"-a b" '-c'`, `"`, "'x'y", "\t-a=\"b\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		words, err := splitFlags(value)
		if n := len(strings.Join(words, "")); n > len(value) || err == nil && len(words) == 0 && strings.Trim(value, " \t\r\n") != "" {
			t.Fatalf("%q: %q", value, words)
		}
		if flags := parseFlags(setting{value: value}); len(flags) > len(words)+1 || err != nil && (len(flags) != 1 || flags[0].Broken == "") {
			t.Fatalf("%q: %+v", value, flags)
		}
	})
}

func FuzzParseEnv(f *testing.F) {
	for _, s := range []string{goEnv, "A=1\r\nB\n=x\nC=", "\xff\x00=\nZ=\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := strings.Split(string(data), "\n")
		for _, l := range parseEnv(data) {
			if l.key+"="+l.value != lines[l.line-1] {
				t.Fatalf("line %d is %q, got %q=%q", l.line, lines[l.line-1], l.key, l.value)
			}
		}
	})
}
