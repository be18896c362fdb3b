import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Recipe, RecipeInput } from '../../lib/config/schema.ts'
import type { RunEvent, Summary } from '../../lib/report/events.ts'
import { runTraining } from '../../lib/train/run.ts'
import { recorder, tinyRecipe } from './tiny.ts'

interface Ran {
  config: Recipe
  events: RunEvent[]
  summary: Summary
  weights(path: string): Promise<Buffer>
}

async function run(recipe: RecipeInput): Promise<Ran> {
  const config = await tinyRecipe({ seed: 5, ...recipe })
  const { reporter, events } = recorder()
  await runTraining(config, { reporter, signal: new AbortController().signal })
  const end = events.find(event => event.type === 'run_end')!
  const weights = (path: string) => readFile(join(config.output_dir, path, 'model.safetensors'))
  return { config, events, summary: end.summary!, weights }
}

/** The values of a metric by step, where it was measured. */
function measured(events: RunEvent[], metric: string): [step: number, value: number][] {
  return events.flatMap(event =>
    event.type === 'step' && typeof event.metrics[metric] === 'number'
      ? [[event.step, event.metrics[metric]] as [number, number]]
      : [],
  )
}

const data = [{ path: 'mini:sft', size: 300 }]
const sft = {
  data,
  eval_data: [{ path: 'mini:sft', size: 20, options: { seed: 99 } }],
  max_steps: 9,
  per_device_train_batch_size: 4,
  max_length: 256,
  eval_steps: 2,
}
const grpo = {
  data: [{ path: 'mini:grpo', size: 50 }],
  max_steps: 5,
  num_generations: 4,
  per_device_train_batch_size: 8,
  max_completion_length: 32,
  learning_rate: 1e-2,
  eval_steps: 2,
}
const evaluation = { data: [{ path: 'mini:eval' }], max_samples: 12, max_completion_length: 32 }

describe('the best model of a stage', () => {
  it('sft: the least loss, of step 0 and of the last step too; kept beside the last one', async () => {
    const { summary, events, weights } = await run({
      sft: { ...sft, metric_for_best_model: 'eval_loss', learning_rate: 1e-2 },
    })
    const losses = measured(events, 'eval_loss')
    expect(losses.map(([step]) => step)).toEqual([0, 2, 4, 6, 8, 9])
    const [step, value] = losses.reduce((a, b) => (b[1] < a[1] ? b : a))
    expect(step).toBeGreaterThan(4)
    expect(summary.best!.sft).toMatchObject({ step, metric: 'eval_loss', value })
    expect(summary.best!.sft!.checkpoint).toBe('checkpoints/sft-best')
    const same = (await weights('sft')).equals(await weights('checkpoints/sft-best'))
    expect(same).toBe(step === 9)
    const first = await run({
      sft: {
        ...{ ...sft, metric_for_best_model: 'eval_entropy', greater_is_better: true },
        ...{ learning_rate: 1e-2, load_best_model_at_end: true, max_steps: 4 },
      },
    })
    expect(first.summary.best!.sft!.step).toBe(0)
    const untrained = await first.weights('checkpoints/sft-best')
    expect((await first.weights('sft')).equals(untrained)).toBe(true)
  })

  it('grpo: step 0 is the evaluation before the stage; its end is the best when asked for', async () => {
    const best = {
      metric_for_best_model: 'eval_mean_length',
      load_best_model_at_end: true,
    } as const
    const { summary, events, weights, config } = await run({
      grpo: { ...grpo, ...best },
      eval: evaluation,
    })
    const lengths = measured(events, 'eval_mean_length')
    expect(lengths.map(([step]) => step)).toEqual([0, 2, 4, 5])
    expect(lengths[0]![1]).toBe(summary.base!.mean_length)
    const [step, value] = lengths.reduce((a, b) => (b[1] < a[1] ? b : a))
    expect(summary.best!.grpo).toMatchObject({ step, value })
    expect(summary.rl!.mean_length).toBe(value)
    expect((await weights('rl')).equals(await weights('checkpoints/grpo-best'))).toBe(true)
    const notes = events.flatMap(event => (event.type === 'note' ? [event.message] : []))
    expect(notes.at(-1)).toContain(`at step ${step}, in ${config.output_dir}`)
    expect(notes.at(-1)).toContain('the stage ends with it')
    // More instead of less chooses another one.
    const more = await run({
      grpo: { ...grpo, ...best, greater_is_better: true },
      eval: evaluation,
    })
    expect(measured(more.events, 'eval_mean_length')).toEqual(lengths)
    const [, longest] = lengths.reduce((a, b) => (b[1] > a[1] ? b : a))
    expect(longest).toBeGreaterThan(value)
    expect(more.summary.rl!.mean_length).toBe(longest)
  })

  it('nothing is kept where nothing is asked for', async () => {
    const { summary, config } = await run({ sft: { ...sft, max_steps: 2 } })
    expect(summary.best).toBeUndefined()
    expect(existsSync(join(config.output_dir, 'checkpoints'))).toBe(false)
  })
})
