import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { goEnv, older, plain, probe, trustedPath } from './launch.mjs'

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

function start(name, env, cwd) {
  const child = spawn(process.execPath, [path.join(here, name)], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
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
  const { dir, env } = runner(t, { INPUT_BINARY: 'tool', INPUT_MODE: '', 'INPUT_HTTPS-PROXY': ' ', INPUT_PROBE: 'all' })
  script(path.join(env.GITHUB_WORKSPACE, 'tool'), 'echo "ran $0 $*"; env | grep ^INPUT_ | sort; [ "$1" = restore ] || exit 3')
  const main = await start('main.mjs', env).end
  assert.equal(main.code, 3, main.err)
  assert.match(main.err, /^goproxy-action: ready in \d+ ms \(given\)\n$/)
  const copy = state(env)
  assert.ok(copy.startsWith(path.join(dir, 'temp', 'goproxy-action-')), copy)
  assert.equal(main.out, `ran ${copy} setup\nINPUT_BINARY=tool\nINPUT_PROBE=all\n`)
  assert.equal(fs.statSync(path.dirname(copy)).mode & 0o777, 0o700)
  script(path.join(env.GITHUB_WORKSPACE, 'tool'), 'echo changed') // the job may; the copy stays
  const post = await start('post.mjs', { ...env, STATE_binary: copy }).end
  assert.equal(post.code, 0, post.err)
  assert.match(post.out, /^ran .* restore\n/)
  assert.ok(!fs.existsSync(path.dirname(copy)), 'the copy is left behind')
})

test('the state is saved before the binary runs', async (t) => {
  const { env } = runner(t)
  const binary = script(path.join(env.GITHUB_WORKSPACE, 'tool'), 'cat "$GITHUB_STATE"; kill -9 $$')
  const main = await start('main.mjs', { ...env, INPUT_BINARY: binary }).end
  assert.equal(main.code, 137)
  assert.match(main.out, /^binary<<end_/)
})

for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]]) {
  test(`${signal} reaches the binary, whose answer counts`, async (t) => {
    const { env } = runner(t)
    const binary = script(path.join(env.GITHUB_WORKSPACE, 'tool'), `trap 'echo caught; exit ${40 + number}' ${number}; echo up; while :; do sleep 0.05; done`)
    const main = start('main.mjs', { ...env, INPUT_BINARY: binary })
    await once(main.child.stdout, 'data')
    main.child.kill(signal)
    await main.end
    assert.deepEqual([main.code, main.out], [40 + number, 'up\ncaught\n'])
  })
}

test('what can go wrong with a given binary is said', async (t) => {
  const { dir, env } = runner(t)
  for (const [more, code, want] of [
    [{ INPUT_BINARY: 'none' }, 2, `Input binary: ${env.GITHUB_WORKSPACE}/none does not exist. Name a file that an earlier step has put there.`],
    [{ INPUT_BINARY: '.' }, 2, `Input binary: ${env.GITHUB_WORKSPACE} is no regular file. Name a file that an earlier step has put there.`],
    [{ INPUT_BINARY: 'none', GITHUB_WORKSPACE: '' }, 2, 'Input binary: none is relative, and GITHUB_WORKSPACE is not set. Give an absolute path.'],
    [{ INPUT_BINARY: script(path.join(dir, 'a'), ''), GITHUB_STATE: '' }, 2, 'GITHUB_STATE is not set. This script is for GitHub Actions; in a terminal run: goproxy-action setup']
  ]) {
    const main = await start('main.mjs', { ...env, ...more }).end
    assert.deepEqual([main.code, main.out], [code, `::error title=goproxy-action::${want}\n`])
  }
  fs.writeFileSync(path.join(dir, 'text'), '\x7fELF')
  const main = await start('main.mjs', { ...env, INPUT_BINARY: path.join(dir, 'text') }).end
  assert.equal(main.code, 2)
  assert.match(main.out, /cannot be started \(it is no program\)\. Give a binary for /)
})

