// gate.mjs make DIR N [PER_MILLE]: a checkout whose package-lock.json pins N packages, PER_MILLE of them at fault, and whose
//   go.mod and go.sum have 300 modules; beside it ready.json, which is what conftest and opa get. The same arguments make
//   the same files. Prints how many are at fault.
// gate.mjs table RUNS COMPILE: the table of what `measure` wrote to the file RUNS, and of the milliseconds, one in a line, in
//   the file COMPILE. Exit 1: a target is missed.
import {createHash} from "node:crypto"
import {mkdirSync, readFileSync, writeFileSync} from "node:fs"

const registry = "registry.npmmirror.com"
const hash = (algorithm, text) => createHash(algorithm).update(text).digest("base64")

// What an entry at fault has instead; one fault each, in turn.
const faults = [
  url => ({resolved: url.replace(registry, "packages.evil.example")}),
  url => ({resolved: url.replace("https:", "http:")}),
  () => ({integrity: undefined}),
  (_, name) => ({integrity: "sha1-" + hash("sha1", name)}),
]

function make(dir, count, perMille) {
  const words = ["async", "ast", "babel", "cache", "core", "css", "dom", "es", "eslint", "event", "fast", "file", "glob", "graph", "hash", "http",
    "is", "json", "lodash", "loader", "merge", "node", "parse", "plugin", "proxy", "query", "react", "regex", "schema", "stream", "string", "url"]
  const word = n => words[n % words.length]
  const root = {name: "app", version: "1.0.0", license: "UNLICENSED", dependencies: {}}
  const packages = {"": root}, ready = []
  let wrong = 0, above = ""
  for (let i = 0; i < count; i++) {
    const plain = `${word(i)}-${word(i * 7 + 3)}-${i}`
    const name = i % 9 === 4 ? `@${word(i * 5)}/${plain}` : plain
    const version = `${1 + i % 5}.${i % 12}.${i % 7}`
    const url = `https://${registry}/${name}/-/${plain}-${version}.tgz`
    const entry = {version, resolved: url, integrity: "sha512-" + hash("sha512", name)}
    if (i * perMille % 1000 < perMille) Object.assign(entry, faults[wrong++ % faults.length](url, name))
    if (i % 3) entry.dev = true
    if (i % 50 === 11) entry.hasInstallScript = true
    entry.license = i % 4 ? "MIT" : "ISC"
    if (i % 3 === 0) entry.dependencies = {[`${word(i + 1)}-helper`]: `^${1 + i % 4}.0.0`, [`${word(i + 2)}-tool`]: "~2.1.0"}
    if (i % 8 === 1) entry.bin = {[plain]: "bin/cli.js"}
    entry.engines = {node: ">=18"}
    if (i % 20 === 5) entry.funding = {url: `https://opencollective.com/${plain}`}
    const nested = i % 10 === 7
    packages[`${nested ? above + "/" : ""}node_modules/${name}`] = entry
    if (!nested) above = "node_modules/" + name
    if (i < 20 && !nested) root.dependencies[name] = version
    const {protocol, host} = new URL(entry.resolved)
    ready.push({name, version, scheme: protocol.slice(0, -1), host, integrity: entry.integrity?.split("-")[0] ?? "none"})
  }
  const modules = Array.from({length: 300}, (_, i) => ({module: `github.com/${word(i)}-${i}/${word(i * 3)}`, version: `v1.${i % 20}.${i % 4}`}))
  const text = value => JSON.stringify(value, null, 2) + "\n"
  const sums = m => [m.version, m.version + "/go.mod"].map(v => `${m.module} ${v} h1:${hash("sha256", m.module + v)}\n`).join("")
  mkdirSync(dir + "/checkout", {recursive: true})
  for (const [name, content] of Object.entries({
    "checkout/package.json": text(root),
    "checkout/package-lock.json": text({name: "app", version: "1.0.0", lockfileVersion: 3, requires: true, packages}),
    "checkout/go.mod": `module example.test/app\n\ngo 1.25.0\n\nrequire (\n${modules.map(m => `\t${m.module} ${m.version}\n`).join("")})\n`,
    "checkout/go.sum": modules.map(sums).join(""),
    "ready.json": JSON.stringify({packages: ready, modules: modules.map(m => ({...m, sum: true}))}),
  })) writeFileSync(`${dir}/${name}`, content)
  return wrong
}

