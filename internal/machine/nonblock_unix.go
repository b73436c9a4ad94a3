//go:build unix

package machine

import "syscall"

const nonblock = syscall.O_NONBLOCK
