/** Guards in whole tiny runs: what each action does to the stage, the weights, the rate, the files. */
import { readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Recipe, RecipeInput } from '../../../lib/config/schema.ts'
import {
  isTimingKey,
  type Metrics,
  type RunEvent,
  type Summary,
} from '../../../lib/report/events.ts'
import { Reporter } from '../../../lib/report/reporter.ts'
import { findState } from '../../../lib/train/find-state.ts'
import { Guards } from '../../../lib/train/guards.ts'
import { optimizerStep } from '../../../lib/train/optimizer.ts'
import { runTraining } from '../../../lib/train/run.ts'
import { temporaryDirectory, tinyRecipe, tinySession } from '../tiny.ts'

type GuardsInput = NonNullable<NonNullable<RecipeInput['grpo']>['guards']>

const LEARNING_RATE = 0.02

/** Everything that is watched, off, save what a test turns on. */
const OFF = Object.fromEntries(
  ['accuracy', 'answer_numbers', 'truncated', 'zero_variance', 'entropy_low', 'entropy_high'].map(
    name => [name, { enabled: false }],
  ),
)

/** A tiny recipe whose entropy falls at this rate, so that a guard of it trips. */
function recipe(guards: GuardsInput, max_steps = 8): RecipeInput {
  return {
    seed: 3,
    // Enough to end a completion now and then.
    sft: {
      data: [{ path: 'mini:sft', size: 100 }],
      max_steps: 12,
      per_device_train_batch_size: 4,
      max_length: 256,
      learning_rate: 1e-2,
    },
    grpo: {
      data: [{ path: 'mini:grpo', size: 30 }],
      max_steps,
      num_generations: 4,
      per_device_train_batch_size: 8,
      max_completion_length: 48,
      learning_rate: LEARNING_RATE,
      // The shorter the better: every group has differences, and the policy sharpens at once.
      rewards: [{ name: 'overlong', options: { soft_punish_cache: 48 } }],
      guards: {
        window: 1,
        warmup_steps: 1,
        patience: 1,
        ...guards,
        watches: { ...OFF, grad_norm: { enabled: false }, ...guards.watches },
      },
    },
    eval: { data: [{ path: 'mini:eval' }], max_samples: 4, max_completion_length: 8 },
  }
}

async function run(
  guards: GuardsInput,
  max_steps?: number,
): Promise<{ config: Recipe; events: RunEvent[]; steps: Metrics[]; summary: Summary }> {
  const config = await tinyRecipe(recipe(guards, max_steps))
  const events: RunEvent[] = []
  const reporter = new Reporter([{ handle: event => void events.push(event) }])
  await runTraining(config, { reporter, signal: new AbortController().signal })
  const steps = stepsOf(events)
  const end = events.find(event => event.type === 'run_end')
  return { config, events, steps, summary: end!.summary! }
}

function stepsOf(events: RunEvent[]): Metrics[] {
  return events.flatMap(event =>
    event.type === 'step' && event.stage === 'grpo'
      ? [Object.fromEntries(Object.entries(event.metrics).filter(([key]) => !isTimingKey(key)))]
      : [],
  )
}

const warnings = (events: RunEvent[]): string[] =>
  events.flatMap(event =>
    event.type === 'note' && event.level === 'warning' ? [event.message] : [],
  )

/** Trips as soon as the entropy is 2 % below its greatest value. */
const FALLING = { entropy_low: { enabled: true, factor: 0.98 } }

