package inject

import (
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/source"
)

// Proxies are the proxy variables to set.
type Proxies struct {
	// HTTPS and HTTP are raw; empty leaves the variable as it is. Origin says in words who wants them.
	HTTPS, HTTP, Origin string
	// NoProxy is the list in force or wished, to which the others are added; Hosts are sources that answer directly only.
	NoProxy string
	Hosts   []string
	// Wished is true when the user's configuration names a list.
	Wished bool
}

// loopback are the spellings of this machine that the clients need. Go and GitHub's toolkit exempt it by themselves,
// npm, curl, git, pip and others do not; npm wants the bracketed form of ::1 and curl the plain one.
var loopback = []string{"localhost", "127.0.0.1", "::1", "[::1]"}

// Changes are the variables in both cases, since curl reads the lower one only for http and Go prefers the upper one.
// Nothing is returned where nothing is wished.
func (p Proxies) Changes(lookup func(string) (string, bool)) []Change {
	var out []Change
	both := func(name, value, shown, why string) {
		for _, n := range []string{name, strings.ToLower(name)} {
			if old, _ := lookup(n); old != value {
				out = append(out, Change{Kind: "env", Ecosystem: "proxy", Name: n, Value: value, Shown: shown, Why: why})
			}
		}
	}
	if p.HTTPS != "" {
		both("HTTPS_PROXY", p.HTTPS, source.Redact(p.HTTPS), p.Origin+" names the proxy")
	}
	if p.HTTP != "" {
		both("HTTP_PROXY", p.HTTP, source.Redact(p.HTTP), p.Origin+" names the proxy")
	}
	if p.HTTPS == "" && p.HTTP == "" && len(p.Hosts) == 0 && !p.Wished {
		return out
	}
	why := "this machine itself is not asked through the proxy"
	if len(p.Hosts) > 0 {
		why = strings.Join(p.Hosts, ", ") + " answers directly, but not through the proxy"
	}
	list := MergeNoProxy(p.NoProxy, p.Hosts)
	both("NO_PROXY", list, shownList(list), why)
	return out
}

// shownList is a list of hosts without secrets: in one nothing has an @, unless somebody took it for a list of addresses.
func shownList(value string) string {
	entries := strings.Split(value, ",")
	for i, e := range entries {
		if strings.Contains(e, "@") {
			entries[i] = "***"
		}
	}
	return strings.Join(entries, ",")
}

// MergeNoProxy adds this machine and the hosts to a NO_PROXY list, in the one form that works in nearly all clients: a
// name as itself and with a leading dot, numbers as they are. What the list holds already stays, in its order.
func MergeNoProxy(list string, hosts []string) string {
	var out []string
	add := func(entry string) {
		if entry = strings.TrimSpace(entry); entry != "" && !slices.Contains(out, entry) {
			out = append(out, entry)
		}
	}
	for e := range strings.SplitSeq(list, ",") {
		add(e)
	}
	if slices.Contains(out, "*") {
		return strings.Join(out, ",")
	}
	for _, e := range loopback {
		add(e)
	}
	for _, h := range hosts {
		add(h)
		if loc, err := source.Locate("https://" + h); err == nil && strings.ContainsAny(loc.Host, "abcdefghijklmnopqrstuvwxyz") && !strings.Contains(loc.Host, ":") {
			add("." + h)
		}
	}
	return strings.Join(out, ",")
}
