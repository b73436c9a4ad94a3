package config

import (
	"net/netip"
	"path"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/org/goproxy-action/internal/source"
)

// noURL is what is wrong with an address of a source, or nil.
func noURL(raw string) *fault {
	loc, err := source.Locate(raw)
	switch {
	case err != nil:
		return &fault{why: "is no usable address", detail: err, hint: "write it like https://host/path"}
	case strings.ContainsAny(raw, "?#"):
		return &fault{why: "holds a query or a fragment, which clients cut off or append to", hint: "write the base address alone"}
	case loc.Scheme == "https" || loc.Scheme == "http" && loc.Loopback:
		return nil
	case loc.Scheme == "http":
		return &fault{why: "is plain http, where anybody on the way can change what is downloaded",
			hint: "write an https address; http is allowed on this machine's own addresses only"}
	}
	return &fault{why: "is neither https nor http", hint: "packages are asked for by https; write it like https://host/path"}
}

func setOfficial(ecosystem string) func(*Config, []string, string) *fault {
	return func(c *Config, v []string, origin string) *fault {
		if f := noURL(v[0]); f != nil {
			return f
		}
		put(&c.Official, ecosystem, Value[string]{strings.TrimRight(v[0], "/"), origin})
		return nil
	}
}

func setSources(ecosystem string) func(*Config, []string, string) *fault {
	return func(c *Config, v []string, origin string) *fault {
		urls := make([]string, len(v))
		for i, raw := range v {
			if f := noURL(raw); f != nil {
				f.item = i
				return f
			}
			if strings.ContainsAny(raw, ",|") { // GOPROXY's separators
				return &fault{item: i, why: "holds a comma or a bar, which separate addresses", hint: "write one address per entry"}
			}
			urls[i] = strings.TrimRight(raw, "/")
		}
		put(&c.Sources, ecosystem, Value[[]string]{urls, origin})
		return nil
	}
}

func setProxy(field func(*Config) *Value[string]) func(*Config, []string, string) *fault {
	return func(c *Config, v []string, origin string) *fault {
		loc, err := source.Locate(v[0])
		switch {
		case err != nil || loc.Scheme != "http" && loc.Scheme != "https":
			// the cause is left out: it may name what comes before the first colon, which here may be a user
			return &fault{why: "is no address of a forward proxy",
				hint: "write it like http://proxy.example:3128, with special characters of a password percent-encoded"}
		case loc.Path != "" && loc.Path != "/" || strings.ContainsAny(v[0], "?#"):
			return &fault{why: "holds more than scheme, credentials, host and port", hint: "write it like http://proxy.example:3128"}
		}
		*field(c) = Value[string]{strings.TrimRight(v[0], "/"), origin}
		return nil
	}
}

func setNoProxy(c *Config, v []string, origin string) *fault {
	for i, entry := range v {
		if strings.ContainsAny(entry, "/@ ") {
			if _, err := netip.ParsePrefix(entry); err != nil {
				return &fault{item: i, why: "is no host, domain, address or CIDR", hint: "write it like .corp.example, 10.1.2.3 or 10.0.0.0/8"}
			}
		}
	}
	c.NoProxy = Value[[]string]{list(v), origin}
	return nil
}

// setTrusted takes hosts in the one form that sources are compared in. Another spelling is refused, not mended: it
// would be a surprise in every other place that reads the same file.
func setTrusted(ecosystem string) func(*Config, []string, string) *fault {
	return func(c *Config, v []string, origin string) *fault {
		for i, entry := range v {
			if f := noHost(entry); f != nil {
				f.item = i
				return f
			}
		}
		put(&c.Trusted, ecosystem, Value[[]string]{list(v), origin})
		return nil
	}
}

func noHost(entry string) *fault {
	const shape = "write a host such as goproxy.cn, a host with port, or a domain with a leading dot"
	if ip, err := netip.ParseAddr(entry); err == nil && ip.Zone() == "" {
		if want := ip.Unmap().String(); want != entry {
			return &fault{why: "is not the usual spelling of this address", write: want}
		}
		return nil
	}
	host, dot := strings.CutPrefix(strings.Replace(entry, "*.", ".", 1), ".")
	raw := host
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	loc, err := source.Locate(raw)
	if err != nil {
		return &fault{why: "is no host", detail: err, hint: shape}
	}
	want := loc.HostPort()
	if dot {
		want = "." + want
	}
	if _, err := netip.ParseAddr(loc.Host); dot && (err == nil || loc.Port != "") {
		return &fault{why: "is no domain", hint: shape}
	}
	if dot && !strings.Contains(loc.Host, ".") {
		return &fault{why: "takes in a whole top-level domain", hint: "name at least two parts after the dot, such as .corp.example"}
	}
	if want != entry {
		return &fault{why: "is not the form that hosts are compared in", write: want}
	}
	return nil
}

func setAddresses(c *Config, v []string, origin string) *fault {
	nets := make([]netip.Prefix, len(v))
	for i, entry := range v {
		p, err := netip.ParsePrefix(entry)
		if ip, e := netip.ParseAddr(entry); e == nil && ip.Zone() == "" {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		switch {
		case err != nil:
			return &fault{item: i, why: "is no address and no CIDR", hint: "write it like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32"}
		case p.Addr().Is4In6():
			return &fault{item: i, why: "is an IPv4 address in IPv6 clothes, which no connection has", hint: "write the IPv4 form"}
		case p != p.Masked():
			return &fault{item: i, why: "has bits set behind its length", write: p.Masked().String()}
		}
		nets[i] = p
	}
	c.Addresses = Value[[]netip.Prefix]{nets, origin}
	return nil
}

func setKeys(c *Config, v []string, origin string) *fault {
	for i, key := range v {
		if _, err := note.NewVerifier(key); err != nil {
			return &fault{item: i, why: "is no key of a checksum database", hint: "copy it whole, as name+hash+key"}
		}
	}
	c.SumDBKeys = Value[[]string]{list(v), origin}
	return nil
}

func setModuleHosts(c *Config, v []string, origin string) *fault {
	for i, entry := range v {
		if f := noHost(entry); f != nil {
			f.item = i
			return f
		}
		if strings.Contains(entry, ":") {
			return &fault{item: i, why: "is no host that a module path can begin with", hint: "write a name such as github.com, or a domain with a leading dot"}
		}
	}
	c.ModuleHosts = Value[[]string]{list(v), origin}
	return nil
}

func setModulePrefixes(c *Config, v []string, origin string) *fault {
	if fault := modulePatterns(v); fault != nil {
		return fault
	}
	c.ModulePrefixes = Value[[]string]{list(v), origin}
	return nil
}

func setPublic(c *Config, v []string, origin string) *fault {
	if fault := modulePatterns(v); fault != nil {
		return fault
	}
	c.ModulePublic = Value[[]string]{list(v), origin}
	return nil
}

func modulePatterns(v []string) *fault {
	for i, entry := range v {
		for part := range strings.SplitSeq(entry, "/") { // as module.MatchPrefixPatterns matches them
			if _, err := path.Match(part, ""); err != nil || part == "" || strings.ContainsAny(part, ", \t") {
				return &fault{item: i, why: "is no beginning of a module path", hint: "write it like github.com/corp or *.corp.example, as in GOPRIVATE"}
			}
		}
	}
	return nil
}

// list is v, never nil: a list that was given empty is not the same as none.
func list(v []string) []string { return append([]string{}, v...) }
