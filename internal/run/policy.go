package run

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// keyLimit bounds a file with a key, in bytes; one of 16,384 bits has 3 KB.
const keyLimit = 64 << 10

// policyTree reads policies from a checkout. One that is reached by a link is refused: errors of a policy quote it, and
// what a link leads to may be a secret.
func policyTree(co *lockfile.Checkout) decide.Tree {
	return decide.Tree{
		List: func(_ context.Context, dir string) ([]string, error) { return co.List(dir) },
		Read: func(_ context.Context, name string) ([]byte, error) {
			f, err := co.Read(name, 0)
			if err == nil && f.Linked {
				return nil, problem.New(problem.Usage, name, "put the file itself there", "is reached by a symbolic link, and policies are not read through one")
			}
			return f.Data, err
		},
	}
}

// policyTreeAt reads policies from the base commit; prefix is where the checkout lies in its repository.
func policyTreeAt(base *front.Base, prefix string) decide.Tree {
	return decide.Tree{
		List: func(ctx context.Context, dir string) ([]string, error) { return base.List(ctx, prefix+dir) },
		Read: func(ctx context.Context, name string) ([]byte, error) { return base.Read(ctx, prefix+name) },
	}
}

// adopt is loadPolicies that goes on without policies where the job is lenient.
func (j *job) adopt(ctx context.Context, t decide.Tree) error {
	if j.Only != "" { // the default rules decide alone
		return nil
	}
	err := j.loadPolicies(ctx, t)
	if err != nil && j.lenient {
		j.notes, j.policies = append(j.notes, "the policies were left out: "+err.Error()), decide.Policies{}
		return nil
	}
	return err
}

// loadPolicies reads the policies of the user's that the settings name, from t.
func (j *job) loadPolicies(ctx context.Context, t decide.Tree) error {
	key, err := j.policyKey(ctx, t)
	if err != nil {
		return err
	}
	paths, named := j.config.Policies.V, j.config.Policies.Given()
	if !named {
		paths = []string{config.PolicyDir}
		if _, err := t.List(ctx, config.PolicyDir); errors.Is(err, fs.ErrNotExist) {
			paths = nil
		}
	}
	var outside []string
	for _, p := range j.PolicyPaths {
		p, local, err := j.policyPath(p)
		if err != nil {
			return err
		}
		if local {
			paths = append(paths, p)
		} else {
			outside = append(outside, p)
		}
	}
	if j.policies, err = decide.Load(ctx, t, paths, key); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			where := "in the checkout"
			if j.Front.Untrusted {
				where = "in the base commit, which a pull request is judged by"
			}
			err = problem.New(problem.Usage, "policies", "create it, or do not name it", "%s %s", strings.TrimSuffix(err.Error(), ": "+fs.ErrNotExist.Error())+" is not there", where)
		}
		return err
	}
	for _, p := range outside {
		more, err := decide.LoadPath(ctx, p, key)
		if err == nil {
			err = j.policies.Add(more)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// policyPath tells whether a path of the command line lies in the checkout, and gives it as policies are named there.
// What lies in the repository but not in the checkout could not be read from the base commit.
func (j *job) policyPath(p string) (name string, local bool, err error) {
	if !filepath.IsAbs(p) {
		if !filepath.IsLocal(p) {
			return "", false, problem.New(problem.Usage, "flag --policy", "give a path inside of the directory, or an absolute one outside of the repository", "%q leads out of the directory", source.Plain(p, 200))
		}
		return path.Clean(filepath.ToSlash(p)), true, nil
	}
	if rel, err := filepath.Rel(j.checkout.Dir(), p); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel), true, nil
	}
	if ecosystem.Inside(j.checkout.Fence, p) {
		return "", false, problem.New(problem.Usage, "flag --policy", "check the root of the repository, or put the policy somewhere else", "%s lies in the repository, but outside of the directory that is checked", source.Plain(p, 200))
	}
	return p, false, nil
}

