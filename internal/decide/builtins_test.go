package decide

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/internal/problem"
)

// ask is what a policy gets for an expression, as JSON; undefined is empty.
func ask(t *testing.T, expression string) (string, error) {
	t.Helper()
	e, err := NewRaw(Policies{Modules: []Module{{"p.rego", "package p\n\ndeny contains json.marshal(x) if x := " + expression + "\n"}}}, false, Options{})
	if err != nil {
		return "", err
	}
	found, err := e.EvalRaw(t.Context(), map[string]any{}, "x")
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].Message, nil
}

func TestBuiltins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ expression, want string }{
		{`goproxy.host_match("a.test", "a.test")`, "true"},
		{`goproxy.host_match(["b.test", "A.test"], "a.TEST.")`, "true"},
		{`goproxy.host_match({"a.test"}, "a.test:8443")`, "true"},
		{`goproxy.host_match(["a.test:8443"], "a.test:8443")`, "true"},
		{`goproxy.host_match(["a.test:8443"], "a.test")`, "false"},
		{`goproxy.host_match([".corp.test"], "x.corp.test:1")`, "true"},
		{`goproxy.host_match([".corp.test"], "corp.test")`, "false"},
		{`goproxy.host_match([".corp.test"], "evilcorp.test")`, "false"},
		{`goproxy.host_match(["corp.test"], "x.corp.test")`, "false"},
		{`goproxy.host_match(["2001:db8::1"], "[2001:db8::1]:8443")`, "true"},
		{`goproxy.host_match(["2001:db8::1"], "2001:db8::1")`, "true"},
		{`goproxy.host_match(["2001"], "2001:db8::1")`, "false"},
		{`goproxy.host_match([], "a.test")`, "false"},
		{`goproxy.host_match(["*.a.test"], "b.a.test")`, `error "*.a.test" is no host`},
		{`goproxy.host_match([""], "b.a.test")`, `error "" is no host`},
		{`goproxy.module_match("golang.org/x,*.corp.test", "golang.org/x/mod")`, "true"},
		{`goproxy.module_match(["*.corp.test"], "git.corp.test/a/b")`, "true"},
		{`goproxy.module_match("golang.org/x", "golang.org/xevil")`, "false"},
		{`goproxy.module_match("", "golang.org/x")`, "false"},
		{`goproxy.module_match(["[a"], "golang.org/x")`, `error "[a" is no pattern`},
		{`goproxy.module_match("a, b", "b")`, `error " b" is no pattern`},
		{`goproxy.semver("v1.2.3-rc.1+incompatible")`, `{"build":"incompatible","canonical":"v1.2.3-rc.1","major":"v1","prerelease":"rc.1","pseudo":false}`},
		{`goproxy.semver("1.2.3").canonical`, `"v1.2.3"`},
		{`goproxy.semver("latest")`, ""},
		{`goproxy.semver("v0.0.0-20240102030405-0123456789ab").pseudo`, "true"},
		{`goproxy.semver_compare("v1.10.0", "1.9.0")`, "1"},
		{`goproxy.semver_compare("v1.0.0-rc.1", "v1.0.0")`, "-1"},
		{`goproxy.semver_compare("v1.0.0", "one")`, `error "one" is no version`},
		{`goproxy.pseudo("v1.2.4-0.20240102030405-0123456789ab")`, `{"base":"v1.2.3","revision":"0123456789ab","time":"2024-01-02T03:04:05Z"}`},
		{`goproxy.pseudo("v1.2.3")`, ""},
		{`goproxy.purl("npm", "@scope/name", "1.0.0+x")`, `"pkg:npm/%40scope/name@1.0.0%2Bx"`},
		{`goproxy.purl("go", "golang.org/x/mod", "")`, `"pkg:golang/golang.org/x/mod"`},
		{`goproxy.purl("pip", "a", "1")`, `error "pip" is no ecosystem`},
		{`goproxy.purl_parse("pkg:npm/%40scope/name@1.0.0?arch=x86%2064#sub/dir")`,
			`{"name":"name","namespace":"@scope","qualifiers":{"arch":"x86 64"},"subpath":"sub/dir","type":"npm","version":"1.0.0"}`},
		{`goproxy.purl_parse("pkg:golang/golang.org/x/mod@v0.1.0").namespace`, `"golang.org/x"`},
		{`goproxy.purl_parse("pkg:npm/@scope/name").name`, `"name"`},
		{`goproxy.purl_parse("npm/name")`, `error "npm/name" is no package URL`},
		{`goproxy.purl_parse("pkg:npm")`, `error "pkg:npm" is no package URL`},
		{`goproxy.purl_parse("pkg:npm/a%2")`, "is no package URL"},
	} {
		got, err := ask(t, tt.expression)
		if want, fails := strings.CutPrefix(tt.want, "error "); fails || err != nil {
			if problem.CodeOf(err) != problem.Usage && err != nil && !strings.Contains(err.Error(), "p.rego:3:") || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, %v, want the error %q", tt.expression, got, err, want)
			}
			continue
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.expression, got, tt.want)
		}
	}
}

// Other tools read the capabilities as they are.
func TestExportedCapabilities(t *testing.T) {
	t.Parallel()
	text, err := Capabilities()
	if err != nil {
		t.Fatal(err)
	}
	c, err := ast.LoadCapabilitiesJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, b := range c.Builtins {
		names[b.Name] = true
	}
	for _, x := range extensions() {
		if !names[x.decl.Name] {
			t.Errorf("%s is not exported", x.decl.Name)
		}
	}
	if names["http.send"] || names["opa.runtime"] || c.AllowNet == nil || len(c.AllowNet) > 0 {
		t.Error("the network or the environment is exported")
	}
	var raw map[string]any
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	m, err := ast.ParseModuleWithOpts("p.rego", "package p\n\ndeny contains \"x\" if goproxy.host_match([\".corp.test\"], input.host)\n", ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		t.Fatal(err)
	}
	compiler := ast.NewCompiler().WithCapabilities(c).WithStrict(true)
	if compiler.Compile(map[string]*ast.Module{"p.rego": m}); compiler.Failed() {
		t.Error(compiler.Errors)
	}
}

// A package URL that can be read is written again by its parts.
func FuzzPURL(f *testing.F) {
	for _, s := range []string{"pkg:npm/%40scope/name@1.0.0", "pkg:golang/golang.org/x/mod@v0.1.0?a=b#c", "pkg:npm/a%2Fb", "pkg:/", "pkg:npm/@", "pkg:npm/a@b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := purlParts([]*ast.Term{ast.StringTerm(text)})
		if err != nil {
			return
		}
		get := func(key string) string { return str(parts.Get(ast.StringTerm(key))) }
		if get("type") != "npm" || get("namespace") != "" || strings.Contains(get("name"), "/") {
			return
		}
		again, err := makePURL([]*ast.Term{ast.StringTerm("npm"), ast.StringTerm(get("name")), ast.StringTerm(get("version"))})
		if err != nil {
			t.Fatal(err)
		}
		parts, err = purlParts([]*ast.Term{again})
		if err != nil {
			t.Fatalf("%q gives %s: %v", text, again, err)
		}
		if fmt.Sprint(get("name"), get("version")) == "" {
			t.Errorf("%q lost its name", text)
		}
	})
}
