package npm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
)

func parseYarn(t *testing.T, text string) []lockfile.Entry {
	t.Helper()
	l, err := ParseYarn(lockfile.File{Path: "yarn.lock", Data: []byte(text)})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return l.Entries
}

func yarnLines(entries []lockfile.Entry) []string {
	out := []string{}
	for _, e := range entries {
		line := brief(e)
		if e.Unpinned {
			line += " unpinned"
		}
		if e.Fault != "" {
			line += " fault: " + e.Fault
		}
		out = append(out, line)
	}
	return out
}

// The files were written by yarn 1.22.22, 2.4.2, 3.8.7 and 4.18.1: aliases, a package of another platform, a linked, a
// copied and a patched package, tarballs from the web and from the checkout, and a workspace. Only hosts were replaced.
// What is listed is what each of them installed, but for the other platform's package.
func TestParseYarnOfRealYarn(t *testing.T) {
	t.Parallel()
	const base = "https://registry.example.test"
	rest := []string{
		"@types/ms@2.1.0  sha512 22:1 25:13",
		"is-number@6.0.0  sha512 29:1 32:13",
		"is-odd@3.0.1  sha512 36:1 41:13",
		"ms@2.1.2  sha512 58:1 61:13",
		"ms@2.1.3  sha512 65:1 68:13",
		"ms@2.1.2  sha512 72:1 75:13", // patched
		"remote@1.2.0 https://files.example.test/left-pad-1.2.0.tgz sha512 87:15 88:13",
		"tarred@1.2.0 file:./tarred.tgz sha512 118:15 119:13",
	}
	platforms := []string{"@esbuild/darwin-arm64@0.25.0   8:1 8:1 unpinned", "@esbuild/linux-x64@0.25.0   15:1 15:1 unpinned"}
	for version, want := range map[string][]string{
		"v1": {
			"@esbuild/darwin-arm64@0.25.0 " + base + "/@esbuild/darwin-arm64/-/darwin-arm64-0.25.0.tgz sha512 7:12 8:13",
			"@esbuild/linux-x64@0.25.0 " + base + "/@esbuild/linux-x64/-/linux-x64-0.25.0.tgz sha512 12:12 13:13",
			"@types/ms@2.1.0 " + base + "/@types/ms/-/ms-2.1.0.tgz sha512 17:12 18:13",
			"is-number@6.0.0 " + base + "/is-number/-/is-number-6.0.0.tgz sha512 22:12 23:13",
			"is-odd@3.0.1 " + base + "/is-odd/-/is-odd-3.0.1.tgz sha512 27:12 28:13",
			"ms@2.1.3 " + base + "/ms/-/ms-2.1.3.tgz sha512 41:12 42:13",
			"is-odd@3.0.1 " + base + "/is-odd/-/is-odd-3.0.1.tgz sha512 46:12 47:13",
			"remote@1.2.0 https://files.example.test/left-pad-1.2.0.tgz sha1 53:12 53:12",
			"tarred@1.2.0 file:./tarred.tgz sha1 57:12 57:12",
		},
		"v4":  append([]string{"@esbuild/darwin-arm64@0.25.0  sha512 8:1 11:13", "@esbuild/linux-x64@0.25.0  sha512 15:1 18:13"}, rest...),
		"v6":  append(platforms[:2:2], rest...),
		"v10": append(platforms[:2:2], rest...),
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "npm", "yarn-"+version, "yarn.lock"))
			if err != nil {
				t.Fatal(err)
			}
			entries := parseYarn(t, string(data))
			if diff := cmp.Diff(want, yarnLines(entries)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			windows := "\ufeff" + strings.ReplaceAll(string(data), "\n", "\r\n")
			if diff := cmp.Diff(want, yarnLines(parseYarn(t, windows))); diff != "" {
				t.Errorf("with a byte order mark and CRLF (-want +got)\n%s", diff)
			}
			for _, e := range entries {
				if class := integrityClass(e.Integrity); class != "sha512" && class != "sha1" && !e.Unpinned {
					t.Errorf("%s has an integrity of class %s", brief(e), class)
				}
			}
		})
	}
}

// The checksum of yarn 4 is one of another file than npm's integrity, and is not taken for it.
func TestChecksumOfTheCache(t *testing.T) {
	t.Parallel()
	e := parseYarn(t, berryLockOf("a@npm:1", "a@npm:1.0.0", "  checksum: 10c0/"+sha512Hex+"\n"))[0]
	if want := sha512SRI + "?zip"; e.Integrity != want || integrityClass(e.Integrity) != "sha512" {
		t.Errorf("got %s, want %s", e.Integrity, want)
	}
}

