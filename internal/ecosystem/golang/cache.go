package golang

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// cacheDir is the module cache of this machine, as the go command finds it (go 1.26, cmd/go/internal/cfg); empty where it is
// not known, and where a file of the checkout says it.
func (v *view) cacheDir() string {
	if v.m.RepoOnly {
		return ""
	}
	get := func(name string) string {
		if value, _ := v.m.Lookup(name); value != "" {
			return value
		}
		if s := v.set.get(name); s.origin != source.Checkout {
			return s.value
		}
		return ""
	}
	dir := get("GOMODCACHE")
	if dir == "" {
		if paths := filepath.SplitList(get("GOPATH")); len(paths) > 0 {
			dir = filepath.Join(paths[0], "pkg", "mod")
		} else {
			home := "HOME"
			if v.m.OS == "windows" {
				home = "USERPROFILE"
			}
			if at, _ := v.m.Lookup(home); at != "" {
				dir = filepath.Join(at, "go", "pkg", "mod")
			}
		}
	}
	if !filepath.IsAbs(dir) {
		return ""
	}
	return dir
}

// cached is ecosystem.Log's.
func (v *view) cached() func(context.Context, []checksumdb.Line) (int, []ecosystem.Cached) {
	dir := v.cacheDir()
	if dir == "" {
		return nil
	}
	return func(ctx context.Context, lines []checksumdb.Line) (int, []ecosystem.Cached) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return 0, nil // there is no cache yet
		}
		defer root.Close()
		return modCache{root}.compare(ctx, lines)
	}
}

// modCache is a module cache. It may lie in the checkout, so no link out of it is followed, and all that is read is bounded.
type modCache struct{ *os.Root }

func (c modCache) compare(ctx context.Context, lines []checksumdb.Line) (held int, differing []ecosystem.Cached) {
	found := make([][]ecosystem.Cached, len(lines))
	var next, have atomic.Int64
	var group sync.WaitGroup
	for range min(len(lines), runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(lines) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var there bool
				if found[i], there = c.line(lines[i]); there {
					have.Add(1)
				}
			}
		})
	}
	group.Wait()
	return int(have.Load()), slices.Concat(found...)
}

// line compares all that the cache has of one line.
func (c modCache) line(l checksumdb.Line) (differing []ecosystem.Cached, there bool) {
	version, gomod := strings.CutSuffix(l.Version, "/go.mod")
	path, err := module.EscapePath(l.Module)
	escaped, e := module.EscapeVersion(version)
	if err != nil || e != nil || !strings.HasPrefix(l.Hash, "h1:") {
		return nil, false
	}
	file := filepath.Join("cache", "download", filepath.FromSlash(path), "@v", escaped)
	check := func(name string, hash func(string) (string, error)) {
		sum, err := hash(name)
		fault := ""
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return
		case err != nil:
			fault = "cannot be read in the module cache (" + source.Plain(reason(err).Error(), 200) + ")"
		case sum != l.Hash:
			fault = "has the hash " + source.Plain(sum, 100) + " in the module cache"
		}
		there = true
		if fault != "" {
			differing = append(differing, ecosystem.Cached{Line: l, Path: filepath.Join(c.Name(), name), Fault: fault})
		}
	}
	if gomod {
		check(file+".mod", c.modHash)
		return differing, there
	}
	check(file+".ziphash", c.kept) // the go command compares this with go.sum, and not the file
	check(file+".zip", c.zipHash)
	check(filepath.FromSlash(path)+"@"+escaped, func(name string) (string, error) {
		return c.dirHash(name, l.Module+"@"+version)
	})
	return differing, there
}

var errKind = errors.New("it holds what is no regular file")

// open opens a regular file, and no link to one.
func (c modCache) open(name string) (*os.File, int64, error) {
	info, err := c.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errKind
	}
	f, err := c.OpenFile(name, os.O_RDONLY|source.NonBlock, 0)
	if err != nil {
		return nil, 0, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(info, now) { // another one was put in its place
		return nil, 0, errors.Join(errKind, f.Close())
	}
	return f, info.Size(), nil
}

func (c modCache) read(name string, limit int64) ([]byte, error) {
	f, _, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

func (c modCache) kept(name string) (string, error) {
	data, err := c.read(name, 200)
	return string(bytes.TrimSpace(data)), err
}

func (c modCache) modHash(name string) (string, error) {
	data, err := c.read(name, maxModFile)
	return modSum(data), err
}

// errSize is what the go command would not unpack either.
var errSize = fmt.Errorf("it is larger than %d MB", modzip.MaxZipFile>>20)

func (c modCache) zipHash(name string) (string, error) {
	f, size, err := c.open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if size > modzip.MaxZipFile {
		return "", errSize
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return "", err
	}
	names, files, left := make([]string, 0, len(z.File)), make(map[string]*zip.File, len(z.File)), int64(modzip.MaxZipFile)
	for _, file := range z.File {
		names = append(names, file.Name)
		files[file.Name] = file
		if left -= int64(min(file.UncompressedSize64, modzip.MaxZipFile+1)); left < 0 {
			return "", errSize
		}
	}
	// of each file no more is read than the size that it tells
	return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return files[name].Open() })
}

func (c modCache) dirHash(name, prefix string) (string, error) {
	var names []string
	left := int64(modzip.MaxZipFile)
	err := fs.WalkDir(c.FS(), filepath.ToSlash(name), func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case !d.Type().IsRegular():
			return errKind
		}
		info, err := d.Info()
		if err == nil {
			if left -= info.Size(); left < 0 {
				err = errSize
			}
			names = append(names, prefix+strings.TrimPrefix(file, filepath.ToSlash(name)))
		}
		return err
	})
	if err == nil && len(names) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", err
	}
	return dirhash.Hash1(names, func(file string) (io.ReadCloser, error) {
		f, _, err := c.open(name + filepath.FromSlash(strings.TrimPrefix(file, prefix)))
		return f, err
	})
}
