package cli

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/org/goproxy-action/internal/front/shell"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// Formats of --output that are no reports, but what setup hands over.
const (
	formatEnv    = "env"
	formatDotenv = "dotenv"
)

// renderers write the formats of a report. markdown has no limit here: the page of a host has one, a file has none.
var renderers = map[string]func(io.Writer, report.Outcome) error{
	"text": func(w io.Writer, o report.Outcome) error { return report.Text(w, o, report.Style{}) },
	"json": report.JSON,
	"markdown": func(w io.Writer, o report.Outcome) error {
		_, err := io.WriteString(w, report.Markdown(o, 0))
		return err
	},
	"sarif": report.SARIF, "junit": report.JUnit, "codequality": report.CodeQuality,
}

// formats are what --output of a command knows, in the order of the documentation.
func formats(command string) []string {
	all := []string{"text", "json", "markdown"}
	if command == "check" || command == "setup" || command == "verify" {
		all = append(all, "sarif", "junit", "codequality")
	}
	if command == "setup" {
		all = append(all, formatEnv, formatDotenv)
	}
	return all
}

// several matches what was meant as a list.
var several = regexp.MustCompile(`,[a-z]+=`)

// output is one further report.
type output struct{ format, file string }

// outputs are the reports that were asked for beside the one that is printed.
type outputs []output

// outputFlag adds --output to a command.
func outputFlag(cmd *cobra.Command) *[]string {
	known := formats(cmd.Name())
	f := cmd.Flags().StringArray("output", nil, "write a further report, as FORMAT=FILE; may be repeated ("+strings.Join(known, ", ")+")")
	complete := make([]string, len(known))
	for i, k := range known {
		complete[i] = k + "="
	}
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(complete, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	return f
}

// parseOutputs reads what flags say, else the input, whose entries are parted by commas or line ends.
func parseOutputs(command string, flags []string, input func(string) (string, bool)) (outputs, error) {
	from, given := "flag --output", flags
	if len(flags) == 0 && input != nil {
		text, _ := input("output")
		from, given = "input output", strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' })
	}
	var all outputs
	known := formats(command)
	for _, g := range given {
		if g = strings.TrimSpace(g); g == "" {
			continue
		}
		format, file, _ := strings.Cut(g, "=")
		switch {
		case !slices.Contains(known, format):
			return nil, problem.New(problem.Usage, from, "write FORMAT=FILE; formats of "+command+" are "+strings.Join(known, ", "), "%q names no format", source.Plain(g, 100))
		case several.MatchString(file):
			return nil, problem.New(problem.Usage, from, "write --output once for each report", "%q names several reports", source.Plain(g, 100))
		case file == "" || strings.ContainsFunc(file, unicode.IsControl):
			return nil, problem.New(problem.Usage, from, "write "+format+"=FILE", "%q names no file", source.Plain(g, 100))
		case slices.ContainsFunc(all, func(o output) bool { return canonical(o.file) == canonical(file) }):
			return nil, problem.New(problem.Usage, from, "give each report a file of its own", "%s is named twice", source.Plain(file, 100))
		case (format == formatEnv || format == formatDotenv) && all.file(format) != "":
			return nil, problem.New(problem.Usage, from, "name one file for "+format, "%s is asked for twice", format)
		}
		all = append(all, output{format, file})
	}
	return all, nil
}

// file is the one of a format, and empty where there is none.
func (all outputs) file(format string) string {
	for _, o := range all {
		if o.format == format {
			return o.file
		}
	}
	return ""
}

// canonical is one name for a file, whatever links its directory is reached by.
func canonical(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(file)); err == nil {
		file = filepath.Join(dir, filepath.Base(file))
	}
	return file
}

// exportTo makes Export write the lines for a shell to a file as well, which is the only way out of a terminal's front
// then. Until the run has ended well, a shell that reads the file fails.
func (m *program) exportTo(file string) error {
	if m.stream(file) == nil {
		if err := m.writeEnv(file, nil, problem.Bug); err != nil {
			return err
		}
	}
	export := m.front.Export
	if m.front.SaveState == nil {
		export, m.front.Where = nil, "for the shell that reads "+file
	}
	m.front.Export = func(changes []inject.Change) error {
		m.exported = changes
		if export != nil {
			return export(changes)
		}
		_, err := shell.Lines(changes, nil) // what cannot be written must be known before anything is handed over
		return err
	}
	return nil
}

// writeEnv writes what a shell is to read: the changes, or a line that fails. They may hold secrets.
func (m *program) writeEnv(file string, changes []inject.Change, code problem.Code) error {
	var b bytes.Buffer
	lines, err := shell.Lines(changes, nil)
	if err == nil && code == problem.Clean {
		b.WriteString(lines)
	} else {
		_ = shell.Fail(&b, int(max(code, 1)))
	}
	return errors.Join(err, m.writeOutput(output{formatEnv, file}, b.Bytes()))
}

// write writes all further reports, each whole or not at all; what could not be written is the error.
func (m *program) write(o *report.Outcome, err error) error {
	var faults []error
	if file := m.outputs.file(formatDotenv); file != "" {
		var b bytes.Buffer
		left, e := report.Dotenv(&b, *o)
		for _, l := range left {
			o.Notes = append(o.Notes, "not passed on to later jobs: "+l)
		}
		faults = append(faults, e, m.writeOutput(output{formatDotenv, file}, b.Bytes()))
	}
	for _, out := range m.outputs {
		render := renderers[out.format]
		if render == nil {
			continue
		}
		var b bytes.Buffer
		faults = append(faults, render(&b, *o), m.writeOutput(out, b.Bytes()))
	}
	// last, since it says that all went well
	if file := m.outputs.file(formatEnv); file != "" {
		code := problem.Clean
		if e := errors.Join(append(faults, err)...); e != nil {
			code = problem.CodeOf(e)
		}
		fault := m.writeEnv(file, m.exported, code)
		faults = append(faults, fault)
		for _, c := range m.exported { // nobody will ever know of it
			if c.Name == inject.JournalVariable && (code != problem.Clean || fault != nil) {
				faults = append(faults, inject.Remove(c.Value))
			}
		}
	}
	return errors.Join(faults...)
}

// writeOutput writes one report to where it was asked for.
func (m *program) writeOutput(out output, data []byte) error {
	return m.put("--output "+out.format+"="+source.Plain(out.file, 200), out, data)
}

// put is place with an error that names the flag.
func (m *program) put(flag string, out output, data []byte) error {
	err := m.place(out, data)
	if err == nil {
		return nil
	}
	hint := "name a file in a directory that is there and can be written"
	if refused, ok := errors.AsType[*problem.Problem](err); ok {
		hint, err = refused.Hint, refused.Err
	}
	if info, e := os.Stat(out.file); e == nil && info.IsDir() {
		hint, err = "name a file", errors.New("it is a directory")
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	} else if at, ok := errors.AsType[*os.LinkError](err); ok {
		err = at.Err
	}
	return problem.New(problem.Usage, flag, hint, "the file could not be written: %w", err)
}
