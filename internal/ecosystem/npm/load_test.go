package npm

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/detect"
)

func answers(all map[string]detect.Response) detect.Fetch {
	return func(_ context.Context, url string, limit int64) (detect.Response, error) {
		r, ok := all[url]
		if !ok {
			return r, errors.New("connection refused")
		}
		r.Body = r.Body[:min(int64(len(r.Body)), limit)]
		return r, nil
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	body := []byte("a tarball")
	sum := sha512.Sum512(body)
	load := loadOf("https://r.test/npm", "x", "1.0.0", "sha512-"+base64.StdEncoding.EncodeToString(sum[:]))
	other := wrong("served another tarball for x 1.0.0 than the one that was published")
	other.Fault = detect.OtherFault
	for name, tt := range map[string]struct {
		answer detect.Response
		want   detect.Verdict
	}{
		"good":     {detect.Response{Status: 200, Body: body, Total: 3 * time.Second, FirstByte: time.Second}, detect.Verdict{OK: true, Content: detect.Yes}},
		"other":    {detect.Response{Status: 200, Body: []byte("another")}, other},
		"too long": {detect.Response{Status: 200, Body: bytes.Repeat(body, maxLoad)}, other},
		"a page":   {detect.Response{Status: 200, Body: []byte("<p>"), Header: http.Header{"Content-Type": {"Text/HTML"}}}, wrong("answered with a page that is no tarball of x 1.0.0")},
		"absent":   {detect.Response{Status: 404, Body: body}, detect.Verdict{Reason: "answered 404", Fault: detect.StatusFault}},
	} {
		got, err := load(t.Context(), answers(map[string]detect.Response{"https://r.test/npm/x/-/x-1.0.0.tgz": tt.answer}))
		if diff := cmp.Diff(tt.want, got.Verdict); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
		if got.OK && (got.Bytes != 9 || got.Took != 2*time.Second) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := load(t.Context(), answers(nil)); err == nil {
		t.Error("no answer is one")
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 11, 20, 21, 1, 47, 0, time.UTC)
	for name, tt := range map[string]struct {
		status int
		body   string
		want   time.Time
	}{
		"good":        {200, `{"dist-tags":{"latest":"2.0.0"},"time":{"created":"x","1.0.0":"2020-01-01T00:00:00Z","2.0.0":"2026-11-20T21:01:47.000Z","unpublished":{"a":1}}}`, made},
		"no tag":      {200, `{"time":{"2.0.0":"2026-11-20T21:01:47.000Z"}}`, time.Time{}},
		"no dates":    {200, `{"dist-tags":{"latest":"2.0.0"}}`, time.Time{}},
		"no date":     {200, `{"dist-tags":{"latest":"2.0.0"},"time":{"2.0.0":"yesterday"}}`, time.Time{}},
		"an object":   {200, `{"dist-tags":{"latest":"2.0.0"},"time":{"2.0.0":{}}}`, time.Time{}},
		"other types": {200, `{"dist-tags":["latest"]}`, time.Time{}},
		"a page":      {200, `<html>`, time.Time{}},
		"a refusal":   {403, `{"dist-tags":{"latest":"2.0.0"},"time":{"2.0.0":"2026-11-20T21:01:47.000Z"}}`, time.Time{}},
		"too long":    {200, `{"readme":"` + strings.Repeat("x", maxPublished) + `","dist-tags":{"latest":"2.0.0"},"time":{"2.0.0":"2026-11-20T21:01:47.000Z"}}`, time.Time{}},
	} {
		got, err := newest("https://r.test")(t.Context(), answers(map[string]detect.Response{"https://r.test/" + published: {Status: tt.status, Body: []byte(tt.body)}}))
		if !got.Equal(tt.want) || (err == nil) == tt.want.IsZero() {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := newest("https://r.test")(t.Context(), answers(nil)); err == nil {
		t.Error("no answer is one")
	}
}
