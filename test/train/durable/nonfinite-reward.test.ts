/** A reward that is NaN: the run stops, naming function and sample, or the step is left out; replay shows it. */
import { join } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { RewardFunction } from '../../../lib/rewards/types.ts'
import { probe, probePrompts } from '../../../lib/train/probe.ts'
import { replay } from '../../../lib/train/replay.ts'
import { runTraining } from '../../../lib/train/run.ts'
import { kogrpo } from '../../cli/running.ts'
import { recorder, tinyRecipe, tinySession } from '../tiny.ts'

const broken = vi.hoisted(() => ({ calls: 0, at: 0, value: Number.NaN }))

/** The second completion of the group that is rated `broken.at`-th gets `broken.value`. */
vi.mock('../../../lib/rewards/overlong.ts', async original => {
  const { overlongReward } = (await original()) as {
    overlongReward: (...args: unknown[]) => RewardFunction
  }
  return {
    overlongReward: (...args: unknown[]): RewardFunction => {
      const reward = overlongReward(...args)
      return async input => {
        const values = await reward(input)
        if (++broken.calls === broken.at) values[1] = broken.value
        return values
      }
    },
  }
})

beforeEach(() => {
  broken.calls = 0
})

/** Three steps of two groups each; the reward of the third group, the second step's, is not finite. */
async function run(on_nonfinite: 'stop' | 'skip_step', value: number, beta = 0) {
  Object.assign(broken, { at: 3, value })
  const config = await tinyRecipe({
    seed: 5,
    threads: 1,
    grpo: {
      data: [{ path: 'mini:grpo', size: 6 }],
      max_steps: 3,
      num_generations: 4,
      per_device_train_batch_size: 8,
      max_completion_length: 16,
      learning_rate: 5e-3,
      beta,
      rewards: [{ name: 'overlong', weight: 1, options: { soft_punish_cache: 16 } }],
      on_nonfinite,
    },
  })
  const { reporter, events } = recorder()
  const ended = runTraining(config, { reporter, signal: new AbortController().signal })
  const error = await ended.then(
    () => null,
    (e: unknown) => e,
  )
  return { events, error, saved: join(config.output_dir, 'nonfinite', 'grpo-2') }
}

describe('a reward that is not finite', () => {
  it('is an error where a model is only looked at', async () => {
    Object.assign(broken, { at: 1, value: Number.NaN })
    const session = await tinySession({
      threads: 1,
      grpo: {
        data: [{ path: 'mini:grpo', size: 2 }],
        num_generations: 2,
        per_device_train_batch_size: 2,
        max_completion_length: 4,
        rewards: [{ name: 'overlong', weight: 1, options: { soft_punish_cache: 4 } }],
      },
    })
    try {
      const stage = session.config.grpo!
      const prompts = await probePrompts(session, stage, 2)
      await expect(probe(session, stage, prompts, 2)).rejects.toMatchObject({ code: 'E_REWARD' })
    } finally {
      await session.engine.dispose()
    }
  })

  it('stops the run, names function, sample and value, and is shown by replay', async () => {
    const { error, saved } = await run('stop', Number.NaN)
    expect(error).toMatchObject({
      code: 'E_REWARD',
      message: expect.stringMatching(
        /^grpo step 2: reward 'overlong' is NaN for sample [15]; .*npx kogrpo replay .*grpo-2\./,
      ),
    })
    const findings = await replay(saved, new AbortController().signal)
    expect(findings.map(({ where, message }) => ({ where, message: String(message) }))).toEqual([
      {
        where: 'rewards',
        message: expect.stringMatching(/^reward 'overlong' was NaN for sample [15]: ".*"$/s),
      },
    ])
    const shown = await kogrpo(['replay', saved])
    expect(shown).toMatchObject({ code: 0 })
    expect(shown.stdout).toContain('grpo step 2: the reward was not finite. ')
    expect(shown.stdout).toContain("first:\n  rewards: reward 'overlong' was NaN")
  })

  it('is left out with its step by skip_step, also where a KL term alone would move the weights', async () => {
    const { error, events } = await run('skip_step', Number.NEGATIVE_INFINITY, 0.05)
    expect(error).toBeNull()
    const steps = events.flatMap(event => (event.type === 'step' ? [event.metrics] : []))
    expect(steps).toHaveLength(3)
    expect(steps[1]).toMatchObject({ grad_norm: null, 'nonfinite/skipped_steps': 1 })
    for (const step of [steps[0]!, steps[2]!]) {
      expect(step.grad_norm).toBeGreaterThanOrEqual(0)
      expect(step).toHaveProperty('learning_rate')
    }
    const notes = events.flatMap(event => (event.type === 'note' ? [event.message] : []))
    expect(notes).toContainEqual(
      expect.stringMatching(
        /^grpo step 2: reward 'overlong' is -Infinity for sample [15]: the step is skipped/,
      ),
    )
  })
})
