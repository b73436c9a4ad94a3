#!/usr/bin/env bash
# launcher.sh: the launcher of the action as a release's commit has it, on Node 20 and 24: a real program, a real manifest,
# a server for the release, a forward proxy with a password, real builds, and a job in act. Takes Go, Node, npm, git,
# openssl and, for the first build, a network. It builds its own program, by the flags of a release.
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

scene
"$LAB_ROOT/install.sh" act node24

# The action as it is on disk, without what git ignores, and with a manifest.
ACTION_DIR=$work/action
project_copy "$ACTION_DIR"
export ACTION_DIR
version=v0.0.1-lab assets=$work/assets
mkdir "$assets" "$assets/wrong"
(cd "$ACTION_DIR" && CGO_ENABLED=0 GOFLAGS='' go build -trimpath -buildvcs=false \
  -ldflags="-s -w -X main.version=$version -X main.officialGo=$(official_gomod) -X main.officialNPM=$(official_npm)" -o "$assets/program" ./cmd/goproxy-action)
digest() { sha256sum "$1" | cut -d' ' -f1; }
sum=$(digest "$assets/program")
gzip -9nc "$assets/program" >"$assets/program.gz"
{ cat "$assets/program"; echo; } | tail -c +2 >"$assets/wrong/program"
gzip -9nc "$assets/wrong/program" >"$assets/wrong/program.gz"
# shellcheck disable=SC2016
node -e '
  const [dir, version, go, sha256] = process.argv.slice(1), fs = require("fs")
  const platform = process.platform + "/" + ({x64: "amd64"}[process.arch] ?? process.arch)
  const size = fs.statSync(dir + "/../assets/program").size
  fs.writeFileSync(dir + "/cmd/launcher/manifest.json", JSON.stringify({version, go, url: "https://release.test/v1", binaries: {[platform]: {asset: "program.gz", sha256, size}}}))
' "$ACTION_DIR" "$version" "$(go env GOVERSION)" "$sum"

# The server of the release, over https as release.test and over http, and a forward proxy with a login that knows
# release.test. Its first line has the ports; then one line per request.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=lab -addext subjectAltName=DNS:release.test \
  -keyout "$work/key.pem" -out "$work/ca.pem" 2>/dev/null
cat >"$work/server.cjs" <<'JS'
const fs = require('fs'), http = require('http'), https = require('https'), net = require('net')
const [assets, key, cert, login] = process.argv.slice(2)
const serve = (req, res) => {
  const file = assets + req.url.replace(/^\/v1/, '')
  console.log('asked', req.url)
  fs.existsSync(file) ? fs.createReadStream(file).pipe(res) : res.writeHead(404).end()
}
const secure = https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, serve)
const open = http.createServer(serve)
const proxy = http.createServer((req, res) => res.writeHead(403).end()).on('connect', (req, socket) => {
  const right = req.headers['proxy-authorization'] === 'Basic ' + Buffer.from(login).toString('base64')
  console.log(right ? 200 : 407, 'CONNECT', req.url)
  if (!right || req.url !== 'release.test:443') return socket.end(`HTTP/1.1 ${right ? 403 : 407} no\r\n\r\n`)
  const out = net.connect(secure.address().port, '127.0.0.1', () => (socket.write('HTTP/1.1 200 OK\r\n\r\n'), socket.pipe(out).pipe(socket)))
  for (const one of [socket, out]) one.on('error', () => {})
})
const all = [secure, open, proxy]
const up = () => all.every((one) => one.listening) && console.log(all.map((one) => one.address().port).join(' '))
for (const one of all) one.listen(0, '127.0.0.1', up)
JS
password='s3cr/t@Pass+9' encoded=s3cr%2Ft%40Pass%2B9
serve() {
  rm -f "$work/server.log"
  node "$work/server.cjs" "$assets" "$work/key.pem" "$work/ca.pem" "ci:$password" >"$work/server.log" 2>&1 </dev/null &
  server=$!
  started+=("$server")
  wait_for 10 grep -q . "$work/server.log" || die "the server did not start"
  read -r _ open through <"$work/server.log"
}
stop_server() {
  kill "$server"
  wait "$server" 2>/dev/null || true
}
asked() { grep -c '^asked' "$work/server.log" || true; }

# A runner: the tool cache outlives the jobs, and Go's part of it this script as well; a job's own directory is new.
tools=$LAB_HOME/launcher
mkdir -p "$tools"
tools=$(cd "$tools" && pwd -P)
kept=$tools/goproxy-action/$version/$sum/goproxy-action
forget() { erase "$tools/goproxy-action/$version"; }
module "$work/checkout"
mkdir -p "$work/nogo"
for p in npm git; do ln -s "$(command -v "$p")" "$work/nogo/$p"; done
nogo=$work/nogo withgo=$PATH

