package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// Mirrors are sources that were sampled, and in which order they stand.
type Mirrors struct {
	// Sources are as choose.Rank puts them.
	Sources []choose.Ranked
	// Samples is how many were to be taken of each, Loads how many of them with a load.
	Samples, Loads int
}

// groups are the sources that stand in for each other.
func (m *Mirrors) groups() (out [][]choose.Ranked) {
	if m == nil {
		return nil
	}
	for i, r := range m.Sources {
		if i == 0 || kind(m.Sources[i-1]) != kind(r) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], r)
	}
	return out
}

// kind is what a group is called.
func kind(r choose.Ranked) string {
	if r.Source.Role == source.ChecksumDB {
		return r.Source.Ecosystem + ", checksum database"
	}
	return r.Source.Ecosystem
}

// best names the first of each ecosystem.
func (m *Mirrors) best() string {
	var out []string
	for _, group := range m.groups() {
		first := group[0]
		if first.Source.Role == source.ChecksumDB {
			continue // which stands in for no source
		}
		text := plain(first.Source.Ecosystem) + ": "
		switch {
		case first.Place != 1:
			text += "none of " + strconv.Itoa(names(group)) + " is verified"
			if first.Verified() {
				text = plain(first.Source.Ecosystem) + ": only what is switched off answers"
			}
		case names(group) == 1:
			text += plain(first.Source.ID) + " answers" + timed(first)
		default:
			text += plain(first.Source.ID) + " is the best of " + strconv.Itoa(names(group)) + timed(first)
		}
		out = append(out, text)
	}
	return cmp.Or(strings.Join(out, "; "), "no source was asked")
}

// names counts the sources of a group, each once.
func names(group []choose.Ranked) int {
	seen := map[string]bool{}
	for _, r := range group {
		seen[r.Source.URL] = true
	}
	return len(seen)
}

// timed is what was measured of a source, in brackets.
func timed(r choose.Ranked) string {
	facts := []string{"cold " + span(r.Cold.Median)}
	if r.Warm.N > 0 {
		facts = append([]string{"warm " + span(r.Warm.Median)}, facts...)
	}
	if r.Via == detect.ViaProxy {
		facts = append(facts, "through the proxy")
	}
	return " (" + strings.Join(facts, ", ") + ")"
}

func (m *Mirrors) asked() string {
	text := fmt.Sprintf("up to %s of each", count(m.Samples, "sample"))
	if m.Loads > 0 {
		text += ", " + strconv.Itoa(m.Loads) + " of them with a file of some hundred kilobytes"
	}
	return text + "; percentiles are by nearest rank, so that p95 of fewer than 20 is the longest"
}

// cells of the tables; "-" where nothing was measured.

func rate(r detect.Rates) string {
	if r.N == 0 {
		return "-"
	}
	return strconv.FormatFloat(float64(r.Median)/1e6, 'f', 2, 64)
}

func middle(s detect.Spread) string {
	if s.N == 0 {
		return "-"
	}
	return millis(s.Median)
}

func three(s detect.Spread) string {
	if s.N == 0 {
		return "-"
	}
	return millis(s.Min) + " / " + millis(s.Median) + " / " + millis(s.P95)
}

func place(r choose.Ranked) string {
	if r.Place == 0 {
		return "-"
	}
	return strconv.Itoa(r.Place)
}

func lookup(r choose.Ranked) string {
	switch {
	case r.LogLookup.N > 0:
		return millis(r.LogLookup.Median)
	case r.Source.Role == source.ModuleProxy && r.ChecksumDB == detect.No:
		return "no relay"
	}
	return "-"
}

// lag is how far the newest version of a source lies behind.
func lag(r choose.Ranked) string {
	switch {
	case r.Lag == nil:
		return "-"
	case *r.Lag == 0:
		return "none"
	case *r.Lag < 48*time.Hour:
		return strconv.FormatFloat(r.Lag.Hours(), 'f', 1, 64) + " h"
	}
	return strconv.Itoa(int(*r.Lag/(24*time.Hour))) + " d"
}

func address(r choose.Ranked) string {
	switch n := len(r.Addresses); n {
	case 0:
		return "-"
	case 1:
		return r.Addresses[0]
	default:
		return fmt.Sprintf("%s and %d more", r.Addresses[0], n-1)
	}
}