const median = list => {
  const sorted = list.toSorted((a, b) => a - b), middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

// fit is the line of least squares through points, with R².
function fit(points) {
  const mean = key => points.reduce((sum, p) => sum + p[key], 0) / points.length
  const x = mean(0), y = mean(1)
  const sum = f => points.reduce((total, p) => total + f(p[0] - x, p[1] - y), 0)
  const slope = sum((a, b) => a * b) / sum(a => a * a)
  return {slope, intercept: y - slope * x, r2: sum((a, b) => a * b) ** 2 / (sum(a => a * a) * sum((_, b) => b * b))}
}

function table(runsFile, compileFile) {
  const lines = file => readFileSync(file, "utf8").split("\n").filter(Boolean)
  const runs = new Map() // by program/variant/N
  for (const line of lines(runsFile)) {
    const [name, ms, mb] = line.split("\t")
    if (!runs.has(name)) runs.set(name, {ms: [], mb: []})
    runs.get(name).ms.push(+ms)
    runs.get(name).mb.push(+mb)
  }
  const sizes = [...new Set([...runs.keys()].map(name => +name.split("/")[2]))]
  const rivals = ["conftest 0.71.1", "opa 1.22.2", "lockfile-lint 5.0.1"]
  let missed = 0
  const row = (...cells) => console.log(cells.map((c, i) => i ? String(c).padStart(11) : String(c).padEnd(54)).join(" | "))
  const judge = (value, holds, target) => {
    if (!holds) missed++
    return [value, target, holds ? "yes" : "NO"]
  }
  // Run by run, so that it holds where the machine's speed drifts.
  const times = (a, b) => median(a.slice(0, b.length).map((v, i) => v / b[i]))

  row("", "min", "median", "max", "MB", "x ours")
  for (const size of sizes) {
    for (const variant of ["clean", "faulty"]) {
      const ours = runs.get(`ours/${variant}/${size}`)
      for (const program of ["ours", ...rivals]) {
        const run = runs.get(`${program}/${variant}/${size}`)
        if (!run) continue
        row(`${size} packages, ${variant}: ${program}, ms`, Math.min(...run.ms).toFixed(1), median(run.ms).toFixed(1), Math.max(...run.ms).toFixed(1),
          median(run.mb).toFixed(0), program === "ours" ? "" : times(run.ms, ours.ms).toFixed(1))
      }
    }
  }

  console.log()
  row("", "is", "target", "reached")
  const of = (program, size, key = "ms") => median(runs.get(`${program}/clean/${size}`)[key])
  const against = (program, size) => times(runs.get(`${program}/clean/${size}`).ms, runs.get(`ours/clean/${size}`).ms)
  if (sizes.includes(10000)) {
    const ms = of("ours", 10000)
    row("check of 10,000 packages and 300 modules, ms", ...judge(ms.toFixed(1), ms <= 120, "<= 120"))
    for (const [program, least] of [[rivals[2], 5], [rivals[0], 1], [rivals[1], 1]]) {
      const ratio = against(program, 10000)
      row(`  ${program} takes, times as long`, ...judge(ratio.toFixed(1), ratio > least, least === 1 ? "> 1" : ">= " + least))
    }
  }
  if (sizes.includes(50000)) {
    const ms = of("ours", 50000), mb = of("ours", 50000, "mb")
    row("check of 50,000 packages and 300 modules, ms", ...judge(ms.toFixed(1), ms <= 400, "<= 400"))
    row("  its memory, MB", ...judge(mb.toFixed(0), mb <= 150, "<= 150"))
  }
  const compile = median(lines(compileFile).map(Number))
  row("default policy, from its text to the first answer, ms", ...judge(compile.toFixed(1), compile <= 10, "<= 10"))
  if (sizes.length > 2) {
    const line = fit(sizes.map(size => [size, of("ours", size)]))
    row("fit: R²", ...judge(line.r2.toFixed(4), line.r2 >= 0.99, ">= 0.99"))
    row("  ms for each 1,000 packages", (line.slope * 1000).toFixed(2))
    row("  ms before the first", line.intercept.toFixed(1))
    for (const size of sizes) row(`  µs for each of ${size} packages, beyond that`, ((of("ours", size) - line.intercept) / size * 1000).toFixed(2))
  }
  return missed
}

const [command, ...args] = process.argv.slice(2)
if (command === "make") console.log(make(args[0], +args[1], +(args[2] ?? 0)))
else if (command === "table") process.exitCode = table(args[0], args[1]) ? 1 : 0
else process.exitCode = 2
