package maven

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

var (
	small     = upstreamtest.Artifact{Package: "org/own/small", Version: "1", Name: "small-1.jar", Data: []byte("PK small")}
	big       = upstreamtest.Artifact{Package: "org/own/big", Version: "2.6", Name: "big-2.6.jar", Data: []byte(strings.Repeat("jar", 60_000))}
	published = time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC)
)

// measure is what detect makes of a server, with files of our own.
func measure(t *testing.T, h http.Handler) detect.Row {
	t.Helper()
	known := func(a upstreamtest.Artifact) ecosystem.Known {
		return ecosystem.Known{Package: a.Package, Version: a.Version, Name: a.Name, SHA256: a.Sum()}
	}
	s := source.Source{ID: "x", Ecosystem: source.Maven, Role: source.Registry, URL: upstreamtest.Start(t, h)}
	return detect.Measure(t.Context(), detect.Options{Dialer: &egress.Dialer{}, Now: []detect.Target{target(knownFiles{known(small), known(big)})(s)}, Load: true, Newest: true}).Rows[0]
}

func TestTarget(t *testing.T) {
	t.Parallel()
	other := small
	other.Data = []byte("PK other")
	list := upstreamtest.Artifact{Package: dated, Version: "2.40.1", Published: published}
	for name, tt := range map[string]struct {
		server     http.Handler
		fault      detect.Fault
		reason     string
		loads, new bool
	}{
		"good":         {upstreamtest.MavenCentral(small, big, list), "", "", true, true},
		"no more":      {upstreamtest.MavenCentral(small), "", "", false, false},
		"other digest": {upstreamtest.MavenCentral(other, big), detect.OtherFault, "has another small-1.jar than the one that was published", false, false},
		"page":         {upstreamtest.CaptivePortal(), detect.PageFault, "answered with a page that is not small-1.jar", false, false},
		"404":          {upstreamtest.MavenCentral(big), detect.StatusFault, "answered 404", false, false},
		"503":          {upstreamtest.Status(503), detect.StatusFault, "answered 503", false, false},
	} {
		row := measure(t, tt.server)
		if row.OK != (tt.fault == "") || row.Fault != tt.fault || row.Reason != tt.reason || row.Absent != (name == "404") || (row.Throughput > 0) != tt.loads ||
			row.Newest.Equal(published) != tt.new || row.Newest.IsZero() == tt.new {
			t.Errorf("%s: %+v", name, row)
		}
	}
	k := genuine()
	if got := address("https://a.test", k.small); got != "https://a.test/javax/inject/javax.inject/1/javax.inject-1.jar" {
		t.Error(got)
	}
	if got := address("https://a.test", k.loaded); got != "https://a.test/commons-io/commons-io/2.6/commons-io-2.6.jar" {
		t.Error(got)
	}
}

// TestInForce: what Maven would ask for Central, by the settings of the user and of the installation.
func TestInForce(t *testing.T) {
	t.Parallel()
	const usually = "repo1.maven.org https://repo1.maven.org/maven2 builtin Sonatype"
	settings := func(mirrors ...string) string {
		out := `<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>`
		for i := 0; i+2 < len(mirrors); i += 3 {
			out += "<mirror><id>" + mirrors[i] + "</id><mirrorOf> " + mirrors[i+1] + "</mirrorOf><url>\n" + mirrors[i+2] + "</url></mirror>"
		}
		return out + "</mirrors></settings>"
	}
	for name, tt := range map[string]struct {
		user, installation string
		want, note         string
	}{
		"nothing":      {want: usually},
		"all":          {user: settings("a", "*", "https://maven.aliyun.com/repository/public/"), want: "maven.aliyun.com https://maven.aliyun.com/repository/public runner Alibaba Cloud"},
		"exact first":  {user: settings("a", "external:*", "https://a.test", "b", "central", "https://b.test/m"), want: "b.test https://b.test/m runner "},
		"user first":   {user: settings("a", "*", "https://a.test"), installation: settings("a", "central", "https://no.test", "b", "*", "https://b.test"), want: "a.test https://a.test runner "},
		"installation": {user: settings("a", "snapshots", "https://a.test"), installation: settings("b", "*,!snapshots", "https://b.test"), want: "b.test https://b.test runner "},
		"excepted":     {user: settings("a", "*,!central", "https://a.test"), want: usually},
		"http alone":   {user: settings("a", "external:http:*", "http://0.0.0.0/"), want: usually},
		"variable":     {user: settings("a", "central", "https://${env.WHO}:${env.WHAT}@a.test/"), want: "a.test https://ci:s3cret@a.test runner "},
		"unset":        {user: settings("a", "central", "https://${env.HOST}/"), note: "the mirror of Maven's settings is left out"},
		"blocked":      {user: "<settings><mirrors><mirror><id>a</id><mirrorOf>*</mirrorOf><url>https://a.test</url><blocked> true </blocked></mirror></mirrors></settings>", note: "Maven's settings block central"},
		"broken":       {user: "<settings>\n<mirrors>", want: usually, note: "settings.xml are left out: it is no valid XML, as line 2 shows"},
		"another file": {user: "<project/>", want: usually, note: "it is no settings.xml that is understood here"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"home/.m2/settings.xml": tt.user, "maven/conf/settings.xml": tt.installation, "maven/bin/mvn": "#!/bin/sh\nexit 1\n"} {
			if text == "" {
				continue
			}
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		env := map[string]string{"WHO": "ci", "WHAT": "s3cret", "PATH": filepath.Join(dir, "maven", "bin")}
		m := ecosystem.Machine{OS: "linux", Mirrors: catalogue.Of(source.Maven, nil), Lookup: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}
		e := read(m, filepath.Join(dir, "fence"), filepath.Join(dir, "home"))
		got := ""
		for _, s := range e.InForce {
			got = strings.Join([]string{s.ID, s.URL, s.Origin, s.Operator}, " ")
		}
		notes := strings.Join(e.Notes, "\n")
		if got != tt.want || !e.Installed || (tt.note == "") != (notes == "") || !strings.Contains(notes, tt.note) || strings.Contains(notes+e.Effective[central], "s3cret") {
			t.Errorf("%s: %q, %q", name, got, e.Notes)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("<settings><mirrors><mirror><mirrorOf>*</mirrorOf><url>https://a.test</url></mirror></mirrors></settings>"))
	f.Add([]byte("<settings"))
	f.Fuzz(func(t *testing.T, data []byte) {
		mirrors, err := parse(data)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q", err)
		}
		if m, ok := choose(mirrors); ok && m.Of == "" {
			t.Errorf("%+v", m)
		}
	})
}

func FuzzUpdated(f *testing.F) {
	f.Add([]byte("<metadata><versioning><lastUpdated>20261120010203</lastUpdated></versioning></metadata>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if at, err := updated(detect.Response{Status: 200, Body: data}); (err == nil) == at.IsZero() && at.Year() != 1 {
			t.Errorf("%v %v", at, err)
		}
	})
}
