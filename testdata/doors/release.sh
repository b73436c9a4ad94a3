#!/usr/bin/env bash
# release.sh [BINARY|long]: a release is made, rebuilt, verified and tampered with, all on this machine; nothing is
# published. BINARY is a build of development, made here if it is not given. Takes Go, Node, npm, git and a network.
# Builds for this platform and one other;
#   long   for all, with a build cache of its own, and by goreleaser as the release's workflow does
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"

devel=''
case ${1:-long} in long) ;; *) devel=$(realpath "$1") ;; esac
workplace
server=
finish() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; erase "$work"; }
trap finish EXIT
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars)
unset VERSION OFFICIAL_GO OFFICIAL_NPM GORELEASER_CURRENT_TAG GORELEASER_PREVIOUS_TAG
"$LAB_ROOT/install.sh" lint

host=$(go env GOHOSTOS)/$(go env GOHOSTARCH)
cross=linux/arm64
[ "$host" != "$cross" ] || cross=linux/amd64
version=v0.0.1-test manifest=cmd/launcher/manifest.json
caches=("GOCACHE=$(go env GOCACHE)" "GOMODCACHE=$(go env GOMODCACHE)" "GOPATH=$(go env GOPATH)")

# exits CODE COMMAND...: leaves what it says in $work/out
exits() {
  local want=$1 rc=0
  shift
  "$@" >"$work/out" 2>&1 || rc=$?
  [ "$rc" = "$want" ] || { say "exit $rc, want $want: $(tail -n 4 "$work/out")"; return 1; }
}
# said NAME CODE PATTERN COMMAND...: ends with the code and says the pattern
said() {
  local name=$1 code=$2 pattern=$3
  shift 3
  check "$name: exit $code" exits "$code" "$@"
  check "$name: says so" has "$work/out" "$pattern"
}
digest_of() { sha256sum "$1" | cut -d' ' -f1; }
pinned() { node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).binaries[process.argv[2]].sha256' "$1" "$2"; } # MANIFEST PLATFORM
binary_of() { printf '%s/goproxy-action_%s' "$1" "${2/\//_}"; }                                                       # DIR PLATFORM
edit() { sed -i.before "$2" "$1" && ! cmp -s "$1" "$1.before" && rm "$1.before"; }                                     # FILE SED

# tamper FILE: other digests in a manifest
tamper() { sed -i.before -E 's/("sha256": ")0/\1x/; s/("sha256": ")[0-9a-f]/\10/; s/("sha256": ")x/\11/' "$1" && rm "$1.before"; }

# The tree as it is on disk, as a repository of its own.
tree=$work/tree
mkdir "$tree"
project_copy "$tree"
commit() { git -C "$1" add -A && git -C "$1" -c user.name=lab -c user.email=lab@example.test commit -q -m "$2"; }
git -C "$tree" init -q -b main
commit "$tree" "the tree"
cd "$tree"
make=.github/release/release.sh
clone() { erase "$2"; git clone -q -c advice.detachedHead=false --branch "$1" "$tree" "$2"; } # REF DIR

check "the tool: vet" go vet ./.github/release
check "the tool: its tests" go test ./.github/release
go build -o "$work/tool" ./.github/release
tool=$work/tool

# Making one
for wrong in 1.2.3 v1.2 v1.2.3+x 'v1.2.3;x' v01.2.3 ''; do
  said "version '$wrong'" 2 'is no version' "$make" "$wrong"
done
touch stray
said "a dirty tree" 2 'not clean.*stray' "$make" "$version"
rm stray
check "a release is made" exits 0 "$make" "$version" "$host" "$cross"
cp "$work/out" "$work/made"
check "it is built twice, and equal" same "$(grep -c '^ok ' "$work/made")" 2
check "the tag's commit is a child of main's" same "$(git rev-parse "$version^{commit}^")" "$(git rev-parse main)"
check "and adds the manifest alone" same "$(git diff --name-status main "$version")" "A	$manifest"
check "no branch has it" same "$(git branch --all --contains "$version")" ""
check "the tree is as it was" same "$(git status --porcelain; git symbolic-ref --short HEAD)" main
said "the same version again" 2 'the tag .* exists' "$make" "$version"
tag=$(git rev-parse "$version^{commit}")
git tag -d "$version" >/dev/null
check "made again" exits 0 "$make" "$version" "$host" "$cross"
check "it is the same commit" same "$(git rev-parse "$version^{commit}")" "$tag"
clone "$version" "$work/tag"
said "a release of a release" 2 'is a release itself' "$work/tag/$make" v0.0.2-test
listed=$work/manifest.json
cp "$work/tag/$manifest" "$listed"
check "the manifest is a release's" json "$listed" "r.version === '$version' && r.go === '$(go env GOVERSION)' && r.url.endsWith('/releases/download/$version') &&
  Object.entries(r.binaries).length === 2 && Object.entries(r.binaries).every(([k, b]) => b.asset === 'goproxy-action_' + k.replace('/', '_') + '.gz' && /^[0-9a-f]{64}\$/.test(b.sha256) && b.size > 1e6)"

