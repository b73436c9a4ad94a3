package golang

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// atOnce is how many modules are asked about at the same time.
	atOnce = 32
	// maxInfo bounds an .info, which has some 200 bytes, and maxList a list of versions: the longest has some 200 KB.
	maxInfo, maxList = 64 << 10, 4 << 20
	// maxLatest bounds a go.mod that a proxy answers with: that of a stranger may be made to take two hundred times its size
	// when it is parsed.
	maxLatest = 1 << 20
)

// fetched is a module that go.mod files ask for, as it will be downloaded.
type fetched struct {
	module.Version
	at lockfile.Position
	// vendored is true where the go command takes all modules from a vendor directory.
	vendored bool
}

// releases asks the module proxies that the go command would ask, as it would walk their list.
func (v *view) releases(ctx context.Context, q ecosystem.Inquiry) (said ecosystem.Said) {
	list, vendored := v.pinned(q)
	if vendored > 0 {
		said.NotAsked = append(said.NotAsked, fmt.Sprintf("what sources say of the versions of vendored modules (%d)", vendored))
	}
	if len(list) == 0 {
		return said
	}
	set := v.set
	if q.After != nil {
		set = set.with(v.changes(*q.After))
	}
	private := patterns(cmp.Or(set.get("GONOPROXY").value, set.get("GOPRIVATE").value))
	without := func(unwanted func(path string) bool, why string) {
		n := len(list)
		list = slices.DeleteFunc(list, func(r ecosystem.Release) bool { return unwanted(r.Name) })
		if n -= len(list); n > 0 {
			said.NotAsked = append(said.NotAsked, fmt.Sprintf("what sources say of the versions of modules that %s (%d)", why, n))
		}
	}
	without(func(path string) bool { return module.MatchPrefixPatterns(private, path) }, "GOPRIVATE or GONOPROXY names")
	proxies := set.get("GOPROXY")
	chain := parseProxies(proxies.value, v.m.OS)
	if slices.ContainsFunc(chain, v.everybodys) {
		without(v.owners(q.Base), "belong to the owner of the checkout's own, and may be private (modules.public)")
	}
	if len(list) == 0 {
		return said
	}
	if why := unasked(v.m.RepoOnly, proxies, chain); why != "" {
		said.NotAsked = append(said.NotAsked, "what sources say of the versions of modules (MOD003 MOD004 MOD005): "+why)
		return said
	}
	a := asker{q: q}
	defer a.close()
	for _, p := range chain {
		if p.Kind != "url" {
			a.end = p.Kind
			break
		}
		a.links = append(a.links, a.link(p))
	}
	byPath := map[string][]ecosystem.Release{}
	var paths []string
	for _, r := range list {
		if byPath[r.Name] == nil {
			paths = append(paths, r.Name)
		}
		byPath[r.Name] = append(byPath[r.Name], r)
	}
	facts, late := make([][]decide.Flagged, len(paths)), make([]int, len(paths))
	ecosystem.Each(len(paths), atOnce, func(i int) { facts[i], late[i] = a.ask(ctx, byPath[paths[i]]) })
	said.Asked = len(list)
	said.Flagged, said.Untold = ecosystem.Gather(facts)
	for _, n := range late {
		said.Late += n
	}
	return said
}

// everybodys tells whether a proxy is one for the public.
func (v *view) everybodys(p proxy) bool {
	base := trimBase(p.raw)
	return base == trimBase(v.official.URL) || slices.ContainsFunc(v.catalogue, func(s source.Source) bool { return s.Public && trimBase(s.URL) == base })
}

// unasked is why there is no module proxy to ask; empty where there is one.
func unasked(repoOnly bool, proxies setting, chain []proxy) string {
	switch {
	case repoOnly:
		return "the machine's settings, which name the sources, are left out"
	case proxies.origin == source.Checkout:
		return "a file of the checkout names the sources"
	case len(chain) == 0:
		return "no module proxy is known"
	case slices.ContainsFunc(chain, func(p proxy) bool { return p.Kind == "invalid" }):
		return "GOPROXY cannot be read"
	case chain[0].Kind != "url":
		return "GOPROXY asks no module proxy"
	}
	return ""
}

