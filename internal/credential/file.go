package credential

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/org/goproxy-action/internal/source"
)

// ReadFile reads a regular file of the machine of at most limit bytes that nobody can have written but this user and the
// machine's owner. Links are followed, as users keep such files elsewhere; what counts is where they lead. The error is
// fs.ErrNotExist where there is none, and never holds what the file does.
func ReadFile(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name) // before it is opened: a pipe would keep the open waiting
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := os.OpenFile(name, os.O_RDONLY|source.NonBlock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if err := foreign(info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("it has more than %d KiB", limit>>10)
	}
	return data, err
}

// NetrcPath is where the go command looks for a netrc file; empty where nothing says it.
func NetrcPath(lookup func(string) (string, bool), goos string) string {
	if name, _ := lookup("NETRC"); name != "" {
		return name
	}
	home, _ := lookup("HOME")
	if goos == "windows" {
		home, _ = lookup("USERPROFILE")
	}
	if home == "" {
		return ""
	}
	if goos == "windows" {
		if legacy := filepath.Join(home, "_netrc"); exists(legacy) {
			return legacy
		}
	}
	return filepath.Join(home, ".netrc")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
