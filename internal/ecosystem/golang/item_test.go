package golang

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/source"
)

// What a source gives for a go.mod costs little, whatever it is made of.
func TestItemOfHostileSource(t *testing.T) { //nolint:paralleltest // it counts the memory of the whole process
	it, err := (&view{}).item("a.test/b", "v1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		mod string
		ok  bool
	}{
		"small":         {"module a.test/b\n", true},
		"none":          {"", true},
		"page":          {"<html>\n", false},
		"large":         {"module a.test/b\n" + strings.Repeat("// x\n", 100_000), true},
		"many lines":    {strings.Repeat("a\n", 4<<20/2), false},
		"many blocks":   {strings.Repeat("a (\n", maxModFile/4), false},
		"many comments": {strings.Repeat("//\n", maxModFile/3), false},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		verdict, err := it.Target(source.Source{URL: "https://h.test"}).Check(t.Context(), func(_ context.Context, url string, _ int64) (detect.Response, error) {
			switch {
			case strings.HasSuffix(url, ".info"):
				return detect.Response{Status: 200, Body: []byte(`{"Version":"v1.0.0"}`)}, nil
			case strings.HasSuffix(url, ".mod"):
				return detect.Response{Status: 200, Body: []byte(tt.mod)}, nil
			case strings.HasSuffix(url, ".zip"):
				return detect.Response{Status: 200, Body: []byte("PK\x03\x04")}, nil
			}
			return detect.Response{Status: 404}, nil
		})
		runtime.ReadMemStats(&after)
		if err != nil || verdict.OK != tt.ok {
			t.Errorf("%s: %+v, %v", name, verdict, err)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 64 {
			t.Errorf("%s: took %d MB", name, took)
		}
	}
}
