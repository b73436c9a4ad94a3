package lockfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// MaxFile bounds one file. The largest lock files of public repositories have some 20 MB.
	MaxFile = 64 << 20
	// maxDepth, maxDirs and maxFiles bound the walk: a checkout may be made to keep us busy. Kubernetes has about
	// 5,000 directories outside vendor, and 40 module files. What lies beyond is never passed over in silence: it is an
	// error.
	maxDepth = 24
	maxDirs  = 100_000
	maxFiles = 20_000
)

// aside tells which directories hold what somebody else wrote or what no tool reads as a part of this repository. Their
// files are not judged, and a note counts them. Of the hidden ones those are read that CI systems start from.
func aside(name string) bool {
	switch name {
	case "vendor", "testdata":
		return true
	case ".github", ".gitlab", ".gitea", ".forgejo", ".circleci", ".buildkite", ".devcontainer", ".config", ".ci":
		return false
	}
	return name[0] == '.' || name[0] == '_'
}

// foreign directories are what tools keep for themselves. Nobody commits them.
var foreign = map[string]bool{"node_modules": true, ".git": true, ".hg": true, ".svn": true, ".jj": true, ".yarn": true, ".pnpm-store": true, ".npm": true,
	".cache": true, ".venv": true, ".tox": true, ".terraform": true, ".next": true, ".nuxt": true, ".gradle": true}

// maxAside bounds how many directories of those that are not judged are looked through for their number.
const maxAside = 5_000

// File is one file of the checkout as it was read.
type File struct {
	// Path is relative to the checkout, with slashes.
	Path string
	Data []byte
	// Linked is true when the path leads through a symbolic link. What stands in such a file is never quoted: it may be
	// a secret that the link's author cannot read.
	Linked bool
}

// Checkout is a directory whose content a stranger may have written. Nothing outside of it can be reached through it,
// nothing in it is started.
type Checkout struct {
	dir   string
	root  *os.Root
	files []string
	// replaced holds files as another commit has them; a nil value means "not there".
	replaced map[string][]byte
	// Notes say what the walk left out.
	Notes []string
	// walked are the first of them, of what could not be looked through.
	walked []string
	// passed are the files in directories that are not judged, untold is true where there may be more.
	passed []string
	untold bool
	// Fence is the outermost directory that the author of the checkout may have written: the checkout itself, or the
	// repository or workspace that it lies in. Nothing below it is started or believed as the machine's own.
	Fence string
}

// maxNames bounds the names of all directories that are looked through.
const maxNames = 3_000_000

// Open opens dir and looks for files with the given base names in it. Those in hidden, vendored and test data directories
// are only counted, except in hidden ones that CI systems start from. Where within is not empty and dir lies below it by name, no link on the way may lead out of within. A
// missing directory, and one that is too large to look through, is a Problem of code Usage.
func Open(dir, within string, names ...string) (*Checkout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, problem.New(problem.Usage, dir, "give the directory of the checkout", "%w", err)
	}
	root, err := openRoot(abs, within)
	if err != nil {
		return nil, problem.New(problem.Usage, dir, "give a directory that exists, can be read, and is no link out of the workspace", "%w", plain(err))
	}
	c := &Checkout{dir: abs, root: root, Fence: abs}
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	if err := c.walk(wanted, maxNames); err != nil {
		root.Close()
		return nil, err
	}
	return c, nil
}

func openRoot(abs, within string) (*os.Root, error) {
	if within != "" {
		if rel, err := filepath.Rel(within, abs); err == nil && filepath.IsLocal(rel) {
			outer, err := os.OpenRoot(within)
			if err != nil {
				return nil, err
			}
			defer outer.Close()
			return outer.OpenRoot(rel)
		}
	}
	return os.OpenRoot(abs)
}

// Dir is the absolute path of the checkout.
func (c *Checkout) Dir() string { return c.dir }

// Close releases the directory.
func (c *Checkout) Close() error { return c.root.Close() }

