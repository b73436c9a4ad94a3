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

else := ["warning", sprintf("comes from git at %s, and %s", [place.label(g), unproven(g)])] if {
	g.kind == "git"
	encrypted(g)
} else := ["error", sprintf("comes from %s over %s, not https", [place.label(g), g.scheme])] if {
	g.kind != "file"
	not g["default"]
	not place.secure(g)
}

# yarn 2 and later build the package of a repository with its own scripts, and keep a checksum of what came out.
unproven(g) := "yarn's checksum is of what its scripts made of it" if g.integrity in {"sha512", "foreign"}

else := "no checksum pins it"

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
	"fix": anew(renewal, object.get(g, "file", "")),
	"group": g.id,
} if {
	some g in input.entries
	g.kind in {"registry", "tarball"}
	[severity, fault] := absence(g)
}

# renewal is how each manager writes an entry anew.
renewal := {
	"npm": "delete node_modules and the entry, run npm install",
	"yarn": "delete the entry, run yarn install",
	"pnpm": "run pnpm install --fix-lockfile --lockfile-only",
	"bun": "delete the entry, run bun install",
}

# anew is what to do about an entry of a lock file, by the manager that wrote the file.
anew(how, file) := sprintf("%s, and commit the lock file", [how[manager(file)]])

manager(file) := object.get({"yarn.lock": "yarn", "pnpm-lock.yaml": "pnpm", "bun.lock": "bun"}, name, "npm") if {
	parts := split(file, "/")
	name := parts[count(parts) - 1]
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
	"fix": anew(rehash, object.get(g, "file", "")),
	"group": g.id,
	"part": "integrity",
} if {
	some g in input.entries
	[severity, fault] := weakness(g)
}

rehash := object.union(renewal, {"npm": "delete the entry's integrity, run npm install"})

weakness(g) := ["warning", sprintf("is pinned by %s alone, which can be forged", [g.integrity])] if {
	g.integrity in {"sha1", "md5"}
	g.kind != "file" # whoever can put another into the checkout can write its hash here
} else := ["error", "has a checksum of another cache (cacheKey) than the lock file's own, which yarn compares with nothing"] if {
	g.integrity == "foreign"
} else := ["error", "has an integrity that cannot be read"] if {
	not g.integrity in {"sha512", "sha384", "sha256", "sha1", "md5", "none", "omitted"}
}

# METADATA
# title: Locked package is fetched as another one
# description: >-
#  The address, or the name that the lock file has for it, is that of another package or of another version; or what is
#  asked for as a version of a registry comes from a repository, a file or a directory. Whoever reads the name is deceived,
#  and the integrity fits what is fetched.
# custom:
#   id: LCK005
#   severity: error
#   fix: delete the entry, install the package anew, and commit the lock file
flags contains [p, "LCK005", "error", p.detail] if {
	some p in input.flagged
	p.kind == "other"
}

# A file of the checkout can be read before it gets there. Some keep all tarballs in their repository.
flags contains [p, "LCK005", object.get({"change": "error"}, p.origin, "warning"), p.detail] if {
	some p in input.flagged
	p.kind == "file"
}

# METADATA
# title: Two hashes for one version of a package
# description: A version has one content, so one of the entries is false.
# custom:
#   id: LCK006
#   severity: error
#   fix: >-
#    find out which of the two is true (npm view NAME@VERSION dist.integrity), delete the other entry and install anew
flags contains [p, "LCK006", "error", p.detail] if {
	some p in input.flagged
	p.kind == "clash"
}

# METADATA
# title: Locked package runs a script when it is installed
# description: >-
#  The script is code of the package's owner, with the rights of the job. With scripts.npm in the configuration all others
#  are errors; without it what a change brings in is a warning, and what was there is one note. A script that stands in the
#  lock file is always an error: no tool writes one there, and npm runs it in the place of the package's own.
# custom:
#   id: LCK007
#   severity: error
#   fix: >-
#    look at the script, then list the package under scripts.npm in .goproxy/config.yaml, or install with --ignore-scripts
flags contains [p, "LCK007", severity, sprintf("%s%s", [p.detail, why])] if {
	some p in input.flagged
	p.kind == "script"
	not p.listed
	[severity, why] := news(p)
}

