// Package checksumdb proves lines of go.sum against the transparency log of a checksum database
// (https://go.dev/design/25530-sumdb).
//
// The go command asks that log only about modules that have no line yet, and never about a line that stands there
// (golang/go#47752). Here every line is compared with the log's own record, and that record is proven to be in the tree
// whose head the log's key has signed. What is not proven is not called verified, whatever the reason.
package checksumdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Status is what is known of a line.
type Status string

// Statuses. Only Verified is proven.
const (
	// Verified lines are those of a record that is in the signed tree.
	Verified Status = "verified"
	// Mismatch lines differ from that record.
	Mismatch Status = "mismatch"
	// Absent lines are of versions that the log does not have.
	Absent Status = "absent"
	// Private lines were not asked about.
	Private Status = "private"
	// Unverified lines could not be compared; the reason says why.
	Unverified Status = "unverified"
)

// Line is one line of a go.sum.
type Line struct {
	// Module is the path, Version has "/go.mod" at its end for the hash of the go.mod alone.
	Module, Version string
	// Hash is "h1:" and base64.
	Hash string
}

// Result is a line with what is known of it.
type Result struct {
	Line
	Status Status
	// Log is what the log has in place of a mismatch; empty for other statuses.
	Log string
	// Reason is why a line is unverified or absent, in words; empty for other statuses.
	Reason string
}

// Lie is an answer that no honest log gives. One is enough to believe nothing of its source.
type Lie struct {
	// Source is who gave it, What says it in words.
	Source, What string
}

// Fork is the evidence that a log shows different trees to different people: two heads with the log's own signature of
// which neither continues the other. It stands for itself: whoever has the log's key can check it.
type Fork struct {
	// Older and Newer are the signed heads, by tree size.
	Older, Newer []byte
	// Source is where the one came from that was not remembered.
	Source string
	// Root is what the tree of Newer has as the head of its first Older.N records, and Proof shows that. Root is zero where
	// both heads are of one size.
	Root  tlog.Hash
	Proof tlog.TreeProof
	// OlderParts and NewerParts show the same where the newer tree could not be looked into: the roots of the complete
	// subtrees that each tree is made of, from the left. They make up the two heads, and those that cover the same records
	// differ. They are empty where Proof is not.
	OlderParts, NewerParts []tlog.Hash
}

// Report is what Verify found.
type Report struct {
	// Name is the log's.
	Name string
	// Results are in the order of the lines that were given.
	Results []Result
	// Tree is the head that all was proven against; N is 0 where there is none. Signed is the head as it was signed.
	Tree   tlog.Tree
	Signed []byte
	// Source is where the head comes from: a source's name, "cache" or "proof". Since is when it was first seen; a head
	// itself has no date.
	Source string
	Since  time.Time
	// Asked is true where a source gave a head; Heads is how many did that were compared.
	Asked bool
	Heads int
	// Attested is true where the proof file is of this log.
	Attested bool
	// Consistent is nil where no head was remembered.
	Consistent *bool
	// Lag is by how many records the heads of the sources lay behind the remembered one.
	Lag int64
	// Fork is nil where there is none. Lies are sorted.
	Fork *Fork
	Lies []Lie
	// Notes are what else is worth saying.
	Notes []string
	// Requests and Bytes are what was asked and what came.
	Requests, Bytes int64

	// proven and nodes are for Proof.
	proven []*version
	nodes  nodes
}

// Count is how many lines have a status.
func (r *Report) Count(s Status) int {
	n := 0
	for _, l := range r.Results {
		if l.Status == s {
			n++
		}
	}
	return n
}

// Source is a place where the log is asked: its own host, or the relay of a module proxy.
type Source struct {
	// Name is for people.
	Name string
	// Own is true for the log's own host, or its operator's, whose word alone it is what the log does not have.
	Own bool
	// Fetch asks for "/latest", "/lookup/…" or "/tile/…". The error is that no answer came.
	Fetch func(ctx context.Context, path string) (status int, body []byte, err error)
}

// Options say how to verify.
type Options struct {
	// Key is the log's, as name+hash+key.
	Key string
	// Sources are asked in order: the next one where one fails. None means offline.
	Sources []Source
	// Heads is of how many sources the heads are compared; 0 means 1.
	Heads int
	// Store remembers the head and what was proven; nil remembers nothing.
	Store *Store
	// Proof is a proof file that was read; nil for none.
	Proof *Proof
	// Private tells which module paths nobody is asked about; nil means none.
	Private func(path string) bool
	// Parallel is how many requests are under way at once; 0 means 32.
	Parallel int
	// Now is the time; nil is time.Now.
	Now func() time.Time
	// Progress is called with how many versions are done, and of how many; nil is not.
	Progress func(done, of int)
}

