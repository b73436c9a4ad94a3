package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// Types of a Credential.
const (
	CredentialBasic  = "basic"
	CredentialBearer = "bearer"
	CredentialHeader = "header"
	CredentialMTLS   = "mtls"
	CredentialOIDC   = "oidc"
	CredentialNetrc  = "netrc"
)

// Credential says how to prove oneself to one source. It holds no secret, but the names of the environment's variables and
// of the machine's files that do.
type Credential struct {
	// Source is the address that it is for, with all below it. Type is one of the constants.
	Source, Type string
	// Username and PasswordEnv are for type basic; TokenEnv is for bearer and, with Header, for header.
	Username, PasswordEnv, TokenEnv, Header string
	// CertFile and KeyFile, absolute or beginning with ~/, are for mtls.
	CertFile, KeyFile string
	// The rest is for oidc: where a token is exchanged, for whom, and which is: that of SubjectTokenEnv, or the one by which
	// GitHub Actions vouches for the job, for SubjectAudience. SubjectTokenType is jwt, id_token, access_token or empty.
	TokenEndpoint, Audience, Resource, Scope           string
	SubjectTokenEnv, SubjectTokenType, SubjectAudience string
	// Origin is the file and line that says so.
	Origin string
}

// Variables are the names of the environment's variables that hold its secrets.
func (c Credential) Variables() []string {
	return slices.DeleteFunc([]string{c.PasswordEnv, c.TokenEnv, c.SubjectTokenEnv}, func(v string) bool { return v == "" })
}

// maxCredentials bounds the list: each request looks through it.
const maxCredentials = 100

// credentialKey is one key of an entry.
type credentialKey struct {
	name  string
	field func(*Credential) *string
	check func(string) *fault
	// quiet is true where the value may be a secret that was written by mistake, and is not quoted.
	quiet bool
}

