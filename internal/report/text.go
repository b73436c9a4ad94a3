package report

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// Style is what the writer's other end can show.
type Style struct {
	// Color paints the words of severity and state.
	Color bool
	// Width is the number of columns to wrap prose at; 0 wraps nothing.
	Width int
}

// Text writes the outcome for people: one line where nothing was wrong, else a section for each part. The error is the
// writer's.
func Text(w io.Writer, o Outcome, style Style) error {
	p := page{style: style}
	if quiet(o) {
		p.prose("", "", Line(o))
	} else {
		p.outcome(o)
	}
	p.WriteString(remembered(o))
	_, err := io.WriteString(w, p.String())
	return err
}

type page struct {
	strings.Builder
	style Style
}

func (p *page) outcome(o Outcome) {
	if o.Diagnosis != nil {
		p.diagnosis(o.Diagnosis)
	} else if r := o.Detect; r != nil {
		p.heading("Network: " + plain(class(r)))
		p.items(proof(r, len(r.Evidence)))
		p.odd(o.Machine)
		if len(r.Rows) > 0 {
			p.heading("Sources")
			rows := [][]string{{"ecosystem", "source", "via", "state", "dns ms", "connect ms", "tls ms", "first byte ms", "checksum db", "reason"}}
			for _, row := range r.Rows {
				cells := append([]string{row.Source.Ecosystem, row.Source.ID, row.Via, state(row)}, steps(row)...)
				rows = append(rows, append(cells, relay(row), row.Reason))
			}
			p.table(rows, 3)
		}
		if o.Command == "detect" {
			for _, s := range truth(o) {
				p.heading(plain(s.heading))
				if s.lead != "" {
					p.item(s.lead)
				}
				p.table(s.rows, s.painted)
			}
		}
	}
	p.mirrors(o.Mirrors)
	if o.Plan != nil && len(o.Plan.Choices) > 0 {
		p.heading("Plan")
		for _, c := range o.Plan.Choices {
			p.item(c.Ecosystem + ": " + joined("; ", choice(c), strategy(c), c.Why))
		}
		if len(o.Plan.Direct) > 0 {
			p.item("past the proxy: " + strings.Join(o.Plan.Direct, ", "))
		}
	}
	found, known := split(blocks(o.Decision))
	p.findings("Findings", found, o.Excerpts)
	p.findings(o.known(), known, nil)
	p.log(o)
	if len(o.Changes) > 0 {
		switch {
		case !o.Applied:
			p.heading("Changes that were not made")
		case o.Where != "":
			p.heading("Changes, " + plain(o.Where))
		default:
			p.heading("Changes")
		}
		for _, c := range o.Changes {
			p.WriteString("  " + plain(c.Name) + "=" + bounded(shown(c), maxValue) + "\n")
			if c.Why != "" {
				p.prose("    ", "    ", plain(c.Why))
			}
		}
		if o.Proof != "" {
			p.item("proof: " + o.Proof)
		}
	}
	p.section("Not asked", o.NotAsked)
	p.section("Not available here", o.Unavailable)
	p.section("Notes", o.Notes)
	for _, c := range troubles(o) {
		p.trouble("", c)
	}
	end := joined("; ", verdict(o), effect(o))
	if len(troubles(o)) > 0 {
		end = joined("; ", "not finished", end)
	}
	if o.Command == "detect" {
		end = joined("; ", network(o), end)
	}
	if o.Diagnosis != nil {
		end = joined("; ", health(o.Diagnosis), network(o))
	}
	p.prose("", "  ", sentence(end, o))
}

// findings are blocks under a heading, each with the lines that it is about and what to do.
func (p *page) findings(heading string, found []block, excerpts map[lockfile.Position]lockfile.Excerpt) {
	if len(found) == 0 {
		return
	}
	p.heading(plain(heading))
	told, quoted := remedies{}, map[lockfile.Position]bool{}
	for _, b := range found {
		shown := b.shown()
		for i, l := range shown {
			p.prose("  ", "      ", p.paint(l.word())+" "+joined(" ", plain(l.ID), plain(l.place()), plain(l.text()))+l.more())
			if e, ok := excerpts[l.Position]; ok && l.quotable() && !quoted[l.Position] {
				p.excerpt(e)
				quoted[l.Position] = true
			}
			if i+1 < len(shown) && shown[i+1].Fix == l.Fix && shown[i+1].waiver() == l.waiver() {
				continue // told after the last of them
			}
			if w := l.waiver(); w != "" {
				p.prose("    ", "      ", plain(w))
			}
			if fix := told.of(l); fix != "" {
				p.prose("    fix: ", "      ", plain(fix))
			}
		}
		if rest := b.rest(); rest != "" {
			p.item(rest)
		}
	}
}

