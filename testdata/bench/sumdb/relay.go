package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

// relay passes on what a module proxy answers, and does not always tell the truth.
type relay struct {
	upstream, override string
	forger             *upstreamtest.SumLog

	mu     sync.Mutex
	known  map[string]answer
	mode   string
	module string
	asked  int
}

type answer struct {
	status int
	body   []byte
}

func newRelay(upstream, override string) *relay {
	forger := upstreamtest.NewSumLog(&fatal{}, "sum.golang.org")
	forger.Add("a.test/x", "v1.0.0", "h1:x=", "h1:y=")
	return &relay{upstream: strings.TrimRight(upstream, "/"), override: override, forger: forger, known: map[string]answer{}}
}

// ServeHTTP answers one question.
func (r *relay) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/play" {
		r.mu.Lock()
		r.mode, r.module = q.URL.Query().Get("mode"), q.URL.Query().Get("module")
		fmt.Fprintln(w, r.asked)
		r.asked = 0
		r.mu.Unlock()
		return
	}
	if r.override != "" {
		file := filepath.Join(r.override, filepath.FromSlash(filepath.Clean("/"+q.URL.Path)))
		if data, err := os.ReadFile(file); err == nil {
			_, _ = w.Write(data)
			return
		}
	}
	r.mu.Lock()
	mode, module := r.mode, r.module
	r.asked++
	r.mu.Unlock()
	path := q.URL.EscapedPath()
	a := r.get(path)
	_, rest, ofLog := strings.Cut(path, "/sumdb/sum.golang.org")
	if ofLog && a.status == http.StatusOK {
		if a = r.play(mode, module, rest, a); a.status == 0 { // cut
			panic(http.ErrAbortHandler)
		}
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// play is an answer as somebody would have it who means no good, or whose machine is broken.
func (r *relay) play(mode, module, path string, a answer) answer {
	of := strings.HasPrefix(path, "/lookup/"+module+"@")
	switch {
	case mode == "page":
		return answer{http.StatusOK, []byte("<!doctype html><title>Welcome</title>")}
	case mode == "slow":
		time.Sleep(3 * time.Second)
	case mode == "silent":
		time.Sleep(time.Hour)
	case mode == "halfway" && strings.HasPrefix(path, "/tile/"):
		return answer{}
	case mode == "altered" && of: // one character of the hash
		body := bytes.Clone(a.body)
		at := bytes.Index(body, []byte(" h1:")) + len(" h1:") + 3
		body[at] = map[bool]byte{true: 'B', false: 'A'}[body[at] == 'A']
		return answer{a.status, body}
	case mode == "other" && of:
		return r.get("/sumdb/sum.golang.org/lookup/golang.org/x/text@v0.3.0")
	case mode == "denied" && of:
		return answer{http.StatusNotFound, []byte("not found\n")}
	case mode == "key" && path == "/latest":
		return answer{http.StatusOK, r.forger.Head()}
	case mode == "partial" && strings.HasPrefix(path, "/tile/8/0/") && !strings.Contains(path, ".p/"):
		return answer{a.status, a.body[:100*tlog.HashSize]}
	}
	return a
}

func (r *relay) get(path string) answer {
	r.mu.Lock()
	a, ok := r.known[path]
	r.mu.Unlock()
	if ok {
		return a
	}
	for range 3 { // this is no test of the network
		response, err := client.Get(r.upstream + path)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode >= 500 {
			continue
		}
		a = answer{response.StatusCode, body}
		r.mu.Lock()
		r.known[path] = a
		r.mu.Unlock()
		return a
	}
	return answer{http.StatusBadGateway, nil}
}

var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}}

// fatal is what a log of the tests' own complains to.
type fatal struct{ testing.TB }

func (*fatal) Helper() {}

func (*fatal) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (*fatal) Error(args ...any) { panic(fmt.Sprint(args...)) }

// poison adds a line to each file of Go in a module's zip.
func poison(in, out string) error {
	from, err := zip.OpenReader(in)
	if err != nil {
		return err
	}
	defer from.Close()
	var b bytes.Buffer
	to := zip.NewWriter(&b)
	for _, f := range from.File {
		w, err := to.Create(f.Name)
		if err != nil {
			return err
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		if _, err = io.Copy(w, r); err == nil && strings.HasSuffix(f.Name, ".go") {
			_, err = io.WriteString(w, "\n// changed\n")
		}
		r.Close()
		if err != nil {
			return err
		}
	}
	if err := to.Close(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(out, b.Bytes(), 0o600); err != nil {
		return err
	}
	sum, err := dirhash.HashZip(out, dirhash.Hash1)
	fmt.Println(sum)
	return err
}
