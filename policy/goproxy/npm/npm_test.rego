package goproxy.npm_test

import data.goproxy.npm

setting(name, value, change) := object.union(
	{
		"ecosystem": "npm", "name": name, "value": value, "kind": object.get(kinds, name, ""), "fault": "",
		"origin": "checkout", "from": ".npmrc", "file": ".npmrc", "line": 1, "column": 1,
	},
	change,
)

kinds := {
	"registry": "registry", "strict-ssl": "tls", "NODE_TLS_REJECT_UNAUTHORIZED": "tls", "proxy": "proxy", "https-proxy": "proxy",
	"cafile": "authority", "ca": "authority", "userconfig": "redirect", "globalconfig": "redirect", "prefix": "redirect",
}

registry(change) := setting("registry", "https://a.test/", {"place": object.union(
	{"url": "https://a.test/", "scheme": "https", "host": "a.test", "port": "", "loopback": false, "userinfo": false, "broken": ""},
	change,
)})

# faulty is a setting of some kind that is wrong by itself.
faulty(kind, origin) := setting("x", "y", {"kind": kind, "fault": "does harm", "origin": origin})

from(origin, s) := object.union(s, {"origin": origin})

severities(s) := found("NPM001", s)

found(id, s) := sort([f.severity |
	some f in npm.finding with input as {"settings": [s]}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
	f.id == id
	f.subject == s.name
])

messages(s) := {f.msg | some f in npm.finding with input as {"settings": [s]}}

listed(s, trusted) := [f.severity |
	some f in npm.finding with input as {"settings": [s]}
		with data.goproxy.trusted as {"npm": trusted}
		with data.goproxy.trusted_set as {"npm": true}
]

test_npm001_fires_on_registries_of_the_checkout if {
	severities(from("base", registry({}))) == ["note"]
	severities(registry({})) == ["warning"]
	severities(from("change", registry({}))) == ["error"]
	severities(from("change", object.union(registry({}), {"name": "npmScopes.corp.npmRegistryServer"}))) == ["error"]
	severities(registry({"host": "registry.npmmirror.com", "scheme": "http"})) == ["error"]
	severities(registry({"host": "registry.npmmirror.com", "userinfo": true})) == ["warning"]
	severities(registry({"url": "", "scheme": "", "host": "", "broken": "address has no host"})) == ["error"]
	severities(setting("registry", "${URL}", {})) == ["error"]
	severities(from("change", object.union(registry({}), {"name": "disturl", "kind": "mirror"}))) == ["error"]
	severities(from("change", setting("x", "https://a.test/", {}))) == [] # of no kind that counts
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
	every origin in {"base", "checkout", "change", "runner", "nobody"} {
		severities(from(origin, setting("strict-ssl", "false", {"fault": "switches TLS verification off"}))) == ["error"]
	}
	severities(setting("NODE_TLS_REJECT_UNAUTHORIZED", "0", {"origin": "runner", "fault": "switches it off"})) == ["error"]
}

test_npm001_silent_on_verification_that_is_on if {
	severities(setting("strict-ssl", "true", {"origin": "builtin"})) == []
	severities(setting("NODE_TLS_REJECT_UNAUTHORIZED", "1", {"origin": "runner"})) == []
	severities(setting("strict-ssl", "false", {"ecosystem": "other", "fault": "switches TLS verification off"})) == []
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
			severities(setting(name, "/tmp/x", {"origin": origin, "fault": "it is outside of the checkout"})) == ["error"]
		}
	}
}

test_npm001_silent_on_files_that_were_read if {
	severities(setting("userconfig", "conf/rc", {})) == []
	severities(setting("userconfig", "/tmp/x", {"origin": "runner", "fault": "it is outside of the checkout"})) == []
}

test_npm001_silent_on_proxies_and_authorities_of_the_runner if {
	every name in {"proxy", "https-proxy", "cafile", "ca"} {
		severities(setting(name, "x", {"origin": "runner"})) == []
		severities(setting(name, "null", {})) == []
	}
}

test_npm001_fires_on_secrets_and_on_hosts_without_tls if {
	every kind in {"credential", "http"} {
		severities(faulty(kind, "base")) == ["warning"]
		severities(faulty(kind, "checkout")) == ["warning"]
		severities(faulty(kind, "change")) == ["error"]
		severities(faulty(kind, "nobody")) == ["error"]
	}
}

test_npm001_silent_on_variables_and_on_the_runners_secrets if {
	every kind in {"credential", "http"} {
		severities(faulty(kind, "runner")) == []
		severities(setting("x", "y", {"kind": kind})) == []
	}
}

test_npm003_fires if {
	found("NPM003", faulty("integrity", "base")) == ["error"]
	found("NPM003", faulty("integrity", "change")) == ["error"]
	found("NPM003", faulty("protection", "base")) == ["warning"]
	found("NPM003", faulty("protection", "checkout")) == ["warning"]
	found("NPM003", faulty("protection", "change")) == ["error"]
	found("NPM003", faulty("protection", "nobody")) == ["error"]
	found("NPM003", faulty("caution", "base")) == ["note"]
	found("NPM003", faulty("caution", "change")) == ["warning"]
	messages(faulty("integrity", "base")) == {"x in .npmrc does harm"}
}

test_npm003_silent if {
	every kind in {"integrity", "protection", "caution"} {
		found("NPM003", faulty(kind, "runner")) == []
		found("NPM003", setting("x", "y", {"kind": kind})) == []
	}
	found("NPM003", faulty("tls", "change")) == []
}

program(origin) := setting("yarnPath", "lib/yarn.cjs", {"kind": "program", "origin": origin})

test_npm004_fires if {
	found("NPM004", program("base")) == ["note"]
	found("NPM004", program("checkout")) == ["note"]
	found("NPM004", program("change")) == ["warning"]
	found("NPM004", program("nobody")) == ["warning"]
	every origin in {"base", "checkout", "change"} {
		found("NPM004", faulty("program", origin)) == ["error"]
	}
	messages(program("base")) == {"yarnPath in .npmrc starts lib/yarn.cjs of the checkout"}
	messages(setting("f", "f", {"from": "f", "kind": "program"})) == {"f is code that its tool starts"}
	messages(setting("injectEnvironmentFiles", ".env", {"kind": "program"})) == {"injectEnvironmentFiles in .npmrc gives its variables to all that yarn starts"}
}

test_npm004_silent if {
	found("NPM004", program("runner")) == []
	found("NPM004", faulty("protection", "change")) == []
}
