package report

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/diagnose"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/machine"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

const msec = time.Millisecond

func src(id, eco, role, url string) source.Source {
	return source.Source{ID: id, Ecosystem: eco, Role: role, URL: url}
}

var (
	goOfficial  = src(source.Official, source.Go, source.ModuleProxy, "https://modules.official.test")
	npmOfficial = src(source.Official, source.NPM, source.Registry, "https://registry.official.test")
	goproxyCN   = src("goproxy.cn", source.Go, source.ModuleProxy, "https://goproxy.cn")
	withLogin   = src("mirror.corp.test", source.Go, source.ModuleProxy, "https://ci:hunter2@mirror.corp.test/go?token=hunter3")
)

func okRow(s source.Source, via string, relay detect.Answer) detect.Row {
	return detect.Row{Source: s, Via: via, OK: true, Content: detect.Yes, ChecksumDB: relay, Name: 1200 * time.Microsecond,
		Connect: 9 * msec, TLS: 14 * msec, FirstByte: 38 * msec, IPs: []string{"192.0.2.7"}}
}

func at(file string, line, column int) lockfile.Position {
	return lockfile.Position{File: file, Line: line, Column: column}
}

// asked are rules as the policy describes them, and one of a user's that says nothing of itself.
func asked(ids ...string) []decide.Rule {
	all := map[string]decide.Rule{
		"GO002":   {ID: "GO002", Title: "Pattern for private modules takes in public ones", Description: "What matches GOPRIVATE is neither asked of a proxy nor checked.", Severity: decide.Warning, Fix: "name your own organisation"},
		"GO004":   {ID: "GO004", Title: "GOPROXY holds what is no address", Description: "The go command ends at it.", Severity: decide.Error, Fix: "remove it"},
		"LCK003":  {ID: "LCK003", Title: "Locked package has no integrity", Description: "Nothing proves what comes over the net.", Severity: decide.Error, Fix: "install it again"},
		"LCK006":  {ID: "LCK006", Title: "Locked package is old", Severity: decide.Off},
		"SRC003":  {ID: "SRC003", Title: "Source has an address that is not allowed", Severity: decide.Error},
		"CORP001": {ID: "CORP001", Severity: decide.Error},
	}
	var out []decide.Rule
	for _, id := range ids {
		out = append(out, all[id])
	}
	return out
}