# The same bytes elsewhere, with another home, time zone, locale and umask, and settings for go that would change them
mkdir -p "$work/a home/go env" "$work/other place"
git -C "$tree" archive "$version" | tar -xf - -C "$work/other place"
printf 'GOFLAGS=-tags=other -ldflags=-X=main.version=v6.6.6\nGOAMD64=v3\n' >"$work/a home/goenv"
elsewhere() {
  (cd "$work/other place" && umask 077 && env "${caches[@]}" "HOME=$work/a home" "GOENV=$work/a home/goenv" GOFLAGS=-race GOAMD64=v3 GOARM64=v9.0 GOOS=plan9 GOARCH=386 CGO_ENABLED=1 \
    CGO_CFLAGS=-O0 GOEXPERIMENT=nogreenteagc GODEBUG=http2client=0 GOWORK=/nowhere TZ=Asia/Kathmandu LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1 VERSION="$version" "$tool" build "$work/elsewhere" "$host" "$cross")
}
check "built elsewhere" elsewhere
for p in "$host" "$cross"; do
  check "elsewhere, $p: the same bytes" same "$(digest_of "$(binary_of "$work/elsewhere" "$p")")" "$(pinned "$listed" "$p")"
done
# What the launcher does where a release cannot be had: by its own string, which has to be the recipe's
eval "$("$tool" env)"
stamps="-X main.version=$version -X main.officialGo=$OFFICIAL_GO -X main.officialNPM=$OFFICIAL_NPM"
by_hand() { (cd "$1" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false -ldflags "-s -w $stamps" -o "$2" ./cmd/goproxy-action); }
check "by the go command alone" by_hand "$work/tag" "$work/by-hand"
check "by the go command alone: the same bytes" same "$(digest_of "$work/by-hand")" "$(pinned "$listed" "$host")"
check "the official sources are those of the toolchains" same "$OFFICIAL_GO $OFFICIAL_NPM" "$(official_gomod | sed 's,/*$,,') $(official_npm)"

# Anybody's check of a tag
rebuilt() { (cd "$work/tag" && "$tool" verify "$@"); }
said "verify" 0 "^ok $host: sha256 $(pinned "$listed" "$host")" rebuilt "$host"
tamper "$work/tag/$manifest"
said "verify, a digest changed" 4 "$(pinned "$listed" "$host")" rebuilt "$host"
said "check, a digest changed" 4 "^FAIL $host" bash -c "cd '$work/tag' && '$tool' check '$work/by-hand'"
cp "$listed" "$work/tag/$manifest"
said "check" 0 "^ok $host" bash -c "cd '$work/tag' && '$tool' check '$work/by-hand'"
edit "$work/tag/$manifest" 's/"go": "go[0-9.]*"/"go": "go1.26.0"/'
said "verify, another toolchain" 2 'GOTOOLCHAIN=go1\.26\.0' rebuilt "$host"
edit "$work/tag/$manifest" "s/\"sha256\"/\"sha256\": \"$(printf '%064d' 0)\", \"sha256\"/"
said "verify, a digest twice" 2 '"sha256" stands twice' rebuilt "$host"
rm "$work/tag/$manifest"
said "verify, no release" 2 'check out the tag' rebuilt "$host"
said "check, no release" 2 'check out the tag' bash -c "cd '$work/tag' && '$tool' check '$work/by-hand'"
said "check, a snapshot" 0 'not compared' bash -c "cd '$work/tag' && '$tool' check -snapshot '$work/by-hand'"
cp "$listed" "$work/tag/$manifest"
edit "$work/tag/internal/release/manifest.go" 's/do not use it/do use it/'
said "verify, a line of the source changed" 4 "$(pinned "$listed" "$host")" rebuilt "$host"

