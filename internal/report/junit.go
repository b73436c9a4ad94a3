package report

import (
	"cmp"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/org/goproxy-action/internal/decide"
)

// maxCaseLines is how many lines of one kind a test case tells; the JSON report has all.
const maxCaseLines = 100

// The JUnit format as Jenkins describes it (jenkins-junit.xsd), and the attribute file, by which GitLab finds the file.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Name    string   `xml:"name,attr"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name string `xml:"name,attr"`
		junitCounts
		Skipped int         `xml:"skipped,attr"`
		Cases   []junitCase `xml:"testcase"`
	}
	junitCounts struct {
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Time     string `xml:"time,attr"`
	}
	junitCase struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		File    string      `xml:"file,attr,omitempty"`
		Time    string      `xml:"time,attr"`
		Skipped *junitText  `xml:"skipped"`
		Error   *junitFault `xml:"error"`
		Failure *junitFault `xml:"failure"`
		Out     *junitText  `xml:"system-out"`
	}
	junitFault struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",cdata"`
	}
	junitText struct {
		Text string `xml:",cdata"`
	}
)

// JUnit writes a test case for each rule, and one for the run itself, which fails where it did not come to its end. What
// does not deny is told in the case's output; in audit mode that is all that was found. The error is the writer's.
func JUnit(w io.Writer, o Outcome) error {
	suite := junitSuite{Name: "goproxy-action " + plain(o.Command), Cases: []junitCase{runJUnit(o)}}
	byRule := map[string][]block{}
	rules := slices.Clone(o.Rules)
	for _, b := range blocks(o.Decision) {
		id := b[0].ID
		// a policy of the user's may report a rule that it does not describe
		if byRule[id] == nil && !slices.ContainsFunc(rules, func(r decide.Rule) bool { return r.ID == id }) {
			rules = append(rules, decide.Rule{ID: id})
		}
		byRule[id] = append(byRule[id], b)
	}
	for _, r := range rules {
		suite.Cases = append(suite.Cases, ruleJUnit(o, r, byRule[r.ID]))
	}
	for _, c := range suite.Cases {
		suite.Tests++
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	suite.Time = seconds(o.Duration)
	text, err := xml.MarshalIndent(junitSuites{Name: "goproxy-action", junitCounts: suite.junitCounts, Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	return err
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// runJUnit is the case of the run: the line that a log has, and what kept it from its end.
func runJUnit(o Outcome) junitCase {
	c := junitCase{Class: "goproxy-action", Name: "run", Time: seconds(o.Duration), Out: &junitText{Line(o)}}
	var all []string
	for _, t := range troubles(o) {
		all = append(all, withFix(plain(cause(t)), t.Hint))
	}
	if len(all) > 0 {
		first, _, _ := strings.Cut(all[0], "\n")
		c.Error = &junitFault{Message: first, Type: "problem", Text: strings.Join(all, "\n")}
	}
	return c
}

// ruleJUnit is the case of a rule. Rules are answered all at once, so that none has a time of its own.
func ruleJUnit(o Outcome, r decide.Rule, found []block) junitCase {
	c := junitCase{Class: joined(".", "goproxy-action", group(r.ID)), Name: joined(" ", plain(r.ID), plain(r.Title)), Time: seconds(0)}
	var out []string
	for _, b := range found {
		for i, l := range b {
			if name, _, ok := o.file(l); ok {
				b[i].File = name
				c.File = cmp.Or(c.File, bounded(name, 0))
			}
		}
		text, n := b.told()
		fault := &junitFault{Message: count(n, "finding"), Type: plain(r.ID), Text: text}
		switch l := b[0]; {
		case l.Status == decide.Known:
			out = append(out, plain(o.known())+": "+l.word()+"\n"+text)
		case l.Severity != decide.Error || o.Decision.Mode == decide.Audit || !l.Counting() && l.Status != decide.StatusUnknown:
			out = append(out, l.word()+"\n"+text)
		case l.Counting():
			c.Failure = fault
		default:
			fault.Message = "not answered"
			c.Error = fault
		}
	}
	if len(out) > 0 {
		c.Out = &junitText{strings.Join(out, "\n")}
	}
	if why := notAsked(o, r); why != "" && len(found) == 0 {
		c.Skipped = &junitText{why}
	}
	return c
}

// told is a block in lines, each next step once, and how many findings it stands for.
func (b block) told() (text string, n int) {
	var all []string
	told := remedies{}
	for i, l := range b {
		n += 1 + l.More
		if i < maxCaseLines {
			all = append(all, joined(": ", plain(l.place()), withFix(joined("\n", plain(l.text())+l.more(), plain(l.waiver())), told.of(l))))
		}
	}
	if over := len(b) - maxCaseLines; over > 0 {
		all = append(all, "… and "+count(over, "line")+" more (all are in the JSON report)")
	}
	return strings.Join(all, "\n"), n
}

// notAsked is why a rule has no answer, and empty where it has one.
func notAsked(o Outcome, r decide.Rule) string {
	switch {
	case o.Decision == nil:
		return "the run ended before it was asked"
	case r.Severity == decide.Off:
		return "switched off"
	}
	for _, text := range o.NotAsked {
		if slices.Contains(strings.FieldsFunc(text, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '-' && c != '_' }), r.ID) {
			return "not asked: " + plain(text)
		}
	}
	return ""
}
