package detect

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxSkew is how far a clock may be off before it is told: certificates are made valid some minutes before they are
	// handed out, Kerberos allows 5 minutes, tokens of CI systems as much.
	maxSkew = 5 * time.Minute
	// dateTime is how dates are written.
	dateTime = "2006-01-02 15:04 MST"
)

// clock tells whether this machine's clock is wrong: by the dates in verified answers of sources that have nothing to do
// with each other, else by certificates of
// hosts that have nothing to do with each other, all of which would be valid at one other time. One host whose
// certificate has expired proves nothing.
func (m *measurement) clock(now time.Time, rows []Row) Trait {
	t := Trait{Name: ClockWrong}
	if skews := skewsOf(rows); len(skews) > 0 {
		// of two in the middle the one that is less off, so that no single source says what time it is
		middle := skews[(len(skews)-1)/2]
		if other := skews[len(skews)/2]; other.Abs() < middle.Abs() {
			middle = other
		}
		switch off := middle.Abs() > maxSkew; {
		case off && len(skews) == 1:
			t.Evidence = []string{fmt.Sprintf("the date of one source, which alone proves nothing, is %s from this machine's", span(middle))}
		case off:
			t.Answer = Yes
			t.Evidence = []string{fmt.Sprintf("this machine's clock is %s %s, by the dates of %d verified answers", span(middle), direction(middle), len(skews))}
		default:
			t.Answer = No
			t.Evidence = []string{fmt.Sprintf("the clocks of %d verified answers are within %d minutes of this machine's", len(skews), maxSkew/time.Minute)}
		}
		return t
	}
	// the time at which all certificates that are out of date would be valid
	var from, to time.Time
	var hosts []string
	var chains [][]*x509.Certificate
	for i, r := range m.done {
		if r == nil || r.row.Cause != Expired || len(r.seen.Peers) == 0 {
			continue
		}
		loc, err := source.Locate(m.jobs[i].target.Source.URL)
		if err != nil || slices.Contains(hosts, loc.Host) {
			continue
		}
		hosts, chains = append(hosts, loc.Host), append(chains, r.seen.Peers)
		for _, c := range r.seen.Peers {
			if from.IsZero() || c.NotBefore.After(from) {
				from = c.NotBefore
			}
			if to.IsZero() || c.NotAfter.Before(to) {
				to = c.NotAfter
			}
		}
	}
	t.Evidence = []string{"no verified answer has a date"}
	if !unrelated(slices.Clone(hosts)) || !from.Before(to) || (now.After(from) && now.Before(to)) {
		return t
	}
	then := from.Add(to.Sub(from) / 2)
	for i, peers := range chains {
		if verifyAt(peers, hosts[i], m.Dialer.Roots, then) != nil {
			return t
		}
	}
	off := "behind"
	if now.After(to) {
		off = "ahead"
	}
	t.Answer = Yes
	t.Evidence = []string{fmt.Sprintf("this machine's clock says %s and is %s: the certificates of %s, which have nothing to do with each other, are all valid from %s to %s, and not now",
		now.UTC().Format(dateTime), off, some(hosts), from.UTC().Format(dateTime), to.UTC().Format(dateTime))}
	return t
}

// skewsOf are by how much the clocks of verified sources are ahead of ours, sorted: one for each domain, and of several the
// one that is least off.
func skewsOf(rows []Row) []time.Duration {
	known := map[string]time.Duration{}
	for _, r := range rows {
		loc, err := source.Locate(r.Source.URL)
		if err != nil || !r.OK || !r.Dated {
			continue
		}
		if before, ok := known[domain(loc.Host)]; !ok || r.Skew.Abs() < before.Abs() {
			known[domain(loc.Host)] = r.Skew
		}
	}
	return slices.Sorted(maps.Values(known))
}

func direction(skew time.Duration) string {
	if skew > 0 {
		return "behind"
	}
	return "ahead"
}

// span is a skew in hours and minutes.
func span(skew time.Duration) string {
	return strings.TrimSuffix(skew.Abs().Round(time.Minute).String(), "0s")
}
