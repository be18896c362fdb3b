import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Recipe, RecipeInput } from '../../lib/config/schema.ts'
import { isTimingKey, type RunEvent } from '../../lib/report/events.ts'
import { Reporter } from '../../lib/report/reporter.ts'
import { findState } from '../../lib/train/find-state.ts'
import { runTraining } from '../../lib/train/run.ts'
import { recorder, tinyRecipe } from './tiny.ts'

const recipe: RecipeInput = {
  seed: 5,
  sft: {
    data: [{ path: 'mini:sft', size: 300 }],
    eval_data: [{ path: 'mini:sft', size: 20, options: { seed: 99 } }],
    max_steps: 12,
    per_device_train_batch_size: 4,
    max_length: 256,
    learning_rate: 1e-2,
    weight_decay: 0.01,
  },
  grpo: {
    data: [{ path: 'mini:grpo', size: 50 }],
    max_steps: 4,
    num_generations: 4,
    num_iterations: 2,
    per_device_train_batch_size: 8,
    gradient_accumulation_steps: 2,
    max_completion_length: 32,
    learning_rate: 1e-3,
    beta: 0.01,
    oracle: { rule: 'override', judge: { kind: 'program' } },
  },
  eval: { data: [{ path: 'mini:eval' }], max_samples: 12, max_completion_length: 32 },
}

async function run(
  changes: Partial<RecipeInput> = {},
): Promise<{ config: Recipe; events: RunEvent[] }> {
  const config = await tinyRecipe({ ...recipe, ...changes })
  const { reporter, events } = recorder()
  await runTraining(config, { reporter, signal: new AbortController().signal })
  return { config, events }
}

/** Metrics of all steps without the measurements of time and memory. */
function metrics(events: RunEvent[]): Record<string, number | null>[] {
  return events.flatMap(event =>
    event.type === 'step'
      ? [Object.fromEntries(Object.entries(event.metrics).filter(([key]) => !isTimingKey(key)))]
      : [],
  )
}

