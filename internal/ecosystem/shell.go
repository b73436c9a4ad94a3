package ecosystem

import (
	"slices"
	"strings"
)

// maxNested is how deep substitutions and subshells are followed; what lies deeper is read as if it stood side by side.
const maxNested = 50

// shellWord is one word of a shell command.
type shellWord struct {
	// text is without quotes; what the shell would expand stands in it as written.
	text string
	// at is the word's begin, and inner that of text where the source holds it in one piece; -1 where it does not.
	at, inner int
	// runs are the commands whose output the word takes in.
	runs []*shellCommand
	// process is true for <(…).
	process bool
}

// shellCommand is one simple command with what leads into it.
type shellCommand struct {
	words []shellWord
	// from is the command whose output it reads.
	from *shellCommand
	// fed are the words behind <<<, written to the names of the files behind > and >>.
	fed     []shellWord
	written []string
	// docs are its here-documents.
	docs []shellWord
	// fetched is the word with the address of what a download in its pipeline writes; nil where there is none.
	fetched *shellWord
	// downloader is the name of that download's program.
	downloader string
}

// closes tells that the command is the end of a group, of whose output the last command before it is the source.
func (c *shellCommand) closes() bool {
	return len(c.words) == 1 && slices.Contains([]string{"}", "done", "fi", "esac"}, c.words[0].text)
}

// shellReader splits the text of a script into simple commands, crudely, and in linear time: it knows quotes, comments,
// continued lines, substitutions and here-documents, and takes all else for words.
type shellReader struct {
	text     string
	i        int
	commands []*shellCommand
	depth    int
	// lines are the begins of lines by what stands in them, for the ends of here-documents; nil until one is asked for.
	lines map[string][]int
}

func shellCommands(text string) []*shellCommand {
	r := &shellReader{text: text}
	for r.i < len(r.text) {
		r.list(0)
	}
	return r.commands
}

// pending is a here-document whose text begins behind the end of the line.
type pending struct {
	of   *shellCommand
	mark string
}

// list reads commands up to the sign that ends them, which is consumed, and returns them.
func (r *shellReader) list(end byte) (out []*shellCommand) {
	r.depth++
	defer func() { r.depth-- }()
	var (
		cur, last *shellCommand
		docs      []pending
		piped     bool
	)
	current := func() *shellCommand {
		if cur == nil {
			cur = &shellCommand{}
			if piped {
				cur.from, piped = last, false
			}
		}
		return cur
	}
	finish := func() {
		if cur == nil {
			return
		}
		r.commands, out = append(r.commands, cur), append(out, cur)
		if !cur.closes() {
			last = cur
		}
		cur = nil
	}
	defer finish()
	for r.i < len(r.text) {
		c := r.text[r.i]
		switch {
		case c == end:
			r.i++
			return out
		case c == ' ' || c == '\t' || c == '\r':
			r.i++
		case c == '\\' && r.newline(r.i+1) > 0:
			r.i += 1 + r.newline(r.i+1)
		case c == '#':
			r.i += untilNewline(r.text[r.i:])
		case c == '\n':
			r.i++
			finish()
			for _, d := range docs {
				r.document(d)
			}
			docs = nil
		case c == ';' || c == '&' && !strings.HasPrefix(r.text[r.i:], "&>"):
			r.i++
			finish()
		case c == '|':
			r.i++
			finish()
			if r.at('|') {
				piped = false
			} else {
				piped = last != nil
				r.at('&')
			}
		case c == '(' && r.depth < maxNested:
			if r.i++; r.at('(') {
				r.arithmetic()
				continue
			}
			finish()
			inside := r.list(')')
			if len(inside) == 0 {
				continue
			}
			for _, c := range inside {
				if piped && c.from == nil {
					c.from = last
				}
			}
			piped = false
			out, last = append(out, inside...), inside[len(inside)-1]
		case c == '(' || c == ')':
			r.i++
			finish()
		case (c == '<' || c == '>' || c == '&') && !r.process():
			op := r.operator()
			w := r.word(end)
			switch {
			case op == "<<":
				docs = append(docs, pending{current(), w.text})
			case op == "<<<" || op == "<" && w.process:
				current().fed = append(current().fed, w)
			case strings.Contains(op, ">"):
				current().written = append(current().written, w.text)
			}
		default:
			w := r.word(end)
			if next := r.i; next < len(r.text) && (r.text[next] == '<' || r.text[next] == '>') && w.text != "" && strings.Trim(w.text, "0123456789") == "" {
				continue // the number of a file
			}
			current().words = append(current().words, w)
		}
	}
	return out
}

// at consumes c.
func (r *shellReader) at(c byte) bool {
	if r.i < len(r.text) && r.text[r.i] == c {
		r.i++
		return true
	}
	return false
}

// newline is how long the line end at i is.
func (r *shellReader) newline(i int) int {
	switch rest := r.text[min(i, len(r.text)):]; {
	case strings.HasPrefix(rest, "\n"):
		return 1
	case strings.HasPrefix(rest, "\r\n"):
		return 2
	}
	return 0
}

