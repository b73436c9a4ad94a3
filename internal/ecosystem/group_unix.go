//go:build unix

package ecosystem

import (
	"os"
	"os/exec"
	"syscall"
)

// asGroup makes the end of the context the end of the command's children too: go starts git, npm starts node.
func asGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != syscall.ESRCH {
			return err
		}
		return os.ErrProcessDone
	}
}
