package npm

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
)

// realProject are the files of a project of testdata/npm/drift, whose lock file the tool itself made.
func realProject(t testing.TB, tool string) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..", "..", "testdata", "npm", "drift", tool)
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(root, name)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil || len(files) < 4 {
		t.Fatal(len(files), err)
	}
	return files
}

// driftLines are the drifts in one line each.
func driftLines(f manifestFacts) []string {
	out := []string{}
	for _, d := range f.drifts {
		out = append(out, fmt.Sprintf("%s:%d:%d %s %q, not %q in %s", d.File, d.Line, d.Column, d.Name, d.Wanted, d.Locked, d.Lock))
	}
	return out
}

func factsOf(t testing.TB, files map[string]string) manifestFacts {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	co, err := lockfile.Open(dir, "", Names()...)
	if err != nil {
		t.Fatal(err)
	}
	defer co.Close()
	locks, errs := readLocks(co)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return readManifests(co, locks)
}

// The tools' own lock files have what package.json asks for: overrides, workspaces, aliases, catalogs, peers, and odd
// spelling do not make a drift. A requirement that is changed, added or added in a workspace does.
func TestDriftOfRealTools(t *testing.T) {
	t.Parallel()
	for tool, lock := range map[string]string{"npm": "package-lock.json", "yarn1": "yarn.lock", "pnpm": "pnpm-lock.yaml", "berry": "yarn.lock", "bun": "bun.lock"} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			files := realProject(t, tool)
			if f := factsOf(t, files); len(f.drifts)+len(f.overrides)+len(f.notes)+len(f.errs) > 0 {
				t.Errorf("untouched: %v %+v %v %v", driftLines(f), f.overrides, f.notes, f.errs)
			}
			for _, edit := range []struct{ file, old, new, want string }{
				{"package.json", `"toidentifier": "=1.0.1"`, `"toidentifier": "^1.0.0"`, `toidentifier "^1.0.0"`},
				{"package.json", `"depd": "latest"`, `"depd": "latest", "added": "*"`, `added "*"`},
				{"package.json", `"depd": "latest"`, `"depd": "npm:evil@1"`, `depd "npm:evil@1"`},
				{"packages/a/package.json", `"^6.0.0"`, `"^7.0.0"`, `strip-ansi "^7.0.0"`},
				{"packages/a/package.json", `"name"`, `"optionalDependencies": {"x": "workspace:*", "y": "1"}, "name"`, `y "1"`},
			} {
				if tool == "pnpm" && strings.Contains(edit.new, "optional") {
					continue // pnpm may be told to leave them out
				}
				edited := maps.Clone(files)
				if strings.Count(files[edit.file], edit.old) != 1 {
					t.Fatalf("%q is not once in %s", edit.old, files[edit.file])
				}
				edited[edit.file] = strings.Replace(files[edit.file], edit.old, edit.new, 1)
				got := driftLines(factsOf(t, edited))
				if len(got) == 0 || !strings.Contains(got[len(got)-1], edit.want) || !strings.HasSuffix(got[0], lock) {
					t.Errorf("%s: %q, want %s", edit.new, got, edit.want)
				}
			}
			delete(files, lock)
			if got := driftLines(factsOf(t, files)); len(got) > 0 {
				t.Errorf("no lock file: %q", got)
			}
		})
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	lock := func(wants string) string {
		return `{"lockfileVersion":3,"packages":{"":{"dependencies":{` + wants + `}}}}`
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a lock of nothing": {map[string]string{"package.json": `{"dependencies":{"a":"1"}}`, "package-lock.json": `{"lockfileVersion":3,"packages":{}}`},
			[]string{`package.json:1:22 a "1", not "" in package-lock.json`}},
		"the first format says nothing": {map[string]string{"package.json": `{"dependencies":{"a":"1"}}`, "package-lock.json": `{"lockfileVersion":1}`}, []string{}},
		"equal keys":                    {map[string]string{"package.json": `{"dependencies":{"a":"1","a":"2"}}`, "package-lock.json": lock(`"a":"1"`)}, []string{}},
		"another range": {map[string]string{"package.json": "\ufeff{\n  \"dependencies\": {\n    \"a\": \"2\"\n  }\n}", "package-lock.json": lock(`"a":"1"`)},
			[]string{`package.json:3:10 a "2", not "1" in package-lock.json`}},
		"two lock files": {map[string]string{"x/package.json": `{"dependencies":{"a":"1"}}`, "x/package-lock.json": lock(`"a":"1"`), "x/yarn.lock": "# yarn lockfile v1\n\n\na@2:\n  version \"2.0.0\"\n"},
			[]string{`x/package.json:1:22 a "1", not "" in x/yarn.lock`}},
		"what lies below is its own": {map[string]string{"package.json": `{"workspaces":["*"]}`, "package-lock.json": lock(""), "x/package.json": `{"dependencies":{"a":"1"}}`, "x/package-lock.json": lock(`"a":"1"`)}, []string{}},
		"a workspace that the lock does not know": {map[string]string{"package.json": `{"workspaces":{"packages":["./x/{y,z}/**","!x/y/q"]}}`, "package-lock.json": lock(""),
			"x/y/package.json": `{"dependencies":{"a":"1"}}`, "x/y/q/package.json": `{"dependencies":{"b":"1"}}`, "x/w/package.json": `{"dependencies":{"c":"1"}}`},
			[]string{`x/y/package.json:1:22 a "1", not "" in package-lock.json`}},
		"a hook of pnpm's": {map[string]string{"package.json": `{"dependencies":{"a":"1"}}`, "pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters:\n  .: {}\n", ".pnpmfile.cjs": ""}, []string{}},
		"overrides of pnpm's": {map[string]string{"package.json": `{"dependencies":{"a":"1","b":"1"}}`, "pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters:\n  .: {}\n", "pnpm-workspace.yaml": "overrides:\n  a: 2\n"},
			[]string{`package.json:1:30 b "1", not "" in pnpm-lock.yaml`}},
		"peers of yarn 1": {map[string]string{"package.json": `{"peerDependencies":{"a":"1"},"dependencies":{"b":"1"},"resolutions":{"x/**/b":"2"}}`, "yarn.lock": "# yarn lockfile v1\n"}, []string{}},
		"secrets are hidden": {map[string]string{"package.json": `{"dependencies":{"a":"https://ci:hunter2@a.test/x.tgz"}}`, "package-lock.json": lock("")},
			[]string{`package.json:1:22 a "https://***@a.test/x.tgz", not "" in package-lock.json`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, driftLines(factsOf(t, c.files))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMatchDir(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, dir string
		want         bool
	}{
		{"packages/*", "packages/a", true}, {"packages/*", "packages/a/b", false}, {"packages/**", "packages/a/b", true}, {"packages/**", "packages", true},
		{"**/x", "x", true}, {"**/x", "a/b/x", true}, {"a*", "abc", true}, {"[", "[", false}, {"*", "a/b", false}, {"a/**/b", "a/b", true},
	} {
		if got := matchDir(strings.Split(c.pattern, "/"), strings.Split(c.dir, "/")); got != c.want {
			t.Errorf("%s %s: %t", c.pattern, c.dir, got)
		}
	}
}