// situations are outcomes named after what a runner may find; each is rendered in each format.
func situations() map[string]Outcome {
	return map[string]Outcome{
		"verifyForked":  forked(),
		"doctorHostile": diagnosed(),
		"detectDeep": {Command: "detect", Dir: ".", Duration: 900 * msec, Detect: deepReport(), Machine: &machine.Reading{
			Settings: []machine.Setting{{Tool: machine.Git, Kind: machine.HTTPSProxy, For: "https://git.test/", Key: "http.proxy", Value: "http://ci:hunter2@proxy.test:3128", Shown: "http://***@proxy.test:3128", Origin: "~/.gitconfig:2", InForce: true},
				{Tool: machine.Environment, Kind: machine.NoProxy, Key: "NO_PROXY", Value: "a", Shown: "a\x1b[2J ::error::", Origin: "NO_PROXY"}},
			Conflicts: []machine.Conflict{{ID: "cases-differ", Tool: machine.Environment, Text: "HTTPS_PROXY and https_proxy differ", Fix: "set both", Origins: []string{"HTTPS_PROXY"}}}}},
		"mirrorsRanked": mirrors(),
		"allDirect": {
			Command: "setup", Dir: ".", Duration: 212 * msec,
			Detect: &detect.Report{Class: detect.Direct, Intercepted: detect.No, Duration: 44 * msec,
				Rows:     []detect.Row{okRow(goOfficial, detect.ViaDirect, detect.Yes), okRow(npmOfficial, detect.ViaDirect, detect.NotKnown)},
				Evidence: []string{"official answered without a proxy"}},
			Plan: &choose.Plan{Choices: []choose.Choice{
				{Ecosystem: source.Go, Kept: true, Why: "what is in force answers with verified content", GoDirect: true, SumDBReached: true,
					Sources: []choose.Picked{{Source: goOfficial, Via: detect.ViaDirect, Latency: 38 * msec, ChecksumDB: true}}},
				{Ecosystem: source.NPM, Kept: true, Why: "what is in force answers with verified content",
					Sources: []choose.Picked{{Source: npmOfficial, Via: detect.ViaDirect, Latency: 41 * msec}}}}},
			Decision: &decide.Decision{Verdict: decide.Allow, Mode: decide.Enforce, Counts: decide.Counts{Packages: 2149, Modules: 312, Sources: 2}},
		},
		"restrictedSwitched": {
			Command: "setup", Dir: ".", Duration: 2900 * msec, Where: "for the following steps of this job", Applied: true,
			Version: "1.2.3", Rules: asked("GO002", "GO004", "LCK006"),
			Detect: &detect.Report{Class: detect.Restricted, Intercepted: detect.No, Duration: 2510 * msec,
				Rows: []detect.Row{
					{Source: goOfficial, Via: detect.ViaDirect, Reason: "no connection within 2.5 s", Fault: detect.DialFault, Name: 3 * msec, IPs: []string{"192.0.2.1"}},
					okRow(goproxyCN, detect.ViaDirect, detect.Yes)},
				Evidence: []string{"official has an address and refuses connections", "goproxy.cn answers"}},
			Plan: &choose.Plan{Choices: []choose.Choice{{Ecosystem: source.Go, Why: "official does not answer: no connection within 2.5 s",
				Sources: []choose.Picked{{Source: goproxyCN, Via: detect.ViaDirect, Latency: 38 * msec, ChecksumDB: true}}}}},
			Decision: &decide.Decision{Verdict: decide.Allow, Mode: decide.Enforce, Counts: decide.Counts{Modules: 1, Sources: 1, Mended: 1, Warnings: 1},
				Findings: []decide.Finding{
					{ID: "GO002", Severity: decide.Warning, Status: decide.Active, Subject: "GOPRIVATE", Message: `the pattern "github.com" takes in public modules`, Fix: "name your own organisation: GOPRIVATE=github.com/org"},
					{ID: "GO004", Severity: decide.Error, Status: decide.Mended, Subject: "GOPROXY", Message: "entry 1 is no address", Fix: "remove it"}}},
			Changes: []inject.Change{{Kind: "env", Ecosystem: source.Go, Name: "GOPROXY", Value: "https://goproxy.cn", Shown: "https://goproxy.cn",
				Why: "official does not answer here"}},
			Proof:    "go fetched github.com/google/uuid v1.6.0 in 310 ms",
			NotAsked: []string{"direct downloads from github.com: GOPROXY ends without direct"},
		},
		"proxiedWithAuth": {
			Command: "setup", Dir: ".", Duration: 640 * msec, Where: "for the following steps of this job", Applied: true,
			Rules: asked("GO002"),
			Detect: &detect.Report{Class: detect.Proxied, Intercepted: detect.NotKnown, Duration: 420 * msec,
				Proxies:  []detect.Proxy{{Scheme: "https", URL: "http://ci:hunter2@proxy.corp.test:3128", Origin: "HTTPS_PROXY"}},
				Rows:     []detect.Row{{Source: withLogin, Via: detect.ViaProxy, OK: true, Content: detect.Yes, ChecksumDB: detect.No, Connect: 2 * msec, TLS: 30 * msec, FirstByte: 95 * msec}},
				Evidence: []string{"https://ci:hunter2@mirror.corp.test/go answers through the proxy only"}},
			Plan: &choose.Plan{Direct: []string{"git.corp.test"}, Choices: []choose.Choice{{Ecosystem: source.Go, Kept: true, Why: "https://ci:hunter2@mirror.corp.test answers",
				SumDB: "https://goproxy.cn/sumdb/sum.golang.org", Sources: []choose.Picked{{Source: withLogin, Via: detect.ViaProxy, Latency: 95 * msec}}}}},
			Decision: &decide.Decision{Verdict: decide.Allow, Mode: decide.Audit, Counts: decide.Counts{Modules: 3, Sources: 1}},
			Changes: []inject.Change{
				{Kind: "env", Ecosystem: "proxy", Name: "HTTPS_PROXY", Value: "http://ci:hunter2@proxy.corp.test:3128", Shown: "http://***@proxy.corp.test:3128", Why: "tools that read upper case only"},
				{Kind: "env", Ecosystem: "proxy", Name: "https_proxy", Value: "http://ci:hunter2@proxy.corp.test:3128", Why: "one value in both cases"},
				{Kind: "env", Ecosystem: source.Go, Name: "GOSUMDB", Value: "sum.golang.org https://goproxy.cn/sumdb/sum.golang.org", Shown: "sum.golang.org https://goproxy.cn/sumdb/sum.golang.org",
					Why: "its own host does not answer"}},
		},
		"interceptedDenied": {
			Command: "setup", Dir: ".", Duration: 380 * msec,
			Prefix: "services/my api/", Rules: asked("LCK003", "SRC003"),
			Detect: &detect.Report{Class: detect.Direct, Intercepted: detect.Yes, Issuer: "CN=Corp Inspection CA", SPKI: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
				Duration: 60 * msec, Rows: []detect.Row{okRow(npmOfficial, detect.ViaDirect, detect.NotKnown)}},
			Plan: &choose.Plan{Choices: []choose.Choice{{Ecosystem: source.NPM, Kept: true, Why: "it answers",
				Sources: []choose.Picked{{Source: npmOfficial, Via: detect.ViaDirect, Latency: 38 * msec}}}}},
			Decision: &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce, Counts: decide.Counts{Packages: 60, Sources: 1, Errors: 44, Warnings: 1},
				Findings: poisoned()},
			Problem: problem.New(problem.Violations, "setup", "see the findings", "44 errors"),
			Notes:   []string{"yarn.lock is not read yet"}, Unavailable: []string{"comments on the pull request"},
		},
		"waivedAndKnown": exceptions(),
		"offline": {
			Command: "setup", Dir: ".", Duration: 3100 * msec,
			Version: "1.2.3", Rules: asked("SRC003", "GO004"),
			Detect: &detect.Report{Class: detect.Offline, Duration: 3000 * msec,
				Rows:     []detect.Row{{Source: goOfficial, Via: detect.ViaDirect, Reason: "the name has no address", Fault: detect.NameFault}},
				Evidence: []string{"no source answered"}},
			Plan:     &choose.Plan{Choices: []choose.Choice{{Ecosystem: source.Go, Why: "none of 6 sources answers"}}},
			Decision: &decide.Decision{Verdict: decide.Failed, Mode: decide.Enforce, Counts: decide.Counts{Modules: 3}},
			Problem:  problem.New(problem.Unanswered, "setup", "connect the runner or set HTTPS_PROXY", "no source of Go modules answers"),
			NotAsked: []string{"SRC003: the addresses of the sources are not known"},
		},
		"captive": {
			Command: "detect", Duration: 350 * msec,
			Detect: &detect.Report{Class: detect.Captive, Intercepted: detect.NotKnown, Duration: 350 * msec,
				Rows: []detect.Row{{Source: goOfficial, Via: detect.ViaDirect, Reason: "answered 200 with a page that is no module file", Content: detect.No, Fault: detect.PageFault,
					Name: 900 * time.Microsecond, Connect: 1 * msec, FirstByte: 12 * msec, IPs: []string{"192.0.2.1", "2001:db8::1"}}},
				Evidence: []string{"official answers every question with the same page"}},
		},
		"hostileNames": {
			Command: "check", Dir: ".", Duration: 58 * msec,
			Rules: asked("CORP001"),
			Decision: &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce, Counts: decide.Counts{Packages: 4, Errors: 4},
				Findings: []decide.Finding{
					{ID: "LCK001", Severity: decide.Error, Status: decide.Active, Message: "comes from a host that is not trusted", Fix: "run `npm install` against your registry",
						Subject: "x\n::error::pwned\r##[error]pwned\x1b[31m@1.0.0", Position: at("a|b\n<img src=x>/package-lock.json", 3, 9)},
					{ID: "LCK002", Severity: decide.Error, Status: decide.Active, Message: "is fetched over http", Fix: "use https",
						Subject: "@org/team|`x` [a](https://evil.test) <script>alert(1)</script> #1 :white_check_mark: $x$@1.0.0", Position: at("package-lock.json", 7, 1)},
					{ID: "MOD010", Severity: decide.Error, Status: decide.Active, Message: "has no line in go.sum", Fix: "run go mod tidy",
						Subject: "evil.test/\u202egnp.exe\u200b\xff", Position: at("go.mod", 5, 2)},
					{ID: "NPM001", Severity: decide.Error, Status: decide.Active, Message: "https://u:hunter2@evil.test/?auth=hunter3 is not trusted", Position: at(".npmrc", 1, 1)}}},
			Notes: []string{"1. @everyone see https://evil.test/#1", "- | *bold* _it_ ~no~ \\ &amp; ![i](u)"},
			Problem: errors.Join(
				&problem.Problem{Code: problem.Usage, Op: ".goproxy/config.yaml:2:1", Err: errors.New(`key "mod" is not known`), Hint: "did you mean mode", Excerpt: "   1 | \x1b]0;x\n>  2 | ::error::mod: audit\n       ^\n"},
				errors.New("out of memory")),
		},
	}
}

