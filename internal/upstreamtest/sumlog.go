package upstreamtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// SumLog is a checksum database whose log the test writes itself: it can be continued, forked with the same key, and shown
// as it was.
type SumLog struct {
	tb       testing.TB
	signer   note.Signer
	verifier string
	records  [][]byte
	ids      map[module.Version]int64
	hashes   []tlog.Hash
}

// NewSumLog is an empty log with a new key.
func NewSumLog(tb testing.TB, name string) *SumLog {
	tb.Helper()
	private, verifier, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		tb.Fatal(err)
	}
	return &SumLog{tb: tb, signer: signer, verifier: verifier, ids: map[module.Version]int64{}}
}

// VerifierKey is the log's "name+hash+key", for GOSUMDB.
func (l *SumLog) VerifierKey() string { return l.verifier }

// Add writes a record of the two hashes of a go.sum, and returns its number.
func (l *SumLog) Add(path, version, zip, mod string) int64 {
	l.tb.Helper()
	text := fmt.Appendf(nil, "%s %s %s\n%[1]s %[2]s/go.mod %[4]s\n", path, version, zip, mod)
	n := int64(len(l.records))
	hashes, err := tlog.StoredHashes(n, text, l)
	if err != nil {
		l.tb.Fatal(err)
	}
	l.hashes, l.records = append(l.hashes, hashes...), append(l.records, text)
	l.ids[module.Version{Path: path, Version: version}] = n
	return n
}

// Size is the number of records.
func (l *SumLog) Size() int64 { return int64(len(l.records)) }

// At is the log as it was when it had n records: what is added to it afterwards is a fork.
func (l *SumLog) At(n int64) *SumLog {
	old := &SumLog{tb: l.tb, signer: l.signer, verifier: l.verifier, ids: map[module.Version]int64{},
		records: slices.Clone(l.records[:n]), hashes: slices.Clone(l.hashes[:tlog.StoredHashCount(n)])}
	for m, id := range l.ids {
		if id < n {
			old.ids[m] = id
		}
	}
	return old
}

// ReadHashes is tlog.HashReader.
func (l *SumLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= int64(len(l.hashes)) {
			return nil, fmt.Errorf("hash %d is not there yet", x)
		}
		out[i] = l.hashes[x]
	}
	return out, nil
}

// Head is the signed head.
func (l *SumLog) Head() []byte {
	l.tb.Helper()
	root, err := tlog.TreeHash(l.Size(), l)
	if err != nil {
		l.tb.Fatal(err)
	}
	msg, err := note.Sign(&note.Note{Text: string(tlog.FormatTree(tlog.Tree{N: l.Size(), Hash: root}))}, l.signer)
	if err != nil {
		l.tb.Fatal(err)
	}
	return msg
}

// Answer is what a request for a path gets: /latest, /lookup/…, /tile/….
func (l *SumLog) Answer(path string) (status int, body []byte) {
	l.tb.Helper()
	switch {
	case path == "/supported":
		return http.StatusOK, nil
	case path == "/latest":
		return http.StatusOK, l.Head()
	case strings.HasPrefix(path, "/lookup/"):
		name, v, _ := strings.Cut(strings.TrimPrefix(path, "/lookup/"), "@")
		name, _ = module.UnescapePath(name)
		v, _ = module.UnescapeVersion(v)
		id, ok := l.ids[module.Version{Path: name, Version: v}]
		if !ok {
			return http.StatusNotFound, []byte("not found\n")
		}
		msg, err := tlog.FormatRecord(id, l.records[id])
		if err != nil {
			l.tb.Error(err)
		}
		return http.StatusOK, append(msg, l.Head()...)
	}
	t, err := tlog.ParseTilePath(strings.TrimPrefix(path, "/"))
	if err != nil || t.L < 0 {
		return http.StatusBadRequest, nil
	}
	data, err := tlog.ReadTileData(t, l)
	if err != nil {
		return http.StatusNotFound, nil
	}
	return http.StatusOK, data
}

// ServeHTTP answers as a checksum database does.
func (l *SumLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := l.Answer(r.URL.Path)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
