// judge.mjs KIND FILE EXIT WANTED...: what `detect` or `doctor` says (JSON in FILE) beside what the table of network.sh
// wants. Prints a line "NAME<tab>WHY" for each thing that is judged; WHY is empty where all is well.
import { readFileSync } from "node:fs"

const [kind, file, exit, ...wanted] = process.argv.slice(2)
const text = readFileSync(file, "utf8")
const say = (name, why = "") => console.log(`${name}\t${why.replace(/\s+/g, " ").slice(0, 700)}`)
const judge = (name, ok, why) => say(name, ok ? "" : `${why} ` /* never empty */)
const among = (list, value) => (Array.isArray(list) ? list : []).some(value)

let r
try {
  r = JSON.parse(text)
} catch (e) {
  say(kind, `${e} (exit ${exit}) in ${text.slice(0, 300) || "nothing"}`)
  process.exit()
}
judge(`${kind}: no password`, !/s3cret|wr0ng/.test(text), text)

if (kind === "detect") {
  const [cls, traits, evidence] = wanted
  judge(`class ${cls}`, r.class === cls, `it is ${r.class}: ${(r.evidence ?? []).join("; ")}`)
  if (evidence !== "-") judge(`evidence: ${evidence}`, among(r.evidence, (e) => new RegExp(evidence).test(e)), (r.evidence ?? []).join("; "))
  for (const t of traits.split(" ").filter((t) => t !== "-")) {
    const want = { "+": true, "-": false, "?": null }[t[0]]
    const trait = (r.traits ?? []).find((x) => x.name === t.slice(1))
    judge(`${t.slice(1)}: ${want}`, trait !== undefined && trait.answer === want && (want !== true || trait.evidence?.length > 0), JSON.stringify(trait ?? "no such trait"))
  }
} else {
  const [cause, who, subject] = wanted
  const d = r.diagnoses ?? []
  const short = JSON.stringify(d.map((x) => [x.cause, x.who, x.subjects, x.why]))
  if (cause === "healthy") {
    judge("doctor: healthy", r.healthy === true && d.length === 0 && exit === "0", `exit ${exit} ${short}`)
    judge("doctor: every chain holds", r.chains?.length > 0 && r.chains.every((c) => c.ok), JSON.stringify((r.chains ?? []).filter((c) => !c.ok)))
  } else {
    judge(`doctor: ${cause} is the first cause, ${who} can mend it`, d[0]?.cause === cause && d[0]?.who === who, short)
    if (subject) judge(`doctor: it is about ${subject}`, among(d, (x) => x.cause === cause && among(x.subjects, (s) => s.includes(subject))), short)
    judge("doctor: exit 3, not healthy", exit === "3" && r.healthy === false, `exit ${exit}, healthy ${r.healthy}`)
    judge("doctor: each diagnosis says why, by what, and how it is mended", d.length > 0 && d.every((x) => x.why && x.evidence?.length > 0 && x.fix), JSON.stringify(d))
    // what comes after a broken link was not tried, so nothing may be said of it
    const beyond = (c) => c.steps.slice(c.steps.findIndex((s) => s.status === "failed") + 1).filter((s) => s.status === "ok" || s.status === "failed")
    judge("doctor: nothing is claimed beyond a broken link", among(r.chains, (c) => !c.ok) && r.chains.every((c) => c.ok || beyond(c).length === 0),
      JSON.stringify((r.chains ?? []).filter((c) => !c.ok)))
  }
}
