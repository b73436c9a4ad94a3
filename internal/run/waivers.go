package run

import (
	"errors"
	"io/fs"

	"github.com/org/goproxy-action/internal/config"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/report"
)

// waive reads the waivers of a checkout by its own settings. Those of the base commit count where it is read after the
// checkout, which can only take some of them back.
func (j *job) waive(co *lockfile.Checkout, settings config.Config) error {
	now := j.now()
	f, err := co.Read(config.WaiversFile, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var all []config.Waiver
	if err == nil {
		if all, err = config.LoadWaivers(f.Data, config.WaiversFile, f.Linked, now, settings.WaiverDays.V); err != nil {
			return err
		}
	}
	if co == j.checkout {
		// where only some of the findings are looked for no waiver can be said to be of no use
		j.waivers = decide.Waivers{List: all, Now: now, Partial: j.Scope == ScopeRepo || j.Offline}
		return nil
	}
	j.waivers.Change, j.waivers.List, j.waivers.Judged = j.waivers.List, all, true
	return nil
}

// checkWaivers refuses waivers of rules that there are not. Those of a change may be of a rule that the change brings.
func (j *job) checkWaivers(engine *decide.Engine) error {
	if err := engine.CheckWaivers(j.waivers.Change); err != nil {
		j.notes = append(j.notes, err.Error())
	}
	return engine.CheckWaivers(j.waivers.List)
}

// excerpts are the lines of the checkout's files that the text report shows. What is reached by a link is never shown.
func (j *job) excerpts(d *decide.Decision) map[lockfile.Position]lockfile.Excerpt {
	out := map[lockfile.Position]lockfile.Excerpt{}
	files := map[string]lockfile.File{}
	for _, at := range report.Quoted(d) {
		f, ok := files[at.File]
		if !ok {
			f, _ = j.checkout.Read(at.File, 0) // what cannot be read any more is not shown
			files[at.File] = f
		}
		if f.Linked {
			continue
		}
		if e, ok := lockfile.ExcerptAt(f.Data, at); ok {
			out[at] = e
		}
	}
	return out
}
