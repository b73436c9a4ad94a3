package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
)

var now = time.Date(2026, 11, 22, 23, 59, 59, 0, time.FixedZone("", 3600)) // 22:59 UTC

func waivers(yaml string) ([]Waiver, error) {
	return LoadWaivers([]byte(yaml), WaiversFile, false, now, 180)
}

func pattern(t *testing.T, text string, prose bool) Pattern {
	t.Helper()
	p, err := compile(text, prose)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLoadWaivers(t *testing.T) {
	t.Parallel()
	got, err := waivers(`# what we live with
waivers:
  - rule: LCK002
    match: {file: web/**/package-lock.json, subject: "left-pad@*"}
    reason: >-
      the registry of the old
      build farm has no https
    owner: build-team@corp.example
    expires: 2026-12-31 # the farm goes
  - {rule: GO003, match: {message: "*corp*"}, reason: lab, owner: ann, expires: '2020-02-29'}
`)
	if err != nil {
		t.Fatal(err)
	}
	date := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	want := []Waiver{
		{Rule: "LCK002", File: pattern(t, "web/**/package-lock.json", false), Subject: pattern(t, "left-pad@*", false),
			Reason: "the registry of the old build farm has no https", Owner: "build-team@corp.example", Expires: date(2026, 12, 31), At: WaiversFile + ":3:11"},
		{Rule: "GO003", Message: pattern(t, "*corp*", true), Reason: "lab", Owner: "ann", Expires: date(2020, 2, 29), At: WaiversFile + ":10:12"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, empty := range []string{"", "# nothing yet\n", "waivers: []\n", "waivers:\n  # - rule: GO001\n"} {
		if all, err := waivers(empty); all != nil || err != nil {
			t.Errorf("%q: %v %v", empty, all, err)
		}
	}
	// the last day that may be named is 180 days from today, in UTC
	const one = "waivers: [{rule: GO003, match: {subject: a}, reason: b, owner: c, expires: %s}]"
	if _, err := waivers(fmt.Sprintf(one, "2027-05-21")); err != nil {
		t.Error(err)
	}
	if _, err := waivers(fmt.Sprintf(one, "2027-05-22")); err == nil {
		t.Error("181 days are accepted")
	}
	if _, err := LoadWaivers([]byte("waivers: []"), "w.yaml", true, now, 180); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("linked: %v", err)
	}
}

// The example of the documentation is one.
func TestWaiversDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(root + "docs/waivers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\nwaivers:")
	example, _, ok := strings.Cut(rest, "```")
	all, err := LoadWaivers([]byte("waivers:"+example), "docs/waivers.md", false, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), 180)
	if !ok || err != nil || len(all) < 2 {
		t.Errorf("%d waivers, %v", len(all), err)
	}
}

