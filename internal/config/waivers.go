package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// WaiversFile is where waivers are looked for, relative to the checkout.
const WaiversFile = ".goproxy/waivers.yaml"

const (
	// day is how a date is written.
	day = time.DateOnly
	// maxReason and maxOwner bound what every report repeats, in bytes.
	maxReason, maxOwner = 500, 100
)

// Waiver is an entry of the waivers' file: somebody takes findings of one rule upon himself, for a time.
type Waiver struct {
	// Rule is the rule's id. Whether there is such a rule is for the caller to say.
	Rule string
	// File, Subject and Message say which findings; one of them is given at least, and all that are have to match.
	File, Subject, Message Pattern
	Reason, Owner          string
	// Expires is the last day that it counts, in UTC.
	Expires time.Time
	// At is the place of the rule's id in the file, as file:line:column.
	At string
}

// Date is the last day, as the file has it.
func (w Waiver) Date() string { return w.Expires.Format(day) }

// keys of a waiver, and of its match.
var (
	waiverKeys = []string{"rule", "match", "reason", "owner", "expires"}
	matchKeys  = []string{"file", "subject", "message"}
	anyRule    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)
)

// LoadWaivers reads the waivers' file at path. No waiver ends more than maxDays after now; one that has ended stays. A
// file that was reached through a symbolic link is refused, since all reports repeat what stands in it. Errors are
// Problems of code Usage.
func LoadWaivers(content []byte, path string, linked bool, now time.Time, maxDays int) ([]Waiver, error) {
	if linked {
		return nil, problem.New(problem.Usage, path, "replace the link by the file itself", "is reached by a symbolic link, and waivers are shown in each report")
	}
	r := &reader{path: path, holds: "waiver"}
	body, err := r.document(content)
	if err != nil || body == nil {
		return nil, err
	}
	top, err := r.known("", body, []string{"waivers"})
	if err != nil {
		return nil, err
	}
	if top[0].value.Type() == ast.NullType { // the last one was taken out
		return nil, nil
	}
	list, ok := top[0].value.(*ast.SequenceNode)
	if !ok {
		return nil, r.fail(top[0].at, 0, "write a list of waivers below it", "waivers has %s as its value", shape(top[0].value))
	}
	today := now.UTC().Truncate(24 * time.Hour)
	var all []Waiver
	first := map[string]int{}
	for i, item := range list.Values {
		w, at, err := r.waiver(fmt.Sprintf("waivers[%d]", i+1), item, today, maxDays)
		if err != nil {
			return nil, err
		}
		key := strings.Join([]string{w.Rule, w.File.text, w.Subject.text, w.Message.text}, "\x00")
		if line, twice := first[key]; twice {
			return nil, r.fail(at, 0, "keep one", "waives what the waiver in line %d does", line)
		}
		first[key] = at.Position.Line
		all = append(all, w)
	}
	return all, nil
}

// known takes a mapping apart that has the allowed keys and no other. The mapping of the whole file holds one at least.
func (r *reader) known(path string, n ast.Node, allowed []string) ([]pair, error) {
	pairs, err := r.pairs(path, n)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if !slices.Contains(allowed, p.key) {
			return nil, r.fail(p.at, len(p.key), "allowed: "+strings.Join(allowed, ", "), "%s is no key%s", r.quote(p.key), under(path))
		}
	}
	if len(pairs) == 0 {
		return nil, r.fail(start(n), 0, "allowed: "+strings.Join(allowed, ", "), "there is no key%s", under(path))
	}
	return pairs, nil
}

