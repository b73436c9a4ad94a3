import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import zlib from 'node:zlib'
import { goEnv, probe, trustedPath } from './build.mjs'
import { download, proxyFor } from './download.mjs'
import { plain } from './launch.mjs'

const here = path.dirname(fileURLToPath(import.meta.url))
const action = path.join(here, '../..')

/** runner makes the directories and files that a GitHub runner gives to a step. */
function runner(t, more = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'launcher-test-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  for (const name of ['temp', 'tools', 'workspace', 'bin']) fs.mkdirSync(path.join(dir, name), { mode: 0o700 })
  fs.writeFileSync(path.join(dir, 'state'), '')
  const env = {
    PATH: process.env.PATH, HOME: dir, GITHUB_STATE: path.join(dir, 'state'), GITHUB_WORKSPACE: path.join(dir, 'workspace'),
    RUNNER_TEMP: path.join(dir, 'temp'), RUNNER_TOOL_CACHE: path.join(dir, 'tools'), ...more
  }
  return { dir, env }
}

function script(file, text) {
  fs.writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  return file
}

const sum = (data) => createHash('sha256').update(data).digest('hex')

/** given names a binary as the inputs do. */
const given = (env, file, data = fs.readFileSync(path.resolve(env.GITHUB_WORKSPACE, file))) => ({ ...env, INPUT_BINARY: file, 'INPUT_BINARY-SHA256': sum(data) })

function start(name, env, cwd, from = here) {
  const child = spawn(process.execPath, [path.join(from, name)], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  const ran = { child, out: '', err: '' }
  child.stdout.on('data', (d) => (ran.out += d))
  child.stderr.on('data', (d) => (ran.err += d))
  ran.end = once(child, 'close').then(([code, signal]) => Object.assign(ran, { code, signal }))
  return ran
}

/** state reads GITHUB_STATE as the runner does. */
function state(env) {
  const [, value] = /^binary<<(end_[0-9a-f-]{36})\n(.*)\n\1\n$/s.exec(fs.readFileSync(env.GITHUB_STATE, 'utf8')).slice(1)
  return value
}

test('a given binary is copied and run, and post runs the same copy', async (t) => {
  const { dir, env } = runner(t, { INPUT_MODE: '', 'INPUT_HTTPS-PROXY': ' ', INPUT_PROBE: 'all' })
  script(path.join(env.GITHUB_WORKSPACE, 'tool'), 'echo "ran $0 $*"; env | grep ^INPUT_ | grep -v SHA256 | sort; [ "$1" = restore ] || exit 3')
  const inputs = given(env, 'tool')
  const main = await start('main.mjs', { ...inputs, 'INPUT_BINARY-SHA256': ` ${inputs['INPUT_BINARY-SHA256'].toUpperCase()}\n` }).end
  assert.equal(main.code, 3, main.err)
  assert.match(main.err, /^goproxy-action: ready in \d+ ms \(given\)\n$/)
  const copy = state(env)
  assert.ok(copy.startsWith(path.join(dir, 'temp', 'goproxy-action-')), copy)
  assert.equal(main.out, `ran ${copy} setup\nINPUT_BINARY=tool\nINPUT_PROBE=all\n`)
  for (const name of [copy, path.dirname(copy)]) assert.equal(fs.statSync(name).mode & 0o777, 0o700)
  script(path.join(env.GITHUB_WORKSPACE, 'tool'), 'echo changed') // the job may; the copy stays
  const post = await start('post.mjs', { ...env, STATE_binary: copy }).end
  assert.equal(post.code, 0, post.err)
  assert.match(post.out, /^ran .* restore\n/)
  assert.ok(!fs.existsSync(path.dirname(copy)), 'the copy is left behind')
})

test('the state is saved before the binary runs', async (t) => {
  const { env } = runner(t)
  const binary = script(path.join(env.GITHUB_WORKSPACE, 'tool'), 'cat "$GITHUB_STATE"; kill -9 $$')
  const main = await start('main.mjs', given(env, binary)).end
  assert.equal(main.code, 137)
  assert.match(main.out, /^binary<<end_/)
})

for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]]) {
  test(`${signal} reaches the binary, whose answer counts`, async (t) => {
    const { env } = runner(t)
    const binary = script(path.join(env.GITHUB_WORKSPACE, 'tool'), `trap 'echo caught; exit ${40 + number}' ${number}; echo up; while :; do sleep 0.05; done`)
    const main = start('main.mjs', given(env, binary))
    await once(main.child.stdout, 'data')
    main.child.kill(signal)
    await main.end
    assert.deepEqual([main.code, main.out], [40 + number, 'up\ncaught\n'])
  })
}

test('what can go wrong with a given binary is said', async (t) => {
  const { dir, env } = runner(t, { 'INPUT_BINARY-SHA256': sum('') })
  const tool = script(path.join(dir, 'a'), '')
  const digits = 'it takes 64 hexadecimal digits. Give those of the file that binary names (sha256sum FILE).'
  for (const [more, code, want] of [
    [{ INPUT_BINARY: tool, 'INPUT_BINARY-SHA256': ' ' }, 2, `Input binary-sha256 is missing: ${digits}`],
    [{ INPUT_BINARY: tool, 'INPUT_BINARY-SHA256': 'sha256:abc' }, 2, `Input binary-sha256 is no SHA-256: ${digits}`],
    [{ INPUT_BINARY: 'https://[' }, 2, 'Input binary is no address that can be downloaded from. Write https://host/path.'],
    [{ INPUT_BINARY: tool }, 4, `Input binary: ${tool} has the SHA-256 ${sum(fs.readFileSync(tool))}, and binary-sha256 is ${sum('')}. It was not started. Find out who changed the file, or correct the input.`],
    [{ INPUT_BINARY: 'none' }, 2, `Input binary: there is no file ${env.GITHUB_WORKSPACE}/none. Name one that an earlier step has put there.`],
    [{ INPUT_BINARY: '.' }, 2, `Input binary: there is no file ${env.GITHUB_WORKSPACE}. Name one that an earlier step has put there.`],
    [{ INPUT_BINARY: 'none', GITHUB_WORKSPACE: '' }, 2, 'Input binary: there is no file /none. Name one that an earlier step has put there.'],
    [{ ...given(env, tool), GITHUB_STATE: '' }, 2, 'GITHUB_STATE is not set. This script is for GitHub Actions; in a terminal run: goproxy-action setup']
  ]) {
    const main = await start('main.mjs', { ...env, ...more }).end
    assert.deepEqual([main.code, main.out], [code, `::error title=goproxy-action::${want}\n`])
    if (!want.startsWith('GITHUB_STATE')) assert.deepEqual(fs.readdirSync(env.RUNNER_TEMP), [], 'a copy is left behind')
  }
  fs.writeFileSync(path.join(dir, 'text'), '\x7fELF')
  const main = await start('main.mjs', given(env, path.join(dir, 'text'))).end
  assert.equal(main.code, 2)
  assert.match(main.out, /cannot be started \(it is no program\)\. Give a binary for \w+\/\w+\./)
})

test('post without a binary says so, and without the file fails', async (t) => {
  const { env } = runner(t)
  const none = await start('post.mjs', env).end
  assert.deepEqual([none.code, none.out, none.err], [0, '', 'goproxy-action: nothing to take back: the first step ended before it had a binary\n'])
  const gone = await start('post.mjs', { ...env, STATE_binary: '/none/such' }).end
  assert.deepEqual([gone.code, gone.out], [2, '::error title=goproxy-action::/none/such is gone, so nothing was taken back. Keep RUNNER_TEMP until the job has ended.\n'])
})

const built = '#!/bin/sh\necho built $1\n'

