//go:build !windows

package machine

// registry finds nothing where there is none.
func registry(string, string) (string, bool) { return "", false }
