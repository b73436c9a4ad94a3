package detect

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/source"
)

// Names of traits.
const (
	TLSIntercepted   = "intercepted"
	NamesHijacked    = "names-hijacked"
	ContentRewritten = "content-rewritten"
	CaptivePortal    = "captive-portal"
	ClockWrong       = "clock-wrong"
	IPv6Only         = "ipv6-only"
	InContainer      = "container"
	HostedRunner     = "hosted"
)

// Trait is something that a network or a runner has or has not, or of which it is not known.
type Trait struct {
	Name   string
	Answer Answer
	// Evidence is in sentences; where the answer is not known it may say why.
	Evidence []string
}

// Trait finds one by its name; the zero value, which is not known, where the report has none.
func (r Report) Trait(name string) Trait {
	for _, t := range r.Traits {
		if t.Name == name {
			return t
		}
	}
	return Trait{Name: name}
}

// traits are all of them, in one order, after the class and the interception are known.
func (m *measurement) traits(r *Report) []Trait {
	intercepted := Trait{Name: TLSIntercepted, Answer: r.Intercepted}
	switch r.Intercepted {
	case Yes:
		intercepted.Evidence = []string{m.interception}
	case No:
		intercepted.Evidence = []string{"the certificates of public hosts end in public roots"}
	case NotKnown:
		intercepted.Evidence = []string{"no certificate of a well-known public host was seen"}
	}
	return []Trait{intercepted, hijacked(r.Names), rewritten(r.Rows), m.captive(r), m.clock(time.Now(), r.Rows), onlyIPv6(m.Interfaces, r.Rows),
		m.container(), m.hosted()}
}

// hijacked: a name that nobody has got an address.
func hijacked(names []Name) Trait {
	t := Trait{Name: NamesHijacked, Evidence: []string{"no name was asked for that nobody has"}}
	for _, n := range names {
		if !n.Random {
			continue
		}
		switch {
		case len(n.IPs) > 0:
			t.Answer, t.Evidence = Yes, []string{fmt.Sprintf("the name server gives the address %s to %s, a name that nobody has", n.IPs[0], source.Plain(n.Host, 100))}
		case n.Cause == NameUnknown:
			t.Answer, t.Evidence = No, []string{"a name that nobody has gets no address"}
		default:
			t.Evidence = []string{"the name server did not answer"}
		}
	}
	return t
}

// rewritten: what came is well formed, and not what was asked for.
func rewritten(rows []Row) Trait {
	t := Trait{Name: ContentRewritten, Evidence: []string{"no content was seen"}}
	for _, r := range rows {
		switch {
		case r.Cause == OtherContent:
			if t.Answer != Yes {
				t.Answer, t.Evidence = Yes, nil
			}
			t.Evidence = append(t.Evidence, fmt.Sprintf("%s %s", where(r), r.Reason))
		case r.Content == Yes && t.Answer == NotKnown:
			t.Answer, t.Evidence = No, []string{"what was asked for came, and has the hash that is compiled in"}
		}
	}
	return t
}

// captive: pages of somebody else came, or plain http leads everybody to one place.
func (m *measurement) captive(r *Report) Trait {
	t := Trait{Name: CaptivePortal}
	switch {
	case m.portal != "":
		t.Answer, t.Evidence = Yes, []string{m.portal}
	case r.Class == Captive:
		t.Answer, t.Evidence = Yes, each(filter(r.Rows, func(r Row) bool { return r.Cause == AnotherPage }))
	case slices.ContainsFunc(r.Rows, func(r Row) bool { return r.Content == Yes }):
		t.Answer, t.Evidence = No, []string{"what was asked for came"}
	default:
		t.Evidence = []string{"nothing that was asked for came, and no page in its place"}
	}
	return t
}

