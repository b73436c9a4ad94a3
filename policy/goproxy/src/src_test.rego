package goproxy.src_test

import data.goproxy.src

base := {
	"url": "https://a.test/x", "scheme": "https", "host": "a.test", "port": "", "loopback": false, "userinfo": false, "broken": "",
	"id": "a.test", "ecosystem": "go", "role": "module-proxy", "origin": "runner", "via": "direct",
	"ips": ["192.0.2.7"], "addresses": "known", "setting": "GOPROXY",
}

broken := {"url": "", "scheme": "", "host": "", "broken": "address has no host"}

# listed are the findings of a rule about one source that differs from base, where trusted hosts are the user's list.
listed(id, change, trusted) := [f.severity |
	some f in src.finding with input as {"sources": [object.union(base, change)], "settings": []}
		with data.goproxy.trusted as {"go": trusted}
		with data.goproxy.trusted_set as {"go": true}
		with data.goproxy.builtin as {"go": {"goproxy.cn": true, "sum.golang.org": true}}
	f.id == id
]

# severities are the same without a list of the user's.
severities(id, change) := [f.severity |
	some f in src.finding with input as {"sources": [object.union(base, change)], "settings": []}
		with data.goproxy.builtin as {"go": {"goproxy.cn": true, "sum.golang.org": true}}
	f.id == id
]

test_src001_fires_by_origin if {
	severities("SRC001", {"origin": "runner"}) == ["note"]
	severities("SRC001", {"origin": "base"}) == ["note"]
	severities("SRC001", {"origin": "checkout"}) == ["warning"]
	severities("SRC001", {"origin": "change"}) == ["error"]
	severities("SRC001", {"origin": "nobody"}) == ["error"]
}

test_src001_fires_outside_the_users_list if {
	listed("SRC001", {}, {"b.test": true}) == ["error"]
	listed("SRC001", {"origin": "builtin", "host": "goproxy.cn"}, {}) == ["error"]
	listed("SRC001", {"host": "a.test.evil.test"}, {"a.test": true}) == ["error"]
}

test_src001_fires_on_a_broken_address if severities("SRC001", object.union(broken, {"origin": "user"})) == ["error"]

test_src001_silent_on_trusted_places if {
	severities("SRC001", {"host": "goproxy.cn", "origin": "change"}) == []
	severities("SRC001", {"origin": "user"}) == []
	severities("SRC001", {"host": "127.0.0.1", "loopback": true, "origin": "change"}) == []
	severities("SRC001", {"host": "", "scheme": "file", "url": "file:///srv"}) == []
	listed("SRC001", {}, {"a.test": true}) == []
}

test_src001_silent_on_a_known_checksum_database if {
	listed("SRC001", {"role": "checksum-db", "host": "sum.golang.org"}, {"a.test": true}) == []
	listed("SRC001", {"role": "checksum-db", "host": "sum.test", "origin": "builtin"}, {"a.test": true}) == []
}

test_src001_fires_on_an_unknown_checksum_database if {
	listed("SRC001", {"role": "checksum-db", "host": "sum.test"}, {"a.test": true}) == ["error"]
}

registry := {"ecosystem": "npm", "role": "registry", "origin": "change", "setting": "registry"}

npmrc := {
	"ecosystem": "npm", "name": "registry", "value": "https://a.test/x", "origin": "change",
	"place": {"url": "https://a.test/x/", "broken": ""},
}

# beside are the rules that object to a registry beside a setting of npm.
beside(source, setting) := {f.id |
	some f in src.finding with input as {
		"sources": [object.union(object.union(base, registry), source)],
		"settings": [object.union(npmrc, setting)],
	}
}

test_src001_silent_where_npm001_speaks if {
	beside({}, {}) == set()
	beside({"origin": "checkout"}, {"origin": "checkout"}) == set()
	beside({"scheme": "http", "url": "http://a.test/x"}, {"place": {"url": "http://a.test/x"}}) == set()
	beside(broken, {"place": broken}) == set()
}

