package cli

import (
	"errors"
	"strings"

	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
)

// show renders an outcome: results on stdout, except where stdout is evaluated by a shell or read by the runner.
func (m *program) show(o report.Outcome, format string, err error) error {
	o.Problem = err
	if o.Version == "" {
		o.Version = m.Version
	}
	if e := m.write(&o, err); e != nil {
		if err == nil {
			err = e
		}
		o.Problem = errors.Join(o.Problem, e)
	}
	if m.front.Annotate != nil {
		m.front.Annotate(m.Stdout, o)
	}
	if m.front.Summary != nil {
		if e := m.front.Summary(o); e != nil {
			o.Notes = append(o.Notes, "the job summary could not be written: "+e.Error())
		}
	}
	if m.front.Output != nil && o.Command == "setup" {
		if e := m.writeReport(o); e != nil {
			o.Notes = append(o.Notes, "the report could not be written: "+e.Error())
		}
	}
	out, style := m.Stdout, report.Style{Color: m.color(m.StdoutTerminal), Width: m.Width}
	if o.Command == "setup" && format == "text" {
		out, style.Color = m.Stderr, m.color(m.StderrTerminal)
	}
	if format == "json" {
		if e := report.JSON(out, o); e != nil {
			return problem.New(problem.Usage, "write the report", "make the output writable", "%w", e)
		}
		return err
	}
	if err != nil && o.Decision == nil && o.Detect == nil && o.Mirrors == nil {
		return err // there is nothing to report but the error
	}
	if e := report.Text(out, o, style); e != nil {
		return problem.New(problem.Usage, "write the report", "make the output writable", "%w", e)
	}
	m.reported = true
	return err
}

func (m *program) color(terminal bool) bool {
	no, _ := m.env("NO_COLOR")
	term, _ := m.env("TERM")
	return terminal && no == "" && term != "dumb"
}

// writeReport puts the whole outcome where a later step can read it.
func (m *program) writeReport(o report.Outcome) error {
	dir, err := inject.NewDir(m.front.TempDir)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := report.JSON(&b, o); err != nil {
		return err
	}
	path := dir + "/report.json"
	if err := inject.WriteFile(path, []byte(b.String())); err != nil {
		return err
	}
	return m.front.Output("report", path)
}
