package npm

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

// yaml walks the part of YAML that pnpm's writer uses, line by line, and keeps positions: mappings and lists in block
// style, mappings and lists in flow style on one line, texts that are plain or quoted on one line, block texts, and "?"
// before a key that is too long. Anything else that YAML has (anchors, aliases, tags, merge keys, texts over several
// lines, tabs) is refused, so that no reader can take the file for something else than what is judged.
//
// What reads a value consumes it and goes on to the next line that holds anything, or, within a flow, to the byte behind
// it. After a fault err is set, and all methods return false.
type yaml struct {
	text    string
	file    lockfile.File
	manager string
	// i is where the reader stands, on the line from bol to eol.
	i, line, bol, eol int
	// indent is how far the content of the line is indented, -1 at the end of a document.
	indent int
	// parent is the indentation of the mapping or list that is being read; what belongs to it is indented further.
	parent int
	// compact is true where a mapping may begin on the line itself, behind "- " or ": ".
	compact bool
	// flow is how many flow collections are open, depth how many of any style.
	flow, depth int
	err         error
}

// newYAML goes to the first line. Tabs, and carriage returns within a line, are indentation or a line's end to some readers
// only; pnpm writes them as escapes.
func newYAML(file lockfile.File, text, manager string) *yaml {
	y := &yaml{text: text, file: file, manager: manager, line: 1, parent: -1}
	odd, name := strings.IndexByte(text, '\t'), "a tab"
	if odd < 0 {
		odd, name = toolfile.LoneReturn(text), "a carriage return that ends no line"
	}
	if odd >= 0 {
		y.line, y.bol, y.i = 1+strings.Count(text[:odd], "\n"), strings.LastIndexByte(text[:odd], '\n')+1, odd
		y.fail("holds %s, which %s never writes", name, manager)
		return y
	}
	y.enter(0)
	y.significant()
	return y
}

func (y *yaml) at() lockfile.Position { return y.position(y.i) }

func (y *yaml) position(i int) lockfile.Position {
	return lockfile.Position{File: y.file.Path, Line: y.line, Column: i - y.bol + 1}
}

func (y *yaml) fail(format string, args ...any) bool { return y.failAt(y.at(), format, args...) }

func (y *yaml) failAt(at lockfile.Position, format string, args ...any) bool {
	if y.err == nil {
		bol := y.bol
		for range y.line - at.Line { // the reader has gone on
			bol = strings.LastIndexByte(y.text[:bol-1], '\n') + 1
		}
		y.err = syntaxError(y.file, at, y.manager, y.text[bol:], format, args...)
	}
	return false
}

// syntaxError says what is wrong with a lock file, and shows the line that text begins with unless the file was reached
// through a link.
func syntaxError(file lockfile.File, at lockfile.Position, manager, text, format string, args ...any) error {
	p := problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(at.File, 200), at.Line, at.Column),
		"restore the file from version control, or remove it and run "+manager+" install", format, args...)
	if file.Linked {
		p.Err = fmt.Errorf("is no lock file of %s (what stands behind a link is not shown)", manager)
	} else if line, _, _ := strings.Cut(text, "\n"); len(line) <= 400 { // more is no line that a person wrote
		p.Excerpt = source.Plain(source.Redact(strings.TrimSpace(line)), 160)
	}
	return p
}

// unexpected reports the character at the current position.
func (y *yaml) unexpected(want string) bool {
	switch {
	case y.i < y.eol:
		r, _ := utf8.DecodeRuneInString(y.text[y.i:])
		return y.fail("holds %q where %s must stand", r, want)
	case y.eol < len(y.text):
		return y.fail("ends a line where %s must stand", want)
	}
	return y.fail("ends where %s must stand", want)
}

// enter makes the line that begins at bol the current one.
func (y *yaml) enter(bol int) {
	y.bol, y.eol = bol, len(y.text)
	if n := strings.IndexByte(y.text[bol:], '\n'); n >= 0 {
		y.eol = bol + n
		if n > 0 && y.text[y.eol-1] == '\r' {
			y.eol--
		}
	}
	y.i = bol
	for y.i < y.eol && y.text[y.i] == ' ' {
		y.i++
	}
	y.indent = y.i - bol
}

