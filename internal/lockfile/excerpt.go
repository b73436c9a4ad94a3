package lockfile

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxAround is how much of a long line is looked at on each side of the place, in bytes: far more than is shown, so
	// that a secret is seen whole. A lock file may be one line of many megabytes.
	maxAround = 8 << 10
	// excerptBefore and excerptAfter are how many characters of a long line are shown on each side of the place.
	excerptBefore, excerptAfter = 40, 80
)

// Excerpt is a line of a file as it may be shown: secrets are masked, and a long line is cut around the place.
type Excerpt struct {
	// Text may hold tabs, and whatever else a stranger writes but a line end.
	Text string
	// Caret is how many bytes of Text stand before the place.
	Caret int
}

// ExcerptAt is the line of data at a place. There is none where the file has no such line, or where it cannot be told
// which part of what is shown the place is in. File is not looked at.
func ExcerptAt(data []byte, at Position) (Excerpt, bool) {
	if at.Line < 1 {
		return Excerpt{}, false
	}
	for range at.Line - 1 {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return Excerpt{}, false
		}
		data = data[i+1:]
	}
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		data = data[:i]
	}
	data = bytes.TrimRight(data, "\r")
	place := at.Column - 1
	if at.Column < 1 {
		place = len(data) - len(bytes.TrimLeft(data, " \t"))
	}
	if place > len(data) || len(bytes.TrimSpace(data)) == 0 {
		return Excerpt{}, false
	}
	from, to := boundary(data, place-maxAround), boundary(data, place+maxAround)
	line, place := string(data[from:to]), boundary(data, place)-from
	text := mask(line)
	caret := place
	if !strings.HasPrefix(text, line[:place]) { // something was masked before the place
		head := mask(line[:place])
		if head+mask(line[place:]) != text {
			return Excerpt{}, false
		}
		caret = len(head)
	}
	return cut(text, caret, from > 0, to < len(data)), true
}

// boundary is the begin of the character that holds byte i, within data.
func boundary(data []byte, i int) int {
	i = min(max(i, 0), len(data))
	for n := 0; i > 0 && i < len(data) && n < utf8.UTFMax && !utf8.RuneStart(data[i]); n++ {
		i--
	}
	return i
}

// cut leaves what is near the place; before and after tell whether the line goes on there.
func cut(text string, caret int, before, after bool) Excerpt {
	from, to := caret, caret
	for n := 0; from > 0 && n < excerptBefore; n++ {
		_, size := utf8.DecodeLastRuneInString(text[:from])
		from -= size
	}
	for n := 0; to < len(text) && n < excerptAfter; n++ {
		_, size := utf8.DecodeRuneInString(text[to:])
		to += size
	}
	if !before && !after && utf8.RuneCountInString(text) <= excerptBefore+excerptAfter {
		from, to = 0, len(text)
	}
	e := Excerpt{text[from:to], caret - from}
	if from > 0 || before {
		e.Text, e.Caret = "…"+e.Text, e.Caret+len("…")
	}
	if to < len(text) || after {
		e.Text += "…"
	}
	return e
}

// Fit is the excerpt in no more than columns of a terminal, of which a tab takes up to eight.
func (e Excerpt) Fit(columns int) Excerpt {
	const narrowest, tab = 20, 8
	columns = max(columns, narrowest)
	wide := func(s string) int { return utf8.RuneCountInString(s) + strings.Count(s, "\t")*(tab-1) }
	if wide(e.Text) <= columns {
		return e
	}
	head, tail := e.Text[:e.Caret], e.Text[e.Caret:]
	if wide(head) > columns/3 {
		for wide(head) > columns/3-1 {
			_, size := utf8.DecodeRuneInString(head)
			head = head[size:]
		}
		head = "…" + head
	}
	if wide(head)+wide(tail) > columns {
		for wide(head)+wide(tail) > columns-1 {
			_, size := utf8.DecodeLastRuneInString(tail)
			tail = tail[:len(tail)-size]
		}
		tail += "…"
	}
	return Excerpt{head + tail, len(head)}
}

// Where the files that we read keep secrets. A value ends with its quotes; without quotes it is the rest of the line.
var (
	// //host/:_authToken=, //host/:username=, key= and cert= of npm's files
	npmSecret = regexp.MustCompile(`(//[^\s=]*:[\w-]+\s*=\s*|(?i:(?:^|[\s:])(?:key|cert)\s*=\s*)).+`)
	// _password: "x", NPM_TOKEN=x, "npmAuthIdent": 'x'
	namedSecret = regexp.MustCompile(`(?i)((?:token|secret|passw|passphrase|credential|auth|[_-]key|apikey)[\w-]*["']?\s*[:=]\s*)(?:"(?:[^"\\]|\\.)*(?:"|$)|'[^']*(?:'|$)|[^\s"'{\[>].*)`)
	// "//host/:_authToken" "x" of yarn's, --token x, _auth x
	spacedSecret = regexp.MustCompile(`(?i)((?:["'][^"'\s]*|--?|_|\b)(?:[\w-]*(?:token|secret|password)|_auth)[\w-]*(?:["']\s*|\s+))(?:"(?:[^"\\]|\\.)*(?:"|$)|'[^']*(?:'|$)|[^\s"'{}\[\]:=,]\S*)`)
	// proxy=ci:x@host
	proxySecret = regexp.MustCompile(`(?i)(proxy["']?\s*[:=]\s*["']?)(\w+://)?[^\s"']*@`)
	// //ci:x@host without a scheme
	bareUserinfo = regexp.MustCompile(`(//)[^/?#\s@"']*:[^/?#\s@"']*@`)
	// what shows by its form that it is a secret
	shapedSecret = regexp.MustCompile(`\b(?:gh[oprsu]_|github_pat_|glpat-|npm_|xox[abprs]-|AKIA|eyJ)[\w.-]{16,}`)
	authHeader   = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[\w+/=.~-]{8,}`)
)

// mask hides what may be a secret in a line of any file that a package manager or a CI system reads.
func mask(line string) string {
	line = source.Redact(line)
	line = npmSecret.ReplaceAllString(line, "${1}***")
	line = namedSecret.ReplaceAllString(line, "${1}***")
	line = spacedSecret.ReplaceAllString(line, "${1}***")
	line = proxySecret.ReplaceAllString(line, "${1}${2}***@")
	line = bareUserinfo.ReplaceAllString(line, "${1}***@")
	line = shapedSecret.ReplaceAllString(line, "***")
	return authHeader.ReplaceAllString(line, "${1} ***")
}
