package checksumdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "h1:" + base64.StdEncoding.EncodeToString(sum[:])
}

func modulePath(i int) string { return fmt.Sprintf("a.test/M%d", i) }

// grow adds records until the log has n.
func grow(l *upstreamtest.SumLog, n int) {
	for i := int(l.Size()); i < n; i++ {
		l.Add(modulePath(i), "v1.0.0", hash(fmt.Sprint("zip", i)), hash(fmt.Sprint("mod", i)))
	}
}

// sums are the lines of go.sum of some modules.
func sums(ids ...int) []Line {
	var out []Line
	for _, i := range ids {
		out = append(out, Line{modulePath(i), "v1.0.0", hash(fmt.Sprint("zip", i))}, Line{modulePath(i), "v1.0.0/go.mod", hash(fmt.Sprint("mod", i))})
	}
	return out
}

// relay answers from a log. twist may change an answer.
type relay struct {
	log   *upstreamtest.SumLog
	twist func(path string, status int, body []byte) (int, []byte, error)
	asked atomic.Int64
}

func (r *relay) source(name string) Source {
	return Source{Name: name, Fetch: func(ctx context.Context, path string) (int, []byte, error) {
		r.asked.Add(1)
		if ctx.Err() != nil {
			return 0, nil, ctx.Err()
		}
		status, body := r.log.Answer(path)
		if r.twist != nil {
			return r.twist(path, status, slices.Clone(body))
		}
		return status, body, nil
	}}
}

func verify(t *testing.T, lines []Line, o Options) *Report {
	t.Helper()
	r, err := Verify(t.Context(), lines, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func statuses(r *Report) map[Status]int {
	out := map[Status]int{}
	for _, l := range r.Results {
		out[l.Status]++
	}
	return out
}

func newLog(t testing.TB, n int) *upstreamtest.SumLog {
	l := upstreamtest.NewSumLog(t, "sum.test")
	grow(l, n)
	return l
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 255, 256, 257, 600, 66_000} {
		l := newLog(t, size)
		lines := sums(0, size/2, size-1)
		lines = append(lines, Line{"a.test/none", "v1.0.0", hash("x")}, Line{"corp.test/secret", "v1.0.0", hash("x")})
		s := &relay{log: l}
		own := s.source("own")
		own.Own = true
		r := verify(t, lines, Options{Key: l.VerifierKey(), Sources: []Source{own}, Private: func(p string) bool { return strings.HasPrefix(p, "corp.test/") }})
		if diff := cmp.Diff(map[Status]int{Verified: 6, Absent: 1, Private: 1}, statuses(r)); diff != "" {
			t.Errorf("%d: %s %v", size, diff, r.Results)
		}
		if r.Tree.N != int64(size) || r.Consistent != nil || len(r.Lies)+len(r.Notes) > 0 || r.Requests != s.asked.Load() {
			t.Errorf("%d: %+v", size, r)
		}
	}
}

// A poisoned line is found with what the log has; a line of another algorithm is not proven.
func TestMismatch(t *testing.T) {
	t.Parallel()
	l := newLog(t, 300)
	lines := sums(7, 8)
	lines[1].Hash = hash("evil")
	lines[2].Hash = "h2:abc"
	r := verify(t, lines, Options{Key: l.VerifierKey(), Sources: []Source{(&relay{log: l}).source("relay")}})
	want := []Result{
		{lines[0], Verified, "", ""}, {lines[1], Mismatch, hash("mod7"), ""},
		{lines[2], Unverified, "", "the log's record has no h2 hash for it"}, {lines[3], Verified, "", ""},
	}
	if diff := cmp.Diff(want, r.Results); diff != "" {
		t.Error(diff)
	}
}

// What private modules are called is sent nowhere.
func TestPrivateIsNotAsked(t *testing.T) {
	t.Parallel()
	l := newLog(t, 10)
	s := &relay{log: l, twist: func(path string, status int, body []byte) (int, []byte, error) {
		if strings.Contains(path, "!m3") {
			t.Errorf("asked for %s", path)
		}
		return status, body, nil
	}}
	verify(t, sums(1, 3), Options{Key: l.VerifierKey(), Sources: []Source{s.source("relay")}, Private: func(p string) bool { return p == modulePath(3) }})
}

// Warm, one request tells that the log has not moved; a log that has moved is shown to continue.
func TestStore(t *testing.T) {
	t.Parallel()
	l := newLog(t, 70_000)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &relay{log: l}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{s.source("relay")}}
	lines := sums(3, 40_000, 69_999)
	if r := verify(t, lines, o); r.Count(Verified) != 6 || r.Consistent != nil {
		t.Fatalf("%+v", r)
	}
	if r := verify(t, lines, o); r.Count(Verified) != 6 || r.Requests != 1 || r.Consistent == nil || !*r.Consistent {
		t.Errorf("%+v", r)
	}
	info, _ := os.Stat(store.Path())
	if verify(t, lines, o); size(t, store) != info.Size() {
		t.Errorf("the store grew without news from %d to %d bytes", info.Size(), size(t, store))
	}
	grow(l, 71_234)
	if r := verify(t, lines, o); r.Count(Verified) != 6 || r.Requests > 8 || r.Tree.N != 71_234 || r.Consistent == nil || !*r.Consistent {
		t.Errorf("%+v", r)
	}
	o.Sources = nil
	if r := verify(t, lines, o); r.Count(Verified) != 6 || r.Requests != 0 || r.Source != "cache" {
		t.Errorf("offline: %+v", r)
	}
	if r := verify(t, sums(5), o); r.Count(Unverified) != 2 || r.Results[0].Reason != "nobody was asked" {
		t.Errorf("offline, new: %+v", r)
	}
}

