#!/usr/bin/env bash
# launcher.sh: what the launcher itself costs where the tool cache has the program, on Node 20 and 24; medians of RUNS
# (default 11). Prints figures only. Takes Node; installs the other one.
#   own    from the end of Node's start until "ready": reading and compiling the script, loading what it imports, and its
#          work, with a program of a few bytes, so that copying and hashing cost nothing
#   import what Node takes of that to load the modules of its own that the launcher imports
#   whole  from starting Node until the first line of a program of SIZE MB (default 26) runs
#   node   from starting Node until the first line of a script runs
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"
export LC_ALL=C
runs=${RUNS:-11} size=${SIZE:-26}
workplace
trap 'erase "$work"' EXIT
"$LAB_ROOT/install.sh" node24 >/dev/null

mkdir -p "$work/action/cmd" "$work/temp" "$work/workspace"
cp -r "$PROJECT/cmd/launcher" "$work/action/cmd/launcher"
# What Node's start is not: the clock begins when a preloaded script has run. It loads nothing, so as to warm up nothing.
cat >"$work/clock.cjs" <<'JS'
const begin = performance.now(), print = console.error
console.error = (text) => print(/ ready in /.test(text) ? `own ${performance.now() - begin} ${text}` : text)
JS
# shellcheck disable=SC2016
echo 'console.log(`at ${(performance.timeOrigin + performance.now()) / 1000}`)' >"$work/first.cjs"
{ grep "^import .* from 'node:" "$PROJECT/cmd/launcher/launch.mjs"; echo "console.error(' ready in ')"; } >"$work/import.mjs"
# A bash script with whatever behind it is a program of any size.
# shellcheck disable=SC2016
printf '#!/bin/bash\necho "at $EPOCHREALTIME"\nexit 0\n' >"$work/small"
{ cat "$work/small"; head -c "$((size * 1000000))" /dev/urandom; } >"$work/large"

# keep FILE: makes it the program of the release, and puts it into the tool cache
keep() {
  # shellcheck disable=SC2016
  node -e '
    const [file, action, tools] = process.argv.slice(1), fs = require("fs"), data = fs.readFileSync(file)
    const sha256 = require("crypto").createHash("sha256").update(data).digest("hex")
    const platform = process.platform + "/" + ({x64: "amd64"}[process.arch] ?? process.arch)
    fs.writeFileSync(action + "/cmd/launcher/manifest.json", JSON.stringify({version: "v1.2.3", go: "go1.26.8", url: "https://release.test", binaries: {[platform]: {asset: "a.gz", sha256, size: data.length}}}))
    const store = tools + "/goproxy-action/v1.2.3/" + sha256
    fs.mkdirSync(store, {recursive: true, mode: 0o700})
    fs.writeFileSync(store + "/goproxy-action", data, {mode: 0o700})
  ' "$1" "$work/action" "$work/tools"
}
launch() { # NODE [FLAG]...
  local node=$1
  shift
  : >"$work/state"
  env -i "PATH=$PATH" "GITHUB_STATE=$work/state" "GITHUB_WORKSPACE=$work/workspace" "RUNNER_TEMP=$work/temp" "RUNNER_TOOL_CACHE=$work/tools" \
    "$node" "$@" "$work/action/cmd/launcher/main.mjs" >"$work/out" 2>&1 || { cat "$work/out" >&2; die "the launcher failed"; }
  grep -q 'tool cache' "$work/out" || { cat "$work/out" >&2; die "it was not the tool cache"; }
  rm -rf "$work/temp"/*
}
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
since() { awk -v a="$1" -v b="$2" 'BEGIN { print (b - a) * 1000 }'; }
times() { # COMMAND...: as often as is measured, after one run that is not
  local i
  "$@" >/dev/null
  for ((i = 0; i < runs; i++)); do "$@"; done | median
}
own() {
  launch "$1" --require "$work/clock.cjs"
  sed -n 's/^own \([0-9.]*\) .*/\1/p' "$work/out"
}
imports() { env -i "$1" --require "$work/clock.cjs" "$work/import.mjs" 2>&1 | sed -n 's/^own \([0-9.]*\) .*/\1/p'; }
whole() {
  local start=$EPOCHREALTIME
  launch "$1"
  since "$start" "$(sed -n 's/^at //p' "$work/out")"
}
bare() {
  local start=$EPOCHREALTIME
  env -i "$1" "$work/first.cjs" >"$work/out" # with NODE_EXTRA_CA_CERTS Node 20 reads the file at its start: 35 ms
  since "$start" "$(sed -n 's/^at //p' "$work/out")"
}

for node in "$(command -v node)" "$LAB_HOME/bin/node24"; do
  n="node $("$node" -p process.versions.node)"
  keep "$work/small"
  say "$n own $(times own "$node") ms (target 15), of which import $(times imports "$node") ms"
  keep "$work/large"
  say "$n whole $(times whole "$node") ms with a program of $size MB, of which node itself $(times bare "$node") ms"
done
