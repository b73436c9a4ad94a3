package decide

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// document is the data as policies read it, data.goproxy, with the rules whose severity somebody set. Rules compare
// hosts as strings and fail on a bad CIDR, so both are checked here.
func (d Data) document(tuned map[string]string) (map[string]any, error) {
	trusted, err := hosts("trusted", d.Trusted)
	if err != nil {
		return nil, err
	}
	builtin, err := hosts("builtin", d.Builtin)
	if err != nil {
		return nil, err
	}
	addresses := []any{}
	for _, text := range d.Addresses {
		prefix, err := prefixOf(text)
		if err != nil {
			return nil, problem.New(problem.Usage, "data trusted.addresses", `write something like "192.0.2.0/24"`, "%q is neither an address nor a network", text)
		}
		addresses = append(addresses, prefix.String())
	}
	set, unknown, severities := map[string]any{}, map[string]any{}, map[string]any{}
	for eco, is := range d.TrustedSet {
		set[eco] = is
	}
	for eco, is := range d.OfficialUnknown {
		unknown[eco] = is
	}
	for id, severity := range tuned {
		severities[id] = severity
	}
	return map[string]any{reserved: map[string]any{
		"builtin": builtin, "official_unknown": unknown, "trusted": trusted, "trusted_set": set, "tuned": severities,
		"addresses": addresses, "addresses_set": d.AddressesSet, "require_address": d.RequireAddress,
		"direct_denied": d.DirectDenied,
	}}, nil
}

func prefixOf(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		ip = ip.Unmap().WithZone("")
		return ip.Prefix(ip.BitLen())
	}
	return netip.ParsePrefix(text)
}

func hosts(name string, lists map[string]map[string]bool) (map[string]any, error) {
	out := map[string]any{}
	for _, eco := range slices.Sorted(maps.Keys(lists)) {
		list := map[string]any{}
		for _, host := range slices.Sorted(maps.Keys(lists[eco])) {
			if err := checkHost(name+"."+eco, host); err != nil {
				return nil, err
			}
			list[host] = lists[eco][host]
		}
		out[eco] = list
	}
	return out, nil
}

// checkHost wants a host as source.Locate writes it, with its port where that is not 443, or such a host behind a dot.
func checkHost(list, host string) error {
	op := "data " + list
	name, suffix := strings.CutPrefix(host, ".")
	authority := name
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		authority = "[" + name + "]"
	}
	loc, err := source.Locate("https://" + authority)
	switch {
	case err != nil || strings.ContainsAny(name, "/?#@"):
		return problem.New(problem.Usage, op, `write a host like "goproxy.cn", or a suffix like ".corp.test"`, "%q is no host", host)
	case loc.HostPort() != name:
		return problem.New(problem.Usage, op, "", "%q write %q", host, host[:len(host)-len(name)]+loc.HostPort())
	}
	if _, err := netip.ParseAddr(loc.Host); suffix && err == nil {
		return problem.New(problem.Usage, op, "write an address without a dot in front", "%q is no suffix of a host name", host)
	}
	return nil
}
