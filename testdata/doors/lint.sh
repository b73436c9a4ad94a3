#!/usr/bin/env bash
# lint.sh [long]: the workflows, the action's own file and the shell scripts, by the linters that their writers trust.
#   long   golangci-lint as well; building it takes a minute the first time
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

long=${1:-}
[ -z "$long" ] || [ "$long" = long ] || { sed -n '2,3s/^# //p' "$0"; exit 2; }
workplace
trap 'erase "$work"' EXIT
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars)
cd "$PROJECT"

"$LAB_ROOT/install.sh" lint
PATH=$LAB_HOME/bin:$PATH
yaml=$LAB_HOME/npm/ajv/node_modules/js-yaml
tracked() { git ls-files --cached --others --exclude-standard "$@" | while read -r f; do [ ! -e "$f" ] || printf '%s\n' "$f"; done; }

# Workflows. actionlint takes shellcheck to their scripts by itself, where it is there.
mapfile -t workflows < <(tracked '.github/workflows/*.yml')
check "workflows: actionlint" actionlint "${workflows[@]}"
check "workflows: pinned, bounded, and with no right too many" node testdata/doors/workflows.mjs "$yaml" "${workflows[@]}"

# A rule that finds nothing may be a rule that does not work. spoilt NAME EXPRESSION TEXT: one line of a sound workflow
# is changed by sed, and the fault is found.
sound=.github/workflows/test.yml
spoilt() {
  sed -E "$2" $sound >"$work/spoilt.yml"
  ! cmp -s $sound "$work/spoilt.yml" || { fail "finds $1" "nothing in $sound to spoil"; return; }
  node testdata/doors/workflows.mjs "$yaml" "$work/spoilt.yml" >"$work/spoilt.out" 2>&1 || true
  check "finds $1" has "$work/spoilt.out" "spoilt.yml:[0-9]+: .*$3"
}
spoilt "permissions for all" 's/^permissions: \{\}/permissions: {contents: read}/' 'every job'
spoilt "a job that says none" 's/^    permissions:$/    outputs:/' 'says no permissions'
spoilt "a job without an end" '0,/timeout-minutes/s/^    timeout-minutes: .*//' 'timeout-minutes'
spoilt "a tag for a pin" '0,/checkout@/s/(checkout@)[0-9a-f]{40}/\1v7.0.1/' '40 digits'
spoilt "half a pin" '0,/checkout@/s/(checkout@[0-9a-f]{39})[0-9a-f]/\1/' '40 digits'
spoilt "a pin without its version" '0,/checkout@/s/(checkout@[0-9a-f]{40}).*/\1/' 'which version'
spoilt "two pins of one action" '0,/checkout@/s/(checkout@)[0-9a-f]{40}/\10000000000000000000000000000000000000000/' 'elsewhere'
spoilt "a token left behind" '0,/persist-credentials/s/persist-credentials: false/persist-credentials: true/' 'persist-credentials'
spoilt "a stranger's event" 's/^  pull_request:/  pull_request_target:/' 'pull_request_target runs'
# shellcheck disable=SC2016
spoilt "an expression in a script" 's/^      - run: go vet .*/      - run: echo ${{ github.head_ref }}/' 'by env'
spoilt "runs without a bound" 's/^concurrency:/env:/' 'concurrency'

# action.yml is read with a workflow that uses it: its form, and the names of inputs and outputs.
user() { # INPUT OUTPUT
  mkdir -p "$work/user/.github/workflows" "$work/user/cmd"
  cp action.yml "$work/user/"
  cp -R cmd/launcher "$work/user/cmd/"
  git -C "$work/user" init -q
  # shellcheck disable=SC2016
  printf 'on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n      - {id: proxy, uses: ./, with: {%s: x}}\n      - {run: echo "$A", env: {A: "${{ steps.proxy.outputs.%s }}"}}\n' "$1" "$2" \
    >"$work/user/.github/workflows/user.yml"
  (cd "$work/user" && actionlint) >"$work/user.out" 2>&1
}
user mode decision || true
check "action.yml: actionlint" same "$(cat "$work/user.out")" ""
user mood decision || true
check "action.yml: an input that it has not is found" has "$work/user.out" 'input "mood" is not defined'
user mode decisions || true
check "action.yml: an output that it has not is found" has "$work/user.out" 'property "decisions" is not defined'

# Shell scripts: by name, or by their first line.
if command -v shellcheck >/dev/null; then
  while read -r script; do
    check "shellcheck $script" shellcheck --external-sources --source-path=SCRIPTDIR "$script"
  done < <(tracked | while read -r f; do
    case ${f##*/} in *.sh) echo "$f" ;; *.*) ;; *) ! head -n 1 "$f" | grep -qE '^#!.*\b(ba|da)?sh\b' || echo "$f" ;; esac
  done)
else
  say "not run: shellcheck: needs shellcheck, which is a package of Debian, and root to install it"
fi

if [ -n "$long" ]; then
  "$LAB_ROOT/install.sh" golangci
  check "golangci-lint: its settings" golangci-lint config verify
  check "golangci-lint" golangci-lint run ./... ./.github/release
  check "go vet of the lab" env -C testdata/lab GOWORK=off go vet ./...
fi

totals
