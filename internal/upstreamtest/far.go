package upstreamtest

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Far is Resolve and Dial of a world that lies a round trip away: a name, a connection, and whatever is asked over it take
// that long before something comes back. Bandwidth and the slow start of TCP are not played.
func (w *World) Far(roundTrip time.Duration) (resolve func(context.Context, string) ([]netip.Addr, error), dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	wait := func(ctx context.Context) {
		t := time.NewTimer(roundTrip)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	resolve = func(ctx context.Context, name string) ([]netip.Addr, error) {
		wait(ctx)
		return w.Resolve(ctx, name)
	}
	dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		wait(ctx)
		c, err := w.Dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		f := &far{Conn: c, roundTrip: roundTrip, come: make(chan piece, 1<<10), closed: make(chan struct{})}
		go f.pump()
		return f, nil
	}
	return resolve, dial
}

// far is a connection on which everything comes a round trip later.
type far struct {
	net.Conn
	roundTrip time.Duration
	come      chan piece
	now       piece
	once      sync.Once
	closed    chan struct{}
}

type piece struct {
	data []byte
	err  error
	due  time.Time
}

func (f *far) pump() {
	for {
		p := piece{data: make([]byte, 32<<10)}
		var n int
		n, p.err = f.Conn.Read(p.data)
		p.data, p.due = p.data[:n], time.Now().Add(f.roundTrip)
		select {
		case f.come <- p:
		case <-f.closed:
			return
		}
		if p.err != nil {
			return
		}
	}
}

// Read is called by one goroutine at a time, as the clients do.
func (f *far) Read(b []byte) (int, error) {
	for len(f.now.data) == 0 {
		if f.now.err != nil {
			return 0, f.now.err
		}
		select {
		case f.now = <-f.come:
		case <-f.closed:
			return 0, net.ErrClosed
		}
		t := time.NewTimer(time.Until(f.now.due))
		select {
		case <-t.C:
		case <-f.closed:
			t.Stop()
			return 0, net.ErrClosed
		}
	}
	n := copy(b, f.now.data)
	f.now.data = f.now.data[n:]
	return n, nil
}

func (f *far) Close() error {
	f.once.Do(func() { close(f.closed) })
	return f.Conn.Close()
}
