//go:build unix

package npm

import (
	"os/exec"
	"syscall"
)

// killGroup makes the end of the context the end of all that the command started.
func killGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
