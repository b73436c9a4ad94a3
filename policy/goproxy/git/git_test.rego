package goproxy.git_test

import data.goproxy.git

forge := {"git": {"github.com": true}}

submodule(change) := object.union(
	{
		"name": "lib", "path": "lib", "branch": "", "ignore": "", "kind": "remote", "relative": false, "fault": "", "origin": "checkout",
		"url": "https://a.test/lib", "scheme": "https", "host": "a.test", "port": "", "loopback": false, "userinfo": false, "broken": "",
		"file": ".gitmodules", "line": 3, "column": 8,
	},
	change,
)

modules(change) := sort([f.severity |
	some f in git.finding with input as {"git": {"submodules": [submodule(change)]}}
		with data.goproxy.builtin as forge
	f.id == "GIT001"
	f.line == 3
])

test_git001_fires_on_hosts_that_are_not_trusted if {
	modules({}) == ["warning"]
	modules({"origin": "base"}) == ["note"]
	modules({"origin": "change"}) == ["error"]
	modules({"origin": "change", "scheme": "ssh"}) == ["error"]
	count(git.finding) == 1 with input as {"git": {"submodules": [submodule({"host": "github.com"})]}}
		with data.goproxy.trusted_set as {"git": true}
		with data.goproxy.trusted as {"git": {"a.test": true}}
}

test_git001_fires_on_ways_that_are_not_encrypted if {
	every scheme in {"http", "git", "ftp"} {
		modules({"host": "github.com", "scheme": scheme}) == ["warning"]
		modules({"host": "github.com", "scheme": scheme, "origin": "base"}) == ["warning"]
		modules({"host": "github.com", "scheme": scheme, "origin": "change"}) == ["error"]
	}
}

test_git001_fires_on_what_git_would_start_or_refuses if {
	every kind in {"command", "refused"} {
		every origin in {"base", "checkout", "change"} {
			modules({"kind": kind, "origin": origin, "fault": "is bad"}) == ["error"]
		}
	}
	every kind in {"local", "invalid"} {
		modules({"kind": kind, "fault": "is bad"}) == ["warning"]
		modules({"kind": kind, "fault": "is bad", "origin": "change"}) == ["error"]
	}
}

test_git001_fires_on_credentials if modules({"host": "github.com", "userinfo": true}) == ["note"]

test_git001_silent_on_trusted_and_relative_ones if {
	modules({"host": "github.com", "origin": "change"}) == []
	modules({"host": "github.com", "scheme": "ssh", "userinfo": true}) == []
	modules({"kind": "relative", "relative": true, "host": "", "scheme": "", "origin": "change"}) == []
	modules({"host": "localhost", "scheme": "http", "loopback": true}) == []
	count(git.finding) == 0 with input as {"git": {"submodules": [submodule({"origin": "change"})]}}
		with data.goproxy.trusted_set as {"git": true}
		with data.goproxy.trusted as {"git": {"a.test": true}}
}

setting(name, value, origin) := {"ecosystem": "git", "name": name, "value": value, "origin": origin, "from": "a file", "file": "/x/config", "line": 2, "column": 1}

settings(name, value, origin) := [f.severity |
	some f in git.finding with input as {"git": {}, "settings": [setting(name, value, origin)]}
	f.id == "GIT002"
	f.subject == name
]

test_git002_fires_on_verification_that_is_off if {
	every origin in {"runner", "checkout"} {
		settings("http.sslverify", "false", origin) == ["error"]
		settings("http.https://a.test/.sslverify", "false", origin) == ["error"]
		settings("GIT_SSL_NO_VERIFY", "true", origin) == ["error"]
	}
}

test_git002_fires_on_protocols_that_start_programs if {
	settings("protocol.allow", "always", "checkout") == ["error"]
	settings("protocol.ext.allow", "always", "runner") == ["warning"]
	settings("GIT_ALLOW_PROTOCOL", "https:ext", "runner") == ["warning"]
}

test_git002_fires_on_who_is_asked_on_the_way if {
	settings("http.proxy", "http://a.test:3128", "checkout") == ["warning"]
	settings("http.https://a.test/.curloptresolve", "b.test:443:192.0.2.1", "checkout") == ["warning"]
}

