// Package diagnose walks the chain of a request, from the settings to the policy, stops at the first broken link, and
// says what most likely broke it, what mends it, and who can. It is pure: it asks nobody, and reads a report.
package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// Status is how a link is. The zero value is not known.
type Status string

// States of a link.
const (
	Unknown Status = "unknown"
	OK      Status = "ok"
	Failed  Status = "failed"
	// Skipped: what it needs is broken, or there is no such link here.
	Skipped Status = "skipped"
)

// Links of the chain, in their order.
const (
	Settings  = "settings"
	Name      = "name"
	Address   = "address"
	Connect   = "connect"
	Proxy     = "proxy"
	TLS       = "tls"
	FirstByte = "first-byte"
	Content   = "content"
	Log       = "log"
	Policy    = "policy"
)

var links = []string{Settings, Name, Address, Connect, Proxy, TLS, FirstByte, Content, Log, Policy}

// Step is one link of a chain.
type Step struct {
	Name   string
	Status Status
	// Tried and Saw are in words, without secrets; Saw of a link that was skipped says why.
	Tried, Saw string
	// Took is zero where nothing was measured.
	Took time.Duration
}

// Chain is what one subject needs.
type Chain struct {
	// Subject names it: "go: official", an address, a module at a version.
	Subject string
	OK      bool
	Steps   []Step
}

// Broken is the first link that failed; the zero value where none did.
func (c Chain) Broken() Step {
	for _, s := range c.Steps {
		if s.Status == Failed {
			return s
		}
	}
	return Step{}
}

// Who can mend it.
const (
	Developer      = "developer"
	RunnerAdmin    = "runner-admin"
	NetworkTeam    = "network-team"
	SourceOperator = "source-operator"
)

// Cause is the most likely one of what is broken.
type Cause struct {
	// ID is stable: a detect.Cause or one of those below.
	ID string
	// Subjects are the chains that it breaks.
	Subjects []string
	// Why is what is wrong, in a sentence; Evidence what says so.
	Why      string
	Evidence []string
	// Fix is the next step, Command what to type for it; empty where there is nothing to type.
	Fix, Command string
	Who          string
}

// Causes beside those of detect.
const (
	InterceptedUntrusted = "tls-intercepted-untrusted"
	WrongClock           = "clock-wrong"
	Captive              = "captive-portal"
	Hijacked             = "dns-hijacked"
	Offline              = "offline"
	LogUnreachable       = "log-unreachable"
	PolicyDenied         = "policy-denied"
	SettingBroken        = "setting-broken"
)

// Diagnosis is what came out.
type Diagnosis struct {
	Healthy bool
	Chains  []Chain
	Causes  []Cause
	// Notes are what was seen on the way and breaks nothing now.
	Notes []string
}

// Subject is one thing that a job needs.
type Subject struct {
	// Name is as in Chain.
	Name string
	// Tool is whose settings it goes by: go, npm, git; empty for an address that the user gave.
	Tool   string
	Source source.Source
	// Row is what it answered by the way in force; nil where it was not asked, and Unasked says why.
	Row     *detect.Row
	Unasked string
	// Other is what it answered by the other way; nil where there is none.
	Other *detect.Row
	// Setting says where the source is named, in words ("GOPROXY, built into the toolchain").
	Setting string
	// Named is the setting that somebody named the source in ("GOPROXY in the environment"); empty where nobody did.
	Named string
	// Broken is why the setting cannot be used, BrokenFix what to do; empty where it can.
	Broken, BrokenFix string
	// Any is true where any answer will do, as of an address that somebody named.
	Any bool
	// Item is what was asked for beside the source itself ("github.com/a/b@v1.0.0"); empty where nothing was.
	Item string
	// Log says how the checksum database is reached.
	Log LogState
	// Denied is why policy does not accept the source; empty where it does. PolicyFix is what to do.
	Denied, DeniedFix string
}

// LogState is how the checksum database is reached. The zero value wants none.
type LogState struct {
	Wanted, Reached bool
	// How says by whom it was or was not, in words.
	How string
}

// Facts are all that a diagnosis goes by.
type Facts struct {
	Network  detect.Report
	Subjects []Subject
	// Alternatives are sources that answer with verified content and are not in force, by ecosystem, best first, masked.
	Alternatives map[string][]string
	// Conflicts are odd settings of this machine, without secrets.
	Conflicts []string
}