const (
	sha1Hex   = "5b8a3a7765dfe001261dde915589e782f8c94d1e"
	sha1SRI   = "sha1-W4o6d2Xf4AEmHd6RVYnngvjJTR4="
	sha512Hex = "d924b57e7312b3b63ad21fc5b3dc0af5e78d61a1fc7cfb5457edaf26326bf62be5307cc87ffb6862ef1c2b33b0233cdb5d4f01c4c958cc0d660948b65a287a48"
	sha512SRI = "sha512-2SS1fnMSs7Y60h/Fs9wK9eeNYaH8fPtUV+2vJjJr9ivlMHzIf/toYu8cKzOwIzzbXU8BxMlYzA1mCUi2Wih6SA=="
)

// kinds are the groups that entries come to, in one line each: the kind, the place, the integrity, and the first subject.
func kinds(t *testing.T, entries []lockfile.Entry) []string {
	t.Helper()
	groups, err := group([]lockFile{{Lock: lockfile.Lock{Entries: entries}}})
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, g := range groups {
		place := g.Scheme + "://" + g.Host
		if g.Default {
			place = "default"
		}
		if g.Broken != "" {
			place = g.Broken
		}
		out = append(out, fmt.Sprintf("%s %s %s %s %d:%d", g.Kind, place, g.Integrity, g.Examples[0], g.Line, g.Column))
	}
	return out
}

