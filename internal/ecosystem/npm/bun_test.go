package npm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
)

// The files were written by bun 1.1.39 and 1.4.5 for the project of the fixtures of pnpm; only the host was replaced.
// "bun pm ls --all" says the same names, versions and addresses.
func TestParseBunOfRealBun(t *testing.T) {
	t.Parallel()
	const base = "https://tarballs.example.test"
	for version, want := range map[string][]string{
		"0": {
			"@corp/x@1.2.3 " + base + "/npm/files/corp-x-1.2.3.tgz sha512 28:34 28:98",
			"@types/ms@2.1.0  sha512 30:5 30:46",
			"core-js@3.30.0  sha512 34:5 34:43",
			"git-pkg@ git+" + base + "/repo.git#98a43c84b0fd1e69c4e6da8caed323a84b5a9ec1  38:17 38:5",
			"is-number@6.0.0  sha512 40:5 40:46",
			"js-tokens@4.0.0  sha512 42:5 42:46",
			"local-pkg@ ./local.tgz  44:19 44:5",
			"loose-envify@1.4.0  sha512 46:5 46:142",
			"ms@2.1.3  sha512 48:5 48:32",
			"is-odd@3.0.1  sha512 50:5 50:80",
			"react@18.2.0  sha512 52:5 52:85",
			"tarball-pkg@ " + base + "/tar/tarball-pkg-1.0.0.tgz  54:21 54:5",
			"use-sync-external-store@1.2.0  sha512 56:5 56:140",
		},
		"2": {
			"@corp/x@1.2.3 " + base + "/npm/files/corp-x-1.2.3.tgz sha512 31:34 31:98",
			"@types/ms@2.1.0  sha512 33:5 33:46",
			"core-js@3.30.0  sha512 37:5 37:69 script",
			"git-pkg@ git+" + base + "/repo.git#98a43c84b0fd1e69c4e6da8caed323a84b5a9ec1  41:17 41:5",
			"is-number@6.0.0  sha512 43:5 43:46",
			"js-tokens@4.0.0  sha512 45:5 45:46",
			"local-pkg@ ./local.tgz sha512 49:19 49:48",
			"loose-envify@1.4.0  sha512 51:5 51:142",
			"ms@2.1.3  sha512 53:5 53:32",
			"is-odd@3.0.1  sha512 55:5 55:80",
			"react@18.2.0  sha512 57:5 57:85",
			"tarball-pkg@ " + base + "/tar/tarball-pkg-1.0.0.tgz sha512 59:21 59:96",
			"use-sync-external-store@1.2.0  sha512 61:5 61:140",
		},
	} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			text := string(named(t, "bun-v"+version, "bun.lock").Data)
			if diff := cmp.Diff(want, briefs(t, ParseBun, text)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			windows := "\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")
			if diff := cmp.Diff(want, briefs(t, ParseBun, windows)); diff != "" {
				t.Errorf("with a byte order mark and CRLF (-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseBunEntries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		entry string
		want  []string
	}{
		"registry":                      {`"a": ["a@1.0.0", "", {}, "sha512-x"],`, []string{"a@1.0.0  sha512 2:1 2:26"}},
		"without a comma":               {`"a": ["a@1.0.0", "", {}, "sha512-x"]`, []string{"a@1.0.0  sha512 2:1 2:26"}},
		"commas":                        {`"a": ["a@1.0.0", "", {"os": ["linux",], }, "sha512-x",],`, []string{"a@1.0.0  sha512 2:1 2:44"}},
		"no integrity":                  {`"a": ["a@1.0.0", "", {}, ""]`, []string{"a@1.0.0   2:1 2:1"}},
		"alias, scope":                  {`"a/b": ["@s/c@1.0.0-rc.1+b", "", {}, "sha512-x"]`, []string{"@s/c@1.0.0-rc.1+b  sha512 2:1 2:38"}},
		"tarball of a registry":         {`"a": ["a@1.0.0", "http://evil.test/a.tgz", {}, "sha512-x"]`, []string{"a@1.0.0 http://evil.test/a.tgz sha512 2:18 2:48"}},
		"escapes hide nothing":          {`"a": ["a\u00401.0.0", "http:\/\/evil.test", {}, ""]`, []string{"a@1.0.0 http://evil.test  2:23 2:1"}},
		"tarball":                       {`"a": ["a@https://a.test/a.tgz", {}]`, []string{"a@ https://a.test/a.tgz  2:7 2:1"}},
		"tarball with an integrity":     {`"a": ["a@https://a.test/a.tgz", {}, "sha512-x"]`, []string{"a@ https://a.test/a.tgz sha512 2:7 2:37"}},
		"tarball of the checkout":       {`"a": ["a@../a.tgz", {}, "sha512-x"]`, []string{"a@ ../a.tgz sha512 2:7 2:25"}},
		"git":                           {`"a": ["a@git+ssh://git@g.test:u/a.git#0123", {}, "0123"]`, []string{"a@ git+ssh://git@g.test:u/a.git#0123  2:7 2:1"}},
		"github":                        {`"a": ["a@github:u/a#0123", {}, "u-a-0123"]`, []string{"a@ github:u/a#0123  2:7 2:1"}},
		"github with an integrity":      {`"a": ["@s/a@github:u/a#0123", {}, "u-a-0123", "sha512-x"]`, []string{"@s/a@ github:u/a#0123 sha512 2:7 2:47"}},
		"a script":                      {`"a": ["a@1.0.0", "", {"hasInstallScript": true, "x": [{}]}, "sha512-x"]`, []string{"a@1.0.0  sha512 2:1 2:61 script"}},
		"bundled":                       {`"a/b": ["b@1.0.0", "", {"bundled": true}, "sha512-x"]`, []string{"b@1.0.0  sha512 2:1 2:43"}},
		"workspace":                     {`"a": ["a@workspace:packages/a"],`, []string{}},
		"workspace of version 0":        {`"a": ["a@workspace:packages/a", {}]`, []string{}},
		"link, directory and root":      {`"a": ["a@link:../a", {}], "b": ["b@file:b", {}], "c": ["c@root:", {"bin": "x"}], "d": ["@root:", {}]`, []string{}},
		"no version":                    {`"a": ["a@latest", {}]`, []string{"a@ latest  2:7 2:1"}},
		"of several hashes none counts": {`"a": ["a@1.0.0", "", {}, "sha1-x sha512-y"]`, []string{"a@1.0.0  unread:sha1 2:1 2:26"}},
		"an unknown algorithm is none":  {`"a": ["a@1.0.0", "", {}, "md5-x"]`, []string{"a@1.0.0  unread:md5 2:1 2:26"}},
		"an integrity with options":     {`"a": ["a@1.0.0", "", {}, "sha512-x?y"]`, []string{"a@1.0.0  unread:sha512 2:1 2:26"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "{\"lockfileVersion\": 1, \"packages\": {\n" + c.entry + "\n},}"
			if diff := cmp.Diff(c.want, briefs(t, ParseBun, text)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", text, diff)
			}
		})
	}
	if class := integrityClass(bunIntegrity("sha1-x " + probeIntegrity)); class != "broken" {
		t.Errorf("several hashes are %s", class)
	}
}

func TestParseBunFaults(t *testing.T) {
	t.Parallel()
	const head = `{"lockfileVersion": 1, "packages": {` + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":                 {"", `1:1: ends where an object must stand`},
		"no version":            {"{}\n", `2:1: ends without a lockfileVersion`},
		"version 4":             {`{"lockfileVersion": 4}`, `1:21: has lockfileVersion 4, and 0 to 3 can be read`},
		"version as a text":     {`{"lockfileVersion": "1"}`, `1:21: has lockfileVersion "1", and 0 to 3 can be read`},
		"truncated":             {head + `"a": ["a@1.0.0", "", {`, `2:23: ends where a string in double quotes must stand`},
		"truncated, later":      {head + `"a": ["a@1.0.0", "", {}, "sha512-x"],` + "\n", `3:1: ends where a string in double quotes must stand`},
		"merge conflict":        {head + "<<<<<<< HEAD\n", `2:1: holds an unresolved merge conflict`},
		"comment":               {head + "// a\n}}", `2:1: holds '/' where a string in double quotes must stand`},
		"comment of lines":      {"/* a */ {}", `1:1: holds '/' where an object must stand`},
		"two commas":            {head + `"a": ["a@workspace:a"],,}}`, `2:24: holds ',' where a string in double quotes must stand`},
		"comma alone":           {"{,}", `1:2: holds ',' where a string in double quotes must stand`},
		"single quotes":         {"{'lockfileVersion': 1}", `1:2: holds '\'' where a string in double quotes must stand`},
		"trailing text":         {`{"lockfileVersion": 1} x`, `1:24: holds 'x' where the end of the file must stand`},
		"package twice":         {head + `"a": ["a@workspace:a"], "\u0061": ["a@workspace:a"]}}`, `2:25: names the package "a" twice`},
		"packages twice":        {`{"packages": {}, "packages": {}}`, `1:18: holds the key "packages" twice`},
		"packages an array":     {`{"packages": []}`, `1:14: holds '[' where an object must stand`},
		"package an object":     {head + `"a": {}}}`, `2:6: holds '{' where an array that describes a package must stand`},
		"package of nothing":    {head + `"a": []}}`, `2:7: holds ']' where a text that says what the package is must stand`},
		"no name":               {head + `"a": ["1.0.0", "", {}, ""]}}`, `2:7: describes no package: "1.0.0" holds no name and version`},
		"no text":               {head + `"a": ["", {}]}}`, `2:7: describes no package: "" holds no name and version`},
		"no place":              {head + `"a": ["a@", {}]}}`, `2:7: describes no package: "a@" holds no name and version`},
		"tarball a number":      {head + `"a": ["a@1.0.0", 1, {}, ""]}}`, `2:18: holds '1' where a text or an object must stand`},
		"integrity null":        {head + `"a": ["a@1.0.0", "", {}, null]}}`, `2:26: holds 'n' where a text or an object must stand`},
		"no integrity":          {head + `"a": ["a@1.0.0", "", {}]}}`, `2:7: describes a package of this kind in another way than bun does`},
		"no object":             {head + `"a": ["a@https://a.test", "sha512-x"]}}`, `2:7: describes a package of this kind in another way than bun does`},
		"tarball as a registry": {head + `"a": ["a@https://a.test/a.tgz", "", {}, "sha512-x"]}}`, `2:7: describes a package of this kind in another way than bun does`},
		"order":                 {head + `"a": ["a@1.0.0", {}, "", "sha512-x"]}}`, `2:7: describes a package of this kind in another way than bun does`},
		"git without a commit":  {head + `"a": ["a@github:u/a", {}]}}`, `2:7: describes a package of this kind in another way than bun does`},
		"too many texts":        {head + `"a": ["a@1.0.0", "", {}, "", "", ""]}}`, `2:34: holds '"' where "]" must stand`},
		"two objects":           {head + `"a": ["a@1.0.0", "", {}, {}]}}`, `2:26: holds '{' where a text or an object must stand`},
		"text of a link":        {head + `"a": ["a@link:a", {}, "https://evil.test"]}}`, `2:23: holds a text more than bun writes for what lies in the checkout`},
		"too deep":              {`{"a": ` + strings.Repeat("[", 100), `1:70: nests deeper than 64 levels`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fault(t, ParseBun, c.text); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestParseBunKeepsSecrets(t *testing.T) {
	t.Parallel()
	text := []byte(`{"packages": {"a": ["https://me:hunter2@r.test/a.tgz"]}}`)
	_, err := ParseBun(lockfile.File{Path: "bun.lock", Data: text})
	var p *problem.Problem
	if !errors.As(err, &p) || strings.Contains(p.Error()+p.Excerpt, "hunter2") || !strings.Contains(p.Excerpt, "***@r.test") {
		t.Errorf("%v\n%s", err, p.Excerpt)
	}
	_, err = ParseBun(lockfile.File{Path: "bun.lock", Data: []byte("topsecret"), Linked: true})
	if !errors.As(err, &p) || p.Err.Error() != "is no lock file of bun (what stands behind a link is not shown)" || p.Excerpt != "" {
		t.Errorf("a linked file is quoted: %v", err)
	}
}

// npm's own file takes no comma behind the last value.
func TestCommasAreBunsAlone(t *testing.T) {
	t.Parallel()
	if got, want := fault(t, ParseLock, `{"packages":{},}`), `1:16: holds '}' where a string in double quotes must stand`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestBinaryLockIsTold(t *testing.T) {
	t.Parallel()
	e := open(t, machine(), map[string]string{"bun.lockb": "#!/usr/bin/env bun\n\x00", "package.json": "{}",
		"app/bun.lockb": "\x00", "app/bun.lock": `{"lockfileVersion": 1}`, "app/package.json": "{}"})
	if want := "bun.lockb is binary, so that what it pins is not known"; e.Guarded != want || len(e.Notes) > 0 {
		t.Errorf("guarded %q, notes %q", e.Guarded, e.Notes)
	}
	var in decide.Input
	e.Fill(&in, nil)
	want := []decide.Lock{
		{Manager: "bun", Version: "1", Beside: []string{}, Key: "lock app/bun.lock", Origin: "checkout", Position: lockfile.Position{File: "app/bun.lock", Line: 1, Column: 21}},
		{Manager: "bun", Fault: "is binary, so that the packages in it are not judged", Beside: []string{}, Key: "blind lock bun.lockb", Origin: "checkout", Position: lockfile.Position{File: "bun.lockb"}},
	}
	if diff := cmp.Diff(want, in.NPM.Locks); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzParseBun(f *testing.F) {
	for _, v := range []string{"0", "2"} {
		f.Add(named(f, "bun-v"+v, "bun.lock").Data)
	}
	f.Add([]byte(`{"lockfileVersion": 1, "packages": {"\u0061": ["a@github:u/a", {"hasInstallScript": true,}, "x", "sha1-x sha512-y",],},}`))
	f.Fuzz(func(t *testing.T, data []byte) { wellFormed(t, ParseBun, data, false) })
}

func bigBun(packages int) []byte {
	var b strings.Builder
	b.WriteString("{\n  \"lockfileVersion\": 1,\n  \"workspaces\": {\n    \"\": {\n      \"name\": \"big\",\n    },\n  },\n  \"packages\": {\n")
	for i := range packages {
		fmt.Fprintf(&b, "    \"package-%d\": [\"package-%d@1.2.%d\", \"\", { \"dependencies\": { \"another-package\": \"^1.0.0\", \"yet-another\": \"^2.3.4\" } }, %q],\n\n", i, i, i, probeIntegrity)
	}
	b.WriteString("  }\n}\n")
	return []byte(b.String())
}

func BenchmarkParseBun(b *testing.B) {
	for _, n := range []int{10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			file := lockfile.File{Path: "bun.lock", Data: bigBun(n)}
			b.SetBytes(int64(len(file.Data)))
			b.ReportAllocs()
			for b.Loop() {
				if l, err := ParseBun(file); err != nil || len(l.Entries) != n {
					b.Fatal(len(l.Entries), err)
				}
			}
		})
	}
}
