package ecosystem

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// Inquiry is what sources are asked about the versions that a checkout pins. Nothing of their answers is pinned by
// anything: it is the sources' word.
type Inquiry struct {
	// Base is the checkout as the base commit has it; nil where that is not known.
	Base *lockfile.Checkout
	// All asks about what Base has, too.
	All bool
	// After is the choice that will be in force; nil as things are.
	After *choose.Choice
	// Permitted tells whether policy accepts the source at an address.
	Permitted func(url string) bool
	// Client makes what asks a source.
	Client func(base string) (*detect.Client, error)
	// Age is how old a version has to be by Now; zero is any age. AnyAge tells the names of which that is not asked.
	Now    time.Time
	Age    time.Duration
	AnyAge func(name string) bool
	// Patience is how long one answer is waited for; zero is five seconds.
	Patience time.Duration
}

// Dated tells whether the age of what has this name is asked for.
func (q Inquiry) Dated(name string) bool { return q.Age > 0 && !q.AnyAge(name) }

// Said is what they said.
type Said struct {
	Flagged []decide.Flagged
	// Asked is of how many versions they were to say something, and Late of how many they were not asked in time.
	Asked, Late int
	// Untold is how many facts are left out.
	Untold int
	// NotAsked says what they are never asked, and why.
	NotAsked []string
}

// Release is one version that a checkout pins.
type Release struct {
	Name, Version string
	// Origin is base or change, or checkout where the base commit is not known.
	Origin string
	// At are its places, the first of each file.
	At []lockfile.Position
}

// Fact is what was found out about the release, or could not be, at each of its places.
func (r Release) Fact(ecosystem, kind, question, detail string) (out []decide.Flagged) {
	for _, at := range r.At {
		out = append(out, decide.Flagged{Ecosystem: ecosystem, Name: source.Plain(r.Name, 200), Version: source.Plain(r.Version, 100), Kind: kind,
			Question: question, Detail: detail, Key: fmt.Sprintf("%s version %s@%s", ecosystem, r.Name, r.Version), Origin: r.Origin, Position: at})
	}
	return out
}

// Unknown is that a question about the release has no answer: what it may be, and why that is not known.
func (r Release) Unknown(ecosystem, question, may string, err error) []decide.Flagged {
	why := "the time was up before it was asked"
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		why = source.Plain(err.Error(), 300)
	}
	r.At = r.At[:1]
	return r.Fact(ecosystem, decide.FlagUnknown, question, may+": "+why)
}

// TooYoung is the fact that a release is too young, dated as its source says; nil where it is old enough. How says what the
// date is of: "published".
func (q Inquiry) TooYoung(ecosystem string, r Release, dated time.Time, how string) []decide.Flagged {
	age := q.Now.Sub(dated)
	if age >= q.Age {
		return nil
	}
	since := span(age) + " ago"
	if age < 0 { // the other way round, since the least of all durations has no negative
		since = span(dated.Sub(q.Now)) + " from now"
	}
	return r.Fact(ecosystem, decide.FlagYoung, "", fmt.Sprintf("was %s %s (%s); at least %s are asked for",
		how, since, dated.UTC().Format("2006-01-02T15:04Z"), span(q.Age)))
}

// Because is a stranger's reason behind a fact, on one line; empty where there is none.
func Because(text string) string {
	if text = source.Plain(source.Redact(strings.Join(strings.Fields(text), " ")), 300); text == "" {
		return ""
	}
	return ": " + text
}

// span is a duration in the largest unit that it fills twice, rounded down.
func span(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := d / unit.size; n >= 2 || unit.size == time.Minute {
			return plural(int(n), unit.name)
		}
	}
	return ""
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

const (
	// patience is how long one answer is waited for. A packument of 10 MB takes some two seconds.
	patience = 5 * time.Second
	// enough failures in a row, and a source is not asked any more.
	enough = 10
)

// ErrAbsent is what Registry.Get's error wraps where the source says that it does not have what it was asked for.
var ErrAbsent = errors.New("does not have it")

var errPage = errors.New("answered with a page")

// Registry asks one source again and again, until it fails too often.
type Registry struct {
	client *detect.Client
	base   string
	host   string
	wait   time.Duration

	mu       sync.Mutex
	answered bool
	failed   int // in a row
	dead     error
}