// What a store has of other checkouts is not taken into memory, and what this one needs is not written twice.
func TestSharedStore(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{(&relay{log: l}).source("relay")}}
	many := make([]int, 600)
	for i := range many {
		many[i] = i * 5
	}
	verify(t, sums(7, 2222), o)
	verify(t, sums(many...), o)
	was := size(t, store)
	r := verify(t, sums(7, 2222), o)
	if r.Count(Verified) != 4 || r.Requests != 1 || size(t, store) != was {
		t.Errorf("%d requests, %d bytes more", r.Requests, size(t, store)-was)
	}
	if n := len(r.nodes); n > 60 {
		t.Errorf("%d hashes were taken", n)
	}
}

func size(t *testing.T, s *Store) int64 {
	t.Helper()
	info, err := os.Stat(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// Whatever happens to the store's bytes, online all is proven again, and offline nothing is called verified that is not.
func TestDamage(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	ids := make([]int, 40)
	for i := range ids {
		ids[i] = i * 70
	}
	lines := sums(ids...)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &relay{log: l}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{s.source("relay")}}
	verify(t, lines, o)
	whole, err := os.ReadFile(store.Path())
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		data := slices.Clone(whole)
		if round%2 == 0 {
			data = data[:random.IntN(len(data))]
		} else {
			for range 1 + round/10 {
				data[random.IntN(len(data))] ^= byte(1 + random.IntN(255))
			}
		}
		if err := os.WriteFile(store.Path(), data, 0o600); err != nil {
			t.Fatal(err)
		}
		off := o
		off.Sources = nil
		if r := verify(t, lines, off); r.Count(Verified)+r.Count(Unverified) != len(lines) || len(r.Lies) > 0 && round%2 == 0 {
			t.Fatalf("round %d, offline: %v %v", round, statuses(r), r.Lies)
		}
		if r := verify(t, lines, o); r.Count(Verified) != len(lines) || len(r.Lies) > 0 {
			t.Fatalf("round %d: %v %v %v", round, statuses(r), r.Lies, r.Notes)
		}
		if r := verify(t, lines, o); r.Count(Verified) != len(lines) || r.Requests != 1 {
			t.Fatalf("round %d did not heal: %v, %d requests", round, statuses(r), r.Requests)
		}
	}
}

