// The action's post step: takes back what the main step changed, whatever became of the job.
import fs from 'node:fs'
import path from 'node:path'
import { halt, run, say, step } from './launch.mjs'

await step(async (env) => {
  const binary = env.STATE_binary
  if (!binary) return say('nothing to take back: the first step ended before it had a binary') ?? 0
  if (!fs.existsSync(binary)) throw halt(2, `${binary} is gone, so nothing was taken back. Keep RUNNER_TEMP until the job has ended.`)
  const code = await run(binary, ['restore'], env)
  if (path.basename(path.dirname(binary)).startsWith('goproxy-action-')) fs.rmSync(path.dirname(binary), { recursive: true, force: true })
  return code
})
