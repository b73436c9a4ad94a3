// Package run knows the order of the stages, and nothing else does.
package run

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/ecosystem/golang"
	"github.com/org/goproxy-action/internal/ecosystem/npm"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// Process is what a run may use of the process it is in. Nothing else reads the environment or opens a socket.
type Process struct {
	// Lookup finds a variable, as os.LookupEnv does; Environ is the whole environment, for children.
	Lookup  func(string) (string, bool)
	Environ []string
	// OS is runtime.GOOS.
	OS string
	// Version is this program's.
	Version string
	// Stamped are the toolchains' default sources as the build machine knew them, by ecosystem; may be nil.
	Stamped map[string]string
	// Dialer opens all connections.
	Dialer *egress.Dialer
	// Public are the public roots to judge interception by; nil is the bundle.
	Public *x509.CertPool
	// Front is the host that this runs in.
	Front *front.Front
	// Policies is the default bundle.
	Policies fs.FS
	// Flags finds a flag that the user gave; nil finds none.
	Flags config.Lookup
}

// job is what all commands share: the checkout, the settings, and what was read of each ecosystem.
type job struct {
	Process
	config   config.Config
	checkout *lockfile.Checkout
	// base is the checkout as the commit has it that a change is measured against; nil where there is none.
	base     *lockfile.Checkout
	baseSaid string // none, known, unknown
	proxies  detect.Settings
	systems  []*ecosystem.Ecosystem
	notes    []string
	notAsked []string
	scope    string
}

// open reads the settings and the checkout. offline asks nobody for the base commit.
func (p Process) open(ctx context.Context, scope string, offline bool) (*job, error) {
	j := &job{Process: p, scope: scope, baseSaid: "none"}
	if p.Front.Input != nil {
		if err := config.CheckInputs(p.Environ); err != nil {
			return nil, err
		}
	}
	dir, file, err := config.Where(p.Flags, p.Front.Input)
	if err != nil {
		return nil, err
	}
	names := append(golang.Names(), npm.Names()...)
	if j.checkout, err = lockfile.Open(dir.V, names...); err != nil {
		return nil, err
	}
	j.notes = append(j.notes, j.checkout.Notes...)
	if err := j.configure(ctx, file, names, offline); err != nil {
		j.checkout.Close()
		return nil, err
	}
	for _, s := range j.config.Secrets() {
		j.mask(s)
	}
	wish := func(v config.Value[string]) detect.Setting { return detect.Setting{Value: v.V, Origin: v.Origin} }
	no := j.config.NoProxy
	j.proxies = detect.ProxySettings(p.Lookup, wish(j.config.HTTPSProxy), wish(j.config.HTTPProxy),
		detect.Setting{Value: joined(no.V), Origin: no.Origin})
	for _, s := range []string{j.proxies.HTTPS.Value, j.proxies.HTTP.Value} {
		for _, secret := range source.Secrets(s) {
			j.mask(secret)
		}
	}
	j.notes = append(j.notes, j.proxies.Notes...)
	if err := j.read(); err != nil {
		j.checkout.Close()
		return nil, err
	}
	return j, nil
}

// configure finds the settings: from the base commit where the checkout may be a stranger's proposal.
func (j *job) configure(ctx context.Context, file config.Value[string], names []string, offline bool) error {
	load := func(co *lockfile.Checkout) (config.Config, error) {
		f, err := co.Read(file.V, 0)
		if errors.Is(err, fs.ErrNotExist) {
			if file.Given() && co == j.checkout && !j.Front.Untrusted {
				return config.Config{}, problem.New(problem.Usage, file.V, "create it, or leave the setting out", "there is no such file (%s)", file.Origin)
			}
			f = lockfile.File{}
		} else if err != nil {
			return config.Config{}, err
		}
		return config.Load(f.Data, file.V, f.Linked, j.Flags, j.Front.Input)
	}
	head, err := load(j.checkout)
	if err != nil {
		return err
	}
	j.config = head
	if j.Front.Base == nil {
		return nil
	}
	if offline {
		j.baseSaid = "unknown"
		j.notAsked = append(j.notAsked, "the base commit, so hosts that this change introduces are not told from others")
		if j.Front.Untrusted {
			return j.withoutBase(head, names, errors.New("it was not asked (--offline)"))
		}
		return nil
	}
	base, err := j.Front.Base(ctx)
	var changed map[string][]byte
	if err == nil {
		changed, err = j.atBase(ctx, base, append(slices.Clone(names), path.Base(file.V)), file.V)
	}
	if err != nil {
		j.baseSaid = "unknown"
		if j.Front.Untrusted {
			return j.withoutBase(head, names, err)
		}
		j.notes = append(j.notes, fmt.Sprintf("the base commit could not be read, so hosts that this push introduces are not told from others: %v", err))
		return nil
	}
	j.baseSaid, j.base = "known", j.checkout.At(changed)
	if j.Front.Untrusted {
		trusted, err := load(j.base)
		if err != nil {
			return err
		}
		j.config = trusted.Stricter(head)
	}
	return nil
}

