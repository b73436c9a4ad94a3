package npm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A repository's .corepack.env decides where corepack gets a package manager from, and whether it looks at signatures.
func TestCorepackSettings(t *testing.T) {
	t.Parallel()
	engine := settingsEngine(t)
	const name = ".corepack.env"
	files := map[string]string{"package.json": "{}", name: "COREPACK_NPM_REGISTRY=https://a.test # mirror\nexport COREPACK_INTEGRITY_KEYS=0\nCOREPACK_NPM_TOKEN='hunter2'\nCOREPACK_ENABLE_UNSAFE_CUSTOM_URLS=1\nCOREPACK_HOME=/w/x\nPATH=/x\n"}
	got := judgedSettings(t, engine, files, nil)
	want := []string{
		"error NPM003 .corepack.env:2:32 COREPACK_INTEGRITY_KEYS in .corepack.env lets corepack run package managers that the registry's own keys have not signed",
		"error NPM003 .corepack.env:5:15 COREPACK_HOME in .corepack.env has corepack run what lies in another directory, unverified",
		"warning NPM001 .corepack.env:1:23 COREPACK_NPM_REGISTRY in .corepack.env is a.test, which is named by the checkout and in no list of trusted hosts",
		"warning NPM001 .corepack.env:3:20 COREPACK_NPM_TOKEN in .corepack.env holds a secret that everybody who can read the repository has",
		"warning NPM003 .corepack.env:4:36 COREPACK_ENABLE_UNSAFE_CUSTOM_URLS in .corepack.env lets packageManager name an address",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	files[name] = "COREPACK_NPM_REGISTRY=https://registry.npmmirror.com\nCOREPACK_DEFAULT_TO_LATEST=0\nCOREPACK_ENABLE_UNSAFE_CUSTOM_URLS=0\n"
	if got := judgedSettings(t, engine, files, nil); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if got := judgedSettings(t, engine, map[string]string{name: "COREPACK_NPM_REGISTRY=https://a.test"}, map[string]string{}); len(got) != 1 || !strings.HasPrefix(got[0], "error NPM001 ") {
		t.Errorf("by a change: %q", got)
	}
}

// What Node 20.20 makes of these is written next to them.
func TestEnvLeaves(t *testing.T) {
	t.Parallel()
	got := []string{}
	for _, l := range envLeaves("A=1 # c\nB= \"x # y\" # z\r\nexport C=3\nD=\"a\nb\"\nE=`q`\nF=a=b\n G = h \nH=\"unclosed\nI=2\nJ=\nK='s'x\n#L=1\nM=1#c\nN\nO='", "x") {
		got = append(got, fmt.Sprintf("%d:%d %s=%q", l.at.Line, l.at.Column, l.name(), l.text))
	}
	want := []string{`1:3 A="1"`, `2:4 B="x # y"`, `3:10 C="3"`, `4:3 D="a\nb"`, "6:3 E=\"q\"", `7:3 F="a=b"`, `8:6 G="h"`, `9:3 H="\"unclosed"`, `10:3 I="2"`, `11:2 J=""`, `12:3 K="s"`, `14:3 M="1"`, `16:3 O="'"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzEnvLeaves(f *testing.F) {
	f.Add("A=1\nexport B='x\ny' # z\n#\n=\nC=\"")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for _, l := range envLeaves(text, "x") {
			if l.at.Line < 1 || l.at.Line > len(lines) || l.at.Column < 1 || l.at.Column > len(lines[l.at.Line-1]) {
				t.Fatalf("%+v is at no text of %q", l, text)
			}
		}
	})
}
