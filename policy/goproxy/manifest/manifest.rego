# METADATA
# title: What package.json asks for
# description: >-
#  Facts of package.json files that no entry of a lock file tells, and packages that are named like your own.
package goproxy.manifest

import data.goproxy.lck
import data.goproxy.place

# faults are [what says where it stands, rule, severity, subject, fault].
finding contains object.union(place.position(x), {
	"id": id,
	"severity": severity,
	"msg": sprintf("%s %s", [subject, fault]),
	"subject": subject,
}) if {
	some [x, id, severity, subject, fault] in faults
}

# introduced is an error for what a change brings in, and a warning for what was there.
introduced(x) := object.get({"change": "error"}, x.origin, "warning")

# METADATA
# title: package.json asks for what the lock file does not have
# description: >-
#  npm ci, and the other tools with a frozen lock file, then refuse to install. Without that they fetch whatever is there
#  now, which nothing pins.
# custom:
#   id: LCK008
#   severity: error
#   fix: install once with the package manager of the lock file, and commit the lock file with package.json
faults contains [d, "LCK008", introduced(d), d.name, sprintf("is asked for as %q, and %s", [d.wanted, had(d)])] if {
	some d in input.npm.drifts
	not place.position(d) in misplaced
}

had(d) := sprintf("%s does not have it", [d.lock]) if d.locked == ""

else := sprintf("%s has it as %q", [d.lock, d.locked])

# misplaced are where LCK012 objects to the same requirement.
misplaced contains place.position(o) if some [o, _, _] in placements

# METADATA
# title: Lock files of several package managers stand in one directory
# description: Each tool installs by its own one and looks at no other, so what was reviewed may not be what is installed.
# custom:
#   id: LCK009
#   severity: warning
#   fix: keep the lock file of the package manager that the jobs use, and delete the others
faults contains [l, "LCK009", object.get({"change": "warning"}, l.origin, "note"), l.file, fault] if {
	some l in input.npm.locks
	some _ in l.beside
	every other in l.beside {
		l.file < other
	}
	fault := sprintf("stands beside %s of another package manager", [concat(" and ", l.beside)])
}

# METADATA
# title: package.json names a place instead of a version
# description: >-
#  An override, a resolution, a patch or a requirement that is an address decides where the package comes from, for all
#  packages that need it. What the lock file has from there is told by LCK001 and LCK002.
# custom:
#   id: LCK012
#   severity: error
#   fix: ask for a version of the registry, or list the host under trusted.npm in .goproxy/config.yaml
faults contains [o, "LCK012", severity, o.name, sprintf("in %s %s", [o.setting, fault])] if {
	some [o, severity, fault] in placements
}

placements contains [o, severity, fault] if {
	some o in input.npm.overrides
	[severity, fault] := placed(o)
	severity != "off"
}

placed(o) := [introduced(o), sprintf("has an address that cannot be judged: %s", [o.broken])] if o.broken != ""

else := [object.get({"change": "warning"}, o.origin, "note"), "leads out of the checkout"] if o.kind == "file"

else := [object.get({"change": "warning"}, o.origin, "off"), "puts another package in its place"] if o.kind == "alias"

else := [introduced(o), sprintf("comes from %s over %s, not https", [place.label(o), o.scheme])] if {
	o.scheme != "ssh"
	not place.secure(o)
}

else := [object.get({"base": "note"}, o.origin, "warning"), sprintf("comes from git at %s, and no checksum pins it", [place.label(o)])] if {
	lck.known_forge(object.union(o, {"ecosystem": "npm"}))
}

else := [place.grade(o, "npm", o.origin), sprintf("comes from %s, which %s", [place.label(o), place.why("npm", o.origin)])]

# METADATA
# title: Package has one of your own names and comes from elsewhere
# description: >-
#  Whoever takes such a name in a public registry has his code installed in the place of yours. Your own names are those of
#  scopes in the configuration, and scopes for which an .npmrc names a registry.
# custom:
#   id: LCK013
#   severity: error
#   fix: install the package from your own registry and commit the lock file
faults contains [p, "LCK013", severity, versioned(p), p.detail] if {
	some p in input.flagged
	severity := own[p.kind][p.list_set][p.origin]
}

# own is how grave it is by kind, and by whether the configuration lists the name.
own := {
	"scope": {
		true: {"base": "error", "checkout": "error", "change": "error"},
		false: {"base": "warning", "checkout": "warning", "change": "error"},
	},
	"lookalike": {true: {"base": "warning", "checkout": "warning", "change": "error"}},
}

versioned(p) := p.name if p.version == ""

else := sprintf("%s@%s", [p.name, p.version])

# METADATA
# title: Package manager is not pinned
# description: >-
#  corepack, and pnpm itself, download what packageManager names and run it. Corepack compares it with the hash behind the
#  version, and without one with the registry's signature, unless another registry is set or the check is switched off.
# custom:
#   id: NPM002
#   severity: error
#   fix: write packageManager with a full version and its hash, as corepack use does (name@1.2.3+sha512.…)
faults contains [m, "NPM002", severity, m.setting, fault] if {
	some m in input.npm.managers
	some [severity, fault] in unpinned(m)
}

unpinned(m) := {[introduced(m), sprintf("names an address that cannot be judged: %s", [m.place.broken])]} if m.place.broken != ""

else := ({["error", sprintf("has %s downloaded from %s over %s, not https", [m.name, place.label(m.place), m.place.scheme])] |
	not place.secure(m.place)
} | {[severity, sprintf("has %s downloaded from %s, which %s", [m.name, place.label(m.place), place.why("npm", m.origin)])] |
	severity := place.grade(m.place, "npm", m.origin)
	severity != "off"
}) | unhashed(m) if {
	m.place
}

else := {[loose(m), sprintf("asks for %s, which is no full version: the newest that fits is downloaded and run", [asked(m)])]} if not m.exact

else := {["note", sprintf("asks for %s, which is none of npm, pnpm, yarn and bun", [asked(m)])]} if {
	not m.name in {"bun", "npm", "pnpm", "yarn"}
}

else := unhashed(m)

unhashed(m) := {["note", sprintf("asks for %s without a hash", [asked(m)])] | m.hash == ""} | {["note", sprintf("pins %s by %s alone, which can be forged", [asked(m), m.hash])] |
	m.hash in {"md5", "sha1"}
}

# loose: devEngines is made for ranges.
loose(m) := object.get({"change": "warning"}, m.origin, "note") if m.setting != "packageManager"

else := "warning"

asked(m) := m.name if m.version == ""

else := sprintf("%s@%s", [m.name, m.version])

# METADATA
# title: Script of the project changes sources or runs what it downloads
# description: >-
#  These scripts of package.json run with every install, before any step that the workflow has for it. They are judged by
#  the looks of their commands alone.
# custom:
#   id: NPM005
#   severity: warning
#   fix: make it a step of the workflow that can be seen, with a pinned version or a checksum
faults contains [s, "NPM005", severity, s.name, s.fault] if {
	some s in input.npm.scripts
	s.fault != ""
	not trusted(s)
	severity := object.get({"adhoc": {"change": "warning"}, "pipe": found, "source": found}, [s.kind, s.origin], "note")
}

found := {"change": "warning", "checkout": "warning"}

trusted(s) if {
	place.secure(s.place)
	place.grade(s.place, s.ecosystem, s.origin) == "off"
}
