// Package decide answers allow, deny or error with reasons, from Rego policies over one versioned input document.
package decide

import "github.com/org/goproxy-action/internal/lockfile"

// Schema names the contract that policies are written against.
const Schema = "goproxy.dev/policy-input/v1"

// Input is what policies see. It is a contract of its own: a struct of another package never leaks into it. It holds no
// secret: addresses are canonical and without userinfo, values of settings are redacted.
type Input struct {
	Schema string `json:"schema"`
	// Scope is "all", or "repo" when the machine's settings are left out.
	Scope    string    `json:"scope"`
	Run      Run       `json:"run"`
	Network  Network   `json:"network"`
	Sources  []Source  `json:"sources"`
	Settings []Setting `json:"settings"`
	// Go is nil where there is nothing of Go.
	Go *Go `json:"go,omitempty"`
	// Entries are what lock files pin, gathered by place and kind: ten thousand packages from one registry are one.
	Entries []Group `json:"entries"`
	// Packages are what lock files pin and go.mod files require, one by one; absent where no policy reads them.
	Packages []Package `json:"packages,omitzero"`
	// Flagged are the packages and modules that something sets apart.
	Flagged []Flagged `json:"flagged"`
	// NPM is nil where there is nothing of the npm family.
	NPM *NPM `json:"npm,omitempty"`
	// Git is nil where nothing is told to git.
	Git *Git `json:"git,omitempty"`
	// Workflows are what workflows and pipelines of the checkout do about packages.
	Workflows []Action `json:"workflows"`
	// Each is true where a policy reads Packages, so that they are to be filled in.
	Each bool `json:"-"`
}

// Run says where and for what this runs.
type Run struct {
	// Front is "shell", "github" or "gitlab".
	Front string `json:"front"`
	// Event is the host's name of it (GitHub's event, GitLab's pipeline source); empty elsewhere.
	Event string `json:"event"`
	// Base is "known" when the commit that a change is measured against could be read, "unknown" when there is one that
	// could not be read, "none" when there is none.
	Base string `json:"base"`
}

// Network is the class of the network and whether TLS is intercepted (nil: not known).
type Network struct {
	Class       string `json:"class"`
	Intercepted *bool  `json:"intercepted"`
}

// Place is a canonical address, judged by policies.
type Place struct {
	// URL is canonical, without userinfo.
	URL    string `json:"url"`
	Scheme string `json:"scheme"`
	Host   string `json:"host"`
	// Port is empty for the scheme's own.
	Port     string `json:"port"`
	Loopback bool   `json:"loopback"`
	// Userinfo is true when the address as written carries a name or a password.
	Userinfo bool `json:"userinfo"`
	// Broken is why the address has no canonical form; empty when it has one.
	Broken string `json:"broken"`
}

// Source is a place the job would fetch from, as things will be after the plan.
type Source struct {
	Place
	ID        string `json:"id"`
	Ecosystem string `json:"ecosystem"`
	// Role is module-proxy, registry or checksum-db.
	Role string `json:"role"`
	// Origin is builtin, user, runner, base, checkout or change.
	Origin string `json:"origin"`
	// Via is direct, proxy or unknown.
	Via string `json:"via"`
	// IPs are the addresses the host has; empty when not known.
	IPs []string `json:"ips"`
	// Addresses is "known", "behind-proxy" or "not-asked" or "no-answer".
	Addresses string `json:"addresses"`
	lockfile.Position
	// Setting names what named it ("GOPROXY").
	Setting string `json:"setting"`
}

// Setting is one effective setting of a tool.
type Setting struct {
	Ecosystem string `json:"ecosystem"`
	// Name is the tool's own: "GOSUMDB", "registry", "@corp:registry", "strict-ssl".
	Name string `json:"name"`
	// Value is redacted.
	Value string `json:"value"`
	// Kind is what it decides: registry, mirror (of programs), proxy, authority, tls, http, credential, redirect (another file is read),
	// integrity, protection, caution or program for npm and its kin; empty for others.
	Kind string `json:"kind"`
	// Fault is what is wrong with the value by itself, in words that go on from the name; empty where nothing is.
	Fault string `json:"fault"`
	// Place is set where the value is an address.
	Place *Place `json:"place,omitempty"`
	// Key is the setting with its file and its value. Policies do not see it.
	Key string `json:"-"`
	// Origin is builtin (the tool's own default), runner, base, checkout or change.
	Origin string `json:"origin"`
	// From is where it stands: a variable's name or a file.
	From string `json:"from"`
	lockfile.Position
}

