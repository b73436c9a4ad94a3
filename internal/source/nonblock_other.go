//go:build !unix

package source

// NonBlock is a flag for opening what may turn out to be a pipe, which would keep a plain open waiting for ever.
const NonBlock = 0
