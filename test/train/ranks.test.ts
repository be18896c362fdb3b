/**
 * Whole runs on 1 to 4 ranks over Gloo. Ranks are engines side by side in this process here, each
 * with its own thread and connections; test/cli/launch.test.ts has processes.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Recipe, RecipeInput } from '../../lib/config/schema.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { StoreServer } from '../../lib/launch/store.ts'
import { parseModelConfig } from '../../lib/model/config.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { adapterParameters, elementsOf, type LoraConfig } from '../../lib/model/lora.ts'
import { geometryOf } from '../../lib/plan/geometry.ts'
import { planMemory, SHARDS, type Shard } from '../../lib/plan/memory.ts'
import { isTimingKey, type RunEvent } from '../../lib/report/events.ts'
import { findState } from '../../lib/train/find-state.ts'
import { runTraining } from '../../lib/train/run.ts'
import { tinyConfig } from '../tiny-config.ts'
import { modelWithWeights, recorder, tinyRecipe } from './tiny.ts'

const recipe: RecipeInput = {
  seed: 5,
  threads: 1,
  sft: {
    data: [{ path: 'mini:sft', size: 300 }],
    eval_data: [{ path: 'mini:sft', size: 20, options: { seed: 99 } }],
    max_steps: 6,
    per_device_train_batch_size: 1,
    gradient_accumulation_steps: 5,
    max_length: 256,
    learning_rate: 1e-2,
  },
  grpo: {
    data: [{ path: 'mini:grpo', size: 50 }],
    max_steps: 4,
    save_steps: 2,
    num_generations: 4,
    num_iterations: 2,
    per_device_train_batch_size: 4,
    gradient_accumulation_steps: 5,
    max_completion_length: 24,
    learning_rate: 1e-3,
    beta: 0.01,
    oracle: { rule: 'override', judge: { kind: 'program' } },
  },
  eval: { data: [{ path: 'mini:eval' }], max_samples: 9, max_completion_length: 24 },
}

let store: StoreServer
let runs = 0
/** Whether this build has Gloo; without it these tests are left out. */
let gloo = true

interface Run {
  config: Recipe
  events: RunEvent[]
}

/** Runs the recipe on `size` ranks; null: in a process that knows no ranks. Rank 0's events. */
async function train(
  size: number | null,
  changes: Partial<RecipeInput> = {},
  more: { config?: Recipe; resume?: boolean; stopAfter?: number } = {},
): Promise<Run> {
  const config = more.config ?? (await tinyRecipe({ ...recipe, ...changes }))
  const resume = more.resume ? await findState(config.output_dir) : undefined
  const run = `run-${runs++}`
  const ranks = Array.from({ length: size ?? 1 }, async (_, rank) => {
    const { reporter, events } = recorder()
    const controller = new AbortController()
    const { emit } = reporter
    reporter.emit = event => {
      emit.call(reporter, event)
      const stops = event.type === 'step' && event.stage === 'grpo'
      // Only the last rank is asked to stop.
      if (stops && event.step === more.stopAfter && rank === (size ?? 1) - 1) controller.abort()
    }
    const place =
      size === null
        ? undefined
        : {
            ...{
              rank,
              size,
              localSize: size,
              localRank: rank,
              host: '127.0.0.1',
              port: store.port,
            },
            ...{ run, serves: false, patience: 20, limit: 60 },
          }
    const io = { reporter, signal: controller.signal, resume, place }
    await runTraining(config, io).catch(error => {
      if (more.stopAfter === undefined || error.name !== 'AbortError') throw error
    })
    return { config, events }
  })
  // All have ended before anything is looked at.
  const failed = (await Promise.allSettled(ranks)).find(one => one.status === 'rejected')
  if (failed) throw failed.reason
  const [first, ...others] = await Promise.all(ranks)
  for (const other of others) expect(metrics(other)).toEqual(metrics(first!))
  return first!
}

function metrics({ events }: Run): Record<string, number | null>[] {
  return events.flatMap(event =>
    event.type === 'step'
      ? [Object.fromEntries(Object.entries(event.metrics).filter(([key]) => !isTimingKey(key)))]
      : [],
  )
}

const completions = ({ events }: Run): RunEvent[] => events.filter(e => e.type === 'completions')

const weights = ({ config }: Run, name: string): Promise<Buffer> =>
  readFile(join(config.output_dir, name, 'model.safetensors'))

