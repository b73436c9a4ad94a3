package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/ecosystem/golang"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// verifyBudget bounds all asking of verify, checkBudget that of check and setup, where the log is one question of many.
	// The lines of Kubernetes take half a second over a good line and four over one across the world.
	verifyBudget = 60 * time.Second
	checkBudget  = 8 * time.Second
	// questionBudget bounds one request. The answers are small, and mostly stand in a cache.
	questionBudget = 5 * time.Second
	// maxLogAnswer bounds each answer. A tile has 8 KB, a record about 1 KB.
	maxLogAnswer = 64 << 10
	// usualAnswer is room for a tile, and for the read that finds its end.
	usualAnswer = 9 << 10
)

// ProofFile is the name of the proof file that is looked for beside the go.mod or go.work of a checkout.
const ProofFile = "go.sum.proof"

// logRules are those whose facts come from the transparency log.
const logRules = "SUM001 to SUM006"

// Verification is what verify is asked for.
type Verification struct {
	// Offline asks no network; Diff names a commit whose lines are left out.
	Offline bool
	Diff    string
	// Anyway asks the genuine log though the settings say that none is to be asked.
	Anyway bool
	// Heads is of how many sources the heads are compared; 0 means 1.
	Heads int
	// Cache is the directory of what is remembered; empty is the user's own.
	Cache string
	// Proof is a proof file of the machine; empty means none.
	Proof string
	// Write has a proof file made.
	Write bool
	// ModCache compares the module cache of this machine, too.
	ModCache bool
	// Progress is called with how many versions are done, and of how many. It may be called by several goroutines at once.
	Progress func(done, of int)
}

// compared is what the log says of lines. All that is told of it is told from here.
type compared struct {
	*checksumdb.Report
	results map[checksumdb.Line]*checksumdb.Result
	// why is why nobody was asked; empty where somebody was.
	why      string
	required bool
	store    *checksumdb.Store
	stale    string
	// lines are where they stand.
	lines []ecosystem.LogLine
	// held is of how many lines the module cache has something, differing what of it is something else.
	held      int
	differing []ecosystem.Cached
	vendored  []ecosystem.LogLine
	// noted is report.Log's.
	noted bool
}

// Verify compares all lines of go.sum with the transparency log. The outcome is whole even where an error is returned.
func (p Process) Verify(ctx context.Context, v Verification) (report.Outcome, error) {
	start := time.Now()
	j, err := p.open(ctx, Ask{Scope: ScopeAll, Offline: v.Offline, Diff: v.Diff, Only: source.Go}, false)
	if err != nil {
		return report.Outcome{Command: "verify", Problem: err, Duration: time.Since(start)}, err
	}
	defer j.checkout.Close()
	o, err := j.verify(ctx, v, start)
	o.Log, o.Notes, o.NotAsked, o.Problem, o.Duration = j.log.told(), j.notes, j.notAsked, err, time.Since(start)
	err = j.conceal(&o, err)
	if o.Log != nil && v.Write {
		o.Log.Proof = j.log.Proof()
	}
	return o, err
}

