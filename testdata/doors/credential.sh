#!/usr/bin/env bash
# credential.sh [BINARY]: private sources on loopback that want a password, a token, a header, a client certificate or an
# exchanged token, with the real go and npm. They relay the official sources. Without BINARY the program is built first.
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

gomod=$(official_gomod) npm=$(official_npm)
scene
binary=${1:-$work/goproxy-action}
[ $# -gt 0 ] || build_binary "$binary"
unset GITHUB_ACTIONS GITLAB_CI NETRC GOAUTH GOPROXY npm_config_registry
(cd "$LAB_ROOT" && GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -buildvcs=false -o "$work/private" ./private)
module "$work/consumer"

# The secrets, in all the forms that somebody could have written them in.
CORP_PASSWORD='p&ss/w0rd+hidden' CORP_TOKEN=t0ken.hidden-1 CORP_KEY=AKCkey-hidden
EXCHANGED=exchanged.hidden IDENTITY=identity.hidden REQUEST_TOKEN=request.hidden
export CORP_PASSWORD CORP_TOKEN CORP_KEY EXCHANGED IDENTITY REQUEST_TOKEN
forms() {
  local s
  for s in "$CORP_PASSWORD" "$CORP_TOKEN" "$CORP_KEY" "$EXCHANGED" "$IDENTITY" "$REQUEST_TOKEN" "ci:$CORP_PASSWORD"; do
    printf '%s\n' "$s"
    printf %s "$s" | base64 -w0
    printf '\n'
    node -p 'encodeURIComponent(process.argv[1])' "$s"
  done
}
forms | sort -u >"$work/forms"

server "$work/sources" "$work/private" -dir "$work" -go "$gomod" -npm "$npm"
wait_for 10 grep -q '^hop ' "$work/sources" || die "the sources did not start"
at() { sed -n "s/^$1 //p" "$work/sources"; }
log=$work/log
cat "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$work/ca.pem" >"$work/bundle.pem"
export SSL_CERT_FILE=$work/bundle.pem NODE_EXTRA_CA_CERTS=$work/ca.pem npm_config_cafile=$work/bundle.pem
unset SSL_CERT_DIR
export HOME=$work/home XDG_CACHE_HOME=$work/cache GOFLAGS=-modcacherw GOMODCACHE=$work/mod GOCACHE=$work/build npm_config_cache=$work/npm
export npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false npm_config_fetch_retries=0
mkdir -p "$HOME"
printf 'machine other.example login me password mine\n' >"$HOME/.netrc"
# shellcheck disable=SC2016
printf '//other.example/:_authToken=${OTHER_TOKEN}\n' >"$HOME/.npmrc"
chmod 600 "$HOME/.netrc" "$HOME/.npmrc"

# settings ENTRY...: the checkout names credentials
cd "$work/consumer"
mkdir -p .goproxy
settings() {
  printf 'credentials:\n' >.goproxy/config.yaml
  printf '  - {%s}\n' "$@" >>.goproxy/config.yaml
}
# watched COMMAND...: the command, while every command line of the machine is read for a secret
watched() {
  local rc=0 watcher
  (while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -aF -f "$work/forms" >>"$work/argv" || true; done) &
  watcher=$!
  "$@" || rc=$?
  kill "$watcher"
  wait "$watcher" 2>/dev/null || true
  return $rc
}
# job COMMAND: a shell that evaluates the lines of setup, then the command, with nothing of the secrets but what is in files
job() {
  # shellcheck disable=SC2016
  BINARY=$binary watched env "$@" dash -ec 'lines=$("$BINARY" setup --credentials 2>"$TMPDIR/said"); eval "$lines"
    unset CORP_PASSWORD CORP_TOKEN CORP_KEY EXCHANGED IDENTITY REQUEST_TOKEN
    : >"$TMPDIR/where"; for f in "${NETRC:-}" "${npm_config_userconfig:-}" "${GOAUTH:-}"; do printf "%s\n" "$f" >>"$TMPDIR/where"; done
    stat -c %a "$(dirname "$GOPROXY_ACTION_JOURNAL")" "$(dirname "$GOPROXY_ACTION_JOURNAL")"/* | sort -u | tr "\n" " " >"$TMPDIR/modes"
    rc=0; sh -c "$COMMAND" || rc=$?
    eval "$("$BINARY" restore)"
    [ -z "${NETRC:-}${GOAUTH:-}${npm_config_userconfig:-}" ] || exit 9
    exit $rc'
}
quiet() { # FILE NAME: nothing of a secret is in it
  if grep -aqF -f "$work/forms" "$1"; then fail "$2" "$(grep -anF -f "$work/forms" "$1" | head -n 2)"; else ok "$2"; fi
}
shown() { # SOURCE: how many requests it had that showed the right thing, and how many not
  awk -v n="$1" '$1 == n && $3 ~ /^\/(go|npm)\// { c[$2]++ } END { printf "%d right, %s wrong\n", (c["true"] > 0), c["false"] + 0 }' "$log"
}

declare -A entry=(
  [basic]='type: basic, username: ci, password-env: CORP_PASSWORD'
  [token]='type: bearer, token-env: CORP_TOKEN'
  [key]='type: header, header: X-Key, token-env: CORP_KEY'
  [mtls]="type: mtls, cert-file: $work/client.pem, key-file: $work/client.key"
  [oidc]="type: oidc, token-endpoint: \"$(at oidc)/token\", audience: corp"
)
export ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN=$REQUEST_TOKEN
ACTIONS_ID_TOKEN_REQUEST_URL=$(at oidc)/identity

for kind in basic token key oidc; do
  : >"$log"
  erase "$GOMODCACHE"
  below=/go
  [ $kind != basic ] || below=
  settings "source: \"$(at $kind)$below\", ${entry[$kind]}"
  check "go, $kind: setup, then go mod download" job "GOPROXY=$(at $kind)/go" COMMAND='go mod download && go mod verify'
  by=goauth.sh
  [ $kind != basic ] || by=netrc
  check "go, $kind: by a file of the run" has "$TMPDIR/where" "/goproxy-action-[0-9]+/$by"
  check "go, $kind: a real download" present "$GOMODCACHE/cache/download/github.com/google/uuid/@v/v1.6.0.zip"
  check "go, $kind: every request showed it" same "$(shown $kind)" "1 right, 0 wrong"
  check "go, $kind: nobody else was asked" same "$(awk -v n=$kind '$1 != n' "$log")" ""
  check "go, $kind: the files are this user's alone" same "$(cat "$TMPDIR/modes")" "600 700 "
  quiet "$TMPDIR/said" "go, $kind: the report holds no secret"
  check "go, $kind: restore leaves nothing" same "$(find "$TMPDIR" -name 'goproxy-action-*')" ""
  erase "$GOMODCACHE"
  if GOPROXY=$(at $kind)/go go mod download >"$work/alone" 2>&1; then fail "go, $kind: a neighbour is refused" "it was not"; else check "go, $kind: a neighbour is refused" has "$work/alone" '401'; fi
done
settings "source: \"$(at basic)\", ${entry[basic]}"
check "go: the user's own netrc is kept" job "GOPROXY=$(at basic)/go" COMMAND="grep -q 'machine other.example login me password mine' \"\$NETRC\""

: >"$log"
settings "source: \"$(at mtls)\", ${entry[mtls]}"
check "go, mtls: setup asks with the certificate" env "GOPROXY=$(at mtls)/go" "$binary" detect --credentials --format json --output "json=$work/detect.json"
check "go, mtls: and is answered" json "$work/detect.json" "r.sources.some(s => s.url === '$(at mtls)/go' && s.ok && s.content_verified === true)"
check "go, mtls: to nobody else" same "$(awk '$1 != "mtls"' "$log")" ""
env "GOPROXY=$(at mtls)/go" "$binary" setup --credentials >"$work/out" 2>"$work/said" || true
check "go, mtls: that go cannot is said" has "$work/said" 'go cannot show the credential .*: it has no setting for client certificates'

# npm: the lock file says nothing of where
mkdir -p "$work/app/.goproxy"
cd "$work/app"
printf '{"name": "app", "version": "1.0.0", "dependencies": {"is-number": "7.0.0"}}\n' >package.json
cat >package-lock.json <<'LOCK'
{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {
"": {"name": "app", "version": "1.0.0", "dependencies": {"is-number": "7.0.0"}},
"node_modules/is-number": {"version": "7.0.0", "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}
}}
LOCK
for kind in basic token mtls oidc; do
  : >"$log"
  rm -rf node_modules "$work/npm"
  below=/npm
  [ $kind != mtls ] || below=
  settings "source: \"$(at $kind)$below\", ${entry[$kind]}"
  check "npm, $kind: setup, then npm ci in dash" job "npm_config_registry=$(at $kind)/npm/" COMMAND='npm ci'
  check "npm, $kind: a real package" present node_modules/is-number/package.json
  check "npm, $kind: every request showed it" same "$(shown $kind)" "1 right, 0 wrong"
  check "npm, $kind: nobody else was asked" same "$(awk -v n=$kind '$1 != n' "$log")" ""
  quiet "$TMPDIR/said" "npm, $kind: the report holds no secret"
  check "npm, $kind: restore leaves nothing" same "$(find "$TMPDIR" -name 'goproxy-action-*')" ""
  rm -rf node_modules "$work/npm"
  if npm_config_registry=$(at $kind)/npm/ npm ci >"$work/alone" 2>&1; then fail "npm, $kind: a neighbour is refused" "it was not"; else check "npm, $kind: a neighbour is refused" has "$work/alone" 'E401|401'; fi
done
settings "source: \"$(at token)/npm\", ${entry[token]}"
# shellcheck disable=SC2016
check "npm: the user's own settings are kept, their variables unexpanded" job "npm_config_registry=$(at token)/npm/" OTHER_TOKEN=other COMMAND='grep -qxF "//other.example/:_authToken=\${OTHER_TOKEN}" "$npm_config_userconfig"'
settings "source: \"$(at key)/npm\", ${entry[key]}"
env "npm_config_registry=$(at key)/npm/" "$binary" setup --credentials >"$work/out" 2>"$work/said" || true
check "npm, key: that npm cannot is said" has "$work/said" "npm cannot show the credential .*: it sends no headers of one's own"

# A source that leads elsewhere takes nothing there.
: >"$log"
settings "source: \"$(at hop)\", ${entry[key]}"
check "redirect: is followed" env "npm_config_registry=$(at hop)/npm/" "$binary" detect --credentials --format json --output "json=$work/detect.json"
check "redirect: nothing is shown behind it" same "$(awk '$1 == "elsewhere" { print $4, $5, $6 }' "$log" | sort -u)" 'authorization="" key="" certificate=false'

# A job of GitHub: masks first, and nothing in the log, the summary, the outputs or the report.
cd "$work/consumer"
erase "$GOMODCACHE"
settings "source: \"$(at basic)\", ${entry[basic]}"
runner=$work/runner
mkdir -p "$runner"
for f in env output state summary; do : >"$runner/$f"; done
export GITHUB_ENV=$runner/env GITHUB_OUTPUT=$runner/output GITHUB_STATE=$runner/state GITHUB_STEP_SUMMARY=$runner/summary
watched env GITHUB_ACTIONS=true GITHUB_EVENT_NAME=push GITHUB_REPOSITORY=o/r "GITHUB_WORKSPACE=$work/consumer" "RUNNER_TEMP=$runner" ACTIONS_STEP_DEBUG=true RUNNER_DEBUG=1 \
  "GOPROXY=$(at basic)/go" "$binary" setup >"$runner/log" 2>&1 || fail "github: setup" "$(tail -n 3 "$runner/log")"
check "github: the secret is masked" has "$runner/log" "^::add-mask::p&ss/w0rd\\+hidden\$"
check "github: before anything else" same "$(head -n 1 "$runner/log" | cut -c1-12)" "::add-mask::"
grep -v '^::add-mask::' "$runner/log" >"$runner/unmasked" || true
for f in unmasked env output state summary; do quiet "$runner/$f" "github: $f"; done
netrc=$(sed -n '/^NETRC<</{n;p}' "$runner/env")
check "github: following steps have the netrc" has "$netrc" '^machine 127.0.0.1:[0-9]+ login ci '
cat "$runner"/goproxy-action-*/report.json >"$runner/report" 2>/dev/null || true
quiet "$runner/report" "github: the report"
STATE_journal=$(sed -n '/^journal<</{n;p}' "$runner/state") GITHUB_ACTIONS=true "$binary" restore >"$work/out" 2>&1 || fail "github: restore" "$(tail -n 3 "$work/out")"
check "github: restore removes the netrc" absent "$netrc"

touch "$work/argv"
cp "$work/argv" "$work/seen"
watched sh -c 'sleep 1' "$CORP_KEY"
check "a secret in a command line would have been seen" has "$work/argv" "$CORP_KEY"
mv "$work/seen" "$work/argv"
quiet "$work/argv" "no secret stood in a command line"
totals
