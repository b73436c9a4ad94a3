package credential

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/source"
)

const (
	// exchangeTime bounds one exchange with all its requests. It lies below the budget of a measurement, 3 s, which it is
	// part of.
	exchangeTime = 2500 * time.Millisecond
	// maxAnswer bounds each answer. A token has 2 KB, one with many groups in it 10.
	maxAnswer = 64 << 10
	// remembered is for how long a failure is the answer: a source is asked by several requests at once.
	remembered = 5 * time.Second
	// early is how long before its end a token is taken for ended, or half its life where that is shorter.
	early = 30 * time.Second
)

// Values of RFC 8693.
const (
	grantType       = "urn:ietf:params:oauth:grant-type:token-exchange"
	tokenTypePrefix = "urn:ietf:params:oauth:token-type:" //nolint:gosec // it is the name of a kind of token
)

// Exchange gets a token from a token endpoint for one that says who we are (RFC 8693). The token stays in memory. It may be
// used by several goroutines at once; make it with NewExchange.
type Exchange struct {
	request ExchangeRequest
	// busy holds one token while somebody exchanges.
	busy chan struct{}

	held    Credential
	until   time.Time // zero: the endpoint does not say
	half    time.Duration
	failure error
	failed  time.Time
}

// ExchangeRequest says how.
type ExchangeRequest struct {
	// Endpoint is the address of the token endpoint: https, or http of this machine itself.
	Endpoint string
	// Audience, Resource and Scope are told to the endpoint; empty ones are left out.
	Audience, Resource, Scope string
	// SubjectType is the last part of the subject token's type: jwt, id_token, access_token. Empty means jwt.
	SubjectType string
	// Subject gives the token that says who we are. Its error is shown.
	Subject func(ctx context.Context) (string, error)
	// Transport sends the requests.
	Transport http.RoundTripper
	// Now is the time; nil asks the machine's clock.
	Now       func() time.Time
	UserAgent string
}

