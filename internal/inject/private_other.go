//go:build !unix

package inject

import (
	"errors"
	"io/fs"
)

// private tells whether a file is no link; who owns it is left to the directory, which is this user's temporary one.
func private(info fs.FileInfo) error {
	if info.Mode()&fs.ModeSymlink != 0 {
		return errors.New("it is a symbolic link")
	}
	return nil
}
