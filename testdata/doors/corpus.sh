#!/usr/bin/env bash
# corpus.sh [BINARY|long]: real repositories, and lock files that real tools make here, are judged: none makes the program
# fail, and no honest one is denied. Then bad things are planted in copies of them, and each is found in its place, and
# nothing else. Takes Go, Node, npm, git and a network. What is downloaded is kept in the lab's cache.
# Without long: three repositories, and the smallest of the projects.
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

long='' binary=
case ${1:-} in long) long=1 ;; ?*) binary=$(realpath "$1") ;; esac
scene
"$LAB_ROOT/install.sh" managers
if [ -z "$binary" ]; then
  binary=$work/goproxy-action
  build_binary "$binary"
fi
official=$(official_npm)
planter=$work/planter
(cd "$LAB_ROOT" && GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -buildvcs=false -o "$planter" ./planter)
mkdir -p "$work/home" "$work/reports" "$work/locks" "$work/made" "$LAB_HOME/corpus"
beds=()

# Repositories, as the module proxy serves them: without vendor directories, and without modules that nest in them. The
# versions are the newest that Go 1.26 takes, and some of years before that have lock files of other kinds.
repositories=(
  github.com/caddyserver/caddy/v2@v2.11.9
  github.com/prometheus/alertmanager@v0.34.2
  github.com/prometheus/prometheus@v0.316.0
)
[ -z "$long" ] || repositories+=(
  code.gitea.io/gitea@v1.27.3
  github.com/argoproj/argo-cd/v3@v3.2.0
  github.com/cilium/cilium@v1.20.2
  github.com/containerd/containerd/v2@v2.4.2
  github.com/docker/docker@v28.5.2+incompatible
  github.com/evanw/esbuild@v0.28.2
  github.com/go-task/task/v3@v3.54.0
  github.com/gohugoio/hugo@v0.152.2
  github.com/grafana/loki/v3@v3.7.8
  github.com/hashicorp/terraform@v1.13.3
  github.com/hashicorp/vault@v1.13.0
  github.com/hashicorp/vault@v1.21.4
  github.com/influxdata/influxdb/v2@v2.7.12
  github.com/jaegertracing/jaeger@v1.76.0
  github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
  github.com/moby/moby/v2@v2.0.0-beta.24
  github.com/ollama/ollama@v0.17.4
  github.com/pocketbase/pocketbase@v0.33.0
  github.com/prometheus/prometheus@v0.37.0
  github.com/rclone/rclone@v1.76.0
  github.com/thanos-io/thanos@v0.40.1
  github.com/traefik/traefik/v2@v2.11.0
  github.com/traefik/traefik/v3@v3.7.13
  go.etcd.io/etcd/v3@v3.6.8
  k8s.io/kubernetes@v1.37.2
  tailscale.com@v1.90.6
)
# What the rules rightly call an error there: "NAME RULE" and why.
declare -A true_errors=()

