package source

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain makes a stranger's text fit for one line of a terminal or a log: control characters, line ends, bidirectional
// overrides, invisible and invalid characters are written as escapes (\n, \u202e, \xff). At most limit bytes are kept
// (0: no limit); what is cut is shown by an ellipsis.
func Plain(s string, limit int) string {
	clean := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean && (limit <= 0 || len(s) <= limit) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if limit > 0 && b.Len() >= limit {
			b.WriteString("…")
			break
		}
		switch {
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			} else {
				b.WriteRune(r)
			}
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
