import { describe, expect, it } from 'vitest'
import { canonicalThinking, diversity, entropyOf, powersUpTo } from '../../lib/eval/diversity.ts'
import { describeReadiness, meanPassAtK, notReady, readiness } from '../../lib/eval/readiness.ts'

const korean = '<think>\n사과가 셋이다\n</think>\n\n정답: 3'
const english = '<think>\nthree apples\n</think>\n\n정답: 3'

describe('readiness', () => {
  const figures = readiness({
    num_generations: 2,
    accuracy: [1, 0, 0, 0, null, 1, 1, 1],
    zero_std: [false, true, false, true],
    completions: [korean, korean, english, english, korean, '정답: 3', korean, english],
  })

  it('counts passes per group, leaving out groups without enough verdicts', () => {
    // pass@1: (1/2 + 0 + 1 + 1) / 4; pass@2 over the three groups with two verdicts: (1 + 0 + 1) / 3.
    expect(figures.pass_at_1).toBeCloseTo(0.625, 12)
    expect(figures.pass_at_k).toBeCloseTo(2 / 3, 12)
    expect(meanPassAtK([null, null], 2, 1)).toBeNull()
  })

  it('measures dead groups and Korean in the thinking, none of which counts 0', () => {
    expect(figures.dead_group_rate).toBe(0.5)
    expect(figures.korean_thinking_share).toBe(0.5)
    expect(String(describeReadiness(figures))).toBe(
      '4 prompts × 2: pass@1 62.5 %, pass@2 66.7 %, groups of equal rewards 50.0 %, Korean in the thinking 50.0 %',
    )
  })

  it('is refused above the limit alone, and where nothing is ever right', () => {
    expect(notReady(figures, 0.5)).toBeNull()
    expect(String(notReady(figures, 0.49))).toContain('in 50 % of the groups all rewards are equal')
    expect(String(notReady({ ...figures, pass_at_k: 0 }, 0.5))).toContain('none of 2 attempts')
    expect(String(notReady({ ...figures, pass_at_k: 0.9 }, 0.4))).toContain('too easy')
    expect(String(notReady({ ...figures, pass_at_k: 0.1 }, 0.4))).toContain('train the skill first')
  })
})

describe('diversity', () => {
  it('counts different right completions of solved prompts, and entropies', () => {
    const other = '<think>\n하나, 둘, 셋이다.\n</think>\n\n정답: 3'
    const spaced = '<think>\n사과가  셋이다!\n</think>\n\n답은 3'
    const wrong = '<think>\n넷이다\n</think>\n\n정답: 4'
    const figures = diversity({
      k: 4,
      accuracy: [1, 1, 1, 0, 0, 0, 0, 0],
      completions: [korean, other, spaced, wrong, wrong, wrong, wrong, wrong],
      entropies: [1, 2, 3, 4, 1, 1, 1, 3],
    })
    expect(figures.distinct_correct).toBe(2)
    expect(figures.pass_at).toEqual({ 1: 0.375, 2: 0.5, 4: 0.5 })
    expect(figures.token_entropy).toBe(2)
    // Answers 3, 3, 3, 4 and 4, 4, 4, 4.
    expect(figures.answer_entropy).toBeCloseTo(entropyOf([3, 1]) / 2, 12)
    expect(entropyOf([1, 1])).toBeCloseTo(Math.LN2, 12)
  })

  it('has powers of two and k', () => {
    expect(powersUpTo(1)).toEqual([1])
    expect(powersUpTo(8)).toEqual([1, 2, 4, 8])
    expect(powersUpTo(12)).toEqual([1, 2, 4, 8, 12])
    expect(canonicalThinking('<think>Ａ b,\n가</think>x')).toBe('ab가')
  })
})
