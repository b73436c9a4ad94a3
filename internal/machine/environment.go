package machine

import "strings"

// environment reads the variables that many tools go by. Of the two cases of one both count, each for some of the tools;
// on Windows they are one.
func (r *reader) environment() {
	for _, v := range []struct {
		name string
		kind Kind
	}{{"HTTPS_PROXY", HTTPSProxy}, {"HTTP_PROXY", HTTPProxy}, {"ALL_PROXY", AllProxy}, {"NO_PROXY", NoProxy}} {
		r.variable(v.kind, v.name)
		if r.OS != "windows" {
			r.variable(v.kind, strings.ToLower(v.name))
		}
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} {
		r.variable(CABundle, name)
	}
	if r.get("NODE_TLS_REJECT_UNAUTHORIZED") == "0" { // node takes no other value for a no
		r.variable(Insecure, "NODE_TLS_REJECT_UNAUTHORIZED")
	}
}
