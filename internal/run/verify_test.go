package run

import (
	"testing"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// What the log does not have is its operator's word. An address that somebody gives the log of everybody is a relay.
func TestOperated(t *testing.T) {
	t.Parallel()
	place := func(id, role string, public bool) source.Source {
		return source.Source{ID: id, Role: role, Public: public}
	}
	for name, tt := range map[string]struct {
		place  source.Source
		public bool
		want   bool
	}{
		"its own host":                      {place("sum.golang.org", source.ChecksumDB, true), true, true},
		"an address in GOSUMDB":             {place("relay.test", source.ChecksumDB, false), true, false},
		"the toolchain's default proxy":     {place(source.Official, source.ModuleProxy, true), true, true},
		"a proxy of the user's as official": {place(source.Official, source.ModuleProxy, false), true, false},
		"a mirror":                          {place("goproxy.cn", source.ModuleProxy, true), true, false},
		"a log of the user's own":           {place("sum.test", source.ChecksumDB, false), false, true},
		"a proxy that relays that":          {place("relay.test", source.ModuleProxy, true), false, false},
	} {
		if got := operated(tt.place, &ecosystem.Log{Public: tt.public}); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