describe('a whole run', () => {
  it('samples and trains alike under model.smooth, and differs from a run without', async () => {
    const grpo = { ...recipe.grpo!, max_steps: 2, num_iterations: 1 }
    const { sft: _sft, eval: _eval, ...rest } = recipe
    const plain = await run({ ...rest, sft: undefined, eval: undefined, grpo })
    const model = { smooth: { min_scale: 0.2 } }
    const smoothed = await run({ ...rest, sft: undefined, eval: undefined, grpo, model })
    const [before, after] = [metrics(plain.events), metrics(smoothed.events)]
    for (const step of after) expect(step['sampling/sampling_logp_difference/max']).toBe(0)
    expect(after[0]!.entropy).not.toBe(before[0]!.entropy)
    const notes = smoothed.events.filter(event => event.type === 'note')
    expect(JSON.stringify(notes)).toMatch(/model.smooth: \d+ broken tokens × 0\.\d+ … 0\.\d+/)
  })

  it('is on-policy to the bit in bfloat16, at every step', async () => {
    const grpo = { ...recipe.grpo!, max_steps: 5, num_iterations: 1 }
    const rounded = await run({ model: { dtype: 'bfloat16' }, grpo, eval: undefined })
    const steps = metrics(rounded.events).slice(12)
    expect(steps.map(step => step['sampling/sampling_logp_difference/max'])).toEqual([
      0, 0, 0, 0, 0,
    ])
    expect(steps.every(step => step.entropy! > 0)).toBe(true)
  })

  it('gives the same metrics, completions and weights with 1 thread and with 2', async () => {
    const [one, two] = [await run({ threads: 1 }), await run({ threads: 2 })]
    expect(metrics(two.events)).toEqual(metrics(one.events))
    const rows = (events: RunEvent[]): RunEvent[] => events.filter(e => e.type === 'completions')
    expect(rows(two.events)).toEqual(rows(one.events))
    for (const name of ['sft', 'rl']) {
      const weights = ({ config }: { config: Recipe }): Promise<Buffer> =>
        readFile(join(config.output_dir, name, 'model.safetensors'))
      expect((await weights(two)).equals(await weights(one))).toBe(true)
    }

    const steps = metrics(one.events)
    expect(steps).toHaveLength(16)
    expect(steps[11]!.loss).toBeLessThan(steps[0]!.loss! - 1)
    expect(steps[11]!.eval_loss).toBeLessThan(steps[0]!.loss!)
    const rl = steps.slice(12)
    // Steps 1 and 3 are on fresh rollouts and exactly on-policy, 2 and 4 are second passes.
    expect(rl.map(m => m['sampling/sampling_logp_difference/max'] === 0)).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(rl[0]!.kl).toBe(0)
    expect(rl[3]!.kl).toBeGreaterThan(0)
    const order = one.events.flatMap(e => (e.type === 'eval' ? [e.stage] : []))
    expect(order).toEqual(['base', 'sft', 'rl'])
  })

  it('goes on to the bit after being stopped, wherever that was', async () => {
    const grpo = { ...recipe.grpo!, max_steps: 6, eval_steps: 2 }
    const best = {
      metric_for_best_model: 'eval_mean_length',
      load_best_model_at_end: true,
    } as const
    const changes: Partial<RecipeInput> = { grpo: { ...grpo, ...best, learning_rate: 1e-2 } }
    const straight = await run(changes)
    const config = await tinyRecipe({ ...recipe, ...changes })
    const events: RunEvent[] = []
    // Stopped after an SFT step, at once when taken up, in the evaluation between the stages, in a
    // generation, in an evaluation during RL, and in a later pass of a round.
    const stops: ((event: RunEvent) => boolean)[] = [
      event => event.type === 'step' && event.step === 5,
      event => event.type === 'run_start',
      event => event.type === 'activity' && event.activity === 'evaluation of sft',
      event => event.type === 'activity' && event.activity === 'generation',
      event => event.type === 'activity' && event.activity === 'evaluation',
      event => event.type === 'step' && event.step === 5,
      () => false,
    ]
    for (const [i, stop] of stops.entries()) {
      const controller = new AbortController()
      const reporter = new Reporter([
        {
          handle(event) {
            events.push(event)
            if (stop(event)) controller.abort()
          },
        },
      ])
      const resume = i === 0 ? undefined : await findState(config.output_dir)
      const io = { reporter, signal: controller.signal, resume }
      await runTraining(config, io).catch(error => {
        if (!controller.signal.aborted) throw error
      })
      if (i < stops.length - 1) expect(controller.signal.aborted).toBe(true)
    }
    const expected = metrics(straight.events)
    const got = metrics(events)
    // An evaluation that was stopped is left out of its step; everything else is the same.
    const withoutEval = (rows: typeof got): typeof got =>
      rows.map(row => Object.fromEntries(Object.entries(row).filter(([k]) => !/^eval_/.test(k))))
    expect(withoutEval(got)).toEqual(withoutEval(expected))
    // Two were stopped, after the steps 2 and 6; that either may have been the best is made up for.
    expect(got.filter(row => 'eval_accuracy' in row)).toHaveLength(2)
    expect(expected.filter(row => 'eval_accuracy' in row)).toHaveLength(4)
    const weights = (path: string): Promise<Buffer> => readFile(join(path, 'rl/model.safetensors'))
    expect(
      (await weights(config.output_dir)).equals(await weights(straight.config.output_dir)),
    ).toBe(true)
    const summary = (all: RunEvent[]): unknown =>
      all.flatMap(e => (e.type === 'run_end' ? [{ ...e.summary, wall_s: 0 }] : []))
    expect(summary(events)).toEqual(summary(straight.events))
  })

  it('stops when aborted', async () => {
    const config = await tinyRecipe(recipe)
    const { reporter } = recorder()
    const signal = AbortSignal.timeout(50)
    await expect(runTraining(config, { reporter, signal })).rejects.toThrow()
  })

  it('refuses data that is not there, by name', async () => {
    const config = await tinyRecipe({ eval: { data: [{ path: 'mini:sft', size: 3 }] } })
    const { reporter } = recorder()
    const io = { reporter, signal: new AbortController().signal }
    config.eval!.data[0]!.path = 'mini:nothing'
    await expect(runTraining(config, io)).rejects.toThrow('no built-in data set "mini:nothing"')
  })
})
