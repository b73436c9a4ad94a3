package report

import "io"

// JUnit is being written.
func JUnit(w io.Writer, o Outcome) error { return JSON(w, o) }