// exceptions are what a team lives with: waived, waived no more, and there before the change.
func exceptions() Outcome {
	lock := func(id, severity, status, subject, message string, line int) decide.Finding {
		return decide.Finding{ID: id, Severity: severity, Status: status, Subject: subject, Message: subject + " " + message, Position: at("web/package-lock.json", line, 20), Fix: "install it from a registry over https"}
	}
	with := func(f decide.Finding, owner, expires, reason string) decide.Finding {
		f.Waiver = &decide.Waiver{Owner: owner, Expires: expires, Reason: reason}
		return f
	}
	tab := decide.Finding{ID: "MOD001", Severity: decide.Warning, Status: decide.Active, Subject: "a.test/x", Message: "a.test/x is replaced by b.test/x", Position: at("go.mod", 9, 10), Fix: "drop the replace directive"}
	hidden := tab
	hidden.Subject, hidden.Message, hidden.Position = "a.test/y", "a.test/y is replaced by b.test/y", at("sub/go.mod", 4, 1)
	return Outcome{
		Command: "check", Dir: ".", Duration: 61 * msec, Base: "main (0123456789ab)", Rules: asked("GO002", "LCK003"),
		Decision: &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce, Counts: decide.Counts{Packages: 40, Modules: 3, Errors: 1, Warnings: 2, Waived: 3, Known: 2},
			Findings: []decide.Finding{
				with(lock("LCK002", decide.Error, decide.Expired, "old@1.0.0", "comes from a.test over http, not https", 7), "build-team@corp.test", "2026-10-01", "the farm has no https"),
				with(lock("LCK002", decide.Error, decide.Waived, "a@1.0.0", "comes from a.test over http, not https", 15), "ann", "2026-12-31", "see https://ann:hunter2@wiki.test/7"),
				with(lock("LCK002", decide.Error, decide.Waived, "b@1.0.0", "comes from a.test over http, not https", 23), "ann", "2026-12-31", "see https://ann:hunter2@wiki.test/7"),
				with(lock("LCK002", decide.Error, decide.Waived, "c@1.0.0", "comes from a.test over http, not https", 31), "bob", "2027-01-31", "moves in January"),
				tab, hidden,
				lock("LCK003", decide.Error, decide.Known, "d@1.0.0", "has no integrity", 39),
				lock("LCK004", decide.Warning, decide.Known, "e@1.0.0", "is pinned by sha1 alone", 47)}},
		Excerpts: map[lockfile.Position]lockfile.Excerpt{
			at("web/package-lock.json", 7, 20):  {Text: `      "resolved": "http://***@a.test/old/-/old-1.0.0.tgz",`, Caret: 19},
			at("go.mod", 9, 10):                 {Text: "\treplace\ta.test/x => b.test/x v1.0.0 // ##[error]", Caret: 9},
			at("web/package-lock.json", 39, 20): {Text: "is not shown, since it is known", Caret: 0}},
		Notes:   []string{".goproxy/waivers.yaml:9:11: the waiver of GO003 by ann takes in nothing that was found; remove it, or correct its match"},
		Problem: problem.New(problem.Violations, "", "", "denied by policy: 1 error"),
	}
}

