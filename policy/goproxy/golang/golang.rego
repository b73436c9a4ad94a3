# METADATA
# title: Settings of Go
# description: What the go command goes by. With scope "repo" the machine's settings are left out.
package goproxy.golang

import data.goproxy.place

go := input.go if input.scope != "repo"

# named says where a setting comes from.
named(name, from) := from.setting if from.setting != ""

else := name

# METADATA
# title: Checksum database is not in use
# description: Without it nothing tells a module that was never fetched before from a forged one.
# custom:
#   id: GO001
#   severity: error
#   fix: unset GOSUMDB, or set GOSUMDB=sum.golang.org
finding contains object.union(place.position(db), {
	"id": "GO001",
	"severity": "error",
	"msg": sprintf("%s: %s", [named("GOSUMDB", db), fault]),
	"subject": "GOSUMDB",
}) if {
	db := go.sumdb
	some fault in sumdb_faults(db)
}

sumdb_faults(db) := {"the checksum database is switched off"} if db.mode == "off"

else := {sprintf("%q names no checksum database", [db.value])} if db.mode != "on"

else := unknown_key(db) | plain_http(db)

unknown_key(db) := set() if db.key_known

else := {sprintf("the key of checksum database %s is not known", [db.name])}

plain_http(db) := {sprintf("checksum database %s is asked over http, not https", [db.name])} if {
	url := lower(db.url)
	startswith(url, "http:")
	not regex.match(`^http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?(/|$)`, url)
} else := set()

# METADATA
# title: Pattern for private modules does not do what it says
# description: A broad one switches the checksum database off for public modules; one that matches nothing lets private names out.
# custom:
#   id: GO002
#   severity: warning
#   fix: list the prefixes of your own modules, with commas and no spaces between them
finding contains object.union(place.position(p), {
	"id": "GO002",
	"severity": severity,
	"msg": sprintf("%s: pattern %q %s", [named(p.name, p), p.pattern, fault]),
	"subject": sprintf("%s=%s", [p.name, p.pattern]),
}) if {
	some p in go.patterns
	p.name in {"GOPRIVATE", "GONOSUMDB", "GONOPROXY"}
	some [severity, fault] in pattern_faults(p)
}

pattern_faults(p) := union({
	breadth(p), {["warning", "does not match: the name of a private module goes to public services"] |
		p.spaced
	},
	{["note", "has no host in front and matches nothing"] |
		p.hostless
		p.pattern != "none" # the usual word for an empty list
	},
})

breadth(p) := set() if not p.broad

else := {["note", "lets public modules come from version control hosts, past the proxies"]} if p.name == "GONOPROXY"

else := {["warning", "takes in public modules, which then come unverified"]}

# METADATA
# title: Verification is switched off for some modules
# description: For a module that GOINSECURE matches, certificates are not verified and plain http will do.
# custom:
#   id: GO003
#   severity: error
#   fix: unset GOINSECURE; for a private host name its certificate authority in SSL_CERT_FILE
finding contains object.union(place.position(p), {
	"id": "GO003",
	"severity": "error",
	"msg": sprintf("%s: TLS verification is switched off for %q", [named(p.name, p), p.pattern]),
	"subject": sprintf("%s=%s", [p.name, p.pattern]),
}) if {
	some p in go.patterns
	p.name == "GOINSECURE"
}

# METADATA
# title: List of module proxies is unsafe
# description: Separator and order in GOPROXY decide whether a refused or forged answer stops the build or goes unnoticed.
# custom:
#   id: GO004
#   severity: error
#   fix: set GOPROXY to https addresses with commas between them, and direct at most at the end
finding contains object.union(place.position(p), {
	"id": "GO004",
	"severity": severity,
	"msg": sprintf("%s: %s", [named("GOPROXY", p), fault]),
	"subject": entry(p),
}) if {
	some p in go.proxies
	some [severity, fault] in union({
		separator_faults(p),
		kind_faults(p),
		userinfo_faults(p),
	})
}

finding contains object.union(place.position(p), {
	"id": "GO004",
	"severity": "error",
	"msg": sprintf("%s ends at version control hosts (direct), which the configuration does not allow", [named("GOPROXY", p)]),
	"subject": "direct",
	"fix": "take direct out of GOPROXY, or write direct: allow in .goproxy/config.yaml",
}) if {
	data.goproxy.direct_denied
	some p in go.proxies
	p.kind == "direct"
	not behind_off(p)
}

# What GONOPROXY takes in comes from version control hosts whatever GOPROXY says. Without one GOPRIVATE is taken for it.
finding contains object.union(place.position(p), {
	"id": "GO004",
	"severity": "error",
	"msg": sprintf("%s: pattern %q sends public modules to version control hosts (direct), which the configuration does not allow", [
		named(p.name, p), p.pattern,
	]),
	"subject": sprintf("%s=%s", [p.name, p.pattern]),
	"fix": sprintf("keep %s to the prefixes of your own modules, or write direct: allow in .goproxy/config.yaml", [p.name]),
}) if {
	data.goproxy.direct_denied
	some p in go.patterns
	p.broad
	not p.spaced
	p.name == past_proxies
}

past_proxies := "GONOPROXY" if "GONOPROXY" in ({s.name | some s in input.settings} | {p.name | some p in go.patterns})

else := "GOPRIVATE"

# behind_off holds for an entry that the go command never comes to.
behind_off(p) if {
	some other in go.proxies
	other.kind == "off"
	other.index < p.index
}

entry(p) := place.label(p.place) if p.kind == "url"

else := p.kind

separator_faults(p) := {["warning", sprintf(
	"the | before %s goes on after any failure, so a refused or forged answer of the entry before it goes unnoticed",
	[entry(p)],
)]} if p.before == "|"

