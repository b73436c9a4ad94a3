package cli_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/org/goproxy-action/internal/upstreamtest"
)

// logged is a stage whose checksum database has a log that the test writes, relayed by official.test. twist may change an
// answer to a path such as /latest.
type logged struct {
	*stage
	log   *upstreamtest.SumLog
	twist atomic.Pointer[func(w http.ResponseWriter, r *http.Request, path string) bool]
}

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return "h1:" + base64.StdEncoding.EncodeToString(digest[:])
}

func (s *logged) grow(n int) { grown(s.log, n) }

func grown(l *upstreamtest.SumLog, n int) {
	for i := int(l.Size()); i < n; i++ {
		l.Add(fmt.Sprintf("m%d.test/M", i), "v1.0.0", sum(fmt.Sprint("zip", i)), sum(fmt.Sprint("mod", i)))
	}
}

// lines are those of go.sum of some modules.
func lines(ids ...int) string {
	var b strings.Builder
	for _, i := range ids {
		fmt.Fprintf(&b, "m%d.test/M v1.0.0 %s\nm%[1]d.test/M v1.0.0/go.mod %[3]s\n", i, sum(fmt.Sprint("zip", i)), sum(fmt.Sprint("mod", i)))
	}
	return b.String()
}

func newLogged(t *testing.T) *logged {
	t.Helper()
	return played(newStage(t))
}

// played gives a stage the log, in which the module of every stage is the first.
func played(of *stage) *logged {
	s := &logged{stage: of, log: upstreamtest.NewSumLog(of.t, "sum.test")}
	z, mod := s.proxy.Sum("github.com/google/uuid", "v1.6.0")
	s.log.Add("github.com/google/uuid", "v1.6.0", z, mod)
	s.grow(600)
	s.relays(s.log)
	s.config("")
	s.write(filepath.Join(s.env["GOROOT"], "go.env"), "GOPROXY=https://official.test,direct\nGOSUMDB="+s.log.VerifierKey()+"\n")
	return s
}

// relays has official.test relay a log.
func (s *logged) relays(l *upstreamtest.SumLog) {
	s.world.Serve("official.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, "/sumdb/sum.test")
		if !ok {
			s.proxy.ServeHTTP(w, r)
			return
		}
		if twist := s.twist.Load(); twist != nil && (*twist)(w, r, path) {
			return
		}
		http.StripPrefix("/sumdb/sum.test", l).ServeHTTP(w, r)
	}))
}

// twisted changes answers until the test ends.
func (s *logged) twisted(with func(w http.ResponseWriter, r *http.Request, path string) bool) {
	s.twist.Store(&with)
}

func (s *logged) config(more string) {
	s.file(".goproxy/config.yaml", "checksum-database:\n  keys: [\""+s.log.VerifierKey()+"\"]\n"+more)
}

// told is what verify --format json says.
type told struct {
	Lines      struct{ Total, Verified, Mismatch, Absent, Private, Unverified int }
	Tree       int64 `json:"tree_size"`
	Head       string
	Consistent *bool
	Source     string
	Requests   int
	Problems   []struct {
		File                                       string
		Line, Column                               int
		Module, Version, Status, Want, Log, Reason string
	}
	Private []string
	Lies    []string
	Fork    *struct {
		Older, Newer, Source, Root string
		Proof                      []string
	}
	Vendored []struct{ Module string } `json:"vendored_unproven"`
	Held     int                       `json:"modcache_lines"`
	Cache    *struct{ Path, Key string }
	Decision string
	Findings []struct{ ID, Severity, Status, Message string }
	Notes    []string
	Error    *struct {
		Message string
		Code    int `json:"exit_code"`
	}
	ended
}

func (s *stage) verify(args ...string) told {
	s.t.Helper()
	e := s.run(append([]string{"verify", "DIR", "--format", "json"}, args...)...)
	var v told
	if e.stdout != "" {
		if err := json.Unmarshal([]byte(e.stdout), &v); err != nil {
			s.t.Fatalf("%v: %+v", err, e)
		}
	}
	v.ended = e
	return v
}

// is compares the exit and the numbers of lines: verified, mismatch, absent, private, unverified.
func (v told) is(t *testing.T, code int, numbers ...int) told {
	t.Helper()
	n := v.Lines
	if got := []int{n.Verified, n.Mismatch, n.Absent, n.Private, n.Unverified}; v.code != code || !slices.Equal(got, numbers) || n.Total != n.Verified+n.Mismatch+n.Absent+n.Private+n.Unverified {
		t.Errorf("exit %d, %v; want %d, %v\n%s%s", v.code, got, code, numbers, v.stdout, v.stderr)
	}
	return v
}

