package detect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
)

// Client asks one source for more than what measures it, by the way that the settings give and with the same care: few
// redirects and none to a worse place, the source's credentials for its own host alone. It may be used by several
// goroutines at once.
type Client struct {
	http  *http.Client
	free  func()
	own   *url.URL
	job   job
	trace *egress.Trace
	agent string
	mask  func(string) string
}

// Client makes one for the source at an address. Close frees its connections.
func (o Options) Client(base string) (*Client, error) {
	proxy, err := o.Settings.For(base)
	if err != nil {
		return nil, fmt.Errorf("the proxy setting %w", err)
	}
	own, err := url.Parse(base)
	if err != nil {
		return nil, errors.New("address cannot be parsed as a URL")
	}
	c := &Client{own: own, trace: new(egress.Trace), agent: o.UserAgent, mask: o.Credentials.Mask,
		job: job{target: Target{Source: source.Source{URL: base}}, proxy: proxy, via: way(proxy)}}
	c.http, c.free = o.client(base, proxy, c.trace)
	return c, nil
}

// client asks the source at base by one way: with its credential, which no other origin sees, and with the redirects that
// an honest source makes.
func (o Options) client(base string, proxy *url.URL, trace *egress.Trace) (client *http.Client, free func()) {
	if certificate := o.Credentials.Certificate(base); certificate != nil {
		own, err := source.Locate(base)
		client, free = o.Dialer.Certified(proxy, trace, certificate, func(u *url.URL) bool { return err == nil && credential.SameOrigin(own, u) })
	} else {
		client, free = o.Dialer.Client(proxy, trace)
	}
	client.Transport = o.Credentials.Transport(base, client.Transport)
	client.CheckRedirect = redirect
	return client, free
}

// Close frees the connections.
func (c *Client) Close() { c.free() }

// Get asks for an address below the source's. Take reads the answer as it comes, at most limit bytes of it; what it does
// not read is not fetched. An error that is not take's is of the network, in words fit for a person.
func (c *Client) Get(ctx context.Context, rawurl, accept string, limit int64, take func(Response, io.Reader) error) error {
	header := http.Header{"User-Agent": {c.agent}}
	if accept != "" {
		header.Set("Accept", accept)
	}
	began := time.Now()
	response, err := get(ctx, c.http, c.own, rawurl, header)
	if err != nil {
		return c.explain(err, began)
	}
	defer response.Body.Close()
	body := &watched{from: io.LimitReader(response.Body, limit)}
	err = take(Response{Status: response.StatusCode, Header: response.Header}, body)
	if body.err != nil {
		return c.explain(body.err, began)
	}
	return err
}

func (c *Client) explain(err error, began time.Time) error {
	_, _, reason := explain(err, c.trace.Seen(), c.job, time.Since(began))
	return errors.New(c.mask(masked(reason, c.job.target.Source.URL, c.job.proxy)))
}

// watched remembers why reading ended early.
type watched struct {
	from io.Reader
	err  error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
