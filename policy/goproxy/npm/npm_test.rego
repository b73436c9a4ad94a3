package goproxy.npm_test

import data.goproxy.npm

setting(name, value, change) := object.union(
	{"ecosystem": "npm", "name": name, "value": value, "origin": "checkout", "from": ".npmrc", "file": ".npmrc", "line": 1, "column": 1},
	change,
)

registry(change) := setting("registry", "https://a.test/", {"place": object.union(
	{"url": "https://a.test/", "scheme": "https", "host": "a.test", "port": "", "loopback": false, "userinfo": false, "broken": ""},
	change,
)})

from(origin, s) := object.union(s, {"origin": origin})

severities(s) := sort([f.severity |
	some f in npm.finding with input as {"settings": [s]}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
	f.id == "NPM001"
	f.subject == s.name
])

listed(s, trusted) := [f.severity |
	some f in npm.finding with input as {"settings": [s]}
		with data.goproxy.trusted as {"npm": trusted}
		with data.goproxy.trusted_set as {"npm": true}
]

test_npm001_fires_on_registries_of_the_checkout if {
	severities(from("base", registry({}))) == ["note"]
	severities(registry({})) == ["warning"]
	severities(from("change", registry({}))) == ["error"]
	severities(from("change", object.union(registry({}), {"name": "@corp:registry"}))) == ["error"]
	severities(registry({"host": "registry.npmmirror.com", "scheme": "http"})) == ["error"]
	severities(registry({"host": "registry.npmmirror.com", "userinfo": true})) == ["warning"]
	severities(registry({"url": "", "scheme": "", "host": "", "broken": "address has no host"})) == ["error"]
	severities(setting("registry", "${URL}", {})) == ["error"]
	listed(registry({}), {}) == ["error"]
}

test_npm001_fires_on_a_registry_behind_a_variable if {
	variable := registry({"url": "", "scheme": "", "host": "", "broken": "holds a variable, which is not expanded here"})
	severities(from("base", variable)) == ["warning"]
	severities(variable) == ["warning"]
	severities(from("change", variable)) == ["error"]
	severities(from("nobody", variable)) == ["error"]
	renamed := {"place": {"broken": "is set under a name that holds a variable, which is not expanded here"}}
	severities(object.union(variable, renamed)) == ["error"]
}

test_npm001_silent_on_trusted_and_on_the_runners_registries if {
	severities(registry({"host": "registry.npmmirror.com"})) == []
	severities(registry({"host": "localhost", "scheme": "http", "loopback": true})) == []
	severities(from("runner", registry({}))) == [] # SRC001 judges it
	severities(from("builtin", registry({}))) == []
	listed(registry({}), {"a.test": true}) == []
}

test_npm001_fires_on_verification_that_is_off if {
	every value in {"false", "FALSE", "0", "null", ""} {
		severities(setting("strict-ssl", value, {"origin": "runner"})) == ["error"]
	}
	severities(setting("strict-ssl", "false", {})) == ["error"]
	severities(setting("NODE_TLS_REJECT_UNAUTHORIZED", "0", {"origin": "runner"})) == ["error"]
}

test_npm001_silent_on_verification_that_is_on if {
	severities(setting("strict-ssl", "true", {"origin": "builtin"})) == []
	severities(setting("strict-ssl", "1", {})) == []
	severities(setting("NODE_TLS_REJECT_UNAUTHORIZED", "1", {"origin": "runner"})) == []
	severities(setting("strict-ssl", "false", {"ecosystem": "other"})) == []
}

test_npm001_fires_on_proxies_and_authorities_of_the_checkout if {
	every name in {"proxy", "https-proxy", "cafile", "ca"} {
		severities(setting(name, "x", {})) == ["warning"]
		severities(setting(name, "x", {"origin": "change"})) == ["error"]
	}
}

test_npm001_fires_on_files_that_were_not_read if {
	every name in {"userconfig", "globalconfig", "prefix"} {
		every origin in {"base", "checkout", "change", "nobody"} {
			severities(setting(name, "/tmp/x", {"origin": origin, "place": {"broken": "is outside of the checkout"}})) == ["error"]
		}
	}
}

test_npm001_silent_on_files_that_were_read if {
	severities(setting("userconfig", "conf/rc", {})) == []
	severities(setting("userconfig", "/tmp/x", {"origin": "runner", "place": {"broken": "is outside of the checkout"}})) == []
}

test_npm001_silent_on_proxies_and_authorities_of_the_runner if {
	every name in {"proxy", "https-proxy", "cafile", "ca"} {
		severities(setting(name, "x", {"origin": "runner"})) == []
		severities(setting(name, "null", {})) == []
	}
}
