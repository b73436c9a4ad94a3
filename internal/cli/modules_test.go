package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A pull request is told of the modules and tools that it adds, and cannot widen the lists that its base has.
func TestModulesOfAChange(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	config, mod, sums := read(".goproxy/config.yaml"), read("go.mod"), read("go.sum")
	s.file(".goproxy/config.yaml", config+"modules: {hosts: [github.com]}\n")
	s.file("go.mod", mod+"\ntool github.com/elder/gen\n")
	base := s.commit()
	s.pullRequest(base, s.commit())
	if e := s.run("check", "DIR"); e.code != 0 || strings.Contains(e.stdout, "MOD0") {
		t.Errorf("%+v", e)
	}

	s.file(".goproxy/config.yaml", config+"modules: {hosts: [github.com, evil.test]}\n")
	s.file("go.mod", mod+"\ntool github.com/elder/gen\ntool github.com/newer/gen\n\nrequire github.com/Google/uuid v1.6.0\nrequire evil.test/x v1.0.0\n")
	for _, line := range strings.SplitAfter(sums, "\n") {
		for _, other := range []string{"github.com/Google/uuid v1.6.0", "evil.test/x v1.0.0"} {
			sums += strings.Replace(line, "github.com/google/uuid v1.6.0", other, 1)
		}
	}
	s.file("go.sum", sums)
	s.pullRequest(base, s.commit())
	at := func(text string) string { return place(t, read("go.mod"), text) }
	e := s.run("check", "DIR")
	e.want(t, 1, []string{
		"error MOD006 go.mod:" + at("require evil.test") + " evil.test/x@v1.0.0 begins with a host",
		"error MOD013 go.mod:" + at("require github.com/Google") + " github.com/Google/uuid differs from github.com/google/uuid",
		"warning MOD013 go.mod:", "github.com/google/uuid differs from github.com/Google/uuid",
		"warning MOD009 go.mod:" + at("tool github.com/newer") + " github.com/newer/gen is a tool",
	}, nil)
	if strings.Contains(e.stdout, "elder/gen") {
		t.Errorf("a tool that was there is told:\n%s", e.stdout)
	}
}

// place is line:column of a text that begins a line.
func place(t *testing.T, file, text string) string {
	t.Helper()
	for i, line := range strings.Split(file, "\n") {
		if strings.HasPrefix(line, text) {
			return fmt.Sprintf("%d:1", i+1)
		}
	}
	t.Fatalf("no line begins with %q", text)
	return ""
}

// A vendor directory is compared with that of the commit, too, though no walk finds it.
func TestDiffOfVendored(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	const list = "# github.com/google/uuid v1.6.0\n## explicit\ngithub.com/google/uuid\n"
	s.file("vendor/modules.txt", list)
	s.commit()
	s.git("branch", "base")
	s.file("vendor/modules.txt", list+"# evil.test/x v1.0.0\n## go 1.18\nevil.test/x\n")
	if got, code := s.statuses("--diff", "base"); code != 0 || !slices.Equal(got, []string{"MOD011 evil.test/x@v1.0.0 active"}) {
		t.Errorf("exit %d, %q", code, got)
	}
	s.commit()
	s.git("branch", "-f", "base")
	if got, code := s.statuses("--diff", "base"); code != 0 || !slices.Equal(got, []string{"MOD011 evil.test/x@v1.0.0 known"}) {
		t.Errorf("exit %d, %q", code, got)
	}
}
