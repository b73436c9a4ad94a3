package detect

import (
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// Settings are the effective proxy settings.
type Settings struct {
	// HTTPS, HTTP and NoProxy are raw and may hold secrets.
	HTTPS, HTTP, NoProxy Setting
	// Notes are what is odd about them: two spellings that differ.
	Notes []string
	// Broken is a *problem.Problem of code Usage for a proxy whose address cannot be parsed; nil where all can.
	Broken error
}

// Setting is one value with its origin, a variable's name or the name of a setting of this program.
type Setting struct {
	Value, Origin string
}

// ProxySettings reads the proxy variables as the go command does: upper case wins over lower case, which is the other
// way round in curl and in GitHub's toolkit; where the two differ a note says so. A wish of the user's configuration
// (Value not empty) beats the environment; a wished NO_PROXY is added to the environment's, and the two spellings of NO_PROXY to each other.
func ProxySettings(lookup func(string) (string, bool), wishHTTPS, wishHTTP, wishNo Setting) Settings {
	var s Settings
	read := func(name string, wish Setting) Setting {
		if wish.Value != "" {
			return wish
		}
		upper, _ := lookup(name)
		lower, _ := lookup(strings.ToLower(name))
		switch {
		case upper == "" && lower == "":
			return Setting{}
		case upper == "":
			return Setting{lower, strings.ToLower(name)}
		case lower != "" && lower != upper && name == "NO_PROXY":
			return Setting{upper + "," + lower, name + " and " + strings.ToLower(name)}
		case lower != "" && lower != upper:
			s.Notes = append(s.Notes, fmt.Sprintf("%s and %s differ: Go and yarn follow the first, curl, git and pip the second; set both to the same value",
				name, strings.ToLower(name)))
		}
		return Setting{upper, name}
	}
	s.HTTPS = read("HTTPS_PROXY", wishHTTPS)
	s.HTTP = read("HTTP_PROXY", wishHTTP)
	s.NoProxy = read("NO_PROXY", Setting{})
	switch {
	case wishNo.Value == "":
	case s.NoProxy.Value == "":
		s.NoProxy = wishNo
	default:
		s.NoProxy = Setting{s.NoProxy.Value + "," + wishNo.Value, s.NoProxy.Origin + " and " + wishNo.Origin}
	}
	for _, p := range []Setting{s.HTTPS, s.HTTP} {
		if p.Value != "" {
			if _, err := parseProxy(p.Value); err != nil && s.Broken == nil {
				s.Broken = problem.New(problem.Usage, p.Origin, "write it as name:password@host:port, with @ : / # and % in name and password percent-encoded (%40 %3A %2F %23 %25)", "%w", err)
			}
		}
	}
	return s
}

// Proxies are the settings as a report shows them.
func (s Settings) Proxies() []Proxy {
	var out []Proxy
	if s.HTTPS.Value != "" {
		out = append(out, Proxy{"https", shownProxy(s.HTTPS.Value), s.HTTPS.Origin})
	}
	if s.HTTP.Value != "" {
		out = append(out, Proxy{"http", shownProxy(s.HTTP.Value), s.HTTP.Origin})
	}
	return out
}

func shownProxy(raw string) string {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	if at := strings.LastIndexByte(raw, '@'); at >= 0 { // whatever the password is made of
		raw = raw[:strings.Index(raw, "://")+3] + "***" + raw[at:]
	}
	return source.Plain(raw, 200)
}

// For is the proxy that a request to rawurl goes through; nil means directly. Loopback is always direct.
func (s Settings) For(rawurl string) (*url.URL, error) {
	u, err := url.Parse(rawurl)
	if err != nil {
		return nil, fmt.Errorf("address cannot be parsed as a URL")
	}
	from := s.HTTP
	if u.Scheme == "https" {
		from = s.HTTPS
	}
	if from.Value == "" {
		return nil, nil
	}
	// httpproxy decides who is exempt; the proxy itself is parsed here, because its error would show the password.
	config := httpproxy.Config{HTTPProxy: "http://proxy.invalid", HTTPSProxy: "http://proxy.invalid", NoProxy: s.NoProxy.Value}
	through, err := config.ProxyFunc()(u)
	if err != nil || through == nil {
		return nil, nil
	}
	proxy, err := parseProxy(from.Value)
	if err != nil {
		return nil, fmt.Errorf("%s %w", from.Origin, err)
	}
	return proxy, nil
}

// Configured is the proxy for rawurl's scheme whether or not the host is exempt; nil where there is none.
func (s Settings) Configured(rawurl string) *url.URL {
	s.NoProxy = Setting{}
	u, err := s.For(rawurl)
	if err != nil {
		return nil
	}
	return u
}

// parseProxy reads the address of a proxy; host:port without a scheme is http. The error never holds the address.
func parseProxy(raw string) (*url.URL, error) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Hostname(), "@ ") || (u.Path != "" && u.Path != "/") || u.Fragment != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("is no address of a proxy")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, fmt.Errorf("has the scheme %q: http, https, socks5 and socks5h are possible", source.Plain(u.Scheme, 20))
}
