package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/diagnose"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxText bounds one text by a stranger, in bytes; a longer one says nothing more.
	maxText = 500
	// maxValue bounds the value of a change, which a person may want to copy. Long NO_PROXY lists have some 2,000 bytes.
	maxValue = 4000

	// maxLines is how many lines a block of findings has; the JSON report has all.
	maxLines = 3
	// maxEvidence is how many lines of evidence a page shows.
	maxEvidence = 8
)

// redact hides secrets, also those of an address that a control character breaks in two.
func redact(s string) string {
	if p := source.Plain(s, 0); p != s && source.Redact(p) != p {
		return source.Redact(p)
	}
	return source.Redact(s)
}

func redactAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = redact(t)
	}
	return out
}

// plain makes any text fit for one line of a terminal or of a CI log. A runner takes "::" for a command where a line
// begins with it, and "##[" wherever it stands (actions/runner, ActionCommand.TryParseV2 and TryParse).
func plain(s string) string { return bounded(s, maxText) }

func bounded(s string, limit int) string {
	s = strings.ReplaceAll(source.Plain(redact(s), limit), "##[", `##\x5b`)
	if begin := strings.TrimLeft(s, " "); strings.HasPrefix(begin, "::") {
		s = `\x3a` + begin[1:]
	}
	return s
}

// shown is a change's value without secrets; a value that nobody masked is not shown at all.
func shown(c inject.Change) string {
	if c.Shown == "" && c.Value != "" {
		return "***"
	}
	return redact(c.Shown)
}

// line is one finding, or what many entries of one lock file have in common, told by the first.
type line struct {
	decide.Finding
	// More is how many others it stands for.
	More int
	// again is true when a line of the same block says the same already.
	again bool
}

// block is the lines of one rule that count alike, those first that say something new: what is the same in a hundred
// files hides no other.
type block []line

// shown are the lines that people read.
func (b block) shown() []line { return b[:min(len(b), maxLines)] }

// rest counts what is not shown; it is empty where all is.
func (b block) rest() string {
	n, files := 0, map[string]bool{}
	for _, l := range b[len(b.shown()):] {
		n += 1 + l.More
		if l.File != "" {
			files[l.File] = true
		}
	}
	if n == 0 {
		return ""
	}
	where := ""
	if len(files) > 0 {
		where = " in " + count(len(files), "file")
	}
	return fmt.Sprintf("… and %d more of %s%s (all are in the JSON report)", n, b[0].ID, where)
}

// remedies are the next steps of a rule's findings, each told once.
type remedies map[[2]string]bool

// of is the next step after a line, and empty where it was told before, and where somebody has waived it.
func (r remedies) of(l line) string {
	k := [2]string{l.ID, l.Fix}
	if r[k] || l.Status == decide.Waived {
		return ""
	}
	r[k] = true
	return l.Fix
}

// word is how a finding counts: its severity, or the status that keeps it from counting. What was known before is told
// apart, with its severity.
func (l line) word() string {
	if l.Counting() || l.Status == decide.Known {
		return l.Severity
	}
	return l.Status
}

// waiver says who has taken the finding upon himself, and until when; it is empty where nobody has.
func (l line) waiver() string {
	switch w := l.Waiver; {
	case w != nil && l.Status == decide.Waived:
		return fmt.Sprintf("waived by %s until %s: %s", w.Owner, w.Expires, w.Reason)
	case w != nil:
		return fmt.Sprintf("the waiver by %s ended on %s: %s", w.Owner, w.Expires, w.Reason)
	}
	return ""
}

// known is what the base commit of the outcome has already, as a heading.
func (o Outcome) known() string {
	return "Known at " + cmp.Or(o.Base, "the base commit") + " already, not counted"
}

// about is the subject, unless the message names it already.
func (l line) about() string {
	if strings.Contains(l.Message, l.Subject) {
		return ""
	}
	return l.Subject
}

// text is what was found, the subject first.
func (l line) text() string { return joined(": ", l.about(), l.Message) }

func (l line) more() string {
	if l.More == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", l.More)
}

// place is file:line:column as far as known.
func (l line) place() string {
	p := l.File
	if p != "" && l.Line > 0 {
		p += ":" + strconv.Itoa(l.Line)
		if l.Column > 0 {
			p += ":" + strconv.Itoa(l.Column)
		}
	}
	return p
}

