package checksumdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// open verifies a signed head.
func (c *client) open(msg []byte, source string) (head, error) {
	n, err := note.Open(msg, note.VerifierList(c.verifier))
	if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		c.lie(source, "gave a head of the log that is not signed by the key of %s", c.verifier.Name())
		return head{}, fmt.Errorf("%s gave a head that is not signed by the key of %s", source, c.verifier.Name())
	}
	if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		c.lie(source, "gave a head of the log whose signature is false")
		return head{}, fmt.Errorf("%s gave a head whose signature is false", source)
	}
	if err != nil {
		return head{}, fmt.Errorf("%s answered with something that is no head of a log", source)
	}
	tree, err := tlog.ParseTree([]byte(n.Text))
	if err != nil || tree.N <= 0 {
		return head{}, fmt.Errorf("%s gave a signed text that is no head of a log", source)
	}
	return head{tree, msg, source, c.Now()}, nil
}

// heads asks the sources for their newest head, and compares each with what is remembered and with one another.
func (c *client) heads(ctx context.Context) {
	if c.remembered.N > 0 {
		c.use(c.remembered)
	}
	c.headFault = errOffline
	if c.attested.N > 0 {
		c.advance(ctx, c.attested.head)
	}
	if len(c.Sources) > 0 {
		c.headFault = nil
	}
	for h := range c.latest(ctx) {
		c.report.Asked = true
		if c.advance(ctx, h) {
			c.report.Heads++
		}
		if c.report.Heads == c.Heads || c.report.Fork != nil {
			break
		}
	}
	if n := c.report.Heads; n > 0 && n < c.Heads && c.report.Fork == nil {
		c.note("heads of %d sources were to be compared, and only %d could be", c.Heads, n)
	}
	if c.current.N == 0 && c.headFault == nil {
		c.headFault = ctx.Err()
	}
}

// patience is how long a source is waited for before the next one is asked, too. A relay across the world answers in it.
const patience = 400 * time.Millisecond

// latest are the heads of the sources, as they come, for as long as more are wanted. The next source is asked where one
// fails, keeps silent, or gave a head that is of no use; as many at once as heads are wanted.
func (c *client) latest(ctx context.Context) iter.Seq[head] {
	return func(yield func(head) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		type answer struct {
			i   int
			h   head
			err error
			// hopeless is true where nothing else is worth asking: what came is of no log, or nothing came for long.
			hopeless bool
		}
		answers := make(chan answer, len(c.Sources))
		next, waiting, first := 0, 0, true
		start := func() {
			if next < len(c.Sources) {
				i := next
				next, waiting = next+1, waiting+1
				go func() {
					a, began := answer{i: i}, time.Now()
					a.err = c.askOne(ctx, i, "/latest", func(body []byte, source string) (err error) {
						a.h, err = c.open(body, source)
						a.hopeless = err != nil
						return err
					})
					if _, answered := errors.AsType[*statusError](a.err); a.err != nil && !answered && time.Since(began) >= patience {
						a.hopeless = true
					}
					answers <- a
				}()
			}
		}
		for range c.Heads {
			start()
		}
		timer := time.NewTimer(patience)
		defer timer.Stop()
		for waiting > 0 {
			select {
			case a := <-answers:
				waiting--
				if a.err != nil {
					if c.headFault = a.err; a.hopeless || denied(a.err) != nil {
						c.asked[a.i].leave(a.err)
					}
					c.note("%s gave no head of the log: %s", c.Sources[a.i].Name, reason(a.err))
					start()
					continue
				}
				if first {
					first = false
					c.preferred.Store(int32(a.i)) //nolint:gosec // a few sources
				}
				if !yield(a.h) {
					return
				}
				if waiting == 0 {
					start()
				}
			case <-timer.C:
				start()
				timer.Reset(patience)
			}
		}
	}
}

func (c *client) use(h head) {
	c.current = h
	c.report.Tree, c.report.Signed, c.report.Source, c.report.Since = h.Tree, h.signed, h.source, h.since
}

// kinship is what is known of two heads.
type kinship int

const (
	// unknown is nothing; parted are those of two logs, and the fork is in the report.
	unknown kinship = iota
	parted
	// partly are those of which nothing speaks against the older one, as far as both could be looked into.
	partly
	// continued are those of which the newer one is the tree of the older one with more records.
	continued
)

// advance compares a head with the one that is used, and uses the newer one where both are of one log. It tells whether
// there is no doubt left: where there was nothing to compare with, there was none.
func (c *client) advance(ctx context.Context, h head) bool {
	if c.current.N == 0 {
		c.use(h)
		return true
	}
	older, newer := c.current, h
	if h.N < older.N {
		older, newer = h, older
	}
	kin, err := c.continues(ctx, older, newer, h.source)
	if kin == unknown {
		c.note("the head of %s (%d records) could not be compared with that of %s (%d records): %s", h.source, h.N, c.current.source, c.current.N, reason(err))
		return false
	}
	if same := kin != parted; !same || c.remembered.N > 0 || c.attested.N > 0 {
		c.report.Consistent = &same
	}
	switch {
	case kin == parted:
	case h.N > c.current.N:
		c.use(h)
	default:
		c.report.Lag = max(c.report.Lag, c.current.N-h.N)
	}
	return kin != partly
}

