package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// indexFile lies in the bundle beside the default rules, and is made from them (go test ./internal/decide -update).
const indexFile = "index.json"

// rulebook is the default rules in clauses, each with what it cannot do without. Most of what they look for is nowhere in
// an honest repository: a rule over all replace directives finds nothing where there is none. Such a clause is neither
// parsed nor compiled, which is what an engine spends its time on. What is left out is decided by the input alone, and
// by the meaning of the language: a body holds only where all its expressions are defined and none is false.
type rulebook struct {
	files    []*ruleFile
	names    map[string][]*clause // by goproxy.GROUP.RULE
	document map[string]any
}

// ruleFile is one file of the default rules.
type ruleFile struct {
	Path string `json:"path"`
	// Sum is the SHA-256 of the file that all this was read from.
	Sum string `json:"sum"`
	// Head is the package and the imports.
	Head []span `json:"head"`
	// Rules are told by its METADATA.
	Rules   []Rule    `json:"rules"`
	Clauses []*clause `json:"clauses"`

	text string
}

// span is a part of a file, in bytes.
type span [2]int

// clause is one definition of a rule, with its else.
type clause struct {
	Name string `json:"name"`
	Text span   `json:"text"`
	// Set is true for a rule that adds to a set.
	Set bool `json:"set,omitempty"`
	// Needs are the conditions without which it is undefined, or adds nothing to its set; Members are those without which
	// its value, a comprehension, is empty.
	Needs   []condition `json:"needs,omitempty"`
	Members []condition `json:"members,omitempty"`
	// Same is what its value is another name of: a part of the input.
	Same string `json:"same,omitempty"`
	// Uses are names of rules that stand anywhere in it.
	Uses []string `json:"uses,omitempty"`

	file *ruleFile
}

// condition is that something is there, in JSON as "input.go.replaces[]" or "data.goproxy.direct_denied!".
type condition struct {
	path string // with input or data in front
	// inside is true where something in it is asked for, so that an empty one is as good as none.
	inside bool
	// holds is true where false will not do either.
	holds bool
}

func (c condition) MarshalText() ([]byte, error) {
	return []byte(c.path + map[bool]string{true: "[]"}[c.inside] + map[bool]string{true: "!"}[c.holds]), nil
}

func (c *condition) UnmarshalText(text []byte) error {
	c.path = string(text)
	c.path, c.holds = strings.CutSuffix(c.path, "!")
	c.path, c.inside = strings.CutSuffix(c.path, "[]")
	return nil
}

// state of what a condition is about.
type state int

const (
	filled state = iota
	untrue
	empty
	absent
)

func (c condition) met(s state) bool {
	return s == filled || s == untrue && !c.holds || s == empty && !c.inside
}

// readRules reads the default rules: from the index, as long as it was made from the very files that are there.
func readRules(bundle fs.FS) (*rulebook, error) {
	texts, err := ruleTexts(bundle)
	if err != nil {
		return nil, err
	}
	b := &rulebook{names: map[string][]*clause{}}
	index, err := fs.ReadFile(bundle, indexFile)
	if err != nil || json.Unmarshal(index, &b.files) != nil || !b.made(texts) {
		if b.files, err = indexRules(texts); err != nil {
			return nil, err
		}
	}
	for _, f := range b.files {
		f.text = texts[f.Path]
		for _, c := range f.Clauses {
			c.file = f
			b.names[c.Name] = append(b.names[c.Name], c)
		}
	}
	return b, nil
}

// ruleTexts are the files of the default rules, without their tests.
func ruleTexts(bundle fs.FS) (map[string]string, error) {
	texts := map[string]string{}
	err := fs.WalkDir(bundle, reserved, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".rego") || isTest(path) {
			return err
		}
		text, err := fs.ReadFile(bundle, path)
		texts[path] = string(text)
		return err
	})
	return texts, err
}

