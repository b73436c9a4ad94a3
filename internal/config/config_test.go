package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

func lookup(m map[string]string) Lookup {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// load reads a file alone, which must be good.
func load(t *testing.T, yaml string) Config {
	t.Helper()
	c, err := Load([]byte(yaml), File, false, nil, nil)
	if err != nil {
		t.Fatalf("%s\nin\n%s", err, yaml)
	}
	return c
}

var prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestLoadWholeFile(t *testing.T) {
	t.Parallel()
	got := load(t, `# all of it
mode: audit
probe: all
tools: [npm, go, npm]
official: {go: https://goproxy.corp.example/, npm: http://127.0.0.1:4873}
sources:
  go: [https://ci:pw@a.example/go/]
  npm: []
trusted:
  go: [a.example, "a.example:8443", .corp.example, 192.0.2.1, "[2001:db8::1]:444"]
  npm: []
  addresses: [10.0.0.0/8, 192.0.2.7, "2001:db8::/32"]
  require-address: true
direct: deny
checksum-database:
  {keys: [`+exampleKey+`], max-head-age: 48h}
proxy:
  https: http://ci:s3cret@proxy.example:3128/
  http: http://proxy.example:3128
  no-proxy: [.corp.example, 10.0.0.0/8]
severity: {GO001: off, LCK003: error}
waivers: {max-days: 90}
releases: all
age: {go: 3d, exclude: [a.example]}
verify: on
modules: {public: [github.com/corp/lib]}
choose: {strategy: weighted, weights: {official: 3, "a.example:8443": 0}, order: [a.example], region: CN, max-lag: 12h, jobs: 9}
`)
	at := func(line int) string { return fmt.Sprintf("%s:%d", File, line) }
	want := Config{
		Directory: Value[string]{".", Default}, File: Value[string]{File, Default},
		Mode: Value[string]{Audit, at(2)}, FileMode: Value[string]{Audit, at(2)},
		Strategy: Value[string]{"weighted", at(27)}, Weights: map[string]Value[int]{"official": {3, at(27)}, "a.example:8443": {0, at(27)}},
		Order: Value[[]string]{[]string{"a.example"}, at(27)}, Region: Value[string]{"CN", at(27)}, MaxLag: Value[time.Duration]{12 * time.Hour, at(27)}, Jobs: Value[int]{9, at(27)},
		Probe: Value[string]{ProbeAll, at(3)}, Tools: Value[[]string]{[]string{"go", "npm"}, at(4)},
		Official: map[string]Value[string]{source.Go: {"https://goproxy.corp.example", at(5)}, source.NPM: {"http://127.0.0.1:4873", at(5)}},
		Sources:  map[string]Value[[]string]{source.Go: {[]string{"https://ci:pw@a.example/go"}, at(7)}, source.NPM: {[]string{}, at(8)}},
		Trusted: map[string]Value[[]string]{
			source.Go:  {[]string{"a.example", "a.example:8443", ".corp.example", "192.0.2.1", "[2001:db8::1]:444"}, at(10)},
			source.NPM: {[]string{}, at(11)}},
		Addresses: Value[[]netip.Prefix]{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"),
			netip.MustParsePrefix("2001:db8::/32")}, at(12)},
		RequireAddress: Value[bool]{true, at(13)}, Direct: Value[bool]{false, at(14)},
		Verify: Value[string]{VerifyOn, at(25)}, HeadAge: Value[time.Duration]{48 * time.Hour, at(16)}, ModulePublic: Value[[]string]{[]string{"github.com/corp/lib"}, at(26)},
		SumDBKeys:  Value[[]string]{[]string{exampleKey}, at(16)},
		HTTPSProxy: Value[string]{"http://ci:s3cret@proxy.example:3128", at(18)}, HTTPProxy: Value[string]{"http://proxy.example:3128", at(19)},
		NoProxy:    Value[[]string]{[]string{".corp.example", "10.0.0.0/8"}, at(20)},
		Severity:   map[string]Value[string]{"GO001": {"off", at(21)}, "LCK003": {"error", at(21)}},
		WaiverDays: Value[int]{90, at(22)},
		Releases:   Value[string]{ReleasesAll, at(23)}, Age: map[string]Value[time.Duration]{source.Go: {72 * time.Hour, at(24)}}, AgeExclude: Value[[]string]{[]string{"a.example"}, at(24)},
	}
	if d := cmp.Diff(want, got, prefixes); d != "" {
		t.Error(d)
	}
	for _, secret := range []string{"s3cret", "pw"} {
		if !slices.Contains(got.Secrets(), secret) {
			t.Errorf("Secrets() lacks %q", secret)
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, yaml    string
		input, flag   map[string]string
		mode, origin  string
		tools, noProx []string
	}{
		{name: "default", mode: Enforce, origin: Default},
		{name: "file", yaml: "mode: audit", mode: Audit, origin: File + ":1"},
		{name: "input", yaml: "mode: audit", input: map[string]string{"mode": " enforce "}, mode: Enforce, origin: "input mode"},
		{name: "empty input", yaml: "mode: audit", input: map[string]string{"mode": "  "}, mode: Audit, origin: File + ":1"},
		{name: "flag", yaml: "mode: audit", input: map[string]string{"mode": "audit"}, flag: map[string]string{"mode": "enforce"}, mode: Enforce, origin: "flag --mode"},
		{name: "lists", yaml: "tools: auto", input: map[string]string{"tools": "npm, go,", "no-proxy": "a.example,.b.example"}, mode: Enforce, origin: Default,
			tools: []string{"go", "npm"}, noProx: []string{"a.example", ".b.example"}},
		{name: "auto over file", yaml: "tools: npm", flag: map[string]string{"tools": "auto"}, mode: Enforce, origin: Default},
		{name: "no flag for a secret", flag: map[string]string{"token": "x", "https-proxy": "http://a:1"}, mode: Enforce, origin: Default},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := Load([]byte(tt.yaml), File, false, lookup(tt.flag), lookup(tt.input))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(Value[string]{tt.mode, tt.origin}, c.Mode); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.tools, c.Tools.V); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.noProx, c.NoProxy.V); d != "" {
				t.Error(d)
			}
			if c.Token.V != "" || c.HTTPSProxy.V != "" {
				t.Error("a secret was taken from a flag")
			}
		})
	}
	dir, file, err := Where(lookup(map[string]string{"directory": "sub"}), lookup(map[string]string{"config": "ci//goproxy.yaml"}))
	if err != nil || dir != (Value[string]{"sub", "argument DIR"}) || file != (Value[string]{"ci/goproxy.yaml", "input config"}) {
		t.Errorf("Where() = %v, %v, %v", dir, file, err)
	}
}

