package report

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/source"
)

// Markdown is the outcome for a page of GitHub's, of at most limit bytes (0: no limit). Where it does not fit, the
// tables are cut and say so; where not even the first line fits, it is empty.
func Markdown(o Outcome, limit int) string {
	if limit <= 0 {
		return markdown(o, math.MaxInt)
	}
	for _, rows := range []int{1000, 200, 50, 10, 0} {
		if text := markdown(o, rows); len(text) <= limit {
			return text
		}
	}
	head := title(o)
	for _, text := range []string{
		head + prose(summary(o)) + "\n\nThe rest of the report is left out here, since it is too long for this page.\n",
		head,
	} {
		if len(text) <= limit {
			return text
		}
	}
	return ""
}

// title says what the page is about; it holds no stranger's text.
func title(o Outcome) string {
	word := "done"
	switch d := o.Decision; {
	case o.Diagnosis != nil && o.Diagnosis.Healthy:
		word = "healthy"
	case o.Diagnosis != nil:
		word = "not healthy"
	case o.Problem != nil && (d == nil || d.Verdict == decide.Allow):
		word = "not finished"
	case d != nil && d.Verdict == decide.Allow:
		word = "allowed"
	case d != nil && d.Verdict == decide.Failed:
		word = "not decided"
	case d != nil && d.Mode == decide.Audit:
		word = "would be denied"
	case d != nil:
		word = "denied"
	case o.Command == "setup" || o.Command == "check" || o.Command == "verify":
		word = "not decided"
	}
	return "## goproxy-action: " + word + "\n\n"
}

func summary(o Outcome) string {
	return strings.TrimPrefix(sentence(joined("; ", joined(", ", network(o), ways(o)), verdict(o), effect(o)), o), "goproxy-action: ")
}

func markdown(o Outcome, rows int) string {
	m := sheet{rows: rows}
	m.WriteString(title(o) + prose(summary(o)) + "\n")
	for _, c := range troubles(o) {
		m.WriteString("\n**error:** " + prose(cause(c)) + "\n")
		if c.Hint != "" {
			m.WriteString("\n**fix:** " + prose(c.Hint) + "\n")
		}
	}
	found, known := split(blocks(o.Decision))
	m.findings("Findings", found)
	m.findings(prose(o.known()), known)
	if o.Diagnosis != nil {
		m.diagnosis(o.Diagnosis)
	}
	if r := o.Detect; r != nil {
		m.WriteString("\n### Network\n\n")
		m.item(class(r) + " network")
		for _, e := range proof(r, maxEvidence) {
			m.item(e)
		}
		m.odd(o.Machine)
		if len(r.Rows) > 0 {
			t := m.table("Sources", "ecosystem", "source", "via", "state", "dns ms", "connect ms", "tls ms", "first byte ms", "checksum db", "reason")
			for _, row := range r.Rows {
				s := steps(row)
				t.row(prose(row.Source.Ecosystem), code(row.Source.ID), prose(row.Via), state(row), s[0], s[1], s[2], s[3], relay(row), prose(row.Reason))
			}
			t.end()
		}
		if o.Command == "detect" {
			for _, s := range truth(o) {
				t := m.table(s.heading, s.rows[0]...)
				for _, row := range s.rows[1:] {
					for i := range row {
						row[i] = prose(row[i])
					}
					t.row(row...)
				}
				t.end()
				if s.lead != "" {
					m.WriteString("\n" + prose(s.lead) + "\n")
				}
			}
		}
	}
	m.mirrors(o.Mirrors)
	if o.Plan != nil && len(o.Plan.Choices) > 0 {
		m.WriteString("\n### Plan\n\n")
		for _, c := range o.Plan.Choices {
			m.item(c.Ecosystem + ": " + joined("; ", choice(c), strategy(c), c.Why))
		}
	}
	if len(o.Changes) > 0 {
		heading := "Changes"
		if !o.Applied {
			heading = "Changes that were not made"
		}
		t := m.table(heading, "name", "value", "why")
		for _, c := range o.Changes {
			t.row(code(c.Name), code(shown(c)), prose(c.Why))
		}
		t.end()
		if o.Proof != "" {
			m.WriteString("\nProof: " + prose(o.Proof) + "\n")
		}
	}
	m.list("Not asked", o.NotAsked)
	m.list("Not available here", o.Unavailable)
	m.list("Notes", o.Notes)
	return m.String()
}

