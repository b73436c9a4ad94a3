package checksumdb

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// client is one verification.
type client struct {
	Options
	verifier note.Verifier
	report   Report
	nodes    nodes
	// records are those that the store or the proof has.
	records map[module.Version]record
	// remembered is the head that the store has; its N is 0 where there is none.
	remembered head
	// current is the head that is used.
	current head
	// called are the nodes that the head remembered calls for, to prove what the store has of these versions. kept are those
	// that the store has; evicted is true where some of them turned out to be false, or were not there.
	called, kept map[int64]bool
	evicted      bool
	// ruined is true where so much of it is damaged that it is made anew.
	ruined bool
	// headFault is why there is none.
	headFault error
	// preferred is the index of the source that is asked first.
	preferred       atomic.Int32
	requests, bytes atomic.Int64
	asked           []standing // of Sources
	// attested is what the proof file has.
	attested attested

	mu sync.Mutex // guards report.Lies and report.Notes while several ask
	// ended is true when the report is the caller's: who answers later is not heard.
	ended bool
}

type record struct {
	id   int64
	text []byte
}

// standing is what is known of a source by its answers.
type standing struct {
	// silent is how often in a row it did not answer at all.
	silent atomic.Int32
	// relays is true once it gave something of this log: only then does it know what the log does not have.
	relays atomic.Bool
	// gone is why it is not asked any more; nil where it is.
	gone atomic.Pointer[error]
}

func (s *standing) leave(why error) { s.gone.CompareAndSwap(nil, &why) }

// head is a signed tree head that was verified.
type head struct {
	tlog.Tree
	signed []byte
	source string
	// since is when it was first seen.
	since time.Time
}

func newClient(v note.Verifier, o Options) *client {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Parallel, o.Heads = cmp.Or(o.Parallel, 32), max(o.Heads, 1)
	c := &client{Options: o, verifier: v, nodes: nodes{}, kept: map[int64]bool{}, records: map[module.Version]record{}}
	c.report.Name, c.asked = v.Name(), make([]standing, len(o.Sources))
	return c
}

func (c *client) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, args...))
	}
}

func (c *client) lie(source, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.report.Lies = append(c.report.Lies, Lie{source, fmt.Sprintf(format, args...)})
	}
}

var errOffline = errors.New("nobody was asked")

// statusError is an answer that is no success. doubt is why it is not to be believed; nil where it is.
type statusError struct {
	source string
	status int
	doubt  error
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answered %d", e.source, e.status)
	if e.doubt != nil {
		text += ", and " + e.doubt.Error()
	}
	return text
}

// absent tells whether an error is the answer that there is no such thing.
func absent(err error) bool { s := denied(err); return s != nil && s.doubt == nil }

// denied is the answer that there is no such thing, whether it is to be believed or not; nil for another error.
func denied(err error) *statusError {
	if s, ok := errors.AsType[*statusError](err); ok && (s.status == http.StatusNotFound || s.status == http.StatusGone) {
		return s
	}
	return nil
}

// ask gets a path from a source, else from the next ones; an empty name is that which answered last. accept says what is
// wrong with an answer. All sources are asked before there is an error. That there is no such thing (see absent) only the
// log's own host is believed: nobody can prove it, and who serves a forged module would rather deny its record than show it.
func (c *client) ask(ctx context.Context, of, path string, accept func(body []byte, source string) error) error {
	first, named := int(c.preferred.Load()), false
	if i := slices.IndexFunc(c.Sources, func(s Source) bool { return s.Name == of }); of != "" && i >= 0 {
		first, named = i, true
	}
	var missing *statusError
	var last error
	var faults, others []string
	for i := range c.Sources {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := (first + i) % len(c.Sources)
		err := c.askOne(ctx, n, path, accept)
		if err == nil {
			if !named {
				c.preferred.CompareAndSwap(int32(first), int32(n)) //nolint:gosec // a few sources
			}
			return nil
		}
		last, faults = err, append(faults, err.Error())
		d := denied(err)
		if d != nil && c.Sources[n].Own && c.knows(ctx, n) {
			return err
		}
		if d != nil && missing == nil && c.asked[n].relays.Load() {
			missing = d
		} else {
			others = append(others, err.Error())
		}
	}
	switch s := denied(last); {
	case len(faults) == 0:
		return errOffline
	case missing != nil && len(others) > 0:
		return &statusError{missing.source, missing.status, errors.New("nobody who knows better could be asked: " + strings.Join(others, "; "))}
	case missing != nil:
		return &statusError{missing.source, missing.status, errors.New("is not the log's own host")}
	case len(faults) > 1:
		return errors.New(strings.Join(faults, "; "))
	case s != nil:
		return &statusError{s.source, s.status, errors.New("it is not known to relay the log")}
	}
	return last
}

