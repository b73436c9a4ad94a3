package problem

import (
	"errors"
	"fmt"
	"testing"
)

// The gravest of several problems is the exit code, and what nobody named is our bug.
func TestCodeOf(t *testing.T) {
	t.Parallel()
	p := func(c Code) error { return New(c, "op", "hint", "cause") }
	for i, tt := range []struct {
		err  error
		want Code
	}{
		{nil, Clean},
		{errors.New("x"), Bug},
		{p(Violations), Violations},
		{fmt.Errorf("wrapped: %w", p(Unanswered)), Unanswered},
		{errors.Join(p(Unanswered), p(Violations)), Violations},
		{errors.Join(p(Violations), p(Usage)), Usage},
		{errors.Join(p(Usage), p(Security), p(Bug)), Security},
	} {
		if got := CodeOf(tt.err); got != tt.want {
			t.Errorf("%d: CodeOf(%v) = %d, want %d", i, tt.err, got, tt.want)
		}
	}
	if got := p(Usage).Error(); got != "op: cause; hint" {
		t.Errorf("text %q", got)
	}
}
