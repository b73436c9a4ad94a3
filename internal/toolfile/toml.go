package toolfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// toml reads TOML 1.0 as far as positions and texts go: what is neither a string, an array nor a table is one word. What
// bun 1.4 refuses may pass (a key that stands twice; then both are judged); what it takes is read as it reads it.
type toml struct {
	text    string
	i       int
	line    int
	bol     int
	leaves  []Leaf
	nesting int
	// tables counts the elements of arrays of tables by their name.
	tables map[string]int
	err    error
}

// TOML reads a bunfig.toml or cargo's config.toml. The error is a *Fault.
func TOML(data []byte) ([]Leaf, error) {
	t := &toml{text: strings.TrimPrefix(string(data), "\ufeff"), line: 1, tables: map[string]int{}}
	if at, what := Oddity(t.text); what != "" {
		t.i, t.line, t.bol = at, 1+strings.Count(t.text[:at], "\n"), strings.LastIndexByte(t.text[:at], '\n')+1
		t.fail("holds %s, which readers of TOML understand in different ways", what)
	}
	var table []Key
	for t.err == nil {
		if t.blank(true); t.i == len(t.text) {
			break
		}
		if t.text[t.i] == '[' {
			table = t.header()
		} else {
			t.pair(table)
		}
		if t.err == nil {
			t.lineEnd()
		}
	}
	if t.err != nil {
		return nil, t.err
	}
	return t.leaves, nil
}

func (t *toml) at() Place { return Place{Line: t.line, Column: t.i - t.bol + 1} }

func (t *toml) fail(format string, args ...any) {
	if t.err == nil {
		t.err = fault(t.at(), format, args...)
	}
}

func (t *toml) unexpected(want string) {
	if t.i == len(t.text) {
		t.fail("ends where %s must stand", want)
		return
	}
	r, _ := utf8.DecodeRuneInString(t.text[t.i:])
	t.fail("holds %s where %s must stand", fmt.Sprintf("%q", r), want)
}

func (t *toml) peek(c byte) bool { return t.i < len(t.text) && t.text[t.i] == c }

func (t *toml) newline() {
	t.i++
	t.line++
	t.bol = t.i
}

// blank passes over spaces and, where lines may end, over their ends and comments.
func (t *toml) blank(lines bool) {
	for t.i < len(t.text) {
		switch c := t.text[t.i]; {
		case c == ' ' || c == '\t':
			t.i++
		case lines && c == '\n':
			t.newline()
		case lines && c == '\r': // oddities has found those that end no line
			t.i++
		case lines && c == '#':
			t.comment()
		default:
			return
		}
	}
}

func (t *toml) comment() {
	if n := strings.IndexByte(t.text[t.i:], '\n'); n >= 0 {
		t.i += n
	} else {
		t.i = len(t.text)
	}
}

func (t *toml) lineEnd() {
	t.blank(false)
	if t.peek('#') {
		t.comment()
	}
	if t.peek('\r') {
		t.i++
	}
	if t.i < len(t.text) && t.text[t.i] != '\n' {
		t.unexpected("the end of the line")
	}
}

// header reads [table] or [[array of tables]].
func (t *toml) header() []Key {
	t.i++
	array := t.peek('[')
	if array {
		t.i++
	}
	path := t.key()
	for n := 0; n < 1 || array && n < 2; n++ {
		if !t.peek(']') {
			t.unexpected(`"]"`)
			return nil
		}
		t.i++
	}
	if array {
		name := Leaf{Path: path}.Name()
		path = append(path, Key{Index(t.tables[name]), path[len(path)-1].At})
		t.tables[name]++
	}
	return path
}

// key reads a key of one or more parts, and goes to what stands behind it.
func (t *toml) key() []Key {
	var path []Key
	for {
		t.blank(false)
		at, start := t.at(), t.i
		switch {
		case t.peek('"') || t.peek('\''):
			if strings.HasPrefix(t.text[t.i:], `"""`) || strings.HasPrefix(t.text[t.i:], `'''`) {
				t.unexpected("a key")
			}
			path = append(path, Key{t.str(), at})
		default:
			for t.i < len(t.text) && bareKey(t.text[t.i]) {
				t.i++
			}
			if t.i == start {
				t.unexpected("a key")
			}
			path = append(path, Key{t.text[start:t.i], at})
		}
		if t.blank(false); t.err != nil || !t.peek('.') {
			return path
		}
		if t.i++; len(path) > MaxNested {
			t.fail("nests deeper than %d levels", MaxNested)
			return path
		}
	}
}

