package golang

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/upstreamtest"
)

// fetch is a plain detect.Fetch.
func fetch(ctx context.Context, url string, limit int64) (detect.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return detect.Response{}, err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return detect.Response{}, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, limit))
	return detect.Response{Status: r.StatusCode, Header: r.Header, Body: body, URL: r.Request.URL.String()}, err
}

// only serves h below a path and answers the rest with other.
func only(prefix string, h, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, prefix) {
			h.ServeHTTP(w, r)
		} else {
			other.ServeHTTP(w, r)
		}
	})
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// sourceOf is a source with a checksum database whose key the machine trusts.
func targetOf(t *testing.T, proxy *upstreamtest.ModuleProxy, gosumdb, role, url string) detect.Target {
	t.Helper()
	m := machine(t, map[string]string{"GOSUMDB": gosumdb})
	m.SumDBKeys = []string{proxy.VerifierKey()}
	e, err := New(m, checkout(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	return e.Target(source.Source{ID: "x", Role: role, URL: url})
}

func TestTargetModuleProxy(t *testing.T) {
	t.Parallel()
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	bare := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{NoSumDB: true})
	empty := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{Modules: map[string]map[string]string{"a.test/a@v1.0.0": {}}})
	ok := detect.Verdict{OK: true, Content: detect.Yes, ChecksumDB: detect.Yes}
	without := func(a detect.Answer) detect.Verdict {
		return detect.Verdict{OK: true, Content: detect.Yes, ChecksumDB: a}
	}
	page := detect.Verdict{Content: detect.No, ChecksumDB: detect.No, Fault: detect.PageFault, Reason: "answered with a page that is not the module asked for"}
	tampered := detect.Verdict{Content: detect.No, ChecksumDB: detect.Yes, Fault: detect.OtherFault,
		Reason: "served another go.mod for github.com/google/uuid v1.6.0 than the checksum database knows"}
	for name, tt := range map[string]struct {
		h       http.Handler
		gosumdb string
		want    detect.Verdict
	}{
		"all well":               {proxy, proxy.VerifierKey(), ok},
		"below a path":           {http.StripPrefix("/go", proxy), proxy.VerifierKey(), ok},
		"no relay":               {bare, proxy.VerifierKey(), without(detect.No)},
		"relay of another log":   {proxy, "sum.golang.org", without(detect.No)},
		"off asks the genuine":   {proxy, "off", without(detect.No)},
		"another key":            {only("/sumdb/", upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{}), proxy), proxy.VerifierKey(), without(detect.No)},
		"supported is not":       {only("/supported", http.NotFoundHandler(), proxy), proxy.VerifierKey(), without(detect.No)},
		"supported, then broken": {only("/lookup/", upstreamtest.Status(500), proxy), proxy.VerifierKey(), without(detect.No)},
		"not in this log":        {only("/lookup/", http.NotFoundHandler(), proxy), proxy.VerifierKey(), ok},
		"no head either":         {only("/lookup/", http.NotFoundHandler(), only("/latest", says("x"), proxy)), proxy.VerifierKey(), without(detect.No)},
		"database resets":        {only("/lookup/", upstreamtest.Reset(), proxy), proxy.VerifierKey(), without(detect.NotKnown)},
		"captive portal":         {upstreamtest.CaptivePortal(), proxy.VerifierKey(), page},
		"JSON":                   {only("/sumdb/", http.NotFoundHandler(), says(`{"error":"x"}`)), proxy.VerifierKey(), page},
		"tampered":               {only(".mod", says("module github.com/google/uuid\n\nrequire evil.test/x v1.0.0\n"), proxy), proxy.VerifierKey(), tampered},
		"503":                    {upstreamtest.Status(503), proxy.VerifierKey(), detect.Verdict{ChecksumDB: detect.No, Fault: detect.StatusFault, Reason: "answered 503", Status: 503}},
		"no such module":         {empty, proxy.VerifierKey(), detect.Verdict{ChecksumDB: detect.No, Fault: detect.StatusFault, Reason: "answered 404", Absent: true, Status: 404}},
		"gone":                   {only(".mod", upstreamtest.Status(410), proxy), proxy.VerifierKey(), detect.Verdict{ChecksumDB: detect.Yes, Fault: detect.StatusFault, Reason: "answered 410", Absent: true, Status: 410}},
		"403":                    {only(".mod", upstreamtest.Status(403), proxy), proxy.VerifierKey(), detect.Verdict{ChecksumDB: detect.Yes, Fault: detect.StatusFault, Reason: "answered 403", Status: 403}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := upstreamtest.Start(t, tt.h)
			if name == "below a path" {
				url += "/go/"
			}
			got, err := targetOf(t, proxy, tt.gosumdb, source.ModuleProxy, url).Check(t.Context(), fetch)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

func TestTargetFailsWithTheFetch(t *testing.T) {
	t.Parallel()
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	url := upstreamtest.Start(t, only(".mod", upstreamtest.Reset(), upstreamtest.Silence()))
	// the silent database does not keep the answer waiting
	if v, err := targetOf(t, proxy, proxy.VerifierKey(), source.ModuleProxy, url).Check(t.Context(), fetch); err == nil || v != (detect.Verdict{}) {
		t.Errorf("got %+v, %v", v, err)
	}
	url = upstreamtest.Start(t, upstreamtest.Reset())
	if v, err := targetOf(t, proxy, proxy.VerifierKey(), source.ChecksumDB, url).Check(t.Context(), fetch); err == nil || v != (detect.Verdict{}) {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestTargetChecksumDB(t *testing.T) {
	t.Parallel()
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	other := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{Modules: map[string]map[string]string{
		"github.com/google/uuid@v1.6.0": {"go.mod": "module github.com/google/uuid\n\ngo 1.26\n"}}})
	bad := func(fault detect.Fault, reason string) detect.Verdict {
		return detect.Verdict{Content: detect.No, Fault: fault, Reason: reason}
	}
	for name, tt := range map[string]struct {
		h    http.Handler
		key  string
		want detect.Verdict
	}{
		"all well":     {proxy.SumDB(), proxy.VerifierKey(), detect.Verdict{OK: true, Content: detect.Yes}},
		"other hashes": {other.SumDB(), other.VerifierKey(), bad(detect.OtherFault, "answered with other hashes for github.com/google/uuid v1.6.0 than are known")},
		"another key":  {other.SumDB(), proxy.VerifierKey(), bad(detect.OtherFault, "answered without a valid signature of sum.test")},
		"nonsense":     {says("hello"), proxy.VerifierKey(), bad(detect.OtherFault, "answered with a text that is no record of a checksum database")},
		"a page":       {upstreamtest.CaptivePortal(), proxy.VerifierKey(), bad(detect.PageFault, "answered with a page that is not the record asked for")},
		"403":          {upstreamtest.Status(403), proxy.VerifierKey(), detect.Verdict{Fault: detect.StatusFault, Reason: "answered 403", Status: 403}},
		"404, genuine": {http.NotFoundHandler(), "sum.golang.org", detect.Verdict{Fault: detect.StatusFault, Reason: "answered 404", Status: 404}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t, map[string]string{"GOSUMDB": tt.key})
			m.SumDBKeys = []string{tt.key}
			e, err := New(m, checkout(t, nil))
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.Target(source.Source{Role: source.ChecksumDB, URL: upstreamtest.Start(t, tt.h)}).Check(t.Context(), fetch)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

// A true record of the genuine log, as it was served on 2026-11-22, and what must not pass for one.
func TestGenuineRecord(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "mod", "uuid.record"))
	if err != nil {
		t.Fatal(err)
	}
	p := prober{known: genuine(), db: parseSumDB("", nil)}
	for _, tt := range []struct{ old, new, want string }{
		{"", "", ""},
		{zipHash, modHash, "answered with other hashes for github.com/google/uuid v1.6.0 than are known"},
		{"/go.mod " + modHash, "/go.mod " + zipHash, "answered with other hashes for github.com/google/uuid v1.6.0 than are known"},
		{"go.sum database tree\n", "go.sum database tree\n1", "answered without a valid signature of sum.golang.org"},
		{"\ngo.sum", "\n\ngo.sum", "answered without a valid signature of sum.golang.org"},
		{"— sum.golang.org", "— other.test", "answered without a valid signature of sum.golang.org"},
	} {
		got := ""
		if err := p.verifyRecord([]byte(strings.Replace(string(data), tt.old, tt.new, 1))); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q for %q: got %q, want %q", tt.new, tt.old, got, tt.want)
		}
	}
	_, tail, _ := strings.Cut(string(data), "\n")
	if err := p.verifyRecord([]byte("99999999999\n" + tail)); err == nil || !strings.Contains(err.Error(), "does not hold") {
		t.Errorf("a record behind the tree: %v", err)
	}
}

// realGo is a machine whose PATH has the real go command, and its environment.
func realGo(t *testing.T) (ecosystem.Machine, []string) {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	// without HOME there is no telemetry, whose child outlives go
	env := []string{"PATH=" + os.Getenv("PATH"), "GOFLAGS=-mod=vendor -nonsense", "GOTOOLCHAIN=go9.99.9", "GONOSUMCHECK=1", "GO111MODULE=off"}
	return ecosystem.Machine{OS: runtime.GOOS, Environ: env, Lookup: func(n string) (string, bool) {
		if n == "PATH" {
			return filepath.Dir(tool), true
		}
		return "", false
	}}, env
}

func TestProve(t *testing.T) {
	t.Parallel()
	m, env := realGo(t)
	e, err := New(m, checkout(t, oneModule))
	if err != nil {
		t.Fatal(err)
	}
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	tampering := only(".mod", says("module github.com/google/uuid\n\ngo 1.20\n"), proxy)
	for name, tt := range map[string]struct {
		h       http.Handler
		gosumdb string
		want    string
		code    problem.Code
	}{
		"all well":                  {proxy, proxy.VerifierKey(), "", problem.Clean},
		"the database objects":      {tampering, proxy.VerifierKey(), "checksum mismatch", problem.Unanswered},
		"we object":                 {tampering, "off", "is not the one that the checksum database knows", problem.Security},
		"refused":                   {upstreamtest.Status(503), "off", "503", problem.Unanswered},
		"no database to be reached": {only("/sumdb/", upstreamtest.Status(500), proxy), proxy.VerifierKey(), "500", problem.Unanswered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := e.Prove(t.Context(), append(env, "GOPROXY="+upstreamtest.Start(t, tt.h), "GOSUMDB="+tt.gosumdb))
			if problem.CodeOf(err) != tt.code || err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %v (code %d), want %q (code %d)", err, problem.CodeOf(err), tt.want, tt.code)
			}
		})
	}
}