// False nodes and records with sound checksums in a store are found out.
func TestForgedStore(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	lines := sums(10, 2000)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &relay{log: l}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{s.source("relay")}}
	verify(t, lines, o)
	whole, _ := os.ReadFile(store.Path())
	var forged []byte
	blocks(whole, func(kind byte, content []byte) {
		content = slices.Clone(content)
		if kind == recordBlock {
			content = bytes.Replace(content, []byte(hash("zip10")), []byte(hash("evil")), 1)
			content[len(content)-1] ^= 1 // a node
		}
		forged = appendBlock(forged, kind, content)
	})
	for _, online := range []bool{false, true, true} {
		if !online {
			if err := os.WriteFile(store.Path(), forged, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		with := o
		if !online {
			with.Sources = nil
		}
		poisoned := slices.Clone(lines)
		poisoned[0].Hash = hash("evil")
		r := verify(t, poisoned, with)
		want := map[Status]int{Verified: 3, Mismatch: 1}
		if !online {
			want = map[Status]int{Unverified: 4}
		}
		if diff := cmp.Diff(want, statuses(r)); diff != "" {
			t.Errorf("online %t: %s", online, diff)
		}
	}
}

// Of the heads in a store the newest one that the log has signed counts, and what others say costs no more than to read them.
func TestForgedHeads(t *testing.T) {
	t.Parallel()
	l := newLog(t, 1000)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{(&relay{log: l}).source("relay")}}
	verify(t, sums(3), o)
	whole, err := os.ReadFile(store.Path())
	if err != nil {
		t.Fatal(err)
	}
	of := func(signed []byte) []byte {
		return appendBlock(nil, headBlock, appendHead(head{signed: signed, since: time.Unix(1, 0)}))
	}
	false1 := bytes.Replace(l.Head(), []byte("\n1000\n"), []byte("\n2000\n"), 1)
	for name, test := range map[string]struct {
		more []byte
		n    int64
	}{
		"none":                              {nil, 1000},
		"a false one, an older, none":       {slices.Concat(of(false1), of(l.At(900).Head()), of(nil), of([]byte("go.sum database tree\n"))), 1000},
		"twice":                             {of(l.Head()), 1000},
		"more false ones than one looks at": {bytes.Repeat(of(false1), maxFalse), 0},
	} {
		if err := os.WriteFile(store.Path(), append(slices.Clone(whole), test.more...), 0o600); err != nil {
			t.Fatal(err)
		}
		with := o
		with.Sources = nil
		if r := verify(t, sums(3), with); r.Tree.N != test.n || (r.Count(Verified) == 2) != (test.n > 0) || test.n > 0 && r.Since.Equal(time.Unix(1, 0)) {
			t.Errorf("%s, offline: %+v", name, r)
		}
		if r := verify(t, sums(3), o); r.Count(Verified) != 2 || len(r.Lies) > 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if r := verify(t, sums(3), with); r.Count(Verified) != 2 {
			t.Errorf("%s did not heal: %+v", name, r)
		}
	}
}

// Hashes that are missing, where all records are there, are asked for once.
func TestStoreWithoutHashes(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{(&relay{log: l}).source("relay")}}
	lines := sums(3, 700, 2999)
	verify(t, lines, o)
	whole, err := os.ReadFile(store.Path())
	if err != nil {
		t.Fatal(err)
	}
	var bare []byte
	blocks(whole, func(kind byte, content []byte) {
		if r := (reader{data: content}); kind == recordBlock {
			r.number()
			r.text()
			r.text()
			content = content[:len(content)-len(r.data)]
		}
		if kind != nodesBlock {
			bare = appendBlock(bare, kind, content)
		}
	})
	if err := os.WriteFile(store.Path(), bare, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, lines, o); r.Count(Verified) != 6 || r.Requests == 1 {
		t.Errorf("%d requests, %v", r.Requests, statuses(r))
	}
	if r := verify(t, lines, o); r.Count(Verified) != 6 || r.Requests != 1 {
		t.Errorf("again: %d requests, %v", r.Requests, statuses(r))
	}
}

// A store past its limit is made anew from what the run needs.
func TestStoreLimit(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 20_000)
	if err != nil {
		t.Fatal(err)
	}
	s := &relay{log: l}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{s.source("relay")}}
	for i := range 60 {
		if r := verify(t, sums(i*50, i*50+1), o); r.Count(Verified) != 4 || len(r.Notes) > 0 {
			t.Fatalf("%d: %v", i, r)
		}
		if n := size(t, store); n > 20_000 {
			t.Fatalf("%d: %d bytes", i, n)
		}
		if r := verify(t, sums(i*50, i*50+1), o); r.Requests != 1 {
			t.Fatalf("%d, again: %d requests", i, r.Requests)
		}
	}
}

func TestForks(t *testing.T) {
	t.Parallel()
	honest := newLog(t, 1000)
	forked := honest.At(600)
	forked.Add("evil.test/x", "v1.0.0", hash("evil"), hash("evil"))
	for name, test := range map[string]struct {
		size  int // of the fork
		first *upstreamtest.SumLog
	}{"newer": {1500, honest}, "same size": {1000, honest}} {
		grow(forked, test.size)
		store, err := NewStore(t.TempDir(), honest.VerifierKey(), 0)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Key: honest.VerifierKey(), Store: store, Sources: []Source{(&relay{log: test.first}).source("a")}}
		verify(t, sums(3), o)
		before := size(t, store)
		o.Sources = []Source{(&relay{log: forked}).source("b")}
		r := verify(t, sums(3, 4), o)
		if r.Fork == nil || r.Count(Verified) > 0 || r.Consistent == nil || *r.Consistent || size(t, store) != before {
			t.Fatalf("%s: %+v", name, r)
		}
		checkFork(t, honest.VerifierKey(), r.Fork)
		forked = forked.At(601)
	}
}

