package npm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
)

// rootLines are the package.json files that a lock file was made from, in one line each.
func rootLines(l lockfile.Lock) []string {
	var out []string
	for _, r := range l.Roots {
		var wants []string
		for _, name := range slices.Sorted(maps.Keys(r.Wants)) {
			wants = append(wants, name+" "+r.Wants[name])
		}
		out = append(out, r.Dir+": "+strings.Join(wants, ", "))
	}
	return out
}

// The files are those of the parsers' own tests, made by the real tools.
func TestRootsOfRealTools(t *testing.T) {
	t.Parallel()
	const (
		npm   = ".: @types/ms 2.1.0, is-odd 3.0.1, linked file:./linked, local file:./local.tgz, odd-alias npm:is-odd@3.0.1"
		berry = ".: @esbuild/darwin-arm64 0.25.0, @esbuild/linux-x64 0.25.0, @scope/alias npm:@types/ms@^2.1.0, is-odd ^3.0.1, linked link:./linked, local file:./local, " +
			"ms 2.1.3, odd npm:is-odd@3.0.1, patched patch:ms@npm%3A2.1.2#./ms.patch, ported portal:./linked, remote https://files.example.test/left-pad-1.2.0.tgz, tarred file:./tarred.tgz"
		tarball = "tarball-pkg https://tarballs.example.test/tar/tarball-pkg-1.0.0.tgz, use-sync-external-store 1.2.0"
		git     = "git-pkg git+https://tarballs.example.test/repo.git, "
		pnpm    = ".: @corp/x 1.2.3, @types/ms 2.1.0, a workspace:*, core-js 3.30.0, dir-pkg file:./dir, " + git + "linked link:./linked, local-pkg file:./local.tgz, "
	)
	for dir, c := range map[string]struct {
		parse   parser
		file    string
		version string
		want    []string
	}{
		"lock-v1":   {ParseLock, "package-lock.json", "1 4:22", nil},
		"lock-v2":   {ParseLock, "package-lock.json", "2 4:22", []string{npm, "linked: ", "packages/a: ms 2.1.3"}},
		"lock-v3":   {ParseLock, "package-lock.json", "3 4:22", []string{npm, "linked: ", "packages/a: ms 2.1.3"}},
		"yarn-v1":   {ParseYarn, "yarn.lock", "1 0:0", nil},
		"yarn-v4":   {ParseYarn, "yarn.lock", "4 5:12", []string{berry, "packages/ws: ms ^2.1.3"}},
		"yarn-v10":  {ParseYarn, "yarn.lock", "10 5:12", []string{berry, "packages/ws: ms ^2.1.3"}},
		"pnpm-v5.1": {ParsePNPM, "pnpm-lock.yaml", "5.1 32:18", []string{strings.Replace(pnpm, git, "", 1) + "odd npm:is-odd@3.0.1, react 18.2.0, " + tarball, "packages/a: ms 2.1.3"}},
		"pnpm-v6":   {ParsePNPM, "pnpm-lock.yaml", "6.0 1:18", []string{pnpm + "odd npm:is-odd@3.0.1, react 18.2.0, " + tarball, "packages/a: ms 2.1.3"}},
		"pnpm-v9":   {ParsePNPM, "pnpm-lock.yaml", "9.0 24:18", []string{pnpm + "node runtime:26.7.0, odd npm:is-odd@3.0.1, react 18.2.0, " + tarball, "packages/a: ms 2.1.3"}},
		"bun-v2":    {ParseBun, "bun.lock", "2 2:22", []string{pnpm + "odd npm:is-odd@3.0.1, react 18.2.0, " + tarball, "packages/a: ms 2.1.3"}},
	} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			l, err := c.parse(named(t, dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%s %d:%d", l.Version, l.VersionAt.Line, l.VersionAt.Column); got != c.version {
				t.Errorf("version %s, want %s", got, c.version)
			}
			if diff := cmp.Diff(c.want, rootLines(l)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What yarn 1 knows of package.json are the requirements that its entries answer.
func TestAsked(t *testing.T) {
	t.Parallel()
	l, err := ParseYarn(named(t, "yarn-v1", "yarn.lock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"ms@2.1.3", "ms@^2.1.3", "@scope/alias@npm:@types/ms@^2.1.0", "linked@link:./linked"} {
		if !l.Asked[pattern] {
			t.Errorf("%s is missing in %v", pattern, l.Asked)
		}
	}
	if len(l.Asked) != 12 {
		t.Errorf("%d patterns, want 12", len(l.Asked))
	}
}

func TestRoots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parse parser
		text  string
		want  []string
	}{
		"of two kinds the last counts": {ParseLock, `{"packages":{"":{"devDependencies":{"a":"1"},"optionalDependencies":{"b":"2","a":"3"},"peerDependencies":{"b":"4","c":"5"},"dependencies":{"b":"6"}}}}`,
			[]string{".: a 1, b 2, c 5"}},
		"what is installed is no root":  {ParseLock, `{"packages":{"":{},"node_modules/x":{"dependencies":{"a":"1"}},"a/node_modules/x":{"dependencies":{"a":"1"}}}}`, []string{".: "}},
		"no texts":                      {ParseLock, `{"packages":{"":{"dependencies":{"a":1,"b":null},"devDependencies":null}}}`, []string{".: "}},
		"pnpm without importers":        {ParsePNPM, "lockfileVersion: '6.0'\ndependencies:\n  a:\n    specifier: ^1\n    version: 1.0.0\ndevDependencies:\n  b: {specifier: '2', version: 2.0.0}\n", []string{".: a ^1, b 2"}},
		"pnpm 5 without importers":      {ParsePNPM, "lockfileVersion: 5.4\nspecifiers:\n  a: ^1\n  b: '2'\ndependencies:\n  a: 1.0.0\ndevDependencies:\n  b: 2.0.0\n", []string{".: a ^1, b 2"}},
		"pnpm 5 with such specifiers":   {ParsePNPM, "lockfileVersion: 5.4-inlineSpecifiers\nimporters:\n  a/b:\n    dependencies:\n      a:\n        specifier: ^1\n        version: 1.0.0\n", []string{"a/b: a ^1"}},
		"pnpm itself alone":             {ParsePNPM, "---\nlockfileVersion: '9.0'\nimporters:\n  .:\n    packageManagerDependencies:\n      pnpm:\n        specifier: 12.0.0\n        version: 12.0.0\n", nil},
		"pnpm itself and the project":   {ParsePNPM, "---\nlockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      pnpm:\n        specifier: 12.0.0\n        version: 12.0.0\n---\nlockfileVersion: '9.0'\nimporters:\n  .: {}\n", []string{".: "}},
		"yarn's peers and bare ranges":  {ParseYarn, berryLockOf("x@workspace:packages/x", "x@workspace:packages/x", "  dependencies:\n    a: \"npm:^1.0.0\"\n    b: \"npm:@s/b@^1\"\n  peerDependencies:\n    a: \"*\"\n    c: 1 - 2\n"), []string{"packages/x: a ^1.0.0, b npm:@s/b@^1, c 1 - 2"}},
		"yarn's packages are no roots":  {ParseYarn, berryLockOf("x@npm:1", "x@npm:1.0.0", "  dependencies:\n    a: \"npm:^1.0.0\"\n"), nil},
		"bun's fields of other meaning": {ParseBun, `{"lockfileVersion":1,"workspaces":{"":{"name":"x","optionalPeers":["a"],"bin":{"a":"b"},"peerDependencies":{"a":"1",},},"w":{"name":"w"}}}`, []string{".: a 1", "w: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := c.parse(lockfile.File{Path: "lock", Data: []byte(c.text)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, rootLines(l)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// npm says how many packages come in another one's tarball, and which of them run a script.
func TestBundledAndScripts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"packages":{"node_modules/a":{"hasInstallScript":true,"bundleDependencies":["b"]},"node_modules/a/node_modules/b":{"inBundle":true},"node_modules/c":{"hasInstallScript":false,"inBundle":true}}}`: "1 bundled, scripts of [a]",
		`{"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"1.0.0","bundled":true},"c":{"version":"1.0.0","bundled":true}}}}}`:                                                          "2 bundled, scripts of []",
	} {
		l, err := ParseLock(lockfile.File{Path: "package-lock.json", Data: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		scripts := []string{}
		for _, e := range l.Entries {
			if e.InstallScript {
				scripts = append(scripts, e.Name)
			}
		}
		if got := fmt.Sprintf("%d bundled, scripts of %v", l.Bundled, scripts); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