// excerpt is a line of a file with a caret below the place. Tabs stay, so that both lines have the same ones.
func (p *page) excerpt(e lockfile.Excerpt) {
	const margin = "      | "
	if p.style.Width > 0 {
		e = e.Fit(p.style.Width - len(margin))
	}
	below := func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}
	p.WriteString(margin + visibleLine(e.Text) + "\n" + margin + strings.Map(below, visibleLine(e.Text[:e.Caret])) + "^\n")
}

// visibleLine is a stranger's line with its tabs.
func visibleLine(s string) string {
	parts := strings.Split(s, "\t")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(source.Plain(part, 0), "##[", `##\x5b`)
	}
	return strings.Join(parts, "\t")
}

// trouble is an error with the text of the file that it is about, and what to do next.
func (p *page) trouble(first string, c *problem.Problem) {
	p.prose(first+p.paint(decide.Error)+": ", "  ", plain(cause(c)))
	for l := range strings.Lines(c.Excerpt) {
		p.WriteString("  | " + plain(strings.TrimRight(l, "\r\n")) + "\n")
	}
	if c.Hint != "" {
		p.prose("  fix: ", "    ", plain(c.Hint))
	}
}

// Error writes an error for people, where there is no outcome that would hold it.
func Error(w io.Writer, err error) {
	var p page
	for _, c := range causes(err) {
		p.trouble("goproxy-action: ", c)
	}
	_, _ = io.WriteString(w, p.String()) // there is nowhere else to say it
}

func (p *page) heading(text string) { p.WriteString(text + "\n") }

func (p *page) item(text string) { p.prose("  ", "    ", plain(text)) }

func (p *page) items(texts []string) {
	for _, t := range texts {
		p.item(t)
	}
}

func (p *page) section(heading string, texts []string) {
	if len(texts) > 0 {
		p.heading(heading)
		p.items(texts)
	}
}

// prose writes one paragraph, wrapped at spaces. No line begins with a word that a CI runner takes for a command.
func (p *page) prose(first, rest, text string) {
	if p.style.Width <= 0 {
		p.WriteString(first + text + "\n")
		return
	}
	p.WriteString(first)
	column := width(first)
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
		case column+1+width(word) > p.style.Width && !strings.HasPrefix(word, "::"):
			p.WriteString("\n" + rest)
			column = width(rest)
		default:
			p.WriteByte(' ')
			column++
		}
		p.WriteString(word)
		column += width(word)
	}
	p.WriteByte('\n')
}

// table aligns columns; the last one is prose and may be empty. The words of column painted are painted.
func (p *page) table(rows [][]string, painted int) {
	last := len(rows[0]) - 1
	widths := make([]int, last)
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
			if i < last {
				widths[i] = max(widths[i], width(row[i]))
			}
		}
	}
	for n, row := range rows {
		text := " "
		for i, cell := range row[:last] {
			pad := strings.Repeat(" ", widths[i]-width(cell))
			if i == painted && n > 0 {
				cell = p.paint(cell)
			}
			text += " " + cell + pad + " "
		}
		p.WriteString(strings.TrimRight(text+" "+row[last], " ") + "\n")
	}
}

// paint colours a word of severity or state.
func (p *page) paint(word string) string {
	word = plain(word)
	if !p.style.Color {
		return word
	}
	switch word {
	case decide.Error, "failed":
		return "\x1b[31m" + word + "\x1b[0m"
	case decide.Warning, decide.StatusUnknown:
		return "\x1b[33m" + word + "\x1b[0m"
	case decide.Mended, decide.Waived, "ok":
		return "\x1b[32m" + word + "\x1b[0m"
	}
	return word
}

// width counts characters, without the sequences that paint them.
func width(s string) int {
	n := utf8.RuneCountInString(s)
	if found := strings.Contains(s, "\x1b["); found {
		n -= len("\x1b[31m") + len("\x1b[0m")
	}
	return n
}
