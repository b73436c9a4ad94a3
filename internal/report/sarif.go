package report

import "io"

// SARIF is being written.
func SARIF(w io.Writer, o Outcome) error { return JSON(w, o) }
