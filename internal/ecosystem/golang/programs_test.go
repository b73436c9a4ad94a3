package golang

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/lockfile"
)

func TestParseVCS(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                             "",
		" ":                            "",
		"public:git|hg":                "public:git|hg",
		"*:all":                        "*:all!",
		"public: git | svn":            "public: git | svn!",
		"private:all,public:off":       "private:all public:off",
		"public:git,*:all":             "public:git *:all",
		"*:git,github.com:svn":         "*:git github.com:svn",
		"github.com:fossil,*:git":      "github.com:fossil! *:git",
		"corp.test:svn,golang.org:bzr": "corp.test:svn golang.org:bzr!",
		"*:off":                        "*:off",
		"public":                       "? an entry is not a pattern, a colon and names",
		"public:git,":                  "? an entry is not a pattern, a colon and names",
		"public:":                      "? an entry is not a pattern, a colon and names",
		":git":                         "? an entry is not a pattern, a colon and names",
		"./x:git":                      "? a pattern is a relative path",
		"a.test:git,a.test:hg":         "? a pattern stands twice",
		"a.test:git||hg":               "? an entry has an empty name",
	} {
		var got []string
		for _, v := range parseVCS(setting{name: "GOVCS", value: value}) {
			text := v.Entry
			switch {
			case v.Entry == "":
				text = "? " + strings.TrimSuffix(strings.TrimPrefix(v.Fault, "cannot be read, so every direct download will fail ("), ")")
			case v.Fault != "":
				text += "!"
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: got %q, want %q", value, strings.Join(got, " "), want)
		}
	}
}

func FuzzParseVCS(f *testing.F) {
	for _, s := range []string{"*:all", "public:git|hg,private:all", "a:b:c,,", "./:|"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, v := range parseVCS(setting{name: "GOVCS", value: value}) {
			if v.Entry == "" && v.Fault == "" {
				t.Fatalf("%q: %+v", value, v)
			}
		}
	})
}

