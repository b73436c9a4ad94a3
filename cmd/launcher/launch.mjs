// What main.mjs and post.mjs share: finding the binary and starting it. What the tool cache does not need is loaded later.
import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const exe = process.platform === 'win32' ? '.exe' : ''
const program = `goproxy-action${exe}`
const platform = `${exe ? 'windows' : process.platform}/${{ x64: 'amd64', ia32: '386' }[process.arch] ?? process.arch}` // in Go's words
export const wayOut = 'Or give the action a ready binary (inputs binary and binary-sha256), or a forward proxy (input https-proxy).'
/** halt is an error that ends the step with an exit code of internal/problem; its message says what to do. */
export const halt = (code, message) => Object.assign(new Error(message), { code, halts: true })
/** step runs one step of the action: its errors become one annotation, its result the exit code. */
export async function step(work) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(signal))
  try {
    process.exitCode = await work(process.env)
  } catch (err) {
    annotate('error', err.halts ? err.message : `the launcher failed: ${err.message}`)
    process.exitCode = err.halts ? err.code : 70
  }
}

/** plain makes a text fit for a log: no names and passwords in addresses, no control characters but line ends. */
export const plain = (text) => text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s"'<>]*@/gi, '$1***@').replace(/[\0-\x08\x0b-\x1f\x7f]/g, '?')
export const say = (text) => console.error(`goproxy-action: ${plain(text).replaceAll('\n', ' ')}`)
/** annotate prints one escaped line: what a stranger's server said cannot become a workflow command of its own. */
const annotate = (level, text) => console.log(`::${level} title=goproxy-action::${plain(text).replaceAll('%', '%25').replaceAll('\n', '%0A')}`)
const input = (env, name) => (env[`INPUT_${name.toUpperCase()}`] ?? '').trim()

/** proxies are the forward proxies as the product sees them: an input comes before the runner's, and NO_PROXY is all of them. */
export function proxies(env) {
  const all = (name) => [input(env, name.replace('_', '-')), env[name], env[name.toUpperCase()]].filter(Boolean)
  return { https_proxy: all('https_proxy')[0], http_proxy: all('http_proxy')[0], no_proxy: all('no_proxy').join() }
}
const children = new Set()
export let signalled
/** stop passes a signal on; who waits for the child ends with it. Without a child there is nothing to wait for. */
function stop(signal) {
  signalled = signal
  if (children.size === 0) process.exit(128 + os.constants.signals[signal])
  for (const child of children) child.kill(signal)
}
/** started resolves to {code, signal, error} of a child when it has ended and its output is read. */
export function started(child) {
  children.add(child)
  return new Promise((resolve) => {
    const end = (result) => children.delete(child) && resolve(result)
    child.on('error', (error) => end({ error })).on('close', (code, signal) => end({ code, signal }))
  })
}

/** run starts the binary with our streams and resolves to its exit code. An empty input is no variable for it. */
export async function run(binary, args, env) {
  env = Object.fromEntries(Object.entries(env).filter(([name, value]) => !/^INPUT_/i.test(name) || value.trim()))
  const { code, signal, error } = await started(spawn(binary, args, { stdio: 'inherit', env }))
  if (!error && code !== 126 && code !== 127) return signal ? 128 + os.constants.signals[signal] : code // libuv hands what is no program to the shell
  throw halt(2, `${binary} cannot be started (${error?.code ?? 'it is no program'}). Give a binary for ${platform}.`)
}

// foreign tells whether a path leads into the workspace, by its name or where its links end: what lies there may be a
// stranger's. Directories are compared by identity: no other spelling gets past. What cannot be looked at is foreign.
export function foreign(env, file) {
  const id = (name) => {
    const stat = fs.statSync(name, { bigint: true, throwIfNoEntry: false })
    return stat?.ino ? `${stat.dev} ${stat.ino}` : name // a file system without inodes has but names
  }
  try {
    const workspace = env.GITHUB_WORKSPACE && id(path.resolve(env.GITHUB_WORKSPACE))
    const under = (name) => id(name) === workspace || (path.dirname(name) !== name && under(path.dirname(name)))
    return [path.resolve(file), fs.realpathSync.native(file)].some((name) => workspace && under(name)) // the other realpath drops x/.. unread
  } catch {
    return true
  }
}

