package workflow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/org/goproxy-action/internal/lockfile"
)

const (
	// maxFile bounds one workflow; GitLab's own limit for a pipeline with all that it includes is 2 MB.
	maxFile = 2 << 20
	// maxDocuments bounds the documents of one file: GitHub reads one, GitLab two.
	maxDocuments = 100
	// maxNested is how deep lists, merges and references are followed, which is deeper than GitLab and GitHub go.
	maxNested = 12
)

// document is one file of YAML with the way back from a node to its place.
type document struct {
	lockfile.File
	roots []*yaml.Node
	// lines are the offsets at which lines begin as YAML counts them; nil until a place is asked for.
	lines []int
	// last is the place that was asked for last: columns count characters, and a line may be long.
	last struct{ line, column, offset int }
}

// parse reads the file. The error is in the words of the library.
func parse(f lockfile.File) (*document, error) {
	d := &document{File: f}
	if !utf8.Valid(f.Data) { // the library would read UTF-16, and no place in it could be told
		return d, errors.New("it is not of UTF-8")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(f.Data))
	for {
		var root yaml.Node
		switch err := decoder.Decode(&root); {
		case errors.Is(err, io.EOF):
			return d, nil
		case err != nil:
			return d, err
		case len(d.roots) == maxDocuments:
			return d, fmt.Errorf("it holds more than %d documents", maxDocuments)
		}
		if len(root.Content) > 0 {
			d.roots = append(d.roots, root.Content[0])
		}
	}
}

