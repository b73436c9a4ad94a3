package npm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/lockfile"
)

func TestHandOver(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(".npmrc", "@corp:registry=https://npm.corp.test\n//b.test/:_authToken=known")
	put("section", "a=b\n[x]\nc=d\n")
	place := func(rawurl string) credential.Grant {
		at, fault := credential.Place(rawurl)
		if fault != "" {
			t.Fatal(fault)
		}
		return credential.Grant{At: at, From: "config.yaml:1"}
	}
	with := func(rawurl string, c credential.Credential, err error) credential.Grant {
		if err != nil {
			t.Fatal(err)
		}
		g := place(rawurl)
		g.Credential = c
		return g
	}
	bearer := func(rawurl, token string) credential.Grant {
		c, err := credential.NewBearer(token)
		return with(rawurl, c, err)
	}
	basic, err := credential.NewBasic("ci", "pass")
	header, e := credential.NewHeader("X-Key", "secret")
	for name, tt := range map[string]struct {
		grant     credential.Grant
		env       []string
		want      string
		variables string
		note      string
	}{
		"a token":           {bearer("https://a.test:8443/team", "tok.en"), nil, "@corp:registry=https://npm.corp.test\n//b.test/:_authToken=known\n//a.test:8443/team/:_authToken=tok.en\n", "npm_config_userconfig", ""},
		"is known":          {bearer("https://b.test", "known"), nil, "", "", ""},
		"another is known":  {bearer("https://b.test", "new"), nil, "@corp:registry=https://npm.corp.test\n//b.test/:_authToken=known\n//b.test/:_authToken=new\n", "npm_config_userconfig", ""},
		"a login":           {with("http://127.0.0.1:9", basic, err), []string{"npm_config_userconfig=" + home + "/none"}, "//127.0.0.1:9/:_auth=Y2k6cGFzcw==\n", "npm_config_userconfig", ""},
		"before a section":  {bearer("https://[2001:db8::1]", "t"), []string{"NPM_CONFIG_USERCONFIG=" + home + "/section"}, "a=b\n//[2001:db8::1]/:_authToken=t\n[x]\nc=d\n", "npm_config_userconfig NPM_CONFIG_USERCONFIG", ""},
		"a header":          {with("https://a.test", header, e), nil, "", "", "sends no headers of one's own"},
		"no file of users'": {bearer("https://a.test", "t"), []string{"npm_config_userconfig=" + home}, "", "", "cannot be put in front"},
		"the checkout's":    {bearer("https://a.test", "t"), []string{"npm_config_userconfig=.npmrc"}, "", "", "may have written it"},
	} {
		m := machine(append([]string{"HOME=" + home}, tt.env...)...)
		r := &room{m: m, co: checkout(t, nil)}
		changes, notes := r.handOver([]credential.Grant{tt.grant})
		got, variables := "", []string{}
		for _, c := range changes {
			got, variables = string(c.File.Data), append(variables, c.Name)
		}
		if got != tt.want || strings.Join(variables, " ") != tt.variables || (tt.note == "") != (len(notes) == 0) || tt.note != "" && !strings.Contains(notes[0], tt.note) {
			t.Errorf("%s: got %q by %q, notes %q; want %q by %q, %q", name, got, variables, notes, tt.want, tt.variables, tt.note)
		}
	}
	// the registries of scopes are asked, too
	if eco := open(t, machine("HOME="+home), map[string]string{"package.json": "{}"}); !slices.Contains(eco.Further, "https://npm.corp.test") {
		t.Errorf("further %q", eco.Further)
	}
}

// Whatever the user's file holds, npm reads our lines, and reads of the rest what it did before.
func FuzzWithLines(f *testing.F) {
	for _, text := range []string{"", "a=b", "[x]\na=b", "a=b\r\n[x]\r\n", " [x]\n[y]\n", "a=\rb\r[x]\r", ";[x]\n[x] ; y"} {
		f.Add(text)
	}
	const ours = "//a.test/:_authToken=t"
	f.Fuzz(func(t *testing.T, text string) {
		before, err := parseRC(lockfile.File{Path: "f", Data: []byte(text)})
		if err != nil {
			return
		}
		after, err := parseRC(lockfile.File{Path: "f", Data: []byte(withLines(text, []string{ours}))})
		if err != nil || len(after) != len(before)+1 {
			t.Fatalf("%q: %d lines became %d, %v", text, len(before), len(after), err)
		}
		if last := after[len(after)-1]; last.key != "//a.test/:_authToken" {
			t.Errorf("%q: the last is %q", text, last.key)
		}
	})
}