// knows tells whether a source has the log at all.
func (c *client) knows(ctx context.Context, n int) bool {
	if !c.asked[n].relays.Load() {
		_ = c.askOne(ctx, n, "/latest", func(body []byte, source string) error {
			_, err := c.open(body, source)
			return err
		})
	}
	return c.asked[n].relays.Load()
}

// givenUp is after how many questions without any answer nobody asks a source again. One that relays the log has more of
// them: where it has to look for a version that nobody has asked for yet, that can take longer than anybody waits.
const givenUp = 3

// patient is how many those are.
func (c *client) patient(n int) int32 {
	if c.asked[n].relays.Load() {
		return int32(2 * c.Parallel) //nolint:gosec // a few dozen
	}
	return givenUp
}

func (c *client) askOne(ctx context.Context, n int, path string, accept func([]byte, string) error) error {
	s := c.Sources[n]
	if why := c.asked[n].gone.Load(); why != nil {
		return *why
	}
	c.requests.Add(1)
	status, body, err := s.Fetch(ctx, path)
	c.bytes.Add(int64(len(body)))
	switch {
	case err != nil:
		if ctx.Err() == nil && c.asked[n].silent.Add(1) >= c.patient(n) {
			c.asked[n].leave(err)
		}
		return err
	case status != http.StatusOK:
		return &statusError{source: s.Name, status: status}
	}
	c.asked[n].silent.Store(0)
	err = accept(body, s.Name)
	if err == nil {
		c.asked[n].relays.Store(true)
	}
	return err
}

// each calls do for all indexes below n, at most Parallel at once.
func (c *client) each(n int, do func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, c.Parallel) {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wait.Wait()
}

// page tells a page for people, which captive portals send in place of everything.
func page(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// lookup finds the records of all versions: in the store, else at the sources.
func (c *client) lookup(ctx context.Context, versions []*version) {
	var missing []*version
	for _, v := range versions {
		if r, ok := c.records[v.Version]; ok && names(r.text, v.Version) {
			v.id, v.text, v.source = r.id, r.text, "cache"
		} else {
			missing = append(missing, v)
		}
	}
	var done atomic.Int64
	var mu sync.Mutex
	var ahead []head // heads that records came with
	c.each(len(missing), func(i int) {
		v := missing[i]
		path, err := lookupPath(v.Version)
		if err == nil {
			err = c.ask(ctx, "", path, func(body []byte, source string) error {
				h, err := c.take(v, body, source)
				if err == nil && h.N > c.report.Tree.N {
					mu.Lock()
					ahead = append(ahead, h)
					mu.Unlock()
				}
				return err
			})
		}
		switch {
		case absent(err):
			c.settle(v, Absent, "the log does not have this version")
		case err != nil:
			c.settle(v, Unverified, reason(err))
		}
		if c.Progress != nil {
			c.Progress(int(done.Add(1)), len(missing))
		}
	})
	// a record that is newer than our head comes with a head that has it
	var newest head
	for _, h := range ahead {
		if h.N > newest.N {
			newest = h
		}
	}
	if newest.N > 0 {
		c.advance(ctx, newest)
	}
}

func lookupPath(m module.Version) (string, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	v, err := module.EscapeVersion(m.Version)
	return "/lookup/" + path + "@" + v, err
}

// take reads the answer to a lookup. The head that comes with it is returned where the record is newer than ours.
func (c *client) take(v *version, body []byte, source string) (head, error) {
	id, text, rest, err := tlog.ParseRecord(body)
	if err != nil {
		return head{}, fmt.Errorf("%s answered with something that is no record", source)
	}
	if !names(text, v.Version) {
		c.lie(source, "answered the question for %s with a record of something else", v.Version)
		return head{}, fmt.Errorf("%s answered with a record of something else", source)
	}
	var with head
	if id < 0 {
		return head{}, fmt.Errorf("%s answered with something that is no record", source)
	}
	if id >= c.report.Tree.N {
		if with, err = c.open(rest, source); err != nil {
			return head{}, err
		}
		if id >= with.N {
			return head{}, fmt.Errorf("%s answered with a record that no signed head has", source)
		}
	}
	v.id, v.text, v.source, v.fresh, v.size = id, text, source, true, 0
	return with, nil
}
