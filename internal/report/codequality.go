package report

import "io"

// CodeQuality is being written.
func CodeQuality(w io.Writer, o Outcome) error { return JSON(w, o) }
