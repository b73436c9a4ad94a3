# shellcheck shell=bash
# What the scripts of the lab and of the doors share. To be sourced, after `set -euo pipefail`.

: "${LAB_HOME:=${XDG_CACHE_HOME:-${HOME:?}/.cache}/goproxy-lab}"
mkdir -p "$LAB_HOME"
LAB_HOME=$(cd "$LAB_HOME" && pwd -P)
LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
PROJECT=$(cd "$LAB_ROOT/../.." && pwd -P)
export LAB_HOME

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# need PROGRAM PART: stop with the remedy when a program is missing
need() { [ -x "$(command -v "$1" 2>/dev/null)" ] || die "$1 is missing: run $LAB_ROOT/install.sh $2"; }

# The official sources, as the toolchains on this machine know them.
official_gomod() { sed -n 's/^GOPROXY=//p' "$(go env GOROOT)/go.env" | tr ',|' '\n' | grep -m1 '^https\?://'; }
official_npm() { (cd / && env -u npm_config_registry -u NPM_CONFIG_REGISTRY npm config get registry 2>/dev/null) | sed 's,/*$,,'; }
host_of() { sed -E 's,^[a-z]+://([^/:]+).*,\1,' <<<"$1"; }

# workplace: makes $work, which the script erases at its end; what programs leave in TMPDIR goes there as well
workplace() {
  work=$(mktemp -d)
  mkdir "$work/tmp"
  export TMPDIR=$work/tmp
}

# scene: a workplace whose servers end with the script, and in which git is told nothing by a hook that we may run in
scene() {
  workplace
  started=()
  trap end_scene EXIT
  # shellcheck disable=SC2046
  unset $(git rev-parse --local-env-vars)
}
end_scene() {
  local p
  for p in ${started[@]+"${started[@]}"}; do kill "$p" 2>/dev/null || true; done
  erase "$work"
}

# server FILE COMMAND...: started in the background of a scene; $address is its first line
server() {
  local file=$1
  shift
  "$@" >"$file" 2>&1 </dev/null &
  started+=("$!")
  wait_for 10 grep -q . "$file" || die "$1 did not start"
  # shellcheck disable=SC2034 # for the caller
  address=$(head -n 1 "$file")
}

# project_copy DIR: the project as it is on disk, without what git ignores
project_copy() {
  mkdir -p "$1"
  (cd "$PROJECT" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
    [ ! -e "$f" ] || printf '%s\0' "$f"
  done | tar --null -T - -cf -) | tar -xf - -C "$1"
}

# build_binary FILE: the program as users get it
build_binary() { (cd "$PROJECT" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$1" ./cmd/goproxy-action); }

# erase DIR...: also where a module cache is in it, whose directories are read-only
erase() { chmod -R u+w "$@" 2>/dev/null || true; rm -rf "$@"; }

# Checks. Each prints "ok NAME" or "FAIL NAME: why"; totals ends a script.
passed=0 failed=0
ok() { passed=$((passed + 1)); say "ok $1"; }
fail() { failed=$((failed + 1)); say "FAIL $1: ${2:-}"; }
totals() { say "$passed passed, $failed failed"; [ "$failed" = 0 ]; }

# check NAME COMMAND...: the command succeeds; its last words are the why
check() {
  local name=$1 out
  shift
  if out=$("$@" 2>&1); then ok "$name"; else fail "$name" "$(tail -n 3 <<<"$out" | tr '\n' ' ' | cut -c1-1000)"; fi
}

same() { [ "$1" = "$2" ] || { say "got '$1', want '$2'"; return 1; }; }
has() { grep -qE -e "$2" -- "$1" || { say "nothing like '$2' in: $(tail -n 3 -- "$1" | tr '\n' ' ')"; return 1; }; }
lacks() { ! grep -nE -m1 -e "$2" -- "$1" || return 1; }
present() { [ -e "$1" ] || { say "$1 is not there"; return 1; }; }
absent() { [ ! -e "$1" ] || { say "$1 is there"; return 1; }; }

# json FILE EXPRESSION: the JavaScript expression over `r`, the file's value, is true
json() {
  node -e 'const text = require("fs").readFileSync(process.argv[1], "utf8")
    let v
    try { const r = JSON.parse(text); v = eval(process.argv[2]) } catch (e) { v = String(e) }
    if (v !== true) { console.log(process.argv[2], "is", JSON.stringify(v), "in", text.replace(/\s+/g, " ").slice(0, 1500)); process.exit(1) }' "$1" "$2"
}

# module DIR: a small checkout of real Go code with a correct go.mod and go.sum, made by the go on this machine
module() {
  mkdir -p "$1"
  printf 'module example.test/consumer\n\ngo 1.24\n' >"$1/go.mod"
  printf 'package consumer\n\nimport _ "github.com/google/uuid"\n' >"$1/consumer.go"
  local cache
  cache=$(mktemp -d)
  (cd "$1" && GOWORK=off GOFLAGS=-modcacherw GOPATH=$cache GOMODCACHE=$cache/mod go get github.com/google/uuid@v1.6.0) >"$cache.log" 2>&1 ||
    { cat "$cache.log" >&2; die "the module for the tests could not be made"; }
  rm -rf "$cache" "$cache.log"
}

# Daemons. A pid file holds the pid and the time the process started, so that a pid used anew is never taken for ours.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
is_zombie() { [ "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f1)" = Z ]; }

# daemon_start DIR NAME COMMAND...: log in DIR/NAME.log, pid in DIR/NAME.pid
daemon_start() {
  local dir=$1 name=$2 pid
  shift 2
  setsid "$@" >"$dir/$name.log" 2>&1 </dev/null &
  pid=$!
  printf '%s %s\n' "$pid" "$(started_at "$pid")" >"$dir/$name.pid"
}

daemon_alive() { # DIR NAME
  local pid since
  read -r pid since 2>/dev/null <"$1/$2.pid" || return 1
  [ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ] && ! is_zombie "$pid"
}

daemon_signal() { # DIR NAME SIGNAL
  local pid
  daemon_alive "$1" "$2" || return 0
  read -r pid _ <"$1/$2.pid"
  kill "-$3" "$pid" 2>/dev/null || true
}

daemon_stop() { # DIR NAME
  local i
  daemon_signal "$1" "$2" CONT
  daemon_signal "$1" "$2" TERM
  for i in {1..50}; do
    daemon_alive "$1" "$2" || break
    [ "$i" -lt 40 ] || daemon_signal "$1" "$2" KILL
    sleep 0.1
  done
  rm -f "$1/$2.pid"
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}