func (j *job) verify(ctx context.Context, v Verification, start time.Time) (report.Outcome, error) {
	o := j.outcome("verify", start)
	// waivers of other rules are not of no use here, and severities may be of rules that are not asked
	j.waivers.Partial = true
	engine, err := decide.New(j.Policies, j.data(), decide.Options{Severities: values(j.config.Severity), UnknownRules: true})
	if err != nil {
		return o, err
	}
	o.Rules = slices.DeleteFunc(engine.Rules(), func(r decide.Rule) bool { return !ofLog(r.ID) })
	in := decide.Input{Schema: decide.Schema, Scope: j.Scope, Network: decide.Network{Class: string(detect.Unknown)}, Go: &decide.Go{},
		Run:     decide.Run{Front: j.Front.Name, Event: j.Front.Event, Base: j.baseSaid},
		Sources: []decide.Source{}, Settings: []decide.Setting{}, Entries: []decide.Group{}, Flagged: []decide.Flagged{}, Workflows: []decide.Action{}}
	e := j.summed()
	if e != nil {
		passed := j.passedSums()
		lines := j.added(e.Log.Lines)
		proof, err := readProof(v.Proof)
		if err != nil {
			return o, err
		}
		q := question{lines: lines, proof: proof, required: true, heads: v.Heads, budget: verifyBudget, wide: true, progress: v.Progress}
		switch {
		case v.Offline:
			q.why = "offline"
		case e.Log.Off != "" && !v.Anyway:
			q.why = e.Log.Off
		}
		if q.store, err = j.logStore(e.Log.Key, v.Cache); err != nil {
			return o, err
		}
		if j.log, err = j.compareLog(ctx, engine, e, q); err != nil {
			return o, err
		}
		j.log.noted = passed || len(j.log.Notes) > 0
		if v.ModCache {
			if err := j.compareCache(ctx, e.Log); err != nil {
				return o, err
			}
		}
		j.log.vendored = j.log.unproven(e.Log.Vendored)
		in.Go.Log = j.log.fact(e.Log)
	}
	findings, err := engine.Eval(ctx, in)
	if err != nil {
		return o, err
	}
	findings = slices.DeleteFunc(findings, func(f decide.Finding) bool { return !ofLog(f.ID) })
	d := decide.Decide(decide.Terms{Mode: decide.Enforce, Waivers: j.waivers}, findings, findings, in)
	j.notes = append(j.notes, d.Notes...)
	if e != nil {
		d.Counts.Modules = e.Modules
	}
	d.Duration = time.Since(start)
	o.Decision, o.Excerpts = &d, j.excerpts(&d)
	return o, j.log.end(d, v)
}

// passedSums notes the files whose lines are not compared, and tells whether there are any.
func (j *job) passedSums() bool {
	passed := slices.DeleteFunc(j.checkout.Passed(), func(name string) bool {
		return !strings.HasSuffix(name, "/go.sum") && !strings.HasSuffix(name, "/go.work.sum")
	})
	n := len(passed)
	if n == 0 {
		return false
	}
	named := strings.Join(passed[:min(n, 5)], ", ")
	if n > 5 {
		named += fmt.Sprintf(" and %d more", n-5)
	}
	j.notes = append(j.notes, "not compared, since in hidden, vendored or test data directories (name such a directory to have it compared): "+source.Plain(named, 500))
	return true
}

// ofLog tells the rules of this command from the others.
func ofLog(id string) bool { return strings.HasPrefix(id, "SUM") }

// forged tells whether something that counts is no matter of taste: content that the log denies, or a log that lies.
func forged(d decide.Decision) bool {
	return slices.ContainsFunc(d.Findings, func(f decide.Finding) bool {
		return f.Counting() && f.Severity == decide.Error && slices.Contains([]string{"SUM001", "SUM005", "SUM006", "SUM007"}, f.ID)
	})
}

// end is the run's error.
func (c *compared) end(d decide.Decision, v Verification) error {
	err := verdict(d)
	if d.Verdict == decide.Failed {
		err = problem.New(problem.Unanswered, "", "", "%d of %d lines could not be compared with the log: %s", c.Count(checksumdb.Unverified), len(c.Results), c.reason())
	}
	if err == nil && c != nil && v.Heads > 1 && c.Heads < v.Heads {
		err = problem.New(problem.Unanswered, "flag --heads", "ask where more sources of the log are reached, or compare fewer heads", "%d heads were to be compared, and %d came", v.Heads, c.Heads)
	}
	return err
}

// summed is the ecosystem whose lines can be compared; nil where there are none.
func (j *job) summed() *ecosystem.Ecosystem {
	for _, e := range j.systems {
		if e.Log != nil {
			return e
		}
	}
	return nil
}

