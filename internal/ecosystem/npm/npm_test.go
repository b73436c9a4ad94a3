package npm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const official = "https://official.test"

// write lays out files below a new directory, and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func checkout(t *testing.T, files map[string]string) *lockfile.Checkout {
	t.Helper()
	co, err := lockfile.Open(write(t, files), "", Names()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { co.Close() })
	return co
}

// machine has the given environment and a default registry stamped in.
func machine(environ ...string) ecosystem.Machine {
	return ecosystem.Machine{OS: runtime.GOOS, Mirrors: catalogue.Of(source.NPM, nil), Environ: environ, Stamped: official, Lookup: func(name string) (string, bool) {
		for _, pair := range environ {
			if k, v, _ := strings.Cut(pair, "="); k == name {
				return v, true
			}
		}
		return "", false
	}}
}

func open(t *testing.T, m ecosystem.Machine, files map[string]string) *ecosystem.Ecosystem {
	t.Helper()
	e, err := New(m, checkout(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fakeNPM is a PATH entry with an npm as its package is laid out, with that default registry.
func fakeNPM(t *testing.T, definition string) (bin, prefix string) {
	t.Helper()
	prefix = write(t, map[string]string{
		"lib/node_modules/npm/bin/npm-cli.js":                                             "",
		"lib/node_modules/npm/node_modules/@npmcli/config/lib/definitions/definitions.js": definition,
		"bin/node": "",
	})
	bin = filepath.Join(prefix, "bin")
	if err := os.Chmod(filepath.Join(prefix, "lib/node_modules/npm/bin/npm-cli.js"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../lib/node_modules/npm/bin/npm-cli.js", filepath.Join(bin, "npm")); err != nil {
		t.Fatal(err)
	}
	return bin, prefix
}

const definition = "  registry: new Definition('registry', {\n    default: 'https://built-in.test/',\n    type: url,\n"

func TestOfficialRegistry(t *testing.T) {
	t.Parallel()
	bin, prefix := fakeNPM(t, definition)
	other, _ := fakeNPM(t, "  registry: new Definition('registry', {\n    default: 'javascript:x',\n")
	dir := t.TempDir()
	for name, c := range map[string]struct {
		path, dir, official, stamped, want string
	}{
		"asked of npm":                  {bin, dir, "", official, "https://built-in.test"},
		"the user's word":               {bin, dir, "https://mine.test/", official, "https://mine.test"},
		"no npm":                        {dir, dir, "", official, official},
		"an npm that says nothing":      {other, dir, "", official, official},
		"nobody knows":                  {"", dir, "", "", ""},
		"relative directories":          {"bin", dir, "", official, official},
		"an npm of the checkout":        {bin, prefix, "", official, official},
		"the first that can be trusted": {"." + string(filepath.ListSeparator) + bin, dir, "", "", "https://built-in.test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine("PATH=" + c.path)
			m.Official, m.Stamped = c.official, c.stamped
			if got := OfficialRegistry(m, c.dir); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// settingLines are the settings of a policy's input in one line each.
func settingLines(e *ecosystem.Ecosystem, after *choose.Choice) []string {
	var in decide.Input
	e.Fill(&in, after)
	var out []string
	for _, s := range in.Settings {
		from := filepath.ToSlash(s.From)
		if filepath.IsAbs(s.From) {
			from = "/…/" + filepath.Base(s.From)
		}
		line := fmt.Sprintf("%s=%s %s %s", s.Name, s.Value, s.Origin, from)
		if s.Line > 0 {
			line += fmt.Sprintf(":%d:%d", s.Line, s.Column)
		}
		if s.Place != nil {
			line += " [" + s.Place.Host + s.Place.Broken + "]"
		}
		out = append(out, line)
	}
	return out
}

func TestSettings(t *testing.T) {
	t.Parallel()
	home := write(t, map[string]string{
		".npmrc":       "registry=https://user.test/${TEAM}/\nstrict-ssl=false\n//user.test/:_authToken=s3cret\n",
		"other":        "cafile=/etc/other.pem\nprefix=" + "~/here" + "\n",
		"here/etc/rc":  "",
		"variable":     "registry=https://${NOT_SET}/\n",
		"utf16":        "r\x00e\x00",
		"ini/etc/rc":   "",
		"global/npmrc": "proxy=http://u:s3cret@proxy.test:3128\nregistry=https://global.test/\n",
	})
	inEnv := func(extra ...string) []string { return append([]string{"HOME=" + home, "TEAM=core"}, extra...) }
	const root = "registry=https://project.test/\n"
	for name, c := range map[string]struct {
		environ []string
		repo    bool
		files   map[string]string
		want    []string
	}{
		"nothing set":                {nil, false, nil, []string{"registry=https://official.test builtin npm's own default [official.test]"}},
		"the user's file":            {inEnv(), false, nil, []string{"registry=https://user.test/core/ runner /…/.npmrc:1:10 [user.test]", "strict-ssl=false runner /…/.npmrc:2:12"}},
		"userconfig names another":   {inEnv("NPM_CONFIG_USERCONFIG=~/other"), false, nil, []string{"cafile=/etc/other.pem runner /…/other:1:8", "registry=https://official.test builtin npm's own default [official.test]"}},
		"a variable that is not set": {inEnv("npm_config_userconfig=~/variable"), false, nil, []string{"registry=https://${NOT_SET}/ runner /…/variable:1:10 [holds a variable that is not set]"}},
		"global under user":          {inEnv("npm_config_globalconfig=~/global/npmrc"), false, nil, []string{"registry=https://user.test/core/ runner /…/.npmrc:1:10 [user.test]", "strict-ssl=false runner /…/.npmrc:2:12", "proxy=http://***@proxy.test:3128 runner /…/npmrc:1:7 [proxy.test]"}},
		"the project beats the user": {inEnv(), false, map[string]string{".npmrc": root}, []string{"registry=https://project.test/ checkout .npmrc:1:10 [project.test]", "strict-ssl=false runner /…/.npmrc:2:12"}},
		"the environment beats all":  {inEnv("npm_config_registry=https://env.test/", "npm_config_strict_ssl=1"), false, map[string]string{".npmrc": root}, []string{"registry=https://env.test/ runner npm_config_registry [env.test]", "strict-ssl=true runner npm_config_strict_ssl", "registry=https://project.test/ checkout .npmrc:1:10 [project.test]"}},
		"of two spellings the last":  {[]string{"NPM_CONFIG_REGISTRY=https://upper.test/", "npm_config_registry=https://lower.test/"}, false, nil, []string{"registry=https://lower.test/ runner npm_config_registry [lower.test]"}},
		"any spelling":               {[]string{"Npm_Config_Strict_Ssl=0x0"}, false, nil, []string{"strict-ssl=false runner Npm_Config_Strict_Ssl", "registry=https://official.test builtin npm's own default [official.test]"}},
		"empty is not set":           {[]string{"npm_config_registry="}, false, nil, []string{"registry=https://official.test builtin npm's own default [official.test]"}},
		"a scope in the environment": {[]string{"npm_config_@corp:registry=https://corp.test"}, false, nil, []string{"@corp:registry=https://corp.test runner npm_config_@corp:registry [corp.test]", "registry=https://official.test builtin npm's own default [official.test]"}},
		"node's own":                 {[]string{"NODE_TLS_REJECT_UNAUTHORIZED=0", "NODE_EXTRA_CA_CERTS=/ca.pem"}, false, nil, []string{"NODE_TLS_REJECT_UNAUTHORIZED=0 runner NODE_TLS_REJECT_UNAUTHORIZED", "NODE_EXTRA_CA_CERTS=/ca.pem runner NODE_EXTRA_CA_CERTS", "registry=https://official.test builtin npm's own default [official.test]"}},
		"the repository alone":       {inEnv("npm_config_registry=https://env.test/", "NODE_TLS_REJECT_UNAUTHORIZED=0"), true, map[string]string{".npmrc": "strict-ssl=false"}, []string{"strict-ssl=false checkout .npmrc:1:12", "registry=https://official.test builtin npm's own default [official.test]"}},
		"no variable of the checkout's": {inEnv(), false, map[string]string{".npmrc": "registry=https://${TEAM}.test/\n"}, []string{
			"registry=https://${TEAM}.test/ checkout .npmrc:1:10 [holds a variable, which is not expanded here]", "strict-ssl=false runner /…/.npmrc:2:12"}},
		"a name behind a variable": {nil, false, map[string]string{".npmrc": "${NOPE?}registry=https://evil.test/\n${X}=https://evil.test/\n@${S}:registry=https://s.test\n"}, []string{
			"registry=https://evil.test/ checkout .npmrc:1:18 [is set under a name that holds a variable, which is not expanded here]",
			"registry=https://evil.test/ checkout .npmrc:2:6 [is set under a name that holds a variable, which is not expanded here]",
			"@:registry=https://s.test checkout .npmrc:3:16 [is set under a name that holds a variable, which is not expanded here]"}},
		"a line does not hide what a variable makes of another": {nil, false, map[string]string{".npmrc": "registry=https://one.test\n${N?}registry=https://evil.test/\nregistry=https://two.test\n"}, []string{
			"registry=https://evil.test/ checkout .npmrc:2:15 [is set under a name that holds a variable, which is not expanded here]",
			"registry=https://two.test checkout .npmrc:3:10 [two.test]"}},
		"the last line counts":       {nil, false, map[string]string{".npmrc": "registry=https://one.test\nregistry=https://two.test\n"}, []string{"registry=https://two.test checkout .npmrc:2:10 [two.test]"}},
		"all of a list count":        {nil, false, map[string]string{".npmrc": "registry[]=https://one.test\nregistry[]=https://two.test\n"}, []string{"registry=https://one.test checkout .npmrc:1:12 [one.test]", "registry=https://two.test checkout .npmrc:2:12 [two.test]"}},
		"userinfo is masked":         {nil, false, map[string]string{".npmrc": "registry=https://me:s3cret@r.test/\n"}, []string{"registry=https://***@r.test/ checkout .npmrc:1:10 [r.test]"}},
		"an address that is none":    {nil, false, map[string]string{".npmrc": "registry=r.test\n"}, []string{"registry=r.test checkout .npmrc:1:10 [address has no scheme]"}},
		"proxies, switched off too":  {nil, false, map[string]string{".npmrc": "https-proxy=null\nproxy=http://p.test:1\nnoproxy=a,b\n"}, []string{"https-proxy=null checkout .npmrc:1:13", "proxy=http://p.test:1 checkout .npmrc:2:7 [p.test]", "noproxy=a,b checkout .npmrc:3:9", "registry=https://official.test builtin npm's own default [official.test]"}},
		"a certificate is not shown": {nil, false, map[string]string{".npmrc": `ca="-----BEGIN CERTIFICATE-----\nXX"`}, []string{"ca=a certificate checkout .npmrc:1:4", "registry=https://official.test builtin npm's own default [official.test]"}},
		"a file below": {nil, false, map[string]string{"sub/.npmrc": "registry=https://sub.test/", "sub/package.json": "{}", "docs/.npmrc": "registry=https://docs.test/"}, []string{
			"registry=https://sub.test/ checkout sub/.npmrc:1:10 [sub.test]", "registry=https://official.test builtin npm's own default [official.test]"}},
		"a project's userconfig is followed": {nil, false, map[string]string{".npmrc": "userconfig=conf/rc", "conf/rc": "registry=https://evil.test/"}, []string{
			"userconfig=conf/rc checkout .npmrc:1:12", "registry=https://evil.test/ checkout conf/rc:1:10 [evil.test]"}},
		"a project's prefix is followed": {nil, false, map[string]string{".npmrc": "prefix=./x", "x/etc/npmrc": "strict-ssl=0"}, []string{
			"prefix=./x checkout .npmrc:1:8", "strict-ssl=false checkout x/etc/npmrc:1:12", "registry=https://official.test builtin npm's own default [official.test]"}},
		"a project's file elsewhere is not": {inEnv(), true, map[string]string{".npmrc": "userconfig=~/other"}, []string{
			"userconfig=~/other checkout .npmrc:1:12 [is in the home directory]", "registry=https://official.test builtin npm's own default [official.test]"}},
		"a user file that is no text": {inEnv("npm_config_userconfig=~/utf16"), false, nil, []string{"registry=https://official.test builtin npm's own default [official.test]"}},
		"no file at all":              {inEnv("npm_config_userconfig=~/none"), false, nil, []string{"registry=https://official.test builtin npm's own default [official.test]"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(c.environ...)
			m.RepoOnly = c.repo
			if diff := cmp.Diff(c.want, settingLines(open(t, m, c.files), nil)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A file of the checkout that sends npm to another file is either followed or at fault. DIR stands for the checkout.
func TestRedirects(t *testing.T) {
	t.Parallel()
	const evil = "registry=https://evil.test/\n"
	for name, c := range map[string]struct {
		files   map[string]string
		environ string
		want    []string
	}{
		"relative":                    {map[string]string{".npmrc": "userconfig=e", "e": evil}, "", []string{"userconfig=e", "registry=https://evil.test/ e"}},
		"absolute, inside":            {map[string]string{".npmrc": "globalconfig=DIR/e", "e": evil}, "", []string{"globalconfig=DIR/e", "registry=https://evil.test/ e"}},
		"a prefix of nothing":         {map[string]string{".npmrc": "prefix=", "etc/npmrc": evil}, "", []string{"prefix=", "registry=https://evil.test/ etc/npmrc"}},
		"out and in again":            {map[string]string{".npmrc": "prefix=DIR/../001", "etc/npmrc": evil}, "", []string{"prefix=DIR/../001", "registry=https://evil.test/ etc/npmrc"}},
		"one after another":           {map[string]string{".npmrc": "userconfig=a", "a": "globalconfig=b\nuserconfig=a", "b": evil}, "", []string{"userconfig=a", "globalconfig=b", "registry=https://evil.test/ b", "userconfig=a"}},
		"one after another and out":   {map[string]string{".npmrc": "userconfig=a", "a": "prefix=/usr"}, "", []string{"userconfig=a", "prefix=/usr: is outside of the checkout"}},
		"absolute, outside":           {map[string]string{".npmrc": "userconfig=/tmp/e"}, "", []string{"userconfig=/tmp/e: is outside of the checkout"}},
		"relative, outside":           {map[string]string{".npmrc": "userconfig=../e"}, "", []string{"userconfig=../e: is outside of the checkout"}},
		"home":                        {map[string]string{".npmrc": "prefix=~/e/../../tmp"}, "", []string{"prefix=~/e/../../tmp: is in the home directory"}},
		"a variable":                  {map[string]string{".npmrc": "userconfig=${PWD}/e", "e": evil}, "", []string{"userconfig=${PWD}/e: holds a variable, which is not expanded here"}},
		"a name with a variable":      {map[string]string{".npmrc": "${A?}userconfig=/tmp/e\nregistry=https://official.test"}, "", []string{"registry=/tmp/e .npmrc: is set under a name that holds a variable, which is not expanded here", "registry=https://official.test .npmrc"}},
		"a file that is not there":    {map[string]string{".npmrc": "userconfig=node_modules/x/rc"}, "", []string{"userconfig=node_modules/x/rc: does not exist"}},
		"the last line counts":        {map[string]string{".npmrc": "userconfig=/tmp/e\nuserconfig=e", "e": ""}, "", []string{"userconfig=e"}},
		"from a package's directory":  {map[string]string{".npmrc": "userconfig=e", "e": "", "ws/package.json": "{}", "ws/e": evil}, "", []string{"userconfig=e", "registry=https://evil.test/ ws/e"}},
		"of a package below":          {map[string]string{"ws/package.json": "{}", "ws/.npmrc": "userconfig=e", "ws/e": evil, "e": ""}, "", []string{"userconfig=e", "registry=https://evil.test/ ws/e"}},
		"of a package below, outside": {map[string]string{"ws/package.json": "{}", "ws/.npmrc": "userconfig=/tmp/e"}, "", []string{"userconfig=/tmp/e: is outside of the checkout"}},
		"the machine's, in here":      {map[string]string{"rc": "globalconfig=/tmp/e"}, "npm_config_userconfig=rc", []string{"globalconfig=/tmp/e: is outside of the checkout"}},
		"the machine's own":           {nil, "npm_config_globalconfig=/nowhere", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "001")
			for file, text := range c.files {
				full := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(full, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			co, err := lockfile.Open(dir, "", Names()...)
			if err != nil {
				t.Fatal(err)
			}
			defer co.Close()
			e, err := New(machine(c.environ), co)
			if err != nil {
				t.Fatal(err)
			}
			var in decide.Input
			e.Fill(&in, nil)
			var got []string
			for _, s := range in.Settings {
				if s.Origin != source.Checkout {
					continue
				}
				line := s.Name + "=" + strings.ReplaceAll(s.Value, dir, "DIR")
				if !slices.Contains(redirects, s.Name) {
					line += " " + s.From
				}
				if s.Place != nil && s.Place.Broken != "" {
					line += ": " + s.Place.Broken
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if unread := strings.Contains(strings.Join(got, "\n"), ": "); unread && e.Frozen == "" {
				t.Error("settings that are not known are overruled")
			}
		})
	}
}

// What an .npmrc of the checkout may make us do is bounded.
func TestSettingsAreBounded(t *testing.T) {
	t.Parallel()
	many := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < 1_000_000; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, c := range map[string]struct{ text, want string }{
		"scopes":     {many("@%x:registry=https://r.test\n"), ".npmrc:1001:15: holds more than 1000 settings of registries and connections"},
		"a list":     {strings.Repeat("registry[]=x\n", 1001), ".npmrc:1001:12: holds more than 1000 settings"},
		"irrelevant": {many("x%d\n"), ""},
		"one scope":  {strings.Repeat("@x:registry=https://r.test\n", 30_000), ""},
		"nested":     {strings.Repeat("'"+strings.Repeat("[", 9000)+"1"+strings.Repeat("]", 9000)+"'=1\n", 50), ""},
		"long":       {"registry=https://" + strings.Repeat("a:b", 300_000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			co := checkout(t, map[string]string{".npmrc": c.text})
			e, err := New(machine(), co)
			if (err == nil) != (c.want == "") || err != nil && (problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if err == nil {
				for _, s := range settingLines(e, nil) {
					if len(s) > 1000 {
						t.Errorf("a setting takes %d bytes", len(s))
					}
				}
			}
		})
	}
}

// A megabyte of settings takes some 0.03 s.
func BenchmarkSettings(b *testing.B) {
	var scopes strings.Builder
	for i := 0; scopes.Len() < maxRC-100; i++ {
		fmt.Fprintf(&scopes, "@%x:registry=https://r.test\n", i)
	}
	for name, text := range map[string]string{
		"scopes": scopes.String(),
		"nested": strings.Repeat("'"+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+"'=1\n", 55),
	} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, rcName), []byte(text), 0o644); err != nil {
				b.Fatal(err)
			}
			co, err := lockfile.Open(dir, "", Names()...)
			if err != nil {
				b.Fatal(err)
			}
			defer co.Close()
			for b.Loop() {
				readSettings(machine(), co, true)
			}
		})
	}
}

func TestRedirectsAreBounded(t *testing.T) {
	t.Parallel()
	files := map[string]string{".npmrc": "userconfig=e", "e": ""}
	for i := range maxSent + 1 {
		files[fmt.Sprintf("p%d/package.json", i)] = "{}"
	}
	got := settingLines(open(t, machine(), files), nil)
	if want := "userconfig=e checkout .npmrc:1:12 [is one of more than 1000]"; got[0] != want {
		t.Errorf("got %s, want %s", got[0], want)
	}
}

// What only a stranger's file names is no output of ours, and an output is canonical.
func TestEffective(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ environ, rc, want string }{
		"npm's own":           {"", "", "https://official.test"},
		"the runner's":        {"npm_config_registry=HTTPS://me:s3cret@Corp.Test:443/npm/?token=x", "", "https://corp.test/npm"},
		"a mirror":            {"", "registry=https://REGISTRY.npmmirror.com./", "https://registry.npmmirror.com"},
		"the checkout's":      {"", "registry=https://corp.test/npm", ""},
		"one with a password": {"", "registry=https://me:s3cret@official.test/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, machine(c.environ), map[string]string{".npmrc": c.rc})
			if got, ok := e.Effective["registry"]; got != c.want || ok != (c.want != "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestGlobalAndBuiltinFiles(t *testing.T) {
	t.Parallel()
	bin, prefix := fakeNPM(t, definition)
	for name, text := range map[string]string{"etc/npmrc": "noproxy=global\nca=x\n", "lib/node_modules/npm/npmrc": "noproxy=builtin\nstrict-ssl=false\n"} {
		full := filepath.Join(prefix, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e := open(t, machine("PATH="+bin), nil)
	want := []string{"noproxy=global runner /…/npmrc:1:9", "ca=x runner /…/npmrc:2:4", "strict-ssl=false runner /…/npmrc:2:12",
		"registry=https://built-in.test builtin npm's own default [built-in.test]"}
	if diff := cmp.Diff(want, settingLines(e, nil)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !e.Installed || e.Present {
		t.Errorf("installed %v, present %v", e.Installed, e.Present)
	}
}

const lock = `{"lockfileVersion":3,"packages":{"node_modules/is-number":{"version":"7.0.0","resolved":"https://official.test/is-number/-/is-number-7.0.0.tgz","integrity":"` + probeIntegrity + `"}}}`

func TestFrozenAndGuarded(t *testing.T) {
	t.Parallel()
	home := write(t, map[string]string{".npmrc": "registry=https://corp.test/\n", "scope": "@corp:registry=https://corp.test/\n"})
	for name, c := range map[string]struct {
		environ         []string
		files           map[string]string
		id              string
		frozen, guarded string
	}{
		"all is npm's own":         {nil, map[string]string{"package-lock.json": lock}, "official", "", ""},
		"a mirror of the list":     {nil, map[string]string{"package-lock.json": lock, ".npmrc": "registry=https://registry.npmmirror.com/"}, "registry.npmmirror.com", "", ""},
		"the official by name":     {nil, map[string]string{"package-lock.json": lock, ".npmrc": "registry=HTTPS://Official.Test:443"}, "official", "", ""},
		"a project's own":          {nil, map[string]string{"package-lock.json": lock, ".npmrc": "a=b\nregistry=https://corp.test/npm"}, "corp.test", ".npmrc:2 names a registry of its own", ""},
		"a path of a mirror's":     {nil, map[string]string{"package-lock.json": lock, ".npmrc": "registry=https://mirrors.huaweicloud.com/other"}, "mirrors.huaweicloud.com", ".npmrc:1 names a registry of its own", ""},
		"a variable":               {nil, map[string]string{"package-lock.json": lock, ".npmrc": "registry=${R}"}, "", ".npmrc:1 names a registry of its own", ""},
		"a project's scope":        {nil, map[string]string{"package-lock.json": lock, ".npmrc": "@corp:registry=https://corp.test/npm"}, "official", ".npmrc:1 names a registry of its own for @corp", ""},
		"the user's own":           {[]string{"HOME=" + home}, map[string]string{"package-lock.json": lock}, "corp.test", "~/.npmrc:1 names a registry of its own", ""},
		"the user's scope":         {[]string{"npm_config_userconfig=" + home + "/scope"}, map[string]string{"package-lock.json": lock}, "official", "~/scope:1 names a registry of its own for @corp", ""},
		"the environment's own":    {[]string{"npm_config_registry=https://corp.test:8443/"}, map[string]string{"package-lock.json": lock}, "corp.test:8443", "", ""},
		"a file below":             {nil, map[string]string{"package-lock.json": lock, "a/package.json": "{}", "a/.npmrc": "registry=https://a.test/"}, "official", "a/.npmrc:1 names a registry of its own", ""},
		"no lock file":             {nil, map[string]string{"package.json": "{}"}, "official", "", "no lock file pins what a mirror would have to serve"},
		"a package without sha512": {nil, map[string]string{"package-lock.json": `{"packages":{"node_modules/old":{"version":"1.0.0"}}}`}, "official", "", "1 of the locked packages have no sha512 integrity (old@1.0.0), so that a mirror's answer could not be verified"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, machine(c.environ...), c.files)
			id := ""
			if len(e.InForce) > 0 {
				id = e.InForce[0].ID
			}
			got := []string{id, strings.ReplaceAll(e.Frozen, home, "~"), e.Guarded}
			if diff := cmp.Diff([]string{c.id, c.frozen, c.guarded}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCatalogueIsInOrder(t *testing.T) {
	t.Parallel()
	m := machine()
	m.Extra = []string{"https://mine.test:8443/npm/", "https://registry.npmmirror.com/", "no address"}
	e := open(t, m, map[string]string{"package.json": "{}"})
	var got []string
	for _, s := range e.Catalogue {
		got = append(got, s.ID+" "+s.URL+" "+s.Origin)
	}
	want := []string{"official https://official.test builtin", "mine.test:8443 https://mine.test:8443/npm user", "registry.npmmirror.com https://registry.npmmirror.com user",
		"mirrors.huaweicloud.com https://mirrors.huaweicloud.com/repository/npm builtin", "mirrors.cloud.tencent.com https://mirrors.cloud.tencent.com/npm builtin"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(e.Notes) != 1 || !e.Present || e.Installed {
		t.Errorf("notes %q, present %v, installed %v", e.Notes, e.Present, e.Installed)
	}
}

func TestFillGathersEntries(t *testing.T) {
	t.Parallel()
	entries := []string{
		`"node_modules/good":{"version":"1.0.0","resolved":"https://Official.Test:443/good/-/good-1.0.0.tgz","integrity":"` + probeIntegrity + `"}`,
		`"node_modules/@s/also":{"version":"2.0.0","resolved":"https://official.test/@s/also/-/also-2.0.0.tgz","integrity":"` + probeIntegrity + `"}`,
		`"node_modules/encoded":{"name":"@s/encoded","version":"2.0.0","resolved":"https://official.test/@s%2fencoded/-/encoded-2.0.0.tgz","integrity":"` + probeIntegrity + `"}`,
		`"node_modules/default":{"version":"1.0.0","integrity":"` + probeIntegrity + `"}`,
		`"node_modules/old":{"version":"1.0.0","resolved":"http://official.test/old/-/old-1.0.0.tgz","integrity":"sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}`,
		`"node_modules/bad":{"version":"1.0.0","resolved":"https://official.test/bad/-/bad-1.0.0.tgz","integrity":"sha512-AAAA"}`,
		`"node_modules/user":{"version":"1.0.0","resolved":"https://me:s3cret@official.test/user/-/user-1.0.0.tgz"}`,
		`"node_modules/tar":{"version":"1.0.0","resolved":"https://evil.test/tar.tgz"}`,
		`"node_modules/git":{"version":"1.0.0","resolved":"git+ssh://git@github.com/u/git.git#0123"}`,
		`"node_modules/scp":{"version":"1.0.0","resolved":"git+ssh://git@github.com:u/scp.git#0123"}`,
		`"node_modules/short":{"version":"1.0.0","resolved":"github:u/short"}`,
		`"node_modules/clone":{"version":"1.0.0","resolved":"https://github.com/u/clone"}`,
		`"node_modules/dotgit":{"version":"1.0.0","resolved":"https://evil.test/dotgit.git"}`,
		`"node_modules/forge":{"version":"1.0.0","resolved":"git+https://evil.test/forge.git"}`,
		`"node_modules/file":{"version":"1.0.0","resolved":"file:x.tgz"}`,
		`"node_modules/slash":{"version":"1.0.0","resolved":"https://official.test\\@evil.test/x"}`,
		`"node_modules/ftp":{"version":"1.0.0","resolved":"ftp://official.test/x"}`,
		`"node_modules/tail":{"version":"1.0.0","resolved":"https://official.test.evil.test/tail/-/tail-1.0.0.tgz"}`,
		`"node_modules/dot":{"version":"1.0.0","resolved":"https://official.test./dot/-/dot-1.0.0.tgz"}`,
	}
	e := open(t, machine(), map[string]string{"package-lock.json": "{\"packages\":{\n" + strings.Join(entries, ",\n") + "\n}}"})
	var in decide.Input
	e.Fill(&in, nil)
	var got []string
	for _, g := range in.Entries {
		got = append(got, fmt.Sprintf("%s %s %s%s%s %v %s %d:%d %v", g.ID, g.Kind, g.URL, g.Broken, map[bool]string{true: " userinfo"}[g.Userinfo], g.Integrity, g.Origin, g.Line, g.Column, g.Examples))
		if g.Count != len(g.Items) || g.Default != (g.Origin == source.Builtin) || g.Ecosystem != source.NPM {
			t.Errorf("%+v", g)
		}
	}
	want := []string{
		"npm-1 registry https://official.test sha512 checkout 2:51 [good@1.0.0 @s/also@2.0.0 @s/encoded@2.0.0]",
		"npm-2 registry  sha512 builtin 5:1 [default@1.0.0]",
		"npm-3 registry http://official.test sha1 checkout 6:50 [old@1.0.0]",
		"npm-4 registry https://official.test broken checkout 7:106 [bad@1.0.0]",
		"npm-5 registry https://official.test userinfo none checkout 8:51 [user@1.0.0]",
		"npm-6 tarball https://evil.test none checkout 9:50 [tar@1.0.0 dotgit@1.0.0]",
		"npm-7 git ssh://github.com userinfo none checkout 10:50 [git@1.0.0 scp@1.0.0]",
		"npm-8 git https://github.com none checkout 12:52 [short@1.0.0 clone@1.0.0]",
		"npm-9 git https://evil.test none checkout 15:52 [forge@1.0.0]",
		"npm-10 file file:// none checkout 16:51 [file@1.0.0]",
		`npm-11 invalid address holds the character '\\', which clients read in different ways none checkout 17:52 [slash@1.0.0]`,
		"npm-12 invalid address has a scheme that npm does not fetch none checkout 18:50 [ftp@1.0.0]",
		"npm-13 registry https://official.test.evil.test none checkout 19:51 [tail@1.0.0]",
		"npm-14 registry https://official.test none checkout 20:50 [dot@1.0.0]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e.Packages != len(entries) {
		t.Errorf("%d packages, want %d", e.Packages, len(entries))
	}
	if strings.Contains(fmt.Sprintf("%+v", in), "s3cret") {
		t.Error("a secret is in the input")
	}
}

// npm clones from few addresses that say https, and downloads a tarball from all others. Asked of npm-package-arg 13.
func TestGitOrTarball(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, urls string }{
		{kindTarball, `https://evil.test/x.git https://evil.test/u/x.git http://gitlab.com/u/x.git https://github.com.evil.test/u/x.git
			https://github.com/u/x/releases/download/v1/x.git https://github.com/u/x/archive/main.tar.gz https://github.com/x.git
			https://github.com/u/.git https://github.com/u/x%ff https://gitlab.com/u/x/-/archive/x.git https://gitlab.com/x.git
			https://bitbucket.org/u/x/get/main.git https://gist.github.com/u/0123/raw/x.git https://git.sr.ht/~u/x/archive/x.git
			https://codeberg.org/u/x.git https://codeload.github.com/u/x/tar.gz/main`},
		{kindGit, `https://github.com/u/x https://github.com/u/x.git http://github.com/u/x.git https://www.github.com/u/x https://github.com/u/x/tree/main
			https://gitlab.com/u/x.git https://gitlab.com/g/h/x https://bitbucket.org/u/x.git https://gist.github.com/0123 https://gist.github.com/u/0123.git
			https://git.sr.ht/~u/x git+https://evil.test/x.git git+http://evil.test/x git://evil.test/x git+ssh://git@evil.test/x
			github:u/x u/x gist:0123 sourcehut:~u/x`},
	} {
		for url := range strings.FieldsSeq(c.urls) {
			if kind, _, err := locateEntry("name", url); kind != c.kind || err != nil {
				t.Errorf("%s: got %s, %v; want %s", url, kind, err, c.kind)
			}
		}
	}
}

func TestIntegrityClass(t *testing.T) {
	t.Parallel()
	const sha1, md5 = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "md5-1B2M2Y8AsgTpgAmY7PhCfg=="
	for integrity, want := range map[string]string{
		"":                                     "none",
		" ":                                    "broken",
		probeIntegrity:                         "sha512",
		probeIntegrity + "?opt":                "sha512",
		sha1:                                   "sha1",
		md5:                                    "md5",
		sha1 + " " + probeIntegrity:            "sha512",
		probeIntegrity + "\n" + sha1:           "sha512",
		"sha3-abc " + sha1:                     "sha1",
		"sha512-AAAA " + sha1:                  "broken",
		"sha512-AAAA " + probeIntegrity:        "sha512",
		strings.TrimRight(probeIntegrity, "="): "broken",
		strings.ToUpper(probeIntegrity):        "broken",
		"sha512":                               "broken",
		"whatever":                             "broken",
		"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=":                     "sha256",
		"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=":                     "broken",
		"sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb": "sha384",
	} {
		if got := integrityClass(integrity); got != want {
			t.Errorf("%q: got %s, want %s", integrity, got, want)
		}
	}
}

func TestFillAndChangesAfterAChoice(t *testing.T) {
	t.Parallel()
	mirror := catalogue.Of(source.NPM, nil)[0]
	choice := choose.Choice{Ecosystem: source.NPM, Why: "the official registry does not answer",
		Sources: []choose.Picked{{Source: mirror, Via: detect.ViaDirect, IPs: []string{"192.0.2.1"}}}}
	e := open(t, machine("NPM_CONFIG_REGISTRY=https://dead.test", "BUN_CONFIG_REGISTRY=https://registry.npmmirror.com"),
		map[string]string{"package-lock.json": lock, "bunfig.toml": "", ".yarnrc.yml": "npmRegistryServer: https://registry.yarnpkg.com\n"})

	var got []string
	for _, c := range e.Changes(choice) {
		got = append(got, c.Kind+" "+c.Name+"="+c.Value)
		if c.Shown != c.Value || c.Why == "" || c.Ecosystem != source.NPM {
			t.Errorf("%+v", c)
		}
	}
	want := []string{"env npm_config_registry=https://registry.npmmirror.com/", "env NPM_CONFIG_REGISTRY=https://registry.npmmirror.com/",
		"env pnpm_config_registry=https://registry.npmmirror.com/", "env COREPACK_NPM_REGISTRY=https://registry.npmmirror.com",
		"env npm_config_omit_lockfile_registry_resolved=true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"registry=https://registry.npmmirror.com builtin npm_config_registry [registry.npmmirror.com]",
		"npmRegistryServer=https://registry.yarnpkg.com checkout .yarnrc.yml:1:20 [registry.yarnpkg.com]"}, settingLines(e, &choice)); diff != "" {
		t.Errorf("settings (-want +got)\n%s", diff)
	}
	sources := func(after *choose.Choice) []string {
		var in decide.Input
		e.Fill(&in, after)
		var out []string
		for _, s := range in.Sources {
			out = append(out, fmt.Sprint(s.ID, " ", s.URL, " ", s.Role, " ", s.Origin, " ", s.Via, " ", s.IPs, " ", s.Addresses, " ", s.Setting))
		}
		return out
	}
	kept := choose.Choice{Kept: true, Sources: []choose.Picked{{Source: e.InForce[0], Via: detect.ViaProxy}}}
	for name, c := range map[string]struct {
		after *choose.Choice
		want  string
	}{
		"as it is": {nil, "dead.test https://dead.test registry runner unknown [] not-asked NPM_CONFIG_REGISTRY"},
		"kept":     {&kept, "dead.test https://dead.test registry runner proxy [] behind-proxy NPM_CONFIG_REGISTRY"},
		"nothing":  {&choose.Choice{}, "dead.test https://dead.test registry runner unknown [] not-asked NPM_CONFIG_REGISTRY"},
		"changed":  {&choice, "registry.npmmirror.com https://registry.npmmirror.com registry builtin direct [192.0.2.1] known npm_config_registry"},
	} {
		if diff := cmp.Diff([]string{c.want}, sources(c.after)); diff != "" {
			t.Errorf("%s: sources (-want +got)\n%s", name, diff)
		}
	}
	if e.Changes(kept) != nil || e.Changes(choose.Choice{}) != nil {
		t.Error("changes without a new choice")
	}
}

func TestChangesMaskSecrets(t *testing.T) {
	t.Parallel()
	e := open(t, machine(), nil)
	for _, c := range e.Changes(choose.Choice{Sources: []choose.Picked{{Source: source.Source{URL: "https://me:s3cret@mine.test"}}}}) {
		if strings.Contains(c.Shown+c.Why, "s3cret") {
			t.Errorf("%+v", c)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	co := checkout(t, map[string]string{
		"package-lock.json":     strings.Replace(lock, "official.test", "OFFICIAL.test.:8443", 1),
		"broken/.npmrc":         "a\x00",
		"broken/package.json":   "{}",
		"sub/package-lock.json": "{",
		".npmrc":                "registry=https://r.test/\n@s:registry=http://s.test:80/\nproxy=http://p.test:3128\n@x:registry=${X}\n",
	})
	hostsOnly := func(co *lockfile.Checkout) map[string]bool {
		hosts := Hosts(co)
		maps.DeleteFunc(hosts, func(key string, _ bool) bool { return strings.HasPrefix(key, "setting\x00") })
		return hosts
	}
	want := map[string]bool{"official.test:8443": true, "r.test": true, "s.test": true, "p.test:3128": true, "lock package-lock.json": true}
	if diff := cmp.Diff(want, hostsOnly(co)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	sent := checkout(t, map[string]string{".npmrc": "userconfig=e", "e": "registry=https://evil.test/"})
	if diff := cmp.Diff(map[string]bool{}, hostsOnly(sent)); diff != "" {
		t.Errorf("of a file that may be the change's (-want +got)\n%s", diff)
	}
	base := co.At(map[string][]byte{"package-lock.json": nil, ".npmrc": []byte("registry=https://before.test\n")})
	if diff := cmp.Diff(map[string]bool{"before.test": true}, hostsOnly(base)); diff != "" {
		t.Errorf("of the base (-want +got)\n%s", diff)
	}
}

func TestNewNamesEveryBadFile(t *testing.T) {
	t.Parallel()
	_, err := New(machine(), checkout(t, map[string]string{"package-lock.json": "{", "a/npm-shrinkwrap.json": "]", ".npmrc": "\x00"}))
	if problem.CodeOf(err) != problem.Usage {
		t.Fatalf("got %v", err)
	}
	for _, where := range []string{"package-lock.json:1:2", "a/npm-shrinkwrap.json:1:1", ".npmrc:1:1"} {
		if !strings.Contains(err.Error(), where) {
			t.Errorf("%v does not name %s", err, where)
		}
	}
}

func TestUnknownOfficialIsANote(t *testing.T) {
	t.Parallel()
	m := machine()
	m.Stamped = ""
	e := open(t, m, map[string]string{"package.json": "{}"})
	if len(e.Notes) != 1 || len(e.InForce) != 0 || len(e.Catalogue) != len(catalogue.Of(source.NPM, nil)) {
		t.Errorf("%+v", e)
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	const version, whole = "https://r.test/npm/is-number/7.0.0", "https://r.test/npm/is-number"
	manifest := `{"dist":{"integrity":"` + probeIntegrity + `"}}`
	gone := errors.New("connection refused")
	for name, c := range map[string]struct {
		answers map[string]detect.Response
		want    detect.Verdict
		err     error
	}{
		"good":              {map[string]detect.Response{version: {Status: 200, Body: []byte(manifest)}}, detect.Verdict{OK: true, Content: detect.Yes}, nil},
		"by the package":    {map[string]detect.Response{version: {Status: 404}, whole: {Status: 200, Body: []byte(`{"versions":{"7.0.0":` + manifest + `}}`)}}, detect.Verdict{OK: true, Content: detect.Yes}, nil},
		"package of pages":  {map[string]detect.Response{version: {Status: 404}, whole: {Status: 200, Body: []byte(`<html>`)}}, wrong("answered with a page that is no package data"), nil},
		"package unknown":   {map[string]detect.Response{version: {Status: 404}, whole: {Status: 404}}, detect.Verdict{Reason: "answered 404", Fault: detect.StatusFault, Status: 404}, nil},
		"version unknown":   {map[string]detect.Response{version: {Status: 404}, whole: {Status: 200, Body: []byte(`{"versions":{}}`)}}, wrong("answered with a page that is no package data"), nil},
		"unavailable":       {map[string]detect.Response{version: {Status: 503}}, detect.Verdict{Reason: "answered 503", Fault: detect.StatusFault, Status: 503}, nil},
		"captive portal":    {map[string]detect.Response{version: {Status: 200, Body: []byte(`<html>Sign in`)}}, wrong("answered with a page that is no package data"), nil},
		"other data":        {map[string]detect.Response{version: {Status: 200, Body: []byte(`{}`)}}, wrong("names no integrity for is-number 7.0.0"), nil},
		"another integrity": {map[string]detect.Response{version: {Status: 200, Body: []byte(`{"dist":{"integrity":"sha512-x"}}`)}}, wrong("names another integrity for is-number 7.0.0 than the one that was published"), nil},
		"no answer":         {nil, detect.Verdict{}, gone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fetch := func(_ context.Context, url string, limit int64) (detect.Response, error) {
				if r, ok := c.answers[url]; ok && limit > 0 {
					return r, nil
				}
				return detect.Response{}, gone
			}
			got, err := target(source.Source{URL: "https://r.test/npm/"}).Check(t.Context(), fetch)
			if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}
