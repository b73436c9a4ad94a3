package decide

import "github.com/org/goproxy-action/internal/lockfile"

// Kinds of Flagged.
const (
	// FlagOther is a package whose address, version or key fetches another one than the entry says.
	FlagOther = "other"
	// FlagFile is a package of a registry for which a file is taken that nobody asks for.
	FlagFile = "file"
	// FlagClash is a version for which two entries hold different hashes.
	FlagClash = "clash"
	// FlagScript is a package that runs a script of its own when it is installed.
	FlagScript = "script"
	// FlagCommand is a package for which the lock file itself has a script.
	FlagCommand = "command"
	// FlagScope is a package with one of your own names that does not come from where those come from.
	FlagScope = "scope"
	// FlagLookalike is a package whose name can be taken for one of your own.
	FlagLookalike = "lookalike"
	// FlagYoung, FlagDeprecated and FlagRetracted are what the registry says of a version; FlagUnknown is a version of
	// which it said nothing.
	FlagYoung      = "young"
	FlagDeprecated = "deprecated"
	FlagRetracted  = "retracted"
	FlagUnknown    = "unknown"
)

// Questions of a Flagged that is unknown.
const (
	AskAge   = "age"
	AskState = "state"
)

// Flagged is one package that something sets apart. All others are told by their group alone.
type Flagged struct {
	Ecosystem string `json:"ecosystem"`
	// Name and Version are the package's, or the module's.
	Name    string `json:"name"`
	Version string `json:"version"`
	// Kind is other, file, clash, script, command, scope, lookalike, young, deprecated, retracted or unknown.
	Kind string `json:"kind"`
	// Detail says it in words that go on from the package's name: "is fetched as evil@1.0.0".
	Detail string `json:"detail"`
	// Listed is true for kind script where the configuration allows the script.
	Listed bool `json:"listed"`
	// ListSet is true for kind script where the configuration has such a list, and for kinds scope and lookalike where it
	// lists the name that is meant.
	ListSet bool `json:"list_set"`
	// Question is for kind unknown what was asked: age, or state (retracted, deprecated).
	Question string `json:"question"`
	// Key is what it is found again by in another commit. Policies do not see it.
	Key string `json:"-"`
	// Origin is base, checkout or change.
	Origin string `json:"origin"`
	lockfile.Position
}

// NPM is what concerns the npm family beyond what its lock files pin.
type NPM struct {
	// Locks are the lock files.
	Locks []Lock `json:"locks"`
	// Drifts are requirements of package.json files that their lock file does not have.
	Drifts []Drift `json:"drifts"`
	// Overrides are what package.json and pnpm-workspace.yaml put in the place of packages.
	Overrides []Override `json:"overrides"`
	// Managers are the packageManager fields.
	Managers []Manager `json:"managers"`
	// Scripts are those of package.json files that an install runs.
	Scripts []Script `json:"scripts"`
}

// Lock is one lock file.
type Lock struct {
	// Manager is npm, yarn, pnpm or bun.
	Manager string `json:"manager"`
	// Version is the format's, as written; empty where it has none.
	Version string `json:"version"`
	// Fault is why the file does not say enough to be judged by, in words; empty where it does.
	Fault string `json:"fault"`
	// ListSet is true where the configuration lists who may run scripts, and the file does not say who does.
	ListSet  bool `json:"list_set"`
	Packages int  `json:"packages"`
	// Bundled is how many packages come in another one's tarball.
	Bundled int `json:"bundled"`
	// Doubted is how many of these no list in the file confirms; npm fetches them if they are not in that tarball.
	Doubted int `json:"doubted"`
	// Beside are lock files of other managers in the same directory.
	Beside []string `json:"beside"`
	// Key is the file with what it says. Policies do not see it.
	Key string `json:"-"`
	// Origin is base, checkout or change.
	Origin string `json:"origin"`
	lockfile.Position
}