// consult compares the lines of go.sum with the log for check and setup, where the settings want it. From then on what it
// says is a fact for the policies.
func (j *job) consult(ctx context.Context, engine *decide.Engine, plan *choose.Plan, rows []detect.Row) error {
	e, mode := j.summed(), j.config.Verify.V
	if e == nil || mode == config.VerifyOff {
		return nil
	}
	proof, err := j.proofBeside()
	if err != nil {
		return err
	}
	q := question{lines: e.Log.Lines, proof: proof, required: mode == config.VerifyOn && !j.Offline && j.Scope != ScopeRepo,
		budget: checkBudget, wide: mode == config.VerifyOn, plan: plan, rows: rows}
	switch {
	case j.Offline:
		q.why = "offline"
	case e.Log.Off != "":
		q.why = e.Log.Off
	case j.config.Probe.V == config.ProbeNone:
		q.why = "probe: none"
	case e.Effective["GOPROXY"] == "off":
		q.why = "GOPROXY=off"
	}
	if q.store, err = j.logStore(e.Log.Key, ""); err != nil {
		return err
	}
	c, err := j.compareLog(ctx, engine, e, q)
	if err != nil {
		return err
	}
	if c.why != "" && !c.required && !c.Attested && c.Count(checksumdb.Mismatch) == 0 &&
		(c.Count(checksumdb.Unverified) > 0 || c.Count(checksumdb.Verified) == 0) {
		j.notAsked = append(j.notAsked, fmt.Sprintf("whether the lines of go.sum are those of the transparency log (%s): %s", logRules, c.why))
		return nil
	}
	j.log = c
	return nil
}

// question is what compareLog is asked.
type question struct {
	lines []ecosystem.LogLine
	// why is why nobody is to be asked; empty where somebody is.
	why      string
	proof    *checksumdb.Proof
	store    *checksumdb.Store
	required bool
	heads    int
	budget   time.Duration
	// wide asks mirrors as well, where nothing else answers.
	wide bool
	// plan and rows are what was chosen and measured; nil where nothing was.
	plan     *choose.Plan
	rows     []detect.Row
	progress func(done, of int)
}

func (j *job) compareLog(ctx context.Context, engine *decide.Engine, e *ecosystem.Ecosystem, q question) (*compared, error) {
	c := &compared{why: q.why, required: q.required, store: q.store, lines: q.lines, results: make(map[checksumdb.Line]*checksumdb.Result, len(q.lines))}
	var lines []checksumdb.Line
	for _, l := range q.lines {
		if _, ok := c.results[l.Line]; !ok {
			c.results[l.Line] = nil
			lines = append(lines, l.Line)
		}
	}
	o := checksumdb.Options{Key: e.Log.Key, Store: q.store, Proof: q.proof, Heads: q.heads, Private: e.Log.Private(j.base), Now: j.Now, Progress: q.progress}
	if q.why == "" {
		places, err := j.logPlaces(ctx, engine, e, q)
		if err != nil {
			return nil, err
		}
		if len(places) == 0 {
			c.why = "no source that relays it is usable and permitted"
		}
		options := detect.Options{Dialer: j.dialer(), Settings: j.proxies, UserAgent: "goproxy-action/" + j.Version, Credentials: j.credentials}
		for _, p := range places {
			client, err := options.Client(p.URL)
			if err != nil {
				j.notes = append(j.notes, fmt.Sprintf("%s is not asked for the log: the %v", source.Plain(p.ID, 100), err))
				continue
			}
			defer client.Close()
			o.Sources = append(o.Sources, checksumdb.Source{Name: p.ID, Own: operated(p, e.Log), Fetch: fetchFrom(client, p)})
		}
	}
	within, cancel := context.WithTimeout(ctx, q.budget)
	defer cancel()
	r, err := checksumdb.Verify(within, lines, o)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, problem.New(problem.Usage, "checksum-database.keys", "write name+hash+key, as the database's operator gives it", "%w", err)
	}
	c.Report = r
	if len(j.credentials.Secrets()) > 0 { // a source may have told what it was shown
		mask(reflect.ValueOf(r), j.credentials.Mask)
	}
	for i := range r.Results {
		c.results[r.Results[i].Line] = &r.Results[i]
	}
	if since := j.now().Sub(r.Since); r.Asked && r.Fork == nil && since > j.config.HeadAge.V {
		c.stale = fmt.Sprintf("no source has given a newer head of the log than the one with %d records, which was first seen here on %s", r.Tree.N, r.Since.UTC().Format(time.DateOnly))
	}
	j.notes = append(j.notes, r.Notes...)
	return c, nil
}

// operated tells whether a place is the log's own, or its operator's. An address in GOSUMDB is that of a log of the user's
// own, but of everybody's only a relay.
func operated(p source.Source, l *ecosystem.Log) bool {
	if !l.Public {
		return p.Role == source.ChecksumDB
	}
	return p.Public && (p.Role == source.ChecksumDB || p.ID == source.Official)
}