else := set()

kind_faults(p) := {["warning", "direct stands before another proxy, which is therefore never asked"]} if {
	p.kind == "direct"
	p.followed
} else := {["error", sprintf("entry %d cannot be read: %s", [p.index + 1, fault])]} if {
	not p.kind in {"url", "file", "direct", "off"}
	fault := object.get(p, ["place", "broken"], "it is neither an address nor direct nor off")
} else := set()

userinfo_faults(p) := {["error", sprintf("a password would go to %s over http", [entry(p)])]} if {
	p.place.userinfo
	p.place.scheme == "http"
} else := {["note", sprintf("the address of %s holds a name or a password", [entry(p)])]} if p.place.userinfo

else := set()

# METADATA
# title: GOFLAGS changes what is built
# description: These flags replace files, run programs or rewrite go.mod in every go command of the job.
# custom:
#   id: GO005
#   severity: error
#   fix: take the flag out of GOFLAGS and give it to the one command that needs it
finding contains object.union(place.position(f), {
	"id": "GO005",
	"severity": severity,
	"msg": sprintf("%s: %s %s", [named("GOFLAGS", f), written(f), effect]),
	"subject": sprintf("GOFLAGS=%s", [written(f)]),
}) if {
	some f in go.flags
	[severity, effect] := flags[f.name]
	not harmless(f)
}

finding contains object.union(place.position(f), {
	"id": "GO005",
	"severity": "error",
	"msg": sprintf("%s cannot be read: every go command will fail (%s)", [named("GOFLAGS", f), f.broken]),
	"subject": "GOFLAGS",
	"fix": "write GOFLAGS as flags with a dash and =value each, with spaces between them, and close every quote",
}) if {
	some f in go.flags
	f.broken != ""
}

flags := {
	"insecure": ["error", "switches verification off"],
	"mod": ["warning", "lets go commands change go.mod and go.sum"],
	"modfile": ["warning", "puts another file in the place of go.mod"],
	"overlay": ["warning", "replaces source files"],
	"toolexec": ["warning", "runs a program in front of compiler and linker"],
	"exec": ["warning", "runs a program in front of tests"],
	"modcacherw": ["note", "leaves the module cache writable, so that what was verified can be changed"],
}

written(f) := "-mod=mod" if f.name == "mod"

else := sprintf("-%s", [f.name])

harmless(f) if {
	f.name == "mod"
	f.value != "mod"
}

harmless(f) if {
	f.name in {"insecure", "modcacherw"}
	f.value in {"false", "0", "f", "F", "FALSE", "False"}
}

# METADATA
# title: Module mode is switched off
# description: Without it nothing is pinned, and go.sum is not looked at.
# custom:
#   id: GO009
#   severity: error
#   fix: unset GO111MODULE
finding contains object.union(place.position(go.modules), {
	"id": "GO009",
	"severity": "error",
	"msg": sprintf("%s: modules are switched off, so go.mod and go.sum are not used", [named("GO111MODULE", go.modules)]),
	"subject": "GO111MODULE",
}) if {
	go.modules.value == "off"
}

# faults are [what says where it stands, rule, severity, setting, message].
finding contains object.union(place.position(x), {"id": id, "severity": severity, "msg": msg, "subject": subject}) if {
	some [x, id, severity, subject, msg] in faults
}

# METADATA
# title: Version control tools are let loose on public modules
# description: Only git and hg are hardened against the servers they ask; the go command keeps the others to private modules.
# custom:
#   id: GO006
#   severity: warning
#   fix: unset GOVCS, or name the prefixes of your own modules in it
faults contains [v, "GO006", "warning", "GOVCS", sprintf("%s %s", [named("GOVCS", v), v.fault])] if {
	some v in go.vcs
	v.fault != ""
}

# METADATA
# title: Go command downloads another toolchain
# description: >-
#  A go or toolchain line that is newer than the installed Go makes every go command of the job fetch and run the newer one.
#  The checksum database verifies it whatever GOSUMDB says.
# custom:
#   id: GO007
#   severity: warning
#   fix: install that version on the runner (setup-go with go-version-file), or set GOTOOLCHAIN=local to be told instead
faults contains [t, "GO007", object.get({"setting": "note"}, t.by, "warning"), t.name, sprintf(
	"%s asks for %s, and %s is installed, so the go command downloads and runs the other",
	[t.setting, t.name, t.installed],
)] if {
	some t in go.toolchains
}

# METADATA
# title: Go command starts what a setting names
# description: >-
#  What GOAUTH and GOCACHEPROG name runs with the credentials of the job. Nothing of the checkout should, nor
#  should a file of the checkout say what the go command goes by.
# custom:
#   id: GO008
#   severity: error
#   fix: let the settings of Go name programs and files outside of the workspace
faults contains [p, "GO008", severity, p.name, sprintf("%s %s%s", [named(p.name, p), fault, p.path])] if {
	some p in go.programs
	[severity, fault] := starts[p.kind]
}

starts := {
	"runner": ["note", "starts a program of the runner"],
	"checkout": ["error", "starts what the author of the checkout may have written: "],
	"git": ["warning", "asks the credential helper of git in a directory that the author of the checkout may have written: "],
}

faults contains [f, "GO008", "warning", f.by, concat("", [
	f.by, " leads to a file that the author of the checkout may have written; ", f.content,
])] if {
	f := go.env_file
}

faults contains [s, "GO008", "note", "GOFLAGS", sprintf("GOFLAGS is set by %s, which outlives the job (go env -u GOFLAGS)", [s.from])] if {
	input.scope != "repo"
	some s in input.settings
	s.name == "GOFLAGS"
	s.origin == "runner"
	s.file
}
