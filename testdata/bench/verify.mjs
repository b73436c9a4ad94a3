// verify.mjs RUNS REQUESTS PROOF: the table of what `measure` wrote to the file RUNS, with the requests of two checkouts and
// the size of the proof file, against the targets. Exit 1: one is missed.
import {readFileSync} from "node:fs"

const [runs, requests, proof] = process.argv.slice(2)
const rows = file => readFileSync(file, "utf8").trim().split("\n").map(line => line.split("\t"))
const median = list => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]
const times = new Map(), memory = new Map()
for (const [name, ms, mb] of rows(runs)) {
  if (!times.has(name)) times.set(name, []), memory.set(name, [])
  times.get(name).push(Number(ms))
  memory.get(name).push(Number(mb))
}
const ms = name => median(times.get(name)), mb = name => median(memory.get(name))

let missed = 0
const table = []
const target = (what, got, unit, bound, note = "") => {
  const ok = got <= bound
  if (!ok) missed++
  table.push([what, got.toFixed(got < 10 ? 2 : 0) + unit, "<= " + bound + unit, ok ? "ok" : "MISSED", note])
}
const best = (dir, all) => all.map(n => [n, ms(`${dir}/x-mod ${n}`)]).sort((a, b) => a[1] - b[1])[0]

const [n, rival] = best("kubernetes/cold", [1, 8, 32])
target("Kubernetes (522 lines), cold, of the library's time", ms("kubernetes/cold/verify") / rival, "", 0.7,
  `${ms("kubernetes/cold/verify").toFixed(0)} ms, the library ${rival.toFixed(0)} ms at ${n} at once`)
target("Kubernetes, cold, 100 ms away", ms("kubernetes/far/verify"), " ms", 4000, `the library ${ms("kubernetes/far/x-mod 32").toFixed(0)} ms at 32 at once`)
target("Kubernetes, warm", ms("kubernetes/warm/verify"), " ms", 60, "1 request")
target("Kubernetes, by the proof file", ms("kubernetes/proof/verify"), " ms", 30)
const modules = Object.fromEntries(rows(requests).map(([dir, asked, of]) => [dir, [Number(asked), Number(of)]]))
target("Kubernetes, proof file, bytes a module", Number(readFileSync(proof, "utf8")) / modules.kubernetes[1], "", 1024)
const [m, big] = best("lines-11000/cold", [8, 32])
target("11,000 lines, cold", ms("lines-11000/cold/verify"), " ms", 6000, `the library ${big.toFixed(0)} ms at ${m} at once`)
target("11,000 lines, warm", ms("lines-11000/warm/verify"), " ms", 800)
target("11,000 lines, memory, cold", mb("lines-11000/cold/verify"), " MB", 100, `the library ${mb(`lines-11000/cold/x-mod ${m}`).toFixed(0)} MB`)
target("11,000 lines, memory, warm", mb("lines-11000/warm/verify"), " MB", 100)
for (const [dir, [asked, of]] of Object.entries(modules)) target(`${dir}: requests a module`, asked / of, "", 2.5, `${asked} for ${of}`)
// what a line costs beyond the first 100, which stand for the start of a process and the first questions
for (const how of ["cold", "warm"]) {
  const cost = n => (ms(`lines-${n}/${how}/verify`) - ms(`lines-100/${how}/verify`)) / (n - 100)
  target(`cost of a line, ${how}: up to 11,000 of that up to 5,000`, cost(11000) / cost(5000), "", 1.3,
    [100, 1000, 5000, 11000].map(n => `${n}: ${ms(`lines-${n}/${how}/verify`).toFixed(0)} ms`).join(", "))
}
const widths = [0, 1, 2, 3].map(i => Math.max(...table.map(row => row[i].length)))
for (const row of table) console.log(row.map((cell, i) => i < 4 ? cell.padEnd(widths[i]) : cell).join("  ").trimEnd())
if (missed) console.log(`${missed} missed`)
process.exit(missed ? 1 : 0)
