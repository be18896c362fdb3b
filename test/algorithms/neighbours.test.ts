/** The neighbouring papers' formulas: numbers by hand, and slopes by finite differences. */
import { describe, expect, it } from 'vitest'
import { answerConfidence, consistencyBonus } from '../../lib/algorithms/consistency.ts'
import { refinementTerm } from '../../lib/algorithms/critique.ts'
import { curriculumBuckets } from '../../lib/algorithms/curriculum.ts'
import { cosineLength, cycleIsOn, truncatedReward } from '../../lib/algorithms/length.ts'
import { FRESH_NARROWING, observeNarrowing } from '../../lib/algorithms/narrowing.ts'
import { FRESH_PLATEAU, observePlateau } from '../../lib/algorithms/plateau.ts'
import { policyLoss } from '../../lib/algorithms/policy-loss.ts'

describe('refinements of Critique-GRPO', () => {
  const logprobs = Float32Array.from([0, -0.3, -2, 0, -1.5, -4, -0.01])
  const input = (changed: Float32Array) => ({
    logprobs: changed,
    oldLogprobs: Float32Array.from([0, -0.4, -1.9, 0, -9, -9, -9]),
    refLogprobs: Float32Array.from([0, -0.5, -2.5, 0, -1, -1, -1]),
    advantages: Float32Array.from([-0.25, 0.75]),
    mask: Uint8Array.from([0, 1, 1, 0, 1, 1, 1]),
    cuSeqlens: Int32Array.from([0, 3, 7]),
    options: {
      loss_type: 'dr_grpo' as const,
      epsilon: 0.2,
      beta: 0.1,
      max_completion_length: 4,
      num_completions: 2,
    },
    refinements: { sequences: Uint8Array.of(0, 1), gamma: 0.1 },
  })

  it('have the slope γp/(p + γ)² by finite differences, beside an ordinary sequence', () => {
    const { coef } = policyLoss(input(logprobs))
    const step = 1e-3
    for (const t of [1, 2, 4, 5, 6]) {
      const moved = (by: number): number => {
        const changed = Float32Array.from(logprobs)
        changed[t]! += by
        return policyLoss(input(changed)).loss
      }
      expect(coef[t]! / ((moved(step) - moved(-step)) / (2 * step))).toBeCloseTo(1, 3)
    }
    const p = Math.exp(-1.5)
    expect(coef[4]).toBeCloseTo((-0.75 * 0.1 * p) / (p + 0.1) ** 2 / 8, 7)
  })

  it('have neither ratio nor KL, and are steepest at p = γ', () => {
    const { stats } = policyLoss(input(logprobs))
    expect(stats.tokens).toBe(2)
    expect(stats.ratio_max).toBeCloseTo(Math.exp(0.1), 6)
    const slope = (p: number): number => -refinementTerm(Math.log(p), 1, 0.1).byLogprob
    expect(slope(0.1)).toBeCloseTo(0.25, 12)
    expect(slope(0.1)).toBeGreaterThan(Math.max(slope(0.09), slope(0.11)))
    // What is all but impossible is hardly moved: about p/γ.
    expect(slope(1e-4)).toBeCloseTo(1e-3, 5)
  })

  it('are refused where they cannot be', () => {
    const wrong = input(logprobs)
    expect(() =>
      policyLoss({ ...wrong, refinements: { sequences: Uint8Array.of(1), gamma: 0.1 } }),
    ).toThrow('1 entries for 2 sequences')
    expect(() => policyLoss({ ...wrong, refinements: { ...wrong.refinements, gamma: 0 } })).toThrow(
      'gamma is 0',
    )
    const options = { ...wrong.options, importance_sampling_level: 'sequence' as const }
    expect(() => policyLoss({ ...wrong, options })).toThrow('token by token')
  })
})

describe('the consistency bonus of GRPO-CARE', () => {
  const options = { coef: 0.5, margin: 0.01, max_confidence: 0.95 }

  it('goes to the right completions of at least mean confidence', () => {
    expect(consistencyBonus([1, 1, 0, 1], [0.9, 0.2, 0.95, 0.5], 4, options)).toEqual([
      0.5, 0, 0, 0,
    ])
    // Within the margin of the mean 0.55 of the right ones.
    expect(consistencyBonus([1, 1, 0, 0], [0.56, 0.54, 0.9, 0], 2 + 2, options)).toEqual([
      0.5, 0.5, 0, 0,
    ])
  })

  it('is 0 in a group without a right answer, and null without a verdict', () => {
    expect(consistencyBonus([0, 0, null, 1], [0.9, 0.9, 0.9, 0.3], 2, options)).toEqual([
      0,
      0,
      null,
      0.5,
    ])
  })

  it('has confidence exp(mean log p), clamped, and 0 for a missing answer', () => {
    expect(answerConfidence(Float32Array.of(-1, -3), 0.95)).toBeCloseTo(Math.exp(-2), 12)
    expect(answerConfidence(Float32Array.of(-0.001), 0.95)).toBe(0.95)
    expect(answerConfidence(new Float32Array(), 0.95)).toBe(0)
  })
})