// version is one module version with the lines that name it.
type version struct {
	module.Version
	lines []int // of Report.Results
	// text and id are the log's record.
	text []byte
	id   int64
	// source is where the record comes from.
	source string
	// fresh is true for a record that the store does not have.
	fresh bool
	// proven is true when the record is in the tree.
	proven bool
	// path is what path has found for a tree of this size.
	path []int64
	size int64
}

// Verify compares lines with the log. The error is only that the key is none; whatever else goes wrong is in the report.
// When the context ends, what is not proven yet is unverified.
func Verify(ctx context.Context, lines []Line, o Options) (*Report, error) {
	verifier, err := note.NewVerifier(o.Key)
	if err != nil {
		return nil, fmt.Errorf("the key of the checksum database is none: %w", err)
	}
	c := newClient(verifier, o)
	versions := c.sort(lines)
	c.load(versions)
	versions = c.attest(versions)
	if len(versions) > 0 || len(o.Sources) > 0 {
		c.heads(ctx)
	} else if c.attested.N > 0 { // all was proven by it, and nobody is asked for a newer one
		c.use(c.attested.head)
	}
	if c.report.Fork == nil {
		c.lookup(ctx, versions)
	}
	if c.report.Fork == nil {
		c.prove(ctx, versions)
		c.remember(versions)
		for _, v := range versions {
			if v.proven {
				c.report.proven = append(c.report.proven, v)
			}
		}
		c.report.nodes = c.nodes
	}
	if c.report.Fork != nil {
		for i := range c.report.Results {
			if r := &c.report.Results[i]; r.Status != Private && r.Status != Mismatch {
				r.Status, r.Reason = Unverified, "the log shows different trees to different people"
			}
		}
	}
	return c.end(), nil
}

// sort gathers the lines by version, and sets private ones apart.
func (c *client) sort(lines []Line) []*version {
	c.report.Results = make([]Result, len(lines))
	byVersion := make(map[module.Version]*version, len(lines)/2+1)
	var out []*version
	for i, l := range lines {
		r := &c.report.Results[i]
		r.Line = l
		if c.Private != nil && c.Private(l.Module) {
			r.Status = Private
			continue
		}
		m := module.Version{Path: l.Module, Version: strings.TrimSuffix(l.Version, "/go.mod")}
		v := byVersion[m]
		if v == nil {
			v = &version{Version: m, id: -1}
			byVersion[m] = v
			out = append(out, v)
		}
		v.lines = append(v.lines, i)
	}
	return out
}

// judge compares the lines of a version with its record, which is proven.
func (c *client) judge(v *version) {
	v.proven = true
	for _, i := range v.lines {
		r := &c.report.Results[i]
		r.Status, r.Log, r.Reason = compare(r.Line, string(v.text))
	}
}

// compare is what the record says of a line.
func compare(l Line, text string) (status Status, log, reason string) {
	algorithm, _, _ := strings.Cut(l.Hash, ":")
	prefix := l.Module + " " + l.Version + " "
	for line := range strings.Lines(text) {
		hash, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), prefix)
		if !ok || !strings.HasPrefix(hash, algorithm+":") {
			continue
		}
		if hash == l.Hash {
			return Verified, "", ""
		}
		return Mismatch, hash, ""
	}
	return Unverified, "", "the log's record has no " + algorithm + " hash for it"
}

// settle gives all lines of a version one status.
func (c *client) settle(v *version, s Status, reason string) {
	for _, i := range v.lines {
		c.report.Results[i].Status, c.report.Results[i].Reason = s, reason
	}
}

// names tells whether a record is of a version: it has a line of it and none of another.
func names(text []byte, m module.Version) bool {
	n := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != m.Path || strings.TrimSuffix(fields[1], "/go.mod") != m.Version {
			return false
		}
		n++
	}
	return n > 0
}

// end completes the report.
func (c *client) end() *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	r := &c.report
	r.Requests, r.Bytes = c.requests.Load(), c.bytes.Load()
	slices.SortFunc(r.Lies, func(a, b Lie) int {
		return strings.Compare(a.Source+"\x00"+a.What, b.Source+"\x00"+b.What)
	})
	r.Lies = slices.Compact(r.Lies)
	slices.Sort(r.Notes)
	r.Notes = slices.Compact(r.Notes)
	return r
}

// reason is why nothing was proven, for people.
func reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "it was interrupted"
	}
	return err.Error()
}