func TestBadWaivers(t *testing.T) {
	t.Parallel()
	item := func(change, to string) string {
		const good = "waivers:\n- rule: GO003\n  match: {file: go.mod}\n  reason: r\n  owner: o\n  expires: 2026-12-01\n"
		bad := strings.Replace(good, change, to, 1)
		if bad == good {
			t.Fatalf("%q is not there", change)
		}
		return bad
	}
	for _, tt := range []struct{ name, yaml, want string }{
		{"no mapping", "- rule: GO003\n", "1:1: the file is a list, not a mapping; write `key: value` lines below it"},
		{"other key", "waiver: []\n", `1:1: "waiver" is no key of this file; allowed: waivers`},
		{"twice", "waivers: []\nwaivers: []\n", `2:1: "waivers" is written twice, first in line 1; keep one`},
		{"nothing", "{}\n", `1:1: there is no key of this file; allowed: waivers`},
		{"mapping", "waivers: {rule: GO003}\n", `1:1: waivers has a mapping as its value; write a list of waivers below it`},
		{"text", "waivers: [GO003]\n", "1:11: waivers[1] is plain text, not a mapping; write `key: value` lines below it"},
		{"lacking", "waivers:\n- rule: GO003\n  reason: r\n", `2:3: waivers[1] lacks match, owner, expires; a waiver has rule, match, reason, owner, expires`},
		{"key of a waiver", item("owner", "ower"), `5:3: "ower" is no key of waivers[1]; allowed: rule, match, reason, owner, expires`},
		{"key twice", item("  owner: o", "  owner: o\n  owner: o"), `6:3: "owner" is written twice, first in line 5; keep one`},
		{"rule", item("GO003", "go 3"), `2:9: waivers[1].rule: "go 3" is no rule; rules are called like GO001 or LCK003`},
		{"empty owner", item("owner: o", "owner: ' '"), `5:3: waivers[1].owner is empty; write plain text`},
		{"no owner", item("owner: o", "owner:"), `5:3: waivers[1].owner has nothing as its value; write plain text`},
		{"list for a reason", item("reason: r", "reason: [r]"), `4:11: waivers[1].reason has a list as its value; write plain text`},
		{"hidden characters", item("reason: r", `reason: "a\u202eb"`), `4:11: waivers[1].reason holds characters that cannot be seen; write plain text`},
		{"long reason", item("reason: r", "reason: "+strings.Repeat("r", 501)), `4:11: waivers[1].reason: the reason has more than 500 bytes; write the rest elsewhere and name the place`},
		{"long owner", item("owner: o", "owner: "+strings.Repeat("r", 101)), `5:10: waivers[1].owner: the owner has more than 100 bytes; write a name, a team or an address`},
		{"date", item("2026-12-01", "2026-02-30"), `6:12: waivers[1].expires: "2026-02-30" is no date; write the last day that it shall count, such as 2027-05-21`},
		{"time", item("2026-12-01", "2026-12-01T00:00:00Z"), `6:12: waivers[1].expires: "2026-12-01T00:00:00Z" is no date; write the last day that it shall count, such as 2027-05-21`},
		{"far", item("2026-12-01", "2028-01-01"), `6:12: waivers[1].expires: 2028-01-01 is more than 180 days from now; write 2027-05-21 or an earlier day, or raise waivers.max-days in .goproxy/config.yaml`},
		{"match is text", item("{file: go.mod}", "go.mod"), "3:10: waivers[1].match is plain text, not a mapping; write `key: value` lines below it"},
		{"match is empty", item("{file: go.mod}", "{}"), `3:10: there is no key of waivers[1].match; allowed: file, subject, message`},
		{"match of nothing", item("{file: go.mod}", "{file: ''}"), `3:11: waivers[1].match.file is empty; write plain text`},
		{"key of a match", item("{file: go.mod}", "{package: x}"), `3:11: "package" is no key of waivers[1].match; allowed: file, subject, message`},
		{"pattern", item("go.mod", "'[a'"), `3:17: waivers[1].match.file: "[a" has a [ without a class of characters such as [a-z] behind it; write a pattern such as "web/**/package-lock.json" or "@corp/*"; a backslash takes the meaning from *, ? and [`},
		{"above", item("go.mod", "../go.mod"), `3:17: waivers[1].match.file: "../go.mod" names no file as reports do; write it from the directory that is checked, such as web/package-lock.json`},
		{"same", "waivers:\n" + strings.Repeat("- {rule: GO003, match: {file: a}, reason: r, owner: o, expires: 2026-12-01}\n", 2), `3:10: waives what the waiver in line 2 does; keep one`},
		{"anchor", "waivers: &a []\n", `1:10: holds an anchor, an alias, a tag or a directive, which are not read here; write the value out`},
		{"merge conflict", "waivers:\n<<<<<<< HEAD\n- rule: GO003\n=======\n>>>>>>> x\n", `2:1: holds a marker of a merge conflict; resolve the conflict`},
		{"large", strings.Repeat("#", MaxFile+1), ` has 256 KiB, and at most 256 KiB are read; remove what is no waiver`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := waivers(tt.yaml)
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != problem.Usage {
				t.Fatalf("err = %v", err)
			}
			if got := strings.TrimPrefix(p.Error(), WaiversFile+":"); got != tt.want {
				t.Error(cmp.Diff(tt.want, got))
			}
		})
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern   string
		prose     bool
		yes, none []string
	}{
		{pattern: "go.mod", yes: []string{"go.mod"}, none: []string{"go.modx", "a/go.mod", "goxmod", ""}},
		{pattern: "*/go.mod", yes: []string{"a/go.mod", "/go.mod"}, none: []string{"go.mod", "a/b/go.mod"}},
		{pattern: "**/go.mod", yes: []string{"go.mod", "a/go.mod", "a/b/go.mod"}, none: []string{"xgo.mod", "a/xgo.mod"}},
		{pattern: "web/**/go.mod", yes: []string{"web/go.mod", "web/a/b/go.mod"}, none: []string{"go.mod", "web2/go.mod"}},
		{pattern: "web/**", yes: []string{"web/", "web/a/b"}, none: []string{"web", "a/web/b"}},
		{pattern: "**", yes: []string{"", "a/b"}},
		{pattern: "a**/b", yes: []string{"a/b", "ax/y/b"}, none: []string{"b"}},
		{pattern: "@corp/*@1.?.[0-9]", yes: []string{"@corp/a@1.2.3"}, none: []string{"@corp/a/b@1.2.3", "@corp/a@1./.3", "@corp/a@1.2.x"}},
		{pattern: "[^a]b", yes: []string{"cb", "éb"}, none: []string{"ab", "/b"}},
		{pattern: "[!a]b", yes: []string{"cb"}, none: []string{"ab"}},
		{pattern: `[\]\-^&&[:alpha:]]`, yes: []string{"]]", "-]", "&]", ":]"}, none: []string{"x]", "]"}},
		{pattern: `\*\[\\`, yes: []string{`*[\`}, none: []string{"a"}},
		{pattern: "a.+(b)|$", yes: []string{"a.+(b)|$"}, none: []string{"aab"}},
		{pattern: "é?", yes: []string{"éü"}, none: []string{"é"}},
		{pattern: "a\xffb*", yes: []string{}, none: []string{"ab"}},
		{pattern: "*redirects*a/b", prose: true, yes: []string{"it redirects to x/a/b\na/b"}, none: []string{"redirects"}},
		{pattern: "a?[^b]**/c", prose: true, yes: []string{"a///c", "a/x/y/c"}, none: []string{"a/b/c/d"}},
	} {
		p := pattern(t, strings.ToValidUTF8(tt.pattern, "\ufffd"), tt.prose)
		for _, s := range tt.yes {
			if !p.Match(s) {
				t.Errorf("%q does not match %q", tt.pattern, s)
			}
		}
		for _, s := range tt.none {
			if p.Match(s) {
				t.Errorf("%q matches %q", tt.pattern, s)
			}
		}
	}
	if p := new(Pattern); p.Given() || !p.Match("anything") {
		t.Error("the zero pattern excludes something")
	}
	for _, bad := range []string{"", "[", "[]", "[]a]", "[a", "[a-", "[a-]", "[-a]", "[z-a]", "[^]", `[\`, `a\`, strings.Repeat("a", 501)} {
		if _, err := compile(bad, false); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// FuzzPattern: a text always matches itself with its meaning taken away, and nothing panics or waits.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a/**/b*", "[a-z]?", `\[`, "[^/-0]", "é\xff", strings.Repeat("*a", 200)} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, text, s string) {
		for _, prose := range []bool{false, true} {
			p, err := compile(text, prose)
			if err == nil {
				p.Match(s)
			}
		}
		s = strings.ToValidUTF8(s, "?")
		if p, err := compile(strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s), false); err == nil && len(s) < maxMatched && (!p.Match(s) || p.Match(s+"x")) {
			t.Errorf("%q does not match itself alone", s)
		}
	})
}

// FuzzWaivers: no file makes it panic or wait, and no message has more than one line.
func FuzzWaivers(f *testing.F) {
	f.Add("waivers:\n- rule: GO003\n  match: {file: '**/[a-z]*', message: x}\n  reason: |\n    r\n  owner: o\n  expires: 2026-12-01\n")
	f.Add("waivers: [{rule: GO003, match: {subject: a}, reason: b, owner: c, expires: 2026-12-01}, 1]")
	f.Fuzz(func(t *testing.T, yaml string) {
		all, err := waivers(yaml)
		var p *problem.Problem
		if err != nil && (!errors.As(err, &p) || p.Code != problem.Usage || strings.ContainsAny(p.Error(), "\n\r\x1b")) {
			t.Errorf("%q", err)
		}
		for _, w := range all {
			if w.Rule == "" || w.Reason == "" || w.Owner == "" || w.At == "" || !w.File.Given() && !w.Subject.Given() && !w.Message.Given() || strings.ContainsAny(w.Reason+w.Owner, "\n\x1b\u202e") {
				t.Errorf("%+v", w)
			}
		}
	})
}