test('post without a binary says so, and without the file fails', async (t) => {
  const { env } = runner(t)
  const none = await start('post.mjs', env).end
  assert.deepEqual([none.code, none.out, none.err], [0, '', 'goproxy-action: nothing to take back: the first step ended before it had a binary\n'])
  const gone = await start('post.mjs', { ...env, STATE_binary: '/none/such' }).end
  assert.deepEqual([gone.code, gone.out], [2, '::error title=goproxy-action::/none/such is gone, so nothing was taken back. Keep RUNNER_TEMP until the job has ended.\n'])
})

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
build) mkdir -p "$GOMODCACHE"
  if [ "$GOPROXY" = off ] && ! ${offline}; then echo "x: module lookup disabled by GOPROXY=off" >&2; exit 1; fi
  ${fails}
  while [ "$1" != -o ]; do shift; done; printf '#!/bin/sh\\necho built $1\\n' > $2; chmod 755 $2;;
esac`)
  fs.mkdirSync(path.join(dir, 'goroot'))
  fs.writeFileSync(path.join(dir, 'goroot', 'go.env'), '# comment\nGOPROXY=https://good.test,direct\nGOSUMDB=x\n')
  return () => fs.readFileSync(path.join(dir, 'calls'), 'utf8').trim().split('\n')
}

test('the binary is built once, from sources that answer, with no setting of the runner', async (t) => {
  const { dir, env } = runner(t, {
    GOPROXY: 'https://ci:hunter2@dead.test|https://good.test/2/,https://captive.test,direct', GOFLAGS: '-mod=mod', GOPRIVATE: '*', GOTOOLEXEC: 'evil', INPUT_TOKEN: 'hunter2',
    'INPUT_HTTPS-PROXY': 'http://proxy.test:1'
  })
  const calls = fakeGo(dir)
  env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
  const first = await start('main.mjs', env).end
  assert.deepEqual([first.code, first.out], [0, 'built setup\n'], first.err)
  assert.match(first.err, /^goproxy-action: building from source with go9\.9\.9, once per runner \.\.\.\ngoproxy-action: ready in \d+ ms \(built\)\n$/)
  const build = calls().filter((c) => c.startsWith('build'))
  assert.deepEqual(build, ['build https://good.test,https://good.test/2|-mod=readonly -modcacherw|off|off|local|off||http://proxy.test:1'])
  assert.equal(calls().filter((c) => c.startsWith('list')).length, 7) // the toolchain's, three of the runner's, three mirrors
  const second = await start('main.mjs', env).end
  assert.match(second.err, /^goproxy-action: ready in \d+ ms \(kept from an earlier run\)\n$/)
  assert.equal(second.out, 'built setup\n')

  // what others could have written is not taken, and its caches are not used
  const store = path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action')
  const kept = path.join(store, 'bin', fs.readdirSync(path.join(store, 'bin'))[0])
  fs.chmodSync(path.join(kept, 'goproxy-action'), 0o777)
  assert.match((await start('main.mjs', env).end).err, /\(built\)\n$/)
  fs.chmodSync(store, 0o777)
  assert.match((await start('main.mjs', env).end).err, /\(built\)\n$/)
})

test('a kept binary is taken only where every directory is ours and none is a link', async (t) => {
  for (const [name, swap] of [
    ['goproxy-action', ''], ['bin', 'bin'], ['the store', 'bin/*'], ['the binary', 'bin/*/goproxy-action'], ['the module cache', 'mod'], ['the build cache', 'build']
  ]) {
    const { dir, env } = runner(t)
    fakeGo(dir)
    env.PATH = `${path.join(dir, 'bin')}:/usr/bin:/bin`
    assert.match((await start('main.mjs', env).end).err, /\(built\)\n$/)
    assert.match((await start('main.mjs', env).end).err, /\(kept from an earlier run\)\n$/, name)
    const store = path.join(env.RUNNER_TOOL_CACHE, 'goproxy-action')
    const [digest] = fs.readdirSync(path.join(store, 'bin'))
    const file = path.join(store, swap.replace('*', digest))
    // the same tree elsewhere, with the right owner and modes; where the binary is in it, it is another program
    const other = path.join(dir, 'other')
    fs.cpSync(file, other, { recursive: true })
    const evil = path.relative(file, path.join(store, 'bin', digest, 'goproxy-action'))
    if (!evil.startsWith('..')) script(path.join(other, evil), 'echo evil')
    fs.rmSync(file, { recursive: true })
    fs.symlinkSync(other, file)
    const content = () => fs.readdirSync(dir, { recursive: true }).filter((f) => f.startsWith('other')).sort()
    const before = content()
    const main = await start('main.mjs', env).end
    assert.deepEqual([main.code, main.out], [0, 'built setup\n'], `${name}: ${main.err}`)
    assert.match(main.err, /\(built\)\n$/, name)
    assert.deepEqual(content(), before, `${name}: written through the link`)
    if (swap.startsWith('bin/')) assert.match(main.err, /the binary is not kept for later runs: /, name)
    assert.deepEqual(fs.readdirSync(path.join(store, 'bin')).filter((f) => f !== digest), [], `${name}: half a store is left`)
  }
})

test('nothing is kept in the workspace, where the checkout could have put it', async (t) => {
  const { dir, env } = runner(t)
  fakeGo(dir)
  Object.assign(env, { PATH: `${path.join(dir, 'bin')}:/usr/bin:/bin`, RUNNER_TOOL_CACHE: path.join(env.GITHUB_WORKSPACE, 'tools') })
  for (let i = 0; i < 2; i++) assert.match((await start('main.mjs', env).end).err, /\(built\)\n$/)
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
    'INPUT_HTTPS-PROXY', 'STATE_binary', 'MY_SECRET', 'SECRETS_FILE', 'DB_PASSWORD', 'DB_PASSWD', 'AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID', 'SIGNING_KEY', 'GH_PAT', 'GITHUB_ENV', 'GITHUB_OUTPUT',
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
    [{ version: 'go1.20.1' }, {}, 2, /with go 1\.26\.0 or newer, and the go on the PATH is go1\.20\.1\. Put actions\/setup-go with go-version '1\.26\.0'/],
    [{ fails: 'echo "get https://ci:hunter2@a.test/x: 100%" >&2; echo "::warning::x" >&2; exit 1' }, {}, 2,
      /cannot be built from source:%0Aget https:\/\/\*\*\*@a\.test\/x: 100%25%0A::warning::x%0AOr give the action a ready binary/],
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

/** server is a module proxy and a forward proxy with a password in one. */
async function server(t, mod = 'module github.com/google/uuid\n') {
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
  const good = await server(t)
  const other = await server(t, 'module github.com/google/other\n')
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

test('versions and texts', () => {
  for (const [have, want, is] of [['go1.26.8', '1.26.0', false], ['go1.26', '1.26.0', false], ['go1.25.9', '1.26.0', true], ['go1.9', '1.26', true],
    ['go1.27rc1', '1.26.0', false], ['devel go1.27-abc', '1.26.0', false], ['go2.0.0', '1.26.0', false], ['', '1.26.0', true], ['go1.26.0 X:x', '1.26.1', true]]) {
    assert.equal(older(have, want), is, `${have} < ${want}`)
  }
  assert.equal(plain('a https://u:p@h/@v HTTP://tok@h\x1b[31m\nb'), 'a https://***@h/@v HTTP://***@h?[31m\nb')
})

test('all of it stays small and without dependencies', () => {
  const files = ['launch.mjs', 'main.mjs', 'post.mjs'].map((f) => fs.readFileSync(path.join(here, f), 'utf8'))
  assert.ok(files.join('').split('\n').length <= 330)
  for (const [, from] of files.join('').matchAll(/from '([^']+)'/g)) assert.match(from, /^(node:|\.\/launch\.mjs$)/)
  const yaml = fs.readFileSync(path.join(action, 'action.yml'), 'utf8')
  assert.match(yaml, /main: cmd\/launcher\/main\.mjs\n  post: cmd\/launcher\/post\.mjs\n  post-if: always\(\)/)
})