// Examine comes to a diagnosis.
func Examine(f Facts) Diagnosis {
	d := Diagnosis{Healthy: true, Notes: slices.Clone(f.Conflicts)}
	for _, s := range f.Subjects {
		chain, cause := walk(f, s)
		d.Chains = append(d.Chains, chain)
		if cause == nil {
			continue
		}
		d.Healthy = false
		i := slices.IndexFunc(d.Causes, func(c Cause) bool {
			return c.ID == cause.ID && c.Why == cause.Why && c.Command == cause.Command && c.Fix == cause.Fix
		})
		if i < 0 {
			d.Causes = append(d.Causes, *cause)
			continue
		}
		d.Causes[i].Subjects = append(d.Causes[i].Subjects, s.Name)
		for _, e := range cause.Evidence {
			if !slices.Contains(d.Causes[i].Evidence, e) {
				d.Causes[i].Evidence = append(d.Causes[i].Evidence, e)
			}
		}
	}
	if hijack := f.Network.Trait(detect.NamesHijacked); hijack.Answer == detect.Yes && d.Healthy {
		d.Notes = append(d.Notes, hijack.Evidence...)
	}
	return d
}

// walk goes along one chain. The cause is nil where no link is broken.
func walk(f Facts, s Subject) (Chain, *Cause) {
	w := walker{f: f, s: s, chain: Chain{Subject: s.Name}}
	cause := w.walk()
	broken := w.chain.Broken().Name
	for _, name := range links[len(w.chain.Steps):] {
		why := "nothing was asked"
		if broken != "" {
			why = "it needs " + broken
		}
		w.step(name, Skipped, "", why, 0)
	}
	w.chain.OK = cause == nil
	if cause != nil {
		cause.Subjects = []string{s.Name}
	}
	return w.chain, cause
}

type walker struct {
	f     Facts
	s     Subject
	chain Chain
}

func (w *walker) step(name string, status Status, tried, saw string, took time.Duration) {
	w.chain.Steps = append(w.chain.Steps, Step{name, status, tried, saw, took})
}

// at is the link that a cause breaks.
func at(c detect.Cause) string {
	switch c {
	case detect.ProxySetting:
		return Settings
	case detect.ProxyName, detect.NamesDown, detect.NameUnknown:
		return Name
	case detect.AddressRefused:
		return Address
	case detect.ProxyDead, detect.NoRoute, detect.ConnectRefused, detect.ConnectDropped, detect.ConnectForbidden:
		return Connect
	case detect.ProxySilent, detect.ProxyCredentials, detect.ProxyRefuses, detect.ProxyFails:
		return Proxy
	case detect.UnknownCA, detect.Expired, detect.WrongName, detect.Handshake:
		return TLS
	case detect.SourceSilent, detect.ConnectionCut:
		return FirstByte
	case detect.SourceRefuses, detect.SourceLacks, detect.SourceDown, detect.AnotherPage, detect.OtherContent, detect.Redirected, detect.OtherCause:
		return Content
	case detect.NoCause:
	}
	return ""
}

