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
	// Integrity is as written; empty where there is none.
	Integrity string
	// At is the place of the offending part: the URL where there is one, else the entry.
	At Position
	// IntegrityAt is the place of the integrity; the entry's place where there is none.
	IntegrityAt Position
}