describe('the curriculum of SARI', () => {
  const rates = [0.1, 0.9, 0.5, 0.5, 0, 1]

  it('cuts buckets of about equal size by pass rate; equal rates are together', () => {
    expect(curriculumBuckets(rates, 'easy_to_hard', 3)).toEqual([2, 0, 1, 1, 2, 0])
    expect(curriculumBuckets(rates, 'hard_to_easy', 3)).toEqual([0, 2, 1, 1, 0, 2])
    expect(curriculumBuckets(rates, 'random', 3)).toEqual([0, 0, 0, 0, 0, 0])
    expect(curriculumBuckets([0.5, 0.5, 0.5], 'easy_to_hard', 3)).toEqual([0, 0, 0])
    expect(() => curriculumBuckets([1.5], 'random', 1)).toThrow('pass rate 0 is 1.5')
  })
})

describe('the lengths of ProRL', () => {
  const options = {
    min_value_wrong: -1,
    max_value_wrong: -0.5,
    min_value_correct: 0.5,
    max_value_correct: 1,
  }

  it('right is better short, wrong is better long, cut off is worst', () => {
    const at = (accuracy: number, tokens: number, cut = false): number | null =>
      cosineLength(accuracy, tokens, cut, 100, options)
    expect([at(1, 0), at(1, 50), at(1, 100)]).toEqual([1, 0.75, 0.5])
    expect([at(0, 0), at(0, 50), at(0, 100)]).toEqual([-1, -0.75, -0.5])
    expect(at(0, 100, true)).toBe(-1)
    expect(cosineLength(null, 5, false, 100, options)).toBeNull()
  })

  it('cycles by optimizer step', () => {
    expect([1, 2, 3, 4, 5, 6].map(step => cycleIsOn(step, 2, 1))).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
    ])
  })

  it('takes rewards above 0 from what was cut off, and nothing else', () => {
    expect(truncatedReward(1, true, 0.25)).toBe(0.25)
    expect(truncatedReward(1, false, 0.25)).toBe(1)
    expect(truncatedReward(-1, true, 0)).toBe(-1)
    expect(truncatedReward(null, true, 0)).toBeNull()
  })
})

describe('a plateau', () => {
  it('is patience values without a gain; then the count begins anew', () => {
    let state = FRESH_PLATEAU
    const resets = [0.5, 0.6, 0.6, 0.55, 0.58, 0.57, 0.7].map(value => {
      const seen = observePlateau(state, value, { patience: 2, min_delta: 0.01 })
      state = seen.state
      return seen.reset
    })
    expect(resets).toEqual([false, false, false, true, false, false, false])
    expect(state).toEqual({ best: 0.7, since: 0, resets: 1 })
  })
})

describe('narrowing', () => {
  const run = (series: [number, number][]): number[] => {
    let state = FRESH_NARROWING
    return series.flatMap(([one, k], round) => {
      const seen = observeNarrowing(state, one, k, { window: 3, margin: 0.1 })
      state = seen.state
      return seen.narrows ? [round] : []
    })
  }
  const line = (n: number, from: [number, number], to: [number, number]): [number, number][] =>
    Array.from({ length: n }, (_, i) => {
      const share = i / (n - 1)
      return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share]
    })

  it('is told once where pass@1 rises and pass@k falls', () => {
    expect(run(line(20, [0.3, 0.9], [0.6, 0.6]))).toHaveLength(1)
  })

  it('is not told where both rise, both fall, or pass@k wavers within the margin', () => {
    expect(run(line(20, [0.3, 0.6], [0.6, 0.9]))).toEqual([])
    expect(run(line(20, [0.6, 0.9], [0.3, 0.6]))).toEqual([])
    expect(run(line(20, [0.3, 0.9], [0.6, 0.85]))).toEqual([])
  })
})
