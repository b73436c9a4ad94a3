// Package policy carries the default rules, their tests and the schema of what rules see.
package policy

import (
	"embed"
	"io/fs"
)

//go:embed goproxy schema
var files embed.FS

// FS returns the bundle: goproxy/<group>/<group>.rego with its tests beside it, and schema/input.json.
func FS() fs.FS { return files }
