# METADATA
# title: What go.mod and go.sum pin
# description: Facts of the checkout alone, whatever the machine.
package goproxy.mod

import data.goproxy.place

# METADATA
# title: Module is replaced from outside
# description: The code of a replaced module comes from somewhere else than its name says.
# custom:
#   id: MOD001
#   severity: error
#   fix: drop the replace directive, or replace by a directory of this repository
finding contains object.union(place.position(r), {
	"id": "MOD001",
	"severity": object.get({"change": "error"}, r.origin, "warning"),
	"msg": sprintf("%s is replaced by %s, %s", [r.module, r.target, whence]),
	"subject": r.module,
}) if {
	some r in input.go.replaces
	whence := outside(r)
}

outside(r) := "which lies outside the checkout" if {
	r.kind == "local"
	r.outside
} else := "which belongs to somebody else" if {
	r.kind == "module"
	r.foreign
}

# METADATA
# title: Required module has no line in go.sum
# description: Whatever is served for it first would be believed.
# custom:
#   id: MOD010
#   severity: error
#   fix: run go mod tidy and commit go.sum
finding contains object.union(place.position(m), {
	"id": "MOD010",
	"severity": "error",
	"msg": sprintf("%s@%s has no line in %s", [m.module, m.version, m.sum]),
	"subject": sprintf("%s@%s", [m.module, m.version]),
}) if {
	some m in input.go.unsummed
}
