package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// Log is what the transparency log of a checksum database said of the lines of go.sum.
type Log struct {
	// Name is the database's.
	Name string
	// Lines count each line once, in however many files it stands.
	Lines decide.LogLines
	// Tree is the size of the tree that all was compared with, Head its head as it was signed; empty where there is none.
	Tree int64
	Head string
	// Consistent tells whether that head continues the one that was remembered; nil where none was.
	Consistent *bool
	// Source is where the head comes from: a source's name, cache or proof. Since is when it was first seen here, Lag by how
	// many records the heads of sources lay behind.
	Source string
	Since  time.Time
	Lag    int64
	// Requests and Bytes are what was asked and what came.
	Requests, Bytes int64
	// Problems are the lines that are neither verified nor private, at each of their places, and what of the module cache is
	// not what the log has.
	Problems []LogProblem
	// Private are the modules that nobody was asked about.
	Private []string
	Lies    []string
	Fork    *checksumdb.Fork
	// Vendored are modules of vendor directories whose zip no verified line has.
	Vendored []LogProblem
	// Held is of how many lines the module cache had something; 0 where it was not looked at.
	Held int
	// CachePath is the file of what is remembered, CacheKey a key for it that changes with the log; empty where nothing is.
	CachePath, CacheKey string
	// Noted is true where a note is about what was compared, or how: a person has to see it, though all is well.
	Noted bool
	// Proof is the proof file that was asked for; nil where none was, or nothing is proven.
	Proof []byte
}

// LogProblem is one of them.
type LogProblem struct {
	lockfile.Position
	Module, Version string
	// Status is mismatch, absent, unverified or cached.
	Status string
	// Want is the hash of the line, Log that of the log, Reason why it is so; empty where there is none.
	Want, Log, Reason string
}

// jsonLog is the same for programs.
type jsonLog struct {
	Database   string           `json:"database"`
	Lines      decide.LogLines  `json:"lines"`
	Tree       int64            `json:"tree_size"`
	Head       string           `json:"head"`
	Consistent *bool            `json:"consistent"`
	Source     string           `json:"source"`
	Since      *string          `json:"since"`
	Lag        int64            `json:"lag"`
	Requests   int64            `json:"requests"`
	Bytes      int64            `json:"bytes"`
	Problems   []jsonLogProblem `json:"problems"`
	Private    []string         `json:"private"`
	Lies       []string         `json:"lies"`
	Fork       *jsonFork        `json:"fork"`
	Vendored   []jsonLogProblem `json:"vendored_unproven"`
	Held       int              `json:"modcache_lines"`
	Cache      *jsonCache       `json:"cache"`
}

type jsonLogProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Module  string `json:"module"`
	Version string `json:"version"`
	Status  string `json:"status"`
	Want    string `json:"want"`
	Log     string `json:"log"`
	Reason  string `json:"reason"`
}

// jsonFork stands for itself: the heads are signed notes, the hashes are those of RFC 6962 in base64.
type jsonFork struct {
	Older  string   `json:"older"`
	Newer  string   `json:"newer"`
	Source string   `json:"source"`
	Root   string   `json:"root"`
	Proof  []string `json:"proof"`
	// OlderParts and NewerParts are there where the proof is not.
	OlderParts []string `json:"older_parts"`
	NewerParts []string `json:"newer_parts"`
}

type jsonCache struct {
	Path string `json:"path"`
	Key  string `json:"key"`
}

// logJSON has empty arrays where there is nothing to tell.
func logJSON(l *Log) jsonLog {
	if l == nil {
		l = &Log{}
	}
	problems := func(all []LogProblem) []jsonLogProblem {
		out := make([]jsonLogProblem, len(all))
		for i, p := range all {
			out[i] = jsonLogProblem{redact(p.File), p.Line, p.Column, redact(p.Module), redact(p.Version), p.Status, redact(p.Want), redact(p.Log), redact(p.Reason)}
		}
		return out
	}
	j := jsonLog{Database: l.Name, Lines: l.Lines, Tree: l.Tree, Head: l.Head, Consistent: l.Consistent, Source: redact(l.Source), Lag: l.Lag,
		Requests: l.Requests, Bytes: l.Bytes, Problems: problems(l.Problems), Private: redactAll(l.Private), Lies: redactAll(l.Lies),
		Vendored: problems(l.Vendored), Held: l.Held}
	if !l.Since.IsZero() {
		since := l.Since.UTC().Format(time.RFC3339)
		j.Since = &since
	}
	if f := l.Fork; f != nil {
		j.Fork = &jsonFork{string(f.Older), string(f.Newer), redact(f.Source), f.Root.String(), base64s(f.Proof), base64s(f.OlderParts), base64s(f.NewerParts)}
	}
	if l.CachePath != "" {
		j.Cache = &jsonCache{redact(l.CachePath), l.CacheKey}
	}
	return j
}

