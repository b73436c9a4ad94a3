#!/usr/bin/env bash
# gate.sh [BINARY]: times the policy gate beside conftest, opa and lockfile-lint, on the same packages and with the same
# checks: the host is trusted, https, an integrity that is strong; each module has its line in go.sum. Ours reads the
# checkout; conftest and opa get a document that was parsed for them, lockfile-lint the lock file alone. Runs take turns.
# Takes Go, Node and npm; the first time it builds conftest and opa, which takes some minutes. Without BINARY it builds the
# stripped one. RUNS=N counts N runs of each (default 7; fewer of what takes long) after one that does not count,
# SIZES="1000 10000" makes other lock files. The median decides. Exit 1: a target is missed, or somebody finds other faults.
set -euo pipefail
# shellcheck source=../lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lib.sh"
export LC_ALL=C
unset GITHUB_ACTIONS # as in a terminal
runs=${RUNS:-7}
read -ra sizes <<<"${SIZES:-1000 10000 50000 100000}"
if [ $# -gt 1 ] || [[ ${1:-} == -* ]] || ! [[ $runs =~ ^[1-9][0-9]*$ ]]; then
  sed -n '2,7s/^# //p' "$0" >&2
  exit 2
fi
scene
bash "$LAB_ROOT/install.sh" rivals
bin=$LAB_HOME/bin bench=$PROJECT/testdata/bench
if [ $# = 1 ]; then
  ours=$(cd "$(dirname "$1")" && pwd -P)/$(basename "$1")
else
  ours=$work/goproxy-action
  build_binary "$ours"
fi
cd "$work"

# All find the same. Of ours what the others do not look for does not count.
count() { node -e 'const r = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")); console.log(eval(process.argv[2]))' "$1" "$2"; }
finds() { # DIR FAULTS
  local code=$(($2 > 0 ? 1 : 0)) rc=0
  "$ours" check --offline --format json "$1/checkout" >out.json || rc=$?
  same "$rc $(count out.json 'r.findings.filter(f => /^(LCK00[1-4]|MOD010)$/.test(f.id)).length') $(count out.json 'r.counts.packages + " " + r.counts.modules')" \
    "$code $2 ${1#*-} 300" || return 1
  rc=0
  "$bin/conftest" test --no-color --policy "$bench/gate.rego" --output json "$1/ready.json" >out.json || rc=$?
  same "$rc $(count out.json '(r[0].failures ?? []).length')" "$code $2" || return 1
  "$bin/opa" eval --data "$bench/gate.rego" --input "$1/ready.json" data.main.deny >out.json
  same "$(count out.json 'r.result[0].expressions[0].value.length')" "$2" || return 1
  rc=0
  lint "$1" >out 2>&1 || rc=$?
  same "$rc" "$code"
}
linted=(--type npm --validate-https --allowed-hosts registry.npmmirror.com --validate-integrity --path)
lint() { "$bin/lockfile-lint" "${linted[@]}" "$1/checkout/package-lock.json"; }

# plan NAME RUNS CODE COMMAND...: a line for measure
plan() { printf '%s\t%s\t%s' "$1" "$2" "$3" && shift 3 && printf '\t%s' "$@" && printf '\n'; }
for n in "${sizes[@]}"; do
  few=$((n > 20000 && runs > 3 ? 3 : runs))
  for variant in clean faulty; do
    dir=$variant-$n code=0
    wrong=$(node "$bench/gate.mjs" make "$dir" "$n" "$([ $variant = clean ] || echo 38)")
    [ $variant = clean ] || code=1
    check "$n packages, $wrong at fault: all find the same" finds "$dir" "$wrong"
    {
      plan "ours/$variant/$n" "$runs" $code "$ours" check --offline "$dir/checkout"
      plan "conftest 0.71.1/$variant/$n" "$few" $code "$bin/conftest" test --no-color --policy "$bench/gate.rego" "$dir/ready.json"
      plan "opa 1.22.2/$variant/$n" "$few" 0 "$bin/opa" eval --data "$bench/gate.rego" --input "$dir/ready.json" data.main.deny
      [ $variant != clean ] || plan "lockfile-lint 5.0.1/$variant/$n" "$few" 0 "$bin/lockfile-lint" "${linted[@]}" "$dir/checkout/package-lock.json"
    } >>plan.tsv
  done
done

# The real opa takes our bundles, signed and not.
mkdir -p policy/corp
printf 'package corp\n\ndeny contains r.module if {\n\tsome r in input.go.replaces\n\tnot goproxy.module_match(data.corp.prefixes, r.module)\n}\n' >policy/corp.rego
printf 'package corp_test\n\nimport data.corp\n\ntest_replaced if count(corp.deny) == 1 with input as {"go": {"replaces": [{"module": "b.test"}]}}\n' >policy/corp_test.rego
echo 'prefixes: [a.test]' >policy/corp/data.yaml
node -e 'const {generateKeyPairSync} = require("crypto"), {writeFileSync} = require("fs")
  for (const [name, options] of [["ec", {namedCurve: "P-256"}], ["rsa", {modulusLength: 2048}]]) {
    const {publicKey, privateKey} = generateKeyPairSync(name, options)
    writeFileSync(name + ".pem", privateKey.export({type: "pkcs8", format: "pem"}), {mode: 0o600})
    writeFileSync(name + ".pub", publicKey.export({type: "spki", format: "pem"}))
  }'
"$ours" policy capabilities >capabilities.json
bundle() { "$ours" policy bundle --out "$1.tar.gz" "${@:2}" policy; }
taken() { "$bin/opa" build --capabilities capabilities.json -b "$1.tar.gz" -o rebuilt.tar.gz "${@:2}"; }
refused() { if taken "$@" >out 2>&1; then return 1; fi; has out 'verify'; }
check "policy bundle" bundle plain
check "policy bundle, signed with ECDSA" bundle ec --sign-key ec.pem
check "policy bundle, signed with RSA" bundle rsa --sign-key rsa.pem
check "opa takes the bundle" taken plain
check "opa takes the one that is signed with ECDSA" taken ec --verification-key ec.pub --signing-alg ES256
check "opa takes the one that is signed with RSA" taken rsa --verification-key rsa.pub
check "opa takes no other key" refused rsa --verification-key ec.pub --signing-alg ES256
totals || exit 1

load() { cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || uptime | sed 's/.*average[s]*: //'; }
printf '\n%s, %s processors, node %s, load %s\n' "$(uname -sm)" "$(getconf _NPROCESSORS_ONLN)" "$(node -p process.versions.node)" "$(load)"
# The program collects its garbage less often than Go does by itself, and so does the benchmark.
(cd "$PROJECT" && GOGC=400 go test -run '^$' -bench 'FirstAnswer/well' -benchtime 30x -count "$runs" ./internal/decide) >bench.out
awk '/ns\/op/ { print $3 / 1e6 }' bench.out >compile
"$bin/measure" <plan.tsv >runs.tsv
printf 'load %s at the end, %s runs of each, at most 3 of what takes long\n\n' "$(load)" "$runs"
node "$bench/gate.mjs" table runs.tsv compile
