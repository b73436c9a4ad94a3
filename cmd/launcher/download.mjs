// A download through forward proxies. What arrives is judged by its SHA-256; a name and a password are sent to no other host.
import { createHash } from 'node:crypto'
import { once, setMaxListeners } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { unescape } from 'node:querystring'
import { pipeline } from 'node:stream'
import tls from 'node:tls'
import zlib from 'node:zlib'
import { foreign, proxies, say } from './launch.mjs'

const limits = { connect: 5000, silence: 10000, whole: 120000 } // ms: to each host and proxy; until the next byte; for both attempts
/** lost is the end of a download. Where that is final, it is not tried again; big is an answer of too many bytes. */
const lost = (message, final = true, big = false) => Object.assign(new Error(message), { final, big })
/** download writes what an address has, at most size bytes when unzipped, to a new program file, and resolves to its SHA-256. */
export async function download(env, url, file, want, patience = limits, end = Date.now() + patience.whole, again = true) {
  try {
    return await attempt(env, url, file, want, patience, end)
  } catch (err) {
    fs.rmSync(file, { force: true })
    if (err.final || !again) throw err
    say(`${url.host}: ${err.message}. Once more ...`)
    return download(env, url, file, want, patience, end, false)
  }
}

async function attempt(env, url, file, { size, zipped }, patience, end) {
  const [ended, hash, fd] = [new AbortController(), createHash('sha256'), fs.openSync(file, 'w', 0o700)]
  setMaxListeners(0, ended.signal) // each hop has its own
  const after = (ms, text, final) => setTimeout(() => ended.abort(lost(text, final)), ms)
  let [bytes, clock] = [0, 0]
  const expect = (kind, text) => {
    clearTimeout(clock)
    clock = after(patience[kind], `${text} within ${patience[kind] / 1000} s`, false)
  }
  const timers = [after(end - Date.now(), `not done within ${patience.whole / 1000} s`), setInterval(() => say(`${(bytes / 1e6).toFixed(1)} MB from ${url.host} so far ...`), 2000)]
  try {
    const res = await get({ env, expect, signal: ended.signal, secureContext: trust(env) }, url)
    res.on('data', () => expect('silence', 'no further byte'))
    for await (const part of zipped ? pipeline(res, zlib.createGunzip(), () => {}) : res) {
      if ((bytes += part.length) > size) throw lost(`more than ${size} bytes`, true, true)
      hash.update(part)
      fs.writeFileSync(fd, part)
    }
    return hash.digest('hex')
  } catch (err) {
    if (ended.signal.aborted) throw ended.signal.reason
    throw 'final' in err ? err : err.code === 'Z_DATA_ERROR' ? lost('the answer is no gzip file') : lost(err.message || err.code, false)
  } finally {
    for (const timer of [clock, ...timers]) clearTimeout(timer)
    ended.abort() // closes what is still open
    fs.closeSync(fd)
  }
}

/** get resolves to the answer that has the file. Redirects are followed, but never out of https. */
async function get(way, first) {
  for (let [url, hop] = [first, 0]; hop <= 5; hop++) {
    const [res] = await ask(way, url, url.origin === first.origin && login('authorization', first))
    const { location = '//', 'content-type': type } = res.headers
    if (res.statusCode === 200 && !/^text\/html/i.test(type)) return res
    if (res.statusCode === 200) throw lost('a web page came in place of the file (a login page?)')
    if (![301, 302, 303, 307, 308].includes(res.statusCode)) throw refused('the answer is', res.statusCode)
    const next = URL.canParse(location, url) && new URL(location, url)
    if (!next || (next.protocol !== 'https:' && next.protocol !== url.protocol)) throw lost(`${url.host} redirects from ${url.protocol} to ${next ? next.protocol : 'what is no address'}, which is not followed`)
    res.destroy()
    url = next
  }
  throw lost('more than 5 redirects')
}
const refused = (who, status) => lost(status === 407 ? 'the forward proxy wants a name and a password, or others than it got (407)' : `${who} ${status}`, status < 500 && ![408, 429].includes(status))

