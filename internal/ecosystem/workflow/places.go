package workflow

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// Patterns are regular expressions of the paths that are read, for hooks that start where such a file changes. What a
// workflow or pipeline leads to beside them (uses: ./dir, include: local) is read as well.
func Patterns() []string {
	return []string{
		`\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml`, `\.github/actions/.+\.ya?ml`, `action\.ya?ml`,
		`\.gitlab-ci\.yml`, `\.gitlab/.+\.ya?ml`, `\.circleci/config\.yml`,
	}
}

const (
	maxDirs = 1000
	// actionsDepth is how deep actions may lie below .github/actions.
	actionsDepth = 4
)

// finder lists directories of a checkout, no more than it may.
type finder struct {
	co   *lockfile.Checkout
	dirs int
	// exceeded is true where there were more directories than are looked through.
	exceeded bool
}

// list are the names in a directory. What cannot be listed holds nothing that a CI system would read.
func (f *finder) list(dir string) []string {
	if f.dirs++; f.dirs > maxDirs {
		f.exceeded = true
		return nil
	}
	names, err := f.co.List(dir)
	if err != nil {
		return nil
	}
	slices.Sort(names)
	return names
}

// below are the files in a directory and down to depth further ones that match.
func (f *finder) below(dir string, depth int, match *regexp.Regexp) (out []string) {
	for _, name := range f.list(dir) {
		full := path.Join(dir, name)
		switch sub := strings.HasSuffix(name, "/"); {
		case name == ".git/" || name == "node_modules/":
		case sub && depth > 0:
			out = append(out, f.below(full, depth-1, match)...)
		case !sub && match.MatchString(full):
			out = append(out, full)
		}
	}
	return out
}

var (
	isYAML    = regexp.MustCompile(`\.ya?ml$`)
	errorLine = regexp.MustCompile(`^yaml: (?:line \d+: )?`)
	isAction  = regexp.MustCompile(`(?:^|/)action\.ya?ml$`)
)

// start are the files that CI systems read by themselves, and the actions of .github/actions.
func (f *finder) start() (github, gitlab, circle []string) {
	for _, dir := range []string{".github/workflows", ".gitea/workflows", ".forgejo/workflows"} {
		github = append(github, f.below(dir, 0, isYAML)...)
	}
	github = append(github, f.below(".github/actions", actionsDepth, isAction)...)
	return append(github, "action.yml", "action.yaml"), []string{".gitlab-ci.yml"}, []string{".circleci/config.yml"}
}

// local are the files that include: local names: a path from the root, with * and ** for several.
func (f *finder) local(pattern string) []string {
	pattern = path.Clean("/" + pattern)[1:]
	if !isYAML.MatchString(pattern) {
		return nil
	}
	star := strings.IndexByte(pattern, '*')
	if star < 0 {
		return []string{pattern}
	}
	dir, depth := ".", strings.Count(pattern[star:], "/")
	if i := strings.LastIndexByte(pattern[:star], '/'); i >= 0 {
		dir = pattern[:i]
	}
	if strings.Contains(pattern, "**") {
		depth = maxNested
	}
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(quoted, `\*\*/`, `(?:.*/)?`)
	quoted = strings.ReplaceAll(quoted, `\*\*`, `.*`)
	quoted = strings.ReplaceAll(quoted, `\*`, `[^/]*`)
	match, err := regexp.Compile("^" + quoted + "$")
	if err != nil {
		return nil
	}
	return f.below(dir, depth, match)
}

// read reads and parses a file; nil where there is none.
func (r *room) read(name string) (*document, error) {
	if d, ok := r.documents[name]; ok {
		return d, nil
	}
	f, err := r.co.Read(name, maxFile)
	if r.documents[name] = nil; errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		if r.co.Linked(name) { // no CI system follows a link to somewhere else
			r.note(name, "is a link that leads nowhere in the checkout, and is not judged")
			return nil, nil
		}
		return nil, err
	}
	d, err := parse(f)
	if err != nil {
		fault := "is no YAML that can be read, so not all of it is judged"
		if !f.Linked { // the library quotes the file, and its lines are not always right
			fault += ": " + source.Plain(source.Redact(errorLine.ReplaceAllString(err.Error(), "")), 200)
		}
		r.note(name, fault)
	}
	r.documents[name] = d
	r.names = append(r.names, name)
	return d, nil
}
