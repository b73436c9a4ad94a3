#!/usr/bin/env bash
# net.sh up|down|env|rules FILE|family 4|6|silent NAME|dead NAME|enter CMD...
# A restricted network: a network namespace (the runner) with one link to this machine, no default route, and a packet
# filter that drops everything but the lab's own services on the other end of the link:
#   3128 squid (login ci:s3cret, passes the official sources only)      8080 mitmdump (same login, opens TLS with its own CA)
#   8888 tinyproxy (no login; refuses the official module proxy)        3129 nobody: connection refused
#   443, 80 labnet (plays the hosts of rules.txt)                       53 dnsmasq (knows the hosts of the rules only)
# What the proxies reach are the official sources, and labnet under the names of rules.txt.
# rules: another Internet from now on, whose hosts are labnet's; but where one of these actions stands, the address of a
#   host is one where packets vanish (drop), nobody listens (refuse), no route leads to (noroute), or there is none
#   for the runner (nameless).
# family: of the runner's only address and of all that the name server answers; 4 at the start.
# silent: the daemon stays, accepts and never answers; silent -NAME wakes it. dead: it is gone; rules has dnsmasq back.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

STATE=$LAB_HOME/net/${LAB_INSTANCE:-$(printf '%s' "$LAB_ROOT" | sha256sum | cut -c1-8)}
DAEMONS=(labnet dnsmasq squid tinyproxy mitmdump)
CA_SYSTEM=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
LOGIN=ci:s3cret

load() {
  [ -s "$STATE/env" ] || die "the lab is not up: $0 up"
  # shellcheck disable=SC1091
  . "$STATE/env"
}

# claim takes the first free number: making a namespace is atomic, so two labs never get the same one
claim() {
  local n
  for n in {0..199}; do
    if ip netns add "gplab$n" 2>/dev/null; then
      LAB_NETNS=gplab$n LAB_HOST=10.77.$n.1 LAB_RUNNER=10.77.$n.2
      LAB_HOST6=fd77:0:0:$n::1 LAB_RUNNER6=fd77:0:0:$n::2
      return
    fi
  done
  die "no free network namespace"
}

write_env() {
  LAB_SHARE=/run/$LAB_NETNS # for daemons under another uid: $HOME is often closed to them
  mkdir -p "$LAB_SHARE"
  chmod 755 "$LAB_SHARE"
  cat >"$STATE/env" <<EOF
export LAB_NETNS=$LAB_NETNS LAB_HOST=$LAB_HOST LAB_RUNNER=$LAB_RUNNER LAB_SHARE=$LAB_SHARE
export LAB_HOST6=$LAB_HOST6 LAB_RUNNER6=$LAB_RUNNER6 LAB_VANISH=${LAB_HOST%.1}.50
export LAB_SQUID=http://$LOGIN@$LAB_HOST:3128 LAB_MITM=http://$LOGIN@$LAB_HOST:8080 LAB_TINYPROXY=http://$LAB_HOST:8888 LAB_NOBODY=http://$LAB_HOST:3129
export LAB_CA_SYSTEM=$CA_SYSTEM LAB_BUNDLE=$LAB_SHARE/bundle.pem LAB_LOGS=$STATE
EOF
}

make_network() {
  ip link add "$LAB_NETNS" type veth peer name eth0 netns "$LAB_NETNS"
  ip addr add "$LAB_HOST/24" dev "$LAB_NETNS"
  ip addr add "${LAB_HOST%.1}.3/24" dev "$LAB_NETNS" # where nobody listens
  ip addr add "$LAB_HOST6/64" dev "$LAB_NETNS" nodad
  ip link set "$LAB_NETNS" up
  ip -n "$LAB_NETNS" link set lo up
  ip -n "$LAB_NETNS" link set eth0 up
  ip netns exec "$LAB_NETNS" nft -f - <<EOF
table inet lab {
  chain out {
    type filter hook output priority 0; policy drop;
    ip daddr 127.0.0.0/8 accept
    ip6 daddr ::1 accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    ip daddr $LAB_HOST tcp dport { 80, 443, 3128, 3129, 8080, 8888 } accept
    ip6 daddr $LAB_HOST6 tcp dport { 80, 443 } accept
    ip daddr ${LAB_HOST%.1}.3 accept
    ip daddr $LAB_HOST udp dport 53 accept
    ip6 daddr $LAB_HOST6 udp dport 53 accept
    counter drop
  }
}
EOF
}

