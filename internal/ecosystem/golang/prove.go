package golang

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

func absent(context.Context, []string) error {
	return fmt.Errorf("go is not on the PATH: %w", ecosystem.ErrNoTool)
}

// graceful is how long the pipes of an ended go command may stay open: a grandchild may hold them.
const graceful = time.Second

// prove lets the go command download the known module, which is small, through the settings of an environment. It runs
// in an empty directory with caches of its own, so that it has to ask the network and the checksum database, and no file
// of the checkout has a say. It is "mod download", since "list -m" keeps silent when the database cannot be asked. The error is a *problem.Problem of code Unanswered, or Security for a wrong go.mod.
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

	cmd := exec.CommandContext(ctx, v.tool, "mod", "download", "-json", v.known.path+"@"+v.known.version)
	cmd.Dir = work
	cmd.Env = append(environ[:len(environ):len(environ)], "GOTOOLCHAIN=local", "GOWORK=off", "GO111MODULE=on", "GOFLAGS=-modcacherw",
		"GOPATH="+filepath.Join(dir, "path"), "GOMODCACHE="+filepath.Join(dir, "mod"), "GOCACHE="+filepath.Join(dir, "build"), "PWD="+work)
	var stdout, stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = graceful
	asGroup(cmd)
	failed := cmd.Run()
	var answer struct{ Error, GoMod string }
	if err := json.Unmarshal(stdout.end.Bytes(), &answer); failed == nil && (err != nil || !inside(dir, answer.GoMod)) {
		failed = errors.New("the go command's answer names no go.mod that it fetched")
	}
	if failed != nil {
		if ctx.Err() != nil {
			failed = fmt.Errorf("no answer in time: %w", context.Cause(ctx))
		}
		if said := presentable(cmp.Or(answer.Error, stderr.end.String()), environ); said != "" {
			failed = fmt.Errorf("%w: %s", failed, said)
		}
		return problem.New(problem.Unanswered, op, hint, "%w", failed)
	}
	data, err := readMachine(answer.GoMod)
	if err != nil {
		return problem.New(problem.Unanswered, op, hint, "the go.mod that was fetched cannot be read: %w", reason(err))
	}
	if modSum(data) != v.known.modHash {
		return problem.New(problem.Security, op, "do not build through these sources; "+hint,
			"the go.mod that came is not the one that the checksum database knows")
	}
	return nil
}

// presentable is the end of a tool's words, fit for one line, without the secrets of addresses in the environment.
func presentable(text string, environ []string) string {
	for _, pair := range environ {
		_, value, _ := strings.Cut(pair, "=")
		if !strings.Contains(value, "://") {
			continue
		}
		for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(",| \t\n", r) }) {
			for _, secret := range source.Secrets(part) {
				if len(secret) >= 4 { // a shorter one would blot out half of the text, and Redact hides it in addresses
					text = strings.ReplaceAll(text, secret, "***")
				}
			}
		}
	}
	text = strings.TrimSpace(source.Redact(text))
	if len(text) > 400 {
		text = "…" + strings.ToValidUTF8(text[len(text)-400:], "")
	}
	return source.Plain(text, 0)
}

// tail keeps the last 64 KiB of what is written. The buffer is not embedded: io.Copy would find its ReadFrom.
type tail struct{ end bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.end.Write(p)
	t.end.Next(max(0, t.end.Len()-64<<10))
	return len(p), nil
}
