// Package inject applies changes with a journal, and takes them back.
package inject

// Change is one environment variable that the following steps shall have.
type Change struct {
	// Kind is "env".
	Kind string `json:"kind"`
	// Ecosystem is what needs it ("go", "npm", "git", "proxy").
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	// Value is raw and may hold a secret; reports show Shown.
	Value string `json:"-"`
	// Shown is Value with secrets masked.
	Shown string `json:"value"`
	// Why is the reason, in words.
	Why string `json:"why"`
}
