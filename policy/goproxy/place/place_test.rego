package goproxy.place_test

import data.goproxy.place

at(host, port) := {"scheme": "https", "host": host, "port": port, "loopback": false, "url": "https://x/"}

test_hostport if {
	place.hostport(at("a.test", "")) == "a.test"
	place.hostport(at("a.test", "8443")) == "a.test:8443"
	place.hostport(at("2001:db8::1", "")) == "2001:db8::1"
	place.hostport(at("2001:db8::1", "8443")) == "[2001:db8::1]:8443"
}

test_label_without_host if place.label({"host": "", "port": "", "url": "file:///srv"}) == "file:///srv"

grades(host, port, list) := severity if {
	severity := place.grade(at(host, port), "npm", "runner") with data.goproxy.trusted as {"npm": list}
		with data.goproxy.trusted_set as {"npm": true}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
}

test_bare_host_stands_for_all_ports if {
	grades("a.test", "", {"a.test": true}) == "off"
	grades("a.test", "8443", {"a.test": true}) == "off"
}

test_host_with_port_is_that_port if {
	grades("a.test", "8443", {"a.test:8443": true}) == "off"
	grades("a.test", "", {"a.test:8443": true}) == "error"
}

test_suffix_keeps_its_label if {
	grades("npm.corp.test", "", {".corp.test": true}) == "off"
	grades("npm.corp.test", "8443", {".corp.test": true}) == "off"
	grades("npm.corp.test", "8443", {".corp.test:8443": true}) == "off"
	grades("evilcorp.test", "", {".corp.test": true}) == "error"
	grades("corp.test", "", {".corp.test": true}) == "error"
	grades("npm.corp.test", "", {"corp.test": true}) == "error"
	grades("npm.corp.test.evil.test", "", {".corp.test": true}) == "error"
}

test_entry_that_is_false_trusts_nobody if {
	grades("a.test", "", {"a.test": false}) == "error"
	grades("npm.corp.test", "", {".corp.test": false}) == "error"
}

test_list_replaces_builtin if grades("registry.npmmirror.com", "", {"a.test": true}) == "error"

test_empty_list_denies if grades("registry.npmmirror.com", "", {}) == "error"

unlisted(host, port, origin) := severity if {
	severity := place.grade(at(host, port), "npm", origin) with data.goproxy.trusted as {}
		with data.goproxy.trusted_set as {}
		with data.goproxy.builtin as {"npm": {"registry.npmmirror.com": true}}
}

test_without_list_origin_decides if {
	expected := {"builtin": "off", "user": "off", "runner": "note", "base": "note", "checkout": "warning", "change": "error", "": "error", "new": "error"}
	every origin, severity in expected {
		unlisted("a.test", "", origin) == severity
	}
}

test_builtin_host_has_one_port if {
	unlisted("registry.npmmirror.com", "", "change") == "off"
	unlisted("registry.npmmirror.com", "8443", "change") == "error"
}

test_list_of_one_ecosystem_says_nothing_of_another if {
	severity := place.grade(at("a.test", ""), "npm", "runner") with data.goproxy.trusted as {"go": {"a.test": true}}
		with data.goproxy.trusted_set as {"go": true}
		with data.goproxy.builtin as {}
	severity == "note"
}

test_words if {
	place.why("npm", "base") == "is named by the base commit and in no list of trusted hosts"
	place.why("npm", "nobody") == "is named by an unknown party and in no list of trusted hosts"
	place.why("npm", "base") == "is not in the list trusted.npm" with data.goproxy.trusted_set as {"npm": true}
	contains(place.remedy(at("a.test", ""), "npm"), "all others you use")
	startswith(place.remedy(at("a.test", ""), "npm"), "add \"a.test\" to") with data.goproxy.trusted_set as {"npm": true}
}

test_secure if {
	place.secure({"scheme": "https", "loopback": false})
	place.secure({"scheme": "http", "loopback": true})
	not place.secure({"scheme": "http", "loopback": false})
	not place.secure({"scheme": "ftp", "loopback": true})
	not place.secure({"scheme": "", "loopback": false})
}