# family 4|6: the runner's only address, and what the name server answers
family() {
  local own
  case $1 in
    4) set -- 4 -6 "$LAB_HOST" && own=("$LAB_RUNNER/24") ;;
    6) set -- 6 -4 "$LAB_HOST6" && own=("$LAB_RUNNER6/64" nodad) ;;
    *) die "4 or 6, not $1" ;;
  esac
  echo "$1" >"$STATE/family"
  ip -n "$LAB_NETNS" "$2" addr flush dev eth0 scope global
  ip -n "$LAB_NETNS" addr replace "${own[@]}" dev eth0
  mkdir -p "/etc/netns/$LAB_NETNS"
  echo "nameserver $3" >"/etc/netns/$LAB_NETNS/resolv.conf"
}

write_squid() { # GOMOD NPM
  mkdir -p "$LAB_SHARE/squid"
  htpasswd -bc "$LAB_SHARE/squid/passwd" "${LOGIN%%:*}" "${LOGIN#*:}" 2>/dev/null
  cat >"$LAB_SHARE/squid/squid.conf" <<EOF
http_port $LAB_HOST:3128
pid_filename none
access_log stdio:$LAB_SHARE/squid/access.log
cache_log $LAB_SHARE/squid/cache.log
cache deny all
coredump_dir $LAB_SHARE/squid
auth_param basic program /usr/lib/squid/basic_ncsa_auth $LAB_SHARE/squid/passwd
auth_param basic realm corp
acl authed proxy_auth REQUIRED
acl official dstdomain $(host_of "$1") $(host_of "$2") sum.golang.org
acl SSL_ports port 443
acl CONNECT method CONNECT
http_access deny CONNECT !SSL_ports
http_access deny !authed
http_access allow official
http_access deny all
shutdown_lifetime 1 seconds
EOF
  chown -R proxy:proxy "$LAB_SHARE/squid"
}

# Names as tinyproxy and mitmdump know them: the machine's and the lab's files, then the lab's name server.
write_office() { # HOST...: what is outside the lab
  mkdir -p "$LAB_SHARE/office"
  local h
  {
    cat /etc/hosts
    for h in "$@"; do getent ahosts "$h" | awk -v h="$h" '!seen[$1]++ { print $1, h }'; done
    sed -nE "s/^([a-z0-9.-]+)[[:space:]].*/$LAB_HOST \1/p" "$LAB_ROOT/rules.txt"
  } >"$LAB_SHARE/office/hosts"
  echo "nameserver $LAB_HOST" >"$LAB_SHARE/office/resolv.conf"
}

# office NAME COMMAND...: a daemon that knows names so
office() {
  # shellcheck disable=SC2016
  daemon_start "$STATE" "$1" unshare -m sh -c 'mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/resolv.conf" /etc/resolv.conf && exec "$@"' \
    "$LAB_SHARE/office" "${@:2}"
}

write_tinyproxy() { # GOMOD
  host_of "$1" | sed 's/\./\\./g; s/.*/^&$/' >"$LAB_SHARE/office/filter"
  cat >"$LAB_SHARE/office/tinyproxy.conf" <<EOF
Port 8888
Listen $LAB_HOST
Timeout 60
LogLevel Connect
MaxClients 100
ConnectPort 443
FilterExtended On
Filter "$LAB_SHARE/office/filter"
EOF
}

# rules FILE: labnet reads the file for each request; dnsmasq is started anew
rules() {
  local host actions to family others=
  local -A address=([4]=$LAB_HOST [4drop]=$LAB_VANISH [4refuse]=${LAB_HOST%.1}.3 [4noroute]=198.51.100.1
    [6]=$LAB_HOST6 [6drop]=${LAB_HOST6%1}50 [6noroute]=2001:db8::1)
  family=$(cat "$STATE/family")
  cp "$1" "$STATE/rules"
  {
    printf 'listen-address=%s,%s\nbind-interfaces\nexcept-interface=lo\nno-resolv\nno-hosts\npid-file=\nlog-queries\nlog-facility=-\n' "$LAB_HOST" "$LAB_HOST6"
    while read -r host actions; do
      case $host in '' | '#'*) continue ;; esac
      to=$family
      case " $actions " in *' nameless '*) continue ;; *' drop '*) to+=drop ;; *' refuse '*) to+=refuse ;; *' noroute '*) to+=noroute ;; esac
      if [ "$host" = '*' ]; then others=${address[$to]}; else echo "host-record=$host,${address[$to]}"; fi
    done <"$1"
    printf 'address=/#/%s\nlocal=/#/\n' "$others" # empty: no such name; of another kind: no such record
  } >"$STATE/dnsmasq.conf"
  daemon_stop "$STATE" dnsmasq
  daemon_start "$STATE" dnsmasq dnsmasq -k -C "$STATE/dnsmasq.conf" -u root
  wait_for 10 grep -q 'started, version' "$STATE/dnsmasq.log" || die "dnsmasq: $(cat "$STATE/dnsmasq.log")"
}