// forked is what verify tells of a log that shows two trees, with a name that a stranger chose.
func forked() Outcome {
	no := false
	head := func(size string) []byte {
		return []byte("go.sum database tree\n" + size + "\nAAAA=\n\n— sum.test Az3gru\n")
	}
	line := LogProblem{at("go.sum", 3, 17), "a.test/x", "v1.0.0", "unverified", "h1:a=", "", "the log shows different trees"}
	return Outcome{
		Command: "verify", Dir: ".", Duration: 14 * msec,
		Problem: problem.New(problem.Security, "", "", "the transparency log denies what would be built here: 1 error"),
		Decision: &decide.Decision{Verdict: decide.Deny, Mode: decide.Enforce, Counts: decide.Counts{Modules: 2, Errors: 1}, Findings: []decide.Finding{{
			ID: "SUM005", Severity: decide.Error, Status: decide.Active, Subject: "sum.test", Message: "the log shows different trees", Fix: "keep the report"}}},
		Log: &Log{Name: "sum.test", Lines: decide.LogLines{Total: 4, Private: 1, Unverified: 3}, Tree: 4, Head: string(head("4")), Consistent: &no, Source: "cache",
			Since: time.Unix(1_800_000_000, 0), Requests: 3, Bytes: 900, Problems: []LogProblem{line}, Private: []string{"corp.test/x\u202e"},
			Lies: []string{"https://ci:hunter2@relay.test: gave a head"}, Fork: &checksumdb.Fork{Older: head("4"), Newer: head("::5##[error]"), Source: "relay.test", Proof: tlog.TreeProof{{1}, {2}}},
			Vendored:  []LogProblem{{Position: at("vendor/modules.txt", 2, 3), Module: "b.test/y", Version: "v1.0.0"}},
			CachePath: "/cache/sum.test+00000001.log", CacheKey: "sum.test+00000001.log-4"},
	}
}

