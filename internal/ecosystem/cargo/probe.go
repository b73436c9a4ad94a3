package cargo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxIndex bounds a file of the index. That of cfg-if has some 5 KB, that of cc some 200 KB.
	maxIndex = 2 << 20
	// maxFile bounds the crate that throughput is measured by, which has 237 KB.
	maxFile = 1 << 20
)

// knownCrates are one whose checksum must be in the index, and one that is loaded.
type knownCrates struct{ listed, loaded ecosystem.Known }

// genuine has checksums that stand in the lock files of many public repositories, which agree: Cargo.lock files, recipes
// of Yocto and Bazel, and packages of HorizenOfficial/zen. Looked up 2026-11-30.
func genuine() knownCrates {
	return knownCrates{
		ecosystem.Known{Package: "cfg-if", Version: "1.0.0", Name: "cfg-if-1.0.0.crate",
			SHA256: "baf1de4339761588bc0619e3cbc0120ee582ebb74b53b4efbf79117bd2da40fd"},
		ecosystem.Known{Package: "syn", Version: "1.0.109", Name: "syn-1.0.109.crate",
			SHA256: "72b64191b275b66ffe2469e8af2c1cfe3bafa67b529ead792a6d0160888b4237"},
	}
}

// dated is the crate whose versions say how old an index is: it gets a version nearly every week.
const dated = "cc"

// target asks for the index's configuration and for the file of a small crate, which must have the known checksum of one
// version.
func target(k knownCrates) func(source.Source) detect.Target {
	return func(s source.Source) detect.Target {
		p := prober{k, strings.TrimRight(s.URL, "/")}
		return detect.Target{Source: s, Check: p.check, Load: p.load, Newest: p.newest}
	}
}

type prober struct {
	knownCrates
	base string
}

func (p prober) check(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var configured detect.Verdict
	var failed error
	var group sync.WaitGroup
	group.Go(func() { _, configured, failed = p.configuration(ctx, fetch) })
	verdict, err := p.listing(ctx, fetch)
	if err != nil || !verdict.OK {
		cancel() // what the configuration says is of no use any more
	}
	group.Wait()
	switch {
	case err != nil || !verdict.OK:
		return verdict, err
	case failed != nil || !configured.OK:
		return configured, failed
	}
	return verdict, nil
}

// listing asks for the file of the known crate.
func (p prober) listing(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
	r, err := fetch(ctx, p.base+"/"+place(p.listed.Package), maxIndex)
	if err != nil {
		return detect.Verdict{}, err
	}
	if r.Status != http.StatusOK {
		return ecosystem.Refused(r), nil
	}
	for _, v := range versions(r.Body, p.listed.Package) {
		if v.Version == p.listed.Version {
			if v.Checksum == p.listed.SHA256 {
				return detect.Verdict{OK: true, Content: detect.Yes}, nil
			}
			return p.listed.Other(), nil
		}
	}
	return ecosystem.Page("the index's file of " + p.listed.Package), nil
}

// configuration asks for config.json, and tells where crates come from.
func (p prober) configuration(ctx context.Context, fetch detect.Fetch) (downloads string, verdict detect.Verdict, err error) {
	r, err := fetch(ctx, p.base+"/config.json", maxIndex)
	if err != nil {
		return "", detect.Verdict{}, err
	}
	if r.Status != http.StatusOK {
		return "", ecosystem.Refused(r), nil
	}
	var config struct {
		Downloads string `json:"dl"`
	}
	if json.Unmarshal(r.Body, &config) != nil || config.Downloads == "" {
		return "", ecosystem.Page("the configuration of an index"), nil
	}
	return config.Downloads, detect.Verdict{OK: true, Content: detect.Yes}, nil
}

// load fetches a crate from where the configuration sends cargo to, which may be another host.
func (p prober) load(ctx context.Context, fetch detect.Fetch) (detect.Loaded, error) {
	downloads, verdict, err := p.configuration(ctx, fetch)
	if err != nil || !verdict.OK {
		return detect.Loaded{Verdict: verdict}, err
	}
	at, err := ecosystem.Follow(p.base+"/config.json", address(downloads, p.loaded))
	if err != nil {
		return detect.Loaded{Verdict: detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Reason: err.Error()}}, nil
	}
	r, err := fetch(ctx, at, maxFile)
	if err != nil {
		return detect.Loaded{}, err
	}
	return p.loaded.Loaded(r), nil
}

// newest is the latest time of a version that the index has. Newer lines have one (pubtime; cargo_util_schemas::index).
func (p prober) newest(ctx context.Context, fetch detect.Fetch) (time.Time, error) {
	r, err := fetch(ctx, p.base+"/"+place(dated), maxIndex)
	if err != nil {
		return time.Time{}, err
	}
	var newest time.Time
	if r.Status == http.StatusOK {
		for _, v := range versions(r.Body, dated) {
			if at, err := time.Parse(time.RFC3339, v.Published); err == nil && at.After(newest) {
				newest = at
			}
		}
	}
	if newest.IsZero() {
		return newest, fmt.Errorf("says of no version of %s when it was published", dated)
	}
	return newest, nil
}

// version is one line of the index.
type version struct {
	Name      string `json:"name"`
	Version   string `json:"vers"`
	Checksum  string `json:"cksum"`
	Published string `json:"pubtime"`
}

// versions are the lines of the index's file of a crate; what is none is left out.
func versions(data []byte, crate string) []version {
	var out []version
	for line := range bytes.Lines(data) {
		var v version
		if json.Unmarshal(line, &v) == nil && v.Name == crate {
			out = append(out, v)
		}
	}
	return out
}

// prefix is the directory of a crate's file in the index (cargo, reference/registry-index.md).
func prefix(crate string) string {
	switch len(crate) {
	case 1, 2:
		return fmt.Sprint(len(crate))
	case 3:
		return "3/" + crate[:1]
	}
	return crate[:2] + "/" + crate[2:4]
}

func place(crate string) string { return prefix(crate) + "/" + crate }

// address is that of a crate's file by the template of a configuration. The names that are asked for are in lower case.
func address(template string, k ecosystem.Known) string {
	if !strings.Contains(template, "{") {
		return template + "/" + k.Package + "/" + k.Version + "/download"
	}
	return strings.NewReplacer("{crate}", k.Package, "{version}", k.Version, "{prefix}", prefix(k.Package),
		"{lowerprefix}", prefix(k.Package), "{sha256-checksum}", k.SHA256).Replace(template)
}
