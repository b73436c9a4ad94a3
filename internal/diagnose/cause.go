package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// advice is what a cause means and who does what about it. Words in braces are filled in: {host}, {proxy}, {reason},
// and {named}, which is the setting in brackets, if there is one.
type advice struct{ why, fix, command, who string }

// told are the causes that need no look at anything else.
var told = map[detect.Cause]advice{
	detect.ProxySetting: {"the address of the proxy cannot be used: {reason}", "write it as name:password@host:port, with @ : / # and % in name and password percent-encoded (%40 %3A %2F %23 %25)", "", RunnerAdmin},
	detect.ProxyName:    {"the name of the proxy {proxy} has no address here", "correct the name in the setting that names it, or give the proxy's address in numbers", "", RunnerAdmin},
	detect.ProxyDead:    {"nobody takes connections at the proxy {proxy}: {reason}", "start the proxy, correct its port, or take the setting out where this network needs none", "", RunnerAdmin},
	detect.ProxySilent:  {"the proxy {proxy} takes the connection and never answers CONNECT", "have the proxy looked at: it hangs, or its own way out does", "", NetworkTeam},
	detect.ProxyRefuses: {"the proxy {proxy} does not let {host} through: {reason}", "have {host} put on the proxy's list of allowed hosts, or use a source that it lets through", "", NetworkTeam},
	detect.ProxyFails:   {"the proxy {proxy} cannot reach {host} itself: {reason}", "have the proxy's own names and way out looked at", "", NetworkTeam},

	detect.NoRoute:          {"this machine knows no way to {host}", "give the machine a route out, or set HTTPS_PROXY to this network's proxy", "", NetworkTeam},
	detect.ConnectRefused:   {"{host} refuses the connection: nothing listens there, or a firewall answers for it", "check the address and port of the source{named}; behind a company's firewall set HTTPS_PROXY to its proxy", "", NetworkTeam},
	detect.ConnectDropped:   {"packets to {host} vanish: a firewall drops them", "have the firewall let {host} through, or set HTTPS_PROXY to this network's proxy", "", NetworkTeam},
	detect.ConnectForbidden: {"a filter of this machine forbids connections to {host}", "change the machine's own firewall or sandbox (nftables, seccomp, network policy)", "", RunnerAdmin},
	detect.AddressRefused:   {"the address of {host} is not among those that trusted.addresses allows", "add its address to trusted.addresses in .goproxy/config.yaml, or use another source", "goproxy-action check", Developer},

	detect.WrongName:     {"the certificate of {host} is for another name: somebody else answers, or the address is an alias", "use the name that the certificate is for, or have the certificate made anew", "", SourceOperator},
	detect.Handshake:     {"no TLS with {host}: {reason}", "check the port and the scheme of the address; a proxy or firewall in between may not let TLS pass", "", NetworkTeam},
	detect.SourceSilent:  {"{host} takes the connection and never answers", "use another source meanwhile; have it looked at, and the firewall in between: some let connections come about and drop what follows", "", SourceOperator},
	detect.ConnectionCut: {"the connection to {host} is cut as soon as it is used: a firewall that goes by names does so, or the source fails", "have {host} let through, or use another source", "", NetworkTeam},
	detect.SourceDown:    {"{host} answers, but not with what was asked for: {reason}", "use another source until it is well again", "", SourceOperator},
	detect.Redirected:    {"{host} leads to where no honest source leads: it {reason}", "do not use it; a login page or an intercepting proxy may stand in between", "", NetworkTeam},
	detect.OtherContent:  {"what {host} sends is not what was published: it {reason}", "do not use it; compare from another network, and report it to its operator", "", SourceOperator},
	detect.OtherCause:    {"{host}: {reason}", "see the evidence; goproxy-action doctor --bundle FILE.tar.gz collects it for whoever can", "", Developer},
}

// nobodys are the causes by which a proxy is of use to nobody, whatever is asked for.
var nobodys = []detect.Cause{detect.ProxyName, detect.ProxyDead}

