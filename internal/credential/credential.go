// Package credential is how we prove ourselves to a source: a name and password, a token, a header, a client certificate,
// and tokens that are exchanged for one that the CI system vouches with. A credential belongs to one source, is offered to
// nobody else, and masks itself wherever it is printed.
package credential

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Kind is how a credential is shown to a source.
type Kind string

// Kinds. The zero value is no credential.
const (
	None Kind = ""
	// Basic is a name and a password (RFC 7617).
	Basic Kind = "basic"
	// Bearer is a token (RFC 6750).
	Bearer Kind = "bearer"
	// Header is a header of its own, such as X-JFrog-Art-Api.
	Header Kind = "header"
	// MTLS is a client certificate.
	MTLS Kind = "mtls"
)

// Credential is one of them. It holds the secret behind a function, so that no dump of a structure around it shows it.
// The zero value is none.
type Credential struct {
	kind Kind
	// user is Basic's name, header Header's name.
	user, header string
	secret       func() string
	certificate  *tls.Certificate
	// certFile and keyFile are where a certificate was read.
	certFile, keyFile string
}

var (
	// bearer is the form of RFC 6750, 2.1.
	bearer = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)
	// headerName is a token of RFC 9110, 5.6.2.
	headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")
)

// notOurs are headers that say something else than who we are.
var notOurs = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer", "Expect", "Proxy-Authorization"}

// maxSecret bounds a secret, in bytes: servers take headers of 8 KiB.
const maxSecret = 8 << 10

// NewBasic is a name and a password. The errors of this and the other constructors hold nothing of a secret.
func NewBasic(user, password string) (Credential, error) {
	switch {
	case user == "" || strings.Contains(user, ":") || !printable(user):
		return Credential{}, errors.New("the name is empty, or holds a colon or a control character")
	case password == "" || len(password) > maxSecret || !printable(password):
		return Credential{}, errors.New("the password is empty, too long, or holds a control character")
	}
	return Credential{kind: Basic, user: user, secret: func() string { return password }}, nil
}

// NewBearer is a token.
func NewBearer(token string) (Credential, error) {
	if len(token) > maxSecret || !bearer.MatchString(token) {
		return Credential{}, errors.New("the token is empty, too long, or holds a character that no token has (RFC 6750)")
	}
	return Credential{kind: Bearer, secret: func() string { return token }}, nil
}

// NewHeader is a header of that name with a secret as its value.
func NewHeader(name, value string) (Credential, error) {
	if fault := HeaderFault(name); fault != "" {
		return Credential{}, errors.New("the header " + fault)
	}
	if value == "" || len(value) > maxSecret || strings.TrimSpace(value) != value || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return Credential{}, errors.New("the value of the header is empty, too long, or holds what no header may hold")
	}
	return Credential{kind: Header, header: http.CanonicalHeaderKey(name), secret: func() string { return value }}, nil
}

// HeaderFault is why a header of that name cannot carry a credential, in words that go on from "the header"; empty where it
// can.
func HeaderFault(name string) string {
	switch {
	case !headerName.MatchString(name):
		return "has a name that no header can have"
	case slices.Contains(notOurs, http.CanonicalHeaderKey(name)):
		return "says something else than who asks"
	}
	return ""
}

// NewMTLS is a client certificate with its key, both in PEM. The files are where they were read, for tools that read them
// themselves.
func NewMTLS(certPEM, keyPEM []byte, certFile, keyFile string) (Credential, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		// the library's words name what was found, never the bytes
		return Credential{}, fmt.Errorf("certificate and key are no pair: %w", err)
	}
	return Credential{kind: MTLS, certificate: &pair, certFile: certFile, keyFile: keyFile}, nil
}

// Kind is how it is shown.
func (c Credential) Kind() Kind { return c.kind }

// Login is the name and password of kind Basic.
func (c Credential) Login() (user, password string, ok bool) {
	if c.kind != Basic {
		return "", "", false
	}
	return c.user, c.secret(), true
}

// Token is the token of kind Bearer.
func (c Credential) Token() (string, bool) {
	if c.kind != Bearer {
		return "", false
	}
	return c.secret(), true
}

// Header is the header that shows it, and ok is false where none does.
func (c Credential) Header() (name, value string, ok bool) {
	switch c.kind {
	case Basic:
		return "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.secret())), true
	case Bearer:
		return "Authorization", "Bearer " + c.secret(), true
	case Header:
		return c.header, c.secret(), true
	case None, MTLS:
	}
	return "", "", false
}

// Certificate is the client certificate, nil for other kinds; Files are where it and its key lie.
func (c Credential) Certificate() *tls.Certificate { return c.certificate }

// Files are the files of the certificate and of its key.
func (c Credential) Files() (cert, key string) { return c.certFile, c.keyFile }

// Same tells whether both prove the same in the same way.
func (c Credential) Same(other Credential) bool {
	name, value, ok := c.Header()
	theirs, too, has := other.Header()
	return c.kind == other.kind && name == theirs && value == too && ok == has && c.certFile == other.certFile && c.keyFile == other.keyFile
}

// Secrets are the forms in which the secret may turn up in a text: as it is, percent-encoded, in base64 and as JSON and
// HTML write it. A name is none.
func (c Credential) Secrets() []string {
	if c.secret == nil {
		return nil
	}
	s := c.secret()
	forms := []string{s, url.QueryEscape(s), url.PathEscape(s)}
	texts := []string{s}
	if c.user != "" {
		texts = append(texts, c.user+":"+s)
	}
	for _, text := range texts {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			forms = append(forms, e.EncodeToString([]byte(text)))
		}
	}
	if c.kind == Basic {
		forms = append(forms, url.UserPassword(c.user, s).String())
	}
	if quoted, err := json.Marshal(s); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	return longestFirst(forms)
}

// longestFirst sorts and leaves each once, so that no form is cut in two by a shorter one.
func longestFirst(forms []string) []string {
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(forms)
}

// String is the kind with asterisks.
func (c Credential) String() string {
	if c.kind == None {
		return "no credential"
	}
	return string(c.kind) + " ***"
}

// GoString is String.
func (c Credential) GoString() string { return c.String() }

// Format writes String for every verb.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// MarshalText is String; JSON and other encodings go by it.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalJSON is String as a text of JSON.
func (c Credential) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// LogValue is String.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// printable tells of a text without control characters.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\ufffd' })
}