// real is the node that an alias stands for, else the node itself.
func real(n *yaml.Node) *yaml.Node {
	for range maxNested {
		if n == nil || n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}

// text is the value of a scalar; empty for anything else.
func text(n *yaml.Node) string {
	if n = real(n); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// items are the elements of a list; what is no list is one element.
func items(n *yaml.Node) []*yaml.Node {
	switch n = real(n); {
	case n == nil:
		return nil
	case n.Kind == yaml.SequenceNode:
		return n.Content
	}
	return []*yaml.Node{n}
}

// position is where an offset is, as editors count: lines end with a line feed, columns are bytes.
func (d *document) position(offset int) lockfile.Position {
	before := d.Data[:offset]
	return lockfile.Position{File: d.Path, Line: 1 + bytes.Count(before, []byte("\n")), Column: offset - bytes.LastIndexByte(before, '\n')}
}

// lineBreak is how long the line break at the begin of s is; 0 where there is none. YAML has more of them than editors.
func lineBreak(s []byte) int {
	switch {
	case bytes.HasPrefix(s, []byte("\r\n")), bytes.HasPrefix(s, []byte("\u0085")):
		return 2
	case len(s) > 0 && (s[0] == '\n' || s[0] == '\r'):
		return 1
	case bytes.HasPrefix(s, []byte("\u2028")), bytes.HasPrefix(s, []byte("\u2029")):
		return 3
	}
	return 0
}

var byteOrderMark = []byte("\ufeff")

// offset is where a node begins in the file; at its properties (&anchor, !tag) where it has some.
func (d *document) offset(n *yaml.Node) int {
	if d.lines == nil {
		begin := 0
		if bytes.HasPrefix(d.Data, byteOrderMark) {
			begin = len(byteOrderMark)
		}
		d.lines = []int{begin}
		for i := begin; i < len(d.Data); {
			if size := lineBreak(d.Data[i:]); size > 0 {
				i += size
				d.lines = append(d.lines, i)
			} else {
				i++
			}
		}
	}
	if n.Line < 1 || n.Line > len(d.lines) {
		return len(d.Data)
	}
	l := &d.last
	if l.line != n.Line || l.column > n.Column {
		l.line, l.column, l.offset = n.Line, 1, d.lines[n.Line-1]
	}
	for l.column < n.Column && l.offset < len(d.Data) {
		_, size := utf8.DecodeRune(d.Data[l.offset:])
		l.offset += size
		l.column++
	}
	return l.offset
}

// scalar leads from a scalar's value back to the file.
type scalar struct {
	// marks are ascending; from each on the value stands in the file as it is.
	marks []mark
	end   int
}

type mark struct{ value, file int }

// at is where byte i of the value stands in the file.
func (s scalar) at(i int) int {
	k, exact := slices.BinarySearchFunc(s.marks, i, func(m mark, i int) int { return m.value - i })
	if !exact {
		k--
	}
	return min(s.marks[k].file+i-s.marks[k].value, s.end)
}

// scalar reads once more how the node is written.
func (d *document) scalar(n *yaml.Node) scalar {
	begin := d.begin(d.offset(n))
	s := scalar{marks: []mark{{0, begin}}, end: len(d.Data)}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		s.block(d.Data, begin, n.Value)
	} else {
		s.flow(d.Data, begin, n.Value)
	}
	return s
}

// begin passes over anchor and tag, and what separates them from the value.
func (d *document) begin(i int) int {
	for i < len(d.Data) {
		switch c := d.Data[i]; {
		case c == '&' || c == '!':
			for i < len(d.Data) && d.Data[i] != ' ' && d.Data[i] != '\t' && lineBreak(d.Data[i:]) == 0 {
				i++
			}
		case c == ' ' || c == '\t':
			i++
		case c == '#': // between properties and value
			for i < len(d.Data) && lineBreak(d.Data[i:]) == 0 {
				i++
			}
		case lineBreak(d.Data[i:]) > 0:
			i += lineBreak(d.Data[i:])
		default:
			return i
		}
	}
	return i
}

// block finds the lines of a block scalar, one after the other, in its value. Where a folded one joins lines the value
// has a space, and for empty lines it has line ends.
func (s *scalar) block(data []byte, i int, value string) {
	next := func() (line []byte, from int) {
		from = i
		for i < len(data) && lineBreak(data[i:]) == 0 {
			i++
		}
		line = data[from:i]
		if i < len(data) {
			i += lineBreak(data[i:])
		}
		return line, from
	}
	next() // the header
	indent, at, empty := -1, 0, 0
	for i < len(data) && at < len(value) {
		line, from := next()
		if len(bytes.Trim(line, " ")) == 0 && (indent < 0 || len(line) <= indent) {
			empty++
			continue
		}
		if indent < 0 { // the value has the first line whole, whatever indentation the header asks for
			for empty > 0 && at < len(value) && value[at] == '\n' {
				at, empty = at+1, empty-1
			}
			first, _, _ := strings.Cut(value[at:], "\n")
			indent = len(line) - len(bytes.TrimLeft(line, " ")) - (len(first) - len(strings.TrimLeft(first, " ")))
			indent = max(indent, 0)
		}
		content := string(line[min(indent, len(line)):])
		for skip := empty + 2; skip > 0 && at < len(value) && !strings.HasPrefix(value[at:], content) && (value[at] == '\n' || value[at] == ' '); skip-- {
			at++
		}
		if empty = 0; !strings.HasPrefix(value[at:], content) {
			return // not as it was thought to be: the place of the line before is the best there is
		}
		s.marks = append(s.marks, mark{at, from + len(line) - len(content)})
		at += len(content)
	}
	if len(s.marks) > 1 && s.marks[1].value == 0 {
		s.marks = s.marks[1:]
	}
}

// flow follows a plain or quoted scalar and its value side by side.
func (s *scalar) flow(data []byte, i int, value string) {
	quote := byte(0)
	if i < len(data) && (data[i] == '"' || data[i] == '\'') {
		quote = data[i]
		i++
	}
	s.marks = []mark{{0, i}}
	drift := func(at int) { // the two go on side by side from here
		if last := s.marks[len(s.marks)-1]; i-last.file != at-last.value {
			s.marks = append(s.marks, mark{at, i})
		}
	}
	for at := 0; at < len(value) && i < len(data); {
		c := data[i]
		switch {
		case c == ' ' || c == '\t' || lineBreak(data[i:]) > 0:
			begin, breaks := i, 0
			for i < len(data) && (data[i] == ' ' || data[i] == '\t' || lineBreak(data[i:]) > 0) {
				if size := lineBreak(data[i:]); size > 0 {
					breaks++
					i += size
				} else {
					i++
				}
			}
			switch {
			case breaks == 0:
				at += i - begin
			case breaks == 1:
				at++
			default: // each but the first is kept
				for n := 1; n < breaks && at < len(value) && (value[at] == '\n' || value[at] >= 0x80); n++ {
					_, size := utf8.DecodeRuneInString(value[at:])
					at += size
				}
			}
			drift(at)
		case c == quote && c == '\'' && bytes.HasPrefix(data[i:], []byte("''")):
			i, at = i+2, at+1
			drift(at)
		case quote == '"' && c == '\\':
			from, to := escape(data[i:])
			i, at = i+from, at+to
			drift(at)
		case c != value[at]:
			return
		default:
			i, at = i+1, at+1
		}
	}
}

// escape is how long the escape at the begin of s is, and what it stands for.
func escape(s []byte) (length, of int) {
	if len(s) < 2 {
		return len(s), 0
	}
	if size := lineBreak(s[1:]); size > 0 { // the line goes on behind the white space of the next
		length = 1 + size
		for length < len(s) && (s[length] == ' ' || s[length] == '\t') {
			length++
		}
		return length, 0
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
	switch s[1] {
	case 'N', '_':
		return 2, 2
	case 'L', 'P':
		return 2, 3
	case 'x', 'u', 'U':
		var r rune
		for _, c := range s[2:min(2+digits, len(s))] {
			r = r<<4 | rune(hexDigit(c))
		}
		return min(2+digits, len(s)), utf8.RuneLen(max(r, 0))
	}
	return 2, 1
}

func hexDigit(c byte) byte {
	switch {
	case c >= 'a':
		return (c - 'a' + 10) & 15
	case c >= 'A':
		return (c - 'A' + 10) & 15
	}
	return (c - '0') & 15
}