news(p) := ["error", ", and is not in the list scripts.npm"] if {
	p.list_set
} else := ["warning", ", and comes in by this change"] if {
	p.origin == "change"
}

finding contains object.union(place.position(p), {
	"id": "LCK007",
	"severity": "error",
	"msg": sprintf("%s %s", [versioned(p), p.detail]),
	"subject": versioned(p),
	"fix": "find out who put it there, delete it, run npm install, and commit the lock file",
}) if {
	some p in input.flagged
	p.kind == "command"
}

finding contains {
	"id": "LCK007",
	"severity": "note",
	"msg": sprintf("%s: %s", [running(count(names)), some_of(names)]),
	"subject": some_of(names),
	"file": file,
	"line": first[0],
	"column": first[1],
} if {
	some file, places in known_scripts
	first := min(places)
	names := sort({name | some [_, _, name] in places})
}

# known_scripts are those that are no news, by file.
known_scripts[p.file] contains [p.line, p.column, p.name] if {
	some p in input.flagged
	p.kind == "script"
	not p.listed
	not news(p)
}

running(n) := "1 package runs a script when it is installed" if n == 1

else := sprintf("%d packages run a script when they are installed", [n])

# some_of are three names, and how many more there are.
some_of(names) := concat(", ", names) if count(names) <= 4

else := sprintf("%s and %d more", [concat(", ", array.slice(names, 0, 3)), count(names) - 3])

# flags are [package, rule, severity, fault], files [lock file, rule, severity, fault, remedy].
finding contains object.union(place.position(p), {
	"id": id,
	"severity": severity,
	"msg": sprintf("%s %s", [versioned(p), fault]),
	"subject": versioned(p),
}) if {
	some [p, id, severity, fault] in flags
}

finding contains object.union(place.position(l), {
	"id": id,
	"severity": severity,
	"msg": sprintf("%s %s", [l.file, fault]),
	"subject": l.file,
	"fix": fix,
}) if {
	some [l, id, severity, fault, fix] in files
}

versioned(p) := p.name if p.version == ""

else := sprintf("%s@%s", [p.name, p.version])

# METADATA
# title: Lock file says too little
# description: >-
#  What it does not say cannot be judged. A change that brings such a file in is a warning; where scripts.npm lists who may
#  run scripts, a file that does not say who does is an error.
# custom:
#   id: LCK010
#   severity: warning
#   fix: run npm install with npm 7 or later, and commit the lock file
files contains [l, "LCK010", severity, l.fault, fix] if {
	some l in input.npm.locks
	l.fault != ""
	[severity, fix] := remedy(l)
}

remedy(l) := ["warning", "run bun install --save-text-lockfile --lockfile-only, commit bun.lock and delete bun.lockb"] if {
	l.manager == "bun"
} else := [severity, "run npm install with npm 7 or later, and commit the lock file"] if {
	severity := silence(l)
}

silence(l) := "error" if {
	l.list_set
} else := "warning" if {
	l.origin == "change"
} else := "note"

# METADATA
# title: Packages come in the tarballs of others
# description: >-
#  A bundled package has no address and no integrity of its own, and no registry has seen it. Whoever publishes the package
#  around it chose what is in there. A lock file of npm's version 1 does not say what that one bundles, and npm fetches
#  what it does not, without a hash.
# custom:
#   id: LCK011
#   severity: warning
#   fix: look for a version of the packages around them that bundles nothing
files contains [l, "LCK011", severity, concat("", [bundling(l.bundled), doubt]), fix] if {
	some l in input.npm.locks
	l.bundled > 0
	[severity, doubt, fix] := bundles(l)
}

bundles(l) := ["warning", ", if that is true: the file does not tell, and npm fetches what is in none, without a hash", "run npm install with npm 7 or later, and commit the lock file"] if {
	l.doubted > 0
} else := ["note", "", "look for a version of the packages around them that bundles nothing"]

bundling(n) := "has a package that comes in the tarball of another one" if n == 1

else := sprintf("has %d packages that come in the tarballs of others", [n])
