package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// lock is a lock file of packages, each as name, address and integrity; those with the name of a letter are of version
// 1.0.0.
func lock(packages ...[3]string) string {
	var b strings.Builder
	b.WriteString("{\n  \"name\": \"x\",\n  \"version\": \"1.0.0\",\n  \"lockfileVersion\": 3,\n  \"packages\": {\n    \"\": {\"name\": \"x\", \"version\": \"1.0.0\"}")
	for _, p := range packages {
		fmt.Fprintf(&b, ",\n    \"node_modules/%s\": {\n      \"version\": \"1.0.0\",\n      \"resolved\": %q", p[0], p[1])
		if p[2] != "" {
			fmt.Fprintf(&b, ",\n      \"integrity\": %q", p[2])
		}
		b.WriteString("\n    }")
	}
	return b.String() + "\n  }\n}\n"
}

const (
	goodSHA = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
	mirror  = "https://registry.npmmirror.com/"
)

var (
	overHTTP  = [3]string{"a", "http://registry.npmmirror.com/a/-/a-1.0.0.tgz", goodSHA}
	unpinned  = [3]string{"b", mirror + "b/-/b-1.0.0.tgz", ""}
	weak      = [3]string{"c", mirror + "c/-/c-1.0.0.tgz", "sha1-qUjLAuXjGGzLXM8JZw+BQYDUcgo="}
	otherWeak = [3]string{"c", mirror + "c/-/c-1.0.0.tgz", "sha1-AAAAAuXjGGzLXM8JZw+BQYDUcgo="}
	good      = [3]string{"good", mirror + "good/-/good-1.0.0.tgz", goodSHA}
	elsewhere = [3]string{"a", "http://registry.npmmirror.com/evil/-/a-1.0.0.tgz", goodSHA}
	alsoHTTP  = [3]string{"d", "http://registry.npmmirror.com/d/-/d-1.0.0.tgz", goodSHA}
	alsoGood  = [3]string{"f", mirror + "f/-/f-1.0.0.tgz", goodSHA}
	another   = [3]string{"e", mirror + "evil/-/evil-1.0.0.tgz", goodSHA}
	clashing  = [3]string{"x/node_modules/good", good[1], "sha512-AAAAfkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}
)

// scripted gives the first package of a lock file a script.
func scripted(text string) string {
	return strings.Replace(text, `"resolved"`, `"hasInstallScript": true, "resolved"`, 1)
}

// spread puts a line between the address and the checksum of each entry.
func spread(text string) string {
	return strings.ReplaceAll(text, `"integrity"`, "\"dev\": true,\n      \"integrity\"")
}

// joined writes a lock file in one line, the checksum before the address and far from it.
func joined(text string) string {
	text = regexp.MustCompile(`("resolved": "[^"]*"),\s*("integrity": "[^"]*")`).ReplaceAllString(text, `$2, "funding": "`+strings.Repeat("x", 2000)+`", $1`)
	return strings.ReplaceAll(text, "\n", "")
}

// statuses are the findings of a run as RULE SUBJECT STATUS.
func (s *stage) statuses(args ...string) (all []string, code int) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "report.json")
	e := s.run(append([]string{"check", "DIR", "--output", "json=" + file}, args...)...)
	data, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatalf("%v: %+v", err, e)
	}
	var report struct {
		Findings []struct{ ID, Subject, Status string }
		Counts   struct{ Errors, Known int }
	}
	if err := json.Unmarshal(data, &report); err != nil {
		s.t.Fatalf("%v: %+v", err, e)
	}
	known := 0
	for _, f := range report.Findings {
		all = append(all, f.ID+" "+f.Subject+" "+f.Status)
		if f.Status == "known" {
			known++
		}
	}
	slices.Sort(all)
	if known != report.Counts.Known {
		s.t.Errorf("%d are known, and %d were counted", known, report.Counts.Known)
	}
	return all, e.code
}

