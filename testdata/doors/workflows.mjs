// workflows.mjs JS-YAML FILE...: what actionlint does not ask of a workflow and this project does. One line for each fault.
import { createRequire } from 'node:module'
import fs from 'node:fs'

const [library, ...files] = process.argv.slice(2)
const yaml = createRequire(import.meta.url)(library)
const pins = new Map() // action -> its pin, the same everywhere
let faults = 0

for (const file of files) {
  const lines = fs.readFileSync(file, 'utf8').split('\n')
  const workflow = yaml.load(lines.join('\n'))
  const at = (text, from = 0) => lines.findIndex((line, i) => i >= from && line.includes(text)) + 1 || 1
  const fault = (line, text) => (faults++, console.log(`${file}:${line}: ${text}`))
  const none = (value) => value && typeof value === 'object' && Object.keys(value).length === 0

  if (!none(workflow.permissions)) fault(at('permissions:'), 'the workflow gives permissions to every job; write permissions: {} on top')
  if (!workflow.concurrency) fault(1, 'runs of it are not bounded; give it a concurrency group')
  for (const event of ['pull_request_target', 'workflow_run', 'issue_comment']) {
    if ([workflow.on].flat().some((on) => on === event || on?.[event] !== undefined)) fault(at(event), `${event} runs with rights on what a stranger wrote; use pull_request`)
  }
  for (const [name, job] of Object.entries(workflow.jobs)) {
    const line = at(`  ${name}:`)
    if (!job.permissions || typeof job.permissions !== 'object') fault(line, `job ${name} says no permissions; list what it needs, or write {}`)
    if (!Number.isInteger(job['timeout-minutes'])) fault(line, `job ${name} may hang for six hours; give it timeout-minutes`)
    for (const step of job.steps ?? []) {
      const where = at(step.uses ?? step.run?.split('\n')[0] ?? step.name, line)
      if (/^actions\/checkout@/.test(step.uses) && step.with?.['persist-credentials'] !== false) fault(where, 'the token stays in the checkout; write persist-credentials: false')
      if (step.run?.includes('${{')) fault(where, 'an expression in a script may be a command; hand it over by env')
    }
  }
  lines.forEach((text, i) => {
    const [, action, pin, comment] = /^\s*(?:- )?uses:\s*([^@\s]+)(?:@(\S+))?\s*(.*)$/.exec(text) ?? []
    if (!action || action.startsWith('./')) return
    if (!/^[0-9a-f]{40}$/.test(pin)) return fault(i + 1, `${action} can change under us; pin it by the 40 digits of its commit`)
    if (!/^# v\d+\.\d+\.\d+$/.test(comment)) fault(i + 1, `nobody can read which version of ${action} this is; add a comment such as # v1.2.3`)
    const known = pins.get(action) ?? `${pin} ${comment}`
    if (known !== `${pin} ${comment}`) fault(i + 1, `${action} is at ${known} elsewhere; use one`)
    pins.set(action, known)
  })
}
process.exit(faults ? 1 : 0)
