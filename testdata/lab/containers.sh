#!/usr/bin/env bash
# containers.sh base|env|clean: image builds by buildah, without an engine and without a registry. Takes Debian and root.
#   base    makes images under the names that the Dockerfile has, from this machine's own Debian, Go and certificates:
#           golang:1.26-bookworm and a stand-in for gcr.io/distroless/static-debian12:nonroot
#   env     prints what points buildah at them: eval "$(containers.sh env)"
#   clean   frees the space
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

STATE=$LAB_HOME/containers
CA=/etc/ssl/certs/ca-certificates.crt
export CONTAINERS_STORAGE_CONF=$STATE/storage.conf BUILDAH_ISOLATION=chroot

storage() {
  local driver=overlay
  [ "$(stat -f -c %T "$STATE")" != overlayfs ] || driver=vfs # one overlay does not stand on another
  printf '[storage]\ndriver = "%s"\nrunroot = "%s/run"\ngraphroot = "%s/graph"\n' $driver "$STATE" "$STATE" >"$CONTAINERS_STORAGE_CONF"
}

# userland DIR: a shell and what its lines use, with their libraries
userland() {
  local files=() d
  mkdir -p "$1"/usr/{bin,sbin,lib,lib64}
  for d in bin sbin lib lib64; do ln -s "usr/$d" "$1/$d"; done
  mapfile -t files < <(dpkg -L dash coreutils sed grep | grep -E '^(/usr)?/s?bin/.')
  mapfile -t -O ${#files[@]} files < <(ldd "${files[@]}" 2>/dev/null | grep -oE '/[^ :]+\.so[^ :]*' | sed 's,^/lib,/usr/lib,' | sort -u)
  cp --parents -L "${files[@]}" "$1/"
}

# ground DIR: what every image has
ground() {
  mkdir -p "$1"/{etc/ssl/certs,root,tmp}
  chmod 1777 "$1/tmp"
  cp $CA "$1/etc/ssl/certs/"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
}

# image NAME "FROM TO"... -- CONFIG...: an image of one layer
image() {
  local name=$1 c
  shift
  c=$(buildah from scratch)
  while [ "$1" != -- ]; do
    # shellcheck disable=SC2086
    buildah add -q "$c" $1 >/dev/null
    shift
  done
  shift
  buildah config "$@" "$c"
  buildah commit -q --rm "$c" "$name" >/dev/null
}

base() {
  local want
  need buildah containers
  [ "$(id -u)" = 0 ] || die "making images takes root"
  mkdir -p "$STATE"
  exec 8>"$STATE/lock"
  flock 8 # two runs on one $LAB_HOME take turns
  want="$(go version) $(cat "$CA" "${BASH_SOURCE[0]}" | sha256sum)"
  [ "$(cat "$STATE/made" 2>/dev/null)" != "$want" ] || return 0
  storage
  workplace
  trap 'erase "$work"' EXIT
  ground "$work/static"
  ground "$work/build"
  userland "$work/build"
  mkdir -p "$work/static/home/nonroot"
  chown 65532:65532 "$work/static/home/nonroot"
  local system=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  image docker.io/library/golang:1.26-bookworm "$work/build /" "$(go env GOROOT) /usr/local/go" -- \
    --env "PATH=/go/bin:/usr/local/go/bin:$system" --env GOPATH=/go --env GOTOOLCHAIN=local
  image gcr.io/distroless/static-debian12:nonroot "$work/static /" -- \
    --env "PATH=$system" --env SSL_CERT_FILE=$CA --user 65532 --workingdir /home/nonroot
  buildah rmi --prune >/dev/null 2>&1 || true # what earlier runs have left without a name
  printf '%s\n' "$want" >"$STATE/made"
}

case ${1:-} in
  base) base ;;
  env) say "export CONTAINERS_STORAGE_CONF=$CONTAINERS_STORAGE_CONF BUILDAH_ISOLATION=chroot" ;;
  clean) [ ! -e "$STATE/storage.conf" ] || buildah rm --all >/dev/null; erase "$STATE" ;;
  *) sed -n '2,6s/^# //p' "$0"; exit 2 ;;
esac
