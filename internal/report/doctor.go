package report

import (
	"fmt"
	"strings"

	"github.com/org/goproxy-action/internal/detect"
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

// diagnosis is written for who has a bad day: what is broken and what mends it first, then what was tried.
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
	for _, c := range d.Chains {
		p.heading(plain(c.Subject))
		rows := [][]string{}
		for _, s := range c.Steps {
			took := ""
			if s.Took > 0 {
				took = millis(s.Took)
			}
			rows = append(rows, []string{s.Name, string(s.Status), took, joined(": ", s.Tried, s.Saw)})
		}
		rows = append([][]string{{"link", "state", "ms", "tried, and seen"}}, rows...)
		p.table(rows, 1)
	}
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
	for _, c := range d.Chains {
		t := m.table(prose(c.Subject), "link", "state", "tried, and seen")
		for _, s := range c.Steps {
			t.row(s.Name, string(s.Status), prose(joined(": ", s.Tried, s.Saw)))
		}
		t.end()
	}
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

// truth is what detect knows of a network beside its class and its sources.
func (p *page) truth(r *detect.Report) {
	if len(r.Traits) > 0 {
		p.heading("Traits")
		rows := [][]string{{"trait", "is it so", "evidence"}}
		for _, t := range r.Traits {
			rows = append(rows, []string{t.Name, answer(t.Answer, "yes", "no"), strings.Join(t.Evidence, "; ")})
		}
		p.table(rows, -1)
	}
	if len(r.Names) > 0 {
		p.heading("Names")
		rows := [][]string{{"name", "ms", "addresses"}}
		for _, n := range r.Names {
			rows = append(rows, []string{hostName(n), millis(n.Took), addresses(n)})
		}
		p.table(rows, -1)
	}
	if len(r.ProxyChecks) > 0 {
		p.heading("Other proxies that tools of this machine are told of")
		rows := [][]string{{"proxy", "source", "state", "named by", "reason"}}
		for _, c := range r.ProxyChecks {
			for _, row := range c.Rows {
				rows = append(rows, []string{c.URL, row.Source.Ecosystem + ": " + row.Source.ID, state(row), strings.Join(c.Origins, ", "), row.Reason})
			}
		}
		p.table(rows, 2)
	}
	if len(r.Bundles) > 0 {
		p.heading("Certificates that tools go by")
		rows := [][]string{{"tool", "trusts what is shown here", "certificates", "named by", "where"}}
		for _, b := range r.Bundles {
			rows = append(rows, []string{b.Tool, answer(b.Trusts, "yes", "no"), certificates(b), b.Origin, joined(": ", holder(b), b.Broken)})
		}
		p.table(rows, -1)
	}
}

func hostName(n detect.Name) string {
	if n.Random {
		return "(a name that nobody has)"
	}
	return n.Host
}

func addresses(n detect.Name) string {
	var out []string
	for _, ip := range n.IPs {
		text := ip.String()
		if what := detect.Reserved(ip); what != "" {
			text += " (" + what + ")"
		}
		out = append(out, text)
	}
	switch {
	case len(out) > 0:
		return strings.Join(out, ", ")
	case n.Cause == detect.NamesDown:
		return "no answer"
	}
	return "none"
}

func certificates(b detect.Bundle) string {
	if b.Certificates == 0 {
		return ""
	}
	return fmt.Sprint(b.Certificates)
}

func holder(b detect.Bundle) string {
	switch {
	case b.Path != "" && b.Adds:
		return b.Path + ", beside its own"
	case b.Path != "":
		return b.Path
	case b.Own:
		return "its own"
	}
	return "the system's store"
}

type jsonTrait struct {
	Name     string   `json:"name"`
	Answer   *bool    `json:"answer"` // null where it is not known
	Evidence []string `json:"evidence"`
}

type jsonName struct {
	Host     string   `json:"host"`
	Random   bool     `json:"random"`
	IPs      []string `json:"ips"`
	Cause    string   `json:"cause"`
	Duration ms       `json:"duration_ms"`
}

type jsonProxyCheck struct {
	URL     string       `json:"url"`
	Origins []string     `json:"origins"`
	Sources []jsonSource `json:"sources"`
}

type jsonBundle struct {
	Tool         string `json:"tool"`
	Path         string `json:"path"`
	Own          bool   `json:"own"`
	Origin       string `json:"origin"`
	Certificates int    `json:"certificates"`
	Broken       string `json:"broken"`
	Trusts       *bool  `json:"trusts"`
}

// jsonTruth is what truth is in text.
type jsonTruth struct {
	Traits  []jsonTrait      `json:"traits"`
	Names   []jsonName       `json:"names"`
	Checks  []jsonProxyCheck `json:"proxy_checks"`
	Bundles []jsonBundle     `json:"bundles"`
}

func truthJSON(r *detect.Report) jsonTruth {
	out := jsonTruth{Traits: []jsonTrait{}, Names: []jsonName{}, Checks: []jsonProxyCheck{}, Bundles: []jsonBundle{}}
	if r == nil {
		return out
	}
	for _, t := range r.Traits {
		out.Traits = append(out.Traits, jsonTrait{t.Name, t.Answer.Bool(), redactAll(t.Evidence)})
	}
	for _, n := range r.Names {
		ips := []string{}
		for _, ip := range n.IPs {
			ips = append(ips, ip.String())
		}
		out.Names = append(out.Names, jsonName{n.Host, n.Random, ips, string(n.Cause), ms(n.Took)})
	}
	for _, c := range r.ProxyChecks {
		check := jsonProxyCheck{redact(c.URL), redactAll(c.Origins), []jsonSource{}}
		for _, row := range c.Rows {
			check.Sources = append(check.Sources, sourceJSON(row))
		}
		out.Checks = append(out.Checks, check)
	}
	for _, b := range r.Bundles {
		out.Bundles = append(out.Bundles, jsonBundle{b.Tool, redact(b.Path), b.Own, redact(b.Origin), b.Certificates, redact(b.Broken), b.Trusts.Bool()})
	}
	return out
}