// Registry is a source that may be asked. Close frees its connections.
func (q Inquiry) Registry(base string) (*Registry, error) {
	r := &Registry{base: strings.TrimRight(base, "/"), host: "the source", wait: cmp.Or(q.Patience, patience)}
	if loc, err := source.Locate(base); err == nil {
		r.host = loc.HostPort()
	}
	if !q.Permitted(base) {
		return nil, fmt.Errorf("%s is not permitted, and was not asked", r.host)
	}
	var err error
	if r.client, err = q.Client(r.base); err != nil {
		return nil, fmt.Errorf("%s: %w", r.host, err)
	}
	return r, nil
}

// Close frees the connections.
func (r *Registry) Close() { r.client.Close() }

// Get asks for a path below the source's address, and gives the answer to take as it comes, a byte more than limit at
// most. A page for people is no answer. The error goes on from nothing, and names the source; it is ctx's where that has ended.
func (r *Registry) Get(ctx context.Context, path, accept string, limit int64, take func(io.Reader) error) error {
	if err := cmp.Or(ctx.Err(), r.gone()); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	answered := false
	err := r.client.Get(within, r.base+"/"+path, accept, limit+1, func(head detect.Response, body io.Reader) error {
		answered = true
		switch {
		case head.Status == http.StatusNotFound || head.Status == http.StatusGone:
			return ErrAbsent
		case head.Status != http.StatusOK:
			return fmt.Errorf("answered %d", head.Status)
		case strings.Contains(strings.ToLower(head.Header.Get("Content-Type")), "text/html"):
			return errPage
		}
		return take(body)
	})
	switch {
	case err == nil || errors.Is(err, ErrAbsent):
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil:
		err = fmt.Errorf("gave no answer within %s", r.wait)
	}
	if err != nil {
		err = fmt.Errorf("%s %w", r.host, err)
	}
	r.note(answered, err)
	return err
}

func (r *Registry) gone() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead
}

// note remembers how the source answers. One that does not at all when it is first asked is not asked again.
func (r *Registry) note(answered bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered = r.answered || answered
	if err == nil || errors.Is(err, ErrAbsent) {
		r.failed = 0
	} else if r.failed++; (r.failed >= enough || !r.answered) && r.dead == nil {
		r.dead = err
	}
}

// Whole gives an answer of at most limit bytes to understand.
func Whole(limit int64, understand func([]byte) error) func(io.Reader) error {
	return func(body io.Reader) error {
		data, err := io.ReadAll(io.LimitReader(body, limit+1))
		switch {
		case err != nil:
			return err
		case int64(len(data)) > limit:
			return fmt.Errorf("answered with more than %d bytes", limit)
		case bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")):
			return errPage
		}
		return understand(data)
	}
}

// Each calls do for 0 to n-1, some at once, and returns when all have ended. The first goes alone, so that the others find
// a connection, or a source that does not answer.
func Each(n, atOnce int, do func(i int)) {
	if n == 0 {
		return
	}
	do(0)
	next := make(chan int)
	var group sync.WaitGroup
	for range min(n-1, atOnce) {
		group.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := 1; i < n; i++ {
		next <- i
	}
	close(next)
	group.Wait()
}

// maxFacts is how many facts of one kind policies see. Who has more has enough to mend.
const maxFacts = 1000

// Gather is all facts, in the order of the releases, where those that are unknown for one reason are one fact, and how
// many are left out.
func Gather(of [][]decide.Flagged) (out []decide.Flagged, untold int) {
	type cause struct{ question, origin, detail string }
	count := map[string]int{}
	first, same := map[cause]int{}, map[cause]int{}
	for _, facts := range of {
		for _, f := range facts {
			if f.Kind == decide.FlagUnknown {
				c := cause{f.Question, f.Origin, f.Detail}
				if same[c]++; same[c] > 1 {
					continue
				}
				first[c] = len(out)
			} else if count[f.Kind]++; count[f.Kind] > maxFacts {
				untold++
				continue
			}
			out = append(out, f)
		}
	}
	for c, i := range first {
		if n := same[c]; n > 1 {
			out[i].Detail = fmt.Sprintf("and %d more %s", n-1, out[i].Detail)
		}
	}
	return out, untold
}
