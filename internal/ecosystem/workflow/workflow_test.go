package workflow

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
)

func checkout(t testing.TB, files map[string]string) *lockfile.Checkout {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	co, err := lockfile.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { co.Close() })
	return co
}

func opened(t testing.TB, co *lockfile.Checkout) (*ecosystem.Ecosystem, []decide.Action) {
	t.Helper()
	e, err := New(ecosystem.Machine{}, co)
	if err != nil {
		t.Fatal(err)
	}
	var in decide.Input
	e.Fill(&in, nil)
	return e, in.Workflows
}

// marked takes the marks out of files: § stands before each part that is to be found.
func marked(files map[string]string) (clean map[string]string, places []string) {
	clean = map[string]string{}
	for name, text := range files {
		for {
			before, after, ok := strings.Cut(text, "§")
			if !ok {
				break
			}
			places = append(places, fmt.Sprintf("%s:%d:%d", name, 1+strings.Count(before, "\n"), len(before)-strings.LastIndexByte(before, '\n')))
			text = before + after
		}
		clean[name] = text
	}
	slices.Sort(places)
	return clean, places
}

const (
	ci   = ".github/workflows/ci.yml"
	pipe = "pipe curl https://a.test/i.sh | sh"
)

// What is found of the workflows of each host, and where. What has no mark is not to be found.
func TestFound(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"variables of a workflow, a job, its container and a step": {map[string]string{ci: `
on: push
env: {§GOSUMDB: off, CGO_ENABLED: "0"}
jobs:
  build:
    env:
      §NODE_TLS_REJECT_UNAUTHORIZED: 0
      GOFLAGS: -trimpath
    container:
      image: x
      env: {§"GOINSECURE": a.test}
    services:
      db: {env: {GOSUMDB: off}}
    steps:
      - env:
          §GOPROXY: https://u:hunter2@a.test,direct
          NAME: GOSUMDB=off
        run: make
        with: {GOSUMDB: off}
`}, []string{"source GOSUMDB=off", "source NODE_TLS_REJECT_UNAUTHORIZED=0", "source GOINSECURE=a.test", "source GOPROXY=https://***@a.test,direct"}},
		"git's settings in variables": {map[string]string{ci: `
env:
  GIT_CONFIG_COUNT: 2
  §GIT_CONFIG_KEY_0: http.sslVerify
  GIT_CONFIG_VALUE_0: "false"
  GIT_CONFIG_KEY_1: http.proxy
  GIT_CONFIG_VALUE_1: http://a.test
  GIT_CONFIG_KEY_2: it's
`}, []string{"source git config http.sslVerify false"}},
		"scripts in every form": {map[string]string{ci: `
jobs:
  a:
    steps:
      - run: §curl https://a.test/i.sh | sh
      - run: "echo \"x\u00e9\n\";  §curl https://a.test/i.sh | sh"
      - run: 'echo ''x''; §curl https://a.test/i.sh | sh'
      - run: |
          echo é

          §curl https://a.test/i.sh | sh
            §curl https://a.test/i.sh | sh
      - run: >-

          echo
          x &&
          curl https://a.test/i.sh

          x;
            §curl https://a.test/i.sh |
          sh
      - run: &anchor |2+
            echo

          §curl https://a.test/i.sh | sh
      - run: !!str # why
          echo ;
          §curl https://a.test/i.sh
          | sh
      - run: "echo \
          a;
          b

          §curl https://a.test/i.sh | sh"
      - name: é
        run: {curl: x}
      - run: [npm, config]
      - { name: é, run: "§curl https://a.test/i.sh | sh" }
`}, []string{pipe, pipe, pipe, pipe, pipe, "pipe curl https://a.test/i.sh | sh", pipe, pipe, pipe, pipe}},
		"shells": {map[string]string{ci: `
defaults: {run: {shell: python}}
jobs:
  a:
    steps:
      - run: curl https://a.test/i.sh | sh
      - {run: "§curl https://a.test/i.sh | sh", shell: "bash -e {0}"}
      - {run: "§irm https://a.test/i.ps1 | iex", shell: pwsh}
      - {run: 'if (1) { §$env:GOSUMDB = "off" }', shell: pwsh}
      - {run: "§$env:GONOSUMDB='*'; $env:GOFLAGS=''", shell: pwsh}
  b:
    defaults: {run: {shell: bash}}
    steps:
      - run: §curl https://a.test/i.sh | sh
      - {run: "curl https://a.test/i.sh | sh", shell: "node {0}"}
`}, []string{pipe, "pipe irm https://a.test/i.ps1 | iex", "source GOSUMDB=off", "source GONOSUMDB=*", pipe}},
		"inputs of actions": {map[string]string{ci: `
jobs:
  a:
    steps:
      - uses: Actions/Setup-Node@v4
        with:
          node-version: 20
          §registry-url: https://u:hunter2@a.test/
          §mirror: http://nodejs.org/dist
      - uses: actions/setup-node@v4
        with: {mirror: https://nodejs.org/dist/, §registry-url: "${{ vars.R }}"}
      - uses: actions/setup-go@v6
        with: {go-download-base-url: https://go.dev/dl, registry-url: https://a.test}
      - uses: actions/setup-go@v6
        with: {§go-download-base-url: https://a.test/dl}
`}, []string{"source registry-url: https://***@a.test/", "source mirror: http://nodejs.org/dist", "source registry-url: ${{ vars.R }}",
			"source go-download-base-url: https://a.test/dl"}},
		"actions, and the other hosts that have GitHub's form": {map[string]string{
			".github/actions/a/b/action.yaml": "runs:\n  using: composite\n  steps:\n    - run: §curl https://a.test/i.sh | sh\n      shell: bash\n",
			"action.yml":                      "runs:\n  using: docker\n  env: {§GOSUMDB: off}\n",
			ci:                                "jobs: {a: {steps: [{uses: ./tools/x}, {uses: './../y'}, {uses: './${{ x }}'}]}}",
			"tools/x/action.yml":              "runs: {steps: [{run: npx §x@latest}]}",
			"tools/z/action.yml":              "runs: {steps: [{run: npx x@latest}]}",
			".forgejo/workflows/f.yaml":       "env: {§GOSUMDB: off}",
			".gitea/workflows/g.yml":          "env: {§GOSUMDB: off}",
			".github/workflows/below/x.yml":   "env: {GOSUMDB: off}",
			".github/workflows/x.txt":         "env: {GOSUMDB: off}",
		}, []string{"source GOSUMDB=off", "source GOSUMDB=off", "pipe curl https://a.test/i.sh | sh", "source GOSUMDB=off", "adhoc npx x@latest"}},
		"GitLab": {map[string]string{".gitlab-ci.yml": `
spec: {inputs: {}}
---
include: ['/ci/a.yml', {local: 'ci/**.yml'}, {remote: 'https://a.test/ci/b.yml'}, {local: missing.yml}]
default: {before_script: [npx §a@latest]}
variables:
  §GOSUMDB: {value: "off", description: x}
before_script: npx §b@latest
workflow: {rules: [{variables: {§GOSUMDB: off}}]}
stages: [npx c@latest]
.vars: &vars {§GOINSECURE: a.test}
.script: &script
  - npx §d@latest
.more: {variables: {§GONOSUMDB: "*"}, steps: [npx §e@latest]}
build:
  variables: {<<: [*vars], A: b}
  rules: [{if: x, variables: {§GOSUMDB: off}}]
  hooks: {pre_get_sources_script: [npx §f@latest]}
  script:
    - *script
    - [[npx §g@latest]]
    - !reference [.more, steps]
    - !reference [.none, steps]
    - !reference [.loop]
  after_script: [npx §h@latest]
deploy: {script: [*script], variables: !reference [.more, variables]}
.loop: [!reference [.loop]]
`,
			"ci/a.yml": "x: {script: npx §i@latest}", "ci/b.yml": "include: {local: ci/c.yaml}", "ci/c.yaml": "x: {script: npx §j@latest}", "ci/d.yaml": "x: {script: npx k@latest}"},
			[]string{"adhoc npx a@latest", "source GOSUMDB=off", "adhoc npx b@latest", "source GOSUMDB=off", "source GOINSECURE=a.test", "adhoc npx d@latest",
				"source GONOSUMDB=*", "adhoc npx e@latest", "source GOSUMDB=off", "adhoc npx f@latest", "adhoc npx g@latest", "adhoc npx h@latest", "adhoc npx i@latest", "adhoc npx j@latest"}},
		"CircleCI": {map[string]string{".circleci/config.yml": `
version: 2.1
executors: {x: {environment: {§GOSUMDB: off}}}
commands: {c: {steps: [{run: npx §a@latest}]}}
jobs:
  build:
    docker: [{image: x, environment: {§GOSUMDB: off}}]
    environment: {§GOSUMDB: off}
    steps:
      - checkout
      - run: npx §b@latest
      - run: {command: npx §c@latest, environment: {§GOSUMDB: off}}
      - run: {command: npx d@latest, shell: python}
      - when: {condition: x, steps: [{run: npx §e@latest}]}
      - c
`}, []string{"source GOSUMDB=off", "adhoc npx a@latest", "source GOSUMDB=off", "source GOSUMDB=off", "adhoc npx b@latest", "adhoc npx c@latest", "source GOSUMDB=off", "adhoc npx e@latest"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, places := marked(tt.files)
			for _, end := range []string{"\n", "\r\n"} {
				for f := range files {
					files[f] = strings.ReplaceAll(files[f], "\n", end)
				}
				_, found := opened(t, checkout(t, files))
				var got, at []string
				for _, a := range found {
					got = append(got, a.Kind+" "+a.Command)
					at = append(at, fmt.Sprintf("%s:%d:%d", a.File, a.Line, a.Column))
				}
				slices.Sort(at)
				slices.Sort(got)
				want := slices.Sorted(slices.Values(tt.want))
				if diff := cmp.Diff(places, at); diff != "" {
					t.Errorf("places, %q:\n%s", end, diff)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%q:\n%s", end, diff)
				}
			}
		})
	}
}