# The running program
program=$work/by-hand
sha=$(pinned "$listed" "$host")
offline=(env HTTPS_PROXY=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1)
check "version is what it was" same "$("$program" version)" "goproxy-action $version"
said "version --verify" 0 "$version.*$sha" "$program" version --verify --manifest "$listed"
check "version --verify: one line" same "$(wc -l <"$work/out" | tr -d ' ')" 1
check "version --verify, JSON" exits 0 "$program" version --verify --manifest "$listed" --format json
check "version --verify, JSON: the digests" json "$work/out" "r.verified === true && r.sha256 === '$sha' && r.expected.sha256 === '$sha' && r.manifest_version === '$version'"
cp "$program" "$work/changed"
printf x >>"$work/changed"
said "version --verify, a byte more" 4 "$(digest_of "$work/changed").*$sha" "$work/changed" version --verify --manifest "$listed"
check "version --verify, a byte more, JSON" exits 4 bash -c "'$work/changed' version --verify --manifest '$listed' --format json 2>/dev/null"
check "version --verify, a byte more, JSON: says no" json "$work/out" 'r.verified === false && r.sha256 !== r.expected.sha256'
moved() { # the file that has the program's name now is another one
  cp "$program" "$work/moved"
  (exec 3<"$work/moved" && printf '#!/bin/sh\n' >"$work/new" && chmod +x "$work/new" && mv "$work/new" "$work/moved" && "/proc/self/fd/3" version --verify --manifest "$listed")
}
[ "$(uname)" != Linux ] || said "version --verify, its file replaced" 0 "$sha" moved
sed "s/$sha/$(printf '%064d' 0)/" "$listed" >"$work/wrong.json"
said "version --verify, a manifest tampered with" 4 "$sha.*0000000000" "$program" version --verify --manifest "$work/wrong.json"
sed "s/\"$version\"/\"v0.0.2-test\"/" "$listed" >"$work/wrong.json"
said "version --verify, another version's manifest" 4 "$version.*v0\.0\.2-test" "$program" version --verify --manifest "$work/wrong.json"
said "version --verify, no manifest but a page" 2 'no JSON object' "$program" version --verify --manifest "$tree/README.md"
said "version --verify, offline" 3 "releases/download/$version/manifest.json" "${offline[@]}" "$program" version --verify
said "version --verify, http" 2 'write https' "$program" version --verify --manifest http://example.test/manifest.json
[ -n "$devel" ] || build_binary "${devel:=$work/devel}"
said "version --verify, development" 2 '\-\-manifest' "${offline[@]}" "$devel" version --verify
node -e '
  const [file] = process.argv.slice(1), body = require("fs").readFileSync(file)
  require("http").createServer((q, s) => q.url === "/manifest.json" ? s.end(body) : s.writeHead(404).end()).listen(0, "127.0.0.1", function () { console.log(this.address().port) })
' "$listed" >"$work/port" 2>&1 </dev/null &
server=$!
wait_for 10 grep -q . "$work/port" || die "the server did not start"
said "version --verify, by URL" 0 "$sha" "$program" version --verify --manifest "http://127.0.0.1:$(cat "$work/port")/manifest.json"
said "version --verify, a URL without it" 3 404 "$program" version --verify --manifest "http://127.0.0.1:$(cat "$work/port")/other"