func untilNewline(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// process tells whether <( or >( begins here.
func (r *shellReader) process() bool {
	return r.i+1 < len(r.text) && r.text[r.i] != '&' && r.text[r.i+1] == '(' && r.depth < maxNested
}

// operator consumes a redirection, and the space behind it.
func (r *shellReader) operator() string {
	begin := r.i
	for r.i < len(r.text) && r.i-begin < 3 && strings.IndexByte("<>&|", r.text[r.i]) >= 0 && (r.i == begin || !r.process()) {
		r.i++
	}
	op := r.text[begin:r.i]
	if op == "<<" {
		r.at('-')
	}
	for r.i < len(r.text) && (r.text[r.i] == ' ' || r.text[r.i] == '\t') {
		r.i++
	}
	return op
}

// arithmetic passes over what follows "((".
func (r *shellReader) arithmetic() {
	for open := 2; r.i < len(r.text) && open > 0; r.i++ {
		switch r.text[r.i] {
		case '(':
			open++
		case ')':
			open--
		}
	}
}

// document gives a here-document to its command. One without an end is none.
func (r *shellReader) document(d pending) {
	if r.lines == nil {
		r.lines = map[string][]int{}
		for i := 0; i < len(r.text); {
			n := untilNewline(r.text[i:])
			line := strings.TrimSpace(r.text[i : i+n])
			r.lines[line] = append(r.lines[line], i)
			i += n + 1
		}
	}
	ends := r.lines[d.mark]
	k, _ := slices.BinarySearch(ends, r.i)
	if k == len(ends) || d.mark == "" {
		return
	}
	d.of.docs = append(d.of.docs, shellWord{text: r.text[r.i:ends[k]], at: r.i, inner: r.i})
	r.i = ends[k] + untilNewline(r.text[ends[k]:])
}

// word reads one word, which is empty where none begins.
func (r *shellReader) word(end byte) shellWord {
	w := shellWord{at: r.i}
	var b strings.Builder
	quote := byte(0)
loop:
	for r.i < len(r.text) {
		c := r.text[r.i]
		switch {
		case quote == '\'':
			n := strings.IndexByte(r.text[r.i:], '\'')
			if n < 0 {
				n = len(r.text) - r.i
			}
			b.WriteString(r.text[r.i : r.i+n])
			r.i, quote = min(r.i+n+1, len(r.text)), 0
		case c == '\\':
			if n := r.newline(r.i + 1); n > 0 {
				r.i += 1 + n
				continue
			}
			if r.i++; r.i < len(r.text) {
				if quote == '"' && strings.IndexByte("$`\"\\", r.text[r.i]) < 0 {
					b.WriteByte('\\')
				}
				b.WriteByte(r.text[r.i])
				r.i++
			}
		case c == '"':
			r.i++
			if quote == '"' {
				quote = 0
			} else {
				quote = '"'
			}
		case c == '`' && end != '`' && r.depth < maxNested, c == '$' && strings.HasPrefix(r.text[r.i:], "$(") && r.depth < maxNested:
			r.substitution(&w, &b)
		case c == '$' && strings.HasPrefix(r.text[r.i:], "${"):
			from, open := r.i, 0
			for r.i < len(r.text) && r.text[r.i] != '\n' {
				open += strings.Count(r.text[r.i:r.i+1], "{") - strings.Count(r.text[r.i:r.i+1], "}")
				if r.i++; open == 0 && r.i > from+1 {
					break
				}
			}
			b.WriteString(r.text[from:r.i])
		case quote == '"':
			b.WriteByte(c)
			r.i++
		case c == '\'':
			r.i++
			quote = '\''
		case c == '$' && r.i+1 < len(r.text) && (r.text[r.i+1] == '\'' || r.text[r.i+1] == '"'):
			r.i++ // $'…' and $"…"
		case (c == '<' || c == '>') && r.process():
			w.process = true
			r.substitution(&w, &b)
		case c == end, strings.IndexByte(" \t\r\n;&|()<>", c) >= 0:
			break loop
		default:
			b.WriteByte(c)
			r.i++
		}
	}
	w.text, w.inner = b.String(), -1
	for _, lead := range []int{0, 1} {
		if from := w.at + lead; from <= len(r.text) && strings.HasPrefix(r.text[from:], w.text) && (lead == 0 || r.text[w.at] == '"' || r.text[w.at] == '\'') {
			w.inner = from
			break
		}
	}
	return w
}

// substitution reads $(…), `…`, <(…) or >(…), and puts it into the word as written.
func (r *shellReader) substitution(w *shellWord, b *strings.Builder) {
	from, end := r.i, byte(')')
	switch {
	case r.text[r.i] == '`':
		end = '`'
		r.i++
	case strings.HasPrefix(r.text[r.i:], "$(("):
		r.i += 3
		r.arithmetic()
		b.WriteString(r.text[from:r.i])
		return
	default:
		r.i += 2
	}
	w.runs = append(w.runs, r.list(end)...)
	b.WriteString(r.text[from:r.i])
}