// withoutBase is a pull request whose base commit cannot be read: the built-in policy counts, and enforce cannot answer.
func (j *job) withoutBase(head config.Config, names []string, cause error) error {
	plain, err := config.Load(nil, "", false, j.Flags, j.Front.Input)
	if err != nil {
		return err
	}
	j.config = plain.Stricter(head)
	if j.config.Mode.V == config.Enforce && j.scope != scopeHook {
		return problem.New(problem.Usage, "base commit", "", "a pull request is judged by the policy of the commit it is measured against, and that could not be read: %w", cause)
	}
	j.notes = append(j.notes, fmt.Sprintf("the base commit could not be read, so only the built-in policy counts: %v", cause))
	return nil
}

// atBase gets the files that matter as the base commit has them, where the change touches them.
func (j *job) atBase(ctx context.Context, base *front.Base, names []string, configFile string) (map[string][]byte, error) {
	wanted := map[string]bool{configFile: true}
	for _, n := range names {
		for _, f := range j.checkout.Files(n) {
			wanted[f] = true
		}
	}
	for f := range base.Changed {
		if slices.Contains(names, path.Base(f)) {
			wanted[f] = true // deleted by the change
		}
	}
	out := map[string][]byte{}
	for f := range wanted {
		if base.Changed != nil && !base.Changed[f] {
			continue
		}
		data, err := base.Read(ctx, f)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			out[f] = nil
		case err != nil:
			return nil, err
		case data == nil:
			out[f] = []byte{}
		default:
			out[f] = data
		}
	}
	return out, nil
}

// Scopes of check.
const (
	ScopeAll  = "all"
	ScopeRepo = "repo"
	scopeHook = ScopeRepo
)

// read gathers what is known of each ecosystem: those asked for, else those that the checkout has files of, else those
// whose tools are installed.
func (j *job) read() error {
	news := map[string]func(ecosystem.Machine, *lockfile.Checkout) (*ecosystem.Ecosystem, error){source.Go: golang.New, source.NPM: npm.New}
	var all []*ecosystem.Ecosystem
	for _, name := range []string{source.Go, source.NPM} {
		if j.config.Tools.V != nil && !slices.Contains(j.config.Tools.V, name) {
			continue
		}
		m := ecosystem.Machine{Lookup: j.Lookup, Environ: j.Environ, OS: j.OS, Official: j.config.Official[name].V,
			Stamped: j.Stamped[name], Extra: j.config.Sources[name].V, SumDBKeys: j.config.SumDBKeys.V, RepoOnly: j.scope == ScopeRepo}
		e, err := news[name](m, j.checkout)
		if err != nil {
			return err
		}
		all = append(all, e)
	}
	if j.config.Tools.V != nil {
		j.systems = all
	} else {
		j.systems = slices.DeleteFunc(slices.Clone(all), func(e *ecosystem.Ecosystem) bool { return !e.Present })
		if len(j.systems) == 0 {
			j.notes = append(j.notes, "the checkout has neither a go.mod nor a package.json, so only this machine's settings are looked at")
			j.systems = slices.DeleteFunc(all, func(e *ecosystem.Ecosystem) bool { return !e.Installed })
		}
	}
	for _, e := range j.systems {
		j.notes = append(j.notes, e.Notes...)
		for _, s := range append(slices.Clone(e.InForce), e.Catalogue...) {
			for _, secret := range source.Secrets(s.URL) {
				j.mask(secret)
			}
		}
	}
	return nil
}

// mask keeps a secret out of the host's log, where it has one.
func (j *job) mask(secret string) {
	if j.Front.Mask != nil {
		j.Front.Mask(secret)
	}
}

// engine compiles the policies with the data of this run.
func (j *job) engine() (*decide.Engine, error) {
	return decide.New(j.Policies, j.data(), decide.Options{Severities: values(j.config.Severity)})
}

func (j *job) outcome(command string, start time.Time) report.Outcome {
	return report.Outcome{Command: command, Dir: j.config.Directory.V, Notes: j.notes, NotAsked: j.notAsked, Duration: time.Since(start)}
}

func values(m map[string]config.Value[string]) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v.V
	}
	return out
}

func joined(list []string) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += ","
		}
		out += s
	}
	return out
}
