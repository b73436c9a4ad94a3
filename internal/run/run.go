// Package run knows the order of the stages, and nothing else does.
package run

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/ecosystem/git"
	"github.com/org/goproxy-action/internal/ecosystem/golang"
	"github.com/org/goproxy-action/internal/ecosystem/npm"
	"github.com/org/goproxy-action/internal/ecosystem/workflow"
	"github.com/org/goproxy-action/internal/egress"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/machine"
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
	// Now is the time by which versions have an age and waivers end; nil asks the machine's clock.
	Now func() time.Time
	// Policies is the default bundle.
	Policies fs.FS
	// Flags finds a flag that the user gave; nil finds none.
	Flags config.Lookup
	// Credentials is true where the user wants those that the checkout's settings name though nothing but a terminal vouches
	// for it.
	Credentials bool
	// PolicyPaths are policies of the user's beside those that the settings name: relative to the checkout, or outside of
	// its repository. PolicyKey is a file of the machine with the key that bundles are signed with; empty means that the
	// settings say it.
	PolicyPaths []string
	PolicyKey   string
}

// job is what all commands share: the checkout, the settings, and what was read of each ecosystem.
type job struct {
	Process
	config   config.Config
	checkout *lockfile.Checkout
	// base is the checkout as the commit has it that a change is measured against; nil where there is none.
	base     *lockfile.Checkout
	baseSaid string // none, known, unknown
	// policies are the user's.
	policies decide.Policies
	// changed are the files that the base commit has in another form or not at all.
	changed map[string]bool
	// compared names the commit that findings are compared with (--diff); empty where all count.
	compared string
	// unlisted is why a directory of that commit could not be listed.
	unlisted error
	waivers  decide.Waivers
	proxies  detect.Settings
	// every are all that there are, whether or not they are looked at.
	every []*ecosystem.Ecosystem
	// deep asks what no job asks, and extra are targets beside the sources.
	deep  bool
	extra []detect.Target
	// told is what the tools of this machine are told; nil where nobody asked.
	told *machine.Reading
	// credentials are offered to their own sources alone.
	credentials *credential.Store
	masking     *sync.Mutex
	// unavailable is what a tool cannot be told.
	unavailable []string
	systems     []*ecosystem.Ecosystem
	// others give facts and no sources.
	others []*ecosystem.Ecosystem
	// said is what sources say of versions.
	said []decide.Flagged
	// log is what the transparency log says of the lines of go.sum; nil where nobody compared them.
	log *compared
	// health is that of the sources after this run, by ecosystem and id; nil where the strategy has no use for it.
	health   map[string]map[string]choose.Health
	notes    []string
	notAsked []string
	Ask
	// each is true where packages and modules are told one by one.
	each bool
	// lenient is true where what cannot be understood is left out.
	lenient bool
}

// Ask is what a check is asked for.
type Ask struct {
	// Scope is ScopeAll or ScopeRepo.
	Scope string
	// Offline asks no network.
	Offline bool
	// Packages tells Examine to tell packages and modules one by one whether or not a policy reads them.
	Packages bool
	// Diff names the commit that findings are compared with: a hash, a branch, a tag, or DiffAuto. Empty: all count.
	Diff string
	// Only is the one ecosystem that is looked at; empty means all.
	Only string
}

