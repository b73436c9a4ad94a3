#!/usr/bin/env bash
# speed.sh [BINARY]: times the whole program, from outside, against its targets. Without BINARY it builds the stripped one.
# Takes bash 5, node and, to build, go. RUNS=N counts N runs of each measure (default 11) after one that is not counted.
# The median decides. Exit 1: a target is missed. What could not be measured is named and misses nothing.
set -euo pipefail
export LC_ALL=C
unset GITHUB_ACTIONS # as in a terminal: in a job setup would hand over to the following steps
runs=${RUNS:-11}
if [ $# -gt 1 ] || [[ ${1:-} == -* ]] || ! [[ $runs =~ ^[1-9][0-9]*$ ]]; then
  sed -n '2,4s/^# //p' "$0" >&2
  exit 2
fi
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# = 1 ]; then
  binary=$(cd "$(dirname "$1")" && pwd -P)/$(basename "$1")
else
  binary=$work/goproxy-action
  (cd "$project" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$binary" ./cmd/goproxy-action)
fi
mkdir "$work/of" # figures, a file for each measure
cd "$work"
missed=0 left=()

# fail REASON: the measures would say nothing; shows what the last command said.
fail() {
  printf 'speed.sh: %s\n' "$1" >&2
  tail -n 20 out err >&2
  exit 2
}

# took NAME COMMAND...: adds the milliseconds of one run to the figures of NAME. The run has to end well.
took() {
  local name=$1 start end
  shift
  start=${EPOCHREALTIME/./}
  "$@" >out 2>err </dev/null || fail "exit $?: $*"
  end=${EPOCHREALTIME/./}
  awk -v us=$((end - start)) 'BEGIN { print us / 1000 }' >>"of/$name"
}

# peak NAME COMMAND...: adds the most memory (MB) that one run held, by the system's account or, without time(1), as /proc showed it on the way.
peak() {
  local name=$1 pid kib=0 status
  shift
  if /usr/bin/time -f %M -o kib true 2>/dev/null; then
    /usr/bin/time -f %M -o kib "$@" >out 2>err </dev/null || fail "exit $?: $*"
    kib=$(tail -n 1 kib)
  elif [ -r /proc/self/status ]; then
    "$@" >out 2>err </dev/null &
    pid=$!
    while status='' && { read -r -d '' status <"/proc/$pid/status" || [ -n "$status" ]; } 2>/dev/null && [[ $status != *State:?Z* ]]; do
      [[ ! $status =~ VmHWM:[[:space:]]+([0-9]+) ]] || kib=${BASH_REMATCH[1]}
    done
    wait "$pid" || fail "exit $?: $*"
  else
    return 1
  fi
  awk -v kib="$kib" 'BEGIN { print kib * 1024 / 1e6 }' >>"of/$name"
}

# pairs NAME A B: the figures A/B, run by run, so that they hold where the machine's speed drifts.
pairs() { paste "of/$2" "of/$3" | awk '{ print $1 / $2 }' >"of/$1"; }

line() { printf '%-52s | %8s | %8s | %8s | %7s | %s\n' "$@"; }

# row LABEL NAME [TARGET]: one line of the table; the median has to be below TARGET.
row() {
  local min median max ok=''
  read -r min median max < <(sort -g "of/$2" | awk '{ v[NR] = $1 }
    END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; printf "%.1f %.1f %.1f\n", v[1], m, v[NR] }')
  if [ $# = 3 ]; then
    ok=yes
    awk -v m="$median" -v t="$3" 'BEGIN { exit !(m < t) }' || { ok=NO && missed=$((missed + 1)); }
  fi
  line "$1" "$min" "$median" "$max" "${3:+< $3}" "$ok"
}

# lock N: a package-lock.json of N packages as npm writes it, every one with an address and a sha512 of its own.
lock() {
  mkdir "lock$1"
  node -e '
    const {createHash} = require("crypto"), packages = {"": {name: "app", version: "1.0.0"}}
    for (let i = 0; i < process.argv[1]; i++) {
      const name = "package-" + i, version = "1." + i % 10 + "." + i % 7
      packages["node_modules/" + name] = {version, resolved: "https://registry.npmmirror.com/" + name + "/-/" + name + "-" + version + ".tgz",
        integrity: "sha512-" + createHash("sha512").update(name).digest("base64"), license: "MIT", engines: {node: ">=10"}}
    }
    const text = value => JSON.stringify(value, null, 2) + "\n"
    require("fs").writeFileSync("package.json", text(packages[""]))
    require("fs").writeFileSync("package-lock.json", text({name: "app", version: "1.0.0", lockfileVersion: 3, packages}))' "$1"
  mv package.json package-lock.json "lock$1"
}

printf '%s, %s processors, node %s, %d runs\n\n' "$(uname -sm)" "$(getconf _NPROCESSORS_ONLN)" "$(node -p process.versions.node)" "$runs"
line measure min median max target ok
line ------- --- ------ --- ------ --

# start and size
for ((i = 0; i <= runs; i++)); do
  took version "$binary" version
  took empty "$(type -P true)"
  [ "$i" != 0 ] || rm of/*
done
row 'version, ms' version 30
row '  an empty process (true), ms' empty
wc -c <"$binary" | awk '{ print $1 / 1e6 }' >of/size
row 'size of the binary, MB' size 40

# check, beside the raw limit and a rival
parse='JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))'
rival=$work/rival/node_modules/.bin/lockfile-lint
npm install --prefix "$work/rival" --ignore-scripts --no-audit --no-fund --fetch-retries 0 --fetch-timeout 10000 \
  lockfile-lint@5.0.1 >out 2>err </dev/null || left+=("the rival lockfile-lint 5.0.1: npm could not install it")
for n in 10000 50000; do
  lock "$n"
  "$binary" check --format json "lock$n" >out 2>err || fail "check denies the lock file of $n packages"
  node -e 'process.exit(JSON.parse(require("fs").readFileSync("out", "utf8")).counts.packages == process.argv[1] ? 0 : 1)' "$n" ||
    fail "check has not seen $n packages"
done
for ((i = 0; i <= runs; i++)); do
  took check10k "$binary" check lock10000
  took parse10k node -e "$parse" lock10000/package-lock.json
  [ ! -x "$rival" ] || took rival10k "$rival" --path lock10000/package-lock.json --type npm \
    --allowed-hosts registry.npmmirror.com --validate-https --validate-integrity
  took check50k "$binary" check lock50000
  took here "$binary" check "$project"
  [ "$i" != 0 ] || rm of/{check,parse,rival}*k of/here 2>/dev/null || true
done
row 'check, 10,000 packages, ms' check10k 250
row '  raw limit: JSON.parse in node, ms' parse10k
pairs limit check10k parse10k
row '  check / raw limit' limit
if [ -x "$rival" ]; then
  row '  rival: lockfile-lint 5.0.1, ms' rival10k
  pairs rival rival10k check10k
  row '  rival / check' rival
fi
row 'check, 50,000 packages, ms' check50k
for n in 10 50; do
  for ((i = 0; i < 3; i++)); do
    peak "peak$n" "$binary" check "lock${n}000" || break
  done
  if [ -e "of/peak$n" ]; then row "check, $n,000 packages, memory, MB" "peak$n"; else left+=("memory: no time(1) and no /proc"); fi
done
row 'check, this repository, ms' here

# setup where all is well, beside the slowest source that it has to ask. A network has its bad moments: a run that meets
# one is made again, and told.
well='const o = JSON.parse(require("fs").readFileSync("out", "utf8")), rows = o.detect.sources
  if (o.changes.length || !rows.length || rows.some(r => !r.ok)) process.exit(1)
  console.log(Math.max(...rows.map(r => r.ttfb_ms)))'
good=0 bad=0
while [ "$good" -le "$runs" ] && [ "$bad" -le 3 ]; do
  start=${EPOCHREALTIME/./}
  if "$binary" setup --format json "$project" >out 2>err </dev/null; then code=0; else code=$?; fi
  end=${EPOCHREALTIME/./}
  if [ "$code" != 0 ] || ! probe=$(node -e "$well"); then
    bad=$((bad + 1)) said="exit $code after $(((end - start) / 1000)) ms"
  elif good=$((good + 1)) && [ "$good" -gt 1 ]; then
    awk -v us=$((end - start)) -v probe="$probe" 'BEGIN { print us / 1000, probe, us / 1000 - probe }' >>of/each
  fi
done
[ "$bad" = 0 ] || left+=("$bad of $((good + bad)) runs of setup, where all was not well on this network; the last: $said")
if [ "$good" -gt "$runs" ]; then
  awk '{ print $1 >"of/setup"; print $2 >"of/probe"; print $3 >"of/over" }' of/each
  row 'setup where all is well, ms' setup
  row '  raw limit: first byte of its slowest probe, ms' probe
  row '  setup - raw limit, ms' over 100
fi

printf '\n'
[ ${#left[@]} = 0 ] || printf 'not measured: %s\n' "${left[@]}"
[ "$missed" = 0 ] || { printf 'missed: %d\n' "$missed" && exit 1; }
printf 'no target is missed\n'
