package golang

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/org/goproxy-action/internal/detect"
)

const (
	// maxLoad bounds the zip that throughput is measured by, which takes 165 KB, and the list of versions; maxUnpacked what
	// the zip unpacks to (some 600 KB) and maxUnpackedFiles how many files it holds: a proxy makes its zips itself, and may
	// lie about all of that.
	maxLoad          = 1 << 20
	maxUnpacked      = 8 << 20
	maxUnpackedFiles = 1000
)

// heavy is a module of the Go team's whose zip is large enough to tell a line's throughput and small enough to be no
// burden, with the hash that sum.golang.org has.
func heavy() known {
	return known{path: "golang.org/x/mod", version: "v0.14.0", zipHash: "h1:dGoOF9QVLYng8IHTm7BAyWqCqSheQ5pYWGhzW00YJr0="}
}

// tagged is the module whose versions say how old a proxy's are: nearly every program depends on it, so that every proxy
// has it, and it gets a version about once a month. Its path needs no escaping.
const tagged = "golang.org/x/sys"

// loadOf fetches the zip of a module. The bytes are those that the proxy has zipped, so the hash of the files decides.
func (p prober) loadOf(k known) func(context.Context, detect.Fetch) (detect.Loaded, error) {
	return func(ctx context.Context, fetch detect.Fetch) (detect.Loaded, error) {
		r, err := fetch(ctx, p.base+"/"+k.path+"/@v/"+k.version+".zip", maxLoad)
		if err != nil {
			return detect.Loaded{}, err
		}
		loaded := detect.Loaded{Bytes: int64(len(r.Body)), Took: r.Total - r.FirstByte}
		sum, err := zipSum(r.Body)
		switch {
		case r.Status != http.StatusOK:
			loaded.Verdict = refused(r)
		case sum == k.zipHash:
			loaded.Verdict = detect.Verdict{OK: true, Content: detect.Yes}
		case err != nil || page(r):
			loaded.Verdict = detect.Verdict{Content: detect.No, Fault: detect.PageFault, Reason: fmt.Sprintf("answered with what is no zip of %s", k)}
		default:
			loaded.Verdict = detect.Verdict{Content: detect.No, Fault: detect.OtherFault,
				Reason: fmt.Sprintf("served another zip for %s than the checksum database knows", k)}
		}
		return loaded, nil
	}
}

var errUnpacked = errors.New("unpacks to more than is taken")

// zipSum is the hash that go.sum has for a module's zip, without a file being written. An error is that of a zip that is
// none, or that unpacks to more than maxUnpacked.
func zipSum(data []byte) (string, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", err
	}
	if len(archive.File) > maxUnpackedFiles {
		return "", errUnpacked
	}
	files := make(map[string]*zip.File, len(archive.File))
	var names []string
	for _, f := range archive.File {
		names = append(names, f.Name)
		files[f.Name] = f
	}
	left := int64(maxUnpacked)
	return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
		from, err := files[name].Open()
		if err != nil {
			return nil, err
		}
		return &bounded{from, &left}, nil
	})
}

// bounded reads as long as there is something left for all that are read.
type bounded struct {
	io.ReadCloser
	left *int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if *b.left <= 0 {
		return 0, errUnpacked
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), *b.left)])
	*b.left -= int64(n)
	return n, err
}

// newest is when the highest version of the tagged module was made that the proxy lists. The proxy's own answer for
// "latest" is not asked for: some that are well answer 404.
func (p prober) newest(ctx context.Context, fetch detect.Fetch) (time.Time, error) {
	list, err := fetch(ctx, p.base+"/"+tagged+"/@v/list", maxLoad)
	if err != nil {
		return time.Time{}, err
	}
	version := ""
	if list.Status == http.StatusOK && !page(list) {
		version = highest(string(list.Body))
	}
	escaped, err := module.EscapeVersion(version)
	if version == "" || err != nil {
		return time.Time{}, fmt.Errorf("lists no version of %s", tagged)
	}
	info, err := fetch(ctx, p.base+"/"+tagged+"/@v/"+escaped+".info", maxInfo)
	if err != nil {
		return time.Time{}, err
	}
	var said struct {
		Version string
		Time    time.Time
	}
	if info.Status != http.StatusOK || json.Unmarshal(info.Body, &said) != nil || said.Version != version || said.Time.IsZero() {
		return time.Time{}, fmt.Errorf("does not say when %s was made", tagged)
	}
	return said.Time, nil
}