// walk looks through the directories, those behind links last and only where they lie in the checkout: a tool that is
// started there follows them, too. At most left names are looked at.
func (c *Checkout) walk(wanted map[string]bool, left int) error {
	type place struct {
		path  string
		depth int
	}
	real, err := filepath.EvalSymlinks(c.dir)
	if err != nil {
		return problem.New(problem.Usage, c.dir, "give a directory that exists and can be read", "%w", plain(err))
	}
	seen := map[string]bool{".": true}
	queue, links, dirs, most := []place{{".", 0}}, []place(nil), 0, left
	var asides []string
	for len(queue)+len(links) > 0 {
		var p place
		if len(queue) > 0 {
			p, queue = queue[0], queue[1:]
		} else {
			p, links = links[0], links[1:]
			target, err := filepath.EvalSymlinks(filepath.Join(c.dir, filepath.FromSlash(p.path)))
			if err != nil {
				continue // leads nowhere
			}
			rel, err := filepath.Rel(real, target)
			if info, e := os.Stat(target); err != nil || !filepath.IsLocal(rel) || e != nil || !info.IsDir() || seen[filepath.ToSlash(rel)] {
				continue
			}
			seen[filepath.ToSlash(rel)] = true
		}
		if dirs++; dirs > maxDirs {
			return problem.New(problem.Usage, c.dir, "check a smaller directory", "has more than %d directories", maxDirs)
		}
		d, err := c.root.Open(p.path)
		if err != nil {
			c.Notes = append(c.Notes, fmt.Sprintf("%s could not be looked through: %v", p.path, plain(err)))
			continue
		}
		entries, err := d.ReadDir(left + 1)
		d.Close()
		if left -= len(entries); left < 0 {
			return problem.New(problem.Usage, c.dir, "check a smaller directory", "has more than %d files and directories", most)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			c.Notes = append(c.Notes, fmt.Sprintf("%s could not be looked through: %v", p.path, plain(err)))
			continue
		}
		slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			name := e.Name()
			next := place{path.Join(p.path, name), p.depth + 1}
			switch {
			case wanted[name] && !e.IsDir():
				if len(c.files) >= maxFiles {
					return tooMany(c.dir)
				}
				c.files = append(c.files, next.path)
			case foreign[name]:
			case aside(name):
				if e.IsDir() {
					asides = append(asides, next.path)
				}
			case e.Type()&fs.ModeSymlink != 0:
				links = append(links, next)
			case e.IsDir() && next.depth > maxDepth:
				return problem.New(problem.Usage, next.path, "check a smaller directory", "lies deeper than %d directories", maxDepth)
			case e.IsDir():
				seen[next.path] = true
				queue = append(queue, next)
			}
		}
	}
	c.count(asides, wanted)
	return nil
}

// count finds the files below some directories that are not judged.
func (c *Checkout) count(dirs []string, wanted map[string]bool) {
	for i := 0; i < len(dirs); i++ {
		if i >= maxAside {
			c.untold = true
			break
		}
		d, err := c.root.Open(dirs[i])
		if err != nil {
			continue
		}
		entries, _ := d.ReadDir(maxListed)
		d.Close()
		for _, e := range entries {
			switch name := path.Join(dirs[i], e.Name()); {
			case e.IsDir() && !foreign[e.Name()] && strings.Count(name, "/") < maxDepth:
				dirs = append(dirs, name)
			case !e.IsDir() && wanted[e.Name()]:
				c.passed = append(c.passed, name)
			}
		}
	}
	slices.Sort(c.passed)
	found := len(c.Notes)
	c.Notes = append(c.Notes, c.aside()...)
	c.walked = c.Notes[:found:found]
}

// aside are notes of the files that are not judged.
func (c *Checkout) aside() (out []string) {
	if c.untold {
		out = append(out, fmt.Sprintf("more than %d directories are hidden, vendored or of test data, and were not all looked through", maxAside))
	}
	if n := len(c.passed); n > 0 {
		found, more := c.passed[:min(n, 3)], ""
		if n > len(found) {
			more = fmt.Sprintf(" and %d more", n-len(found))
		}
		out = append(out, fmt.Sprintf("not judged, since in hidden, vendored or test data directories: %s%s", source.Plain(strings.Join(found, ", "), 300), more))
	}
	return out
}

// Passed are the files that are not judged, sorted: they lie in hidden, vendored or test data directories.
func (c *Checkout) Passed() []string { return slices.Clone(c.passed) }

// Add takes in a file that the walk has passed over, because a file that it has found leads a tool there.
func (c *Checkout) Add(name string) error {
	if slices.Contains(c.files, name) {
		return nil
	}
	if len(c.files) >= maxFiles {
		return tooMany(c.dir)
	}
	c.files = append(c.files, name)
	if i, ok := slices.BinarySearch(c.passed, name); ok {
		c.passed = slices.Delete(c.passed, i, i+1)
		c.Notes = append(slices.Clone(c.walked), c.aside()...)
	}
	return nil
}

func tooMany(dir string) error {
	return problem.New(problem.Usage, dir, "check a smaller directory", "has more than %d files that package managers read", maxFiles)
}

