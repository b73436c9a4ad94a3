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
	"sync"
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
	// Deep are questions that no job asks.
	Deep Deep
	// Machine is what this program may know of the runner.
	Machine Machine
	// Interfaces are this machine's addresses; nil asks the system.
	Interfaces func() ([]net.Addr, error)
	// Budget of zero is the constant.
	Budget    time.Duration
	UserAgent string
	// Credentials are shown to their own sources alone; nil holds none.
	Credentials *credential.Store
}

// Machine is what a runner tells of itself. The zero value tells nothing.
type Machine struct {
	// Lookup finds a variable of the environment.
	Lookup func(string) (string, bool)
	// Exists tells whether a path of the machine is there.
	Exists func(string) bool
}

// job is one target by one way.
type job struct {
	target Target
	proxy  *url.URL
	via    string
	err    error
	index  int
	// trace and began are of the asking under way.
	trace *egress.Trace
	began time.Time
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

	o.Dialer = once(ctx, o.Dialer)
	m := &measurement{Options: o, results: make(chan result)}
	finish := m.dig(ctx, over)
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
	finish(&report)
	m.judge(&report)
	report.Class, report.Evidence = Classify(report.Rows, report.Proxies)
	if len(o.Deep.Hosts) > 0 && report.Class != Captive {
		if m.lastResort(ctx); m.portal != "" {
			report.Class, report.Evidence = Captive, append([]string{m.portal}, report.Evidence...)
		}
	}
	if report.Intercepted == Yes {
		report.Evidence = append(report.Evidence, m.interception)
	}
	report.Bundles = m.bundles()
	report.Evidence = append(report.Evidence, oddNames(report.Names)...)
	report.Traits = m.traits(&report)
	report.Duration = time.Since(start)
	return report
}

type result struct {
	index int
	row   Row
	seen  egress.Seen
	// goesOn is true where more is asked.
	goesOn bool
}

type measurement struct {
	Options
	jobs         []job
	done         []*result
	pending      int
	results      chan result
	interception string
	// portal says where plain http leads everybody; empty where it does not.
	portal string
	// files are what the bundles' paths hold.
	files map[string]bundleFile
}

// inForce is the way that the settings give a target.
func (m *measurement) inForce(t Target) job {
	proxy, err := m.Settings.For(t.Source.URL)
	j := job{target: t, proxy: proxy, via: way(proxy), err: err}
	if err != nil { // there is one, though nobody can use it
		j.via = ViaProxy
	}
	return j
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
	j.trace, j.began = new(egress.Trace), time.Now()
	m.jobs[j.index] = j
	tell := func(r result) {
		select {
		case m.results <- r:
		case <-over.Done(): // nobody waits any more
		}
	}
	go func() {
		row, seen := m.ask(ctx, j, func(row Row, seen egress.Seen) { tell(result{index: j.index, row: row, seen: seen, goesOn: true}) })
		tell(result{index: j.index, row: row, seen: seen})
	}()
}

// wait collects results until all have come or the round is over.
func (m *measurement) wait(round context.Context) {
	for m.pending > 0 {
		select {
		case r := <-m.results:
			m.done[r.index] = &r
			if !r.goesOn {
				m.pending--
			}
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
			rows = append(rows, j.unanswered())
		}
	}
	return rows
}

// unanswered is the row of one who has not answered until now, as far as he came.
func (j job) unanswered() Row {
	row := Row{Source: j.target.Source, Via: j.via}
	if j.proxy != nil {
		row.Proxy = shownProxy(j.proxy.String())
	}
	seen := j.trace.Seen()
	row.saw(seen)
	row.Fault, row.Cause, row.Reason = explain(context.DeadlineExceeded, seen, j, time.Since(j.began))
	row.Reason = masked(row.Reason, j.target.Source.URL, j.proxy)
	return row
}

// saw takes over what a trace has seen.
func (r *Row) saw(seen egress.Seen) {
	if len(seen.Peers) > 0 {
		r.Issuer = source.Plain(seen.Peers[0].Issuer.String(), 200)
	}
	r.Address, r.Auth = seen.Address, offered(seen.ProxyAuth)
	r.Name, r.Connect, r.TLS, r.FirstByte, r.IPs = seen.Name, seen.Connect, seen.TLS, seen.FirstByte, seen.IPs
}