// Rules about what the machine is told to start, from the setting to the finding.
func TestRulesOnPrograms(t *testing.T) {
	t.Parallel()
	repository := write(t, map[string]string{"app/go.mod": "module a.test/a\n", "app/ci/go.env": "# x\nGOFLAGS=-trimpath\nCC=./evil\n", "tools/auth": "#!/bin/sh\n"})
	elsewhere := write(t, map[string]string{"bin/auth2": "#!/bin/sh\n", "go/env": "GOFLAGS=-x\n"})
	in := func(name string) string { return filepath.Join(repository, filepath.FromSlash(name)) }
	const started = "what the author of the checkout may have written: "
	const theirs = "GOENV leads to a file that the author of the checkout may have written; it "
	for name, tt := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"nothing":           {nil, []string{}},
		"netrc":             {map[string]string{"GOAUTH": "netrc; off"}, []string{}},
		"its own git":       {map[string]string{"GOAUTH": "git " + elsewhere}, []string{}},
		"git there":         {map[string]string{"GOAUTH": "netrc;git " + in("app")}, []string{"warning GO008 :0:0 GOAUTH in the environment asks the credential helper of git in a directory that the author of the checkout may have written: " + in("app")}},
		"a program of its":  {map[string]string{"GOAUTH": filepath.Join(elsewhere, "bin", "auth2") + " s3cret"}, []string{"note GO008 :0:0 GOAUTH in the environment starts a program of the runner"}},
		"one of the PATH":   {map[string]string{"GOCACHEPROG": "auth2 -x", "PATH": filepath.Join(elsewhere, "bin")}, []string{"note GO008 :0:0 GOCACHEPROG in the environment starts a program of the runner"}},
		"one beside":        {map[string]string{"GOAUTH": in("tools/auth") + " s3cret"}, []string{"error GO008 :0:0 GOAUTH in the environment starts " + started + in("tools/auth")}},
		"a relative one":    {map[string]string{"GOCACHEPROG": `"./tools/cache prog" s3cret`}, []string{`error GO008 :0:0 GOCACHEPROG in the environment starts ` + started + "./tools/cache prog"}},
		"by the PATH":       {map[string]string{"GOAUTH": "auth", "PATH": in("tools") + string(filepath.ListSeparator) + filepath.Join(elsewhere, "bin")}, []string{`error GO008 :0:0 GOAUTH in the environment starts ` + started + "auth"}},
		"an open quote":     {map[string]string{"GOCACHEPROG": `"s3cret`}, []string{"note GO008 :0:0 GOCACHEPROG in the environment starts a program of the runner"}},
		"GOENV there":       {map[string]string{"GOENV": in("app/ci/go.env")}, []string{"warning GO008 ci/go.env:2:1 " + theirs + "sets GOFLAGS, CC"}},
		"GOENV beside":      {map[string]string{"GOENV": in("tools/go.env")}, []string{"warning GO008 " + in("tools/go.env") + ":0:0 " + theirs + "was not read"}},
		"flags that remain": {map[string]string{"GOENV": filepath.Join(elsewhere, "go", "env")}, []string{"note GO008 " + filepath.Join(elsewhere, "go", "env") + ":1:9 GOFLAGS is set by " + filepath.Join(elsewhere, "go", "env") + ", which outlives the job (go env -u GOFLAGS)"}},
		"GOVCS":             {map[string]string{"GOVCS": "public:all"}, []string{`warning GO006 :0:0 GOVCS in the environment lets public modules be fetched by other tools than git and hg (public:all)`}},
		"GOVCS, unreadable": {map[string]string{"GOVCS": "public"}, []string{"warning GO006 :0:0 GOVCS in the environment cannot be read, so every direct download will fail (an entry is not a pattern, a colon and names)"}},
	} {
		co, err := lockfile.Open(in("app"), "", Names()...)
		if err != nil {
			t.Fatal(err)
		}
		defer co.Close()
		co.Fence = repository
		if diff := cmp.Diff(tt.want, judgedAt(t, machine(t, tt.env), co, nil, "GO006", "GO008")); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestToolchains(t *testing.T) {
	t.Parallel()
	const asks = " asks for %s, and go1.26.8 is installed, so the go command downloads and runs the other"
	line := func(at, by, name string) []string {
		return []string{fmt.Sprintf("warning GO007 %s the %s"+asks, at, by, name)}
	}
	setting := func(name string) []string {
		return []string{fmt.Sprintf("note GO007 :0:0 GOTOOLCHAIN in the environment"+asks, name)}
	}
	mod := func(lines string) map[string]string {
		return map[string]string{"go.mod": "module a.test/a\n\n" + lines}
	}
	for name, tt := range map[string]struct {
		value, version string
		files          map[string]string
		want           []string
	}{
		"older":                   {"auto", "go1.26.8", mod("go 1.25\ntoolchain go1.26.8\n"), []string{}},
		"the toolchain line":      {"auto", "go1.26.8", mod("go 1.25\n\ntoolchain go1.27.1\n"), line("go.mod:5:1", "toolchain line", "go1.27.1")},
		"the go line":             {"auto", "go1.26.8", mod("go 1.27\n"), line("go.mod:3:1", "go line", "go1.27.0")},
		"a release candidate":     {"auto", "go1.26.8", mod("go 1.27rc1\n"), line("go.mod:3:1", "go line", "go1.27rc1")},
		"the newer of both":       {"auto", "go1.26.8", mod("go 1.27.2\ntoolchain go1.27.1\n"), line("go.mod:3:1", "go line", "go1.27.2")},
		"a toolchain of a vendor": {"auto", "go1.26.8", mod("go 1.25\ntoolchain go1.27.1-corp\n"), line("go.mod:4:1", "toolchain line", "go1.27.1-corp")},
		"default":                 {"auto", "go1.26.8", mod("go 1.27.2\ntoolchain default\n"), []string{}},
		"local":                   {"local", "go1.26.8", mod("go 1.27\n"), []string{}},
		"path":                    {"path", "go1.26.8", mod("go 1.27\n"), []string{}},
		"local and auto":          {"local+auto", "go1.26.8", mod("go 1.27\n"), line("go.mod:3:1", "go line", "go1.27.0")},
		"a fixed one":             {"go1.25.3", "go1.26.8", mod("go 1.27\n"), setting("go1.25.3")},
		"a fixed one of the PATH": {"go1.25.3+path", "go1.26.8", mod("go 1.27\n"), []string{}},
		"a floor above the lines": {"go1.27.5+auto", "go1.26.8", mod("go 1.27.2\n"), setting("go1.27.5")},
		"a floor below the lines": {"go1.26.8+auto", "go1.26.8", mod("go 1.27.2\n"), line("go.mod:3:1", "go line", "go1.27.2")},
		"one that is there":       {"auto", "go1.26.8", mod("go 1.28\n"), []string{}},
		"a language version":      {"auto", "go1.27rc1", mod("go 1.27\n"), []string{}}, // go 1.27 is older than its release candidates
		"of a working copy":       {"auto", "", mod("go 1.27\n"), []string{}},
		"not set":                 {"", "go1.26.8", mod("go 1.27\n"), []string{}},
		"a workspace": {"auto", "go1.26.8", map[string]string{"go.work": "go 1.27\n\ntoolchain go1.27.1\n\nuse ./m\n", "m/go.mod": "module a.test/m\n\ngo 1.27\n"},
			line("go.work:3:1", "toolchain line", "go1.27.1")},
	} {
		root := write(t, map[string]string{"go.env": "GOTOOLCHAIN=\n", "VERSION": tt.version + "\ntime 2026-11-01T00:00:00Z\n", "bin/go": "#!/bin/sh\n", "bin/go1.28.0": "#!/bin/sh\n"})
		m := machine(t, map[string]string{"PATH": filepath.Join(root, "bin"), "GOTOOLCHAIN": tt.value})
		if diff := cmp.Diff(tt.want, judged(t, m, tt.files, nil, "GO007")); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
