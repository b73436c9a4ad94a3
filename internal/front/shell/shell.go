// Package shell is the front of a plain terminal: changes are printed as lines for a POSIX shell.
package shell

import (
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// New returns the front of a shell. Changes go to stdout, where the shell that evaluates them reads; they hold secrets
// as they are. There are no inputs, outputs, annotations and masks.
func New(lookup func(string) (string, bool), stdout io.Writer) *front.Front {
	return &front.Front{
		Name:     "shell",
		Where:    `printed for this shell: eval "$(goproxy-action setup)"`,
		StateDir: stateDir(lookup, runtime.GOOS),
		Export: func(changes []inject.Change) error {
			text, err := Lines(changes, nil)
			if err != nil {
				return err
			}
			return write(stdout, text)
		},
	}
}

var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Lines are the lines for a POSIX shell that export the variables of set and unset those of unset, in this order. The
// error is a Problem: a name that is none, or a value with a character that would not survive the way through
// $(...) or would deceive who reads it (control characters, line ends, invalid and invisible characters).
func Lines(set []inject.Change, unset []string) (string, error) {
	var b strings.Builder
	for _, c := range set {
		if err := check(c.Name); err != nil {
			return "", err
		}
		if source.Plain(c.Value, 0) != c.Value {
			return "", problem.New(problem.Usage, "export "+c.Name, "remove the character from the setting that the value comes from",
				"the value holds a control character, a line end or an invisible character, which is not passed on to a shell")
		}
		fmt.Fprintf(&b, "export %s=%s\n", c.Name, quote(c.Value))
	}
	for _, n := range unset {
		if err := check(n); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "unset %s\n", n)
	}
	return b.String(), nil
}

// Fail prints the line that makes `eval "$(...)"` fail with the code under set -e: a failing substitution alone is
// swallowed. The parentheses keep an interactive shell alive.
func Fail(stdout io.Writer, code int) error { return write(stdout, fmt.Sprintf("(exit %d)\n", code)) }

func check(n string) error {
	if name.MatchString(n) {
		return nil
	}
	return problem.New(problem.Bug, "export", "", "%q is no name of a variable; letters, digits and _ are allowed", source.Plain(n, 100))
}

// quote puts a value into single quotes, within which a POSIX shell looks for nothing but the closing one.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func write(w io.Writer, text string) error {
	if text == "" {
		return nil
	}
	if _, err := io.WriteString(w, text); err != nil {
		return problem.New(problem.Usage, "write to standard output", "let the output go to a shell or a file that can be written", "%w", err)
	}
	return nil
}

// stateDir is the cache directory of the user, or empty. A relative one would lie in whatever checkout we stand in.
func stateDir(lookup func(string) (string, bool), goos string) string {
	in := func(variable string, below ...string) string {
		dir, _ := lookup(variable)
		if !filepath.IsAbs(dir) {
			return ""
		}
		return filepath.Join(append(append([]string{dir}, below...), "goproxy-action")...)
	}
	switch goos {
	case "darwin":
		return in("HOME", "Library", "Caches")
	case "windows":
		return in("LocalAppData")
	}
	if dir := in("XDG_CACHE_HOME"); dir != "" {
		return dir
	}
	return in("HOME", ".cache")
}