func TestVerifyClean(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	v := s.verify().is(t, 0, 2, 0, 0, 0, 0)
	if v.Tree != 600 || v.Consistent != nil || v.Source != "official" || !strings.Contains(v.Head, "— sum.test ") || v.Cache == nil {
		t.Errorf("%+v", v)
	}
	s.grow(700)
	warm := s.verify().is(t, 0, 2, 0, 0, 0, 0)
	if warm.Tree != 700 || warm.Consistent == nil || !*warm.Consistent || warm.Cache.Key == v.Cache.Key || !strings.HasSuffix(warm.Cache.Key, "-700") {
		t.Errorf("%+v", warm)
	}
	e := s.run("verify", "DIR")
	e.want(t, 0, []string{"2 lines of go.sum verified by sum.test (tree 700, consistent with the head remembered), 1 request (", "\n  head: " + strings.Split(warm.Head, "\n")[2] + "\n", "cache: " + v.Cache.Path + " (key "}, nil)
	if got := s.world.Hosts(); !slices.Equal(got, []string{"official.test"}) || strings.Count(e.stdout, "\n") != 3 {
		t.Errorf("contacted %q\n%s", got, e.stdout)
	}
	own := t.TempDir()
	if v := s.verify("--cache", own).is(t, 0, 2, 0, 0, 0, 0); !strings.HasPrefix(v.Cache.Path, own) {
		t.Errorf("%+v", v.Cache)
	}
	s.file("go.sum", "")
	s.run("verify", "DIR").want(t, 0, []string{"no line of go.sum to verify"}, nil)
}

// A person is told what was not compared, and that nothing was remembered, though all lines are verified.
func TestVerifyNoted(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.file("testdata/old/go.sum", lines(3))
	s.file("testdata/old/go.mod", "module old.test\n")
	s.run("verify", "DIR").want(t, 0, []string{"2 lines of go.sum verified", "Notes\n", "to have it compared): testdata/old/go.sum\n"}, nil)
	if err := os.RemoveAll(filepath.Join(s.dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	if e := s.run("verify", "DIR"); e.code != 0 || strings.Contains(e.stdout, "Notes") {
		t.Errorf("%+v", e)
	}
	cache := s.verify().Cache.Path
	if err := errors.Join(os.Remove(cache), os.Symlink("/dev/null", cache)); err != nil {
		t.Fatal(err)
	}
	s.run("verify", "DIR").want(t, 0, []string{"2 lines of go.sum verified", "Notes\n", "is not a regular file"}, nil)
	if e := s.run("check", "DIR"); e.code != 0 || strings.Contains(e.stdout, "Notes") {
		t.Errorf("%+v", e)
	}
}

// One changed character is found wherever a line stands, and told in each format.
func TestVerifyMismatch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, rule string }{"go.sum": {"go.sum", "SUM001"}, "go.work.sum only": {"go.work.sum", "SUM006"}, "below": {"web/go.sum", "SUM001"},
		"go.work is not committed": {"web/go.work.sum", "SUM006"}} {
		s := newLogged(t)
		s.file("go.work", "go 1.26\nuse .\n")
		poisoned := strings.Replace(lines(3, 4), "v1.0.0/go.mod h1:", "v1.0.0/go.mod h1:X", 1)
		poisoned = strings.Replace(poisoned, "h1:X"+sum("mod3")[3:4], "h1:X", 1)
		s.file(tt.file, poisoned)
		sarif := filepath.Join(t.TempDir(), "out.sarif")
		want := 5
		if tt.file == "go.sum" {
			want = 3
		}
		v := s.verify("--output", "sarif="+sarif).is(t, 4, want, 1, 0, 0, 0)
		if len(v.Problems) != 1 || len(v.Findings) != 1 || v.Findings[0].ID != tt.rule || v.Decision != "deny" || v.Error == nil || v.Error.Code != 4 {
			t.Fatalf("%s: %+v", name, v)
		}
		p := v.Problems[0]
		if p.File != tt.file || p.Line != 2 || p.Column != len("m3.test/M v1.0.0/go.mod ")+1 || p.Module != "m3.test/M" || p.Version != "v1.0.0/go.mod" || p.Status != "mismatch" || p.Log != sum("mod3") || p.Want != "h1:X"+sum("mod3")[4:] {
			t.Errorf("%s: %+v", name, p)
		}
		at := fmt.Sprintf("error %s %s:2:25 m3.test/M@v1.0.0/go.mod has the hash ", tt.rule, tt.file)
		s.run("verify", "DIR").want(t, 4, []string{at, "the log of sum.test has " + sum("mod3"), "denied: 1 error"[8:]}, nil)
		if data, err := os.ReadFile(sarif); err != nil || !bytes.Contains(data, []byte(`"startLine": 2`)) || !bytes.Contains(data, []byte(`"exitCode": 4`)) {
			t.Errorf("%s: %v %s", name, err, data)
		}
		// the gate and setup say the same
		s.file("go.mod", "module example.test/app\n\ngo 1.26\n")
		s.run("check", "DIR").want(t, 4, []string{at}, nil)
		s.run("setup", "DIR").want(t, 4, []string{"(exit 4)"}, []string{at})
		s.run("check", "DIR", "--offline").want(t, 4, []string{at}, nil) // by what is remembered
		s.run("check", "DIR", "--mode", "audit").want(t, 0, []string{at}, nil)
		s.run("check", "DIR", "--verify", "off").want(t, 0, nil, nil)
	}
}

