package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/problem"
)

// Waiver says who has taken a finding upon himself.
type Waiver struct {
	Reason string `json:"reason"`
	Owner  string `json:"owner"`
	// Expires is the last day that it counts, in UTC, as 2026-12-31.
	Expires string `json:"expires"`
}

// Waivers are the waivers that count. A question that could not be answered is never waived: nobody knows what it hides.
type Waivers struct {
	List []config.Waiver
	// Change are the waivers as the change has them, where one is judged by List, which the base commit has. They can
	// take waivers back and give none: what they do not take in is not waived.
	Change []config.Waiver
	Judged bool
	// Now decides which have ended.
	Now time.Time
	// Partial is true where only some of the findings were looked for, so that none can be said to be of no use.
	Partial bool
}

// CheckWaivers refuses waivers of rules that there are not. A policy of the user's may report what it does not describe,
// so that with one no rule is unknown for sure; a waiver that is not used is told in any case.
func (e *Engine) CheckWaivers(all []config.Waiver) error {
	if len(e.user) > 0 {
		return nil
	}
	for _, w := range all {
		if _, ok := e.rules[w.Rule]; !ok {
			return problem.New(problem.Usage, w.At, "known are "+strings.Join(slices.Sorted(maps.Keys(e.rules)), ", "), "there is no rule %s", w.Rule)
		}
	}
	return nil
}

// apply marks the findings that waivers take in, and says which waivers were of no use. Of several waivers the first
// that has not ended counts.
func (w Waivers) apply(all []Finding) (notes []string) {
	today := w.Now.UTC().Truncate(24 * time.Hour)
	list, change := byRule(w.List), byRule(w.Change)
	used, takenBack := map[string]bool{}, map[string]bool{} // by place
	for i := range all {
		f := &all[i]
		for _, v := range list[f.ID] {
			if !takes(v, f) {
				continue
			}
			used[v.At] = true
			ends := v.Expires
			if w.Judged {
				last, ok := lastOf(change[f.ID], f)
				if !ok {
					takenBack[v.At] = true
					continue
				}
				if last.Before(ends) {
					ends = last
				}
			}
			status := Waived
			if today.After(ends) {
				status = Expired
			}
			if f.Status == Active || f.Status == Expired && status == Waived {
				f.Status, f.Waiver = status, &Waiver{Reason: v.Reason, Owner: v.Owner, Expires: ends.Format(time.DateOnly)}
			}
		}
	}
	for _, v := range w.List {
		by := fmt.Sprintf("%s: the waiver of %s by %s ", v.At, v.Rule, v.Owner)
		switch {
		case takenBack[v.At]:
			notes = append(notes, by+"does not count for all that it takes in, since this change has none for it; if that is not meant, bring the branch up to date")
		case used[v.At] || w.Partial:
		case today.After(v.Expires):
			notes = append(notes, by+"ended on "+v.Date()+" and takes in nothing that was found; remove it")
		default:
			notes = append(notes, by+"takes in nothing that was found; remove it, or correct its match")
		}
	}
	return notes
}

func byRule(all []config.Waiver) map[string][]*config.Waiver {
	out := map[string][]*config.Waiver{}
	for i, w := range all {
		out[w.Rule] = append(out[w.Rule], &all[i])
	}
	return out
}

// takes tells whether a waiver takes a finding of its rule in. A pattern for the file takes in no setting of the
// machine's environment, which stands in none.
func takes(w *config.Waiver, f *Finding) bool {
	return (!w.File.Given() || f.File != "" && w.File.Match(f.File)) && w.Subject.Match(f.Subject) && w.Message.Match(f.Message)
}

// lastOf is the last day of all waivers that take a finding in.
func lastOf(all []*config.Waiver, f *Finding) (last time.Time, ok bool) {
	for _, w := range all {
		if takes(w, f) && (!ok || w.Expires.After(last)) {
			last, ok = w.Expires, true
		}
	}
	return last, ok
}
