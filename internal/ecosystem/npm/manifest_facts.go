package npm

import "github.com/org/goproxy-action/internal/decide"

// manifests adds what package.json files say.
func (r *room) manifests(*decide.NPM) {}
