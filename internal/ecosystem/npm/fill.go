package npm

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// maxItems is how many entries of one group, and how many flagged packages of one kind, are told one by one; Count tells
	// of all entries.
	maxItems = 10_000
	// maxGroups bounds what policies have to judge, which takes them 0.1 ms each. A lock file has one to five.
	maxGroups = 10_000
)

// grouping gathers entries by file, place, kind and integrity, and flags packages on the way. A lock file names few places
// and very many packages, so the scheme and host of an address are read once per spelling.
type grouping struct {
	groups []decide.Group
	index  map[groupKey]int
	// origins are by the text of an address up to the path.
	origins map[string]origin
	flags
}

type groupKey struct{ file, place, kind, integrity string }

type origin struct {
	loc   source.Location
	place decide.Place
	// key is the canonical origin.
	key string
	ok  bool
	// fetched is true where what lies at the address is always downloaded, and never cloned.
	fetched bool
}

// judged is what an entry is found to be. key tells places apart, and other is the package that the address is of where
// that is not the entry's.
type judged struct {
	kind, class, key, other string
	place                   decide.Place
}

func (g *grouping) judge(e *lockfile.Entry) judged {
	j := judged{kind: kindRegistry, class: integrityClass(e.Integrity), other: e.Other}
	switch {
	case j.class == "none" && e.Unpinned:
		j.class = "omitted"
	case e.Own && e.Integrity == foreign:
		j.class = foreign
	}
	switch {
	case e.Fault != "":
		j.kind, j.key, j.place = kindInvalid, "broken: "+e.Fault, decide.Place{Broken: e.Fault}
	case e.URL != "":
		if j.kind, j.key, j.place, j.other = g.place(e); j.kind == kindTarball && e.Integrity == "" && commitArchive(e.URL) {
			j.kind = kindGit // pinned as git pins it
		}
	}
	return j
}

func (g *grouping) add(e *lockfile.Entry) {
	j, at := g.judge(e), e.At
	kind, class, place := j.kind, j.class, j.place
	named := e.URL != "" || e.Fault != ""
	g.flag(e, kind, j.other)
	k := groupKey{e.At.File, j.key, kind, class}
	i, ok := g.index[k]
	if !ok {
		i = len(g.groups)
		g.index[k] = i
		from := source.Checkout
		if !named {
			from = source.Builtin
		}
		if class == "broken" || class == foreign {
			at = e.IntegrityAt
		}
		g.groups = append(g.groups, decide.Group{Place: place, ID: "npm-" + strconv.Itoa(i+1), Ecosystem: source.NPM, Kind: kind,
			Integrity: class, Default: !named, Origin: from, Position: at})
	}
	group := &g.groups[i]
	if group.Count++; group.Count > maxItems {
		return
	}
	subject := subject(e)
	if group.Count <= 5 {
		group.Examples = append(group.Examples, subject)
	}
	item := decide.Item{Subject: subject, At: e.At}
	if e.Integrity != "" {
		item.Integrity = e.IntegrityAt
	}
	group.Items = append(group.Items, item)
}

// subject is name@version; a version that is an address may hold a secret and is left out.
func subject(e *lockfile.Entry) string {
	name, version := shownName(e.Name), shownVersion(e.Version)
	if version == "" {
		return name
	}
	return name + "@" + version
}

func shownName(name string) string {
	name = source.Plain(name, 200)
	if strings.Contains(name, "://") {
		name = source.Redact(name)
	}
	return name
}

func shownVersion(version string) string {
	if isSpec(version) {
		return ""
	}
	return source.Plain(version, 100)
}

// place judges an entry's address. key tells places apart, and other is the package that the address is of where that is
// not the entry's.
func (g *grouping) place(e *lockfile.Entry) (kind, key string, place decide.Place, other string) {
	if head, path, ok := splitOrigin(e.URL); ok {
		o, known := g.origins[head]
		if !known {
			loc, err := source.Locate(head + "/")
			o = origin{loc: loc, ok: err == nil}
			if o.ok {
				o.key, o.place = originOf(loc)
				o.fetched = !forges[strings.TrimPrefix(loc.Host, "www.")]
			}
			g.origins[head] = o
		}
		switch {
		case o.fetched && servedPlainly(e.Name, e.Version, path):
			return kindRegistry, o.key, o.place, ""
		case o.ok:
			loc := o.loc
			loc.Path = path
			kind = kindAt(e.Name, loc)
			return kind, o.key, o.place, otherAt(e, kind, path)
		}
	}
	kind, loc, err := locateEntry(e.Name, e.URL)
	if err != nil {
		place = broken(err)
		return kind, "broken: " + place.Broken, place, ""
	}
	key, place = originOf(loc)
	return kind, key, place, otherAt(e, kind, loc.Path)
}

