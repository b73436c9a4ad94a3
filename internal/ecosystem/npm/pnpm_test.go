package npm

import (
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

func named(t testing.TB, path ...string) lockfile.File {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "..", "testdata", "npm"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return lockfile.File{Path: path[len(path)-1], Data: data}
}

type parser = func(lockfile.File) (lockfile.Lock, error)

func briefs(t *testing.T, parse parser, text string) []string {
	t.Helper()
	l, err := parse(lockfile.File{Path: "lock", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range l.Entries {
		line := brief(e)
		if e.InstallScript {
			line += " script"
		}
		if e.Fault != "" {
			line += " " + e.Fault
		}
		out = append(out, line)
	}
	return out
}

// fault is what a parser says of a text, without the file's name.
func fault(t *testing.T, parse parser, text string) string {
	t.Helper()
	_, err := parse(lockfile.File{Path: "lock", Data: []byte(text)})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Code != problem.Usage || p.Hint == "" {
		t.Fatalf("got %#v, want a problem of code Usage with a hint", err)
	}
	return strings.TrimPrefix(p.Op, "lock:") + ": " + p.Err.Error()
}

// The files were written by pnpm 3.8.1, 7.33.7, 8.15.9 and 12.21.0 for one project: packages of the registry, one of them
// by an alias, one with peers, one with a script, one of a registry of its own; a tarball by its address and by its path, a
// directory, a link, a workspace, a repository. Only the host was replaced; pnpm's own document and the runtime's platforms
// are those of another file. "pnpm list" says the same names, versions and addresses.
func TestParsePNPMOfRealPnpm(t *testing.T) {
	t.Parallel()
	const base = "https://tarballs.example.test"
	for version, want := range map[string][]string{
		"5.1": {
			"@corp/x@1.2.3  sha512 34:3 37:18",
			"@types/ms@2.1.0  sha512 39:3 42:18",
			"core-js@3.30.0  sha512 43:3 47:18 script",
			"is-number@6.0.0  sha512 48:3 53:18",
			"is-odd@3.0.1  sha512 54:3 61:18",
			"js-tokens@4.0.0  sha512 62:3 65:18",
			"loose-envify@1.4.0  sha512 66:3 72:18",
			"ms@2.1.3  sha512 73:3 76:18",
			"react@18.2.0  sha512 77:3 84:18",
			"use-sync-external-store@1.2.0  sha512 85:3 92:18",
			"tarball-pkg@1.0.0 " + base + "/tar/tarball-pkg-1.0.0.tgz  97:16 93:3",
			"local-pkg@2.0.0 file:local.tgz sha512 104:16 103:18",
		},
		"5.4": {
			"@corp/x@1.2.3  sha512 41:3 42:29",
			"@types/ms@2.1.0  sha512 45:3 46:29",
			"core-js@3.30.0  sha512 49:3 50:29 script",
			"is-number@6.0.0  sha512 54:3 55:29",
			"is-odd@3.0.1  sha512 59:3 60:29",
			"js-tokens@4.0.0  sha512 66:3 67:29",
			"loose-envify@1.4.0  sha512 70:3 71:29",
			"ms@2.1.3  sha512 77:3 78:29",
			"react@18.2.0  sha512 81:3 82:29",
			"use-sync-external-store@1.2.0  sha512 88:3 89:29",
			"git-pkg@3.0.0 git+" + base + "/repo.git  97:74 96:3",
			"tarball-pkg@1.0.0 " + base + "/tar/tarball-pkg-1.0.0.tgz  103:27 102:3",
			"local-pkg@2.0.0 file:local.tgz sha512 115:135 115:29",
		},
		"6": {
			"@corp/x@1.2.3 " + base + "/npm/files/corp-x-1.2.3.tgz sha512 57:135 57:29",
			"@types/ms@2.1.0  sha512 60:3 61:29",
			"core-js@3.30.0  sha512 64:3 65:29 script",
			"is-number@6.0.0  sha512 69:3 70:29",
			"is-odd@3.0.1  sha512 74:3 75:29",
			"js-tokens@4.0.0  sha512 81:3 82:29",
			"loose-envify@1.4.0  sha512 85:3 86:29",
			"ms@2.1.3  sha512 92:3 93:29",
			"react@18.2.0  sha512 96:3 97:29",
			"use-sync-external-store@1.2.0  sha512 103:3 104:29",
			"git-pkg@3.0.0 git+" + base + "/repo.git  112:74 111:3",
			"tarball-pkg@1.0.0 " + base + "/tar/tarball-pkg-1.0.0.tgz  118:27 117:3",
			"local-pkg@2.0.0 file:local.tgz sha512 129:135 129:29",
		},
		"9": {
			"pnpm@12.0.0  sha512 15:3 16:29",
			"@corp/x@1.2.3 " + base + "/npm/files/corp-x-1.2.3.tgz sha512 83:135 83:29",
			"@types/ms@2.1.0  sha512 85:3 86:29",
			"core-js@3.30.0  sha512 88:3 89:29",
			"git-pkg@3.0.0 git+" + base + "/repo.git  95:74 94:3",
			"is-number@6.0.0  sha512 98:3 99:29",
			"is-odd@3.0.1  sha512 102:3 103:29",
			"js-tokens@4.0.0  sha512 106:3 107:29",
			"local-pkg@2.0.0 file:local.tgz sha512 110:135 110:29",
			"loose-envify@1.4.0  sha512 113:3 114:29",
			"ms@2.1.3  sha512 117:3 118:29",
			"node@26.7.0 https://nodejs.org/download/release/v26.7.0/node-v26.7.0-darwin-arm64.tar.gz sha256 130:18 128:24",
			"node@26.7.0 https://nodejs.org/download/release/v26.7.0/node-v26.7.0-win-x64.zip sha256 141:18 138:24",
			"react@18.2.0  sha512 148:3 149:29",
			"tarball-pkg@1.0.0 " + base + "/tar/tarball-pkg-1.0.0.tgz sha512 153:135 153:29",
			"use-sync-external-store@1.2.0  sha512 156:3 157:29",
		},
	} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			text := string(named(t, "pnpm-v"+version, "pnpm-lock.yaml").Data)
			if diff := cmp.Diff(want, briefs(t, ParsePNPM, text)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			windows := "\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")
			if diff := cmp.Diff(want, briefs(t, ParsePNPM, windows)); diff != "" {
				t.Errorf("with a byte order mark and CRLF (-want +got)\n%s", diff)
			}
		})
	}
}

