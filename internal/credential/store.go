package credential

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/org/goproxy-action/internal/source"
)

// Entry is a credential with the source that it is for.
type Entry struct {
	// Source is the base address: https, or http of this machine itself. Its path takes in what lies below it.
	Source string
	// Credential is what is shown; Exchange gets it where it is not nil.
	Credential Credential
	Exchange   *Exchange
	// From says who names it (".goproxy/config.yaml:12", "~/.netrc").
	From string
	// Ambient is true for what a tool of this machine finds by itself, so that it need not be told.
	Ambient bool
}

// Store holds credentials by source, and gives each to its own source alone. A nil Store holds none. It may be used by
// several goroutines at once.
type Store struct {
	entries []entry
	told    func(secret string)

	mu sync.Mutex
	// secrets are the forms of all that was given out, or may be.
	secrets []string
	known   map[string]bool
}

type entry struct {
	Entry
	at source.Location
}

// NewStore checks the entries. told is called with each form of each secret before the secret can be used, one at a time;
// nil tells nobody. The error says which entry is at fault, in words that go on from its From.
func NewStore(told func(secret string), entries ...Entry) (*Store, error) {
	s := &Store{told: told, known: map[string]bool{}}
	for _, e := range entries {
		if err := s.Add(e); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Add is NewStore for one more entry. It is to be called before the store is used.
func (s *Store) Add(e Entry) error {
	at, fault := Place(e.Source)
	if fault != "" {
		return errors.New(e.From + ": the source " + fault)
	}
	certificate := e.Exchange == nil && e.Credential.Kind() == MTLS
	if certificate && (at.Path != "" || at.Scheme != "https") {
		return errors.New(e.From + ": a certificate is shown to a whole host by https, so the source is written without a path")
	}
	s.entries = append(s.entries, entry{e, at})
	s.tell(e.Credential)
	return nil
}

// Has tells whether there is something to show to an address, beside a certificate.
func (s *Store) Has(rawurl string) bool { return s.find(rawurl, false) != nil }

// Place is the source of an entry in canonical form, its path without a slash at the end; fault is why it can be none, in
// words that go on from "the source".
func Place(rawurl string) (at source.Location, fault string) {
	at, err := source.Locate(rawurl)
	switch {
	case err != nil:
		return at, "is no usable address: " + err.Error()
	case at.Scheme != "https" && !(at.Scheme == "http" && at.Loopback):
		return at, "is not reached by https, so that a secret could be read on the way"
	case at.Userinfo:
		return at, "holds a name or a password itself"
	case strings.ContainsAny(rawurl, "?#"):
		return at, "holds a query or a fragment"
	case winding(at.Path):
		return at, "has a path that servers read in different ways"
	}
	at.Path = strings.TrimRight(at.Path, "/")
	return at, ""
}

// winding tells of a path with . or .. or an encoded separator in it: what it leads to is the server's to say.
func winding(path string) bool {
	lower := strings.ToLower(path)
	if strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") || strings.Contains(lower, "\\") {
		return true
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(lower, "%2e", "."), "/") {
		if name, _, _ := strings.Cut(part, ";"); name == "." || name == ".." {
			return true
		}
	}
	return false
}

// find is the entry for an address, of those with a header or with a certificate: of its origin, and with the longest path
// that it lies below. Nil where there is none.
func (s *Store) find(rawurl string, certificate bool) *entry {
	if s == nil {
		return nil
	}
	at, err := source.Locate(rawurl)
	if err != nil {
		return nil
	}
	var best *entry
	for i := range s.entries {
		e := &s.entries[i]
		switch {
		case (e.Exchange == nil && e.Credential.Kind() == MTLS) != certificate:
		case e.at.Scheme != at.Scheme || e.at.Host != at.Host || e.at.Port != at.Port:
		case e.at.Path != "" && (winding(at.Path) || at.Path != e.at.Path && !strings.HasPrefix(at.Path, e.at.Path+"/")):
		case best == nil || len(e.at.Path) > len(best.at.Path):
			best = e
		}
	}
	return best
}

// For is what to show to an address; ok is false where there is nothing. The error is that of an exchange: there is
// something, and it could not be got.
func (s *Store) For(ctx context.Context, rawurl string) (c Credential, ok bool, err error) {
	e := s.find(rawurl, false)
	if e == nil {
		return Credential{}, false, nil
	}
	if e.Exchange == nil {
		return e.Credential, true, nil
	}
	c, err = e.Exchange.credential(ctx, s.tell)
	return c, err == nil, err
}

// Certificate is the client certificate for an address; nil where there is none.
func (s *Store) Certificate(rawurl string) *tls.Certificate {
	if e := s.find(rawurl, true); e != nil {
		return e.Credential.Certificate()
	}
	return nil
}

// Grant is a credential as a tool can be told of it.
type Grant struct {
	// At is the place that it is for, the path without a slash at its end.
	At source.Location
	Credential
	// From says who names it.
	From string
}

// Grants are what the tools that ask for an address have to be told, nothing where they find it by themselves. The error
// is that of an exchange.
func (s *Store) Grants(ctx context.Context, rawurl string) ([]Grant, error) {
	var out []Grant
	if e := s.find(rawurl, true); e != nil && !e.Ambient {
		out = append(out, Grant{e.at, e.Credential, e.From})
	}
	e := s.find(rawurl, false)
	if e == nil || e.Ambient {
		return out, nil
	}
	c, _, err := s.For(ctx, rawurl)
	if err != nil {
		return out, err
	}
	from := e.From
	if e.Exchange != nil {
		if until := e.Exchange.Until(); !until.IsZero() {
			from += ", until " + until.UTC().Format("15:04 UTC")
		}
	}
	return append(out, Grant{e.at, c, from}), nil
}

// Transport shows the credential of base's origin to that origin alone. Each step of a chain of redirects is looked at for
// itself, and once the chain has left the origin nothing is shown any more: who it came back by says where to. A request
// that shows a credential already, as one from the address itself, is left as it is.
func (s *Store) Transport(base string, next http.RoundTripper) http.RoundTripper {
	if s == nil || len(s.entries) == 0 {
		return next
	}
	own, err := source.Locate(base)
	if err != nil {
		return next
	}
	return &transport{s, own, next}
}

type transport struct {
	store *Store
	own   source.Location
	next  http.RoundTripper
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" || t.left(r) {
		return t.next.RoundTrip(r)
	}
	c, ok, err := t.store.For(r.Context(), plainURL(r.URL))
	if err != nil {
		return nil, err
	}
	if name, value, has := c.Header(); ok && has {
		r = r.Clone(r.Context())
		r.Header.Set(name, value)
	}
	return t.next.RoundTrip(r)
}

