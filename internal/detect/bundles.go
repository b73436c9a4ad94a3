package detect

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/org/goproxy-action/internal/source"
)

// maxBundle bounds a file of certificates; the usual ones have 200 to 300 kB.
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
			if n, err := readBundle(b.Path, pool); err != nil {
				b.Broken = err.Error()
			} else {
				b.Certificates = n
			}
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

// readBundle adds the certificates of a file, or of the files in a directory, to a pool and counts them. What is no file,
// too large or without any certificate is an error in words that go on from its name.
func readBundle(path string, pool *x509.CertPool) (int, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, errors.New("does not exist")
	case err != nil:
		return 0, errors.New("cannot be read")
	case info.IsDir():
		return readDirectory(path, pool)
	case !info.Mode().IsRegular():
		return 0, errors.New("is no regular file")
	case info.Size() > maxBundle:
		return 0, fmt.Errorf("has more than %d MB", maxBundle>>20)
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, errors.New("cannot be read")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBundle))
	if err != nil {
		return 0, errors.New("cannot be read")
	}
	n, broken := addCertificates(data, pool)
	switch {
	case n == 0 && broken > 0:
		return 0, errors.New("holds no certificate that can be read")
	case n == 0:
		return 0, errors.New("holds no certificate")
	}
	return n, nil
}

// addCertificates adds those of PEM blocks; other blocks are passed over.
func addCertificates(data []byte, pool *x509.CertPool) (n, broken int) {
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
			broken++
			continue
		}
		pool.AddCert(cert)
		n++
	}
	return n, broken
}

// readDirectory is readBundle for a directory, as OpenSSL's capath is one; what is below it is not looked at.
func readDirectory(path string, pool *x509.CertPool) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, errors.New("cannot be read")
	}
	defer f.Close()
	names, err := f.Readdirnames(maxFiles)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, errors.New("cannot be read")
	}
	total := 0
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(path, name)); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if n, err := readBundle(filepath.Join(path, name), pool); err == nil {
			total += n
		}
	}
	if total == 0 {
		return 0, errors.New("is a directory without certificates")
	}
	return total, nil
}
