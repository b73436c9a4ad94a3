package machine

import "strings"

// docker reads the client's file. What it says is set in the containers and builds that the client starts; the daemon's
// own proxy is another matter. A daemon's own entry beats the default one.
func (r *reader) docker() {
	dir := r.get("DOCKER_CONFIG")
	if dir == "" {
		dir = r.home(".docker")
	}
	file := below(dir, "config.json")
	data, ok := r.read(file)
	if !ok {
		return
	}
	leaves, err := parseJSON(data)
	if err != nil {
		r.missed(r.shownPath(file), err)
		return
	}
	kinds := map[string]Kind{"httpsproxy": HTTPSProxy, "httpproxy": HTTPProxy, "allproxy": AllProxy, "noproxy": NoProxy}
	daemon, own := r.get("DOCKER_HOST"), false
	if daemon == "" {
		daemon = "unix:///var/run/docker.sock"
	}
	for _, l := range leaves {
		own = own || len(l.Path) == 3 && l.Path[0].Text == "proxies" && l.Path[1].Text == daemon
	}
	for _, l := range leaves {
		if len(l.Path) != 3 || l.Path[0].Text != "proxies" || l.Text == "" {
			continue
		}
		kind, ok := kinds[strings.ToLower(l.Path[2].Text)]
		if !ok {
			continue
		}
		s := Setting{Tool: Docker, Kind: kind, For: l.Path[1].Text, Key: l.Path[2].Text, Value: l.Text, Origin: r.at(file, l.At.Line)}
		if s.For == "default" {
			if s.For = ""; own {
				r.hide(Docker, kind, "")
			}
		}
		r.add(s)
	}
}