// Each entry stands on line 3 and below.
func TestParsePNPMEntries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		entry string
		want  []string
	}{
		"registry":                             {"  a@1.0.0:\n    resolution: {integrity: sha512-x}", []string{"a@1.0.0  sha512 3:3 4:29"}},
		"no integrity":                         {"  a@1.0.0:\n    resolution: {}", []string{"a@1.0.0   3:3 3:3"}},
		"no resolution":                        {"  a@1.0.0: {}", []string{"a@1.0.0   3:3 3:3"}},
		"nothing at all":                       {"  a@1.0.0:", []string{"a@1.0.0   3:3 3:3"}},
		"a resolution of nothing":              {"  a@1.0.0:\n    resolution:\n    hasBin: true", []string{"a@1.0.0   3:3 3:3"}},
		"scope, peers and patch":               {"  '@s/a@1.0.0(patch_hash=x)(b@2.0.0(c@3.0.0))':\n    resolution: {integrity: sha512-x}", []string{"@s/a@1.0.0  sha512 3:3 4:29"}},
		"a long key":                           {"  ? a@1.0.0(b@2.0.0)\n  : resolution: {integrity: sha512-x}\n    hasBin: true", []string{"a@1.0.0  sha512 3:5 4:29"}},
		"version 5 with peers":                 {"  /a/1.0.0_b@2.0.0+c@3.0.0:\n    resolution: {integrity: sha512-x}", []string{"a@1.0.0  sha512 3:3 4:29"}},
		"version 5 with a scope":               {"  /@s/a/1.0.0:\n    resolution: {integrity: sha512-x}", []string{"@s/a@1.0.0  sha512 3:3 4:29"}},
		"version 6 with a scope":               {"  /@s/a@1.0.0(b@2.0.0):\n    resolution: {integrity: sha512-x}", []string{"@s/a@1.0.0  sha512 3:3 4:29"}},
		"a script":                             {"  /a@1.0.0:\n    requiresBuild: true\n    resolution: {integrity: sha512-x}", []string{"a@1.0.0  sha512 3:3 5:29 script"}},
		"no script":                            {"  /a@1.0.0:\n    requiresBuild: false\n    resolution: {integrity: sha512-x}", []string{"a@1.0.0  sha512 3:3 5:29"}},
		"name and version behind it":           {"  github.com/u/r/0123:\n    resolution: {tarball: https://codeload.github.com/u/r/tar.gz/0123}\n    name: '@s/r'\n    version: 1.0.0", []string{"@s/r@1.0.0 https://codeload.github.com/u/r/tar.gz/0123  4:27 3:3"}},
		"key of an address":                    {"  a@https://a.test/a.tgz:\n    resolution: {tarball: https://a.test/a.tgz}", []string{"a@https://a.test/a.tgz https://a.test/a.tgz  4:27 3:3"}},
		"address in the key alone":             {"  a@https://evil.test/a.tgz:\n    resolution: {integrity: sha512-x}\n    version: 1.0.0", []string{"a@1.0.0 https://evil.test/a.tgz sha512 3:3 4:29"}},
		"tarball of the registry":              {"  a@1.0.0:\n    resolution: {integrity: sha512-x, tarball: files/a.tgz}", []string{"a@1.0.0  sha512 3:3 4:29"}},
		"tarball of its root":                  {"  a@1.0.0:\n    resolution: {tarball: /files/@s%2fa.tgz}", []string{"a@1.0.0   3:3 3:3"}},
		"tarball in quotes":                    {"  a@1.0.0:\n    resolution: {'tarball': \"https://evil.test/\\u0061.tgz\"}", []string{"a@1.0.0 https://evil.test/a.tgz  4:29 3:3"}},
		"flow over flow":                       {"  a@1.0.0: {resolution: {tarball: 'x:it''s', x: [{y: [z]}]}, cpu: []}", []string{"a@1.0.0 x:it's  3:35 3:3"}},
		"its own registry":                     {"  /@s/a/1.0.0:\n    resolution: {integrity: sha1-x, registry: 'https://r.test/npm/'}", []string{"@s/a@1.0.0 https://r.test/npm/@s/a/-/a-1.0.0.tgz sha1 4:47 4:29"}},
		"tarball of its own registry":          {"  /a/1.0.0:\n    resolution: {registry: https://r.test, tarball: files/a.tgz}", []string{"a@1.0.0 https://r.test/files/a.tgz  4:53 3:3"}},
		"tarball elsewhere than its registry":  {"  /a/1.0.0:\n    resolution: {registry: https://r.test, tarball: http://evil.test/a}", []string{"a@1.0.0 http://evil.test/a  4:53 3:3"}},
		"directory":                            {"  a@file:a:\n    resolution: {directory: a, type: directory}", []string{}},
		"directory by its key":                 {"  a@file:a:\n    resolution: {}", []string{}},
		"directory with an address":            {"  a@file:a:\n    resolution: {directory: a, tarball: https://evil.test/a, type: directory}", []string{"a@file:a https://evil.test/a  4:41 3:3"}},
		"tarball of the checkout":              {"  file:a.tgz:\n    resolution: {integrity: sha512-x, tarball: file:a.tgz}\n    name: a", []string{"a@ file:a.tgz sha512 4:48 4:29"}},
		"tarball of the checkout by its key":   {"  a@file:a.tgz:\n    resolution: {integrity: sha512-x}", []string{"a@file:a.tgz file:a.tgz sha512 3:3 4:29"}},
		"git":                                  {"  a@git+https://g.test/a.git#0123:\n    resolution: {commit: 0123, repo: https://g.test/a.git, type: git}", []string{"a@git+https://g.test/a.git#0123 git+https://g.test/a.git  4:38 3:3"}},
		"git by ssh":                           {"  a@git+ssh://git@g.test:u/a.git#0123:\n    resolution: {commit: 0123, repo: git@g.test:u/a.git, type: git}", []string{"a@git+ssh://git@g.test:u/a.git#0123 git+ssh://git@g.test:u/a.git  4:38 3:3"}},
		"git of a directory":                   {"  a@git+file:b:\n    resolution: {commit: 0123, repo: ../b, type: git}", []string{"a@git+file:b file:../b  4:38 3:3"}},
		"an integrity does not pin git":        {"  a@1.0.0:\n    resolution: {integrity: sha512-x, repo: https://g.test/a, type: git}", []string{"a@1.0.0 git+https://g.test/a  4:45 3:3"}},
		"binary":                               {"  node@runtime:1.0.0:\n    resolution:\n      integrity: sha256-x\n      type: binary\n      url: https://n.test/n.zip\n    version: 1.0.0", []string{"node@1.0.0 https://n.test/n.zip sha256 7:12 5:18"}},
		"variants in a flow":                   {"  n@runtime:1.0.0:\n    resolution: {type: variations, variants: [{resolution: {type: binary, url: 'http://n.test'}, targets: []}]}", []string{"n@runtime:1.0.0 http://n.test  4:80 3:3"}},
		"a fetcher of its own":                 {"  a@1.0.0:\n    resolution: {type: 'custom:cdn', cdnUrl: https://evil.test}", []string{"a@1.0.0   4:24 3:3 code of the repository fetches what is of type custom:cdn"}},
		"a registry with a name":               {"  a@work:1.0.0:\n    resolution: {integrity: sha512-x}", []string{"a@work:1.0.0  sha512 3:3 4:29 the settings of pnpm say where the registry \"work\" is"}},
		"several hashes":                       {"  a@1.0.0:\n    resolution: {integrity: sha1-a sha512-b}", []string{"a@1.0.0  sha1 3:3 4:29"}},
		"texts of several lines":               {"  a@1.0.0:\n    deprecated: |-\n      b@1.0.0:\n        resolution: {}\n      # no comment\n\n        more\n    x: >+2\n        folded\n      less\n    resolution: {integrity: sha512-x}\n  # a comment\n\n  b@1.0.0:\n    resolution: {}", []string{"a@1.0.0  sha512 3:3 13:29", "b@1.0.0   16:3 16:3"}},
		"lists":                                {"  a@1.0.0:\n    x:\n      - a\n      -\n        b: c\n      - d: e\n        f:\n          - '@g'\n      - 'h i': j\n        k: l\n    resolution: {}", []string{"a@1.0.0   3:3 3:3"}},
		"no number":                            {"  a@1.0.0:\n    name: 7zip\n    version: 1.0.0-0\n    resolution: {tarball: 1.2.3}", []string{"7zip@1.0.0-0   3:3 3:3"}},
		"keys out of order":                    {"  b@1.0.0:\n    resolution: {}\n  a@1.0.0:\n    resolution: {}\n  c@1.0.0:\n    resolution: {}", []string{"b@1.0.0   3:3 3:3", "a@1.0.0   5:3 5:3", "c@1.0.0   7:3 7:3"}},
		"no name":                              {"  '@a':\n    resolution: {}\n  a:\n    resolution: {}\n  '':\n    resolution: {}", []string{"@a@   3:3 3:3", "a@   5:3 5:3", "@   7:3 7:3"}},
		"packages and a snapshot's resolution": {"  a@1.0.0:\n    resolution: {}\nsnapshots:\n  a@1.0.0:\n    dependencies:\n      b: 1.0.0\n  b@1.0.0:\n    resolution: {tarball: http://evil.test}", []string{"a@1.0.0   3:3 3:3", "b@1.0.0 http://evil.test  10:27 9:3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "lockfileVersion: '6.0'\npackages:\n" + c.entry + "\n"
			if diff := cmp.Diff(c.want, briefs(t, ParsePNPM, text)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", text, diff)
			}
		})
	}
}

