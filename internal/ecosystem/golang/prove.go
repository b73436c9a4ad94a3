package golang

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
)

func absent(context.Context, []string) error {
	return fmt.Errorf("go is not on the PATH: %w", ecosystem.ErrNoTool)
}

// prove lets the go command download the known module, which is small, through the settings of an environment. It runs
// in an empty directory with caches of its own, so that it has to ask the network and the checksum database, and no file
// of the checkout has a say. It is "mod download", since "list -m" keeps silent when the database cannot be asked. The
// error is a *problem.Problem of code Unanswered, or Security for a wrong go.mod.
func (v *view) prove(ctx context.Context, environ []string) error {
	const hint = "run goproxy-action detect to see what every source answers"
	op := fmt.Sprintf("go mod download %s@%s through the new settings", v.known.path, v.known.version)
	dir, err := os.MkdirTemp("", "goproxy-action-")
	if err != nil {
		return problem.New(problem.Unanswered, op, "give a temporary directory that can be written (TMPDIR)", "%w", err)
	}
	defer os.RemoveAll(dir)
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return problem.New(problem.Unanswered, op, "give a temporary directory that can be written (TMPDIR)", "%w", err)
	}

	child := ecosystem.Child{Exe: v.tool, Dir: work, Args: []string{"mod", "download", "-json", v.known.path + "@" + v.known.version},
		Environ: environ, Checkout: v.co.Dir(), Set: []string{"GOTOOLCHAIN=local", "GOWORK=off", "GO111MODULE=on", "GOFLAGS=-modcacherw",
			"GOPATH=" + filepath.Join(dir, "path"), "GOMODCACHE=" + filepath.Join(dir, "mod"), "GOCACHE=" + filepath.Join(dir, "build")}}
	stdout, said, failed := child.Run(ctx)
	var answer struct{ Error, GoMod string }
	if err := json.Unmarshal(stdout, &answer); failed == nil && (err != nil || !ecosystem.Inside(dir, answer.GoMod)) {
		failed = errors.New("the go command's answer names no go.mod that it fetched")
	}
	if failed != nil {
		if said = cmp.Or(child.Presentable(answer.Error), said); said != "" {
			failed = fmt.Errorf("%w: %s", failed, said)
		}
		return problem.New(problem.Unanswered, op, hint, "%w", failed)
	}
	data, err := ecosystem.ReadFile(answer.GoMod, maxEnvFile)
	if err != nil {
		return problem.New(problem.Unanswered, op, hint, "the go.mod that was fetched cannot be read: %w", reason(err))
	}
	if modSum(data) != v.known.modHash {
		return problem.New(problem.Security, op, "do not build through these sources; "+hint,
			"the go.mod that came is not the one that the checksum database knows")
	}
	return nil
}