/** Largest difference relative to the larger value, of two tables of metrics. */
function worst(a: Record<string, number | null>[], b: Record<string, number | null>[]): number {
  expect(a.length).toBe(b.length)
  let most = 0
  for (const [i, row] of a.entries()) {
    for (const key of ['loss', 'grad_norm']) {
      const [x, y] = [row[key]!, b[i]![key]!]
      most = Math.max(most, Math.abs(x - y) / Math.max(Math.abs(x), Math.abs(y), 1e-3))
    }
  }
  return most
}

beforeAll(async () => {
  store = await StoreServer.listen({ host: '127.0.0.1' })
  const engine = await Engine.create({ config: parseModelConfig(tinyConfig()), init: { seed: 1 } })
  const place = { rank: 0, size: 2, host: '127.0.0.1', port: store.port, run: 'probe' }
  const options = { ...place, patience: 1, limit: 0.1, shard: 'none' as const }
  const error = await engine.join(options).catch(e => e)
  gloo = !/has no Gloo/.test(String(error))
  if (!gloo) console.log('left out: this build has no Gloo (libgloo-dev)')
  await engine.dispose()
})

afterAll(async () => await store.close())

describe('runs on several ranks', () => {
  it('have the same metrics, completions and weights to the bit on 1, 2, 3 and 4', async context => {
    if (!gloo) context.skip()
    const one = await train(1)
    for (const [size, shard, rollout_weights = 'auto'] of [
      [2, 'none'],
      [3, 'optimizer'],
      [4, 'optimizer'],
      [1, 'gradients'],
      [2, 'gradients'],
      [3, 'gradients'],
      [4, 'gradients'],
      [1, 'parameters'],
      [2, 'parameters'],
      [3, 'parameters'],
      [4, 'parameters'],
      [2, 'parameters', 'streamed'],
      [3, 'parameters', 'streamed'],
    ] as const) {
      const run = await train(size, { shard, rollout_weights })
      expect(metrics(run)).toEqual(metrics(one))
      expect(completions(run)).toEqual(completions(one))
      for (const name of ['sft', 'rl']) {
        expect((await weights(run, name)).equals(await weights(one, name))).toBe(true)
      }
    }

    // A process that knows no ranks adds tokens in one chain: the same within rounding.
    const alone = await train(null)
    const [sft, among] = [metrics(alone).slice(0, 6), metrics(one).slice(0, 6)]
    expect(worst(sft, among)).toBeLessThan(1e-5)
    expect(worst(sft, among)).toBeGreaterThan(0)
    // The very first loss is a function of the weights alone.
    expect(among[0]!.loss! / sft[0]!.loss!).toBeCloseTo(1, 12)
    expect(completions(one).length).toBe(completions(alone).length)
  })

  it('sample further groups in a step as one rank does', async context => {
    if (!gloo) context.skip()
    const { grpo } = recipe
    const changes = {
      sft: undefined,
      grpo: {
        ...grpo!,
        dynamic_sampling: { mode: 'resample' as const, max_rounds: 2 },
        // What is scored: with a top_k the trainer's log-probs, beside the reference's.
        importance_sampling_correction: 'token_truncate' as const,
        top_k: 50,
        consistency_bonus: {},
        ...{ sync_ref_model: true, ref_model_sync_steps: 1, ref_model_mixup_alpha: 0.1 },
      },
    }
    const one = await train(1, changes)
    expect(metrics(one).some(row => row['dynamic_sampling/rounds']! > 1)).toBe(true)
    for (const [size, rollout_weights] of [
      [2, 'gathered'],
      [2, 'streamed'],
      [3, 'streamed'],
    ] as const) {
      const held = vi.spyOn(Engine.prototype, 'holdWeights')
      const two = await train(size, { ...changes, shard: 'parameters', rollout_weights })
      // Streamed: not to sample, not to score, not to write the models.
      expect(held.mock.calls.length > 0).toBe(rollout_weights === 'gathered')
      held.mockRestore()
      expect(metrics(two)).toEqual(metrics(one))
      expect(completions(two)).toEqual(completions(one))
    }
  })

  it('train adapters to the bit like one rank, sharded or not, and are taken up by another number', async context => {
    if (!gloo) context.skip()
    const lora = { r: 4, lora_alpha: 8 }
    const adapters = (run: Run, name: string): Promise<Buffer> =>
      readFile(join(run.config.output_dir, name, 'adapter_model.safetensors'))
    const model = { path: await modelWithWeights(), init: 'pretrained' as const }
    const one = await train(1, { lora, model })
    for (const [size, shard, rollout_weights = 'auto'] of [
      [2, 'none'],
      [2, 'optimizer'],
      [2, 'gradients'],
      [1, 'parameters'],
      [2, 'parameters'],
      [3, 'parameters', 'streamed'],
    ] as const) {
      const two = await train(size, { lora, model, shard, rollout_weights })
      expect(metrics(two)).toEqual(metrics(one))
      expect(completions(two)).toEqual(completions(one))
      for (const name of ['sft', 'rl']) {
        expect((await adapters(two, name)).equals(await adapters(one, name))).toBe(true)
      }
    }
    expect((await adapters(one, 'rl')).equals(await adapters(one, 'sft'))).toBe(false)
    for (const [before, after] of [
      ['optimizer', 'none'],
      ['parameters', 'none'],
      ['none', 'parameters'],
    ] as const) {
      const stopped = await train(2, { lora, model, shard: before }, { stopAfter: 2 })
      const config = { ...stopped.config, shard: after }
      const resumed = await train(after === 'none' ? 1 : 3, {}, { config, resume: true })
      expect([...metrics(stopped), ...metrics(resumed)]).toEqual(metrics(one))
      expect((await adapters(resumed, 'rl')).equals(await adapters(one, 'rl'))).toBe(true)
    }
    // A process that knows no ranks has the same curve within rounding.
    const alone = await train(null, { lora, model })
    expect(worst(metrics(alone).slice(0, 6), metrics(one).slice(0, 6))).toBeLessThan(1e-5)
  })

  it('train adapters over 8-bit integers to the bit like one rank', async context => {
    if (!gloo) context.skip()
    const path = await modelWithWeights()
    const changes = {
      lora: { r: 4 },
      model: { path, init: 'pretrained' as const, dtype: 'int8' as const },
      eval: undefined,
    }
    const adapters = (run: Run): Promise<Buffer> =>
      readFile(join(run.config.output_dir, 'rl', 'adapter_model.safetensors'))
    const one = await train(1, changes)
    for (const [size, shard] of [
      [2, 'none'],
      [2, 'gradients'],
      [3, 'optimizer'],
    ] as const) {
      const run = await train(size, { ...changes, shard })
      expect(metrics(run)).toEqual(metrics(one))
      expect((await adapters(run)).equals(await adapters(one))).toBe(true)
    }
    const full = { ...changes, model: { path, init: 'pretrained' as const } }
    expect((await adapters(await train(2, full))).equals(await adapters(one))).toBe(false)
  })

  it('are stopped together when one is asked, and taken up by any number', async context => {
    if (!gloo) context.skip()
    const whole = await train(2, { shard: 'optimizer' })
    for (const [size, shard] of [
      [1, 'parameters'],
      [2, 'gradients'],
      [3, 'parameters'],
    ] as const) {
      const stopped = await train(4, { shard: 'parameters' }, { stopAfter: 2 })
      expect(metrics(stopped).length).toBe(8)
      const config = { ...stopped.config, shard }
      const resumed = await train(size, {}, { config, resume: true })
      expect([...metrics(stopped), ...metrics(resumed)]).toEqual(metrics(whole))
      expect((await weights(resumed, 'rl')).equals(await weights(whole, 'rl'))).toBe(true)
    }
  })

  it('write states in parts; one that a rank cannot finish leaves the one before whole', async context => {
    if (!gloo) context.skip()
    const changes = { shard: 'parameters' as const, grpo: { ...recipe.grpo!, save_steps: 2 } }
    const whole = await train(3, { ...changes, grpo: { ...changes.grpo, max_steps: 6 } })
    const config = await tinyRecipe({
      ...{ ...recipe, ...changes },
      grpo: { ...changes.grpo, max_steps: 6 },
    })
    const saves = new WeakMap<Engine, number>()
    let broken: Engine | null = null
    const { snapshotState } = Engine.prototype
    const spy = vi.spyOn(Engine.prototype, 'snapshotState').mockImplementation(async function (
      this: Engine,
    ) {
      saves.set(this, (saves.get(this) ?? 0) + 1)
      // Of the second state the first rank that comes to it writes nothing.
      if (saves.get(this) === 2) broken ??= this
      if (this === broken) throw new Error('the disk is on fire')
      return await snapshotState.call(this)
    })
    await expect(train(3, {}, { config })).rejects.toThrow(/disk is on fire|rank \d/)
    spy.mockRestore()
    const checkpoints = join(config.output_dir, 'checkpoints')
    const names = await readdir(checkpoints)
    expect(names.filter(name => name.startsWith('state-'))).toEqual(['state-grpo-2-2'])
    expect(names).toContain('.state-grpo-4-2.partial')
    const files = await readdir(join(checkpoints, 'state-grpo-2-2'))
    expect(files.sort()).toEqual([
      'SHA256SUMS',
      'engine.bin.1-of-3',
      'engine.bin.2-of-3',
      'engine.bin.3-of-3',
      'state.json',
    ])
    const resumed = await train(2, {}, { config, resume: true })
    expect(metrics(resumed)).toEqual(metrics(whole).slice(-4))
    expect((await weights(resumed, 'rl')).equals(await weights(whole, 'rl'))).toBe(true)
    expect((await readdir(checkpoints)).some(name => name.includes('partial'))).toBe(false)
  })

  it('train a part of the weights to the bit like one rank, divided too, and leave the rest as it was', async context => {
    if (!gloo) context.skip()
    const model = { path: await modelWithWeights(), init: 'pretrained' as const }
    const grpo = { ...recipe.grpo!, train_only: { layers: 'odd' as const, norm: true } }
    const changes = { model, sft: { ...recipe.sft!, train_only: { norm: true } }, grpo }
    const one = await train(1, changes)
    for (const [size, shard, rollout_weights = 'auto'] of [
      [3, 'gradients'],
      [1, 'parameters'],
      [2, 'parameters', 'streamed'],
      [3, 'parameters'],
    ] as const) {
      const several = await train(size, { ...changes, shard, rollout_weights })
      expect(metrics(several)).toEqual(metrics(one))
      expect(completions(several)).toEqual(completions(one))
      for (const name of ['sft', 'rl']) {
        expect((await weights(several, name)).equals(await weights(one, name))).toBe(true)
      }
    }
    const stopped = await train(3, { ...changes, shard: 'parameters' }, { stopAfter: 2 })
    const resumed = await train(2, {}, { config: stopped.config, resume: true })
    expect([...metrics(stopped), ...metrics(resumed)]).toEqual(metrics(one))
    expect((await weights(resumed, 'rl')).equals(await weights(one, 'rl'))).toBe(true)
    const alone = await train(null, changes)
    expect(worst(metrics(alone).slice(0, 6), metrics(one).slice(0, 6))).toBeLessThan(1e-5)

    // What was not trained has the bits that the model began with.
    const tensors = async (dir: string): Promise<Map<string, string>> => {
      const { weights } = await openModelDirectory(dir)
      return new Map(
        await Promise.all(
          weights!.map(async ({ entry }): Promise<[string, string]> => {
            const bytes = (await readFile(entry.file)).subarray(entry.begin, entry.end)
            return [entry.name, bytes.toString('base64')]
          }),
        ),
      )
    }
    const [begun, ended] = [model.path, join(resumed.config.output_dir, 'rl')]
    const [before, after] = [await tensors(begun), await tensors(ended)]
    const moved = [...before].filter(([name, bytes]) => after.get(name) !== bytes)
    expect(moved.map(([name]) => name).sort()).toEqual(
      [...before.keys()].filter(n => /^model\.(norm|layers\.\d*[13579]\.)/.test(n)).sort(),
    )
  })

  it.for(['none', 'parameters'] as const)(
    'leave out a step together whose loss one rank alone cannot form, shard: %s',
    async (shard, context) => {
      if (!gloo) context.skip()
      const grpo = { ...recipe.grpo!, on_nonfinite: 'skip_step' as const }
      const changes = { sft: undefined, eval: undefined, grpo, shard }
      // The reference's log-probs of the first round are NaN on the rank that comes to them last.
      const broken = (calls: number): { mockRestore: () => void } => {
        const seen = new WeakSet<Engine>()
        let left = calls
        const { score } = Engine.prototype
        return vi.spyOn(Engine.prototype, 'score').mockImplementation(async function (
          this: Engine,
          batch,
          options,
        ) {
          const values = await score.call(this, batch, options)
          const first = options?.slot === 'ref' && !seen.has(this)
          if (first) seen.add(this)
          if (first && --left === 0) values.logprobs.fill(Number.NaN)
          return values
        })
      }
      for (const size of [1, 2, 3]) {
        const spy = broken(size)
        const run = await train(size, changes)
        spy.mockRestore()
        const [first, second, ...rest] = metrics(run)
        // Both passes over the round see them.
        expect(first).toMatchObject({ grad_norm: null, 'nonfinite/skipped_steps': 1 })
        expect(second).toMatchObject({ grad_norm: null, 'nonfinite/skipped_steps': 2 })
        expect(rest.map(row => row.grad_norm! > 0)).toEqual([true, true])
        // Nothing of the two steps is left: the third begins at the reference, to the bit.
        expect(rest.map(row => row.kl! > 0)).toEqual([false, true])
      }
      const spy = broken(2)
      const stops = { ...changes, grpo: { ...grpo, on_nonfinite: 'stop' as const } }
      await expect(train(2, stops)).rejects.toMatchObject({
        code: 'E_DIVERGED',
        message: expect.stringMatching(/^grpo step 1: the loss is not finite \(NaN\)/),
      })
      spy.mockRestore()
    },
  )

  it('refuse another recipe', async context => {
    if (!gloo) context.skip()
    const [a, b] = [await tinyRecipe(recipe), await tinyRecipe({ ...recipe, seed: 6 })]
    const start = (config: Recipe, rank: number): Promise<void> => {
      const place = {
        rank,
        size: 2,
        localSize: 2,
        localRank: rank,
        host: '127.0.0.1',
        port: store.port,
      }
      const waits = { run: 'differ', serves: false, patience: 10, limit: 20 }
      const { reporter } = recorder()
      const signal = new AbortController().signal
      return runTraining(
        { ...config, model: a.model },
        { reporter, signal, place: { ...place, ...waits } },
      )
    }
    const results = await Promise.allSettled([start(a, 0), start(b, 1)])
    for (const result of results) {
      expect(result.status === 'rejected' && String(result.reason)).toMatch(
        'rank 1 has another recipe than rank 0',
      )
    }
  })
})

