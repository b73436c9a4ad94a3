package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/detect"
)

// section is a table with a heading and, if there is more to say, a sentence. Its first row is the columns'.
type section struct {
	heading, lead string
	rows          [][]string
	painted       int
}

// truth is what detect knows of a network and a machine beside the class and the sources; parts without a row are left out.
func truth(o Outcome) []section {
	r := o.Detect
	traits := section{heading: "Traits", painted: -1, rows: [][]string{{"trait", "is it so", "evidence"}}}
	for _, t := range r.Traits {
		traits.rows = append(traits.rows, []string{t.Name, answer(t.Answer, "yes", "no"), strings.Join(t.Evidence, "; ")})
	}
	names := section{heading: "Names", painted: -1, rows: [][]string{{"name", "ms", "addresses"}}}
	for _, n := range r.Names {
		names.rows = append(names.rows, []string{hostName(n), millis(n.Took), addresses(n)})
	}
	proxies := section{heading: "Other proxies that tools of this machine are told of", painted: 2, rows: [][]string{{"proxy", "source", "state", "named by", "reason"}}}
	for _, c := range r.ProxyChecks {
		for _, row := range c.Rows {
			proxies.rows = append(proxies.rows, []string{c.URL, row.Source.Ecosystem + ": " + row.Source.ID, state(row), strings.Join(c.Origins, ", "), row.Reason})
		}
	}
	bundles := section{heading: "Certificates that tools go by", lead: agreement(r.Bundles), painted: -1, rows: [][]string{{"tool", "trusts what is shown here", "certificates", "named by", "where"}}}
	for _, b := range r.Bundles {
		bundles.rows = append(bundles.rows, []string{b.Tool, answer(b.Trusts, "yes", "no"), certificates(b), b.Origin, joined(": ", holder(b), b.Broken)})
	}
	return slices.DeleteFunc([]section{traits, names, proxies, bundles, told(o.Machine)}, func(s section) bool { return len(s.rows) == 1 })
}

// agreement says whether the tools trust the same.
func agreement(bundles []detect.Bundle) string {
	var yes, no []string
	for _, b := range bundles {
		switch b.Trusts {
		case detect.Yes:
			yes = append(yes, b.Tool)
		case detect.No:
			no = append(no, b.Tool)
		case detect.NotKnown:
		}
	}
	switch {
	case len(yes)+len(no) == 0:
		return "whether they agree is not known: no public host showed a certificate"
	case len(no) == 0:
		return "they agree: all trust what public hosts show here"
	case len(yes) == 0:
		return "they agree: none trusts what public hosts show here"
	}
	return fmt.Sprintf("they do not agree: what public hosts show here is trusted by %s, and not by %s", strings.Join(yes, ", "), strings.Join(no, ", "))
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
	case b.Path != "" && b.Adds && !b.Own:
		return b.Path + ", beside the system's store"
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
