# METADATA
# title: A company's own rules
package corp

# METADATA
# title: Fork of a module is not one of ours
# description: A replace directive changes what is built everywhere a module's name stands.
# custom:
#   id: CORP001
#   severity: error
#   fix: list the fork in data.forks, with the team that keeps it
deny contains {
	"msg": sprintf("is replaced by %s", [r.target]),
	"subject": r.module,
	"_loc": object.filter(r, ["file", "line", "column"]),
} if {
	some r in input.go.replaces
	r.kind == "module"
	not kept(r.target)
}

# METADATA
# title: Package comes from a version control host
# custom:
#   id: CORP002
#   severity: warning
#   fix: publish it in our registry
deny_git contains {"msg": "comes from version control", "group": g.id} if {
	some g in input.entries
	g.kind == "git"
	not goproxy.host_match([".corp.example"], g.host)
}

kept(target) if {
	some fork in data.forks
	goproxy.module_match(fork.prefix, target)
}
