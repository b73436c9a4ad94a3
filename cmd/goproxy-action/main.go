// Command goproxy-action is the safest and fastest way for a CI job to reach its dependencies, on any network.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"

	"golang.org/x/term"

	"github.com/org/goproxy-action/internal/cli"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/policy"
)

// Stamped by the release build (-ldflags -X): the version, and the default sources that the build machine's toolchains
// have built in.
var (
	version     string
	officialGo  string
	officialNPM string
)

// verifyMemory is where verify begins to collect more often: the answers for 11,000 lines would take twice as much, and no
// less time.
const verifyMemory = 72 << 20

func main() {
	if os.Getenv("GOGC") == "" {
		// a run is over in a moment: collecting less often takes 15 % off setup, and peak memory stays as it is
		debug.SetGCPercent(400)
		if slices.Contains(os.Args[1:], "verify") {
			debug.SetMemoryLimit(verifyMemory)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // what blocks for ever, such as a pipe that nobody reads, ends with a second signal
	code := cli.Main(ctx, system())
	stop()
	os.Exit(code)
}

func system() cli.Process {
	if version == "" {
		version = "devel"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
	}
	executable := "/proc/self/exe" // what runs, even where another file has taken its name
	if runtime.GOOS != "linux" {
		executable, _ = os.Executable() // "" cannot be opened, and the error says so
	}
	width, _, _ := term.GetSize(int(os.Stderr.Fd()))
	return cli.Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
		StdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())), StderrTerminal: term.IsTerminal(int(os.Stderr.Fd())), Width: width,
		OS: runtime.GOOS, Executable: executable, Version: version, Policies: policy.FS(),
		Official: map[string]string{source.Go: officialGo, source.NPM: officialNPM},
	}
}