/** saveState keeps a value for post.mjs. The delimiter is random, so that no value can add another one. */
export function saveState(env, name, value) {
  if (!env.GITHUB_STATE) throw halt(2, 'GITHUB_STATE is not set. This script is for GitHub Actions; in a terminal run: goproxy-action setup')
  const end = `end_${randomUUID()}`
  fs.appendFileSync(env.GITHUB_STATE, `${name}<<${end}\n${value}\n${end}\n`)
}

/** find resolves to the path of a binary in a directory that is this step's own. A failure or a signal leaves none behind. */
export async function find(env) {
  const begin = performance.now()
  const target = path.join(fs.mkdtempSync(path.join(env.RUNNER_TEMP || os.tmpdir(), 'goproxy-action-')), program) // a directory of mode 0700
  const drop = () => fs.rmSync(path.dirname(target), { recursive: true, force: true, maxRetries: 9 }) // a write may be under way
  process.once('exit', drop)
  const how = await (input(env, 'binary') ? given : released)(env, target)
  process.off('exit', drop)
  say(`ready in ${Math.round(performance.now() - begin)} ms (${how})`)
  return target
}

/** given takes what the input names: the file may change while the job runs, the copy that was judged does not. */
async function given(env, target) {
  const [name, digits] = [input(env, 'binary'), input(env, 'binary-sha256').toLowerCase()]
  if (!/^[0-9a-f]{64}$/.test(digits)) throw halt(2, `Input binary-sha256 ${digits ? 'is no SHA-256' : 'is missing'}: it takes 64 hexadecimal digits. Give those of the file that binary names (sha256sum FILE).`)
  const url = /^https?:/i.test(name) && address('binary', name)
  const file = url ? url.host + url.pathname : path.resolve(env.GITHUB_WORKSPACE || '/', name)
  if (!url && !fs.statSync(file, { throwIfNoEntry: false })?.isFile()) throw halt(2, `Input binary: there is no file ${file}. Name one that an earlier step has put there.`)
  const got = url ? await (await import('./download.mjs')).download(env, url, target, { size: 1 << 29 }).catch((err) => {
    throw halt(3, `Input binary: ${file} was not downloaded: ${err.message}. Let the runner reach it, or name a file that an earlier step has put there.`)
  }) : copy(file, target)
  if (got !== digits) throw halt(4, `Input binary: ${file} has the SHA-256 ${got}, and binary-sha256 is ${digits}. It was not started. Find out who changed the file, or correct the input.`)
  return url ? `given, from ${url.host}` : 'given'
}

function address(name, text) {
  const url = URL.canParse(text) && new URL(text)
  if (/^https?:$/.test(url.protocol)) return url
  throw halt(2, `Input ${name} is no address that can be downloaded from. Write https://host/path.`)
}
/** released takes the binary of this release from the tool cache or from where it was published, or builds it. */
async function released(env, target) {
  const { version, go, url, binaries: { [platform]: wanted } = {} } = manifest() ?? {}
  const base = input(env, 'download-base-url') && address('download-base-url', input(env, 'download-base-url')).href
  const kept = wanted && env.RUNNER_TOOL_CACHE && path.resolve(env.RUNNER_TOOL_CACHE, 'goproxy-action', version, wanted.sha256, program)
  if (kept && cached(env, kept, wanted, target)) return `tool cache, ${version}`
  if (wanted) {
    const from = new URL(`${(base || url).replace(/\/+$/, '')}/${wanted.asset}`)
    const { download } = await import('./download.mjs')
    const got = await download(env, from, target, { size: wanted.size, zipped: true }).then((sum) => `the SHA-256 ${sum}`, (err) => {
      if (err.big) return err.message
      say(`no download from ${from.host}: ${err.message}. Building from source ...`)
    })
    if (got === `the SHA-256 ${wanted.sha256}`) return keep(env, target, kept) ?? `downloaded from ${from.host}, ${version}`
    if (got) annotate('warning', `${from.host}${from.pathname} has ${got}, and the program of ${version} has the SHA-256 ${wanted.sha256}. It was not started; the action is built from source. Find out who changed it.`)
  } else if (version) say(`${version} has no binary for ${platform}. Building from source ...`)
  else if (base) say('input download-base-url has no effect: this checkout of the action is no release')
  fs.rmSync(target, { force: true })
  const by = await (await import('./build.mjs')).build(env, target, version)
  const made = sha256(target)
  if (made === wanted?.sha256) keep(env, target, kept)
  else if (wanted && by === go) annotate('notice', `What was built from source with ${go} has the SHA-256 ${made}, and not the ${wanted.sha256} of ${version}. It is used, and not kept for other jobs.`)
  return `built with ${by}${version ? `, ${version}` : ''}`
}

