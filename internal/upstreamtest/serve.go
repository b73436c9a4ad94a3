// Package upstreamtest plays the Internet on loopback, for tests only: a module proxy with a checksum database, an npm
// registry, GitHub's API, forward proxies, and everything that goes wrong with them. It listens on 127.0.0.1 and a free
// port, needs neither root nor a network, and every server ends with the test that started it.
package upstreamtest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Start serves h over plain HTTP until the test ends and returns the address, "http://127.0.0.1:PORT". Unlike
// httptest.Server it ends at once though a handler still waits for its client.
func Start(tb testing.TB, h http.Handler) string {
	tb.Helper()
	return "http://" + start(tb, h, nil)
}

// start serves HTTP/1.1, over TLS where conf is not nil, and returns "127.0.0.1:PORT". At the end of the test every
// request's context ends, every connection closes, and the goroutines are waited for, except hijacked connections'.
func start(tb testing.TB, h http.Handler, conf *tls.Config) string {
	tb.Helper()
	ln := listen(tb)
	addr := ln.Addr().String()
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	srv := &http.Server{
		Handler:     h,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    silentLog(), // broken handshakes are what these servers are for
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				running.Add(1)
			case http.StateClosed, http.StateHijacked:
				running.Done()
			}
		},
	}
	running.Go(func() { _ = srv.Serve(ln) })
	tb.Cleanup(func() {
		cancel()
		srv.Close()
		running.Wait()
	})
	return addr
}

// sink accepts connections, reads what comes and never answers.
func sink(tb testing.TB) string {
	tb.Helper()
	ln := listen(tb)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				_, _ = io.Copy(io.Discard, c)
			})
		}
	})
	tb.Cleanup(func() {
		cancel()
		ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return ln
}

// origin is how the client of this request calls the server: "https://host:port".
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func silentLog() *log.Logger { return log.New(io.Discard, "", 0) }
