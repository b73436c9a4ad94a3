package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/org/goproxy-action/internal/release"
)

// bom is the part of CycloneDX 1.6 that we have something to say for.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Lifecycles []map[string]string `json:"lifecycles"`
	Component  component           `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Scope      string     `json:"scope,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// sbom lists what is in a binary: the modules that the linker has taken from, the standard library, the build's settings.
// It says nothing that changes from run to run.
func sbom(file, version string) ([]byte, error) {
	b, err := describe(file)
	if err != nil {
		return nil, err
	}
	if !release.IsVersion(version) {
		return nil, misused("sbom: VERSION is %q, and not a release's, such as v1.2.3", version)
	}
	main := component{Type: "application", Name: "goproxy-action", Version: version, Hashes: []hash{{"SHA-256", b.sha}},
		PURL: fmt.Sprintf("%s?goarch=%s&goos=%s#cmd/goproxy-action", purl(b.info.Main.Path, version), b.goarch(), b.goos())}
	main.Ref = main.PURL
	for _, s := range b.info.Settings {
		main.Properties = append(main.Properties, property{"go:build:" + s.Key, s.Value})
	}
	list := bom{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Serial: serial(b.sha), Version: 1,
		Metadata: metadata{Lifecycles: []map[string]string{{"phase": "build"}}, Component: main}}
	// vulnerability databases know the standard library by this name
	all := []*debug.Module{{Path: "stdlib", Version: strings.TrimPrefix(b.goVersion, "go")}}
	edges := dependency{Ref: main.Ref}
	for _, m := range append(all, b.info.Deps...) {
		if m.Replace != nil && semver.IsValid(m.Replace.Version) { // a directory has no name of its own
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, Scope: "required", PURL: purl(m.Path, m.Version)}
		if c.Ref = c.PURL; m.Sum != "" {
			c.Properties = []property{{"go:sum", m.Sum}} // the checksum database's hash of the module's tree, of no file
		}
		list.Components = append(list.Components, c)
		edges.DependsOn = append(edges.DependsOn, c.Ref)
		list.Dependencies = append(list.Dependencies, dependency{Ref: c.Ref})
	}
	// build info is a flat list: who needs whom is in go.mod files alone
	list.Dependencies = append([]dependency{edges}, list.Dependencies...)
	data, err := json.MarshalIndent(list, "", "  ")
	return append(data, '\n'), err
}

// purl is a module's package URL.
func purl(path, version string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "pkg:golang/" + strings.Join(parts, "/") + "@" + strings.ReplaceAll(url.PathEscape(version), "+", "%2B")
}

// serial is a UUID of version 8, whose bits are our own: those of the binary's digest.
func serial(sha string) string {
	return fmt.Sprintf("urn:uuid:%s-%s-8%s-a%s-%s", sha[:8], sha[8:12], sha[13:16], sha[17:20], sha[20:32])
}