// ask asks one target. Where more is asked of it than its Check, early is told what that has come to.
func (m *measurement) ask(ctx context.Context, j job, early func(Row, egress.Seen)) (Row, egress.Seen) {
	row := Row{Source: j.target.Source, Via: j.via}
	if j.err != nil {
		row.Fault, row.Cause, row.Reason = ProxyFault, ProxySetting, "the proxy setting "+j.err.Error()
		return row, egress.Seen{}
	}
	if j.proxy != nil {
		row.Proxy = shownProxy(j.proxy.String())
	}
	client, closeIdle := m.client(j.target.Source.URL, j.proxy, j.trace)
	defer closeIdle()
	fetch, date := dated(m.fetch(client, j.target.Source.URL))
	verdict, err := j.target.Check(ctx, fetch)
	seen := j.trace.Seen()
	row.Skew, row.Dated = date()
	row.saw(seen)
	if err != nil {
		row.Fault, row.Cause, row.Reason = explain(err, seen, j, time.Since(j.began))
		row.Reason = m.Credentials.Mask(masked(row.Reason, j.target.Source.URL, j.proxy))
		return row, seen
	}
	row.OK, row.Reason, row.Content, row.ChecksumDB, row.Fault = verdict.OK, m.Credentials.Mask(verdict.Reason), verdict.Content, verdict.ChecksumDB, verdict.Fault
	row.Absent, row.Status, row.Cause = verdict.Absent, verdict.Status, verdict.cause()
	if row.OK && (m.Load || m.Newest) {
		early(row, seen)
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

// dated is a fetch that looks at the clocks of those who answer; date says how far the last of them is ahead of ours. The
// header counts whole seconds, so half a one is the best guess at the rest.
func dated(fetch Fetch) (_ Fetch, date func() (time.Duration, bool)) {
	var mu sync.Mutex
	var skew time.Duration
	known := false
	return func(ctx context.Context, rawurl string, limit int64) (Response, error) {
			r, err := fetch(ctx, rawurl, limit)
			if at, e := http.ParseTime(r.Header.Get("Date")); err == nil && e == nil && r.Header.Get("Age") == "" {
				mu.Lock()
				defer mu.Unlock()
				skew, known = at.Add(time.Second/2).Sub(time.Now().Add(r.FirstByte-r.Total)), true
			}
			return r, err
		}, func() (time.Duration, bool) {
			mu.Lock()
			defer mu.Unlock()
			return skew, known
		}
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

// errRedirect begins what is wrong with a redirect.
var errRedirect = errors.New("redirects")

// redirect follows what an honest source does: a few steps, never down to plain http, never to an address that only
// this machine or its network has. Where a name leads, egress looks when it dials.
func redirect(request *http.Request, via []*http.Request) error {
	switch ip, err := netip.ParseAddr(request.URL.Hostname()); {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w too often", errRedirect)
	case via[0].URL.Scheme == "https" && request.URL.Scheme != "https":
		return fmt.Errorf("%w to plain http", errRedirect)
	case err == nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()) && request.URL.Hostname() != via[0].URL.Hostname():
		return fmt.Errorf("%w to an address of this network", errRedirect)
	}
	request.Header.Del("Referer") // it names what was asked for, a private module among it
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

// explain turns an error into the kind of failure, its cause, and words.
func explain(err error, seen egress.Seen, j job, waited time.Duration) (Fault, Cause, string) {
	var dns *net.DNSError
	switch {
	case errors.Is(err, egress.ErrRefusedAddress):
		return PolicyFault, AddressRefused, "its address is not in the allowlist of addresses, so it was not asked"
	case seen.ProxyStatus == http.StatusProxyAuthRequired:
		words := ""
		if schemes := offered(seen.ProxyAuth); len(schemes) > 0 {
			words = ", it offers " + strings.Join(schemes, ", ")
		}
		return ProxyFault, ProxyCredentials, "the proxy asks for credentials (407)" + words
	case seen.ProxyStatus/100 == 5:
		return ProxyFault, ProxyFails, fmt.Sprintf("the proxy does not reach it (%d)", seen.ProxyStatus)
	case seen.ProxyStatus != 0 && seen.ProxyStatus/100 != 2:
		return ProxyFault, ProxyRefuses, fmt.Sprintf("the proxy refuses it (%d)", seen.ProxyStatus)
	}
	if cause, reason, ok := explainTLS(err, seen); ok {
		return TLSFault, cause, reason
	}
	// by is a failure of the source, or of the proxy where we never came to the source
	by := func(fault Fault, source, proxy Cause, words string) (Fault, Cause, string) {
		if j.proxy != nil && !seen.Connected {
			return ProxyFault, proxy, "the proxy: " + words
		}
		return fault, source, words
	}
	switch {
	case errors.As(err, &dns):
		if namesDown(err) {
			return by(NameFault, NamesDown, NamesDown, "the name server does not answer")
		}
		return by(NameFault, NameUnknown, ProxyName, "the name has no address")
	case errors.Is(err, syscall.ECONNREFUSED):
		return by(DialFault, ConnectRefused, ProxyDead, "connection refused")
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return by(DialFault, NoRoute, ProxyDead, "no route")
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return by(DialFault, ConnectForbidden, ProxyDead, "a local filter forbids the connection")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		fault := DialFault
		if seen.Connected {
			fault = OtherFault
		}
		return by(fault, ConnectionCut, ProxyDead, "the connection was cut")
	case errors.Is(err, egress.ErrInward):
		return OtherFault, Redirected, errRedirect.Error() + " to an address of this machine"
	case errors.Is(err, errRedirect):
		return OtherFault, Redirected, source.Plain(source.Redact(err.Error()), 200)
	case timeout(err) && seen.Connected && j.proxy != nil && seen.ProxyStatus == 0 && strings.HasPrefix(j.target.Source.URL, "https:"):
		return SilentFault, ProxySilent, fmt.Sprintf("the proxy: connected, then no answer within %s", tenths(waited))
	case timeout(err) && seen.Connected:
		return SilentFault, SourceSilent, fmt.Sprintf("connected, then no answer within %s", tenths(waited))
	case timeout(err) && len(seen.IPs) == 0 && j.proxy == nil:
		return NameFault, NamesDown, "the name server does not answer"
	case timeout(err):
		return by(DialFault, ConnectDropped, ProxyDead, fmt.Sprintf("no connection within %s", tenths(waited)))
	}
	return OtherFault, OtherCause, source.Plain(source.Redact(err.Error()), 200)
}

func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

func timeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || (errors.As(err, &t) && t.Timeout())
}

// offered are the known schemes of authentication among the values of a header.
func offered(values []string) []string {
	var names []string
	for _, v := range values {
		name, _, _ := strings.Cut(v, " ")
		for _, known := range []string{"Basic", "Digest", "NTLM", "Negotiate", "Kerberos", "Bearer"} {
			if strings.EqualFold(name, known) && !slices.Contains(names, known) {
				names = append(names, known)
			}
		}
	}
	return names
}
