# METADATA
# title: The transparency log
# description: What the log of the checksum database says of the lines of go.sum and go.work.sum.
package goproxy.sum

import data.goproxy.place

# METADATA
# title: Line of go.sum is not what the log has
# description: >-
#  A version has one content, and the log has its hash. The go command believes a line that stands in go.sum and never asks
#  the log about it.
# custom:
#   id: SUM001
#   severity: error
#   fix: do not build this; find out who changed the line, delete it, and run go mod tidy
finding contains object.union(place.position(p), {
	"id": "SUM001",
	"severity": "error",
	"msg": sprintf("%s %s", [named(p), otherwise(p)]),
	"subject": named(p),
}) if {
	some p in input.go.log.problems
	p.status == "mismatch"
	not of_workspace(p)
}

# METADATA
# title: Version is not in the log
# description: >-
#  Nobody has ever asked the checksum database for this version, or it could not fetch it. A private module that is not named
#  in GOPRIVATE looks like this, and so does one that was made for you alone.
# custom:
#   id: SUM002
#   severity: warning
#   fix: list the prefixes of your own modules in GOPRIVATE, and see that any other version exists
finding contains object.union(place.position(p), {
	"id": "SUM002",
	"severity": "warning",
	"msg": sprintf("%s is not in the log of %s", [named(p), input.go.log.name]),
	"subject": named(p),
}) if {
	some p in input.go.log.problems
	p.status == "absent"
}

# METADATA
# title: Private modules are not compared
# description: Their names are not sent to the checksum database, so their lines are proven by nobody.
# custom:
#   id: SUM003
#   severity: note
#   fix: keep GOPRIVATE and GONOSUMDB to the prefixes of your own modules
finding contains {
	"id": "SUM003",
	"severity": "note",
	"msg": sprintf("%d of %d lines are of private modules and were not compared with the log", [l.private, l.total]),
	"subject": "go.sum",
} if {
	l := input.go.log.lines
	l.private > 0
}

# METADATA
# title: Lines are not compared with the log
# description: The log, or what was needed of it, could not be had. What is not compared is not proven.
# custom:
#   id: SUM004
#   severity: error
#   fix: run goproxy-action verify where the checksum database or a module proxy that relays it is reached, or give it a proof file
finding contains {
	"id": "SUM004",
	"severity": object.get({true: "error"}, input.go.log.required, "note"),
	"status": "unknown",
	"msg": sprintf("%d of %d lines could not be compared with the log: %s", [l.unverified, l.total, input.go.log.reason]),
	"subject": "go.sum",
} if {
	l := input.go.log.lines
	l.unverified > 0
}

# METADATA
# title: Log is not the one that it was
# description: >-
#  A log that shows different trees to different people, or a source that gives answers which no honest log gives, can make a
#  forged line look true.
# custom:
#   id: SUM005
#   severity: error
#   fix: keep the report, which has the evidence; use another source, and tell whoever runs this one
finding contains {"id": "SUM005", "severity": severity, "msg": fault, "subject": input.go.log.name} if {
	some [severity, fault] in faults
}

faults contains ["error", input.go.log.fork] if input.go.log.fork != ""

faults contains ["error", lie] if some lie in input.go.log.lies

faults contains ["warning", input.go.log.stale] if input.go.log.stale != ""

# METADATA
# title: Line of go.work.sum is not what the log has
# description: The go command believes go.work.sum as it does go.sum, and few people read it.
# custom:
#   id: SUM006
#   severity: error
#   fix: do not build this; find out who changed the line, delete it, and run go work sync
finding contains object.union(place.position(p), {
	"id": "SUM006",
	"severity": "error",
	"msg": sprintf("%s %s", [named(p), otherwise(p)]),
	"subject": named(p),
}) if {
	some p in input.go.log.problems
	p.status == "mismatch"
	of_workspace(p)
}

# METADATA
# title: Module cache holds something else than the log has
# description: >-
#  The go command builds from the module cache and compares it with go.sum only when it downloads. What somebody changed there
#  since, or a cache that a CI system restored, is believed.
# custom:
#   id: SUM007
#   severity: error
#   fix: find out who changed it, run go clean -modcache, and do not restore that cache again
finding contains object.union(place.position(p), {
	"id": "SUM007",
	"severity": "error",
	"msg": sprintf("%s %s, and the log of %s has %s", [named(p), p.fault, input.go.log.name, p.log]),
	"subject": named(p),
}) if {
	some p in input.go.log.problems
	p.status == "cached"
}

named(p) := sprintf("%s@%s", [p.module, p.version])

otherwise(p) := sprintf("has the hash %s, and the log of %s has %s", [p.hash, input.go.log.name, p.log])

of_workspace(p) if endswith(p.file, "go.work.sum")
