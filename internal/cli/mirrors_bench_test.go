package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/cli"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/upstreamtest"
	"github.com/org/goproxy-action/policy"
)

// The whole command, for eight module proxies with five samples of each, all of them a round trip of 200 ms away. The
// target is 10 s. Beside it: what it takes where two of them hang, and where one always fails.
func BenchmarkMirrors(b *testing.B) {
	for name, play := range map[string]func(*upstreamtest.World){
		"well":      func(*upstreamtest.World) {},
		"two hang":  func(w *upstreamtest.World) { w.Silent("goproxy.io"); w.Hole("a.corp.test") },
		"one fails": func(w *upstreamtest.World) { w.Serve("goproxy.io", upstreamtest.Status(http.StatusServiceUnavailable)) },
	} {
		b.Run(name, func(b *testing.B) {
			world, proxy := upstreamtest.NewWorld(b), upstreamtest.NewModuleProxy(b, upstreamtest.ModuleProxyOptions{})
			for host, below := range map[string]string{"official.test": "", "a.corp.test": "", "b.corp.test": "", "goproxy.cn": "", "goproxy.io": "",
				"mirrors.aliyun.com": "/goproxy", "mirrors.tencent.com": "/go", "mirrors.huaweicloud.com": "/repository/goproxy"} {
				world.Serve(host, http.StripPrefix(below, proxy))
			}
			play(world)
			dir, home := b.TempDir(), b.TempDir()
			for file, text := range map[string]string{
				filepath.Join(home, "goroot", "go.env"): "GOPROXY=https://official.test,direct\nGOSUMDB=" + proxy.VerifierKey() + "\n",
				filepath.Join(dir, "go.mod"):            "module example.test/app\n\ngo 1.26\n",
				filepath.Join(dir, ".goproxy", "config.yaml"): "checksum-database:\n  keys: [\"" + proxy.VerifierKey() +
					"\"]\nsources:\n  go: [https://a.corp.test, https://b.corp.test]\n",
			} {
				if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			resolve, dial := world.Far(200 * time.Millisecond)
			for b.Loop() {
				var out, errs bytes.Buffer
				code := cli.Main(context.Background(), cli.Process{Args: []string{"mirrors", dir, "--format", "json"}, Stdout: &out, Stderr: &errs,
					Environ: []string{"HOME=" + home, "GOROOT=" + filepath.Join(home, "goroot"), "TMPDIR=" + home}, OS: "linux", Version: "test",
					Policies: policy.FS(), Public: world.CA.Pool(), Dialer: &egress.Dialer{Resolve: resolve, Dial: dial, Roots: world.CA.Pool()}})
				var m mirrored
				if err := json.Unmarshal(out.Bytes(), &m); err != nil || code != 0 || name == "well" && len(m.Mirrors) < 8 {
					b.Fatalf("exit %d, %v\n%s%s", code, err, &out, &errs)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}
