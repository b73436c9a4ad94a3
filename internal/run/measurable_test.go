package run

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// TestMeasurable: five ecosystems can be measured, fewer where the user names them, with the user's own rows.
func TestMeasurable(t *testing.T) {
	t.Parallel()
	co, err := lockfile.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { co.Close() })
	co.Fence = co.Dir()
	env := map[string]string{"PIP_INDEX_URL": "https://ci:s3cret@pypi.test/simple", "PIP_CONFIG_FILE": "/dev/null", "HOME": t.TempDir(), "GOPROXY": "https://go.test"}
	var masked []string
	row, fault := catalogue.Row([]string{"url", "https://crates.test", "ecosystem", "crates"}, source.User)
	off, wrong := catalogue.Row([]string{"url", "https://rsproxy.cn/index", "ecosystem", "crates", "off", "far"}, source.User)
	if fault != nil || wrong != nil {
		t.Fatal(fault, wrong)
	}
	j := &job{checkout: co, masking: new(sync.Mutex), Process: Process{OS: "linux", Lookup: func(n string) (string, bool) { v, ok := env[n]; return v, ok },
		Front: &front.Front{Mask: func(s string) { masked = append(masked, s) }}}}
	j.config.Mirrors.V = []source.Source{row, off}
	names := func(list []*ecosystem.Ecosystem) string {
		var out []string
		for _, e := range list {
			out = append(out, e.Name)
		}
		return strings.Join(out, " ")
	}
	all, err := j.measurable()
	if err != nil || names(all) != "go npm pypi crates maven" {
		t.Fatalf("%s, %v", names(all), err)
	}
	for _, e := range all {
		if len(e.Catalogue) < 3 || e.Target == nil || e.Target(e.Catalogue[0]).Check == nil {
			t.Errorf("%s: %d rows", e.Name, len(e.Catalogue))
		}
		for _, s := range e.Catalogue {
			if s.Ecosystem != e.Name || s.ID == "rsproxy.cn" || (s.Off != "") != (s.ID == "proxy.golang.com.cn") {
				t.Errorf("%s: %+v", e.Name, s)
			}
		}
	}
	if got := all[3].Catalogue; got[len(got)-1].ID != "crates.test" || all[0].InForce[0].ID != "go.test" || all[2].InForce[0].ID != "pypi.test" || !slices.Contains(masked, "s3cret") {
		t.Errorf("%+v", got)
	}
	j.config.Tools = config.Value[[]string]{V: []string{source.Go, source.Git}, Origin: "flag --tools"}
	if some, err := j.measurable(); err != nil || names(some) != "go" {
		t.Errorf("%s, %v", names(some), err)
	}
	j.systems = all[:1]
	if some, err := j.measurable(source.Maven, source.Go); err != nil || names(some) != "go maven" || some[0] != all[0] {
		t.Errorf("%s, %v", names(some), err)
	}
}