// advance makes the line behind the current one the current one, whatever it holds.
func (y *yaml) advance() bool {
	bol := y.eol
	if bol < len(y.text) && y.text[bol] == '\r' {
		bol++
	}
	if bol == len(y.text) {
		y.i, y.indent = bol, -1
		return false
	}
	y.line++
	y.enter(bol + 1)
	return true
}

// next goes to the next line that holds more than a comment.
func (y *yaml) next() bool {
	y.compact = false
	return y.advance() && y.significant() || y.err == nil
}

// significant passes over lines that hold nothing or a comment, and stops at the end of the document.
func (y *yaml) significant() bool {
	for y.i == y.eol || y.text[y.i] == '#' {
		if !y.advance() {
			return false
		}
	}
	if y.indent > 0 {
		return true
	}
	switch line := y.text[y.i:y.eol]; {
	case line == "---":
		y.indent = -1
		return false
	case strings.HasPrefix(line, "<<<<<<<"), strings.HasPrefix(line, "|||||||"), strings.HasPrefix(line, "======="), strings.HasPrefix(line, ">>>>>>>"):
		return y.fail("holds an unresolved merge conflict")
	case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "..."), line[0] == '%':
		return y.fail("holds a marker of YAML documents that %s never writes", y.manager)
	}
	return true
}

// document passes over the line "---" that begins one.
func (y *yaml) document() bool {
	if y.err == nil && y.indent < 0 && y.i < y.eol {
		y.parent = -1
		y.next()
		return y.err == nil
	}
	return false
}

func (y *yaml) spaces() {
	for y.i < y.eol && y.text[y.i] == ' ' {
		y.i++
	}
}

// lineEnd ends a value in block style.
func (y *yaml) lineEnd() bool {
	y.spaces()
	if y.i < y.eol {
		return y.unexpected("the end of the line")
	}
	return y.next()
}

func (y *yaml) open() bool {
	if y.depth++; y.depth > maxDepth {
		return y.fail("nests deeper than %d levels", maxDepth)
	}
	return true
}

// object calls visit for each key of a mapping, with the reader on the value, which visit has to consume. A missing value
// is an empty mapping.
func (y *yaml) object(visit func(key string, at lockfile.Position) bool) bool {
	switch {
	case y.err != nil:
		return false
	case y.i < y.eol && y.text[y.i] == '{':
		return y.flowMapping(visit)
	case y.flow > 0:
		return y.unexpected(`"{"`)
	case y.compact && y.i < y.eol:
		y.indent = y.i - y.bol
		return y.blockMapping(visit)
	case y.i < y.eol:
		return y.unexpected("a mapping")
	}
	return y.next() && (y.indent <= y.parent || y.blockMapping(visit))
}

func (y *yaml) blockMapping(visit func(key string, at lockfile.Position) bool) bool {
	outer := y.parent
	y.parent = y.indent
	if !y.open() {
		return false
	}
	for y.indent == y.parent {
		key, at, ok := y.blockKey()
		if !ok || !y.safeKey(key, at) || !visit(key, at) || y.err != nil {
			return false
		}
	}
	return y.shut(outer)
}

func (y *yaml) shut(outer int) bool {
	if y.indent > y.parent {
		return y.fail("is indented by %d where at most %d can be", y.indent, y.parent)
	}
	y.parent = outer
	y.depth--
	return true
}

// safeKey refuses keys that make some readers take another mapping's content for this one's.
func (y *yaml) safeKey(key string, at lockfile.Position) bool {
	if key == "<<" || key == "__proto__" {
		return y.failAt(at, "holds the key %q, which %s never writes", key, y.manager)
	}
	return true
}

