/**
 * Short runs of the stage grpo on a tiny model that has had a few steps of SFT (so that rewards
 * differ), whole or stopped and taken up again.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RecipeInput } from '../../lib/config/schema.ts'
import { isTimingKey, type RunEvent } from '../../lib/report/events.ts'
import { Reporter } from '../../lib/report/reporter.ts'
import { findState } from '../../lib/train/find-state.ts'
import { runTraining } from '../../lib/train/run.ts'
import { recorder, tinyRecipe } from './tiny.ts'

export type GrpoInput = Partial<NonNullable<RecipeInput['grpo']>>
export type StepMetrics = Record<string, number | null>

/** What a run left behind. */
export interface GrpoRun {
  steps: StepMetrics[]
  events: RunEvent[]
  weights: Buffer
}

const base = {
  data: [{ path: 'mini:grpo', size: 40 }],
  max_steps: 4,
  num_generations: 8,
  per_device_train_batch_size: 16,
  max_completion_length: 40,
  learning_rate: 2e-3,
  // A reward of the length alone: the shorter the better, −1 for what does not end.
  rewards: [{ name: 'overlong' as const, weight: 1, options: { soft_punish_cache: 40 } }],
}

let model: Promise<string> | undefined

/** A directory with the tiny model after 12 steps of SFT; made once. */
export function warmModel(): Promise<string> {
  model ??= makeWarmModel()
  return model
}

async function makeWarmModel(): Promise<string> {
  const config = await tinyRecipe({
    seed: 5,
    sft: {
      data: [{ path: 'mini:sft', size: 300 }],
      max_steps: 12,
      per_device_train_batch_size: 4,
      max_length: 256,
      learning_rate: 1e-2,
    },
  })
  const { reporter } = recorder()
  await runTraining(config, { reporter, signal: new AbortController().signal })
  return join(config.output_dir, 'sft')
}

/** Metrics of every step without the measurements of time. */
function stepsOf(events: readonly RunEvent[]): StepMetrics[] {
  return events.flatMap(event =>
    event.type === 'step'
      ? [Object.fromEntries(Object.entries(event.metrics).filter(([key]) => !isTimingKey(key)))]
      : [],
  )
}

/**
 * Runs the stage with `changes`. With `stopAfter` the run is stopped after each of these steps and
 * taken up again from its directory.
 */
export async function grpoRun(
  changes: GrpoInput = {},
  stopAfter: readonly number[] = [],
  evaluation?: RecipeInput['eval'],
): Promise<GrpoRun> {
  const config = await tinyRecipe({
    seed: 5,
    threads: 2,
    model: { path: await warmModel(), init: 'pretrained' },
    grpo: { ...base, ...changes },
    ...(evaluation ? { eval: evaluation } : {}),
  })
  const events: RunEvent[] = []
  for (const [part, stop] of [...stopAfter, null].entries()) {
    const controller = new AbortController()
    const handle = (event: RunEvent): void => {
      events.push(event)
      if (event.type === 'step' && event.step === stop) controller.abort()
    }
    const resume = part === 0 ? undefined : await findState(config.output_dir)
    const io = { reporter: new Reporter([{ handle }]), signal: controller.signal, resume }
    await runTraining(config, io).catch(error => {
      if (!controller.signal.aborted) throw error
    })
  }
  const weights = await readFile(join(config.output_dir, 'rl/model.safetensors'))
  return { steps: stepsOf(events), events, weights }
}
