package goproxy.wfl_test

import data.goproxy.wfl

action(change) := object.union(
	{
		"kind": "source", "ecosystem": "npm", "unchecked": false, "places": [], "job": "build", "command": "npm config set registry=x",
		"fault": "sets another npm registry", "origin": "checkout", "file": ".github/workflows/ci.yml", "line": 7, "column": 14,
	},
	change,
)

known := {"builtin": {"npm": {"npm.test": true}, "go": {"go.test": true}}, "trusted": {}, "trusted_set": {}, "official_unknown": {}}

listing := {"builtin": {"npm": {"npm.test": true}}, "trusted": {"npm": {"npm.test": true}}, "trusted_set": {"npm": true}, "official_unknown": {}}

at(url, scheme, host) := {"url": url, "scheme": scheme, "host": host, "port": "", "loopback": false, "userinfo": false, "broken": ""}

own := at("https://npm.test", "https", "npm.test")

other := at("https://a.test", "https", "a.test")

open := at("http://a.test", "http", "a.test")

told(actions, settings) := sort([sprintf("%s %s", [f.id, f.severity]) | some f in findings]) if {
	findings := wfl.finding with input as {"workflows": actions}
		with data.goproxy.builtin as settings.builtin
		with data.goproxy.trusted as settings.trusted
		with data.goproxy.trusted_set as settings.trusted_set
		with data.goproxy.official_unknown as settings.official_unknown
}

one(change) := told([action(change)], known)

test_wfl001_fires_on_a_change if {
	one({"origin": "change", "places": [other]}) == ["WFL001 warning"]
	one({"origin": "change", "places": [own, other]}) == ["WFL001 warning"]
	one({"origin": "change"}) == ["WFL001 warning"]
}

test_wfl001_fires_in_a_whisper_on_what_was_there if {
	every origin in {"base", "checkout"} {
		one({"origin": origin, "places": [other]}) == ["WFL001 note"]
		one({"origin": origin}) == ["WFL001 note"]
	}
}

test_wfl001_fires_on_what_goes_unverified if {
	every origin in {"base", "checkout", "change"} {
		one({"origin": origin, "unchecked": true}) == ["WFL001 warning"]
		one({"origin": origin, "places": [open]}) == ["WFL001 warning"]
	}
	findings := wfl.finding with input as {"workflows": [action({"places": [open]})]}
	findings == {{
		"id": "WFL001", "severity": "warning", "subject": "npm config set registry=x",
		"msg": "npm config set registry=x sets another npm registry, over http",
		"file": ".github/workflows/ci.yml", "line": 7, "column": 14,
	}}
}

test_wfl001_fires_by_the_list_of_the_user if {
	told([action({"places": [other]})], listing) == ["WFL001 warning"]
	told([action({"places": [own]})], listing) == []
}

test_wfl001_silent_on_trusted_places if {
	one({"origin": "change", "places": [own]}) == []
	one({"origin": "change", "ecosystem": "go", "places": [at("https://go.test", "https", "go.test")]}) == []
	one({"origin": "change", "ecosystem": "pip", "places": [at("https://pypi.org/simple", "https", "pypi.org")]}) == []
	one({"origin": "change", "places": [object.union(open, {"loopback": true})]}) == []
}

test_wfl001_whispers_where_the_official_source_is_not_known if {
	told([action({"origin": "change", "places": [own]})], object.union(known, {"official_unknown": {"npm": true}})) == []
	told([action({"origin": "change", "places": [other]})], object.union(known, {"official_unknown": {"npm": true}})) == ["WFL001 note"]
	told([action({"origin": "change", "places": [other]})], object.union(known, {"builtin": {"npm": false}})) == ["WFL001 note"]
}

test_wfl002_fires if {
	every origin in {"base", "checkout", "change"} {
		one({"kind": "early", "origin": origin}) == ["WFL002 warning"]
	}
}

test_wfl002_silent_on_other_kinds if one({"kind": "pipe", "origin": "base"}) == ["WFL003 note"]

test_wfl003_fires if {
	one({"kind": "pipe", "origin": "change"}) == ["WFL003 warning"]
	one({"kind": "pipe", "origin": "base"}) == ["WFL003 note"]
}

test_wfl003_silent_but_for_one_note_of_each_file if {
	told([action({"kind": "pipe", "line": n, "file": f}) | some f in ["a.yml", "b.yml"]; some n in [1, 2, 3]], known) == ["WFL003 note", "WFL003 note"]
	findings := wfl.finding with input as {"workflows": [action({"kind": "pipe", "line": n, "command": c, "fault": "runs"}) | some [n, c] in [[1, "a"], [4, "b"]]]}
	{[f.line, f.msg] | some f in findings} == {[1, "a runs (and 1 more in this file)"]}
	count(wfl.finding) == 0 with input as {"workflows": []}
}

test_wfl004_fires if {
	one({"kind": "adhoc", "origin": "change"}) == ["WFL004 warning"]
	one({"kind": "adhoc", "origin": "checkout"}) == ["WFL004 note"]
	told([action({"kind": "adhoc", "line": n, "origin": "change"}) | some n in [1, 2]], known) == ["WFL004 warning", "WFL004 warning"]
}

test_wfl004_silent_but_for_one_note_of_each_file if {
	told([action({"kind": "adhoc", "line": n}) | some n in [1, 2, 3]], known) == ["WFL004 note"]
	count(wfl.finding) == 0 with input as {}
}