// explain finds the most likely cause of what the row says, with a look at all else that is known.
func (w *walker) explain() *Cause {
	r := w.s.Row
	c := w.fill(string(r.Cause), told[r.Cause])
	c.Evidence = append([]string{fmt.Sprintf("%s %s: %s", w.host(), by(r.Via), r.Reason)}, c.Evidence...)
	public := w.s.Source.Public
	switch r.Cause {
	case detect.NamesDown:
		if w.unconnected(c) {
			break
		}
		w.set(c, advice{"the name server does not answer", "correct the name servers in /etc/resolv.conf, or have the name server looked at", "cat /etc/resolv.conf", NetworkTeam})
	case detect.NameUnknown:
		w.unknownName(c)
	case detect.ProxyCredentials:
		w.credentials(c)
	case detect.UnknownCA:
		if n := w.f.Network; public || n.Intercepted == detect.Yes && r.Issuer == n.Issuer {
			c = w.intercepted(c, "")
			break
		}
		w.set(c, advice{"no authority that this machine trusts has signed the certificate of {host}", "install the certificate of the authority that signs it: into the system's store, or name a bundle that holds it in SSL_CERT_FILE", "", RunnerAdmin})
	case detect.Expired:
		if t := w.f.Network.Trait(detect.ClockWrong); t.Answer == detect.Yes {
			c.ID, c.Evidence = WrongClock, append(slices.Clone(t.Evidence), c.Evidence...)
			w.set(c, advice{"this machine's clock is wrong", "set the clock, and have it kept right", "timedatectl set-ntp true", RunnerAdmin})
			break
		}
		w.set(c, advice{"the certificate of {host} has expired, or is not valid yet", "have it renewed; use another source meanwhile", "", SourceOperator})
	case detect.SourceRefuses:
		w.set(c, advice{fmt.Sprintf("{host} answers %d: it wants credentials, or refuses this address or region", r.Status), "give it credentials (a netrc file, or credentials in .goproxy/config.yaml), or use another source", "", Developer})
	case detect.SourceLacks:
		w.lacks(c)
	case detect.AnotherPage:
		w.anotherPage(c)
	default: // told has all there is to say
	}
	w.wayOut(c)
	return c
}

// set gives a cause an advice.
func (w *walker) set(c *Cause, a advice) {
	filled := w.fill("", a)
	c.Why, c.Fix, c.Command, c.Who = filled.Why, filled.Fix, filled.Command, filled.Who
}

func (w *walker) fill(id string, a advice) *Cause {
	proxy, reason, named := "", "", ""
	if w.s.Named != "" {
		named = " (" + w.s.Named + ")"
	}
	if r := w.s.Row; r != nil {
		proxy, reason = r.Proxy, strings.TrimPrefix(r.Reason, "the proxy: ")
	}
	words := strings.NewReplacer("{host}", w.host(), "{proxy}", proxy, "{reason}", reason, "{named}", named)
	return &Cause{ID: id, Why: words.Replace(a.why), Fix: words.Replace(a.fix), Command: words.Replace(a.command), Who: a.who}
}

func by(via string) string {
	if via == detect.ViaProxy {
		return "through the proxy"
	}
	return "directly"
}

// unconnected is a machine that is connected to nothing, where no name can have an address.
func (w *walker) unconnected(c *Cause) bool {
	t := w.f.Network.Trait(detect.IPv6Only)
	if slices.ContainsFunc(w.f.Network.Names, func(n detect.Name) bool { return len(n.IPs) > 0 }) || len(t.Evidence) == 0 || !strings.Contains(t.Evidence[0], "no address to go out") {
		return false
	}
	c.ID, c.Evidence = Offline, append(c.Evidence, t.Evidence...)
	w.set(c, advice{"this machine is not connected to any network", "give it a network, or set up sources on this machine", "ip address", RunnerAdmin})
	return true
}

