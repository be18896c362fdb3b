/** Whole runs with adapters: sft, then grpo with a reference model; resumed; continued; merged. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { resolveRecipe } from '../../lib/config/load.ts'
import type { Recipe, RecipeInput } from '../../lib/config/schema.ts'
import { Engine } from '../../lib/engine/engine.ts'
import { openModelDirectory } from '../../lib/model/directory.ts'
import { parameterLayout } from '../../lib/model/parameters.ts'
import { isTimingKey, type Metrics, type RunEvent } from '../../lib/report/events.ts'
import { findState } from '../../lib/train/find-state.ts'
import { writeMerged } from '../../lib/train/merge.ts'
import { runTraining } from '../../lib/train/run.ts'
import { modelWithWeights, recorder, temporaryDirectory, tinyModelDirectory } from './tiny.ts'

const stages: RecipeInput = {
  seed: 5,
  threads: 1,
  lora: { r: 4, lora_alpha: 8 },
  sft: {
    data: [{ path: 'mini:sft', size: 200 }],
    max_steps: 16,
    per_device_train_batch_size: 2,
    max_length: 256,
    learning_rate: 1e-2,
    weight_decay: 0.1,
  },
  grpo: {
    data: [{ path: 'mini:grpo', size: 50 }],
    max_steps: 4,
    num_generations: 4,
    per_device_train_batch_size: 8,
    max_completion_length: 48,
    learning_rate: 1e-2,
    beta: 0.05,
    // After the few steps of sft some completions end, and rewards differ.
    rewards: [{ name: 'overlong', options: { soft_punish_cache: 40 } }],
  },
}

async function recipe(changes: RecipeInput = {}): Promise<Recipe> {
  return resolveRecipe({
    ...stages,
    output_dir: join(await temporaryDirectory(), 'run'),
    ...changes,
  })
}

async function train(config: Recipe, stopAfter?: number, resume = false): Promise<RunEvent[]> {
  const { reporter, events } = recorder()
  const controller = new AbortController()
  const { emit } = reporter
  reporter.emit = event => {
    emit.call(reporter, event)
    if (event.type === 'step' && event.stage === 'grpo' && event.step === stopAfter) {
      controller.abort()
    }
  }
  const saved = resume ? await findState(config.output_dir) : undefined
  await runTraining(config, { reporter, signal: controller.signal, resume: saved }).catch(error => {
    if (stopAfter === undefined || error.name !== 'AbortError') throw error
  })
  return events
}

function metrics(events: RunEvent[], stage: string): Metrics[] {
  return events.flatMap(event =>
    event.type === 'step' && event.stage === stage
      ? [Object.fromEntries(Object.entries(event.metrics).filter(([key]) => !isTimingKey(key)))]
      : [],
  )
}

const adapterFile = (config: Recipe, name: string): Promise<Buffer> =>
  readFile(join(config.output_dir, name, 'adapter_model.safetensors'))

describe('a run with adapters', () => {
  it.each(['float32', 'int8'] as const)(
    'trains them in sft and grpo over weights of %s; sampler and trainer agree to the bit; resumes to the bit',
    async dtype => {
      const path = await modelWithWeights()
      const whole = await recipe({ model: { path, dtype } })
      const events = await train(whole)
      const sft = metrics(events, 'sft')
      expect(sft.at(-1)!.loss!).toBeLessThan(sft[0]!.loss! - 0.08)
      const grpo = metrics(events, 'grpo')
      for (const step of grpo) expect(step['sampling/sampling_logp_difference/max']).toBe(0)
      // The reference is the model that the stage began with: the divergence begins at 0.
      expect(grpo[0]!.kl).toBe(0)
      expect(grpo.at(-1)!.kl).toBeGreaterThan(0)

      const broken = await recipe({ model: { path, dtype } })
      await train(broken, 2)
      const rest = await train(broken, undefined, true)
      expect(metrics(rest, 'grpo')).toEqual(grpo.slice(2))
      expect(await adapterFile(broken, 'rl')).toEqual(await adapterFile(whole, 'rl'))
      // The state holds adapters, moments and the reference's adapters, not the model.
      const model = parameterLayout((await openModelDirectory(path)).config).total
      const size = (await adapterFile(whole, 'rl')).length
      expect(size).toBeLessThan(4 * model)
    },
  )

  it('writes adapters that it opens, goes on with and merges', async () => {
    const path = await modelWithWeights()
    const first = await recipe({ model: { path }, grpo: undefined })
    await train(first)
    const adapterDir = join(first.output_dir, 'sft')
    const adapted = await openModelDirectory(adapterDir)
    expect(adapted.adapter?.config).toMatchObject({ r: 4, lora_alpha: 8 })
    await using engine = await Engine.load(adapted)
    const merged = join(first.output_dir, 'merged')
    expect(await writeMerged(adapted, merged)).toEqual({ dtype: 'F32', merged: 14 })
    await using plain = await Engine.load(await openModelDirectory(merged))
    await using base = await Engine.load(await openModelDirectory(path))
    const tokens = Int32Array.from({ length: 40 }, (_, i) => (i * 37) % 1000)
    const batch = { tokens, cuSeqlens: Int32Array.of(0, 40) }
    const [own, other, before] = await Promise.all(
      [engine, plain, base].map(async e => (await e.score(batch)).logprobs),
    )
    const distance = (a: Float32Array, b: Float32Array): number =>
      Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))
    expect(distance(own!, other!)).toBeLessThan(1e-5)
    expect(distance(own!, before!)).toBeGreaterThan(0.1)

    const onward = await recipe({ model: { path: adapterDir }, lora: undefined, grpo: undefined })
    const events = await train(onward)
    const notes = events.flatMap(event => (event.type === 'note' ? [event.message] : []))
    expect(notes.join()).toMatch(/is an adapter \(r 4, lora_alpha 8 on q_proj .*training goes on/)
    const [before0, after0] = [metrics(await train(first), 'sft'), metrics(events, 'sft')]
    expect(after0[0]!.loss!).toBeLessThan(before0[0]!.loss! - 0.08)
    const other8 = await recipe({ model: { path: adapterDir }, lora: { r: 8 } })
    await expect(train(other8)).rejects.toThrow(/lora asks for r 8/)
  })

  it('with dropout trains on the policy that samples, resumes to the bit, and says so in its file', async () => {
    const path = await modelWithWeights()
    const lora = { r: 4, lora_alpha: 8, lora_dropout: 0.2 }
    const grpo = { ...stages.grpo!, num_iterations: 2 }
    const whole = await recipe({ model: { path }, lora, grpo })
    const events = await train(whole)
    const steps = metrics(events, 'grpo')
    // Fresh rollouts: the ratio is 1, and a pass with dropout says nothing of sampler and trainer.
    // Used again: the ratio is the policy's own, without dropout.
    for (const [i, step] of steps.entries()) {
      const apart = step['sampling/sampling_logp_difference/max']
      if (i % 2 === 0) expect(apart).toBeNull()
      else expect(apart).not.toBeNull()
    }
    expect(steps[3]!['sampling/sampling_logp_difference/max']).toBeGreaterThan(0)
    expect(steps[0]!.kl).toBe(0)
    const without = await recipe({ model: { path }, lora: { r: 4, lora_alpha: 8 }, grpo })
    const plain = metrics(await train(without), 'sft')
    expect(metrics(events, 'sft')[0]!.loss).toBe(plain[0]!.loss) // B is 0
    expect(metrics(events, 'sft')[1]!.loss).not.toBe(plain[1]!.loss)

    const broken = await recipe({ model: { path }, lora, grpo })
    await train(broken, 2)
    expect(metrics(await train(broken, undefined, true), 'grpo')).toEqual(steps.slice(2))
    expect(await adapterFile(broken, 'rl')).toEqual(await adapterFile(whole, 'rl'))

    const adapter = join(whole.output_dir, 'rl')
    expect((await openModelDirectory(adapter)).adapter!.config.lora_dropout).toBe(0.2)
    const onward = await recipe({ model: { path: adapter }, lora: undefined, grpo: undefined })
    const notes = (await train(onward)).flatMap(e => (e.type === 'note' ? [e.message] : []))
    expect(notes.join()).toMatch(/lora_dropout 0.2 on q_proj .*training goes on/)
  })

  it('is refused on weights that no file holds', async () => {
    const path = await tinyModelDirectory()
    await expect(recipe({ model: { path, init: 'random' } })).rejects.toThrow(/lora: needs weights/)
  })
})
