# METADATA
# title: git
# description: Where git is led by .gitmodules and by its configuration, and what it starts on the way.
package goproxy.git

import data.goproxy.place

# modules are [submodule, severity, fault, remedy], settings [what says where it stands, severity, subject, message, remedy].
finding contains object.union(place.position(s), {
	"id": "GIT001",
	"severity": severity,
	"msg": sprintf("submodule %s %s", [s.name, fault]),
	"subject": sprintf("submodule %s", [s.name]),
	"fix": fix,
}) if {
	some [s, severity, fault, fix] in modules
}

finding contains object.union(place.position(x), {
	"id": "GIT002",
	"severity": severity,
	"msg": msg,
	"subject": subject,
	"fix": fix,
}) if {
	some [x, severity, subject, msg, fix] in settings
}

# METADATA
# title: Submodule comes from somewhere else
# description: >-
#  The commit pins what a submodule holds; .gitmodules says whom it is fetched from, by which way, and with the credentials
#  of the job. What a change brings in is an error, and so is what would start a program, or what git refuses.
# custom:
#   id: GIT001
#   severity: error
#   fix: name an https or ssh address of a trusted host in .gitmodules, and run git submodule sync
modules contains [s, severity, fault, place.remedy(s, "git")] if {
	some s in remote
	severity := place.grade(s, "git", s.origin)
	severity != "off"
	fault := sprintf("comes from %s, which %s", [place.label(s), place.why("git", s.origin)])
}

modules contains [s, introduced(s), fault, "write an https or ssh address in .gitmodules, and run git submodule sync"] if {
	some s in remote
	s.scheme != "ssh"
	not place.secure(s)
	fault := sprintf("comes from %s over %s, neither https nor ssh", [place.label(s), s.scheme])
}

modules contains [s, "note", "has a name or a password in its address", "leave credentials to git's credential helper"] if {
	some s in remote
	s.scheme != "ssh"
	s.userinfo
}

modules contains [s, introduced(s), s.fault, "write the address of a server, or one that is relative to the repository's own (../)"] if {
	some s in input.git.submodules
	s.kind in {"local", "invalid"}
}

modules contains [s, "error", s.fault, "take it out of .gitmodules"] if {
	some s in input.git.submodules
	s.kind in {"command", "refused"}
}

remote := [s | some s in input.git.submodules; s.kind == "remote"]

# introduced is an error for what a change brings in, and a warning for what was there.
introduced(x) := object.get({"change": "error"}, x.origin, "warning")

# METADATA
# title: Configuration of git weakens or redirects it
# description: >-
#  It leads addresses elsewhere (url.*.insteadOf), switches verification off, or starts programs in every git command of the
#  job, those of go and npm among them. The machine's owner may name what he wants, but for verification that is off and
#  for what the author of the checkout may have written. What .git/config says is part of no commit and outlives a
#  checkout: an earlier job or step has written it, whatever the change. With scope repo all of this is left out.
# custom:
#   id: GIT002
#   severity: error
#   fix: take the setting back (git config --unset), or check out the repository anew into an empty directory
settings contains [s, "error", s.name, msg, "name your certificate authority in http.sslCAInfo or GIT_SSL_CAINFO instead"] if {
	some s in own
	unverified(s)
	msg := sprintf("%s switches TLS verification off in git", [where(s)])
}

settings contains [s, "warning", s.name, msg, "set it in the configuration of the runner"] if {
	some s in own
	of_clone(s)
	regex.match(`^(http|remote)\.(.*\.)?(proxy|curloptresolve)$`, s.name)
	s.value != ""
	msg := sprintf("%s decides whom git asks on the way", [where(s)])
}

settings contains [s, grave(s, "error", "warning"), s.name, msg, "allow the protocols that you need, and never ext"] if {
	some s in own
	starts_programs(s)
	msg := sprintf("%s lets an address start a program (ext::)", [where(s)])
}

