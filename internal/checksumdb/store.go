package checksumdb

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/org/goproxy-action/internal/source"
)

// Store is what is remembered of one log between runs: the newest head, and of each version that was proven its record and
// the hashes that prove it. It is one file that only grows, of blocks that each stand for themselves: one that is torn or
// damaged is passed over, and costs no more than to ask for its version again. Nothing in it is believed without a proof.
// Several processes may use it at once: each adds its blocks in one piece.
type Store struct {
	path string
	// limit is the size in bytes past which the file is made anew from what the run at hand needs.
	limit int64
}

// DefaultLimit is the size of a store. A version takes about 1 KB.
const DefaultLimit = 64 << 20

// NewStore returns the store of the log with this key, in a directory that is made when something is to be remembered.
// limit is its size in bytes, 0 means DefaultLimit.
func NewStore(dir, key string, limit int64) (*Store, error) {
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	clean := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}
	return &Store{filepath.Join(dir, fmt.Sprintf("%s+%08x.log", strings.Map(clean, v.Name()), v.KeyHash())), limit}, nil
}

// Path is the file.
func (s *Store) Path() string { return s.path }

// Blocks are a mark, a kind, the length of the content, itself, and a checksum of the last three.
var mark = []byte("\x89log")

const (
	headBlock   = 'h'
	recordBlock = 'r'
	nodesBlock  = 'n'

	frame    = 4 + 1 + 4 + 4
	maxBlock = 1 << 20
)

var table = crc32.MakeTable(crc32.Castagnoli)

func appendBlock(b []byte, kind byte, content []byte) []byte {
	b = append(b, mark...)
	from := len(b)
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(content))) //nolint:gosec // below maxBlock
	b = append(b, content...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], table))
}

// maxVain bounds the bytes whose checksum is computed and is false. A damaged block costs its length; who writes nothing but
// beginnings of blocks would keep us busy for an hour.
const maxVain = 256 << 20

// blocks calls each for every block that is whole. What stands behind too much that is damaged is left out, and told.
func blocks(data []byte, each func(kind byte, content []byte)) (ruined bool) {
	vain := int64(0)
	for {
		i := bytes.Index(data, mark)
		if i < 0 {
			return false
		}
		data = data[i:]
		if len(data) < frame {
			return false
		}
		n := int64(binary.LittleEndian.Uint32(data[5:]))
		if end := 9 + n; n <= maxBlock && end+4 <= int64(len(data)) {
			if crc32.Checksum(data[4:end], table) == binary.LittleEndian.Uint32(data[end:]) {
				each(data[4], data[9:end])
				data = data[end+4:]
				continue
			}
			if vain += n; vain > maxVain {
				return true
			}
		}
		data = data[len(mark):]
	}
}

func appendHead(h head) []byte {
	return append(binary.AppendVarint(nil, h.since.Unix()), h.signed...)
}

func appendRecord(b []byte, m module.Version, id int64, text []byte) []byte {
	b = binary.AppendVarint(b, id)
	name := m.Path + "@" + m.Version
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendNodes(b []byte, indexes []int64, n nodes) []byte {
	for _, x := range indexes {
		h := n[x]
		b = binary.AppendVarint(b, x)
		b = append(b, h[:]...)
	}
	return b
}

// reader takes a block apart. After a fault all that it gives is zero.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.data)
	if size <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[size:]
	return n
}

func (r *reader) text() []byte {
	n, size := binary.Uvarint(r.data)
	if size <= 0 || n > uint64(len(r.data)-size) { //nolint:gosec // size is at most the length
		r.bad, r.data = true, nil
		return nil
	}
	out := r.data[size : size+int(n)] //nolint:gosec // it is below the length
	r.data = r.data[size+int(n):]     //nolint:gosec // as above
	return out
}

