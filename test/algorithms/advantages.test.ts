import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { groupAdvantages } from '../../lib/algorithms/advantages.ts'
import { golden } from './golden.ts'

const close = (actual: Float32Array, expected: number[]): void => {
  expect(actual.length).toBe(expected.length)
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 6)
  })
}

describe('groupAdvantages', () => {
  it('is r − mean of the group, without a division', () => {
    const result = groupAdvantages({
      rewards: [[1, 0, 0, 1, 1, 1, 1, 0]],
      weights: [1],
      num_generations: 4,
      scale_rewards: 'none',
    })
    close(result.advantages, [0.5, -0.5, -0.5, 0.5, 0.25, 0.25, 0.25, -0.75])
    expect(result.reward).toBeCloseTo(5 / 8, 12)
    expect(result.reward_std).toBeCloseTo(Math.sqrt(1.875 / 7), 12)
    expect(result.frac_reward_zero_std).toBe(0)
  })

  it('scales by the Bessel standard deviation + 1e-4, of the group or the batch', () => {
    const input = { rewards: [[1, 0, 0, 0, 3, 0, 0, 3]], weights: [1], num_generations: 4 }
    const group = groupAdvantages({ ...input, scale_rewards: 'group' })
    const s0 = Math.sqrt((0.75 ** 2 + 3 * 0.25 ** 2) / 3) + 1e-4
    const s1 = Math.sqrt((4 * 1.5 ** 2) / 3) + 1e-4
    close(
      group.advantages,
      [0.75, -0.25, -0.25, -0.25].map(x => x / s0).concat([1.5, -1.5, -1.5, 1.5].map(x => x / s1)),
    )
    const batch = groupAdvantages({ ...input, scale_rewards: 'batch' })
    const all = [1, 0, 0, 0, 3, 0, 0, 3]
    const mean = 7 / 8
    const s = Math.sqrt(all.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 7) + 1e-4
    close(
      batch.advantages,
      [0.75, -0.25, -0.25, -0.25, 1.5, -1.5, -1.5, 1.5].map(x => x / s),
    )
  })

  it('equal rewards give exact zeros even where a weighted sum rounds', () => {
    const result = groupAdvantages({
      rewards: [
        [0.1, 0.1, 0.1, 0.3, 0, 0.3],
        [0.2, 0.2, 0.2, 0, 0.3, 0],
      ],
      weights: [1, 1],
      num_generations: 3,
      scale_rewards: 'group',
    })
    expect(Array.from(result.advantages)).toEqual([0, 0, 0, 0, 0, 0])
    expect(result.frac_reward_zero_std).toBe(1)
  })

  it('a null leaves its sample out of that reward’s baseline only', () => {
    const result = groupAdvantages({
      rewards: [
        [1, null, 0, 1],
        [0, 1, 1, 0],
      ],
      weights: [1, 0.2],
      num_generations: 4,
      scale_rewards: 'none',
    })
    const third = 1 / 3
    close(result.advantages, [third - 0.1, 0 + 0.1, -2 * third + 0.1, third - 0.1])
    expect(result.totals).toEqual([1, 0.2, 0.2, 1])
  })

  it('0.0 is a reward, null is not: the baselines differ', () => {
    const input = { weights: [1], num_generations: 2, scale_rewards: 'none' as const }
    close(groupAdvantages({ ...input, rewards: [[1, 0]] }).advantages, [0.5, -0.5])
    close(groupAdvantages({ ...input, rewards: [[1, null]] }).advantages, [0, 0])
  })

  it('a sample without any reward gets 0 and stays out of the standard deviation', () => {
    const input = { weights: [1], num_generations: 3, scale_rewards: 'group' as const }
    const result = groupAdvantages({ ...input, rewards: [[1, 0, null]] })
    const s = Math.SQRT1_2 + 1e-4
    close(result.advantages, [0.5 / s, -0.5 / s, 0])
    expect(result.totals).toEqual([1, 0, null])
    const none = groupAdvantages({ ...input, rewards: [[null, null, null]] })
    expect(Array.from(none.advantages)).toEqual([0, 0, 0])
    expect(none.reward).toBeNaN()
  })

  it('without nulls equals the mean-centred total (property)', () => {
    const reward = fc.double({ min: -5, max: 5, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(fc.array(reward, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 3 }),
        rewards => {
          const weights = rewards.map((_, k) => 0.2 + k)
          const { advantages } = groupAdvantages({
            rewards,
            weights,
            num_generations: 3,
            scale_rewards: 'none',
          })
          for (let g = 0; g < 2; g++) {
            const totals = [0, 1, 2].map(j =>
              rewards.reduce((sum, row, k) => sum + weights[k]! * row[3 * g + j]!, 0),
            )
            const mean = (totals[0]! + totals[1]! + totals[2]!) / 3
            totals.forEach((total, j) => {
              expect(Math.abs(advantages[3 * g + j]! - (total - mean))).toBeLessThan(2e-6)
            })
          }
        },
      ),
    )
  })

  it('refuses groups of one, ragged rows, NaN, unknown scaling', () => {
    const good = {
      rewards: [[1, 0]],
      weights: [1],
      num_generations: 2,
      scale_rewards: 'none' as const,
    }
    expect(() => groupAdvantages({ ...good, num_generations: 1 })).toThrow(/at least 2/)
    expect(() => groupAdvantages({ ...good, rewards: [[1, 0, 1]] })).toThrow(/do not form groups/)
    expect(() => groupAdvantages({ ...good, rewards: [[1, 0], [1]], weights: [1, 1] })).toThrow(
      /rewards\[1\] has 1/,
    )
    expect(() => groupAdvantages({ ...good, rewards: [[1, Number.NaN]] })).toThrow(
      /rewards\[0\]\[1\] is NaN/,
    )
    expect(() => groupAdvantages({ ...good, weights: [] })).toThrow(/0 weights for 1/)
    expect(() => groupAdvantages({ ...good, rewards: [], weights: [] })).toThrow(
      /no reward function/,
    )
    expect(() => groupAdvantages({ ...good, scale_rewards: 'std' as 'none' })).toThrow(
      /scale_rewards is 'std'/,
    )
  })

  it('normalize_then_sum: each reward is a z-score in its group before the weights', () => {
    const input = {
      rewards: [
        [1, 0, 0, 1],
        [0, 100, 0, 100],
      ],
      weights: [1, 0.5],
      num_generations: 4,
      scale_rewards: 'none' as const,
    }
    const aggregation = 'normalize_then_sum' as const
    const gdpo = groupAdvantages({ ...input, multi_objective_aggregation: aggregation })
    const z = 0.5 / (Math.sqrt(1 / 3) + 1e-4)
    const z2 = 50 / (Math.sqrt(1e4 / 3) + 1e-4)
    const sums = [z - z2 / 2, -z + z2 / 2, -z - z2 / 2, z + z2 / 2]
    const std = Math.sqrt(sums.reduce((sum, x) => sum + x * x, 0) / 3) + 1e-4
    close(
      gdpo.advantages,
      sums.map(x => x / std),
    )
    // The large reward drowns the other in the plain sum: the sign of the first sample flips.
    expect(groupAdvantages(input).advantages[0]).toBeLessThan(-24)
    expect(gdpo.advantages[0]).toBeGreaterThan(0)
    // What the rewards are measured in has (but for the 1e-4) no influence.
    const rewards = [input.rewards[0]!, input.rewards[1]!.map(x => x / 10)]
    const scaled = groupAdvantages({ ...input, rewards, multi_objective_aggregation: aggregation })
    scaled.advantages.forEach((value, i) => {
      expect(Math.abs(value - gdpo.advantages[i]!)).toBeLessThan(1e-4)
    })
  })

  it('normalize_then_sum: a group whose every reward is equal gets exact zeros', () => {
    const result = groupAdvantages({
      rewards: [
        [1, 1, 0, 1],
        [0.3, 0.3, 0.1, 0.2],
      ],
      weights: [1, 1],
      num_generations: 2,
      scale_rewards: 'none',
      multi_objective_aggregation: 'normalize_then_sum',
    })
    expect(Array.from(result.advantages.slice(0, 2))).toEqual([0, 0])
    expect(result.zero_std).toEqual([true, false])
    expect(result.frac_reward_zero_std).toBe(0.5)
  })

  describe('against TRL', () => {
    golden.advantages.forEach((c, index) => {
      const missing = c.rewards.some(row => row.includes(null))
      const title = `${index} ${c.multi_objective_aggregation} ${c.scale_rewards}${missing ? ' with nulls' : ''}`
      it(title, () => {
        const { advantages } = groupAdvantages(c)
        c.advantages.forEach((expected, i) => {
          expect(Math.abs(advantages[i]! - expected)).toBeLessThan(1e-6)
        })
      })
    })
  })
})
