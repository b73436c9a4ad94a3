#!/usr/bin/env bash
# real.sh [BINARY]: the program on this very repository and this machine's real network, with the real module proxy and
# the real log. Without BINARY the program is built first.
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

workplace
trap 'erase "$work"' EXIT
binary=${1:-$work/goproxy-action}
[ $# -gt 0 ] || build_binary "$binary"
export XDG_CACHE_HOME=$work/cache GOFLAGS=-modcacherw GOPATH=$work/go GOMODCACHE=$work/mod
unset GITHUB_ACTIONS
gomod=$(official_gomod)

# run NAME WANTED-CODE ARGUMENT...: leaves stdout in $out and stderr in $err
run() {
  local name=$1 want=$2 rc=0
  shift 2
  out=$work/out err=$work/err
  "$binary" "$@" >"$out" 2>"$err" || rc=$?
  check "$name: exit $want" same "$rc $([ "$rc" = "$want" ] || tail -n 3 "$err")" "$want "
}
cd "$PROJECT"
verified='s => s.ok && s.content_verified === true && s.checksum_db === true'

run detect 0 detect --format json
check "detect: a module proxy is verified and relays the checksum database" json "$out" "r.sources.filter(s => s.ecosystem === 'go').some($verified)"
check "detect: the class is known" json "$out" '["direct", "restricted", "proxied"].includes(r.class)'
check "detect: in time" json "$out" 'r.duration_ms > 0 && r.duration_ms <= 3500'

run setup 0 setup --format json
check "setup: allows this repository" json "$out" 'r.decision === "allow" && r.findings.every(f => f.severity !== "error" || f.status !== "active")'
check "setup: the plan names a module proxy" json "$out" 'r.plan.sources.some(s => s.ecosystem === "go" && s.url.startsWith("https://"))'

run check 0 check --format json
check "check: counts what this repository pins" json "$out" 'r.decision === "allow" && r.counts.modules > 10'

# what a user does: eval the lines, then download
module "$work/consumer"
cd "$work/consumer"
job() { # NAME GOPROXY
  erase "$GOMODCACHE"
  # shellcheck disable=SC2016
  check "$1: eval of setup, then go mod download" env "GOPROXY=$2" "BINARY=$binary" \
    bash -ec 'eval "$("$BINARY" setup)"; go mod download; go mod verify'
  check "$1: and was a real download" present "$GOMODCACHE/cache/download/github.com/google/uuid/@v/v1.6.0.zip"
}
job "all well" "$gomod,direct"
job "dead GOPROXY" http://127.0.0.1:1
export GOPROXY=$gomod,direct
run "setup where all is well" 0 setup
check "setup where all is well: one line, and none for the shell" same "$(wc -l <"$err") $(wc -l <"$out")" "1 0"

totals
