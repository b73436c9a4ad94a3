package detect

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/org/goproxy-action/internal/source"
)

// maxBundle bounds a file of certificates, and all files of a directory together; the usual ones have 200 to 300 kB.
const maxBundle = 8 << 20

// maxFiles bounds a directory of certificates; Debian's has some 430 names for 140 certificates.
const maxFiles = 2000

// Bundle is the certificates that one tool goes by.
type Bundle struct {
	// Tool is node, git, pip and the like.
	Tool string
	// Path is a file; empty where the tool has its own (Own) or asks the system.
	Path string
	// Own is true where the tool carries certificates itself: then, and in Public, they are the public roots.
	Own bool
	// Adds is true where the file comes beside the tool's own certificates, or the system's, and not in their place.
	Adds bool
	// Origin names the setting that says so; empty where nobody did.
	Origin string

	// Certificates are how many the file has; 0 where there is no file.
	Certificates int
	// Broken is why the file is no use; empty where it is.
	Broken string
	// Trusts says whether the tool would accept what public hosts show here: an intercepting proxy's certificate among it.
	// It is not known where no host showed one.
	Trusts Answer
}

// bundles completes those of the options by what they hold, and asks each whether it would accept the chain that was seen.
func (m *measurement) bundles() []Bundle {
	chain, host := m.shownChain()
	out := make([]Bundle, 0, len(m.Deep.Bundles))
	for _, b := range m.Deep.Bundles {
		var pool *x509.CertPool
		switch {
		case b.Path != "":
			pool = x509.NewCertPool()
			switch {
			case b.Adds && b.Own:
				pool = m.publicRoots().Clone()
			case b.Adds:
				pool = m.systemRoots().Clone()
			}
			b.Certificates, b.Broken = m.files[b.Path].certificates(pool)
		case b.Own:
			pool = m.publicRoots()
		default:
			pool = m.Dialer.Roots // nil is the system's
		}
		if chain != nil {
			b.Trusts = No
			if (b.Broken == "" || b.Adds) && verify(chain, host, pool) == nil {
				b.Trusts = Yes
			}
		}
		out = append(out, b)
	}
	return out
}

// shownChain is what a public host showed that was not out of date, an intercepted one first: all tools will see the like.
func (m *measurement) shownChain() (chain []*x509.Certificate, host string) {
	for i, r := range m.done {
		if r == nil || len(r.seen.Peers) == 0 || !r.row.Source.Public || r.row.Cause == Expired || r.row.Cause == WrongName {
			continue
		}
		loc, err := source.Locate(m.jobs[i].target.Source.URL)
		if err != nil {
			continue
		}
		if chain == nil || verify(r.seen.Peers, loc.Host, m.publicRoots()) != nil {
			chain, host = r.seen.Peers, loc.Host
		}
	}
	return chain, host
}

func (m *measurement) publicRoots() *x509.CertPool {
	if m.Interception.Public != nil {
		return m.Interception.Public
	}
	return public()
}

// systemRoots are those that this program goes by itself; none where the system has none.
func (m *measurement) systemRoots() *x509.CertPool {
	if m.Dialer.Roots != nil {
		return m.Dialer.Roots
	}
	if pool, err := x509.SystemCertPool(); err == nil {
		return pool
	}
	return x509.NewCertPool()
}

// bundleFile is what is read at the path of a bundle: a file, or the files in a directory one after the other. Broken is
// why nothing was, in words that go on from its name.
type bundleFile struct {
	data      []byte
	directory bool
	broken    string
}

// readBundles reads what the bundles name, each place once, and as far as it comes before over ends: the files are chosen
// by whoever sets a variable, and may lie on a disk that hangs. They are parsed later, when nothing is measured any more.
func readBundles(over context.Context, bundles []Bundle) (get func() map[string]bundleFile) {
	var paths []string
	for _, b := range bundles {
		if b.Path != "" && !slices.Contains(paths, b.Path) {
			paths = append(paths, b.Path)
		}
	}
	files := collected(over, len(paths), func(int) bundleFile { return bundleFile{broken: "could not be read in time"} }, func(i int) bundleFile {
		f, err := readBundle(over, paths[i])
		if err != nil {
			f.broken = err.Error()
		}
		return f
	})
	return func() map[string]bundleFile {
		out := map[string]bundleFile{}
		for i, f := range files() {
			out[paths[i]] = f
		}
		return out
	}
}

// readBundle reads a file, or the files of a directory. What is none of them or too large is an error in words that go on
// from its name.
func readBundle(ctx context.Context, path string) (bundleFile, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return bundleFile{}, errors.New("does not exist")
	case err != nil:
		return bundleFile{}, errors.New("cannot be read")
	case info.IsDir():
		return readDirectory(ctx, path)
	case !info.Mode().IsRegular():
		return bundleFile{}, errors.New("is no regular file")
	}
	data, err := readPart(path, maxBundle)
	return bundleFile{data: data}, err
}

// readPart reads a file that has at most limit bytes.
func readPart(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.New("cannot be read")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	switch {
	case err != nil:
		return nil, errors.New("cannot be read")
	case len(data) > limit:
		return nil, errLarge
	}
	return data, nil
}

var errLarge = fmt.Errorf("has more than %d MB", maxBundle>>20)

// readDirectory is readBundle for a directory, as OpenSSL's capath is one; what is below it is not looked at. All its files
// together are bounded as one.
func readDirectory(ctx context.Context, path string) (bundleFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return bundleFile{}, errors.New("cannot be read")
	}
	defer f.Close()
	names, err := f.Readdirnames(maxFiles)
	if err != nil && !errors.Is(err, io.EOF) {
		return bundleFile{}, errors.New("cannot be read")
	}
	out := bundleFile{directory: true}
	for _, name := range names {
		if ctx.Err() != nil {
			return bundleFile{}, errors.New("could not be read in time")
		}
		if info, err := os.Stat(filepath.Join(path, name)); err != nil || !info.Mode().IsRegular() {
			continue
		}
		data, err := readPart(filepath.Join(path, name), maxBundle-len(out.data))
		if errors.Is(err, errLarge) {
			return bundleFile{}, err
		}
		out.data = append(append(out.data, data...), '\n')
	}
	return out, nil
}

// certificates adds what is there to a pool and counts it; broken is why the file is no use.
func (f bundleFile) certificates(pool *x509.CertPool) (n int, broken string) {
	if f.broken != "" {
		return 0, f.broken
	}
	n, unread := addCertificates(f.data, pool)
	switch {
	case n > 0:
		return n, ""
	case f.directory:
		return 0, "is a directory without certificates"
	case unread > 0:
		return 0, "holds no certificate that can be read"
	}
	return 0, "holds no certificate"
}

// addCertificates adds those of PEM blocks; other blocks are passed over.
func addCertificates(data []byte, pool *x509.CertPool) (n, unread int) {
	for len(data) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			unread++
			continue
		}
		pool.AddCert(cert)
		n++
	}
	return n, unread
}