/** ask resolves to the head of the answer to one request, which has a connection of its own. */
async function ask(way, url, known) {
  const proxy = proxyFor(way.env, url)
  const pass = proxy && login('proxy-authorization', proxy)
  const path = url.pathname + url.search
  const headers = { host: url.host, 'user-agent': 'goproxy-action', accept: '*/*', 'accept-encoding': 'identity', ...known }
  if (!proxy) return send(way, url, { path, headers })
  if (url.protocol === 'http:') return send(way, proxy, { path: url.origin + path, headers: { ...headers, ...pass } })
  const to = `${url.hostname}:${url.port || 443}`
  const [res, socket] = await send(way, proxy, { method: 'CONNECT', path: to, headers: { host: to, ...pass } }, 'connect')
  way.signal.addEventListener('abort', () => socket.destroy()) // it is no part of the request any more
  if (res.statusCode !== 200) throw refused(`the forward proxy ${proxy.host} answers`, res.statusCode)
  return send(way, url, { path, headers, socket })
}

function send({ signal, secureContext, expect }, to, options, event = 'response') {
  expect('connect', `no connection to ${to.host}`)
  const [client, ready] = to.protocol === 'https:' ? [https, 'secureConnect'] : [http, 'connect']
  const req = client.request({ host: bare(to), port: to.port, agent: false, secureContext, rejectUnauthorized: true, signal, ...options })
  req.on('socket', (socket) => socket.once(ready, () => expect('silence', `no answer from ${to.host}`)))
  req.on('error', () => {}) // also when nobody waits any more
  return once(req.end(), event, { signal })
}

/** trust is Node's own list, the runner's and the system's; none of the workspace. */
function trust(env) {
  const files = [env.SSL_CERT_FILE, env.NODE_EXTRA_CA_CERTS, '/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem']
  const system = process.platform === 'linux' ? [] : tls.getCACertificates?.('system') ?? []
  return tls.createSecureContext({ ca: [...tls.rootCertificates, ...system, ...files.filter((file) => file && !foreign(env, file) && fs.statSync(file).isFile()).map((file) => fs.readFileSync(file))] })
}
const bare = (url) => url.hostname.replace(/^\[|\]$/g, '')
const login = (header, { username, password }) => (username || password) && { [header]: `Basic ${Buffer.from(unescape(`${username}:${password}`)).toString('base64')}` }

/** proxyFor is the forward proxy for an address; loopback is always direct, as with go. An error never holds the setting: that has a password. */
export function proxyFor(env, url) {
  const { [`${url.protocol.slice(0, -1)}_proxy`]: value, no_proxy: no } = proxies(env)
  if (!value || exempt(url, `${no},localhost,127.0.0.0/8,::1`)) return
  const full = value.includes('://') ? value : `http://${value}`
  const proxy = URL.canParse(full) && new URL(full)
  if (/^https?:$/.test(proxy.protocol)) return proxy
  throw lost('the forward proxy is no http:// or https:// address; @ : / # and % in its password are written with percent signs')
}

/** exempt reads NO_PROXY as go does: name, .suffix, address, CIDR, each with or without :port, and *. */
function exempt(url, list) {
  const [host, port, ranges, family] = [bare(url), url.port || { 'https:': '443', 'http:': '80' }[url.protocol], new net.BlockList(), (ip) => `ipv${net.isIP(ip)}`]
  for (const entry of list.toLowerCase().split(/[,\s]+/)) {
    const [, name, bits, only = port] = /^\[?([^:/[\]]+|[\da-f.]*:[\da-f:.]+)\]?(?:\/(\d+))?(?::(\d+))?$/.exec(entry) ?? []
    const whole = { 4: 32, 6: 128 }[net.isIP(name)]
    if (name === '*') return true
    if (!name || only !== port) continue
    if (whole >= (bits ?? whole)) ranges.addSubnet(name, Number(bits ?? whole), family(name))
    else if (host === name || host.endsWith(name.replace(/^\*?\.?/, '.'))) return true
  }
  return net.isIP(host) > 0 && ranges.check(host, family(host))
}
