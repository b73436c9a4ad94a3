# METADATA
# title: Settings of npm
# description: Registries that files of the checkout name, and TLS verification whoever switched it off.
package goproxy.npm

import data.goproxy.place

# METADATA
# title: npm setting weakens where packages come from
# description: An .npmrc of the checkout can send every install, with its credentials, somewhere else.
# custom:
#   id: NPM001
#   severity: error
#   fix: remove the setting
finding contains object.union(place.position(s), {
	"id": "NPM001",
	"severity": severity,
	"msg": sprintf("%s %s", [named(s), fault]),
	"subject": s.name,
	"fix": fix,
}) if {
	some [s, severity, fault, fix] in faults
}

# named says where a setting stands; that of a variable is its name.
named(s) := s.name if s.from in {"", s.name}

else := sprintf("%s in %s", [s.name, s.from])

# faults are [setting, severity, what is wrong, remedy].
faults contains [s, severity, sprintf("cannot be judged: %s", [broken(s)]), fix] if {
	some s in registries
	broken(s) != ""
	severity := unjudged(s)
	fix := sprintf("write %s=https://host/path", [s.name])
}

faults contains [s, severity, fault, place.remedy(s.place, "npm")] if {
	some s in registries
	broken(s) == ""
	severity := place.grade(s.place, "npm", s.origin)
	severity != "off"
	fault := sprintf("is %s, which %s", [place.label(s.place), place.why("npm", s.origin)])
}

faults contains [s, "error", fault, sprintf("write https:// in %s", [s.name])] if {
	some s in registries
	broken(s) == ""
	not place.secure(s.place)
	fault := sprintf("is %s, reached over %s, not https", [place.label(s.place), s.place.scheme])
}

faults contains [s, "warning", fault, "keep credentials in the configuration of the runner"] if {
	some s in registries
	s.place.userinfo
	fault := sprintf("is %s with a name or a password in the address", [place.label(s.place)])
}

faults contains [s, "error", "switches TLS verification off", "remove strict-ssl, and name your certificate authority in NODE_EXTRA_CA_CERTS"] if {
	some s in settings
	s.name == "strict-ssl"
	not lower(s.value) in {"true", "1"}
}

faults contains [s, "error", "switches TLS verification off in all of Node", "unset NODE_TLS_REJECT_UNAUTHORIZED, and name your certificate authority in NODE_EXTRA_CA_CERTS"] if {
	some s in settings
	s.name == "NODE_TLS_REJECT_UNAUTHORIZED"
	s.value == "0"
}

faults contains [s, severity, "decides whom npm trusts or asks on the way", sprintf("set %s in the configuration of the runner", [s.name])] if {
	some s in settings
	of_checkout(s)
	s.name in {"proxy", "https-proxy", "cafile", "ca"}
	not s.value in {"", "null", "false"}
	severity := object.get({"change": "error"}, s.origin, "warning")
}

faults contains [s, "error", fault, sprintf("remove it, or set %s in the configuration of the runner", [s.name])] if {
	some s in settings
	of_checkout(s)
	s.name in {"userconfig", "globalconfig", "prefix"}
	s.place.broken != ""
	fault := sprintf("sends npm to another file for its settings, which was not read: it %s", [s.place.broken])
}

settings := [s | some s in input.settings; s.ecosystem == "npm"]

registries contains s if {
	some s in settings
	of_checkout(s)
	names_registry(s.name)
}

of_checkout(s) if not s.origin in {"builtin", "runner", "user"}

names_registry("registry")

names_registry(name) if endswith(name, ":registry")

# unjudged is how grave it is that a registry cannot be judged. An address behind a variable is what teams write on
# purpose, and is no fault of a change that does not touch it; no other broken address ever worked as it should.
unjudged(s) := "warning" if {
	startswith(broken(s), "holds a variable") # in the words of the npm room
	s.origin in {"base", "checkout"}
} else := "error"

broken(s) := s.place.broken if s.place

else := "it holds no address"
