#!/usr/bin/env bash
# network.sh [BINARY]: the program in hostile networks, all in network namespaces: one table of situations, and what
# `detect`, `doctor` and `setup` have to say in each. Takes root, Debian and a network.
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

# What a job is told: the variables of its runner.
declare -A told=(
  [nothing]=""
  [squid]="HTTPS_PROXY=$LAB_SQUID SSL_CERT_FILE=$LAB_CA_SYSTEM"
  [squid, no login]="HTTPS_PROXY=${LAB_SQUID/ci:s3cret@/} SSL_CERT_FILE=$LAB_CA_SYSTEM"
  [squid, wrong login]="HTTPS_PROXY=${LAB_SQUID/s3cret/wr0ng} SSL_CERT_FILE=$LAB_CA_SYSTEM"
  [tinyproxy]="HTTPS_PROXY=$LAB_TINYPROXY"
  [mitmproxy]="HTTPS_PROXY=$LAB_MITM"
  [mitmproxy, not its CA]="HTTPS_PROXY=$LAB_MITM SSL_CERT_FILE=$LAB_CA_SYSTEM"
  [a proxy that is nobody]="HTTPS_PROXY=$LAB_NOBODY"
  [a proxy in a black hole]="HTTPS_PROXY=http://$LAB_VANISH:3128"
  [a proxy without a name]="HTTPS_PROXY=http://proxy.corp.test:3128"
  [a proxy with a typo]="HTTPS_PROXY=http://ci:s3cret#1@$LAB_HOST:3128"
  [goproxy.cn]="GOPROXY=https://goproxy.cn,direct"
  [nexus]="GOPROXY=https://nexus.corp.test"
)

# The Internet as it should be: every host that the program knows of for Go answers.
open_internet() {
  cat <<EOF
$host gomod
goproxy.cn gomod
goproxy.io gomod
mirrors.aliyun.com gomod=/goproxy
mirrors.tencent.com gomod=/go
mirrors.huaweicloud.com gomod=/repository/goproxy norelay
proxy.golang.com.cn gomod
sum.golang.org sumdb
sum.golang.google.cn sumdb
github.com body=go-import
EOF
}
every() { open_internet | sed "s/\$/ $1/"; } # ACTION: for each host on top of what it does

# Where the official source has no name. One mirror has its ways, one is down, one is well.
mirrors() { # ACTIONS: of goproxy.cn
  printf '%s\n' "goproxy.cn gomod $1" 'goproxy.io status=503 body=down' 'mirrors.aliyun.com gomod=/goproxy'
}
only_goproxy_cn() { printf '%s\n' 'goproxy.cn gomod' 'goproxy.io status=503 body=down' 'mirrors.aliyun.com status=503 body=down'; }

# network NAME: prints the Internet of a network
network() {
  case $1 in
    open | 'IPv6 only') open_internet ;;
    'names are silent' | 'no name server' | 'no names' | 'squid is silent') every nameless ;;
    'no route') every noroute ;;
    'packets vanish') every drop ;;
    'official vanishes') echo "$host drop" && only_goproxy_cn ;;
    'names for proxies only') only_goproxy_cn | sed 's/$/ nameless/' ;;
    'nobody listens') every refuse ;;
    'all is reset') every rst ;;
    'all hangs') every hang ;;
    'names are hijacked') echo '* as=ads.test otherca body=ads' ;;
    'pages for all') every page ;;
    'portal before all') echo '* as=portal.test otherca redirect=http://portal.test/login' ;;
    'tampered') every tamper ;;
    'a day ahead of us') every clock=24h ;;
    'a year behind us') every clock=-8760h ;;
    'own names only') every nameless && echo 'nexus.corp.test gomod' ;;
    'nexus of an own CA') open_internet | sed '2,$s/$/ delay=900ms/' && echo 'nexus.corp.test gomod otherca' ;;
    'mirror: '*) mirrors "${1#mirror: }" ;;
    *) die "no network $1" ;;
  esac
}