# The bill of materials
schemas=$LAB_HOME/npm/cyclonedx/node_modules/@cyclonedx/cyclonedx-library/res/schema
# shellcheck disable=SC2016
bom_valid() {
  NODE_PATH=$LAB_HOME/npm/schemas/node_modules node -e '
    const fs = require("fs"), Ajv = require("ajv"), [dir, file] = process.argv.slice(1)
    const schema = name => JSON.parse(fs.readFileSync(`${dir}/${name}.SNAPSHOT.schema.json`))
    const ajv = new Ajv({strict: false, allErrors: true, logger: false})
    require("ajv-formats")(ajv)
    for (const name of ["spdx", "jsf-0.82"]) ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`)
    const valid = ajv.compile(schema("bom-1.6"))
    const bom = JSON.parse(fs.readFileSync(file))
    if (!valid(bom)) { console.log(ajv.errorsText(valid.errors)); process.exit(1) }
    const broken = {...bom, serialNumber: "x"} // the schema is in force
    if (valid(broken)) { console.log("everything is valid by this schema"); process.exit(1) }' "$schemas" "$1"
}
bom_complete() { # BOM BINARY
  local want got
  want=$(go version -m "$2" | awk '$1 == "dep" {print $2 "@" $3}' | sort)
  got=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).components.filter(c => c.name !== "stdlib").map(c => c.name + "@" + c.version).join("\n")' "$1" | sort)
  [ "$(wc -l <<<"$want")" -gt 20 ] && same "$got" "$want"
}
export VERSION=$version
for p in "$host" "$cross"; do
  bom=$work/bom_${p/\//_}.json
  check "SBOM, $p" "$tool" sbom -o "$bom" "$(binary_of "$work/elsewhere" "$p")"
  check "SBOM, $p: valid by CycloneDX's schema" bom_valid "$bom"
  check "SBOM, $p: every module of the binary" bom_complete "$bom" "$(binary_of "$work/elsewhere" "$p")"
  check "SBOM, $p: the binary's digest, the toolchain's library, references that lead somewhere" json "$bom" "r.metadata.component.hashes[0].content === '$(pinned "$listed" "$p")' &&
    r.components.some(c => c.purl === 'pkg:golang/stdlib@$(go env GOVERSION | sed s/^go//)') &&
    r.dependencies.flatMap(d => [d.ref, ...(d.dependsOn ?? [])]).every(ref => ref === r.metadata.component['bom-ref'] || r.components.some(c => c['bom-ref'] === ref)) &&
    r.dependencies[0].dependsOn.length === r.components.length"
done
"$tool" sbom "$(binary_of "$work/elsewhere" "$host")" >"$work/again.json"
check "SBOM: made twice, the same" cmp "$work/again.json" "$work/bom_${host/\//_}.json"
said "SBOM of something else" 2 'is no binary of Go' "$tool" sbom "$tree/README.md"
unset VERSION
official=$(printf '%s\n' "$(host_of "$OFFICIAL_GO")" "$(host_of "$OFFICIAL_NPM")")
check "the hosts of the official sources stand in no file of the release's commit" same "$(git grep -lF -e "$official" "$version" || true)" ""

[ "${1:-}" = long ] || { totals; exit; }

# All platforms, by goreleaser as the release's workflow runs it; nothing in its environment leads anywhere
"$LAB_ROOT/install.sh" release
goreleaser=$LAB_HOME/bin/goreleaser
export VERSION=v0.0.2-test
check "the configuration" "$goreleaser" check
check "a release of all platforms" exits 0 "$make" "$VERSION"
clone "$VERSION" "$work/all"
cd "$work/all"
"$tool" env >"$work/env"
check "the notes begin at the release before" has "$work/env" "^GORELEASER_PREVIOUS_TAG=$version\$"
set -a
# shellcheck disable=SC1091
. "$work/env"
set +a
export HTTPS_PROXY=http://127.0.0.1:1 HTTP_PROXY=http://127.0.0.1:1 GOFLAGS=-tags=other GOPROXY=off
check "goreleaser" exits 0 "$goreleaser" release --clean --skip=publish,announce
unset GOFLAGS
number=${VERSION#v}
said "check, all archives" 0 '^ok windows/arm64' bash -c "'$tool' check dist/*.gz dist/*.zip"
check "check, all archives: two of each platform" same "$(grep -c '^ok ' "$work/out")" 16
platforms=$(node -p 'Object.keys(JSON.parse(require("fs").readFileSync(process.argv[1])).binaries).join("\n")' "$manifest")
check "eight platforms" same "$(wc -l <<<"$platforms" | tr -d ' ')" 8
format_of() { # PLATFORM: what file says of its programs
  case $1 in
    linux/amd64) echo 'ELF 64-bit LSB executable, x86-64.*statically linked' ;;
    linux/arm64) echo 'ELF 64-bit LSB executable, ARM aarch64.*statically linked' ;;
    linux/arm) echo 'ELF 32-bit LSB executable, ARM, EABI5.*statically linked' ;;
    linux/riscv64) echo 'ELF 64-bit LSB executable, UCB RISC-V.*statically linked' ;;
    darwin/amd64) echo 'Mach-O 64-bit x86_64 executable' ;;
    darwin/arm64) echo 'Mach-O 64-bit arm64 executable' ;;
    windows/amd64) echo 'PE32\+ executable.*x86-64.*MS Windows' ;;
    windows/arm64) echo 'PE32\+ executable.*(Aarch64|ARM64).*MS Windows|PE32\+ executable.*MS Windows' ;;
  esac
}
for p in $platforms; do
  name=goproxy-action_${p/\//_} exe='' archive=tar.gz
  case $p in windows/*) exe=.exe archive=zip ;; esac
  plain=$work/asset$exe
  gzip -dc "dist/$name.gz" >"$plain"
  check "$p: the launcher's asset is the program of the manifest" same "$(digest_of "$plain")" "$(pinned "$manifest" "$p")"
  check "$p: it is a program for it" has <(file -b "$plain"; go version -m "$plain") "$(format_of "$p")"
  check "$p: by its build info, too" same "$(go version -m "$plain" | sed -n 's/^.*GOOS=//p')/$(go version -m "$plain" | sed -n 's/^.*GOARCH=//p')" "$p"
  packed=dist/goproxy-action_${number}_${p/\//_}.$archive inside=goproxy-action_${number}_${p/\//_}
  case $archive in
    zip) unpacked=$(unzip -p "$packed" "$inside/goproxy-action$exe" | sha256sum | cut -d' ' -f1) files=$(unzip -Z1 "$packed") ;;
    *) unpacked=$(tar -xOzf "$packed" "$inside/goproxy-action" | sha256sum | cut -d' ' -f1) files=$(tar -tzf "$packed") ;;
  esac
  check "$p: the archive has the same program" same "$unpacked" "$(pinned "$manifest" "$p")"
  check "$p: and the README" has <(printf '%s\n' "$files") "^$inside/README\.md\$"
  check "$p: SBOM valid" bom_valid "dist/$name.cdx.json"
  check "$p: SBOM complete" bom_complete "dist/$name.cdx.json" "$plain"
  case $p in linux/*) for kind in deb rpm apk; do check "$p: $kind" test -s "dist/goproxy-action_${number}_${p/\//_}.$kind"; done ;; esac
  case $p in "$host") check "$p: version" same "$(chmod +x "$plain" && "$plain" version)" "goproxy-action $VERSION" ;; esac
done
if [ -x "$(command -v dpkg-deb)" ]; then
  mkdir "$work/deb"
  dpkg-deb -x "dist/goproxy-action_${number}_linux_amd64.deb" "$work/deb"
  check "deb: the same program" same "$(digest_of "$work/deb/usr/bin/goproxy-action")" "$(pinned "$manifest" linux/amd64)"
  check "deb: name and version" same "$(dpkg-deb -f "dist/goproxy-action_${number}_linux_amd64.deb" Package Architecture Version | tr '\n' ' ')" \
    "Package: goproxy-action Architecture: amd64 Version: ${number/-/\~} "
fi
(cd dist && cp "../$manifest" .)
check "checksums of all files" bash -c 'cd dist && sha256sum --check --strict --quiet checksums.txt'
check "checksums: 8 assets, 8 archives, 12 packages, 8 SBOMs, the manifest" same "$(wc -l <dist/checksums.txt | tr -d ' ')" 37
check "the notes name commits, and not the release's own" lacks dist/CHANGELOG.md "Release $VERSION"

tamper "$manifest"
said "goreleaser, another digest in the manifest" 1 'verify goproxy-action' env GOOS="${host%/*}" GOARCH="${host#*/}" "$goreleaser" build --clean --skip=validate --single-target
git checkout -q --force main
check "goreleaser, a snapshot of development" exits 0 env GOOS="${host%/*}" GOARCH="${host#*/}" "$goreleaser" build --clean --snapshot --single-target
check "goreleaser, a snapshot of development: nothing to compare with" has "$work/out" 'not compared'
unset HTTPS_PROXY HTTP_PROXY GOPROXY

# Nothing of the digest comes from the build cache
clone "$VERSION" "$work/cold"
cd "$work/cold"
check "verify with an empty build cache" exits 0 env "GOCACHE=$work/gocache" "$tool" verify "$host"
totals
