//go:build unix

package npm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/problem"
)

// scriptNPM is a PATH entry with a shell script in npm's place.
func scriptNPM(t *testing.T, script string) string {
	t.Helper()
	// a child forked meanwhile would hold the script open for writing, and it could not be started ("text file busy")
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return write(t, map[string]string{"npm": "#!/bin/sh\n" + script + "\n"})
}

func TestProve(t *testing.T) {
	t.Parallel()
	const good = `echo '"` + probeIntegrity + `"'`
	for name, c := range map[string]struct {
		script string
		code   problem.Code
		want   string
	}{
		"good":        {good, problem.Clean, ""},
		"as told":     {`[ "$*" = "view is-number@7.0.0 dist.integrity --json --no-workspaces" ] && ` + good, problem.Clean, ""},
		"environment": {`[ "$npm_config_registry $npm_config_fetch_retries $npm_config_loglevel" = "https://me:s3cret@r.test/ 0 error" ] && [ -d "${npm_config_cache%/cache}" ] && ` + good, problem.Clean, ""},
		"own directory, which others cannot read": {`[ "$(ls -A)" = package.json ] && [ "$(ls -ld . | cut -c1-10)" = drwx------ ] && ` + good, problem.Clean, ""},
		"no relative directory on the path":       {`case "$PATH" in *elsewhere*) exit 1;; esac; ` + good, problem.Clean, ""},
		"fails":                                   {`echo 'npm error 503 https://me:s3cret@r.test/ token hunter22' >&2; echo 'npm error A complete log of this run can be found in: /x' >&2; exit 1`, problem.Unanswered, "(exit status 1); it said: npm error 503 https://***@r.test/ token ***; see"},
		"says very much":                          {`yes 'npm error https://me:s3cret@r.test/ 0123456789' | head -n 5000 >&2; exit 1`, problem.Unanswered, "it said: …"},
		"no answer":                               {`:`, problem.Unanswered, "named no integrity"},
		"another integrity":                       {`echo '"sha512-other"'`, problem.Security, "another integrity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := scriptNPM(t, c.script)
			environ := []string{"npm_config_registry=https://me:s3cret@r.test/", "NPM_TOKEN=hunter22", "PATH=elsewhere:" + bin + ":/usr/bin:/bin"}
			m := machine(environ...)
			e := open(t, m, nil)
			err := e.Prove(t.Context(), environ)
			if problem.CodeOf(err) != c.code {
				t.Fatalf("got %v, want code %d", err, c.code)
			}
			if err == nil {
				return
			}
			text := err.Error()
			if !strings.Contains(text, c.want) || strings.Contains(text, "s3cret") || strings.Contains(text, "hunter22") || len(text) > 900 {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}

func TestProveWithoutNPM(t *testing.T) {
	t.Parallel()
	e := open(t, machine("PATH="+t.TempDir()), nil)
	if err := e.Prove(t.Context(), nil); !errors.Is(err, ErrNoTool) || problem.CodeOf(err) != problem.Unanswered {
		t.Errorf("got %v", err)
	}
}

func TestProveLeavesCheckoutOut(t *testing.T) {
	t.Parallel()
	co := checkout(t, map[string]string{"checkout-bin/npm": "#!/bin/sh\nexit 1\n"})
	inside := filepath.Join(co.Dir(), "checkout-bin")
	bin := scriptNPM(t, `case "$PATH" in *checkout-bin*) exit 1;; esac; echo '"`+probeIntegrity+`"'`)
	environ := []string{"PATH=" + inside + ":" + bin + ":/usr/bin:/bin"}
	e, err := New(machine(environ...), co)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Prove(t.Context(), environ); err != nil {
		t.Error(err)
	}
}

// The whole process group must end with the context: npm's own children would hold the job.
func TestProveEndsInTime(t *testing.T) {
	t.Parallel()
	note := filepath.Join(t.TempDir(), "pid")
	bin := scriptNPM(t, `sleep 300 & echo $! >"`+note+`.new"; mv "`+note+`.new" "`+note+`"; wait`)
	environ := []string{"PATH=" + bin + ":/usr/bin:/bin"}
	e := open(t, machine(environ...), nil)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- e.Prove(ctx, environ) }()
	var pid int
	for deadline := time.Now().Add(20 * time.Second); pid == 0; time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(note); err == nil {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		if time.Now().After(deadline) {
			t.Fatal("the script did not start")
		}
	}
	cancel()
	if err := <-failed; problem.CodeOf(err) != problem.Unanswered || !strings.Contains(err.Error(), "did not end in time") {
		t.Errorf("got %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the script's child lives on")
		}
	}
}

// alive is false for a zombie as well: nobody may be there to reap an orphan.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}