// remark is what was found and its next step, for a place that shows the file itself; what lies outside of the checkout
// is named.
func (l line) remark() string {
	text := plain(l.text()) + l.more()
	if w := l.waiver(); w != "" && l.Status != decide.Waived { // which is told where it is suppressed
		text += "\n" + plain(w)
	}
	text = withFix(text, l.Fix)
	if l.File != "" && !filepath.IsLocal(l.File) {
		text = plain(l.place()) + ": " + text
	}
	if l.Status == decide.StatusUnknown {
		text = "not answered: " + text
	}
	return text
}

// group is what the rules of one room of the policy begin with: lck for LCK001.
func group(id string) string { return strings.ToLower(strings.TrimRight(plain(id), "0123456789-_")) }

func withFix(message, fix string) string {
	if fix == "" {
		return message
	}
	return message + "\nfix: " + plain(fix)
}

// grade is the severity in a report that others act upon: in audit mode nothing is an error.
func (l line) grade(mode string) string {
	if l.Severity == decide.Error && mode == decide.Audit {
		return decide.Warning
	}
	return l.Severity
}

// excused is true for what does not count: the plan overrides it, or somebody has taken it upon himself.
func (l line) excused() bool { return l.Status == decide.Mended || l.Status == decide.Waived }

// lines are the findings one by one, the gravest first and otherwise as they come.
func lines(d *decide.Decision) iter.Seq[line] {
	return func(yield func(line) bool) {
		if d == nil {
			return
		}
		var ranked [ranks][]int
		for i, f := range d.Findings {
			r := line{Finding: f}.rank()
			ranked[r] = append(ranked[r], i)
		}
		for _, which := range ranked {
			for _, i := range which {
				if !yield(line{Finding: d.Findings[i]}) {
					return
				}
			}
		}
	}
}

// file is where a finding stands, from the root of the repository. What stands on no file of it gets the configuration,
// since there is no remark without a file; ok is false then, and the line is 1.
func (o Outcome) file(l line) (name string, row int, ok bool) {
	if filepath.IsLocal(l.File) {
		return path.Join(o.Prefix, redact(l.File)), max(l.Line, 1), true
	}
	return path.Join(o.Prefix, config.File), 1, false
}

// fingerprints know a finding again in a later run. Into one go the rule, the file, the subject, and the message without
// its subject and its numbers, which count, measure or name lines; not the line and the column, which move, nor how the
// finding counts. Equal ones are numbered in their order.
type fingerprints map[string]int

func (seen fingerprints) of(l line, file string) string {
	subject := redact(l.Subject)
	text := unnumbered(strings.ReplaceAll(redact(l.Message), subject, ""))
	sum := sha256.Sum256([]byte(strings.Join([]string{l.ID, file, subject, text}, "\x00")))
	key := hex.EncodeToString(sum[:16])
	seen[key]++
	return key + ":" + strconv.Itoa(seen[key])
}

// unnumbered writes a # for each number.
func unnumbered(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	digit := false
	for _, c := range []byte(s) {
		before := digit
		if digit = '0' <= c && c <= '9'; !digit {
			b.WriteByte(c)
		} else if !before {
			b.WriteByte('#')
		}
	}
	return b.String()
}

// blocks gathers the findings by rule, severity and status, the gravest first. Entries of one lock file with the same
// fault are one line; any other finding is a line of its own, since what it is about matters.
func blocks(d *decide.Decision) []block {
	if d == nil {
		return nil
	}
	type key struct{ id, severity, status, fault, waiver, file string }
	at, told := map[key]int{}, map[key]bool{}
	var all []line
	for _, f := range d.Findings {
		l := line{Finding: f}
		k := key{id: f.ID, severity: f.Severity, status: f.Status, fault: l.text(), waiver: l.waiver()}
		if strings.HasPrefix(f.ID, "LCK") {
			k.fault = strings.TrimPrefix(f.Message, f.Subject)
			inFile := k
			inFile.file = f.File
			if i, ok := at[inFile]; ok {
				all[i].More++
				continue
			}
			at[inFile] = len(all)
		}
		l.again, told[k] = told[k], true
		all = append(all, l)
	}
	status := func(l line) string {
		if l.Counting() {
			return decide.Active
		}
		return l.Status
	}
	order := func(a, b line) int {
		return cmp.Or(a.rank()-b.rank(), strings.Compare(a.ID, b.ID), strings.Compare(a.Severity, b.Severity), strings.Compare(status(a), status(b)))
	}
	slices.SortStableFunc(all, func(a, b line) int {
		if c := order(a, b); c != 0 || a.again == b.again {
			return c
		}
		if b.again {
			return -1
		}
		return 1
	})
	var out []block
	for i, l := range all {
		if i == 0 || order(all[i-1], l) != 0 {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], l)
	}
	return out
}