// Go is what concerns Go alone.
type Go struct {
	SumDB    SumDB     `json:"sumdb"`
	Proxies  []Proxy   `json:"proxies"`
	Patterns []Pattern `json:"patterns"`
	Flags    []Flag    `json:"flags"`
	// Modules is "on" or "off" (GO111MODULE=off).
	Modules Switch `json:"modules"`
	// Replaces are the replace directives of all go.mod and go.work files.
	Replaces []Replace `json:"replaces"`
	// Unsummed are requirements that are not replaced, are no module of the workspace, are not vendored, and have no line
	// in go.sum. Where the go.sum of a workspace above the checkout may have the lines, none are told.
	Unsummed []Unsummed `json:"unsummed"`
	// VCS are the entries of GOVCS.
	VCS []VCS `json:"vcs"`
	// Programs are what the go command starts because a setting says so.
	Programs []Program `json:"programs"`
	// EnvFile is the file of go env -w where the author of the checkout may have written it; nil elsewhere.
	EnvFile *EnvFile `json:"env_file,omitempty"`
	// Toolchains are others than the installed one that the go command would download and run.
	Toolchains []Toolchain `json:"toolchains"`
	// Requires are the modules that go.mod and go.work files ask for, gathered by what rules tell apart.
	Requires []Requirement `json:"requires"`
	// Lookalikes are paths of required modules that can be taken for another.
	Lookalikes []Lookalike `json:"lookalikes"`
	// Excludes and Tools are the directives of all go.mod files.
	Excludes []Exclude `json:"excludes"`
	Tools    []Tool    `json:"tools"`
	// Uses are the directories outside the checkout that go.work files use.
	Uses []Use `json:"uses"`
	// Debug are the godebug lines that make a program less safe.
	Debug []Debug `json:"debug"`
	// Directives are the go, toolchain, godebug and retract lines of all go.mod and go.work files.
	Directives []Directive `json:"directives"`
	// Vendor is where a vendor directory says something else than go.mod and go.sum.
	Vendor []Vendored `json:"vendor"`
	// Clashes are modules for which two go.sum or go.work.sum files hold different hashes.
	Clashes []Clash `json:"clashes"`
	// Log is what the transparency log says of the lines; nil where nobody compared them.
	Log *Log `json:"log,omitempty"`
}

func (g *Go) originate(tell func(key string, origin *string)) {
	for i := range g.Replaces {
		tell(g.Replaces[i].Key, &g.Replaces[i].Origin)
	}
	for i := range g.Uses {
		tell(g.Uses[i].Key, &g.Uses[i].Origin)
	}
	for i := range g.Tools {
		tell(g.Tools[i].Key, &g.Tools[i].Origin)
	}
	for i := range g.Lookalikes {
		tell(g.Lookalikes[i].Key, &g.Lookalikes[i].Origin)
	}
}

// From says where a machine's setting comes from.
type From struct {
	// Origin is builtin or runner.
	Origin string `json:"origin"`
	// Setting is "GOSUMDB in the environment" or the like, for a message.
	Setting string `json:"setting"`
	lockfile.Position
}

// SumDB is the effective GOSUMDB.
type SumDB struct {
	// Value is as set.
	Value string `json:"value"`
	// Mode is on, off or invalid.
	Mode string `json:"mode"`
	// Name is the database's.
	Name string `json:"name"`
	// KeyKnown is true when the key is the one built into Go, or one that the user's configuration names.
	KeyKnown bool `json:"key_known"`
	// URL is where it is asked, empty for its own host or a module proxy's relay.
	URL string `json:"url"`
	From
}

// Proxy is one entry of GOPROXY.
type Proxy struct {
	// Kind is url, file, direct, off or invalid.
	Kind string `json:"kind"`
	// Place is set for url and invalid.
	Place *Place `json:"place,omitempty"`
	// Before is the separator before the entry: "", "," or "|".
	Before string `json:"before"`
	Index  int    `json:"index"`
	// Followed is true when another url entry comes after it.
	Followed bool `json:"followed"`
	From
}

// Pattern is one pattern of GOPRIVATE, GONOPROXY, GONOSUMDB or GOINSECURE.
type Pattern struct {
	Name    string `json:"name"`
	Pattern string `json:"pattern"`
	// Broad is true for a pattern that takes in public modules: *, a public host as a whole, a top-level domain.
	Broad bool `json:"broad"`
	// Spaced is true when white space surrounds the pattern, which keeps it from matching.
	Spaced bool `json:"spaced"`
	// Hostless is true when the first element is no host, so that the pattern matches nothing.
	Hostless bool `json:"hostless"`
	From
}

