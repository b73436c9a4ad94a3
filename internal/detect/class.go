package detect

import (
	"fmt"
	"strings"

	"github.com/org/goproxy-action/internal/source"
)

// Classify says what kind of network the rows show, and names the rows that prove it.
func Classify(rows []Row, proxies []Proxy) (Class, []string) {
	if len(rows) == 0 {
		return Unknown, nil
	}
	// public says for each well-known public source whether it answered by any way; cut counts those that the network
	// kept away (as opposed to a source that answered badly).
	public, cut := map[string]bool{}, map[string]string{}
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
		case SilentFault:
			connected = connected || r.Connect > 0
		default:
			connected = true
		}
		if r.Source.Public {
			public[r.Source.URL] = public[r.Source.URL] || r.OK
			if !r.OK && r.Fault != PolicyFault {
				cut[r.Source.URL] = say(r)
			}
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
	var evidence []string
	for _, r := range ok {
		evidence = append(evidence, say(r))
	}
	// an answer through the proxy that the settings give is what the job will see
	if len(proxied) > 0 && len(proxies) > 0 && inForceProxied(rows) {
		for _, r := range rows {
			if !r.OK && r.Via == ViaDirect {
				evidence = append(evidence, say(r))
			}
		}
		return Proxied, evidence
	}
	if officialCut || len(missed) > reached {
		for _, r := range rows {
			if !r.OK && r.Source.Public && !public[r.Source.URL] {
				evidence = append(evidence, say(r))
			}
		}
		return Restricted, evidence
	}
	return Direct, evidence
}

// inForceProxied tells whether the first row, which is of a source in force by the way in force, went by a proxy, or,
// where it failed, whether nothing answered directly.
func inForceProxied(rows []Row) bool {
	directs := 0
	for _, r := range rows {
		if r.OK && r.Via == ViaDirect {
			if loc, err := source.Locate(r.Source.URL); err == nil && !loc.Loopback {
				directs++
			}
		}
	}
	for _, r := range rows {
		if r.OK && r.Via == ViaProxy {
			return directs == 0 || rows[0].Via == ViaProxy
		}
	}
	return false
}

func each(rows []Row) []string {
	out := make([]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, say(r))
	}
	return out
}

// say is one row in words.
func say(r Row) string {
	by := "directly"
	if r.Via == ViaProxy {
		by = "through the proxy"
	}
	where := strings.TrimPrefix(strings.TrimPrefix(source.Redact(r.Source.URL), "https://"), "***@")
	if r.OK {
		return fmt.Sprintf("%s answers %s in %d ms", source.Plain(where, 120), by, r.FirstByte.Milliseconds())
	}
	return fmt.Sprintf("%s %s: %s", source.Plain(where, 120), by, r.Reason)
}