# The table, by hand, from the rules above and not from what the program says.
#   traits     +true -false ?not known
#   evidence   a sentence of the report's evidence matches it
#   doctor     the first cause, who can mend it, and a source that it breaks; or healthy
#   source     the GOPROXY that setup prints; kept: nothing is changed; none: exit 3; usage: exit 2. Where
#              there is one, eval of setup's lines and then `go mod download` work
table() {
  cat <<EOF
open                   | nothing                 | direct     | +intercepted -names-hijacked -content-rewritten -captive-portal -clock-wrong -ipv6-only | $host answers directly | healthy | kept
no names               | squid                   | proxied    | -names-hijacked -content-rewritten -captive-portal -clock-wrong -ipv6-only | $host answers through the proxy | healthy | kept
no names               | squid, no login         | restricted | ?intercepted -names-hijacked ?content-rewritten ?clock-wrong -ipv6-only | 407.*Basic | proxy-credentials developer official | none
no names               | squid, wrong login      | restricted | ?intercepted -names-hijacked ?content-rewritten ?clock-wrong -ipv6-only | 407.*Basic | proxy-credentials developer official | none
names for proxies only | tinyproxy               | proxied    | +intercepted -names-hijacked -content-rewritten -captive-portal -clock-wrong | goproxy.cn answers through the proxy | proxy-refuses network-team official | https://goproxy.cn
no names               | mitmproxy               | proxied    | +intercepted -content-rewritten -captive-portal -clock-wrong | intercepted.*mitmproxy.*this machine trusts it | healthy | kept
no names               | mitmproxy, not its CA   | restricted | +intercepted ?content-rewritten ?clock-wrong | intercepted.*mitmproxy.*does not trust it | tls-intercepted-untrusted runner-admin official | none
squid is silent        | squid                   | restricted | ?intercepted ?content-rewritten ?clock-wrong -names-hijacked | the proxy: connected, then no answer | proxy-silent network-team official | none
no names               | a proxy that is nobody  | offline    | ?intercepted ?content-rewritten | the proxy: connection refused | proxy-dead runner-admin official | none
no names               | a proxy in a black hole | offline    | ?intercepted ?content-rewritten | the proxy: no connection within | proxy-dead runner-admin official | none
no names               | a proxy without a name  | offline    | ?intercepted ?content-rewritten | the proxy: the name has no address | proxy-name runner-admin official | none
no names               | a proxy with a typo     | unknown    | - | - | proxy-setting runner-admin | usage
no names               | nothing                 | offline    | ?intercepted -names-hijacked ?content-rewritten | the name has no address | dns-unknown-name network-team official | none
own names only         | nothing                 | offline    | ?intercepted -names-hijacked ?content-rewritten | the name has no address | dns-unknown-name network-team official | none
own names only         | nexus                   | restricted | -names-hijacked -content-rewritten -captive-portal -clock-wrong | nexus.corp.test answers directly | healthy | kept
nexus of an own CA     | nexus                   | direct     | -names-hijacked -content-rewritten -clock-wrong | $host answers directly | tls-unknown-ca runner-admin nexus.corp.test | $official
names are silent       | nothing                 | offline    | ?intercepted ?names-hijacked ?content-rewritten -ipv6-only | the name server does not answer | dns-down network-team | none
no name server         | nothing                 | offline    | ?intercepted ?names-hijacked ?content-rewritten -ipv6-only | the name server does not answer | dns-down network-team | none
names are hijacked     | nothing                 | restricted | +names-hijacked ?content-rewritten | certificate | dns-hijacked network-team | none
pages for all          | nothing                 | captive    | +captive-portal -names-hijacked | a page that is not the module asked for | captive-portal network-team | none
portal before all      | nothing                 | captive    | +captive-portal +names-hijacked | certificate | captive-portal network-team | none
tampered               | nothing                 | restricted | +content-rewritten -names-hijacked | served another go.mod | content-rewritten network-team official | none
no route               | nothing                 | offline    | ?intercepted -names-hijacked ?content-rewritten | no route | no-route network-team | none
packets vanish         | nothing                 | offline    | ?intercepted -names-hijacked ?content-rewritten | no connection within | connect-dropped network-team | none
nobody listens         | nothing                 | offline    | ?intercepted -names-hijacked ?content-rewritten | connection refused | connect-refused network-team | none
all is reset           | nothing                 | restricted | ?intercepted -names-hijacked ?content-rewritten | the connection was cut | connection-cut network-team official | none
all hangs              | nothing                 | restricted | ?intercepted -names-hijacked ?content-rewritten | connected, then no answer | source-silent network-team official | none
official vanishes      | nothing                 | restricted | -names-hijacked -content-rewritten -captive-portal | $host directly: no connection within | connect-dropped network-team official | https://goproxy.cn
a day ahead of us      | nothing                 | restricted | +clock-wrong -names-hijacked ?content-rewritten | not valid yet | clock-wrong runner-admin | none
a year behind us       | nothing                 | restricted | +clock-wrong -names-hijacked ?content-rewritten | expired | clock-wrong runner-admin | none
IPv6 only              | nothing                 | direct     | +ipv6-only -names-hijacked -content-rewritten -captive-portal -clock-wrong | $host answers directly | healthy | kept
mirror: delay=30ms     | goproxy.cn              | restricted | -content-rewritten -captive-portal -names-hijacked -clock-wrong | goproxy.cn answers directly | healthy | kept
mirror: delay=1700ms   | goproxy.cn              | restricted | -content-rewritten -captive-portal | goproxy.cn answers directly | healthy | kept
mirror: status=503     | goproxy.cn              | restricted | -content-rewritten -captive-portal | mirrors.aliyun.com/goproxy answers directly | source-down source-operator goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: status=403     | goproxy.cn              | restricted | -content-rewritten -captive-portal | mirrors.aliyun.com/goproxy answers directly | source-refuses developer goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: status=404     | goproxy.cn              | restricted | -content-rewritten -captive-portal | mirrors.aliyun.com/goproxy answers directly | source-lacks developer goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: rst            | goproxy.cn              | restricted | -content-rewritten | mirrors.aliyun.com/goproxy answers directly | connection-cut network-team goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: hang           | goproxy.cn              | restricted | -content-rewritten | mirrors.aliyun.com/goproxy answers directly | source-silent source-operator goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: delay=10m      | goproxy.cn              | restricted | -content-rewritten | mirrors.aliyun.com/goproxy answers directly | source-silent source-operator goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: expired        | goproxy.cn              | restricted | -clock-wrong -content-rewritten | mirrors.aliyun.com/goproxy answers directly | certificate-expired source-operator goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: otherca        | goproxy.cn              | restricted | +intercepted -clock-wrong | mirrors.aliyun.com/goproxy answers directly | tls-intercepted-untrusted runner-admin goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: tamper         | goproxy.cn              | restricted | +content-rewritten -captive-portal | mirrors.aliyun.com/goproxy answers directly | content-rewritten source-operator goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: page           | goproxy.cn              | restricted | -captive-portal | mirrors.aliyun.com/goproxy answers directly | content-rewritten network-team goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: drop           | goproxy.cn              | restricted | -names-hijacked | mirrors.aliyun.com/goproxy answers directly | connect-dropped network-team goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: refuse         | goproxy.cn              | restricted | -names-hijacked | mirrors.aliyun.com/goproxy answers directly | connect-refused network-team goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: noroute        | goproxy.cn              | restricted | -names-hijacked | mirrors.aliyun.com/goproxy answers directly | no-route network-team goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: nameless       | goproxy.cn              | restricted | -names-hijacked | mirrors.aliyun.com/goproxy answers directly | dns-unknown-name developer goproxy.cn | https://mirrors.aliyun.com/goproxy
mirror: norelay        | goproxy.cn              | restricted | -names-hijacked -content-rewritten | goproxy.cn answers directly | log-unreachable network-team | https://goproxy.cn,https://mirrors.aliyun.com/goproxy
EOF
}