// Flag is one flag of GOFLAGS.
type Flag struct {
	// Name is without dashes; Value is empty where there is none.
	Name  string `json:"name"`
	Value string `json:"value"`
	// Broken is why the rest of GOFLAGS cannot be read, Name and Value then being empty; empty for a flag that can.
	Broken string `json:"broken"`
	From
}

// Switch is a setting with few values.
type Switch struct {
	Value string `json:"value"`
	From
}

// Replace is one replace directive.
type Replace struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	// Target is a module path or a local path.
	Target        string `json:"target"`
	TargetVersion string `json:"target_version"`
	// Kind is local or module.
	Kind string `json:"kind"`
	// Outside is true for a local path that leads out of the checkout.
	Outside bool `json:"outside"`
	// Foreign is true for a module of another host or owner than the one it replaces.
	Foreign bool `json:"foreign"`
	// Host is of the target module.
	Host string `json:"host"`
	// Key is the directive with its file, "replace svc/go.mod example.com/a@v1 => ../lib", by which it is found again in
	// another commit. Policies do not see it.
	Key string `json:"-"`
	// Origin is base, checkout or change.
	Origin string `json:"origin"`
	lockfile.Position
}

// Unsummed is a requirement without a line in go.sum.
type Unsummed struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	// Missing is all, or gomod where the module's content has its line and its go.mod has none.
	Missing string `json:"missing"`
	// Sum is the go.sum that should hold it.
	Sum string `json:"sum"`
	lockfile.Position
}

// VCS is one entry of GOVCS.
type VCS struct {
	// Entry is as written, "public:git|svn"; empty where all of GOVCS cannot be read.
	Entry string `json:"entry"`
	// Fault is what is wrong with it, in words; empty for an entry that loosens nothing.
	Fault string `json:"fault"`
	From
}

// Program is what a setting makes the go command start.
type Program struct {
	// Name is GOAUTH or GOCACHEPROG.
	Name string `json:"name"`
	// Kind is runner or checkout, by who may have written the program, or git for GOAUTH's "git DIR" where the directory,
	// which configures the credential helper, may be the checkout's author's.
	Kind string `json:"kind"`
	// Path is the program, or git's directory, as written. It is empty for kind runner, since it may be a secret in the
	// wrong place. Arguments are never told.
	Path string `json:"path"`
	From
}

// EnvFile is the file of go env -w.
type EnvFile struct {
	// By is what leads there: GOENV, or "the place of go env -w".
	By string `json:"by"`
	// Content is "it sets GOFLAGS, CC" or "it was not read", as one beside the checkout is not; may be empty.
	Content string `json:"content"`
	lockfile.Position
}

// Toolchain is another toolchain than the installed one.
type Toolchain struct {
	// Name is "go1.27.1" and Installed the toolchain that is there.
	Name      string `json:"name"`
	Installed string `json:"installed"`
	// By is what asks for it: setting or line; Setting says it in words, "the toolchain line".
	By string `json:"by"`
	From
}

// Requirement is all modules that are required, or that replace a required one, and are alike.
type Requirement struct {
	// ID is unique in the document: a finding names it as its group, and is then spread over all its modules.
	ID string `json:"id"`
	// Kind is release, prerelease, pseudo or incompatible.
	Kind string `json:"kind"`
	// UnlistedHost and UnlistedPrefix are true when the configuration lists hosts or prefixes, and the module's is none.
	UnlistedHost   bool `json:"unlisted_host"`
	UnlistedPrefix bool `json:"unlisted_prefix"`
	Count          int  `json:"count"`
	// Examples are up to five of module@version.
	Examples []string `json:"examples"`
	// Position is the first one's.
	lockfile.Position
	// Items are the first ten thousand.
	Items []Item `json:"-"`
}

// Lookalike is the path of a required module.
type Lookalike struct {
	Module string `json:"module"`
	// Kind is case, similar or foreign: it differs from Other in case only, or in signs that look alike, or it holds a
	// character that no module path may.
	Kind string `json:"kind"`
	// Other is the module that it can be taken for; empty for foreign.
	Other string `json:"other"`
	// Fault says it in words.
	Fault string `json:"fault"`
	// Key is the path as another commit knows it. Policies do not see it.
	Key string `json:"-"`
	// Origin is base, checkout or change.
	Origin string `json:"origin"`
	lockfile.Position
}

