// Package release knows the digests of the binaries of one release, and tells whether a binary is one of them.
package release

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
