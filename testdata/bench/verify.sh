#!/usr/bin/env bash
# verify.sh [BINARY]: times verify beside the client library of the go command (golang.org/x/mod/sumdb, at its best of 1, 8
# and 32 lookups at once, its cache in memory), on the lines of Kubernetes' go.sum and on 11,000 lines of many modules. Both
# ask one relay of ours, which has the real log's answers at hand, near by and as if it were 100 ms away. Runs take turns.
# Takes Go, Node and a network. Without BINARY it builds the stripped one. RUNS=N counts N runs of each (default 5) after one
# that does not count. The median decides. Exit 1: a target is missed.
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"
export LC_ALL=C
runs=${RUNS:-5}
if [ $# -gt 1 ] || [[ ${1:-} == -* ]] || ! [[ $runs =~ ^[1-9][0-9]*$ ]]; then
  sed -n '2,6s/^# //p' "$0" >&2
  exit 2
fi
scene
if [ $# = 1 ]; then
  ours=$(cd "$(dirname "$1")" && pwd -P)/$(basename "$1")
else
  ours=$work/goproxy-action
  build_binary "$ours"
fi
official=$(official_gomod)
tool=$work/sumdb measure=$work/measure
(cd "$PROJECT" && CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags='-s -w' -o "$tool" ./testdata/bench/sumdb)
(cd "$LAB_ROOT" && GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -buildvcs=false -o "$measure" ./tools/measure)
unset GITHUB_ACTIONS GOFLAGS GOPRIVATE GONOSUMDB GONOPROXY
export GOENV=off HOME=$work/home
mkdir -p "$work/home"
cd "$work"

# The lines. Those that the log does not have are left out: the library ends at one.
modules=(k8s.io/kubernetes@v1.36.3 github.com/influxdata/telegraf@v1.32.0 github.com/spf13/viper@v1.16.0 github.com/golangci/golangci-lint@v1.60.0
  github.com/prometheus/prometheus@v0.37.0 github.com/hashicorp/packer@v1.8.0 github.com/hashicorp/terraform@v1.13.3
  github.com/traefik/traefik/v2@v2.11.0 github.com/goreleaser/goreleaser/v2@v2.12.5 github.com/anchore/syft@v1.20.0
  github.com/rclone/rclone@v1.76.0 github.com/hashicorp/vault@v1.13.0 github.com/traefik/traefik/v3@v3.7.13 github.com/thanos-io/thanos@v0.40.1
  github.com/grafana/loki/v3@v3.7.8 github.com/hashicorp/terraform@v1.3.0 github.com/aquasecurity/trivy@v0.58.0)
kept=$LAB_HOME/verify
mkdir -p "$kept"
if [ ! -s "$kept/go.sum" ]; then
  say "  gathering the lines of ${#modules[@]} modules ..."
  "$tool" union "$official" 11100 "${modules[@]}" >"$kept/half"
  mv "$kept/half" "$kept/go.sum"
fi
server relay "$tool" relay "$official"
relay=$address
checkout() { # DIR: a go.sum from stdin
  mkdir -p "$1"
  printf 'module example.test/many\n\ngo 1.26\n' >"$1/go.mod"
  cat >"$1/go.sum"
}
at() { export GOPROXY=$1 GOSUMDB="sum.golang.org $1/sumdb/sum.golang.org"; }
at "$relay"
checkout all <"$kept/go.sum"
"$ours" verify --format json --cache all.cache all >all.json || [ $? = 3 ]
# shellcheck disable=SC2016
node -e 'const fs = require("fs"), r = JSON.parse(fs.readFileSync("all.json", "utf8")), out = new Set(r.problems.map(p => p.line))
  const left = fs.readFileSync("all/go.sum", "utf8").trimEnd().split("\n").filter((_, i) => !out.has(i + 1))
  if (left.length < 11000) { console.error(`${left.length} lines are in the log`); process.exit(1) }
  fs.writeFileSync("lines", left.slice(0, 11000).join("\n") + "\n")'
"$tool" union "$official" 522 "${modules[0]}" | checkout kubernetes
sizes=(100 1000 5000 11000)
for n in "${sizes[@]}"; do head -n "$n" lines | checkout "lines-$n"; done

# Both are right, and both find what is wrong.
report() { "$ours" verify --format json "$@" >report.json; }
finds() {
  report --cache c "$1" && json report.json "r.lines.verified === $2" || return 1
  "$tool" client -parallel 8 "$relay" "$1/go.sum"
}
check "Kubernetes: both verify 522 lines" finds kubernetes 522
check "11,000 lines: both verify them" finds lines-11000 11000
sed '7s,h1:.,h1:_,;7s,_,A,' kubernetes/go.sum | checkout wrong
cmp -s wrong/go.sum kubernetes/go.sum && sed -i '7s,h1:.,h1:B,' wrong/go.sum
refused() { if report --cache c wrong || "$tool" client "$relay" wrong/go.sum; then return 1; fi; }
check "Kubernetes with one character changed: both refuse" refused
totals || exit 1
modules_of() { awk '{ sub(/\/go.mod$/, "", $2); m[$1 "@" $2] } END { for (x in m) n++; print n }' "$1/go.sum"; }
asked() { report --cache "$(mktemp -d)" "$1" && node -p 'JSON.parse(require("fs").readFileSync("report.json", "utf8")).requests'; }
{
  for dir in kubernetes lines-11000; do printf '%s\t%s\t%s\n' "$dir" "$(asked $dir)" "$(modules_of $dir)"; done
} >requests.tsv
report --cache c --write-proof kubernetes.proof kubernetes
wc -c <kubernetes.proof | tr -d ' ' >proof.size

server far "$tool" relay -delay 100ms "$relay"
far=$address
"$ours" verify --cache c kubernetes >/dev/null
plan() { printf '%s\t%s\t0' "$1" "$2" && shift 2 && printf '\t%s' "$@" && printf '\n'; }
# shellcheck disable=SC2016
cold() { plan "$1" "$2" sh -c 'rm -rf "$3"; GOPROXY=$4 GOSUMDB="sum.golang.org $4/sumdb/sum.golang.org" exec "$1" verify --cache "$3" "$2"' - "$ours" "$3" cold "$4"; }
{
  cold "kubernetes/cold/verify" "$runs" kubernetes "$relay"
  for n in 1 8 32; do plan "kubernetes/cold/x-mod $n" "$runs" "$tool" client -parallel $n "$relay" kubernetes/go.sum; done
  plan "kubernetes/warm/verify" "$runs" "$ours" verify --cache c kubernetes
  plan "kubernetes/proof/verify" "$runs" "$ours" verify --proof kubernetes.proof --offline --cache none kubernetes
  cold "kubernetes/far/verify" "$runs" kubernetes "$far"
  plan "kubernetes/far/x-mod 32" "$runs" "$tool" client -parallel 32 "$far" kubernetes/go.sum
  for n in "${sizes[@]}"; do
    cold "lines-$n/cold/verify" "$runs" "lines-$n" "$relay"
    plan "lines-$n/warm/verify" "$runs" "$ours" verify --cache c "lines-$n"
  done
  for n in 8 32; do plan "lines-11000/cold/x-mod $n" "$runs" "$tool" client -parallel $n "$relay" lines-11000/go.sum; done
} >plan.tsv
load() { cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || uptime | sed 's/.*average[s]*: //'; }
printf '\n%s, %s processors, load %s\n' "$(uname -sm)" "$(getconf _NPROCESSORS_ONLN)" "$(load)"
"$measure" <plan.tsv >runs.tsv
printf 'load %s at the end, %s runs of each\n\n' "$(load)" "$runs"
node "$PROJECT/testdata/bench/verify.mjs" runs.tsv requests.tsv proof.size
