package npm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bun takes variables from the .env files beside its lock file, those that send it to another registry or let any content in
// among them.
func TestBunVariables(t *testing.T) {
	t.Parallel()
	engine := settingsEngine(t)
	const text = "SECRET=x\nBUN_CONFIG_REGISTRY=https://a.test/ # mirror\nexport HTTPS_PROXY='http://u:hunter2@p.test:1'\n" +
		"NODE_TLS_REJECT_UNAUTHORIZED=0\nBUN_CONFIG_NO_VERIFY=1\nBUN_CONFIG_TOKEN: hunter2\nnpm_config_registry=$X\n"
	files := map[string]string{"package.json": "{}", "bun.lock": `{"lockfileVersion":1}`, ".env": text}
	want := []string{
		"error NPM001 .env:4:30 NODE_TLS_REJECT_UNAUTHORIZED in .env switches TLS verification off",
		"error NPM003 .env:5:22 BUN_CONFIG_NO_VERIFY in .env lets packages in that are not what was locked",
		"warning NPM001 .env:2:21 BUN_CONFIG_REGISTRY in .env is a.test, which is named by the checkout and in no list of trusted hosts",
		"warning NPM001 .env:3:20 HTTPS_PROXY in .env decides whom its tool trusts or asks on the way",
		"warning NPM001 .env:6:19 BUN_CONFIG_TOKEN in .env holds a secret that everybody who can read the repository has",
		"warning NPM001 .env:7:21 npm_config_registry in .env cannot be judged: holds a variable, which is not expanded here",
	}
	if diff := cmp.Diff(want, judgedSettings(t, engine, files, nil)); diff != "" {
		t.Error(diff)
	}
	for _, name := range envNames[1:] {
		files := map[string]string{"w/bunfig.toml": "", "w/" + name: "BUN_CONFIG_REGISTRY=https://a.test/"}
		if got := judgedSettings(t, engine, files, map[string]string{}); len(got) != 1 || !strings.HasPrefix(got[0], "error NPM001 w/"+name+":1:21 ") {
			t.Errorf("%s, by a change: %q", name, got)
		}
	}
	for _, files := range []map[string]string{
		{"package-lock.json": "{}", ".env": text},
		{"w/bun.lock": `{"lockfileVersion":1}`, ".env": text},
		{"bun.lock": `{"lockfileVersion":1}`, ".env": "HTTPS_PROXY=\nNODE_TLS_REJECT_UNAUTHORIZED=1\nBUN_CONFIG_NO_VERIFY=false\nREGISTRY=https://a.test/\n"},
	} {
		if got := judgedSettings(t, engine, files, nil); len(got) > 0 {
			t.Errorf("%v: %q", files, got)
		}
	}
}

// All of these send bun 1.4.5 to the address, but for the last three.
func TestBunEnvLeaves(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"export R=x":      "1:10 R=x",
		"\ufeffR = \"x\"": "1:8 R=x",
		"R: x":            "1:4 R=x",
		"R=`x` # y":       "1:3 R=x",
		"A\rR=x":          "1:5 R=x",
		"export\tR=x":     "1:10 R=x",
		"R=":              "1:2 R=",
		"R='x":            "1:3 R=x",
		"#R=x":            "1:4 #R=x",
	} {
		var got []string
		for _, l := range bunEnvLeaves(text, "x") {
			got = append(got, fmt.Sprintf("%d:%d %s=%s", l.at.Line, l.at.Column, l.name(), l.text))
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func FuzzBunEnvLeaves(f *testing.F) {
	f.Add("A=1\nexport B='x\r\ny' # z\n#\n:\nC=\"")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for _, l := range bunEnvLeaves(text, "x") {
			if l.at.Line < 1 || l.at.Line > len(lines) || l.at.Column < 1 || l.at.Column > len(lines[l.at.Line-1]) {
				t.Fatalf("%+v is at no text of %q", l, text)
			}
		}
	})
}
