package npm

import "github.com/org/goproxy-action/internal/decide"

// group gathers the entries of lock files, and says nothing of what is flagged.
func group(locks []lockFile) ([]decide.Group, error) {
	g, err := gather(locks, nil)
	if err != nil {
		return nil, err
	}
	return g.groups, nil
}