test_src001_fires_where_npm001_was_tuned if {
	count(src.finding) == 1 with input as {"sources": [object.union(base, registry)], "settings": [npmrc]}
		with data.goproxy.tuned as {"NPM001": "off"}
}

test_src001_fires_on_a_registry_that_no_setting_names if {
	beside({}, {"place": {"url": "https://b.test/x"}}) == {"SRC001"}
	beside({}, {"name": "@corp:registry"}) == {"SRC001"}
	beside({}, {"origin": "base"}) == {"SRC001"}
	beside({"origin": "runner"}, {"origin": "runner"}) == {"SRC001"}
	beside({"role": "module-proxy"}, {}) == {"SRC001"}
	beside(broken, {"place": object.union(broken, {"broken": "another fault"})}) == {"SRC001"}
}

test_src002_fires_off_https if {
	severities("SRC002", {"scheme": "http"}) == ["error"]
	severities("SRC002", {"scheme": "ftp", "loopback": true}) == ["error"]
	severities("SRC002", {"scheme": "file", "host": "", "role": "registry"}) == ["error"]
}

test_src002_silent_on_https_loopback_and_directories if {
	severities("SRC002", {}) == []
	severities("SRC002", {"scheme": "http", "loopback": true}) == []
	severities("SRC002", {"scheme": "file", "host": ""}) == []
	severities("SRC002", broken) == []
	severities("SRC001", broken) == ["error"] # once
}

addressed(change, required) := [[f.severity, object.get(f, "status", "active")] |
	some f in src.finding with input as {"sources": [object.union(base, change)], "settings": []}
		with data.goproxy.addresses as ["192.0.2.0/24", "2001:db8::/32"]
		with data.goproxy.addresses_set as true
		with data.goproxy.require_address as required
	f.id == "SRC003"
]

test_src003_fires_outside_the_networks if {
	addressed({"ips": ["198.51.100.1"]}, false) == [["error", "active"]]
	count(addressed({"ips": ["192.0.2.7", "198.51.100.1", "2001:db9::1"]}, false)) == 2
}

test_src003_fires_on_unknown_addresses if {
	addressed({"ips": [], "addresses": "behind-proxy"}, false) == [["note", "unknown"]]
	addressed({"ips": [], "addresses": "behind-proxy"}, true) == [["error", "unknown"]]
	addressed({"ips": [], "addresses": "known"}, true) == [["error", "unknown"]]
	addressed({"ips": null, "addresses": "no-answer"}, true) == [["error", "unknown"]]
	addressed({"ips": [], "addresses": "not-asked"}, false) == [["note", "unknown"]]
}

test_src003_fires_where_the_network_did_not_answer if addressed({"ips": [], "addresses": "no-answer"}, false) == [["error", "unknown"]]

test_src003_silent_inside_the_networks if {
	addressed({}, true) == []
	addressed({"ips": ["192.0.2.7", "2001:db8::9"]}, true) == []
	addressed({"host": "127.0.0.1", "loopback": true, "ips": ["127.0.0.1"]}, true) == []
	addressed({"host": "", "scheme": "file", "ips": [], "addresses": "not-asked"}, true) == []
	addressed(object.union(broken, {"ips": [], "addresses": "not-asked"}), true) == []
}

test_src003_silent_without_an_allowlist if severities("SRC003", {"ips": ["198.51.100.1"]}) == []

test_src003_fires_on_an_empty_allowlist if {
	some f in src.finding with input as {"sources": [base], "settings": []}
		with data.goproxy.addresses as []
		with data.goproxy.addresses_set as true
	[f.id, f.severity] == ["SRC003", "error"]
}

test_position_is_kept if {
	some f in src.finding with input as {"sources": [object.union(base, {"file": ".npmrc", "line": 3, "column": 10})], "settings": []}
	[f.file, f.line, f.column] == [".npmrc", 3, 10]
}
