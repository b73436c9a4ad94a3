// Sumdb plays checksum databases for the door and the benchmark of verify, and is the benchmark's rival.
//
//	sumdb relay [-delay D] [-override DIR] UPSTREAM
//	sumdb log
//	sumdb client [-parallel N] RELAY GOSUM
//	sumdb union PROXY LINES MODULE@VERSION...
//	sumdb poison IN.zip OUT.zip
//
// relay passes a module proxy on and remembers what it answered; GET /play?mode=… has it answer otherwise. log is a log of
// its own, whose GET /key, /lines and /play?mode=… say and change what it is. Both print their address first. client
// compares a go.sum by the client library of the go command. union prints the first lines of the union of the go.sum files
// of modules. poison changes a module's zip and prints its hash.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sumdb:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("which part? relay, log, client, union or poison")
	}
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	delay := f.Duration("delay", 0, "wait before each answer and each connection")
	override := f.String("override", "", "a directory whose files are served first")
	parallel := f.Int("parallel", 1, "how many lookups at once")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	switch n := f.NArg(); {
	case args[0] == "relay" && n == 1:
		return serve(newRelay(f.Arg(0), *override), *delay)
	case args[0] == "log" && n == 0:
		return serve(newLog(), 0)
	case args[0] == "client" && n == 2:
		return compare(f.Arg(0), f.Arg(1), *parallel)
	case args[0] == "union" && n > 2:
		return union(f.Arg(0), f.Arg(1), f.Args()[2:])
	case args[0] == "poison" && n == 2:
		return poison(f.Arg(0), f.Arg(1))
	}
	return fmt.Errorf("%s: what is asked makes no sense", args[0])
}

// serve answers on a free port. The delay is what a line across the world adds: once to open a connection, and once for
// each question.
func serve(h http.Handler, delay time.Duration) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	far := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(delay)
		h.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: far, ReadHeaderTimeout: time.Minute}
	return server.Serve(slow{l, delay})
}

type slow struct {
	net.Listener
	delay time.Duration
}

// Accept gives a connection at once, whose first bytes come late.
func (s slow) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil || s.delay == 0 {
		return c, err
	}
	return &late{Conn: c, ready: time.Now().Add(s.delay)}, nil
}

type late struct {
	net.Conn
	ready time.Time
}

func (l *late) Read(p []byte) (int, error) {
	if wait := time.Until(l.ready); wait > 0 {
		time.Sleep(wait)
	}
	return l.Conn.Read(p)
}
