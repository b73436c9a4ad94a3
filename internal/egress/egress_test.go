package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var one, two = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

// A lost answer costs half a second and not the whole budget; an error is an answer.
func TestRepeatedly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer func(n int) bool // whether the nth question is answered
		err    error
		want   time.Duration
	}{
		"answered":      {func(n int) bool { return true }, nil, 0},
		"first lost":    {func(n int) bool { return n > 1 }, nil, 500 * time.Millisecond},
		"two lost":      {func(n int) bool { return n > 2 }, nil, time.Second},
		"no such name":  {func(n int) bool { return true }, errors.New("no such host"), 0},
		"nobody speaks": {func(n int) bool { return false }, context.DeadlineExceeded, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				n, start := 0, time.Now()
				ips, err := repeatedly(ctx, func(ctx context.Context) ([]netip.Addr, error) {
					if n++; !tt.answer(n) {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return []netip.Addr{one}, tt.err
				})
				if took := time.Since(start); took != tt.want || !errors.Is(err, tt.err) || (err == nil && len(ips) != 1) {
					t.Errorf("%v, %v after %v, want %v after %v", ips, err, took, tt.err, tt.want)
				}
			})
		})
	}
}

// A silent address has the next one tried beside it; the connection that loses is closed.
func TestRace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan string, 2)
		d := &Dialer{Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				far.Read(make([]byte, 1)) // until near is closed
				closed <- address
			}()
			if address == "192.0.2.1:443" {
				time.Sleep(time.Second) // deaf to ctx, and late
			}
			return near, nil
		}}
		start := time.Now()
		conn, err := d.race(t.Context(), "tcp", []netip.Addr{one, two}, "443")
		if err != nil || time.Since(start) != headStart {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		if late := <-closed; late != "192.0.2.1:443" {
			t.Errorf("closed %s", late)
		}
		conn.Close()
		<-closed
	})
	synctest.Test(t, func(t *testing.T) {
		d := &Dialer{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }}
		start := time.Now()
		if _, err := d.race(t.Context(), "tcp", []netip.Addr{one, two}, "443"); err == nil || time.Since(start) != ConnectTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// The address that is judged is the address that is dialled.
func TestJudged(t *testing.T) {
	t.Parallel()
	var dialled []string
	d := &Dialer{
		Resolve: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{one, two}, nil },
		Judge: func(ip netip.Addr) error {
			if ip == one {
				return errors.New("not this one")
			}
			return nil
		},
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			dialled = append(dialled, address)
			near, _ := net.Pipe()
			return near, nil
		},
	}
	trace := new(Trace)
	if _, err := d.dial(t.Context(), "tcp", "a.test:443", false, trace); err != nil || len(dialled) != 1 || dialled[0] != "192.0.2.2:443" {
		t.Errorf("dialled %q: %v", dialled, err)
	}
	if seen := trace.Seen(); len(seen.IPs) != 2 || !seen.Connected {
		t.Errorf("seen %+v", seen)
	}
	d.Judge = func(netip.Addr) error { return errors.New("none") }
	if _, err := d.dial(t.Context(), "tcp", "a.test:443", false, trace); !errors.Is(err, ErrRefusedAddress) || len(dialled) != 1 {
		t.Errorf("dialled %q: %v", dialled, err)
	}
}

// A name with thousands of addresses is no reason to dial them all.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	var dialled atomic.Int64
	many := make([]netip.Addr, 5000)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
	}
	d := &Dialer{Resolve: func(context.Context, string) ([]netip.Addr, error) { return many, nil },
		Dial: func(context.Context, string, string) (net.Conn, error) {
			dialled.Add(1)
			return nil, errors.New("refused")
		}}
	trace := new(Trace)
	client, free := d.Client(nil, trace)
	defer free()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://many.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Do(request); err == nil {
		response.Body.Close()
		t.Error("connected")
	}
	if n := dialled.Load(); n != 32 || len(trace.Seen().IPs) != 32 {
		t.Errorf("dialled %d, shows %d", n, len(trace.Seen().IPs))
	}
}
