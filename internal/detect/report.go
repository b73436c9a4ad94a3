// Package detect measures the network and the sources. It judges nothing, and "unknown" is a value.
package detect

import (
	"context"
	"net/http"
	"time"

	"github.com/org/goproxy-action/internal/source"
)

// Class is what kind of network a runner is in.
type Class string

const (
	// Unknown: nothing was asked.
	Unknown Class = "unknown"
	// Direct: the sources answer without a proxy.
	Direct Class = "direct"
	// Restricted: some sources answer, others that a plain network would reach do not.
	Restricted Class = "restricted"
	// Proxied: the sources answer through a forward proxy.
	Proxied Class = "proxied"
	// Captive: pages come back that are not what was asked for.
	Captive Class = "captive"
	// Offline: nothing answers.
	Offline Class = "offline"
)

// Answer is a question's three-valued outcome. The zero value is "not known".
type Answer int8

// Answers.
const (
	NotKnown Answer = iota
	Yes
	No
)

// Bool is true, false, or nil for NotKnown.
func (a Answer) Bool() *bool {
	switch a {
	case Yes:
		v := true
		return &v
	case No:
		v := false
		return &v
	case NotKnown:
	}
	return nil
}

// Ways to a source.
const (
	ViaDirect = "direct"
	ViaProxy  = "proxy"
)

// Report is what was seen.
type Report struct {
	Class Class
	// Intercepted says whether somebody opens TLS; Issuer and SPKI (base64 of the SHA-256 of the issuer's public key)
	// name who, where Intercepted is Yes.
	Intercepted  Answer
	Issuer, SPKI string
	Proxies      []Proxy
	Rows         []Row
	// Evidence names, in sentences, the rows that prove the class.
	Evidence []string
	// Traits are what else is true of the network and the runner, or is not, or is not known: all that there are, in one
	// order.
	Traits []Trait
	// Names are what the name server answered, ProxyChecks what other proxies let through, Bundles what tools trust; all of
	// them where somebody asked for it (Deep).
	Names       []Name
	ProxyChecks []ProxyCheck
	Bundles     []Bundle
	Duration    time.Duration
}

// Proxy is one effective proxy setting.
type Proxy struct {
	// Scheme is of the requests it serves: http or https.
	Scheme string
	// URL is masked.
	URL string
	// Origin names the variable it comes from ("HTTPS_PROXY") or the setting.
	Origin string
}

// Row is what one source answered by one way.
type Row struct {
	Source source.Source
	// Via is ViaDirect or ViaProxy.
	Via string
	// OK is true when the source answered and what it said was verified.
	OK bool
	// Reason is why not OK, in words fit for a person; empty when OK.
	Reason string
	// Content says whether the answer was what was asked for.
	Content Answer
	// ChecksumDB says whether the source relays the checksum database (module proxies only).
	ChecksumDB Answer
	// Name, Connect, TLS and FirstByte are durations of the first request's steps; zero where a step did not happen.
	// FirstByte counts from the start of the request.
	Name, Connect, TLS, FirstByte time.Duration
	// Absent is true when the source answered that it does not have what was asked for (404 or 410): it works, and may be
	// one for other things only.
	Absent bool
	// IPs are the addresses the name has, in the order they were dialled; empty behind a proxy.
	IPs []string
	// Fault classifies a failure for the class of the network, Cause says what exactly failed.
	Fault Fault
	Cause Cause
	// Status is the HTTP status that decided, 0 where none did.
	Status int
	// Auth are the schemes that a forward proxy offered with a 407.
	Auth []string
	// Proxy is the forward proxy that was asked, masked; empty where none was.
	Proxy string
	// Address is the one that the connection went to; empty behind a proxy and without a connection.
	Address string
	// Issuer is who has signed the certificate that it showed; empty where it showed none.
	Issuer string
	// Skew is how far the source's clock is ahead of this machine's, as far as its answers say; Dated is true where one did.
	Skew  time.Duration
	Dated bool
	// Throughput is in bytes per second, of one file of some hundred kilobytes; 0 where none was loaded.
	Throughput int64
	// Newest is when the newest version was made that the source lists of the module or package that sources are compared
	// by: a replica whose Newest lies behind that of another lags by the difference. Zero where nobody asked.
	Newest time.Time
}

// Fault is the kind of a failure.
type Fault string

// Kinds of failure.
const (
	NoFault     Fault = ""
	NameFault   Fault = "name"    // the name has no address
	DialFault   Fault = "connect" // no connection: refused, unreachable, silent
	TLSFault    Fault = "tls"     // no trust in the certificate, or no handshake
	ProxyFault  Fault = "proxy"   // the forward proxy refused or failed
	SilentFault Fault = "silent"  // connected, then nothing
	StatusFault Fault = "status"  // an HTTP status other than 200
	PageFault   Fault = "page"    // 200 with a page that is not what was asked for
	OtherFault  Fault = "other"   // anything else
	PolicyFault Fault = "policy"  // not asked: an address that policy does not allow
)

