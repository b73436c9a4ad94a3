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

// told is what the tools of a machine are told, strongest first.
func told(r *machine.Reading) section {
	s := section{heading: "Settings of this machine's tools", painted: -1, rows: [][]string{{"tool", "kind", "setting", "in force", "named by", "value"}}}
	if r == nil {
		return s
	}
	for _, x := range r.Settings {
		key, inForce := x.Key, "no"
		if x.For != "" {
			key += " for " + x.For
		}
		if x.InForce {
			inForce = "yes"
		}
		s.rows = append(s.rows, []string{x.Tool, string(x.Kind), key, inForce, x.Origin, x.Shown})
	}
	return s
}

const oddSettings = "What is odd about the settings of this machine's tools"

func (p *page) odd(r *machine.Reading) {
	if r == nil || len(r.Conflicts) == 0 {
		return
	}
	p.heading(oddSettings)
	for _, c := range r.Conflicts {
		p.item(c.Text)
		p.prose("    fix: ", "      ", plain(c.Fix))
	}
}

func (m *sheet) odd(r *machine.Reading) {
	if r == nil || len(r.Conflicts) == 0 {
		return
	}
	t := m.table(oddSettings, "what", "fix")
	for _, c := range r.Conflicts {
		t.row(prose(c.Text), prose(c.Fix))
	}
	t.end()
}
