# METADATA
# title: What lock files pin
# description: >-
#  A finding names a group of entries and is spread over all of them.
package goproxy.lck

import data.goproxy.place

# METADATA
# title: Locked package comes from a host that is not trusted
# description: A lock file decides where a package comes from, whatever registry is set.
# custom:
#   id: LCK001
#   severity: error
#   fix: install the package from a trusted registry and commit the lock file
finding contains {
	"id": "LCK001",
	"severity": severity,
	"msg": sprintf("comes from %s, which %s", [place.label(g), place.why(g.ecosystem, g.origin)]),
	"fix": place.remedy(g, g.ecosystem),
	"group": g.id,
} if {
	some g in input.entries
	g.kind in {"git", "registry", "tarball"}
	not g["default"]
	g.broken == ""
	g.scheme != "file" # git of this machine is LCK002's
	not known_forge(g)
	not may_be_default(g)
	severity := grade(g)
	severity != "off"
}

# What may be the default registry, where that is not known, is one question instead of a fault of each package. It stays
# without its answer where a fault would deny.
finding contains object.union(place.position(groups[0]), {
	"id": "LCK001",
	"severity": severity,
	"status": "unknown",
	"msg": sprintf("%d packages come from %s; %s own default registry, which is not known here", [
		sum([g.count | some g in groups]), concat(", ", hosts), is_default(hosts, eco),
	]),
	"subject": concat(", ", hosts),
	"fix": sprintf("name the default registry under official.%s in .goproxy/config.yaml, or list all hosts you use under trusted.%s", [eco, eco]),
}) if {
	some eco, true in data.goproxy.official_unknown
	some denies in [true, false]
	groups := [g |
		some g in input.entries
		g.ecosystem == eco
		may_be_default(g)
		fatal(g) == denies
	]
	count(groups) > 0
	hosts := {place.label(g) | some g in groups}
	severity := doubt(denies, hosts)
}

grade(g) := place.grade(g, g.ecosystem, object.get({"base": "checkout"}, g.origin, g.origin))

fatal(g) := grade(g) == "error"

# may_be_default holds for a place that cannot be told from the default registry.
may_be_default(g) if {
	data.goproxy.official_unknown[g.ecosystem]
	not data.goproxy.trusted_set[g.ecosystem]
	g.kind == "registry"
	g.scheme == "https"
	g.port == ""
	not g.userinfo
	grade(g) != "off"
}

is_default(hosts, eco) := sprintf("it may be %s's", [eco]) if count(hosts) == 1

else := sprintf("at most one of these is %s's", [eco])

doubt(denies, hosts) := "error" if denies

else := "note" if count(hosts) == 1

else := "warning"

# known_forge holds for what git fetches from a forge that everybody knows, where the user gave no list; LCK002 warns of it.
known_forge(g) if {
	g.kind == "git"
	not data.goproxy.trusted_set[g.ecosystem]
	place.hostport(g) in {
		"bitbucket.org", "codeberg.org", "codeload.github.com", "gist.github.com", "github.com", "gitlab.com",
	}
}

# METADATA
# title: Locked package does not come over https
# description: Over plain http anybody on the way can read and change it, and git proves nothing about what it delivers.
# custom:
#   id: LCK002
#   severity: error
#   fix: install the package from a registry over https and commit the lock file
finding contains {
	"id": "LCK002",
	"severity": severity,
	"msg": fault,
	"group": g.id,
} if {
	some g in input.entries
	[severity, fault] := way(g)
}

way(g) := ["error", sprintf("has an address that cannot be judged: %s", [g.broken])] if g.broken != ""

else := ["error", "has an address that cannot be judged"] if not g.kind in {"file", "git", "registry", "tarball"}

else := ["warning", sprintf("comes from git at %s, and no checksum pins it", [place.label(g)])] if {
	g.kind == "git"
	encrypted(g)
} else := ["error", sprintf("comes from %s over %s, not https", [place.label(g), g.scheme])] if {
	g.kind != "file"
	not g["default"]
	not place.secure(g)
}

encrypted(g) if g.scheme == "ssh"

encrypted(g) if place.secure(g)

# METADATA
# title: Locked package has no integrity
# description: Without it whatever is served is installed.
# custom:
#   id: LCK003
#   severity: error
#   fix: delete node_modules and the entry, run npm install, and commit the lock file
finding contains {
	"id": "LCK003",
	"severity": severity,
	"msg": fault,
	"group": g.id,
} if {
	some g in input.entries
	g.kind in {"registry", "tarball"}
	[severity, fault] := absence(g)
}

absence(g) := ["error", "has no integrity"] if g.integrity == "none"

absence(g) := ["note", "has no integrity, since yarn keeps none for packages of one platform"] if g.integrity == "omitted"

# METADATA
# title: Locked package has a weak or broken integrity
# description: A broken one is skipped or fails the install, and sha1 and md5 can be forged.
# custom:
#   id: LCK004
#   severity: error
#   fix: delete the entry's integrity, run npm install, and commit the lock file
finding contains {
	"id": "LCK004",
	"severity": severity,
	"msg": fault,
	"group": g.id,
} if {
	some g in input.entries
	[severity, fault] := weakness(g)
}

weakness(g) := ["warning", sprintf("is pinned by %s alone, which can be forged", [g.integrity])] if {
	g.integrity in {"sha1", "md5"}
} else := ["error", "has an integrity that cannot be read"] if {
	not g.integrity in {"sha512", "sha384", "sha256", "none", "omitted"}
}
