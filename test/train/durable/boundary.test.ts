/** What is saved between steps where rounds have several of them, and what is not where a step fails. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import type { Recipe, RecipeInput } from '../../../lib/config/schema.ts'
import { Engine } from '../../../lib/engine/engine.ts'
import type { RunEvent, Summary } from '../../../lib/report/events.ts'
import { Reporter } from '../../../lib/report/reporter.ts'
import { BestKeeper } from '../../../lib/train/best.ts'
import { isDue } from '../../../lib/train/checkpoint.ts'
import { findState } from '../../../lib/train/find-state.ts'
import { openSession } from '../../../lib/train/open-session.ts'
import { Oracle } from '../../../lib/train/oracle.ts'
import { runTraining } from '../../../lib/train/run.ts'
import type { SavedState } from '../../../lib/train/run-state.ts'
import { SameRun } from '../../../lib/train/same-run.ts'
import type { Session } from '../../../lib/train/session.ts'
import { kogrpo } from '../../cli/running.ts'
import { recorder, temporaryDirectory, tinyModelDirectory, tinyRecipe } from '../tiny.ts'

const sft = {
  data: [{ path: 'mini:sft', size: 50 }],
  max_steps: 4,
  per_device_train_batch_size: 1,
  max_length: 256,
}
const grpo = {
  data: [{ path: 'mini:grpo', size: 20 }],
  max_steps: 6,
  num_generations: 2,
  num_iterations: 2,
  per_device_train_batch_size: 2,
  max_completion_length: 8,
  learning_rate: 1e-2,
  rewards: [{ name: 'overlong' as const, weight: 1, options: { soft_punish_cache: 8 } }],
}

const statesOf = ({ output_dir }: Recipe): string[] => {
  const checkpoints = join(output_dir, 'checkpoints')
  const names = existsSync(checkpoints) ? readdirSync(checkpoints) : []
  return names.filter(name => name.startsWith('state-'))
}

afterEach(() => void vi.restoreAllMocks())

it('is due at every multiple, or behind the first that has gone by', () => {
  const steps = [0, 1, 2, 3, 4, 5, 6]
  expect(steps.filter(step => isDue(3, step))).toEqual([3, 6])
  expect(steps.filter(step => isDue(0, step))).toEqual([])
  expect([0, 2, 4, 6].filter(step => isDue(3, step, step - 2))).toEqual([4, 6])
})

it('states and comparisons of weights come between rounds of several steps', async () => {
  const config = await tinyRecipe({
    threads: 1,
    grpo: { ...grpo, save_steps: 3, check_weights_steps: 2 },
  })
  const digests = vi.spyOn(Engine.prototype, 'weightDigests')
  await runTraining(config, { reporter: recorder().reporter, signal: new AbortController().signal })
  expect(statesOf(config)).toEqual(['state-grpo-4-0'])
  // At the start of the run, and before the steps 3 and 5.
  expect(digests).toHaveBeenCalledTimes(3)
})

/** A run; with `stop` it is stopped at that event and taken up again. */
async function run(recipe: RecipeInput, stop?: (event: RunEvent, step: number) => boolean) {
  const config = await tinyRecipe({ seed: 3, threads: 1, ...recipe })
  const evaluated: number[] = []
  let summary: Summary | undefined
  for (const part of stop ? [0, 1] : [1]) {
    const controller = new AbortController()
    let step = 0
    const handle = (event: RunEvent): void => {
      if (part === 0 && stop!(event, step)) controller.abort()
      if (event.type === 'run_end') summary = event.summary
      if (event.type !== 'step') return
      step = event.step
      if ('eval_mean_length' in event.metrics) evaluated.push(step)
    }
    const resume = stop && part === 1 ? await findState(config.output_dir) : undefined
    const io = { reporter: new Reporter([{ handle }]), signal: controller.signal, resume }
    await runTraining(config, io).catch(error => {
      if (!controller.signal.aborted) throw error
    })
  }
  return { best: summary!.best, evaluated }
}

