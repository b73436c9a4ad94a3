package machine

import (
	"net/url"
	"slices"
	"strings"
)

// Proxy is one proxy that tools of this machine are sent to.
type Proxy struct {
	// URL may hold a password and is never printed. It has a scheme, a host and no path; nil where the address cannot be
	// parsed, so that no tool can use it either.
	URL *url.URL
	// Shown is the address without secrets.
	Shown string
	// Tools are those that are sent there, Origins the places of the settings, both without repetition and in the order of
	// the settings.
	Tools, Origins []string
}

// Proxies are the distinct proxies in force: two addresses with other names or passwords are two, since one may work and
// the other not. What is hidden by something that counts more is left out, and so is "directly".
func (r Reading) Proxies() []Proxy {
	var out []Proxy
	index := map[string]int{}
	for _, s := range r.Settings {
		if !s.InForce || !s.isProxy() {
			continue
		}
		a := parseAddress(s.Value)
		u := a.url()
		key := s.Value
		if u != nil {
			key = u.String()
		}
		i, known := index[key]
		if !known {
			i = len(out)
			index[key] = i
			out = append(out, Proxy{URL: u, Shown: s.Shown})
		}
		if p := &out[i]; !slices.Contains(p.Origins, s.Origin) {
			p.Origins = append(p.Origins, s.Origin)
		}
		if p := &out[i]; !slices.Contains(p.Tools, s.Tool) {
			p.Tools = append(p.Tools, s.Tool)
		}
	}
	return out
}

// isProxy tells whether a setting names a proxy, and not "directly".
func (s Setting) isProxy() bool {
	return (s.Kind == HTTPSProxy || s.Kind == HTTPProxy || s.Kind == AllProxy) && s.Shown != shown(s.Kind, "") && !strings.EqualFold(s.Value, "DIRECT")
}

// url is the address as a client may use it; nil where it cannot be parsed as it stands.
func (a address) url() *url.URL {
	if !a.ok {
		return nil
	}
	host := a.host
	if a.port != "" {
		host += ":" + a.port
	}
	text := a.scheme + "://" + host
	if a.userinfo != "" {
		text = a.scheme + "://" + a.userinfo + "@" + host
	}
	u, err := url.Parse(text)
	if err != nil || u.Host != host {
		return nil
	}
	return u
}

// bundles are where a tool looks for certificates: its own settings ("git"), those of another tool that it reads, or
// variables of many tools, what counts most first. What no tool has here it takes from the system's store.
var bundles = map[string][]string{
	"go":     {"SSL_CERT_FILE", "SSL_CERT_DIR"},
	"curl":   {"CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"},
	"python": {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"},
	"node":   {"NODE_EXTRA_CA_CERTS"},
	Git:      {Git},
	NPM:      {NPM, "NODE_EXTRA_CA_CERTS"},
	PNPM:     {PNPM, NPM, "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"},
	Yarn:     {Yarn, NPM, "NODE_EXTRA_CA_CERTS"},
	Berry:    {Berry, "NODE_EXTRA_CA_CERTS"},
	Bun:      {Bun, "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"},
	Pip:      {Pip, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"},
	Cargo:    {Cargo, "SSL_CERT_FILE", "SSL_CERT_DIR"},
	Java:     {Java},
	Maven:    {Maven, Java},
	Gradle:   {Gradle, Java},
	Apt:      {Apt},
}

// Bundle is the setting that tells a tool which certificates to trust for all addresses; ok is false where there is none,
// and the tool trusts the system's store or what it carries with it. Beside the tools' names above it knows go, curl, node,
// and python. NODE_EXTRA_CA_CERTS alone adds to the certificates that the tool has; all others replace them.
func (r Reading) Bundle(tool string) (s Setting, ok bool) {
	for _, place := range bundles[tool] {
		for _, s := range r.Settings {
			if s.Kind == CABundle && s.InForce && s.For == "" && (s.Tool == place || s.Tool == Environment && s.Key == place) {
				return s, true
			}
		}
	}
	return Setting{}, false
}

// own are the settings of a kind that a tool goes by for everything, what counts most first.
func (r Reading) own(tool string, kinds ...Kind) []Setting {
	var out []Setting
	for _, s := range r.Settings {
		if s.Tool == tool && s.InForce && s.For == "" && slices.Contains(kinds, s.Kind) {
			out = append(out, s)
		}
	}
	return out
}
