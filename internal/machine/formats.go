package machine

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/org/goproxy-action/internal/toolfile"
)

const (
	// maxDepth bounds how deep a file nests, maxItems what one file may hold.
	maxDepth, maxItems = 20, 20_000
)

func faultAt(line int, format string, args ...any) error {
	return &toolfile.Fault{At: toolfile.Place{Line: max(line, 1), Column: 1}, Text: fmt.Sprintf(format, args...)}
}

// iniLine is one option of a file that Python's configparser reads.
type iniLine struct {
	section, key, value, origin string
	line                        int
}

// parseINI reads pip's files as Python's RawConfigParser does: comments on lines of their own only, a value goes on in
// lines that are indented further than its key. The error is a *toolfile.Fault.
func parseINI(data []byte) ([]iniLine, error) {
	var out []iniLine
	section, indent, number := "", 0, 0
	open := false
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		number++
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		depth := len(line) - len(strings.TrimLeft(line, " \t\f\v"))
		if open && depth > indent {
			if last := &out[len(out)-1]; last.value == "" {
				last.value = text
			} else {
				last.value += "\n" + text
			}
			continue
		}
		indent = depth
		if name, ok := strings.CutPrefix(text, "["); ok {
			end := strings.LastIndexByte(name, ']')
			if end < 1 {
				return nil, faultAt(number, "begins a section that is not closed")
			}
			section, open = name[:end], false
			continue
		}
		i := strings.IndexAny(text, "=:")
		switch {
		case section == "":
			return nil, faultAt(number, "holds a setting before the first section")
		case i < 1:
			return nil, faultAt(number, "is neither a section nor a setting")
		case len(out) >= maxItems:
			return nil, faultAt(number, "is where the file comes to hold more than %d settings", maxItems)
		}
		out = append(out, iniLine{section: section, key: strings.ToLower(strings.TrimSpace(text[:i])), value: strings.TrimSpace(text[i+1:]), line: number})
		open = true
	}
	return out, nil
}

// propertyLine is one line of a file of Java's properties.
type propertyLine struct {
	key, value string
	line       int
}

