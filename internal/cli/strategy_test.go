package cli_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// choosing adds settings to the stage's file.
func (s *stage) choosing(yaml string) {
	s.t.Helper()
	path := filepath.Join(s.dir, ".goproxy/config.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.file(".goproxy/config.yaml", string(data)+"choose: "+yaml+"\n")
}

// decided is the strategy and the first source of each ecosystem, as the JSON report has them.
func (s *stage) decided(args ...string) (strategies, sources map[string]string) {
	s.t.Helper()
	e := s.run(append([]string{"setup", "--format", "json", "DIR"}, args...)...)
	var report struct {
		Plan struct {
			Choices []struct{ Ecosystem, Strategy string }
			Sources []struct{ Ecosystem, ID string }
		}
	}
	if err := json.Unmarshal([]byte(e.stdout), &report); err != nil || e.code != 0 {
		s.t.Fatalf("exit %d, %v\n%s%s", e.code, err, e.stdout, e.stderr)
	}
	strategies, sources = map[string]string{}, map[string]string{}
	for _, c := range report.Plan.Choices {
		strategies[c.Ecosystem] = c.Strategy
	}
	for _, p := range slices.Backward(report.Plan.Sources) {
		sources[p.Ecosystem] = p.ID
	}
	return strategies, sources
}

// A strategy other than keep asks the others though what is in force works, and takes one of them; keep asks nobody else.
func TestStrategyTakesAnother(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if got, from := s.decided(); got["go"] != "keep" || from["go"] != "official" || slices.Contains(s.world.Hosts(), "goproxy.cn") {
		t.Errorf("by itself: %v from %v, asked %q", got, from, s.world.Hosts())
	}
	s.choosing("{strategy: weighted, weights: {goproxy.cn: 1}}")
	if got, from := s.decided(); got["go"] != "weighted" || from["go"] != "goproxy.cn" || !slices.Contains(s.world.Hosts(), "official.test") {
		t.Errorf("by weight: %v from %v, asked %q", got, from, s.world.Hosts())
	}
	e := s.run("setup", "DIR")
	e.want(t, 0, []string{"export GOPROXY='https://goproxy.cn"}, []string{"strategy weighted", "this job drew it by weight (1 of 1)"})
	if strings.Contains(e.stdout, "|") || strings.Contains(e.stdout, "'direct") {
		t.Errorf("%s", e.stdout)
	}
	s.env["GOPROXY"] = s.eval(e.stdout, "GOPROXY")["GOPROXY"]
	again := s.run("setup", "DIR")
	again.want(t, 0, nil, []string{"by strategy weighted"})
	if again.stdout != "" || strings.Count(again.stderr, "\n") != 1 {
		t.Errorf("a second run changes something: %+v", again)
	}
	s.env["GOPROXY"] = "" // the flag comes before the file
	if got, from := s.decided("--strategy", "keep"); got["go"] != "keep" || from["go"] != "official" {
		t.Errorf("with the flag: %v from %v", got, from)
	}
}

// Every strategy leaves a job with something to ask where one source works, and says so where what is in force is dead.
func TestEveryStrategyInANetwork(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"keep", "latency", "throughput", "weighted", "failover", "consistent", "regional", "auto"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.world.Refuse("official.test")
			s.choosing("{strategy: " + name + ", region: CN}")
			want := name
			if name == "auto" {
				want = "failover"
			}
			if got, from := s.decided(); got["go"] != want || from["go"] != "goproxy.cn" {
				t.Errorf("%v from %v", got, from)
			}
		})
	}
}

// Failover remembers: the first source is taken back after two good probes, and the notes of an older program do no harm.
func TestFailoverRemembers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	now := time.Now()
	s.now = func() time.Time { return now }
	state := filepath.Join(s.home, ".cache/goproxy-action/choice.json")
	s.write(state, `{"go":"official"}`)
	if err := errors.Join(os.Chmod(state, 0o600), os.Chmod(filepath.Dir(state), 0o700)); err != nil {
		t.Fatal(err)
	}
	s.choosing("{strategy: failover, order: [official, goproxy.cn]}")
	var got []string
	for _, refuse := range []bool{false, true, false, false} {
		if s.world.Serve("official.test", s.proxy); refuse {
			s.world.Refuse("official.test")
		}
		now = now.Add(time.Minute)
		e := s.run("setup", "DIR")
		if e.code != 0 {
			t.Fatalf("%+v", e)
		}
		from := "official"
		if strings.Contains(e.stdout, "goproxy.cn") {
			from = "goproxy.cn"
		}
		got = append(got, from)
	}
	if want := []string{"official", "goproxy.cn", "goproxy.cn", "official"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	data, err := os.ReadFile(state)
	if err != nil || !strings.Contains(string(data), `"health":{"go":{`) {
		t.Errorf("%s, %v", data, err)
	}
}

// Where auto finds all well it asks nobody else, and a fleet draws.
func TestAuto(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.choosing("{strategy: auto, weights: {goproxy.cn: 1}}")
	if got, _ := s.decided(); got["go"] != "keep" || slices.Contains(s.world.Hosts(), "goproxy.cn") {
		t.Errorf("%v, asked %q", got, s.world.Hosts())
	}
	if got, from := s.decided("--jobs", "8"); got["go"] != "weighted" || from["go"] != "goproxy.cn" {
		t.Errorf("--jobs 8: %v from %v", got, from)
	}
	s.env["CI_NODE_TOTAL"] = "12"
	if got, from := s.decided(); got["go"] != "weighted" || from["go"] != "goproxy.cn" {
		t.Errorf("CI_NODE_TOTAL: %v from %v", got, from)
	}
}

// Names that mean nothing are told, and regional wants a region.
func TestStrategySettings(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.choosing("{strategy: weighted, weights: {goproxi.cn: 1}}")
	s.run("setup", "--format", "json", "DIR").want(t, 0, []string{"choose.order or choose.weights names goproxi.cn, which is no source here"}, nil)
	s.run("setup", "--strategy", "regional", "DIR").want(t, 2, nil, []string{"flag --strategy: the strategy regional takes a region", "choose.region"})
	s.run("setup", "--strategy", "best", "DIR").want(t, 2, nil, []string{`"best" is not allowed`, "allowed: keep, latency, throughput"})
}