/** manifest reads what internal/release calls so. Only the commits of releases have one. */
function manifest() {
  const file = fileURLToPath(new URL('manifest.json', import.meta.url))
  if (!fs.existsSync(file)) return
  const sound = (b) => /^[\w-][\w.-]*$/.test(b.asset) && /^[0-9a-f]{64}$/.test(b.sha256) && Number.isSafeInteger(b.size) && b.size > 0
  try {
    const m = JSON.parse(fs.readFileSync(file, 'utf8'))
    if (/^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(m.version) && /^go\d[\w.]*$/.test(m.go) && /^https?:/.test(new URL(m.url).protocol) && Object.values(m.binaries).every(sound)) return m
  } catch {} // what cannot be read is no better
  throw halt(2, `${file} is no manifest of a release: version, go, url and binaries are expected. Use the action by a release's tag or commit, unchanged. ${wayOut}`)
}

/** cached copies the program from the tool cache. The copy is judged and is what runs: who else may write there does not matter. */
function cached(env, kept, wanted, target) {
  let [found, gone] = ['', '']
  try {
    const stat = fs.lstatSync(kept, { throwIfNoEntry: false })
    if (!stat) return false
    found = !stat.isFile() ? 'no regular file' : stat.size !== wanted.size ? `${stat.size} bytes` : copy(kept, target)
    if (found === wanted.sha256) return true
    if (rooms(env, above(kept))) gone = fs.rmSync(kept, { recursive: true }) ?? ', and removed' // elsewhere a link could lead to what is not ours
  } catch (err) {
    found ||= err.code
  }
  say(`${kept} is not the program of ${wanted.size} bytes with the SHA-256 ${wanted.sha256} (${found}): not used${gone}`)
}

/** keep puts the program into the tool cache, whole or not at all. Of two jobs at once the later one replaces the same bytes. */
function keep(env, target, kept) {
  if (!kept) return
  if (!rooms(env, above(kept))) return say(`the binary is not kept for later jobs: others can write to ${path.dirname(kept)}, or it leads elsewhere`)
  const half = `${kept}.${randomUUID()}`
  try {
    copy(target, half)
    fs.renameSync(half, kept)
  } catch (err) {
    say(`the binary is not kept for later jobs: ${path.dirname(kept)}: ${err.code}`)
    fs.rmSync(half, { force: true })
  }
}

const above = (kept) => ['../..', '..', '.'].map((up) => path.resolve(kept, '..', up)) // goproxy-action, its version, its digest
/** rooms makes directories that outlive the job, and tells whether they are ours alone, as far as the system says, and none is a link. */
export const rooms = (env, dirs) => dirs.every((dir) => {
  try {
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
    const stat = fs.lstatSync(dir)
    return stat.isDirectory() && (!process.getuid || (stat.uid === process.getuid() && !(stat.mode & 0o022))) && !foreign(env, dir)
  } catch {
    return false // read-only: then it is not ours either
  }
})

/** copy makes a program of its own, never a hard link, and returns the digest of the copy. */
function copy(from, to) {
  fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE)
  fs.chmodSync(to, 0o700)
  return sha256(to)
}
function sha256(file) {
  const [hash, part, fd] = [createHash('sha256'), Buffer.allocUnsafe(1 << 18), fs.openSync(file)] // a part stays in the processor's cache
  for (let n; (n = fs.readSync(fd, part)) > 0;) hash.update(part.subarray(0, n))
  fs.closeSync(fd)
  return hash.digest('hex')
}
