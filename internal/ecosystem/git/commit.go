package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxObject bounds one object; it is as much as is read of a file of the checkout.
	maxObject = lockfile.MaxFile
	// maxLinks is how many symbolic links of a commit are followed on the way to one file, and maxTarget how long the
	// target of one is (PATH_MAX).
	maxLinks, maxTarget = 8, 4096
	// maxPointer bounds the small files by which a worktree or submodule says where its objects are.
	maxPointer = 4 << 10
	// answerTime bounds the search for one object. It takes a millisecond where nobody plays tricks: a pipe in an object's
	// place would keep git waiting for ever.
	answerTime = 10 * time.Second
	// fetchTime bounds one fetch: that of the trees of one commit takes a second or two, those of a repository with
	// 100,000 directories ten.
	fetchTime = 20 * time.Second
	// maxCache bounds the trees that are kept, in bytes.
	maxCache = 32 << 20
)

const moreHistory = "let the job check out more of the history (fetch-depth: 0 for actions/checkout, GIT_DEPTH: 0 in GitLab)"

// ErrMissing is what the error wraps where the checkout lacks an object, and there is no address to fetch it from.
var ErrMissing = errors.New("the checkout does not have it")

var commitHash = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)

// Repository is a checkout's store of commits. It is read without believing it: an earlier job on the same runner may
// have written its configuration, hooks, grafts and replacements, and its objects, too. So git works in a private empty
// repository that borrows the checkout's objects, and whether content is what its hash says is verified here.
type Repository struct {
	Machine ecosystem.Machine
	// Dir is the directory that holds .git; Fence is the checkout's fence, from within which no program is started.
	Dir, Fence string
	// Temp is where a private directory may be made; empty is the system's.
	Temp string
}

// Commit is one commit of a repository. Its methods may be called by several goroutines.
type Commit struct {
	repo Repository
	from remote // where missing objects are fetched from; may be none
	exe  string // git
	dir  string // private
	sha  string
	root string // the hash of its tree

	mu    sync.Mutex
	talk  *ecosystem.Talk // git cat-file; nil when it is not running
	trees map[string][]entry
	kept  int // bytes of trees
}

// Commit opens a commit: from the objects that the checkout has, else fetched by its hash from url (http, https, ssh or
// an absolute path; may hold a password; empty: not fetched). The caller closes it. The error is a Problem, of code
// Security where an object is not what its hash says; it wraps ErrMissing where the checkout lacks the commit.
func (r Repository) Commit(ctx context.Context, sha, url string) (*Commit, error) {
	if !commitHash.MatchString(sha) {
		return nil, problem.New(problem.Usage, "base commit", "give 40 or 64 hexadecimal digits", "%q is no hash of a commit", source.Plain(sha, 80))
	}
	c, err := r.private(len(sha) == 64, url)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, sha)
}

// Tip fetches a branch by its name from url and opens its commit. Errors are as Commit's.
func (r Repository) Tip(ctx context.Context, branch, url string) (*Commit, error) {
	if !branchName(branch) {
		return nil, problem.New(problem.Usage, "base commit", "give the name of a branch", "%q is no name of a branch", source.Plain(branch, 100))
	}
	if url == "" {
		return nil, problem.New(problem.Usage, "base commit", "give the address of the repository", "there is no address to fetch the branch %s from", source.Plain(branch, 100))
	}
	c, err := r.private(r.sha256(), url)
	if err != nil {
		return nil, err
	}
	if err := c.fetch(ctx, "refs/heads/"+branch, "branch "+source.Plain(branch, 100)); err != nil {
		c.Close()
		return nil, err
	}
	head, err := ecosystem.ReadFile(filepath.Join(c.dir, "fetched", "FETCH_HEAD"), maxPointer)
	sha, _, _ := strings.Cut(string(head), "\t")
	if err != nil || !commitHash.MatchString(sha) {
		c.Close()
		return nil, problem.New(problem.Usage, "git fetch branch "+source.Plain(branch, 100), "", "git does not say which commit it fetched")
	}
	return c.open(ctx, sha)
}

// SHA is the commit's hash.
func (c *Commit) SHA() string { return c.sha }