# runner HOME VAR=VALUE... COMMAND...: on the lab's runner, with a home of its own and nothing of this machine's settings
runner() {
  local home=$work/homes/$1
  shift
  mkdir -p "$home"
  (cd "$work/consumer" && timeout 60 "$net" enter env -i PATH="$PATH" HOME="$home" TMPDIR="$home" \
    GOMODCACHE="$home/mod" GOTOOLCHAIN=local "SSL_CERT_FILE=$LAB_BUNDLE" "$@")
}

# ask NAME VAR=VALUE... COMMAND...: a runner; leaves stdout in NAME.out, stderr in NAME.err, the exit code and the
# milliseconds in NAME.end
ask() {
  local name=$1 rc=0 start
  shift
  start=$(date +%s%N)
  runner "$name" "$@" >"$work/$name.out" 2>"$work/$name.err" || rc=$?
  echo "$rc $((($(date +%s%N) - start) / 1000000))" >"$work/$name.end"
}

# judged KIND WANTED...: what judge.mjs finds, as checks
judged() {
  local name why rc
  read -r rc _ <"$work/$1.end"
  while IFS=$'\t' read -r name why; do
    if [ -z "$why" ]; then ok "$situation: $name"; else fail "$situation: $name" "$why"; fi
  done < <(node "$LAB_ROOT/judge.mjs" "$1" "$work/$1.out" "$rc" "${@:2}")
}

