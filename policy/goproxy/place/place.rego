# METADATA
# title: Places
# description: What all rules know of a place, namely its name, its position in a file, and how far it is trusted.
package goproxy.place

# position is where x stands; the parts that are not known are left out.
position(x) := object.filter(x, ["file", "line", "column"])

# hostport is the host, with the port where it is not the scheme's own.
hostport(p) := p.host if p.port == ""

else := sprintf("[%s]:%s", [p.host, p.port]) if contains(p.host, ":")

else := sprintf("%s:%s", [p.host, p.port])

# label names a place for people: its host, or its address where it has no host.
label(p) := hostport(p) if p.host != ""

else := p.url

# grade is how grave it is that something comes from a place which origin names: off, note, warning or error. A list of
# the user's is the whole truth. Without one, what the runner or the base commit names is in use already, and what a
# change introduces is not. An origin that nobody has heard of is the gravest.
grade(p, eco, origin) := "off" if p.loopback

else := "off" if {
	data.goproxy.trusted_set[eco]
	listed(p, eco)
} else := "error" if data.goproxy.trusted_set[eco]

else := "off" if data.goproxy.builtin[eco][hostport(p)]

else := object.get(
	{"builtin": "off", "user": "off", "runner": "note", "base": "note", "checkout": "warning", "change": "error"},
	origin, "error",
)

# listed holds for a place on the user's list: a host stands for all its ports, ".corp.test" for all names below
# corp.test and not for corp.test itself.
listed(p, eco) if data.goproxy.trusted[eco][p.host]

listed(p, eco) if data.goproxy.trusted[eco][hostport(p)]

listed(p, eco) if {
	some entry, true in data.goproxy.trusted[eco]
	startswith(entry, ".")
	strings.any_suffix_match([p.host, hostport(p)], entry)
}

# why says in words what grade found.
why(eco, origin) := sprintf("is not in the list trusted.%s", [eco]) if data.goproxy.trusted_set[eco]

else := sprintf("is named by %s and in no list of trusted hosts", [object.get(
	{"runner": "the runner", "base": "the base commit", "checkout": "the checkout", "change": "this change"},
	origin, "an unknown party",
)])

# remedy is what to do about it. A first list has to name all hosts, since it takes the place of the built-in one.
remedy(p, eco) := sprintf("add %q to trusted.%s in .goproxy/config.yaml, or use a host that is there", [
	label(p), eco,
]) if data.goproxy.trusted_set[eco]

else := sprintf("use a trusted host, or list %q and all others you use under trusted.%s in .goproxy/config.yaml", [label(p), eco])

# secure holds for what cannot be read or changed on the way.
secure(p) if p.scheme == "https"

secure(p) if {
	p.scheme == "http"
	p.loopback
}
