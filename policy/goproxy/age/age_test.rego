package goproxy.age_test

import data.goproxy.age

flagged(change) := {"flagged": [object.union(
	{
		"ecosystem": "go", "name": "a.test/x", "version": "v1.0.0", "kind": "young", "detail": "was committed 2 hours ago",
		"question": "", "origin": "change", "file": "go.mod", "line": 5, "column": 2,
	},
	change,
)]}

told(change) := sort([sprintf("%s %s %s", [f.id, f.severity, object.get(f, "status", "active")]) |
	some f in age.finding with input as flagged(change)
])

test_mod003_fires if {
	told({"kind": "retracted"}) == ["MOD003 warning active"]
	told({"kind": "retracted", "origin": "checkout"}) == ["MOD003 warning active"]
	told({"kind": "retracted", "origin": "base"}) == ["MOD003 note active"]
	told({"kind": "unknown", "question": "state"}) == ["MOD003 note unknown"]
}

test_mod003_silent_on_npm if told({"kind": "retracted", "ecosystem": "npm"}) == []

test_mod004_fires if {
	told({"kind": "deprecated"}) == ["MOD004 warning active"]
	told({"kind": "deprecated", "origin": "base"}) == ["MOD004 note active"]
}

test_mod004_silent_on_npm if told({"kind": "deprecated", "ecosystem": "npm"}) == ["LCK015 warning active"]

test_mod005_fires if {
	told({}) == ["MOD005 error active"]
	told({"origin": "checkout"}) == ["MOD005 error active"]
	told({"origin": "base"}) == ["MOD005 warning active"]
	told({"kind": "unknown", "question": "age"}) == ["MOD005 error unknown"]
	told({"kind": "unknown", "question": "age", "origin": "base"}) == ["MOD005 note unknown"]
	age.finding == {{
		"id": "MOD005", "severity": "error", "subject": "a.test/x@v1.0.0", "msg": "a.test/x@v1.0.0 was committed 2 hours ago",
		"file": "go.mod", "line": 5, "column": 2,
	}} with input as flagged({})
}

test_mod005_silent_on_what_other_rules_are_for if {
	every kind in {"other", "clash", "script", "scope", "lookalike"} {
		told({"kind": kind}) == []
	}
	count(age.finding) == 0 with input as {}
}

test_lck014_fires if {
	told({"ecosystem": "npm"}) == ["LCK014 error active"]
	told({"ecosystem": "npm", "origin": "base"}) == ["LCK014 warning active"]
	told({"ecosystem": "npm", "kind": "unknown", "question": "age"}) == ["LCK014 error unknown"]
}

test_lck014_silent_on_go if told({}) == ["MOD005 error active"]

test_lck015_fires if {
	told({"ecosystem": "npm", "kind": "deprecated"}) == ["LCK015 warning active"]
	told({"ecosystem": "npm", "kind": "unknown", "question": "state"}) == ["LCK015 note unknown"]
}

test_lck015_silent_on_go if told({"kind": "deprecated"}) == ["MOD004 warning active"]
