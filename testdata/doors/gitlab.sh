#!/usr/bin/env bash
# gitlab.sh [BINARY]: the GitLab component in real pipelines, run by gitlab-ci-local on this machine, and its scripts in
# the shells of small images. Without BINARY the program is built first. Takes Go, Node, npm, git and a network; no Docker,
# no fixed port; busybox comes from Debian (apt-get download, no root).
# shellcheck disable=SC2016 # much of this is text for other shells
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

scene

"$LAB_ROOT/install.sh" act gitlab lint
binary=${1:-$work/goproxy-action}
[ $# -gt 0 ] || build_binary "$binary"
sum() { sha256sum <"$1" | cut -d' ' -f1; }
sum=$(sum "$binary")
npm=$(official_npm)
dead=http://127.0.0.1:1

# The component as an instance of GitLab has it: a bare repository with a tag. gitlab-ci-local fetches it with git.
commit() { # DIR MESSAGE
  git -C "$1" add -A
  git -C "$1" commit -q -m "$2"
  git -C "$1" rev-parse HEAD
}
export GITLAB_HOME=$work/home GIT_CONFIG_GLOBAL=$work/home/.gitconfig GIT_CONFIG_NOSYSTEM=1
mkdir -p "$work/home" "$work/srv/org" "$work/srv/group"
cat >"$GIT_CONFIG_GLOBAL" <<EOF
[url "$work/srv/"]
	insteadOf = ssh://git@gitlab.example.com:22/
[safe]
	directory = *
[user]
	name = lab
	email = lab@example.test
[init]
	defaultBranch = main
EOF
git init -q "$work/component"
cp -R "$PROJECT/templates" "$work/component/"
commit "$work/component" component >/dev/null
git -C "$work/component" tag v1
git clone -q --bare "$work/component" "$work/srv/org/goproxy-action.git"

# The release's files.
mkdir "$work/files"
gzip -1 -c "$binary" >"$work/files/goproxy-action.gz"
server "$work/files.log" node -e '
  const fs = require("fs"), path = require("path")
  const s = require("http").createServer((q, r) => {
    console.log(q.method, q.url, q.headers["user-agent"])
    const f = path.join(process.argv[1], path.basename(q.url))
    if (!fs.existsSync(f)) return r.writeHead(404).end("no such file")
    fs.createReadStream(f).pipe(r)
  }).listen(0, "127.0.0.1", () => console.log("http://127.0.0.1:" + s.address().port))' "$work/files"
files=$address

# repo NAME <YAML: a repository with this .gitlab-ci.yml
repo() {
  local dir=$work/$1
  mkdir -p "$dir"
  cat >"$dir/.gitlab-ci.yml"
  printf '.gitlab-ci-local/\n' >"$dir/.gitignore"
  [ -d "$dir/.git" ] || git init -q "$dir"
  git -C "$dir" remote add origin git@gitlab.example.com:group/consumer.git 2>/dev/null || true
  commit "$dir" "$1" >/dev/null
}
# component NAME=VALUE...: the include of the component with these inputs, one a line
component() {
  printf 'include:\n  - component: $CI_SERVER_FQDN/org/goproxy-action/goproxy-action@v1\n    inputs:\n'
  [ $# -gt 0 ] || printf '      {}\n'
  local i
  for i; do printf '      %s: %s\n' "${i%%=*}" "${i#*=}"; done
}
given=("binary=$binary" "binary-sha256=$sum")
cache() { printf 'GOMODCACHE: "%s", GOFLAGS: -modcacherw' "$work/mod-$1"; } # NAME

# ci NAME [FLAG-OR-JOB]...: runs the pipeline; leaves $log and $rc
ci() {
  local name=$1
  shift
  log=$work/$name.log rc=0
  (cd "$work/$name" && timeout 300 "$LAB_ROOT/gitlab-ci-local" "$@") >"$log" 2>&1 || rc=$?
  sed -i 's/\x1b\[[0-9;]*m//g' "$log"
  [ -z "${DOORS_LOGS:-}" ] || cp "$log" "$DOORS_LOGS/gitlab-$name.log"
}
passes() { has "$log" "^ PASS +$1( |\$)"; } # JOB
fails() { has "$log" "^$1 finished in .* FAIL $2 \$"; } # JOB CODE
artifact() { printf '%s/.gitlab-ci-local/artifacts/%s/.goproxy-action/%s' "$work/$1" "$2" "$3"; } # NAME JOB FILE
tidy() { ! compgen -G "$TMPDIR/goproxy-action-*" || return 1; }

# lock DIR good|bad: a package-lock.json, with an entry without integrity when bad
lock() {
  mkdir -p "$1"
  node -e '
    const [dir, kind, npm] = process.argv.slice(1), fs = require("fs")
    const sound = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
    const name = kind === "bad" ? "no-integrity" : "is-number"
    const entry = {version: "7.0.0", resolved: `${npm}/${name}/-/${name}-7.0.0.tgz`, integrity: kind === "bad" ? undefined : sound}
    const root = {name: "consumer", version: "1.0.0"}, dependencies = {[name]: "7.0.0"}
    fs.writeFileSync(dir + "/package.json", JSON.stringify({...root, dependencies}, null, 2) + "\n")
    fs.writeFileSync(dir + "/package-lock.json", JSON.stringify({...root, lockfileVersion: 3, requires: true, packages: {"": {...root, dependencies}, [`node_modules/${name}`]: entry}}, null, 2) + "\n")
  ' "$1" "$2" "$npm"
}

module "$work/module"

name=local
cp -R "$work/module" "$work/$name"
cp -R "$PROJECT/templates" "$work/$name/"
repo $name <<EOF
include:
  - local: /templates/goproxy-action/template.yml
    inputs: {binary: "$binary", binary-sha256: "$sum"}
stages: [one, two]
variables: {GOPROXY: "$dead"}
build:
  stage: one
  extends: .goproxy-action
  variables: {$(cache one)}
  script: go mod download
plain:
  stage: one
  when: manual
  variables: {$(cache plain)}
  script: go mod download
later:
  stage: two
  needs: [{job: build, artifacts: true}]
  variables: {$(cache two)}
  script: [go mod download]
EOF
ci $name plain
check "without us: go mod download fails" fails plain 1
check "without us: because of the dead GOPROXY" has "$log" '127\.0\.0\.1:1'
ci $name
check "include:local: the job's download works" passes build
check "include:local: and was a real one" present "$work/mod-one/cache/download/github.com/google/uuid/@v/v1.6.0.zip"
check "include:local: a later job has the settings by dotenv" passes later
check "include:local: and made a real download" present "$work/mod-two/cache/download/github.com/google/uuid/@v/v1.6.0.zip"
check "include:local: the pipeline succeeds" same "$rc" 0
check "include:local: after_script says what was done" has "$log" '^build > goproxy-action: .* settings? changed, '
check "include:local: and takes it back" has "$log" '^build > goproxy-action: restored: .*GOPROXY'
check "include:local: nothing is left in the temporary directory" tidy
check "include:local: the JSON report is an artifact" json "$(artifact $name build report.json)" 'r.decision === "allow" && r.changes.some(c => c.name === "GOPROXY")'
check "include:local: so is the SARIF report" json "$(artifact $name build report.sarif)" 'r.version === "2.1.0"'
check "include:local: git takes no notice of them" same "$(git -C "$work/$name" status --porcelain)" ""

name=included
cp -R "$work/module" "$work/$name"
{ component "binary=$files/goproxy-action.gz" "binary-sha256=$sum" tools=go probe=auto no-proxy=.corp.example && cat <<EOF; } | repo $name
build:
  extends: .goproxy-action
  variables: {GOPROXY: "$dead", $(cache included)}
  before_script:
    - echo "mine, before"
    - !reference [.goproxy-action, before_script]
    - echo "mine, GOPROXY=\$GOPROXY"
  script: go mod download
  artifacts:
    paths:
      - go.mod
      - !reference [.goproxy-action, artifacts, paths]
EOF
ci $name
check "include:component: the job's download works" passes build
check "include:component: the program was downloaded" has "$work/files.log" 'GET /goproxy-action\.gz'
check "include:component: an own before_script goes before and after" has "$log" '^build > mine, GOPROXY=https://'
check "include:component: own artifacts and ours" present "$work/$name/.gitlab-ci-local/artifacts/build/go.mod"
check "include:component: ours are there" present "$(artifact $name build junit.xml)"
check "include:component: the no-proxy input counts" has "$(artifact $name build report.json)" '\.corp\.example'

name=inputs
refused() { # WHY INPUT=VALUE...
  local why=$1
  shift
  { component "$@" && printf 'build: {extends: .goproxy-action, script: echo "reached"}\n'; } | repo $name
  ci $name
  check "input ${1%%=*} of ${1#*=}: refused" test "$rc" != 0
  check "input ${1%%=*} of ${1#*=}: says why" has "$log" "$why"
  check "input ${1%%=*} of ${1#*=}: no job is begun" lacks "$log" 'reached|starting shell'
}
refused 'not a string' mode=7
refused 'not a string' 'tools=[go, npm]'
refused 'not in the list of allowed options' mode=audits
refused 'does not match required regex' binary-sha256=6ae8a755
refused 'does not match required regex' "binary='/bin/true; touch pwned'"
refused 'does not match required regex' "directory='\$(touch pwned)'"
refused 'does not match required regex' 'tools=rm'

name=digest
printf '#!/bin/sh\necho started >"%s/started"\n' "$work" >"$work/files/other"
for how in "$files/other" "$work/files/other"; do # an address, a path
  { component "binary=$how" "binary-sha256=$sum" && printf 'build: {extends: .goproxy-action, script: touch "%s/reached"}\n' "$work"; } | repo $name
  ci $name
  check "wrong digest of ${how%%:*}: the job fails with 4" fails build 4
  check "wrong digest: both digests are named" has "$log" "$(sum "$work/files/other").*$sum"
done
check "wrong digest: nothing was started" absent "$work/started"
check "wrong digest: the script is not reached" absent "$work/reached"
{ component "binary=$files/gone" "binary-sha256=$sum" && printf 'build: {extends: .goproxy-action, script: touch "%s/reached"}\n' "$work"; } | repo $name
ci $name
check "no such file on the server: the job fails with 3" fails build 3
{ component "binary=$binary" && printf 'build: {extends: .goproxy-action, script: touch "%s/reached"}\n' "$work"; } | repo $name
ci $name
check "no digest: the job fails with 2" fails build 2
check "all of these: the script is not reached" absent "$work/reached"

name=poisoned
lock "$work/$name" bad
{ component "${given[@]}" && printf 'build: {extends: .goproxy-action, script: touch "%s/reached"}\n' "$work"; } | repo $name
ci $name
line=$(grep -nF -m1 '/no-integrity-' "$work/$name/package-lock.json" | cut -d: -f1)
check "planted fault: the job fails with 1" fails build 1
check "planted fault: the log names file and line" has "$log" "LCK003 package-lock\.json:$line:"
check "planted fault: the script is not reached" absent "$work/reached"
check "planted fault: the code quality report is an artifact and names file and line" json "$(artifact $name build codequality.json)" \
  "r.some(i => i.check_name === 'LCK003' && i.location.path === 'package-lock.json' && i.location.lines.begin === $line)"
check "planted fault: so is the JUnit report" has "$(artifact $name build junit.xml)" '<failure.*LCK003'
check "planted fault: and SARIF" json "$(artifact $name build report.sarif)" 'r.runs[0].results.some(f => f.ruleId === "LCK003")'
check "planted fault: nothing is passed on to later jobs" same "$(cat "$(artifact $name build dotenv.env)")" ""
check "planted fault: nothing is left in the temporary directory" tidy

name=proxied
password='s3cr/t@Pass+9'
encoded=s3cr%2Ft%40Pass%2B9
server "$work/forwardproxy.log" env "FORWARDPROXY_LOGIN=ci:$password" "$LAB_HOME/bin/forwardproxy" "$(host_of "$(official_gomod)")" "$(host_of "$npm")"
proxy=http://ci:$encoded@$address
secrets=$(printf '%s\n' "$password" "$encoded" "$(tr A-F a-f <<<"$encoded")" "$(printf 'ci:%s' "$password" | base64)" "$(printf '%s' "$password" | base64)")
silent() { ! grep -rnF -m1 -e "$secrets" -- "$@" || return 1; } # FILE-OR-DIRECTORY...
cp -R "$work/module" "$work/$name"
mkdir "$work/$name/.goproxy"
printf 'proxy: {https: "%s"}\n' "$proxy" >"$work/$name/.goproxy/config.yaml" # so that the password is among the settings to pass on
{ component "${given[@]}" && cat <<EOF; } | repo $name
stages: [one, two]
build:
  stage: one
  extends: .goproxy-action
  variables: {GOPROXY: "$dead", $(cache proxied)}
  before_script: [set -x, !reference [.goproxy-action, before_script], set +x]
  script:
    - case "\$HTTPS_PROXY" in *"$encoded"*) echo "the job has the password" ;; esac
    - wc -l <"$work/forwardproxy.log" >"$work/mark"
    - go mod download
later:
  stage: two
  needs: [{job: build, artifacts: true}]
  script: env
EOF
ci $name
check "forward proxy: the job succeeds" passes build
through() { has <(tail -n "+$(($(cat "$work/mark") + 1))" "$work/forwardproxy.log") "^200 CONNECT .*:443"; }
check "forward proxy: the download went through it" through
check "forward proxy: the job has the password" has "$log" 'build > the job has the password'
git -C "$work/$name" show HEAD:.gitlab-ci.yml | grep -oF "$encoded" >/dev/null || die "the test does not plant its secret"
check "forward proxy: it is nowhere in the log, with set -x in force" silent <(grep -v '^build \$ case' "$log")
check "forward proxy: nor in the artifacts, nor in dotenv" silent "$work/$name/.gitlab-ci-local/artifacts" "$work/$name/.goproxy-action"
check "forward proxy: the log says what later jobs do not get" has "$log" 'HTTPS_PROXY: it holds a secret'
check "forward proxy: the later job succeeds without it" passes later

# Strangers choose the names of branches, and GitLab hands them to jobs.
name=names
cp -R "$work/module" "$work/$name"
{ component "${given[@]}" && printf 'build: {extends: .goproxy-action, script: echo "reached"}\n'; } | repo $name
branch='a;touch${IFS}pwned;$(touch${IFS}pwned)`touch${IFS}pwned`"&&touch${IFS}pwned'
git -C "$work/$name" checkout -q -b "$branch"
ci $name
check "hostile branch: the job succeeds" passes build
check "hostile branch: nothing of it is run" absent "$work/$name/pwned"
evil='"; touch pwned; $(touch pwned) `touch pwned` '"'; touch pwned; '"
for v in GOPROXY_ACTION_MODE GOPROXY_ACTION_DIRECTORY GOPROXY_ACTION_BINARY GOPROXY_ACTION_SHA256 GOPROXY_ACTION_TOOLS GOPROXY_ACTION_NO_PROXY; do
  ci $name --variable "$v=$evil"
  check "hostile $v: the job fails" test "$rc" != 0
  check "hostile $v: the script is not reached" lacks "$log" '> reached'
done
ci $name --variable CI_PIPELINE_SOURCE=merge_request_event --variable 'CI_MERGE_REQUEST_TARGET_BRANCH_NAME=--upload-pack=touch pwned' --variable "CI_REPOSITORY_URL=$work/$name"
check "hostile target branch: the job fails with 2" fails build 2
check "hostile variables: nothing of them is run" absent "$work/$name/pwned"

# A merge request: its base is the target branch of a server.
name=merge
lock "$work/$name" good
mkdir "$work/$name/.goproxy"
echo 'mode: enforce' >"$work/$name/.goproxy/config.yaml"
{ component "${given[@]}" && printf 'build: {extends: .goproxy-action, script: echo "reached"}\n'; } | repo $name
git clone -q --bare "$work/$name" "$work/srv/group/merge.git"
git -C "$work/$name" checkout -q -b topic
lock "$work/$name" bad
echo 'mode: audit' >"$work/$name/.goproxy/config.yaml"
commit "$work/$name" "weaken the gate" >/dev/null
request=(--variable CI_PIPELINE_SOURCE=merge_request_event --variable CI_MERGE_REQUEST_IID=7)
ci $name
check "push of mode audit: reports and goes on" passes build
check "push of mode audit: says what enforce would have done" has "$log" 'LCK003'
ci $name "${request[@]}" --variable CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main --variable "CI_REPOSITORY_URL=$work/srv/group/merge.git"
check "merge request that turns enforce into audit: fails with 1" fails build 1
check "merge request: the finding is named" has "$log" 'LCK003 package-lock\.json:'
check "merge request: the report is an artifact" json "$(artifact $name build report.json)" 'r.decision === "deny" && r.mode === "enforce"'
ci $name "${request[@]}" --variable "CI_MERGE_REQUEST_DIFF_BASE_SHA=$(git -C "$work/$name" rev-parse main)"
check "merge request, its base is in the checkout: fails with 1" fails build 1
ci $name "${request[@]}" --variable "CI_MERGE_REQUEST_DIFF_BASE_SHA=$(git -C "$work/$name" rev-parse main)" --variable GOPROXY_ACTION_MODE=audit
check "merge request, a variable says audit: the target's file says enforce, and it fails with 1" fails build 1
ci $name "${request[@]}" --variable CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main --variable "CI_REPOSITORY_URL=$work/srv/group/gone.git"
check "merge request, base not readable: fails" test "$rc" != 0
check "merge request, base not readable: says what to do" has "$log" 'GIT_DEPTH|let the job check out'
check "merge requests: the script is not reached" lacks "$log" '> reached'

# The scripts alone, in the shells of small images and with nothing but busybox, go and git on the PATH: no curl, no bash.
box=$work/box
mkdir "$box"
(cd "$work/tmp" && apt-get download -q busybox >"$work/busybox.log" 2>&1 && dpkg -x busybox_*.deb busybox && mv busybox/bin/busybox "$work/busybox" && rm -r busybox busybox_*.deb) ||
  { cat "$work/busybox.log" >&2; die "busybox could not be got from Debian"; }
"$work/busybox" --install -s "$box"
ln -sf "$(command -v go)" "$(command -v git)" "$box/"
name=shells
cp -R "$work/module" "$work/$name"
{ component "binary=$files/goproxy-action.gz" "binary-sha256=$sum" && printf 'build: {extends: .goproxy-action, script: echo "reached"}\n'; } | repo $name
(cd "$work/$name" && "$LAB_ROOT/gitlab-ci-local" --preview) >"$work/preview.yml" 2>"$work/preview.log"
yaml() { node -e 'const yaml = require(process.argv[1]), fs = require("fs"), docs = []
  yaml.safeLoadAll ? yaml.safeLoadAll(fs.readFileSync(0, "utf8"), d => docs.push(d)) : docs.push(...yaml.loadAll(fs.readFileSync(0, "utf8")))
  eval(process.argv[2])' "$LAB_HOME/npm/ajv/node_modules/js-yaml" "$1"; } # JAVASCRIPT over docs <YAML
mkdir "$work/scripts"
(cd "$work/scripts" && yaml 'for (const k of ["before_script", "after_script"]) fs.writeFileSync(k, docs[0].build[k].flat(9).join("\n") + "\n")
  fs.writeFileSync("variables", Object.entries(docs[0].build.variables).map(([k, v]) => `${k}=${v}\n`).join(""))' <"$work/preview.yml")
if command -v shellcheck >/dev/null; then
  for script in before_script after_script; do
    check "shellcheck: $script" shellcheck --shell=sh --exclude=SC1091 "$work/scripts/$script" # SC1091: what it sources is made by the job
  done
else
  say "not run: shellcheck: needs shellcheck, which is a package of Debian, and root to install it"
fi
# runner SHELL FILE: as GitLab's runner starts a script
runner() { "${@:1:$#-1}" -c 'if set -o | grep pipefail >/dev/null; then set -o pipefail; fi; set -o errexit; set +o noclobber; : | eval "$(cat "$1")"' runner "${@: -1}"; }
id=1000
# in_shell "SHELL" NAME=VALUE... -- SCRIPT: a job whose checkout is $work/shells; leaves $log and $rc
in_shell() {
  local shell=$1 env=()
  shift
  mapfile -t env <"$work/scripts/variables"
  while [ "$1" != -- ]; do env+=("$1"); shift; done
  shift
  id=$((id + 1)) rc=0 log=$work/$name-$id.log
  { [ "${trace:-}" = '' ] || echo 'set -x'; cat "$work/scripts/before_script"; printf '%s\n' "$@"; } >"$work/scripts/job"
  (
    cd "$work/$name"
    run() { env -i "PATH=$box" "HOME=$work/home" "TMPDIR=$TMPDIR" ${SSL_CERT_FILE:+"SSL_CERT_FILE=$SSL_CERT_FILE"} CI_JOB_ID=$id CI_PIPELINE_SOURCE=push \
      "CI_PROJECT_DIR=$PWD" "GOMODCACHE=$work/mod-$id" GOFLAGS=-modcacherw "GOPROXY=$dead" "${env[@]}" "$BASH" -c "$(declare -f runner); runner $shell \$0" "$1"; }
    run "$work/scripts/job" || { rc=$?; run "$work/scripts/after_script"; exit "$rc"; }
    run "$work/scripts/after_script"
  ) >"$log" 2>&1 || rc=$?
}
ash="$work/busybox ash"
for shell in "$ash" /bin/dash /bin/bash; do
  called=$(sed 's/.*[ /]//' <<<"$shell")
  [ -x "${shell%% *}" ] || die "$called is missing on this machine"
  in_shell "$shell" -- 'echo "GOPROXY=$GOPROXY"' 'go mod download'
  check "$called: the job succeeds with its exports" has "$log" '^GOPROXY=https://'
  check "$called: the download was a real one" present "$work/mod-$id/cache/download/github.com/google/uuid/@v/v1.6.0.zip"
  check "$called: the job ends with 0" same "$rc" 0
  check "$called: after_script takes it back" has "$log" 'goproxy-action: restored: .*GOPROXY'
done
check "busybox: wget got the program" has "$work/files.log" 'GET /goproxy-action\.gz .*[Ww]get'
check "all shells: nothing is left in the temporary directory" tidy
in_shell "$ash" GOPROXY_ACTION_DIRECTORY=nowhere -- 'touch "$HOME/reached"'
check "ash, setup fails with 2: so does the job" same "$rc" 2
in_shell "$ash" GOPROXY_ACTION_SHA256="${sum//[0-9]/0}" -- 'touch "$HOME/reached"'
check "ash, wrong digest: the job ends with 4" same "$rc" 4
# neighbour OWNER MODE: has made the directory of the next job, with things to read and to start
neighbour() {
  local dir=$TMPDIR/goproxy-action-$((id + 1)) file
  mkdir "$dir"
  printf 'export planted=1; echo planted >>"%s/stolen"\n' "$work" >"$dir/env"
  printf '#!/bin/sh\necho planted >>"%s/stolen"\n' "$work" >"$dir/goproxy-action"
  printf 'planted report\n' >"$dir/report.txt"
  chmod 755 "$dir"/*
  chown -R "$1" "$dir"
  chmod "$2" "$dir"
}
for shell in "$ash" /bin/dash /bin/bash; do
  called=$(sed 's/.*[ /]//' <<<"$shell")
  for of in nobody:700 root:755; do
    neighbour "${of%:*}" "${of#*:}"
    in_shell "$shell" -- 'touch "$HOME/reached"'
    check "$called, a directory of $of is there: the job ends with 4" same "$rc" 4
    check "$called, a directory of $of: says what to do" has "$log" 'Set the variable TMPDIR'
    check "$called, a directory of $of: nothing of it is read" lacks "$log" 'planted'
    check "$called, a directory of $of: nor taken away" present "$TMPDIR/goproxy-action-$id/env"
    rm -rf "$TMPDIR/goproxy-action-$id"
  done
done
mkdir -m 700 "$work/elsewhere"
printf 'echo planted >>"%s/stolen"\n' "$work" >"$work/elsewhere/env"
ln -s "$work/elsewhere" "$TMPDIR/goproxy-action-$((id + 1))"
in_shell "$ash" -- 'touch "$HOME/reached"'
check "ash, a link in place of the directory: the job ends with 4" same "$rc" 4
check "ash, a link: is not followed" present "$work/elsewhere/env"
rm -f "$TMPDIR/goproxy-action-$id"
neighbour root 700
in_shell "$ash" -- 'echo "planted=${planted:-no}"'
check "ash, left over by the same user: the job succeeds" same "$rc" 0
check "ash, left over: nothing of it is used" has "$log" '^planted=no'
neighbour root 700
in_shell "$ash" GOPROXY_ACTION_BINARY=/nowhere -- 'touch "$HOME/reached"'
check "ash, left over, and the job fails: after_script uses nothing of it" lacks "$log" 'planted'
check "ash, a neighbour: nothing of it is started" absent "$work/stolen"
check "ash, all of these: nothing is left in the temporary directory" tidy

# What goes wrong by accident is not called an attack.
ends() { # WHAT CODE WHY
  check "ash, $1: the job ends with $2" same "$rc" "$2"
  check "ash, $1: says why" has "$log" "$3"
}
in_shell "$ash" "TMPDIR=$work/missing" -- 'touch "$HOME/reached"'
ends "no TMPDIR" 2 'cannot be made; let the variable TMPDIR'
echo '<html>Please log in</html>' >"$work/files/page.gz"
in_shell "$ash" "GOPROXY_ACTION_BINARY=$files/page.gz" -- 'touch "$HOME/reached"'
ends "a page in place of the program" 3 'is no whole gzip file'
head -c 100000 "$work/files/goproxy-action.gz" >"$work/files/half.gz"
in_shell "$ash" "GOPROXY_ACTION_BINARY=$work/files/half.gz" -- 'touch "$HOME/reached"'
ends "half a file" 2 'is no whole gzip file'
mkdir "$work/image" "$work/full"
cp "$binary" "$work/image/goproxy-action"
printf '#!/bin/sh\necho "head: No space left on device" >&2; exit 1\n' >"$work/full/head"
printf '#!/bin/sh\necho "mv: No space left on device" >&2; exit 1\n' >"$work/full/mv"
chmod +x "$work/full"/*
in_shell "$ash" "PATH=$work/full:$box" -- 'touch "$HOME/reached"'
ends "no room to unpack" 2 'could not be unpacked; let the variable TMPDIR'
in_shell "$ash" "PATH=$work/full:$box" "GOPROXY_ACTION_BINARY=$work/image/goproxy-action" -- 'touch "$HOME/reached"'
ends "no room for the program" 2 'could not be written; let the variable TMPDIR'
printf '#!/etc/passwd\n' >"$work/files/unstartable" # what a file system mounted noexec says: permission denied
in_shell "$ash" "GOPROXY_ACTION_BINARY=$work/files/unstartable" "GOPROXY_ACTION_SHA256=$(sum "$work/files/unstartable")" -- 'touch "$HOME/reached"'
ends "TMPDIR is mounted noexec" 2 'noexec, then let the variable TMPDIR'
in_shell "$ash" -- "$(cat "$work/scripts/before_script")" 'touch "$HOME/reached"'
ends "before_script taken twice" 2 'for the second time'
check "ash, before_script taken twice: after_script takes the first back" has "$log" 'goproxy-action: restored: .*GOPROXY'
in_shell "$ash" -- 'rm "$GOPROXY_ACTION_HOME/report.txt"'
check "ash, the report is gone: after_script goes on" has "$log" 'goproxy-action: restored: .*GOPROXY'
in_shell "$ash" -- 'echo false >>"$GOPROXY_ACTION_HOME/env"'
check "ash, the settings do not load: after_script ends" same "$rc" 0
in_shell "$ash" -- 'ls -d "$GOPROXY_ACTION_HOME"/goproxy-action-*/journal.json'
check "ash, the journal lies in the job's directory" has "$log" "^$TMPDIR/goproxy-action-$id/.*/journal.json"
check "ash, accidents: nothing is left in the temporary directory" tidy

# Behind a proxy. What is downloaded is no program, which its digest tells.
tarball=$npm/is-number/-/is-number-7.0.0.tgz
curl -fsS -o "$work/tarball" "$tarball" || die "$tarball cannot be downloaded"
for client in curl wget; do
  wget --version | grep GNU >/dev/null || die "GNU wget is missing on this machine"
  mkdir "$work/only-$client"
  ln -s "$(command -v $client)" "$work/only-$client/"
  wc -l <"$work/forwardproxy.log" >"$work/mark"
  trace=1 in_shell "$ash" "PATH=$work/only-$client:$box" "HTTPS_PROXY=$proxy" "GOPROXY_ACTION_BINARY=$tarball" -- 'touch "$HOME/reached"'
  check "behind a proxy, $client: it was asked" through
  check "behind a proxy, $client: the file came through it" has "$log" "has the SHA-256 $(sum "$work/tarball")"
  check "behind a proxy, $client: the password is not in the log" silent "$log"
  in_shell "$ash" "PATH=$work/only-$client:$box" "HTTPS_PROXY=http://ci:$encoded@127.0.0.1:none" "GOPROXY_ACTION_BINARY=$tarball" -- 'touch "$HOME/reached"'
  check "behind a broken proxy, $client: the job ends with 3" same "$rc" 3
  check "behind a broken proxy, $client: the password is not in the log" silent "$log"
  in_shell "$ash" "PATH=$work/only-$client:$box" "GOPROXY_ACTION_BINARY=$files/gone" -- 'touch "$HOME/reached"'
  check "a file that is not there, $client: the reason is in the log" has "$log" '404'
done
in_shell "$ash" "HTTPS_PROXY=$dead" "GOPROXY_ACTION_BINARY=https://127.0.0.1:1/x" -- 'touch "$HOME/reached"'
ends "behind a proxy, with busybox's wget" 3 'let the image have curl'
check "ash, downloads: nothing is left in the temporary directory" tidy
check "ash, failures: the script is never reached" absent "$work/home/reached"
in_shell "$ash" "TMPDIR=$work/$name" -- 'echo "$GOPROXY_ACTION_HOME"'
check "ash, TMPDIR in the checkout: another place is taken" has "$log" '^/tmp/goproxy-action-'
ln -s "$work/$name" "$work/tmp/link"
for way in "$work/tmp/../$name" "$work/tmp/link"; do
  in_shell "$ash" "TMPDIR=$way" -- 'echo "$GOPROXY_ACTION_HOME"'
  check "ash, TMPDIR in the checkout as ${way#"$work/"}: another place is taken" has "$log" '^/tmp/goproxy-action-'
done
rm "$work/tmp/link"

# In the image.
mkdir "$work/$name/bin"
for program in curl wget goproxy-action sha256sum mkdir cp gzip; do
  printf '#!/bin/sh\necho "%s" >>"%s/stolen"\n' "$program" "$work" >"$work/$name/bin/$program"
done
printf '#!/bin/sh\necho "$0" >>"%s/stolen"\n' "$work" | tee "$work/$name"/{mkdir,gzip,tail,rm} "$work/$name"/bin/{ls,id,tail,rm} >/dev/null
chmod +x "$work/$name"/bin/* "$work/$name"/{mkdir,gzip,tail,rm}
hostile=$work/$name/bin:bin::$work/tmp/../$name/bin:$box
in_shell "$ash" "PATH=$hostile" -- 'echo "GOPROXY=$GOPROXY"'
check "ash, programs of the checkout on the PATH: the job succeeds" has "$log" '^GOPROXY=https://'
in_shell "$ash" "PATH=$hostile" GOPROXY_ACTION_BINARY= GOPROXY_ACTION_SHA256= -- 'echo reached'
check "ash, no program but the checkout's: the job ends with 2" same "$rc" 2
check "ash, programs of the checkout: none is started" absent "$work/stolen"
rm "$work/$name"/{mkdir,gzip,tail,rm}
in_shell "$ash" "PATH=$box:$work/image" GOPROXY_ACTION_BINARY= GOPROXY_ACTION_SHA256= -- 'echo "GOPROXY=$GOPROXY"'
check "ash, the program is in the image: the job succeeds" has "$log" '^GOPROXY=https://'
mkdir "$work/victim"
rm -rf "$work/$name/.goproxy-action"
ln -s "$work/victim" "$work/$name/.goproxy-action"
in_shell "$ash" -- 'touch "$HOME/reached"'
check "ash, a link in place of the reports: the job ends with 2" same "$rc" 2
check "ash, a link in place of the reports: is not followed" same "$(ls -A "$work/victim")" ""
rm -rf "$work/$name/.goproxy-action"
mkdir "$work/$name/.goproxy-action"
echo precious >"$work/$name/.goproxy-action/notes"
for shell in "$ash" /bin/dash /bin/bash; do
  called=$(sed 's/.*[ /]//' <<<"$shell")
  in_shell "$shell" -- 'touch "$HOME/reached"'
  check "$called, the repository has files where the reports go: the job ends with 2" same "$rc" 2
  check "$called, files where the reports go: says what to do" has "$log" 'remove it from the repository'
  check "$called, files where the reports go: they stay" present "$work/$name/.goproxy-action/notes"
done
rm -f "$work/$name/.goproxy-action/notes"
echo '{}' >"$work/$name/.goproxy-action/report.json"
in_shell "$ash" -- 'echo "GOPROXY=$GOPROXY"'
check "ash, reports of an earlier job: the job succeeds" has "$log" '^GOPROXY=https://'
check "ash, reports of an earlier job: are replaced" json "$work/$name/.goproxy-action/report.json" 'r.decision === "allow"'
check "ash, failures: the script is never reached, either" absent "$work/home/reached"
mkdir "$work/$name/.goproxy"
printf 'proxy: {https: "%s"}\n' "$proxy" >"$work/$name/.goproxy/config.yaml"
trace=1 in_shell "$ash" -- '{ set +x; } 2>/dev/null' 'case $HTTPS_PROXY in *:*@*) echo "has the password" ;; esac'
check "ash with set -x: the job has the password" has "$log" '^has the password'
check "ash with set -x: the log has not" silent "$log"
rm -r "$work/$name/.goproxy"

# What GitLab says is valid: its own schema, as gitlab-ci-local carries it.
node -e 'const fs = require("fs"), s = fs.readFileSync(process.argv[1], "utf8")
  const from = s.lastIndexOf("{$schema", s.indexOf("https://gitlab.com/.gitlab-ci.yml"))
  for (const m of s.slice(from).matchAll(/\}(?=[;,)])/g)) {
    try { process.stdout.write(JSON.stringify(Function(`return (${s.slice(from, from + m.index + 1)})`)())); break } catch {}
  }' "$LAB_HOME/npm/gitlab-ci-local/node_modules/gitlab-ci-local/dist/index.js" >"$work/schema.json"
valid() { "$LAB_HOME/bin/ajv" validate --strict=false -c ajv-formats -s "$work/schema.json" -d "$1"; }
template=$PROJECT/templates/goproxy-action/template.yml
yaml 'console.log(JSON.stringify(docs[0]))' <"$template" >"$work/header.json"
# hidden jobs may hold anything: as jobs with a script they are judged
yaml 'console.log(JSON.stringify(Object.fromEntries(Object.entries(docs[1]).map(([k, v]) => [k.replace(/^\./, ""), {script: "true", ...v}]))))' <"$template" >"$work/jobs.json"
yaml 'docs[1][".goproxy-action"].artifact = {}; console.log(JSON.stringify({job: {script: "true", ...docs[1][".goproxy-action"]}}))' <"$template" >"$work/wrong.json"
check "schema: the template's header is valid" valid "$work/header.json"
check "schema: its jobs are valid" valid "$work/jobs.json"
check "schema: a misspelt key is not" eval '! valid "$work/wrong.json"'

# resolved TEMPLATE PIPELINE: the pipeline's own jobs as GitLab has them, which resolves !reference everywhere and flattens
# its lists in scripts only. gitlab-ci-local flattens them everywhere.
resolved() {
  node -e 'const yaml = require(process.argv[1]), fs = require("fs")
    class Reference { constructor(path) { this.path = path } }
    const tag = new yaml.Type("!reference", {kind: "sequence", construct: path => new Reference(path)})
    const schema = yaml.DEFAULT_SAFE_SCHEMA ? new yaml.Schema({include: [yaml.DEFAULT_SAFE_SCHEMA], explicit: [tag]}) : yaml.DEFAULT_SCHEMA.extend([tag])
    const load = file => { const docs = []; yaml.loadAll(fs.readFileSync(file, "utf8"), d => docs.push(d), {schema}); return docs.at(-1) }
    const page = load(process.argv[3]), all = {...load(process.argv[2]), ...page}
    const resolve = (v, key) => {
      if (v instanceof Reference) return resolve(v.path.reduce((at, k) => at[k], all), key)
      if (Array.isArray(v)) { const list = v.map(e => resolve(e)); return /script$/.test(key) ? list.flat(10) : list }
      if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, resolve(e, k)]))
      return v
    }
    console.log(JSON.stringify(resolve(page)))' "$LAB_HOME/npm/ajv/node_modules/js-yaml" "$1" "$2"
}

# The examples of the documentation: each is a pipeline, with the first one's include where it has none.
name=examples
mkdir "$work/$name" "$work/pages"
node -e 'const fs = require("fs"), [page, to] = process.argv.slice(1)
  const blocks = [...fs.readFileSync(page, "utf8").matchAll(/```yaml\n([^]*?)```/g)].map(m => m[1])
  const include = blocks[0].slice(0, blocks[0].indexOf("\n\n") + 2)
  blocks.forEach((b, i) => fs.writeFileSync(`${to}/${i + 1}.yml`, b.startsWith("include:") ? b : (/^build:/m.test(b) ? include : blocks[0] + "\n") + b))' "$PROJECT/docs/gitlab.md" "$work/pages"
for page in "$work"/pages/*.yml; do
  example=$(basename "$page" .yml)
  repo $name <"$page"
  ci $name --preview
  sed -n '/^---$/,$p' "$log" >"$work/example.yml"
  check "example $example of docs/gitlab.md: gitlab-ci-local takes it" same "$rc" 0
  check "example $example of docs/gitlab.md: valid by the schema" valid "$work/example.yml"
  resolved "$template" "$page" >"$work/example.json"
  check "example $example of docs/gitlab.md: valid as GitLab resolves it" valid "$work/example.json"
done
printf 'build: {script: [!reference [.goproxy-action, before_script]], artifacts: {paths: [a, !reference [.goproxy-action, artifacts, paths]]}}\n' >"$work/nested.yml"
resolved "$template" "$work/nested.yml" >"$work/nested.json"
check "schema: a !reference as one of the paths of artifacts is not valid" eval '! valid "$work/nested.json"'
check "docs/gitlab.md: has its examples" present "$work/pages/6.yml"
# the first one runs, with a binary that is there
name=first
cp -R "$work/module" "$work/$name"
sed -e '/image:/d' -e "s|binary: .*|binary: $files/goproxy-action.gz|" -e "s|binary-sha256: .*|binary-sha256: $sum|" "$work/pages/1.yml" | repo $name
ci $name
check "example 1 of docs/gitlab.md: runs" passes build

totals
