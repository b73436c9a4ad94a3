// Package choose orders sources from a report, the wishes and the previous choice. It is pure: no clock, no network,
// no environment.
package choose

import (
	"time"

	"github.com/org/goproxy-action/internal/source"
)

// Plan is what shall be in force, for all ecosystems.
type Plan struct {
	Choices []Choice
	// Direct are hosts that answer without the proxy only, and so belong into NO_PROXY.
	Direct []string
}

// Choice is what shall be in force for one ecosystem.
type Choice struct {
	Ecosystem string
	// Strategy is the name of the strategy that decided; empty where none did, which is as keep.
	Strategy string
	// Chosen is the id of the source that was taken, for Wish.Previous of a later run; empty where keep left all as it is,
	// or none is usable. It may stand behind others in Sources.
	Chosen string
	// Kept is true when what is in force stays as it is.
	Kept bool
	// Failing is true when what is in force was kept although it does not work, because nothing may be changed.
	Failing bool
	// InForce is true when the sources are those in force, though something about them changes.
	InForce bool
	// Why says in words why it was kept or changed.
	Why string
	// Sources are what shall be asked, in order; when Kept, what is in force. Empty and not Kept means that no source
	// is usable.
	Sources []Picked
	// GoDirect is true when module downloads may end at the version control hosts (GOPROXY's "direct").
	GoDirect bool
	// SumDB is the base URL for the checksum database where neither a source relays it nor its own host answers; empty
	// otherwise.
	SumDB string
	// SumDBReached is true when the checksum database answered by some way that is or will be in force.
	SumDBReached bool
	// Diverted is true when a source of the user's own was replaced by a public one: names that belong to the user must
	// then not be asked there.
	Diverted bool
}

// Picked is a source with what decided.
type Picked struct {
	source.Source
	// Via is direct, proxy, or empty when it was not measured.
	Via string
	// Latency is the time to the first byte; zero when not measured.
	Latency time.Duration
	// IPs are the addresses that were dialled.
	IPs []string
	// ChecksumDB is true when the source relays the checksum database.
	ChecksumDB bool
}
