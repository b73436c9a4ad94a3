package npm

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// yarnLockHeader is what makes yarn 2 to 4 read a .yarnrc.yml as they read a yarn.lock of yarn 1.
var yarnLockHeader = regexp.MustCompile(`(?i)^(?:#.*(?:\r?\n))*?#\s+yarn\s+lockfile\s+v1\r?\n`)

// berryValues are the settings of a .yarnrc.yml, of which yarn 1 obeys yarnPath, too.
func (s *settings) berryValues(file lockfile.File) ([]value, error) {
	if yarnLockHeader.Match(file.Data) {
		return nil, badSettings(file, lockfile.Position{Line: 1, Column: 1}, "yarn", "begins like a yarn.lock, and yarn then reads it as no YAML")
	}
	leaves, err := yamlLeaves(file, "yarn")
	if err != nil {
		return nil, err
	}
	leaves = unwrapped(leaves)
	specs := map[string]leaf{} // of plugins, by the item
	checked := map[string]bool{}
	for _, l := range leaves {
		switch {
		case match("plugins.[].spec", l.path):
			specs[l.path[1].text] = l
		case match("plugins.[].checksum", l.path):
			checked[l.path[1].text] = l.text != ""
		}
	}
	var out []value
	for _, l := range leaves {
		m, known := lookUp(berry, l.path)
		if !known {
			continue
		}
		before := len(out)
		switch name := l.name(); name {
		case "unsafeHttpWhitelist", "npmPreapprovedPackages", "approvedGitRepositories", "injectEnvironmentFiles":
			for part := range strings.SplitSeq(l.text, ",") { // yarn takes a text for a list
				one := l
				one.text = part
				out = s.put(out, one, name, m, "yarn")
			}
		default:
			out = s.put(out, l, name, m, "yarn")
		}
		for i := before; i < len(out); i++ {
			v := &out[i]
			v.main = v.name == "npmRegistryServer"
			if v.name == "plugins" || v.name == "plugins.path" {
				v.name = "plugins"
				if spec := specs[l.path[1].text]; v.sum == "none" && isHTTP(spec.text) {
					switch {
					case strings.HasPrefix(spec.text, "http:"):
						v.fault = "starts what yarn downloads without TLS"
					case !checked[l.path[1].text]:
						v.fault = "starts what yarn downloads, without a checksum"
					}
				}
			}
		}
	}
	return out, nil
}

// lookUp finds what a path means.
func lookUp(table map[string]meaning, path []field) (meaning, bool) {
	m, known := table[leaf{path: path}.name()]
	if known && !anyIndex(path) {
		return m, true
	}
	first := path
	if len(path) > 0 {
		first = path[:1]
	}
	for pattern, m := range table {
		if len(first) > 0 && strings.HasPrefix(pattern, first[0].text) && match(pattern, path) {
			return m, true
		}
	}
	return meaning{}, false
}

func anyIndex(path []field) bool {
	for _, key := range path {
		if isIndex(key.text) {
			return true
		}
	}
	return false
}

// unwrapped undoes what yarn 4 takes for a value: {onConflict: reset, value: …}.
func unwrapped(leaves []leaf) []leaf {
	wrapped := map[string]bool{}
	join := func(path []field) string {
		var b strings.Builder
		for _, key := range path {
			fmt.Fprintf(&b, "%q.", key.text)
		}
		return b.String()
	}
	for _, l := range leaves {
		if n := len(l.path) - 1; n >= 0 && l.path[n].text == "onConflict" {
			wrapped[join(l.path[:n])] = true
		}
	}
	if len(wrapped) == 0 {
		return leaves
	}
	out := leaves[:0]
	for _, l := range leaves {
		var path []field
		for i, key := range l.path {
			if key.text != "value" || !wrapped[join(l.path[:i])] {
				path = append(path, key)
			}
		}
		l.path = path
		out = append(out, l)
	}
	return out
}

// classicValues are the settings of a .yarnrc, which yarn reads as YAML where it cannot read it as its own format. A name
// may be an option of the command line, for one command or for all: --install.ignore-scripts.
func (s *settings) classicValues(file lockfile.File) ([]value, error) {
	leaves, err := classicLeaves(file)
	if err != nil {
		if asYAML, e := yamlLeaves(file, "yarn"); e == nil && !slices.ContainsFunc(asYAML, func(l leaf) bool { return len(l.path) == 0 }) {
			leaves, err = asYAML, nil
		}
	}
	if err != nil {
		return nil, err
	}
	var out []value
	for _, l := range leaves {
		name := l.name()
		plainName := option.ReplaceAllString(name, "")
		m, known := classic[plainName]
		if !known {
			if found := meaningOf(plainName); found != nil {
				m, known = *found, true
			}
		}
		if !known {
			continue
		}
		before := len(out)
		out = s.put(out, l, plainName, m, "yarn")
		for i := before; i < len(out); i++ {
			v := &out[i]
			v.main, v.name = plainName == "registry", name
			if m.kind == aboutFile {
				v.fault = s.led(v.text, path.Dir(file.Path), plainName)
			}
		}
	}
	return out, nil
}

