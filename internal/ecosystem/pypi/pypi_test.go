package pypi

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

// fetch asks plainly, as detect does it for a source.
func fetch(ctx context.Context, rawurl string, limit int64) (detect.Response, error) {
	began := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rawurl, nil)
	if err != nil {
		return detect.Response{}, err
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return detect.Response{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, limit))
	return detect.Response{Status: response.StatusCode, Header: response.Header, Body: body, URL: response.Request.URL.String(), Total: time.Since(began)}, err
}

func TestTarget(t *testing.T) {
	t.Parallel()
	k := genuine()
	file := upstreamtest.Artifact{Package: k.listed.Package, Name: k.listed.Name, SHA256: k.listed.SHA256}
	beside := upstreamtest.Artifact{Package: k.listed.Package, Name: "six-1.15.0-py2.py3-none-any.whl", SHA256: strings.Repeat("1", 64)}
	other, none := file, file
	other.SHA256, none.SHA256 = strings.Repeat("0", 64), "-"
	for name, tt := range map[string]struct {
		server http.Handler
		want   detect.Verdict
	}{
		"good":           {upstreamtest.PyPI(beside, file), detect.Verdict{OK: true, Content: detect.Yes}},
		"as it comes":    {upstreamtest.PyPI(), detect.Verdict{OK: true, Content: detect.Yes}},
		"other digest":   {upstreamtest.PyPI(other), detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Reason: "has another six-1.16.0-py2.py3-none-any.whl than the one that was published"}},
		"no digest":      {upstreamtest.PyPI(none), detect.Verdict{Fault: detect.OtherFault, Reason: "lists six-1.16.0-py2.py3-none-any.whl without its SHA-256"}},
		"other files":    {upstreamtest.PyPI(beside), detect.Verdict{Content: detect.No, Fault: detect.PageFault, Reason: "answered with a page that is not the list of six's files"}},
		"page":           {upstreamtest.CaptivePortal(), detect.Verdict{Content: detect.No, Fault: detect.PageFault, Reason: "answered with a page that is not the list of six's files"}},
		"404":            {upstreamtest.Status(404), detect.Verdict{Fault: detect.StatusFault, Reason: "answered 404", Status: 404, Absent: true}},
		"503":            {upstreamtest.Status(503), detect.Verdict{Fault: detect.StatusFault, Reason: "answered 503", Status: 503}},
		"leads to inner": {page(`<a href="http://10.0.0.1/` + k.listed.Name + "#sha256=" + k.listed.SHA256 + `">`), detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Reason: "names an address that is not asked: another one than its own, and none of a host with a name over https"}},
		"elsewhere":      {page(`<A class=x HREF='https://files.test/` + k.listed.Name + "#sha256=" + k.listed.SHA256 + `'>`), detect.Verdict{OK: true, Content: detect.Yes}},
	} {
		base := upstreamtest.Start(t, tt.server)
		got, err := target(k)(source.Source{URL: base + "/simple/"}).Check(t.Context(), fetch)
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func page(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestLoad(t *testing.T) {
	t.Parallel()
	data := []byte(strings.Repeat("wheel", 30_000))
	a := upstreamtest.Artifact{Package: "big", Name: "big-1-py3-none-any.whl", Data: data}
	k := knownFiles{loaded: ecosystem.Known{Package: a.Package, Name: a.Name, SHA256: a.Sum()}}
	lying := a
	lying.Data, lying.SHA256 = data[1:], a.Sum()
	for name, tt := range map[string]struct {
		server http.Handler
		bytes  int64
		ok     bool
	}{
		"good": {upstreamtest.PyPI(a), int64(len(data)), true}, "other content": {upstreamtest.PyPI(lying), int64(len(data) - 1), false},
		"absent": {upstreamtest.PyPI(), 0, false}, "page": {upstreamtest.CaptivePortal(), 0, false},
	} {
		got, err := target(k)(source.Source{URL: upstreamtest.Start(t, tt.server) + "/simple"}).Load(t.Context(), fetch)
		if err != nil || got.OK != tt.ok || got.Bytes != tt.bytes || got.OK != (got.Took > 0 && got.Reason == "") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestInForce: what pip would ask, by its own order.
func TestInForce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write("user/.config/pip/pip.conf", "; x\n[global]\nindex_url : https://ci:s3cret@user.test/simple/\n")
	write("user/.pip/pip.conf", "[global]\nindex-url = https://legacy.test/simple\n")
	write("venv/pip.conf", "[install]\nindex-url=https://mirrors.aliyun.com/pypi/simple/\n[list]\nindex-url=https://list.test\n")
	write("bad/.config/pip/pip.conf", strings.Repeat("#", 300<<10))
	write("etc/xdg/pip/pip.conf", "[global]\nindex-url = https://xdg.test/simple\n")
	write("etc/pip.conf", "[global]\nindex-url = https://etc.test/simple\n")
	own := write("own.conf", "[global]\n# no\nextra-index-url = https://extra.test\nindex-url = https://own.test/simple\n")
	quiet := write("quiet.conf", "[global]\ntimeout = 5\n")
	odd := write("odd.conf", "[global]\nindex-url = https://a@b@c/\n")
	fenced := write("fence/pip.conf", "[global]\nindex-url = https://evil.test/simple\n")
	for name, tt := range map[string]struct {
		env        map[string]string
		want, note string
	}{
		"nothing":        {nil, "pypi.org https://pypi.org/simple builtin Python Software Foundation", ""},
		"variable":       {map[string]string{"PIP_INDEX_URL": "https://pypi.tuna.tsinghua.edu.cn/simple/", "HOME": "user"}, "pypi.tuna.tsinghua.edu.cn https://pypi.tuna.tsinghua.edu.cn/simple runner TUNA, Tsinghua University", ""},
		"user":           {map[string]string{"HOME": "user"}, "user.test https://ci:s3cret@user.test/simple runner ", ""},
		"venv":           {map[string]string{"HOME": "user", "VIRTUAL_ENV": "venv", "PIP_CONFIG_FILE": own}, "mirrors.aliyun.com https://mirrors.aliyun.com/pypi/simple runner Alibaba Cloud", ""},
		"named":          {map[string]string{"HOME": "user", "PIP_CONFIG_FILE": own}, "own.test https://own.test/simple runner ", ""},
		"system":         {map[string]string{"etc": "etc"}, "etc.test https://etc.test/simple runner ", ""},
		"user first":     {map[string]string{"etc": "etc", "HOME": "user"}, "user.test https://ci:s3cret@user.test/simple runner ", ""},
		"user is hidden": {map[string]string{"etc": "etc", "HOME": "user", "PIP_CONFIG_FILE": quiet}, "etc.test https://etc.test/simple runner ", ""},
		"switched off":   {map[string]string{"HOME": "user", "PIP_CONFIG_FILE": "/dev/null"}, "pypi.org https://pypi.org/simple builtin Python Software Foundation", ""},
		"too large":      {map[string]string{"HOME": "bad"}, "pypi.org https://pypi.org/simple builtin Python Software Foundation", "it has more than 256 KiB"},
		"fenced":         {map[string]string{"PIP_CONFIG_FILE": fenced}, "pypi.org https://pypi.org/simple builtin Python Software Foundation", "the author of the checkout"},
		"no address":     {map[string]string{"PIP_CONFIG_FILE": odd}, "", "the index of pip is left out: address holds more than one @"},
		"relative is no": {map[string]string{"PIP_CONFIG_FILE": "own.conf"}, "pypi.org https://pypi.org/simple builtin Python Software Foundation", "the author of the checkout"},
	} {
		m := ecosystem.Machine{OS: "linux", Mirrors: catalogue.Of(source.PyPI, nil), Lookup: func(n string) (string, bool) {
			v, ok := tt.env[n]
			if n == "HOME" && ok || n == "VIRTUAL_ENV" && ok {
				v = filepath.Join(dir, v)
			}
			return v, ok
		}}
		e := read(m, filepath.Join(dir, "fence"), filepath.Join(dir, tt.env["etc"]))
		got := ""
		for _, s := range e.InForce {
			got = strings.Join([]string{s.ID, s.URL, s.Origin, s.Operator}, " ")
		}
		notes := strings.Join(e.Notes, "\n")
		if got != tt.want || (tt.note == "") != (notes == "") || !strings.Contains(notes, tt.note) || strings.Contains(notes+e.Effective["index-url"], "s3cret") {
			t.Errorf("%s: %s, %q", name, got, e.Notes)
		}
	}
}

func FuzzSetting(f *testing.F) {
	f.Add("[global]\nindex-url = https://a.test\n", "global")
	f.Add("[]\n=\n[install", "install")
	f.Fuzz(func(t *testing.T, text, section string) {
		if v := setting(text, section, "index-url"); v != strings.TrimSpace(v) {
			t.Errorf("%q", v)
		}
	})
}

func FuzzFind(f *testing.F) {
	f.Add(`<a href="../../packages/x.whl#sha256=0">x</a>`)
	f.Add("<a href='&#x2e;'")
	f.Fuzz(func(t *testing.T, text string) {
		if link, ok := find(text, "x.whl"); ok {
			if at, err := ecosystem.Follow("https://a.test/simple/x/", link.String()); err == nil && !strings.HasPrefix(at, "https://") {
				t.Errorf("%q leads to %s", text, at)
			}
		}
	})
}
