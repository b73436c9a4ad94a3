package machine

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/org/goproxy-action/internal/source"
)

// address is that of a proxy as people write it: the userinfo may hold any character, since it is what should have been
// percent-encoded and was not.
type address struct {
	// scheme is http where there is none; host is in lower case and has its brackets; port is decimal or empty.
	scheme, userinfo, host, port string
	// ok is true for what all clients can use: a host, a port, one of the schemes of proxies.
	ok bool
}

// lazily compiles an expression when it is first asked for: most commands read no settings of this machine's tools.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

var (
	hostPort    = lazily(`^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?)(?::([0-9]{1,5}))?$`)
	badEscape   = lazily(`%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)`)
	proxyScheme = lazily(`^(?:https?|socks[45]?|socks4a|socks5h)$`)
)

// parseAddress takes an address apart: all before the last @ is userinfo, whatever it is made of.
func parseAddress(raw string) (a address) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		scheme, rest = "http", raw
	}
	a.scheme = strings.ToLower(scheme)
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		a.userinfo, rest = rest[:i], rest[i+1:]
	}
	if rest = strings.TrimSuffix(rest, "/"); proxyScheme().MatchString(a.scheme) {
		if m := hostPort().FindStringSubmatch(rest); m != nil {
			a.host, a.port, a.ok = strings.ToLower(m[1]), m[2], true
			if n, err := strconv.Atoi(a.port); a.port != "" && (err != nil || n < 1 || n > 65535) {
				a.ok = false
			}
		}
	}
	return a
}

// String is the address without userinfo; three asterisks where it cannot be understood, since then nobody knows which
// part of it is secret.
func (a address) String() string {
	if !a.ok {
		return hidden
	}
	text := a.scheme + "://" + a.host
	if a.port != "" {
		text += ":" + a.port
	}
	return text
}

// odd are the characters of the password that must be percent-encoded and are not, each once.
func (a address) odd() string {
	_, password, _ := strings.Cut(a.userinfo, ":")
	if password == "" {
		password = a.userinfo
	}
	var out strings.Builder
	for _, c := range `#@/:?[]" \` {
		if strings.ContainsRune(password, c) {
			out.WriteRune(c)
		}
	}
	if badEscape().MatchString(password) {
		out.WriteByte('%')
	}
	return out.String()
}

// shown is a value of a kind without what may be secret in it. What cannot be understood is hidden whole: nobody knows
// where a password ends that should have been percent-encoded.
func shown(kind Kind, value string) string {
	switch kind {
	case HTTPSProxy, HTTPProxy, AllProxy:
		if value == "" {
			return "(none: directly)"
		}
		if strings.EqualFold(value, "DIRECT") {
			return value
		}
		a := parseAddress(value)
		if a.ok && a.userinfo != "" {
			return strings.Replace(a.String(), "://", "://"+hidden+"@", 1)
		}
		return a.String()
	case NoProxy:
		if strings.Contains(value, "@") {
			return hidden
		}
		return source.Plain(exemptWord().ReplaceAllStringFunc(value, func(word string) string {
			if exemptEntry().MatchString(word) {
				return word
			}
			return hidden
		}), 500)
	case CABundle:
		switch {
		case strings.Contains(value, "-----BEGIN"):
			return "(certificates)"
		case !strings.Contains(value, "://"): // a path may have an @: openssl@3
			return source.Plain(value, 300)
		}
	case Insecure, PAC:
	}
	return source.Plain(safe(value), 300)
}

// hidden stands for what is not shown.
const hidden = "***"

var (
	exemptWord = lazily(`[^,;|\s]+`)
	// exemptEntry is a host with or without a port, a range, or a pattern of one of the tools.
	exemptEntry = lazily(`^(?:<?[A-Za-z0-9_.*^$()+?\[\]\\-]+>?(?::[0-9*]+)?(?:/[0-9]+)?|\[?[0-9A-Fa-f:]+\]?(?:/[0-9]+)?|[a-z]+://[A-Za-z0-9_.-]+(?::[0-9]+)?/?)$`)
)

// safe hides what may be a secret in a text that should have none: userinfo, and all of an address whose host cannot be
// understood.
func safe(text string) string {
	head, rest, isURL := strings.Cut(text, "://")
	if i := strings.LastIndexByte(head, '@'); i >= 0 {
		head = hidden + head[i:]
	}
	if !isURL {
		return head
	}
	mark := ""
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		mark, rest = hidden+"@", rest[i+1:]
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if authority != "" && !hostPort().MatchString(authority) {
		mark, rest = "", hidden
	}
	return source.Redact(head + "://" + mark + rest)
}

// assembled is the address of a proxy that is told in parts; empty where there is no host.
func assembled(scheme, host, port, user, password string) string {
	if host == "" {
		return ""
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	var info string
	switch {
	case user != "" && password != "":
		info = url.UserPassword(user, password).String() + "@"
	case user != "":
		info = url.User(user).String() + "@"
	}
	if port != "" {
		port = ":" + port
	}
	return scheme + "://" + info + host + port
}