var option = regexp.MustCompile(`^--(?:[a-z*-]+\.)?`)

// led says what is wrong with a directory or file that yarn 1 is sent to.
func (s *settings) led(text, dir, name string) string {
	slashed := strings.ReplaceAll(text, `\`, "/")
	to := path.Join(dir, slashed)
	if text == "" || !strings.HasPrefix(slashed, "/") && filepath.IsLocal(filepath.FromSlash(to)) && name != "use-yarnrc" {
		return "" // what lies in the checkout is judged there
	}
	if name == "lockfile-folder" {
		return "makes yarn obey another lock file, which was not read"
	}
	return "sends yarn to another file for its settings, which was not read"
}

// classicLeaves reads yarn 1's own format as its reader does: it goes from token to token, lines counting for blocks
// alone, so that two settings may stand on one line.
func classicLeaves(file lockfile.File) ([]leaf, error) {
	c := &classicReader{file: file, text: strings.TrimPrefix(string(file.Data), "\ufeff"), line: 1}
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

type classicReader struct {
	file lockfile.File
	text string
	// i is behind the token, on the line that begins at bol.
	i, line, bol int
	kind         tokenKind
	token        field
	indent       int
	lastLine     bool
	leaves       []leaf
	err          error
}

func (c *classicReader) fail(format string, args ...any) {
	if c.err == nil {
		c.err = badSettings(c.file, c.token.at, "yarn", format, args...)
	}
}

// next reads one token; comments are none.
func (c *classicReader) next() {
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
	c.kind, c.token.at = tokenEnd, lockfile.Position{File: c.file.Path, Line: c.line, Column: c.i - c.bol + 1}
}

func (c *classicReader) read(rest string) {
	c.token = field{at: lockfile.Position{File: c.file.Path, Line: c.line, Column: c.i - c.bol + 1}}
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
		c.kind, c.token.text = tokenWord, rest[:n]
	case strings.HasPrefix(rest, "true"):
		n, c.kind, c.token.text = 4, tokenWord, "true"
	case strings.HasPrefix(rest, "false"):
		n, c.kind, c.token.text = 5, tokenWord, "false"
	case first == ':':
		c.kind, c.token.text = tokenColon, ":"
	case first == ',':
		c.kind, c.token.text = tokenComma, ","
	case first|0x20 >= 'a' && first|0x20 <= 'z' || first == '/' || first == '.' || first == '-':
		if n = strings.IndexAny(rest, ": \n\r,"); n < 0 {
			n = len(rest)
		}
		c.kind, c.token.text = tokenText, rest[:n]
	default:
		c.kind = tokenBad
	}
	if c.kind == tokenBad {
		r, _ := utf8.DecodeRuneInString(rest)
		c.fail("holds %s where yarn wants a setting", source.Plain(fmt.Sprintf("%q", r), 20))
	}
	c.i += n
}

// quoted finds the end of a text in quotes as yarn does, which looks for a backslash and no second one before the quote.
func (c *classicReader) quoted(rest string) int {
	n := 1
	for ; n < len(rest); n++ {
		if rest[n] == '"' && !(rest[n-1] == '\\' && (n < 2 || rest[n-2] != '\\')) {
			n++
			break
		}
	}
	c.kind = tokenText
	if json.Unmarshal([]byte(rest[:n]), &c.token.text) != nil {
		c.kind = tokenBad
	}
	return n
}

// object reads one block.
func (c *classicReader) object(indent int, path []field) {
	if indent > maxNested {
		c.fail("nests deeper than %d levels", maxNested)
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
			c.fail("holds %q where yarn wants a setting", source.Plain(source.Redact(c.token.text), 40))
		}
	}
}

// pair reads keys and what they are set to. It is false at the end of the block.
func (c *classicReader) pair(indent int, path []field) bool {
	keys := []field{c.token}
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
	below := func(key field) []field { return append(slices.Clip(path), key) }
	switch {
	case c.err != nil:
		return false
	case c.kind == tokenText || c.kind == tokenWord:
		for _, key := range keys {
			if len(c.leaves) >= maxLeaves {
				c.fail("holds more than %d settings", maxLeaves)
				return false
			}
			c.leaves = append(c.leaves, leaf{path: below(key), text: c.token.text, at: c.token.at})
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
			if len(c.leaves) >= maxLeaves {
				c.fail("holds more than %d settings", maxLeaves)
				return false
			}
			again := append([]field(nil), l.path...)
			again[len(path)] = key
			c.leaves = append(c.leaves, leaf{path: again, text: l.text, at: l.at})
		}
	}
	return indent == 0 || c.kind == tokenIndent
}
