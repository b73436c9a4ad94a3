package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// private makes the directory that git works in, of mode 0700: an empty repository to read through ("read"), and one for
// what is fetched ("fetched"). They are two, since a fetch that leaves files out makes its repository one that fetches
// them by itself whenever it is read.
func (r Repository) private(sha256 bool, address string) (*Commit, error) {
	const op, temporary = "base commit", "give a temporary directory that can be written (TMPDIR)"
	from, err := newRemote(address)
	if err != nil {
		return nil, problem.New(problem.Usage, op, "give an http, https or ssh address, or an absolute path", "%w", err)
	}
	name := "git"
	if r.Machine.OS == "windows" {
		name = "git.exe"
	}
	exe, _ := r.Machine.Tool(r.Fence, name)
	if exe == "" {
		return nil, problem.New(problem.Usage, op, "install git outside of the checkout", "git is not on the PATH: %w", ecosystem.ErrNoTool)
	}
	dir, err := os.MkdirTemp(r.Temp, "goproxy-action-git-")
	if err != nil {
		return nil, problem.New(problem.Usage, op, temporary, "%v", err)
	}
	config := "[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
	if sha256 {
		config += "[extensions]\n\tobjectformat = sha256\n"
	}
	err = cmp.Or(
		initialise(filepath.Join(dir, "read"), config),
		initialise(filepath.Join(dir, "fetched"), config+from.config()),
		os.WriteFile(filepath.Join(dir, "credentials"), []byte(from.credentials), 0o600))
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, problem.New(problem.Usage, op, temporary, "%v", err)
	}
	return &Commit{repo: r, from: from, exe: exe, dir: dir, trees: map[string][]entry{}}, nil
}

// initialise makes an empty repository. It is git init without the templates of the machine.
func initialise(dir, config string) error {
	for _, d := range []string{dir, filepath.Join(dir, "objects"), filepath.Join(dir, "refs")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	return cmp.Or(
		os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/none\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600))
}

// child is git in the private directory. Only a fetch is told what the runner's environment says about servers.
func (c *Commit) child(reach bool, args ...string) ecosystem.Child {
	set := []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ATTR_NOSYSTEM=1", "GIT_NO_REPLACE_OBJECTS=1",
		"GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=file:http:https:ssh", "LC_ALL=C"}
	fetched := filepath.Join(c.dir, "fetched")
	if reach {
		set = append(set, "GIT_DIR="+fetched)
	} else {
		borrowed := quote(filepath.Join(fetched, "objects"))
		if objects := c.repo.objects(); objects != "" {
			borrowed += string(filepath.ListSeparator) + quote(objects)
		}
		set = append(set, "GIT_DIR="+filepath.Join(c.dir, "read"), "GIT_ALTERNATE_OBJECT_DIRECTORIES="+borrowed)
	}
	return ecosystem.Child{Exe: c.exe, Dir: c.dir, Args: args, Environ: c.repo.environ(reach), Set: set, Checkout: c.repo.Fence, Hide: c.from.secrets}
}

// fetch gets an object by its hash, or a branch, into the private repository: of a commit its trees, of files only what
// is asked for by its own hash, since the files of a large repository take minutes. The checkout's objects play no part,
// so that a fetch is not answered from there. git dials by itself, as it did for the checkout; this program's dialler
// does not see it.
func (c *Commit) fetch(ctx context.Context, what, named string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTime, fmt.Errorf("no answer within %s: %w", fetchTime, context.DeadlineExceeded))
	defer cancel()
	args := []string{"-c", "core.hooksPath=" + os.DevNull, "-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
		"-c", "protocol.version=2"}
	if c.from.credentials != "" {
		args = append(args, "-c", "credential.helper=", "-c", "credential.helper=store --file=credentials", "-c", "credential.useHttpPath=false")
	}
	args = append(args, "fetch", "--quiet", "--depth=1", "--filter=blob:none", "--no-tags", "--no-recurse-submodules", remoteName, what)
	_, said, err := c.child(true, args...).Run(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case said != "":
		err = errors.New(said)
	default:
		err = errors.New(err.Error()) // it could wrap fs.ErrNotExist, which would be read as "the commit has no such file"
	}
	hint := moreHistory
	if !refused.MatchString(said) {
		hint = "let git reach the server (HTTPS_PROXY, NO_PROXY) and read the repository there (its address, the token), or " + hint
	}
	return problem.New(problem.Unanswered, "git fetch "+named, hint, "%w", err)
}

// refused matches what git says where the server was reached, and does not have or give what is asked for.
var refused = regexp.MustCompile(`not our ref|unadvertised object|couldn't find remote ref`)

// remoteName is long, so that no configuration of the user's is about a remote of this name.
const remoteName = "goproxy-action"

// remote is where objects are fetched from.
type remote struct {
	// url is without a password: git hands it on to others on their command lines. The password goes to git's own
	// credential store, a file.
	url, credentials string
	secrets          []string
}

func newRemote(address string) (remote, error) {
	if address == "" {
		return remote{}, nil
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return remote{}, errors.New("the address of the repository holds a control character")
	}
	if filepath.IsAbs(address) {
		return remote{url: address}, nil
	}
	loc, err := source.Locate(address)
	if err != nil {
		return remote{}, fmt.Errorf("the address of the repository is refused: %w", err)
	}
	if !slices.Contains([]string{"https", "http", "ssh", "file"}, loc.Scheme) {
		return remote{}, fmt.Errorf("the address of the repository is of scheme %q", source.Plain(loc.Scheme, 20))
	}
	r := remote{url: address, secrets: source.Secrets(address)}
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return r, nil // no URL but git@host:path
	}
	password, has := u.User.Password()
	switch {
	case loc.Scheme == "ssh" && has:
		u.User = url.User(u.User.Username())
	case loc.Scheme != "ssh":
		name := u.User.Username()
		r.credentials = (&url.URL{Scheme: u.Scheme, User: url.UserPassword(name, password), Host: u.Host}).String() + "\n"
		u.User = nil
	}
	r.url = u.String()
	return r, nil
}

