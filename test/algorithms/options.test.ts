/**
 * The options beside the surrogate (entropy filter and bonus, importance correction) against TRL's own
 * code, and their formulas by hand and by finite differences.
 */
import { describe, expect, it } from 'vitest'
import {
  entropyCoefficients,
  entropyLoss,
  entropyThreshold,
  highEntropy,
} from '../../lib/algorithms/entropy.ts'
import {
  type ImportanceCorrectionMode,
  importanceMetrics,
  importanceWeights,
} from '../../lib/algorithms/importance-correction.ts'
import { type PolicyLossInput, policyLoss } from '../../lib/algorithms/policy-loss.ts'
import { policyMetrics } from '../../lib/algorithms/policy-metrics.ts'
import {
  fromGolden,
  golden,
  type OptionCase,
  offsets,
  randomInput,
  relative,
  slice,
} from './golden.ts'

/** The factors of a case as the trainer makes them, and the tokens the entropy bonus counts. */
function factorsOf(c: OptionCase, input: PolicyLossInput) {
  const { top_entropy_quantile, correction, clip_max, clip_min } = c.options
  const { mask, cuSeqlens } = input
  const entropies = Float32Array.from(c.entropies)
  let factors: Float32Array = Float32Array.from(mask)
  if (top_entropy_quantile !== undefined) {
    const threshold = entropyThreshold([entropies], [mask], top_entropy_quantile)
    factors = highEntropy(entropies, mask, threshold)
  }
  const kept = factors
  const metrics: Record<string, number> = {}
  if (correction !== undefined) {
    const { weights, stats } = importanceWeights({
      mode: correction,
      clip_max,
      clip_min,
      logprobs: input.oldLogprobs ?? input.logprobs,
      sampled: Float32Array.from(c.sampled),
      mask,
      cuSeqlens,
    })
    factors = factors.map((f, t) => f * weights[t]!)
    Object.assign(metrics, importanceMetrics([stats]))
  }
  return { factors, kept, entropies, metrics }
}

describe('against TRL', () => {
  it('covers every option', () => {
    const used = new Set(golden.options.flatMap(c => Object.keys(c.options)))
    for (const key of [
      'top_entropy_quantile',
      'entropy_coef',
      'sapo_temperature_neg',
      'clip_min',
    ]) {
      expect(used).toContain(key)
    }
    expect(new Set(golden.options.map(c => c.options.correction)).size).toBe(5)
  })

  golden.options.forEach((c, index) => {
    const { loss_type, correction, top_entropy_quantile, entropy_coef } = c.options
    const extras = [correction, top_entropy_quantile, entropy_coef].filter(x => x !== undefined)
    it(`${index} ${loss_type} ${extras.join(' ')} ${c.on_policy ? 'on' : 'off'}-policy`, () => {
      const input = fromGolden(c)
      const { factors, kept, entropies, metrics } = factorsOf(c, input)
      const coefficient = entropy_coef ?? 0
      const count = kept.reduce((sum, k) => sum + k, 0)
      const size = c.num_completions / c.accumulation
      const parts = c.losses.map((_, m) => {
        const part = slice(input, m * size, (m + 1) * size)
        const start = input.cuSeqlens[m * size]!
        return policyLoss({
          ...part,
          factors: factors.slice(start, start + part.mask.length),
        })
      })
      const bonus = entropyLoss(entropies, kept, coefficient, count)
      parts.forEach((part, m) => {
        expect(relative(part.loss + bonus, c.losses[m]!)).toBeLessThan(1e-6)
      })
      const coef = parts.flatMap(part => Array.from(part.coef))
      const entropyCoef = entropyCoefficients(kept, coefficient, count)
      coef.forEach((value, t) => {
        expect(Math.abs(value - c.gradient[t]!)).toBeLessThan(
          1e-6 * Math.abs(c.gradient[t]!) + 1e-12,
        )
        expect(Math.abs(entropyCoef[t]! - c.entropy_gradient[t]!)).toBeLessThan(1e-9)
      })
      for (const [name, [expected]] of Object.entries(c.metrics)) {
        if (!name.startsWith('sampling/importance')) continue
        expect(metrics[name], name).toBeCloseTo(expected!, 6)
      }
    })
  })
})

describe('the entropy filter', () => {
  const entropies = [Float32Array.of(5, 1, 9), Float32Array.of(3, 7, 2)]
  const masks = [Uint8Array.of(0, 1, 1), Uint8Array.of(1, 1, 1)]

  it('keeps the highest share of the trained tokens of all micro-batches', () => {
    // Trained: 1 2 3 7 9. The upper 40 % of five begin at rank 2.4 from 0: 3 + 0.4 · 4.
    expect(entropyThreshold(entropies, masks, 0.4)).toBeCloseTo(4.6, 6)
    expect(Array.from(highEntropy(entropies[0]!, masks[0]!, 4.6))).toEqual([0, 0, 1])
    expect(Array.from(highEntropy(entropies[1]!, masks[1]!, 4.6))).toEqual([0, 1, 0])
    expect(entropyThreshold(entropies, masks, 0.5)).toBe(3)
    expect(entropyThreshold(entropies, masks, 1)).toBe(1)
  })

  it('keeps the token of a whole rank, however its share is rounded', () => {
    for (let n = 2; n <= 60; n++) {
      const values = Float32Array.from({ length: n + 1 }, (_, i) => 0.1 + i / 7)
      const mask = new Uint8Array(n + 1).fill(1)
      for (let k = 0; k < n; k++) {
        const threshold = entropyThreshold([values], [mask], 1 - k / n)
        expect(highEntropy(values, mask, threshold).reduce((a, b) => a + b)).toBe(n + 1 - k)
      }
    }
  })

  it('has no threshold without a trained token, and refuses a share of none', () => {
    expect(entropyThreshold([], [], 0.2)).toBe(0)
    expect(() => entropyThreshold(entropies, masks, 0)).toThrow(/top_entropy_quantile is 0/)
  })
})

