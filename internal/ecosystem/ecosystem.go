// Package ecosystem is the shape of what we know of one package manager. Each has a room of its own below this one; a
// stage never imports one.
package ecosystem

import (
	"context"
	"errors"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// Machine is what an ecosystem may know of the machine.
type Machine struct {
	// Lookup finds a variable of the environment, as os.LookupEnv does.
	Lookup func(string) (string, bool)
	// Environ is the whole environment, for children.
	Environ []string
	// OS is runtime.GOOS.
	OS string
	// Official overrides the default source of the toolchain; empty asks the toolchain's own files, then Stamped.
	Official string
	// Stamped is the default as the build machine's toolchain knew it; may be empty.
	Stamped string
	// Extra are further sources of the user's configuration, asked before the catalogue.
	Extra []string
	// Mirrors are the catalogue's rows of this ecosystem, with the user's among them (see catalogue.Of).
	Mirrors []source.Source
	// SumDBKeys are verifier keys ("name+hash+key") of checksum databases that the user trusts beside the known one.
	SumDBKeys []string
	// ModuleHosts and ModulePrefixes are the only hosts, and the only patterns as in GOPRIVATE, that paths of required
	// modules may begin with; nil where the user gave none.
	ModuleHosts, ModulePrefixes []string
	// Scripts are the packages of npm that may run a script when they are installed: names, name@version and @scope/*; nil
	// where the user gave none.
	Scripts []string
	// Scopes are hosts by the names of npm packages that come from there alone: @scope, a name, or a beginning with a *.
	Scopes map[string]string
	// Public are patterns, as in GOPRIVATE, of own modules whose names everybody may know.
	Public []string
	// Owner is whose repository the checkout is of, such as "github.com/corp"; empty where that is not known.
	Owner string
	// RepoOnly leaves the machine's settings out.
	RepoOnly bool
}

// Log is what can be compared with the transparency log of a checksum database.
type Log struct {
	// Key is the log's, as name+hash+key.
	Key string
	// Public is true for the log that everybody uses, and mirrors relay.
	Public bool
	// Off is why nobody is to be asked ("GOSUMDB=off in the environment"); empty where somebody may be.
	Off string
	// Lines are those of all go.sum and go.work.sum files.
	Lines []LogLine
	// Private tells which module paths nobody is told. base is the checkout as the base commit has it, nil where that is
	// not known.
	Private func(base *lockfile.Checkout) func(path string) bool
	// Vendored are the modules whose packages vendor directories hold, without a hash, at their lines of vendor/modules.txt.
	Vendored []LogLine
	// Cached compares what the module cache of this machine holds with lines that have the log's hashes, and returns how
	// many of them it has something of. It is nil where nobody knows the cache.
	Cached func(ctx context.Context, lines []checksumdb.Line) (held int, differing []Cached)
}

// LogLine is one line with its place.
type LogLine struct {
	checksumdb.Line
	At lockfile.Position
}

// Cached is a file or directory of the module cache that is not what the log has.
type Cached struct {
	// Line has the log's hash.
	checksumdb.Line
	// Path is the file, Fault what is wrong with it in words that go on from the module ("has the hash h1:…").
	Path, Fault string
}

// Item is one module or package at a version.
type Item struct {
	// Private is why no public source is told its name ("GOPRIVATE=corp.example"); empty where they may be.
	Private string
	// Logged is true where the checksum database is asked about it.
	Logged bool
	// Assumed is why it may be private though no setting says so, so that no source of everybody's is told its name; empty
	// where nothing speaks for that.
	Assumed string
	// Target asks a source for it.
	Target func(source.Source) detect.Target
}

// ErrNoTool is what Prove's error wraps when the tool is not installed.
var ErrNoTool = errors.New("the tool is not installed")

// Ecosystem is what was read of one package manager on this machine and in this checkout. Functions that are nil are
// not available for it.
type Ecosystem struct {
	// Name is source.Go, source.NPM, source.Git, source.PyPI, source.Crates or source.Maven.
	Name string
	// Present is true when the checkout has files of it.
	Present bool
	// Installed is true when its tool is on the PATH.
	Installed bool
	// Files are the paths of the checkout that were read, in order.
	Files []string
	// Packages and Modules are how many things are pinned.
	Packages, Modules int
	// InForce are the sources that would be asked, in order; empty when nothing would be ("off") or nothing is known.
	InForce []source.Source
	// Catalogue are the sources to choose from when what is in force fails, the toolchain's default first.
	Catalogue []source.Source
	// Trusted are hosts that its tools ask by themselves and that are no source to choose.
	Trusted []string
	// Frozen is why nothing may be changed for it ("package .npmrc names a registry of its own"); empty if it may.
	Frozen string
	// Guarded is why no mirror may be chosen by itself though what is in force fails; empty if it may.
	Guarded string
	// SumDB are the hosts of the checksum database to probe when no source relays it; the first is the log's own.
	SumDB []source.Source
	// SumDBFixed is the name of the checksum database where the setting gives it an address, so that relays are not asked.
	SumDBFixed string
	// SumDBWanted is true when the job will ask a checksum database.
	SumDBWanted bool
	// Log is what go.sum files say and the log that proves it; nil where there are none.
	Log *Log
	// Direct is true when "direct" is in force behind the sources.
	Direct bool
	// Named is the setting that names the sources in force, as its user looks for it ("GOPROXY in the environment"); empty
	// where nobody set it.
	Named string
	// Effective are the settings in force by the tool's own names (GOPROXY, GOSUMDB, registry), redacted.
	Effective map[string]string
	// Notes are things to say that are no findings.
	Notes []string
	// Target says how a source is verified.
	Target func(source.Source) detect.Target
	// Item says how one module or package at a version is asked for; the error is why name or version cannot be one.
	Item func(name, version string) (Item, error)
	// Fill adds the facts to a policy's input: as they are (nil), or as they will be after the choice.
	Fill func(in *decide.Input, after *choose.Choice)
	// Releases asks the sources what they say of the versions that the checkout pins.
	Releases func(ctx context.Context, q Inquiry) Said
	// Hosts are the hosts and directives that the checkout's files name, for the comparison with the base commit.
	Hosts func(co *lockfile.Checkout) (map[string]bool, error)
	// Changes are what has to be set so that the choice is in force; only what must change.
	Changes func(choose.Choice) []inject.Change
	// Netrc is true when its tool shows the logins of the user's netrc file by itself.
	Netrc bool
	// Further are addresses beside those of sources that its tool asks by its settings, and may need a credential for.
	Further []string
	// HandOver tells the tool of credentials; only what it does not know already. notes say which it cannot be told of.
	HandOver func(grants []credential.Grant) (changes []inject.Change, notes []string)
	// Prove makes one real look-up through the settings of the given environment, and fails with the reason.
	Prove func(ctx context.Context, environ []string) error
}
