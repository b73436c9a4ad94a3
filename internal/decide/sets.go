package decide

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
)

// Module is a policy of the user's, in any package but goproxy. It contributes a set named finding, whose members have
// the shape of those of the default rules, or the sets of conftest's conventions: deny, violation and warn, also with
// something behind (deny_git), whose members are texts, or objects with msg.
type Module struct {
	// Path is the file as errors name it.
	Path   string
	Source string
}

// set is one set that the query asks for: data.PACKAGE.NAME.
type set struct {
	ref       ast.Ref
	namespace string // the package without data
	name      string
	user      bool
	word      string // deny, violation or warn; exception; empty for finding
	at        *ast.Location
	// id and severity are of members that name none; empty for finding and exception. The id is the one that METADATA
	// gives to all rules of the set, else NAMESPACE.NAME.
	id, severity string
}

// userPrefix begins the keys of the user's modules.
const userPrefix = "user/"

func isUser(key string) bool { return strings.HasPrefix(key, userPrefix) }

const (
	finding   = "finding"
	exception = "exception"
)

// conventional are the names that conftest asks for.
var conventional = regexp.MustCompile(`^(deny|violation|warn)(_[a-zA-Z0-9]+)*$`)

// words are the severities by the first word of a name.
var words = map[string]string{"deny": Error, "violation": Error, "warn": Warning}

// rule is the set as conftest's exceptions name it: without the word in front, so that of the word alone nothing is left.
func (s set) rule() string {
	name := s.name
	if words[name] != "" {
		name = ""
	}
	for _, word := range []string{"violation_", "deny_", "warn_"} {
		name = strings.TrimPrefix(name, word)
	}
	return s.namespace + " " + name
}

// own is the id of a set that METADATA gives none. Whatever the package is called, it can be written as a key.
func (s set) own() string { return unfit.ReplaceAllString(s.namespace, "_") + "." + s.name }

var unfit = regexp.MustCompile(`[^A-Za-z0-9_.]`)

// namespace is the package's name as users write it.
func namespace(m *ast.Module) string {
	parts := make([]string, 0, len(m.Package.Path)-1)
	for _, p := range m.Package.Path[1:] {
		parts = append(parts, str(p))
	}
	return strings.Join(parts, ".")
}