// fetchFrom asks one place of the log.
func fetchFrom(client *detect.Client, p source.Source) func(context.Context, string) (int, []byte, error) {
	return func(ctx context.Context, file string) (status int, body []byte, err error) {
		ctx, cancel := context.WithTimeout(ctx, questionBudget)
		defer cancel()
		err = client.Get(ctx, p.URL+file, "", maxLogAnswer, func(r detect.Response, from io.Reader) error {
			if status = r.Status; status != http.StatusOK {
				return nil
			}
			b := bytes.NewBuffer(make([]byte, 0, usualAnswer))
			_, err = b.ReadFrom(from)
			if body = b.Bytes(); len(body) < usualAnswer/2 { // records are kept
				body = bytes.Clone(body)
			}
			return err
		})
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", source.Plain(p.ID, 100), err)
		}
		return status, body, nil
	}
}

// logPlaces are where the log is asked, in order: the relays of the module proxies that are or will be in force, which the
// job asks as well; the log's own hosts; the relays of mirrors, where that is wanted, and never for a log that is not
// everybody's. Where GOSUMDB has an address, that alone. The policies have to accept each by name.
func (j *job) logPlaces(ctx context.Context, engine *decide.Engine, e *ecosystem.Ecosystem, q question) ([]source.Source, error) {
	on := func(list []source.Source) []source.Source {
		return slices.DeleteFunc(slices.Clone(list), func(s source.Source) bool { return s.Off != "" })
	}
	own := on(e.SumDB)
	var relays, mirrors []source.Source
	if e.SumDBFixed != "" && len(own) > 0 {
		own = own[:1]
	} else {
		relays = slices.Clone(e.InForce)
		if q.plan != nil {
			relays = planned(q.plan, e.Name)
		}
		if q.wide && e.Log.Public {
			mirrors = on(e.Catalogue)
		}
	}
	allowed, err := j.permittedByName(ctx, engine, slices.Concat(relays, own, mirrors))
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(e.Log.Key, "+")
	seen := map[string]bool{}
	var out []source.Source
	add := func(list []source.Source, below string) {
		for _, s := range list {
			base := strings.TrimRight(s.URL, "/") + below
			if allowed[s.URL] && !seen[base] && !useless(q.rows, s) {
				seen[base] = true
				s.URL = base
				out = append(out, s)
			}
		}
	}
	add(relays, "/sumdb/"+name)
	add(own, "")
	add(mirrors, "/sumdb/"+name)
	return out, nil
}

// planned are the sources of a plan for an ecosystem.
func planned(plan *choose.Plan, name string) (out []source.Source) {
	for _, c := range plan.Choices {
		if c.Ecosystem == name {
			for _, p := range c.Sources {
				out = append(out, p.Source)
			}
		}
	}
	return out
}

// useless tells of a source that was measured and did not answer by any way, or does not relay the log.
func useless(rows []detect.Row, s source.Source) bool {
	asked, works := false, false
	for _, r := range rows {
		if r.Source.URL == s.URL {
			asked, works = true, works || r.OK && (s.Role == source.ChecksumDB || r.ChecksumDB != detect.No)
		}
	}
	return asked && !works
}

// logStore is what is remembered of a log: in a directory that the user names, else in his cache; nil where there is none.
// In a directory that the author of the checkout may have written no link on the way leads out of it.
func (j *job) logStore(key, dir string) (*checksumdb.Store, error) {
	named := dir != ""
	if !named && j.Front.StateDir != "" {
		dir = filepath.Join(j.Front.StateDir, "checksumdb")
	}
	if dir == "" {
		return nil, nil
	}
	abs, err := filepath.Abs(dir)
	if err == nil {
		if rel, e := filepath.Rel(j.checkout.Fence, abs); e == nil && filepath.IsLocal(rel) {
			err = within(j.checkout.Fence, rel)
		}
	}
	if err != nil && named {
		return nil, problem.New(problem.Usage, "flag --cache", "name a directory that can be written, and that no link leads away from", "%s cannot be used: %w", source.Plain(dir, 200), err)
	} else if err != nil {
		j.notes = append(j.notes, fmt.Sprintf("what is proven is not remembered: %v", err))
		return nil, nil
	}
	s, err := checksumdb.NewStore(abs, key, 0)
	if err != nil {
		return nil, problem.New(problem.Usage, "checksum-database.keys", "write name+hash+key, as the database's operator gives it", "%w", err)
	}
	return s, nil
}