func (w *walker) walk() *Cause {
	s := w.s
	if s.Broken != "" {
		w.step(Settings, Failed, s.Setting, s.Broken, 0)
		return &Cause{ID: SettingBroken, Why: s.Broken, Fix: s.BrokenFix, Who: Developer}
	}
	r := s.Row
	if r == nil {
		w.step(Settings, OK, s.Setting, "", 0)
		if s.Denied != "" {
			w.skip(Name, Address, Connect, Proxy, TLS, FirstByte, Content, Log)
			return w.denied()
		}
		for _, name := range links[1:] {
			w.step(name, Unknown, "", s.Unasked, 0)
		}
		if s.Source.URL != "" { // what nobody knows is not healthy
			return &Cause{ID: string(detect.OtherCause), Why: w.host() + ": " + s.Unasked, Fix: told[detect.OtherCause].fix, Who: Developer}
		}
		return nil
	}
	broken := at(r.Cause)
	if broken == "" && !r.OK { // nobody said what: it is not well all the same
		broken = Content
	}
	past := func(name string) bool { return broken == "" || slices.Index(links, broken) > slices.Index(links, name) }
	fail := func(name string) *Cause {
		w.step(name, Failed, w.tried(name), r.Reason, took(*r, name))
		return w.explain()
	}
	for _, name := range links[:slices.Index(links, Log)] {
		switch {
		case name == broken:
			return fail(name)
		case name == Proxy && r.Via != detect.ViaProxy:
			w.step(name, Skipped, "", w.noProxy(), 0)
		case name == TLS && strings.HasPrefix(s.Source.URL, "http:"):
			w.step(name, Skipped, "", "the address is http", 0)
		case past(name):
			w.step(name, OK, w.tried(name), w.saw(name), took(*r, name))
			if name == TLS {
				if cause := w.bundle(); cause != nil {
					return cause
				}
			}
		}
	}
	switch {
	case !s.Log.Wanted:
		w.step(Log, Skipped, "", "no checksum database is asked", 0)
	case s.Log.Reached:
		w.step(Log, OK, "the checksum database", s.Log.How, 0)
	default:
		w.step(Log, Failed, "the checksum database", s.Log.How, 0)
		return w.log()
	}
	if s.Denied != "" {
		return w.denied()
	}
	w.step(Policy, OK, "the policies", "the source is accepted", 0)
	return nil
}

func (w *walker) skip(names ...string) {
	for _, n := range names {
		w.step(n, Skipped, "", cmp.Or(w.s.Unasked, "policy was asked first"), 0)
	}
}

func (w *walker) denied() *Cause {
	w.step(Policy, Failed, "the policies", w.s.Denied, 0)
	return &Cause{ID: PolicyDenied, Why: w.s.Denied, Fix: w.s.DeniedFix, Command: "goproxy-action check", Who: Developer}
}

func took(r detect.Row, name string) time.Duration {
	switch name {
	case Name:
		return r.Name
	case Connect:
		return r.Connect
	case TLS:
		return r.TLS
	case FirstByte:
		return r.FirstByte
	}
	return 0
}

func (w *walker) host() string {
	if loc, err := source.Locate(w.s.Source.URL); err == nil {
		return loc.HostPort()
	}
	return source.Plain(source.Redact(w.s.Source.URL), 100)
}

// tried says what was tried for a link.
func (w *walker) tried(name string) string {
	r, host := w.s.Row, w.host()
	target := host
	if r.Via == detect.ViaProxy {
		target = "the proxy " + r.Proxy
	}
	switch name {
	case Settings:
		return w.s.Setting
	case Name:
		return "the address of " + target
	case Address:
		return "whether policy lets it be dialled"
	case Connect:
		return "a connection to " + target
	case Proxy:
		return "CONNECT " + host + " at " + r.Proxy
	case TLS:
		return "a handshake with " + host
	case FirstByte:
		return "an answer of " + host
	case Content:
		switch {
		case w.s.Item != "":
			return w.s.Item
		case w.s.Any:
			return "any answer that is no refusal"
		}
		return "a known file with a known hash"
	}
	return ""
}

// saw says what was seen at a link that holds.
func (w *walker) saw(name string) string {
	r := w.s.Row
	switch name {
	case Settings:
		if r.Via == detect.ViaProxy {
			return "through the proxy " + r.Proxy
		}
		return w.noProxy()
	case Name:
		if len(r.IPs) > 0 {
			return strings.Join(r.IPs[:min(len(r.IPs), 3)], ", ")
		}
		return "it has one"
	case Address:
		if r.Via == detect.ViaProxy {
			return "the proxy dials"
		}
		return cmp.Or(r.Address, "accepted")
	case Connect:
		return "accepted"
	case Proxy:
		return "the proxy lets it through"
	case TLS:
		if w.f.Network.Intercepted == detect.Yes && w.s.Source.Public {
			return "trusted, and intercepted by " + w.f.Network.Issuer
		}
		return "trusted"
	case FirstByte:
		if r.Status != 0 {
			return fmt.Sprintf("status %d", r.Status)
		}
		return "answers"
	case Content:
		if r.Content != detect.Yes {
			return "it came; nothing here says whether it is what was published"
		}
		return "verified"
	}
	return ""
}

func (w *walker) noProxy() string {
	if len(w.f.Network.Proxies) == 0 {
		return "no proxy is set"
	}
	return "directly: NO_PROXY, or the scheme, exempts it from the proxy"
}
