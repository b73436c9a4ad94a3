package goproxy.golang_test

import data.goproxy.golang

base := {
	"sumdb": {"value": "sum.golang.org", "mode": "on", "name": "sum.golang.org", "key_known": true, "url": "", "origin": "builtin", "setting": ""},
	"proxies": [proxy("https", {})],
	"patterns": [],
	"flags": [],
	"modules": {"value": "on", "origin": "builtin", "setting": ""},
	"replaces": [],
	"unsummed": [],
}

proxy(scheme, change) := object.union(
	{
		"kind": "url", "before": "", "index": 0, "followed": false, "origin": "runner", "setting": "GOPROXY in the environment",
		"place": {"url": "https://goproxy.cn", "scheme": scheme, "host": "goproxy.cn", "port": "", "loopback": false, "userinfo": false, "broken": ""},
	},
	change,
)

# severities are those of a rule's findings about settings that differ from base.
severities(id, change) := sort([f.severity |
	some f in golang.finding with input as {"scope": "all", "go": object.union(base, change)}
	f.id == id
])

test_silent_on_the_defaults if {
	count(golang.finding) == 0 with input as {"scope": "all", "go": base}
	count(golang.finding) == 0 with input as {"scope": "all"}
}

test_silent_on_the_machine_in_scope_repo if {
	count(golang.finding) == 0 with input as {"scope": "repo", "go": object.union(base, {"sumdb": {"mode": "off"}, "modules": {"value": "off"}})}
}

test_go001_fires if {
	severities("GO001", {"sumdb": {"mode": "off", "value": "off"}}) == ["error"]
	severities("GO001", {"sumdb": {"mode": "invalid", "value": "a b c"}}) == ["error"]
	severities("GO001", {"sumdb": {"mode": "", "value": ""}}) == ["error"]
	severities("GO001", {"sumdb": {"key_known": false, "name": "sum.test"}}) == ["error"]
	severities("GO001", {"sumdb": {"url": "http://sum.test"}}) == ["error"]
	severities("GO001", {"sumdb": {"url": "HTTP://sum.test"}}) == ["error"]
	severities("GO001", {"sumdb": {"url": "http://localhost.evil.test/"}}) == ["error"]
	severities("GO001", {"sumdb": {"url": "http://localhost@evil.test/"}}) == ["error"]
	severities("GO001", {"sumdb": {"url": "http://127.0.0.1.evil.test/"}}) == ["error"]
	severities("GO001", {"sumdb": {"url": "http://sum.test", "key_known": false}}) == ["error", "error"]
}

test_go001_silent_on_a_known_database if {
	severities("GO001", {"sumdb": {"url": "https://goproxy.cn/sumdb/sum.golang.org"}}) == []
	severities("GO001", {"sumdb": {"url": "http://127.0.0.1:8080/sumdb/sum.golang.org"}}) == []
	severities("GO001", {"sumdb": {"url": "http://[::1]:8080"}}) == []
	severities("GO001", {"sumdb": {"url": "http://localhost"}}) == []
}

pattern(name, change) := {"patterns": [object.union(
	{"name": name, "pattern": "corp.test", "broad": false, "spaced": false, "hostless": false, "origin": "runner", "setting": ""},
	change,
)]}

test_go002_fires if {
	severities("GO002", pattern("GOPRIVATE", {"broad": true})) == ["warning"]
	severities("GO002", pattern("GONOSUMDB", {"broad": true})) == ["warning"]
	severities("GO002", pattern("GOPRIVATE", {"spaced": true})) == ["warning"]
	severities("GO002", pattern("GONOPROXY", {"spaced": true})) == ["warning"]
	severities("GO002", pattern("GONOPROXY", {"broad": true})) == ["note"]
	severities("GO002", pattern("GOPRIVATE", {"hostless": true})) == ["note"]
	severities("GO002", pattern("GOPRIVATE", {"broad": true, "spaced": true})) == ["warning", "warning"]
}

