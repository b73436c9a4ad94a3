# METADATA
# title: What go.mod and go.sum pin
# description: Facts of the checkout alone, whatever the machine.
package goproxy.mod

import data.goproxy.place

# requirements are [group, rule, severity, fault], directives [what says where it stands, rule, severity, subject, fault].
finding contains {"id": id, "severity": severity, "msg": fault, "group": group} if {
	some [group, id, severity, fault] in requirements
}

finding contains object.union(place.position(x), {
	"id": id,
	"severity": severity,
	"msg": sprintf("%s %s", [subject, fault]),
	"subject": subject,
}) if {
	some [x, id, severity, subject, fault] in directives
}

versioned(x) := sprintf("%s@%s", [x.module, x.version])

# METADATA
# title: Module is replaced from outside
# description: The code of a replaced module comes from somewhere else than its name says.
# custom:
#   id: MOD001
#   severity: error
#   fix: drop the directive, or lead it to a directory of this repository
directives contains [r, "MOD001", introduced(r), r.module, sprintf("is replaced by %s, %s", [r.target, whence])] if {
	some r in input.go.replaces
	whence := outside(r)
}

directives contains [u, "MOD001", introduced(u), u.target, "is used by the workspace, and lies outside the checkout"] if {
	some u in input.go.uses
}

# introduced is an error for what a change brings in, and a warning for what was there.
introduced(x) := object.get({"change": "error"}, x.origin, "warning")

outside(r) := "which lies outside the checkout" if {
	r.kind == "local"
	r.outside
} else := "which belongs to somebody else" if {
	r.kind == "module"
	r.foreign
}

# METADATA
# title: Required version is no release
# description: A pseudo-version is any commit, a prerelease is not finished, and +incompatible has no go.mod of its major version.
# custom:
#   id: MOD002
#   severity: note
#   fix: require a release where there is one
requirements contains [r.id, "MOD002", "note", unreleased[r.kind]] if some r in input.go.requires

unreleased := {
	"pseudo": "is a commit and no release (pseudo-version)",
	"prerelease": "is a prerelease",
	"incompatible": "has no go.mod of its major version (+incompatible)",
}

# METADATA
# title: Module begins with a host that is not listed
# description: The owner of the host decides what code the path stands for. Needs modules.hosts in the configuration.
# custom:
#   id: MOD006
#   severity: error
#   fix: use a module of a listed host, or add the host to modules.hosts in .goproxy/config.yaml
requirements contains [r.id, "MOD006", "error", "begins with a host that is not in modules.hosts"] if {
	some r in input.go.requires
	r.unlisted_host
}

# METADATA
# title: Module has a path that is not listed
# description: Modules of other owners than those agreed on. Needs modules.prefixes in the configuration.
# custom:
#   id: MOD007
#   severity: error
#   fix: use a module of a listed path, or add its path to modules.prefixes in .goproxy/config.yaml
requirements contains [r.id, "MOD007", "error", "has a path that no entry of modules.prefixes takes in"] if {
	some r in input.go.requires
	r.unlisted_prefix
}

# METADATA
# title: Version is excluded
# description: An exclude directive takes a version out of the choice, and with it perhaps the one that mends a fault.
# custom:
#   id: MOD008
#   severity: note
#   fix: drop the exclude directive when what it worked around is mended
directives contains [x, "MOD008", "note", versioned(x), "is excluded"] if some x in input.go.excludes

# METADATA
# title: Change adds a tool of somebody else
# description: A tool directive is code that go tool builds and runs in the jobs of this repository.
# custom:
#   id: MOD009
#   severity: warning
#   fix: see that the tool is the one you mean, and who maintains it
directives contains [t, "MOD009", "warning", t.path, "is a tool that this change adds, and belongs to somebody else"] if {
	some t in input.go.tools
	t.origin == "change"
	t.foreign
}

# METADATA
# title: Required module has no line in go.sum
# description: Whatever is served for it first would be believed.
# custom:
#   id: MOD010
#   severity: error
#   fix: run go mod tidy and commit go.sum
directives contains [m, "MOD010", severity, versioned(m), sprintf("has no %s in %s", [missing, m.sum])] if {
	some m in input.go.unsummed
	[severity, missing] := object.get({"gomod": ["warning", "/go.mod line"]}, m.missing, ["error", "line"])
}

# METADATA
# title: Vendored modules are not those of go.mod and go.sum
# description: >-
#  The go command refuses a list that differs from go.mod, and never compares what is vendored with go.sum.
# custom:
#   id: MOD011
#   severity: warning
#   fix: run go mod vendor (go work vendor in a workspace) after go mod tidy, and commit the result
directives contains [d, "MOD011", "warning", d.module, d.fault] if some d in input.go.vendor

# METADATA
# title: Two files hold different hashes of one module
# description: A version has one content, so one of the lines is false; in a workspace the go command reads them all.
# custom:
#   id: MOD012
#   severity: error
#   fix: find out which of the two is true (go mod verify, the checksum database) and delete the other line
directives contains [c, "MOD012", "error", versioned(c), sprintf("has another hash than in %s", [c.other])] if {
	some c in input.go.clashes
}

# METADATA
# title: Module path looks like another one
# description: A path that differs in case or in look-alike signs from a module that is used names another module.
# custom:
#   id: MOD013
#   severity: error
#   fix: write the path as the module's own go.mod has it, and drop the other one
directives contains [l, "MOD013", object.get({"foreign": "error"}, l.kind, introduced(l)), l.module, l.fault] if {
	some l in input.go.lookalikes
}

# METADATA
# title: Setting of GODEBUG makes programs less safe
# description: A godebug line holds for every program that is built here, and brings back what was given up for a reason.
# custom:
#   id: MOD014
#   severity: warning
#   fix: drop the line, or set GODEBUG in the environment of the one program that needs it
directives contains [d, "MOD014", "warning", d.setting, d.effect] if some d in input.go.debug