// left tells whether a request is for another origin than our own, or came about by way of one.
func (t *transport) left(r *http.Request) bool {
	for {
		if !SameOrigin(t.own, r.URL) {
			return true
		}
		if r.Response == nil || r.Response.Request == nil {
			return false
		}
		r = r.Response.Request
	}
}

// SameOrigin tells whether an address has the scheme, host and port of a place.
func SameOrigin(own source.Location, u *url.URL) bool {
	at, err := source.Locate(plainURL(u))
	return err == nil && at.Scheme == own.Scheme && at.Host == own.Host && at.Port == own.Port
}

func plainURL(u *url.URL) string {
	bare := *u
	bare.User = nil
	return bare.String()
}

// minMasked is the length from which a form is masked in texts: a shorter one would blot out half of them.
const minMasked = 4

// tell makes the forms of a secret known before it is used.
func (s *Store) tell(c Credential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, form := range c.Secrets() {
		if len(form) < minMasked || s.known[form] {
			continue
		}
		s.known[form] = true
		s.secrets = longestFirst(append(s.secrets, form))
		if s.told != nil {
			s.told(form)
		}
	}
}

// Hide makes a secret known that is no credential of an entry, such as a token that is exchanged.
func (s *Store) Hide(secret string) {
	if s != nil && secret != "" {
		s.tell(Credential{kind: Bearer, secret: func() string { return secret }})
	}
}

// Format writes no secret, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "credentials ***") }

// Secrets are the forms of all secrets so far, the longest first.
func (s *Store) Secrets() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.secrets...)
}

// Mask is a text without the secrets: a source may have put what we sent it into its answer.
func (s *Store) Mask(text string) string {
	for _, form := range s.Secrets() {
		text = strings.ReplaceAll(text, form, "***")
	}
	return text
}
