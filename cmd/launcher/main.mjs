// The action's main step: finds, downloads or builds the binary and runs its setup. No logic of its own.
import { find, run, saveState, step } from './launch.mjs'

await step(async (env) => {
  const binary = await find(env)
  saveState(env, 'binary', binary) // before it runs: what it changes is taken back even if it is killed
  return run(binary, ['setup'], env)
})
