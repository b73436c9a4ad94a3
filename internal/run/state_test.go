package run

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/detect"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func ago(h time.Duration) string { return noon.Add(-h).Format(time.RFC3339) }

func TestReadState(t *testing.T) {
	t.Parallel()
	well := choose.Health{State: detect.Yes, Run: 2, At: noon.Add(-time.Hour)}
	one := func(id string, h choose.Health) map[string]map[string]choose.Health {
		return map[string]map[string]choose.Health{"go": {id: h}}
	}
	none, nothing := map[string]string{}, map[string]map[string]choose.Health{}
	long := strings.Repeat("x", maxID+1)
	for name, tt := range map[string]struct {
		data    string
		choices map[string]string
		health  map[string]map[string]choose.Health
	}{
		"none":                {"", none, nothing},
		"torn":                {`{"choices":{"go":"offi`, none, nothing},
		"another shape":       {`["go"]`, none, nothing},
		"before health":       {`{"go":"official","npm":"registry.npmmirror.com"}`, map[string]string{"go": "official", "npm": "registry.npmmirror.com"}, nothing},
		"whole":               {`{"choices":{"go":"official"},"health":{"go":{"official":{"state":1,"run":2,"at":"` + ago(time.Hour) + `"}}}}`, map[string]string{"go": "official"}, one("official", well)},
		"null":                {`{"choices":null,"health":null}`, none, nothing},
		"choices of no words": {`{"choices":{"go":7,"npm":"x","a":"","b":["c"]},"health":7}`, map[string]string{"npm": "x"}, nothing},
		"too long":            {`{"choices":{"go":"` + long + `"},"health":{"go":{"` + long + `":{"state":1,"run":2,"at":"` + ago(1) + `"}}}}`, none, nothing},
		"unsound, old and from the future": {`{"choices":{},"health":{"go":{"a":{"state":3,"run":2,"at":"` + ago(1) + `"},"b":{"state":1,"run":3,"at":"` + ago(1) + `"},
			"c":{"state":1,"run":-4,"at":"` + ago(1) + `"},"d":{"state":1,"run":0,"at":"` + ago(1) + `"},"e":{"state":1,"run":2,"at":"` + ago(25*time.Hour) + `"},
			"f":{"state":1,"run":2,"at":"` + ago(-time.Minute) + `"},"g":7,"h":{"state":1,"run":2,"at":"` + ago(time.Hour) + `"}}}}`, none, one("h", well)},
	} {
		got := readState([]byte(tt.data), noon)
		if !reflect.DeepEqual(got.Choices, tt.choices) || !reflect.DeepEqual(got.Health, tt.health) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Of too many sources those that were seen last are kept.
func TestStateIsBounded(t *testing.T) {
	t.Parallel()
	health := map[string]choose.Health{}
	for i := range 3 * maxSources {
		health[fmt.Sprint(i)] = choose.Health{State: detect.Yes, Run: 1, At: noon.Add(-time.Duration(i) * time.Minute)}
	}
	data, err := json.Marshal(state{Health: map[string]map[string]choose.Health{"go": health}})
	if err != nil {
		t.Fatal(err)
	}
	got := readState(data, noon).Health["go"]
	_, last := got[fmt.Sprint(maxSources-1)]
	if _, first := got["0"]; len(got) != maxSources || !first || !last {
		t.Errorf("%d kept", len(got))
	}
}

// Whatever lies in the file, what is taken of it is sound, bounded, and the same when it is written and read again.
func FuzzReadState(f *testing.F) {
	f.Add([]byte(`{"go":"official"}`))
	f.Add([]byte(`{"choices":{"go":"official"},"health":{"go":{"official":{"state":1,"run":2,"at":"` + ago(time.Hour) + `"}}}}`))
	f.Add([]byte(`{"choices":{"go":{}},"health":{"go":{"a":{"state":-1,"run":1e9,"at":"x"}}}}`))
	f.Add([]byte(`{"choices":"x","go":"y"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := readState(data, noon)
		if len(s.Choices) > maxSources || len(s.Health) > maxSources {
			t.Fatalf("%d choices, %d health", len(s.Choices), len(s.Health))
		}
		for _, health := range s.Health {
			for id, h := range health {
				if len(health) > maxSources || len(id) > maxID || !sound(h, noon) {
					t.Fatalf("%q: %+v", id, h)
				}
			}
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if again := readState(text, noon); !reflect.DeepEqual(again.Choices, s.Choices) || len(again.Health) != len(s.Health) {
			t.Fatalf("%+v, read again %+v", s, again)
		}
	})
}
