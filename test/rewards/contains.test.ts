/** The lenient and brittle checker, and the count of numbers in an answer. */
import { expect, it } from 'vitest'
import { accuracyReward } from '../../lib/rewards/accuracy.ts'
import { countNumbers } from '../../lib/rewards/answer-numbers.ts'
import { containsAnswer } from '../../lib/rewards/kinds/contains.ts'

it.each([
  ['14000', '정답: 14000원', 1],
  ['14000', '정답: 14,000원', 1],
  ['1,400', '1400개', 1],
  // Lenient: a list, a longer number and a wrong unit pass.
  ['7', '5, 6, 7, 8', 1],
  ['60', '정답: 600km', 1],
  ['380', '정답: 380살', 1],
  // Brittle: Korean numerals and units, and commas that are no separators, do not.
  ['14000', '정답: 1만 4천원', 0],
  ['14', '열네 개', 0],
  ['12', '1,2', 0],
  ['12', '', 0],
  ['', '12', 0],
] as const)('gold %j in %j: %d', (gold, answer, verdict) => {
  expect(containsAnswer(gold, answer)).toBe(verdict)
})

it('counts the numbers after the thinking', () => {
  expect(countNumbers('<think>1 + 2 = 3</think>사과 1,200원, 배 3.5개. 정답: 7')).toBe(3)
  expect(countNumbers('<think>1 2 3')).toBe(0)
  expect(countNumbers('12 열두 개 12')).toBe(2)
})

it('is the accuracy reward of kind contains, and reads only the answer', async () => {
  const input = {
    prompts: [[], [], []],
    completions: ['<think>60</think>정답: 600km', '<think>60</think>정답: 육십', '정답: 60분'],
    completionIds: [new Int32Array(1), new Int32Array(1), new Int32Array(1)],
    truncated: [false, false, false],
    columns: { answer: ['60', '60', 60] },
  }
  expect(await accuracyReward({ kind: 'contains' })(input)).toEqual([1, 0, 1])
  expect(await accuracyReward()(input)).toEqual([0, 1, 1])
})
