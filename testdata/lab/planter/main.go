// Command planter puts bad things into copies of real files, and holds what the program finds against what was planted. It
// knows the formats by their lines alone: no code of the program's is in it, and nothing that it expects is taken from the
// program's output.
//
//	planter -binary FILE -npm URL [-list FILE] [-only TEXT] DIR...
//
// Each DIR is a checkout with files that real tools made. Every recipe that fits one of them is carried out on a copy, at
// the first, the middle and the last place. What was planted goes to -list, as JSON on a line each; a table ends the run.
// Whatever is missed, and whatever is found that was neither planted nor there before, is told and makes it fail.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// place is where a finding stands.
type place struct {
	Rule   string `json:"rule"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p place) String() string { return fmt.Sprintf("%s %s:%d:%d", p.Rule, p.File, p.Line, p.Column) }

// planted is one bad thing in one copy.
type planted struct {
	place
	Note   string `json:"note"`
	Format string `json:"format"`
	Dir    string `json:"dir"`
}

// row is a line of the table.
type row struct {
	planted, found, alarms int
	rules                  map[string]bool
}

type table map[string]*row

func (t table) row(format string) *row {
	if t[format] == nil {
		t[format] = &row{rules: map[string]bool{}}
	}
	return t[format]
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "", "the program")
	flag.StringVar(&o.registry, "npm", "", "npm's own default registry, as npm says it")
	flag.StringVar(&o.list, "list", "", "where to write what was planted")
	flag.StringVar(&o.only, "only", "", "carry out those recipes whose format and name hold this")
	flag.Parse()
	if o.binary == "" || o.registry == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	o.registry = strings.TrimRight(o.registry, "/")
	if err := o.run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "planter:", err)
		os.Exit(1)
	}
}

type options struct{ binary, registry, list, only string }

func (o options) run(dirs []string) error {
	work, err := os.MkdirTemp("", "planter-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	beds := make([]*bed, len(dirs))
	turns := make(chan struct{}, runtime.NumCPU())
	var wait sync.WaitGroup
	for i, dir := range dirs {
		b := &bed{options: o, source: dir, work: filepath.Join(work, fmt.Sprint(i)), before: map[string][]place{}, rows: table{}, fits: map[string]bool{}}
		beds[i] = b
		wait.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			b.err = b.plantAll()
		})
	}
	wait.Wait()
	return o.report(beds)
}

// report prints the faults and the table.
func (o options) report(beds []*bed) error {
	var all []planted
	rows, total, copies, faults, fits := table{}, row{}, 0, 0, map[string]bool{}
	for _, b := range beds {
		if b.err != nil {
			return fmt.Errorf("%s: %w", b.source, b.err)
		}
		for _, f := range b.faults {
			fmt.Printf("%s: %s\n", filepath.Base(b.source), f)
		}
		for format, got := range b.rows {
			r := rows.row(format)
			r.planted, r.found, r.alarms = r.planted+got.planted, r.found+got.found, r.alarms+got.alarms
			maps.Copy(r.rules, got.rules)
			total.planted, total.found, total.alarms = total.planted+got.planted, total.found+got.found, total.alarms+got.alarms
		}
		for name, fit := range b.fits {
			fits[name] = fits[name] || fit
		}
		all, copies, faults = append(all, b.all...), copies+b.copies, faults+len(b.faults)
	}
	for _, name := range slices.Sorted(maps.Keys(fits)) {
		if !fits[name] {
			faults++
			fmt.Printf("planted nowhere, for want of three places: %s\n", name)
		}
	}
	if err := writeList(o.list, all); err != nil {
		return err
	}
	fmt.Printf("%-18s %8s %8s %13s  %s\n", "format", "planted", "found", "false alarms", "rules")
	for _, format := range slices.Sorted(maps.Keys(rows)) {
		r := rows[format]
		fmt.Printf("%-18s %8d %8d %13d  %s\n", format, r.planted, r.found, r.alarms, strings.Join(slices.Sorted(maps.Keys(r.rules)), " "))
	}
	fmt.Printf("%d formats, %d copies: planted %d, found %d, false alarms %d\n", len(rows), copies, total.planted, total.found, total.alarms)
	if faults > 0 || total.planted == 0 {
		return errors.New("what was planted is not what was found")
	}
	return nil
}

func writeList(file string, all []planted) error {
	if file == "" {
		return nil
	}
	slices.SortFunc(all, func(a, b planted) int {
		return cmp.Or(cmp.Compare(a.Format, b.Format), cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.Note, b.Note), cmp.Compare(a.String(), b.String()))
	})
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, p := range all {
		if err := e.Encode(p); err != nil {
			return err
		}
	}
	return out.Close()
}
