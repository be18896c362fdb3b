/**
 * The policy loss against TRL's own code (golden values), an independent double-precision
 * reference, finite differences, and the invariances the trainer relies on.
 */
import { describe, expect, it } from 'vitest'
import {
  coefficientsOnPolicy,
  type LossType,
  MAX_LOG_RATIO,
  type PolicyLossInput,
  type PolicyLossOptions,
  policyLoss,
} from '../../lib/algorithms/policy-loss.ts'
import { policyMetrics } from '../../lib/algorithms/policy-metrics.ts'
import { fromGolden, golden, lossTypes, randomInput, relative, slice } from './golden.ts'

/** Σ over tokens written straight from the papers, for token-level dr_grpo, grpo and dapo. */
function referenceLoss(input: PolicyLossInput, logprobs: ArrayLike<number>): number {
  const { options, cuSeqlens, mask, oldLogprobs, refLogprobs, advantages } = input
  let total = 0
  for (let i = 0; i + 1 < cuSeqlens.length; i++) {
    let sum = 0
    let count = 0
    for (let t = cuSeqlens[i]!; t < cuSeqlens[i + 1]!; t++) {
      if (mask[t] === 0) continue
      const ratio = Math.exp(logprobs[t]! - oldLogprobs![t]!)
      const clipped = Math.min(Math.max(ratio, 1 - options.epsilon), 1 + options.epsilon_high!)
      const d = refLogprobs![t]! - logprobs[t]!
      sum -= Math.min(ratio * advantages[i]!, clipped * advantages[i]!)
      sum += options.beta * (Math.exp(d) - d - 1)
      count++
    }
    if (options.loss_type === 'grpo') total += sum / Math.max(count, 1) / options.num_completions
    else if (options.loss_type === 'dapo') total += sum / options.num_tokens!
    else total += sum / (options.num_completions * options.max_completion_length)
  }
  return total
}

describe('against TRL', () => {
  it('covers every loss type', () => {
    expect(golden.trl).toMatch(/^1\.13/)
    expect(golden.cases.length).toBe(68)
    expect(new Set(golden.cases.map(c => c.options.loss_type))).toEqual(new Set(lossTypes))
  })

  golden.cases.forEach((c, index) => {
    const { loss_type, importance_sampling_level } = c.options
    const title = `${index} ${loss_type} ${importance_sampling_level} ${c.on_policy ? 'on' : 'off'}-policy, ${c.accumulation} micro-batches`
    it(title, () => {
      const input = fromGolden(c)
      const size = c.num_completions / c.accumulation
      const parts = c.losses.map((_, m) => policyLoss(slice(input, m * size, (m + 1) * size)))
      parts.forEach((part, m) => {
        expect(relative(part.loss, c.losses[m]!)).toBeLessThan(1e-6)
      })
      const coef = parts.flatMap(part => Array.from(part.coef))
      const worst = coef.map((value, t) => {
        if (c.gradient[t] === 0) {
          expect(value).toBe(0)
          return 0
        }
        return relative(value, c.gradient[t]!)
      })
      expect(Math.max(...worst)).toBeLessThan(1e-6)
      if (importance_sampling_level === 'token' && c.accumulation === 1) {
        const metrics = policyMetrics(parts.map(part => part.stats))
        for (const [name, [value]] of Object.entries(c.metrics)) {
          expect(metrics[name], name).toBeCloseTo(value!, 6)
        }
      }
    })
  })
})