// deepReport has all that detect tells when a person asks, some of it by strangers.
func deepReport() *detect.Report {
	row := okRow(goOfficial, detect.ViaProxy, detect.Yes)
	return &detect.Report{Class: detect.Restricted, Intercepted: detect.Yes, Issuer: "CN=Evil\x1b[31m ::error::", SPKI: "AAAA=", Duration: 800 * msec,
		Rows: []detect.Row{row, {Source: withLogin, Via: detect.ViaDirect, Fault: detect.DialFault, Cause: detect.ConnectDropped, Reason: "no connection within 2.5 s"},
			{Source: goproxyCN, Via: detect.ViaDirect, Fault: detect.NameFault, Cause: detect.NamesDown, Reason: "the name server does not answer"}},
		Evidence: []string{"official answers"},
		Traits: []detect.Trait{{Name: detect.TLSIntercepted, Answer: detect.Yes, Evidence: []string{"the certificate is issued by \"CN=Evil ##[error]\""}},
			{Name: detect.CaptivePortal, Answer: detect.No, Evidence: []string{"what was asked for came"}}, {Name: detect.ClockWrong}},
		Names: []detect.Name{{Host: "modules.official.test", IPs: []netip.Addr{netip.MustParseAddr("10.1.2.3")}, Took: 3 * msec}, {Host: "xabc.com", Random: true, Cause: detect.NameUnknown, Took: msec},
			{Host: "silent.test", Cause: detect.NamesDown}},
		ProxyChecks: []detect.ProxyCheck{{URL: "http://***@proxy.test:3128", Origins: []string{"~/.gitconfig:2"}, Rows: []detect.Row{{Source: goOfficial, Via: detect.ViaProxy, Cause: detect.ProxyRefuses, Reason: "the proxy refuses it (403)"}}}},
		Bundles: []detect.Bundle{{Tool: "go", Trusts: detect.Yes}, {Tool: "npm", Own: true, Adds: true, Path: "/etc/corp.pem", Origin: "NODE_EXTRA_CA_CERTS", Broken: "does not exist", Trusts: detect.No},
			{Tool: "git", Path: "/etc/ssl/x.pem", Origin: "~/.gitconfig:4", Certificates: 140}, {Tool: "pip", Own: true}}}
}

