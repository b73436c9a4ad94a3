package decide

import "github.com/org/goproxy-action/internal/source"

// PlaceOf is an address as policies see it. An address without a canonical form has Broken set, and its URL is empty,
// since it may hold a secret.
func PlaceOf(raw string) Place {
	loc, err := source.Locate(raw)
	if err != nil {
		return Place{Broken: err.Error()}
	}
	return PlaceAt(loc)
}

// PlaceAt is PlaceOf for an address in canonical form.
func PlaceAt(loc source.Location) Place {
	return Place{URL: loc.String(), Scheme: loc.Scheme, Host: loc.Host, Port: loc.Port, Loopback: loc.Loopback, Userinfo: loc.Userinfo}
}