# judge NAME DIR: a row of the table, and a check
judge() {
  local name=$1 dir=$2 rc=0 start=${EPOCHREALTIME/[.,]/} report=$work/reports/${1//\//_} rule excused=()
  (cd "$dir" && env -i "PATH=$PATH" "HOME=$work/home" GOENV=off "$binary" check --offline --format json) >"$report" 2>"$report.err" || rc=$?
  local ms=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
  for rule in "${!true_errors[@]}"; do [[ $rule != "$name "* ]] || excused+=("${rule##* }"); done
  # shellcheck disable=SC2016
  check "$name" node -e '
    const [report, code, name, dir, files, ms, ...excused] = process.argv.slice(1), fs = require("fs")
    const r = JSON.parse(fs.readFileSync(report, "utf8")), count = s => r.findings.filter(f => f.severity === s).length
    fs.appendFileSync(process.env.TABLE, [name, files, r.counts.packages, r.counts.modules, count("warning"), count("note"), ms].join("\t") + "\n")
    const errors = r.findings.filter(f => f.severity === "error" && !excused.includes(f.id))
    for (const f of errors.slice(0, 5)) console.log(f.id, `${f.file}:${f.line}:${f.column}`, f.subject, f.message)
    if (errors.length || code !== (r.counts.errors ? "1" : "0")) { console.log("exit", code, r.error ? r.error.message : ""); process.exit(1) }
  ' "$report" "$rc" "$name" "$dir" "$(read_in "$dir")" "$ms" "${excused[@]}"
}

# read_in DIR: how many files there are of the kinds that are read
read_in() {
  find "$1" \( -name node_modules -o -name vendor -o -name testdata -o -name '.git' \) -prune -o -type f \( -name go.mod -o -name go.sum -o -name 'go.work*' \
    -o -name package.json -o -name package-lock.json -o -name npm-shrinkwrap.json -o -name yarn.lock -o -name pnpm-lock.yaml -o -name bun.lock \
    -o -name .npmrc -o -name '.yarnrc*' -o -name bunfig.toml -o -name pnpm-workspace.yaml -o -name .gitmodules -o -name .gitlab-ci.yml -o -path '*/.github/workflows/*.y*ml' \) -print | wc -l
}

# make TOOL PROJECT: the lock file that a tool makes of a project, in $work/locks/TOOL-PROJECT. Nothing of any package is run.
make() {
  local tool=$1 project=$2 dir=$work/locks/$1-$2 node=(node) in=$LAB_HOME/npm/managers/node_modules
  mkdir -p "$dir"
  cp -R "$LAB_ROOT/tastes/$project/." "$dir"
  cd "$dir"
  local npm=(install --package-lock-only --ignore-scripts --no-audit --no-fund)
  case $tool in
    npm6) "${node[@]}" "$in/npm6/bin/npm-cli.js" "${npm[@]}" ;;
    npm10v1) "${node[@]}" "$in/npm10/bin/npm-cli.js" "${npm[@]}" --lockfile-version=1 ;;
    npm10v2) "${node[@]}" "$in/npm10/bin/npm-cli.js" "${npm[@]}" --lockfile-version=2 ;;
    npm11) "${node[@]}" "$in/npm11/bin/npm-cli.js" "${npm[@]}" ;;
    shrinkwrap) # needs no manager: it is a lock file by another name
      "${node[@]}" "$in/npm11/bin/npm-cli.js" "${npm[@]}"
      "${node[@]}" "$in/npm11/bin/npm-cli.js" shrinkwrap
      ;;
    yarn1)
      # as root it would keep its cache in /usr/local/share
      "${node[@]}" "$in/yarn1/bin/yarn.js" install --cache-folder "$HOME/yarn" --ignore-scripts --no-bin-links --non-interactive --registry "$official"
      find . -name node_modules -prune -exec rm -rf {} +
      ;;
    berry*)
      touch yarn.lock # else it looks for a project above
      YARN_NPM_REGISTRY_SERVER=$official YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_IMMUTABLE_INSTALLS=0 YARN_ENABLE_SCRIPTS=0 \
        "${node[@]}" "$in/$tool/bin/yarn.js" install --mode=update-lockfile
      rm -rf .yarn .pnp.*
      ;;
    pnpm*)
      if [ -d packages ]; then
        printf 'packages:\n  - packages/*\n' >pnpm-workspace.yaml
        sed -i 's,"@tools/core": "1.2.0","@tools/core": "workspace:*",' packages/cli/package.json
      fi
      local file=$in/$tool/bin/pnpm.cjs
      [ -e "$file" ] || file=${file%.cjs}.mjs
      "${node[@]}" "$file" install --lockfile-only --ignore-scripts
      ;;
    bun) "$in/bun/bin/bun" install --lockfile-only --ignore-scripts ;;
  esac
}

# making PROJECT TOOL...: one after the other; what a tool says is kept, and shown where it fails
making() (
  local project=$1 tool
  shift
  # shellcheck disable=SC2030,SC2031 # each part has a home of its own
  export HOME=$work/home npm_config_registry=$official BUN_CONFIG_REGISTRY=$official NO_UPDATE_NOTIFIER=1 CI=1
  for tool in "$@"; do
    (make "$tool" "$project") >"$work/made/$tool-$project.log" 2>&1 </dev/null || { tail -n 5 "$work/made/$tool-$project.log" >&2; exit 1; }
  done
)