func bareKey(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

func (t *toml) pair(table []Key) {
	path := append(slices.Clip(table), t.key()...)
	if t.err != nil {
		return
	}
	if !t.peek('=') {
		t.unexpected(`"=" behind a key`)
		return
	}
	t.i++
	t.blank(false)
	t.value(path)
}

func (t *toml) value(path []Key) {
	if t.nesting++; t.nesting > MaxNested {
		t.fail("nests deeper than %d levels", MaxNested)
	}
	if t.err != nil {
		return
	}
	at := t.at()
	switch {
	case t.peek('"') || t.peek('\''):
		t.leaf(Leaf{Path: path, Text: t.str(), At: at})
	case t.peek('['):
		t.collection(path, at, ']')
	case t.peek('{'):
		t.collection(path, at, '}')
	default:
		start := t.i
		for t.i < len(t.text) && (bareKey(t.text[t.i]) || strings.IndexByte("+.:", t.text[t.i]) >= 0) {
			t.i++
		}
		if word := t.text[start:t.i]; word == "true" || word == "false" || strings.Trim(word, "+-0123456789") != word || isSpecial(word) {
			t.leaf(Leaf{Path: path, Text: word, At: at})
		} else {
			t.i = start
			t.unexpected("a value")
		}
	}
	t.nesting--
}

// isSpecial is true for the numbers that have no digit.
func isSpecial(word string) bool {
	word = strings.TrimLeft(word, "+-")
	return word == "inf" || word == "nan"
}

func (t *toml) leaf(l Leaf) {
	if len(t.leaves) >= MaxLeaves {
		t.fail("holds more than %d settings", MaxLeaves)
		return
	}
	t.leaves = append(t.leaves, l)
}

// collection reads an array or an inline table, which may go over several lines.
func (t *toml) collection(path []Key, at Place, end byte) {
	t.i++
	for n := 0; ; n++ {
		t.blank(true)
		switch {
		case t.err != nil:
			return
		case t.peek(end):
			t.i++
			if n == 0 {
				t.leaf(Leaf{Path: path, Empty: true, At: at})
			}
			return
		case end == '}':
			t.pair(path)
		default:
			t.value(append(slices.Clip(path), Key{Index(n), t.at()}))
		}
		if t.blank(true); t.peek(',') {
			t.i++
		} else if !t.peek(end) {
			t.unexpected(fmt.Sprintf(`"," or %q`, rune(end)))
		}
	}
}

// str reads a string of any of the four kinds.
func (t *toml) str() string {
	quote := t.text[t.i]
	long := strings.HasPrefix(t.text[t.i:], strings.Repeat(string(rune(quote)), 3))
	if t.i++; long {
		if t.i += 2; strings.HasPrefix(t.text[t.i:], "\r\n") {
			t.i++
		}
		if t.peek('\n') {
			t.newline()
		}
	}
	var b strings.Builder
	for t.err == nil && t.i < len(t.text) {
		switch c := t.text[t.i]; {
		case c == quote && !long:
			t.i++
			return b.String()
		case c == quote:
			n := 1
			for n < 5 && t.i+n < len(t.text) && t.text[t.i+n] == quote {
				n++
			}
			t.i += n
			if n >= 3 { // up to two of them belong to the text
				b.WriteString(strings.Repeat(string(rune(quote)), n-3))
				return b.String()
			}
			b.WriteString(strings.Repeat(string(rune(quote)), n))
		case c == '\\' && quote == '"':
			t.escape(&b, long)
		case c == '\n' && long:
			b.WriteByte(c)
			t.newline()
		case c < 0x20 && c != '\t' && !(c == '\r' && long):
			t.unexpected("the end of a string")
		default:
			b.WriteByte(c)
			t.i++
		}
	}
	t.unexpected("the end of a string")
	return ""
}

func (t *toml) escape(b *strings.Builder, long bool) {
	t.i++
	if t.i == len(t.text) {
		return
	}
	c := t.text[t.i]
	if n := strings.IndexByte(`btnfre"\`, c); n >= 0 {
		b.WriteByte("\b\t\n\f\r\x1b\"\\"[n])
		t.i++
		return
	}
	size := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	switch {
	case size > 0:
		var r rune
		for n := range size {
			v := -1
			if t.i+1+n < len(t.text) {
				v = strings.IndexByte("0123456789abcdefABCDEF", t.text[t.i+1+n])
			}
			if v > 15 {
				v -= 6
			}
			if v < 0 || r > utf8.MaxRune {
				t.fail("holds an escape that TOML does not have")
				return
			}
			r = r<<4 | rune(v)
		}
		b.WriteRune(r)
		t.i += 1 + size
	case long && (c == ' ' || c == '\t' || c == '\r' || c == '\n'): // a line that goes on in the next one
		start := t.line
		for t.i < len(t.text) && strings.IndexByte(" \t\r\n", t.text[t.i]) >= 0 {
			if t.text[t.i] == '\n' {
				t.newline()
			} else {
				t.i++
			}
		}
		if t.line == start {
			t.fail("holds an escape that TOML does not have")
		}
	default:
		t.fail("holds an escape that TOML does not have")
	}
}