// What comes before the gate, in a job that has one.
func TestEarly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"in steps before the action": {map[string]string{ci: `
jobs:
  a:
    steps:
      - uses: actions/checkout@v5
      - run: |
          cd web
          §npm ci; §go build ./...
      - uses: §golangci/golangci-lint-action@v8
      - {run: "npm ci", shell: "python {0}"}
      - uses: org/goproxy-action@v1
      - run: npm ci
  b:
    steps: [{run: npm ci}]
`}, []string{"npm ci", "go build", "golangci/golangci-lint-action"}},
		"in a script before the command": {map[string]string{ci: `
jobs:
  a:
    steps:
      - run: §npx a && eval "$(goproxy-action --mode audit setup)" && npm ci
  b:
    steps: [{run: §npm ci}, {run: cd x && go run ./cmd/goproxy-action check}]
  c:
    steps: [{run: npm ci}, {run: echo goproxy-action is fine}]
  d:
    steps: [{uses: 'docker://ghcr.io/org/goproxy-action:v1'}, {run: npm ci}]
`}, []string{"npx a", "npm ci"}},
		"in an action of this repository": {map[string]string{
			ci:                        "jobs: {a: {steps: [{uses: ./ci/prepare}, {uses: ./ci/gate}, {run: npm ci}]}, b: {steps: [{uses: ./ci/gate}]}}",
			"ci/prepare/action.yml":   "runs: {steps: [{run: §npm ci}]}",
			"ci/gate/action.yml":      "runs: {steps: [{uses: ./ci/gate}, {run: §yarn}, {uses: org/goproxy-action/sub@v1}]}",
			".github/workflows/b.yml": "jobs: {a: {steps: [{run: §npm i}, {uses: ./}]}}",
			"action.yml":              "name: goproxy-action\nruns: {using: node24}",
		}, []string{"npm ci", "yarn", "npm i"}},
		"GitLab": {map[string]string{".gitlab-ci.yml": `
fine: {extends: .goproxy-action, script: npm ci}
own:
  extends: [.goproxy-action]
  before_script: [echo, §npm ci, !reference [.goproxy-action, before_script], npm ci]
lost:
  extends: .mine
  before_script:
    - §npm ci
.mine: {extends: .goproxy-action-image}
inherits: {extends: [.mine, .other], script: [goproxy-action setup, npm ci]}
.other: {before_script: §yarn}
later: {script: [§npx b, "eval $(goproxy-action setup)"]}
none: {before_script: [npm ci], script: [npm ci]}
loop: {extends: loop}
`}, []string{"npm ci", "before_script", "yarn", "npx b"}},
		"CircleCI": {map[string]string{".circleci/config.yml": "jobs: {a: {steps: [checkout, {run: {command: §npm ci}}, {run: goproxy-action setup}]}}"}, []string{"npm ci"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, places := marked(tt.files)
			_, found := opened(t, checkout(t, files))
			var got, at []string
			for _, a := range found {
				if a.Kind == early {
					got = append(got, a.Command)
					at = append(at, fmt.Sprintf("%s:%d:%d", a.File, a.Line, a.Column))
				}
			}
			slices.Sort(at)
			if diff := cmp.Diff(places, at); diff != "" {
				t.Errorf("places:\n%s", diff)
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(tt.want)), slices.Sorted(slices.Values(got))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A fact as policies see it, and the keys by which the base commit knows it.
func TestFact(t *testing.T) {
	t.Parallel()
	co := checkout(t, map[string]string{ci: "jobs: {build: {steps: [{run: 'npm ci --registry=https://a.test/x'}]}}"})
	e, found := opened(t, co)
	want := []decide.Action{{Kind: "source", Ecosystem: "npm", Places: []decide.Place{decide.PlaceOf("https://a.test/x")}, Job: "build",
		Command: "npm ci --registry=https://a.test/x", Fault: "sets another npm registry", Origin: "checkout",
		Key:      "source " + ci + " npm ci --registry=https://a.test/x sets another npm registry",
		Position: lockfile.Position{File: ci, Line: 1, Column: 38}}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{ci}, e.Files); diff != "" {
		t.Error(diff)
	}
	keys, err := e.Hosts(co)
	if diff := cmp.Diff(map[string]bool{want[0].Key: true}, keys); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if keys, err = e.Hosts(co.At(map[string][]byte{ci: nil})); len(keys) > 0 || err != nil {
		t.Errorf("%v, %v", keys, err)
	}
	if diff := cmp.Diff([]string{ci}, Files(co)); diff != "" {
		t.Error(diff)
	}
}

// What cannot be read is told, and nothing of a file behind a link is quoted.
func TestUnread(t *testing.T) {
	t.Parallel()
	co := checkout(t, map[string]string{
		".github/workflows/a.yml": "jobs: {a: {steps: [{run: 'curl https://hunter2.test | sh'}]}}\n---\nx: [hunter2",
		".github/workflows/b.yml": "\xff\xfej\x00",
		"secret":                  "hunter2: [\n",
		"other":                   "env: {GOSUMDB: off, GOPROXY: 'https://hunter2.test'}\njobs: {hunter2: {steps: [{run: npx hunter2@latest}]}}",
	})
	for link, target := range map[string]string{"c.yml": "../../secret", "d.yml": "../../other", "e.yml": "/nowhere/hunter2"} {
		if err := os.Symlink(target, filepath.Join(co.Dir(), ".github/workflows", link)); err != nil {
			t.Fatal(err)
		}
	}
	e, found := opened(t, co)
	want := []string{
		".github/workflows/a.yml is no YAML that can be read, so not all of it is judged: did not find expected ',' or ']'",
		".github/workflows/b.yml is no YAML that can be read, so not all of it is judged: it is not of UTF-8",
		".github/workflows/c.yml is no YAML that can be read, so not all of it is judged",
		".github/workflows/e.yml is a link that leads nowhere in the checkout, and is not judged",
	}
	if diff := cmp.Diff(want, e.Notes); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, a := range found {
		got = append(got, fmt.Sprintf("%s:%d %s %s %d", a.File, a.Line, a.Kind, a.Command, len(a.Places)))
		if a.File != ".github/workflows/a.yml" && strings.Contains(fmt.Sprint(a), "hunter2") {
			t.Errorf("%+v", a)
		}
	}
	if diff := cmp.Diff([]string{".github/workflows/a.yml:1 pipe curl https://hunter2.test | sh 1", ".github/workflows/d.yml:1 source a command 0",
		".github/workflows/d.yml:1 source a command 0", ".github/workflows/d.yml:2 adhoc a command 0"}, got); diff != "" {
		t.Error(diff)
	}
}

// Few lines that stand for very many, and files that are large or many, are an error, or end soon.
func TestBounded(t *testing.T) {
	t.Parallel()
	bomb := "env: &a0 {A: b}\n"
	lists := ".a0: &b0 [echo]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("x%d: &a%d {<<: [%s]}\n", i, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
		lists += fmt.Sprintf(".a%d: &b%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*b%d, ", i), 10), ", "))
	}
	many := map[string]string{}
	for i := range maxFiles + 1 {
		many[fmt.Sprintf(".github/workflows/%d.yml", i)] = "{}"
	}
	large := map[string]string{}
	for i := range maxBytes/maxFile + 1 {
		large[fmt.Sprintf(".github/workflows/%d.yml", i)] = "a: " + strings.Repeat("x", maxFile-4)
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"merges":     {map[string]string{ci: bomb + "jobs: {a: {env: *a12}}"}, "more than 200000 steps"},
		"lists":      {map[string]string{".gitlab-ci.yml": lists + "job: {script: [*b10]}"}, "more than 200000 steps"},
		"references": {map[string]string{".gitlab-ci.yml": ".a: [" + strings.Repeat("!reference [.a], ", 12) + "]\njob: {script: !reference [.a]}"}, "more than 200000 steps"},
		"actions": {map[string]string{ci: "jobs: {a: {steps: [{uses: ./a}]}}",
			"a/action.yml": "runs: {steps: [" + strings.Repeat("{uses: ./a}, ", 10) + "]}"}, "more than 200000 steps"},
		"size":  {map[string]string{ci: strings.Repeat("#", maxFile+1)}, ci + ": has "},
		"files": {many, "name more than 2000 files"},
		"bytes": {large, "workflows and pipelines of more than 16 MB"},
	} {
		_, err := New(ecosystem.Machine{}, checkout(t, tt.files))
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// what was found of a base commit like that is known all the same
	e, err := New(ecosystem.Machine{}, checkout(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Hosts(checkout(t, map[string]string{ci: bomb + "jobs: {a: {env: *a12}}"})); err != nil {
		t.Error(err)
	}
	// a script behind many aliases is judged once
	e, found := opened(t, checkout(t, map[string]string{".gitlab-ci.yml": ".a: &a |\n  npx x@latest\n" + strings.Repeat("  echo\n", 10_000) + "job: {script: [" + strings.Repeat("*a, ", 1000) + "]}"}))
	if len(found) != 1 || len(e.Notes) > 0 {
		t.Errorf("%+v, %q", found, e.Notes)
	}
	// and so is one that many jobs have before the gate
	shared := "jobs:\n  a:\n    steps: &s\n      - run: npm ci; " + strings.Repeat("echo goproxy-action; ", 1000) + "\n      - uses: org/goproxy-action@v1\n"
	for i := range 5000 {
		shared += fmt.Sprintf("  j%d: {steps: *s}\n", i)
	}
	if r, err := look(checkout(t, map[string]string{ci: shared})); err != nil || len(r.actions) != 1 || len(r.heard) != 1 {
		t.Errorf("%v, %+v, %d scripts", err, r.actions, len(r.heard))
	}
	text := "jobs:\n"
	for i := range maxActions + 10 {
		text += fmt.Sprintf("  j%d: {env: {GOSUMDB: off}}\n", i)
	}
	e, found = opened(t, checkout(t, map[string]string{ci: text}))
	if diff := cmp.Diff([]string{"workflows and pipelines: 10 findings more were left out"}, e.Notes); diff != "" || len(found) != maxActions {
		t.Errorf("%d\n%s", len(found), diff)
	}
	deep := map[string]string{".gitlab-ci.yml": "include: {local: '**/x.yml'}"}
	for i := range maxDirs {
		deep[fmt.Sprintf("d%d/y", i)] = ""
	}
	if e, _ = opened(t, checkout(t, deep)); len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "more than 1000 directories") {
		t.Errorf("%q", e.Notes)
	}
}

// FuzzLook: whatever the files are, nothing panics, and a finding is at a place that there is.
func FuzzLook(f *testing.F) {
	f.Add("jobs:\n  a:\n    env: {GOSUMDB: off}\n    steps:\n      - run: |\n          curl https://a.test | sh\n      - uses: org/goproxy-action@v1\n", "job: {script: [npm ci, goproxy-action setup]}")
	f.Add("env: &a {<<: *a, GOSUMDB: off}\njobs: {a: {steps: [{run: >\n x\n\n  npx a@latest\n}]}}", ".a: &a [!reference [.a, script]]\njob: {extends: .a, script: *a}\n")
	f.Add("\ufeffjobs: {a: {steps: [{run: \"\\x41\\u00e9\\\n  npx a@latest\"}, {run: !!str 'it''s\n\n npx b@latest'}]}}", "x: {script: |2-\n\n    npx a@latest\n   \u0085 npx b@latest\u2028npx c@latest\n}")
	f.Fuzz(func(t *testing.T, github, gitlab string) {
		co := checkout(t, nil)
		files := map[string][]byte{"action.yml": []byte(github), ".gitlab-ci.yml": []byte(gitlab)}
		r, err := look(co.At(files))
		if err != nil && problem.CodeOf(err) != problem.Usage {
			t.Fatal(err)
		}
		for _, a := range r.actions {
			lines := strings.Split(string(files[a.File]), "\n")
			if a.Line < 1 || a.Line > len(lines) || a.Column < 1 || a.Column > len(lines[a.Line-1])+1 {
				t.Errorf("%+v", a)
			}
		}
	})
}

func BenchmarkLook(b *testing.B) {
	step := "      - name: build\n        run: |\n          set -e\n          go build ./... && npm ci\n          curl -fsSL https://a.test/i.sh | sh\n"
	for _, n := range []int{10, 100} {
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf(".github/workflows/%d.yml", i)] = "on: push\njobs:\n  a:\n    steps:\n" + strings.Repeat(step, 30)
		}
		co := checkout(b, files)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := look(co); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
