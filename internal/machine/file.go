package machine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

// maxFile bounds a file of settings.
const maxFile = 1 << 20

// errFenced is why a file that the checkout's author may have written is not read.
var errFenced = errors.New("lies where the checkout's author may have written, and is not read")

// real is where a path lies on this machine.
func (r *reader) real(path string) string {
	if r.Root == "" {
		return path
	}
	return filepath.Join(r.Root, path)
}

// inside tells whether a path lies in the fence, by its name or by where links lead.
func (r *reader) inside(path string) bool {
	if r.Fence == "" {
		return false
	}
	if r.fences == nil {
		fence := r.real(r.Fence)
		r.fences = []string{fence, resolved(fence)}
	}
	path = r.real(path)
	target := resolved(path)
	for _, f := range r.fences {
		for _, p := range []string{path, target} {
			if rel, err := filepath.Rel(f, p); err == nil && filepath.IsLocal(rel) {
				return true
			}
		}
	}
	return false
}

// resolved follows links, in what is there of a path.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(resolved(dir), filepath.Base(path))
	}
	return path
}

// load reads a regular file, or a link to one, up to maxFile bytes; cut is true for a longer one. Anything else is not
// even opened: a pipe would keep the open waiting, and opening a device may change it.
func (r *reader) load(path string) (data []byte, cut bool, err error) {
	if !filepath.IsAbs(path) && r.OS != "windows" {
		return nil, false, errors.New("is no absolute path")
	}
	name := r.real(path)
	info, err := os.Stat(name)
	if err != nil {
		return nil, false, reason(err)
	}
	if r.inside(path) {
		return nil, false, errFenced
	}
	if !info.Mode().IsRegular() {
		return nil, false, errors.New("is not a regular file")
	}
	f, err := os.OpenFile(name, os.O_RDONLY|source.NonBlock, 0)
	if err != nil {
		return nil, false, reason(err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() { // replaced meanwhile
		return nil, false, errors.New("is not a regular file")
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, false, reason(err)
	}
	return data[:min(len(data), maxFile)], len(data) > maxFile, nil
}

// reason is an error without its path, in words that go on from that; fs.ErrNotExist stays what it is.
func reason(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fs.ErrNotExist
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// read is the content of a file of settings; ok is false where there is none, or none that can be read, which a note
// tells.
func (r *reader) read(path string) (data []byte, ok bool) {
	if path == "" || path == os.DevNull {
		return nil, false
	}
	data, cut, err := r.load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false
	case errors.Is(err, errFenced) && r.Home != "" && r.inside(r.Home) && strings.HasPrefix(path, r.Home):
		return nil, false // told once for all
	case err == nil && cut:
		err = fmt.Errorf("has more than %d KiB, and is not read", maxFile>>10)
	}
	if err != nil {
		r.missed(r.shownPath(path), err)
		return nil, false
	}
	return data, true
}

// missed tells why a place could not be read or understood, once. place may have a line.
func (r *reader) missed(place string, err error) {
	if f, ok := errors.AsType[*toolfile.Fault](err); ok {
		place, err = fmt.Sprintf("%s:%d", place, f.At.Line), errors.New(f.Text)
	}
	if !r.told[place] {
		r.told[place] = true
		r.note(place + " " + source.Plain(source.Redact(err.Error()), 300) + ", so that its settings are not known")
	}
}

// list are the names in a directory, sorted.
func (r *reader) list(dir string) []string {
	if dir == "" || r.inside(dir) {
		return nil
	}
	d, err := os.Open(r.real(dir))
	if err != nil {
		return nil
	}
	defer d.Close()
	if info, err := d.Stat(); err != nil || !info.IsDir() {
		return nil
	}
	names, _ := d.Readdirnames(1000)
	slices.Sort(names)
	return names
}

// tool is where a program lies that the PATH leads to, and what that is a link to; both empty where there is none. What
// lies in the fence is passed over.
func (r *reader) tool(name string) (exe, target string) {
	if r.OS == "windows" {
		name += ".exe"
	}
	for _, dir := range filepath.SplitList(r.get("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		exe := filepath.Join(dir, name)
		if info, err := os.Stat(r.real(exe)); err != nil || !info.Mode().IsRegular() || r.inside(exe) {
			continue
		}
		target := resolved(r.real(exe))
		if r.Root != "" {
			rel, err := filepath.Rel(resolved(r.Root), target)
			if err != nil || !filepath.IsLocal(rel) {
				return exe, exe
			}
			target = string(filepath.Separator) + rel
		}
		return exe, target
	}
	return "", ""
}