// onlyIPv6: this machine has an IPv6 address to go out with, and no IPv4 address.
func onlyIPv6(interfaces func() ([]net.Addr, error), rows []Row) Trait {
	t := Trait{Name: IPv6Only}
	if interfaces == nil {
		interfaces = net.InterfaceAddrs
	}
	list, err := interfaces()
	if err != nil {
		t.Evidence = []string{"the addresses of this machine could not be read"}
		return t
	}
	var four, six []string
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		switch ip := p.Addr().Unmap(); {
		case ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast():
		case ip.Is4():
			four = append(four, ip.String())
		default:
			six = append(six, ip.String())
		}
	}
	switch {
	case len(four) > 0:
		t.Answer, t.Evidence = No, []string{"this machine has the address " + four[0]}
	case len(six) > 0:
		t.Answer, t.Evidence = Yes, []string{fmt.Sprintf("this machine has the address %s, and no IPv4 address", six[0])}
		var missing []string
		for _, r := range rows {
			v6 := func(ip string) bool { return strings.Contains(ip, ":") }
			if loc, err := source.Locate(r.Source.URL); err == nil && !r.OK && len(r.IPs) > 0 && !slices.ContainsFunc(r.IPs, v6) && !slices.Contains(missing, loc.Host) {
				missing = append(missing, loc.Host)
			}
		}
		if len(missing) > 0 {
			t.Evidence = append(t.Evidence, some(missing)+": has IPv4 addresses only")
		}
	default:
		t.Evidence = []string{"this machine has no address to go out with"}
	}
	return t
}

// container looks for what container engines leave.
func (m *measurement) container() Trait {
	t := Trait{Name: InContainer}
	if m.Machine.Exists == nil {
		return t
	}
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} { // docker, podman
		if m.Machine.Exists(mark) {
			t.Answer, t.Evidence = Yes, []string{mark + " is there"}
			return t
		}
	}
	for _, name := range []string{"KUBERNETES_SERVICE_HOST", "container"} { // kubelet; podman, systemd-nspawn
		if v, _ := m.Machine.Lookup(name); v != "" {
			t.Answer, t.Evidence = Yes, []string{"the variable " + name + " is set"}
			return t
		}
	}
	t.Answer, t.Evidence = No, []string{"no container engine has left a mark"}
	return t
}

// hosted tells a runner of the CI system's own from one of the user's.
func (m *measurement) hosted() Trait {
	t := Trait{Name: HostedRunner, Evidence: []string{"no CI system says"}}
	if m.Machine.Lookup == nil {
		return t
	}
	get := func(name string) string { v, _ := m.Machine.Lookup(name); return v }
	switch env := get("RUNNER_ENVIRONMENT"); env {
	case "github-hosted":
		t.Answer = Yes
	case "self-hosted":
		t.Answer = No
	}
	if t.Answer != NotKnown {
		t.Evidence = []string{"RUNNER_ENVIRONMENT=" + get("RUNNER_ENVIRONMENT")}
		return t
	}
	if server, short := get("CI_SERVER_HOST"), get("CI_RUNNER_SHORT_TOKEN"); server != "" && short != "" {
		// GitLab.com's own runners are described as such (docs.gitlab.com, "GitLab-hosted runners"); any other is a user's
		if described := get("CI_RUNNER_DESCRIPTION"); server == "gitlab.com" && strings.Contains(described, ".saas-") {
			t.Answer, t.Evidence = Yes, []string{"CI_RUNNER_DESCRIPTION=" + source.Plain(described, 100)}
		} else if server != "gitlab.com" {
			t.Answer, t.Evidence = No, []string{"the runner belongs to " + source.Plain(server, 100)}
		}
	}
	return t
}

// where names a row in a sentence.
func where(r Row) string { return place(r) + " " + by(r) }

func place(r Row) string {
	return source.Plain(strings.TrimPrefix(strings.TrimPrefix(source.Redact(r.Source.URL), "https://"), "***@"), 120)
}

func by(r Row) string {
	if r.Via == ViaProxy {
		return "through the proxy"
	}
	return "directly"
}
