package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// Long work shows how far it is, in one line, and leaves no trace of it; short work shows nothing.
func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := &program{Process: Process{Stderr: &out}}
	if tell, end := m.progress("x"); tell != nil || end == nil {
		t.Error("what is no terminal is told something")
	}
	m.StderrTerminal = true
	tell, end := m.progress("x")
	tell(1, 9)
	if end(); out.Len() > 0 {
		t.Errorf("%q", &out)
	}
	p := &progress{out: &out, what: "versions", next: time.Now().Add(-time.Second)}
	p.tell(3, 9)
	if p.next.Before(time.Now().Add(-redrawTime)) {
		t.Error("it is drawn anew at once")
	}
	p.next = time.Now().Add(time.Hour)
	p.tell(4, 9) // too soon to be drawn
	p.end()
	p.tell(5, 9)
	if got := out.String(); got != "\r3 of 9 versions\x1b[K\r\x1b[K" || strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
}
