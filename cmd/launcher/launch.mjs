// What main.mjs and post.mjs share: finding or building the binary, and starting it. Node 20 or newer, no dependencies.
import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const exe = process.platform === 'win32' ? '.exe' : ''
const program = `goproxy-action${exe}`
const source = fileURLToPath(new URL('../..', import.meta.url)) // the action's own checkout
const wayOut = 'Or give the action a ready binary (input binary), or a forward proxy (input https-proxy).'

/** Stop ends the step with an exit code of internal/problem and a message that says what to do. */
export class Stop extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

/** step runs one step of the action: its errors become one annotation, its result the exit code. */
export async function step(work) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(signal))
  try {
    process.exitCode = await work(process.env)
  } catch (err) {
    const text = plain(err instanceof Stop ? err.message : `the launcher failed: ${err.message}`)
    // one escaped line: what a stranger's server said cannot become a workflow command of its own
    console.log(`::error title=goproxy-action::${text.replace(/%/g, '%25').replace(/\n/g, '%0A')}`)
    process.exitCode = err.code > 0 ? err.code : 70
  }
}

export const say = (text) => console.error(`goproxy-action: ${plain(text)}`)

/** plain makes a text fit for a log: no names and passwords in addresses, no control characters but line ends. */
export const plain = (text) => text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s"'<>]*@/gi, '$1***@').replace(/[\0-\x08\x0b-\x1f\x7f]/g, '?')

const children = new Set()
let signalled

/** stop passes a signal on; who waits for the child ends with it. Without a child there is nothing to wait for. */
function stop(signal) {
  signalled = signal
  if (children.size === 0) process.exit(128 + os.constants.signals[signal])
  for (const child of children) child.kill(signal)
}

/** started resolves to {code, signal, error} of a child when it has ended and its output is read. */
function started(child) {
  children.add(child)
  return new Promise((resolve) => {
    const end = (result) => children.delete(child) && resolve(result)
    child.on('error', (error) => end({ error }))
    child.on('close', (code, signal) => end({ code, signal }))
  })
}

/** run starts the binary with our streams and resolves to its exit code. An empty input is no variable for it. */
export async function run(binary, args, env) {
  env = Object.fromEntries(Object.entries(env).filter(([name, value]) => !/^INPUT_/i.test(name) || value.trim()))
  const { code, signal, error } = await started(spawn(binary, args, { stdio: 'inherit', env }))
  if (error || code === 126 || code === 127) { // libuv hands what is no program to the shell, which ends so
    throw new Stop(2, `${binary} cannot be started (${error?.code ?? 'it is no program'}). Give a binary for ${process.platform} ${process.arch}.`)
  }
  return signal ? 128 + os.constants.signals[signal] : code
}

/** ask runs the go that env, made by goEnv, has on its PATH, and resolves to {ok, out, err}; after limit ms it is killed. */
async function ask(args, env, cwd, limit = 0) {
  const go = env.PATH.split(path.delimiter).map((dir) => path.join(dir, `go${exe}`)).find(runnable)
  if (!go) throw new Stop(2, `The action is built from source, and there is no go on the PATH outside the workspace. Put actions/setup-go before this step. ${wayOut}`)
  const child = spawn(go, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const text = { out: '', err: '' }
  child.stdout?.on('data', (data) => (text.out = (text.out + data).slice(-65536)))
  child.stderr?.on('data', (data) => (text.err = (text.err + data).slice(-4096)))
  const timer = limit && setTimeout(() => child.kill('SIGKILL'), limit)
  const { code, signal, error } = await started(child)
  clearTimeout(timer)
  if (signalled) process.exit(128 + os.constants.signals[signalled])
  if (signal === 'SIGKILL') text.err = `no answer within ${limit / 1000} s`
  return { ok: code === 0, out: text.out.trim(), err: text.err.trim() || error?.message || '' }
}

function runnable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}

/**
 * foreign tells whether a path leads into the workspace, by its name or where its links end: what lies there is the
 * checkout's, and may be a stranger's. Directories are compared by identity, so that no other spelling gets past. What
 * cannot be looked at is foreign.
 */