// within makes a directory below another, without following a link out of that.
func within(base, rel string) error {
	root, err := os.OpenRoot(base)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(rel, 0o700); err != nil {
		return err
	}
	below, err := root.OpenRoot(rel)
	if err != nil {
		return err
	}
	return below.Close()
}

// readProof reads a proof file of the machine.
func readProof(name string) (*checksumdb.Proof, error) {
	if name == "" {
		return nil, nil
	}
	shown := source.Plain(name, 200)
	data, err := ecosystem.ReadFile(name, checksumdb.MaxProof)
	if err != nil {
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			err = at.Err
		}
		return nil, problem.New(problem.Usage, "flag --proof", "name a file that goproxy-action verify --write-proof has written", "%s cannot be read: %w", shown, err)
	}
	return checksumdb.ParseProof(shown, data)
}

// proofBeside is the proof file of the checkout; nil where there is none. It is believed no more than one of anybody's.
func (j *job) proofBeside() (*checksumdb.Proof, error) {
	var beside []string
	for _, n := range []string{"go.work", "go.mod"} {
		if files := j.checkout.Files(n); len(files) > 0 {
			beside = append(beside, path.Join(path.Dir(files[0]), ProofFile))
		}
	}
	for _, name := range beside {
		f, err := j.checkout.Read(name, checksumdb.MaxProof)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return checksumdb.ParseProof(source.Plain(name, 200), f.Data)
	}
	return nil, nil
}

// added are the lines that the commit does not have to which the checkout is compared; all of them where it is to none.
func (j *job) added(lines []ecosystem.LogLine) []ecosystem.LogLine {
	if j.compared == "" {
		return lines
	}
	had := map[checksumdb.Line]bool{}
	for _, l := range golang.LogLines(j.base) {
		had[l] = true
	}
	return slices.DeleteFunc(slices.Clone(lines), func(l ecosystem.LogLine) bool { return had[l.Line] })
}

// compareCache compares the module cache with what the log has of lines.
func (j *job) compareCache(ctx context.Context, l *ecosystem.Log) error {
	if l.Cached == nil {
		return problem.New(problem.Usage, "flag --modcache", "set GOMODCACHE to an absolute path", "it is not known where the module cache is")
	}
	var known []checksumdb.Line
	for _, r := range j.log.Results {
		if hash, ok := logged(r); ok {
			known = append(known, checksumdb.Line{Module: r.Module, Version: r.Version, Hash: hash})
		}
	}
	j.log.held, j.log.differing = l.Cached(ctx, known)
	return ctx.Err()
}

// logged is the hash that the log has, where that is known.
func logged(r checksumdb.Result) (string, bool) {
	switch r.Status {
	case checksumdb.Verified:
		return r.Hash, true
	case checksumdb.Mismatch:
		return r.Log, true
	case checksumdb.Absent, checksumdb.Private, checksumdb.Unverified:
	}
	return "", false
}