// inParts compares two trees by the complete subtrees that both are made of, where no source has the newer one: one that was
// set back to an older head does not. It tells that there is a fork, or that nothing speaks against the older head as far
// as both are known; fault is why there is no better answer.
func (c *client) inParts(ctx context.Context, older, newer head, source string, fault error) (kinship, error) {
	kept := c.nodes
	defer func() { c.nodes = kept }()
	theirs, ok := c.parts(newer.Tree)
	if !ok {
		return unknown, fault
	}
	c.nodes = nodes{} // what is remembered is of the newer one
	w := wanted{c.nodes, map[int64]bool{}}
	_, _ = tlog.TreeHash(older.N, w)
	_ = c.fetch(ctx, older.Tree, w.missing, older.source)
	ours, ok := c.parts(older.Tree)
	if !ok {
		return unknown, fault
	}
	shared := 0
	for i := range min(len(ours), len(theirs)) {
		if ours[i].index != theirs[i].index {
			break
		}
		if ours[i].hash != theirs[i].hash {
			f := &Fork{Older: older.signed, Newer: newer.signed, Source: source}
			for _, p := range ours {
				f.OlderParts = append(f.OlderParts, p.hash)
			}
			for _, p := range theirs {
				f.NewerParts = append(f.NewerParts, p.hash)
			}
			c.report.Fork = f
			return parted, nil
		}
		shared++
	}
	if shared == 0 {
		return unknown, fault
	}
	c.note("the head of %s (%d records) is an older one, and could be compared in part only: %s", source, older.N, reason(fault))
	return partly, nil
}

// part is the root of a complete subtree.
type part struct {
	index int64
	hash  tlog.Hash
}

// parts are the largest complete subtrees of a tree from the left, by the nodes at hand; ok is false where they are not all
// there, or do not make up its head.
func (c *client) parts(tree tlog.Tree) (all []part, ok bool) {
	root, err := tlog.TreeHash(tree.N, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes, err := c.nodes.ReadHashes(indexes)
		for i := range hashes {
			all = append(all, part{indexes[i], hashes[i]})
		}
		return hashes, err
	}))
	return all, err == nil && root == tree.Hash
}

// continues tells whether newer is the tree of older with more records. Where it is shown not to be, the fork is in the
// report. The error is why nothing could be shown. Who gave the newer head is asked for its tree first: another log has
// tiles of the same names.
func (c *client) continues(ctx context.Context, older, newer head, source string) (kinship, error) {
	if older.N == newer.N {
		if older.Hash == newer.Hash {
			return continued, nil
		}
		c.report.Fork = &Fork{Older: older.signed, Newer: newer.signed, Source: source}
		return parted, nil
	}
	var fault error
	kept := c.nodes
	defer func() { c.nodes = kept }()
	for round := range 2 {
		if round > 0 { // without what was remembered, some of which is false
			c.nodes = nodes{}
		}
		w := wanted{c.nodes, map[int64]bool{}}
		_, _ = tlog.ProveTree(newer.N, older.N, w)
		_, _ = tlog.TreeHash(older.N, w)
		fault = c.fetch(ctx, newer.Tree, w.missing, newer.source)
		proof, err := tlog.ProveTree(newer.N, older.N, c.nodes)
		// what the newer head has in the older one's place shows that they differ, if the head itself vouches for it
		root, e := tlog.TreeHash(older.N, c.nodes)
		switch leads := func(to tlog.Hash) bool { return tlog.CheckTree(proof, newer.N, newer.Hash, older.N, to) == nil }; {
		case err == nil && leads(older.Hash):
			if round > 0 {
				for x, h := range c.nodes {
					kept[x] = h
					delete(c.kept, x)
				}
				c.evicted = true
			}
			return continued, nil
		case err == nil && e == nil && leads(root):
			c.report.Fork = &Fork{Older: older.signed, Newer: newer.signed, Source: source, Root: root, Proof: proof}
			return parted, nil
		}
		for x := range w.missing { // nothing proves what came
			delete(c.nodes, x)
		}
		if err != nil { // and something did not
			c.nodes = kept
			return c.inParts(ctx, older, newer, source, fault)
		}
	}
	if fault == nil {
		c.lie(source, "gave hashes that do not lead from the head with %d records to the one with %d", older.N, newer.N)
		fault = fmt.Errorf("%s gave hashes that do not lead from one to the other", source)
	}
	return unknown, fault
}