/** fakeGo stands for the toolchain: it writes down how it was called, and "builds" a script. */
function fakeGo(dir, { version = 'go9.9.9', offline = 'false', fails = '' } = {}) {
  script(path.join(dir, 'bin', 'go'), `
echo "$1 $GOPROXY|$GOFLAGS|$GOENV|$GOWORK|$GOTOOLCHAIN|$GOSUMDB|$GOPRIVATE$GOTOOLEXEC$INPUT_TOKEN|$HTTPS_PROXY" >> ${dir}/calls
case "$1" in
env) echo ${version}; echo ${dir}/goroot;;
list) case "$GOPROXY" in
  https://good.test*) mkdir -p $GOMODCACHE/cache/download/github.com/google/uuid/@v
    echo module github.com/google/uuid > $GOMODCACHE/cache/download/github.com/google/uuid/@v/v1.6.0.mod;;
  https://captive.test) mkdir -p $GOMODCACHE/cache/download/github.com/google/uuid/@v
    echo '<html>' > $GOMODCACHE/cache/download/github.com/google/uuid/@v/v1.6.0.mod;;
  *) echo "reading https://ci:hunter2@x/: 503"; echo "dead: ::warning::x" >&2; exit 1;; esac;;
build) mkdir -p "$GOMODCACHE"; printf '%s\\n' "$@" > ${dir}/flags
  if [ "$GOPROXY" = off ] && ! ${offline}; then echo "x: module lookup disabled by GOPROXY=off" >&2; exit 1; fi
  ${fails}
  while [ "$1" != -o ]; do shift; done; [ ! -e "$2" ] || { echo "$2 already exists and is no object file" >&2; exit 1; }; printf '${built.replaceAll('\n', '\\n')}' > $2; chmod 755 $2;;
esac`)
  fs.mkdirSync(path.join(dir, 'goroot'))
  fs.writeFileSync(path.join(dir, 'goroot', 'go.env'), '# comment\nGOPROXY=https://good.test,direct\nGOSUMDB=x\n')
  return () => fs.readFileSync(path.join(dir, 'calls'), 'utf8').trim().split('\n')
}

