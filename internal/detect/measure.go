package detect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// Budget bounds all measuring, whatever hangs.
	Budget = 3 * time.Second
	// patience is the part of the Budget after which a source in force has others asked beside it: 1.5 s lies above a
	// cold DNS, TCP and TLS exchange over a bad line (about 1 s), and leaves the others half of the Budget. A second round
	// gets half of what is left.
	patience = 2
	// maxRedirects is more than any honest source needs (a mirror redirects once, to its storage).
	maxRedirects = 4
)

// Options of a measurement.
type Options struct {
	Dialer   *egress.Dialer
	Settings Settings
	// Now are the targets in force: asked first, by the way that is in force.
	Now []Target
	// More says what to ask beside and after what was asked so far, given the rows until now; it is called when all has
	// answered or a part of the budget has passed, until it returns nothing or says that these are the last. Targets of
	// the last round are asked by both ways where a proxy is configured, and so is Now again; the last round may take the
	// rest of the budget. Nil asks Now alone.
	More func(rows []Row) (targets []Target, last bool)
	// Interception judges the chains of public hosts; the zero value asks the bundle of public roots.
	Interception Interception
	// Load and Newest ask each target for its Load and its Newest as well, where its Check found it well.
	Load, Newest bool
	// Budget of zero is the constant.
	Budget    time.Duration
	UserAgent string
	// Credentials are shown to their own sources alone; nil holds none.
	Credentials *credential.Store
}

// job is one target by one way.
type job struct {
	target Target
	proxy  *url.URL
	via    string
	err    error
	index  int
}

// Measure asks the targets and reports what was seen. It never takes longer than the budget, and never fails: what
// could not be asked is a row with a reason.
func Measure(ctx context.Context, o Options) Report {
	start := time.Now()
	if o.Budget == 0 {
		o.Budget = Budget
	}
	over, cancel := context.WithTimeout(ctx, o.Budget)
	defer cancel()
	// the asking ends a little before the waiting, so that what hangs can still say where it hangs
	ctx, stop := context.WithTimeout(ctx, o.Budget-o.Budget/20)
	defer stop()

	m := &measurement{Options: o, results: make(chan result)}
	for _, t := range o.Now {
		m.start(ctx, over, m.inForce(t))
	}
	for last := o.More == nil; ; {
		round := over
		if !last {
			var done context.CancelFunc
			deadline, _ := over.Deadline()
			round, done = context.WithTimeout(over, time.Until(deadline)/patience)
			defer done()
		}
		m.wait(round)
		if last {
			break
		}
		var targets []Target
		targets, last = o.More(m.rows())
		if len(targets) == 0 && !last {
			break
		}
		for _, t := range targets {
			m.start(ctx, over, m.inForce(t))
			if last {
				m.startOther(ctx, over, t)
			}
		}
		if last {
			for _, t := range o.Now {
				m.startOther(ctx, over, t)
			}
		}
	}
	report := Report{Proxies: o.Settings.Proxies(), Rows: m.rows()}
	m.judge(&report)
	report.Class, report.Evidence = Classify(report.Rows, report.Proxies)
	if report.Intercepted == Yes {
		report.Evidence = append(report.Evidence, m.interception)
	}
	report.Duration = time.Since(start)
	return report
}

type result struct {
	index int
	row   Row
	seen  egress.Seen
}

type measurement struct {
	Options
	jobs         []job
	done         []*result
	pending      int
	results      chan result
	interception string
}

// inForce is the way that the settings give a target.
func (m *measurement) inForce(t Target) job {
	proxy, err := m.Settings.For(t.Source.URL)
	return job{target: t, proxy: proxy, via: way(proxy), err: err}
}

// startOther asks by the way that the settings do not give, where there is one. Loopback has no other way.
func (m *measurement) startOther(ctx, over context.Context, t Target) {
	configured := m.Settings.Configured(t.Source.URL)
	if configured == nil {
		return
	}
	if loc, err := source.Locate(t.Source.URL); err != nil || loc.Loopback {
		return
	}
	if inForce := m.inForce(t); inForce.proxy == nil {
		m.start(ctx, over, job{target: t, proxy: configured, via: ViaProxy})
	} else {
		m.start(ctx, over, job{target: t, via: ViaDirect})
	}
}