// Exclude is one exclude directive.
type Exclude struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	lockfile.Position
}

// Tool is one tool directive.
type Tool struct {
	Path string `json:"path"`
	// Foreign is true for a tool of another host or owner than the module that names it.
	Foreign bool `json:"foreign"`
	// Key is the directive with its file. Policies do not see it.
	Key string `json:"-"`
	// Origin is base, checkout or change.
	Origin string `json:"origin"`
	lockfile.Position
}

// Use is one use directive that leads out of the checkout.
type Use struct {
	Target string `json:"target"`
	// Key is the directive with its file. Policies do not see it.
	Key string `json:"-"`
	// Origin is base, checkout or change.
	Origin string `json:"origin"`
	lockfile.Position
}

// Debug is one line of godebug that makes a program less safe.
type Debug struct {
	// Setting is "tls10server=1", Effect what it does, in words.
	Setting string `json:"setting"`
	Effect  string `json:"effect"`
	lockfile.Position
}

// Directive is one line of a go.mod or go.work that says how the modules there are built, or which of their own versions
// they take back.
type Directive struct {
	// Name is go, toolchain, godebug or retract.
	Name string `json:"name"`
	// Value is "1.26", "go1.26.8", "tls10server=1" or "[v1.0.0, v1.1.0]".
	Value string `json:"value"`
	// Comment is the reason of a retract line; empty for others.
	Comment string `json:"comment"`
	lockfile.Position
}

// Vendored is one disagreement between vendor/modules.txt and go.mod or go.sum.
type Vendored struct {
	// Module is the path, with the version where one is meant.
	Module string `json:"module"`
	// Fault is what is wrong, in words.
	Fault string `json:"fault"`
	lockfile.Position
}

// Clash is a line of a go.sum or go.work.sum that another such file contradicts.
type Clash struct {
	// Module is the path and Version the version, with "/go.mod" behind it where the hash is of the go.mod alone.
	Module  string `json:"module"`
	Version string `json:"version"`
	// Other is the file and the line of the other hash.
	Other string `json:"other"`
	lockfile.Position
}

// Group is all entries of one lock file that come from one place in one way.
type Group struct {
	Place
	// ID is unique in the document: a finding names it, and is then spread over all its entries.
	ID        string `json:"id"`
	Ecosystem string `json:"ecosystem"`
	// Kind is registry, tarball, git, file or invalid.
	Kind string `json:"kind"`
	// Integrity is sha512, sha384, sha256, sha1, md5, none, broken, foreign where yarn compares it with nothing because it is
	// of another cache, or omitted where the tool itself keeps none for such packages.
	Integrity string `json:"integrity"`
	// Default is true when the lock file names no place, so that the default registry is asked.
	Default bool `json:"default"`
	// Origin is base, checkout or change; builtin when Default.
	Origin string `json:"origin"`
	Count  int    `json:"count"`
	// Examples are up to five of name@version.
	Examples []string `json:"examples"`
	// Position is the first entry's.
	lockfile.Position
	// Items are all entries.
	Items []Item `json:"-"`
}

// Item is one entry of a Group.
type Item struct {
	Subject string
	At      lockfile.Position
	// Integrity is where its integrity stands; zero where there is none.
	Integrity lockfile.Position
}

// Data is the data document that policies read as data.goproxy.
type Data struct {
	// Builtin are hosts that this program trusts by itself, by ecosystem: the catalogue and the toolchain's default.
	Builtin map[string]map[string]bool `json:"builtin"`
	// OfficialUnknown tells by ecosystem that the toolchain's own default, which Builtin would have, is not known.
	OfficialUnknown map[string]bool `json:"official_unknown"`
	// Trusted are the user's hosts by ecosystem, and TrustedSet says for which ecosystems the user gave a list: an empty
	// list denies, none given means the built-in one.
	Trusted    map[string]map[string]bool `json:"trusted"`
	TrustedSet map[string]bool            `json:"trusted_set"`
	// Addresses are the CIDRs that sources may have; AddressesSet is false where no allowlist is configured.
	Addresses      []string `json:"addresses"`
	AddressesSet   bool     `json:"addresses_set"`
	RequireAddress bool     `json:"require_address"`
	// DirectDenied is true where the user's configuration does not let downloads end at version control hosts.
	DirectDenied bool `json:"direct_denied"`
}
