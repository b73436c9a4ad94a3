package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// MaxFile bounds the configuration, in bytes. A list of 5,000 hosts has half of it.
	MaxFile = 256 << 10
	// maxTokens and maxDepth bound the parser, whose time grows with the square of both and whose stack with the second.
	// The table is three levels deep.
	maxTokens = 40_000
	maxDepth  = 16
)

// reader reads one file into a Config by the table, and tells where it stumbles.
type reader struct {
	config   *Config
	settings []Setting
	path     string
	// hidden is true when nothing of the file may be quoted.
	hidden bool
	// holds is what one entry of the file is called.
	holds string
	lines []string
}

func read(c *Config, content []byte, path string, linked bool) error {
	r := &reader{config: c, settings: Settings(), path: path, hidden: linked, holds: "setting"}
	body, err := r.document(content)
	if err != nil || body == nil {
		return err
	}
	return r.mapping("", body)
}

// document parses the one document of the file; nil where there is none.
func (r *reader) document(content []byte) (ast.Node, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	r.lines = strings.Split(string(content), "\n")
	if len(content) > MaxFile {
		return nil, problem.New(problem.Usage, r.path, "remove what is no "+r.holds, "has %d KiB, and at most %d KiB are read", len(content)>>10, MaxFile>>10)
	}
	for i, line := range r.lines {
		if strings.HasPrefix(line, "<<<<<<< ") || strings.HasPrefix(line, ">>>>>>> ") {
			return nil, r.stumble(i+1, 1, 0, "resolve the conflict", "holds a marker of a merge conflict")
		}
		for j, char := range line {
			if char < 0x20 && char != '\t' || char == 0x7f || char == utf8.RuneError && !strings.HasPrefix(line[j:], "\ufffd") {
				return nil, r.stumble(i+1, j+1, 0, "save it as plain text in UTF-8", "holds a control character or a byte that is no UTF-8")
			}
		}
	}
	text := string(content) + "\n" // without a last line end the lexer drops a tag
	tokens := lexer.Tokenize(text)
	if err := r.bound(tokens); err != nil {
		return nil, err
	}
	file, err := parse(text)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			why := ": " + syntax.GetMessage()
			if r.hidden {
				why = ""
			}
			return nil, r.fail(syntax.GetToken(), 0, "correct the spelling, quotes and indentation", "is no valid YAML%s", quoted(why))
		}
		return nil, problem.New(problem.Usage, r.path, "correct the spelling, quotes and indentation", "is no valid YAML")
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body == nil:
			body = doc.Body
		default:
			return nil, r.fail(start(doc.Body), 0, "keep one", "holds more than one document")
		}
	}
	return body, nil
}

// parse turns a panic of the library into an error: the bytes are a stranger's.
func parse(text string) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("not understood")
		}
	}()
	return parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
}

// bound refuses what would keep the parser busy or overflow its stack.
func (r *reader) bound(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return problem.New(problem.Usage, r.path, "remove what is no "+r.holds, "has more than %d words and signs", maxTokens)
	}
	flow, marks, line := 0, 0, 0
	var columns []int // of the lines that enclose this one
	for _, t := range tokens {
		if t.Position.Line != line {
			line, marks = t.Position.Line, 0
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.Column)
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			marks++
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType, token.DirectiveType:
			return r.fail(t, 0, "write the value out", "holds an anchor, an alias, a tag or a directive, which are not read here")
		}
		if flow+marks+len(columns) > maxDepth {
			return r.fail(t, 0, "no "+r.holds+" is deeper than three levels", "is nested deeper than %d levels", maxDepth)
		}
	}
	return nil
}

