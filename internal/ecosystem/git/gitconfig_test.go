package git

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/toolfile"
)

// configs are files that git reads, and some that it refuses.
var configs = []string{
	"",
	"[core]\n\tbare = true\n",
	"[core] bare ; a comment\n[Core]fileMode=no\r\n",
	"[submodule \"a/b.c\"]\n\tpath = a\n\turl = \"https://a.test/x # y\" # z\n",
	"[URL \"HTTPS://A.test/\\\"q\\\\\\z\"]\ninsteadOf = https://b.test/\n",
	"[a.B.c]\nD-e1 = x\\ty\\\"z\\\\\\n\\b\n",
	"[a]\nb = one \\\n  two   \\\n\tthree  ; no\nc = \"quoted ; #  \"  tail  \n",
	"[a]\nb = x \\",
	"[a]\nb",
	"[a]\nb\n=1",
	"[a]b=1[c]d=2\n",
	"\xef\xbb\xbf[a]\nb=1\n",
	"\xef\xbb[a]\nb=1\n",
	"\xef",
	"# [x]\n;y\n   \r\n[a]\r\nb = 1\r\n",
	"[a]\nb = 1\rc\nd=2\r",
	"[a]\r[b]x=1",
	"[a",
	"[a\n]",
	"[]\nb=1",
	"[ ]\nb=1",
	"[a  \"b\"]c=1",
	"[a \"\"]c=1",
	"[a \"b\" ]c=1",
	"[a \"b\nc\"]d=1",
	"[a \"b\\\nc\"]d=1",
	"[a b]c=1",
	"[a_b]c=1",
	"b=1\n[a]c=1",
	"[a]\n1b=1",
	"[a]\nb c",
	"[a]\nb\r=1",
	"[a]\nb = \"x\ny",
	"[a]\nb = \"x\\\ny\"",
	"[a]\nb = x\\qy",
	"[a]\nb = x\\",
	"[a]\nb = \"\" x \"\" ",
	"[a]\nb = = ;",
	"[a.]\nb=1",
	"[.a]\nb=1",
	"[a.b \"c.d\"]\ne.f=1",
	"[a.b \"C.d\"]\ne=1",
	"[a]\nb=\n\nc=\\\n\n",
	"[include]\n path = x\n[includeIf \"gitdir:/x/\"]path=y",
	"[a]\nb=\xff\xfe",
	"[\"a\"]b=1",
}

// gitList is what git makes of a file, as key=value with a line end behind it; false where it refuses it.
func gitList(t testing.TB, dir, text string) (string, bool) {
	t.Helper()
	file := filepath.Join(dir, "config")
	write(t, file, text)
	cmd := exec.Command("git", "config", "--file", file, "--no-includes", "--list", "-z")
	cmd.Dir = dir
	cmd.Env = environ("GIT_CONFIG_NOSYSTEM=1", "HOME="+dir, "GIT_DIR="+dir, "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if !strings.Contains(errs.String(), "bad config") {
			t.Fatalf("%q: %v: %s", text, err, errs.String())
		}
		return "", false
	}
	return out.String(), true
}

// ours writes what parseConfig found as git config --list -z does.
func ours(found []variable) string {
	var b strings.Builder
	for _, v := range found {
		b.WriteString(v.key)
		if !v.bare {
			b.WriteString("\n" + v.value)
		}
		b.WriteByte(0)
	}
	return b.String()
}

// git itself reads the same of each file, and refuses the same ones.
func TestParseConfigAsGit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, text := range configs {
		want, ok := gitList(t, dir, text)
		found, err := parseConfig(lockfile.File{Path: "config", Data: []byte(text)})
		if ok != (err == nil) {
			t.Errorf("%q: git reads it: %t; we: %v", text, ok, err)
			continue
		}
		// git before 2.45 makes a space of white space within a value
		plain := strings.NewReplacer("\t", " ", "\r", " ").Replace
		if diff := cmp.Diff(plain(want), plain(ours(found))); ok && diff != "" {
			t.Errorf("%q: -git +we:\n%s", text, diff)
		}
	}
}

func TestParseConfigPlaces(t *testing.T) {
	t.Parallel()
	found, err := parseConfig(lockfile.File{Path: "f", Data: []byte("# x\n[url \"https://a.test/\"]\r\n\tinsteadOf =  \"gh:\"\n\n[core]bare\n[a]\nb = \\\n c\nd=e")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range found {
		got = append(got, v.key+"="+v.value+" "+spot(v.at)+" "+spot(v.header))
	}
	want := []string{"url.https://a.test/.insteadof=gh: 3:15 2:7", "core.bare= 5:7 5:1", "a.b=c 7:5 6:1", "a.d=e 9:3 6:1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"[a]\n  b c":          "f:2:5: ",
		"[a]\nb = \"x\ny":     "f:2:7: ",
		"[a \"b\"] ?":         "f:1:9: ",
		"[a]\nb = x\n[c":      "f:3:2: ",
		"[a]\nb = 1 \\\n\\q=": "f:3:2: ",
	} {
		_, err := parseConfig(lockfile.File{Path: "f", Data: []byte(text)})
		if err == nil || !strings.HasPrefix(err.Error(), want) || problem.CodeOf(err) != problem.Usage {
			t.Errorf("%q: %v, want it at %s", text, err, want)
		}
	}
	many := []byte("[a]\n" + strings.Repeat("b\n", toolfile.MaxVariables+1))
	if _, err := parseConfig(lockfile.File{Path: "f", Data: many}); err == nil || !strings.Contains(err.Error(), "more than 100000 variables") {
		t.Errorf("%d variables: %v", toolfile.MaxVariables+1, err)
	}
}

func spot(at lockfile.Position) string {
	return strconv.Itoa(at.Line) + ":" + strconv.Itoa(at.Column)
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"true": "on", "YES": "on", "On": "on", "1": "on", "-1": "on", "0x1": "on", "2k": "on",
		"": "off", "false": "off", "No": "off", "OFF": "off", "0": "off", "00": "off", "0k": "off",
		"maybe": "none", "1kk": "none", "k": "none", "truE ": "none",
	} {
		on, ok := variable{value: value}.on()
		if got := map[bool]string{true: "on", false: "off"}[on]; ok && got != want || ok == (want == "none") {
			t.Errorf("%q: %t, %t, want %s", value, on, ok, want)
		}
	}
	if on, ok := (variable{bare: true}).on(); !on || !ok {
		t.Error("a variable without a value is off")
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, text := range configs {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseConfig(lockfile.File{Path: "f", Data: []byte(text)})
		if err != nil {
			if problem.CodeOf(err) != problem.Usage || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		lines := strings.Split(text, "\n")
		for _, v := range found {
			for _, at := range []lockfile.Position{v.at, v.header} {
				if at == (lockfile.Position{File: "f"}) && v.section == "" { // before the first section
					continue
				}
				if at.Line < 1 || at.Line > len(lines) || at.Column < 1 || at.Column > len(lines[at.Line-1]) {
					t.Errorf("%q: %q stands at %+v", text, v.key, at)
				}
			}
			if strings.ContainsRune(v.value, 0) || strings.ToLower(v.section) != v.section {
				t.Errorf("%q: %+v", text, v)
			}
		}
	})
}
