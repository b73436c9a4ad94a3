package source

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/idna"
)

// Location is an address in canonical form. Two addresses that a client would send to the same place are equal in
// Scheme, Host and Port.
type Location struct {
	// Scheme is lower case. git's scp form (git@host:path) and git+ssh become ssh; "file" has no host.
	Scheme string
	// Host is lower case, in ASCII (IDNA), without a trailing dot or brackets.
	Host string
	// Port is decimal, and empty for the scheme's own port.
	Port string
	// Path is as written, decoded by nobody, without query and fragment.
	Path string
	// Userinfo is true when the address carries a name or a password.
	Userinfo bool
	// Loopback is true for localhost, 127.0.0.0/8 and ::1.
	Loopback bool
}

var defaultPorts = map[string]string{"https": "443", "http": "80", "ssh": "22", "git": "9418"}

// lookup is the profile of browsers and resolvers, with STD3 rules, so that an address with an underscore or a
// full-width dot is refused or mapped, never guessed.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.BidiRule())

var (
	scpForm     = regexp.MustCompile(`^(?:[A-Za-z0-9._~-]+@)?([A-Za-z0-9._-]+):([^/0-9].*|[0-9]+[^0-9/].*)$`)
	numericHost = regexp.MustCompile(`^(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+))*$`)
	hostShape   = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)
)

// Locate reads an address into canonical form. It refuses what clients read in different ways: control characters,
// white space, backslashes, an encoded host, numbers that some resolvers take for an IPv4 address, and an empty host.
// The error never holds the address, which may carry a secret.
func Locate(raw string) (Location, error) {
	for _, r := range raw {
		if r < 0x21 || r == 0x7f || r == '\\' {
			return Location{}, fmt.Errorf("address holds the character %q, which clients read in different ways", r)
		}
	}
	text := raw
	if !strings.Contains(text, "://") {
		if m := scpForm.FindStringSubmatch(text); m != nil && strings.ContainsAny(text[:strings.Index(text, m[1])+len(m[1])], "@.") {
			host, err := canonicalHost(m[1])
			if err != nil {
				return Location{}, err
			}
			return Location{Scheme: "ssh", Host: host, Path: "/" + m[2], Userinfo: strings.Contains(text, "@"), Loopback: isLoopback(host)}, nil
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return Location{}, errors.New("address cannot be parsed as a URL")
	}
	if u.Scheme == "" {
		return Location{}, errors.New("address has no scheme")
	}
	loc := Location{Scheme: strings.ToLower(u.Scheme), Path: u.EscapedPath(), Userinfo: u.User != nil}
	loc.Scheme = strings.TrimPrefix(loc.Scheme, "git+")
	if u.Opaque != "" {
		return Location{}, fmt.Errorf("address of scheme %q names no host", loc.Scheme)
	}
	if loc.Scheme == "file" {
		if u.Host != "" && !strings.EqualFold(u.Host, "localhost") {
			return Location{}, errors.New("file address names a host")
		}
		return loc, nil
	}
	authority := text[strings.Index(text, "://")+3:]
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority = authority[:i]
	}
	if strings.Count(authority, "@") > 1 {
		return Location{}, errors.New("address holds more than one @ before the path, which clients read in different ways")
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if strings.ContainsRune(authority, '%') {
		return Location{}, errors.New("address holds an encoded host, which clients read in different ways")
	}
	if loc.Host, err = canonicalHost(u.Hostname()); err != nil {
		return Location{}, err
	}
	loc.Loopback = isLoopback(loc.Host)
	if port := u.Port(); port != "" && port != defaultPorts[loc.Scheme] {
		loc.Port = strings.TrimLeft(port, "0")
		if loc.Port == defaultPorts[loc.Scheme] {
			loc.Port = ""
		}
	}
	return loc, nil
}

func canonicalHost(raw string) (string, error) {
	if raw == "" {
		return "", errors.New("address has no host")
	}
	if strings.Contains(raw, ":") { // IPv6
		if strings.Contains(raw, "%") {
			return "", errors.New("address holds an IPv6 zone")
		}
		ip, err := netip.ParseAddr(raw)
		if err != nil {
			return "", errors.New("address holds an invalid IPv6 address")
		}
		return ip.Unmap().String(), nil
	}
	host := strings.TrimSuffix(raw, ".")
	if !ascii(host) || strings.Contains(strings.ToLower(host), "xn--") {
		mapped, err := lookup.ToASCII(host)
		if err != nil {
			return "", errors.New("address holds a host that is no valid internationalised name")
		}
		host = strings.TrimSuffix(mapped, ".")
	}
	host = strings.ToLower(host)
	if numericHost.MatchString(host) {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return "", errors.New("address holds a number as host, which some resolvers take for an IPv4 address")
		}
		return ip.String(), nil
	}
	if len(host) > 253 || !hostShape.MatchString(host) {
		return "", errors.New("address holds a host that is no valid name")
	}
	return host, nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// HostPort is the host, with the port where it is not the scheme's own; IPv6 in brackets where a port follows.
func (l Location) HostPort() string {
	if l.Port == "" {
		return l.Host
	}
	if strings.Contains(l.Host, ":") {
		return "[" + l.Host + "]:" + l.Port
	}
	return l.Host + ":" + l.Port
}

// String is the canonical address without userinfo, query and fragment.
func (l Location) String() string {
	host := l.HostPort()
	if l.Port == "" && strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return l.Scheme + "://" + host + l.Path
}
