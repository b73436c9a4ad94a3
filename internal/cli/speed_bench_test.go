package cli_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/cli"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/upstreamtest"
	"github.com/org/goproxy-action/policy"
)

// benched is a stage for benchmarks: files are the checkout's, and official.test, the toolchain's default module proxy,
// answers after delay. The function runs the program; an exit other than 0 ends the benchmark.
func benched(b *testing.B, delay time.Duration, files map[string]string) (run func(args ...string) (stdout []byte)) {
	b.Helper()
	world, proxy := upstreamtest.NewWorld(b), upstreamtest.NewModuleProxy(b, upstreamtest.ModuleProxyOptions{})
	world.Serve("official.test", upstreamtest.Slow(delay, proxy))
	dir, home := b.TempDir(), b.TempDir()
	write := func(path, data string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	write(filepath.Join(home, "goroot/go.env"), "GOPROXY=https://official.test,direct\nGOSUMDB="+proxy.VerifierKey()+"\n")
	write(filepath.Join(dir, ".goproxy/config.yaml"), "checksum-database:\n  keys: [\""+proxy.VerifierKey()+"\"]\n")
	for name, data := range files {
		write(filepath.Join(dir, name), data)
	}
	process := cli.Process{Environ: []string{"HOME=" + home, "GOROOT=" + filepath.Join(home, "goroot"), "TMPDIR=" + home}, OS: "linux",
		Version: "test", Policies: policy.FS(), Public: world.CA.Pool(),
		Dialer: &egress.Dialer{Resolve: world.Resolve, Dial: world.Dial, Roots: world.CA.Pool()}}
	return func(args ...string) []byte {
		var out, errs bytes.Buffer
		p := process
		p.Args, p.Stdout, p.Stderr = append(args, dir), &out, &errs
		if code := cli.Main(context.Background(), p); code != 0 {
			b.Fatalf("exit %d\n%s%s", code, &out, &errs)
		}
		return out.Bytes()
	}
}

// What setup adds to the slowest source that it has to ask, where all is well. The target is 100 ms.
func BenchmarkSetupAllWell(b *testing.B) {
	run := benched(b, 20*time.Millisecond, map[string]string{"go.mod": "module example.test/app\n\ngo 1.26\n"})
	var slowest, over float64
	for b.Loop() {
		start := time.Now()
		out := run("setup", "--format", "json")
		took := float64(time.Since(start)) / float64(time.Millisecond)
		var report struct {
			Detect struct {
				Sources []struct {
					FirstByte float64 `json:"ttfb_ms"`
				}
			}
			Changes []any
		}
		if err := json.Unmarshal(out, &report); err != nil || len(report.Detect.Sources) != 1 || len(report.Changes) != 0 {
			b.Fatalf("all is not well: %v\n%s", err, out)
		}
		slowest += report.Detect.Sources[0].FirstByte
		over += took - report.Detect.Sources[0].FirstByte
	}
	b.ReportMetric(slowest/float64(b.N), "slowest_probe_ms")
	b.ReportMetric(over/float64(b.N), "overhead_ms")
}

// check of a lock file of 10,000 packages, without the start of a process. The target is 250 ms with it.
func BenchmarkCheck10k(b *testing.B) {
	var lock strings.Builder
	lock.WriteString(`{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "app", "version": "1.0.0"}`)
	for i := range 10_000 {
		sum := sha512.Sum512(fmt.Append(nil, i))
		fmt.Fprintf(&lock, ",\n"+`    "node_modules/package-%d": {
      "version": "1.0.0",
      "resolved": "https://registry.npmmirror.com/package-%[1]d/-/package-%[1]d-1.0.0.tgz",
      "integrity": "sha512-%s",
      "license": "MIT"
    }`, i, base64.StdEncoding.EncodeToString(sum[:]))
	}
	lock.WriteString("}}\n")
	run := benched(b, 0, map[string]string{"package.json": `{"name": "app", "version": "1.0.0"}`, "package-lock.json": lock.String()})
	b.SetBytes(int64(lock.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if out := run("check", "--format", "json"); !bytes.Contains(out, []byte(`"packages": 10000`)) {
			b.Fatalf("other than 10,000 packages:\n%s", out)
		}
	}
}

// check of a go.mod with 300 requirements, every tenth of them no release, and a go.sum of 300 modules.
func BenchmarkCheckModules300(b *testing.B) {
	var mod, sums strings.Builder
	mod.WriteString("module example.test/app\n\ngo 1.25\n\nrequire (\n")
	for i := range 300 {
		version := "v1.2.3"
		if i%10 == 0 {
			version = "v0.0.0-20240102030405-0123456789ab"
		}
		sum := sha256.Sum256(fmt.Append(nil, i))
		hash := "h1:" + base64.StdEncoding.EncodeToString(sum[:])
		fmt.Fprintf(&mod, "\tgithub.com/owner-%d/module-%[1]d %s\n", i, version)
		fmt.Fprintf(&sums, "github.com/owner-%d/module-%[1]d %s %s\ngithub.com/owner-%[1]d/module-%[1]d %[2]s/go.mod %[3]s\n", i, version, hash)
	}
	mod.WriteString(")\n")
	run := benched(b, 0, map[string]string{"go.mod": mod.String(), "go.sum": sums.String()})
	b.ReportAllocs()
	for b.Loop() {
		if out := run("check", "--scope", "repo", "--format", "json"); !bytes.Contains(out, []byte(`"modules": 300`)) {
			b.Fatalf("other than 300 modules:\n%s", out)
		}
	}
}
