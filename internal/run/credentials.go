package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// maxPEM bounds a file with a certificate or a key. A chain of four has 8 KB.
const maxPEM = 1 << 20

// authenticate gathers the credentials of sources: those that the settings name, then for the sources of a tool that reads
// netrc files the logins of the user's. What the machine does not have is told, and the source is asked without.
func (j *job) authenticate() error {
	store, err := credential.NewStore(j.mask)
	if err != nil {
		return err
	}
	j.credentials = store
	if j.Offline || j.Scope == ScopeRepo {
		return nil
	}
	logins, said := j.netrc()
	var passed []string
	for _, c := range j.config.Credentials.V {
		if j.Front.Name == "shell" && !j.Credentials && c.Type != config.CredentialNetrc {
			passed = append(passed, c.Origin)
			continue
		}
		e, err := j.entry(c, logins)
		if absent, ok := errors.AsType[lacking](err); ok {
			j.notes = append(j.notes, fmt.Sprintf("%s is asked without its credential (%s): %s", at(c.Source), c.Origin, absent))
			continue
		}
		if err != nil {
			return err
		}
		if err := store.Add(e); err != nil {
			return problem.New(problem.Usage, c.Origin, "correct the entry of credentials", "%w", err)
		}
	}
	if passed != nil {
		j.notes = append(j.notes, fmt.Sprintf("the credentials of %s are not used, since a checkout could send this machine's secrets to a host of its own: add --credentials where you trust it", strings.Join(passed, ", ")))
	}
	used := false
	for _, e := range j.systems {
		if !e.Netrc {
			continue
		}
		used = true
		for _, s := range slices.Concat(e.InForce, e.Catalogue, e.SumDB) {
			c, ok := logins.For(s.URL)
			if loc, err := source.Locate(s.URL); !ok || err != nil || loc.Userinfo || s.Origin == source.Checkout || store.Has(s.URL) {
				continue
			}
			if err := store.Add(credential.Entry{Source: s.URL, Credential: c, From: "the user's netrc", Ambient: true}); err != nil {
				j.notes = append(j.notes, source.Plain(err.Error(), 200))
			}
		}
	}
	if said != "" && (used || slices.ContainsFunc(j.config.Credentials.V, func(c config.Credential) bool { return c.Type == config.CredentialNetrc })) {
		j.notes = append(j.notes, said)
	}
	return nil
}

// lacking is what this machine does not have, in words.
type lacking string

func (l lacking) Error() string { return string(l) }

func at(rawurl string) string {
	loc, err := source.Locate(rawurl)
	if err != nil {
		return "a source"
	}
	return loc.HostPort()
}

// netrc is the user's, and why it is not read where that has to be said.
func (j *job) netrc() (credential.Netrc, string) {
	name := credential.NetrcPath(j.Lookup, j.OS)
	if name == "" {
		return nil, ""
	}
	shown := source.Plain(name, 200)
	if !filepath.IsAbs(name) || ecosystem.Inside(j.checkout.Fence, name) {
		if abs, err := filepath.Abs(name); err == nil {
			if _, err := credential.ReadFile(abs, 0); errors.Is(err, fs.ErrNotExist) {
				return nil, ""
			}
		}
		return nil, shown + " is not read, since the author of the checkout may have written it"
	}
	data, err := credential.ReadFile(name, credential.MaxNetrc)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ""
	}
	if err != nil {
		return nil, fmt.Sprintf("%s is not read: %v", shown, reasonOf(err))
	}
	return credential.ParseNetrc(string(data)), ""
}

