#!/usr/bin/env bash
# verify.sh [BINARY|long]: whatever is done to go.sum, to the log on its way, or to what is remembered of it, verify is not
# deceived. The log is the real one, through the toolchain's own module proxy and a relay of ours that lies on demand; what
# only the log's owner could forge is done with a log of our own. Takes Go and a network.
#   long   kills it 200 times while it works, not 10 times
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

rounds=10 binary=
case ${1:-} in long) rounds=200 ;; ?*) binary=$(realpath "$1") ;; esac
scene
if [ -z "$binary" ]; then
  binary=$work/goproxy-action
  build_binary "$binary"
fi
official=$(official_gomod)
tool=$work/sumdb
(cd "$PROJECT" && CGO_ENABLED=0 go build -buildvcs=false -o "$tool" ./testdata/bench/sumdb)
unset GITHUB_ACTIONS GOFLAGS GOPRIVATE GONOSUMDB GONOPROXY
export GOENV=off HOME=$work/home XDG_CACHE_HOME=$work/home/.cache
mkdir -p "$work/home" "$work/override"

server "$work/relay" "$tool" relay -override "$work/override" "$official"
relay=$address
server "$work/log" "$tool" log
log=$address
play() { curl -fsS "$relay/play?mode=${1:-}&module=${2:-}" >/dev/null; }
show() { curl -fsS "$log/play?mode=${1:-}" >/dev/null; }
export GOPROXY=$relay GOSUMDB="sum.golang.org $relay/sumdb/sum.golang.org"

# verify WANTED-CODE DIR ARGUMENT...: leaves it in $report
report=$work/report.json
verify() {
  local want=$1 dir=$2 rc=0
  shift 2
  "$binary" verify --format json --cache "$work/cache" "$@" "$dir" >"$report" 2>"$work/err" || rc=$?
  same "$rc" "$want" || { cat "$work/err" "$report"; return 1; }
}
# Each attack is planted and then has to be caught: by its exit code and by an expression over the report.
planted=0 caught=0
plant() { # NAME CODE DIR EXPRESSION ARGUMENT...
  local name=$1 code=$2 dir=$3 expression=$4 before=$passed
  shift 4
  planted=$((planted + 1))
  check "$name" caught_by "$code" "$dir" "$expression" "$@"
  caught=$((caught + passed - before))
}
caught_by() { verify "$1" "$2" "${@:4}" && json "$report" "$3"; }
nothing='r.lines.verified === 0'
forget() { rm -rf "$work/cache"; }

# a checkout like this repository
repo=$work/repo
fresh() {
  rm -rf "$repo"
  mkdir "$repo"
  cp "$PROJECT/go.mod" "$PROJECT/go.sum" "$repo/"
}
fresh
lines=$(grep -c . "$repo/go.sum")
check "this repository: all lines are verified" caught_by 0 "$repo" "r.lines.verified === $lines && r.lines.total === $lines && r.consistent === null && r.requests > 1"
check "this repository, again: one request" caught_by 0 "$repo" "r.lines.verified === $lines && r.consistent === true && r.requests === 1"
verify 0 "$repo" --write-proof "$work/proof"
check "this repository, by the proof file alone" caught_by 0 "$repo" "r.lines.verified === $lines && r.requests === 0 && r.source === 'proof'" --proof "$work/proof" --offline

# Lies: exit 4, and the line or the proof
spoilt() { sed -i -E "$1s,(h1:...).,\1$([ "$(sed -n "$1s/.*h1:...\(.\).*/\1/p" "$2")" = A ] && echo B || echo A)," "$2"; }
for at in 1 $((lines / 2)) "$lines"; do
  fresh
  spoilt "$at" "$repo/go.sum"
  column=$(awk -v n="$at" 'NR == n { print index($0, "h1:") }' "$repo/go.sum")
  plant "edited hash in line $at of go.sum" 4 "$repo" "r.problems.length === 1 && r.problems[0].file === 'go.sum' && r.problems[0].line === $at && r.problems[0].column === $column &&
    r.problems[0].log.startsWith('h1:') && r.lines.mismatch === 1 && r.lines.verified === $lines - 1"