func TestParsePNPMDocuments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no packages":             {"lockfileVersion: 5.4\nspecifiers: {}\n", []string{}},
		"packages of nothing":     {"lockfileVersion: '9.0'\npackages:\n", []string{}},
		"a version behind them":   {"packages:\n  /a/1.0.0:\n    resolution: {}\nlockfileVersion: 5.4-inlineSpecifiers", []string{"a@1.0.0   2:3 2:3"}},
		"one document, marked":    {"---\nlockfileVersion: 6.1\npackages:\n  /a@1.0.0: {}\n", []string{"a@1.0.0   4:3 4:3"}},
		"pnpm itself and nothing": {"---\nlockfileVersion: '9.0'\npackages:\n  pnpm@1.0.0: {}\nsnapshots:\n  pnpm@1.0.0: {}\n\n---\n", []string{"pnpm@1.0.0   4:3 4:3"}},
		"the root indented":       {"  lockfileVersion: 6.0\n  packages:\n    /a@1.0.0: {}\n", []string{"a@1.0.0   3:5 3:5"}},
		"comments":                {"# yaml\n\nlockfileVersion: 6.0\n# none:\npackages: {/a@1.0.0: {}}\n   # end", []string{"a@1.0.0   5:12 5:12"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, briefs(t, ParsePNPM, c.text)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParsePNPMFaults(t *testing.T) {
	t.Parallel()
	const head = "lockfileVersion: '9.0'\npackages:\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":                            {"", `1:1: ends without a lockfileVersion`},
		"no version":                       {"packages: {}\n", `2:1: ends without a lockfileVersion`},
		"a second without one":             {"---\nlockfileVersion: 6.0\n---\na: b\n", `5:1: ends without a lockfileVersion`},
		"version 4":                        {"lockfileVersion: 4\n", `1:18: has lockfileVersion 4, and 5.0 to 5.4, 6.0, 6.1 and 9.0 can be read`},
		"version 9.10":                     {"lockfileVersion: '9.10'\n", `1:18: has lockfileVersion 9.10, and 5.0 to 5.4, 6.0, 6.1 and 9.0 can be read`},
		"version of lines":                 {"lockfileVersion: |\n  9.0\n", `1:18: holds '|' where a value must stand`},
		"no mapping":                       {"- a\n", `1:1: holds '-' where a key must stand`},
		"JSON over lines":                  {"{\n", `1:1: holds '{' where a key must stand`},
		"truncated flow":                   {head + "  a@1.0.0:\n    resolution: {integrity: sha5", `4:33: ends where "," or '}' must stand`},
		"truncated quotes":                 {head + "  a@1.0.0:\n    resolution: {tarball: 'htt", `4:31: ends where the end of a quoted text must stand`},
		"truncated key":                    {head + "  a@1.0", `3:8: ends where ":" behind a key must stand`},
		"truncated packages":               {head + "  a@1.0.0:\n    resolution: {}\n", `5:1: ends without the "snapshots" that lockfileVersion 9 has behind its "packages"`},
		"merge conflict":                   {head + "<<<<<<< HEAD\n  a@1.0.0:\n", `3:1: holds an unresolved merge conflict`},
		"merge conflict, later":            {head + "  a@1.0.0: {}\n=======\n", `4:1: holds an unresolved merge conflict`},
		"tab":                              {head + "\ta@1.0.0: {}\n", `3:1: holds a tab, which pnpm never writes`},
		"carriage return":                  {head + "  a@1.0.0: {} # \r  b@1.0.0: {}\n", `3:17: holds a carriage return that ends no line, which pnpm never writes`},
		"anchor":                           {head + "  a@1.0.0: &x\n    resolution: {}\n", `3:12: holds '&' where a mapping must stand`},
		"alias":                            {head + "  a@1.0.0:\n    resolution: *x\n", `4:17: holds '*' where a mapping must stand`},
		"alias of no interest":             {"x: *x\n", `1:4: holds '*' where a value must stand`},
		"tag":                              {head + "  a@1.0.0:\n    x: !!str y\n", `4:8: holds '!' where a value must stand`},
		"tag of a key":                     {head + "  !!str a@1.0.0: {}\n", `3:3: holds '!' where a key must stand`},
		"merge key":                        {head + "  a@1.0.0:\n    resolution: {<<: {tarball: x}}\n", `4:18: holds the key "<<", which pnpm never writes`},
		"merge key in a block":             {head + "  a@1.0.0:\n    \"\\x3c<\": {resolution: {}}\n", `4:5: holds the key "<<", which pnpm never writes`},
		"prototype":                        {head + "  __proto__:\n    a@1.0.0: {}\n", `3:3: holds the key "__proto__", which pnpm never writes`},
		"directive":                        {"%YAML 1.2\n---\n", `1:1: holds a marker of YAML documents that pnpm never writes`},
		"end of a document":                {"lockfileVersion: '9.0'\n...\n", `2:1: holds a marker of YAML documents that pnpm never writes`},
		"document with content":            {"--- {a: b}\n", `1:1: holds a marker of YAML documents that pnpm never writes`},
		"hidden second document":           {"lockfileVersion: '9.0'\n---\nlockfileVersion: '9.0'\n", `3:1: begins a second YAML document, and the first does not begin with "---" as the one that pnpm writes for itself does`},
		"third document":                   {"---\nlockfileVersion: 6.0\n---\nlockfileVersion: 6.0\n---\na: b\n", `6:1: begins a third YAML document, and pnpm writes one for itself and one for the project`},
		"comment behind a value":           {head + "  a@1.0.0:\n    name: b # c\n", `4:13: holds '#' where the end of a value must stand`},
		"comment behind a key":             {head + "  a@1.0.0 # b: c\n", `3:11: holds '#' where ":" behind a key must stand`},
		"comment behind a mapping":         {head + "  a@1.0.0: # b\n", `3:12: holds '#' where a mapping must stand`},
		"two values":                       {head + "  a@1.0.0:\n    name: b: c\n", `4:12: holds ':' where the end of a value must stand`},
		"text over lines":                  {head + "  a@1.0.0:\n    name: b\n      c\n", `5:7: is indented by 6 where at most 4 can be`},
		"quotes over lines":                {head + "  a@1.0.0:\n    x: \"b\n  c: \"\n", `4:10: ends a line where the end of a quoted text must stand`},
		"flow over lines":                  {head + "  a@1.0.0:\n    resolution: {integrity: x,\n      tarball: y}\n", `4:31: ends a line where a key must stand`},
		"indented too far":                 {head + "  a@1.0.0:\n      name: b\n    version: c\n", `5:5: is indented by 4 where at most 2 can be`},
		"list as a mapping":                {head + "  - a@1.0.0: {}\n", `3:3: holds '-' where a key must stand`},
		"list beside its key":              {head + "  a@1.0.0:\n    cpu:\n    - x64\n", `5:5: holds '-' where a key must stand`},
		"mapping as a list":                {head + "  a@1.0.0:\n    cpu:\n      - x64\n      arm: b\n", `6:7: holds 'a' where "- " and an item must stand`},
		"flow pair without a value":        {head + "  a@1.0.0: {resolution}\n", `3:23: holds '}' where ": " behind a key must stand`},
		"flow key as in JSON":              {head + "  a@1.0.0: {\"resolution\":{}}\n", `3:25: holds ':' where ": " behind a key must stand`},
		"flow with a comma too many":       {head + "  a@1.0.0: {cpu: [x64,]}\n", `3:23: holds ']' where a value must stand`},
		"flow mapping as a key":            {head + "  {a: b}: c\n", `3:3: holds '{' where a key must stand`},
		"long key without a value":         {head + "  ? a@1.0.0\n  b@1.0.0: {}\n", `4:3: holds 'b' where ": " and the value of the key above must stand`},
		"long key at the end":              {head + "  ? a@1.0.0\n", `4:1: ends where ": " and the value of the key above must stand`},
		"text with a wrong header":         {head + "  a@1.0.0:\n    x: |a\n", `4:9: holds 'a' where the end of the line must stand`},
		"text with a line of spaces":       {head + "  a@1.0.0:\n    x: |\n        \n      b\n", `5:9: begins a text with a line of spaces, which readers understand in different ways`},
		"text indented less":               {head + "  a@1.0.0:\n    x: |\n        b\n      c: d\n", `6:7: is indented by 6 where at most 4 can be`},
		"escape":                           {head + "  a@1.0.0:\n    name: \"\\q\"\n", `4:12: holds an escape that YAML does not have`},
		"short escape":                     {head + "  a@1.0.0:\n    name: \"b\\x4\"\n", `4:13: holds an escape that YAML does not have`},
		"escape beyond Unicode":            {head + "  a@1.0.0:\n    name: \"\\Uffffffff\"\n", `4:12: holds an escape that YAML does not have`},
		"package twice":                    {head + "  a@1.0.0: {}\n  'a@1.0.0': {}\n", `4:3: names the package "a@1.0.0" twice`},
		"package twice, out of order":      {head + "  c@1.0.0: {}\n  a@1.0.0: {}\n  c@1.0.0: {}\n", `5:3: names the package "c@1.0.0" twice`},
		"package twice, both out of order": {head + "  c@1.0.0: {}\n  a@1.0.0: {}\n  a@1.0.0: {}\n", `5:3: names the package "a@1.0.0" twice`},
		"packages twice":                   {head + "packages:\n", `3:1: holds the key "packages" twice`},
		"version twice":                    {"lockfileVersion: 6.0\nlockfileVersion: 9.0\n", `2:1: holds the key "lockfileVersion" twice`},
		"resolution twice":                 {head + "  a@1.0.0:\n    resolution: {}\n    \"resol\\u0075tion\": {tarball: x}\n", `5:5: holds the key "resolution" twice`},
		"tarball twice":                    {head + "  a@1.0.0:\n    resolution: {tarball: '', tarball: x}\n", `4:31: holds the key "tarball" twice`},
		"integrity null":                   {head + "  a@1.0.0:\n    resolution: {integrity: ~}\n", `4:29: holds no text as "integrity"`},
		"integrity missing":                {head + "  a@1.0.0:\n    resolution:\n      integrity:\n", `5:17: holds no text as "integrity"`},
		"tarball number":                   {head + "  a@1.0.0:\n    resolution: {tarball: 0x10}\n", `4:27: holds no text as "tarball"`},
		"tarball date":                     {head + "  a@1.0.0:\n    resolution: {tarball: 2020-01-01}\n", `4:27: holds no text as "tarball"`},
		"tarball true":                     {head + "  a@1.0.0:\n    resolution: {tarball: True}\n", `4:27: holds no text as "tarball"`},
		"tarball list":                     {head + "  a@1.0.0:\n    resolution: {tarball: [https://evil.test]}\n", `4:27: holds no text as "tarball"`},
		"tarball of lines":                 {head + "  a@1.0.0:\n    resolution:\n      tarball: >-\n        https://evil.test\n", `5:16: holds no text as "tarball"`},
		"tarball of another host":          {head + "  a@1.0.0:\n    resolution: {tarball: //evil.test/a}\n", `4:27: holds a tarball that is neither an address nor a plain path of the registry`},
		"tarball by backslashes":           {head + "  a@1.0.0:\n    resolution: {tarball: '\\\\evil.test\\a'}\n", `4:27: holds a tarball that is neither an address nor a plain path of the registry`},
		"tarball behind a space":           {head + "  a@1.0.0:\n    resolution: {tarball: ' https://evil.test'}\n", `4:27: holds a tarball that is neither an address nor a plain path of the registry`},
		"unknown type":                     {head + "  a@1.0.0:\n    resolution: {type: svn, url: x}\n", `4:24: has a resolution of type "svn", and directory, git, binary, variations and custom:… can be judged`},
		"git of nowhere":                   {head + "  a@1.0.0:\n    resolution: {type: git}\n", `4:24: has a resolution of type git that does not say where`},
		"variants in variants":             {head + "  a@1.0.0:\n    resolution: {variants: [{resolution: {variants: []}}], type: variations}\n", `4:43: nests variants in variants`},
		"package a text":                   {head + "  a@1.0.0: b\n", `3:12: holds 'b' where a mapping must stand`},
		"too deep":                         {"a: " + strings.Repeat("[", 100), `1:67: nests deeper than 64 levels`},
		"too deep in blocks": {"a:\n" + func() (s string) {
			for n := range 100 {
				s += strings.Repeat(" ", n+1) + "b:\n"
			}
			return s
		}(), `65:65: nests deeper than 64 levels`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fault(t, ParsePNPM, c.text); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// The line that is shown is the one that is meant, without its secrets, and none of a file behind a link.
func TestParsePNPMExcerpt(t *testing.T) {
	t.Parallel()
	text := []byte("lockfileVersion: 6.0\npackages:\n  /a@1.0.0:\n    resolution:\n      type: https://me:hunter2@r.test\n      url: x\n  b:\n")
	_, err := ParsePNPM(lockfile.File{Path: "pnpm-lock.yaml", Data: text})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Excerpt != "type: https://***@r.test" {
		t.Errorf("%v\n%s", err, p.Excerpt)
	}
	_, err = ParsePNPM(lockfile.File{Path: "pnpm-lock.yaml", Data: []byte("topsecret"), Linked: true})
	if !errors.As(err, &p) || p.Err.Error() != "is no lock file of pnpm (what stands behind a link is not shown)" || p.Excerpt != "" {
		t.Errorf("a linked file is quoted: %v", err)
	}
	if want := "restore the file from version control, or remove it and run pnpm install"; p.Hint != want {
		t.Errorf("hint %q", p.Hint)
	}
}

func TestPNPMPackagesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("lockfileVersion: 6.0\npackages:\n")
	for i := range maxPackages + 1 {
		fmt.Fprintf(&b, " %07d: {}\n", i)
	}
	if got, want := fault(t, ParsePNPM, b.String()), "500003:2: names more than 500000 packages"; got != want {
		t.Errorf("got %s", got)
	}
}

// What forges serve of a commit is git's, and no tarball that somebody forgot to pin.
func TestCommitArchive(t *testing.T) {
	t.Parallel()
	const sha = "0123456789abcdef0123456789ABCDEF01234567"
	for address, want := range map[string]bool{
		"https://codeload.github.com/u/r/tar.gz/" + sha:                                          true,
		"https://bitbucket.org/u/r/get/" + sha + ".tar.gz":                                       true,
		"https://gitlab.com/u/r/-/archive/" + sha + "/r-" + sha + ".tar.gz":                      true,
		"https://gitlab.com/g/h/r/-/archive/" + sha + "/r.tar.gz":                                true,
		"https://gitlab.com/api/v4/projects/u%2Fr/repository/archive.tar.gz?ref=" + sha:          true,
		"https://gitlab.com/api/v4/projects/u%2Fr/repository/archive.tar.gz?sha=" + sha:          true,
		"http://codeload.github.com/u/r/tar.gz/" + sha:                                           false,
		"https://codeload.github.com/u/r/tar.gz/main":                                            false,
		"https://codeload.github.com/u/r/tar.gz/" + sha + "/x":                                   false,
		"https://codeload.github.com.evil.test/u/r/tar.gz/" + sha:                                false,
		"https://evil.test@codeload.github.com/u/r/tar.gz/" + sha:                                false,
		"https://bitbucket.org/u/r/downloads/" + sha + ".tar.gz":                                 false,
		"https://gitlab.com/u/r/-/archive/main/r.tar.gz":                                         false,
		"https://gitlab.com/api/v4/projects/u%2Fr/repository/archive.tar.gz?ref=main&sha=" + sha: false,
		"https://gitlab.com/api/v4/projects/1/packages/npm/a/-/a-1.0.0.tgz?ref=" + sha:           false,
		"https://gitlab.com/" + sha:                                                              false,
	} {
		if got := commitArchive(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	files := map[string]string{"pnpm-lock.yaml": "lockfileVersion: 6.0\npackages:\n  /a@1.0.0:\n    resolution: {tarball: https://codeload.github.com/u/r/tar.gz/" + sha +
		"}\n  /b@1.0.0:\n    resolution: {integrity: sha512-x, tarball: https://codeload.github.com/u/r/tar.gz/" + sha + "}\n"}
	var in decide.Input
	open(t, machine(), files).Fill(&in, nil)
	if len(in.Entries) != 2 || in.Entries[0].Kind != kindGit || in.Entries[1].Kind != kindTarball || in.Entries[0].Host != "codeload.github.com" {
		t.Errorf("%+v", in.Entries)
	}
}

func FuzzParsePNPM(f *testing.F) {
	for _, v := range []string{"5.1", "5.4", "6", "9"} {
		f.Add(named(f, "pnpm-v"+v, "pnpm-lock.yaml").Data)
	}
	f.Add([]byte("lockfileVersion: 6.0\npackages:\n  ? \"\\x61\"\n  : resolution: {tarball: 'a''b', x: [y, {z: \"\\u0041\"}]}\n    d: |2-\n        e\n\n      f\n    g:\n      - - h\n      - i: j\n"))
	f.Add([]byte("---\r\nlockfileVersion: '9.0'\r\n---\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) { wellFormed(t, ParsePNPM, data, true) })
}

// wellFormed holds a parser to what is promised of all: its errors, how many entries there can be, and their places.
func wellFormed(t *testing.T, parse parser, data []byte, plain bool) {
	l, err := parse(lockfile.File{Path: "lock", Data: data})
	if err != nil {
		var p *problem.Problem
		if !errors.As(err, &p) || p.Code != problem.Usage || p.Hint == "" {
			t.Fatalf("%#v", err)
		}
		return
	}
	if len(l.Entries) > len(data)/2 {
		t.Fatalf("%d entries of %d bytes", len(l.Entries), len(data))
	}
	lines := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
	for _, e := range l.Entries {
		for _, at := range []lockfile.Position{e.At, e.IntegrityAt} {
			if c := lines[at.Line-1][at.Column-1]; c != '"' && (!plain || c == ' ' || c == '\r') {
				t.Fatalf("%+v is at %q", e, c)
			}
		}
	}
	groups, err := group([]lockFile{{Lock: l}})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, g := range groups {
		count += g.Count
	}
	if count != len(l.Entries) {
		t.Fatalf("%d entries, %d in groups", len(l.Entries), count)
	}
}

func bigPNPM(packages int) []byte {
	var b strings.Builder
	b.WriteString("lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n\nimporters:\n\n  .:\n    dependencies:\n      package-1:\n        specifier: ^1.0.0\n        version: 1.2.1\n\npackages:\n")
	for i := range packages {
		fmt.Fprintf(&b, "\n  package-%06d@1.2.%d:\n    resolution: {integrity: %s}\n    engines: {node: '>=10'}\n    hasBin: true\n", i, i, probeIntegrity)
	}
	b.WriteString("\nsnapshots:\n")
	for i := range packages {
		fmt.Fprintf(&b, "\n  package-%06d@1.2.%d(react@18.2.0):\n    dependencies:\n      another-package: 1.0.0\n      yet-another: 2.3.4\n", i, i)
	}
	return []byte(b.String())
}

func BenchmarkParsePNPM(b *testing.B) {
	for _, n := range []int{10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			file := lockfile.File{Path: "pnpm-lock.yaml", Data: bigPNPM(n)}
			b.SetBytes(int64(len(file.Data)))
			b.ReportAllocs()
			for b.Loop() {
				if l, err := ParsePNPM(file); err != nil || len(l.Entries) != n {
					b.Fatal(len(l.Entries), err)
				}
			}
		})
	}
}
