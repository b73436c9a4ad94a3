package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	c, err := Load([]byte(`credentials:
  - source: https://goproxy.corp.example/go
    type: basic
    username: ci
    password-env: CORP_PASSWORD
  - {source: https://npm.corp.example, type: header, header: X-JFrog-Art-Api, token-env: KEY_2}
  - {source: https://npm.corp.example, type: mtls, cert-file: /etc/ci/c.pem, key-file: ~/k.pem}
  - {source: "https://npm.corp.example:8443", type: oidc, token-endpoint: https://sts.example/token, audience: corp, scope: read write, subject-token-env: ID_TOKEN, subject-token-type: id_token}
  - source: https://x.example
    type: netrc
`), File, false, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Credential{
		{Source: "https://goproxy.corp.example/go", Type: "basic", Username: "ci", PasswordEnv: "CORP_PASSWORD", Origin: File + ":2"},
		{Source: "https://npm.corp.example", Type: "header", Header: "X-JFrog-Art-Api", TokenEnv: "KEY_2", Origin: File + ":6"},
		{Source: "https://npm.corp.example", Type: "mtls", CertFile: "/etc/ci/c.pem", KeyFile: "~/k.pem", Origin: File + ":7"},
		{Source: "https://npm.corp.example:8443", Type: "oidc", TokenEndpoint: "https://sts.example/token", Audience: "corp", Scope: "read write",
			SubjectTokenEnv: "ID_TOKEN", SubjectTokenType: "id_token", Origin: File + ":8"},
		{Source: "https://x.example", Type: "netrc", Origin: File + ":9"},
	}
	if d := gocmp.Diff(want, c.Credentials.V); d != "" {
		t.Error(d)
	}
	if got := c.Credentials.V[0].Variables(); len(got) != 1 || got[0] != "CORP_PASSWORD" {
		t.Errorf("variables %q", got)
	}
}

// Each mistake is told with its line, what is allowed and what to do; nothing that may be a secret is.
func TestCredentialsRefused(t *testing.T) {
	t.Parallel()
	const leak = "ghp_S3cretS3cret"
	for text, want := range map[string][]string{
		"{source: https://a.example, type: bearer, token-env: " + leak + "}":                                                    {":2:", "token-env", "no name of a variable", "capital letters"},
		"{source: https://a.example, type: basic, username: ci, password-env: " + leak + "}":                                    {"password-env", "no name of a variable"},
		"{source: https://a.example, type: basic, username: ci, password: " + leak + "}":                                        {`"password" is no key`, "allowed: source, type, username, password-env", "never stands in this file"},
		"{source: https://a.example, type: bearer, token: " + leak + "}":                                                        {`"token" is no key`, "allowed:"},
		"{source: \"https://ci:" + leak + "@a.example\", type: bearer, token-env: T}":                                           {"source:", "holds a name or a password"},
		"{source: https://a.example, type: basic, username: \"ci:" + leak + "\", password-env: P}":                              {"username", "colon"},
		"{source: http://a.example, type: bearer, token-env: T}":                                                                {`"http://a.example"`, "plain http", "https"},
		"{source: a.example, type: bearer, token-env: T}":                                                                       {"no usable address"},
		"{source: https://a.example/x/../y, type: bearer, token-env: T}":                                                        {"read in different ways"},
		"{source: https://a.example, type: token, token-env: T}":                                                                {`type: "token" is not allowed`, "allowed: basic, bearer, header, mtls, oidc, netrc"},
		"{source: https://a.example, type: bearer}":                                                                             {"type bearer has no token-env"},
		"{source: https://a.example, token-env: T}":                                                                             {"an entry has no type"},
		"{type: bearer, token-env: T}":                                                                                          {"an entry has no source"},
		"{source: https://a.example, type: netrc, token-env: T}":                                                                {"token-env is no key of type netrc", "allowed: source, type"},
		"{source: https://a.example, type: mtls, cert-file: c.pem, key-file: /k.pem}":                                           {"cert-file", "no file of the machine", "absolute path"},
		"{source: https://a.example/x, type: mtls, cert-file: /c.pem, key-file: /k.pem}":                                        {"has a path"},
		"{source: https://a.example, type: header, header: \"A: b\", token-env: T}":                                             {"no name of a header"},
		"{source: https://a.example, type: oidc, token-endpoint: http://sts.example}":                                           {"token-endpoint", "plain http"},
		"{source: https://a.example, type: oidc, token-endpoint: https://s.example, subject-token-type: saml2}":                 {"allowed: jwt, id_token, access_token"},
		"{source: https://a.example, type: oidc, token-endpoint: https://s.example, subject-token-env: T, subject-audience: a}": {"leave one of them out"},
		leak: {"credentials holds plain text"},
		"{source: https://a.example, type: netrc}\n  - {source: \"https://A.example:443/\", type: netrc}": {":3:", "has one already, in line 2"},
		"{source: https://a.example, type: netrc, type: bearer}":                                          {"written twice"},
		"{source: [" + leak + "], type: netrc}":                                                           {"source is empty, too long or no plain text"},
	} {
		_, err := Load([]byte("credentials:\n  - "+text+"\n"), File, false, nil, nil)
		if problem.CodeOf(err) != problem.Usage {
			t.Errorf("%s: %v", text, err)
			continue
		}
		p, _ := errors.AsType[*problem.Problem](err)
		all := fmt.Sprint(err, p.Excerpt)
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%s: without %q: %s", text, w, all)
			}
		}
		if strings.Contains(all, leak) || p.Hint == "" {
			t.Errorf("%s: tells a secret, or no next step: %s", text, all)
		}
	}
	for _, text := range []string{"credentials: https://a.example", "credentials: {source: x}", "credentials:"} {
		if _, err := Load([]byte(text), File, false, nil, nil); problem.CodeOf(err) != problem.Usage {
			t.Errorf("%s: %v", text, err)
		}
	}
	many := "credentials:\n"
	for i := range maxCredentials + 1 {
		many += fmt.Sprintf("  - {source: https://a%d.example, type: netrc}\n", i)
	}
	if _, err := Load([]byte(many), File, false, nil, nil); err == nil {
		t.Error("a list without end is taken")
	}
}

// A change can neither add a credential nor send one elsewhere.
func TestCredentialsOfTheBase(t *testing.T) {
	t.Parallel()
	load := func(text string) Config {
		t.Helper()
		c, err := Load([]byte(text), File, false, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const entry = "credentials: [{source: https://%s, type: bearer, token-env: CORP_TOKEN}]\n"
	base, head := load(fmt.Sprintf(entry, "corp.example")), load(fmt.Sprintf(entry, "evil.example"))
	if got := base.Stricter(head).Credentials.V; len(got) != 1 || got[0].Source != "https://corp.example" {
		t.Errorf("redirected: %+v", got)
	}
	if got := load("mode: audit\n").Stricter(head).Credentials; got.Given() || got.V != nil {
		t.Errorf("added: %+v", got)
	}
}