// NewExchange checks the endpoint. The error goes on from "the token endpoint".
func NewExchange(r ExchangeRequest) (*Exchange, error) {
	if _, fault := Place(r.Endpoint); fault != "" {
		return nil, errors.New(fault)
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	return &Exchange{request: r, busy: make(chan struct{}, 1)}, nil
}

// failure is an error of an exchange, in words alone: what is wrong with the endpoint must not be taken for what is wrong
// with the source.
type failure string

func (f failure) Error() string { return string(f) }

// Until is when the token ends that was got last; zero where that is not known.
func (e *Exchange) Until() time.Time {
	e.busy <- struct{}{}
	defer func() { <-e.busy }()
	return e.until
}

// credential is the token, a new one where there is none yet or the old one ends. tell is told of every secret first.
func (e *Exchange) credential(ctx context.Context, tell func(Credential)) (Credential, error) {
	select {
	case e.busy <- struct{}{}:
		defer func() { <-e.busy }()
	case <-ctx.Done():
		return Credential{}, failure("its credential could not be got in time")
	}
	now := e.request.Now()
	switch {
	case e.held.Kind() != None && (e.until.IsZero() || now.Before(e.until.Add(-min(early, e.half)))):
		return e.held, nil
	case e.failure != nil && now.Sub(e.failed) < remembered:
		return Credential{}, e.failure
	}
	within, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	c, life, err := e.exchange(within, tell)
	if err != nil {
		e.failed, e.failure = now, failure("its credential could not be got: "+err.Error())
		return Credential{}, e.failure
	}
	e.held, e.until, e.half, e.failure = c, time.Time{}, life/2, nil
	if life > 0 {
		e.until = now.Add(life)
	}
	return c, nil
}

// exchange makes one request of RFC 8693, 2.1. life is 0 where the endpoint does not say it.
func (e *Exchange) exchange(ctx context.Context, tell func(Credential)) (c Credential, life time.Duration, err error) {
	r := e.request
	subject, err := r.Subject(ctx)
	if err != nil {
		return Credential{}, 0, err
	}
	hidden, err := NewBearer(subject)
	if err != nil {
		return Credential{}, 0, errors.New("the token to exchange is empty, too long, or holds a character that no token has")
	}
	tell(hidden)
	form := url.Values{"grant_type": {grantType}, "subject_token": {subject}, "subject_token_type": {tokenTypePrefix + cmp.Or(r.SubjectType, "jwt")},
		"requested_token_type": {tokenTypePrefix + "access_token"}}
	for name, value := range map[string]string{"audience": r.Audience, "resource": r.Resource, "scope": r.Scope} {
		if value != "" {
			form.Set(name, value)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return Credential{}, 0, errors.New("the token endpoint is no usable address")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body, err := ask(r.Transport, request, r.UserAgent)
	if err != nil {
		return Credential{}, 0, fmt.Errorf("the token endpoint %s: %s", host(r.Endpoint), strip(err.Error(), hidden))
	}
	token, life, err := parseToken(status, body)
	if err != nil {
		return Credential{}, 0, fmt.Errorf("the token endpoint %s %s", host(r.Endpoint), strip(err.Error(), hidden))
	}
	tell(token)
	return token, life, nil
}

// strip is a text without a secret.
func strip(text string, c Credential) string {
	for _, form := range c.Secrets() {
		if len(form) >= minMasked {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return text
}

// ask makes one request whose answer is small. A redirect is not followed: a token is sent to nobody but who was named.
// The connection is closed behind it.
func ask(transport http.RoundTripper, request *http.Request, agent string) (status int, body []byte, err error) {
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", agent)
	request.Close = true
	response, err := transport.RoundTrip(request)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return 0, nil, errors.New("no answer in time")
		}
		return 0, nil, errors.New(source.Plain(source.Redact(err.Error()), 200))
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, errors.New("the answer broke off")
	case len(body) > maxAnswer:
		return 0, nil, fmt.Errorf("the answer has more than %d KiB", maxAnswer>>10)
	}
	return response.StatusCode, body, nil
}

// parseToken reads the answer of a token endpoint: RFC 8693, 2.2, and errors as in RFC 6749, 5.2. Its error goes on from
// the endpoint's name.
func parseToken(status int, body []byte) (Credential, time.Duration, error) {
	var answer struct {
		AccessToken string      `json:"access_token"`
		TokenType   string      `json:"token_type"`
		ExpiresIn   json.Number `json:"expires_in"`
		Error       string      `json:"error"`
		Description string      `json:"error_description"`
	}
	err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &answer)
	switch {
	case err == nil && answer.Error != "":
		text := "refused: " + source.Plain(answer.Error, 100)
		if answer.Description != "" {
			text += " (" + source.Plain(source.Redact(answer.Description), 300) + ")"
		}
		return Credential{}, 0, errors.New(text)
	case status/100 == 3:
		return Credential{}, 0, fmt.Errorf("answered %d, and a redirect is not followed with a token", status)
	case status != http.StatusOK:
		return Credential{}, 0, fmt.Errorf("answered %d", status)
	case err != nil:
		return Credential{}, 0, errors.New("answered with what is no JSON of a token")
	case !strings.EqualFold(answer.TokenType, "bearer"):
		return Credential{}, 0, fmt.Errorf("gave a token of type %q, and only Bearer can be shown to a source", source.Plain(answer.TokenType, 40))
	}
	c, err := NewBearer(answer.AccessToken)
	if err != nil {
		return Credential{}, 0, errors.New("gave what cannot be a token")
	}
	life := time.Duration(0)
	if seconds, err := answer.ExpiresIn.Float64(); err == nil && seconds > 0 {
		life = time.Duration(min(seconds, float64(maxLife/time.Second)) * float64(time.Second))
	}
	return c, life, nil
}

// maxLife is a year: a token that claims to live longer is asked for anew then.
const maxLife = 365 * 24 * time.Hour

func host(rawurl string) string {
	loc, err := source.Locate(rawurl)
	if err != nil {
		return ""
	}
	return loc.HostPort()
}

// GitHub gets the token by which GitHub Actions vouches for a job, for an audience: address and token are those of
// ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN. hide is told of the token that asks.
func GitHub(address, token, audience string, transport http.RoundTripper, agent string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		u, err := url.Parse(address)
		if err != nil || u.User != nil {
			return "", errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is no address")
		}
		if _, fault := Place(u.Scheme + "://" + u.Host); fault != "" {
			return "", errors.New("ACTIONS_ID_TOKEN_REQUEST_URL " + fault)
		}
		if audience != "" {
			query := u.Query()
			query.Set("audience", audience)
			u.RawQuery = query.Encode()
		}
		c, err := NewBearer(token)
		if err != nil {
			return "", errors.New("ACTIONS_ID_TOKEN_REQUEST_TOKEN is no token")
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return "", errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is no address")
		}
		name, value, _ := c.Header()
		request.Header.Set(name, value)
		status, body, err := ask(transport, request, agent)
		if err != nil {
			return "", fmt.Errorf("GitHub's tokens at %s: %s", u.Hostname(), strip(err.Error(), c))
		}
		var answer struct {
			Value string `json:"value"`
		}
		if status != http.StatusOK {
			return "", fmt.Errorf("GitHub's tokens at %s: answered %d", u.Hostname(), status)
		}
		if err := json.Unmarshal(body, &answer); err != nil || answer.Value == "" {
			return "", fmt.Errorf("GitHub's tokens at %s: answered with what holds no token", u.Hostname())
		}
		return answer.Value, nil
	}
}
