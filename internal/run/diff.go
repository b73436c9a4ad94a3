package run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/ecosystem/git"
	"github.com/org/goproxy-action/internal/front"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// DiffAuto stands for the commit that the host measures the change against.
const DiffAuto = "auto"

const diffFlag = "flag --diff"

// named tells whether the user names the commit that the checkout is measured against. For a change that may be a
// stranger's he does not: the flag, and what a branch's name means, may be the stranger's as well.
func (j *job) named() bool { return j.Diff != "" && j.Diff != DiffAuto && !j.Front.Untrusted }

// measured is what finds the commit that the checkout is measured against: the one that --diff names, else the host's. It
// is nil where there is none.
func (j *job) measured() (func(context.Context) (*front.Base, error), error) {
	switch {
	case j.named():
		return j.namedBase, nil
	case j.Diff == DiffAuto && j.Front.Name == "shell":
		return nil, problem.New(problem.Usage, diffFlag, "name a commit: a hash, a branch or a tag", "auto is the commit that a CI system names, and this is none")
	case j.Diff != "" && j.Front.Base == nil:
		j.notes = append(j.notes, "the CI system names no commit to compare with for this event, so all findings count")
	}
	return j.Front.Base, nil
}

// namedBase opens the commit that the user names: from the checkout's own objects, else fetched from where it was cloned.
func (j *job) namedBase(ctx context.Context) (*front.Base, error) {
	r := git.Repository{Machine: ecosystem.Machine{Lookup: j.Lookup, Environ: j.Environ, OS: j.OS}, Dir: j.repository(), Fence: j.fence(), Temp: j.Front.TempDir}
	from := ""
	if !j.Offline {
		from = r.Origin()
	}
	c, err := r.Named(ctx, j.Diff, from)
	if err != nil {
		hint := "fetch it (git fetch --depth=1 origin " + source.Plain(j.Diff, 100) + ")"
		if j.Offline {
			hint += ", or leave --offline out"
		}
		if errors.Is(err, git.ErrMissing) {
			return nil, problem.New(problem.Usage, diffFlag, hint, "%q: %w", source.Plain(j.Diff, 100), git.ErrMissing)
		}
		return nil, err
	}
	return &front.Base{Commit: c.SHA(), Read: c.Read, List: c.List, Close: c.Close}, nil
}

// compare has findings compared with the commit that was opened, where --diff asks for it.
func (j *job) compare(commit string) error {
	short := commit[:min(len(commit), 12)]
	switch {
	case j.Diff == "":
	case j.unlisted != nil:
		j.notes = append(j.notes, fmt.Sprintf("what the change removes is not known, so all findings count: %v", j.unlisted))
	case j.Diff == DiffAuto:
		j.compared = "the base commit (" + short + ")"
	case j.Diff == commit:
		j.compared = short
	case j.named():
		j.compared = j.Diff + " (" + short + ")"
	default:
		return problem.New(problem.Usage, diffFlag, "write --diff auto", "%q is not the commit that this change is measured against, which is %s", source.Plain(j.Diff, 100), commit)
	}
	return nil
}

// deleted adds files to wanted that the base commit has beside those of the checkout: what is not there any more can be
// what is wrong.
func (j *job) deleted(ctx context.Context, base *front.Base, names []string, wanted map[string]bool) error {
	prefix := j.inRepository()
	for f := range base.Changed {
		if own, ok := strings.CutPrefix(f, prefix); ok && slices.Contains(names, path.Base(f)) {
			wanted[own] = true
		}
	}
	if j.Diff == "" || base.Changed != nil {
		return nil
	}
	dirs := map[string]bool{".": true}
	for f := range wanted {
		dirs[path.Dir(f)] = true
	}
	for dir := range dirs {
		there, err := base.List(ctx, path.Join(prefix, dir))
		if problem.CodeOf(err) == problem.Security {
			return err
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			j.unlisted = err
			return nil
		}
		for _, name := range there {
			if slices.Contains(names, name) {
				wanted[path.Join(dir, name)] = true
			}
		}
	}
	return nil
}

// mark is what a finding is known again by: not its line, which moves, but what stands there.
type mark struct{ id, file, subject, message, text string }

