package decide

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/types"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// denied are the builtins that reach outside, or that let a policy read more than its input.
var denied = map[string]bool{
	ast.HTTPSend.Name: true, ast.OPARuntime.Name: true, ast.NetLookupIPAddr.Name: true,
	ast.RegoParseModule.Name: true, ast.ProvidersAWSSignReqObj.Name: true,
}

// extension is a builtin of ours that policies may call. It is pure: the same arguments have the same answer everywhere.
type extension struct {
	decl rego.Function
	call func(args []*ast.Term) (*ast.Term, error)
}

// extensions are our builtins. They say in one word what takes a loop in Rego, and what is easily written wrong: a suffix without
// its dot, a prefix without its slash.
func extensions() []extension {
	patterns := types.Named("patterns", types.NewAny(types.S, types.NewArray(nil, types.S), types.NewSet(types.S)))
	text := func(name, doc string) types.Type { return types.Named(name, types.S).Description(doc) }
	return []extension{
		{rego.Function{Name: "goproxy.host_match", Description: "Whether a host is on a list as trusted.go has it: a host stands for all its ports, .corp.example for all names below corp.example.",
			Decl: types.NewFunction(types.Args(patterns.Description("hosts, hosts with a port, or domains with a leading dot"), text("host", "a host, with its port where it has one")),
				types.Named("result", types.B))}, hostMatch},
		{rego.Function{Name: "goproxy.module_match", Description: "Whether a module path is matched as GOPRIVATE matches it: each pattern is a glob for the first elements of the path.",
			Decl: types.NewFunction(types.Args(patterns.Description("globs, as one text with commas or a list"), text("module", "a module path")),
				types.Named("result", types.B))}, moduleMatch},
		{rego.Function{Name: "goproxy.semver", Description: "The parts of a version of a module or package; undefined for what is no version. The v in front may be missing.",
			Decl: types.NewFunction(types.Args(text("version", "v1.2.3-rc.1+incompatible")), types.Named("parts", types.NewObject([]*types.StaticProperty{
				types.NewStaticProperty("canonical", types.S), types.NewStaticProperty("major", types.S), types.NewStaticProperty("prerelease", types.S),
				types.NewStaticProperty("build", types.S), types.NewStaticProperty("pseudo", types.B)}, nil)))}, semverParts},
		{rego.Function{Name: "goproxy.semver_compare", Description: "-1, 0 or 1 as one version is less than another, equal, or greater, in the order of the go command.",
			Decl: types.NewFunction(types.Args(text("a", "a version"), text("b", "a version")), types.Named("order", types.N))}, semverCompare},
		{rego.Function{Name: "goproxy.pseudo", Description: "What a pseudo-version is made of; undefined for every other version.",
			Decl: types.NewFunction(types.Args(text("version", "v0.0.0-20240102030405-0123456789ab")), types.Named("parts", types.NewObject([]*types.StaticProperty{
				types.NewStaticProperty("base", types.S), types.NewStaticProperty("time", types.S), types.NewStaticProperty("revision", types.S)}, nil)))}, pseudoParts},
		{rego.Function{Name: "goproxy.purl", Description: "The package URL of a module or package.",
			Decl: types.NewFunction(types.Args(text("ecosystem", "go or npm"), text("name", "a module path or package name"), text("version", "its version, or empty")),
				types.Named("purl", types.S))}, makePURL},
		{rego.Function{Name: "goproxy.purl_parse", Description: "The parts of a package URL.",
			Decl: types.NewFunction(types.Args(text("purl", "pkg:npm/%40scope/name@1.0.0")), types.Named("parts", types.NewObject([]*types.StaticProperty{
				types.NewStaticProperty("type", types.S), types.NewStaticProperty("namespace", types.S), types.NewStaticProperty("name", types.S),
				types.NewStaticProperty("version", types.S), types.NewStaticProperty("subpath", types.S),
				types.NewStaticProperty("qualifiers", types.NewObject(nil, types.NewDynamicProperty(types.S, types.S)))}, nil)))}, purlParts},
	}
}

// functions gives our builtins to a query.
func functions() []func(*rego.Rego) {
	var out []func(*rego.Rego)
	for _, b := range extensions() {
		out = append(out, rego.FunctionDyn(&b.decl, func(_ rego.BuiltinContext, args []*ast.Term) (*ast.Term, error) { return b.call(args) }))
	}
	return out
}

// capabilities are what policies may use of the language: neither network nor environment, and our builtins.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), func(b *ast.Builtin) bool { return denied[b.Name] })
	for _, b := range extensions() {
		c.Builtins = append(c.Builtins, &ast.Builtin{Name: b.decl.Name, Description: b.decl.Description, Decl: b.decl.Decl})
	}
	c.AllowNet = []string{} // nil would allow every host
	return c
}

// Capabilities are what policies may use of the language, in the form that the options --capabilities of opa and
// conftest and the setting of regal read.
func Capabilities() ([]byte, error) {
	// the type leaves out an empty list of hosts, which its readers then take for all
	type exported ast.Capabilities
	text, err := json.MarshalIndent(struct {
		exported
		AllowNet []string `json:"allow_net"`
	}{exported(*capabilities()), []string{}}, "", "  ")
	if err != nil {
		return nil, problem.New(problem.Bug, "capabilities", "", "%w", err)
	}
	return append(text, '\n'), nil
}

func str(t *ast.Term) string { s, _ := t.Value.(ast.String); return string(s) }

// strs are the texts of one text, an array or a set.
func strs(t *ast.Term) []string {
	var out []string
	add := func(t *ast.Term) { out = append(out, str(t)) }
	switch v := t.Value.(type) {
	case ast.String:
		out = append(out, string(v))
	case *ast.Array:
		v.Foreach(add)
	case ast.Set:
		v.Foreach(add)
	}
	return out
}

