package report

import "github.com/org/goproxy-action/internal/machine"

type jsonMachine struct {
	Settings  []jsonToolSetting `json:"settings"`
	Conflicts []jsonConflict    `json:"conflicts"`
}

type jsonToolSetting struct {
	Tool    string `json:"tool"`
	Kind    string `json:"kind"`
	For     string `json:"for"`
	Key     string `json:"key"`
	Value   string `json:"value"` // without secrets
	Origin  string `json:"origin"`
	InForce bool   `json:"in_force"`
}

type jsonConflict struct {
	ID      string   `json:"id"`
	Tool    string   `json:"tool"`
	Text    string   `json:"text"`
	Fix     string   `json:"fix"`
	Origins []string `json:"origins"`
}

func machineJSON(r *machine.Reading) jsonMachine {
	out := jsonMachine{Settings: []jsonToolSetting{}, Conflicts: []jsonConflict{}}
	if r == nil {
		return out
	}
	for _, s := range r.Settings {
		out.Settings = append(out.Settings, jsonToolSetting{s.Tool, string(s.Kind), redact(s.For), s.Key, redact(s.Shown), redact(s.Origin), s.InForce})
	}
	for _, c := range r.Conflicts {
		out.Conflicts = append(out.Conflicts, jsonConflict{c.ID, c.Tool, redact(c.Text), redact(c.Fix), redactAll(c.Origins)})
	}
	return out
}

// machine is what the tools of a machine are told; nothing where they are told nothing.
func (p *page) machine(r *machine.Reading) {
	if r == nil {
		return
	}
	if len(r.Settings) > 0 {
		p.heading("Settings of this machine's tools")
		rows := [][]string{{"tool", "kind", "setting", "in force", "named by", "value"}}
		for _, s := range r.Settings {
			key, inForce := s.Key, "no"
			if s.For != "" {
				key += " for " + s.For
			}
			if s.InForce {
				inForce = "yes"
			}
			rows = append(rows, []string{s.Tool, string(s.Kind), key, inForce, s.Origin, s.Shown})
		}
		p.table(rows, -1)
	}
	if len(r.Conflicts) > 0 {
		p.heading("What is odd about them")
		for _, c := range r.Conflicts {
			p.item(c.Text)
			p.prose("    fix: ", "      ", plain(c.Fix))
		}
	}
}
