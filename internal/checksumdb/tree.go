package checksumdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// height is of the tiles that are asked for: those of the go command, which proxies have in their caches.
const height = 8

// nodes are hashes of the tree by tlog's index. They are those of complete subtrees, which no later head changes. None is
// believed: what is proven with them is.
type nodes map[int64]tlog.Hash

// ReadHashes is tlog.HashReader.
func (n nodes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		h, ok := n[x]
		if !ok {
			return nil, errMissing
		}
		out[i] = h
	}
	return out, nil
}

var errMissing = errors.New("the hashes that would prove it are missing")

// wanted are the indexes that somebody reads.
type wanted struct {
	nodes
	missing map[int64]bool
}

// ReadHashes notes what is missing. What is then made of the answer is thrown away.
func (w wanted) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	for _, x := range indexes {
		if _, ok := w.nodes[x]; !ok {
			w.missing[x] = true
		}
	}
	return make([]tlog.Hash, len(indexes)), nil
}

// pathIn are the indexes of the hashes that prove the record of a version in a tree of n records. It is found once: to find it
// takes nearly as long as to prove it.
func (v *version) pathIn(n int64) []int64 {
	if v.size != n {
		v.path, v.size = nil, n
		_, _ = tlog.ProveRecord(n, v.id, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			v.path = append(v.path, indexes...)
			return make([]tlog.Hash, len(indexes)), nil
		}))
	}
	return v.path
}

// need is what is missing to prove the records of a tree, and to compare it with others.
func (c *client) need(tree tlog.Tree, versions []*version) map[int64]bool {
	w := wanted{c.nodes, map[int64]bool{}}
	known := tree.N == c.remembered.N // what the store has was read for this tree
	if known {
		_, _ = w.ReadHashes(slices.Collect(maps.Keys(c.called)))
		c.evicted = c.evicted || len(w.missing) > 0
	} else {
		_, _ = tlog.TreeHash(tree.N, w)
	}
	for _, v := range versions {
		if v.fresh || !known {
			_, _ = w.ReadHashes(v.pathIn(tree.N))
		}
	}
	return w.missing
}

// shape is the tile of the tree that holds a hash.
func shape(tree tlog.Tree, index int64) tlog.Tile {
	t := tlog.TileForIndex(height, index)
	t.W = int(min(1<<height, tree.N>>(height*t.L)-t.N<<height))
	return t
}

// fetch gets hashes by the tiles that hold them, all at once, as ask does. What could not be had stays missing; the error
// is why, of the first tile.
func (c *client) fetch(ctx context.Context, tree tlog.Tree, indexes map[int64]bool, of string) error {
	byTile := map[tlog.Tile][]int64{}
	for x := range indexes {
		t := shape(tree, x)
		byTile[t] = append(byTile[t], x)
	}
	tiles := slices.SortedFunc(maps.Keys(byTile), func(a, b tlog.Tile) int {
		if a.L != b.L {
			return b.L - a.L
		}
		return int(min(1, max(-1, a.N-b.N)))
	})
	var mu sync.Mutex
	faults := make([]error, len(tiles))
	c.each(len(tiles), func(i int) {
		t := tiles[i]
		data, err := c.tile(ctx, of, t)
		if err != nil {
			faults[i] = err
			return
		}
		found := make(nodes, len(byTile[t]))
		for _, x := range byTile[t] {
			if h, err := tlog.HashFromTile(t, data, x); err == nil {
				found[x] = h
			}
		}
		mu.Lock()
		defer mu.Unlock()
		maps.Copy(c.nodes, found)
	})
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

// tile gets one tile; a partial one, which a source may not have any more, also by its complete successor.
func (c *client) tile(ctx context.Context, of string, t tlog.Tile) (data []byte, err error) {
	get := func(t tlog.Tile) error {
		return c.ask(ctx, of, "/"+t.Path(), func(body []byte, source string) error {
			if len(body) != t.W*tlog.HashSize {
				if len(body)%tlog.HashSize == 0 && len(body) > 0 && !page(body) {
					c.lie(source, "answered for %s with %d hashes in place of %d", t.Path(), len(body)/tlog.HashSize, t.W)
				}
				return fmt.Errorf("%s answered with something that is no tile", source)
			}
			data = body
			return nil
		})
	}
	err = get(t)
	if denied(err) != nil && t.W < 1<<height {
		whole := t
		whole.W = 1 << height
		err = get(whole)
	}
	return data, err
}

// prove shows that each record is in the tree, and compares the lines with it.
func (c *client) prove(ctx context.Context, versions []*version) {
	tree := c.report.Tree
	var open []*version
	for _, v := range versions {
		switch { // what was looked up
		case v.text == nil: // settled
		case tree.N == 0:
			c.settle(v, Unverified, cmpReason(c.headFault))
		case v.id < 0 || v.id >= tree.N:
			c.settle(v, Unverified, "its record is newer than the head of the log that is known here")
		default:
			open = append(open, v)
		}
	}
	if len(open) == 0 {
		return
	}
	var fault error
	if missing := c.need(tree, open); len(missing) > 0 {
		fault = c.fetch(ctx, tree, missing, "")
	}
	failed := c.check(tree, open)
	if len(failed) == 0 {
		return
	}
	// Something is damaged or false: of these nothing that was kept is used again. Records from the store are asked anew.
	retry, bad := c.again(ctx, tree, failed)
	if e := c.fetch(ctx, tree, bad, ""); e != nil {
		fault = e
	}
	for _, v := range c.check(tree, retry) {
		switch {
		case fault != nil:
			c.settle(v, Unverified, reason(fault))
		default:
			c.lie(v.source, "the record of %s is not the one in the log", v.Version)
			c.settle(v, Unverified, "the record that "+v.source+" gave is not the one in the log")
		}
	}
}

func cmpReason(err error) string {
	if err == nil {
		return errOffline.Error()
	}
	return reason(err)
}

// check proves records by the nodes that are there, and returns those that it could not.
func (c *client) check(tree tlog.Tree, versions []*version) (failed []*version) {
	bad := make([]bool, len(versions))
	c.each(len(versions), func(i int) {
		v := versions[i]
		proof, err := tlog.ProveRecord(tree.N, v.id, c.nodes)
		bad[i] = err != nil || tlog.CheckRecord(proof, tree.N, tree.Hash, v.id, tlog.RecordHash(v.text)) != nil
	})
	for i, v := range versions {
		if bad[i] {
			failed = append(failed, v)
		} else {
			c.judge(v)
		}
	}
	return failed
}

// again takes the nodes away that failing records stand on and other, proven ones do not, and asks for what the store had
// of them. What is proven keeps its nodes: they are true.
func (c *client) again(ctx context.Context, tree tlog.Tree, failed []*version) (retry []*version, missing map[int64]bool) {
	missing = map[int64]bool{}
	for _, v := range failed {
		for _, x := range v.pathIn(tree.N) {
			missing[x] = true
		}
	}
	for x := range missing {
		delete(c.nodes, x)
		delete(c.kept, x)
	}
	c.evicted = true
	var stale []*version
	for _, v := range failed {
		if v.fresh {
			retry = append(retry, v)
		} else {
			v.text, v.id = nil, -1
			delete(c.records, v.Version)
			stale = append(stale, v)
		}
	}
	c.lookup(ctx, stale)
	for _, v := range stale {
		if v.text != nil && v.id < tree.N {
			retry = append(retry, v)
		} else if v.text != nil {
			c.settle(v, Unverified, "its record is newer than the head of the log that is known here")
		}
	}
	for x := range c.need(tree, retry) {
		missing[x] = true
	}
	return retry, missing
}