func TestParseYarn1Entries(t *testing.T) {
	t.Parallel()
	const registry = "https://r.test/a/-/a-1.0.0.tgz"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no header":                              {"a@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "#" + sha1Hex + "\"\n", []string{"registry https://r.test sha1 a@1.0.0 3:12"}},
		"integrity beside the hash":              {"a@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "#" + sha1Hex + "\"\n  integrity " + probeIntegrity, []string{"registry https://r.test sha512 a@1.0.0 3:12"}},
		"neither hash nor integrity":             {"a@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "\"\n", []string{"registry https://r.test none a@1.0.0 3:12"}},
		"hash in capitals":                       {"a@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "#" + strings.ToUpper(sha1Hex) + "\"\n", []string{"registry https://r.test sha1 a@1.0.0 3:12"}},
		"hash that is none":                      {"a@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "#sha512-x\"\n", []string{"registry https://r.test broken a@1.0.0 3:12"}},
		"broken integrity":                       {"a@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "#" + sha1Hex + "\"\n  integrity sha512-short", []string{"registry https://r.test broken a@1.0.0 4:13"}},
		"several hashes":                         {"a@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "\"\n  integrity \"" + sha1SRI + " " + probeIntegrity + "\"", []string{"registry https://r.test sha512 a@1.0.0 3:12"}},
		"a second fragment is cut off":           {"a@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "#" + sha1Hex + "#x\"\n", []string{"registry https://r.test sha1 a@1.0.0 3:12"}},
		"without resolved nothing counts":        {"a@1:\n  version \"1.0.0\"\n  integrity " + probeIntegrity, []string{"registry default none a@1.0.0 1:1"}},
		"alias":                                  {"\"foo@npm:@s/bar@^1\":\n  version \"1.0.0\"", []string{"registry default none @s/bar@1.0.0 1:1"}},
		"alias without a range":                  {"\"foo@npm:bar\":\n  version \"1.0.0\"", []string{"registry default none bar@1.0.0 1:1"}},
		"scoped name":                            {"\"@s/a@1\":\n  version \"1.0.0\"", []string{"registry default none @s/a@1.0.0 1:1"}},
		"two names are two packages":             {"a@1, a@2, b@1:\n  version \"1.0.0\"\n  resolved \"" + registry + "#" + sha1Hex + "\"\n", []string{"registry https://r.test sha1 a@1.0.0 3:12", "tarball https://r.test sha1 b@1.0.0 3:12"}},
		"address without resolved":               {"\"a@https://evil.test/a.tgz\":\n  version \"1.0.0\"", []string{"tarball https://evil.test none a@1.0.0 1:1"}},
		"address without a name":                 {"\"https://me@evil.test/a.tgz\":\n  name a\n  version \"1.0.0\"", []string{"tarball https://evil.test none a@1.0.0 1:1"}},
		"repository without resolved":            {"\"a@u/a\":\n  version \"1.0.0\"", []string{"git https://github.com none a@1.0.0 1:1"}},
		"scp form without resolved":              {"\"a@git@h.test:u/a.git\":\n  version \"1.0.0\"", []string{"git ssh://h.test none a@1.0.0 1:1"}},
		"git":                                    {"\"a@git+ssh://git@h.test/u/a.git\":\n  version \"1.0.0\"\n  resolved \"git+ssh://git@h.test/u/a.git#" + sha1Hex + "\"", []string{"git ssh://h.test none a@1.0.0 3:12"}},
		"git whatever the key is":                {"a@1:\n  version \"1.0.0\"\n  resolved \"git://h.test/u/a.git#" + sha1Hex + "\"\n  integrity " + probeIntegrity, []string{"git git://h.test none a@1.0.0 3:12"}},
		"a repository that says https":           {"\"a@https://h.test/u/a.git\":\n  version \"1.0.0\"\n  resolved \"https://h.test/u/a.git#" + sha1Hex + "\"", []string{"git https://h.test none a@1.0.0 3:12"}},
		"a forge that says https":                {"\"a@https://gitlab.com/u/a\":\n  version \"1.0.0\"\n  resolved \"https://gitlab.com/u/a#" + sha1Hex + "\"", []string{"git https://gitlab.com none a@1.0.0 3:12"}},
		"gist":                                   {"\"a@gist:0123\":\n  version \"1.0.0\"\n  resolved \"https://gist.github.com/0123.git#" + sha1Hex + "\"", []string{"git https://gist.github.com none a@1.0.0 3:12"}},
		"a tarball in a repository's place":      {"\"a@https://h.test/u/a.git\":\n  version \"1.0.0\"\n  resolved \"https://h.test/a.tgz\"", []string{"tarball https://h.test none a@1.0.0 3:12"}},
		"a repository in a version's place":      {"a@1:\n  version \"1.0.0\"\n  resolved \"https://h.test/u/a.git#" + sha1Hex + "\"", []string{"tarball https://h.test sha1 a@1.0.0 3:12"}},
		"a commit's archive":                     {"a@u/a:\n  version \"1.0.0\"\n  resolved \"https://codeload.github.com/u/a/tar.gz/" + sha1Hex + "\"", []string{"git https://codeload.github.com none a@1.0.0 3:12"}},
		"a commit's archive elsewhere":           {"\"a@gitlab:u/a\":\n  version \"1.0.0\"\n  resolved \"https://gitlab.com/u/a/repository/archive.tar.gz?ref=" + sha1Hex + "\"", []string{"git https://gitlab.com none a@1.0.0 3:12"}},
		"a branch's archive":                     {"a@u/a:\n  version \"1.0.0\"\n  resolved \"https://codeload.github.com/u/a/tar.gz/main\"", []string{"tarball https://codeload.github.com none a@1.0.0 3:12"}},
		"link":                                   {"\"a@link:../a\":\n  version \"0.0.0\"\n  uid \"\"", []string{}},
		"directory":                              {"\"a@file:../a\":\n  version \"1.0.0\"", []string{}},
		"tarball of the checkout":                {"\"a@file:a.tgz\":\n  version \"1.0.0\"\n  resolved \"file:a.tgz#" + sha1Hex + "\"", []string{"file file:// sha1 a@1.0.0 3:12"}},
		"directory with an address is judged":    {"\"a@file:../a\":\n  version \"1.0.0\"\n  resolved \"https://evil.test/a.tgz\"", []string{"tarball https://evil.test none a@1.0.0 3:12"}},
		"a file of the offline mirror":           {"a@1:\n  version \"1.0.0\"\n  resolved a-1.0.0.tgz#" + sha1Hex, []string{"registry default sha1 a@1.0.0 3:12"}},
		"a path of the offline mirror":           {"a@1:\n  version \"1.0.0\"\n  resolved u/a.tgz#" + sha1Hex, []string{"registry default sha1 a@1.0.0 3:12"}},
		"a path of the checkout":                 {"a@1:\n  version \"1.0.0\"\n  resolved \"./a.tgz#" + sha1Hex + "\"", []string{"file file:// sha1 a@1.0.0 3:12"}},
		"another scheme":                         {"a@1:\n  version \"1.0.0\"\n  resolved \"ftp://h.test/a.tgz\"", []string{"invalid address has a scheme that npm does not fetch none a@1.0.0 3:12"}},
		"nothing but a hash":                     {"a@1:\n  version \"1.0.0\"\n  resolved \"#" + sha1Hex + "\"", []string{"invalid names no place that npm knows none a@1.0.0 3:12"}},
		"escapes hide nothing":                   {"a@1:\n  version \"1.0.0\"\n  \"resol\\u0076ed\" \"http:\\/\\/evil.test\\/a\"", []string{"tarball http://evil.test none a@1.0.0 3:19"}},
		"a locked dependency with an address":    {"a@1:\n  version \"1.0.0\"\n  dependencies:\n    b \"https://b.test/b.tgz\"\n\nc@1, \"b@https://b.test/b.tgz\":\n  version \"1.0.0\"\n", []string{"registry default none a@1.0.0 1:1", "tarball https://b.test none b@1.0.0 6:1"}},
		"an unlocked dependency with an address": {"a@1:\n  version \"1.0.0\"\n  optionalDependencies:\n    b \"https://b.test/b.tgz\"\n    c \"^1.0.0\"\n    d u/d\n\ne@1:\n  version \"1.0.0\"\n  resolved \"https://e.test/e.tgz\"\n", []string{"registry default none a@1.0.0 1:1", "tarball https://b.test none b 4:7", "git https://github.com none d 6:7", "tarball https://e.test none e@1.0.0 10:12"}},
		"other blocks do not count":              {"a@1:\n  version \"1.0.0\"\n  prebuiltVariants:\n    b \"https://b.test/b.tgz\"\n", []string{"registry default none a@1.0.0 1:1"}},
		"values that nobody reads":               {"a@1:\n  version \"1.0.0\"\n  n 10\n  t true\n  f false  \n  registry npm\n", []string{"registry default none a@1.0.0 1:1"}},
		"nothing":                                {"", []string{}},
		"nothing but comments":                   {"# yarn lockfile v1\n\n\n", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, kinds(t, parseYarn(t, c.text))); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", c.text, diff)
			}
		})
	}
}

