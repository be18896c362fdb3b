/** The reference model fixed, synchronised and reset, seen through the KL of whole runs. */
import { describe, expect, it } from 'vitest'
import { type GrpoInput, grpoRun } from './grpo-runs.ts'

const beta = 0.05

/** KL of every step. */
const kl = async (changes: GrpoInput): Promise<(number | null)[]> =>
  (await grpoRun({ beta, ...changes })).steps.map(step => step.kl ?? null)

describe('the reference model', () => {
  it('fixed: the KL starts at 0 and stays above it', async () => {
    const values = await kl({})
    expect(values[0]).toBe(0)
    expect(values.slice(1).every(value => value! > 0)).toBe(true)
  })

  it('reset every 2 steps: the KL is exactly 0 after each reset', async () => {
    const values = await kl({ ref_reset_steps: 2, max_steps: 6 })
    expect(values.map(value => value === 0)).toEqual([true, false, true, false, true, false])
  })

  it('synchronised: alpha 1 copies, a smaller one follows part of the way', async () => {
    const sync = { sync_ref_model: true, ref_model_sync_steps: 2 }
    const fixed = await kl({})
    const copied = await kl({ ...sync, ref_model_mixup_alpha: 1 })
    const half = await kl({ ...sync, ref_model_mixup_alpha: 0.5 })
    expect(copied[2]).toBe(0)
    expect(half[2]).toBeGreaterThan(0)
    expect(half[2]).toBeLessThan(fixed[2]!)
    expect(half.slice(0, 2)).toEqual(fixed.slice(0, 2))
  })

  it('that moves in the middle of a round serves from the next one', async () => {
    const sync = { sync_ref_model: true, ref_model_sync_steps: 1, ref_model_mixup_alpha: 1 }
    const values = await kl({ ...sync, num_iterations: 2 })
    expect(values.map(value => value === 0)).toEqual([true, false, true, false])
  })

  it('resets or keeps the optimizer, which moves the weights differently from there', async () => {
    const reset = await grpoRun({ beta, ref_reset_steps: 2 })
    const kept = await grpoRun({ beta, ref_reset_steps: 2, ref_reset_optimizer: false })
    expect(kept.steps.slice(0, 3)).toEqual(reset.steps.slice(0, 3))
    expect(kept.steps[3]).not.toEqual(reset.steps[3])
    expect(kept.weights.equals(reset.weights)).toBe(false)
  })

  it.each([
    ['a reset with the optimizer', { ref_reset_steps: 2, ref_reset_optimizer: true }],
    ['a reset that keeps it', { ref_reset_steps: 3, ref_reset_optimizer: false }],
    [
      'a moving average',
      { sync_ref_model: true, ref_model_sync_steps: 1, ref_model_mixup_alpha: 0.3 },
    ],
  ])('is the same to the bit in a run that is stopped and resumed: %s', async (_name, changes) => {
    const straight = await grpoRun({ beta, max_steps: 6, ...changes })
    // Stopped at a reset, in the step after one, and between two.
    const resumed = await grpoRun({ beta, max_steps: 6, ...changes }, [2, 3, 5])
    expect(resumed.steps).toEqual(straight.steps)
    expect(resumed.weights.equals(straight.weights)).toBe(true)
  })
})

describe('the KL estimators', () => {
  it('differ in value and in the weights they lead to, and begin at 0', async () => {
    const [k1, k2, k3] = await Promise.all(
      (['k1', 'k2', 'k3'] as const).map(kl_estimator => grpoRun({ beta, kl_estimator })),
    )
    expect([k1, k2, k3].map(run => Math.abs(run!.steps[0]!.kl!))).toEqual([0, 0, 0])
    expect(k2!.weights.equals(k3!.weights)).toBe(false)
    expect(k1!.weights.equals(k3!.weights)).toBe(false)
  })
})
