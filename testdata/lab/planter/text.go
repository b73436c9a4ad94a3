package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// line is one line of a file. What is planted in it stays with it, whatever is put in or taken out before it.
type line struct {
	text string
	// was is its number in the untouched file, 0 for one that was put in.
	was    int
	edited bool
}

// text is a file of a checkout as lines.
type text struct {
	path  string
	lines []*line
}

func readText(dir, path string) (*text, error) {
	data, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		return nil, err
	}
	t := &text{path: path}
	for i, l := range strings.Split(string(data), "\n") {
		t.lines = append(t.lines, &line{text: l, was: i + 1})
	}
	return t, nil
}

func (t *text) bytes() []byte {
	var b bytes.Buffer
	for i, l := range t.lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.text)
	}
	return b.Bytes()
}

// number is that of a line as the file is now.
func (t *text) number(l *line) int {
	for i, other := range t.lines {
		if other == l {
			return i + 1
		}
	}
	return 0
}

// after puts lines behind one, or at the beginning where that is nil, and returns them.
func (t *text) after(l *line, texts ...string) []*line {
	at := 0
	if l != nil {
		at = t.number(l)
	}
	var put []*line
	for _, s := range texts {
		put = append(put, &line{text: s})
	}
	t.lines = append(t.lines[:at:at], append(put, t.lines[at:]...)...)
	return put
}

func (t *text) drop(l *line) {
	at := t.number(l)
	t.lines = append(t.lines[:at-1:at-1], t.lines[at:]...)
}

// dropField takes a line out of a JSON object, and with the last one the comma before it.
func (t *text) dropField(l *line) {
	if at := t.number(l); !strings.HasSuffix(l.text, ",") && at > 1 {
		before := t.lines[at-2]
		before.text, before.edited = strings.TrimSuffix(before.text, ","), true
	}
	t.drop(l)
}

// replace changes a part that stands once in a line.
func (l *line) replace(old, new string) {
	if strings.Count(l.text, old) != 1 {
		panic(fmt.Errorf("%q stands %d times in %q", old, strings.Count(l.text, old), l.text))
	}
	l.text, l.edited = strings.Replace(l.text, old, new, 1), true
}