// diagnosed is a doctor's outcome over a network that tries to deceive its reader.
func diagnosed() Outcome {
	steps := []diagnose.Step{{Name: diagnose.Settings, Status: diagnose.OK, Tried: "GOPROXY=https://ci:hunter2@mirror.corp.test/go", Saw: "no proxy is set"},
		{Name: diagnose.Name, Status: diagnose.OK, Tried: "the address of mirror.corp.test", Saw: "192.0.2.1", Took: 2 * msec},
		{Name: diagnose.Connect, Status: diagnose.Failed, Tried: "a connection", Saw: "::error::no connection\x1b[2J within 2.5 s", Took: 2500 * msec},
		{Name: diagnose.Proxy, Status: diagnose.Skipped, Saw: "it needs connect"}, {Name: diagnose.Policy, Status: diagnose.Skipped, Saw: "it needs connect"}}
	return Outcome{Command: "doctor", Dir: ".", Duration: 2600 * msec, Detect: deepReport(), Problem: problem.New(problem.Unanswered, "", "", "not healthy: x"),
		Notes: []string{"support.tar.gz holds the report"},
		Diagnosis: &diagnose.Diagnosis{Chains: []diagnose.Chain{{Subject: "go: mirror.corp.test", Steps: steps}, {Subject: "npm: official", OK: true, Steps: steps[:2]}},
			Causes: []diagnose.Cause{{ID: "connect-dropped", Subjects: []string{"go: mirror.corp.test"}, Why: "packets to mirror.corp.test vanish: a firewall drops them", Who: diagnose.NetworkTeam,
				Evidence: []string{"https://ci:hunter2@mirror.corp.test directly: ##[error]no connection"}, Fix: "have the firewall let it through", Command: `eval "$(goproxy-action setup)"`}},
			Notes: []string{"HTTPS_PROXY and https_proxy differ"}}}
}

// poisoned is a lock file with 42 entries without integrity, among others.
func poisoned() []decide.Finding {
	var out []decide.Finding
	for i := range 42 {
		out = append(out, decide.Finding{ID: "LCK003", Severity: decide.Error, Status: decide.Active, Subject: "left-pad@1." + strings.Repeat("1", i%3+1) + ".0",
			Message: "has no integrity", Position: at("package-lock.json", 12+8*i, 15), Fix: "run npm install --package-lock-only with a registry that gives sha512"})
	}
	return append(out,
		decide.Finding{ID: "LCK004", Severity: decide.Error, Status: decide.Active, Subject: "a@1.0.0", Message: "its integrity is broken", Position: at("package-lock.json", 400, 20), Fix: "remove the entry and install again"},
		decide.Finding{ID: "NPM001", Severity: decide.Error, Status: decide.Active, Subject: "NODE_TLS_REJECT_UNAUTHORIZED", Message: "NODE_TLS_REJECT_UNAUTHORIZED=0 switches TLS verification off", Fix: "unset NODE_TLS_REJECT_UNAUTHORIZED"},
		decide.Finding{ID: "NPM001", Severity: decide.Warning, Status: decide.Active, Subject: "proxy", Message: "a file of the machine names a proxy", Position: at("/etc/npmrc", 1, 1), Fix: "remove it"},
		decide.Finding{ID: "SRC003", Severity: decide.Error, Status: decide.StatusUnknown, Subject: "official", Message: "its addresses are not known", Fix: "allow the question or unset require-address"},
		decide.Finding{ID: "LCK001", Severity: decide.Note, Status: decide.Active, Subject: "b@1.0.0", Message: "comes from a host that the runner names", Position: at("package-lock.json", 9, 3)})
}
