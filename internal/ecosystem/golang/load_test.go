package golang

import (
	"archive/zip"
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

// packed is a zip of files, in their order.
func packed(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLoad(t *testing.T) {
	t.Parallel()
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	sum, _ := proxy.Sum("github.com/google/uuid", "v1.6.0")
	k := known{path: "github.com/google/uuid", version: "v1.6.0", zipHash: sum}
	again := packed(t, "github.com/google/uuid@v1.6.0/uuid.go", "// Package uuid is a stand-in.\npackage uuid\n\n// UUID is an identifier.\ntype UUID [16]byte\n",
		"github.com/google/uuid@v1.6.0/go.mod", "module github.com/google/uuid\n")
	bomb := packed(t, "github.com/google/uuid@v1.6.0/go.mod", strings.Repeat("\x00", maxUnpacked+1))
	var many []string
	for range maxUnpackedFiles + 1 {
		many = append(many, "a"+strings.Repeat("b", len(many)), "")
	}
	other := detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Reason: "served another zip for github.com/google/uuid v1.6.0 than the checksum database knows"}
	none := detect.Verdict{Content: detect.No, Fault: detect.PageFault, Reason: "answered with what is no zip of github.com/google/uuid v1.6.0"}
	for name, tt := range map[string]struct {
		h    http.Handler
		want detect.Verdict
	}{
		"good":                {proxy, detect.Verdict{OK: true, Content: detect.Yes}},
		"zipped by others":    {says(string(again)), detect.Verdict{OK: true, Content: detect.Yes}},
		"tampered":            {upstreamtest.Tamper(proxy), other},
		"captive portal":      {upstreamtest.CaptivePortal(), none},
		"half":                {says(string(again[:len(again)/2])), none},
		"unpacks to a lot":    {says(string(bomb)), none},
		"too many files":      {says(string(packed(t, many...))), none},
		"empty":               {says(string(packed(t))), other},
		"a name on two lines": {says(string(packed(t, "a\nb", ""))), none},
		"absent":              {http.NotFoundHandler(), detect.Verdict{Fault: detect.StatusFault, Reason: "answered 404", Status: 404}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := prober{base: upstreamtest.Start(t, tt.h)}
			got, err := p.loadOf(k)(t.Context(), fetch)
			if diff := cmp.Diff(tt.want, got.Verdict); diff != "" || err != nil {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
			if got.OK && got.Bytes == 0 {
				t.Error("no bytes")
			}
		})
	}
	p := prober{base: upstreamtest.Start(t, upstreamtest.Reset())}
	if _, err := p.loadOf(k)(t.Context(), fetch); err == nil {
		t.Error("an answer that was cut is one")
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 11, 6, 19, 57, 40, 0, time.UTC)
	files := func(versions ...string) map[string]map[string]string {
		out := map[string]map[string]string{}
		for _, v := range versions {
			out[tagged+"@"+v] = nil
		}
		return out
	}
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{Modules: files("v0.9.0", "v0.10.0", "v0.11.0-rc.1"),
		Times: map[string]time.Time{tagged + "@v0.10.0": made}})
	for name, tt := range map[string]struct {
		h    http.Handler
		want time.Time
	}{
		"good":            {proxy, made},
		"no latest":       {only("@latest", http.NotFoundHandler(), proxy), made},
		"no list":         {upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{Modules: files("v0.1.0"), NoList: true}), time.Time{}},
		"no such module":  {http.NotFoundHandler(), time.Time{}},
		"captive portal":  {upstreamtest.CaptivePortal(), time.Time{}},
		"a list of dirt":  {only("/list", says("../../etc\nv1\nlatest\n"), proxy), time.Time{}},
		"another version": {only(".info", says(`{"Version":"v9.9.9","Time":"2026-11-06T19:57:40Z"}`), proxy), time.Time{}},
		"no date":         {only(".info", says(`{"Version":"v0.10.0"}`), proxy), time.Time{}},
		"no info":         {only(".info", says(`[]`), proxy), time.Time{}},
		"info is 503":     {only(".info", upstreamtest.Status(503), proxy), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := prober{base: upstreamtest.Start(t, tt.h)}.newest(t.Context(), fetch)
			if !got.Equal(tt.want) || (err == nil) == tt.want.IsZero() {
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			}
		})
	}
	if got, err := (prober{base: upstreamtest.Start(t, upstreamtest.Reset())}).newest(t.Context(), fetch); err == nil {
		t.Errorf("%v", got)
	}
}

// A module proxy is asked for one thing by Small and by Lookup each.
func TestOneThing(t *testing.T) {
	t.Parallel()
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	var asked []string
	at := targetOf(t, proxy, proxy.VerifierKey(), "module-proxy", upstreamtest.Start(t, proxy))
	counting := func(ctx context.Context, url string, limit int64) (detect.Response, error) {
		asked = append(asked, url[strings.Index(url[8:], "/")+8:])
		return fetch(ctx, url, limit)
	}
	for _, check := range []detect.Check{at.Small, at.Lookup} {
		if v, err := check(t.Context(), counting); err != nil || !v.OK || v.Content != detect.Yes {
			t.Errorf("%+v, %v", v, err)
		}
	}
	want := []string{"/github.com/google/uuid/@v/v1.6.0.mod", "/sumdb/sum.test/lookup/github.com/google/uuid@v1.6.0"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzZipSum(f *testing.F) {
	f.Add(packed(f, "a@v1/go.mod", "module a\n"))
	f.Add(packed(f))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if sum, err := zipSum(data); (err == nil) != strings.HasPrefix(sum, "h1:") {
			t.Errorf("%q, %v", sum, err)
		}
	})
}
