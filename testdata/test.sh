#!/usr/bin/env bash
# test.sh [quick|long|bench]: all tests. Takes Go, Node, npm and git; the real ones take a network, and hostile networks
# and container builds take root (without it they say so and are left out).
#   quick   without the real ones, but verify on the real transparency log
#   long    what takes long instead: a whole release by goreleaser, images for two platforms, golangci-lint, all repositories,
#           verify killed 200 times
#   bench   the benchmarks instead, the launcher's figures, and the policy gate and verify beside their rivals
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$project"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# part NAME COMMAND...: one part, with its time
part() {
  local name=$1 start=$SECONDS
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  if "$@"; then
    passed=$((passed + 1))
    printf 'ok %s (%d s)\n' "$name" $((SECONDS - start))
  else
    failed=$((failed + 1))
    printf 'FAIL %s (%d s)\n' "$name" $((SECONDS - start))
  fi
}

case ${1:-all} in
  all | quick | long) ;;
  bench)
    go test -run '^$' -bench . -benchmem ./...
    bash testdata/bench/launcher.sh
    bash testdata/bench/gate.sh
    exec bash testdata/bench/verify.sh
    ;;
  *) sed -n '2,7s/^# //p' "$0"; exit 2 ;;
esac

binary=$work/goproxy-action
if [ "${1:-all}" = long ]; then
  part release bash testdata/doors/release.sh long
  part lint bash testdata/doors/lint.sh long
  part container bash testdata/doors/container.sh long
  part corpus bash testdata/doors/corpus.sh long
  part verify bash testdata/doors/verify.sh long
else
  part vet go vet ./... ./.github/release
  part test go test ./... ./.github/release
  part launcher node --test cmd/launcher/
  part build env CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$binary" ./cmd/goproxy-action
fi
[ "${1:-all}" = long ] || part verify bash testdata/doors/verify.sh "$binary"
if [ "${1:-all}" = all ]; then
  part lint bash testdata/doors/lint.sh
  for door in real credential corpus reports act launcher gitlab precommit release container; do
    part "$door" bash "testdata/doors/$door.sh" "$binary"
  done
  part network bash testdata/lab/network.sh "$binary"
fi
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