// Only what a change introduces fails; what was there before is told apart, wherever its lines have moved to.
func TestDiff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		base, head string // of package-lock.json
		change     func(*stage)
		code       int
		want       []string
	}{
		"nothing changed":            {lock(overHTTP, unpinned, weak), lock(overHTTP, unpinned, weak), nil, 0, []string{"LCK002 a@1.0.0 known", "LCK003 b@1.0.0 known", "LCK004 c@1.0.0 known"}},
		"lines moved":                {lock(overHTTP, unpinned), lock(good, overHTTP, unpinned), nil, 0, []string{"LCK002 a@1.0.0 known", "LCK003 b@1.0.0 known"}},
		"one more":                   {lock(overHTTP), lock(alsoHTTP, overHTTP), nil, 1, []string{"LCK002 a@1.0.0 known", "LCK002 d@1.0.0 active"}},
		"one less":                   {lock(overHTTP, alsoHTTP), lock(overHTTP), nil, 0, []string{"LCK002 a@1.0.0 known"}},
		"the first":                  {lock(good), lock(overHTTP), nil, 1, []string{"LCK002 a@1.0.0 active"}},
		"another address":            {lock(overHTTP), lock(elsewhere), nil, 1, []string{"LCK002 a@1.0.0 active"}},
		"another checksum":           {lock(weak), lock(otherWeak), nil, 0, []string{"LCK004 c@1.0.0 active"}}, // of severity warning
		"a checksum further away":    {spread(lock(overHTTP)), spread(lock([3]string{"a", overHTTP[1], clashing[2]})), nil, 1, []string{"LCK002 a@1.0.0 active"}},
		"the same further away":      {spread(lock(overHTTP)), spread(lock(good, overHTTP)), nil, 0, []string{"LCK002 a@1.0.0 known"}},
		"a checksum in one line":     {joined(lock(overHTTP)), joined(lock([3]string{"a", overHTTP[1], clashing[2]})), nil, 1, []string{"LCK002 a@1.0.0 active"}},
		"a checksum less":            {lock(good, [3]string{"b", unpinned[1], goodSHA}), lock(good, unpinned), nil, 1, []string{"LCK003 b@1.0.0 active"}},
		"another file":               {lock(overHTTP), lock(overHTTP), func(s *stage) { s.file("web/package.json", "{}"); s.file("web/package-lock.json", lock(overHTTP)) }, 1, []string{"LCK002 a@1.0.0 active", "LCK002 a@1.0.0 known"}},
		"another package":            {lock(another), lock(good, another), nil, 0, []string{"LCK005 e@1.0.0 known"}},
		"another package now":        {lock([3]string{"e", mirror + "e/-/e-1.0.0.tgz", goodSHA}), lock(another), nil, 1, []string{"LCK005 e@1.0.0 active"}},
		"two hashes":                 {lock(good, clashing), lock(alsoGood, good, clashing), nil, 0, []string{"LCK006 good@1.0.0 known"}},
		"two hashes now":             {lock(good), lock(good, clashing), nil, 1, []string{"LCK006 good@1.0.0 active"}},
		"a script":                   {scripted(lock(alsoGood, good)), scripted(lock(alsoGood, good)), nil, 0, []string{"LCK007 f known"}},
		"a script now":               {lock(alsoGood, good), scripted(lock(alsoGood, good)), nil, 0, []string{"LCK007 f@1.0.0 active"}}, // of severity warning
		"go.sum is removed":          {"", "", func(s *stage) { os.Remove(filepath.Join(s.dir, "go.sum")) }, 1, []string{"MOD010 github.com/google/uuid@v1.6.0 active"}},
		"a setting of this machine":  {"", "", func(s *stage) { s.env["GOINSECURE"] = "*.corp.test" }, 1, []string{"GO003 GOINSECURE=*.corp.test active"}},
		"not understood at the base": {"{", lock(overHTTP), nil, 1, []string{"LCK002 a@1.0.0 active"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRepository(t)
			if tt.base != "" {
				s.file("package-lock.json", tt.base)
			}
			s.commit()
			s.git("branch", "base")
			if tt.head != "" {
				s.file("package-lock.json", tt.head)
			}
			if tt.change != nil {
				tt.change(s)
			}
			got, code := s.statuses("--diff", "base") // not committed, as before a commit
			if !slices.Equal(got, tt.want) || code != tt.code {
				t.Errorf("exit %d, %q", code, got)
			}
			s.commit()
			if again, code := s.statuses("--diff", "base", "--offline"); !slices.Equal(again, tt.want) || code != tt.code {
				t.Errorf("committed: exit %d, %q", code, again)
			}
			if left, _ := os.ReadDir(s.env["TMPDIR"]); len(left) != 0 {
				t.Errorf("left behind %v", left)
			}
		})
	}
}

