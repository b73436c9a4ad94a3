package machine

import (
	"encoding/binary"
	"strings"

	"github.com/org/goproxy-action/internal/toolfile"
)

// system reads what the desktop is told: on Windows the registry, on macOS the file of its network services. Command line
// tools go by neither; Java may, and browsers do, so that an address there is what the network wants. Read as documented,
// and not run on these systems.
func (r *reader) system() {
	switch r.OS {
	case "windows":
		r.windows()
	case "darwin":
		r.darwin()
	}
}

const (
	internetSettings = `HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings`
	winHTTP          = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections`
)

func (r *reader) windows() {
	value := func(name string) string {
		v, _ := r.Registry(internetSettings, name)
		return v
	}
	origin := func(name string) string { return internetSettings + `\` + name }
	if url := value("AutoConfigURL"); url != "" {
		r.add(Setting{Tool: System, Kind: PAC, Key: "AutoConfigURL", Value: url, Origin: origin("AutoConfigURL")})
	}
	if value("ProxyEnable") == "1" {
		r.windowsProxies(value("ProxyServer"), value("ProxyOverride"), "", "ProxyServer", origin("ProxyServer"), origin("ProxyOverride"))
	}
	if raw, ok := r.Registry(winHTTP, "WinHttpSettings"); ok {
		if proxy, bypass, ok := parseWinHTTP([]byte(raw)); ok {
			r.windowsProxies(proxy, bypass, "services", "WinHttpSettings", winHTTP+`\WinHttpSettings`, winHTTP+`\WinHttpSettings`)
		}
	}
}

// windowsProxies takes over "host:port" for all, or "http=host:port;https=host:port".
func (r *reader) windowsProxies(servers, bypass, scope, key, origin, bypassOrigin string) {
	for _, part := range strings.FieldsFunc(servers, func(c rune) bool { return c == ';' || c == ' ' }) {
		scheme, address, named := strings.Cut(part, "=")
		s := Setting{Tool: System, Kind: AllProxy, For: scope, Key: key, Value: part, Origin: origin}
		if named {
			s.Value = address
			switch strings.ToLower(scheme) {
			case "http":
				s.Kind = HTTPProxy
			case "https":
				s.Kind = HTTPSProxy
			case "socks":
				s.Value = "socks5://" + address
			default:
				continue
			}
		}
		if s.Value != "" {
			r.add(s)
		}
	}
	if servers != "" && bypass != "" {
		r.add(Setting{Tool: System, Kind: NoProxy, For: scope, Key: key, Value: bypass, Origin: bypassOrigin})
	}
}

// parseWinHTTP reads what `netsh winhttp set proxy` writes: three numbers of 32 bits (size, counter, flags: bit 1 is "has
// a proxy"), then the proxy and the exceptions, each behind its length.
func parseWinHTTP(data []byte) (proxy, bypass string, ok bool) {
	if len(data) < 16 || binary.LittleEndian.Uint32(data[8:])&2 == 0 {
		return "", "", false
	}
	data = data[12:]
	next := func() (string, bool) {
		if len(data) < 4 {
			return "", false
		}
		n := binary.LittleEndian.Uint32(data)
		data = data[4:]
		if uint64(n) > uint64(len(data)) {
			return "", false
		}
		text := string(data[:n])
		data = data[n:]
		return text, true
	}
	if proxy, ok = next(); !ok {
		return "", "", false
	}
	bypass, _ = next()
	return proxy, bypass, proxy != ""
}

const darwinPreferences = "/Library/Preferences/SystemConfiguration/preferences.plist"

// darwin reads the proxies of the network services of the current set, in the order of the services. Which of them is up
// no file says, so that each counts for itself.
func (r *reader) darwin() {
	data, ok := r.read(darwinPreferences)
	if !ok {
		return
	}
	leaves, err := parsePlist(data)
	if err != nil {
		r.missed(darwinPreferences, err)
		return
	}
	at := map[string]toolfile.Leaf{}
	var services, seen []string
	for _, l := range leaves {
		var keys []string
		for _, key := range l.Path {
			keys = append(keys, key.Text)
		}
		at[strings.Join(keys, "/")] = l
		if len(keys) > 2 && keys[0] == "NetworkServices" && (len(seen) == 0 || seen[len(seen)-1] != keys[1]) {
			seen = append(seen, keys[1])
		}
	}
	set := strings.TrimPrefix(at["CurrentSet"].Text, "/")
	for i := 0; ; i++ {
		id, ok := at[set+"/Network/Global/IPv4/ServiceOrder/"+toolfile.Index(i)]
		if !ok {
			break
		}
		services = append(services, id.Text)
	}
	if len(services) == 0 {
		services = seen
	}
	for _, id := range services {
		base := "NetworkServices/" + id + "/"
		name := at[base+"UserDefinedName"].Text
		if name == "" {
			name = id
		}
		get := func(key string) toolfile.Leaf { return at[base+"Proxies/"+key] }
		for _, p := range []struct {
			key, scheme string
			kind        Kind
		}{{"HTTPS", "http", HTTPSProxy}, {"HTTP", "http", HTTPProxy}, {"SOCKS", "socks5", AllProxy}} {
			if host := get(p.key + "Proxy"); get(p.key+"Enable").Text == "1" && host.Text != "" {
				r.add(Setting{Tool: System, Kind: p.kind, For: name, Key: p.key + "Proxy", Origin: r.at(darwinPreferences, host.At.Line),
					Value: assembled(p.scheme, host.Text, get(p.key+"Port").Text, get(p.key+"User").Text, "")})
			}
		}
		if url := get("ProxyAutoConfigURLString"); get("ProxyAutoConfigEnable").Text == "1" && url.Text != "" {
			r.add(Setting{Tool: System, Kind: PAC, For: name, Key: "ProxyAutoConfigURLString", Value: url.Text, Origin: r.at(darwinPreferences, url.At.Line)})
		}
		var exempt []string
		first := get("ExceptionsList/[0]")
		for i := 0; ; i++ {
			l, ok := at[base+"Proxies/ExceptionsList/"+toolfile.Index(i)]
			if !ok {
				break
			}
			exempt = append(exempt, l.Text)
		}
		if len(exempt) > 0 {
			r.add(Setting{Tool: System, Kind: NoProxy, For: name, Key: "ExceptionsList", Value: strings.Join(exempt, ","), Origin: r.at(darwinPreferences, first.At.Line)})
		}
	}
}
