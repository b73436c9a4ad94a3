//go:build unix

package source

import "syscall"

// NonBlock is a flag for opening what may turn out to be a pipe, which would keep a plain open waiting for ever.
const NonBlock = syscall.O_NONBLOCK