// Files are the paths of the files with that base name, the nearest to the root first.
func (c *Checkout) Files(name string) []string {
	var out []string
	for _, f := range c.files {
		if path.Base(f) == name {
			if data, ok := c.replaced[f]; !ok || data != nil {
				out = append(out, f)
			}
		}
	}
	for f, data := range c.replaced {
		if data != nil && path.Base(f) == name && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		if d := strings.Count(a, "/") - strings.Count(b, "/"); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return out
}

// At is the checkout as another commit has it: the files of changed replace those on disk, a nil value means that the
// commit does not have the file.
func (c *Checkout) At(changed map[string][]byte) *Checkout {
	return &Checkout{dir: c.dir, root: c.root, files: c.files, replaced: changed, Fence: c.Fence}
}

// Read reads one regular file of at most limit bytes (0: MaxFile). The error is fs.ErrNotExist where there is none, and
// a Problem of code Usage for a directory, a device, a link that leads out of the checkout, and a file that is too large.
func (c *Checkout) Read(name string, limit int64) (File, error) {
	if limit <= 0 {
		limit = MaxFile
	}
	if data, ok := c.replaced[name]; ok {
		if data == nil {
			return File{}, fs.ErrNotExist
		}
		return File{Path: name, Data: data}, nil
	}
	linked := c.Linked(name)
	// a fifo would keep a plain open waiting for ever
	f, err := c.root.OpenFile(name, os.O_RDONLY|source.NonBlock, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && !linked {
			return File{}, fs.ErrNotExist
		}
		if linked {
			return File{}, problem.New(problem.Usage, name, "replace the link by the file itself",
				"is a symbolic link that leads out of the checkout or nowhere, and is not followed")
		}
		return File{}, problem.New(problem.Usage, name, "make it a readable file", "%w", plain(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, problem.New(problem.Usage, name, "make it a readable file", "%w", plain(err))
	}
	if !info.Mode().IsRegular() {
		return File{}, problem.New(problem.Usage, name, "replace it by a regular file", "is a %s, not a regular file", kind(info.Mode()))
	}
	if info.Size() > limit {
		return File{}, tooLarge(name, info.Size(), limit)
	}
	data := make([]byte, 0, info.Size()+1)
	buffer := &sliceWriter{data: data}
	n, err := io.Copy(buffer, io.LimitReader(f, limit+1))
	if err != nil {
		return File{}, problem.New(problem.Usage, name, "make it a readable file", "%w", plain(err))
	}
	if n > limit {
		return File{}, tooLarge(name, n, limit)
	}
	return File{Path: name, Data: buffer.data, Linked: linked}, nil
}

// maxListed bounds the names of one directory.
const maxListed = 100_000

// List are the names in a directory, those of directories with a slash behind, also where a link leads to one inside the
// checkout. It is fs.ErrNotExist where there is no such directory.
func (c *Checkout) List(name string) ([]string, error) {
	info, err := c.root.Stat(name)
	if err == nil && !info.IsDir() {
		return nil, fs.ErrNotExist
	}
	var d *os.File
	if err == nil {
		d, err = c.root.Open(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, problem.New(problem.Usage, name, "make it a directory of the checkout", "%w", plain(err))
	}
	defer d.Close()
	entries, err := d.ReadDir(maxListed + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, problem.New(problem.Usage, name, "make it a directory that can be read", "%w", plain(err))
	}
	if len(entries) > maxListed {
		return nil, problem.New(problem.Usage, name, "name a smaller directory", "holds more than %d names", maxListed)
	}
	var out []string
	for _, e := range entries {
		entry := e.Name()
		if info, err := c.root.Stat(path.Join(name, entry)); err == nil && info.IsDir() {
			entry += "/"
		}
		out = append(out, entry)
	}
	return out, nil
}

type sliceWriter struct{ data []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.data = append(w.data, p...)
	return len(p), nil
}

// Linked tells whether any part of the path is a symbolic link.
func (c *Checkout) Linked(name string) bool {
	parts := strings.Split(path.Clean(name), "/")
	for i := range parts {
		info, err := c.root.Lstat(strings.Join(parts[:i+1], "/"))
		if err != nil {
			return false
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// Escapes tells whether a link on the way to name leads out of the checkout, or nowhere. The parts behind what is not there
// have no links.
func (c *Checkout) Escapes(name string) bool {
	real, err := filepath.EvalSymlinks(c.dir)
	if err != nil {
		return true
	}
	parts := strings.Split(path.Clean(name), "/")
	for i := range parts {
		part := filepath.Join(c.dir, filepath.FromSlash(strings.Join(parts[:i+1], "/")))
		info, err := os.Lstat(part)
		if err != nil {
			return !errors.Is(err, fs.ErrNotExist)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		target, err := filepath.EvalSymlinks(part)
		if err != nil {
			return true
		}
		if rel, err := filepath.Rel(real, target); err != nil || !filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

func tooLarge(name string, size, limit int64) error {
	return problem.New(problem.Usage, name, "remove it or check a smaller directory",
		"has %s, and at most %s are read", megabytes(size), megabytes(limit))
}

func megabytes(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%d KB", (n+1<<10-1)>>10)
	}
	return fmt.Sprintf("%d MB", (n+1<<20-1)>>20)
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// plain takes the path out of an error that the caller names already.
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		if errors.Is(pe.Err, syscall.ELOOP) {
			return errors.New("too many symbolic links")
		}
		return pe.Err
	}
	return err
}