test_go002_silent_on_a_sane_pattern if {
	severities("GO002", pattern("GOPRIVATE", {})) == []
	severities("GO002", pattern("GONOPROXY", {"pattern": "none", "hostless": true})) == []
}

test_go003_fires if severities("GO003", pattern("GOINSECURE", {})) == ["error"]

test_go003_silent_on_other_patterns if severities("GO003", pattern("GOPRIVATE", {})) == []

test_go004_fires if {
	severities("GO004", {"proxies": [proxy("https", {"before": "|"})]}) == ["warning"]
	severities("GO004", {"proxies": [proxy("https", {"kind": "direct", "followed": true})]}) == ["warning"]
	severities("GO004", {"proxies": [proxy("https", {"kind": "invalid", "place": {"broken": "address has no host"}})]}) == ["error"]
	severities("GO004", {"proxies": [proxy("http", {"place": {"userinfo": true}})]}) == ["error"]
	severities("GO004", {"proxies": [proxy("https", {"place": {"userinfo": true}})]}) == ["note"]
	severities("GO004", {"proxies": [proxy("https", {"before": "|", "place": {"userinfo": true}})]}) == ["note", "warning"]
}

test_go004_fires_on_an_entry_without_place if {
	severities("GO004", {"proxies": [{"kind": "invalid", "before": "", "index": 1, "followed": false, "setting": ""}]}) == ["error"]
	severities("GO004", {"proxies": [{"kind": "direct", "before": "|", "index": 1, "followed": false, "setting": ""}]}) == ["warning"]
}

test_go004_silent_on_a_sane_list if {
	# SRC002 judges the scheme
	list := [
		proxy("https", {"followed": true}),
		proxy("http", {"before": ",", "followed": true}),
		{"kind": "file", "before": ",", "index": 2, "followed": false, "setting": ""},
		{"kind": "direct", "before": ",", "index": 3, "followed": false, "setting": ""},
		{"kind": "off", "before": ",", "index": 4, "followed": false, "setting": ""},
	]
	severities("GO004", {"proxies": list}) == []
}

denied(proxies) := sort([f.severity |
	some f in golang.finding with input as {"scope": "all", "go": object.union(base, {"proxies": proxies})}
		with data.goproxy.direct_denied as true
])

direct(index) := {"kind": "direct", "before": ",", "index": index, "followed": false, "setting": "GOPROXY in the environment"}

past(settings, name, change) := sort([f.severity |
	some f in golang.finding with input as {"scope": "all", "settings": settings, "go": object.union(base, pattern(name, change))}
		with data.goproxy.direct_denied as true
	f.id == "GO004"
])

noproxy := [{"ecosystem": "go", "name": "GONOPROXY", "value": "none"}]

test_go004_fires_on_a_way_past_the_proxies if {
	past(noproxy, "GONOPROXY", {"broad": true}) == ["error"]
	past([], "GOPRIVATE", {"broad": true}) == ["error"]
}

test_go004_silent_on_patterns_of_your_own if {
	past(noproxy, "GONOPROXY", {}) == []
	past(noproxy, "GOPRIVATE", {"broad": true}) == []
	past([], "GONOSUMDB", {"broad": true}) == []
	past([], "GOPRIVATE", {"broad": true, "spaced": true}) == []
	severities("GO004", pattern("GOPRIVATE", {"broad": true})) == []
}

test_go004_fires_on_a_denied_direct if {
	denied([proxy("https", {}), direct(1)]) == ["error"]
	denied([proxy("https", {}), direct(1), object.union(direct(2), {"kind": "off"})]) == ["error"]
	denied([object.union(direct(0), {"before": "", "followed": true}), proxy("https", {"index": 1})]) == ["error", "warning"]
}

test_go004_silent_where_direct_is_allowed_or_never_reached if {
	severities("GO004", {"proxies": [proxy("https", {}), direct(1)]}) == []
	denied([proxy("https", {})]) == []
	denied([proxy("https", {}), object.union(direct(1), {"kind": "off"}), direct(2)]) == []
	count(golang.finding) == 0 with input as {"scope": "repo", "go": object.union(base, {"proxies": [direct(0)]})}
		with data.goproxy.direct_denied as true
}

