package goproxy.lck_test

import data.goproxy.lck

base := {
	"url": "https://registry.npmmirror.com", "scheme": "https", "host": "registry.npmmirror.com", "port": "",
	"loopback": false, "userinfo": false, "broken": "", "id": "g1", "ecosystem": "npm", "kind": "registry",
	"integrity": "sha512", "default": false, "origin": "checkout", "count": 3, "examples": ["left-pad@1.0.0"],
}

severities(id, change) := [f.severity |
	some f in lck.finding with input as {"entries": [object.union(base, change)]}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
	f.id == id
	f.group == "g1"
]

listed(change, trusted) := [f.severity |
	some f in lck.finding with input as {"entries": [object.union(base, change)]}
		with data.goproxy.trusted as {"npm": trusted}
		with data.goproxy.trusted_set as {"npm": true}
	f.id == "LCK001"
]

default_place := {"url": "", "scheme": "", "host": "", "default": true, "origin": "builtin"}

test_silent_on_what_is_well if {
	findings := lck.finding with input as {"entries": [base, object.union(base, default_place)]}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
	count(findings) == 0
}

test_lck001_fires_by_origin if {
	severities("LCK001", {"host": "a.test", "origin": "base"}) == ["warning"]
	severities("LCK001", {"host": "a.test", "origin": "checkout"}) == ["warning"]
	severities("LCK001", {"host": "a.test", "origin": "change"}) == ["error"]
	severities("LCK001", {"host": "a.test", "origin": "change", "kind": "tarball"}) == ["error"]
	severities("LCK001", {"port": "8443", "origin": "change"}) == ["error"]
}

test_lck001_fires_outside_the_users_list if {
	listed({}, {}) == ["error"]
	listed({"origin": "base"}, {"a.test": true}) == ["error"]
}

doubts(changes, trusted) := [[f.severity, f.status, f.subject] |
	some f in lck.finding with input as {"entries": [object.union(base, c) | some c in changes]}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
		with data.goproxy.official_unknown as {"npm": true, "go": false}
		with data.goproxy.trusted as {"npm": {}}
		with data.goproxy.trusted_set as {"npm": trusted}
	f.id == "LCK001"
	not f.group
]

test_lck001_fires_once_where_the_default_is_not_known if {
	doubts([{"host": "a.test"}, {"id": "g2", "host": "a.test", "integrity": "none"}], false) == [["note", "unknown", "a.test"]]
	doubts([{"host": "a.test"}, {"id": "g2", "host": "b.test"}], false) == [["warning", "unknown", "a.test, b.test"]]
	doubts([{"host": "a.test", "origin": "change"}], false) == [["error", "unknown", "a.test"]]
	doubts([{"host": "a.test"}, {"id": "g2", "host": "b.test", "origin": "change"}], false) == [["note", "unknown", "a.test"], ["error", "unknown", "b.test"]]
}

test_lck001_silent_on_what_is_known_not_to_be_the_default if {
	doubts([{}], false) == []
	doubts([{"host": "a.test"}], true) == []
	every change in [{"scheme": "http"}, {"port": "8443"}, {"userinfo": true}, {"kind": "tarball"}, {"kind": "git"}, {"ecosystem": "go"}] {
		doubts([object.union({"host": "a.test"}, change)], false) == []
		certain := [f.severity |
			some f in lck.finding with input as {"entries": [object.union(base, object.union({"host": "a.test"}, change))]}
				with data.goproxy.official_unknown as {"npm": true, "go": false}
			f.id == "LCK001"
			f.group == "g1"
		]
		certain == ["warning"]
	}
}

test_lck001_fires_on_git if {
	git := {"kind": "git", "integrity": "none", "origin": "change"}
	severities("LCK001", object.union(git, {"host": "a.test"})) == ["error"]
	severities("LCK001", object.union(git, {"host": "a.test", "scheme": "ssh", "origin": "checkout"})) == ["warning"]
	severities("LCK001", object.union(git, {"host": "github.com", "port": "8443"})) == ["error"]
	severities("LCK001", {"host": "github.com", "kind": "tarball", "origin": "change"}) == ["error"]
	listed(object.union(git, {"host": "a.test"}), {"registry.npmmirror.com": true}) == ["error"]
	listed(object.union(git, {"host": "github.com"}), {"registry.npmmirror.com": true}) == ["error"]
}

test_lck001_silent_on_git_at_forges if {
	every host in {"github.com", "codeload.github.com", "gitlab.com", "bitbucket.org", "codeberg.org"} {
		severities("LCK001", {"kind": "git", "integrity": "none", "origin": "change", "host": host, "scheme": "ssh"}) == []
	}
	listed({"kind": "git", "host": "github.com"}, {"github.com": true}) == []
	severities("LCK001", {"kind": "git", "host": "", "url": "file://", "scheme": "file", "origin": "change"}) == [] # LCK002
}

