//go:build !unix

package ecosystem

import "os/exec"

// asGroup leaves the command as it is: its end closes the pipes of its children, and WaitDelay does not wait for them.
func asGroup(*exec.Cmd) {}