describe('against a double-precision reference', () => {
  for (const loss_type of ['dr_grpo', 'grpo', 'dapo'] as const) {
    it(`${loss_type}: loss, and gradient by finite differences of the reference`, () => {
      for (let seed = 1; seed <= 5; seed++) {
        const input = randomInput(seed, { loss_type })
        const { loss, coef } = policyLoss(input)
        expect(relative(loss, referenceLoss(input, input.logprobs))).toBeLessThan(1e-12)
        const h = 1e-6
        for (let t = 0; t < coef.length; t++) {
          const up = Float64Array.from(input.logprobs)
          const down = Float64Array.from(input.logprobs)
          up[t]! += h
          down[t]! -= h
          const slope = (referenceLoss(input, up) - referenceLoss(input, down)) / (2 * h)
          expect(Math.abs(slope - coef[t]!)).toBeLessThan(4e-9)
        }
      }
    })
  }

  for (const loss_type of lossTypes) {
    for (const importance_sampling_level of ['token', 'sequence'] as const) {
      for (const kl_estimator of ['k1', 'k2', 'k3'] as const) {
        it(`${loss_type} by ${importance_sampling_level}, ${kl_estimator}: finite differences of the loss`, () => {
          const epsilon_high = loss_type === 'cispo' ? 1.1 : 0.28
          const options = { loss_type, kl_estimator, importance_sampling_level, epsilon_high }
          const input = randomInput(9, { ...options, delta: loss_type === 'grpo' ? 1.5 : null })
          const factors = Float32Array.from(input.mask, (_, t) => ((t * 7) % 5) / 4)
          const { coef } = policyLoss({ ...input, factors })
          const h = 1e-6
          for (let t = 0; t < coef.length; t++) {
            const at = (step: number): number => {
              // In double precision, which the loss computes in.
              const shifted = (values: Float32Array): Float32Array => {
                const copy = Float64Array.from(values)
                copy[t]! += step
                return copy as unknown as Float32Array
              }
              // cispo holds the ratio fixed: the old log-prob moves along.
              const frozen = loss_type === 'cispo'
              return policyLoss({
                ...input,
                factors,
                logprobs: shifted(input.logprobs),
                oldLogprobs: frozen ? shifted(input.oldLogprobs!) : input.oldLogprobs,
              }).loss
            }
            expect(Math.abs((at(h) - at(-h)) / (2 * h) - coef[t]!)).toBeLessThan(5e-9)
          }
        })
      }
    }
  }
})

