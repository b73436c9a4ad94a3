# METADATA
# title: What registries say of versions
# description: >-
#  Answers of the sources in force, which nothing pins. Which versions they are asked about is releases in the
#  configuration.
package goproxy.age

import data.goproxy.place

# told are [what says where it stands, rule, severity].
finding contains object.union(place.position(f), {
	"id": id,
	"severity": severity,
	"msg": sprintf("%s %s", [versioned(f), f.detail]),
	"subject": versioned(f),
}) if {
	some [f, id, severity] in told
}

# open are the same for questions without an answer.
finding contains object.union(place.position(f), {
	"id": id,
	"severity": severity,
	"status": "unknown",
	"msg": sprintf("%s %s", [versioned(f), f.detail]),
	"subject": versioned(f),
	"fix": concat("", ["run goproxy-action detect to see what each source answers, and run this again", exempt(f)]),
}) if {
	some [f, id, severity] in open
}

exempt(f) := "; age.exclude in .goproxy/config.yaml names what may be of any age" if f.question == "age"

else := ""

versioned(f) := sprintf("%s@%s", [f.name, f.version])

# of are what is flagged for one reason.
of(eco, kind) := [f |
	some f in input.flagged
	f.ecosystem == eco
	f.kind == kind
]

unknown(eco, question) := [f | some f in of(eco, "unknown"); f.question == question]

# fresh is the severity for what is asked of every change, advice for what a base commit has in use already.
fresh(f, severity) := "warning" if {
	severity == "error"
	f.origin == "base"
} else := "note" if f.origin == "base"

else := severity

# METADATA
# title: Module version was retracted
# description: >-
#  Its authors take the version back, in the go.mod of their latest one, because it does harm or was never meant to be.
# custom:
#   id: MOD003
#   severity: warning
#   fix: require a version that is not retracted; go list -m -versions MODULE lists them
told contains [f, "MOD003", fresh(f, "warning")] if some f in of("go", "retracted")

open contains [f, "MOD003", "note"] if some f in unknown("go", "state")

# METADATA
# title: Module is deprecated
# description: Nobody mends it any more; the go.mod of its latest version says what to use in its place.
# custom:
#   id: MOD004
#   severity: warning
#   fix: use what the message names, or another module that is maintained
told contains [f, "MOD004", fresh(f, "warning")] if some f in of("go", "deprecated")

# METADATA
# title: Module version is too young
# description: >-
#  What is bad in a version is mostly found within days. Needs age.go in the configuration. The date is that of the commit,
#  which its author may have made up.
# custom:
#   id: MOD005
#   severity: error
#   fix: wait until it is old enough, require an older version, or name the module under age.exclude in .goproxy/config.yaml
told contains [f, "MOD005", fresh(f, "error")] if some f in of("go", "young")

open contains [f, "MOD005", undated(f)] if some f in unknown("go", "age")

# undated is an error where an age is asked for: no answer is no allowance.
undated(f) := object.get({"base": "note"}, f.origin, "error")

# METADATA
# title: Locked package is too young
# description: >-
#  What is bad in a version is mostly found, and taken from the registry, within days. Needs age.npm in the configuration.
#  The date is the registry's.
# custom:
#   id: LCK014
#   severity: error
#   fix: wait until it is old enough, install an older version, or name the package under age.exclude in .goproxy/config.yaml
told contains [f, "LCK014", fresh(f, "error")] if some f in of("npm", "young")

open contains [f, "LCK014", undated(f)] if some f in unknown("npm", "age")

# METADATA
# title: Locked package is deprecated
# description: Its authors advise against the version, in the words of the registry.
# custom:
#   id: LCK015
#   severity: warning
#   fix: install what the message names, or another version or package that is maintained
told contains [f, "LCK015", fresh(f, "warning")] if some f in of("npm", "deprecated")

open contains [f, "LCK015", "note"] if some f in unknown("npm", "state")