// config names the remote in git's configuration.
func (r remote) config() string {
	if r.url == "" {
		return ""
	}
	return fmt.Sprintf("[remote %q]\n\turl = \"%s\"\n", remoteName, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.url))
}

// stores are the checkout's own git directory and the one that it shares with other worktrees, where the objects and the
// branches are; empty where there is none. What .git says of worktrees and submodules is believed so far and no further:
// a wrong place has other objects, or none.
func (r Repository) stores() (own, common string) {
	at := func(dir, name string) string {
		if name = strings.TrimRight(name, "\r\n"); filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	own = filepath.Join(r.Dir, ".git")
	if text, err := ecosystem.ReadFile(own, maxPointer); err == nil {
		own = at(r.Dir, strings.TrimSpace(strings.TrimPrefix(string(text), "gitdir:")))
	}
	common = own
	if text, err := ecosystem.ReadFile(filepath.Join(own, "commondir"), maxPointer); err == nil {
		common = at(own, string(text))
	}
	if info, err := os.Stat(filepath.Join(common, "objects")); err != nil || !info.IsDir() {
		return "", ""
	}
	return own, common
}

// objects is where the checkout keeps its objects; empty where it has none.
func (r Repository) objects() string {
	if _, common := r.stores(); common != "" {
		return filepath.Join(common, "objects")
	}
	return ""
}

// Root is the directory with .git that dir lies in: the nearest one on the way up to within, but beyond submodules where
// something holds them. No commit contains a .git, but one can put a submodule in the place of a directory, and with it
// a history of its author's choice. Empty where there is none.
func Root(dir, within string) (root string) {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			if root = dir; !submodule(dir) {
				return root
			}
		}
		if dir == within || dir == filepath.Dir(dir) {
			return root
		}
	}
}

// submodule tells whether .git leads to a git directory that shares nothing with another, as that of a worktree does.
func submodule(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, ".git"))
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	own, common := Repository{Dir: dir}.stores()
	return own == common
}

var sha256Format = regexp.MustCompile(`(?im)^\s*objectformat\s*=\s*"?sha256"?\s*$`)

// sha256 tells whether the checkout says that its hashes are SHA-256. If that is a lie, a fetch fails.
func (r Repository) sha256() bool {
	objects := r.objects()
	if objects == "" {
		return false
	}
	config, err := ecosystem.ReadFile(filepath.Join(filepath.Dir(objects), "config"), 1<<20)
	return err == nil && sha256Format.Match(config)
}

// quote writes a path as GIT_ALTERNATE_OBJECT_DIRECTORIES wants it, where the list's separator may stand in it.
func quote(path string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(filepath.ToSlash(path)) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// reaching are the variables of git's that say how a server is reached: certificates, ssh, proxies.
var reaching = regexp.MustCompile(`^GIT_(?:SSL_|PROXY_SSL_|HTTP_|SSH$|SSH_COMMAND$|SSH_VARIANT$|ASKPASS$)`)

// environ is the runner's environment without all of git's variables, which could lead git elsewhere. To reach a server
// those are kept that the runner or its user set for that; GIT_CONFIG_COUNT among them, since it is how proxies and
// certificates are given to git without a file. What names something behind the fence is left out.
func (r Repository) environ(reach bool) []string {
	var out []string
	for _, pair := range r.Machine.Environ {
		name, value, _ := strings.Cut(pair, "=")
		upper := strings.ToUpper(name)
		if strings.HasPrefix(upper, "GIT_") && !(reach && reaching.MatchString(upper)) {
			continue
		}
		if (strings.HasPrefix(upper, "GIT_") || upper == "SSH_ASKPASS" || upper == "HOME" || upper == "XDG_CONFIG_HOME") && r.behindFence(value) {
			continue
		}
		out = append(out, pair)
	}
	if !reach {
		return out
	}
	raw, _ := r.Machine.Lookup("GIT_CONFIG_COUNT")
	count, _ := strconv.Atoi(raw) // no count: nothing is passed on
	n := 0
	for i := range min(max(count, 0), maxConfig) {
		key, _ := r.Machine.Lookup(fmt.Sprintf("GIT_CONFIG_KEY_%d", i))
		value, _ := r.Machine.Lookup(fmt.Sprintf("GIT_CONFIG_VALUE_%d", i))
		if key == "" || r.behindFence(key) || r.behindFence(value) {
			continue
		}
		out = append(out, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, value))
		n++
	}
	if n > 0 {
		out = append(out, "GIT_CONFIG_COUNT="+strconv.Itoa(n))
	}
	return out
}

// behindFence tells whether a word of value is a path into the checkout.
func (r Repository) behindFence(value string) bool {
	if r.Fence == "" {
		return false
	}
	return slices.ContainsFunc(strings.FieldsFunc(value, func(c rune) bool {
		return strings.ContainsRune(" \t\r\n\"'`=!;&|()<>", c) || c == filepath.ListSeparator
	}), func(word string) bool { return filepath.IsAbs(word) && ecosystem.Inside(r.Fence, word) })
}

// branchName tells whether name can be a branch's (git check-ref-format), and is no pattern or pair of a refspec.
func branchName(name string) bool {
	if name == "" || len(name) > 1000 || strings.HasSuffix(name, ".") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) })
}
