#!/usr/bin/env bash
# network.sh [BINARY]: the program in hostile networks: a network namespace behind a proxy with login, behind TLS
# interception, with dead mirrors, behind a captive portal, with nothing at all. Takes root, Debian and a network.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "$(id -u)" != 0 ]; then
  say "not run: needs root"
  exit 0
fi
if ! command -v apt-get >/dev/null || ! ip netns add "gpprobe$$" 2>/dev/null; then
  say "not run: needs Debian's packages and the right to make network namespaces"
  exit 0
fi
ip netns del "gpprobe$$"

workplace
export LAB_INSTANCE=network-$$
net=$LAB_ROOT/net.sh
finish() {
  "$net" down || true
  erase "$work"
}
trap finish EXIT

"$LAB_ROOT/install.sh" net
binary=${1:-$work/goproxy-action}
[ $# -gt 0 ] || build_binary "$binary"
"$net" up
eval "$("$net" env)"
official=$(official_gomod)
host=$(host_of "$official")
module "$work/consumer"

# runner NAME VAR=VALUE... COMMAND...: on the lab's runner, with a home of its own and nothing of this machine's settings
runner() {
  local home=$work/$1
  shift
  mkdir -p "$home"
  (cd "$work/consumer" && timeout 60 "$net" enter env -i PATH="$PATH" HOME="$home" TMPDIR="$home" \
    GOMODCACHE="$home/mod" GOFLAGS=-modcacherw GOTOOLCHAIN=local "$@")
}

# detect NAME VAR=VALUE...: leaves the report in $out; a failing exit is for the checks to judge
detect() {
  local name=$1
  shift
  out=$work/$name.json
  runner "$name" "$@" "$binary" detect --format json >"$out" 2>"$work/$name.err" || true
}

# setup NAME VAR=VALUE...: leaves stdout in $out, stderr in $err, the exit code in $rc and the milliseconds in $ms
setup() {
  local name=$1 start
  shift
  out=$work/$name.sh err=$work/$name.err rc=0 start=$(date +%s%N)
  runner "$name" "$@" "$binary" setup >"$out" 2>"$err" || rc=$?
  ms=$((($(date +%s%N) - start) / 1000000))
}

# internet <RULES: from now on these hosts are all there is
internet() {
  cat >"$work/rules"
  "$net" rules "$work/rules"
}

# download NAME VAR=VALUE...: what a job does: eval the lines that setup printed, then download, all on the runner
download() {
  local name=$1
  shift
  # shellcheck disable=SC2016
  runner "$name" "$@" BINARY="$binary" bash -ec 'eval "$("$BINARY" setup)"; go mod download -x; go mod verify'
}

go_rows='r.sources.filter(s => s.ecosystem === "go")'
bundle=SSL_CERT_FILE=$LAB_BUNDLE

detect squid "HTTPS_PROXY=$LAB_SQUID" "SSL_CERT_FILE=$LAB_CA_SYSTEM"
check "squid with login: class proxied" json "$out" 'r.class === "proxied"'
check "squid with login: the module proxy is verified through it" json "$out" "$go_rows.some(s => s.ok && s.via === 'proxy' && s.content_verified && s.checksum_db)"
check "squid with login: the password is masked" lacks "$out" 's3cret'

detect squid-wrong "HTTPS_PROXY=${LAB_SQUID/s3cret/wrong}" "SSL_CERT_FILE=$LAB_CA_SYSTEM"
check "squid, wrong password: the reason names 407" json "$out" "$go_rows.some(s => !s.ok && /407/.test(s.reason))"

detect mitm "HTTPS_PROXY=$LAB_MITM" "$bundle"
check "interception, its CA trusted: intercepted, and by whom" json "$out" 'r.tls.intercepted === true && /mitmproxy/.test(r.tls.issuer)'
check "interception, its CA trusted: the module proxy is verified" json "$out" "$go_rows.some(s => s.ok && s.content_verified)"

detect mitm-untrusted "HTTPS_PROXY=$LAB_MITM" "SSL_CERT_FILE=$LAB_CA_SYSTEM"
check "interception, its CA unknown: no source is ok" json "$out" "$go_rows.length > 0 && r.sources.every(s => !s.ok)"
check "interception, its CA unknown: the reason names the certificate" json "$out" "$go_rows.some(s => /certificate/.test(s.reason))"

internet <<<'goproxy.cn gomod delay=30ms'
setup cn "$bundle"
check "only goproxy.cn: setup succeeds" same "$rc" 0
check "only goproxy.cn: the lines name it" has "$out" '^export GOPROXY=.*https://goproxy\.cn'
check "only goproxy.cn: eval, then go mod download" download cn "$bundle"
detect cn "$bundle"
check "only goproxy.cn: class restricted" json "$out" 'r.class === "restricted"'

internet <<'EOF'
goproxy.cn          status=503 body=down
goproxy.io          status=503 body=down
mirrors.aliyun.com  gomod=/goproxy delay=60ms
EOF
setup outage "$bundle" GOPROXY=https://goproxy.cn,direct
check "goproxy.cn answers 503: setup succeeds" same "$rc" 0
check "goproxy.cn answers 503: the lines name the one that works" has "$out" '^export GOPROXY=.*https://mirrors\.aliyun\.com/goproxy'
check "goproxy.cn answers 503: and not the broken one" lacks "$out" '^export GOPROXY=.*goproxy\.(cn|io)'
check "goproxy.cn answers 503: eval, then go mod download" download outage "$bundle" GOPROXY=https://goproxy.cn,direct

internet <<EOF
$host               body=<html>login</html>
goproxy.cn          body=<html>login</html>
goproxy.io          body=<html>login</html>
mirrors.aliyun.com  body=<html>login</html>
EOF
detect captive "$bundle"
check "captive portal: class captive" json "$out" 'r.class === "captive"'
check "captive portal: nothing is taken for content" json "$out" "$go_rows.length > 0 && r.sources.every(s => !s.ok && s.content_verified !== true)"
setup captive "$bundle"
check "captive portal: setup ends with 3" same "$rc" 3
eval_fails() { ! (eval "$(cat "$1")") || { say "it does not: $(cat "$1")"; return 1; }; }
check "captive portal: eval of its output fails" eval_fails "$out"

offline() { # NAME
  detect "$1" "$bundle"
  check "$1: class offline" json "$out" 'r.class === "offline"'
  setup "$1" "$bundle"
  check "$1: setup ends with 3" same "$rc" 3
  check "$1: under 4 s" test "$ms" -lt 4000
  check "$1: nothing is exported" lacks "$out" '^export'
}
internet <<<'# no host has a name'
offline "offline, no name resolves"
internet <<<'blackhole.test hang'
offline "offline, packets vanish"
"$net" silent dnsmasq
offline "offline, the name server is silent"
"$net" silent -dnsmasq

totals