done
plant "edited hash in go.sum, offline, by the proof file" 4 "$repo" "r.problems.length === 1 && r.problems[0].line === $lines" --proof "$work/proof" --offline
fresh
printf 'go 1.26.0\n\nuse .\n' >"$repo/go.work"
sed -n 3,4p "$repo/go.sum" >"$repo/go.work.sum"
spoilt 2 "$repo/go.work.sum"
plant "edited hash in go.work.sum alone" 4 "$repo" "r.problems.length === 1 && r.problems[0].file === 'go.work.sum' && r.problems[0].line === 2 && r.findings[0].id === 'SUM006'"

# go.sum and the proxy poisoned together: the go command builds it, and calls it verified
victim=$work/victim
(unset GOSUMDB && GOPROXY=$official module "$victim")
zip=github.com/google/uuid/@v/v1.6.0.zip
curl -fsS "$relay/$zip" -o "$work/uuid.zip"
poison=$("$tool" poison "$work/uuid.zip" "$work/override/$zip")
sed -i "s,^github.com/google/uuid v1.6.0 h1:.*,github.com/google/uuid v1.6.0 $poison," "$victim/go.sum"
export GOMODCACHE=$work/mod GOCACHE=$work/gocache
builds() { (cd "$victim" && GOTOOLCHAIN=local GOFLAGS=-modcacherw go build ./... && go mod verify) >"$work/go.out" 2>&1 && has "$work/go.out" 'all modules verified'; }
check "poisoned go.sum and poisoned proxy: go builds it, and go mod verify agrees" builds
check "poisoned go.sum and poisoned proxy: it is other code" grep -rq '^// changed' "$work/mod/github.com/google/uuid@v1.6.0"
plant "poisoned go.sum and poisoned proxy" 4 "$victim" "r.problems.length === 1 && r.problems[0].line === 1 && r.problems[0].module === 'github.com/google/uuid' && r.problems[0].want === '$poison'"
(unset GOSUMDB && GOPROXY=$official module "$work/honest")
plant "the module cache still has the poison" 4 "$work/honest" "r.lines.mismatch === 0 && r.problems.length >= 1 && r.problems.every(p => p.status === 'cached')" --modcache
rm -r "$work/override/github.com"
for command in check setup; do
  rc=0
  "$binary" $command --verify on "$victim" >"$work/$command" 2>&1 || rc=$?
  planted=$((planted + 1))
  check "$command finds it as well" same "$rc" 4
  [ "$rc" != 4 ] || caught=$((caught + 1))
done

one=github.com/google/uuid
lie() { # MODE NAME EXPRESSION
  forget
  play "$1" $one
  plant "$2" 4 "$work/honest" "r.lies.length > 0 && $3"
  play
}
lie altered "record altered in transit" "$nothing && r.lies.some(l => l.includes('is not the one in the log'))"
lie key "head signed by another key" "$nothing && r.lies.some(l => l.includes('not signed by the key'))"
lie other "lookup answered with another module's record" "$nothing && r.lies.some(l => l.includes('a record of something else'))"
lie partial "partial tile as a full one" "$nothing && r.lies.some(l => l.includes('100 hashes in place of 256'))"

# a log of our own, whose owner forges
own=$work/own
mkdir -p "$own/.goproxy"
printf 'module example.test/own\n\ngo 1.26\n' >"$own/go.mod"
curl -fsS "$log/lines" >"$own/go.sum"
key=$(curl -fsS "$log/key")
printf 'checksum-database:\n  keys: ["%s"]\n' "$key" >"$own/.goproxy/config.yaml"
export GOPROXY=$log GOSUMDB="$key $log/sumdb/sum.test"
check "a log with a key of its own" caught_by 0 "$own" "r.lines.verified === 8 && r.tree_size === 700 && r.database === 'sum.test'"
show older
check "an older head of the same log is lag, and no finding" caught_by 0 "$own" 'r.lines.verified === 8 && r.lag === 100 && r.tree_size === 700 && r.findings.length === 0'
evidence='r.fork !== null && r.consistent === false && [r.fork.older, r.fork.newer].every(h => h.startsWith("go.sum database tree\n") && h.includes("— sum.test "))'
show forked
plant "forked log" 4 "$own" "$nothing && $evidence && r.fork.proof.length > 0"
show beside
plant "another head of the same size" 4 "$own" "$nothing && $evidence"
show diverged
plant "rolled-back and diverged head" 4 "$own" "$nothing && (r.fork !== null || r.lies.length > 0)"
show
check "the log as it was: all is well again" caught_by 0 "$own" 'r.lines.verified === 8 && r.consistent === true'
server "$work/forger" "$tool" log
evil=$(curl -fsS "$address/key")
planted=$((planted + 1))
if GOSUMDB="$evil $address/sumdb/sum.test" verify 3 "$own" && json "$report" "$nothing"; then
  ok "a key that nobody vouches for verifies nothing"
  caught=$((caught + 1))
