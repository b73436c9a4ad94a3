#!/usr/bin/env bash
# act.sh [BINARY]: the action in real workflows, run by act on this machine. Without BINARY the program is built first.
# Takes Go, Node, npm, git and a network; no root, no Docker, no fixed port.
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

scene

"$LAB_ROOT/install.sh" act
binary=${1:-$work/goproxy-action}
[ $# -gt 0 ] || build_binary "$binary"

# The action as it is on disk, without what git ignores.
ACTION_DIR=$work/action
project_copy "$ACTION_DIR"
export ACTION_DIR

npm=$(official_npm)

commit() { # DIR MESSAGE
  git -C "$1" add -A
  git -C "$1" -c user.name=lab -c user.email=lab@example.test commit -q -m "$2"
  git -C "$1" rev-parse HEAD
}

# workflow NAME ENV INPUTS <STEPS: a repository whose one job checks out, runs the action and then the steps
workflow() {
  local dir=$work/$1
  mkdir -p "$dir/.github/workflows"
  {
    printf 'on: [push, pull_request]\njobs:\n  job:\n    runs-on: ubuntu-latest\n    env: {%s}\n    steps:\n' "$2"
    printf '      - uses: actions/checkout@v4\n'
    # shellcheck disable=SC2016
    printf '      - {name: before, run: '"'%s'"'}\n' 'env | sort >"$RUNNER_TEMP/before"'
    printf '      - {id: proxy, uses: org/goproxy-action@v1, with: {%s}}\n' "$3"
    sed 's/^/      /'
  } >"$dir/.github/workflows/w.yml"
  [ -d "$dir/.git" ] || git -C "$dir" init -q -b main
  git -C "$dir" remote add origin https://github.com/example/consumer.git 2>/dev/null || true
  commit "$dir" "$1" >/dev/null
}

# act NAME [ACT-FLAGS]: runs the workflow; leaves $log and $rc
act() {
  local name=$1
  shift
  log=$work/$name.log rc=0
  (cd "$work/$name" && ACT_HOME=${ACT_HOME:-$work/home} timeout 900 "$LAB_ROOT/act-host" "$@") >"$log" 2>&1 || rc=$?
  [ -z "${DOORS_LOGS:-}" ] || cp "$log" "$DOORS_LOGS/"
}

succeeded() { has "$log" "Success - Main $1( |\$)"; }
failed_with() { has "$log" 'Failure - Main org/goproxy-action@v1' && has "$log" "exit status $1\$"; }
post_ran() { has "$log" 'Success - Post org/goproxy-action@v1'; }
go_env() { printf 'GOMODCACHE: "%s", GOFLAGS: -modcacherw%s' "$work/mod-$1" "${2:+, GOPROXY: \"$2\"}"; } # NAME [GOPROXY]
download='- {name: download, run: go mod download -x}'
given="binary: \"$binary\", binary-sha256: $(sha256sum "$binary" | cut -d' ' -f1)"
dead=http://127.0.0.1:1

# lock DIR good|bad: a package-lock.json, with one fault of each kind when bad
lock() {
  mkdir -p "$1"
  # shellcheck disable=SC2016
  node -e '
    const [dir, kind, npm] = process.argv.slice(1), fs = require("fs")
    const sound = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
    const entry = (name, more) => ({version: "7.0.0", resolved: `${npm}/${name}/-/${name}-7.0.0.tgz`, integrity: sound, ...more})
    const packages = {"node_modules/is-number": entry("is-number")}
    if (kind === "bad") {
      packages["node_modules/plain-http"] = entry("plain-http", {resolved: npm.replace("https:", "http:") + "/plain-http/-/plain-http-7.0.0.tgz"})
      packages["node_modules/no-integrity"] = entry("no-integrity", {integrity: undefined})
      packages["node_modules/broken-integrity"] = entry("broken-integrity", {integrity: "sha512-AAAA"})
    }
    const root = {name: "consumer", version: "1.0.0"}
    const dependencies = Object.fromEntries(Object.keys(packages).map(k => [k.slice(13), "7.0.0"]))
    fs.writeFileSync(dir + "/package.json", JSON.stringify({...root, dependencies}, null, 2) + "\n")
    fs.writeFileSync(dir + "/package-lock.json", JSON.stringify({...root, lockfileVersion: 3, requires: true, packages: {"": {...root, dependencies}, ...packages}}, null, 2) + "\n")
  ' "$1" "$2" "$npm"
}
# annotated LEVEL RULE PATTERN: the rule is annotated at the line of the lock file that the pattern finds
annotated() {
  local line
  line=$(grep -nE -m1 -- "$3" "$work/$scenario/package-lock.json" | cut -d: -f1)
  has "$log" "::$1 .*file=package-lock.json,line=$line,.*$2"
}

scenario=source # the only one that builds; its tool cache is kept, as a runner would
module "$work/$scenario"
workflow $scenario "$(go_env $scenario "$dead")" "" <<<"$download"
built=$LAB_HOME/act/source
ACT_HOME=$built act $scenario
check "source: the action builds itself although GOPROXY is dead" has "$log" 'ready in [0-9]+ ms \(built with go'
check "source: go mod download works" succeeded download
check "source: the job succeeds" same "$rc" 0
modules() { find "$built/.cache/act/tool_cache/goproxy-action/mod/cache/download" -type f -printf '%p %T@\n' | sort | sha256sum; }
before=$(modules)
ACT_HOME=$built act $scenario
check "source: the second job builds from what the first one has fetched" has "$log" 'ready in [0-9]+ ms \(built with go'
check "source: and fetches nothing" same "$(modules)" "$before"
check "source: the second job succeeds" same "$rc" 0

scenario=dead
module "$work/$scenario"
workflow $scenario "$(go_env $scenario "$dead")" "$given" <<EOF
$download
- {name: outputs, run: 'echo "outputs: \${{ steps.proxy.outputs.decision }} \${{ steps.proxy.outputs.changed }} \${{ steps.proxy.outputs.goproxy }}"'}
EOF
act $scenario
check "dead GOPROXY: the step succeeds" succeeded org/goproxy-action@v1
check "dead GOPROXY: GOPROXY is changed for the job" has "$log" '::set-env:: GOPROXY=https://'
check "dead GOPROXY: the log says what was changed" has "$log" '\| .*GOPROXY.*https://'
check "dead GOPROXY: a summary is written" has "$log" 'Summary - '
check "dead GOPROXY: the outputs are set" has "$log" 'outputs: allow true https://'
check "dead GOPROXY: go mod download works" succeeded download
check "dead GOPROXY: and was a real download" present "$work/mod-$scenario/cache/download/github.com/google/uuid/@v/v1.6.0.zip"
check "dead GOPROXY: post ran" post_ran
check "dead GOPROXY: the job succeeds" same "$rc" 0

scenario=poisoned
lock "$work/$scenario" bad
workflow $scenario "" "$given" <<EOF
- {name: install, run: 'touch "$work/reached"; npm ci'}
EOF
act $scenario
check "poisoned lock: the step fails with 1" failed_with 1
check "poisoned lock: plain http is annotated at its line" annotated error LCK002 '"resolved": "http:'
check "poisoned lock: the missing integrity is annotated at its line" annotated error LCK003 '"resolved": ".*/no-integrity-'
check "poisoned lock: the broken integrity is annotated at its line" annotated error LCK004 '"integrity": "sha512-AAAA"'
check "poisoned lock: npm ci is never reached" absent "$work/reached"
check "poisoned lock: post ran" post_ran
check "poisoned lock: the job fails" test "$rc" != 0

scenario=proxied
password='s3cr/t@Pass+9'
encoded=s3cr%2Ft%40Pass%2B9
server "$work/forwardproxy.log" env "FORWARDPROXY_LOGIN=ci:$password" "$LAB_HOME/bin/forwardproxy" "$(host_of "$(official_gomod)")" "$(host_of "$npm")"
proxy=http://ci:$encoded@$address
module "$work/$scenario"
workflow $scenario "$(go_env $scenario "$dead"), HTTPS_PROXY: \"$proxy\"" "$given" <<EOF
- {name: mark, run: 'wc -l <"$work/forwardproxy.log" >"$work/mark"'}
$download
EOF
act $scenario
secrets=$(printf '%s\n' "$password" "$encoded" "$(tr A-F a-f <<<"$encoded")" "$(printf 'ci:%s' "$password" | base64)" "$(printf '%s' "$password" | base64)")
silent() { ! grep -nF -m1 -e "$secrets" -- "$1" || return 1; } # FILE
check "forward proxy: the job succeeds" same "$rc" 0
check "forward proxy: go mod download works" succeeded download
through() { has <(tail -n "+$(($(cat "$work/mark") + 1))" "$work/forwardproxy.log") "^200 CONNECT .*:443"; }
check "forward proxy: the download went through it" through
check "forward proxy: the password is nowhere in the log" silent "$log"
# act masks what add-mask names; in a terminal nobody does
(cd "$work/$scenario" && HTTPS_PROXY=$proxy GOPROXY='' XDG_CACHE_HOME=$work/cache "$binary" detect --format json) >"$work/detect.out" 2>&1 || true
(cd "$work/$scenario" && HTTPS_PROXY=$proxy GOPROXY=$dead XDG_CACHE_HOME=$work/cache "$binary" setup) >"$work/setup.out" 2>&1 || true
check "forward proxy: nor in detect's output" silent "$work/detect.out"
check "forward proxy: nor in what setup prints" silent "$work/setup.out"
check "forward proxy: detect says proxied" json "$work/detect.out" 'r.class === "proxied" && r.proxies.some(p => p.scheme === "https" && p.origin === "HTTPS_PROXY")'

scenario=well
module "$work/$scenario"
workflow $scenario "$(go_env $scenario)" "$given" <<'EOF'
- {name: after, run: 'env | sort >"$RUNNER_TEMP/after"; diff <(grep -v "^GITHUB_ACTION=" "$RUNNER_TEMP/before") <(grep -v "^GITHUB_ACTION=" "$RUNNER_TEMP/after")', shell: bash}
EOF
act $scenario
lines() { sed -n '/Run Main org\/goproxy-action@v1/,/Success - Main org\/goproxy-action@v1/p' "$log" | grep -c '   *| '; }
check "all well: the job succeeds" same "$rc" 0
check "all well: one line, beside the launcher's own" test "$(lines)" -le 2
check "all well: it says that nothing changed" has "$log" '\| goproxy-action: .*nothing changed'
check "all well: no variable is set" lacks "$log" '::set-env::'
check "all well: the environment is as before" succeeded after
check "all well: post ran" post_ran

scenario=pull
dir=$work/$scenario
lock "$dir" good
mkdir -p "$dir/.goproxy"
echo 'mode: enforce' >"$dir/.goproxy/config.yaml"
workflow $scenario "" "$given" <<<'- {name: reached, run: echo reached}'
base=$(git -C "$dir" rev-parse HEAD)
lock "$dir" bad
echo 'mode: audit' >"$dir/.goproxy/config.yaml"
head=$(commit "$dir" "weaken the gate")
server "$work/api.log" env GITHUBAPI_TOKEN=lab-token "$LAB_HOME/bin/githubapi" "$dir" "$base" "$head"
printf '{"action": "synchronize", "number": 7, "pull_request": {"number": 7, "base": {"sha": "%s", "ref": "main"}, "head": {"sha": "%s", "ref": "topic"}}}' \
  "$base" "$head" >"$work/event.json"
act $scenario -s GITHUB_TOKEN=lab-token --env "GITHUB_API_URL=$address"
check "push of mode audit: reports and goes on" same "$rc" 0
check "push of mode audit: says what enforce would have done" has "$log" 'LCK003'
asked=$(wc -l <"$work/api.log")
ACT_EVENT=pull_request act $scenario -e "$work/event.json" -s GITHUB_TOKEN=lab-token --env "GITHUB_API_URL=$address"
check "pull request that turns enforce into audit: fails with 1" failed_with 1
check "pull request: the base commit of the checkout was enough" same "$(wc -l <"$work/api.log")" "$asked"
check "pull request: the finding is annotated" annotated error LCK003 '"resolved": ".*/no-integrity-'

scenario=shallow # as actions/checkout leaves it
git clone -q --depth 1 "file://$dir" "$work/$scenario"
git -C "$work/$scenario" remote set-url origin https://github.com/example/consumer.git
ACT_EVENT=pull_request act $scenario -e "$work/event.json" -s GITHUB_TOKEN=lab-token --env "GITHUB_API_URL=$address"
check "shallow pull request that turns enforce into audit: fails with 1" failed_with 1
check "shallow pull request: the base's configuration was asked for" has "$work/api.log" "contents/\.goproxy/config\.yaml\?ref=$base"
ACT_EVENT=pull_request act $scenario -e "$work/event.json" -s GITHUB_TOKEN=other --env "GITHUB_API_URL=$address"
check "shallow pull request, base not readable: fails with 2" failed_with 2
check "shallow pull request, base not readable: says what to do" has "$log" 'contents: read'

totals
