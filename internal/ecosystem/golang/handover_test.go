package golang

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/credential"
)

func grant(t *testing.T, rawurl string, c credential.Credential, err error) credential.Grant {
	t.Helper()
	at, fault := credential.Place(rawurl)
	if err != nil || fault != "" {
		t.Fatal(err, fault)
	}
	return credential.Grant{At: at, Credential: c, From: "config.yaml:1"}
}

// What go can be told by which of its settings, and what it cannot be told.
func TestHandOver(t *testing.T) {
	t.Parallel()
	bearer, err := credential.NewBearer("tok.en")
	login, e := credential.NewBasic("ci", "pass")
	odd, o := credential.NewBasic("ci", "pa ss'word")
	home := write(t, map[string]string{"other/x": "", "netrc": "machine a.test login ci password pass\n"})
	for name, tt := range map[string]struct {
		grant     credential.Grant
		env       map[string]string
		os        string
		installed string
		want      string // variable=content of the file
		value     string
		note      string
	}{
		"a login":                   {grant: grant(t, "https://a.test:8443", login, e), want: "NETRC=machine a.test:8443 login ci password pass\n", value: "/run/netrc"},
		"is known already":          {grant: grant(t, "https://a.test", login, e), env: map[string]string{"NETRC": filepath.Join(home, "netrc")}},
		"another is known":          {grant: grant(t, "https://a.test", odd, o), env: map[string]string{"NETRC": filepath.Join(home, "netrc")}, want: "GOAUTH=printf '%s\\n' 'https://a.test' '' 'Authorization: Basic Y2k6cGEgc3Mnd29yZA==' ''\n", value: "/bin/sh /run/goauth.sh;netrc"},
		"a login with a path":       {grant: grant(t, "https://a.test/go", login, e), want: "GOAUTH=printf '%s\\n' 'https://a.test/go' '' 'Authorization: Basic Y2k6cGFzcw==' ''\n", value: "/bin/sh /run/goauth.sh;netrc"},
		"GOAUTH is off":             {grant: grant(t, "https://a.test", login, e), env: map[string]string{"GOAUTH": "off"}, want: "GOAUTH=printf '%s\\n' 'https://a.test' '' 'Authorization: Basic Y2k6cGFzcw==' ''\n", value: "/bin/sh /run/goauth.sh"},
		"GOAUTH is another":         {grant: grant(t, "https://a.test", bearer, err), env: map[string]string{"GOAUTH": "git /x; helper 'a b'"}, want: "GOAUTH=printf '%s\\n' 'https://a.test' '' 'Authorization: Bearer tok.en' ''\n", value: "/bin/sh /run/goauth.sh;git /x;helper 'a b'"},
		"a netrc that is no file":   {grant: grant(t, "https://a.test", login, e), env: map[string]string{"NETRC": home}, want: "GOAUTH=printf '%s\\n' 'https://a.test' '' 'Authorization: Basic Y2k6cGFzcw==' ''\n", value: "/bin/sh /run/goauth.sh;netrc"},
		"plain http":                {grant: grant(t, "http://127.0.0.1:9", bearer, err), note: "shows none over plain http"},
		"a certificate":             {grant: grant(t, "https://a.test", credential.Credential{}, nil), note: "no setting for client certificates"},
		"a token, on Windows":       {grant: grant(t, "https://a.test", bearer, err), os: "windows", note: "on Windows"},
		"a login, on Windows":       {grant: grant(t, "https://a.test", login, e), os: "windows", want: "NETRC=machine a.test login ci password pass\n", value: "/run/netrc"},
		"a token, with an older go": {grant: grant(t, "https://a.test", bearer, err), installed: "go1.23.4", note: "it takes go1.24 or later, and go1.23.4 is installed"},
		"a token, with go1.24":      {grant: grant(t, "https://a.test", bearer, err), installed: "go1.24.0", want: "GOAUTH=printf '%s\\n' 'https://a.test' '' 'Authorization: Bearer tok.en' ''\n", value: "/bin/sh /run/goauth.sh;netrc"},
	} {
		m := machine(t, tt.env)
		v, e := read(m, checkout(t, oneModule))
		if e != nil {
			t.Fatal(e)
		}
		if v.installed = tt.installed; tt.os != "" {
			v.m.OS = tt.os
		}
		changes, notes := v.handOver([]credential.Grant{tt.grant})
		got, value := "", ""
		for _, c := range changes {
			text := string(c.File.Data)
			if strings.HasPrefix(text, "# ") {
				_, text, _ = strings.Cut(text, "\n")
			}
			got += c.Name + "=" + text
			if value = "/run/" + c.File.Name; c.File.Value != nil {
				value = c.File.Value(value)
			}
			if c.Value != "" || strings.Contains(c.Shown+c.Why, "pass") || strings.Contains(c.Shown+c.Why, "tok.en") {
				t.Errorf("%s: %+v", name, c)
			}
		}
		if got != tt.want || value != tt.value || (tt.note == "") != (len(notes) == 0) || tt.note != "" && !strings.Contains(notes[0], tt.note) {
			t.Errorf("%s:\n got %q as %q, notes %q\nwant %q as %q, %q", name, got, value, notes, tt.want, tt.value, tt.note)
		}
		for _, c := range changes {
			if c.File.Value == nil {
				continue
			}
			if v := c.File.Value("/a b/goauth.sh"); !strings.HasPrefix(v, "/bin/sh '/a b/goauth.sh'") || c.File.Value("/it's/goauth.sh") != "" || c.File.Value("/a;b/goauth.sh") != "" {
				t.Errorf("%s: an odd path becomes %q", name, v)
			}
		}
	}
}

// A GOAUTH that only looks like ours is somebody's program.
func TestOwnAuth(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	dir := write(t, map[string]string{authScript: "printf x\n"}) // with the mode 0755 of others' files
	for _, command := range []string{"/bin/sh " + filepath.Join(dir, authScript), "/bin/sh goauth.sh", "/bin/sh /nowhere/goauth.sh", "sh /x/goauth.sh", "/bin/sh '"} {
		if got := ownAuth(command); got != "" {
			t.Errorf("%s is taken for ours: %q", command, got)
		}
	}
	v, err := read(machine(t, map[string]string{"GOAUTH": "/bin/sh " + filepath.Join(dir, authScript)}), checkout(t, oneModule))
	if err != nil {
		t.Fatal(err)
	}
	if programs := v.authPrograms(v.set.get("GOAUTH")); len(programs) != 1 {
		t.Errorf("programs %+v", programs)
	}
}
