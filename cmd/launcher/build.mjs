// Building the binary from the action's source, by the flags of a release, so that the bytes can be a release's too.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { exe, foreign, halt, proxies, rooms, say, signalled, started, wayOut } from './launch.mjs'
const source = fileURLToPath(new URL('../..', import.meta.url)) // the action's own checkout

/** ask runs the go that env, made by goEnv, has on its PATH, and resolves to {ok, out, err}; after limit ms it is killed. */
async function ask(args, env, cwd, limit) {
  const child = spawn('go', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: limit, killSignal: 'SIGKILL' })
  let [out, err] = ['', '']
  child.stdout?.on('data', (data) => (out = (out + data).slice(-65536)))
  child.stderr?.on('data', (data) => (err = (err + data).slice(-4096)))
  const { code, signal, error } = await started(child)
  if (signalled) process.exit(128 + os.constants.signals[signalled])
  if (error?.code === 'ENOENT') throw halt(2, `The action is built from source, and there is no go on the PATH outside the workspace. Put actions/setup-go before this step. ${wayOut}`)
  return { ok: code === 0, out: out.trim(), err: signal === 'SIGKILL' ? `no answer within ${limit / 1000} s` : err.trim() || error?.message || '' }
}

/** trustedPath is the PATH without relative directories and those that, or whose go or git, lead into the workspace. */
export function trustedPath(env) {
  const leads = (dir) => foreign(env, dir) || [`go${exe}`, `git${exe}`].map((name) => path.join(dir, name)).some((file) => fs.existsSync(file) && foreign(env, file))
  const dirs = (env.PATH ?? '').split(path.delimiter).filter((dir) => path.isAbsolute(dir) && fs.existsSync(dir) && !leads(dir))
  // by their real names, so that a link is followed once; a name with a delimiter in it would be two
  return [...new Set(dirs.map((dir) => fs.realpathSync.native(dir)))].filter((dir) => !dir.includes(path.delimiter)).join(path.delimiter)
}

/** build makes target, and resolves to the version of the go that did. Go's caches outlive the job where they are ours alone. */
export async function build(env, target, as) {
  const own = path.dirname(target)
  const cache = path.resolve(env.RUNNER_TOOL_CACHE || env.RUNNER_TEMP || os.tmpdir(), 'goproxy-action')
  const ours = process.getuid && rooms(env, ['', 'mod', 'build'].map((name) => path.join(cache, name))) // others could put parts of programs there
  const go = goEnv(env, ours ? cache : own)
  const [version, root = ''] = (await ask(['env', 'GOVERSION', 'GOROOT'], go, own)).out.split(/\r?\n/)
  say(`building from source with ${version} ...`)
  const stamps = `-s -w${as ? ` -X main.version=${as}` : ''} -X main.officialGo=${defaults(env, root)[0] ?? ''} -X main.officialNPM=${officialNPM(env, go.PATH)}`
  const compile = (GOPROXY) => ask(['build', '-trimpath', '-buildvcs=false', '-ldflags', stamps, '-o', target, './cmd/goproxy-action'], { ...go, GOPROXY }, source)
  let made = { err: 'GOPROXY=off' }
  if (fs.existsSync(go.GOMODCACHE) && fs.readdirSync(go.GOMODCACHE).length > 0) made = await compile('off') // all modules may be here already
  if (!made.ok && made.err.includes('GOPROXY=off')) made = await compile(await sources(env, go, own, root))
  if (made.ok) return version
  const wanted = /^go (\S+)/m.exec(fs.readFileSync(path.join(source, 'go.mod'), 'utf8'))[1]
  throw halt(2, `The action cannot be built from source with ${version || 'the go on the PATH'}:\n${made.err}\nIt takes go ${wanted} or newer: put actions/setup-go with that go-version before this step. ${wayOut}`)
}
// What a build has no use for: the runner's Go settings, the job's files and inputs, and whatever is named like a secret.
const withheld = /^(GO|CGO_|INPUT_|STATE_|ACTIONS_|GITHUB_|PATH$)|TOKEN|SECRET|PASS|CREDENTIAL|_KEY|_PAT$/i