describe('what the trainer relies on', () => {
  it('micro-batches: coefficients concatenate to the bit, losses add up', () => {
    for (const loss_type of lossTypes) {
      for (const importance_sampling_level of ['token', 'sequence'] as const) {
        const input = randomInput(3, { loss_type, importance_sampling_level })
        const whole = policyLoss(input)
        for (const cuts of [
          [0, 4, 8],
          [0, 1, 2, 3, 4, 5, 6, 7, 8],
          [0, 3, 8],
        ]) {
          const parts = cuts.slice(1).map((to, j) => policyLoss(slice(input, cuts[j]!, to)))
          expect(parts.flatMap(p => Array.from(p.coef))).toEqual(Array.from(whole.coef))
          const sum = parts.reduce((total, p) => total + p.loss, 0)
          expect(relative(sum, whole.loss)).toBeLessThan(1e-13)
          const merged = policyMetrics(parts.map(p => p.stats))
          const direct = policyMetrics([whole.stats])
          for (const key of Object.keys(direct)) expect(merged[key]).toBeCloseTo(direct[key]!, 12)
        }
      }
    }
  })

  it('a group of equal rewards (zero advantages) gives all-zero bytes', () => {
    for (const loss_type of lossTypes) {
      const input = randomInput(4, { loss_type, beta: 0 })
      const { coef } = policyLoss({ ...input, advantages: new Float32Array(8) })
      expect(Buffer.from(coef.buffer).every(byte => byte === 0)).toBe(true)
    }
  })

  it('an all-masked batch gives all-zero bytes, and masked entries are never read', () => {
    for (const loss_type of lossTypes) {
      const input = randomInput(5, { loss_type, num_tokens: 0 })
      const masked = {
        ...input,
        mask: new Float32Array(input.mask.length),
        logprobs: new Float32Array(input.mask.length).fill(Number.NaN),
      }
      const { coef, loss, stats } = policyLoss(masked)
      expect(loss).toBe(0)
      expect(Buffer.from(coef.buffer).every(byte => byte === 0)).toBe(true)
      expect(policyMetrics([stats])).toEqual({ loss: 0 })
    }
  })

  it('on-policy coefficients are known beforehand: −A / (completions · L_max), to the bit', () => {
    const input = randomInput(6, { beta: 0 })
    const coef = coefficientsOnPolicy(input)
    for (let i = 0; i < 8; i++) {
      for (let t = input.cuSeqlens[i]!; t < input.cuSeqlens[i + 1]!; t++) {
        const expected = input.mask[t] === 0 ? 0 : Math.fround(-input.advantages[i]! / (8 * 12))
        expect(coef[t]).toBeCloseTo(expected, 8)
      }
    }
    for (const loss_type of lossTypes) {
      const options = { ...input.options, loss_type }
      expect(coefficientsOnPolicy({ ...input, options })).toEqual(
        policyLoss({ ...input, oldLogprobs: null, options }).coef,
      )
    }
  })

  it('old log-probs equal to the log-probs are the same as on-policy, to the bit', () => {
    const input = randomInput(7, {})
    expect(policyLoss({ ...input, oldLogprobs: input.logprobs }).coef).toEqual(
      policyLoss({ ...input, oldLogprobs: null }).coef,
    )
  })

  it('an advantage a token equals an advantage a sequence spread over it', () => {
    const input = randomInput(8, {})
    const spread = new Float32Array(input.mask.length)
    for (let i = 0; i < 8; i++) {
      spread.fill(input.advantages[i]!, input.cuSeqlens[i]!, input.cuSeqlens[i + 1]!)
    }
    expect(policyLoss({ ...input, advantages: spread }).coef).toEqual(policyLoss(input).coef)
  })

  it('every option changes the numbers', () => {
    const base = randomInput(12, {})
    const reference = Array.from(policyLoss(base).coef)
    const changes: Partial<PolicyLossOptions>[] = [
      { epsilon: 0.05 },
      { epsilon_high: 0.05 },
      { delta: 1.05 },
      { beta: 0.2 },
      { kl_estimator: 'k1' },
      { importance_sampling_level: 'sequence' },
      { max_completion_length: 24 },
      { num_completions: 16 },
      ...lossTypes.filter(t => t !== 'dr_grpo').map(loss_type => ({ loss_type })),
    ]
    for (const change of changes) {
      const coef = policyLoss({ ...base, options: { ...base.options, ...change } }).coef
      expect(Array.from(coef), JSON.stringify(change)).not.toEqual(reference)
    }
    const sapo = { ...base, options: { ...base.options, loss_type: 'sapo' as const } }
    for (const change of [{ sapo_temperature_pos: 2 }, { sapo_temperature_neg: 2 }]) {
      expect(policyLoss({ ...sapo, options: { ...sapo.options, ...change } }).coef).not.toEqual(
        policyLoss(sapo).coef,
      )
    }
  })
})

