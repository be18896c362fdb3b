import { expect, test } from 'vitest'
import { compareRows } from '../../lib/eval/comparison.ts'
import type { LikelihoodRow, Row } from '../../lib/eval/grade.ts'

const rows = (correct: readonly (0 | 1)[]): LikelihoodRow[] =>
  correct.map((value, i) => ({
    id: String(i),
    subset: '',
    gold: 0,
    mode: 'likelihood',
    logprobs: [-1, -2],
    greedy: [true, false],
    answer: 1 - value,
    answer_norm: 1 - value,
    correct: value,
    correct_norm: value,
  }))
const ones = (n: number, of: number): (0 | 1)[] =>
  Array.from({ length: of }, (_, i) => (i < n ? 1 : 0))

test('two more of the 30 problems of AIME are noise', () => {
  const comparison = compareRows(rows(ones(20, 30)), rows(ones(22, 30)))
  expect(comparison).toMatchObject({
    gained: 2,
    lost: 0,
    n: 30,
    p: 0.5,
    finding: 'within the noise',
  })
  expect(comparison.difference).toBeCloseTo(2 / 30, 12)
})

test('a gain of ten is not, and the same lost is worse', () => {
  const [few, many] = [rows(ones(10, 30)), rows(ones(20, 30))]
  const better = compareRows(few, many)
  expect(better).toMatchObject({ gained: 10, lost: 0, finding: 'better' })
  expect(better.p).toBeCloseTo(2 / 1024, 12)
  expect(better.ci95[0]).toBeGreaterThan(0.15)
  expect(compareRows(many, few).finding).toBe('worse')
  expect(compareRows(few, few)).toMatchObject({ difference: 0, p: 1, finding: 'within the noise' })
})

test('equal models are called different about one time in twenty, at most', () => {
  let called = 0
  const coin = (trial: number, i: number, salt: number): 0 | 1 => {
    const x = Math.sin(trial * 131.7 + i * 78.233 + salt * 17.13) * 43758.5453
    return x - Math.floor(x) < 0.5 ? 1 : 0
  }
  for (let trial = 0; trial < 60; trial++) {
    const of = (salt: number) => rows(Array.from({ length: 40 }, (_, i) => coin(trial, i, salt)))
    if (compareRows(of(1), of(2), trial).finding !== 'within the noise') called++
  }
  expect(called).toBeLessThan(8)
})

test('only the same questions are compared', () => {
  const some = rows([1, 0, 1])
  expect(() => compareRows(some, rows([1, 0]))).toThrow('question "2" is missing in the second')
  expect(() => compareRows(rows([1]), some)).toThrow('have 1 and 3 questions')
  const other = rows([1, 0, 1]).map((row): Row => ({ ...row, gold: 1 }))
  expect(() => compareRows(some, other)).toThrow('has another right answer')
})
