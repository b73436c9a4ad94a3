package toolfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxVariables bounds what one file in git's format may set.
const MaxVariables = 100_000

// Variable is one setting of a file in git's configuration format.
type Variable struct {
	// Key is the canonical name, "url.https://a.test/.insteadof".
	Key string
	// Section and Name are in lower case; Sub, the subsection, is as written, and in lower case where it stands behind a
	// dot.
	Section, Sub, Name string
	// Value is decoded; empty where there is no =, which means true to a switch.
	Value string
	Bare  bool
	// At is the place of the value, or of the name where there is none; Header that of the section's subsection, or of
	// the section where it has none.
	At, Header Place
}

// On reads a switch as git does; ok is false for what is none, with which git ends.
func (v Variable) On() (on, ok bool) {
	if v.Bare {
		return true, true
	}
	switch strings.ToLower(v.Value) {
	case "true", "yes", "on":
		return true, true
	case "", "false", "no", "off":
		return false, true
	}
	number := strings.TrimRight(strings.ToLower(v.Value), "kmg")
	n, err := strconv.ParseInt(number, 0, 64)
	return n != 0, err == nil && len(v.Value)-len(number) <= 1
}

// configParser reads git's configuration format as git 2.51 does (config.c): bytes, no encoding, two kinds of comments,
// several things on one line.
type configParser struct {
	data []byte
	// next is the byte to be read, line and start the number and the first byte of its line.
	next, line, start int
	ended             bool
}

// Git reads a file. The error is a *Fault, and quotes nothing of it.
func Git(data []byte) ([]Variable, error) {
	p := &configParser{data: data, line: 1}
	out, err := p.parse()
	if err != nil {
		return nil, fault(Place{p.line, p.next - p.start}, "%s", err)
	}
	return out, nil
}

// read is the next byte. A carriage return before a line end is part of that, and the end of the file is a line end.
func (p *configParser) read() byte {
	if p.next < len(p.data) && p.data[p.next] == '\r' && p.next+1 < len(p.data) && p.data[p.next+1] == '\n' {
		p.next++
	}
	if p.next >= len(p.data) {
		p.ended = true
		return '\n'
	}
	c := p.data[p.next]
	p.next++
	return c
}

// newline is called after a line end that was taken.
func (p *configParser) newline() { p.line, p.start = p.line+1, p.next }

// place is that of the byte that was read last.
func (p *configParser) place() Place {
	return Place{p.line, p.next - p.start}
}

func (p *configParser) parse() ([]Variable, error) {
	const mark = "\xef\xbb\xbf"
	if strings.HasPrefix(string(p.data[:min(len(p.data), len(mark))]), mark) {
		p.next = len(mark)
	}
	var (
		out    []Variable
		head   string // the section's name with its subsection
		header Place
	)
	for comment := false; ; {
		c := p.read()
		switch {
		case c == '\n':
			if p.ended {
				return out, nil
			}
			p.newline()
			comment = false
		case comment || white(c):
		case c == '#' || c == ';':
			comment = true
		case c == '[':
			header = p.place()
			name, at, err := p.section()
			if err != nil {
				return nil, err
			}
			if head = name; at.Line > 0 {
				header = at
			}
		case letter(c):
			v := Variable{Header: header, At: p.place()}
			name, err := p.variable(&v, c)
			if err != nil {
				return nil, err
			}
			if v.named(head, name); len(out) >= MaxVariables {
				return nil, fmt.Errorf("is where the file comes to set more than %d variables", MaxVariables)
			}
			out = append(out, v)
		default:
			return nil, errors.New("is neither a section, nor a variable, nor a comment")
		}
	}
}

// named sets the names. What a C string ends at ends them here, too.
func (v *Variable) named(head, name string) {
	head, _, cut := strings.Cut(head, "\x00")
	if v.Section, v.Sub, _ = strings.Cut(head, "."); cut {
		v.Key = head
		return
	}
	if v.Name, v.Key = name, name; head != "" {
		v.Key = head + "." + name
	}
}

