package npm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

// maxRC bounds an .npmrc. One with a dozen certificates in it has some 30 KB.
const maxRC = 1 << 20

// hidden stands for a value that is not kept.
const hidden = "***"

// line is one "key = value" of an .npmrc.
type line struct {
	// key is decoded, without the brackets of an array.
	key string
	// value is decoded; "true" where the line has no =. It is hidden where the key is a credential's.
	value string
	// list is true for "key[] = value".
	list bool
	// clear is true for a value that is there and holds no variable.
	clear bool
	// at is the place of the value, or of the key where there is none.
	at lockfile.Position
}

// parseRC reads an .npmrc and hides the values of credentials. The error is a *problem.Problem of code Usage.
func parseRC(file lockfile.File) ([]line, error) {
	found, err := toolfile.RC(file.Data)
	if f, ok := errors.AsType[*toolfile.Fault](err); ok {
		return nil, problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(file.Path, 200), f.At.Line, f.At.Column),
			"save it as UTF-8 without NUL bytes", "%s", f.Text)
	}
	lines := make([]line, 0, len(found))
	for _, l := range found {
		if isSecret(l.Key) {
			l.Value = hidden
		}
		lines = append(lines, line{l.Key, l.Value, l.List, l.Clear, lockfile.Position{File: file.Path, Line: l.At.Line, Column: l.At.Column}})
	}
	return lines, nil
}

// isSecret tells keys whose values are kept nowhere.
func isSecret(key string) bool {
	if strings.HasPrefix(key, "//") || strings.Contains(key, "${") && strings.Contains(key, "//") {
		return true
	}
	key = strings.ToLower(key[strings.LastIndexByte(key, ':')+1:])
	for _, suffix := range [...]string{"_authtoken", "_auth", "_password", "username", "email", "-authtoken", "-auth", "-password", "password"} {
		if strings.HasSuffix(key, suffix) {
			return true
		}
	}
	return false
}