func TestProveEndsInTime(t *testing.T) {
	t.Parallel()
	m, env := realGo(t)
	e, err := New(m, checkout(t, oneModule))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 16)
	silence := upstreamtest.Silence()
	url := upstreamtest.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		silence.ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() {
		<-asked
		cancel()
	}()
	start := time.Now()
	err = e.Prove(ctx, append(env, "GOPROXY="+url, "GOSUMDB=off"))
	if problem.CodeOf(err) != problem.Unanswered || !errors.Is(err, context.Canceled) || time.Since(start) > 20*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

// What a GOENV, a GOROOT or a go.mod of the checkout sets has no say in a proof; what the machine sets has.
func TestProveObeysTheMachineAlone(t *testing.T) {
	t.Parallel()
	real, env := realGo(t)
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	url := upstreamtest.Start(t, proxy)
	const good = "GOPROXY=$G\nGOSUMDB=$K\n"
	refuses := httptest.NewUnstartedServer(http.NotFoundHandler())
	refuses.Config.ErrorLog = log.New(io.Discard, "", 0)
	refuses.StartTLS() // only https is asked with credentials
	t.Cleanup(refuses.Close)
	for name, tt := range map[string]struct {
		// $R is the repository, $C the checkout in it, $M a directory of the machine, $T a source that asks for credentials,
		// $G and $K a good one and its key.
		env              []string
		beside, checkout string
		machine          string
		fails, runs      bool
	}{
		"the machine's file":       {env: []string{"GOENV=$M/env"}, machine: good},
		"its database objects":     {env: []string{"GOENV=$M/env"}, machine: good + "GOSUMDB=" + foreignKey + "\n", fails: true},
		"its private names":        {env: []string{"GOENV=$M/env"}, machine: good + "GOSUMDB=" + foreignKey + "\nGONOSUMDB=github.com/google\n"},
		"a variable wins":          {env: []string{"GOENV=$M/env", "GOSUMDB=$K"}, machine: good + "GOSUMDB=" + foreignKey + "\n"},
		"a GOAUTH of the machine":  {env: []string{"GOENV=$M/env", "GOPROXY=$T"}, machine: "GOAUTH=$M/auth.sh $M\n", fails: true, runs: true},
		"a GOAUTH of the variable": {env: []string{"GOAUTH=netrc; $M/auth.sh $M", "GOPROXY=$T"}, fails: true, runs: true},
		"a GOAUTH of the checkout": {env: []string{"GOENV=$C/env", "GOPROXY=$T"}, checkout: "GOAUTH=$M/auth.sh $M\n", fails: true},
		"a GOAUTH beside it":       {env: []string{"GOENV=$R/env", "GOPROXY=$T"}, beside: "GOAUTH=$M/auth.sh $M\n", fails: true},
		"a program beside it":      {env: []string{"GOAUTH=$R/auth.sh $M; git $R", "GOPROXY=$T"}, fails: true},
		"a program in quotes":      {env: []string{"GOAUTH='$R/auth.sh' $M", "GOPROXY=$T"}, fails: true},
		"a script beside it":       {env: []string{"GOAUTH=/bin/sh $R/auth.sh $M", "GOPROXY=$T"}, fails: true},
		"a GOROOT beside it":       {env: []string{"GOROOT=$R", "GOPROXY=$T"}, beside: "GOAUTH=$M/auth.sh $M\n", fails: true},
		"switches of the checkout": {env: []string{"GOENV=$C/env", "GOPROXY=$G", "GOSUMDB=$K"}, checkout: "GOFLAGS=-nonsense\nGOCACHEPROG=/nowhere\nGOPROXY=off\nGOSUMDB=off\n"},
		"a database switched off":  {env: []string{"GOENV=$C/env", "GOPROXY=$G", "GOSUMDB=" + foreignKey}, checkout: "GONOSUMDB=*\n", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := write(t, map[string]string{"auth.sh": "#!/bin/sh\ntouch \"$1/ran\"\nexit 1\n"})
			repository := write(t, map[string]string{"auth.sh": "#!/bin/sh\ntouch \"$1/ran\"\nexit 1\n", "app/go.mod": "module a.test/a\n"})
			places := map[string]string{"M": mine, "R": repository, "C": filepath.Join(repository, "app"), "T": refuses.URL, "G": url, "K": proxy.VerifierKey()}
			names := func(s string) string { return os.Expand(s, func(name string) string { return places[name] }) }
			for file, text := range map[string]string{filepath.Join(mine, "env"): tt.machine, filepath.Join(repository, "app", "env"): tt.checkout,
				filepath.Join(repository, "env"): tt.beside, filepath.Join(repository, "go.env"): tt.beside} {
				if err := os.WriteFile(file, []byte(names(text)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			co, err := lockfile.Open(filepath.Join(repository, "app"), "", Names()...)
			if err != nil {
				t.Fatal(err)
			}
			defer co.Close()
			co.Fence = repository
			environ := slices.Clone(env)
			for _, pair := range tt.env {
				environ = append(environ, names(pair))
			}
			m := real
			m.Lookup = func(name string) (string, bool) {
				for _, pair := range slices.Backward(environ) {
					if value, ok := strings.CutPrefix(pair, name+"="); ok {
						return value, true
					}
				}
				return "", false
			}
			v, err := read(m, co)
			if err != nil {
				t.Fatal(err)
			}
			err = v.prove(t.Context(), environ)
			_, ran := os.Stat(filepath.Join(mine, "ran"))
			if (err != nil) != tt.fails || (ran == nil) != tt.runs {
				t.Errorf("ran %v, error %v", ran == nil, err)
			}
		})
	}
}

// A go.mod above the temporary directory has no say, and a temporary directory that is none is no fault of the network.
func TestProveInATemporaryDirectory(t *testing.T) {
	m, env := realGo(t)
	e, err := New(m, checkout(t, oneModule))
	if err != nil {
		t.Fatal(err)
	}
	proxy := upstreamtest.NewModuleProxy(t, upstreamtest.ModuleProxyOptions{})
	env = append(env, "GOPROXY="+upstreamtest.Start(t, proxy), "GOSUMDB="+proxy.VerifierKey())
	dir := write(t, map[string]string{"go.mod": "module evil.test/x\n\ngo 9.99\n", "go.work": "go 9.99\n", "tmp/x": ""})
	t.Setenv("TMPDIR", filepath.Join(dir, "tmp"))
	if err := e.Prove(t.Context(), env); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	t.Setenv("TMPDIR", filepath.Join(dir, "none"))
	if err := e.Prove(t.Context(), env); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("got %v", err)
	}
}
