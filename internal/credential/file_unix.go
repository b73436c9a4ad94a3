//go:build unix

package credential

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// foreign is why another user can have written a file; nil where none can. For root, whose home a container may have from
// another user, only the mode counts.
func foreign(info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("its mode %#o lets others write to it (chmod go-w)", info.Mode().Perm())
	}
	me := os.Geteuid()
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || me != 0 && s.Uid != 0 && int(s.Uid) != me {
		return errors.New("it belongs to another user")
	}
	return nil
}