// operator is who runs a source, as far as anybody says.
func operator(r choose.Ranked) string {
	who := r.Source.Operator
	switch {
	case who != "":
	case r.Source.ID == source.Official:
		who = "the toolchain's default"
	case r.Source.Role == source.ChecksumDB && r.Source.Origin == source.Builtin:
		who = "the log's own host"
	case r.Source.Origin == source.User:
		who = "named by the configuration"
	case r.Source.Origin == source.Runner:
		who = "named by the runner"
	default:
		return "-"
	}
	return joined(", ", who, r.Source.Region)
}

// remark is what a reader has to know beside the figures.
func remark(r choose.Ranked) string {
	text := r.Why
	if r.LoadReason != "" && r.LoadReason != r.Why {
		text = joined("; ", text, "no throughput: "+r.LoadReason)
	}
	if len(r.Redirects) > 0 {
		text = joined("; ", text, "redirects to "+strings.Join(r.Redirects, ", "))
	}
	if r.GaveUp && r.Succeeded > 0 {
		text = joined("; ", text, "then asked no more")
	}
	if r.Cut && r.Tried > 0 {
		text = joined("; ", text, "the time was up before all samples were taken")
	}
	return text
}

// mirrors writes a table for each group.
func (p *page) mirrors(m *Mirrors) {
	for _, group := range m.groups() {
		p.heading("Mirrors: " + plain(kind(group[0])))
		rows := [][]string{{"#", "source", "via", "ok", "cold min / median / p95 ms", "warm ms", "MB/s", "log ms", "lag", "content", "address", "operator", "why not first"}}
		for _, r := range group {
			rows = append(rows, []string{place(r), r.Source.ID, r.Via, fmt.Sprintf("%d/%d", r.Succeeded, r.Tried), three(r.Cold), middle(r.Warm), rate(r.Throughput),
				lookup(r), lag(r), answer(r.Content, "verified", "FALSE"), address(r), operator(r), remark(r)})
		}
		p.table(rows, -1)
	}
	if m != nil && len(m.Sources) > 0 {
		p.item(m.asked())
	}
}

// mirrors writes the same for a page, with a bar for the time of a question.
func (m *sheet) mirrors(all *Mirrors) {
	for _, group := range all.groups() {
		var slowest time.Duration
		for _, r := range group {
			slowest = max(slowest, r.Warm.Median, r.Cold.Median)
		}
		t := m.table("Mirrors: "+prose(kind(group[0])), "place", "source", "via", "ok", "warm ms", "", "cold ms (p95)", "", "MB/s", "log ms", "lag", "content", "address", "operator", "why not first")
		for _, r := range group {
			cold := "-"
			if r.Cold.N > 0 {
				cold = millis(r.Cold.Median) + " (" + millis(r.Cold.P95) + ")"
			}
			t.row(place(r), code(r.Source.ID), prose(r.Via), fmt.Sprintf("%d/%d", r.Succeeded, r.Tried), middle(r.Warm), bar(r.Warm.Median, slowest),
				cold, bar(r.Cold.Median, slowest), rate(r.Throughput), lookup(r), lag(r), answer(r.Content, "verified", "FALSE"), unless(address(r), code), unless(operator(r), prose), prose(remark(r)))
		}
		t.end()
	}
	if all != nil && len(all.Sources) > 0 {
		m.WriteString("\n" + prose(all.asked()) + "\n")
	}
}

// unless marks up what is there.
func unless(cell string, markup func(string) string) string {
	if cell == "-" {
		return cell
	}
	return markup(cell)
}

// barWidth is how many characters the longest bar has.
const barWidth = 8

// bar is d as a part of the longest, in eighths of a character.
func bar(d, longest time.Duration) string {
	if d <= 0 || longest <= 0 {
		return ""
	}
	eighths := max(1, int((d*barWidth*8+longest/2)/longest))
	return strings.Repeat("█", eighths/8) + []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}[eighths%8]
}

type jsonMirrors struct {
	Samples int          `json:"samples"`
	Loads   int          `json:"loads"`
	Mirrors []jsonMirror `json:"mirrors"`
}

