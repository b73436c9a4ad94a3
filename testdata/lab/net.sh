#!/usr/bin/env bash
# net.sh up|down|env|rules FILE|silent NAME|enter CMD...
# A restricted network: a network namespace (the runner) with one link to this machine, no default route, and a packet
# filter that drops everything but the lab's own services on the other end of the link:
#   3128 squid (login ci:s3cret, passes the official sources only)      8080 mitmdump (same login, opens TLS with its own CA)
#   443, 80 labnet (plays the hosts of rules.txt)                       53 dnsmasq (knows the hosts of the rules only)
# rules: another Internet from now on; "blackhole.test" as host name stands for all names and leads nowhere.
# silent: the daemon stays, accepts and never answers; silent -NAME wakes it.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

STATE=$LAB_HOME/net/${LAB_INSTANCE:-$(printf '%s' "$LAB_ROOT" | sha256sum | cut -c1-8)}
DAEMONS=(labnet dnsmasq squid mitmdump)
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
export LAB_SQUID=http://$LOGIN@$LAB_HOST:3128 LAB_MITM=http://$LOGIN@$LAB_HOST:8080
export LAB_CA_SYSTEM=$CA_SYSTEM LAB_BUNDLE=$LAB_SHARE/bundle.pem LAB_LOGS=$STATE
EOF
}

make_network() {
  ip link add "$LAB_NETNS" type veth peer name eth0 netns "$LAB_NETNS"
  ip addr add "$LAB_HOST/24" dev "$LAB_NETNS"
  ip link set "$LAB_NETNS" up
  ip -n "$LAB_NETNS" link set lo up
  ip -n "$LAB_NETNS" addr add "$LAB_RUNNER/24" dev eth0
  ip -n "$LAB_NETNS" link set eth0 up
  mkdir -p "/etc/netns/$LAB_NETNS"
  echo "nameserver $LAB_HOST" >"/etc/netns/$LAB_NETNS/resolv.conf"
  ip netns exec "$LAB_NETNS" nft -f - <<EOF
table inet lab {
  chain out {
    type filter hook output priority 0; policy drop;
    ip daddr 127.0.0.0/8 accept
    ct state established,related accept
    ip daddr $LAB_HOST tcp dport { 80, 443, 3128, 8080 } accept
    ip daddr $LAB_HOST udp dport 53 accept
    counter drop
  }
}
EOF
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

# rules FILE: labnet reads the file for each request; dnsmasq is started anew
rules() {
  local host
  cp "$1" "$STATE/rules"
  {
    printf 'listen-address=%s\nbind-interfaces\nexcept-interface=lo\nno-resolv\nno-hosts\npid-file=\nlog-queries\nlog-facility=-\n' "$LAB_HOST"
    if grep -q '^blackhole.test' "$1"; then
      echo "address=/#/${LAB_HOST%.1}.50" # the filter drops what goes there
    else
      while read -r host _; do case $host in '' | '#'*) ;; *) echo "address=/$host/$LAB_HOST" ;; esac; done <"$1"
      echo "address=/#/" # all else: no such name
    fi
  } >"$STATE/dnsmasq.conf"
  daemon_stop "$STATE" dnsmasq
  daemon_start "$STATE" dnsmasq dnsmasq -k -C "$STATE/dnsmasq.conf" -u root
  wait_for 10 grep -q 'started, version' "$STATE/dnsmasq.log" || die "dnsmasq: $(cat "$STATE/dnsmasq.log")"
}

listening() { local p; for p in "$@"; do ss -Hltn "src $LAB_HOST:$p" | grep -q . || return 1; done; }

up() {
  [ "$(id -u)" = 0 ] || die "takes root"
  local p gomod npm
  for p in squid mitmdump dnsmasq htpasswd nft ip "$LAB_HOME/bin/labnet"; do need "$p" net; done
  down
  gomod=$(official_gomod)
  npm=$(official_npm)
  mkdir -p "$STATE"
  claim
  trap give_up EXIT
  write_env
  load
  make_network
  write_squid "$gomod" "$npm"
  rules "$LAB_ROOT/rules.txt"
  daemon_start "$STATE" labnet "$LAB_HOME/bin/labnet" -listen "$LAB_HOST" -rules "$STATE/rules" -gomod "$gomod" -npm "$npm" -ca-out "$LAB_SHARE/lab-ca.pem"
  daemon_start "$STATE" squid squid -N -f "$LAB_SHARE/squid/squid.conf"
  daemon_start "$STATE" mitmdump env -u SSL_CERT_DIR mitmdump --listen-host "$LAB_HOST" -p 8080 --set "confdir=$STATE/mitm" \
    --set "ssl_verify_upstream_trusted_ca=$CA_SYSTEM" --set "proxyauth=$LOGIN" -q --flow-detail 1
  wait_for 60 listening 443 80 3128 8080
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
  silent)
    load
    case ${2:?NAME} in -*) daemon_signal "$STATE" "${2#-}" CONT ;; *) daemon_signal "$STATE" "$2" STOP ;; esac
    ;;
  enter) shift; enter "$@" ;;
  *) sed -n '2,8s/^# //p' "$0"; exit 2 ;;
esac
