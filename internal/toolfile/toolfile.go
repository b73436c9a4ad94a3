// Package toolfile reads the formats that tools keep their settings in: git's, npm's, yarn 1's, YAML and TOML.
//
// It reads as the tools themselves do, keeps the place of each setting, and knows the meaning of none: the rooms of the
// tools know that of a checkout's files, internal/machine that of the user's and the system's.
package toolfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaxLeaves bounds what a file of YAML, TOML or yarn's format holds, aliases followed.
	MaxLeaves = 50_000
	// MaxNested bounds how deep it nests.
	MaxNested = 20
)

// Place is a byte of a file.
type Place struct {
	// Line and Column start at 1; Column counts bytes.
	Line, Column int
}

// Fault is why a file cannot be read.
type Fault struct {
	At Place
	// Text goes on from the file's name: "holds a key without a value". It quotes nothing but single characters, keys of
	// a faulty line and the words of a library, without what looks like an address's secret.
	Text string
}

// Error is the text with its line and column.
func (f *Fault) Error() string { return fmt.Sprintf("%d:%d: %s", f.At.Line, f.At.Column, f.Text) }

func fault(at Place, format string, args ...any) error {
	return &Fault{Place{max(at.Line, 1), max(at.Column, 1)}, fmt.Sprintf(format, args...)}
}

// Key is one part of a setting's name.
type Key struct {
	Text string
	At   Place
}

// Leaf is one text of a file, or an empty mapping or list.
type Leaf struct {
	// Path are the keys that lead to it, those of a list's items being [0], [1] and so on.
	Path []Key
	Text string
	// Empty is true for a mapping or list without content, which has no text.
	Empty bool
	At    Place
}

// Name is the path as people write it: the items of a list have the list's name.
func (l Leaf) Name() string {
	var b strings.Builder
	for _, key := range l.Path {
		if IsIndex(key.Text) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(key.Text)
	}
	return b.String()
}

// Index is the key of a list's item.
func Index(i int) string { return "[" + strconv.Itoa(i) + "]" }

// IsIndex tells whether a key is one of a list's item.
func IsIndex(key string) bool {
	return len(key) > 2 && key[0] == '[' && key[len(key)-1] == ']' && strings.Trim(key[1:len(key)-1], "0123456789") == ""
}

// Oddity finds what is a line's end, or an end of all, to some readers only.
func Oddity(text string) (at int, what string) {
	if !utf8.ValidString(text) {
		for i, r := range text {
			if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
				return i, "a byte that is no UTF-8"
			}
		}
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r == 0 || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return i, fmt.Sprintf("the character %U", r)
	}
	if i := LoneReturn(text); i >= 0 {
		return i, "a carriage return that ends no line"
	}
	return 0, ""
}

// LoneReturn is where the first carriage return stands that ends no line; -1 where there is none.
func LoneReturn(text string) int {
	for from := 0; ; {
		n := strings.IndexByte(text[from:], '\r')
		if n < 0 {
			return -1
		}
		if from += n + 1; from == len(text) || text[from] != '\n' {
			return from - 1
		}
	}
}