type jsonMirror struct {
	ID         string        `json:"id"`
	Ecosystem  string        `json:"ecosystem"`
	Role       string        `json:"role"`
	URL        string        `json:"url"`
	Origin     string        `json:"origin"`
	Via        string        `json:"via"`
	Place      *int          `json:"place"` // null for what is not verified, and for what is switched off
	Why        string        `json:"why"`
	Off        string        `json:"off"`
	Verified   bool          `json:"verified"`
	Tried      int           `json:"samples"`
	Succeeded  int           `json:"succeeded"`
	Cut        bool          `json:"cut"`
	GaveUp     bool          `json:"gave_up"`
	Content    *bool         `json:"content_verified"`
	ChecksumDB *bool         `json:"checksum_db"`
	Cold       *jsonSpread   `json:"cold"`
	Warm       *jsonSpread   `json:"warm"`
	Name       *jsonSpread   `json:"name"`
	Connect    *jsonSpread   `json:"connect"`
	TLS        *jsonSpread   `json:"tls"`
	Total      *jsonSpread   `json:"total"`
	LogLookup  *jsonSpread   `json:"log_lookup"`
	Throughput *jsonRates    `json:"throughput"`
	LoadReason string        `json:"load_reason"`
	Newest     *string       `json:"newest"`
	Lag        *ms           `json:"lag_ms"`
	Addresses  []string      `json:"addresses"`
	Redirects  []string      `json:"redirects"`
	Failures   []jsonFailure `json:"failures"`
	Operator   string        `json:"operator"`
	Region     string        `json:"region"`
	Claim      string        `json:"claim"`
	Checked    string        `json:"checked"`
	Limits     string        `json:"limits"`
}

// jsonSpread is null where nothing was measured.
type jsonSpread struct {
	N      int `json:"n"`
	Min    ms  `json:"min_ms"`
	Median ms  `json:"median_ms"`
	P95    ms  `json:"p95_ms"`
}

type jsonRates struct {
	N      int   `json:"n"`
	Min    int64 `json:"min_bytes_per_s"`
	Median int64 `json:"median_bytes_per_s"`
	P95    int64 `json:"p95_bytes_per_s"`
}

type jsonFailure struct {
	Reason string `json:"reason"`
	Fault  string `json:"fault"`
	Count  int    `json:"count"`
}

func mirrorsJSON(m *Mirrors) jsonMirrors {
	out := jsonMirrors{Mirrors: []jsonMirror{}}
	if m == nil {
		return out
	}
	out.Samples, out.Loads = m.Samples, m.Loads
	spread := func(s detect.Spread) *jsonSpread {
		if s.N == 0 {
			return nil
		}
		return &jsonSpread{s.N, ms(s.Min), ms(s.Median), ms(s.P95)}
	}
	for _, r := range m.Sources {
		s := r.Source
		j := jsonMirror{ID: s.ID, Ecosystem: s.Ecosystem, Role: s.Role, URL: redact(s.URL), Origin: s.Origin, Via: r.Via, Why: redact(r.Why), Off: redact(s.Off),
			Verified: r.Verified(), Tried: r.Tried, Succeeded: r.Succeeded, Cut: r.Cut, GaveUp: r.GaveUp, Content: r.Content.Bool(), ChecksumDB: r.ChecksumDB.Bool(),
			Cold: spread(r.Cold), Warm: spread(r.Warm), Name: spread(r.Name), Connect: spread(r.Connect), TLS: spread(r.TLS), Total: spread(r.Total), LogLookup: spread(r.LogLookup),
			LoadReason: redact(r.LoadReason), Lag: (*ms)(r.Lag), Addresses: redactAll(r.Addresses), Redirects: redactAll(r.Redirects), Failures: []jsonFailure{},
			Operator: redact(s.Operator), Region: redact(s.Region), Claim: redact(s.Claim), Checked: s.Checked, Limits: redact(s.Limits)}
		if r.Place > 0 {
			j.Place = &r.Place
		}
		if t := r.Throughput; t.N > 0 {
			j.Throughput = &jsonRates{t.N, t.Min, t.Median, t.P95}
		}
		if !r.Newest.IsZero() {
			newest := r.Newest.UTC().Format(time.RFC3339)
			j.Newest = &newest
		}
		for _, f := range r.Failures {
			j.Failures = append(j.Failures, jsonFailure{redact(f.Reason), string(f.Fault), f.Count})
		}
		out.Mirrors = append(out.Mirrors, j)
	}
	return out
}

// Answered tells whether a verified source of an ecosystem is there.
func (m *Mirrors) Answered(ecosystem string) bool {
	return slices.ContainsFunc(m.Sources, func(r choose.Ranked) bool {
		return r.Source.Ecosystem == ecosystem && r.Source.Role != source.ChecksumDB && r.Verified()
	})
}
