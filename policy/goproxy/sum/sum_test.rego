package goproxy.sum_test

import data.goproxy.sum

problem := {
	"module": "a.test/x", "version": "v1.0.0", "status": "mismatch", "fault": "", "hash": "h1:a=", "log": "h1:b=", "file": "go.sum", "line": 3, "column": 17,
}

lines := {"total": 10, "verified": 10, "mismatch": 0, "absent": 0, "private": 0, "unverified": 0}

log := {
	"name": "sum.golang.org", "tree_size": 100, "consistent": true, "fork": "", "lies": [], "stale": "", "reason": "", "required": false,
	"lines": lines, "problems": [],
}

found(change) := findings if {
	findings := sum.finding with input as {"go": {"log": object.union(log, change)}}
}

severities(id, change) := [f.severity | some f in found(change); f.id == id]

test_silent_on_what_is_proven if {
	count(found({})) == 0
	count(sum.finding) == 0 with input as {"go": {}}
}

test_sum001_fires if found({"problems": [problem]}) == {{
	"id": "SUM001", "severity": "error", "subject": "a.test/x@v1.0.0", "file": "go.sum", "line": 3, "column": 17,
	"msg": "a.test/x@v1.0.0 has the hash h1:a=, and the log of sum.golang.org has h1:b=",
}}

test_sum001_silent_on_workspaces if severities("SUM001", {"problems": [object.union(problem, {"file": "a/go.work.sum"})]}) == []

test_sum002_fires if severities("SUM002", {"problems": [object.union(problem, {"status": "absent"})]}) == ["warning"]

test_sum002_silent_on_others if severities("SUM002", {"problems": [problem]}) == []

test_sum003_fires if severities("SUM003", {"lines": {"private": 2}}) == ["note"]

test_sum003_silent if severities("SUM003", {"lines": {"unverified": 2}}) == []

test_sum004_fires if {
	severities("SUM004", {"lines": {"unverified": 2}, "reason": "nobody was asked"}) == ["note"]
	severities("SUM004", {"lines": {"unverified": 2}, "required": true}) == ["error"]
	every f in found({"lines": {"unverified": 2}}) {
		f.status == "unknown"
	}
}

test_sum004_silent if severities("SUM004", {"lines": {"private": 2}, "required": true}) == []

test_sum005_fires if {
	severities("SUM005", {"fork": "shows two trees"}) == ["error"]
	severities("SUM005", {"lies": ["a", "b"]}) == ["error", "error"]
	severities("SUM005", {"stale": "is old"}) == ["warning"]
}

test_sum005_silent if severities("SUM005", {"consistent": null}) == []

test_sum006_fires if severities("SUM006", {"problems": [object.union(problem, {"file": "a/go.work.sum"})]}) == ["error"]

test_sum007_fires if found({"problems": [object.union(problem, {"status": "cached", "hash": "", "fault": "has the hash h1:a= in the module cache"})]}) == {{
	"id": "SUM007", "severity": "error", "subject": "a.test/x@v1.0.0", "file": "go.sum", "line": 3, "column": 17,
	"msg": "a.test/x@v1.0.0 has the hash h1:a= in the module cache, and the log of sum.golang.org has h1:b=",
}}

test_sum007_silent_on_lines if severities("SUM007", {"problems": [problem]}) == []

test_sum006_silent_on_go_sum if severities("SUM006", {"problems": [problem]}) == []