func TestDiffReport(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	s.file("package-lock.json", lock(overHTTP, weak))
	base := s.commit()
	s.file("package-lock.json", lock(alsoHTTP, overHTTP, weak))
	e := s.run("check", "--diff", base, "DIR")
	e.want(t, 1, []string{"  error LCK002 package-lock.json:9:19 d@1.0.0", "Known at " + base[:12] + " already, not counted\n  error LCK002 package-lock.json:14:19 a@1.0.0", "  warning LCK004 package-lock.json:20:20 c@1.0.0", "denied: 1 error, 2 known already"}, nil)
	s.file("package-lock.json", lock(overHTTP, weak))
	s.run("check", "--diff", "HEAD", "DIR").want(t, 0, []string{"Known at HEAD (" + base[:12] + ") already", "allowed, 2 known already"}, nil)
	s.file("broken/package.json", "{}")
	s.file("broken/package-lock.json", "{")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "x")
	s.file("broken/package-lock.json", lock(good))
	s.run("check", "--diff", "HEAD", "DIR").want(t, 1, []string{"cannot be understood, so all findings count: broken/package-lock.json:1:", "denied: 1 error, 1 warning"}, nil)
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--diff", "none"}, `the checkout has no branch or tag "none"`},
		{[]string{"--diff", "HEAD~1"}, `"HEAD~1" is neither a hash nor a name`},
		{[]string{"--diff", "auto"}, "name a commit: a hash, a branch or a tag"},
		{[]string{"--diff", strings.Repeat("1", 40), "--offline"}, "leave --offline out"},
		{[]string{"--diff", strings.Repeat("1", 40)}, "git fetch --depth=1 origin 1111111"},
	} {
		if e := s.run(append([]string{"check", "DIR"}, tt.args...)...); e.code != 2 || !strings.Contains(e.stdout+e.stderr, tt.says) {
			t.Errorf("%v: %+v", tt.args, e)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.dir, ".git")); err != nil {
		t.Fatal(err)
	}
	s.run("check", "DIR", "--diff", "main").want(t, 2, nil, []string{"there is no .git"})
}

// The commit is found in each kind of clone: in a shallow one it is fetched by its hash, unless that is forbidden.
func TestDiffInClones(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	s.file("package-lock.json", lock(overHTTP))
	base := s.commit()
	s.git("branch", "base")
	s.file("package-lock.json", lock(alsoHTTP, overHTTP))
	s.commit()
	tmp := t.TempDir()
	shallow, full, worktree := filepath.Join(tmp, "shallow"), filepath.Join(tmp, "full"), filepath.Join(tmp, "worktree")
	s.git("clone", "-q", "--depth=1", "file://"+s.dir, shallow)
	s.git("clone", "-q", "file://"+s.dir, full)
	s.git("worktree", "add", "-q", "--detach", worktree)
	want := []string{"LCK002 a@1.0.0 known", "LCK002 d@1.0.0 active"}
	for _, tt := range []struct{ dir, base string }{{shallow, base}, {full, base}, {full, "origin/base"}, {worktree, "base"}, {worktree, base}} {
		s.dir = tt.dir
		if got, code := s.statuses("--diff", tt.base); !slices.Equal(got, want) || code != 1 {
			t.Errorf("%s %s: exit %d, %q", filepath.Base(tt.dir), tt.base, code, got)
		}
	}
	s.dir = shallow
	s.run("check", "DIR", "--offline", "--diff", base).want(t, 2, nil, []string{"the checkout does not have it", "git fetch --depth=1 origin " + base + "), or leave --offline out"})
	// below the root of the repository
	s.dir = filepath.Join(full, "svc")
	s.file("package.json", "{}")
	s.file("package-lock.json", lock(alsoHTTP))
	s.file(".goproxy/config.yaml", "official: {npm: https://npm.official.test}\n")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "x")
	s.file("package-lock.json", lock(overHTTP, alsoHTTP))
	if got, code := s.statuses("--diff", "HEAD"); !slices.Equal(got, []string{"LCK002 a@1.0.0 active", "LCK002 d@1.0.0 known"}) || code != 1 {
		t.Errorf("below the root: exit %d, %q", code, got)
	}
}