flag(name, value) := {"flags": [{"name": name, "value": value, "origin": "runner", "setting": ""}]}

test_go005_fires if {
	severities("GO005", flag("insecure", "")) == ["error"]
	severities("GO005", flag("modcacherw", "")) == ["note"]
	severities("GO005", flag("mod", "mod")) == ["warning"]
	every name in {"modfile", "overlay", "toolexec", "exec"} {
		severities("GO005", flag(name, "x")) == ["warning"]
	}
}

test_go005_fires_on_flags_that_cannot_be_read if {
	findings := golang.finding with input as {"scope": "all", "go": object.union(base, {"flags": [{
		"name": "", "value": "", "broken": "a quote is not closed", "origin": "runner", "setting": "GOFLAGS in the environment",
	}]})}
	{[f.id, f.severity, f.subject, f.msg] | some f in findings} == {[
		"GO005", "error", "GOFLAGS",
		"GOFLAGS in the environment cannot be read: every go command will fail (a quote is not closed)",
	]}
}

test_go005_silent_on_other_flags if {
	severities("GO005", flag("mod", "readonly")) == []
	severities("GO005", flag("insecure", "false")) == []
	severities("GO005", flag("modcacherw", "false")) == []
	severities("GO005", flag("overlay", "false")) == ["warning"]
	severities("GO005", flag("trimpath", "")) == []
	severities("GO005", {"flags": [{"name": "trimpath", "value": "", "broken": "", "setting": ""}]}) == []
}

test_go009_fires if severities("GO009", {"modules": {"value": "off"}}) == ["error"]

test_go009_silent_when_on if severities("GO009", {}) == []

vcs(fault) := {"vcs": [{"entry": "public:all", "fault": fault, "setting": "GOVCS in the environment"}]}

test_go006_fires if severities("GO006", vcs("lets public modules be fetched by svn")) == ["warning"]

test_go006_silent_on_a_sane_list if severities("GO006", vcs("")) == []

toolchain(by) := {"toolchains": [{"name": "go1.27.1", "installed": "go1.26.8", "by": by, "setting": "the go line", "file": "go.mod", "line": 3, "column": 1}]}

test_go007_fires if {
	severities("GO007", toolchain("line")) == ["warning"]
	severities("GO007", toolchain("setting")) == ["note"]
}

test_go007_silent_where_the_installed_one_will_do if severities("GO007", {"toolchains": []}) == []

program(kind) := {"programs": [{"name": "GOAUTH", "kind": kind, "path": "", "setting": ""}]}

test_go008_fires if {
	severities("GO008", program("runner")) == ["note"]
	severities("GO008", program("checkout")) == ["error"]
	severities("GO008", program("git")) == ["warning"]
	severities("GO008", {"env_file": {"by": "GOENV", "content": "it sets GOFLAGS, CC", "file": "ci/go.env"}}) == ["warning"]
	severities("GO008", {"env_file": {"by": "GOENV", "content": "", "file": "ci/go.env"}}) == ["warning"]
}

goflags(change) := [f.severity |
	setting := object.union(
		{"ecosystem": "go", "name": "GOFLAGS", "value": "-x", "origin": "runner", "from": "/home/ci/go/env", "file": "/home/ci/go/env", "line": 1, "column": 9},
		change,
	)
	some f in golang.finding with input as {"scope": "all", "settings": [setting], "go": base}
	f.id == "GO008"
]

test_go008_fires_on_flags_that_outlive_the_job if goflags({}) == ["note"]

test_go008_silent_on_what_the_job_sets if {
	goflags({"name": "GOPROXY"}) == []
	goflags({"origin": "checkout"}) == []
	count(golang.finding) == 0 with input as {"scope": "all", "go": base, "settings": [{
		"ecosystem": "go", "name": "GOFLAGS", "value": "-x", "origin": "runner", "from": "GOFLAGS",
	}]}
	severities("GO008", {"programs": []}) == []
}
