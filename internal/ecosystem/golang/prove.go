package golang

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

func absent(context.Context, []string) error {
	return fmt.Errorf("go is not on the PATH: %w", ecosystem.ErrNoTool)
}

// prove lets the go command download the known module, which is small, through the settings of an environment. It runs
// in a directory with caches and a go.mod of its own, so that it has to ask the network and the checksum database, and
// no file of the checkout has a say, wherever the temporary directory lies. It is "mod download", since "list -m" keeps
// silent when the database cannot be asked. The error is a *problem.Problem of code Unanswered, Security for a wrong
// go.mod, or Usage where there is no temporary directory.
func (v *view) prove(ctx context.Context, environ []string) error {
	const hint, temporary = "run goproxy-action detect to see what every source answers", "give a temporary directory that can be written (TMPDIR)"
	op := fmt.Sprintf("go mod download %s@%s through the new settings", v.known.path, v.known.version)
	dir, err := os.MkdirTemp("", "goproxy-action-")
	if err != nil {
		return problem.New(problem.Usage, op, temporary, "%w", err)
	}
	defer os.RemoveAll(dir)
	work := filepath.Join(dir, "work")
	if err = os.Mkdir(work, 0o700); err == nil {
		err = os.WriteFile(filepath.Join(work, "go.mod"), []byte("module goproxy-action.invalid/proof\n"), 0o600)
	}
	if err != nil {
		return problem.New(problem.Usage, op, temporary, "%w", err)
	}

	child := ecosystem.Child{Exe: v.tool, Dir: work, Args: []string{"mod", "download", "-json", v.known.path + "@" + v.known.version},
		Environ: v.proofEnviron(environ), Checkout: v.co.Fence, Set: []string{"GOENV=off", "GOTOOLCHAIN=local", "GOWORK=off", "GO111MODULE=on",
			"GOFLAGS=-modcacherw", "GOCACHEPROG=", "GOPATH=" + filepath.Join(dir, "path"), "GOMODCACHE=" + filepath.Join(dir, "mod"), "GOCACHE=" + filepath.Join(dir, "build")}}
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

// proofEnviron is an environment in which the settings that a proof is about are spelled out, since the child reads no
// GOENV file: the variable, else what the machine set. What a file of the checkout sets has no say.
func (v *view) proofEnviron(environ []string) []string {
	values := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	out := slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		root, ok := strings.CutPrefix(pair, "GOROOT=")
		return ok && !v.trusted(root)
	})
	for _, name := range [...]string{"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOAUTH"} {
		value := values[name]
		if s := v.set.get(name); value == "" && s.origin != source.Checkout && s.from != "" {
			value = s.value
		}
		if name == "GOAUTH" {
			value = v.startable(value)
		}
		if value != "" {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// startable is a GOAUTH without the commands that name something behind the fence: a program or its script, or a
// directory whose git configuration would be obeyed.
func (v *view) startable(auth string) string {
	if auth == "" {
		return ""
	}
	commands := slices.DeleteFunc(strings.Split(auth, ";"), func(command string) bool {
		if strings.Contains(command, v.co.Fence) {
			return true // in a composite word
		}
		quoted, _ := splitFlags(command) // the go command reads it with and without quotes
		return slices.ContainsFunc(append(quoted, strings.Fields(command)...), func(word string) bool { return filepath.IsAbs(word) && !v.trusted(word) })
	})
	return cmp.Or(strings.Join(commands, ";"), "off")
}
