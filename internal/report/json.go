package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/problem"
)

// ms is a duration as a number of milliseconds with three decimals.
type ms time.Duration

func (d ms) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(d)/float64(time.Millisecond), 'f', 3, 64), nil
}

// step is null for a step that did not happen.
func step(d time.Duration) *ms {
	if d == 0 {
		return nil
	}
	return (*ms)(&d)
}

type jsonDetect struct {
	jsonNetwork
	Duration ms `json:"duration_ms"`
}

type jsonNetwork struct {
	Class    string       `json:"class"`
	TLS      jsonTLS      `json:"tls"`
	Proxies  []jsonProxy  `json:"proxies"`
	Sources  []jsonSource `json:"sources"`
	Evidence []string     `json:"evidence"`
	jsonTruth
}

type jsonTLS struct {
	Intercepted *bool   `json:"intercepted"`
	Issuer      *string `json:"issuer"`
	SPKI        *string `json:"spki"`
}

type jsonProxy struct {
	Scheme string `json:"scheme"`
	URL    string `json:"url"`
	Origin string `json:"origin"`
}

type jsonSource struct {
	ID         string   `json:"id"`
	Ecosystem  string   `json:"ecosystem"`
	URL        string   `json:"url"`
	Via        string   `json:"via"`
	OK         bool     `json:"ok"`
	State      string   `json:"state"` // ok, failed, or skipped: not asked, since no name server answers
	Reason     string   `json:"reason"`
	Cause      string   `json:"cause"`
	Content    *bool    `json:"content_verified"`
	ChecksumDB *bool    `json:"checksum_db"`
	Name       *ms      `json:"name_ms"`
	Connect    *ms      `json:"connect_ms"`
	TLS        *ms      `json:"tls_ms"`
	FirstByte  *ms      `json:"ttfb_ms"`
	IPs        []string `json:"ips"`
}

type jsonPlan struct {
	Sources []jsonPicked `json:"sources"`
	Choices []jsonChoice `json:"choices"`
}

type jsonPicked struct {
	ID         string `json:"id"`
	Ecosystem  string `json:"ecosystem"`
	URL        string `json:"url"`
	Via        string `json:"via"`
	Why        string `json:"why"`
	Latency    *ms    `json:"latency_ms"`
	ChecksumDB bool   `json:"checksum_db"`
}

type jsonChoice struct {
	Ecosystem string `json:"ecosystem"`
	Strategy  string `json:"strategy"`
	Kept      bool   `json:"kept"`
	Why       string `json:"why"`
}

// jsonDecision is what was decided and why.
type jsonDecision struct {
	// Decision is allow, deny or error. It is error also where the policy allows and the run was not finished all the
	// same (the key error then says why, its exit_code is not 0): an allow that did not come about is not an allow.
	Decision string        `json:"decision"`
	Mode     string        `json:"mode"`
	Base     *string       `json:"base"` // null where all findings count
	Findings []jsonFinding `json:"findings"`
	Counts   decide.Counts `json:"counts"`
}

