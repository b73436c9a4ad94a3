package upstreamtest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// Package is one version of an npm package.
type Package struct {
	// Name may have a scope: "@org/name".
	Name, Version string
	// Files are the content by name; a package.json and an index.js are made up where there are none.
	Files map[string]string
	// Integrity is what the registry claims; empty means the tarball's true one.
	Integrity string
	// Published is zero where the registry does not say when; Deprecated is what it says against the version.
	Published  time.Time
	Deprecated string
}

// Registry speaks as much of npm's registry as an installation asks for: packument, manifest, tarball. The last given
// version of a package is its "latest".
type Registry struct {
	packages []published
}

type published struct {
	Package
	tarball []byte
}

// NewRegistry publishes the packages. Without any it has is-number 7.0.0 with the integrity of the real one, which is
// enough for a probe, and with a tarball of our own, which therefore no client installs.
func NewRegistry(tb testing.TB, packages ...Package) *Registry {
	tb.Helper()
	if len(packages) == 0 {
		packages = []Package{{
			Name: "is-number", Version: "7.0.0",
			Integrity: "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng==",
		}}
	}
	reg := &Registry{}
	for _, p := range packages {
		data, err := pack(p)
		if err != nil {
			tb.Fatalf("package %s: %v", p.Name, err)
		}
		sum := sha512.Sum512(data)
		p.Integrity = cmp.Or(p.Integrity, "sha512-"+base64.StdEncoding.EncodeToString(sum[:]))
		reg.packages = append(reg.packages, published{p, data})
	}
	return reg
}

// Integrity is what the registry claims of a package; empty where it has none such.
func (reg *Registry) Integrity(name, version string) string {
	for _, p := range reg.packages {
		if p.Name == name && p.Version == version {
			return p.Package.Integrity
		}
	}
	return ""
}

// ServeHTTP answers /NAME, /NAME/VERSION, /NAME/latest and /NAME/-/BASE-VERSION.tgz.
func (reg *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := strings.TrimPrefix(r.URL.Path, "/")
	base := origin(r)
	versions, times := map[string]any{}, map[string]time.Time{}
	var latest published
	for _, p := range reg.packages {
		if asked == p.tarballPath() {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(p.tarball)
			return
		}
		if asked == p.Name || strings.HasPrefix(asked, p.Name+"/") {
			versions[p.Version], latest = p.manifest(base), p
			if !p.Published.IsZero() {
				times[p.Version] = p.Published
			}
		}
	}
	want, found := strings.TrimPrefix(strings.TrimPrefix(asked, latest.Name), "/"), len(versions) > 0
	if want == "latest" {
		want = latest.Version
	}
	switch {
	case found && want == "":
		packument := map[string]any{
			"_id": latest.Name, "name": latest.Name, "dist-tags": map[string]string{"latest": latest.Version}, "versions": versions,
		}
		if !strings.Contains(r.Header.Get("Accept"), "application/vnd.npm.install-v1+json") { // which has no dates
			packument["time"] = times
		}
		writeJSON(w, http.StatusOK, packument)
	case found && versions[want] != nil:
		writeJSON(w, http.StatusOK, versions[want])
	default:
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "Not found"})
	}
}

func (p published) tarballPath() string {
	return p.Name + "/-/" + path.Base(p.Name) + "-" + p.Version + ".tgz"
}

func (p published) manifest(base string) map[string]any {
	manifest := map[string]any{
		"_id": p.Name + "@" + p.Version, "name": p.Name, "version": p.Version,
		"dist": map[string]string{"integrity": p.Package.Integrity, "tarball": base + "/" + p.tarballPath()},
	}
	if p.Deprecated != "" {
		manifest["deprecated"] = p.Deprecated
	}
	return manifest
}

// pack makes the same bytes of the same package every time.
func pack(p Package) ([]byte, error) {
	files := map[string]string{
		"package.json": fmt.Sprintf("{\"name\":%q,\"version\":%q}\n", p.Name, p.Version),
		"index.js":     "module.exports = true\n",
	}
	maps.Copy(files, p.Files)
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	tw := tar.NewWriter(gz)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		head := &tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}
		if err := tw.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := tw.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	if err := gz.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