// Drift is one requirement of a package.json that the lock file does not have, or has otherwise.
type Drift struct {
	Name string `json:"name"`
	// Wanted is what package.json says, Locked what the lock file has for it; empty where it has nothing.
	Wanted string `json:"wanted"`
	Locked string `json:"locked"`
	// Lock is the lock file.
	Lock   string `json:"lock"`
	Key    string `json:"-"`
	Origin string `json:"origin"`
	lockfile.Position
}

// Override is one entry of overrides, resolutions, pnpm.overrides or patchedDependencies, or a dependency, that names no
// version but a place.
type Override struct {
	Place
	// Setting is "overrides", "resolutions", "dependencies" or the like, Name the package or path of packages.
	Setting string `json:"setting"`
	Name    string `json:"name"`
	// Kind is tarball, git, file, alias or invalid.
	Kind   string `json:"kind"`
	Key    string `json:"-"`
	Origin string `json:"origin"`
	lockfile.Position
}

// Manager is one packageManager field, which corepack and the managers themselves download and run.
type Manager struct {
	// Setting is packageManager, or devEngines.packageManager where there is no such field.
	Setting string `json:"setting"`
	// Name is npm, pnpm, yarn or bun, or what else stands there; Version is without the hash.
	Name    string `json:"name"`
	Version string `json:"version"`
	// Hash is the algorithm of the hash behind the version; empty where there is none.
	Hash string `json:"hash"`
	// Exact is true for a full version, false for a range or a tag.
	Exact bool `json:"exact"`
	// Place is set where an address stands in place of a version.
	Place  *Place `json:"place,omitempty"`
	Key    string `json:"-"`
	Origin string `json:"origin"`
	lockfile.Position
}

// Script is one script of a package.json that an install of this repository runs.
type Script struct {
	// Name is preinstall, install, postinstall, prepare or the like.
	Name string `json:"name"`
	// Kind is source, pipe or adhoc, as of an Action; empty where nothing was seen.
	Kind string `json:"kind"`
	// Fault is what is wrong with its command, in words; empty where nothing was seen.
	Fault string `json:"fault"`
	// Place is where packages would come from, with the ecosystem whose packages those are, where nothing else is wrong
	// but perhaps that.
	Place     *Place `json:"place,omitempty"`
	Ecosystem string `json:"ecosystem"`
	Key       string `json:"-"`
	Origin    string `json:"origin"`
	lockfile.Position
}

// Git is what git is told by the checkout, and by the configuration of this machine and of the clone (.git/config), which
// is part of no commit.
type Git struct {
	// Submodules are those of .gitmodules. One is told again for each further fault of it.
	Submodules []Submodule `json:"submodules"`
	// Rewrites are addresses that the configuration puts in the place of others (url.*.insteadOf).
	Rewrites []Rewrite `json:"rewrites"`
	// Programs are what git starts because the configuration says so, without what is usual on the runner.
	Programs []GitProgram `json:"programs"`
	// Files are those of the configuration that the author of the checkout may have written, and those that are not known.
	Files []GitFile `json:"files"`
}

// Kinds of Submodule.
const (
	// SubmoduleRemote is one with the address of a host.
	SubmoduleRemote = "remote"
	// SubmoduleRelative is one whose address is relative to that of the repository itself.
	SubmoduleRelative = "relative"
	// SubmoduleLocal is one whose address is a directory of whoever wrote it.
	SubmoduleLocal = "local"
	// SubmoduleCommand is one that would have git start something.
	SubmoduleCommand = "command"
	// SubmoduleRefused is one that git refuses, since it could be taken for an option or lead out of the checkout.
	SubmoduleRefused = "refused"
	// SubmoduleInvalid is one whose address cannot be judged.
	SubmoduleInvalid = "invalid"
)