// pinned are the modules that the inquiry is about, without those that the go command takes from a vendor directory: it
// would not ask for them.
func (v *view) pinned(q ecosystem.Inquiry) (list []ecosystem.Release, vendored int) {
	if q.Base == nil && !q.All {
		return nil, 0
	}
	var known map[module.Version]bool
	if q.Base != nil {
		known = versions(q.Base)
	}
	index := map[module.Version]int{}
	for _, f := range v.fetched {
		if known[f.Version] && !q.All {
			continue
		}
		if f.vendored {
			vendored++
			continue
		}
		i, ok := index[f.Version]
		if !ok {
			origin := source.Checkout
			if known[f.Version] {
				origin = source.Base
			} else if known != nil {
				origin = source.Change
			}
			i = len(list)
			index[f.Version], list = i, append(list, ecosystem.Release{Name: f.Path, Version: f.Version.Version, Origin: origin})
		}
		if at := list[i].At; len(at) == 0 || at[len(at)-1].File != f.at.File {
			list[i].At = append(at, f.at)
		}
	}
	return list, vendored
}

// versions are all that the go.mod and go.work files of a commit require and put in the place of others. A file that
// cannot be read or understood has none.
func versions(co *lockfile.Checkout) map[module.Version]bool {
	out := map[module.Version]bool{}
	for _, name := range append(co.Files("go.mod"), co.Files("go.work")...) {
		file, err := co.Read(name, maxModFile)
		if err != nil {
			continue
		}
		var replaces []*modfile.Replace
		if path.Base(name) == "go.mod" {
			if mod, err := modfile.Parse(name, file.Data, nil); err == nil {
				replaces = mod.Replace
				for _, r := range mod.Require {
					out[r.Mod] = true
				}
			}
		} else if work, err := modfile.ParseWork(name, file.Data, nil); err == nil {
			replaces = work.Replace
		}
		for _, r := range replaces {
			out[r.New] = true
		}
	}
	return out
}

// asker asks the proxies of a list, as the go command does: the next one where one has not what is asked for, or behind
// a "|" where it fails in any way.
type asker struct {
	q     ecosystem.Inquiry
	links []link
	// parsing is held by the one go.mod that is being parsed.
	parsing sync.Mutex
	// end is what stands behind them: direct, off, or nothing.
	end string
}

type link struct {
	*ecosystem.Registry
	// refused is why the proxy is not asked; nil where it is.
	refused error
	// any is true where the next one is asked after any failure.
	any bool
}

func (a *asker) link(p proxy) link {
	if n := len(a.links); n > 0 {
		a.links[n-1].any = p.Before == "|"
	}
	r, err := a.q.Registry(p.raw)
	return link{Registry: r, refused: err}
}

func (a *asker) close() {
	for _, l := range a.links {
		if l.Registry != nil {
			l.Close()
		}
	}
}

// get asks for one file. A proxy that may not be asked ends the list: what would be asked behind it depends on its answer.
func (a *asker) get(ctx context.Context, file string, limit int64, understand func([]byte) error) (err error) {
	for _, l := range a.links {
		if l.refused != nil {
			return cmp.Or(err, l.refused)
		}
		err = l.Get(ctx, file, "", limit, ecosystem.Whole(limit, understand))
		if err == nil || ctx.Err() != nil || !l.any && !errors.Is(err, ecosystem.ErrAbsent) {
			return err
		}
	}
	if a.end == "direct" {
		err = fmt.Errorf("%w, and its repository is not asked", err)
	}
	return err
}

