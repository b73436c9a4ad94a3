package machine

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// aptName is what apt reads in its directory: names without an extension, or with .conf.
var aptName = regexp.MustCompile(`^[A-Za-z0-9_-]+(?:\.conf)?$`)

// apt reads APT_CONFIG, the directory and the main file, of which the last counts. Of the environment apt takes http_proxy
// in lower case where its own files have none.
func (r *reader) apt() {
	if r.OS != "linux" {
		return
	}
	files := []string{r.get("APT_CONFIG")}
	for _, name := range r.list("/etc/apt/apt.conf.d") {
		if aptName.MatchString(name) {
			files = append(files, filepath.Join("/etc/apt/apt.conf.d", name))
		}
	}
	type found struct {
		aptLine
		origin string
	}
	var all []found
	for _, file := range append(files, "/etc/apt/apt.conf") {
		data, ok := r.read(file)
		if !ok {
			continue
		}
		lines, err := parseApt(data)
		if err != nil {
			r.missed(r.shownPath(file), err)
		}
		for _, l := range lines {
			if l.clear {
				all = slices.DeleteFunc(all, func(f found) bool {
					return strings.EqualFold(f.key, l.key) || len(f.key) > len(l.key) && strings.EqualFold(f.key[:len(l.key)+2], l.key+"::")
				})
				continue
			}
			all = append(all, found{l, r.at(file, l.line)})
		}
	}
	for _, f := range slices.Backward(all) {
		parts := strings.Split(strings.ToLower(f.key), "::")
		if len(parts) < 3 || parts[0] != "acquire" || parts[1] != "http" && parts[1] != "https" {
			continue
		}
		s := Setting{Tool: Apt, Kind: map[string]Kind{"http": HTTPProxy, "https": HTTPSProxy}[parts[1]], Key: f.key, Value: f.value, Origin: f.origin}
		switch {
		case parts[2] == "proxy":
			if s.For = strings.Join(parts[3:], "::"); s.Value == "" { // as if it were not there
				r.hide(Apt, s.Kind, s.For)
				continue
			}
			if strings.EqualFold(s.Value, "false") {
				s.Value = "DIRECT"
			}
			r.add(s)
		case (parts[2] == "proxy-auto-detect" || parts[2] == "proxyautodetect") && len(parts) == 3 && s.Value != "":
			s.Kind, s.For = PAC, parts[1]
			r.add(s)
		case parts[2] == "cainfo" && parts[1] == "https" && s.Value != "":
			s.Kind, s.For = CABundle, strings.Join(parts[3:], "::")
			r.add(s)
		case parts[2] == "verify-peer" && parts[1] == "https":
			s.For = strings.Join(parts[3:], "::")
			r.switched(s, slices.Contains([]string{"false", "no", "0", "off", "without", "disable"}, strings.ToLower(s.Value)))
		}
	}
}
