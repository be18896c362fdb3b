import { describe, expect, test } from 'vitest'
import {
  aggregate,
  areaUnderCurve,
  denseAdvantages,
  expertLoss,
  logOdds,
} from '../../lib/algorithms/dense-reward.ts'
import { type PolicyLossOptions, policyLoss } from '../../lib/algorithms/policy-loss.ts'

const logSigmoid = (z: number): number =>
  z > 0 ? -Math.log1p(Math.exp(-z)) : z - Math.log1p(Math.exp(z))

describe('expertLoss', () => {
  const z = [0.3, -1.2, 2.5, -0.4, 1.1, -3]
  const labels = [1, 1, 1, 0, 0, 0]
  const mask = Uint8Array.of(0, 1, 1, 1, 1, 0)
  const cuSeqlens = Int32Array.of(0, 3, 6)
  const input = (odds: readonly number[], smoothing: number) => ({
    logprobs: Float32Array.from(odds, (x, t) => logSigmoid(labels[t] === 1 ? x : -x)),
    ...{ mask, cuSeqlens, label_smoothing: smoothing, num_responses: 4 },
  })

  test.each([0, 0.1, 0.5])('is the smoothed binary cross-entropy by its definition, ε = %d', ε => {
    let expected = 0
    for (let t = 0; t < 6; t++) {
      if (mask[t] === 0) continue
      const y = labels[t]! * (1 - ε) + ε / 2
      expected -= (y * logSigmoid(z[t]!) + (1 - y) * logSigmoid(-z[t]!)) / (4 * 2)
    }
    expect(expertLoss(input(z, ε)).loss).toBeCloseTo(expected, 6)
  })

  test.each([0, 0.1])('coefficients are the derivatives by the log-probs, ε = %d', ε => {
    const { coef } = expertLoss(input(z, ε))
    for (let t = 0; t < 6; t++) {
      const at = (shift: number): number => {
        const moved = input(z, ε)
        moved.logprobs[t]! += shift
        return expertLoss(moved).loss
      }
      const h = 2 ** -9
      expect(Math.abs((at(h) - at(-h)) / (2 * h) - coef[t]!)).toBeLessThan(1e-4)
    }
    // By the log-odds it is p − y, whatever the label.
    const p = 1 / (1 + Math.exp(-z[1]!))
    const bySlope = coef[1]! * (1 - p)
    expect(bySlope).toBeCloseTo((p - (1 - ε / 2)) / 8, 6)
  })

  test('certainty has a finite pull back, and a probability above 1 is refused', () => {
    const sure = { ...input(z, 0.1), logprobs: new Float32Array(6) }
    expect(expertLoss(sure).coef.every(Number.isFinite)).toBe(true)
    expect(expertLoss(sure).coef[1]!).toBeGreaterThan(0)
    expect(() => expertLoss({ ...sure, logprobs: new Float32Array(6).fill(0.1) })).toThrow(
      /token 1/,
    )
    expect(() => expertLoss({ ...sure, num_responses: 1 })).toThrow(/num_responses is 1/)
  })
})

test('log-odds from a log-probability, within ±16', () => {
  for (const z of [-8, -1, 0, 2.5, 9]) expect(logOdds(logSigmoid(z))).toBeCloseTo(z, 6)
  expect([logOdds(0), logOdds(-40)]).toEqual([16, -16])
})

