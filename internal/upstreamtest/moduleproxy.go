package upstreamtest

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/note"
	modzip "golang.org/x/mod/zip"
)

// ModuleProxyOptions say what a ModuleProxy has. The zero value is one small module and a checksum database.
type ModuleProxyOptions struct {
	// Modules are the files of each "path@version" by name; a missing go.mod is made up. Nil means the default:
	// github.com/google/uuid v1.6.0 with the go.mod of the real one (so with its real hash) and other code.
	Modules map[string]map[string]string
	// Times are the dates of "path@version"; a missing one is that of a day in 2023.
	Times map[string]time.Time
	// NoList answers 403 to questions for all versions of a module, as some proxies do.
	NoList bool
	// NoSumDB answers 404 to everything below /sumdb/, as proxies do that do not relay a checksum database. The database
	// itself exists: see SumDB.
	NoSumDB bool
	// SumDBName is the name of the database; empty means "sum.test".
	SumDBName string
}

// ModuleProxy speaks the module proxy protocol (https://go.dev/ref/mod#goproxy-protocol) and relays a checksum database
// that tells the truth about its modules.
type ModuleProxy struct {
	opts    ModuleProxyOptions
	modules map[module.Version]*mod
	key     string
	log     http.Handler
}

type mod struct {
	gomod, zip       []byte
	zipHash, modHash string
}

// NewModuleProxy zips the modules and signs a database of them with a new key.
func NewModuleProxy(tb testing.TB, opts ModuleProxyOptions) *ModuleProxy {
	tb.Helper()
	opts.SumDBName = cmp.Or(opts.SumDBName, "sum.test")
	if opts.Modules == nil {
		opts.Modules = map[string]map[string]string{"github.com/google/uuid@v1.6.0": {
			"go.mod":  "module github.com/google/uuid\n",
			"uuid.go": "// Package uuid is a stand-in.\npackage uuid\n\n// UUID is an identifier.\ntype UUID [16]byte\n",
		}}
	}
	p := &ModuleProxy{opts: opts, modules: map[module.Version]*mod{}}
	signer, verifier, err := note.GenerateKey(rand.Reader, opts.SumDBName)
	if err != nil {
		tb.Fatal(err)
	}
	p.key = verifier
	database := sumdb.NewTestServer(signer, func(path, version string) ([]byte, error) {
		z, m := p.Sum(path, version)
		if z == "" {
			return nil, fs.ErrNotExist // as it is: the server looks for it without unwrapping
		}
		return fmt.Appendf(nil, "%s %s %s\n%[1]s %[2]s/go.mod %[4]s\n", path, version, z, m), nil
	})
	p.log = sumdb.NewServer(database)
	for _, name := range slices.Sorted(maps.Keys(opts.Modules)) {
		path, version, _ := strings.Cut(name, "@")
		v := module.Version{Path: path, Version: version}
		if p.modules[v], err = build(v, opts.Modules[name]); err != nil {
			tb.Fatalf("module %s: %v", name, err)
		}
		// all are in the log from the start, so that its head does not move during a test
		if _, err := database.Lookup(context.Background(), v); err != nil {
			tb.Fatalf("module %s: %v", name, err)
		}
	}
	return p
}

// VerifierKey is the database's "name+hash+key", for GOSUMDB.
func (p *ModuleProxy) VerifierKey() string { return p.key }

// SumDB is the database alone, for a host of its own: /latest, /lookup/, /tile/. It answers even with NoSumDB.
func (p *ModuleProxy) SumDB() http.Handler { return p.log }

// Sum is the two hashes ("h1:...") of a go.sum; both are empty for an unknown module.
func (p *ModuleProxy) Sum(path, version string) (zip, mod string) {
	if m := p.modules[module.Version{Path: path, Version: version}]; m != nil {
		return m.zipHash, m.modHash
	}
	return "", ""
}

// ServeHTTP answers one request of the protocol.
func (p *ModuleProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/sumdb/"); ok {
		name, _, _ := strings.Cut(rest, "/")
		switch {
		case p.opts.NoSumDB || name != p.opts.SumDBName:
			http.NotFound(w, r)
		case rest == name+"/supported":
			w.WriteHeader(http.StatusOK)
		default:
			http.StripPrefix("/sumdb/"+name, p.log).ServeHTTP(w, r)
		}
		return
	}
	escaped, file, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/@")
	path, err := module.UnescapePath(escaped)
	versions := p.versions(path)
	if !ok || err != nil || len(versions) == 0 {
		http.Error(w, "not found: no such module", http.StatusNotFound)
		return
	}
	switch file {
	case "v/list":
		if p.opts.NoList {
			http.Error(w, "not permitted", http.StatusForbidden)
			return
		}
		text(w, strings.Join(versions, "\n")+"\n")
		return
	case "latest":
		p.info(w, path, versions[len(versions)-1])
		return
	}
	dot := strings.LastIndexByte(file, '.')
	version, err := module.UnescapeVersion(strings.TrimPrefix(file[:max(dot, 0)], "v/"))
	m := p.modules[module.Version{Path: path, Version: version}]
	if err != nil || m == nil {
		http.Error(w, "not found: no such version", http.StatusNotFound)
		return
	}
	switch file[dot:] {
	case ".info":
		p.info(w, path, version)
	case ".mod":
		text(w, string(m.gomod))
	case ".zip":
		w.Header().Set("Content-Type", "application/zip")
		_, _ = w.Write(m.zip)
	default:
		http.Error(w, "not found: no such file", http.StatusNotFound)
	}
}

func (p *ModuleProxy) versions(path string) []string {
	var out []string
	for v := range p.modules {
		if v.Path == path {
			out = append(out, v.Version)
		}
	}
	semver.Sort(out)
	return out
}

func (p *ModuleProxy) info(w http.ResponseWriter, path, version string) {
	dated, ok := p.opts.Times[path+"@"+version]
	if !ok {
		dated = time.Unix(1_700_000_000, 0)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\"Version\":%q,\"Time\":%q}\n", version, dated.UTC().Format(time.RFC3339))
}

func text(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	_, _ = io.WriteString(w, s)
}

func build(v module.Version, files map[string]string) (*mod, error) {
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module " + v.Path + "\n")}}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	var list []modzip.File
	for _, name := range slices.Sorted(maps.Keys(fsys)) {
		list = append(list, zipFile{fsys, name})
	}
	var out bytes.Buffer
	if err := modzip.Create(&out, v, list); err != nil {
		return nil, err
	}
	m := &mod{gomod: fsys["go.mod"].Data, zip: out.Bytes()}
	archive, err := zip.NewReader(bytes.NewReader(m.zip), int64(len(m.zip)))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range archive.File {
		names = append(names, f.Name)
	}
	m.zipHash, err = dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return archive.Open(name) })
	if err != nil {
		return nil, err
	}
	m.modHash, err = dirhash.Hash1([]string{"go.mod"}, func(name string) (io.ReadCloser, error) { return fsys.Open(name) })
	return m, err
}

// zipFile is a file of a module in the form that x/mod/zip wants.
type zipFile struct {
	fsys fstest.MapFS
	name string
}

func (f zipFile) Path() string                 { return f.name }
func (f zipFile) Lstat() (fs.FileInfo, error)  { return f.fsys.Stat(f.name) }
func (f zipFile) Open() (io.ReadCloser, error) { return f.fsys.Open(f.name) }
