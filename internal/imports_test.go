package internal

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/org/goproxy-action/"

// layers are the floors of the house: a package imports packages of lower floors only. The ground imports nobody.
var layers = [][]string{
	{"internal/problem", "internal/source", "internal/egress", "policy"},
	{"internal/catalogue", "internal/toolfile"},
	{"internal/config", "internal/credential", "internal/checksumdb", "internal/machine", "internal/release"},
	{"internal/lockfile", "internal/detect"},
	{"internal/choose", "internal/diagnose"},
	{"internal/decide"},
	{"internal/inject"},
	{"internal/report"},
	{"internal/ecosystem"},
	{"internal/ecosystem/cargo", "internal/ecosystem/git", "internal/ecosystem/golang", "internal/ecosystem/maven", "internal/ecosystem/npm", "internal/ecosystem/pypi", "internal/ecosystem/workflow"},
	{"internal/front"},
	{"internal/front/github", "internal/front/gitlab", "internal/front/shell"},
	{"internal/run"},
	{"internal/cli"},
	{"cmd/goproxy-action"},
}

// alone are libraries that few rooms keep to themselves.
var alone = map[string][]string{
	"github.com/open-policy-agent/opa":      {"internal/decide"},
	"github.com/sethvargo/go-githubactions": {"internal/front/github"},
	"github.com/google/go-github":           {"internal/front/github"},
	"github.com/goccy/go-yaml":              {"internal/config"},
	"go.yaml.in/yaml":                       {"internal/decide", "internal/ecosystem/workflow", "internal/toolfile"},
	"github.com/spf13/cobra":                {"internal/cli"},
	"golang.org/x/mod/modfile":              {"internal/ecosystem/golang"},
	"golang.org/x/crypto/x509roots":         {"internal/detect"},
	"golang.org/x/sys/windows/registry":     {"internal/machine"},
}

// TestLayers reads the files itself: what `go list` says would be taken from the test cache after a change.
func TestLayers(t *testing.T) {
	t.Parallel()
	floor := map[string]int{}
	for i, names := range layers {
		for _, n := range names {
			floor[n] = i
		}
	}
	seen := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || (strings.HasPrefix(d.Name(), ".") && d.Name() != "..")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		from := strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), "../")
		if from == "internal/upstreamtest" {
			return nil // for tests only; see below
		}
		mine, ok := floor[from]
		if !ok {
			t.Errorf("%s: package %s stands on no floor: add it to layers", file, from)
			return nil
		}
		seen++
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			for library, rooms := range alone {
				if name == library || strings.HasPrefix(name, library+"/") {
					if !slices.Contains(rooms, from) {
						t.Errorf("%s: imports %s, which %s keeps to itself", file, name, strings.Join(rooms, " and "))
					}
				}
			}
			to, own := strings.CutPrefix(name, module)
			if !own {
				continue
			}
			if to == "internal/upstreamtest" {
				t.Errorf("%s: imports %s, which is for tests", file, to)
			} else if theirs, ok := floor[to]; !ok || theirs >= mine {
				t.Errorf("%s: imports %s, which is not below it", file, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Errorf("read %d files, want the whole house", seen)
	}
}

// TestEnvironmentComesThroughOneDoor: only cmd reads the process's environment.
func TestEnvironmentComesThroughOneDoor(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, word := range []string{"os.Getenv(", "os.LookupEnv(", "os.Environ(", "os.Setenv(", "ProxyFromEnvironment"} {
			if strings.Contains(string(data), word) {
				t.Errorf("%s calls %s", file, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