// split parts blocks from those that were known before.
func split(all []block) (found, known []block) {
	for _, b := range all {
		if b[0].Status == decide.Known {
			known = append(known, b)
		} else {
			found = append(found, b)
		}
	}
	return found, known
}

// quotable tells whether the line of the file is shown: of what counts, and stands in a file of the checkout.
func (l line) quotable() bool {
	return l.Counting() && (l.Severity == decide.Error || l.Severity == decide.Warning) && l.Line > 0 && filepath.IsLocal(l.File)
}

// Quoted are the places whose lines the text shows, where the outcome has them.
func Quoted(d *decide.Decision) []lockfile.Position {
	var out []lockfile.Position
	for _, b := range blocks(d) {
		for _, l := range b.shown() {
			if l.quotable() && !slices.Contains(out, l.Position) {
				out = append(out, l.Position)
			}
		}
	}
	return out
}

// words are what findings count as, the gravest first.
var words = [...]string{decide.Error, decide.StatusUnknown, decide.Warning, decide.Mended, decide.Note}

// ranks is how many ranks there are: of what counts, of the rest, and of what was known before.
const ranks = 2*len(words) + 1

// rank puts what counts first; waived ones come late, and what was known before last. A question without an answer ranks
// as high as what it is about.
func (l line) rank() int {
	word := l.word()
	if l.Status == decide.Known {
		return len(words) + 1 + slices.Index(words[:], word)
	}
	if word == decide.StatusUnknown && l.Severity != decide.Error {
		word = l.Severity
	}
	if i := slices.Index(words[:], word); i >= 0 {
		return i
	}
	return len(words)
}

// causes takes an error apart into problems; one that is none is our bug.
func causes(err error) []*problem.Problem {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*problem.Problem
		for _, e := range joined.Unwrap() {
			out = append(out, causes(e)...)
		}
		return out
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return []*problem.Problem{p}
	}
	return []*problem.Problem{{Code: problem.CodeOf(err), Err: err}}
}

// troubles are what kept the run from its end. A denial is no trouble: its findings tell it.
func troubles(o Outcome) []*problem.Problem {
	return slices.DeleteFunc(causes(o.Problem), func(p *problem.Problem) bool { return o.denial(p.Code) })
}

// denial tells whether a code is that of the decision itself.
func (o Outcome) denial(c problem.Code) bool {
	return o.Diagnosis != nil && c == problem.Unanswered || o.Decision != nil && (c == problem.Violations || c == problem.Security && o.Decision.Verdict == decide.Deny)
}

// cause is a problem without its next step.
func cause(p *problem.Problem) string {
	return (&problem.Problem{Op: p.Op, Err: p.Err}).Error()
}

// quiet is true when nothing was wrong and nothing was changed. Whatever was not decided or not answered is not quiet,
// nor is what was kept though it fails; and detect is asked by a person who wants to see.
func quiet(o Outcome) bool {
	if o.Problem != nil || len(o.Changes) > 0 || len(o.Unavailable) > 0 || o.Command == "detect" {
		return false
	}
	if o.Decision == nil {
		return o.Command == "restore"
	}
	if o.Log != nil && o.Command == "verify" && (len(o.Log.Vendored) > 0 || o.Log.Noted) {
		return false
	}
	if o.Decision.Verdict != decide.Allow || slices.ContainsFunc(o.Decision.Findings, func(f decide.Finding) bool {
		return f.Severity != decide.Note || f.Status == decide.StatusUnknown
	}) {
		return false
	}
	if o.Detect != nil && (o.Detect.Class == detect.Captive || o.Detect.Class == detect.Offline) {
		return false
	}
	return o.Plan == nil || !slices.ContainsFunc(o.Plan.Choices, func(c choose.Choice) bool {
		return !c.Kept || c.Failing || slices.ContainsFunc(c.Sources, func(p choose.Picked) bool { return failed(o.Detect, p) })
	})
}

// failed is true when a source was asked and answered by no way.
func failed(r *detect.Report, p choose.Picked) bool {
	if r == nil {
		return false
	}
	asked := false
	for _, row := range r.Rows {
		if row.Source.ID == p.ID && row.Source.Ecosystem == p.Ecosystem && row.Source.URL == p.URL {
			if row.OK {
				return false
			}
			asked = true
		}
	}
	return asked
}

// Line is the one line for a log: the network, the sources, the decision and what was changed. It is all there is to
// say where nothing was wrong.
func Line(o Outcome) string {
	var notes string
	if len(o.NotAsked) > 0 {
		notes = "not asked: " + plainList(o.NotAsked, "; ")
	}
	if n := len(o.Notes) + noted(o.Decision); n > 0 {
		notes = joined("; ", notes, count(n, "note")+" in the JSON report")
	}
	return sentence(joined("; ", joined(", ", network(o), ways(o)), verdict(o), effect(o), notes), o)
}

