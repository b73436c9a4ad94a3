package npm

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml3 "go.yaml.in/yaml/v3"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxHand bounds a settings file of yarn, pnpm or bun. A pnpm-workspace.yaml with a catalog of 2000 packages has 80 KB.
	maxHand = 1 << 20
	// maxLeaves bounds what such a file holds, aliases followed.
	maxLeaves = 50_000
	// maxNested bounds how deep it nests.
	maxNested = 20
)

// leaf is one text of a settings file, or an empty mapping or list.
type leaf struct {
	// path are the keys that lead to it, those of a list's items being [0], [1] and so on.
	path []field
	text string
	// empty is true for a mapping or list without content, which has no text.
	empty bool
	at    lockfile.Position
}

// name is the path as people write it: the items of a list have the list's name.
func (l leaf) name() string {
	var b strings.Builder
	for _, key := range l.path {
		if isIndex(key.text) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(key.text)
	}
	return b.String()
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }

func isIndex(key string) bool {
	return len(key) > 2 && key[0] == '[' && key[len(key)-1] == ']' && strings.Trim(key[1:len(key)-1], "0123456789") == ""
}

// match tells whether a pattern like "npmScopes.*.npmRegistryServer" means the path: * is any key, [] any item.
func match(pattern string, path []field) bool {
	n := 0
	for part := range strings.SplitSeq(pattern, ".") {
		if n == len(path) || part != path[n].text && !(part == "*" && !isIndex(path[n].text)) && !(part == "[]" && isIndex(path[n].text)) {
			return false
		}
		n++
	}
	return n == len(path)
}

// badSettings says what is wrong with a settings file. Of one that was reached through a link nothing is shown.
func badSettings(file lockfile.File, at lockfile.Position, tool, format string, args ...any) error {
	if file.Linked {
		format, args = "is no settings file of %s (what stands behind a link is not shown)", []any{tool}
	}
	return problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(file.Path, 200), max(at.Line, 1), max(at.Column, 1)),
		"write it so that "+tool+" and this program read the same, or remove it", format, args...)
}

// hand is a YAML file that people write: comments, anchors and all styles are theirs to choose. What decides is the place
// where a text stands, not YAML's idea of its type.
type hand struct {
	file   lockfile.File
	tool   string
	lines  []string
	leaves []leaf
	// starts are, for a line that is not ASCII alone, where its characters begin.
	starts map[int][]int32
	// steps counts nodes, aliases followed.
	steps int
	err   error
}

// yamlLeaves reads one YAML document. What the tools' readers (js-yaml, saphyr) and ours take for different things is
// refused: further documents, and line ends that YAML 1.1 alone knows. The error is a *problem.Problem of code Usage.
func yamlLeaves(file lockfile.File, tool string) ([]leaf, error) {
	text := strings.TrimPrefix(string(file.Data), "\ufeff")
	h := &hand{file: file, tool: tool, starts: map[int][]int32{}}
	if at, what := oddities(text); what != "" {
		line, column := 1+strings.Count(text[:at], "\n"), at-strings.LastIndexByte(text[:at], '\n')
		return nil, badSettings(file, lockfile.Position{Line: line, Column: column}, tool, "holds %s, which readers of YAML understand in different ways", what)
	}
	h.lines = strings.Split(text, "\n")
	decoder := yaml3.NewDecoder(strings.NewReader(text))
	var document, further yaml3.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, h.syntax(err)
	}
	switch err := decoder.Decode(&further); {
	case err == nil:
		return nil, badSettings(file, h.position(&further), tool, "begins a second YAML document, which %s does not read", tool)
	case !errors.Is(err, io.EOF):
		return nil, h.syntax(err)
	}
	h.walk(&document, nil, 0)
	return h.leaves, h.err
}