listening() { local p; for p in "$@"; do ss -Hltn "src $LAB_HOST:$p" | grep -q . || return 1; done; }

up() {
  [ "$(id -u)" = 0 ] || die "takes root"
  local p gomod npm
  for p in squid tinyproxy mitmdump dnsmasq htpasswd nft ip "$LAB_HOME/bin/labnet"; do need "$p" net; done
  down
  gomod=$(official_gomod)
  npm=$(official_npm)
  mkdir -p "$STATE"
  claim
  trap give_up EXIT
  write_env
  load
  make_network
  family 4
  write_squid "$gomod" "$npm"
  write_office "$(host_of "$gomod")" "$(host_of "$npm")"
  write_tinyproxy "$gomod"
  rules "$LAB_ROOT/rules.txt"
  daemon_start "$STATE" labnet "$LAB_HOME/bin/labnet" -listen "$LAB_HOST,$LAB_HOST6" -rules "$STATE/rules" -gomod "$gomod" -npm "$npm" -ca-out "$LAB_SHARE/lab-ca.pem"
  daemon_start "$STATE" squid squid -N -f "$LAB_SHARE/squid/squid.conf"
  office tinyproxy tinyproxy -d -c "$LAB_SHARE/office/tinyproxy.conf"
  wait_for 10 test -s "$LAB_SHARE/lab-ca.pem"
  cat "$LAB_SHARE/lab-ca.pem" "$CA_SYSTEM" >"$LAB_SHARE/office/ca.pem"
  office mitmdump env -u SSL_CERT_DIR mitmdump --listen-host "$LAB_HOST" -p 8080 --set "confdir=$STATE/mitm" \
    --set "ssl_verify_upstream_trusted_ca=$LAB_SHARE/office/ca.pem" --set "proxyauth=$LOGIN" -q --flow-detail 1
  wait_for 60 listening 443 80 3128 8080 8888
  wait_for 10 test -s "$STATE/mitm/mitmproxy-ca-cert.pem"
  for p in "${DAEMONS[@]}"; do daemon_alive "$STATE" "$p" || die "$p ended"; done
  cat "$LAB_SHARE/lab-ca.pem" "$STATE/mitm/mitmproxy-ca-cert.pem" "$CA_SYSTEM" >"$LAB_BUNDLE"
  trap - EXIT
  say "up: $LAB_NETNS ($LAB_RUNNER), services on $LAB_HOST, logs in $STATE and $LAB_SHARE/squid"
}

give_up() {
  tail -n 3 "$STATE"/*.log "$LAB_SHARE"/squid/*.log >&2 || true
  down
}

down() {
  local d
  for d in "${DAEMONS[@]}"; do daemon_stop "$STATE" "$d"; done
  [ -s "$STATE/env" ] || return 0
  load
  ip link del "$LAB_NETNS" 2>/dev/null || true # the peer goes with it
  ip netns del "$LAB_NETNS" 2>/dev/null || true
  rm -rf "/etc/netns/$LAB_NETNS" "$LAB_SHARE" "$STATE"
}

# enter CMD...: in the runner's namespace, with the caller's environment except for what would lead around the lab
enter() {
  load
  local clear=() v
  for v in HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy GOPROXY SSL_CERT_DIR SSL_CERT_FILE; do clear+=(-u "$v"); done
  exec ip netns exec "$LAB_NETNS" env "${clear[@]}" "$@"
}

case ${1:-} in
  up | down) "$1" ;;
  env) load; cat "$STATE/env" ;;
  rules) load; rules "${2:?FILE}" ;;
  family) load; family "${2:?4 or 6}" ;;
  silent)
    load
    case ${2:?NAME} in -*) daemon_signal "$STATE" "${2#-}" CONT ;; *) daemon_signal "$STATE" "$2" STOP ;; esac
    ;;
  dead) load; daemon_stop "$STATE" "${2:?NAME}" ;;
  enter) shift; enter "$@" ;;
  *) sed -n '2,14s/^# //p' "$0"; exit 2 ;;
esac
