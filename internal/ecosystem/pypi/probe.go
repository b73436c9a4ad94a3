package pypi

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxIndex bounds the list of one package's files. That of six has some 15 KB.
	maxIndex = 512 << 10
	// maxFile bounds the file that throughput is measured by, which has 133 KB.
	maxFile = 1 << 20
)

// files that are known: one whose digest must be in the list, and one that is loaded.
type knownFiles struct{ listed, loaded ecosystem.Known }

// genuine has digests that stand in the lock files of many public repositories, which agree: requirements with hashes,
// Pipfile.lock and recipes of Bazel, Homebrew and Spack (among them haampie/pypi-spack-repo). Looked up 2026-11-30.
func genuine() knownFiles {
	return knownFiles{
		ecosystem.Known{Package: "six", Version: "1.16.0", Name: "six-1.16.0-py2.py3-none-any.whl",
			SHA256: "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"},
		ecosystem.Known{Package: "chardet", Version: "3.0.4", Name: "chardet-3.0.4-py2.py3-none-any.whl",
			SHA256: "fc323ffcaeaed0e0a02bf4d117757b98aed530d9ed4531e3e15460124c106691"},
	}
}

// target asks for the list of a small package's files (PEP 503), which must have the known digest of one. How new an index
// is nobody can say by this: the form of the list that every mirror has holds no times.
func target(k knownFiles) func(source.Source) detect.Target {
	return func(s source.Source) detect.Target {
		base := strings.TrimRight(s.URL, "/")
		return detect.Target{Source: s,
			Check: func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
				_, verdict, err := list(ctx, fetch, base, k.listed)
				return verdict, err
			},
			Load: func(ctx context.Context, fetch detect.Fetch) (detect.Loaded, error) {
				at, verdict, err := list(ctx, fetch, base, k.loaded)
				if err != nil || !verdict.OK {
					return detect.Loaded{Verdict: verdict}, err
				}
				r, err := fetch(ctx, at, maxFile)
				if err != nil {
					return detect.Loaded{}, err
				}
				return k.loaded.Loaded(r), nil
			}}
	}
}

// list asks for the files of a package, and where the list has the known one.
func list(ctx context.Context, fetch detect.Fetch, base string, k ecosystem.Known) (at string, verdict detect.Verdict, err error) {
	r, err := fetch(ctx, base+"/"+k.Package+"/", maxIndex)
	if err != nil {
		return "", detect.Verdict{}, err
	}
	if r.Status != http.StatusOK {
		return "", ecosystem.Refused(r), nil
	}
	link, ok := find(string(r.Body), k.Name)
	if !ok {
		return "", ecosystem.Page("the list of " + k.Package + "'s files"), nil
	}
	switch digest, _ := strings.CutPrefix(link.Fragment, "sha256="); {
	case digest == k.SHA256:
	case digest == link.Fragment:
		return "", detect.Verdict{Fault: detect.OtherFault, Reason: "lists " + k.Name + " without its SHA-256"}, nil
	default:
		return "", k.Other(), nil
	}
	if at, err = ecosystem.Follow(r.URL, link.String()); err != nil {
		return "", detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Reason: err.Error()}, nil
	}
	return at, detect.Verdict{OK: true, Content: detect.Yes}, nil
}

var anchor = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)<a\s[^>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')`)
})

// find is the link to a file of that name in the HTML of a list.
func find(page, name string) (*url.URL, bool) {
	for _, m := range anchor().FindAllStringSubmatch(page, -1) {
		if link, err := parse(html.UnescapeString(m[1] + m[2])); err == nil && path.Base(link.Path) == name {
			return link, true
		}
	}
	return nil, false
}

func parse(raw string) (*url.URL, error) {
	link, err := url.Parse(strings.TrimSpace(raw))
	if err == nil && link.Opaque != "" {
		err = errors.New("names no file")
	}
	return link, err
}