test('the binary is built from sources that answer, with no setting of the runner', async (t) => {
  const { dir, env } = runner(t, {
    GOPROXY: 'https://ci:hunter2@dead.test|https://good.test/2/,https://captive.test,direct', GOFLAGS: '-mod=mod', GOPRIVATE: '*', GOTOOLEXEC: 'evil', INPUT_TOKEN: 'hunter2',
    'INPUT_HTTPS-PROXY': 'http://proxy.test:1'
  })
  const calls = fakeGo(dir)
  env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
  const first = await start('main.mjs', env).end
  assert.deepEqual([first.code, first.out], [0, 'built setup\n'], first.err)
  assert.match(first.err, /^goproxy-action: building from source with go9\.9\.9 \.\.\.\ngoproxy-action: ready in \d+ ms \(built with go9\.9\.9\)\n$/)
  const build = calls().filter((c) => c.startsWith('build'))
  assert.deepEqual(build, ['build https://good.test,https://good.test/2|-mod=readonly -modcacherw|off|off|local|off||http://proxy.test:1'])
  assert.equal(calls().filter((c) => c.startsWith('list')).length, 7) // the toolchain's, three of the runner's, three mirrors
  assert.deepEqual(fs.readdirSync(path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action')).sort(), ['build', 'mod'], 'a program that no digest vouches for is shared')
})

/** caches are the directories that the last build had for its modules and its cache. */
const caches = (dir) => fs.readFileSync(path.join(dir, 'caches'), 'utf8').trim().split('\n')

test("go's caches outlive the job only where every directory is ours and none is a link", async (t) => {
  for (const [name, spoil] of [
    ['all is well'],
    ['a link in place of all', (store, other) => (fs.rmSync(store, { recursive: true }), fs.symlinkSync(other, store))],
    ['a link in place of the module cache', (store, other) => (fs.rmSync(`${store}/mod`, { recursive: true }), fs.symlinkSync(other, `${store}/mod`))],
    ['a link in place of the build cache', (store, other) => (fs.rmSync(`${store}/build`, { recursive: true }), fs.symlinkSync(other, `${store}/build`))],
    ['others may write', (store) => fs.chmodSync(store, 0o777)],
    ["others may write to the build cache", (store) => fs.chmodSync(`${store}/build`, 0o770)],
    ['a file', (store) => (fs.rmSync(`${store}/mod`, { recursive: true }), fs.writeFileSync(`${store}/mod`, ''))]
  ]) {
    const { dir, env } = runner(t)
    fakeGo(dir, { fails: `printf '%s\\n' "$GOMODCACHE" "$GOCACHE" > ${dir}/caches` })
    env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
    const [store, other] = [path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action'), path.join(dir, 'other')]
    for (const d of ['', 'mod', 'build']) fs.mkdirSync(path.join(store, d), { recursive: true, mode: 0o700 })
    fs.mkdirSync(other, { mode: 0o700 })
    spoil?.(store, other)
    const main = await start('main.mjs', env).end
    assert.deepEqual([main.code, main.out], [0, 'built setup\n'], `${name}: ${main.err}`)
    assert.equal(caches(dir).every((d) => d.startsWith(store)), !spoil, `${name}: ${caches(dir)}`)
    if (/link/.test(name)) assert.deepEqual(fs.readdirSync(other), [], `${name}: written through the link`)
  }
})

test('nothing is kept in the workspace, where the checkout could have put it', async (t) => {
  const { dir, env } = runner(t)
  fakeGo(dir, { fails: `printf '%s\\n' "$GOMODCACHE" "$GOCACHE" > ${dir}/caches` })
  Object.assign(env, { PATH: `${path.join(dir, 'bin')}:/usr/bin:/bin`, RUNNER_TOOL_CACHE: path.join(env.GITHUB_WORKSPACE, 'tools') })
  assert.equal((await start('main.mjs', env).end).code, 0)
  assert.ok(caches(dir).every((d) => d.startsWith(env.RUNNER_TEMP)), caches(dir).join())
})

/** tree makes directories with a go in each that only says that it ran. */
function tree(dir, ...names) {
  for (const name of names) {
    fs.mkdirSync(path.join(dir, name), { recursive: true })
    script(path.join(dir, name, 'go'), `echo ran >> ${dir}/evil; env >> ${dir}/evil; exit 1`)
  }
}

test('no program of the workspace is on the PATH for building', (t) => {
  const { dir, env } = runner(t)
  const [workspace, at] = [env.GITHUB_WORKSPACE, (name) => path.join(fs.realpathSync.native(dir), name)]
  tree(dir, 'workspace/bin', 'workspace2', 'good', 'linked/bin', 'a:relative', 'git')
  for (const [link, to] of [
    ['into', 'workspace/bin'], ['workspace/out', 'good'], ['ws', 'workspace'], ['up', 'workspace/bin'], ['twin', 'good'], ['colon', 'a:relative'], ['git/git', 'workspace/bin/go']
  ]) fs.symlinkSync(path.join(dir, to), path.join(dir, link))
  fs.rmSync(path.join(dir, 'linked/bin/go'))
  fs.symlinkSync(path.join(workspace, 'bin/go'), path.join(dir, 'linked/bin/go'))
  for (const [name, PATH, want, more] of [
    ['the workspace', workspace, ''],
    ['a directory in it', `${workspace}/bin`, ''],
    ['spelt otherwise', `${dir}/good/..//workspace/./bin/`, ''],
    ['a link into it', `${dir}/into`, ''],
    ['a link in it that leads out', `${workspace}/out`, ''],
    ['through a link to it', `${dir}/ws/bin`, ''],
    ['the workspace is named by a link', `${workspace}/bin`, '', { GITHUB_WORKSPACE: `${dir}/ws` }],
    ['up from where a link ends', `${dir}/up/../bin`, ''],
    ['a go that is a link into it', `${dir}/linked/bin`, ''],
    ['a git that is a link into it', `${dir}/git`, ''],
    ['a link whose end reads as two directories', `${dir}/colon`, ''],
    ['relative, empty, missing', `bin:.::./bin:../good:~/bin:${dir}/none`, ''],
    ['a neighbour with a longer name', `${dir}/workspace2`, at('workspace2')],
    ['what is left keeps its order', `${dir}/good:${workspace}/bin:${dir}/twin:${dir}/bin`, `${at('good')}:${at('bin')}`],
    ['no workspace', `${dir}/good`, at('good'), { GITHUB_WORKSPACE: '' }],
    ['no PATH', undefined, '']
  ]) assert.equal(trustedPath({ ...env, PATH, ...more }), want, name)
})

test('a go of the workspace is never started, and another is found behind it', async (t) => {
  for (const [name, PATH] of [['in it', '$W/bin'], ['relative', 'workspace/bin:bin'], ['a link', '$D/into'], ['a file that is a link', '$D/linked']]) {
    const { dir, env } = runner(t, { GITHUB_TOKEN: 'hunter2', ACTIONS_RUNTIME_TOKEN: 'hunter2' })
    tree(dir, 'workspace/bin', 'linked')
    fs.symlinkSync(path.join(dir, 'workspace/bin'), path.join(dir, 'into'))
    fs.rmSync(path.join(dir, 'linked/go'))
    fs.symlinkSync(path.join(dir, 'workspace/bin/go'), path.join(dir, 'linked/go'))
    env.PATH = PATH.replace('$W', env.GITHUB_WORKSPACE).replace('$D', dir)
    const none = await start('main.mjs', env, dir).end
    assert.equal(none.code, 2, none.err)
    assert.match(none.out, /there is no go on the PATH outside the workspace/, name)
    fakeGo(dir)
    env.PATH += `:${path.join(dir, 'bin')}:/usr/bin:/bin`
    const main = await start('main.mjs', env, dir).end
    assert.deepEqual([main.code, main.out], [0, 'built setup\n'], `${name}: ${main.err}`)
    assert.ok(!fs.existsSync(path.join(dir, 'evil')), `${name}: the workspace's go has run`)
  }
})

test('the build sees what it needs, and no secret of the job', async (t) => {
  const needs = {
    HOME: '/h', TMPDIR: '/t', TEMP: 't', TMP: 't', HTTPS_PROXY: 'http://u:p@p.test', no_proxy: 'x', SSL_CERT_FILE: '/c', SSL_CERT_DIR: '/d', SystemRoot: 'C:', PATHEXT: '.EXE',
    LOCALAPPDATA: 'l', USERPROFILE: 'u', NETRC: '/n', RUNNER_TEMP: '/r', RUNNER_TRACKING_ID: 'i', LANG: 'C', XDG_CACHE_HOME: '/x'
  }
  const { dir, env } = runner(t)
  const withheld = Object.fromEntries(['GITHUB_TOKEN', 'GH_TOKEN', 'NPM_TOKEN', 'npm_token', 'ACTIONS_RUNTIME_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_URL', 'ACTIONS_CACHE_URL', 'INPUT_TOKEN',
    'STATE_binary', 'MY_SECRET', 'SECRETS_FILE', 'DB_PASSWORD', 'DB_PASSWD', 'AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID', 'SIGNING_KEY', 'GH_PAT', 'GITHUB_ENV', 'GITHUB_OUTPUT',
    'GITHUB_PATH', 'GITHUB_STATE', 'GITHUB_STEP_SUMMARY', 'GITHUB_EVENT_PATH', 'GOFLAGS', 'GOTOOLDIR', 'CGO_CFLAGS', 'Path'].map((name) => [name, 'hunter2']))
  const go = goEnv({ ...withheld, ...needs, PATH: '/usr/bin:bin', GITHUB_WORKSPACE: env.GITHUB_WORKSPACE }, dir)
  assert.doesNotMatch(JSON.stringify(go), /hunter2/)
  for (const [name, value] of Object.entries(needs)) assert.equal(go[name], value, name)
  assert.equal(go.PATH, '/usr/bin')

  tree(dir, 'root')
  fs.symlinkSync(env.GITHUB_WORKSPACE, path.join(dir, 'rootlink'))
  for (const [GOROOT, want] of [[path.join(dir, 'root'), path.join(dir, 'root')], [env.GITHUB_WORKSPACE, undefined], [path.join(dir, 'rootlink'), undefined], ['root', undefined], ['', undefined]]) {
    assert.equal(goEnv({ ...env, GOROOT }, dir).GOROOT, want, GOROOT)
  }

  fakeGo(dir, { fails: `env > ${dir}/seen` })
  const main = await start('main.mjs', { ...env, ...withheld, GITHUB_STATE: env.GITHUB_STATE, 'INPUT_HTTPS-PROXY': '', PATH: `${env.GITHUB_WORKSPACE}:${dir}/bin:/usr/bin:/bin:.` }).end
  assert.equal(main.code, 0, main.out + main.err)
  const seen = fs.readFileSync(path.join(dir, 'seen'), 'utf8')
  assert.doesNotMatch(seen, /hunter2|^GITHUB_/m)
  assert.match(seen, /^PATH=.*\/bin/m)
  assert.doesNotMatch(seen, /^PATH=.*(workspace|:\.)/m)
})

test('a full module cache needs no network', async (t) => {
  const { dir, env } = runner(t)
  const calls = fakeGo(dir, { offline: 'true' })
  env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
  fs.mkdirSync(path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action', 'mod', 'cache'), { recursive: true, mode: 0o700 })
  const main = await start('main.mjs', env).end
  assert.equal(main.out, 'built setup\n', main.err)
  assert.deepEqual(calls().map((c) => c.split('|')[0]), ['env ', 'build off'])
})

test('what can go wrong with building is said, without secrets', async (t) => {
  for (const [go, more, code, want] of [
    [null, {}, 2, /there is no go on the PATH outside the workspace\. Put actions\/setup-go before this step\. Or give/],
    [{ version: 'go1.20.1', fails: 'echo "go: go.mod requires go >= 1.26.0" >&2; exit 1' }, {}, 2, /cannot be built from source with go1\.20\.1:%0Ago: go\.mod requires go >= 1\.26\.0%0AIt takes go 1\.26\.0 or newer: put actions\/setup-go with that go-version before this step\. Or give/],
    [{ fails: 'echo "get https://ci:hunter2@a.test/x: 100%" >&2; echo "::warning::x" >&2; exit 1' }, {}, 2,
      /cannot be built from source with go9\.9\.9:%0Aget https:\/\/\*\*\*@a\.test\/x: 100%25%0A::warning::x%0AIt takes go 1\.26\.0 or newer: [^\n]* Or give the action a ready binary/],
    [{}, { defaults: 'https://ci:hunter2@dead.test' }, 3, /no module proxy answers:%0A  https:\/\/\*\*\*@dead\.test: dead: ::warning::x%0A.*captive\.test: the answer is not the file.*Let the runner reach/]
  ]) {
    const { dir, env } = runner(t)
    if (go) fakeGo(dir, go)
    if (more.defaults) {
      fs.writeFileSync(path.join(dir, 'goroot', 'go.env'), `GOPROXY=${more.defaults}`)
      env.GOPROXY = 'https://captive.test'
    }
    env.PATH = go ? `${path.join(dir, 'bin')}:/usr/bin:/bin` : path.join(dir, 'bin')
    const main = await start('main.mjs', env).end
    assert.equal(main.code, code, main.out + main.err)
    assert.match(main.out, want)
    assert.match(main.out, /^::error title=goproxy-action::[^\n]*\n$/)
    assert.doesNotMatch(main.out + main.err, /hunter2/)
    assert.equal(fs.readFileSync(env.GITHUB_STATE, 'utf8'), '')
    assert.deepEqual(fs.readdirSync(env.RUNNER_TEMP), [], 'a failed build leaves files behind')
  }
})

test('a signal while building ends the build and the step', async (t) => {
  const { dir, env } = runner(t)
  fakeGo(dir, { fails: `trap 'echo down > ${dir}/down; exit 1' TERM; echo up > ${dir}/up; while :; do sleep 0.05; done` })
  env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
  const main = start('main.mjs', env)
  await appears(path.join(dir, 'up'))
  main.child.kill('SIGTERM')
  await main.end
  assert.equal(main.code, 143)
  assert.ok(fs.existsSync(path.join(dir, 'down')))
})

/** appears waits for a file, however long it takes: the test runner has the time limit. */
async function appears(file) {
  while (!fs.existsSync(file)) await new Promise((next) => setTimeout(next, 10))
}

/** moduleProxy is a module proxy and a forward proxy with a password in one. */
async function moduleProxy(t, mod = 'module github.com/google/uuid\n') {
  const seen = []
  const s = http.createServer((req, res) => {
    seen.push(`${req.method} ${req.url} ${req.headers['proxy-authorization'] ?? req.headers.authorization ?? '-'}`)
    if (req.url.includes('/silent/')) return
    if (req.url.startsWith('http:') && req.headers['proxy-authorization'] !== 'Basic Y2k6cEB3') return res.writeHead(407).end()
    if (req.url.endsWith('.info')) return res.end('{"Version":"v1.6.0"}')
    if (req.url.endsWith('.mod')) return res.end(mod)
    res.writeHead(404).end()
  })
  s.on('connect', (req, socket) => {
    seen.push(`CONNECT ${req.url} ${req.headers['proxy-authorization']}`)
    socket.end('HTTP/1.1 503 Sorry\r\n\r\n')
  })
  s.listen(0, '127.0.0.1')
  await once(s, 'listening')
  t.after(() => (s.closeAllConnections(), s.close()))
  return { seen, port: s.address().port }
}

test('a probe asks through the forward proxy with its password, and believes content only', async (t) => {
  const { dir, env } = runner(t)
  const good = await moduleProxy(t)
  const other = await moduleProxy(t, 'module github.com/google/other\n')
  const at = (more) => goEnv({ ...process.env, HTTP_PROXY: '', HTTPS_PROXY: '', http_proxy: '', https_proxy: '', NO_PROXY: '', no_proxy: '', ...env, ...more }, dir)
  const proxy = `http://ci:p%40w@127.0.0.1:${good.port}`
  const ask = (name, url, more, limit) => probe(url, at(more), path.join(dir, name), limit)

  assert.equal(await ask('a', `http://127.0.0.1:${good.port}/sub`, {}), '')
  assert.equal(good.seen[0], 'GET /sub/github.com/google/uuid/@v/v1.6.0.info -')
  assert.equal(await ask('b', 'http://mirror.test', { HTTP_PROXY: proxy }), '')
  assert.ok(good.seen.includes('GET http://mirror.test/github.com/google/uuid/@v/v1.6.0.mod Basic Y2k6cEB3'), good.seen.join('\n'))
  assert.equal(await ask('c', 'http://mirror.test', { 'INPUT_HTTP-PROXY': proxy }), '')
  assert.match(await ask('d', 'http://mirror.test', { HTTP_PROXY: proxy, NO_PROXY: '.test' }), /mirror\.test/)
  assert.match(await ask('e', 'https://mirror.test', { HTTPS_PROXY: proxy }), /Sorry/)
  assert.equal(good.seen.at(-1), 'CONNECT mirror.test:443 Basic Y2k6cEB3')
  assert.match(await ask('f', 'http://mirror.test', { HTTP_PROXY: proxy.replace('p%40w', 'hunter2') }), /407/)
  assert.match(await ask('g', `http://127.0.0.1:${other.port}`, {}), /not the file|parsing go\.mod|unexpected module path/)
  assert.equal(await ask('h', `http://127.0.0.1:${good.port}/silent`, {}, 300), 'no answer within 0.3 s')
  assert.deepEqual(fs.readdirSync(dir).filter((name) => name.length === 1), [], 'a probe leaves files behind')
})

test('texts are fit for a log', () => {
  assert.equal(plain('a https://u:p@h/@v HTTP://tok@h\x1b[31m\nb'), 'a https://***@h/@v HTTP://***@h?[31m\nb')
})

test('all of it stays small and without dependencies', () => {
  const files = fs.readdirSync(here).filter((f) => f.endsWith('.mjs') && !f.endsWith('.test.mjs')).map((f) => fs.readFileSync(path.join(here, f), 'utf8'))
  assert.ok(files.join('').match(/\n/g).length <= 450)
  for (const [, from] of files.join('').matchAll(/(?:from |import\()'([^']+)'/g)) assert.match(from, /^(node:\w+(\/promises)?|\.\/(launch|download|build)\.mjs)$/)
  const hot = fs.readFileSync(path.join(here, 'launch.mjs'), 'utf8')
  assert.doesNotMatch(hot, /^import .*\.\//m, 'the tool cache takes no other file')
  const yaml = fs.readFileSync(path.join(action, 'action.yml'), 'utf8')
  assert.match(yaml, /main: cmd\/launcher\/main\.mjs\n  post: cmd\/launcher\/post\.mjs\n  post-if: always\(\)/)
})

// From here on: releases. The program is a script of some size, so that it arrives in parts.

const platform = `${{ win32: 'windows' }[process.platform] ?? process.platform}/${{ x64: 'amd64' }[process.arch] ?? process.arch}`
const program = Buffer.from(`#!/bin/sh\necho released $1\nexit 0\n${Array.from({ length: 40000 }, (_, i) => sum(`${i}`)).join('\n')}\n`)
const wrong = Buffer.from(program.toString().replace('released', 'poisoned'))
const zipped = zlib.gzipSync(program)

/** release is a copy of the action as a release's commit has it. */
function release(dir, url, more = {}) {
  const from = path.join(dir, 'action/cmd/launcher')
  fs.cpSync(here, from, { recursive: true })
  fs.copyFileSync(path.join(action, 'go.mod'), path.join(dir, 'action/go.mod'))
  const binary = { asset: 'goproxy-action.gz', sha256: sum(program), size: program.length }
  const manifest = { version: 'v1.2.3', go: 'go9.9.9', url, binaries: { [platform]: binary, 'plan9/mips': binary }, ...more }
  fs.writeFileSync(path.join(from, 'manifest.json'), JSON.stringify(manifest))
  return from
}

/** assets is a server: what answers gives maps a path to a function of request and response. seen are the requests. */
async function assets(t, answers, tls) {
  const seen = []
  const serve = (req, res) => {
    seen.push(`${req.method} ${req.url} ${req.headers.authorization ?? '-'}`)
    const answer = answers[req.url.replace(/\?.*/, '')]
    if (answer) answer(req, res)
    else res.writeHead(404).end('no')
  }
  const s = tls ? https.createServer(tls, serve) : http.createServer(serve)
  s.listen(0, '127.0.0.1')
  await once(s, 'listening')
  t.after(() => (s.closeAllConnections(), s.close()))
  const port = s.address().port
  return { seen, port, url: `http${tls ? 's' : ''}://127.0.0.1:${port}`, hits: () => seen.length }
}

const deliver = (data = zipped) => (req, res) => res.end(data)
const redirect = (to) => (req, res) => res.writeHead(302, { location: typeof to === 'function' ? to() : to }).end()
const cut = (req, res) => {
  res.writeHead(200, { 'content-length': zipped.length })
  res.write(zipped.subarray(0, zipped.length / 2), () => res.destroy())
}

/** forward is a forward proxy with a login; hosts maps host:port to the port of this machine that is meant. */
async function forward(t, { hosts = {}, tls, login = 'ci:p@w/%' } = {}) {
  const seen = []
  const want = `Basic ${Buffer.from(login).toString('base64')}`
  const denied = (req) => {
    seen.push(`${req.method} ${req.url}`)
    return req.headers['proxy-authorization'] === want ? 0 : 407
  }
  const serve = (req, res) => {
    if (denied(req)) return res.writeHead(407).end()
    const { host, pathname } = new URL(req.url)
    const headers = { ...req.headers }
    delete headers['proxy-authorization']
    req.pipe(http.request({ port: hosts[host], path: pathname, headers }, (answer) => (res.writeHead(answer.statusCode, answer.headers), answer.pipe(res))))
  }
  const s = tls ? https.createServer(tls, serve) : http.createServer(serve)
  const open = new Set()
  s.on('connect', (req, socket) => {
    socket.on('error', () => {})
    if (denied(req)) return socket.write('HTTP/1.1 407 Login\r\n\r\n') // and stays open
    if (!hosts[req.url]) return socket.write('HTTP/1.1 503 Sorry\r\n\r\n')
    const out = net.connect(hosts[req.url], '127.0.0.1', () => (socket.write('HTTP/1.1 200 OK\r\n\r\n'), socket.pipe(out).pipe(socket)))
    for (const one of [socket, out.on('error', () => {})]) open.add(one)
  })
  s.listen(0, '127.0.0.1')
  await once(s, 'listening')
  t.after(() => (open.forEach((one) => one.destroy()), s.closeAllConnections(), s.close()))
  return { seen, port: s.address().port, login: 'ci:p%40w%2F%25' }
}

/** certificate is one that nobody knows, for release.test, other.test, proxy.test and 127.0.0.1. */
function certificate(dir) {
  const at = (name) => path.join(dir, name)
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=lab', '-keyout', at('key.pem'), '-out', at('ca.pem'),
    '-addext', 'subjectAltName=DNS:release.test,DNS:other.test,DNS:proxy.test,IP:127.0.0.1'], { stdio: 'ignore' })
  return { key: fs.readFileSync(at('key.pem')), cert: fs.readFileSync(at('ca.pem')), file: at('ca.pem') }
}

const storeOf = (env) => path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action/v1.2.3', sum(program))

test('a release is downloaded once, and then taken from the tool cache', async (t) => {
  const { dir, env } = runner(t)
  const server = await assets(t, { '/sub/goproxy-action.gz': deliver() })
  const from = release(dir, `${server.url}/sub`)
  const first = await start('main.mjs', env, dir, from).end
  assert.deepEqual([first.code, first.out], [0, 'released setup\n'], first.err)
  assert.match(first.err, /^goproxy-action: ready in \d+ ms \(downloaded from 127\.0\.0\.1:\d+, v1\.2\.3\)\n$/)
  assert.equal(fs.statSync(state(env)).mode & 0o777, 0o700)
  assert.deepEqual(fs.readdirSync(storeOf(env)), ['goproxy-action'])
  const second = await start('main.mjs', { ...env, GITHUB_STATE: path.join(dir, 'state2') }, dir, from).end
  assert.deepEqual([second.code, second.out], [0, 'released setup\n'], second.err)
  assert.match(second.err, /^goproxy-action: ready in \d+ ms \(tool cache, v1\.2\.3\)\n$/)
  assert.equal(server.hits(), 1)
  const kept = fs.statSync(path.join(storeOf(env), 'goproxy-action'))
  assert.equal(kept.nlink, 1, 'a hard link is shared')
  for (const without of ['', undefined]) { // nothing to take from, nothing to put in
    const none = await start('main.mjs', { ...env, RUNNER_TOOL_CACHE: without }, dir, from).end
    assert.match(none.err, /^goproxy-action: ready in \d+ ms \(downloaded/)
  }
  assert.equal(server.hits(), 3)
})

test('what a neighbour left in the tool cache is judged by its digest, and mended', async (t) => {
  const server = await assets(t, { '/goproxy-action.gz': deliver() })
  for (const [name, spoil, want = /\(downloaded/, healed = true] of [
    ['the right bytes with loose modes', (file) => fs.writeFileSync(file, program, { mode: 0o666 }), /^goproxy-action: ready .*\(tool cache/],
    ['a set-uid program', (file) => (fs.writeFileSync(file, program), fs.chmodSync(file, 0o4755)), /^goproxy-action: ready .*\(tool cache/],
    ['another program of the same size', (file) => fs.writeFileSync(file, wrong), / is not the program of \d+ bytes with the SHA-256 \w{64} \(\w{64}\): not used, and removed\n.*\(downloaded/],
    ['half of it', (file) => fs.writeFileSync(file, program.subarray(0, 5000)), /\(5000 bytes\): not used, and removed\n.*\(downloaded/],
    ['nothing in it', (file) => fs.writeFileSync(file, '')],
    ['a link to the right bytes', (file, dir) => (fs.writeFileSync(`${dir}/other`, program), fs.symlinkSync(`${dir}/other`, file)), /\(no regular file\): not used, and removed\n.*\(downloaded/],
    ['a link to nowhere', (file) => fs.symlinkSync('/none/such', file)],
    ['a directory', (file) => fs.mkdirSync(`${file}/x`, { recursive: true })],
    ['a pipe', (file) => execFileSync('mkfifo', [file]), /\(no regular file\): not used, and removed\n.*\(downloaded/],
    ['a directory that others may write to', (file) => (fs.writeFileSync(file, wrong), fs.chmodSync(path.dirname(file), 0o777)), /not used\n.*not kept.*others can write to [^]*\(downloaded/, false],
    ['a link in place of the directory', (file, dir) => {
      fs.mkdirSync(`${dir}/checkout/goproxy-action`, { recursive: true })
      fs.writeFileSync(`${dir}/checkout/goproxy-action/precious`, '')
      fs.rmdirSync(path.dirname(file))
      fs.symlinkSync(`${dir}/checkout`, path.dirname(file))
    }, /not used\n.*not kept[^]*\(downloaded/, false],
    ['a file in place of the directory', (file) => (fs.rmdirSync(path.dirname(file)), fs.writeFileSync(path.dirname(file), '')), /\(ENOTDIR\): not used\n.*not kept[^]*\(downloaded/, false]
  ]) {
    const { dir, env } = runner(t)
    const from = release(dir, server.url)
    const kept = path.join(storeOf(env), 'goproxy-action')
    fs.mkdirSync(storeOf(env), { recursive: true, mode: 0o700 })
    spoil(kept, dir)
    const main = await start('main.mjs', env, dir, from).end
    assert.deepEqual([main.code, main.out], [0, 'released setup\n'], `${name}: ${main.err}`)
    assert.match(main.err, want, name)
    assert.equal(fs.statSync(state(env)).mode & 0o7777, 0o700, name)
    assert.equal(fs.readdirSync(dir).includes('checkout') && !fs.existsSync(`${dir}/checkout/goproxy-action/precious`), false, `${name}: removed through the link`)
    if (healed) assert.deepEqual([fs.lstatSync(kept).isFile(), sum(fs.readFileSync(kept)), fs.readdirSync(storeOf(env))], [true, sum(program), ['goproxy-action']], name)
    else assert.doesNotMatch((await start('main.mjs', { ...env, GITHUB_STATE: `${dir}/s` }, dir, from).end).err, /\(tool cache/, name)
  }
})

test('nothing is put into a tool cache in the workspace', async (t) => {
  const { dir, env } = runner(t)
  env.RUNNER_TOOL_CACHE = path.join(env.GITHUB_WORKSPACE, 'tools')
  const server = await assets(t, { '/goproxy-action.gz': deliver() })
  const main = await start('main.mjs', env, dir, release(dir, server.url)).end
  assert.match(main.err, /not kept for later jobs: .*\n.*\(downloaded/)
  assert.ok(!fs.existsSync(path.join(storeOf(env), 'goproxy-action')))
})

test('launchers at once do not collide', async (t) => {
  const { dir, env } = runner(t)
  const waiting = []
  const server = await assets(t, { '/goproxy-action.gz': (req, res) => waiting.push(res) === 4 && waiting.forEach((one) => one.end(zipped)) })
  const from = release(dir, server.url)
  const all = await Promise.all([1, 2, 3, 4].map((i) => start('main.mjs', { ...env, GITHUB_STATE: path.join(dir, `state${i}`) }, dir, from).end))
  for (const one of all) assert.deepEqual([one.code, one.out, one.err.includes('not kept')], [0, 'released setup\n', false], one.err)
  assert.deepEqual(fs.readdirSync(storeOf(env)), ['goproxy-action'])
  assert.equal(sum(fs.readFileSync(path.join(storeOf(env), 'goproxy-action'))), sum(program))
})

test('what cannot be downloaded is built, and the reason is said in a line', async (t) => {
  const server = await assets(t, {
    '/403/goproxy-action.gz': (req, res) => res.writeHead(403).end(), '/407/goproxy-action.gz': (req, res) => res.writeHead(407).end(),
    '/html/goproxy-action.gz': (req, res) => res.setHeader('content-type', 'text/html; charset=x').end('<html>'), '/text/goproxy-action.gz': deliver('no'),
    '/loop/goproxy-action.gz': redirect('/loop/goproxy-action.gz'), '/file/goproxy-action.gz': redirect('file:///etc/passwd'), '/odd/goproxy-action.gz': redirect('http://['),
    '/evil/goproxy-action.gz': redirect('x\u001b[31m:::y'), '/cut/goproxy-action.gz': cut, '/wrong/goproxy-action.gz': deliver(zlib.gzipSync(wrong)),
    '/big/goproxy-action.gz': deliver(zlib.gzipSync(Buffer.concat([program, program]))), '/bare/goproxy-action.gz': (req, res) => res.writeHead(302).end()
  })
  for (const [at, want, asked, warned] of [
    ['404', /no download from 127\.0\.0\.1:\d+: the answer is 404\. Building from source/, 1],
    ['403', /the answer is 403/, 1],
    ['407', /the forward proxy wants a name and a password.*\(407\)/, 1],
    ['html', /a web page came in place of the file/, 1],
    ['text', /the answer is no gzip file/, 1],
    ['loop', /more than 5 redirects/, 6],
    ['file', /redirects from http: to file:, which is not followed/, 1],
    ['odd', /redirects from http: to what is no address, which is not followed/, 1],
    ['bare', /redirects from http: to what is no address, which is not followed/, 1],
    ['cut', /Once more \.\.\.\ngoproxy-action: no download/, 2],
    ['wrong', /^/, 1, new RegExp(`^::warning title=goproxy-action::127\\.0\\.0\\.1:\\d+/wrong/goproxy-action\\.gz has the SHA-256 ${sum(wrong)}, and the program of v1\\.2\\.3 has the SHA-256 ${sum(program)}\\. It was not started`)],
    ['big', /^/, 1, new RegExp(`^::warning title=goproxy-action::\\S+ has more than ${program.length} bytes, and the program of v1\\.2\\.3 has the SHA-256 ${sum(program)}`)]
  ]) {
    const { dir, env } = runner(t)
    fakeGo(dir, { version: 'go9.9.8' })
    env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
    const before = server.hits()
    const main = await start('main.mjs', { ...env, 'INPUT_DOWNLOAD-BASE-URL': `${server.url.replace('//', '//ci:hunter2@')}/${at}//` }, dir, release(dir, 'https://release.test')).end
    assert.equal(main.code, 0, `${at}: ${main.out}${main.err}`)
    assert.equal(main.out.replace(/^::.*\n/, ''), 'built setup\n', `${at}: ${main.out}`)
    assert.match(main.err, want, at)
    assert.match(main.err, /\(built with go9\.9\.8, v1\.2\.3\)\n$/)
    assert.equal(server.hits() - before, asked, `${at}: times asked`)
    assert.equal(/^::warning/.test(main.out), Boolean(warned), main.out)
    if (warned) assert.match(main.out, warned)
    assert.doesNotMatch(main.out + main.err, /hunter2/, at)
    assert.ok(!fs.existsSync(path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action/v1.2.3')), `${at}: kept`)
  }
})

test('without an answer, without a binary for the platform and without a release it is built', async (t) => {
  for (const [name, manifest, inputs, want] of [
    ['refused', {}, {}, /127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1\. Once more \.\.\.\n.*no download from 127\.0\.0\.1:1: connect ECONNREFUSED/],
    ['platform', { binaries: {} }, {}, /v1\.2\.3 has no binary for \S+\. Building from source/],
    ['development', null, { 'INPUT_DOWNLOAD-BASE-URL': 'https://release.test' }, /download-base-url has no effect: this checkout of the action is no release/]
  ]) {
    const { dir, env } = runner(t)
    fakeGo(dir)
    env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
    const from = release(dir, 'http://127.0.0.1:1', manifest ?? {})
    if (!manifest) fs.rmSync(path.join(from, 'manifest.json'))
    const main = await start('main.mjs', { ...env, ...inputs }, dir, from).end
    assert.equal(main.code, 0, name + main.out + main.err)
    assert.match(main.err, want, name)
    assert.match(main.out, /^(::notice.*\n)?built setup\n$/)
  }
})

test('a broken manifest and a broken address are said', async (t) => {
  const { dir, env } = runner(t)
  const good = { asset: 'a.gz', sha256: sum(''), size: 1 }
  const from = release(dir, 'https://release.test')
  const file = path.join(from, 'manifest.json')
  const whole = JSON.parse(fs.readFileSync(file, 'utf8'))
  const spoilt = [{ version: '1.2.3' }, { version: 'v1.2.3/../..' }, { version: undefined }, { go: 'x -X y' }, { url: 'file:///x' }, { url: 'https://[' }, { binaries: undefined }, { binaries: { x: null } },
    ...[{ asset: '../a' }, { asset: 'a/b' }, { sha256: 'A'.repeat(64) }, { sha256: '' }, { size: 0 }, { size: '1' }, { size: 1.5 }].map((b) => ({ binaries: { [platform]: { ...good, ...b } } }))]
  for (const text of ['', '[', 'null', '[]', ...spoilt.map((more) => JSON.stringify({ ...whole, ...more }))]) {
    fs.writeFileSync(file, text)
    const main = await start('main.mjs', env, dir, from).end
    assert.equal(main.code, 2, text)
    assert.match(main.out, /^::error title=goproxy-action::\S+manifest\.json is no manifest of a release: .*Use the action by a release's tag or commit, unchanged\..*\n$/, text)
  }
  fs.writeFileSync(file, JSON.stringify(whole))
  for (const base of ['ftp://x', 'release.test', 'https://[']) {
    const main = await start('main.mjs', { ...env, 'INPUT_DOWNLOAD-BASE-URL': base }, dir, from).end
    assert.deepEqual([main.code, main.out], [2, '::error title=goproxy-action::Input download-base-url is no address that can be downloaded from. Write https://host/path.\n'])
  }
})

test('what is built by the flags of the release is kept where its bytes are the release\'s', async (t) => {
  for (const [name, version, bytes, kept, notice] of [
    ['equal', 'go9.9.9', built, true, false],
    ['another go with the same bytes', 'go9.9.10', built, true, false],
    ['the same go with other bytes', 'go9.9.9', 'x', false, true],
    ['another go', 'go9.9.10', 'x', false, false]
  ]) {
    const { dir, env } = runner(t)
    fakeGo(dir, { version })
    env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
    fs.mkdirSync(path.join(dir, 'npm/bin'), { recursive: true })
    fs.mkdirSync(path.join(dir, 'npm/node_modules/@npmcli/config/lib/definitions'), { recursive: true })
    fs.symlinkSync(script(path.join(dir, 'npm/bin/npm-cli.js'), ''), path.join(dir, 'bin/npm'))
    fs.writeFileSync(path.join(dir, 'npm/node_modules/@npmcli/config/lib/definitions/definitions.js'), "x\n  registry: new Definition('registry', {\n    default: 'https://npm.test/',\n")
    const from = release(dir, 'http://127.0.0.1:1', { binaries: { [platform]: { asset: 'a.gz', sha256: sum(bytes), size: bytes.length } } })
    const main = await start('main.mjs', env, dir, from).end
    assert.equal(main.code, 0, main.out + main.err)
    assert.match(main.err, new RegExp(`\\(built with ${version}, v1\\.2\\.3\\)\n$`))
    assert.equal(fs.existsSync(path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action/v1.2.3', sum(bytes), 'goproxy-action')), kept, name)
    assert.equal(/^::notice title=goproxy-action::What was built from source with go9\.9\.9 has the SHA-256 \w{64}, and not the \w{64} of v1\.2\.3\./.test(main.out), notice, main.out)
    const flags = fs.readFileSync(path.join(dir, 'flags'), 'utf8').trim().split('\n')
    assert.deepEqual(flags.slice(0, 5), ['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w -X main.version=v1.2.3 -X main.officialGo=https://good.test -X main.officialNPM=https://npm.test'])
    fs.rmSync(path.join(from, 'manifest.json'))
    fs.rmSync(path.join(dir, 'bin/npm'))
    script(path.join(dir, 'bin/npm'), '') // a version manager's stand-in
    fs.writeFileSync(path.join(dir, 'goroot/go.env'), '')
    fs.mkdirSync(path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action/mod/x')) // or nobody is asked
    fakeGo(dir, { version, offline: 'true' }, fs.rmSync(path.join(dir, 'goroot'), { recursive: true }))
    fs.rmSync(path.join(dir, 'goroot/go.env'))
    assert.equal((await start('main.mjs', env, dir, from).end).code, 0)
    assert.equal(fs.readFileSync(path.join(dir, 'flags'), 'utf8').split('\n')[4], '-s -w -X main.officialGo= -X main.officialNPM=')
  }
})

test('a given address is downloaded, and judged by the digest', async (t) => {
  const { dir, env } = runner(t)
  const other = await assets(t, { '/tool': deliver(program) })
  const server = await assets(t, { '/tool': deliver(program), '/sub/moved': redirect('/tool?token=hunter2'), '/away': redirect(() => `${other.url}/tool`), '/halfway': redirect(() => `${server.url}/away`) })
  const at = (name) => server.url.replace('//', '//ci:hunter2@') + name
  for (const name of ['/tool', '/sub/moved', '/away', '/halfway']) {
    const main = await start('main.mjs', { ...env, INPUT_BINARY: at(name), 'INPUT_BINARY-SHA256': sum(program) }, dir).end
    assert.deepEqual([main.code, main.out], [0, 'released setup\n'], name + main.err)
    assert.match(main.err, /^goproxy-action: ready in \d+ ms \(given, from 127\.0\.0\.1:\d+\)\n$/)
  }
  assert.ok(server.seen.every((line) => line.endsWith(' Basic Y2k6aHVudGVyMg==')), server.seen.join())
  assert.deepEqual(other.seen, ['GET /tool -', 'GET /tool -'], 'the name and password went to another host')
  fs.rmSync(env.RUNNER_TEMP, { recursive: true })
  fs.mkdirSync(env.RUNNER_TEMP)
  for (const [name, digest, code, want] of [
    ['/tool', sum(wrong), 4, new RegExp(`::Input binary: \\S+/tool has the SHA-256 ${sum(program)}, and binary-sha256 is ${sum(wrong)}\\. It was not started\\.`)],
    ['/none', sum(program), 3, /::Input binary: \S+\/none was not downloaded: the answer is 404\. Let the runner reach it, or name a file/],
    ['/none?token=hunter2', sum(program), 3, /the answer is 404/]
  ]) {
    const main = await start('main.mjs', { ...env, INPUT_BINARY: at(name), 'INPUT_BINARY-SHA256': digest }, dir).end
    assert.equal(main.code, code, main.out)
    assert.match(main.out, want)
    assert.doesNotMatch(main.out + main.err, /hunter2/)
    assert.deepEqual(fs.readdirSync(env.RUNNER_TEMP), [])
  }
})

test('a signal while downloading ends the step, and leaves nothing behind', async (t) => {
  const { dir, env } = runner(t)
  let arrived
  const asked = new Promise((resolve) => (arrived = resolve))
  const server = await assets(t, { '/goproxy-action.gz': (req, res) => res.write(zipped.subarray(0, 100000), arrived) })
  const main = start('main.mjs', env, dir, release(dir, server.url))
  await Promise.race([asked, main.end])
  main.child.kill('SIGTERM')
  await main.end
  assert.deepEqual([main.code, main.out], [143, ''], main.err)
  assert.deepEqual(fs.readdirSync(env.RUNNER_TEMP), [])
})

test('a slow download tells how far it is', async (t) => {
  const { dir, env } = runner(t)
  const server = await assets(t, { '/goproxy-action.gz': (req, res) => {
    res.writeHead(200, { 'content-length': zipped.length })
    res.write(zipped.subarray(0, 200000))
    main.child.stderr.once('data', () => res.end(zipped.subarray(200000))) // not before a line of progress was read
  } })
  const main = start('main.mjs', env, dir, release(dir, server.url))
  await main.end
  assert.match(main.err, /^goproxy-action: \d\.\d MB from 127\.0\.0\.1:\d+ so far \.\.\.\n[^]*\(downloaded/)
})

/** fetched downloads into a directory, and resolves to the digest or the reason. */
async function fetched(dir, env, url, { want = { size: program.length, zipped: true }, limits = {} } = {}) {
  const file = path.join(dir, 'fetched')
  try {
    const got = await download({ GITHUB_WORKSPACE: path.join(dir, 'workspace'), ...env }, new URL(url), file, want, { connect: 4000, silence: 4000, whole: 20000, ...limits })
    assert.equal(sum(fs.readFileSync(file)), got)
    return got
  } catch (err) {
    assert.ok(!fs.existsSync(file), 'a part is left')
    return err.message
  } finally {
    fs.rmSync(file, { force: true })
  }
}

test('a download ends in time, is tried once more, and is bounded', async (t) => {
  const { dir } = runner(t)
  let times = 0
  const first = (bad, good = deliver()) => (req, res) => (times++ === 0 ? bad : good)(req, res)
  const bomb = zlib.gzipSync(Buffer.alloc(200 << 20))
  let [sent, closed] = [0]
  const server = await assets(t, {
    '/cut': first(cut), '/503': first((req, res) => res.writeHead(503).end()), '/reset': first((req) => req.socket.destroy()), '/quiet': first(() => {}),
    '/silent': () => {}, '/stalled': (req, res) => res.write(zipped.subarray(0, 1000)), '/bomb': deliver(bomb), '/endless': (req, res) => {
      const more = () => !res.destroyed && res.write(Buffer.alloc(1 << 16, Buffer.from([0x1f, 0x8b])), () => ((sent += 1 << 16), setImmediate(more)))
      more()
    },
    '/drip': (req, res) => {
      const drop = (i) => !res.destroyed && res.write(zipped.subarray(i, i + 1), () => setTimeout(drop, 20, i + 1))
      drop(0)
    },
    '/open': (req, res) => (res.writeHead(404).write('x'), (closed = once(res, 'close'))),
    '/encoded': (req, res) => res.setHeader('content-encoding', 'gzip').end(zipped)
  })
  for (const name of ['/cut', '/503', '/reset']) {
    times = 0
    assert.equal(await fetched(dir, {}, server.url + name), sum(program), name)
    assert.equal(times, 2, name)
  }
  times = 0
  assert.equal(await fetched(dir, {}, `${server.url}/quiet`, { limits: { silence: 300 } }), sum(program))
  assert.equal(await fetched(dir, {}, `${server.url}/encoded`), sum(program), 'some servers name the file\'s own gzip')
  for (const [name, want, times, limits] of [
    ['/silent', /^no answer from 127\.0\.0\.1:\d+ within 0\.2 s$/, 2, { silence: 200 }],
    ['/stalled', /^no further byte within 0\.2 s$/, 2, { silence: 200 }],
    ['/drip', /^not done within 0\.6 s$/, 1, { silence: 200, whole: 600 }],
    ['/bomb', new RegExp(`^more than ${program.length} bytes$`), 1],
    ['/endless', /^more than \d+ bytes$|^the answer is no gzip file$/, 1]
  ]) {
    const before = server.hits()
    assert.match(await fetched(dir, {}, server.url + name, { limits }), want, name)
    assert.equal(server.hits() - before, times, name)
  }
  assert.equal(await fetched(dir, {}, `${server.url}/open`), 'the answer is 404')
  await closed // or the step would wait for a server that never ends
  assert.match(await fetched(dir, {}, `${server.url}/endless`, { want: { size: 1 << 20 } }), /^more than 1048576 bytes$/)
  assert.ok(sent < 64 << 20, `${sent} bytes were taken`)
  const deaf = net.createServer(() => {}).listen(0, '127.0.0.1')
  await once(deaf, 'listening')
  t.after(() => deaf.close())
  assert.match(await fetched(dir, {}, `https://127.0.0.1:${deaf.address().port}`, { limits: { connect: 200 } }), /^no connection to 127\.0\.0\.1:\d+ within 0\.2 s$/)
})

test('TLS is judged by the runner\'s authorities, and by none of the checkout\'s', async (t) => {
  const { dir, env } = runner(t)
  const cert = certificate(dir)
  const plainly = await assets(t, { '/f': deliver() })
  const server = await assets(t, { '/f': deliver(), '/down': redirect(() => `${plainly.url}/f`) }, cert)
  const up = await assets(t, { '/up': redirect(() => `${server.url}/f`) })
  const inside = path.join(env.GITHUB_WORKSPACE, 'ca.pem')
  fs.copyFileSync(cert.file, inside)
  const link = path.join(dir, 'link.pem')
  fs.symlinkSync(inside, link)
  const distrusted = /self[- ]signed certificate/
  for (const ca of [{}, { SSL_CERT_FILE: inside }, { SSL_CERT_FILE: link }, { NODE_EXTRA_CA_CERTS: inside }, { SSL_CERT_FILE: '/none' }, { SSL_CERT_FILE: dir }, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }]) {
    assert.match(await fetched(dir, ca, `${server.url}/f`), distrusted, JSON.stringify(ca))
  }
  for (const ca of [{ SSL_CERT_FILE: cert.file }, { NODE_EXTRA_CA_CERTS: cert.file }]) {
    assert.equal(await fetched(dir, ca, `${server.url}/f`), sum(program), JSON.stringify(ca))
    assert.equal(await fetched(dir, ca, `${up.url}/up`), sum(program))
    assert.match(await fetched(dir, ca, `${server.url}/down`), /redirects from https: to http:, which is not followed/)
  }
  assert.match(await fetched(dir, { SSL_CERT_FILE: cert.file }, `https://localhost:${server.port}/f`), /Hostname\/IP does not match certificate's altnames/)
  assert.equal(plainly.hits(), 0)
})

test('a forward proxy is asked with its password, over http and https', async (t) => {
  const { dir } = runner(t)
  const cert = certificate(dir)
  const ca = { SSL_CERT_FILE: cert.file }
  const secure = await assets(t, { '/f': deliver(), '/away': redirect('https://other.test/f') }, cert)
  const open = await assets(t, { '/f': deliver() })
  const hosts = { 'release.test:443': secure.port, 'other.test:443': secure.port, 'release.test': open.port }
  const proxy = await forward(t, { hosts })
  const safe = await forward(t, { hosts, tls: cert })
  const at = (p, login = p.login, scheme = 'http') => `${scheme}://${login}@127.0.0.1:${p.port}`
  for (const [name, env, url, want, seen] of [
    ['CONNECT', { HTTPS_PROXY: at(proxy) }, 'https://release.test/f', sum(program), ['CONNECT release.test:443']],
    ['lower case first', { HTTPS_PROXY: 'http://none.test', https_proxy: at(proxy) }, 'https://release.test/f', sum(program), ['CONNECT release.test:443']],
    ['no scheme', { https_proxy: at(proxy).slice(7) }, 'https://release.test/f', sum(program), ['CONNECT release.test:443']],
    ['the input first', { https_proxy: 'http://none.test', 'INPUT_HTTPS-PROXY': at(proxy) }, 'https://release.test/f', sum(program), ['CONNECT release.test:443']],
    ['a redirect is another tunnel', { HTTPS_PROXY: at(proxy) }, 'https://release.test/away', sum(program), ['CONNECT release.test:443', 'CONNECT other.test:443']],
    ['plain http', { HTTP_PROXY: at(proxy), HTTPS_PROXY: 'http://none.test' }, 'http://release.test/f', sum(program), ['GET http://release.test/f']],
    ['input for http', { 'INPUT_HTTP-PROXY': at(proxy) }, 'http://release.test/f', sum(program), ['GET http://release.test/f']],
    ['over TLS', { HTTPS_PROXY: at(safe, safe.login, 'https') }, 'https://release.test/f', sum(program), ['CONNECT release.test:443']],
    ['plain http over TLS', { HTTP_PROXY: at(safe, safe.login, 'https') }, 'http://release.test/f', sum(program), ['GET http://release.test/f']],
    ['wrong password', { HTTPS_PROXY: at(proxy, 'ci:hunter2') }, 'https://release.test/f', /^the forward proxy wants a name and a password, or others than it got \(407\)$/, ['CONNECT release.test:443']],
    ['wrong password, plain http', { HTTP_PROXY: at(proxy, 'ci:hunter2') }, 'http://release.test/f', /^the forward proxy wants.*\(407\)$/, ['GET http://release.test/f']],
    ['the proxy cannot', { HTTPS_PROXY: at(proxy) }, 'https://unknown.test/f', /^the forward proxy 127\.0\.0\.1:\d+ answers 503$/, ['CONNECT unknown.test:443', 'CONNECT unknown.test:443']],
    ['another scheme', { HTTPS_PROXY: 'socks5://ci:hunter2@x' }, 'https://release.test/f', /^the forward proxy is no http:\/\/ or https:\/\/ address/, []],
    ['a raw sign in the password', { HTTPS_PROXY: 'http://ci:hunter2/x@127.0.0.1:1' }, 'https://release.test/f', /^the forward proxy is no http/, []],
    ['loopback', { HTTP_PROXY: at(proxy) }, `${open.url}/f`, sum(program), []]
  ]) {
    for (const p of [proxy, safe]) p.seen.length = 0
    const got = await fetched(dir, { ...ca, ...env }, url)
    if (want instanceof RegExp) assert.match(got, want, name)
    else assert.equal(got, want, name)
    assert.deepEqual([...proxy.seen, ...safe.seen], seen, name)
    assert.doesNotMatch(got, /hunter2/, name)
  }
  assert.ok([...secure.seen, ...open.seen].every((line) => line.endsWith(' -')), 'a server got a password')
})

test('a forward proxy that says no and never hangs up does not hold the step', async (t) => {
  const { dir, env } = runner(t)
  const proxy = await forward(t)
  fakeGo(dir)
  Object.assign(env, { PATH: `${path.join(dir, 'bin')}:/usr/bin:/bin`, HTTPS_PROXY: `http://ci:hunter2@127.0.0.1:${proxy.port}` })
  const main = await start('main.mjs', env, dir, release(dir, 'https://release.test')).end
  assert.equal(main.code, 0, main.err)
  assert.match(main.err, /no download from release\.test: the forward proxy wants a name and a password, or others than it got \(407\)\. Building from source \.\.\.\n/)
  assert.doesNotMatch(main.err + main.out, /hunter2/)
})

test('NO_PROXY is read as go reads it', () => {
  const through = (no, url, more = {}) => Boolean(proxyFor({ HTTPS_PROXY: 'http://p.test', HTTP_PROXY: 'http://p.test', NO_PROXY: no, ...more }, new URL(url)))
  for (const [no, url, want] of [
    ['', 'https://example.test', true], ['example.test', 'https://example.test', false], ['example.test', 'https://sub.example.test', false], ['.example.test', 'https://sub.example.test', false],
    ['.example.test', 'https://example.test', true], ['*.example.test', 'https://sub.example.test', false], ['*.example.test', 'https://example.test', true], ['*', 'https://any.test', false],
    ['example.*', 'https://example.test', true], ['example.test', 'https://notexample.test', true], ['example.test:8080', 'https://example.test:8080', false],
    ['example.test:8080', 'https://example.test:8081', true], ['example.test:443', 'https://example.test', false], ['example.test:80', 'http://example.test', false],
    ['example.test', 'https://example.test:8080', false], ['10.1.2.3', 'https://10.1.2.3', false], ['10.0.0.0/8', 'https://10.1.2.3', false], ['10.0.0.0/8', 'https://11.1.2.3', true],
    ['10.0.0.0/33', 'https://10.1.2.3', true], ['0.0.0.0/0', 'https://10.1.2.3', false], ['10.0.0.0/8', 'https://example.test', true], ['10.1.2.*', 'https://10.1.2.3', true],
    ['10.1.2.3:8080', 'https://10.1.2.3:8080', false], ['10.1.2.3:8080', 'https://10.1.2.3', true], ['fd00::1', 'https://[fd00::1]', false], ['[fd00::1]', 'https://[fd00::1]', false],
    ['[fd00::1]:8080', 'https://[fd00::1]:8080', false], ['[fd00::1]:8080', 'https://[fd00::1]', true], ['fd00::/8', 'https://[fd00::1]', false], ['fd00::/8', 'https://[fe80::1]', true],
    ['fd00::/8', 'https://10.1.2.3', true], ['EXAMPLE.TEST', 'https://example.test', false], ['a.test, example.test', 'https://EXAMPLE.test', false], ['a.test;example.test', 'https://example.test', true],
    ['/8', 'https://10.1.2.3', true], [':443', 'https://example.test', true], [',,', 'https://example.test', true], ['', 'https://localhost', false], ['', 'http://127.0.0.2:1', false],
    ['', 'https://[::1]', false], ['', 'https://0.0.0.0', true], ['', 'https://localhost.test', true]
  ]) assert.equal(through(no, url), want, `${no} -> ${url}`)
  assert.equal(through('', 'https://a.test', { no_proxy: 'a.test' }), false)
  assert.equal(through('b.test', 'https://b.test', { no_proxy: 'a.test' }), false, 'both spellings count')
  assert.equal(through('b.test', 'https://b.test', { 'INPUT_NO-PROXY': 'a.test' }), false, 'the input adds')
  assert.equal(through('', 'https://a.test', { 'INPUT_NO-PROXY': 'a.test' }), false)
})