// unknownName tells one unknown name from a network that knows no public name at all.
func (w *walker) unknownName(c *Cause) {
	known, unknown := 0, 0
	for _, n := range w.f.Network.Names {
		switch {
		case n.Random:
		case len(n.IPs) > 0:
			known++
		case n.Cause == detect.NameUnknown:
			unknown++
		}
	}
	if w.unconnected(c) {
		return
	}
	if known == 0 && unknown > 1 {
		c.Evidence = append(c.Evidence, fmt.Sprintf("none of %d public names has an address, and the name server answers", unknown))
		w.set(c, advice{"the name server of this network knows no public names, as behind a proxy that everybody has to use, or without the Internet", "set HTTPS_PROXY to this network's proxy, or name a source that this network has in .goproxy/config.yaml (sources)", "", NetworkTeam})
		return
	}
	w.set(c, advice{"the name of {host} has no address: it is misspelt, or this network does not know it", "correct the address{named}, or have the name made known to this network's name server", "", Developer})
}

// credentials: the proxies of companies often want what no tool of ours speaks.
func (w *walker) credentials(c *Cause) {
	r := w.s.Row
	a := advice{"the proxy {proxy} wants a name and a password, and those that it got it does not take", "write them into the proxy's address as name:password@host:port, with @ : / # and % in name and password percent-encoded (%40 %3A %2F %23 %25), and keep it in a secret of the CI system", "", Developer}
	if len(r.Auth) > 0 && !slices.Contains(r.Auth, "Basic") {
		a = advice{fmt.Sprintf("the proxy {proxy} takes %s only, which go, npm and git do not speak", strings.Join(r.Auth, " and ")), "put a small proxy on the runner that logs in to it (cntlm, px), and set HTTPS_PROXY to that; or have the runner let through without a login", "", NetworkTeam}
	}
	w.set(c, a)
}

// intercepted: somebody opens TLS with certificates that a tool does not trust. tool is whose bundle lacks the authority;
// empty where this machine's store does.
func (w *walker) intercepted(c *Cause, tool string) *Cause {
	n := w.f.Network
	issuer := n.Issuer
	if issuer == "" {
		issuer = "an unknown authority"
	}
	c.ID = InterceptedUntrusted
	c.Evidence = append(c.Evidence, n.Trait(detect.TLSIntercepted).Evidence...)
	if n.SPKI != "" {
		c.Evidence = append(c.Evidence, "the SHA-256 of that authority's public key is "+n.SPKI)
	}
	a := advice{fmt.Sprintf("a proxy in between opens TLS with certificates of %s, which this machine does not trust", issuer),
		"ask the network team for the certificate of that authority, compare the hash of its key, and put it into the system's store; never switch verification off",
		"cp AUTHORITY.crt /usr/local/share/ca-certificates/ && update-ca-certificates", RunnerAdmin}
	switch tool {
	case "":
	case "npm":
		a = advice{fmt.Sprintf("a proxy in between opens TLS with certificates of %s; this machine trusts them, and npm does not: Node.js carries authorities of its own", issuer),
			"name a file with that authority's certificate in NODE_EXTRA_CA_CERTS", "export NODE_EXTRA_CA_CERTS=/usr/local/share/ca-certificates/AUTHORITY.crt", RunnerAdmin}
	default:
		a = advice{fmt.Sprintf("a proxy in between opens TLS with certificates of %s; this machine trusts them, and the certificates that %s is told to use do not hold that authority", issuer, tool),
			"add that authority's certificate to that file, or take the setting out", "", RunnerAdmin}
	}
	w.set(c, a)
	return c
}

