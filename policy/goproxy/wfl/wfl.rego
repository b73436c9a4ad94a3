# METADATA
# title: Workflows and pipelines
# description: Commands and variables that are known by their looks. None is ever an error.
package goproxy.wfl

import data.goproxy.place

# METADATA
# title: Workflow changes where packages come from
# description: >-
#  A command, a variable or an input of an action names another source than that of the job, or switches off what is
#  verified, in every run of the workflow. Another source that was named before is a note.
# custom:
#   id: WFL001
#   severity: warning
#   fix: let the runner's settings or goproxy-action name the sources, and keep verification on
told contains [a, "WFL001", severity, fault] if {
	some a in input.workflows
	a.kind == "source"
	severity := gravity(a)
	severity != "off"
	fault := concat("", [a.fault, way(a)])
}

# METADATA
# title: Job downloads before it is judged
# description: What a job downloads before the step of goproxy-action was neither judged nor sent to the chosen sources.
# custom:
#   id: WFL002
#   severity: warning
#   fix: move goproxy-action in front of it, right behind the checkout
told contains [a, "WFL002", "warning", a.fault] if {
	some a in input.workflows
	a.kind == "early"
}

# METADATA
# title: Workflow runs what it downloads
# description: A script that goes from the network into a shell is pinned by nothing, and has the job's credentials. What was there before is one note for each file.
# custom:
#   id: WFL003
#   severity: warning
#   fix: download a version, compare its checksum, and run the file
told contains [a, "WFL003", "warning", a.fault] if {
	some a in input.workflows
	a.kind == "pipe"
	introduced(a)
}

# METADATA
# title: Workflow installs what no lock file pins
# description: Whatever is the newest version gets installed, with the job's credentials. What was there before is one note for each file.
# custom:
#   id: WFL004
#   severity: warning
#   fix: add it to go.mod (go get -tool) or to the lock file, or name one full version
told contains [a, "WFL004", "warning", a.fault] if {
	some a in input.workflows
	a.kind == "adhoc"
	introduced(a)
}

finding contains object.union(place.position(a), {
	"id": id,
	"severity": severity,
	"msg": sprintf("%s %s", [a.command, fault]),
	"subject": a.command,
}) if {
	some [a, id, severity, fault] in told
}

# Of what was there before, a file has one note for each kind, at the first of them.
finding contains {
	"id": id,
	"severity": "note",
	"msg": concat("", [command, " ", fault, more(count(all) - 1)]),
	"subject": command,
	"file": file,
	"line": line,
	"column": column,
} if {
	input.workflows[0] # else none of this is needed
	some kind, files in before
	id := {"pipe": "WFL003", "adhoc": "WFL004"}[kind]
	some file, all in files
	[line, column, command, fault] := min(all)
}

before[a.kind][a.file] contains [a.line, a.column, a.command, a.fault] if {
	some a in input.workflows
	not introduced(a)
}

more(0) := ""

more(n) := sprintf(" (and %d more in this file)", [n]) if n > 0

introduced(a) if not a.origin in {"base", "checkout"}

# way says what is wrong with the way to it.
way(a) := ", over http" if {
	some p in a.places
	open(p)
} else := ""

# open holds for what anybody on the way can read and change.
open(p) if {
	p.scheme == "http"
	not p.loopback
}

# gravity is that of a source: a warning where something goes unverified, and where a change introduces it.
gravity(a) := "warning" if a.unchecked

else := "off" if {
	count(a.places) > 0
	every p in a.places {
		place.secure(p)
		accepted(p, a.ecosystem)
	}
} else := "warning" if {
	some p in a.places
	objectionable(p, a.ecosystem)
} else := "note" if {
	count(a.places) > 0
	perhaps_official(a.ecosystem)
} else := "warning" if introduced(a)

else := "note"

accepted(p, eco) if place.grade(p, eco, "change") == "off"

accepted(p, "pip") if p.host == "pypi.org"

# objectionable holds for what no list accepts, whoever names it.
objectionable(p, eco) if place.grade(p, eco, "base") == "error"

objectionable(p, _) if open(p)

# perhaps_official holds where nobody knows here which source the tool has built in.
perhaps_official(eco) if data.goproxy.official_unknown[eco]

perhaps_official(eco) if {
	eco in {"go", "npm"}
	not data.goproxy.builtin[eco]
}