func (m *sheet) findings(heading string, found []block) {
	if len(found) == 0 {
		return
	}
	t := m.table(heading, "", "rule", "where", "what", "fix")
	told := remedies{}
	for _, b := range found {
		for _, l := range b.shown() {
			t.row(prose(l.word()), code(l.ID), code(l.place()), joined(": ", code(l.about()), prose(l.Message))+l.more(), joined("; ", prose(l.waiver()), prose(told.of(l))))
		}
		if rest := b.rest(); rest != "" {
			t.row("", code(b[0].ID), "", prose(rest), "")
		}
	}
	t.end()
}

type sheet struct {
	strings.Builder
	// rows is how many rows a table may have, and how many items a list.
	rows int
}

type table struct {
	*sheet
	left int
	over int
}

// table begins a table under a heading.
func (m *sheet) table(heading string, columns ...string) *table {
	m.WriteString("\n### " + heading + "\n\n| " + strings.Join(columns, " | ") + " |\n|" + strings.Repeat(" --- |", len(columns)) + "\n")
	return &table{sheet: m, left: m.rows}
}

func (t *table) row(cells ...string) {
	if t.left == 0 {
		t.over++
		return
	}
	t.left--
	t.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// end says what was left out.
func (t *table) end() {
	if t.over > 0 {
		fmt.Fprintf(t, "\n%s left out here, since the report is too long for this page.\n", count(t.over, "row"))
	}
}

func (m *sheet) item(text string) { m.WriteString("- " + prose(text) + "\n") }

func (m *sheet) list(heading string, texts []string) {
	if len(texts) == 0 {
		return
	}
	m.WriteString("\n### " + heading + "\n\n")
	for i, t := range texts {
		if i >= max(m.rows, 1) {
			m.item(fmt.Sprintf("%d more, left out here", len(texts)-i))
			return
		}
		m.item(t)
	}
}

// linking matches words that GitHub turns into links, mentions, pictures or formulas wherever they stand in text, also
// as entities: @name, #1, GH-1, addresses, :name:, $x$.
var linking = regexp.MustCompile(`(?i)[@#$]|://|www\.|gh-[0-9]|:.*:`)

var (
	entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "[", "&#91;", "]", "&#93;",
		"`", "&#96;", "*", "&#42;", "_", "&#95;", "~", "&#126;", `\`, "&#92;", "!", "&#33;")
	escapes = strings.NewReplacer("`", `\x60`, "|", `\x7c`, "<", `\x3c`, ">", `\x3e`, "##[", `##\x5b`)
)

// prose is text that may hold a stranger's words, fit for a table, a list and a paragraph: one line, no markup, no
// links. Words that would become links stand as code.
func prose(s string) string {
	words := strings.Fields(source.Plain(redact(s), maxText))
	for i, w := range words {
		if linking.MatchString(w) {
			words[i] = code(w)
			continue
		}
		words[i] = entities.Replace(w)
		// a first word of other characters could begin a list or a heading
		if c := w[0]; i == 0 && (c == '-' || c == '+' || c == '=' || c >= '0' && c <= '9') {
			words[i] = fmt.Sprintf("&#%d;%s", c, entities.Replace(w[1:]))
		}
	}
	return strings.Join(words, " ")
}

// code is a stranger's text as it is, in the one form in which nothing is looked for; what would end it or the table's
// cell is written as an escape.
func code(s string) string {
	s = escapes.Replace(source.Plain(redact(s), maxValue))
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return "`" + s + "`"
}
