package npm

import (
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
)

// bunfigValues are the settings of a bunfig.toml.
func (s *settings) bunfigValues(file lockfile.File) ([]value, error) {
	leaves, err := tomlLeaves(file)
	if err != nil {
		return nil, err
	}
	var out []value
	for _, l := range leaves {
		m, known := lookUp(bunfig, l.path)
		if !known {
			continue
		}
		before := len(out)
		out = s.put(out, l, l.name(), m, "bun")
		for i := before; i < len(out); i++ {
			out[i].main = strings.HasPrefix(l.name(), "install.registry")
		}
	}
	return out, nil
}
