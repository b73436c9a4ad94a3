//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSecondSignalKills: the first signal asks for an orderly end. What blocks for ever, here a pipe that is full and that
// nobody reads, is ended by the next.
func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var lock strings.Builder // its report is longer than a pipe holds
	lock.WriteString(`{"lockfileVersion": 3, "packages": {"": {}`)
	for i := range 2000 {
		fmt.Fprintf(&lock, `, "node_modules/p%d": {"version": "1.0.0", "resolved": "http://a.test/p%[1]d/-/p%[1]d-1.0.0.tgz"}`, i)
	}
	lock.WriteString("}}")
	if err := os.WriteFile(filepath.Join(dir, "package-lock.json"), []byte(lock.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "goproxy-action", "check", "--scope", "repo", "--offline", "--format", "json", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil { // it is writing by now
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := cmd.Process.Wait()
		ended <- err
	}()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-deadline:
			_ = cmd.Process.Kill()
			t.Fatal("no signal but SIGKILL ends it")
		case <-tick.C:
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
		}
	}
}