// In a CI system auto is the commit that it names. A pull request is compared with no other, and one without --diff is
// judged as ever.
func TestDiffAuto(t *testing.T) {
	t.Parallel()
	s := newRepository(t)
	s.file("package-lock.json", lock(overHTTP))
	base := s.commit()
	s.file("package-lock.json", lock(alsoHTTP, overHTTP))
	head := s.commit()
	want := []string{"LCK002 a@1.0.0 known", "LCK002 d@1.0.0 active"}
	for _, host := range []struct { // the second's environment stays
		name string
		play func()
	}{{"pull request", func() { s.pullRequest(base, head) }}, {"merge request", func() { s.mergeRequest(base) }}} {
		name := host.name
		host.play()
		for _, diff := range []string{"auto", base} {
			if got, code := s.statuses("--diff", diff); !slices.Equal(got, want) || code != 1 {
				t.Errorf("%s, %s: exit %d, %q", name, diff, code, got)
			}
		}
		for _, diff := range []string{"HEAD", head, "main"} {
			if e := s.run("check", "DIR", "--diff", diff); e.code != 2 || !strings.Contains(e.stdout+e.stderr, "is not the commit that this change is measured against") {
				t.Errorf("%s, %s: %+v", name, diff, e)
			}
		}
		if got, code := s.statuses(); code != 1 || strings.Contains(strings.Join(got, " "), "known") {
			t.Errorf("%s: exit %d, %q", name, code, got)
		}
	}
	s.env["CI_PIPELINE_SOURCE"] = "schedule"
	delete(s.env, "CI_MERGE_REQUEST_IID")
	e := s.run("check", "DIR", "--diff", "auto")
	e.want(t, 1, []string{"denied: 2 errors", "names no commit to compare with for this event, so all findings count"}, nil)
	s.env["CI_PIPELINE_SOURCE"], s.env["CI_COMMIT_BEFORE_SHA"] = "push", base
	if got, code := s.statuses("--diff", "auto"); !slices.Equal(got, want) || code != 1 {
		t.Errorf("push: exit %d, %q", code, got)
	}
	s.env["CI_COMMIT_BEFORE_SHA"] = strings.Repeat("1", 40)
	s.run("check", "DIR", "--diff", "auto").want(t, 1, []string{"denied: 2 errors", "could not be read, so hosts and findings that this push introduces"}, nil)
}

// Where a checksum stands lines away from what is objected to, an entry is known only as long as the file is the same.
func TestDiffOfScatteredLocks(t *testing.T) {
	t.Parallel()
	pnpm := func(sum string) string {
		return "lockfileVersion: '9.0'\n\npackages:\n\n  a@1.0.0:\n    resolution:\n      tarball: http://cdn.corp.test/a.tgz\n      integrity: " + sum + "\n\nsnapshots:\n\n  a@1.0.0: {}\n"
	}
	s := newRepository(t)
	s.file("pnpm-lock.yaml", pnpm(goodSHA))
	s.commit()
	s.git("branch", "base")
	if got, code := s.statuses("--diff", "base"); code != 0 || !slices.Equal(got, []string{"LCK001 a@1.0.0 known", "LCK002 a@1.0.0 known"}) {
		t.Errorf("unchanged: exit %d, %q", code, got)
	}
	s.file("pnpm-lock.yaml", pnpm("sha512-"+strings.Repeat("C", 85)+"A=="))
	if got, code := s.statuses("--diff", "base"); code != 1 || !slices.Equal(got, []string{"LCK001 a@1.0.0 active", "LCK002 a@1.0.0 active"}) {
		t.Errorf("another checksum: exit %d, %q", code, got)
	}
}
