package upstreamtest

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Slow answers after d.
func Slow(d time.Duration, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			h.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// Status answers everything with this status.
func Status(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, strconv.Itoa(code)+" "+http.StatusText(code), code)
	})
}

// CaptivePortal answers everything with status 200 and a page that wants a login.
func CaptivePortal() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html><head><title>Welcome</title></head>"+
			"<body><form method=\"post\" action=\"/login\">Please log in to use this network.</form></body></html>\n")
	})
}

// RedirectPortal sends everything to the page of a login (302).
func RedirectPortal(url string) http.Handler { return http.RedirectHandler(url, http.StatusFound) }

// Silence reads a request and never answers; it ends when the client goes.
func Silence() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
}

// Reset answers every request with a TCP reset.
func Reset() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if t, ok := c.(interface{ NetConn() net.Conn }); ok { // below TLS, or a goodbye would be sent
			c = t.NetConn()
		}
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		c.Close()
	})
}

// Truncate promises the whole body, sends the first half and closes.
func Truncate(h http.Handler) http.Handler {
	return half(h, func(*http.Request) {})
}

// Stall promises the whole body, sends the first half and then nothing until the client goes.
func Stall(h http.Handler) http.Handler {
	return half(h, func(r *http.Request) { <-r.Context().Done() })
}

func half(h http.Handler, then func(*http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := record(h, r)
		body := rec.Body.Bytes()
		send(w, rec, body[:len(body)/2], len(body))
		_ = http.NewResponseController(w).Flush()
		then(r)
		panic(http.ErrAbortHandler)
	})
}

var integrity = regexp.MustCompile(`sha512-[A-Za-z0-9+/]{4}`)

// Tamper changes what h serves, each thing in a way that parses as before: a .mod gets a comment, the .go files of a
// .zip get one each, a JSON document other than .info gets another integrity, a .tgz other bytes with the same content.
// What stands below /sumdb/ is left as it is.
func Tamper(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := record(h, r)
		body, path := rec.Body.Bytes(), r.URL.Path
		if rec.Code == http.StatusOK && !strings.Contains(path, "/sumdb/") {
			var err error
			switch {
			case strings.HasSuffix(path, ".mod"):
				body = append(body, "// tampered\n"...)
			case strings.HasSuffix(path, ".zip"):
				body, err = tamperZip(body)
			case strings.HasSuffix(path, ".tgz"):
				body, err = appendGzip(body)
			case strings.HasSuffix(path, ".info"):
			case strings.Contains(rec.Header().Get("Content-Type"), "json"):
				body = integrity.ReplaceAll(body, []byte("sha512-AAAA"))
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		send(w, rec, body, len(body))
	})
}

func tamperZip(data []byte) ([]byte, error) {
	in, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("tamper: %w", err)
	}
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, f := range in.File {
		content, err := readZip(f)
		if err != nil {
			return nil, fmt.Errorf("tamper: %w", err)
		}
		if strings.HasSuffix(f.Name, ".go") {
			content = append(content, "\n// tampered\n"...)
		}
		fw, err := zw.Create(f.Name)
		if err != nil {
			return nil, fmt.Errorf("tamper: %w", err)
		}
		if _, err := fw.Write(content); err != nil {
			return nil, fmt.Errorf("tamper: %w", err)
		}
	}
	if err := zw.Close(); err != nil {
		return nil, fmt.Errorf("tamper: %w", err)
	}
	return out.Bytes(), nil
}

// appendGzip adds an empty member, which every reader of gzip takes (RFC 1952, 2.2).
func appendGzip(data []byte) ([]byte, error) {
	out := bytes.NewBuffer(bytes.Clone(data))
	if err := gzip.NewWriter(out).Close(); err != nil {
		return nil, fmt.Errorf("tamper: %w", err)
	}
	return out.Bytes(), nil
}

func readZip(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func record(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func send(w http.ResponseWriter, rec *httptest.ResponseRecorder, body []byte, promised int) {
	maps.Copy(w.Header(), rec.Header())
	w.Header().Set("Content-Length", strconv.Itoa(promised))
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body)
}