it('an evaluation within a round is made also where the run is to stop', async () => {
  const recipe = {
    grpo: {
      ...{ ...grpo, max_steps: 4, eval_steps: 1, greater_is_better: true },
      metric_for_best_model: 'eval_mean_length' as const,
    },
    eval: { data: [{ path: 'mini:eval' }], max_samples: 4, max_completion_length: 8 },
  }
  const whole = await run(recipe)
  expect(whole.evaluated).toEqual([0, 1, 2, 3, 4])
  const stopped = await run(
    recipe,
    (event, step) => step === 0 && event.type === 'activity' && event.activity === 'evaluation',
  )
  // That of step 2 is made up for when the run is taken up.
  expect(stopped.evaluated).toEqual([0, 1, 3, 4])
  expect(stopped.best).toEqual(whole.best)
})

it('a missed evaluation is made up for where the reference looks at it', () => {
  const missed = (options: object): number | undefined => {
    const session = { best: {} } as Session
    const stage = { eval_steps: 1, load_best_model_at_end: false, ...options }
    const best = new BestKeeper(session, 'grpo', stage)
    best.miss(3)
    return best.missed
  }
  expect(missed({ metric_for_best_model: 'eval_accuracy' })).toBe(3)
  expect(missed({ ref_reset_plateau: { metric: 'eval_accuracy' } })).toBe(3)
  expect(missed({})).toBeUndefined()
})

it('weights behind the last boundary are not saved as its own', async () => {
  const config = await tinyRecipe({ threads: 1, sft })
  const controller = new AbortController()
  const handle = (event: RunEvent): void => {
    if (event.type !== 'step' || event.step !== 2) return
    controller.abort()
    throw new Error('the disk is full')
  }
  const io = { reporter: new Reporter([{ handle }]), signal: controller.signal }
  await expect(runTraining(config, io)).rejects.toThrow('the disk is full')
  expect(statesOf(config)).toEqual([])
})

it('closes the judge where a resume is refused', async () => {
  const config = await tinyRecipe({
    threads: 1,
    grpo: {
      ...{ data: grpo.data, num_generations: 2, per_device_train_batch_size: 2 },
      oracle: { rule: 'override', judge: { kind: 'program' } },
    },
  })
  const close = vi.spyOn(Oracle.prototype, 'close')
  vi.spyOn(Oracle.prototype, 'checkCache').mockReturnValue('another cache')
  vi.spyOn(SameRun.prototype, 'checkHash').mockReturnValue()
  vi.spyOn(SameRun.prototype, 'checkThat').mockImplementation((_, problem) => {
    if (problem === 'another cache') throw new Error(problem)
  })
  const resume = { config, judge_cache: {} } as SavedState
  const io = { reporter: recorder().reporter, signal: new AbortController().signal, resume }
  await expect(openSession(config, io)).rejects.toThrow('another cache')
  expect(close).toHaveBeenCalledOnce()
})

it('--resume with --dry-run leaves the run as it is', async () => {
  const directory = join(await temporaryDirectory(), 'run')
  const path = await tinyModelDirectory()
  const recipe = {
    seed: 1,
    threads: 1,
    model: { path, init: 'random' },
    sft: { ...sft, save_steps: 2 },
  }
  const file = join(await temporaryDirectory(), 'recipe.json')
  const { writeFileSync } = await import('node:fs')
  writeFileSync(file, JSON.stringify(recipe))
  expect(await kogrpo(['train', file, '--output-dir', directory])).toMatchObject({ code: 0 })
  const content = (): string[] =>
    ['metrics.jsonl', 'config.json'].map(name => readFileSync(join(directory, name), 'utf8'))
  const before = content()
  expect(before[0]!.trim().split('\n')).toHaveLength(4)
  const dry = await kogrpo(['train', '--resume', directory, '--dry-run', '--logging.steps', '7'])
  expect(dry).toMatchObject({ code: 0 })
  expect(content()).toEqual(before)
})