// Submodule is one entry of .gitmodules.
type Submodule struct {
	Place
	Name string `json:"name"`
	Path string `json:"path"`
	// Branch and Ignore are as written.
	Branch string `json:"branch"`
	Ignore string `json:"ignore"`
	// Kind is remote, relative, local, command, refused or invalid.
	Kind string `json:"kind"`
	// Relative is true for an address that is relative to that of the repository itself.
	Relative bool `json:"relative"`
	// Fault is what git would start, in words, or else why the entry is none that can be judged; empty where nothing is
	// wrong.
	Fault  string `json:"fault"`
	Key    string `json:"-"`
	Origin string `json:"origin"`
	lockfile.Position
}

// Rewrite is one address that git's configuration puts in the place of another. Its Place is where that leads.
type Rewrite struct {
	Place
	// Name is the setting, with the address in canonical form: "url.https://a.test/.insteadof".
	Name string `json:"name"`
	// InsteadOf is what addresses begin with that it is for; redacted.
	InsteadOf string `json:"instead_of"`
	// Push is true where it is for pushes alone.
	Push bool `json:"push"`
	// Stays is true where the host stays the same, Weaker where the way there gets less safe (http in the place of https).
	Stays  bool `json:"stays"`
	Weaker bool `json:"weaker"`
	From
}

// GitProgram is what a setting makes git start.
type GitProgram struct {
	// Name is the setting: "core.sshcommand", "filter.x.clean", "GIT_SSH_COMMAND".
	Name string `json:"name"`
	// Kind is checkout where the author of the checkout may have written the program or the command, clone where
	// .git/config names it, runner for the others.
	Kind string `json:"kind"`
	// Path is the program for kind checkout, as written; else empty, since commands hold secrets.
	Path string `json:"path"`
	// Usual is true for what such a setting is usually for: ssh, git-lfs, the hooks of husky.
	Usual bool `json:"usual"`
	// Unverified is true where ssh is told not to verify the keys of hosts.
	Unverified bool `json:"unverified"`
	From
}

// GitFile is a file of git's configuration that the author of the checkout may have written, or one that git reads for
// this clone and that is not known.
type GitFile struct {
	// Path is relative to the checkout where it lies there.
	Path string `json:"path"`
	// Unread is why it is not known; empty where it is. Exceeds is true where it holds more than is judged.
	Unread  string `json:"unread"`
	Exceeds bool   `json:"exceeds"`
	From
}

// Action is one command of a workflow, a composite action or a pipeline that concerns where packages come from. What it
// says was found by its looks alone.
type Action struct {
	// Kind is source (it changes where packages come from or what is checked), early (it installs before the gate in the
	// same job), pipe (it runs what it downloads) or adhoc (it installs what no lock file pins).
	Kind string `json:"kind"`
	// Ecosystem is go, npm, git or pip, of whose packages it is; may be empty.
	Ecosystem string `json:"ecosystem"`
	// Unchecked is true where something is believed afterwards that nothing has verified.
	Unchecked bool `json:"unchecked"`
	// Places are those that it names; empty where none is written out.
	Places []Place `json:"places"`
	// Job is the job's name; empty in an action.
	Job string `json:"job"`
	// Command is the offending part on one line, redacted, at most 200 bytes.
	Command string `json:"command"`
	// Fault says it in words that go on from the command: "sets another npm registry".
	Fault  string `json:"fault"`
	Key    string `json:"-"`
	Origin string `json:"origin"`
	lockfile.Position
}

// Log is what the transparency log of the checksum database says of go.sum and go.work.sum.
type Log struct {
	// Name is the database's.
	Name string `json:"name"`
	// TreeSize is the number of records that the signed head has; 0 where there is no head.
	TreeSize int `json:"tree_size"`
	// Consistent tells whether that head continues the one that was remembered; nil where none was.
	Consistent *bool `json:"consistent"`
	// Fork says in words that the log shows different trees; empty where it does not.
	Fork string `json:"fork"`
	// Lies are answers that no honest log gives, in words.
	Lies []string `json:"lies"`
	// Stale says in words that no newer head was seen for too long; empty where one was.
	Stale string `json:"stale"`
	// Reason is why lines are unverified, that of the first.
	Reason string `json:"reason"`
	// Required is true where the configuration wants all lines proven.
	Required bool         `json:"required"`
	Lines    LogLines     `json:"lines"`
	Problems []LogProblem `json:"problems"`
}

