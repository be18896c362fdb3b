/** A saved state of a run, written without an engine: for tests of what finds and reads states. */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Recipe } from '../lib/config/schema.ts'
import type { RunState } from '../lib/train/run-state.ts'

/** Writes `checkpoints/state-<stage>-<step>-<evaluations>` of `config`'s run; returns its content. */
export function writeState(config: Recipe, changes: Partial<RunState>): RunState {
  const state: RunState = {
    version: 2,
    versions: { kogrpo: '0.1.0', node: 'v20.0.0' },
    stage: 'grpo',
    step: 2,
    num_tokens: 9,
    mixture: { seed: 1, shuffle: true, position: 0, sources: [] },
    config,
    model: '0',
    tokenizer: '0'.repeat(64),
    data: {},
    random: { generator: 'Philox', seed: 1 },
    changes: [],
    outcomes: [],
    ...changes,
  }
  const name = `state-${state.stage}-${state.step}-${state.outcomes.length}`
  const directory = join(config.output_dir, 'checkpoints', name)
  mkdirSync(directory, { recursive: true })
  const files = { 'engine.bin': 'weights', 'state.json': JSON.stringify(state) }
  const sums = Object.entries(files).map(([file, text]) => {
    writeFileSync(join(directory, file), text)
    return `${createHash('sha256').update(text).digest('hex')}  ${file}\n`
  })
  writeFileSync(join(directory, 'SHA256SUMS'), sums.join(''))
  return JSON.parse(JSON.stringify(state)) as RunState
}
