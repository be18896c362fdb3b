/**
 * ESPO's part for an autoregressive model: sequence-level ratio, leave-one-out baseline, one k2 a
 * completion. Golden values of torch's autograd (test/golden/espo_losses.py), finite differences, and
 * values worked out by hand.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { groupAdvantages } from '../../lib/algorithms/advantages.ts'
import {
  type PolicyLossInput,
  type PolicyLossOptions,
  policyLoss,
} from '../../lib/algorithms/policy-loss.ts'
import { parseRecipe } from '../../lib/config/load.ts'
import { Scorer } from '../../lib/train/scoring.ts'

interface Golden {
  lengths: number[]
  epsilon: number
  beta: number
  rewards: number[]
  advantages: number[]
  logprobs: number[]
  old: number[]
  ref: number[]
  loss: number
  gradient: number[]
}
const cases = JSON.parse(readFileSync('test/golden/espo_losses.json', 'utf8')) as Golden[]

const espo = {
  ...{ loss_type: 'grpo', kl_estimator: 'k2', kl_level: 'sequence' },
  ...{ importance_sampling_level: 'sequence', max_completion_length: 8, num_completions: 4 },
} as const satisfies Partial<PolicyLossOptions>

function cumulative(lengths: readonly number[]): Int32Array {
  const cu = [0]
  for (const n of lengths) cu.push(cu.at(-1)! + n)
  return Int32Array.from(cu)
}

function inputOf(c: Golden, extra: Partial<PolicyLossOptions> = {}): PolicyLossInput {
  return {
    logprobs: Float32Array.from(c.logprobs),
    oldLogprobs: Float32Array.from(c.old),
    refLogprobs: Float32Array.from(c.ref),
    advantages: Float32Array.from(c.advantages),
    mask: new Uint8Array(c.logprobs.length).fill(1),
    cuSeqlens: cumulative(c.lengths),
    options: { ...espo, epsilon: c.epsilon, beta: c.beta, ...extra },
  }
}

test.each(cases.map((c, i) => [i, c] as const))('loss and gradient of torch, case %i', (_, c) => {
  const { loss, coef } = policyLoss(inputOf(c))
  expect(loss).toBeCloseTo(c.loss, 6)
  const largest = Math.max(...c.gradient.map(Math.abs))
  for (const [t, g] of c.gradient.entries()) {
    expect(Math.abs(coef[t]! - g)).toBeLessThan(1e-6 * Math.max(1, largest))
  }
})

test.each(['grpo', 'dr_grpo', 'dapo'] as const)('finite differences, %s', loss_type => {
  const input = inputOf(cases[2]!, { loss_type, num_tokens: 13 })
  const { coef } = policyLoss(input)
  const h = 2 ** -10
  for (let t = 0; t < coef.length; t++) {
    const at = (shift: number): number => {
      const logprobs = input.logprobs.slice()
      logprobs[t]! += shift
      return policyLoss({ ...input, logprobs }).loss
    }
    const slope = (at(h) - at(-h)) / (2 * h)
    expect(Math.abs(slope - coef[t]!)).toBeLessThan(2e-5)
  }
})

test('by hand: two tokens, difference to the reference 0.5 + 0.25', () => {
  const input: PolicyLossInput = {
    logprobs: Float32Array.of(-1, -0.5),
    oldLogprobs: null,
    refLogprobs: Float32Array.of(-1.5, -0.75),
    advantages: Float32Array.of(0),
    mask: Uint8Array.of(1, 1),
    cuSeqlens: Int32Array.of(0, 2),
    options: { ...espo, num_completions: 1, epsilon: 0.2, beta: 2 },
  }
  // β · ½ · 0.75² / 2, and β · 0.75 / 2 for every token.
  const { loss, coef } = policyLoss(input)
  expect(loss).toBeCloseTo(0.28125, 12)
  expect(Array.from(coef)).toEqual([0.75, 0.75])
  const token = policyLoss({ ...input, options: { ...input.options, kl_level: 'token' } })
  expect(token.loss).toBeCloseTo(0.15625, 12)
  expect(Array.from(token.coef)).toEqual([0.5, 0.25])
})

test('for a completion of one token, sequence and token level agree', () => {
  const single = { ...cases[2]!, lengths: [1] }
  const cut = (values: number[]): number[] => values.slice(0, 1)
  const one: Golden = {
    ...single,
    ...{ logprobs: cut(single.logprobs), old: cut(single.old), ref: cut(single.ref) },
    advantages: cut(single.advantages),
  }
  const sequence = policyLoss(inputOf(one))
  const level = { importance_sampling_level: 'token', kl_level: 'token' } as const
  const token = policyLoss(inputOf(one, level))
  expect(sequence.loss).toBeCloseTo(token.loss, 12)
  expect(sequence.coef[0]).toBeCloseTo(token.coef[0]!, 7)
})

test('on-policy and without KL the gradient is that of GRPO', () => {
  const c = { ...cases[1]!, old: cases[1]!.logprobs }
  const level = { importance_sampling_level: 'token' } as const
  expect(policyLoss(inputOf(c)).coef).toEqual(policyLoss(inputOf(c, level)).coef)
})

describe('baseline: leave_one_out', () => {
  const options = { weights: [1], num_generations: 4, scale_rewards: 'none' } as const
  test('golden values, and n/(n − 1) times the deviation from the mean', () => {
    for (const { rewards, advantages } of cases) {
      const held = groupAdvantages({ ...options, rewards: [rewards], baseline: 'leave_one_out' })
      const plain = groupAdvantages({ ...options, rewards: [rewards] })
      for (let i = 0; i < 4; i++) {
        expect(held.advantages[i]).toBeCloseTo(advantages[i]!, 6)
        expect(held.advantages[i]).toBeCloseTo((plain.advantages[i]! * 4) / 3, 6)
      }
    }
  })

  test('a reward that does not apply has no part: the others are counted for each function', () => {
    const { advantages } = groupAdvantages({
      ...options,
      weights: [1, 2],
      rewards: [
        [1, 0, 0, null],
        [0, 0, 1, 1],
      ],
      baseline: 'leave_one_out',
    })
    // First: 1 − 0, −½, −½, nothing. Second, twice: −⅔, −⅔, ⅔, ⅔.
    const expected = [1 - 4 / 3, -0.5 - 4 / 3, -0.5 + 4 / 3, 4 / 3]
    for (const [i, value] of expected.entries()) expect(advantages[i]).toBeCloseTo(value, 6)
  })

  test('is refused beside a division by a standard deviation', () => {
    const rewards = [[1, 0, 0, 0]]
    expect(() =>
      groupAdvantages({ ...options, rewards, scale_rewards: 'group', baseline: 'leave_one_out' }),
    ).toThrow(/leave_one_out compares a sample with the others/)
  })
})

describe('recipes', () => {
  const recipe = (lines: string) =>
    parseRecipe(`grpo: {data: [{path: mini:grpo}], ${lines}}`, 'r.yaml').recipe.grpo!
  const sequence = 'loss_type: grpo, scale_rewards: none, importance_sampling_level: sequence'
  test('ESPO is these keys, and each is off without being asked for', () => {
    const lines = `${sequence}, baseline: leave_one_out, beta: 0.01, kl_estimator: k2, kl_level: sequence`
    expect(recipe(lines)).toMatchObject({ baseline: 'leave_one_out', kl_level: 'sequence' })
    expect(recipe('beta: 0.01')).toMatchObject({ baseline: 'mean', kl_level: 'token' })
  })

  test.each([
    ['loss_type: grpo, baseline: leave_one_out', /baseline.*scale_rewards: group/s],
    ['beta: 0.1, kl_level: sequence', /kl_level.*needs kl_estimator: k2, not k3/s],
    ['kl_level: sequence', /kl_level.*beta 0 turns off/s],
  ])('%s is refused with the reason', (lines, message) => {
    expect(() => recipe(lines)).toThrow(message)
  })

  test('the keys reach the advantages and the loss of a training', async () => {
    const stage = recipe(`num_generations: 4, baseline: leave_one_out`)
    const values = [[1, 0, 0, 0]]
    const { advantages } = new Scorer({ ...stage, rewards: stage.rewards.slice(0, 1) }, null)
      // The built-in recipe's first reward has weight 1.
      .advantages(values, [])
    expect(Array.from(advantages, x => Number(x.toFixed(6)))).toEqual([
      1, -0.333333, -0.333333, -0.333333,
    ])
  })
})
