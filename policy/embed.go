// Package policy carries the default rules, their tests and the schema of what rules see.
package policy

import (
	"embed"
	"io/fs"
)

//go:embed goproxy schema index.json
var files embed.FS

// FS returns the bundle: goproxy/<group>/<group>.rego with its tests beside it, schema/input.json, and index.json,
// which is made from the rules.
func FS() fs.FS { return files }