// unproven are the vendored modules whose zip no verified line has.
func (c *compared) unproven(vendored []ecosystem.LogLine) []ecosystem.LogLine {
	proven := map[[2]string]bool{}
	for _, r := range c.Results {
		if r.Status == checksumdb.Verified || r.Status == checksumdb.Private {
			proven[[2]string{r.Module, r.Version}] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(vendored), func(l ecosystem.LogLine) bool { return proven[[2]string{l.Module, l.Version}] })
}

// reason is why lines are unverified, that of the first.
func (c *compared) reason() string {
	for _, r := range c.Results {
		if r.Status == checksumdb.Unverified {
			return c.because(r)
		}
	}
	return ""
}

func (c *compared) because(r checksumdb.Result) string {
	if c.why != "" && !c.Asked {
		return r.Reason + " (" + source.Plain(c.why, 200) + ")"
	}
	return source.Plain(r.Reason, 300)
}

// counts are of lines, each once.
func counts(all map[checksumdb.Line]*checksumdb.Result) (n decide.LogLines) {
	for _, r := range all {
		n.Total++
		switch r.Status {
		case checksumdb.Verified:
			n.Verified++
		case checksumdb.Mismatch:
			n.Mismatch++
		case checksumdb.Absent:
			n.Absent++
		case checksumdb.Private:
			n.Private++
		case checksumdb.Unverified:
			n.Unverified++
		}
	}
	return n
}

// fact is what policies see of it for the lines of a checkout: those of this run, or what of them a base commit has.
func (c *compared) fact(l *ecosystem.Log) *decide.Log {
	f := &decide.Log{Name: c.Name, TreeSize: int(c.Tree.N), Consistent: c.Consistent, Lies: []string{}, Stale: c.stale, Reason: c.reason(),
		Required: c.required, Problems: []decide.LogProblem{}}
	if c.Fork != nil {
		f.Fork = c.forked()
	}
	for _, lie := range c.Lies {
		f.Lies = append(f.Lies, source.Plain(lie.Source+": "+lie.What, 500))
	}
	mine := make(map[checksumdb.Line]*checksumdb.Result, len(l.Lines))
	for _, line := range l.Lines {
		r := c.results[line.Line]
		if r == nil {
			continue
		}
		mine[line.Line] = r
		if r.Status == checksumdb.Mismatch || r.Status == checksumdb.Absent {
			f.Problems = append(f.Problems, decide.LogProblem{Module: source.Plain(r.Module, 300), Version: source.Plain(r.Version, 100), Status: string(r.Status),
				Hash: source.Plain(r.Hash, 100), Log: source.Plain(r.Log, 100), Position: line.At})
		}
	}
	f.Lines = counts(mine)
	for _, d := range c.differing {
		f.Problems = append(f.Problems, decide.LogProblem{Module: source.Plain(d.Module, 300), Version: source.Plain(d.Version, 100), Status: "cached",
			Fault: d.Fault, Log: d.Hash, Position: lockfile.Position{File: d.Path}})
	}
	return f
}

// forked is the fork in words.
func (c *compared) forked() string {
	return fmt.Sprintf("the log shows different trees: the head that %s gave and the one that is known here have no common history; both are in the report, with the proof", source.Plain(c.Fork.Source, 100))
}

// told is what a report tells of it; nil where there is nothing.
func (c *compared) told() *report.Log {
	if c == nil {
		return nil
	}
	l := &report.Log{Name: c.Name, Tree: c.Tree.N, Head: string(c.Signed), Consistent: c.Consistent, Source: c.Source, Since: c.Since, Lag: c.Lag,
		Requests: c.Requests, Bytes: c.Bytes, Fork: c.Fork, Held: c.held, Noted: c.noted, Lines: counts(c.results)}
	private := map[string]bool{}
	for _, line := range c.lines {
		switch r := c.results[line.Line]; r.Status {
		case checksumdb.Verified:
		case checksumdb.Private:
			private[r.Module] = true
		case checksumdb.Mismatch, checksumdb.Absent, checksumdb.Unverified:
			l.Problems = append(l.Problems, report.LogProblem{Position: line.At, Module: r.Module, Version: r.Version, Status: string(r.Status), Want: r.Hash, Log: r.Log, Reason: c.because(*r)})
		}
	}
	for _, d := range c.differing {
		l.Problems = append(l.Problems, report.LogProblem{Position: lockfile.Position{File: d.Path}, Module: d.Module, Version: d.Version, Status: "cached", Log: d.Hash, Reason: d.Fault})
	}
	l.Private = slices.Sorted(maps.Keys(private))
	for _, lie := range c.Lies {
		l.Lies = append(l.Lies, lie.Source+": "+lie.What)
	}
	for _, v := range c.vendored {
		l.Vendored = append(l.Vendored, report.LogProblem{Position: v.At, Module: v.Module, Version: v.Version})
	}
	if c.store != nil && c.Tree.N > 0 {
		l.CachePath, l.CacheKey = c.store.Path(), fmt.Sprintf("%s-%d", filepath.Base(c.store.Path()), c.Tree.N)
	}
	return l
}
