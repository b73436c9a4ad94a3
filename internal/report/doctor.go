package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/diagnose"
)

type jsonDiagnosis struct {
	Healthy   bool        `json:"healthy"`
	Chains    []jsonChain `json:"chains"`
	Diagnoses []jsonCause `json:"diagnoses"`
}

type jsonChain struct {
	Subject string     `json:"subject"`
	OK      bool       `json:"ok"`
	Steps   []jsonStep `json:"steps"`
}

type jsonStep struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Tried    string `json:"tried"`
	Saw      string `json:"saw"`
	Duration *ms    `json:"duration_ms"` // null where nothing was measured
}

type jsonCause struct {
	Cause    string   `json:"cause"`
	Subjects []string `json:"subjects"`
	Why      string   `json:"why"`
	Evidence []string `json:"evidence"`
	Fix      string   `json:"fix"`
	Command  string   `json:"command"`
	Who      string   `json:"who"`
}

// diagnosisJSON of nobody's diagnosis is not healthy.
func diagnosisJSON(d *diagnose.Diagnosis) jsonDiagnosis {
	out := jsonDiagnosis{Chains: []jsonChain{}, Diagnoses: []jsonCause{}}
	if d == nil {
		return out
	}
	out.Healthy = d.Healthy
	for _, c := range d.Chains {
		chain := jsonChain{Subject: redact(c.Subject), OK: c.OK}
		for _, s := range c.Steps {
			chain.Steps = append(chain.Steps, jsonStep{s.Name, string(s.Status), redact(s.Tried), redact(s.Saw), step(s.Took)})
		}
		out.Chains = append(out.Chains, chain)
	}
	for _, c := range d.Causes {
		out.Diagnoses = append(out.Diagnoses, jsonCause{c.ID, redactAll(c.Subjects), redact(c.Why), redactAll(c.Evidence), redact(c.Fix), redact(c.Command), c.Who})
	}
	return out
}

// health is a diagnosis in a few words.
func health(d *diagnose.Diagnosis) string {
	broken := 0
	for _, c := range d.Chains {
		if !c.OK {
			broken++
		}
	}
	if broken == 0 {
		return "healthy"
	}
	return fmt.Sprintf("not healthy: %d of %s broken", broken, count(len(d.Chains), "chain"))
}

// diagnosis is written for who has a bad day: what is broken and what mends it first, then what was tried. Where something
// is broken, what holds is named and no more.
func (p *page) diagnosis(d *diagnose.Diagnosis) {
	for _, c := range d.Causes {
		p.heading(plain("Most likely: " + c.Why))
		p.item("breaks: " + strings.Join(c.Subjects, ", ") + " (" + c.ID + ")")
		p.prose("  fix: ", "    ", plain(c.Fix))
		if c.Command != "" {
			p.prose("  run: ", "    ", plain(c.Command))
		}
		p.item("who can: " + whose(c.Who))
		for _, e := range c.Evidence {
			p.item("seen: " + e)
		}
	}
	p.section("Seen on the way", d.Notes)
	chains, hold := telling(d)
	for _, c := range chains {
		p.heading(plain(c.Subject))
		rows := [][]string{{"link", "state", "ms", "tried, and seen"}}
		for _, s := range folded(c.Steps) {
			took := ""
			if s.Took > 0 {
				took = millis(s.Took)
			}
			rows = append(rows, []string{s.Name, string(s.Status), took, joined(": ", s.Tried, s.Saw)})
		}
		p.table(rows, 1)
	}
	p.section("Every link holds", hold)
}

func (m *sheet) diagnosis(d *diagnose.Diagnosis) {
	for _, c := range d.Causes {
		m.WriteString("\n### Most likely: " + prose(c.Why) + "\n\n")
		m.item("breaks: " + strings.Join(c.Subjects, ", ") + " (" + c.ID + ")")
		m.item("fix: " + c.Fix)
		if c.Command != "" {
			m.WriteString("- run: " + code(c.Command) + "\n")
		}
		m.item("who can: " + whose(c.Who))
		for _, e := range c.Evidence[:min(len(c.Evidence), maxEvidence)] {
			m.item("seen: " + e)
		}
	}
	m.list("Seen on the way", d.Notes)
	chains, hold := telling(d)
	for _, c := range chains {
		t := m.table(prose(c.Subject), "link", "state", "tried, and seen")
		for _, s := range folded(c.Steps) {
			t.row(s.Name, string(s.Status), prose(joined(": ", s.Tried, s.Saw)))
		}
		t.end()
	}
	m.list("Every link holds", hold)
}

// telling are the chains that are told link by link, and the names of those that hold, where another one is broken.
func telling(d *diagnose.Diagnosis) (chains []diagnose.Chain, hold []string) {
	for _, c := range d.Chains {
		if d.Healthy || !c.OK || slices.ContainsFunc(c.Steps, func(s diagnose.Step) bool { return s.Status == diagnose.Unknown }) {
			chains = append(chains, c)
		} else {
			hold = append(hold, c.Subject)
		}
	}
	return chains, hold
}

// folded are the links of a chain, with one for all those behind the broken one.
func folded(steps []diagnose.Step) []diagnose.Step {
	i := slices.IndexFunc(steps, func(s diagnose.Step) bool { return s.Status == diagnose.Failed })
	if i < 0 || len(steps)-i < 3 {
		return steps
	}
	rest := steps[i+1]
	rest.Name = "the rest"
	return append(slices.Clone(steps[:i+1]), rest)
}

func whose(who string) string {
	switch who {
	case diagnose.Developer:
		return "you, the developer"
	case diagnose.RunnerAdmin:
		return "who runs this runner"
	case diagnose.NetworkTeam:
		return "the network team"
	case diagnose.SourceOperator:
		return "who operates the source"
	}
	return who
}