else
  fail "a key that nobody vouches for verifies nothing" "$(tr '\n' ' ' <"$report" | cut -c1-500)"
fi
export GOPROXY=$relay GOSUMDB="sum.golang.org $relay/sumdb/sum.golang.org"

# Trouble: exit 3, and nothing is called verified
trouble() { # MODE NAME EXPRESSION ARGUMENT...
  local mode=$1 name=$2 expression=$3
  shift 3
  forget
  play "$mode" $one
  plant "$name" 3 "$work/honest" "$nothing && r.lies.length === 0 && r.problems.every(p => p.status === 'unverified' && p.reason !== '') && $expression" "$@"
  play
}
trouble page "HTML with 200 everywhere" 'r.requests === 1'
trouble denied "a relay that denies the record" 'r.problems[0].reason.includes("answered 404")'
trouble halfway "a log that stops half-way" true
trouble silent "a log that keeps silent" 'r.duration_ms < 8000'
forget
play slow
start=${EPOCHREALTIME/[.,]/} rc=0
HOME=$work/elsewhere XDG_CACHE_HOME=$work/elsewhere "$binary" check --verify on "$work/honest" >"$work/slow" 2>&1 || rc=$?
took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
play
planted=$((planted + 1))
if [ "$rc" = 3 ] && [ "$took" -lt 9500 ]; then
  ok "a slow log keeps to the budget of check ($took ms)"
  caught=$((caught + 1))
else
  fail "a slow log keeps to the budget of check" "exit $rc after $took ms: $(tail -n 3 "$work/slow" | tr '\n' ' ')"
fi

# Damage: it heals, exit 0
fresh
forget
verify 0 "$repo"
store=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")).cache.path' "$report")
cp "$store" "$work/whole"
size=$(wc -c <"$work/whole")
whole="r.lines.verified === $lines && r.lies.length === 0"
heals() { # NAME
  plant "$1" 0 "$repo" "$whole"
  check "$1: and is healed" caught_by 0 "$repo" "$whole && r.requests === 1"
}
for n in 1 2 3; do
  node -e 'const fs = require("fs"), [file, size] = process.argv.slice(1), f = fs.openSync(file, "r+")
    for (let i = 0; i < 20; i++) fs.writeSync(f, Buffer.from([Math.random() * 256]), 0, 1, Math.floor(Math.random() * size))' "$store" "$size"
  heals "20 bytes of what is remembered changed ($n)"
  cp "$work/whole" "$store"
done
for ((n = 1; n <= rounds; n++)); do
  rm -f "$store"
  "$binary" verify --cache "$work/cache" "$repo" >/dev/null 2>&1 &
  pid=$!
  sleep "0.$(printf '%03d' $((RANDOM % 250)))"
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  # and as a power cut would leave it: a part of what was written
  [ ! -s "$store" ] || truncate -s $((RANDOM * 32768 % $(wc -c <"$store"))) "$store"
  planted=$((planted + 1))
  if verify 0 "$repo" && json "$report" "$whole"; then caught=$((caught + 1)); else fail "kill -9, round $n" "$(cut -c1-300 "$work/err")"; fi
done
check "kill -9, $rounds rounds: nothing but the store is left" same "$(cd "$work/cache" && ls)" "$(basename "$store")"
two() { # two at once
  rm -f "$store"
  "$binary" verify --cache "$work/cache" "$repo" >/dev/null &
  local pid=$!
  "$binary" verify --cache "$work/cache" "$repo" >/dev/null && wait $pid && caught_by 0 "$repo" "$whole && r.requests === 1"
}
check "two at once" two

say "$planted planted, $caught caught"
check "all that was planted is caught" same "$caught" "$planted"
totals
