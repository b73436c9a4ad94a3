package golang

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/checksumdb"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
)

func TestLog(t *testing.T) {
	t.Parallel()
	at := func(file string, line, column int) lockfile.Position {
		return lockfile.Position{File: file, Line: line, Column: column}
	}
	files := map[string]string{
		"go.mod":      "module github.com/own/app\n",
		"go.sum":      oneModule["go.sum"],
		"go.work":     "go 1.26\nuse .\n",
		"go.work.sum": "a.test/x v1.0.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n",
	}
	for env, want := range map[string]struct{ off, key string }{
		"":                                  {"", defaultKey},
		"off":                               {"GOSUMDB=off (the environment)", defaultKey},
		"sum.golang.org https://relay.test": {"", defaultKey},
		"evil.test+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8": {"GOSUMDB names no checksum database that anybody vouches for", defaultKey},
	} {
		e, err := New(machine(t, map[string]string{"GOSUMDB": env}), checkout(t, files))
		if err != nil {
			t.Fatal(err)
		}
		if e.Log.Off != want.off || e.Log.Key != want.key {
			t.Errorf("%q: %q %q", env, e.Log.Off, e.Log.Key)
		}
		lines := []ecosystem.LogLine{
			{Line: checksumdb.Line{Module: "github.com/google/uuid", Version: "v1.6.0", Hash: "h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0="}, At: at("go.sum", 1, 31)},
			{Line: checksumdb.Line{Module: "github.com/google/uuid", Version: "v1.6.0/go.mod", Hash: "h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo="}, At: at("go.sum", 2, 38)},
			{Line: checksumdb.Line{Module: "a.test/x", Version: "v1.0.0/go.mod", Hash: "h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo="}, At: at("go.work.sum", 1, 24)},
		}
		if diff := cmp.Diff(lines, e.Log.Lines); diff != "" {
			t.Error(diff)
		}
	}
	if e, err := New(machine(t, nil), checkout(t, map[string]string{"go.mod": "module a.test/x\n"})); err != nil || e.Log != nil {
		t.Errorf("%v %v", err, e.Log)
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	head := checkout(t, map[string]string{"go.mod": "module github.com/spf13/app\n", "b/go.mod": "module vanity.test/b\n", "go.sum": oneModule["go.sum"], "c/go.mod": "module \"*\"\n",
		"d/go.mod": "module github.com\n", "e/go.mod": "module golang.org/x\n"})
	base := checkout(t, map[string]string{"go.mod": "module github.com/own/app\n"})
	m := machine(t, map[string]string{"GOPRIVATE": "*.corp.test"})
	m.Public = []string{"github.com/spf13/cobra", "github.com/own/lib"}
	m.Owner = "git.team.test/group"
	e, err := New(m, head)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]bool{ // by the head alone, and with the base
		"github.com/spf13/viper": {true, false}, "github.com/spf13/cobra": {false, false}, "github.com/own/x": {false, true}, "github.com/own/lib/v2": {false, false},
		"vanity.test/b/c": {true, false}, "vanity.test/c": {false, false}, "git.corp.test/x": {true, true}, "golang.org/x/mod": {false, false},
		"github.com/SPF13/Secret": {true, false}, "github.com/Own/Secret": {false, true}, "github.com/google/uuid": {false, false},
		"git.team.test/group/lib": {true, true}, "git.team.test/Group/lib": {true, true}, "git.team.test/other/lib": {false, false},
	} {
		for i, co := range []*lockfile.Checkout{nil, base} {
			if got := e.Log.Private(co)(path); got != want[i] {
				t.Errorf("%s, base %t: %v", path, co != nil, got)
			}
		}
	}
}

// What the checkout itself calls private hides nothing: nobody is asked, and nothing counts as proven or as private.
func TestPrivateByTheCheckout(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"GONOSUMDB", "GOPRIVATE"} {
		co := checkout(t, map[string]string{"go.mod": "module github.com/own/app\n", "go.sum": oneModule["go.sum"], "env": name + "=*\n"})
		e, err := New(machine(t, map[string]string{"GOENV": filepath.Join(co.Dir(), "env")}), co)
		if err != nil {
			t.Fatal(err)
		}
		if want := name + " is set by a file of the checkout, env"; e.Log.Off != want || e.Log.Private(nil)("github.com/google/uuid") {
			t.Errorf("%q, want %q", e.Log.Off, want)
		}
	}
}
