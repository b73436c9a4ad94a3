package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxPacked bounds the file of packed references; 100,000 of them take 8 MB.
	maxPacked = 64 << 20
	// maxSymbolic is how many references may lead to another on the way to a commit, and maxTags how many tags may be of
	// tags; git's own limit for references is 5.
	maxSymbolic, maxTags = 5, 5
)

const anyName = "write 40 or 64 hexadecimal digits, or the name of a branch or tag that the checkout has (git branch -a, git tag); git rev-parse makes a hash of anything else"

// Named opens the commit that name means: a hash, HEAD, or a branch or tag of the checkout's own. A reference is read
// and not verified: whoever can write into .git decides what a name means, so that names are for the owner of the
// machine. Errors are as Commit's.
func (r Repository) Named(ctx context.Context, name, url string) (*Commit, error) {
	hash, err := r.resolve(name)
	if err != nil {
		return nil, err
	}
	c, err := r.private(len(hash) == 64, url)
	if err != nil {
		return nil, err
	}
	if hash, err = c.peel(ctx, hash); err != nil {
		c.Close()
		return nil, err
	}
	return c.open(ctx, hash)
}

// peel is the commit that a tag is of; any other hash is given back.
func (c *Commit) peel(ctx context.Context, hash string) (string, error) {
	for range maxTags {
		if _, err := c.object(ctx, "commit", hash); !errors.Is(err, errOtherKind) {
			return hash, err
		}
		data, err := c.object(ctx, "tag", hash)
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(data[:min(len(data), 100)]), "\n")
		of, ok := strings.CutPrefix(line, "object ")
		if !ok || !commitHash.MatchString(of) || len(of) != len(hash) {
			return "", problem.New(problem.Usage, "tag "+hash, "give the hash of a commit", "it names no object")
		}
		hash = of
	}
	return "", problem.New(problem.Usage, "tag "+hash, "give the hash of a commit", "it is the tag of a tag, more than %d times", maxTags)
}

// resolve finds the hash that a name means, where git looks for it (gitrevisions, "<refname>"). A name of two things is
// refused.
func (r Repository) resolve(name string) (string, error) {
	const op = "commit"
	shown := source.Plain(name, 100)
	if commitHash.MatchString(name) {
		return name, nil
	}
	own, common := r.stores()
	if common == "" {
		return "", problem.New(problem.Usage, op, "name a directory of a git repository", "%q is looked for, but there is no .git", shown)
	}
	if !branchName(name) {
		return "", problem.New(problem.Usage, op, anyName, "%q is neither a hash nor a name", shown)
	}
	places := []string{"refs/" + name, "refs/tags/" + name, "refs/heads/" + name, "refs/remotes/" + name, "refs/remotes/" + name + "/HEAD"}
	if name == "HEAD" || strings.HasPrefix(name, "refs/") {
		places = []string{name}
	}
	var found []string // hashes
	for _, place := range places {
		hash, err := follow(own, common, place)
		if err != nil {
			return "", err
		}
		if hash != "" && !slices.Contains(found, hash) {
			found = append(found, hash)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", problem.New(problem.Usage, op, "write all of it, such as refs/heads/"+shown+" or refs/tags/"+shown, "%q names %d different things", shown, len(found))
	}
	if _, err := os.Stat(filepath.Join(common, "reftable")); err == nil {
		return "", problem.New(problem.Usage, op, "give the hash (git rev-parse "+shown+")", "%q is looked for, but this repository keeps its names in the reftable format, which is not read here", shown)
	}
	return "", problem.New(problem.Usage, op, anyName, "the checkout has no branch or tag %q", shown)
}

// follow reads a reference to its end; it is empty where there is none.
func follow(own, common, name string) (string, error) {
	for range maxSymbolic {
		dir := common
		if name == "HEAD" { // each worktree has one
			dir = own
		}
		text, err := ecosystem.ReadFile(filepath.Join(dir, filepath.FromSlash(name)), maxPointer)
		if err != nil {
			return packed(common, name)
		}
		line := strings.TrimRight(string(text), "\r\n \t")
		if commitHash.MatchString(line) {
			return line, nil
		}
		next, ok := strings.CutPrefix(line, "ref:")
		if next = strings.TrimSpace(next); !ok || !strings.HasPrefix(next, "refs/") || !branchName(next) {
			return "", problem.New(problem.Usage, "reference "+source.Plain(name, 100), "give the hash of a commit", "it holds neither a hash nor another reference")
		}
		name = next
	}
	return "", problem.New(problem.Usage, "reference "+source.Plain(name, 100), "give the hash of a commit", "it leads to another one more than %d times", maxSymbolic)
}

// packed looks a reference up in the file of packed ones.
func packed(common, name string) (string, error) {
	data, err := ecosystem.ReadFile(filepath.Join(common, "packed-refs"), maxPacked)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", problem.New(problem.Usage, "packed-refs", "give the hash of a commit", "cannot be read: %v", err)
	}
	for line := range strings.Lines(string(data)) {
		hash, ref, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if ok && ref == name && commitHash.MatchString(hash) {
			return hash, nil
		}
	}
	return "", nil
}

var (
	section = regexp.MustCompile(`^\s*\[([^\]]*)\]\s*([#;].*)?$`)
	address = regexp.MustCompile(`^\s*url\s*=\s*([^\s"\\#;]+)\s*$`)
)

// Owner is whose repository it is, as host and first element of the path where the checkout was cloned from, such as
// "github.com/corp"; empty where that is not known.
func (r Repository) Owner() string {
	loc, err := source.Locate(r.Origin())
	if err != nil || loc.Host == "" {
		return ""
	}
	owner, name, _ := strings.Cut(strings.Trim(loc.Path, "/"), "/")
	if owner == "" || name == "" {
		return ""
	}
	return loc.Host + "/" + owner
}

// Origin is the address that the checkout was cloned from, as its .git says. It is empty where there is none that may be
// asked: an address over the network, or a path outside of the fence. What comes from there is believed by its hash only.
func (r Repository) Origin() string {
	_, common := r.stores()
	if common == "" {
		return ""
	}
	config, err := ecosystem.ReadFile(filepath.Join(common, "config"), 1<<20)
	if err != nil {
		return ""
	}
	found, inside := "", false
	for line := range strings.Lines(string(config)) {
		if m := section.FindStringSubmatch(line); m != nil {
			inside = m[1] == `remote "origin"`
		} else if m := address.FindStringSubmatch(line); m != nil && inside && found == "" {
			found = m[1]
		}
	}
	path := strings.TrimPrefix(found, "file://")
	if _, err := newRemote(found); err != nil || filepath.IsAbs(path) && (r.Fence == "" || ecosystem.Inside(r.Fence, path)) {
		return ""
	}
	return found
}
