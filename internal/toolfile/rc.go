package toolfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// Line is one "key = value" of an .npmrc.
type Line struct {
	// Key is decoded, without the brackets of an array.
	Key string
	// Value is decoded; "true" where the line has no =. It may be a secret.
	Value string
	// List is true for "key[] = value".
	List bool
	// Clear is true for a value that is there and holds no variable.
	Clear bool
	// At is the place of the value, or of the key where there is none.
	At Place
}

// RC reads an .npmrc as npm's ini package does (ini 5, decode). Lines of a section have no meaning to npm and are
// left out. Nothing is ever malformed to that package; refused is only what was not saved as UTF-8 text, because npm
// then reads none of it and says nothing. The error is a *Fault.
func RC(data []byte) ([]Line, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if i := strings.IndexByte(text, 0); i >= 0 || bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		n := 1 + strings.Count(text[:max(i, 0)], "\n")
		return nil, fault(Place{n, 1}, "is no UTF-8 text, so that npm reads no setting of it")
	}
	lines := make([]Line, 0, strings.Count(text, "\n")+1)
	section := false
	for number := 1; text != ""; number++ {
		var row string
		row, text, _ = strings.Cut(text, "\n")
		for column := 0; row != ""; {
			// to npm, a lone carriage return ends a line too
			one, rest, _ := strings.Cut(row, "\r")
			if l, kind := parseLine(one); kind == sectionLine {
				section = true
			} else if kind == pairLine && !section {
				l.At = Place{number, column + l.At.Column}
				lines = append(lines, l)
			}
			column += len(one) + 1
			row = rest
		}
	}
	return lines, nil
}

// RCSection tells whether a line of an .npmrc begins a section.
func RCSection(text string) bool {
	_, kind := parseLine(text)
	return kind == sectionLine
}

type lineKind int

const (
	emptyLine lineKind = iota
	sectionLine
	pairLine
)

func parseLine(text string) (Line, lineKind) {
	body := TrimJS(text)
	if body == "" || body[0] == ';' || body[0] == '#' {
		return Line{}, emptyLine
	}
	if text[0] == '[' { // only in the first column, as npm's expression wants it
		if end := strings.IndexByte(text, ']'); end > 0 && TrimJS(text[end+1:]) == "" {
			return Line{}, sectionLine
		}
	}
	key, value, has := strings.Cut(text, "=")
	if key == "" {
		return Line{}, emptyLine
	}
	l := Line{Key: unquote(key), Value: "true"}
	l.At.Column = len(text) - len(strings.TrimLeft(text, " \t")) + 1
	if has {
		l.Value = unquote(value)
		if trimmed := strings.TrimLeft(value, " \t"); trimmed != "" {
			l.At.Column = len(text) - len(trimmed) + 1
		}
	}
	if bare, ok := strings.CutSuffix(l.Key, "[]"); ok && bare != "" {
		l.Key, l.List = bare, true
	}
	l.Clear = has && l.Value != "" && !strings.Contains(l.Value, "${")
	return l, pairLine
}

// unquote is the "unsafe" of npm's ini package: quotes off, comment off, escapes of ; # and \ undone.
func unquote(s string) string {
	s = TrimJS(s)
	if n := len(s); n > 0 && (s[0] == '"' && s[n-1] == '"' || s[0] == '\'' && s[n-1] == '\'') {
		if s[0] == '\'' {
			s = s[1:max(n-1, 1)]
		}
		var v any
		if json.Unmarshal([]byte(s), &v) != nil || v == nil {
			return s
		}
		switch v.(type) {
		case string, []any, map[string]any:
			var b strings.Builder
			writeText(&b, v)
			return b.String()
		}
		return TrimJS(s) // a number or a switch
	}
	i := strings.IndexAny(s, `;#\`)
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		switch c := s[i]; c {
		case ';', '#':
			return TrimJS(b.String())
		case '\\':
			if i+1 < len(s) && strings.IndexByte(`\;#`, s[i+1]) >= 0 {
				i++
				b.WriteByte(s[i])
			} else {
				b.WriteByte(c)
				if i+1 < len(s) {
					i++
					b.WriteByte(s[i])
				}
			}
		default:
			b.WriteByte(c)
		}
	}
	return TrimJS(b.String())
}

// TrimJS takes off what JavaScript takes for a space: U+FEFF is one, and U+0085 is none.
func TrimJS(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r == '\ufeff' || r != '\u0085' && unicode.IsSpace(r) })
}

// writeText is what JavaScript makes of a value that is used as a name: '["registry"]' is the name registry.
func writeText(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
	case string:
		b.WriteString(v)
	case []any:
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeText(b, e)
		}
	case map[string]any:
		b.WriteString("[object Object]")
	default: // a number or a switch
		fmt.Fprint(b, v)
	}
}

// ExpandRC replaces ${NAME} and ${NAME?} as npm does; a name that is not set stays, with ? it vanishes. A backslash
// keeps the dollar.
func ExpandRC(s string, lookup func(string) (string, bool)) string {
	if !strings.Contains(s, "${") {
		return s
	}
	var b strings.Builder
	for s != "" {
		start := strings.Index(s, "${")
		if start < 0 {
			break
		}
		name, rest, closed := strings.Cut(s[start+2:], "}")
		if !closed {
			break
		}
		if inner := strings.LastIndex(name, "${"); inner >= 0 { // the innermost counts
			b.WriteString(s[:start+2+inner])
			s = s[start+2+inner:]
			continue
		}
		before := s[:start]
		slashes := len(before) - len(strings.TrimRight(before, `\`))
		b.WriteString(before[:len(before)-slashes])
		plain, optional := strings.CutSuffix(name, "?")
		value, set := lookup(plain)
		switch {
		case slashes%2 == 1:
			b.WriteString(before[len(before)-slashes/2:] + "${" + name + "}")
		case plain == "" || strings.ContainsAny(plain, "$?{") || !set && !optional:
			b.WriteString(before[len(before)-slashes/2:] + "${" + name + "}")
		default:
			b.WriteString(before[len(before)-slashes/2:] + value)
		}
		s = rest
	}
	b.WriteString(s)
	return b.String()
}
