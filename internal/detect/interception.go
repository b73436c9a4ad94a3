package detect

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
)

// Interception holds what the chains of public hosts are judged by.
type Interception struct {
	// Public are the public roots; nil is the bundle of Mozilla's that golang.org/x/crypto carries.
	Public *x509.CertPool
}

// public parses the 117 roots of the bundle once, and only when a chain has to be judged.
var public = sync.OnceValue(func() *x509.CertPool {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue
		}
		if root.Constraint != nil {
			pool.AddCertWithConstraint(cert, root.Constraint)
		} else {
			pool.AddCert(cert)
		}
	}
	return pool
})

// judge looks at the chains of well-known public hosts: a chain that this machine trusts and the public roots do not is
// an intercepting proxy's; so is one that neither trusts.
func (m *measurement) judge(report *Report) {
	roots := m.Interception.Public
	for i, r := range m.done {
		if r == nil || !r.row.Source.Public || len(r.seen.Peers) == 0 {
			continue
		}
		loc, err := source.Locate(m.jobs[i].target.Source.URL)
		if err != nil {
			continue
		}
		if roots == nil {
			roots = public()
		}
		err = verify(r.seen.Peers, loc.Host, roots)
		if err == nil {
			if report.Intercepted == NotKnown {
				report.Intercepted = No
			}
			continue
		}
		if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown {
			continue // expired, or another name: broken, which is not interception
		}
		if report.Intercepted != Yes {
			report.Intercepted = Yes
			report.Issuer = source.Plain(r.seen.Peers[0].Issuer.String(), 200)
			for _, c := range r.seen.Peers[1:] {
				if c.Subject.String() == r.seen.Peers[0].Issuer.String() {
					sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
					report.SPKI = base64.StdEncoding.EncodeToString(sum[:])
				}
			}
			trusted := "this machine trusts it"
			if r.row.Fault == TLSFault {
				trusted = "this machine does not trust it"
			}
			m.interception = fmt.Sprintf("TLS is intercepted: the certificate of %s is issued by %q, which is no public authority; %s",
				loc.Host, report.Issuer, trusted)
		}
	}
}

func verify(peers []*x509.Certificate, host string, roots *x509.CertPool) error {
	return verifyAt(peers, host, roots, time.Time{})
}

// verifyAt is verify at another time than now; the zero time is now, nil roots are the system's.
func verifyAt(peers []*x509.Certificate, host string, roots *x509.CertPool, at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range peers[1:] {
		between.AddCert(c)
	}
	_, err := peers[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host, CurrentTime: at})
	return err
}

// explainTLS is explain for certificates and handshakes.
func explainTLS(err error, seen egress.Seen) (Cause, string, bool) {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	issuer := ""
	if len(seen.Peers) > 0 {
		issuer = fmt.Sprintf(" (issued by %q)", source.Plain(seen.Peers[0].Issuer.String(), 120))
	}
	switch {
	case errors.As(err, &unknown):
		return UnknownCA, "this machine does not trust its certificate" + issuer, true
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired {
			return Expired, "its certificate has expired or is not valid yet, or the clock is wrong" + issuer, true
		}
		return UnknownCA, "its certificate is not valid" + issuer, true
	case errors.As(err, &name):
		return WrongName, "its certificate is for another name" + issuer, true
	case errors.As(err, &record):
		return Handshake, "it does not speak TLS", true
	case errors.As(err, &alert):
		return Handshake, "it refuses the TLS handshake: " + alert.Error(), true
	}
	return NoCause, "", false
}
