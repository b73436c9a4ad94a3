package npm

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/policy"
)

// settingsEngine trusts what a machine without settings of its own would.
func settingsEngine(t *testing.T) *decide.Engine {
	t.Helper()
	data := decide.Data{Builtin: map[string]map[string]bool{"npm": {"official.test": true, "registry.yarnpkg.com": true, "registry.npmmirror.com": true}}}
	engine, err := decide.New(policy.FS(), data, decide.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// judgedSettings is what the default rules find in settings files, as "severity rule place message". base are the files of
// the commit that a change is measured against; nil where there is none.
func judgedSettings(t *testing.T, engine *decide.Engine, files, base map[string]string) []string {
	t.Helper()
	co := checkout(t, files)
	e, err := New(repositoryAlone(), co)
	if err != nil {
		t.Fatal(err)
	}
	var in decide.Input
	e.Fill(&in, nil)
	if base != nil {
		known := Hosts(checkout(t, base))
		for i := range in.Settings {
			s := &in.Settings[i]
			key := s.Key
			if s.Place != nil && s.Place.Broken == "" {
				key = source.Location{Host: s.Place.Host, Port: s.Place.Port}.HostPort()
			}
			if s.Origin = source.Change; known[key] {
				s.Origin = source.Base
			}
		}
	}
	in.Sources = nil
	in.Schema, in.Scope = decide.Schema, "repo"
	found, err := engine.Eval(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, f := range found {
		if strings.HasPrefix(f.ID, "NPM") {
			out = append(out, fmt.Sprintf("%s %s %s:%d:%d %s", f.Severity, f.ID, f.File, f.Line, f.Column, f.Message))
		}
	}
	slices.Sort(out)
	return out
}

const (
	unlisted = " is evil.test, which is named by the checkout and in no list of trusted hosts"
	whom     = " decides whom its tool trusts or asks on the way"
	secret   = " holds a secret that everybody who can read the repository has"
	runsAll  = " lets every package run scripts when it is installed"
	young    = " switches the minimum age of releases off"
	anyAge   = " excludes every package from the minimum age of releases"
	unlocked = " keeps versions and hashes from being locked"
	hidden1  = " cannot be judged: holds a variable, which is not expanded here"
	stored   = " takes packages from a directory of the checkout, where nobody compares them with the lock file"
	beyond   = " starts what lies outside the checkout"
)

// Each setting from the file to the finding at its place.
func TestRulesOnSettings(t *testing.T) {
	t.Parallel()
	engine := settingsEngine(t)
	type files = map[string]string
	one := func(name, text string) files { return files{name: text, "package.json": "{}"} }
	for name, tt := range map[string]struct {
		files files
		want  []string
	}{
		"berry: registries": {one(".yarnrc.yml", "# ours\nnpmRegistryServer: \"https://evil.test\"\nnpmScopes:\n  corp:\n    npmRegistryServer: 'https://evil.test/npm'\n    npmPublishRegistry: https://evil.test\nnpmPublishRegistry: https://registry.yarnpkg.com\n"), []string{
			"warning NPM001 .yarnrc.yml:2:20 npmRegistryServer in .yarnrc.yml" + unlisted,
			"warning NPM001 .yarnrc.yml:5:24 npmScopes.corp.npmRegistryServer in .yarnrc.yml" + unlisted,
			"warning NPM001 .yarnrc.yml:6:25 npmScopes.corp.npmPublishRegistry in .yarnrc.yml" + unlisted}},
		"berry: wrapped in what to do on a conflict": {one(".yarnrc.yml", "npmRegistryServer:\n  onConflict: reset\n  value: https://evil.test\nnpmScopes: {onConflict: extend, a: {onConflict: reset, value: {npmRegistryServer: https://evil.test}}}\n"), []string{
			"warning NPM001 .yarnrc.yml:3:10 npmRegistryServer in .yarnrc.yml" + unlisted,
			"warning NPM001 .yarnrc.yml:4:83 npmScopes.a.npmRegistryServer in .yarnrc.yml" + unlisted}},
		"berry: anchors, merge keys and flow": {one(".yarnrc.yml", "packageExtensions: {x: &a https://evil.test, y: &s {npmRegistryServer: \"https://evil.test\"}}\nnpmRegistryServer: *a\nnpmScopes: {c: *s, d: {<<: *s}}\n"), []string{
			"warning NPM001 .yarnrc.yml:1:24 npmRegistryServer in .yarnrc.yml" + unlisted,
			"warning NPM001 .yarnrc.yml:1:72 npmScopes.c.npmRegistryServer in .yarnrc.yml" + unlisted,
			"warning NPM001 .yarnrc.yml:1:72 npmScopes.d.npmRegistryServer in .yarnrc.yml" + unlisted}},
		"berry: block text and bytes before it": {one(".yarnrc.yml", "npmScopes: {\"\u00fc\u4e16\": {npmRegistryServer: \"https://evil.test\"}}\nnpmRegistryServer: >-\n  https://evil.test\n"), []string{
			"warning NPM001 .yarnrc.yml:1:42 npmScopes.\u00fc\u4e16.npmRegistryServer in .yarnrc.yml" + unlisted,
			"warning NPM001 .yarnrc.yml:2:20 npmRegistryServer in .yarnrc.yml" + unlisted}},
		"berry: a variable, plain http, userinfo": {one(".yarnrc.yml", "npmRegistryServer: ${R:-https://evil.test}\nnpmAuditRegistry: http://registry.yarnpkg.com\nnpmPublishRegistry: https://u:hunter2@registry.yarnpkg.com\n"), []string{
			"error NPM001 .yarnrc.yml:2:19 npmAuditRegistry in .yarnrc.yml is registry.yarnpkg.com, reached over http, not https",
			"warning NPM001 .yarnrc.yml:1:20 npmRegistryServer in .yarnrc.yml" + hidden1,
			"warning NPM001 .yarnrc.yml:3:21 npmPublishRegistry in .yarnrc.yml is registry.yarnpkg.com with a name or a password in the address"}},
		"berry: connections": {one(".yarnrc.yml", "enableStrictSsl: false\nhttpsProxy: http://p.test:3128\nhttpsCaFilePath: ./ca.pem\nnetworkSettings:\n  '*.corp':\n    httpsCaFilePath: ca.pem\n    httpProxy: http://p.test\n    enableNetwork: true\nunsafeHttpWhitelist:\n  - evil.test\n  - localhost\n"), []string{
			"error NPM001 .yarnrc.yml:1:18 enableStrictSsl in .yarnrc.yml switches TLS verification off",
			"warning NPM001 .yarnrc.yml:2:13 httpsProxy in .yarnrc.yml" + whom,
			"warning NPM001 .yarnrc.yml:3:18 httpsCaFilePath in .yarnrc.yml" + whom,
			"warning NPM001 .yarnrc.yml:6:22 networkSettings.*.corp.httpsCaFilePath in .yarnrc.yml" + whom,
			"warning NPM001 .yarnrc.yml:7:16 networkSettings.*.corp.httpProxy in .yarnrc.yml" + whom,
			"warning NPM001 .yarnrc.yml:10:5 unsafeHttpWhitelist in .yarnrc.yml lets yarn ask a host without TLS (evil.test)"}},
		"berry: proxies of the runner's": {one(".yarnrc.yml", "httpProxy: \"${HTTP_PROXY:-}\"\nhttpsProxy: ${HTTPS_PROXY:-http://evil.test}\nnetworkSettings: {x: {httpProxy: '${P}'}}\n"), []string{
			"warning NPM001 .yarnrc.yml:2:13 httpsProxy in .yarnrc.yml" + whom}},
		"berry: a text in place of a list": {one(".yarnrc.yml", "unsafeHttpWhitelist: localhost,evil.test\nnpmPreapprovedPackages: a,*\n"), []string{
			"warning NPM001 .yarnrc.yml:1:22 unsafeHttpWhitelist in .yarnrc.yml lets yarn ask a host without TLS (evil.test)",
			"warning NPM003 .yarnrc.yml:2:25 npmPreapprovedPackages in .yarnrc.yml" + anyAge}},
		"berry: secrets": {one(".yarnrc.yml", "npmAuthToken: hunter2\nnpmRegistries:\n  //r.test:\n    npmAuthIdent: u:hunter2\n    npmAlwaysAuth: true\nnpmScopes: {a: {npmAuthToken: '${T}'}, b: {npmAuthToken: hunter2}}\n"), []string{
			"warning NPM001 .yarnrc.yml:1:15 npmAuthToken in .yarnrc.yml" + secret,
			"warning NPM001 .yarnrc.yml:4:19 npmRegistries.//r.test.npmAuthIdent in .yarnrc.yml" + secret,
			"warning NPM001 .yarnrc.yml:6:58 npmScopes.b.npmAuthToken in .yarnrc.yml" + secret}},
		"berry: other places": {one(".yarnrc.yml", "defaultProtocol: 'https:'\nlockfileFilename: other.lock\n"), []string{
			"error NPM001 .yarnrc.yml:1:18 defaultProtocol in .yarnrc.yml makes yarn fetch what asks for a version alone from somewhere else than a registry",
			"error NPM001 .yarnrc.yml:2:19 lockfileFilename in .yarnrc.yml makes yarn obey another lock file, which was not read"}},
		"berry: protections": {one(".yarnrc.yml", "checksumBehavior: update\nenableImmutableInstalls: false\nenableHardenedMode: 0\nnpmPreapprovedPackages: ['@corp/*', '*']\n"), []string{
			"error NPM003 .yarnrc.yml:1:19 checksumBehavior in .yarnrc.yml lets packages in that are not what was locked",
			"warning NPM003 .yarnrc.yml:2:26 enableImmutableInstalls in .yarnrc.yml lets an install change what the lock file pins",
			"warning NPM003 .yarnrc.yml:3:21 enableHardenedMode in .yarnrc.yml keeps yarn from comparing the lock file with the registry in public pull requests",
			"warning NPM003 .yarnrc.yml:4:37 npmPreapprovedPackages in .yarnrc.yml" + anyAge}},
		"berry: what yarn writes when it migrates": {one(".yarnrc.yml", "approvedGitRepositories:\n  - \"**\"\nenableScripts: true\nnpmMinimalAgeGate: 0\nnpmScopes: {x: {npmMinimalAgeGate: 0d}}\n"), []string{
			"note NPM003 .yarnrc.yml:2:5 approvedGitRepositories in .yarnrc.yml approves of every git repository",
			"note NPM003 .yarnrc.yml:3:16 enableScripts in .yarnrc.yml" + runsAll,
			"note NPM003 .yarnrc.yml:4:20 npmMinimalAgeGate in .yarnrc.yml" + young,
			"note NPM003 .yarnrc.yml:5:36 npmScopes.x.npmMinimalAgeGate in .yarnrc.yml" + young}},
		"berry: all as it should be": {one(".yarnrc.yml", "nodeLinker: node-modules\nenableStrictSsl: true\nchecksumBehavior: throw\nenableImmutableInstalls: true\nnpmMinimalAgeGate: 3d\nenableScripts: false\ndefaultProtocol: \"npm:\"\nnpmRegistryServer: https://registry.yarnpkg.com\nunsafeHttpWhitelist: [localhost, 127.0.0.1]\napprovedGitRepositories: ['https://github.com/corp/*']\n"), []string{}},
		"berry: programs": {files{".yarnrc.yml": "yarnPath: .yarn/releases/yarn-4.9.1.cjs\nplugins:\n  - path: .yarn/plugins/a.cjs\n    spec: https://evil.test/a.cjs\n  - .yarn/plugins/b.cjs\n  - {path: .yarn/plugins/c.cjs, spec: \"https://evil.test/c.cjs\"}\n  - {path: .yarn/plugins/d.cjs, spec: \"https://d.test/d.cjs\", checksum: abc}\n  - {checksum: abc, spec: \"http://d.test/e.cjs\", path: .yarn/plugins/e.cjs}\ninjectEnvironmentFiles: [\".env.local?\", ../up]\n",
			".yarn/releases/yarn-4.9.1.cjs": "//", ".yarn/plugins/a.cjs": "//", ".yarn/plugins/b.cjs": "//"}, []string{
			"error NPM004 .yarnrc.yml:6:12 plugins in .yarnrc.yml starts what yarn downloads, without a checksum",
			"error NPM004 .yarnrc.yml:8:56 plugins in .yarnrc.yml starts what yarn downloads without TLS",
			"error NPM004 .yarnrc.yml:9:41 injectEnvironmentFiles in .yarnrc.yml" + beyond,
			"note NPM004 .yarnrc.yml:1:11 yarnPath in .yarnrc.yml starts .yarn/releases/yarn-4.9.1.cjs of the checkout",
			"note NPM004 .yarnrc.yml:3:11 plugins in .yarnrc.yml starts .yarn/plugins/a.cjs of the checkout",
			"note NPM004 .yarnrc.yml:5:5 plugins in .yarnrc.yml starts .yarn/plugins/b.cjs of the checkout",
			"note NPM004 .yarnrc.yml:7:12 plugins in .yarnrc.yml starts .yarn/plugins/d.cjs of the checkout",
			"note NPM004 .yarnrc.yml:9:26 injectEnvironmentFiles in .yarnrc.yml gives its variables to all that yarn starts"}},
		"yarn 1": {one(".yarnrc", "# comment\nregistry \"https://evil.test\"\n\"@corp:registry\" \"https://evil.test/\"\nlastUpdateCheck 123\nstrict-ssl false\ncafile ca.pem\nhttps-proxy \"http://p.test\"\n--install.ignore-scripts false\nyarn-offline-mirror \"./mirror\"\nyarn-path \".yarn/releases/yarn-1.22.22.cjs\"\nunsafe-disable-integrity-migration true\n"), []string{
			"error NPM001 .yarnrc:5:12 strict-ssl in .yarnrc switches TLS verification off",
			"warning NPM001 .yarnrc:2:10 registry in .yarnrc" + unlisted,
			"warning NPM001 .yarnrc:3:18 @corp:registry in .yarnrc" + unlisted,
			"warning NPM001 .yarnrc:6:8 cafile in .yarnrc" + whom,
			"warning NPM001 .yarnrc:7:13 https-proxy in .yarnrc" + whom,
			"warning NPM003 .yarnrc:11:36 unsafe-disable-integrity-migration in .yarnrc keeps yarn from adding the hashes that the lock file lacks",
			"note NPM003 .yarnrc:8:26 --install.ignore-scripts in .yarnrc asks for the scripts of packages, whatever the machine says",
			"note NPM003 .yarnrc:9:21 yarn-offline-mirror in .yarnrc takes packages from a directory before any registry is asked",
			"note NPM004 .yarnrc:10:11 yarn-path in .yarnrc starts .yarn/releases/yarn-1.22.22.cjs of the checkout"}},
		"yarn 1: options, and two on a line": {one(".yarnrc", "disable-self-update-check true registry \"https://evil.test\"\n--registry \"https://evil.test/\"\n--install.update-checksums true --add.no-lockfile true\n--cwd \"../up\"\n--cwd sub\nenv:\n  NODE_OPTIONS \"--max-old-space-size=4096 --require ./hook.js\"\n  A b\n--use-yarnrc other\n"), []string{
			"warning NPM001 .yarnrc:2:12 --registry in .yarnrc" + unlisted,
			"error NPM001 .yarnrc:4:7 --cwd in .yarnrc sends yarn to another file for its settings, which was not read",
			"error NPM001 .yarnrc:9:14 --use-yarnrc in .yarnrc sends yarn to another file for its settings, which was not read",
			"error NPM003 .yarnrc:3:28 --install.update-checksums in .yarnrc takes what comes for what was locked, whatever its hash",
			"warning NPM001 .yarnrc:1:41 registry in .yarnrc" + unlisted,
			"warning NPM003 .yarnrc:3:51 --add.no-lockfile in .yarnrc" + unlocked,
			"note NPM004 .yarnrc:7:16 env.NODE_OPTIONS in .yarnrc starts ./hook.js of the checkout"}},
		"yarn 1: in YAML": {one(".yarnrc", "registry: https://evil.test\n'strict-ssl': 'false'\n"), []string{
			"error NPM001 .yarnrc:2:15 strict-ssl in .yarnrc switches TLS verification off",
			"warning NPM001 .yarnrc:1:11 registry in .yarnrc" + unlisted}},
		"bun": {one("bunfig.toml", "# ours\n[install]\nregistry = \"https://evil.test\"\ncafile = \"ca.pem\"\nminimumReleaseAge = 0\nminimumReleaseAgeExcludes = [\n  \"left-pad\", # one\n  \"*\",\n]\nignoreScripts = false\n\n[install.scopes]\n\"@a\" = 'https://evil.test/'\nb = { url = \"https://evil.test\", token = \"hunter2\" }\nc = { url = \"https://$USER@evil.test\", token = \"$TOKEN\" }\n\n[install.lockfile]\nsave = false\npath = \"other.lock\"\n"), []string{
			"error NPM001 bunfig.toml:19:8 install.lockfile.path in bunfig.toml makes bun obey another lock file, which was not read",
			"warning NPM001 bunfig.toml:3:12 install.registry in bunfig.toml" + unlisted,
			"warning NPM001 bunfig.toml:4:10 install.cafile in bunfig.toml" + whom,
			"warning NPM001 bunfig.toml:13:8 install.scopes.@a in bunfig.toml" + unlisted,
			"warning NPM001 bunfig.toml:14:13 install.scopes.b.url in bunfig.toml" + unlisted,
			"warning NPM001 bunfig.toml:14:42 install.scopes.b.token in bunfig.toml" + secret,
			"warning NPM001 bunfig.toml:15:13 install.scopes.c.url in bunfig.toml" + hidden1,
			"warning NPM003 bunfig.toml:5:21 install.minimumReleaseAge in bunfig.toml" + young,
			"warning NPM003 bunfig.toml:8:3 install.minimumReleaseAgeExcludes in bunfig.toml" + anyAge,
			"warning NPM003 bunfig.toml:18:8 install.lockfile.save in bunfig.toml" + unlocked,
			"note NPM003 bunfig.toml:10:17 install.ignoreScripts in bunfig.toml asks for the scripts of packages, whatever the machine says"}},
		"bun: other ways to write it": {one("bunfig.toml", "install.registry.url = \"https://evil.test\"\n\"install\".'scopes'.a = \"\"\"\nhttps://evil.test\"\"\"\n"), []string{
			"warning NPM001 bunfig.toml:1:24 install.registry.url in bunfig.toml" + unlisted,
			"warning NPM001 bunfig.toml:2:24 install.scopes.a in bunfig.toml" + unlisted}},
		"bun: programs": {one("bunfig.toml", "preload = [\"./setup.ts\", \"a-package\", \"../up.ts\", \"@corp/package\"]\n[test]\npreload = \"./test/setup.ts\"\n[install.security]\nscanner = \"@corp/scanner\"\n"), []string{
			"error NPM004 bunfig.toml:1:39 preload in bunfig.toml" + beyond,
			"note NPM004 bunfig.toml:1:12 preload in bunfig.toml starts ./setup.ts of the checkout",
			"note NPM004 bunfig.toml:3:11 test.preload in bunfig.toml starts ./test/setup.ts of the checkout"}},
		"pnpm: registries": {one("pnpm-workspace.yaml", "packages:\n  - packages/*\nregistries:\n  default: https://evil.test/\n  '@corp': https://evil.test/\nnamedRegistries: {work: https://evil.test}\nnodeDownloadMirrors:\n  release: https://evil.test/\nregistry: https://registry.npmmirror.com\npnprServer: https://evil.test\n"), []string{
			"warning NPM001 pnpm-workspace.yaml:4:12 registries.default in pnpm-workspace.yaml" + unlisted,
			"warning NPM001 pnpm-workspace.yaml:5:12 registries.@corp in pnpm-workspace.yaml" + unlisted,
			"warning NPM001 pnpm-workspace.yaml:6:25 namedRegistries.work in pnpm-workspace.yaml" + unlisted,
			"warning NPM001 pnpm-workspace.yaml:8:12 nodeDownloadMirrors.release in pnpm-workspace.yaml" + unlisted,
			"warning NPM001 pnpm-workspace.yaml:10:13 pnprServer in pnpm-workspace.yaml" + unlisted}},
		"pnpm: registries by address": {one("pnpm-workspace.yaml", "registries:\n  https://evil.test/:\n    scopes: ['@', '@corp']\n    prefix: work\n  https://registry.npmmirror.com/: {}\n"), []string{
			"warning NPM001 pnpm-workspace.yaml:2:3 registries in pnpm-workspace.yaml" + unlisted}},
		"pnpm: connections and a variable in a name": {one("pnpm-workspace.yaml", "strictSsl: false\nca: |\n  -----BEGIN CERTIFICATE-----\nhttpsProxy: http://p.test\n${X-registry}: https://evil.test\n"), []string{
			"error NPM001 pnpm-workspace.yaml:1:12 strictSsl in pnpm-workspace.yaml switches TLS verification off",
			"error NPM001 pnpm-workspace.yaml:5:16 ${X-registry} in pnpm-workspace.yaml cannot be judged: is set under a name that holds a variable, which is not expanded here",
			"warning NPM001 pnpm-workspace.yaml:2:5 ca in pnpm-workspace.yaml" + whom,
			"warning NPM001 pnpm-workspace.yaml:4:13 httpsProxy in pnpm-workspace.yaml" + whom}},
		"pnpm: protections": {one("pnpm-workspace.yaml", "dangerouslyAllowAllBuilds: true\nneverBuiltDependencies: []\nallowBuilds: {esbuild: true, '*': true}\nminimumReleaseAge: 0\nminimumReleaseAgeExclude: [a, '*']\nblockExoticSubdeps: false\nverifyStoreIntegrity: false\nlockfile: false\ntrustLockfile: true\ntrustPolicy: off\nstrictDepBuilds: false\ngitBranchLockfile: true\nlockfileDir: ../..\n"), []string{
			"error NPM001 pnpm-workspace.yaml:13:14 lockfileDir in pnpm-workspace.yaml makes pnpm obey another lock file, which was not read",
			"warning NPM003 pnpm-workspace.yaml:1:28 dangerouslyAllowAllBuilds in pnpm-workspace.yaml" + runsAll,
			"warning NPM003 pnpm-workspace.yaml:2:25 neverBuiltDependencies in pnpm-workspace.yaml" + runsAll,
			"warning NPM003 pnpm-workspace.yaml:3:35 allowBuilds.* in pnpm-workspace.yaml" + runsAll,
			"warning NPM003 pnpm-workspace.yaml:4:20 minimumReleaseAge in pnpm-workspace.yaml" + young,
			"warning NPM003 pnpm-workspace.yaml:5:31 minimumReleaseAgeExclude in pnpm-workspace.yaml" + anyAge,
			"warning NPM003 pnpm-workspace.yaml:6:21 blockExoticSubdeps in pnpm-workspace.yaml lets dependencies of dependencies come from git and from addresses",
			"warning NPM003 pnpm-workspace.yaml:7:23 verifyStoreIntegrity in pnpm-workspace.yaml lets changed files of the store be installed",
			"warning NPM003 pnpm-workspace.yaml:8:11 lockfile in pnpm-workspace.yaml" + unlocked,
			"warning NPM003 pnpm-workspace.yaml:9:16 trustLockfile in pnpm-workspace.yaml takes a lock file's word for what pnpm would verify",
			"warning NPM003 pnpm-workspace.yaml:12:20 gitBranchLockfile in pnpm-workspace.yaml makes pnpm obey pnpm-lock.BRANCH.yaml, which is not judged",
			"note NPM003 pnpm-workspace.yaml:10:14 trustPolicy in pnpm-workspace.yaml accepts releases that prove less about their origin than earlier ones",
			"note NPM003 pnpm-workspace.yaml:11:18 strictDepBuilds in pnpm-workspace.yaml passes over scripts that nobody has allowed"}},
		"pnpm: programs": {one("pnpm-workspace.yaml", "pnpmfile: [a/hooks.cjs, ../up.cjs]\nglobalPnpmfile: ~/x.cjs\nscriptShell: bash\nnodeOptions: --max-old-space-size=4096\nconfigDependencies:\n  pnpm-plugin-x: 1.0.0+sha512-AA==\n  types: 1.0.0+sha512-AA==\n  far: {tarball: \"https://evil.test/x.tgz\", integrity: x}\n"), []string{
			"error NPM004 pnpm-workspace.yaml:1:25 pnpmfile in pnpm-workspace.yaml" + beyond,
			"error NPM004 pnpm-workspace.yaml:2:17 globalPnpmfile in pnpm-workspace.yaml starts what lies in the home directory",
			"warning NPM001 pnpm-workspace.yaml:8:18 configDependencies.far.tarball in pnpm-workspace.yaml" + unlisted,
			"note NPM003 pnpm-workspace.yaml:6:18 configDependencies.pnpm-plugin-x in pnpm-workspace.yaml lets a package change what pnpm resolves and starts",
			"note NPM004 pnpm-workspace.yaml:1:12 pnpmfile in pnpm-workspace.yaml starts a/hooks.cjs of the checkout"}},
		"pnpm: hooks by default": {files{".pnpmfile.cjs": "module.exports = {}\n", "sub/.pnpmfile.mjs": ""}, []string{
			"note NPM004 .pnpmfile.cjs:1:1 .pnpmfile.cjs is code that its tool starts",
			"note NPM004 sub/.pnpmfile.mjs:1:1 .pnpmfile.mjs in sub/.pnpmfile.mjs is code that its tool starts"}},
		"pnpm: files that are included": {files{"pnpm-workspace.yaml": "include:\n  ./conf/a.yaml: '*'\n  ../up.yaml: [registry]\n  './none.yaml': []\n  '@corp/policy': [minimumReleaseAge, trustPolicy]\n", "conf/a.yaml": "strictSsl: false\npnpmfile: hooks.cjs\ninclude: {./b.yaml: '*'}\n", "conf/b.yaml": "strictSsl: false\n"}, []string{
			"error NPM001 conf/a.yaml:1:12 strictSsl in conf/a.yaml switches TLS verification off",
			"error NPM001 pnpm-workspace.yaml:3:3 include in pnpm-workspace.yaml leaves settings to a file outside the checkout, which was not read",
			"error NPM001 pnpm-workspace.yaml:4:3 include in pnpm-workspace.yaml leaves settings to a file that is not there",
			"note NPM003 pnpm-workspace.yaml:5:3 include in pnpm-workspace.yaml lets a package set what pnpm does",
			"note NPM004 conf/a.yaml:2:11 pnpmfile in conf/a.yaml starts hooks.cjs of the checkout"}},
		"stores of the checkout": {files{".yarnrc": "cache-folder \"./cache\"\n--install.preferred-cache-folder ./cache\n", "bunfig.toml": "[install.cache]\ndir = \"cache\"\n[install]\ncache = false\n", "pnpm-workspace.yaml": "storeDir: cache\n", ".npmrc": "store-dir=none\n", "cache/x": ""}, []string{
			"note NPM003 .yarnrc:1:14 cache-folder in .yarnrc" + stored,
			"note NPM003 .yarnrc:2:34 --install.preferred-cache-folder in .yarnrc" + stored,
			"note NPM003 bunfig.toml:2:7 install.cache.dir in bunfig.toml" + stored,
			"note NPM003 pnpm-workspace.yaml:1:11 storeDir in pnpm-workspace.yaml" + stored}},
		"npm: secrets": {one(".npmrc", "//r.test/:_authToken=${NPM_TOKEN}\n//a.test/:_authToken=hunter2\n_auth = hunter2\n//r.test/:_password=\"hunter2\"\nemail=a@b.test\n//r.test/:username=me\nkey=\"-----BEGIN hunter2\"\nalways-auth=true\n"), []string{
			"warning NPM001 .npmrc:2:22 //a.test/:_authToken in .npmrc" + secret,
			"warning NPM001 .npmrc:3:9 _auth in .npmrc" + secret,
			"warning NPM001 .npmrc:4:21 //r.test/:_password in .npmrc" + secret,
			"warning NPM001 .npmrc:7:5 key in .npmrc" + secret}},
		"npm: protections": {one(".npmrc", "package-lock=false\nignore-scripts=false\nallow-git=all\nallow-remote=none\nmin-release-age=0\nreplace-registry-host=always\nomit-lockfile-registry-resolved=true\nstrict-allow-scripts=false\ndangerously-allow-all-builds=true\ndangerously-allow-all-scripts\n"), []string{
			"warning NPM003 .npmrc:1:14 package-lock in .npmrc" + unlocked,
			"warning NPM003 .npmrc:9:30 dangerously-allow-all-builds in .npmrc" + runsAll,
			"warning NPM003 .npmrc:10:1 dangerously-allow-all-scripts in .npmrc" + runsAll,
			"note NPM003 .npmrc:2:16 ignore-scripts in .npmrc asks for the scripts of packages, whatever the machine says",
			"note NPM003 .npmrc:3:11 allow-git in .npmrc lets packages come from git",
			"note NPM003 .npmrc:5:17 min-release-age in .npmrc asks for no minimum age of releases",
			"note NPM003 .npmrc:6:23 replace-registry-host in .npmrc takes what the lock file pins at any host from the registry",
			"note NPM003 .npmrc:7:33 omit-lockfile-registry-resolved in .npmrc keeps the place of packages out of the lock file",
			"note NPM003 .npmrc:8:22 strict-allow-scripts in .npmrc passes over scripts that nobody has allowed"}},
		"npm: programs": {one(".npmrc", "node-options=--require ./hook.cjs\nscript-shell=./evil.sh\ngit=/tmp/git\nonload-script=https://evil.test/x.js\nnode-gyp=${X}/gyp.js\n"), []string{
			"error NPM004 .npmrc:3:5 git in .npmrc" + beyond,
			"error NPM004 .npmrc:4:15 onload-script in .npmrc starts what stands at an address",
			"error NPM004 .npmrc:5:10 node-gyp in .npmrc starts what a variable names, which is not expanded here",
			"note NPM004 .npmrc:1:14 node-options in .npmrc starts ./hook.cjs of the checkout",
			"note NPM004 .npmrc:2:14 script-shell in .npmrc starts ./evil.sh of the checkout"}},
		"npm: programs of the machine": {one(".npmrc", "node-options=--max-old-space-size=8192\nscript-shell=/bin/bash\nshell=C:\\\\Program Files\\\\git\\\\bin\\\\bash.exe\ngit=git\nhttps-proxy=${HTTPS_PROXY}\n"), []string{}},
		"npm: mirrors of programs": {one(".npmrc", "x_mirror=yes\ny-mirror=${Y}\nelectron_mirror=https://evil.test/electron/\nsass_binary_site=https://registry.npmmirror.com/sass\nnode-mirror:release=https://evil.test/\ndisturl=https://evil.test\n"), []string{
			"warning NPM001 .npmrc:3:17 electron_mirror in .npmrc" + unlisted,
			"warning NPM001 .npmrc:5:21 node-mirror:release in .npmrc" + unlisted,
			"warning NPM001 .npmrc:2:10 y-mirror in .npmrc" + hidden1,
			"warning NPM001 .npmrc:6:9 disturl in .npmrc" + unlisted}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := judgedSettings(t, engine, tt.files, nil)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(strings.Join(got, ""), "hunter2") {
				t.Errorf("a secret is shown")
			}
		})
	}
}

// What a change brings in is graver than what was there.
func TestRulesOnChangedSettings(t *testing.T) {
	t.Parallel()
	engine := settingsEngine(t)
	const yarn = ".yarn/releases/yarn-4.cjs"
	there := map[string]string{".yarnrc.yml": "yarnPath: " + yarn + "\nenableScripts: true\nnpmRegistryServer: https://evil.test\n", yarn: "//",
		"bunfig.toml": "[install]\nminimumReleaseAge = 0\n", ".npmrc": "package-lock=false\n_auth=hunter2\n", ".pnpmfile.cjs": "a"}
	for name, tt := range map[string]struct {
		file, text string
		want       []string
	}{
		"nothing": {"other", "x", []string{
			"warning NPM001 .npmrc:2:7 _auth in .npmrc" + secret,
			"warning NPM003 .npmrc:1:14 package-lock in .npmrc" + unlocked,
			"warning NPM003 bunfig.toml:2:21 install.minimumReleaseAge in bunfig.toml" + young,
			"note NPM001 .yarnrc.yml:3:20 npmRegistryServer in .yarnrc.yml is evil.test, which is named by the base commit and in no list of trusted hosts",
			"note NPM003 .yarnrc.yml:2:16 enableScripts in .yarnrc.yml" + runsAll,
			"note NPM004 .pnpmfile.cjs:1:1 .pnpmfile.cjs is code that its tool starts",
			"note NPM004 .yarnrc.yml:1:11 yarnPath in .yarnrc.yml starts .yarn/releases/yarn-4.cjs of the checkout"}},
		"a registry":     {".yarnrc.yml", "npmRegistryServer: https://new.test\n", []string{"error NPM001 .yarnrc.yml:1:20 npmRegistryServer in .yarnrc.yml is new.test, which is named by this change and in no list of trusted hosts"}},
		"a program":      {".yarnrc.yml", "yarnPath: y.js\n", []string{"warning NPM004 .yarnrc.yml:1:11 yarnPath in .yarnrc.yml starts y.js of the checkout; this change brings in the setting or the file"}},
		"its content":    {yarn, "// evil", []string{"warning NPM004 .yarnrc.yml:1:11 yarnPath in .yarnrc.yml starts .yarn/releases/yarn-4.cjs of the checkout; this change brings in the setting or the file"}},
		"hooks":          {".pnpmfile.cjs", "b", []string{"warning NPM004 .pnpmfile.cjs:1:1 .pnpmfile.cjs is code that its tool starts; this change brings in the setting or the file"}},
		"a protection":   {"bunfig.toml", "[install]\nlockfile.save = false\n", []string{"error NPM003 bunfig.toml:2:17 install.lockfile.save in bunfig.toml" + unlocked}},
		"a secret":       {"sub/.npmrc", "_auth=hunter2\n", []string{"error NPM001 sub/.npmrc:1:7 _auth in sub/.npmrc" + secret}},
		"what is weaker": {"sub/.npmrc", "ignore-scripts=false\n", []string{"warning NPM003 sub/.npmrc:1:16 ignore-scripts in sub/.npmrc asks for the scripts of packages, whatever the machine says"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := maps.Clone(there)
			files["sub/package.json"] = "{}"
			files[tt.file] = tt.text
			got := judgedSettings(t, engine, files, there)
			slices.Sort(tt.want)
			if name == "nothing" {
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
				return
			}
			before := judgedSettings(t, engine, there, there)
			got = slices.DeleteFunc(got, func(f string) bool { return slices.Contains(before, f) })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What cannot be understood, or is understood in more ways than one, is refused at its place.
func TestSettingsFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, text, want string }{
		"no YAML":                      {".yarnrc.yml", "a: 1\nb: [\n", `.yarnrc.yml:2:1: is no YAML`},
		"two documents":                {".yarnrc.yml", "a: 1\n---\nnpmRegistryServer: x\n", `.yarnrc.yml:2:1: begins a second YAML document`},
		"a header of yarn 1":           {".yarnrc.yml", "# x\n# yarn lockfile v1\nnpmRegistryServer \"https://evil.test\"\n", `.yarnrc.yml:1:1: begins like a yarn.lock`},
		"a line end of YAML 1.1":       {".yarnrc.yml", "a: 1\n# \u00fc\u2028npmRegistryServer: x\n", `.yarnrc.yml:2:5: holds the character U+2028`},
		"a lone carriage return":       {"pnpm-workspace.yaml", "# x\rregistry: https://evil.test\n", `pnpm-workspace.yaml:1:4: holds a carriage return that ends no line`},
		"no UTF-8":                     {"pnpm-workspace.yaml", "a: \xff\n", `pnpm-workspace.yaml:1:4: holds a byte that is no UTF-8`},
		"a NUL":                        {"pnpm-workspace.yaml", "a: \x00\n", `pnpm-workspace.yaml:1:4: holds the character U+0000`},
		"an alias within itself":       {"pnpm-workspace.yaml", "a: &a [*a]\n", `nests deeper than 20 levels, or an alias lies in what it stands for`},
		"an alias of nothing":          {"pnpm-workspace.yaml", "a: *b\n", `pnpm-workspace.yaml:1:1: is no YAML: unknown anchor`},
		"a billion laughs":             {"pnpm-workspace.yaml", "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", `holds more than 50000 settings, or aliases make that many of them`},
		"deep YAML":                    {"pnpm-workspace.yaml", strings.Repeat("[", 200) + strings.Repeat("]", 200), `nests deeper than 20 levels`},
		"a key that is no text":        {"pnpm-workspace.yaml", "[a, b]: c\n", `pnpm-workspace.yaml:1:1: holds a key that is no text`},
		"many settings":                {".yarnrc.yml", "unsafeHttpWhitelist: [" + strings.Repeat("a,", 1001) + "b]\n", `holds more than 1000 settings`},
		"too large":                    {".yarnrc.yml", strings.Repeat("# x\n", 1<<18+1), `.yarnrc.yml`},
		"yarn 1: neither":              {".yarnrc", "registry \"https://r.test\"\n  }\n", `.yarnrc:2:3: holds '}' where yarn wants a setting`},
		"yarn 1: no value":             {".yarnrc", "registry\nx y", `.yarnrc:1:9: holds a key without a value`},
		"yarn 1: odd indentation":      {".yarnrc", "a:\n   b\n@\n", `.yarnrc:2:1: holds ' ' where yarn wants a setting`},
		"TOML: no value":               {"bunfig.toml", "a =\n", `bunfig.toml:1:4: holds '\n' where a value must stand`},
		"TOML: bare text":              {"bunfig.toml", "[install]\nregistry = https://r.test\n", `bunfig.toml:2:12: holds 'h' where a value must stand`},
		"TOML: no key":                 {"bunfig.toml", "= 1\n", `bunfig.toml:1:1: holds '=' where a key must stand`},
		"TOML: behind a value":         {"bunfig.toml", "a = 1 b = 2\n", `bunfig.toml:1:7: holds 'b' where the end of the line must stand`},
		"TOML: behind a table":         {"bunfig.toml", "[install] registry = \"x\"\n", `bunfig.toml:1:11: holds 'r' where the end of the line must stand`},
		"TOML: an open string":         {"bunfig.toml", "a = \"b\n", `bunfig.toml:1:7: holds '\n' where the end of a string must stand`},
		"TOML: an open text":           {"bunfig.toml", "a = '''b\n", `bunfig.toml:2:1: ends where the end of a string must stand`},
		"TOML: an escape":              {"bunfig.toml", `a = "\q"`, `bunfig.toml:1:7: holds an escape that TOML does not have`},
		"TOML: a short escape":         {"bunfig.toml", `a = "\u12"`, `bunfig.toml:1:7: holds an escape that TOML does not have`},
		"TOML: an open table":          {"bunfig.toml", "[a\n", `bunfig.toml:1:3: holds '\n' where "]" must stand`},
		"TOML: an open array":          {"bunfig.toml", "a = [1\n", `bunfig.toml:2:1: ends where "," or ']' must stand`},
		"TOML: deep":                   {"bunfig.toml", "a = " + strings.Repeat("[", 200), `bunfig.toml:1:25: nests deeper than 20 levels`},
		"TOML: deep keys":              {"bunfig.toml", strings.Repeat("a.", 200) + "b = 1", `nests deeper than 20 levels`},
		"TOML: a line end of old buns": {"bunfig.toml", "# \u2028[install]\n", `bunfig.toml:1:3: holds the character U+2028`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(machine(), checkout(t, map[string]string{tt.file: tt.text}))
			if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Of a file that was reached by a link nothing is shown.
func TestLinkedSettingsAreNotShown(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		".yarnrc.yml": "yarnPath: hunter2/y.cjs\nunsafeHttpWhitelist: [hunter2]\n", "pnpm-workspace.yaml": "a: *hunter2\n", "bunfig.toml": "preload = [\"./hunter2\"]\n",
		".yarnrc": "yarn-path hunter2/x\n}\n", ".npmrc": "script-shell=./hunter2\n",
	} {
		dir := write(t, map[string]string{"secret": text, "package.json": "{}"})
		if err := os.Symlink("secret", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		co, err := lockfile.Open(dir, "", Names()...)
		if err != nil {
			t.Fatal(err)
		}
		e, err := New(machine(), co)
		said := fmt.Sprint(err)
		if err == nil {
			said = strings.Join(settingLines(e, nil), "\n")
		}
		if strings.Contains(said, "hunter2") || !strings.Contains(said, name) {
			t.Errorf("%s: %s", name, said)
		}
		co.Close()
	}
}

// Verification that the runner switches off for yarn or pnpm is told, too.
func TestRunnersVerificationOfOthers(t *testing.T) {
	t.Parallel()
	e := open(t, machine("YARN_ENABLE_STRICT_SSL=false", "YARN_STRICT_SSL=true", "pnpm_config_strict_ssl=0"), nil)
	var in decide.Input
	e.Fill(&in, nil)
	got := map[string]string{}
	for _, s := range in.Settings {
		if s.Kind == aboutTLS {
			got[s.Name] = s.Fault
		}
	}
	const switched = "switches TLS verification off"
	want := map[string]string{"YARN_ENABLE_STRICT_SSL": switched, "YARN_STRICT_SSL": "", "pnpm_config_strict_ssl": switched}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A registry that a file of the project's names is not overruled, and one that it does not name is set.
func TestOtherSettingsFreezeAndAreSpared(t *testing.T) {
	t.Parallel()
	choice := choose.Choice{Sources: []choose.Picked{{Source: catalogue.Of(source.NPM, nil)[0]}}}
	for name, tt := range map[string]struct {
		file, text string
		frozen     string
		yarn, bun  bool
	}{
		"nothing":              {"bunfig.toml", "telemetry = false\n", "", true, true},
		"another of yarn":      {".yarnrc.yml", "npmRegistryServer: https://corp.test\n", ".yarnrc.yml:1 names a registry of its own", false, true},
		"a known one of yarn":  {".yarnrc.yml", "npmRegistryServer: https://registry.npmmirror.com\n", "", false, true},
		"a scope of yarn":      {".yarnrc.yml", "npmScopes: {a: {npmRegistryServer: https://official.test}}\n", ".yarnrc.yml:1 names a registry of its own", true, true},
		"yarn's path alone":    {".yarnrc.yml", "yarnPath: x.cjs\n", "", true, true},
		"another of bun":       {"bunfig.toml", "[install]\nregistry = \"https://corp.test\"\n", "bunfig.toml:2 names a registry of its own", true, false},
		"another of pnpm":      {"pnpm-workspace.yaml", "registries:\n  default: https://corp.test\n", "pnpm-workspace.yaml:2 names a registry of its own", true, true},
		"one by its address":   {"pnpm-workspace.yaml", "registries:\n  https://corp.test/: {}\n", "pnpm-workspace.yaml:2 names a registry of its own", true, true},
		"a scope of pnpm":      {"pnpm-workspace.yaml", "registries:\n  '@a': https://corp.test\n", "pnpm-workspace.yaml:2 names a registry of its own", true, true},
		"a file that is not":   {"pnpm-workspace.yaml", "include: {../x.yaml: '*'}\n", "pnpm-workspace.yaml:1 leaves settings to a file outside the checkout, which was not read", true, true},
		"another of yarn 1":    {".yarnrc", "registry \"https://corp.test\"\n", ".yarnrc:1 names a registry of its own", true, true},
		"a registry of npm's":  {".npmrc", "registry=https://official.test/\n", "", true, true},
		"one for yarn":         {".yarnrc", "disturl \"https://corp.test/\"\n", "", true, true},
		"a mirror of programs": {".npmrc", "disturl=https://corp.test/\n", "", true, true},
	} {
		e := open(t, machine(), map[string]string{tt.file: tt.text, "package.json": "{}", "package-lock.json": lock})
		if e.Frozen != tt.frozen {
			t.Errorf("%s: frozen %q, want %q", name, e.Frozen, tt.frozen)
		}
		set := map[string]bool{}
		for _, c := range e.Changes(choice) {
			set[c.Name] = true
		}
		if set["YARN_NPM_REGISTRY_SERVER"] != tt.yarn || set["BUN_CONFIG_REGISTRY"] != tt.bun {
			t.Errorf("%s: sets %v", name, set)
		}
		if e.InForce[0].Origin == source.Checkout && tt.file != ".npmrc" {
			t.Errorf("%s: npm is taken to obey %s", name, tt.file)
		}
	}
}

func TestLed(t *testing.T) {
	t.Parallel()
	co := checkout(t, map[string]string{".yarnrc.yml": "yarnPath: .yarn/y.cjs\n", "sub/.npmrc": "script-shell=./sh\n", "sub/package.json": "{}",
		"bunfig.toml": "preload = \"../x\"\n", "a/.yarnrc": "yarn-path \"../up.js\"\n", ".pnpmfile.cjs": "",
		"pnpm-workspace.yaml": "include: {./conf/x.yaml: '*'}\n", "conf/x.yaml": "pnpmfile: ../up.js\n"})
	if diff := cmp.Diff([]string{"conf/x.yaml", "sub/sh", "up.js", ".yarn/y.cjs"}, Led(co)); diff != "" {
		t.Error(diff)
	}
}

// A registry that pnpm's settings give a name to is where the lock file's entries come from.
func TestNamedRegistries(t *testing.T) {
	t.Parallel()
	const pinned = "lockfileVersion: '9.0'\npackages:\n  '@s/a@work:1.0.0':\n    resolution: {integrity: " + probeIntegrity + "}\n  b@far:2.0.0:\n    resolution: {integrity: " + probeIntegrity + "}\nsnapshots:\n  '@s/a@work:1.0.0': {}\n  b@far:2.0.0: {}\n"
	for name, tt := range map[string]struct {
		workspace string
		want      []string
	}{
		"none":       {"packages: []\n", []string{"invalid  the settings of pnpm say where the registry \"work\" is", "invalid  the settings of pnpm say where the registry \"far\" is"}},
		"old form":   {"namedRegistries: {work: 'https://work.test/npm/'}\n", []string{"registry work.test ", "invalid  the settings of pnpm say where the registry \"far\" is"}},
		"new form":   {"registries: {'https://work.test/': {prefix: work}, 'http://far.test': {prefix: far}}\n", []string{"registry work.test ", "registry far.test "}},
		"a variable": {"namedRegistries: {work: 'https://${W}/'}\n", []string{"invalid  the settings of pnpm say where the registry \"work\" is", "invalid  the settings of pnpm say where the registry \"far\" is"}},
	} {
		e := open(t, machine(), map[string]string{"sub/pnpm-lock.yaml": pinned, "sub/pnpm-workspace.yaml": tt.workspace, "pnpm-workspace.yaml": "namedRegistries: {far: https://elsewhere.test}\n"})
		var in decide.Input
		e.Fill(&in, nil)
		var got []string
		for _, g := range in.Entries {
			got = append(got, g.Kind+" "+g.Host+" "+g.Broken)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What pnpm-workspace.yaml puts in the place of packages is told as that of a package.json is.
func TestWorkspaceOverrides(t *testing.T) {
	t.Parallel()
	e := open(t, machine(), map[string]string{"package.json": "{}", "pnpm-workspace.yaml": "overrides:\n  a: https://evil.test/a.tgz\n  'b>c@1': git+ssh://git@evil.test/c.git # why\n  d: ^1.0.0\n" +
		"catalogs: {one: {e: \"npm:f@1\"}}\npatchedDependencies:\n  g@1.0.0: ../up.patch\n  h@1.0.0: patches/h.patch\n"})
	var in decide.Input
	e.Fill(&in, nil)
	var got []string
	for _, o := range in.NPM.Overrides {
		got = append(got, fmt.Sprintf("%s %s %s %s %s:%d:%d", o.Setting, o.Name, o.Kind, o.Host, o.File, o.Line, o.Column))
	}
	want := []string{"overrides a tarball evil.test pnpm-workspace.yaml:2:6", "overrides b>c@1 git evil.test pnpm-workspace.yaml:3:12",
		"catalogs e alias  pnpm-workspace.yaml:5:21", "patchedDependencies g@1.0.0 file  pnpm-workspace.yaml:7:12"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func leafLines(leaves []leaf) []string {
	out := []string{}
	for _, l := range leaves {
		text := l.text
		if l.empty {
			text = "nothing"
		}
		var path []string
		for _, key := range l.path {
			path = append(path, key.text)
		}
		out = append(out, fmt.Sprintf("%s=%s %d:%d", strings.Join(path, "/"), text, l.at.Line, l.at.Column))
	}
	return out
}

func TestTOML(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"empty":         {"\ufeff# nothing\r\n\n", []string{}},
		"keys":          {"a.b . \"c d\".'e' = 1\n1-_x=2", []string{"a/b/c d/e=1 1:19", "1-_x=2 2:6"}},
		"tables":        {"[a]\nb=true # c\n[ a . 'c' ]\nd=false\r\n[[e]]\nf=1\n[[e]]\nf=2\n", []string{"a/b=true 2:3", "a/c/d=false 4:3", "e/[0]/f=1 6:3", "e/[1]/f=2 8:3"}},
		"words":         {"a=[+1_0, 0xff, 1e3, -inf, nan, 1979-05-27T07:32:00Z,]\n", []string{"a/[0]=+1_0 1:4", "a/[1]=0xff 1:10", "a/[2]=1e3 1:16", "a/[3]=-inf 1:21", "a/[4]=nan 1:27", "a/[5]=1979-05-27T07:32:00Z 1:32"}},
		"strings":       {`a="\b\t\n\f\r\e\"\\\x41\u00e9\U0001F600"` + "\nb='\\n'\n", []string{"a=\b\t\n\f\r\x1b\"\\A\u00e9\U0001F600 1:3", `b=\n 2:3`}},
		"long strings":  {"a=\"\"\"\r\nx \\\n   y\"\"\"\"\"\nb='''x\ny''''\n", []string{"a=x y\"\" 1:3", "b=x\ny' 4:3"}},
		"collections":   {"a = [ # x\n  [1, {b = 2, c.d = []}],\n]\ne={}\n", []string{"a/[0]/[0]=1 2:4", "a/[0]/[1]/b=2 2:12", "a/[0]/[1]/c/d=nothing 2:21", "e=nothing 4:3"}},
		"bytes counted": {"\"\u00fc\" = \"x\"\n", []string{"\u00fc=x 1:8"}},
	} {
		leaves, err := tomlLeaves(lockfile.File{Path: "bunfig.toml", Data: []byte(tt.text)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(tt.want, leafLines(leaves)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// within holds a position to the file: on a line that is there, and on a byte of it or behind its last.
func within(t *testing.T, text string, leaves []leaf, err error) {
	t.Helper()
	if err != nil {
		var p *problem.Problem
		if !errors.As(err, &p) || p.Code != problem.Usage {
			t.Fatalf("got %v", err)
		}
		return
	}
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	for _, l := range leaves {
		if l.at.Line < 1 || l.at.Line > len(lines) || l.at.Column < 1 || l.at.Column > len(lines[l.at.Line-1])+1 {
			t.Fatalf("%+v is outside of the file", l)
		}
	}
}

func FuzzYAMLSettings(f *testing.F) {
	for _, s := range []string{"a: &x {b: [c, *x]}\n<<: *x\n", "\ufeff# \u00fc\na: >-\n  b\n'c': \"d\\u0041\"\n? e\n: f\n", "a: *b", "npmScopes: {onConflict: reset, value: {a: {npmRegistryServer: x}}}\nplugins: [{path: a, spec: b}]\n", "---\n...\n", "?"} {
		f.Add(s)
	}
	dir := f.TempDir()
	co, err := lockfile.Open(dir, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := lockfile.File{Path: "x.yml", Data: []byte(text)}
		leaves, err := yamlLeaves(file, "yarn")
		within(t, text, leaves, err)
		s := &settings{co: co, read: map[string]bool{}}
		for _, read := range []func(*settings, lockfile.File) ([]value, error){(*settings).berryValues, (*settings).workspaceValues} {
			values, _ := read(s, file)
			for _, v := range values {
				v.setting()
			}
		}
	})
}

func FuzzTOMLSettings(f *testing.F) {
	for _, s := range []string{"[install]\nregistry = \"x\" # y\n[install.scopes]\n\"@a\" = {url = '''b''', c = [1,\n2]}\n[[e]]\n", "a = \"\\u00e9\\\n  \"\n", "\"\"=''\n[", "a={b=[{c=\"\"\"\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		leaves, err := tomlLeaves(lockfile.File{Path: "bunfig.toml", Data: []byte(text)})
		within(t, text, leaves, err)
	})
}

func FuzzClassicSettings(f *testing.F) {
	for _, s := range []string{"registry \"x\"\n--install.a true b c\nenv:\n  A b\n  C d\n", "a, b:\n  c:\n    d 1\n  e true\n", "\"\\\"", "a:\r\n  b c\rd e\n\n\nf g", "a:\n b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		leaves, err := classicLeaves(lockfile.File{Path: ".yarnrc", Data: []byte(text)})
		within(t, text, leaves, err)
	})
}