settings contains [r, pushed(r, severity), r.name, msg, place.remedy(r, "git")] if {
	some r in input.git.rewrites
	r.host != ""
	not r.stays
	severity := place.grade(r, "git", r.origin)
	severity != "off"
	msg := sprintf("%s leads %s to %s, which %s", [r.setting, replaced(r), place.label(r), place.why("git", r.origin)])
}

settings contains [r, pushed(r, "error"), r.name, msg, "lead it to an https or ssh address"] if {
	some r in input.git.rewrites
	r.weaker
	msg := sprintf("%s leads %s over %s, neither https nor ssh", [r.setting, replaced(r), r.scheme])
}

settings contains [r, grave(r, "warning", "note"), r.name, msg, "write it as url.https://host/.insteadOf"] if {
	some r in input.git.rewrites
	r.broken != ""
	msg := sprintf("%s, for %s, %s", [r.setting, replaced(r), r.broken])
}

settings contains [r, "warning", r.name, msg, "set it in the configuration of the runner"] if {
	some r in input.git.rewrites
	r.scheme == "file"
	of_clone(r)
	msg := sprintf("%s leads %s to a directory", [r.setting, replaced(r)])
}

settings contains [f, "warning", f.setting, msg, "let git's configuration name files outside of the workspace"] if {
	some f in input.git.files
	f.unread == ""
	msg := sprintf("%s leads git to a file that the author of the checkout may have written: %s", [f.setting, f.path])
}

# What is too large to be judged is never passed over.
settings contains [f, severity, f.path, msg, "see what git config --list --show-origin says, and replace the file by a regular one of usual size"] if {
	some f in input.git.files
	f.unread != ""
	severity := {true: "error", false: "warning"}[f.exceeds]
	msg := sprintf("%s could not be read, so that git's settings in it are not known: %s", [f.path, f.unread])
}

settings contains [p, severity, p.name, msg, "let the configuration of the runner name a program outside of the workspace"] if {
	some p in input.git.programs
	not p.usual
	[severity, fault] := starts[p.kind][tool(p)]
	msg := concat("", [p.setting, " ", fault, p.path])
}

settings contains [p, "warning", p.name, msg, "keep the keys of your hosts in a known_hosts file of the runner"] if {
	some p in input.git.programs
	p.unverified
	msg := sprintf("%s takes any key for that of a host", [p.setting])
}

# own are git's settings; where there are any that can be bad, there is input.git.
own := [s | input.git; some s in input.settings; s.ecosystem == "git"]

unverified(s) if s.name == "GIT_SSL_NO_VERIFY" # whatever its value

unverified(s) if {
	endswith(s.name, ".sslverify")
	s.value == "false"
}

starts_programs(s) if {
	s.name in {"protocol.allow", "protocol.ext.allow"}
	s.value == "always"
}

starts_programs(s) if {
	s.name == "GIT_ALLOW_PROTOCOL"
	"ext" in split(s.value, ":")
}

# where says where a setting stands; that of a variable is its name.
where(s) := s.name if s.from == s.name

else := sprintf("%s in %s", [s.name, s.from])

# of_clone holds for .git/config, and for what the author of the checkout may have written.
of_clone(x) if x.origin == "checkout"

# grave is the severity for a clone, or else the other.
grave(x, clone, other) := object.get({"checkout": clone}, x.origin, other)

# pushed is the severity of what concerns pushes alone: nothing is fetched that way.
pushed(r, severity) := object.get({"error": "warning"}, severity, severity) if r.push

else := severity

replaced(r) := r.instead_of if r.instead_of != ""

else := "every address"

# tool tells filters and hooks, which repositories have their developers set up, from what git starts on the way.
tool(p) := "local" if regex.match(`^(filter\.|core\.hookspath$)`, p.name)

else := "remote"

starts := {
	"checkout": {
		"local": ["warning", "starts what the author of the checkout may have written: "],
		"remote": ["error", "starts what the author of the checkout may have written: "],
	},
	"clone": {
		"local": ["note", "starts a program by the word of whoever worked in this clone before"],
		"remote": ["warning", "starts a program by the word of whoever worked in this clone before"],
	},
}
