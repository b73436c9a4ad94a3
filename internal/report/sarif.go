package report

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/problem"
)

// Limits of GitHub's code scanning (docs.github.com, "SARIF support for code scanning"): a run with more results is
// refused as a whole, and of the rest the gravest are shown.
const (
	maxResults   = 25_000
	shownResults = 5_000
	// maxDescription is a little less than the 1,024 characters of a rule's description.
	maxDescription = 1000
)

const (
	homepage = "https://github.com/org/goproxy-action"
	// sourceRoot is what SARIF calls the root of the repository.
	sourceRoot = "%SRCROOT%"
)

// The part of SARIF 2.1.0 that we write; names are the standard's.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Automation  sarifID              `json:"automationDetails"`
		Bases       map[string]sarifBase `json:"originalUriBaseIds"`
		ColumnKind  string               `json:"columnKind"`
		Invocations []sarifInvocation    `json:"invocations"`
		Results     []sarifResult        `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		URI     string      `json:"informationUri"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifID struct {
		ID string `json:"id"`
	}
	sarifBase struct {
		Description sarifText `json:"description"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifRule struct {
		ID         string        `json:"id"`
		Short      sarifText     `json:"shortDescription"`
		Full       sarifText     `json:"fullDescription"`
		Help       sarifText     `json:"help"`
		Default    sarifDefault  `json:"defaultConfiguration"`
		Properties sarifProperty `json:"properties"`
	}
	sarifDefault struct {
		Enabled bool   `json:"enabled"`
		Level   string `json:"level"`
	}
	sarifProperty struct {
		Tags []string `json:"tags"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		ExitCode      int                 `json:"exitCode"`
		Notifications []sarifNotification `json:"toolExecutionNotifications"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		Rule         string             `json:"ruleId"`
		Index        int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Baseline     string             `json:"baselineState,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI  string `json:"uri"`
				Base string `json:"uriBaseId"`
			} `json:"artifactLocation"`
			Region *sarifRegion `json:"region,omitempty"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// SARIF writes the rules that were asked and what they found in SARIF 2.1.0, for GitHub's code scanning and others. What
// does not count stands there with its suppression. The error is the writer's.
func SARIF(w io.Writer, o Outcome) error {
	run := sarifRun{
		// category and empty run: two checkouts of one repository do not take each other's place
		Automation: sarifID{"goproxy-action/" + (&url.URL{Path: o.Command + "/" + o.Prefix}).EscapedPath()},
		Bases:      map[string]sarifBase{sourceRoot: {sarifText{Text: "the root of the repository"}}},
		// our columns count bytes; before a finding in a lock file there is next to nothing but ASCII
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	run.Tool.Driver = sarifDriver{Name: "goproxy-action", Version: plain(o.Version), URI: homepage, Rules: []sarifRule{}}
	index := map[string]int{}
	rule := func(r decide.Rule) int {
		i, known := index[r.ID]
		if !known {
			i = len(run.Tool.Driver.Rules)
			index[r.ID] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, ruleSARIF(r))
		}
		return i
	}
	for _, r := range o.Rules {
		rule(r)
	}
	found := 0
	if o.Decision != nil {
		found = len(o.Decision.Findings)
	}
	shown := func(yield func(line) bool) {
		left := maxResults
		for l := range lines(o.Decision) {
			if left--; left < 0 || !yield(l) {
				return
			}
		}
	}
	for l := range shown {
		rule(ruleOf(l))
	}
	run.Invocations = []sarifInvocation{invocationSARIF(o, found)}
	log := sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}
	return writeJSON(w, log, `"results": []`, func(yield func(any) bool) {
		seen := fingerprints{}
		for l := range shown {
			if !yield(resultSARIF(o, l, rule(ruleOf(l)), seen)) {
				return
			}
		}
	})
}

// ruleOf is what a finding tells of its rule: a policy of the user's may report one that it does not describe.
func ruleOf(l line) decide.Rule { return decide.Rule{ID: l.ID, Severity: l.Severity, Fix: l.Fix} }

// ruleSARIF leaves no text empty: GitHub refuses that. It gives no score, since none was measured.
func ruleSARIF(r decide.Rule) sarifRule {
	title := cmp.Or(strings.TrimSpace(r.Title), r.ID)
	about := cmp.Or(strings.TrimSpace(r.Description), title)
	full := bounded(about, maxDescription)
	out := sarifRule{ID: plain(r.ID), Short: sarifText{Text: bounded(title, maxDescription)}, Full: sarifText{Text: full},
		Help:       sarifText{withFix(full, r.Fix), prose(about)},
		Default:    sarifDefault{true, r.Severity},
		Properties: sarifProperty{[]string{"supply-chain", group(r.ID)}}}
	if r.Fix != "" {
		out.Help.Markdown += "\n\n**Fix:** " + prose(r.Fix)
	}
	if r.Severity == decide.Off {
		out.Default = sarifDefault{false, "none"}
	}
	return out
}

func resultSARIF(o Outcome, l line, rule int, seen fingerprints) sarifResult {
	name, row, ok := o.file(l)
	r := sarifResult{Rule: plain(l.ID), Index: rule, Level: l.grade(o.Decision.Mode), Locations: make([]sarifLocation, 1),
		Message: unlinked(l.remark())}
	print := seen.of(l, name)
	r.Fingerprints = map[string]string{"goproxyAction/v1": print}
	at := &r.Locations[0].Physical
	at.Artifact.URI, at.Artifact.Base = (&url.URL{Path: name}).String(), sourceRoot
	if ok {
		at.Region = &sarifRegion{row, max(l.Column, 1)}
	} else {
		// GitHub looks at this name only. Where there is a line, its upload-sarif computes it from the line's text and
		// warns of any other value; where there is none, all findings of a rule would be one without it.
		r.Fingerprints["primaryLocationLineHash"] = print
	}
	switch l.Status {
	case decide.Mended:
		r.Suppressions = []sarifSuppression{{"external", "setup overrides this setting"}}
	case decide.Waived:
		r.Suppressions = []sarifSuppression{{"external", cmp.Or(plain(l.waiver()), "waived")}}
	case decide.Known:
		r.Baseline = "unchanged"
	}
	return r
}

// invocationSARIF tells how the run ended. A denial is an end as it should be.
func invocationSARIF(o Outcome, found int) sarifInvocation {
	code := problem.CodeOf(o.Problem)
	out := sarifInvocation{Successful: code == problem.Clean || o.denial(code) || code == problem.Violations, ExitCode: int(code), Notifications: []sarifNotification{}}
	tell := func(level, text string) {
		out.Notifications = append(out.Notifications, sarifNotification{level, unlinked(text)})
	}
	for _, c := range troubles(o) {
		tell(decide.Error, withFix(plain(cause(c)), c.Hint))
	}
	if found > maxResults {
		tell(decide.Warning, fmt.Sprintf("%s left out here: code scanning takes %d (all are in the JSON report)", count(found-maxResults, "finding"), maxResults))
	} else if found > shownResults {
		tell(decide.Note, fmt.Sprintf("of %d findings code scanning shows the %d gravest", found, shownResults))
	}
	for _, n := range o.NotAsked {
		tell(decide.Note, "not asked: "+plain(n))
	}
	for _, n := range o.Notes {
		tell(decide.Note, plain(n))
	}
	return out
}

// unlinked is a message with words of strangers, in which "[text](address)" would be a link.
func unlinked(text string) sarifText {
	return sarifText{Text: strings.ReplaceAll(text, "](", "] (")}
}