test_lck001_silent_on_trusted_places if {
	severities("LCK001", {"origin": "change"}) == []
	severities("LCK001", default_place) == []
	severities("LCK001", {"url": "", "scheme": "", "host": "", "broken": "address has no host", "origin": "change"}) == [] # LCK002
	listed({}, {"registry.npmmirror.com": true}) == []
	listed(default_place, {"a.test": true}) == []
}

test_lck002_fires if {
	severities("LCK002", {"scheme": "http"}) == ["error"]
	severities("LCK002", {"scheme": "http", "kind": "tarball"}) == ["error"]
	severities("LCK002", {"scheme": "ssh", "kind": "git", "integrity": "none"}) == ["warning"]
	severities("LCK002", {"scheme": "https", "kind": "git", "integrity": "none"}) == ["warning"]
	severities("LCK002", {"scheme": "http", "kind": "git", "integrity": "none"}) == ["error"]
	severities("LCK002", {"scheme": "git", "kind": "git", "integrity": "none"}) == ["error"]
	severities("LCK002", {"scheme": "", "host": "", "kind": "invalid", "broken": "address has no host"}) == ["error"]
	severities("LCK002", {"kind": "invalid"}) == ["error"]
	severities("LCK002", {"kind": "brand-new"}) == ["error"]
	severities("LCK002", {"scheme": "", "host": ""}) == ["error"]
}

test_lck002_silent_on_https_files_and_loopback if {
	severities("LCK002", {}) == []
	severities("LCK002", default_place) == []
	severities("LCK002", {"scheme": "http", "host": "127.0.0.1", "loopback": true}) == []
	severities("LCK002", {"scheme": "file", "host": "", "kind": "file", "integrity": "none"}) == []
}

test_lck003_fires if {
	severities("LCK003", {"integrity": "none"}) == ["error"]
	severities("LCK003", {"integrity": "none", "kind": "tarball"}) == ["error"]
	severities("LCK003", object.union(default_place, {"integrity": "none"})) == ["error"]
	severities("LCK003", object.union(default_place, {"integrity": "omitted"})) == ["note"]
}

test_lck003_silent_on_git_files_and_pinned if {
	severities("LCK003", {}) == []
	severities("LCK003", {"integrity": "none", "kind": "git"}) == []
	severities("LCK003", {"integrity": "none", "kind": "file"}) == []
}

test_lck004_fires if {
	severities("LCK004", {"integrity": "broken"}) == ["error"]
	severities("LCK004", {"integrity": "crc32"}) == ["error"]
	severities("LCK004", {"integrity": "sha1"}) == ["warning"]
	severities("LCK004", {"integrity": "md5"}) == ["warning"]
}

test_lck004_silent_on_weak_sums_of_the_checkout if {
	severities("LCK004", {"integrity": "sha1", "kind": "file"}) == []
	severities("LCK004", {"integrity": "broken", "kind": "file"}) == ["error"]
}

test_lck004_silent_on_strong_and_absent if {
	every integrity in {"sha512", "sha384", "sha256", "none", "omitted"} {
		severities("LCK004", {"integrity": integrity}) == []
	}
}

flagged(kind, change) := object.union(
	{
		"ecosystem": "npm", "name": "a", "version": "1.0.0", "kind": kind, "detail": "does so", "listed": false,
		"list_set": false, "origin": "base", "file": "package-lock.json", "line": 7, "column": 3,
	},
	change,
)

told(id, packages) := [[f.severity, f.subject, f.msg, f.line] |
	some f in lck.finding with input as {"flagged": packages}
	f.id == id
]

test_lck005_fires if {
	told("LCK005", [flagged("other", {})]) == [["error", "a@1.0.0", "a@1.0.0 does so", 7]]
	told("LCK005", [flagged("other", {"version": ""})]) == [["error", "a", "a does so", 7]]
}

test_lck005_fires_for_a_file_that_nobody_asks_for if {
	told("LCK005", [flagged("file", {})]) == [["warning", "a@1.0.0", "a@1.0.0 does so", 7]]
	told("LCK005", [flagged("file", {"origin": "checkout"})]) == [["warning", "a@1.0.0", "a@1.0.0 does so", 7]]
	told("LCK005", [flagged("file", {"origin": "change"})]) == [["error", "a@1.0.0", "a@1.0.0 does so", 7]]
}

test_lck005_silent if told("LCK005", [flagged("script", {}), flagged("clash", {}), flagged("deprecated", {})]) == []

test_lck006_fires if told("LCK006", [flagged("clash", {})]) == [["error", "a@1.0.0", "a@1.0.0 does so", 7]]

test_lck006_silent if told("LCK006", [flagged("script", {}), flagged("other", {})]) == []

