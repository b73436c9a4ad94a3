package npm

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// Packages are told one by one, each with what its group says of it, only where they are asked for.
func TestPackages(t *testing.T) {
	t.Parallel()
	at := func(line, column int) lockfile.Position {
		return lockfile.Position{File: "package-lock.json", Line: line, Column: column}
	}
	sum := "sha512-" + strings.Repeat("A", 86) + "=="
	e := open(t, machine(), map[string]string{"package-lock.json": `{"lockfileVersion": 3, "packages": {
"": {"name": "app"},
"node_modules/a": {"version": "1.0.0", "integrity": "` + sum + `"},
"node_modules/@s/b": {"version": "2.0.0-rc.1", "resolved": "http://b.test:8080/@s/b/-/b-2.0.0-rc.1.tgz", "hasInstallScript": true},
"node_modules/c": {"version": "git+ssh://git:secret@github.com/c/c.git#0123456789012345678901234567890123456789"},
"node_modules/d": {"name": "e", "version": "3.0.0", "resolved": "file:e.tgz", "integrity": "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
}}`})
	in := decide.Input{Each: true}
	e.Fill(&in, nil)
	const commit = "ssh://github.com/c/c.git#0123456789012345678901234567890123456789"
	want := []decide.Package{
		{Ecosystem: "npm", Name: "a", Version: "1.0.0", Purl: "pkg:npm/a@1.0.0", EffectiveURL: official, Kind: "registry", Integrity: "sha512", Position: at(3, 1)},
		{Ecosystem: "npm", Name: "@s/b", Version: "2.0.0-rc.1", Purl: "pkg:npm/%40s/b@2.0.0-rc.1", Host: "b.test:8080", LockURL: "http://b.test:8080/@s/b/-/b-2.0.0-rc.1.tgz", EffectiveURL: "http://b.test:8080/@s/b/-/b-2.0.0-rc.1.tgz", Kind: "registry", Integrity: "none", Script: true, Position: at(4, 60)},
		{Ecosystem: "npm", Name: "c", Purl: "pkg:npm/c", Host: "github.com",
			LockURL: commit, EffectiveURL: commit, Kind: "git", Integrity: "none", Position: at(5, 31)},
		{Ecosystem: "npm", Name: "e", Version: "3.0.0", Purl: "pkg:npm/e@3.0.0", Alias: "d", LockURL: "file:e.tgz", EffectiveURL: "file:e.tgz", Kind: "file", Integrity: "sha1", Position: at(6, 65)},
	}
	if diff := cmp.Diff(want, in.Packages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in = decide.Input{}
	if e.Fill(&in, nil); in.Packages != nil {
		t.Errorf("nobody asked for %v", in.Packages)
	}
}

// npm puts its registry in the place of its own default host and of no other. What it asked for, and of which registry,
// was seen with npm 11.19.1 and a server on this machine.
func TestEffectiveURL(t *testing.T) {
	t.Parallel()
	const tarball, other = official + "/a/-/a-1.0.0.tgz", "https://other.test:8443/x/a/-/a-1.0.0.tgz"
	mirror := "npm_config_registry=http://mirror.test:81/npm/"
	for name, c := range map[string]struct {
		lock    string
		environ []string
		npmrc   string
		want    string
	}{
		"in force":          {lock: tarball, want: tarball},
		"another registry":  {lock: tarball, environ: []string{mirror}, want: "http://mirror.test:81/npm/a/-/a-1.0.0.tgz"},
		"its path is there": {lock: official + "/npm/a/-/a-1.0.0.tgz", environ: []string{mirror}, want: "http://mirror.test:81/npm/a/-/a-1.0.0.tgz"},
		"a password":        {lock: tarball, environ: []string{"npm_config_registry=https://u:secret@mirror.test"}, want: "https://mirror.test/a/-/a-1.0.0.tgz"},
		"another host":      {lock: other, environ: []string{mirror}, want: other},
		"never":             {lock: tarball, environ: []string{mirror}, npmrc: "replace-registry-host=never", want: tarball},
		"always":            {lock: other, environ: []string{mirror}, npmrc: "replace-registry-host=always", want: "http://mirror.test:81/npm/x/a/-/a-1.0.0.tgz"},
		"a host":            {lock: other, environ: []string{mirror}, npmrc: "replace-registry-host=other.test", want: "http://mirror.test:81/npm/x/a/-/a-1.0.0.tgz"},
		"an address":        {lock: other, environ: []string{mirror}, npmrc: "replace-registry-host=http://other.test:9/x", want: "http://mirror.test:81/npm/a/-/a-1.0.0.tgz"},
		"another address":   {lock: other, environ: []string{mirror}, npmrc: "replace-registry-host=http://other.test:9/y", want: other},
		"none in the file":  {environ: []string{mirror}, want: "http://mirror.test:81/npm"},
		"of a project":      {npmrc: "registry=https://own.test/npm/", want: "https://own.test/npm"},
		"a variable in it":  {npmrc: "registry=https://${HOST}/npm/", want: ""},
	} {
		files := map[string]string{".npmrc": c.npmrc + "\n",
			"package-lock.json": `{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0", "resolved": "` + c.lock + `"}}}`}
		in := decide.Input{Each: true}
		open(t, machine(c.environ...), files).Fill(&in, nil)
		if got := in.Packages[0]; got.LockURL != c.lock || got.EffectiveURL != c.want {
			t.Errorf("%s: %q becomes %q, want %q", name, got.LockURL, got.EffectiveURL, c.want)
		}
	}
}

// A package without an address comes from the registry that the tool of the lock file asks, and another one after the plan.
func TestEffectiveURLOfTools(t *testing.T) {
	t.Parallel()
	after := &choose.Choice{Sources: []choose.Picked{{Source: source.Source{URL: "https://mirror.test"}}}}
	const berry = "__metadata:\n  version: 8\n  cacheKey: 10c0\n\n"
	entry := func(pattern, name string) string {
		return "\"" + pattern + "\":\n  version: 1.0.0\n  resolution: \"" + name + "@npm:1.0.0\"\n  languageName: node\n  linkType: hard\n\n"
	}
	bun := func(name string) string {
		return `{"lockfileVersion": 1, "workspaces": {}, "packages": {"` + name + `": ["` + name + `@1.0.0", "", {}, ""]}}`
	}
	for name, c := range map[string]struct {
		file, lock  string
		environ     []string
		files       map[string]string
		want, later string
	}{
		"npm, a scope":     {file: "package-lock.json", lock: `{"lockfileVersion": 3, "packages": {"node_modules/@s/a": {"version": "1.0.0"}}}`, files: map[string]string{".npmrc": "@s:registry=https://s.test/npm\n"}, want: "https://s.test/npm", later: "https://s.test/npm"},
		"npm, nested":      {file: "web/package-lock.json", lock: `{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0"}}}`, files: map[string]string{"web/package.json": "{}", "web/.npmrc": "registry=https://web.test\n"}, want: "https://web.test", later: "https://mirror.test"},
		"yarn 2, its own":  {file: "yarn.lock", lock: berry + entry("a@npm:^1.0.0", "a"), environ: []string{"npm_config_registry=https://npm.test"}, want: official, later: "https://mirror.test"},
		"yarn 2, a file":   {file: "yarn.lock", lock: berry + entry("a@npm:^1.0.0", "a"), files: map[string]string{".yarnrc.yml": "npmRegistryServer: https://y.test\n"}, want: "https://y.test", later: "https://y.test"},
		"yarn 2, variable": {file: "yarn.lock", lock: berry + entry("a@npm:^1.0.0", "a"), environ: []string{"YARN_NPM_REGISTRY_SERVER=https://v.test"}, want: "https://v.test", later: "https://mirror.test"},
		"bun, npm's":       {file: "bun.lock", lock: bun("a"), environ: []string{"npm_config_registry=https://npm.test"}, want: "https://npm.test", later: "https://mirror.test"},
		"bun, a file":      {file: "bun.lock", lock: bun("@s/a"), files: map[string]string{"bunfig.toml": "[install]\nregistry = \"https://b.test\"\n[install.scopes]\ns = \"https://bs.test\"\n"}, want: "https://bs.test", later: "https://bs.test"},
	} {
		files := map[string]string{c.file: c.lock}
		maps.Copy(files, c.files)
		e := open(t, machine(c.environ...), files)
		for when, want := range map[*choose.Choice]string{nil: c.want, after: c.later} {
			in := decide.Input{Each: true}
			e.Fill(&in, when)
			if got := in.Packages[0].EffectiveURL; got != want {
				t.Errorf("%s, after a choice %t: %q, want %q", name, when != nil, got, want)
			}
		}
	}
}

// The name that a package is installed by is told where the lock file has it.
func TestAlias(t *testing.T) {
	t.Parallel()
	for file, lock := range map[string]string{
		"package-lock.json":             `{"lockfileVersion": 3, "packages": {"node_modules/by": {"name": "a", "version": "1.0.0"}}}`,
		"v1/package-lock.json":          `{"lockfileVersion": 1, "dependencies": {"by": {"version": "npm:a@1.0.0"}}}`,
		"yarn.lock":                     "# yarn lockfile v1\n\n\n\"by@npm:a@1.0.0\":\n  version \"1.0.0\"\n  resolved \"https://a.test/a/-/a-1.0.0.tgz#0123456789012345678901234567890123456789\"\n",
		"berry/yarn.lock":               "__metadata:\n  version: 8\n\n\"by@npm:a@1.0.0\":\n  version: 1.0.0\n  resolution: \"a@npm:1.0.0\"\n  languageName: node\n  linkType: hard\n",
		"bun.lock":                      `{"lockfileVersion": 1, "workspaces": {}, "packages": {"by": ["a@1.0.0", "", {}, ""]}}`,
		"workspace/npm-shrinkwrap.json": `{"lockfileVersion": 2, "packages": {"": {}, "w/node_modules/by": {"name": "a", "version": "1.0.0"}}}`,
	} {
		in := decide.Input{Each: true}
		open(t, machine(), map[string]string{file: lock}).Fill(&in, nil)
		if p := in.Packages; len(p) != 1 || p[0].Name != "a" || p[0].Alias != "by" {
			t.Errorf("%s: %+v", file, p)
		}
	}
}

// The packages of a lock file of each manager are as many as its groups say, and of the same kinds.
func TestPackagesOfAllManagers(t *testing.T) {
	t.Parallel()
	var files []string
	for _, f := range formats {
		found, err := filepath.Glob("../../../testdata/npm/*/" + f.name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 12 {
		t.Fatalf("found only %v", files)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		in := decide.Input{Each: true}
		open(t, machine(), map[string]string{filepath.Base(file): string(text)}).Fill(&in, nil)
		type class struct{ kind, integrity string }
		want, got := map[class]int{}, map[class]int{}
		for _, g := range in.Entries {
			want[class{g.Kind, g.Integrity}] += g.Count
		}
		for _, p := range in.Packages {
			got[class{p.Kind, p.Integrity}]++
			if p.Name == "" || p.Purl == "" || p.Line == 0 {
				t.Errorf("%s: %+v", file, p)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("%s (-groups +packages):\n%s", file, diff)
		}
	}
}
