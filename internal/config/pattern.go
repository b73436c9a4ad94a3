package config

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxPattern bounds a pattern, in bytes; a path has no more than 4,096 and nobody writes out such a one.
const maxPattern = 500

// maxMatched bounds what is matched, in bytes; a longer text, which is no honest name, matches nothing.
const maxMatched = 8 << 10

// Pattern matches a whole text: * stands for any characters but a slash, ** for any characters, ? for one character that
// is no slash, [a-z] and [^a-z] for one of a class, and a backslash takes the meaning from what follows. A "**/" at the
// beginning or after a slash stands for any directories, and for none. The zero Pattern matches everything.
type Pattern struct {
	text string
	// fixed is what every match begins with: nearly all of what does not match is passed over by it.
	fixed string
	re    *regexp.Regexp // works in linear time
}

// Given tells whether there is one.
func (p Pattern) Given() bool { return p.re != nil }

func (p Pattern) String() string { return p.text }

// Equal is for comparisons in tests and between two versions of a file.
func (p Pattern) Equal(other Pattern) bool { return p.text == other.text }

// Match tells whether the pattern matches all of s.
func (p *Pattern) Match(s string) bool {
	return p.re == nil || len(s) <= maxMatched && strings.HasPrefix(s, p.fixed) && p.re.MatchString(s)
}

// compile reads a pattern. In prose a slash parts nothing, so that * takes it in.
func compile(text string, prose bool) (Pattern, error) {
	switch {
	case text == "":
		return Pattern{}, errors.New("is empty")
	case len(text) > maxPattern:
		return Pattern{}, errors.New("is longer than 500 bytes")
	}
	p := Pattern{text: text}
	some, one, none := `[^/]*`, `[^/]`, `/`
	if prose {
		some, one, none = `.*`, `.`, ``
	}
	var re strings.Builder
	literal := true // as yet
	add := func(s string) {
		if literal {
			p.fixed += s
		}
		re.WriteString(regexp.QuoteMeta(s))
	}
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := text[i]; {
		case strings.HasPrefix(rest, "**/") && !prose && (i == 0 || text[i-1] == '/'):
			re.WriteString(`(?:.*/)?`)
			i, literal = i+3, false
		case strings.HasPrefix(rest, "**"):
			re.WriteString(`.*`)
			i, literal = i+2, false
		case c == '*':
			re.WriteString(some)
			i, literal = i+1, false
		case c == '?':
			re.WriteString(one)
			i, literal = i+1, false
		case c == '[':
			class, n, err := class(rest, none)
			if err != nil {
				return Pattern{}, err
			}
			re.WriteString(class)
			i, literal = i+n, false
		default:
			if c == '\\' {
				if rest = rest[1:]; rest == "" {
					return Pattern{}, errors.New("ends with a backslash")
				}
				i++
			}
			_, n := utf8.DecodeRuneInString(rest)
			add(rest[:n])
			i += n
		}
	}
	var err error
	if p.re, err = regexp.Compile(`(?s)\A(?:` + re.String() + `)\z`); err != nil {
		return Pattern{}, errors.New("cannot be read")
	}
	return p, nil
}

// class reads a class such as [a-z_] at the beginning of text, and how long it is. What is negated leaves out none, too.
func class(text, none string) (re string, length int, err error) {
	broken := errors.New("has a [ without a class of characters such as [a-z] behind it")
	i, out := 1, "["
	if strings.HasPrefix(text[i:], "^") || strings.HasPrefix(text[i:], "!") {
		i, out = 2, "[^"+none
	}
	char := func() (rune, bool) {
		if i < len(text) && text[i] == '\\' {
			i++
		}
		if i >= len(text) {
			return 0, false
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		return r, true
	}
	for first := true; ; first = false {
		if !first && strings.HasPrefix(text[i:], "]") {
			return out + "]", i + 1, nil
		}
		if strings.HasPrefix(text[i:], "]") || strings.HasPrefix(text[i:], "-") {
			return "", 0, broken
		}
		low, ok := char()
		if !ok {
			return "", 0, broken
		}
		out += quoteRune(low)
		if strings.HasPrefix(text[i:], "-") {
			i++
			if strings.HasPrefix(text[i:], "]") {
				return "", 0, broken
			}
			high, ok := char()
			if !ok || high < low {
				return "", 0, broken
			}
			out += "-" + quoteRune(high)
		}
	}
}

// quoteRune is a character as it may stand in a class.
func quoteRune(r rune) string {
	if strings.ContainsRune(`\]^-[&~`, r) {
		return `\` + string(r)
	}
	return string(r)
}
