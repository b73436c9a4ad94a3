// Package lockfile reads a checkout that may be hostile, and holds the vocabulary of what a checkout pins.
package lockfile

// Position is a place in a file of the checkout. Zero Line or Column means "the file as a whole".
type Position struct {
	// File is relative to the checkout, with slashes; for a setting of the machine it is an absolute path.
	File string `json:"file,omitempty"`
	// Line and Column start at 1; Column counts bytes.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Lock is what a lock file says.
type Lock struct {
	// Version is the format's, as written; empty where it has none.
	Version string
	// VersionAt is the place of Version; without a line where that has none.
	VersionAt Position
	// Entries are the packages that its tool would fetch, in the file's order.
	Entries []Entry
	// Bundled is how many packages come in another one's tarball.
	Bundled int
	// Doubted is how many of these no list in the file confirms, since it has none (npm's version 1).
	Doubted int
	// Roots are the package.json files that it was made from, as it has them; nil where it does not say.
	Roots []Root
	// Substitutes are entries that stand for packages of another name, or come from another kind of place than a registry,
	// though nobody asks for that in the file.
	Substitutes []Substitute
	// Scripts are those that it has for packages itself.
	Scripts []Script
	// Asked are the requirements that it has an answer to, as "name@range", where it does not say whose they are (yarn 1).
	Asked map[string]bool
}

// Root is one package.json as a lock file has it.
type Root struct {
	// Dir is relative to the lock file's directory; "." is that directory itself.
	Dir string
	// Wants are the requirements by name, as package.json had them; of two kinds of dependencies that have one name it is
	// the one that the tool takes. What yarn 2 and later note as "npm:^1.0.0" is without its "npm:".
	Wants map[string]string
}

// Substitute is an entry that stands for the package of another name, or that comes from elsewhere than from a registry.
type Substitute struct {
	// For is the name that the package is asked by.
	For string
	// By is the package.json that asks for it, as the Dir of its Root; empty where others may, too.
	By string
	// Said is true where the lock file says that By asks for it, which By itself has to confirm.
	Said bool
	// Name and Version are of the package that is fetched.
	Name, Version string
	// From is the address, the repository or the path that it comes from, as written, where that is no registry's.
	From string
	// Dir is that path relative to the lock file's directory, where the package is a directory that is linked or copied.
	Dir string
	// At is the place of its name, or of From.
	At Position
}

// Script is a script that a lock file has for a package.
type Script struct {
	// Name and Version are the package's, Event is when it runs ("postinstall"), and Command what.
	Name, Version, Event, Command string
	// At is the place of the command.
	At Position
}

// Entry is one package that a lock file pins.
type Entry struct {
	Ecosystem string
	// Name and Version are as the lock file says; Name is the real name where the entry is an alias.
	Name, Version string
	// Alias is the name that it is installed by where that is another one and the lock file has it here.
	Alias string
	// URL is where the lock file says the package comes from, as written; empty means the default registry.
	URL string
	// Integrity is as written, or in the form of an SRI where the tool has another; empty where there is none.
	Integrity string
	// Unpinned is true where the tool itself keeps no integrity for such a package: yarn, for those of one platform.
	Unpinned bool
	// Fault is why the entry names no place that can be judged; empty where URL says it all.
	Fault string
	// At is the place of the offending part: the URL where there is one, else the entry.
	At Position
	// IntegrityAt is the place of the integrity; the entry's place where there is none.
	IntegrityAt Position
	// Other is what would be fetched in its place, "evil@1.0.0", where address and entry disagree; empty where they agree.
	Other string
	// Own is true where Integrity is of what the tool makes of the package, and so is never that of another tool's file.
	Own bool
	// ByAddress is true where somebody asked for the address, so that it need not be the one of name and version.
	ByAddress bool
	// InstallScript is true when the lock file says that the package runs a script of its own when it is installed.
	InstallScript bool
}
