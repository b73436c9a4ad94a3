package detect_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/egress"
)

// hostile is a server on loopback that says what it likes to everybody, in HTTP/1.1, after the request has come.
func hostile(t *testing.T, say func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				if _, err := c.Read(make([]byte, 4096)); err == nil {
					say(c)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// forever writes the same until the other side has had enough.
func forever(c net.Conn, first, again string, every time.Duration) {
	if _, err := io.WriteString(c, first); err != nil {
		return
	}
	for {
		if _, err := io.WriteString(c, again); err != nil {
			return
		}
		time.Sleep(every)
	}
}

// bomb is a page that unpacks to 256 MB.
func bomb() string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zero := make([]byte, 1<<20)
	for range 1 << 8 {
		_, _ = z.Write(zero)
	}
	_ = z.Close()
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", b.Len(), b.String())
}

// Whatever a source or a proxy sends, it ends in time, takes little memory, leaves no descriptor open, and no byte of it
// comes to a terminal as it is. What goroutines are left TestMain tells.
func TestHostileServers(t *testing.T) {
	filler := strings.Repeat("x", 32<<10)
	unpacks := bomb()
	escape := "\x1b]0;owned\x07\r::error::owned"
	servers := map[string]func(net.Conn){
		"endless body":      func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\n\r\n", filler, 0) },
		"endless chunks":    func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 0) },
		"endless extension": func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", filler, 0) },
		"endless header":    func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\n", "X: "+filler+"\r\n", 0) },
		"endless line":      func(c net.Conn) { forever(c, "HTTP/1.1 200 ", filler, 0) },
		"endless trailer": func(c net.Conn) {
			forever(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n", "X: "+filler+"\r\n", 0)
		},
		"endless promises": func(c net.Conn) { forever(c, "", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 0) },
		"slow drip":        func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\n\r\n", "x", 20*time.Millisecond) },
		"slow header":      func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\nX: ", "x", 20*time.Millisecond) },
		"unpacks":          func(c net.Conn) { _, _ = io.WriteString(c, unpacks) },
		"to itself": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n")
		},
		"escapes in a line": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 999 "+escape+"\r\n\r\n") },
		"no HTTP":           func(c net.Conn) { _, _ = io.WriteString(c, escape) },
		"escapes in a way": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: http://"+escape+"/\r\n\r\n")
		},
		"tunnel with odd schemes": func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 407 "+escape+"\r\nProxy-Authenticate: "+escape+"\r\n\r\n"+filler)
		},
		"tunnel with a body": func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\n\r\n", filler, 0) },
		"silence":            func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) },
	}
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, say := range servers {
		at := hostile(t, say)
		open := descriptors(t)
		for _, proxied := range []bool{false, true} {
			o := detect.Options{Dialer: &egress.Dialer{}, Now: []detect.Target{target("a", at)}, Budget: 200 * time.Millisecond}
			if proxied {
				o.Settings, o.Now = settings("HTTPS_PROXY", at), []detect.Target{target("a", "https://a.test")}
			}
			began := time.Now()
			r := detect.Measure(t.Context(), o)
			all := detect.Sample(t.Context(), detect.Sampling{Dialer: o.Dialer, Settings: o.Settings, Targets: o.Now, Samples: 2, Budget: 200 * time.Millisecond})
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s: took %s", name, took)
			}
			said := r.Rows[0].Reason + strings.Join(r.Evidence, "") + strings.Join(r.Rows[0].Auth, "")
			for _, s := range all {
				said += s.LoadReason + strings.Join(s.Redirects, "")
				for _, f := range s.Failures {
					said += f.Reason
				}
			}
			if r.Rows[0].OK || len(said) > 2000 || strings.ContainsAny(said, "\x1b\x07\r\n") {
				t.Errorf("%s: %+v, %q", name, r.Rows[0], said)
			}
		}
		for range 200 { // the system takes a moment to close
			if descriptors(t) <= open {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if left := descriptors(t) - open; left > 0 {
			t.Errorf("%s: %d descriptors are left", name, left)
		}
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 128<<20 {
		t.Errorf("took %d MB", grown>>20)
	}
}

// descriptors are the open files of this process.
func descriptors(t *testing.T) (n int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
