package cli

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
	"time"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/ecosystem/golang"
	"github.com/org/goproxy-action/internal/ecosystem/npm"
	"github.com/org/goproxy-action/internal/problem"
)

// pipeTime is how long the reader of a pipe may keep a report waiting.
const pipeTime = 10 * time.Second

// place puts a report where it was asked for: a stream of this process, a device or pipe, or a file, which is replaced
// whole or not at all. In a directory that a stranger may have written no link is followed out of it.
func (m *program) place(out output, data []byte) error {
	if stream := m.stream(out.file); stream != nil {
		_, err := stream.Write(data)
		return err
	}
	mode := fs.FileMode(0o644)
	if out.format == formatEnv {
		mode = 0o600
	}
	file, err := filepath.Abs(out.file)
	if err != nil {
		return err
	}
	if base, name := m.within(file); base != "" {
		if judged(name) {
			return refusal("name a file that is only for the report", "it is one of the files that are judged, or git's own")
		}
		return replaceIn(base, name, data, mode)
	}
	info, err := os.Stat(file)
	switch {
	case err != nil || info.Mode().IsRegular():
		return replaceIn(filepath.Dir(file), filepath.Base(file), data, mode)
	case out.format == formatEnv:
		return refusal("name a file", "it is no regular file, and what is written may hold secrets")
	}
	// waits for nobody: not for a reader of a pipe that has none, and not for one that does not read
	f, err := os.OpenFile(file, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) {
		return refusal("start what reads the pipe first, or name a file", "nobody reads the pipe")
	} else if err != nil {
		return err
	}
	_ = f.SetWriteDeadline(time.Now().Add(pipeTime)) // a device has none
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func refusal(hint, why string) error {
	return &problem.Problem{Code: problem.Usage, Err: errors.New(why), Hint: hint}
}

// stream is the one of this process that a name means, and nil where it means a file.
func (m *program) stream(file string) io.Writer {
	switch filepath.ToSlash(filepath.Clean(file)) {
	case "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return m.Stdout
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return m.Stderr
	}
	return nil
}

// judged tells whether the program reads a file of a checkout by that name.
func judged(name string) bool {
	parts := strings.Split(filepath.ToSlash(name), "/")
	last := parts[len(parts)-1]
	return slices.Contains(parts, ".git") || slices.Contains(golang.Names(), last) || slices.Contains(npm.Names(), last) ||
		strings.HasSuffix("/"+filepath.ToSlash(name), "/"+config.File)
}

func replaceIn(base, name string, data []byte, mode fs.FileMode) error {
	root, err := os.OpenRoot(base)
	if err != nil {
		return err
	}
	defer root.Close()
	if dir := filepath.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			if strings.Contains(err.Error(), "escapes") {
				return refusal("name a file that no link of the checkout leads away from", "a link on the way leads out of the checkout")
			}
			return err
		}
	}
	if info, err := root.Lstat(name); err == nil && info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return refusal("name a file", "it is no regular file")
	}
	half := fmt.Sprintf("%s.%d.new", name, os.Getpid())
	_ = root.Remove(half)
	f, err := root.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(half, name)
	}
	if err != nil {
		_ = root.Remove(half)
	}
	return err
}

// within is the outermost directory that a stranger may have written and that the file lies in, with the file's name
// from there; base is empty where it lies in none. Directories are told by identity: no other spelling gets past.
func (m *program) within(file string) (base, name string) {
	var fences []fs.FileInfo
	fence := func(dir string) {
		if info, err := os.Stat(dir); dir != "" && filepath.Dir(dir) != dir && err == nil { // the root of a system is no checkout
			fences = append(fences, info)
		}
	}
	fence(m.front.Workspace)
	if cwd, err := filepath.Abs("."); err == nil {
		fence(cwd)
		for dir := cwd; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
			if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
				fence(dir)
				break
			}
		}
	}
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil && slices.ContainsFunc(fences, func(f fs.FileInfo) bool { return os.SameFile(f, info) }) {
			if rel, err := filepath.Rel(dir, file); err == nil {
				base, name = dir, rel
			}
		}
		if dir == filepath.Dir(dir) {
			return base, name
		}
	}
}
