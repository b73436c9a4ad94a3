//go:build unix

package lockfile

import "syscall"

const nonblock = syscall.O_NONBLOCK
