package run

import (
	"net/http"
	"net/url"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/egress"
)

// Transport sends requests by the way that the environment gives, over the process's dialer.
func Transport(d *egress.Dialer, lookup func(string) (string, bool)) http.RoundTripper {
	settings := detect.ProxySettings(lookup, detect.Setting{}, detect.Setting{}, detect.Setting{})
	return d.Transport(func(r *http.Request) (*url.URL, error) { return settings.For(r.URL.String()) })
}