// goEnv is the environment for building: no program of the checkout on its PATH, no secret but the forward proxy's, and none
// of the runner's Go settings, which may be what the action is here to mend. The checksum database is off because go.sum,
// which -mod=readonly makes binding, has a hash of every module: other bytes do not build. GOARM is the release's.
export function goEnv(env, kept) {
  const go = Object.fromEntries(Object.entries(env).filter(([name, value]) => name === 'GOROOT' ? path.isAbsolute(value) && !foreign(env, value) : !withheld.test(name)))
  for (const [name, value] of Object.entries(proxies(env))) if (value) go[name] = go[name.toUpperCase()] = value // go prefers the one, git the other
  return Object.assign(go, {
    PATH: trustedPath(env), GOFLAGS: '-mod=readonly -modcacherw', GOWORK: 'off', GOENV: 'off', GOTOOLCHAIN: 'local', GOSUMDB: 'off', CGO_ENABLED: '0', GOARM: '6',
    GOMODCACHE: path.join(kept, 'mod'), GOCACHE: path.join(kept, 'build')
  })
}

const read = (env, file) => foreign(env, file) ? '' : fs.readFileSync(file, 'utf8') // what is not there is foreign as well
const addresses = (list) => list.split(/[,|\s]/).map((one) => one.replace(/\/+$/, '')).filter((one) => /^https?:[^'"]+$/.test(one))
const defaults = (env, root) => addresses(/^GOPROXY=(.*)$/m.exec(read(env, path.resolve('/', root, 'go.env')))?.[1] ?? '') // the toolchain's own

/** officialNPM is the registry that the npm on the PATH has built in, read as internal/ecosystem/npm does. */
function officialNPM(env, PATH) {
  const npm = PATH.split(path.delimiter).map((dir) => path.join(dir, exe ? 'npm.cmd' : 'npm')).find((file) => !foreign(env, file))
  const within = (name) => npm ? read(env, path.resolve(fs.realpathSync.native(npm), exe ? '../node_modules/npm' : '../..', name)) : ''
  const found = /(?:new Definition|define)\('registry',\s*\{\s*default:\s*['"](https?:\/\/[A-Za-z0-9.:/_-]{1,200}?)\/*['"]/
  return found.exec(within('node_modules/@npmcli/config/lib/definitions/definitions.js') || within('lib/utils/config/definitions.js'))?.[1] ?? ''
}

/** sources resolves to a GOPROXY of what answers now: the toolchain's own default, the runner's, then known mirrors. */
async function sources(env, go, own, root) {
  const all = [...new Set([...defaults(env, root), ...addresses(`${env.GOPROXY ?? ''},https://goproxy.cn,https://goproxy.io,https://mirrors.aliyun.com/goproxy`)])]
  const answers = await Promise.all(all.map((url, i) => probe(url, go, path.join(own, `probe${i}`))))
  const good = all.filter((_, i) => answers[i] === '')
  if (good.length > 0) return good.join()
  const reasons = all.map((url, i) => `  ${url}: ${answers[i]}\n`).join('')
  throw halt(3, `The action is built from source, and no module proxy answers:\n${reasons}Let the runner reach one of them, or name one that answers in GOPROXY. ${wayOut}`)
}

// probe resolves to '' where a module proxy delivers a small known file, else to the reason. The go command itself asks,
// so that forward proxies, their passwords, NO_PROXY and certificates count as they will for the build.
export async function probe(url, go, dir, limit = 4000) {
  fs.mkdirSync(dir)
  const { ok, err } = await ask(['list', '-m', 'github.com/google/uuid@v1.6.0'], { ...go, GOPROXY: url, GOMODCACHE: dir, GOFLAGS: '' }, dir, limit)
  const right = ok && fs.readFileSync(path.join(dir, 'cache/download/github.com/google/uuid/@v/v1.6.0.mod'), 'utf8') === 'module github.com/google/uuid\n'
  fs.rmSync(dir, { recursive: true, force: true })
  if (ok) return right ? '' : 'the answer is not the file that was asked for'
  return err.split('\n').pop().replace(/^go: \S+: (Get "[^"]*": |reading \S+: )?/, '')
}