describe('denseAdvantages', () => {
  const common = {
    rewards: Float32Array.of(9, 1, 2, 0, 3, 9),
    mask: Uint8Array.of(0, 1, 1, 1, 1, 0),
    cuSeqlens: Int32Array.of(0, 3, 6),
    num_generations: 2,
    scale: false,
  }
  test('by hand: baseline (2 + 3)/2 = 2.5, γ 0, ½ and 1', () => {
    const at = (gamma: number): number[] => Array.from(denseAdvantages({ ...common, gamma }))
    expect(at(0)).toEqual([0, -1.5, -0.5, -2.5, 0.5, 0])
    expect(at(0.5)).toEqual([0, -1.75, -0.5, -2.25, 0.5, 0])
    expect(at(1)).toEqual([0, -2, -0.5, -2, 0.5, 0])
  })
  test('scaled, the tokens of a group have deviation 1', () => {
    const a = denseAdvantages({ ...common, gamma: 0.5, scale: true }).filter(
      (_, t) => common.mask[t],
    )
    const mean = a.reduce((s, x) => s + x, 0) / 4
    const std = Math.sqrt(a.reduce((s, x) => s + (x - mean) ** 2, 0) / 3)
    expect(std).toBeCloseTo(1, 3)
  })
  test('groups do not see each other', () => {
    const two = denseAdvantages({
      ...common,
      gamma: 1,
      rewards: Float32Array.from([...common.rewards, 5, 5, 5, 5, 5, 5]),
      mask: Uint8Array.from([...common.mask, ...common.mask]),
      cuSeqlens: Int32Array.of(0, 3, 6, 9, 12),
    })
    expect(two.slice(0, 6)).toEqual(denseAdvantages({ ...common, gamma: 1 }))
    expect(two.slice(6)).toEqual(new Float32Array(6))
  })
  test.each([
    [{ gamma: 1.1 }, /gamma is 1.1/],
    [{ num_generations: 3 }, /2 completions do not form groups of num_generations = 3/],
    [{ rewards: new Float32Array(6).fill(Number.NaN) }, /rewards is NaN at token/],
  ])('%j is refused', (extra, message) => {
    expect(() => denseAdvantages({ ...common, gamma: 0, ...extra })).toThrow(message)
  })
})

describe('the policy loss with an advantage per token', () => {
  const mask = Uint8Array.of(0, 1, 1, 1, 0, 1, 1, 0)
  const cuSeqlens = Int32Array.of(0, 4, 8)
  const advantages = denseAdvantages({
    rewards: Float32Array.of(0, 1.5, -2, 0.5, 0, -1, 0.75, 0),
    ...{ mask, cuSeqlens, num_generations: 2, gamma: 0.9, scale: true },
  })
  const oldLogprobs = Float32Array.of(0, -1, -2, -0.5, 0, -1.5, -0.25, 0)

  test.each(['dr_grpo', 'grpo', 'dapo', 'cispo', 'sapo'] as const)(
    '%s: coefficients are the derivatives by the log-probs',
    loss_type => {
      const options: PolicyLossOptions = {
        ...{ loss_type, epsilon: 0.2, beta: 0, max_completion_length: 5 },
        ...(loss_type === 'cispo' ? { epsilon_high: 5 } : {}),
        ...{ num_completions: 2, num_tokens: 5 },
      }
      const at = (shifts: readonly number[]) =>
        policyLoss({
          logprobs: oldLogprobs.map((l, t) => l + shifts[t]!),
          ...{ oldLogprobs, refLogprobs: null, advantages, mask, cuSeqlens, options },
        })
      // Within the clip, away from its corners.
      const point = [0, 0.1, -0.05, 0.02, 0, -0.1, 0.08, 0]
      const { coef } = at(point)
      expect(new Set(coef.filter((_, t) => mask[t])).size).toBe(5)
      const h = 2 ** -8
      for (let t = 0; t < 8; t++) {
        if (loss_type === 'cispo') {
          // The ratio is held fixed: −r A of the token's weight.
          const ratio = Math.exp(Math.fround(oldLogprobs[t]! + point[t]!) - oldLogprobs[t]!)
          expect(coef[t]).toBeCloseTo(mask[t] ? (-ratio * advantages[t]!) / 5 : 0, 6)
          continue
        }
        const moved = (by: number) => at(point.map((x, k) => (k === t ? x + by : x))).loss
        expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - coef[t]!)).toBeLessThan(2e-4)
      }
    },
  )
})

test('aggregates and the area under the curve', () => {
  expect((['mean', 'min', 'last'] as const).map(how => aggregate([1, -3, 5], how))).toEqual([
    1, -3, 5,
  ])
  expect(() => aggregate([], 'mean')).toThrow(/no token/)
  expect(areaUnderCurve([2, 3], [1, 2])).toBe(0.875)
})