// checkFork is how a stranger would check the evidence.
func checkFork(t *testing.T, key string, f *Fork) {
	t.Helper()
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	var trees []tlog.Tree
	for _, msg := range [][]byte{f.Older, f.Newer} {
		n, err := note.Open(msg, note.VerifierList(v))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := tlog.ParseTree([]byte(n.Text))
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	older, newer := trees[0], trees[1]
	switch {
	case older.N == newer.N && older.Hash != newer.Hash:
	case older.N < newer.N && f.Root != older.Hash && tlog.CheckTree(f.Proof, newer.N, newer.Hash, older.N, f.Root) == nil:
	case len(f.OlderParts) > 0 && made(f.OlderParts) == older.Hash && made(f.NewerParts) == newer.Hash && sharedPart(older.N, newer.N) && f.OlderParts[0] != f.NewerParts[0]:
	default:
		t.Errorf("the evidence proves nothing: %v %v", older, newer)
	}
}

// made is the head of a tree that is made of these complete subtrees.
func made(parts []tlog.Hash) tlog.Hash {
	h := parts[len(parts)-1]
	for _, p := range slices.Backward(parts[:len(parts)-1]) {
		h = tlog.NodeHash(p, h)
	}
	return h
}

// sharedPart tells whether the first complete subtrees of two trees cover the same records.
func sharedPart(a, b int64) bool { return bits.Len64(uint64(a)) == bits.Len64(uint64(b)) }

// A log that was set back has nothing of the tree that is remembered. What both are made of tells whether it is the same.
func TestSetBack(t *testing.T) {
	t.Parallel()
	honest := newLog(t, 1000)
	diverged := honest.At(400)
	diverged.Add("evil.test/x", "v1.0.0", hash("evil"), hash("evil"))
	grow(diverged, 900)
	for name, test := range map[string]struct {
		log  *upstreamtest.SumLog
		fork bool
	}{"older": {honest.At(900), false}, "diverged": {diverged, true}, "too old to be compared": {honest.At(500), false}} {
		store, err := NewStore(t.TempDir(), honest.VerifierKey(), 0)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Key: honest.VerifierKey(), Store: store, Sources: []Source{(&relay{log: honest}).source("a")}}
		verify(t, sums(3), o)
		o.Sources = []Source{(&relay{log: test.log}).source("a")}
		r := verify(t, sums(3), o)
		if test.fork {
			if r.Fork == nil || r.Count(Verified) > 0 {
				t.Errorf("%s: %+v", name, r)
			} else {
				checkFork(t, honest.VerifierKey(), r.Fork)
			}
			continue
		}
		if r.Fork != nil || r.Count(Verified) != 2 || r.Tree.N != 1000 || len(r.Lies) > 0 || len(r.Notes) != 1 || (r.Lag == 100) != (name == "older") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A head that is older and of the same log is lag; one that is older and of another is a lie.
func TestOlderHeads(t *testing.T) {
	t.Parallel()
	honest := newLog(t, 1000)
	store, err := NewStore(t.TempDir(), honest.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Key: honest.VerifierKey(), Store: store, Sources: []Source{(&relay{log: honest}).source("a")}}
	verify(t, sums(3), o)
	// a mirror that lags has the tiles of its own tree only
	o.Sources = []Source{(&relay{log: honest.At(900)}).source("late"), (&relay{log: honest}).source("a")}
	r := verify(t, sums(3, 500), o)
	if r.Count(Verified) != 4 || r.Lag != 100 || r.Tree.N != 1000 || r.Fork != nil || len(r.Lies) > 0 {
		t.Errorf("%+v", r)
	}
	diverged := honest.At(600)
	diverged.Add("evil.test/x", "v1.0.0", hash("evil"), hash("evil"))
	grow(diverged, 900)
	o.Sources = []Source{(&relay{log: diverged}).source("evil"), (&relay{log: honest}).source("a")}
	if r := verify(t, sums(3, 500), o); r.Fork == nil && len(r.Lies) == 0 {
		t.Errorf("%+v", r)
	}
}

// Heads of independent sources are compared.
func TestHeads(t *testing.T) {
	t.Parallel()
	honest := newLog(t, 1000)
	forked := honest.At(600)
	forked.Add("evil.test/x", "v1.0.0", hash("evil"), hash("evil"))
	grow(forked, 1100)
	a, b := (&relay{log: honest}).source("a"), (&relay{log: forked}).source("b")
	o := Options{Key: honest.VerifierKey(), Sources: []Source{a, b}}
	if r := verify(t, sums(3), o); r.Count(Verified) != 2 {
		t.Errorf("%+v", r)
	}
	o.Heads = 2
	if r := verify(t, sums(3), o); r.Fork == nil || r.Count(Verified) > 0 {
		t.Errorf("%+v", r)
	}
	// the tiles of both have the same names and sizes: each log is asked for its own
	twin := forked.At(601)
	grow(twin, 1010)
	for _, sources := range [][]Source{{a, (&relay{log: twin}).source("b")}, {(&relay{log: twin}).source("b"), a}} {
		o.Sources = sources
		r := verify(t, sums(3), o)
		if r.Fork == nil || len(r.Lies) > 0 {
			t.Fatalf("%+v", r)
		}
		checkFork(t, honest.VerifierKey(), r.Fork)
	}
	// one that shows a head and nothing of its tree does not count as compared, and the next one is asked
	shy := func(l *upstreamtest.SumLog) Source {
		return (&relay{log: l, twist: func(path string, status int, body []byte) (int, []byte, error) {
			if strings.HasPrefix(path, "/tile/") {
				return 503, nil, nil
			}
			return status, body, nil
		}}).source("shy")
	}
	store, err := NewStore(t.TempDir(), honest.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, sums(3), Options{Key: honest.VerifierKey(), Store: store, Sources: []Source{a}})
	o.Store = store
	for n, sources := range map[int][]Source{1: {a, shy(forked)}, 2: {shy(forked), a, (&relay{log: honest.At(990)}).source("c")}} {
		o.Sources = sources
		if r := verify(t, sums(3), o); r.Heads != n || r.Count(Verified) != 2 || r.Fork != nil || len(r.Notes) != 3-n {
			t.Errorf("%d heads compared of %d: %v %v", r.Heads, len(sources), statuses(r), r.Notes)
		}
	}
}

// Each of these is told from trouble, and nothing is verified by it.
func TestLies(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	other := upstreamtest.NewSumLog(t, "sum.test")
	grow(other, 3000)
	only := func(prefix string, do func(body []byte) []byte) func(string, int, []byte) (int, []byte, error) {
		return func(path string, status int, body []byte) (int, []byte, error) {
			if strings.HasPrefix(path, prefix) {
				body = do(body)
			}
			return status, body, nil
		}
	}
	for name, test := range map[string]struct {
		twist func(string, int, []byte) (int, []byte, error)
		want  string
	}{
		"record altered in transit": {only("/lookup/", func(b []byte) []byte { return bytes.Replace(b, []byte(hash("zip10")), []byte(hash("evil")), 1) }),
			"the record of a.test/M10@v1.0.0 is not the one in the log"},
		"head of another key": {only("/latest", func([]byte) []byte { return other.Head() }), "gave a head of the log that is not signed by the key of sum.test"},
		"head altered": {only("/latest", func(b []byte) []byte { return bytes.Replace(b, []byte("3000"), []byte("2999"), 1) }),
			"gave a head of the log whose signature is false"},
		"record of something else": {only("/lookup/", func([]byte) []byte { _, b := l.Answer("/lookup/a.test/!m11@v1.0.0"); return b }),
			"answered the question for a.test/M10@v1.0.0 with a record of something else"},
		"partial tile as a whole one": {only("/tile/8/0/000", func(b []byte) []byte { return b[:64*32] }), "answered for tile/8/0/000 with 64 hashes in place of 256"},
		"tile altered":                {only("/tile/8/0/000", func(b []byte) []byte { b[40] ^= 1; return b }), "the record of a.test/M10@v1.0.0 is not the one in the log"},
	} {
		poisoned := sums(10)
		poisoned[0].Hash = hash("evil")
		r := verify(t, poisoned, Options{Key: l.VerifierKey(), Sources: []Source{(&relay{log: l, twist: test.twist}).source("relay")}})
		if !slices.Contains(r.Lies, Lie{"relay", test.want}) || r.Results[0].Status == Verified {
			t.Errorf("%s: %v %v", name, r.Lies, r.Results)
		}
	}
}

// Trouble is no lie, and nothing is verified by it. A second source that is well makes up for it.
func TestTrouble(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	n := 0
	for name, twist := range map[string]func(string, int, []byte) (int, []byte, error){
		"page":    func(string, int, []byte) (int, []byte, error) { return 200, []byte("<html>log in</html>"), nil },
		"error":   func(string, int, []byte) (int, []byte, error) { return 503, nil, nil },
		"silence": func(string, int, []byte) (int, []byte, error) { return 0, nil, errors.New("connection refused") },
		"half way": func(path string, status int, body []byte) (int, []byte, error) {
			if strings.HasPrefix(path, "/tile") {
				return 0, nil, errors.New("unexpected EOF")
			}
			return status, body, nil
		},
	} {
		bad := (&relay{log: l, twist: twist}).source("bad")
		r := verify(t, sums(10), Options{Key: l.VerifierKey(), Sources: []Source{bad}})
		if r.Count(Unverified) != 2 || len(r.Lies) > 0 || r.Results[0].Reason == "" {
			t.Errorf("%s: %v %v", name, r.Lies, r.Results)
		}
		if r := verify(t, sums(10), Options{Key: l.VerifierKey(), Sources: []Source{bad, (&relay{log: l}).source("good")}}); r.Count(Verified) != 2 || len(r.Lies) > 0 {
			t.Errorf("%s, with a second source: %v %v %v", name, r.Lies, r.Notes, r.Results)
		}
		n++
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Verify(ctx, sums(10), Options{Key: l.VerifierKey(), Sources: []Source{(&relay{log: l}).source("relay")}})
	if err != nil || r.Count(Unverified) != 2 || r.Results[0].Reason != "it was interrupted" {
		t.Errorf("%v %+v", err, r)
	}
}

// A record that is newer than the head that was asked for comes with a head that has it.
func TestRecordAheadOfTheHead(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	old := l.At(2000).Head()
	s := &relay{log: l, twist: func(path string, status int, body []byte) (int, []byte, error) {
		if path == "/latest" {
			body = old
		}
		return status, body, nil
	}}
	r := verify(t, sums(10, 2500), Options{Key: l.VerifierKey(), Sources: []Source{s.source("relay")}})
	if r.Count(Verified) != 4 || r.Tree.N != 3000 || len(r.Lies) > 0 {
		t.Errorf("%+v", r)
	}
}

func TestProof(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	l.Add("odd.test/x", "v1.0.0", "h1:short=", hash("mod"))
	ids := []int{2, 3, 700, 2999}
	lines := append(sums(ids...), Line{"odd.test/x", "v1.0.0", "h1:short="})
	r := verify(t, lines, Options{Key: l.VerifierKey(), Sources: []Source{(&relay{log: l}).source("relay")}})
	data := r.Proof()
	p, err := ParseProof("go.sum.proof", data)
	if err != nil {
		t.Fatal(err)
	}
	lines[0].Hash = hash("evil")
	r = verify(t, append(lines, sums(5)...), Options{Key: l.VerifierKey(), Proof: p})
	if diff := cmp.Diff(map[Status]int{Verified: 8, Mismatch: 1, Unverified: 2}, statuses(r)); diff != "" || r.Source != "proof" || r.Requests > 0 {
		t.Errorf("%s %+v", diff, r)
	}
	// a proof that was tampered with proves nothing that is false
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		bad := slices.Clone(data)
		bad[random.IntN(len(bad))] ^= byte(1 + random.IntN(127))
		p, err := ParseProof("go.sum.proof", bad)
		if err != nil {
			continue
		}
		poisoned := slices.Clone(lines)
		for i := range poisoned {
			poisoned[i].Hash = hash("evil")
		}
		if r := verify(t, poisoned, Options{Key: l.VerifierKey(), Proof: p}); r.Count(Verified) > 0 {
			t.Fatalf("%s\n%+v", bad, r)
		}
	}
}

func TestParseProofErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "p:1: does not begin with",
		proofTitle + "\n":                    "p:1: has no line that says how many records follow",
		proofTitle + "\na\nb\nrecords x\n":   "p:4: does not say how many",
		proofTitle + "\na\nrecords 1\n":      "p:3: ends after 0 records",
		proofTitle + "\na\nrecords 100001\n": "p:3: has more than 100000 records",
		proofTitle + "\na\nrecords 0\na b 1 d e \n":           "p:4: has more than the 0 records",
		proofTitle + "\na\nrecords 1\na b\n":                  "p:4: has 2 fields",
		proofTitle + "\na\nrecords 1\na b c d e f\n":          "p:4: has no number",
		proofTitle + "\na\nrecords 1\na b 1 d e f\n":          "p:4: has hashes that are not base64",
		proofTitle + "\na\nrecords 1\na b 1 =! e \n":          "p:4: has a record that is not base64",
		proofTitle + "\na\nrecords 2\na b 1 d e \na b -1 d e": "p:5: has 5 fields",
	} {
		if _, err := ParseProof("p", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseProof(f *testing.F) {
	l := newLog(f, 300)
	r, err := Verify(f.Context(), sums(2, 299), Options{Key: l.VerifierKey(), Sources: []Source{(&relay{log: l}).source("relay")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.Proof())
	poisoned := sums(2, 299)
	for i := range poisoned {
		poisoned[i].Hash = hash("evil")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProof("p", data)
		if err != nil {
			return
		}
		if r, err := Verify(t.Context(), poisoned, Options{Key: l.VerifierKey(), Proof: p}); err != nil || r.Count(Verified) > 0 {
			t.Errorf("%v %+v", err, r)
		}
	})
}

func FuzzStore(f *testing.F) {
	l := newLog(f, 300)
	store, err := NewStore(f.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := Verify(f.Context(), sums(2, 299), Options{Key: l.VerifierKey(), Store: store, Sources: []Source{(&relay{log: l}).source("relay")}}); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(store.Path())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	poisoned := sums(2, 299)
	for i := range poisoned {
		poisoned[i].Hash = hash("evil")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(store.Path(), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := Verify(t.Context(), poisoned, Options{Key: l.VerifierKey(), Store: store}); err != nil || r.Count(Verified) > 0 {
			t.Errorf("%v %+v", err, r)
		}
	})
}

// A source that keeps silent is asked no more than a few times, and the next one is asked before it has given up.
func TestSilentSource(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	var asked atomic.Int64
	silent := Source{Name: "silent", Fetch: func(ctx context.Context, _ string) (int, []byte, error) {
		asked.Add(1)
		<-ctx.Done()
		return 0, nil, ctx.Err()
	}}
	ids := make([]int, 50)
	for i := range ids {
		ids[i] = i * 60
	}
	r := verify(t, sums(ids...), Options{Key: l.VerifierKey(), Sources: []Source{silent, (&relay{log: l}).source("good")}})
	if r.Count(Verified) != 100 || asked.Load() != 1 {
		t.Errorf("%d questions, %v %v", asked.Load(), statuses(r), r.Notes)
	}
	refused := Source{Name: "refused", Fetch: func(context.Context, string) (int, []byte, error) { return 0, nil, errors.New("connection refused") }}
	if r := verify(t, sums(ids...), Options{Key: l.VerifierKey(), Sources: []Source{refused}}); r.Count(Unverified) != 100 || r.Requests > 40 {
		t.Errorf("%d requests, %v", r.Requests, statuses(r))
	}
}

// Since when a log stands still is remembered with its head.
func TestSince(t *testing.T) {
	t.Parallel()
	l := newLog(t, 300)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Unix(1_800_000_000, 0)
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{(&relay{log: l}).source("relay")}, Now: func() time.Time { return day }}
	if r := verify(t, sums(3), o); !r.Since.Equal(day) || !r.Asked {
		t.Errorf("%v %t", r.Since, r.Asked)
	}
	first := day
	day = day.AddDate(0, 0, 9)
	if r := verify(t, sums(4), o); !r.Since.Equal(first) {
		t.Errorf("%v", r.Since)
	}
	grow(l, 400)
	if r := verify(t, sums(4), o); !r.Since.Equal(day) {
		t.Errorf("%v", r.Since)
	}
	day = first // a head from the future is one from now
	if r := verify(t, sums(4), o); !r.Since.Equal(first) {
		t.Errorf("%v", r.Since)
	}
}

// That the log does not have a version is believed only from its own host.
func TestAbsent(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	good := (&relay{log: l}).source("good")
	refused := Source{Name: "refused", Fetch: func(context.Context, string) (int, []byte, error) { return 0, nil, errors.New("connection refused") }}
	none := Source{Name: "none", Fetch: func(context.Context, string) (int, []byte, error) { return 404, nil, nil }}
	evil := (&relay{log: l, twist: func(path string, status int, body []byte) (int, []byte, error) {
		if strings.HasPrefix(path, "/lookup/") {
			return 404, nil, nil
		}
		return status, body, nil
	}}).source("evil")
	own := func(s Source) Source { s.Own = true; return s }
	for name, test := range map[string]struct {
		sources []Source
		lines   []Line
		want    Status
		reason  string
	}{
		"true":                   {[]Source{own(good)}, sums(5000), Absent, "the log does not have this version"},
		"a mirror without log":   {[]Source{none, own(good)}, sums(5000), Absent, "the log does not have this version"},
		"a mirror says it":       {[]Source{good}, sums(5000), Unverified, "good answered 404, and is not the log's own host"},
		"nobody relays it":       {[]Source{none}, sums(10), Unverified, "none answered 404, and it is not known to relay the log"},
		"denied, told by other":  {[]Source{evil, good}, sums(10), Verified, ""},
		"no log, though its own": {[]Source{own(none)}, sums(10), Unverified, "none answered 404, and it is not known to relay the log"},
		"denied, and no log":     {[]Source{evil, own(none), refused}, sums(10), Unverified, "evil answered 404, and nobody who knows better could be asked: none answered 404; connection refused"},
		"a mirror is not asked":  {[]Source{evil, own(good), refused}, sums(5000), Absent, "the log does not have this version"},
		"only a mirror":          {[]Source{evil, refused, own(refused)}, sums(10), Unverified, "evil answered 404, and nobody who knows better could be asked: connection refused; connection refused"},
		"denied, nobody else":    {[]Source{evil}, sums(10), Unverified, "evil answered 404, and is not the log's own host"},
	} {
		r := verify(t, test.lines, Options{Key: l.VerifierKey(), Sources: test.sources})
		if r.Count(test.want) != 2 || r.Results[0].Reason != test.reason || len(r.Lies) > 0 {
			t.Errorf("%s: %v", name, r.Results)
		}
	}
}

// Who answers the first question with a page is asked no second one.
func TestPagesEverywhere(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	portal := &relay{log: l, twist: func(string, int, []byte) (int, []byte, error) { return 200, []byte("<html>"), nil }}
	r := verify(t, sums(1, 2, 3, 4, 5), Options{Key: l.VerifierKey(), Sources: []Source{portal.source("a"), portal.source("b")}})
	if r.Count(Unverified) != 10 || r.Requests != 2 || r.Results[0].Reason != "a answered with something that is no head of a log; b answered with something that is no head of a log" {
		t.Errorf("%d requests, %v", r.Requests, r.Results)
	}
}

// A proof file proves its lines whatever else is remembered, and its head has to be of the same log.
func TestProofBesideTheStore(t *testing.T) {
	t.Parallel()
	l := newLog(t, 3000)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	proof := func(l *upstreamtest.SumLog, ids ...int) *Proof {
		p, err := ParseProof("p", verify(t, sums(ids...), Options{Key: l.VerifierKey(), Sources: []Source{(&relay{log: l}).source("a")}}).Proof())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	old, s := proof(l.At(2000), 10, 1500), &relay{log: l}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{s.source("relay")}}
	verify(t, sums(20), o)
	grow(l, 4000)
	recent := proof(l, 30, 3900)

	with := func(p *Proof, sources []Source, ids ...int) *Report {
		o := o
		o.Proof, o.Sources = p, sources
		return verify(t, sums(ids...), o)
	}
	for _, p := range []*Proof{old, recent} {
		ids := []int{10, 20}
		if p == recent {
			ids = []int{3900, 20}
		}
		if r := with(p, nil, ids...); r.Count(Verified) != 4 || r.Source != "cache" || r.Requests > 0 {
			t.Errorf("offline: %+v", r)
		}
	}
	if r := with(recent, nil, 3900, 30); r.Count(Verified) != 4 || r.Source != "proof" || r.Tree.N != 4000 {
		t.Errorf("offline, all in the proof: %+v", r)
	}
	if r := with(old, o.Sources, 10, 20, 40); r.Count(Verified) != 6 || r.Tree.N != 4000 || r.Consistent == nil || !*r.Consistent {
		t.Errorf("%+v", r)
	}
	if r := with(old, o.Sources, 10, 20, 40); r.Count(Verified) != 6 || r.Requests != 1 {
		t.Errorf("warm, %d requests: %+v", r.Requests, r.Notes)
	}
	forked := l.At(600)
	forked.Add("evil.test/x", "v1.0.0", hash("evil"), hash("evil"))
	grow(forked, 2500)
	if r := with(proof(forked, 10), o.Sources, 10, 20); r.Fork == nil || r.Count(Verified) > 0 {
		t.Errorf("%+v", r)
	}
}

// Nothing is read or written through a link that lies where the store should.
func TestLinkedStore(t *testing.T) {
	t.Parallel()
	l := newLog(t, 300)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	target := t.TempDir() + "/mine"
	if err := errors.Join(os.WriteFile(target, []byte("mine"), 0o600), os.Symlink(target, store.Path())); err != nil {
		t.Fatal(err)
	}
	r := verify(t, sums(3), Options{Key: l.VerifierKey(), Store: store, Sources: []Source{(&relay{log: l}).source("relay")}})
	if data, _ := os.ReadFile(target); string(data) != "mine" || r.Count(Verified) != 2 || len(r.Notes) != 2 {
		t.Errorf("%q %v", data, r.Notes)
	}
}

// A store of nothing but beginnings of blocks costs no more than its size allows, and is made anew.
func TestStoreOfBeginnings(t *testing.T) {
	t.Parallel()
	l := newLog(t, 300)
	store, err := NewStore(t.TempDir(), l.VerifierKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Key: l.VerifierKey(), Store: store, Sources: []Source{(&relay{log: l}).source("relay")}}
	verify(t, sums(3), o)
	whole, err := os.ReadFile(store.Path())
	if err != nil {
		t.Fatal(err)
	}
	one := append(slices.Clone(mark), nodesBlock, 0, 0, 0x10, 0) // a block of 1 MB
	if err := os.WriteFile(store.Path(), append(bytes.Repeat(one, 2<<20/len(one)), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, sums(3), o); r.Count(Verified) != 2 || r.Requests == 1 || r.Consistent != nil || len(r.Notes) > 0 {
		t.Errorf("what stands behind them was read: %+v", r)
	}
	if r := verify(t, sums(3), o); r.Count(Verified) != 2 || r.Requests != 1 || size(t, store) > int64(len(whole)) {
		t.Errorf("%d bytes, %d requests", size(t, store), r.Requests)
	}
}
