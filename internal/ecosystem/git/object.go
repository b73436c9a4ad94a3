package git

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// verified tells whether an object of that type and content has that hash. git itself does not look: cat-file believes
// the name of a loose object and the index of a pack.
func verified(kind string, data []byte, want string) bool {
	var h hash.Hash
	if h = sha1.New(); len(want) == 2*sha256.Size {
		h = sha256.New()
	}
	fmt.Fprintf(h, "%s %d\x00", kind, len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil)) == want
}

// The kinds of an entry: the upper bits of its mode.
const (
	kindTree = 0o040000
	kindFile = 0o100000
	kindLink = 0o120000
)

// entry is one name of a tree.
type entry struct {
	mode uint32
	name string
	hash string // hexadecimal
}

func (e entry) kind() uint32 { return e.mode &^ 0o7777 }

// parseTree reads a tree whose hashes have size bytes. A name that stands there twice is an error: git's own readers
// differ in which one they take.
func parseTree(data []byte, size int) ([]entry, error) {
	var out []entry
	seen := map[string]bool{}
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte{0})
		if !ok || len(rest) < size {
			return nil, errors.New("it ends in the middle of an entry")
		}
		digits, name, _ := strings.Cut(string(head), " ")
		mode, err := strconv.ParseUint(digits, 8, 24)
		if err != nil || name == "" || strings.Contains(name, "/") {
			return nil, errors.New("an entry of it is not of the form MODE NAME")
		}
		if seen[name] {
			return nil, errors.New("a name stands twice in it")
		}
		seen[name] = true
		out = append(out, entry{uint32(mode), name, hex.EncodeToString(rest[:size])})
		data = rest[size:]
	}
	return out, nil
}