function foreign(env, file) {
  const id = (name) => {
    const stat = fs.statSync(name, { bigint: true, throwIfNoEntry: false })
    return stat?.ino ? `${stat.dev} ${stat.ino}` : name // a file system without inodes has but names
  }
  try {
    const workspace = env.GITHUB_WORKSPACE && id(path.resolve(env.GITHUB_WORKSPACE))
    const under = (name) => id(name) === workspace || (path.dirname(name) !== name && under(path.dirname(name)))
    return Boolean(workspace) && [path.resolve(file), fs.realpathSync.native(file)].some(under) // the other realpath drops x/.. unread
  } catch {
    return true
  }
}

/** trustedPath is the PATH without relative directories and those that, or whose go or git, lead into the workspace. */
export function trustedPath(env) {
  const leads = (dir) => foreign(env, dir) || [`go${exe}`, `git${exe}`].map((name) => path.join(dir, name)).some((file) => fs.existsSync(file) && foreign(env, file))
  const dirs = (env.PATH ?? '').split(path.delimiter).filter((dir) => path.isAbsolute(dir) && fs.existsSync(dir) && !leads(dir))
  // by their real names, so that a link is followed once; a name with a delimiter in it would be two
  return [...new Set(dirs.map((dir) => fs.realpathSync.native(dir)))].filter((dir) => !dir.includes(path.delimiter)).join(path.delimiter)
}

/** saveState keeps a value for post.mjs. The delimiter is random, so that no value can add another one. */
export function saveState(env, name, value) {
  if (!env.GITHUB_STATE) throw new Stop(2, 'GITHUB_STATE is not set. This script is for GitHub Actions; in a terminal run: goproxy-action setup')
  const end = `end_${randomUUID()}`
  if (value.includes(end)) throw new Stop(70, 'the value of a state holds its delimiter')
  fs.appendFileSync(env.GITHUB_STATE, `${name}<<${end}\n${value}\n${end}\n`)
}

/** find resolves to the path of a binary in a directory that is this step's own. */
export async function find(env) {
  const begin = Date.now()
  const own = fs.mkdtempSync(path.join(env.RUNNER_TEMP || os.tmpdir(), 'goproxy-action-')) // 0700
  const target = path.join(own, program)
  const given = (env.INPUT_BINARY ?? '').trim()
  try {
    const how = given ? copyGiven(env, given, target) : await build(env, own, target)
    say(`ready in ${Date.now() - begin} ms (${how})`)
    return target
  } catch (err) {
    fs.rmSync(own, { recursive: true, force: true })
    throw err
  }
}

/** copyGiven copies what the input names: the file may change while the job runs, the copy does not. */
function copyGiven(env, given, target) {
  if (!path.isAbsolute(given) && !env.GITHUB_WORKSPACE) throw new Stop(2, `Input binary: ${given} is relative, and GITHUB_WORKSPACE is not set. Give an absolute path.`)
  const file = path.resolve(env.GITHUB_WORKSPACE || '/', given)
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  if (!stat?.isFile()) throw new Stop(2, `Input binary: ${file} ${stat ? 'is no regular file' : 'does not exist'}. Name a file that an earlier step has put there.`)
  copy(file, target)
  return 'given'
}

function copy(from, to) {
  fs.copyFileSync(from, to)
  fs.chmodSync(to, 0o700)
}

