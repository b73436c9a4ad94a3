package maven

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// maxFile bounds an answer. The small file has 2.5 KB, the other 215 KB, the list of versions some 60 KB.
const maxFile = 1 << 20

// knownFiles are a small file and one that is loaded; their packages are paths.
type knownFiles struct{ small, loaded ecosystem.Known }

// genuine has digests that stand in the lock files of many public repositories, which agree: Gradle's verification
// metadata, workspaces of Bazel, and recipes of openSUSE. Looked up 2026-11-30.
func genuine() knownFiles {
	return knownFiles{
		ecosystem.Known{Package: "javax/inject/javax.inject", Version: "1", Name: "javax.inject-1.jar",
			SHA256: "91c77044a50c481636c32d916fd89c9118a72195390452c81065080f957de7ff"},
		ecosystem.Known{Package: "commons-io/commons-io", Version: "2.6", Name: "commons-io-2.6.jar",
			SHA256: "f877d304660ac2a142f3865badfc971dec7ed73c747c7f8d5d2f5139ca736513"},
	}
}

// dated is the artifact whose list of versions says how old a repository is: it gets a version on nearly every working day.
const dated = "software/amazon/awssdk/bom"

// target asks for a small file and compares its digest.
func target(k knownFiles) func(source.Source) detect.Target {
	return func(s source.Source) detect.Target {
		base := strings.TrimRight(s.URL, "/")
		return detect.Target{Source: s,
			Check: func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
				r, err := fetch(ctx, address(base, k.small), maxFile)
				if err != nil {
					return detect.Verdict{}, err
				}
				return k.small.Judge(r), nil
			},
			Load: func(ctx context.Context, fetch detect.Fetch) (detect.Loaded, error) {
				r, err := fetch(ctx, address(base, k.loaded), maxFile)
				if err != nil {
					return detect.Loaded{}, err
				}
				return k.loaded.Loaded(r), nil
			},
			Newest: func(ctx context.Context, fetch detect.Fetch) (time.Time, error) {
				r, err := fetch(ctx, base+"/"+dated+"/maven-metadata.xml", maxFile)
				if err != nil {
					return time.Time{}, err
				}
				return updated(r)
			}}
	}
}

func address(base string, k ecosystem.Known) string {
	return strings.Join([]string{base, k.Package, k.Version, k.Name}, "/")
}

// updated is when a version was last added to a list of versions, in UTC (Maven, repository-metadata).
func updated(r detect.Response) (time.Time, error) {
	var list struct {
		XMLName xml.Name `xml:"metadata"`
		Updated string   `xml:"versioning>lastUpdated"`
	}
	if r.Status == http.StatusOK && xml.Unmarshal(r.Body, &list) == nil {
		if at, err := time.Parse("20060102150405", strings.TrimSpace(list.Updated)); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("does not say when a version of " + dated + " was last added")
}