func way(proxy *url.URL) string {
	if proxy != nil {
		return ViaProxy
	}
	return ViaDirect
}

func (m *measurement) start(ctx, over context.Context, j job) {
	j.index = len(m.jobs)
	m.jobs = append(m.jobs, j)
	m.done = append(m.done, nil)
	m.pending++
	go func() {
		row, seen := m.ask(ctx, j)
		select {
		case m.results <- result{j.index, row, seen}:
		case <-over.Done(): // nobody waits any more
		}
	}()
}

// wait collects results until all have come or the round is over.
func (m *measurement) wait(round context.Context) {
	for m.pending > 0 {
		select {
		case r := <-m.results:
			m.done[r.index] = &r
			m.pending--
		case <-round.Done():
			return
		}
	}
}

func (m *measurement) rows() []Row {
	rows := make([]Row, 0, len(m.jobs))
	for i, j := range m.jobs {
		if r := m.done[i]; r != nil {
			rows = append(rows, r.row)
		} else {
			rows = append(rows, Row{Source: j.target.Source, Via: j.via, Fault: SilentFault, Reason: "no answer in time"})
		}
	}
	return rows
}

func (m *measurement) ask(ctx context.Context, j job) (Row, egress.Seen) {
	row := Row{Source: j.target.Source, Via: j.via}
	if j.err != nil {
		row.Fault, row.Reason = ProxyFault, "the proxy setting "+j.err.Error()
		return row, egress.Seen{}
	}
	trace := new(egress.Trace)
	client, closeIdle := m.client(j.target.Source.URL, j.proxy, trace)
	defer closeIdle()
	began := time.Now()
	verdict, err := j.target.Check(ctx, m.fetch(client, j.target.Source.URL))
	seen := trace.Seen()
	row.Name, row.Connect, row.TLS, row.FirstByte, row.IPs = seen.Name, seen.Connect, seen.TLS, seen.FirstByte, seen.IPs
	if err != nil {
		row.Fault, row.Reason = explain(err, seen, j, time.Since(began))
		row.Reason = m.Credentials.Mask(masked(row.Reason, j.target.Source.URL, j.proxy))
		return row, seen
	}
	row.OK, row.Reason, row.Content, row.ChecksumDB, row.Fault = verdict.OK, m.Credentials.Mask(verdict.Reason), verdict.Content, verdict.ChecksumDB, verdict.Fault
	row.Absent = verdict.Absent
	if row.OK {
		fetch := m.fetch(client, j.target.Source.URL)
		if m.Load && j.target.Load != nil {
			if l, err := j.target.Load(ctx, fetch); err == nil && l.OK && l.Took > 0 {
				row.Throughput = int64(float64(l.Bytes) / l.Took.Seconds())
			}
		}
		if m.Newest && j.target.Newest != nil {
			row.Newest, _ = j.target.Newest(ctx, fetch) // zero says that it is not known
		}
	}
	return row, seen
}

// masked is a reason without the secrets of a source and a proxy, which may have put what we sent them into an answer.
func masked(reason, rawurl string, proxy *url.URL) string {
	secrets := source.Secrets(rawurl)
	if proxy != nil {
		secrets = append(secrets, source.Secrets(proxy.String())...)
	}
	for _, s := range secrets {
		reason = strings.ReplaceAll(reason, s, "***")
	}
	return reason
}

// redirect follows what an honest source does: a few steps, never down to plain http, never to an address that only
// this machine or its network has.
func redirect(request *http.Request, via []*http.Request) error {
	switch ip, err := netip.ParseAddr(request.URL.Hostname()); {
	case len(via) > maxRedirects:
		return errors.New("redirects too often")
	case via[0].URL.Scheme == "https" && request.URL.Scheme != "https":
		return errors.New("redirects to plain http")
	case err == nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()) && request.URL.Hostname() != via[0].URL.Hostname():
		return errors.New("redirects to an address of this network")
	}
	return nil
}

