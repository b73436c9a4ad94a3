package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/release"
)

// The flags are a contract with cmd/launcher, which builds by them where a release cannot be had.
func TestRecipe(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../" + recipeFile)
	if err != nil {
		t.Fatal(err)
	}
	r, err := readRecipe(data)
	if err != nil {
		t.Fatal(err)
	}
	args, err := r.args("v1.2.3", "https://go.test", "https://npm.test")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags",
		"-s -w -X main.version=v1.2.3 -X main.officialGo=https://go.test -X main.officialNPM=https://npm.test"}, args); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(r.Env, "CGO_ENABLED=0") {
		t.Errorf("cgo is not off: %q", r.Env)
	}
	var platforms []string
	for _, name := range r.Targets {
		p, _, _ := target(name)
		platforms = append(platforms, p)
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64", "linux/arm", "linux/riscv64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}, platforms); diff != "" {
		t.Error(diff)
	}
}

func TestRecipeRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"builds: [": recipeFile, "builds: []": "0 builds", "builds: [{}, {}]": "2 builds", "builds: [{targets: [linux]}]": `"linux" is not understood`,
		"builds: [{targets: [linux_amd64_v3]}]": "not understood", // our builds have the default level only
	} {
		if _, err := readRecipe([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := (recipe{Ldflags: []string{"{{ .Env.OTHER }}"}}).args("v1.2.3", "", ""); err == nil {
		t.Error("a variable that nobody knows is no error")
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	p, env, err := target("linux_arm_6")
	if err != nil || p != "linux/arm" || !slices.Equal(env, []string{"GOARM=6", "GOOS=linux", "GOARCH=arm"}) {
		t.Errorf("got %s %q %v", p, env, err)
	}
}

func TestFirstProxy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"GOSUMDB=x\nGOPROXY=https://a.test,direct\n":        "https://a.test",
		"GOPROXY=off|direct,http://b.test/x|https://c.test": "http://b.test/x",
		"GOPROXY=direct\nX=https://d.test\n":                "",
		"# GOPROXY=https://e.test\n":                        "",
	} {
		got := ""
		if m := firstProxy.FindStringSubmatch(text); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestPrevious(t *testing.T) {
	t.Parallel()
	tags := []string{"v1", "v1.2.0", "v1.10.0", "v1.9.0", "v1.11.0-rc.1", "v2.0.0", "vnext"}
	for version, want := range map[string]string{"v1.11.0": "v1.10.0", "v1.11.0-rc.2": "v1.11.0-rc.1", "v1.10.0": "v1.9.0", "v1.0.0": "", "v3.0.0": "v2.0.0"} {
		if got := previous(tags, version); got != want {
			t.Errorf("before %s: got %s, want %s", version, got, want)
		}
	}
}

func TestPURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, version, want string }{
		{"github.com/org/x/v2", "v2.0.1", "pkg:golang/github.com/org/x/v2@v2.0.1"},
		{"example.test/a~b", "v2.0.0+incompatible", "pkg:golang/example.test/a~b@v2.0.0%2Bincompatible"},
	} {
		if got := purl(tt.path, tt.version); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// stranger builds a small program that calls itself goproxy-action, with two modules in it, of which one is replaced.
func stranger(t *testing.T, args ...string) string {
	t.Helper()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "goproxy-action")
	for name, text := range map[string]string{
		"go.mod":                     "module github.com/org/goproxy-action\n\ngo 1.26\n\nrequire example.test/kept v1.0.0\n\nreplace example.test/kept v1.0.0 => ./kept\n",
		"cmd/goproxy-action/main.go": "package main\n\nimport \"example.test/kept\"\n\nfunc main() { println(kept.Word) }\n",
		"kept/go.mod":                "module example.test/kept\n",
		"kept/kept.go":               "package kept\n\nconst Word = \"x\"\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", file}, args...), "./cmd/goproxy-action")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

func TestSBOM(t *testing.T) {
	t.Parallel()
	file := stranger(t, "-trimpath")
	data, err := sbom(file, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if want := "pkg:golang/github.com/org/goproxy-action@v1.2.3?goarch=" + runtime.GOARCH + "&goos=" + runtime.GOOS + "#cmd/goproxy-action"; got.Metadata.Component.PURL != want {
		t.Errorf("got %s, want %s", got.Metadata.Component.PURL, want)
	}
	var names, refs []string
	for _, c := range got.Components {
		names, refs = append(names, c.Name), append(refs, c.Ref)
	}
	if diff := cmp.Diff([]string{"stdlib", "example.test/kept"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(refs, got.Dependencies[0].DependsOn); diff != "" {
		t.Error(diff)
	}
	b, err := describe(file)
	if err != nil {
		t.Fatal(err)
	}
	if h := got.Metadata.Component.Hashes; len(h) != 1 || h[0].Content != b.sha || got.Serial != serial(b.sha) {
		t.Errorf("hashes %v, serial number %s", h, got.Serial)
	}
	if again, _ := sbom(file, "v1.2.3"); string(again) != string(data) {
		t.Error("made twice, it is not the same")
	}
	if _, err := sbom(file, "devel"); problem.CodeOf(err) != problem.Usage {
		t.Errorf("without a version: %v", err)
	}
}

func TestDescribeRefuses(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{text: "no binary of Go", self: "and not github.com/org/goproxy-action", stranger(t): "not built as a release is"} {
		if _, err := describe(file); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	file := stranger(t, "-trimpath")
	dir, out := filepath.Dir(file), filepath.Join(t.TempDir(), "manifest.json")
	if err := manifest(dir, "v1.2.3", "https://x.test/v1.2.3", out); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	m, err := release.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	b, err := describe(file)
	if err != nil {
		t.Fatal(err)
	}
	want := release.Manifest{Version: "v1.2.3", Go: runtime.Version(), URL: "https://x.test/v1.2.3", Binaries: map[string]release.Binary{
		b.platform: {Asset: release.Asset(runtime.GOOS, runtime.GOARCH), SHA256: b.sha, Size: b.size}}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(file+"2", mustRead(t, file), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{manifest(dir, "v1.2.3", "https://x.test", out), manifest(dir, "1.2.3", "https://x.test", out), manifest(t.TempDir(), "v1.2.3", "https://x.test", out)} {
		if problem.CodeOf(err) != problem.Usage {
			t.Errorf("got %v", err)
		}
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Archives are read as goreleaser writes them; one that is damaged has no digest.
func TestUnpack(t *testing.T) {
	t.Parallel()
	want, dir := bytes.Repeat([]byte("program"), 1<<16), t.TempDir()
	write := func(name string, pack func(io.Writer) error) string {
		t.Helper()
		var b bytes.Buffer
		file := filepath.Join(dir, name)
		if err := errors.Join(pack(&b), os.WriteFile(file, b.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	compressed := func(pack func(io.Writer) error) func(io.Writer) error {
		return func(w io.Writer) error {
			z := gzip.NewWriter(w)
			return errors.Join(pack(z), z.Close())
		}
	}
	alone := func(w io.Writer) error { _, err := w.Write(want); return err }
	entries := func(names ...string) func(io.Writer) error {
		return func(w io.Writer) error {
			a := tar.NewWriter(w)
			for _, name := range names {
				_ = a.WriteHeader(&tar.Header{Name: name, Size: int64(len(want)), Mode: 0o755})
				_, _ = a.Write(want)
			}
			return a.Close()
		}
	}
	zipped := func(name string) func(io.Writer) error {
		return func(w io.Writer) error {
			z := zip.NewWriter(w)
			f, err := z.Create(name)
			if err == nil {
				_, err = f.Write(want)
			}
			return errors.Join(err, z.Close())
		}
	}
	for _, file := range []string{write("goproxy-action", alone), write("a.gz", compressed(alone)),
		write("a.tar.gz", compressed(entries("a/README.md", "a/goproxy-action"))), write("a.zip", zipped("a/goproxy-action.exe"))} {
		if got, err := unpack(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", file, len(got), err)
		}
		if strings.HasSuffix(file, "z") || strings.HasSuffix(file, ".zip") {
			data := mustRead(t, file)
			data[len(data)/2] ^= 0xff
			broken := strings.Replace(file, "a.", "broken.", 1)
			if err := os.WriteFile(broken, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := unpack(broken); err == nil && bytes.Equal(got, want) {
				t.Errorf("%s: the damage is not seen", broken)
			}
		}
	}
	for _, file := range []string{write("none.tar.gz", compressed(entries("a/README.md"))), write("none.zip", zipped("README.md")), write("no.gz", alone), write("no.zip", alone)} {
		if _, err := unpack(file); err == nil {
			t.Errorf("%s: no error", file)
		}
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"nix"}, {"build"}, {"manifest"}, {"sbom"}, {"sbom", "a", "b"}, {"check"}, {"env", "x"}, {"check", "-nix"}} {
		var p *problem.Problem
		if err := command(context.Background(), args, io.Discard); !errors.As(err, &p) || p.Code != problem.Usage || p.Hint == "" {
			t.Errorf("%q: %v", args, err)
		}
	}
}
