package source

import "strings"

// alike are signs that fonts draw alike.
var alike = strings.NewReplacer("I", "l", "1", "l", "0", "o", "O", "o", "_", "-", "rn", "m", "vv", "w")

// Skeleton is the same for two names that can be taken for one another at a glance.
func Skeleton(name string) string {
	if strings.ContainsAny(name, "I10O_") || strings.Contains(name, "rn") || strings.Contains(name, "vv") {
		name = alike.Replace(name)
	}
	return strings.ToLower(name)
}
