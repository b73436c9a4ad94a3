package npm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
)

// ownLines are the packages that are flagged for their names, in one line each.
func ownLines(flagged []decide.Flagged) []string {
	out := []string{}
	for _, f := range flagged {
		if f.Kind == decide.FlagScope || f.Kind == decide.FlagLookalike {
			out = append(out, fmt.Sprintf("%s:%d %s %s@%s %t: %s", f.File, f.Line, f.Kind, f.Name, f.Version, f.ListSet, f.Detail))
		}
	}
	return out
}

// lockedAt is a package-lock.json with one package on each line from 3 on.
func lockedAt(entries ...string) string {
	text := "{\"lockfileVersion\":3,\"packages\":{\n\"\":{}"
	for _, e := range entries {
		text += ",\n" + e
	}
	return text + "}}"
}

func lockedFrom(name, host string) string {
	resolved := ""
	if host != "" {
		resolved = fmt.Sprintf(`"resolved":"https://%s/%s/-/x-1.0.0.tgz",`, host, name)
	}
	return fmt.Sprintf(`"node_modules/%s":{"version":"1.0.0",%s"integrity":"sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}`, name, resolved)
}

func TestOwnNames(t *testing.T) {
	t.Parallel()
	corp := map[string]string{"@corp": "npm.corp.test", "corp-*": ".corp.test", "tool.kit": "npm.corp.test:8443"}
	for name, c := range map[string]struct {
		scopes  map[string]string
		environ []string
		only    bool
		files   map[string]string
		want    []string
	}{
		"nothing is listed": {nil, nil, false, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", "evil.test"))}, []string{}},
		"where they should": {corp, nil, false, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", "npm.corp.test"), lockedFrom("corp-a", "x.corp.test:8443"), lockedFrom("tool.kit", "npm.corp.test:8443"), lockedFrom("corpse", "a.test"))}, []string{}},
		"from elsewhere": {corp, nil, false, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", "evil.test"), lockedFrom("x", "evil.test"), lockedFrom("corp-a", "corp.test"), lockedFrom("tool.kit", "npm.corp.test"))}, []string{
			"package-lock.json:3 scope @corp/a@1.0.0 true: has one of your own names and comes from evil.test, not from npm.corp.test",
			"package-lock.json:5 scope corp-a@1.0.0 true: has one of your own names and comes from corp.test, not from .corp.test",
			"package-lock.json:6 scope tool.kit@1.0.0 true: has one of your own names and comes from npm.corp.test, not from npm.corp.test:8443"}},
		"all that a name is listed by counts": {map[string]string{"@corp": "npm.corp.test", "@corp/evil": "evil.test"}, nil, false, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/evil", "evil.test"))}, []string{
			"package-lock.json:3 scope @corp/evil@1.0.0 true: has one of your own names and comes from evil.test, not from npm.corp.test"}},
		"from the default registry": {corp, nil, false, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", ""))}, []string{
			"package-lock.json:3 scope @corp/a@1.0.0 true: has one of your own names and comes from official.test, not from npm.corp.test"}},
		"a default registry of their own":      {corp, []string{"npm_config_registry=https://npm.corp.test/x"}, false, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", ""))}, []string{}},
		"the machine may have one":             {corp, nil, true, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", ""), lockedFrom("@corp/b", "evil.test"))}, []string{"package-lock.json:4 scope @corp/b@1.0.0 true: has one of your own names and comes from evil.test, not from npm.corp.test"}},
		"a registry of the scope":              {corp, nil, true, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", "")), ".npmrc": "@corp:registry=https://npm.corp.test/"}, []string{}},
		"another registry of the scope":        {corp, nil, true, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", "")), ".npmrc": "@corp:registry=https://evil.test/"}, []string{"package-lock.json:3 scope @corp/a@1.0.0 true: has one of your own names and comes from evil.test, not from npm.corp.test"}},
		"by the .npmrc alone":                  {nil, nil, true, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", "npm.corp.test"), lockedFrom("@corp/b", "a.test"), lockedFrom("@corp/c", "")), ".npmrc": "\n@corp:registry=https://npm.corp.test/"}, []string{"package-lock.json:4 scope @corp/b@1.0.0 false: has one of your own names and comes from a.test, not from npm.corp.test as .npmrc:2 says"}},
		"of another directory":                 {nil, nil, true, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/b", "a.test")), "x/package.json": "{}", "x/.npmrc": "@corp:registry=https://npm.corp.test/"}, []string{}},
		"a variable":                           {nil, nil, true, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/b", "a.test")), ".npmrc": "@corp:registry=https://${H}/"}, []string{}},
		"git, files and what cannot be judged": {map[string]string{"@corp": "npm.corp.test"}, nil, false, map[string]string{"package-lock.json": lockedAt(`"node_modules/@corp/a":{"version":"1.0.0","resolved":"git+ssh://git@github.com/corp/a.git#2b1a3c"}`, `"node_modules/@corp/b":{"version":"file:b.tgz"}`, `"node_modules/@corp/c":{"resolved":"https://"}`)}, []string{"package-lock.json:3 scope @corp/a@1.0.0 true: has one of your own names and comes from github.com, not from npm.corp.test"}},
		"of pnpm":                              {corp, nil, false, map[string]string{"pnpm-lock.yaml": "lockfileVersion: '9.0'\npackages:\n  '@corp/a@1.0.0':\n    resolution: {integrity: sha512-x}\nsnapshots:\n  '@corp/a@1.0.0': {}\n"}, []string{"pnpm-lock.yaml:3 scope @corp/a@1.0.0 true: has one of your own names and comes from official.test, not from npm.corp.test"}},
		"look-alikes": {corp, nil, false, map[string]string{"package-lock.json": lockedAt(lockedFrom("@c0rp/a", "a.test"), lockedFrom("@c0rp/b", "npm.corp.test"), lockedFrom("c0rp-x", ""), lockedFrom("corp.x", ""), lockedFrom("tool-kit", "a.test"), lockedFrom("corporate", "a.test"), lockedFrom("@corps/x", "a.test"))}, []string{
			"package-lock.json:3 lookalike @c0rp/a@1.0.0 true: can be taken for @corp, which is one of your own names, and comes from a.test",
			"package-lock.json:5 lookalike c0rp-x@1.0.0 true: can be taken for corp-*, which is one of your own names, and comes from official.test",
			"package-lock.json:6 lookalike corp.x@1.0.0 true: can be taken for corp-*, which is one of your own names, and comes from official.test",
			"package-lock.json:7 lookalike tool-kit@1.0.0 true: can be taken for tool.kit, which is one of your own names, and comes from a.test"}},
		"one letter away": {corp, nil, false, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corps/a", "a.test"), lockedFrom("@corps/b", "a.test"), lockedFrom("@crop/a", ""), lockedFrom("@corp/a", "npm.corp.test"))}, []string{
			"package-lock.json:3 lookalike @corps/a@1.0.0 true: can be taken for @corp/a, which is one of your own names, and comes from a.test",
			"package-lock.json:5 lookalike @crop/a@1.0.0 true: can be taken for @corp/a, which is one of your own names, and comes from official.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(c.environ...)
			m.Scopes, m.RepoOnly = c.scopes, c.only
			var in decide.Input
			open(t, m, c.files).Fill(&in, nil)
			if diff := cmp.Diff(c.want, ownLines(in.Flagged)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What the base commit has from there already is no news, in whatever version.
func TestOwnNamesOfTheBase(t *testing.T) {
	t.Parallel()
	m := machine()
	m.Scopes = map[string]string{"@corp": "npm.corp.test"}
	e := open(t, m, map[string]string{"package.json": "{}"})
	keys, err := e.Hosts(checkout(t, map[string]string{"package-lock.json": lockedAt(lockedFrom("@corp/a", "a.test"))}))
	if err != nil || !keys["scope @corp/a a.test"] || keys["scope @corp/a b.test"] {
		t.Error(keys, err)
	}
}

func TestRegistryOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"registry": "all", "@corp:registry": "@corp", "npmRegistryServer": "all", "npmScopes.corp.npmRegistryServer": "@corp", "install.registry.url": "all",
		"install.scopes.corp": "@corp", "install.scopes.@corp.url": "@corp", "registries.default": "all", "registries.@corp": "@corp", "registries.work": "none",
		"strict-ssl": "none", "npmScopes.corp.npmAuthToken": "none",
	} {
		scope, _, ok := registryOf(value{name: name})
		if want == "all" {
			want = ""
		}
		if ok != (want != "none") || ok && scope != want {
			t.Errorf("%s: %q, %t, want %q", name, scope, ok, want)
		}
	}
}

// Each tool reads its own settings first, and yarn 2 and later no others.
func TestRegistryOfATool(t *testing.T) {
	t.Parallel()
	const entry = "@c/a"
	for name, c := range map[string]struct {
		file, text string
		want       string
	}{
		"npm":  {"package-lock.json", lockedAt(lockedFrom(entry, "")), "npm.test"},
		"pnpm": {"pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  '@c/a@1.0.0':\n    resolution: {integrity: sha512-x}\nsnapshots:\n  '@c/a@1.0.0': {}\n", "pnpm.test"},
		"bun":  {"bun.lock", `{"lockfileVersion":1,"packages":{"@c/a":["@c/a@1.0.0","",{},"sha512-x"]}}`, "bun.test"},
		"yarn": {"yarn.lock", berryLockOf("@c/a@npm:^1", "@c/a@npm:1.0.0", ""), "berry.test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine()
			m.Scopes = map[string]string{"@c": "own.test"}
			var in decide.Input
			open(t, m, map[string]string{c.file: c.text, "package.json": "{}", ".npmrc": "@c:registry=https://npm.test/", "bunfig.toml": "[install.scopes]\nc = \"https://bun.test\"\n",
				"pnpm-workspace.yaml": "registries:\n  '@c': https://pnpm.test\n", ".yarnrc.yml": "npmScopes:\n  c:\n    npmRegistryServer: https://berry.test\n"}).Fill(&in, nil)
			if got := ownLines(in.Flagged); len(got) != 1 || !strings.HasSuffix(got[0], " comes from "+c.want+", not from own.test") {
				t.Errorf("%q, want %s", got, c.want)
			}
		})
	}
}

func TestOneEdit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{{"corp", "corps", true}, {"corp", "crp", true}, {"corp", "carp", true}, {"corp", "crop", true}, {"corp", "corp", false}, {"corp", "poor", false}, {"corp", "corpse", false}, {"ab", "ba", true}, {"", "a", true}, {"abcd", "badc", false}} {
		if oneEdit(c.a, c.b) != c.want || oneEdit(c.b, c.a) != c.want {
			t.Errorf("%s %s: want %t", c.a, c.b, c.want)
		}
	}
}
