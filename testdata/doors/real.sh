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

# what the real sources say of versions: the same as the go command makes of it, and as the registry's own document has it
claims=$work/claims
mkdir -p "$claims/.goproxy"
cd "$claims"
versions=(github.com/golang/protobuf@v1.5.4 k8s.io/client-go@v11.0.0+incompatible github.com/google/uuid@v1.6.0)
{ printf 'module example.test/claims\n\ngo 1.24\n\n' && printf 'require %s\n' "${versions[@]/@/ }"; } >go.mod
npm=$(official_npm)
printf '{"name": "claims", "version": "1.0.0"}\n' >package.json
cat >package-lock.json <<'EOF'
{"name": "claims", "version": "1.0.0", "lockfileVersion": 3, "packages": {
"": {"name": "claims", "version": "1.0.0"},
"node_modules/request": {"version": "2.88.2"},
"node_modules/left-pad": {"version": "1.3.0"}
}}
EOF
settings() { # AGE
  printf 'releases: all\nseverity: {MOD010: off, LCK003: off}\nage: {go: %s, npm: %s}\nofficial: {npm: "%s"}\n' "$1" "$1" "$npm" >.goproxy/config.yaml
}
settings 1h
run "claims" 0 check --format json
found() { # RULE...: what the program found, as RULE NAME@VERSION
  node -e 'const r = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))
    for (const f of r.findings) if (process.argv.includes(f.id) && f.status === "active") console.log(f.id, f.subject)' "$out" "$@" | sort
}
list() { (cd "$work" && GOFLAGS=-mod=mod go list -m -u -retracted -json "$@"); }
truth=$(for v in "${versions[@]}"; do
  list "$v" | node -e 'const m = JSON.parse(require("fs").readFileSync(0, "utf8"))
    if (m.Retracted) console.log("MOD003", m.Path + "@" + m.Version)
    if (m.Deprecated) console.log("MOD004", m.Path + "@" + m.Version)'
done | sort)
check "claims: the go command knows a retracted and a deprecated module" same "$(cut -d' ' -f1 <<<"$truth" | sort -u | tr '\n' ' ')" "MOD003 MOD004 "
check "claims: the same modules are retracted and deprecated for both" same "$(found MOD003 MOD004)" "$truth"
truth=$(for v in request@2.88.2 left-pad@1.3.0; do
  curl -fsS --max-time 60 "$npm/${v%@*}" | node -e 'const r = JSON.parse(require("fs").readFileSync(0, "utf8")), v = process.argv[1]
    console.log("DATE", r.name + "@" + v, new Date(r.time[v]).toISOString().slice(0, 16) + "Z")
    if (r.versions[v].deprecated) console.log("LCK015", r.name + "@" + v)' "${v#*@}"
done | sort)
check "claims: the same packages are deprecated for the registry" same "$(found LCK015)" "$(grep LCK015 <<<"$truth" || true)"

settings 3650d
run "claims, too young" 1 check --format json
check "claims: packages have the registry's dates" same "$(node -e 'const r = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))
  for (const f of r.findings) if (f.id === "LCK014") console.log("DATE", f.subject, /\(([^)]*)\)/.exec(f.message)[1])' "$out" | sort)" "$(grep DATE <<<"$truth")"
dated=$(list "${versions[2]}" | node -e 'console.log(JSON.parse(require("fs").readFileSync(0, "utf8")).Time.slice(0, 16) + "Z")')
check "claims: a module has the date that the go command knows" json "$out" "r.findings.some(f => f.id === 'MOD005' && f.subject === '${versions[2]}' && f.message.includes('($dated)'))"
run "claims, offline" 0 check --format json --offline
check "claims, offline: it is said that nobody was asked" json "$out" "r.not_asked.some(t => t.includes('LCK014') && t.includes('MOD005'))"

totals