// open reads the settings and the checkout. Offline, the checkout alone is asked for the base commit. lenient goes on without waivers, and without the files of a checkout that
// cannot be understood.
func (p Process) open(ctx context.Context, ask Ask, lenient bool) (*job, error) {
	j := &job{Process: p, Ask: ask, baseSaid: "none", lenient: lenient, masking: new(sync.Mutex)}
	if p.Front.Input != nil {
		if err := config.CheckInputs(p.Environ); err != nil {
			return nil, err
		}
	}
	dir, file, err := config.Where(p.Flags, p.Front.Input)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(golang.Names(), npm.Names(), git.Names())
	if j.checkout, err = lockfile.Open(dir.V, p.Front.Workspace, names...); err != nil {
		return nil, err
	}
	j.checkout.Fence = j.fence()
	if err := golang.Join(j.checkout); err != nil {
		j.checkout.Close()
		return nil, err
	}
	if !lenient { // else nothing of the checkout is judged
		j.notes = append(j.notes, j.checkout.Notes...)
	}
	if err := j.configure(ctx, file, names); err != nil {
		j.checkout.Close()
		return nil, err
	}
	if !p.Front.Untrusted { // else they are of the base commit, and were read there
		if err := j.adopt(ctx, policyTree(j.checkout)); err != nil {
			j.checkout.Close()
			return nil, err
		}
	}
	for _, s := range j.config.Secrets() {
		j.mask(s)
	}
	wish := func(v config.Value[string]) detect.Setting { return detect.Setting{Value: v.V, Origin: v.Origin} }
	no := j.config.NoProxy
	j.proxies = detect.ProxySettings(p.Lookup, wish(j.config.HTTPSProxy), wish(j.config.HTTPProxy),
		detect.Setting{Value: strings.Join(no.V, ","), Origin: no.Origin})
	for _, s := range []string{j.proxies.HTTPS.Value, j.proxies.HTTP.Value} {
		for _, secret := range source.Secrets(s) {
			j.mask(secret)
		}
	}
	j.notes = append(j.notes, j.proxies.Notes...)
	err = j.read(false)
	if err != nil && lenient {
		j.notes = append(j.notes, "the checkout's files were left out: "+err.Error())
		j.checkout.Close()
		if j.checkout, err = lockfile.Open(dir.V, p.Front.Workspace); err != nil {
			return nil, err
		}
		j.checkout.Fence = j.fence()
		err = j.read(true)
	}
	if err == nil {
		err = j.authenticate()
	}
	if err != nil {
		j.checkout.Close()
		return nil, err
	}
	return j, nil
}

// configure finds the settings and the waivers: from the base commit where the checkout may be a stranger's proposal.
func (j *job) configure(ctx context.Context, file config.Value[string], names []string) error {
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
	if !j.lenient {
		if err := j.waive(j.checkout, head); err != nil {
			return err
		}
	}
	find, err := j.measured()
	if err != nil {
		return err
	}
	if find == nil {
		if j.Front.Untrusted {
			return j.withoutBase(head, errors.New("the CI system names none"))
		}
		return nil
	}
	switch {
	case j.named():
	case j.Offline && !j.Front.Untrusted: // the answer is that of the commit hook on the machine which made the push
		j.baseSaid = "unknown"
		j.notAsked = append(j.notAsked, "the base commit, so hosts and findings that this change introduces are not told from others")
		return nil
	case j.Offline:
		find = j.Front.BaseHere
	}
	base, err := find(ctx)
	var changed map[string][]byte
	if err == nil {
		if base.Close != nil {
			defer base.Close()
		}
		changed, err = j.atBase(ctx, base, names, file.V, config.WaiversFile)
	}
	if err == nil {
		if err := j.compare(base.Commit); err != nil {
			return err
		}
	}
	if problem.CodeOf(err) == problem.Security || err != nil && j.named() {
		return err // a forged commit, whatever the mode; and who names one wants that
	}
	if err != nil {
		j.baseSaid = "unknown"
		if j.Front.Untrusted {
			return j.withoutBase(head, err)
		}
		j.notes = append(j.notes, fmt.Sprintf("the base commit could not be read, so hosts and findings that this push introduces are not told from others: %v", err))
		return nil
	}
	j.baseSaid, j.base, j.changed = "known", j.checkout.At(changed), map[string]bool{}
	for name, data := range changed {
		if f, err := j.checkout.Read(name, 0); err != nil || data == nil || !bytes.Equal(f.Data, data) {
			j.changed[name] = true
		}
	}
	if j.Front.Untrusted {
		trusted, err := load(j.base)
		if err != nil {
			return err
		}
		j.config = trusted.Stricter(head)
		if slices.ContainsFunc(head.Credentials.V, func(c config.Credential) bool { return !hasCredential(trusted.Credentials.V, c) }) {
			j.notes = append(j.notes, "credentials that this change adds or alters are not used: those of the base commit are")
		}
		if err := j.adopt(ctx, policyTreeAt(base, j.inRepository())); err != nil {
			return err
		}
		j.notePolicies()
		if !j.lenient {
			return j.waive(j.base, trusted)
		}
	}
	return nil
}