// waiver reads one entry; at is where its rule stands.
func (r *reader) waiver(path string, n ast.Node, today time.Time, maxDays int) (w Waiver, at *token.Token, err error) {
	pairs, err := r.known(path, n, waiverKeys)
	if err != nil {
		return w, nil, err
	}
	var missing []string
	for _, key := range waiverKeys {
		if !slices.ContainsFunc(pairs, func(p pair) bool { return p.key == key }) {
			missing = append(missing, key)
		}
	}
	if missing != nil {
		return w, nil, r.fail(start(n), 0, "a waiver has "+strings.Join(waiverKeys, ", "), "%s lacks %s", path, strings.Join(missing, ", "))
	}
	for _, p := range pairs {
		if p.key == "match" {
			if err := r.match(&w, path+".match", p); err != nil {
				return w, nil, err
			}
			continue
		}
		value, err := r.word(path+"."+p.key, p)
		if err != nil {
			return w, nil, err
		}
		refuse := func(hint, format string, args ...any) error {
			return r.fail(p.value.GetToken(), 0, hint, path+"."+p.key+": "+format, args...)
		}
		switch p.key {
		case "rule":
			if !anyRule.MatchString(value) {
				return w, nil, refuse("rules are called like GO001 or LCK003", "%s is no rule", quote(value))
			}
			w.Rule, at = value, p.value.GetToken()
			line, column := r.place(at)
			w.At = fmt.Sprintf("%s:%d:%d", r.path, line, column)
		case "reason":
			if w.Reason = strings.Join(strings.Fields(value), " "); len(w.Reason) > maxReason {
				return w, nil, refuse("write the rest elsewhere and name the place", "the reason has more than %d bytes", maxReason)
			}
		case "owner":
			if w.Owner = strings.Join(strings.Fields(value), " "); len(w.Owner) > maxOwner {
				return w, nil, refuse("write a name, a team or an address", "the owner has more than %d bytes", maxOwner)
			}
		case "expires":
			last := today.AddDate(0, 0, maxDays)
			if w.Expires, err = time.Parse(day, value); err != nil {
				return w, nil, refuse("write the last day that it shall count, such as "+last.Format(day), "%s is no date", quote(value))
			}
			if w.Expires.After(last) {
				return w, nil, refuse("write "+last.Format(day)+" or an earlier day, or raise waivers.max-days in "+File,
					"%s is more than %d days from now", w.Date(), maxDays)
			}
		}
	}
	return w, at, nil
}

// match reads the patterns of a waiver.
func (r *reader) match(w *Waiver, path string, p pair) error {
	pairs, err := r.known(path, p.value, matchKeys)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		value, err := r.word(path+"."+p.key, p)
		if err != nil {
			return err
		}
		pattern, err := compile(value, p.key == "message")
		if err != nil {
			return r.fail(p.value.GetToken(), 0, `write a pattern such as "web/**/package-lock.json" or "@corp/*"; a backslash takes the meaning from *, ? and [`,
				"%s.%s: %s %v", path, p.key, quote(value), err)
		}
		switch p.key {
		case "file":
			if strings.HasPrefix(value, "./") || strings.Contains(value, "../") {
				return r.fail(p.value.GetToken(), 0, "write it from the directory that is checked, such as web/package-lock.json",
					"%s.file: %s names no file as reports do", path, quote(value))
			}
			w.File = pattern
		case "subject":
			w.Subject = pattern
		case "message":
			w.Message = pattern
		}
	}
	return nil
}

// word reads plain text that is not empty.
func (r *reader) word(path string, p pair) (string, error) {
	value, ok := text(p.value)
	switch {
	case !ok || p.value.Type() == ast.NullType:
		at := start(p.value)
		if p.value.Type() == ast.NullType {
			at = p.at
		}
		return "", r.fail(at, 0, "write plain text", "%s has %s as its value", path, shape(p.value))
	case strings.TrimSpace(value) == "":
		return "", r.fail(p.at, 0, "write plain text", "%s is empty", path)
	}
	if line := strings.ReplaceAll(value, "\n", " "); source.Plain(line, 0) != line {
		return "", r.fail(p.value.GetToken(), 0, "write plain text", "%s holds characters that cannot be seen", path)
	}
	return value, nil
}