// bundle fails where the tool will not trust what this program trusts.
func (w *walker) bundle() *Cause {
	for _, b := range w.f.Network.Bundles {
		if b.Tool != w.s.Tool || b.Trusts != detect.No || !w.s.Source.Public {
			continue
		}
		last := &w.chain.Steps[len(w.chain.Steps)-1]
		last.Status = Failed
		c := &Cause{}
		said := fmt.Sprintf("%s goes by certificates of its own", b.Tool)
		if b.Path != "" {
			said = fmt.Sprintf("%s goes by %s (%s), %d certificates", b.Tool, source.Plain(b.Path, 200), b.Origin, b.Certificates)
		}
		if b.Broken != "" {
			said = fmt.Sprintf("%s (%s), which %s is told to go by, %s", source.Plain(b.Path, 200), b.Origin, b.Tool, b.Broken)
		}
		c.Evidence = []string{said}
		switch {
		case b.Broken != "" && !b.Adds:
			c.ID, c.Who = SettingBroken, RunnerAdmin
			c.Why = fmt.Sprintf("%s cannot verify anybody: its file of certificates %s", b.Tool, b.Broken)
			c.Fix = fmt.Sprintf("correct %s, or take it out", b.Origin)
		case w.f.Network.Intercepted == detect.Yes:
			c = w.intercepted(c, b.Tool)
		default:
			c.ID, c.Who = string(detect.UnknownCA), RunnerAdmin
			c.Why = fmt.Sprintf("the certificates that %s is told to go by do not hold the authority of %s", b.Tool, w.host())
			c.Fix = fmt.Sprintf("add the system's certificates to that file, or take %s out", b.Origin)
		}
		last.Saw = said
		return c
	}
	return nil
}

// lacks: the source works, and has not got it.
func (w *walker) lacks(c *Cause) {
	if w.s.Item == "" {
		w.set(c, advice{"{host} answers, and has not got the file that sources are proven by: it is no source of this kind, its path is wrong, or it holds private things only", "check the path of the address{named}; a private source is asked beside a public one", "", Developer})
		return
	}
	w.set(c, advice{fmt.Sprintf("{host} has no %s: name or version are misspelt, it is private, or it was taken back", source.Plain(w.s.Item, 200)), "check name and version; a private one has to be in GOPRIVATE, or in the scopes of an .npmrc", "", Developer})
}

var atPortal = advice{"this network answers with pages of its own: it wants a login, or consent, before it lets anybody out", "log in at the network's page from this machine, or have its address exempted", "", NetworkTeam}

// anotherPage tells a captive portal from a source that shows pages for people, and from a proxy that does.
func (w *walker) anotherPage(c *Cause) {
	n := w.f.Network
	switch portal := n.Trait(detect.CaptivePortal); {
	case portal.Answer == detect.Yes:
		c.ID, c.Evidence = Captive, append(c.Evidence, portal.Evidence...)
		w.set(c, atPortal)
	case n.Intercepted == detect.Yes:
		c.ID = string(detect.OtherContent)
		w.set(c, advice{"a page came in the place of what was asked of {host}, and TLS is intercepted: the intercepting proxy shows its own", "have {host} let through by the proxy that opens TLS", "", NetworkTeam})
	default:
		c.ID = string(detect.SourceDown)
		w.set(c, advice{"{host} answers with a page for people in the place of what was asked for, while the network is well", "check the path of the address{named}, or use another source until it is well again", "", SourceOperator})
	}
}

