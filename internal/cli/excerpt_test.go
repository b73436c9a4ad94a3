package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The line that a finding is about stands below it, without what may be a secret; what a link leads to is never shown.
func TestExcerpt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.file("package.json", `{}`)
	s.file("package-lock.json", poisoned)
	s.file(".npmrc", "//npm.corp.test/:_authToken=hunter2\nregistry=http://ci:hunter3@npm.corp.test/\n")
	e := s.run("check", "DIR")
	e.want(t, 1, []string{"error NPM001 .npmrc:2:", "      | registry=http://***@npm.corp.test/\n",
		`      |       "resolved": "http://registry.evil.test/a/-/a-1.0.0.tgz",` + "\n      |                   ^\n"}, nil)
	// the key of an entry without a checksum, and the checksum that cannot be read
	e.want(t, 1, []string{`      |       "integrity": "sha512-AAAA"`}, nil)
	if strings.Contains(e.stdout+e.stderr, "hunter") {
		t.Errorf("a secret is shown:\n%s", e.stdout)
	}
	if e := s.run("check", "DIR", "--format", "json"); strings.Contains(e.stdout, `"resolved`) {
		t.Errorf("an excerpt in JSON: %s", e.stdout)
	}

	s = newStage(t)
	s.file("package.json", `{}`)
	s.file("elsewhere.json", poisoned)
	if err := os.Symlink("elsewhere.json", filepath.Join(s.dir, "package-lock.json")); err != nil {
		t.Fatal(err)
	}
	e = s.run("check", "DIR")
	e.want(t, 1, []string{"error LCK002 package-lock.json:9:19"}, nil)
	if strings.Contains(e.stdout, " | ") || strings.Contains(e.stdout, `"resolved"`) {
		t.Errorf("a line behind a link is shown:\n%s", e.stdout)
	}
}