# job NAME PATH [VARIABLE=VALUE]...: main and post of one job; leaves $log, $rc, the digest of what ran in $ran and copies that are left in $left
job() {
  local name=$1 path=$2 dir
  shift 2
  dir=$(mktemp -d "$work/job.XXXX")
  mkdir "$dir/temp"
  touch "$dir/env" "$dir/output" "$dir/path" "$dir/state" "$dir/summary"
  local run=(env -i "PATH=$path" "HOME=$dir" GITHUB_ACTIONS=true "GITHUB_WORKSPACE=$work/checkout" GITHUB_EVENT_NAME=push "RUNNER_TEMP=$dir/temp" "RUNNER_TOOL_CACHE=$tools"
    "GITHUB_ENV=$dir/env" "GITHUB_OUTPUT=$dir/output" "GITHUB_PATH=$dir/path" "GITHUB_STATE=$dir/state" "GITHUB_STEP_SUMMARY=$dir/summary" INPUT_PROBE=none
    "SSL_CERT_FILE=$work/ca.pem" "$@")
  log=$work/$name.log rc=0
  (cd "$work/checkout" && "${run[@]}" "$node" "$ACTION_DIR/cmd/launcher/main.mjs") >"$log" 2>&1 || rc=$?
  local binary
  binary=$(sed -n '/^binary<</{n;p;}' "$dir/state")
  ran=${binary:+$(digest "$binary")}
  (cd "$work/checkout" && "${run[@]}" "STATE_binary=$binary" "$node" "$ACTION_DIR/cmd/launcher/post.mjs") >>"$log" 2>&1 || rc="$rc, post $?"
  left=$(find "$dir/temp" -type f -name goproxy-action)
  [ -z "${DOORS_LOGS:-}" ] || cp "$log" "$DOORS_LOGS/"
}
ready() { has "$log" "ready in [0-9]+ ms \\($1"; }
went_well() { # NAME WAY: the job succeeded, this way, with the program of the release
  check "$1: the job succeeds" same "$rc" 0
  check "$1: $2" ready "$2"
  check "$1: the program of the release ran" same "$ran" "$sum"
  check "$1: post removed its copy" same "$left" ''
}

for node in "$(command -v node)" "$LAB_HOME/bin/node24"; do
  n="node $("$node" -p process.versions.node)"
  serve
  forget
  job first "$nogo" "HTTPS_PROXY=http://ci:$encoded@127.0.0.1:$through"
  went_well "$n, first job" "downloaded from release.test, $version"
  check "$n, first job: through the forward proxy, with its password" has "$work/server.log" '^200 CONNECT release\.test:443'
  check "$n, first job: the password is nowhere in the log" lacks <(grep -v '^::add-mask::' "$log") 's3cr'
  job second "$nogo" "HTTPS_PROXY=http://ci:$encoded@127.0.0.1:$through"
  went_well "$n, second job" "tool cache, $version"
  check "$n, second job: asked nobody" same "$(asked)" 1

  cp "$assets/wrong/program" "$kept"
  job poisoned "$nogo" "INPUT_HTTPS-PROXY=http://ci:$encoded@127.0.0.1:$through"
  went_well "$n, poisoned tool cache" "downloaded from release.test, $version"
  check "$n, poisoned tool cache: it is said" has "$log" "$(digest "$assets/wrong/program")\\): not used, and removed"
  check "$n, poisoned tool cache: it is mended" same "$(digest "$kept")" "$sum"

  forget
  job wrong "$withgo" "INPUT_DOWNLOAD-BASE-URL=http://127.0.0.1:$open/wrong"
  went_well "$n, wrong download" "built with go"
  check "$n, wrong download: a warning has both digests" has "$log" "^::warning .*$(digest "$assets/wrong/program").*$sum"

  job url "$nogo" "INPUT_BINARY=http://127.0.0.1:$open/program" "INPUT_BINARY-SHA256=$sum"
  went_well "$n, a given address" "given, from 127\\.0\\.0\\.1:$open"
  job changed "$nogo" "INPUT_BINARY=http://127.0.0.1:$open/wrong/program" "INPUT_BINARY-SHA256=$sum"
  check "$n, a given address with another program: ends with 4" same "$rc" 4
  check "$n, a given address with another program: names both digests" has "$log" "^::error .*$(digest "$assets/wrong/program").*$sum"
  check "$n, a given address with another program: nothing is left" same "$left" ''
  stop_server

  forget
  job gone "$withgo" "INPUT_DOWNLOAD-BASE-URL=http://127.0.0.1:$open"
  went_well "$n, nobody answers" "built with go"
  check "$n, nobody answers: the reason is said" has "$log" 'no download from 127\.0\.0\.1:[0-9]+: connect ECONNREFUSED'
  check "$n, nobody answers: the same bytes were built, and are kept" same "$(digest "$kept")" "$sum"
  job after "$nogo"
  went_well "$n, the job after it" "tool cache, $version"
  say "     $n: $(for l in first second gone after; do sed -n 's/.*ready in \([0-9]* ms\) (\(.*\))$/\1 \2; /p' "$work/$l.log" | tr -d '\n'; done)"
done

# One job of the real kind: act checks out, starts main and, in the end, post.
serve
dir=$work/consumer
module "$dir"
mkdir -p "$dir/.github/workflows"
cat >"$dir/.github/workflows/w.yml" <<YAML
on: [push]
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - {uses: org/goproxy-action@v1, with: {download-base-url: "http://127.0.0.1:$open/", probe: none}}
YAML
git -C "$dir" init -q -b main
git -C "$dir" remote add origin https://github.com/example/consumer.git
git -C "$dir" add -A
git -C "$dir" -c user.name=lab -c user.email=lab@example.test commit -q -m consumer
act() {
  log=$work/act$1.log rc=0
  (cd "$dir" && ACT_HOME=$work/home timeout 300 "$LAB_ROOT/act-host") >"$log" 2>&1 || rc=$?
  [ -z "${DOORS_LOGS:-}" ] || cp "$log" "$DOORS_LOGS/"
}
act 1
check "act: the release is downloaded" ready "downloaded from 127\\.0\\.0\\.1:$open, $version"
check "act: the step succeeds" has "$log" 'Success - Main org/goproxy-action@v1'
check "act: post ran" has "$log" 'Success - Post org/goproxy-action@v1'
check "act: the job succeeds" same "$rc" 0
act 2
check "act: the next job takes the tool cache" ready "tool cache, $version"
check "act: and asks nobody" same "$(asked)" 1

totals
