#!/usr/bin/env bash
# install.sh [net|act]...
# Installs what a part of the lab needs: Debian packages (net only, as root), Go tools by exact version, and the lab's
# own tools, all under $LAB_HOME (default ~/.cache/goproxy-lab). Running it again costs about a second.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BIN=$LAB_HOME/bin

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
  name=$(basename "$1")
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

net() {
  debian squid mitmproxy dnsmasq-base apache2-utils nftables iproute2
  own_tools
}

act() {
  go_tool github.com/nektos/act github.com/nektos/act v0.2.89
  own_tools
}

[ $# -gt 0 ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
mkdir -p "$BIN"
for part in "$@"; do
  case $part in net | act) "$part" ;; *) die "no such part: $part" ;; esac
done
say "installed $*: the tools are in $BIN"