func TestVerifyWaived(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.file("go.mod", "module example.test/app\n\ngo 1.26\n")
	s.file("go.sum", strings.Replace(lines(3), sum("zip3"), sum("evil"), 1))
	s.file(".goproxy/waivers.yaml", strings.Replace(waivers(inDays(10), "SUM001"), "**/package-lock.json", "go.sum", 1))
	if v := s.verify().is(t, 0, 1, 1, 0, 0, 0); v.Findings[0].Status != "waived" {
		t.Errorf("%+v", v.Findings)
	}
	s.run("check", "DIR").want(t, 0, nil, nil)
}

// A version that the log does not have is a warning; an unknown host of it is asked before that is believed.
func TestVerifyAbsent(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.file("go.sum", lines(3, 9999))
	s.world.Serve("sum.test", s.log)
	v := s.verify().is(t, 0, 2, 0, 2, 0, 0)
	if len(v.Findings) != 2 || v.Findings[0].ID != "SUM002" || v.Findings[0].Severity != "warning" {
		t.Errorf("%+v", v)
	}
	s.twisted(func(w http.ResponseWriter, _ *http.Request, path string) bool { // the relay denies what the log has
		if strings.HasPrefix(path, "/lookup/") {
			http.NotFound(w, nil)
		}
		return strings.HasPrefix(path, "/lookup/")
	})
	s.file("go.sum", strings.Replace(lines(5), sum("zip5"), sum("evil"), 1))
	s.verify().is(t, 4, 1, 1, 0, 0, 0)
	s.world.Refuse("sum.test")
	s.file("go.sum", lines(6))
	s.verify().is(t, 3, 0, 0, 0, 0, 2)
}

// fork is a log with the same key that parts from the stage's.
func (s *logged) fork(at int64, size int) *upstreamtest.SumLog {
	l := s.log.At(at)
	l.Add("evil.test/x", "v1.0.0", sum("evil"), sum("evil"))
	grown(l, size)
	return l
}

// A log that shows two trees is told with the evidence, which stands for itself.
func TestVerifyFork(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at   int64
		size int
	}{"newer": {400, 900}, "same size": {400, 600}} {
		s := newLogged(t)
		s.verify().is(t, 0, 2, 0, 0, 0, 0)
		s.relays(s.fork(tt.at, tt.size))
		v := s.verify().is(t, 4, 0, 0, 0, 0, 2)
		if v.Fork == nil || v.Consistent == nil || *v.Consistent || len(v.Findings) != 2 || v.Findings[1].ID != "SUM005" {
			t.Fatalf("%s: %+v", name, v)
		}
		proves(t, s.log.VerifierKey(), v)
		s.run("verify", "DIR").want(t, 4, []string{"Evidence", "| go.sum database tree", "NOT consistent"}, nil)
		s.run("check", "DIR").want(t, 4, []string{"error SUM005", "Evidence"}, nil)
		s.run("setup", "DIR").want(t, 4, nil, []string{"error SUM005", "Evidence"})
	}
	// heads of two sources that have no common history
	s := newLogged(t)
	s.world.Serve("sum.test", s.fork(400, 800))
	s.verify().is(t, 0, 2, 0, 0, 0, 0)
	fresh := newLogged(t)
	fresh.world.Serve("sum.test", fresh.fork(400, 800))
	if v := fresh.verify("--heads", "2"); v.code != 4 || v.Fork == nil {
		t.Errorf("%+v", v)
	}
	alone := newLogged(t)
	if v := alone.verify("--heads", "2").is(t, 3, 2, 0, 0, 0, 0); v.Error == nil || !strings.Contains(v.Error.Message, "2 heads were to be compared, and 1 came") {
		t.Errorf("%+v", v.Error)
	}
}

