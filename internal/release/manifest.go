// Package release knows the digests of the binaries of one release, and tells whether a binary is one of them.
package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"

	"golang.org/x/mod/module"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// Downloads is where releases are: the assets of one lie below its version.
	Downloads = "https://github.com/org/goproxy-action/releases/download"
	// Limit bounds a manifest. One with eight binaries has 2 KB.
	Limit = 1 << 20
)

// Manifest lists the binaries of one release. It is a file of the release's commit (cmd/launcher/manifest.json, which
// the action reads) and one of its assets (manifest.json). Development has none.
type Manifest struct {
	// Version is "v1.2.3".
	Version string `json:"version"`
	// Go is the toolchain that built the binaries, as runtime.Version says it: "go1.26.8".
	Go string `json:"go"`
	// URL is the directory that the assets are downloaded from, without a slash at its end.
	URL string `json:"url"`
	// Binaries are by platform, as GOOS/GOARCH.
	Binaries map[string]Binary `json:"binaries"`
}

// Binary is the program for one platform.
type Binary struct {
	// Asset is the name of the file below URL: the program, compressed by gzip.
	Asset string `json:"asset"`
	// SHA256 and Size (bytes) are those of the program itself, not of the asset.
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

var (
	version  = regexp.MustCompile(`^v(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
	goes     = regexp.MustCompile(`^go1\.[0-9]+(\.[0-9]+|rc[0-9]+|beta[0-9]+)?$`)
	base     = regexp.MustCompile(`^https?://[^/?#@\s]+(/[^/?#@\s]+)*$`)
	platform = regexp.MustCompile(`^[a-z0-9]{1,20}/[a-z0-9]{1,20}$`)
	asset    = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`)
	digest   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// IsVersion tells whether v is the version of a release: v1.2.3 or v1.2.3-rc.1, but no commit's.
func IsVersion(v string) bool { return version.MatchString(v) && !module.IsPseudoVersion(v) }

// Asset is the name of a platform's asset.
func Asset(goos, goarch string) string { return "goproxy-action_" + goos + "_" + goarch + ".gz" }

// Describe hashes a program.
func Describe(r io.Reader) (sha string, size int64, err error) {
	h := sha256.New()
	size, err = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// Encode is the manifest as it is committed.
func (m Manifest) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	data = append(data, '\n')
	_, err = Parse(data) // what nobody could read is not written
	return data, err
}

// Parse reads a manifest. Its readers (this one and the launcher's) have to agree on it, so names count as they are
// written, and none may stand twice. Names that are not known here are left to later versions. The manifest may be a
// stranger's: an error quotes it in a form fit for a log.
func Parse(data []byte) (Manifest, error) {
	var m Manifest
	if len(data) > Limit {
		return m, fmt.Errorf("it has more than %d KiB", Limit>>10)
	}
	top, err := object(data)
	if err != nil {
		return m, err
	}
	var binaries json.RawMessage
	if err := fields(top, field{"version", &m.Version}, field{"go", &m.Go}, field{"url", &m.URL}, field{"binaries", &binaries}); err != nil {
		return m, err
	}
	listed, err := object(binaries)
	if err != nil {
		return m, fmt.Errorf("binaries: %w", err)
	}
	m.Binaries = make(map[string]Binary, len(listed))
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		var b Binary
		one, err := object(listed[name])
		if err == nil {
			err = fields(one, field{"asset", &b.Asset}, field{"sha256", &b.SHA256}, field{"size", &b.Size})
		}
		if err == nil {
			err = b.check(name)
		}
		if err != nil {
			return m, fmt.Errorf("binaries: %s: %w", source.Plain(name, 60), err)
		}
		m.Binaries[name] = b
	}
	return m, m.check()
}

func (m Manifest) check() error {
	switch {
	case !IsVersion(m.Version):
		return fmt.Errorf("version: %q is none, such as v1.2.3", source.Plain(m.Version, 60))
	case !goes.MatchString(m.Go):
		return fmt.Errorf("go: %q is no toolchain, such as go1.26.8", source.Plain(m.Go, 60))
	case len(m.URL) > 1000 || !base.MatchString(m.URL):
		return fmt.Errorf("url: %q is no http address without name, query and slash at its end", source.Plain(source.Redact(m.URL), 200))
	case len(m.Binaries) == 0:
		return errors.New("binaries: there are none")
	}
	return nil
}

func (b Binary) check(name string) error {
	switch {
	case !platform.MatchString(name):
		return errors.New("not a platform, such as linux/amd64")
	case !asset.MatchString(b.Asset):
		return fmt.Errorf("asset: %q is no file name", source.Plain(b.Asset, 60))
	case !digest.MatchString(b.SHA256):
		return fmt.Errorf("sha256: %q is not 64 hexadecimal digits in lower case", source.Plain(b.SHA256, 80))
	case b.Size <= 0:
		return fmt.Errorf("size: %d bytes are no program", b.Size)
	}
	return nil
}

// object splits a JSON object into its members.
func object(data []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, broken(d)
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%q stands twice", source.Plain(name, 60))
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, broken(d)
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, broken(d)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the object at byte %d", d.InputOffset())
	}
	return members, nil
}

func broken(d *json.Decoder) error {
	return fmt.Errorf("it is no valid JSON at byte %d", d.InputOffset())
}

type field struct {
	name string
	to   any
}

// fields decodes members; none that is wanted may be missing.
func fields(members map[string]json.RawMessage, wanted ...field) error {
	for _, f := range wanted {
		value, ok := members[f.name]
		if !ok {
			return fmt.Errorf("%s is missing", f.name)
		}
		if string(value) == "null" || json.Unmarshal(value, f.to) != nil {
			return fmt.Errorf("%s: %s is not what belongs there", f.name, source.Plain(string(value), 60))
		}
	}
	return nil
}

// Verify tells whether a program is this release's for a platform. v is what the program says of itself; a build of
// development says anything else than a release's version.
func (m Manifest) Verify(v, platform, sha string, size int64) error {
	want, ok := m.Binaries[platform]
	op := fmt.Sprintf("verify goproxy-action %s for %s", source.Plain(v, 60), platform)
	hint := fmt.Sprintf("do not use it, and take %s/%s; a build of your own has other bytes unless .github/release made it", m.URL, want.Asset)
	switch {
	case !ok:
		return problem.New(problem.Security, op, "take a platform of the release, or rebuild it to compare",
			"sha256 %s (%d bytes), and the manifest of %s has no binary for this platform", sha, size, m.Version)
	case sha != want.SHA256 || size != want.Size:
		return problem.New(problem.Security, op, hint,
			"sha256 is %s (%d bytes), and in the manifest of %s it is %s (%d bytes)", sha, size, m.Version, want.SHA256, want.Size)
	case v != m.Version:
		return problem.New(problem.Security, op, "take the manifest from a place that you trust",
			"sha256 %s is right, but the manifest is of %s: it lies about one of them", sha, m.Version)
	}
	return nil
}