// mapping reads a mapping whose path in the file is prefix.
func (r *reader) mapping(prefix string, n ast.Node) error {
	pairs, err := r.pairs(prefix, n)
	if err != nil {
		return err
	}
	allowed := r.keys(prefix)
	for _, p := range pairs {
		path := strings.TrimPrefix(prefix+"."+p.key, ".")
		if !slices.Contains(allowed, p.key) {
			return r.fail(p.at, len(p.key), "allowed: "+strings.Join(allowed, ", "), "%s is no key%s", r.quote(p.key), under(prefix))
		}
		if i := slices.IndexFunc(r.settings, func(s Setting) bool { return s.YAML == path }); i >= 0 {
			err = r.setting(r.settings[i], p.at, p.value)
		} else {
			err = r.mapping(path, p.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keys are the keys that the table has directly below prefix.
func (r *reader) keys(prefix string) []string {
	var out []string
	for _, s := range r.settings {
		rest, ok := strings.CutPrefix("."+s.YAML, strings.TrimSuffix("."+prefix, ".")+".")
		key, _, _ := strings.Cut(rest, ".")
		if ok && key != "" && !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

func under(prefix string) string {
	if prefix == "" {
		return " of this file"
	}
	return " of " + prefix
}

type pair struct {
	key   string
	at    *token.Token
	value ast.Node
}

// pairs takes a mapping apart, and refuses keys that are written twice.
func (r *reader) pairs(path string, n ast.Node) ([]pair, error) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		what := cmp.Or(path, "the file")
		return nil, r.fail(start(n), 0, "write `key: value` lines below it", "%s is %s, not a mapping", what, shape(n))
	}
	var out []pair
	lines := map[string]int{}
	for _, v := range values {
		key, ok := text(v.Key)
		at := v.Key.GetToken()
		if !ok {
			return nil, r.fail(at, 0, "write the key as a plain word", "%s has a key that is no plain word", cmp.Or(path, "the file"))
		}
		if first, twice := lines[key]; twice {
			return nil, r.fail(at, len(key), "keep one", "%s is written twice, first in line %d", r.quote(key), first)
		}
		lines[key] = at.Position.Line
		out = append(out, pair{key, at, v.Value})
	}
	return out, nil
}

// setting reads the value of one row of the table.
func (r *reader) setting(s Setting, key *token.Token, n ast.Node) error {
	if s.Kind == Entries {
		return r.credentials(s, key, n)
	}
	if s.Kind == Pairs {
		pairs, err := r.pairs(s.YAML, n)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			v, ok := text(p.value)
			if !ok {
				return r.noValue(s.YAML+"."+p.key, p.at, p.value, s)
			}
			if err := r.apply(s, p.at, []string{p.key, v}, []*token.Token{p.at, p.value.GetToken()}); err != nil {
				return err
			}
		}
		return nil
	}
	seq, isList := n.(*ast.SequenceNode)
	if s.Kind == Rows && isList {
		return r.rows(s, seq)
	}
	v, isText := text(n)
	switch {
	case s.Kind == List && isList:
		texts, tokens := []string{}, []*token.Token{}
		for _, item := range seq.Values {
			t, ok := text(item)
			if !ok {
				return r.fail(start(item), 0, "write plain text for each entry", "%s holds %s", s.YAML, shape(item))
			}
			texts, tokens = append(texts, t), append(tokens, item.GetToken())
		}
		return r.apply(s, key, texts, tokens)
	case s.Kind == List && isText && s.Input:
		return r.apply(s, key, split(v), []*token.Token{n.GetToken()})
	case s.Kind == Text && isText:
		return r.apply(s, key, []string{v}, []*token.Token{n.GetToken()})
	}
	return r.noValue(s.YAML, key, n, s)
}

// rows reads a sequence of mappings, each as keys and values in turn.
func (r *reader) rows(s Setting, seq *ast.SequenceNode) error {
	for _, item := range seq.Values {
		pairs, err := r.pairs("a row of "+s.YAML, item)
		if err != nil {
			return err
		}
		var texts []string
		var tokens []*token.Token
		for _, p := range pairs {
			v, ok := text(p.value)
			if !ok {
				return r.noValue(s.YAML+"."+p.key, p.at, p.value, Setting{Example: "text"})
			}
			texts, tokens = append(texts, p.key, v), append(tokens, p.at, p.value.GetToken())
		}
		if err := r.apply(s, start(item), texts, tokens); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) noValue(name string, key *token.Token, n ast.Node, s Setting) error {
	hint := "write one value, such as " + s.Example
	switch {
	case s.Kind == List || s.Kind == Rows:
		hint = "write a list, such as " + s.Example + ", or remove the key"
	case s.Allowed != nil:
		hint = "allowed: " + strings.Join(s.Allowed, ", ")
	}
	at := start(n)
	if n.Type() == ast.NullType {
		at = key
	}
	return r.fail(at, 0, hint, "%s has %s as its value", r.name(name), shape(n))
}

func (r *reader) apply(s Setting, key *token.Token, texts []string, tokens []*token.Token) error {
	f := s.apply(r.config, texts, fmt.Sprintf("%s:%d", r.path, key.Position.Line))
	if f == nil {
		return nil
	}
	at := key
	if len(tokens) > 0 && !f.whole {
		at = tokens[min(f.item, len(tokens)-1)]
	}
	found := "the value"
	switch {
	case f.whole:
		found = "a row"
	case !s.Secret && f.item < len(texts) && texts[f.item] != "":
		found = r.quote(texts[f.item])
	}
	err := r.fail(at, 0, f.next(r.hidden), "%s: %s %s", s.YAML, found, f.cause(r.hidden || s.Secret))
	if s.Secret {
		err.Excerpt = ""
	}
	return err
}

func (r *reader) quote(s string) string {
	if r.hidden {
		return "what stands there (not shown, since the file is reached by a symbolic link)"
	}
	return quote(s)
}

// name is a path of the file with the reader's own words where the last part is a stranger's.
func (r *reader) name(path string) string {
	if slices.ContainsFunc(r.settings, func(s Setting) bool { return s.YAML == path }) {
		return path
	}
	return r.quote(path)
}

// quoted is a sentence of the YAML library, which holds pieces of the file.
func quoted(s string) string { return source.Plain(source.Redact(s), 200) }

// text is the text of a scalar as written, so that `off` and `10` are words like all others.
func text(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSuffix(n.Value.Value, "\n"), true
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// start is the first token of a node; the library takes the colon for a mapping's.
func start(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}

// shape says what a node is in words.
func shape(n ast.Node) string {
	switch n.Type() {
	case ast.NullType:
		return "nothing"
	case ast.SequenceType:
		return "a list"
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	}
	return "plain text"
}

// fail is a Problem at a token. keep is how many bytes of the token are shown, with nothing behind them (a value behind
// an unknown key may be a secret); 0 shows the whole line.
func (r *reader) fail(t *token.Token, keep int, hint, format string, args ...any) *problem.Problem {
	line, column := r.place(t)
	return r.stumble(line, column, keep, hint, format, args...)
}

// place is where a token begins; the column counts bytes, while the library counts characters.
func (r *reader) place(t *token.Token) (line, column int) {
	line = min(max(t.Position.Line, 1), len(r.lines))
	text, chars := r.lines[line-1], 0
	for i := range text {
		if chars++; chars == t.Position.Column {
			return line, i + 1
		}
	}
	return line, len(text) + 1
}

func (r *reader) stumble(line, column, keep int, hint, format string, args ...any) *problem.Problem {
	p := problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", r.path, line, column), hint, format, args...)
	if !r.hidden {
		p.Excerpt = excerpt(r.lines[line-1], line, column, keep)
	}
	return p
}

var (
	credentials = regexp.MustCompile(`^(\s*(?:- )*(?:[\w-]+:\s+)?).*@`)
	secretWord  = regexp.MustCompile(`(?i)((?:token|secret|passw(?:or)?d|auth)[\w-]*["']?\s*[:=]\s*).*`)
)

// excerpt shows a line with a caret below the column, in the form of the YAML library. What may be a secret is masked;
// the caret then stays within the line.
func excerpt(line string, number, column, keep int) string {
	if end := column - 1 + keep; keep > 0 && end < len(line) {
		line = line[:end] + ": …"
	}
	shown := credentials.ReplaceAllString(source.Redact(line), "${1}***@")
	shown = secretWord.ReplaceAllString(shown, "${1}***")
	before := min(column-1, len(line))
	if !strings.HasPrefix(shown, line[:before]) {
		before = len(shown) - len(strings.TrimLeft(shown, " \t-"))
	}
	mark := fmt.Sprintf(">%3d | ", number)
	shown, head := source.Plain(shown, 160), source.Plain(shown[:before], 160)
	return mark + shown + "\n" + strings.Repeat(" ", len(mark)+min(utf8.RuneCountInString(head), 160)) + "^"
}