func TestParseYarn1KeepsAddressAndHash(t *testing.T) {
	t.Parallel()
	text := "a@1:\n  version \"1.0.0\"\n  resolved \"https://r.test/a/-/a-1.0.0.tgz?x=1#" + sha1Hex + "\"\n"
	if e := parseYarn(t, text)[0]; e.URL != "https://r.test/a/-/a-1.0.0.tgz?x=1" || e.Integrity != sha1SRI {
		t.Errorf("%+v", e)
	}
	text = "a@u/a:\n  version \"1.0.0\"\n  resolved \"git+https://h.test/u/a.git#" + sha1Hex + "\"\n"
	if e := parseYarn(t, text)[0]; e.URL != "git+https://h.test/u/a.git#"+sha1Hex || e.Integrity != "" {
		t.Errorf("%+v", e)
	}
}

// berryLockOf is a file of yarn 4 with one entry, which begins on line 5 and has more on line 8.
func berryLockOf(key, resolution, more string) string {
	if !strings.Contains(more, "linkType") {
		more += "  linkType: hard\n"
	}
	return fmt.Sprintf("__metadata:\n  version: 8\n  cacheKey: 10c0\n\n%q:\n  version: 1.0.0\n  resolution: %q\n%s", key, resolution, more)
}

func TestParseBerryEntries(t *testing.T) {
	t.Parallel()
	const sum = "  checksum: 10c0/" + sha512Hex + "\n"
	const nothing = "yarn fetches no such reference"
	for name, c := range map[string]struct {
		key, resolution, more string
		want                  []string
	}{
		"registry":                              {"a@npm:^1, a@npm:^2", "a@npm:1.0.0", sum, []string{"registry default sha512 a@1.0.0 5:1"}},
		"without a protocol, as yarn 2 wrote":   {"a@^1", "a@npm:1.0.0", sum, []string{"registry default sha512 a@1.0.0 5:1"}},
		"the fetched version counts":            {"a@npm:^1", "a@npm:0.0.1-evil+1", sum, []string{"registry default sha512 a@0.0.1-evil+1 5:1"}},
		"no checksum":                           {"a@npm:^1", "a@npm:1.0.0", "", []string{"registry default none a@1.0.0 5:1"}},
		"of one platform":                       {"a@npm:^1", "a@npm:1.0.0", "  conditions: os=linux\n", []string{"registry default omitted a@1.0.0 5:1"}},
		"of one platform with a checksum":       {"a@npm:^1", "a@npm:1.0.0", "  conditions: os=linux\n" + sum, []string{"registry default sha512 a@1.0.0 5:1"}},
		"checksum without a key is the file's":  {"a@npm:^1", "a@npm:1.0.0", "  checksum: " + sha512Hex + "\n", []string{"registry default sha512 a@1.0.0 5:1"}},
		"checksum of another key is not looked": {"a@npm:^1", "a@npm:1.0.0", "  checksum: 9/" + sha512Hex + "\n", []string{"registry default foreign a@1.0.0 8:13"}},
		"checksum that is short":                {"a@npm:^1", "a@npm:1.0.0", "  checksum: 10c0/abcd\n", []string{"registry default broken a@1.0.0 8:13"}},
		"checksum in capitals never matches":    {"a@npm:^1", "a@npm:1.0.0", "  checksum: 10c0/" + strings.ToUpper(sha512Hex) + "\n", []string{"registry default broken a@1.0.0 8:13"}},
		"checksum in npm's form":                {"a@npm:^1", "a@npm:1.0.0", "  checksum: 10c0/x " + probeIntegrity + "\n", []string{"registry default broken a@1.0.0 8:13"}},
		"alias":                                 {"foo@npm:@s/a@^1, @s/a@npm:^1", "@s/a@npm:1.0.0", sum, []string{"registry default sha512 @s/a@1.0.0 5:1"}},
		"another package than asked for":        {"a@npm:^1", "evil@npm:1.0.0", sum, []string{"registry default sha512 evil@1.0.0 5:1"}},
		"another in one of several":             {"evil@npm:^1, a@npm:^1", "evil@npm:1.0.0", sum, []string{"registry default sha512 evil@1.0.0 5:1"}},
		"bound address":                         {"a@npm:^1", "a@npm:1.0.0::__archiveUrl=https%3A%2F%2Fevil.test%2Fa%2F-%2Fa.tgz", sum, []string{"registry https://evil.test sha512 a@1.0.0 7:15"}},
		"bound address, hidden":                 {"a@npm:^1", "a@npm:1.0.0::x=y&__archive%55rl=http://evil.test/a.tgz", sum, []string{"tarball http://evil.test sha512 a@1.0.0 7:15"}},
		"bound path":                            {"a@npm:^1", "a@npm:1.0.0::__archiveUrl=%2Fx%2Fa.tgz", sum, []string{"registry default sha512 a@1.0.0 5:1"}},
		"bound file":                            {"a@npm:^1", "a@npm:1.0.0::__archiveUrl=file%3A.%2Fa.tgz", sum, []string{"invalid " + nothing + " sha512 a@1.0.0 7:15"}},
		"two bound addresses":                   {"a@npm:^1", "a@npm:1.0.0::__archiveUrl=https://a.test/&__archiveUrl=https://b.test/", sum, []string{"invalid " + nothing + " sha512 a@1.0.0 7:15"}},
		"another binding":                       {"a@npm:^1", "a@npm:1.0.0::version=1", sum, []string{"invalid " + nothing + " sha512 a@1.0.0 7:15"}},
		"no version":                            {"a@npm:^1", "a@npm:latest", sum, []string{"invalid " + nothing + " sha512 a 7:15"}},
		"version with a path":                   {"a@npm:^1", "a@npm:1.0.0/../x", sum, []string{"invalid " + nothing + " sha512 a 7:15"}},
		"no protocol":                           {"a@npm:^1", "a@1.0.0", sum, []string{"invalid names no place that npm knows sha512 a@1.0.0 7:15"}},
		"jsr":                                   {"c@jsr:@l/c@^1", "@l/c@jsr:1.0.0", sum, []string{"registry https://npm.jsr.io sha512 @jsr/l__c@1.0.0 7:15"}},
		"tarball":                               {"a@https://evil.test/a.tgz", "a@https://evil.test/a.tgz", sum, []string{"tarball https://evil.test sha512 a@1.0.0 7:15"}},
		"soft means nothing":                    {"a@https://evil.test/a.tgz", "a@https://evil.test/a.tgz", sum + "  linkType: soft\n", []string{"tarball https://evil.test sha512 a@1.0.0 7:15"}},
		"git at a forge":                        {"a@u/a", "a@https://github.com/u/a.git#commit=" + sha1Hex, sum, []string{"git https://github.com sha512 a@1.0.0 7:15"}},
		"git elsewhere":                         {"a@https://h.test/a.git", "a@https://h.test/a.git#commit=" + sha1Hex, sum, []string{"git https://h.test sha512 a@1.0.0 7:15"}},
		"git over ssh":                          {"a@git@h.test:u/a.git", "a@git@h.test:u/a.git#commit=" + sha1Hex, sum, []string{"git ssh://h.test sha512 a@1.0.0 7:15"}},
		"git of the machine":                    {"a@git+file:///srv/a.git", "a@git+file:///srv/a.git#commit=" + sha1Hex, sum, []string{"git file:// sha512 a@1.0.0 7:15"}},
		"patch":                                 {"a@patch:a@npm%3A^1#~/p.patch", "a@patch:a@npm%3A1.0.0#~/p.patch::version=1.0.0&hash=012345", sum, []string{"registry default sha512 a@1.0.0 5:1"}},
		"patch of an address":                   {"a@patch:a@https%3A//evil.test/a.tgz#p", "a@patch:a@https%3A//evil.test/a.tgz#p", sum, []string{"tarball https://evil.test sha512 a@1.0.0 7:15"}},
		"patch of a patch":                      {"a@patch:a@patch%3Aa@npm%253A1.0.0%23p#q", "a@patch:a@patch%3Aa@https%253A//evil.test/a.tgz%23p#q", sum, []string{"tarball https://evil.test sha512 a@1.0.0 7:15"}},
		"patch of nothing":                      {"a@patch:p", "a@patch:p", sum, []string{"invalid its patch does not say of what sha512 a@1.0.0 7:15"}},
		"patches without end":                   {"a@npm:1", "a@" + strings.Repeat("virtual:x#", 20) + "npm:1.0.0", sum, []string{"invalid it nests too many patches sha512 a@1.0.0 7:15"}},
		"virtual":                               {"a@npm:1", "a@virtual:0123#https://evil.test/a.tgz", "", []string{"tarball https://evil.test none a@1.0.0 7:15"}},
		"workspace":                             {"a@workspace:.", "a@workspace:.", "", []string{}},
		"link":                                  {"a@link:./a::locator=r%40workspace%3A.", "a@link:./a::locator=r%40workspace%3A.", "", []string{}},
		"portal":                                {"a@portal:./a::locator=r%40workspace%3A.", "a@portal:./a::locator=r%40workspace%3A.", "", []string{}},
		"directory":                             {"a@file:./a::locator=r%40workspace%3A.", "a@file:./a#./a::hash=012345&locator=r%40workspace%3A.", sum, []string{}},
		"tarball of the checkout":               {"a@file:./a.tgz", "a@file:./a.tgz#./a.tgz::hash=012345&locator=r%40workspace%3A.", sum, []string{"file file:// sha512 a@1.0.0 7:15"}},
		"generated":                             {"a@exec:./gen.js", "a@exec:./gen.js#./gen.js::hash=012345&locator=r%40workspace%3A.", sum, []string{"invalid a program of the checkout makes the package (exec:) sha512 a@1.0.0 7:15"}},
		"another protocol":                      {"a@foo:bar", "a@foo:bar", sum, []string{`invalid address of scheme "foo" names no host sha512 a@1.0.0 7:15`}},
		"a dependency with an address":          {"a@npm:^1", "a@npm:1.0.0", sum + "  dependencies:\n    b: \"https://evil.test/b.tgz\"\n    c: ^1.0.0\n    d: \"npm:^1\"\n    a: \"https://replaced.test/a.tgz\"\n", []string{"registry default sha512 a@1.0.0 5:1", "tarball https://evil.test none b 10:8"}},
		"a workspace's is yarn's to look up":    {"a@workspace:.", "a@workspace:.", "  dependencies:\n    b: \"https://evil.test/b.tgz\"\n", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := berryLockOf(c.key, c.resolution, c.more)
			if diff := cmp.Diff(c.want, kinds(t, parseYarn(t, text))); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", text, diff)
			}
		})
	}
}