func sentence(text string, o Outcome) string {
	return "goproxy-action: " + text + " (" + span(o.Duration) + ")"
}

func noted(d *decide.Decision) (n int) {
	if d != nil {
		for _, f := range d.Findings {
			if f.Severity == decide.Note {
				n++
			}
		}
	}
	return n
}

// unwell names the package managers whose first source fails, and who says what mends it.
func unwell(r *detect.Report) string {
	var first, failed []string
	if r == nil {
		return ""
	}
	for _, row := range r.Rows {
		if slices.Contains(first, row.Source.Ecosystem) {
			continue
		}
		if first = append(first, row.Source.Ecosystem); !row.OK && !row.Absent {
			failed = append(failed, plain(row.Source.ID)+" ("+plain(row.Source.Ecosystem)+")")
		}
	}
	if len(failed) == 0 {
		return ""
	}
	return "failing: " + strings.Join(failed, ", ") + "; goproxy-action doctor says what mends it"
}

// network is the class, and who opens TLS if somebody does.
func network(o Outcome) string {
	if o.Detect == nil || o.Detect.Class == detect.Unknown && len(o.Detect.Rows) == 0 {
		if o.Command == "detect" {
			return "no source was asked"
		}
		return ""
	}
	text := class(o.Detect) + " network"
	if o.Detect.Intercepted == detect.Yes {
		text += ", TLS intercepted by " + plain(o.Detect.Issuer)
	}
	return text
}

func class(r *detect.Report) string {
	if r == nil || r.Class == "" {
		return string(detect.Unknown)
	}
	return string(r.Class)
}

// ways tells which sources are in force, and what was measured of them.
func ways(o Outcome) string {
	if o.Plan == nil {
		return ""
	}
	var out []string
	for _, c := range o.Plan.Choices {
		if len(c.Sources) == 0 {
			continue
		}
		var names []string
		for _, p := range c.Sources {
			var facts []string
			if p.Latency > 0 {
				facts = append(facts, span(p.Latency))
			}
			if p.Via == detect.ViaProxy {
				facts = append(facts, "through the proxy")
			}
			if p.ChecksumDB {
				facts = append(facts, "checksum database relayed")
			}
			name := plain(p.ID)
			if len(facts) > 0 {
				name += " (" + strings.Join(facts, ", ") + ")"
			}
			names = append(names, name)
		}
		way := joined(" by ", plain(c.Ecosystem)+" via "+strings.Join(names, ", "), strategy(c))
		if c.Failing {
			way += ", which does not work"
		}
		out = append(out, way)
	}
	return strings.Join(out, ", ")
}

// verdict is the decision in words, as it came about.
func verdict(o Outcome) string {
	d := o.Decision
	switch o.Command {
	case "verify":
		return joined("; ", verified(o), judged(d))
	case "mirrors":
		return o.Mirrors.best()
	case "detect":
		return unwell(o.Detect)
	}
	if d == nil {
		if o.Diagnosis != nil || o.Command == "doctor" || o.Command == "restore" || o.Problem != nil {
			return ""
		}
		return "not decided"
	}
	found, rest := counted(d)
	audit := ""
	if d.Mode == decide.Audit {
		audit = " (audit mode)"
	}
	switch d.Verdict {
	case decide.Allow:
		allowed := " allowed"
		if o.Verdict() != decide.Allow {
			allowed = " would be allowed"
		}
		return joined(", ", pinned(d.Counts)+allowed+audit, found, rest)
	case decide.Failed:
		return joined(": ", "not decided"+audit, joined(", ", cmp.Or(found, "a rule could not be answered"), rest))
	case decide.Undecided, decide.Deny:
	}
	if audit != "" {
		return joined(": ", "would be denied"+audit, joined(", ", found, rest))
	}
	return joined(": ", "denied", joined(", ", found, rest))
}

// counted are the findings by number: those that count, and the rest.
func counted(d *decide.Decision) (found, rest string) {
	errs, warnings, waived, known := "", "", "", ""
	if d.Counts.Errors > 0 {
		errs = count(d.Counts.Errors, "error")
	}
	if d.Counts.Warnings > 0 {
		warnings = count(d.Counts.Warnings, "warning")
	}
	if d.Counts.Waived > 0 {
		waived = strconv.Itoa(d.Counts.Waived) + " waived"
	}
	if d.Counts.Known > 0 {
		known = strconv.Itoa(d.Counts.Known) + " known already"
	}
	return joined(", ", errs, warnings), joined(", ", waived, known)
}

