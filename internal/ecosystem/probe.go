package ecosystem

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// Known is one file that never changes, since its name holds its version. What it is called is the room's affair.
type Known struct {
	// Package and Version name what it is of, Name is the file's own.
	Package, Version, Name string
	// SHA256 is in hexadecimal digits, lower case.
	SHA256 string
}

// Refused is the verdict on an answer that is none of status 200.
func Refused(r detect.Response) detect.Verdict {
	return detect.Verdict{Fault: detect.StatusFault, Status: r.Status, Reason: fmt.Sprintf("answered %d", r.Status),
		Absent: r.Status == http.StatusNotFound || r.Status == http.StatusGone}
}

// Page is the verdict on an answer that is not what was asked for: a page for people, most of the time.
func Page(asked string) detect.Verdict {
	return detect.Verdict{Content: detect.No, Fault: detect.PageFault, Reason: "answered with a page that is not " + asked}
}

// Judge compares an answer with what the file is known to be.
func (k Known) Judge(r detect.Response) detect.Verdict {
	sum := sha256.Sum256(r.Body)
	switch {
	case r.Status != http.StatusOK:
		return Refused(r)
	case hex.EncodeToString(sum[:]) == k.SHA256:
		return detect.Verdict{OK: true, Content: detect.Yes}
	case strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "text/html"), bytes.HasPrefix(bytes.TrimSpace(r.Body), []byte("<")):
		return Page(k.Name)
	}
	return k.Other()
}

// Other is the verdict on a source that has another file of that name.
func (k Known) Other() detect.Verdict {
	return detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Reason: "has another " + k.Name + " than the one that was published"}
}

// Loaded is the answer as a Load tells it.
func (k Known) Loaded(r detect.Response) detect.Loaded {
	return detect.Loaded{Verdict: k.Judge(r), Bytes: int64(len(r.Body)), Took: r.Total - r.FirstByte}
}

// Follow is where a link in an answer leads, from the address that answered. It goes where a redirect may go: to the same
// host, or by https to a host with a name. The error never holds the link.
func Follow(from, link string) (string, error) {
	base, err := url.Parse(from)
	if err != nil {
		return "", errors.New("address cannot be parsed as a URL")
	}
	to, err := base.Parse(link)
	if err != nil {
		return "", errors.New("names an address that cannot be parsed as a URL")
	}
	to.User, to.Fragment = nil, ""
	if to.Scheme == base.Scheme && to.Host == base.Host {
		return to.String(), nil
	}
	loc, err := source.Locate(to.String())
	if err != nil {
		return "", errors.New("names no usable address")
	}
	if _, err := netip.ParseAddr(loc.Host); err == nil || loc.Loopback || loc.Scheme != "https" {
		return "", errors.New("names an address that is not asked: another one than its own, and none of a host with a name over https")
	}
	return to.String(), nil
}

// Named is a registry that somebody names, with the identity that the catalogue has for its address. The error says what
// is wrong with the address without holding it.
func (m Machine) Named(ecosystem, raw, origin string) (source.Source, error) {
	s := source.Source{Ecosystem: ecosystem, Role: source.Registry, URL: strings.TrimRight(raw, "/"), Origin: origin}
	loc, err := source.Locate(s.URL)
	if err != nil {
		return s, err
	}
	s.ID = loc.HostPort()
	for _, known := range m.Mirrors {
		if at, err := source.Locate(known.URL); err == nil && at.String() == loc.String() {
			known.URL, known.Origin = s.URL, s.Origin
			return known, nil
		}
	}
	return s, nil
}

// maxSettings bounds a file of a tool's settings. Real ones have a few KB.
const maxSettings = 256 << 10

// Settings reads a file of a tool's settings on this machine; what lies behind the fence is none of it, and neither is a
// relative path. The error is fs.ErrNotExist where there is none.
func Settings(fence, name string) ([]byte, error) {
	if !filepath.IsAbs(name) || fence != "" && Inside(fence, name) {
		return nil, errors.New("it lies where the author of the checkout may have written it")
	}
	return ReadFile(name, maxSettings)
}
