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

// Entry is one package that a lock file pins.
type Entry struct {
	Ecosystem string
	// Name and Version are as the lock file says; Name is the real name where the entry is an alias.
	Name, Version string
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
	// InstallScript is true when the lock file says that the package runs a script of its own when it is installed.
	InstallScript bool
}