func TestBadFlagsAndInputs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ setting, value, want string }{
		"choice":       {"mode", "warn", `input mode: "warn" is not allowed; allowed: enforce, audit`},
		"tool":         {"tools", "go,pip", `input tools: "pip" is no tool that is known here; allowed: go, npm, git, or auto alone`},
		"empty list":   {"tools", ",", `input tools: the value names no tool; name some of go, npm, git, or write auto`},
		"outside":      {"config", "../x.yaml", `input config: "../x.yaml" does not lie in the directory; name a file inside of it, such as .goproxy/config.yaml`},
		"new line":     {"directory", "a\nb", `input directory: "a\nb" holds a control character; write plain text on one line`},
		"secret proxy": {"https-proxy", "ci:hunter2@proxy:3128", `input https-proxy: the value is no address of a forward proxy; write it like http://proxy.example:3128, with special characters of a password percent-encoded`},
		"secret token": {"token", "hunter2\nX=1", `input token: the value holds a control character; write plain text on one line`},
		"proxy path":   {"http-proxy", "http://hunter2@proxy/path", `input http-proxy: the value holds more than scheme, credentials, host and port; write it like http://proxy.example:3128`},
		"no-proxy url": {"no-proxy", "http://a.example", `input no-proxy: "http://a.example" is no host, domain, address or CIDR; write it like .corp.example, 10.1.2.3 or 10.0.0.0/8`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(nil, "", false, nil, lookup(map[string]string{tt.setting: tt.value}))
			if problem.CodeOf(err) != problem.Usage || err.Error() != tt.want {
				t.Errorf("got  %v (code %d)\nwant %s", err, problem.CodeOf(err), tt.want)
			}
		})
	}
	if _, err := Load(nil, "", false, lookup(map[string]string{"mode": ""}), nil); err == nil || err.Error() != "flag --mode: the value is empty; write a value, or leave it out" {
		t.Errorf("empty flag: %v", err)
	}
	environ := []string{"INPUT_MODE=audit", "INPUT_HTTPS-PROXY=x", "INPUT_TOKNE=hunter2", "INPUT_OLD=", "INPUTS=1"}
	err := CheckInputs(environ)
	if problem.CodeOf(err) != problem.Usage || !strings.HasPrefix(err.Error(), `inputs of the action: there is no input "tokne"; allowed: directory, mode, `) {
		t.Errorf("unknown input: %v", err)
	}
	if err := CheckInputs(environ[:2]); err != nil {
		t.Error(err)
	}
}

