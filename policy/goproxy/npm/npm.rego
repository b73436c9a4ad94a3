# METADATA
# title: Settings of npm, yarn, pnpm and bun
# description: What files of the checkout tell these tools, and TLS verification whoever switched it off.
package goproxy.npm

import data.goproxy.place

# METADATA
# title: npm setting weakens where packages come from
# description: A settings file of the checkout (.npmrc, .yarnrc, .yarnrc.yml, bunfig.toml, pnpm-workspace.yaml) can send every install, with its credentials, somewhere else.
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

# METADATA
# title: Setting gives up a protection
# description: Hashes, lock files, scripts and the age of releases are checked unless a setting says otherwise.
# custom:
#   id: NPM003
#   severity: error
#   fix: remove the setting, so that the tool checks what it can
finding contains object.union(place.position(s), {
	"id": "NPM003",
	"severity": severity,
	"msg": sprintf("%s %s", [named(s), s.fault]),
	"subject": s.name,
}) if {
	some s in settings
	of_checkout(s)
	s.fault != ""
	severity := given_up[s.kind][introduced(s)]
}

# given_up is by what a setting decides, and by whether a change brings it in. What tools are lax about by themselves, or
# write so when they are brought up to date, is less grave.
given_up := {
	"integrity": {true: "error", false: "error"},
	"protection": {true: "error", false: "warning"},
	"caution": {true: "warning", false: "note"},
}

# METADATA
# title: Setting starts code of the checkout
# description: A tool that installs packages first loads the programs, plugins and hooks that its settings name, with all that the job may do.
# custom:
#   id: NPM004
#   severity: error
#   fix: read the file, and keep it in the checkout
finding contains object.union(place.position(s), {
	"id": "NPM004",
	"severity": severity,
	"msg": sprintf("%s %s", [named(s), fault]),
	"subject": s.name,
}) if {
	some s in settings
	of_checkout(s)
	s.kind == "program"
	[severity, fault] := started(s)
}

started(s) := ["error", s.fault] if s.fault != ""

else := ["warning", sprintf("%s; this change brings in the setting or the file", [starts(s)])] if introduced(s)

else := ["note", starts(s)]

starts(s) := "gives its variables to all that yarn starts" if s.name == "injectEnvironmentFiles"

else := "is code that its tool starts" if s.value in {"", s.from}

else := sprintf("starts %s of the checkout", [s.value])

# introduced is true for an origin that nobody has heard of, too.
introduced(s) := false if s.origin in {"base", "checkout"}

else := true

# named says where a setting stands; that of a variable is its name.
named(s) := s.name if s.from in {"", s.name}

else := sprintf("%s in %s", [s.name, s.from])

# faults are [setting, severity, what is wrong, remedy].
faults contains [s, severity, sprintf("cannot be judged: %s", [broken(s)]), fix] if {
	some s in registries
	broken(s) != ""
	severity := unjudged(s)
	fix := sprintf("write an address like https://host/path as %s", [s.name])
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

faults contains [s, "error", s.fault, fix] if {
	some s in settings
	s.kind == "tls"
	s.fault != ""
	fix := sprintf("remove %s, and name your certificate authority in NODE_EXTRA_CA_CERTS", [s.name])
}

faults contains [s, severity, fault, "have the host answer over TLS"] if {
	some s in settings
	of_checkout(s)
	s.kind == "http"
	s.fault != ""
	severity := graver(s)
	fault := sprintf("%s (%s)", [s.fault, s.value])
}

faults contains [s, severity, "decides whom its tool trusts or asks on the way", sprintf("set %s in the configuration of the runner", [s.name])] if {
	some s in settings
	of_checkout(s)
	s.kind in {"proxy", "authority"}
	not s.value in {"", "null", "false"}
	severity := graver(s)
}

faults contains [s, "error", s.fault, sprintf("remove it, or set %s in the configuration of the runner", [s.name])] if {
	some s in settings
	of_checkout(s)
	s.kind == "redirect"
	s.fault != ""
}

faults contains [s, severity, s.fault, "revoke the secret, and write a variable in its place"] if {
	some s in settings
	of_checkout(s)
	s.kind == "credential"
	s.fault != ""
	severity := graver(s)
}

# graver is an error for what a change brings in, and a warning for what was there.
graver(s) := "error" if introduced(s)

else := "warning"

settings := [s | some s in input.settings; s.ecosystem == "npm"]

registries contains s if {
	some s in settings
	of_checkout(s)
	s.kind in {"registry", "mirror"}
}

of_checkout(s) if not s.origin in {"builtin", "runner", "user"}

# unjudged is how grave it is that a registry cannot be judged. An address behind a variable is what teams write on
# purpose, and is no fault of a change that does not touch it; no other broken address ever worked as it should.
unjudged(s) := "warning" if {
	startswith(broken(s), "holds a variable") # in the words of the npm room
	s.origin in {"base", "checkout"}
} else := "error"

broken(s) := s.place.broken if s.place

else := "it holds no address"
