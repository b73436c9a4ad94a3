//go:build !unix

package lockfile

const nonblock = 0
