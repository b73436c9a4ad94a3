package report

import (
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/source"
)

// Limits of GitLab's dotenv reports (docs.gitlab.com, "Dotenv file requirements"). It refuses a file that breaks one of
// them, and the job fails.
const (
	// maxDotenv is in bytes; the file must be smaller than 5 KiB.
	maxDotenv = 5<<10 - 1
	// maxVariables is what a server of one's own takes unless its owner says otherwise; gitlab.com takes more.
	maxVariables = 20
)

// Dotenv writes the changes for later jobs of GitLab: NAME=VALUE lines. Whoever sees the pipeline may read them, and a
// later job may run on another machine. So left says what was left out, and why: a secret, what leads to this machine,
// what the format can not hold, and what is over its limits. The error is the writer's.
func Dotenv(w io.Writer, o Outcome) (left []string, err error) {
	if o.Command != "setup" || !o.Applied {
		return nil, nil
	}
	text, written := "", 0
	add := func(changes []inject.Change, why string) {
		part := ""
		for _, c := range changes {
			part += c.Name + "=" + c.Value + "\n"
			if unfit := unfit(c); unfit != "" {
				why = unfit
			}
		}
		if why == "" && (len(text)+len(part) > maxDotenv || written+len(changes) > maxVariables) {
			why = fmt.Sprintf("GitLab takes no more than %d variables and 5 KiB", maxVariables)
		}
		if why == "" {
			text, written = text+part, written+len(changes)
			return
		}
		for _, c := range changes {
			left = append(left, plain(c.Name)+": "+why)
		}
	}
	var git []inject.Change
	for _, c := range o.Changes {
		if strings.HasPrefix(c.Name, "GIT_CONFIG_") {
			git = append(git, c)
		} else {
			add([]inject.Change{c}, "")
		}
	}
	if len(git) > 0 {
		add(git, incomplete(git))
	}
	_, err = io.WriteString(w, text)
	return left, err
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,254}$`)

// unfit is why a change is not for later jobs, and empty where it is. Nothing of the value is in it.
func unfit(c inject.Change) string {
	switch v := c.Value; {
	case c.Name == inject.JournalVariable:
		return "it names a file of this machine"
	case !variable.MatchString(c.Name):
		return "GitLab takes ASCII letters, digits and _ in a name"
	case shown(c) != v:
		return "it holds a secret"
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) || strings.TrimSpace(v) != v:
		return "the format has no line ends, other control characters or spaces around a value"
	case strings.Contains(v, "$"):
		return "GitLab reads what follows a $ as a variable"
	}
	for _, part := range strings.FieldsFunc(c.Value, func(r rune) bool { return strings.ContainsRune(",|;= ", r) }) {
		if len(source.Secrets(part)) > 0 {
			return "it holds a secret"
		}
		address := part
		if !strings.Contains(part, "://") {
			address = "http://" + part
		}
		loc, err := source.Locate(address)
		switch {
		case filepath.IsAbs(part) || err == nil && loc.Scheme == "file":
			return "it names a file of this machine"
		case err == nil && loc.Loopback && !strings.EqualFold(c.Name, "no_proxy"):
			return "it leads to this machine"
		}
	}
	return ""
}

// incomplete is why git's settings are not for later jobs. git counts them and fails where one is missing, and those
// that the job had before are not among the changes.
func incomplete(git []inject.Change) string {
	pairs := strconv.Itoa((len(git) - 1) / 2)
	for _, c := range git {
		if c.Name == "GIT_CONFIG_COUNT" && c.Value == pairs && len(git)%2 == 1 {
			return ""
		}
	}
	return "it follows settings that this job had before"
}
