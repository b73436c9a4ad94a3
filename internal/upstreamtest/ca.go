package upstreamtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"testing"
	"time"
)

// CA is a throw-away certificate authority; nobody but its test trusts it.
type CA struct {
	// Cert is the authority's own certificate; no two authorities have the same subject.
	Cert *x509.Certificate

	tb  testing.TB
	key *ecdsa.PrivateKey
}

// NewCA makes an authority that is valid from a month ago for a day more.
func NewCA(tb testing.TB) *CA {
	tb.Helper()
	ca := &CA{tb: tb}
	serial := rand.Text()
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Throw-away"}, CommonName: "Throw-away CA " + serial[:8]},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	cert, err := ca.issue(template, time.Now().AddDate(0, -1, 0), 32*24*time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	ca.Cert, ca.key = cert.Leaf, cert.PrivateKey.(*ecdsa.PrivateKey)
	return ca
}

// Pool trusts this authority and no other.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return pool
}

// PEM is the authority's certificate as SSL_CERT_FILE and NODE_EXTRA_CA_CERTS want it.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Cert.Raw})
}

// Leaf is a server's certificate for the hosts, names or addresses, valid for a day.
func (ca *CA) Leaf(hosts ...string) tls.Certificate {
	ca.tb.Helper()
	return ca.must(ca.leaf(time.Now().Add(-time.Hour), hosts))
}

// Expired is a server's certificate that ended an hour ago.
func (ca *CA) Expired(hosts ...string) tls.Certificate {
	ca.tb.Helper()
	return ca.must(ca.leaf(time.Now().Add(-26*time.Hour), hosts))
}

func (ca *CA) must(cert tls.Certificate, err error) tls.Certificate {
	ca.tb.Helper()
	if err != nil {
		ca.tb.Fatal(err)
	}
	return cert
}

func (ca *CA) leaf(from time.Time, hosts []string) (tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Throw-away"}},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	return ca.issue(template, from, 25*time.Hour)
}

// issue signs the template with the authority's key, or with its own where the authority has none yet.
func (ca *CA) issue(template *x509.Certificate, from time.Time, valid time.Duration) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a key: %w", err)
	}
	template.NotBefore, template.NotAfter = from, from.Add(valid)
	parent, signer := ca.Cert, ca.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("sign a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read a certificate back: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
