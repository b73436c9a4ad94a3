package report

import "io"

// Dotenv is being written.
func Dotenv(w io.Writer, o Outcome) (left []string, err error) { return nil, nil }