// Close ends git and takes the private directory away. It may be called twice.
func (c *Commit) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangUp()
	_ = os.RemoveAll(c.dir) // nothing is lost but disk space
}

func (c *Commit) open(ctx context.Context, sha string) (*Commit, error) {
	c.sha = sha
	data, err := c.object(ctx, "commit", sha)
	if err == nil {
		line, _, _ := strings.Cut(string(data[:min(len(data), 100)]), "\n")
		tree, ok := strings.CutPrefix(line, "tree ")
		if c.root = tree; !ok || !commitHash.MatchString(tree) || len(tree) != len(sha) {
			err = problem.New(problem.Usage, "commit "+sha, "check out the repository anew", "it names no tree")
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Read gets a file by its path from the root of the repository, as bytes: no filter and no line end is converted. It is
// fs.ErrNotExist where the commit has none: nothing of that name, a directory, a submodule, or a symbolic link that
// leads out of the repository, nowhere, or on for ever.
func (c *Commit) Read(ctx context.Context, name string) ([]byte, error) {
	if !plainPath(name) {
		return nil, problem.New(problem.Usage, "read "+source.Plain(name, 200)+" of the base commit", "rename it", "is no path of a repository")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if e.kind() != kindFile {
		return nil, fs.ErrNotExist
	}
	return c.object(ctx, "blob", e.hash)
}

// List gets the names in a directory by its path from the root of the repository, "." for that itself; those of
// directories have a slash behind, those of links that lead to one, too. It is fs.ErrNotExist where the commit has no
// such directory. Submodules are left out.
func (c *Commit) List(ctx context.Context, dir string) ([]string, error) {
	if dir != "." && !plainPath(dir) {
		return nil, problem.New(problem.Usage, "list "+source.Plain(dir, 200)+" of the base commit", "rename it", "is no path of a repository")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := entry{mode: kindTree, hash: c.root}
	if dir != "." {
		var err error
		if e, err = c.resolve(ctx, dir); err != nil {
			return nil, err
		}
	}
	if e.kind() != kindTree {
		return nil, fs.ErrNotExist
	}
	entries, err := c.tree(ctx, e.hash)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, e := range entries {
		if e.kind() == kindLink {
			target, err := c.resolve(ctx, path.Join(dir, e.name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			if err == nil {
				e.mode = target.mode
			}
		}
		switch e.kind() {
		case kindTree:
			out = append(out, e.name+"/")
		case kindFile, kindLink:
			out = append(out, e.name)
		}
	}
	return out, nil
}

// resolve is the entry that a path leads to, through links.
func (c *Commit) resolve(ctx context.Context, name string) (entry, error) {
	way := []entry{{mode: kindTree, hash: c.root}} // the trees from the root to where we stand
	links := 0
	for parts := strings.Split(name, "/"); len(parts) > 0; {
		part := parts[0]
		parts = parts[1:]
		switch part { // of a link's target
		case "", ".":
			continue
		case "..":
			if way = way[:len(way)-1]; len(way) == 0 {
				return entry{}, fs.ErrNotExist
			}
			continue
		}
		e, err := c.find(ctx, way[len(way)-1].hash, part)
		if err != nil {
			return entry{}, err
		}
		switch e.kind() {
		case kindTree:
			way = append(way, e)
		case kindLink:
			target, err := c.object(ctx, "blob", e.hash)
			if err != nil {
				return entry{}, err
			}
			if links++; links > maxLinks || len(target) == 0 || len(target) > maxTarget || target[0] == '/' {
				return entry{}, fs.ErrNotExist
			}
			parts = append(strings.Split(string(target), "/"), parts...)
		case kindFile:
			if len(parts) > 0 {
				return entry{}, fs.ErrNotExist
			}
			return e, nil
		default: // a submodule
			return entry{}, fs.ErrNotExist
		}
	}
	return way[len(way)-1], nil
}

func plainPath(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return false
		}
	}
	return true
}

// find is the entry of a tree by its name.
func (c *Commit) find(ctx context.Context, tree, name string) (entry, error) {
	entries, err := c.tree(ctx, tree)
	for _, e := range entries {
		if e.name == name {
			return e, nil
		}
	}
	return entry{}, cmp.Or(err, fs.ErrNotExist)
}

// tree are the entries of a tree by its hash.
func (c *Commit) tree(ctx context.Context, hash string) ([]entry, error) {
	if entries, ok := c.trees[hash]; ok {
		return entries, nil
	}
	data, err := c.object(ctx, "tree", hash)
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(data, len(hash)/2)
	if err != nil {
		return nil, problem.New(problem.Usage, "tree "+hash+" of the base commit", "repair it (git fsck)", "%w", err)
	}
	if c.kept += len(data); c.kept <= maxCache {
		c.trees[hash] = entries
	}
	return entries, nil
}

// object gets an object of the kind "commit", "tree" or "blob", and verifies that it is what its hash says.
func (c *Commit) object(ctx context.Context, kind, hash string) ([]byte, error) {
	data, err := c.ask(ctx, kind, hash)
	if errors.Is(err, ErrMissing) && c.from.url != "" {
		if err := c.fetch(ctx, hash, kind+" "+hash); err != nil {
			return nil, err
		}
		data, err = c.ask(ctx, kind, hash)
	}
	return data, err
}

// ask has git look for an object. An error never wraps fs.ErrNotExist, which would be read as "the commit has no such
// file": not when git or the private directory is gone, either.
func (c *Commit) ask(ctx context.Context, kind, hash string) ([]byte, error) {
	const anew = "check out the repository anew, into an empty directory"
	op := kind + " " + hash
	if c.talk == nil {
		talk, err := c.child(false, "cat-file", "--batch").Talk()
		if err != nil {
			return nil, problem.New(problem.Usage, op, "let git be started", "git cannot be started: %v", err)
		}
		c.talk = talk
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, fmt.Errorf("git did not find it within %s: %w", answerTime, context.DeadlineExceeded))
	defer cancel()
	stop := context.AfterFunc(ctx, c.talk.Stop)
	data, found, err := converse(c.talk, hash)
	switch {
	case !stop(): // the time is over, and git was stopped
		c.hangUp()
		return nil, problem.New(problem.Unanswered, op, anew, "%w", context.Cause(ctx))
	case errors.Is(err, errTooLarge):
		c.hangUp() // all of it would come
		return nil, problem.New(problem.Usage, op+" of the base commit", "remove it", "has more than %d MiB", maxObject>>20)
	case err != nil:
		return nil, problem.New(problem.Usage, op, anew, "git cannot read it: %s", cmp.Or(c.hangUp(), err.Error()))
	case found == "":
		return nil, problem.New(problem.Usage, op, moreHistory, "%w", ErrMissing)
	case !verified(found, data, hash):
		return nil, problem.New(problem.Security, op, "do not use this runner until it is known who wrote into its .git; "+anew,
			"the checkout's .git holds other content than the hash says")
	case found != kind:
		return nil, problem.New(problem.Usage, op, "give the hash of a commit", "is a %s, %w", found, errOtherKind)
	}
	return data, nil
}

var (
	errTooLarge  = errors.New("too large")
	errOtherKind = errors.New("not what was asked for")
)

// converse asks git cat-file --batch for one object; found is its type, and empty where there is none.
func converse(t *ecosystem.Talk, hash string) (data []byte, found string, err error) {
	if _, err := io.WriteString(t.In, hash+"\n"); err != nil {
		return nil, "", err
	}
	line, err := t.Out.ReadSlice('\n')
	if err != nil {
		return nil, "", err
	}
	fields := strings.Fields(string(line))
	if len(fields) == 2 && fields[0] == hash && fields[1] == "missing" {
		return nil, "", nil
	}
	if len(fields) != 3 || fields[0] != hash {
		return nil, "", errors.New("its answer has another form")
	}
	size, err := strconv.ParseUint(fields[2], 10, 63)
	if err != nil {
		return nil, "", errors.New("its answer names no size")
	}
	if size > maxObject {
		return nil, "", errTooLarge
	}
	data = make([]byte, size+1) // a line end follows
	if _, err := io.ReadFull(t.Out, data); err != nil {
		return nil, "", err
	}
	return data[:size], fields[1], nil
}

// hangUp ends git, and returns what it said.
func (c *Commit) hangUp() (said string) {
	if c.talk != nil {
		said, c.talk = c.talk.End(), nil
	}
	return said
}