/** build makes target from the action's source, or takes what an earlier run on this machine has made of the same. */
async function build(env, own, target) {
  const cache = path.resolve(env.RUNNER_TOOL_CACHE || env.RUNNER_TEMP || os.tmpdir(), 'goproxy-action')
  const kept = rooms(env, cache) ? cache : own // others could write there, and what lies there becomes our program
  const go = goEnv(env, kept)
  const asked = await ask(['env', 'GOVERSION', 'GOROOT'], go, own)
  const [version = '', root = ''] = asked.out.split(/\r?\n/)
  const wanted = /^go (\S+)/m.exec(fs.readFileSync(path.join(source, 'go.mod'), 'utf8'))[1]
  if (!asked.ok || older(version, wanted)) {
    throw new Stop(2, `The action is built from source with go ${wanted} or newer, and the go on the PATH ${asked.ok ? `is ${version}` : `does not work: ${asked.err}`}. ` +
      `Put actions/setup-go with go-version '${wanted}' before this step. ${wayOut}`)
  }
  const store = path.join(kept, 'bin', digest(version))
  const built = path.join(store, program)
  if (mine(store) && take(built, target)) return 'kept from an earlier run'
  say(`building from source with ${version}, once per runner ...`)
  const compile = (GOPROXY) => ask(['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', target, './cmd/goproxy-action'], { ...go, GOPROXY }, source)
  let made = { err: 'GOPROXY=off' }
  if (fs.existsSync(go.GOMODCACHE) && fs.readdirSync(go.GOMODCACHE).length > 0) made = await compile('off') // all modules may be here already
  if (!made.ok && made.err.includes('GOPROXY=off')) made = await compile(await sources(env, go, own, root))
  if (!made.ok) throw new Stop(2, `The action cannot be built from source:\n${made.err}\n${wayOut}`)
  if (kept !== own) keep(target, store)
  return 'built'
}

/** rooms makes the directories that outlive the job, and tells whether they are ours alone and none is a link. */
function rooms(env, cache) {
  try {
    return ['', 'bin', 'mod', 'build'].map((name) => path.join(cache, name)).every((dir) => {
      fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
      return mine(dir) && !foreign(env, dir)
    })
  } catch {
    return false // read-only: then it is not ours either
  }
}