// section reads what stands behind a bracket. at is the place of the subsection, where there is one.
func (p *configParser) section() (name string, at Place, err error) {
	const unclosed = "begins a section that is not closed on its line"
	var b strings.Builder
	for {
		c := p.read()
		switch {
		case p.ended:
			return "", at, errors.New(unclosed)
		case c == ']' && b.Len() > 0:
			return b.String(), at, nil
		case white(c) || c == '\n':
			for white(c) {
				c = p.read()
			}
			if c != '"' {
				return "", at, errors.New("is in a section's name, where a subsection in double quotes is expected")
			}
			b.WriteByte('.')
			for first := true; ; first = false {
				if c = p.read(); first {
					at = p.place()
				}
				if c == '\\' {
					c = p.read()
				} else if c == '"' {
					break
				}
				if c == '\n' {
					return "", at, errors.New(unclosed)
				}
				b.WriteByte(c)
			}
			if p.read() != ']' {
				return "", at, errors.New("is behind a subsection, where only ] may be")
			}
			return b.String(), at, nil
		case !letter(c) && !digit(c) && c != '-' && c != '.':
			return "", at, errors.New("may not be in the name of a section")
		}
		b.WriteByte(lower(c))
	}
}

// variable reads a name that begins with first, and the value behind it.
func (p *configParser) variable(v *Variable, first byte) (name string, err error) {
	var b strings.Builder
	c := first
	for ; letter(c) || digit(c) || c == '-'; c = p.read() {
		b.WriteByte(lower(c))
	}
	for c == ' ' || c == '\t' {
		c = p.read()
	}
	if c == '\n' {
		if v.Bare = true; !p.ended {
			p.newline()
		}
		return b.String(), nil
	}
	if c != '=' {
		return "", errors.New("is behind a variable's name, where = is expected")
	}
	v.Value, err = p.value(&v.At)
	return b.String(), err
}

// value reads up to the line end. at becomes the place of its first byte.
func (p *configParser) value(at *Place) (string, error) {
	var b strings.Builder
	quoted, comment, begun := false, false, false
	kept := 0 // the length without white space at the end
	for {
		c := p.read()
		if c == '\n' {
			if quoted {
				return "", errors.New("ends a line within a value in quotes")
			}
			if !p.ended {
				p.newline()
			}
			text, _, _ := strings.Cut(b.String()[:kept], "\x00")
			return text, nil
		}
		switch {
		case comment:
			continue
		case white(c) && !quoted:
			if kept > 0 {
				b.WriteByte(c)
			}
			continue
		case !quoted && (c == ';' || c == '#'):
			comment = true
			continue
		}
		if !begun {
			*at, begun = p.place(), true
		}
		switch c {
		case '"':
			quoted = !quoted
		case '\\':
			switch c = p.read(); c {
			case '\n':
				if !p.ended {
					p.newline()
				}
			case 't':
				b.WriteByte('\t')
			case 'b':
				b.WriteByte('\b')
			case 'n':
				b.WriteByte('\n')
			case '\\', '"':
				b.WriteByte(c)
			default:
				return "", errors.New(`is behind a backslash; allowed are t, b, n, ", \ and the line end`)
			}
		default:
			b.WriteByte(c)
		}
		kept = b.Len()
	}
}

func white(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

func letter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

func digit(c byte) bool { return '0' <= c && c <= '9' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// GitParameters are the words of GIT_CONFIG_PARAMETERS: 'key=value' of an older git, 'key'='value' of a newer one, with a
// quote written as '\”.
func GitParameters(text string) []string {
	var out []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, " ") {
		var b strings.Builder
		for text != "" && text[0] != ' ' {
			switch c := text[0]; c {
			case '\'':
				quoted, rest, _ := strings.Cut(text[1:], "'")
				b.WriteString(quoted)
				text = rest
			case '\\':
				b.WriteString(text[1:min(2, len(text))])
				text = text[min(2, len(text)):]
			default:
				b.WriteByte(c)
				text = text[1:]
			}
		}
		out = append(out, b.String())
	}
	return out
}
