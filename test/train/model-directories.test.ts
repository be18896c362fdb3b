/**
 * Model directories written by 1 to 4 ranks under every sharding: the same files with the same bytes, each
 * rank writing its own, and none of them ever holding more than a block's weights beside its pieces.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Recipe } from '../../lib/config/schema.ts'
import { sumFile } from '../../lib/durable/files.ts'
import { verifySums } from '../../lib/durable/sums.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { StoreServer } from '../../lib/launch/store.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { SHARDS, type Shard } from '../../lib/plan/memory.ts'
import { saveStageModel } from '../../lib/train/checkpoint.ts'
import { openSession } from '../../lib/train/open-session.ts'
import type { Session } from '../../lib/train/session.ts'
import { recorder, tinyRecipe } from './tiny.ts'

let store: StoreServer
let gloo = true
let runs = 0

beforeAll(async () => {
  store = await StoreServer.listen({ host: '127.0.0.1' })
  const config = await recipeOf('none')
  const error = await sessions(config, 2, { patience: 1, limit: 0.1 }).catch(e => e)
  gloo = !/has no Gloo/.test(String(error))
  if (Array.isArray(error)) await closed(error)
  if (!gloo) console.log('left out: this build has no Gloo (libgloo-dev)')
})
afterAll(async () => await store.close())

async function recipeOf(shard: Shard, model: Partial<Recipe['model']> = {}): Promise<Recipe> {
  const { model: base, ...recipe } = await tinyRecipe({
    ...{ seed: 3, threads: 1, shard },
    sft: { data: [{ path: 'mini:sft', size: 2 }], max_steps: 1 },
  })
  return { ...recipe, model: { ...base, config: { num_hidden_layers: 5 }, ...model } }
}

/** One session a rank; null: of a process without ranks. */
async function sessions(
  config: Recipe,
  size: number | null,
  waits = { patience: 20, limit: 60 },
): Promise<Session[]> {
  const run = `directories-${runs++}`
  const ranks = Array.from({ length: size ?? 1 }, async (_, rank) => {
    const at = { host: '127.0.0.1', port: store.port, serves: false, run, ...waits }
    const place =
      size === null ? undefined : { rank, size, localRank: rank, localSize: size, ...at }
    const { reporter } = recorder()
    const signal = new AbortController().signal
    const session = await openSession(config, { reporter, signal, place })
    if (place) await intoPieces(session)
    return session
  })
  const opened = await Promise.allSettled(ranks)
  const failed = opened.find(one => one.status === 'rejected')
  if (failed) throw failed.reason
  return await Promise.all(ranks)
}

/** A turn of gradients that are thrown away: with `parameters` the whole weights are gone behind it. */
async function intoPieces({ engine, ranks }: Session): Promise<void> {
  await engine.beginTurn(ranks.size, 'a turn')
  const batch = { tokens: Int32Array.of(5, 6, 7, 8), cuSeqlens: Int32Array.of(0, 4) }
  await engine.forwardBackward(batch, Float32Array.of(0, -1, -1, -1))
  await engine.accumulate()
  await engine.zeroGradients()
}

const closed = async (all: readonly Session[]): Promise<void> => {
  await Promise.all(all.map(({ engine }) => engine.dispose()))
}

/** SHA-256 of every file. */
const content = async (directory: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(directory)).sort().map(async name => {
        const { sha256 } = await sumFile(join(directory, name))
        return [name, sha256] as const
      }),
    ),
  )

/** Bytes of the largest block's weights, in fp32. */
function largestBlock({ directory: { config } }: Session): number {
  const blocks = new Map<string, number>()
  for (const { name, size } of parameterLayout(config).parameters) {
    const block = /layers\.\d+/.exec(name)?.[0] ?? name
    blocks.set(block, (blocks.get(block) ?? 0) + 4 * size)
  }
  return Math.max(...blocks.values())
}

