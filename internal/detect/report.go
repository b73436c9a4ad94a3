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
	Duration time.Duration
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
	// Fault classifies a failure for the class of the network.
	Fault Fault
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
	// Absent is as in Row.
	Absent bool
}

// Check asks a source for what proves it and verifies the answers. Where fetch fails it returns the error and the
// caller classifies it.
type Check func(ctx context.Context, fetch Fetch) (Verdict, error)

// Target is one source to be measured.
type Target struct {
	Source source.Source
	Check  Check
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