// blockKey reads a key and goes to its value.
func (y *yaml) blockKey() (key string, at lockfile.Position, ok bool) {
	if strings.HasPrefix(y.text[y.i:y.eol], "? ") {
		n := y.indent
		y.i += 2
		y.spaces()
		at = y.at()
		if key, _, ok = y.scalar(); !ok || !y.lineEnd() {
			return "", at, false
		}
		if y.indent != n || y.text[y.i] != ':' || y.i+1 < y.eol && y.text[y.i+1] != ' ' {
			return "", at, y.unexpected(`": " and the value of the key above`)
		}
		y.i++
		y.spaces()
		y.compact = true
		return key, at, true
	}
	at = y.at()
	if c := y.text[y.i]; c == '"' || c == '\'' {
		key, ok = y.quoted()
	} else {
		key, ok = y.plainKey()
	}
	if !ok {
		return "", at, false
	}
	if y.i == y.eol || y.text[y.i] != ':' || y.i+1 < y.eol && y.text[y.i+1] != ' ' {
		return "", at, y.unexpected(`": " behind a key`)
	}
	y.i++
	y.spaces()
	y.compact = false
	return key, at, true
}

// plainKey reads up to the colon.
func (y *yaml) plainKey() (key string, ok bool) {
	if !y.plainStart("a key") {
		return "", false
	}
	rest := y.text[y.i:y.eol]
	for n := range len(rest) {
		switch rest[n] {
		case ':':
			if n+1 == len(rest) || rest[n+1] == ' ' {
				if rest[n-1] == ' ' {
					y.i += n
					return "", y.unexpected("the end of a key")
				}
				y.i += n
				return rest[:n], true
			}
		case '#':
			if n > 0 && rest[n-1] == ' ' {
				y.i += n
				return "", y.unexpected(`":" behind a key`)
			}
		}
	}
	y.i = y.eol
	return "", y.unexpected(`":" behind a key`)
}

// plainStart refuses what means something to YAML where it begins a text.
func (y *yaml) plainStart(what string) bool {
	if y.i == y.eol {
		return y.unexpected(what)
	}
	switch c := y.text[y.i]; c {
	case ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '%', '@', '`', '"', '\'':
		return y.unexpected(what)
	case '-', '?', ':':
		if y.i+1 == y.eol || y.text[y.i+1] == ' ' {
			return y.unexpected(what)
		}
	}
	return true
}

// list calls visit for each item, with the reader on it.
func (y *yaml) list(visit func() bool) bool {
	switch {
	case y.err != nil:
		return false
	case y.i < y.eol && y.text[y.i] == '[':
		return y.flowList(visit)
	case y.flow > 0 || y.i < y.eol:
		return y.unexpected("a list")
	}
	return y.next() && (y.indent <= y.parent || y.blockList(visit))
}

func (y *yaml) item() bool {
	return y.text[y.i] == '-' && (y.i+1 == y.eol || y.text[y.i+1] == ' ')
}

func (y *yaml) blockList(visit func() bool) bool {
	outer := y.parent
	y.parent = y.indent
	if !y.open() {
		return false
	}
	for y.indent == y.parent {
		if !y.item() {
			return y.unexpected(`"- " and an item`)
		}
		y.i++
		y.spaces()
		y.compact = true
		if !visit() || y.err != nil {
			return false
		}
	}
	return y.shut(outer)
}

// skip consumes a value of any kind, and checks that it is one.
func (y *yaml) skip() bool {
	if y.err != nil {
		return false
	}
	if y.i == y.eol && y.flow == 0 {
		switch {
		case !y.next():
			return false
		case y.indent <= y.parent:
			return true
		case y.item():
			return y.blockList(y.skip)
		}
		return y.blockMapping(y.skipValue)
	}
	if y.i < y.eol {
		switch c := y.text[y.i]; {
		case c == '{':
			return y.flowMapping(y.skipValue)
		case c == '[':
			return y.flowList(y.skip)
		case (c == '|' || c == '>') && y.flow == 0:
			return y.blockText()
		case y.compact && y.beginsMapping():
			return y.object(y.skipValue)
		}
	}
	_, _, ok := y.scalar()
	return ok && (y.flow > 0 || y.lineEnd())
}

func (y *yaml) skipValue(string, lockfile.Position) bool { return y.skip() }

