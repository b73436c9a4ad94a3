package source

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
)

var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s]*@`)

// brokenUserinfo matches userinfo whose password holds a raw / ? or #: the "port" before it is no number.
var brokenUserinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s\[\]@"',]*:[0-9]*[^0-9/?#\s\]@"',][^\s]*@`)

// secretParam matches the query parameters that commonly carry a secret.
var secretParam = regexp.MustCompile(`(?i)([?&;][^=&;\s]*(?:token|secret|passw|key|auth|sig|credential)[^=&;\s]*=)[^&;#\s"'<>]*`)

// Redact replaces the userinfo of every address in s, and the value of a query parameter that names a secret, by
// asterisks. It works on any text, and leaves everything else as it is.
func Redact(s string) string {
	if !strings.Contains(s, "://") {
		if strings.ContainsAny(s, "?&;") && strings.Contains(s, "=") { // what is left of an address without its host
			s = secretParam.ReplaceAllString(s, "${1}***")
		}
		return s
	}
	s = brokenUserinfo.ReplaceAllString(s, "${1}***@")
	s = userinfo.ReplaceAllString(s, "${1}***@")
	return secretParam.ReplaceAllString(s, "${1}***")
}

// Secrets returns the forms in which the credentials of an address may turn up in a log: the password raw and
// percent-encoded, name:password, and the base64 of it as Basic authentication sends it. Nil where there are none.
// A name without a password counts as a secret, since tokens are passed that way. An address without a scheme, as proxy
// settings have it, is read as http.
func Secrets(rawurl string) []string {
	if !strings.Contains(rawurl, "@") {
		return nil
	}
	if !strings.Contains(rawurl, "://") {
		rawurl = "http://" + rawurl
	}
	u, err := url.Parse(rawurl)
	if err == nil && u.User == nil {
		return nil // the @ stands in the path
	}
	if err != nil { // what cannot be parsed is hidden whole, up to the last @
		text := rawurl[strings.Index(rawurl, "://")+3 : strings.LastIndexByte(rawurl, '@')]
		_, password, _ := strings.Cut(text, ":")
		return unique(password, text)
	}
	name := u.User.Username()
	password, has := u.User.Password()
	if !has || password == "" {
		if name == "" {
			return nil
		}
		return unique(name, url.QueryEscape(name), base64.StdEncoding.EncodeToString([]byte(name+":")))
	}
	pair := name + ":" + password
	return unique(password, url.QueryEscape(password), url.PathEscape(password), pair, u.User.String(),
		base64.StdEncoding.EncodeToString([]byte(pair)), base64.StdEncoding.EncodeToString([]byte(password)))
}

func unique(values ...string) []string {
	var out []string
	seen := map[string]bool{}
	for _, v := range values {
		if v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