it('an engine holds what the plan says, within 10 %', async context => {
  if (!gloo) context.skip()
  const config = parseModelConfig(tinyConfig({ vocab_size: 1024, num_hidden_layers: 5 }))
  const held = async (
    size: number,
    shard: Shard,
    lora: LoraConfig | undefined,
  ): Promise<Awaited<ReturnType<Engine['memoryUse']>>[]> => {
    const run = `held-${size}-${shard}-${lora?.r ?? 0}`
    const waits = { host: '127.0.0.1', port: store.port, run, patience: 20, limit: 60 }
    return await Promise.all(
      Array.from({ length: size }, async (_, rank) => {
        const engine = await Engine.create({ config, threads: 1, init: { seed: 1 }, lora })
        await engine.join({ rank, size, shard, ...waits })
        await engine.updateSlot('ref', 1)
        const tokens = Int32Array.of(1, 2, 3, 4)
        const cuSeqlens = Int32Array.of(0, 4)
        await engine.beginTurn(size, 'gradients')
        await engine.forwardBackward({ tokens, cuSeqlens }, Float32Array.of(0, -1, -1, -1))
        await engine.accumulate()
        await engine.optimizerStep({ learningRate: 1e-3, label: 'update' })
        const used = await engine.memoryUse()
        await engine.dispose()
        return used
      }),
    )
  }
  const lora: LoraConfig = {
    ...{ r: 4, lora_alpha: 8, lora_dropout: 0, use_rslora: false },
    target_modules: ['q_proj', 'v_proj', 'gate_proj', 'down_proj'],
  }
  const adapters = elementsOf(adapterParameters(config, lora, 0))
  for (const [shard, trains] of [
    ...SHARDS.map(shard => [shard, undefined] as const),
    ...SHARDS.map(shard => [shard, lora] as const),
  ]) {
    for (const ranks of [2, 3, 4]) {
      const { items } = planMemory(
        geometryOf(config),
        {
          ...{ stores: 'fp32', shard, ranks, reference: true },
          ...{ microBatchTokens: 4, headChunk: 1, recompute: 'none' },
          adapters: trains ? adapters : 0,
        },
        0,
      )
      const planned = (name: string): number =>
        items.find(item => String(item.name) === `${name} (fp32)`)!.bytes
      for (const used of await held(ranks, shard, trains)) {
        const pairs = {
          weights: [used.parameters, planned('weights')],
          moments: [used.moments, planned('moments')],
          gradients: [used.gradients, planned('gradients')],
          reference: [used.slots, planned('reference weights')],
        }
        for (const [name, [bytes, plan]] of Object.entries(pairs)) {
          const of = `${name} of ${ranks} ranks with ${shard}${trains ? ', adapters' : ''}`
          expect(Math.abs(bytes! / plan! - 1), of).toBeLessThan(0.1)
        }
      }
    }
  }
})