// load reads of the store what these versions need, and the proof. What cannot be read is as if it were not there.
func (c *client) load(versions []*version) {
	if c.Proof != nil {
		c.adopt(c.Proof)
	}
	if c.Store == nil {
		return
	}
	data, err := c.Store.read()
	if err != nil {
		c.note("what was remembered of the log is left out: %v", err)
	}
	names := make(map[string]*version, len(versions))
	for _, v := range versions {
		names[v.Path+"@"+v.Version.Version] = v
	}
	var hashes [][]byte // of all blocks
	var heads []head    // not verified
	c.ruined = blocks(data, func(kind byte, content []byte) {
		r := reader{data: content}
		switch kind {
		case headBlock:
			heads = append(heads, unsigned(&r))
		case recordBlock:
			id, name, text := r.number(), r.text(), r.text()
			if v := names[string(name)]; v != nil && !r.bad && id >= 0 {
				c.records[v.Version] = record{id, text}
			}
			hashes = append(hashes, r.data)
		case nodesBlock:
			hashes = append(hashes, content)
		}
	})
	c.recall(heads)
	// A store may have much of other checkouts. Of the hashes only those are taken that the head remembered calls for.
	need := wanted{nodes{}, map[int64]bool{}}
	if n := c.remembered.N; n > 0 {
		_, _ = tlog.TreeHash(n, need)
		for _, r := range c.records {
			if r.id < n {
				_, _ = tlog.ProveRecord(n, r.id, need)
			}
		}
		if a := c.attested.N; a > 0 && a < n {
			_, _ = tlog.ProveTree(n, a, need)
			_, _ = tlog.TreeHash(a, need)
		}
	}
	c.called = need.missing
	for _, data := range hashes {
		for r := (reader{data: data}); len(r.data) > 0; {
			x, at := r.number(), r.data
			if len(at) < tlog.HashSize || r.bad {
				break
			}
			if r.data = at[tlog.HashSize:]; need.missing[x] {
				c.nodes[x], c.kept[x] = tlog.Hash(at[:tlog.HashSize]), true
			}
		}
	}
}

// unsigned is what a block says of a head. Its N is 0 where it is none.
func unsigned(r *reader) head {
	since := time.Unix(r.number(), 0)
	text, _, _ := bytes.Cut(r.data, []byte("\n\n"))
	tree, err := tlog.ParseTree(append(slices.Clone(text), '\n'))
	if err != nil {
		tree.N = 0
	}
	return head{tree, r.data, "cache", since}
}

// maxFalse is how many false heads are looked at: a signature takes longer to verify than all else of a block.
const maxFalse = 100

// recall takes over the newest head that is signed.
func (c *client) recall(heads []head) {
	slices.SortStableFunc(heads, func(a, b head) int { return cmp.Compare(b.N, a.N) })
	for _, h := range heads[:min(len(heads), maxFalse)] {
		n, err := note.Open(h.signed, note.VerifierList(c.verifier))
		if err != nil || h.N <= 0 {
			continue
		}
		if tree, err := tlog.ParseTree([]byte(n.Text)); err != nil || tree != h.Tree {
			continue
		}
		if now := c.Now(); h.since.After(now) { // a clock was wrong, or somebody wants a log to stand still unnoticed
			h.since = now
		}
		c.remembered = h
		return
	}
	c.ruined = c.ruined || len(heads) > maxFalse
}

// open opens the directory: whatever lies in it, nothing outside of it is read or written through a link.
func (s *Store) open() (root *os.Root, name string, err error) {
	root, err = os.OpenRoot(filepath.Dir(s.path))
	return root, filepath.Base(s.path), err
}

// stat is nil where there is no file yet.
func (s *Store) stat(root *os.Root, name string) (fs.FileInfo, error) {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", s.path)
	}
	return info, err
}

