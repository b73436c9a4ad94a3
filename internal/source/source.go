// Package source names the places packages come from.
//
// Everything that judges or prints an address goes through Locate, so that two spellings of one host are one host, and
// through Redact, so that a secret in an address is never printed.
package source

// Ecosystems, as they are called in reports, settings and policies.
const (
	Go     = "go"
	NPM    = "npm"
	Git    = "git"
	PyPI   = "pypi"
	Crates = "crates"
	Maven  = "maven"
)

// Roles of a source.
const (
	ModuleProxy = "module-proxy"
	Registry    = "registry"
	ChecksumDB  = "checksum-db"
)

// Where a source was named. A host's origin decides how much it is trusted before anybody wrote a policy.
const (
	// Builtin: the catalogue of this program, or the toolchain's own default.
	Builtin = "builtin"
	// User: the configuration of this program.
	User = "user"
	// Runner: the environment or a tool's configuration outside the checkout.
	Runner = "runner"
	// Base: a file of the commit that a change is measured against.
	Base = "base"
	// Checkout: a file of the checkout, where no base commit is known.
	Checkout = "checkout"
	// Change: a file of the checkout, and the base commit does not name it.
	Change = "change"
)

// What the catalogue says of an operator.
const (
	Confirmed   = "confirmed"
	Unconfirmed = "unconfirmed"
)

// Official is the id of the source that a toolchain has built in. Its address is asked of the toolchain at run time
// and stands nowhere in this program.
const Official = "official"

// Source is a place that packages, or proofs about them, come from.
type Source struct {
	// ID is short and stable: "official", "goproxy.cn"; a source of the user's has its host as ID.
	ID string
	// Ecosystem is Go, NPM, PyPI, Crates or Maven.
	Ecosystem string
	// Role is ModuleProxy, Registry or ChecksumDB.
	Role string
	// URL is the base without a trailing slash; it may hold userinfo and is never printed raw.
	URL string
	// Origin says who named it.
	Origin string
	// Operator, Region, Claim and Checked say who runs a mirror, where, who says so, and when that was looked up
	// (2006-01-02). Empty for sources that are not of the catalogue.
	Operator, Region, Claim, Checked string
	// Trust is Confirmed where somebody answers for the operator, and Unconfirmed where nobody could; then it is Off. Empty
	// for sources that are not of the catalogue.
	Trust string
	// Limits are what is known of its limits ("fetches take up to a minute for a cold version"); empty where nothing is.
	Limits string
	// Relay is what the catalogue claims of a module proxy's relay of the checksum database: "yes", "no", or empty where
	// nobody knows. What counts is the probe.
	Relay string
	// Off is why a source of the catalogue is never chosen by itself; empty means it may be.
	Off string
	// Public is true for well-known public hosts, whose certificates end in a public root unless somebody intercepts.
	Public bool
}