// fetch binds a client to one source: the source's credentials go to the source's own host only.
func (m *measurement) fetch(client *http.Client, base string) Fetch {
	own, _ := url.Parse(base)
	return func(ctx context.Context, rawurl string, limit int64) (Response, error) {
		began := time.Now()
		response, err := get(ctx, client, own, rawurl, http.Header{"User-Agent": {m.UserAgent}})
		if err != nil {
			return Response{}, err
		}
		defer response.Body.Close()
		first := time.Since(began)
		body, err := io.ReadAll(io.LimitReader(response.Body, limit))
		if err != nil {
			return Response{}, fmt.Errorf("broke off after %d bytes: %w", len(body), err)
		}
		final := *response.Request.URL
		final.User = nil
		return Response{Status: response.StatusCode, Header: response.Header, Body: body, URL: final.String(),
			FirstByte: first, Total: time.Since(began)}, nil
	}
}

// get asks for one address, with the credentials of own where it is of the same host. Its error holds no address.
func get(ctx context.Context, client *http.Client, own *url.URL, rawurl string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rawurl, nil)
	if err != nil {
		return nil, errors.New("address cannot be parsed as a URL")
	}
	if own != nil && own.User != nil && request.URL.Host == own.Host {
		request.URL.User = own.User
	}
	request.Header = header
	response, err := client.Do(request)
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err // the address may hold credentials
	}
	return response, err
}

// explain turns an error into the kind of failure and words.
func explain(err error, seen egress.Seen, j job, waited time.Duration) (Fault, string) {
	var dns *net.DNSError
	switch {
	case errors.Is(err, egress.ErrRefusedAddress):
		return PolicyFault, "its address is not in the allowlist of addresses, so it was not asked"
	case seen.ProxyStatus == http.StatusProxyAuthRequired:
		return ProxyFault, "the proxy asks for credentials (407)" + schemes(seen.ProxyAuth)
	case seen.ProxyStatus != 0 && seen.ProxyStatus/100 != 2:
		return ProxyFault, fmt.Sprintf("the proxy refuses it (%d)", seen.ProxyStatus)
	}
	if fault, reason, ok := explainTLS(err, seen); ok {
		return fault, reason
	}
	whose, fault := "", DialFault
	if j.proxy != nil && !seen.Connected {
		whose, fault = "the proxy: ", ProxyFault
	}
	switch {
	case errors.As(err, &dns):
		if whose == "" {
			fault = NameFault
		}
		if dns.IsTimeout || errors.Is(err, context.DeadlineExceeded) {
			return fault, whose + "the name server does not answer"
		}
		return fault, whose + "the name has no address"
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault, whose + "connection refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return fault, whose + "no route"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fault, whose + "a local filter forbids the connection"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if seen.Connected {
			return OtherFault, whose + "the connection was cut"
		}
		return fault, whose + "the connection was cut"
	case timeout(err) && len(seen.IPs) == 0 && j.proxy == nil:
		return NameFault, "the name server does not answer"
	case timeout(err):
		if seen.Connected {
			return SilentFault, fmt.Sprintf("connected, then no answer within %s", waited.Round(100*time.Millisecond))
		}
		return fault, fmt.Sprintf("%sno connection within %s", whose, waited.Round(100*time.Millisecond))
	}
	return OtherFault, source.Plain(source.Redact(err.Error()), 200)
}

func timeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || (errors.As(err, &t) && t.Timeout())
}

func schemes(values []string) string {
	var names []string
	for _, v := range values {
		name, _, _ := strings.Cut(v, " ")
		for _, known := range []string{"Basic", "Digest", "NTLM", "Negotiate", "Kerberos", "Bearer"} {
			if strings.EqualFold(name, known) && !slices.Contains(names, known) {
				names = append(names, known)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", it offers " + strings.Join(names, ", ")
}
