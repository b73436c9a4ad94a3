// Command release builds, describes and verifies the binaries of a release. It is run in a checkout, by release.sh, by
// goreleaser's hooks, and by anybody who wants to know whether a release is what its source says:
//
//	go run ./.github/release COMMAND
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/release"
	"github.com/org/goproxy-action/internal/source"
)

const usage = `usage: go run ./.github/release COMMAND, in a checkout of goproxy-action

  env                           print what goreleaser takes from the environment, as NAME=VALUE
  build DIR [GOOS/GOARCH...]    build the binaries of a release (default: all of .goreleaser.yaml) into DIR
  manifest DIR                  write the manifest of the binaries in DIR
  check [-snapshot] FILE...     compare binaries, alone or in archives, with the manifest
  sbom [-o FILE] BINARY         print a binary's bill of materials: CycloneDX 1.6, from its own build info
  verify [GOOS/GOARCH...]       in a checkout of a tag: rebuild the binaries and compare them with the manifest

The environment gives VERSION (v1.2.3; verify takes the manifest's), and may give OFFICIAL_GO and OFFICIAL_NPM, which are
otherwise asked of the machine's toolchains.
`

const (
	manifestFile = "cmd/launcher/manifest.json"
	many         = 100 // arguments
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		for line := range strings.Lines("release: " + source.Redact(err.Error())) {
			fmt.Fprintln(os.Stderr, source.Plain(strings.TrimRight(line, "\n"), 0))
		}
	}
	os.Exit(int(problem.CodeOf(err)))
}

func command(ctx context.Context, args []string, out io.Writer) error {
	version := os.Getenv("VERSION")
	var url, file string
	var snapshot bool
	commands := map[string]struct {
		least, most int
		flags       func(*flag.FlagSet)
		do          func(args []string) error
	}{
		"env":   {0, 0, nil, func([]string) error { return env(ctx, version, out) }},
		"build": {1, many, nil, func(args []string) error { return build(ctx, args[0], version, args[1:], out) }},
		"manifest": {1, 1, func(f *flag.FlagSet) {
			f.StringVar(&url, "url", release.Downloads+"/"+version, "")
			f.StringVar(&file, "o", manifestFile, "")
		}, func(args []string) error { return manifest(args[0], version, url, file) }},
		"check": {1, many, func(f *flag.FlagSet) { f.BoolVar(&snapshot, "snapshot", false, "") },
			func(args []string) error { return check(args, snapshot, out) }},
		"sbom": {1, 1, func(f *flag.FlagSet) { f.StringVar(&file, "o", "", "") }, func(args []string) error {
			data, err := sbom(args[0], version)
			if err == nil && file != "" {
				return os.WriteFile(file, data, 0o644)
			}
			if err == nil {
				_, err = out.Write(data)
			}
			return err
		}},
		"verify": {0, many, nil, func(args []string) error { return verify(ctx, args, out) }},
		"help":   {0, many, nil, func([]string) error { _, err := io.WriteString(out, usage); return err }},
	}
	if len(args) == 0 {
		return misused("no command")
	}
	c, ok := commands[args[0]]
	if !ok {
		return misused("%q is no command", args[0])
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if c.flags != nil {
		c.flags(flags)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return misused("%s: %v", args[0], err)
	}
	if n := flags.NArg(); n < c.least || n > c.most {
		return misused("%s: %d arguments", args[0], n)
	}
	return c.do(flags.Args())
}

func misused(format string, args ...any) error {
	return problem.New(problem.Usage, "", "run go run ./.github/release help", format, args...)
}

// manifest describes the binaries of a directory. All have to be of one toolchain and made as a release is.
func manifest(dir, version, url, file string) error {
	if !release.IsVersion(version) {
		return misused("manifest: VERSION is %q, and not a release's, such as v1.2.3", version)
	}
	m := release.Manifest{Version: version, URL: url, Binaries: map[string]release.Binary{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return problem.New(problem.Usage, "manifest", "run build first", "%w", err)
	}
	for _, e := range entries {
		b, err := describe(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if m.Go != "" && m.Go != b.goVersion {
			return problem.New(problem.Usage, e.Name(), "build all binaries with one toolchain", "it is built by %s, another one by %s", b.goVersion, m.Go)
		}
		m.Go = b.goVersion
		if _, twice := m.Binaries[b.platform]; twice {
			return problem.New(problem.Usage, e.Name(), "keep one of them", "it is a second binary for %s", b.platform)
		}
		m.Binaries[b.platform] = release.Binary{Asset: release.Asset(b.goos(), b.goarch()), SHA256: b.sha, Size: b.size}
	}
	data, err := m.Encode()
	if err != nil {
		return problem.New(problem.Usage, "manifest", "mend VERSION, -url or the directory", "%w", err)
	}
	return os.WriteFile(file, data, 0o644)
}

func readManifest() (release.Manifest, error) {
	data, err := os.ReadFile(manifestFile)
	if err != nil {
		return release.Manifest{}, problem.New(problem.Usage, "", "check out the tag of a release: git checkout v1.2.3", "%w", err)
	}
	m, err := release.Parse(data)
	if err != nil {
		return m, problem.New(problem.Usage, manifestFile, "take the file of the release's tag", "%w", err)
	}
	return m, nil
}

// check compares binaries with the manifest. In a snapshot of development there is none, and nothing to compare.
func check(files []string, snapshot bool, out io.Writer) error {
	if len(files) == 0 {
		return misused("check: no BINARY")
	}
	m, err := readManifest()
	if snapshot && errors.Is(err, os.ErrNotExist) {
		_, err := fmt.Fprintf(out, "not compared: development has no %s\n", manifestFile)
		return err
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, file := range files {
		b, err := describe(file)
		if err != nil {
			return err
		}
		failed = append(failed, compare(m, b, out))
	}
	return errors.Join(failed...)
}

func compare(m release.Manifest, b binary, out io.Writer) error {
	if err := m.Verify(m.Version, b.platform, b.sha, b.size); err != nil {
		fmt.Fprintf(out, "FAIL %s: sha256 %s, %s\n", b.platform, b.sha, b.goVersion)
		return err
	}
	_, err := fmt.Fprintf(out, "ok %s: sha256 %s\n", b.platform, b.sha)
	return err
}

// verify builds what the manifest lists once more and compares.
func verify(ctx context.Context, platforms []string, out io.Writer) error {
	m, err := readManifest()
	if err != nil {
		return err
	}
	have, err := goEnv(ctx, "GOVERSION")
	if err != nil {
		return err
	}
	if have["GOVERSION"] != m.Go {
		return problem.New(problem.Usage, "verify "+m.Version, "set GOTOOLCHAIN="+m.Go, "the release is built by %s, and this is %s", m.Go, have["GOVERSION"])
	}
	if len(platforms) == 0 {
		platforms = slices.Sorted(maps.Keys(m.Binaries))
	}
	dir, err := os.MkdirTemp("", "goproxy-action-verify-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir, m.Version, platforms, io.Discard); err != nil {
		return err
	}
	var failed []error
	for _, p := range platforms {
		b, err := describe(filepath.Join(dir, fileName(p)))
		if err != nil {
			return err
		}
		failed = append(failed, compare(m, b, out))
	}
	return errors.Join(failed...)
}