// reasonOf is an error without the path, which stands beside it.
func reasonOf(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// entry is a credential of the settings, with the secrets of this machine. The error is lacking, or a Problem.
func (j *job) entry(c config.Credential, logins credential.Netrc) (credential.Entry, error) {
	e := credential.Entry{Source: c.Source, From: c.Origin}
	var err error
	switch c.Type {
	case config.CredentialBasic:
		var password string
		if password, err = j.secret(c.PasswordEnv); err == nil {
			e.Credential, err = credential.NewBasic(c.Username, password)
		}
	case config.CredentialBearer:
		var token string
		if token, err = j.secret(c.TokenEnv); err == nil {
			e.Credential, err = credential.NewBearer(token)
		}
	case config.CredentialHeader:
		var token string
		if token, err = j.secret(c.TokenEnv); err == nil {
			e.Credential, err = credential.NewHeader(c.Header, token)
		}
	case config.CredentialMTLS:
		e.Credential, err = j.certificate(c)
	case config.CredentialNetrc:
		var ok bool
		if e.Credential, ok = logins.For(strings.TrimRight(c.Source, "/")); !ok {
			err = lacking("the user's netrc has no login for it")
		}
	case config.CredentialOIDC:
		e.Exchange, err = j.exchange(c)
	default:
		err = fmt.Errorf("type %q is not known here", c.Type)
	}
	if _, ok := errors.AsType[lacking](err); err == nil || ok {
		return e, err
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return e, p
	}
	return e, problem.New(problem.Usage, c.Origin, "look at the variable or file that the entry names", "the credential for %s cannot be used: %w", at(c.Source), err)
}

// secret is the value of a variable, without the line end that files leave behind.
func (j *job) secret(name string) (string, error) {
	v, _ := j.Lookup(name)
	if v = strings.TrimRight(v, "\r\n"); v == "" {
		return "", lacking("the variable " + name + " is not set")
	}
	return v, nil
}

func (j *job) certificate(c config.Credential) (credential.Credential, error) {
	var pem [2][]byte
	paths := [2]string{c.CertFile, c.KeyFile}
	for i, key := range []string{"cert-file", "key-file"} {
		if rest, ok := strings.CutPrefix(paths[i], "~/"); ok {
			home, _ := j.Lookup("HOME")
			if j.OS == "windows" {
				home, _ = j.Lookup("USERPROFILE")
			}
			if !filepath.IsAbs(home) {
				return credential.Credential{}, lacking("there is no home directory for its " + key)
			}
			paths[i] = filepath.Join(home, rest)
		}
		if ecosystem.Inside(j.checkout.Fence, paths[i]) {
			return credential.Credential{}, problem.New(problem.Usage, c.Origin, "keep it in a file outside of the checkout", "%s lies in the checkout, where its author could put another", key)
		}
		data, err := credential.ReadFile(paths[i], maxPEM)
		if errors.Is(err, fs.ErrNotExist) {
			return credential.Credential{}, lacking("its " + key + " does not exist")
		}
		if err != nil {
			return credential.Credential{}, fmt.Errorf("its %s cannot be read: %w", key, reasonOf(err))
		}
		pem[i] = data
	}
	return credential.NewMTLS(pem[0], pem[1], paths[0], paths[1])
}

// exchange gets a token for the one that the CI system vouches with. The way to the endpoint is that of all requests.
func (j *job) exchange(c config.Credential) (*credential.Exchange, error) {
	agent := "goproxy-action/" + j.Version
	transport := j.Dialer.Transport(func(r *http.Request) (*url.URL, error) { return j.proxies.For(r.URL.String()) })
	request := credential.ExchangeRequest{Endpoint: c.TokenEndpoint, Audience: c.Audience, Resource: c.Resource, Scope: c.Scope,
		SubjectType: c.SubjectTokenType, Transport: transport, Now: j.now, UserAgent: agent}
	if c.SubjectTokenEnv != "" {
		token, err := j.secret(c.SubjectTokenEnv)
		if err != nil {
			return nil, err
		}
		j.credentials.Hide(token)
		request.Subject = func(context.Context) (string, error) { return token, nil }
	} else {
		address, _ := j.Lookup("ACTIONS_ID_TOKEN_REQUEST_URL")
		token, _ := j.Lookup("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
		if address == "" || token == "" {
			return nil, lacking("GitHub Actions vouches for no job here: give the job permissions: {id-token: write}, or name a variable under subject-token-env")
		}
		j.credentials.Hide(token)
		request.Subject = credential.GitHub(address, token, cmp.Or(c.SubjectAudience, c.Audience), transport, agent)
	}
	return credential.NewExchange(request)
}

// handOver tells the tools of the credentials of the sources that they will ask.
func (j *job) handOver(ctx context.Context, plan choose.Plan) []inject.Change {
	var out []inject.Change
	for i, e := range j.systems {
		if e.HandOver == nil || plan.Choices[i].Failing {
			continue
		}
		urls := slices.Clone(e.Further)
		for _, p := range plan.Choices[i].Sources {
			urls = append(urls, p.URL)
		}
		if e.SumDBWanted {
			for _, s := range e.SumDB {
				urls = append(urls, s.URL)
			}
		}
		var grants []credential.Grant
		for _, u := range urls {
			found, err := j.credentials.Grants(ctx, u)
			if err != nil {
				j.unavailable = append(j.unavailable, fmt.Sprintf("%s is not told to show anything to %s: %v", e.Name, at(u), err))
			}
			for _, g := range found {
				if !slices.ContainsFunc(grants, func(other credential.Grant) bool { return other.At == g.At && other.Kind() == g.Kind() }) {
					grants = append(grants, g)
				}
			}
		}
		if len(grants) == 0 {
			continue
		}
		changes, notes := e.HandOver(grants)
		out, j.unavailable = append(out, changes...), append(j.unavailable, notes...)
	}
	return out
}

// conceal takes the credentials out of an outcome and its error: a source may have put what we sent it into its answer.
// What is handed over is left as it is.
func (j *job) conceal(o *report.Outcome, err error) error {
	if len(j.credentials.Secrets()) == 0 {
		return err
	}
	o.Changes = slices.Clone(o.Changes)
	for i := range o.Changes {
		o.Changes[i].Shown, o.Changes[i].Why = j.credentials.Mask(o.Changes[i].Shown), j.credentials.Mask(o.Changes[i].Why)
	}
	changes := o.Changes
	o.Changes = nil
	mask(reflect.ValueOf(o), j.credentials.Mask)
	o.Changes = changes
	if err != nil && j.credentials.Mask(err.Error()) != err.Error() {
		err = problem.New(problem.CodeOf(err), "", "", "%s", j.credentials.Mask(err.Error()))
	}
	o.Problem = err
	return err
}

// mask changes all texts that can be reached from a value.
func mask(v reflect.Value, by func(string) string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(by(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			mask(v.Elem(), by)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				mask(v.Field(i), by)
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				mask(v.Index(i), by)
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			mask(value, by)
			v.SetMapIndex(key, value)
		}
	default: // numbers, switches, functions; and what hides behind an interface is an error, which is the caller's
	}
}

// hasCredential tells whether a list has an entry, wherever it stands.
func hasCredential(list []config.Credential, c config.Credential) bool {
	c.Origin = ""
	return slices.ContainsFunc(list, func(other config.Credential) bool { other.Origin = ""; return other == c })
}
