/**
 * kill -9 at chosen system calls of a whole run (the compiled program with test/durable/fault-shim.c), and
 * `--resume auto`: in the end every file is the uninterrupted run's, and none is there besides. The instants
 * are those at which one state takes another's place: a state that was half removed when the process was
 * killed once stayed for ever. scripts/kill-schedule.mjs draws 200 instants at random.
 */
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  differences,
  fingerprint,
  kogrpo,
  type RolloutMode,
  recipeOf,
  writeModel,
} from '../../../scripts/kill-run.mjs'
import { buildShim } from '../../durable/shim.ts'

// Memory where there is some: what is on the disk after a power failure is not tested here.
const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kogrpo-kill-'))
const shim = join(directory, 'fault-shim.so')
const built = buildShim(shim, 'kill.test.ts')

afterAll(async () => await rm(directory, { recursive: true, force: true }))

describe.skipIf(!built).each<{ mode: RolloutMode; last: string; before: string }>([
  { mode: 'on_policy', last: 'state-grpo-4-2', before: 'state-grpo-2-2' },
  { mode: 'one_step_off', last: 'state-grpo-5-2', before: 'state-grpo-4-2' },
])('kill -9 in a run that samples $mode', ({ mode, last, before }) => {
  const recipe = join(directory, `${mode}.json`)
  const train = (name: string, env?: Record<string, string>) => {
    const args = ['train', recipe, '--output-dir', join(directory, name), '--resume', 'auto']
    return kogrpo(args, env ? { env } : {})
  }
  let expected: Record<string, string>
  let runs = 0

  beforeAll(async () => {
    const model = join(directory, `model-${mode}`)
    writeModel(model)
    writeFileSync(recipe, JSON.stringify(recipeOf(model, mode)))
    const { code, log } = await train(mode)
    expect(code, log).toBe(0)
    expected = fingerprint(join(directory, mode))
    expect(expected).toHaveProperty([join('checkpoints', last, 'engine.bin')])
  }, 60_000)

  it.each([
    // While the last state's files are written, at the rename that publishes it, ...
    ['fsync', 1, `.${last}.partial/state.json`, before],
    ['rename', 1, last, before],
    // ... and while the one before it is removed.
    ['unlink', 2, before, last],
    ['rmdir', 1, before, last],
  ])('at %s %d of %s', async (call, k, path, taken) => {
    const run = `${mode}-${++runs}`
    const killed = await train(run, {
      LD_PRELOAD: shim,
      KOGRPO_FAULT_DIR: join(directory, run),
      KOGRPO_FAULT_KILL: `${call} ${k} ${path}`,
    })
    expect(killed.signal, killed.log).toBe('SIGKILL')
    const resumed = await train(run)
    expect(resumed.code, resumed.log).toBe(0)
    expect(resumed.log).toContain(`resumed from ${join(directory, run, 'checkpoints', taken)}:`)
    expect(differences(expected, fingerprint(join(directory, run)))).toEqual([])
    const names = readdirSync(join(directory, run, 'checkpoints'))
    expect(names.filter(name => name.startsWith('.'))).toEqual([])
  })
})
