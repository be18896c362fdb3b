/**
 * Saves states and models under faults, in a process of its own with fault-shim.c: see
 * faults.test.ts. argv: a directory with recipe.json; what to save ("state" beside training, "waiting"
 * where memory has no room for a copy, "model"); modes, comma-separated; for KILL the k.
 * Prints one JSON line per fault: {mode, k, call, path, error, before, after}.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { resolveRecipe } from '../../dist/config/load.js'
import { sumFile } from '../../dist/durable/files.js'
import { Reporter } from '../../dist/report/reporter.js'
import { saveCheckpoint } from '../../dist/train/checkpoint.js'
import { findState } from '../../dist/train/find-state.js'
import { openSession } from '../../dist/train/open-session.js'
import { saveState } from '../../dist/train/save-state.js'

const [directory, what, modes, only] = process.argv.slice(2)
const config = resolveRecipe(JSON.parse(readFileSync(join(directory, 'recipe.json'), 'utf8')))
if (what === 'waiting') process.availableMemory = () => 0

/** Steers the shim: names below /kogrpo-fault do not exist. */
function arm(mode, k) {
  try {
    readFileSync(`/kogrpo-fault/${mode}/${k}`)
  } catch {
    // As it should be.
  }
}
function report() {
  const [calls, call, path] = readFileSync('/kogrpo-fault/report', 'utf8').split(' ')
  return { calls: Number(calls), call, path }
}

const session = await openSession(config, {
  reporter: new Reporter([]),
  signal: new AbortController().signal,
})
const batch = { tokens: Int32Array.of(5, 6, 7, 8), cuSeqlens: Int32Array.of(0, 4) }
await session.engine.forwardBackward(batch, Float32Array.of(0, -1, -1, -1))
await session.engine.optimizerStep({ learningRate: 0.01 })
await session.engine.updateSlot('ref', 1)

let step = 0
async function save() {
  if (what === 'model') {
    await saveCheckpoint(session, 'sft')
    await session.saver.settle()
    return
  }
  const mixture = { seed: 1, shuffle: true, position: 0, sources: [] }
  session.boundary = { stage: 'sft', step, num_tokens: 0, mixture }
  await saveState(session)
}

/** What a resume, or a reader of the model, would find: a hash of it, and what else lies there. */
async function found() {
  const parent = what === 'model' ? config.output_dir : join(config.output_dir, 'checkpoints')
  const names = existsSync(parent) ? readdirSync(parent).sort() : []
  if (what === 'model') {
    const { sha256 } = await sumFile(join(config.output_dir, 'sft', 'model.safetensors'))
    return { sha256, names }
  }
  const state = await findState(config.output_dir)
  const { sha256 } = await sumFile(join(state.path, 'engine.bin'))
  return { step: state.step, sha256, names }
}

const print = row => process.stdout.write(`${JSON.stringify(row)}\n`)
await save()
for (const mode of modes.split(',')) {
  for (let k = only ? Number(only) : 1; ; k++) {
    const before = await found()
    step++
    arm(mode, k)
    const error = await save().then(
      () => null,
      e => ({ code: e.code, message: e.message }),
    )
    const { calls, call, path } = report()
    const after = await found()
    if (call !== 'none') print({ mode, k, call, path, error, before, after })
    // A save that failed can be made again, in the same process.
    await save()
    const again = await found()
    print({ mode, k, retried: true, before, after: again })
    if (only || calls < k) break
  }
}
await session.engine.dispose()