// A key of more than 1024 characters stands on a line of its own.
func TestParseBerryLongKey(t *testing.T) {
	t.Parallel()
	var patterns []string
	for i := range 100 {
		patterns = append(patterns, fmt.Sprintf("a@npm:^1.0.%d", i))
	}
	text := strings.Replace(berryLockOf("x", "a@npm:1.0.0", ""), "\"x\":\n", "? \""+strings.Join(patterns, ", ")+"\"\n:\n", 1)
	if diff := cmp.Diff([]string{"registry default none a@1.0.0 5:3"}, kinds(t, parseYarn(t, text))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := ParseYarn(lockfile.File{Path: "yarn.lock", Data: []byte(strings.Replace(text, "^1.0.98", "^1.0.97", 1))}); err == nil {
		t.Error("a pattern stands twice")
	}
}

func TestParseYarnFaults(t *testing.T) {
	t.Parallel()
	berry := func(text string) string { return "__metadata:\n  version: 8\n" + text }
	entry := "\n  resolution: \"a@npm:1.0.0\"\n  linkType: hard\n"
	for name, c := range map[string]struct{ text, want string }{
		"merge conflict":                {"a@1:\n  version \"1\"\n<<<<<<< HEAD\n", `3:1: holds an unresolved merge conflict`},
		"merge conflict of yarn 2":      {berry("<<<<<<< HEAD\n"), `3:1: holds an unresolved merge conflict`},
		"truncated in a text":           {"a@1:\n  version \"1.0", `2:15: ends where the end of a text in quotes must stand`},
		"truncated behind a key":        {"a@1:\n", `1:1: names a package without its version`},
		"truncated in a block":          {"a@1:\n  version \"1\"\n  dependencies:\n    b", `4:6: ends where a space behind a key must stand`},
		"truncated before linkType":     {berry("a@npm:1:\n  resolution: \"a@npm:1.0.0\"\n"), `3:1: names a package without the linkType that ends an entry`},
		"truncated before resolution":   {berry("a@npm:1:\n  version: 1.0.0\n"), `3:1: names a package without its resolution`},
		"truncated in __metadata":       {"__metadata:\n", `1:1: has no version in __metadata`},
		"another version":               {"# yarn lockfile v2\n\na@1:\n", `3:1: begins a yarn lockfile of version 2, and version 1 can be read in this form`},
		"another version of yarn 2":     {"__metadata:\n  version: 11\n", `2:12: has version 11, and 4 to 10 can be read`},
		"two forms in one":              {"# yarn lockfile v1\n__metadata:\n  version: 8\n", `2:1: is of yarn 2 or later, and the comment above it says that it is of yarn 1`},
		"__metadata later":              {"a@1:\n  version \"1\"\n\n\"__met\\u0061data\":\n", `4:1: holds the key "__metadata", which yarn 1 never writes`},
		"__metadata twice":              {berry("__metadata:\n  version: 8\n"), `3:1: holds the key "__metadata" twice`},
		"a value behind a colon":        {"a@1:\n  version: \"1\"\n", `2:12: holds '"' where the end of the line must stand`},
		"two values on a line":          {"a@1:\n  version \"1\" resolved \"https://evil.test\"\n", `2:15: holds 'r' where the end of the line must stand`},
		"an empty line in an entry":     {"a@1:\n  version \"1\"\n\n  resolved \"https://evil.test\"\n", `4:3: is indented by 2 behind line 2, where yarn never writes that`},
		"a comment in an entry":         {"a@1:\n  version \"1\"\n# x\n  resolved \"https://evil.test\"\n", `4:3: is indented by 2 behind line 2, where yarn never writes that`},
		"odd indentation":               {"a@1:\n   version \"1\"\n", `2:4: is indented by 3 behind line 1, where yarn never writes that`},
		"indented first line":           {"  a@1:\n", `1:3: is indented, and no entry is open`},
		"single quotes":                 {"'a@1':\n  version '1'\n", `1:1: holds '\'' where a text must stand`},
		"a tab":                         {"a@1:\n\tversion \"1\"\n", `2:1: holds a tab, which yarn never writes`},
		"a lone carriage return":        {"# x\ra@1:\n", `1:4: holds a carriage return that ends no line, which yarn never writes`},
		"an escaped quote":              {"\"a\\\"@1\":\n", `1:4: holds an escaped quote, which yarn reads in a way of its own`},
		"an invalid escape":             {"\"a\\x@1\":\n", `1:1: holds a text with an invalid escape`},
		"what yarn takes for true":      {"trueish@1:\n", `1:1: holds a text without quotes that yarn takes for true or false`},
		"an empty key":                  {"\"\":\n", `1:1: holds the key "", which yarn 1 never writes`},
		"key twice":                     {"a@1:\n  version \"1\"\n  resolved \"https://a.test\"\n  \"resol\\u0076ed\" \"https://b.test\"\n", `4:3: holds the key "resolved" twice`},
		"package twice":                 {"a@1:\n  version \"1\"\n\nb@1, a@1:\n  version \"1\"\n", `4:6: names the package "a@1" twice`},
		"document marker":               {"---\na@1:\n", `1:1: holds '-' where the next entry must stand`},
		"second document":               {berry("a@npm:1:" + entry + "---\n"), `6:1: holds '-' where the next entry must stand`},
		"key twice of yarn 2":           {berry("a@npm:1:\n  resolution: \"b@npm:1.0.0\"" + entry), `5:3: holds the key "resolution" twice`},
		"package twice of yarn 2":       {berry("a@npm:1:" + entry + "\"b@npm:a@1, a@npm:1\":\n  resolution: \"a@npm:1.1.0\"\n  linkType: hard\n"), `6:1: names the package "a@npm:1" twice`},
		"resolution twice":              {berry("a@npm:1:" + entry + "a@npm:2:" + entry), `7:15: resolves to "a@npm:1.0.0" twice`},
		"resolution without a name":     {berry("a@npm:1:\n  resolution: \"npm:1.0.0\"\n  linkType: hard\n"), `4:15: holds a resolution that is not name@reference`},
		"resolution with a line end":    {berry("a@npm:1:\n  resolution: \"a@npm:\\n1.0.0\"\n  linkType: hard\n"), `4:15: holds a resolution with a control character`},
		"resolution that is a block":    {berry("a@npm:1:\n  resolution:\n    x: y\n"), `4:14: ends a line where a value must stand`},
		"an anchor":                     {berry("a@npm:1: &x\n  resolution: y\n"), `3:10: holds '&' where a mapping must stand`},
		"an alias":                      {berry("a@npm:1:\n  resolution: *x\n"), `4:15: holds '*' where a value must stand`},
		"a tag":                         {berry("a@npm:1:\n  resolution: !!str x\n"), `4:15: holds '!' where a value must stand`},
		"a text over several lines":     {berry("a@npm:1:\n  resolution: \"a@npm:\n    1.0.0\"\n"), `4:22: ends a line where the end of a quoted text must stand`},
		"a merge key":                   {berry("a@npm:1:\n  <<: {}\n"), `4:3: holds the key "<<", which yarn never writes`},
		"an entry that is a text":       {berry("a@npm:1: b\n"), `3:10: holds 'b' where a mapping must stand`},
		"a key without a colon":         {"a@1\n  version \"1\"\n", `1:4: ends a line where ":" behind a key must stand`},
		"a dependency without a value":  {"a@1:\n  version \"1\"\n  dependencies:\n    b:\n", `4:6: holds ':' where a space behind a key must stand`},
		"a version that begins a token": {"a@1:\n  version 1.0.0\n", `2:11: holds '1' where a text must stand`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseYarn(lockfile.File{Path: "yarn.lock", Data: []byte(c.text)})
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != problem.Usage || !strings.Contains(p.Hint, "yarn install") {
				t.Fatalf("got %#v, want a problem of code Usage with a hint", err)
			}
			if got := p.Op + ": " + p.Err.Error(); got != "yarn.lock:"+c.want {
				t.Errorf("\n got %s\nwant yarn.lock:%s", got, c.want)
			}
		})
	}
}

func TestParseYarnKeepsSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a@1:\n  version \"1\"\n  resolved \"https://me:hunter2@r.test/a.tgz\" x\n",
		"\"a@https://me:hunter2@r.test/a.tgz\", \"a@https://me:hunter2@r.test/a.tgz\":\n",
		"__metadata:\n  version: 8\na@npm:1:\n  resolution: \"a@https://me:hunter2@r.test/a.tgz\"\n  linkType: hard\na@npm:2:\n  resolution: \"a@https://me:hunter2@r.test/a.tgz\"\n  linkType: hard\n",
	} {
		_, err := ParseYarn(lockfile.File{Path: "yarn.lock", Data: []byte(text)})
		var p *problem.Problem
		if !errors.As(err, &p) || strings.Contains(p.Error()+p.Excerpt, "hunter2") {
			t.Errorf("%v\n%s", err, p.Excerpt)
		}
	}
	_, err := ParseYarn(lockfile.File{Path: "yarn.lock", Data: []byte("'topsecret'"), Linked: true})
	var p *problem.Problem
	if !errors.As(err, &p) || strings.Contains(p.Error(), "'") || p.Excerpt != "" {
		t.Errorf("a linked file is quoted: %v", err)
	}
}

func TestParseYarnIsBounded(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range maxPackages {
		fmt.Fprintf(&many, "a%x,", i)
	}
	many.WriteString("a:\n  version \"1\"\n")
	_, err := ParseYarn(lockfile.File{Path: "yarn.lock", Data: []byte(many.String())})
	if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "names more than 500000 packages") {
		t.Errorf("got %v", err)
	}
	deep := "__metadata:\n  version: 8\na@npm:1:\n"
	for i := range 100 {
		deep += strings.Repeat(" ", i+1) + "a:\n"
	}
	_, err = ParseYarn(lockfile.File{Path: "yarn.lock", Data: []byte(deep)})
	if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "nests deeper than 64 levels") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseYarn(f *testing.F) {
	for _, version := range []string{"v1", "v4", "v10"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "npm", "yarn-"+version, "yarn.lock"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:700]) // what is longer takes the fuzzer long
	}
	f.Add([]byte("a@1, \"b@u/b\":\n  version \"1\"\n  resolved \"https://r.test/a.tgz#0\"\n  integrity sha1-x\n  dependencies:\n    c \"https://c.test\"\n"))
	f.Add([]byte("\"@\", \"@a\", \"@@\", \"a@npm:\":\n  version 1\n  resolved \"#\"\n"))
	f.Add([]byte(berryLockOf("a@npm:b@1, @", "@a/b@patch:a@npm%3A1#p::x", "  checksum: /\n  dependencies:\n    b: \"x:y\"\n")))
	f.Add([]byte(berryLockOf("a", "a@npm:1.0.0::__archiveUrl=%2", "  conditions: x\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseYarn(lockfile.File{Path: "yarn.lock", Data: data})
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
		lines := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
		for _, e := range l.Entries {
			for _, at := range []lockfile.Position{e.At, e.IntegrityAt} {
				if at.Line < 1 || at.Line > len(lines) || at.Column < 1 || at.Column > len(lines[at.Line-1]) {
					t.Fatalf("%+v is at no text", e)
				}
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

// bigYarn is a lock file of yarn 1, or of the given version of yarn 2 and later.
func bigYarn(version, packages int) []byte {
	var b strings.Builder
	if version == 1 {
		b.WriteString("# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n\n")
		for i := range packages {
			fmt.Fprintf(&b, "\npackage-%d@^1.0.0, package-%d@^1.2.%d:\n  version \"1.2.%d\"\n  resolved \"https://registry.example.test/package-%d/-/package-%d-1.2.%d.tgz#%040x\"\n  integrity %s\n"+
				"  dependencies:\n    another-package \"^1.0.0\"\n    yet-another \"^2.3.4\"\n", i, i, i, i, i, i, i, i, probeIntegrity)
		}
		return []byte(b.String())
	}
	fmt.Fprintf(&b, "# This file is generated by running \"yarn install\" inside your project.\n\n__metadata:\n  version: %d\n  cacheKey: 10c0\n", version)
	for i := range packages {
		fmt.Fprintf(&b, "\n\"package-%d@npm:^1.0.0, package-%d@npm:^1.2.%d\":\n  version: 1.2.%d\n  resolution: \"package-%d@npm:1.2.%d\"\n"+
			"  dependencies:\n    another-package: \"npm:^1.0.0\"\n    yet-another: \"npm:^2.3.4\"\n  checksum: 10c0/%0128x\n  languageName: node\n  linkType: hard\n", i, i, i, i, i, i, i)
	}
	return []byte(b.String())
}

func BenchmarkParseYarn(b *testing.B) {
	for _, version := range []int{1, 10} {
		for _, n := range []int{10_000, 50_000} {
			b.Run(fmt.Sprintf("v%d/%d", version, n), func(b *testing.B) {
				file := lockfile.File{Path: "yarn.lock", Data: bigYarn(version, n)}
				b.SetBytes(int64(len(file.Data)))
				b.ReportAllocs()
				for b.Loop() {
					if l, err := ParseYarn(file); err != nil || len(l.Entries) != n {
						b.Fatal(len(l.Entries), err)
					}
				}
			})
		}
	}
}
