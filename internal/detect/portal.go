package detect

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
)

// portals is how many hosts are asked over plain http: two that have nothing to do with each other tell a portal from a
// redirect of one host.
const portals = 2

// findPortal asks unrelated public hosts over plain http, which a captive portal answers for everybody: with its own page, or
// with the way to it. It is asked only where nothing else answered. Empty where there is none.
func findPortal(ctx context.Context, d *egress.Dialer, hosts []string, agent string) string {
	var asked []string
	for _, h := range hosts {
		if len(asked) < portals && !related(asked, h) {
			asked = append(asked, h)
		}
	}
	if len(asked) < portals {
		return ""
	}
	leads := make([]string, len(asked))
	var group sync.WaitGroup
	for i, h := range asked {
		group.Go(func() {
			client, free := d.Client(nil, new(egress.Trace))
			defer free()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			r, err := get(ctx, client, nil, "http://"+h+"/", http.Header{"User-Agent": {agent}})
			if err != nil {
				return
			}
			r.Body.Close()
			if to, err := r.Location(); err == nil && domain(to.Hostname()) != domain(h) {
				leads[i] = to.Host
			}
		})
	}
	group.Wait()
	for _, to := range leads[1:] {
		if to == "" || to != leads[0] {
			return ""
		}
	}
	if leads[0] == "" {
		return ""
	}
	return fmt.Sprintf("over plain http %s all lead to %s", some(asked), source.Plain(leads[0], 100))
}

func related(hosts []string, host string) bool {
	for _, h := range hosts {
		if domain(h) == domain(host) {
			return true
		}
	}
	return false
}

// portalTime bounds findPortal.
const portalTime = 800 * time.Millisecond