func object(parts map[string]any) (*ast.Term, error) {
	v, err := ast.InterfaceToValue(parts)
	return ast.NewTerm(v), err
}

func hostMatch(args []*ast.Term) (*ast.Term, error) {
	host := strings.ToLower(strings.TrimSuffix(str(args[1]), "."))
	name, port, ok := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") || !ok || strings.Contains(port, ":") { // an IPv6 address
		name = host
		if i := strings.LastIndex(host, "]:"); i > 0 {
			name = host[1:i]
		}
	}
	for _, entry := range strs(args[0]) {
		if entry == "" || strings.ContainsAny(entry, "*?/@ ,") {
			return nil, fmt.Errorf("%q is no host: write a host like goproxy.cn, or a domain with a leading dot", entry)
		}
		entry = strings.ToLower(entry)
		if entry == host || entry == name || strings.HasPrefix(entry, ".") && strings.HasSuffix(name, entry) {
			return ast.BooleanTerm(true), nil
		}
	}
	return ast.BooleanTerm(false), nil
}

func moduleMatch(args []*ast.Term) (*ast.Term, error) {
	globs := strings.Join(strs(args[0]), ",")
	for glob := range strings.SplitSeq(globs, ",") {
		if _, err := path.Match(glob, ""); err != nil || strings.TrimSpace(glob) != glob {
			return nil, fmt.Errorf("%q is no pattern for module paths", glob)
		}
	}
	return ast.BooleanTerm(module.MatchPrefixPatterns(globs, str(args[1]))), nil
}

// version is a version in Go's spelling; empty for what is none.
func version(t *ast.Term) string {
	v := "v" + strings.TrimPrefix(str(t), "v")
	if !semver.IsValid(v) {
		return ""
	}
	return v
}

func semverParts(args []*ast.Term) (*ast.Term, error) {
	v := version(args[0])
	if v == "" {
		return nil, nil // undefined
	}
	return object(map[string]any{"canonical": semver.Canonical(v), "major": semver.Major(v), "prerelease": strings.TrimPrefix(semver.Prerelease(v), "-"),
		"build": strings.TrimPrefix(semver.Build(v), "+"), "pseudo": module.IsPseudoVersion(v)})
}

func semverCompare(args []*ast.Term) (*ast.Term, error) {
	a, b := version(args[0]), version(args[1])
	for i, v := range []string{a, b} {
		if v == "" {
			return nil, fmt.Errorf("%q is no version", str(args[i]))
		}
	}
	return ast.IntNumberTerm(semver.Compare(a, b)), nil
}

func pseudoParts(args []*ast.Term) (*ast.Term, error) {
	v := version(args[0])
	base, err := module.PseudoVersionBase(v)
	at, err2 := module.PseudoVersionTime(v)
	revision, err3 := module.PseudoVersionRev(v)
	if cmp.Or(err, err2, err3) != nil {
		return nil, nil // undefined
	}
	return object(map[string]any{"base": base, "time": at.UTC().Format(time.RFC3339), "revision": revision})
}

func makePURL(args []*ast.Term) (*ast.Term, error) {
	text := PURL(str(args[0]), str(args[1]), str(args[2]))
	if text == "" {
		return nil, fmt.Errorf("%q is no ecosystem: write go or npm", str(args[0]))
	}
	return ast.StringTerm(text), nil
}

// PURL is the package URL of a module or package; empty for another ecosystem. version may be empty.
func PURL(ecosystem, name, version string) string {
	var out strings.Builder
	switch ecosystem {
	case source.Go:
		out.WriteString("pkg:golang")
	case source.NPM:
		out.WriteString("pkg:npm")
	default:
		return ""
	}
	for part := range strings.SplitSeq(name, "/") {
		out.WriteString("/" + escape(part))
	}
	if version != "" {
		out.WriteString("@" + escape(version))
	}
	return out.String()
}

// escape encodes all but what a package URL leaves as it is: letters, digits and .-_~:
func escape(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%3A", ":")
}

// purlParts reads a package URL: scheme:type/namespace/name@version?qualifiers#subpath.
func purlParts(args []*ast.Term) (*ast.Term, error) {
	text := str(args[0])
	fail := func(why string) (*ast.Term, error) { return nil, fmt.Errorf("%q is no package URL: %s", text, why) }
	rest, ok := strings.CutPrefix(text, "pkg:")
	if !ok {
		return fail("it does not begin with pkg:")
	}
	rest, subpath, _ := strings.Cut(strings.TrimLeft(rest, "/"), "#")
	rest, query, _ := strings.Cut(rest, "?")
	kind, rest, _ := strings.Cut(rest, "/")
	rest = strings.Trim(rest, "/")
	name, version := rest, ""
	if i := strings.LastIndex(rest, "@"); i > 0 && rest[i-1] != '/' {
		name, version = rest[:i], rest[i+1:]
	}
	namespace, name := path.Split(name)
	if kind == "" || name == "" {
		return fail("it names no type or no package")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return fail("its qualifiers cannot be read")
	}
	qualifiers := map[string]any{}
	for k, v := range values {
		qualifiers[strings.ToLower(k)] = v[0]
	}
	parts := map[string]any{"type": strings.ToLower(kind), "namespace": strings.Trim(namespace, "/"), "name": name, "version": version,
		"subpath": strings.Trim(subpath, "/")}
	for k, v := range parts {
		if parts[k], err = url.PathUnescape(v.(string)); err != nil {
			return fail("its " + k + " is not encoded well")
		}
	}
	parts["qualifiers"] = qualifiers
	return object(parts)
}
