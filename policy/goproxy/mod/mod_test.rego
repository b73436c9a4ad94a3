package goproxy.mod_test

import data.goproxy.mod

replace(change) := object.union(
	{
		"module": "a.test/x", "version": "", "target": "../y", "target_version": "", "kind": "local",
		"outside": false, "foreign": false, "host": "", "origin": "checkout", "file": "go.mod", "line": 5, "column": 1,
	},
	change,
)

severities(change) := [f.severity | some f in mod.finding with input as {"go": {"replaces": [replace(change)], "unsummed": []}}]

test_mod001_fires if {
	severities({"outside": true}) == ["warning"]
	severities({"outside": true, "origin": "base"}) == ["warning"]
	severities({"outside": true, "origin": "change"}) == ["error"]
	severities({"kind": "module", "target": "b.test/x", "foreign": true}) == ["warning"]
	severities({"kind": "module", "target": "b.test/x", "foreign": true, "origin": "change"}) == ["error"]
}

test_mod001_silent_within_the_house if {
	severities({}) == []
	severities({"foreign": true}) == []
	severities({"kind": "module", "target": "a.test/y", "outside": true}) == []
}

test_mod010_fires if {
	findings := mod.finding with input as {"go": {"replaces": [], "unsummed": [{
		"module": "a.test/x", "version": "v1.0.0", "missing": "all", "sum": "go.sum", "file": "go.mod", "line": 7, "column": 2,
	}]}}
	findings == {{
		"id": "MOD010", "severity": "error", "subject": "a.test/x@v1.0.0", "msg": "a.test/x@v1.0.0 has no line in go.sum",
		"file": "go.mod", "line": 7, "column": 2,
	}}
}

test_mod010_silent_when_all_is_pinned if {
	count(mod.finding) == 0 with input as {"go": {"replaces": [], "unsummed": []}}
	count(mod.finding) == 0 with input as {}
}

# told are the severities of what the rules object to in facts of Go.
told(facts) := sort([sprintf("%s %s", [f.id, f.severity]) | some f in mod.finding with input as {"go": facts}])

test_mod001_fires_on_a_workspace_that_leads_outside if {
	told({"uses": [{"target": "../x", "origin": "checkout", "file": "go.work", "line": 3, "column": 2}]}) == ["MOD001 warning"]
	told({"uses": [{"target": "../x", "origin": "change"}]}) == ["MOD001 error"]
}

required(change) := {"requires": [object.union(
	{"id": "go-1", "kind": "release", "unlisted_host": false, "unlisted_prefix": false, "count": 1, "examples": ["a.test/x@v1.0.0"]},
	change,
)]}

test_mod002_fires if {
	every kind in {"pseudo", "prerelease", "incompatible"} {
		told(required({"kind": kind})) == ["MOD002 note"]
	}
	findings := mod.finding with input as {"go": required({"kind": "pseudo"})}
	{f.group | some f in findings} == {"go-1"}
}

test_mod002_silent_on_a_release if told(required({})) == []

test_mod006_fires if told(required({"unlisted_host": true})) == ["MOD006 error"]

test_mod006_silent_where_the_host_is_listed if told(required({"unlisted_prefix": true})) == ["MOD007 error"]

test_mod007_fires if told(required({"unlisted_host": true, "unlisted_prefix": true})) == ["MOD006 error", "MOD007 error"]

test_mod007_silent_where_the_prefix_is_listed if told(required({})) == []

test_mod008_fires if told({"excludes": [{"module": "a.test/x", "version": "v1.0.0"}]}) == ["MOD008 note"]

test_mod008_silent_without_a_directive if told({"excludes": []}) == []

tool(change) := {"tools": [object.union({"path": "a.test/x/cmd/x", "foreign": true, "origin": "change"}, change)]}

test_mod009_fires if told(tool({})) == ["MOD009 warning"]

test_mod009_silent_on_tools_of_the_house_and_those_that_were_there if {
	told(tool({"foreign": false})) == []
	told(tool({"origin": "base"})) == []
	told(tool({"origin": "checkout"})) == []
}

test_mod010_fires_on_a_missing_gomod_line if {
	told({"unsummed": [{"module": "a.test/x", "version": "v1.0.0", "missing": "gomod", "sum": "go.sum"}]}) == ["MOD010 warning"]
}

test_mod011_fires if told({"vendor": [{"module": "a.test/x@v1.0.0", "fault": "is another one"}]}) == ["MOD011 warning"]

test_mod011_silent_when_they_agree if told({"vendor": []}) == []

test_mod012_fires if {
	told({"clashes": [{"module": "a.test/x", "version": "v1.0.0", "other": "go.sum:3"}]}) == ["MOD012 error"]
}

test_mod012_silent_when_all_files_agree if told({"clashes": []}) == []

lookalike(change) := {"lookalikes": [object.union(
	{"module": "a.test/X", "kind": "case", "other": "a.test/x", "fault": "differs in case only", "origin": "checkout"},
	change,
)]}

test_mod013_fires if {
	told(lookalike({})) == ["MOD013 warning"]
	told(lookalike({"origin": "base"})) == ["MOD013 warning"]
	told(lookalike({"origin": "change"})) == ["MOD013 error"]
	told(lookalike({"kind": "similar"})) == ["MOD013 warning"]
	told(lookalike({"kind": "similar", "origin": "change"})) == ["MOD013 error"]
	told(lookalike({"kind": "foreign", "other": ""})) == ["MOD013 error"]
}

test_mod013_silent_where_paths_are_unlike if told({"lookalikes": []}) == []

test_mod014_fires if told({"debug": [{"setting": "tls10server=1", "effect": "lets TLS servers accept TLS 1.0"}]}) == ["MOD014 warning"]

test_mod014_silent_without_a_line if told({"debug": []}) == []