// openFile opens the file that stat has seen, and none that somebody has put in its place since. was is nil for a new file.
func (s *Store) openFile(root *os.Root, name string, how int, was fs.FileInfo) (*os.File, error) {
	f, err := root.OpenFile(name, how|source.NonBlock, 0o600)
	if err != nil || was == nil {
		return f, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(was, now) {
		return nil, errors.Join(fmt.Errorf("%s was replaced while it was opened", s.path), f.Close())
	}
	return f, nil
}

func (s *Store) read() ([]byte, error) {
	root, name, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := s.stat(root, name)
	if info == nil || err != nil {
		return nil, err
	}
	f, err := s.openFile(root, name, os.O_RDONLY, info)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// as large as it is, and a byte more that is not there: what grows by itself would be copied, and collected
	from, data := io.LimitReader(f, 2*s.limit), make([]byte, min(info.Size(), 2*s.limit)+1)
	n, err := io.ReadFull(from, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return data[:n], nil
	}
	if err != nil {
		return nil, err
	}
	more, err := io.ReadAll(from) // it has grown meanwhile
	return slices.Concat(data, more), err
}

// remember adds to the store what was proven.
func (c *client) remember(versions []*version) {
	if c.Store == nil || c.current.N == 0 {
		return
	}
	var out []byte
	if c.current.N > c.remembered.N {
		out = appendBlock(out, headBlock, appendHead(c.current))
	}
	known := c.kept
	write := func(kind byte, content []byte, indexes iter.Seq[int64]) {
		var fresh []int64
		for x := range indexes {
			if _, ok := c.nodes[x]; ok && !known[x] {
				known[x] = true
				fresh = append(fresh, x)
			}
		}
		slices.Sort(fresh)
		if len(fresh) > 0 || len(content) > 0 {
			out = appendBlock(out, kind, appendNodes(content, fresh, c.nodes))
		}
	}
	all := wanted{nodes{}, map[int64]bool{}}
	if _, sound := c.parts(c.current.Tree); sound {
		_, _ = tlog.TreeHash(c.current.N, all) // what the next head is compared by
	}
	if a := c.attested.N; a > 0 && a < c.current.N {
		_, _ = tlog.ProveTree(c.current.N, a, all)
		_, _ = tlog.TreeHash(a, all)
	}
	write(nodesBlock, nil, maps.Keys(all.missing))
	for _, v := range versions {
		if !v.proven || !v.fresh && c.current.N == c.remembered.N && !c.evicted { // the store has all of it
			continue
		}
		path := slices.Values(v.pathIn(c.current.N))
		if v.fresh {
			write(recordBlock, appendRecord(nil, v.Version, v.id, v.text), path)
		} else {
			write(nodesBlock, nil, path)
		}
	}
	if len(out) == 0 {
		return
	}
	if err := c.Store.add(out, c.ruined, func() []byte { return c.whole(versions, all.missing) }); err != nil {
		c.note("what was proven is not remembered: %v", err)
	}
}

// whole is a store of this run alone; heads are the nodes that the next head is compared by.
func (c *client) whole(versions []*version, heads map[int64]bool) []byte {
	out := appendBlock(nil, headBlock, appendHead(c.current))
	known := nodes{}
	for x := range heads {
		if h, ok := c.nodes[x]; ok {
			known[x] = h
		}
	}
	if len(known) > 0 {
		out = appendBlock(out, nodesBlock, appendNodes(nil, slices.Sorted(maps.Keys(known)), c.nodes))
	}
	for _, v := range versions {
		if !v.proven {
			continue
		}
		var fresh []int64
		for _, x := range v.pathIn(c.current.N) {
			if _, ok := known[x]; !ok {
				known[x] = c.nodes[x]
				fresh = append(fresh, x)
			}
		}
		slices.Sort(fresh)
		out = appendBlock(out, recordBlock, appendNodes(appendRecord(nil, v.Version, v.id, v.text), fresh, c.nodes))
	}
	return out
}

// add appends blocks in one piece, or where the file has grown too large, or is to be made anew, puts another in its place.
func (s *Store) add(out []byte, anew bool, whole func() []byte) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	root, name, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := s.stat(root, name)
	if err != nil {
		return err
	}
	write := func(name string, how int, was fs.FileInfo, data []byte) error {
		f, err := s.openFile(root, name, os.O_WRONLY|os.O_CREATE|how, was)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	if info == nil || !anew && info.Size()+int64(len(out)) <= s.limit {
		return write(name, os.O_APPEND, info, out)
	}
	half := fmt.Sprintf("%s.%d.new", name, os.Getpid())
	_ = root.Remove(half) // of a process that ended early
	if err = write(half, os.O_EXCL, nil, whole()); err == nil {
		err = root.Rename(half, name)
	}
	if err != nil {
		_ = root.Remove(half)
	}
	return err
}