type jsonFinding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Status   string `json:"status"`
	Message  string `json:"message"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Subject  string `json:"subject"`
	Fix      string `json:"fix"`
	// Waiver is null where there is none, in force or ended.
	Waiver *decide.Waiver `json:"waiver"`
}

type jsonInjection struct {
	Changes []jsonChange `json:"changes"`
	Applied bool         `json:"applied"`
	Proof   string       `json:"proof"`
}

type jsonChange struct {
	Kind      string `json:"kind"`
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Value     string `json:"value"`
	Why       string `json:"why"`
}

// jsonEnd is what every command ends with.
type jsonEnd struct {
	NotAsked    []string   `json:"not_asked"`
	Notes       []string   `json:"notes"`
	Unavailable []string   `json:"unavailable"`
	Error       *jsonError `json:"error"`
	Duration    ms         `json:"duration_ms"`
}

type jsonError struct {
	Message  string `json:"message"`
	Hint     string `json:"hint"`
	ExitCode int    `json:"exit_code"`
}

// JSON writes the outcome for programs. Keys stand in a fixed order, arrays are never null, and what is not known is.
// The error is the writer's.
func JSON(w io.Writer, o Outcome) error {
	var document any
	switch o.Command {
	case "detect":
		document = struct {
			jsonNetwork
			jsonMachine
			jsonEnd
		}{networkJSON(o.Detect), machineJSON(o.Machine), endJSON(o)}
	case "doctor":
		document = struct {
			jsonDiagnosis
			Detect jsonDetect `json:"detect"`
			jsonMachine
			jsonEnd
		}{diagnosisJSON(o.Diagnosis), detectJSON(o.Detect), machineJSON(o.Machine), endJSON(o)}
	case "check":
		document = struct {
			jsonDecision
			Log *jsonLog `json:"log"`
			jsonEnd
		}{decisionJSON(o), compared(o), endJSON(o)}
	case "verify":
		document = struct {
			jsonLog
			jsonDecision
			jsonEnd
		}{logJSON(o.Log), decisionJSON(o), endJSON(o)}
	case "mirrors":
		document = struct {
			jsonMirrors
			jsonEnd
		}{mirrorsJSON(o.Mirrors), endJSON(o)}
	case "restore":
		document = struct {
			jsonInjection
			jsonEnd
		}{injectionJSON(o), endJSON(o)}
	default:
		document = struct {
			Detect jsonDetect `json:"detect"`
			Plan   jsonPlan   `json:"plan"`
			jsonDecision
			Log *jsonLog `json:"log"`
			jsonInjection
			jsonEnd
		}{detectJSON(o.Detect), planJSON(o), decisionJSON(o), compared(o), injectionJSON(o), endJSON(o)}
	}
	if o.Decision == nil || o.Command == "detect" || o.Command == "mirrors" || o.Command == "restore" {
		return writeJSON(w, document, "", nil)
	}
	return writeJSON(w, document, `"findings": []`, func(yield func(any) bool) {
		for _, f := range o.Decision.Findings {
			j := jsonFinding{f.ID, f.Severity, f.Status, redact(f.Message), f.File, f.Line, f.Column, redact(f.Subject), redact(f.Fix), nil}
			if w := f.Waiver; w != nil {
				j.Waiver = &decide.Waiver{Reason: redact(w.Reason), Owner: redact(w.Owner), Expires: w.Expires}
			}
			if !yield(j) {
				return
			}
		}
	})
}

// writeJSON writes a document for programs that a terminal and a runner's log can take as well. Items may be very many:
// they are written one by one into an array of the document that is empty, found by its text. No string holds that text,
// since a quotation mark in a string has a backslash before it. The error is the writer's, or a Problem.
func writeJSON(w io.Writer, document any, empty string, items iter.Seq[any]) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	encode := func(v any, indent string) (string, error) {
		b.Reset()
		e.SetIndent(indent, "  ")
		if err := e.Encode(v); err != nil {
			return "", problem.New(problem.Bug, "report", "", "%w", err)
		}
		return visible(b.String()), nil
	}
	text, err := encode(document, "")
	if err != nil {
		return err
	}
	if items == nil {
		_, err := io.WriteString(w, text)
		return err
	}
	before, after, ok := strings.Cut(text, empty)
	if !ok {
		return problem.New(problem.Bug, "report", "", "it lacks %s", empty)
	}
	line := before[strings.LastIndexByte(before, '\n')+1:]
	outer := line[:len(line)-len(strings.TrimLeft(line, " "))]
	out := bufio.NewWriterSize(w, 64<<10)
	write := func(texts ...string) bool {
		for _, t := range texts {
			if err == nil {
				_, err = out.WriteString(t)
			}
		}
		return err == nil
	}
	write(before, strings.TrimSuffix(empty, "]"))
	between, end := "\n", "]"
	for item := range items {
		text, e := encode(item, outer+"  ")
		if e != nil {
			return e
		}
		if !write(between, outer, "  ", strings.TrimSuffix(text, "\n")) {
			break
		}
		between, end = ",\n", "\n"+outer+"]"
	}
	write(end, after)
	return cmp.Or(err, out.Flush())
}

// visible writes what a terminal could be deceived by as JSON escapes, and breaks up "##[", which is a command to a
// runner wherever it stands in a line. Such characters stand in strings only, and the value stays the same.
func visible(document string) string {
	document = strings.ReplaceAll(document, "##[", `##\u005b`)
	if !strings.ContainsFunc(document, func(r rune) bool { return r >= 0x7f }) {
		return document
	}
	var b strings.Builder
	for _, r := range document {
		switch {
		case r < 0x7f || unicode.IsGraphic(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func detectJSON(r *detect.Report) jsonDetect {
	out := jsonDetect{jsonNetwork: networkJSON(r)}
	if r != nil {
		out.Duration = ms(r.Duration)
	}
	return out
}

func networkJSON(r *detect.Report) jsonNetwork {
	d := jsonNetwork{Class: class(r), Proxies: []jsonProxy{}, Sources: []jsonSource{}, Evidence: []string{}, jsonTruth: truthJSON(r)}
	if r == nil {
		return d
	}
	d.TLS.Intercepted = r.Intercepted.Bool()
	if r.Intercepted == detect.Yes {
		issuer := redact(r.Issuer)
		d.TLS.Issuer, d.TLS.SPKI = &issuer, &r.SPKI
	}
	for _, p := range r.Proxies {
		d.Proxies = append(d.Proxies, jsonProxy{p.Scheme, redact(p.URL), p.Origin})
	}
	for _, row := range r.Rows {
		d.Sources = append(d.Sources, sourceJSON(row))
	}
	d.Evidence = redactAll(r.Evidence)
	return d
}

func sourceJSON(row detect.Row) jsonSource {
	return jsonSource{
		ID: row.Source.ID, Ecosystem: row.Source.Ecosystem, URL: redact(row.Source.URL), Via: row.Via,
		OK: row.OK, State: state(row), Reason: redact(row.Reason), Cause: string(row.Cause), Content: row.Content.Bool(), ChecksumDB: row.ChecksumDB.Bool(),
		Name: step(row.Name), Connect: step(row.Connect), TLS: step(row.TLS), FirstByte: step(row.FirstByte),
		IPs: append([]string{}, row.IPs...),
	}
}

func planJSON(o Outcome) jsonPlan {
	p := jsonPlan{Sources: []jsonPicked{}, Choices: []jsonChoice{}}
	if o.Plan == nil {
		return p
	}
	for _, c := range o.Plan.Choices {
		p.Choices = append(p.Choices, jsonChoice{c.Ecosystem, cmp.Or(c.Strategy, choose.Stay), c.Kept, redact(c.Why)})
		for _, s := range c.Sources {
			p.Sources = append(p.Sources, jsonPicked{
				ID: s.ID, Ecosystem: c.Ecosystem, URL: redact(s.URL), Via: cmp.Or(s.Via, "unknown"),
				Why: redact(c.Why), Latency: step(s.Latency), ChecksumDB: s.ChecksumDB,
			})
		}
	}
	return p
}

// decisionJSON is a decision without its findings. It says error where nothing was decided: no answer is never an
// allowance.
func decisionJSON(o Outcome) jsonDecision {
	out := jsonDecision{Decision: o.Verdict().String(), Findings: []jsonFinding{}}
	if d := o.Decision; d != nil {
		out.Mode, out.Counts = d.Mode, d.Counts
		if o.Base != "" {
			base := redact(o.Base)
			out.Base = &base
		}
	}
	return out
}

func injectionJSON(o Outcome) jsonInjection {
	out := jsonInjection{Changes: []jsonChange{}, Applied: o.Applied, Proof: redact(o.Proof)}
	for _, c := range o.Changes {
		out.Changes = append(out.Changes, jsonChange{c.Kind, c.Ecosystem, c.Name, shown(c), redact(c.Why)})
	}
	return out
}

func endJSON(o Outcome) jsonEnd {
	out := jsonEnd{NotAsked: redactAll(o.NotAsked), Notes: redactAll(o.Notes), Unavailable: redactAll(o.Unavailable), Duration: ms(o.Duration)}
	if o.Problem != nil {
		out.Error = &jsonError{ExitCode: int(problem.CodeOf(o.Problem))}
		for _, c := range causes(o.Problem) {
			out.Error.Message = joined("; ", out.Error.Message, redact(cause(c)))
			out.Error.Hint = joined("; ", out.Error.Hint, redact(c.Hint))
		}
	}
	return out
}
