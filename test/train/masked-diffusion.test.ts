/** The stage sft with masked_diffusion (experimental) on a tiny bidirectional model. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { resolveRecipe } from '../../lib/config/load.ts'
import type { Recipe, RecipeInput } from '../../lib/config/schema.ts'
import { isTimingKey, type Metrics, type RunEvent } from '../../lib/report/events.ts'
import { Reporter } from '../../lib/report/reporter.ts'
import { findState } from '../../lib/train/find-state.ts'
import { runTraining } from '../../lib/train/run.ts'
import { temporaryDirectory, tinyModelDirectory } from './tiny.ts'

async function model(bidirectional: boolean): Promise<string> {
  const dir = await tinyModelDirectory()
  const file = join(dir, 'config.json')
  const config = JSON.parse(await readFile(file, 'utf8')) as object
  await writeFile(file, JSON.stringify(bidirectional ? { ...config, is_causal: false } : config))
  return dir
}

async function recipe(path: string, sft: Partial<RecipeInput['sft']> = {}): Promise<Recipe> {
  return resolveRecipe({
    seed: 5,
    threads: 1,
    output_dir: join(await temporaryDirectory(), 'run'),
    model: { path, init: 'random' },
    sft: {
      data: [{ path: 'mini:sft', size: 200 }],
      eval_data: [{ path: 'mini:sft', size: 10, options: { seed: 99 } }],
      masked_diffusion: { mask_token: '<|endoftext|>' },
      max_steps: 16,
      per_device_train_batch_size: 2,
      gradient_accumulation_steps: 2,
      max_length: 256,
      learning_rate: 1e-2,
      ...sft,
    },
  })
}

/** Runs, stopped and taken up after each of these steps; the metrics without times. */
async function run(
  config: Recipe,
  stopAfter: readonly number[] = [],
): Promise<{ steps: Metrics[]; weights: Buffer }> {
  const steps: Metrics[] = []
  for (const [part, stop] of [...stopAfter, null].entries()) {
    const controller = new AbortController()
    const handle = (event: RunEvent): void => {
      if (event.type !== 'step') return
      const metrics = Object.entries(event.metrics).filter(([key]) => !isTimingKey(key))
      steps.push(Object.fromEntries(metrics))
      if (event.step === stop) controller.abort()
    }
    const resume = part === 0 ? undefined : await findState(config.output_dir)
    const io = { reporter: new Reporter([{ handle }]), signal: controller.signal, resume }
    await runTraining(config, io).catch(error => {
      if (!controller.signal.aborted) throw error
    })
  }
  return { steps, weights: await readFile(join(config.output_dir, 'sft/model.safetensors')) }
}

describe('sft with masked_diffusion', () => {
  it('learns to fill in what is masked, and resumes to the bit', async () => {
    const path = await model(true)
    const { steps, weights } = await run(await recipe(path))
    const evaluated = steps.at(-1)!.eval_loss!
    // A uniform guess costs log 1024 = 6.9 nats a token; the estimate of one mask a sample is noisy.
    expect(steps[0]!.loss).toBeGreaterThan(5)
    expect(evaluated).toBeLessThan(5.5)
    const again = await run(await recipe(path), [4, 11])
    expect(again.steps).toEqual(steps)
    expect(again.weights.equals(weights)).toBe(true)
    const other = await run(await recipe(path, { packing: false, seed: 6 }))
    expect(other.weights.equals(weights)).toBe(false)
  })

  it('and a model that do not fit are refused', async () => {
    const causal = await model(false)
    await expect(run(await recipe(causal))).rejects.toThrow('not for Qwen3')
    const both = await model(true)
    await expect(run(await recipe(both, { masked_diffusion: undefined }))).rejects.toThrow(
      'sees the token it is to predict',
    )
    const named = recipe(both, { masked_diffusion: { mask_token: '<|없음|>' } })
    await expect(run(await named)).rejects.toThrow('no token "<|없음|>"')
  })
})
