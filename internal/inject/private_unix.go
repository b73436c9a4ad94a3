//go:build unix

package inject

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private tells whether only this user can have written a file.
func private(info fs.FileInfo) error {
	if info.Mode()&fs.ModeSymlink != 0 {
		return errors.New("it is a symbolic link")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("its mode %#o lets others in", info.Mode().Perm())
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || int(s.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user")
	}
	return nil
}