# download VAR=VALUE...: what a job does: eval the lines that setup printed, then download, all on the runner
download() {
  # shellcheck disable=SC2016
  runner job "$@" bash -ec 'eval "$1"; go mod download -x; go mod verify' job "$(cat "$work/setup.out")"
}

family=4
enter_network() { # NAME
  local want=4
  [ "$1" != 'IPv6 only' ] || want=6
  if [ "$want" != "$family" ]; then
    family=$want
    "$net" family "$family"
  fi
  network "$1" >"$work/rules"
  "$net" rules "$work/rules"
  case $1 in
    'names are silent') "$net" silent dnsmasq ;;
    'no name server') "$net" dead dnsmasq ;;
    'squid is silent') "$net" silent squid ;;
  esac
}
leave_network() { # NAME
  [ "$1" != 'squid is silent' ] || "$net" silent -squid
}

row() { # NETWORK TOLD CLASS TRAITS EVIDENCE DOCTOR SOURCE
  local situation="$1, told $2" vars rc list
  [ -n "${told[$2]+x}" ] || die "nobody is told $2"
  read -ra vars <<<"${told[$2]}"
  enter_network "$1"
  rm -rf "$work/homes"
  ask detect ${vars[@]+"${vars[@]}"} "$binary" detect --format json &
  ask setup ${vars[@]+"${vars[@]}"} "$binary" setup &
  ask doctor ${vars[@]+"${vars[@]}"} "$binary" doctor --format json &
  wait
  judged detect "$3" "$4" "$5"
  # shellcheck disable=SC2086
  judged doctor $6
  read -r rc _ <"$work/setup.end"
  check "$situation: nothing hangs" nothing_hangs
  list=$(sed -nE "s/^export GOPROXY='(.*)'$/\1/p" "$work/setup.out")
  check "$situation: setup keeps the password to itself" lacks "$work/setup.err" 's3cret|wr0ng'
  case $7 in
    none | usage)
      if [ "$7" = none ]; then rc=$((rc - 3)); else rc=$((rc - 2)); fi
      check "$situation: setup ends as it should" same "$rc" 0
      check "$situation: eval of setup's lines fails" eval_fails "$work/setup.out"
      check "$situation: nothing is exported" lacks "$work/setup.out" '^export'
      ;;
    *)
      check "$situation: setup succeeds" same "$rc" 0
      check "$situation: source $7" same "${list:-kept}" "$7"
      check "$situation: eval, then go mod download" download ${vars[@]+"${vars[@]}"}
      ;;
  esac
  leave_network "$1"
}
# what is measured exactly is measured below; here the machine may be busy, and a slow mirror is asked ten times for the log
nothing_hangs() {
  local name ms
  for name in detect setup doctor; do
    read -r _ ms <"$work/$name.end"
    below "$ms" 15000 || return 1
  done
}
below() { [ "$1" -lt "$2" ] || { say "$1 ms"; return 1; }; }
eval_fails() { ! (eval "$(cat "$1")") || { say "it does not: $(cat "$1")"; return 1; }; }