// beginsMapping tells whether a key stands here.
func (y *yaml) beginsMapping() bool {
	rest := y.text[y.i:y.eol]
	if c := rest[0]; c == '"' || c == '\'' {
		start := y.i
		_, ok := y.quoted()
		found := ok && y.i < y.eol && y.text[y.i] == ':'
		y.i = start
		return found
	}
	return strings.Contains(rest, ": ") || rest[len(rest)-1] == ':'
}

// scalar reads a text that is plain or quoted, in a block to the end of the line.
func (y *yaml) scalar() (text string, plain, ok bool) {
	if y.i < y.eol && (y.text[y.i] == '"' || y.text[y.i] == '\'') {
		text, ok = y.quoted()
		return text, false, ok
	}
	if !y.plainStart("a value") {
		return "", false, false
	}
	rest, n := y.text[y.i:y.eol], 0
	if y.flow > 0 {
		for n < len(rest) && !flowEnd[rest[n]] {
			n++
		}
		rest = rest[:n]
	}
	text = strings.TrimRight(rest, " ")
	for from := 0; ; {
		n := strings.IndexByte(text[from:], ':')
		if n < 0 {
			break
		}
		if from += n + 1; from == len(text) || text[from] == ' ' {
			y.i += from - 1
			return "", false, y.unexpected("the end of a value")
		}
	}
	for from := 0; ; {
		n := strings.IndexByte(text[from:], '#')
		if n < 0 {
			break
		}
		if from += n + 1; from > 1 && text[from-2] == ' ' {
			y.i += from - 1
			return "", false, y.unexpected("the end of a value")
		}
	}
	y.i += len(rest)
	return text, true, true
}

var flowEnd = [256]bool{',': true, '[': true, ']': true, '{': true, '}': true}

// quoted reads a text in quotes, which ends on its line.
func (y *yaml) quoted() (text string, ok bool) {
	quote, start := y.text[y.i], y.i+1
	line := y.text[:y.eol]
	escaped := false
	for i := start; i < len(line); i++ {
		switch {
		case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == quote:
			escaped = true
			i++
		case line[i] == quote:
			text, y.i = line[start:i], i+1
			switch {
			case !escaped:
				return text, true
			case quote == '\'':
				return strings.ReplaceAll(text, "''", "'"), true
			}
			return y.unescape(text, start)
		case line[i] == '\\' && quote == '"':
			escaped = true
			i++
		}
	}
	y.i = y.eol
	return "", y.unexpected("the end of a quoted text")
}

// unescape decodes a text in double quotes that begins at start.
func (y *yaml) unescape(text string, start int) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		at := start + i
		i++
		if n := strings.IndexByte(`0abtnvfre "/\`, text[i]); n >= 0 {
			b.WriteByte("\x00\a\b\t\n\v\f\r\x1b \"/\\"[n])
			continue
		}
		switch text[i] {
		case 'N':
			b.WriteRune(0x85)
		case '_':
			b.WriteRune(0xa0)
		case 'L':
			b.WriteRune(0x2028)
		case 'P':
			b.WriteRune(0x2029)
		case 'x', 'u', 'U':
			digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[i]]
			var r rune
			for n := range digits {
				v := -1
				if i+1+n < len(text) {
					v = strings.IndexByte("0123456789abcdefABCDEF", text[i+1+n])
				}
				if v > 15 {
					v -= 6
				}
				if v < 0 || r > utf8.MaxRune {
					return "", y.failAt(y.position(at), "holds an escape that YAML does not have")
				}
				r = r<<4 | rune(v)
			}
			i += digits
			b.WriteRune(r)
		default:
			return "", y.failAt(y.position(at), "holds an escape that YAML does not have")
		}
	}
	return b.String(), true
}

// field reads a text. What YAML makes a number, a date, true, false or null of is refused.
func (y *yaml) field(f *field, key string) bool {
	if y.err != nil {
		return false
	}
	f.at = y.at()
	if y.i == y.eol && y.flow == 0 || y.i < y.eol && strings.IndexByte("{[|>", y.text[y.i]) >= 0 || y.compact && y.beginsMapping() {
		return y.fail("holds no text as %q", key)
	}
	text, plain, ok := y.scalar()
	if !ok {
		return false
	}
	if plain && !isText(text) {
		return y.failAt(f.at, "holds no text as %q", key)
	}
	f.text = text
	return y.flow > 0 || y.lineEnd()
}

// word reads true, false, a number or a text as it stands.
func (y *yaml) word(f *field) (ok bool) {
	f.at = y.at()
	f.text, _, ok = y.scalar()
	return ok && (y.flow > 0 || y.lineEnd())
}

// isText is false for the plain scalars that any version of js-yaml takes for something else than a text.
func isText(plain string) bool {
	switch plain[0] {
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '-', '.':
		return !otherThanText().MatchString(plain)
	case '~', 'n', 'N', 't', 'T', 'f', 'F':
		switch strings.ToLower(plain) {
		case "~", "null", "true", "false":
			return false
		}
	}
	return true
}

var otherThanText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7_]+|[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|` +
		`\.[0-9_]+(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?)$`)
})