// otherAt is the package at the path of a registry's tarball, or of any other, where that is not the entry's.
func otherAt(e *lockfile.Entry, kind, path string) string {
	if e.ByAddress || kind != kindRegistry && kind != kindTarball {
		return ""
	}
	return other(e.Name, e.Version, path)
}

// originOf is the place without its path: a group holds many paths.
func originOf(loc source.Location) (string, decide.Place) {
	loc.Path = ""
	place := decide.PlaceAt(loc)
	if loc.Userinfo {
		return "@" + place.URL, place
	}
	return place.URL, place
}

// splitOrigin cuts a plain http address before its path. It is not ok where the path holds anything that wants a closer
// look.
func splitOrigin(url string) (head, path string, ok bool) {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return "", "", false
	}
	start := strings.Index(url, "://") + 3
	slash := strings.IndexByte(url[start:], '/')
	if slash < 0 {
		return "", "", false
	}
	head, path = url[:start+slash], url[start+slash:]
	for i := range len(path) {
		if !plainPath[path[i]] {
			return "", "", false
		}
	}
	return head, path, true
}

var plainPath = func() (t [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/@+") {
		t[c] = true
	}
	return t
}()

// gather takes in the entries of all files. The error is a *problem.Problem of code Usage.
func gather(locks []lockFile, scripts []string) (*grouping, error) {
	n := 0
	for _, l := range locks {
		n += len(l.Entries)
	}
	g := &grouping{index: map[groupKey]int{}, origins: map[string]origin{}, flags: newFlags(scripts, n)}
	for _, l := range locks {
		for _, s := range l.Scripts {
			g.command(s)
		}
		for _, s := range l.Substitutes {
			g.substitute(s)
		}
		for i := range l.Entries {
			e := &l.Entries[i]
			if g.add(e); len(g.groups) > maxGroups {
				return nil, problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(e.At.File, 200), e.At.Line, e.At.Column), lockHint,
					"is where the lock files come to name more than %d places", maxGroups)
			}
		}
	}
	return g, nil
}

// fill adds the facts: as they are (nil), or as they will be after the choice.
func (r *room) fill(in *decide.Input, after *choose.Choice) {
	changed := after != nil && !after.Kept && len(after.Sources) > 0
	for _, v := range r.values {
		if changed && v.name == "registry" && v.origin != source.Checkout {
			v = value{name: v.name, text: after.Sources[0].URL, origin: after.Sources[0].Origin, from: registryVariable}
		}
		in.Settings = append(in.Settings, v.setting())
	}
	in.Entries = append(in.Entries, r.groups...)
	in.Flagged = append(in.Flagged, r.flagged...)
	in.NPM = r.npm()
	r.packages(in, after)
	var picked []choose.Picked
	if after != nil {
		picked = after.Sources
	}
	for _, s := range r.inForce {
		if changed {
			break
		}
		p := choose.Picked{Source: s}
		for _, candidate := range picked {
			if candidate.URL == s.URL {
				p.Via, p.IPs = candidate.Via, candidate.IPs
			}
		}
		in.Sources = append(in.Sources, sourceOf(p, r.registry.from, r.registry.at))
	}
	if changed {
		for _, p := range picked {
			in.Sources = append(in.Sources, sourceOf(p, registryVariable, lockfile.Position{}))
		}
	}
}

func sourceOf(p choose.Picked, setting string, at lockfile.Position) decide.Source {
	out := decide.Source{Place: decide.PlaceOf(p.URL), ID: p.ID, Ecosystem: source.NPM, Role: source.Registry, Origin: p.Origin,
		Via: p.Via, IPs: p.IPs, Addresses: "not-asked", Position: at, Setting: setting}
	if out.Via == "" {
		out.Via = "unknown"
	}
	switch {
	case len(p.IPs) > 0:
		out.Addresses = "known"
	case p.Via == "proxy":
		out.Addresses = "behind-proxy"
	}
	if out.IPs == nil {
		out.IPs = []string{}
	}
	return out
}
