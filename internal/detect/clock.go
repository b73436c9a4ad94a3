package detect

import (
	"crypto/x509"
	"fmt"
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

// clock tells whether this machine's clock is wrong: by the dates in answers that were verified, else by certificates of
// hosts that have nothing to do with each other, all of which would be valid at one other time. One host whose
// certificate has expired proves nothing.
func (m *measurement) clock(now time.Time, rows []Row) Trait {
	t := Trait{Name: ClockWrong}
	var skews []time.Duration
	for _, r := range rows {
		if r.OK && r.Dated {
			skews = append(skews, r.Skew)
		}
	}
	if len(skews) > 0 {
		slices.Sort(skews)
		middle := skews[(len(skews)-1)/2]
		t.Answer = No
		said := fmt.Sprintf("the clocks of %d verified answers are within %d minutes of this machine's", len(skews), maxSkew/time.Minute)
		if middle.Abs() > maxSkew {
			t.Answer = Yes
			said = fmt.Sprintf("this machine's clock is %s %s, by the dates of %d verified answers", strings.TrimSuffix(middle.Abs().Round(time.Minute).String(), "0s"), direction(middle), len(skews))
		}
		t.Evidence = []string{said}
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

func direction(skew time.Duration) string {
	if skew > 0 {
		return "behind"
	}
	return "ahead"
}