describe('a model directory', () => {
  it.each([
    ['one file', { max_shard_size: '5GB', save_dtype: 'bfloat16' }, 1, [3]],
    ['a file for several blocks', { max_shard_size: '150KB', save_dtype: 'float32' }, 3, [2, 3]],
    ['a file for every block', { max_shard_size: '1KB', save_dtype: 'bfloat16' }, 7, [1, 2, 3, 4]],
  ] as const)(
    'of %s has the same bytes on several ranks under every sharding as on one',
    async (_, model, count, sizes) => {
      if (!gloo) return
      const [alone] = await sessions(await recipeOf('none', model), null)
      await saveStageModel(alone!, 'model')
      const expected = await content(join(alone!.config.output_dir, 'model'))
      const names = Object.keys(expected)
      expect(names.filter(name => name.endsWith('.safetensors'))).toHaveLength(count)
      expect(names.includes('model.safetensors')).toBe(count === 1)
      expect(names.includes('SHA256SUMS')).toBe(count > 1)
      for (const size of sizes) {
        for (const shard of SHARDS) {
          const all = await sessions(await recipeOf(shard, model), size)
          const before = await Promise.all(all.map(({ engine }) => engine.memoryUse()))
          await Promise.all(all.map(session => saveStageModel(session, 'model')))
          const path = join(all[0]!.config.output_dir, 'model')
          const written = await content(path)
          expect(written).toEqual(expected)
          if (count > 1) {
            const listed = names.filter(name => name !== 'SHA256SUMS')
            expect(await verifySums(path, listed)).toBeGreaterThan(0)
          }
          for (const [rank, session] of all.entries()) {
            const { parameters, mostGathered } = await session.engine.memoryUse()
            expect(parameters).toBe(before[rank]!.parameters)
            expect(mostGathered).toBe(shard === 'parameters' ? largestBlock(session) : 0)
          }
          await closed(all)
        }
      }
      // It is read as what it was.
      const { weights } = await openModelDirectory(join(alone!.config.output_dir, 'model'))
      expect(weights).toHaveLength(parameterLayout(alone!.directory.config).parameters.length)
      await closed([alone!])
    },
    60_000,
  )

  it('is written at once where memory has no room for a copy, with the same bytes', async () => {
    if (!gloo) return
    const model = { max_shard_size: '90KB' }
    const [alone] = await sessions(await recipeOf('none', model), null)
    await saveStageModel(alone!, 'model')
    const expected = await content(join(alone!.config.output_dir, 'model'))
    await closed([alone!])
    const all = await sessions(await recipeOf('parameters', model), 3)
    const available = vi.spyOn(process, 'availableMemory').mockReturnValue(1000)
    const copied = vi.spyOn(Engine.prototype, 'snapshotWeights')
    await Promise.all(all.map(session => saveStageModel(session, 'model')))
    expect(copied).not.toHaveBeenCalled()
    available.mockRestore()
    copied.mockRestore()
    expect(await content(join(all[0]!.config.output_dir, 'model'))).toEqual(expected)
    for (const session of all) {
      expect((await session.engine.memoryUse()).mostGathered).toBe(largestBlock(session))
    }
    await closed(all)
  })

  it('is left to the ranks that see the run directory', async () => {
    if (!gloo) return
    const model = { max_shard_size: '90KB' }
    const [alone] = await sessions(await recipeOf('none', model), null)
    await saveStageModel(alone!, 'model')
    const expected = await content(join(alone!.config.output_dir, 'model'))
    const all = await sessions(await recipeOf('parameters', model), 3)
    const { output_dir } = all[0]!.config
    all[1]!.config.output_dir = join(output_dir, 'elsewhere')
    await Promise.all(all.map(session => saveStageModel(session, 'model')))
    expect(await readdir(output_dir)).toEqual(['model'])
    expect(await content(join(output_dir, 'model'))).toEqual(expected)
    await closed([alone!, ...all])
  })

  it('that one rank cannot write is an error on all, and the one before stays', async () => {
    if (!gloo) return
    const all = await sessions(await recipeOf('parameters', { max_shard_size: '1KB' }), 3)
    const parent = all[0]!.config.output_dir
    await Promise.all(all.map(session => saveStageModel(session, 'model')))
    const before = await content(join(parent, 'model'))
    for (const { engine } of all) {
      const name = 'model.norm.weight'
      await engine.writeParameter(name, new Float32Array(32).fill(2))
    }
    // The third file is the third rank's: a directory has its name.
    const blocked = vi.spyOn(all[2]!.engine, 'snapshotWeights')
    const { snapshotWeights } = Engine.prototype
    blocked.mockImplementation(async (dtype, part) => {
      const partial = join(parent, '.model.partial')
      if (part?.keep)
        await mkdir(join(partial, 'model-00003-of-00007.safetensors'), { recursive: true })
      return await snapshotWeights.call(all[2]!.engine, dtype, part)
    })
    const ends = await Promise.allSettled(all.map(session => saveStageModel(session, 'model')))
    blocked.mockRestore()
    for (const end of ends) {
      expect(end.status).toBe('rejected')
      expect(String((end as PromiseRejectedResult).reason)).toContain('model-00003-of-00007')
    }
    expect(await content(join(parent, 'model'))).toEqual(before)
    expect(await readdir(parent)).toEqual(['model'])
    // Once more, and it is there.
    await Promise.all(all.map(session => saveStageModel(session, 'model')))
    const after = await content(join(parent, 'model'))
    const changed = Object.keys(before).filter(name => after[name] !== before[name])
    expect(changed).toEqual(['SHA256SUMS', 'model-00007-of-00007.safetensors'])
    await closed(all)
  })

  it('is read into pieces without the whole weights ever being there', async () => {
    if (!gloo) return
    const model = { max_shard_size: '90KB' }
    const [alone] = await sessions(await recipeOf('none', model), null)
    const norm = new Float32Array(32).fill(2)
    await alone!.engine.writeParameter('model.norm.weight', norm)
    await saveStageModel(alone!, 'model')
    const path = join(alone!.config.output_dir, 'model')
    const all = await sessions(await recipeOf('parameters', model), 3)
    const directory = await openModelDirectory(path)
    await Promise.all(all.map(({ engine }) => engine.loadWeights(directory)))
    await Promise.all(all.map(session => saveStageModel(session, 'again')))
    expect(await content(join(all[0]!.config.output_dir, 'again'))).toEqual(await content(path))
    for (const session of all) {
      expect((await session.engine.memoryUse()).mostGathered).toBe(largestBlock(session))
    }
    await closed([alone!, ...all])
  })
})