test_lck007_fires_outside_the_list if {
	told("LCK007", [flagged("script", {"list_set": true})]) == [[
		"error", "a@1.0.0", "a@1.0.0 does so, and is not in the list scripts.npm", 7,
	]]
}

test_lck007_fires_for_what_a_change_brings_in if {
	told("LCK007", [flagged("script", {"origin": "change"})]) == [[
		"warning", "a@1.0.0", "a@1.0.0 does so, and comes in by this change", 7,
	]]
}

test_lck007_fires_once_for_what_was_there if {
	told("LCK007", [flagged("script", {})]) == [["note", "a", "1 package runs a script when it is installed: a", 7]]
	told("LCK007", [
		flagged("script", {"line": 30, "name": "b"}), flagged("script", {"line": 9}),
		flagged("script", {"line": 20, "version": "2.0.0"}), flagged("script", {"name": "x", "file": "x/package-lock.json"}),
		flagged("script", {"line": 31, "name": "c"}), flagged("script", {"line": 40, "name": "d", "origin": "checkout"}),
		flagged("script", {"line": 41, "name": "e"}),
	]) == [
		["note", "a, b, c and 2 more", "5 packages run a script when they are installed: a, b, c and 2 more", 9],
		["note", "x", "1 package runs a script when it is installed: x", 7],
	]
}

test_lck007_fires_for_a_script_of_the_lock_file if {
	told("LCK007", [flagged("command", {"listed": true, "list_set": true})]) == [["error", "a@1.0.0", "a@1.0.0 does so", 7]]
}

test_lck007_silent_where_listed if {
	told("LCK007", [
		flagged("script", {"list_set": true, "listed": true}),
		flagged("script", {"list_set": true, "listed": true, "origin": "change"}),
	]) == []
}

lock := {
	"manager": "npm", "version": "3", "fault": "", "list_set": false, "packages": 9, "bundled": 0, "doubted": 0, "beside": [], "origin": "base",
	"file": "package-lock.json", "line": 4, "column": 22,
}

of_locks(id, change) := [[f.severity, f.subject, f.msg] |
	some f in lck.finding with input as {"npm": {"locks": [object.union(lock, change)]}}
	f.id == id
]

test_lck010_fires if {
	of_locks("LCK010", {"fault": "says little"}) == [["note", "package-lock.json", "package-lock.json says little"]]
	of_locks("LCK010", {"fault": "is binary", "manager": "bun", "file": "bun.lockb"}) == [["warning", "bun.lockb", "bun.lockb is binary"]]
	of_locks("LCK010", {"fault": "says little", "origin": "change"}) == [["warning", "package-lock.json", "package-lock.json says little"]]
	of_locks("LCK010", {"fault": "says little", "list_set": true}) == [["error", "package-lock.json", "package-lock.json says little"]]
}

test_lck010_silent if of_locks("LCK010", {}) == []

test_lck011_fires if {
	of_locks("LCK011", {"bundled": 1})[0][2] == "package-lock.json has a package that comes in the tarball of another one"
	of_locks("LCK011", {"bundled": 3}) == [[
		"note", "package-lock.json", "package-lock.json has 3 packages that come in the tarballs of others",
	]]
	of_locks("LCK011", {"bundled": 1, "doubted": 1}) == [["warning", "package-lock.json", concat("", [
		"package-lock.json has a package that comes in the tarball of another one, ",
		"if that is true: the file does not tell, and npm fetches what is in none, without a hash",
	])]]
}

test_lck011_silent if of_locks("LCK011", {}) == []

remedies(change) := {f.fix |
	some f in lck.finding with input as {"entries": [object.union(base, change)]}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
}

test_remedies_are_of_the_manager if {
	every fault in [{"integrity": "none"}, {"integrity": "broken"}] {
		remedies(object.union(fault, {"file": "a/yarn.lock"})) == {"delete the entry, run yarn install, and commit the lock file"}
		remedies(object.union(fault, {"file": "pnpm-lock.yaml"})) == {"run pnpm install --fix-lockfile --lockfile-only, and commit the lock file"}
		remedies(object.union(fault, {"file": "bun.lock"})) == {"delete the entry, run bun install, and commit the lock file"}
		some fix in remedies(object.union(fault, {"file": "npm-shrinkwrap.json"}))
		contains(fix, "npm install")
	}
}

said(change) := [f.msg |
	some f in lck.finding with input as {"entries": [object.union(base, change)]}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
]

test_words_of_yarn_2 if {
	said({"integrity": "foreign"}) == ["has a checksum of another cache (cacheKey) than the lock file's own, which yarn compares with nothing"]
	said({"kind": "git"}) == ["comes from git at registry.npmmirror.com, and yarn's checksum is of what its scripts made of it"]
}
