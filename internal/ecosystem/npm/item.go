package npm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// itemVersion is a version as npm publishes them, or a tag ("latest").
var itemVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,99}$`)

// item is a package at a version, which a registry is asked for as npm asks: its description, and the beginning of its
// tarball where the registry itself has it.
func (r *room) item(name, version string) (ecosystem.Item, error) {
	if !givenName.MatchString(name) || len(name) > 214 {
		return ecosystem.Item{}, fmt.Errorf("%s is no name of a package", source.Plain(name, 100))
	}
	if !itemVersion.MatchString(version) {
		return ecosystem.Item{}, fmt.Errorf("%s is no version of a package; it is written 1.2.3", source.Plain(version, 60))
	}
	var it ecosystem.Item
	if len(r.inForce) > 0 && r.route(r.inForce[0].URL).asks("npm", lockfile.Entry{Name: name}) != here {
		it.Private = "the settings name a place of their own for " + name
	}
	it.Target = func(s source.Source) detect.Target {
		s.Role = "item"
		return detect.Target{Source: s, Check: func(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
			return fetchItem(ctx, fetch, strings.TrimRight(s.URL, "/"), name, version)
		}}
	}
	return it, nil
}

func fetchItem(ctx context.Context, fetch detect.Fetch, base, name, version string) (detect.Verdict, error) {
	answer, err := fetch(ctx, base+"/"+strings.Replace(name, "/", "%2f", 1)+"/"+url.PathEscape(version), 4<<20)
	if err != nil {
		return detect.Verdict{}, err
	}
	if answer.Status != http.StatusOK {
		return ecosystem.Refused(answer), nil
	}
	var m struct {
		Name, Version string
		Dist          struct{ Tarball, Integrity string }
	}
	switch {
	case json.Unmarshal(answer.Body, &m) != nil || m.Name == "":
		return wrong("answered with a page that is no package data"), nil
	case m.Name != name:
		return detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Status: 200, Reason: "described another package, " + source.Plain(m.Name, 100)}, nil
	}
	verdict := detect.Verdict{OK: true, Status: 200}
	tarball, e := source.Locate(m.Dist.Tarball)
	if own, err := source.Locate(base); err != nil || e != nil || tarball.HostPort() != own.HostPort() || tarball.Scheme != own.Scheme {
		return verdict, nil // npm asks the registry in its place, or another host, which no policy has judged here
	}
	// the first bytes tell a tarball from a page
	t, err := fetch(ctx, m.Dist.Tarball, 2)
	switch {
	case err != nil:
		return detect.Verdict{}, errors.Join(errors.New("the tarball"), err)
	case t.Status != http.StatusOK:
		return detect.Verdict{Fault: detect.StatusFault, Status: t.Status, Reason: fmt.Sprintf("answered %d for the tarball", t.Status)}, nil
	case string(t.Body) != "\x1f\x8b":
		return wrong("answered with a page that is no tarball"), nil
	}
	return verdict, nil
}
