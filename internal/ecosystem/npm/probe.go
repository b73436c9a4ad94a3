package npm

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// The package that a registry is asked for: old, tiny, without dependencies, and never to change, since a version of the
// registry cannot be published twice.
const (
	probeName      = "is-number"
	probeVersion   = "7.0.0"
	probeIntegrity = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
)

// manifest is the part of a version's description that is verified.
type manifest struct {
	Dist struct {
		Integrity string `json:"integrity"`
	} `json:"dist"`
}

// target asks a registry for one version and compares its integrity. Registries that do not serve /name/version are
// asked for the whole package.
func target(src source.Source) detect.Target {
	base := strings.TrimRight(src.URL, "/")
	return detect.Target{Source: src, Load: loadOf(base, heavyName, heavyVersion, heavyIntegrity), Newest: newest(base), Check: func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
		base := strings.TrimRight(src.URL, "/") + "/" + probeName
		// the version takes 2 KB; a mirror may add to it
		answer, err := fetch(ctx, base+"/"+probeVersion, 256<<10)
		if err != nil {
			return detect.Verdict{}, err
		}
		var m manifest
		body := answer.Body
		if answer.Status == http.StatusNotFound {
			if answer, err = fetch(ctx, base, 1<<20); err != nil { // the package takes 30 KB
				return detect.Verdict{}, err
			}
			body = answer.Body
			if answer.Status == http.StatusOK {
				var all struct {
					Versions map[string]json.RawMessage `json:"versions"`
				}
				if json.Unmarshal(body, &all) == nil {
					body = all.Versions[probeVersion]
				}
			}
		}
		switch {
		case answer.Status != http.StatusOK:
			return detect.Verdict{Reason: "answered " + strconv.Itoa(answer.Status), Fault: detect.StatusFault, Status: answer.Status}, nil
		case json.Unmarshal(body, &m) != nil:
			return wrong("answered with a page that is no package data"), nil
		case m.Dist.Integrity == "":
			return wrong("names no integrity for " + probeName + " " + probeVersion), nil
		case !slices.Contains(strings.Fields(m.Dist.Integrity), probeIntegrity):
			return wrong("names another integrity for " + probeName + " " + probeVersion + " than the one that was published"), nil
		}
		return detect.Verdict{OK: true, Content: detect.Yes}, nil
	}}
}

func wrong(reason string) detect.Verdict {
	return detect.Verdict{Reason: reason, Content: detect.No, Fault: detect.PageFault}
}
