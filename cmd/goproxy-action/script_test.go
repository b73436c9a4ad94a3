package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"goproxy-action": main}) }

// TestScripts tells the user stories of testdata/script with the program as a process. They ask no network.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "../../testdata/script", RequireExplicitExec: true, RequireUniqueNames: true})
}