test_git002_silent_on_the_runners_settings if {
	settings("http.proxy", "http://a.test:3128", "runner") == []
	settings("http.proxy", "", "checkout") == []
	settings("http.sslverify", "true", "checkout") == []
	settings("protocol.file.allow", "always", "checkout") == []
	settings("protocol.allow", "user", "checkout") == []
	settings("GIT_ALLOW_PROTOCOL", "https:ssh:next", "runner") == []
	settings("safe.directory", "*", "runner") == []
	count(git.finding) == 0 with input as {"git": {}, "settings": [object.union(setting("http.sslverify", "false", "runner"), {"ecosystem": "other"})]}
}

rewrite(change) := object.union(
	{
		"name": "url.https://a.test/.insteadof", "setting": "url.https://a.test/.insteadof in a file", "instead_of": "https://github.com/",
		"push": false, "stays": false, "weaker": false, "origin": "runner", "file": "/x/config", "line": 2, "column": 7,
		"url": "https://a.test/", "scheme": "https", "host": "a.test", "port": "", "loopback": false, "userinfo": false, "broken": "",
	},
	change,
)

rewrites(change) := sort([f.severity |
	some f in git.finding with input as {"git": {"rewrites": [rewrite(change)]}}
		with data.goproxy.builtin as forge
	f.id == "GIT002"
	f.line == 2
])

test_git002_fires_on_addresses_that_are_led_elsewhere if {
	rewrites({}) == ["note"]
	rewrites({"origin": "checkout"}) == ["warning"]
	rewrites({"weaker": true, "stays": true, "scheme": "http"}) == ["error"]
	rewrites({"weaker": true, "stays": true, "scheme": "http", "push": true}) == ["warning"]
	rewrites({"host": "", "scheme": "file", "origin": "checkout"}) == ["warning"]
	rewrites({"host": "", "broken": "is odd"}) == ["note"]
	rewrites({"host": "", "broken": "is odd", "origin": "checkout"}) == ["warning"]
	every push, severity in {false: "error", true: "warning"} {
		[severity] == [f.severity |
			some f in git.finding with input as {"git": {"rewrites": [rewrite({"push": push})]}}
				with data.goproxy.trusted_set as {"git": true}
				with data.goproxy.trusted as {"git": {}}
		]
	}
}

test_git002_silent_on_addresses_that_stay if {
	rewrites({"stays": true, "origin": "checkout"}) == []
	rewrites({"host": "github.com", "origin": "checkout"}) == []
	rewrites({"host": "", "scheme": "file"}) == []
	rewrites({"host": "localhost", "loopback": true, "scheme": "http"}) == []
}

program(change) := object.union(
	{
		"name": "core.sshcommand", "setting": "core.sshcommand in a file", "kind": "runner", "path": "", "usual": false, "unverified": false,
		"origin": "runner", "file": "/x/config", "line": 2, "column": 7,
	},
	change,
)

programs(change) := sort([f.severity |
	some f in git.finding with input as {"git": {"programs": [program(change)]}}
	f.id == "GIT002"
	f.line == 2
])

test_git002_fires_on_programs if {
	programs({"kind": "checkout", "path": "./ssh"}) == ["error"]
	programs({"kind": "checkout", "path": "./x", "name": "filter.x.clean"}) == ["warning"]
	programs({"kind": "checkout", "path": ".hooks", "name": "core.hookspath"}) == ["warning"]
	programs({"kind": "clone"}) == ["warning"]
	programs({"kind": "clone", "name": "filter.x.clean"}) == ["note"]
	programs({"usual": true, "unverified": true}) == ["warning"]
}

test_git002_silent_on_usual_programs if {
	programs({}) == []
	programs({"kind": "clone", "usual": true}) == []
	programs({"kind": "checkout", "usual": true, "name": "core.hookspath"}) == []
}

file(change) := object.union(
	{"path": ".gitconfig", "unread": "", "exceeds": false, "setting": "include.path in .git/config", "origin": "checkout", "file": "/x/config", "line": 2},
	change,
)

files(change) := [f.severity |
	some f in git.finding with input as {"git": {"files": [file(change)]}}
	f.id == "GIT002"
	f.line == 2
]

test_git002_fires_on_files_of_the_checkout if files({}) == ["warning"]

test_git002_fires_on_files_that_are_not_known if {
	files({"unread": "is reached by a symbolic link"}) == ["warning"]
	files({"unread": "it has more than 4096 KiB", "exceeds": true}) == ["error"]
}
