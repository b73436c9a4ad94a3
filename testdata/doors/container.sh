#!/usr/bin/env bash
# container.sh [long]: the image, built by buildah from the Dockerfile as a user builds it and as a release does, and run
# without an engine: read-only, by several users, without a network. Takes root, Debian, Go, Node, npm and a network.
#   long   builds for another processor as well
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

not_run() {
  say "not run: needs $1"
  totals
  exit
}
[ "$(id -u)" = 0 ] || not_run root
[ -x "$(command -v apt-get)" ] || not_run "Debian's packages"
unshare --mount --net --pid --fork true 2>/dev/null || not_run "the right to make namespaces"

"$LAB_ROOT/install.sh" containers
"$LAB_ROOT/containers.sh" base
eval "$("$LAB_ROOT/containers.sh" env)"
workplace
containers=() images=() proxy=''
finish() {
  [ -z "$proxy" ] || kill "$proxy" 2>/dev/null || true
  [ ${#containers[@]} = 0 ] || buildah rm "${containers[@]}" >/dev/null || true
  [ ${#images[@]} = 0 ] || buildah rmi "${images[@]}" >/dev/null 2>&1 || true
  erase "$work"
}
trap finish EXIT
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars)

# The source as it is on disk, without what git ignores; nobody edits it meanwhile.
source=$work/source
mkdir "$source"
project_copy "$source"

gomod=$(official_gomod) npm=$(official_npm) version=v0.0.1-door revision=0123456789abcdef0123456789abcdef01234567

# What the builds compile is kept for the next run. Only builds in containers write there, so that nothing from this
# machine's own Go cache is in the bytes that are compared. Modules are downloaded anew each time.
cache=$LAB_HOME/containers/build
mkdir -p "$cache"

# image NAME ARGUMENT...: builds it, log in NAME.log; sets $image
image() {
  local name=$1 start=$SECONDS
  shift
  image=localhost/goproxy-action:$name-$$
  images+=("$image")
  if ! buildah bud --pull-never -v "$cache:/root/.cache/go-build" -t "$image" "$@" "$source" >"$work/$name.log" 2>&1; then
    fail "$name: builds" "$(tail -n 5 "$work/$name.log")"
    totals
    exit 1
  fi
  ok "$name: builds"
  say "  in $((SECONDS - start)) s"
}

# rootfs IMAGE: sets $root, its file system, and $program
rootfs() {
  local container
  container=$(buildah from --pull-never "$1")
  containers+=("$container")
  root=$(buildah mount "$container")
  program=$root/usr/local/bin/goproxy-action
}

digest() { sha256sum "$1" | cut -d' ' -f1; }
files() { (cd "$1" && find . -xdev ! -type d | LC_ALL=C sort); }

# released GOARCH: the digest of what a release builds on this machine, by .goreleaser.yaml
released() {
  (cd "$source" && VERSION=$version OFFICIAL_GO=$gomod OFFICIAL_NPM=$npm go run ./.github/release build "$work/released" "linux/$1") >"$work/released.log" 2>&1 ||
    { tail -n 3 "$work/released.log"; return; }
  digest "$work/released/goproxy-action_linux_$1"
}

# What gets into a build at all.
printf 'FROM scratch\nCOPY . /\n' >"$work/context"
image context -f "$work/context"
rootfs "$image"
files "$root" >"$work/files"
check "context: the program's source" has "$work/files" '^\./cmd/goproxy-action/main\.go$'
check "context: the rules with their tests, which are part of the program" has "$work/files" '^\./policy/.*_test\.rego$'
check "context: nothing else" same "$(grep -vE '^\./(go\.(mod|sum)|(cmd/goproxy-action|internal)/.*\.go|internal/catalogue/mirrors\.yaml|policy/.*)$' "$work/files")" ''
check "context: no tests of Go's" lacks "$work/files" '_test\.go$|/testdata/|/upstreamtest/'

# As a user builds it.
image plain
rootfs "$image"
(cd "$source" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$work/plain" \
  -ldflags "-s -w -X main.version= -X main.officialGo=$gomod -X main.officialNPM=" ./cmd/goproxy-action)
check "plain: the bytes are those of a build outside, which knows the toolchain's default" same "$(digest "$program")" "$(digest "$work/plain")"

# As a release does, through a corporate proxy and a module proxy that both take a password.
password=s3cr-t@Pass+$$ encoded=s3cr-t%40Pass%2B$$
(cd "$LAB_ROOT" && GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -buildvcs=false -trimpath -o "$work/" ./tools/forwardproxy)
FORWARDPROXY_LOGIN=ci:$password "$work/forwardproxy" "$(host_of "$gomod")" >"$work/proxy.log" 2>&1 </dev/null &
proxy=$!
wait_for 10 grep -q . "$work/proxy.log" || die "the forward proxy did not start"
image release --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  --build-arg "OFFICIAL_GO=$gomod" --build-arg "OFFICIAL_NPM=$npm" \
  --build-arg "GOPROXY=${gomod/:\/\//://ci:$encoded@}" --build-arg "HTTPS_PROXY=http://ci:$encoded@$(head -n 1 "$work/proxy.log")"
check "release: the modules came through the corporate proxy" has "$work/proxy.log" '^200 CONNECT '
rootfs gcr.io/distroless/static-debian12:nonroot
base=$root
rootfs "$image"
check "release: the bytes are a release's" same "$(digest "$program")" "$(released "$(go env GOARCH)")"

# Nothing of the build is in the image. It is looked at as a registry would get it.
buildah push -q "$image" "dir:$work/image" >/dev/null
config=$work/image/$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).config.digest.slice(7)' "$work/image/manifest.json")
secrets=$(printf '%s\n' "$password" "$encoded" "$(printf 'ci:%s' "$password" | base64)" "$(printf '%s' "$password" | base64)")
pushed() { local f; for f in "$work"/image/*; do gzip -dcf "$f"; done; }
silent() { ! grep -aqF -e "$secrets" <("$@"); }
forgotten() { ! grep -raqF -e "$secrets" "$LAB_HOME/containers"; }
check "secrets: the search reads the layers" same "$(pushed | grep -acF 'usr/local/bin/goproxy-action' | sed 's/[1-9][0-9]*/found/')" found
check "secrets: no password in layers, configuration, history" silent pushed
check "secrets: none in the storage that built it" forgotten
check "secrets: none in the build's log" silent cat "$work/release.log"
check "secrets: no argument of the build in configuration and history" lacks "$config" 'GOPROXY|GOSUMDB|OFFICIAL_|_PROXY='

# Its shape.
check "image: one file more than its base has" same "$(comm -13 <(files "$base") <(files "$root"))" ./usr/local/bin/goproxy-action
check "image: no other program, no shell" same "$(find "$root" -xdev ! -type d -perm /111)" "$program"
check "image: all may start it, root alone may change it" same "$(stat -c '%a %u:%g' "$program")" "755 0:0"
check "image: certificates are there" has "$root/etc/ssl/certs/ca-certificates.crt" 'BEGIN CERTIFICATE'
go version -m "$program" >"$work/build"
check "image: the program is built without C" has "$work/build" 'CGO_ENABLED=0'
size=$(du -sb --apparent-size "$root" | cut -f1)
say "  $((size / 1000000)) MB"
check "image: below 40 MB, with the 3 MB that the real base has more than its stand-in" test $((size + 3000000)) -lt 40000000
check "image: the entrypoint is the program alone" json "$config" 'String(r.config.Entrypoint) === "/usr/local/bin/goproxy-action" && !r.config.Cmd'
check "image: the user is a number, and not root's" json "$config" '/^[1-9]\d*:[1-9]\d*$/.test(r.config.User)'
check "image: a mounted checkout is the working directory" json "$config" 'r.config.WorkingDir === "/src"'
check "image: labels" json "$config" "const l = r.config.Labels, of = n => l['org.opencontainers.image.' + n]
  of('title') === 'goproxy-action' && of('source') === 'https://github.com/org/goproxy-action' && of('description').length > 20 &&
  of('version') === '$version' && of('revision') === '$revision'"

# In use. An engine adds these to a file system:
mkdir -p "$root/proc" "$root/dev"
touch "$root/etc/resolv.conf"
mapfile -t variables < <(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).config.Env.join("\n")' "$config")

# inside UID HOME none|host DIR ARGUMENT...: what docker run --rm --read-only --network none|host --user UID:UID
# -v DIR:/src:ro IMAGE ARGUMENT... does. Leaves stdout in $out, stderr in $err and the exit code in $rc.
inside() {
  local uid=$1 home=$2 own=(--mount --pid --fork --ipc --uts) dir=$4
  [ "$3" = host ] || own+=(--net)
  shift 4
  out=$work/out err=$work/err rc=0
  # shellcheck disable=SC2016
  unshare "${own[@]}" sh -ec '
    root=$1 dir=$2
    shift 2
    mount --bind "$root" "$root"
    mount --bind "$dir" "$root/src"
    mount -o remount,bind,ro "$root/src"
    mount --rbind /dev "$root/dev"
    mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
    mount -t proc proc "$root/proc"
    mount -o remount,bind,ro "$root"
    exec env -i "$@"
  ' inside "$root" "$dir" "${variables[@]}" "HOME=$home" \
    "$(command -v unshare)" --root="$root" --wd=/src --setgid="$uid" --setuid="$uid" /usr/local/bin/goproxy-action "$@" >"$out" 2>"$err" || rc=$?
}
exits() { same "$rc $([ "$rc" = "$1" ] || tail -n 3 "$err")" "$1 "; }

# lock DIR SCHEME: a lock file of npm's with one entry
lock() {
  node -e '
    const [dir, resolved] = process.argv.slice(1), fs = require("fs")
    const root = {name: "consumer", version: "1.0.0", dependencies: {"is-number": "7.0.0"}}
    const integrity = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
    const packages = {"": root, "node_modules/is-number": {version: "7.0.0", resolved, integrity}}
    const write = (name, value) => fs.writeFileSync(dir + "/" + name, JSON.stringify(value, null, 2) + "\n")
    write("package.json", root)
    write("package-lock.json", {name: root.name, version: root.version, lockfileVersion: 3, requires: true, packages})
  ' "$1" "$2:${npm#*:}/is-number/-/is-number-7.0.0.tgz"
}
# checkouts of somebody else, whose ownership git would call dubious
for kind in good poisoned; do
  module "$work/$kind"
  git -C "$work/$kind" init -q
done
lock "$work/good" https
lock "$work/poisoned" http
line=$(grep -n '"resolved": "http:' "$work/poisoned/package-lock.json" | cut -d: -f1)
chown -R 4242:4242 "$work/good" "$work/poisoned"

# user WHO UID HOME: without a network
user() {
  inside "$2" "$3" none "$work/good" version
  check "$1: version" has "$out" "^goproxy-action $version\$"
  inside "$2" "$3" none "$work/good" check --scope repo --offline
  check "$1: a good checkout passes" exits 0
  check "$1: and was looked at" has "$out" '1 module and 1 package allowed'
  inside "$2" "$3" none "$work/poisoned" check --scope repo --offline
  check "$1: a poisoned lock file fails with 1" exits 1
  check "$1: and is named with its line" has "$out" "error LCK002 package-lock.json:$line:"
}
user "the image's user" 65532 /home/nonroot
user "another user" 1000 /
user root 0 /root
inside 65532 /home/nonroot host "$work/good" detect --format json
check "network: detect exits 0" exits 0
check "network: the official sources are verified, over TLS" json "$out" \
  "['go', 'npm'].every(e => r.sources.some(s => s.ecosystem === e && s.id === 'official' && s.ok && s.content_verified))"
inside 65532 /home/nonroot none "$work/good" detect --format json
check "no network: detect says offline" json "$out" "r.class === 'offline'"

# Go compiles on the builder's processor for others.
if [ "${1:-}" = long ]; then
  other=arm64
  [ "$(go env GOARCH)" != arm64 ] || other=amd64
  image $other --build-arg "TARGETARCH=$other" --build-arg "VERSION=$version" --build-arg "OFFICIAL_GO=$gomod" --build-arg "OFFICIAL_NPM=$npm"
  rootfs "$image"
  check "$other: the bytes are a release's" same "$(digest "$program")" "$(released $other)"
fi

totals
