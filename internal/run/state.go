package run

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/inject"
)

const (
	stateFile = "choice.json"
	// maxState bounds the file in bytes, maxSources the sources of one ecosystem in it (the greatest catalogue has 20), and
	// maxID the ids (a host name has 253 characters at most, and a port).
	maxState, maxSources, maxID = 64 << 10, 64, 260
	// maxHealthAge is how long the health of a source is worth something: what was bad yesterday may be well today, and is
	// asked anew as if nothing were known.
	maxHealthAge = 24 * time.Hour
)

// state is what a run leaves to later ones: hints that may be missing, old or wrong, and that nothing is believed for. Maps
// are by ecosystem, those of Health by the id of a source within.
type state struct {
	Choices map[string]string                   `json:"choices"`
	Health  map[string]map[string]choose.Health `json:"health,omitempty"`
}

// readState takes what is sound of a file. Until the health of sources was kept, the file was the choices alone.
func readState(data []byte, now time.Time) state {
	out := state{Choices: map[string]string{}, Health: map[string]map[string]choose.Health{}}
	var raw map[string]json.RawMessage
	if json.Unmarshal(data, &raw) != nil {
		return out
	}
	choices := raw
	if inner, ok := raw["choices"]; ok {
		choices = nil
		_ = json.Unmarshal(inner, &choices)
	}
	for _, name := range slices.Sorted(maps.Keys(choices)) {
		var id string
		if json.Unmarshal(choices[name], &id) == nil && id != "" && len(id) <= maxID && len(name) <= maxID && len(out.Choices) < maxSources {
			out.Choices[name] = id
		}
	}
	var health map[string]map[string]json.RawMessage
	if json.Unmarshal(raw["health"], &health) != nil {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(health)) {
		if len(name) > maxID || len(out.Health) == maxSources {
			continue
		}
		kept := map[string]choose.Health{}
		for id, text := range health[name] {
			var h choose.Health
			if json.Unmarshal(text, &h) == nil && id != "" && len(id) <= maxID && sound(h, now) {
				kept[id] = h
			}
		}
		if len(kept) > 0 {
			out.Health[name] = bounded(kept)
		}
	}
	return out
}

// sound tells whether a health is one that choose could have made, and not too old. One from the future is of another clock.
func sound(h choose.Health, now time.Time) bool {
	return h.State >= detect.NotKnown && h.State <= detect.No && h.Run >= -choose.Fall && h.Run <= choose.Rise && h.Run != 0 &&
		!h.At.After(now) && now.Sub(h.At) <= maxHealthAge
}

// bounded leaves out the oldest where there are too many.
func bounded(health map[string]choose.Health) map[string]choose.Health {
	ids := slices.SortedFunc(maps.Keys(health), func(a, b string) int {
		return health[b].At.Compare(health[a].At)
	})
	for _, id := range ids[min(maxSources, len(ids)):] {
		delete(health, id)
	}
	return health
}

// recall reads what an earlier run left.
func (j *job) recall() state {
	var data []byte
	if j.Front.StateDir != "" {
		data, _ = inject.ReadPrivate(filepath.Join(j.Front.StateDir, stateFile), maxState)
	}
	return readState(data, j.now())
}

// remember keeps what was chosen and how the sources were, as hints: sources are probed anew by every run. Where they cannot
// be kept nothing is lost.
func (j *job) remember(plan choose.Plan) {
	if j.Front.StateDir == "" {
		return
	}
	s := j.recall()
	for _, c := range plan.Choices {
		if c.Chosen != "" && len(c.Chosen) <= maxID {
			s.Choices[c.Ecosystem] = c.Chosen
		}
	}
	for name, health := range j.health {
		merged := map[string]choose.Health{}
		maps.Copy(merged, s.Health[name])
		maps.Copy(merged, health)
		s.Health[name] = bounded(merged)
	}
	data, err := json.Marshal(s)
	if err == nil && len(data) <= maxState && os.MkdirAll(j.Front.StateDir, 0o700) == nil && inject.Private(j.Front.StateDir) == nil {
		_ = inject.WriteFile(filepath.Join(j.Front.StateDir, stateFile), data)
	}
}

// advanced is the health of an ecosystem's sources after the rows of this run, by the way that is in force. The strategy
// keep has no use for it; and where a file is loaded or dates are asked for as well, a row that ran out of time says
// nothing of whether its source is well.
func (l *looking) advanced(w choose.Wish, rows []detect.Row) map[string]choose.Health {
	if l.terms.Strategy == choose.Stay || l.terms.Loads() || l.terms.Dates() {
		return w.Health
	}
	out := map[string]choose.Health{}
	maps.Copy(out, w.Health)
	seen := map[string]bool{}
	for _, s := range slices.Concat(w.InForce, w.Candidates) {
		if s.ID == "" || len(s.ID) > maxID || seen[s.ID] {
			continue
		}
		for _, r := range rows {
			if r.Source.URL == s.URL && r.Via == w.Via(s) && r.Fault != detect.PolicyFault {
				seen[s.ID], out[s.ID] = true, out[s.ID].After(r.OK || r.Absent, l.terms.Now)
				break
			}
		}
	}
	return out
}
