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
		"module": "a.test/x", "version": "v1.0.0", "sum": "go.sum", "file": "go.mod", "line": 7, "column": 2,
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