# beds of Go, by the go on this machine
golang() { # DIR PACKAGE...
  mkdir -p "$1"
  printf 'module example.test/%s\n\ngo 1.25.0\n' "$(basename "$1")" >"$1/go.mod"
  { echo 'package planted'; printf 'import _ "%s"\n' "${@:2}"; } >"$1/planted.go"
  (cd "$1" && GOWORK=off go mod tidy)
}
gobeds() (
  export GOFLAGS=-modcacherw GOPATH=$work/go GOMODCACHE=$work/mod
  local dir=$work/beds
  golang "$dir/vendored" github.com/google/uuid golang.org/x/net/html github.com/spf13/cobra github.com/google/go-cmp/cmp
  (cd "$dir/vendored" && go mod vendor)
  golang "$dir/workspace/a" github.com/google/uuid golang.org/x/net/html github.com/google/go-cmp/cmp
  golang "$dir/workspace/b" github.com/spf13/cobra golang.org/x/net/html github.com/google/go-cmp/cmp
  golang "$dir/workspace/c" golang.org/x/net/html
  (cd "$dir/workspace" && go work init ./a ./b ./c)
  golang "$dir/settings" github.com/google/uuid golang.org/x/net/html github.com/spf13/cobra
  cd "$dir/settings"
  GOENV=$PWD/go.env go env -w GOPRIVATE=corp.example GOFLAGS=-trimpath GOPROXY="$(official_gomod),direct" CGO_ENABLED=0 GOAMD64=v2
  cp "$LAB_ROOT/tastes/express/package.json" .
  local in=$LAB_HOME/npm/managers/node_modules name
  # shellcheck disable=SC2030,SC2031 # each part has a home of its own
  export HOME=$work/home npm_config_registry=$official
  npm install --package-lock-only --ignore-scripts --no-audit --no-fund
  # settings, by the tools that they are of; yarn 1 writes those of the user alone, and bun writes none
  npm config --location=project set save-exact=true fund=false engine-strict=true
  printf 'save-prefix "~"\nversion-tag-prefix "v"\nchild-concurrency "5"\n' >.yarnrc
  for name in 'nodeLinker node-modules' 'defaultSemverRangePrefix ~' 'enableTelemetry false'; do
    # shellcheck disable=SC2086
    (mkdir -p ../berry && cd ../berry && touch yarn.lock && echo '{}' >package.json && node "$in/berry4/bin/yarn.js" config set $name)
  done
  mv ../berry/.yarnrc.yml .
  printf '[install]\nexact = true\nfrozenLockfile = true\n\n[install.cache]\ndisable = false\n\n[run]\nsilent = true\n' >bunfig.toml
  for name in 'nodeLinker hoisted' 'saveExact true' 'engineStrict true'; do
    # shellcheck disable=SC2086
    node "$in/pnpm12/bin/pnpm.mjs" config --location=project set $name
  done
  for name in one two; do
    git config -f .gitmodules "submodule.$name.path" "$name"
    git config -f .gitmodules "submodule.$name.url" "https://github.com/example/$name.git"
  done
  cp "$LAB_ROOT/tastes/gitlab-ci.yml" .gitlab-ci.yml
  rm -r ../berry
)

say "== repositories, and lock files of real tools"
small=(npm10v1 npm10v2 npm11 shrinkwrap yarn1 berry4 pnpm7 pnpm8 pnpm12 bun)
jobs=()
making monorepo "${small[@]}" &
jobs+=($!)
if [ -n "$long" ]; then
  for project in react express; do
    making "$project" npm6 "${small[@]}" berry3 pnpm9 &
    jobs+=($!)
  done
fi
gobeds >"$work/made/go.log" 2>&1 &
jobs+=($!)
(cd "$work" && GOMODCACHE=$LAB_HOME/corpus/mod GOPATH=$work/go GOFLAGS=-modcacherw GOTOOLCHAIN=local GOWORK=off \
  go mod download -json "${repositories[@]}") >"$work/repositories" || die "a repository could not be downloaded: $(grep -m1 '"Error"' "$work/repositories")"
for job in "${jobs[@]}"; do wait "$job" || die "a lock file or a module could not be made: $(tail -n 3 "$work/made/go.log")"; done

export TABLE=$work/table
# shellcheck disable=SC2016
while IFS=$'\t' read -r name dir; do
  judge "$name" "$dir"
  beds+=("$dir")
done < <(node -e '
  for (const o of JSON.parse("[" + require("fs").readFileSync(process.argv[1], "utf8").trim().replace(/\}\s*\{/g, "},{") + "]")) {
    console.log(`${o.Path.replace(/^github\.com\//, "")}@${o.Version.replace(/-.*/, "")}\t${o.Dir}`)
  }' "$work/repositories")
for dir in "$work/locks"/*; do
  judge "$(basename "$dir")" "$dir"
  beds+=("$dir")
done
beds+=("$work/beds"/*)
{ printf '%s\t' repository files packages modules warnings notes; echo ms; cat "$TABLE"; } |
  awk -F'\t' '{ printf "%-34s %6s %9s %8s %9s %6s %6s\n", $1, $2, $3, $4, $5, $6, $7 }'

say "== the planter"
rc=0
"$planter" -binary "$binary" -npm "$official" -list "$work/planted" "${beds[@]}" >"$work/plants" 2>&1 || rc=$?
cat "$work/plants"
check "planter: all that was planted is found in its place, and nothing else" same "$rc" 0
for format in 'package-lock 1' 'package-lock 2' 'package-lock 3' 'npm-shrinkwrap 3' 'yarn 1' 'yarn berry' 'pnpm 5' 'pnpm 6' 'pnpm 9' 'bun [0-9]' \
  go.mod go.sum go.work go.env vendor/modules.txt package.json .npmrc .yarnrc .yarnrc.yml bunfig.toml pnpm-workspace.yaml \
  .gitmodules .git/config workflow .gitlab-ci.yml; do
  check "planter: $format" has "$work/plants" "^$format +[0-9]+ "
done
totals