// proves checks the evidence as a stranger would, who has nothing but the report and the key.
func proves(t *testing.T, key string, v told) {
	t.Helper()
	verifier, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	tree := func(text string) tlog.Tree {
		n, err := note.Open([]byte(text), note.VerifierList(verifier))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := tlog.ParseTree([]byte(n.Text))
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	hash := func(text string) tlog.Hash {
		h, err := tlog.ParseHash(text)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	older, newer := tree(v.Fork.Older), tree(v.Fork.Newer)
	var proof tlog.TreeProof
	for _, h := range v.Fork.Proof {
		proof = append(proof, hash(h))
	}
	switch root := hash(v.Fork.Root); {
	case older.N == newer.N && older.Hash != newer.Hash:
	case older.N < newer.N && root != older.Hash && tlog.CheckTree(proof, newer.N, newer.Hash, older.N, root) == nil:
	default:
		t.Errorf("it proves nothing: %+v", v.Fork)
	}
}

// Each of these is no trouble but a lie.
func TestVerifyLies(t *testing.T) {
	t.Parallel()
	forger := upstreamtest.NewSumLog(t, "sum.test")
	grown(forger, 900)
	answer := func(l *upstreamtest.SumLog, w http.ResponseWriter, path string, change func([]byte) []byte) bool {
		status, body := l.Answer(path)
		w.WriteHeader(status)
		_, _ = w.Write(change(body))
		return true
	}
	for name, tt := range map[string]struct {
		prefix string
		do     func(l *upstreamtest.SumLog, w http.ResponseWriter, path string) bool
		want   string
	}{
		"head of another key": {"/latest", func(_ *upstreamtest.SumLog, w http.ResponseWriter, path string) bool {
			return answer(forger, w, path, func(b []byte) []byte { return b })
		}, "official: gave a head of the log that is not signed by the key of sum.test"},
		"record altered": {"/lookup/", func(l *upstreamtest.SumLog, w http.ResponseWriter, path string) bool {
			return answer(l, w, path, func(b []byte) []byte { return bytes.Replace(b, []byte(sum("zip3")), []byte(sum("evil")), 1) })
		}, "official: the record of m3.test/M@v1.0.0 is not the one in the log"},
		"record of another module": {"/lookup/", func(l *upstreamtest.SumLog, w http.ResponseWriter, _ string) bool {
			return answer(l, w, "/lookup/m4.test/!m@v1.0.0", func(b []byte) []byte { return b })
		}, "official: answered the question for m3.test/M@v1.0.0 with a record of something else"},
		"partial tile as a full one": {"/tile/8/0/000", func(l *upstreamtest.SumLog, w http.ResponseWriter, path string) bool {
			return answer(l, w, path, func(b []byte) []byte { return b[:32*100] })
		}, "with 100 hashes in place of 256"},
	} {
		s := newLogged(t)
		s.twisted(func(w http.ResponseWriter, _ *http.Request, path string) bool {
			return strings.HasPrefix(path, tt.prefix) && tt.do(s.log, w, path)
		})
		s.file("go.sum", strings.Replace(lines(3), sum("zip3"), sum("evil"), 1))
		v := s.verify()
		if v.code != 4 || len(v.Lies) == 0 || !strings.Contains(v.Lies[0], tt.want) || v.Lines.Verified > 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// Trouble is no lie: nothing is verified, and that is said.
func TestVerifyTrouble(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		twist func(w http.ResponseWriter, r *http.Request, path string) bool
		want  string
	}{
		"a page everywhere": {func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			_, _ = w.Write([]byte("<html>log in</html>"))
			return true
		}, "official answered with something that is no head of a log"},
		"half way": {func(w http.ResponseWriter, _ *http.Request, path string) bool {
			if strings.HasPrefix(path, "/tile/") {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return strings.HasPrefix(path, "/tile/")
		}, "official answered 503"},
		"no relay": {func(w http.ResponseWriter, r *http.Request, _ string) bool { http.NotFound(w, r); return true }, "official answered 404"},
		"cut": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			upstreamtest.Reset().ServeHTTP(w, r)
			return true
		},
			"the connection was cut"},
	} {
		s := newLogged(t)
		s.twisted(tt.twist)
		v := s.verify().is(t, 3, 0, 0, 0, 0, 2)
		if v.Error == nil || len(v.Problems) != 2 || v.Problems[0].Status != "unverified" || len(v.Lies) > 0 ||
			!strings.Contains(v.Problems[0].Reason+strings.Join(v.Notes, ""), tt.want) {
			t.Errorf("%s: %+v", name, v)
		}
		s.run("check", "DIR").want(t, 0, []string{"unknown SUM004", "2 of 2 lines could not be compared with the log"}, nil)
		s.run("check", "DIR", "--verify", "on").want(t, 3, []string{"SUM004"}, nil)
		// the log's own host makes up for it
		s.world.Serve("sum.test", s.log)
		s.verify().is(t, 0, 2, 0, 0, 0, 0)
	}
}

// A source that keeps silent is waited for once, and the others are asked beside it.
func TestVerifySilent(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.world.Silent("official.test")
	s.world.Serve("sum.test", s.log)
	if v := s.verify().is(t, 0, 2, 0, 0, 0, 0); v.Source != "sum.test" {
		t.Errorf("%+v", v)
	}
}

// The names of private modules leave the machine in no request.
func TestVerifyPrivate(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.env["GOPRIVATE"] = "m3.test"
	s.world.Serve("sum.test", s.log)
	s.file("go.mod", "module m4.test/M\n\ngo 1.26\n")
	s.file("go.sum", lines(2, 3)+"m4.test/M/sub v1.0.0 "+sum("x")+"\n")
	v := s.verify().is(t, 0, 2, 0, 0, 3, 0)
	if !slices.Equal(v.Private, []string{"m3.test/M", "m4.test/M/sub"}) || len(v.Findings) != 1 || v.Findings[0].ID != "SUM003" {
		t.Errorf("%+v", v)
	}
	for _, r := range append(s.world.Requests("official.test"), s.world.Requests("sum.test")...) {
		if strings.Contains(r, "m3.test") || strings.Contains(r, "m4.test") {
			t.Errorf("asked for %s", r)
		}
	}
	s.config("modules: {public: [m4.test/M]}\n")
	s.verify().is(t, 0, 2, 0, 1, 2, 0)
	if got := s.world.Requests("sum.test"); !slices.Equal(got, []string{"GET /lookup/m4.test/!m/sub@v1.0.0", "GET /latest"}) {
		t.Errorf("asked for %q", got)
	}
}

// Whoever owns the repository owns its neighbours, whatever its modules are called.
func TestVerifyPrivateOwner(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.file(".git/HEAD", "ref: refs/heads/main\n")
	s.file(".git/objects/info/packs", "")
	s.file(".git/config", "[remote \"origin\"]\n\turl = git@git.team.test:corp/app.git\n")
	s.file("go.mod", "module vanity.test/app\n\ngo 1.26\n")
	s.file("go.sum", lines(2)+"git.team.test/Corp/secret v1.0.0 "+sum("x")+"\n")
	if v := s.verify().is(t, 0, 2, 0, 0, 1, 0); !slices.Equal(v.Private, []string{"git.team.test/Corp/secret"}) {
		t.Errorf("%q", v.Private)
	}
	if r := s.world.Requests("official.test"); slices.ContainsFunc(r, func(r string) bool { return strings.Contains(r, "team") }) {
		t.Errorf("asked for %q", r)
	}
}

// With GOSUMDB=off in the user's own environment nobody is asked unless he says so. A key that nobody vouches for verifies
// nothing.
func TestVerifyOff(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	for _, value := range []string{"off", upstreamtest.NewSumLog(t, "sum.test").VerifierKey()} {
		s.env["GOSUMDB"] = value
		v := s.verify().is(t, 3, 0, 0, 0, 0, 2)
		if got := s.world.Hosts(); len(got) > 0 || !strings.Contains(v.Problems[0].Reason, "GOSUMDB") {
			t.Errorf("contacted %q, %+v", got, v.Problems)
		}
		s.run("check", "DIR", "--verify", "on").want(t, 1, []string{"error GO001", "unknown SUM004", "(GOSUMDB"}, nil)
	}
	s.env["GOSUMDB"] = "off"
	if e := s.run("check", "DIR"); !strings.Contains(e.stdout, "GOSUMDB=off (the environment)") || strings.Contains(e.stdout, "SUM004 ") && strings.Contains(e.stdout, "unknown SUM004") {
		t.Errorf("%+v", e)
	}
	// told to, it asks the genuine log, which this world does not have
	s.verify("--ask").is(t, 3, 0, 0, 0, 0, 2)
	if got := s.world.Hosts(); !slices.Contains(got, "official.test") {
		t.Errorf("contacted %q", got)
	}
}

// A module proxy that only the checkout names is not asked, and policy is asked about the others.
func TestVerifyPermitted(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.config("trusted: {go: [sum.test]}\n")
	s.world.Serve("sum.test", s.log)
	if v := s.verify().is(t, 0, 2, 0, 0, 0, 0); v.Source != "sum.test" {
		t.Errorf("%+v", v)
	}
	if got := s.world.Hosts(); !slices.Equal(got, []string{"sum.test"}) {
		t.Errorf("contacted %q", got)
	}
	s.config("trusted: {go: []}\n")
	s.env["GOPROXY"], s.env["GOSUMDB"] = "https://official.test", s.log.VerifierKey()
	if v := s.verify("--cache", t.TempDir()).is(t, 3, 0, 0, 0, 0, 2); !strings.Contains(v.Problems[0].Reason, "permitted") {
		t.Errorf("%+v", v)
	}
}

// An address of GOSUMDB is the only place that is asked.
func TestVerifyFixedAddress(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.world.Serve("log.corp.test", http.StripPrefix("/sum", s.log))
	s.env["GOSUMDB"] = s.log.VerifierKey() + " https://log.corp.test/sum"
	s.verify().is(t, 0, 2, 0, 0, 0, 0)
	if got := s.world.Hosts(); !slices.Equal(got, []string{"log.corp.test"}) {
		t.Errorf("contacted %q", got)
	}
}

// A proof file proves the same without any network, and tells which lines have changed since.
func TestVerifyProof(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.file("go.sum", lines(3, 4, 500))
	file := filepath.Join(s.dir, "go.sum.proof")
	if v := s.verify("--write-proof", file).is(t, 0, 6, 0, 0, 0, 0); !slices.ContainsFunc(v.Notes, func(n string) bool { return strings.Contains(n, "proves 6 lines") }) {
		t.Errorf("%q", v.Notes)
	}
	away := t.TempDir()
	s.env["XDG_CACHE_HOME"] = away // nothing is remembered
	s.world.Fence(false)
	if v := s.verify("--proof", file, "--offline").is(t, 0, 6, 0, 0, 0, 0); v.Source != "proof" || v.Requests > 0 || v.Tree != 600 {
		t.Errorf("%+v", v)
	}
	s.file("go.sum", strings.Replace(lines(3, 4, 500, 7), sum("zip4"), sum("evil"), 1))
	v := s.verify("--proof", file, "--offline").is(t, 4, 5, 1, 0, 0, 2)
	if p := v.Problems; len(p) != 3 || p[0].Line != 3 || p[0].Status != "mismatch" || p[1].Line != 7 || p[1].Status != "unverified" || !strings.Contains(p[1].Reason, "offline") {
		t.Errorf("%+v", v.Problems)
	}
	s.run("verify", "DIR", "--proof", file, "--offline").want(t, 4, []string{"Lines that are not verified\n  go.sum:7 m7.test/M@v1.0.0: nobody was asked (offline)\n  go.sum:8 m7.test/M@v1.0.0/go.mod: "}, nil)
	// the gate finds it beside go.mod by itself
	s.file("go.mod", "module example.test/app\n\ngo 1.26\n")
	for _, args := range [][]string{{"--offline"}, {}} {
		s.run(append([]string{"check", "DIR"}, args...)...).want(t, 4, []string{"error SUM001 go.sum:3:18", "SUM004"}, nil)
	}
	// without this machine's settings it is of another log than the genuine one
	if e := s.run("check", "DIR", "--offline", "--scope", "repo"); e.code != 0 || strings.Contains(e.stdout, "unknown SUM004") {
		t.Errorf("%+v", e)
	}
	os.Remove(file)
	s.run("check", "DIR", "--offline").want(t, 0, []string{"whether the lines of go.sum are those of the transparency log"}, nil)
	s.file("go.sum.proof", "nothing")
	s.run("check", "DIR", "--offline").want(t, 2, nil, []string{"go.sum.proof:1"})
}

// A proof file is written where something is proven, and by no name of a file that is judged.
func TestVerifyWriteProof(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.run("verify", "DIR", "--write-proof", filepath.Join(s.dir, "go.sum")+"/x").want(t, 2, []string{"--write-proof"}, nil)
	s.twisted(func(w http.ResponseWriter, r *http.Request, _ string) bool { http.NotFound(w, r); return true })
	file := filepath.Join(t.TempDir(), "p")
	s.env["XDG_CACHE_HOME"] = t.TempDir()
	s.run("verify", "DIR", "--write-proof", file).want(t, 3, []string{"was not written"}, nil)
	if _, err := os.Stat(file); err == nil {
		t.Error("it is there")
	}
}

func TestVerifyMistakes(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	for want, args := range map[string][]string{
		"0 is no number of heads":               {"--heads", "0"},
		"offline there are no heads":            {"--heads", "2", "--offline"},
		"--ask asks the network":                {"--ask", "--offline"},
		"a proof file is of all lines":          {"--write-proof", "p", "--diff", "main"},
		"is not proven anew":                    {"--write-proof", "p", "--proof", "q"},
		"cannot be read: no such file":          {"--proof", filepath.Join(s.home, "none")},
		"does not begin with":                   {"--proof", filepath.Join(s.dir, "go.mod")},
		"unknown flag: --mode":                  {"--mode", "audit"},
		`"main": the commit is in none of`:      nil,
		"two different hashes for m3.test/M":    nil,
		"no line of go.sum":                     nil,
		"flag --cache: " + s.dir + "/out/cache": {"--cache", s.dir + "/out/cache"},
	} {
		if args == nil {
			continue
		}
		if strings.HasPrefix(want, "flag --cache") {
			if err := os.Symlink(t.TempDir(), s.dir+"/out"); err != nil {
				t.Fatal(err)
			}
		}
		s.run(append([]string{"verify", "DIR"}, args...)...).want(t, 2, nil, []string{want})
	}
	s.file("go.sum", lines(3)+strings.Replace(lines(3), sum("zip3"), sum("evil"), 1))
	s.run("verify", "DIR").want(t, 2, nil, []string{"go.sum:3:1", "two different hashes"})
}

// Only the lines that a change adds are compared.
func TestVerifyDiff(t *testing.T) {
	t.Parallel()
	s := played(newRepository(t))
	s.file("go.mod", "module example.test/app\n\ngo 1.26\n")
	bad := strings.Replace(lines(3), sum("zip3"), sum("evil"), 1)
	s.file("go.sum", bad)
	s.commit()
	s.git("branch", "base")
	s.file("go.sum", bad+lines(4))
	v := s.verify("--diff", "base").is(t, 0, 2, 0, 0, 0, 0)
	if slices.ContainsFunc(s.world.Requests("official.test"), func(r string) bool { return strings.Contains(r, "m3.test") }) {
		t.Errorf("%+v", v)
	}
	s.verify().is(t, 4, 3, 1, 0, 0, 0)
	s.run("check", "DIR").want(t, 4, nil, nil)
	// what the base has already is told apart by check, too
	if got, code := s.statuses("--diff", "base"); code != 0 || !slices.Equal(got, []string{"SUM001 m3.test/M@v1.0.0 known"}) {
		t.Errorf("exit %d, %q", code, got)
	}
	s.file("go.sum", bad+strings.Replace(lines(4), sum("mod4"), sum("evil"), 1))
	if got, code := s.statuses("--diff", "base"); code != 4 || !slices.Equal(got, []string{"SUM001 m3.test/M@v1.0.0 known", "SUM001 m4.test/M@v1.0.0/go.mod active"}) {
		t.Errorf("exit %d, %q", code, got)
	}
	s.verify("--diff", "base").is(t, 4, 1, 1, 0, 0, 0)
}

// A head that stands still for longer than it may is a warning.
func TestVerifyStale(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	day := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return day }
	s.verify().is(t, 0, 2, 0, 0, 0, 0)
	day = day.AddDate(0, 0, 8)
	if v := s.verify().is(t, 0, 2, 0, 0, 0, 0); len(v.Findings) != 1 || v.Findings[0].ID != "SUM005" || v.Findings[0].Severity != "warning" || !strings.Contains(v.Findings[0].Message, "2026-11-01") {
		t.Errorf("%+v", v.Findings)
	}
	s.config("") // the rest of the file is that of config
	s.file(".goproxy/config.yaml", "checksum-database: {keys: [\""+s.log.VerifierKey()+"\"], max-head-age: 30d}\n")
	if v := s.verify(); len(v.Findings) > 0 {
		t.Errorf("%+v", v.Findings)
	}
	s.grow(700)
	if v := s.verify(); len(v.Findings) > 0 || v.Tree != 700 {
		t.Errorf("%+v", v)
	}
}