// ask is what the proxies say of some versions of one module, and of how many they were not asked in time.
func (a *asker) ask(ctx context.Context, list []ecosystem.Release) (facts []decide.Flagged, late int) {
	name, err := module.EscapePath(list[0].Name)
	if err != nil {
		err = errors.New("no module can have its path")
	}
	var latest *modfile.File
	if err == nil {
		latest, err = a.latest(ctx, name)
	}
	for _, r := range list {
		was := len(facts)
		if err == nil {
			err = ctx.Err() // there may be as many versions as retractions
		}
		if err != nil {
			facts = append(facts, r.Unknown(source.Go, decide.AskState, "may be retracted or deprecated", err)...)
		} else {
			facts = append(facts, standing(r, latest)...)
		}
		if a.q.Dated(r.Name) {
			dated, err := a.dated(ctx, name, r.Version)
			if err != nil {
				facts = append(facts, r.Unknown(source.Go, decide.AskAge, "may be too young", err)...)
			} else {
				facts = append(facts, a.q.TooYoung(source.Go, r, dated, "committed")...)
			}
		}
		if ctx.Err() != nil && slices.ContainsFunc(facts[was:], func(f decide.Flagged) bool { return f.Kind == decide.FlagUnknown }) {
			late++
		}
	}
	return facts, late
}

// standing is what the go.mod of a module's latest version says of one version.
func standing(r ecosystem.Release, latest *modfile.File) (facts []decide.Flagged) {
	for _, x := range latest.Retract {
		if semver.Compare(x.Low, r.Version) <= 0 && semver.Compare(r.Version, x.High) <= 0 {
			facts = append(facts, r.Fact(source.Go, decide.FlagRetracted, "", "was retracted by its authors"+ecosystem.Because(x.Rationale))...)
			break
		}
	}
	if latest.Module != nil && latest.Module.Deprecated != "" {
		facts = append(facts, r.Fact(source.Go, decide.FlagDeprecated, "", "is of a deprecated module"+ecosystem.Because(latest.Module.Deprecated))...)
	}
	return facts
}

// latest is the go.mod of the latest version, chosen as the go command chooses the one whose retractions count (go 1.26,
// modload.queryLatestVersionIgnoringRetractions): the highest release of the list, else the highest prerelease, else what
// the proxy says. A version that is +incompatible has no go.mod that anybody wrote, and so is passed over.
func (a *asker) latest(ctx context.Context, name string) (*modfile.File, error) {
	var version string
	_ = a.get(ctx, name+"/@v/list", maxList, func(body []byte) error { version = highest(string(body)); return nil })
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if version == "" {
		var err error
		if version, _, err = a.info(ctx, name+"/@latest"); err != nil {
			return nil, err
		}
	}
	escaped, err := module.EscapeVersion(version)
	if err != nil {
		return nil, errors.New("the latest version has a name that no version can have")
	}
	var file *modfile.File
	err = a.get(ctx, name+"/@v/"+escaped+".mod", maxLatest, func(body []byte) error {
		a.parsing.Lock()
		defer a.parsing.Unlock()
		err := ctx.Err()
		if err != nil {
			return err
		}
		if file, err = modfile.ParseLax("go.mod", body, nil); err != nil || file.Module == nil {
			return fmt.Errorf("answered with a go.mod of the latest version, %s, that cannot be read", version)
		}
		file = &modfile.File{Module: file.Module, Retract: file.Retract} // the rest may be large
		return nil
	})
	return file, err
}

// highest is the highest release of a list of versions, else the highest prerelease; empty where there is neither.
func highest(list string) (best string) {
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		v := fields[0] // behind it a proxy may say more
		if semver.Canonical(v) != v || module.IsPseudoVersion(v) {
			continue
		}
		released, was := semver.Prerelease(v) == "", semver.Prerelease(best) == ""
		if best == "" || released && !was || released == was && semver.Compare(v, best) > 0 {
			best = v
		}
	}
	return best
}

func (a *asker) dated(ctx context.Context, name, version string) (time.Time, error) {
	escaped, err := module.EscapeVersion(version)
	if err != nil {
		return time.Time{}, errors.New("no version can have its name")
	}
	_, dated, err := a.info(ctx, name+"/@v/"+escaped+".info")
	if err == nil && dated.IsZero() {
		err = errors.New("its source has no date of it")
	}
	return dated, err
}

func (a *asker) info(ctx context.Context, file string) (version string, dated time.Time, err error) {
	err = a.get(ctx, file, maxInfo, func(body []byte) error {
		var info struct {
			Version string
			Time    time.Time
		}
		if err := json.Unmarshal(body, &info); err != nil || info.Version == "" {
			return errors.New("answered with what is no .info")
		}
		version, dated = info.Version, info.Time
		return nil
	})
	return version, dated, err
}