describe('a ratio that would overflow', () => {
  /** A batch in which the log-ratio of token `t`, of a completion with `sign` of an advantage, is w. */
  const at = (w: number, sign: 1 | -1, loss_type: LossType) => {
    const epsilon_high = loss_type === 'cispo' ? 1.1 : 0.28
    const input = randomInput(11, { loss_type, epsilon_high })
    const i = input.advantages.findIndex(a => Math.sign(a) === sign)
    const t = input.mask.indexOf(1, input.cuSeqlens[i]!)
    const oldLogprobs = input.oldLogprobs!.slice()
    oldLogprobs[t] = input.logprobs[t]! - w
    return { input: { ...input, oldLogprobs }, t }
  }

  for (const [loss_type, sign] of lossTypes.flatMap(
    type =>
      [
        [type, 1],
        [type, -1],
      ] as const,
  )) {
    it(`${loss_type}, A of sign ${sign}: is e^20, without a derivative; no other token changes by a bit`, () => {
      const bound = policyLoss(at(MAX_LOG_RATIO - 1e-4, sign, loss_type).input)
      expect(bound.stats.ratio_cut).toBe(0)
      for (const w of [20.5, 100, 800, 1e30]) {
        const { input, t } = at(w, sign, loss_type)
        const over = policyLoss(input)
        expect(Number.isFinite(over.loss)).toBe(true)
        expect(over.coef.every(Number.isFinite)).toBe(true)
        expect(over.stats).toMatchObject({ ratio_cut: 1, ratio_max: Math.exp(20) })
        expect(policyMetrics([over.stats, bound.stats])['ratio/cut']).toBe(1)
        expect(relative(over.loss, bound.loss)).toBeLessThan(2e-4)
        const others = (coef: Float32Array): Float32Array => coef.filter((_, i) => i !== t)
        expect(others(over.coef)).toEqual(others(bound.coef))
        // What is left is the KL, and in cispo what does not go through the ratio.
        if (loss_type !== 'cispo') {
          const none = { ...input, advantages: new Float32Array(input.advantages.length) }
          expect(over.coef[t]).toBe(policyLoss(none).coef[t])
        }
      }
    })
  }

  it('is cut for a whole completion where it has one ratio', () => {
    const options = { loss_type: 'grpo', importance_sampling_level: 'sequence' } as const
    const input = randomInput(11, options)
    const oldLogprobs = input.oldLogprobs!.map((x, t) => (t < input.cuSeqlens[1]! ? x - 900 : x))
    const { loss, coef, stats } = policyLoss({ ...input, oldLogprobs })
    const own = input.mask.slice(0, input.cuSeqlens[1]).filter(bit => bit !== 0).length
    expect(stats).toMatchObject({ ratio_cut: own, ratio_max: Math.exp(20) })
    expect(Number.isFinite(loss) && coef.every(Number.isFinite)).toBe(true)
    const second = (of: Float32Array): Float32Array => of.slice(input.cuSeqlens[1])
    expect(second(coef)).toEqual(second(policyLoss(input).coef))
  })
})

describe('refusals name the argument', () => {
  const input = randomInput(11, {})
  const withOptions = (change: Partial<PolicyLossOptions>): PolicyLossInput => ({
    ...input,
    options: { ...input.options, ...change },
  })
  const cases: [string, PolicyLossInput, RegExp][] = [
    ['beta without a reference', { ...input, refLogprobs: null }, /beta is 0.05 but refLogprobs/],
    ['wrong length', { ...input, logprobs: new Float32Array(3) }, /logprobs has 3 entries/],
    ['advantages', { ...input, advantages: new Float32Array(3) }, /advantages has 3 entries/],
    ['mask of 0.5', { ...input, mask: input.mask.map(() => 0.5) }, /mask\[0\] is 0.5/],
    [
      'NaN log-prob',
      { ...input, logprobs: input.logprobs.map(() => Number.NaN) },
      /logprobs is NaN/,
    ],
    [
      'NaN log-prob when sampled',
      { ...input, oldLogprobs: input.logprobs.map(() => Number.NaN) },
      /oldLogprobs is NaN at token/,
    ],
    [
      'NaN log-prob when sampled, one ratio a completion',
      {
        ...withOptions({ importance_sampling_level: 'sequence' }),
        oldLogprobs: input.logprobs.map(() => Number.NaN),
      },
      /oldLogprobs is NaN at token/,
    ],
    [
      'KL that overflows a coefficient',
      { ...input, logprobs: input.logprobs.map(() => -2000), oldLogprobs: null },
      /coef is -?Infinity at token/,
    ],
    ['cispo without a cap', withOptions({ loss_type: 'cispo', epsilon_high: null }), /cispo needs/],
    ['dapo without tokens', withOptions({ loss_type: 'dapo', num_tokens: null }), /num_tokens/],
    ['too few completions', withOptions({ num_completions: 2 }), /this batch alone has 8/],
    ['no L_max', withOptions({ max_completion_length: 0 }), /max_completion_length is 0/],
    [
      'unknown loss',
      withOptions({ loss_type: 'ppo' as LossType }),
      /loss_type 'ppo' is unknown; choose dr_grpo/,
    ],
  ]
  for (const [title, bad, message] of cases) {
    it(title, () => {
      expect(() => policyLoss(bad)).toThrow(message)
    })
  }

  it('on-policy with beta needs log-probs', () => {
    expect(() => coefficientsOnPolicy({ ...input })).not.toThrow()
    expect(() => coefficientsOnPolicy({ ...input, logprobs: null })).toThrow(/sampler's logprobs/)
  })
})
