//nolint:dupword // the settings' own names, side by side
package machine

import (
	"encoding/base64"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"

// world is a machine in miniature.
type world struct {
	os, fence, account string
	env, files         map[string]string
	registry           map[string]string
}

func (w world) read(t *testing.T) Reading {
	t.Helper()
	root := t.TempDir()
	for name, text := range w.files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if w.os == "" {
		w.os = "linux"
	}
	return Read(Options{OS: w.os, Home: "/home/u", Account: w.account, Root: root, Fence: w.fence,
		Lookup:   func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
		Registry: func(key, name string) (string, bool) { v, ok := w.registry[key+`\`+name]; return v, ok }})
}

// lines writes settings of a tool as "kind[for] key shown origin", hidden ones with a minus.
func lines(r Reading, tool string) []string {
	var out []string
	for _, s := range r.Settings {
		if s.Tool != tool {
			continue
		}
		line := string(s.Kind)
		if s.For != "" {
			line += "[" + s.For + "]"
		}
		line += " " + s.Key + " " + s.Shown + " " + s.Origin
		if !s.InForce {
			line = "-" + line
		}
		out = append(out, line)
	}
	return out
}

func ids(r Reading) []string {
	var out []string
	for _, c := range r.Conflicts {
		out = append(out, c.ID+" "+c.Tool)
	}
	return out
}

func find(r Reading, id string) Conflict {
	for _, c := range r.Conflicts {
		if c.ID == id {
			return c
		}
	}
	return Conflict{}
}

type row struct {
	world
	want  []string
	notes []string
}

func table(t *testing.T, tool string, rows map[string]row) {
	t.Helper()
	for name, tt := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tt.read(t)
			if diff := cmp.Diff(tt.want, lines(r, tool)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.notes, r.Notes); diff != "" {
				t.Error("notes: " + diff)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	both := map[string]string{"HTTPS_PROXY": "http://a:p@x.test:1", "https_proxy": "x.test:2", "NO_PROXY": "a,b@c", "ALL_PROXY": "", "NODE_TLS_REJECT_UNAUTHORIZED": "0", "SSL_CERT_FILE": "/c"}
	table(t, Environment, map[string]row{
		"nothing": {},
		"both cases": {world: world{env: both}, want: []string{"https-proxy HTTPS_PROXY http://***@x.test:1 HTTPS_PROXY", "https-proxy https_proxy http://x.test:2 https_proxy",
			"no-proxy NO_PROXY *** NO_PROXY", "ca-bundle SSL_CERT_FILE /c SSL_CERT_FILE", "insecure NODE_TLS_REJECT_UNAUTHORIZED 0 NODE_TLS_REJECT_UNAUTHORIZED"}},
		"one case on windows": {world: world{os: "windows", env: map[string]string{"HTTP_PROXY": "x.test", "http_proxy": "x.test"}},
			want: []string{"http-proxy HTTP_PROXY http://x.test HTTP_PROXY"}},
		"node checks":            {world: world{env: map[string]string{"NODE_TLS_REJECT_UNAUTHORIZED": "1"}}},
		"what is no address":     {world: world{env: map[string]string{"HTTPS_PROXY": "http://ci:hunter2"}}, want: []string{"https-proxy HTTPS_PROXY *** HTTPS_PROXY"}},
		"a password of any kind": {world: world{env: map[string]string{"HTTPS_PROXY": "http://ci:a/b#c@d?e@x.test:1/"}}, want: []string{"https-proxy HTTPS_PROXY http://***@x.test:1 HTTPS_PROXY"}},
	})
}

func TestGit(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/etc/gitconfig":             "[http]\n\tproxy = http://system.test:1\n\tsslVerify = false\n",
		"/home/u/.config/git/config": "[http]\n\tproxy = http://xdg.test:1\n",
		"/home/u/.gitconfig":         "[include]\n\tpath = more\n[http]\n\tproxy = http://user.test:1\n\tsslCAInfo = ~/ca.pem\n[http \"https://u:p@a.test/\"]\n\tproxy =\n[remote \"o\"]\n\tproxy = r.test\n[includeIf \"gitdir:~/w/\"]\n\tpath = work\n",
		"/home/u/more":               "[http]\n\tproxy = http://included.test:1\n\tsslVerify\n",
		"/home/u/ca.pem":             pem,
		"/opt/git/bin/git":           "",
		"/opt/git/etc/gitconfig":     "[http]\n\tproxy = http://opt.test:1\n",
		"/other":                     "[http]\n\tproxy = http://other.test:1\n",
	}
	conditional := []string{"~/.gitconfig:11 includes work in some repositories only, and is not followed"}
	user := []string{"all-proxy[remote o] remote.o.proxy http://r.test ~/.gitconfig:9", "all-proxy[https://***@a.test/] http.https://***@a.test/.proxy (none: directly) ~/.gitconfig:7",
		"ca-bundle http.sslcainfo /home/u/ca.pem ~/.gitconfig:5", "all-proxy http.proxy http://user.test:1 ~/.gitconfig:4", "-all-proxy http.proxy http://included.test:1 ~/more:2", "-all-proxy http.proxy http://xdg.test:1 ~/.config/git/config:2"}
	with := func(more ...string) []string { return append(append([]string{}, user...), more...) }
	env := func(pairs ...string) map[string]string {
		out := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	table(t, Git, map[string]row{
		"files":          {world: world{files: files}, want: with("-insecure http.sslverify false /etc/gitconfig:3", "-all-proxy http.proxy http://system.test:1 /etc/gitconfig:2"), notes: conditional},
		"another system": {world: world{files: files, env: env("PATH", "rel:/opt/git/bin")}, want: with("-all-proxy http.proxy http://opt.test:1 /opt/git/etc/gitconfig:2"), notes: conditional},
		"no system":      {world: world{files: files, env: env("GIT_CONFIG_NOSYSTEM", "1")}, want: with(), notes: conditional},
		"named files": {world: world{files: files, env: env("GIT_CONFIG_GLOBAL", "/other", "GIT_CONFIG_SYSTEM", "/dev/null")},
			want: []string{"all-proxy http.proxy http://other.test:1 /other:2"}},
		"no global": {world: world{files: files, env: env("GIT_CONFIG_GLOBAL", "", "GIT_CONFIG_NOSYSTEM", "yes")}},
		"variables": {world: world{files: files, env: env("GIT_CONFIG_GLOBAL", "/other", "GIT_CONFIG_NOSYSTEM", "1", "GIT_CONFIG_COUNT", "1", "GIT_CONFIG_KEY_0", "http.proxy", "GIT_CONFIG_VALUE_0", "count.test",
			"GIT_CONFIG_PARAMETERS", "'http.proxy'='param.test' 'http.sslverify=0'", "GIT_SSL_CAINFO", "/c", "GIT_SSL_NO_VERIFY", "")},
			want: []string{"ca-bundle GIT_SSL_CAINFO /c GIT_SSL_CAINFO", "insecure GIT_SSL_NO_VERIFY  GIT_SSL_NO_VERIFY", "-insecure http.sslverify 0 GIT_CONFIG_PARAMETERS", "all-proxy http.proxy http://param.test GIT_CONFIG_PARAMETERS",
				"-all-proxy http.proxy http://count.test GIT_CONFIG_KEY_0", "-all-proxy http.proxy http://other.test:1 /other:2"}},
		"a broken file": {world: world{files: map[string]string{"/home/u/.gitconfig": "[http]\n  proxy x://ci:hunter2@h"}}, notes: []string{"~/.gitconfig:2 is behind a variable's name, where = is expected, so that its settings are not known"}},
		"a ring":        {world: world{files: map[string]string{"/home/u/.gitconfig": "[include]\npath = .gitconfig\n"}}, notes: []string{"~/.gitconfig is included too deep or by too many files, and is not read"}},
	})
}

func TestNode(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/home/u/.npmrc":              "https-proxy=http://first.test:1\nhttps-proxy = \"http://${NAME}:p@user.test:1\"\nproxy=null\nstrict-ssl=true\nprefix=/pfx\nnoproxy=a,b\n//r.test/:_authToken=hunter2\n",
		"/pfx/etc/npmrc":              "cafile=/etc/ca.pem\nproxy=global.test\nhttps-proxy=global.test\nstrict-ssl=false\n",
		"/etc/ca.pem":                 pem,
		"/other/etc/npmrc":            "proxy=other.test\n",
		"/usr/lib/npm/bin/npm-cli.js": "",
		"/usr/lib/npm/npmrc":          "strict-ssl=false\n",
		"/n/bin/node":                 "",
		"/n/etc/npmrc":                "proxy=node.test\n",
		"/named":                      "proxy=named.test\n",
	}
	user := []string{"no-proxy noproxy a,b ~/.npmrc:6", "https-proxy https-proxy http://***@user.test:1 ~/.npmrc:2", "-https-proxy https-proxy http://first.test:1 ~/.npmrc:1"}
	table(t, NPM, map[string]row{
		"user and global": {world: world{files: files, env: map[string]string{"NAME": "ci"}}, want: append(append([]string{}, user...), "-insecure strict-ssl false /pfx/etc/npmrc:4", "-https-proxy https-proxy http://global.test /pfx/etc/npmrc:3",
			"-http-proxy proxy http://global.test /pfx/etc/npmrc:2", "ca-bundle cafile /etc/ca.pem /pfx/etc/npmrc:1")},
		"variables": {world: world{files: files, env: map[string]string{"npm_config_https_proxy": "low.test", "NPM_CONFIG_HTTPS_PROXY": "up.test", "npm_config_prefix": "/other", "npm_config_strict_ssl": "false"}},
			want: append([]string{"https-proxy https-proxy http://up.test NPM_CONFIG_HTTPS_PROXY", "-https-proxy https-proxy http://low.test npm_config_https_proxy", "insecure strict-ssl false npm_config_strict_ssl",
				"no-proxy noproxy a,b ~/.npmrc:6", "-https-proxy https-proxy http://***@user.test:1 ~/.npmrc:2", "-https-proxy https-proxy http://first.test:1 ~/.npmrc:1"}, "-http-proxy proxy http://other.test /other/etc/npmrc:1")},
		"named user, node's prefix": {world: world{files: files, env: map[string]string{"npm_config_userconfig": "/named", "PATH": "/n/bin"}},
			want: []string{"http-proxy proxy http://named.test /named:1", "-http-proxy proxy http://node.test /n/etc/npmrc:1"}},
		"no text": {world: world{files: map[string]string{"/home/u/.npmrc": "a=b\nx\x00y"}}, notes: []string{"~/.npmrc:2 is no UTF-8 text, so that npm reads no setting of it, so that its settings are not known"}},
	})
	table(t, PNPM, map[string]row{
		"own": {world: world{files: map[string]string{"/home/u/.config/pnpm/rc": "https-proxy=rc.test\ncafile=/ca\n", "/home/u/.config/pnpm/config.yaml": "httpsProxy: yaml.test\nstrictSsl: false\n"}, env: map[string]string{"pnpm_config_http_proxy": "env.test"}},
			want: []string{"http-proxy http-proxy http://env.test pnpm_config_http_proxy", "insecure strict-ssl false ~/.config/pnpm/config.yaml:2", "https-proxy https-proxy http://yaml.test ~/.config/pnpm/config.yaml:1",
				"ca-bundle cafile /ca ~/.config/pnpm/rc:2", "-https-proxy https-proxy http://rc.test ~/.config/pnpm/rc:1"}},
	})
	table(t, PNPM, map[string]row{
		"npm's file hides it": {world: world{files: map[string]string{"/home/u/.config/pnpm/rc": "https-proxy=rc.test\nproxy=rc.test\n", "/home/u/.npmrc": "https-proxy=user.test"}},
			want: []string{"http-proxy proxy http://rc.test ~/.config/pnpm/rc:2", "-https-proxy https-proxy http://rc.test ~/.config/pnpm/rc:1"}},
	})
	table(t, Yarn, map[string]row{
		"own": {world: world{files: map[string]string{"/home/u/.yarnrc": "https-proxy \"http://ci:hunter2@rc.test:1\"\nstrict-ssl false\nproxy x.test\n"}, env: map[string]string{"YARN_PROXY": "env.test"}},
			want: []string{"http-proxy proxy http://env.test YARN_PROXY", "-http-proxy proxy http://x.test ~/.yarnrc:3", "insecure strict-ssl false ~/.yarnrc:2", "https-proxy https-proxy http://***@rc.test:1 ~/.yarnrc:1"}},
		"broken": {world: world{files: map[string]string{"/home/u/.yarnrc": "a \"b\"\n% {"}}, notes: []string{"~/.yarnrc:2 is not in yarn's format, so that its settings are not known"}},
	})
	table(t, Berry, map[string]row{
		"own": {world: world{files: map[string]string{"/home/u/.yarnrc.yml": "httpsProxy: \"http://${WHO:-me}:${PW}@b.test:1\"\nhttpProxy: x.test\nnetworkSettings:\n  \"*.a.test\":\n    httpsProxy: null\n    enableStrictSsl: false\n    httpsCaFilePath: /ca\nenableStrictSsl: false\n"},
			env: map[string]string{"YARN_HTTP_PROXY": "env.test", "YARN_ENABLE_STRICT_SSL": "1", "PW": "hunter2"}},
			want: []string{"http-proxy httpProxy http://env.test YARN_HTTP_PROXY", "-insecure enableStrictSsl false ~/.yarnrc.yml:8", "ca-bundle[*.a.test] httpsCaFilePath /ca ~/.yarnrc.yml:7",
				"insecure[*.a.test] enableStrictSsl false ~/.yarnrc.yml:6", "-http-proxy httpProxy http://x.test ~/.yarnrc.yml:2", "https-proxy httpsProxy http://***@b.test:1 ~/.yarnrc.yml:1"}},
		"broken": {world: world{files: map[string]string{"/home/u/.yarnrc.yml": "a: [http://ci:hunter2@b"}}, notes: []string{"~/.yarnrc.yml:1 is no YAML that yarn reads, so that its settings are not known"}},
	})
	table(t, Bun, map[string]row{
		"own": {world: world{files: map[string]string{"/home/u/.bunfig.toml": "[install]\ncafile = \"/ca\"\n"}}, want: []string{"ca-bundle install.cafile /ca ~/.bunfig.toml:2"}},
		"npm's": {world: world{files: map[string]string{"/home/u/.bunfig.toml": "[install]\ncafile = \"/ca\"\n", "/home/u/.npmrc": "registry=https://a.test\ncafile=/npm\nproxy=http://p.test"},
			env: map[string]string{"npm_config_cafile": "/other"}}, want: []string{"ca-bundle install.cafile /ca ~/.bunfig.toml:2", "-ca-bundle cafile /npm ~/.npmrc:2"}},
		"xdg":   {world: world{files: map[string]string{"/home/u/.bunfig.toml": "[install]\ncafile = \"/ca\"\n", "/x/.bunfig.toml": "install.cafile = \"/x\""}, env: map[string]string{"XDG_CONFIG_HOME": "/x"}}, want: []string{"ca-bundle install.cafile /x /x/.bunfig.toml:1"}},
		"wrong": {world: world{files: map[string]string{"/home/u/.bunfig.toml": "[install\n"}}, notes: []string{"~/.bunfig.toml:1 holds '\\n' where \"]\" must stand, so that its settings are not known"}},
	})
}

func TestPip(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/etc/xdg/pip/pip.conf":        "[global]\nproxy = xdg-dirs.test\n",
		"/etc/pip.conf":                "[install]\nproxy: system-install.test\n",
		"/home/u/.pip/pip.conf":        "[global]\nproxy = legacy.test\n",
		"/home/u/.config/pip/pip.conf": "# c\n[global]\nproxy = http://ci:hunter2@user.test:1\ntrusted-host = a.test\n  b.test\ncert=~/ca.pem\n[list]\nproxy=x\n",
		"/home/u/ca.pem":               pem,
		"/venv/pip.conf":               "[global]\nproxy = venv.test\n",
		"/named":                       "[global]\nPROXY = named.test\n",
	}
	user := []string{"insecure[a.test] global.trusted-host a.test ~/.config/pip/pip.conf:4", "insecure[b.test] global.trusted-host b.test ~/.config/pip/pip.conf:4"}
	table(t, Pip, map[string]row{
		"install before global": {world: world{files: files}, want: append([]string{"all-proxy install.proxy http://system-install.test /etc/pip.conf:2", "ca-bundle global.cert /home/u/ca.pem ~/.config/pip/pip.conf:6"},
			append(user, "-all-proxy global.proxy http://***@user.test:1 ~/.config/pip/pip.conf:3", "-all-proxy global.proxy http://legacy.test ~/.pip/pip.conf:2", "-all-proxy global.proxy http://xdg-dirs.test /etc/xdg/pip/pip.conf:2")...)},
		"variables and environment": {world: world{files: map[string]string{"/venv/pip.conf": files["/venv/pip.conf"], "/home/u/.pip/pip.conf": files["/home/u/.pip/pip.conf"]}, env: map[string]string{"PIP_PROXY": "env.test", "VIRTUAL_ENV": "/venv", "PIP_CERT": "/c", "PIP_TRUSTED_HOST": "h"}},
			want: []string{"all-proxy PIP_PROXY http://env.test PIP_PROXY", "ca-bundle PIP_CERT /c PIP_CERT", "insecure[h] PIP_TRUSTED_HOST h PIP_TRUSTED_HOST", "-all-proxy global.proxy http://venv.test /venv/pip.conf:2", "-all-proxy global.proxy http://legacy.test ~/.pip/pip.conf:2"}},
		"a named file hides the user's": {world: world{files: files, env: map[string]string{"PIP_CONFIG_FILE": "/named"}},
			want: []string{"all-proxy install.proxy http://system-install.test /etc/pip.conf:2", "-all-proxy global.proxy http://named.test /named:2", "-all-proxy global.proxy http://xdg-dirs.test /etc/xdg/pip/pip.conf:2"}},
		"none":   {world: world{files: files, env: map[string]string{"PIP_CONFIG_FILE": "/dev/null"}}},
		"broken": {world: world{files: map[string]string{"/etc/pip.conf": "proxy = http://ci:hunter2@x"}}, notes: []string{"/etc/pip.conf:1 holds a setting before the first section, so that its settings are not known"}},
	})
}

func TestCargo(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/home/u/.cargo/config.toml": "[http]\nproxy = \"http://ci:hunter2@file.test:1\" # c\ncainfo = \"ca.pem\"\n",
		"/home/u/ca.pem":             pem,
		"/home/u/.gitconfig":         "[http]\nproxy = git.test\n",
		"/old/config":                "http.proxy = 'old.test'\n",
		"/old/config.toml":           "http.proxy = 'new.test'\n",
	}
	table(t, Cargo, map[string]row{
		"file and git": {world: world{files: files, env: map[string]string{"GIT_CONFIG_GLOBAL": ""}}, want: []string{"ca-bundle http.cainfo /home/u/ca.pem ~/.cargo/config.toml:3", "all-proxy http.proxy http://***@file.test:1 ~/.cargo/config.toml:2", "-all-proxy http.proxy of git http://git.test ~/.gitconfig:2"}},
		"variables": {world: world{files: files, env: map[string]string{"CARGO_HTTP_PROXY": "", "CARGO_HTTP_CAINFO": "/c", "CARGO_HOME": "/old"}},
			want: []string{"all-proxy http.proxy (none: directly) CARGO_HTTP_PROXY", "ca-bundle http.cainfo /c CARGO_HTTP_CAINFO", "-all-proxy http.proxy http://old.test /old/config:1", "-all-proxy http.proxy of git http://git.test ~/.gitconfig:2"}},
	})
}

func TestJava(t *testing.T) {
	t.Parallel()
	settings := `<?xml version="1.0"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><proxies>
<proxy><id>off</id><active>false</active><protocol>https</protocol><host>off.test</host></proxy>
<proxy><id>a</id><protocol>https</protocol><host>a.test</host><port>1</port><username>ci</username><password>p&amp;w</password><nonProxyHosts>localhost|*.x</nonProxyHosts></proxy>
<proxy><id>b</id><protocol>https</protocol><host>b.test</host></proxy>
<proxy><id>c</id><host> c.test </host></proxy></proxies></settings>`
	table(t, Java, map[string]row{
		"variables": {world: world{env: map[string]string{"JAVA_TOOL_OPTIONS": "-Xmx1g -Dhttps.proxyHost=a.test '-Dhttps.proxyPort=1' -Dhttp.nonProxyHosts=\"localhost|*.x\" -Djavax.net.ssl.trustStore=/t", "_JAVA_OPTIONS": "-Dhttps.proxyHost=first.test -Dhttps.proxyHost=b.test -DsocksProxyHost=s.test"}},
			want: []string{"https-proxy https.proxyHost http://b.test:443 _JAVA_OPTIONS", "all-proxy socksProxyHost socks5://s.test:1080 _JAVA_OPTIONS", "-https-proxy https.proxyHost http://a.test:1 JAVA_TOOL_OPTIONS",
				"no-proxy http.nonProxyHosts localhost|*.x JAVA_TOOL_OPTIONS", "ca-bundle javax.net.ssl.trustStore /t JAVA_TOOL_OPTIONS"}},
	})
	table(t, Maven, map[string]row{
		"files, then properties": {world: world{files: map[string]string{"/home/u/.m2/settings.xml": settings, "/mvn/conf/settings.xml": `<settings><proxies><proxy><id>a</id><host>replaced.test</host></proxy><proxy><id>g</id><host>${env.H}</host></proxy></proxies></settings>`},
			env: map[string]string{"MAVEN_HOME": "/mvn", "H": "g.test", "MAVEN_OPTS": "-Dhttps.proxyHost=opt.test -Dmaven.wagon.http.ssl.insecure=true"}},
			want: []string{"https-proxy proxies.proxy http://***@a.test:1 ~/.m2/settings.xml:4", "no-proxy[https] proxies.proxy.nonProxyHosts localhost|*.x ~/.m2/settings.xml:4", "-https-proxy proxies.proxy http://b.test:8080 ~/.m2/settings.xml:5",
				"http-proxy proxies.proxy http://c.test:8080 ~/.m2/settings.xml:6", "-http-proxy proxies.proxy http://g.test:8080 /mvn/conf/settings.xml:1", "-https-proxy https.proxyHost http://opt.test:443 MAVEN_OPTS", "insecure maven.wagon.http.ssl.insecure true MAVEN_OPTS"}},
		"http for both, another home": {world: world{account: "/passwd/u", files: map[string]string{"/passwd/u/.m2/settings.xml": `<settings><proxies><proxy><host>a.test</host></proxy></proxies></settings>`, "/home/u/.m2/settings.xml": settings}, env: map[string]string{"MAVEN_OPTS": "-Dhttps.proxyHost=x"}},
			want: []string{"all-proxy proxies.proxy http://a.test:8080 /passwd/u/.m2/settings.xml:1", "-https-proxy https.proxyHost http://x:443 MAVEN_OPTS"}},
		"entities": {world: world{files: map[string]string{"/home/u/.m2/settings.xml": "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>\n<settings/>"}}, notes: []string{"~/.m2/settings.xml:1 declares a document type, which is not read, so that its settings are not known"}},
		"no XML":   {world: world{files: map[string]string{"/home/u/.m2/settings.xml": "<settings>\n<hunter2"}}, notes: []string{"~/.m2/settings.xml:2 is no XML that can be read, so that its settings are not known"}},
	})
	table(t, Gradle, map[string]row{
		"own": {world: world{files: map[string]string{"/home/u/.gradle/gradle.properties": "# c\nsystemProp.https.proxyHost = a.\\\n   test\nsystemProp.https.proxyPort:1\nsystemProp.https.proxyUser ci\nsystemProp.https.proxyPassword=p\\u0040w\nsystemProp.https.nonProxyHosts=x\norg.gradle.jvmargs=-Dhttp.proxyHost=j.test\n"}, env: map[string]string{"GRADLE_OPTS": "-Dhttps.proxyHost=o.test"}},
			want: []string{"https-proxy https.proxyHost http://***@a.test:1 ~/.gradle/gradle.properties:2", "http-proxy http.proxyHost http://j.test:80 ~/.gradle/gradle.properties:8", "no-proxy[https] https.nonProxyHosts x ~/.gradle/gradle.properties:7", "-https-proxy https.proxyHost http://o.test:443 GRADLE_OPTS"}},
		"home": {world: world{files: map[string]string{"/g/gradle.properties": "systemProp.http.proxyHost=g.test"}, env: map[string]string{"GRADLE_USER_HOME": "/g"}}, want: []string{"http-proxy http.proxyHost http://g.test:80 /g/gradle.properties:1"}},
	})
}

func TestDocker(t *testing.T) {
	t.Parallel()
	file := "{\"auths\": {\"a\": {\"auth\": \"x\"}},\n\"proxies\": {\"default\": {\"httpProxy\": \"http://a.test:1\",\n\"noProxy\": \"x\"},\n\"tcp://d:2375\": {\"httpproxy\": \"http://ci:hunter2@b.test:1\"}}}"
	table(t, Docker, map[string]row{
		"default":  {world: world{files: map[string]string{"/home/u/.docker/config.json": file}}, want: []string{"http-proxy httpProxy http://a.test:1 ~/.docker/config.json:2", "no-proxy noProxy x ~/.docker/config.json:3", "http-proxy[tcp://d:2375] httpproxy http://***@b.test:1 ~/.docker/config.json:4"}},
		"a daemon": {world: world{files: map[string]string{"/d/config.json": file}, env: map[string]string{"DOCKER_CONFIG": "/d", "DOCKER_HOST": "tcp://d:2375"}}, want: []string{"-http-proxy httpProxy http://a.test:1 /d/config.json:2", "-no-proxy noProxy x /d/config.json:3", "http-proxy[tcp://d:2375] httpproxy http://***@b.test:1 /d/config.json:4"}},
		"broken":   {world: world{files: map[string]string{"/home/u/.docker/config.json": "{\n\"hunter2\" 1}"}}, notes: []string{"~/.docker/config.json:2 is no JSON, so that its settings are not known"}},
	})
}

func TestApt(t *testing.T) {
	t.Parallel()
	table(t, Apt, map[string]row{
		"order": {world: world{env: map[string]string{"APT_CONFIG": "/early"}, files: map[string]string{
			"/early":                       "Acquire::http::Proxy \"http://early.test:1\";\nAcquire::https::Verify-Peer \"false\";",
			"/etc/apt/apt.conf.d/10a":      "Acquire { http { Proxy \"http://ci:hunter2@a.test:1\"; // c\n Proxy::deb.test \"DIRECT\"; }; /* x\n */ };\n# c\n",
			"/etc/apt/apt.conf.d/20b.conf": "acquire::HTTP::proxy \"http://b.test:1\";\nAcquire::https::CaInfo \"/ca\";\n",
			"/etc/apt/apt.conf.d/30c.bak":  "Acquire::http::Proxy \"http://c.test:1\";",
			"/etc/apt/apt.conf":            "#clear Acquire::https;\nAcquire::https::Proxy \"false\";\n",
		}}, want: []string{"https-proxy Acquire::https::Proxy DIRECT /etc/apt/apt.conf:2", "http-proxy acquire::HTTP::proxy http://b.test:1 /etc/apt/apt.conf.d/20b.conf:1", "http-proxy[deb.test] Acquire::http::Proxy::deb.test DIRECT /etc/apt/apt.conf.d/10a:2",
			"-http-proxy Acquire::http::Proxy http://***@a.test:1 /etc/apt/apt.conf.d/10a:1", "-http-proxy Acquire::http::Proxy http://early.test:1 /early:1"}},
		"broken":        {world: world{files: map[string]string{"/etc/apt/apt.conf": "Acquire::http::Proxy \"x.test\";\nhunter2 {"}}, want: []string{"http-proxy Acquire::http::Proxy http://x.test /etc/apt/apt.conf:1"}, notes: []string{"/etc/apt/apt.conf:2 ends within a setting or a block, so that its settings are not known"}},
		"not elsewhere": {world: world{os: "darwin", files: map[string]string{"/etc/apt/apt.conf": "Acquire::http::Proxy \"x.test\";"}}},
	})
}

func TestRunner(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/r/.runner": "{}", "/r/.env": "LANG=C\nhttps_proxy=http://ci:hunter2@a.test:1\nHTTPS_PROXY=b.test\n\nno_proxy=x\nGIT_SSL_NO_VERIFY=1\n", "/r/.proxy": "http://c.test:1\n", "/r/.proxybypass": "a\\.test\n", "/r/.proxycredentials": "hunter2"}
	table(t, Runner, map[string]row{
		"beside it": {world: world{files: files, env: map[string]string{"RUNNER_TEMP": "/r/_work/_temp", "RUNNER_TOOL_CACHE": "/r/_work/_tool"}},
			want: []string{"https-proxy https_proxy http://***@a.test:1 /r/.env:2", "-https-proxy HTTPS_PROXY http://b.test /r/.env:3", "no-proxy no_proxy x /r/.env:5", "insecure[GIT_SSL_NO_VERIFY] GIT_SSL_NO_VERIFY 1 /r/.env:6", "all-proxy .proxy http://c.test:1 /r/.proxy:1", "no-proxy[agent] .proxybypass a\\.test /r/.proxybypass:1"}},
		"none that says so": {world: world{files: map[string]string{"/r/.env": files["/r/.env"]}, env: map[string]string{"RUNNER_TEMP": "/r/_work/_temp"}}},
		"none in the fence": {world: world{fence: "/r", files: files, env: map[string]string{"RUNNER_TEMP": "/r/_work/_temp"}}},
	})
}

func TestSystem(t *testing.T) {
	t.Parallel()
	const list = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>CurrentSet</key><string>/Sets/S</string>
<key>NetworkServices</key><dict>
<key>A</key><dict><key>Proxies</key><dict><key>HTTPSEnable</key><integer>0</integer><key>HTTPSProxy</key><string>off.test</string></dict><key>UserDefinedName</key><string>Ethernet</string></dict>
<key>B</key><dict><key>Proxies</key><dict><key>ExceptionsList</key><array><string>*.local</string><string>169.254/16</string></array>
<key>HTTPSEnable</key><integer>1</integer><key>HTTPSProxy</key><string>a.test</string>
<key>HTTPSPort</key><integer>8080</integer><key>HTTPSUser</key><string>ci</string>
<key>ProxyAutoConfigEnable</key><integer>1</integer><key>ProxyAutoConfigURLString</key><string>http://pac.test/x?token=hunter2</string></dict><key>UserDefinedName</key><string>Wi-Fi</string></dict></dict>
<key>Sets</key><dict><key>S</key><dict><key>Network</key><dict><key>Global</key><dict><key>IPv4</key><dict><key>ServiceOrder</key><array><string>B</string><string>A</string></array></dict></dict></dict></dict></dict>
</dict></plist>`
	const plist = darwinPreferences
	table(t, System, map[string]row{
		"macOS": {world: world{os: "darwin", files: map[string]string{plist: list}}, want: []string{"https-proxy[Wi-Fi] HTTPSProxy http://***@a.test:8080 " + plist + ":7", "pac[Wi-Fi] ProxyAutoConfigURLString http://pac.test/x?token=*** " + plist + ":9",
			"no-proxy[Wi-Fi] ExceptionsList *.local,169.254/16 " + plist + ":6"}},
		"a binary list": {world: world{os: "darwin", files: map[string]string{plist: "bplist00"}}, notes: []string{plist + ":1 is a binary property list, which is not read (plutil -p shows it), so that its settings are not known"}},
		"Windows": {world: world{os: "windows", registry: map[string]string{internetSettings + `\ProxyEnable`: "1", internetSettings + `\ProxyServer`: "http=a.test:1;https=ci:hunter2@b.test:2;ftp=x", internetSettings + `\ProxyOverride`: "<local>;*.x",
			internetSettings + `\AutoConfigURL`: "http://u:p@pac.test/", winHTTP + `\WinHttpSettings`: "\x28\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00\x08\x00\x00\x00c.test:3\x03\x00\x00\x00*.y"}},
			want: []string{"pac AutoConfigURL http://***@pac.test/ " + internetSettings + `\AutoConfigURL`, "http-proxy ProxyServer http://a.test:1 " + internetSettings + `\ProxyServer`, "https-proxy ProxyServer http://***@b.test:2 " + internetSettings + `\ProxyServer`,
				"no-proxy ProxyServer <local>;*.x " + internetSettings + `\ProxyOverride`, "all-proxy[services] WinHttpSettings http://c.test:3 " + winHTTP + `\WinHttpSettings`, "no-proxy[services] WinHttpSettings *.y " + winHTTP + `\WinHttpSettings`}},
		"Windows, off": {world: world{os: "windows", registry: map[string]string{internetSettings + `\ProxyEnable`: "0", internetSettings + `\ProxyServer`: "a.test:1", winHTTP + `\WinHttpSettings`: "\x28\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"}}},
		"neither":      {world: world{registry: map[string]string{internetSettings + `\ProxyEnable`: "1", internetSettings + `\ProxyServer`: "a.test:1"}}},
	})
}

func TestFence(t *testing.T) {
	t.Parallel()
	const closed = "the home directory lies where the checkout's author may have written, so that no settings in it are read"
	table(t, NPM, map[string]row{
		"home": {world: world{fence: "/home", files: map[string]string{"/home/u/.npmrc": "proxy=a.test", "/home/u/.gitconfig": "[http]\nproxy=a.test"}}, notes: []string{closed}},
		"a named file": {world: world{fence: "/w", files: map[string]string{"/w/npmrc": "proxy=a.test"}, env: map[string]string{"NPM_CONFIG_USERCONFIG": "/w/npmrc"}},
			notes: []string{"/w/npmrc lies where the checkout's author may have written, and is not read, so that its settings are not known"}},
		"a directory": {world: world{files: map[string]string{"/home/u/.npmrc/x": ""}}, notes: []string{"~/.npmrc is not a regular file, so that its settings are not known"}},
		"too large":   {world: world{files: map[string]string{"/home/u/.npmrc": strings.Repeat("#\n", maxFile)}}, notes: []string{"~/.npmrc has more than 1024 KiB, and is not read, so that its settings are not known"}},
	})
	r := world{fence: "/w", files: map[string]string{"/w/ca.pem": pem}, env: map[string]string{"SSL_CERT_FILE": "/w/ca.pem"}}.read(t)
	if c := find(r, "bundle-foreign"); c.ID == "" {
		t.Errorf("a bundle of the checkout: %v", r.Conflicts)
	}
}

// A link out of the home directory into the fence is one, too, and a link to a regular file elsewhere is read.
func TestLinks(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, dir := range []string{"home/u", "w", "elsewhere"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"w/npmrc": "proxy=fenced.test", "elsewhere/gitconfig": "[http]\nproxy=a.test"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"home/u/.npmrc": "../../w/npmrc", "home/u/.gitconfig": "../../elsewhere/gitconfig"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	r := Read(Options{OS: "linux", Home: "/home/u", Root: root, Fence: "/w"})
	if got := lines(r, NPM); got != nil {
		t.Errorf("read through a link into the fence: %v", got)
	}
	if diff := cmp.Diff([]string{"~/.npmrc lies where the checkout's author may have written, and is not read, so that its settings are not known"}, r.Notes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"all-proxy http.proxy http://a.test ~/.gitconfig:2"}, lines(r, Git)); diff != "" {
		t.Error(diff)
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	const exempt = "localhost,127.0.0.1,::1,[::1]"
	good := map[string]string{"HTTPS_PROXY": "http://p.test:1", "HTTP_PROXY": "http://p.test:1", "NO_PROXY": exempt}
	with := func(pairs ...string) map[string]string {
		out := map[string]string{}
		maps.Copy(out, good)
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	for name, tt := range map[string]struct {
		world
		want []string
		text string
	}{
		"none":             {world: world{env: with()}},
		"nothing set":      {},
		"cases":            {world: world{env: with("https_proxy", "q.test:1")}, want: []string{"case-differs environment"}, text: "HTTPS_PROXY and https_proxy differ (http://p.test:1 and http://q.test:1): Go and yarn 1 follow the first, curl"},
		"passwords":        {world: world{env: with("HTTPS_PROXY", "http://a:b@p.test:1", "https_proxy", "http://a:c@p.test:1")}, want: []string{"case-differs environment"}, text: "differ in the name or password"},
		"httpoxy":          {world: world{env: with("REQUEST_METHOD", "GET")}, want: []string{"httpoxy environment"}},
		"http only":        {world: world{env: map[string]string{"http_proxy": "p.test:1", "no_proxy": exempt}}, want: []string{"http-only environment"}},
		"all only":         {world: world{env: map[string]string{"ALL_PROXY": "p.test:1", "NO_PROXY": exempt}}, want: []string{"all-only environment"}},
		"raw":              {world: world{env: with("HTTPS_PROXY", "http://a:b#c@d/e:f%g@p.test:1")}, want: []string{"password-raw environment"}, text: "holds # @ / : % as it is"},
		"encoded":          {world: world{env: with("HTTPS_PROXY", "http://a:b%23c%40@p.test:1")}},
		"quoted":           {world: world{env: with("HTTPS_PROXY", `"http://p.test:1"`)}, want: []string{"proxy-quoted environment"}},
		"broken":           {world: world{env: with("HTTPS_PROXY", "http://hunter2:x")}, want: []string{"proxy-broken environment"}},
		"a tool differs":   {world: world{env: with("CARGO_HTTP_PROXY", "q.test:1", "PIP_PROXY", "http://p.test:1")}, want: []string{"tool-differs cargo", "no-proxy-ignored pip"}, text: "cargo goes through http://q.test:1 (CARGO_HTTP_PROXY), and the environment names http://p.test:1 (HTTPS_PROXY)"},
		"a tool directly":  {world: world{env: with("CARGO_HTTP_PROXY", "")}, want: []string{"tool-differs cargo"}, text: "cargo goes directly (CARGO_HTTP_PROXY)"},
		"another password": {world: world{env: with("npm_config_https_proxy", "http://u:hunter2@p.test:1")}, want: []string{"tool-differs npm"}},
		"a tool alone":     {world: world{files: map[string]string{"/home/u/.npmrc": "https-proxy=http://p.test:1\nnoproxy=" + exempt}}, want: []string{"tool-alone npm"}, text: "npm goes through http://p.test:1 (~/.npmrc:1), and the environment has no proxy for https: Go"},
		"java alone":       {world: world{env: map[string]string{"JAVA_TOOL_OPTIONS": "-Dhttps.proxyHost=p.test"}}, want: []string{"tool-alone java"}},
		"java not told":    {world: world{env: with("MAVEN_OPTS", "-Xmx1g")}, want: []string{"java-direct maven"}},
		"java told":        {world: world{env: with("MAVEN_OPTS", "-Xmx1g", "JAVA_TOOL_OPTIONS", "-Dhttps.proxyHost=p.test -Dhttps.proxyPort=1")}},
		"forms":            {world: world{env: with("NO_PROXY", exempt+",*.a.test,10.0.0.0/8,b.test:80,c.test.,*,d test,E.test,10.1.*,http://f.test")}, want: strings.Split(strings.Repeat("no-proxy-form environment,", 8)+"no-proxy-form environment", ",")},
		"loopback":         {world: world{env: with("NO_PROXY", "localhost")}, want: []string{"loopback-proxied npm"}, text: "NO_PROXY without 127.0.0.1"},
		"npm's list":       {world: world{env: with("npm_config_noproxy", "127.0.0.1", "NO_PROXY", "localhost")}},
		"npm's cases":      {world: world{env: with("npm_config_noproxy", "a", "NPM_CONFIG_NOPROXY", "b")}, want: []string{"case-differs npm"}},
		"empty bundle":     {world: world{env: map[string]string{"GIT_SSL_CAINFO": ""}}, want: []string{"bundle-empty git"}},
		"bundle missing":   {world: world{env: map[string]string{"NODE_EXTRA_CA_CERTS": "/none.pem"}}, want: []string{"bundle-broken environment"}, text: "NODE_EXTRA_CA_CERTS (NODE_EXTRA_CA_CERTS) names /none.pem, which does not exist"},
		"no certificate":   {world: world{files: map[string]string{"/ca": "x"}, env: map[string]string{"SSL_CERT_FILE": "/ca", "SSL_CERT_DIR": "/none:/"}}, want: []string{"bundle-broken environment", "bundle-broken environment"}, text: "holds no certificate"},
		"a directory":      {world: world{files: map[string]string{"/ca/x": "x"}, env: map[string]string{"CURL_CA_BUNDLE": "/ca", "REQUESTS_CA_BUNDLE": "/ca"}}, want: []string{"bundle-broken environment"}},
		"hidden":           {world: world{files: map[string]string{"/a": pem, "/b": pem}, env: map[string]string{"NODE_EXTRA_CA_CERTS": "/a", "npm_config_cafile": "/b"}}, want: []string{"bundle-hidden npm"}},
		"count":            {world: world{env: map[string]string{"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": ""}}, want: []string{"git-count git"}, text: "GIT_CONFIG_KEY_1 or its value is missing"},
		"no count":         {world: world{env: map[string]string{"GIT_CONFIG_COUNT": "x"}}, want: []string{"git-count git"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tt.read(t)
			if diff := cmp.Diff(tt.want, ids(r)); diff != "" {
				t.Errorf("%s\n%+v", diff, r.Conflicts)
			}
			if tt.text != "" && !strings.Contains(r.Conflicts[0].Text, tt.text) {
				t.Errorf("got %q, want %q in it", r.Conflicts[0].Text, tt.text)
			}
			for _, c := range r.Conflicts {
				if c.Fix == "" || len(c.Origins) == 0 || strings.HasSuffix(c.Text+c.Fix, ".") || strings.HasSuffix(c.Text, ".") {
					t.Errorf("%+v", c)
				}
			}
		})
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	r := world{env: map[string]string{"HTTPS_PROXY": "http://ci:a@p.test:1", "https_proxy": "http://ci:a@P.test:1/", "HTTP_PROXY": "p.test:1", "CARGO_HTTP_PROXY": "", "YARN_HTTPS_PROXY": "http://a b"},
		files: map[string]string{"/home/u/.npmrc": "https-proxy=http://ci:b@p.test:1\nhttps-proxy=http://ci:a@p.test:1", "/etc/apt/apt.conf": "Acquire::http::Proxy \"DIRECT\";"}}.read(t)
	var got []string
	for _, p := range r.Proxies() {
		where := "nowhere"
		if p.URL != nil {
			where = p.URL.String()
		}
		got = append(got, where+" "+p.Shown+" "+strings.Join(p.Tools, ",")+" "+strings.Join(p.Origins, ","))
	}
	want := []string{"http://ci:a@p.test:1 http://***@p.test:1 environment,npm HTTPS_PROXY,https_proxy,~/.npmrc:2", "http://p.test:1 http://p.test:1 environment HTTP_PROXY", "nowhere *** yarn,berry YARN_HTTPS_PROXY"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	env := map[string]string{"SSL_CERT_FILE": "/ssl", "CURL_CA_BUNDLE": "/curl", "NODE_EXTRA_CA_CERTS": "/node", "JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore=/java"}
	want := map[string]string{"go": "/ssl", "cargo": "/ssl", "curl": "/curl", "pip": "/curl", "python": "/curl", "node": "/node", "npm": "/npm", "pnpm": "/npm", "yarn": "/npm", "berry": "/node", "bun": "/npm", "git": "", "maven": "/java", "apt": "", "unknown": ""}
	if s, _ := (world{env: map[string]string{"npm_config_cafile": "/npm"}}).read(t).Bundle("bun"); s.Value != "" {
		t.Errorf("bun takes %s of npm's variables", s.Value)
	}
	r := world{env: env, files: map[string]string{"/home/u/.npmrc": "cafile=/npm", "/home/u/.gitconfig": "[http \"https://a.test\"]\nsslCAInfo=/a"}}.read(t)
	for tool, want := range want {
		if s, ok := r.Bundle(tool); s.Value != want || ok != (want != "") {
			t.Errorf("%s: %q (%s), want %q", tool, s.Value, s.Origin, want)
		}
	}
}

// The same machine is read the same.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	w := planted("hunter2")
	a, b := w.read(t), w.read(t)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
}

// planted is a machine that has a password in every place.
func planted(secret string) world {
	proxy := "http://ci:" + secret + "@p.test:1"
	props := "-Dhttps.proxyHost=ci:" + secret + "@h.test -Dhttps.proxyUser=ci -Dhttps.proxyPassword=" + secret + " -Dhttp.nonProxyHosts=ci:" + secret + "@x"
	env := map[string]string{"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "http." + proxy + ".proxy", "GIT_CONFIG_VALUE_0": proxy, "GIT_CONFIG_KEY_1": "http.sslVerify", "GIT_CONFIG_VALUE_1": proxy, "GIT_CONFIG_PARAMETERS": "'http.proxy'='" + proxy + "'",
		"JAVA_TOOL_OPTIONS": props, "_JAVA_OPTIONS": props, "MAVEN_OPTS": props, "GRADLE_OPTS": props, "NO_PROXY": "ci:" + secret + "@x," + proxy + ",*.x:" + "@" + "y", "no_proxy": proxy, "REQUEST_METHOD": "GET", "SSL_CERT_FILE": proxy,
		"RUNNER_TEMP": "/r/_work/_temp", "MAVEN_HOME": "/mvn", "S": secret}
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy", "npm_config_https_proxy", "NPM_CONFIG_PROXY", "pnpm_config_https_proxy", "YARN_HTTPS_PROXY", "YARN_HTTP_PROXY", "CARGO_HTTP_PROXY", "PIP_PROXY", "PIP_TRUSTED_HOST", "npm_config_noproxy", "npm_config_cafile"} {
		env[name] = proxy
	}
	env["https_proxy"] = "http://ci:" + secret // the host is missing
	return world{env: env, files: map[string]string{
		"/home/u/.gitconfig": "[http]\nproxy = \"" + proxy + "\"\n[http \"" + proxy + "\"]\nproxy=\"" + proxy + "\"\nsslVerify=false\n[remote \"" + proxy + "\"]\nproxy=x\n[includeIf \"gitdir:x\"]\npath=\"" + proxy + "\"\n[include]\npath=\"/" + proxy + "\"\n",
		"/etc/gitconfig":     "[x]\n" + secret + " " + secret, "/home/u/.npmrc": "https-proxy=" + proxy + "\nnoproxy=" + proxy + "\ncafile=" + proxy + "\n" + secret, "/home/u/.config/pnpm/rc": "proxy=" + proxy, "/home/u/.config/pnpm/config.yaml": "httpsProxy: *" + secret,
		"/home/u/.yarnrc": "proxy \"" + proxy + "\"\n", "/home/u/.yarnrc.yml": "httpsProxy: \"http://ci:${S}@p.test:1\"\nnetworkSettings:\n  \"" + proxy + "\":\n    httpsProxy: \"" + proxy + "\"\n", "/home/u/.bunfig.toml": "[install]\ncafile = \"" + proxy + "\"\n",
		"/etc/pip.conf": "[global]\nproxy = " + proxy + "\ntrusted-host = ci:" + secret + "@h\n[install]\nproxy=" + proxy, "/home/u/.pip/pip.conf": secret, "/home/u/.cargo/config.toml": "[http]\nproxy = \"" + proxy + "\"\ncainfo=\"" + proxy + "\"\n",
		"/home/u/.m2/settings.xml": "<settings><proxies><proxy><host>h.test</host><username>ci</username><password>" + secret + "</password><nonProxyHosts>ci:" + secret + "@x</nonProxyHosts></proxy></proxies></settings>", "/mvn/conf/settings.xml": "<settings>" + secret + "</x>",
		"/home/u/.gradle/gradle.properties": "systemProp.https.proxyHost=h\nsystemProp.https.proxyUser=ci\nsystemProp.https.proxyPassword=" + secret + "\n", "/home/u/.docker/config.json": `{"auths":{"a":{"auth":"` + secret + `"}},"proxies":{"default":{"httpsProxy":"` + proxy + `"},"` + proxy + `":{"httpProxy":"` + proxy + `","noProxy":"` + proxy + `"}}}`,
		"/etc/apt/apt.conf": "Acquire::http::Proxy \"" + proxy + "\";\nAcquire::http::Proxy::" + proxy + " \"" + proxy + "\";\nAcquire::http::Proxy-Auto-Detect \"" + proxy + "\";\n\"" + secret, "/r/.runner": "", "/r/.env": "https_proxy=" + proxy + "\nno_proxy=" + proxy + "\nSSL_CERT_FILE=" + proxy, "/r/.proxy": proxy, "/r/.proxycredentials": secret,
	}}
}

func TestNothingSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"hunter2", "hun@ter#2/x", "hun ter%2", `hun"t;er,2`, "hun:ter?2"} {
		for _, os := range []string{"linux", "windows", "darwin"} {
			w := planted(secret)
			w.os = os
			proxy := "http://ci:" + secret + "@p.test:1"
			w.registry = map[string]string{internetSettings + `\ProxyEnable`: "1", internetSettings + `\ProxyServer`: proxy, internetSettings + `\AutoConfigURL`: proxy, internetSettings + `\ProxyOverride`: proxy}
			r := w.read(t)
			if len(r.Settings) < 40 || len(r.Conflicts) < 5 {
				t.Errorf("%d settings, %d conflicts: not much was planted", len(r.Settings), len(r.Conflicts))
			}
			var all []string
			for _, s := range r.Settings {
				all = append(all, s.Shown, s.For, s.Key, s.Origin)
			}
			for _, c := range r.Conflicts {
				all = append(append(all, c.Text, c.Fix), c.Origins...)
			}
			all = append(all, r.Notes...)
			for _, p := range r.Proxies() {
				all = append(append(all, p.Shown), p.Origins...)
			}
			pair := "ci:" + secret
			for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(pair)), "hun", "ter#2"} {
				for _, text := range all {
					if strings.Contains(text, form) {
						t.Errorf("%s: %q holds %q", os, text, form)
					}
				}
			}
			for _, text := range all {
				if strings.ContainsAny(text, "\n\r\x1b") {
					t.Errorf("%q has more than one line", text)
				}
			}
		}
	}
}