describe('guards in a run', () => {
  it('off changes nothing; warn says so in log and summary and goes on', async () => {
    const off = await run({ action: 'off', watches: FALLING })
    expect(off.summary.guards).toEqual([])
    expect(off.steps).toHaveLength(8)
    expect(Object.keys(off.steps[0]!).some(key => key.startsWith('guards/'))).toBe(false)

    const warn = await run({ watches: FALLING })
    const made = warn.summary.guards!
    expect(made.length).toBeGreaterThan(0)
    expect(made[0]).toMatchObject({ action: 'warn', trips: [{ watch: 'entropy_low' }] })
    expect(warnings(warn.events)).toEqual(made.map(({ message }) => message))
    const tripped = warn.steps[made[0]!.step - 1]!
    expect(tripped['guards/entropy_low']).toBeGreaterThan(1)
    expect(made[0]!.trips[0]!.average).toBe(tripped.entropy)
    const bare = ({ ...metrics }: Metrics): Metrics => {
      delete metrics['guards/entropy_low']
      return metrics
    }
    expect(warn.steps.map(bare)).toEqual(off.steps)
  })

  it('stop ends the stage at once, with its checkpoint, evaluation and summary', async () => {
    const { config, steps, summary, events } = await run({ action: 'stop', watches: FALLING })
    const [made] = summary.guards!
    expect(made).toMatchObject({ action: 'stop', step: steps.length })
    expect(steps.length).toBeLessThan(8)
    expect(warnings(events)[0]).toContain('the stage ends here')
    expect(summary.rl!.n).toBe(4)
    expect(readdirSync(join(config.output_dir, 'rl'))).toContain('model.safetensors')
  })

  it('rollback goes on with the lower rate, after the last rollback it stops', async () => {
    const guards: GuardsInput = {
      action: 'rollback',
      max_rollbacks: 1,
      learning_rate_factor: 0.25,
      keep_steps: 100,
      watches: FALLING,
    }
    const { config, steps, summary } = await run(guards)
    const made = summary.guards!
    expect(made[0]).toMatchObject({ action: 'rollback', restored_step: 0 })
    const at = made[0]!.step
    expect(steps.map(metrics => metrics.learning_rate)).toEqual(
      steps.map((_, i) => LEARNING_RATE * (i < at ? 1 : 0.25)),
    )
    expect(steps[at]!['sampling/sampling_logp_difference/max']).toBe(0)
    if (made.length > 1) expect(made[1]).toMatchObject({ action: 'stop', step: steps.length })
    const kept = readdirSync(join(config.output_dir, 'checkpoints'))
    expect(kept.filter(name => name.startsWith('good-'))).toEqual(['good-0.bin'])

    // When the trip is at the last step, the stage ends with the weights that it began with.
    const ended = await run(guards, at)
    const weights = (name: string): Promise<Buffer> =>
      readFile(join(ended.config.output_dir, name, 'model.safetensors'))
    expect((await weights('rl')).equals(await weights('sft'))).toBe(true)
  })

  it('restores weights and optimizer to the bit', async () => {
    const session = await tinySession(
      recipe({ action: 'rollback', keep_steps: 1, watches: FALLING }),
    )
    const stage = session.config.grpo!
    const { engine } = session
    const dir = await temporaryDirectory()
    const bits = async (name: string): Promise<Buffer> => {
      await engine.saveState(join(dir, name))
      return await readFile(join(dir, name))
    }
    const train = async (step: number): Promise<void> => {
      const batch = {
        tokens: Int32Array.from([5, 6, 7, 8]),
        cuSeqlens: Int32Array.from([0, 4]),
        mask: Uint8Array.from([0, 1, 1, 1]),
      }
      await engine.forwardBackward(batch, Float32Array.from([0, 1, -1, 1]), {})
      await optimizerStep(session, stage, step, 8)
    }
    try {
      await engine.resetOptimizer()
      const guards = new Guards(session, stage)
      await guards.begin(0)
      await train(1)
      guards.observe(1, { entropy: 2 })
      expect(await guards.act(1)).toEqual({ stop: false, restored: false })
      const good = await bits('good')
      await train(2)
      await train(3)
      expect((await bits('astray')).equals(good)).toBe(false)
      expect(guards.observe(3, { entropy: 1 })['guards/entropy_low']).toBeCloseTo(25, 9)
      expect(await guards.act(3)).toEqual({ stop: false, restored: true })
      expect((await bits('restored')).equals(good)).toBe(true)
      expect(guards.adjust(stage).learning_rate).toBe(LEARNING_RATE / 2)
      expect(session.guards!.records[0]).toMatchObject({ step: 3, restored_step: 1 })
    } finally {
      await engine.dispose()
    }
  })

  it('a good state waits for the saved state before it, which may refer to the one that then goes', async () => {
    const session = await tinySession(recipe({ action: 'rollback', watches: FALLING }))
    const order: string[] = []
    let open = (): void => {}
    const gate = new Promise<void>(resolve => {
      open = resolve
    })
    const save = vi.spyOn(session.engine, 'saveState').mockImplementation(async path => {
      order.push('good state')
      await writeFile(path, '')
    })
    try {
      await session.saver.beside(session.ranks, {
        label: 'saved state',
        write: () => gate,
        publish: async () => void order.push('saved state'),
      })
      const begun = new Guards(session, session.config.grpo!).begin(0)
      await Promise.race([begun, setTimeout(100)])
      open()
      await begun
      expect(order).toEqual(['saved state', 'good state'])
    } finally {
      save.mockRestore()
      await session.engine.dispose()
    }
  })

  it('a run that was stopped decides as the uninterrupted one', async () => {
    const guards: GuardsInput = { action: 'rollback', keep_steps: 2, watches: FALLING }
    const straight = await run(guards)
    const trip = straight.summary.guards![0]!.step
    const config = await tinyRecipe(recipe(guards))
    const events: RunEvent[] = []
    let summary: Summary | undefined
    for (const [i, last] of [1, trip, Number.POSITIVE_INFINITY].entries()) {
      const controller = new AbortController()
      const reporter = new Reporter([
        {
          handle(event) {
            events.push(event)
            if (event.type === 'step' && event.stage === 'grpo' && event.step === last)
              controller.abort()
            if (event.type === 'run_end') summary = event.summary
          },
        },
      ])
      const resume = i === 0 ? undefined : await findState(config.output_dir)
      await runTraining(config, { reporter, signal: controller.signal, resume }).catch(error => {
        if (!controller.signal.aborted) throw error
      })
    }
    expect(stepsOf(events)).toEqual(straight.steps)
    expect(summary!.guards).toEqual(straight.summary.guards)
  })
})
