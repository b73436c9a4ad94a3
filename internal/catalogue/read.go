package catalogue

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// maxFile bounds a catalogue in bytes. This program's has 8 KiB.
const maxFile = 256 << 10

// reader goes through a catalogue line by line. A reader of all of YAML takes 0.7 ms for what takes 0.1 ms this way, in every run.
type reader struct {
	name string
	list []source.Source
	// known are the places that have a row.
	known map[string]bool
	// cells are the columns of the row at hand with their values, and at where each stands.
	cells []string
	at    []place
	row   place
}

// place counts from 1; the column in bytes.
type place struct{ line, column int }

// Read reads a catalogue, which is YAML of one shape: a list of rows, each a mapping of columns to plain texts, two spaces
// deep, one on a line. Each says who runs a place, who says so, and when that was looked up. name is the file's in
// errors, which are Problems of code Usage.
func Read(name string, data []byte) ([]source.Source, error) {
	r := &reader{name: name, known: map[string]bool{}}
	if len(data) > maxFile {
		return nil, problem.New(problem.Usage, name, "remove what is no row", "has %d KiB, and at most %d KiB are read", len(data)>>10, maxFile>>10)
	}
	n := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		n++
		if err := r.line(line, n); err != nil {
			return nil, err
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return r.list, nil
}

func (r *reader) fail(at place, hint, format string, args ...any) error {
	return problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", r.name, at.line, at.column), hint, format, args...)
}

func (r *reader) line(line string, n int) error {
	if i := strings.IndexFunc(line, func(c rune) bool { return !unicode.IsGraphic(c) || c == utf8.RuneError }); i >= 0 {
		return r.fail(place{n, i + 1}, "save it as plain text in UTF-8, indented by spaces, with lines that end in a line feed alone", "holds a character that is none")
	}
	if line == "" || line[0] == '#' {
		return nil
	}
	rest, first := strings.CutPrefix(line, "- ")
	if first {
		if err := r.end(); err != nil {
			return err
		}
		r.row = place{n, 1}
	} else {
		var deep bool
		if rest, deep = strings.CutPrefix(line, "  "); !deep || len(r.cells) == 0 {
			return r.fail(place{n, 1}, "begin a row with `- url: …`, and go on two spaces deep", "is no line of a row")
		}
	}
	column, value, ok := strings.Cut(rest, ": ")
	if !ok || !plain(column) || !plain(value) {
		return r.fail(place{n, 3}, "write `column: value`, the value without quotes, colons before a space, and comments", "is no column with a plain text")
	}
	r.cells = append(r.cells, column, value)
	r.at = append(r.at, place{n, 3}, place{n, 3 + len(column) + 2})
	return nil
}

// plain tells whether a text means itself in YAML.
func plain(text string) bool {
	return text != "" && strings.TrimSpace(text) == text && !strings.ContainsRune("-?:,[]{}#&*!|>'\"%@`~=<", rune(text[0])) &&
		!strings.Contains(text, ": ") && !strings.HasSuffix(text, ":") && !strings.Contains(text, " #") && text != "..."
}

// end makes a source of the row at hand.
func (r *reader) end() error {
	if len(r.cells) == 0 {
		return nil
	}
	s, place, fault := row(r.cells, source.Builtin)
	if fault == nil {
		fault = vouched(s)
	}
	switch {
	case fault != nil && fault.Whole:
		return r.fail(r.row, fault.Hint, "a row %s", fault.Why)
	case fault != nil && fault.Detail != nil:
		return r.fail(r.at[fault.Item], fault.Hint, "%q %s: %w", source.Plain(source.Redact(r.cells[fault.Item]), 80), fault.Why, fault.Detail)
	case fault != nil:
		return r.fail(r.at[fault.Item], fault.Hint, "%q %s", source.Plain(source.Redact(r.cells[fault.Item]), 80), fault.Why)
	case r.known[place]:
		return r.fail(r.row, "keep one", "%q has a row already", source.Plain(source.Redact(s.URL), 80))
	}
	s.Public = true
	r.known[place] = true
	r.list, r.cells, r.at = append(r.list, s), r.cells[:0], r.at[:0]
	return nil
}

// vouched finds what a row of the catalogue must say, and one of the user's need not. An operator that is not known is a
// reason to be off.
func vouched(s source.Source) *Fault {
	for _, cell := range [...]struct{ name, text string }{
		{"operator", s.Operator + s.Off}, {"trust", s.Trust}, {"region", s.Region}, {"claim", s.Claim}, {"checked", s.Checked},
	} {
		if cell.text == "" {
			return &Fault{Whole: true, Why: "has no " + cell.name, Hint: "say who runs it, where, who says so, and when that was looked up"}
		}
	}
	return nil
}
