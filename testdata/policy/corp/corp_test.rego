package corp_test

import data.corp

replaces(target) := {"go": {"replaces": [{"module": "example.com/a", "target": target, "kind": "module", "file": "go.mod", "line": 7}]}}

git(host) := {"entries": [{"id": "g1", "kind": "git", "host": host}]}

test_fork_of_somebody_else if {
	some finding in corp.deny with input as replaces("github.com/somebody/a")
	finding._loc == {"file": "go.mod", "line": 7}
}

test_fork_of_ours if count(corp.deny) == 0 with input as replaces("git.corp.example/forks/a")

test_directory if count(corp.deny) == 0 with input as {"go": {"replaces": [{"kind": "local", "target": "./a"}]}}

test_git[name] if {
	some name, c in {
		"foreign": {"host": "github.com", "found": 1},
		"ours": {"host": "git.corp.example", "found": 0},
	}
	count(corp.deny_git) == c.found with input as git(c.host)
}