// topKeys are the keys of the file, in the table's order.
func topKeys() string {
	var keys []string
	for _, s := range Settings() {
		if key, _, _ := strings.Cut(s.YAML, "."); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, ", ")
}

func TestBadFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, yaml, want string }{
		{"choice", "mode: off\n", `1:7: mode: "off" is not allowed; allowed: enforce, audit
>  1 | mode: off
             ^`},
		{"twice", "mode: audit\nmode: enforce\n", `2:1: "mode" is written twice, first in line 1; keep one
>  2 | mode: …
       ^`},
		{"unknown", "mode: audit\ntoken: hunter2\n", `2:1: "token" is no key of this file; allowed: ` + topKeys() + `
>  2 | token: ***
       ^`},
		{"unknown below", "trusted:\n  hosts: hunter2\n", `2:3: "hosts" is no key of trusted; allowed: go, npm, git, addresses, require-address
>  2 |   hosts: …
         ^`},
		{"path as a key", "proxy.https: hunter2\n", `1:1: "proxy.https" is no key of this file; allowed: ` + topKeys() + `
>  1 | proxy.https: …
       ^`},
		{"no mapping", "- a\n", "1:1: the file is a list, not a mapping; write `key: value` lines below it\n>  1 | - a\n       ^"},
		{"nothing said", "trusted:\n  go:\n", `2:3: trusted.go has nothing as its value; write a list, such as [goproxy.corp.example, .mirrors.example], or remove the key
>  2 |   go:
         ^`},
		{"two documents", "mode: audit\n---\nmode: enforce\n", "3:1: holds more than one document; keep one\n>  3 | mode: enforce\n       ^"},
		{"anchor", "mode: &a audit\n", `1:7: holds an anchor, an alias, a tag or a directive, which are not read here; write the value out
>  1 | mode: &a audit
             ^`},
		{"tag that the lexer drops", "!!!!", `1:1: holds an anchor, an alias, a tag or a directive, which are not read here; write the value out
>  1 | !!!!
       ^`},
		{"syntax", "é: [audit,\n", `1:5: is no valid YAML: sequence end token ']' not found; correct the spelling, quotes and indentation
>  1 | é: [audit,
          ^`},
		{"control", "mode: a\x1b[31m\n", "1:8: holds a control character or a byte that is no UTF-8; save it as plain text in UTF-8\n>  1 | mode: a\\x1b[31m\n              ^"},
		{"no UTF-8", "mode: \xff\n", "1:7: holds a control character or a byte that is no UTF-8; save it as plain text in UTF-8\n>  1 | mode: \\xff\n             ^"},
		{"host", "trusted: {go: [Foo.Example.]}", `1:16: trusted.go: "Foo.Example." is not the form that hosts are compared in; write "foo.example"
>  1 | trusted: {go: [Foo.Example.]}
                      ^`},
		{"host as URL", "trusted: {go: ['https://u:hunter2@foo.example:443/x']}", `1:16: trusted.go: "https://***@foo.example:443/x" is not the form that hosts are compared in; write "foo.example"
>  1 | trusted: ***@foo.example:443/x']}
       ^`},
		{"no host", "trusted: {go: ['fo%6f.example']}", `1:16: trusted.go: "fo%6f.example" is no host: address cannot be parsed as a URL; write a host such as goproxy.cn, a host with port, or a domain with a leading dot
>  1 | trusted: {go: ['fo%6f.example']}
                      ^`},
		{"no address", "sources: {go: ['foo:bar']}", `1:16: sources.go: "foo:bar" is no usable address: address of scheme "foo" names no host; write it like https://host/path
>  1 | sources: {go: ['foo:bar']}
                      ^`},
		{"star", "trusted: {npm: ['*.corp.example']}", `1:17: trusted.npm: "*.corp.example" is not the form that hosts are compared in; write ".corp.example"
>  1 | trusted: {npm: ['*.corp.example']}
                       ^`},
		{"one label", "trusted: {npm: [.example]}", `1:17: trusted.npm: ".example" takes in a whole top-level domain; name at least two parts after the dot, such as .corp.example
>  1 | trusted: {npm: [.example]}
                       ^`},
		{"address", "trusted:\n  addresses: [10.1.2.3/8]", `2:15: trusted.addresses: "10.1.2.3/8" has bits set behind its length; write "10.0.0.0/8"
>  2 |   addresses: [10.1.2.3/8]
                     ^`},
		{"mapped address", "trusted:\n  addresses: ['::ffff:10.0.0.1']", `2:15: trusted.addresses: "::ffff:10.0.0.1" is an IPv4 address in IPv6 clothes, which no connection has; write the IPv4 form
>  2 |   addresses: ['::ffff:10.0.0.1']
                     ^`},
		{"plain http", "sources: {go: [https://a.example, http://b.example]}", `1:35: sources.go: "http://b.example" is plain http, where anybody on the way can change what is downloaded; write an https address; http is allowed on this machine's own addresses only
>  1 | sources: {go: [https://a.example, http://b.example]}
                                         ^`},
		{"separator", "sources: {go: ['https://a.example/x,direct']}", `1:16: sources.go: "https://a.example/x,direct" holds a comma or a bar, which separate addresses; write one address per entry
>  1 | sources: {go: ['https://a.example/x,direct']}
                      ^`},
		{"key", "checksum-database: {keys: [a+b+c]}", `1:28: checksum-database.keys: "a+b+c" is no key of a checksum database; copy it whole, as name+hash+key
>  1 | checksum-database: {keys: [a+b+c]}
                                  ^`},
		{"rule", "severity: {GO001: off, go2: error}", `1:24: severity: "go2" is no rule; rules are called like GO001, or main.deny for what deny of package main finds
>  1 | severity: {GO001: off, go2: error}
                              ^`},
		{"severity", "severity: {GO001: bad}", `1:19: severity: "bad" is not allowed; allowed: off, note, warning, error
>  1 | severity: {GO001: bad}
                         ^`},
		{"strategy", "choose: {strategy: fastest}", `1:20: choose.strategy: "fastest" is not allowed; allowed: keep, latency, throughput, weighted, failover, consistent, regional, auto
>  1 | choose: {strategy: fastest}
                          ^`},
		{"weight", "choose: {weights: {official: 1.5}}", `1:30: choose.weights: "1.5" is no weight; write a whole number from 0 to 1000
>  1 | choose: {weights: {official: 1.5}}
                                    ^`},
		{"weight of a URL", "choose: {weights: {'https://a.example': 1}}", `1:20: choose.weights: "https://a.example" is not the form that hosts are compared in; write "a.example"
>  1 | choose: {weights: {'https://a.example': 1}}
                          ^`},
		{"order", "choose: {order: [official, .corp.example]}", `1:28: choose.order: ".corp.example" names no source; write an id such as official or goproxy.cn, or a host; goproxy-action detect lists them
>  1 | choose: {order: [official, .corp.example]}
                                  ^`},
		{"order twice", "choose: {order: [official, official]}", `1:28: choose.order: "official" is listed twice; keep one
>  1 | choose: {order: [official, official]}
                                  ^`},
		{"region", "choose: {region: 'CN, EU'}", `1:18: choose.region: "CN, EU" is no region; write one region as the catalogue of mirrors has it, such as CN
>  1 | choose: {region: 'CN, EU'}
                        ^`},
		{"lag", "choose: {max-lag: 90m}", `1:19: choose.max-lag: "90m" is no age; write whole hours or days, at most ten years, such as 72h or 3d
>  1 | choose: {max-lag: 90m}
                         ^`},
		{"jobs", "choose: {jobs: 0}", `1:16: choose.jobs: "0" is no number of jobs; write a whole number from 1 to 10000
>  1 | choose: {jobs: 0}
                      ^`},
		{"days", "waivers: {max-days: 1e3}", `1:21: waivers.max-days: "1e3" is no number of days; write a whole number from 1 to 3660
>  1 | waivers: {max-days: 1e3}
                           ^`},
		{"secret", "proxy:\n  https: ci:hunter2@proxy:3128\n", `2:10: proxy.https: the value is no address of a forward proxy; write it like http://proxy.example:3128, with special characters of a password percent-encoded`},
		{"secret beside", "proxy: {https: 'ci:hunter2@proxy', htp: x}", `1:16: proxy.https: the value is no address of a forward proxy; write it like http://proxy.example:3128, with special characters of a password percent-encoded`},
		{"too deep", strings.Repeat("- ", 100) + "a", "1:31: is nested deeper than 16 levels; no setting is deeper than three levels\n>  1 | " +
			strings.Repeat("- ", 80) + "…\n       " + strings.Repeat(" ", 30) + "^"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load([]byte(tt.yaml), File, false, nil, nil)
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != problem.Usage {
				t.Fatalf("err = %v", err)
			}
			got := strings.TrimSuffix(strings.TrimPrefix(p.Error(), File+":")+"\n"+p.Excerpt, "\n")
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("shows a secret")
			}
			// the same file by a link: nothing of it is quoted
			_, err = Load([]byte(tt.yaml), File, true, nil, nil)
			if !errors.As(err, &p) || p.Excerpt != "" || strings.Contains(p.Error(), `"`) {
				t.Errorf("linked: %v %s", err, p.Excerpt)
			}
		})
	}
	for name, yaml := range map[string]string{
		"large":  strings.Repeat("#", MaxFile+1),
		"tokens": strings.Repeat("a: 1\n", maxTokens/3+1),
		"flow":   strings.Repeat("[", MaxFile),
		"indent": indented(1000),
		"hosts":  "trusted:\n  go:\n" + strings.Repeat("  - host.example.\n", 13_000),
		"keys":   "severity:\n" + strings.Repeat("  GO001: error\n", 13_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Load([]byte(yaml), File, false, nil, nil); problem.CodeOf(err) != problem.Usage {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func indented(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", min(i, 240)) + "a:\n")
	}
	return b.String()
}

func TestStricter(t *testing.T) {
	t.Parallel()
	const by = " (stricter than the base commit)"
	for _, tt := range []struct {
		name, base, head string
		want             func(*Config)
	}{
		{"nothing", "", "", func(*Config) {}},
		{"mode raised", "mode: audit", "mode: enforce", func(c *Config) { c.Mode = Value[string]{Enforce, File + ":1" + by} }},
		{"mode weakened", "mode: enforce", "mode: audit", func(*Config) {}},
		{"all weakened", "trusted: {go: [a.example], addresses: [10.0.0.0/8], require-address: true}\ndirect: deny\nseverity: {GO001: warning}",
			"trusted: {go: [a.example, b.example], addresses: [0.0.0.0/0]}\nseverity: {GO001: note}", func(*Config) {}},
		{"nothing else counts", "", "tools: npm\nprobe: none\nsources: {go: [https://a.example]}\nofficial: {go: https://a.example}\nproxy: {https: http://a:1}\n" +
			"checksum-database: {keys: [" + exampleKey + "]}\nchoose: {strategy: weighted, weights: {a.example: 1000}, order: [a.example], region: CN, max-lag: 1h, jobs: 100}", func(*Config) {}},
		{"new list", "", "trusted: {go: [a.example], npm: []}", func(c *Config) {
			c.Trusted = map[string]Value[[]string]{source.NPM: {[]string{}, File + ":1" + by}}
		}},
		{"narrowed", "trusted: {go: [.corp.example, a.example, b.example]}", "trusted: {go: [x.corp.example, 'a.example:8443', evilcorp.example, corp.example]}", func(c *Config) {
			c.Trusted[source.Go] = Value[[]string]{[]string{"x.corp.example", "a.example:8443"}, File + ":1" + by}
		}},
		{"emptied", "trusted: {go: [a.example]}", "trusted: {go: []}", func(c *Config) {
			c.Trusted[source.Go] = Value[[]string]{[]string{}, File + ":1" + by}
		}},
		{"emptied and filled again", "trusted: {go: []}", "trusted: {go: [a.example]}", func(*Config) {}},
		{"addresses", "trusted: {addresses: [10.0.0.0/8, 192.0.2.0/24]}", "trusted: {addresses: [10.1.0.0/16, 192.0.0.0/16]}", func(c *Config) {
			c.Addresses = Value[[]netip.Prefix]{[]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.0.2.0/24")}, File + ":1" + by}
		}},
		{"first addresses", "", "trusted: {addresses: [10.1.0.0/16], require-address: true}\ndirect: deny", func(c *Config) {
			c.Addresses = Value[[]netip.Prefix]{[]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, File + ":1" + by}
			c.RequireAddress = Value[bool]{true, File + ":1" + by}
			c.Direct = Value[bool]{false, File + ":2" + by}
		}},
		{"fewer days", "", "waivers: {max-days: 30}", func(c *Config) { c.WaiverDays = Value[int]{30, File + ":1" + by} }},
		{"more days", "", "waivers: {max-days: 365}", func(*Config) {}},
		{"severity", "severity: {GO001: note, GO002: error}", "severity: {GO001: warning, GO002: off, GO003: error, GO004: warning}", func(c *Config) {
			c.Severity["GO001"] = Value[string]{"warning", File + ":1" + by}
			c.Severity["GO003"] = Value[string]{"error", File + ":1" + by}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base, want := load(t, tt.base), load(t, tt.base)
			tt.want(&want)
			if d := cmp.Diff(want, base.Stricter(load(t, tt.head)), prefixes); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(load(t, tt.base), base, prefixes); d != "" {
				t.Error("base was changed", d)
			}
		})
	}
	weak := lookup(map[string]string{"mode": "audit"}) // the workflow of the change says audit
	base, err := Load([]byte("mode: enforce"), File, false, nil, weak)
	if err != nil || base.Mode.V != Audit {
		t.Fatal(base.Mode, err)
	}
	if got := base.Stricter(base).Mode; got != (Value[string]{Enforce, File + ":1"}) {
		t.Errorf("an input took enforce back: %v", got)
	}
}

func TestCovered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		wide, entry string
		want        bool
	}{
		{"a.example", "a.example", true}, {"a.example", "a.example:1", true}, {"a.example:1", "a.example", false},
		{".a.example", "b.a.example", true}, {".a.example", "b.a.example:1", true}, {".a.example", ".b.a.example", true},
		{".a.example", "a.example", false}, {".a.example", "ba.example", false}, {"a.example", "b.a.example", false},
		{"::1", "::1:8443", false}, {"", "::1", false},
	} {
		if got := covered([]string{tt.wide}, tt.entry); got != tt.want {
			t.Errorf("covered(%q, %q) = %v", tt.wide, tt.entry, got)
		}
	}
}

// FuzzLoad: no file makes it panic or wait, none is half read, and no message has more than one line or shows a password.
func FuzzLoad(f *testing.F) {
	f.Add("mode: audit\ntrusted: {go: [a.example], addresses: [10.0.0.0/8]}\n")
	f.Add("proxy:\n  https: http://ci:hunter2@proxy.example:3128\n  no-proxy: a,b\n")
	f.Add("? a\n: b\n---\n<<: *x\n")
	f.Add("severity: {GO001: off,\n\tx: !!y |\n  z}")
	f.Add("a: \"\\u202e\\x00\" # é\n- [{")
	f.Fuzz(func(t *testing.T, yaml string) {
		defer time.AfterFunc(10*time.Second, func() { panic(fmt.Sprintf("10 s for %d bytes: %q", len(yaml), yaml)) }).Stop()
		for _, linked := range []bool{false, true} {
			c, err := Load([]byte(yaml), "c.yaml", linked, nil, nil)
			if err == nil {
				if linked { // what was read can be read again, and is as strict as itself
					if d := cmp.Diff(c, c.Stricter(c), prefixes); d != "" {
						t.Error(d)
					}
				}
				continue
			}
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != problem.Usage || strings.ContainsAny(p.Error(), "\n\r\x1b") || linked && p.Excerpt != "" {
				t.Errorf("%q", err)
			}
			if strings.Count(p.Excerpt, "\n") > 1 || len(p.Excerpt) > 1200 {
				t.Errorf("excerpt %q", p.Excerpt)
			}
		}
	})
}

// The strategy regional says what it lacks, whoever asked for it.
func TestRegionalTakesRegion(t *testing.T) {
	t.Parallel()
	flag := func(name string) (string, bool) { return "regional", name == "strategy" }
	const rest = `the strategy regional takes a region; name the region in the configuration file (choose.region), such as CN, or take another strategy: keep, latency, throughput, weighted, failover, consistent, auto`
	if _, err := Load([]byte("choose: {strategy: regional}"), File, false, nil, nil); err == nil || err.Error() != File+":1: "+rest {
		t.Errorf("in the file: %v", err)
	}
	if _, err := Load(nil, File, false, flag, nil); err == nil || err.Error() != "flag --strategy: "+rest {
		t.Errorf("as a flag: %v", err)
	}
	if c, err := Load([]byte("choose: {region: CN}"), File, false, flag, nil); err != nil || c.Strategy.V != StrategyRegional {
		t.Errorf("%+v, %v", c.Strategy, err)
	}
}
