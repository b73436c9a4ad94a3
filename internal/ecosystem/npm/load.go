package npm

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/detect"
)

// The package whose tarball is large enough to tell a line's throughput (220 KB) and small enough to be no burden. Tools
// of every kind depend on it, so that every registry has it; its name has no scope.
const (
	heavyName      = "ajv"
	heavyVersion   = "8.12.0"
	heavyIntegrity = "sha512-sRu1kpcO9yLtYxBKvqfTeh9KzZEwO3STyX1HT+4CaDzC6HpTGYhIhPIzj9XuKU7KYDwnaeh5hcOwjy1QuJzBPA=="
	// maxLoad bounds the tarball.
	maxLoad = 1 << 20
)

const (
	// published is the package whose versions say how old a registry's are: Node's own types depend on it, so that every
	// registry has it, and it gets a version every two weeks or so.
	published = "undici-types"
	// maxPublished bounds the document of it, which takes 180 KB.
	maxPublished = 2 << 20
)

// loadOf fetches a tarball from where registries have it: an address that the registry gives could lead anywhere.
func loadOf(base, name, version, integrity string) func(context.Context, detect.Fetch) (detect.Loaded, error) {
	return func(ctx context.Context, fetch detect.Fetch) (detect.Loaded, error) {
		r, err := fetch(ctx, base+"/"+name+"/-/"+name+"-"+version+".tgz", maxLoad)
		if err != nil {
			return detect.Loaded{}, err
		}
		loaded := detect.Loaded{Bytes: int64(len(r.Body)), Took: r.Total - r.FirstByte}
		sum := sha512.Sum512(r.Body)
		switch {
		case r.Status != http.StatusOK:
			loaded.Verdict = detect.Verdict{Fault: detect.StatusFault, Reason: fmt.Sprintf("answered %d", r.Status)}
		case "sha512-"+base64.StdEncoding.EncodeToString(sum[:]) == integrity:
			loaded.Verdict = detect.Verdict{OK: true, Content: detect.Yes}
		case strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "text/html"):
			loaded.Verdict = wrong("answered with a page that is no tarball of " + name + " " + version)
		default:
			loaded.Verdict = wrong("served another tarball for " + name + " " + version + " than the one that was published")
			loaded.Fault = detect.OtherFault
		}
		return loaded, nil
	}
}

// newest is when the version was made that a registry calls the latest.
func newest(base string) func(context.Context, detect.Fetch) (time.Time, error) {
	return func(ctx context.Context, fetch detect.Fetch) (time.Time, error) {
		r, err := fetch(ctx, base+"/"+published, maxPublished)
		if err != nil {
			return time.Time{}, err
		}
		var said struct {
			Tags map[string]string `json:"dist-tags"`
			Time map[string]any    `json:"time"`
		}
		if r.Status != http.StatusOK || json.Unmarshal(r.Body, &said) != nil {
			return time.Time{}, fmt.Errorf("has no package data of %s", published)
		}
		text, _ := said.Time[said.Tags["latest"]].(string)
		made, err := time.Parse(time.RFC3339, text)
		if err != nil || made.IsZero() {
			return time.Time{}, errors.New("does not say when the latest version of " + published + " was made")
		}
		return made, nil
	}
}