// wayOut adds what is known to work: another proxy of this machine, the other way, another source.
func (w *walker) wayOut(c *Cause) {
	r, n := w.s.Row, w.f.Network
	if portal := n.Trait(detect.CaptivePortal); portal.Answer == detect.Yes && r.Via == detect.ViaDirect {
		if c.ID != Captive {
			c.Evidence = append(slices.Clone(portal.Evidence), c.Evidence...)
		}
		c.ID = Captive
		w.set(c, atPortal)
		return
	}
	if t := n.Trait(detect.NamesHijacked); t.Answer == detect.Yes && r.Via == detect.ViaDirect && r.Cause != detect.OtherContent {
		c.ID, c.Evidence = Hijacked, append(slices.Clone(t.Evidence), c.Evidence...)
		w.set(c, advice{"the name server gives false addresses: it answers for names that nobody has", "use another name server, or have this one looked at: a captive portal or a filter of the network does so", "cat /etc/resolv.conf", NetworkTeam})
		return
	}
	w.everywhere(c)
	for _, p := range n.ProxyChecks {
		if slices.ContainsFunc(p.Rows, func(row detect.Row) bool { return row.Source.URL == w.s.Source.URL && row.OK }) {
			from := strings.Join(p.Origins, ", ")
			c.Evidence = append(c.Evidence, fmt.Sprintf("%s answers through the proxy %s, which %s names", w.host(), p.URL, from))
			c.Fix = fmt.Sprintf("set HTTPS_PROXY to the proxy that %s names: %s", from, p.URL)
			c.Command, c.Who = "export HTTPS_PROXY="+quoted(p.URL), Developer
			return
		}
	}
	if o := w.s.Other; o != nil && o.OK {
		c.Evidence = append(c.Evidence, fmt.Sprintf("%s answers %s", w.host(), by(o.Via)))
		loc, err := source.Locate(w.s.Source.URL)
		switch {
		case err != nil:
		case o.Via == detect.ViaDirect && slices.Contains(nobodys, r.Cause):
			c.Fix, c.Command, c.Who = "take the proxy's setting out: this network lets you out without it", "unset HTTPS_PROXY https_proxy", Developer
		case o.Via == detect.ViaDirect:
			c.Fix, c.Command, c.Who = "leave the proxy out for it: add its host to NO_PROXY (goproxy-action setup does so)", `export NO_PROXY="${NO_PROXY:+$NO_PROXY,}`+loc.Host+`"`, Developer
		default:
			c.Fix, c.Command, c.Who = "let the proxy be used for it: take its host out of NO_PROXY", "", Developer
		}
		return
	}
	if list := w.f.Alternatives[w.s.Source.Ecosystem]; len(list) > 0 && w.s.Tool != "" && c.ID != InterceptedUntrusted {
		c.Evidence = append(c.Evidence, "verified meanwhile: "+strings.Join(list[:min(len(list), 3)], ", "))
		c.Fix += "; or take a source that answers now, which setup does by itself"
		c.Command = cmp.Or(c.Command, `eval "$(goproxy-action setup)"`)
	}
}

// everywhere: what happens to all that have nothing to do with each other is the network's doing, and not theirs.
func (w *walker) everywhere(c *Cause) {
	r := w.s.Row
	if c.Who != SourceOperator || r.Cause == detect.Expired {
		return
	}
	var hosts []string
	for _, o := range w.f.Network.Rows {
		loc, err := source.Locate(o.Source.URL)
		switch {
		case err != nil || !o.Source.Public || o.Via != r.Via || o.Source.Ecosystem != w.s.Source.Ecosystem || o.Source.Role != w.s.Source.Role || o.Cause == detect.NameUnknown:
		case o.Cause != r.Cause:
			return
		case !slices.Contains(hosts, loc.Host):
			hosts = append(hosts, loc.Host)
		}
	}
	if len(hosts) < 2 {
		return
	}
	c.Evidence = append(c.Evidence, fmt.Sprintf("the same happens with all of %d known sources of this kind, which have nothing to do with each other", len(hosts)))
	c.Why += "; as with all others, so that something in between does it"
	c.Fix, c.Who = "have what stands in between looked at: a firewall, a proxy that nobody has to configure, a filter of content", NetworkTeam
}

// log: the source answers, and the checksum database does not.
func (w *walker) log() *Cause {
	c := w.fill(LogUnreachable, advice{"the checksum database can be asked neither through {host} nor at its own address, so that the go command refuses modules that have no line in go.sum",
		"use a module proxy that relays the database, or have sum.golang.org let through; never set GOSUMDB=off", `eval "$(goproxy-action setup)"`, NetworkTeam})
	if w.s.Log.How != "" {
		c.Evidence = []string{w.s.Log.How}
	}
	return c
}

// quoted is a word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