// variableName is narrower than what systems take, so that a secret is not taken for a name.
var variableName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]{0,63}$`)

func noVariable(v string) *fault {
	if variableName.MatchString(v) {
		return nil
	}
	return &fault{why: "is no name of a variable", hint: "put the secret into a variable of the environment, and write that variable's name here: capital letters, digits and _; a secret itself never stands in this file"}
}

func noMachineFile(v string) *fault {
	if filepath.IsAbs(v) || strings.HasPrefix(v, "~/") {
		return nil
	}
	return &fault{why: "is no file of the machine", hint: "write an absolute path outside of the checkout, or one that begins with ~/"}
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)

func noHeader(v string) *fault {
	if headerName.MatchString(v) {
		return nil
	}
	return &fault{why: "is no name of a header", hint: "write one such as X-JFrog-Art-Api; its value is what token-env names"}
}

func noUser(v string) *fault {
	if !strings.Contains(v, ":") {
		return nil
	}
	return &fault{why: "holds a colon, which no name can have", hint: "write the name alone, and the name of the variable that holds the password under password-env"}
}

// noSecretPlace is what is wrong with an address that secrets are sent to, or nil.
func noSecretPlace(v string) *fault {
	if f := noURL(v); f != nil {
		return f
	}
	if loc, err := source.Locate(v); err == nil && loc.Userinfo {
		return &fault{why: "holds a name or a password", hint: "write the address alone; secrets are named by password-env or token-env"}
	}
	for part := range strings.SplitSeq(strings.ToLower(v), "/") {
		if part = strings.ReplaceAll(part, "%2e", "."); part == "." || part == ".." || strings.Contains(part, "%2f") || strings.Contains(part, "%5c") {
			return &fault{why: "has a path that servers read in different ways", hint: "write it without . and .. and encoded slashes"}
		}
	}
	return nil
}

func oneOf(allowed ...string) func(string) *fault {
	return func(v string) *fault {
		if slices.Contains(allowed, v) {
			return nil
		}
		return &fault{why: "is not allowed", hint: "allowed: " + strings.Join(allowed, ", ")}
	}
}

var credentialKeys = []credentialKey{
	{"source", func(c *Credential) *string { return &c.Source }, noSecretPlace, false},
	{"type", func(c *Credential) *string { return &c.Type },
		oneOf(CredentialBasic, CredentialBearer, CredentialHeader, CredentialMTLS, CredentialOIDC, CredentialNetrc), false},
	{"username", func(c *Credential) *string { return &c.Username }, noUser, true},
	{"password-env", func(c *Credential) *string { return &c.PasswordEnv }, noVariable, true},
	{"token-env", func(c *Credential) *string { return &c.TokenEnv }, noVariable, true},
	{"header", func(c *Credential) *string { return &c.Header }, noHeader, true},
	{"cert-file", func(c *Credential) *string { return &c.CertFile }, noMachineFile, true},
	{"key-file", func(c *Credential) *string { return &c.KeyFile }, noMachineFile, true},
	{"token-endpoint", func(c *Credential) *string { return &c.TokenEndpoint }, noSecretPlace, false},
	{"audience", func(c *Credential) *string { return &c.Audience }, nil, true},
	{"resource", func(c *Credential) *string { return &c.Resource }, nil, true},
	{"scope", func(c *Credential) *string { return &c.Scope }, nil, true},
	{"subject-token-env", func(c *Credential) *string { return &c.SubjectTokenEnv }, noVariable, true},
	{"subject-token-type", func(c *Credential) *string { return &c.SubjectTokenType }, oneOf("jwt", "id_token", "access_token"), true},
	{"subject-audience", func(c *Credential) *string { return &c.SubjectAudience }, nil, true},
}

// typeKeys are the keys that a type has beside source and type: those that it must have, and those that it may.
var typeKeys = map[string]struct{ must, may []string }{
	CredentialBasic:  {must: []string{"username", "password-env"}},
	CredentialBearer: {must: []string{"token-env"}},
	CredentialHeader: {must: []string{"header", "token-env"}},
	CredentialMTLS:   {must: []string{"cert-file", "key-file"}},
	CredentialOIDC: {must: []string{"token-endpoint"},
		may: []string{"audience", "resource", "scope", "subject-token-env", "subject-token-type", "subject-audience"}},
	CredentialNetrc: {},
}

// credentials reads the list. Nothing around an error is shown: a secret may stand there by mistake.
func (r *reader) credentials(s Setting, key *token.Token, n ast.Node) error {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		return r.silent(key, "write a list, such as "+s.Example+", or remove the key", "credentials has %s as its value", shape(n))
	}
	list := []Credential{}
	if len(seq.Values) > maxCredentials {
		return r.silent(key, "leave out what is not asked for", "credentials has more than %d entries", maxCredentials)
	}
	taken := map[string]int{}
	for _, item := range seq.Values {
		c, err := r.credential(item)
		if err != nil {
			return err
		}
		at, _ := r.place(start(item))
		c.Origin = fmt.Sprintf("%s:%d", r.path, at)
		loc, _ := source.Locate(c.Source) // it was read before
		if loc.Path = strings.TrimRight(loc.Path, "/"); c.Type == CredentialMTLS && loc.Path != "" {
			return r.silent(start(item), "write the source without a path", "credentials: a certificate is shown to a whole host, and its source has a path")
		}
		id := fmt.Sprint(c.Type == CredentialMTLS, " ", loc)
		if first, twice := taken[id]; twice {
			return r.silent(start(item), "keep one", "credentials: %s has one already, in line %d", r.quote(loc.String()), first)
		}
		taken[id] = at
		list = append(list, c)
	}
	r.config.Credentials = Value[[]Credential]{list, fmt.Sprintf("%s:%d", r.path, key.Position.Line)}
	return nil
}

func (r *reader) credential(item ast.Node) (Credential, error) {
	var c Credential
	var names []string
	for _, k := range credentialKeys {
		names = append(names, k.name)
	}
	switch item.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		return c, r.silent(start(item), "write it as {source: https://..., type: bearer, token-env: NAME}", "credentials holds %s", shape(item))
	}
	pairs, err := r.pairs("credentials", item)
	if err != nil {
		return c, hush(err)
	}
	given := map[string]*token.Token{}
	for _, p := range pairs {
		i := slices.Index(names, p.key)
		if i < 0 {
			return c, r.silent(p.at, "allowed: "+strings.Join(names, ", ")+"; a secret itself never stands in this file", "%s is no key of a credential", r.quote(p.key))
		}
		v, ok := text(p.value)
		if !ok || v == "" || len(v) > 1000 || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
			return c, r.silent(p.at, "write one plain text, or leave the key out", "credentials: the value of %s is empty, too long or no plain text", p.key)
		}
		if check := credentialKeys[i].check; check != nil {
			if f := check(v); f != nil {
				found := "the value"
				if !credentialKeys[i].quiet {
					found = r.quote(v)
				}
				return c, r.silent(p.value.GetToken(), f.hint, "credentials: %s: %s %s", p.key, found, f.cause(true))
			}
		}
		*credentialKeys[i].field(&c) = v
		given[p.key] = p.at
	}
	for _, k := range []string{"source", "type"} {
		if given[k] == nil {
			return c, r.silent(start(item), "add "+k+": to the entry", "credentials: an entry has no %s", k)
		}
	}
	keys := typeKeys[c.Type]
	for _, k := range keys.must {
		if given[k] == nil {
			return c, r.silent(start(item), "add "+k+": to the entry", "credentials: type %s has no %s", c.Type, k)
		}
	}
	for _, p := range pairs {
		if allowed := slices.Concat([]string{"source", "type"}, keys.must, keys.may); !slices.Contains(allowed, p.key) {
			return c, r.silent(p.at, "allowed: "+strings.Join(allowed, ", "), "credentials: %s is no key of type %s", p.key, c.Type)
		}
	}
	if c.SubjectTokenEnv != "" && c.SubjectAudience != "" {
		return c, r.silent(given["subject-audience"], "leave one of them out", "credentials: the token of subject-token-env has its audience already, and subject-audience is for GitHub's")
	}
	return c, nil
}

// hush takes the line's text off an error.
func hush(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		p.Excerpt = ""
	}
	return err
}

// silent is fail without the line's text.
func (r *reader) silent(t *token.Token, hint, format string, args ...any) error {
	p := r.fail(t, 0, hint, format, args...)
	p.Excerpt = ""
	return p
}
