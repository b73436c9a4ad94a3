package golang

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// maxAnswer bounds each answer of a probe. The true ones have some 30 and 900 bytes.
const maxAnswer = 64 << 10

// known is a small module whose hashes are compiled in, so that a source is proven by what it serves.
type known struct{ path, version, modHash, zipHash string }

// genuine has the lines of the module as sum.golang.org has them. Its path needs no escaping.
func genuine() known {
	return known{"github.com/google/uuid", "v1.6.0",
		"h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=", "h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0="}
}

func (k known) String() string { return k.path + " " + k.version }

// modSum is the hash that go.sum has for a go.mod file.
func modSum(data []byte) string {
	h, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		return ""
	}
	return h
}

// target says how a source is verified: a module proxy by the go.mod of a known module, and by what it relays of the
// checksum database; a checksum database by its record of that module. Where the database in force is off, or has a key
// that nobody vouches for, the genuine one is asked, since that is what could be put in force.
func (v *view) target(s source.Source) detect.Target {
	db := parseSumDB(v.set.get("GOSUMDB").value, v.m.SumDBKeys)
	if !db.sound() {
		db = parseSumDB("", nil)
	}
	p := prober{known: v.known, base: trimBase(s.URL), db: db}
	if s.Role == source.ChecksumDB {
		return detect.Target{Source: s, Check: p.database}
	}
	return detect.Target{Source: s, Check: p.proxy, Small: p.small, Lookup: p.lookup, Load: p.loadOf(heavy()), Newest: p.newest}
}

type prober struct {
	known
	base string
	db   database
}

// proxy asks for the go.mod and the checksum database at once; the database does not decide whether the source is OK.
func (p prober) proxy(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var relayed detect.Answer
	var group sync.WaitGroup
	group.Go(func() { relayed = p.relay(ctx, fetch) })
	verdict, err := p.small(ctx, fetch)
	if err != nil {
		cancel() // what the database says is of no use any more
	}
	group.Wait()
	if err != nil {
		return detect.Verdict{}, err
	}
	verdict.ChecksumDB = relayed
	return verdict, nil
}

// small asks for the go.mod alone.
func (p prober) small(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
	r, err := fetch(ctx, p.base+"/"+p.path+"/@v/"+p.version+".mod", maxAnswer)
	if err != nil {
		return detect.Verdict{}, err
	}
	return p.judge(r), nil
}

// lookup asks for the record alone.
func (p prober) lookup(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
	return p.record(ctx, fetch, p.base+"/sumdb/"+p.db.name)
}

func (p prober) judge(r detect.Response) detect.Verdict {
	switch {
	case r.Status != http.StatusOK:
		return ecosystem.Refused(r)
	case modSum(r.Body) == p.modHash:
		return detect.Verdict{OK: true, Content: detect.Yes}
	case !page(r):
		if f, err := modfile.ParseLax("go.mod", r.Body, nil); err == nil && f.Module != nil && f.Module.Mod.Path == p.path {
			return detect.Verdict{Content: detect.No, Fault: detect.OtherFault,
				Reason: fmt.Sprintf("served another go.mod for %s than the checksum database knows", p.known)}
		}
	}
	return detect.Verdict{Content: detect.No, Fault: detect.PageFault, Reason: "answered with a page that is not the module asked for"}
}

// refused is ecosystem.Refused of who has to have the known module: it lets nobody else be asked.
func refused(r detect.Response) detect.Verdict {
	verdict := ecosystem.Refused(r)
	verdict.Absent = false
	return verdict
}

// page tells a page for people from a machine's answer.
func page(r detect.Response) bool {
	return strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "text/html") || bytes.HasPrefix(bytes.TrimSpace(r.Body), []byte("<"))
}

// relay tells whether a module proxy relays the database: it must say so, as the go command asks, and its record must be
// true. An answer that did not come is not known.
func (p prober) relay(ctx context.Context, fetch detect.Fetch) detect.Answer {
	base := p.base + "/sumdb/" + p.db.name
	var supported detect.Response
	var failed error
	var group sync.WaitGroup
	group.Go(func() { supported, failed = fetch(ctx, base+"/supported", maxAnswer) })
	verdict, err := p.record(ctx, fetch, base)
	group.Wait()
	switch {
	case failed == nil && supported.Status != http.StatusOK, err == nil && !verdict.OK:
		return detect.No
	case failed != nil || err != nil:
		return detect.NotKnown
	}
	return detect.Yes
}

func (p prober) database(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
	return p.record(ctx, fetch, p.base)
}

// record asks a checksum database for the known module. One with another key than the genuine may not have the module;
// then its signed tree head proves it.
func (p prober) record(ctx context.Context, fetch detect.Fetch, base string) (detect.Verdict, error) {
	r, err := fetch(ctx, base+"/lookup/"+p.path+"@"+p.version, maxAnswer)
	if err != nil {
		return detect.Verdict{}, err
	}
	verify := p.verifyRecord
	if p.db.key != defaultKey && (r.Status == http.StatusNotFound || r.Status == http.StatusGone) {
		if r, err = fetch(ctx, base+"/latest", maxAnswer); err != nil {
			return detect.Verdict{}, err
		}
		verify = func(msg []byte) error { _, err := p.openTree(msg); return err }
	}
	if r.Status != http.StatusOK {
		return refused(r), nil
	}
	switch err := verify(r.Body); {
	case err == nil:
		return detect.Verdict{OK: true, Content: detect.Yes}, nil
	case page(r):
		return detect.Verdict{Content: detect.No, Fault: detect.PageFault, Reason: "answered with a page that is not the record asked for"}, nil
	default:
		return detect.Verdict{Content: detect.No, Fault: detect.OtherFault, Reason: err.Error()}, nil
	}
}

// openTree verifies a signed tree head with the pinned key.
func (p prober) openTree(msg []byte) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(p.db.key)
	if err != nil {
		return tlog.Tree{}, err
	}
	n, err := note.Open(msg, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("answered without a valid signature of %s", source.Plain(p.db.name, 100))
	}
	tree, err := tlog.ParseTree([]byte(n.Text))
	if err != nil {
		return tlog.Tree{}, errors.New("answered with a signed text that is no tree head")
	}
	return tree, nil
}

// verifyRecord compares a record with what is compiled in. The zip's hash is compared for the genuine log alone: another
// one may hold a zip of its own.
func (p prober) verifyRecord(msg []byte) error {
	text, err := p.open(msg)
	if err != nil {
		return err
	}
	want := []string{fmt.Sprintf("%s %s/go.mod %s\n", p.path, p.version, p.modHash)}
	if p.db.key == defaultKey {
		want = append(want, fmt.Sprintf("%s %s %s\n", p.path, p.version, p.zipHash))
	}
	for _, line := range want {
		if !strings.Contains("\n"+text, "\n"+line) {
			return fmt.Errorf("answered with other hashes for %s than are known", p.known)
		}
	}
	return nil
}

// open is the text of a record under a valid signature.
func (p prober) open(msg []byte) (string, error) {
	id, text, rest, err := tlog.ParseRecord(msg)
	if err != nil {
		return "", errors.New("answered with a text that is no record of a checksum database")
	}
	tree, err := p.openTree(rest)
	if err != nil {
		return "", err
	}
	if id < 0 || id >= tree.N {
		return "", errors.New("answered with a record that its signed tree does not hold")
	}
	return string(text), nil
}
