package checksumdb

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/org/goproxy-action/internal/problem"
)

// proofTitle is the first line of a proof file. Behind it stand the signed head, a line that says how many records follow,
// and the records, each in one line: path, version, number in the log, the two hashes of go.sum without "h1:", and the
// hashes of the tree that prove it, as far as no line above has them. Which these are follows from the number and the size
// of the tree.
const proofTitle = "goproxy-action proof of go.sum v1"

const recordsLine = "records "

const (
	// MaxProof bounds a proof file, in bytes. A version takes 1 KB.
	MaxProof = 32 << 20
	// maxProven bounds its records. Kubernetes has 321, and the largest repositories some 5,000.
	maxProven = 100_000
)

// Proof is a proof file that was read. Nothing in it is believed before it is checked.
type Proof struct {
	signed  []byte
	records []proven
}

type proven struct {
	module.Version
	record
	nodes []byte
	line  int
}

var b64 = base64.RawStdEncoding

// Proof is a file by which all that is verified now can be verified without asking anybody; nil where nothing is. What was
// verified by another proof file is not in it.
func (r *Report) Proof() []byte {
	if len(r.proven) == 0 {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s%s%d\n", proofTitle, r.Signed, recordsLine, len(r.proven))
	known := nodes{}
	for _, v := range r.proven {
		zip, mod := hashes(v)
		fmt.Fprintf(&b, "%s %s %d %s %s ", v.Path, v.Version.Version, v.id, zip, mod)
		var raw []byte
		_, _ = tlog.ProveRecord(r.Tree.N, v.id, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			for _, x := range indexes {
				if _, ok := known[x]; !ok {
					h := r.nodes[x]
					known[x] = h
					raw = append(raw, h[:]...)
				}
			}
			return make([]tlog.Hash, len(indexes)), nil
		}))
		b.WriteString(b64.EncodeToString(raw))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// hashes are those of a record that has the two lines that all have; of another one it is the whole text.
func hashes(v *version) (zip, mod string) {
	prefix := v.Path + " " + v.Version.Version
	lines := strings.Split(string(v.text), "\n")
	if len(lines) == 3 && lines[2] == "" {
		zip, ok := strings.CutPrefix(lines[0], prefix+" h1:")
		mod, too := strings.CutPrefix(lines[1], prefix+"/go.mod h1:")
		if ok && too && len(zip) == 44 && len(mod) == 44 {
			return strings.TrimSuffix(zip, "="), strings.TrimSuffix(mod, "=")
		}
	}
	return "=" + b64.EncodeToString(v.text), "-"
}

// ParseProof reads a proof file; name is for errors, which are Problems of code Usage.
func ParseProof(name string, data []byte) (*Proof, error) {
	fault := func(line int, format string, args ...any) error {
		return problem.New(problem.Usage, fmt.Sprintf("%s:%d", name, line), "write it anew: goproxy-action verify --write-proof "+name, format, args...)
	}
	if len(data) > MaxProof {
		return nil, fault(1, "is larger than %d MB", MaxProof>>20)
	}
	rest, ok := strings.CutPrefix(string(data), proofTitle+"\n")
	if !ok {
		return nil, fault(1, "does not begin with %q", proofTitle)
	}
	i := strings.Index(rest, "\n"+recordsLine)
	if i < 0 {
		return nil, fault(1, "has no line that says how many records follow")
	}
	p := &Proof{signed: []byte(rest[:i+1])}
	line := strings.Count(rest[:i+1], "\n") + 2
	count, rest, _ := strings.Cut(rest[i+1+len(recordsLine):], "\n")
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fault(line, "does not say how many records follow")
	}
	if n > maxProven {
		return nil, fault(line, "has more than %d records", maxProven)
	}
	for text := range strings.Lines(rest) {
		if line++; len(p.records) == n {
			return nil, fault(line, "has more than the %d records that were to follow", n)
		}
		fields := strings.Split(strings.TrimSuffix(text, "\n"), " ")
		if len(fields) != 6 {
			return nil, fault(line, "has %d fields, and a record has 6", len(fields))
		}
		r := proven{Version: module.Version{Path: fields[0], Version: fields[1]}, line: line}
		if r.id, err = strconv.ParseInt(fields[2], 10, 62); err != nil || r.id < 0 {
			return nil, fault(line, "has no number of the record")
		}
		if all, ok := strings.CutPrefix(fields[3], "="); ok {
			if r.text, err = b64.DecodeString(all); err != nil {
				return nil, fault(line, "has a record that is not base64")
			}
		} else {
			r.text = fmt.Appendf(nil, "%s %s h1:%s=\n%[1]s %[2]s/go.mod h1:%[4]s=\n", r.Path, r.Version.Version, fields[3], fields[4])
		}
		if r.nodes, err = b64.DecodeString(fields[5]); err != nil || len(r.nodes)%tlog.HashSize != 0 {
			return nil, fault(line, "has hashes that are not base64")
		}
		p.records = append(p.records, r)
	}
	if len(p.records) != n {
		return nil, fault(line, "ends after %d records, and %d were to follow", len(p.records), n)
	}
	return p, nil
}

// attested is what a proof file has, against its own head: newer ones need other hashes, which it has not.
type attested struct {
	head
	nodes   nodes
	records map[module.Version]record
}

// attest compares the lines of versions that the proof file has the records of, and returns the other versions.
func (c *client) attest(versions []*version) (rest []*version) {
	a := &c.attested
	for _, v := range versions {
		r, ok := a.records[v.Version]
		if !ok || !names(r.text, v.Version) || r.id >= a.N {
			rest = append(rest, v)
			continue
		}
		proof, err := tlog.ProveRecord(a.N, r.id, a.nodes)
		if err != nil || tlog.CheckRecord(proof, a.N, a.Hash, r.id, tlog.RecordHash(r.text)) != nil {
			c.note("the proof file has %s, but does not prove it", v.Version)
			rest = append(rest, v)
			continue
		}
		v.id, v.text, v.source = r.id, r.text, a.source
		c.judge(v)
	}
	return rest
}

// adopt takes over what a proof file has, where its head is signed.
func (c *client) adopt(p *Proof) {
	n, err := note.Open(p.signed, note.VerifierList(c.verifier))
	if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		c.note("the proof file is left out: its head is not signed by the key of %s", c.verifier.Name())
		return
	}
	if err != nil {
		c.lie("proof", "has a head of %s whose signature is false", c.verifier.Name())
		return
	}
	tree, err := tlog.ParseTree([]byte(n.Text))
	if err != nil {
		c.note("the proof file has no head of a log")
		return
	}
	a := &c.attested
	c.report.Attested = true
	a.head, a.nodes, a.records = head{tree, p.signed, "proof", c.Now()}, nodes{}, make(map[module.Version]record, len(p.records))
	for _, r := range p.records {
		raw := r.nodes
		_, _ = tlog.ProveRecord(tree.N, r.id, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			for _, x := range indexes {
				if _, known := a.nodes[x]; known || len(raw) == 0 {
					continue
				}
				a.nodes[x] = tlog.Hash(raw)
				raw = raw[tlog.HashSize:]
			}
			return make([]tlog.Hash, len(indexes)), nil
		}))
		a.records[r.Version] = r.record
	}
}
