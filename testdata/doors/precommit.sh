#!/usr/bin/env bash
# precommit.sh [BINARY]: the hooks in real commits, by Debian's pre-commit and by prek, from a published repository that is
# played here. Without BINARY the program is built first. Takes Go, Node, npm, git and a network; and root where Debian's
# packages are missing. RUNS=N measures N runs (default 11).
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

if [ "$(id -u)" != 0 ] && ! { [ -x "$(command -v pre-commit)" ] && [ -x "$(command -v strace)" ]; }; then
  say "not run: needs root, to install pre-commit and strace"
  totals
  exit
fi
workplace
trap 'erase "$work"' EXIT
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars) GIT_CONFIG_GLOBAL GITHUB_ACTIONS GITLAB_CI CI_JOB_ID PRE_COMMIT_COLOR

"$LAB_ROOT/install.sh" precommit
prek=$LAB_HOME/bin/prek
mkdir "$work/path" "$work/home" "$work/srv"
binary=$work/path/goproxy-action # what the system hook finds on the PATH
if [ $# -gt 0 ]; then cp "$1" "$binary"; else build_binary "$binary"; fi

# Go keeps its caches although HOME is another: what is tested is not how often a machine can build.
GOCACHE=$(go env GOCACHE) GOMODCACHE=$(go env GOMODCACHE)
export GOCACHE GOMODCACHE
plain=$PATH
export HOME=$work/home PRE_COMMIT_HOME=$work/pre-commit PREK_HOME=$work/prek PATH=$work/path:$PATH
unset XDG_CONFIG_HOME XDG_CACHE_HOME
git config --global user.name lab
git config --global user.email lab@example.test
git config --global init.defaultBranch main
git config --global "url.$work/srv/.insteadOf" https://github.com/org/

# The published repository: this working tree, twice.
mkdir "$work/source"
project_copy "$work/source"
git -C "$work/source" init -q
for tag in v0.1.0 v0.2.0; do
  git -C "$work/source" add -A
  git -C "$work/source" commit -q --allow-empty -m "$tag"
  git -C "$work/source" tag "$tag"
done
git clone -q --bare "$work/source" "$work/srv/goproxy-action"

# config DIR ID: a consumer's configuration with that hook of v0.1.0
config() {
  printf 'repos:\n  - repo: https://github.com/org/goproxy-action\n    rev: v0.1.0\n    hooks:\n      - id: %s\n' "$2" >"$1/.pre-commit-config.yaml"
}

# lock DIR SCHEME: a package-lock.json of one package from there
lock() {
  rm -f "$1/package-lock.json" # it may be a link
  printf '{"name": "consumer", "version": "1.0.0", "dependencies": {"left-pad": "1.3.0"}}\n' >"$1/package.json"
  cat >"$1/package-lock.json" <<EOF
{
  "name": "consumer",
  "version": "1.0.0",
  "lockfileVersion": 3,
  "packages": {
    "": {"name": "consumer", "version": "1.0.0", "dependencies": {"left-pad": "1.3.0"}},
    "node_modules/left-pad": {
      "version": "1.3.0",
      "resolved": "$2://registry.npmmirror.com/left-pad/-/left-pad-1.3.0.tgz",
      "integrity": "sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA=="
    }
  }
}
EOF
}
# the command line that the manifest gives a binary
read -ra hook < <(sed -n 's/^  entry: goproxy-action //p' "$PROJECT/.pre-commit-hooks.yaml")
fault='error LCK002 package-lock\.json:9:19 left-pad@1\.3\.0 comes from registry\.npmmirror\.com over http, not https'

# noted COMMAND...: leaves what it said in $log, its exit in $rc
log=$work/log
noted() {
  rc=0
  "$@" >"$log" 2>&1 </dev/null || rc=$?
}
# stores DIR: commits all of it, through whatever hooks it has; passes and blocks judge that
stores() {
  git -C "$1" add -A
  was=$(git -C "$1" rev-parse -q --verify HEAD || true)
  noted git -C "$1" commit -m change
  is=$(git -C "$1" rev-parse -q --verify HEAD || true)
}
moved() { [ "$was" != "$is" ] || { say "nothing is committed"; return 1; }; }
passes() { same "$rc" 0 && has "$log" '^goproxy-action\.+Passed$' && moved; }
blocks() { has "$log" '^goproxy-action\.+Failed$' && has "$log" "exit code: $1\$" && has "$log" "$2" && same "$is" "$was"; } # EXIT-CODE PATTERN
undo() { git -C "$1" reset -q --hard; } # DIR
programs() { find "$1" -type f -perm -u+x -path "$2" -printf '%f\n'; }
allowed='goproxy-action: 1 module and 1 package allowed; not asked: .*the addresses of the sources \(SRC003\); whether'

check "the manifest is valid to pre-commit" pre-commit validate-manifest "$PROJECT/.pre-commit-hooks.yaml"
check "the manifest is valid to prek" "$prek" validate-manifest "$PROJECT/.pre-commit-hooks.yaml"

repo=$work/consumer
module "$repo"
lock "$repo" https
git -C "$repo" init -q
config "$repo" goproxy-action
cd "$repo"

# golang: built once, then used for the whole of this part
PATH=$plain
pre-commit install >"$log"
start=$SECONDS
noted pre-commit install-hooks
check "golang: the hook is built" same "$rc" 0
say "   the build took $((SECONDS - start)) s, with Go's caches as they were"
check "golang: one program is built" same "$(programs "$PRE_COMMIT_HOME" '*/golangenv-*/bin/*')" goproxy-action
stores "$repo"
check "golang: a clean commit passes" passes
check "golang: and says what was not asked" has "$log" "$allowed"

echo more >README.md
stores "$repo"
check "an unrelated file does not start the hook" has "$log" '^goproxy-action\.+\(no files to check\)Skipped$'

lock "$repo" http
stores "$repo"
check "http in the lock file blocks, with its line" blocks 1 "$fault"
check "http in the lock file: the fix is told" has "$log" '^ +fix: install the package from a registry over https'
check "http in the lock file: what was not asked is listed" has "$log" '^ +whether the sources and the checksum database answer$'

git add -A
lock "$repo" https
noted git commit -m change
check "a fault that is staged blocks, although it is mended in the working tree" blocks 1 "$fault"
check "and the working tree is as it was" lacks package-lock.json 'http:'
undo "$repo"
printf '\n// changed\n' >>go.mod
git add go.mod
lock "$repo" http
was=$(git rev-parse HEAD)
noted git commit -m change
is=$(git rev-parse HEAD)
check "a fault that is not staged does not block" passes
check "and is still there" has package-lock.json 'http:'
undo "$repo"

printf '\nreplace github.com/google/uuid => github.com/example/uuid v1.6.0\n' >>go.mod
line=$(grep -n ^replace go.mod | cut -d: -f1)
git add -A
mkdir .goproxy
printf 'severity: {MOD001: error}\n' >.goproxy/config.yaml
stores "$repo"
check "a replace to somebody else's module blocks where the configuration says so" blocks 1 "error MOD001 go\.mod:$line:1 .*github\.com/example/uuid"
erase .goproxy
stores "$repo"
check "and is shown as a warning where it does not" passes
check "with its line" has "$log" "warning MOD001 go\.mod:$line:1"
git reset -q --hard HEAD^

mkdir .goproxy
printf 'mode: lenient\n' >.goproxy/config.yaml
stores "$repo"
check "a configuration that is none blocks, with its line" blocks 2 '\.goproxy/config\.yaml:1.*lenient'
undo "$repo"

echo 'requir x' >>go.mod
line=$(grep -n ^requir\  go.mod | cut -d: -f1)
stores "$repo"
check "a broken go.mod blocks, with its line" blocks 2 "go\.mod:$line:1: unknown directive: requir"
undo "$repo"

echo root:x:0 >"$work/outside"
ln -sf "$work/outside" package-lock.json
stores "$repo"
check "a lock file that becomes a link out of the checkout blocks" blocks 2 'package-lock\.json: is a symbolic link that leads out of the checkout'
check "and nothing behind it is shown" lacks "$log" 'root:'
undo "$repo"

# git tells its hooks of a worktree and of a submodule by GIT_DIR and GIT_INDEX_FILE
git worktree add -q "$work/tree" -b topic
lock "$work/tree" http
stores "$work/tree"
check "worktree: a fault blocks" blocks 1 "$fault"
lock "$work/tree" https
printf '\n// changed\n' >>"$work/tree/go.mod"
stores "$work/tree"
check "worktree: a clean commit passes" passes
check "worktree: the other tree is untouched" same "$(git status --porcelain)" ''
git init -q "$work/super"
git -C "$work/super" -c protocol.file.allow=always submodule --quiet add "$repo" sub
(cd "$work/super/sub" && pre-commit install) >"$log"
lock "$work/super/sub" http
stores "$work/super/sub"
check "submodule: a fault blocks" blocks 1 "$fault"
echo '// changed' >>"$work/super/sub/go.mod"
lock "$work/super/sub" https
stores "$work/super/sub"
check "submodule: a clean commit passes" passes

# others that run hooks: push, and somebody else's GitHub action with inputs of its own
echo again >>README.md
git commit -q --no-verify -a -m unrelated
noted pre-commit run --hook-stage push --from-ref HEAD^ --to-ref HEAD
check "pre-push: an unrelated commit starts no hook" has "$log" 'goproxy-action\.+\(no files to check\)Skipped'
noted pre-commit run --hook-stage manual --all-files
check "manual: all files pass" same "$rc $(grep -c Passed "$log")" "0 1"
noted env GITHUB_ACTIONS=true INPUT_EXTRA_ARGS=--all-files INPUT_MODE=fast pre-commit run --all-files
check "another action's inputs are not ours" same "$rc" 0

noted pre-commit autoupdate
check "autoupdate moves v0.1.0 to v0.2.0" has .pre-commit-config.yaml 'rev: v0\.2\.0$'

# system
PATH=$work/path:$plain
config "$repo" goproxy-action-system
noted pre-commit run --all-files
check "system: the binary on the PATH passes" has "$log" "$allowed"
lock "$repo" http
stores "$repo"
check "system: a fault blocks" blocks 1 "$fault"
undo "$repo"
config "$repo" goproxy-action-system
PATH=$plain
noted pre-commit run --all-files
check "system: without the binary nothing passes" has "$log" 'Executable .goproxy-action. not found'

# docker: no engine here. What stands in for it takes the command line that an engine would, and starts the entrypoint
# with nothing but the checkout.
mkdir "$work/engine"
cat >"$work/engine/docker" <<EOF
#!/bin/sh
echo "\$*" >'$work/docker.args'
until [ "\$1" = ghcr.io/org/goproxy-action:v1 ]; do shift; done
shift
exec env -i PATH=/nonexistent '$binary' "\$@"
EOF
chmod +x "$work/engine/docker"
config "$repo" goproxy-action-docker
PATH=$work/engine:$plain
noted pre-commit run --all-files
check "docker: the image's entrypoint takes what pre-commit gives it" has "$log" "$allowed"
check "docker: without a network" has "$work/docker.args" '^run .*--workdir /src .*--network none --read-only ghcr\.io/org/goproxy-action:v1 check --scope repo --offline$'
PATH=$plain
undo "$repo"

# prek, with the same configuration
git clone -q "$repo" "$work/prek-consumer"
repo=$work/prek-consumer
cd "$repo"
config "$repo" goproxy-action
"$prek" install >"$log" 2>&1
start=$SECONDS
noted "$prek" prepare-hooks
check "prek: the hook is built" same "$rc" 0
say "   the build took $((SECONDS - start)) s, with Go's caches as they were"
check "prek: one program is built" same "$(programs "$PREK_HOME" '*/bin/*' | sort -u)" goproxy-action
echo '// prek' >>go.mod
stores "$repo"
check "prek: a clean commit passes" passes
check "prek: and says what was not asked" has "$log" "$allowed"
echo more >>README.md
stores "$repo"
check "prek: an unrelated file does not start the hook" has "$log" '^goproxy-action\.+\(no files to check\)Skipped$'
lock "$repo" http
stores "$repo"
check "prek: a fault blocks" blocks 1 "$fault"
undo "$repo"
ln -sf "$work/outside" package-lock.json
stores "$repo"
check "prek: a lock file that becomes a link blocks" blocks 2 'symbolic link'
undo "$repo"
noted "$prek" autoupdate
check "prek: autoupdate moves v0.1.0 to v0.2.0" has .pre-commit-config.yaml 'rev: "?v0\.2\.0"?$'
undo "$repo"

# A hostile repository: whatever it could have started leaves a trace, and so does every look at the network.
repo=$work/hostile
mkdir -p "$repo/bin"
cd "$repo"
for name in go git node npm yarn pnpm bun sh docker; do
  printf '#!/bin/sh\ntouch %q\n' "$work/started" >"bin/$name"
done
chmod +x bin/*
printf 'module example.test/hostile\n\ngo 1.24\n\ntoolchain go1.99.9\n\nrequire github.com/google/uuid v1.6.0\n\nreplace github.com/google/uuid => "./\\x1b[31m\\nred"\n' >go.mod
printf 'registry=http://evil.example/\nnode-options=--require ./evil.js\nscript-shell=./bin/sh\nglobalconfig=./bin/npm\n' >.npmrc
printf 'yarnPath: ./bin/yarn\n' >.yarnrc.yml
for name in $'\e[31mred' $'new\nline' '::error title=x::' $'\u202eright'; do
  mkdir "$name"
  lock "$name" http
done
git init -q
config "$repo" goproxy-action-system
git add -A
PATH=$work/path:$plain
noted pre-commit run --color never
check "hostile: blocks" has "$log" '^goproxy-action\.+Failed$'
check "hostile: the lock file with an escape sequence in its name is told" has "$log" 'LCK002 .*red/package-lock\.json:9:19'
raw() { LC_ALL=C grep -naP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80\xae|^::' "$log" | cat -v; }
check "hostile: nothing of it is printed raw" same "$(raw)" ''
check "hostile: nothing of it is started" absent "$work/started"
if strace -f -o "$work/trace" true 2>/dev/null; then
  noted env PATH="$repo/bin:$plain" GIT_DIR="$repo/.git" strace -f -qq -e trace=execve,execveat,socket,connect,sendto,sendmsg -e signal=none -o "$work/trace" \
    "$binary" "${hook[@]}"
  check "hostile: the hook's command line says the same" has "$log" 'LCK002 .*red/package-lock\.json:9:19'
  check "hostile: one program is started, itself, and no socket is opened" same "$(grep -cE 'exec|socket|connect|send' "$work/trace") $(grep -c 'execve("'"$binary"'"' "$work/trace")" "1 1"
  check "hostile: nothing of it is started, found first on the PATH" absent "$work/started"
else
  say "not run: strace, which is not allowed to trace here"
fi

# How long it takes; for reading, since machines differ.
median() { # COMMAND...: milliseconds
  local start i
  "$@" >/dev/null 2>&1 </dev/null || die "$* fails"
  for ((i = 0; i < ${RUNS:-11}; i++)); do
    start=${EPOCHREALTIME/[.,]/}
    "$@" >/dev/null 2>&1 </dev/null || die "$* fails"
    echo $((${EPOCHREALTIME/[.,]/} - start))
  done | sort -n | awk '{ v[NR] = $1 } END { printf "%.0f", v[int((NR + 1) / 2)] / 1000 }'
}
cd "$work/consumer"
config . goproxy-action-system
ours=$(median "$binary" "${hook[@]}")
in_precommit=$(median pre-commit run --all-files) in_prek=$(median "$prek" run --all-files)
printf 'repos: [{repo: local, hooks: [{id: nothing, name: nothing, language: system, entry: "true", pass_filenames: false, verbose: true, files: go.mod}]}]\n' >.pre-commit-config.yaml
say "median of ${RUNS:-11} runs, ms: the hook's command $ours, in pre-commit $in_precommit, in prek $in_prek;" \
  "a hook that does nothing: in pre-commit $(median pre-commit run --all-files), in prek $(median "$prek" run --all-files)"

totals
