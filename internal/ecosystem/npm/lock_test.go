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

func fixture(t testing.TB, version string) lockfile.File {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "npm", "lock-v"+version, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	return lockfile.File{Path: "package-lock.json", Data: data}
}

// brief is an entry in one line: name@version, the address, the algorithm, and both places.
func brief(e lockfile.Entry) string {
	algorithm, _, _ := strings.Cut(e.Integrity, "-")
	return fmt.Sprintf("%s@%s %s %s %d:%d %d:%d", e.Name, e.Version, e.URL, algorithm, e.At.Line, e.At.Column, e.IntegrityAt.Line, e.IntegrityAt.Column)
}

func parse(t *testing.T, text string) []string {
	t.Helper()
	l, err := ParseLock(lockfile.File{Path: "package-lock.json", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range l.Entries {
		out = append(out, brief(e))
	}
	return out
}

// The files were written by npm 11.19.1 with --lockfile-version 1, 2 and 3: scoped, aliased, linked, workspace and
// local tarball packages. Only the registry's host was replaced.
func TestParseLockOfRealNpm(t *testing.T) {
	t.Parallel()
	const base = "https://registry.example.test"
	for version, want := range map[string][]string{
		"1": {
			"@types/ms@2.1.0 " + base + "/@types/ms/-/ms-2.1.0.tgz sha512 9:19 10:20",
			"is-number@6.0.0 " + base + "/is-number/-/is-number-6.0.0.tgz sha512 20:19 21:20",
			"is-odd@3.0.1 " + base + "/is-odd/-/is-odd-3.0.1.tgz sha512 25:19 26:20",
			"local@file:local.tgz file:local.tgz sha512 35:18 36:20",
			"ms@2.1.3 " + base + "/ms/-/ms-2.1.3.tgz sha512 40:19 41:20",
			"is-odd@3.0.1 " + base + "/is-odd/-/is-odd-3.0.1.tgz sha512 45:19 46:20",
		},
		"2": {
			"@types/ms@2.1.0 " + base + "/@types/ms/-/ms-2.1.0.tgz sha512 26:19 27:20",
			"is-number@6.0.0 " + base + "/is-number/-/is-number-6.0.0.tgz sha512 36:19 37:20",
			"is-odd@3.0.1 " + base + "/is-odd/-/is-odd-3.0.1.tgz sha512 45:19 46:20",
			"local@1.0.0 file:local.tgz sha512 61:19 62:20",
			"ms@2.1.3 " + base + "/ms/-/ms-2.1.3.tgz sha512 66:19 67:20",
			"is-odd@3.0.1 " + base + "/is-odd/-/is-odd-3.0.1.tgz sha512 73:19 74:20",
		},
		"3": {
			"@types/ms@2.1.0 " + base + "/@types/ms/-/ms-2.1.0.tgz sha512 26:19 27:20",
			"is-number@6.0.0 " + base + "/is-number/-/is-number-6.0.0.tgz sha512 36:19 37:20",
			"is-odd@3.0.1 " + base + "/is-odd/-/is-odd-3.0.1.tgz sha512 45:19 46:20",
			"local@1.0.0 file:local.tgz sha512 61:19 62:20",
			"ms@2.1.3 " + base + "/ms/-/ms-2.1.3.tgz sha512 66:19 67:20",
			"is-odd@3.0.1 " + base + "/is-odd/-/is-odd-3.0.1.tgz sha512 73:19 74:20",
		},
	} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			file := fixture(t, version)
			if diff := cmp.Diff(want, parse(t, string(file.Data))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			windows := "\ufeff" + strings.ReplaceAll(string(file.Data), "\n", "\r\n")
			if diff := cmp.Diff(want, parse(t, windows)); diff != "" {
				t.Errorf("with a byte order mark and CRLF (-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseLockEntries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version int
		entry   string
		want    []string
	}{
		"no resolved is the default registry":    {3, `"node_modules/a":{"version":"1.0.0","integrity":"sha1-x"}`, []string{"a@1.0.0  sha1 2:1 2:49"}},
		"no resolved but that of a package.json": {3, `"node_modules/a":{"_resolved":"http://evil.test/a.tgz","version":"1.0.0","resolved":"","integrity":"sha1-x"}`, []string{"a@1.0.0 http://evil.test/a.tgz sha1 2:31 2:100"}},
		"resolved beside that of a package.json": {3, `"node_modules/a":{"_resolved":"http://evil.test/a.tgz","resolved":"https://r.test/a"}`, []string{"a@ https://r.test/a  2:67 2:1"}},
		"innermost name":                         {3, `"node_modules/a/node_modules/@s/b":{"version":"1.0.0"}`, []string{"@s/b@1.0.0   2:1 2:1"}},
		"alias":                                  {3, `"node_modules/a":{"name":"b","version":"1.0.0"}`, []string{"b@1.0.0   2:1 2:1"}},
		"link":                                   {3, `"node_modules/a":{"resolved":"packages/a","link":true}`, []string{}},
		"link with an address is judged":         {3, `"node_modules/a":{"resolved":"https://evil.test/a.tgz","link":true}`, []string{"a@ https://evil.test/a.tgz  2:30 2:1"}},
		"workspace":                              {3, `"packages/a":{"version":"1.0.0"}`, []string{}},
		"workspace with an address is judged":    {3, `"packages/a":{"resolved":"https://evil.test/a.tgz"}`, []string{"packages/a@ https://evil.test/a.tgz  2:26 2:1"}},
		"bundled in a package":                   {3, `"node_modules/a":{"bundleDependencies":["b"],"resolved":"x:y"},"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true}`, []string{"a@ x:y  2:57 2:1"}},
		"bundled with all that is asked for":     {3, `"node_modules/a":{"bundleDependencies":true,"link":true},"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true}`, []string{}},
		"bundled in a bundled one, and at its side": {3, `"node_modules/a":{"bundleDependencies":["b"],"link":true},"node_modules/a/node_modules/b":{"inBundle":true,"dependencies":{"c":"1"}},` +
			`"node_modules/a/node_modules/b/node_modules/d":{"inBundle":true,"optionalDependencies":{"e":"1"}},"node_modules/a/node_modules/c":{"inBundle":true},"node_modules/a/node_modules/e":{"inBundle":true}`, []string{}},
		"bundled by its own word alone":           {3, `"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true}`, []string{"b@1.0.0   2:1 2:1"}},
		"bundled, and the list is another":        {3, `"node_modules/a":{"bundleDependencies":["c"],"link":true,"dependencies":{"b":"1"}},"node_modules/a/node_modules/b":{"inBundle":true,"dependencies":{"d":"1"}},"node_modules/a/node_modules/d":{"inBundle":true,"dependencies":{"b":"1"}}`, []string{"b@   2:84 2:84", "d@   2:159 2:159"}},
		"bundled in the root is fetched":          {3, `"node_modules/b":{"version":"1.0.0","inBundle":true}`, []string{"b@1.0.0   2:1 2:1"}},
		"bundled with an address is judged":       {3, `"node_modules/a/node_modules/b":{"inBundle":true,"resolved":"http://evil.test/b.tgz"}`, []string{"b@ http://evil.test/b.tgz  2:61 2:1"}},
		"resolved true":                           {3, `"node_modules/a":{"version":"1.0.0","resolved":true}`, []string{"a@1.0.0   2:1 2:1"}},
		"resolved false":                          {2, `"node_modules/a":{"version":"1.0.0","resolved":false,"integrity":null}`, []string{"a@1.0.0   2:1 2:1"}},
		"git":                                     {3, `"node_modules/a":{"resolved":"git+ssh://git@github.com/u/a.git#0123"}`, []string{"a@ git+ssh://git@github.com/u/a.git#0123  2:30 2:1"}},
		"a version that is an address":            {3, `"node_modules/a":{"version":"https://evil.test/a.tgz"}`, []string{"a@https://evil.test/a.tgz https://evil.test/a.tgz  2:29 2:1"}},
		"a version that is a repository":          {3, `"node_modules/a":{"version":"evil/a"}`, []string{"a@evil/a evil/a  2:29 2:1"}},
		"a name that is a repository":             {3, `"node_modules/a":{"name":"evil/a","version":"1.0.0"}`, []string{"evil/a@1.0.0 evil/a  2:26 2:1"}},
		"a name that is an address":               {3, `"node_modules/a":{"name":"a@https://evil.test/","version":"1.0.0"}`, []string{"a@https://evil.test/@1.0.0 a@https://evil.test/  2:26 2:1"}},
		"escapes hide nothing":                    {3, `"node_modules\u002fa":{"resol\u0076ed":"http:\/\/evil.test/a"}`, []string{"a@ http://evil.test/a  2:40 2:1"}},
		"upper case is another key":               {3, `"node_modules/a":{"RESOLVED":"http://evil.test"}`, []string{"a@   2:1 2:1"}},
		"version 1: version is git":               {1, `"a":{"version":"git+ssh://git@github.com/u/a.git#0123","from":"git+ssh://git@github.com/u/a.git"}`, []string{"a@git+ssh://git@github.com/u/a.git#0123 git+ssh://git@github.com/u/a.git#0123  2:16 2:1"}},
		"version 1: version is a repository":      {1, `"a":{"version":"github:u/a#0123"}`, []string{"a@github:u/a#0123 github:u/a#0123  2:16 2:1"}},
		"version 1: both may be asked":            {1, `"a":{"version":"https://one.test/a.tgz","resolved":"https://two.test/a.tgz"}`, []string{"a@https://one.test/a.tgz https://one.test/a.tgz  2:16 2:1", "a@https://one.test/a.tgz https://two.test/a.tgz  2:52 2:1"}},
		"version 1: from alone":                   {1, `"a":{"version":"1.0.0","from":"a@github:evil/a"}`, []string{"a@1.0.0 github:evil/a  2:31 2:1"}},
		"version 1: from a range":                 {1, `"a":{"version":"1.0.0","from":"a@^1.0.0"}`, []string{"a@1.0.0   2:1 2:1"}},
		"version 1: alias":                        {1, `"a":{"version":"npm:@s/b@2.0.0"}`, []string{"@s/b@2.0.0   2:1 2:1"}},
		"version 1: bundled in another":           {1, `"x":{"version":"1.0.0","dependencies":{"a":{"version":"1.0.0","bundled":true}}}`, []string{"x@1.0.0   2:1 2:1"}},
		"version 1: bundled in the root":          {1, `"a":{"version":"1.0.0","bundled":true}`, []string{"a@1.0.0   2:1 2:1"}},
		"a backslash is a slash to Windows":       {3, `"node_modules\\a":{"version":"1.0.0"}`, []string{"a@1.0.0   2:1 2:1"}},
		"what a link below a package leads to":    {3, `"node_modules/a/vendor/b":{}`, []string{}},
		"a package below a package's directory":   {3, `"node_modules/a/vendor/b":{"version":"1.0.0"}`, []string{"a/vendor/b@1.0.0   2:1 2:1"}},
		"version 1: bundled with an address":      {1, `"a":{"version":"1.0.0","bundled":true,"resolved":"http://evil.test/a"}`, []string{"a@1.0.0 http://evil.test/a  2:50 2:1"}},
		"version 1: directory":                    {1, `"a":{"version":"file:../a"}`, []string{}},
		"version 1: nested, in the file's order":  {1, `"a":{"dependencies":{"b":{"version":"1.0.0"}},"version":"2.0.0"}`, []string{"a@2.0.0   2:1 2:1", "b@1.0.0   2:22 2:22"}},
		"version 1: link:true means nothing":      {1, `"a":{"version":"1.0.0","link":true,"inBundle":true}`, []string{"a@1.0.0   2:1 2:1"}},
		"several hashes":                          {3, `"node_modules/a":{"integrity":"sha1-a sha512-b"}`, []string{"a@  sha1 2:1 2:31"}},
		"integrity without a value is none":       {3, `"node_modules/a":{"integrity":""}`, []string{"a@   2:1 2:1"}},
		"nested objects of no interest are valid": {3, `"node_modules/a":{"engines":{"node":">=1"},"os":["linux",{"a":[]}],"n":[-1.5e+3,0,null]}`, []string{"a@   2:1 2:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := "packages"
			if c.version == 1 {
				where = "dependencies"
			}
			text := fmt.Sprintf("{\"lockfileVersion\":%d,%q:{\n%s\n}}", c.version, where, c.entry)
			if diff := cmp.Diff(c.want, parse(t, text)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", text, diff)
			}
		})
	}
}

func TestParseLockPicksOneTree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"npm 6 looks at dependencies alone": {`{"dependencies":{"a":{"version":"1.0.0"}},"packages":{"node_modules/b":{}},"lockfileVersion":2}`, []string{"a@1.0.0   1:18 1:18", "b@   1:55 1:55"}},
		"both have the same": {`{"packages":{"node_modules/b":{"version":"1.0.0","resolved":"http://r.test/b/-/b.tgz","integrity":"x"},"node_modules/c":{"name":"d","resolved":"git+ssh://git@r.test/d#0"},` +
			`"node_modules/e":{"resolved":"http://r.test/e.tgz"},"node_modules/f":{"version":"2.0.0"},"node_modules/g":{"inBundle":true,"version":"1.0.0"}},` + "\n" +
			`"dependencies":{"b":{"version":"1.0.0","resolved":"http://r.test/b/-/b.tgz","integrity":"x","dependencies":{"f":{"version":"2.0.0"}}},"c":{"version":"git+ssh://git@r.test/d#0","from":"c@u/d"},` +
			`"e":{"version":"http://r.test/e.tgz"},"g":{"version":"1.0.0","bundled":true},` + "\n" + `"h":{"version":"2.0.0","resolved":"http://r.test/b/-/b.tgz","integrity":"x"}}}`,
			[]string{"b@1.0.0 http://r.test/b/-/b.tgz x 1:61 1:99", "d@ git+ssh://git@r.test/d#0  1:144 1:104", "e@ http://r.test/e.tgz  1:201 1:172", "f@2.0.0   1:224 1:224", "g@1.0.0   1:261 1:261", "h@2.0.0 http://r.test/b/-/b.tgz x 3:35 3:73"}},
		"bundled in dependencies alone": {`{"packages":{"node_modules/a":{"bundleDependencies":["b"],"link":true},"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true}},` + "\n" +
			`"dependencies":{"a":{"version":"file:a","dependencies":{"b":{"version":"1.0.0","bundled":true},"c":{"version":"1.0.0","bundled":true}}}}}`, []string{"c@1.0.0   2:96 2:96"}},
		"packages null":  {`{"packages":null,"dependencies":{"a":{}}}`, []string{"a@   1:34 1:34"}},
		"old shrinkwrap": {`{"name":"x","dependencies":{"a":{"version":"1.0.0","resolved":"http://r.test/a/-/a.tgz"}}}`, []string{"a@1.0.0 http://r.test/a/-/a.tgz  1:63 1:29"}},
		"nothing":        {`{}`, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, parse(t, c.text)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseLockFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":                 {"", `package-lock.json:1:1: ends where an object must stand`},
		"truncated":             {"{\n \"packages\": {\n  \"node_modules/a\": {\"resolved\": \"htt", `package-lock.json:3:38: ends where the end of a string must stand`},
		"merge conflict":        {"{\n<<<<<<< HEAD\n", `package-lock.json:2:1: holds an unresolved merge conflict`},
		"no object":             {"[]", `package-lock.json:1:1: holds '[' where an object must stand`},
		"trailing comma":        {`{"a":1,}`, `package-lock.json:1:8: holds '}' where a string in double quotes must stand`},
		"trailing text":         {"{}\nx", `package-lock.json:2:1: holds 'x' where the end of the file must stand`},
		"bare word":             {`{"a":yes}`, `package-lock.json:1:6: holds 'y' where a value must stand`},
		"bad number":            {`{"a":01}`, `package-lock.json:1:7: holds '1' where "," or '}' must stand`},
		"bad escape":            {`{"a":"\x"}`, `package-lock.json:1:8: holds the escape \x, which JSON does not have`},
		"raw line end":          {"{\"a\":\"\n\"}", `package-lock.json:1:7: holds '\n' where the end of a string must stand`},
		"wrong version":         {`{"lockfileVersion": 4}`, `package-lock.json:1:21: has lockfileVersion 4, and 1 to 3 can be read`},
		"key twice":             {"{\"packages\":{\"node_modules/a\":{\"resolved\":\"https://a.test\",\n\"resolved\":\"https://b.test\"}}}", `package-lock.json:2:1: holds the key "resolved" twice`},
		"hidden key twice":      {`{"packages":{"node_modules/a":{"link":true,"l\u0069nk":false}}}`, `package-lock.json:1:44: holds the key "link" twice`},
		"package twice":         {`{"packages":{"node_modules/a":{},"node_modules/a":{}}}`, `package-lock.json:1:34: names the package "node_modules/a" twice`},
		"tree twice":            {`{"packages":{},"packages":{}}`, `package-lock.json:1:16: holds the key "packages" twice`},
		"resolved array":        {`{"packages":{"node_modules/a":{"resolved":["https://evil.test"]}}}`, `package-lock.json:1:43: holds no string as "resolved"`},
		"entry no object":       {`{"packages":{"node_modules/a":1}}`, `package-lock.json:1:31: holds '1' where an object that describes "node_modules/a" of "packages" must stand`},
		"key not as npm has it": {`{"packages":{"node_modules/a":{},"node_modules/./a":{}}}`, `package-lock.json:1:34: names the package "node_modules/./a" in a way that npm does not write`},
		"another root":          {`{"packages":{"":{},".":{}}}`, `package-lock.json:1:20: names the package "." in a way that npm does not write`},
		"text in version 3": {`{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1.0.0"}},"dependencies":{"a":"1.0.0"}}`,
			`package-lock.json:1:92: holds a text where an object that describes "a" of "dependencies" must stand; npm 6 would install the newest version`},
		"number in version 1": {`{"dependencies":{"b":{"dependencies":{"a":1}}}}`,
			`package-lock.json:1:43: holds '1' where an object that describes "a" of "dependencies" must stand`},
		"too deep": {`{"a":` + strings.Repeat("[", 100), `package-lock.json:1:69: nests deeper than 64 levels`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseLock(lockfile.File{Path: "package-lock.json", Data: []byte(c.text)})
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != problem.Usage || p.Hint == "" {
				t.Fatalf("got %#v, want a problem of code Usage with a hint", err)
			}
			if got := p.Op + ": " + p.Err.Error(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestParseLockKeepsSecrets(t *testing.T) {
	t.Parallel()
	text := []byte(`{"packages":{"node_modules/a":{"resolved":"https://me:hunter2@r.test/a.tgz" "x"}}}`)
	_, err := ParseLock(lockfile.File{Path: "package-lock.json", Data: text})
	var p *problem.Problem
	if !errors.As(err, &p) || strings.Contains(p.Error()+p.Excerpt, "hunter2") || !strings.Contains(p.Excerpt, "***@r.test") {
		t.Errorf("%v\n%s", err, p.Excerpt)
	}
	_, err = ParseLock(lockfile.File{Path: "package-lock.json", Data: []byte("topsecret"), Linked: true})
	if !errors.As(err, &p) || strings.ContainsAny(p.Err.Error(), `'"`) || p.Excerpt != "" {
		t.Errorf("a linked file is quoted: %v", err)
	}
}

// Tiny entries make much of little: their number is bounded, and so is what is told of them.
func TestTinyEntriesAreBounded(t *testing.T) {
	t.Parallel()
	entries := func(n int, format string) lockfile.File {
		var b strings.Builder
		b.WriteString(`{"packages":{"":{}`)
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		b.WriteString("}}")
		return lockfile.File{Path: "package-lock.json", Data: []byte(b.String())}
	}
	_, err := ParseLock(entries(maxPackages, `,"%x":{}`))
	if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "names more than 500000 packages") {
		t.Errorf("got %v", err)
	}
	e := open(t, machine(), map[string]string{"package-lock.json": string(entries(maxItems+5, `,"node_modules/%x":{}`).Data)})
	var in decide.Input
	e.Fill(&in, nil)
	if g := in.Entries[0]; len(in.Entries) != 1 || g.Count != maxItems+5 || len(g.Items) != maxItems || e.Packages != g.Count {
		t.Errorf("%d groups, the first with %d items of %d", len(in.Entries), len(g.Items), g.Count)
	}
	if want := "package-lock.json: of 10005 packages that come from one place in one way, the first 10000 are told one by one"; len(e.Notes) != 1 || e.Notes[0] != want {
		t.Errorf("notes %q", e.Notes)
	}
	_, err = New(machine(), checkout(t, map[string]string{
		"package-lock.json": string(entries(maxGroups+1, `,"node_modules/%x":{"resolved":"https://h%[1]x.test/x"}`).Data)}))
	if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "more than 10000 places") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte(`{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"version":"1.0.0","resolved":"https://r.test/a/-/a.tgz","integrity":"sha1-x","link":true,"inBundle":false}}}`))
	f.Add([]byte(`{"packages":{"node_modules/a":{"resolved":"\ud800","name":"a:b"}}}`))
	f.Add([]byte(`{"dependencies":{"a":{"version":"file:x","dependencies":{"b":{"from":"b@u/b"}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock(lockfile.File{Path: "package-lock.json", Data: data})
		if err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != problem.Usage {
				t.Fatalf("%#v", err)
			}
			return
		}
		if len(l.Entries) > len(data)/2 {
			t.Fatalf("%d entries of %d bytes", len(l.Entries), len(data))
		}
		text := strings.TrimPrefix(string(data), "\ufeff")
		lines := strings.Split(text, "\n")
		for _, e := range l.Entries {
			if row := lines[e.At.Line-1]; row[e.At.Column-1] != '"' {
				t.Fatalf("%+v is at no string", e)
			}
		}
		groups, err := group([]lockFile{{Lock: l}})
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, g := range groups {
			if count += g.Count; min(g.Count, maxItems) != len(g.Items) {
				t.Fatalf("%+v", g)
			}
		}
		if count != len(l.Entries) {
			t.Fatalf("%d entries, %d in groups", len(l.Entries), count)
		}
	})
}

func bigLock(packages int) []byte {
	var b strings.Builder
	b.WriteString("{\n  \"name\": \"big\",\n  \"lockfileVersion\": 3,\n  \"packages\": {\n    \"\": {}")
	for i := range packages {
		fmt.Fprintf(&b, `,
    "node_modules/package-%d": {
      "version": "1.2.%d",
      "resolved": "https://registry.example.test/package-%d/-/package-%d-1.2.%d.tgz",
      "integrity": "%s",
      "license": "MIT",
      "dependencies": {
        "another-package": "^1.0.0",
        "yet-another": "^2.3.4"
      },
      "engines": {
        "node": ">=10"
      }
    }`, i, i, i, i, i, probeIntegrity)
	}
	b.WriteString("\n  }\n}\n")
	return []byte(b.String())
}

func BenchmarkParseLock(b *testing.B) {
	for _, n := range []int{10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			file := lockfile.File{Path: "package-lock.json", Data: bigLock(n)}
			b.SetBytes(int64(len(file.Data)))
			b.ReportAllocs()
			for b.Loop() {
				if l, err := ParseLock(file); err != nil || len(l.Entries) != n {
					b.Fatal(len(l.Entries), err)
				}
			}
		})
	}
}

func BenchmarkGroup(b *testing.B) {
	l, err := ParseLock(lockfile.File{Path: "package-lock.json", Data: bigLock(10_000)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if groups, err := group([]lockFile{{Lock: l}}); err != nil || len(groups) != 1 || groups[0].Kind != kindRegistry {
			b.Fatal(groups)
		}
	}
}
