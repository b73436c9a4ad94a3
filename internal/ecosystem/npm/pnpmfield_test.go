package npm

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/toolfile"
)

// pnpm takes settings from the package.json of the root, too.
func TestPnpmField(t *testing.T) {
	t.Parallel()
	engine := settingsEngine(t)
	files := map[string]string{"pnpm-lock.yaml": "lockfileVersion: '9.0'\n", "package.json": `{"pnpm":{"neverBuiltDependencies":[],"onlyBuiltDependencies":["a","*"],` + "\n" +
		`"allowBuilds":{"*":true,"b":false},"configDependencies":{"x":{"tarball":"https://a.test/x.tgz"},` + "\n" + `"pnpm-plugin-x":"1.0.0+sha512-x"},"registry":"https://b.test/","overrides":{}}}`}
	want := []string{
		"note NPM003 package.json:3:17 pnpm.configDependencies.pnpm-plugin-x in package.json lets a package change what pnpm resolves and starts",
		"warning NPM001 package.json:2:73 pnpm.configDependencies.x.tarball in package.json is a.test, which is named by the checkout and in no list of trusted hosts",
		"warning NPM003 package.json:1:35 pnpm.neverBuiltDependencies in package.json lets every package run scripts when it is installed",
		"warning NPM003 package.json:1:67 pnpm.onlyBuiltDependencies in package.json lets every package run scripts when it is installed",
		"warning NPM003 package.json:2:20 pnpm.allowBuilds.* in package.json lets every package run scripts when it is installed",
	}
	if diff := cmp.Diff(want, judgedSettings(t, engine, files, nil)); diff != "" {
		t.Error(diff)
	}
	files = map[string]string{"w/pnpm-workspace.yaml": "", "w/package.json": `{"pnpm":{"neverBuiltDependencies":[]}}`}
	if got := judgedSettings(t, engine, files, map[string]string{}); len(got) != 1 || !strings.HasPrefix(got[0], "error NPM003 w/package.json:1:35 ") {
		t.Errorf("by a change: %q", got)
	}
	for _, text := range []string{`{"pnpm":{"neverBuiltDependencies":["a"],"onlyBuiltDependencies":[],"allowBuilds":{"a":true}}}`, `{"pnpm":[]}`, `{"pnpm":{"allowBuilds":`} {
		if got := judgedSettings(t, engine, map[string]string{"pnpm-workspace.yaml": "", "package.json": text, "w/package.json": `{"pnpm":{"neverBuiltDependencies":[]}}`}, nil); len(got) > 0 {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func FuzzPnpmFieldLeaves(f *testing.F) {
	f.Add(`{"pnpm":{"neverBuiltDependencies":[],"onlyBuiltDependencies":["a",["b",{}]],"allowBuilds":{"*":true,"b":null}}}`)
	f.Add("\ufeff{\"pnpm\":\n{\"configDependencies\":{\"x\":{\"tarball\":\"https://a.test/\\u0061\"}}}}")
	f.Fuzz(func(t *testing.T, text string) {
		leaves := pnpmFieldLeaves(lockfile.File{Path: "package.json", Data: []byte(text)})
		lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
		for _, l := range leaves {
			if l.at.Line < 1 || l.at.Line > len(lines) || l.at.Column < 1 || l.at.Column > len(lines[l.at.Line-1]) {
				t.Fatalf("%+v is at no text of %q", l, text)
			}
			if len(l.path) == 0 || !slices.Contains(pnpmField, l.path[0].text) {
				t.Fatalf("%+v is no setting", l)
			}
		}
		if len(leaves) > toolfile.MaxLeaves {
			t.Fatalf("%d leaves", len(leaves))
		}
	})
}