// policyKey is the key that bundles have to be signed with; nil where there is none. One of the command line is a file
// of the machine.
func (j *job) policyKey(ctx context.Context, t decide.Tree) (*decide.Key, error) {
	if j.PolicyKey != "" {
		return ReadKey(j.PolicyKey)
	}
	text, from := j.config.PolicyKey.V, j.config.PolicyKey.Origin
	switch {
	case text == "":
		return nil, nil // none is wanted
	case strings.HasPrefix(text, "-----BEGIN"):
		return decide.ParseKey([]byte(text), from+": policy-key")
	case !filepath.IsLocal(text):
		return nil, problem.New(problem.Usage, from, "name a file inside of the directory, or write the key itself", "policy-key does not lie in the directory")
	}
	data, err := t.Read(ctx, path.Clean(filepath.ToSlash(text)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.New(problem.Usage, from, "put the public key there, in PEM", "policy-key names %s, which is not there", source.Plain(text, 100))
	}
	if err != nil {
		return nil, err
	}
	return decide.ParseKey(data, source.Plain(text, 200))
}

// ReadKey reads the public key of a file of the machine.
func ReadKey(file string) (*decide.Key, error) {
	name := source.Plain(file, 200)
	data, err := ecosystem.ReadFile(file, keyLimit)
	if err != nil {
		return nil, problem.New(problem.Usage, name, "name a file with the public key in PEM", "cannot be read")
	}
	return decide.ParseKey(data, name)
}

// Examined is what policies would judge, and the engine that would.
type Examined struct {
	Engine   *decide.Engine
	Input    decide.Input
	Notes    []string
	NotAsked []string
}

// Examine does all that Check does but for the judging. tune may change what the engine is made of.
func (p Process) Examine(ctx context.Context, ask Ask, tune func(*decide.Options)) (Examined, error) {
	j, err := p.open(ctx, ask, false)
	if err != nil {
		return Examined{}, err
	}
	defer j.checkout.Close()
	opts := j.options()
	if tune != nil {
		tune(&opts)
	}
	x := Examined{}
	if x.Engine, err = decide.New(j.Policies, j.data(), opts); err != nil {
		return x, err
	}
	j.each = ask.Packages || x.Engine.Reads("packages")
	x.Input, err = j.facts(ctx, x.Engine)
	x.Input.Schema, x.Notes, x.NotAsked = decide.Schema, j.notes, j.notAsked
	return x, err
}

// WrittenPolicies are the policies that the settings of the working tree name, whatever it is measured against: their
// author wants to try what stands there.
func (p Process) WrittenPolicies(ctx context.Context) (decide.Policies, error) {
	dir, file, err := config.Where(p.Flags, nil)
	if err != nil {
		return decide.Policies{}, err
	}
	j := &job{Process: p, masking: new(sync.Mutex)}
	own := *p.Front
	own.Untrusted, j.Front = false, &own
	if j.checkout, err = lockfile.Open(dir.V, p.Front.Workspace); err != nil {
		return decide.Policies{}, err
	}
	defer j.checkout.Close()
	j.checkout.Fence = j.fence()
	f, err := j.checkout.Read(file.V, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return decide.Policies{}, err
	}
	if j.config, err = config.Load(f.Data, file.V, f.Linked, p.Flags, nil); err != nil {
		return decide.Policies{}, err
	}
	if err := j.loadPolicies(ctx, policyTree(j.checkout)); err != nil {
		return decide.Policies{}, err
	}
	if len(j.policies.Modules) == 0 {
		return decide.Policies{}, problem.New(problem.Usage, "policies", "name some, or write one into "+config.PolicyDir, "there are none: %s is not there, and neither the configuration nor the command line names any", config.PolicyDir)
	}
	return j.policies, nil
}

// LoadPolicies reads policies from paths of the machine.
func LoadPolicies(ctx context.Context, paths []string, keyFile string) (decide.Policies, error) {
	var key *decide.Key
	var err error
	if keyFile != "" {
		if key, err = ReadKey(keyFile); err != nil {
			return decide.Policies{}, err
		}
	}
	var all decide.Policies
	for _, p := range paths {
		more, err := decide.LoadPath(ctx, p, key)
		if err == nil {
			err = all.Add(more)
		}
		if err != nil {
			return decide.Policies{}, err
		}
	}
	return all, nil
}

// notePolicies says to the author of a change which policies count.
func (j *job) notePolicies() {
	if len(j.policies.Modules) > 0 {
		j.notes = append(j.notes, "the policies that count are those of the base commit")
	} else if names, err := j.checkout.List(config.PolicyDir); err == nil && len(names) > 0 {
		j.notes = append(j.notes, config.PolicyDir+" of this change does not count yet: the base commit has no policies")
	}
}