// withoutBase is a pull request whose base commit cannot be read: the built-in policy counts, and enforce cannot answer.
// In scope repo, which is a commit hook's, the built-in policy is the answer, and a note says what it is without.
func (j *job) withoutBase(head config.Config, cause error) error {
	plain, err := config.Load(nil, "", false, j.Flags, j.Front.Input)
	if err != nil {
		return err
	}
	j.config = plain.Stricter(head)
	j.waivers.List, j.waivers.Judged = nil, true
	if j.config.Mode.V == config.Enforce && j.Scope != ScopeRepo {
		return problem.New(problem.Usage, "base commit", "", "a pull request is judged by the policy of the commit it is measured against, and that could not be read: %w", cause)
	}
	without := ""
	if len(head.Trusted) > 0 {
		without = ", without the checkout's own lists of trusted hosts"
	}
	j.notes = append(j.notes, fmt.Sprintf("the base commit could not be read, so only the built-in policy counts%s: %v", without, cause))
	return nil
}

// atBase gets the files that matter as the base commit has them, where the change touches them. Those of always are taken
// from there in any case: the checkout may be older than the base, or reach the file by a link.
func (j *job) atBase(ctx context.Context, base *front.Base, names []string, always ...string) (map[string][]byte, error) {
	prefix := j.inRepository()
	wanted := map[string]bool{}
	for _, f := range always {
		wanted[f] = true
	}
	for _, n := range names {
		for _, f := range j.checkout.Files(n) {
			wanted[f] = true
		}
	}
	for _, f := range workflow.Files(j.checkout) {
		wanted[f] = true
	}
	if err := j.deleted(ctx, base, names, wanted); err != nil {
		return nil, err
	}
	for f := range maps.Clone(wanted) {
		for _, beside := range golang.Beside(f) {
			wanted[beside] = true
		}
	}
	for _, f := range npm.Led(j.checkout) {
		wanted[f] = true
	}
	out := map[string][]byte{}
	for f := range wanted {
		if !slices.Contains(always, f) && base.Changed != nil && !base.Changed[prefix+f] && !j.checkout.Linked(f) {
			continue
		}
		data, err := base.Read(ctx, prefix+f)
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

// inRepository is where the checkout lies in its repository, with a slash at the end; empty for its root.
func (j *job) inRepository() string {
	rel, err := filepath.Rel(j.repository(), j.checkout.Dir())
	if err != nil || rel == "." {
		return ""
	}
	return filepath.ToSlash(rel) + "/"
}

// prefix is inRepository for a report. Where nothing tells of a repository, whoever stands above the checkout is taken to
// stand in its root; nothing else is believed for that.
func (j *job) prefix() string {
	root, dir := j.repository(), j.checkout.Dir()
	here, err := filepath.Abs(".")
	if _, e := os.Lstat(filepath.Join(root, ".git")); err != nil || e == nil || root == j.Front.Workspace || here == filepath.Dir(here) {
		return j.inRepository()
	}
	rel, err := filepath.Rel(here, dir)
	if err != nil || rel == "." || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.ToSlash(rel) + "/"
}

// repository is the nearest directory above the checkout, or it itself, that holds .git, which no commit can contain;
// else the workspace; else the checkout. For a stranger's proposal it is no submodule of another.
func (j *job) repository() string {
	if root := git.Root(j.checkout.Dir(), j.Front.Workspace); j.Front.Untrusted && root != "" {
		return root
	}
	for dir := j.checkout.Dir(); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil || dir == j.Front.Workspace {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return j.checkout.Dir()
		}
	}
}

// fence is the outermost directory that the author of the checkout may have written.
func (j *job) fence() string {
	root := j.repository()
	if rel, err := filepath.Rel(j.Front.Workspace, root); j.Front.Workspace != "" && err == nil && filepath.IsLocal(rel) {
		return j.Front.Workspace
	}
	return root
}

// Scopes of check.
const (
	ScopeAll  = "all"
	ScopeRepo = "repo"
)

// systems are the ecosystems that are set up.
var systems = map[string]func(ecosystem.Machine, *lockfile.Checkout) (*ecosystem.Ecosystem, error){source.Go: golang.New, source.NPM: npm.New}

// machine is what one ecosystem may know of the machine and of the settings.
func (j *job) machine(name string) ecosystem.Machine {
	return ecosystem.Machine{Lookup: j.Lookup, Environ: j.Environ, OS: j.OS, Official: j.config.Official[name].V, Stamped: j.Stamped[name],
		Extra: j.config.Sources[name].V, Mirrors: catalogue.Of(name, j.config.Mirrors.V), SumDBKeys: j.config.SumDBKeys.V,
		RepoOnly: j.Scope == ScopeRepo, ModuleHosts: j.config.ModuleHosts.V, ModulePrefixes: j.config.ModulePrefixes.V,
		Scripts: j.config.Scripts.V, Scopes: values(j.config.Scopes), Public: j.config.ModulePublic.V,
		Owner: git.Repository{Dir: j.repository(), Fence: j.fence()}.Owner()}
}

// read gathers what is known of each ecosystem: those asked for, else those that the checkout has files of, else those
// whose tools are installed; everything where all is true.
func (j *job) read(all bool) error {
	var found []*ecosystem.Ecosystem
	for _, name := range []string{source.Go, source.NPM} {
		if j.Only != "" && j.Only != name || j.Only == "" && j.config.Tools.V != nil && !slices.Contains(j.config.Tools.V, name) {
			continue
		}
		e, err := systems[name](j.machine(name), j.checkout)
		if err != nil {
			return err
		}
		found = append(found, e)
	}
	j.every = slices.Clone(found)
	if j.config.Tools.V != nil || all || j.Only != "" {
		j.systems = found
	} else {
		j.systems = slices.DeleteFunc(slices.Clone(found), func(e *ecosystem.Ecosystem) bool { return !e.Present })
		if len(j.systems) == 0 {
			if j.Scope != ScopeRepo {
				j.notes = append(j.notes, "the checkout has neither a go.mod nor a package.json, so only this machine's settings are looked at")
			}
			j.systems = slices.DeleteFunc(found, func(e *ecosystem.Ecosystem) bool { return !e.Installed })
		}
	}
	j.others = nil
	if j.Only != "" {
		return nil
	}
	for _, open := range []func(ecosystem.Machine, *lockfile.Checkout) (*ecosystem.Ecosystem, error){git.New, workflow.New} {
		e, err := open(ecosystem.Machine{Lookup: j.Lookup, Environ: j.Environ, OS: j.OS, RepoOnly: j.Scope == ScopeRepo}, j.checkout)
		if err != nil {
			return err
		}
		j.others = append(j.others, e)
	}
	for _, e := range slices.Concat(j.systems, j.others) {
		j.notes = append(j.notes, e.Notes...)
		j.maskSources(e)
	}
	return nil
}

// maskSources keeps the secrets in the addresses of sources out of the host's log.
func (j *job) maskSources(e *ecosystem.Ecosystem) {
	for _, s := range append(append(slices.Clone(e.InForce), e.Catalogue...), e.SumDB...) {
		if s.Origin == source.Checkout {
			continue // a stranger must not choose what the log hides
		}
		for _, secret := range source.Secrets(s.URL) {
			j.mask(secret)
		}
	}
}

// mask keeps a secret out of the host's log, where it has one.
func (j *job) mask(secret string) {
	j.masking.Lock()
	defer j.masking.Unlock()
	if j.Front.Mask != nil {
		j.Front.Mask(secret)
	}
}

// engine compiles the policies with the data of this run.
func (j *job) engine() (*decide.Engine, error) {
	engine, err := decide.New(j.Policies, j.data(), j.options())
	if err != nil && j.lenient && len(j.policies.Modules) > 0 {
		j.notes = append(j.notes, "the policies were left out: "+err.Error())
		j.policies = decide.Policies{}
		return decide.New(j.Policies, j.data(), j.options())
	}
	j.each = err == nil && engine.Reads("packages")
	return engine, err
}

func (j *job) options() decide.Options {
	return decide.Options{Severities: values(j.config.Severity), User: j.policies.Modules, UserData: j.policies.Data,
		UnknownRules: j.Front.Untrusted || j.lenient}
}

func (j *job) outcome(command string, start time.Time) report.Outcome {
	return report.Outcome{Command: command, Dir: j.config.Directory.V, Prefix: j.prefix(), Base: j.compared, Version: j.Version, Notes: j.notes, NotAsked: j.notAsked, Duration: time.Since(start)}
}

func values[V any](m map[string]config.Value[V]) map[string]V {
	out := map[string]V{}
	for k, v := range m {
		out[k] = v.V
	}
	return out
}