/** take copies a kept binary, and tells whether it could be trusted. The file that is judged is the one that is read. */
function take(kept, target) {
  if (!mine(kept, 'isFile')) return false
  const file = fs.openSync(kept, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
  try {
    if (!mine(kept, 'isFile', fs.fstatSync(file))) return false
    fs.writeFileSync(target, fs.readFileSync(file), { mode: 0o700, flag: 'wx' })
    return true
  } finally {
    fs.closeSync(file)
  }
}

/** keep puts a binary into the store, whole or not at all; that another job was faster is fine. */
function keep(binary, store) {
  let half
  try {
    half = fs.mkdtempSync(`${store}.`)
    copy(binary, path.join(half, program))
    fs.renameSync(half, store)
  } catch (err) {
    if (!mine(store) || !mine(path.join(store, program), 'isFile')) say(`the binary is not kept for later runs: ${store}: ${err.code}`)
  } finally {
    if (half) fs.rmSync(half, { recursive: true, force: true })
  }
}

/** mine tells whether nobody else can have written there, and it is no link. Windows does not say so: there nothing is kept. */
function mine(file, is = 'isDirectory', stat = fs.lstatSync(file, { throwIfNoEntry: false })) {
  return Boolean(process.getuid && stat?.[is]() && stat.uid === process.getuid() && !(stat.mode & 0o022))
}

/** older compares go versions: "go1.26.1", "1.26.0", "go1.27rc1". What cannot be read is old. */
export function older(have, want) {
  const parts = (version) => (/(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [0, 0, 0, 0]).slice(1).map((n) => Number(n ?? 0))
  const [a, b] = [parts(have), parts(want)]
  const i = a.findIndex((n, at) => n !== b[at])
  return i >= 0 && a[i] < b[i]
}

/** digest names a binary by all that goes into it. */
function digest(version) {
  const hash = createHash('sha256').update(`${version} ${process.platform} ${process.arch}\n`)
  const add = (name) => {
    const stat = fs.lstatSync(path.join(source, name), { throwIfNoEntry: false })
    if (stat?.isDirectory()) fs.readdirSync(path.join(source, name)).sort().forEach((entry) => add(`${name}/${entry}`))
    if (stat?.isFile()) hash.update(`${name} ${stat.size}\n`).update(fs.readFileSync(path.join(source, name)))
  }
  ;['go.mod', 'go.sum', 'cmd', 'internal', 'policy'].forEach(add)
  return hash.digest('hex').slice(0, 32)
}

// What a build has no use for: the runner's Go settings, the job's files and inputs, and whatever is named like a secret.
const withheld = /^(GO|CGO_|INPUT_|STATE_|ACTIONS_|GITHUB_|PATH$)|TOKEN|SECRET|PASS|CREDENTIAL|_KEY|_PAT$/i

/**
 * goEnv is the environment for building. No program of the checkout is on its PATH, and no secret in it but the forward
 * proxy's. Nothing of the runner's Go settings is in force: they may be what the action is here to mend. The checksum
 * database is off because go.sum, which -mod=readonly makes binding, has a hash of every module: whoever delivers them,
 * other bytes do not build.
 */
export function goEnv(env, kept) {
  const go = Object.fromEntries(Object.entries(env).filter(([name, value]) => name === 'GOROOT' ? path.isAbsolute(value) && !foreign(env, value) : !withheld.test(name)))
  for (const [name, input] of [['HTTPS_PROXY', 'INPUT_HTTPS-PROXY'], ['HTTP_PROXY', 'INPUT_HTTP-PROXY'], ['NO_PROXY', 'INPUT_NO-PROXY']]) {
    if (env[input]?.trim() && !env[name] && !env[name.toLowerCase()]) go[name] = env[input].trim()
  }
  return Object.assign(go, {
    PATH: trustedPath(env),
    GOFLAGS: '-mod=readonly -modcacherw', GOWORK: 'off', GOENV: 'off', GOTOOLCHAIN: 'local', GOSUMDB: 'off', CGO_ENABLED: '0',
    GOMODCACHE: path.join(kept, 'mod'), GOCACHE: path.join(kept, 'build')
  })
}

/** sources resolves to a GOPROXY of what answers now: the toolchain's own default, the runner's, then known mirrors. */
async function sources(env, go, own, root) {
  let builtin = ''
  try {
    builtin = /^GOPROXY=(.*)$/m.exec(fs.readFileSync(path.join(root, 'go.env'), 'utf8'))?.[1] ?? ''
  } catch {} // a toolchain without the file has no default that we know of
  const named = [builtin, env.GOPROXY ?? '', 'https://goproxy.cn,https://goproxy.io,https://mirrors.aliyun.com/goproxy'].join(',')
  const all = [...new Set(named.split(/[,|]/).map((s) => s.trim().replace(/\/+$/, '')).filter((s) => /^https?:/.test(s)))]
  const answers = await Promise.all(all.map((url, i) => probe(url, go, path.join(own, `probe${i}`))))
  const good = all.filter((_, i) => answers[i] === '')
  if (good.length === 0) {
    throw new Stop(3, `The action is built from source, and no module proxy answers:\n${all.map((url, i) => `  ${url}: ${answers[i]}`).join('\n')}\n` +
      `Let the runner reach one of them, or name one that answers in GOPROXY. ${wayOut}`)
  }
  return good.join(',')
}

/**
 * probe resolves to '' where a module proxy delivers a small known file, else to the reason. The go command itself asks,
 * so that forward proxies, their passwords, NO_PROXY and certificates count as they will for the build.
 */
export async function probe(url, go, dir, limit = 4000) {
  fs.mkdirSync(dir)
  try {
    const env = { ...go, GOPROXY: url, GOMODCACHE: dir, GOFLAGS: '' }
    const { ok, err } = await ask(['list', '-m', 'github.com/google/uuid@v1.6.0'], env, dir, limit)
    if (!ok) return err.split('\n').pop().replace(/^go: \S+: (Get "[^"]*": |reading \S+: )?/, '')
    const file = path.join(dir, 'cache/download/github.com/google/uuid/@v/v1.6.0.mod')
    return fs.readFileSync(file, 'utf8') === 'module github.com/google/uuid\n' ? '' : 'the answer is not the file that was asked for'
  } finally {
    fs.rmSync(dir, { recursive: true, force: true })
  }
}
