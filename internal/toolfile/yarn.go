package toolfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/source"
)

// Yarn reads a .yarnrc in yarn 1's own format as its reader does: it goes from token to token, lines counting for blocks
// alone, so that two settings may stand on one line. The error is a *Fault.
func Yarn(data []byte) ([]Leaf, error) {
	c := &yarnReader{text: strings.TrimPrefix(string(data), "\ufeff"), line: 1}
	c.next()
	c.object(0, nil)
	if c.err == nil && c.kind != tokenEnd {
		c.fail("holds what is no setting")
	}
	if c.err != nil {
		return nil, c.err
	}
	return c.leaves, nil
}

type tokenKind int

const (
	tokenBad tokenKind = iota
	tokenEnd
	tokenLine
	tokenIndent
	tokenText
	tokenWord // a number or a switch
	tokenColon
	tokenComma
)

type yarnReader struct {
	text string
	// i is behind the token, on the line that begins at bol.
	i, line, bol int
	kind         tokenKind
	token        Key
	indent       int
	lastLine     bool
	leaves       []Leaf
	err          error
}

func (c *yarnReader) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fault(c.token.At, format, args...)
	}
}

// next reads one token; comments are none.
func (c *yarnReader) next() {
	for c.err == nil && c.i < len(c.text) {
		if c.text[c.i] == '#' {
			if n := strings.IndexByte(c.text[c.i:], '\n'); n >= 0 {
				c.i += n
			} else {
				c.i = len(c.text)
			}
			c.lastLine = false
			continue
		}
		if c.text[c.i] == ' ' && !c.lastLine {
			c.i++
			continue
		}
		c.read(c.text[c.i:])
		return
	}
	c.kind, c.token.At = tokenEnd, Place{Line: c.line, Column: c.i - c.bol + 1}
}

func (c *yarnReader) read(rest string) {
	c.token = Key{At: Place{Line: c.line, Column: c.i - c.bol + 1}}
	after := c.lastLine
	c.lastLine = false
	n := 1
	switch first := rest[0]; {
	case first == '\n' || first == '\r':
		if c.kind, c.lastLine = tokenLine, first == '\n'; strings.HasPrefix(rest[1:], "\n") {
			n, c.lastLine = 2, first == '\r' || c.lastLine
		}
		for range strings.Count(rest[:n], "\n") {
			c.line++
			c.bol = c.i + n
		}
	case first == ' ' && after:
		n = len(rest) - len(strings.TrimLeft(rest, " "))
		if c.kind, c.indent = tokenIndent, n/2; n%2 == 1 {
			c.kind = tokenBad
		}
	case first == '"':
		n = c.quoted(rest)
	case first >= '0' && first <= '9':
		n = len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		c.kind, c.token.Text = tokenWord, rest[:n]
	case strings.HasPrefix(rest, "true"):
		n, c.kind, c.token.Text = 4, tokenWord, "true"
	case strings.HasPrefix(rest, "false"):
		n, c.kind, c.token.Text = 5, tokenWord, "false"
	case first == ':':
		c.kind, c.token.Text = tokenColon, ":"
	case first == ',':
		c.kind, c.token.Text = tokenComma, ","
	case first|0x20 >= 'a' && first|0x20 <= 'z' || first == '/' || first == '.' || first == '-':
		if n = strings.IndexAny(rest, ": \n\r,"); n < 0 {
			n = len(rest)
		}
		c.kind, c.token.Text = tokenText, rest[:n]
	default:
		c.kind = tokenBad
	}
	if c.kind == tokenBad {
		r, _ := utf8.DecodeRuneInString(rest)
		c.fail("holds %s where yarn wants a setting", fmt.Sprintf("%q", r))
	}
	c.i += n
}

// quoted finds the end of a text in quotes as yarn does, which looks for a backslash and no second one before the quote.
func (c *yarnReader) quoted(rest string) int {
	n := 1
	for ; n < len(rest); n++ {
		if rest[n] == '"' && !(rest[n-1] == '\\' && (n < 2 || rest[n-2] != '\\')) {
			n++
			break
		}
	}
	c.kind = tokenText
	if json.Unmarshal([]byte(rest[:n]), &c.token.Text) != nil {
		c.kind = tokenBad
	}
	return n
}

// object reads one block.
func (c *yarnReader) object(indent int, path []Key) {
	if indent > MaxNested {
		c.fail("nests deeper than %d levels", MaxNested)
	}
	for c.err == nil {
		switch c.kind {
		case tokenLine:
			if c.next(); indent == 0 {
				continue
			}
			if c.kind != tokenIndent || c.indent != indent {
				return
			}
			c.next()
		case tokenIndent:
			if indent > 0 && c.indent != indent {
				return
			}
			c.next() // in front of a setting that is in no block; yarn reads no further
		case tokenEnd:
			return
		case tokenText:
			if !c.pair(indent, path) {
				return
			}
		default:
			c.fail("holds %q where yarn wants a setting", source.Plain(source.Redact(c.token.Text), 40))
		}
	}
}

// pair reads keys and what they are set to. It is false at the end of the block.
func (c *yarnReader) pair(indent int, path []Key) bool {
	keys := []Key{c.token}
	for c.next(); c.kind == tokenComma; c.next() {
		if c.next(); c.kind != tokenText {
			c.fail("holds no key behind a comma")
			return false
		}
		keys = append(keys, c.token)
	}
	colon := c.kind == tokenColon
	if colon {
		c.next()
	}
	below := func(key Key) []Key { return append(slices.Clip(path), key) }
	switch {
	case c.err != nil:
		return false
	case c.kind == tokenText || c.kind == tokenWord:
		for _, key := range keys {
			if len(c.leaves) >= MaxLeaves {
				c.fail("holds more than %d settings", MaxLeaves)
				return false
			}
			c.leaves = append(c.leaves, Leaf{Path: below(key), Text: c.token.Text, At: c.token.At})
		}
		c.next()
		return true
	case !colon:
		c.fail("holds a key without a value")
		return false
	}
	first := len(c.leaves)
	c.object(indent+1, below(keys[0]))
	inner := c.leaves[first:len(c.leaves):len(c.leaves)]
	for _, key := range keys[1:] {
		for _, l := range inner {
			if len(c.leaves) >= MaxLeaves {
				c.fail("holds more than %d settings", MaxLeaves)
				return false
			}
			again := append([]Key(nil), l.Path...)
			again[len(path)] = key
			c.leaves = append(c.leaves, Leaf{Path: again, Text: l.Text, At: l.At})
		}
	}
	return indent == 0 || c.kind == tokenIndent
}
