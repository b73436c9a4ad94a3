// Package front is the shape of a host that this program runs in: GitHub Actions, GitLab CI/CD, a terminal. A capability
// that is nil is not available there, and the report says so; nothing is done silently.
package front

import (
	"context"
	"io"
	"slices"

	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// Front translates one host's variables, files and limits.
type Front struct {
	// Name is "shell", "github" or "gitlab".
	Name string
	// Event is the host's name of what started the run; empty where it has none.
	Event string
	// Untrusted is true when the checkout may be a stranger's proposal (a pull request): policy then comes from the base.
	Untrusted bool
	// Input finds an input of the host by its name ("probe"); nil where the host has no inputs. An input that is set but
	// empty counts as not set.
	Input func(name string) (string, bool)
	// Mask keeps a secret out of the host's log from now on.
	Mask func(secret string)
	// Export gives the changes to what follows: all or none.
	Export func([]inject.Change) error
	// Where says in words to whom Export gives the changes.
	Where string
	// Output sets an output of the host.
	Output func(name, value string) error
	// SaveState keeps a value for Restore in a later process; State finds it again.
	SaveState func(name, value string) error
	State     func(name string) string
	// Annotate shows findings at their lines.
	Annotate func(w io.Writer, o report.Outcome)
	// Summary shows the outcome on the host's page.
	Summary func(o report.Outcome) error
	// Base finds the commit that a change is measured against. It is nil where there is none.
	Base func(ctx context.Context) (*Base, error)
	// BaseHere is Base without a network: where the checkout's own git objects do not have the commit, it is an error. It is
	// nil where Base is.
	BaseHere func(ctx context.Context) (*Base, error)
	// Workspace is the directory below which a checkout may not lead out by a link; empty where there is none.
	Workspace string
	// TempDir is where generated files may go; empty means the system's.
	TempDir string
	// Hosts are those that the host's own steps need, so that a network may cut them off: its API, its caches.
	Hosts []Host
	// StateDir is where hints for later runs may be kept; empty means nowhere.
	StateDir string
}

// Host is one place that a CI system needs.
type Host struct {
	// What is its use ("api").
	What string
	// URL is its address, without a path and without credentials.
	URL string
}

// Named are the hosts that variables name, by what they are for: pairs of What and a variable. What is no http or https
// address is left out, and so is a host that was named before.
func Named(lookup func(string) (string, bool), pairs ...string) []Host {
	var out []Host
	for i := 0; i < len(pairs); i += 2 {
		raw, _ := lookup(pairs[i+1])
		loc, err := source.Locate(raw)
		if err != nil || loc.Scheme != "https" && loc.Scheme != "http" {
			continue
		}
		u := loc.Scheme + "://" + loc.HostPort()
		if !slices.ContainsFunc(out, func(h Host) bool { return h.URL == u }) {
			out = append(out, Host{pairs[i], u})
		}
	}
	return out
}

// Base is the commit that a change is measured against.
type Base struct {
	// Commit is its hash.
	Commit string
	// Changed are the paths that differ; nil means not known, so all.
	Changed map[string]bool
	// Read gets a file as that commit has it; fs.ErrNotExist where it has none.
	Read func(ctx context.Context, path string) ([]byte, error)
	// List gets the names in a directory, those of directories with a slash behind; fs.ErrNotExist where there is none.
	List func(ctx context.Context, dir string) ([]string, error)
	// Close takes away what Read and List needed; nil where that is nothing.
	Close func()
}
