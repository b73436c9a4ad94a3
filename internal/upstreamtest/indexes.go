package upstreamtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Artifact is one file of PyPI, crates.io or Maven Central.
type Artifact struct {
	// Package and Version are as the ecosystem writes them; Maven's package is a path. Name is the file's own.
	Package, Version, Name string
	Data                   []byte
	// SHA256 is what an index claims; empty means the true one, "-" none.
	SHA256 string
	// Published is told where the index of crates can tell it; zero is not told.
	Published time.Time
}

// Sum is the claimed digest.
func (a Artifact) Sum() string {
	sum := sha256.Sum256(a.Data)
	return strings.TrimPrefix(cmp.Or(a.SHA256, hex.EncodeToString(sum[:])), "-")
}

// PyPI is a simple index (PEP 503) at /simple/PACKAGE/, with its files at /packages/NAME, which are linked relatively.
// Without any artifact it has six 1.16.0 with the digest of the real file, which is enough for a probe, and with another
// content.
func PyPI(artifacts ...Artifact) http.Handler {
	if len(artifacts) == 0 {
		artifacts = []Artifact{{Package: "six", Version: "1.16.0", Name: "six-1.16.0-py2.py3-none-any.whl",
			SHA256: "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"}}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, a := range artifacts {
			if r.URL.Path == "/packages/"+a.Name {
				_, _ = w.Write(a.Data)
				return
			}
		}
		var links strings.Builder
		for _, a := range artifacts {
			if r.URL.Path == "/simple/"+a.Package+"/" {
				link := "../../packages/" + a.Name
				if sum := a.Sum(); sum != "" {
					link += "#sha256=" + sum
				}
				fmt.Fprintf(&links, "<a href=\"%s\" data-requires-python=\"&gt;=2.7\">%s</a><br/>\n", html.EscapeString(link), html.EscapeString(a.Name))
			}
		}
		if links.Len() == 0 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html><body>\n"+links.String()+"</body></html>\n")
	})
}

// Crates is a sparse index with its crates. downloads is the dl of config.json; empty means /api/v1/crates of the same
// host. Without any artifact it has cfg-if 1.0.0 with the checksum of the real crate, which is enough for a probe.
func Crates(downloads string, artifacts ...Artifact) http.Handler {
	if len(artifacts) == 0 {
		artifacts = []Artifact{{Package: "cfg-if", Version: "1.0.0", SHA256: "baf1de4339761588bc0619e3cbc0120ee582ebb74b53b4efbf79117bd2da40fd"}}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/config.json" {
			at := cmp.Or(downloads, origin(r)+"/api/v1/crates")
			_ = json.NewEncoder(w).Encode(map[string]string{"dl": at, "api": "https://crates.test"})
			return
		}
		found := false
		for _, a := range artifacts {
			dir := a.Package
			switch n := len(dir); {
			case n > 3:
				dir = dir[:2] + "/" + dir[2:4]
			case n == 3:
				dir = "3/" + dir[:1]
			default:
				dir = strconv.Itoa(n)
			}
			switch r.URL.Path {
			case "/" + dir + "/" + a.Package:
				found = true
				line := map[string]any{"name": a.Package, "vers": a.Version, "deps": []any{}, "cksum": a.Sum(), "features": map[string]any{}, "yanked": false}
				if !a.Published.IsZero() {
					line["pubtime"] = a.Published.UTC().Format(time.RFC3339)
				}
				_ = json.NewEncoder(w).Encode(line)
			case "/api/v1/crates/" + a.Package + "/" + a.Version + "/download":
				_, _ = w.Write(a.Data)
				return
			}
		}
		if !found {
			http.NotFound(w, r)
		}
	})
}

// MavenCentral has files at /PACKAGE/VERSION/NAME, and a list of versions with the time of its last change at
// /PACKAGE/maven-metadata.xml for those with a time.
func MavenCentral(artifacts ...Artifact) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, a := range artifacts {
			switch {
			case r.URL.Path == "/"+a.Package+"/"+a.Version+"/"+a.Name:
				w.Header().Set("Content-Type", "application/java-archive")
				_, _ = w.Write(a.Data)
				return
			case r.URL.Path == "/"+a.Package+"/maven-metadata.xml" && !a.Published.IsZero():
				text(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata><versioning><latest>"+a.Version+"</latest><lastUpdated>"+
					a.Published.UTC().Format("20060102150405")+"</lastUpdated></versioning></metadata>\n")
				return
			}
		}
		http.NotFound(w, r)
	})
}