while IFS='|' read -ra columns; do
  for i in "${!columns[@]}"; do columns[i]=$(sed -E 's/^ +//; s/ +$//' <<<"${columns[i]}"); done
  row "${columns[@]}"
done < <(table)

# one NETWORK TOLD THING DOCTOR: the doctor about one thing, and what it packs for support
one() {
  local situation="$1, told $2, doctor $3" vars
  read -ra vars <<<"${told[$2]}"
  enter_network "$1"
  rm -rf "$work/homes"
  ask doctor ${vars[@]+"${vars[@]}"} "$binary" doctor "$3" --format json --bundle "$work/support.tar.gz"
  # shellcheck disable=SC2086
  judged doctor $4
  mkdir "$work/support"
  check "$situation: the bundle for support" tar -xzf "$work/support.tar.gz" -C "$work/support"
  check "$situation: no password in it" none_below "$work/support" 's3cret|wr0ng'
  rm -rf "$work/support" "$work/support.tar.gz"
  leave_network "$1"
}
none_below() { [ -n "$(ls -A "$1")" ] && ! grep -rEl -e "$2" "$1"; }
one open nothing github.com/google/uuid@v1.6.0 healthy
one 'mirror: status=404' goproxy.cn github.com/google/uuid@v1.6.0 'source-lacks developer goproxy.cn'
one 'mirror: status=503' nothing https://goproxy.cn 'source-down source-operator'
one 'no names' 'squid, wrong login' github.com/google/uuid@v1.6.0 'proxy-credentials developer'

# How long it takes. A figure counts as the best of some runs: what else the machine does meanwhile is not the program's.
milliseconds() { # COMMAND...: on the runner
  local start
  start=$(date +%s%N)
  runner timing "$@" >"$work/timing.out" 2>/dev/null || true
  echo $((($(date +%s%N) - start) / 1000000))
}
best() { # RUNS COMMAND...
  local i ms least=999999
  for ((i = 0; i < $1; i++)); do
    ms=$(milliseconds "${@:2}")
    [ "$ms" -ge "$least" ] || least=$ms
  done
  echo "$least"
}
startup=$(best 5 "$binary" version)
say "start-up: $startup ms"
for n in 'all hangs' 'packets vanish' 'names are silent'; do
  enter_network "$n"
  for i in 1 2 3; do
    ms=$(milliseconds "$binary" detect --format json)
    [ "$ms" -gt $((3000 + startup)) ] || break
  done
  say "detect, $n: $ms ms (run $i)"
  check "detect, $n: 3 s and the start-up" below "$ms" $((3001 + startup))
  leave_network "$n"
done

every delay=200ms >"$work/rules"
"$net" rules "$work/rules"
for i in 1 2 3 4 5; do
  milliseconds "$binary" detect --format json >/dev/null
  figures=$(node -p 'const r = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))
    const slowest = Math.max(...r.sources.map((s) => s.ttfb_ms ?? 0));
    [r.sources.every((s) => s.ok) ? "all" : "not-all", Math.round(r.duration_ms), Math.round(slowest), (r.duration_ms / slowest).toFixed(2)].join(" ")' "$work/timing.out")
  read -r answered took slowest ratio <<<"$figures"
  [ "${ratio/./}" -gt 120 ] || break
done
say "detect, each answers after 200 ms: $took ms, the slowest probe $slowest ms, ratio $ratio (run $i)"
check "detect, each answers after 200 ms: all answer" same "$answered" all
check "detect, each answers after 200 ms: at most 1.2 times the slowest probe" below "${ratio/./}" 121

totals
