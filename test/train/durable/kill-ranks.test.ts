/**
 * kill -9 of one of three ranks while they write a model's files together (the compiled program with
 * test/durable/fault-shim.c: whoever comes to the named call of the named file is killed). The other ranks
 * end; what had a name before is whole, what was being written has none; and taken up again, every file is
 * that of the uninterrupted run.
 */
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModelDirectory } from '../../../lib/model/directory.ts'
import {
  differences,
  fingerprint,
  kogrpo,
  recipeOf,
  writeModel,
} from '../../../scripts/kill-run.mjs'
import { buildShim } from '../../durable/shim.ts'

const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kogrpo-kill-'))
const shim = join(directory, 'fault-shim.so')
const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
const gloo = ['/usr/include', '/usr/local/include'].some(p => existsSync(`${p}/gloo/allreduce.h`))
const ready = buildShim(shim, 'kill-ranks.test.ts') && gloo && existsSync(MAIN)

afterAll(async () => await rm(directory, { recursive: true, force: true }))

describe.skipIf(!ready)('kill -9 of a rank that writes a model with others', () => {
  const recipe = join(directory, 'recipe.json')
  const train = (name: string, env: Record<string, string> = {}) => {
    const options = ['--nproc-per-node', '3', '--log-dir', join(directory, `${name}-logs`)]
    const output = ['--output-dir', join(directory, name), '--resume', 'auto']
    return kogrpo(['launch', ...options, 'train', recipe, ...output], {
      env: { KOGRPO_RANK_TIMEOUT: '5', ...env },
    })
  }
  let expected: Record<string, string>

  beforeAll(async () => {
    const model = join(directory, 'model')
    writeModel(model)
    const all: Record<string, unknown> = { ...recipeOf(model, 'on_policy') }
    const { pretrain: _, eval: _exam, ...rest } = all
    const made = { path: model, init: 'random', max_shard_size: '1KB' }
    const content = { ...rest, shard: 'parameters', model: made }
    writeFileSync(recipe, JSON.stringify(content))
    const { code, log } = await train('whole')
    expect(code, log).toBe(0)
    expected = fingerprint(join(directory, 'whole'))
    const files = Object.keys(expected).filter(name => name.startsWith('rl/model'))
    expect(files.sort()).toEqual([
      'rl/model-00001-of-00003.safetensors',
      'rl/model-00002-of-00003.safetensors',
      'rl/model-00003-of-00003.safetensors',
      'rl/model.safetensors.index.json',
    ])
  }, 120_000)

  it.each([
    // A rank's own file, of a model beside the training and of that with which a stage ends, ...
    ['fsync', '.sft-2.partial/model-00002-of-00003', 1, 'checkpoints/sft-1', 'checkpoints/sft-2'],
    ['fsync', '.rl.partial/model-00003-of-00003', 2, 'sft', 'rl'],
    // ... and rank 0 as it gives the directory its name.
    ['rename', 'checkpoints/grpo-2', 0, 'sft', 'checkpoints/grpo-2'],
  ])(
    'at %s of %s',
    async (call, file, rank, before, during) => {
      const name = `${call}-${rank}`
      const run = join(directory, name)
      const killed = await train(name, {
        LD_PRELOAD: shim,
        KOGRPO_FAULT_DIR: run,
        KOGRPO_FAULT_KILL: `${call} 1 ${file}`,
      })
      expect(killed.code, killed.log).not.toBe(0)
      expect(killed.log).toContain(`rank ${rank} failed first: it was ended by SIGKILL`)
      const { weights } = await openModelDirectory(join(run, before))
      expect(weights!.length).toBeGreaterThan(0)
      expect(existsSync(join(run, during))).toBe(false)
      const resumed = await train(name)
      expect(resumed.code, resumed.log).toBe(0)
      expect(differences(expected, fingerprint(run))).toEqual([])
      for (const parent of [run, join(run, 'checkpoints')]) {
        expect(readdirSync(parent).filter(entry => entry.startsWith('.'))).toEqual([])
      }
    },
    60_000,
  )
})
