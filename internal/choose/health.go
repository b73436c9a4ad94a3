package choose

import (
	"time"

	"github.com/org/goproxy-action/internal/detect"
)

// The numbers by which a source goes from well to bad and back. They are those of most load balancers, and so known to
// whoever runs one.
const (
	// Interval is between two probes of one source by whoever watches it. With Fall it bounds how long a dead source is
	// asked (9 s, which is less than any tool waits), and a fleet of 1,000 watchers asks a mirror 330 times a second at
	// most for 30 bytes each.
	Interval = 3 * time.Second
	// Rise is how many good outcomes in a row make a source well: one may be luck, as when a load balancer has one good
	// server of three.
	Rise = 2
	// Fall is how many bad ones in a row make it bad: one lost packet or one restart shall not move a fleet to a mirror.
	Fall = 3
)

// Health is what the outcomes of probes, one after the other, say of one source. The zero value knows nothing.
type Health struct {
	// State is whether the source is well. It is NotKnown until Rise good outcomes in a row, or the first bad one.
	State detect.Answer `json:"state"`
	// Run is how often the last outcome has come in a row, at most Rise or Fall: good ones are counted above zero, bad ones
	// below.
	Run int `json:"run"`
	// At is when the last outcome that counts was seen.
	At time.Time `json:"at"`
}

// After is the health after one more outcome, seen at a time. One that is older than the last does not count, and neither
// does one like the last that comes within half an Interval of it: many downloads that break off at once are one event.
func (h Health) After(ok bool, at time.Time) Health {
	same := h.Run != 0 && (h.Run > 0) == ok
	if since := at.Sub(h.At); h.Run != 0 && (since < 0 || same && since < Interval/2) {
		return h
	}
	switch {
	case !same && ok:
		h.Run = 1
	case !same:
		h.Run = -1
	case ok:
		h.Run = min(h.Run+1, Rise)
	default:
		h.Run = max(h.Run-1, -Fall)
	}
	switch {
	case h.Run >= Rise:
		h.State = detect.Yes
	case h.Run <= -Fall, h.State == detect.NotKnown && !ok: // what was never seen well has no credit
		h.State = detect.No
	}
	h.At = at
	return h
}

// Well tells whether the source is known to be well: since Rise good outcomes in a row, until Fall bad ones in a row.
func (h Health) Well() bool { return h.State == detect.Yes }

// Bad tells whether it is known to be bad: since Fall bad outcomes in a row, or a first that was bad, until Rise good ones
// in a row.
func (h Health) Bad() bool { return h.State == detect.No }

// Doubtful tells whether Rise good outcomes in a row have not yet followed a bad one. What nothing is known of is not.
func (h Health) Doubtful() bool { return h.Bad() || h.Well() && h.Run < Rise }