// Cause is what exactly failed, in a word that reports and scripts may go by. The zero value is none.
type Cause string

// Causes. Those of a proxy come before those of the source behind it.
const (
	NoCause          Cause = ""
	ProxySetting     Cause = "proxy-setting"     // its address cannot be parsed
	ProxyName        Cause = "proxy-name"        // its name has no address
	ProxyDead        Cause = "proxy-dead"        // no connection to it
	ProxySilent      Cause = "proxy-silent"      // it accepts and says nothing
	ProxyCredentials Cause = "proxy-credentials" //nolint:gosec // 407: a word, no credential
	ProxyRefuses     Cause = "proxy-refuses"     // another refusal of CONNECT, 403 as a rule
	ProxyFails       Cause = "proxy-fails"       // 5xx to CONNECT: it reaches nothing either
	NamesDown        Cause = "dns-down"          // the name server does not answer
	NameUnknown      Cause = "dns-unknown-name"  // the name has no address
	NoRoute          Cause = "no-route"
	ConnectRefused   Cause = "connect-refused"
	ConnectDropped   Cause = "connect-dropped"   // nobody answers the first packet
	ConnectForbidden Cause = "connect-forbidden" // a filter of this machine
	UnknownCA        Cause = "tls-unknown-ca"
	Expired          Cause = "certificate-expired" // or not valid yet
	WrongName        Cause = "certificate-name"
	Handshake        Cause = "tls-handshake"
	SourceSilent     Cause = "source-silent" // connected, then nothing
	ConnectionCut    Cause = "connection-cut"
	SourceRefuses    Cause = "source-refuses" // 401, 403
	SourceLacks      Cause = "source-lacks"   // 404, 410
	SourceDown       Cause = "source-down"    // any other status
	AnotherPage      Cause = "another-page"   // a page that is not what was asked for
	OtherContent     Cause = "content-rewritten"
	AddressRefused   Cause = "policy-denied"
	Redirected       Cause = "redirected" // to where no honest source leads
	OtherCause       Cause = "other"
)

// Fetch gets one URL, following redirects, with at most limit bytes of body. It is bound to one source and one way.
type Fetch func(ctx context.Context, url string, limit int64) (Response, error)

// Response is what a Fetch saw.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// URL is the address that answered, after redirects.
	URL string
	// FirstByte is the time from the start of the request to the first byte of the answer, Total the time to its last.
	FirstByte, Total time.Duration
}

// Verdict is what a Check concludes from the answers.
type Verdict struct {
	OK         bool
	Reason     string
	Content    Answer
	ChecksumDB Answer
	Fault      Fault
	// Status is the HTTP status that decided, 0 where none did.
	Status int
	// Absent is as in Row.
	Absent bool
}

// cause is what a verdict that is not OK comes from.
func (v Verdict) cause() Cause {
	switch {
	case v.OK:
		return NoCause
	case v.Status == http.StatusNotFound || v.Status == http.StatusGone:
		return SourceLacks
	case v.Status == http.StatusUnauthorized || v.Status == http.StatusForbidden:
		return SourceRefuses
	case v.Fault == StatusFault:
		return SourceDown
	case v.Fault == PageFault:
		return AnotherPage
	case v.Content == No:
		return OtherContent
	}
	return OtherCause
}

// Check asks a source for what proves it and verifies the answers. Where fetch fails it returns the error and the
// caller classifies it.
type Check func(ctx context.Context, fetch Fetch) (Verdict, error)

// Target is one source to be measured.
type Target struct {
	Source source.Source
	Check  Check
	// Small asks for the smallest thing that proves the source, by one request and always the same one, so that its times can
	// be compared; nil where Check does that.
	Small Check
	// Lookup asks a module proxy for a record of the checksum database, by one request, and verifies it; nil for other sources.
	Lookup Check
	// Load fetches one file of some hundred kilobytes and verifies it; nil where none is known.
	Load func(ctx context.Context, fetch Fetch) (Loaded, error)
	// Newest says when the newest version was made that the source lists of the one thing that sources are compared by; nil
	// where nobody knows how to ask.
	Newest func(ctx context.Context, fetch Fetch) (time.Time, error)
}

// Loaded is what a Load brought.
type Loaded struct {
	Verdict
	// Bytes are those of the body, and Took the time from the first to the last of them.
	Bytes int64
	Took  time.Duration
}
