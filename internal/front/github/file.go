package github

import (
	"errors"
	"io/fs"
	"os"

	"github.com/org/goproxy-action/internal/problem"
)

// appendFile adds to one of the runner's files, in one write that is taken back when it fails. The text may depend on
// the file's size. The file must be there already, and be a regular one: a link could lead to any file of the user's.
// The error is a Problem of code Usage.
func appendFile(variable, name string, text func(size int64) (string, error)) (err error) {
	wrong := func(hint, format string, args ...any) error {
		return problem.New(problem.Usage, variable, hint, format, args...)
	}
	const asIs = "leave it as the runner sets it"
	if name == "" {
		return wrong("run this in a step of a workflow, or unset GITHUB_ACTIONS", "is not set although GITHUB_ACTIONS is true")
	}
	before, err := os.Lstat(name)
	if err != nil {
		return wrong(asIs, "names a file that cannot be found: %w", bare(err))
	}
	if !before.Mode().IsRegular() {
		return wrong(asIs, "names a link, a directory or a device, and only a regular file is written to")
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return wrong("make the file writable", "names a file that cannot be opened: %w", bare(err))
	}
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = wrong("free disk space", "names a file that cannot be written to: %w", bare(e))
		}
	}()
	info, err := f.Stat()
	if err != nil || !os.SameFile(before, info) {
		return wrong(asIs, "names a file that was replaced while it was opened")
	}
	size := info.Size()
	body, err := text(size)
	if err != nil {
		return err
	}
	// somebody's last line may lack its end, and would swallow our first
	last := []byte{'\n'}
	if size > 0 {
		if _, err := f.ReadAt(last, size-1); err != nil {
			return wrong("make the file readable", "names a file that cannot be read: %w", bare(err))
		}
	}
	if last[0] != '\n' {
		body = "\n" + body
	}
	if _, err := f.WriteString(body); err != nil {
		return wrong("free disk space", "names a file that cannot be written to: %w", errors.Join(bare(err), bare(f.Truncate(size))))
	}
	return nil
}

// bare takes the path out of an error; the variable names it.
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