// contributes are the sets that a module adds to. A rule of such a name that is no set is an error: what it says would
// never be heard. Conftest takes lists as well.
func contributes(m *ast.Module, user, raw bool) ([]set, error) {
	var out []set
	for _, r := range m.Rules {
		name := string(r.Head.Ref()[0].Value.(ast.Var))
		word := conventional.FindStringSubmatch(name)
		switch {
		case !user && name != finding, user && name != finding && name != exception && word == nil:
			continue
		case len(r.Head.Args) > 0 && name != finding: // a function that is called so
			continue
		case user && (r.Head.RuleKind() != ast.MultiValue && !raw || len(r.Head.Ref()) != 1):
			return nil, problem.New(problem.Usage, position(r.Location), fmt.Sprintf("write: %s contains ... if { ... }, or give the rule another name", name), "%s is not a set", name)
		}
		s := set{ref: m.Package.Path.Append(ast.StringTerm(name)), namespace: namespace(m), name: name, user: user, at: r.Location}
		switch {
		case name == exception:
			s.word = exception
		case word != nil:
			s.word, s.severity, s.id = word[1], words[word[1]], s.own()
			if id := metadataID(r); id != "" {
				s.id = id
				for _, a := range r.Annotations {
					severity, _ := a.Custom["severity"].(string)
					s.severity = cmp.Or(severity, s.severity)
				}
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// adopt parses the policies of the user's, and refuses those that would change the default rules, and
// those that nobody would ever ask.
func (e *Engine) adopt(user []Module) error {
	for i, m := range user {
		if isTest(m.Path) {
			continue
		}
		e.user = append(e.user, m.Path)
		module, err := parse(m.Path, m.Source, e.version)
		if err != nil {
			return e.explain(err, m.Path)
		}
		if err := foreign(module); err != nil {
			return err
		}
		if _, err := e.describe(module); err != nil {
			return err
		}
		e.modules[fmt.Sprintf("%s%d/%s", userPrefix, i, m.Path)] = module // two files of one path are two modules
	}
	return nil
}

// foreign refuses a module in the package of the default rules.
func foreign(m *ast.Module) error {
	if m.Package.Path[1].Equal(ast.StringTerm(reserved)) {
		return problem.New(problem.Usage, position(m.Package.Location), "write package policy, or any other name", "package %s is kept for the default rules", reserved)
	}
	return nil
}

// gather finds the sets of all modules.
func (e *Engine) gather() error {
	all := map[string]set{}
	for _, s := range e.book.sets() {
		all[s.ref.String()] = s
	}
	for _, key := range slices.Sorted(maps.Keys(e.modules)) {
		found, err := contributes(e.modules[key], true, e.raw)
		if err != nil {
			return err
		}
		for _, s := range found {
			if e.raw { // what METADATA calls severity is its author's word
				s.severity = words[s.word]
			}
			name := s.ref.String()
			if other, ok := all[name]; ok && other.id != s.id { // members do not say which of the rules they are of
				s.id, s.severity = s.own(), words[s.word]
			}
			all[name] = s
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		e.sets = append(e.sets, s)
		if s.id == "" {
			continue
		}
		r, known := e.rules[s.id]
		if !known {
			r = Rule{ID: s.id, Title: s.name + " of package " + s.namespace}
		}
		r.Severity = s.severity
		e.rules[s.id] = r
	}
	return nil
}

// choose takes the sets that are wanted.
func (e *Engine) choose(opts Options) error {
	contributing := slices.ContainsFunc(e.sets, func(s set) bool { return s.user && s.word != exception })
	if (len(e.user) > 0 || opts.UserOnly) && !contributing {
		return problem.New(problem.Usage, cmp.Or(strings.Join(e.user, ", "), "policies"),
			`write: deny contains "what is wrong" if { ... }, or finding contains {"id": ..., "msg": ..., "subject": ...} if { ... }`,
			"no policy has a set named deny, violation, warn or finding")
	}
	for _, want := range opts.Namespaces {
		if known := e.Namespaces(); !slices.Contains(known, want) {
			return problem.New(problem.Usage, "namespace "+want, "known are "+strings.Join(known, ", "), "no policy has a rule named deny, violation, warn or finding there")
		}
	}
	for _, s := range e.sets {
		e.spaces[s.namespace] = true
	}
	if opts.UserOnly {
		e.sets = slices.DeleteFunc(e.sets, func(s set) bool {
			return !s.user || len(opts.Namespaces) > 0 && !slices.Contains(opts.Namespaces, s.namespace)
		})
	}
	return nil
}

// Namespaces are the packages of the user's that contribute findings.
func (e *Engine) Namespaces() []string {
	var out []string
	for _, s := range e.sets {
		if s.user && s.word != exception && !slices.Contains(out, s.namespace) {
			out = append(out, s.namespace)
		}
	}
	return out
}

// resolve refuses what is undefined by mistake in the user's policies, and so would never object: a reference to a rule
// or to data that is not there, and a package that neither contributes nor is used.
func (e *Engine) resolve(p *part, document map[string]any) error {
	used := maps.Clone(e.spaces)
	var lost error
	keys := slices.Sorted(maps.Keys(p.compiler.Modules))
	for _, key := range keys {
		m := p.compiler.Modules[key]
		if !isUser(key) {
			continue
		}
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			if lost != nil || len(ref) < 2 || !ref.HasPrefix(ast.DefaultRootRef) {
				return lost != nil
			}
			path := ground(ref)
			if !strings.HasPrefix(strings.Join(path, ".")+".", namespace(m)+".") {
				for i := range path {
					used[strings.Join(path[:i+1], ".")] = true
				}
			}
			if len(path) > 0 && !p.defined(ref.GroundPrefix(), path, document) {
				lost = problem.New(problem.Usage, position(cmp.Or(ref[0].Location, m.Package.Location)), "correct the name, or add the rule or the data",
					"data.%s is undefined: no policy and no data file has it", strings.Join(path, "."))
			}
			return false
		})
	}
	for _, key := range keys {
		m := p.compiler.Modules[key]
		if name := namespace(m); lost == nil && isUser(key) && !used[name] && !e.raw {
			lost = problem.New(problem.Usage, position(m.Package.Location), "name a rule of it deny, violation, warn or finding, or remove it",
				"package %s has no rule that is asked, and no other policy uses it", name)
		}
	}
	return lost
}

// ground are the parts of a reference behind data as far as they are texts.
func ground(ref ast.Ref) []string {
	var out []string
	for _, t := range ref[1:] {
		s, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		out = append(out, string(s))
	}
	return out
}

// defined tells whether a rule, a package or data has the path. Of data only the first part counts, since an entry that
// is missing is what a policy may ask for; of our own also the second, since those are always the same.
func (p *part) defined(ref ast.Ref, path []string, document map[string]any) bool {
	if len(p.compiler.GetRulesForVirtualDocument(ref)) > 0 || len(p.compiler.GetRulesWithPrefix(ref)) > 0 {
		return true
	}
	if path[0] == reserved && len(path) > 1 {
		return holds(document, path[:2])
	}
	return holds(document, path[:1])
}

// holds tells whether the data has something at the path.
func holds(document map[string]any, path []string) bool {
	var value any = document
	for _, p := range path {
		m, _ := value.(map[string]any)
		var ok bool
		if value, ok = m[p]; !ok {
			return false
		}
	}
	return true
}

// exceptions are the rules that the user's policies take back: exception contains ["git"] stands for deny_git,
// violation_git and warn_git of the same package, [""] for those that are called deny, violation and warn.
func exceptions(sets []set, values []any) (map[string]bool, error) {
	out := map[string]bool{}
	for i, s := range sets {
		if s.word != exception {
			continue
		}
		members, _ := values[i].([]any)
		for _, m := range members {
			names, ok := m.([]any)
			for _, n := range names {
				name, isText := n.(string)
				ok = ok && isText
				out[s.namespace+" "+name] = true
			}
			if !ok {
				return nil, problem.New(problem.Usage, position(s.at), `write: exception contains ["name of a rule without deny_"] if { ... }`, "exception of package %s holds something else than lists of names", s.namespace)
			}
		}
	}
	return out, nil
}

// complaint is a member of deny, violation or warn. What else stands in it is conftest's metadata, and passed over.
type complaint struct {
	Msg      *string `json:"msg"`
	Location *struct {
		File   string `json:"file"`
		Line   int    `json:"line"`
		Column int    `json:"column"`
	} `json:"_loc"`
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Subject  string `json:"subject"`
	Fix      string `json:"fix"`
	Group    string `json:"group"`
}

const conventionShape = `write a text, or {"msg": ...} with, if you like, "_loc": {"file": ..., "line": ...}, "id", "severity", "subject", "fix", "group"`

// conftests is what a member of a policy of conftest's holds that is meant for whoever runs it: msg and _loc, and an id
// where it could be one of ours. All else is its author's metadata, whatever it is called and holds.
func conftests(m map[string]any) map[string]any {
	out := map[string]any{"msg": m["msg"]}
	if id, ok := m["id"].(string); ok && ruleID.MatchString(id) {
		out["id"] = id
	}
	if at, ok := m["_loc"].(map[string]any); ok {
		file, _ := at["file"].(string)
		number, _ := at["line"].(json.Number)
		line, err := strconv.Atoi(number.String())
		if err != nil || line < 0 {
			line = 0
		}
		out["_loc"] = map[string]any{"file": file, "line": line}
	}
	return out
}

// addByConvention appends the findings that a member of deny, violation or warn stands for.
func (e *Engine) addByConvention(all []Finding, member any, groups map[string]*Group, s set) ([]Finding, error) {
	fault := func(format string, args ...any) ([]Finding, error) {
		return nil, problem.New(problem.Usage, position(s.at), conventionShape, "a member of %s %s", s.ref, fmt.Sprintf(format, args...))
	}
	var c complaint
	switch m := member.(type) {
	case string:
		c.Msg = &m
	case map[string]any:
		if e.raw {
			m = conftests(m)
			if m["msg"] == "" { // conftest takes it for no objection
				return all, nil
			}
		}
		text, err := json.Marshal(m)
		if err == nil {
			err = json.Unmarshal(text, &c)
		}
		if err != nil {
			return fault("has the wrong shape: %s", strings.TrimPrefix(err.Error(), "json: "))
		}
	default:
		return fault("is neither a text nor an object")
	}
	if c.Msg == nil || *c.Msg == "" {
		return fault("has no msg")
	}
	id := cmp.Or(c.ID, s.id)
	rule, known := e.rules[id]
	switch {
	case e.own[id]:
		return fault("reports as the default rule %s", id)
	case !known && !ruleID.MatchString(id):
		return fault("has the id %q, which is not of capital letters and digits", id)
	}
	f := Finding{ID: id, Severity: cmp.Or(e.severities[id], c.Severity, rule.Severity, s.severity), Status: Active, Message: *c.Msg, Subject: c.Subject, Fix: cmp.Or(c.Fix, rule.Fix)}
	if l := c.Location; l != nil {
		if l.Line < 0 || l.Column < 0 {
			return fault("has a _loc with a negative number")
		}
		f.Position = lockfile.Position{File: l.File, Line: l.Line, Column: l.Column}
	}
	if !slices.Contains(levels, f.Severity) {
		return fault("has the severity %q", f.Severity)
	}
	return e.spread(all, f, c.Group, "", groups)
}

// spread appends a finding, for each entry of its group where it names one.
func (e *Engine) spread(all []Finding, f Finding, group, part string, groups map[string]*Group) ([]Finding, error) {
	switch {
	case f.Severity == Off:
		return all, nil
	case group == "":
		return append(all, f), nil
	}
	g := groups[group]
	if g == nil {
		return nil, problem.New(e.blame(), "policies", "use the id of one of input.entries", "a finding of %s names the group %q", f.ID, group)
	}
	items := g.Items
	if len(items) == 0 {
		items = []Item{{Subject: cmp.Or(strings.Join(g.Examples, ", "), g.URL, g.ID), At: g.Position}}
	}
	said := f.Message
	for _, item := range items {
		f.Subject, f.Position, f.Message = item.Subject, item.At, item.Subject+" "+said
		if part == partIntegrity && item.Integrity.Line > 0 {
			f.Position = item.Integrity
		}
		all = append(all, f)
	}
	return all, nil
}