// judged is what of verify's findings counts.
func judged(d *decide.Decision) string {
	if d == nil {
		return ""
	}
	found, rest := counted(d)
	return joined(", ", found, rest)
}

func pinned(c decide.Counts) string {
	var m, p string
	if c.Modules > 0 {
		m = count(c.Modules, "module")
	}
	if c.Packages > 0 {
		p = count(c.Packages, "package")
	}
	return cmp.Or(joined(" and ", m, p), "nothing pinned here, settings")
}

// effect is what was done.
func effect(o Outcome) string {
	n := count(len(o.Changes), "setting")
	switch {
	case o.Command == "restore" && len(o.Changes) == 0:
		return "nothing to restore"
	case o.Command == "restore" && o.Applied:
		return n + " restored"
	case o.Command != "setup" && o.Command != "restore":
		return ""
	case len(o.Changes) == 0:
		return "nothing changed"
	case o.Applied:
		return joined(", ", n+" changed", plain(o.Where))
	}
	return n + " not changed"
}

// joined joins what is not empty.
func joined(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

func plainList(texts []string, sep string) string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = plain(t)
	}
	return strings.Join(out, sep)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// millis is a duration in milliseconds, with a decimal below ten.
func millis(d time.Duration) string {
	digits := 0
	if d < 10*time.Millisecond {
		digits = 1
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', digits, 64)
}

func span(d time.Duration) string { return millis(d) + " ms" }

// proof is what proves the class, in at most so many sentences, then the proxies in force, and who opens TLS.
func proof(r *detect.Report, most int) []string {
	out := slices.Clone(r.Evidence[:min(len(r.Evidence), most)])
	if over := len(r.Evidence) - len(out); over > 0 {
		out = append(out, fmt.Sprintf("and %d more", over))
	}
	for _, x := range r.Proxies {
		out = append(out, "proxy for "+x.Scheme+": "+x.URL+" (from "+x.Origin+")")
	}
	if !slices.ContainsFunc(out, func(e string) bool { return strings.HasPrefix(e, "TLS is intercepted") }) {
		out = append(out, intercepted(r))
	}
	return out
}

// intercepted tells the three-valued answer in words.
func intercepted(r *detect.Report) string {
	switch r.Intercepted {
	case detect.Yes:
		return "TLS is intercepted by " + cmp.Or(r.Issuer, "an unnamed issuer")
	case detect.No:
		return "TLS is not intercepted"
	case detect.NotKnown:
	}
	return "whether TLS is intercepted is not known"
}

func answer(a detect.Answer, yes, no string) string {
	switch a {
	case detect.Yes:
		return yes
	case detect.No:
		return no
	case detect.NotKnown:
	}
	return "unknown"
}

// choice is what was chosen for an ecosystem, without the reason.
func choice(c choose.Choice) string {
	var names []string
	for _, p := range c.Sources {
		names = append(names, p.ID)
	}
	if c.GoDirect {
		names = append(names, "direct")
	}
	text := strings.Join(names, ", ")
	left := "left as it is"
	if c.Failing {
		left += ", though it does not work"
	}
	switch {
	case c.Kept && text == "":
		text = left
	case c.Kept:
		text += " (" + left + ")"
	case text == "":
		text = "no usable source"
	}
	if c.SumDB == "" {
		return text
	}
	if c.Kept {
		text += "; only GOSUMDB changes"
	}
	return text + "; checksum database by " + c.SumDB
}

// strategy is the one that decided, where it is not the default.
func strategy(c choose.Choice) string {
	if c.Strategy == "" || c.Strategy == choose.Stay {
		return ""
	}
	return "strategy " + c.Strategy
}

// steps are the measured durations of a row in the order of the tables' columns; "-" where a step did not happen.
func steps(r detect.Row) []string {
	out := make([]string, 0, 4)
	for _, d := range []time.Duration{r.Name, r.Connect, r.TLS, r.FirstByte} {
		if d == 0 {
			out = append(out, "-")
		} else {
			out = append(out, millis(d))
		}
	}
	return out
}

// state of a source that nobody could ask for want of a name server is no failure of its own.
func state(r detect.Row) string {
	switch {
	case r.OK:
		return "ok"
	case r.Cause == detect.NamesDown:
		return string(diagnose.Skipped)
	}
	return "failed"
}

func relay(r detect.Row) string {
	if r.Source.Role == source.Registry {
		return "-"
	}
	return answer(r.ChecksumDB, "relayed", "no")
}