// parseProperties reads a file of Java's properties as java.util.Properties does; nothing is malformed to it but an
// escape \u, which is left as it stands.
func parseProperties(data []byte) []propertyLine {
	var out []propertyLine
	rows := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data)), "\n")
	for n := 0; n < len(rows) && len(out) < maxItems; n++ {
		first := n
		text := strings.TrimLeft(rows[n], " \t\f")
		if text == "" || text[0] == '#' || text[0] == '!' {
			continue
		}
		var whole strings.Builder
		for {
			slashes := len(text) - len(strings.TrimRight(text, `\`))
			if slashes%2 == 0 || n+1 >= len(rows) {
				break
			}
			whole.WriteString(text[:len(text)-1])
			n++
			text = strings.TrimLeft(rows[n], " \t\f")
		}
		whole.WriteString(text)
		text = whole.String()
		end := 0
		for end < len(text) && strings.IndexByte("=: \t\f", text[end]) < 0 {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(text))
		value := strings.TrimLeft(text[end:], " \t\f")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t\f")
		}
		out = append(out, propertyLine{unescapeJava(text[:end]), unescapeJava(value), first + 1})
	}
	return out
}

func unescapeJava(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+5 <= len(text) {
				if n, err := strconv.ParseUint(text[i+1:i+5], 16, 16); err == nil {
					b.WriteRune(rune(n))
					i += 4
					continue
				}
			}
			b.WriteString(`\u`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// parseJSON reads a JSON document with the lines of its texts. The error is a *toolfile.Fault.
func parseJSON(data []byte) ([]toolfile.Leaf, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var (
		out     []toolfile.Leaf
		counted int64
		number  = 1
	)
	line := func() int { // of what was read last; it only goes on
		if at := min(d.InputOffset(), int64(len(data))); at > counted {
			number += bytes.Count(data[counted:at], []byte("\n"))
			counted = at
		}
		return number
	}
	var walk func(path []toolfile.Key) error
	walk = func(path []toolfile.Key) error {
		if len(path) > maxDepth {
			return faultAt(line(), "nests deeper than %d levels", maxDepth)
		}
		if len(out) >= maxItems {
			return faultAt(line(), "holds more than %d settings", maxItems)
		}
		token, err := d.Token()
		if err != nil {
			return err
		}
		at := toolfile.Place{Line: line(), Column: 1}
		switch token {
		case json.Delim('{'), json.Delim('['):
			for i := 0; d.More(); i++ {
				key := toolfile.Key{Text: toolfile.Index(i), At: at}
				if token == json.Delim('{') {
					name, err := d.Token()
					if err != nil {
						return err
					}
					key.Text, _ = name.(string)
				}
				if err := walk(append(slices.Clip(path), key)); err != nil {
					return err
				}
			}
			_, err = d.Token()
			return err
		}
		if text, ok := token.(string); ok {
			out = append(out, toolfile.Leaf{Path: path, Text: text, At: at})
		}
		return nil
	}
	err := walk(nil)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more")
		}
	}
	if _, ok := errors.AsType[*toolfile.Fault](err); err != nil && !ok { // the library's words would quote the file
		return nil, faultAt(line(), "is no JSON")
	}
	return out, err
}

// mavenProxy is one proxy of a settings.xml; the texts are as they stand.
type mavenProxy struct {
	id, protocol, host, port, username, password, exempt, origin string
	active                                                       bool
	line                                                         int
}

// parseMaven reads the proxies of a settings.xml. A document type is refused, and with it all entities but XML's own. The
// error is a *toolfile.Fault.
func parseMaven(data []byte) ([]mavenProxy, error) {
	var out []mavenProxy
	err := walkXML(data, false, func(path []string, text string, line int) error {
		if len(path) < 3 || path[0] != "settings" || path[1] != "proxies" || path[2] != "proxy" || len(path) > 4 {
			return nil
		}
		if len(path) == 3 {
			if text != "" { // its end
				return nil
			}
			if len(out) >= maxItems {
				return faultAt(line, "holds more than %d proxies", maxItems)
			}
			out = append(out, mavenProxy{id: "default", protocol: "http", port: "8080", active: true, line: line})
			return nil
		}
		p := &out[len(out)-1]
		text = strings.TrimSpace(text)
		switch path[3] {
		case "id":
			p.id = text
		case "active":
			p.active = strings.EqualFold(text, "true")
		case "protocol":
			p.protocol = text
		case "host":
			p.host, p.line = text, line
		case "port":
			p.port = text
		case "username":
			p.username = text
		case "password":
			p.password = text
		case "nonProxyHosts":
			p.exempt = text
		}
		return nil
	})
	return out, err
}

// walkXML calls visit at the begin of each element with an empty text, and at its end, where it has no elements in it,
// with its text, if that is not empty. line is where the element begins. doctype allows one without declarations in it.
func walkXML(data []byte, doctype bool, visit func(path []string, text string, line int) error) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	type element struct {
		line int
		text strings.Builder
		full bool
	}
	var path []string
	var open []*element
	items, roots := 0, 0
	for {
		line, _ := d.InputPos()
		token, err := d.Token()
		if errors.Is(err, io.EOF) && roots > 0 {
			return nil
		}
		if err != nil { // the library's words would quote the file
			return faultAt(line, "is no XML that can be read")
		}
		switch t := token.(type) {
		case xml.Directive:
			if !doctype || !bytes.HasPrefix(t, []byte("DOCTYPE")) || bytes.ContainsAny(t, "[<") {
				return faultAt(line, "declares a document type, which is not read")
			}
		case xml.StartElement:
			if items++; items > maxItems || len(path) >= maxDepth {
				return faultAt(line, "holds more than %d elements, or nests deeper than %d", maxItems, maxDepth)
			}
			if len(path) == 0 {
				roots++
			} else {
				open[len(open)-1].full = true
			}
			path, open = append(path, t.Name.Local), append(open, &element{line: line})
			if err := visit(path, "", line); err != nil {
				return err
			}
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(t)
			}
		case xml.EndElement:
			last := open[len(open)-1]
			if text := last.text.String(); !last.full && text != "" {
				if err := visit(path, text, last.line); err != nil {
					return err
				}
			}
			path, open = path[:len(path)-1], open[:len(open)-1]
		}
	}
}

// parsePlist reads a property list of macOS in XML; true and false are 1 and 0. The error is a *toolfile.Fault.
func parsePlist(data []byte) ([]toolfile.Leaf, error) {
	if bytes.HasPrefix(data, []byte("bplist")) {
		return nil, faultAt(1, "is a binary property list, which is not read (plutil -p shows it)")
	}
	type frame struct {
		kind, key string
		n         int
	}
	var out []toolfile.Leaf
	var frames []frame
	where := func() []toolfile.Key {
		var keys []toolfile.Key
		for _, f := range frames {
			switch f.kind {
			case "dict":
				keys = append(keys, toolfile.Key{Text: f.key})
			case "array":
				keys = append(keys, toolfile.Key{Text: toolfile.Index(f.n - 1)})
			}
		}
		return keys
	}
	err := walkXML(data, true, func(path []string, text string, line int) error {
		// frames holds the containers that are open: those of path without its last part
		frames = frames[:min(len(frames), len(path)-1)]
		kind := path[len(path)-1]
		parent := len(frames) - 1
		if text == "" {
			if parent >= 0 && frames[parent].kind == "array" {
				frames[parent].n++
			}
			if kind == "true" || kind == "false" {
				out = append(out, toolfile.Leaf{Path: where(), Text: map[string]string{"true": "1", "false": "0"}[kind], At: toolfile.Place{Line: line, Column: 1}})
			}
			frames = append(frames, frame{kind: kind})
			return nil
		}
		switch kind {
		case "key":
			if parent >= 0 {
				frames[parent].key = strings.TrimSpace(text)
			}
		case "string", "integer":
			out = append(out, toolfile.Leaf{Path: where(), Text: strings.TrimSpace(text), At: toolfile.Place{Line: line, Column: 1}})
		}
		return nil
	})
	return out, err
}

// aptLine is one setting of apt. clear takes the settings of that name and below it back.
type aptLine struct {
	key, value string
	clear      bool
	line       int
}

// parseApt reads apt's format (apt.conf(5)): names with ::, blocks in braces, three kinds of comments. Where something
// cannot be understood the settings before it are returned with the error, a *toolfile.Fault.
func parseApt(data []byte) ([]aptLine, error) {
	var (
		out    []aptLine
		scopes []string
		words  []string
		line   = 1
		first  int
		text   = string(data)
	)
	name := func(word string) string {
		return strings.Join(append(slices.Clone(scopes), word), "::")
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case strings.HasPrefix(text[i:], "//") || c == '#' && !strings.HasPrefix(text[i:], "#clear") && !strings.HasPrefix(text[i:], "#include"):
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(text)
			}
		case strings.HasPrefix(text[i:], "/*"):
			n := strings.Index(text[i:], "*/")
			if n < 0 {
				return out, faultAt(line, "begins a comment that does not end")
			}
			line += strings.Count(text[i:i+n], "\n")
			i += n + 2
		case c == '"':
			n := strings.IndexByte(text[i+1:], '"')
			if n < 0 {
				return out, faultAt(line, "begins a text in quotes that does not end")
			}
			if len(words) == 0 {
				first = line
			}
			words = append(words, text[i+1:i+1+n])
			line += strings.Count(text[i:i+n+2], "\n")
			i += n + 2
		case c == '{':
			if len(words) == 0 || len(scopes) >= maxDepth {
				return out, faultAt(line, "begins a block without a name, or nests deeper than %d levels", maxDepth)
			}
			if len(words) > 1 {
				out = append(out, aptLine{key: name(words[0]), value: words[1], line: first})
			}
			scopes, words = append(scopes, words[0]), nil
			i++
		case c == '}':
			if len(scopes) == 0 {
				return out, faultAt(line, "ends a block that was not begun")
			}
			scopes, words = scopes[:len(scopes)-1], nil
			i++
		case c == ';':
			if len(out) >= maxItems {
				return out, faultAt(line, "is where the file comes to hold more than %d settings", maxItems)
			}
			switch {
			case len(words) > 1 && words[0] == "#clear":
				for _, word := range words[1:] {
					out = append(out, aptLine{key: name(word), clear: true, line: first})
				}
			case len(words) > 1 && words[0] == "#include":
				return out, faultAt(first, "includes another file, which is not read")
			case len(words) > 1:
				out = append(out, aptLine{key: name(words[0]), value: words[1], line: first})
			}
			words = nil
			i++
		default:
			n := strings.IndexAny(text[i:], " \t\r\n\"{};")
			if n < 0 {
				n = len(text) - i
			}
			if len(words) == 0 {
				first = line
			}
			words = append(words, text[i:i+n])
			i += n
		}
	}
	if len(words) > 0 || len(scopes) > 0 {
		return out, faultAt(line, "ends within a setting or a block")
	}
	return out, nil
}