// oddities finds what is a line's end, or an end of all, to some readers only.
func oddities(text string) (at int, what string) {
	if !utf8.ValidString(text) {
		for i, r := range text {
			if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
				return i, "a byte that is no UTF-8"
			}
		}
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r == 0 || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return i, fmt.Sprintf("the character %U", r)
	}
	if i := loneReturn(text); i >= 0 {
		return i, "a carriage return that ends no line"
	}
	return 0, ""
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n)?\s*(?:line (\d+): )?`)

// syntax takes the line out of the library's words.
func (h *hand) syntax(err error) error {
	said := err.Error()
	m := syntaxLine.FindStringSubmatch(said)
	at := lockfile.Position{Line: 1, Column: 1}
	if m != nil {
		said = said[len(m[0]):]
		if n, e := strconv.Atoi(m[1]); e == nil {
			at.Line = min(max(n, 1), len(h.lines))
		}
	}
	return badSettings(h.file, at, h.tool, "is no YAML: %s", source.Plain(source.Redact(said), 160))
}

// position makes bytes of the library's characters. What is missing at the end of the file stands behind its last byte.
func (h *hand) position(n *yaml3.Node) lockfile.Position {
	at := lockfile.Position{File: h.file.Path, Line: max(n.Line, 1), Column: max(n.Column, 1)}
	if at.Line > len(h.lines) {
		at.Line, at.Column = len(h.lines), h.maxColumn(len(h.lines))
		return at
	}
	line := h.lines[at.Line-1]
	starts, known := h.starts[at.Line]
	if !known {
		if strings.IndexFunc(line, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
			for i := range line {
				starts = append(starts, int32(i)) //nolint:gosec // a file has at most maxHand bytes
			}
		}
		h.starts[at.Line] = starts
	}
	if at.Column <= len(starts) {
		at.Column = int(starts[at.Column-1]) + 1
	}
	at.Column = min(at.Column, h.maxColumn(at.Line))
	return at
}

func (h *hand) maxColumn(line int) int { return len(h.lines[line-1]) + 1 }

func (h *hand) fail(n *yaml3.Node, format string, args ...any) bool {
	if h.err == nil {
		h.err = badSettings(h.file, h.position(n), h.tool, format, args...)
	}
	return false
}

// walk goes through a node, and through what aliases and merge keys put there, as often as they do.
func (h *hand) walk(n *yaml3.Node, path []field, depth int) bool {
	if h.steps++; h.steps > maxLeaves {
		return h.fail(n, "holds more than %d settings, or aliases make that many of them", maxLeaves)
	}
	if depth > maxNested {
		return h.fail(n, "nests deeper than %d levels, or an alias lies in what it stands for", maxNested)
	}
	below := func(key string, at lockfile.Position) []field {
		return append(slices.Clip(path), field{key, at})
	}
	switch n.Kind {
	case yaml3.DocumentNode:
		return len(n.Content) == 0 || h.walk(n.Content[0], path, depth)
	case yaml3.AliasNode:
		return h.walk(n.Alias, path, depth+1)
	case yaml3.SequenceNode:
		for i, item := range n.Content {
			if !h.walk(item, below(index(i), h.position(item)), depth+1) {
				return false
			}
		}
	case yaml3.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, at := n.Content[i], h.position(n.Content[i])
			if key.Kind == yaml3.AliasNode {
				key = key.Alias
			}
			inner := path
			switch {
			case key.Kind != yaml3.ScalarNode:
				return h.fail(n.Content[i], "holds a key that is no text")
			case key.Value != "<<":
				inner = below(key.Value, at)
			case n.Content[i+1].Kind == yaml3.SequenceNode: // of mappings to merge
				for _, item := range n.Content[i+1].Content {
					if !h.walk(item, path, depth+1) {
						return false
					}
				}
				continue
			}
			if !h.walk(n.Content[i+1], inner, depth+1) {
				return false
			}
		}
	default:
		h.leaves = append(h.leaves, leaf{path: path, text: n.Value, at: h.position(n)})
		return true
	}
	if len(n.Content) == 0 {
		h.leaves = append(h.leaves, leaf{path: path, empty: true, at: h.position(n)})
	}
	return true
}
