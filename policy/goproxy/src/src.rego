# METADATA
# title: Sources
# description: Where this job would fetch from, as things will be after the plan.
package goproxy.src

import data.goproxy.place

# METADATA
# title: Source host is not trusted
# description: Who runs a source sees what is asked for, decides what exists, and serves whatever no checksum pins yet.
# custom:
#   id: SRC001
#   severity: error
#   fix: name a source that is in the list of trusted hosts
finding contains object.union(place.position(s), {
	"id": "SRC001",
	"severity": severity,
	"msg": sprintf("%s source %s (%s) %s", [s.ecosystem, place.label(s), s.setting, place.why(s.ecosystem, s.origin)]),
	"subject": place.label(s),
	"fix": place.remedy(s, s.ecosystem),
}) if {
	some s in input.sources
	s.broken == ""
	s.scheme != "file" # has no host, SRC002 judges it
	not proven(s)
	not said_by_npm001(s)
	severity := place.grade(s, s.ecosystem, s.origin)
	severity != "off"
}

finding contains object.union(place.position(s), {
	"id": "SRC001",
	"severity": "error",
	"msg": sprintf("%s names an address that cannot be judged: %s", [s.setting, s.broken]),
	"subject": s.setting,
	"fix": sprintf("write the address in %s as https://host/path", [s.setting]),
}) if {
	some s in input.sources
	s.broken != ""
	not said_by_npm001(s)
}

# METADATA
# title: Source is not reached over https
# description: Over plain http anybody on the way can read and change what is fetched.
# custom:
#   id: SRC002
#   severity: error
#   fix: use the https address of the source
finding contains object.union(place.position(s), {
	"id": "SRC002",
	"severity": "error",
	"msg": sprintf("%s source %s (%s) is reached over %s, not https", [s.ecosystem, place.label(s), s.setting, s.scheme]),
	"subject": place.label(s),
	"fix": sprintf("write https:// in %s, or use a source that offers it", [s.setting]),
}) if {
	some s in input.sources
	s.broken == ""
	not place.secure(s)
	not local_directory(s)
	not said_by_npm001(s)
}

# METADATA
# title: Source has an address outside the allowlist
# description: Where addresses are pinned down, a name that leads elsewhere is a hijacked or a misconfigured one.
# custom:
#   id: SRC003
#   severity: error
#   fix: add the address to trusted.addresses in .goproxy/config.yaml, or use another source
finding contains object.union(place.position(s), {
	"id": "SRC003",
	"severity": "error",
	"msg": sprintf("%s source %s has the address %s, which is not in trusted.addresses", [s.ecosystem, place.label(s), ip]),
	"subject": place.label(s),
}) if {
	some s in pinned_down
	some ip in s.ips
	not allowed(ip)
}

finding contains object.union(place.position(s), {
	"id": "SRC003",
	"severity": severity,
	"status": "unknown",
	"msg": sprintf("the address of %s source %s is not known (%s)", [s.ecosystem, place.label(s), s.addresses]),
	"subject": place.label(s),
	"fix": fix,
}) if {
	some s in pinned_down
	not answered(s)
	[severity, fix] := unanswered(s)
}

# unanswered is how grave it is that an address is not known, and what to do. Behind a proxy nobody here can know it;
# where the network was asked for it and gave none, the rule stays without its answer.
unanswered(s) := ["error", "see that the name has an address here (goproxy-action detect shows what answers), and run again"] if {
	s.addresses == "no-answer"
} else := ["error", fix] if {
	data.goproxy.require_address
	fix := behind_proxy
} else := ["note", behind_proxy]

behind_proxy := "run where the source is reached without a proxy, or leave trusted.require-address out"

# A checksum database is trusted for its key (GO001), so its own host needs no list of the user's.
proven(s) if {
	s.role == "checksum-db"
	data.goproxy.builtin[s.ecosystem][place.hostport(s)]
}

proven(s) if {
	s.role == "checksum-db"
	s.origin == "builtin"
}

# A registry that a file of the checkout names is judged at its line, once, unless that rule has been tuned.
said_by_npm001(s) if {
	s.role == "registry"
	not data.goproxy.tuned.NPM001
	some r in input.settings
	r.name == "registry"
	r.origin in {"base", "checkout", "change"}
	trim_suffix(r.place.url, "/") == trim_suffix(s.url, "/")
	r.place.broken == s.broken
	r.origin == s.origin
}

local_directory(s) if {
	s.role == "module-proxy"
	s.scheme == "file"
}

pinned_down contains s if {
	data.goproxy.addresses_set
	some s in input.sources
	s.broken == ""
	s.scheme != "file"
	not s.loopback
}

answered(s) if {
	s.addresses == "known"
	count(s.ips) > 0
}

allowed(ip) if {
	some cidr in data.goproxy.addresses
	net.cidr_contains(cidr, ip)
}