var (
	digits = regexp.MustCompile(`[0-9]+`)
	// pinning are the lines of such an entry that say which package it is.
	pinning = regexp.MustCompile(`^\s*"(?:name|version|resolved|integrity)"`)
	// locked are lock files that have an entry's version, address and checksum in lines next to each other: another
	// checksum is another package.
	locked = regexp.MustCompile(`(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json)$`)
	// scattered are lock files whose entries have other lines in between: their findings are known only as long as the
	// whole file is the same. So are those of locked ones that have no lines to speak of.
	scattered = regexp.MustCompile(`(?:^|/)(?:yarn\.lock|pnpm-lock\.yaml|bun\.lock)$`)
)

// known tells which findings the commit has already that the checkout is compared with; nil where all count. Its files
// are judged by the same rules, data and settings. What stands in no file of the checkout, as the environment of this
// machine, is never known: nobody can say how it was then.
func (j *job) known(ctx context.Context, engine *decide.Engine, in decide.Input) (func(decide.Finding) bool, error) {
	if j.compared == "" {
		return nil, nil
	}
	b := *j
	b.checkout, b.changed, b.notes, b.said = j.base, nil, nil, nil
	if err := b.read(false); err != nil {
		j.notes = append(j.notes, fmt.Sprintf("files of %s cannot be understood, so all findings count: %v", j.compared, err))
		return nil, nil
	}
	was, err := b.input(nil, nil)
	if err != nil {
		return nil, err
	}
	for i := range was.Sources { // it is the network of today that both are asked in
		for _, s := range in.Sources {
			if w := &was.Sources[i]; w.URL == s.URL && w.Ecosystem == s.Ecosystem {
				w.Via, w.Addresses, w.IPs = s.Via, s.Addresses, s.IPs
			}
		}
	}
	findings, err := engine.Eval(ctx, was)
	if err != nil {
		return nil, err
	}
	then, now := lines{checkout: j.base}, lines{checkout: j.checkout}
	there := map[mark]bool{}
	for _, f := range findings {
		if f.Status == decide.Active && filepath.IsLocal(f.File) {
			there[then.mark(f)] = true
		}
	}
	older := j.older()
	return func(f decide.Finding) bool { return filepath.IsLocal(f.File) && there[now.mark(f)] || older(f) }, nil
}

// lines are the files of a checkout in lines, each read once.
type lines struct {
	checkout *lockfile.Checkout
	files    map[string][][]byte
	// digests are of scattered files.
	digests map[string][sha256.Size]byte
}

const (
	// maxMark is how much of a line goes into a mark, in bytes.
	maxMark = 1000
	// maxEntry is how far the lines of one entry are looked for.
	maxEntry = 100
)

// mark has the text of the line, or from the place on where the line is a long one. Without its numbers the message does
// not change with what it counts.
func (l *lines) mark(f decide.Finding) mark {
	m := mark{f.ID, f.File, f.Subject, digits.ReplaceAllString(f.Message, "#"), ""}
	if f.Line < 1 {
		m.message = f.Message
		return m
	}
	if _, ok := l.files[f.File]; !ok {
		if l.files == nil {
			l.files, l.digests = map[string][][]byte{}, map[string][sha256.Size]byte{}
		}
		file, _ := l.checkout.Read(f.File, 0) // what cannot be read has no lines
		l.files[f.File] = bytes.Split(file.Data, []byte("\n"))
		if scattered.MatchString(f.File) || locked.MatchString(f.File) && bytes.Count(file.Data, []byte("\n")) < len(file.Data)/maxMark {
			l.digests[f.File] = sha256.Sum256(file.Data)
		}
	}
	all := l.files[f.File]
	if f.Line > len(all) {
		return m
	}
	text := all[f.Line-1]
	if len(text) > maxMark {
		text = text[min(max(f.Column-1, 0), len(text)):]
		text = text[:min(len(text), maxMark)]
	}
	m.text = string(bytes.TrimRight(bytes.TrimSpace(text), ","))
	if sum, ok := l.digests[f.File]; ok {
		m.text += "\n" + string(sum[:])
	}
	if locked.MatchString(f.File) {
		m.text += entry(all, f.Line-1)
	}
	return m
}

// entry are the lines of a lock file that say which package it is that line i tells of: those of the innermost braces.
func entry(all [][]byte, i int) string {
	first, last := i, i
	for ; first > 0 && !bytes.Contains(all[first], []byte("{")) && i-first < maxEntry; first-- {
	}
	for ; last < len(all)-1 && !bytes.Contains(all[last], []byte("}")) && last-i < maxEntry; last++ {
	}
	var text strings.Builder
	for _, line := range all[first : last+1] {
		if pinning.Match(line) {
			text.WriteString("\n" + string(bytes.TrimRight(bytes.TrimSpace(line), ",")))
		}
	}
	return text.String()
}
