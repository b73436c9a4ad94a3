package cli_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain gives journals and reports a directory that goes away.
func TestMain(m *testing.M) {
	temp, err := os.MkdirTemp("", "cli-test-")
	if err == nil {
		err = os.Setenv("TMPDIR", temp)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(temp)
	os.Exit(code)
}