// made tells whether the index was made from these files.
func (b *rulebook) made(texts map[string]string) bool {
	return len(b.files) == len(texts) && !slices.ContainsFunc(b.files, func(f *ruleFile) bool { return f.Sum != sumOf(texts[f.Path]) })
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// sets are those that the default rules add to.
func (b *rulebook) sets() []set {
	var out []set
	for name := range b.names {
		if space, ok := strings.CutSuffix(name, "."+finding); ok {
			ref := ast.DefaultRootRef.Copy()
			for part := range strings.SplitSeq(name, ".") {
				ref = ref.Append(ast.StringTerm(part))
			}
			out = append(out, set{ref: ref, namespace: space, name: finding})
		}
	}
	return out
}

// needed are the clauses that can find something in an input, and those that they use; all for nil.
func (b *rulebook) needed(sets []set, input ast.Value) map[*clause]bool {
	out := map[*clause]bool{}
	view := view{b, input, map[string]state{}}
	var queue []string
	for _, s := range sets {
		queue = append(queue, s.namespace+"."+s.name)
	}
	asked := len(queue)
	seen := map[string]bool{}
	for i := 0; i < len(queue); i++ {
		if seen[queue[i]] {
			continue
		}
		seen[queue[i]] = true
		clauses := b.names[queue[i]]
		live := slices.DeleteFunc(slices.Clone(clauses), func(c *clause) bool { return !view.all(c.Needs) })
		if len(live) == 0 && i >= asked {
			live = clauses // what names it has to find it
		}
		for _, c := range live {
			out[c] = true
			queue = append(queue, c.Uses...)
		}
	}
	return out
}

// parse parses clauses, and nothing else of their files. Each stays at its line.
func (b *rulebook) parse(clauses map[*clause]bool) (map[string]*ast.Module, error) {
	parsed, faults := make([]*ast.Module, len(b.files)), make([]error, len(b.files))
	var wait sync.WaitGroup
	for i, f := range b.files {
		spans := slices.Clone(f.Head)
		for _, c := range f.Clauses {
			if clauses[c] {
				spans = append(spans, c.Text)
			}
		}
		if len(spans) > len(f.Head) {
			wait.Go(func() {
				parsed[i], faults[i] = ast.ParseModuleWithOpts(f.Path, f.cut(spans), ast.ParserOptions{RegoVersion: ast.RegoV1})
			})
		}
	}
	wait.Wait()
	modules := map[string]*ast.Module{}
	for i, f := range b.files {
		if faults[i] != nil {
			return nil, faults[i]
		}
		if parsed[i] != nil {
			modules[f.Path] = parsed[i]
		}
	}
	return modules, nil
}

// cut is the file with empty lines in the place of all but some parts of it, which begin lines.
func (f *ruleFile) cut(parts []span) string {
	var out strings.Builder
	at := 0
	for _, p := range parts {
		out.WriteString(strings.Repeat("\n", strings.Count(f.text[at:p[0]], "\n")))
		out.WriteString(f.text[p[0]:p[1]])
		at = p[1]
	}
	return out.String()
}

// view is the rules on one input.
type view struct {
	*rulebook
	input ast.Value
	known map[string]state // by path
}

func (v view) all(needs []condition) bool {
	return v.input == nil || !slices.ContainsFunc(needs, func(c condition) bool { return !c.met(v.state(c.path)) })
}

func (v view) state(path string) state {
	s, ok := v.known[path]
	if !ok {
		s = v.find(path)
		v.known[path] = s
	}
	return s
}

func (v view) find(path string) state {
	root, rest, _ := strings.Cut(path, ".")
	if root == "input" {
		return stateOf(v.input, rest)
	}
	for name := rest; ; name = name[:strings.LastIndexByte(name, '.')] {
		if clauses := v.names[name]; clauses != nil {
			s := v.ofRule(clauses)
			if below, ok := strings.CutPrefix(rest, name+"."); ok && s == filled && len(clauses) == 1 && clauses[0].Same != "" {
				return v.state(clauses[0].Same + "." + below)
			}
			return s
		}
		if !strings.Contains(name, ".") {
			break
		}
	}
	for name := range v.names { // a group as a whole
		if strings.HasPrefix(name, rest+".") || strings.HasPrefix(rest, name[:strings.LastIndexByte(name, '.')+1]) {
			return filled
		}
	}
	return dataState(v.document, rest)
}

// ofRule is the state of a rule: a set is empty where nothing adds to it, and all else is absent where nothing defines it.
func (v view) ofRule(clauses []*clause) state {
	out := absent
	if clauses[0].Set {
		out = empty
	}
	for _, c := range clauses {
		if !v.all(c.Needs) {
			continue
		}
		if v.all(c.Members) {
			return filled
		}
		out = empty
	}
	return out
}

func stateOf(value ast.Value, path string) state {
	for part := range strings.SplitSeq(path, ".") {
		o, ok := value.(ast.Object)
		if !ok {
			return absent
		}
		t := o.Get(ast.StringTerm(part))
		if t == nil {
			return absent
		}
		value = t.Value
	}
	n := 1
	switch v := value.(type) {
	case ast.Boolean:
		if !v {
			return untrue
		}
	case ast.Null:
		n = 0
	case *ast.Array:
		n = v.Len()
	case ast.Object:
		n = v.Len()
	case ast.Set:
		n = v.Len()
	}
	if n == 0 {
		return empty
	}
	return filled
}

func dataState(document map[string]any, path string) state {
	var value any = document
	for part := range strings.SplitSeq(path, ".") {
		m, _ := value.(map[string]any)
		var ok bool
		if value, ok = m[part]; !ok {
			return absent
		}
	}
	switch v := value.(type) {
	case bool:
		if !v {
			return untrue
		}
	case map[string]any:
		if len(v) == 0 {
			return empty
		}
	case []any:
		if len(v) == 0 {
			return empty
		}
	}
	return filled
}
