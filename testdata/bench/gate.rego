# What the default rules ask of lock files and of go.sum, for conftest and opa: on a document that has been parsed, with
# the host, scheme and algorithm of each package by themselves.
package main

allowed := {
	"registry.npmmirror.com", "registry.yarnpkg.com", "mirrors.cloud.tencent.com", "mirrors.huaweicloud.com",
	"npm.pkg.github.com", "npm.corp.example", "registry.corp.example", "packages.corp.example",
}

deny contains msg if {
	some p in input.packages
	not p.host in allowed
	msg := sprintf("%s@%s comes from %s, which is not trusted", [p.name, p.version, p.host])
}

deny contains msg if {
	some p in input.packages
	p.scheme != "https"
	msg := sprintf("%s@%s comes from %s over %s, not https", [p.name, p.version, p.host, p.scheme])
}

deny contains msg if {
	some p in input.packages
	p.integrity == "none"
	msg := sprintf("%s@%s has no integrity", [p.name, p.version])
}

deny contains msg if {
	some p in input.packages
	p.integrity in {"sha1", "md5"}
	msg := sprintf("%s@%s is pinned by %s alone", [p.name, p.version, p.integrity])
}

deny contains msg if {
	some m in input.modules
	not m.sum
	msg := sprintf("%s@%s has no line in go.sum", [m.module, m.version])
}
