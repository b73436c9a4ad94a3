package decide

import (
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/internal/problem"
)

// Reads tells whether a policy of the user's can see what stands at a path of the input: by name, or by a key that is
// not known before it runs, or because it takes the input as a whole. The default rules read no Packages.
func (e *Engine) Reads(path ...string) bool {
	found := false
	for _, p := range e.mine {
		for key, m := range p.compiler.Modules {
			if !isUser(key) {
				continue
			}
			ast.WalkRefs(m, func(ref ast.Ref) bool {
				found = found || ref.HasPrefix(ast.InputRootRef) && reaches(ref[1:], path)
				return found
			})
		}
	}
	return found
}

// reaches tells whether a reference leads to a path, above it or below.
func reaches(ref ast.Ref, path []string) bool {
	for i, want := range path[:min(len(ref), len(path))] {
		if name, ok := ref[i].Value.(ast.String); ok && string(name) != want {
			return false
		}
	}
	return true
}

// value is the document as policies see it.
func (in Input) value() (ast.Value, error) {
	packages := in.Packages
	in.Schema, in.Packages = Schema, nil
	value, err := ast.InterfaceToValue(in)
	if err != nil {
		return nil, problem.New(problem.Bug, "policy input", "", "%w", err)
	}
	if packages != nil {
		value.(ast.Object).Insert(ast.StringTerm("packages"), packageTerms(packages))
	}
	return value, nil
}

// packageTerms is what the library makes of Packages, in a third of its time: there can be very many.
func packageTerms(packages []Package) *ast.Term {
	texts := map[string]*ast.Term{} // what many of them have in common
	common := func(s string) *ast.Term {
		if texts[s] == nil {
			texts[s] = ast.StringTerm(s)
		}
		return texts[s]
	}
	key := func(name string) *ast.Term { return ast.InternedTerm(name) }
	ecosystem, name, version, purl, host, kind := key("ecosystem"), key("name"), key("version"), key("purl"), key("host"), key("kind")
	alias, lockURL, effectiveURL := key("alias"), key("lock_url"), key("effective_url")
	integrity, script, file, line, column := key("integrity"), key("script"), key("file"), key("line"), key("column")
	number := func(n int) *ast.Term { return ast.NewTerm(ast.Number(strconv.Itoa(n))) }
	terms := make([]*ast.Term, len(packages))
	for i, p := range packages {
		items := make([][2]*ast.Term, 0, 14)
		items = append(items, [2]*ast.Term{ecosystem, common(p.Ecosystem)}, [2]*ast.Term{name, ast.StringTerm(p.Name)},
			[2]*ast.Term{version, ast.StringTerm(p.Version)}, [2]*ast.Term{purl, ast.StringTerm(p.Purl)}, [2]*ast.Term{host, common(p.Host)},
			[2]*ast.Term{alias, common(p.Alias)}, [2]*ast.Term{lockURL, ast.StringTerm(p.LockURL)}, [2]*ast.Term{effectiveURL, ast.StringTerm(p.EffectiveURL)},
			[2]*ast.Term{kind, common(p.Kind)}, [2]*ast.Term{integrity, common(p.Integrity)}, [2]*ast.Term{script, ast.InternedTerm(p.Script)})
		if p.File != "" {
			items = append(items, [2]*ast.Term{file, common(p.File)})
		}
		if p.Line != 0 {
			items = append(items, [2]*ast.Term{line, number(p.Line)})
		}
		if p.Column != 0 {
			items = append(items, [2]*ast.Term{column, number(p.Column)})
		}
		terms[i] = ast.ObjectTerm(items...)
	}
	return ast.ArrayTerm(terms...)
}
