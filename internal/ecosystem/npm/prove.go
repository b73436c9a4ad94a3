package npm

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
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
	child := ecosystem.Child{Exe: r.exe, Dir: dir, Checkout: r.co.Fence, Environ: environ,
		Args: []string{"view", probeName + "@" + probeVersion, "dist.integrity", "--json", "--no-workspaces"},
		Set: []string{"npm_config_cache=" + filepath.Join(dir, "cache"), "npm_config_update_notifier=false", "npm_config_fund=false",
			"npm_config_audit=false", "npm_config_loglevel=error", "npm_config_fetch_retries=0"}}
	stdout, said, err := child.Run(ctx)
	said = deadEnd.ReplaceAllString(said, "")
	if said != "" {
		said = "; it said: " + said
	}
	switch {
	case ctx.Err() != nil:
		return problem.New(problem.Unanswered, op, "see which source answers with goproxy-action detect", "npm did not end in time%s", said)
	case err != nil:
		return problem.New(problem.Unanswered, op, "see which source answers with goproxy-action detect", "npm view %s@%s failed (%w)%s",
			probeName, probeVersion, err, said)
	}
	var integrity string
	if json.Unmarshal(stdout, &integrity) != nil || integrity == "" {
		return problem.New(problem.Unanswered, op, "see which source answers with goproxy-action detect",
			"npm named no integrity for %s@%s%s", probeName, probeVersion, said)
	}
	if integrity != probeIntegrity {
		return problem.New(problem.Security, op, "do not install from this registry, and tell who runs it",
			"the registry names another integrity for %s@%s than the one that was published", probeName, probeVersion)
	}
	return nil
}

// deadEnd is npm's pointer to a log that is gone with its directory.
var deadEnd = regexp.MustCompile(`(\\n)?npm (error|ERR!) A complete log of this run can be found in[^\\]*`)