// LogLines are how many lines there are, and of which status.
type LogLines struct {
	Total      int `json:"total"`
	Verified   int `json:"verified"`
	Mismatch   int `json:"mismatch"`
	Absent     int `json:"absent"`
	Private    int `json:"private"`
	Unverified int `json:"unverified"`
}

// LogProblem is a line that the log has otherwise or not at all, or what the module cache has otherwise than the log.
type LogProblem struct {
	Module string `json:"module"`
	// Version has "/go.mod" behind it where the hash is of the go.mod alone.
	Version string `json:"version"`
	// Status is mismatch, absent or cached.
	Status string `json:"status"`
	// Fault is what is wrong with the file of the module cache, in words that go on from the module; empty for a line.
	Fault string `json:"fault"`
	// Hash is that of the line, empty for cached; Log that of the log, empty where it has none.
	Hash string `json:"hash"`
	Log  string `json:"log"`
	lockfile.Position
}

// Package is one locked package or required module. They are told only where a policy reads input.packages.
type Package struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	// Purl is the package URL, "pkg:npm/%40scope/name@1.0.0".
	Purl string `json:"purl"`
	// Alias is the name that it is installed by where that is another one; pnpm's lock file does not have it.
	Alias string `json:"alias"`
	// Host is where the lock file says that it comes from; empty for the default registry, and for modules.
	Host string `json:"host"`
	// LockURL is the address that the lock file has, without userinfo and query, with the commit of git behind it; empty
	// for the default registry, and for modules.
	LockURL string `json:"lock_url"`
	// EffectiveURL is where it will be fetched with the settings in force: npm puts the registry in the place of its own
	// default host (replace-registry-host). Where the lock file has no address it is that of the registry which is asked;
	// empty where that is not known, and for modules.
	EffectiveURL string `json:"effective_url"`
	// Kind is registry, tarball, git, file or invalid for a package, release, prerelease, pseudo or incompatible for a
	// module.
	Kind string `json:"kind"`
	// Integrity is as that of a Group; empty for modules.
	Integrity string `json:"integrity"`
	Script    bool   `json:"script"`
	lockfile.Position
}

// Originate lets tell set the origin of the facts of an ecosystem that the base commit may know already, by their keys.
func (in *Input) Originate(ecosystem string, tell func(key string, origin *string)) {
	for i := range in.Flagged {
		if f := &in.Flagged[i]; f.Ecosystem == ecosystem {
			tell(f.Key, &f.Origin)
		}
	}
	if in.Go != nil && ecosystem == "go" {
		in.Go.originate(tell)
	}
	if in.NPM != nil && ecosystem == "npm" {
		in.NPM.originate(tell)
	}
	if in.Git != nil && ecosystem == "git" {
		for i := range in.Git.Submodules {
			tell(in.Git.Submodules[i].Key, &in.Git.Submodules[i].Origin)
		}
	}
	for i := range in.Workflows {
		if ecosystem == "workflow" {
			tell(in.Workflows[i].Key, &in.Workflows[i].Origin)
		}
	}
}

func (n *NPM) originate(tell func(key string, origin *string)) {
	for i := range n.Locks {
		tell(n.Locks[i].Key, &n.Locks[i].Origin)
	}
	for i := range n.Drifts {
		tell(n.Drifts[i].Key, &n.Drifts[i].Origin)
	}
	for i := range n.Overrides {
		tell(n.Overrides[i].Key, &n.Overrides[i].Origin)
	}
	for i := range n.Managers {
		tell(n.Managers[i].Key, &n.Managers[i].Origin)
	}
	for i := range n.Scripts {
		tell(n.Scripts[i].Key, &n.Scripts[i].Origin)
	}
}
