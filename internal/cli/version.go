package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/release"
	"github.com/org/goproxy-action/internal/source"
)

// manifestTime bounds the way to a manifest with all its redirects: it has 2 KB, and a job may wait for it.
const manifestTime = 30 * time.Second

// versionReport is the command's result; the fields from SHA256 on are there with --verify.
type versionReport struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	*verification
}

type verification struct {
	SHA256   string          `json:"sha256"`
	Size     int64           `json:"size_bytes"`
	Manifest string          `json:"manifest"`
	Released string          `json:"manifest_version"`
	Expected *release.Binary `json:"expected"` // null: the release has none for this platform
	Verified bool            `json:"verified"`
}

func (m *program) version() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print the version, and verify this program", Args: cobra.NoArgs,
		Example: `  goproxy-action version --verify                          # against the release's manifest
  goproxy-action version --verify --manifest manifest.json`}
	f := format(cmd)
	verify := cmd.Flags().Bool("verify", false, "compare this program with the digests of its release")
	from := cmd.Flags().String("manifest", "", "the file or URL of the release's manifest (default the release's own)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := known(*f); err != nil {
			return err
		}
		if *from != "" && !*verify {
			return problem.New(problem.Usage, "flag --manifest", "add --verify", "there is nothing to compare it with")
		}
		r := versionReport{Version: m.Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
		line := "goproxy-action " + m.Version
		var verdict error
		if *verify {
			if r.verification, verdict = m.verify(cmd.Context(), *from); r.verification == nil {
				return verdict
			}
			line += fmt.Sprintf(" for %s/%s is the release's: sha256 %s (%s)", r.OS, r.Arch, r.SHA256, r.Manifest)
		}
		var err error
		if *f == "json" {
			err = json.NewEncoder(m.Stdout).Encode(r)
		} else if verdict == nil {
			_, err = fmt.Fprintln(m.Stdout, line)
		}
		if verdict != nil {
			return verdict
		}
		return err
	}
	return cmd
}

// verify compares the running program with a manifest, by default that of its own version. Without a result there is
// an error that says why nothing was compared; with one the error is the verdict.
func (m *program) verify(ctx context.Context, from string) (*verification, error) {
	if from == "" {
		if !release.IsVersion(m.Version) {
			return nil, problem.New(problem.Usage, "verify goproxy-action "+source.Plain(m.Version, 60),
				"name the manifest to compare with by --manifest, or take a release's program", "this is a build of development, which no release lists")
		}
		from = release.Downloads + "/" + m.Version + "/manifest.json"
	}
	shown := source.Plain(source.Redact(from), 300)
	listed, err := m.manifest(ctx, from, shown)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(m.Executable)
	if err != nil {
		return nil, problem.New(problem.Usage, "read this program", "make it readable for its user", "%w", err)
	}
	defer f.Close()
	v := &verification{Manifest: shown, Released: listed.Version}
	if v.SHA256, v.Size, err = release.Describe(f); err != nil {
		return nil, problem.New(problem.Usage, "read this program", "try again", "%w", err)
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if b, ok := listed.Binaries[platform]; ok {
		v.Expected = &b
	}
	err = listed.Verify(m.Version, platform, v.SHA256, v.Size)
	v.Verified = err == nil
	return v, err
}

// manifest reads a manifest from a file, or from a URL by the way that the environment gives.
func (m *program) manifest(ctx context.Context, from, shown string) (release.Manifest, error) {
	op, wayOut := "manifest "+shown, "name a copy of the file by --manifest"
	if !strings.Contains(from, "://") {
		f, err := os.Open(from)
		if err != nil {
			return release.Manifest{}, problem.New(problem.Usage, "flag --manifest", "name a file or a URL", "%w", err)
		}
		defer f.Close()
		listed, err := read(f)
		if err != nil {
			return listed, problem.New(problem.Usage, op, "take manifest.json of the release's assets", "%w", err)
		}
		return listed, nil
	}
	if !secure(from) {
		return release.Manifest{}, problem.New(problem.Usage, "flag --manifest", "write https", "%s can be changed on its way", shown)
	}
	ctx, cancel := context.WithTimeout(ctx, manifestTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return release.Manifest{}, problem.New(problem.Usage, "flag --manifest", "name a file or a URL", "%s is no URL", shown)
	}
	client := m.client()
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) >= 5 || !secure(r.URL.String()) {
			return errors.New("redirected too often, or away from https")
		}
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return release.Manifest{}, problem.New(problem.Unanswered, op, wayOut, "%s", source.Plain(source.Redact(cause(err)), 300))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return release.Manifest{}, problem.New(problem.Unanswered, op, wayOut, "the answer is %s", source.Plain(response.Status, 60))
	}
	listed, err := read(response.Body)
	if err != nil { // a captive portal's page, or half of an answer
		return listed, problem.New(problem.Unanswered, op, wayOut, "the answer is no manifest: %w", err)
	}
	return listed, nil
}

func read(r io.Reader) (release.Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(r, release.Limit+1))
	if err != nil {
		return release.Manifest{}, errors.New(source.Plain(source.Redact(cause(err)), 300))
	}
	return release.Parse(data)
}

// secure tells whether nobody on the way can change what an address answers.
func secure(address string) bool {
	at, err := source.Locate(address)
	return err == nil && (at.Scheme == "https" || at.Scheme == "http" && at.Loopback)
}

// cause is an error without the URL, for which its message has a place already.
func cause(err error) string {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return err.Error()
}
