package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/source"
)

// Classify says what kind of network the rows show, and names the rows that prove it.
func Classify(rows []Row, proxies []Proxy) (Class, []string) {
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Cause != ProxySetting }) { // nothing was asked
		return Unknown, each(rows)
	}
	// public says for each well-known public source whether it answered by any way
	public := map[string]bool{}
	var ok, pages, proxied, direct []Row
	connected := false
	for _, r := range rows {
		switch {
		case r.OK && r.Via == ViaProxy:
			proxied = append(proxied, r)
		case r.OK:
			direct = append(direct, r)
		case r.Fault == PageFault:
			pages = append(pages, r)
		}
		switch r.Fault {
		case NameFault, DialFault:
		case ProxyFault:
			connected = connected || r.Cause == ProxyCredentials || r.Cause == ProxyRefuses || r.Cause == ProxyFails
		case SilentFault:
			connected = connected || r.Connect > 0
		default:
			connected = true
		}
		if r.Source.Public {
			public[r.Source.URL] = public[r.Source.URL] || r.OK
		}
	}
	ok = append(append(ok, direct...), proxied...)
	switch {
	case len(ok) == 0 && len(pages) > 0:
		return Captive, each(pages)
	case len(ok) == 0 && !connected:
		return Offline, each(rows)
	case len(ok) == 0:
		return Restricted, each(rows)
	}
	reached, missed, officialCut := 0, []string(nil), false
	for url, answered := range public {
		if answered {
			reached++
		} else {
			missed = append(missed, url)
		}
	}
	for _, r := range rows {
		if r.Source.ID == source.Official && r.Source.Public && !public[r.Source.URL] {
			officialCut = true
		}
	}
	evidence := each(ok)
	// an answer through the proxy that the settings give is what the job will see
	if len(proxied) > 0 && len(proxies) > 0 && inForceProxied(rows) {
		return Proxied, append(evidence, each(filter(rows, func(r Row) bool { return !r.OK && r.Via == ViaDirect }))...)
	}
	if officialCut || len(missed) > reached {
		return Restricted, append(evidence, each(filter(rows, func(r Row) bool { return !r.OK && r.Source.Public && !public[r.Source.URL] }))...)
	}
	return Direct, evidence
}

// inForceProxied tells whether the first source off this machine, which is one in force by the way in force, went by a
// proxy, or whether nothing answered directly.
func inForceProxied(rows []Row) bool {
	outside := filter(rows, func(r Row) bool {
		loc, err := source.Locate(r.Source.URL)
		return err == nil && !loc.Loopback
	})
	direct := slices.ContainsFunc(outside, func(r Row) bool { return r.OK && r.Via == ViaDirect })
	return !direct || outside[0].Via == ViaProxy
}

func filter(rows []Row, keep func(Row) bool) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !keep(r) })
}

// each says the rows in words: a sentence for each that answered, and one for all that failed in the same way.
func each(rows []Row) []string {
	var out []string
	type failure struct{ via, reason string }
	failed := map[failure]int{} // the index of the sentence
	for _, r := range rows {
		where, by := place(r), by(r)
		if r.OK {
			out = append(out, fmt.Sprintf("%s answers %s in %d ms", where, by, r.FirstByte.Milliseconds()))
			continue
		}
		text := fmt.Sprintf(" %s: %s", by, r.Reason)
		if i, ok := failed[failure{by, r.Reason}]; ok {
			out[i] = strings.TrimSuffix(out[i], text) + ", " + where + text
			continue
		}
		failed[failure{by, r.Reason}] = len(out)
		out = append(out, where+text)
	}
	return out
}