// What lies in the module cache is compared with the log, not with go.sum.
func TestVerifyModCache(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	cache := filepath.Join(s.home, "mod")
	s.env["GOMODCACHE"] = cache
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	f, err := w.Create("own.test/!Up@v1.0.0/x.go"[:0] + "own.test/Up@v1.0.0/x.go")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write([]byte("package x\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(cache, "cache", "download", "own.test", "!up", "@v", "v1.0.0")
	s.write(at+".zip", z.String())
	zipSum, err := dirhash.HashZip(at+".zip", dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	modSum := func(text string) string {
		file := filepath.Join(t.TempDir(), "go.mod")
		s.write(file, text)
		h, err := dirhash.HashDir(filepath.Dir(file), "", dirhash.Hash1)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	s.log.Add("own.test/Up", "v1.0.0", zipSum, modSum("module own.test/Up\n"))
	s.file("go.sum", "own.test/Up v1.0.0 "+zipSum+"\nown.test/Up v1.0.0/go.mod "+modSum("module own.test/Up\n")+"\n"+lines(3))
	s.write(at+".mod", "module own.test/Up\n")
	s.write(at+".ziphash", zipSum)
	s.write(filepath.Join(cache, "own.test", "!up@v1.0.0", "x.go"), "package x\n")
	if v := s.verify("--modcache").is(t, 0, 4, 0, 0, 0, 0); v.Held != 2 || len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
	for file, text := range map[string]string{at + ".mod": "module evil\n", at + ".ziphash": sum("evil"), at + ".zip": "no zip", filepath.Join(cache, "own.test", "!up@v1.0.0", "x.go"): "package y\n"} {
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.write(file, text)
		v := s.verify("--modcache").is(t, 4, 4, 0, 0, 0, 0)
		if len(v.Findings) != 1 || v.Findings[0].ID != "SUM007" || len(v.Problems) != 1 || v.Problems[0].Status != "cached" || !strings.HasPrefix(file, v.Problems[0].File) {
			t.Errorf("%s: %+v", file, v)
		}
		s.write(file, string(was))
	}
	link := filepath.Join(cache, "own.test", "!up@v1.0.0", "y.go")
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	if v := s.verify("--modcache"); v.code != 4 || !strings.Contains(v.Problems[0].Reason, "no regular file") {
		t.Errorf("%+v", v)
	}
}

// A vendored module whose zip no verified line has is told.
func TestVerifyVendored(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	s.file("go.mod", "module example.test/app\n\ngo 1.26\n\nrequire (\n\tm3.test/M v1.0.0\n\tm9999.test/M v1.0.0\n)\n")
	s.file("go.sum", lines(3, 9999))
	s.file("vendor/modules.txt", "# m3.test/M v1.0.0\n## explicit\nm3.test/M\n# m9999.test/M v1.0.0\n## explicit\nm9999.test/M\n")
	s.world.Serve("sum.test", s.log)
	v := s.verify().is(t, 0, 2, 0, 2, 0, 0)
	if len(v.Vendored) != 1 || v.Vendored[0].Module != "m9999.test/M" {
		t.Errorf("%+v", v.Vendored)
	}
	s.run("verify", "DIR").want(t, 0, []string{"vendor/modules.txt:4 m9999.test/M@v1.0.0"}, nil)
}

// In check and setup where all is well the log costs nobody anything to read.
func TestVerifyQuietInSetup(t *testing.T) {
	t.Parallel()
	s := newLogged(t)
	e := s.run("setup", "DIR", "--verify", "on")
	e.want(t, 0, nil, []string{"1 module allowed"})
	if strings.Count(e.stderr, "\n") != 1 {
		t.Errorf("%s", e.stderr)
	}
	if got := s.world.Hosts(); !slices.Equal(got, []string{"official.test"}) {
		t.Errorf("contacted %q", got)
	}
	s.env["GOPROXY"] = "https://dead.test"
	s.run("setup", "DIR", "--verify", "on").want(t, 0, []string{"export GOPROXY='https://"}, nil)
	if got := s.world.Requests("goproxy.cn"); slices.ContainsFunc(got, func(r string) bool { return strings.Contains(r, "/latest") }) {
		t.Errorf("a mirror that does not relay it was asked for the log: %q", got)
	}
}