func base64s(hashes []tlog.Hash) []string {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		out[i] = h.String()
	}
	return out
}

// compared is null where nobody compared anything.
func compared(o Outcome) *jsonLog {
	if o.Log == nil {
		return nil
	}
	l := logJSON(o.Log)
	return &l
}

// verified is what verify found, in one line.
func verified(o Outcome) string {
	l := o.Log
	if l == nil {
		if o.Decision == nil {
			return ""
		}
		return "no line of go.sum to verify"
	}
	n := l.Lines
	var text string
	switch {
	case n.Total == 0:
		return "no line of go.sum to verify"
	case n.Verified == n.Total:
		text = count(n.Total, "line") + " of go.sum verified"
	default:
		text = strconv.Itoa(n.Verified) + " of " + count(n.Total, "line") + " of go.sum verified"
	}
	text += " by " + plain(l.Name)
	if l.Tree > 0 {
		text += " (tree " + strconv.FormatInt(l.Tree, 10) + ", " + l.history() + ")"
	}
	for _, rest := range []struct {
		n    int
		what string
	}{{n.Mismatch, "not as the log has them"}, {n.Absent, "not in the log"}, {n.Private, "private"}, {n.Unverified, "not verified"}} {
		if rest.n > 0 {
			text += ", " + strconv.Itoa(rest.n) + " " + rest.what
		}
	}
	if l.Held > 0 {
		text += ", " + strconv.Itoa(l.Held) + " compared with the module cache"
	}
	return text + ", " + count(int(l.Requests), "request")
}

// history is how the head that was used relates to the one that was remembered.
func (l *Log) history() string {
	switch {
	case l.Consistent != nil && !*l.Consistent:
		return "NOT consistent with the head remembered"
	case l.Consistent != nil:
		return "consistent with the head remembered"
	case l.Source == "cache":
		return "as remembered"
	case l.Source == "proof":
		return "that of the proof file"
	}
	return "the first head seen here"
}

// log writes what of the log a person has to see beside the findings.
func (p *page) log(o Outcome) {
	l := o.Log
	if l == nil {
		return
	}
	if f := l.Fork; f != nil {
		p.heading("Evidence, to be kept: two heads that the log has signed")
		for _, head := range [][]byte{f.Older, f.Newer} {
			for line := range strings.Lines(string(head)) {
				p.WriteString("  | " + plain(strings.TrimRight(line, "\n")) + "\n")
			}
		}
		for _, shown := range []struct {
			what   string
			hashes []tlog.Hash
		}{{"the tree of the larger one begins with another root, " + f.Root.String() + ", which these hashes prove:", f.Proof},
			{"the smaller one is made of the complete subtrees with these roots:", f.OlderParts},
			{"and the larger one of these, of which the first ones cover the same records:", f.NewerParts}} {
			if len(shown.hashes) > 0 {
				p.item(shown.what)
				for _, h := range shown.hashes {
					p.WriteString("  | " + h.String() + "\n")
				}
			}
		}
	}
	p.section("Vendored modules that no verified line covers", named(l.Vendored))
	// where nothing is verified the findings say why
	if open := slices.DeleteFunc(slices.Clone(l.Problems), func(p LogProblem) bool { return p.Status != string(checksumdb.Unverified) }); o.Command == "verify" && l.Lines.Verified > 0 {
		p.section("Lines that are not verified", named(open))
	}
}

// maxNamed is how many lines are named in the text; the JSON report has all.
const maxNamed = 20

// named are places with what stands there.
func named(problems []LogProblem) (all []string) {
	for i, p := range problems {
		if i == maxNamed {
			return append(all, "and "+strconv.Itoa(len(problems)-i)+" more, in the JSON report")
		}
		text := p.File + ":" + strconv.Itoa(p.Line) + " " + p.Module + "@" + p.Version
		if p.Reason != "" {
			text += ": " + p.Reason
		}
		all = append(all, text)
	}
	return all
}

// remembered are the head that all was compared with, and where to find what is remembered; empty where there is none, and
// for others than verify.
func remembered(o Outcome) string {
	if o.Command != "verify" || o.Log == nil {
		return ""
	}
	var b strings.Builder
	if lines := strings.SplitN(o.Log.Head, "\n", 4); len(lines) == 4 {
		b.WriteString("  head: " + plain(lines[2]) + "\n")
	}
	if o.Log.CachePath != "" {
		b.WriteString("  cache: " + source.Plain(o.Log.CachePath, 0) + " (key " + plain(o.Log.CacheKey) + ")\n")
	}
	return b.String()
}
