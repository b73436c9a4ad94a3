package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

// trees are what a log shows: the true one, one of its past, and others that its owner has signed as well.
type trees struct {
	mu    sync.Mutex
	shown *upstreamtest.SumLog
	all   map[string]*upstreamtest.SumLog
}

const (
	size   = 700
	parted = 400
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "h1:" + base64.StdEncoding.EncodeToString(sum[:])
}

func grow(l *upstreamtest.SumLog, n int) *upstreamtest.SumLog {
	for i := int(l.Size()); i < n; i++ {
		l.Add(fmt.Sprintf("m%d.test/m", i), "v1.0.0", hashOf(fmt.Sprint("zip", i)), hashOf(fmt.Sprint("mod", i)))
	}
	return l
}

func newLog() *trees {
	honest := grow(upstreamtest.NewSumLog(&fatal{}, "sum.test"), size)
	fork := func(n int) *upstreamtest.SumLog {
		l := honest.At(parted)
		l.Add("evil.test/m", "v1.0.0", hashOf("evil"), hashOf("evil"))
		return grow(l, n)
	}
	return &trees{shown: honest, all: map[string]*upstreamtest.SumLog{"": honest, "older": honest.At(size - 100),
		"forked": fork(size + 200), "beside": fork(size), "diverged": fork(size - 100)}}
}

// ServeHTTP answers one question.
func (t *trees) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch path, ok := strings.CutPrefix(q.URL.Path, "/sumdb/sum.test"); {
	case ok:
		status, body := t.shown.Answer(path)
		w.WriteHeader(status)
		_, _ = w.Write(body)
	case q.URL.Path == "/key":
		fmt.Fprintln(w, t.shown.VerifierKey())
	case q.URL.Path == "/lines":
		for _, i := range []int{3, 77, 300, 555} {
			fmt.Fprintf(w, "m%d.test/m v1.0.0 %s\nm%[1]d.test/m v1.0.0/go.mod %[3]s\n", i, hashOf(fmt.Sprint("zip", i)), hashOf(fmt.Sprint("mod", i)))
		}
	case q.URL.Path == "/play" && t.all[q.URL.Query().Get("mode")] != nil:
		t.shown = t.all[q.URL.Query().Get("mode")]
	default:
		http.NotFound(w, q)
	}
}
