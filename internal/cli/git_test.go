package cli_test

import (
	"slices"
	"strings"
	"testing"
)

// A host that the base commit's submodules come from is in use already; one that the change brings in is not.
func TestChangeOfSubmodules(t *testing.T) {
	t.Parallel()
	const old = "[submodule \"a\"]\n\tpath = a\n\turl = https://a.test/a\n[submodule \"b\"]\n\tpath = b\n\turl = git://github.com/b\n"
	s := newRepository(t)
	s.file(".gitmodules", old)
	base := s.commit()
	s.file(".gitmodules", "# moved\n"+old+"[submodule \"c\"]\n\turl = https://a.test/c\n[submodule \"d\"]\n\turl = git@d.test:d\n[submodule \"e\"]\n\turl = ../e\n")
	head := s.commit()
	e := s.run("check", "DIR", "--diff", base)
	e.want(t, 1, []string{
		"error GIT001 .gitmodules:11:8 submodule d comes from d.test, which is named by this change and in no list of trusted hosts\n      | \turl = git@d.test:d\n      | \t      ^",
		"Known at " + base[:12] + " already, not counted\n", "denied: 1 error, 2 known already",
		"note GIT001 .gitmodules:9:8 submodule c comes from a.test, which is named by the base commit"}, nil)
	if got, code := s.statuses("--diff", base, "--offline"); code != 1 || !slices.Equal(got, []string{
		"GIT001 submodule a known", "GIT001 submodule b known", "GIT001 submodule c active", "GIT001 submodule d active"}) {
		t.Errorf("exit %d, %q", code, got)
	}
	s.pullRequest(base, head)
	s.run("check", "DIR").want(t, 1, []string{"error GIT001 .gitmodules:11:8 submodule d", "warning GIT001 .gitmodules:7:8 submodule b comes from github.com over git"}, nil)

	// what another one wrote into .git/config is of no commit, and so is known to none
	s.git("config", "core.sshCommand", "./tools/ssh")
	s.git("config", "url.https://b.test/.insteadOf", "https://github.com/")
	s.git("config", "http.proxy", "http://p.test:3128")
	e = s.run("check", "DIR", "--diff", base)
	e.want(t, 1, []string{"/.git/config:", "http.proxy in .git/config decides whom git asks on the way", "core.sshcommand in .git/config starts what the author of the checkout may have written: ./tools/ssh",
		"warning GIT002 ", "leads https://github.com/ to b.test, which is named by the checkout and in no list of trusted hosts"}, nil)
	if strings.Contains(e.stdout, "insteadOf") {
		t.Errorf("a line of .git/config is shown:\n%s", e.stdout)
	}
}
