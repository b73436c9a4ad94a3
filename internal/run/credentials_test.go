package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/report"
)

// Wherever a source's words get to in an outcome, a credential is taken out of them; what is handed over stays.
func TestConceal(t *testing.T) {
	t.Parallel()
	const secret = "hush.token"
	c, err := credential.NewBearer(secret)
	if err != nil {
		t.Fatal(err)
	}
	store, err := credential.NewStore(nil, credential.Entry{Source: "https://a.test", Credential: c})
	if err != nil {
		t.Fatal(err)
	}
	j := &job{credentials: store}
	said := "they said " + secret
	handed := []inject.Change{{Name: "X", Value: said, Shown: said, Why: said}}
	o := report.Outcome{Detect: &detect.Report{Rows: []detect.Row{{Reason: said}}, Evidence: []string{said}}, Plan: &choose.Plan{Choices: []choose.Choice{{Why: said}}},
		Decision: &decide.Decision{Findings: []decide.Finding{{Message: said}}}, Log: &report.Log{Lies: []string{said}, Problems: []report.LogProblem{{Reason: said}}},
		Excerpts: map[lockfile.Position]lockfile.Excerpt{{File: "f"}: {}}, Changes: handed, Proof: said, Notes: []string{said}, NotAsked: []string{said}}
	err = j.conceal(&o, problem.New(problem.Unanswered, "ask", "look", "it failed: %w", errors.New(said)))
	changes := o.Changes
	o.Changes = nil
	all := fmt.Sprintf("%+v %+v %+v %+v %+v %v", o, *o.Detect, *o.Plan, *o.Decision, *o.Log, err)
	if strings.Contains(all, secret) || strings.Count(all, "they said ***") < 9 {
		t.Errorf("told: %s", all)
	}
	if problem.CodeOf(err) != problem.Unanswered || o.Problem == nil {
		t.Errorf("the error became %v", err)
	}
	if !slices.ContainsFunc(changes, func(c inject.Change) bool { return c.Value == said && c.Shown == "they said ***" }) || handed[0].Shown != said {
		t.Errorf("changes %+v", changes)
	}
}
