package inject

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/org/goproxy-action/internal/problem"
)

// JournalVariable names the variable that tells a later restore where the journal is.
const JournalVariable = "GOPROXY_ACTION_JOURNAL"

// maxJournal bounds what is read back.
const maxJournal = 1 << 20

// Journal remembers what was changed, so that it can be taken back.
type Journal struct {
	Version int `json:"version"`
	// Parent is the journal of an earlier setup in the same shell; empty where there is none.
	Parent  string   `json:"parent,omitempty"`
	Records []Record `json:"records"`
	// Files are those that Place made beside the journal.
	Files []FileRecord `json:"files,omitempty"`
}

// FileRecord is a file beside the journal.
type FileRecord struct {
	// Name is its base name, and New the SHA-256, in hex, of what was written: a file that is another by now is left.
	Name string `json:"name"`
	New  string `json:"new"`
}

// Record is one changed variable.
type Record struct {
	Name string `json:"name"`
	// Had is whether the variable was set before; Old is its value, which may hold a secret.
	Had bool   `json:"had"`
	Old string `json:"old,omitempty"`
	// New is the SHA-256, in hex, of what was set: a variable that has another value by now is left alone.
	New string `json:"new"`
}

// Digest is how a Record knows a value again.
func Digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// Record notes what the changes replace.
func (j *Journal) Record(changes []Change, lookup func(string) (string, bool)) {
	for _, c := range changes {
		old, had := lookup(c.Name)
		j.Records = append(j.Records, Record{Name: c.Name, Had: had, Old: old, New: Digest(c.Value)})
		if c.File != nil && !slices.ContainsFunc(j.Files, func(f FileRecord) bool { return f.Name == c.File.Name }) {
			j.Files = append(j.Files, FileRecord{c.File.Name, Digest(string(c.File.Data))})
		}
	}
}

// RemoveFiles deletes the files beside the journal at path. What somebody wrote to meanwhile is left, and returned.
func (j Journal) RemoveFiles(path string) (kept []string) {
	for _, f := range j.Files {
		name := filepath.Join(filepath.Dir(path), filepath.Base(f.Name))
		data, err := ReadPrivate(name, maxJournal)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil || Digest(string(data)) != f.New || os.Remove(name) != nil:
			kept = append(kept, name)
		}
	}
	return kept
}

// NewDir makes a directory of the run, 0700, below parent (empty: the system's temporary directory).
func NewDir(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "goproxy-action-")
	if err != nil {
		return "", problem.New(problem.Usage, "make a directory for generated files", "set TMPDIR to a directory that can be written", "%w", err)
	}
	return dir, nil
}

// Write puts the journal into dir, 0600, whole or not at all, and returns its path.
func (j *Journal) Write(dir string) (string, error) {
	j.Version = 1
	data, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "journal.json")
	if err := WriteFile(path, data); err != nil {
		return "", problem.New(problem.Usage, "write the journal", "set TMPDIR to a directory that can be written", "%w", err)
	}
	return path, nil
}

// WriteFile replaces a file by a new one of mode 0600, whole or not at all.
func WriteFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// ReadJournal reads a journal back. It refuses one that another user could have written: the file and its directory
// must belong to this user, be no links, and be closed to others. The error is fs.ErrNotExist where there is none.
func ReadJournal(path string) (Journal, error) {
	if !filepath.IsAbs(path) {
		return Journal{}, refuse(path, "its path is not absolute")
	}
	data, err := ReadPrivate(path, maxJournal)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Journal{}, fs.ErrNotExist
	case err != nil:
		return Journal{}, refuse(path, err.Error())
	}
	var j Journal
	if err := json.Unmarshal(data, &j); err != nil || j.Version != 1 {
		return Journal{}, refuse(path, "it is no journal of this version")
	}
	return j, nil
}

// Private fails where another user could have written the file or directory at path: it must be this user's, no link,
// and closed to others. The error is fs.ErrNotExist where there is none.
func Private(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return private(info)
}

// ReadPrivate reads a regular file of at most limit bytes that, like its directory, only this user can have written.
func ReadPrivate(path string, limit int64) ([]byte, error) {
	for _, p := range []string{filepath.Dir(path), path} {
		if err := Private(p); err != nil {
			return nil, err
		}
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() { // a pipe would keep the open waiting
		return nil, errors.New("it is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

func refuse(path, why string) error {
	return problem.New(problem.Usage, path, "start a new shell or job to get rid of the settings", "the journal is not used: %s", why)
}

// Undo says what takes the changes back in an environment: the variables to set again and those to unset. A variable
// that somebody changed meanwhile is left alone and named in kept.
func (j Journal) Undo(lookup func(string) (string, bool)) (set []Change, unset, kept []string) {
	for _, r := range slices.Backward(j.Records) {
		now, has := lookup(r.Name)
		switch {
		case !has && !r.Had:
		case !has || Digest(now) != r.New:
			kept = append(kept, r.Name)
		case r.Had:
			set = append(set, Change{Kind: "env", Name: r.Name, Value: r.Old, Shown: r.Old, Why: "as it was before"})
		default:
			unset = append(unset, r.Name)
		}
	}
	return set, unset, kept
}

// Remove deletes the journal and the directory of the run, if nothing else is in it.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the journal: %w", err)
	}
	os.Remove(filepath.Dir(path)) // stays where something else is in it
	return nil
}
