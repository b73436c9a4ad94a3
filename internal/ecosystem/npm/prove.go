package npm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// ErrNoTool is what Prove fails with where no npm is on the PATH: nothing can be proven, and nothing would read what was
// set.
var ErrNoTool = fmt.Errorf("npm is not on the PATH: %w", ecosystem.ErrNoTool)

// prove asks npm itself for one package, through the settings of environ, and compares the integrity. It runs in an
// empty directory of its own.
func (r *room) prove(ctx context.Context, environ []string) error {
	const op = "prove npm's settings"
	if r.exe == "" {
		return &problem.Problem{Code: problem.Unanswered, Op: op, Err: ErrNoTool, Hint: "install npm before this step, or leave npm out"}
	}
	dir, err := os.MkdirTemp("", "goproxy-npm-")
	if err != nil {
		return problem.New(problem.Unanswered, op, "make the directory for temporary files writable", "%w", err)
	}
	defer os.RemoveAll(dir)
	// Without a package.json npm would look for one, and for the .npmrc next to it, in the directories above, which others
	// may write to; with --no-workspaces it does not look for a workspace's root there either.
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}\n"), 0o600); err != nil {
		return problem.New(problem.Unanswered, op, "make the directory for temporary files writable", "%w", err)
	}
	var stdout, stderr tail
	cmd := exec.CommandContext(ctx, r.exe, "view", probeName+"@"+probeVersion, "dist.integrity", "--json", "--no-workspaces")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(r.childEnvironment(environ), "PWD="+dir, "npm_config_cache="+filepath.Join(dir, "cache"),
		"npm_config_update_notifier=false", "npm_config_fund=false", "npm_config_audit=false",
		"npm_config_loglevel=error", "npm_config_fetch_retries=0")
	killGroup(cmd)
	cmd.WaitDelay = time.Second // for a grandchild that holds the pipes
	err = cmd.Run()
	said := quote(stderr.bytes(), environ)
	switch {
	case ctx.Err() != nil:
		return problem.New(problem.Unanswered, op, "see which source answers with goproxy-action detect", "npm did not end in time%s", said)
	case err != nil:
		return problem.New(problem.Unanswered, op, "see which source answers with goproxy-action detect", "npm view %s@%s failed (%w)%s",
			probeName, probeVersion, err, said)
	}
	var integrity string
	if json.Unmarshal(stdout.bytes(), &integrity) != nil || integrity == "" {
		return problem.New(problem.Unanswered, op, "see which source answers with goproxy-action detect",
			"npm named no integrity for %s@%s%s", probeName, probeVersion, said)
	}
	if integrity != probeIntegrity {
		return problem.New(problem.Security, op, "do not install from this registry, and tell who runs it",
			"the registry names another integrity for %s@%s than the one that was published", probeName, probeVersion)
	}
	return nil
}

// childEnvironment is environ with a PATH that leads into no directory of the checkout: npm starts node by it.
func (r *room) childEnvironment(environ []string) []string {
	out := make([]string, 0, len(environ)+8)
	for _, pair := range environ {
		if name, path, _ := strings.Cut(pair, "="); strings.EqualFold(name, "PATH") {
			var dirs []string
			for _, d := range filepath.SplitList(path) {
				if filepath.IsAbs(d) && !inside(r.co.Dir(), d) {
					dirs = append(dirs, d)
				}
			}
			pair = name + "=" + strings.Join(dirs, string(filepath.ListSeparator))
		}
		out = append(out, pair)
	}
	return out
}

// tail keeps the last bytes that were written.
type tail struct {
	kept []byte
	cut  bool
}

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
	return len(p), nil
}

// bytes is what was kept, from a line's start on: half an address could not be redacted.
func (t *tail) bytes() []byte {
	if t.cut {
		_, rest, _ := bytes.Cut(t.kept, []byte("\n"))
		return rest
	}
	return t.kept
}

var secretName = regexp.MustCompile(`(?i)token|secret|passw|_auth|api_?key|credential`)

// deadEnd is npm's pointer to a log that is gone with its directory.
var deadEnd = regexp.MustCompile(`(?m)^.*A complete log of this run can be found in.*$`)

// quote makes npm's words fit for an error: without secrets of the environment, the last 400 bytes.
func quote(text []byte, environ []string) string {
	said := source.Redact(strings.TrimSpace(deadEnd.ReplaceAllString(string(text), "")))
	for _, pair := range environ {
		name, v, _ := strings.Cut(pair, "=")
		secrets := source.Secrets(v)
		if secretName.MatchString(name) {
			secrets = append(secrets, v)
		}
		for _, s := range secrets {
			if len(s) >= 4 { // less is no secret, and would tear words apart
				said = strings.ReplaceAll(said, s, hidden)
			}
		}
	}
	if said == "" {
		return ""
	}
	if over := len(said) - 400; over > 0 {
		said = "…" + strings.ToValidUTF8(said[over:], "")
	}
	return fmt.Sprintf("; it said: %s", source.Plain(strings.ReplaceAll(said, "\n", " | "), 0))
}