// flowMapping reads "{a: b}".
func (y *yaml) flowMapping(visit func(key string, at lockfile.Position) bool) bool {
	return y.flowCollection('}', func() bool {
		at := y.at()
		var key string
		var ok bool
		if y.i < y.eol && (y.text[y.i] == '"' || y.text[y.i] == '\'') {
			key, ok = y.quoted()
		} else {
			key, ok = y.flowKey()
		}
		if !ok || !y.safeKey(key, at) {
			return false
		}
		if !strings.HasPrefix(y.text[y.i:y.eol], ": ") {
			return y.unexpected(`": " behind a key`)
		}
		y.i += 2
		y.spaces()
		return visit(key, at)
	})
}

func (y *yaml) flowKey() (key string, ok bool) {
	if !y.plainStart("a key") {
		return "", false
	}
	start := y.i
	for y.i < y.eol {
		c := y.text[y.i]
		if c == ':' {
			return y.text[start:y.i], true
		}
		if flowEnd[c] || c == ' ' || c == '#' {
			break
		}
		y.i++
	}
	return "", y.unexpected(`": " behind a key`)
}

// flowList reads "[a, b]".
func (y *yaml) flowList(visit func() bool) bool { return y.flowCollection(']', visit) }

func (y *yaml) flowCollection(end byte, visit func() bool) bool {
	if !y.open() {
		return false
	}
	y.flow++
	y.compact = false
	y.i++
	y.spaces()
	if y.i < y.eol && y.text[y.i] == end {
		y.i++
	} else {
		for more := true; more; {
			if !visit() || y.err != nil {
				return false
			}
			y.spaces()
			switch {
			case y.i < y.eol && y.text[y.i] == ',':
				y.i++
				y.spaces()
			case y.i < y.eol && y.text[y.i] == end:
				y.i++
				more = false
			default:
				return y.unexpected(fmt.Sprintf(`"," or %q`, rune(end)))
			}
		}
	}
	y.depth--
	y.flow--
	return y.flow > 0 || y.lineEnd()
}

// blockText passes over a text of several lines behind "|" or ">".
func (y *yaml) blockText() bool {
	header := strings.TrimRight(y.text[y.i+1:y.eol], " ")
	indent := 0
	for n := range len(header) {
		switch c := header[n]; {
		case c >= '1' && c <= '9' && indent == 0 && n < 2:
			indent = y.parent + int(c-'0')
		case (c == '-' || c == '+') && (n == 0 || n == 1 && indent > 0):
		default:
			y.i += 1 + n
			return y.unexpected("the end of the line")
		}
	}
	for y.advance() {
		switch {
		case y.i == y.eol && indent == 0 && y.indent > 0:
			return y.fail("begins a text with a line of spaces, which readers understand in different ways")
		case y.i == y.eol:
			continue
		case indent == 0:
			indent = max(y.indent, y.parent+1)
		}
		if y.indent < indent {
			y.significant()
			break
		}
	}
	y.compact = false
	return y.err == nil
}
