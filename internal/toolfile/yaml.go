package toolfile

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml3 "go.yaml.in/yaml/v3"

	"github.com/org/goproxy-action/internal/source"
)

// hand is a YAML file that people write: comments, anchors and all styles are theirs to choose. What decides is the place
// where a text stands, not YAML's idea of its type.
type hand struct {
	lines  []string
	leaves []Leaf
	// starts are, for a line that is not ASCII alone, where its characters begin.
	starts map[int][]int32
	// steps counts nodes, aliases followed.
	steps int
	err   error
}

// YAML reads one document of a tool, whose name is for the error. What the tools' readers (js-yaml, saphyr) and ours take
// for different things is refused: further documents, and line ends that YAML 1.1 alone knows. The error is a *Fault.
func YAML(data []byte, tool string) ([]Leaf, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	h := &hand{starts: map[int][]int32{}}
	if at, what := Oddity(text); what != "" {
		line, column := 1+strings.Count(text[:at], "\n"), at-strings.LastIndexByte(text[:at], '\n')
		return nil, fault(Place{Line: line, Column: column}, "holds %s, which readers of YAML understand in different ways", what)
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
		return nil, fault(h.position(&further), "begins a second YAML document, which %s does not read", tool)
	case !errors.Is(err, io.EOF):
		return nil, h.syntax(err)
	}
	h.walk(&document, nil, 0)
	return h.leaves, h.err
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n)?\s*(?:line (\d+): )?`)

// syntax takes the line out of the library's words.
func (h *hand) syntax(err error) error {
	said := err.Error()
	m := syntaxLine.FindStringSubmatch(said)
	at := Place{Line: 1, Column: 1}
	if m != nil {
		said = said[len(m[0]):]
		if n, e := strconv.Atoi(m[1]); e == nil {
			at.Line = min(max(n, 1), len(h.lines))
		}
	}
	return fault(at, "is no YAML: %s", source.Plain(source.Redact(said), 160))
}

// position makes bytes of the library's characters. What is missing at the end of the file stands behind its last byte.
func (h *hand) position(n *yaml3.Node) Place {
	at := Place{Line: max(n.Line, 1), Column: max(n.Column, 1)}
	if at.Line > len(h.lines) {
		at.Line, at.Column = len(h.lines), h.maxColumn(len(h.lines))
		return at
	}
	line := h.lines[at.Line-1]
	starts, known := h.starts[at.Line]
	if !known {
		if strings.IndexFunc(line, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
			for i := range line {
				starts = append(starts, int32(i)) //nolint:gosec // a file has a few megabytes at most
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
		h.err = fault(h.position(n), format, args...)
	}
	return false
}

// walk goes through a node, and through what aliases and merge keys put there, as often as they do.
func (h *hand) walk(n *yaml3.Node, path []Key, depth int) bool {
	if h.steps++; h.steps > MaxLeaves {
		return h.fail(n, "holds more than %d settings, or aliases make that many of them", MaxLeaves)
	}
	if depth > MaxNested {
		return h.fail(n, "nests deeper than %d levels, or an alias lies in what it stands for", MaxNested)
	}
	below := func(key string, at Place) []Key {
		return append(slices.Clip(path), Key{key, at})
	}
	switch n.Kind {
	case yaml3.DocumentNode:
		return len(n.Content) == 0 || h.walk(n.Content[0], path, depth)
	case yaml3.AliasNode:
		return h.walk(n.Alias, path, depth+1)
	case yaml3.SequenceNode:
		for i, item := range n.Content {
			if !h.walk(item, below(Index(i), h.position(item)), depth+1) {
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
		h.leaves = append(h.leaves, Leaf{Path: path, Text: n.Value, At: h.position(n)})
		return true
	}
	if len(n.Content) == 0 {
		h.leaves = append(h.leaves, Leaf{Path: path, Empty: true, At: h.position(n)})
	}
	return true
}