describe('the entropy bonus', () => {
  it('has the gradient of its loss (finite differences)', () => {
    const entropies = Float32Array.of(1, 2, 3, 4)
    const kept = Uint8Array.of(1, 0, 1, 1)
    const coef = entropyCoefficients(kept, 0.3, 5)
    coef.forEach((slope, t) => {
      const at = (step: number): number =>
        entropyLoss(
          entropies.map((h, u) => (u === t ? h + step : h)),
          kept,
          0.3,
          5,
        )
      expect((at(0.5) - at(-0.5)) / 1).toBeCloseTo(slope, 7)
    })
    expect(entropyLoss(entropies, kept, 0.3, 5)).toBeCloseTo(-0.3 * (8 / 5), 12)
  })
})

describe('the importance correction', () => {
  const cuSeqlens = offsets([2, 3])
  const mask = Uint8Array.of(0, 1, 1, 1, 0)
  const sampled = Float32Array.of(0, -1, -1, -1, 0)
  const logprobs = Float32Array.of(0, -1 + Math.log(4), -1 + Math.log(0.25), -1 + Math.log(2), 0)
  const weigh = (mode: ImportanceCorrectionMode, clip_max?: number, clip_min?: number): number[] =>
    Array.from(
      importanceWeights({ mode, clip_max, clip_min, logprobs, sampled, mask, cuSeqlens }).weights,
      x => Math.round(x * 1e5) / 1e5,
    )

  it('clamps or drops the ratio of tokens, or of whole completions', () => {
    expect(weigh('token_truncate')).toEqual([0, 4, 0.25, 2, 0])
    expect(weigh('token_truncate', 3, 0.5)).toEqual([0, 3, 0.5, 2, 0])
    expect(weigh('token_mask', 3, 0.5)).toEqual([0, 0, 0, 2, 0])
    expect(weigh('sequence_truncate', 3)).toEqual([0, 3, 0.5, 0.5, 0])
    expect(weigh('sequence_mask', 3)).toEqual([0, 0, 0.5, 0.5, 0])
  })

  it('counts weights per token or per completion, over micro-batches', () => {
    const input = { clip_max: 3, logprobs, sampled, mask, cuSeqlens }
    const tokens = importanceWeights({ ...input, mode: 'token_truncate' }).stats
    const metrics = importanceMetrics([tokens, tokens])
    expect(metrics['sampling/importance_sampling_ratio/mean']).toBeCloseTo(5.25 / 3, 6)
    expect(metrics['sampling/importance_sampling_ratio/min']).toBeCloseTo(0.25, 6)
    expect(metrics['sampling/importance_sampling_ratio/max']).toBe(3)
    const sequences = importanceWeights({ ...input, mode: 'sequence_truncate' }).stats
    expect(sequences.count).toBe(2)
    expect(importanceMetrics([])).toEqual({})
  })

  it('is exactly 1 where sampler and trainer agree', () => {
    const equal = { clip_max: 3, logprobs, sampled: logprobs, mask, cuSeqlens }
    for (const mode of ['token_mask', 'sequence_truncate'] as const) {
      expect(Array.from(importanceWeights({ ...equal, mode }).weights)).toEqual([0, 1, 1, 1, 0])
    }
  })

  it('refuses log-probs that are not finite', () => {
    const broken = { mode: 'token_mask' as const, logprobs, mask, cuSeqlens }
    const impossible = Float32Array.of(0, Number.NEGATIVE_INFINITY, -1, -1, 0)
    expect(() => importanceWeights({ ...broken, sampled: impossible })).toThrow(/token 1 is/)
  })
})

describe('factors of the policy term', () => {
  it('of 1 change nothing, of 0 leave only the KL; wrong lengths are refused', () => {
    const input = randomInput(22, {})
    const ones = Float32Array.from(input.mask, () => 1)
    expect(policyLoss({ ...input, factors: ones }).coef).toEqual(policyLoss(input).coef)
    const zeros = policyLoss({ ...input, factors: ones.map(() => 0) })
    const { kl } = policyMetrics([zeros.stats])
    const tokens = Array.from(input.mask).filter(m => m === 1).length
    expect(zeros.loss).toBeCloseTo((0.05 * kl! * tokens) / (8 * 12), 12)
    expect(() => policyLoss({ ...input, factors: new Float32Array(3) })).toThrow(/factors has 3/)
  })
})
